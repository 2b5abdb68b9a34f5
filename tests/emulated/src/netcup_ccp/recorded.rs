//! The emulated service against the recorded conversations with the real one.

use std::path::Path;

use mailzone_record::Name;
use serde_json::{Value as Json, json};

use super::NetcupCcp;
use crate::{Backdoor, Request, Service};

const DOMAIN: &str = "example.com";

/// Each conversation: its file, and the actions with their answers.
fn conversations() -> Vec<(String, Vec<(String, Json)>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/recorded/netcup");
    let mut conversations = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = || text.lines().map(str::trim_start);
        let quoted =
            |prefix: &'static str| lines().filter_map(move |line| line.strip_prefix(prefix)?.strip_suffix('\''));
        let json = |text: &str| serde_json::from_str::<Json>(&text.replace("''", "'")).unwrap();
        let actions = quoted("body: '").map(|body| json(body)["action"].as_str().unwrap().to_owned());
        let exchanges: Vec<_> = actions.zip(quoted("string: '").map(json)).collect();
        assert!(!exchanges.is_empty(), "{}", path.display());
        conversations.push((path.file_name().unwrap().to_string_lossy().into_owned(), exchanges));
    }
    conversations
}

fn ask(service: &mut NetcupCcp, action: &str, mut param: Json) -> Json {
    param["customernumber"] = json!(NetcupCcp::CUSTOMER);
    param["apikey"] = json!(NetcupCcp::KEY);
    param["apipassword"] = json!(NetcupCcp::PASSWORD);
    param["apisessionid"] = json!(format!("emulated-session-{}", service.logins()));
    param["domainname"] = json!(DOMAIN);
    let request = Request {
        method: "POST".into(),
        path: NetcupCcp::PATH.split('?').next().unwrap().into(),
        query: vec![("JSON".into(), String::new())],
        body: json!({ "action": action, "param": param }).to_string().into_bytes(),
        ..Request::default()
    };
    let response = service.answer(&request);
    assert_eq!(response.status, 200);
    serde_json::from_slice(&response.body).unwrap()
}

fn keys(value: &Json) -> Vec<&String> {
    value.as_object().map(|object| object.keys().collect()).unwrap_or_default()
}

/// The records without what differs between two accounts, sorted.
fn records(answer: &Json) -> Vec<String> {
    let mut list = answer["responsedata"]["dnsrecords"].as_array().cloned().unwrap_or_default();
    for record in &mut list {
        record["id"] = json!("");
        record["state"] = json!("");
    }
    let mut shown: Vec<String> = list.iter().map(Json::to_string).collect();
    shown.sort();
    shown
}

/// The entries that turn one recorded list into the next.
fn entries(before: &[Json], after: &[Json], ids: &dyn Fn(&Json) -> String) -> Vec<Json> {
    let same = |a: &Json, b: &Json| a["id"] == b["id"];
    let gone = before.iter().filter(|old| !after.iter().any(|new| same(old, new))).map(|old| {
        let mut entry = old.clone();
        entry["id"] = json!(ids(old));
        entry["deleterecord"] = json!(true);
        entry
    });
    let new = after.iter().filter(|new| !before.contains(new)).map(|new| {
        let mut entry = new.clone();
        match before.iter().find(|old| same(old, new)) {
            Some(old) => entry["id"] = json!(ids(old)),
            None => drop(entry.as_object_mut().unwrap().remove("id")),
        }
        entry
    });
    gone.chain(new).collect()
}

#[test]
fn answers_as_the_real_service_did() {
    let mut updates = 0;
    for (file, exchanges) in conversations() {
        let mut service = NetcupCcp::new();
        let known = exchanges.iter().any(|(action, answer)| action == "infoDnsZone" && answer["statuscode"] == 2000);
        let zone = known.then(|| service.seed(&Name::parse(DOMAIN).unwrap(), &[]));
        let mut last: Option<Vec<Json>> = None;
        for (action, recorded) in exchanges {
            let list = recorded["responsedata"]["dnsrecords"].as_array().cloned();
            if let (Some(list), None, Some(zone)) = (&list, &last, &zone) {
                for record in list {
                    let field = |name: &str| record[name].as_str().unwrap();
                    service.add_raw(zone, field("hostname"), field("type"), field("priority"), field("destination"));
                }
            }
            let mut param = json!({});
            if action == "updateDnsRecords" {
                updates += 1;
                let held = ask(&mut service, "infoDnsRecords", json!({}));
                let ids = |record: &Json| {
                    let of = |name: &str| (name.to_owned(), record[name].clone());
                    let wanted = ["hostname", "type", "destination"].map(of);
                    let list = held["responsedata"]["dnsrecords"].as_array().unwrap();
                    let found = list.iter().find(|held| wanted.iter().all(|(name, value)| held[name] == *value));
                    found.unwrap()["id"].as_str().unwrap().to_owned()
                };
                let entries = entries(last.as_deref().unwrap(), list.as_deref().unwrap(), &ids);
                param = json!({ "dnsrecordset": { "dnsrecords": entries } });
            }
            let answer = ask(&mut service, &action, param);
            assert_eq!(answer["statuscode"], recorded["statuscode"], "{file}: {action}: {answer}");
            assert_eq!(answer["status"], recorded["status"], "{file}: {action}");
            assert_eq!(keys(&answer), keys(&recorded), "{file}: {action}");
            assert_eq!(keys(&answer["responsedata"]), keys(&recorded["responsedata"]), "{file}: {action}");
            assert_eq!(records(&answer), records(&recorded), "{file}: {action}");
            last = list.or(last);
        }
    }
    assert_eq!(updates, 15);
}
