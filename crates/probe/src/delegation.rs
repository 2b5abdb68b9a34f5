//! Who answers for a zone: what the parent says, what the zone says itself, and what is wrong.

use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use mailzone_record::{Name, Rdata, RecordType};
use mailzone_wire::{Exchange, Message, Query, Rcode, WireError};

use crate::ask::run_all;
use crate::walk::{Cut, Reached, Trail, Walker, address, name_servers};
use crate::{Ask, Endpoint, Server, WalkError, endpoints};

/// Finds delegations, from the roots, by its own questions to authoritative servers.
///
/// The zones and hosts met on the way are remembered for as long as this value lives, whatever
/// their TTL: make one for a run, and a fresh one after a long wait. What the parent says of the
/// zone that is asked about is never remembered.
#[derive(Debug, Clone)]
pub struct Delegations<A> {
    walker: Arc<Walker<A>>,
}

/// What was found out about who answers for a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// The name that was asked about.
    pub zone: Name,
    /// The lowest zone at or above it. Another name than `zone`: there is no delegation, and
    /// all lists are empty.
    pub zone_cut: Name,
    /// The zone whose servers named the name servers; `None` where these were given.
    pub parent: Option<Name>,
    /// The NS RRset as the parent has it, sorted.
    pub parent_ns: Vec<Name>,
    /// The names in the NS RRset as the zone's own servers have it, of all servers together, sorted.
    pub child_ns: Vec<Name>,
    /// The parent's name servers with their addresses, or those given.
    pub servers: Vec<Server>,
    /// How each address stands, in the order of [`endpoints`].
    pub standings: Vec<Standing>,
    /// Whether the parent has a DS RRset: the zone is signed. `None`: not found out.
    pub ds: Option<bool>,
    /// What is wrong or worth to know.
    pub problems: Vec<Problem>,
    /// How many questions it took.
    pub queries: usize,
}

/// How one address answers for the zone's apex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Who was asked.
    pub endpoint: Endpoint,
    /// What came.
    pub health: Health,
}

/// What an address said when it was asked for the zone's NS RRset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// An authoritative answer with these name servers; none if the zone's apex is elsewhere.
    Authoritative(Vec<Name>),
    /// An answer of one that is no authority for the zone, with this response code.
    Lame(Rcode),
    /// No answer.
    Unreachable(WireError),
}

/// What is wrong with a delegation, or worth to know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// A name server below the zone has no address in the parent's referral: it cannot be found.
    GlueMissing(Name),
    /// The addresses in the parent's referral are not those that the zone has. Both are asked.
    GlueDiffers {
        /// The name server.
        server: Name,
        /// The parent's.
        glue: Vec<IpAddr>,
        /// The zone's.
        own: Vec<IpAddr>,
    },
    /// The addresses of a name server could not be found.
    NoAddress {
        /// The name server.
        server: Name,
        /// Why.
        reason: WalkError,
    },
    /// Parent and zone name different servers.
    SetsDiffer {
        /// What the parent alone names.
        only_parent: Vec<Name>,
        /// What the zone alone names.
        only_child: Vec<Name>,
    },
    /// The zone's servers disagree on who they are.
    ServersDisagree,
    /// The parent's servers answer for the zone too, so what the parent itself holds is not seen:
    /// `parent_ns` is the zone's own set.
    ParentNotSeen,
}

/// How the delegation compares with the servers that the provider assigned (design.md section 10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// Both name the same servers.
    Same,
    /// No server is in both; or the parent names none.
    Different,
    /// Some are in both, and some are not.
    Some {
        /// Named by the parent alone.
        only_parent: Vec<Name>,
        /// Assigned by the provider alone.
        only_assigned: Vec<Name>,
    },
    /// The provider does not say whom it assigned.
    Unknown,
}

/// Compares the parent's name servers with those that the provider assigned; order and
/// repetition do not matter.
pub fn compare(parent_ns: &[Name], assigned: &[Name]) -> Match {
    if assigned.is_empty() {
        return Match::Unknown;
    }
    let only_parent = without(parent_ns, assigned);
    let only_assigned = without(assigned, parent_ns);
    if only_parent.is_empty() && only_assigned.is_empty() {
        Match::Same
    } else if parent_ns.iter().any(|name| assigned.contains(name)) {
        Match::Some { only_parent, only_assigned }
    } else {
        Match::Different
    }
}

