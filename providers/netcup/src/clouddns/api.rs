use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mailzone_http::{Backoff, Call, Client, Pages, Reply, Settings};
use mailzone_provider::{ProviderError, ProviderErrorKind};
use mailzone_record::Name;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::dialect::{Dialect, Evidence, Record};
use super::revision::{Revision, current};
use crate::settings::CloudDnsSettings;
use crate::text::said;

/// Entries of a page; the longest that clients ask for.
const PER_PAGE: usize = 100;
/// The length of a key of the CCP API; those of this API have 64 characters.
const LEGACY_KEY_LENGTH: usize = 50;

/// The account at the REST API.
pub(crate) struct CloudDns {
    client: Client,
    api_key: SecretString,
    /// What the zones that were read show of the forms.
    evidence: Mutex<Shown>,
}

/// Evidence of each zone, by its identifier, and of all together.
#[derive(Default)]
struct Shown {
    zones: HashMap<String, Evidence>,
    account: Evidence,
}

/// What the API says of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Domain {
    /// Its zone is here, with this id.
    Here(String),
    /// The domain is the customer's, its zone is not on this back end.
    Elsewhere,
    /// Not the customer's.
    Unknown,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    success: bool,
    #[serde(default)]
    errors: Vec<Fault>,
    #[serde(default)]
    meta: Option<Meta>,
    #[serde(default)]
    result: Value,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    pagination: Option<Pagination>,
}

#[derive(Deserialize)]
struct Pagination {
    #[serde(default, rename = "lastPage")]
    last_page: usize,
}

#[derive(Deserialize)]
struct Listed {
    id: Value,
    fqdn: String,
    #[serde(rename = "isDnsManaged")]
    is_dns_managed: bool,
}

impl CloudDns {
    /// No I/O.
    pub(crate) fn new(
        settings: CloudDnsSettings,
        concurrency: usize,
        timeout: Duration,
        backoff: Backoff,
    ) -> Result<Self, ProviderError> {
        let client = Client::new(Settings {
            service: "netcup",
            base: settings.endpoint,
            timeout,
            budget: settings.budget,
            concurrency,
            secrets: vec![settings.api_key.clone()],
            backoff,
        })?;
        Ok(Self { client, api_key: settings.api_key, evidence: Mutex::default() })
    }

    /// Whether the zone `name` is on this back end.
    pub(crate) async fn find(&self, name: &Name) -> Result<Domain, ProviderError> {
        let fqdn = name.to_lowercase().to_text_without_dot();
        let call = Call::get("/domain").query("fqdn", &fqdn);
        let envelope = match self.read(call, format!("looking for the zone {fqdn}")).await {
            Err(error) if matches!(error.kind, ProviderErrorKind::NoZone(_)) => return Ok(Domain::Unknown),
            envelope => envelope?,
        };
        let domains: Vec<Listed> = match envelope.result {
            Value::Null => Vec::new(),
            result => self.decode(result, &format!("looking for the zone {fqdn}"))?,
        };
        let found = domains.iter().find(|domain| domain.fqdn.trim_end_matches('.').eq_ignore_ascii_case(&fqdn));
        Ok(match found {
            None => Domain::Unknown,
            Some(domain) if !domain.is_dns_managed => Domain::Elsewhere,
            Some(domain) => Domain::Here(match &domain.id {
                Value::String(id) => id.clone(),
                id => id.to_string(),
            }),
        })
    }

    /// Every record of the zone as it is in force.
    pub(super) async fn records(&self, id: &str, doing: &str) -> Result<Vec<Record>, ProviderError> {
        let path = format!("/domain/{}/dns/revision", Call::segment(id));
        let revisions: Vec<Revision> = self.pages(&path, doing).await?;
        let Some(revision) = current(&revisions) else {
            if revisions.is_empty() {
                return Ok(Vec::new());
            }
            let states: Vec<_> = revisions.iter().take(5).map(|revision| said(&revision.state)).collect();
            let kind = ProviderErrorKind::Protocol(format!(
                "none of the zone's {} revisions is known to be in force (states: {})",
                revisions.len(),
                states.join(", ")
            ));
            return Err(ProviderError::new(doing, kind, "commit or discard the drafts in netcup's control panel"));
        };
        self.pages(&format!("{path}/{}/record", Call::segment(&revision.identifier)), doing).await
    }

    /// Deletes and creates records as one revision. Nothing is done if one to be deleted is not there as given.
    pub(super) async fn changeset(
        &self,
        id: &str,
        delete: &[Value],
        create: &[Value],
        doing: &str,
    ) -> Result<(), ProviderError> {
        let body = json!({ "autoCommit": true, "strict": true, "create": create, "delete": delete });
        let call = Call::post(format!("/domain/{}/changeset", Call::segment(id))).json(&body);
        let reply = self.client.send(call.bearer(&self.api_key).doing(doing)).await?;
        if reply.is_success() && reply.body().is_empty() { Ok(()) } else { self.envelope(&reply).map(drop) }
    }

