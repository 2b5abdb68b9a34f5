//! netcup's CCP API: one endpoint, status 200 for everything, sessions, whole zones, one TTL for each.

mod record;
#[cfg(test)]
mod recorded;

use mailzone_conformance::Stored;
use mailzone_provider::{Access, Zone, ZoneId};
use mailzone_record::{Name, RRset, RRsetKey, Rdata, RecordType, Soa, Ttl};
use serde_json::{Value as Json, json};

use self::record::{Record, check};
use crate::{Backdoor, Request, Response, Service};

/// The service with one account and its zones.
#[derive(Debug)]
pub struct NetcupCcp {
    zones: Vec<Held>,
    last_id: u64,
    session: Option<Session>,
    sessions: u32,
    errors: u32,
    /// How many calls a session lasts, the login not counted.
    pub session_calls: Option<u32>,
    /// After so many errors every call is refused.
    pub lock_after: u32,
    /// Whether an invalid entry of `updateDnsRecords` undoes those before it.
    pub atomic: bool,
    /// Whether texts are in German where netcup has been seen to answer so.
    pub german: bool,
    /// The next call that changes records is refused as if a value were bad; with `atomic` off its first entry is
    /// written.
    pub refuse_next: bool,
}

#[derive(Debug)]
struct Session {
    id: String,
    calls: u32,
}

#[derive(Debug)]
struct Held {
    name: Name,
    ttl: u32,
    serial: u32,
    records: Vec<Record>,
}

/// A failed call: code and text.
type Failure = (u32, String);

impl NetcupCcp {
    /// The account that it knows.
    pub const CUSTOMER: &str = "12345";
    /// Clients send the number in both forms.
    const CUSTOMER_AS_NUMBER: u32 = 12_345;
    /// A key with the length of a real one.
    pub const KEY: &str = "emulatedccpkeyemulatedccpkeyemulatedccpkeyemulated";
    /// The API password.
    pub const PASSWORD: &str = "emulated-ccp-password";
    /// The path and query of the endpoint.
    pub const PATH: &str = "/run/webservice/servers/endpoint.php?JSON";
    /// Its throttle, for [`crate::Emulator::limit`]: 180 calls a minute.
    pub const LIMIT: (f64, u32) = (3.0, 180);

    /// An account without zones.
    #[expect(clippy::new_without_default, reason = "a service is made on purpose")]
    pub fn new() -> Self {
        Self {
            zones: Vec::new(),
            last_id: 11_758_160,
            session: None,
            sessions: 0,
            errors: 0,
            session_calls: None,
            lock_after: 50,
            atomic: false,
            german: false,
            refuse_next: false,
        }
    }

    /// Ends the session, as netcup does at random.
    pub fn expire_session(&mut self) {
        self.session = None;
    }

    /// Whether somebody is logged in.
    pub fn has_session(&self) -> bool {
        self.session.is_some()
    }

    /// How often somebody has logged in.
    pub fn logins(&self) -> u32 {
        self.sessions
    }

    /// Sets the zone's one TTL.
    pub fn set_ttl(&mut self, zone: &Zone, seconds: u32) {
        self.held(zone).ttl = seconds;
    }

    /// The zone's one TTL.
    pub fn ttl(&mut self, zone: &Zone) -> u32 {
        self.held(zone).ttl
    }

    /// Adds a record as it stands in the database, whatever the API would say of it.
    pub fn add_raw(&mut self, zone: &Zone, hostname: &str, rtype: &str, priority: &str, destination: &str) {
        let record = Record {
            id: self.next_id(),
            hostname: hostname.into(),
            rtype: rtype.into(),
            priority: priority.into(),
            destination: destination.into(),
        };
        self.held(zone).records.push(record);
    }

