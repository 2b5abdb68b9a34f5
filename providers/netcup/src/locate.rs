//! On which back end a zone is. Neither lists its zones, so the configured names are asked for: each name at most once,
//! from the longest to two labels, and none below a zone that was found already.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use mailzone_provider::{ProviderError, ProviderErrorKind};
use mailzone_record::Name;
use tokio::task::JoinSet;

use crate::ccp::Ccp;
use crate::clouddns::{CloudDns, Domain};

/// Where a zone is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Ccp,
    /// With its identifier.
    CloudDns(Box<str>),
}

/// What was found of the configured names.
#[derive(Debug, Default)]
pub(crate) struct Located {
    /// The zones, by name.
    pub(crate) zones: BTreeMap<Name, Place>,
    /// Names without a zone, and why.
    pub(crate) lost: BTreeMap<Name, ProviderError>,
}

/// The back ends of one account, and which of them does not answer.
pub(crate) struct Search<'a> {
    ccp: Option<&'a Ccp>,
    clouddns: Option<&'a Arc<CloudDns>>,
    concurrency: usize,
    /// The first error of each that was not about one name: it is asked nothing more.
    ccp_down: Option<ProviderError>,
    clouddns_down: Option<ProviderError>,
    /// The domain is the customer's, its zone is on the older back end.
    elsewhere: BTreeSet<Name>,
    /// What could not be asked for, there and here.
    ccp_silent: BTreeSet<Name>,
    clouddns_silent: BTreeSet<Name>,
    asked: HashMap<Name, Option<Place>>,
}

impl<'a> Search<'a> {
    pub(crate) fn new(ccp: Option<&'a Ccp>, clouddns: Option<&'a Arc<CloudDns>>, concurrency: usize) -> Self {
        Self {
            ccp,
            clouddns,
            concurrency: concurrency.max(1),
            ccp_down: None,
            clouddns_down: None,
            elsewhere: BTreeSet::new(),
            ccp_silent: BTreeSet::new(),
            clouddns_silent: BTreeSet::new(),
            asked: HashMap::new(),
        }
    }

    /// Looks for the zones of all `names`.
    pub(crate) async fn run(mut self, names: &[Name]) -> Located {
        let mut located = Located::default();
        let mut by_length: BTreeMap<usize, BTreeSet<Name>> = BTreeMap::new();
        for name in names.iter().filter(|name| !is_arpa(name)) {
            by_length.entry(name.label_count()).or_default().insert(name.to_lowercase());
        }
        for names in by_length.into_values() {
            // Each name with the candidate that it has come to.
            let mut open: Vec<(Name, Name)> = names.into_iter().map(|name| (name.clone(), name)).collect();
            loop {
                open.retain(|(name, _)| !is_covered(name, &located.zones));
                if open.is_empty() {
                    break;
                }
                let candidates: BTreeSet<Name> =
                    open.iter().map(|(_, at)| at).filter(|at| !self.asked.contains_key(*at)).cloned().collect();
                self.ask(candidates).await;
                for (_, at) in &open {
                    if let Some(Some(place)) = self.asked.get(at) {
                        located.zones.insert(at.clone(), place.clone());
                    }
                }
                let mut next = Vec::new();
                for (name, at) in open {
                    match at.parent().filter(|parent| parent.label_count() >= 2) {
                        Some(parent) => next.push((name, parent)),
                        None if !is_covered(&name, &located.zones) => {
                            let error = self.why_lost(&name);
                            located.lost.insert(name, error);
                        }
                        None => {}
                    }
                }
                open = next;
            }
        }
        located
    }

