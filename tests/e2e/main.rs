//! The built program, end to end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends with its first surprise")]

mod apply;
mod architecture;
mod bad_input;
mod commands;
mod docs;
mod examples;
#[cfg(feature = "crash-points")]
mod crash;
mod exit_codes;
#[allow(dead_code, reason = "a box of tools for every module")]
mod harness;
mod hygiene;
mod messy;
mod saved;
mod scale;
mod settle;
