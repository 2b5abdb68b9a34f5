//! Finding zones and reading them.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use aws_sdk_route53::types::{
    AcceleratedRecoveryStatus, DelegationSet, HostedZone, HostedZoneConfig, ResourceRecordSet, RrType,
};
use mailzone_http::Pages;
use mailzone_provider::{Access, ProviderError, ProviderErrorKind, Snapshot, Zone, ZoneId};
use mailzone_record::{Name, Opaque, Origin, Protection, RRset, RRsetKey, Rdata, RecordType, Ttl, Value};

use crate::client::Effect;
use crate::failure::{Class, Failure};
use crate::{Route53Provider, text, xml};

/// The largest page of a listing of record sets.
const PAGE: i32 = 300;

impl Route53Provider {
    /// The public zones, and private ones where nothing public could be meant.
    pub(crate) async fn list_zones(&self) -> Result<Vec<Zone>, ProviderError> {
        let operation = "listing the hosted zones";
        let mut pages = Pages::new(operation);
        let mut marker = None;
        let (mut public, mut private) = (Vec::new(), Vec::new());
        loop {
            pages.next(marker.as_deref().unwrap_or_default())?;
            let request =
                |client: aws_sdk_route53::Client| client.list_hosted_zones().set_marker(marker.clone()).send();
            let page = self.service.call(Effect::Read, request).await.map_err(|failure| {
                failure.into_error(operation, "route53:ListHostedZones", ", or name each domain's zone_id")
            })?;
            for hosted in page.hosted_zones() {
                let zone = zone(hosted).ok_or_else(|| unreadable(operation, "zone", hosted.name()))?;
                if is_private(hosted) { &mut private } else { &mut public }.push(zone);
            }
            if !page.is_truncated() {
                break;
            }
            marker = match page.next_marker() {
                Some(next) => Some(next.to_owned()),
                None => return Err(protocol(operation, "a page that says that others follow, without a marker")),
            };
        }
        // A private zone is served inside VPCs alone. It is shown, as read-only, only where the name would
        // otherwise have no zone at all.
        let mut shown = BTreeSet::new();
        for zone in private {
            let covered = public.iter().any(|other: &Zone| zone.name.is_at_or_below(&other.name));
            if !covered && shown.insert(zone.name.clone()) {
                public.push(zone);
            }
        }
        Ok(public)
    }

    /// One zone, by an identifier with or without its prefix.
    pub(crate) async fn find_zone(&self, id: &ZoneId) -> Result<Zone, ProviderError> {
        let operation = format!("reading the hosted zone {id}");
        let request = |client: aws_sdk_route53::Client| client.get_hosted_zone().id(id.as_str()).send();
        let answer = self.service.call(Effect::Read, request).await;
        let answer = answer.map_err(|failure| failure.into_error(&operation, "route53:GetHostedZone", ""))?;
        let hosted = answer.hosted_zone().ok_or_else(|| protocol(&operation, "an answer without the zone"))?;
        let mut zone = zone(hosted).ok_or_else(|| unreadable(&operation, "zone", hosted.name()))?;
        let servers = answer.delegation_set().map(DelegationSet::name_servers).unwrap_or_default();
        zone.nameservers.extend(servers.iter().filter_map(|server| text::read_name(server)));
        Ok(zone)
    }

    /// The whole zone with what protects its sets.
    pub(crate) async fn read(&self, zone: &Zone) -> Result<Snapshot, ProviderError> {
        let mut sets = self.list_sets(zone).await?;
        let protected = self.protections(zone).await?;
        for set in sets.iter_mut().filter(|set| set.protection.is_none()) {
            if let Some((_, reason)) = protected.iter().find(|(key, _)| *key == set.key()) {
                set.protection = Some(Protection { reason: reason.as_str().into() });
            }
        }
        Ok(Snapshot::new(sets, None))
    }

