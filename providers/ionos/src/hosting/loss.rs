//! What happened to records that a batch did not touch, and the calls that put them back.

use std::collections::{BTreeMap, HashMap};

use mailzone_provider::SideEffect;
use mailzone_record::RRsetKey;

use super::listing::{Held, Listing, Sent};

/// The records of `expected` that vanished, changed or became disabled, by name and type. `calls` is the address of
/// the zone's API.
pub(crate) fn found(expected: &[&Held], before: &Listing, after: &Listing, calls: &str) -> Vec<SideEffect> {
    let mut now: HashMap<&RRsetKey, Vec<&Held>> = HashMap::new();
    for held in &after.records {
        now.entry(&held.key).or_default().push(held);
    }
    let mut lost: BTreeMap<&RRsetKey, Vec<&Held>> = BTreeMap::new();
    for held in expected {
        if !now.get(&held.key).is_some_and(|now| now.iter().any(|now| held.is_same(now))) {
            lost.entry(&held.key).or_default().push(held);
        }
    }
    if lost.is_empty() {
        return Vec::new();
    }
    let (was, is) = (before.snapshot(), after.snapshot());
    let effects = lost.into_iter().map(|(key, lost)| {
        let (messages, remedies): (Vec<_>, Vec<_>) = lost.iter().map(|held| tell(held, after, calls)).unzip();
        SideEffect {
            before: was.get(&key.name, key.rtype).cloned(),
            after: is.get(&key.name, key.rtype).cloned(),
            message: format!("{key} was not part of the write and changed with it: {}", messages.join("; ")),
            remedy: remedies.join("; then "),
        }
    });
    effects.collect()
}

/// The call that adds records, as text without the key.
pub(crate) fn post(calls: &str, records: &[Sent]) -> String {
    format!("POST {calls}/records {}", serde_json::to_string(records).unwrap_or_default())
}

/// What became of one record, and the call that puts it back.
fn tell(held: &Held, after: &Listing, calls: &str) -> (String, String) {
    let mut alike = after.of(&held.key).filter(|now| now.is_alike(held));
    let was = if held.record.disabled { "the disabled " } else { "" };
    let Some(now) = alike.next() else {
        return (format!("{was}{} is gone", held.rdata), post(calls, &[held.again()]));
    };
    let mut what = Vec::new();
    match (held.record.disabled, now.record.disabled) {
        (false, true) => what.push("is deactivated".to_owned()),
        (true, false) => what.push("is activated".to_owned()),
        _ => {}
    }
    if held.record.ttl != now.record.ttl {
        let seconds = now.record.ttl.map_or_else(|| "none".into(), |ttl| format!("{ttl} s"));
        what.push(format!("has the TTL {seconds}"));
    }
    if what.is_empty() {
        what.push("is spelt in another way".into());
    }
    let Sent { content, ttl, prio, disabled, .. } = held.again();
    let body = serde_json::json!({ "content": content, "ttl": ttl, "prio": prio, "disabled": disabled });
    let remedy = format!("PUT {calls}/records/{} {body}", now.record.id);
    (format!("{was}{} {}", held.rdata, what.join(" and ")), remedy)
}
