//! What verifying a signature comes to: a result in the words of RFC 8601, and the reason in words for people.

use std::fmt;

use mailzone_record::Name;
use serde::Serialize;

use super::canonical::Coverage;
use super::key::KeyType;
use super::record::{KeyRecord, RecordErrorKind};
use super::signature::{Algorithm, Signature};
use super::signature_error::{SignatureError, SignatureErrorKind};
use super::verify::{RSA_BITS_LEAST, RSA_BITS_MOST, SIGNATURES};

/// The results of RFC 8601 section 2.7.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DkimResult {
    /// The message has no signature.
    None,
    /// The signature holds.
    Pass,
    /// The signature was tested and does not hold.
    Fail,
    /// The signature is not acceptable, whether it holds or not.
    Policy,
    /// The signature cannot be read.
    Neutral,
    /// The key could not be had now; a later try may have another result.
    TempError,
    /// There is no key that could verify the signature, or no author that it could be for.
    PermError,
}

/// One signature, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The signature, where its field could be read.
    pub signature: Option<Signature>,
    /// Why it does not pass; `None`: it passes.
    pub reason: Option<Reason>,
    /// The record whose key verified it, or nearly.
    pub key: Option<KeyRecord>,
    /// How much of the body it is over, where there was a key to test it with.
    pub coverage: Option<Coverage>,
    domain: Option<Name>,
    selector: Option<String>,
}

/// Why a signature does not pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// Its field is none that could verify.
    #[error("{0}")]
    Unreadable(SignatureErrorKind),
    /// There are more signatures than are verified.
    #[error("the first {SIGNATURES} signatures are verified; {0} more are not")]
    LeftOut(usize),
    /// A message without an author.
    #[error("the message has no `From`")]
    NoFrom,
    /// `From` stands more often than the signature covers it.
    #[error("the message has more than one `From`, and the signature leaves {unsigned} out")]
    UnsignedFrom {
        /// How many are not signed.
        unsigned: usize,
    },
    /// `x`.
    #[error("the signature expired at {}", utc(*at))]
    Expired {
        /// Seconds since 1970.
        at: u64,
    },
    /// `t`.
    #[error("the signature is from the future: {}", utc(*at))]
    Future {
        /// Seconds since 1970.
        at: u64,
    },
    /// The DNS gave no answer.
    #[error("no answer from the DNS for the key at {0}")]
    Dns(Name),
    /// No record.
    #[error("no key record at {0}")]
    NoKey(Name),
    /// A record that is none.
    #[error("the key record cannot be used: {0}")]
    KeyRecord(RecordErrorKind),
    /// `p=`.
    #[error("the key is revoked")]
    Revoked,
    /// The key is of another type than the signature.
    #[error("the key is of type {key}, the signature is {algorithm}")]
    KeyType {
        /// `k` of the record.
        key: KeyType,
        /// `a` of the signature.
        algorithm: Algorithm,
    },
    /// `h` of the record.
    #[error("the key record does not allow SHA-256 (`h=`)")]
    Hash,
    /// `s` of the record.
    #[error("the key is not for mail (`s=`)")]
    Service,
    /// `t=s` of the record.
    #[error("the key is for {domain} alone (`t=s`), and the signature speaks for {identity}")]
    Strict {
        /// `d`.
        domain: Name,
        /// The domain of `i`.
        identity: Name,
    },
    /// A key beyond what is verified.
    #[error("an RSA key of {bits} bits is not accepted: {RSA_BITS_LEAST} to {RSA_BITS_MOST} are")]
    KeySize {
        /// Bits of the modulus.
        bits: usize,
    },
    /// `l` is more than there is.
    #[error("the end of the body is missing: {signed} octets are signed, {body} are there")]
    BodyTooShort {
        /// `l`.
        signed: u64,
        /// Octets of the canonical body.
        body: u64,
    },
    /// `bh`.
    #[error("the body hash differs: the body was changed after signing{}", if *header_intact { ", the signed header was not" } else { ", or the header too" })]
    BodyHash {
        /// Whether the signature over the header holds.
        header_intact: bool,
    },
    /// `b`.
    #[error("the signature differs: the header was changed after signing, or another key signed")]
    Signature,
}

impl DkimResult {
    /// The word of RFC 8601.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Policy => "policy",
            Self::Neutral => "neutral",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }

    /// One word for the whole message: `none` without a signature, `pass` if any passes, `temperror` if one may yet,
    /// else that of the first signature.
    pub fn of_message(verified: &[Verified]) -> Self {
        let any = |result| verified.iter().any(|one| one.result() == result).then_some(result);
        let first = verified.first().map_or(Self::None, Verified::result);
        any(Self::Pass).or_else(|| any(Self::TempError)).unwrap_or(first)
    }
}

impl fmt::Display for DkimResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Verified {
    /// The result.
    pub fn result(&self) -> DkimResult {
        self.reason.as_ref().map_or(DkimResult::Pass, Reason::result)
    }

    /// The signing domain (`d`), if it could be read.
    pub fn domain(&self) -> Option<&Name> {
        self.domain.as_ref()
    }

