//! What became of a batch, judged by what the zone holds: the same for every provider that reads back.

use mailzone_record::RRset;

use crate::{Batch, ChangeResult, Freshness, Outcome, RRsetChange, Receipt, Snapshot};

impl Batch {
    /// How the live sets relate to each change, in the batch's order.
    pub fn compare(&self, live: &Snapshot) -> Vec<Freshness> {
        self.changes.iter().map(|change| change.compare(live.get(change.name(), change.rtype()))).collect()
    }
}

impl Receipt {
    /// A receipt without side effects.
    pub fn new(results: impl IntoIterator<Item = (Outcome, Option<String>)>) -> Self {
        let results = results.into_iter().map(|(outcome, note)| ChangeResult { outcome, note }).collect();
        Self { results, side_effects: Vec::new() }
    }

    /// The receipt of a batch of which nothing was sent, because one of its sets is neither as before nor as after.
    /// `None` if none is.
    pub fn stale(freshness: &[Freshness]) -> Option<Self> {
        freshness.contains(&Freshness::Stale).then(|| {
            Self::new(freshness.iter().map(|freshness| match freshness {
                Freshness::Stale => (Outcome::Stale, None),
                Freshness::Already => (Outcome::Already, None),
                Freshness::AsPlanned => (Outcome::Skipped, None),
            }))
        })
    }

    /// The receipt of a batch that the service has confirmed, by what it holds now. `before` is what
    /// [`Batch::compare`] gave when it was sent; sets that were already as wanted were not sent.
    pub fn confirmed(batch: &Batch, before: &[Freshness], live: &Snapshot) -> Self {
        Self::new(batch.changes.iter().zip(before).map(|(change, before)| {
            let live = live.get(change.name(), change.rtype());
            match (before, change.compare(live)) {
                (Freshness::Already, _) => (Outcome::Already, None),
                (_, Freshness::Already) => (Outcome::Applied, None),
                (_, Freshness::AsPlanned) => {
                    (Outcome::Failed, Some("the service confirmed the change and holds what it held before".into()))
                }
                (_, Freshness::Stale) => altered(change, live),
            }
        }))
    }

    /// The receipt of a batch that the service has confirmed and that could not be read back.
    pub fn not_read_back(before: &[Freshness], error: &dyn std::fmt::Display) -> Self {
        let note = format!("the service confirmed it; it could not be read back: {error}");
        Self::new(before.iter().map(|before| match before {
            Freshness::Already => (Outcome::Already, None),
            _ => (Outcome::Applied, Some(note.clone())),
        }))
    }

    /// The receipt of a batch whose answer was lost or an error, by what the service holds now. `why` is said
    /// of what was not written.
    pub fn found(batch: &Batch, before: &[Freshness], live: &Snapshot, why: &str) -> Self {
        Self::new(batch.changes.iter().zip(before).map(|(change, before)| {
            match (before, change.compare(live.get(change.name(), change.rtype()))) {
                (Freshness::Already, _) => (Outcome::Already, None),
                (_, Freshness::Already) => (Outcome::Applied, Some(format!("{why}; it is written"))),
                (_, Freshness::AsPlanned) => (Outcome::Failed, Some(format!("{why}; it is not written"))),
                (_, Freshness::Stale) => {
                    let note = format!("{why}; the set is neither as it was nor as it shall be");
                    (Outcome::Unknown, Some(note))
                }
            }
        }))
    }
}

/// A set that the service confirmed and that is not exactly what was sent.
fn altered(change: &RRsetChange, live: Option<&RRset>) -> (Outcome, Option<String>) {
    match (change.after(), live) {
        (Some(after), Some(live)) if after.same_data(live) => {
            let note = match live.ttl {
                Some(ttl) => format!("the service stored it with a TTL of {} s", ttl.as_secs()),
                None => "the service stored it without a TTL of its own".into(),
            };
            (Outcome::Applied, Some(note))
        }
        _ => {
            let note = "the service confirmed the change and holds something else: somebody changed it, or it cannot \
                        store the values as they are";
            (Outcome::Unknown, Some(note.into()))
        }
    }
}
