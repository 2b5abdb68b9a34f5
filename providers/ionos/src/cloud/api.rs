//! The calls of the API, and what its errors mean.

use std::collections::HashSet;

use mailzone_http::{Call, Client, Pages, Reply};
use mailzone_provider::{ProviderError, ProviderErrorKind, Zone};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::listing::{Listing, Page, Properties, Record, ZoneEntry};
use super::reverse::ReverseRecord;
use crate::failure;

/// The largest page that the API gives.
const PAGE: usize = 1000;

/// The API with its token.
#[derive(Debug)]
pub(crate) struct Api {
    client: Client,
    token: SecretString,
}

/// What a request was about, which decides what its errors mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Account,
    Zone,
    Records,
    Reverse,
}

#[derive(Debug, Deserialize)]
struct Faults {
    #[serde(default)]
    messages: Vec<Fault>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fault {
    #[serde(default)]
    error_code: String,
    #[serde(default)]
    message: String,
}

/// What the pages of a list have to tell apart.
pub(crate) trait Item: DeserializeOwned {
    fn id(&self) -> &str;
}

impl Api {
    pub(crate) fn new(client: Client, token: SecretString) -> Self {
        Self { client, token }
    }

    pub(crate) async fn zones(&self) -> Result<Vec<ZoneEntry>, ProviderError> {
        self.list(|| Call::get("/zones"), "listing the zones at IONOS Cloud", Subject::Account).await
    }

    pub(crate) async fn secondary_zones(&self) -> Result<Vec<ZoneEntry>, ProviderError> {
        let operation = "listing the secondary zones at IONOS Cloud";
        self.list(|| Call::get("/secondaryzones"), operation, Subject::Account).await
    }

    /// The records of a zone, to the last page. `GET /zones/{id}/records` has no pages and may be cut off, so the
    /// list across zones is filtered.
    /// `known`: the zone was in a list of zones.
    pub(crate) async fn read(&self, zone: &Zone, secondary: bool, known: bool) -> Result<Listing, ProviderError> {
        let operation = format!("reading {} at IONOS Cloud", zone.name.to_text_without_dot());
        let call = || match secondary {
            true => Call::get(format!("/secondaryzones/{}/records", Call::segment(zone.id.as_str()))),
            false => Call::get("/records").query("filter.zoneId", zone.id.as_str()),
        };
        let records: Vec<Record> = self.list(call, &operation, Subject::Zone).await?;
        // The filtered list of a zone that is not there is empty: its own address tells.
        if records.is_empty() && !known {
            let path = if secondary { "/secondaryzones/" } else { "/zones/" };
            let reply = self.send(Call::get(format!("{path}{}", Call::segment(zone.id.as_str()))), &operation).await?;
            if !reply.is_success() {
                return Err(self.failure(&reply, &operation, Subject::Zone));
            }
        }
        Listing::read(records, zone).map_err(|fault| {
            let kind = ProviderErrorKind::Protocol(self.client.redact(&fault));
            ProviderError::new(operation, kind, "look at the zone's records in the IONOS cloud panel")
        })
    }

    pub(crate) async fn post(&self, zone: &Zone, record: &Properties) -> Result<(), ProviderError> {
        let operation = operation("creating", record, zone);
        let call = Call::post(records_path(zone)).json(&json!({ "properties": record }));
        self.write(call, &operation, Subject::Records).await
    }

    pub(crate) async fn put(&self, zone: &Zone, id: &str, record: &Properties) -> Result<(), ProviderError> {
        let operation = operation("changing", record, zone);
        let path = format!("{}/{}", records_path(zone), Call::segment(id));
        self.write(Call::put(path).json(&json!({ "properties": record })), &operation, Subject::Records).await
    }

    /// A record that is gone already is deleted.
    pub(crate) async fn delete(&self, zone: &Zone, id: &str, record: &Properties) -> Result<(), ProviderError> {
        let operation = operation("deleting", record, zone);
        let call = Call::delete(format!("{}/{}", records_path(zone), Call::segment(id)));
        let reply = self.send(call, &operation).await?;
        if reply.status == 404 {
            return Ok(());
        }
        self.written(&reply, &operation, Subject::Records)
    }

    pub(crate) async fn reverse(&self, address: &str) -> Result<Vec<ReverseRecord>, ProviderError> {
        let operation = format!("reading the PTR of {address} at IONOS Cloud");
        let call = || Call::get("/reverserecords").query("filter.recordIp", address);
        self.list(call, &operation, Subject::Reverse).await
    }

    pub(crate) async fn reverse_records(&self) -> Result<Vec<ReverseRecord>, ProviderError> {
        self.list(|| Call::get("/reverserecords"), "listing the PTRs at IONOS Cloud", Subject::Reverse).await
    }

