//! Amazon Route 53, emulated: hosted zones, record sets, atomic batches, changes that become INSYNC, protections.
//!
//! Requests have to be signed in form; no signature is computed. Types that the service does not have can be seeded and
//! are listed, so that a client can be seen to carry what it does not know; they cannot be written.

mod change;
mod sets;

use std::collections::{BTreeMap, BTreeSet};

use mailzone_conformance::Stored;
use mailzone_provider::{Access, Zone, ZoneId};
use mailzone_record::{Name, RRset, RRsetKey, RecordType};

use crate::{Backdoor, Request, Response, Service};
pub use sets::{RecordSet, Routing};
use sets::{element, escape, name_text, read_name};

const XMLNS: &str = "xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"";
/// The largest page of record sets, and the page when none is asked for.
const MAX_PAGE: usize = 300;
const PAGE: usize = 100;

/// One account.
#[derive(Debug)]
pub struct Route53 {
    zones: Vec<HostedZone>,
    /// How often a change is still PENDING when asked.
    changes: BTreeMap<String, u32>,
    made: usize,
    /// The access key that is known and active, with its session token; `None`: any key.
    pub access_key: Option<(String, Option<String>)>,
    /// How the account stands to requests of the known key.
    pub standing: Standing,
    /// Calls that the identity's policy does not allow, by name (`ListHostedZones`).
    pub denied: BTreeSet<&'static str>,
    /// The largest page of zones and of record sets, below the service's own limits.
    pub page: Option<usize>,
    /// How often GetChange says PENDING before INSYNC.
    pub pending: u32,
    /// How many of the next writes are refused since an earlier one is not done.
    pub prior_not_complete: u32,
    /// Whether the service has record set protections; older ones answer 404.
    pub has_protections: bool,
    /// Whether `InvalidChangeBatch` comes as a root element of its own.
    pub bare_errors: bool,
}

/// How the service takes a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the names are the service's codes")]
pub enum Standing {
    #[default]
    Good,
    SignatureDoesNotMatch,
    /// The client's clock is behind.
    SignatureExpired,
    ExpiredToken,
}

/// A hosted zone.
#[derive(Debug, Clone)]
pub struct HostedZone {
    /// Without prefix.
    pub id: String,
    /// The apex.
    pub name: Name,
    /// Whether it is served inside VPCs alone.
    pub private: bool,
    /// The service that keeps it.
    pub linked_service: Option<String>,
    /// `Features/AcceleratedRecoveryStatus`.
    pub recovery: Option<String>,
    /// What it holds.
    pub sets: Vec<RecordSet>,
    /// Which sets are protected, with a comment.
    pub protections: Vec<(RRsetKey, String)>,
}

impl Default for Route53 {
    fn default() -> Self {
        Self {
            zones: Vec::new(),
            changes: BTreeMap::new(),
            made: 0,
            access_key: None,
            standing: Standing::Good,
            denied: BTreeSet::new(),
            page: None,
            pending: 1,
            prior_not_complete: 0,
            has_protections: true,
            bare_errors: false,
        }
    }
}

impl Route53 {
    /// An account that knows this access key alone.
    pub fn with_key(id: &str, session_token: Option<&str>) -> Self {
        Self { access_key: Some((id.to_owned(), session_token.map(str::to_owned))), ..Self::default() }
    }

    /// A new public zone with SOA and NS, beside others of the name.
    pub fn add_zone(&mut self, name: &Name) -> &mut HostedZone {
        self.made += 1;
        let id = format!("Z{:019}", self.made);
        let zone = HostedZone {
            id,
            name: name.to_lowercase(),
            private: false,
            linked_service: None,
            recovery: None,
            sets: made_with(&name.to_lowercase()),
            protections: Vec::new(),
        };
        let at = self.zones.len();
        self.zones.push(zone);
        &mut self.zones[at]
    }

    /// The zone with this identifier.
    pub fn zone(&mut self, id: &ZoneId) -> Option<&mut HostedZone> {
        self.zones.iter_mut().find(|zone| zone.id == id.as_str())
    }

