//! Waiting until every authoritative server gives the new RRsets.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::visibility::check_pairs;
use crate::{Ask, Endpoint, Observation, State, Target};

/// How long to wait, and how often to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// No round begins later than this after the first.
    pub deadline: Duration,
    /// The pause after the first round; each pause is twice the one before.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

/// Where a wait stands after a round of questions.
#[derive(Debug)]
pub struct Progress<'a> {
    /// Rounds so far, from 1.
    pub round: usize,
    /// Time since the first round began.
    pub elapsed: Duration,
    /// The latest observation of each pair of target and address.
    pub observations: &'a [Observation],
    /// How many of them are still waited for.
    pub pending: usize,
    /// The pause before the next round; `None` if there is none.
    pub next: Option<Duration>,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every address that is waited for gives every target.
    Visible,
    /// Something was not visible at the deadline.
    Deadline,
    /// Of some target no address gave an authoritative answer, and none is waited for.
    NobodyAnswers,
    /// The caller gave up.
    Cancelled,
}

/// What a wait found.
#[derive(Debug)]
pub struct Outcome {
    /// The latest observation of each pair, in the order of [`crate::check_once`]. Empty only if
    /// the wait was cancelled in its first round, or nothing was asked about.
    pub observations: Vec<Observation>,
    /// Why it ended.
    pub ended: Ended,
    /// What is visible everywhere; resolvers may be asked about that.
    pub visible: Visible,
    /// Time since the first round began.
    pub elapsed: Duration,
}

/// Proof that targets were seen at every reachable authoritative server, and when.
///
/// Only [`wait_until_visible`] makes one, and resolvers are asked only with one: a resolver that
/// is asked too early would keep the denial.
#[derive(Debug, Clone)]
pub struct Visible {
    targets: Arc<[Target]>,
    visible: Vec<usize>,
    since: Instant,
}

impl Default for Patience {
    /// Two minutes; pauses from 100 ms to 30 s.
    fn default() -> Self {
        Self { deadline: Duration::from_secs(120), first: Duration::from_millis(100), longest: Duration::from_secs(30) }
    }
}

impl Outcome {
    /// Whether everything asked about is visible.
    pub fn is_visible(&self) -> bool {
        self.ended == Ended::Visible
    }
}

impl Visible {
    /// The targets that are visible everywhere, with their place in the list that was waited for.
    pub fn targets(&self) -> impl Iterator<Item = (usize, &Target)> {
        self.visible.iter().filter_map(|&at| Some((at, self.targets.get(at)?)))
    }

    /// When the last of them was seen.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Whether the target at this place is visible everywhere.
    pub fn contains(&self, target: usize) -> bool {
        self.visible.binary_search(&target).is_ok()
    }
}