    #[expect(clippy::expect_used, reason = "the zone of a test that is not there must not pass")]
    fn held(&mut self, zone: &Zone) -> &mut Held {
        self.zones.iter_mut().find(|held| held.name == zone.name).expect("a seeded zone")
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn call(&mut self, action: &str, param: &Json) -> Result<(Json, &'static str), Failure> {
        let credentials = param["apikey"] == Self::KEY
            && (param["customernumber"] == Self::CUSTOMER || param["customernumber"] == Self::CUSTOMER_AS_NUMBER);
        if action == "login" {
            if !credentials || param["apipassword"] != Self::PASSWORD {
                return Err((
                    4002,
                    "The login to the API failed. Please check the customer number, API key and API password.".into(),
                ));
            }
            self.sessions += 1;
            let id = format!("emulated-session-{}", self.sessions);
            self.session = Some(Session { id: id.clone(), calls: 0 });
            return Ok((json!({ "apisessionid": id }), "Session has been created successful."));
        }
        let limit = self.session_calls;
        let session = self.session.as_mut().filter(|session| param["apisessionid"] == session.id.as_str());
        let Some(session) = session.filter(|session| limit.is_none_or(|limit| session.calls < limit)) else {
            return Err((4001, "The session id is not in a valid format.".into()));
        };
        session.calls += 1;
        if !credentials {
            return Err((4011, "The API key is not valid for this customer.".into()));
        }
        match action {
            "logout" => {
                self.session = None;
                Ok((json!(""), "Session has been terminated successful."))
            }
            "infoDnsZone" => {
                let text = "Can not get DNS records for zone.  Domain not found.";
                let held = self.find(param).ok_or_else(|| (5031, text.to_owned()))?;
                let zone = json!({
                    "name": held.name.to_text_without_dot(),
                    "ttl": held.ttl.to_string(),
                    "serial": held.serial.to_string(),
                    "refresh": "28800",
                    "retry": "7200",
                    "expire": "1209600",
                    "dnssecstatus": false,
                });
                Ok((zone, "DNS zone was found."))
            }
            "infoDnsRecords" => {
                let text = "Can not get DNS records for zone. Domain not found or no records.";
                let held = self.find(param).filter(|held| !held.records.is_empty());
                Ok((held.ok_or_else(|| (5029, text.to_owned()))?.list(), "DNS Records for this zone were found."))
            }
            "updateDnsRecords" => self.update(param),
            _ => Err((4000, format!("The action {action} is not known."))),
        }
    }

    fn find(&mut self, param: &Json) -> Option<&mut Held> {
        let name = param["domainname"].as_str()?;
        self.zones.iter_mut().find(|held| held.name.to_text_without_dot() == name)
    }

    fn update(&mut self, param: &Json) -> Result<(Json, &'static str), Failure> {
        let (german, atomic) = (self.german, self.atomic);
        let refused = std::mem::take(&mut self.refuse_next);
        let last_id = self.last_id;
        let held = self.find(param).ok_or_else(|| (5028, "Can not update DNS records. Zone not found.".to_owned()))?;
        let entries = param["dnsrecordset"]["dnsrecords"].as_array();
        let entries = entries.filter(|entries| !entries.is_empty());
        let entries = entries.ok_or_else(|| (4013, "Validation Error. dnsrecordset is missing.".to_owned()))?;
        let mut records = held.records.clone();
        let mut next = last_id;
        let mut result = Ok(());
        for (at, entry) in entries.iter().enumerate() {
            if refused && at == usize::from(!atomic) {
                result = Err((4013, "Validation Error. The value is not valid.".to_owned()));
                break;
            }
            if let Err(text) = check(&mut records, entry, &mut next, german) {
                result = Err((4013, text));
                break;
            }
        }
        if refused && result.is_ok() {
            result = Err((4013, "Validation Error. The value is not valid.".to_owned()));
        }
        if result.is_ok() || !atomic {
            if held.records != records {
                held.serial += 1;
            }
            held.records = records;
        }
        let list = held.list();
        self.last_id = next;
        result.map(|()| (list, "The given DNS records for this zone were updated."))
    }
}

impl Held {
    fn list(&self) -> Json {
        json!({ "dnsrecords": self.records.iter().map(Record::json).collect::<Vec<_>>() })
    }

    #[expect(clippy::expect_used, reason = "names of this file")]
    fn apex(&self) -> Vec<RRset> {
        let name = |text: &str| Name::parse(text).expect("a name");
        let soa = Soa {
            mname: name("root-dns.netcup.net"),
            rname: name("dnsadmin.netcup.net"),
            serial: self.serial,
            refresh: 28_800,
            retry: 7_200,
            expire: 1_209_600,
            minimum: self.ttl,
        };
        let ttl = Ttl::from_secs(self.ttl);
        let servers = NAME_SERVERS.map(|server| Rdata::Ns(name(server)).into());
        vec![
            RRset::new(self.name.clone(), RecordType::SOA, ttl, vec![Rdata::Soa(Box::new(soa)).into()]),
            RRset::new(self.name.clone(), RecordType::NS, ttl, servers.to_vec()),
        ]
    }
}

impl Service for NetcupCcp {
    fn answer(&mut self, request: &Request) -> Response {
        if request.method != "POST" || !request.path.ends_with("/endpoint.php") || request.param("JSON").is_none() {
            return Response::text(404, "text/html", "<html>Not Found</html>");
        }
        let Some(body) = request.json().filter(|body| body["param"].is_object()) else {
            return error("", 4000, "Api key missing. JSON decode failed");
        };
        let action = body["action"].as_str().unwrap_or_default().to_owned();
        if self.errors >= self.lock_after {
            return error(&action, 4013, "Too many error messages, please check your commands");
        }
        match self.call(&action, &body["param"]) {
            Ok((data, text)) => envelope(&action, "success", 2000, text, &data),
            Err((code, text)) => {
                if code != 4001 {
                    self.errors += 1;
                }
                error(&action, code, &text)
            }
        }
    }

