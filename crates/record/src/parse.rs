use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::escape::unescape;
use crate::{Caa, Mx, Name, NameError, Opaque, Rdata, RecordType, Soa, Srv, Tlsa, Ttl, Txt, table};

/// One field of a record's data in presentation format, as a lexer found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The text with its escapes, without quotes.
    pub text: &'a str,
    /// Whether it stood in double quotes.
    pub quoted: bool,
}

/// Why a text is no record data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// The number of the field, from 0; equal to their count when one is missing.
    pub field: usize,
    /// A lower-case fragment.
    pub message: Box<str>,
}

/// Reads record data from its fields (RFC 1035 section 5.1, and `\#` of RFC 3597 for any type).
/// Relative names are completed with `origin`; without one every name counts as absolute.
///
/// An error says that the text is no data of a type in [`Rdata`]'s variants. Data of another type is
/// never refused, unless there is none: it becomes octets where the type's fields are known and the text fits them, else
/// [`Opaque::Text`]. So does TLSA whose association data is no hexadecimal number: providers hold such.
pub fn parse_rdata(rtype: RecordType, fields: &[Field<'_>], origin: Option<&Name>) -> Result<Rdata, ParseError> {
    parse_with_text(rtype, fields, origin, &mut || join(rtype, fields))
}

/// Reads record data from one line of text, such as an API's: as [`parse_rdata`], after splitting it at
/// blanks and quotes. `;` and parentheses mean nothing here, they are data.
pub fn parse_rdata_text(rtype: RecordType, text: &str, origin: Option<&Name>) -> Result<Rdata, ParseError> {
    let (fields, normal) = split(text)?;
    parse_with_text(rtype, &fields, origin, &mut || normal.clone())
}

/// As [`parse_rdata`]; `text` makes the text of data that can be kept only as text.
pub(crate) fn parse_with_text(
    rtype: RecordType,
    fields: &[Field<'_>],
    origin: Option<&Name>,
    text: &mut dyn FnMut() -> String,
) -> Result<Rdata, ParseError> {
    let mut c = Cursor { fields, at: 0, origin };
    if let [Field { text: "\\#", quoted: false }, ..] = fields {
        return c.generic(rtype);
    }
    let rdata = match rtype {
        RecordType::A => Rdata::A(c.parsed::<Ipv4Addr>("an IPv4 address")?),
        RecordType::AAAA => Rdata::Aaaa(c.parsed::<Ipv6Addr>("an IPv6 address")?),
        RecordType::NS => Rdata::Ns(c.name("the name server")?),
        RecordType::CNAME => Rdata::Cname(c.name("the target")?),
        RecordType::PTR => Rdata::Ptr(c.name("the target")?),
        RecordType::MX => Rdata::Mx(Mx { preference: c.number("the preference")?, exchange: c.name("the exchange")? }),
        RecordType::TXT => Rdata::Txt(c.txt()?),
        RecordType::SRV => Rdata::Srv(Srv {
            priority: c.number("the priority")?,
            weight: c.number("the weight")?,
            port: c.number("the port")?,
            target: c.name("the target")?,
        }),
        RecordType::TLSA => {
            let (usage, selector) = (c.number("the usage")?, c.number("the selector")?);
            let matching = c.number("the matching type")?;
            let hex = c.rest("the association data")?;
            match hex_octets(&hex) {
                Some(data) => Rdata::Tlsa(Tlsa { usage, selector, matching, data }),
                None => Rdata::Opaque(Opaque::Text { rtype, text: text().into() }),
            }
        }
        RecordType::CAA => {
            let flags = c.number("the flags")?;
            let tag = c.next("the property tag")?.text;
            if !is_caa_tag(tag.as_bytes()) {
                return Err(c.error("the property tag is not 1 to 255 letters and digits (RFC 8659 section 4.1)"));
            }
            Rdata::Caa(Caa { flags, tag: tag.into(), value: c.string("the property value")?.into() })
        }
        RecordType::SOA => Rdata::Soa(Box::new(Soa {
            mname: c.name("the primary server")?,
            rname: c.name("the mailbox")?,
            serial: c.number("the serial")?,
            refresh: c.seconds("the refresh time")?,
            retry: c.seconds("the retry time")?,
            expire: c.seconds("the expire time")?,
            minimum: c.seconds("the minimum")?,
        })),
        _ if fields.is_empty() => return Err(ParseError { field: 0, message: "the data is missing".into() }),
        _ => {
            // In SVCB a blank before quotes matters, and fields do not tell: `key=""` is not `key= ""`.
            let glued = !is_svcb(rtype) || text() == join(rtype, fields);
            let opaque = match table::read(rtype, &mut c).filter(|_| glued) {
                Some(data) => Opaque::Wire { rtype, data: data.into() },
                None => Opaque::Text { rtype, text: text().into() },
            };
            return Ok(Rdata::Opaque(opaque));
        }
    };
    c.end()?;
    Ok(rdata)
}

/// Whether `tag` can stand in a CAA record as it is.
pub(crate) fn is_caa_tag(tag: &[u8]) -> bool {
    (1..=255).contains(&tag.len()) && tag.iter().all(u8::is_ascii_alphanumeric)
}

/// A decimal number without a sign.
pub(crate) fn digits<T: FromStr>(text: &str) -> Option<T> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// The octets of a hexadecimal text in either case.
pub(crate) fn hex_octets(text: &str) -> Option<Vec<u8>> {
    data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()
}

/// Fields read from left to right.
pub(crate) struct Cursor<'a, 'b> {
    fields: &'b [Field<'a>],
    at: usize,
    origin: Option<&'b Name>,
}

impl<'a> Cursor<'a, '_> {
    /// An error about the field read last.
    fn error(&self, message: impl Into<Box<str>>) -> ParseError {
        ParseError { field: self.at.saturating_sub(1), message: message.into() }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.fields.len()
    }

    pub(crate) fn next(&mut self, what: &str) -> Result<Field<'a>, ParseError> {
        let field = self.fields.get(self.at).copied();
        let missing = || ParseError { field: self.fields.len(), message: format!("{what} is missing").into() };
        let field = field.ok_or_else(missing)?;
        self.at += 1;
        Ok(field)
    }

    /// The next field if it stood in quotes.
    pub(crate) fn next_quoted(&mut self) -> Option<Field<'a>> {
        let field = self.fields.get(self.at).copied().filter(|field| field.quoted)?;
        self.at += 1;
        Some(field)
    }

    fn end(&self) -> Result<(), ParseError> {
        match self.fields.len() > self.at {
            true => Err(ParseError { field: self.at, message: "more fields than the record type has".into() }),
            false => Ok(()),
        }
    }

    fn parsed<T: FromStr>(&mut self, what: &str) -> Result<T, ParseError> {
        let field = self.next(what)?;
        field.text.parse().map_err(|_| self.error(format!("not {what}")))
    }

    /// A decimal number without a sign.
    pub(crate) fn number<T: FromStr>(&mut self, what: &str) -> Result<T, ParseError> {
        let text = self.next(what)?.text;
        digits(text).ok_or_else(|| self.error(format!("{what} is no number, or too large")))
    }

    /// Seconds, or a time with units as in a TTL.
    fn seconds(&mut self, what: &str) -> Result<u32, ParseError> {
        let text = self.next(what)?.text;
        digits(text)
            .or_else(|| Ttl::parse(text).ok().map(Ttl::as_secs))
            .ok_or_else(|| self.error(format!("{what} is no number of seconds, or too large")))
    }

    pub(crate) fn name(&mut self, what: &str) -> Result<Name, ParseError> {
        let text = self.next(what)?.text;
        let name = match self.origin {
            Some(origin) => Name::parse_in(text, Some(origin)),
            None if text == "@" => Err(NameError::NoOrigin),
            None => Name::parse(text),
        };
        name.map_err(|error| self.error(format!("{what} is no domain name: {error}")))
    }

    /// The octets of one field, of any length.
    pub(crate) fn string(&mut self, what: &str) -> Result<Vec<u8>, ParseError> {
        let text = self.next(what)?.text;
        unescape(text).ok_or_else(|| self.error("a backslash without a character or three digits up to 255"))
    }

    fn txt(&mut self) -> Result<Txt, ParseError> {
        let mut strings = Vec::with_capacity(self.fields.len());
        while strings.is_empty() || !self.is_at_end() {
            let string = self.string("the text")?;
            if string.len() > 255 {
                return Err(self.error("a character-string of more than 255 octets; split it into several in quotes"));
            }
            strings.push(string.into());
        }
        Txt::from_strings(strings).ok_or_else(|| self.error("no text"))
    }

    /// All fields left, joined; at least one.
    pub(crate) fn rest(&mut self, what: &str) -> Result<Cow<'a, str>, ParseError> {
        let first = self.next(what)?.text;
        if self.is_at_end() {
            return Ok(Cow::Borrowed(first));
        }
        let mut joined = first.to_owned();
        while !self.is_at_end() {
            joined.push_str(self.next(what)?.text);
        }
        Ok(Cow::Owned(joined))
    }

    /// `\# length hexadecimal...` (RFC 3597 section 5).
    fn generic(&mut self, rtype: RecordType) -> Result<Rdata, ParseError> {
        self.next("\\#")?;
        let length: u16 = self.number("the length")?;
        let hex = if self.is_at_end() { Cow::Borrowed("") } else { self.rest("the data")? };
        let data = hex_octets(&hex).ok_or_else(|| self.error("the data is not hexadecimal"))?;
        if data.len() != usize::from(length) {
            return Err(self.error(format!("{} octets of data where {length} are announced", data.len())));
        }
        Ok(Rdata::from_wire(rtype, &data))
    }
}

