//! DNS exchanges over UDP and TCP, and the codec of the embedded server.
//!
//! The only user of the DNS library (`hickory-proto`), which compresses names and draws message
//! ids. Record data passes through here as octets, so an answer with a record that the library
//! would refuse or change arrives whole.
//!
//! Nothing here caches, resolves or chases. One [`exchange`] asks one server one question over
//! UDP, and over TCP if the answer was truncated. [`UdpChannel`] and [`TcpChannel`] keep one socket
//! open and never send twice: what a latency measurement needs. [`ask_signed`], [`transfer`] and
//! [`update`] sign with TSIG and go over TCP alone, where nothing is lost or comes twice.

mod error;
mod exchange;
mod message;
mod names;
mod rejection;
mod request;
mod response;
mod signed;
mod tcp;
mod transfer;
mod tsig;
mod udp;
mod update;

pub use error::WireError;
pub use exchange::exchange;
pub use message::{Exchange, Message, Query, Rcode, Record, Transport};
pub use rejection::Rejection;
pub use request::{EncodeError, Request, RequestEdns, RequestError, decode_request, encode_response};
pub use response::decode_response;
pub use signed::{SignedError, ask_signed, open_answers};
pub use tcp::TcpChannel;
pub use transfer::{TransferError, TransferLimits, read_transfer, transfer};
pub use tsig::{TsigAlgorithm, TsigKey, TsigKeyError};
pub use udp::UdpChannel;
pub use update::{Prerequisite, PrerequisiteFailure, Update, UpdateError, UpdateOperation, update};
