//! netcup's CloudDNS: revisions of a zone, changed by changesets. What nobody has documented (the form of names and data)
//! can be set, and one form is as strictly demanded as another.

mod record;

use mailzone_conformance::Stored;
use mailzone_provider::{Access, Zone, ZoneId};
use mailzone_record::{Name, RRset, RRsetKey, RecordType};
use serde_json::{Value as Json, json};

pub use self::record::{Apex, Forms, Owners};
use self::record::{Fault, Record};
use crate::{Backdoor, Request, Response, Service};

/// The service with one account and its domains.
#[derive(Debug)]
pub struct NetcupCloudDns {
    domains: Vec<Domain>,
    last: u64,
    /// How names and data are spelled; for the zones seeded from now on.
    pub forms: Forms,
    /// The state of a revision in force.
    pub committed: String,
    /// The status of an answer that says that a domain is not known; not always the same at netcup.
    pub unknown_status: u16,
    /// The most entries of a page.
    pub page: usize,
    /// So many of the next changesets find that a record to be deleted is not there.
    pub conflicts: usize,
}

#[derive(Debug)]
struct Domain {
    id: u64,
    name: Name,
    managed: bool,
    revisions: Vec<Revision>,
}

#[derive(Debug, Clone)]
struct Revision {
    number: u64,
    state: String,
    in_force: bool,
    records: Vec<Record>,
}

type Failure = (u16, Fault);

impl NetcupCloudDns {
    /// A key with the length of a real one.
    pub const KEY: &str = "emulatedrestkeyemulatedrestkeyemulatedrestkeyemulatedrestkeyemul";
    /// The path of the endpoint.
    pub const PATH: &str = "/v1";

    /// An account without domains.
    pub fn new(forms: Forms) -> Self {
        Self {
            domains: Vec::new(),
            last: 0,
            forms,
            committed: "committed".into(),
            unknown_status: 200,
            page: 100,
            conflicts: 0,
        }
    }

    /// A domain of the account whose zone is on the other back end.
    pub fn add_elsewhere(&mut self, name: &Name) {
        let id = self.next();
        self.domains.push(Domain { id, name: name.clone(), managed: false, revisions: Vec::new() });
    }

    /// Somebody begins to edit: a revision that is newer than the one in force, without its records.
    pub fn draft(&mut self, zone: &Zone, state: &str) {
        let number = self.next();
        let domain = self.domain(zone);
        domain.revisions.push(Revision { number, state: state.into(), in_force: false, records: Vec::new() });
    }

    /// How many revisions were made of the zone.
    pub fn revisions(&mut self, zone: &Zone) -> usize {
        self.domain(zone).revisions.len()
    }

