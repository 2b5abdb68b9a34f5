//! Is an RRset, as it shall be, what a server answers? One look; [`crate::wait`] looks again and again.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mailzone_record::{Name, Rdata, RecordType, Ttl};
use mailzone_wire::{Exchange, Query, Rcode, Transport, WireError};

use crate::ask::run_all;
use crate::{Ask, Endpoint};

/// Whether two RRsets' data are the same to whoever reads them: `(wanted, answered)`.
pub type Same = Arc<dyn Fn(&[Rdata], &[Rdata]) -> bool + Send + Sync>;

/// Whether an RRset's data, as answered, are what is wanted.
pub type Test = Arc<dyn Fn(&[Rdata]) -> bool + Send + Sync>;

/// One RRset that is looked for. A name such as `*.example.` is asked literally.
#[derive(Debug, Clone)]
pub struct Target {
    /// The zone that holds it: a denial in the name of a zone above is no answer of this zone.
    pub zone: Name,
    /// The owner name.
    pub name: Name,
    /// The type asked for.
    pub rtype: RecordType,
    /// What shall be there.
    pub expected: Expected,
    /// What was there before: how long resolvers may still give it.
    pub before: Before,
}

/// What shall be at a target's name and type.
#[derive(Clone)]
pub enum Expected {
    /// This data, all of it and nothing else as far as `same` says.
    Present {
        /// The data; an empty list means the same as [`Expected::Absent`].
        values: Vec<Rdata>,
        /// The TTL that authoritative servers shall give; `None` where none was asked for.
        ttl: Option<Ttl>,
        /// How to compare, see [`exactly`].
        same: Same,
    },
    /// No RRset of the type.
    Absent,
    /// Whatever passes this test; it gets the RRset's data, none where there is no RRset of the type. For
    /// sets of which only some values are known beforehand.
    Fulfilling(Test),
}

/// What was at a target's name and type before it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Before {
    /// Not known.
    #[default]
    Unknown,
    /// The same as now: nothing was changed.
    Unchanged,
    /// An RRset with this TTL.
    Present(Ttl),
    /// Nothing: resolvers may keep the denial for the zone's negative TTL.
    Absent {
        /// The TTL of the SOA record.
        soa_ttl: Ttl,
        /// The SOA's last field.
        minimum: u32,
    },
}

/// What a server has of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// What shall be there; or nothing, where nothing shall be.
    Current,
    /// Something else: other data, another TTL, or a CNAME in the place of the type.
    Stale,
    /// Nothing, where something shall be.
    Missing,
    /// It answers, but is no authority for the zone: refused, failed, referred elsewhere.
    Lame,
    /// It does not answer, or cannot be reached from here.
    Unreachable,
}

/// What one address answered about one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The target's place in the list that was asked about.
    pub target: usize,
    /// Who was asked.
    pub endpoint: Endpoint,
    /// What the answer means.
    pub state: State,
    /// The data of the type at the name, or the CNAME there; sorted.
    pub answer: Vec<Rdata>,
    /// The TTL of `answer`; of a denial, the time for which it may be kept (RFC 2308 section 5).
    pub ttl: Option<Ttl>,
    /// The response code, where there was a response.
    pub rcode: Option<Rcode>,
    /// The round trip's time and transport, where there was a response.
    pub took: Option<(Duration, Transport)>,
    /// Why there was no response.
    pub error: Option<WireError>,
}

/// How many questions are outstanding at one server, over which [`check_once`] does not go.
const PER_SERVER: usize = 8;

/// A server that answered none of so many questions in a row is not asked the others.
const GIVE_UP_AFTER: usize = 3;

/// Asks every address about every target, straight and without recursion, all addresses at a
/// time, at most eight questions outstanding at each. The result is in the order of `targets`,
/// then of `endpoints`.
///
/// An address that gave no answer to the first few questions is not asked the others: these are
/// [`State::Unreachable`] for the same reason.
pub async fn check_once(ask: &impl Ask, endpoints: &[Endpoint], targets: &[Target]) -> Vec<Observation> {
    let pairs = |_: usize, _: &Endpoint| true;
    check_pairs(ask, endpoints, &Arc::from(targets), pairs).await
}

