//! RFC 2136 servers as a provider: AXFR and UPDATE with TSIG.
//!
//! A zone is read by transfer. Where the server refuses one there is no snapshot, since questions cannot show
//! what else the zone holds; the sets that a plan is about are asked for one by one (`questions`). A batch is one
//! UPDATE whose prerequisites are the RRsets as the plan saw them, foreign values included, so the server compares and
//! writes in one step, all or nothing.
//!
//! What does not fit into one message (64 KiB, some 500 changes) is refused and not split: two
//! messages are neither one step nor all or nothing.
//!
//! PowerDNS compares values as text and gives names in a transfer the case of others before them: the
//! deletion of one of several values is sent in lower case, too, which is how it stores names. It
//! takes no update of a type that it does not know.
//!
//! DNSSEC: the server signs. RRSIG, NSEC and NSEC3 records follow from the others and are not
//! part of a snapshot; the rest (DNSKEY, DS, CDS ...) is there like any record.

mod failure;
mod questions;
mod read;
mod write;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mailzone_provider::{
    Batch, Capabilities, Provider, ProviderError, ProviderId, RRsetChange, Receipt, Refusal, Snapshot, TtlRange,
    TypeSet, View, Zone,
};
use mailzone_record::{Name, RRsetKey, RecordType};
use mailzone_wire::{TransferLimits, TsigKey};
use tokio::sync::Semaphore;

/// One server that takes dynamic updates.
///
/// Servers do not list their zones. The provider is told names, a zone's or any within one (the
/// configured domains and their `zone`), and asks the server for the SOA of each: the answer names
/// the zone that holds it. Names that the server has no zone for are left out.
#[derive(Debug)]
pub struct Rfc2136Provider {
    id: ProviderId,
    server: SocketAddr,
    key: Option<TsigKey>,
    names: Vec<Name>,
    limits: TransferLimits,
    capabilities: Capabilities,
    /// Zones that the server has refused to transfer and answers questions about.
    refused: Mutex<BTreeSet<Name>>,
    /// How many names are asked for at a time, of all zones together: servers limit their connections.
    gate: Arc<Semaphore>,
}

impl Rfc2136Provider {
    /// The provider for `server`. Without a key nothing is signed, and whoever can answer in the
    /// server's place is believed: for loopback. `names` are the zones, or names within them.
    pub fn new(id: ProviderId, server: SocketAddr, key: Option<TsigKey>, names: Vec<Name>) -> Self {
        let capabilities = Capabilities {
            writable: TypeSet::All,
            ttl: TtlRange::ANY,
            atomic: true,
            compare_and_swap: true,
            concurrency: 8,
            expected_visible: 120,
            apex_cname: false,
        };
        let gate = Arc::new(Semaphore::new(capabilities.concurrency));
        let (limits, refused) = (TransferLimits::default(), Mutex::default());
        Self { id, server, key, names, limits, capabilities, refused, gate }
    }

    /// The same provider with another limit for the connection and for each message; else it is 30 s.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.limits.message_timeout = timeout;
        self
    }

    /// The same provider that asks and writes so many zones at a time; else it is 8.
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.capabilities.concurrency = concurrency.clamp(1, Semaphore::MAX_PERMITS);
        self.gate = Arc::new(Semaphore::new(self.capabilities.concurrency));
        self
    }
}

#[async_trait]
impl Provider for Rfc2136Provider {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn zones(&self) -> Result<Vec<Zone>, ProviderError> {
        self.find_zones().await
    }

    async fn snapshot(&self, zone: &Zone) -> Result<Snapshot, ProviderError> {
        self.read(&zone.name).await
    }

    async fn snapshot_for(&self, zone: &Zone, keys: &[RRsetKey]) -> Result<View, ProviderError> {
        self.look(&zone.name, keys).await
    }

    fn refuse(&self, change: &RRsetChange) -> Vec<Refusal> {
        let mut refusals = self.capabilities.refuse(change);
        let rtype = change.rtype();
        if rtype == RecordType::SOA || read::derived(rtype) {
            refusals.push(Refusal {
                message: format!("the server itself keeps the {rtype} records of its zones"),
                remedy: "take the slot out of the configuration".into(),
            });
        }
        let sides = [change.before(), change.after()];
        let values = sides.into_iter().flatten().flat_map(|set| &set.values);
        if values.into_iter().any(|value| value.rdata.to_wire().is_none()) {
            refusals.push(Refusal {
                message: format!("{} {rtype}: a value cannot be sent in a DNS message", change.name()),
                remedy: "write the value in the form of RFC 3597: \\# LENGTH HEX".into(),
            });
        }
        refusals
    }

    async fn apply(&self, zone: &Zone, batch: &Batch) -> Result<Receipt, ProviderError> {
        self.write(&zone.name, batch).await
    }
}