    fn authorized(&self, request: &Request, call: &str) -> Result<(), Response> {
        let Some(key) = signing_key(request) else {
            return Err(error(403, "MissingAuthenticationToken", "Request is missing Authentication Token"));
        };
        if let Some((known, token)) = &self.access_key
            && (key != known || request.header("x-amz-security-token") != token.as_deref())
        {
            let message = "The security token included in the request is invalid.";
            return Err(error(403, "InvalidClientTokenId", message));
        }
        match self.standing {
            Standing::Good => {}
            Standing::SignatureDoesNotMatch => {
                let message = "The request signature we calculated does not match the signature you provided. Check your AWS \
                               Secret Access Key and signing method.";
                return Err(error(403, "SignatureDoesNotMatch", message));
            }
            Standing::SignatureExpired => {
                let message = "Signature expired: 20240101T000000Z is now earlier than 20240101T001000Z";
                return Err(error(403, "SignatureDoesNotMatch", message));
            }
            Standing::ExpiredToken => {
                let message = "The security token included in the request is expired";
                return Err(error(403, "ExpiredToken", message));
            }
        }
        if self.denied.contains(call) {
            let message = format!(
                "User: arn:aws:iam::123456789012:user/mailzone is not authorized to perform: route53:{call} because no \
                 identity-based policy allows it"
            );
            return Err(error(403, "AccessDenied", &message));
        }
        Ok(())
    }

    fn list_zones(&self, request: &Request) -> Response {
        let start = request.param("marker").unwrap_or_default();
        let from = self.zones.iter().position(|zone| zone.id.as_str() >= start).unwrap_or(self.zones.len());
        let size = self.page.unwrap_or(PAGE).min(PAGE);
        let page = self.zones.iter().skip(from).take(size);
        let zones: String = page.map(HostedZone::xml).collect();
        let next = self.zones.get(from + size);
        let marker = next.map(|zone| element("NextMarker", &zone.id)).unwrap_or_default();
        answer(&format!(
            "<ListHostedZonesResponse {XMLNS}><HostedZones>{zones}</HostedZones><Marker>{}</Marker>\
             <IsTruncated>{}</IsTruncated>{marker}<MaxItems>{size}</MaxItems></ListHostedZonesResponse>",
            escape(start),
            next.is_some()
        ))
    }

    fn list_sets(&self, zone: &HostedZone, request: &Request) -> Response {
        let size = request.param("maxitems").and_then(|max| max.parse().ok()).unwrap_or(PAGE);
        let size = size.min(MAX_PAGE).min(self.page.unwrap_or(MAX_PAGE));
        let name = request.param("name");
        if name.is_none() && request.param("type").is_some() {
            return error(400, "InvalidInput", "The input is not valid: type without name");
        }
        let Some(start) = name.map_or_else(|| Some(Name::root()), read_name) else {
            return error(400, "InvalidDomainName", "The specified domain name isn't valid.");
        };
        let parameter = |name| request.param(name).unwrap_or_default().to_owned();
        let start = (start, parameter("type"), parameter("identifier"));
        let mut sets: Vec<&RecordSet> = zone.sets.iter().collect();
        sets.sort_by_cached_key(|set| set.position());
        let mut rest = sets.into_iter().filter(|set| set.position() >= start);
        let page: String = rest.by_ref().take(size).map(RecordSet::xml).collect();
        let next = rest.next();
        let continued = next.map(|set| {
            let identifier = set.identifier().map(|id| element("NextRecordIdentifier", id)).unwrap_or_default();
            element("NextRecordName", &name_text(&set.name))
                + &element("NextRecordType", &set.rtype.to_string())
                + &identifier
        });
        answer(&format!(
            "<ListResourceRecordSetsResponse {XMLNS}><ResourceRecordSets>{page}</ResourceRecordSets>\
             <IsTruncated>{}</IsTruncated>{}<MaxItems>{size}</MaxItems></ListResourceRecordSetsResponse>",
            next.is_some(),
            continued.unwrap_or_default()
        ))
    }