/// Asks every address about every target, again and again with growing pauses what is not there
/// yet, until all have answered with the new data, the deadline has passed, or `cancelled` is ready.
///
/// `down` are the addresses that were lame or unreachable before the first write: they are asked
/// once more and not waited for, unless they have recovered and answer as an authority. An address
/// without a route from here is never waited for. Seen once is enough for a pair. A question that
/// is out at the deadline is waited for, as long as `ask` lets it take.
pub async fn wait_until_visible(
    ask: &impl Ask,
    endpoints: &[Endpoint],
    targets: &[Target],
    down: &HashSet<SocketAddr>,
    patience: Patience,
    mut on_round: impl FnMut(&Progress<'_>),
    cancelled: impl Future<Output = ()>,
) -> Outcome {
    let targets: Arc<[Target]> = Arc::from(targets);
    let began = Instant::now();
    let mut seen: Vec<Observation> = Vec::new();
    let mut since = began;
    let mut pause = patience.first;
    let mut cancelled = std::pin::pin!(cancelled);
    let mut round = 0;
    let ended = loop {
        round += 1;
        let look = next_round(ask, endpoints, &targets, &seen, down);
        let fresh = tokio::select! {
            biased;
            () = &mut cancelled => break Ended::Cancelled,
            fresh = look => fresh,
        };
        if fresh.iter().any(|observation| observation.state == State::Current) {
            since = Instant::now();
        }
        merge(&mut seen, fresh);
        let pending = seen.iter().filter(|observation| is_pending(observation, down)).count();
        let elapsed = began.elapsed();
        let left = patience.deadline.saturating_sub(elapsed);
        let next = (pending > 0 && !left.is_zero()).then(|| pause.min(left).max(Duration::from_millis(1)));
        on_round(&Progress { round, elapsed, observations: &seen, pending, next });
        let Some(next) = next else {
            break match pending {
                0 if visible_everywhere(targets.len(), &seen, down).len() == targets.len() => Ended::Visible,
                0 => Ended::NobodyAnswers,
                _ => Ended::Deadline,
            };
        };
        tokio::select! {
            biased;
            () = &mut cancelled => break Ended::Cancelled,
            () = tokio::time::sleep(next) => {}
        }
        pause = pause.saturating_mul(2).min(patience.longest);
    };
    let visible = visible_everywhere(targets.len(), &seen, down);
    Outcome { observations: seen, ended, visible: Visible { targets, visible, since }, elapsed: began.elapsed() }
}

async fn next_round(
    ask: &impl Ask,
    endpoints: &[Endpoint],
    targets: &Arc<[Target]>,
    seen: &[Observation],
    down: &HashSet<SocketAddr>,
) -> Vec<Observation> {
    if seen.is_empty() {
        return check_pairs(ask, endpoints, targets, |_, _| true).await;
    }
    let pending: HashSet<(usize, SocketAddr)> =
        seen.iter().filter(|o| is_pending(o, down)).map(|o| (o.target, o.address())).collect();
    check_pairs(ask, endpoints, targets, |target, endpoint| pending.contains(&(target, endpoint.address))).await
}

/// Puts new observations in the place of the old ones of the same pair.
fn merge(seen: &mut Vec<Observation>, fresh: Vec<Observation>) {
    if seen.is_empty() {
        *seen = fresh;
        return;
    }
    let places: HashMap<(usize, SocketAddr), usize> =
        seen.iter().enumerate().map(|(place, o)| ((o.target, o.address()), place)).collect();
    for observation in fresh {
        if let Some(&place) = places.get(&(observation.target, observation.address())) {
            // The places are of `seen` itself, which does not shrink.
            seen[place] = observation;
        }
    }
}

fn is_pending(observation: &Observation, down: &HashSet<SocketAddr>) -> bool {
    match observation.state {
        State::Current => false,
        State::Stale | State::Missing => true,
        State::Lame | State::Unreachable => {
            !observation.is_unreachable_from_here() && !down.contains(&observation.address())
        }
    }
}

/// The targets that nobody is waited for and somebody gave.
fn visible_everywhere(targets: usize, seen: &[Observation], down: &HashSet<SocketAddr>) -> Vec<usize> {
    let mut given = vec![false; targets];
    let mut pending = vec![false; targets];
    for observation in seen {
        // A target's number comes from the list that was asked about.
        given[observation.target] |= observation.state == State::Current;
        pending[observation.target] |= is_pending(observation, down);
    }
    (0..targets).filter(|&target| given[target] && !pending[target]).collect()
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use mailzone_wire::WireError;

    use super::*;
    use crate::testing::{Script, answer, endpoint, target};

    /// Server 1 has the new data after 3 s, server 2 at once, server 3 never answers, 4 has no route.
    fn script() -> Script {
        Script::new(|server, _, at| match server.port() {
            1 if at < Duration::from_secs(3) => Ok(answer("a.example", &["old"])),
            3 => Err(WireError::Timeout),
            4 => Err(WireError::NoRoute),
            _ => Ok(answer("a.example", &["new"])),
        })
    }

    async fn wait(script: &Script, ports: &[u16], down: &[u16], deadline: u64) -> Outcome {
        let endpoints: Vec<_> = ports.iter().copied().map(endpoint).collect();
        let down = down.iter().map(|&port| endpoint(port).address).collect();
        let patience = Patience { deadline: Duration::from_secs(deadline), ..Patience::default() };
        let targets = [target("a.example", Some("new"))];
        wait_until_visible(script, &endpoints, &targets, &down, patience, |_| {}, pending()).await
    }

    #[tokio::test(start_paused = true)]
    async fn waits_for_the_slow_one_with_growing_pauses() {
        let script = script();
        let outcome = wait(&script, &[1, 2, 4], &[], 120).await;
        assert!(outcome.is_visible());
        assert!(outcome.visible.contains(0));
        assert!(outcome.observations.iter().any(Observation::is_unreachable_from_here));
        // After 0, 0.1, 0.3, 0.7, 1.5 and 3.1 s.
        assert_eq!(script.asked(1), 6);
        assert_eq!(script.asked(2), 1);
        assert_eq!(script.times().last().unwrap().as_millis() / 100, 31);
        assert_eq!(outcome.visible.since(), Instant::now());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_down_before_is_not_waited_for_and_what_goes_down_is() {
        let script = script();
        let outcome = wait(&script, &[2, 3], &[3], 120).await;
        assert!(outcome.is_visible());
        assert_eq!(outcome.observations[1].state, State::Unreachable);
        assert_eq!(script.asked(3), 1);
        let outcome = wait(&script, &[2, 3], &[], 20).await;
        assert_eq!(outcome.ended, Ended::Deadline);
        assert!(!outcome.visible.contains(0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_down_and_is_back_counts() {
        let outcome = wait(&script(), &[1, 2], &[1], 2).await;
        assert_eq!(outcome.ended, Ended::Deadline);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_proves_nothing() {
        let outcome = wait(&script(), &[3, 4], &[3], 120).await;
        assert_eq!(outcome.ended, Ended::NobodyAnswers);
        assert_eq!(outcome.visible.targets().count(), 0);
        assert_eq!(wait(&script(), &[], &[], 120).await.ended, Ended::NobodyAnswers);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_round_is_at_the_deadline() {
        let script = Script::new(|_, _, _| Ok(answer("a.example", &["old"])));
        let outcome = wait(&script, &[1], &[], 100).await;
        assert_eq!(outcome.ended, Ended::Deadline);
        let times = script.times();
        assert_eq!(times.last().unwrap().as_secs(), 100);
        let pauses: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let (last, grown) = pauses.split_last().unwrap();
        assert!(grown.is_sorted() && pauses.iter().all(|pause| *pause <= Duration::from_secs(31)));
        assert!(*last <= Duration::from_secs(31));
    }

    #[tokio::test(start_paused = true)]
    async fn visible_is_per_target() {
        let script = Script::new(|_, query, _| Ok(answer(&query.name.to_string(), &["new"])));
        let targets = [target("a.example", Some("other")), target("b.example", Some("new"))];
        let patience = Patience { deadline: Duration::from_secs(1), ..Patience::default() };
        let mut rounds = Vec::new();
        let progress = |p: &Progress<'_>| rounds.push((p.round, p.pending, p.next.is_some()));
        let down = HashSet::new();
        let outcome = wait_until_visible(&script, &[endpoint(1)], &targets, &down, patience, progress, pending()).await;
        assert_eq!(outcome.visible.targets().map(|(at, _)| at).collect::<Vec<_>>(), [1]);
        assert_eq!(rounds.first(), Some(&(1, 1, true)));
        assert_eq!(rounds.last().map(|(_, pending, next)| (*pending, *next)), Some((1, false)));
    }

    #[tokio::test(start_paused = true)]
    async fn cancelled() {
        let script = script();
        let down = HashSet::new();
        let targets = [target("a.example", Some("new"))];
        let now =
            wait_until_visible(&script, &[endpoint(1)], &targets, &down, Patience::default(), |_| {}, ready(())).await;
        assert_eq!((now.ended, now.observations.len()), (Ended::Cancelled, 0));
        let soon = tokio::time::sleep(Duration::from_secs(1));
        let later =
            wait_until_visible(&script, &[endpoint(1)], &targets, &down, Patience::default(), |_| {}, soon).await;
        assert_eq!((later.ended, later.observations[0].state), (Ended::Cancelled, State::Stale));
    }

    #[tokio::test(start_paused = true)]
    async fn no_targets_are_visible() {
        let down = HashSet::new();
        let (script, patience) = (script(), Patience::default());
        let none = wait_until_visible(&script, &[endpoint(3)], &[], &down, patience, |_| {}, pending()).await;
        assert!(none.is_visible());
    }
}
