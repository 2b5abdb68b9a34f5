use mailzone_record::{Name, RRset, RecordType};

use crate::SideEffect;

/// The changes of one stage in one zone.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Sets that exclude each other (a CNAME and anything else) stand with the deletion first.
    pub changes: Vec<RRsetChange>,
}

/// One RRset before and after. At least one side is present; both have the same name and type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RRsetChange {
    before: Option<RRset>,
    after: Option<RRset>,
}

/// What a provider did.
#[derive(Debug, Clone, Default)]
pub struct Receipt {
    /// One result for each change of the batch, in its order.
    pub results: Vec<ChangeResult>,
    /// What happened to foreign records of the zone besides. Each is an error that is shown and journaled.
    pub side_effects: Vec<SideEffect>,
}

/// What became of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct ChangeResult {
    pub outcome: Outcome,
    /// A sentence for a person where there is something to say.
    pub note: Option<String>,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Written and confirmed.
    Applied,
    /// The set was already as wanted: nothing written.
    Already,
    /// The set is neither as before nor as after: somebody else changed it; nothing written.
    Stale,
    /// The service refused or failed.
    Failed,
    /// The answer was lost and reading back did not settle it.
    Unknown,
    /// Not tried, because another change of the batch stopped it.
    Skipped,
}

impl RRsetChange {
    /// A change from `before` to `after`; `None` if both are absent or of different sets.
    pub fn new(before: Option<RRset>, after: Option<RRset>) -> Option<Self> {
        let fits = match (&before, &after) {
            (Some(b), Some(a)) => b.name == a.name && b.rtype == a.rtype,
            (None, None) => false,
            _ => true,
        };
        fits.then_some(Self { before, after })
    }

    /// The set as the plan saw it.
    pub fn before(&self) -> Option<&RRset> {
        self.before.as_ref()
    }

    /// The set as it shall be, foreign values included.
    pub fn after(&self) -> Option<&RRset> {
        self.after.as_ref()
    }

    /// The owner name.
    pub fn name(&self) -> &Name {
        &self.either().name
    }

    /// The record type.
    pub fn rtype(&self) -> RecordType {
        self.either().rtype
    }

    /// Whether the live set is what the plan saw (the change can be written), already what it shall
    /// be, or something else.
    pub fn compare(&self, live: Option<&RRset>) -> Freshness {
        if same(self.after.as_ref(), live) {
            Freshness::Already
        } else if same(self.before.as_ref(), live) {
            Freshness::AsPlanned
        } else {
            Freshness::Stale
        }
    }

    fn either(&self) -> &RRset {
        match (&self.after, &self.before) {
            (Some(set), _) | (None, Some(set)) => set,
            (None, None) => unreachable!("`new` refuses a change without a side"),
        }
    }
}

/// How a live set relates to a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// As in `before`.
    AsPlanned,
    /// As in `after`.
    Already,
    /// Neither.
    Stale,
}

fn same(expected: Option<&RRset>, live: Option<&RRset>) -> bool {
    match (expected, live) {
        (None, None) => true,
        (Some(expected), Some(live)) => {
            live.protection.is_none()
                && expected.same_data(live)
                && (expected.ttl.is_none() || expected.ttl == live.ttl)
        }
        _ => false,
    }
}
