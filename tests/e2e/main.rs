//! The built program, end to end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends with its first surprise")]

mod apply;
mod architecture;
mod bad_input;
mod check;
mod check_every;
mod check_hostile;
mod check_peers;
mod commands;
#[cfg(feature = "crash-points")]
mod crash;
mod daemons;
mod dkim;
mod docs;
mod examples;
mod exit_codes;
mod findings;
mod harness;
mod hosts;
mod hygiene;
mod import;
mod interrupt;
mod look;
mod matrix;
mod messy;
mod providers;
mod resolvers;
mod rfc2136;
mod rfc2136_messy;
mod rollback;
mod saved;
mod scale;
mod selection;
mod senders;
mod servers;
mod services;
mod settle;
mod simulate;
