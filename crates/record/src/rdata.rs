use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::escape::write_quoted;
use crate::{Name, RecordType, table};

/// Record data: the types that mailzone reads, and all others as [`Opaque`].
///
/// Equality compares data, names without case; TXT with its character-string borders. What a
/// receiver could not tell apart is a question of the record kind, not of this comparison.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the variants are the record types")]
pub enum Rdata {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Ns(Name),
    Cname(Name),
    Ptr(Name),
    Mx(Mx),
    Txt(Txt),
    Srv(Srv),
    Tlsa(Tlsa),
    Caa(Caa),
    Soa(Box<Soa>),
    Opaque(Opaque),
}

/// MX data (RFC 1035 section 3.3.9). The exchange `.` with preference 0 is a null MX (RFC 7505).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the RFC's field names")]
pub struct Mx {
    pub preference: u16,
    pub exchange: Name,
}

/// TXT data: one or more character-strings of at most 255 octets (RFC 1035 section 3.3.14).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Txt {
    strings: Vec<Box<[u8]>>,
}

/// SRV data (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the RFC's field names")]
pub struct Srv {
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    pub target: Name,
}

/// TLSA data (RFC 6698 section 2.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the RFC's field names")]
pub struct Tlsa {
    pub usage: u8,
    pub selector: u8,
    pub matching: u8,
    pub data: Vec<u8>,
}

/// CAA data (RFC 8659 section 4.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the RFC's field names")]
pub struct Caa {
    pub flags: u8,
    /// The property tag as received; compare it without case.
    pub tag: Box<str>,
    /// The property value, any octets.
    pub value: Box<[u8]>,
}

/// SOA data (RFC 1035 section 3.3.13); times in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the RFC's field names")]
pub struct Soa {
    pub mname: Name,
    pub rname: Name,
    pub serial: u32,
    pub refresh: u32,
    pub retry: u32,
    pub expire: u32,
    pub minimum: u32,
}

/// Data of a type that mailzone does not interpret: carried, compared, printed, never changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Opaque {
    /// The octets on the wire, names uncompressed (RFC 3597).
    Wire {
        /// The record's type.
        rtype: RecordType,
        /// The record data.
        data: Box<[u8]>,
    },
    /// The exact text received, of a type whose text we cannot turn into octets.
    Text {
        /// The record's type.
        rtype: RecordType,
        /// The text, without the type.
        text: Box<str>,
    },
}

impl Rdata {
    /// The record type that this data belongs to.
    pub fn rtype(&self) -> RecordType {
        match self {
            Self::A(_) => RecordType::A,
            Self::Aaaa(_) => RecordType::AAAA,
            Self::Ns(_) => RecordType::NS,
            Self::Cname(_) => RecordType::CNAME,
            Self::Ptr(_) => RecordType::PTR,
            Self::Mx(_) => RecordType::MX,
            Self::Txt(_) => RecordType::TXT,
            Self::Srv(_) => RecordType::SRV,
            Self::Tlsa(_) => RecordType::TLSA,
            Self::Caa(_) => RecordType::CAA,
            Self::Soa(_) => RecordType::SOA,
            Self::Opaque(Opaque::Wire { rtype, .. } | Opaque::Text { rtype, .. }) => *rtype,
        }
    }

    /// The TXT data, if it is TXT.
    pub fn as_txt(&self) -> Option<&Txt> {
        match self {
            Self::Txt(txt) => Some(txt),
            _ => None,
        }
    }
}

impl Txt {
    /// TXT data of these character-strings; `None` if there is none, or one is over 255 octets.
    pub fn from_strings(strings: Vec<Box<[u8]>>) -> Option<Self> {
        let fits = !strings.is_empty() && strings.iter().all(|s| s.len() <= 255);
        fits.then_some(Self { strings })
    }

    /// TXT data whose joined strings are `text`: one string where it fits, else cut at most every
    /// 255 octets, never inside a UTF-8 sequence, after a blank where one is near.
    pub fn from_text(text: impl AsRef<[u8]>) -> Self {
        let mut rest = text.as_ref();
        let mut strings = Vec::with_capacity(1 + rest.len() / 255);
        while rest.len() > 255 {
            let at = cut_at(rest);
            strings.push(Box::from(&rest[..at]));
            rest = &rest[at..];
        }
        if !rest.is_empty() || strings.is_empty() {
            strings.push(Box::from(rest));
        }
        Self { strings }
    }

    /// The character-strings, in order.
    pub fn strings(&self) -> &[Box<[u8]>] {
        &self.strings
    }

    /// The strings joined in order without a space: what every mail protocol reads (RFC 7208
    /// section 3.3, RFC 6376 section 3.6.2.2).
    pub fn joined(&self) -> Cow<'_, [u8]> {
        match self.strings.as_slice() {
            [one] => Cow::Borrowed(one),
            many => Cow::Owned(many.concat()),
        }
    }
}

impl fmt::Display for Rdata {
    /// Presentation format (RFC 1035 section 5.1), names absolute, TXT and CAA values quoted; octets of
    /// a type whose text is not known as `\\#` (RFC 3597 section 5).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::A(address) => address.fmt(f),
            Self::Aaaa(address) => address.fmt(f),
            Self::Ns(name) | Self::Cname(name) | Self::Ptr(name) => name.fmt(f),
            Self::Mx(mx) => write!(f, "{} {}", mx.preference, mx.exchange),
            Self::Txt(txt) => txt.fmt(f),
            Self::Srv(s) => write!(f, "{} {} {} {}", s.priority, s.weight, s.port, s.target),
            Self::Tlsa(t) => {
                let data = data_encoding::HEXLOWER.encode(&t.data);
                write!(f, "{} {} {} {data}", t.usage, t.selector, t.matching)
            }
            Self::Caa(caa) => {
                write!(f, "{} {} ", caa.flags, caa.tag)?;
                write_quoted(f, &caa.value)
            }
            Self::Soa(s) => {
                write!(f, "{} {} {} {} {} {} {}", s.mname, s.rname, s.serial, s.refresh, s.retry, s.expire, s.minimum)
            }
            Self::Opaque(Opaque::Text { text, .. }) => f.write_str(text),
            Self::Opaque(Opaque::Wire { rtype, data }) => {
                if let Some(text) = table::print(*rtype, data) {
                    return f.write_str(&text);
                }
                write!(f, "\\# {}", data.len())?;
                if !data.is_empty() {
                    write!(f, " {}", data_encoding::HEXLOWER.encode(data))?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Txt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, string) in self.strings.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            write_quoted(f, string)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Txt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Txt({self})")
    }
}

/// Where to end a character-string of `rest`, which is over 255 octets long.
fn cut_at(rest: &[u8]) -> usize {
    if let Some(blank) = rest[200..255].iter().rposition(|&b| b == b' ') {
        return 200 + blank + 1;
    }
    (252..=255).rev().find(|&at| rest[at] & 0xc0 != 0x80).unwrap_or(255)
}
