//! Cloudflare's API, version 4, as far as DNS records need it: zones, record listings, batches.
//!
//! The errors 81058, 1004 with its chain, 9109, 6003, 7003 and 10000 are as they were recorded or seen; the numbers 81053,
//! 81054, 81044, 81045, 83011 and 1043 are from reports. 9998 and 9999 are this emulation's own, for requests that the
//! real service might let pass and that no client of ours may send; so is the refusal to edit proxied records.

mod backdoor;
mod batch;
mod record;

use std::collections::BTreeMap;

use mailzone_record::{Name, RRset, RRsetKey, Rdata, RecordType, Soa, Ttl};
use serde_json::{Value, json};

use record::Mistake;
pub use record::Record;

use crate::{Request, Response, Service};

/// The token that a new service knows. It may do everything.
pub const TOKEN: &str = "marked-cloudflare-token-0123456789abcdefgh";

/// The account's address and global key.
pub const KEY: (&str, &str) = ("user@example.com", "marked-global-key-0123456789abcdef0123");

/// The service with its zones.
#[derive(Debug)]
pub struct Cloudflare {
    /// In the order in which they were made.
    pub zones: Vec<HeldZone>,
    /// Who may do what.
    pub tokens: Vec<Token>,
    /// The most that `per_page` gives: zones, records.
    pub page_limits: (usize, usize),
    /// The plan of zones that a seed makes.
    pub plan: Plan,
    /// Whether a seed stores texts without quotes where it can, as older tools did.
    pub seed_unquoted: bool,
    /// Whether a seed stores 300 s as automatic.
    pub seed_automatic: bool,
    /// The seconds of `retry-after`.
    pub retry_after: u64,
    /// So many of the next requests are answered with a page of HTML and this status.
    pub outage: (u32, u16),
    clock: u64,
    last_id: u64,
}

/// One zone.
#[derive(Debug, Clone)]
pub struct HeldZone {
    /// 32 hexadecimal digits.
    pub id: String,
    /// The apex, in lower case.
    pub name: Name,
    /// What is paid for.
    pub plan: Plan,
    /// `active`, `pending`, `moved` …
    pub status: &'static str,
    /// `full`, `secondary`, `partial`.
    pub kind: &'static str,
    /// The assigned servers.
    pub name_servers: Vec<String>,
    /// The customer's own names for them.
    pub vanity_name_servers: Vec<String>,
    /// How many records it may hold.
    pub quota: usize,
    /// In the order of creation.
    pub records: Vec<Record>,
}

/// What a zone's limits follow from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the plans")]
pub enum Plan {
    Free,
    Pro,
    Enterprise,
}

/// A token with its rights.
#[derive(Debug, Clone)]
pub struct Token {
    /// What stands behind `Bearer`.
    pub secret: String,
    /// The identifiers of the zones it is for; `None` for all.
    pub zones: Option<Vec<String>>,
    /// Of `#zone:read`, `#dns_records:read`, `#dns_records:edit`.
    pub rights: Vec<&'static str>,
}

impl Plan {
    fn legacy_id(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Pro => "pro",
            Self::Enterprise => "enterprise",
        }
    }

    fn batch_limit(self) -> usize {
        if self == Self::Free { 200 } else { 3_500 }
    }

    fn quota(self) -> usize {
        if self == Self::Free { 200 } else { 3_500 }
    }

    fn lowest_ttl(self) -> u32 {
        if self == Self::Enterprise { 30 } else { 60 }
    }
}

impl Default for Cloudflare {
    fn default() -> Self {
        Self::new()
    }
}

impl Cloudflare {
    /// A service without zones that knows [`TOKEN`] and [`KEY`].
    pub fn new() -> Self {
        let all = vec!["#dns_records:edit", "#dns_records:read", "#zone:read"];
        Self {
            zones: Vec::new(),
            tokens: vec![Token { secret: TOKEN.into(), zones: None, rights: all }],
            page_limits: (50, 5_000),
            plan: Plan::Pro,
            seed_unquoted: false,
            seed_automatic: true,
            retry_after: 1,
            outage: (0, 520),
            clock: 0,
            last_id: 0,
        }
    }