    fn list_protections(&self, zone: &HostedZone, request: &Request) -> Response {
        let size = request.param("maxresults").and_then(|max| max.parse().ok()).unwrap_or(PAGE);
        let size = size.min(MAX_PAGE).min(self.page.unwrap_or(MAX_PAGE));
        let from: usize =
            request.param("nexttoken").and_then(|token| token.strip_prefix("p/")?.parse().ok()).unwrap_or(0);
        let protection = |(key, comment): &(RRsetKey, String)| {
            format!(
                "<ResourceRecordSetProtection>{}{}{}</ResourceRecordSetProtection>",
                element("RecordName", &name_text(&key.name)),
                element("RecordType", &key.rtype.to_string()),
                if comment.is_empty() { String::new() } else { element("Comment", comment) }
            )
        };
        let page: String = zone.protections.iter().skip(from).take(size).map(protection).collect();
        let token = match from + size < zone.protections.len() {
            true => element("NextToken", &format!("p/{}", from + size)),
            false => String::new(),
        };
        answer(&format!(
            "<ListResourceRecordSetProtectionsResponse {XMLNS}><ResourceRecordSetProtections>{page}\
             </ResourceRecordSetProtections>{token}</ListResourceRecordSetProtectionsResponse>"
        ))
    }

    fn change_sets(&mut self, at: usize, request: &Request) -> Response {
        let Some(zone) = self.zones.get_mut(at) else { return no_zone("") };
        let changes = match change::read(&request.body) {
            Ok(changes) => changes,
            Err(message) => return error(400, "InvalidInput", &message),
        };
        if self.prior_not_complete > 0 {
            self.prior_not_complete -= 1;
            let message = "The request was rejected because Route 53 was still processing a prior request.";
            return error(400, "PriorRequestNotComplete", message);
        }
        let protections = &zone.protections;
        let protected =
            |name: &Name, rtype: RecordType| protections.iter().any(|(key, _)| key.name == *name && key.rtype == rtype);
        match change::apply(&zone.name, &zone.sets, &changes, &protected) {
            Ok(sets) => zone.sets = sets,
            Err(errors) if self.bare_errors => {
                let messages: String = errors.iter().map(|message| element("Message", message)).collect();
                let body = format!(
                    "<?xml version=\"1.0\"?>\n<InvalidChangeBatch {XMLNS}><Messages>{messages}</Messages></InvalidChangeBatch>"
                );
                return Response::text(400, "text/xml", body);
            }
            Err(errors) => return error(400, "InvalidChangeBatch", &format!("[{}]", errors.join(", "))),
        }
        self.made += 1;
        let id = format!("C{:019}", self.made);
        let info = change_info(&id, self.pending > 0);
        self.changes.insert(id, self.pending);
        answer(&format!("<ChangeResourceRecordSetsResponse {XMLNS}>{info}</ChangeResourceRecordSetsResponse>"))
    }

    fn get_change(&mut self, id: &str) -> Response {
        let Some(left) = self.changes.get_mut(id) else {
            return error(404, "NoSuchChange", &format!("A change with the specified change ID does not exist: {id}"));
        };
        let pending = *left > 0;
        *left = left.saturating_sub(1);
        answer(&format!("<GetChangeResponse {XMLNS}>{}</GetChangeResponse>", change_info(id, pending)))
    }
}

impl Service for Route53 {
    fn answer(&mut self, request: &Request) -> Response {
        let Some(call) = call(request) else { return Response::text(404, "text/xml", "<UnknownOperationException/>") };
        if call == "ListResourceRecordSetProtections" && !self.has_protections {
            return Response::text(404, "text/xml", "<UnknownOperationException/>");
        }
        if let Err(refused) = self.authorized(request, call) {
            return refused;
        }
        let segments = request.segments();
        let id = segments.get(2).map(String::as_str).unwrap_or_default();
        match call {
            "ListHostedZones" => return self.list_zones(request),
            "GetChange" => return self.get_change(id),
            _ => {}
        }
        let Some(at) = self.zones.iter().position(|zone| zone.id == id) else { return no_zone(id) };
        match (call, self.zones.get(at)) {
            ("ListResourceRecordSets", Some(zone)) => self.list_sets(zone, request),
            ("ListResourceRecordSetProtections", Some(zone)) => self.list_protections(zone, request),
            ("GetHostedZone", Some(zone)) => zone.get(),
            _ => self.change_sets(at, request),
        }
    }