    #[expect(clippy::expect_used, reason = "the zone of a test that is not there must not pass")]
    fn domain(&mut self, zone: &Zone) -> &mut Domain {
        self.domains.iter_mut().find(|domain| domain.id.to_string() == zone.id.as_str()).expect("a seeded zone")
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn call(&mut self, request: &Request) -> Result<Json, Failure> {
        let authorization = request.header("authorization").and_then(|text| text.strip_prefix("Bearer "));
        if authorization != Some(Self::KEY) {
            return Err((400, Fault::new("authenticationError", "The API key is not valid.")));
        }
        let segments = request.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let unknown = (self.unknown_status, Fault::new("resourceDoesNotExist", "The resource does not exist."));
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["v1", "domain"]) => {
                let fqdn = request.param("fqdn").unwrap_or_default();
                let domain = self.domains.iter().find(|domain| domain.name.to_text_without_dot() == fqdn);
                let domain = domain.ok_or(unknown)?;
                Ok(json!({ "result": [{ "id": domain.id, "fqdn": fqdn, "isDnsManaged": domain.managed }] }))
            }
            ("GET", ["v1", "domain", id, "dns", "revision"]) => {
                let domain = self.find(id).ok_or(unknown)?;
                let revisions: Vec<Json> = domain.revisions.iter().map(Revision::json).collect();
                Ok(paged(request, self.page, revisions))
            }
            ("GET", ["v1", "domain", id, "dns", "revision", revision, "record"]) => {
                let domain = self.find(id).ok_or_else(|| unknown.clone())?;
                let found = domain.revisions.iter().find(|known| known.identifier() == *revision);
                let records = found.ok_or(unknown)?.records.iter().map(Record::json).collect();
                Ok(paged(request, self.page, records))
            }
            ("POST", ["v1", "domain", id, "changeset"]) => {
                self.find(id).ok_or(unknown)?;
                let body = request.json().ok_or_else(|| (400, Fault::new("invalidRequest", "The body is no JSON.")))?;
                self.changeset(id, &body)
            }
            _ => Err((404, Fault::new("routeNotFound", "There is no such route."))),
        }
    }

    fn find(&self, id: &str) -> Option<&Domain> {
        self.domains.iter().find(|domain| domain.id.to_string() == id && domain.managed)
    }

    /// All or nothing.
    fn changeset(&mut self, id: &str, body: &Json) -> Result<Json, Failure> {
        let bad = |code, text: &str| (422, Fault::new(code, text));
        if body["autoCommit"] != true || body["strict"] != true {
            return Err(bad("validationError", "Only strict changesets that commit are emulated."));
        }
        let list = |name: &str| body[name].as_array().cloned().unwrap_or_default();
        let (delete, create) = (list("delete"), list("create"));
        if delete.is_empty() && create.is_empty() {
            return Err(bad("validationError", "The changeset is empty."));
        }
        if self.conflicts > 0 {
            self.conflicts -= 1;
            return Err(bad("recordDoesNotExist", "A record does not exist."));
        }
        let number = self.next();
        let committed = self.committed.clone();
        let found = self.domains.iter_mut().find(|domain| domain.id.to_string() == id);
        let domain = found.ok_or_else(|| bad("resourceDoesNotExist", "The resource does not exist."))?;
        let forms = domain.forms().unwrap_or(self.forms);
        let mut records = domain.in_force().cloned().unwrap_or_default();
        for entry in &delete {
            let at = records.iter().position(|record| record.is(entry));
            let at = at.ok_or_else(|| bad("recordDoesNotExist", &format!("A record does not exist: {entry}")))?;
            if records.remove(at).immutable {
                return Err(bad("recordIsImmutable", "The record is immutable."));
            }
        }
        for (at, entry) in create.iter().enumerate() {
            let id = format!("rec-{number}-{at}");
            let record = Record::sent(entry, &delete, &domain.name, forms, id).map_err(|fault| (422, fault))?;
            record.beside(&records).map_err(|fault| (422, fault))?;
            records.push(record);
        }
        domain.commit(number, committed, records);
        let revision = domain.revisions.last().map(Revision::json);
        Ok(json!({ "result": revision }))
    }
}

impl Domain {
    fn in_force(&self) -> Option<&Vec<Record>> {
        self.revisions.iter().rev().find(|revision| revision.in_force).map(|revision| &revision.records)
    }

    /// The forms of the records that are there.
    fn forms(&self) -> Option<Forms> {
        self.in_force()?.first().map(|record| record.forms)
    }

    fn commit(&mut self, number: u64, state: String, mut records: Vec<Record>) {
        for record in records.iter_mut().filter(|record| record.rtype == "SOA") {
            record.set_serial(number);
        }
        self.revisions.push(Revision { number, state, in_force: true, records });
    }
}

impl Revision {
    fn identifier(&self) -> String {
        format!("rev-{}", self.number)
    }

    fn json(&self) -> Json {
        let (hours, minutes, seconds) = (self.number / 3600 % 24, self.number / 60 % 60, self.number % 60);
        let at = format!("2026-09-{:02}T{hours:02}:{minutes:02}:{seconds:02}+00:00", 1 + self.number / 86_400);
        let serial = if self.in_force { json!(2_026_090_100 + self.number) } else { Json::Null };
        json!({
            "identifier": self.identifier(),
            "createdAt": at,
            "modifiedAt": at,
            "state": self.state,
            "serial": serial,
        })
    }
}

impl Service for NetcupCloudDns {
    fn answer(&mut self, request: &Request) -> Response {
        match self.call(request) {
            Ok(mut body) => {
                body["success"] = json!(true);
                body["errors"] = json!([]);
                Response::json(200, body)
            }
            Err((status, fault)) => Response::json(status, fault.envelope()),
        }
    }

