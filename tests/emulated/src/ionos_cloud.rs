//! IONOS Cloud DNS: one object for each value with a stable id, lists in pages, writes that are accepted first and
//! carried out while one asks, and reverse records.

mod record;
mod reverse;

use mailzone_conformance::Stored;
use mailzone_provider::{Access, Zone, ZoneId};
use mailzone_record::{Name, RRset, RRsetKey, RecordType};
use serde_json::{Value as Json, json};

use self::record::{Draft, Record, State};
use self::reverse::Reverse;
use crate::{Backdoor, Request, Response, Service};

/// The service with its zones.
#[derive(Debug)]
pub struct IonosCloud {
    zones: Vec<Held>,
    reverse: Vec<Reverse>,
    written: u64,
    /// How many listings of a record's zone show it under way after a write.
    pub polls: u32,
    /// Whether texts are listed in quotes; else as they were sent.
    pub quotes: bool,
    /// So many of the next accepted writes end as FAILED.
    pub fail: usize,
    /// The next creation is refused as if its value were bad.
    pub refuse_creates: usize,
    /// The addresses of the contract.
    pub addresses: Vec<std::net::IpAddr>,
    /// The status with which every call is refused.
    pub refuse_all: Option<u16>,
}

#[derive(Debug)]
struct Held {
    id: String,
    name: Name,
    secondary: bool,
    serial: u32,
    records: Vec<Record>,
}

type Answer = Result<Response, Response>;

const SERVERS: [&str; 4] = ["ns-ic.ui-dns.com", "ns-ic.ui-dns.de", "ns-ic.ui-dns.org", "ns-ic.ui-dns.biz"];

impl IonosCloud {
    /// The token that it takes.
    pub const TOKEN: &str = "emulated-cloud-token";

    /// A service without zones.
    #[expect(clippy::new_without_default, reason = "a service is made on purpose")]
    pub fn new() -> Self {
        Self {
            zones: Vec::new(),
            reverse: Vec::new(),
            written: 0,
            polls: 0,
            quotes: false,
            fail: 0,
            refuse_creates: 0,
            addresses: Vec::new(),
            refuse_all: None,
        }
    }

    /// Turns a zone into a secondary one.
    pub fn make_secondary(&mut self, zone: &Zone) {
        self.held(zone).secondary = true;
    }

    /// Adds values that are not served.
    pub fn add_disabled(&mut self, zone: &Zone, set: &RRset) {
        for mut record in self.records_of(zone, set) {
            record.enabled = false;
            self.held(zone).records.push(record);
        }
    }

    /// The names that the addresses of the contract point to.
    pub fn pointers(&self) -> Vec<(std::net::IpAddr, String)> {
        self.reverse.iter().map(|reverse| (reverse.ip, reverse.name.clone())).collect()
    }

    #[expect(clippy::expect_used, reason = "the zone of a test that is not there must not pass")]
    fn held(&mut self, zone: &Zone) -> &mut Held {
        self.zones.iter_mut().find(|held| held.id == zone.id.as_str()).expect("a seeded zone")
    }

    fn records_of(&mut self, zone: &Zone, set: &RRset) -> Vec<Record> {
        let ttl = set.ttl.map_or(3600, mailzone_record::Ttl::as_secs);
        let own = record::relative(&set.name, &zone.name);
        let record = |rdata| Record::seeded(self.next_id(), own.clone(), set.name.clone(), rdata, ttl, self.quotes);
        let mut record = record;
        set.values.iter().map(|value| record(value.rdata.clone())).collect()
    }

    fn next_id(&mut self) -> String {
        self.written += 1;
        format!("{:08x}-c10d-4000-8000-{:012x}", self.written.wrapping_mul(0x9e37_79b9) & 0xffff_ffff, self.written)
    }

