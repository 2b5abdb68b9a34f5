use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use mailzone_http::{Backoff, Call, Client, Effect, Settings};
use mailzone_provider::{ProviderError, ProviderErrorKind, Retry};
use mailzone_record::{Name, Ttl};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::answer::{Answer, NO_RECORDS, SESSION, is_throttled};
use crate::settings::CcpSettings;

/// How long the end of a run waits for the logout.
const LOGOUT: Duration = Duration::from_secs(5);
/// The length of a key of the REST API; those of this API have 50 characters.
pub(crate) const REST_KEY_LENGTH: usize = 64;

/// The account at the CCP API.
///
/// The session begins with the first call. The lock on it is held during each call, so there is never
/// more than one under way: parallel ones have been seen to end each other's session.
pub(crate) struct Ccp {
    client: Client,
    customer_number: String,
    api_key: SecretString,
    api_password: SecretString,
    session: tokio::sync::Mutex<Option<SecretString>>,
    /// What netcup said when it locked the account; nothing is asked after that.
    locked: OnceLock<String>,
    /// The TTL of each zone found in this run.
    zones: Mutex<HashMap<Name, Option<Ttl>>>,
}

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    InfoDnsZone,
    InfoDnsRecords,
    UpdateDnsRecords,
}

impl Ccp {
    /// No I/O.
    pub(crate) fn new(settings: CcpSettings, timeout: Duration, backoff: Backoff) -> Result<Self, ProviderError> {
        let client = Client::new(Settings {
            service: "netcup",
            base: settings.endpoint,
            timeout,
            budget: settings.budget,
            concurrency: 1,
            secrets: vec![settings.api_key.clone(), settings.api_password.clone()],
            backoff,
        })?;
        Ok(Self {
            client,
            customer_number: settings.customer_number,
            api_key: settings.api_key,
            api_password: settings.api_password,
            session: tokio::sync::Mutex::default(),
            locked: OnceLock::new(),
            zones: Mutex::default(),
        })
    }

