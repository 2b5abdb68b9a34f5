//! Properties and fixtures of the record crate.

mod rdata;
mod strategies;
