//! When two key records are alike, what a change does, and which guards it trips (rule book 3.3).

use mailzone_record::{Name, Rdata};

use super::record::{Key, KeyRecord, encoding};
use super::{Encoding, PublicKey};
use crate::finding::Finding;
use crate::kind::{Class, Detail, Difference, Equality};
use crate::txt;

pub(super) fn equal(a: &[&Rdata], b: &[&Rdata]) -> Equality {
    txt::equal_sets(a, b, |a, b| match (KeyRecord::parse(a), KeyRecord::parse(b)) {
        (Ok(a), Ok(b)) => a.equality(&b),
        _ => Equality::Different,
    })
}

pub(super) fn difference(before: &[&Rdata], after: &[&Rdata]) -> Difference {
    match equal(before, after) {
        Equality::Identical => return Difference::NONE,
        Equality::Same => return Difference { class: Class::Cosmetic, details: Vec::new() },
        Equality::Equivalent | Equality::Different => {}
    }
    match (Side::of(before), Side::of(after)) {
        (Side::One(a), Side::One(b)) => records(&a, &b),
        (Side::Absent, Side::One(b)) => {
            let mut details = vec![Detail::added("key", b.key.to_string())];
            details.extend(other_tags(None, Some(&b)));
            Difference { class: Class::Neutral, details }
        }
        (Side::One(a), Side::Absent) => {
            let class = if a.public_key().is_some() { Class::Breaks } else { Class::Neutral };
            let mut details = vec![Detail::removed("key", a.key.to_string())];
            details.extend(other_tags(Some(&a), None));
            Difference { class, details }
        }
        (old, new) => {
            let class = match (&old, &new) {
                (Side::Absent, _) => Class::Neutral,
                (Side::Unreadable, Side::One(_) | Side::Absent) => Class::Neutral,
                (Side::One(record), Side::Unreadable) if record.public_key().is_some() => Class::Breaks,
                _ => Class::Unknown,
            };
            Difference { class, details: whole(before, after) }
        }
    }
}