    /// The whole zone without asking for protections, which a write has to respect anyway.
    pub(crate) async fn read_again(&self, zone: &Zone) -> Result<Snapshot, ProviderError> {
        Ok(Snapshot::new(self.list_sets(zone).await?, None))
    }

    async fn list_sets(&self, zone: &Zone) -> Result<Vec<RRset>, ProviderError> {
        let operation = format!("listing the records of {} ({})", zone.name, zone.id);
        let mut pages = Pages::new(operation.as_str());
        let mut sets = Vec::new();
        let mut start: (Option<String>, Option<RrType>, Option<String>) = (None, None, None);
        loop {
            pages.next(&cursor(&start))?;
            let request = |client: aws_sdk_route53::Client| {
                let (name, rtype, identifier) = start.clone();
                client
                    .list_resource_record_sets()
                    .hosted_zone_id(zone.id.as_str())
                    .max_items(PAGE)
                    .set_start_record_name(name)
                    .set_start_record_type(rtype)
                    .set_start_record_identifier(identifier)
                    .send()
            };
            let page = self.service.call(Effect::Read, request).await;
            let page = page.map_err(|failure| failure.into_error(&operation, "route53:ListResourceRecordSets", ""))?;
            for set in page.resource_record_sets() {
                let name = set.name();
                sets.push(rrset(set, &zone.name).ok_or_else(|| unreadable(&operation, "record set", name))?);
            }
            if !page.is_truncated() {
                return Ok(sets);
            }
            // All three together: sets of one name and type differ by their identifier alone.
            start = (
                page.next_record_name().map(str::to_owned),
                page.next_record_type().cloned(),
                page.next_record_identifier().map(str::to_owned),
            );
            if start.0.is_none() {
                return Err(protocol(&operation, "a page that says that others follow, without where they begin"));
            }
        }
    }