    fn label(&self, request: &Request) -> String {
        call(request).unwrap_or("unknown").to_owned()
    }

    fn writes(&self, request: &Request) -> bool {
        call(request) == Some("ChangeResourceRecordSets")
    }

    fn throttled(&self) -> Response {
        error(400, "Throttling", "Rate exceeded")
    }

    fn served(&self) -> Vec<(Name, Vec<RRset>)> {
        let mut served: BTreeMap<Name, Vec<RRset>> = BTreeMap::new();
        for zone in self.zones.iter().filter(|zone| !zone.private && !served_by_another(&self.zones, zone)) {
            let mut sets: Vec<RRset> = Vec::new();
            for set in zone.sets.iter().filter_map(RecordSet::served) {
                // Of several sets of a key a name server answers with one.
                if !sets.iter().any(|other| other.name == set.name && other.rtype == set.rtype) {
                    sets.push(set);
                }
            }
            served.insert(zone.name.clone(), sets);
        }
        served.into_iter().collect()
    }
}

impl Backdoor for Route53 {
    fn seed(&mut self, origin: &Name, sets: &[RRset]) -> Zone {
        let at = match self.zones.iter().position(|zone| zone.name == *origin && !zone.private) {
            Some(at) => at,
            None => {
                self.add_zone(origin);
                self.zones.len() - 1
            }
        };
        let zone = &mut self.zones[at];
        zone.sets = made_with(&zone.name);
        let own = |set: &&RRset| set.name != *origin || !matches!(set.rtype, RecordType::SOA | RecordType::NS);
        zone.sets.extend(sets.iter().filter(own).map(RecordSet::plain));
        Zone {
            id: ZoneId::new(zone.id.as_str()),
            name: zone.name.clone(),
            access: Access::ReadWrite,
            nameservers: Vec::new(),
        }
    }

    fn edit(&mut self, zone: &Zone, key: &RRsetKey, after: Option<&RRset>) {
        let Some(zone) = self.zone(&zone.id) else { return };
        zone.sets.retain(|set| set.name != key.name || set.rtype != key.rtype);
        zone.sets.extend(after.map(RecordSet::plain));
    }

    fn stored(&self, zone: &Zone) -> Vec<Stored> {
        let zones = self.zones.iter().filter(|known| known.id == zone.id.as_str());
        let mut stored = Vec::new();
        for set in zones.flat_map(|zone| &zone.sets) {
            let record = |text: String| Stored { name: set.name.clone(), rtype: set.rtype, text };
            stored.extend(set.values.iter().cloned().map(record));
            if set.routing.is_some() {
                stored.push(record(set.xml()));
            }
        }
        stored
    }
}

impl HostedZone {
    fn xml(&self) -> String {
        let linked = self
            .linked_service
            .as_ref()
            .map(|principal| format!("<LinkedService>{}</LinkedService>", element("ServicePrincipal", principal)));
        let features = self
            .recovery
            .as_ref()
            .map(|status| format!("<Features>{}</Features>", element("AcceleratedRecoveryStatus", status)));
        format!(
            "<HostedZone><Id>/hostedzone/{}</Id>{}<CallerReference>made by a test</CallerReference><Config>\
             <PrivateZone>{}</PrivateZone></Config><ResourceRecordSetCount>{}</ResourceRecordSetCount>{}{}</HostedZone>",
            self.id,
            element("Name", &name_text(&self.name)),
            self.private,
            self.sets.len(),
            linked.unwrap_or_default(),
            features.unwrap_or_default()
        )
    }

