//! How a line looks, and lines that look like it.

use std::ops::Range;

use super::lexer::{Lexer, Token, line_end};
use super::parse::{Header, header};
use super::{Record, ZoneFile, data_text, ends_in_name, relative};
use crate::{Name, Rdata, Ttl};

/// The parts of one record's lines.
pub(crate) struct Layout<'a> {
    text: &'a [u8],
    span: Range<usize>,
    tokens: Vec<Token>,
    header: Header,
}

/// Changes to the lines of one record; what is `None` stays.
#[derive(Default)]
pub(crate) struct Patch<'a> {
    /// The owner to write into a line that inherited it.
    pub(crate) owner: Option<String>,
    pub(crate) ttl: Option<Ttl>,
    pub(crate) data: Option<&'a Rdata>,
    pub(crate) serial: Option<u32>,
}

/// A line to be added.
pub(crate) struct NewLine<'a> {
    pub(crate) name: &'a Name,
    pub(crate) rdata: &'a Rdata,
    pub(crate) ttl: Ttl,
    /// Whether the TTL has to stand in the line; in a line like one with a TTL it does in any case.
    pub(crate) needs_ttl: bool,
    /// Whether the owner of the template, as it is written there, is the right one.
    pub(crate) same_owner: bool,
    /// Whether a line without an owner would have the right one.
    pub(crate) may_inherit: bool,
    /// The origin in force.
    pub(crate) origin: &'a Name,
    pub(crate) newline: &'a [u8],
}

impl<'a> Layout<'a> {
    /// The layout of a record of `file`; `None` for a record of another file.
    pub(crate) fn of(file: &'a ZoneFile, record: &Record) -> Option<Self> {
        let text = &file.text;
        let mut tokens = Vec::new();
        let entry = Lexer::starting_at(text, record.start as usize).next_entry(&mut tokens)?.ok()?;
        let (header, _) = header(text, entry, &tokens).ok()?;
        Some(Self { text, span: entry.start..entry.end, tokens, header })
    }

    /// The owner as the line has it.
    pub(crate) fn owner(&self) -> Option<String> {
        self.owner_token().map(|t| t.text(self.text).into_owned())
    }

    /// The lines with `patch`; `origin` is in force there.
    pub(crate) fn patched(&self, patch: &Patch<'_>, origin: &Name) -> Vec<u8> {
        let mut parts: Vec<(Range<usize>, Vec<u8>)> = Vec::new();
        if let Some(owner) = &patch.owner {
            let blank = self.leading_blank();
            let mut text = owner.clone().into_bytes();
            fill(&mut text, self.slice(&blank), width(0, self.slice(&blank)));
            parts.push((blank, text));
        }
        if let Some(ttl) = patch.ttl {
            match self.header.ttl.and_then(|(i, _)| self.tokens.get(i)) {
                Some(token) => parts.push((token.start..token.end, ttl.to_string().into_bytes())),
                None => {
                    let first = self.tokens.get(usize::from(self.header.has_owner));
                    let at = first.map_or(self.span.start, |t| t.start);
                    let blank = if self.text.get(at.wrapping_sub(1)) == Some(&b'\t') { '\t' } else { ' ' };
                    parts.push((at..at, format!("{ttl}{blank}").into_bytes()));
                }
            }
        }
        if let Some(rdata) = patch.data {
            let (region, text) = self.new_data(rdata, origin);
            parts.push((region, text));
        }
        if let Some(serial) = patch.serial {
            parts.extend(self.new_serial(serial));
        }
        let mut lines = Vec::with_capacity(self.span.len() + 64);
        let mut at = self.span.start;
        for (range, text) in parts {
            lines.extend_from_slice(self.slice(&(at..range.start)));
            lines.extend_from_slice(&text);
            at = range.end;
        }
        lines.extend_from_slice(self.slice(&(at..self.span.end)));
        lines
    }

