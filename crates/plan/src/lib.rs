//! Claims and a snapshot into a plan. Pure: no I/O, no clock, no environment; the same bytes for the
//! same input.
//!
//! ```text
//! claims + snapshot --merge--> desired RRsets --diff--> changes --guard, order--> ZonePlan --> Document
//! ```
//! Foreign values are merged into the desired set before the difference is taken (`merge`), so a
//! change that loses one cannot be built.

mod allow;
mod apex;
mod claim;
mod cut;
mod digest;
pub mod document;
mod guard;
mod merge;
mod order;
mod planner;
mod saved;
mod unmanaged;
mod zone;

pub use allow::Allow;
pub use apex::Apex;
pub use claim::{Claim, DomainFacts, Own, Slot, Target};
pub use digest::{config_digest, fingerprint};
pub use document::Document;
pub use guard::{allow_line, stops};
pub use mailzone_mailauth::MailUse;
pub use merge::Merged;
pub use order::resolve_needs;
pub use planner::plan_zone;
pub use saved::{Difference as SavedDifference, SavedPlanError, compare as compare_saved, read as read_saved};
pub use unmanaged::formerly_managed;
pub use zone::{
    Action, Counts, Guarded, Need, PlannedChange, Unmanaged, ZoneError, ZoneErrorKind, ZoneInput, ZonePlan,
};
