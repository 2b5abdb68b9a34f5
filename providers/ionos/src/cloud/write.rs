//! Writing: one request for each value, and what became of it when one fails.

use std::collections::HashSet;

use mailzone_provider::{Batch, Freshness, Outcome, ProviderError, RRsetChange, Receipt, Retry, Snapshot, Zone};
use mailzone_record::{RRsetKey, Rdata, RecordType};

use super::IonosCloudProvider;
use super::listing::{DEFAULT_TTL, Held, Listing, Properties, State};
use crate::text;
use crate::value::{self, Dialect};

/// One request of a batch.
struct Step<'a> {
    /// The change that it belongs to, by its place in the batch.
    change: usize,
    order: Order,
    what: What<'a>,
}

/// When a step is taken. Where something has to go before something else can stand at its name, both follow
/// each other; else nothing goes before everything has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    /// At a name of which a CNAME goes or comes: which of those names, and whether it comes.
    Exchange(usize, bool),
    Comes,
    Goes,
}

enum What<'a> {
    Post(Properties),
    Put(&'a Held, Properties),
    Delete(&'a Held),
}

/// Why the steps were not taken to the end.
struct Stopped {
    error: ProviderError,
    /// The number of the step that failed.
    at: usize,
}

impl IonosCloudProvider {
    pub(super) async fn write(&self, zone: &Zone, batch: &Batch) -> Result<Receipt, ProviderError> {
        let before = self.read(zone).await?;
        let freshness = text::compare(batch, before.snapshot(zone));
        if let Some(receipt) = Receipt::stale(&freshness) {
            return Ok(receipt);
        }
        let steps = steps(batch, &freshness, &before, zone);
        if steps.is_empty() {
            return Ok(Receipt::new(freshness.iter().map(|_| (Outcome::Already, None))));
        }
        let Err(stopped) = self.take(zone, &steps).await else {
            return Ok(match self.read(zone).await {
                Ok(after) => {
                    self.remember(zone, batch, &after);
                    let live = text::align(batch, after.snapshot(zone));
                    with_failed(Receipt::confirmed(batch, &freshness, &live), batch, &after)
                }
                Err(error) => Receipt::not_read_back(&freshness, &error),
            });
        };
        self.look_again(zone, batch, &freshness, &steps, stopped).await
    }

    async fn take(&self, zone: &Zone, steps: &[Step<'_>]) -> Result<(), Stopped> {
        for (at, step) in steps.iter().enumerate() {
            let taken = match &step.what {
                What::Post(new) => self.api.post(zone, new).await,
                What::Put(old, new) => self.api.put(zone, &old.id, new).await,
                What::Delete(old) => self.api.delete(zone, &old.id, &old.properties).await,
            };
            taken.map_err(|error| Stopped { error, at })?;
        }
        Ok(())
    }

    /// After an error: nothing more of the batch is sent. What was deleted for something that did not come is put back.
    async fn look_again(
        &self,
        zone: &Zone,
        batch: &Batch,
        freshness: &[Freshness],
        steps: &[Step<'_>],
        stopped: Stopped,
    ) -> Result<Receipt, ProviderError> {
        let Stopped { error, at } = stopped;
        let definite = error.retry != Retry::Unknown;
        let mut after = match self.read(zone).await {
            Ok(after) => after,
            Err(_) if at == 0 && definite => return Err(error),
            Err(again) => {
                let mut receipt = in_the_dark(freshness, steps, at, &error, &again);
                for held in made_room(steps, at) {
                    let told = self.restores(zone, held, "may not be back");
                    for (change, result) in batch.changes.iter().zip(&mut receipt.results) {
                        if *change.name() == held.key.name {
                            result.outcome = Outcome::Unknown;
                            result.note = Some(format!("{error}; {told}"));
                        }
                    }
                }
                return Ok(receipt);
            }
        };
        let mut told = None;
        let missing = missing(steps, at, batch, &after.snapshot(zone));
        if !missing.is_empty() {
            let mut problem = None;
            for held in &missing {
                problem = problem.or(self.api.post(zone, &held.properties).await.err());
            }
            match self.read(zone).await {
                Ok(now) => after = now,
                Err(again) if problem.is_none() => {
                    tracing::warn!(%again, "not read back");
                    after.records.extend(missing.iter().copied().cloned());
                }
                Err(again) => problem = Some(again),
            }
            let is_back = |held: &&&Held| after.of(&held.key).any(|now| now.rdata == held.rdata);
            let gone: Vec<_> = missing
                .iter()
                .filter(|held| !is_back(held))
                .map(|held| self.restores(zone, held, "is not back"))
                .collect();
            if !gone.is_empty() {
                let why = problem.map(|problem| format!(" ({problem})")).unwrap_or_default();
                told = Some(format!("{}{why}", gone.join("; ")));
            }
        }
        self.remember(zone, batch, &after);
        let live = text::align(batch, after.snapshot(zone));
        let results: Vec<_> = batch
            .changes
            .iter()
            .zip(freshness)
            .enumerate()
            .map(|(i, (change, fresh))| {
                let tried = steps.iter().take(at + 1).any(|step| step.change == i);
                let (outcome, note) = result(change, *fresh, live.get(change.name(), change.rtype()), tried, &error);
                let concerned = missing.iter().any(|held| held.key.name == *change.name());
                match told.as_ref().filter(|_| concerned) {
                    Some(told) => (outcome, Some(format!("{}; {told}", note.unwrap_or_default()))),
                    None => (outcome, note),
                }
            })
            .collect();
        let nothing =
            results.iter().all(|(outcome, _)| matches!(outcome, Outcome::Failed | Outcome::Skipped | Outcome::Already));
        let as_before = batch.changes.iter().zip(freshness).all(|(change, fresh)| {
            *fresh == Freshness::Already
                || change.compare(live.get(change.name(), change.rtype())) == Freshness::AsPlanned
        });
        if nothing && as_before && definite {
            return Err(error);
        }
        Ok(Receipt::new(results))
    }

    /// What the service has not finished with, for [`mailzone_provider::Provider::settle`].
    fn remember(&self, zone: &Zone, batch: &Batch, after: &Listing) {
        let touched = |key: &RRsetKey| batch.changes.iter().any(|c| *c.name() == key.name && c.rtype() == key.rtype);
        let ids = after.records.iter().filter(|held| held.is_under_way() && touched(&held.key));
        let ids: HashSet<String> = ids.map(|held| held.id.clone()).collect();
        self.wait_for(zone, ids);
    }

    /// Names what was deleted to make room, and the call that restores it.
    fn restores(&self, zone: &Zone, held: &Held, state: &str) -> String {
        let properties = serde_json::to_string(&held.properties).unwrap_or_default();
        format!(
            "{} {} was deleted to make room and {state}: POST {}/zones/{}/records {{\"properties\":{properties}}} restores it",
            held.key, held.rdata, self.base, zone.id
        )
    }
}

/// The requests of the changes that have something to write, in their order.
fn steps<'a>(batch: &Batch, freshness: &[Freshness], before: &'a Listing, zone: &Zone) -> Vec<Step<'a>> {
    let dialect = before.dialect();
    let pending: Vec<_> = batch
        .changes
        .iter()
        .enumerate()
        .zip(freshness)
        .filter(|(_, freshness)| **freshness == Freshness::AsPlanned)
        .map(|(change, _)| change)
        .collect();
    let mut steps = Vec::new();
    for &(i, change) in &pending {
        let cname = |change: &RRsetChange| change.rtype() == RecordType::CNAME;
        let excludes = |other: &RRsetChange| {
            other.name() == change.name()
                && other.rtype() != change.rtype()
                && (cname(change) || cname(other))
                && change.after().is_none() != other.after().is_none()
        };
        // The place of the first change at the name stands for the name.
        let exchange = pending.iter().any(|(_, other)| excludes(other));
        let place = pending.iter().find(|(_, other)| other.name() == change.name()).map_or(i, |(place, _)| *place);
        for what in whats(change, before, dialect, zone) {
            let goes = matches!(what, What::Delete(_));
            let order = match (exchange, goes) {
                (true, _) => Order::Exchange(place, !goes),
                (false, false) => Order::Comes,
                (false, true) => Order::Goes,
            };
            steps.push(Step { change: i, order, what });
        }
    }
    steps.sort_by_key(|step| step.order);
    steps
}

/// The requests of one change: a value that goes becomes one that comes where there is one, in place.
fn whats<'a>(change: &RRsetChange, before: &'a Listing, dialect: Dialect, zone: &Zone) -> Vec<What<'a>> {
    let key = RRsetKey { name: change.name().clone(), rtype: change.rtype() };
    let wanted = || change.after().into_iter().flat_map(|after| &after.values).map(|value| &value.rdata);
    let old_ttl = change.before().and_then(|set| set.ttl);
    let ttl = change.after().and_then(|set| set.ttl).or(old_ttl).unwrap_or(DEFAULT_TTL).as_secs();
    let retime = change.before().is_some() && old_ttl.is_some_and(|old| old.as_secs() != ttl);
    let mut whats = Vec::new();
    let mut gone = Vec::new();
    for held in before.of(&key) {
        if !wanted().any(|rdata| *rdata == held.rdata) {
            gone.push(held);
        } else if retime {
            whats.push(What::Put(held, Properties { ttl, ..held.properties.clone() }));
        }
    }
    let mut gone = gone.into_iter();
    let mut done: Vec<&Rdata> = Vec::new();
    for rdata in wanted() {
        if done.contains(&rdata) || before.of(&key).any(|held| held.rdata == *rdata) {
            continue;
        }
        done.push(rdata);
        let new = properties(rdata, &key, ttl, dialect, before, zone);
        // What failed before is tried again in its own place.
        let failed = before.records.iter().find(|held| {
            held.state == State::Failed && held.properties.enabled && held.key == key && held.rdata == *rdata
        });
        whats.push(match failed.or_else(|| gone.next()) {
            Some(old) => What::Put(old, Properties { name: old.properties.name.clone(), ..new }),
            None => What::Post(new),
        });
    }
    whats.extend(gone.map(What::Delete));
    whats
}

