//! What a record without a TTL inherits where no `$TTL` is in force: not every name server agrees.

use std::collections::HashMap;

use super::{Record, ZoneFile};
use crate::{Rdata, Ttl};

impl ZoneFile {
    /// The first record whose TTL name servers read differently, if there is one.
    ///
    /// RFC 1035 section 5.1 lets it inherit the last TTL written. BIND gives the records of a set the TTL
    /// of its first one, and what stands below inherits that; and behind an SOA record without a TTL it
    /// takes the SOA minimum for all that have none. A `$TTL` above it leaves no doubt.
    pub fn ambiguous_ttl(&self) -> Option<&Record> {
        let end = self.ttls.first().map_or(usize::MAX, |(from, _)| *from);
        let records = || self.records.iter().take_while(|r| (r.start as usize) < end);
        if records().all(|r| r.ttl_explicit) {
            return None;
        }
        let (mut last, mut default): (Option<Ttl>, Option<Ttl>) = (None, None);
        let mut sets = HashMap::new();
        for record in records() {
            let read = if record.ttl_explicit { record.ttl } else { default.or(last).unwrap_or(record.ttl) };
            if let Rdata::Soa(soa) = &record.rdata
                && !record.ttl_explicit
                && last.is_none()
            {
                default = Ttl::from_secs(soa.minimum);
            }
            let first = *sets.entry((&record.owner, record.rdata.rtype())).or_insert(read);
            if !record.ttl_explicit && first != record.ttl {
                return Some(record);
            }
            // Above an SOA record that has no TTL either, nothing is known yet.
            if record.ttl_explicit || last.is_some() {
                last = Some(first);
            }
        }
        None
    }
}