/// As [`check_once`], only the pairs of target and endpoint that `wanted` names.
pub(crate) async fn check_pairs(
    ask: &impl Ask,
    endpoints: &[Endpoint],
    targets: &Arc<[Target]>,
    wanted: impl Fn(usize, &Endpoint) -> bool,
) -> Vec<Observation> {
    let lanes = endpoints.iter().map(|endpoint| {
        let indices: Vec<usize> = (0..targets.len()).filter(|&target| wanted(target, endpoint)).collect();
        lane(ask.clone(), endpoint.clone(), Arc::clone(targets), indices)
    });
    // One after the other within a lane, so all lanes may run.
    let mut all: Vec<Observation> = run_all(lanes.collect(), usize::MAX).await.into_iter().flatten().collect();
    // Stable: within a target the order of the endpoints stays.
    all.sort_by_key(|observation| observation.target);
    all
}

async fn lane(ask: impl Ask, endpoint: Endpoint, targets: Arc<[Target]>, indices: Vec<usize>) -> Vec<Observation> {
    let question = |at: usize| {
        let (ask, endpoint, targets) = (ask.clone(), endpoint.clone(), Arc::clone(&targets));
        async move {
            let target = &targets[at];
            let query = Query::authoritative(target.name.clone(), target.rtype);
            let answer = ask.ask(endpoint.address, query).await;
            observe(at, endpoint, target, answer)
        }
    };
    let mut first = indices;
    let rest = first.split_off(first.len().min(GIVE_UP_AFTER));
    let mut seen = run_all(first.into_iter().map(&question).collect(), PER_SERVER).await;
    let dead = !rest.is_empty() && seen.iter().all(|observation| observation.error.is_some());
    if let Some(error) = seen.last().and_then(|o| o.error.clone()).filter(|_| dead) {
        seen.extend(rest.into_iter().map(|at| failed(at, endpoint.clone(), error.clone())));
    } else {
        seen.extend(run_all(rest.into_iter().map(&question).collect(), PER_SERVER).await);
    }
    seen
}

/// What an authoritative server's answer means.
pub(crate) fn observe(
    at: usize,
    endpoint: Endpoint,
    target: &Target,
    answer: Result<Exchange, WireError>,
) -> Observation {
    let exchange = match answer {
        Ok(exchange) => exchange,
        Err(error) => return failed(at, endpoint, error),
    };
    let mut observation = read(at, endpoint, target, &exchange);
    let message = &exchange.message;
    let denied_above = observation.answer.is_empty()
        && message.authority.iter().any(|r| r.rtype() == RecordType::SOA && !r.name.is_at_or_below(&target.zone));
    let answers = matches!(message.rcode, Rcode::NoError | Rcode::NxDomain);
    observation.state = if !answers || !message.authoritative || denied_above {
        State::Lame
    } else {
        target.judge(&observation.answer, observation.ttl)
    };
    observation
}

/// What is in an answer, judged as data alone: what a resolver says.
pub(crate) fn read(at: usize, endpoint: Endpoint, target: &Target, exchange: &Exchange) -> Observation {
    let message = &exchange.message;
    let mut records: Vec<_> = message.answers_of(&target.name, target.rtype).collect();
    if records.is_empty() {
        records = message.answers_of(&target.name, RecordType::CNAME).collect();
    }
    // An RRset has one TTL; where a server gives several, the shortest counts (RFC 2181 section 5.2).
    let ttl = records.iter().map(|record| record.ttl).min().or_else(|| denial_ttl(exchange));
    let mut answer: Vec<Rdata> = records.into_iter().map(|record| record.rdata.clone()).collect();
    answer.sort();
    answer.dedup();
    Observation {
        target: at,
        endpoint,
        state: target.judge(&answer, None),
        answer,
        ttl,
        rcode: Some(message.rcode),
        took: Some((exchange.rtt, exchange.transport)),
        error: None,
    }
}