fn properties(rdata: &Rdata, key: &RRsetKey, ttl: u32, dialect: Dialect, before: &Listing, zone: &Zone) -> Properties {
    let (content, priority) = value::encode(rdata, dialect);
    let has_priority = matches!(key.rtype, RecordType::MX | RecordType::SRV | RecordType::URI);
    let known = before.of(key).next().map(|held| held.properties.name.clone());
    let own = || match key.name.without_suffix(&zone.name) {
        Some(own) if !own.is_root() => own.to_text_without_dot(),
        _ => String::new(),
    };
    Properties {
        name: known.unwrap_or_else(own),
        kind: key.rtype.to_string(),
        content,
        ttl,
        priority: has_priority.then_some(priority),
        enabled: true,
    }
}

/// What was deleted to make room, is not there, and has nothing in its place. Only what was tried counts.
fn missing<'a>(steps: &[Step<'a>], at: usize, batch: &Batch, live: &Snapshot) -> Vec<&'a Held> {
    let mut missing = Vec::new();
    for step in steps.iter().take(at + 1) {
        let (Order::Exchange(..), What::Delete(held)) = (step.order, &step.what) else { continue };
        let set = live.get(&held.key.name, held.key.rtype);
        let is_there = set.is_some_and(|set| set.values.iter().any(|value| value.rdata == held.rdata));
        let comes = |change: &&RRsetChange| change.after().is_some() && *change.name() == held.key.name;
        let came = batch.changes.iter().filter(comes).any(|c| live.get(c.name(), c.rtype()).is_some());
        if !is_there && !came {
            missing.push(*held);
        }
    }
    missing
}

