//! The laws: of any zone and any batch of changes, everything that is not changed is stored afterwards as it was,
//! and the changes are there; a batch of which one set was edited meanwhile writes nothing; the way back is open.
//!
//! [`Law::hold`] makes zones and batches up. What fails is made smaller and printed as a text that [`holds`] takes:
//!
//! - `= OWNER TTL TYPE DATA`: a record of the zone
//! - `! OWNER TTL TYPE DATA`: a value that the changed set shall have, `! OWNER - TYPE` none
//! - `? OWNER TTL TYPE DATA`: what somebody else makes of a set of the batch, which is stale then
//! - `& OWNER TTL TYPE DATA`: what somebody else makes of another set, between plan and apply

mod case;
mod data;
mod dice;

use std::env;

use mailzone_provider::{Freshness, Outcome, RRsetChange, Snapshot};
use mailzone_record::{Name, RRset, RecordType, Ttl};

use self::case::{Case, Limits, Wish};
use self::dice::Dice;
use crate::Harness;
use crate::scene::{Check, Scene, Stop, View, ensure, untouched};

const ORIGIN: &str = "conformance.example.";

/// What is made up for a service. By default everything that DNS can say.
#[expect(missing_debug_implementations, reason = "functions")]
pub struct Law<'a> {
    harness: &'a dyn Harness,
    rounds: u64,
    held: Box<dyn Fn(&RRset) -> bool + Send + Sync>,
    sent: Box<dyn Fn(&RRset) -> bool + Send + Sync>,
}

/// What the rounds came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// The rounds.
    pub rounds: u64,
    /// The changes written.
    pub written: usize,
    /// The changes that the provider refused before.
    pub refused: usize,
    /// The batches found stale.
    pub stale: usize,
    /// The batches taken back.
    pub undone: usize,
}

impl<'a> Law<'a> {
    /// So many rounds with 256 cases of `PROPTEST_CASES`, more with more; the zones follow from `PROPTEST_RNG_SEED`.
    pub fn new(harness: &'a dyn Harness, rounds: u64) -> Self {
        Self { harness, rounds, held: Box::new(|_| true), sent: Box::new(|_| true) }
    }

    /// Which records, each as a set of one value, the service can hold: others are not in its zones.
    #[must_use]
    pub fn held(self, held: impl Fn(&RRset) -> bool + Send + Sync + 'static) -> Self {
        Self { held: Box::new(held), ..self }
    }

    /// Which new values the service takes, where the provider cannot know and does not refuse others.
    #[must_use]
    pub fn sent(self, sent: impl Fn(&RRset) -> bool + Send + Sync + 'static) -> Self {
        Self { sent: Box::new(sent), ..self }
    }

    /// Plays the rounds.
    ///
    /// # Panics
    /// With the smallest case found, if the law is broken.
    #[expect(clippy::panic, reason = "this is an assertion")]
    pub async fn hold(&self) -> Tally {
        let (seed, rounds) = (number("PROPTEST_RNG_SEED", 1), self.rounds * number("PROPTEST_CASES", 256) / 256);
        let ttl = self.harness.provider().capabilities().ttl;
        let origin = Name::parse(ORIGIN).unwrap_or_else(|_| Name::root());
        let limits = Limits { origin, ttl, held: &self.held, sent: &self.sent };
        let mut tally = Tally { rounds: rounds.max(1), ..Tally::default() };
        for round in 0..tally.rounds {
            let case = Case::random(&mut Dice::new(seed, round), &limits);
            if let Err(message) = play(self.harness, &case, &mut tally).await {
                let (case, message) = smallest(self.harness, case, message).await;
                panic!("PROPTEST_RNG_SEED={seed}, round {round}\n{case}{message}");
            }
        }
        tally
    }
}

