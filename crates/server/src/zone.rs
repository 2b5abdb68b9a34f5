use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use mailzone_record::{Name, RRset, RRsetKey, Rdata, RecordType, Ttl};
use mailzone_wire::Record;

/// A zone as it is served. It never changes: a new version replaces it.
#[derive(Debug, Clone)]
pub struct Zone {
    apex: Name,
    /// In canonical order, so that what is below a name follows it at once.
    nodes: BTreeMap<Name, Vec<Set>>,
    negative: Record,
    unservable: Vec<RRsetKey>,
}

/// Why RRsets are no zone that can be served. Each is a fault of the zone's contents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ZoneError {
    /// No SOA record at the apex (RFC 1035 section 5.2). None is made up.
    #[error("{apex} has no SOA record")]
    NoSoa {
        /// The zone's name.
        apex: Name,
    },
    /// More than one SOA record (RFC 2181 section 6.1).
    #[error("{apex} has more than one SOA record")]
    ManySoas {
        /// The zone's name.
        apex: Name,
    },
    /// A record that is not at or below the apex.
    #[error("{name} is outside the zone {apex}")]
    OutOfZone {
        /// The record's owner name.
        name: Name,
        /// The zone's name.
        apex: Name,
    },
    /// A CNAME beside other data, or two of them (RFC 1034 section 3.6.2, RFC 2181 section 10.1).
    #[error("{name} has a CNAME record and other data")]
    CnameAndOther {
        /// The owner name.
        name: Name,
    },
}

/// The records of one type at a name.
#[derive(Debug, Clone)]
pub(crate) struct Set {
    pub(crate) rtype: RecordType,
    pub(crate) ttl: Ttl,
    pub(crate) data: Vec<Rdata>,
    /// All of the data has a wire form.
    pub(crate) servable: bool,
}

/// What a zone holds for a name.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// The name exists, as itself or from a wildcard; without sets it is an empty non-terminal.
    Node(&'a [Set]),
    /// The name is at or below a delegation.
    Cut { owner: &'a Name, sets: &'a [Set] },
    /// The name is below a DNAME (RFC 6672).
    Dname { owner: &'a Name, set: &'a Set },
    /// The name does not exist.
    Nothing,
}

/// All zones that a server has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Zones {
    by_apex: HashMap<Name, Arc<Zone>>,
}

impl Zone {
    /// A zone of these RRsets, `default_ttl` for those without a TTL. Sets of the same name and
    /// type are joined with the lowest TTL, equal data counts once (RFC 2181 section 5).
    pub fn new(apex: Name, rrsets: Vec<RRset>, default_ttl: Ttl) -> Result<Self, ZoneError> {
        let mut nodes: BTreeMap<Name, Vec<Set>> = BTreeMap::new();
        for rrset in rrsets {
            if !rrset.name.is_at_or_below(&apex) {
                return Err(ZoneError::OutOfZone { name: rrset.name, apex });
            }
            let ttl = rrset.ttl.unwrap_or(default_ttl);
            if rrset.values.is_empty() {
                continue;
            }
            let sets = nodes.entry(rrset.name).or_default();
            for value in rrset.values {
                add(sets, ttl, value.rdata);
            }
        }
        let unservable = check(&nodes)?;
        let negative = negative(&apex, nodes.get(&apex).map_or(&[], Vec::as_slice))?;
        Ok(Self { apex, nodes, negative, unservable })
    }

    /// The zone's name.
    pub fn apex(&self) -> &Name {
        &self.apex
    }

    /// The RRsets whose data is known only as text of a type that has no wire form here: a
    /// question for one is answered SERVFAIL, since any other answer would be untrue.
    pub fn unservable(&self) -> &[RRsetKey] {
        &self.unservable
    }

    /// The SOA record of a negative answer, its TTL as RFC 2308 section 5 has it.
    pub(crate) fn negative(&self) -> &Record {
        &self.negative
    }

    /// The sets at exactly this name, without delegations or wildcards.
    pub(crate) fn sets(&self, name: &Name) -> &[Set] {
        self.nodes.get(name).map_or(&[], Vec::as_slice)
    }

