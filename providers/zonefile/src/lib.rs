//! Zone files in a directory as a provider.
//!
//! A zone is a regular file `ORIGIN.zone` (RFC 1035 section 5); which zones there are says the listing of the
//! directory, never the configuration. Writing changes only the lines that a change is about, raises the
//! SOA serial and replaces the file in one step, under a lock of its own (`.ORIGIN.zone.lock`) that is
//! held from reading to the replaced file.
//!
//! Files that somebody else keeps are listed and read, never written: signed ones, those with a BIND
//! journal, hard links, two files for one zone, one file for two.

mod directory;
mod failure;
mod permission;
mod reload;
mod store;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use mailzone_provider::{
    Batch, Capabilities, Outcome, Provider, ProviderError, ProviderErrorKind, ProviderId, RRsetChange, Receipt,
    Refusal, Snapshot, TtlRange, TypeSet, Zone,
};
use mailzone_record::RecordType;

pub use reload::{Reload, ReloadFailure};
use store::Store;

/// Gives year, month and day of today, for serials with a date in them.
pub type Today = Arc<dyn Fn() -> (i32, u8, u8) + Send + Sync>;

/// The zone files of one directory.
pub struct ZoneFileProvider {
    id: ProviderId,
    capabilities: Capabilities,
    store: Arc<Store>,
    reload: Option<Reload>,
}

impl ZoneFileProvider {
    /// The provider of the files in `directory`. Nothing is read yet.
    pub fn new(id: ProviderId, directory: PathBuf, today: Today) -> Self {
        let capabilities = Capabilities {
            writable: TypeSet::All,
            ttl: TtlRange::ANY,
            atomic: true,
            compare_and_swap: true,
            concurrency: 8,
            expected_visible: 120,
            apex_cname: false,
        };
        Self { id, capabilities, store: Arc::new(Store { directory, today }), reload: None }
    }

    /// Runs `reload` after each file that was replaced. Its failure is a note of the first change applied.
    #[must_use]
    pub fn with_reload(self, reload: Reload) -> Self {
        Self { reload: Some(reload), ..self }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, ProviderError> + Send + 'static,
    ) -> Result<T, ProviderError> {
        let store = Arc::clone(&self.store);
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => {
                    let kind = ProviderErrorKind::Unreachable("the program is ending".into());
                    Err(ProviderError::new("using the files", kind, "").with_source(error))
                }
            },
        }
    }
}

#[async_trait]
impl Provider for ZoneFileProvider {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn zones(&self) -> Result<Vec<Zone>, ProviderError> {
        self.blocking(Store::zones).await
    }

    async fn snapshot(&self, zone: &Zone) -> Result<Snapshot, ProviderError> {
        let zone = zone.clone();
        self.blocking(move |store| store.snapshot(&zone)).await
    }

    fn refuse(&self, change: &RRsetChange) -> Vec<Refusal> {
        let mut refusals = self.capabilities.refuse(change);
        if change.rtype() == RecordType::SOA || change.rtype() == RecordType::RRSIG {
            refusals.push(Refusal {
                message: format!("{} records of a zone file are not written", change.rtype()),
                remedy: "change them in the file; mailzone raises the SOA serial by itself".into(),
            });
        }
        refusals
    }

    async fn apply(&self, zone: &Zone, batch: &Batch) -> Result<Receipt, ProviderError> {
        let (theirs, batch) = (zone.clone(), batch.clone());
        let mut receipt = self.blocking(move |store| store.apply(&theirs, &batch)).await?;
        let applied = receipt.results.iter_mut().find(|result| result.outcome == Outcome::Applied);
        if let (Some(reload), Some(applied)) = (&self.reload, applied)
            && let Err(failure) = reload.run(&zone.name).await
        {
            let note = applied.note.take().map(|note| format!("{note}; ")).unwrap_or_default();
            applied.note = Some(format!("{note}{failure}"));
        }
        Ok(receipt)
    }
}

impl fmt::Debug for ZoneFileProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZoneFileProvider")
            .field("id", &self.id)
            .field("directory", &self.store.directory)
            .field("reload", &self.reload)
            .finish_non_exhaustive()
    }
}
