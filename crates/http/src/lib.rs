//! What the REST providers share: one client, retries, request budget, limits, redaction.
//!
//! A provider builds one [`Client`] from [`Settings`] and sends [`Call`]s. What comes back is either a [`Reply`]
//! with a final status, the provider's to interpret, or a [`ProviderError`](mailzone_provider::ProviderError) that
//! says what the network or the service did, and whether the request may have been carried out.
//!
//! **What is repeated.** A read after any transient failure (no connection, no answer in time, half an answer, a
//! status of 500 or more, a throttle). A write only if it was certainly not carried out: there was no connection to
//! send it on, or the service throttled it. Any other failure of a write ends with
//! [`Retry::Unknown`](mailzone_provider::Retry::Unknown): the provider reads back what happened. No other status
//! below 500 is ever repeated.
//!
//! **How fast.** Every request takes a token of the account's [`Budget`]. An answer that says "too many requests"
//! pauses the budget, hence everybody who uses the account, for the time of `Retry-After` or the [`Backoff`].
//!
//! **What is trusted.** Nothing. No redirect is followed, since it could carry the credentials elsewhere; at most
//! [`MAX_ANSWER`] octets are read, counted after decompression; [`Pages`] ends a listing that does not end by itself.
//! Text from the network is escaped and every secret removed before it becomes part of a message or a log line.

mod backoff;
mod base;
mod budget;
mod call;
mod client;
mod failure;
mod pages;
mod redact;
mod reply;
mod retry_after;
mod transport;

pub use backoff::Backoff;
pub use base::{Base, BaseError};
pub use budget::Budget;
pub use call::{Call, Effect};
pub use client::{Client, MAX_ANSWER, Settings};
pub use pages::Pages;
pub use reply::Reply;
