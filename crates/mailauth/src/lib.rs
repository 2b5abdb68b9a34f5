//! Mail records: parse, print, compare, difference. Pure functions over [`mailzone_record`] data.
//!
//! Each kind is one module and one line in [`KINDS`]. The rules and their numbers (`SPF-02`) are those
//! of the project's rule book; the standards are named where they are applied.

pub mod bimi;
pub mod caa;
pub mod client_settings;
pub mod dkim;
pub mod dmarc;
pub mod finding;
pub mod host;
pub mod kind;
pub mod lookup;
pub mod message;
pub mod mta_sts;
pub mod mx;
pub mod ptr;
pub mod records;
pub mod report_authorisation;
pub mod report_uri;
pub mod rules;
pub mod sender;
mod set;
pub mod spf;
pub mod tag_list;
pub mod tls_rpt;
pub mod tlsa;
pub mod tlsa_certificate;
mod txt;
mod use_of_mail;

pub use finding::{Effect, Finding, Severity};
pub use kind::{Class, Detail, Difference, Equality, Kind, KindId, LiveSlot, Recognition};
pub use use_of_mail::MailUse;

/// Every kind, in the order in which slots are listed.
pub static KINDS: &[&dyn Kind] = &[
    &mx::MailExchangers,
    &spf::Spf,
    &dkim::Dkim,
    &dmarc::Dmarc,
    &report_authorisation::ReportAuthorisation,
    &mta_sts::MtaSts,
    &tls_rpt::TlsRpt,
    &bimi::Bimi,
    &tlsa::TlsAssociations,
    &caa::CertificateAuthorities,
    &client_settings::ClientSettings,
    &sender::Sender,
    &host::Hosts,
    &ptr::Pointers,
    &records::Records,
];

/// The kind of this name, if it is registered.
pub fn kind(id: KindId) -> Option<&'static dyn Kind> {
    KINDS.iter().copied().find(|kind| kind.id() == id)
}
