//! The recorded answers of the real service.

use std::path::Path;

use mailzone_record::Name;
use serde_json::Value;

use super::answer::Answer;
use super::codec::{Record, decode, entries};
use crate::delta::rrsets;

/// The bodies of all recorded answers, with the file's name.
fn answers() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/recorded/netcup");
    let mut answers = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let bodies = text.lines().filter_map(|line| line.trim_start().strip_prefix("string: '")?.strip_suffix('\''));
        for body in bodies {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            answers.push((name, serde_json::from_str(&body.replace("''", "'")).unwrap()));
        }
    }
    answers
}

#[test]
fn every_answer_is_read() {
    let answers = answers();
    assert_eq!(answers.len(), 62);
    for (file, body) in answers {
        let answer: Answer = serde_json::from_value(body.clone()).unwrap();
        assert_eq!(answer.is_success(), body["statuscode"] == 2000, "{file}");
        assert!(!answer.is_lock_out(), "{file}");
        if !answer.is_success() {
            assert!(matches!(answer.failure().0, mailzone_provider::ProviderErrorKind::NoZone(_)), "{file}");
        }
    }
}

#[test]
fn every_record_is_read_without_loss() {
    let zone = Name::parse("example.com").unwrap();
    let mut count = 0;
    for (file, body) in answers() {
        let Some(records) = body["responsedata"]["dnsrecords"].as_array() else { continue };
        let mut live = Vec::new();
        for record in records {
            let raw: Record = serde_json::from_value(record.clone()).unwrap();
            assert_eq!(serde_json::to_value(&raw).unwrap(), *record, "{file}");
            let listed = decode(&zone, raw).unwrap();
            assert_eq!(listed.protection, None, "{file}: {record}");
            live.push(listed);
            count += 1;
        }
        let sets = rrsets(&live);
        assert_eq!(sets.iter().map(|set| set.values.len()).sum::<usize>(), live.len(), "{file}");
        for set in sets {
            // Deleted as it was received, created again as it was received.
            let gone = mailzone_provider::RRsetChange::new(Some(set.clone()), None).unwrap();
            for entry in entries(&zone, std::iter::once(&gone), &live).unwrap() {
                let mut sent = serde_json::to_value(&entry).unwrap();
                assert_eq!(sent["deleterecord"], true);
                sent["deleterecord"] = Value::Bool(false);
                assert!(records.contains(&sent), "{file}: {sent}");
            }
            let new = mailzone_provider::RRsetChange::new(None, Some(set)).unwrap();
            for entry in entries(&zone, std::iter::once(&new), &[]).unwrap() {
                let same = |record: &Value| {
                    let destination = record["destination"].as_str().unwrap().replace('@', "example.com");
                    let of = (&record["hostname"], &record["type"], &record["priority"]);
                    let sent = (entry.hostname.as_str(), entry.rtype.as_str(), entry.priority.as_str());
                    *of.0 == sent.0 && *of.1 == sent.1 && *of.2 == sent.2 && destination == entry.destination
                };
                assert!(records.iter().any(same), "{file}: {entry:?}");
            }
        }
    }
    assert_eq!(count, 408);
}
