//! The embedded server while a command runs: `serve` of a zone-file provider.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use mailzone_config::{ProviderSettings, Settings};
use mailzone_engine::Providers;
use mailzone_provider::{
    Batch, Capabilities, ExpectedSideEffect, Outcome, Provider, ProviderError, ProviderId, RRsetChange, Receipt,
    Refusal, Snapshot, View, Zone, ZoneId,
};
use mailzone_record::{Name, RRsetKey, Ttl};
use mailzone_server::{Handle, Server};

use crate::ui::Ui;

/// TTL of records in a zone file without any.
const FALLBACK_TTL: Ttl = Ttl::from_wire(3600);

/// The servers that run, until dropped.
#[derive(Debug, Default)]
pub(crate) struct Embedded {
    /// Where each provider's zones are served.
    pub(crate) addresses: BTreeMap<String, SocketAddr>,
    /// The zones that each serves.
    zones: BTreeMap<String, BTreeSet<Name>>,
    servers: Vec<Server>,
}

impl Embedded {
    /// Where `owner` is served: by `provider`, or where none is named by the first that has a zone of it.
    pub(crate) fn address_of(&self, owner: &Name, provider: Option<&str>) -> Option<SocketAddr> {
        let provider = match provider {
            Some(provider) => provider,
            None => self.zones.iter().find(|(_, zones)| holds(zones, owner))?.0,
        };
        self.addresses.get(provider).copied()
    }

    /// Every zone that is served, with where.
    pub(crate) fn by_zone(&self) -> impl Iterator<Item = (&Name, SocketAddr)> {
        let of = |(provider, zones)| self.addresses.get(provider).map(|address| (zones, *address));
        self.zones.iter().filter_map(of).flat_map(|(zones, address)| zones.iter().map(move |zone| (zone, address)))
    }
}

/// Starts a server for each zone-file provider with `serve`, and makes those providers hand every zone
/// that they write to it.
pub(crate) async fn start(settings: &Settings, providers: &mut Providers, ui: &Ui) -> Result<Embedded, String> {
    let mut embedded = Embedded::default();
    for (name, table) in &settings.providers {
        let ProviderSettings::Zonefile(files) = &table.value else { continue };
        let (Some(serve), Some(provider)) = (&files.serve, providers.get(name).cloned()) else { continue };
        let zones = load(provider.as_ref(), ui).await;
        let apexes = zones.iter().map(|zone| zone.apex().to_lowercase()).collect();
        let server = Server::start(serve.value, zones)
            .await
            .map_err(|error| format!("the embedded server of {name} cannot answer at {}: {error}", serve.value))?;
        embedded.addresses.insert(name.clone(), server.local_addr());
        embedded.zones.insert(name.clone(), apexes);
        let served = Served { inner: provider, handle: server.handle() };
        providers.insert(name.clone(), Arc::new(served));
        embedded.servers.push(server);
    }
    Ok(embedded)
}

/// Every zone of a provider, as the server holds it. What cannot be served is said and left out.
pub(crate) async fn load(provider: &dyn Provider, ui: &Ui) -> Vec<mailzone_server::Zone> {
    let listed = match provider.zones().await {
        Ok(listed) => listed,
        Err(error) => {
            ui.warn(&format!("nothing is served: {error}"));
            return Vec::new();
        }
    };
    let mut zones = Vec::with_capacity(listed.len());
    for zone in listed {
        match provider.snapshot(&zone).await {
            Ok(snapshot) => match served(&zone, &snapshot) {
                Ok(zone) => {
                    for key in zone.unservable() {
                        ui.warn(&format!("{key} has a form that cannot be put on the wire: asked for, it is SERVFAIL"));
                    }
                    zones.push(zone);
                }
                Err(error) => ui.warn(&format!("{} is not served: {error}", zone.name)),
            },
            // The first line says what and where; `plan` shows them all.
            Err(error) => {
                let text = error.to_string();
                ui.warn(&format!("{} is not served: {}", zone.name, text.lines().next().unwrap_or_default()));
            }
        }
    }
    zones
}

/// A provider whose zones are served too.
#[derive(Debug)]
struct Served {
    inner: Arc<dyn Provider>,
    handle: Handle,
}

#[async_trait]
impl Provider for Served {
    fn id(&self) -> &ProviderId {
        self.inner.id()
    }

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn capabilities_of(&self, zone: &Zone) -> &Capabilities {
        self.inner.capabilities_of(zone)
    }

    async fn zones(&self) -> Result<Vec<Zone>, ProviderError> {
        self.inner.zones().await
    }

    async fn zone_by_id(&self, id: &ZoneId, name: Option<&Name>) -> Result<Zone, ProviderError> {
        self.inner.zone_by_id(id, name).await
    }

    async fn snapshot(&self, zone: &Zone) -> Result<Snapshot, ProviderError> {
        self.inner.snapshot(zone).await
    }

    async fn snapshot_for(&self, zone: &Zone, keys: &[RRsetKey]) -> Result<View, ProviderError> {
        self.inner.snapshot_for(zone, keys).await
    }

    fn side_effects(&self, snapshot: &Snapshot, changes: &[RRsetChange]) -> Vec<ExpectedSideEffect> {
        self.inner.side_effects(snapshot, changes)
    }

    async fn close(&self) {
        self.inner.close().await;
    }

    fn refuse(&self, change: &RRsetChange) -> Vec<Refusal> {
        self.inner.refuse(change)
    }

    async fn apply(&self, zone: &Zone, batch: &Batch) -> Result<Receipt, ProviderError> {
        let receipt = self.inner.apply(zone, batch).await?;
        // What somebody else wrote since the server began is in the file too.
        let in_the_file = |outcome| matches!(outcome, Outcome::Applied | Outcome::Already);
        if receipt.results.iter().any(|result| in_the_file(result.outcome))
            && let Ok(snapshot) = self.inner.snapshot(zone).await
            && let Ok(zone) = served(zone, &snapshot)
        {
            self.handle.replace_zone(zone);
        }
        Ok(receipt)
    }

    async fn settle(&self, zone: &Zone, receipt: &Receipt) -> Result<(), ProviderError> {
        self.inner.settle(zone, receipt).await
    }
}

/// Whether one of the zones is at or above `owner`.
fn holds(zones: &BTreeSet<Name>, owner: &Name) -> bool {
    let mut at = Some(owner.to_lowercase());
    while let Some(name) = at {
        if zones.contains(&name) {
            return true;
        }
        at = name.parent();
    }
    false
}

fn served(zone: &Zone, snapshot: &Snapshot) -> Result<mailzone_server::Zone, mailzone_server::ZoneError> {
    let ttl = snapshot.default_ttl().unwrap_or(FALLBACK_TTL);
    mailzone_server::Zone::new(zone.name.clone(), snapshot.rrsets().to_vec(), ttl)
}
