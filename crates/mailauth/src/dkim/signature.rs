//! The header field `DKIM-Signature` (RFC 6376 section 3.5, RFC 8301, RFC 8463).

use std::fmt;
use std::ops::Range;

use mailzone_record::Name;

use super::canonical::{Canonicalisation, select};
use super::key::{KeyType, decode_base64};
use super::signature_error::{SignatureError, SignatureErrorKind as Kind};
use crate::message::{Field, Message};
use crate::tag_list::{self, Tag, TagList};

/// The name of the header field.
pub const SIGNATURE_FIELD: &str = "DKIM-Signature";

/// Octets of one signature field; a longer one is not read. Those in the field have less than 2000.
pub const SIGNATURE_OCTETS: usize = 16_384;

/// The algorithms (`a=`) that are in use; `rsa-sha1` is not (RFC 8301 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RsaSha256,
    /// Ed25519 over the SHA-256 of the data (RFC 8463 section 3).
    Ed25519Sha256,
}

/// One signature as its field has it. Nothing is verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// `a`.
    pub algorithm: Algorithm,
    /// `c`, its first half.
    pub header: Canonicalisation,
    /// `c`, its second half.
    pub body: Canonicalisation,
    /// `d`: who takes responsibility, in A-labels.
    pub domain: Name,
    /// `s`, in A-labels.
    pub selector: String,
    /// Where the key is published.
    pub key_name: Name,
    /// `i` as written: for whom, an address whose local part may be empty. `None`: not said, which means `@` and `d`.
    /// A stranger's text.
    pub identity: Option<String>,
    /// The domain of `i`, or `d`. At or below `d`.
    pub identity_domain: Name,
    /// `h`: names of header fields in their order, case kept, repetitions too. `From` is among them.
    pub fields: Vec<String>,
    /// `bh`: SHA-256 of the canonical body.
    pub body_hash: [u8; 32],
    /// `l`: how many octets of the canonical body are signed; `None` for all.
    pub body_length: Option<u64>,
    /// `t`: when it was made, in seconds since 1970.
    pub signed_at: Option<u64>,
    /// `x`: until when it is valid.
    pub expires_at: Option<u64>,
    /// `b`: the signature's octets.
    pub value: Vec<u8>,
    /// Which of the message's fields it is, and where in its value the value of `b` stands.
    place: usize,
    value_span: Range<usize>,
}

