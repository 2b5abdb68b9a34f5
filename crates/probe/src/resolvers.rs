//! Do resolvers give the new RRsets? Asked only about what is visible at the authoritative servers.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mailzone_record::Ttl;
use mailzone_wire::{Exchange, Query, Rcode, WireError};
use tokio::time::Instant;

use crate::ask::run_all;
use crate::visibility::{failed, read};
use crate::{Ask, Before, Endpoint, Observation, Progress, State, Target, Visible};

/// What one resolver answered about one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolverObservation {
    /// What it answered. [`State::Lame`]: it failed, refused, or does not recurse.
    pub seen: Observation,
    /// Where the answer is old, or denies what is there now: how long after the observation it may
    /// still be given from a cache that was filled in good faith. `None` where that time has run
    /// out, which is against the standard, and in every other state.
    pub gone_in: Option<Duration>,
}

/// How many questions are outstanding at one resolver.
const PER_RESOLVER: usize = 8;

/// Resolvers count whole seconds: an answer may outlive its TTL by a part of one.
const GRAIN: Duration = Duration::from_secs(1);

/// The pauses between the rounds of [`wait_until_settled`]; the last one repeats.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
    Duration::from_secs(30),
];

/// Asks each resolver once about each target of `visible`, all at a time. The result is in the
/// order of targets, then of resolvers; a target keeps its place in the list that was waited for.
pub async fn check_resolvers(ask: &impl Ask, resolvers: &[SocketAddr], visible: &Visible) -> Vec<ResolverObservation> {
    let pairs = visible.targets().flat_map(|(at, _)| resolvers.iter().map(move |&resolver| (at, resolver)));
    look(ask, visible, pairs.collect()).await
}

