//! The plan of one zone: what it is made of, and what comes of it.

use std::collections::BTreeSet;

use mailzone_mailauth::{Class, Detail, Finding};
use mailzone_provider::{Capabilities, Provider, RRsetChange, Snapshot, Zone};
use mailzone_record::{Name, RRsetKey, Rdata};

use crate::{Allow, Apex, Claim, DomainFacts, Slot, Target, guard};

/// Everything that the plan of one zone is made of.
#[derive(Debug)]
pub struct ZoneInput<'a> {
    /// The zone.
    pub zone: &'a Zone,
    /// What its provider can store.
    pub capabilities: &'a Capabilities,
    /// The provider, for what only it can refuse; `None` leaves it to the capabilities.
    pub provider: Option<&'a dyn Provider>,
    /// What the zone holds.
    pub snapshot: &'a Snapshot,
    /// The claims on names of this zone.
    pub claims: &'a [Claim],
    /// The configured domains of this zone.
    pub domains: &'a [DomainFacts],
    /// What may pass.
    pub allow: &'a [Allow],
    /// Rewrite equal and equivalent values too.
    pub normalize: bool,
    /// What the caller knows to be damaged by a change of a set: it passes and stops like the planner's own guards.
    pub guards: &'a [Guarded],
    /// Give only what these domains ask for; all of the zone is planned, so that none of another domain's
    /// values is taken for foreign.
    pub only: Option<&'a BTreeSet<Name>>,
}

/// A guard that somebody else than the planner found.
#[derive(Debug, Clone)]
pub struct Guarded {
    /// The set that it is about: without a change of it there is no damage.
    pub key: RRsetKey,
    /// The configured domain, where it is of one.
    pub domain: Option<Name>,
    /// The finding; its remedy becomes the line that allows it.
    pub finding: Finding,
}

/// The plan of one zone.
#[derive(Debug)]
pub struct ZonePlan {
    /// The zone.
    pub zone: Zone,
    /// What changes, sorted by stage, owner name and type; a deletion stands before what replaces it.
    pub changes: Vec<PlannedChange>,
    /// Guards that stop, lints, information; sorted.
    pub findings: Vec<Finding>,
    /// Guards and lints that an allow entry let pass; sorted.
    pub allowed: Vec<Finding>,
    /// Live slots that the configuration does not mention; sorted.
    pub unmanaged: Vec<Unmanaged>,
    /// Why nothing of this zone can be applied.
    pub error: Option<ZoneError>,
    /// What must be seen at the servers when all is done.
    pub targets: Vec<Target>,
    /// What only a profile wants and the provider cannot hold: left out, and relied on by nothing.
    pub left_out: Vec<RRsetKey>,
    /// RRsets by what happens to them.
    pub counts: Counts,
    /// What the zone says of itself.
    pub apex: Apex,
}

/// One RRset before and after, and what that means.
#[derive(Debug, Clone)]
pub struct PlannedChange {
    /// The write.
    pub change: RRsetChange,
    /// Create, update or delete.
    pub action: Action,
    /// The slots that ask for it; sorted.
    pub slots: Vec<Slot>,
    /// The foreign values, in both.
    pub kept: Vec<Rdata>,
    /// What it does.
    pub class: Class,
    /// Term by term.
    pub details: Vec<Detail>,
    /// Why, one sentence.
    pub reason: String,
    /// What must be visible before it is sent; sorted.
    pub needs: Vec<Need>,
    /// When it goes out, from 1.
    pub stage: u32,
    /// RRsets that `needs` is made from when all zones are planned.
    pub(crate) relies_on: Vec<RRsetKey>,
    /// Whether it excludes the change after it (a CNAME and what replaces it): both are one unit.
    pub with_next: bool,
}

/// An RRset that must be visible at every reachable authoritative server.
#[derive(Debug, Clone)]
pub struct Need {
    /// The zone of this run that holds it, if one does.
    pub zone: Option<Name>,
    /// What must be seen.
    pub target: Target,
    /// Whether this plan changes it.
    pub pending: bool,
}

/// What happens to an RRset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the variants are the words of design.md section 8")]
pub enum Action {
    Create,
    Update,
    Delete,
}

/// A live slot that nobody manages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unmanaged {
    /// Owner name and type.
    pub key: RRsetKey,
    /// The slot that it would be.
    pub slot: Slot,
    /// The line of the configuration that would remove it.
    pub removal: String,
    /// Whether an earlier configuration managed it (`--base`).
    pub formerly: bool,
}

/// Why a zone cannot be planned or applied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of design.md section 8")]
pub struct ZoneError {
    pub kind: ZoneErrorKind,
    pub message: String,
    pub remedy: String,
}

/// The kinds of a zone's error (`design.md` section 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the words of design.md section 8")]
pub enum ZoneErrorKind {
    Configuration,
    Credentials,
    Permission,
    NoZone,
    AmbiguousZone,
    Refused,
    Unreachable,
    Throttled,
    Protocol,
}

/// RRsets by what happens to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the fields are those of design.md section 8")]
pub struct Counts {
    pub create: u64,
    pub update: u64,
    pub delete: u64,
    /// Owned and already as wanted.
    pub unchanged: u64,
    /// Nothing in them is ours, and no slot that we know.
    pub foreign: u64,
    /// A slot that we know and nobody manages.
    pub unmanaged: u64,
}

impl PlannedChange {
    /// The owner name and type of the set.
    pub fn key(&self) -> RRsetKey {
        RRsetKey { name: self.change.name().clone(), rtype: self.change.rtype() }
    }
}

impl ZonePlan {
    /// A plan that says only why there is none.
    pub fn failed(zone: Zone, error: ZoneError) -> Self {
        Self {
            zone,
            changes: Vec::new(),
            findings: Vec::new(),
            allowed: Vec::new(),
            unmanaged: Vec::new(),
            error: Some(error),
            targets: Vec::new(),
            left_out: Vec::new(),
            counts: Counts::default(),
            apex: Apex::default(),
        }
    }

    /// The guards that stop this zone.
    pub fn guards(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| guard::stops(finding))
    }
}

impl ZoneErrorKind {
    /// The word of `design.md` section 8.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Credentials => "credentials",
            Self::Permission => "permission",
            Self::NoZone => "no_zone",
            Self::AmbiguousZone => "ambiguous_zone",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Throttled => "throttled",
            Self::Protocol => "protocol",
        }
    }
}

impl Action {
    /// The word of `design.md` section 8.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}
