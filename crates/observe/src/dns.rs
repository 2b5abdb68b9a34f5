//! DNS answers from the network, each question asked once and kept for as long as its TTL says.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use mailzone_audit::Failure;
use mailzone_mailauth::lookup::{ALIASES, Answer, Question};
use mailzone_probe::{Ask, Delegations, Polite, Wire};
use mailzone_record::{Name, Rdata, RecordType};
use mailzone_wire::{Exchange, Message, Query, WireError};

use crate::cache::{Cache, Known, Once};
use crate::reading::{Reading, is_referral, read};

/// Servers that are tried for one question.
pub const MAX_TRIES: usize = 6;

/// How long a server may take; a question over UDP is repeated after half of it ([`mailzone_wire::exchange`]).
pub const ANSWER_TIME: Duration = Duration::from_millis(1500);

/// Questions that are outstanding at one server, and altogether.
pub const OUTSTANDING: (usize, usize) = (128, 256);

/// The network as it is asked ordinarily: within [`ANSWER_TIME`] and [`OUTSTANDING`].
pub fn network() -> Polite<Wire> {
    Polite::new(Wire { timeout: ANSWER_TIME }, OUTSTANDING.0, OUTSTANDING.1)
}

/// Who is asked.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Resolvers, the preferred one first. Where there are none, answers are found from the roots.
    pub resolvers: Vec<SocketAddr>,
    /// Root servers ([`mailzone_probe::root_servers`]); for delegations, and for answers where there are no resolvers.
    pub roots: Vec<SocketAddr>,
    /// The port of the servers that are found from the roots; 0 stands for 53.
    pub port: u16,
    /// Zones whose servers are given: neither parent nor resolvers are asked for what is in them, but for what
    /// these servers delegate.
    pub zones: BTreeMap<Name, Vec<SocketAddr>>,
}

/// Answers from the network. A clone asks through the same limits and shares the answers.
#[derive(Debug, Clone)]
pub struct Dns<A = Polite<Wire>> {
    inner: Arc<Inner<A>>,
}

#[derive(Debug)]
struct Inner<A> {
    ask: Counted<A>,
    resolvers: Servers,
    zones: BTreeMap<Name, Servers>,
    delegations: Option<Delegations<Counted<A>>>,
    /// The upper zones that somebody walked to.
    led: Once<Name, ()>,
    cache: Cache,
}

/// Servers for the same, and which of them answered last.
#[derive(Debug, Default)]
struct Servers {
    all: Vec<SocketAddr>,
    first: AtomicUsize,
}

/// Counts the questions that are sent.
#[derive(Debug, Clone)]
pub(crate) struct Counted<A> {
    ask: A,
    sent: Arc<AtomicU64>,
}

/// What came of asking servers for one question.
enum Asked {
    Read(Vec<Reading>),
    /// They refer to others.
    Referred,
    Failed,
    /// None could be reached from here, or there is none.
    Nobody,
}

