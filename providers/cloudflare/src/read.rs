//! Zones and records, page by page.

use std::collections::HashSet;

use mailzone_http::{Call, Pages, Reply};
use mailzone_provider::{Access, ProviderError, ProviderErrorKind, Retry, Snapshot, Zone, ZoneId};
use mailzone_record::{Name, Ttl};
use serde::de::DeserializeOwned;

use crate::decode::{AUTOMATIC_SECONDS, Record, rrsets};
use crate::failure::{Action, explain};
use crate::wire::{Envelope, PageInfo, RecordObject, ZoneObject};
use crate::{CloudflareProvider, Plan, encode};

/// Zones on a page: the documented maximum.
const ZONES_PER_PAGE: u64 = 50;

/// Records on a page; more are accepted, and nearly every zone fits into one page so.
const RECORDS_PER_PAGE: u64 = 1_000;

/// The right without which records are only read.
const EDIT: &str = "#dns_records:edit";

impl CloudflareProvider {
    pub(crate) async fn list_zones(&self) -> Result<Vec<Zone>, ProviderError> {
        let call = || Call::get("/zones").doing("listing the zones");
        let objects: Vec<ZoneObject> =
            self.list(&call, ZONES_PER_PAGE, Action::ListZones, |zone: &ZoneObject| &zone.id).await?;
        let here: HashSet<String> =
            objects.iter().filter(|zone| zone.status != "moved").map(|zone| zone.name.clone()).collect();
        let mut zones = Vec::with_capacity(objects.len());
        for object in objects {
            // What has moved away is said only where nothing else has its name.
            if object.status != "moved" || !here.contains(&object.name) {
                zones.push(self.zone(object, "listing the zones")?);
            }
        }
        Ok(zones)
    }

    /// The zone by its identifier. Where the credentials may not read zones the configured name is believed.
    pub(crate) async fn find_zone(&self, id: &ZoneId, name: Option<&Name>) -> Result<Zone, ProviderError> {
        let operation = format!("looking for the zone {id}");
        let call = Call::get(format!("/zones/{}", Call::segment(id.as_str()))).doing(&operation);
        let reply = self.client.send(self.authorized(call)).await?;
        match (self.judge::<ZoneObject>(&reply, Action::ReadZone), name) {
            (Ok((object, _)), _) => self.zone(object, &operation),
            (Err(error), Some(name)) if matches!(error.kind, ProviderErrorKind::Permission(_)) => {
                tracing::debug!(%id, %name, %error, "going on with the configured name");
                Ok(Zone { id: id.clone(), name: name.clone(), access: Access::ReadWrite, nameservers: Vec::new() })
            }
            (Err(error), _) => Err(error),
        }
    }

    pub(crate) async fn read(&self, zone: &Zone) -> Result<Snapshot, ProviderError> {
        Ok(snapshot(&self.records(zone, None).await?, zone))
    }

    /// All records of the zone, or those of one name.
    pub(crate) async fn records(&self, zone: &Zone, only: Option<&Name>) -> Result<Vec<Record>, ProviderError> {
        let operation = format!("reading the records of {}", zone.name.to_text_without_dot());
        let path = format!("/zones/{}/dns_records", Call::segment(zone.id.as_str()));
        let call = || {
            let call = Call::get(&path).doing(&operation).query("order", "name").query("direction", "asc");
            match only {
                Some(name) => call.query("name.exact", encode::owner(name)),
                None => call,
            }
        };
        let objects: Vec<RecordObject> =
            self.list(&call, RECORDS_PER_PAGE, Action::ReadRecords, |record: &RecordObject| &record.id).await?;
        let mut records = Vec::with_capacity(objects.len());
        for object in objects {
            let record = Record::read(object, &zone.name).map_err(|what| {
                let kind = ProviderErrorKind::Protocol(format!("{what}, which is none that mailzone knows"));
                ProviderError::new(&operation, kind, "remove the record if nobody needs it, and report this")
            })?;
            if only.is_none_or(|name| record.key.name == *name) {
                records.push(record);
            }
        }
        Ok(records)
    }

