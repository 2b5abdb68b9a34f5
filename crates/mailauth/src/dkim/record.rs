//! The DKIM key record: tags, reading, printing (RFC 6376 section 3.6.1).

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use super::key::{self, Base64Error, Encoding, KeyError, KeyType, PublicKey};
use crate::kind::Equality;
use crate::tag_list::{self, Tag, TagList};

/// A key record by its tags. Lists are kept as written; the order of tags, white space, and whether `v`
/// and `k` were left to their defaults are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// `p` and `k`: the key, or that it is revoked (`p=`).
    pub key: Key,
    /// `h`: allowed hashes; absent: all.
    pub hashes: Option<Vec<String>>,
    /// `s`: services; absent: all (`*`).
    pub services: Option<Vec<String>>,
    /// `t`: flags.
    pub flags: Vec<String>,
    /// `n`: a note for people, as written.
    pub note: Option<String>,
    /// Other tags (`g` among them) with their values, in their order.
    pub unknown: Vec<(String, String)>,
}

/// What `p` holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Nothing: the key is gone on purpose.
    Revoked,
    /// A key.
    Public(PublicKey),
}

/// Why a text is no key record that a verifier takes, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct RecordError {
    /// Where, in octets of the text.
    pub span: Range<usize>,
    /// What.
    pub kind: RecordErrorKind,
}

/// Why a text is no key record. The messages never repeat what might be a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordErrorKind {
    /// `v` with another value.
    #[error("the version must be exactly `DKIM1`")]
    Version,
    /// `v` is not the first tag.
    #[error("`v` must be the first tag")]
    VersionNotFirst,
    /// A tag twice.
    #[error("tag `{0}` stands more than once, which voids the record")]
    Repeated(String),
    /// A part that is no `tag=value` pair.
    #[error("a part between semicolons is no `tag=value` pair")]
    Syntax,
    /// No `p`.
    #[error("`p` is missing: there is no key")]
    NoKey,
    /// `k` with another value than `rsa` or `ed25519`.
    #[error("unknown key type `{0}`: verifiers know `rsa` and `ed25519`")]
    KeyType(String),
    /// `p` is no base64.
    #[error("`p` is damaged: {0}")]
    Base64(Base64Error),
    /// `p` holds no such key.
    #[error("`p`: {0}")]
    Key(KeyError),
}

impl KeyRecord {
    /// A record of this key and nothing else.
    pub fn new(key: Key) -> Self {
        Self { key, hashes: None, services: None, flags: Vec::new(), note: None, unknown: Vec::new() }
    }