pub(crate) fn failed(at: usize, endpoint: Endpoint, error: WireError) -> Observation {
    Observation {
        target: at,
        endpoint,
        state: State::Unreachable,
        answer: Vec::new(),
        ttl: None,
        rcode: None,
        took: None,
        error: Some(error),
    }
}

fn denial_ttl(exchange: &Exchange) -> Option<Ttl> {
    exchange.message.authority.iter().find_map(|record| match &record.rdata {
        Rdata::Soa(soa) => Some(record.ttl.min(Ttl::from_wire(soa.minimum))),
        _ => None,
    })
}

impl Target {
    /// Whether data (and a TTL, where it is to be looked at) is what shall be there.
    fn judge(&self, answer: &[Rdata], ttl: Option<Ttl>) -> State {
        let of_type = answer.iter().all(|rdata| rdata.rtype() == self.rtype);
        match &self.expected {
            Expected::Present { values, ttl: wanted, same } if !values.is_empty() => {
                let other_ttl = || wanted.zip(ttl).is_some_and(|(wanted, ttl)| wanted != ttl);
                if answer.is_empty() {
                    State::Missing
                } else if !of_type || !same(values, answer) || other_ttl() {
                    State::Stale
                } else {
                    State::Current
                }
            }
            Expected::Fulfilling(test) => {
                let of_type = if of_type { answer } else { &[] };
                if test(of_type) {
                    State::Current
                } else if answer.is_empty() {
                    State::Missing
                } else {
                    State::Stale
                }
            }
            // A CNAME at the name is another RRset than the one that shall not be.
            _ if answer.is_empty() || !of_type => State::Current,
            _ => State::Stale,
        }
    }
}

impl Observation {
    /// Whether the address cannot be reached from here for want of a route: no failure of the server.
    pub fn is_unreachable_from_here(&self) -> bool {
        self.error.as_ref().is_some_and(WireError::is_unreachable_from_here)
    }

    /// Where the question went.
    pub fn address(&self) -> SocketAddr {
        self.endpoint.address
    }
}

/// The same data in any order, octet for octet but for the case of names; duplicates count once
/// (RFC 2181 section 5). What kinds of records hold for equal is a closure of the caller's.
pub fn exactly() -> Same {
    Arc::new(|wanted, answered| {
        wanted.iter().all(|rdata| answered.contains(rdata)) && answered.iter().all(|rdata| wanted.contains(rdata))
    })
}

impl Expected {
    /// Exactly this data, whatever its TTL.
    pub fn exactly(values: Vec<Rdata>) -> Self {
        Self::Present { values, ttl: None, same: exactly() }
    }
}

