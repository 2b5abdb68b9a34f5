use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use mailzone_provider::{
    Access, Batch, Capabilities, Provider, ProviderError, ProviderErrorKind, ProviderId, RRsetChange, Receipt, Refusal,
    Retry, Snapshot, TtlRange, TypeSet, Zone, ZoneId, reverse,
};
use mailzone_record::{Name, RecordType};

use crate::ccp::{self, Ccp};
use crate::clouddns::CloudDns;
use crate::locate::{Located, Place, Search, holder};
use crate::reverse_name::reverse_name;
use crate::scp::Scp;
use crate::settings::Settings;

/// The types that both back ends are known to take and that mail needs.
const TYPES: [RecordType; 8] = [
    RecordType::A,
    RecordType::AAAA,
    RecordType::CAA,
    RecordType::CNAME,
    RecordType::MX,
    RecordType::SRV,
    RecordType::TLSA,
    RecordType::TXT,
];
/// The name servers of the CCP back end; its API does not tell them.
const NAME_SERVERS: [&str; 3] = ["root-dns.netcup.net", "second-dns.netcup.net", "third-dns.netcup.net"];
/// The time that the name servers need, in seconds: they reload about every ten minutes, users report up to twenty.
const EXPECTED_VISIBLE: u32 = 1500;
/// What begins the identifiers of zones that cannot be read.
const LOST: &str = "unavailable:";

/// One netcup account.
#[derive(Debug)]
pub struct NetcupProvider {
    id: ProviderId,
    capabilities: Capabilities,
    in_clouddns: Capabilities,
    ccp: Option<Ccp>,
    clouddns: Option<Arc<CloudDns>>,
    scp: Option<Scp>,
    names: Vec<Name>,
    addresses: Vec<IpAddr>,
    located: Mutex<Located>,
    /// What was listed, once it was.
    listed: Mutex<Vec<Zone>>,
}

/// What a [`Zone`] of ours stands for.
enum Kind {
    Ccp,
    CloudDns,
    Address(IpAddr),
    Lost,
}

impl NetcupProvider {
    /// The provider. No I/O: it logs in when it is first asked.
    ///
    /// The capabilities are those of the weaker of the configured back ends; those of a zone follow from the one that
    /// holds it.
    pub fn new(id: ProviderId, settings: Settings) -> Result<Self, ProviderError> {
        let Settings { ccp, clouddns, scp, names, addresses, concurrency, timeout, backoff } = settings;
        let mut types = BTreeSet::new();
        if ccp.is_some() || clouddns.is_some() {
            types.extend(TYPES);
        }
        if ccp.is_none() && clouddns.is_some() {
            types.insert(RecordType::NS);
        }
        if scp.is_some() {
            types.insert(RecordType::PTR);
        }
        let concurrency = if clouddns.is_none() { 1 } else { concurrency.max(1) };
        let capabilities = Capabilities {
            writable: TypeSet::Only(types),
            ttl: TtlRange { per_rrset: ccp.is_none(), ..TtlRange::ANY },
            atomic: ccp.is_none(),
            compare_and_swap: false,
            concurrency,
            expected_visible: EXPECTED_VISIBLE,
            apex_cname: false,
        };
        let in_clouddns =
            Capabilities { ttl: TtlRange { per_rrset: true, ..TtlRange::ANY }, atomic: true, ..capabilities.clone() };
        Ok(Self {
            id,
            capabilities,
            in_clouddns,
            ccp: ccp.map(|ccp| Ccp::new(ccp, timeout, backoff)).transpose()?,
            clouddns: clouddns
                .map(|rest| CloudDns::new(rest, concurrency, timeout, backoff).map(Arc::new))
                .transpose()?,
            scp: scp.map(|scp| Scp::new(scp, timeout, backoff)).transpose()?,
            names,
            addresses,
            located: Mutex::default(),
            listed: Mutex::default(),
        })
    }

