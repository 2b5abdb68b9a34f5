use std::fmt;

use crate::{Name, Rdata, RecordType, Ttl};

/// What an RRset is found by: owner name and type.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct RRsetKey {
    pub name: Name,
    pub rtype: RecordType,
}

/// All records of one owner name and type (RFC 2181 section 5), as one provider holds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RRset {
    /// Owner name.
    pub name: Name,
    /// Record type; each value's data has it.
    pub rtype: RecordType,
    /// `None` where the service has no TTL per record.
    pub ttl: Option<Ttl>,
    /// In the order received; never empty in a snapshot.
    pub values: Vec<Value>,
    /// Why nothing may change this set, if so.
    pub protection: Option<Protection>,
}

/// One record's data with what the provider knows it by.
#[derive(Clone, PartialEq, Eq)]
pub struct Value {
    /// The data.
    pub rdata: Rdata,
    /// Present on values that were read from a provider.
    pub origin: Option<Box<Origin>>,
}

/// How a provider spelled and numbered a value: kept, so that writing it back changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The provider's identifier of the record.
    pub handle: Option<Box<str>>,
    /// The exact text received.
    pub spelling: Option<Box<str>>,
}

/// Why an RRset is visible but never written (for instance `alias record`, `proxied`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// In the provider's own words for it.
    pub reason: Box<str>,
}

impl RRset {
    /// A set without protection.
    pub fn new(name: Name, rtype: RecordType, ttl: Option<Ttl>, values: Vec<Value>) -> Self {
        Self { name, rtype, ttl, values, protection: None }
    }

    /// Owner name and type.
    pub fn key(&self) -> RRsetKey {
        RRsetKey { name: self.name.clone(), rtype: self.rtype }
    }

    /// Whether both hold the same data in any order, with the same TTL.
    pub fn same_records(&self, other: &Self) -> bool {
        self.ttl == other.ttl && self.same_data(other)
    }

    /// Whether both hold the same data in any order; duplicates count once (RFC 2181 section 5).
    pub fn same_data(&self, other: &Self) -> bool {
        self.name == other.name
            && self.rtype == other.rtype
            && self.values.iter().all(|v| other.values.iter().any(|o| o.rdata == v.rdata))
            && other.values.iter().all(|v| self.values.iter().any(|o| o.rdata == v.rdata))
    }
}

impl From<Rdata> for Value {
    fn from(rdata: Rdata) -> Self {
        Self { rdata, origin: None }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.rdata)
    }
}

impl fmt::Display for RRsetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.rtype)
    }
}
