use std::collections::BTreeSet;

use mailzone_record::{RecordType, Ttl};

use crate::RRsetChange;

/// What a service can store and how it writes. Plain data.
#[derive(Debug, Clone)]
pub struct Capabilities {
    /// The types that it can write.
    pub writable: TypeSet,
    /// The TTLs that it stores.
    pub ttl: TtlRange,
    /// Whether all changes of a batch are written or none.
    pub atomic: bool,
    /// Whether the service compares what it holds with `before` in the same step as the write.
    pub compare_and_swap: bool,
    /// How many zones may be asked or written at a time.
    pub concurrency: usize,
    /// The time in seconds after which a write is expected to be served everywhere.
    pub expected_visible: u32,
    /// Whether a CNAME at the apex is answered as addresses, so that other types may stand beside it, against RFC 1034
    /// section 3.6.2.
    pub apex_cname: bool,
}

/// A set of record types.
#[derive(Debug, Clone)]
pub enum TypeSet {
    /// Every type.
    All,
    /// Only these.
    Only(BTreeSet<RecordType>),
}

/// The TTLs that a service stores.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct TtlRange {
    pub min: Ttl,
    pub max: Ttl,
    /// Whether each RRset has its own TTL.
    pub per_rrset: bool,
}

/// Why a change cannot be stored. Nothing overrides it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Refusal {
    pub message: String,
    pub remedy: String,
}

impl Capabilities {
    /// Why this change cannot be stored.
    pub fn refuse(&self, change: &RRsetChange) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        if let Some(protection) = change.before().and_then(|set| set.protection.as_ref()) {
            refusals.push(Refusal {
                message: format!("{} {} is protected: {}", change.name(), change.rtype(), protection.reason),
                remedy: "change it at the provider, or take the slot out of the configuration".into(),
            });
        }
        if !self.writable.contains(change.rtype()) {
            refusals.push(Refusal {
                message: format!("this provider cannot store records of type {}", change.rtype()),
                remedy: "take the slot out of the configuration".into(),
            });
        }
        refusals
    }
}

impl TypeSet {
    /// Whether `rtype` is in the set.
    pub fn contains(&self, rtype: RecordType) -> bool {
        match self {
            Self::All => true,
            Self::Only(types) => types.contains(&rtype),
        }
    }
}

impl TtlRange {
    /// Any TTL, one for each RRset.
    pub const ANY: Self = Self { min: Ttl::ZERO, max: Ttl::MAX, per_rrset: true };

    /// The stored TTL that is nearest to `ttl`; `None` where the service has none per RRset.
    pub fn nearest(&self, ttl: Ttl) -> Option<Ttl> {
        self.per_rrset.then(|| ttl.clamp(self.min, self.max))
    }
}