/// What was, or may have been, deleted at a name to which nothing has come since.
fn made_room<'a>(steps: &[Step<'a>], at: usize) -> Vec<&'a Held> {
    let came = |place: usize| steps.iter().take(at).any(|step| step.order == Order::Exchange(place, true));
    let gone = steps.iter().take(at + 1).filter_map(|step| match (step.order, &step.what) {
        (Order::Exchange(place, _), What::Delete(held)) if !came(place) => Some(*held),
        _ => None,
    });
    gone.collect()
}

/// What became of one change after an error.
fn result(
    change: &RRsetChange,
    before: Freshness,
    live: Option<&mailzone_record::RRset>,
    tried: bool,
    error: &ProviderError,
) -> (Outcome, Option<String>) {
    let why = || match error.retry {
        Retry::Unknown => format!("the answer was lost ({error})"),
        _ => error.to_string(),
    };
    match (before, change.compare(live)) {
        (Freshness::Already, _) => (Outcome::Already, None),
        (_, Freshness::Already) if tried => (Outcome::Applied, None),
        (_, Freshness::Already) => (Outcome::Applied, Some("somebody else wrote it".into())),
        (_, Freshness::AsPlanned) if tried => (Outcome::Failed, Some(format!("{}; it is not written", why()))),
        (_, Freshness::AsPlanned) => (Outcome::Skipped, Some("not sent, since another change failed".into())),
        (_, Freshness::Stale) => {
            let sides = || [change.before(), change.after()].into_iter().flatten().flat_map(|set| &set.values);
            let known = |value: &mailzone_record::Value| sides().any(|known| known.rdata == value.rdata);
            let values: Vec<_> = live.into_iter().flat_map(|set| &set.values).collect();
            if !values.iter().all(|value| known(value)) {
                let note = format!("{}; the set is neither as it was nor as it shall be", why());
                return (Outcome::Unknown, Some(note));
            }
            let now: Vec<_> = values.iter().map(|value| value.rdata.to_string()).collect();
            let now = if now.is_empty() { "no value".to_owned() } else { now.join(", ") };
            (Outcome::Failed, Some(format!("{}; a part is written, the set now holds {now}", why())))
        }
    }
}

