use std::collections::HashMap;

use mailzone_record::{Name, RRset, RRsetKey, RecordType, Ttl};

/// What a provider holds in one zone at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    rrsets: Vec<RRset>,
    index: HashMap<RRsetKey, u32>,
    default_ttl: Option<Ttl>,
}

impl Snapshot {
    /// A snapshot of these sets, sorted by owner name and type. Where a service keeps several sets of
    /// one key (weighted, by region), all stay; [`Snapshot::get`] gives the first.
    ///
    /// `default_ttl` is the TTL that a new set takes when none is asked for ($TTL, a zone-wide TTL).
    pub fn new(mut rrsets: Vec<RRset>, default_ttl: Option<Ttl>) -> Self {
        let sorted = rrsets.is_sorted_by(|a, b| (&a.name, a.rtype) <= (&b.name, b.rtype));
        if !sorted {
            rrsets.sort_by(|a, b| a.name.cmp(&b.name).then(a.rtype.cmp(&b.rtype)));
        }
        let mut index = HashMap::with_capacity(rrsets.len());
        for (i, rrset) in (0u32..).zip(&rrsets) {
            index.entry(rrset.key()).or_insert(i);
        }
        Self { rrsets, index, default_ttl }
    }

    /// The set at `name` of type `rtype`.
    pub fn get(&self, name: &Name, rtype: RecordType) -> Option<&RRset> {
        let key = RRsetKey { name: name.clone(), rtype };
        self.index.get(&key).map(|&i| &self.rrsets[i as usize])
    }

    /// All sets at `name`, of any type.
    pub fn at(&self, name: &Name) -> &[RRset] {
        let start = self.rrsets.partition_point(|rrset| rrset.name < *name);
        let length = self.rrsets[start..].partition_point(|rrset| rrset.name == *name);
        &self.rrsets[start..start + length]
    }

    /// All sets, sorted by owner name (canonical order) and type.
    pub fn rrsets(&self) -> &[RRset] {
        &self.rrsets
    }

    /// The TTL of a new set when none is asked for.
    pub fn default_ttl(&self) -> Option<Ttl> {
        self.default_ttl
    }
}
