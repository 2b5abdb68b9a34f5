//! A run against a provider in memory and a name server in this process.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod effects;
mod identified;
mod inverse;
mod narrowed;
mod reverse;
mod rollback;
mod runs;
mod support;
