//! The planner: laws that hold for any zone and any claims, and what each guard, refusal and order is for.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod effects;
mod guards;
mod laws;
mod order;
mod random;
mod refusals;
mod saved;
mod support;
mod ttl;