impl fmt::Debug for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present { values, ttl, .. } => {
                f.debug_struct("Present").field("values", values).field("ttl", ttl).finish_non_exhaustive()
            }
            Self::Absent => f.write_str("Absent"),
            Self::Fulfilling(_) => f.write_str("Fulfilling"),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Current => "current",
            Self::Stale => "stale",
            Self::Missing => "missing",
            Self::Lame => "lame",
            Self::Unreachable => "unreachable",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Script, answer, denial, endpoint, name, target, txt};

    fn state(target: &Target, exchange: Exchange) -> State {
        observe(0, endpoint(1), target, Ok(exchange)).state
    }

    #[test]
    fn states() {
        let wanted = target("a.example", Some("new"));
        assert_eq!(state(&wanted, answer("A.example", &["new"])), State::Current);
        assert_eq!(state(&wanted, answer("a.example", &["old"])), State::Stale);
        assert_eq!(state(&wanted, answer("a.example", &["new", "old"])), State::Stale);
        assert_eq!(state(&wanted, answer("b.example", &["new"])), State::Missing);
        assert_eq!(state(&wanted, denial("example")), State::Missing);
        assert_eq!(state(&wanted, denial(".")), State::Lame);
        let absent = target("a.example", None);
        assert_eq!(state(&absent, denial("example")), State::Current);
        assert_eq!(state(&absent, denial(".")), State::Lame);
        assert_eq!(state(&absent, answer("a.example", &["old"])), State::Stale);
        for exchange in [answer("a.example", &["new"]), denial("example")] {
            let mut lame = exchange.clone();
            lame.message.authoritative = false;
            assert_eq!(state(&wanted, lame), State::Lame);
            let mut refused = exchange;
            refused.message.rcode = Rcode::Refused;
            assert_eq!(state(&absent, refused), State::Lame);
        }
        let some = Target { expected: Expected::Fulfilling(Arc::new(|data| data != [txt("bad")])), ..wanted.clone() };
        assert_eq!(state(&some, denial("example")), State::Current);
        assert_eq!(state(&some, answer("a.example", &["any"])), State::Current);
        assert_eq!(state(&some, answer("a.example", &["bad"])), State::Stale);
        let all = Target { expected: Expected::Fulfilling(Arc::new(|data| !data.is_empty())), ..wanted.clone() };
        assert_eq!(state(&all, denial("example")), State::Missing);
        let timeout = observe(0, endpoint(1), &wanted, Err(WireError::Timeout));
        assert!(timeout.state == State::Unreachable && !timeout.is_unreachable_from_here());
        assert!(observe(0, endpoint(1), &wanted, Err(WireError::NoRoute)).is_unreachable_from_here());
    }

    #[test]
    fn a_cname_in_the_way() {
        let mut exchange = answer("a.example", &[]);
        exchange.message.answers = vec![
            mailzone_wire::Record { name: name("a.example"), ttl: Ttl::ZERO, rdata: Rdata::Cname(name("t.example")) },
            mailzone_wire::Record { name: name("t.example"), ttl: Ttl::ZERO, rdata: txt("new") },
        ];
        let seen = observe(0, endpoint(1), &target("a.example", Some("new")), Ok(exchange.clone()));
        assert_eq!((seen.state, seen.answer), (State::Stale, vec![Rdata::Cname(name("t.example"))]));
        assert_eq!(state(&target("a.example", None), exchange.clone()), State::Current);
        let alias = Target {
            rtype: RecordType::CNAME,
            expected: Expected::exactly(vec![Rdata::Cname(name("T.example"))]),
            ..target("a.example", None)
        };
        assert_eq!(state(&alias, exchange), State::Current);
    }

    #[test]
    fn the_ttl_counts_where_it_was_asked_for() {
        let with = |seconds| Target {
            expected: Expected::Present { values: vec![txt("new")], ttl: Ttl::from_secs(seconds), same: exactly() },
            ..target("a.example", None)
        };
        assert_eq!(state(&with(300), answer("a.example", &["new"])), State::Current);
        assert_eq!(state(&with(301), answer("a.example", &["new"])), State::Stale);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_server_is_not_asked_everything() {
        let script =
            Script::new(
                |server, _, _| {
                    if server.port() == 1 { Err(WireError::Timeout) } else { Ok(answer("a.example", &["new"])) }
                },
            );
        let targets = vec![target("a.example", Some("new")); 50];
        let seen = check_once(&script, &[endpoint(1), endpoint(2)], &targets).await;
        assert_eq!(seen.len(), 100);
        let order: Vec<_> = seen.iter().map(|o| (o.target, o.address().port())).collect();
        assert!(order.is_sorted());
        assert!(seen.iter().all(|o| (o.state == State::Unreachable) == (o.address().port() == 1)));
        assert_eq!(script.asked(1), GIVE_UP_AFTER);
        assert_eq!(script.asked(2), 50);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_answer_is_no_dead_server() {
        let script = Script::new(|_, query, _| match query.name.labels().next() {
            Some(b"c") => Err(WireError::Timeout),
            _ => Ok(answer(&query.name.to_string(), &["new"])),
        });
        let targets = ["a.example", "b.example", "c.example", "d.example"].map(|owner| target(owner, Some("new")));
        let seen = check_once(&script, &[endpoint(1)], &targets).await;
        assert_eq!(seen.iter().map(|o| o.state == State::Current).collect::<Vec<_>>(), [true, true, false, true]);
    }
}
