//! Whether the signatures of a message hold (RFC 6376 section 6): everything but the two primitives of cryptography.

use mailzone_record::{Name, RecordType};

use super::canonical::BodyHash;
use super::key::PublicKey;
use super::record::KeyRecord;
use super::signature::{Signature, signatures};
use super::verify_outcome::{DkimResult, Reason, Verified};
use crate::lookup::{Answer, Lookup, Pending, resolve};
use crate::message::Message;
use crate::txt;

/// Signatures of one message that are verified, from the top; RFC 6376 section 6.1 allows a limit.
pub const SIGNATURES: usize = 10;

/// Key records at one name that are tried; there should be one (RFC 6376 section 3.6.2.2).
pub const KEY_RECORDS: usize = 4;

/// Smaller RSA keys never verify (RFC 8301 section 3.2).
pub const RSA_BITS_LEAST: usize = 1024;

/// Larger ones are not tried, for what they would cost.
pub const RSA_BITS_MOST: usize = 8192;

/// Seconds that a signer's clock may be ahead.
pub const CLOCK_SKEW: u64 = 300;

/// The primitives of cryptography, which this crate does not have.
pub trait Primitives {
    /// Whether `signature` is over `data` by this key: RSASSA-PKCS1-v1_5 with SHA-256 of the data for RSA (RFC 8017
    /// section 8.2.2), Ed25519 over the 32 octets of the data's SHA-256 (RFC 8463 section 3). RSA keys come with
    /// [`RSA_BITS_LEAST`] to [`RSA_BITS_MOST`] bits.
    fn verifies(&self, key: &PublicKey, data: &[u8], signature: &[u8]) -> bool;
}

/// Verifies the signatures of a message, in the order of their fields from the top; none gives an empty list.
/// What is beyond [`SIGNATURES`] has one entry, the last. `now` is in seconds since 1970: for a message from the past
/// the time when it was received.
///
/// # Errors
/// Answers are missing in `lookup`; all the questions at once, but for aliases.
pub fn verify(
    message: &Message<'_>,
    lookup: &(impl Lookup + ?Sized),
    now: u64,
    primitives: &dyn Primitives,
) -> Result<Vec<Verified>, Pending> {
    let mut found = Vec::new();
    let mut open = Vec::new();
    let mut all = signatures(message);
    for signature in all.by_ref().take(SIGNATURES) {
        let signature = match signature {
            Ok(signature) => signature,
            Err(error) => {
                found.push(Verified::unreadable(error));
                continue;
            }
        };
        if let Some(reason) = refused(&signature, message, now) {
            found.push(Verified::new(signature, Some(reason)));
            continue;
        }
        match resolve(lookup, &signature.key_name, RecordType::TXT) {
            Err(question) => open.push(question),
            Ok(answer) => found.push(with_answer(signature, &answer, message, primitives)),
        }
    }
    let more = all.count();
    if more > 0 {
        found.push(Verified::left_out(more));
    }
    Pending::of(open).map_or(Ok(found), Err)
}

/// What needs no key.
fn refused(signature: &Signature, message: &Message<'_>, now: u64) -> Option<Reason> {
    match signature.unsigned_fields(message, "From") {
        None => return Some(Reason::NoFrom),
        Some(0) => {}
        Some(unsigned) => return Some(Reason::UnsignedFrom { unsigned }),
    }
    if let Some(at) = signature.expires_at.filter(|&at| now > at) {
        return Some(Reason::Expired { at });
    }
    let future = signature.signed_at.filter(|&at| at > now.saturating_add(CLOCK_SKEW));
    future.map(|at| Reason::Future { at })
}

fn with_answer(signature: Signature, answer: &Answer, message: &Message<'_>, primitives: &dyn Primitives) -> Verified {
    let texts: Vec<_> = match answer {
        Answer::Records(values, _) => values.iter().filter_map(txt::text).take(KEY_RECORDS).collect(),
        Answer::NoData | Answer::NxDomain => Vec::new(),
        Answer::TempError | Answer::Unknown => {
            let reason = Reason::Dns(signature.key_name.clone());
            return Verified::new(signature, Some(reason));
        }
    };
    if texts.is_empty() {
        let reason = Reason::NoKey(signature.key_name.clone());
        return Verified::new(signature, Some(reason));
    }
    let signed = Signed {
        data: signature.signed_data(message),
        body: signature.body.body_hash(message.body(), signature.body_length),
    };
    let tried = texts.iter().map(|text| match KeyRecord::parse(text) {
        Ok(record) => (signed.reason(&signature, &record, primitives), Some(record)),
        Err(error) => (Some(Reason::KeyRecord(error.kind)), None),
    });
    // Of several records the one that comes nearest.
    let nearest = tried.min_by_key(|(reason, _)| match reason.as_ref().map(Reason::result) {
        None => 0,
        Some(DkimResult::Fail) => 1,
        Some(_) => 2,
    });
    let (reason, key) = nearest.unwrap_or_default();
    let mut verified = Verified::new(signature, reason);
    verified.key = key;
    verified.coverage = Some(signed.body.coverage);
    verified
}

/// What a signature is over, as it is in the message.
struct Signed {
    data: Vec<u8>,
    body: BodyHash,
}

impl Signed {
    /// Why the signature does not hold with this record.
    fn reason(&self, signature: &Signature, record: &KeyRecord, primitives: &dyn Primitives) -> Option<Reason> {
        let key = match usable(signature, record) {
            Ok(key) => key,
            Err(reason) => return Some(reason),
        };
        let header_intact = primitives.verifies(key, &self.data, &signature.value);
        let body = self.body.coverage.body;
        match signature.body_length {
            Some(signed) if signed > body => Some(Reason::BodyTooShort { signed, body }),
            _ if self.body.hash != signature.body_hash => Some(Reason::BodyHash { header_intact }),
            _ => (!header_intact).then_some(Reason::Signature),
        }
    }
}

/// The key, if the record lets it verify this signature (RFC 6376 section 6.1.2).
fn usable<'r>(signature: &Signature, record: &'r KeyRecord) -> Result<&'r PublicKey, Reason> {
    let key = record.public_key().ok_or(Reason::Revoked)?;
    if key.key_type() != signature.algorithm.key_type() {
        return Err(Reason::KeyType { key: key.key_type(), algorithm: signature.algorithm });
    }
    if !record.allows_usable_hash() {
        return Err(Reason::Hash);
    }
    if !record.allows_mail() {
        return Err(Reason::Service);
    }
    if record.is_strict() && signature.identity_domain != signature.domain {
        return Err(Reason::Strict { domain: signature.domain.clone(), identity: signature.identity_domain.clone() });
    }
    match key {
        PublicKey::Rsa(rsa) if !(RSA_BITS_LEAST..=RSA_BITS_MOST).contains(&rsa.bits()) => {
            Err(Reason::KeySize { bits: rsa.bits() })
        }
        _ => Ok(key),
    }
}

/// The names at which the keys of a message's signatures are published, each once: what a driver can ask at once.
pub fn key_names(message: &Message<'_>) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::new();
    for signature in signatures(message).take(SIGNATURES).filter_map(Result::ok) {
        if !names.contains(&signature.key_name) {
            names.push(signature.key_name);
        }
    }
    names
}
