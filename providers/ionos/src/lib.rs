//! IONOS as a provider, twice: [`IonosProvider`] for domains bought at IONOS (the former 1&1), [`IonosCloudProvider`]
//! for the zones of a cloud contract. Two products with separate accounts, credentials and data.
//!
//! Both APIs keep one object for each value. Neither compares before it writes, so the zone is read just
//! before; the moment between is a window in which somebody else's change of the same RRset would be lost
//! (hosting: PATCH replaces the whole set) or would stay beside ours (cloud: one request for each value).
//! After the write the zone is read again, and what is there decides, not what was confirmed.
//!
//! Disabled records are not served: they are no part of an RRset, and are never written, deleted or enabled.
//!
//! What the documentation of IONOS leaves open is read from the records that are there (`value.rs`, `text.rs`):
//! the form of SRV, quotes around texts.

mod cloud;
mod failure;
mod hosting;
mod text;
mod value;

pub use cloud::{IonosCloudProvider, Polling};
pub use hosting::IonosProvider;
