//! The observer against servers of its own on loopback, well-behaved and hostile.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with its first surprise")]

mod audits;
mod dns;
mod smtp;
mod support;
mod validation;
mod web;
mod zone_servers;