/// Plays one case, given as its text.
///
/// # Panics
/// If the law is broken, or the text is no case.
#[expect(clippy::panic, reason = "this is an assertion")]
pub async fn holds(harness: &dyn Harness, case: &str) -> Tally {
    let Some(case) = Case::parse(case) else { panic!("no case: {case}") };
    let mut tally = Tally { rounds: 1, ..Tally::default() };
    match play(harness, &case, &mut tally).await {
        Ok(()) => tally,
        Err(message) => panic!("{case}{message}"),
    }
}

fn number(variable: &str, default: u64) -> u64 {
    env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Leaves out what can be left out, as long as something fails.
async fn smallest(harness: &dyn Harness, mut case: Case, mut message: String) -> (Case, String) {
    // Each try is a round; the failure is worth some hundreds.
    let mut tries = 600;
    loop {
        let mut smaller = None;
        for next in case.smaller() {
            tries -= 1;
            if tries == 0 {
                return (case, message);
            }
            if let Err(failure) = play(harness, &next, &mut Tally::default()).await {
                smaller = Some((next, failure));
                break;
            }
        }
        match smaller {
            Some((next, failure)) => (case, message) = (next, failure),
            None => return (case, message),
        }
    }
}

/// Says which case it was when the harness itself panics.
struct Witness<'a>(&'a Case);

impl Drop for Witness<'_> {
    #[expect(clippy::print_stderr, reason = "for the reader of a failed test")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}

async fn play(harness: &dyn Harness, case: &Case, tally: &mut Tally) -> Result<(), String> {
    let _witness = Witness(case);
    match round(harness, case, tally).await {
        Ok(()) => Ok(()),
        Err(Stop::Failed(message) | Stop::Skipped(message)) => Err(message),
    }
}

async fn round(harness: &dyn Harness, case: &Case, tally: &mut Tally) -> Check {
    if let Some(stranger) = &case.stranger {
        let scene = Scene::set(harness, ORIGIN, &case.zone.join("\n")).await?;
        let changes = planned(&scene, &scene.snapshot().await?, &case.batch, &mut 0)?;
        stale(&scene, &changes, stranger, tally).await?;
    }
    let scene = Scene::set(harness, ORIGIN, &case.zone.join("\n")).await?;
    let original = scene.view().await?;
    all_is_read(&scene, &original.snapshot, case)?;
    let changes = planned(&scene, &original.snapshot, &case.batch, &mut tally.refused)?;
    let mut start = original;
    if let Some(beside) = &case.beside {
        somebody_else(&scene, beside).await?;
        start = scene.view().await?;
    }
    if changes.is_empty() {
        return scene.unchanged_since(&start).await;
    }
    let after = scene.change(&changes).await?;
    tally.written += changes.len();
    undo(&scene, &changes, &start, &after, tally).await
}

/// The snapshot has every record that was seeded.
fn all_is_read(scene: &Scene<'_>, snapshot: &Snapshot, case: &Case) -> Check {
    let zone = &scene.zone().name;
    for expected in crate::parse_seed(zone, &case.zone.join("\n")) {
        let live = snapshot.get(&expected.name, expected.rtype);
        let same = live.is_some_and(|live| {
            live.same_data(&expected) && (live.ttl == expected.ttl || !scene.provider().capabilities().ttl.per_rrset)
        });
        ensure(same, || format!("{expected:?} is read as {live:?}"))?;
    }
    Ok(())
}

/// The changes as a planner makes them: none of what is as wanted, none at a name where the provider refuses one.
fn planned(scene: &Scene<'_>, snapshot: &Snapshot, batch: &[Wish], refused: &mut usize) -> Check<Vec<RRsetChange>> {
    let mut changes = Vec::new();
    for Wish { owner, ttl, rtype, values } in batch {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let Ok(change) = scene.plan_from(snapshot, owner, rtype, *ttl, &values) else { continue };
        let same = match (change.before(), change.after()) {
            (Some(before), Some(after)) => before.same_records(after),
            _ => false,
        };
        if !same {
            changes.push(change);
        }
    }
    Ok(without_refused(scene, changes, refused))
}

