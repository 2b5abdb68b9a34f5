//! IONOS Cloud DNS: the zones of a cloud contract, and the PTR of its addresses.

mod api;
mod listing;
mod reverse;
mod write;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mailzone_http::{Client, Settings};
use mailzone_provider::reverse as ptr;
use mailzone_provider::{
    Access, Batch, Capabilities, Provider, ProviderError, ProviderErrorKind, ProviderId, RRsetChange, Receipt, Refusal,
    Retry, Snapshot, TtlRange, TypeSet, Zone, ZoneId,
};
use mailzone_record::{Name, RecordType, Ttl};
use secrecy::SecretString;
use tokio::time::Instant;

use self::api::Api;
use self::listing::{Listing, State, ZoneEntry};

/// One contract of IONOS Cloud.
///
/// Every value is a record of its own with a stable id, and every write is one request that the service only
/// accepts: [`Provider::settle`] waits until it is done.
pub struct IonosCloudProvider {
    id: ProviderId,
    api: Api,
    base: String,
    capabilities: Capabilities,
    assigned: Vec<IpAddr>,
    candidates: Vec<IpAddr>,
    reverse_name: fn(IpAddr) -> Name,
    polling: Polling,
    /// The zones that were listed: they are there, even with no records.
    listed: Mutex<HashSet<ZoneId>>,
    /// The records of each zone that the service had not finished with when the zone was read back.
    under_way: Mutex<HashMap<ZoneId, HashSet<String>>>,
}

/// How [`Provider::settle`] asks whether the service is done.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Polling {
    /// The wait before the first question; each later one is twice as long.
    pub first: Duration,
    pub longest: Duration,
    /// After that it is an error.
    pub deadline: Duration,
}

impl Default for Polling {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { first: seconds(1), longest: seconds(5), deadline: seconds(180) }
    }
}

impl IonosCloudProvider {
    /// Where the API is.
    pub const BASE: &str = "https://dns.de-fra.ionos.com";
    /// The limits are not published; other APIs of IONOS Cloud allow more.
    pub const REQUESTS_PER_SECOND: f64 = 5.0;
    /// So many requests may go out at once.
    pub const BURST: u32 = 10;
    /// Zones asked or written at a time.
    pub const CONCURRENCY: usize = 4;

    /// The provider with `token`, which it adds to the secrets of `settings`. No I/O.
    pub fn new(id: ProviderId, token: SecretString, mut settings: Settings) -> Result<Self, ProviderError> {
        let seconds = |seconds| Ttl::from_secs(seconds).unwrap_or(Ttl::MAX);
        let capabilities = Capabilities {
            writable: TypeSet::Only(writable()),
            ttl: TtlRange { min: seconds(60), max: seconds(604_800), per_rrset: true },
            atomic: false,
            compare_and_swap: false,
            concurrency: settings.concurrency.max(1),
            expected_visible: 120,
            apex_cname: false,
        };
        let base = settings.base.as_str().trim_end_matches('/').to_owned();
        settings.secrets.push(token.clone());
        Ok(Self {
            id,
            api: Api::new(Client::new(settings)?, token),
            base,
            capabilities,
            assigned: Vec::new(),
            candidates: Vec::new(),
            reverse_name: |_| Name::root(),
            polling: Polling::default(),
            listed: Mutex::default(),
            under_way: Mutex::default(),
        })
    }

    /// The same provider, which also keeps the PTR of addresses of the contract: of those `assigned` to it, and of
    /// the `candidates` that have a reverse record there. The API does not tell which addresses are the
    /// contract's; writing the PTR of another one is refused by the service. `reverse_name` gives an address's name
    /// (RFC 1035 section 3.5, RFC 3596 section 2.5).
    #[must_use]
    pub fn with_addresses(
        mut self,
        assigned: Vec<IpAddr>,
        candidates: Vec<IpAddr>,
        reverse_name: fn(IpAddr) -> Name,
    ) -> Self {
        self.assigned = assigned;
        self.candidates = candidates;
        self.candidates.retain(|address| !self.assigned.contains(address));
        self.reverse_name = reverse_name;
        self
    }

    /// The same provider that asks at other times whether the service is done.
    #[must_use]
    pub fn with_polling(mut self, polling: Polling) -> Self {
        self.polling = polling;
        self
    }

    async fn read(&self, zone: &Zone) -> Result<Listing, ProviderError> {
        let known = self.listed.lock().unwrap_or_else(PoisonError::into_inner).contains(&zone.id);
        self.api.read(zone, zone.access == secondary(), known).await
    }

    fn wait_for(&self, zone: &Zone, ids: HashSet<String>) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.is_empty() {
            under_way.remove(&zone.id)
        } else {
            under_way.insert(zone.id.clone(), ids)
        };
    }

    fn waited_for(&self, zone: &Zone) -> HashSet<String> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.remove(&zone.id).unwrap_or_default()
    }
}