    fn get(&self) -> Response {
        let ns = self.sets.iter().find(|set| set.name == self.name && set.rtype == RecordType::NS);
        let servers = ns.iter().flat_map(|set| &set.values);
        let servers: String = servers.map(|server| element("NameServer", server.trim_end_matches('.'))).collect();
        let delegation = match self.private {
            true => String::new(),
            false => format!("<DelegationSet><NameServers>{servers}</NameServers></DelegationSet>"),
        };
        answer(&format!("<GetHostedZoneResponse {XMLNS}>{}{delegation}</GetHostedZoneResponse>", self.xml()))
    }
}

/// What a zone has from the beginning.
fn made_with(name: &Name) -> Vec<RecordSet> {
    let servers =
        ["ns-2048.awsdns-64.com.", "ns-2049.awsdns-65.net.", "ns-2050.awsdns-66.org.", "ns-2051.awsdns-67.co.uk."];
    let set = |rtype, ttl, values| RecordSet { name: name.clone(), rtype, ttl: Some(ttl), values, routing: None };
    let soa = "ns-2048.awsdns-64.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400".to_owned();
    vec![set(RecordType::NS, 172_800, servers.map(str::to_owned).to_vec()), set(RecordType::SOA, 900, vec![soa])]
}

/// Of several public zones of a name the first one is delegated to.
fn served_by_another(zones: &[HostedZone], zone: &HostedZone) -> bool {
    let first = zones.iter().find(|other| other.name == zone.name && !other.private);
    first.is_some_and(|first| first.id != zone.id)
}

/// The key that a request is signed with, if it is signed as AWS wants it.
fn signing_key(request: &Request) -> Option<&str> {
    let authorization = request.header("authorization")?.strip_prefix("AWS4-HMAC-SHA256 Credential=")?;
    let (credential, rest) = authorization.split_once(", ")?;
    let mut scope = credential.split('/');
    let key = scope.next()?;
    let day = scope.next().filter(|day| day.len() == 8 && day.bytes().all(|b| b.is_ascii_digit()))?;
    let rest_of_scope: Vec<&str> = scope.collect();
    let (signed, signature) = rest.strip_prefix("SignedHeaders=")?.split_once(", Signature=")?;
    let complete = rest_of_scope == ["us-east-1", "route53", "aws4_request"]
        && ["host", "x-amz-date"].iter().all(|name| signed.split(';').any(|header| header == *name))
        && signature.len() == 64
        && signature.bytes().all(|b| b.is_ascii_hexdigit())
        && request.header("x-amz-date").is_some_and(|date| date.starts_with(day));
    complete.then_some(key)
}

fn call(request: &Request) -> Option<&'static str> {
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (request.method.as_str(), segments.as_slice()) {
        ("GET", ["2013-04-01", "hostedzone"]) => Some("ListHostedZones"),
        ("GET", ["2013-04-01", "hostedzone", _]) => Some("GetHostedZone"),
        ("GET", ["2013-04-01", "hostedzone", _, "rrset"]) => Some("ListResourceRecordSets"),
        ("POST", ["2013-04-01", "hostedzone", _, "rrset"]) => Some("ChangeResourceRecordSets"),
        ("GET", ["2013-04-01", "hostedzone", _, "rrsetprotection"]) => Some("ListResourceRecordSetProtections"),
        ("GET", ["2013-04-01", "change", _]) => Some("GetChange"),
        _ => None,
    }
}

fn change_info(id: &str, pending: bool) -> String {
    let status = if pending { "PENDING" } else { "INSYNC" };
    format!(
        "<ChangeInfo><Id>/change/{id}</Id><Status>{status}</Status><SubmittedAt>2024-01-01T00:00:00.000Z</SubmittedAt>\
         </ChangeInfo>"
    )
}

fn answer(xml: &str) -> Response {
    Response::text(200, "text/xml", format!("<?xml version=\"1.0\"?>\n{xml}"))
        .with_header("x-amzn-requestid", "00000000-0000-4000-8000-000000000000")
}

fn no_zone(id: &str) -> Response {
    error(404, "NoSuchHostedZone", &format!("No hosted zone found with ID: {id}"))
}