impl<A: Ask> Dns<A> {
    /// Asks `sources` through `ask`; see [`network`].
    pub fn new(ask: A, sources: Sources) -> Self {
        let ask = Counted { ask, sent: Arc::default() };
        let servers = |all: Vec<SocketAddr>| Servers { all, first: AtomicUsize::new(0) };
        let delegations = (!sources.roots.is_empty()).then(|| {
            let port = if sources.port == 0 { 53 } else { sources.port };
            Delegations::new(ask.clone(), sources.roots, port)
        });
        let inner = Inner {
            ask,
            resolvers: servers(sources.resolvers),
            zones: sources.zones.into_iter().map(|(zone, all)| (zone, servers(all))).collect(),
            delegations,
            led: Once::default(),
            cache: Cache::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The answer at the name itself: an alias is an answer ([`mailzone_mailauth::lookup::Lookup`]).
    ///
    /// [`Answer::TempError`] where servers were asked and none gave an answer; [`Answer::Unknown`] where nobody is
    /// there to ask, nobody can be reached from here, or no resolver runs at the addresses given. The TTL is as it was received. Ends by itself: at most
    /// [`MAX_TRIES`] servers are asked, or 250 on the way from the roots.
    pub async fn ask(&self, question: &Question) -> Answer {
        let slot = self.inner.cache.slot(question);
        let known = slot.get_or_init(|| async {
            let (known, beside) = self.inner.fetch(question).await;
            self.inner.cache.count(&known);
            for reading in beside {
                let ttl = Duration::from_secs(u64::from(reading.ttl.as_secs()));
                if !ttl.is_zero() {
                    self.inner.cache.put(&reading.question, Known::new(reading.answer, ttl));
                }
            }
            known
        });
        known.await.answer.clone()
    }

    /// The answer at the end of the name's aliases, as [`mailzone_mailauth::lookup::resolve`] has it.
    pub async fn resolve(&self, name: &Name, rtype: RecordType) -> Answer {
        let mut question = Question { name: name.clone(), rtype };
        for _ in 0..=ALIASES {
            match self.ask(&question).await {
                Answer::Records(values, ttl) => match values.first() {
                    Some(Rdata::Cname(target)) if rtype != RecordType::CNAME => question.name = target.clone(),
                    _ => return Answer::Records(values, ttl),
                },
                other => return other,
            }
        }
        Answer::TempError
    }

    /// The addresses of a host, IPv4 first; never none.
    pub async fn addresses(&self, host: &Name) -> Result<Vec<IpAddr>, Failure> {
        let both = tokio::join!(self.resolve(host, RecordType::A), self.resolve(host, RecordType::AAAA));
        let mut found = Vec::new();
        let (mut failed, mut unknown) = (false, false);
        for answer in [both.0, both.1] {
            match answer {
                Answer::Records(values, _) => found.extend(values.iter().filter_map(|value| match value {
                    Rdata::A(ip) => Some(IpAddr::from(*ip)),
                    Rdata::Aaaa(ip) => Some(IpAddr::from(*ip)),
                    _ => None,
                })),
                Answer::TempError => failed = true,
                Answer::Unknown => unknown = true,
                Answer::NoData | Answer::NxDomain => {}
            }
        }
        let host = host.to_text_without_dot();
        let message = match (found.is_empty(), failed, unknown) {
            (false, ..) => return Ok(found),
            (true, true, _) => format!("the addresses of {host} could not be looked up"),
            (true, false, true) => format!("nobody can be asked for the addresses of {host}"),
            (true, false, false) => format!("{host} has no address"),
        };
        Err(Failure { message, here: unknown && !failed })
    }

    /// How many questions were sent so far, repetitions of lost packets not counted.
    pub fn sent(&self) -> u64 {
        self.inner.ask.sent.load(Ordering::Relaxed)
    }

    pub(crate) fn asker(&self) -> &Counted<A> {
        &self.inner.ask
    }

    pub(crate) fn resolvers(&self) -> Vec<SocketAddr> {
        self.inner.resolvers.in_order().map(|(_, server)| server).collect()
    }

    pub(crate) fn delegations(&self) -> Option<&Delegations<Counted<A>>> {
        self.inner.delegations.as_ref()
    }

    /// The deepest zone at or above `name` whose servers are given, with them.
    pub(crate) fn given(&self, name: &Name) -> Option<(&Name, &[SocketAddr])> {
        self.inner.given(name).map(|(zone, servers)| (zone, servers.all.as_slice()))
    }
}

impl<A: Ask> Inner<A> {
    /// The answer to the question, and what came beside it.
    async fn fetch(&self, question: &Question) -> (Known, Vec<Reading>) {
        let mut asked = Asked::Referred;
        // The DS records of a zone are its parent's (RFC 4035 section 2.4).
        let at = if question.rtype == RecordType::DS { question.name.parent() } else { Some(question.name.clone()) };
        if let Some((zone, servers)) = at.as_ref().and_then(|at| self.given(at)) {
            asked = self.ask_servers(servers, question, Some(zone)).await;
        }
        if matches!(asked, Asked::Referred) {
            asked = match &self.delegations {
                Some(delegations) if self.resolvers.all.is_empty() => self.walk(delegations, question).await,
                _ => self.ask_servers(&self.resolvers, question, None).await,
            };
        }
        match asked {
            Asked::Read(mut readings) if !readings.is_empty() => {
                let first = readings.remove(0);
                let ttl = Duration::from_secs(u64::from(first.ttl.as_secs()));
                (Known::new(first.answer, ttl), readings)
            }
            Asked::Nobody => (Known::new(Answer::Unknown, Duration::ZERO), Vec::new()),
            Asked::Read(_) | Asked::Referred | Asked::Failed => {
                (Known::new(Answer::TempError, crate::cache::FAILURE), Vec::new())
            }
        }
    }

    /// Asks one server after the other until one answers: authorities of `zone`, or resolvers.
    async fn ask_servers(&self, servers: &Servers, question: &Question, zone: Option<&Name>) -> Asked {
        let root = Name::root();
        let mut asked = Asked::Nobody;
        for (at, server) in servers.in_order().take(MAX_TRIES) {
            let (name, rtype) = (question.name.clone(), question.rtype);
            let query = match zone {
                Some(_) => Query::authoritative(name, rtype),
                None => Query::recursive(name, rtype),
            };
            let message = match self.ask.ask(server, query).await {
                Ok(exchange) => exchange.message,
                Err(error) => {
                    tracing::debug!(%server, name = %question.name, rtype = %question.rtype, %error, "no answer");
                    // A resolver that is not there is a fault of our settings and not of the domain.
                    let ours = zone.is_none() && error == WireError::Refused;
                    if !ours && !error.is_unreachable_from_here() {
                        asked = Asked::Failed;
                    }
                    continue;
                }
            };
            servers.answered(at);
            if zone.is_some() && is_referral(&message) {
                return Asked::Referred;
            }
            if answers_for(zone, &message) {
                let readings = read(question, &message, zone.unwrap_or(&root));
                if !readings.is_empty() {
                    return Asked::Read(readings);
                }
            }
            asked = Asked::Failed;
        }
        asked
    }

    async fn walk(&self, delegations: &Delegations<Counted<A>>, question: &Question) -> Asked {
        // One question goes ahead to the TLD and to the zone below it, so that a hundred at a time do not all begin
        // at the root.
        let path = std::iter::successors(question.name.parent(), Name::parent);
        let upper: Vec<Name> = path.filter(|name| (1..=2).contains(&name.label_count())).collect();
        for name in upper.into_iter().rev() {
            let ahead = async {
                // What it finds is remembered on the way; if it fails, the question itself will.
                let _ = delegations.ask(&name, RecordType::SOA).await;
            };
            self.led.get(name.clone(), ahead).await;
        }
        match delegations.ask(&question.name, question.rtype).await {
            Ok((zone, message)) => Asked::Read(read(question, &message, &zone)),
            Err(error) => {
                tracing::debug!(name = %question.name, rtype = %question.rtype, %error, "no answer from the roots");
                match error {
                    // Not one of the roots could be reached.
                    mailzone_probe::WalkError::Unanswered { zone, asked: 0 } if zone.is_root() => Asked::Nobody,
                    _ => Asked::Failed,
                }
            }
        }
    }

    fn given(&self, name: &Name) -> Option<(&Name, &Servers)> {
        let mut at = Some(name.clone());
        while let Some(zone) = at {
            if let Some(found) = self.zones.get_key_value(&zone) {
                return Some(found);
            }
            at = zone.parent();
        }
        None
    }
}

/// Whether the message's sender speaks for the names in it: an authority, or a resolver that resolves.
fn answers_for(zone: Option<&Name>, message: &Message) -> bool {
    message.authoritative || zone.is_none() && (message.recursion_available || !message.answers.is_empty())
}

impl Servers {
    /// All of them, beginning with the one that answered last.
    fn in_order(&self) -> impl Iterator<Item = (usize, SocketAddr)> {
        let first = self.first.load(Ordering::Relaxed);
        let all = self.all.iter().copied().enumerate();
        all.clone().skip(first).chain(all.take(first))
    }

    fn answered(&self, at: usize) {
        self.first.store(at, Ordering::Relaxed);
    }
}

impl<A: Ask> Ask for Counted<A> {
    async fn ask(&self, server: SocketAddr, query: Query) -> Result<Exchange, WireError> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.ask.ask(server, query).await
    }
}
