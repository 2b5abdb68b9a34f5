//! Record types that are carried as octets and that people know in their own text: a table of their fields.

use crate::escape::{unescape, write_quoted};
use crate::parse::{Cursor, ParseError, digits, hex_octets, parse_rdata_text};
use crate::{Name, Opaque, Rdata, RecordType, apl, bitmap, gateway, loc, svcb, time};

/// One field of record data. What takes "the rest" stands last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    U8,
    U16,
    U32,
    /// A DNSSEC algorithm: a number, read also as its mnemonic (RFC 4034 appendix A.1).
    Algorithm,
    /// A certificate type: a number, read also as its mnemonic (RFC 4398 section 2.1).
    CertificateType,
    Name,
    /// A character-string.
    String,
    /// The rest: one or more character-strings.
    Strings,
    /// A character-string that may be missing.
    OptionalString,
    /// The rest: octets in quotes, without a length (RFC 7553 section 4.4).
    Text,
    /// The rest: one octet or more in hexadecimal.
    Hex,
    /// Octets in hexadecimal behind their length; `-` for none (RFC 5155 section 4.3).
    Salt,
    /// The rest: one octet or more in Base64.
    Base64,
    /// So many octets with `-` between them (RFC 7043).
    Eui(usize),
    /// An IPv4 address.
    Ipv4,
    /// Four groups of hexadecimal digits (RFC 6742 section 2.1.2).
    Locator,
    /// The mnemonic of a record type.
    Type,
    /// The rest: the mnemonics of record types.
    Types,
    /// A time of RRSIG.
    Time,
    /// One octet or more in Base32 with its hexadecimal alphabet, behind their length (RFC 5155 section 3.3).
    Hash,
    /// The rest, which may be nothing: octets in Base64.
    OptionalBase64,
    /// A kind of host, an algorithm, the host (RFC 4025 section 2.1).
    Gateway,
    /// A flag, a kind of host, the host (RFC 8777 section 4.2).
    Relay,
    /// How a change is announced: a number, 1 as `NOTIFY` (RFC 9859 section 2.2).
    Scheme,
    /// The rest: octets in hexadecimal behind `0x`, with dots anywhere (RFC 1706 section 7).
    Nsap,
    /// All of APL.
    Prefixes,
    /// All of LOC.
    Location,
    /// The rest, which may be nothing: the parameters of SVCB.
    Parameters,
}

impl Kind {
    /// Whether it is left out of the text where no octets are left.
    fn may_be_missing(self) -> bool {
        matches!(self, Self::OptionalString | Self::OptionalBase64 | Self::Types | Self::Parameters)
    }

    /// Whether octets have a text that stands for others too.
    fn is_ambiguous(self) -> bool {
        matches!(self, Self::Gateway | Self::Relay | Self::Prefixes | Self::Location | Self::Parameters)
    }
}

/// The octets of the fields that `cursor` holds; `None` if the type has no table or the text does not fit it.
pub(crate) fn read(rtype: RecordType, cursor: &mut Cursor<'_, '_>) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    for &kind in fields_of(rtype)? {
        read_field(kind, cursor, &mut data).ok().flatten()?;
    }
    (cursor.is_at_end() && data.len() <= 65_535).then_some(data)
}

