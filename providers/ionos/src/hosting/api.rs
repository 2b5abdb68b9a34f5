//! The calls of the API, and what its errors mean.

use mailzone_http::{Call, Client, Reply};
use mailzone_provider::{ProviderError, ProviderErrorKind, Retry, Zone};
use mailzone_record::Name;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::listing::{Listing, Sent, ZoneAnswer, ZoneEntry};
use crate::failure;

/// The API with its key.
#[derive(Debug)]
pub(crate) struct Api {
    client: Client,
    key: SecretString,
}

/// One element of an error body.
#[derive(Debug, Deserialize)]
struct Fault {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    parameters: Option<serde_json::Value>,
}

impl Api {
    pub(crate) fn new(client: Client, key: SecretString) -> Self {
        Self { client, key }
    }

    /// `GET /v1/zones`: all zones, the API has no pages.
    pub(crate) async fn zones(&self) -> Result<Vec<ZoneEntry>, ProviderError> {
        let operation = "listing the zones at IONOS";
        let reply = self.send(Call::get("/v1/zones"), operation).await?;
        match reply.is_success() {
            true => reply.json(),
            false => Err(self.failure(&reply, operation, Subject::Account)),
        }
    }

    /// `GET /v1/zones/{id}`: all records of a zone, the API has no pages.
    pub(crate) async fn read(&self, zone: &Zone) -> Result<Listing, ProviderError> {
        let operation = format!("reading {} at IONOS", shown(&zone.name));
        let reply = self.send(Call::get(zone_path(zone)), &operation).await?;
        if !reply.is_success() {
            return Err(self.failure(&reply, &operation, Subject::Zone));
        }
        let answer: ZoneAnswer = reply.json()?;
        Listing::read(answer, &zone.name).map_err(|fault| {
            let kind = ProviderErrorKind::Protocol(self.client.redact(&fault));
            ProviderError::new(operation, kind, "look at the zone's records in the IONOS control panel")
        })
    }

    /// `PATCH /v1/zones/{id}`: each name and type among `records` holds exactly these afterwards.
    pub(crate) async fn patch(&self, zone: &Zone, records: &[Sent]) -> Result<(), ProviderError> {
        let operation = format!("writing {} records of {} at IONOS", records.len(), shown(&zone.name));
        let reply = self.send(Call::patch(zone_path(zone)).json(&records), &operation).await?;
        self.written(&reply, &operation)
    }

    /// `POST /v1/zones/{id}/records`: adds these.
    pub(crate) async fn post(&self, zone: &Zone, records: &[Sent]) -> Result<(), ProviderError> {
        let operation = format!("putting {} records of {} back at IONOS", records.len(), shown(&zone.name));
        let reply = self.send(Call::post(format!("{}/records", zone_path(zone))).json(&records), &operation).await?;
        self.written(&reply, &operation)
    }

    /// `DELETE /v1/zones/{id}/records/{record}`. `false` if the record's id is no longer valid.
    pub(crate) async fn delete(&self, zone: &Zone, record: &str) -> Result<bool, ProviderError> {
        let operation = format!("deleting a record of {} at IONOS", shown(&zone.name));
        let path = format!("{}/records/{}", zone_path(zone), Call::segment(record));
        let reply = self.send(Call::delete(path), &operation).await?;
        if reply.status == 404 && !faults(&reply).iter().any(|fault| fault.code == "ZONE_NOT_FOUND") {
            return Ok(false);
        }
        self.written(&reply, &operation).map(|()| true)
    }

    async fn send(&self, call: Call, operation: &str) -> Result<Reply, ProviderError> {
        let call = call.secret_header("X-API-Key", &self.key).header("Accept", "application/json");
        self.client.send(call.doing(operation)).await
    }

    fn written(&self, reply: &Reply, operation: &str) -> Result<(), ProviderError> {
        if !reply.is_success() {
            return Err(self.failure(reply, operation, Subject::Records));
        }
        let text = reply.text();
        match text.trim().is_empty() || serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() {
            true => Ok(()),
            false => Err(failure::no_answer(reply, operation, "IONOS")),
        }
    }

