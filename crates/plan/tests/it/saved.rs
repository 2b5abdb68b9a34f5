//! Saved plans and their document.

use mailzone_plan::document::ZoneDoc;
use mailzone_plan::{
    Document, SavedDifference, SavedPlanError, compare_saved, config_digest, read_saved, resolve_needs,
};
use mailzone_provider::{ProviderId, Snapshot};
use mailzone_record::{RRset, RecordType};
use proptest::prelude::*;
use serde_json::Value;

use crate::random::case;
use crate::support::{Case, dmarc, name, snapshot, spf, text};

fn zone_doc(case: &Case) -> ZoneDoc {
    let mut plans = [case.plan()];
    resolve_needs(&mut plans, &|_| None);
    ZoneDoc::new(
        &plans[0],
        &ProviderId::new("p"),
        &config_digest(&case.claims),
        std::slice::from_ref(&case.facts.domain),
        60,
    )
}

fn document(case: &Case) -> Document {
    Document::new("0.0.0", "2026-01-02T03:04:05Z".into(), vec![zone_doc(case)], Vec::new(), &[case.plan().counts])
}

/// Somebody else sets one RRset.
fn edited(case: &Case, set: RRset) -> Case {
    let mut sets: Vec<RRset> = case.snapshot.rrsets().to_vec();
    sets.retain(|other| other.key() != set.key());
    sets.push(set);
    Case { snapshot: Snapshot::new(sets, case.snapshot.default_ttl()), ..case.clone() }
}

proptest! {
    #[test]
    fn law_a_saved_plan_fits_until_one_of_its_sets_changes(case in case(), pick in any::<prop::sample::Index>()) {
        let saved = zone_doc(&case);
        prop_assert_eq!(compare_saved(&saved, &zone_doc(&case)), Vec::new());
        // A set that no claim is about.
        let elsewhere = RRset::new(name("elsewhere.example.com"), RecordType::TXT, None, vec![text("new").into()]);
        prop_assert_eq!(compare_saved(&saved, &zone_doc(&edited(&case, elsewhere))), Vec::new());
        // What it leads to is there already.
        if case.plan().error.is_none() {
            prop_assert_eq!(compare_saved(&saved, &zone_doc(&case.applied())), Vec::new());
        }
        let plan = case.plan();
        if plan.changes.is_empty() {
            return Ok(());
        }
        let change = &pick.get(&plan.changes).change;
        let mut set = change.before().or_else(|| change.after()).unwrap().clone();
        // Another value, foreign or not, that is in neither side, where the type has room for one.
        if set.rtype != RecordType::TXT {
            return Ok(());
        }
        set.values.push(text("somebody else's").into());
        let today = zone_doc(&edited(&case, set));
        if today.error.is_none() && today.changes.iter().any(|c| c.name == change.name().to_lowercase().to_string() && c.rtype == "TXT") {
            prop_assert!(!compare_saved(&saved, &today).is_empty());
        }
    }

    #[test]
    fn law_a_document_reads_back(case in case()) {
        let document = document(&case);
        prop_assert!(!document.is_intact());
        let sealed = document.to_sealed_json().unwrap();
        let read = read_saved(&sealed).unwrap();
        prop_assert!(read.is_intact());
        prop_assert_eq!(&Document { digest: None, ..read }, &document);
    }

    #[test]
    fn law_an_edited_byte_is_noticed(case in case(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let sealed = document(&case).to_sealed_json().unwrap();
        let mut bytes = sealed.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let Ok(edited) = String::from_utf8(bytes) else { return Ok(()) };
        if read_saved(&edited).is_ok() {
            // Only what is no part of any field: blanks, and another spelling of the same text.
            let (a, b): (Value, Value) = (serde_json::from_str(&sealed).unwrap(), serde_json::from_str(&edited).unwrap());
            prop_assert_eq!(a, b);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*") {
        prop_assert!(read_saved(&text).is_err());
    }
}

fn small() -> Case {
    Case::new("@ 300 TXT \"token\"\n_dmarc 300 TXT \"v=DMARC1; p=none\"")
        .claims([spf("v=spf1 mx -all"), dmarc("v=DMARC1; p=quarantine")])
}

#[test]
fn each_field_counts() {
    let sealed: Value = serde_json::from_str(&document(&small()).to_sealed_json().unwrap()).unwrap();
    let mut pointers = Vec::new();
    leaves(&sealed, String::new(), &mut pointers);
    assert!(pointers.len() > 40);
    for pointer in pointers {
        let mut edited = sealed.clone();
        let leaf = edited.pointer_mut(&pointer).unwrap();
        *leaf = match &*leaf {
            Value::String(text) => Value::String(format!("{text}x")),
            Value::Number(n) => Value::from(n.as_u64().unwrap() + 1),
            Value::Bool(b) => Value::Bool(!b),
            _ => Value::from("x"),
        };
        assert!(read_saved(&edited.to_string()).is_err(), "{pointer}");
    }
}

fn leaves(value: &Value, at: String, out: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| leaves(value, format!("{at}/{key}"), out)),
        Value::Array(items) => items.iter().enumerate().for_each(|(i, value)| leaves(value, format!("{at}/{i}"), out)),
        _ => out.push(at),
    }
}