    fn route(&mut self, request: &Request) -> Answer {
        if let Some(status) = self.refuse_all {
            return Err(error(status, "paas-auth-2", "Access to the requested resource is not allowed"));
        }
        if request.header("authorization") != Some(&format!("Bearer {}", Self::TOKEN)) {
            let text = "Unauthorized, wrong or no api key provided to process this request";
            return Err(error(401, "paas-auth-1", text));
        }
        let segments = request.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["zones"]) => self.zone_list(request, false),
            ("GET", ["secondaryzones"]) => self.zone_list(request, true),
            ("GET", ["zones", zone]) => Ok(Response::json(200, self.zones[self.at(zone, false)?].json())),
            ("GET", ["secondaryzones", zone]) => Ok(Response::json(200, self.zones[self.at(zone, true)?].json())),
            ("GET", ["secondaryzones", zone, "records"]) => {
                let at = self.at(zone, true)?;
                self.record_list(request, &[at])
            }
            ("GET", ["records"]) => {
                let zone = request.param("filter.zoneId");
                let fits = |held: &Held| !held.secondary && zone.is_none_or(|zone| held.id == zone);
                let places: Vec<usize> = (0..self.zones.len()).filter(|at| fits(&self.zones[*at])).collect();
                self.record_list(request, &places)
            }
            ("GET", ["zones", zone, "records"]) => {
                let at = self.at(zone, false)?;
                let held = &self.zones[at];
                // The real list is cut off here, silently.
                let items: Vec<Json> = held.records.iter().take(100).map(|record| record.json(&held.id)).collect();
                Ok(Response::json(200, json!({ "id": held.id, "type": "collection", "items": items })))
            }
            ("POST", ["zones", zone, "records"]) => {
                let at = self.at(zone, false)?;
                self.post(at, request)
            }
            ("GET", ["zones", zone, "records", record]) => {
                let held = &self.zones[self.at(zone, false)?];
                let found = held.records.iter().find(|known| known.id == *record);
                found.map(|found| Response::json(200, found.json(&held.id))).ok_or_else(no_object)
            }
            ("PUT", ["zones", zone, "records", record]) => {
                let at = self.at(zone, false)?;
                self.put(at, record, request)
            }
            ("DELETE", ["zones", zone, "records", record]) => {
                let at = self.at(zone, false)?;
                self.delete(at, record)
            }
            (_, ["reverserecords", ..]) => self.route_reverse(request, segments.get(1).copied()),
            _ => Err(error(404, "paas-generic-404", "The requested path does not exist")),
        }
    }

    fn at(&self, id: &str, secondary: bool) -> Result<usize, Response> {
        self.zones.iter().position(|held| held.id == id && held.secondary == secondary).ok_or_else(no_object)
    }

    fn zone_list(&self, request: &Request, secondary: bool) -> Answer {
        let name = request.param("filter.zoneName").map(str::to_ascii_lowercase);
        let fits = |held: &&Held| {
            held.secondary == secondary
                && name.as_ref().is_none_or(|name| held.name.to_text_without_dot().eq_ignore_ascii_case(name))
        };
        let items = self.zones.iter().filter(fits).map(Held::json).collect();
        page(request, items)
    }

    fn record_list(&mut self, request: &Request, places: &[usize]) -> Answer {
        let fits = |record: &Record| {
            request.param("filter.name").is_none_or(|name| record.name.eq_ignore_ascii_case(name))
                && request.param("filter.type").is_none_or(|kind| record.kind == kind)
                && request.param("filter.state").is_none_or(|state| record.state.text() == state)
        };
        let mut items = Vec::new();
        for &at in places {
            let held = &self.zones[at];
            items.extend(held.records.iter().filter(|record| fits(record)).map(|record| record.json(&held.id)));
        }
        let answer = page(request, items)?;
        // Time goes on once a listing: at its first page.
        if request.param("offset").is_none_or(|offset| offset == "0") {
            for &at in places {
                let records = &mut self.zones[at].records;
                records.iter_mut().for_each(Record::advance);
                records.retain(|record| record.state != State::Gone);
            }
        }
        Ok(answer)
    }

    fn draft(&mut self, at: usize, request: &Request) -> Result<Draft, Response> {
        let body = request.json().and_then(|mut body| body.get_mut("properties").map(Json::take));
        let body = body.ok_or_else(|| error(400, "paas-generic-1", "The request has no properties"))?;
        let draft = Draft::read(&body, &self.zones[at].name)
            .map_err(|field| error(422, "paas-validation-1", &format!("property {field} is not valid")))?;
        if self.refuse_creates > 0 {
            self.refuse_creates -= 1;
            return Err(error(422, "paas-validation-1", "property content is not valid"));
        }
        Ok(draft)
    }

    /// Refuses what cannot stand beside the zone's other records.
    fn check(&self, at: usize, draft: &Draft, own: Option<&str>) -> Result<(), Response> {
        let live = |record: &&Record| record.state != State::Destroying && Some(record.id.as_str()) != own;
        let others = || self.zones[at].records.iter().filter(live).filter(|record| record.owner == draft.owner);
        if others().any(|record| record.kind == draft.kind && record.rdata == draft.rdata) {
            return Err(error(409, "paas-conflict-1", "An identical record exists already"));
        }
        let cname = |kind: &str| kind == "CNAME";
        let clash = |record: &Record| record.enabled && draft.enabled && (cname(&record.kind) || cname(&draft.kind));
        match others().any(clash) {
            true => Err(error(422, "paas-validation-2", "A CNAME record cannot stand beside other records")),
            false => Ok(()),
        }
    }

    fn post(&mut self, at: usize, request: &Request) -> Answer {
        let draft = self.draft(at, request)?;
        self.check(at, &draft, None)?;
        let id = self.next_id();
        Ok(self.accept(at, id, draft))
    }

    fn put(&mut self, at: usize, id: &str, request: &Request) -> Answer {
        let draft = self.draft(at, request)?;
        self.check(at, &draft, Some(id))?;
        Ok(self.accept(at, id.to_owned(), draft))
    }

    fn accept(&mut self, at: usize, id: String, draft: Draft) -> Response {
        let failed = self.fail > 0;
        self.fail = self.fail.saturating_sub(1);
        let record = Record::accepted(id, draft, self.polls, failed, self.quotes);
        let held = &mut self.zones[at];
        held.serial += 1;
        let answer = record.json(&held.id);
        match held.records.iter_mut().find(|known| known.id == record.id) {
            Some(known) => *known = record,
            None => held.records.push(record),
        }
        Response::json(202, answer)
    }

    fn delete(&mut self, at: usize, id: &str) -> Answer {
        let polls = self.polls;
        let held = &mut self.zones[at];
        let known = held.records.iter_mut().find(|record| record.id == id && record.state != State::Destroying);
        known.ok_or_else(no_object)?.destroy(polls);
        held.records.retain(|record| record.state != State::Gone);
        held.serial += 1;
        Ok(Response::empty(202))
    }
}