/// The text of `data`; `None` if the type has no table or the octets do not fit it. What this prints
/// [`read`] turns into the same octets.
pub(crate) fn print(rtype: RecordType, data: &[u8]) -> Option<String> {
    let mut text = String::new();
    let mut rest = data;
    let kinds = fields_of(rtype)?;
    for &kind in kinds {
        if kind.may_be_missing() && rest.is_empty() {
            break;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        print_field(kind, &mut rest, &mut text)?;
    }
    let is_data = |rdata| matches!(rdata, Rdata::Opaque(Opaque::Wire { data: again, .. }) if *again == *data);
    let exact =
        !kinds.iter().any(|kind| kind.is_ambiguous()) || parse_rdata_text(rtype, &text, None).is_ok_and(is_data);
    (rest.is_empty() && exact).then_some(text)
}

/// Takes the uncompressed name that `rest` begins with.
pub(crate) fn take_name(rest: &mut &[u8]) -> Option<Name> {
    let mut end = 0;
    loop {
        match *rest.get(end)? {
            0 => break,
            length => end += 1 + usize::from(length),
        }
    }
    let name = Name::from_wire(rest.get(..=end)?).ok()?;
    *rest = &rest[end + 1..];
    Some(name)
}

fn fields_of(rtype: RecordType) -> Option<&'static [Kind]> {
    use Kind::*;
    use RecordType as T;
    Some(match rtype {
        T::MD | T::MF | T::MB | T::MG | T::MR | T::DNAME | RecordType(23) => &[Name],
        T::HINFO => &[String, String],
        T::MINFO | T::RP | T::TALINK => &[Name, Name],
        T::AFSDB | T::RT | T::KX | T::LP => &[U16, Name],
        T::X25 => &[String],
        T::ISDN => &[String, OptionalString],
        T::PX => &[U16, Name, Name],
        T::GPOS => &[String, String, String],
        T::NAPTR => &[U16, U16, String, String, String, Name],
        T::CERT => &[CertificateType, U16, Algorithm, Base64],
        T::DS | T::CDS | T::DLV | T::TA => &[U16, Algorithm, U8, Hex],
        T::SSHFP => &[U8, U8, Hex],
        T::DNSKEY | T::CDNSKEY | T::KEY | T::RKEY => &[U16, U8, Algorithm, Base64],
        T::DHCID | T::OPENPGPKEY | T::HHIT | T::BRID => &[Base64],
        T::NSEC3PARAM => &[U8, U8, U16, Salt],
        T::SMIMEA => &[U8, U8, U8, Hex],
        T::ZONEMD => &[U32, U8, U8, Hex],
        T::SPF | T::AVC | T::NINFO | T::RESINFO | T::WALLET | T::CLA => &[Strings],
        T::NID | T::L64 => &[U16, Locator],
        T::L32 => &[U16, Ipv4],
        T::EUI48 => &[Eui(6)],
        T::EUI64 => &[Eui(8)],
        T::URI => &[U16, U16, Text],
        T::NSAP => &[Nsap],
        T::LOC => &[Location],
        T::APL => &[Prefixes],
        T::IPSECKEY => &[U8, Gateway, OptionalBase64],
        T::RRSIG => &[Type, Algorithm, U8, U32, Time, Time, U16, Name, Base64],
        T::NSEC => &[Name, Types],
        T::NSEC3 => &[U8, U8, U16, Salt, Hash, Types],
        T::CSYNC => &[U32, U16, Types],
        T::SVCB | T::HTTPS => &[U16, Name, Parameters],
        T::DSYNC => &[Type, Scheme, U16, Name],
        T::AMTRELAY => &[U8, Relay],
        _ => return None,
    })
}

const ALGORITHMS: &[(&str, u8)] = &[
    ("RSAMD5", 1),
    ("DH", 2),
    ("DSA", 3),
    ("RSASHA1", 5),
    ("DSA-NSEC3-SHA1", 6),
    ("RSASHA1-NSEC3-SHA1", 7),
    ("RSASHA256", 8),
    ("RSASHA512", 10),
    ("ECC-GOST", 12),
    ("ECDSAP256SHA256", 13),
    ("ECDSAP384SHA384", 14),
    ("ED25519", 15),
    ("ED448", 16),
    ("INDIRECT", 252),
    ("PRIVATEDNS", 253),
    ("PRIVATEOID", 254),
];

const CERTIFICATE_TYPES: &[(&str, u16)] = &[
    ("PKIX", 1),
    ("SPKI", 2),
    ("PGP", 3),
    ("IPKIX", 4),
    ("ISPKI", 5),
    ("IPGP", 6),
    ("ACPKIX", 7),
    ("IACPKIX", 8),
    ("URI", 253),
    ("OID", 254),
];

const SCHEMES: &[(&str, u8)] = &[("NOTIFY", 1)];

