//! The way from the roots down to a zone, referral by referral (RFC 1034 section 5.3.3), and to the
//! addresses of name servers. What it meets on the way it remembers, so a thousand zones under one
//! TLD at one provider cost two questions each.

use std::collections::HashMap;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailzone_record::{Name, Rdata, RecordType};
use mailzone_wire::{Message, Query, Rcode};

use crate::Ask;

/// Why the walk did not get to a zone. Asking again may help with the first two alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WalkError {
    /// No server of a zone on the way gave an answer that leads on.
    #[error("none of {asked} servers of {zone} answers usefully")]
    Unanswered {
        /// The zone on the way.
        zone: Name,
        /// How many of its servers were asked.
        asked: usize,
    },
    /// No address of any server of a zone on the way could be found.
    #[error("no address of any server of {zone} can be found")]
    NoAddress {
        /// The zone on the way.
        zone: Name,
    },
    /// The servers' names lead to ever more names.
    #[error("gave up after {0} questions: the name servers' names lead to ever more names")]
    TooManyQueries(usize),
    /// To find the name, it would have to be known.
    #[error("the address of {0} depends on itself, and there is no glue")]
    Loop(Name),
    /// An NS record names an alias (RFC 2181 section 10.3).
    #[error("{0} is an alias, which a name server's name must not be")]
    Alias(Name),
    /// The name has neither A nor AAAA records.
    #[error("{0} has no address")]
    Addressless(Name),
}

/// A zone on the way, with servers that answer for it.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) name: Name,
    pub(crate) servers: Vec<SocketAddr>,
}

/// Where a walk ended.
pub(crate) enum Reached {
    /// A server of the parent refers to the very name.
    Referral { parent: Arc<Cut>, ns: Vec<Name>, glue: Vec<(Name, IpAddr)> },
    /// An authoritative answer.
    Answer { cut: Arc<Cut>, message: Message },
}

/// What one walk has spent, and what it is in the middle of.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    pub(crate) queries: usize,
    resolving: Vec<Name>,
}

/// Questions for one zone, all detours included. An ordinary zone takes under twenty.
const MAX_QUERIES: usize = 250;

/// Name servers' names that are looked up for the sake of one another.
const MAX_DEPTH: usize = 8;

/// Servers of one zone that are tried until one leads on.
const MAX_TRIES: usize = 8;

#[derive(Debug)]
pub(crate) struct Walker<A> {
    pub(crate) ask: A,
    pub(crate) port: u16,
    roots: Arc<Cut>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    cuts: HashMap<Name, Arc<Cut>>,
    addresses: HashMap<Name, Vec<IpAddr>>,
}

/// What a message of a zone's server is good for.
#[derive(Debug, PartialEq, Eq)]
enum Reply {
    Referral {
        to: Name,
        ns: Vec<Name>,
        glue: Vec<(Name, IpAddr)>,
    },
    Answer,
    /// It leads nowhere: a failure, a refusal, a referral upwards or to where we are.
    Useless,
}

impl<A: Ask> Walker<A> {
    pub(crate) fn new(ask: A, roots: Vec<SocketAddr>, port: u16) -> Self {
        let roots = Arc::new(Cut { name: Name::root(), servers: roots });
        Self { ask, port, roots, known: Mutex::default() }
    }

    pub(crate) fn roots(&self) -> &[SocketAddr] {
        &self.roots.servers
    }

    /// Walks to the authority for `name`. With `stop` a referral to the very name ends the walk.
    pub(crate) async fn walk(
        &self,
        trail: &mut Trail,
        name: &Name,
        rtype: RecordType,
        stop: bool,
    ) -> Result<Reached, WalkError> {
        let mut cut = self.closest(name, stop);
        // Each referral leads to a longer name, so this ends.
        loop {
            match self.ask_any(trail, &cut, name, rtype).await? {
                (Reply::Referral { to, ns, glue }, _) if stop && to == *name => {
                    return Ok(Reached::Referral { parent: cut, ns, glue });
                }
                (Reply::Referral { to, ns, glue }, _) => cut = self.descend(trail, &cut, to, ns, glue).await?,
                (_, message) => return Ok(Reached::Answer { cut, message }),
            }
        }
    }