/// Asks servers that were given, instead of finding them: neither parent nor roots are asked.
///
/// The zone cut is the lowest that any of them is an authority for, `zone` if none answers; an
/// authority for a zone above that alone is lame.
pub async fn given_servers(ask: &impl Ask, zone: &Name, addresses: &[SocketAddr]) -> Delegation {
    let servers: Vec<Server> = addresses.iter().copied().map(Server::at).collect();
    let mut delegation = Delegation { servers, ..Delegation::of(zone) };
    let endpoints = delegation.endpoints();
    let mut asked = zone.clone();
    loop {
        let answers = ask_apex(ask, &asked, &endpoints).await;
        delegation.queries += answers.len();
        let cuts = answers.iter().filter_map(|(_, answer)| apex(&asked, &answer.as_ref().ok()?.message));
        let cut = cuts.max_by_key(Name::label_count);
        let alias = answers.iter().any(|(_, a)| a.as_ref().is_ok_and(|exchange| is_alias(&asked, &exchange.message)));
        if let Some(above) = asked.parent().filter(|_| cut.is_none() && alias) {
            // An alias does not say which zone it is in.
            asked = above;
            continue;
        }
        delegation.zone_cut = cut.unwrap_or_else(|| zone.clone());
        delegation.judge_child(&asked, answers);
        return delegation;
    }
}

impl<A: Ask> Delegations<A> {
    /// Begins at `roots` ([`crate::root_servers`], or a test's); the servers found on the way are
    /// asked at `port`.
    pub fn new(ask: A, roots: Vec<SocketAddr>, port: u16) -> Self {
        Self { walker: Arc::new(Walker::new(ask, roots, port)) }
    }

    /// Finds out who answers for `zone`, from the roots, and asks each address for the zone's apex.
    ///
    /// Fails if the way down is broken above the zone. What is wrong with the zone's own servers
    /// is in the result. At most 250 questions to find the servers, one after the other.
    pub async fn find(&self, zone: &Name) -> Result<Delegation, WalkError> {
        if zone.is_root() {
            return Ok(given_servers(&self.walker.ask, zone, self.walker.roots()).await);
        }
        let mut trail = Trail::default();
        let mut delegation = Delegation::of(zone);
        let mut glue = Vec::new();
        let parent = match self.walker.walk(&mut trail, zone, RecordType::NS, true).await? {
            Reached::Referral { parent, ns, glue: found } => {
                delegation.parent_ns = ns;
                glue = found;
                parent
            }
            Reached::Answer { cut, message } => {
                delegation.parent_ns = name_servers(&message.answers, zone);
                if delegation.parent_ns.is_empty() {
                    delegation.zone_cut = self.enclosing(&mut trail, &cut, zone, &message).await?;
                    delegation.queries = trail.queries;
                    return Ok(delegation);
                }
                delegation.problems.push(Problem::ParentNotSeen);
                cut
            }
        };
        delegation.ds = self.has_ds(&mut trail, &parent, zone).await;
        for host in delegation.parent_ns.clone() {
            let server = self.server(&mut trail, &mut delegation, &parent.name, host, &glue).await;
            delegation.servers.push(server);
        }
        delegation.parent = Some(parent.name.clone());
        let asked = endpoints(&delegation.servers);
        let answers = ask_apex(&self.walker.ask, zone, &asked).await;
        trail.queries += answers.len();
        delegation.judge_child(zone, answers);
        delegation.compare_sets();
        self.compare_glue(&mut trail, &mut delegation, &glue).await;
        delegation.queries = trail.queries;
        Ok(delegation)
    }

    /// Name servers with their addresses, found like those of a delegation; each that could not be
    /// found with the reason, and without addresses.
    pub async fn servers(&self, names: &[Name]) -> (Vec<Server>, Vec<Problem>) {
        let mut trail = Trail::default();
        let mut delegation = Delegation::of(&Name::root());
        for host in names {
            let server = self.server(&mut trail, &mut delegation, &Name::root(), host.clone(), &[]).await;
            delegation.servers.push(server);
        }
        (delegation.servers, delegation.problems)
    }

