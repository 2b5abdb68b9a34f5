//! The hosting DNS API of IONOS: one object for each value, ids that change with every write, PATCH by name and type,
//! disabled records, and a mail service whose records go out of use when somebody writes mail records.

mod record;

use mailzone_conformance::Stored;
use mailzone_provider::{Access, Zone, ZoneId};
use mailzone_record::{Name, RRset, RRsetKey, RecordType, Ttl};
use serde_json::{Value as Json, json};

pub use self::record::SrvForm;
use self::record::{Draft, Record};
use crate::{Backdoor, Request, Response, Service};

/// The service with its zones.
#[derive(Debug)]
pub struct IonosHosting {
    zones: Vec<Held>,
    written: u64,
    /// Whether a PATCH with a bad record changes nothing; else what stands before it is written.
    pub atomic_patch: bool,
    /// Whether writing MX, SPF, autodiscover or `_dmarc` deactivates the other records of IONOS mail there.
    pub deactivates: bool,
    /// How SRV is listed and taken.
    pub srv: SrvForm,
    /// Whether long texts come back as one string.
    pub joins_strings: bool,
    /// So many of the next POST and PATCH calls are refused as if a record were bad.
    pub refuse_creates: usize,
    /// The status with which every call is refused: 401, 403 …
    pub refuse_all: Option<u16>,
    meanwhile: Vec<(RRsetKey, Option<RRset>)>,
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

impl IonosHosting {
    /// The key that it takes.
    pub const KEY: &str = "emulated-prefix.emulated-secret";

    /// A service without zones.
    #[expect(clippy::new_without_default, reason = "a service is made on purpose")]
    pub fn new() -> Self {
        Self {
            zones: Vec::new(),
            written: 0,
            atomic_patch: true,
            deactivates: false,
            srv: SrvForm::Beside,
            joins_strings: false,
            refuse_creates: 0,
            refuse_all: None,
            meanwhile: Vec::new(),
        }
    }

    /// Holds a zone as the API lists it (a recording): its records with their ids and spellings.
    ///
    /// # Panics
    /// If it is none.
    #[expect(clippy::expect_used, reason = "a recording that cannot be read must not pass")]
    pub fn load(&mut self, zone: &Json) -> Zone {
        let text = |value: &Json| value.as_str().expect("a text").to_owned();
        let name = Name::parse(&text(&zone["name"])).expect("a zone's name");
        let records = zone["records"].as_array().expect("records");
        let records = records.iter().map(|record| Record::recorded(record).expect("a record")).collect();
        self.zones.retain(|held| held.name != name);
        self.zones.push(Held { id: text(&zone["id"]), name: name.clone(), secondary: false, serial: 1, records });
        self.zone(&name)
    }

    /// Turns a zone into a secondary one.
    pub fn make_secondary(&mut self, zone: &Zone) {
        self.held(zone).secondary = true;
    }

    /// Switches the records of one name and type off (or on), as the control panel does.
    pub fn disable(&mut self, zone: &Zone, key: &RRsetKey, disabled: bool) {
        for record in self.held(zone).records.iter_mut().filter(|record| record.key() == *key) {
            record.disabled = disabled;
        }
    }

    /// Adds a disabled copy of a set's values.
    pub fn add_disabled(&mut self, zone: &Zone, set: &RRset) {
        for mut record in self.records_of(set) {
            record.disabled = true;
            self.held(zone).records.push(record);
        }
    }

    /// Somebody else sets (or with `None` deletes) one RRset right after the next PATCH.
    pub fn edit_after_patch(&mut self, key: RRsetKey, after: Option<RRset>) {
        self.meanwhile.push((key, after));
    }

    /// The ids of a zone's records.
    pub fn ids(&self, zone: &Zone) -> Vec<String> {
        let held = self.zones.iter().find(|held| held.id == zone.id.as_str());
        held.into_iter().flat_map(|held| &held.records).map(|record| record.id.clone()).collect()
    }

    #[expect(clippy::expect_used, reason = "the zone of a test that is not there must not pass")]
    fn held(&mut self, zone: &Zone) -> &mut Held {
        self.zones.iter_mut().find(|held| held.id == zone.id.as_str()).expect("a seeded zone")
    }

    #[expect(clippy::expect_used, reason = "as above")]
    fn zone(&self, name: &Name) -> Zone {
        let held = self.zones.iter().find(|held| held.name == *name).expect("a seeded zone");
        let access = match held.secondary {
            true => Access::ReadOnly {
                reason: "a secondary zone".into(),
                remedy: "change the zone at its primary server".into(),
            },
            false => Access::ReadWrite,
        };
        Zone { id: ZoneId::new(held.id.as_str()), name: name.clone(), access, nameservers: Vec::new() }
    }