pub(super) fn guards(owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Vec<Finding> {
    if equal(before, after) != Equality::Different {
        return Vec::new();
    }
    let subject = txt::subject(owner);
    let (old, new) = (keys(before), keys(after));
    let reference = "RFC 6376 section 3.6.1";
    if let Some(target) = txt::cname(before) {
        // A CNAME gives way to TXT: the planner's guard for that says all that is known.
        return match txt::cname(after) {
            Some(other) => {
                let message = format!("the selector points to {other} instead of {target}, which may hold another key");
                vec![Finding::guard("GUARD-DKIM-REPLACED", subject, message, reference)]
            }
            None if after.is_empty() => {
                let message = format!("the CNAME to {target} goes, and the key behind it");
                vec![Finding::guard("GUARD-DKIM-REMOVED", subject, message, reference)]
            }
            None => Vec::new(),
        };
    }
    let gone: Vec<&PublicKey> = old.iter().filter(|key| !new.iter().any(|other| other.is_same_key(key))).collect();
    let Some(first) = gone.first() else { return Vec::new() };
    let (code, message) = match (txt::cname(after), new.first()) {
        (Some(target), _) => {
            let message = format!("the key {first} gives way to a CNAME to {target}, which may hold another");
            ("GUARD-DKIM-REPLACED", message)
        }
        (None, Some(key)) if gone.len() == old.len() => {
            let message = format!("{first} becomes {key} under the same selector: mail on its way fails");
            ("GUARD-DKIM-REPLACED", message)
        }
        (None, _) => {
            let revoked = matches!(Side::of(after), Side::One(record) if record.key == Key::Revoked);
            let what = if revoked { "is revoked" } else { "goes" };
            ("GUARD-DKIM-REMOVED", format!("the live key {first} {what}: mail signed with it fails"))
        }
    };
    vec![Finding::guard(code, subject, message, reference)]
}

enum Side {
    Absent,
    One(Box<KeyRecord>),
    /// One record that gives no key.
    Unreadable,
    /// A CNAME, or several records (undefined, RFC 6376 section 3.6.2.2).
    Other,
}

impl Side {
    fn of(values: &[&Rdata]) -> Self {
        match txt::distinct(values).as_slice() {
            [] => Self::Absent,
            [rdata @ Rdata::Txt(_)] => match txt::text(rdata).map(|text| KeyRecord::parse(&text)) {
                Some(Ok(record)) => Self::One(Box::new(record)),
                _ => Self::Unreadable,
            },
            _ => Self::Other,
        }
    }
}

/// Every live key among `values`.
fn keys(values: &[&Rdata]) -> Vec<PublicKey> {
    let records = values.iter().filter_map(|rdata| KeyRecord::parse(&txt::text(rdata)?).ok());
    records.filter_map(|record| record.public_key().cloned()).collect()
}

fn records(a: &KeyRecord, b: &KeyRecord) -> Difference {
    let mut details = Vec::new();
    let mut class = Class::Neutral;
    match (&a.key, &b.key) {
        (Key::Public(old), Key::Public(new)) if old.is_same_key(new) => {
            if encoding(old) != encoding(new) {
                details.push(Detail::changed("encoding", encoding_name(old), encoding_name(new)));
            }
        }
        (old, new) => {
            details.push(Detail::changed("key", old.to_string(), new.to_string()));
            class = if a.public_key().is_some() { Class::Breaks } else { Class::Neutral };
        }
    }
    details.extend(other_tags(Some(a), Some(b)));
    if class == Class::Neutral && a.public_key().is_some() {
        class = tags_class(a, b);
        if class == Class::Neutral && details.iter().all(|detail| detail.term == "n") {
            class = Class::Cosmetic;
        }
    }
    Difference { class, details }
}

/// What a change of the tags other than `p` does.
fn tags_class(a: &KeyRecord, b: &KeyRecord) -> Class {
    if (a.allows_usable_hash() && !b.allows_usable_hash()) || (a.allows_mail() && !b.allows_mail()) {
        return Class::Breaks;
    }
    let (gained, lost) = (|x: bool, y: bool| !x && y, |x: bool, y: bool| x && !y);
    let tightens = gained(a.is_strict(), b.is_strict()) || lost(a.is_testing(), b.is_testing());
    let loosens = lost(a.is_strict(), b.is_strict()) || gained(a.is_testing(), b.is_testing());
    match (tightens, loosens) {
        (true, true) => Class::Mixed,
        (true, false) => Class::Tightens,
        (false, true) => Class::Loosens,
        (false, false) => Class::Neutral,
    }
}

/// The tags beside the key that differ, lists compared as sets.
fn other_tags(a: Option<&KeyRecord>, b: Option<&KeyRecord>) -> Vec<Detail> {
    let tags = |record: Option<&KeyRecord>| {
        let mut tags = record.map(KeyRecord::tags).unwrap_or_default();
        tags.retain(|(tag, _)| !matches!(tag.as_str(), "v" | "k" | "p"));
        tags
    };
    let (old, new) = (tags(a), tags(b));
    let mut names: Vec<&String> = Vec::new();
    for (tag, _) in new.iter().chain(&old) {
        if !names.contains(&tag) {
            names.push(tag);
        }
    }
    let find = |tags: &[(String, String)], name: &str| tags.iter().find(|(tag, _)| tag == name).map(|(_, v)| v.clone());
    let set = |tag: &str, value: &Option<String>| {
        let text = value.clone().unwrap_or_else(|| if tag == "s" { "*" } else { "" }.to_owned());
        let mut items: Vec<String> = match tag {
            "h" | "s" | "t" => text.split(':').map(str::to_owned).collect(),
            _ => vec![text],
        };
        items.sort();
        items.dedup();
        // All hashes and no hash print alike otherwise.
        (items, tag == "h" && value.is_none())
    };
    let differing = names.into_iter().filter_map(|tag| {
        let (before, after) = (find(&old, tag), find(&new, tag));
        (set(tag, &before) != set(tag, &after)).then(|| Detail { term: tag.clone(), before, after })
    });
    differing.collect()
}

/// The values as a person reads them, for sets that are not one record each.
fn whole(before: &[&Rdata], after: &[&Rdata]) -> Vec<Detail> {
    let mut details = txt::whole_values(before, after, "key");
    for detail in &mut details {
        for side in [&mut detail.before, &mut detail.after].into_iter().flatten() {
            if detail.term == "key" {
                *side = describe(side);
            }
        }
    }
    details
}

/// A record's text in a few words.
pub(super) fn describe(text: &str) -> String {
    match KeyRecord::parse(text) {
        Ok(record) => {
            let mut out = record.key.to_string();
            if record.is_testing() {
                out.push_str(", testing");
            }
            out
        }
        Err(error) => format!("no usable key: {error}"),
    }
}

fn encoding_name(key: &PublicKey) -> &'static str {
    match encoding(key) {
        Some(Encoding::Pkcs1) => "PKCS#1",
        _ => "SubjectPublicKeyInfo",
    }
}