    /// A line like this one for another record.
    pub(crate) fn line_like(&self, new: &NewLine<'_>) -> Vec<u8> {
        let Some(header) = self.plain_header() else { return new_line(new) };
        let mut line: Vec<u8> = Vec::with_capacity(128);
        let before = self.header_tokens(header.clone()).next().map_or(header.end, |(_, t)| t.start);
        let blank = self.slice(&(header.start..before));
        if !self.header.has_owner {
            if !new.may_inherit {
                line.extend_from_slice(relative(new.name, new.origin).as_bytes());
                fill(&mut line, blank, width(0, blank));
            } else {
                line.extend_from_slice(blank);
            }
        }
        let mut ttl_due = new.needs_ttl && self.header.ttl.is_none();
        for (i, token) in self.header_tokens(header.clone()) {
            let raw = token.raw(self.text);
            let next = self.tokens.get(i + 1).map_or(header.end, |t| t.start).min(header.end);
            let blank = self.slice(&(token.end..next));
            let is_owner = self.header.has_owner && i == 0;
            if ttl_due && !is_owner {
                line.extend_from_slice(new.ttl.to_string().as_bytes());
                line.push(if line_uses_tabs(blank) { b'\t' } else { b' ' });
                ttl_due = false;
            }
            let start = width(0, &line);
            let text = if is_owner && !new.same_owner {
                relative(new.name, new.origin)
            } else if self.header.ttl.is_some_and(|(at, ttl)| at == i && ttl != new.ttl) {
                new.ttl.to_string()
            } else if i == self.header.rtype
                && !token.text(self.text).eq_ignore_ascii_case(&new.rdata.rtype().to_string())
            {
                new.rdata.rtype().to_string()
            } else {
                token.text(self.text).into_owned()
            };
            let target = width(width(start, raw), blank);
            line.extend_from_slice(text.as_bytes());
            fill(&mut line, blank, target);
        }
        let data = data_text(new.rdata, self.uses_relative_data(new.rdata).then_some(new.origin));
        line.extend_from_slice(data.as_bytes());
        line.extend_from_slice(new.newline);
        line
    }

    /// Where the data stands and what replaces it. Parentheses around it stay; in data over several
    /// lines each string of TXT gets its own, as far to the right as the last one was.
    fn new_data(&self, rdata: &Rdata, origin: &Name) -> (Range<usize>, Vec<u8>) {
        let data = self.tokens.get(self.header.rtype + 1..).unwrap_or_default();
        let (Some(first), Some(last)) = (data.first(), data.last()) else {
            return (self.span.end..self.span.end, Vec::new());
        };
        let text = match rdata {
            Rdata::Txt(txt) if first.depth > 0 && self.slice(&(first.start..last.end)).contains(&b'\n') => {
                let line_start = self.text[..last.start].iter().rposition(|&b| b == b'\n').map_or(0, |n| n + 1);
                let before = self.slice(&(line_start..last.start));
                let blank = &before[..before.iter().take_while(|b| is_blank(**b)).count()];
                let mut text = Vec::new();
                for (i, string) in txt.strings().iter().enumerate() {
                    if i > 0 {
                        text.extend_from_slice(self.newline());
                        text.extend_from_slice(if blank.is_empty() { b" " } else { blank });
                    }
                    let mut quoted = String::new();
                    // Writing to a `String` does not fail.
                    let _ = crate::escape::write_quoted(&mut quoted, string);
                    text.extend_from_slice(quoted.as_bytes());
                }
                text
            }
            _ => data_text(rdata, self.uses_relative_data(rdata).then_some(origin)).into_bytes(),
        };
        self.balanced(first, last, text)
    }

    /// The place of the tokens from `first` to `last`, and `text` to stand there, such that each
    /// parenthesis outside keeps its other side.
    fn balanced(&self, first: &Token, last: &Token, mut text: Vec<u8>) -> (Range<usize>, Vec<u8>) {
        let mut end = last.end;
        // Parentheses opened inside lose their opening side: take the closing one too.
        let mut opened = last.depth.saturating_sub(first.depth);
        let mut at = end;
        while opened > 0 && at < self.span.end {
            match self.text.get(at) {
                Some(b';') => at = line_end(self.text, at),
                Some(b')') => {
                    opened -= 1;
                    at += 1;
                    end = at;
                }
                _ => at += 1,
            }
        }
        // Parentheses opened before and closed inside.
        for _ in last.depth..first.depth {
            text.extend_from_slice(b" )");
        }
        (first.start..end, text)
    }