    /// All pages of a list.
    async fn pages<T: DeserializeOwned>(&self, path: &str, doing: &str) -> Result<Vec<T>, ProviderError> {
        let mut pages = Pages::new(doing);
        let mut all = Vec::new();
        for page in 1usize.. {
            pages.next(&page.to_string())?;
            let call = Call::get(path).query("page", page).query("perPage", PER_PAGE);
            let envelope = self.read(call, doing.to_owned()).await?;
            let entries: Vec<T> = self.decode(envelope.result, doing)?;
            let last = match envelope.meta.and_then(|meta| meta.pagination) {
                Some(pagination) => page >= pagination.last_page,
                // Without a count only a page that is not full is the last one.
                None => entries.len() < PER_PAGE,
            };
            all.extend(entries);
            if last {
                break;
            }
        }
        Ok(all)
    }

    async fn read(&self, call: Call, doing: String) -> Result<Envelope, ProviderError> {
        let call = call.bearer(&self.api_key).doing(doing).transient_if(is_no_answer);
        self.envelope(&self.client.send(call).await?)
    }

    fn envelope(&self, reply: &Reply) -> Result<Envelope, ProviderError> {
        let envelope: Envelope = match reply.json() {
            Ok(envelope) => envelope,
            // A gate in front of the API has no envelope.
            Err(_) if matches!(reply.status, 401 | 403) => return Err(self.failure(reply, &[])),
            Err(error) => return Err(error),
        };
        if reply.is_success() && envelope.success { Ok(envelope) } else { Err(self.failure(reply, &envelope.errors)) }
    }

    fn decode<T: DeserializeOwned>(&self, value: Value, doing: &str) -> Result<Vec<T>, ProviderError> {
        serde_json::from_value(value).map_err(|error| {
            let text = format!("netcup's answer is not what its API says: {}", said(&error.to_string()));
            let kind = ProviderErrorKind::Protocol(self.client.redact(&text));
            ProviderError::new(doing, kind, "the API has changed: report it")
        })
    }

    fn failure(&self, reply: &Reply, faults: &[Fault]) -> ProviderError {
        let said: Vec<_> =
            faults.iter().map(|fault| format!("{} ({})", said(&fault.message), said(&fault.code))).collect();
        let said = if said.is_empty() { format!("status {}", reply.status) } else { said.join("; ") };
        let has = |part: &str| faults.iter().any(|fault| fault.code.to_lowercase().contains(part));
        if has("authentication") || reply.status == 401 {
            let remedy = if self.api_key.expose_secret().len() == LEGACY_KEY_LENGTH {
                "rest_api_key has 50 characters like a key of the CCP API: give that as api_key, with customer_number \
                 and api_password; rest_api_key is one of the \"API Keys\" (64 characters)"
            } else {
                "make a key in the customer control panel under Master Data > API > API Keys (not Legacy API Keys)"
            };
            let text = format!("netcup does not accept the REST API key: {said}");
            return reply.failure(ProviderErrorKind::Credentials, &text, remedy);
        }
        if has("authorization") || has("permission") || has("forbidden") || reply.status == 403 {
            let text = format!("the REST API key may not do this: {said}");
            return reply.failure(
                ProviderErrorKind::Permission,
                &text,
                "give the key the rights for this domain's DNS",
            );
        }
        if has("resourcedoesnotexist") {
            let text = format!("netcup's CloudDNS holds no such zone: {said}");
            return reply.failure(ProviderErrorKind::NoZone, &text, "check the domain");
        }
        if has("recorddoesnotexist") {
            let text = format!("a record that was to be replaced is not there as it was read: {said}");
            return reply.failure(ProviderErrorKind::Conflict, &text, "plan again");
        }
        if reply.status == 404 {
            let text = format!("netcup's CloudDNS holds no such zone: {said}");
            return reply.failure(ProviderErrorKind::NoZone, &text, "check the domain and rest_endpoint");
        }
        let text = format!("netcup refuses it: {said}");
        reply.failure(
            ProviderErrorKind::Refused,
            &text,
            "change what netcup names, or take it out of the configuration",
        )
    }
}

impl CloudDns {
    /// How the zone spells its records, by what it and the account's other zones have shown in this run.
    pub(super) fn dialect(&self, id: &str, zone: &Name) -> Dialect {
        let shown = self.evidence.lock().unwrap_or_else(PoisonError::into_inner);
        Dialect::new(zone, shown.zones.get(id).copied().unwrap_or_default().or(shown.account))
    }

    /// Takes what the zone shows now.
    pub(super) fn learn(&self, id: &str, evidence: Evidence) {
        let mut shown = self.evidence.lock().unwrap_or_else(PoisonError::into_inner);
        shown.zones.insert(id.to_owned(), evidence);
        shown.account = shown.account.or(evidence);
    }
}

impl fmt::Debug for CloudDns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudDns").field("client", &self.client).finish_non_exhaustive()
    }
}

/// Something in front of the API answered, or only a part of the answer came.
fn is_no_answer(reply: &Reply) -> bool {
    reply.is_success() && serde_json::from_slice::<serde::de::IgnoredAny>(reply.body()).is_err()
}
