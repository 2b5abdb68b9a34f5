//! Who looks up what audits want to know: the observer, as configuration and command line say.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use mailzone_config::{ProviderSettings, Resolver, Settings};
use mailzone_engine::Code;
use mailzone_observe::{Dns, Observer, Settings as Connecting, Sources, Trust, network};
use mailzone_probe::root_servers;
use mailzone_record::Name;

use crate::args::Servers;
use crate::context;
use crate::embedded::Embedded;
use crate::ui::Ui;

/// Asks the DNS of the world unless something says otherwise: the command line, else the configuration, whose roots
/// stand in place of resolvers that it does not name. `zones` are domains whose servers are given.
pub(crate) fn observer(
    settings: Option<&Settings>,
    flags: &Servers,
    zones: HashMap<Name, Vec<SocketAddr>>,
    ui: &Ui,
) -> Result<Observer, Code> {
    let dns = settings.map(|settings| settings.dns.clone()).unwrap_or_default();
    let roots = if dns.roots.is_empty() { root_servers(dns.port) } else { dns.roots.clone() };
    let resolvers = match (&dns.resolvers, flags.resolver.is_empty()) {
        (_, false) => flags.resolver.clone(),
        (Some(named), true) => named.value.iter().flat_map(context::addresses).collect(),
        (None, true) if !dns.roots.is_empty() => Vec::new(),
        (None, true) => Resolver::public().iter().flat_map(context::addresses).collect(),
    };
    let zones: BTreeMap<Name, Vec<SocketAddr>> = zones.into_iter().collect();
    connected(settings, Sources { resolvers, roots, port: dns.port, zones }, ui)
}

/// The observer of a plan: as [`observer`], but where every zone is served where the configuration says and no resolver
/// or root is named, nobody else is asked. `None` if that leaves nobody.
pub(crate) fn of_plan(settings: &Settings, domains: &[Name], ui: &Ui) -> Result<Option<Observer>, Code> {
    let zones = context::servers_by_domain(settings, &[], &BTreeMap::new());
    let none = Servers { resolver: Vec::new(), nameserver: Vec::new() };
    limited(settings, domains, &none, zones, ui)
}

/// The observer of a verification, likewise, with the servers in `zones`: it asks the embedded servers for all that they
/// serve, and name servers of the command line instead of all others, unless a resolver stands there too.
pub(crate) fn of_servers(
    settings: &Settings,
    domains: &[Name],
    flags: &Servers,
    mut zones: HashMap<Name, Vec<SocketAddr>>,
    embedded: &Embedded,
    ui: &Ui,
) -> Result<Option<Observer>, Code> {
    if flags.nameserver.is_empty() {
        for (zone, address) in embedded.by_zone() {
            zones.entry(zone.clone()).or_insert_with(|| vec![address]);
        }
    } else if flags.resolver.is_empty() {
        let zones = BTreeMap::from([(Name::root(), flags.nameserver.clone())]);
        return connected(Some(settings), Sources { zones, ..Sources::default() }, ui).map(Some);
    }
    limited(settings, domains, flags, zones, ui)
}

/// Nobody but the servers of `zones`, where they have all of the domains and nobody else is named.
fn limited(
    settings: &Settings,
    domains: &[Name],
    flags: &Servers,
    zones: HashMap<Name, Vec<SocketAddr>>,
    ui: &Ui,
) -> Result<Option<Observer>, Code> {
    let chosen = settings.domains.values().filter(|domain| domains.is_empty() || domains.contains(&domain.name));
    let served = |provider: &str| {
        let table = settings.providers.get(provider).map(|table| &table.value);
        matches!(table, Some(ProviderSettings::Zonefile(files)) if files.serve.is_some())
    };
    let mut chosen = chosen.map(|domain| !domain.nameservers.is_empty() || served(&domain.provider.value));
    let dns = &settings.dns;
    let named = dns.resolvers.is_some() || !dns.roots.is_empty() || !flags.resolver.is_empty();
    if named || chosen.any(|by_itself| !by_itself) {
        return observer(Some(settings), flags, zones, ui).map(Some);
    }
    if zones.is_empty() {
        return Ok(None);
    }
    let zones = zones.into_iter().collect();
    connected(Some(settings), Sources { zones, port: dns.port, ..Sources::default() }, ui).map(Some)
}

fn connected(settings: Option<&Settings>, sources: Sources, ui: &Ui) -> Result<Observer, Code> {
    let look = settings.map(|settings| settings.look.clone()).unwrap_or_default();
    let trust = match &look.authorities {
        None => Trust::usual(),
        Some(pem) => Trust::only(certificates(&pem.value)),
    };
    let trust = trust.map_err(|error| {
        let remedy = look.authorities.as_ref().map(|pem| format!("correct `ca_file` ({})", pem.place.file().display()));
        ui.error(&error.to_string(), remedy.as_deref());
        Code::Error
    })?;
    let mut connecting = Connecting::new(context::now_seconds(), look.helo.unwrap_or_else(helo), trust);
    connecting.smtp_port = look.smtp_port;
    connecting.https_port = look.https_port;
    Ok(Observer::new(Dns::new(network(), sources), connecting))
}

/// The certificates of a PEM file (RFC 7468), in DER. What is none is passed over.
fn certificates(pem: &str) -> Vec<Vec<u8>> {
    let blocks = pem.split("-----BEGIN CERTIFICATE-----").skip(1);
    let inner = blocks.filter_map(|block| Some(block.split_once("-----END CERTIFICATE-----")?.0));
    inner.filter_map(|text| data_encoding::BASE64_MIME_PERMISSIVE.decode(text.trim().as_bytes()).ok()).collect()
}

/// What is said in EHLO where the configuration does not say. The name of the machine that audits is nobody's business.
fn helo() -> Name {
    Name::parse("localhost.localdomain").unwrap_or_else(|_| Name::root())
}
