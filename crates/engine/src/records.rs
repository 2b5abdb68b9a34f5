//! What a zone holds, and what it will hold after its plan, as an authoritative server would answer from it.

use std::collections::HashMap;

use mailzone_mailauth::lookup::{Answer, Lookup};
use mailzone_plan::PlannedChange;
use mailzone_provider::Snapshot;
use mailzone_record::{Name, RRset, RecordType, Ttl};

/// What a zone held when it was read.
#[derive(Debug)]
pub(crate) struct Records {
    /// Its sets.
    pub(crate) snapshot: Snapshot,
    /// Whether only the names of the configuration were read.
    pub(crate) partial: bool,
}

/// A zone as it is, or with changes as it will be. [`Answer::Unknown`] where that does not decide: outside of the zone, at and
/// below a delegation or a DNAME, for sets under [protection](mailzone_record::Protection), and for names that were not read.
#[derive(Debug)]
pub(crate) struct View<'a> {
    apex: &'a Name,
    records: &'a Records,
    /// By name: the type, and what will stand there.
    changes: HashMap<&'a Name, Vec<(RecordType, Option<&'a RRset>)>>,
}

impl<'a> View<'a> {
    /// The zone as it is.
    pub(crate) fn before(apex: &'a Name, records: &'a Records) -> Self {
        Self { apex, records, changes: HashMap::new() }
    }

    /// The zone as it will be.
    pub(crate) fn after(apex: &'a Name, records: &'a Records, changes: &'a [PlannedChange]) -> Self {
        let mut view = Self::before(apex, records);
        for planned in changes {
            let change = &planned.change;
            view.changes.entry(change.name()).or_default().push((change.rtype(), change.after()));
        }
        view
    }

    /// The sets at a name.
    fn at(&self, name: &Name) -> Vec<&'a RRset> {
        let changed = self.changes.get(name).map_or(&[][..], Vec::as_slice);
        let live = self.records.snapshot.at(name).iter();
        let stays = live.filter(|set| !changed.iter().any(|(rtype, _)| *rtype == set.rtype));
        stays.chain(changed.iter().filter_map(|(_, set)| *set)).filter(|set| !set.values.is_empty()).collect()
    }

    /// Whether there is a record at the name or below it.
    fn exists(&self, name: &Name) -> bool {
        if name == self.apex {
            return true;
        }
        let sets = self.records.snapshot.rrsets();
        let from = sets.partition_point(|set| set.name < *name);
        let below = sets.get(from..).unwrap_or_default().iter().take_while(|set| set.name.is_at_or_below(name));
        let gone = |set: &RRset| {
            let changed = self.changes.get(&set.name).map_or(&[][..], Vec::as_slice);
            changed.iter().any(|(rtype, after)| *rtype == set.rtype && after.is_none())
        };
        below.filter(|set| !set.values.is_empty()).any(|set| !gone(set))
            || self
                .changes
                .iter()
                .any(|(at, sets)| at.is_at_or_below(name) && sets.iter().any(|(_, set)| set.is_some()))
    }

    /// Whether the name is at or below a delegation, or below a DNAME.
    fn is_cut(&self, name: &Name) -> bool {
        let mut at = Some(name.clone());
        while let Some(owner) = at {
            let sets = self.at(&owner);
            let has = |rtype| sets.iter().any(|set| set.rtype == rtype);
            if (has(RecordType::NS) && owner != *self.apex) || (has(RecordType::DNAME) && owner != *name) {
                return true;
            }
            if owner == *self.apex {
                return false;
            }
            at = owner.parent();
        }
        false
    }

    /// What a name that exists answers.
    fn answer(&self, owner: &Name, rtype: RecordType) -> Answer {
        let sets = self.at(owner);
        let of = |rtype| sets.iter().filter(|set| set.rtype == rtype).copied().collect::<Vec<_>>();
        let mut found = of(rtype);
        if found.is_empty() {
            found = of(RecordType::CNAME);
        }
        match found.as_slice() {
            [] => Answer::NoData,
            [set] if set.protection.is_none() => {
                let values = set.values.iter().map(|value| value.rdata.clone());
                Answer::records(values, set.ttl.unwrap_or(Ttl::ZERO))
            }
            // Protected, or two sets of one key: a service's routing. What is served is not known.
            _ => Answer::Unknown,
        }
    }
}

