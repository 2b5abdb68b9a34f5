use mailzone_record::{RRset, RRsetKey};

/// A foreign RRset that a service is expected to change by itself when a batch is written (`GUARD-SIDE`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedSideEffect {
    /// The set that will change.
    pub key: RRsetKey,
    /// What the service is expected to do with it, and why: `IONOS deactivates the MX of its own mail service`.
    pub message: String,
}

/// A foreign RRset that is another one after a write than it was before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideEffect {
    /// As it was; `None` if it is new.
    pub before: Option<RRset>,
    /// As it is; `None` if it vanished or is no longer served.
    pub after: Option<RRset>,
    /// What happened, in a sentence.
    pub message: String,
    /// The call, or the steps, that put it back.
    pub remedy: String,
}