/// The results where neither the write nor the look at the zone was answered.
fn in_the_dark(
    freshness: &[Freshness],
    steps: &[Step<'_>],
    at: usize,
    error: &ProviderError,
    again: &ProviderError,
) -> Receipt {
    let note = format!("{error}; the zone could not be read afterwards: {again}");
    Receipt::new(freshness.iter().enumerate().map(|(i, freshness)| {
        let mut own = steps.iter().enumerate().filter(|(_, step)| step.change == i).map(|(place, _)| place);
        let (first, last) = (own.next(), own.next_back());
        match (freshness, first, last.or(first)) {
            (Freshness::Already, ..) => (Outcome::Already, None),
            (_, Some(first), _) if first > at => {
                (Outcome::Skipped, Some("not sent, since another change failed".into()))
            }
            (_, _, Some(last)) if last < at => (Outcome::Applied, Some("confirmed, and not read back".into())),
            _ => (Outcome::Unknown, Some(note.clone())),
        }
    }))
}

/// The receipt with what the service accepted and then gave up.
fn with_failed(mut receipt: Receipt, batch: &Batch, after: &Listing) -> Receipt {
    for (change, result) in batch.changes.iter().zip(&mut receipt.results) {
        let failed = after.records.iter().any(|held| {
            held.state == State::Failed && held.key.name == *change.name() && held.key.rtype == change.rtype()
        });
        if failed && matches!(result.outcome, Outcome::Failed | Outcome::Unknown) {
            result.outcome = Outcome::Failed;
            result.note = Some("IONOS Cloud accepted it and then reported FAILED; the next apply tries again".into());
        }
    }
    receipt
}
