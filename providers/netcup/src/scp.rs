//! PTR of rented servers' addresses, through the server control panel.
//!
//! An address without a PTR and one of somebody else both give "not found". Which it is, the list of the account's servers
//! tells, with the addresses of their interfaces; it is read once in a run, server by server, and no further
//! than until the address is found. Failover addresses are in no interface: without a PTR they count as not held.

use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use mailzone_http::{Backoff, Base, Call, Client, Effect, Pages, Reply, Settings};
use mailzone_provider::reverse::{Pointer, ReverseDns};
use mailzone_provider::{ProviderError, ProviderErrorKind, Retry};
use mailzone_record::Name;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use crate::settings::ScpSettings;
use crate::text::said;

/// Where tokens are given, at the API's host.
const TOKEN: &str = "/realms/scp/protocol/openid-connect/token";
/// Servers of a page.
const LIMIT: usize = 100;

/// The account at the server control panel.
pub(crate) struct Scp {
    client: Client,
    tokens: Client,
    /// The refresh token, and the access token made from it.
    session: tokio::sync::Mutex<Session>,
    held: tokio::sync::Mutex<Held>,
}

struct Session {
    refresh: SecretString,
    access: Option<SecretString>,
}

/// The addresses of the account's servers, as far as they were read.
#[derive(Default)]
struct Held {
    networks: Vec<(IpAddr, u8)>,
    /// Servers whose interfaces were not read yet; `None` before the list was read.
    servers: Option<VecDeque<i64>>,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    #[serde(default)]
    refresh_token: Option<String>,
}

#[derive(Deserialize)]
struct Rdns {
    #[serde(default)]
    rdns: Option<String>,
}

#[derive(Deserialize)]
struct Server {
    id: i64,
}

#[derive(Deserialize)]
struct Interface {
    #[serde(default, rename = "ipv4Addresses")]
    ipv4: Vec<Address>,
    #[serde(default, rename = "ipv6Addresses")]
    ipv6: Vec<Address>,
}

/// An address (`ip`) or a network (`cidr`).
#[derive(Deserialize)]
struct Address {
    #[serde(default)]
    ip: Option<String>,
    #[serde(default)]
    cidr: Option<String>,
}

#[derive(Deserialize, Default)]
struct Fault {
    #[serde(default, alias = "error")]
    code: String,
    #[serde(default, alias = "error_description")]
    message: String,
}

impl Scp {
    /// No I/O.
    pub(crate) fn new(settings: ScpSettings, timeout: Duration, backoff: Backoff) -> Result<Self, ProviderError> {
        let client = |base| {
            Client::new(Settings {
                service: "netcup",
                base,
                timeout,
                budget: settings.budget.clone(),
                concurrency: 4,
                secrets: vec![settings.refresh_token.clone()],
                backoff,
            })
        };
        let origin = Base::parse(&settings.endpoint.origin()).map_err(|error| {
            let kind = ProviderErrorKind::Configuration(format!("scp_endpoint cannot be used: {error}"));
            ProviderError::new("preparing the connection to netcup", kind, "check scp_endpoint")
        })?;
        let session = Session { refresh: settings.refresh_token.clone(), access: None };
        Ok(Self {
            client: client(settings.endpoint.clone())?,
            tokens: client(origin)?,
            session: tokio::sync::Mutex::new(session),
            held: tokio::sync::Mutex::default(),
        })
    }

    /// A call with the access token, with a new one if it has expired. A call that is not authorised was not carried
    /// out, so a write is repeated too; once.
    async fn send(&self, call: Call, doing: &str) -> Result<Reply, ProviderError> {
        let call = call.doing(doing);
        let token = self.token(None, doing).await?;
        let reply = self.client.send(call.clone().bearer(&token)).await?;
        if reply.status != 401 {
            return Ok(reply);
        }
        let token = self.token(Some(&token), doing).await?;
        let reply = self.client.send(call.bearer(&token)).await?;
        if reply.status == 401 {
            let text = "netcup's server control panel refuses an access token that it has just given";
            return Err(reply.failure(ProviderErrorKind::Credentials, text, "make a new scp_refresh_token"));
        }
        Ok(reply)
    }

