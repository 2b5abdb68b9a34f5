//! CloudDNS, the DNS part of netcup's REST API: revisions of a zone, changed by changesets.
//!
//! netcup's specification was not at hand when this was written. What is not known of the form of names and data is
//! taken from the records that a zone holds ([`dialect`]).

mod api;
mod dialect;
mod revision;
mod zone;

pub(crate) use api::{CloudDns, Domain};
