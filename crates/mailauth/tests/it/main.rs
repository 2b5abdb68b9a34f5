//! Evaluations over worlds in memory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with its first surprise")]

mod conformance;
mod dkim_signature;
mod dkim_verify;
mod dmarc;
mod evaluation;
mod hostile;
mod suite;
