//! Cloudflare DNS as a provider: API version 4.
//!
//! The service knows records and no RRsets: each value has an identifier, a TTL, a comment and tags of its own. A write
//! is one `batch` of deletions, patches and additions, which the service carries out in one transaction. There is nothing
//! to compare with in the same step, so the records of the names touched are read again just before; a change in
//! the moment between both is not noticed, but records are addressed by identifier, so one that appears in that moment
//! stays, and one that vanishes fails the batch.
//!
//! A value that changes is patched in place, which keeps comment, tags and settings. Values that stay are not sent.

mod decode;
mod encode;
mod failure;
mod fields;
mod operations;
mod read;
#[cfg(test)]
mod recorded;
mod wire;
mod write;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mailzone_http::{Backoff, Base, Budget, Call, Client, Reply, Settings};
use mailzone_provider::{
    Batch, Capabilities, Provider, ProviderError, ProviderId, RRsetChange, Receipt, Refusal, Snapshot, TtlRange,
    TypeSet, Zone, ZoneId,
};
use mailzone_record::{Name, Ttl};
use secrecy::SecretString;

/// The base of the public API.
pub const ENDPOINT: &str = "https://api.cloudflare.com/client/v4";

/// Requests a second in the long run. With [`BURST`] it stays below the 1,200 in five minutes that a user has, over all
/// tokens and the dashboard: 100 + 300 x 3.5 = 1,150.
pub const REQUESTS_PER_SECOND: f64 = 3.5;

/// Requests that may go out at once.
pub const BURST: u32 = 100;

/// Requests, and zones, at a time. The budget is what keeps within the service's limits; this hides its answers' delay.
pub const CONCURRENCY: usize = 32;

/// The time for one request.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// The TTLs that every plan stores. Enterprise zones store 30 s and more.
const TTL_RANGE: TtlRange = TtlRange { min: Ttl::from_wire(60), max: Ttl::from_wire(86_400), per_rrset: true };

/// Who asks.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// An API token: its rights are those that it was given.
    Token(SecretString),
    /// The account's global key, which has all rights of its user.
    Key {
        /// The user's address.
        email: String,
        /// The key.
        key: SecretString,
    },
}

/// The zones that one set of credentials reaches.
pub struct CloudflareProvider {
    id: ProviderId,
    credentials: Credentials,
    client: Client,
    capabilities: Capabilities,
    /// Plans of the zones listed so far.
    plans: Mutex<HashMap<ZoneId, Plan>>,
}

/// What a zone's limits depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    /// Free, or not known: the strictest limits.
    Free,
    /// Pro, Business, Enterprise.
    Paid,
}

/// The client's settings with the service's documented limits. Whoever makes several providers with the same
/// credentials gives them the same `budget`.
pub fn settings(base: Base, budget: Arc<Budget>) -> Settings {
    Settings {
        service: "Cloudflare",
        base,
        timeout: TIMEOUT,
        budget,
        concurrency: CONCURRENCY,
        secrets: Vec::new(),
        backoff: Backoff::default(),
    }
}

/// A budget of the service's documented limit.
pub fn budget() -> Budget {
    Budget::new(REQUESTS_PER_SECOND, BURST)
}

impl Credentials {
    /// Whether this is the global key: its holder is better off with a token.
    pub fn is_global_key(&self) -> bool {
        matches!(self, Self::Key { .. })
    }

    fn secret(&self) -> &SecretString {
        match self {
            Self::Token(secret) | Self::Key { key: secret, .. } => secret,
        }
    }
}

impl CloudflareProvider {
    /// The provider. No I/O. The credentials' secret is added to those that the client redacts.
    ///
    /// # Errors
    /// Of kind `Configuration` where the client cannot be made.
    pub fn new(id: ProviderId, credentials: Credentials, mut settings: Settings) -> Result<Self, ProviderError> {
        settings.secrets.push(credentials.secret().clone());
        let capabilities = Capabilities {
            writable: TypeSet::Only(encode::writable()),
            ttl: TTL_RANGE,
            // All changes of a request are written or none; those of a large stage go out in several.
            atomic: false,
            compare_and_swap: false,
            concurrency: settings.concurrency.max(1),
            expected_visible: 120,
            apex_cname: true,
        };
        let client = Client::new(settings)?;
        Ok(Self { id, credentials, client, capabilities, plans: Mutex::default() })
    }

    fn authorized(&self, call: Call) -> Call {
        let call = call.transient_if(is_no_json);
        match &self.credentials {
            Credentials::Token(token) => call.bearer(token),
            Credentials::Key { email, key } => call.header("x-auth-email", email).secret_header("x-auth-key", key),
        }
    }

    fn remember(&self, id: &ZoneId, plan: Plan) {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), plan);
    }

    fn plan(&self, id: &ZoneId) -> Plan {
        let plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        plans.get(id).copied().unwrap_or(Plan::Free)
    }
}

impl Plan {
    fn of(legacy_id: &str) -> Self {
        match legacy_id {
            "pro" | "business" | "enterprise" => Self::Paid,
            _ => Self::Free,
        }
    }

    /// The operations that one batch may have.
    fn batch_limit(self) -> usize {
        match self {
            Self::Free => 200,
            Self::Paid => 3_500,
        }
    }
}

/// A success that is no JSON: the page of something in between.
fn is_no_json(reply: &Reply) -> bool {
    reply.is_success() && !reply.body().trim_ascii_start().starts_with(b"{")
}

/// Without credentials.
impl fmt::Debug for CloudflareProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudflareProvider").field("id", &self.id).finish_non_exhaustive()
    }
}

#[async_trait]
impl Provider for CloudflareProvider {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn zones(&self) -> Result<Vec<Zone>, ProviderError> {
        self.list_zones().await
    }

    async fn zone_by_id(&self, id: &ZoneId, name: Option<&Name>) -> Result<Zone, ProviderError> {
        self.find_zone(id, name).await
    }

    async fn snapshot(&self, zone: &Zone) -> Result<Snapshot, ProviderError> {
        self.read(zone).await
    }

    fn refuse(&self, change: &RRsetChange) -> Vec<Refusal> {
        let mut refusals = self.capabilities.refuse(change);
        if refusals.is_empty() {
            refusals = encode::refuse(change);
        }
        refusals
    }

    async fn apply(&self, zone: &Zone, batch: &Batch) -> Result<Receipt, ProviderError> {
        self.write(zone, batch).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_stays_below_the_documented_limit() {
        assert!(f64::from(BURST) + 300.0 * REQUESTS_PER_SECOND <= 1_200.0);
    }

    #[test]
    fn plans() {
        let limits = ["free", "pro", "business", "enterprise", ""].map(|id| Plan::of(id).batch_limit());
        assert_eq!(limits, [200, 3_500, 3_500, 3_500, 200]);
    }
}
