//! What commands start from: the configuration, the time, the runtime, the DNS.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use mailzone_config::{Diagnostic, Resolver, Settings, Source};
use mailzone_engine::compile::{Compiled, compile};
use mailzone_engine::verify::Verifier;
use mailzone_engine::{Code, StateDir};
use mailzone_plan::document::{ErrorDoc, ZoneDoc};
use mailzone_record::Name;

use crate::args::{Global, Servers};
use crate::registry;
use crate::ui::Ui;

/// The default configuration file.
const DEFAULT_CONFIG: &str = "mailzone.toml";

/// Reads the configuration, or says everything that is wrong with it.
pub(crate) fn load(global: &Global, ui: &Ui) -> Result<Settings, Code> {
    let sources = sources(&global.config).map_err(|message| {
        ui.error(&message, None);
        Code::Error
    })?;
    match mailzone_config::load(&sources) {
        Ok(settings) => {
            let left_out = registry::left_out(&settings);
            if !left_out.is_empty() {
                say_all(&left_out, ui);
                return Err(Code::Error);
            }
            for warning in &settings.warnings {
                ui.talk(&warning.to_string());
            }
            Ok(settings)
        }
        Err(diagnostics) => {
            say_all(&diagnostics, ui);
            if global.config.is_empty() && !PathBuf::from(DEFAULT_CONFIG).exists() {
                ui.error_block("help: `mailzone try` makes a worked example; --config names another file");
            }
            Err(Code::Error)
        }
    }
}

/// The configuration if there is one: named, or in the working directory; else the defaults.
pub(crate) fn load_if_any(global: &Global, ui: &Ui) -> Result<Option<Settings>, Code> {
    if global.config.is_empty() && !PathBuf::from(DEFAULT_CONFIG).exists() {
        return Ok(None);
    }
    load(global, ui).map(Some)
}

/// The claims of a configuration, as of today.
pub(crate) fn compiled(settings: &Settings) -> Compiled {
    compile(settings, today())
}

/// Configured domains by the names given. If any is wrong, each of them as it stands in a document: with its
/// own error, or as not looked at.
pub(crate) fn selected(settings: &Settings, names: &[String], ui: &Ui) -> Result<Vec<Name>, Vec<ZoneDoc>> {
    let mut selected = Vec::with_capacity(names.len());
    let mut wrong = Vec::new();
    for text in names {
        match Name::parse_idn(text).map(|name| name.to_lowercase()) {
            Ok(name) if settings.domains.contains_key(&name) => selected.push(name),
            Ok(name) => {
                let above = settings.domain_above(&name).map(|domain| domain.name.to_text_without_dot());
                let help = above.map(|domain| format!("{domain} is; its records include those below it"));
                let message = format!("{text} is not a configured domain");
                let remedy = help.as_deref().unwrap_or("add it to the configuration");
                ui.error(&message, Some(remedy));
                wrong.push(failed(name.to_text_without_dot(), "", &message, remedy));
            }
            Err(error) => {
                let message = format!("{text} is no domain name: {error}");
                ui.error(&message, None);
                wrong.push(failed(text.clone(), "", &message, ""));
            }
        }
    }
    if wrong.is_empty() {
        return Ok(selected);
    }
    if !selected.is_empty() {
        wrong.extend(not_looked_at(settings, &selected, "not looked at: another domain that was named is wrong", ""));
    }
    wrong.sort_by(|a, b| a.domains.cmp(&b.domains));
    wrong.dedup_by(|a, b| a.domains == b.domains);
    Err(wrong)
}

/// These domains, or all, as they stand in a document when the run ended before it came to them.
pub(crate) fn not_looked_at(settings: &Settings, domains: &[Name], message: &str, remedy: &str) -> Vec<ZoneDoc> {
    let chosen = settings.domains.values().filter(|domain| domains.is_empty() || domains.contains(&domain.name));
    let entry = |domain: &mailzone_config::Domain| {
        failed(domain.name.to_text_without_dot(), &domain.provider.value, message, remedy)
    };
    chosen.map(entry).collect()
}

fn failed(domain: String, provider: &str, message: &str, remedy: &str) -> ZoneDoc {
    ZoneDoc {
        zone: None,
        zone_id: None,
        domains: vec![domain],
        provider: provider.to_owned(),
        source: "provider".into(),
        config_digest: String::new(),
        fingerprint: String::new(),
        error: Some(ErrorDoc { kind: "configuration".into(), message: message.into(), remedy: remedy.into() }),
        changes: Vec::new(),
        findings: Vec::new(),
        unmanaged: Vec::new(),
        allowed: Vec::new(),
        expected_visible: 0,
        side_effects: Vec::new(),
    }
}

