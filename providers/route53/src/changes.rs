//! Changes in the service's form: what is deleted and created in which request.

use std::collections::HashMap;

use aws_sdk_route53::error::BuildError;
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType};
use mailzone_provider::RRsetChange;
use mailzone_record::zonefile::FALLBACK_TTL;
use mailzone_record::{Name, RRset, Rdata, RecordType, Value};

use crate::text;

/// The most `ResourceRecord` elements in one request.
pub(crate) const MAX_ELEMENTS: usize = 1_000;
/// The most characters in the values of one request.
pub(crate) const MAX_CHARACTERS: usize = 32_000;

/// One change as the deletion of exactly the old set and the creation of the new one. Two of them say whether
/// sending again could end in another way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Swap {
    /// Its place in the batch.
    pub(crate) at: usize,
    name: Name,
    rtype: RecordType,
    old: Option<Side>,
    new: Option<Side>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Side {
    ttl: u32,
    values: Vec<String>,
}

impl Swap {
    /// The change number `at`; `live` is the set as read last, if it was read. `None` where a value has no text.
    pub(crate) fn new(at: usize, change: &RRsetChange, live: Option<&RRset>) -> Option<Self> {
        let (rtype, before) = (change.rtype(), change.before());
        let old = before.and(live).or(before);
        let old_ttl = old.and_then(|old| old.ttl);
        let ttl = |set: &RRset| set.ttl.or(old_ttl).unwrap_or(FALLBACK_TTL).as_secs();
        let old_side = match old {
            Some(set) => {
                let values: Option<Vec<_>> = set.values.iter().map(|value| text::value_text(rtype, value)).collect();
                Some(Side { ttl: ttl(set), values: values? })
            }
            None => None,
        };
        let new_side = match change.after() {
            Some(set) => {
                let mut values = Vec::with_capacity(set.values.len());
                for value in distinct(set) {
                    values.push(text::value_text(rtype, known(old, value))?);
                }
                Some(Side { ttl: ttl(set), values })
            }
            None => None,
        };
        Some(Self { at, name: change.name().clone(), rtype, old: old_side, new: new_side })
    }

    /// `ResourceRecord` elements and characters of values.
    fn size(&self) -> (usize, usize) {
        let values = self.old.iter().chain(&self.new).flat_map(|side| &side.values);
        values.fold((0, 0), |(elements, characters), value| (elements + 1, characters + value.chars().count()))
    }

    fn change(&self, action: ChangeAction, side: &Side) -> Result<Change, BuildError> {
        let records: Result<Vec<_>, _> =
            side.values.iter().map(|value| ResourceRecord::builder().value(value).build()).collect();
        let set = ResourceRecordSet::builder()
            .name(text::name_text(&self.name))
            .r#type(RrType::from(self.rtype.to_string().as_str()))
            .ttl(i64::from(side.ttl))
            .set_resource_records(Some(records?))
            .build()?;
        Change::builder().action(action).resource_record_set(set).build()
    }
}

/// The values of a set, each data once.
pub(crate) fn distinct(set: &RRset) -> Vec<&Value> {
    let mut values: Vec<&Value> = Vec::with_capacity(set.values.len());
    for value in &set.values {
        if !values.iter().any(|known| known.rdata == value.rdata) {
            values.push(value);
        }
    }
    values
}

/// A value that stays goes out in the spelling it is stored in.
fn known<'a>(old: Option<&'a RRset>, value: &'a Value) -> &'a Value {
    let same = |rdata: &Rdata| *rdata == value.rdata;
    old.and_then(|old| old.values.iter().find(|known| same(&known.rdata))).unwrap_or(value)
}

/// The swaps in as few requests as the limits allow: what stands at one name goes into one. `Err` names an owner whose
/// changes do not fit into a request.
pub(crate) fn requests(swaps: Vec<Swap>) -> Result<Vec<Vec<Swap>>, Name> {
    let mut names: Vec<(Name, Vec<Swap>)> = Vec::new();
    let mut index: HashMap<Name, usize> = HashMap::new();
    for swap in swaps {
        match index.get(&swap.name).and_then(|&at| names.get_mut(at)) {
            Some((_, of_name)) => of_name.push(swap),
            None => {
                index.insert(swap.name.clone(), names.len());
                names.push((swap.name.clone(), vec![swap]));
            }
        }
    }
    let mut requests: Vec<Vec<Swap>> = Vec::new();
    let mut filled = (0, 0);
    for (name, of_name) in names {
        let size = of_name.iter().map(Swap::size).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        if size.0 > MAX_ELEMENTS || size.1 > MAX_CHARACTERS {
            return Err(name);
        }
        let fits = filled.0 + size.0 <= MAX_ELEMENTS && filled.1 + size.1 <= MAX_CHARACTERS;
        match requests.last_mut() {
            Some(request) if fits => {
                request.extend(of_name);
                filled = (filled.0 + size.0, filled.1 + size.1);
            }
            _ => {
                requests.push(of_name);
                filled = size;
            }
        }
    }
    Ok(requests)
}

