//! From entries to records.

use std::borrow::Cow;
use std::ops::Range;
use std::str::FromStr;

use super::lexer::{Entry, Lexer, Token};
use super::{Record, ZoneFile, ZoneFileErrors};
use crate::parse::parse_with_text;
use crate::{Field, Name, Rdata, RecordType, Ttl};

/// Where the parts of a record's entry are among its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Whether the first token is the owner.
    pub(crate) has_owner: bool,
    pub(crate) ttl: Option<(usize, Ttl)>,
    pub(crate) class: Option<usize>,
    pub(crate) rtype: usize,
}

/// An error at a token (or behind the last one): message and remedy.
type Problem = (Range<usize>, Box<str>, Box<str>);

/// Finds owner, TTL, class (in either order, both optional) and type.
pub(crate) fn header(text: &[u8], entry: Entry, tokens: &[Token]) -> Result<(Header, RecordType), Problem> {
    let has_owner = !entry.leading_blank;
    let mut at = usize::from(has_owner);
    let (mut ttl, mut class) = (None, None);
    loop {
        let Some(token) = tokens.get(at) else {
            let end = tokens.last().map_or(entry.start, |t| t.end);
            let remedy = "a record is: owner, TTL (optional), class (optional), type, data; a line without an owner \
                begins with a blank";
            return Err((end..end, "the record type is missing".into(), remedy.into()));
        };
        let word = token.text(text);
        if token.quoted {
            let remedy = "quotes belong to the record data";
            return Err((
                token.start..token.end,
                "a quoted string where the record type should be".into(),
                remedy.into(),
            ));
        }
        if class.is_none()
            && let Some(is_internet) = class_of(&word)
        {
            if !is_internet {
                let message = format!("class {} is not IN", word.to_ascii_uppercase());
                let remedy = "only records of class IN are managed; keep this one in a zone of its own";
                return Err((token.start..token.end, message.into(), remedy.into()));
            }
            class = Some(at);
        } else if ttl.is_none() && word.starts_with(|c: char| c.is_ascii_digit()) {
            let value = Ttl::parse(&word).map_err(|error| {
                let remedy = "a TTL is a number of seconds such as 3600, or has units such as 1h30m";
                (token.start..token.end, format!("not a TTL: {error}").into(), remedy.into())
            })?;
            ttl = Some((at, value));
        } else {
            let rtype = record_type(&word).map_err(|message| {
                let remedy = "write a mnemonic such as TXT, or TYPE with its number (RFC 3597); a line without an \
                    owner begins with a blank";
                (token.start..token.end, message, remedy.into())
            })?;
            return Ok((Header { has_owner, ttl, class, rtype: at }, rtype));
        }
        at += 1;
    }
}

/// Whether a class is IN; `None` if the word names no class.
fn class_of(word: &str) -> Option<bool> {
    if word.eq_ignore_ascii_case("IN") {
        return Some(true);
    }
    if ["CH", "HS", "CS", "NONE", "CHAOS", "HESIOD"].iter().any(|class| word.eq_ignore_ascii_case(class)) {
        return Some(false);
    }
    let (prefix, number) = word.split_at_checked(5)?;
    let numbered = prefix.eq_ignore_ascii_case("CLASS") && number.bytes().all(|b| b.is_ascii_digit());
    if numbered { number.parse::<u16>().ok().map(|n| n == 1) } else { None }
}

fn record_type(word: &str) -> Result<RecordType, Box<str>> {
    let rtype = RecordType::from_str(word).map_err(|_| Box::from("unknown record type"))?;
    match rtype {
        RecordType(0) | RecordType::OPT | RecordType(249..=255) => {
            Err(format!("{rtype} is not a type of records in a zone").into())
        }
        _ => Ok(rtype),
    }
}

/// The data of `tokens` as one line of text, blanks between them as one: for data kept as text.
pub(crate) fn one_line(text: &[u8], tokens: &[Token]) -> String {
    let mut line = String::new();
    for token in tokens {
        if !line.is_empty() && !token.glued {
            line.push(' ');
        }
        match std::str::from_utf8(token.raw(text)) {
            Ok(raw) => line.push_str(raw),
            Err(_) => line.push_str(&super::lexer::ascii(token.raw(text))),
        }
    }
    line
}

