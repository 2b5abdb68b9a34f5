//! Whom to ask for a zone, and whether what it shall hold is visible there (`design.md` section 10).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mailzone_mailauth::{Finding, Severity};
use mailzone_plan::Target;
use mailzone_probe::{
    Before, Delegations, Endpoint, Expected, Match, Observation, Patience, Polite, ResolverObservation, Server, State,
    Visible, Wire, check_resolvers, compare, endpoints, given_servers, wait_until_settled, wait_until_visible,
};
use mailzone_record::{Name, Rdata};

use crate::cancel::Cancel;
use crate::event::{Event, Events};

/// What to wait for after the last write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wait {
    /// Every authoritative server.
    #[default]
    Authoritative,
    /// And every resolver.
    Resolvers,
    /// Nothing.
    None,
}

/// Resolvers keep nothing longer than a week (RFC 8767 section 4).
const LONGEST_TTL: Duration = Duration::from_secs(7 * 86_400);

/// Asks the DNS for a run: one set of limits, one memory of delegations.
#[derive(Debug, Clone)]
pub struct Verifier {
    ask: Polite<Wire>,
    delegations: Delegations<Polite<Wire>>,
    resolvers: Arc<[SocketAddr]>,
    resolvers_named: bool,
    port: u16,
}

/// A name server that the provider assigned to a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// Its name.
    pub name: Name,
    /// Its addresses as the zone itself has them; empty for a server outside of the zone.
    pub addresses: Vec<IpAddr>,
}

/// The servers of a zone.
#[derive(Debug, Clone)]
pub struct Whom {
    /// The zone as the DNS has it.
    pub zone: Name,
    /// Every address of every server.
    pub endpoints: Vec<Endpoint>,
    /// Those that were lame or unreachable before the first write.
    pub down: HashSet<SocketAddr>,
    /// Whether the parent sends the world to these servers.
    pub live: Live,
    /// Whether resolvers may be asked: they see the zone the same way.
    pub ask_resolvers: bool,
    /// What is wrong with the delegation.
    pub findings: Vec<Finding>,
}

/// Whether the parent sends the world to the servers that are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Live {
    /// It does, or they were given and the parent was not asked.
    Yes,
    /// It names other servers, or none: the sentence says which.
    No(String),
    /// The way down to the zone could not be walked.
    Unknown(String),
}

/// What to verify in one zone.
#[derive(Debug, Clone)]
pub struct Question {
    /// What shall be there.
    pub targets: Vec<(Target, Before)>,
    /// What to wait for.
    pub wait: Wait,
    /// How long.
    pub deadline: Duration,
}

/// What was seen of one zone.
#[derive(Debug)]
pub struct ZoneVerification {
    /// The zone.
    pub zone: Name,
    /// Whether the parent sends the world here.
    pub live: Live,
    /// The targets, in the order in which they were given.
    pub targets: Vec<Target>,
    /// Each address and target.
    pub servers: Vec<Observation>,
    /// Each resolver and target.
    pub resolvers: Vec<ResolverObservation>,
    /// What is wrong with the delegation or with single servers.
    pub findings: Vec<Finding>,
    /// Addresses that were lame or unreachable before the first write.
    pub down: HashSet<SocketAddr>,
    /// The targets that every reachable server gives.
    pub visible: Option<Visible>,
}

/// What can be said of a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Every reachable server gives it.
    Verified,
    /// Nobody could be asked.
    Unchecked,
    /// Some server does not.
    Incomplete,
    /// The parent names other servers.
    NotLive,
}

impl Verifier {
    /// Asks with this time limit; `roots` empty for the real ones. `resolvers` are asked where that is
    /// right; `named` says that the configuration names them.
    pub fn new(timeout: Duration, roots: &[SocketAddr], port: u16, resolvers: Vec<SocketAddr>, named: bool) -> Self {
        let ask = Polite::new(Wire { timeout }, 8, 256);
        let roots = if roots.is_empty() { mailzone_probe::root_servers(port) } else { roots.to_vec() };
        let delegations = Delegations::new(ask.clone(), roots, port);
        Self { ask, delegations, resolvers: resolvers.into(), resolvers_named: named, port }
    }

