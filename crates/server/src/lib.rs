//! The embedded authoritative server: UDP and TCP on one port, in process.
//!
//! It answers for the zones that it is given as a real authoritative server does (RFC 1034 section
//! 4.3.2, RFC 2308, RFC 4592, RFC 6891), and nothing else: no recursion, no transfers, no updates,
//! no DNSSEC signing. A [`Handle`] replaces zones while it runs, makes it misbehave on purpose
//! ([`Switches`]), and tells what it did to each query ([`LogEntry`]).

mod answer;
mod log;
mod serve;
mod shared;
mod switches;
mod tcp;
mod zone;

pub use log::{LogEntry, Outcome};
pub use serve::{ServeError, Server};
pub use shared::Handle;
pub use switches::{Loss, Switches};
pub use zone::{Zone, ZoneError};
