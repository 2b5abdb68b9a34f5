//! DNS data without I/O: names, record types, record data, RRsets, presentation format, zone files.
//!
//! Everything a zone holds can be represented here without loss. Types that mailzone does not
//! understand travel as [`Opaque`] data and are never interpreted (RFC 3597).

mod apl;
mod bitmap;
mod escape;
mod gateway;
mod loc;
mod name;
mod parse;
mod rdata;
mod rrset;
mod rtype;
mod svcb;
mod table;
mod time;
mod ttl;
mod wirefmt;
pub mod zonefile;

pub use name::{Name, NameError};
pub use parse::{Field, ParseError, parse_rdata, parse_rdata_text};
pub use rdata::{Caa, Mx, Opaque, Rdata, Soa, Srv, Tlsa, Txt};
pub use rrset::{Origin, Protection, RRset, RRsetKey, Value};
pub use rtype::{RecordType, UnknownType};
pub use ttl::{Ttl, TtlError};