    /// The answer of an authority for `name`, found from the roots, and the zone that this authority answers for.
    /// What other zones it speaks of beside it is not to be believed.
    ///
    /// At most 250 questions, one after the other; the zones met on the way are remembered.
    pub async fn ask(&self, name: &Name, rtype: RecordType) -> Result<(Name, Message), WalkError> {
        match self.walker.walk(&mut Trail::default(), name, rtype, rtype == RecordType::DS).await? {
            Reached::Answer { cut, message } => Ok((cut.name.clone(), message)),
            Reached::Referral { parent, .. } => {
                // The DS records of a zone are its parent's (RFC 4035 section 2.4).
                let message = self.walker.ask_zone(&mut Trail::default(), &parent, name, rtype).await?;
                Ok((parent.name.clone(), message))
            }
        }
    }

    /// A name server of the delegation's zone. Below the zone its glue is what the world goes by;
    /// elsewhere its own zone decides, and glue that the parent may give helps where that fails.
    async fn server(
        &self,
        trail: &mut Trail,
        delegation: &mut Delegation,
        parent: &Name,
        host: Name,
        glue: &[(Name, IpAddr)],
    ) -> Server {
        let mut ips = glue_of(&host, glue);
        let needs_glue = host.is_at_or_below(&delegation.zone)
            && !delegation.zone.is_root()
            && !delegation.problems.contains(&Problem::ParentNotSeen);
        if needs_glue {
            if ips.is_empty() {
                delegation.problems.push(Problem::GlueMissing(host.clone()));
            }
        } else {
            match self.walker.addresses(trail, &host).await {
                Ok(found) => ips = found,
                Err(reason) => {
                    if !host.is_at_or_below(parent) {
                        ips.clear();
                    }
                    delegation.problems.push(Problem::NoAddress { server: host.clone(), reason });
                }
            }
        }
        let addresses = ips.into_iter().map(|ip| SocketAddr::new(ip, self.walker.port)).collect();
        Server { name: Some(host), addresses }
    }

    /// Compares the glue with what the zone's own servers say, and adds what they say beyond it.
    async fn compare_glue(&self, trail: &mut Trail, delegation: &mut Delegation, glue: &[(Name, IpAddr)]) {
        let servers: Vec<SocketAddr> = delegation.authorities().collect();
        if servers.is_empty() {
            return;
        }
        let cut = Cut { name: delegation.zone.clone(), servers };
        let mut added = false;
        for at in 0..delegation.servers.len() {
            // The length does not change in this loop.
            let Some(host) = delegation.servers[at].name.clone() else { continue };
            let glue = glue_of(&host, glue);
            if glue.is_empty() || !host.is_at_or_below(&delegation.zone) {
                continue;
            }
            let mut own = Vec::new();
            let mut complete = true;
            for rtype in [RecordType::A, RecordType::AAAA] {
                let answer = self.walker.ask_zone(trail, &cut, &host, rtype).await;
                // A host below a delegation inside the zone is not for the zone to say.
                complete &= answer.as_ref().is_ok_and(|message| message.authoritative);
                let records = answer.iter().flat_map(|message| message.answers_of(&host, rtype));
                own.extend(records.filter_map(|record| address(&record.rdata)));
            }
            own.sort();
            own.dedup();
            if complete && own != glue {
                let further = own.iter().filter(|ip| !glue.contains(ip));
                let further: Vec<_> = further.map(|&ip| SocketAddr::new(ip, self.walker.port)).collect();
                added |= !further.is_empty();
                delegation.servers[at].addresses.extend(further);
                delegation.servers[at].addresses.sort();
                delegation.problems.push(Problem::GlueDiffers { server: host, glue, own });
            }
        }
        if added {
            let known: HashSet<SocketAddr> = delegation.standings.iter().map(|s| s.endpoint.address).collect();
            let mut all = endpoints(&delegation.servers);
            let order: Vec<SocketAddr> = all.iter().map(|endpoint| endpoint.address).collect();
            all.retain(|endpoint| !known.contains(&endpoint.address));
            let answers = ask_apex(&self.walker.ask, &delegation.zone, &all).await;
            trail.queries += answers.len();
            let zone = delegation.zone.clone();
            delegation.standings.extend(answers.into_iter().map(|(endpoint, a)| standing(&zone, &zone, endpoint, a)));
            delegation.standings.sort_by_key(|s| order.iter().position(|address| *address == s.endpoint.address));
        }
    }

