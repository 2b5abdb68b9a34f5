//! Amazon Route 53 as a provider.
//!
//! The service's record set is ours, and identifies itself by name and type: nothing has to be looked up. Sets that are
//! more than that (aliases, weighted and other routed sets, protected ones) are shown with a protection and
//! never written.
//!
//! A batch is one `ChangeResourceRecordSets`: the deletion of each old set, in the exact texts received, and the creation
//! of each new one. All of it applies or nothing, and a deletion that does not match what is stored is refused, so
//! the write itself is the compare-and-swap. `UPSERT`, which overwrites whatever is there, is not used. A
//! batch beyond the service's limits (1000 values, 32,000 characters, old and new together) is several requests, each
//! with all of its names: then it is not all or nothing, and the zone is compared before the first.
//!
//! An answer that was lost is never taken for a failure: the zone is read, and what is not there is sent again.

mod changes;
mod client;
mod failure;
mod read;
mod text;
mod write;
mod xml;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mailzone_http::{Backoff, Base, Budget};
use mailzone_provider::{
    Batch, Capabilities, Provider, ProviderError, ProviderId, RRsetChange, Receipt, Refusal, Snapshot, TtlRange,
    TypeSet, Zone, ZoneId,
};
use mailzone_record::{Name, RecordType};
use secrecy::SecretString;

use client::Service;

/// The requests a second that AWS documents for an account.
pub const REQUESTS_PER_SECOND: f64 = 10.0;
/// The requests at once that AWS documents for an account.
pub const BURST: u32 = 50;

/// The most characters of one value, quotes and escapes included.
const MAX_VALUE: usize = 4_000;
/// The most values of one set.
const MAX_VALUES: usize = 400;

/// Types that the service's model has and that are worth writing. SPF (99) is obsolete: it is only deleted. SOA is made
/// with the zone.
const WRITABLE: [RecordType; 16] = [
    RecordType::A,
    RecordType::AAAA,
    RecordType::CAA,
    RecordType::CNAME,
    RecordType::DS,
    RecordType::HTTPS,
    RecordType::MX,
    RecordType::NAPTR,
    RecordType::NS,
    RecordType::PTR,
    RecordType::SPF,
    RecordType::SRV,
    RecordType::SSHFP,
    RecordType::SVCB,
    RecordType::TLSA,
    RecordType::TXT,
];

/// How to reach the service.
#[derive(Debug)]
pub struct Settings {
    /// A profile of AWS's configuration files; `None`: the default chain's.
    pub profile: Option<String>,
    /// The region that requests are signed for; `None`: what the chain says, else `us-east-1`.
    pub region: Option<String>,
    /// A role to take on with the credentials.
    pub role_arn: Option<String>,
    /// Another base than AWS's. Whoever gives one sees to it that the credentials are meant for it.
    pub endpoint: Option<Base>,
    /// Of one request, connecting included.
    pub timeout: Duration,
    /// Of the account, shared by all that use it. [`REQUESTS_PER_SECOND`] and [`BURST`] are AWS's figures.
    pub budget: Arc<Budget>,
    /// How many requests are under way at a time; also how many zones.
    pub concurrency: usize,
    /// Credentials given explicitly. Without `role_arn` nothing of the machine's AWS configuration is read then.
    pub credentials: Option<AccessKeys>,
    /// How requests are repeated.
    pub backoff: Backoff,
    /// How the service is asked whether a change is served.
    pub polling: Polling,
}

/// An access key, long-lived or of a session.
#[derive(Clone)]
pub struct AccessKeys {
    /// The key's identifier, which is no secret.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: SecretString,
    /// Of a session.
    pub session_token: Option<SecretString>,
}

/// How often and how long `GetChange` is asked for `INSYNC`.
#[derive(Debug, Clone, Copy)]
pub struct Polling {
    /// The wait before the first question; each further one is half as long again.
    pub first: Duration,
    /// The longest wait between two questions.
    pub max: Duration,
    /// When it is given up; the write stays accepted.
    pub patience: Duration,
}

