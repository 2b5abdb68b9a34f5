//! Measures the DNS: who answers for a zone, whether an RRset is visible, how fast servers are.
//!
//! What is said here was asked. Everything takes an [`Ask`], so that the decisions run in tests on
//! a paused clock; [`Wire`] is the one that asks the network, [`Polite`] bounds what is outstanding.
//!
//! The way of a verification: [`Delegations::find`] tells whom to ask; [`wait_until_visible`] asks
//! them until all have the data, and proves it with a [`Visible`]; only with that proof are
//! resolvers asked ([`check_resolvers`]), because one that is asked too early keeps the denial.
//! [`latency`] measures.

mod ask;
mod delegation;
pub mod latency;
mod resolvers;
mod roots;
mod server;
#[cfg(test)]
mod testing;
mod visibility;
mod wait;
mod walk;

pub use ask::{Ask, Polite, Wire};
pub use delegation::{Delegation, Delegations, Health, Match, Problem, Standing, compare, given_servers};
pub use resolvers::{ResolverObservation, check_resolvers, gone_in, wait_until_settled};
pub use roots::root_servers;
pub use server::{Endpoint, Server, endpoints};
pub use visibility::{Before, Expected, Observation, Same, State, Target, Test, check_once, exactly};
pub use wait::{Ended, Outcome, Patience, Progress, Visible, wait_until_visible};
pub use walk::WalkError;