    /// Makes an active zone without records. Gives its identifier.
    pub fn add_zone(&mut self, name: &Name, plan: Plan) -> String {
        let id = self.next_id();
        self.zones.push(HeldZone {
            id: id.clone(),
            name: name.to_lowercase(),
            plan,
            status: "active",
            kind: "full",
            name_servers: vec!["ada.ns.cloudflare.example".into(), "bob.ns.cloudflare.example".into()],
            vanity_name_servers: Vec::new(),
            quota: plan.quota(),
            records: Vec::new(),
        });
        id
    }

    /// The zone with this identifier.
    pub fn zone(&mut self, id: &str) -> Option<&mut HeldZone> {
        self.zones.iter_mut().find(|zone| zone.id == id)
    }

    /// The next `count` requests are answered with a page of HTML and this status.
    pub fn out_of_order(&mut self, count: u32, status: u16) {
        self.outage = (count, status);
    }

    fn next_id(&mut self) -> String {
        self.last_id += 1;
        // Looks like an identifier and sorts differently from the order of creation.
        format!("{:032x}", u128::from(self.last_id).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
    }

    fn now(&mut self) -> String {
        self.clock += 1;
        let (minutes, seconds) = (self.clock / 60, self.clock % 60);
        format!("2026-01-{:02}T{:02}:{:02}:{seconds:02}.000000Z", 1 + minutes / 1440, minutes / 60 % 24, minutes % 60)
    }

    fn token(&self, request: &Request) -> Result<Token, Response> {
        let refuse = |status, code: u64, message: &str, chain: Value| {
            let error = match chain {
                Value::Null => json!({"code": code, "message": message}),
                chain => json!({"code": code, "message": message, "error_chain": [chain]}),
            };
            Err(failure(status, &[error]))
        };
        if let Some(authorization) = request.header("authorization") {
            let secret = authorization.strip_prefix("Bearer ").unwrap_or_default();
            if secret.len() < 20 || !secret.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
                let chain = json!({"code": 6111, "message": "Invalid format for Authorization header"});
                return refuse(400, 6003, "Invalid request headers", chain);
            }
            let known = self.tokens.iter().find(|token| token.secret == secret);
            return known.cloned().map_or_else(|| refuse(403, 9109, "Invalid access token", Value::Null), Ok);
        }
        match (request.header("x-auth-email"), request.header("x-auth-key")) {
            (Some(email), Some(key)) if (email, key) == KEY => Ok(Token {
                secret: String::new(),
                zones: None,
                rights: vec!["#dns_records:edit", "#dns_records:read", "#zone:edit", "#zone:read"],
            }),
            (Some(_), Some(_)) => refuse(403, 9103, "Unknown X-Auth-Key or X-Auth-Email", Value::Null),
            _ => refuse(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers", Value::Null),
        }
    }

    fn list_zones(&self, request: &Request, token: &Token) -> Response {
        let known = ["page", "per_page", "name", "account.id", "status", "type", "match", "order", "direction"];
        if !token.may("#zone:read") {
            return denied();
        }
        let name = request.param("name");
        let seen = self
            .zones
            .iter()
            .filter(|zone| token.reaches(&zone.id) && name.is_none_or(|name| zone.name.to_text_without_dot() == name));
        page(request, &known, 20, self.page_limits.0, seen.map(|zone| zone.json(token)).collect())
    }

    fn list_records(&self, request: &Request, zone: &HeldZone) -> Response {
        let known = ["page", "per_page", "name", "name.exact", "type", "content", "order", "direction"];
        let filter = |field: &str, value: &str| request.param(field).is_none_or(|wanted| wanted == value);
        let mut records: Vec<&Record> = zone
            .records
            .iter()
            .filter(|r| filter("name", &r.name) && filter("name.exact", &r.name))
            .filter(|r| filter("type", &r.rtype) && filter("content", &r.content))
            .collect();
        if request.param("order") == Some("name") {
            records.sort_by(|a, b| a.name.cmp(&b.name));
        }
        page(request, &known, 100, self.page_limits.1, records.into_iter().map(Record::json).collect())
    }

    fn route(&mut self, request: &Request) -> Response {
        let segments = segments(request);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let token = match self.token(request) {
            Ok(token) => token,
            Err(refusal) => return refusal,
        };
        let (id, rest) = match (&*request.method, &*segments) {
            ("GET", ["zones"]) => return self.list_zones(request, &token),
            (_, ["zones", id, rest @ ..]) => (*id, rest.to_vec()),
            _ => return no_route(request),
        };
        if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return no_route(request);
        }
        let Some(at) = self.zones.iter().position(|zone| zone.id == id) else {
            return failure(404, &[json!({"code": 1001, "message": "Invalid zone identifier"})]);
        };
        let right = match (&*request.method, &*rest) {
            ("GET", []) => "#zone:read",
            ("GET", ["dns_records"]) => "#dns_records:read",
            ("POST", ["dns_records", "batch"]) => "#dns_records:edit",
            _ => return no_route(request),
        };
        if !token.reaches(id) || !token.may(right) {
            return denied();
        }
        let Some(zone) = self.zones.get(at) else { return no_route(request) };
        match right {
            "#zone:read" => success(zone.json(&token), None),
            "#dns_records:read" => self.list_records(request, zone),
            _ => self.batch(at, request),
        }
    }
}

