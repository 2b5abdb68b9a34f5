//! `mailzone import`.

mod forms;
mod senders;
mod slots;
pub(in crate::cmd) mod toml;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use mailzone_engine::{Code, provider_error};
use mailzone_plan::document::ErrorDoc;
use mailzone_provider::{Access, Capabilities, Provider, Snapshot, TtlRange, TypeSet, Zone, ZoneId};
use mailzone_record::Name;
use mailzone_record::zonefile::ZoneFile;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::args::{Format, Global, ImportArgs};
use crate::context;
use crate::registry;
use crate::ui::Ui;

use self::slots::{Found, Import};

/// The configuration for what is live: TOML that plans to nothing.
pub(super) fn run(global: &Global, args: &ImportArgs, ui: &Ui) -> Result<Code, Code> {
    if global.format != Format::Text {
        ui.error("import prints TOML and nothing else", Some("leave --format out"));
        return Err(Code::Error);
    }
    match &args.from {
        Some(path) => from_file(path, args, ui),
        None => from_provider(global, args, ui),
    }
}

fn from_provider(global: &Global, args: &ImportArgs, ui: &Ui) -> Result<Code, Code> {
    let fail = |message: &str, remedy: &str| {
        ui.error(message, Some(remedy));
        Code::Error
    };
    if args.domains.is_empty() && !args.all {
        return Err(fail("nothing to import", "name domains, --all zones of a provider, or a zone file with --from"));
    }
    let within: Vec<Name> = names(&args.domains, ui)?;
    let settings = context::load(global, ui)?;
    let providers = registry::providers_for(&settings, &within);
    let known = || providers.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let (name, provider) = match (&args.provider, providers.len()) {
        (Some(name), _) => match providers.get_key_value(name) {
            Some(found) => found,
            None => {
                return Err(fail(&format!("no provider is called {name}"), &format!("configured: {}", known())));
            }
        },
        (None, 1) => providers.iter().next().ok_or(Code::Error)?,
        (None, _) => {
            return Err(fail("several providers are configured", &format!("choose one with --provider: {}", known())));
        }
    };
    let runtime = context::runtime(ui)?;
    let read = runtime.block_on(async {
        let read = read(provider, &within, args.zone_id.as_deref()).await;
        provider.close().await;
        read
    });
    let Read { zones, all, failed } = read.map_err(|error| fail(&error.message, &error.remedy))?;
    for (zone, error) in &failed {
        ui.error(&format!("{zone}: {}", error.message), Some(&error.remedy));
    }
    if zones.is_empty() {
        ui.say("nothing was imported");
    } else {
        let import = Import { provider: name, zones: &zones, all: &all, within: &within };
        ui.data(&format!("{}{}", header(&format!("the zones of {name}")), import.tables()));
    }
    Ok(if failed.is_empty() { Code::Done } else { Code::Error })
}

/// What a provider gave.
struct Read {
    zones: Vec<Found>,
    all: BTreeSet<Name>,
    failed: BTreeMap<String, ErrorDoc>,
}

async fn read(provider: &Arc<dyn Provider>, within: &[Name], zone_id: Option<&str>) -> Result<Read, ErrorDoc> {
    let mut zones = match zone_id {
        // Credentials that may not list zones may still read one.
        Some(id) => {
            let name = within.first();
            vec![provider.zone_by_id(&ZoneId::new(id), name).await.map_err(|error| provider_error(&error))?]
        }
        None => provider.zones().await.map_err(|error| provider_error(&error))?,
    };
    let all: BTreeSet<Name> = zones.iter().map(|zone| zone.name.to_lowercase()).collect();
    let mut counts: BTreeMap<Name, usize> = BTreeMap::new();
    for zone in &zones {
        *counts.entry(zone.name.to_lowercase()).or_default() += 1;
    }
    let mut failed: BTreeMap<String, ErrorDoc> = BTreeMap::new();
    if !within.is_empty() {
        let wanted = wanted(within, &all, zone_id, &mut failed);
        zones.retain(|zone| wanted.contains(&zone.name.to_lowercase()));
    }
    zones.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    for (name, count) in counts.iter().filter(|(_, count)| **count > 1) {
        let ids: Vec<String> =
            zones.iter().filter(|zone| zone.name.to_lowercase() == *name).map(|zone| zone.id.to_string()).collect();
        if ids.is_empty() {
            continue;
        }
        let message = format!("the provider holds {count} zones of the name: {}", ids.join(", "));
        let remedy = "name the domain and the one that is meant with --zone-id";
        failed.insert(name.to_text_without_dot(), error("ambiguous_zone", message, remedy));
        zones.retain(|zone| zone.name.to_lowercase() != *name);
    }
    let permits = Arc::new(Semaphore::new(provider.capabilities().concurrency.max(1)));
    let mut tasks = JoinSet::new();
    for zone in zones {
        let (provider, permits) = (Arc::clone(provider), Arc::clone(&permits));
        tasks.spawn(async move {
            let _permit = permits.acquire().await;
            let snapshot = provider.snapshot(&zone).await;
            (zone, snapshot)
        });
    }
    let mut found = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        match joined {
            Ok((zone, Ok(snapshot))) => {
                let capabilities = provider.capabilities_of(&zone).clone();
                found.push(Found { zone, snapshot, capabilities, needs_id: zone_id.is_some() });
            }
            Ok((zone, Err(error))) => {
                failed.insert(zone.name.to_text_without_dot(), provider_error(&error));
            }
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }
    found.sort_by(|a, b| a.zone.name.cmp(&b.zone.name));
    Ok(Read { zones: found, all, failed })
}

