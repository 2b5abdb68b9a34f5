//! The syntax cases of the RFC 7208 test suite: which records receivers select and which they refuse.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Record, is_candidate};

const SUITE: &str = include_str!("../../../../tests/fixtures/spf/rfc7208-tests.json");

/// Cases whose `permerror` comes from other names' records or from limits of the evaluation.
const BY_EVALUATION: &[&str] = &[
    "include-loop",
    "include-none",
    "include-over-limit",
    "include-permerror",
    "mech-over-limit",
    "mx-limit",
    "redirect-loop",
    "redirect-none",
    "void-over-limit",
];

#[derive(Deserialize)]
struct Scenario {
    tests: BTreeMap<String, Case>,
    zone: BTreeMap<String, Owner>,
}

#[derive(Deserialize)]
struct Owner {
    #[serde(rename = "TXT", default)]
    txt: Vec<Vec<String>>,
}

#[derive(Deserialize)]
struct Case {
    mailfrom: String,
    helo: String,
    result: Vec<String>,
}

impl Scenario {
    /// The joined texts of the SPF records at a name, whatever its case.
    fn at(&self, name: &str) -> Vec<Vec<u8>> {
        let here = self.zone.iter().filter(|(owner, _)| owner.eq_ignore_ascii_case(name));
        here.flat_map(|(_, owner)| &owner.txt)
            .map(|strings| joined(strings))
            .filter(|text| is_candidate(text))
            .collect()
    }
}

fn joined(strings: &[String]) -> Vec<u8> {
    strings.iter().flat_map(|s| s.chars()).map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

fn suite() -> Vec<Scenario> {
    serde_json::from_str(SUITE).unwrap()
}

#[test]
fn syntax_is_judged_as_the_suite_does() {
    let (mut refused, mut accepted) = (0, 0);
    for scenario in suite() {
        for (name, case) in &scenario.tests {
            let domain = case.mailfrom.rsplit_once('@').map_or(case.helo.as_str(), |(_, domain)| domain);
            let [record] = &scenario.at(domain)[..] else { continue };
            let read = Record::parse(record);
            let text = String::from_utf8_lossy(record);
            if case.result == ["permerror"] && !BY_EVALUATION.contains(&name.as_str()) {
                assert!(read.is_err(), "{name}: {text}");
                refused += 1;
            } else if !case.result.iter().any(|result| matches!(result.as_str(), "permerror" | "none" | "temperror")) {
                assert!(read.is_ok(), "{name}: {text}: {read:?}");
                accepted += 1;
            }
        }
    }
    assert!(refused >= 60 && accepted >= 80, "{refused} {accepted}");
}

#[test]
fn every_record_that_reads_prints_to_itself() {
    for scenario in suite() {
        for text in scenario.zone.values().flat_map(|owner| &owner.txt).map(|strings| joined(strings)) {
            if let Ok(record) = Record::parse(&text) {
                assert_eq!(Record::parse(record.to_string()), Ok(record));
            }
        }
    }
}

#[test]
fn terms_are_counted_as_the_suite_does() {
    let lookups = |name: &str| {
        let scenarios = suite();
        let (scenario, case) = scenarios.iter().find_map(|s| Some((s, s.tests.get(name)?))).unwrap();
        let (_, domain) = case.mailfrom.rsplit_once('@').unwrap();
        Record::parse(&scenario.at(domain)[0]).unwrap().own_lookups()
    };
    assert_eq!(lookups("mech-over-limit"), 11);
    assert_eq!(lookups("mech-at-limit"), 10);
}
