//! Every recorded answer decodes, and what was listed is encoded as it was.

use mailzone_record::{Name, Rdata};
use serde_json::Value;

use crate::decode::Record;
use crate::encode;
use crate::wire::{Envelope, RecordObject, ZoneObject, number};

/// `(file, method, path, request body, status, response body)` of each interaction.
fn interactions() -> Vec<(String, String, String, Value, u64, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/recorded/cloudflare");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let cassette: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for interaction in cassette["interactions"].as_array().unwrap() {
            let (request, response) = (&interaction["request"], &interaction["response"]);
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let path = text(&request["uri"]).split('?').next().unwrap().to_owned();
            let body = serde_json::from_str(&text(&request["body"])).unwrap_or_default();
            let status = response["status"]["code"].as_u64().unwrap();
            all.push((file.clone(), text(&request["method"]), path, body, status, text(&response["body"]["string"])));
        }
    }
    all
}

/// Whether a record in the API's own words is `value` with the TTL.
fn check(object: &Value, file: &str) {
    let apex = Name::parse("example.org").unwrap();
    let listed: RecordObject = serde_json::from_value(object.clone()).unwrap();
    let record = Record::read(listed, &apex).unwrap();
    assert!(!matches!(record.rdata, Rdata::Opaque(_)), "{file}: {object} is not read");
    assert_eq!(record.protection, None, "{file}: {object}");
    assert_eq!(encode::owner(&record.key.name), object["name"], "{file}");
    assert_eq!(record.key.rtype.to_string(), object["type"], "{file}");
    assert_eq!(Some(u64::from(record.ttl)), number(&object["ttl"]), "{file}");
    assert_eq!(&*record.spelling, object["content"], "{file}");

    // What we would send for it is read as the same data: texts differ in their quotes alone.
    let mut again = object.clone();
    for (field, value) in encode::fields(&record.rdata).unwrap() {
        again[field] = value;
    }
    if record.key.rtype.to_string() != "TXT" {
        assert_eq!(again, *object, "{file}");
    }
    let again = Record::read(serde_json::from_value(again).unwrap(), &apex).unwrap();
    assert_eq!(again.rdata, record.rdata, "{file}");
}

#[test]
fn every_answer_decodes_and_what_was_listed_is_encoded_as_it_was() {
    let (mut zones, mut records, mut refusals) = (0, 0, 0);
    for (file, method, path, sent, status, body) in interactions() {
        let value: Value = serde_json::from_str(&body).unwrap();
        if status >= 400 {
            let envelope: Envelope<Value> = serde_json::from_str(&body).unwrap();
            assert!(!envelope.success && envelope.errors[0].code == 81058, "{file}: {body}");
            refusals += 1;
        } else if path.ends_with("/zones") {
            let envelope: Envelope<Vec<ZoneObject>> = serde_json::from_str(&body).unwrap();
            let info = envelope.result_info.unwrap();
            assert_eq!((info.per_page, info.total_pages), (Some(100), Some(1)), "{file}");
            for zone in envelope.result.unwrap() {
                assert_eq!((&*zone.plan.legacy_id, &*zone.kind, &*zone.status), ("free", "full", "active"));
                assert!(zone.permissions.iter().any(|right| right == "#dns_records:edit"));
                assert_eq!(zone.name_servers.len(), 2);
                zones += 1;
            }
        } else if method == "GET" {
            let envelope: Envelope<Vec<RecordObject>> = serde_json::from_str(&body).unwrap();
            assert!(envelope.success && envelope.result.is_some(), "{file}");
            for object in value["result"].as_array().unwrap() {
                check(object, &file);
                records += 1;
            }
        } else if method == "DELETE" {
            assert!(value["result"]["id"].is_string(), "{file}");
        } else {
            check(&value["result"], &file);
            assert_eq!(value["result"]["content"], sent["content"], "{file}");
            records += 1;
        }
    }
    assert!(zones > 30 && records > 25 && refusals == 2, "{zones} {records} {refusals}");
}