    /// How questions are asked.
    pub fn ask(&self) -> &Polite<Wire> {
        &self.ask
    }

    /// The resolvers.
    pub fn resolvers(&self) -> &[SocketAddr] {
        &self.resolvers
    }

    /// Finds the servers of a zone: those given, else those of the delegation, compared with the ones
    /// that the provider assigned (empty: not known).
    pub async fn whom(&self, zone: &Name, given: &[SocketAddr], assigned: &[Assigned]) -> Whom {
        let assigned_names: Vec<Name> = assigned.iter().map(|server| server.name.clone()).collect();
        if !given.is_empty() {
            let delegation = given_servers(&self.ask, zone, given).await;
            return Whom {
                zone: delegation.zone_cut.clone(),
                endpoints: delegation.endpoints(),
                down: delegation.down(),
                live: Live::Yes,
                ask_resolvers: self.resolvers_named,
                findings: Vec::new(),
            };
        }
        let delegation = match self.delegations.find(zone).await {
            Ok(delegation) => delegation,
            Err(error) => {
                return Whom {
                    zone: zone.clone(),
                    endpoints: Vec::new(),
                    down: HashSet::new(),
                    live: Live::Unknown(format!("the servers of {zone} could not be found: {error}")),
                    ask_resolvers: false,
                    findings: Vec::new(),
                };
            }
        };
        if !delegation.is_delegated() && assigned.is_empty() {
            // The domain is a name inside a larger zone: that zone's servers answer for it.
            if delegation.zone_cut != *zone && !delegation.zone_cut.is_root() {
                return Box::pin(self.whom(&delegation.zone_cut.clone(), given, assigned)).await;
            }
        }
        let (parent, own) = (list(&delegation.parent_ns), list(&assigned_names));
        match compare(&delegation.parent_ns, &assigned_names) {
            Match::Different => {
                let servers = self.assigned_servers(assigned).await;
                let sentence = if delegation.parent_ns.is_empty() {
                    format!("served by {own}, but the parent delegates {zone} to nobody")
                } else {
                    format!("served by {own}, but the parent names {parent}")
                };
                let endpoints = endpoints(&servers);
                let addresses: Vec<SocketAddr> = endpoints.iter().map(|endpoint| endpoint.address).collect();
                Whom {
                    zone: zone.clone(),
                    endpoints,
                    down: given_servers(&self.ask, zone, &addresses).await.down(),
                    live: Live::No(sentence.clone()),
                    ask_resolvers: false,
                    findings: vec![not_live(zone, sentence)],
                }
            }
            Match::Some { only_parent, only_assigned } => {
                let own: Vec<Assigned> =
                    assigned.iter().filter(|server| only_assigned.contains(&server.name)).cloned().collect();
                let servers = self.assigned_servers(&own).await;
                let mut all = delegation.endpoints();
                all.extend(endpoints(&servers));
                all.dedup();
                let sentence = format!(
                    "the parent alone names {}, the provider alone {}",
                    list(&only_parent),
                    list(&only_assigned)
                );
                let finding = Finding::new(
                    "DELEG-01",
                    Severity::Warning,
                    zone.to_string(),
                    format!("the delegation of {zone} and the provider's servers differ: {sentence}"),
                    "make the delegation at the registrar the same as the provider's list",
                    "RFC 1034 section 4.2.2",
                );
                let down = delegation.down();
                let zone = zone.clone();
                Whom { zone, endpoints: all, down, live: Live::Yes, ask_resolvers: true, findings: vec![finding] }
            }
            Match::Same | Match::Unknown => Whom {
                zone: delegation.zone_cut.clone(),
                endpoints: delegation.endpoints(),
                down: delegation.down(),
                live: if delegation.endpoints().is_empty() {
                    Live::Unknown(format!("no name server of {zone} was found"))
                } else {
                    Live::Yes
                },
                ask_resolvers: true,
                findings: Vec::new(),
            },
        }
    }