    fn failure(&self, reply: &Reply, operation: &str, subject: Subject) -> ProviderError {
        use ProviderErrorKind as Kind;

        let faults = faults(reply);
        let said = match faults.is_empty() {
            true => failure::said_nothing(reply),
            false => self.client.redact(&failure::shorten(&describe(&faults))),
        };
        let (kind, remedy) = match (reply.status, subject) {
            (401, _) => {
                (Kind::Credentials(format!("IONOS does not accept the API key ({said})")), self.about_the_key())
            }
            (403, _) => (
                Kind::Permission(format!("IONOS does not allow it ({said})")),
                "use a key of the account that holds the zone; the contract has to include DNS".into(),
            ),
            // An identifier that is none is a bad request.
            (404, Subject::Zone | Subject::Records) | (400, Subject::Zone) => (
                Kind::NoZone(format!("IONOS has no such zone ({said})")),
                "see which zones the key's account holds (mailzone providers), and check zone_id".into(),
            ),
            (400 | 422, _) => (
                Kind::Refused(format!("IONOS refuses a record ({said})")),
                "correct the value that the message names".into(),
            ),
            _ => (
                Kind::Protocol(format!("unexpected status {} ({said})", reply.status)),
                "see that `endpoint` is the address of the IONOS hosting API; else try again later".into(),
            ),
        };
        ProviderError::new(operation, kind, remedy)
    }

    fn about_the_key(&self) -> String {
        let parts = "the key is the public prefix and the secret, joined by a dot: PREFIX.SECRET";
        match self.key.expose_secret().split_once('.') {
            Some((prefix, secret)) if !prefix.is_empty() && !secret.is_empty() => {
                format!("see at https://developer.hosting.ionos.com/keys that the key still exists; {parts}")
            }
            _ => format!("{parts}; the one that is configured lacks a part"),
        }
    }
}

/// The path of a zone below the API's base.
pub(crate) fn zone_path(zone: &Zone) -> String {
    format!("/v1/zones/{}", Call::segment(zone.id.as_str()))
}

/// What a request was about, which decides what 404 means.
#[derive(Clone, Copy)]
enum Subject {
    Account,
    Zone,
    Records,
}

fn shown(name: &Name) -> String {
    name.to_text_without_dot()
}

/// The elements of an error body; the gateway sends a single object with `message`.
fn faults(reply: &Reply) -> Vec<Fault> {
    let text = reply.text();
    serde_json::from_str::<Vec<Fault>>(&text)
        .or_else(|_| serde_json::from_str::<Fault>(&text).map(|fault| vec![fault]))
        .unwrap_or_default()
}

fn describe(faults: &[Fault]) -> String {
    let mut text = String::new();
    for fault in faults {
        let message = fault.message.trim_end_matches('.').to_owned();
        let parts = [fault.code.clone(), message, parameters(fault)];
        for (i, part) in parts.into_iter().filter(|part| !part.is_empty()).enumerate() {
            text.push_str(match (text.is_empty(), i) {
                (true, _) => "",
                (false, 0) => "; ",
                (false, 1) => ": ",
                (false, _) => ", ",
            });
            text.push_str(&part);
        }
    }
    text
}

/// What an error says about the record: `invalidFields ["name"], …`, the named fields before whole records.
fn parameters(fault: &Fault) -> String {
    let Some(serde_json::Value::Object(map)) = &fault.parameters else { return String::new() };
    let mut parts: Vec<_> = map.iter().filter(|(_, value)| !is_empty(value)).collect();
    parts.sort_by_key(|(_, value)| value.is_object());
    parts.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

fn is_empty(value: &serde_json::Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// Whether an error says for certain that the request was not carried out.
pub(crate) fn is_definite(error: &ProviderError) -> bool {
    error.retry != Retry::Unknown
}