/// Where the journal and the locks are.
pub(crate) fn state_dir(global: &Global, settings: &Settings) -> StateDir {
    match &global.state_dir {
        Some(path) => StateDir::new(path),
        None => StateDir::new(settings.state_base.join(".mailzone")),
    }
}

/// Asks the DNS as configuration and command line say; the command line wins.
pub(crate) fn verifier(settings: Option<&Settings>, servers: Option<&Servers>) -> Verifier {
    let dns = settings.map(|settings| settings.dns.clone()).unwrap_or_default();
    let given = servers.map(|servers| servers.resolver.clone()).unwrap_or_default();
    let named = !given.is_empty() || dns.resolvers.is_some();
    let resolvers = if given.is_empty() {
        let configured: Vec<Resolver> =
            dns.resolvers.as_ref().map_or_else(|| Resolver::public().to_vec(), |list| list.value.clone());
        configured.iter().flat_map(addresses).collect()
    } else {
        given
    };
    Verifier::new(dns.timeout, &dns.roots, dns.port, resolvers, named)
}

/// The servers to ask by domain: those of the command line, else of the domain, else the embedded one.
pub(crate) fn servers_by_domain(
    settings: &Settings,
    flags: &[SocketAddr],
    embedded: &BTreeMap<String, SocketAddr>,
) -> HashMap<Name, Vec<SocketAddr>> {
    let mut servers = HashMap::new();
    for (name, domain) in &settings.domains {
        let given = if !flags.is_empty() {
            flags.to_vec()
        } else if !domain.nameservers.is_empty() {
            domain.nameservers.clone()
        } else {
            embedded.get(&domain.provider.value).copied().into_iter().collect()
        };
        if !given.is_empty() {
            servers.insert(name.clone(), given);
        }
    }
    servers
}

/// Domains whose parent need not name their servers yet.
pub(crate) fn not_delegated(settings: &Settings) -> BTreeSet<Name> {
    settings.domains.values().filter(|domain| !domain.delegated).map(|domain| domain.name.clone()).collect()
}

/// A runtime for the commands that talk to anybody.
pub(crate) fn runtime(ui: &Ui) -> Result<tokio::runtime::Runtime, Code> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        ui.error(&format!("the runtime cannot start: {error}"), None);
        Code::Error
    })
}

/// Today in UTC: year, month, day.
pub(crate) fn today() -> (i32, u8, u8) {
    let date = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    (i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
}

/// Now, RFC 3339, to the second.
pub(crate) fn now() -> String {
    let now = jiff::Timestamp::now();
    jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

/// Now, in seconds since 1970.
pub(crate) fn now_seconds() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Prints diagnostics, and how many errors there are.
pub(crate) fn say_all(diagnostics: &[Diagnostic], ui: &Ui) {
    for diagnostic in diagnostics {
        ui.error_block(&format!("{diagnostic}\n"));
    }
}

/// What the configuration is read from.
pub(crate) fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, String> {
    if paths.is_empty() {
        return Ok(vec![Source::Path(PathBuf::from(DEFAULT_CONFIG))]);
    }
    paths
        .iter()
        .map(|path| {
            if path.as_os_str() != "-" {
                return Ok(Source::Path(path.clone()));
            }
            let mut text = String::new();
            let limit = mailzone_config::MAX_FILE_SIZE;
            std::io::stdin()
                .take(limit)
                .read_to_string(&mut text)
                .map_err(|error| format!("standard input cannot be read as UTF-8 text: {error}"))?;
            Ok(Source::Stdin(text))
        })
        .collect()
}

/// Where a resolver is asked.
pub(crate) fn addresses(resolver: &Resolver) -> Vec<SocketAddr> {
    match resolver {
        Resolver::Address(address) => vec![*address],
        // The one form besides addresses: what /etc/resolv.conf names.
        _ => system_resolvers(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default()),
    }
}

/// The `nameserver` lines of resolv.conf(5).
fn system_resolvers(text: &str) -> Vec<SocketAddr> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    lines.filter_map(|rest| rest.trim().parse().ok()).map(|ip| SocketAddr::new(ip, 53)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolv_conf() {
        let text = "# x\nnameserver 192.0.2.1\nsearch example.com\nnameserver 2001:db8::1\nnameserver fe80::1%eth0\n";
        let found: Vec<String> = system_resolvers(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["192.0.2.1:53", "[2001:db8::1]:53"]);
    }
}
