//! The rules, one module for each area.

mod bimi;
mod blocklists;
mod bulk;
mod caa;
mod change;
mod change_hosts;
mod client_settings;
mod common;
mod dane;
mod delegation;
mod dkim;
mod dmarc;
mod dnssec;
mod hosts;
#[cfg(test)]
mod hosts_laws;
#[cfg(test)]
mod laws;
mod missing;
mod mta_sts;
mod mx;
mod parked;
mod ptr;
mod senders;
mod smtp;
mod spf;
mod standing;
#[cfg(test)]
pub(crate) mod testing;
mod tls_rpt;
#[cfg(test)]
mod whole;

use crate::{Area, Inquiry};

pub use change::changes;
pub(crate) use common::text;

/// A rule, and what it is about.
pub(crate) type Rule = (Area, fn(&mut Inquiry<'_>));

/// Every rule, in the order in which they run. A new area is one module and one line here.
pub(crate) const RULES: &[Rule] = &[
    (Area::Delegation, delegation::check),
    (Area::Dnssec, dnssec::check),
    (Area::Mx, mx::check),
    (Area::Ptr, ptr::check),
    (Area::Smtp, smtp::check),
    (Area::Spf, spf::check),
    (Area::Spf, missing::spf),
    (Area::Dkim, dkim::check),
    (Area::Dmarc, dmarc::check),
    (Area::Dmarc, missing::dmarc),
    (Area::Dmarc, senders::check),
    (Area::MtaSts, mta_sts::check),
    (Area::TlsRpt, tls_rpt::check),
    (Area::Dane, dane::check),
    (Area::Bimi, bimi::check),
    (Area::Caa, caa::check),
    (Area::ClientSettings, client_settings::check),
    (Area::Parked, parked::check),
    (Area::Bulk, bulk::check),
    (Area::Blocklists, blocklists::check),
];