    fn located(&self) -> MutexGuard<'_, Located> {
        self.located.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for the zones of the names, and for the addresses. Names without a zone come with the reason.
    async fn locate(&self) -> (Located, Vec<Zone>) {
        let search = Search::new(self.ccp.as_ref(), self.clouddns.as_ref(), self.capabilities.concurrency);
        let mut located = match (&self.ccp, &self.clouddns) {
            (None, None) => Located::default(),
            _ => search.run(&self.names).await,
        };
        let mut addresses = Vec::new();
        if let Some(scp) = &self.scp {
            let mut down: Option<ProviderError> = None;
            for &address in &self.addresses {
                let found = match &down {
                    Some(error) => Err(copy(error)),
                    None => reverse::zones(scp, &[address], reverse_name).await,
                };
                match found {
                    Ok(zones) => addresses.extend(zones),
                    Err(error) => {
                        // What is wrong with the account is wrong with every address.
                        if !matches!(error.kind, ProviderErrorKind::Refused(_) | ProviderErrorKind::Protocol(_)) {
                            down = Some(copy(&error));
                        }
                        located.lost.insert(reverse_name(address), error);
                    }
                }
            }
        }
        (located, addresses)
    }

    fn zone(&self, name: &Name, place: &Place) -> Zone {
        let (id, nameservers) = match place {
            Place::Ccp => {
                let servers = NAME_SERVERS.iter().filter_map(|name| Name::parse(name).ok()).collect();
                (name.to_lowercase().to_text_without_dot(), servers)
            }
            Place::CloudDns(id) => (id.to_string(), Vec::new()),
        };
        Zone { id: ZoneId::new(id), name: name.clone(), access: Access::ReadWrite, nameservers }
    }

    fn kind(&self, zone: &Zone) -> Kind {
        let id = zone.id.as_str();
        if let Some(address) = reverse::address_of(zone) {
            Kind::Address(address)
        } else if id.starts_with(LOST) {
            Kind::Lost
        } else if Name::parse(id).is_ok_and(|name| name == zone.name) {
            // The identifiers of CloudDNS are no names of their zones.
            Kind::Ccp
        } else {
            Kind::CloudDns
        }
    }

    fn ccp(&self, doing: &str) -> Result<&Ccp, ProviderError> {
        self.ccp.as_ref().ok_or_else(|| {
            let kind =
                ProviderErrorKind::NoZone("the zone is on netcup's CCP back end, which is not configured".into());
            ProviderError::new(doing, kind, "add customer_number, api_key and api_password")
        })
    }

    fn clouddns(&self, doing: &str) -> Result<&CloudDns, ProviderError> {
        self.clouddns.as_deref().ok_or_else(|| {
            let kind = ProviderErrorKind::NoZone("the zone is on netcup's CloudDNS, which is not configured".into());
            ProviderError::new(doing, kind, "add rest_api_key")
        })
    }

    fn scp(&self, doing: &str) -> Result<&Scp, ProviderError> {
        self.scp.as_ref().ok_or_else(|| {
            let kind = ProviderErrorKind::NoZone("netcup's server control panel is not configured".into());
            ProviderError::new(doing, kind, "add scp_refresh_token")
        })
    }

    /// Why the zone is not there.
    fn why_lost(&self, zone: &Zone, doing: &str) -> ProviderError {
        self.located().lost.get(&zone.name).map(copy).unwrap_or_else(|| {
            let kind = ProviderErrorKind::NoZone("netcup holds no such zone".into());
            ProviderError::new(doing, kind, "check the domain")
        })
    }
}

#[async_trait]
impl Provider for NetcupProvider {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn capabilities_of(&self, zone: &Zone) -> &Capabilities {
        match self.kind(zone) {
            Kind::CloudDns => &self.in_clouddns,
            _ => &self.capabilities,
        }
    }

