//! netcup's server control panel: tokens that last for minutes, servers with their addresses, and the PTR of each.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mailzone_record::{Name, RRset};
use serde_json::{Value as Json, json};

use crate::{Request, Response, Service};

/// The service with one user and the user's servers.
#[derive(Debug)]
pub struct NetcupScp {
    servers: Vec<Server>,
    ptrs: BTreeMap<IpAddr, String>,
    access: Option<(String, u32)>,
    tokens: u32,
    /// How many calls an access token lasts; at netcup it is 300 s.
    pub token_calls: Option<u32>,
    /// Whether a refresh token is replaced when it is used.
    pub rotates: bool,
    refresh: String,
}

#[derive(Debug)]
struct Server {
    id: u32,
    ipv4: Vec<IpAddr>,
    /// The first four groups of each /64.
    ipv6: Vec<IpAddr>,
}

impl NetcupScp {
    /// The refresh token that it takes at first.
    pub const REFRESH_TOKEN: &str = "emulated-scp-refresh-token";
    /// The path of the endpoint; tokens are given beside it.
    pub const PATH: &str = "/scp-core/api/v1";

    /// A user without servers.
    #[expect(clippy::new_without_default, reason = "a service is made on purpose")]
    pub fn new() -> Self {
        Self {
            servers: Vec::new(),
            ptrs: BTreeMap::new(),
            access: None,
            tokens: 0,
            token_calls: None,
            rotates: false,
            refresh: Self::REFRESH_TOKEN.into(),
        }
    }

    /// Rents a server with these addresses; of an IPv6 address its /64.
    pub fn add_server(&mut self, addresses: &[IpAddr]) {
        let id = 111_001 + u32::try_from(self.servers.len()).unwrap_or_default();
        let (ipv4, ipv6) = addresses.iter().partition(|address| address.is_ipv4());
        self.servers.push(Server { id, ipv4, ipv6 });
    }

    /// Ends the access token.
    pub fn expire_token(&mut self) {
        self.access = None;
    }

    /// Revokes the refresh token.
    pub fn revoke(&mut self) {
        self.refresh = String::new();
        self.access = None;
    }

    /// How many access tokens were given.
    pub fn tokens(&self) -> u32 {
        self.tokens
    }

    /// Sets a PTR without the API.
    pub fn set_ptr(&mut self, address: IpAddr, name: Option<&str>) {
        match name {
            Some(name) => drop(self.ptrs.insert(address, name.into())),
            None => drop(self.ptrs.remove(&address)),
        }
    }

    /// The name of an address.
    pub fn ptr(&self, address: IpAddr) -> Option<&str> {
        self.ptrs.get(&address).map(String::as_str)
    }

    fn token(&mut self, request: &Request) -> Response {
        let form = request.form();
        let field = |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let refused = |code: &str, text: &str| Response::json(400, json!({ "error": code, "error_description": text }));
        if field("client_id") != Some("scp") {
            return refused("invalid_client", "Invalid client or Invalid client credentials");
        }
        if field("grant_type") != Some("refresh_token") {
            return refused("unsupported_grant_type", "Unsupported grant_type");
        }
        if self.refresh.is_empty() || field("refresh_token") != Some(self.refresh.as_str()) {
            return refused("invalid_grant", "Offline user session not found");
        }
        self.tokens += 1;
        if self.rotates {
            self.refresh = format!("emulated-scp-refresh-token-{}", self.tokens);
        }
        let token = format!("emulated-access-{}", self.tokens);
        self.access = Some((token.clone(), 0));
        let body = json!({
            "access_token": token,
            "expires_in": 300,
            "refresh_expires_in": 0,
            "refresh_token": self.refresh,
            "token_type": "Bearer",
            "scope": "profile offline_access email",
        });
        Response::json(200, body)
    }

    fn is_authorised(&mut self, request: &Request) -> bool {
        let token = request.header("authorization").and_then(|text| text.strip_prefix("Bearer "));
        let limit = self.token_calls;
        let Some((known, calls)) = &mut self.access else { return false };
        *calls += 1;
        token == Some(known.as_str()) && limit.is_none_or(|limit| *calls <= limit)
    }

    fn holds(&self, address: IpAddr) -> bool {
        self.servers.iter().any(|server| {
            server.ipv4.contains(&address) || server.ipv6.iter().any(|network| prefix(*network) == prefix(address))
        })
    }