/// The zones that hold these names; a name that none holds has failed.
fn wanted(
    within: &[Name],
    all: &BTreeSet<Name>,
    zone_id: Option<&str>,
    failed: &mut BTreeMap<String, ErrorDoc>,
) -> BTreeSet<Name> {
    let mut wanted = BTreeSet::new();
    for name in within {
        let mut at = Some(name.to_lowercase());
        while let Some(candidate) = at {
            if all.contains(&candidate) {
                wanted.insert(candidate);
                break;
            }
            at = candidate.parent();
            if at.is_none() {
                let what = zone_id.map_or_else(
                    || "the provider holds no zone for it".to_owned(),
                    |id| format!("the zone {id} is not its zone"),
                );
                let remedy = "`mailzone providers --full` lists the zones";
                failed.insert(name.to_text_without_dot(), error("no_zone", what, remedy));
            }
        }
    }
    // Zones below belong to what is asked for, as in a plan.
    wanted.extend(all.iter().filter(|zone| within.iter().any(|name| zone.is_at_or_below(name))).cloned());
    wanted
}

fn from_file(path: &Path, args: &ImportArgs, ui: &Ui) -> Result<Code, Code> {
    /// As the zone-file provider.
    const LIMIT: u64 = 64 << 20;
    let fail = |message: String, remedy: &str| {
        ui.error(&message, Some(remedy));
        Code::Error
    };
    let shown = path.display();
    let failed = |error: std::io::Error| fail(format!("{shown} cannot be read: {error}"), "name a zone file");
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() || metadata.len() > LIMIT {
        return Err(fail(format!("{shown} is no regular file of at most 64 MiB"), "name a zone file"));
    }
    let octets = std::fs::read(path).map_err(failed)?;
    let given = names(&args.domains, ui)?;
    let origin = match given.as_slice() {
        [] => origin_of(&octets, path).ok_or_else(|| {
            let remedy = "name the zone: mailzone import ZONE --from FILE";
            fail(format!("{shown} does not say which zone it is"), remedy)
        })?,
        [origin] => origin.clone(),
        _ => return Err(fail("one file is one zone".into(), "name one zone")),
    };
    let file = ZoneFile::parse(&octets, &origin).map_err(|errors| {
        ui.error_block(&format!("error: {shown} does not parse\n{errors}"));
        Code::Error
    })?;
    let zone = Zone {
        id: ZoneId::new(origin.to_text_without_dot()),
        name: origin.clone(),
        access: Access::ReadWrite,
        nameservers: Vec::new(),
    };
    let capabilities = Capabilities {
        writable: TypeSet::All,
        ttl: TtlRange::ANY,
        atomic: true,
        compare_and_swap: true,
        concurrency: 1,
        expected_visible: 0,
        apex_cname: false,
    };
    let snapshot = Snapshot::new(file.rrsets(), file.default_ttl());
    let zones = [Found { zone, snapshot, capabilities, needs_id: false }];
    let all = BTreeSet::from([origin.to_lowercase()]);
    let mut text = header(&path.to_string_lossy());
    let provider = match &args.provider {
        Some(name) => name.as_str(),
        None => {
            text.push_str(&provider_table(path, &origin));
            "zones"
        }
    };
    let import = Import { provider, zones: &zones, all: &all, within: &[] };
    ui.data(&format!("{text}{}", import.tables()));
    Ok(Code::Done)
}

