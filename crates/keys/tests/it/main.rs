//! Signatures of messages, verified: messages of others, and those that a signer of our own makes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends with its first surprise")]

mod fixtures;
mod laws;
mod refusals;
mod signer;