impl Algorithm {
    /// The keyword.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519Sha256 => "ed25519-sha256",
        }
    }

    /// The type of key that it takes.
    pub const fn key_type(self) -> KeyType {
        match self {
            Self::RsaSha256 => KeyType::Rsa,
            Self::Ed25519Sha256 => KeyType::Ed25519,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Every signature field of a message from the top, read.
pub fn signatures(message: &Message<'_>) -> impl Iterator<Item = Result<Signature, SignatureError>> {
    let fields = message.fields().iter().enumerate().filter(|(_, field)| field.is(SIGNATURE_FIELD));
    fields.map(|(place, field)| Signature::parse(field, place))
}

impl Signature {
    /// What the signature is over: the canonical header fields and the field itself without the value of `b`
    /// (RFC 6376 section 3.7). `message` is the one that [`signatures`] read it from.
    pub fn signed_data(&self, message: &Message<'_>) -> Vec<u8> {
        let mut data = Vec::new();
        for place in self.selected(message) {
            if let Some(field) = message.fields().get(place) {
                self.header.field(field, &mut data);
                data.extend_from_slice(b"\r\n");
            }
        }
        if let Some(field) = message.fields().get(self.place) {
            let value = field.value();
            let part = |range| value.get(range).unwrap_or_default();
            let value = [part(0..self.value_span.start), part(self.value_span.end..value.len())].concat();
            self.header.field_of(field, &value, &mut data);
        }
        data
    }

    /// Whether the message has a field of this name, and how many of them are not signed.
    pub fn unsigned_fields(&self, message: &Message<'_>, name: &str) -> Option<usize> {
        let count = message.fields_named(name).count();
        let names = self.fields.iter().filter(|signed| signed.eq_ignore_ascii_case(name)).count();
        (count > 0).then(|| count.saturating_sub(names))
    }

    fn parse(field: &Field<'_>, place: usize) -> Result<Self, SignatureError> {
        if field.raw().len() > SIGNATURE_OCTETS {
            return Err(Kind::TooLong.into());
        }
        let text = std::str::from_utf8(field.value()).map_err(|_| Kind::NotText)?;
        let list = TagList::parse(text);
        Self::read(text, &list, place).map_err(|kind| SignatureError {
            kind,
            domain: list.get("d").and_then(|tag| domain(tag).ok()),
            selector: list.get("s").and_then(|tag| selector(tag).ok()),
        })
    }

    fn selected(&self, message: &Message<'_>) -> Vec<usize> {
        select(message, &self.fields, self.place)
    }

    fn read(text: &str, list: &TagList<'_>, place: usize) -> Result<Self, Kind> {
        if let Some(problem) = list.problems.iter().find(|problem| problem.is_fatal()) {
            return Err(match &problem.kind {
                tag_list::ProblemKind::Repeated(tag) => Kind::Repeated(shown(tag)),
                _ => Kind::Syntax,
            });
        }
        let needed = |name: &'static str| list.get(name).ok_or(Kind::Missing(name));
        let version = needed("v")?;
        if version.value != "1" {
            return Err(Kind::Version(shown(version.value)));
        }
        let algorithm = match needed("a")?.value {
            "rsa-sha256" => Algorithm::RsaSha256,
            "ed25519-sha256" => Algorithm::Ed25519Sha256,
            "rsa-sha1" => return Err(Kind::Sha1),
            other => return Err(Kind::Algorithm(shown(other))),
        };
        let (header, body) = match list.get("c") {
            None => (Canonicalisation::Simple, Canonicalisation::Simple),
            Some(tag) => canonicalisations(tag.value).ok_or_else(|| Kind::Canonicalisation(shown(tag.value)))?,
        };
        let methods = list.get("q").map(|tag| tag_list::items(tag, ':'));
        if methods.is_some_and(|methods| methods.iter().all(|(method, _)| *method != "dns/txt")) {
            return Err(Kind::Query);
        }
        let (domain, selector) = (domain(needed("d")?)?, selector(needed("s")?)?);
        let owner = domain.prepend(&format!("{selector}._domainkey")).map_err(|_| Kind::NameTooLong)?;
        let (identity, identity_domain) = match list.get("i") {
            None => (None, domain.clone()),
            Some(tag) => (Some(without_white(tag.value)), identity_domain(tag)?),
        };
        if !identity_domain.is_at_or_below(&domain) {
            return Err(Kind::Identity { domain: domain.clone(), identity: identity_domain });
        }
        let fields: Vec<String> =
            tag_list::items(needed("h")?, ':').into_iter().map(|(name, _)| name.to_owned()).collect();
        let name = |name: &String| name.bytes().all(|octet| matches!(octet, 33..=126));
        if fields.is_empty() || !fields.iter().all(name) {
            return Err(Kind::FieldNames);
        }
        if !fields.iter().any(|name| name.eq_ignore_ascii_case("from")) {
            return Err(Kind::FromNotSigned);
        }
        let base64 = |name| match decode_base64(needed(name)?.value) {
            Ok(octets) if octets.is_empty() => Err(Kind::Missing(name)),
            Ok(octets) => Ok(octets),
            Err(error) => Err(Kind::Base64(name, error)),
        };
        let hash = base64("bh")?;
        let body_hash = <[u8; 32]>::try_from(hash.as_slice()).map_err(|_| Kind::HashLength(hash.len()))?;
        let number = |name| list.get(name).map(|tag| number(tag.value).ok_or(Kind::Number(name))).transpose();
        let (signed_at, expires_at) = (number("t")?, number("x")?);
        if let (Some(signed), Some(expires)) = (signed_at, expires_at)
            && expires <= signed
        {
            return Err(Kind::Lifetime);
        }
        let b = needed("b")?;
        Ok(Self {
            algorithm,
            header,
            body,
            domain,
            selector,
            key_name: owner,
            identity,
            identity_domain,
            fields,
            body_hash,
            body_length: number("l")?,
            signed_at,
            expires_at,
            value: base64("b")?,
            place,
            value_span: value_span(text, b),
        })
    }
}

/// All between the `=` of a tag and the next semicolon, white space included (RFC 6376 section 3.7).
fn value_span(text: &str, tag: &Tag<'_>) -> Range<usize> {
    let after = |at: usize, c: char| text.get(at..).and_then(|rest| rest.find(c)).map(|found| at + found);
    let start = after(tag.span.start, '=').map_or(text.len(), |equals| equals + 1);
    start..after(start, ';').unwrap_or(text.len())
}

fn canonicalisations(text: &str) -> Option<(Canonicalisation, Canonicalisation)> {
    let (header, body) = text.split_once('/').unwrap_or((text, "simple"));
    Some((Canonicalisation::parse(header)?, Canonicalisation::parse(body)?))
}

fn domain(tag: &Tag<'_>) -> Result<Name, Kind> {
    host(tag.value).ok_or_else(|| Kind::Domain(shown(tag.value)))
}

/// Labels of letters, digits, hyphens and underscores, which signers in the field use; or U-labels (RFC 8616).
fn host(text: &str) -> Option<Name> {
    let good = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let absolute = text.ends_with('.');
    if text.is_empty() || absolute || !text.chars().all(good) {
        return None;
    }
    Name::parse_idn(text).ok().filter(|name| !name.is_root())
}

fn selector(tag: &Tag<'_>) -> Result<String, Kind> {
    let name = host(tag.value).ok_or_else(|| Kind::Selector(shown(tag.value)))?;
    Ok(name.to_text_without_dot())
}

fn identity_domain(tag: &Tag<'_>) -> Result<Name, Kind> {
    let domain = tag.value.rsplit_once('@').and_then(|(_, domain)| host(domain.trim_start_matches(tag_list::is_white)));
    domain.ok_or_else(|| Kind::BadIdentity(shown(tag.value)))
}

/// Digits; what is too large for 64 bits counts as the largest.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

fn without_white(text: &str) -> String {
    text.chars().filter(|&c| !tag_list::is_white(c)).collect()
}

/// A stranger's text for an error: its beginning, harmless.
fn shown(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_default).collect()
}
