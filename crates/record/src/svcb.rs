//! The parameters of SVCB and HTTPS data (RFC 9460 section 2.1): `alpn="h2,h3" port=8443`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::escape::{unescape, write_quoted};
use crate::parse::{Cursor, digits};
use crate::table::take;

/// How the value of a parameter is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Names of parameters, which must be there too (RFC 9460 section 8).
    Mandatory,
    /// Protocols, `,` and `\` in them escaped (RFC 9460 section 7.1.1).
    Alpn,
    /// No value.
    Empty,
    Port,
    Ipv4,
    Ipv6,
    Base64,
    /// Any octets.
    Octets,
}

/// The keys with names; the last two are of RFC 9461 and RFC 9540.
const KEYS: &[(&str, u16, Form)] = &[
    ("mandatory", MANDATORY, Form::Mandatory),
    ("alpn", ALPN, Form::Alpn),
    ("no-default-alpn", NO_DEFAULT_ALPN, Form::Empty),
    ("port", 3, Form::Port),
    ("ipv4hint", 4, Form::Ipv4),
    ("ech", 5, Form::Base64),
    ("ipv6hint", 6, Form::Ipv6),
    ("dohpath", 7, Form::Octets),
    ("ohttp", 8, Form::Empty),
];
const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;

/// Appends the octets of the parameters that are left, sorted by key. Parameters that occur twice, lack
/// or contradict each other do not fit (RFC 9460 appendix D.3).
pub(crate) fn read(c: &mut Cursor<'_, '_>, data: &mut Vec<u8>) -> Option<()> {
    let mut parameters = BTreeMap::new();
    while !c.is_at_end() {
        let word = c.next("a parameter").ok().filter(|field| !field.quoted)?.text;
        let (name, value) = match word.split_once('=') {
            // A lexer ends the word at the quotes.
            Some((name, "")) => (name, c.next_quoted().map_or("", |field| field.text)),
            Some((name, value)) => (name, value),
            None => (word, ""),
        };
        let (key, form) = key_of(name)?;
        let value = octets_of(form, &unescape(value)?)?;
        if parameters.insert(key, value).is_some() {
            return None;
        }
    }
    if !are_consistent(&parameters) {
        return None;
    }
    for (key, value) in parameters {
        data.extend(key.to_be_bytes());
        data.extend(u16::try_from(value.len()).ok()?.to_be_bytes());
        data.extend(value);
    }
    Some(())
}

/// Appends the parameters in all octets.
pub(crate) fn print(rest: &mut &[u8], text: &mut String) -> Option<()> {
    loop {
        let key = u16::from_be_bytes(take(rest)?);
        let length = u16::from_be_bytes(take(rest)?);
        let (value, others) = rest.split_at_checked(usize::from(length))?;
        *rest = others;
        print_key(key, text)?;
        if !value.is_empty() {
            text.push('=');
            print_value(form_of(key), value, text)?;
        }
        if rest.is_empty() {
            return Some(());
        }
        text.push(' ');
    }
}

/// A key by its name. `key3` is refused: whether its value is a text or octets, servers do not agree.
fn key_of(name: &str) -> Option<(u16, Form)> {
    if let Some((_, key, form)) = KEYS.iter().find(|(known, ..)| *known == name) {
        return Some((*key, *form));
    }
    let key: u16 = digits(name.strip_prefix("key").filter(|number| *number == "0" || !number.starts_with('0'))?)?;
    Some((key, form_of(key))).filter(|(_, form)| matches!(form, Form::Octets | Form::Empty))
}

fn form_of(key: u16) -> Form {
    KEYS.iter().find(|(_, number, _)| *number == key).map_or(Form::Octets, |(_, _, form)| *form)
}

fn print_key(key: u16, text: &mut String) -> Option<()> {
    match KEYS.iter().find(|(_, number, _)| *number == key) {
        Some((name, ..)) => text.push_str(name),
        None => write!(text, "key{key}").ok()?,
    }
    Some(())
}

