//! What has to be sent for a change: the fewest operations, and none for a record that stays.

use std::collections::BTreeMap;

use mailzone_provider::RRsetChange;
use mailzone_record::{Name, Rdata, RecordType};
use serde_json::{Map, Value, json};

use crate::decode::{AUTOMATIC, AUTOMATIC_SECONDS, Record};
use crate::encode;

/// Something that a batch does with one record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Operation {
    pub(crate) name: Name,
    pub(crate) step: Step,
    /// Orders what is in one step: an NS has to be there before the DS beside it, and goes after it.
    order: u8,
    body: Value,
}

/// The parts of a batch, in the order in which the service carries them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Delete,
    Patch,
    Post,
}

/// A value that the API has no form for.
#[derive(Debug, PartialEq)]
pub(crate) struct NoForm(pub(crate) Rdata);

/// The operations that lead from the records of a set to what `change` wants.
///
/// A record whose value stays is left alone, unless the TTL of the set changes. A value that comes takes the record of
/// one that goes, which so keeps its identifier, comment, tags and settings; `proxied` is never part of that.
///
/// The service stores a record twice as long as the TTLs differ. Where the set gets one TTL, one of the two goes.
pub(crate) fn operations(change: &RRsetChange, records: &[&Record]) -> Result<Vec<Operation>, NoForm> {
    let wanted: &[_] = change.after().map_or(&[], |set| &set.values);
    let set = SetTtl::new(change, records);
    let mut operations = Vec::new();
    let mut add = |step, body: Map<String, Value>| {
        let order = match (step, change.rtype()) {
            (Step::Delete, RecordType::NS) | (Step::Post, RecordType::DS) => 1,
            _ => 0,
        };
        operations.push(Operation { name: change.name().clone(), step, order, body: Value::Object(body) });
    };

    let mut coming: Vec<&Rdata> = Vec::new();
    for value in wanted {
        let is_there = records.iter().any(|record| record.rdata == value.rdata);
        if !is_there && !coming.contains(&&value.rdata) {
            coming.push(&value.rdata);
        }
    }
    let mut coming = coming.into_iter();
    for (at, record) in records.iter().enumerate() {
        let mut patch = Map::new();
        if !wanted.iter().any(|value| value.rdata == record.rdata) {
            let Some(rdata) = coming.next() else {
                add(Step::Delete, identified(record));
                continue;
            };
            patch = encode::fields(rdata).ok_or_else(|| NoForm(rdata.clone()))?;
            if set.differs(record) {
                patch.insert("ttl".into(), set.raw.into());
            }
        } else if set.changes && records.iter().take(at).any(|first| is_twin(first, record)) {
            add(Step::Delete, identified(record));
            continue;
        } else if set.changes && set.differs(record) {
            patch.insert("ttl".into(), set.raw.into());
        }
        if !patch.is_empty() {
            // Both as they are: the documented form of a patch names them.
            patch.insert("name".into(), encode::owner(change.name()).into());
            patch.insert("type".into(), change.rtype().to_string().into());
            patch.extend(identified(record));
            add(Step::Patch, patch);
        }
    }
    for rdata in coming {
        let mut post = encode::fields(rdata).ok_or_else(|| NoForm(rdata.clone()))?;
        post.insert("name".into(), encode::owner(change.name()).into());
        post.insert("type".into(), change.rtype().to_string().into());
        post.insert("ttl".into(), set.raw.into());
        if matches!(change.rtype(), RecordType::A | RecordType::AAAA | RecordType::CNAME) {
            post.insert("proxied".into(), false.into());
        }
        add(Step::Post, post);
    }
    Ok(operations)
}