    /// Reads the joined text of a TXT record.
    ///
    /// # Errors
    /// A verifier would find no usable key in it.
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        let list = TagList::parse(text);
        let fail = |span: &Range<usize>, kind| Err(RecordError { span: span.clone(), kind });
        if let Some((place, tag)) = list.tags.iter().enumerate().find(|(_, tag)| tag.name == "v") {
            if tag.value != "DKIM1" {
                return fail(&tag.span, RecordErrorKind::Version);
            }
            if place > 0 {
                return fail(&tag.span, RecordErrorKind::VersionNotFirst);
            }
        }
        if let Some(problem) = list.problems.iter().find(|problem| problem.is_fatal()) {
            return match &problem.kind {
                tag_list::ProblemKind::Repeated(tag) => fail(&problem.span, RecordErrorKind::Repeated(tag.clone())),
                _ => fail(&problem.span, RecordErrorKind::Syntax),
            };
        }
        let Some(p) = list.get("p") else { return fail(&(0..text.len()), RecordErrorKind::NoKey) };
        let items = |name| {
            list.get(name).map(|tag| tag_list::items(tag, ':').into_iter().map(|(item, _)| item.to_owned()).collect())
        };
        let other = |tag: &&Tag<'_>| !matches!(tag.name, "v" | "k" | "p" | "h" | "s" | "t" | "n");
        Ok(Self {
            key: read_key(list.get("k"), p)?,
            hashes: items("h"),
            services: items("s"),
            flags: items("t").unwrap_or_default(),
            note: list.get("n").map(|tag| tag.value.to_owned()),
            unknown: list.tags.iter().filter(other).map(|tag| (tag.name.to_owned(), tag.value.to_owned())).collect(),
        })
    }

    /// The key, unless it is revoked.
    pub fn public_key(&self) -> Option<&PublicKey> {
        match &self.key {
            Key::Public(key) => Some(key),
            Key::Revoked => None,
        }
    }

    /// Whether verifiers are asked to treat failures like unsigned mail (`t=y`).
    pub fn is_testing(&self) -> bool {
        self.has_flag("y")
    }

    /// Whether the domain in `i=` must be the domain in `d=` (`t=s`).
    pub fn is_strict(&self) -> bool {
        self.has_flag("s")
    }

    /// Whether a hash that is not forbidden is allowed (RFC 8301 section 3.1).
    pub fn allows_usable_hash(&self) -> bool {
        self.hashes.as_ref().is_none_or(|hashes| hashes.iter().any(|hash| hash == "sha256"))
    }

    /// Whether the key may be used for mail.
    pub fn allows_mail(&self) -> bool {
        self.services
            .as_ref()
            .is_none_or(|services| services.iter().any(|service| service == "*" || service == "email"))
    }

    /// How alike two records are (rule book 3.3). Records that differ in the note alone are
    /// [`Equality::Different`]: the note is published, so changing it is a change, a cosmetic one.
    pub fn equality(&self, other: &Self) -> Equality {
        let (Some(a), Some(b)) = (self.public_key(), other.public_key()) else {
            let both = self.key == Key::Revoked && other.key == Key::Revoked;
            return if both { Equality::Same } else { Equality::Different };
        };
        let hashes_work_alike = self.allows_usable_hash() == other.allows_usable_hash();
        let alike = a.is_same_key(b)
            && hashes_work_alike
            && self.known_services() == other.known_services()
            && self.known_flags() == other.known_flags()
            && self.note.as_deref().unwrap_or_default() == other.note.as_deref().unwrap_or_default();
        let same = encoding(a) == encoding(b) && self.known_hashes() == other.known_hashes();
        match (alike, same) {
            (true, true) => Equality::Same,
            (true, false) => Equality::Equivalent,
            (false, _) => Equality::Different,
        }
    }

    /// This record with the tags of `live` where this has none; `None` unless `live` holds the same key.
    pub fn with_tags_of(&self, live: &Self) -> Option<Self> {
        let (key, other) = (self.public_key()?, live.public_key()?);
        key.is_same_key(other).then(|| Self {
            key: self.key.clone(),
            hashes: self.hashes.clone().or_else(|| live.hashes.clone()),
            services: self.services.clone().or_else(|| live.services.clone()),
            flags: if self.flags.is_empty() { live.flags.clone() } else { self.flags.clone() },
            note: self.note.clone().or_else(|| live.note.clone()),
            unknown: if self.unknown.is_empty() { live.unknown.clone() } else { self.unknown.clone() },
        })
    }

    /// The tags that are printed, in their order, `v` and `p` included.
    pub fn tags(&self) -> Vec<(String, String)> {
        let list = |items: &[String]| items.join(":");
        let key = self.public_key();
        let named = [
            ("v", Some("DKIM1".to_owned())),
            ("h", self.hashes.as_deref().map(list)),
            ("k", key.map(|key| key.key_type().to_string())),
            ("s", self.services.as_deref().map(list)),
            ("t", (!self.flags.is_empty()).then(|| list(&self.flags))),
            ("n", self.note.clone()),
        ];
        let named = named.into_iter().filter_map(|(tag, value)| Some((tag.to_owned(), value?)));
        let p = key.map(|key| key::encode_base64(&key.to_octets())).unwrap_or_default();
        named.chain(self.unknown.iter().cloned()).chain([("p".to_owned(), p)]).collect()
    }

    fn has_flag(&self, flag: &str) -> bool {
        self.flags.iter().any(|item| item == flag)
    }

    fn known_flags(&self) -> BTreeSet<&str> {
        known(&self.flags, &["y", "s"])
    }

    fn known_hashes(&self) -> Option<BTreeSet<&str>> {
        self.hashes.as_deref().map(|hashes| known(hashes, &["sha1", "sha256"]))
    }

    fn known_services(&self) -> BTreeSet<&str> {
        match self.services.as_deref() {
            None => BTreeSet::from(["*"]),
            Some(services) if services.iter().any(|service| service == "*") => BTreeSet::from(["*"]),
            Some(services) => known(services, &["email", "tlsrpt"]),
        }
    }
}

impl fmt::Display for KeyRecord {
    /// The record as text: `v=DKIM1; h=…; k=rsa; …; p=…`, RSA keys as SubjectPublicKeyInfo.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (tag, value)) in self.tags().into_iter().enumerate() {
            let before = if i > 0 { "; " } else { "" };
            write!(f, "{before}{tag}={value}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revoked => f.write_str("revoked"),
            Self::Public(key) => key.fmt(f),
        }
    }
}

/// Whether a text at a selector was meant as a key record.
pub(super) fn looks_like_key(text: &str) -> bool {
    let list = TagList::parse(text);
    list.has_version("DKIM1") || list.get("p").is_some()
}

fn read_key(k: Option<&Tag<'_>>, p: &Tag<'_>) -> Result<Key, RecordError> {
    if p.value.is_empty() {
        return Ok(Key::Revoked);
    }
    let key_type = match k {
        None => KeyType::Rsa,
        Some(tag) => KeyType::parse(tag.value).ok_or_else(|| {
            let shown: String = tag.value.chars().take(20).collect();
            RecordError { span: tag.value_span.clone(), kind: RecordErrorKind::KeyType(shown) }
        })?,
    };
    let fail = |kind| RecordError { span: p.value_span.clone(), kind };
    let octets = key::decode_base64(p.value).map_err(|error| fail(RecordErrorKind::Base64(error)))?;
    let key = PublicKey::from_octets(key_type, &octets).map_err(|error| fail(RecordErrorKind::Key(error)))?;
    Ok(Key::Public(key))
}

fn known<'a>(items: &'a [String], names: &[&str]) -> BTreeSet<&'a str> {
    items.iter().map(String::as_str).filter(|item| names.contains(item)).collect()
}

pub(super) fn encoding(key: &PublicKey) -> Option<Encoding> {
    match key {
        PublicKey::Rsa(rsa) => Some(rsa.encoding),
        PublicKey::Ed25519(_) => None,
    }
}