    async fn has_ds(&self, trail: &mut Trail, parent: &Cut, zone: &Name) -> Option<bool> {
        let message = self.walker.ask_zone(trail, parent, zone, RecordType::DS).await.ok()?;
        let has = message.answers_of(zone, RecordType::DS).next().is_some();
        // A parent that refers us on, as old servers do, has not said.
        (message.authoritative && (has || !message.authority.is_empty())).then_some(has)
    }

    /// The lowest zone above `zone`, which is none itself.
    async fn enclosing(
        &self,
        trail: &mut Trail,
        cut: &Arc<Cut>,
        zone: &Name,
        message: &Message,
    ) -> Result<Name, WalkError> {
        if let Some(above) = apex(zone, message).filter(|above| above.is_at_or_below(&cut.name)) {
            return Ok(above);
        }
        // An alias: its answer does not say which zone it is in, a denial next to it may.
        let mut name = zone.clone();
        while let Some(above) = name.parent().filter(|above| above != &cut.name && above.is_at_or_below(&cut.name)) {
            let Reached::Answer { message, .. } = self.walker.walk(trail, &above, RecordType::SOA, false).await? else {
                break;
            };
            if let Some(found) = apex(&above, &message) {
                return Ok(found);
            }
            name = above;
        }
        Ok(cut.name.clone())
    }
}

impl Delegation {
    fn of(zone: &Name) -> Self {
        Self {
            zone: zone.clone(),
            zone_cut: zone.clone(),
            parent: None,
            parent_ns: Vec::new(),
            child_ns: Vec::new(),
            servers: Vec::new(),
            standings: Vec::new(),
            ds: None,
            problems: Vec::new(),
            queries: 0,
        }
    }

    /// Whether the name is a zone of its own: the parent names servers for it, or some were given
    /// and none says otherwise.
    pub fn is_delegated(&self) -> bool {
        self.zone_cut == self.zone
    }

    /// Every address to ask.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        endpoints(&self.servers)
    }

    /// The addresses that are lame or did not answer: whom a wait does not wait for, if this was
    /// found before the first write.
    pub fn down(&self) -> HashSet<SocketAddr> {
        let down = self.standings.iter().filter(|s| !matches!(s.health, Health::Authoritative(_)));
        down.map(|s| s.endpoint.address).collect()
    }

    /// The addresses that answer as an authority.
    fn authorities(&self) -> impl Iterator<Item = SocketAddr> {
        let up = self.standings.iter().filter(|s| matches!(s.health, Health::Authoritative(_)));
        up.map(|s| s.endpoint.address)
    }

    /// Takes in what the addresses answered when they were asked for the NS records of `asked`.
    fn judge_child(&mut self, asked: &Name, answers: Answers) {
        let cut = &self.zone_cut;
        self.standings = answers.into_iter().map(|(endpoint, a)| standing(asked, cut, endpoint, a)).collect();
        let sets: Vec<&Vec<Name>> = self
            .standings
            .iter()
            .filter_map(|s| match &s.health {
                Health::Authoritative(ns) => Some(ns),
                _ => None,
            })
            .collect();
        if sets.windows(2).any(|pair| pair[0] != pair[1]) {
            self.problems.push(Problem::ServersDisagree);
        }
        let mut all: Vec<Name> = sets.into_iter().flatten().cloned().collect();
        all.sort();
        all.dedup();
        self.child_ns = all;
    }

    fn compare_sets(&mut self) {
        if !self.child_ns.is_empty() && self.child_ns != self.parent_ns {
            let only_parent = without(&self.parent_ns, &self.child_ns);
            let only_child = without(&self.child_ns, &self.parent_ns);
            self.problems.push(Problem::SetsDiffer { only_parent, only_child });
        }
    }
}

type Answers = Vec<(Endpoint, Result<Exchange, WireError>)>;

