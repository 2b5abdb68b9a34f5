//! DKIM key records and signatures (RFC 6376, RFC 8301, RFC 8463).
//!
//! Keys are read from their DER so that the same key in another spelling is never a change, and another
//! key under the same selector always is. [`verify()`] tests the signatures of a message, with the primitives of
//! cryptography from outside.

mod canonical;
mod der;
mod difference;
mod key;
pub mod key_material;
mod lint;
pub mod paste;
mod record;
mod selector;
mod signature;
mod signature_error;
#[cfg(test)]
mod tests;
mod verify;
mod verify_outcome;

use mailzone_record::{Name, Rdata, RecordType, Txt};

pub use self::canonical::{BodyHash, Canonicalisation, Coverage};
pub use self::der::DerError;
pub use self::key::{Base64Error, Encoding, KeyError, KeyType, PublicKey, RsaKey};
pub use self::record::{Key, KeyRecord, RecordError, RecordErrorKind};
pub use self::selector::{SelectorError, missing_underscore, selector_name, selector_of};
pub use self::signature::{Algorithm, SIGNATURE_FIELD, SIGNATURE_OCTETS, Signature, signatures};
pub use self::signature_error::{SignatureError, SignatureErrorKind};
pub use self::verify::{
    CLOCK_SKEW, KEY_RECORDS, Primitives, RSA_BITS_LEAST, RSA_BITS_MOST, SIGNATURES, key_names, verify,
};
pub use self::verify_outcome::{DkimResult, Reason, Verified};
use crate::finding::Finding;
use crate::kind::{Difference, Equality, Kind, KindId, LiveSlot, Recognition};
use crate::txt;

/// The key record, or the CNAME to one, at `SELECTOR._domainkey` below a domain. The slot owns the whole
/// RRset: verifiers try whatever TXT stands there.
#[derive(Debug)]
pub struct Dkim;

impl Kind for Dkim {
    fn id(&self) -> KindId {
        KindId::Dkim
    }

    fn recognise(&self, rdata: &Rdata) -> Recognition {
        match rdata {
            Rdata::Txt(_) | Rdata::Cname(_) => Recognition::Candidate,
            _ => Recognition::Foreign,
        }
    }

    fn equal(&self, _owner: &Name, a: &[&Rdata], b: &[&Rdata]) -> Equality {
        difference::equal(a, b)
    }

    fn difference(&self, _owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Difference {
        difference::difference(before, after)
    }

    fn describe(&self, rdata: &Rdata) -> String {
        match (rdata, txt::text(rdata)) {
            (Rdata::Cname(target), _) => format!("CNAME to {target}"),
            (_, Some(text)) => difference::describe(&text),
            (_, None) => "no key record".to_owned(),
        }
    }

    fn guards(&self, owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Vec<Finding> {
        difference::guards(owner, before, after)
    }

    fn lint(&self, owner: &Name, values: &[&Rdata]) -> Vec<Finding> {
        lint::lint(owner, values)
    }

    fn adopt(&self, live: &Rdata, want: &Rdata) -> Option<Rdata> {
        let read = |rdata| KeyRecord::parse(&txt::text(rdata)?).ok();
        let record = read(want)?.with_tags_of(&read(live)?)?;
        Some(Rdata::Txt(Txt::from_text(record.to_string())))
    }

    fn slot_at(&self, owner: &Name, rtype: RecordType, values: &[&Rdata]) -> Option<LiveSlot> {
        let (selector, domain) = selector_of(owner)?;
        let ours = match rtype {
            RecordType::CNAME => true,
            RecordType::TXT => values.iter().filter_map(|rdata| txt::text(rdata)).any(|t| record::looks_like_key(&t)),
            _ => false,
        };
        ours.then_some(LiveSlot { domain, key: Some(selector) })
    }
}
