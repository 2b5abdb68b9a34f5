//! Both providers against their emulated services and the recorded conversations.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends with its first surprise")]

mod bench;
mod cloud;
mod cloud_faults;
mod cloud_reverse;
mod hosting;
mod hosting_faults;
mod hosting_recorded;
mod hosting_service;
mod laws;
