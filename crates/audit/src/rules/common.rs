//! What several areas ask.

use mailzone_mailauth::lookup::Answer;
use mailzone_mailauth::{Kind, Recognition};
use mailzone_record::{Name, Rdata, RecordType};

use crate::Inquiry;

/// Whether a receiver that looks for this kind would select the value.
pub(super) fn has_candidate(kind: &dyn Kind, value: &Rdata) -> bool {
    kind.recognise(value) == Recognition::Candidate
}

/// The joined strings of a TXT value, lossy; of other types the presentation form.
pub(crate) fn text(value: &Rdata) -> String {
    match value.as_txt() {
        Some(txt) => String::from_utf8_lossy(&txt.joined()).into_owned(),
        None => value.to_string(),
    }
}

/// Whether mail to a domain goes anywhere: an MX that is not null, or an address (RFC 5321 section 5.1).
/// `None`: not known, or the DNS failed.
pub(super) fn takes_mail(inquiry: &mut Inquiry<'_>, domain: &Name) -> Option<bool> {
    match inquiry.dns(domain, RecordType::MX)? {
        Answer::Records(values, _) => {
            Some(values.iter().any(|value| matches!(value, Rdata::Mx(mx) if !mx.exchange.is_root())))
        }
        Answer::NxDomain => Some(false),
        Answer::TempError | Answer::Unknown => None,
        Answer::NoData => {
            let (a, aaaa) = (inquiry.dns(domain, RecordType::A), inquiry.dns(domain, RecordType::AAAA));
            match (a?, aaaa?) {
                (Answer::Records(..), _) | (_, Answer::Records(..)) => Some(true),
                (Answer::TempError, _) | (_, Answer::TempError) => None,
                _ => Some(false),
            }
        }
    }
}