#[test]
fn refused_by_name() {
    let mut saved = document(&small());
    let edit = |field: &str, value: Value| {
        let mut json: Value = serde_json::from_str(&saved.to_sealed_json().unwrap()).unwrap();
        json[field] = value;
        read_saved(&json.to_string())
    };
    assert!(matches!(edit("format_version", 2.into()), Err(SavedPlanError::Newer { found: 2 })));
    assert!(matches!(edit("digest", Value::Null), Err(SavedPlanError::Edited)));
    assert!(matches!(edit("digest", "00".into()), Err(SavedPlanError::Edited)));
    assert!(matches!(edit("later", 1.into()), Err(SavedPlanError::Edited)));
    assert!(matches!(edit("zones", 1.into()), Err(SavedPlanError::Malformed(_))));
    assert!(matches!(read_saved("{}"), Err(SavedPlanError::Malformed(_))));
    saved.zones[0].source = "dns".into();
    assert!(matches!(read_saved(&saved.to_sealed_json().unwrap()), Err(SavedPlanError::FromDns)));
}

#[test]
fn fields_of_a_later_version_are_covered_by_the_digest() {
    let mut json: Value = serde_json::from_str(&document(&small()).to_sealed_json().unwrap()).unwrap();
    json["zones"][0]["later"] = "added within the format".into();
    json.as_object_mut().unwrap().remove("digest");
    // Sorted keys, compact: what the writer of that version does.
    json.sort_all_objects();
    let digest = sha256(&json.to_string());
    json["digest"] = digest.into();
    assert_eq!(read_saved(&json.to_string()).unwrap().zones.len(), 1);
}

fn sha256(text: &str) -> String {
    use sha2::{Digest, Sha256};
    data_encoding::HEXLOWER.encode(&Sha256::digest(text))
}

#[test]
fn what_stands_between_two_plans() {
    let saved = zone_doc(&small());
    let with = |lines: &str| zone_doc(&Case { snapshot: snapshot(lines), ..small() });
    let token_gone = with("@ 300 TXT \"other\"\n_dmarc 300 TXT \"v=DMARC1; p=none\"");
    assert_eq!(
        compare_saved(&saved, &token_gone),
        [SavedDifference::RRset {
            id: "example.com. TXT".into(),
            planned_from: vec!["\"token\"".into()],
            now: vec!["\"other\"".into()],
            wanted: vec!["\"token\"".into(), "\"v=spf1 mx -all\"".into()],
        }]
    );
    let other_ttl = with("@ 600 TXT \"token\"\n_dmarc 300 TXT \"v=DMARC1; p=none\"");
    assert_eq!(
        compare_saved(&saved, &other_ttl),
        [SavedDifference::RRset {
            id: "example.com. TXT".into(),
            planned_from: vec!["ttl 300: \"token\"".into()],
            now: vec!["ttl 600: \"token\"".into()],
            wanted: vec!["ttl 300: \"token\"".into(), "\"v=spf1 mx -all\"".into()],
        }]
    );
    let half_done = with("@ 300 TXT \"token\"\n@ 300 TXT \"v=spf1 mx -all\"\n_dmarc 300 TXT \"v=DMARC1; p=none\"");
    assert_eq!(compare_saved(&saved, &half_done), []);
    assert_eq!(compare_saved(&zone_doc(&small().applied()), &saved).len(), 2, "more than was reviewed");
    let other = zone_doc(&Case { claims: vec![spf("v=spf1 a -all"), dmarc("v=DMARC1; p=quarantine")], ..small() });
    assert_eq!(compare_saved(&saved, &other), [SavedDifference::Configuration]);
}
