//! Random zones, random changes: what is not concerned stays, byte for byte.

use std::collections::BTreeMap;

use mailzone_provider::{Batch, Outcome, Provider, RRsetChange};
use mailzone_record::zonefile::ZoneFile;
use mailzone_record::{RRset, RRsetKey, RecordType, Ttl};
use proptest::prelude::*;

use super::{Files, rrset, zone};

const OWNERS: [&str; 5] = ["@", "www", "Mixed.Case", "*.wild", "_dmarc"];
const DATA: [(&str, &[&str]); 4] = [
    ("TXT", &["\"one\"", "two", "\"a;b\" \"\\\"c\\\\ \\228\"", "( \"x\" ; why\n\t\"y\" )"]),
    ("A", &["192.0.2.1", "192.0.2.2", "192.0.2.3"]),
    ("MX", &["10 mail", "20 Mail.Example.NET.", "0 ."]),
    ("TYPE65280", &["\\# 2 0102", "\\# 0"]),
];

/// Lines of a zone file: comments, directives and records in every look.
fn line() -> impl Strategy<Value = String> {
    let owner = prop_oneof![
        3 => (0..OWNERS.len()).prop_map(|i| OWNERS[i].to_owned()),
        2 => Just(String::new()),
        1 => (0..OWNERS.len()).prop_map(|i| match OWNERS[i] {
            "@" => "example.com.".to_owned(),
            owner => format!("{owner}.EXAMPLE.com."),
        }),
    ];
    let header = prop_oneof![Just(" "), Just("\tIN\t"), Just(" 300 IN "), Just(" IN 1h "), Just("   7200   ")];
    let record = (owner, header, 0..DATA.len(), any::<prop::sample::Index>(), prop_oneof![Just(""), Just(" ; note")])
        .prop_map(|(owner, header, kind, index, comment)| {
            let (rtype, data) = DATA[kind];
            format!("{owner}{header}{rtype} {}{comment}", index.get(data))
        });
    prop_oneof![
        8 => record,
        1 => Just("; a comment".to_owned()),
        1 => Just(String::new()),
        1 => Just("$TTL 900".to_owned()),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(line(), 0..25).prop_map(|lines| {
        let head = "$TTL 3600\n@ IN SOA ns1 host (\n\t2026030300 ; serial\n\t7200 3600 1209600 300 )\n";
        format!("{head}{}\n", lines.join("\n"))
    })
}

/// What becomes of a set: gone, or these values of its kind, with or without another TTL.
fn wish() -> impl Strategy<Value = (usize, usize, Vec<usize>, Option<u32>)> {
    let values = prop::collection::vec(0..4usize, 0..3);
    (0..OWNERS.len(), 0..3usize, values, prop::option::of(prop_oneof![Just(60), Just(3600)]))
}

/// The octets of each record's lines, without those of the sets in `touched` and of the SOA, and
/// everything that stands between the records.
fn foreign(file: &ZoneFile, touched: &dyn Fn(&RRsetKey) -> bool) -> Vec<(RRsetKey, u32, Vec<u8>)> {
    let records = file.records().iter().map(|record| {
        let key = RRsetKey { name: record.owner.clone(), rtype: record.rdata.rtype() };
        (key, record.ttl.as_secs(), file.text()[record.span()].to_vec())
    });
    records.filter(|(key, ..)| key.rtype != RecordType::SOA && !touched(key)).collect()
}

fn between(file: &ZoneFile) -> Vec<u8> {
    let (mut between, mut at) = (Vec::new(), 0);
    for record in file.records() {
        between.extend_from_slice(&file.text()[at..record.span().start]);
        at = record.span().end;
    }
    between.extend_from_slice(&file.text()[at..]);
    between
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #[test]
    fn what_is_not_concerned_stays(text in text(), wishes in prop::collection::vec(wish(), 1..5)) {
        let files = Files::new();
        files.write("example.com.zone", &text);
        let zone = zone("example.com.zone");
        let runtime = runtime();
        let before = runtime.block_on(files.provider.snapshot(&zone)).unwrap();
        let mut wanted: BTreeMap<RRsetKey, RRset> = before.rrsets().iter().map(|set| (set.key(), set.clone())).collect();

        let mut changes: Vec<RRsetChange> = Vec::new();
        for (owner, kind, values, ttl) in wishes {
            let (rtype, data) = DATA[kind];
            let rtype: RecordType = rtype.parse().unwrap();
            let name = match OWNERS[owner] { "@" => "example.com.".to_owned(), owner => format!("{owner}.example.com.") };
            let texts: Vec<_> = values.iter().filter_map(|&i| data.get(i).copied()).filter(|t| !t.contains('(')).collect();
            let old = before.get(&rrset(&name, rtype, 0, &[]).name, rtype).cloned();
            let old_ttl = old.as_ref().and_then(|set| set.ttl).map(Ttl::as_secs);
            let ttl = ttl.or(old_ttl).unwrap_or(3600);
            let new = (!texts.is_empty()).then(|| rrset(&name, rtype, ttl, &texts));
            let Some(change) = RRsetChange::new(old, new) else { continue };
            if changes.iter().any(|other| other.name() == change.name() && other.rtype() == change.rtype()) {
                continue;
            }
            let key = RRsetKey { name: change.name().clone(), rtype };
            match change.after() {
                Some(after) => drop(wanted.insert(key, after.clone())),
                None => drop(wanted.remove(&key)),
            }
            changes.push(change);
        }

        let receipt = runtime.block_on(files.provider.apply(&zone, &Batch { changes: changes.clone() })).unwrap();
        prop_assert!(receipt.results.iter().all(|r| matches!(r.outcome, Outcome::Applied | Outcome::Already)));
        let new_text = files.read("example.com.zone");
        if receipt.results.iter().all(|result| result.outcome == Outcome::Already) {
            prop_assert_eq!(&new_text, &text);
        }

        let after = runtime.block_on(files.provider.snapshot(&zone)).unwrap();
        prop_assert_eq!(after.rrsets().len(), wanted.len(), "{}", new_text);
        for set in after.rrsets().iter().filter(|set| set.rtype != RecordType::SOA) {
            let expected = &wanted[&set.key()];
            prop_assert!(set.same_records(expected), "{:?} instead of {:?}\n{}", set, expected, new_text);
        }

        let touched = |key: &RRsetKey| changes.iter().any(|c| *c.name() == key.name && c.rtype() == key.rtype);
        let (old, new) = (ZoneFile::parse(text.as_bytes(), &zone.name).unwrap(), ZoneFile::parse(new_text.as_bytes(), &zone.name).unwrap());
        let (old_lines, new_lines) = (foreign(&old, &touched), foreign(&new, &touched));
        prop_assert_eq!(old_lines.len(), new_lines.len());
        for (old, new) in old_lines.iter().zip(&new_lines) {
            prop_assert_eq!(&old.0, &new.0);
            prop_assert_eq!(old.1, new.1);
            // A line that inherited owner or TTL from one that went may have them written in: in front.
            prop_assert!(new.2 == old.2 || ends_alike(&old.2, &new.2), "{:?} became {:?}", old, new);
        }
        prop_assert_eq!(between(&old), between(&new), "{}\n---\n{}", text, new_text);

        let again = runtime.block_on(files.provider.apply(&zone, &Batch { changes })).unwrap();
        prop_assert!(again.results.iter().all(|result| result.outcome == Outcome::Already));
        prop_assert_eq!(files.read("example.com.zone"), new_text);
    }
}

/// Whether an inheriting line (it begins with a blank or has no TTL) is the same from its type on.
fn ends_alike(old: &[u8], new: &[u8]) -> bool {
    let data = |line: &[u8]| -> Option<Vec<u8>> {
        let types = DATA.iter().filter_map(|(rtype, _)| {
            line.windows(rtype.len() + 2).position(|w| w.trim_ascii() == rtype.as_bytes() && w.len() == rtype.len() + 2)
        });
        types.min().map(|at| line[at..].to_vec())
    };
    data(old).is_some() && data(old) == data(new)
}
