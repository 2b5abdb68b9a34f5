//! The suite that every provider runs.
//!
//! A provider's tests implement [`Harness`] (its service, real or emulated, with a back door) and call
//! [`run`], which leads the provider through a narrative: from "create one TXT" to "somebody else
//! edits between plan and apply". After each change the suite reads everything back and compares what was not
//! to be touched, in the service's own spelling. A new provider is finished when the narrative passes:
//!
//! ```no_run
//! # async fn example(harness: &dyn mailzone_conformance::Harness) {
//! mailzone_conformance::assert_passed(&mailzone_conformance::run(harness).await);
//! # }
//! ```
//!
//! Beside it stand the [`laws`]: random zones and random batches, of which the same is to be true.
//!
//! [`memory::MemoryProvider`] is the simplest provider that passes; it can be told to fail.

mod harness;
pub mod laws;
pub mod memory;
mod narrative;
mod scene;

pub use harness::{Harness, Stored, parse_seed};
pub use narrative::{Outcome, StepReport, assert_passed, run};
