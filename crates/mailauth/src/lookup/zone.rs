use std::collections::{BTreeMap, HashSet};

use mailzone_record::{Name, RRset, RecordType, Ttl};

use super::{Answer, Lookup};

/// A zone's records as an authoritative server would answer from them: planned ones, for instance.
///
/// [`Answer::Unknown`] where the records do not decide: outside of the zone, at and below a delegation or a DNAME, and for
/// sets under [protection](mailzone_record::Protection), whose served data may be other than what is stored (alias, proxied).
#[derive(Debug, Clone)]
pub struct ZoneData {
    apex: Name,
    names: BTreeMap<Name, BTreeMap<RecordType, Answer>>,
    /// Names without records that have some below (RFC 4592 section 2.2.2), and those with records.
    exist: HashSet<Name>,
}

/// One source over another, which answers only what the first does not know.
///
/// [`resolve`](super::resolve) looks each name of a chain of aliases up here, so chains may lead out of `over` and into it.
#[derive(Debug, Clone)]
pub struct Overlay<O, B> {
    /// Asked first.
    pub over: O,
    /// Asked where `over` answers [`Answer::Unknown`].
    pub base: B,
}

impl ZoneData {
    /// The zone at `apex` with these sets; those that are not in it are left out.
    pub fn new<'a>(apex: Name, sets: impl IntoIterator<Item = &'a RRset>) -> Self {
        let mut zone = Self { exist: HashSet::from([apex.clone()]), apex, names: BTreeMap::new() };
        for set in sets {
            if !set.name.is_at_or_below(&zone.apex) {
                continue;
            }
            let values = set.values.iter().map(|value| value.rdata.clone());
            let answer = match (&set.protection, set.values.is_empty()) {
                (Some(_), _) => Answer::Unknown,
                (None, true) => continue,
                (None, false) => Answer::records(values, set.ttl.unwrap_or(Ttl::ZERO)),
            };
            let types = zone.names.entry(set.name.clone()).or_default();
            // Two sets of one key are one service's routing of it: what is served is not known.
            types.entry(set.rtype).and_modify(|known| *known = Answer::Unknown).or_insert(answer);
            let mut exists = Some(set.name.clone());
            while let Some(name) = exists.filter(|name| zone.exist.insert(name.clone())) {
                exists = name.parent();
            }
        }
        zone
    }

    /// The zone's name.
    pub fn apex(&self) -> &Name {
        &self.apex
    }

    /// What this owner answers for the type, if it has the type or an alias.
    fn at(&self, owner: &Name, rtype: RecordType) -> Option<Answer> {
        let types = self.names.get(owner)?;
        types.get(&rtype).or_else(|| types.get(&RecordType::CNAME)).cloned()
    }

    /// Whether `name` is at or below a delegation, or below a DNAME.
    fn is_cut(&self, name: &Name) -> bool {
        let mut at = Some(name.clone());
        while let Some(owner) = at.filter(|owner| *owner != self.apex) {
            let types = self.names.get(&owner);
            if types.is_some_and(|t| {
                t.contains_key(&RecordType::NS) || (t.contains_key(&RecordType::DNAME) && owner != *name)
            }) {
                return true;
            }
            at = owner.parent();
        }
        let dname = |t: &BTreeMap<RecordType, Answer>| t.contains_key(&RecordType::DNAME);
        *name != self.apex && self.names.get(&self.apex).is_some_and(dname)
    }
}

impl Lookup for ZoneData {
    fn lookup(&self, name: &Name, rtype: RecordType) -> Answer {
        if !name.is_at_or_below(&self.apex) || self.is_cut(name) {
            return Answer::Unknown;
        }
        if self.exist.contains(name) {
            return self.at(name, rtype).unwrap_or(Answer::NoData);
        }
        // The closest name that exists decides which wildcard there is (RFC 4592 section 3.3.1).
        let mut encloser = name.parent();
        while let Some(above) = encloser {
            if self.exist.contains(&above) {
                let wildcard = above.prepend("*").ok().filter(|wildcard| self.exist.contains(wildcard));
                return match wildcard {
                    Some(wildcard) => self.at(&wildcard, rtype).unwrap_or(Answer::NoData),
                    None => Answer::NxDomain,
                };
            }
            encloser = above.parent();
        }
        Answer::NxDomain
    }
}

impl Lookup for [ZoneData] {
    /// By the deepest zone that has the name.
    fn lookup(&self, name: &Name, rtype: RecordType) -> Answer {
        let mine = self.iter().filter(|zone| name.is_at_or_below(&zone.apex));
        mine.max_by_key(|zone| zone.apex.label_count()).map_or(Answer::Unknown, |zone| zone.lookup(name, rtype))
    }
}

