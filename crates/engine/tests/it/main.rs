//! A run against a provider in memory and a name server in this process.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod narrowed;
mod runs;
mod support;