impl Service for Cloudflare {
    fn answer(&mut self, request: &Request) -> Response {
        if self.outage.0 > 0 {
            self.outage.0 -= 1;
            let body = "<!DOCTYPE html><html><body>Web server is returning an unknown error</body></html>";
            return Response::text(self.outage.1, "text/html; charset=UTF-8", body);
        }
        let ray = format!("{:016x}-TST", self.clock);
        self.route(request).with_header("cf-ray", ray).with_header("ratelimit-policy", "\"default\";q=1200;w=300")
    }

    fn label(&self, request: &Request) -> String {
        let mut segments = segments(request);
        if let Some(id) = segments.get_mut(1) {
            *id = "{id}".into();
        }
        format!("{} /{}", request.method, segments.join("/"))
    }

    fn writes(&self, request: &Request) -> bool {
        request.method != "GET"
    }

    fn throttled(&self) -> Response {
        let message = "Rate limited. Please wait and consider throttling your request speed";
        failure(429, &[json!({"code": 10429, "message": message})])
            .with_header("retry-after", self.retry_after.to_string())
            .with_header("ratelimit", "\"default\";r=0;t=300")
    }

    fn served(&self) -> Vec<(Name, Vec<RRset>)> {
        let active = self.zones.iter().filter(|zone| zone.status == "active" && zone.kind == "full");
        active.map(|zone| (zone.name.clone(), zone.served(self.clock))).collect()
    }
}

impl Token {
    fn may(&self, right: &str) -> bool {
        self.rights.contains(&right)
    }

    fn reaches(&self, id: &str) -> bool {
        self.zones.as_ref().is_none_or(|zones| zones.iter().any(|zone| zone == id))
    }
}

