//! The one place that names concrete providers: settings into providers.

use std::collections::BTreeMap;
use std::sync::Arc;

use mailzone_config::{ProviderSettings, Settings};
use mailzone_engine::Providers;
use mailzone_provider::{Provider, ProviderId};
use mailzone_provider_zonefile::{Reload, ZoneFileProvider};

use crate::context::today;

/// Makes the configured providers. Contacts none of them.
pub(crate) fn providers(settings: &Settings) -> Providers {
    let mut providers: Providers = BTreeMap::new();
    for (name, table) in &settings.providers {
        let id = ProviderId::new(name.as_str());
        let provider: Arc<dyn Provider> = match &table.value {
            ProviderSettings::Zonefile(files) => {
                let provider = ZoneFileProvider::new(id, files.directory.clone(), Arc::new(today));
                match files.reload.as_ref().and_then(|command| Reload::new(command.value.clone())) {
                    Some(reload) => Arc::new(provider.with_reload(reload)),
                    None => Arc::new(provider),
                }
            }
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
        _ => "unknown",
    }
}
