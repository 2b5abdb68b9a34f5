//! A provider that is made when it is about to be asked: until then its secrets are not read.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use mailzone_provider::{
    Batch, Capabilities, ExpectedSideEffect, Provider, ProviderError, ProviderErrorKind, ProviderId, RRsetChange,
    Receipt, Refusal, Snapshot, TtlRange, TypeSet, View, Zone, ZoneId,
};
use mailzone_record::{Name, RRsetKey};
use tokio::sync::OnceCell;

type Make = dyn Fn() -> Result<Arc<dyn Provider>, ProviderError> + Send + Sync;

/// A provider with credentials that are to be had first.
pub(crate) struct Lazy {
    id: ProviderId,
    /// What it can do as far as is known before it is made: nothing but be asked. Nobody plans a zone that was not read.
    unmade: Capabilities,
    make: Arc<Make>,
    made: OnceCell<Arc<dyn Provider>>,
}

impl Lazy {
    /// `make` gets the credentials; it may block. It is called until it succeeds. `concurrency` counts until then.
    pub(crate) fn new(
        id: ProviderId,
        concurrency: usize,
        make: impl Fn() -> Result<Arc<dyn Provider>, ProviderError> + Send + Sync + 'static,
    ) -> Self {
        let unmade = Capabilities {
            writable: TypeSet::Only(BTreeSet::new()),
            ttl: TtlRange::ANY,
            atomic: false,
            compare_and_swap: false,
            concurrency: concurrency.max(1),
            expected_visible: 0,
            apex_cname: false,
        };
        Self { id, unmade, make: Arc::new(make), made: OnceCell::new() }
    }

    async fn made(&self) -> Result<&dyn Provider, ProviderError> {
        let made = self.made.get_or_try_init(|| async {
            let make = Arc::clone(&self.make);
            match tokio::task::spawn_blocking(move || make()).await {
                Ok(made) => made,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                // The runtime is being shut down.
                Err(_) => {
                    let kind = ProviderErrorKind::Credentials("the run is at its end".into());
                    Err(ProviderError::new(format!("asking {}", self.id), kind, ""))
                }
            }
        });
        Ok(made.await?.as_ref())
    }
}

#[async_trait]
impl Provider for Lazy {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self) -> &Capabilities {
        self.made.get().map_or(&self.unmade, |made| made.capabilities())
    }

    fn capabilities_of(&self, zone: &Zone) -> &Capabilities {
        self.made.get().map_or(&self.unmade, |made| made.capabilities_of(zone))
    }

    async fn zones(&self) -> Result<Vec<Zone>, ProviderError> {
        self.made().await?.zones().await
    }

    async fn zone_by_id(&self, id: &ZoneId, name: Option<&Name>) -> Result<Zone, ProviderError> {
        self.made().await?.zone_by_id(id, name).await
    }

    async fn snapshot(&self, zone: &Zone) -> Result<Snapshot, ProviderError> {
        self.made().await?.snapshot(zone).await
    }

    async fn snapshot_for(&self, zone: &Zone, keys: &[RRsetKey]) -> Result<View, ProviderError> {
        self.made().await?.snapshot_for(zone, keys).await
    }

    fn refuse(&self, change: &RRsetChange) -> Vec<Refusal> {
        self.made.get().map_or_else(|| self.unmade.refuse(change), |made| made.refuse(change))
    }

    fn side_effects(&self, snapshot: &Snapshot, changes: &[RRsetChange]) -> Vec<ExpectedSideEffect> {
        self.made.get().map_or_else(Vec::new, |made| made.side_effects(snapshot, changes))
    }

    async fn apply(&self, zone: &Zone, batch: &Batch) -> Result<Receipt, ProviderError> {
        self.made().await?.apply(zone, batch).await
    }

    async fn settle(&self, zone: &Zone, receipt: &Receipt) -> Result<(), ProviderError> {
        self.made().await?.settle(zone, receipt).await
    }

    async fn close(&self) {
        // What was never asked holds nothing open.
        if let Some(made) = self.made.get() {
            made.close().await;
        }
    }
}

impl fmt::Debug for Lazy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lazy").field("id", &self.id).field("made", &self.made.get().is_some()).finish_non_exhaustive()
    }
}