    /// The objects of all pages, each identifier once. Pages are counted by offset, so that a change meanwhile can hide
    /// an object: where the count is not the one that every page announced everything is read again, once.
    async fn list<T: DeserializeOwned>(
        &self,
        call: &(dyn Fn() -> Call + Sync),
        per_page: u64,
        action: Action,
        id: fn(&T) -> &str,
    ) -> Result<Vec<T>, ProviderError> {
        let mut changed = None;
        for _ in 0..2 {
            let mut pages = Pages::new("reading a list of Cloudflare");
            let (mut objects, mut seen, mut totals) = (Vec::new(), HashSet::new(), HashSet::new());
            for page in 1u64.. {
                pages.next(&page.to_string())?;
                let call = self.authorized(call().query("page", page).query("per_page", per_page));
                let reply = self.client.send(call).await?;
                let (listed, info): (Vec<T>, PageInfo) = self.judge(&reply, action)?;
                let (count, before) = (listed.len() as u64, objects.len());
                objects.extend(listed.into_iter().filter(|object| seen.insert(id(object).to_owned())));
                let last = match info.total_pages {
                    Some(total) => page >= total,
                    None => count < info.per_page.unwrap_or(per_page),
                };
                totals.extend(info.total_count);
                if last || count == 0 {
                    let counted = totals.iter().all(|total| *total == objects.len() as u64);
                    if page == 1 || counted {
                        return Ok(objects);
                    }
                    changed = Some(reply);
                    break;
                }
                if objects.len() == before {
                    let text = format!("page {page} of the list holds nothing but what the pages before held");
                    let remedy = "nothing is done with a part of the list; try again later";
                    return Err(reply.failure(ProviderErrorKind::Protocol, &text, remedy));
                }
            }
        }
        let text = "the list changed while it was read, twice";
        let error = match changed {
            Some(reply) => reply.failure(ProviderErrorKind::Conflict, text, "try again when nobody else writes"),
            None => ProviderError::new("listing", ProviderErrorKind::Conflict(text.into()), "try again"),
        };
        Err(ProviderError { retry: Retry::Later, ..error })
    }

    /// The result of an answer: a success by its status and by what it says of itself.
    pub(crate) fn judge<T: DeserializeOwned>(
        &self,
        reply: &Reply,
        action: Action,
    ) -> Result<(T, PageInfo), ProviderError> {
        if let Some(ray) = reply.header("cf-ray") {
            tracing::debug!(status = reply.status, ray, "answer");
        }
        if !reply.is_success() {
            let complaints = match reply.json::<Envelope<serde::de::IgnoredAny>>() {
                Ok(envelope) => envelope.errors,
                // A page of a proxy in between: the status is all there is.
                Err(_) if matches!(reply.status, 401 | 403) => Vec::new(),
                Err(error) => return Err(error),
            };
            return Err(explain(reply, &complaints, action));
        }
        let envelope: Envelope<T> = reply.json()?;
        match envelope.result {
            Some(result) if envelope.success => Ok((result, envelope.result_info.unwrap_or_default())),
            _ => Err(explain(reply, &envelope.errors, action)),
        }
    }

    /// A listed zone. Its plan is remembered: limits depend on it.
    fn zone(&self, object: ZoneObject, operation: &str) -> Result<Zone, ProviderError> {
        let no_name = |text: &str| {
            let text = format!("Cloudflare lists a zone or name server `{}`, which is no name", text.escape_debug());
            ProviderError::new(operation, ProviderErrorKind::Protocol(text), "report this")
        };
        let parse = |text: &String| Name::parse_idn(text).map_err(|_| no_name(text));
        let name = parse(&object.name)?;
        let servers =
            if object.vanity_name_servers.is_empty() { &object.name_servers } else { &object.vanity_name_servers };
        let nameservers = servers.iter().map(parse).collect::<Result<_, _>>()?;
        if object.status == "pending" {
            tracing::info!(zone = %name, "pending at Cloudflare: not served before the delegation names its servers");
        }
        let (access, id) = (access(&object), ZoneId::new(object.id));
        self.remember(&id, Plan::of(&object.plan.legacy_id));
        Ok(Zone { id, name, access, nameservers })
    }
}

/// The records and name servers of a zone as a snapshot.
pub(crate) fn snapshot(records: &[Record], zone: &Zone) -> Snapshot {
    Snapshot::new(rrsets(records, &zone.name, &zone.nameservers), Ttl::from_secs(AUTOMATIC_SECONDS))
}

fn access(object: &ZoneObject) -> Access {
    let read_only = |reason: &str, remedy: &str| Access::ReadOnly { reason: reason.into(), remedy: remedy.into() };
    match (&*object.status, &*object.kind) {
        ("moved", _) => read_only(
            "the domain has moved away from Cloudflare (status moved): the zone is not served",
            "take another provider for the domain, or delegate it to Cloudflare again",
        ),
        (_, "secondary") => read_only(
            "a secondary zone: Cloudflare transfers its records from another server",
            "write to its primary server, with the provider rfc2136",
        ),
        (_, "partial") => read_only(
            "a partial (CNAME) setup: Cloudflare serves proxied names alone, other servers the domain",
            "write to the provider that the domain is delegated to",
        ),
        (_, "internal") => read_only(
            "an internal zone: it is not served on the Internet",
            "take the zone of type full that the domain is delegated to",
        ),
        // Where nothing is listed the service does not tell.
        _ if !object.permissions.is_empty() && !object.permissions.iter().any(|right| right == EDIT) => read_only(
            "the token may read its records and not write them (#dns_records:edit is missing)",
            "give the token Zone → DNS → Edit for this zone",
        ),
        _ => Access::ReadWrite,
    }
}
