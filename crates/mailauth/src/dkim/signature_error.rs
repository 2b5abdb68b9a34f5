//! Why a signature field is none that could verify.

use mailzone_record::Name;

use super::key::Base64Error;

/// A signature field that cannot verify, whatever its key is. Its signer's fault; a retry does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct SignatureError {
    /// What.
    pub kind: SignatureErrorKind,
    /// `d`, if it could be read.
    pub domain: Option<Name>,
    /// `s`, if it could be read.
    pub selector: Option<String>,
}

/// The kinds of [`SignatureError`]. What they repeat of the message is escaped and short.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureErrorKind {
    /// More than [`SIGNATURE_OCTETS`](super::SIGNATURE_OCTETS).
    #[error("the signature field is longer than {} octets", super::SIGNATURE_OCTETS)]
    TooLong,
    /// No UTF-8.
    #[error("the signature field is no text")]
    NotText,
    /// No tag list.
    #[error("a part of the signature field is no `tag=value` pair")]
    Syntax,
    /// A tag twice.
    #[error("tag `{0}` stands more than once, which voids the signature")]
    Repeated(String),
    /// A tag that must be there, with a value.
    #[error("tag `{0}` is missing or empty")]
    Missing(&'static str),
    /// `v` is not 1.
    #[error("version `{0}` of signatures is unknown, there is only `1`")]
    Version(String),
    /// `a=rsa-sha1`.
    #[error("the algorithm rsa-sha1 is withdrawn: its signatures count as failed (RFC 8301)")]
    Sha1,
    /// Another `a`.
    #[error("unknown algorithm `{0}`")]
    Algorithm(String),
    /// `c`.
    #[error("unknown canonicalisation `{0}`")]
    Canonicalisation(String),
    /// `q` without `dns/txt`.
    #[error("the key is said to be found by another method than `dns/txt`")]
    Query,
    /// `d`.
    #[error("`d={0}` is no domain name")]
    Domain(String),
    /// `s`.
    #[error("`s={0}` is no selector")]
    Selector(String),
    /// Selector and domain are too long for the DNS.
    #[error("selector and domain are too long for a name")]
    NameTooLong,
    /// `i` is no address.
    #[error("`i={0}` is no address")]
    BadIdentity(String),
    /// `i` is not below `d`.
    #[error("the signature of {domain} speaks for {identity}, which is not below it")]
    Identity {
        /// `d`.
        domain: Name,
        /// The domain of `i`.
        identity: Name,
    },
    /// `h`.
    #[error("`h` is no list of header field names")]
    FieldNames,
    /// `h` without `From` (RFC 6376 section 5.4).
    #[error("the signature leaves `From` out: it says nothing of the author")]
    FromNotSigned,
    /// `bh` or `b`.
    #[error("`{0}` is damaged: {1}")]
    Base64(&'static str, Base64Error),
    /// `bh` of another length.
    #[error("`bh` has {0} octets, a SHA-256 hash has 32")]
    HashLength(usize),
    /// `l`, `t` or `x`.
    #[error("`{0}` is no number")]
    Number(&'static str),
    /// `x` is not after `t`.
    #[error("the signature expires before it was made")]
    Lifetime,
}

impl From<SignatureErrorKind> for SignatureError {
    fn from(kind: SignatureErrorKind) -> Self {
        Self { kind, domain: None, selector: None }
    }
}