    fn records_of(&mut self, set: &RRset) -> Vec<Record> {
        let (srv, joins) = (self.srv, self.joins_strings);
        let ttl = set.ttl.map_or(3600, Ttl::as_secs);
        let draft = |rdata: &mailzone_record::Rdata| Draft {
            name: set.name.to_text_without_dot(),
            kind: set.rtype.to_string(),
            rdata: rdata.clone(),
            ttl,
            disabled: false,
        };
        let drafts: Vec<_> = set.values.iter().map(|value| draft(&value.rdata)).collect();
        drafts.into_iter().map(|draft| Record::new(self.next_id(), draft, srv, joins)).collect()
    }

    fn next_id(&mut self) -> String {
        self.written += 1;
        format!("{:08x}-5f5e-4000-8000-{:012x}", self.written.wrapping_mul(0x9e37_79b9) & 0xffff_ffff, self.written)
    }

    fn route(&mut self, request: &Request) -> Answer {
        if let Some(status) = self.refuse_all {
            let code = if status == 401 { "UNAUTHORIZED" } else { "FORBIDDEN_REQUEST" };
            return Err(error(status, code, "The customer is not authorized to do this operation."));
        }
        if request.header("x-api-key") != Some(Self::KEY) {
            return Err(error(401, "UNAUTHORIZED", "The customer is not authorized to do this operation."));
        }
        let segments = path(request);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["v1", "zones"]) => Ok(Response::json(200, self.list())),
            ("GET", ["v1", "zones", zone]) => {
                let at = self.at(zone)?;
                Ok(Response::json(200, self.listed(at, request)))
            }
            ("PATCH", ["v1", "zones", zone]) => {
                let at = self.at(zone)?;
                self.patch(at, &body(request)?)
            }
            ("POST", ["v1", "zones", zone, "records"]) => {
                let at = self.at(zone)?;
                self.post(at, &body(request)?)
            }
            ("GET", ["v1", "zones", zone, "records", record]) => {
                let at = self.at(zone)?;
                let found = self.zones[at].records.iter().find(|held| held.id == *record);
                found.map(|found| Response::json(200, found.json(&self.zones[at].name))).ok_or_else(no_record)
            }
            ("PUT", ["v1", "zones", zone, "records", record]) => {
                let at = self.at(zone)?;
                self.put(at, record, request.json().unwrap_or_default())
            }
            ("DELETE", ["v1", "zones", zone, "records", record]) => {
                let at = self.at(zone)?;
                self.delete(at, record)
            }
            _ => Err(error(405, "METHOD_NOT_ALLOWED", "The emulated service does not offer this call.")),
        }
    }

    fn at(&self, id: &str) -> Result<usize, Response> {
        let at = self.zones.iter().position(|held| held.id == id);
        at.ok_or_else(|| error(404, "ZONE_NOT_FOUND", "Zone does not exist."))
    }

    fn list(&self) -> Json {
        let kind = |held: &Held| if held.secondary { "SLAVE" } else { "NATIVE" };
        let zone = |held: &Held| json!({ "name": held.name.to_text_without_dot(), "id": held.id, "type": kind(held) });
        self.zones.iter().map(zone).collect()
    }

    fn listed(&self, at: usize, request: &Request) -> Json {
        let held = &self.zones[at];
        let types: Option<Vec<&str>> = request.param("recordType").map(|types| types.split(',').collect());
        let fits = |record: &&Record| {
            request.param("recordName").is_none_or(|name| record.name.eq_ignore_ascii_case(name))
                && request.param("suffix").is_none_or(|suffix| record.name.ends_with(suffix))
                && types.as_ref().is_none_or(|types| types.contains(&record.kind.as_str()))
        };
        let records: Vec<_> = held.records.iter().filter(fits).map(|record| record.json(&held.name)).collect();
        let kind = if held.secondary { "SLAVE" } else { "NATIVE" };
        json!({ "name": held.name.to_text_without_dot(), "id": held.id, "type": kind, "records": records })
    }

    /// Reads and checks the records of a body.
    fn drafts(&mut self, at: usize, body: &[Json]) -> (Vec<Draft>, Option<Response>) {
        let mut drafts = Vec::with_capacity(body.len());
        if self.zones[at].secondary {
            return (drafts, Some(error(403, "FORBIDDEN_REQUEST", "The zone is a slave zone.")));
        }
        let refuse = self.refuse_creates > 0;
        self.refuse_creates = self.refuse_creates.saturating_sub(1);
        for entry in body {
            match Draft::read(entry, &self.zones[at].name, self.srv) {
                Ok(draft) => drafts.push(draft),
                Err(fields) => return (drafts, Some(bad(entry, &fields))),
            }
        }
        let refused = if refuse { body.last().map(|entry| bad(entry, &["content"])) } else { None };
        if refused.is_some() {
            drafts.pop();
        }
        (drafts, refused)
    }

    fn patch(&mut self, at: usize, body: &[Json]) -> Answer {
        let (drafts, refused) = self.drafts(at, body);
        if let Some(refused) = &refused
            && (self.atomic_patch || drafts.is_empty())
        {
            return Err(refused.clone());
        }
        let mut keys: Vec<RRsetKey> = Vec::new();
        for draft in &drafts {
            if !keys.contains(&draft.key()) {
                keys.push(draft.key());
            }
        }
        let mut records = self.zones[at].records.clone();
        records.retain(|record| !keys.contains(&record.key()));
        for draft in drafts {
            self.insert(&mut records, draft)?;
        }
        self.zones[at].records = records;
        self.wrote(at, &keys);
        let zone = self.zone(&self.zones[at].name.clone());
        for (key, after) in std::mem::take(&mut self.meanwhile) {
            self.edit(&zone, &key, after.as_ref());
        }
        refused.map_or_else(|| Ok(Response::empty(200)), Err)
    }

    fn post(&mut self, at: usize, body: &[Json]) -> Answer {
        let (drafts, refused) = self.drafts(at, body);
        if let Some(refused) = refused {
            return Err(refused);
        }
        let keys: Vec<RRsetKey> = drafts.iter().map(Draft::key).collect();
        let mut records = self.zones[at].records.clone();
        let mut made = Vec::new();
        for draft in drafts {
            self.insert(&mut records, draft)?;
            made.extend(records.last().map(|record| record.json(&self.zones[at].name)));
        }
        self.zones[at].records = records;
        self.wrote(at, &keys);
        Ok(Response::json(201, made.into()))
    }

    fn put(&mut self, at: usize, id: &str, body: Json) -> Answer {
        let Some(old) = self.zones[at].records.iter().find(|record| record.id == id).cloned() else {
            return Err(no_record());
        };
        let known = ["content", "ttl", "prio", "disabled"];
        if body.as_object().is_none_or(|map| map.keys().any(|field| !known.contains(&field.as_str()))) {
            return Err(bad(&body, &["unknown field"]));
        }
        let mut entry = old.json(&self.zones[at].name);
        for field in known {
            if let Some(value) = body.get(field) {
                entry[field] = value.clone();
            }
        }
        let draft = Draft::read(&entry, &self.zones[at].name, self.srv).map_err(|fields| bad(&body, &fields))?;
        let mut records = self.zones[at].records.clone();
        records.retain(|record| record.id != id);
        self.insert(&mut records, draft)?;
        let made = records.last().map(|record| record.json(&self.zones[at].name));
        self.zones[at].records = records;
        self.wrote(at, &[old.key()]);
        Ok(Response::json(200, made.unwrap_or_default()))
    }

    fn delete(&mut self, at: usize, id: &str) -> Answer {
        let records = &mut self.zones[at].records;
        let place = records.iter().position(|record| record.id == id).ok_or_else(no_record)?;
        let key = records[place].key();
        if key.rtype == RecordType::SOA || (key.rtype == RecordType::NS && key.name == self.zones[at].name) {
            return Err(error(400, "INVALID_RECORD", "The record cannot be deleted."));
        }
        self.zones[at].records.remove(place);
        self.wrote(at, &[key]);
        Ok(Response::empty(200))
    }

    /// Adds a record: the same data once more takes the old one's place, under a new id.
    fn insert(&mut self, records: &mut Vec<Record>, draft: Draft) -> Result<(), Response> {
        let key = draft.key();
        let beside = |record: &&Record| {
            let other = record.key();
            other.name == key.name && !record.disabled && !draft.disabled
        };
        let is_cname = |rtype: RecordType| rtype == RecordType::CNAME;
        let clash = records.iter().filter(beside).any(|record| {
            let other = record.key().rtype;
            (other != key.rtype && (is_cname(other) || is_cname(key.rtype)))
                || (is_cname(other) && is_cname(key.rtype) && record.rdata != draft.rdata)
        });
        if clash {
            let text = "A CNAME record cannot stand beside other records of its name.";
            return Err(error(400, "INVALID_RECORD", text));
        }
        records
            .retain(|record| record.key() != key || record.rdata != draft.rdata || record.disabled != draft.disabled);
        let record = Record::new(self.next_id(), draft, self.srv, self.joins_strings);
        records.push(record);
        Ok(())
    }

    /// After a write: the serial, and what IONOS does to the records of its mail service.
    fn wrote(&mut self, at: usize, keys: &[RRsetKey]) {
        self.zones[at].serial += 1;
        let serial = self.zones[at].serial;
        if let Some(soa) = self.zones[at].records.iter_mut().find(|record| record.kind == "SOA") {
            *soa = record::soa(soa.id.clone(), soa.name.clone(), serial);
        }
        if !self.deactivates {
            return;
        }
        let concerned: Vec<Name> = keys.iter().filter_map(record::mail_domain).collect();
        let mut records = std::mem::take(&mut self.zones[at].records);
        for record in &mut records {
            let key = record.key();
            let serves = concerned.iter().any(|domain| record.serves_mail_of(domain));
            if serves && !record.disabled && !keys.contains(&key) {
                record.disabled = true;
                record.id = self.next_id();
            }
        }
        self.zones[at].records = records;
    }
}