pub(crate) fn parse(text: &[u8], zone: &Name) -> Result<ZoneFile, ZoneFileErrors> {
    let mut parser = Parser {
        text,
        zone,
        origins: vec![(0, zone.clone())],
        ttls: Vec::new(),
        owner: None,
        owner_token: None,
        last_ttl: None,
        soa: None,
        records: Vec::new(),
        without_ttl: Vec::new(),
        fields: Vec::new(),
        problems: Vec::new(),
    };
    // Spans are kept in 32 bits.
    if u32::try_from(text.len()).is_err() {
        parser.problems.push((0..0, "the file has more than 4 GiB".into(), "split the zone".into()));
    } else {
        parser.run();
    }
    let fallback_ttl = match parser.soa.and_then(|i| parser.records.get(i)).map(|r| &r.rdata) {
        Some(Rdata::Soa(soa)) => Ttl::from_secs(soa.minimum).unwrap_or(Ttl::MAX),
        _ => super::FALLBACK_TTL,
    };
    for &i in &parser.without_ttl {
        parser.records[i].ttl = fallback_ttl;
    }
    if let Some(errors) = ZoneFileErrors::locate(text, parser.problems) {
        return Err(errors);
    }
    Ok(ZoneFile {
        zone: zone.clone(),
        text: text.into(),
        records: parser.records,
        origins: parser.origins,
        ttls: parser.ttls,
        fallback_ttl,
        soa: parser.soa,
    })
}

struct Parser<'a> {
    text: &'a [u8],
    zone: &'a Name,
    /// The origins with the places from which they hold; never empty.
    origins: Vec<(usize, Name)>,
    /// The same of `$TTL`.
    ttls: Vec<(usize, Ttl)>,
    owner: Option<Name>,
    /// The token of `owner` and the count of origins when it was read: the same text gives the same name.
    owner_token: Option<(Token, usize)>,
    last_ttl: Option<Ttl>,
    soa: Option<usize>,
    records: Vec<Record>,
    /// Records whose TTL only the SOA record tells, which may come later.
    without_ttl: Vec<usize>,
    /// Kept between entries for its memory.
    fields: Vec<Field<'a>>,
    problems: Vec<Problem>,
}

