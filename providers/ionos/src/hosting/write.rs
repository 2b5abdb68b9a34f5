//! Writing: deletions that make room, one PATCH, the other deletions, and a look at the whole zone.

use std::collections::HashSet;

use mailzone_provider::{Batch, Freshness, Outcome, ProviderError, RRsetChange, Receipt, Zone};
use mailzone_record::{RRsetKey, Rdata, RecordType};

use super::api::{is_definite, zone_path};
use super::listing::{DEFAULT_TTL, Held, Listing, Sent};
use super::{IonosProvider, loss};
use crate::text;
use crate::value::{self, Dialect};

/// The requests of a batch.
struct Steps<'a> {
    /// What has to go before something else can stand at its name: a CNAME, or all beside which one shall stand.
    first: Vec<&'a Held>,
    /// The sets that are created or changed, complete.
    patch: Vec<Sent>,
    /// The other values that go.
    last: Vec<&'a Held>,
    /// What shall be afterwards exactly as it is: all that the batch does not change, disabled records too.
    stays: Vec<&'a Held>,
}

/// Why the requests were not sent to the end.
struct Stopped {
    error: ProviderError,
    /// Whether an earlier request was carried out.
    begun: bool,
}

/// Whether what was deleted to make room is back.
enum PutBack {
    Is,
    Not(String),
    Unknown(String),
}

impl IonosProvider {
    pub(super) async fn write(&self, zone: &Zone, batch: &Batch) -> Result<Receipt, ProviderError> {
        let before = self.api.read(zone).await?;
        let freshness = text::compare(batch, before.snapshot());
        if let Some(receipt) = Receipt::stale(&freshness) {
            return Ok(receipt);
        }
        let steps = Steps::new(batch, &freshness, &before);
        if steps.is_empty() {
            return Ok(Receipt::new(freshness.iter().map(|_| (Outcome::Already, None))));
        }
        match self.send(zone, &steps).await {
            Ok(()) => Ok(match self.api.read(zone).await {
                Ok(after) => {
                    let live = text::align(batch, after.snapshot());
                    self.with_losses(Receipt::confirmed(batch, &freshness, &live), &steps, &before, &after, zone)
                }
                Err(error) => Receipt::not_read_back(&freshness, &error),
            }),
            Err(stopped) => self.look_again(zone, batch, &freshness, &steps, &before, stopped).await,
        }
    }

    async fn send(&self, zone: &Zone, steps: &Steps<'_>) -> Result<(), Stopped> {
        let mut begun = false;
        for held in &steps.first {
            self.delete(zone, held).await.map_err(|error| Stopped { error, begun })?;
            begun = true;
        }
        if !steps.patch.is_empty() {
            self.api.patch(zone, &steps.patch).await.map_err(|error| Stopped { error, begun })?;
            begun = true;
        }
        for held in &steps.last {
            self.delete(zone, held).await.map_err(|error| Stopped { error, begun })?;
            begun = true;
        }
        Ok(())
    }

    /// Deletes the record; where its id is no longer valid, the one that has its data now.
    async fn delete(&self, zone: &Zone, held: &Held) -> Result<(), ProviderError> {
        if self.api.delete(zone, &held.record.id).await? {
            return Ok(());
        }
        let now = self.api.read(zone).await?;
        for same in now.of(&held.key).filter(|now| now.is_alike(held) && !now.record.disabled) {
            self.api.delete(zone, &same.record.id).await?;
        }
        Ok(())
    }