    /// The zones of the configured names and addresses. A name whose zone is not found, or could not be looked for, is
    /// listed as a zone that gives the reason when it is read. An error only if nothing could be looked for.
    async fn zones(&self) -> Result<Vec<Zone>, ProviderError> {
        let (located, mut addresses) = self.locate().await;
        let mut zones: Vec<Zone> = located.zones.iter().map(|(name, place)| self.zone(name, place)).collect();
        zones.append(&mut addresses);
        let missing = located.lost.values().any(|error| matches!(error.kind, ProviderErrorKind::NoZone(_)));
        if let (true, false, Some(error)) = (zones.is_empty(), missing, located.lost.values().next()) {
            return Err(copy(error));
        }
        for name in located.lost.keys() {
            let id = ZoneId::new(format!("{LOST}{}", name.to_text_without_dot()));
            zones.push(Zone { id, name: name.clone(), access: Access::ReadWrite, nameservers: Vec::new() });
        }
        *self.located() = located;
        self.listed.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&zones);
        Ok(zones)
    }

    /// Looks through what was listed in this run, which it does not ask for again.
    async fn zone_by_id(&self, id: &ZoneId, name: Option<&Name>) -> Result<Zone, ProviderError> {
        let mut zones = self.listed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if zones.is_empty() {
            zones = self.zones().await?;
        }
        let lost = |zone: &Zone| zone.id.as_str().starts_with(LOST) && name == Some(&zone.name);
        if let Some(zone) = zones.iter().find(|zone| zone.id == *id) {
            return Ok(zone.clone());
        }
        let doing = format!("looking for the zone {id}");
        if let Some(zone) = zones.iter().find(|zone| lost(zone)) {
            return Err(self.why_lost(zone, &doing));
        }
        let kind = ProviderErrorKind::NoZone(format!("{} holds no zone with the identifier {id}", self.id));
        let remedy = "check zone_id: the number of the domain on CloudDNS, the zone's name on CCP";
        Err(ProviderError::new(doing, kind, remedy))
    }

    async fn snapshot(&self, zone: &Zone) -> Result<Snapshot, ProviderError> {
        let doing = format!("reading the zone {}", zone.name.to_text_without_dot());
        match self.kind(zone) {
            Kind::Ccp => self.ccp(&doing)?.snapshot(&zone.name).await,
            Kind::CloudDns => self.clouddns(&doing)?.snapshot(zone.id.as_str(), &zone.name).await,
            Kind::Address(address) => reverse::snapshot(self.scp(&doing)?, zone, address).await,
            Kind::Lost => Err(self.why_lost(zone, &doing)),
        }
    }

    fn refuse(&self, change: &RRsetChange) -> Vec<Refusal> {
        let mut refusals = self.capabilities.refuse(change);
        let refusal = |message: &str, remedy: &str| Refusal {
            message: format!("{} {}: {message}", change.name(), change.rtype()),
            remedy: remedy.into(),
        };
        if self.addresses.iter().any(|&address| reverse_name(address) == *change.name()) {
            if change.rtype() != RecordType::PTR {
                refusals
                    .push(refusal("an address has a PTR and nothing else", "take the slot out of the configuration"));
            } else if change.after().is_some_and(|set| set.values.len() != 1) {
                refusals.push(refusal("netcup stores one PTR for each address", "name one host"));
            }
            return refusals;
        }
        if change.rtype() == RecordType::PTR && self.capabilities.writable.contains(RecordType::PTR) {
            refusals.push(refusal("netcup's zones take no PTR", "take the slot out of the configuration"));
            return refusals;
        }
        if !self.capabilities.writable.contains(change.rtype()) {
            return refusals;
        }
        let located = self.located();
        let found = holder(change.name(), &located.zones);
        refusals.extend(match (found, &self.ccp, &self.clouddns) {
            (Some((zone, Place::CloudDns(id))), _, Some(clouddns)) => clouddns.refuse(id, zone, change),
            (_, Some(_), _) => ccp::refuse(change),
            // Not looked for yet: what no zone of CloudDNS takes.
            (_, None, Some(clouddns)) => clouddns.refuse("", &Name::root(), change),
            (_, None, None) => Vec::new(),
        });
        refusals
    }

    async fn apply(&self, zone: &Zone, batch: &Batch) -> Result<Receipt, ProviderError> {
        let doing = format!("changing the zone {}", zone.name.to_text_without_dot());
        match self.kind(zone) {
            Kind::Ccp => self.ccp(&doing)?.apply(&zone.name, batch).await,
            Kind::CloudDns => self.clouddns(&doing)?.apply(zone.id.as_str(), &zone.name, batch).await,
            Kind::Address(address) => reverse::apply(self.scp(&doing)?, zone, address, batch).await,
            Kind::Lost => Err(self.why_lost(zone, &doing)),
        }
    }

    /// Ends the session of the CCP API.
    async fn close(&self) {
        if let Some(ccp) = &self.ccp {
            ccp.close().await;
        }
    }
}

fn copy(error: &ProviderError) -> ProviderError {
    let retry: Retry = error.retry;
    ProviderError { retry, ..ProviderError::new(error.operation.clone(), error.kind.clone(), error.remedy.clone()) }
}
