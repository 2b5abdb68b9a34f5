use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mailzone_record::{Name, Tlsa, Ttl};

use crate::diagnostic::Diagnostic;
use crate::domain::{Domain, Slot};
use crate::secret::SecretRef;
use crate::service::{Cloudflare, Ionos, IonosCloud, Netcup, Route53};
use crate::source::{Located, Place};

/// A whole configuration, checked: every name that it refers to exists in it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The configuration files in the order read; without standard input and files they refer to.
    pub files: Vec<PathBuf>,
    /// The directory that `.mailzone/` goes into: that of the first configuration file, `.` for
    /// standard input.
    pub state_base: PathBuf,
    /// By the name that the configuration gives them.
    pub providers: BTreeMap<String, Located<ProviderSettings>>,
    /// How to ask the DNS.
    pub dns: Dns,
    /// How long to wait for a change to be visible.
    pub propagation: Propagation,
    /// The latency budget.
    pub latency: Latency,
    /// The hosts that receive or send mail.
    pub hosts: BTreeMap<Name, Host>,
    /// Who sends mail for the domains, by name.
    pub senders: BTreeMap<String, Located<Sender>>,
    /// How mail servers and web servers are looked at.
    pub look: Look,
    /// The domains, in lower case, without those that only a zone holds.
    pub domains: BTreeMap<Name, Domain>,
    /// What is accepted and yet worth a look.
    pub warnings: Vec<Diagnostic>,
}

/// How to reach a provider; one variant for each `type`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ProviderSettings {
    /// `type = "zonefile"`.
    Zonefile(Zonefile),
    /// `type = "rfc2136"`.
    Rfc2136(Rfc2136),
    /// `type = "route53"`.
    Route53(Box<Route53>),
    /// `type = "cloudflare"`.
    Cloudflare(Cloudflare),
    /// `type = "netcup"`.
    Netcup(Box<Netcup>),
    /// `type = "ionos"`.
    Ionos(Ionos),
    /// `type = "ionos-cloud"`.
    IonosCloud(IonosCloud),
}

/// A directory of `ORIGIN.zone` files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zonefile {
    /// The directory, completed with that of the file that names it.
    pub directory: PathBuf,
    /// Where the embedded server answers while a command runs.
    pub serve: Option<Located<SocketAddr>>,
    /// A command and its arguments, to be run after a file was replaced; `{zone}` stands for the
    /// zone's name. Never empty.
    pub reload: Option<Located<Vec<String>>>,
}

/// A name server that takes updates (RFC 2136) and transfers zones (RFC 5936).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rfc2136 {
    /// The primary server.
    pub server: SocketAddr,
    /// The key that signs; `None` for none.
    pub tsig: Option<Tsig>,
    /// How many zones are asked or written at a time; `None` for the provider's own.
    pub max_concurrency: Option<usize>,
    /// Of one exchange; `None` for the provider's own.
    pub timeout: Option<Duration>,
}

/// A key of transaction signatures (RFC 8945), by reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tsig {
    /// Its name, in lower case.
    pub name: Name,
    /// Its algorithm.
    pub algorithm: TsigAlgorithm,
    /// Where the key itself is, in base64.
    pub secret: Located<SecretRef>,
}

/// An algorithm of transaction signatures (RFC 8945 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the words of the file")]
pub enum TsigAlgorithm {
    HmacSha256,
    HmacSha384,
    HmacSha512,
}

/// The table `dns`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// The resolvers named; `None` if the file names none (then [`Resolver::public`] are usual).
    pub resolvers: Option<Located<Vec<Resolver>>>,
    /// Of one exchange; 2 s by default.
    pub timeout: Duration,
    /// Of authoritative servers found by name; 53 by default.
    pub port: u16,
    /// Root servers to begin at; empty for the real ones.
    pub roots: Vec<SocketAddr>,
}

/// A recursive resolver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resolver {
    /// Those of the operating system.
    System,
    /// One address.
    Address(SocketAddr),
}

/// The table `propagation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Propagation {
    /// Of one wait; `None` for the provider's own.
    pub timeout: Option<Duration>,
}

/// The table `latency`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// Above it a server is too slow; 100 ms by default.
    pub budget: Duration,
    /// What is compared with the budget.
    pub statistic: Statistic,
    /// Exchanges per server; 1 to 1000, 20 by default.
    pub samples: u32,
    /// What being over budget means.
    pub on_exceed: OnExceed,
}

/// A quantile of measured latencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the words of the file")]
pub enum Statistic {
    Median,
    P95,
    P99,
}

/// What a server over the latency budget means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExceed {
    /// A warning.
    Warn,
    /// Exit code 4 of the command `latency`.
    Fail,
}