    /// The access token; a new one if there is none or it is `expired`.
    async fn token(&self, expired: Option<&SecretString>, doing: &str) -> Result<SecretString, ProviderError> {
        let mut session = self.session.lock().await;
        let old = expired.map(ExposeSecret::expose_secret);
        if let Some(token) = session.access.as_ref().filter(|token| Some(token.expose_secret()) != old) {
            return Ok(token.clone());
        }
        session.access = None;
        let form =
            [("client_id", "scp"), ("grant_type", "refresh_token"), ("refresh_token", session.refresh.expose_secret())];
        // A second token does no harm.
        let call = Call::post(TOKEN).form(&form).doing(format!("{doing} (access token)")).effect(Effect::Read);
        let reply = self.tokens.send(call).await?;
        if !reply.is_success() {
            let fault: Fault = serde_json::from_slice(reply.body()).unwrap_or_default();
            let text = format!(
                "netcup's server control panel refuses the refresh token: {} ({})",
                said(&fault.message),
                if fault.code.is_empty() { format!("status {}", reply.status) } else { said(&fault.code) }
            );
            let remedy = "make a new scp_refresh_token: one that is not used for 30 days, or is revoked, ends";
            return Err(reply.failure(ProviderErrorKind::Credentials, &text, remedy));
        }
        // Nothing of this answer is shown: it is made of secrets.
        let token: Token = serde_json::from_slice(reply.body()).map_err(|_| {
            let text = "netcup's answer with the access token cannot be read";
            let remedy = "check scp_endpoint and that no proxy is in between, and try again later";
            ProviderError { retry: Retry::Later, ..reply.failure(ProviderErrorKind::Protocol, text, remedy) }
        })?;
        let access = SecretString::from(token.access_token);
        self.client.hide(&access);
        if let Some(refresh) = token.refresh_token.map(SecretString::from) {
            self.tokens.hide(&refresh);
            self.client.hide(&refresh);
            session.refresh = refresh;
        }
        Ok(session.access.insert(access).clone())
    }

    /// Whether the address belongs to one of the account's servers.
    async fn holds(&self, address: IpAddr, doing: &str) -> Result<bool, ProviderError> {
        let mut held = self.held.lock().await;
        loop {
            if held.networks.iter().any(|&(network, length)| contains(network, length, address)) {
                return Ok(true);
            }
            if held.servers.is_none() {
                held.servers = Some(self.servers(doing).await?);
            }
            let Some(&server) = held.servers.as_ref().and_then(VecDeque::front) else { return Ok(false) };
            let call = Call::get(format!("/servers/{server}/interfaces")).query("loadRdns", true);
            let reply = self.send(call.transient_if(is_no_answer), doing).await?;
            let interfaces: Vec<Interface> = accept(&reply)?.json()?;
            let addresses =
                interfaces.into_iter().flat_map(|interface| interface.ipv4.into_iter().chain(interface.ipv6));
            held.networks.extend(addresses.filter_map(|address| address.network()));
            if let Some(servers) = &mut held.servers {
                servers.pop_front();
            }
        }
    }

    /// Every server of the account. Nothing says how many a page holds at most, so the list ends with an empty one.
    async fn servers(&self, doing: &str) -> Result<VecDeque<i64>, ProviderError> {
        let mut pages = Pages::new(doing);
        let mut servers = VecDeque::new();
        loop {
            pages.next(&servers.len().to_string())?;
            let call = Call::get("/servers").query("limit", LIMIT).query("offset", servers.len());
            let reply = self.send(call.transient_if(is_no_answer), doing).await?;
            let page: Vec<Server> = accept(&reply)?.json()?;
            let before = servers.len();
            for server in page {
                if !servers.contains(&server.id) {
                    servers.push_back(server.id);
                }
            }
            if servers.len() == before {
                return Ok(servers);
            }
        }
    }
}

#[async_trait]
impl ReverseDns for Scp {
    async fn pointer(&self, address: IpAddr) -> Result<Pointer, ProviderError> {
        let doing = format!("reading the PTR of {address}");
        let reply = self.send(Call::get(path(address)).transient_if(is_no_answer), &doing).await?;
        let name = match reply.status {
            403 | 404 => None,
            _ => accept(&reply)?.json::<Rdns>()?.rdns.filter(|name| !name.trim().is_empty()),
        };
        let Some(name) = name else {
            return match self.holds(address, &doing).await? {
                true if reply.status == 403 => Err(refused(&reply)),
                true => Ok(Pointer::Absent),
                false => Ok(Pointer::NotHeld),
            };
        };
        let name = Name::parse(name.trim()).map_err(|error| {
            let text = format!("the name {:?} cannot be read: {error}", said(&name));
            reply.failure(ProviderErrorKind::Protocol, &text, "correct it in the server control panel")
        })?;
        Ok(Pointer::Name(name))
    }

