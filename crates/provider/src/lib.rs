//! What a DNS service must be able to do, in terms of [`mailzone_record`] alone.
//!
//! A provider lists its zones, gives one zone's [`Snapshot`], and carries out a [`Batch`] of
//! [`RRsetChange`]s. It executes and never decides: what changes and in which order is the planner's.

mod batch;
mod capability;
mod error;
mod snapshot;
mod zone;

use async_trait::async_trait;

pub use batch::{Batch, ChangeResult, Freshness, Outcome, RRsetChange, Receipt};
pub use capability::{Capabilities, Refusal, TtlRange, TypeSet};
pub use error::{Blame, ProviderError, ProviderErrorKind, Retry};
pub use snapshot::Snapshot;
pub use zone::{Access, ProviderId, Zone, ZoneId};

/// One configured DNS service with its credentials.
#[async_trait]
pub trait Provider: std::fmt::Debug + Send + Sync {
    /// The name of the provider's table in the configuration.
    fn id(&self) -> &ProviderId;

    /// What it can store and how it writes. Plain data, no I/O.
    fn capabilities(&self) -> &Capabilities;

    /// Every zone that the credentials can see, to the last page; also those that can only be read.
    async fn zones(&self) -> Result<Vec<Zone>, ProviderError>;

    /// Every RRset of the zone, types that it cannot write included (as opaque data). Must fail rather
    /// than return a part.
    async fn snapshot(&self, zone: &Zone) -> Result<Snapshot, ProviderError>;

    /// Why this change cannot be stored. No I/O.
    fn refuse(&self, change: &RRsetChange) -> Vec<Refusal> {
        self.capabilities().refuse(change)
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
}