    /// After an error: finds out what is written, puts back what was deleted for something that did not come.
    async fn look_again(
        &self,
        zone: &Zone,
        batch: &Batch,
        freshness: &[Freshness],
        steps: &Steps<'_>,
        before: &Listing,
        stopped: Stopped,
    ) -> Result<Receipt, ProviderError> {
        let Stopped { error, begun } = stopped;
        let mut after = match self.api.read(zone).await {
            Ok(after) => after,
            Err(_) if !begun && is_definite(&error) => return Err(error),
            Err(again) => return Ok(self.in_the_dark(zone, freshness, steps, &error, &again)),
        };
        let missing = steps.missing(batch, &after);
        let mut back = PutBack::Is;
        if !missing.is_empty() {
            let records: Vec<Sent> = missing.iter().map(|held| held.again()).collect();
            let posted = self.api.post(zone, &records).await;
            back = match (self.api.read(zone).await, posted) {
                (Ok(now), posted) => {
                    after = now;
                    match (steps.missing(batch, &after).is_empty(), posted) {
                        (true, _) => PutBack::Is,
                        (false, Ok(())) => PutBack::Not("although IONOS confirmed it".into()),
                        (false, Err(error)) => PutBack::Not(error.to_string()),
                    }
                }
                (Err(_), Ok(())) => {
                    after.records.extend(missing.iter().copied().cloned());
                    PutBack::Is
                }
                (Err(again), Err(error)) => PutBack::Unknown(format!("{error}; {again}")),
            };
        }
        let live = text::align(batch, after.snapshot());
        let unchanged = batch.changes.iter().zip(freshness).all(|(change, freshness)| {
            *freshness == Freshness::Already
                || change.compare(live.get(change.name(), change.rtype())) == Freshness::AsPlanned
        });
        let losses = loss::found(&steps.stays, before, &after, &self.calls(zone));
        if unchanged && losses.is_empty() && is_definite(&error) {
            return Err(error);
        }
        let mut receipt = Receipt::found(batch, freshness, &live, &why(&error));
        receipt.side_effects = losses;
        let told = match &back {
            PutBack::Is => None,
            PutBack::Not(why) => Some(self.names_the_gone(zone, &missing, "is not back", why)),
            PutBack::Unknown(why) => Some(self.names_the_gone(zone, &missing, "may not be back", why)),
        };
        for (change, result) in batch.changes.iter().zip(&mut receipt.results) {
            let concerned = missing.iter().any(|held| held.key.name == *change.name());
            if let Some(told) = told.as_ref().filter(|_| concerned) {
                result.note = Some(format!("{}; {told}", result.note.take().unwrap_or_default()));
                if matches!(back, PutBack::Unknown(_)) && result.outcome == Outcome::Applied {
                    result.outcome = Outcome::Unknown;
                }
            }
        }
        Ok(receipt)
    }

    /// The receipt where neither the write nor the look at the zone was answered.
    fn in_the_dark(
        &self,
        zone: &Zone,
        freshness: &[Freshness],
        steps: &Steps<'_>,
        error: &ProviderError,
        again: &ProviderError,
    ) -> Receipt {
        let mut note = format!("{}; the zone could not be read afterwards: {again}", why(error));
        if !steps.first.is_empty() {
            note = format!("{note}; {}", self.names_the_gone(zone, &steps.first, "may be gone", "not read"));
        }
        Receipt::new(freshness.iter().map(|freshness| match freshness {
            Freshness::Already => (Outcome::Already, None),
            _ => (Outcome::Unknown, Some(note.clone())),
        }))
    }

    /// Names what was deleted to make room, and the call that restores it.
    fn names_the_gone(&self, zone: &Zone, gone: &[&Held], state: &str, why: &str) -> String {
        let names: Vec<_> = gone.iter().map(|held| format!("{} {}", held.key, held.rdata)).collect();
        let records: Vec<Sent> = gone.iter().map(|held| held.again()).collect();
        let call = loss::post(&self.calls(zone), &records);
        format!("{} was deleted to make room and {state} ({why}): {call} restores it", names.join(", "))
    }

    fn with_losses(
        &self,
        mut receipt: Receipt,
        steps: &Steps<'_>,
        before: &Listing,
        after: &Listing,
        zone: &Zone,
    ) -> Receipt {
        receipt.side_effects = loss::found(&steps.stays, before, after, &self.calls(zone));
        receipt
    }

    fn calls(&self, zone: &Zone) -> String {
        format!("{}{}", self.base, zone_path(zone))
    }
}

