//! The providers' services, emulated in process: stateful, strict, and faulty on command.
//!
//! An [`Emulator`] puts a [`Service`] behind HTTP on loopback, lets chosen requests fail ([`Fault`]), throttles,
//! keeps a log, and publishes the service's zones in the embedded server. Through its [`Backdoor`] an
//! [`EmulatedHarness`] runs the conformance suite.

pub mod cloudflare;
pub mod ionos_cloud;
pub mod ionos_hosting;
pub mod netcup_ccp;
pub mod netcup_clouddns;
pub mod netcup_scp;
pub mod route53;

mod emulator;
mod fault;
mod harness;
mod request;
mod service;
mod state;

#[cfg(test)]
mod toy;

pub use emulator::{Emulator, Logged};
pub use fault::Fault;
pub use harness::EmulatedHarness;
pub use request::{Request, Response};
pub use service::{Backdoor, Service};