    /// The provider's servers with their addresses. For a name inside the zone it is the zone that is not live
    /// yet which knows them: the DNS would still ask the old servers.
    async fn assigned_servers(&self, assigned: &[Assigned]) -> Vec<Server> {
        let unknown: Vec<Name> =
            assigned.iter().filter(|server| server.addresses.is_empty()).map(|server| server.name.clone()).collect();
        let (mut servers, _) = self.delegations.servers(&unknown).await;
        for server in assigned.iter().filter(|server| !server.addresses.is_empty()) {
            let addresses = server.addresses.iter().map(|&address| SocketAddr::new(address, self.port)).collect();
            servers.push(Server { name: Some(server.name.clone()), addresses });
        }
        servers
    }

    /// Asks until everything is visible at every reachable server, or the time is over; then the
    /// resolvers, about what is visible.
    pub async fn verify(&self, whom: &Whom, question: Question, events: &Events, cancel: &Cancel) -> ZoneVerification {
        let targets: Vec<mailzone_probe::Target> =
            question.targets.iter().map(|(target, before)| probe_target(&whom.zone, target, *before)).collect();
        let patience = match question.wait {
            Wait::None => Patience { deadline: Duration::ZERO, ..Patience::default() },
            _ => Patience { deadline: question.deadline, ..Patience::default() },
        };
        let (zone, sink) = (whom.zone.clone(), events.clone());
        let outcome = wait_until_visible(
            &self.ask,
            &whom.endpoints,
            &targets,
            &whom.down,
            patience,
            move |progress| {
                sink.send(Event::Waiting { zone: zone.clone(), pending: progress.pending, elapsed: progress.elapsed });
            },
            cancel.cancelled(),
        )
        .await;
        let resolvers = if whom.ask_resolvers && !self.resolvers.is_empty() && !cancel.is_cancelled() {
            match question.wait {
                Wait::None => Vec::new(),
                Wait::Authoritative => check_resolvers(&self.ask, &self.resolvers, &outcome.visible).await,
                Wait::Resolvers => {
                    wait_until_settled(
                        &self.ask,
                        &self.resolvers,
                        &outcome.visible,
                        LONGEST_TTL,
                        |_| {},
                        cancel.cancelled(),
                    )
                    .await
                }
            }
        } else {
            Vec::new()
        };
        ZoneVerification {
            zone: whom.zone.clone(),
            live: whom.live.clone(),
            targets: question.targets.into_iter().map(|(target, _)| target).collect(),
            servers: outcome.observations,
            resolvers,
            findings: whom.findings.clone(),
            down: whom.down.clone(),
            visible: Some(outcome.visible),
        }
    }

    /// Whether each target is visible at every reachable server, asked until the deadline; `None` if there is
    /// nobody to ask.
    pub(crate) async fn visible(
        &self,
        whom: &Whom,
        targets: &[Target],
        deadline: Duration,
        events: &Events,
        cancel: &Cancel,
    ) -> Option<ZoneVerification> {
        if whom.endpoints.is_empty() || targets.is_empty() {
            return None;
        }
        let question = Question {
            targets: targets.iter().map(|target| (target.clone(), Before::Unknown)).collect(),
            wait: Wait::Authoritative,
            deadline,
        };
        let quiet = Self { resolvers: Arc::from([]), ..self.clone() };
        Some(quiet.verify(whom, question, events, cancel).await)
    }
}

impl ZoneVerification {
    /// The domains that the targets belong to, with what can be said of each.
    pub fn domains(&self) -> BTreeMap<Name, Verdict> {
        let mut domains: BTreeMap<Name, Verdict> = BTreeMap::new();
        for (at, target) in self.targets.iter().enumerate() {
            let verdict = self.verdict_of(at);
            let names: BTreeSet<&Name> = target.claims.iter().map(|claim| &claim.domain).collect();
            for name in names {
                let entry = domains.entry(name.clone()).or_insert(verdict);
                *entry = (*entry).max(verdict);
            }
        }
        domains
    }

