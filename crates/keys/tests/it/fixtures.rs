//! The messages of others in `tests/fixtures/dkim`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use mailzone_keys::verify_message;
use mailzone_mailauth::dkim::key_names;
use mailzone_mailauth::lookup::{Answer, Answers};
use mailzone_mailauth::message::Message;
use serde_json::Value;

use crate::signer::world;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/dkim")
}

/// The message of a file, and the key records that come with it.
fn read(file: &str) -> (Vec<u8>, BTreeMap<String, String>) {
    let octets = fs::read(directory().join("messages").join(file)).unwrap();
    let text = String::from_utf8(octets.clone()).unwrap();
    if file.starts_with("mail-auth-") {
        let (records, message) = text.split_once("\n\n").unwrap();
        let record = |line: &str| line.split_once(' ').map(|(name, text)| (name.to_owned(), text.to_owned())).unwrap();
        return (message.as_bytes().to_vec(), records.lines().map(record).collect());
    }
    let mut records = BTreeMap::new();
    if let Some(stem) = file.strip_suffix("-signed.eml") {
        let dns = fs::read_to_string(directory().join("messages").join(format!("{stem}-dns.json"))).unwrap();
        let dns: BTreeMap<String, BTreeMap<String, Vec<Vec<String>>>> = serde_json::from_str(&dns).unwrap();
        records.extend(dns.into_iter().map(|(name, types)| (name, types["TXT"][0].concat())));
    }
    (octets, records)
}

#[test]
fn verdicts_are_those_recorded() {
    let cases: Vec<Value> =
        serde_json::from_str(&fs::read_to_string(directory().join("expected.json")).unwrap()).unwrap();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for case in &cases {
        let file = case["file"].as_str().unwrap();
        seen.insert(file.to_owned());
        let (octets, mut records) = read(file);
        let more = case["keys"].as_object().into_iter().flatten();
        records.extend(more.map(|(name, text)| (name.clone(), text.as_str().unwrap().to_owned())));
        for (name, key) in case["key_files"].as_object().into_iter().flatten() {
            let key = directory().join("keys").join(key.as_str().unwrap());
            records.insert(name.clone(), fs::read_to_string(key).unwrap());
        }
        let message = Message::parse(&octets).unwrap();
        let absolute: Vec<(String, String)> =
            records.into_iter().map(|(name, text)| (format!("{name}."), text)).collect();
        let absolute: Vec<(&str, String)> = absolute.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
        let known = world(&absolute);
        let mut answers = Answers::otherwise(Answer::NxDomain);
        for (name, rtype, answer) in known.iter() {
            answers.insert(name.clone(), rtype, answer.clone());
        }
        let verified = verify_message(&message, &answers, case["now"].as_u64().unwrap()).unwrap();
        assert!(key_names(&message).len() <= verified.len());
        let found: Vec<String> = verified
            .iter()
            .map(|one| {
                let domain = one.domain().map(ToString::to_string).unwrap_or_default();
                let reason = one.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
                format!(
                    "{} {} {}{reason}",
                    domain.trim_end_matches('.'),
                    one.selector().unwrap_or_default(),
                    one.result()
                )
            })
            .collect();
        let expected: Vec<&str> = case["results"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
        let alike = |(found, expected): (&String, &&str)| match expected.contains(": ") {
            true => found.starts_with(expected),
            false => found == expected,
        };
        if found.len() != expected.len() || !found.iter().zip(&expected).all(alike) {
            wrong.push(format!("{case}\n  {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for entry in fs::read_dir(directory().join("messages")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        assert!(file.ends_with(".json") || seen.contains(&file), "expected.json has nothing for {file}");
    }
}
