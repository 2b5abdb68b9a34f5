//! The client against servers on loopback that answer, fail and lie as told.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with its first surprise")]

mod answers;
mod budget;
mod repeat;
mod secrets;
mod support;
mod tls;
mod trouble;