impl<'a> Steps<'a> {
    fn new(batch: &Batch, freshness: &[Freshness], before: &'a Listing) -> Self {
        let pending = || batch.changes.iter().zip(freshness).filter(|(_, f)| **f == Freshness::AsPlanned);
        let pending = || pending().map(|(change, _)| change);
        let mut steps = Self { first: Vec::new(), patch: Vec::new(), last: Vec::new(), stays: Vec::new() };
        let mut touched = HashSet::new();
        let dialect = before.dialect();
        for change in pending() {
            let key = RRsetKey { name: change.name().clone(), rtype: change.rtype() };
            match change.after() {
                Some(_) => steps.set(change, &key, before, dialect),
                None => {
                    let makes_room = pending().any(|other| other.after().is_some() && excludes(change, other));
                    let to = if makes_room { &mut steps.first } else { &mut steps.last };
                    to.extend(before.of(&key).filter(|held| !held.record.disabled));
                    steps.stays.extend(before.of(&key).filter(|held| held.record.disabled));
                }
            }
            touched.insert(key);
        }
        let is_foreign = |held: &&Held| held.key.rtype != RecordType::SOA && !touched.contains(&held.key);
        steps.stays.extend(before.records.iter().filter(is_foreign));
        steps
    }

    fn is_empty(&self) -> bool {
        self.first.is_empty() && self.patch.is_empty() && self.last.is_empty()
    }

    /// The whole set as it shall be: what stays in its own spelling with its own TTL (unless the set's
    /// changes), disabled records as they are, and what is new.
    fn set(&mut self, change: &RRsetChange, key: &RRsetKey, before: &'a Listing, dialect: Dialect) {
        let Some(after) = change.after() else { return };
        let held: Vec<&Held> = before.of(key).collect();
        let ttl = after.ttl.or_else(|| change.before().and_then(|set| set.ttl)).unwrap_or(DEFAULT_TTL).as_secs();
        let retime = change.before().is_some_and(|before| before.ttl.is_some_and(|before| before.as_secs() != ttl));
        for held in held.iter().filter(|held| held.record.disabled) {
            self.patch.push(held.again());
            self.stays.push(held);
        }
        let mut done: Vec<&Rdata> = Vec::with_capacity(after.values.len());
        for value in &after.values {
            if done.contains(&&value.rdata) {
                continue;
            }
            done.push(&value.rdata);
            let mut is_new = true;
            for known in held.iter().filter(|held| held.rdata == value.rdata && !held.record.disabled) {
                is_new = false;
                let again = known.again();
                if retime {
                    self.patch.push(Sent { ttl, ..again });
                } else {
                    self.patch.push(again);
                    self.stays.push(known);
                }
            }
            if is_new {
                let (content, prio) = value::encode(&value.rdata, dialect);
                let name = held.first().map_or_else(|| key.name.to_text_without_dot(), |held| held.record.name.clone());
                self.patch.push(Sent { name, kind: key.rtype.to_string(), content, ttl, prio, disabled: false });
            }
        }
    }

    /// What was deleted to make room, is not there, and has nothing in its place.
    fn missing(&self, batch: &Batch, after: &Listing) -> Vec<&'a Held> {
        let live = after.snapshot();
        let is_missing = |held: &&&Held| {
            let is_back = after.of(&held.key).any(|now| now.is_alike(held) && !now.record.disabled);
            let comes = |change: &&RRsetChange| change.after().is_some() && *change.name() == held.key.name;
            let came = batch.changes.iter().filter(comes).any(|c| live.get(c.name(), c.rtype()).is_some());
            !is_back && !came
        };
        self.first.iter().filter(is_missing).copied().collect()
    }
}

/// Whether the set that `gone` deletes cannot stand beside the one that `new` creates.
fn excludes(gone: &RRsetChange, new: &RRsetChange) -> bool {
    let cname = |change: &RRsetChange| change.rtype() == RecordType::CNAME;
    gone.name() == new.name() && gone.rtype() != new.rtype() && (cname(gone) || cname(new))
}

fn why(error: &ProviderError) -> String {
    match is_definite(error) {
        true => error.to_string(),
        false => format!("the answer was lost ({error})"),
    }
}
