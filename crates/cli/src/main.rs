//! `mailzone`: infrastructure as code for the DNS records that make mail trusted.

mod args;
mod cmd;
mod codes;
mod context;
mod embedded;
mod lazy;
mod observe;
mod registry;
mod ui;
mod views;

use std::process::ExitCode;

fn main() -> ExitCode {
    args::parse().map_or_else(|code| code, cmd::run)
}