/// As [`check_resolvers`], and asks again, with growing pauses, those that give an old answer,
/// until each has the new one or its old one's time has run out, `longest` has passed, or
/// `cancelled` is ready. Resolvers that fail or do not answer are asked once.
pub async fn wait_until_settled(
    ask: &impl Ask,
    resolvers: &[SocketAddr],
    visible: &Visible,
    longest: Duration,
    mut on_round: impl FnMut(&Progress<'_>),
    cancelled: impl Future<Output = ()>,
) -> Vec<ResolverObservation> {
    let began = Instant::now();
    let mut cancelled = std::pin::pin!(cancelled);
    let mut seen = tokio::select! {
        biased;
        () = &mut cancelled => return Vec::new(),
        seen = check_resolvers(ask, resolvers, visible) => seen,
    };
    for round in 1.. {
        // The places to ask again.
        let pending: Vec<usize> = (0..seen.len()).filter(|&place| seen[place].gone_in.is_some()).collect();
        let elapsed = began.elapsed();
        let soonest = pending.iter().filter_map(|&place| seen[place].gone_in).min();
        let pause = PAUSES.get(round - 1).or(PAUSES.last()).copied().unwrap_or_default();
        let next = soonest
            .map(|soonest| pause.min(soonest))
            .filter(|_| elapsed < longest)
            .map(|pause| pause.min(longest.saturating_sub(elapsed)));
        let observations: Vec<Observation> = seen.iter().map(|resolver| resolver.seen.clone()).collect();
        on_round(&Progress { round, elapsed, observations: &observations, pending: pending.len(), next });
        let Some(next) = next else { break };
        let pairs = pending.iter().map(|&place| (seen[place].seen.target, seen[place].seen.address())).collect();
        let again = async {
            tokio::time::sleep(next).await;
            look(ask, visible, pairs).await
        };
        let fresh = tokio::select! {
            biased;
            () = &mut cancelled => break,
            fresh = again => fresh,
        };
        for (place, observation) in pending.into_iter().zip(fresh) {
            seen[place] = observation;
        }
    }
    seen
}

/// How much longer an old answer may come from a cache, `since` after the last authoritative
/// server got the new data: until the old RRset's TTL, or the negative TTL (RFC 2308 section 5: the
/// lesser of the SOA's TTL and its last field), has run out, and a second more. Where the
/// state before is not known, `answered` decides: the TTL that the resolver itself gives. `None` if
/// that time is over.
pub fn gone_in(before: Before, since: Duration, answered: Option<Ttl>) -> Option<Duration> {
    let whole = |ttl: Ttl| Duration::from_secs(u64::from(ttl.as_secs())) + GRAIN;
    let left = |ttl: Ttl| whole(ttl).checked_sub(since).filter(|d| !d.is_zero());
    match before {
        Before::Present(ttl) => left(ttl),
        Before::Absent { soa_ttl, minimum } => left(soa_ttl.min(Ttl::from_wire(minimum))),
        // The resolver's TTL counts from now.
        Before::Unknown => answered.map(whole),
        Before::Unchanged => None,
    }
}

/// Asks about these pairs of target and resolver; the result is in their order.
async fn look(ask: &impl Ask, visible: &Visible, pairs: Vec<(usize, SocketAddr)>) -> Vec<ResolverObservation> {
    let targets: Arc<[(usize, Target)]> = visible.targets().map(|(at, target)| (at, target.clone())).collect();
    let mut lanes: Vec<(SocketAddr, Vec<usize>)> = Vec::new();
    for (at, resolver) in &pairs {
        let Ok(place) = targets.binary_search_by_key(at, |(at, _)| *at) else { continue };
        match lanes.iter_mut().find(|(known, _)| known == resolver) {
            Some((_, places)) => places.push(place),
            None => lanes.push((*resolver, vec![place])),
        }
    }
    let since = visible.since();
    let lanes = lanes.into_iter().map(|(resolver, places)| {
        let (ask, targets) = (ask.clone(), Arc::clone(&targets));
        async move {
            let questions = places.into_iter().map(|place| {
                let (ask, targets) = (ask.clone(), Arc::clone(&targets));
                async move {
                    // A place found in this very list.
                    let (at, target) = &targets[place];
                    let query = Query::recursive(target.name.clone(), target.rtype);
                    let answer = ask.ask(resolver, query).await;
                    observe(*at, resolver, target, answer, since.elapsed())
                }
            });
            run_all(questions.collect(), PER_RESOLVER).await
        }
    });
    let mut all: Vec<ResolverObservation> = run_all(lanes.collect(), usize::MAX).await.into_iter().flatten().collect();
    let order: HashMap<(usize, SocketAddr), usize> = pairs.into_iter().zip(0..).collect();
    all.sort_by_key(|o| order.get(&(o.seen.target, o.seen.address())).copied());
    all
}

fn observe(
    at: usize,
    resolver: SocketAddr,
    target: &Target,
    answer: Result<Exchange, WireError>,
    since: Duration,
) -> ResolverObservation {
    let endpoint = Endpoint { server: None, address: resolver };
    let exchange = match answer {
        Ok(exchange) => exchange,
        Err(error) => return ResolverObservation { seen: failed(at, endpoint, error), gone_in: None },
    };
    let mut seen = read(at, endpoint, target, &exchange);
    let message = &exchange.message;
    // An authority that is given as a resolver knows without recursion.
    let knows = message.recursion_available || message.authoritative;
    if !matches!(message.rcode, Rcode::NoError | Rcode::NxDomain) || !knows {
        seen.state = State::Lame;
    }
    let old = matches!(seen.state, State::Stale | State::Missing);
    let gone_in = if old { gone_in(target.before, since, seen.ttl) } else { None };
    ResolverObservation { seen, gone_in }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::future::pending;

    use super::*;
    use crate::testing::{Script, answer, denial, endpoint, target};
    use crate::{Patience, wait_until_visible};

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn ttl(seconds: u32) -> Ttl {
        Ttl::from_secs(seconds).unwrap()
    }

    #[test]
    fn the_honest_bound() {
        assert_eq!(gone_in(Before::Present(ttl(300)), secs(100), Some(ttl(5))), Some(secs(201)));
        assert_eq!(gone_in(Before::Present(ttl(300)), secs(300), Some(ttl(5))), Some(secs(1)));
        assert_eq!(gone_in(Before::Present(ttl(300)), secs(301), Some(ttl(5))), None);
        assert_eq!(gone_in(Before::Absent { soa_ttl: ttl(900), minimum: 60 }, secs(10), None), Some(secs(51)));
        assert_eq!(gone_in(Before::Absent { soa_ttl: ttl(30), minimum: 60 }, secs(10), None), Some(secs(21)));
        assert_eq!(gone_in(Before::Unknown, secs(10), Some(ttl(7))), Some(secs(8)));
        assert_eq!(gone_in(Before::Unknown, secs(10), None), None);
        assert_eq!(gone_in(Before::Unchanged, secs(0), Some(ttl(7))), None);
    }

    /// Port 1 is the authoritative server; 2 a fresh resolver, 3 with an old answer until 40 s, 4
    /// with a denial for ever, 5 that fails, 6 that does not recurse.
    fn script() -> Script {
        Script::new(|server, query, at| {
            let mut exchange = match server.port() {
                3 if at < secs(40) => answer("a.example", &["old"]),
                4 => denial("example"),
                _ => answer("a.example", &["new"]),
            };
            assert_eq!(query.recursion_desired, server.port() != 1);
            exchange.message.recursion_available = server.port() < 6;
            exchange.message.authoritative = server.port() == 1;
            if server.port() == 5 {
                exchange.message.rcode = Rcode::ServFail;
            }
            Ok(exchange)
        })
    }

    async fn visible(script: &Script, before: Before) -> Visible {
        let targets = [Target { before, ..target("a.example", Some("new")) }, target("a.example", Some("never"))];
        let patience = Patience { deadline: secs(0), ..Patience::default() };
        let down = HashSet::new();
        wait_until_visible(script, &[endpoint(1)], &targets, &down, patience, |_| {}, pending()).await.visible
    }

    fn addresses() -> Vec<SocketAddr> {
        (2..=6).map(|port| endpoint(port).address).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn one_look() {
        let script = script();
        let visible = visible(&script, Before::Present(ttl(60))).await;
        let seen = check_resolvers(&script, &addresses(), &visible).await;
        let states: Vec<_> = seen.iter().map(|o| (o.seen.address().port(), o.seen.state, o.gone_in)).collect();
        let minute = Some(secs(61));
        assert_eq!(
            states,
            [
                (2, State::Current, None),
                (3, State::Stale, minute),
                (4, State::Missing, minute),
                (5, State::Lame, None),
                (6, State::Lame, None),
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn waits_until_the_bound_and_no_longer() {
        let script = script();
        let visible = visible(&script, Before::Present(ttl(60))).await;
        let mut last = None;
        let progress = |p: &Progress<'_>| last = Some((p.pending, p.elapsed));
        let seen = wait_until_settled(&script, &addresses(), &visible, secs(3600), progress, pending()).await;
        assert_eq!(seen[1].seen.state, State::Current);
        assert_eq!((seen[2].seen.state, seen[2].gone_in), (State::Missing, None));
        assert_eq!([2, 5, 6].map(|port| script.asked(port)), [1, 1, 1]);
        let (left, elapsed) = last.unwrap();
        assert!(left == 0 && elapsed >= secs(60) && elapsed < secs(90));
    }

    #[tokio::test(start_paused = true)]
    async fn each_answer_takes_its_own_place() {
        // What is old differs by target and resolver, so that later rounds ask for some alone.
        let script = Script::new(|server, query, at| {
            let first = query.name.labels().next() == Some(b"a");
            let old = match server.port() {
                2 => !first && at < secs(5),
                3 => at < secs(if first { 20 } else { 10 }),
                _ => false,
            };
            let mut exchange = answer(&query.name.to_string(), &[if old { "old" } else { "new" }]);
            exchange.message.answers[0].ttl = ttl(u32::from(server.port()));
            Ok(exchange)
        });
        let before = Before::Present(ttl(60));
        let targets = ["a.example", "b.example"].map(|owner| Target { before, ..target(owner, Some("new")) });
        let (down, patience) = (HashSet::new(), Patience::default());
        let outcome = wait_until_visible(&script, &[endpoint(1)], &targets, &down, patience, |_| {}, pending()).await;
        let mut pending_by_round = Vec::new();
        let progress = |p: &Progress<'_>| pending_by_round.push(p.pending);
        let resolvers = [endpoint(2).address, endpoint(3).address];
        let seen = wait_until_settled(&script, &resolvers, &outcome.visible, secs(3600), progress, pending()).await;
        assert_eq!(pending_by_round, [3, 3, 2, 1, 0]);
        let places: Vec<_> = seen.iter().map(|o| (o.seen.target, o.seen.address().port(), o.seen.ttl)).collect();
        assert_eq!(places, [(0, 2, Some(ttl(2))), (0, 3, Some(ttl(3))), (1, 2, Some(ttl(2))), (1, 3, Some(ttl(3)))]);
        assert!(seen.iter().all(|o| o.seen.state == State::Current && o.gone_in.is_none()));
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_wait_and_cancelling_end_it() {
        let script = script();
        let visible = visible(&script, Before::Present(ttl(6000))).await;
        let began = Instant::now();
        let seen = wait_until_settled(&script, &addresses(), &visible, secs(20), |_| {}, pending()).await;
        assert_eq!(began.elapsed(), secs(20));
        assert_eq!(seen[1].gone_in, Some(secs(5981)));
        let cancel = tokio::time::sleep(secs(5));
        let seen = wait_until_settled(&script, &addresses(), &visible, secs(20), |_| {}, cancel).await;
        assert_eq!((began.elapsed(), seen.len()), (secs(25), 5));
    }
}