async fn ask_apex(ask: &impl Ask, zone: &Name, endpoints: &[Endpoint]) -> Answers {
    let questions = endpoints.iter().cloned().map(|endpoint| {
        let (ask, query) = (ask.clone(), Query::authoritative(zone.clone(), RecordType::NS));
        async move {
            let answer = ask.ask(endpoint.address, query).await;
            (endpoint, answer)
        }
    });
    run_all(questions.collect(), usize::MAX).await
}

/// How an address stands that was asked for the NS records of `asked`, a name in the zone `cut`.
fn standing(asked: &Name, cut: &Name, endpoint: Endpoint, answer: Result<Exchange, WireError>) -> Standing {
    let health = match answer {
        Err(error) => Health::Unreachable(error),
        Ok(Exchange { message, .. }) => match apex(asked, &message) {
            Some(found) if found == *cut => Health::Authoritative(name_servers(&message.answers, asked)),
            _ => Health::Lame(message.rcode),
        },
    };
    Standing { endpoint, health }
}

/// The apex of the zone from which an authoritative answer about `name` comes: the owner of the
/// records asked for or of the SOA in a denial. `None`: no authority, or it does not say.
fn apex(name: &Name, message: &Message) -> Option<Name> {
    if !message.authoritative || !matches!(message.rcode, Rcode::NoError | Rcode::NxDomain) {
        return None;
    }
    let own = message.answers.iter().any(|r| r.name == *name && matches!(r.rdata, Rdata::Ns(_) | Rdata::Soa(_)));
    if own {
        return Some(name.clone());
    }
    let soa = message.authority.iter().find(|record| record.rtype() == RecordType::SOA)?;
    name.is_at_or_below(&soa.name).then(|| soa.name.clone())
}

fn is_alias(name: &Name, message: &Message) -> bool {
    message.authoritative && message.answers_of(name, RecordType::CNAME).next().is_some()
}

fn glue_of(host: &Name, glue: &[(Name, IpAddr)]) -> Vec<IpAddr> {
    let mut ips: Vec<IpAddr> = glue.iter().filter(|(name, _)| name == host).map(|(_, ip)| *ip).collect();
    ips.sort();
    ips.dedup();
    ips
}

fn without(these: &[Name], those: &[Name]) -> Vec<Name> {
    these.iter().filter(|name| !those.contains(name)).cloned().collect()
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: &[Name]| names.iter().map(Name::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::GlueMissing(server) => {
                write!(f, "{server} is below the zone, and the parent gives no address of it: it cannot be found")
            }
            Self::GlueDiffers { server, glue, own } => {
                write!(f, "the parent has {server} at {glue:?}, the zone itself at {own:?}")
            }
            Self::NoAddress { server, reason } => write!(f, "{server} cannot be asked: {reason}"),
            Self::SetsDiffer { only_parent, only_child } => match (only_parent.is_empty(), only_child.is_empty()) {
                (false, true) => write!(f, "the parent names {}, the zone itself does not", list(only_parent)),
                (true, _) => write!(f, "the zone itself names {}, the parent does not", list(only_child)),
                (false, false) => {
                    write!(f, "the parent alone names {}, the zone alone {}", list(only_parent), list(only_child))
                }
            },
            Self::ServersDisagree => f.write_str("the zone's servers give different NS records"),
            Self::ParentNotSeen => {
                f.write_str("the parent's servers answer for the zone too: what the parent itself names is not seen")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::name;

    #[test]
    fn compares_sets() {
        let of = |text: &str| text.split_whitespace().map(name).collect::<Vec<_>>();
        assert_eq!(compare(&of("a b"), &of("B a a")), Match::Same);
        assert_eq!(compare(&of("a b"), &of("c d")), Match::Different);
        assert_eq!(compare(&of(""), &of("c d")), Match::Different);
        assert_eq!(compare(&of("a"), &of("")), Match::Unknown);
        let some = Match::Some { only_parent: of("a"), only_assigned: of("c") };
        assert_eq!(compare(&of("a b"), &of("b c")), some);
        let fewer = Match::Some { only_parent: of(""), only_assigned: of("c") };
        assert_eq!(compare(&of("b"), &of("b c")), fewer);
    }
}