    /// The zone's TTL if the account has the zone on this back end. Asked once in a run.
    pub(crate) async fn find(&self, name: &Name) -> Result<Option<Option<Ttl>>, ProviderError> {
        if let Some(ttl) = self.known(name) {
            return Ok(Some(ttl));
        }
        let doing = format!("looking for the zone {}", name.to_text_without_dot());
        let answer = self.call(Action::InfoDnsZone, &doing, domain(name)).await;
        let data = match answer {
            Err(error) if matches!(error.kind, ProviderErrorKind::NoZone(_)) => return Ok(None),
            answer => answer?,
        };
        let ttl = match data.get("ttl") {
            Some(Value::String(text)) => Ttl::parse(text.trim()).ok(),
            Some(number) => number.as_u64().and_then(|ttl| u32::try_from(ttl).ok()).and_then(Ttl::from_secs),
            None => None,
        };
        self.zones.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), ttl);
        Ok(Some(ttl))
    }

    /// The TTL of a zone that was found in this run.
    pub(super) fn known(&self, name: &Name) -> Option<Option<Ttl>> {
        self.zones.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }

    /// One call in the session, with a new login if the session has ended. A call that netcup answers with "no
    /// session" was not carried out, so a write is repeated too; once.
    pub(super) async fn call(&self, action: Action, doing: &str, mut param: Value) -> Result<Value, ProviderError> {
        let mut session = self.session.lock().await;
        for last in [false, true] {
            let id = match &*session {
                Some(id) => id.clone(),
                None => {
                    let id = self.login(doing).await?;
                    self.client.hide(&id);
                    session.insert(id).clone()
                }
            };
            param["customernumber"] = json!(self.customer_number);
            param["apikey"] = json!(self.api_key.expose_secret());
            param["apisessionid"] = json!(id.expose_secret());
            let mut call = call(action.name(), &param).doing(doing);
            call = match action {
                Action::UpdateDnsRecords => call,
                _ => call.effect(Effect::Read).transient_if(is_no_answer),
            };
            self.check_lock(doing)?;
            let reply = self.client.send(call).await?;
            let answer = Answer::read(&reply)?;
            if answer.is_success() {
                return Ok(answer.responsedata);
            }
            if answer.statuscode == SESSION {
                *session = None;
                if last {
                    let text =
                        format!("netcup ended the session twice in a row: {}", self.client.redact(&answer.text()));
                    let kind = ProviderErrorKind::Unreachable(text);
                    let remedy = "try again; if it stays, look for another program that uses the same account at this \
                                  moment";
                    return Err(ProviderError { retry: Retry::Later, ..ProviderError::new(doing, kind, remedy) });
                }
                continue;
            }
            return Err(self.failure(doing, &answer));
        }
        let kind = ProviderErrorKind::Unreachable("netcup keeps no session".into());
        Err(ProviderError::new(doing, kind, "try again"))
    }

    /// Ends the session, if there is one. Whatever comes of it.
    pub(crate) async fn close(&self) {
        let Some(id) = self.session.lock().await.take() else { return };
        if self.locked.get().is_some() {
            return;
        }
        let param = json!({
            "customernumber": self.customer_number,
            "apikey": self.api_key.expose_secret(),
            "apisessionid": id.expose_secret(),
        });
        let logout = self.client.send(call("logout", &param).doing("logging out"));
        if let Ok(Err(error)) = tokio::time::timeout(LOGOUT, logout).await {
            tracing::debug!(%error, "the logout failed");
        }
    }

    /// Whether nothing more is asked of this account in this run.
    pub(super) fn is_locked(&self) -> bool {
        self.locked.get().is_some()
    }

    /// A session. Only the answer's code and texts are shown: the rest is the session.
    async fn login(&self, doing: &str) -> Result<SecretString, ProviderError> {
        self.check_lock(doing)?;
        let param = json!({
            "customernumber": self.customer_number,
            "apikey": self.api_key.expose_secret(),
            "apipassword": self.api_password.expose_secret(),
        });
        // A login that is carried out twice leaves a session that nobody uses, until it expires.
        let login = call("login", &param).doing(format!("{doing} (login)")).effect(Effect::Read);
        let reply = self.client.send(login).await?;
        let unreadable = || {
            let kind = ProviderErrorKind::Protocol("netcup's answer to the login cannot be read".into());
            let remedy = "check the endpoint and that no proxy is in between, and try again later";
            ProviderError { retry: Retry::Later, ..ProviderError::new(doing, kind, remedy) }
        };
        let answer: Answer = serde_json::from_slice(reply.body()).map_err(|_| unreadable())?;
        if answer.is_success() {
            let id = answer.responsedata.get("apisessionid").and_then(Value::as_str).filter(|id| !id.is_empty());
            return id.map(SecretString::from).ok_or_else(unreadable);
        }
        if answer.is_lock_out() {
            return Err(self.failure(doing, &answer));
        }
        let text = format!("netcup refuses the login: {}", self.client.redact(&answer.text()));
        let remedy = if self.api_key.expose_secret().len() == REST_KEY_LENGTH {
            "api_key has 64 characters like a key of netcup's REST API: give it as rest_api_key; api_key is one of the \
             \"Legacy API Keys\" (50 characters)"
        } else if !self.customer_number.bytes().all(|b| b.is_ascii_digit()) {
            "customer_number is the number alone, as the customer control panel shows it; check api_key and \
             api_password too"
        } else {
            "check customer_number, api_key and api_password: in the customer control panel under Master Data > API; \
             the account's own password is none of them"
        };
        Err(ProviderError::new(doing, ProviderErrorKind::Credentials(text), remedy))
    }

    fn check_lock(&self, doing: &str) -> Result<(), ProviderError> {
        self.locked.get().map_or(Ok(()), |text| Err(locked(doing, text)))
    }

    fn failure(&self, doing: &str, answer: &Answer) -> ProviderError {
        if answer.is_lock_out() {
            let text = self.locked.get_or_init(|| self.client.redact(&answer.text()));
            return locked(doing, text);
        }
        let (kind, remedy) = answer.failure();
        let kind = match kind {
            ProviderErrorKind::Refused(text) => ProviderErrorKind::Refused(self.client.redact(&text)),
            kind => kind,
        };
        ProviderError::new(doing, kind, remedy)
    }
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Self::InfoDnsZone => "infoDnsZone",
            Self::InfoDnsRecords => "infoDnsRecords",
            Self::UpdateDnsRecords => "updateDnsRecords",
        }
    }
}

impl fmt::Debug for Ccp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ccp").field("client", &self.client).finish_non_exhaustive()
    }
}

/// The parameter that names the zone.
pub(super) fn domain(name: &Name) -> Value {
    json!({ "domainname": name.to_lowercase().to_text_without_dot() })
}

/// Whether the answer says that there are no records, or no such domain.
pub(super) fn is_no_records(error: &ProviderError) -> bool {
    let code = format!("({NO_RECORDS})");
    matches!(&error.kind, ProviderErrorKind::NoZone(text) if text.ends_with(&code))
}

fn call(action: &str, param: &Value) -> Call {
    Call::post("").json(&json!({ "action": action, "param": param })).throttled_if(is_throttled)
}

/// Something in front of the API answered, or only a part of the answer came.
fn is_no_answer(reply: &mailzone_http::Reply) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(reply.body()).is_err()
}

fn locked(doing: &str, text: &str) -> ProviderError {
    let kind = ProviderErrorKind::Throttled(format!("netcup has locked the API for this account or address: {text}"));
    let remedy = "too many calls failed, of this or another program; mailzone asks nothing more in this run. Mend what \
                  the errors before say, wait (netcup does not say how long; an hour is a start), and try again";
    ProviderError::new(doing, kind, remedy)
}
