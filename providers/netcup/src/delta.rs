//! From RRsets to single records: which of the records that a zone holds go, and which come.

use mailzone_provider::RRsetChange;
use mailzone_record::{Name, Origin, Protection, RRset, Rdata, RecordType, Ttl, Value};

/// One record of a zone: what it means, and what the service sent.
#[derive(Debug, Clone)]
pub(crate) struct Listed<T> {
    pub(crate) name: Name,
    pub(crate) rdata: Rdata,
    pub(crate) ttl: Option<Ttl>,
    /// Why nothing may change it, if so.
    pub(crate) protection: Option<Box<str>>,
    pub(crate) raw: T,
}

/// What the service calls a record and how it spells its data.
pub(crate) trait Raw {
    fn handle(&self) -> &str;
    fn spelling(&self) -> &str;
}

/// What has to happen to the records of one RRset.
#[derive(Debug)]
pub(crate) struct Delta<'a, T> {
    pub(crate) remove: Vec<&'a Listed<T>>,
    pub(crate) add: Vec<Added<'a, T>>,
}

/// One record to come.
#[derive(Debug)]
pub(crate) struct Added<'a, T> {
    pub(crate) name: &'a Name,
    pub(crate) rdata: &'a Rdata,
    pub(crate) ttl: Option<Ttl>,
    /// A record of the set, as the zone holds it: its owner's spelling is taken over.
    pub(crate) sibling: Option<&'a Listed<T>>,
    /// The record with the same data that goes (its TTL is another one): its spelling is taken over.
    pub(crate) same: Option<&'a Listed<T>>,
}

impl<T> Listed<T> {
    fn rtype(&self) -> RecordType {
        self.rdata.rtype()
    }
}

/// The records as RRsets, in the order received. The TTL of a set is the shortest of its records.
pub(crate) fn rrsets<T: Raw>(records: &[Listed<T>]) -> Vec<RRset> {
    let mut at = std::collections::HashMap::new();
    let mut sets: Vec<RRset> = Vec::new();
    for record in records {
        let origin = Origin { handle: Some(record.raw.handle().into()), spelling: Some(record.raw.spelling().into()) };
        let value = Value { rdata: record.rdata.clone(), origin: Some(Box::new(origin)) };
        let place = *at.entry((record.name.clone(), record.rtype())).or_insert_with(|| {
            sets.push(RRset::new(record.name.clone(), record.rtype(), record.ttl, Vec::new()));
            sets.len() - 1
        });
        let Some(set) = sets.get_mut(place) else { continue };
        set.values.push(value);
        set.ttl = set.ttl.min(record.ttl);
        if let (None, Some(reason)) = (&set.protection, &record.protection) {
            set.protection = Some(Protection { reason: reason.clone() });
        }
    }
    sets
}

/// The difference between `live` and what `change` wants. Records with wanted data stay as they are, unless the change
/// is one of the TTL.
pub(crate) fn delta<'a, T>(change: &'a RRsetChange, live: &'a [Listed<T>]) -> Delta<'a, T> {
    let old_ttl = change.before().and_then(|set| set.ttl);
    let new_ttl = change.after().and_then(|set| set.ttl);
    let retimed = new_ttl.is_some() && new_ttl != old_ttl;
    let wanted = change.after().map_or(&[][..], |set| &set.values);

    let of_set = |record: &&Listed<T>| record.name == *change.name() && record.rtype() == change.rtype();
    let (mut keep, mut remove) = (Vec::new(), Vec::new());
    for record in live.iter().filter(of_set) {
        // Without TTLs of records there is none to change.
        let in_time = !retimed || record.ttl.is_none() || record.ttl == new_ttl;
        let stays = in_time && wanted.iter().any(|value| value.rdata == record.rdata);
        if stays { &mut keep } else { &mut remove }.push(record);
    }
    let sibling = live.iter().find(of_set);
    let mut add: Vec<Added<'a, T>> = Vec::new();
    for Value { rdata, .. } in wanted {
        let there = keep.iter().any(|record| record.rdata == *rdata) || add.iter().any(|added| added.rdata == rdata);
        if !there {
            let same = remove.iter().copied().find(|record| record.rdata == *rdata);
            let ttl = new_ttl.or_else(|| sibling.and_then(|record| record.ttl));
            add.push(Added { name: change.name(), rdata, ttl, sibling, same });
        }
    }
    Delta { remove, add }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Number(String);

    impl Raw for Number {
        fn handle(&self) -> &str {
            &self.0
        }

        fn spelling(&self) -> &str {
            &self.0
        }
    }

    fn address(last: u8) -> Rdata {
        Rdata::A([192, 0, 2, last].into())
    }

    fn owner(at: u8) -> Name {
        Name::parse(&format!("n{at}.example.com")).unwrap()
    }

    fn ttl(seconds: u8) -> Option<Ttl> {
        Ttl::from_secs(seconds.into()).filter(|_| seconds > 0)
    }

    proptest! {
        /// What the difference leaves and adds is what is wanted, once each; other sets take no part.
        #[test]
        fn the_difference_leads_to_the_wanted_set(
            live in proptest::collection::vec((0u8..3, 0u8..6, 0u8..3), 0..12),
            wanted in proptest::collection::btree_set(0u8..6, 0..6),
            retime in 0u8..3,
        ) {
            let live: Vec<Listed<Number>> = live
                .iter()
                .enumerate()
                .map(|(at, &(name, value, time))| Listed {
                    name: owner(name),
                    rdata: address(value),
                    ttl: ttl(time),
                    protection: None,
                    raw: Number(at.to_string()),
                })
                .collect();
            let before = rrsets(&live).into_iter().find(|set| set.name == owner(0));
            let time = ttl(retime).or_else(|| before.as_ref().and_then(|set| set.ttl));
            let values = wanted.iter().map(|value| address(*value).into()).collect();
            let after = (!wanted.is_empty()).then(|| RRset::new(owner(0), RecordType::A, time, values));
            let Some(change) = RRsetChange::new(before, after) else { return Ok(()) };
            let delta = delta(&change, &live);
            prop_assert!(delta.remove.iter().all(|record| record.name == owner(0)));
            let stays = |record: &&Listed<Number>| {
                record.name == owner(0) && !delta.remove.iter().any(|gone| std::ptr::eq(*gone, *record))
            };
            let mut left: Vec<&Rdata> = live.iter().filter(stays).map(|record| &record.rdata).collect();
            left.dedup();
            let mut now: Vec<&Rdata> = left.into_iter().chain(delta.add.iter().map(|added| added.rdata)).collect();
            now.sort();
            // The same data may be there twice; nothing is added to it.
            now.dedup();
            let expected: Vec<Rdata> = wanted.iter().map(|value| address(*value)).collect();
            prop_assert_eq!(now, expected.iter().collect::<Vec<_>>());
            for added in &delta.add {
                prop_assert!(!live.iter().filter(stays).any(|record| record.rdata == *added.rdata));
            }
        }
    }
}