    fn label(&self, request: &Request) -> String {
        let segments = request.segments();
        let shown: Vec<&str> = segments
            .iter()
            .skip(1)
            .map(|segment| {
                let is_id = segment.starts_with("rev-") || segment.bytes().all(|octet| octet.is_ascii_digit());
                if is_id { "{id}" } else { segment.as_str() }
            })
            .collect();
        format!("{} /{}", request.method, shown.join("/"))
    }

    fn writes(&self, request: &Request) -> bool {
        request.method != "GET"
    }

    fn throttled(&self) -> Response {
        Response::json(429, Fault::new("tooManyRequests", "Too many requests.").envelope())
    }

    fn served(&self) -> Vec<(Name, Vec<RRset>)> {
        let managed = self.domains.iter().filter(|domain| domain.managed);
        managed.map(|domain| (domain.name.clone(), record::rrsets(&domain.name, domain.in_force()))).collect()
    }
}

impl Backdoor for NetcupCloudDns {
    fn seed(&mut self, origin: &Name, sets: &[RRset]) -> Zone {
        let known = self.domains.iter().position(|domain| domain.name == *origin).map(|at| self.domains.remove(at));
        let id = known.map_or_else(|| 4_200 + self.next(), |domain| domain.id);
        let forms = self.forms;
        let mut records = record::apex(origin, forms);
        let own =
            |set: &&RRset| !(set.name == *origin && (set.rtype == RecordType::NS || set.rtype == RecordType::SOA));
        for set in sets.iter().filter(own) {
            for value in &set.values {
                let number = self.next();
                records.push(Record::from_rdata(origin, set, &value.rdata, forms, format!("seed-{number}")));
            }
        }
        let (number, state) = (self.next(), self.committed.clone());
        let mut domain = Domain { id, name: origin.clone(), managed: true, revisions: Vec::new() };
        domain.commit(number, state, records);
        self.domains.push(domain);
        let id = ZoneId::new(id.to_string());
        Zone { id, name: origin.clone(), access: Access::ReadWrite, nameservers: Vec::new() }
    }

    fn edit(&mut self, zone: &Zone, key: &RRsetKey, after: Option<&RRset>) {
        let (number, state) = (self.next(), self.committed.clone());
        let domain = self.domain(zone);
        let forms = domain.forms().unwrap_or_default();
        let name = domain.name.clone();
        let mut records = domain.in_force().cloned().unwrap_or_default();
        let stays = |record: &Record| {
            let (owner, rdata) = record.served(&name);
            let of_set = owner == key.name && rdata.rtype() == key.rtype;
            let wanted = after.is_some_and(|set| {
                set.values.iter().any(|value| value.rdata == rdata) && set.ttl.is_none_or(|t| t.as_secs() == record.ttl)
            });
            (of_set, wanted)
        };
        records.retain(|record| !matches!(stays(record), (true, false)));
        for (at, value) in
            after.into_iter().flat_map(|set| set.values.iter().map(move |value| (set, value))).enumerate()
        {
            let (set, value) = value;
            let there = records.iter().any(|record| stays(record).0 && record.served(&name).1 == value.rdata);
            if !there {
                records.push(Record::from_rdata(&name, set, &value.rdata, forms, format!("edit-{number}-{at}")));
            }
        }
        domain.commit(number, state, records);
    }

    fn stored(&self, zone: &Zone) -> Vec<Stored> {
        let found = self.domains.iter().find(|domain| domain.id.to_string() == zone.id.as_str());
        let Some(domain) = found else { return Vec::new() };
        let records = domain.in_force().into_iter().flatten();
        records
            .map(|record| {
                let (name, rdata) = record.served(&domain.name);
                Stored { name, rtype: rdata.rtype(), text: format!("{} {:?}", record.rdata, record.name) }
            })
            .collect()
    }
}

fn paged(request: &Request, most: usize, entries: Vec<Json>) -> Json {
    let number = |name: &str, default: usize| request.param(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let per_page = number("perPage", 25).clamp(1, most.max(1));
    let page = number("page", 1).max(1);
    let total = entries.len();
    let shown: Vec<Json> = entries.into_iter().skip((page - 1) * per_page).take(per_page).collect();
    let last = total.div_ceil(per_page).max(1);
    let pagination = json!({ "page": page, "perPage": per_page, "totalEntries": total, "lastPage": last });
    json!({ "result": shown, "meta": { "pagination": pagination } })
}