impl Service for IonosHosting {
    fn answer(&mut self, request: &Request) -> Response {
        self.route(request).unwrap_or_else(|refusal| refusal)
    }

    fn label(&self, request: &Request) -> String {
        let segments = path(request);
        let shown: Vec<&str> = segments
            .iter()
            .enumerate()
            .map(|(i, segment)| if matches!(i, 2 | 4) { "{id}" } else { segment.as_str() })
            .collect();
        format!("{} /{}", request.method, shown.join("/"))
    }

    fn writes(&self, request: &Request) -> bool {
        request.method != "GET"
    }

    fn throttled(&self) -> Response {
        let mut response = Response::json(429, json!({ "message": "API rate limit exceeded" }));
        response.headers.push(("retry-after".into(), "0".into()));
        response
    }

    fn served(&self) -> Vec<(Name, Vec<RRset>)> {
        let sets = |held: &Held| record::sets(held.records.iter().filter(|record| !record.disabled));
        self.zones.iter().map(|held| (held.name.clone(), sets(held))).collect()
    }
}

impl Backdoor for IonosHosting {
    fn seed(&mut self, origin: &Name, sets: &[RRset]) -> Zone {
        let id = self.zones.iter().find(|held| held.name == *origin).map(|held| held.id.clone());
        let id = id.unwrap_or_else(|| self.next_id());
        self.zones.retain(|held| held.name != *origin);
        let apex = origin.to_text_without_dot();
        let mut records = vec![record::soa(self.next_id(), apex.clone(), 1)];
        for server in ["ns1088.ui-dns.org", "ns1100.ui-dns.com", "ns1062.ui-dns.de", "ns1092.ui-dns.biz"] {
            records.push(record::ns(self.next_id(), apex.clone(), server));
        }
        let own = |set: &&RRset| set.rtype != RecordType::SOA && (set.rtype != RecordType::NS || set.name != *origin);
        for set in sets.iter().filter(own) {
            records.extend(self.records_of(set));
        }
        self.zones.push(Held { id, name: origin.clone(), secondary: false, serial: 1, records });
        self.zone(origin)
    }

