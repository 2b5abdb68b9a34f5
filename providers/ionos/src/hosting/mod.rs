//! The hosting DNS API of IONOS (the former 1&1).

mod api;
mod listing;
mod loss;
mod service;
mod write;

use std::collections::BTreeSet;

use async_trait::async_trait;
use mailzone_http::{Client, Settings};
use mailzone_provider::{
    Access, Batch, Capabilities, ExpectedSideEffect, Provider, ProviderError, ProviderErrorKind, ProviderId,
    RRsetChange, Receipt, Refusal, Snapshot, TtlRange, TypeSet, Zone, ZoneId,
};
use mailzone_record::{Name, RecordType, Ttl};
use secrecy::SecretString;

use self::api::Api;

/// The account of one API key.
///
/// A batch is a re-read of the zone, at most one PATCH, one DELETE for each value of a set that goes, and a
/// re-read of the whole zone, which is compared with the first: IONOS changes records of its own services
/// by itself when mail records are written.
#[derive(Debug)]
pub struct IonosProvider {
    id: ProviderId,
    api: Api,
    base: String,
    capabilities: Capabilities,
}

impl IonosProvider {
    /// Where the API is.
    pub const BASE: &str = "https://api.hosting.ionos.com/dns";
    /// IONOS documents no limit; at this rate none has been seen.
    pub const REQUESTS_PER_SECOND: f64 = 2.0;
    /// So many requests may go out at once.
    pub const BURST: u32 = 4;
    /// Zones asked or written at a time.
    pub const CONCURRENCY: usize = 4;

    /// The provider with `key` (`PREFIX.SECRET`), which it adds to the secrets of `settings`. No I/O.
    pub fn new(id: ProviderId, key: SecretString, mut settings: Settings) -> Result<Self, ProviderError> {
        let capabilities = Capabilities {
            writable: TypeSet::Only(writable()),
            ttl: TtlRange { min: seconds(60), max: seconds(604_800), per_rrset: true },
            atomic: false,
            compare_and_swap: false,
            concurrency: settings.concurrency.max(1),
            expected_visible: 900,
            apex_cname: false,
        };
        let base = settings.base.as_str().trim_end_matches('/').to_owned();
        settings.secrets.push(key.clone());
        Ok(Self { id, api: Api::new(Client::new(settings)?, key), base, capabilities })
    }
}

#[async_trait]
impl Provider for IonosProvider {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn zones(&self) -> Result<Vec<Zone>, ProviderError> {
        let entries = self.api.zones().await?;
        entries.into_iter().map(zone).collect()
    }

    async fn snapshot(&self, zone: &Zone) -> Result<Snapshot, ProviderError> {
        Ok(self.api.read(zone).await?.snapshot())
    }

    fn refuse(&self, change: &RRsetChange) -> Vec<Refusal> {
        let mut refusals = self.capabilities.refuse(change);
        let challenge =
            change.name().labels().next().is_some_and(|label| label.eq_ignore_ascii_case(b"_acme-challenge"));
        if challenge {
            refusals.push(Refusal {
                message: format!(
                    "{} {} belongs to a running certificate request, which a write of the whole set would disturb: \
                     IONOS cannot compare before it writes",
                    change.name(),
                    change.rtype()
                ),
                remedy: "leave it to the ACME client".into(),
            });
        }
        refusals
    }

    fn side_effects(&self, snapshot: &Snapshot, changes: &[RRsetChange]) -> Vec<ExpectedSideEffect> {
        service::expected(snapshot, changes)
    }

    async fn apply(&self, zone: &Zone, batch: &Batch) -> Result<Receipt, ProviderError> {
        self.write(zone, batch).await
    }
}

fn zone(entry: listing::ZoneEntry) -> Result<Zone, ProviderError> {
    let name = Name::parse(&entry.name).map_err(|error| {
        let kind = ProviderErrorKind::Protocol(format!("IONOS lists a zone with the name {:?}: {error}", entry.name));
        ProviderError::new("listing the zones at IONOS", kind, "try again later")
    })?;
    let access = match entry.kind.as_str() {
        "SLAVE" => Access::ReadOnly {
            reason: "a secondary zone".into(),
            remedy: "change the zone at its primary server".into(),
        },
        _ => Access::ReadWrite,
    };
    Ok(Zone { id: ZoneId::new(entry.id), name, access, nameservers: Vec::new() })
}

/// The types of specification 1.0.1, without SOA.
fn writable() -> BTreeSet<RecordType> {
    use RecordType as T;
    [T::A, T::AAAA, T::CNAME, T::MX, T::NS, T::SRV, T::TXT, T::CAA].into_iter().collect()
}

fn seconds(seconds: u32) -> Ttl {
    Ttl::from_secs(seconds).unwrap_or(Ttl::MAX)
}