impl Lookup for View<'_> {
    fn lookup(&self, name: &Name, rtype: RecordType) -> Answer {
        if !name.is_at_or_below(self.apex) || self.is_cut(name) {
            return Answer::Unknown;
        }
        if self.exists(name) {
            return match self.answer(name, rtype) {
                Answer::NoData if self.records.partial && !self.changes.contains_key(name) => Answer::Unknown,
                answer => answer,
            };
        }
        if self.records.partial {
            return Answer::Unknown;
        }
        // The closest name that exists decides which wildcard there is (RFC 4592 section 3.3.1).
        let mut encloser = name.parent();
        while let Some(above) = encloser {
            if self.exists(&above) {
                let wildcard = above.prepend("*").ok().filter(|wildcard| self.exists(wildcard));
                return wildcard.map_or(Answer::NxDomain, |wildcard| self.answer(&wildcard, rtype));
            }
            encloser = above.parent();
        }
        Answer::NxDomain
    }
}

#[cfg(test)]
mod tests {
    use mailzone_mailauth::lookup::ZoneData;
    use mailzone_provider::RRsetChange;
    use mailzone_record::zonefile::ZoneFile;

    use super::*;

    const NAMES: [&str; 14] = [
        "z.test",
        "a.z.test",
        "b.a.z.test",
        "c.b.a.z.test",
        "x.z.test",
        "w.z.test",
        "q.w.z.test",
        "r.q.w.z.test",
        "sub.z.test",
        "deep.sub.z.test",
        "d.z.test",
        "e.d.z.test",
        "other.test",
        "n.e.w.z.test",
    ];

    fn snapshot(lines: &str) -> Snapshot {
        let apex = Name::parse("z.test").unwrap();
        let text = format!("$TTL 60\n@ SOA ns hostmaster 1 2 3 4 5\n{lines}\n");
        Snapshot::new(ZoneFile::parse(text.as_bytes(), &apex).unwrap().rrsets(), None)
    }

    /// What the view answers is what a zone with the same sets answers.
    #[test]
    fn answers_like_the_zone_that_it_stands_for() {
        let old =
            snapshot("b.a A 192.0.2.1\nx CNAME b.a\n*.w TXT t\nq.w MX 1 b.a\nsub NS ns.other.test.\nd DNAME y.test.");
        let new = snapshot(
            "b.a A 192.0.2.1\nx TXT n\n*.w TXT t\nc.b.a AAAA 2001:db8::1\nsub NS ns.other.test.\nd DNAME y.test.",
        );
        let apex = Name::parse("z.test").unwrap();
        let keys: std::collections::BTreeSet<_> = old.rrsets().iter().chain(new.rrsets()).map(RRset::key).collect();
        let changes = keys.iter().filter_map(|key| {
            let set = |snapshot: &Snapshot| snapshot.get(&key.name, key.rtype).cloned();
            RRsetChange::new(set(&old), set(&new)).filter(|change| change.before() != change.after())
        });
        let changes: Vec<RRsetChange> = changes.collect();
        let records = Records { snapshot: old.clone(), partial: false };
        let mut after = View::before(&apex, &records);
        for change in &changes {
            after.changes.entry(change.name()).or_default().push((change.rtype(), change.after()));
        }
        let before = View::before(&apex, &records);
        for (view, zone) in [(&before, &old), (&after, &new)] {
            let data = ZoneData::new(apex.clone(), zone.rrsets());
            for name in NAMES {
                let name = Name::parse(name).unwrap();
                for rtype in [RecordType::A, RecordType::TXT, RecordType::MX, RecordType::CNAME, RecordType::NS] {
                    assert_eq!(view.lookup(&name, rtype), data.lookup(&name, rtype), "{name} {rtype}");
                }
            }
        }
        let partial = Records { snapshot: old, partial: true };
        let view = View::before(&apex, &partial);
        let ask = |name: &str, rtype| view.lookup(&Name::parse(name).unwrap(), rtype);
        assert!(matches!(ask("b.a.z.test", RecordType::A), Answer::Records(..)));
        assert_eq!(
            (ask("b.a.z.test", RecordType::MX), ask("no.z.test", RecordType::A)),
            (Answer::Unknown, Answer::Unknown)
        );
    }
}