    /// What there is for a name at or below the apex, for a question of type `rtype`.
    pub(crate) fn find(&self, name: &Name, rtype: RecordType) -> Found<'_> {
        // From the name up to the apex.
        let path: Vec<Name> = std::iter::successors(Some(name.clone()), Name::parent)
            .take_while(|ancestor| ancestor.is_at_or_below(&self.apex))
            .collect();
        for ancestor in path.iter().rev() {
            let Some((owner, sets)) = self.nodes.get_key_value(ancestor) else { continue };
            let is_cut = *owner != self.apex && has(sets, RecordType::NS);
            // A DS belongs to the parent's side of the cut (RFC 4035 section 3.1.4.1).
            if is_cut && !(ancestor == name && rtype == RecordType::DS) {
                return Found::Cut { owner, sets };
            }
            if ancestor != name
                && let Some(set) = sets.iter().find(|set| set.rtype == RecordType::DNAME)
            {
                return Found::Dname { owner, set };
            }
        }
        if self.exists(name) {
            return Found::Node(self.sets(name));
        }
        // RFC 4592 section 3.3.1: only the closest encloser's wildcard counts.
        let encloser = path.iter().find(|ancestor| self.exists(ancestor)).unwrap_or(&self.apex);
        match encloser.prepend("*") {
            Ok(wildcard) if self.exists(&wildcard) => Found::Node(self.sets(&wildcard)),
            _ => Found::Nothing,
        }
    }

    /// Whether the name has records, or a name below it has.
    fn exists(&self, name: &Name) -> bool {
        self.nodes.range(name..).next().is_some_and(|(next, _)| next.is_at_or_below(name))
    }
}

impl Zones {
    pub(crate) fn insert(&mut self, zone: Zone) {
        self.by_apex.insert(zone.apex.clone(), Arc::new(zone));
    }

    pub(crate) fn remove(&mut self, apex: &Name) -> bool {
        self.by_apex.remove(apex).is_some()
    }

    /// The zone to answer a question from: the one with the longest name at or above `name`; for
    /// a DS at an apex the zone above, if that is here too.
    pub(crate) fn closest(&self, name: &Name, rtype: RecordType) -> Option<&Zone> {
        let find = |start: Option<Name>| {
            std::iter::successors(start, Name::parent).find_map(|ancestor| self.by_apex.get(&ancestor))
        };
        let zone = find(Some(name.clone()))?;
        if rtype == RecordType::DS && zone.apex == *name {
            return Some(find(name.parent()).unwrap_or(zone));
        }
        Some(zone)
    }
}

fn add(sets: &mut Vec<Set>, ttl: Ttl, rdata: Rdata) {
    let rtype = rdata.rtype();
    let servable = rdata.to_wire().is_some();
    match sets.iter_mut().find(|set| set.rtype == rtype) {
        Some(set) => {
            set.ttl = set.ttl.min(ttl);
            set.servable &= servable;
            if !set.data.contains(&rdata) {
                set.data.push(rdata);
            }
        }
        None => sets.push(Set { rtype, ttl, data: vec![rdata], servable }),
    }
}

/// Checks each name's sets; returns what cannot be served.
fn check(nodes: &BTreeMap<Name, Vec<Set>>) -> Result<Vec<RRsetKey>, ZoneError> {
    let mut unservable = Vec::new();
    for (name, sets) in nodes {
        let cname = sets.iter().find(|set| set.rtype == RecordType::CNAME);
        let beside = sets.iter().any(|set| set.rtype != RecordType::CNAME && !set.rtype.is_dnssec());
        if cname.is_some_and(|set| beside || set.data.len() > 1) {
            return Err(ZoneError::CnameAndOther { name: name.clone() });
        }
        let bad = sets.iter().filter(|set| !set.servable);
        unservable.extend(bad.map(|set| RRsetKey { name: name.clone(), rtype: set.rtype }));
    }
    Ok(unservable)
}

fn negative(apex: &Name, sets: &[Set]) -> Result<Record, ZoneError> {
    let set = sets.iter().find(|set| set.rtype == RecordType::SOA);
    match set.map(|set| (set.data.as_slice(), set.ttl)) {
        Some(([Rdata::Soa(soa)], ttl)) => {
            Ok(Record { name: apex.clone(), ttl: ttl.min(Ttl::from_wire(soa.minimum)), rdata: Rdata::Soa(soa.clone()) })
        }
        Some(([_, _, ..], _)) => Err(ZoneError::ManySoas { apex: apex.clone() }),
        _ => Err(ZoneError::NoSoa { apex: apex.clone() }),
    }
}

fn has(sets: &[Set], rtype: RecordType) -> bool {
    sets.iter().any(|set| set.rtype == rtype)
}
