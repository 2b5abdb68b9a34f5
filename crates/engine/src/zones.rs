//! Which zone of which provider a name belongs to.
//!
//! A provider is asked for its list of zones once. Zones that the configuration names by identifier need no list:
//! where all of a provider's are, or its credentials may not list zones, each is asked for by itself, once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use mailzone_plan::document::ErrorDoc;
use mailzone_provider::{Provider, ProviderError, ProviderErrorKind, Zone, ZoneId};
use mailzone_record::Name;
use tokio::task::JoinSet;

/// The providers of a configuration by their names in it.
pub type Providers = BTreeMap<String, Arc<dyn Provider>>;

/// So long the providers may take to end what they hold open.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Ends what the providers hold open at their services (sessions), at the end of a run, however it ended. Those that
/// were never asked hold nothing open. Takes at most five seconds.
pub async fn close(providers: &Providers) {
    let mut tasks = JoinSet::new();
    for provider in providers.values() {
        let provider = Arc::clone(provider);
        tasks.spawn(async move { provider.close().await });
    }
    // What does not end in time ends by itself at the service.
    let _ = tokio::time::timeout(LAST_WORDS, tasks.join_all()).await;
}

/// What a provider is asked for to find its zones.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Whether to list all zones: some are not named by an identifier.
    pub listing: bool,
    /// Zones that are asked for by identifier, where they are not in a listing, with their configured names.
    pub ids: BTreeMap<ZoneId, Option<Name>>,
}

/// The zones that the providers hold, as far as they were asked for.
#[derive(Debug)]
pub struct ZoneTable {
    by_provider: BTreeMap<String, Listing>,
}

#[derive(Debug, Default)]
struct Listing {
    zones: Vec<Zone>,
    by_name: HashMap<Name, Vec<usize>>,
    by_id: HashMap<ZoneId, usize>,
    /// Why there is no listing.
    error: Option<ErrorDoc>,
    /// Zones that were asked for one by one and not given.
    failed: BTreeMap<ZoneId, ErrorDoc>,
}

impl ZoneTable {
    /// Asks these providers for their zones, all at a time. One that fails is remembered as failed. Where the
    /// credentials may not list zones, or a listing does not hold one, it is asked for by its identifier, once.
    pub async fn ask(providers: &Providers, asked: BTreeMap<String, Asked>) -> Self {
        let mut tasks = JoinSet::new();
        for (name, asked) in asked {
            if let Some(provider) = providers.get(&name) {
                let provider = Arc::clone(provider);
                tasks.spawn(async move { (name, Listing::ask(&provider, asked).await) });
            }
        }
        let mut by_provider = BTreeMap::new();
        while let Some(joined) = tasks.join_next().await {
            // A task that panicked or was cancelled leaves its provider out: `find` says so.
            let Ok((name, listing)) = joined else { continue };
            by_provider.insert(name, listing);
        }
        Self { by_provider }
    }

    /// The zone for `owner` at `provider`: the one with the identifier, the one named, else the longest that holds it.
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
        if let Some(id) = zone_id {
            return listing.with_id(provider, owner, zone, id);
        }
        let found: &[usize] = match zone {
            Some(zone) => listing.by_name.get(zone).map_or(&[], Vec::as_slice),
            None => listing.longest(owner),
        };
        let mut zones = found.iter().filter_map(|&at| listing.zones.get(at));
        match (zones.next(), zones.next(), &listing.error) {
            // Credentials that may not list zones know those that were asked for by identifier.
            (Some(zone), None, None) => Ok(zone),
            (Some(zone), None, Some(error)) if error.kind == PERMISSION => Ok(zone),
            (_, _, Some(error)) => Err(error.clone()),
            (Some(first), Some(second), None) => Err(error(
                "ambiguous_zone",
                format!(
                    "{provider} holds several zones {}: {}, {}",
                    first.name.to_text_without_dot(),
                    first.id,
                    second.id
                ),
                "name the one that is meant with zone_id",
            )),
            (None, _, None) => Err(listing.no_zone(provider, owner, zone)),
        }
    }

    /// Which providers could not be listed, as the end of a sentence; empty if all could.
    pub(crate) fn unasked(&self) -> String {
        let failed = self.by_provider.iter().filter(|(_, listing)| listing.error.is_some());
        let names: Vec<&str> = failed.map(|(name, _)| name.as_str()).collect();
        if names.is_empty() { String::new() } else { format!(" ({} could not be asked)", names.join(", ")) }
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
            format!("no configured provider holds a zone of {owner}{}", self.unasked()),
            "give the zone to a provider of the configuration",
        ))
    }
}

