//! Which zone of which provider a name belongs to.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use mailzone_plan::document::ErrorDoc;
use mailzone_provider::{Provider, ProviderError, ProviderErrorKind, Zone};
use mailzone_record::Name;
use tokio::task::JoinSet;

/// The providers of a configuration by their names in it.
pub type Providers = BTreeMap<String, Arc<dyn Provider>>;

/// The zones that the providers hold, listed once.
#[derive(Debug)]
pub struct ZoneTable {
    by_provider: BTreeMap<String, Listing>,
}

#[derive(Debug)]
struct Listing {
    zones: Vec<Zone>,
    by_name: HashMap<Name, Vec<usize>>,
    error: Option<ErrorDoc>,
}

impl ZoneTable {
    /// Asks these providers for their zones, all at a time. One that fails is remembered as failed.
    pub async fn list(providers: &Providers, names: impl IntoIterator<Item = &String>) -> Self {
        let mut tasks = JoinSet::new();
        for name in names {
            if let Some(provider) = providers.get(name) {
                let (name, provider) = (name.clone(), Arc::clone(provider));
                tasks.spawn(async move { (name, provider.zones().await) });
            }
        }
        let mut by_provider = BTreeMap::new();
        while let Some(joined) = tasks.join_next().await {
            // A task that panicked or was cancelled leaves its provider out: `find` says so.
            let Ok((name, zones)) = joined else { continue };
            by_provider.insert(name, Listing::new(zones));
        }
        Self { by_provider }
    }

    /// The zone for `owner` at `provider`: the one named, else the longest that holds it.
    pub fn find(
        &self,
        provider: &str,
        owner: &Name,
        zone: Option<&Name>,
        zone_id: Option<&str>,
    ) -> Result<&Zone, ErrorDoc> {
        let Some(listing) = self.by_provider.get(provider) else {
            return Err(error(
                "configuration",
                format!("the provider {provider} could not be asked"),
                "see the messages before",
            ));
        };
        if let Some(error) = &listing.error {
            return Err(error.clone());
        }
        let found: &[usize] = match zone {
            Some(zone) => listing.by_name.get(zone).map_or(&[], Vec::as_slice),
            None => listing.longest(owner),
        };
        let mut zones =
            found.iter().map(|&at| &listing.zones[at]).filter(|zone| zone_id.is_none_or(|id| zone.id.as_str() == id));
        match (zones.next(), zones.next()) {
            (Some(zone), None) => Ok(zone),
            (Some(first), Some(second)) => Err(error(
                "ambiguous_zone",
                format!(
                    "{provider} holds several zones {}: {}, {}",
                    first.name.to_text_without_dot(),
                    first.id,
                    second.id
                ),
                "name the one that is meant with zone_id",
            )),
            (None, _) => Err(listing.no_zone(provider, owner, zone, zone_id)),
        }
    }

    /// The first provider, by name, that holds a zone of `owner`.
    pub fn find_anywhere(&self, owner: &Name) -> Result<(&str, &Zone), ErrorDoc> {
        for name in self.by_provider.keys() {
            if let Ok(zone) = self.find(name, owner, None, None) {
                return Ok((name, zone));
            }
        }
        Err(error(
            "no_zone",
            format!("no configured provider holds a zone of {owner}"),
            "give the reverse zone to a provider of the configuration, or set ptr = \"check\" and ask the hoster of the address",
        ))
    }
}

impl Listing {
    fn new(listed: Result<Vec<Zone>, ProviderError>) -> Self {
        match listed {
            Ok(zones) => {
                let mut by_name: HashMap<Name, Vec<usize>> = HashMap::new();
                for (at, zone) in zones.iter().enumerate() {
                    by_name.entry(zone.name.clone()).or_default().push(at);
                }
                Self { zones, by_name, error: None }
            }
            Err(error) => Self { zones: Vec::new(), by_name: HashMap::new(), error: Some(provider_error(&error)) },
        }
    }

    fn longest(&self, owner: &Name) -> &[usize] {
        let mut name = Some(owner.clone());
        while let Some(candidate) = name {
            if let Some(found) = self.by_name.get(&candidate) {
                return found;
            }
            name = candidate.parent();
        }
        &[]
    }

    fn no_zone(&self, provider: &str, owner: &Name, zone: Option<&Name>, zone_id: Option<&str>) -> ErrorDoc {
        let wanted = zone.unwrap_or(owner).to_text_without_dot();
        let message = match zone_id {
            Some(id) => format!("{provider} holds no zone {wanted} with the identifier {id}"),
            None if zone.is_some() => format!("{provider} holds no zone {wanted}"),
            None => format!("{provider} holds no zone for {wanted}"),
        };
        let names: Vec<String> = self.zones.iter().take(3).map(|zone| zone.name.to_text_without_dot()).collect();
        let remedy = match self.zones.len() {
            0 => format!("create the zone at {provider}, or name another provider"),
            count => format!(
                "create the zone, or name another provider; {provider} holds {count}: {}{}",
                names.join(", "),
                if count > 3 { ", …" } else { "" }
            ),
        };
        error("no_zone", message, &remedy)
    }
}

/// A provider's error as a zone's.
pub fn provider_error(error: &ProviderError) -> ErrorDoc {
    let mut message = error.to_string();
    // What does not parse is told in full already; its cause is a summary of the same.
    let told = matches!(error.kind, ProviderErrorKind::Protocol(_));
    let mut source = std::error::Error::source(error).filter(|_| !told);
    while let Some(cause) = source {
        let text = cause.to_string();
        // Some errors tell their cause themselves.
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        source = cause.source();
    }
    ErrorDoc { kind: error.kind.as_str().into(), message, remedy: error.remedy.clone() }
}

fn error(kind: &str, message: String, remedy: &str) -> ErrorDoc {
    ErrorDoc { kind: kind.into(), message, remedy: remedy.into() }
}