/// Appends one field's octets; `None` or an error if the text does not fit.
fn read_field(kind: Kind, c: &mut Cursor<'_, '_>, data: &mut Vec<u8>) -> Result<Option<()>, ParseError> {
    match kind {
        Kind::U8 => data.push(c.number("a number")?),
        Kind::U16 => data.extend(c.number::<u16>("a number")?.to_be_bytes()),
        Kind::U32 => data.extend(c.number::<u32>("a number")?.to_be_bytes()),
        Kind::Algorithm => {
            let text = c.next("the algorithm")?.text;
            let Some(number) = mnemonic_or_number(text, ALGORITHMS) else { return Ok(None) };
            data.push(number);
        }
        Kind::CertificateType => {
            let text = c.next("the type")?.text;
            let Some(number) = mnemonic_or_number(text, CERTIFICATE_TYPES) else { return Ok(None) };
            data.extend(number.to_be_bytes());
        }
        Kind::Name => data.extend_from_slice(c.name("a name")?.as_wire()),
        Kind::String => return Ok(push_string(&c.string("a string")?, data)),
        Kind::OptionalString if c.is_at_end() => {}
        Kind::OptionalString => return Ok(push_string(&c.string("a string")?, data)),
        Kind::Strings => loop {
            if push_string(&c.string("a string")?, data).is_none() {
                return Ok(None);
            }
            if c.is_at_end() {
                break;
            }
        },
        Kind::Text => {
            let field = c.next("the text")?;
            let Some(octets) = unescape(field.text) else { return Ok(None) };
            data.extend(octets);
        }
        Kind::Hex => match hex_octets(&c.rest("the data")?) {
            Some(octets) if !octets.is_empty() => data.extend(octets),
            _ => return Ok(None),
        },
        Kind::Salt => {
            let text = c.next("the salt")?.text;
            let salt = if text == "-" { Some(Vec::new()) } else { hex_octets(text).filter(|s| !s.is_empty()) };
            return Ok(salt.and_then(|salt| push_string(&salt, data)));
        }
        Kind::Base64 => match data_encoding::BASE64.decode(c.rest("the data")?.as_bytes()) {
            Ok(octets) if !octets.is_empty() => data.extend(octets),
            _ => return Ok(None),
        },
        Kind::Eui(count) => {
            let text = c.next("the identifier")?.text;
            let octets: Option<Vec<u8>> = text.split('-').map(two_digits).collect();
            let Some(octets) = octets.filter(|o| o.len() == count) else { return Ok(None) };
            data.extend(octets);
        }
        Kind::Ipv4 => {
            let Ok(address) = c.next("the address")?.text.parse::<std::net::Ipv4Addr>() else { return Ok(None) };
            data.extend(address.octets());
        }
        Kind::Locator => {
            let text = c.next("the locator")?.text;
            let group = |g: &str| u16::from_str_radix(g, 16).ok().filter(|_| g.len() <= 4 && !g.starts_with('+'));
            let groups: Option<Vec<u16>> = text.split(':').map(group).collect();
            let Some(groups) = groups.filter(|g| g.len() == 4) else { return Ok(None) };
            data.extend(groups.into_iter().flat_map(u16::to_be_bytes));
        }
        Kind::Type => {
            let Ok(rtype) = c.next("the type")?.text.parse::<RecordType>() else { return Ok(None) };
            data.extend(rtype.0.to_be_bytes());
        }
        Kind::Types => return Ok(bitmap::read(c, data)),
        Kind::Time => {
            let Some(seconds) = time::read(c.next("the time")?.text) else { return Ok(None) };
            data.extend(seconds.to_be_bytes());
        }
        Kind::Hash => {
            let text = c.next("the hash")?.text.to_ascii_uppercase();
            let hash = data_encoding::BASE32HEX_NOPAD.decode(text.as_bytes()).ok().filter(|hash| !hash.is_empty());
            return Ok(hash.and_then(|hash| push_string(&hash, data)));
        }
        Kind::OptionalBase64 if c.is_at_end() => {}
        Kind::OptionalBase64 => return read_field(Kind::Base64, c, data),
        Kind::Gateway => {
            let (host, algorithm) = (c.number("the kind of host")?, c.number("the algorithm")?);
            data.extend([host, algorithm]);
            return Ok(gateway::read(host, c, data));
        }
        Kind::Relay => {
            let (flag, host) = (c.number::<u8>("the flag")?, c.number::<u8>("the kind of host")?);
            if flag > 1 || host > 0x7f {
                return Ok(None);
            }
            data.push(flag << 7 | host);
            return Ok(gateway::read(host, c, data));
        }
        Kind::Scheme => {
            let text = c.next("the scheme")?.text;
            let Some(number) = mnemonic_or_number(text, SCHEMES) else { return Ok(None) };
            data.push(number);
        }
        Kind::Nsap => {
            let text = c.next("the address")?.text.to_ascii_lowercase().replace('.', "");
            match text.strip_prefix("0x").and_then(hex_octets) {
                Some(octets) if !octets.is_empty() => data.extend(octets),
                _ => return Ok(None),
            }
        }
        Kind::Prefixes => return Ok(apl::read(c, data)),
        Kind::Location => return Ok(loc::read(c, data)),
        Kind::Parameters => return Ok(svcb::read(c, data)),
    }
    Ok(Some(()))
}