    /// The addresses of a host, sorted, as its own zone has them.
    pub(crate) fn addresses<'a>(
        &'a self,
        trail: &'a mut Trail,
        host: &'a Name,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, WalkError>> + Send + 'a>> {
        Box::pin(async move {
            if let Some(known) = self.known().addresses.get(host) {
                return Ok(known.clone());
            }
            if trail.resolving.contains(host) || trail.resolving.len() >= MAX_DEPTH {
                return Err(WalkError::Loop(host.clone()));
            }
            trail.resolving.push(host.clone());
            let v4 = self.addresses_of(trail, host, RecordType::A).await;
            let v6 = match &v4 {
                Err(WalkError::Unanswered { .. }) | Ok(_) => self.addresses_of(trail, host, RecordType::AAAA).await,
                Err(_) => Ok(Vec::new()),
            };
            trail.resolving.pop();
            let mut all = match (v4, v6) {
                (Ok(v4), Ok(v6)) => [v4, v6].concat(),
                // One family that could not be asked for does not hide the other.
                (Ok(one), Err(error)) | (Err(error), Ok(one)) if one.is_empty() => return Err(error),
                (Ok(one), Err(_)) | (Err(_), Ok(one)) => return Ok(one),
                (Err(error), Err(_)) => return Err(error),
            };
            if all.is_empty() {
                return Err(WalkError::Addressless(host.clone()));
            }
            all.sort();
            all.dedup();
            self.known().addresses.insert(host.clone(), all.clone());
            Ok(all)
        })
    }

    async fn addresses_of(&self, trail: &mut Trail, host: &Name, rtype: RecordType) -> Result<Vec<IpAddr>, WalkError> {
        let Reached::Answer { message, .. } = self.walk(trail, host, rtype, false).await? else {
            // Only a walk that stops at the cut ends in a referral.
            return Ok(Vec::new());
        };
        if message.answers_of(host, RecordType::CNAME).next().is_some() {
            return Err(WalkError::Alias(host.clone()));
        }
        Ok(message.answers_of(host, rtype).filter_map(|record| address(&record.rdata)).collect())
    }

    /// Asks the servers of a zone, IPv4 first, one after the other until one leads on.
    pub(crate) async fn ask_zone(
        &self,
        trail: &mut Trail,
        cut: &Cut,
        name: &Name,
        rtype: RecordType,
    ) -> Result<Message, WalkError> {
        self.ask_any(trail, cut, name, rtype).await.map(|(_, message)| message)
    }

    async fn ask_any(
        &self,
        trail: &mut Trail,
        cut: &Cut,
        name: &Name,
        rtype: RecordType,
    ) -> Result<(Reply, Message), WalkError> {
        let mut servers = cut.servers.clone();
        // Different names begin with different servers; a name always with the same.
        let first = share(name, servers.len());
        servers.rotate_left(first);
        servers.sort_by_key(SocketAddr::is_ipv6);
        let mut asked = 0;
        for server in servers {
            if asked == MAX_TRIES {
                break;
            }
            if trail.queries >= MAX_QUERIES {
                return Err(WalkError::TooManyQueries(trail.queries));
            }
            trail.queries += 1;
            match self.ask.ask(server, Query::authoritative(name.clone(), rtype)).await {
                Ok(exchange) => {
                    asked += 1;
                    let reply = interpret(&cut.name, name, &exchange.message);
                    if reply != Reply::Useless {
                        return Ok((reply, exchange.message));
                    }
                }
                Err(error) => asked += usize::from(!error.is_unreachable_from_here()),
            }
        }
        Err(WalkError::Unanswered { zone: cut.name.clone(), asked })
    }