    fn edit(&mut self, zone: &Zone, key: &RRsetKey, after: Option<&RRset>) {
        let new = after.map(|set| self.records_of(set)).unwrap_or_default();
        let records = &mut self.held(zone).records;
        records.retain(|record| record.key() != *key || record.disabled);
        records.extend(new);
    }

    fn stored(&self, zone: &Zone) -> Vec<Stored> {
        let held = self.zones.iter().find(|held| held.id == zone.id.as_str());
        let stored = |record: &Record| {
            let RRsetKey { name, rtype } = record.key();
            let disabled = if record.disabled { " disabled" } else { "" };
            let text = format!("{} {:?}{disabled}", record.content, record.prio);
            Stored { name, rtype, text }
        };
        held.into_iter().flat_map(|held| &held.records).map(stored).collect()
    }
}

/// The segments of the path, with or without the `/dns` of the real address.
fn path(request: &Request) -> Vec<String> {
    let mut segments = request.segments();
    if segments.first().is_some_and(|first| first == "dns") {
        segments.remove(0);
    }
    segments
}

fn body(request: &Request) -> Result<Vec<Json>, Response> {
    match request.json() {
        Some(Json::Array(records)) if !records.is_empty() => Ok(records),
        _ => Err(error(400, "INVALID_DATA", "The request body is not an array of records.")),
    }
}

fn error(status: u16, code: &str, message: &str) -> Response {
    Response::json(status, json!([{ "code": code, "message": message }]))
}

fn no_record() -> Response {
    error(404, "RECORD_NOT_FOUND", "Record does not exist.")
}

fn bad(entry: &Json, fields: &[&str]) -> Response {
    let parameters = json!({ "errorRecord": entry, "requiredFields": [], "invalid": [], "invalidFields": fields });
    Response::json(
        400,
        json!([{ "code": "INVALID_RECORD", "message": "Record is not valid.", "parameters": parameters }]),
    )
}