fn mnemonic_or_number<T: Copy + std::str::FromStr>(text: &str, mnemonics: &[(&str, T)]) -> Option<T> {
    if let Some((_, number)) = mnemonics.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Some(*number);
    }
    digits(text)
}

fn two_digits(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => u8::from_str_radix(text, 16).ok(),
        _ => None,
    }
}

fn push_string(octets: &[u8], data: &mut Vec<u8>) -> Option<()> {
    data.push(u8::try_from(octets.len()).ok()?);
    data.extend_from_slice(octets);
    Some(())
}

/// Takes one field from `rest` and appends its text.
fn print_field(kind: Kind, rest: &mut &[u8], text: &mut String) -> Option<()> {
    use std::fmt::Write;
    // Writing to a `String` does not fail; `.ok()?` only spares an unwrap.
    match kind {
        Kind::U8 | Kind::Algorithm => write!(text, "{}", take::<1>(rest)?[0]).ok()?,
        Kind::U16 | Kind::CertificateType => write!(text, "{}", u16::from_be_bytes(take(rest)?)).ok()?,
        Kind::U32 => write!(text, "{}", u32::from_be_bytes(take(rest)?)).ok()?,
        Kind::Name => write!(text, "{}", take_name(rest)?).ok()?,
        Kind::String | Kind::OptionalString => write_quoted(text, take_string(rest)?).ok()?,
        Kind::Strings => loop {
            write_quoted(text, take_string(rest)?).ok()?;
            if rest.is_empty() {
                break;
            }
            text.push(' ');
        },
        Kind::Text => write_quoted(text, take_rest(rest)).ok()?,
        Kind::Hex if rest.is_empty() => return None,
        Kind::Hex => text.push_str(&data_encoding::HEXLOWER.encode(take_rest(rest))),
        Kind::Salt => match take_string(rest)? {
            [] => text.push('-'),
            salt => text.push_str(&data_encoding::HEXLOWER.encode(salt)),
        },
        Kind::Base64 if rest.is_empty() => return None,
        Kind::Base64 | Kind::OptionalBase64 => text.push_str(&data_encoding::BASE64.encode(take_rest(rest))),
        Kind::Eui(count) => {
            for (i, octet) in rest.get(..count)?.iter().enumerate() {
                write!(text, "{}{octet:02x}", if i > 0 { "-" } else { "" }).ok()?;
            }
            *rest = &rest[count..];
        }
        Kind::Ipv4 => write!(text, "{}", std::net::Ipv4Addr::from(take::<4>(rest)?)).ok()?,
        Kind::Locator => {
            for i in 0..4 {
                let group = u16::from_be_bytes(take(rest)?);
                write!(text, "{}{group:04x}", if i > 0 { ":" } else { "" }).ok()?;
            }
        }
        Kind::Type => write!(text, "{}", RecordType(u16::from_be_bytes(take(rest)?))).ok()?,
        Kind::Types => bitmap::print(take_rest(rest), text)?,
        Kind::Time => time::print(u32::from_be_bytes(take(rest)?), text)?,
        Kind::Hash => match take_string(rest)? {
            [] => return None,
            hash => text.push_str(&data_encoding::BASE32HEX_NOPAD.encode(hash).to_ascii_lowercase()),
        },
        Kind::Gateway => {
            let [host, algorithm] = take(rest)?;
            write!(text, "{host} {algorithm} ").ok()?;
            gateway::print(host, rest, text)?;
        }
        Kind::Relay => {
            let [octet] = take(rest)?;
            let (flag, host) = (octet >> 7, octet & 0x7f);
            write!(text, "{flag} {host} ").ok()?;
            gateway::print(host, rest, text)?;
        }
        Kind::Scheme => match take(rest)? {
            [1] => text.push_str("NOTIFY"),
            [number] => write!(text, "{number}").ok()?,
        },
        Kind::Nsap if rest.is_empty() => return None,
        Kind::Nsap => {
            text.push_str("0x");
            text.push_str(&data_encoding::HEXLOWER.encode(take_rest(rest)));
        }
        Kind::Prefixes => apl::print(rest, text)?,
        Kind::Location => loc::print(rest, text)?,
        Kind::Parameters => svcb::print(rest, text)?,
    }
    Some(())
}

/// Takes the first `N` octets.
pub(crate) fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, others) = rest.split_first_chunk::<N>()?;
    *rest = others;
    Some(*first)
}

fn take_string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::from(take::<1>(rest)?[0]);
    let (string, others) = rest.split_at_checked(length)?;
    *rest = others;
    Some(string)
}

fn take_rest<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    std::mem::take(rest)
}