impl Held {
    fn json(&self) -> Json {
        let servers = if self.secondary { vec!["nscs.ui-dns.com"] } else { SERVERS.to_vec() };
        json!({
            "id": self.id, "type": "zone", "href": format!("/zones/{}", self.id),
            "metadata": { "createdDate": "2024-11-28T13:46:06Z", "state": "AVAILABLE", "nameservers": servers },
            "properties": { "zoneName": self.name.to_text_without_dot(), "description": "", "enabled": true },
        })
    }

    fn zone(&self) -> Zone {
        let access = match self.secondary {
            true => Access::ReadOnly {
                reason: "a secondary zone".into(),
                remedy: "change the zone at its primary server".into(),
            },
            false => Access::ReadWrite,
        };
        Zone { id: ZoneId::new(self.id.as_str()), name: self.name.clone(), access, nameservers: servers() }
    }
}

impl Service for IonosCloud {
    fn answer(&mut self, request: &Request) -> Response {
        self.route(request).unwrap_or_else(|refusal| refusal)
    }

    fn label(&self, request: &Request) -> String {
        let segments = request.segments();
        let shown: Vec<&str> = segments
            .iter()
            .enumerate()
            .map(|(i, segment)| if i % 2 == 1 { "{id}" } else { segment.as_str() })
            .collect();
        format!("{} /{}", request.method, shown.join("/"))
    }