impl<O: Lookup, B: Lookup> Lookup for Overlay<O, B> {
    fn lookup(&self, name: &Name, rtype: RecordType) -> Answer {
        match self.over.lookup(name, rtype) {
            Answer::Unknown => self.base.lookup(name, rtype),
            known => known,
        }
    }
}

#[cfg(test)]
mod tests {
    use mailzone_record::{Protection, Rdata, Txt, parse_rdata_text};

    use super::super::{Answers, resolve};
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn set(owner: &str, rtype: RecordType, data: &str) -> RRset {
        let rdata = parse_rdata_text(rtype, data, None).unwrap();
        RRset::new(name(owner), rtype, Ttl::from_secs(60), vec![rdata.into()])
    }

    fn zone() -> ZoneData {
        let mut proxied = set("www.example.com", RecordType::A, "192.0.2.80");
        proxied.protection = Some(Protection { reason: "proxied".into() });
        ZoneData::new(
            name("example.com"),
            &[
                set("example.com", RecordType::NS, "ns.example.net."),
                set("example.com", RecordType::TXT, "\"v=spf1 -all\""),
                set("a.b.example.com", RecordType::A, "192.0.2.1"),
                set("*.wild.example.com", RecordType::TXT, "\"v=spf1 ?all\""),
                set("x.wild.example.com", RecordType::A, "192.0.2.2"),
                set("sub.example.com", RecordType::NS, "ns.example.org."),
                set("alias.example.com", RecordType::CNAME, "live.example.net."),
                set("other.example", RecordType::A, "192.0.2.3"),
                proxied,
            ],
        )
    }

    #[test]
    fn answers_as_a_server() {
        let zone = zone();
        let found = |owner: &str, rtype| match zone.lookup(&name(owner), rtype) {
            Answer::Records(values, _) => values[0].to_string(),
            other => format!("{other:?}"),
        };
        for (owner, rtype, expected) in [
            ("EXAMPLE.com", RecordType::TXT, "\"v=spf1 -all\""),
            ("example.com", RecordType::MX, "NoData"),
            ("b.example.com", RecordType::A, "NoData"),
            ("c.example.com", RecordType::A, "NxDomain"),
            ("c.b.example.com", RecordType::A, "NxDomain"),
            ("y.z.wild.example.com", RecordType::TXT, "\"v=spf1 ?all\""),
            ("y.wild.example.com", RecordType::A, "NoData"),
            ("x.wild.example.com", RecordType::TXT, "NoData"),
            ("y.x.wild.example.com", RecordType::TXT, "NxDomain"),
            ("sub.example.com", RecordType::TXT, "Unknown"),
            ("host.sub.example.com", RecordType::A, "Unknown"),
            ("alias.example.com", RecordType::TXT, "live.example.net."),
            ("www.example.com", RecordType::A, "Unknown"),
            ("www.example.com", RecordType::AAAA, "NoData"),
            ("other.example", RecordType::A, "Unknown"),
        ] {
            assert_eq!(found(owner, rtype), expected, "{owner} {rtype}");
        }
    }

    #[test]
    fn chains_lead_out_of_the_overlay_and_back() {
        let mut live = Answers::otherwise(Answer::NxDomain);
        let back = Rdata::Cname(name("a.b.example.com"));
        live.insert(name("live.example.net"), RecordType::A, Answer::records([back], Ttl::ZERO));
        // Behind the overlay there is an older record, which must not be seen.
        let old = Rdata::Txt(Txt::from_text("v=spf1 +all"));
        live.insert(name("example.com"), RecordType::TXT, Answer::records([old], Ttl::ZERO));
        let overlay = Overlay { over: zone(), base: live };
        let address = Rdata::A([192, 0, 2, 1].into());
        let found = resolve(&overlay, &name("alias.example.com"), RecordType::A);
        assert_eq!(found, Ok(Answer::records([address], Ttl::ZERO)));
        let planned = resolve(&overlay, &name("example.com"), RecordType::TXT).unwrap();
        assert_eq!(planned, zone().lookup(&name("example.com"), RecordType::TXT));
        let zones = [zone(), ZoneData::new(name("sub.example.com"), &[])];
        assert_eq!(zones.lookup(&name("sub.example.com"), RecordType::TXT), Answer::NoData);
        assert_eq!(zones.lookup(&name("elsewhere.example"), RecordType::TXT), Answer::Unknown);
    }
}