/// Whether what must stand together does (RFC 9460 sections 7.1.1 and 8).
fn are_consistent(parameters: &BTreeMap<u16, Vec<u8>>) -> bool {
    let mandatory = parameters.get(&MANDATORY).map(|keys| keys.as_chunks::<2>().0).unwrap_or_default();
    mandatory.iter().all(|key| parameters.contains_key(&u16::from_be_bytes(*key)))
        && (parameters.contains_key(&ALPN) || !parameters.contains_key(&NO_DEFAULT_ALPN))
}

/// The octets on the wire of a value whose escapes are resolved.
fn octets_of(form: Form, value: &[u8]) -> Option<Vec<u8>> {
    let items = || std::str::from_utf8(value).ok().map(|text| text.split(','));
    match form {
        Form::Octets => return Some(value.to_vec()),
        Form::Empty => return value.is_empty().then(Vec::new),
        _ if value.is_empty() => return None,
        _ => {}
    }
    let mut octets = Vec::with_capacity(value.len());
    match form {
        Form::Empty | Form::Octets => {}
        Form::Mandatory => {
            let mut keys = BTreeSet::new();
            for name in items()? {
                let (key, _) = key_of(name).filter(|(key, _)| *key != MANDATORY)?;
                if !keys.insert(key) {
                    return None;
                }
            }
            octets.extend(keys.into_iter().flat_map(u16::to_be_bytes));
        }
        Form::Alpn => {
            for item in list(value)? {
                octets.push(u8::try_from(item.len()).ok().filter(|length| *length > 0)?);
                octets.extend(item);
            }
        }
        Form::Port => octets.extend(digits::<u16>(std::str::from_utf8(value).ok()?)?.to_be_bytes()),
        Form::Ipv4 => {
            for item in items()? {
                octets.extend(item.parse::<Ipv4Addr>().ok()?.octets());
            }
        }
        Form::Ipv6 => {
            for item in items()? {
                octets.extend(item.parse::<Ipv6Addr>().ok()?.octets());
            }
        }
        Form::Base64 => octets = data_encoding::BASE64.decode(value).ok()?,
    }
    Some(octets)
}

/// The items of a list in which `,` and `\` are escaped (RFC 9460 appendix A.1).
fn list(value: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut items = Vec::new();
    let mut item = Vec::new();
    let mut octets = value.iter();
    while let Some(&octet) = octets.next() {
        match octet {
            b',' => items.push(std::mem::take(&mut item)),
            b'\\' => item.push(*octets.next().filter(|next| matches!(next, b',' | b'\\'))?),
            _ => item.push(octet),
        }
    }
    items.push(item);
    Some(items)
}

fn print_value(form: Form, value: &[u8], text: &mut String) -> Option<()> {
    match form {
        Form::Octets => write_quoted(text, value).ok()?,
        Form::Empty => return None,
        Form::Mandatory => print_items::<2>(value, text, |text, key| print_key(u16::from_be_bytes(key), text))?,
        Form::Alpn => {
            let mut list = Vec::with_capacity(value.len());
            let mut rest = value;
            while let [length, others @ ..] = rest {
                let (item, others) = others.split_at_checked(usize::from(*length))?;
                for octet in item {
                    if matches!(octet, b',' | b'\\') {
                        list.push(b'\\');
                    }
                    list.push(*octet);
                }
                list.extend((!others.is_empty()).then_some(b','));
                rest = others;
            }
            write_quoted(text, &list).ok()?;
        }
        Form::Port => write!(text, "{}", u16::from_be_bytes(value.try_into().ok()?)).ok()?,
        Form::Ipv4 => print_items::<4>(value, text, |text, octets| write!(text, "{}", Ipv4Addr::from(octets)).ok())?,
        Form::Ipv6 => print_items::<16>(value, text, |text, octets| write!(text, "{}", Ipv6Addr::from(octets)).ok())?,
        Form::Base64 => text.push_str(&data_encoding::BASE64.encode(value)),
    }
    Some(())
}

fn print_items<const N: usize>(
    value: &[u8],
    text: &mut String,
    print: impl Fn(&mut String, [u8; N]) -> Option<()>,
) -> Option<()> {
    let (items, []) = value.as_chunks::<N>() else { return None };
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        print(text, *item)?;
    }
    Some(())
}