    /// Which sets the zone's owner has protected, and why. None where the service does not know the call or does not
    /// allow it, from then on without asking: a write of a protected set is refused whether or not it is known.
    async fn protections(&self, zone: &Zone) -> Result<Vec<(RRsetKey, String)>, ProviderError> {
        let operation = format!("listing the protected records of {} ({})", zone.name, zone.id);
        let mut pages = Pages::new(operation.as_str());
        let mut token = None;
        let mut protected = Vec::new();
        while self.protections_known.load(Ordering::Relaxed) {
            pages.next(token.as_deref().unwrap_or_default())?;
            let body = match self.protection_page(zone, token.as_deref()).await {
                Ok(Some(body)) => body,
                Ok(None) => {
                    tracing::debug!(zone = %zone.name, "protected records cannot be listed");
                    self.protections_known.store(false, Ordering::Relaxed);
                    break;
                }
                Err(failure) => {
                    return Err(failure.into_error(&operation, "route53:ListResourceRecordSetProtections", ""));
                }
            };
            let names = xml::texts(&body, "RecordName");
            let types = xml::texts(&body, "RecordType");
            if names.len() != types.len() || xml::root(&body).is_none() {
                return Err(protocol(&operation, "an answer that makes no sense"));
            }
            let comments = comments(&body);
            for (at, (name, rtype)) in names.iter().zip(&types).enumerate() {
                let key = text::read_name(name).zip(rtype.parse().ok());
                let (name, rtype) = key.ok_or_else(|| unreadable(&operation, "record set", name))?;
                let reason = match comments.get(at).map(String::as_str) {
                    Some(comment) if !comment.is_empty() => format!("protected in the zone: {comment}"),
                    _ => "protected in the zone".into(),
                };
                protected.push((RRsetKey { name, rtype }, reason));
            }
            token = xml::texts(&body, "NextToken").into_iter().find(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        Ok(protected)
    }

    /// One page of ListResourceRecordSetProtections; `None` where there is no such call.
    ///
    /// The SDK's model does not have it yet. It is sent as another call with its path changed before signing, so that
    /// endpoint, credentials and signature are the SDK's, and its answer is taken from the error of not being the other's.
    async fn protection_page(&self, zone: &Zone, token: Option<&str>) -> Result<Option<String>, Failure> {
        let query = match token {
            Some(token) => format!("?maxresults={PAGE}&nexttoken={}", mailzone_http::Call::segment(token)),
            None => format!("?maxresults={PAGE}"),
        };
        let query = query.as_str();
        self.service.repeat(Effect::Read, || self.ask_protections(zone, query)).await
    }

    async fn ask_protections(&self, zone: &Zone, query: &str) -> Result<Option<String>, Failure> {
        let client = self.service.client().await.clone();
        let query = query.to_owned();
        let sent = client
            .list_resource_record_sets()
            .hosted_zone_id(zone.id.as_str())
            .customize()
            .mutate_request(move |request| {
                if let Some(path) = request.uri().split_once("/rrset").map(|(before, _)| before.to_owned()) {
                    // The path was valid and only plain characters are added.
                    let _ = request.set_uri(format!("{path}/rrsetprotection{query}"));
                }
            })
            .send()
            .await;
        let Err(error) = sent else {
            return Err(Failure::new(Class::Protocol, "a list of records instead of protections"));
        };
        let answered = error.raw_response().map(|raw| {
            let body = String::from_utf8_lossy(raw.body().bytes().unwrap_or_default()).into_owned();
            (raw.status().as_u16(), body)
        });
        match answered {
            Some((200, body)) if xml::root(&body).is_some_and(|root| !root.eq_ignore_ascii_case("html")) => {
                Ok(Some(body))
            }
            Some((405 | 501, _)) => Ok(None),
            answered => {
                let failure = Failure::from_sdk(error);
                let none = match (failure.class, answered) {
                    (Class::Denied, _) => true,
                    // The zone itself was listed a moment ago; an answer about it is no unknown path.
                    (Class::NotFound, _) => false,
                    (Class::Refused, Some((400, body))) => {
                        xml::texts(&body, "Code").first().is_some_and(|code| UNKNOWN_CALL.contains(&code.as_str()))
                    }
                    (_, Some((404, _))) => true,
                    _ => false,
                };
                if none { Ok(None) } else { Err(failure) }
            }
        }
    }
}

/// Codes that gateways and emulators without the call answer.
const UNKNOWN_CALL: [&str; 4] = ["InvalidAction", "UnknownOperationException", "UnknownOperation", "NotImplemented"];

/// One listed set as an RRset; `None` if its name or type makes no sense.
fn rrset(set: &ResourceRecordSet, apex: &Name) -> Option<RRset> {
    let name = text::read_name(set.name())?;
    let rtype: RecordType = set.r#type().as_str().parse().ok()?;
    let ttl = set.ttl().and_then(|ttl| u32::try_from(ttl).ok()).map(Ttl::from_wire);
    let mut values: Vec<Value> = set
        .resource_records()
        .iter()
        .map(|record| {
            let spelling = record.value();
            let origin = Origin { handle: None, spelling: Some(spelling.into()) };
            Value { rdata: text::read_rdata(rtype, spelling), origin: Some(Box::new(origin)) }
        })
        .collect();
    let reason = special(set).or_else(|| {
        let made_with_it = name == *apex && (rtype == RecordType::SOA || rtype == RecordType::NS);
        made_with_it.then(|| "Route 53 makes SOA and NS of a zone with it and keeps them".into())
    });
    if values.is_empty() {
        // An alias has no records of its own; a set in a snapshot has at least one value.
        let text = set.alias_target().map_or_else(
            || "without records".to_owned(),
            |alias| format!("alias of {} (zone {})", alias.dns_name(), alias.hosted_zone_id()),
        );
        values.push(Value { rdata: Rdata::Opaque(Opaque::Text { rtype, text: text.into() }), origin: None });
    }
    let protection = reason.map(|reason| Protection { reason: reason.into() });
    Some(RRset { name, rtype, ttl, values, protection })
}

/// What makes a set more than a plain one, in the service's words.
fn special(set: &ResourceRecordSet) -> Option<String> {
    let identifier = set.set_identifier();
    let policy = if let Some(alias) = set.alias_target() {
        Some(format!("alias of {}", alias.dns_name()))
    } else if let Some(weight) = set.weight() {
        Some(format!("weighted ({weight})"))
    } else if let Some(region) = set.region() {
        Some(format!("latency ({})", region.as_str()))
    } else if let Some(failover) = set.failover() {
        Some(format!("failover ({})", failover.as_str()))
    } else if set.geo_location().is_some() {
        Some("geolocation".into())
    } else if set.geo_proximity_location().is_some() {
        Some("geoproximity".into())
    } else if set.cidr_routing_config().is_some() {
        Some("IP-based (CIDR)".into())
    } else if set.multi_value_answer() == Some(true) {
        Some("multivalue answer".into())
    } else if let Some(instance) = set.traffic_policy_instance_id() {
        Some(format!("traffic policy instance {instance}"))
    } else if let Some(check) = set.health_check_id() {
        Some(format!("health check {check}"))
    } else {
        identifier.map(|_| "one of several sets".to_owned())
    };
    match (policy, identifier) {
        (Some(policy), Some(identifier)) => Some(format!("{policy}, set identifier {identifier}")),
        (policy, _) => policy,
    }
}

fn zone(hosted: &HostedZone) -> Option<Zone> {
    let id = hosted.id().rsplit('/').next().filter(|id| !id.is_empty())?;
    let access = access(hosted);
    Some(Zone { id: ZoneId::new(id), name: text::read_name(hosted.name())?, access, nameservers: Vec::new() })
}

fn is_private(hosted: &HostedZone) -> bool {
    hosted.config().is_some_and(HostedZoneConfig::private_zone)
}

fn access(hosted: &HostedZone) -> Access {
    let read_only = |reason: String, remedy: &str| Access::ReadOnly { reason: reason.into(), remedy: remedy.into() };
    if is_private(hosted) {
        return read_only(
            "a private zone, which is served inside VPCs alone".into(),
            "make a public hosted zone of the name, or use the credentials of the account that has it",
        );
    }
    if let Some(linked) = hosted.linked_service() {
        let owner = linked.service_principal().unwrap_or("another AWS service");
        return read_only(format!("{owner} keeps this zone"), "change its records through that service");
    }
    let recovery = hosted.features().and_then(|features| features.accelerated_recovery_status());
    match recovery {
        Some(
            status @ (AcceleratedRecoveryStatus::EnablingHostedZoneLocked
            | AcceleratedRecoveryStatus::DisablingHostedZoneLocked),
        ) => read_only(
            format!("locked while accelerated recovery is switched ({})", status.as_str()),
            "wait until the switching is done",
        ),
        _ => Access::ReadWrite,
    }
}

/// The comments of protections in their order; an absent one is empty. The element around each is not looked at by name.
fn comments(body: &str) -> Vec<String> {
    let mut comments = Vec::new();
    for part in body.split("<RecordName>").skip(1) {
        comments.push(xml::texts(part, "Comment").into_iter().next().unwrap_or_default());
    }
    comments
}

fn cursor(start: &(Option<String>, Option<RrType>, Option<String>)) -> String {
    let (name, rtype, identifier) = start;
    let rtype = rtype.as_ref().map(RrType::as_str).unwrap_or_default();
    format!("{} {rtype} {}", name.as_deref().unwrap_or_default(), identifier.as_deref().unwrap_or_default())
}

fn unreadable(operation: &str, what: &str, name: &str) -> ProviderError {
    protocol(operation, &format!("a {what} whose name or type cannot be read: {name:?}"))
}

fn protocol(operation: &str, what: &str) -> ProviderError {
    let remedy = "see that the endpoint is Route 53's; if it is, report this";
    ProviderError::new(operation, ProviderErrorKind::Protocol(format!("Route 53 sent {what}")), remedy)
}
