//! The one place that names concrete providers: settings into providers.

mod budgets;
mod credentials;
mod limits;
mod services;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use mailzone_config::secret::Secrets;
use mailzone_config::{
    Care, Diagnostic, Host, Located, ProviderSettings, Rfc2136, Settings, Tsig, TsigAlgorithm, Zonefile,
};
use mailzone_engine::Providers;
use mailzone_mailauth::ptr::reverse_name;
use mailzone_provider::{Provider, ProviderError, ProviderErrorKind, ProviderId};
use mailzone_provider_rfc2136::Rfc2136Provider;
use mailzone_provider_zonefile::{Reload, ZoneFileProvider};
use mailzone_record::Name;
use mailzone_wire::TsigKey;

use self::budgets::Budgets;
use self::credentials::Wallet;
use self::services::Context;
use crate::context::today;
use crate::lazy::Lazy;

pub(crate) use self::credentials::{Origin, origins};
pub(crate) use self::limits::pace;

/// The provider types of this binary, sorted.
pub(crate) const TYPES: &[&str] = &[
    "cloudflare",
    "ionos",
    "ionos-cloud",
    "netcup",
    "rfc2136",
    #[cfg(feature = "route53")]
    "route53",
    "zonefile",
];

/// The features that it was built with, sorted.
pub(crate) const FEATURES: &[&str] = &[
    #[cfg(feature = "crash-points")]
    "crash-points",
    #[cfg(feature = "route53")]
    "route53",
];

/// Providers whose type this binary was built without.
pub(crate) fn left_out(settings: &Settings) -> Vec<Diagnostic> {
    let tables = settings.providers.iter().filter(|(_, table)| !TYPES.contains(&type_of(&table.value)));
    let error = |(name, table): (&String, &Located<ProviderSettings>)| {
        let kind = type_of(&table.value);
        let diagnostic = Diagnostic::error(format!("the provider {name}: this binary was built without {kind}"));
        diagnostic
            .at(table.place.clone())
            .help(format!("take one that `mailzone version` lists {kind} for, or build it with --features {kind}"))
    };
    tables.map(error).collect()
}

/// Makes the configured providers. Contacts none of them and reads no secret: that waits until one is asked.
pub(crate) fn providers(settings: &Settings) -> Providers {
    providers_for(settings, &[])
}

/// The same, for more names than are configured: services that do not list their zones are asked for these too.
pub(crate) fn providers_for(settings: &Settings, more: &[Name]) -> Providers {
    let mut providers: Providers = BTreeMap::new();
    let secrets = Arc::new(Secrets::default());
    let budgets = Arc::new(Budgets::default());
    for (name, table) in &settings.providers {
        let id = ProviderId::new(name.as_str());
        let wallet = Wallet { provider: id.clone(), place: table.place.clone(), secrets: Arc::clone(&secrets) };
        let context = Context { id: id.clone(), wallet, budgets: Arc::clone(&budgets) };
        let provider: Arc<dyn Provider> = match &table.value {
            ProviderSettings::Zonefile(files) => zonefile(id, files),
            ProviderSettings::Rfc2136(server) => rfc2136(id, server, names(settings, name, more), &secrets),
            ProviderSettings::Cloudflare(table) => services::cloudflare(context, table),
            ProviderSettings::Netcup(table) => {
                services::netcup(context, table, names(settings, name, more), addresses(settings, name))
            }
            ProviderSettings::Ionos(table) => services::ionos(context, table),
            ProviderSettings::IonosCloud(table) => services::ionos_cloud(context, table, pointers(settings, name)),
            #[cfg(feature = "route53")]
            ProviderSettings::Route53(table) => services::route53(context, table),
            // `ProviderSettings` is open for later types; `left_out` refuses those of this version.
            _ => continue,
        };
        providers.insert(name.clone(), provider);
    }
    providers
}

/// What a provider's `type` is called on the screen.
pub(crate) fn type_of(settings: &ProviderSettings) -> &'static str {
    match settings {
        ProviderSettings::Zonefile(_) => "zonefile",
        ProviderSettings::Rfc2136(_) => "rfc2136",
        ProviderSettings::Route53(_) => "route53",
        ProviderSettings::Cloudflare(_) => "cloudflare",
        ProviderSettings::Netcup(_) => "netcup",
        ProviderSettings::Ionos(_) => "ionos",
        ProviderSettings::IonosCloud(_) => "ionos-cloud",
        _ => "unknown",
    }
}

fn zonefile(id: ProviderId, files: &Zonefile) -> Arc<dyn Provider> {
    let provider = ZoneFileProvider::new(id, files.directory.clone(), Arc::new(today));
    match files.reload.as_ref().and_then(|command| Reload::new(command.value.clone())) {
        Some(reload) => Arc::new(provider.with_reload(reload)),
        None => Arc::new(provider),
    }
}