/// The operations in as few batches of at most `limit` as possible, none of which parts a name. An error names the
/// name that needs more.
pub(crate) fn pack(operations: Vec<Operation>, limit: usize) -> Result<Vec<Vec<Operation>>, Name> {
    let mut names: Vec<Name> = Vec::new();
    let mut by_name: BTreeMap<Name, Vec<Operation>> = BTreeMap::new();
    for operation in operations {
        let group = by_name.entry(operation.name.clone()).or_default();
        if group.is_empty() {
            names.push(operation.name.clone());
        }
        group.push(operation);
    }
    let mut batches: Vec<Vec<Operation>> = Vec::new();
    for name in names {
        let mut group = by_name.remove(&name).unwrap_or_default();
        if group.len() > limit {
            return Err(name);
        }
        match batches.last_mut() {
            Some(batch) if batch.len() + group.len() <= limit => batch.append(&mut group),
            _ => batches.push(group),
        }
    }
    Ok(batches)
}

/// The body of one batch request.
pub(crate) fn body(operations: &[Operation]) -> Value {
    let mut body = Map::new();
    for (step, field) in [(Step::Delete, "deletes"), (Step::Patch, "patches"), (Step::Post, "posts")] {
        let mut part: Vec<_> = operations.iter().filter(|operation| operation.step == step).collect();
        part.sort_by_key(|operation| operation.order);
        if !part.is_empty() {
            let part: Vec<Value> = part.into_iter().map(|operation| operation.body.clone()).collect();
            body.insert(field.into(), part.into());
        }
    }
    Value::Object(body)
}

/// Whether the service would refuse one beside the other, had they one TTL.
fn is_twin(one: &Record, other: &Record) -> bool {
    one.rdata == other.rdata && one.spelling == other.spelling
}