fn without_refused(scene: &Scene<'_>, mut changes: Vec<RRsetChange>, count: &mut usize) -> Vec<RRsetChange> {
    let refused = |change: &&RRsetChange| !scene.provider().refuse(change).is_empty();
    let names: Vec<Name> = changes.iter().filter(refused).map(|change| change.name().clone()).collect();
    let all = changes.len();
    changes.retain(|change| !names.contains(change.name()));
    *count += all - changes.len();
    changes
}

async fn somebody_else(scene: &Scene<'_>, wish: &Wish) -> Check {
    let values: Vec<&str> = wish.values.iter().map(String::as_str).collect();
    scene.somebody_else(&wish.owner, &wish.rtype, wish.ttl.unwrap_or(3600), &values).await
}

/// One set is somebody else's by now: nothing is written in the whole zone.
async fn stale(scene: &Scene<'_>, changes: &[RRsetChange], stranger: &Wish, tally: &mut Tally) -> Check {
    somebody_else(scene, stranger).await?;
    let before = scene.view().await?;
    let compared: Vec<Freshness> =
        changes.iter().map(|change| change.compare(before.snapshot.get(change.name(), change.rtype()))).collect();
    if !compared.contains(&Freshness::Stale) {
        return Ok(());
    }
    let receipt = scene.apply(changes).await?;
    for ((change, freshness), result) in changes.iter().zip(&compared).zip(&receipt.results) {
        let good = match freshness {
            Freshness::Stale => result.outcome == Outcome::Stale,
            Freshness::Already => matches!(result.outcome, Outcome::Already | Outcome::Skipped),
            Freshness::AsPlanned => result.outcome == Outcome::Skipped,
        };
        ensure(good, || format!("{} {} is {freshness:?}, got {result:?}", change.name(), change.rtype()))?;
    }
    tally.stale += 1;
    scene.unchanged_since(&before).await
}

/// The way back: the sets are what they were, as far as the provider takes them.
async fn undo(scene: &Scene<'_>, changes: &[RRsetChange], start: &View, after: &View, tally: &mut Tally) -> Check {
    let mut inverse = Vec::new();
    for change in changes.iter().rev() {
        let live = after.snapshot.get(change.name(), change.rtype());
        let mut old = change.before().cloned();
        for value in old.iter_mut().flat_map(|set| &mut set.values) {
            let known = live.into_iter().flat_map(|live| &live.values).find(|known| known.rdata == value.rdata);
            // What was deleted comes back without the identifier that it had.
            match known {
                Some(known) => *value = known.clone(),
                None => value.origin = None,
            }
        }
        inverse.extend(RRsetChange::new(live.cloned(), old));
    }
    // A CNAME and what stands in its place: the deletion first.
    inverse.sort_by_key(|change| change.after().is_some());
    let all = inverse.len();
    let inverse = without_refused(scene, inverse, &mut 0);
    if inverse.is_empty() {
        return Ok(());
    }
    let back = scene.change(&inverse).await?;
    tally.undone += 1;
    let touched =
        |key: &mailzone_record::RRsetKey| changes.iter().any(|c| *c.name() == key.name && c.rtype() == key.rtype);
    untouched(start, &back, &touched)?;
    if inverse.len() < all {
        return Ok(());
    }
    let sets = |view: &View| -> Vec<RRset> {
        view.snapshot.rrsets().iter().filter(|set| set.rtype != RecordType::SOA).cloned().collect()
    };
    let (old, new) = (sets(start), sets(&back));
    ensure(old.len() == new.len() && old.iter().zip(&new).all(|(old, new)| old.same_records(new)), || {
        let ttls = |sets: &[RRset]| -> Vec<Option<Ttl>> { sets.iter().map(|set| set.ttl).collect() };
        format!("the way back leads elsewhere: {old:?} {:?}, {new:?} {:?}", ttls(&old), ttls(&new))
    })
}