impl Parser<'_> {
    fn run(&mut self) {
        let mut lexer = Lexer::new(self.text);
        let mut tokens = Vec::new();
        while let Some(entry) = lexer.next_entry(&mut tokens) {
            let result = match entry {
                Err(error) => Err((error.at, error.message.into(), error.remedy.into())),
                Ok(entry) => self.entry(entry, &tokens),
            };
            if let Err(problem) = result {
                self.problems.push(problem);
            }
        }
    }

    fn entry(&mut self, entry: Entry, tokens: &[Token]) -> Result<(), Problem> {
        let Some(first) = tokens.first() else { return Ok(()) };
        if !entry.leading_blank && !first.quoted && first.raw(self.text).first() == Some(&b'$') {
            return self.directive(entry, *first, tokens.get(1..).unwrap_or_default());
        }
        if !entry.leading_blank {
            // First of all: were the rest of the line wrong, the next line would still inherit it.
            self.set_owner(*first)?;
        }
        let (header, rtype) = header(self.text, entry, tokens)?;
        let Some(owner) = self.owner.clone() else {
            let span = entry.start..first.end;
            return Err((span, "no owner to inherit".into(), "begin the line with an owner name".into()));
        };
        let ttl = match (header.ttl, self.ttls.last(), self.last_ttl) {
            (Some((_, ttl)), _, _) => {
                self.last_ttl = Some(ttl);
                Some(ttl)
            }
            (None, Some((_, ttl)), _) => Some(*ttl),
            (None, None, last) => last,
        };
        let data_tokens = tokens.get(header.rtype + 1..).unwrap_or_default();
        let rdata = self.rdata(rtype, tokens, data_tokens)?;
        let position = self.records.len();
        if rtype == RecordType::SOA {
            let span = first.start..tokens.last().map_or(first.end, |t| t.end);
            if self.soa.is_some() {
                return Err((span, "a second SOA record".into(), "keep one SOA record".into()));
            }
            if owner != *self.zone {
                let message = format!("an SOA record that is not at {}", self.zone);
                return Err((span, message.into(), "keep other zones in files of their own".into()));
            }
            self.soa = Some(position);
        }
        if ttl.is_none() {
            self.without_ttl.push(position);
        }
        let data_start = data_tokens.first().map_or(entry.end, |t| t.start);
        let data_end = data_tokens.last().map_or(entry.end, |t| t.end);
        // The length of the text fits in 32 bits: `parse` has seen to it.
        self.records.push(Record {
            owner,
            ttl: ttl.unwrap_or(super::FALLBACK_TTL),
            ttl_explicit: header.ttl.is_some(),
            rdata,
            owner_inherited: entry.leading_blank,
            start: entry.start as u32,
            end: entry.end as u32,
            data_start: data_start as u32,
            data_end: data_end as u32,
        });
        Ok(())
    }

    fn directive(&mut self, entry: Entry, word: Token, arguments: &[Token]) -> Result<(), Problem> {
        let span = word.start..arguments.last().map_or(word.end, |t| t.end);
        let name = word.text(self.text).to_ascii_uppercase();
        let argument = match (name.as_str(), arguments) {
            ("$ORIGIN" | "$TTL", [argument]) => *argument,
            ("$ORIGIN" | "$TTL", _) => {
                let message = format!("{name} takes one argument");
                return Err((span, message.into(), "write `$ORIGIN example.com.` or `$TTL 1h`".into()));
            }
            ("$INCLUDE", _) => {
                let remedy = "put the records of the included file into this one";
                return Err((span, "$INCLUDE is not supported".into(), remedy.into()));
            }
            ("$GENERATE", _) => {
                return Err((span, "$GENERATE is not supported".into(), "write the records out".into()));
            }
            _ => {
                let remedy = "only $ORIGIN and $TTL are understood; a name that begins with `$` is written `\\$`";
                return Err((span, "unknown directive".into(), remedy.into()));
            }
        };
        let value = argument.text(self.text);
        let span = argument.start..argument.end;
        if name == "$TTL" {
            let ttl = Ttl::parse(&value).map_err(|error| {
                (span, format!("not a TTL: {error}").into(), "write seconds, or units as in 1h30m".into())
            })?;
            self.ttls.push((entry.end, ttl));
        } else {
            let origin = Name::parse_in(&value, Some(self.origin())).map_err(|error| {
                (span, format!("not a domain name: {error}").into(), "write a name such as `example.com.`".into())
            })?;
            self.origins.push((entry.end, origin));
        }
        Ok(())
    }

    fn set_owner(&mut self, token: Token) -> Result<(), Problem> {
        if let Some((before, origins)) = self.owner_token
            && origins == self.origins.len()
            && before.raw(self.text) == token.raw(self.text)
        {
            return Ok(());
        }
        let span = token.start..token.end;
        // The lines below a wrong owner are errors of that one line only.
        self.owner_token = None;
        self.owner = Some(self.zone.clone());
        let name = Name::parse_in(&token.text(self.text), Some(self.origin())).map_err(|error| {
            let remedy = "write a domain name; characters with a meaning need a backslash";
            (span.clone(), format!("the owner is no domain name: {error}").into(), remedy.into())
        })?;
        if !name.is_at_or_below(self.zone) {
            let message = format!("{name} is not in the zone {}", self.zone);
            let remedy = "check the dot at the end of the name, and $ORIGIN; records of other zones go elsewhere";
            return Err((span, message.into(), remedy.into()));
        }
        self.owner = Some(name);
        self.owner_token = Some((token, self.origins.len()));
        Ok(())
    }

    fn rdata(&mut self, rtype: RecordType, all: &[Token], tokens: &[Token]) -> Result<Rdata, Problem> {
        let text = self.text;
        let texts: Vec<Cow<'_, str>>;
        let origin = self.origins.last().map(|(_, origin)| origin);
        let mut as_text = || one_line(text, tokens);
        let result = if tokens.iter().all(|t| t.raw(text).is_ascii()) {
            self.fields.clear();
            self.fields.extend(tokens.iter().map(|t| Field { text: borrowed(t.text(text)), quoted: t.quoted }));
            parse_with_text(rtype, &self.fields, origin, &mut as_text)
        } else {
            texts = tokens.iter().map(|t| t.text(text)).collect();
            let fields: Vec<_> =
                texts.iter().zip(tokens).map(|(field, t)| Field { text: field, quoted: t.quoted }).collect();
            parse_with_text(rtype, &fields, origin, &mut as_text)
        };
        result.map_err(|error| {
            let end = all.last().map_or(0, |t| t.end);
            let span = tokens.get(error.field).map_or(end..end, |t| t.start..t.end);
            (span, format!("{rtype} data: {error}").into(), format!("correct the data of this {rtype} record").into())
        })
    }

    fn origin(&self) -> &Name {
        self.origins.last().map_or(self.zone, |(_, origin)| origin)
    }
}

/// The text of an ASCII token, which [`Token::text`] always borrows.
fn borrowed(text: Cow<'_, str>) -> &str {
    match text {
        Cow::Borrowed(text) => text,
        Cow::Owned(_) => "",
    }
}
