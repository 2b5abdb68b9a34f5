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
    connected(settings, everybody(settings, flags, zones), ui)
}

fn everybody(settings: Option<&Settings>, flags: &Servers, zones: HashMap<Name, Vec<SocketAddr>>) -> Sources {
    let dns = settings.map(|settings| settings.dns.clone()).unwrap_or_default();
    let roots = if dns.roots.is_empty() { root_servers(dns.port) } else { dns.roots.clone() };
    let resolvers = match (&dns.resolvers, flags.resolver.is_empty()) {
        (_, false) => flags.resolver.clone(),
        (Some(named), true) => named.value.iter().flat_map(context::addresses).collect(),
        (None, true) if !dns.roots.is_empty() => Vec::new(),
        (None, true) => Resolver::public().iter().flat_map(context::addresses).collect(),
    };
    Sources { resolvers, roots, port: dns.port, zones: zones.into_iter().collect() }
}

/// The observer of a plan: as [`observer`], but where every zone is served where the configuration says and no resolver
/// or root is named, nobody else is asked. `None` if that leaves nobody.
pub(crate) fn of_plan(settings: &Settings, domains: &[Name], ui: &Ui) -> Result<Option<Observer>, Code> {
    let zones = context::servers_by_domain(settings, &[], &BTreeMap::new());
    let none = Servers { resolver: Vec::new(), nameserver: Vec::new() };
    limited(settings, domains, &none, zones).map(|sources| connected(Some(settings), sources, ui)).transpose()
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
    let sources = if !flags.nameserver.is_empty() && flags.resolver.is_empty() {
        Some(Sources { zones: BTreeMap::from([(Name::root(), flags.nameserver.clone())]), ..Sources::default() })
    } else {
        if flags.nameserver.is_empty() {
            for (zone, address) in embedded.by_zone() {
                zones.entry(zone.clone()).or_insert_with(|| vec![address]);
            }
        }
        match settings.domains.is_empty() && zones.is_empty() {
            // Hosts alone, whose addresses somebody else serves.
            true => Some(everybody(Some(settings), flags, zones)),
            false => limited(settings, domains, flags, zones),
        }
    };
    sources.map(|sources| connected(Some(settings), sources, ui)).transpose()
}

/// Nobody but the servers of `zones`, where they have all of the domains and nobody else is named; `None` if there are
/// none of them.
fn limited(
    settings: &Settings,
    domains: &[Name],
    flags: &Servers,
    zones: HashMap<Name, Vec<SocketAddr>>,
) -> Option<Sources> {
    let chosen = settings.domains.values().filter(|domain| domains.is_empty() || domains.contains(&domain.name));
    let served = |provider: &str| {
        let table = settings.providers.get(provider).map(|table| &table.value);
        matches!(table, Some(ProviderSettings::Zonefile(files)) if files.serve.is_some())
    };
    let mut chosen = chosen.map(|domain| !domain.nameservers.is_empty() || served(&domain.provider.value));
    let dns = &settings.dns;
    let named = dns.resolvers.is_some() || !dns.roots.is_empty() || !flags.resolver.is_empty();
    if named || chosen.any(|by_itself| !by_itself) {
        return Some(everybody(Some(settings), flags, zones));
    }
    let zones: BTreeMap<Name, Vec<SocketAddr>> = zones.into_iter().collect();
    (!zones.is_empty()).then(|| Sources { zones, port: dns.port, ..Sources::default() })
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

#[cfg(test)]
mod tests {
    use super::*;

    const CLOUD: &str = "[providers.cf]\ntype = \"cloudflare\"\napi_token = { env = \"T\" }\n";
    const SERVED: &str = "[providers.files]\ntype = \"zonefile\"\ndirectory = \"z\"\nserve = \"127.0.0.1:0\"\n\
                          [domains.\"a.test\"]\nprovider = \"files\"\n";

    /// Whom a run asks for `domains`: how many resolvers and roots, and which zones by themselves.
    fn asked(configuration: &str, domains: &[&str], resolver: &[&str]) -> Option<(usize, usize, Vec<String>)> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("mailzone.toml");
        std::fs::write(&file, configuration).unwrap();
        let settings = mailzone_config::load(&[mailzone_config::Source::Path(file)]).unwrap();
        let domains: Vec<Name> = domains.iter().map(|name| Name::parse(name).unwrap()).collect();
        let flags =
            Servers { resolver: resolver.iter().map(|address| address.parse().unwrap()).collect(), nameserver: vec![] };
        let zones = context::servers_by_domain(&settings, &[], &BTreeMap::from([("files".into(), addr())]));
        let sources = limited(&settings, &domains, &flags, zones)?;
        let zones = sources.zones.keys().map(Name::to_text_without_dot).collect();
        Some((sources.resolvers.len(), sources.roots.len(), zones))
    }

    fn addr() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 5300))
    }

    #[test]
    fn nobody_else_is_asked_where_the_servers_are_given() {
        let given = format!("{CLOUD}[domains.\"b.test\"]\nprovider = \"cf\"\nnameservers = [\"192.0.2.1\"]\n");
        let cloud = given.replace("nameservers = [\"192.0.2.1\"]\n", "");
        let both = format!("{SERVED}{cloud}");
        assert_eq!(asked(SERVED, &[], &[]), Some((0, 0, vec!["a.test".into()])));
        assert_eq!(asked(&given, &[], &[]), Some((0, 0, vec!["b.test".into()])));
        assert_eq!(asked(&both, &["a.test"], &[]), Some((0, 0, vec!["a.test".into()])));
        assert_eq!(asked("", &[], &[]), None);
        // The world, where a domain has it no other way.
        for (configuration, domains) in [(&both, &[][..]), (&both, &["b.test"]), (&cloud, &[])] {
            let (resolvers, roots, _) = asked(configuration, domains, &[]).unwrap();
            assert!(resolvers > 0 && roots > 0);
        }
    }

    #[test]
    fn who_is_named_is_asked() {
        let resolvers = |configuration: &str, flags: &[&str]| asked(configuration, &[], flags).unwrap().0;
        assert_eq!(resolvers(SERVED, &["192.0.2.53:53"]), 1);
        assert_eq!(resolvers(&format!("{SERVED}[dns]\nresolvers = [\"192.0.2.1\", \"192.0.2.2\"]\n"), &[]), 2);
        let roots = format!("{SERVED}[dns]\nroots = [\"192.0.2.1\"]\n");
        assert_eq!(asked(&roots, &[], &[]), Some((0, 1, vec!["a.test".into()])));
    }
}