    /// The place of an SOA record's serial and its new digits; of data in the form of RFC 3597 the
    /// whole data, whose serial is 20 octets before its end.
    fn new_serial(&self, serial: u32) -> Option<(Range<usize>, Vec<u8>)> {
        let data = self.tokens.get(self.header.rtype + 1..)?;
        if data.first()?.raw(self.text) != b"\\#" {
            let token = data.get(2)?;
            let digits = token.end - token.start;
            return Some((token.start..token.end, format!("{serial:0digits$}").into_bytes()));
        }
        let hex: String = data.get(2..)?.iter().map(|t| t.text(self.text)).collect();
        let at = hex.len().checked_sub(40)?;
        let text = format!("{}{serial:08x}{}", hex.get(..at)?, hex.get(at + 8..)?);
        Some(self.balanced(data.get(2)?, data.last()?, text.into_bytes()))
    }

    /// Whether this line has data that ends in a relative name, and `rdata` could do the same.
    fn uses_relative_data(&self, rdata: &Rdata) -> bool {
        let is_relative = |t: &Token| !t.quoted && t.raw(self.text).last() != Some(&b'.');
        let rtype = self.tokens.get(self.header.rtype).map(|t| t.text(self.text));
        let same = rtype.is_some_and(|text| text.eq_ignore_ascii_case(&rdata.rtype().to_string()));
        same && ends_in_name(rdata.rtype()) && self.tokens.last().is_some_and(is_relative)
    }

    /// From the start of the line to the data (or to the parenthesis before it), if that is on one line
    /// without parentheses and a blank stands before the data.
    fn plain_header(&self) -> Option<Range<usize>> {
        let rtype = self.tokens.get(self.header.rtype)?;
        let blank = self.text.get(rtype.end..)?.iter().take_while(|b| is_blank(**b)).count();
        let plain = rtype.depth == 0
            && blank > 0
            && !self.slice(&(self.span.start..rtype.start)).contains(&b'(')
            && !self.slice(&(self.span.start..rtype.start)).contains(&b'\n');
        plain.then_some(self.span.start..rtype.end + blank)
    }

    fn header_tokens(&self, header: Range<usize>) -> impl Iterator<Item = (usize, &Token)> {
        self.tokens.iter().enumerate().take_while(move |(i, t)| *i <= self.header.rtype && t.end <= header.end)
    }

    fn leading_blank(&self) -> Range<usize> {
        let count = self.slice(&self.span).iter().take_while(|b| is_blank(**b)).count();
        self.span.start..self.span.start + count
    }

    fn owner_token(&self) -> Option<&Token> {
        if self.header.has_owner { self.tokens.first() } else { None }
    }

    fn newline(&self) -> &'static [u8] {
        if self.slice(&self.span).ends_with(b"\r\n") { b"\r\n" } else { b"\n" }
    }

    fn slice(&self, range: &Range<usize>) -> &'a [u8] {
        self.text.get(range.clone()).unwrap_or_default()
    }
}

/// A line where there is none to look like.
pub(crate) fn new_line(new: &NewLine<'_>) -> Vec<u8> {
    let owner = relative(new.name, new.origin);
    let ttl = if new.needs_ttl { format!("{}\t", new.ttl) } else { String::new() };
    let mut line = format!("{owner}\t{ttl}IN\t{}\t{}", new.rdata.rtype(), new.rdata).into_bytes();
    line.extend_from_slice(new.newline);
    line
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn line_uses_tabs(blank: &[u8]) -> bool {
    blank.contains(&b'\t')
}

/// The column behind `text` that begins in column `start`; tab stops are every eight.
fn width(start: usize, text: &[u8]) -> usize {
    text.iter().fold(start, |column, &b| if b == b'\t' { (column / 8 + 1) * 8 } else { column + 1 })
}

/// Appends a gap in the manner of `blank` (tabs or blanks), up to column `target`, at least one octet.
/// A gap of one octet is no alignment and stays one.
fn fill(line: &mut Vec<u8>, blank: &[u8], target: usize) {
    let byte = if line_uses_tabs(blank) { b'\t' } else { b' ' };
    line.push(byte);
    if blank.len() == 1 {
        return;
    }
    while width(0, line) < target {
        line.push(byte);
    }
}
