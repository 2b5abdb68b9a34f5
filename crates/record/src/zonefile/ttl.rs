//! What a record without a TTL inherits where no `$TTL` is in force: not every name server agrees.

use std::collections::HashMap;

use super::{Record, ZoneFile};
use crate::{Name, Rdata, RecordType, Ttl};

impl ZoneFile {
    /// The first record whose TTL name servers read differently, if there is one.
    ///
    /// RFC 1035 section 5.1 lets it inherit the last TTL written. BIND gives the records of a set the TTL
    /// of its first one, and what stands below inherits that; and behind an SOA record without a TTL it
    /// takes the SOA minimum for all that have none. A `$TTL` above it leaves no doubt.
    pub fn ambiguous_ttl(&self) -> Option<&Record> {
        let mut bind = BindTtls::of(self)?;
        self.above_directive().find(|record| {
            let read = bind.inherited(&record.owner, record.rdata.rtype()).unwrap_or(record.ttl);
            bind.pass(&record.owner, &record.rdata, record.ttl, record.ttl_explicit);
            !record.ttl_explicit && read != record.ttl
        })
    }

    /// The records that no `$TTL` stands above.
    fn above_directive(&self) -> impl Iterator<Item = &Record> {
        let end = self.ttls.first().map_or(usize::MAX, |(from, _)| *from);
        self.records.iter().take_while(move |r| (r.start as usize) < end)
    }
}

/// The TTLs that BIND gives to records where no `$TTL` is in force, line after line.
#[derive(Default)]
pub(crate) struct BindTtls<'a> {
    last: Option<Ttl>,
    soa_minimum: Option<Ttl>,
    /// The TTL of each set's first record.
    sets: HashMap<(&'a Name, RecordType), Ttl>,
}

impl<'a> BindTtls<'a> {
    /// Before the first line; `None` for a file in which no record depends on it.
    pub(crate) fn of(file: &ZoneFile) -> Option<Self> {
        (!file.above_directive().all(|r| r.ttl_explicit)).then(Self::default)
    }

    /// What a record without a TTL gets here; `None` if the lines above say nothing.
    pub(crate) fn inherited(&self, owner: &Name, rtype: RecordType) -> Option<Ttl> {
        self.sets.get(&(owner, rtype)).copied().or(self.soa_minimum).or(self.last)
    }

    /// Goes on behind a record. `ttl` counts if it stands in the line, or if the lines above say nothing.
    pub(crate) fn pass(&mut self, owner: &'a Name, rdata: &Rdata, ttl: Ttl, explicit: bool) {
        let otherwise = self.soa_minimum.or(self.last);
        if let Rdata::Soa(soa) = rdata
            && !explicit
            && self.last.is_none()
        {
            self.soa_minimum = Ttl::from_secs(soa.minimum);
        }
        let read = if explicit { ttl } else { otherwise.unwrap_or(ttl) };
        let first = *self.sets.entry((owner, rdata.rtype())).or_insert(read);
        // Above an SOA record that has no TTL either, nothing is known yet.
        if explicit || self.last.is_some() {
            self.last = Some(first);
        }
    }
}
