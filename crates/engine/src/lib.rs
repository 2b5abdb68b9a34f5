//! Fetch, plan, apply, settle, verify: the way of a run, with its journal, locks and cancellation.
//!
//! Takes settings, providers, time and the DNS as values; reads no environment and writes to no terminal.

pub mod apply;
mod board;
mod cancel;
pub mod compile;
pub mod desired;
mod event;
mod exit;
pub mod journal;
pub mod look;
pub mod plan;
mod pointer;
mod records;
pub mod rollback;
pub mod saved;
mod state;
pub mod verify;
mod zones;

pub use cancel::{Cancel, Canceller};
pub use event::{Event, Events};
pub use exit::Code;
pub use state::{StateDir, StateError};
pub use zones::{Asked, Providers, ZoneTable, close, provider_error};
