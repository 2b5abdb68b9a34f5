//! What the tests against real name servers and DNS tools share: programs that are found or
//! skipped, daemons on loopback, zones in a form that both they and we load.

#![expect(clippy::unwrap_used, clippy::panic, reason = "for tests, which end with their first surprise")]

mod daemon;
mod lookup;
mod zone;

pub use daemon::{Named, tool};
pub use lookup::{Seen, Tool};
pub use zone::{ZoneText, name};
