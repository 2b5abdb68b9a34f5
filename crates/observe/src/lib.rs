//! Looks up what an audit wants to know: DNS answers, served policies, mail servers, certificates.
//!
//! Evaluations and audits are pure and say what they want to know; this is the driver that has the network. [`Dns`]
//! answers questions and keeps the answers for as long as their TTLs say; [`drive`] runs an evaluation over it;
//! [`Observer`] fulfils the wishes of an audit, and [`audit`] runs one to its end.
//!
//! Every peer is a stranger: each wait has a time limit, each reading a limit in octets, each audit a limit in
//! questions, and they are constants here. What a peer says is carried as it is, to be escaped where it is shown.
//! Nothing is retried on another day's account: a failure is a result, and says whether it is ours.

mod audit;
mod cache;
mod certificate;
mod dns;
mod drive;
mod fetch;
mod lines;
mod observer;
mod reading;
mod servers;
mod smtp;
mod tls;
mod validation;

pub use audit::{Budget, Observed, audit};
pub use cache::{FAILURE, LONGEST, LONGEST_DENIAL};
pub use certificate::certificate;
pub use dns::{ANSWER_TIME, Dns, MAX_TRIES, OUTSTANDING, Sources, network};
pub use drive::{Driven, QUESTIONS, drive};
pub use fetch::{FETCH_TIME, MAX_ADDRESSES, MAX_DOCUMENT, MAX_POLICY};
pub use lines::{MAX_LINE, MAX_LINES, MAX_OCTETS};
pub use observer::{CONNECTIONS, Known, Observer, PER_MAIL_SERVER, Settings};
pub use servers::{MAX_SERVERS, SAMPLES, TCP_TIME};
pub use smtp::SESSION_TIME;
pub use tls::{CONNECT_TIME, MAX_CHAIN, Trust, TrustError};