    async fn descend(
        &self,
        trail: &mut Trail,
        parent: &Cut,
        to: Name,
        ns: Vec<Name>,
        glue: Vec<(Name, IpAddr)>,
    ) -> Result<Arc<Cut>, WalkError> {
        // Glue is believed for what the parent is above of.
        let trusted = glue.into_iter().filter(|(host, _)| host.is_at_or_below(&parent.name));
        let mut ips: Vec<IpAddr> = trusted.map(|(_, ip)| ip).collect();
        for host in &ns {
            if !ips.is_empty() {
                break;
            }
            match self.addresses(trail, host).await {
                Ok(found) => ips = found,
                Err(error @ WalkError::TooManyQueries(_)) => return Err(error),
                Err(_) => {}
            }
        }
        if ips.is_empty() {
            return Err(WalkError::NoAddress { zone: to });
        }
        ips.sort();
        ips.dedup();
        let servers = ips.into_iter().map(|ip| SocketAddr::new(ip, self.port)).collect();
        let cut = Arc::new(Cut { name: to.clone(), servers });
        self.known().cuts.insert(to, Arc::clone(&cut));
        Ok(cut)
    }

    /// The lowest zone known at `name` or above; with `above` not at it.
    fn closest(&self, name: &Name, above: bool) -> Arc<Cut> {
        let known = self.known();
        let mut at = if above { name.parent() } else { Some(name.clone()) };
        while let Some(name) = at {
            if let Some(cut) = known.cuts.get(&name) {
                return Arc::clone(cut);
            }
            at = name.parent();
        }
        Arc::clone(&self.roots)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each use is one look-up or one insertion, so a panic elsewhere leaves nothing half-done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a message of a server of `cut`, asked for `name`, is good for.
fn interpret(cut: &Name, name: &Name, message: &Message) -> Reply {
    if !matches!(message.rcode, Rcode::NoError | Rcode::NxDomain) {
        return Reply::Useless;
    }
    let denied = message.authority.iter().any(|record| record.rtype() == RecordType::SOA);
    let leads_on = |to: &Name| to != cut && to.is_at_or_below(cut) && name.is_at_or_below(to);
    let to = message.authority.iter().find(|record| record.rtype() == RecordType::NS && leads_on(&record.name));
    if let Some(to) = to.filter(|_| message.answers.is_empty() && !denied) {
        let ns = name_servers(&message.authority, &to.name);
        let glue = message.additional.iter().filter(|record| ns.contains(&record.name));
        let glue = glue.filter_map(|record| Some((record.name.clone(), address(&record.rdata)?))).collect();
        return Reply::Referral { to: to.name.clone(), ns, glue };
    }
    if message.authoritative { Reply::Answer } else { Reply::Useless }
}

/// The NS records' names at `owner`, sorted, each once.
pub(crate) fn name_servers(records: &[mailzone_wire::Record], owner: &Name) -> Vec<Name> {
    let at_owner = records.iter().filter(|record| record.name == *owner);
    let mut names: Vec<Name> = at_owner
        .filter_map(|record| match &record.rdata {
            Rdata::Ns(host) => Some(host.to_lowercase()),
            _ => None,
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

pub(crate) fn address(rdata: &Rdata) -> Option<IpAddr> {
    match rdata {
        Rdata::A(ip) => Some((*ip).into()),
        Rdata::Aaaa(ip) => Some((*ip).into()),
        _ => None,
    }
}

fn share(name: &Name, of: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish().checked_rem(of as u64).unwrap_or(0) as usize
}

#[cfg(test)]
mod tests {
    use mailzone_record::{Soa, Ttl};
    use mailzone_wire::Record;
    use proptest::prelude::*;
    use proptest::test_runner::TestCaseError;

    use super::*;
    use crate::Delegations;
    use crate::testing::{Script, exchange, name};

    const NAMES: [&str; 9] =
        [".", "test", "z.test", "ns.z.test", "a.ns.z.test", "other", "y.other", "ns.y.other", "ns.x.ns.y.other"];

    fn record(bits: u64) -> Record {
        let owner = |bits: u64| name(NAMES[bits as usize % NAMES.len()]);
        let soa =
            Soa { mname: Name::root(), rname: Name::root(), serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 1 };
        let rdata = match (bits >> 16) % 8 {
            0 => Rdata::A([192, 0, 2, (bits >> 24) as u8 % 8].into()),
            1 => Rdata::Aaaa([(bits >> 24) as u16 % 8; 8].into()),
            2 => Rdata::Soa(Box::new(soa)),
            3 => Rdata::Cname(owner(bits >> 8)),
            _ => Rdata::Ns(owner(bits >> 8)),
        };
        Record { name: owner(bits), ttl: Ttl::ZERO, rdata }
    }

    /// A message that depends on who was asked what, and is otherwise as wild as it gets.
    fn wild(seed: u64, server: SocketAddr, query: &Query) -> Message {
        let mut at = 0u64;
        let mut bits = || {
            at += 1;
            let mut hasher = DefaultHasher::new();
            (seed, server, &query.name, query.rtype, at).hash(&mut hasher);
            hasher.finish()
        };
        let mut section = |most: u64| (0..bits() % (most + 1)).map(|_| record(bits())).collect::<Vec<_>>();
        let (answers, authority, additional) = (section(1), section(4), section(6));
        let flags = bits();
        let rcode = if flags.is_multiple_of(8) { Rcode::NxDomain } else { Rcode::NoError };
        Message { rcode, authoritative: flags & 8 > 0, answers, authority, additional, ..Message::default() }
    }

    fn ns(owner: &str, host: &str) -> Record {
        Record { name: name(owner), ttl: Ttl::ZERO, rdata: Rdata::Ns(name(host)) }
    }

    fn a(owner: &str, last: u8) -> Record {
        Record { name: name(owner), ttl: Ttl::ZERO, rdata: Rdata::A([192, 0, 2, last].into()) }
    }

    /// Servers 192.0.2.1 (root), 2 (test), 3 (other), 7 (deep.test), 8 (z.deep.test). The servers of
    /// `test` tell where the one of another TLD is, and lie.
    #[tokio::test(start_paused = true)]
    async fn glue_is_believed_below_the_parent_alone() {
        let script = Script::new(|server, query, _| {
            let SocketAddr::V4(v4) = server else { panic!("{server}") };
            let below = |zone: &str| query.name.is_at_or_below(&name(zone));
            let refer = |ns: Record, glue: Record| {
                Ok(exchange(Message { authority: vec![ns], additional: vec![glue], ..Message::default() }))
            };
            let answer = |record: Record| {
                let answers = Vec::from_iter((record.rtype() == query.rtype).then_some(record));
                Ok(exchange(Message { authoritative: true, answers, ..Message::default() }))
            };
            match v4.ip().octets()[3] {
                1 if below("test") => refer(ns("test", "ns.test"), a("ns.test", 2)),
                1 => refer(ns("other", "ns.nic.other"), a("ns.nic.other", 3)),
                2 if below("deep.test") => refer(ns("deep.test", "ns.other"), a("ns.other", 66)),
                2 => refer(ns("lost.test", "ns.nowhere.other"), a("ns.nowhere.other", 66)),
                3 if below("ns.other") => answer(a("ns.other", 7)),
                7 => refer(ns("z.deep.test", "ns.z.deep.test"), a("ns.z.deep.test", 8)),
                8 if below("ns.z.deep.test") => answer(a("ns.z.deep.test", 8)),
                8 => answer(ns("z.deep.test", "ns.z.deep.test")),
                66 => panic!("a lie was believed"),
                _ => Ok(exchange(Message::default())),
            }
        });
        let at = |last| SocketAddr::from(([192, 0, 2, last], 53));
        let delegations = Delegations::new(script, vec![at(1)], 53);
        let found = delegations.find(&name("z.deep.test")).await.unwrap();
        assert_eq!((found.parent.unwrap(), &found.servers[0].addresses), (name("deep.test"), &vec![at(8)]));
        assert_eq!(found.problems, []);
        let lost = delegations.find(&name("lost.test")).await.unwrap();
        assert!(lost.endpoints().is_empty() && lost.problems.len() == 1);
    }

    #[test]
    fn what_leads_on() {
        let message = |authoritative, answers: &[Record], authority: &[Record]| {
            let (answers, authority) = (answers.to_vec(), authority.to_vec());
            interpret(
                &name("test"),
                &name("www.z.test"),
                &Message { authoritative, answers, authority, ..Message::default() },
            )
        };
        let below = ns("z.test", "ns.z.test");
        let soa = Record { rdata: record(2 << 16).rdata, ..ns("z.test", ".") };
        assert!(matches!(message(false, &[], std::slice::from_ref(&below)), Reply::Referral { .. }));
        // An answer with the zone's own name servers beside it, as many servers give it.
        assert_eq!(message(true, &[a("www.z.test", 1)], std::slice::from_ref(&below)), Reply::Answer);
        assert_eq!(message(true, &[], &[soa, below]), Reply::Answer);
        for sideways in [".", "test", "other", "y.test", "a.www.z.test"] {
            assert_eq!(message(false, &[], &[ns(sideways, "ns.z.test")]), Reply::Useless, "{sideways}");
        }
        assert_eq!(message(false, &[a("www.z.test", 1)], &[]), Reply::Useless);
    }

    fn run(test: impl Future<Output = Result<(), TestCaseError>>) -> Result<(), TestCaseError> {
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(test)
    }

    proptest! {
        #[test]
        fn ends_whatever_the_servers_say(seed: u64) {
            run(async {
                let script = Script::new(move |server, query, _| Ok(exchange(wild(seed, server, query))));
                let roots = vec![SocketAddr::from(([192, 0, 2, 0], 53))];
                let delegations = Delegations::new(script.clone(), roots, 53);
                for zone in NAMES {
                    let before = script.asked(53);
                    let found = delegations.find(&name(zone)).await;
                    let asked = script.asked(53) - before;
                    // Each of the 16 addresses there are may be asked for the apex on top.
                    prop_assert!(asked <= MAX_QUERIES + 16, "{asked} questions for {zone}");
                    if let Ok(found) = found {
                        prop_assert_eq!(found.queries, asked);
                        prop_assert!(name(zone).is_at_or_below(&found.zone_cut));
                        prop_assert!(found.is_delegated() || found.servers.is_empty());
                        prop_assert_eq!(found.standings.len(), found.endpoints().len());
                    }
                }
                Ok(())
            })?;
        }

        #[test]
        fn a_bomb_of_names_is_defused(width in 1usize..40) {
            run(async {
                // Each name's servers have other names beside it, and so have theirs, and so on.
                let script = Script::new(move |_, query, _| {
                    let (parent, depth) = (query.name.parent().unwrap(), query.name.as_wire().len());
                    let child = (0..width).map(|i| Record {
                        name: query.name.clone(),
                        ttl: Ttl::ZERO,
                        rdata: Rdata::Ns(parent.prepend(&format!("n{i}-{depth}")).unwrap()),
                    });
                    Ok(exchange(Message { authority: child.collect(), ..Message::default() }))
                });
                let roots = vec![SocketAddr::from(([192, 0, 2, 0], 53))];
                let found = Delegations::new(script.clone(), roots, 53).find(&name("z.test")).await;
                prop_assert!(script.asked(53) <= MAX_QUERIES);
                prop_assert!(found.is_ok_and(|found| found.endpoints().is_empty()));
                Ok(())
            })?;
        }
    }
}