/// A table for the file's directory, so that the document is whole.
fn provider_table(path: &Path, origin: &Name) -> String {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.map_or_else(|| ".".to_owned(), |parent| parent.to_string_lossy().into_owned());
    let expected = format!("{}.zone", origin.to_text_without_dot());
    let named = path.file_name().is_some_and(|name| name.to_string_lossy().eq_ignore_ascii_case(&expected));
    let hint = if named {
        String::new()
    } else {
        format!("{}\n", toml::comment(&format!("the file has to be called {expected} there")))
    };
    format!("\n{hint}[providers.zones]\ntype = \"zonefile\"\ndirectory = {}\n", toml::string(&directory))
}

fn header(of: &str) -> String {
    format!(
        "{}\n# Everything that is not named here stays foreign: it is shown and never touched.\n",
        toml::comment(&format!(
            "What mailzone understands of {of}. It describes what is there: `mailzone plan` changes nothing."
        ))
    )
}

/// The zone that a file is of: the owner of its SOA record, completed with the last `$ORIGIN` before it; else its
/// first `$ORIGIN`, else its name, `ORIGIN.zone`.
fn origin_of(octets: &[u8], path: &Path) -> Option<Name> {
    let text = String::from_utf8_lossy(octets);
    let mut origin: Option<Name> = None;
    let mut first: Option<Name> = None;
    let mut soa: Option<String> = None;
    for line in text.lines() {
        let line = line.split(';').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(word) = words.next() else { continue };
        if word.eq_ignore_ascii_case("$ORIGIN") {
            let name = words.next().and_then(|name| Name::parse_in(name, origin.as_ref()).ok());
            first = first.or_else(|| name.clone().filter(|name| !name.is_root()));
            origin = name;
        } else if !word.starts_with('$') {
            let owner = if line.starts_with([' ', '\t']) { "@" } else { word };
            let is_soa = line.split_whitespace().skip(usize::from(owner != "@" || word == "@")).take(3);
            if is_soa.into_iter().any(|word| word.eq_ignore_ascii_case("SOA")) {
                soa = Some(owner.to_owned());
                break;
            }
        }
    }
    let of_soa = soa.and_then(|owner| match owner.as_str() {
        "@" => origin.clone(),
        owner if owner.ends_with('.') => Name::parse(owner).ok(),
        owner => Name::parse_in(owner, Some(origin.as_ref()?)).ok(),
    });
    let named = || Name::parse(path.file_name()?.to_str()?.strip_suffix(".zone")?).ok();
    of_soa.or(first).or_else(named).filter(|name| !name.is_root())
}

fn names(texts: &[String], ui: &Ui) -> Result<Vec<Name>, Code> {
    let parse = |text: &String| match Name::parse_idn(text) {
        Ok(name) if !name.is_root() => Ok(name.to_lowercase()),
        Ok(_) => {
            ui.error("the root is no domain of yours", None);
            Err(Code::Error)
        }
        Err(error) => {
            ui.error(&format!("{text} is no domain name: {error}"), None);
            Err(Code::Error)
        }
    };
    texts.iter().map(parse).collect()
}

fn error(kind: &str, message: String, remedy: &str) -> ErrorDoc {
    ErrorDoc { kind: kind.into(), message, remedy: remedy.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_zone_a_file_is() {
        let origin = |text: &str| {
            origin_of(text.as_bytes(), Path::new("x/example.org.zone")).map(|name| name.to_text_without_dot())
        };
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(origin("$ORIGIN example.com.\n@ IN SOA a b 1 2 3 4 5\n"), some("example.com"));
        assert_eq!(origin("$ORIGIN com.\nexample 300 IN SOA a b ( 1 2 3 4 5 )\n"), some("example.com"));
        assert_eq!(origin("example.net. SOA a b 1 2 3 4 5\n"), some("example.net"));
        assert_eq!(origin("$TTL 300 ; $ORIGIN no.\n@ SOA a b 1 2 3 4 5\n"), some("example.org"));
        assert_eq!(origin("$ORIGIN example.com.\nwww A 192.0.2.1\n"), some("example.com"));
        assert_eq!(origin("\tSOA a b 1 2 3 4 5"), some("example.org"));
        assert_eq!(origin_of(b"@ SOA a b 1 2 3 4 5", Path::new("zone.txt")), None);
    }
}