    fn label(&self, request: &Request) -> String {
        let action = request.json().and_then(|body| body["action"].as_str().map(str::to_owned));
        action.unwrap_or_else(|| "?".to_owned())
    }

    fn writes(&self, request: &Request) -> bool {
        self.label(request).starts_with("update")
    }

    fn throttled(&self) -> Response {
        error("", 4013, "More than 180 requests per minute are not allowed. Please slow down.")
    }

    fn served(&self) -> Vec<(Name, Vec<RRset>)> {
        let zone = |held: &Held| {
            let mut sets = held.apex();
            for record in &held.records {
                let (name, rdata) = record.served(&held.name);
                match sets.iter_mut().find(|set| set.name == name && set.rtype == rdata.rtype()) {
                    Some(set) => set.values.push(rdata.into()),
                    None => sets.push(RRset::new(name, rdata.rtype(), Ttl::from_secs(held.ttl), vec![rdata.into()])),
                }
            }
            (held.name.clone(), sets)
        };
        self.zones.iter().map(zone).collect()
    }
}

impl Backdoor for NetcupCcp {
    fn seed(&mut self, origin: &Name, sets: &[RRset]) -> Zone {
        self.zones.retain(|held| held.name != *origin);
        self.zones.push(Held { name: origin.clone(), ttl: 86_400, serial: 2_026_010_100, records: Vec::new() });
        let own =
            |set: &&RRset| !(set.name == *origin && (set.rtype == RecordType::NS || set.rtype == RecordType::SOA));
        let nameservers = NAME_SERVERS.iter().filter_map(|name| Name::parse(name).ok()).collect();
        let id = ZoneId::new(origin.to_text_without_dot());
        let zone = Zone { id, name: origin.clone(), access: Access::ReadWrite, nameservers };
        for set in sets.iter().filter(own) {
            self.edit(&zone, &set.key(), Some(set));
        }
        zone
    }

    fn edit(&mut self, zone: &Zone, key: &RRsetKey, after: Option<&RRset>) {
        let mut id = self.last_id;
        let held = self.held(zone);
        let wanted = after.map_or(&[][..], |set| &set.values);
        let of_set = |name: &Name, record: &Record| {
            let (owner, rdata) = record.served(name);
            (owner == key.name && rdata.rtype() == key.rtype).then_some(rdata)
        };
        let name = held.name.clone();
        held.records.retain(|r| of_set(&name, r).is_none_or(|rdata| wanted.iter().any(|v| v.rdata == rdata)));
        for value in wanted {
            if !held.records.iter().any(|record| of_set(&name, record).as_ref() == Some(&value.rdata)) {
                id += 1;
                held.records.push(Record::from_rdata(id, &name, &key.name, &value.rdata));
            }
        }
        held.serial += 1;
        self.last_id = id;
    }

    fn stored(&self, zone: &Zone) -> Vec<Stored> {
        let Some(held) = self.zones.iter().find(|held| held.name == zone.name) else { return Vec::new() };
        let mut stored: Vec<_> = held
            .records
            .iter()
            .map(|record| {
                let (name, rdata) = record.served(&held.name);
                Stored { name, rtype: rdata.rtype(), text: record.json().to_string() }
            })
            .collect();
        let text = format!("{} {}", held.serial, held.ttl);
        stored.push(Stored { name: held.name.clone(), rtype: RecordType::SOA, text });
        stored
    }
}

const NAME_SERVERS: [&str; 3] = ["root-dns.netcup.net", "second-dns.netcup.net", "third-dns.netcup.net"];

fn error(action: &str, code: u32, text: &str) -> Response {
    envelope(action, "error", code, text, &json!(""))
}

fn envelope(action: &str, status: &str, code: u32, text: &str, data: &Json) -> Response {
    let short = if status == "success" { format!("{action} successful") } else { format!("{action} failed") };
    let body = json!({
        "serverrequestid": "VVT2xM1QMH1My1XY3Me9R54UMZM0",
        "clientrequestid": "",
        "action": action,
        "status": status,
        "statuscode": code,
        "shortmessage": short,
        "longmessage": text,
        "responsedata": data,
    });
    Response::json(200, body)
}