impl Listing {
    async fn ask(provider: &Arc<dyn Provider>, asked: Asked) -> Self {
        let mut listing = Self::default();
        if asked.listing {
            match provider.zones().await {
                Ok(zones) => zones.into_iter().for_each(|zone| listing.add(zone)),
                Err(error) => listing.error = Some(listing_error(&error)),
            }
        }
        if listing.error.as_ref().is_some_and(|error| error.kind != PERMISSION) {
            // What is down or knows no such credentials is not asked again for each zone.
            return listing;
        }
        let at_a_time = provider.capabilities().concurrency.max(1);
        let left: Vec<_> = asked.ids.into_iter().filter(|(id, _)| !listing.by_id.contains_key(id)).collect();
        let mut left = left.into_iter();
        let mut running = JoinSet::new();
        loop {
            while running.len() < at_a_time
                && let Some((id, name)) = left.next()
            {
                let provider = Arc::clone(provider);
                running.spawn(async move { (provider.zone_by_id(&id, name.as_ref()).await, id) });
            }
            match running.join_next().await {
                Some(Ok((Ok(zone), _))) => listing.add(zone),
                Some(Ok((Err(error), id))) => drop(listing.failed.insert(id, provider_error(&error))),
                Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Some(Err(_)) => {}
                None => return listing,
            }
        }
    }

    fn add(&mut self, zone: Zone) {
        self.by_id.insert(zone.id.clone(), self.zones.len());
        self.by_name.entry(zone.name.clone()).or_default().push(self.zones.len());
        self.zones.push(zone);
    }

    fn with_id(&self, provider: &str, owner: &Name, zone: Option<&Name>, id: &str) -> Result<&Zone, ErrorDoc> {
        let zone_id = ZoneId::new(id);
        if let Some(found) = self.by_id.get(&zone_id).and_then(|&at| self.zones.get(at)) {
            let wanted = zone.unwrap_or(owner);
            let fits = zone.map_or_else(|| owner.is_at_or_below(&found.name), |zone| *zone == found.name);
            return if fits { Ok(found) } else { Err(wrong_zone(provider, id, found, wanted)) };
        }
        let failed = self.failed.get(&zone_id).or(self.error.as_ref());
        Err(failed.cloned().unwrap_or_else(|| {
            let wanted = zone.unwrap_or(owner).to_text_without_dot();
            let message = format!("{provider} holds no zone {wanted} with the identifier {id}");
            error("no_zone", message, &self.remedy(provider))
        }))
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

    fn no_zone(&self, provider: &str, owner: &Name, zone: Option<&Name>) -> ErrorDoc {
        let wanted = zone.unwrap_or(owner).to_text_without_dot();
        let message = match zone {
            Some(_) => format!("{provider} holds no zone {wanted}"),
            None => format!("{provider} holds no zone for {wanted}"),
        };
        error("no_zone", message, &self.remedy(provider))
    }

    fn remedy(&self, provider: &str) -> String {
        let names: Vec<String> = self.zones.iter().take(3).map(|zone| zone.name.to_text_without_dot()).collect();
        match self.zones.len() {
            0 => format!("create the zone at {provider}, or name another provider"),
            count => format!(
                "create the zone, or name another provider; {provider} holds {count}: {}{}",
                names.join(", "),
                if count > 3 { ", …" } else { "" }
            ),
        }
    }
}

fn wrong_zone(provider: &str, id: &str, found: &Zone, wanted: &Name) -> ErrorDoc {
    let (name, wanted) = (found.name.to_text_without_dot(), wanted.to_text_without_dot());
    let message = format!("the zone {id} of {provider} is {name}, which is not the zone of {wanted}");
    error("no_zone", message, "correct zone_id, or leave it out to let mailzone look for the zone")
}

/// Why zones cannot be listed. One of credentials that may not is no obstacle to those that name their zones.
fn listing_error(error: &ProviderError) -> ErrorDoc {
    let mut doc = provider_error(error);
    if doc.kind == PERMISSION && !doc.remedy.contains("zone_id") {
        let join = if doc.remedy.is_empty() { "" } else { "; or " };
        doc.remedy.push_str(join);
        doc.remedy.push_str("name each zone with zone_id, which needs no list");
    }
    doc
}

/// The kind of an error of credentials that may not do what was asked.
const PERMISSION: &str = "permission";

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
