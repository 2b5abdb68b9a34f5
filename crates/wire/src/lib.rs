//! DNS exchanges over UDP and TCP, and the codec of the embedded server.
//!
//! The only user of the DNS library (`hickory-proto`), which compresses names and draws message
//! ids. Record data passes through here as octets, so an answer with a record that the library
//! would refuse or change arrives whole.
//!
//! Nothing here caches, resolves or chases. One [`exchange`] asks one server one question over
//! UDP, and over TCP if the answer was truncated. [`UdpChannel`] and [`TcpChannel`] keep one
//! socket open and never send twice: what a latency measurement needs.

mod error;
mod exchange;
mod message;
mod names;
mod request;
mod response;
mod tcp;
mod udp;

pub use error::WireError;
pub use exchange::exchange;
pub use message::{Exchange, Message, Query, Rcode, Record, Transport};
pub use request::{EncodeError, Request, RequestEdns, RequestError, decode_request, encode_response};
pub use tcp::TcpChannel;
pub use udp::UdpChannel;
