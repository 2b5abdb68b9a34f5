//! SPF records (RFC 7208).

mod domain;
mod error;
mod network;
mod parse;
mod record;

pub use domain::DomainSpec;
pub use error::{SpfError, SpfErrorKind};
pub use network::Network;
pub use parse::{is_candidate, is_near_miss};
pub use record::{DualCidr, Mechanism, Modifier, Qualifier, Record, Term, TermKind};