/// One AWS account (or what one set of credentials sees of it).
#[derive(Debug)]
pub struct Route53Provider {
    id: ProviderId,
    capabilities: Capabilities,
    service: Service,
    polling: Polling,
    /// Changes that were accepted and are not known to be served yet.
    pending: Mutex<HashMap<ZoneId, Vec<String>>>,
    /// Whether protections can be listed, as far as is known.
    protections_known: AtomicBool,
}

impl Route53Provider {
    /// The provider. Reads and contacts nothing: the credentials chain is asked when the service is.
    pub fn new(id: ProviderId, settings: Settings) -> Self {
        let capabilities = Capabilities {
            writable: TypeSet::Only(BTreeSet::from(WRITABLE)),
            ttl: TtlRange::ANY,
            atomic: true,
            compare_and_swap: true,
            concurrency: settings.concurrency.max(1),
            expected_visible: 300,
            apex_cname: false,
        };
        let polling = settings.polling;
        let service = Service::new(settings);
        let protections_known = AtomicBool::new(true);
        Self { id, capabilities, service, polling, pending: Mutex::default(), protections_known }
    }

    /// Why a change cannot be stored.
    pub(crate) fn refusals(&self, change: &RRsetChange) -> Vec<Refusal> {
        let mut refusals = self.capabilities.refuse(change);
        let (name, rtype) = (change.name(), change.rtype());
        let Some(after) = change.after() else { return refusals };
        let mut refuse = |message: String, remedy: &str| refusals.push(Refusal { message, remedy: remedy.into() });
        if rtype == RecordType::SPF {
            refuse(
                format!("{name}: the type SPF is obsolete (RFC 7208 section 3.1)"),
                "publish the policy as TXT; records of type SPF are only deleted",
            );
        }
        let values = changes::distinct(after);
        if values.len() > MAX_VALUES {
            refuse(
                format!("{name} {rtype} has {} values; Route 53 stores at most {MAX_VALUES}", values.len()),
                "use fewer values",
            );
        }
        for value in values {
            match text::value_text(rtype, value) {
                None => refuse(
                    format!("{name} {rtype}: Route 53 has no text for a value: {}", value.rdata),
                    "write the value in the form of its type, not as \\#",
                ),
                Some(text) if text.chars().count() > MAX_VALUE => refuse(
                    format!(
                        "{name} {rtype}: a value has {} characters with quotes and escapes; Route 53 stores at most \
                         {MAX_VALUE}",
                        text.chars().count()
                    ),
                    "shorten the value",
                ),
                Some(_) => {}
            }
        }
        refusals
    }
}

#[async_trait]
impl Provider for Route53Provider {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn zones(&self) -> Result<Vec<Zone>, ProviderError> {
        self.list_zones().await
    }

    async fn zone_by_id(&self, id: &ZoneId, _name: Option<&Name>) -> Result<Zone, ProviderError> {
        self.find_zone(id).await
    }

    async fn snapshot(&self, zone: &Zone) -> Result<Snapshot, ProviderError> {
        self.read(zone).await
    }

    fn refuse(&self, change: &RRsetChange) -> Vec<Refusal> {
        self.refusals(change)
    }

    async fn apply(&self, zone: &Zone, batch: &Batch) -> Result<Receipt, ProviderError> {
        self.write(zone, batch).await
    }

    async fn settle(&self, zone: &Zone, _receipt: &Receipt) -> Result<(), ProviderError> {
        self.wait(zone).await;
        Ok(())
    }
}

impl Default for Polling {
    /// 5 s, growing to 20 s, for at most 5 minutes: asking costs the account's requests, and a change takes up to a
    /// minute as a rule.
    fn default() -> Self {
        Self { first: Duration::from_secs(5), max: Duration::from_secs(20), patience: Duration::from_secs(300) }
    }
}

impl fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKeys").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}