impl HeldZone {
    fn json(&self, token: &Token) -> Value {
        json!({
            "id": self.id,
            "name": self.name.to_text_without_dot(),
            "status": self.status,
            "paused": false,
            "type": self.kind,
            "name_servers": self.name_servers,
            "vanity_name_servers": self.vanity_name_servers,
            "account": {"id": "00000000000000000000000000000acc", "name": "Example Account"},
            "permissions": token.rights,
            "plan": {"id": "0feeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "legacy_id": self.plan.legacy_id()},
            "meta": {"step": 4},
        })
    }

    fn served(&self, serial: u64) -> Vec<RRset> {
        let name = |text: &str| Name::parse(text).unwrap_or_else(|_| Name::root());
        let servers: Vec<Name> = self.name_servers.iter().map(|server| name(server)).collect();
        let soa = Rdata::Soa(Box::new(Soa {
            mname: servers.first().cloned().unwrap_or_else(Name::root),
            rname: name("dns.cloudflare.example"),
            serial: u32::try_from(serial).unwrap_or(u32::MAX),
            refresh: 10_000,
            retry: 2_400,
            expire: 604_800,
            minimum: 1_800,
        }));
        let set = |rtype, ttl, values: Vec<Rdata>| {
            let values = values.into_iter().map(Into::into).collect();
            RRset::new(self.name.clone(), rtype, Ttl::from_secs(ttl), values)
        };
        let mut all = vec![
            set(RecordType::SOA, 1_800, vec![soa]),
            set(RecordType::NS, 86_400, servers.into_iter().map(Rdata::Ns).collect()),
        ];
        let mut sets: BTreeMap<RRsetKey, RRset> = BTreeMap::new();
        for record in &self.records {
            let Some((key, rdata)) = record.served() else { continue };
            if key.name == self.name && key.rtype == RecordType::CNAME {
                // Flattened: the addresses of what it points to, which are nobody's here.
                all.push(set(RecordType::A, 300, vec![Rdata::A(std::net::Ipv4Addr::new(192, 0, 2, 1))]));
                continue;
            }
            let (name, rtype) = (key.name.clone(), key.rtype);
            let ttl = Ttl::from_secs(if record.ttl == 1 { 300 } else { record.ttl });
            sets.entry(key).or_insert_with(|| RRset::new(name, rtype, ttl, Vec::new())).values.push(rdata.into());
        }
        all.extend(sets.into_values().filter(|set| set.name != self.name || set.rtype != RecordType::NS));
        all
    }
}

/// The path's segments below the API's base.
fn segments(request: &Request) -> Vec<String> {
    let segments = request.segments();
    match &*segments {
        [client, v4, rest @ ..] if client == "client" && v4 == "v4" => rest.to_vec(),
        _ => segments,
    }
}

fn success(result: Value, info: Option<Value>) -> Response {
    let mut body = json!({"result": result, "success": true, "errors": [], "messages": []});
    if let Some(info) = info {
        body["result_info"] = info;
    }
    Response::json(200, body)
}

fn failure(status: u16, errors: &[Value]) -> Response {
    Response::json(status, json!({"result": null, "success": false, "errors": errors, "messages": []}))
}

fn mistaken(mistake: &Mistake) -> Response {
    let error = match &mistake.chain {
        Some((code, message)) => json!({
            "code": mistake.code, "message": mistake.message, "error_chain": [{"code": code, "message": message}],
        }),
        None => json!({"code": mistake.code, "message": mistake.message}),
    };
    failure(mistake.status, &[error])
}

fn denied() -> Response {
    failure(403, &[json!({"code": 10000, "message": "Authentication error"})])
}

fn no_route(request: &Request) -> Response {
    let message = format!("Could not route to {}, perhaps your object identifier is invalid?", request.path);
    let errors = [json!({"code": 7003, "message": message}), json!({"code": 7000, "message": "No route for that URI"})];
    failure(404, &errors)
}

/// One page of a list. `per_page` is cut to the limit, and the answer says so.
fn page(request: &Request, known: &[&str], default: usize, limit: usize, all: Vec<Value>) -> Response {
    if let Some((name, _)) = request.query.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        return failure(400, &[json!({"code": 9999, "message": format!("unknown parameter {name}")})]);
    }
    let number = |name: &str, default: usize| match request.param(name) {
        None => Some(default),
        Some(text) => text.parse().ok().filter(|number| *number > 0),
    };
    let (Some(page), Some(per_page)) = (number("page", 1), number("per_page", default)) else {
        return failure(400, &[json!({"code": 9999, "message": "page and per_page are numbers from 1"})]);
    };
    let per_page = per_page.min(limit);
    let total = all.len();
    let listed: Vec<Value> = all.into_iter().skip((page - 1).saturating_mul(per_page)).take(per_page).collect();
    let info = json!({
        "page": page, "per_page": per_page, "count": listed.len(), "total_count": total,
        "total_pages": total.div_ceil(per_page),
    });
    success(listed.into(), Some(info))
}
