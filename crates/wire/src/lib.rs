//! DNS exchanges over UDP and TCP, and the codec of the embedded server.
//!
//! The only user of the DNS library (`hickory-proto`): it supplies bounds-checked reading, name
//! compression and random message ids. Record data passes through here as octets, so an answer
//! with a record that the library would refuse or change arrives whole.
//!
//! Nothing here caches, resolves or chases. One [`exchange`] asks one server one question over
//! UDP, and over TCP if the answer was truncated. [`UdpChannel`] and [`TcpChannel`] keep one
//! socket open and never send twice: what a latency measurement needs.

mod error;
mod message;

pub use error::WireError;
pub use message::{Exchange, Message, Query, Rcode, Record, Transport};