fn rfc2136(id: ProviderId, server: &Rfc2136, names: Vec<Name>, secrets: &Arc<Secrets>) -> Arc<dyn Provider> {
    let (address, timeout, concurrency) = (server.server, server.timeout, server.max_concurrency);
    let make = move |id: ProviderId, key: Option<TsigKey>, names: Vec<Name>| -> Arc<dyn Provider> {
        let mut provider = Rfc2136Provider::new(id, address, key, names);
        if let Some(timeout) = timeout {
            provider = provider.with_timeout(timeout);
        }
        if let Some(concurrency) = concurrency {
            provider = provider.with_concurrency(concurrency);
        }
        Arc::new(provider)
    };
    let Some(tsig) = server.tsig.clone() else { return make(id, None, names) };
    let secrets = Arc::clone(secrets);
    Arc::new(Lazy::new(id.clone(), concurrency.unwrap_or(1), move || {
        let key = tsig_key(&id, &tsig, &secrets)?;
        Ok(make(id.clone(), Some(key), names.clone()))
    }))
}

/// The key with its secret, which is read now.
fn tsig_key(provider: &ProviderId, tsig: &Tsig, secrets: &Secrets) -> Result<TsigKey, ProviderError> {
    let failed = |what: String, remedy: &str| {
        let operation = format!("reading the TSIG key of {provider} ({})", tsig.secret.place);
        ProviderError::new(operation, ProviderErrorKind::Credentials(what), remedy)
    };
    let reference = &tsig.secret.value;
    let secret = secrets
        .get(reference, &|name| std::env::var_os(name))
        .map_err(|error| failed(error.to_string(), error.remedy()))?;
    let algorithm = match tsig.algorithm {
        TsigAlgorithm::HmacSha256 => mailzone_wire::TsigAlgorithm::HmacSha256,
        TsigAlgorithm::HmacSha384 => mailzone_wire::TsigAlgorithm::HmacSha384,
        TsigAlgorithm::HmacSha512 => mailzone_wire::TsigAlgorithm::HmacSha512,
    };
    TsigKey::new(tsig.name.clone(), algorithm, secret.wrapped()).map_err(|error| {
        let remedy = "give the secret alone, in base64, as the server's configuration has it";
        failed(format!("what {reference} holds cannot be used: {error}"), remedy)
    })
}

/// Names in the zones of this provider, for services that do not list their zones: the zones that are configured,
/// else the names of the domains, hosts and addresses themselves.
fn names(settings: &Settings, provider: &str, more: &[Name]) -> Vec<Name> {
    let mut names: BTreeSet<Name> = more.iter().cloned().collect();
    let mut add = |zone: Option<&Located<Name>>, name: &Name| {
        names.insert(zone.map_or(name, |zone| &zone.value).clone());
    };
    for domain in settings.domains.values().filter(|domain| domain.provider.value == provider) {
        add(domain.zone.as_ref(), &domain.name);
    }
    for host in settings.hosts.values() {
        if is(host.provider.as_ref(), provider) {
            add(host.zone.as_ref(), &host.name);
        }
    }
    for address in addresses(settings, provider) {
        add(None, &reverse_name(address));
    }
    names.into_iter().collect()
}

/// The addresses whose PTR is managed, and may be at this provider.
fn addresses(settings: &Settings, provider: &str) -> Vec<IpAddr> {
    let (assigned, candidates) = pointers(settings, provider);
    assigned.into_iter().chain(candidates).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The addresses whose PTR the configuration gives to this provider, and those that it gives to nobody.
fn pointers(settings: &Settings, provider: &str) -> (Vec<IpAddr>, Vec<IpAddr>) {
    let managed = || settings.hosts.values().filter(|host| host.ptr == Care::Manage);
    let of_host = |host: &Host| {
        let ipv4 = host.ipv4.iter().flat_map(|list| &list.value).copied().map(IpAddr::V4);
        let ipv6 = host.ipv6.iter().flat_map(|list| &list.value).copied().map(IpAddr::V6);
        ipv4.chain(ipv6).collect::<Vec<_>>()
    };
    let assigned = managed().filter(|host| is(host.ptr_provider.as_ref(), provider)).flat_map(of_host);
    let candidates = managed().filter(|host| host.ptr_provider.is_none()).flat_map(of_host);
    (assigned.collect(), candidates.collect())
}

fn is(named: Option<&Located<String>>, provider: &str) -> bool {
    named.is_some_and(|named| named.value == provider)
}