    fn interfaces(&self, server: &Server) -> Json {
        let ipv4: Vec<Json> = server
            .ipv4
            .iter()
            .map(|ip| json!({ "ip": ip, "cidr": format!("{ip}/22"), "rdns": self.ptrs.get(ip), "type": "IP" }))
            .collect();
        let link_local = json!({ "cidr": "fe80::1/10", "linkLocal": true, "networkPrefix": "fe80::1", "rdns": {} });
        let networks = server.ipv6.iter().map(|ip| {
            let network = std::net::Ipv6Addr::from_bits(prefix(*ip).unwrap_or_default());
            json!({ "cidr": format!("{network}/64"), "linkLocal": false, "networkPrefix": network, "rdns": {} })
        });
        let ipv6: Vec<Json> = std::iter::once(link_local).chain(networks).collect();
        json!([{ "mac": "02:00:00:97:47:9f", "driver": "virtio", "ipv4Addresses": ipv4, "ipv6Addresses": ipv6 }])
    }

    fn set(&mut self, request: &Request, family: &str) -> Response {
        let body = request.json().unwrap_or_default();
        let invalid = |text: &str| Response::json(422, json!({ "code": "error.validation", "message": text }));
        let Some(address) = body["ip"].as_str().and_then(|ip| ip.parse::<IpAddr>().ok()) else {
            return invalid("ip is not an address");
        };
        let Some(name) = body["rdns"].as_str().filter(|name| Name::parse(name).is_ok() && !name.ends_with('.')) else {
            return invalid("rdns is not a host name");
        };
        if (family == "ipv4") != address.is_ipv4() {
            return invalid("ip is of the other family");
        }
        if !self.holds(address) {
            return not_found();
        }
        self.ptrs.insert(address, name.to_owned());
        Response::empty(200)
    }
}

impl Service for NetcupScp {
    fn answer(&mut self, request: &Request) -> Response {
        if request.path == "/realms/scp/protocol/openid-connect/token" {
            return self.token(request);
        }
        if !self.is_authorised(request) {
            return Response::empty(401);
        }
        let segments = request.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let Some(["scp-core", "api", "v1"]) = segments.get(..3) else { return not_found() };
        match (request.method.as_str(), segments.get(3..).unwrap_or_default()) {
            ("GET", ["servers"]) => {
                let number = |name: &str| request.param(name).and_then(|text| text.parse::<usize>().ok());
                let servers =
                    self.servers.iter().skip(number("offset").unwrap_or(0)).take(number("limit").unwrap_or(25));
                Response::json(200, servers.map(|server| json!({ "id": server.id, "name": "v1" })).collect())
            }
            ("GET", ["servers", id, "interfaces"]) => {
                let server = self.servers.iter().find(|server| server.id.to_string() == *id);
                server.map_or_else(not_found, |server| Response::json(200, self.interfaces(server)))
            }
            ("GET", ["rdns", "ipv4" | "ipv6", address]) => {
                let name = address.parse().ok().and_then(|address| self.ptrs.get(&address));
                name.map_or_else(not_found, |name| Response::json(200, json!({ "rdns": name })))
            }
            ("POST", ["rdns", family @ ("ipv4" | "ipv6")]) => self.set(request, family),
            ("DELETE", ["rdns", "ipv4" | "ipv6", address]) => {
                let removed = address.parse().ok().and_then(|address| self.ptrs.remove(&address));
                removed.map_or_else(not_found, |_| Response::empty(204))
            }
            _ => not_found(),
        }
    }

    fn label(&self, request: &Request) -> String {
        let segments = request.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match segments.as_slice() {
            [.., "token"] => "token".into(),
            [.., "servers", _, "interfaces"] => "GET /servers/{id}/interfaces".into(),
            [.., "rdns", _, _] => format!("{} /rdns/{{ip}}", request.method),
            [.., "rdns", _] => format!("{} /rdns", request.method),
            [.., "servers"] => "GET /servers".into(),
            _ => format!("{} {}", request.method, request.path),
        }
    }

    fn writes(&self, request: &Request) -> bool {
        let token = request.path.ends_with("/token");
        request.method != "GET" && !token
    }

    fn throttled(&self) -> Response {
        Response::json(429, json!({ "code": "error.ratelimit", "message": "Too many requests" }))
    }

    /// The reverse zones are not the account's.
    fn served(&self) -> Vec<(Name, Vec<RRset>)> {
        Vec::new()
    }
}

fn not_found() -> Response {
    Response::json(404, json!({ "code": "error.notfound", "message": "Resource not found" }))
}

/// The /64 of an IPv6 address.
fn prefix(address: IpAddr) -> Option<u128> {
    match address {
        IpAddr::V6(address) => Some(address.to_bits() >> 64 << 64),
        IpAddr::V4(_) => None,
    }
}