    /// Asks the back ends for these names: CloudDNS for several at a time, then CCP for one after the other.
    async fn ask(&mut self, names: BTreeSet<Name>) {
        let mut rest = Vec::new();
        let mut queue = names.into_iter();
        match self.clouddns.filter(|_| self.clouddns_down.is_none()) {
            None => {
                rest.extend(queue);
                if self.clouddns_down.is_some() {
                    self.clouddns_silent.extend(rest.iter().cloned());
                }
            }
            Some(clouddns) => {
                // The first alone: if the key is wrong, it is said once.
                let mut window = 1;
                let mut tasks = JoinSet::new();
                loop {
                    while tasks.len() < window && self.clouddns_down.is_none() {
                        let Some(name) = queue.next() else { break };
                        let clouddns = Arc::clone(clouddns);
                        tasks.spawn(async move { (clouddns.find(&name).await, name) });
                    }
                    let Some(joined) = tasks.join_next().await else { break };
                    window = self.concurrency;
                    // A task that was cancelled belongs to a run that ends.
                    let Ok((found, name)) = joined else { continue };
                    match found {
                        Ok(Domain::Here(id)) => {
                            self.asked.insert(name, Some(Place::CloudDns(id.into())));
                        }
                        Ok(Domain::Elsewhere) => {
                            self.elsewhere.insert(name.clone());
                            rest.push(name);
                        }
                        Ok(Domain::Unknown) => rest.push(name),
                        Err(error) => {
                            self.clouddns_down.get_or_insert(error);
                            self.clouddns_silent.insert(name.clone());
                            rest.push(name);
                        }
                    }
                }
                for name in queue {
                    self.clouddns_silent.insert(name.clone());
                    rest.push(name);
                }
            }
        }
        rest.sort();
        for name in rest {
            let found = match self.ccp.filter(|_| self.ccp_down.is_none()) {
                Some(ccp) => ccp.find(&name).await,
                None => Ok(None),
            };
            let place = found.unwrap_or_else(|error| {
                self.ccp_down = Some(error);
                None
            });
            if self.ccp_down.is_some() {
                self.ccp_silent.insert(name.clone());
            }
            self.asked.insert(name, place.map(|_| Place::Ccp));
        }
    }

    fn why_lost(&self, name: &Name) -> ProviderError {
        let doing = format!("looking for the zone of {}", name.to_text_without_dot());
        let holds = |names: &BTreeSet<Name>| names.iter().any(|at| name.is_at_or_below(at));
        let silent = self.clouddns_down.as_ref().filter(|_| holds(&self.clouddns_silent));
        if let Some(error) = silent.or_else(|| self.ccp_down.as_ref().filter(|_| holds(&self.ccp_silent))) {
            return ProviderError {
                retry: error.retry,
                ..ProviderError::new(doing, error.kind.clone(), error.remedy.clone())
            };
        }
        let elsewhere = holds(&self.elsewhere);
        let (text, remedy) = match (self.ccp, self.clouddns) {
            (Some(_), None) => (
                "netcup's CCP API holds no zone of this name; it may be on netcup's newer back end, CloudDNS, where new \
                 domains are",
                "add rest_api_key (customer control panel, Master Data > API > API Keys), or check the domain",
            ),
            (None, Some(_)) if elsewhere => (
                "the domain is this account's, and its zone is on netcup's older back end (CCP), if netcup serves it at \
                 all",
                "add customer_number, api_key and api_password (Master Data > API > Legacy API Keys)",
            ),
            (None, Some(_)) => (
                "netcup's CloudDNS holds no zone of this name; it may be on netcup's older back end (CCP)",
                "add customer_number, api_key and api_password (Master Data > API > Legacy API Keys), or check the domain",
            ),
            (Some(_), Some(_)) if elsewhere => (
                "the domain is this account's at netcup, and neither back end (CloudDNS, CCP) holds its zone",
                "the domain may use other name servers, or api_key is another account's than rest_api_key",
            ),
            _ => (
                "neither of netcup's back ends (CloudDNS, CCP) holds a zone of this name",
                "check the domain, and that the credentials are those of its account",
            ),
        };
        ProviderError::new(doing, ProviderErrorKind::NoZone(text.into()), remedy)
    }
}

/// The zone of `zones` that holds the name.
pub(crate) fn holder<'z>(name: &Name, zones: &'z BTreeMap<Name, Place>) -> Option<(&'z Name, &'z Place)> {
    let mut at = Some(name.clone());
    while let Some(candidate) = at {
        if let Some(found) = zones.get_key_value(&candidate) {
            return Some(found);
        }
        at = candidate.parent();
    }
    None
}

fn is_covered(name: &Name, zones: &BTreeMap<Name, Place>) -> bool {
    holder(name, zones).is_some()
}

fn is_arpa(name: &Name) -> bool {
    name.labels().filter(|label| !label.is_empty()).last().is_some_and(|label| label.eq_ignore_ascii_case(b"arpa"))
}