    async fn point(&self, address: IpAddr, name: Option<&Name>) -> Result<(), ProviderError> {
        let doing = format!("writing the PTR of {address}");
        let call = match name {
            None => Call::delete(path(address)),
            Some(name) => {
                let body = json!({ "ip": address.to_string(), "rdns": name.to_lowercase().to_text_without_dot() });
                Call::post(format!("/rdns/{}", family(address))).json(&body)
            }
        };
        let reply = self.send(call, &doing).await?;
        // Gone already is as good as deleted.
        if name.is_none() && reply.status == 404 { Ok(()) } else { accept(&reply).map(drop) }
    }
}

impl Address {
    fn network(&self) -> Option<(IpAddr, u8)> {
        if let Some(address) = self.ip.as_ref().and_then(|ip| ip.parse::<IpAddr>().ok()) {
            return Some((address, if address.is_ipv4() { 32 } else { 128 }));
        }
        let (address, length) = self.cidr.as_ref()?.split_once('/')?;
        let network: IpAddr = address.parse().ok()?;
        // What every interface has, and nobody delegates.
        let link_local = matches!(network, IpAddr::V6(address) if address.is_unicast_link_local());
        let length = length.parse().ok().filter(|&length| length <= if network.is_ipv4() { 32 } else { 128 })?;
        (!link_local).then_some((network, length))
    }
}

impl fmt::Debug for Scp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scp").field("client", &self.client).finish_non_exhaustive()
    }
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "ipv4" } else { "ipv6" }
}

fn path(address: IpAddr) -> String {
    format!("/rdns/{}/{address}", family(address))
}

fn accept(reply: &Reply) -> Result<&Reply, ProviderError> {
    if reply.is_success() { Ok(reply) } else { Err(refused(reply)) }
}

fn refused(reply: &Reply) -> ProviderError {
    let fault: Fault = serde_json::from_slice(reply.body()).unwrap_or_default();
    let said = if fault.message.is_empty() {
        reply.excerpt()
    } else {
        format!("{} ({})", said(&fault.message), said(&fault.code))
    };
    let text = format!("netcup's server control panel refuses it: {said} (status {})", reply.status);
    if reply.status == 403 {
        let remedy = "the refresh token has to be of a user who may manage this server";
        return reply.failure(ProviderErrorKind::Permission, &text, remedy);
    }
    let remedy = "check that the address is the server's and that the name has an A or AAAA record with this address";
    reply.failure(ProviderErrorKind::Refused, &text, remedy)
}

/// Something in front of the API answered, or only a part of the answer came.
fn is_no_answer(reply: &Reply) -> bool {
    reply.is_success() && serde_json::from_slice::<serde::de::IgnoredAny>(reply.body()).is_err()
}

fn contains(network: IpAddr, length: u8, address: IpAddr) -> bool {
    let (network, address, width) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => (network.to_bits().into(), address.to_bits().into(), 32),
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits(), address.to_bits(), 128),
        _ => return false,
    };
    let differ: u128 = network ^ address;
    differ.checked_shr(width - u32::from(length).min(width)).unwrap_or_default() == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_addresses() {
        let holds =
            |network: &str, length, address: &str| contains(network.parse().unwrap(), length, address.parse().unwrap());
        assert!(holds("2001:db8:1::", 64, "2001:db8:1::25"));
        assert!(!holds("2001:db8:1::", 64, "2001:db8:1:1::25"));
        assert!(holds("192.0.2.25", 32, "192.0.2.25"));
        assert!(!holds("192.0.2.25", 32, "192.0.2.24"));
        assert!(!holds("192.0.2.25", 32, "::"));
        assert!(holds("::", 0, "2001:db8::1"));
    }

    #[test]
    fn addresses_of_interfaces() {
        let text = r#"[{"ipv4Addresses":[{"cidr":"192.0.2.25/22","ip":"192.0.2.25"}],"ipv6Addresses":
            [{"cidr":"fe80::1/10","rdns":{}},{"cidr":"2001:db8:1::/64","rdns":{"2001:db8:1:0:0:0:0:0":"a.example"}}]}]"#;
        let interfaces: Vec<Interface> = serde_json::from_str(text).unwrap();
        let all = interfaces.iter().flat_map(|interface| interface.ipv4.iter().chain(&interface.ipv6));
        let networks: Vec<_> = all.filter_map(Address::network).map(|(ip, length)| format!("{ip}/{length}")).collect();
        assert_eq!(networks, ["192.0.2.25/32", "2001:db8:1::/64"]);
    }
}