/// A host that receives or sends mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its name, in lower case.
    pub name: Name,
    /// The key of its table.
    pub place: Place,
    /// IPv4 addresses: `None` are foreign, an empty list says that there shall be none.
    pub ipv4: Option<Located<Vec<Ipv4Addr>>>,
    /// IPv6 addresses, likewise.
    pub ipv6: Option<Located<Vec<Ipv6Addr>>>,
    /// What is done about its A and AAAA.
    pub addresses: Care,
    /// What is done about the PTR of its addresses.
    pub ptr: Care,
    /// The provider that holds the reverse zones; `None` for the first that can.
    pub ptr_provider: Option<Located<String>>,
    /// The provider that holds the host's zone: its own key, else that of the nearest configured
    /// domain at or above it. Present whenever something of the host is managed.
    pub provider: Option<Located<String>>,
    /// The zone, likewise; `None` for the longest that the provider holds.
    pub zone: Option<Located<Name>>,
    /// The provider's identifier of the zone, likewise.
    pub zone_id: Option<Located<String>>,
    /// Of what is written for the host, where its table says so: see [`Settings::host_ttl`].
    pub ttl: Option<Located<Ttl>>,
    /// The name that it says in HELO; the host's name by default.
    pub helo: Name,
    /// Its TLSA records by port.
    pub tlsa: Option<Located<Slot<TlsaByPort>>>,
}

/// Somebody who sends mail for a domain, to simulate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The addresses that it sends from; at least one.
    pub addresses: Vec<IpAddr>,
    /// The domain of its envelope senders.
    pub envelope_domain: Option<Name>,
    /// The domain and the selector that it signs with.
    pub dkim: Option<(Name, String)>,
    /// The domain in `From`.
    pub from: Name,
    /// What it says in HELO.
    pub helo: Option<Name>,
    /// Whether its mail must pass.
    pub required: bool,
}

/// The table `look`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The name said to mail servers.
    pub helo: Option<Name>,
    /// Authorities that are trusted instead of the usual ones: PEM.
    pub authorities: Option<Located<String>>,
    /// 25 by default.
    pub smtp_port: u16,
    /// 443 by default.
    pub https_port: u16,
}

/// TLSA records by port, each at least one.
pub type TlsaByPort = BTreeMap<u16, Vec<Tlsa>>;

/// What is done about something: the keys `addresses` and `ptr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// Looked at and reported; the default.
    Check,
    /// Written.
    Manage,
    /// Left alone.
    Off,
}

/// One key that has an effect on a domain, for `lint --explain`.
#[derive(Clone, PartialEq, Eq)]
pub struct EffectiveKey {
    /// Its path in the domain's table: `spf.include`.
    pub key: Arc<str>,
    /// Where its value is.
    pub place: Place,
    /// The table that brings it: `defaults`, `profiles.standard`, `groups.parked`, `domains."example.com"`.
    pub via: Arc<str>,
}

impl Settings {
    /// [`Domain::forget_records`] for every domain.
    pub fn forget_records(&mut self) {
        self.domains.values_mut().for_each(Domain::forget_records);
    }

    /// The nearest configured domain at or above `name`.
    pub fn domain_above(&self, name: &Name) -> Option<&Domain> {
        crate::domain::nearest(&self.domains, name)
    }

    /// The TTL configured for what is written for a host: its own, else what the domain above it has for
    /// `slot`, one of `hosts`, `tlsa` and `ptr`.
    pub fn host_ttl(&self, host: &Host, slot: &str) -> Option<Ttl> {
        host.ttl.as_ref().map(|ttl| ttl.value).or_else(|| self.domain_above(&host.name)?.ttl_of(slot))
    }
}

impl Resolver {
    /// Public resolvers, for when the file names none.
    pub fn public() -> [Self; 3] {
        [[1, 1, 1, 1], [8, 8, 8, 8], [9, 9, 9, 9]]
            .map(|octets| Self::Address(SocketAddr::new(IpAddr::from(octets), 53)))
    }
}

impl EffectiveKey {
    /// The value as it is written in the file.
    pub fn value(&self) -> &str {
        self.place.text()
    }
}

impl Default for Look {
    fn default() -> Self {
        Self { helo: None, authorities: None, smtp_port: 25, https_port: 443 }
    }
}

impl Default for Dns {
    fn default() -> Self {
        Self { resolvers: None, timeout: Duration::from_secs(2), port: 53, roots: Vec::new() }
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            budget: Duration::from_millis(100),
            statistic: Statistic::Median,
            samples: 20,
            on_exceed: OnExceed::Warn,
        }
    }
}

impl fmt::Debug for EffectiveKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.key, self.via, self.place)
    }
}