    pub(crate) async fn write(&self, call: Call, operation: &str, subject: Subject) -> Result<(), ProviderError> {
        let reply = self.send(call, operation).await?;
        self.written(&reply, operation, subject)
    }

    /// All pages of a list. What is listed twice, because the list moved between two pages, counts once.
    async fn list<T: Item>(
        &self,
        call: impl Fn() -> Call,
        operation: &str,
        subject: Subject,
    ) -> Result<Vec<T>, ProviderError> {
        let mut pages = Pages::new(operation);
        let (mut items, mut seen) = (Vec::new(), HashSet::new());
        let mut offset = 0;
        loop {
            pages.next(&offset.to_string())?;
            let reply = self.send(call().query("offset", offset).query("limit", PAGE), operation).await?;
            if !reply.is_success() {
                return Err(self.failure(&reply, operation, subject));
            }
            let page: Page<T> = reply.json()?;
            let (count, known) = (page.items.len(), items.len());
            items.extend(page.items.into_iter().filter(|item: &T| seen.insert(item.id().to_owned())));
            if count == 0 || count < page.limit.unwrap_or(PAGE).min(PAGE) {
                return Ok(items);
            }
            if items.len() == known {
                let kind = ProviderErrorKind::Protocol("IONOS Cloud lists the same page again and again".into());
                return Err(ProviderError::new(operation, kind, "try again later"));
            }
            offset += count;
        }
    }

    async fn send(&self, call: Call, operation: &str) -> Result<Reply, ProviderError> {
        let call = call.bearer(&self.token).header("Accept", "application/json");
        self.client.send(call.doing(operation)).await
    }

    fn written(&self, reply: &Reply, operation: &str, subject: Subject) -> Result<(), ProviderError> {
        if !reply.is_success() {
            return Err(self.failure(reply, operation, subject));
        }
        let text = reply.text();
        match text.trim().is_empty() || serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() {
            true => Ok(()),
            false => Err(failure::no_answer(reply, operation, "IONOS Cloud")),
        }
    }

    fn failure(&self, reply: &Reply, operation: &str, subject: Subject) -> ProviderError {
        use ProviderErrorKind as Kind;

        let said = match serde_json::from_str::<Faults>(&reply.text()) {
            Ok(faults) if !faults.messages.is_empty() => {
                let said: Vec<_> =
                    faults.messages.iter().map(|fault| format!("{}: {}", fault.error_code, fault.message)).collect();
                self.client.redact(&failure::shorten(&said.join("; ")))
            }
            _ => failure::said_nothing(reply),
        };
        let (kind, remedy) = match (reply.status, subject) {
            (401, _) => (
                Kind::Credentials(format!("IONOS Cloud does not accept the token ({said})")),
                "tokens expire: make a new one in the token manager of the cloud panel (DCD)",
            ),
            (403, _) => (
                Kind::Permission(format!("IONOS Cloud does not allow it ({said})")),
                "give the token's user a group with the privilege to access and manage DNS; if the message speaks of a \
                 quota, have it raised",
            ),
            // An identifier that is none is a bad request.
            (404, Subject::Zone | Subject::Records) | (400 | 422, Subject::Zone) => (
                Kind::NoZone(format!("IONOS Cloud has no such zone ({said})")),
                "see which zones the token's contract holds (mailzone providers), and check zone_id",
            ),
            (400 | 404 | 422, Subject::Reverse) => (
                Kind::Refused(format!("IONOS Cloud refuses the reverse record ({said})")),
                "the address has to be reserved by the same contract, or in an IPv6 range assigned to it",
            ),
            (400 | 422, _) => (
                Kind::Refused(format!("IONOS Cloud refuses a record ({said})")),
                "correct the value that the message names",
            ),
            (409, _) => (
                Kind::Conflict(format!("IONOS Cloud has this record already ({said})")),
                "plan again; a disabled record with the same data has to be enabled or deleted in the cloud panel",
            ),
            _ => (
                Kind::Protocol(format!("unexpected status {} ({said})", reply.status)),
                "see that `endpoint` is the address of the IONOS Cloud DNS API; else try again later",
            ),
        };
        ProviderError::new(operation, kind, remedy)
    }
}

impl Item for ZoneEntry {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Item for Record {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Item for ReverseRecord {
    fn id(&self) -> &str {
        &self.id
    }
}

fn records_path(zone: &Zone) -> String {
    format!("/zones/{}/records", Call::segment(zone.id.as_str()))
}

/// `creating _dmarc TXT in example.com at IONOS Cloud`.
fn operation(verb: &str, record: &Properties, zone: &Zone) -> String {
    let owner = if record.name.is_empty() { "@" } else { &record.name };
    format!("{verb} {owner} {} in {} at IONOS Cloud", record.kind, zone.name.to_text_without_dot())
}