fn error(status: u16, code: &str, message: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\"?>\n<ErrorResponse {XMLNS}><Error><Type>Sender</Type>{}{}</Error>\
         <RequestId>00000000-0000-4000-8000-000000000000</RequestId></ErrorResponse>",
        element("Code", code),
        element("Message", message)
    );
    Response::text(status, "text/xml", body)
}

#[cfg(test)]
mod tests {
    use mailzone_conformance::parse_seed;

    use super::*;

    fn request(method: &str, path: &str, query: &[(&str, &str)]) -> Request {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIA/20240101/us-east-1/route53/aws4_request, SignedHeaders=host;x-amz-date, \
             Signature={}",
            "0".repeat(64)
        );
        Request {
            method: method.to_owned(),
            path: format!("/2013-04-01{path}"),
            query: query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            headers: vec![
                ("authorization".to_owned(), authorization),
                ("x-amz-date".to_owned(), "20240101T000000Z".to_owned()),
            ],
            body: Vec::new(),
        }
    }

    fn text(response: &Response) -> String {
        String::from_utf8(response.body.clone()).unwrap()
    }

    #[test]
    fn only_signed_requests_of_the_known_key_are_answered() {
        let mut service = Route53::with_key("AKIA", None);
        let mut asked = request("GET", "/hostedzone", &[]);
        assert_eq!(service.answer(&asked).status, 200);
        for header in 0..2 {
            let mut unsigned = asked.clone();
            unsigned.headers.remove(header);
            assert!(text(&service.answer(&unsigned)).contains("MissingAuthenticationToken"));
        }
        asked.headers.push(("x-amz-security-token".to_owned(), "of another".to_owned()));
        assert!(text(&service.answer(&asked)).contains("InvalidClientTokenId"));
        assert_eq!(service.answer(&request("GET", "/healthcheck", &[])).status, 404);
    }

    #[test]
    fn a_listing_is_continued_by_name_type_and_identifier() {
        let mut service = Route53 { page: Some(1), ..Route53::default() };
        let zone = service.add_zone(&Name::parse("example.com").unwrap());
        let path = format!("/hostedzone/{}/rrset", zone.id);
        for identifier in ["a", "b"] {
            zone.sets.push(RecordSet {
                name: Name::parse("*.example.com").unwrap(),
                rtype: RecordType::A,
                ttl: Some(60),
                values: vec!["192.0.2.1".to_owned()],
                routing: Some(Routing::Weighted { identifier: identifier.to_owned(), weight: 1 }),
            });
        }
        let start = [("name", "\\052.example.com."), ("type", "A"), ("identifier", "b")];
        let first = text(&service.answer(&request("GET", &path, &start[..2])));
        assert!(
            first.contains("<Name>\\052.example.com.</Name><Type>A</Type><SetIdentifier>a</SetIdentifier>"),
            "{first}"
        );
        assert!(first.contains("<NextRecordIdentifier>b</NextRecordIdentifier>"), "{first}");
        let last = text(&service.answer(&request("GET", &path, &start)));
        assert!(last.contains("<SetIdentifier>b</SetIdentifier>") && last.contains("<IsTruncated>false<"), "{last}");
        assert_eq!(service.answer(&request("GET", &path, &start[1..])).status, 400);
    }

    #[test]
    fn zones_can_be_served() {
        let mut service = Route53::default();
        let origin = Name::parse("example.com").unwrap();
        let seed = "@ 60 TXT \"a\\228b\"\n@ 60 TYPE65280 \\# 1 00\n@ 60 SOA a. b. 1 2 3 4 5\n*.w 60 CNAME x.";
        service.seed(&origin, &parse_seed(&origin, seed));
        service.add_zone(&origin).private = true;
        service.add_zone(&origin).sets.clear();
        let served = service.served();
        assert_eq!(served.len(), 1);
        let (apex, sets) = served.into_iter().next().unwrap();
        assert_eq!(sets.len(), 5);
        let ttl = mailzone_record::Ttl::from_secs(60).unwrap();
        assert!(mailzone_server::Zone::new(apex, sets, ttl).is_ok());
    }
}