fn identified(record: &Record) -> Map<String, Value> {
    match json!({"id": record.id}) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The TTL that the records of a set get.
struct SetTtl {
    /// As it is sent.
    raw: u32,
    /// What it is served as, if the change says one.
    wanted: Option<u32>,
    /// Whether it is another one than the set has, so that records that stay get it too.
    changes: bool,
}

impl SetTtl {
    /// A set that is new and has 300 s is "automatic", which is served as 300 s and is the service's own default. One that
    /// keeps its TTL keeps it in the API's spelling too.
    fn new(change: &RRsetChange, records: &[&Record]) -> Self {
        let wanted = change.after().and_then(|set| set.ttl).map(mailzone_record::Ttl::as_secs);
        let lowest = records.iter().min_by_key(|record| record.served_ttl());
        let live = lowest.map(|record| record.served_ttl().as_secs());
        let raw = match (wanted, lowest) {
            (None, Some(record)) => record.ttl,
            (Some(wanted), Some(record)) if live == Some(wanted) => record.ttl,
            (Some(AUTOMATIC_SECONDS) | None, None) => AUTOMATIC,
            (Some(wanted), _) => wanted,
        };
        Self { raw, wanted, changes: wanted.is_some() && live.is_some() && wanted != live }
    }

    fn differs(&self, record: &Record) -> bool {
        self.wanted.is_some_and(|wanted| wanted != record.served_ttl().as_secs())
    }
}

#[cfg(test)]
mod tests {
    use mailzone_record::{RRset, RRsetKey, Ttl, Value as Held, parse_rdata_text};
    use proptest::prelude::*;

    use super::*;

    fn rdata(rtype: &str, text: &str) -> Rdata {
        parse_rdata_text(rtype.parse().unwrap(), text, None).unwrap()
    }

    fn name() -> Name {
        Name::parse("example.org").unwrap()
    }

    fn record(id: &str, ttl: u32, rtype: &str, text: &str) -> Record {
        Record {
            id: id.into(),
            key: RRsetKey { name: name(), rtype: rtype.parse().unwrap() },
            ttl,
            rdata: rdata(rtype, text),
            spelling: text.into(),
            protection: None,
        }
    }

    /// What is sent to lead `records` to `values` with the TTL.
    fn sent(records: &[Record], rtype: &str, ttl: Option<u32>, values: &[&str]) -> String {
        let held: Vec<&Record> = records.iter().collect();
        let before = (!records.is_empty()).then(|| {
            let values = records.iter().map(|record| Held::from(record.rdata.clone())).collect();
            let ttl = records.iter().map(Record::served_ttl).min();
            RRset::new(name(), rtype.parse().unwrap(), ttl, values)
        });
        let ttl = ttl.and_then(Ttl::from_secs).or_else(|| before.as_ref().and_then(|set| set.ttl));
        let values: Vec<Held> = values.iter().map(|text| rdata(rtype, text).into()).collect();
        let after = (!values.is_empty()).then(|| RRset::new(name(), rtype.parse().unwrap(), ttl, values));
        let change = RRsetChange::new(before, after).unwrap();
        body(&operations(&change, &held).unwrap()).to_string()
    }

    #[test]
    fn a_new_set_is_automatic_unless_it_says_more() {
        assert_eq!(
            sent(&[], "TXT", Some(300), &["a"]),
            r#"{"posts":[{"content":"\"a\"","name":"example.org","ttl":1,"type":"TXT"}]}"#
        );
        assert_eq!(
            sent(&[], "A", Some(900), &["192.0.2.1"]),
            r#"{"posts":[{"content":"192.0.2.1","name":"example.org","proxied":false,"ttl":900,"type":"A"}]}"#
        );
    }

    #[test]
    fn one_value_changes_in_place_and_the_others_are_not_sent() {
        let records = [record("1", 1, "TXT", "foreign"), record("2", 1, "TXT", "old")];
        assert_eq!(
            sent(&records, "TXT", None, &["foreign", "new", "more"]),
            r#"{"patches":[{"content":"\"new\"","id":"2","name":"example.org","type":"TXT"}],"posts":[{"content":"\"more\"","name":"example.org","ttl":1,"type":"TXT"}]}"#
        );
        assert_eq!(sent(&records, "TXT", None, &["foreign"]), r#"{"deletes":[{"id":"2"}]}"#);
    }

    #[test]
    fn every_copy_of_a_value_goes() {
        let records = [record("1", 1, "TXT", "\"old\""), record("2", 300, "TXT", "old")];
        assert_eq!(
            sent(&records, "TXT", None, &["new"]),
            r#"{"deletes":[{"id":"2"}],"patches":[{"content":"\"new\"","id":"1","name":"example.org","type":"TXT"}]}"#
        );
    }

    #[test]
    fn a_ttl_changes_for_all_and_is_kept_for_each() {
        let records = [record("1", 1, "TXT", "a"), record("2", 3600, "TXT", "b")];
        assert_eq!(
            sent(&records, "TXT", Some(3600), &["a", "b"]),
            r#"{"patches":[{"id":"1","name":"example.org","ttl":3600,"type":"TXT"}]}"#
        );
        assert_eq!(
            sent(&records, "TXT", None, &["a", "b", "c"]),
            r#"{"posts":[{"content":"\"c\"","name":"example.org","ttl":1,"type":"TXT"}]}"#
        );
        assert_eq!(
            sent(&records[1..], "TXT", Some(300), &["b"]),
            r#"{"patches":[{"id":"2","name":"example.org","ttl":300,"type":"TXT"}]}"#
        );
    }

    #[test]
    fn of_two_records_that_differ_in_their_ttl_alone_one_goes_when_they_get_the_same() {
        let records = [record("1", 300, "TXT", "a"), record("2", 3600, "TXT", "a"), record("3", 300, "TXT", "\"a\"")];
        assert_eq!(
            sent(&records, "TXT", Some(3600), &["a"]),
            r#"{"deletes":[{"id":"2"}],"patches":[{"id":"1","name":"example.org","ttl":3600,"type":"TXT"},{"id":"3","name":"example.org","ttl":3600,"type":"TXT"}]}"#
        );
        assert_eq!(
            sent(&records, "TXT", None, &["a", "b"]),
            r#"{"posts":[{"content":"\"b\"","name":"example.org","ttl":300,"type":"TXT"}]}"#
        );
    }

    #[test]
    fn a_delegation_is_there_before_its_keys() {
        let change = |rtype: &str, text: &str| {
            let set = RRset::new(name(), rtype.parse().unwrap(), None, vec![rdata(rtype, text).into()]);
            RRsetChange::new(None, Some(set)).unwrap()
        };
        let all: Vec<Operation> = [change("DS", "1 8 2 aa"), change("NS", "ns.example.net.")]
            .iter()
            .flat_map(|change| operations(change, &[]).unwrap())
            .collect();
        let sent = body(&all);
        assert_eq!((&sent["posts"][0]["type"], &sent["posts"][1]["type"]), (&json!("NS"), &json!("DS")));
    }

    #[test]
    fn a_name_is_never_parted() {
        let operation = |owner: &str| Operation {
            name: Name::parse(owner).unwrap(),
            step: Step::Delete,
            order: 0,
            body: json!({}),
        };
        let sizes = |owners: &[&str], limit| {
            let packed = pack(owners.iter().map(|owner| operation(owner)).collect(), limit);
            packed.map(|batches| batches.iter().map(Vec::len).collect::<Vec<_>>())
        };
        assert_eq!(sizes(&["a", "b", "a", "c"], 3), Ok(vec![3, 1]));
        assert_eq!(sizes(&["a", "b", "b", "c"], 2), Ok(vec![1, 2, 1]));
        assert_eq!(sizes(&["a", "a", "a"], 2), Err(Name::parse("a").unwrap()));
        assert_eq!(sizes(&[], 2), Ok(vec![]));
    }

    proptest! {
        /// Carried out, the operations give what was asked for and leave alone what stays.
        #[test]
        fn operations_lead_to_what_is_wanted(
            live in proptest::collection::vec((0u8..6, prop_oneof![Just(1u32), Just(300), Just(3600)]), 0..6),
            wanted in proptest::collection::vec(0u8..9, 0..6),
            ttl in proptest::option::of(prop_oneof![Just(300u32), Just(3600)]),
        ) {
            prop_assume!(!live.is_empty() || !wanted.is_empty());
            let records: Vec<Record> = live
                .iter()
                .enumerate()
                .map(|(i, (text, ttl))| record(&i.to_string(), *ttl, "TXT", &text.to_string()))
                .collect();
            let texts: Vec<String> = wanted.iter().map(ToString::to_string).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let sent: Value = serde_json::from_str(&sent(&records, "TXT", ttl, &texts)).unwrap();

            let mut held: BTreeMap<String, String> = records
                .iter()
                .map(|record| (record.id.to_string(), record.rdata.to_string()))
                .collect();
            let part = |name: &str| sent.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
            let mut touched = Vec::new();
            for delete in part("deletes") {
                prop_assert!(held.remove(delete["id"].as_str().unwrap()).is_some());
            }
            for patch in part("patches") {
                prop_assert!(patch.get("proxied").is_none());
                let id = patch["id"].as_str().unwrap().to_owned();
                if let Some(content) = patch.get("content") {
                    touched.push(id.clone());
                    held.insert(id, content.as_str().unwrap().to_owned());
                }
            }
            for (i, post) in part("posts").iter().enumerate() {
                held.insert(format!("new{i}"), post["content"].as_str().unwrap().to_owned());
            }
            let has: std::collections::BTreeSet<String> = held.values().cloned().collect();
            let wants: std::collections::BTreeSet<String> = wanted.iter().map(|text| format!("\"{text}\"")).collect();
            prop_assert_eq!(&has, &wants);
            for (at, record) in records.iter().enumerate() {
                // A second record of a value may go, for the first stays.
                let twin = records.iter().take(at).any(|first| is_twin(first, record));
                if twin && has.contains(&record.rdata.to_string()) {
                    continue;
                }
                let stays = wanted.iter().any(|text| record.rdata.to_string() == format!("\"{text}\""));
                prop_assert_eq!(stays, held.contains_key(&*record.id) && !touched.contains(&record.id.to_string()));
            }
        }
    }
}
