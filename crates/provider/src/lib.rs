//! What a DNS service must be able to do, in terms of [`mailzone_record`] alone.
//!
//! A provider lists its zones, gives one zone's [`Snapshot`], and carries out a [`Batch`] of
//! [`RRsetChange`]s. It executes and never decides: what changes and in which order is the planner's.

mod batch;
mod capability;
mod error;
mod judge;
pub mod reverse;
mod side_effect;
mod snapshot;
mod zone;

use async_trait::async_trait;
use mailzone_record::{Name, RRsetKey};

pub use batch::{Batch, ChangeResult, Freshness, Outcome, RRsetChange, Receipt};
pub use capability::{Capabilities, Refusal, TtlRange, TypeSet};
pub use error::{Blame, ProviderError, ProviderErrorKind, Retry};
pub use side_effect::{ExpectedSideEffect, SideEffect};
pub use snapshot::Snapshot;
pub use zone::{Access, ProviderId, Zone, ZoneId};

/// What a plan is made from.
#[derive(Debug, Clone)]
pub struct View {
    /// What was read.
    pub snapshot: Snapshot,
    /// Whether the zone may hold more than was read.
    pub partial: bool,
}

/// One configured DNS service with its credentials.
#[async_trait]
pub trait Provider: std::fmt::Debug + Send + Sync {
    /// The name of the provider's table in the configuration.
    fn id(&self) -> &ProviderId;

    /// What it can store and how it writes. Plain data, no I/O.
    fn capabilities(&self) -> &Capabilities;

    /// What it can store in this zone, for services with several back ends. Plain data, no I/O. Default: the same.
    fn capabilities_of(&self, zone: &Zone) -> &Capabilities {
        let _ = zone;
        self.capabilities()
    }

    /// Every zone that the credentials can see, to the last page; also those that can only be read.
    async fn zones(&self) -> Result<Vec<Zone>, ProviderError>;

    /// The zone with this identifier, for credentials that may not list zones. `name` is the configured zone,
    /// for services that do not tell. Default: looks through [`Provider::zones`].
    async fn zone_by_id(&self, id: &ZoneId, name: Option<&Name>) -> Result<Zone, ProviderError> {
        let _ = name;
        let found = self.zones().await?.into_iter().find(|zone| zone.id == *id);
        found.ok_or_else(|| {
            let kind = ProviderErrorKind::NoZone(format!("{} holds no zone with the identifier {id}", self.id()));
            ProviderError::new(format!("looking for the zone {id}"), kind, "check zone_id")
        })
    }

    /// Every RRset of the zone, types that it cannot write included (as opaque data). Must fail rather
    /// than return a part.
    async fn snapshot(&self, zone: &Zone) -> Result<Snapshot, ProviderError>;

    /// What a plan about the sets `keys` has to see. Default: the whole zone, which serves every plan.
    ///
    /// A provider that may not read all of a zone reads what the plan asks for: those sets, what stands beside
    /// them, the delegations and DNAMEs above them, and SOA and NS of the apex with the addresses that the zone
    /// has for its name servers. Must fail where it cannot tell whether one of the sets is there.
    async fn snapshot_for(&self, zone: &Zone, keys: &[RRsetKey]) -> Result<View, ProviderError> {
        let _ = keys;
        Ok(View { snapshot: self.snapshot(zone).await?, partial: false })
    }

    /// Why this change cannot be stored. No I/O.
    fn refuse(&self, change: &RRsetChange) -> Vec<Refusal> {
        self.capabilities().refuse(change)
    }

    /// The foreign RRsets that the service is expected to change by itself when these changes are written
    /// (`GUARD-SIDE`). No I/O. Default: none.
    fn side_effects(&self, snapshot: &Snapshot, changes: &[RRsetChange]) -> Vec<ExpectedSideEffect> {
        let _ = (snapshot, changes);
        Vec::new()
    }

    /// Carries out the changes of one stage. Must compare each change's `before` with what the zone
    /// holds at that moment as closely as the service allows, and write nothing in the zone when one
    /// differs (that change's outcome is [`Outcome::Stale`], the others' [`Outcome::Skipped`]). A set
    /// that is already as in `after` is [`Outcome::Already`]. Must give every change an outcome.
    async fn apply(&self, zone: &Zone, batch: &Batch) -> Result<Receipt, ProviderError>;

    /// Returns when the service itself says that the write is done. Default: at once.
    async fn settle(&self, zone: &Zone, receipt: &Receipt) -> Result<(), ProviderError> {
        let _ = (zone, receipt);
        Ok(())
    }

    /// Ends what the provider holds open at the service (a session), once at the end of a run. Errors are nobody's
    /// concern any more. Default: nothing.
    async fn close(&self) {}
}