    /// The worst of all domains.
    pub fn verdict(&self) -> Verdict {
        self.domains().into_values().max().unwrap_or(Verdict::Unchecked)
    }

    /// Whether the servers that were asked give everything that is for `domain`, wherever the parent sends
    /// the world: what counts while a domain is on the move (`delegated = false`).
    pub fn is_served(&self, domain: Option<&Name>) -> bool {
        let ours =
            |target: &Target| domain.is_none_or(|domain| target.claims.iter().any(|claim| claim.domain == *domain));
        let targets = self.targets.iter().enumerate().filter(|(_, target)| ours(target));
        targets.map(|(at, _)| self.state_of(at)).all(|verdict| verdict == Verdict::Verified)
    }

    /// Whether every reachable server gives the target.
    pub(crate) fn is_visible(&self, target: usize) -> bool {
        self.visible.as_ref().is_some_and(|visible| visible.contains(target))
    }

    /// What the servers say that keep a target from being visible everywhere, as the end of a sentence.
    pub(crate) fn laggards(&self, target: usize) -> String {
        let mut said: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for seen in self.servers.iter().filter(|seen| seen.target == target && seen.state != State::Current) {
            let words = match seen.state {
                State::Stale | State::Missing => "answers with the old data",
                _ if self.is_excused(seen) => continue,
                State::Lame => "gives no authoritative answer",
                _ => "does not answer",
            };
            let address = seen.endpoint.address;
            let server = match &seen.endpoint.server {
                Some(name) => format!("{} ({address})", name.to_lowercase()),
                None => address.to_string(),
            };
            said.entry(words).or_default().push(server);
        }
        let some = |servers: &[String]| match servers.len() {
            0..=3 => servers.join(", "),
            more => format!("{} and {} more", servers.iter().take(3).cloned().collect::<Vec<_>>().join(", "), more - 3),
        };
        let parts: Vec<String> = said.iter().map(|(words, servers)| format!("{} {words}", some(servers))).collect();
        if parts.is_empty() { "no server gives it".to_owned() } else { parts.join("; ") }
    }

    fn is_excused(&self, seen: &Observation) -> bool {
        self.down.contains(&seen.endpoint.address) || seen.is_unreachable_from_here()
    }

    fn verdict_of(&self, target: usize) -> Verdict {
        if matches!(self.live, Live::No(_)) { Verdict::NotLive } else { self.state_of(target) }
    }

    pub(crate) fn state_of(&self, target: usize) -> Verdict {
        if self.servers.is_empty() {
            return Verdict::Unchecked;
        }
        let mut current = false;
        for seen in self.servers.iter().filter(|seen| seen.target == target) {
            match seen.state {
                State::Current => current = true,
                State::Stale | State::Missing => return Verdict::Incomplete,
                State::Lame | State::Unreachable => {
                    if !self.is_excused(seen) {
                        return Verdict::Incomplete;
                    }
                }
            }
        }
        if current { Verdict::Verified } else { Verdict::Incomplete }
    }
}

/// A target of the plan as one of the probe: fulfilled claims and foreign values that are still there.
fn probe_target(zone: &Name, target: &Target, before: Before) -> mailzone_probe::Target {
    let test = {
        let target = target.clone();
        move |answer: &[Rdata]| target.satisfied_by(answer)
    };
    mailzone_probe::Target {
        zone: zone.clone(),
        name: target.key.name.clone(),
        rtype: target.key.rtype,
        expected: Expected::Fulfilling(Arc::new(test)),
        before,
    }
}

fn not_live(zone: &Name, sentence: String) -> Finding {
    Finding::new(
        "DELEG-01",
        Severity::Warning,
        zone.to_string(),
        sentence,
        "change the delegation at the registrar, or set delegated = false while the move is under way",
        "RFC 1034 section 4.2.2",
    )
}

fn list(names: &[Name]) -> String {
    let texts: Vec<String> = names.iter().take(3).map(Name::to_text_without_dot).collect();
    let more = if names.len() > 3 { ", …" } else { "" };
    if texts.is_empty() { "none".to_owned() } else { format!("{}{more}", texts.join(", ")) }
}