#[async_trait]
impl Provider for IonosCloudProvider {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn zones(&self) -> Result<Vec<Zone>, ProviderError> {
        let mut zones = Vec::new();
        for entry in self.api.zones().await? {
            let access = match entry.metadata.state {
                State::Destroying => continue,
                State::Failed => Access::ReadOnly {
                    reason: "IONOS Cloud reports FAILED for the zone".into(),
                    remedy: "delete and create the zone in the cloud panel, or ask IONOS".into(),
                },
                _ => Access::ReadWrite,
            };
            zones.push(zone(entry, access)?);
        }
        for entry in self.api.secondary_zones().await? {
            zones.push(zone(entry, secondary())?);
        }
        let ids: Vec<ZoneId> = zones.iter().map(|zone| zone.id.clone()).collect();
        self.listed.lock().unwrap_or_else(PoisonError::into_inner).extend(ids);
        let mut addresses = self.assigned.clone();
        addresses.extend(self.recorded_candidates().await?);
        zones.extend(ptr::zones(&reverse::Known, &addresses, self.reverse_name).await?);
        Ok(zones)
    }

    async fn snapshot(&self, zone: &Zone) -> Result<Snapshot, ProviderError> {
        match ptr::address_of(zone) {
            Some(address) => ptr::snapshot(self, zone, address).await,
            None => Ok(self.read(zone).await?.snapshot(zone)),
        }
    }

    fn refuse(&self, change: &RRsetChange) -> Vec<Refusal> {
        let mut refusals = self.capabilities.refuse(change);
        let mut addresses = self.assigned.iter().chain(&self.candidates);
        let mut is_ours = || addresses.any(|address| (self.reverse_name)(*address) == *change.name());
        if change.rtype() == RecordType::PTR && !is_ours() {
            refusals.push(Refusal {
                message: format!("{}: IONOS Cloud has no PTR records in zones", change.name()),
                remedy: "let a mail host's `ptr` be managed, for an address of the same contract".into(),
            });
        }
        refusals
    }

    async fn apply(&self, zone: &Zone, batch: &Batch) -> Result<Receipt, ProviderError> {
        match ptr::address_of(zone) {
            Some(address) => ptr::apply(self, zone, address, batch).await,
            None => self.write(zone, batch).await,
        }
    }

    async fn settle(&self, zone: &Zone, _: &Receipt) -> Result<(), ProviderError> {
        let mut ids = self.waited_for(zone);
        let end = Instant::now() + self.polling.deadline;
        let mut wait = self.polling.first;
        let operation = || format!("waiting for IONOS Cloud to write {}", zone.name.to_text_without_dot());
        while !ids.is_empty() {
            if Instant::now() + wait > end {
                let seconds = self.polling.deadline.as_secs();
                let text = format!("{} records are not written after {seconds} s", ids.len());
                let error = ProviderError::new(operation(), ProviderErrorKind::Unreachable(text), "apply again later");
                return Err(ProviderError { retry: Retry::Later, ..error });
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(self.polling.longest);
            let listing = self.read(zone).await?;
            if let Some(failed) =
                listing.records.iter().find(|held| held.state == State::Failed && ids.contains(&held.id))
            {
                let text = format!("IONOS Cloud accepted {} {} and then reported FAILED", failed.key, failed.rdata);
                let remedy = "apply again; if it fails again, delete the record in the cloud panel";
                return Err(ProviderError::new(operation(), ProviderErrorKind::Refused(text), remedy));
            }
            let under_way: HashSet<&str> =
                listing.records.iter().filter(|held| held.is_under_way()).map(|held| held.id.as_str()).collect();
            ids.retain(|id| under_way.contains(id.as_str()));
        }
        Ok(())
    }
}

impl fmt::Debug for IonosCloudProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IonosCloudProvider").field("id", &self.id).finish_non_exhaustive()
    }
}

fn zone(entry: ZoneEntry, access: Access) -> Result<Zone, ProviderError> {
    let parse = |text: &str| {
        Name::parse(text).map_err(|error| {
            let text = format!("the zone {} has the name {text:?} in it: {error}", entry.id);
            let kind = ProviderErrorKind::Protocol(text);
            ProviderError::new("listing the zones at IONOS Cloud", kind, "try again later")
        })
    };
    let name = parse(&entry.properties.zone_name)?;
    let nameservers = entry.metadata.nameservers.iter().map(|text| parse(text)).collect::<Result<_, _>>()?;
    Ok(Zone { id: ZoneId::new(entry.id.as_str()), name, access, nameservers })
}

fn secondary() -> Access {
    Access::ReadOnly { reason: "a secondary zone".into(), remedy: "change the zone at its primary server".into() }
}

/// The types of the API without ALIAS, which is no DNS type; PTR for reverse records.
fn writable() -> BTreeSet<RecordType> {
    use RecordType as T;
    [
        T::A,
        T::AAAA,
        T::CNAME,
        T::MX,
        T::NS,
        T::SRV,
        T::TXT,
        T::CAA,
        T::SSHFP,
        T::TLSA,
        T::SMIMEA,
        T::DS,
        T::HTTPS,
        T::SVCB,
        T::OPENPGPKEY,
        T::CERT,
        T::URI,
        T::RP,
        T::LOC,
        T::PTR,
    ]
    .into_iter()
    .collect()
}
