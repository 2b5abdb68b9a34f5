//! The one place that names concrete providers: settings into providers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use mailzone_config::secret::Secrets;
use mailzone_config::{Care, Located, ProviderSettings, Rfc2136, Settings, Tsig, TsigAlgorithm, Zonefile};
use mailzone_engine::Providers;
use mailzone_mailauth::ptr::reverse_name;
use mailzone_provider::{Provider, ProviderError, ProviderErrorKind, ProviderId};
use mailzone_provider_rfc2136::Rfc2136Provider;
use mailzone_provider_zonefile::{Reload, ZoneFileProvider};
use mailzone_record::Name;
use mailzone_wire::TsigKey;

use crate::context::today;
use crate::lazy::Lazy;

/// The provider types of this version, sorted.
pub(crate) const TYPES: &[&str] = &["rfc2136", "zonefile"];

/// Makes the configured providers. Contacts none of them and reads no secret: that waits until one is asked.
pub(crate) fn providers(settings: &Settings) -> Providers {
    providers_for(settings, &[])
}

/// The same, for more names than are configured: services that do not list their zones are asked for these too.
pub(crate) fn providers_for(settings: &Settings, more: &[Name]) -> Providers {
    let mut providers: Providers = BTreeMap::new();
    let secrets = Arc::new(Secrets::default());
    for (name, table) in &settings.providers {
        let id = ProviderId::new(name.as_str());
        let provider: Arc<dyn Provider> = match &table.value {
            ProviderSettings::Zonefile(files) => zonefile(id, files),
            ProviderSettings::Rfc2136(server) => rfc2136(id, server, names(settings, name, more), &secrets),
            // `ProviderSettings` is open for later types; this version's configuration has no other.
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
    let outline = make(id.clone(), None, Vec::new());
    let secrets = Arc::clone(secrets);
    Arc::new(Lazy::new(outline, move || {
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

/// Names in the zones of this provider, since no RFC 2136 server lists its zones: the zones that are configured,
/// else the names of the domains, hosts and addresses themselves.
fn names(settings: &Settings, provider: &str, more: &[Name]) -> Vec<Name> {
    let is_here = |named: Option<&Located<String>>| named.is_some_and(|named| named.value == provider);
    let mut names: BTreeSet<Name> = more.iter().cloned().collect();
    let mut add = |zone: Option<&Located<Name>>, name: &Name| {
        names.insert(zone.map_or(name, |zone| &zone.value).clone());
    };
    for domain in settings.domains.values().filter(|domain| is_here(Some(&domain.provider))) {
        add(domain.zone.as_ref(), &domain.name);
    }
    for host in settings.hosts.values() {
        if is_here(host.provider.as_ref()) {
            add(host.zone.as_ref(), &host.name);
        }
        if host.ptr == Care::Manage && (host.ptr_provider.is_none() || is_here(host.ptr_provider.as_ref())) {
            let ipv4 = host.ipv4.iter().flat_map(|list| &list.value).copied().map(IpAddr::V4);
            let ipv6 = host.ipv6.iter().flat_map(|list| &list.value).copied().map(IpAddr::V6);
            for address in ipv4.chain(ipv6) {
                add(None, &reverse_name(address));
            }
        }
    }
    names.into_iter().collect()
}
