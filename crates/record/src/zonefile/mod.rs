//! Zone files (RFC 1035 section 5): read, changed line by line, written.
//!
//! A zone file is octets: strings and comments may hold anything, and survive. `$ORIGIN` and `$TTL`
//! are understood; `$INCLUDE` and `$GENERATE` are refused, since a change could not find its line.

mod edit;
mod error;
mod layout;
mod lexer;
mod parse;
mod serial;
mod ttl;
mod write;

use std::ops::Range;

pub use edit::{EditError, SetChange};
pub use error::{ZoneFileError, ZoneFileErrors};
pub use serial::raise_serial;
pub use write::write;

use crate::{Name, Origin, RRset, RRsetKey, Rdata, RecordType, Soa, Ttl, Value};
use lexer::{Lexer, Token};

/// The TTL of a record for which a zone file gives none in any way.
pub const FALLBACK_TTL: Ttl = match Ttl::from_secs(3600) {
    Some(ttl) => ttl,
    None => Ttl::MAX,
};

/// A zone file's text and the records in it.
#[derive(Debug, Clone)]
pub struct ZoneFile {
    zone: Name,
    text: Box<[u8]>,
    records: Vec<Record>,
    origins: Vec<(usize, Name)>,
    ttls: Vec<(usize, Ttl)>,
    fallback_ttl: Ttl,
    soa: Option<usize>,
}

/// One record of a zone file, in the file's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Owner name, case as in the file.
    pub owner: Name,
    /// The TTL that holds for it.
    pub ttl: Ttl,
    /// Whether the TTL stands in the record's own line.
    pub ttl_explicit: bool,
    /// The data.
    pub rdata: Rdata,
    owner_inherited: bool,
    start: u32,
    end: u32,
    data_start: u32,
    data_end: u32,
}