    /// The selector (`s`), if it could be read.
    pub fn selector(&self) -> Option<&str> {
        self.selector.as_deref()
    }

    /// Whether the domain only tests (`t=y`): receivers treat its failures like unsigned mail.
    pub fn is_testing(&self) -> bool {
        self.key.as_ref().is_some_and(KeyRecord::is_testing)
    }

    pub(super) fn new(signature: Signature, reason: Option<Reason>) -> Self {
        let (domain, selector) = (Some(signature.domain.clone()), Some(signature.selector.clone()));
        Self { signature: Some(signature), reason, key: None, coverage: None, domain, selector }
    }

    pub(super) fn unreadable(error: SignatureError) -> Self {
        let SignatureError { kind, domain, selector } = error;
        Self { signature: None, reason: Some(Reason::Unreadable(kind)), key: None, coverage: None, domain, selector }
    }

    pub(super) fn left_out(more: usize) -> Self {
        let reason = Some(Reason::LeftOut(more));
        Self { signature: None, reason, key: None, coverage: None, domain: None, selector: None }
    }
}

impl Reason {
    /// The result that it leads to.
    pub fn result(&self) -> DkimResult {
        use SignatureErrorKind as Kind;
        match self {
            Self::Unreadable(Kind::FromNotSigned | Kind::Identity { .. }) => DkimResult::PermError,
            Self::Unreadable(Kind::Sha1) => DkimResult::Policy,
            Self::Unreadable(_) | Self::LeftOut(_) => DkimResult::Neutral,
            Self::UnsignedFrom { .. } | Self::Future { .. } | Self::KeySize { .. } => DkimResult::Policy,
            Self::Dns(_) => DkimResult::TempError,
            Self::Expired { .. } | Self::BodyTooShort { .. } | Self::BodyHash { .. } | Self::Signature => {
                DkimResult::Fail
            }
            Self::NoFrom
            | Self::NoKey(_)
            | Self::KeyRecord(_)
            | Self::Revoked
            | Self::KeyType { .. }
            | Self::Hash
            | Self::Service
            | Self::Strict { .. } => DkimResult::PermError,
        }
    }

    /// What the domain that signs, or who looks at the message, can do.
    pub fn remedy(&self) -> &'static str {
        use SignatureErrorKind as Kind;
        match self {
            Self::Unreadable(Kind::Sha1) => "let the signer use rsa-sha256",
            Self::Unreadable(Kind::FromNotSigned) | Self::UnsignedFrom { .. } => {
                "let the signer put `From` into `h=`, once more than the message has it"
            }
            Self::Unreadable(Kind::Identity { .. }) => "let the signer use an `i=` at or below `d=`, or none",
            Self::Unreadable(_) => "look at the signer's configuration; it may also have been damaged on the way",
            Self::LeftOut(_) => "a message needs one or two signatures; see what adds the others",
            Self::NoFrom => "the program that made the message must give it a `From`",
            Self::Expired { .. } => "judge the message at the time when it came, or let the signer give it more time",
            Self::Future { .. } => "set the signer's clock, or judge the message at the time when it came",
            Self::Dns(_) => "try again later; see whether all name servers of the domain answer",
            Self::NoKey(_) => "publish the signer's key at this name, and sign only once it is visible",
            Self::KeyRecord(_) => "publish the key again: mailzone dkim import reads what the signer has",
            Self::Revoked => "sign with the key of a selector that is in use",
            Self::KeyType { .. } => "let signer and record have the same key; each type has a selector of its own",
            Self::Hash => "take `h=` out of the key record, or add sha256 to it",
            Self::Service => "take `s=` out of the key record, or add email to it",
            Self::Strict { .. } => "take the flag `s` out of the key record's `t=`, or sign with the domain itself",
            Self::KeySize { .. } => "sign with an RSA key of 2048 bits",
            Self::BodyTooShort { .. } | Self::BodyHash { .. } => {
                "find what changes the body on the way: a list's footer, a filter, another encoding; or save the message whole"
            }
            Self::Signature => {
                "compare key and signer: mailzone dkim test; relaxed canonicalisation bears folding on the way"
            }
        }
    }
}

/// A time in UTC, by the civil calendar; a number where it is too far off for one.
fn utc(seconds: u64) -> String {
    // The year 9999 ends before.
    if seconds >= 253_402_300_800 {
        return format!("second {seconds} since 1970");
    }
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March, so that the leap day is the last: eras of 400 years have 146,097 days.
    let since = days + 719_468;
    let (era, day) = (since / 146_097, since % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = era * 400 + year + u64::from(month < 3);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", rest / 3_600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_827_696, "2000-02-29 12:34:56 UTC"),
            (1_709_251_199, "2024-02-29 23:59:59 UTC"),
            (1_735_689_599, "2024-12-31 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (253_402_300_799, "9999-12-31 23:59:59 UTC"),
            (253_402_300_800, "second 253402300800 since 1970"),
        ] {
            assert_eq!(utc(seconds), expected);
        }
    }
}