    fn writes(&self, request: &Request) -> bool {
        request.method != "GET"
    }

    fn throttled(&self) -> Response {
        error(429, "paas-rate-1", "Too many requests").with_header("retry-after", "0")
    }

    fn served(&self) -> Vec<(Name, Vec<RRset>)> {
        let zone = |held: &Held| {
            let mut sets = record::own_sets(&held.name, &servers(), held.serial);
            sets.extend(record::sets(held.records.iter().filter(|record| record.is_served())));
            (held.name.clone(), sets)
        };
        self.zones.iter().map(zone).collect()
    }
}

impl Backdoor for IonosCloud {
    fn seed(&mut self, origin: &Name, sets: &[RRset]) -> Zone {
        let id = self.zones.iter().find(|held| held.name == *origin).map(|held| held.id.clone());
        let id = id.unwrap_or_else(|| self.next_id());
        self.zones.retain(|held| held.name != *origin);
        let held = Held { id, name: origin.clone(), secondary: false, serial: 1, records: Vec::new() };
        let zone = held.zone();
        self.zones.push(held);
        let own = |set: &&RRset| set.rtype != RecordType::SOA && (set.rtype != RecordType::NS || set.name != *origin);
        for set in sets.iter().filter(own) {
            let records = self.records_of(&zone, set);
            self.held(&zone).records.extend(records);
        }
        zone
    }

    fn edit(&mut self, zone: &Zone, key: &RRsetKey, after: Option<&RRset>) {
        let new = after.map(|set| self.records_of(zone, set)).unwrap_or_default();
        let records = &mut self.held(zone).records;
        records.retain(|record| record.key() != *key || !record.enabled);
        records.extend(new);
    }

    fn stored(&self, zone: &Zone) -> Vec<Stored> {
        let held = self.zones.iter().find(|held| held.id == zone.id.as_str());
        let stored = |record: &Record| {
            let RRsetKey { name, rtype } = record.key();
            let disabled = if record.enabled { "" } else { " disabled" };
            Stored { name, rtype, text: format!("{} {} {:?}{disabled}", record.id, record.content, record.priority) }
        };
        let there = |record: &&Record| !matches!(record.state, State::Destroying | State::Failed);
        held.into_iter().flat_map(|held| &held.records).filter(there).map(stored).collect()
    }
}

#[expect(clippy::expect_used, reason = "the service's own names are well-formed")]
fn servers() -> Vec<Name> {
    SERVERS.iter().map(|text| Name::parse(text).expect("a name")).collect()
}

/// One page of a list, in its envelope.
fn page(request: &Request, items: Vec<Json>) -> Answer {
    let number = |field: &str, default: usize| match request.param(field) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| error(422, "paas-validation-3", &format!("{field} is no number"))),
    };
    let (offset, limit) = (number("offset", 0)?, number("limit", 100)?);
    if !(1..=1000).contains(&limit) {
        return Err(error(422, "paas-validation-3", "limit has to be between 1 and 1000"));
    }
    let items: Vec<Json> = items.into_iter().skip(offset).take(limit).collect();
    let envelope = json!({
        "id": "00000000-c10d-4000-8000-000000000000", "type": "collection", "href": request.path, "offset": offset,
        "limit": limit, "items": items, "_links": {},
    });
    Ok(Response::json(200, envelope))
}

fn error(status: u16, code: &str, message: &str) -> Response {
    Response::json(status, json!({ "httpStatus": status, "messages": [{ "errorCode": code, "message": message }] }))
}

fn no_object() -> Response {
    error(404, "paas-generic-2", "The requested object does not exist")
}