impl Record {
    /// The octets of the record's lines, from the start of the first to behind the last one's newline.
    pub fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl ZoneFile {
    /// Reads the file of the zone `zone`, which is also the first origin.
    ///
    /// A record without a TTL takes `$TTL` (RFC 2308 section 4), else the last TTL written before it,
    /// else the SOA minimum, else [`FALLBACK_TTL`]. Records of a class other than IN and names outside
    /// the zone are errors. An error lists everything that is wrong.
    pub fn parse(text: &[u8], zone: &Name) -> Result<Self, ZoneFileErrors> {
        parse::parse(text, zone)
    }

    /// The zone's name.
    pub fn zone(&self) -> &Name {
        &self.zone
    }

    /// The file.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The records, in the file's order.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The `$TTL` in force at the end of the file.
    pub fn default_ttl(&self) -> Option<Ttl> {
        self.ttls.last().map(|(_, ttl)| *ttl)
    }

    /// The SOA record's data.
    pub fn soa(&self) -> Option<&Soa> {
        match self.soa.and_then(|i| self.records.get(i)).map(|r| &r.rdata) {
            Some(Rdata::Soa(soa)) => Some(soa),
            _ => None,
        }
    }

    /// The RRsets, sorted by owner and type; values in the file's order, equal ones once (RFC 2181
    /// section 5). A value has a spelling where the file writes it otherwise than [`Rdata`] prints.
    /// The TTL is the first record's (see [`ZoneFile::ttl_conflicts`]).
    pub fn rrsets(&self) -> Vec<RRset> {
        let order = self.sorted();
        let mut tokens = Vec::new();
        let mut print = String::new();
        order
            .chunk_by(|a, b| same_set(a, b))
            .filter_map(|set| {
                let first = set.first()?;
                let mut values: Vec<Value> = Vec::with_capacity(set.len());
                let mut seen = Seen::new(set.len());
                for record in set {
                    if !seen.insert(&record.rdata, &values) {
                        continue;
                    }
                    let spelling = self.spelling(record, &mut print, &mut tokens);
                    let origin = spelling.map(|s| Box::new(Origin { handle: None, spelling: Some(s) }));
                    values.push(Value { rdata: record.rdata.clone(), origin });
                }
                Some(RRset::new(first.owner.clone(), first.rdata.rtype(), Some(first.ttl), values))
            })
            .collect()
    }

    /// The RRsets whose records have different TTLs, against RFC 2181 section 5.2.
    pub fn ttl_conflicts(&self) -> Vec<RRsetKey> {
        let order = self.sorted();
        order
            .chunk_by(|a, b| same_set(a, b))
            .filter_map(|set| {
                let first = set.first()?;
                let conflict = set.iter().any(|r| r.ttl != first.ttl);
                conflict.then(|| RRsetKey { name: first.owner.clone(), rtype: first.rdata.rtype() })
            })
            .collect()
    }

    /// The records by owner and type, those of one set in the file's order.
    fn sorted(&self) -> Vec<&Record> {
        let skip = self.zone.label_count();
        let mut order: Vec<(u128, &Record)> = self.records.iter().map(|r| (r.owner.sort_prefix(skip), r)).collect();
        // Comparing names takes most of the time; their beginnings mostly settle it.
        order.sort_by(|(a_prefix, a), (b_prefix, b)| {
            let by_name = a_prefix.cmp(b_prefix).then_with(|| a.owner.cmp(&b.owner));
            by_name.then_with(|| a.rdata.rtype().cmp(&b.rdata.rtype()))
        });
        order.into_iter().map(|(_, record)| record).collect()
    }

    /// The data as the file has it, if that is not what [`Rdata`] prints. Data over several lines is
    /// given on one, without comments and parentheses.
    fn spelling(&self, record: &Record, print: &mut String, tokens: &mut Vec<Token>) -> Option<Box<str>> {
        use std::fmt::Write;
        let raw = self.text.get(record.data_start as usize..record.data_end as usize).unwrap_or_default();
        print.clear();
        // Writing to a `String` does not fail.
        let _ = write!(print, "{}", record.rdata);
        if raw == print.as_bytes() {
            return None;
        }
        if !raw.contains(&b'\n')
            && let Ok(text) = std::str::from_utf8(raw)
        {
            return Some(text.into());
        }
        let entry = Lexer::starting_at(&self.text, record.start as usize).next_entry(tokens);
        entry?.ok()?;
        let from = tokens.iter().position(|t| t.start == record.data_start as usize)?;
        let line = parse::one_line(&self.text, tokens.get(from..)?);
        (line != *print).then(|| line.into())
    }

    /// The origin that holds at `at`.
    fn origin_at(&self, at: usize) -> &Name {
        let after = self.origins.partition_point(|(from, _)| *from <= at);
        self.origins.get(after.saturating_sub(1)).map_or(&self.zone, |(_, origin)| origin)
    }

    /// The `$TTL` that holds at `at`.
    fn directive_ttl_at(&self, at: usize) -> Option<Ttl> {
        let after = self.ttls.partition_point(|(from, _)| *from <= at);
        self.ttls.get(after.checked_sub(1)?).map(|(_, ttl)| *ttl)
    }
}

fn same_set(a: &Record, b: &Record) -> bool {
    a.rdata.rtype() == b.rdata.rtype() && a.owner == b.owner
}

/// The data met in one set: small sets are searched, large ones hashed.
struct Seen<'a>(Option<std::collections::HashSet<&'a Rdata>>);

impl<'a> Seen<'a> {
    fn new(size: usize) -> Self {
        Self((size > 16).then(std::collections::HashSet::new))
    }

    /// Whether `rdata` is new; `values` are those before it.
    fn insert(&mut self, rdata: &'a Rdata, values: &[Value]) -> bool {
        match &mut self.0 {
            Some(set) => set.insert(rdata),
            None => values.iter().all(|v| v.rdata != *rdata),
        }
    }
}

/// How `name` is written where `origin` holds.
fn relative(name: &Name, origin: &Name) -> String {
    match name.without_suffix(origin) {
        Some(rest) if rest.is_root() => "@".to_owned(),
        Some(rest) => rest.to_text_without_dot(),
        None => name.to_string(),
    }
}

/// How `rdata` is written: with names relative to `origin`, if one is given.
fn data_text(rdata: &Rdata, origin: Option<&Name>) -> String {
    let Some(origin) = origin else { return rdata.to_string() };
    match rdata {
        Rdata::Ns(name) | Rdata::Cname(name) | Rdata::Ptr(name) => relative(name, origin),
        Rdata::Mx(mx) => format!("{} {}", mx.preference, relative(&mx.exchange, origin)),
        Rdata::Srv(s) => format!("{} {} {} {}", s.priority, s.weight, s.port, relative(&s.target, origin)),
        other => other.to_string(),
    }
}

/// Whether data of this type ends in a name that [`data_text`] can write relative.
fn ends_in_name(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::NS | RecordType::CNAME | RecordType::PTR | RecordType::MX | RecordType::SRV)
}
