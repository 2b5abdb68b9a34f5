//! Properties and fixtures of the record crate.

#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap")]

mod irregular;
mod rdata;
mod strategies;
mod zone_edit;
mod zonefile;