/// One request: first all that goes, then all that comes, so that a CNAME and others change places.
pub(crate) fn batch(swaps: &[Swap]) -> Result<ChangeBatch, BuildError> {
    let mut changes = Vec::with_capacity(swaps.len() * 2);
    for swap in swaps {
        if let Some(old) = &swap.old {
            changes.push(swap.change(ChangeAction::Delete, old)?);
        }
    }
    for swap in swaps {
        if let Some(new) = &swap.new {
            changes.push(swap.change(ChangeAction::Create, new)?);
        }
    }
    ChangeBatch::builder().set_changes(Some(changes)).build()
}

#[cfg(test)]
mod tests {
    use mailzone_record::{Origin, Ttl, parse_rdata_text};
    use proptest::prelude::*;

    use super::*;

    fn set(owner: &str, ttl: u32, values: &[&str]) -> RRset {
        let rtype = RecordType::TXT;
        let values = values
            .iter()
            .map(|text| Value {
                rdata: parse_rdata_text(rtype, text, None).unwrap(),
                origin: Some(Box::new(Origin { handle: None, spelling: Some((*text).into()) })),
            })
            .collect();
        RRset::new(Name::parse(owner).unwrap(), rtype, Ttl::from_secs(ttl), values)
    }

    fn swap(at: usize, before: Option<RRset>, after: Option<RRset>) -> Swap {
        Swap::new(at, &RRsetChange::new(before, after).unwrap(), None).unwrap()
    }

    #[test]
    fn the_old_set_goes_exactly_and_the_new_one_keeps_spellings() {
        let before = set("a.example", 60, &[r#""x\;y""#, r#""v=spf1 -all""#]);
        let mut after = set("a.example", 60, &[r#""x;y""#, r#""v=spf1 ~all""#]);
        after.ttl = None;
        let swap = swap(0, Some(before), Some(after));
        let side = |values: [&str; 2]| Some(Side { ttl: 60, values: values.map(str::to_owned).to_vec() });
        assert_eq!(swap.old, side([r#""x\;y""#, r#""v=spf1 -all""#]));
        assert_eq!(swap.new, side([r#""x\;y""#, r#""v=spf1 ~all""#]));
    }

    #[test]
    fn deletions_go_first() {
        let new = swap(0, None, Some(set("a.example", 60, &["x"])));
        let old = swap(1, Some(set("b.example", 60, &["x"])), None);
        let batch = batch(&[new, old]).unwrap();
        let order: Vec<_> = batch.changes().iter().map(|c| c.action().as_str()).collect();
        assert_eq!(order, ["DELETE", "CREATE"]);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let values: Vec<String> = (0..17).map(|i| format!("\"{i:0>250}\" ").repeat(8).trim().to_owned()).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let swaps = vec![swap(0, None, Some(set("big.example", 60, &values)))];
        assert_eq!(requests(swaps).unwrap_err(), Name::parse("big.example").unwrap());
    }

    proptest! {
        /// Nothing is lost, no limit is passed, no name is split.
        #[test]
        fn requests_are_within_the_limits(sizes in prop::collection::vec((0usize..40, 1usize..60), 1..80)) {
            let mut swaps = Vec::new();
            for (at, (owner, count)) in sizes.iter().enumerate() {
                let values: Vec<String> = (0..*count).map(|i| format!("\"{at} {i:0>60}\"")).collect();
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                swaps.push(swap(at, None, Some(set(&format!("n{owner}.example"), 60, &values))));
            }
            let Ok(requests) = requests(swaps) else { return Ok(()) };
            let mut seen: Vec<usize> = Vec::new();
            let mut names: Vec<&Name> = Vec::new();
            for request in &requests {
                let size = request.iter().map(Swap::size).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
                prop_assert!(size.0 <= MAX_ELEMENTS && size.1 <= MAX_CHARACTERS);
                seen.extend(request.iter().map(|swap| swap.at));
                let mut here: Vec<&Name> = request.iter().map(|swap| &swap.name).collect();
                here.sort();
                here.dedup();
                names.extend(here);
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..sizes.len()).collect::<Vec<_>>());
            let count = names.len();
            names.sort();
            names.dedup();
            prop_assert_eq!(count, names.len());
        }
    }
}