/// The fields of a one-line text, and the text with single blanks between them.
fn split(text: &str) -> Result<(Vec<Field<'_>>, String), ParseError> {
    let bytes = text.as_bytes();
    let is_blank = |b: u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n');
    let mut fields = Vec::new();
    let mut normal = String::with_capacity(text.len());
    let mut at = 0;
    let mut glued = false;
    while let Some(&first) = bytes.get(at) {
        if is_blank(first) {
            at += 1;
            glued = false;
            continue;
        }
        let quoted = first == b'"';
        let from = if quoted { at + 1 } else { at };
        let mut end = from;
        while let Some(&byte) = bytes.get(end) {
            match byte {
                // The character after a backslash may be several octets long; they are data all the same.
                b'\\' => end += 1,
                b'"' => break,
                byte if !quoted && is_blank(byte) => break,
                _ => {}
            }
            end += 1;
        }
        if quoted && end >= bytes.len() {
            let message = "a quoted string without its closing quote".into();
            return Err(ParseError { field: fields.len(), message });
        }
        let end = end.min(bytes.len());
        // Both ends are beside ASCII characters, or at the end of the text.
        let field = text.get(from..end).unwrap_or_default();
        if !glued && !normal.is_empty() {
            normal.push(' ');
        }
        let next = if quoted { end + 1 } else { end };
        normal.push_str(text.get(at..next).unwrap_or_default());
        fields.push(Field { text: field, quoted });
        at = next;
        glued = true;
    }
    Ok((fields, normal))
}

fn is_svcb(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::SVCB | RecordType::HTTPS)
}

/// The text of fields whose blanks are not known. `key="value"` of SVCB is one word (RFC 9460 section 2.1).
fn join(rtype: RecordType, fields: &[Field<'_>]) -> String {
    let mut text = String::new();
    for field in fields {
        let value = field.quoted && is_svcb(rtype) && text.ends_with('=');
        if !text.is_empty() && !value {
            text.push(' ');
        }
        match field.quoted {
            true => text.extend(["\"", field.text, "\""]),
            false => text.push_str(field.text),
        }
    }
    text
}
