//! The rules, one module for each area.

mod change;
mod common;
mod hosts;
mod mx;
mod ptr;
mod senders;
mod smtp;
mod spf;
#[cfg(test)]
mod testing;
mod tls_rpt;

use crate::{Area, Inquiry};

pub use change::changes;

/// A rule, and what it is about.
pub(crate) type Rule = (Area, fn(&mut Inquiry<'_>));

/// Every rule, in the order in which they run. A new area is one module and one line here.
pub(crate) const RULES: &[Rule] = &[
    (Area::Mx, mx::check),
    (Area::Ptr, ptr::check),
    (Area::Smtp, smtp::check),
    (Area::Spf, spf::check),
    (Area::Dmarc, senders::check),
    (Area::TlsRpt, tls_rpt::check),
];
