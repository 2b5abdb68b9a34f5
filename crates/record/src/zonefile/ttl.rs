//! What a record without a TTL inherits where no `$TTL` is in force: not every name server agrees.

use std::collections::HashSet;

use super::{Record, ZoneFile};
use crate::{Name, Rdata, RecordType, Ttl};

impl ZoneFile {
    /// The first record whose TTL name servers read differently, if there is one.
    ///
    /// RFC 1035 section 5.1 lets it inherit the last TTL written. BIND gives records of one type that stand
    /// together the TTL of the first, and what stands below inherits that; and behind an SOA record without
    /// a TTL it takes the SOA minimum for all that have none. A `$TTL` above it leaves no doubt.
    ///
    /// These two readings are compared. Knot DNS 3.2 lets nothing be inherited and takes 3600 seconds.
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
///
/// As BIND 9.18 loads a file: a name's records stand together until another name comes, or the same one in
/// other case; the addresses of a name's NS records may stand amid them.
#[derive(Default)]
pub(crate) struct BindTtls<'a> {
    last: Option<Ttl>,
    soa_minimum: Option<Ttl>,
    current: Run<'a>,
    /// The name servers of `current`.
    servers: HashSet<&'a Name>,
    /// The records of one of them, amid those of `current`.
    glue: Run<'a>,
}

/// Records of one name that stand together.
#[derive(Default)]
struct Run<'a> {
    owner: Option<&'a Name>,
    /// Each type's first TTL.
    ttls: Vec<(RecordType, Ttl)>,
}

impl<'a> BindTtls<'a> {
    /// Before the first line; `None` for a file in which no record depends on it.
    pub(crate) fn of(file: &ZoneFile) -> Option<Self> {
        (!file.above_directive().all(|r| r.ttl_explicit)).then(Self::default)
    }

    /// What a record without a TTL gets here; `None` if the lines above say nothing.
    pub(crate) fn inherited(&self, owner: &Name, rtype: RecordType) -> Option<Ttl> {
        let run = [&self.glue, &self.current].into_iter().find(|run| run.is_of(owner));
        run.and_then(|run| run.first(rtype)).or(self.soa_minimum).or(self.last)
    }

    /// Goes on behind a record. `ttl` counts if it stands in the line, or if the lines above say nothing.
    pub(crate) fn pass(&mut self, owner: &'a Name, rdata: &'a Rdata, ttl: Ttl, explicit: bool) {
        let read = if explicit { ttl } else { self.soa_minimum.or(self.last).unwrap_or(ttl) };
        if let Rdata::Soa(soa) = rdata
            && !explicit
            && self.last.is_none()
        {
            self.soa_minimum = Ttl::from_secs(soa.minimum);
        }
        let run = self.run_of(owner);
        let first = run.first(rdata.rtype()).unwrap_or_else(|| {
            run.ttls.push((rdata.rtype(), read));
            read
        });
        if let Rdata::Ns(server) = rdata
            && self.glue.owner.is_none()
        {
            self.servers.insert(server);
        }
        // Above an SOA record that has no TTL either, nothing is known yet.
        if explicit || self.last.is_some() {
            self.last = Some(first);
        }
    }

    /// The run that a record of `owner` belongs to.
    fn run_of(&mut self, owner: &'a Name) -> &mut Run<'a> {
        if self.glue.is_of(owner) {
            return &mut self.glue;
        }
        if !self.current.is_of(owner) {
            if self.servers.contains(owner) {
                self.glue.begin(Some(owner));
                return &mut self.glue;
            }
            self.current.begin(Some(owner));
            self.servers = HashSet::new();
        }
        self.glue.begin(None);
        &mut self.current
    }
}

impl<'a> Run<'a> {
    fn is_of(&self, owner: &Name) -> bool {
        self.owner.is_some_and(|own| own.eq_case(owner))
    }

    fn first(&self, rtype: RecordType) -> Option<Ttl> {
        self.ttls.iter().find(|(of, _)| *of == rtype).map(|(_, ttl)| *ttl)
    }

    fn begin(&mut self, owner: Option<&'a Name>) {
        self.owner = owner;
        self.ttls.clear();
    }
}
