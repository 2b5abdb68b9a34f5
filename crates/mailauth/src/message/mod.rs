//! A message in the form in which it is kept in a file (RFC 5322): header fields and body, as octets.
//!
//! Lenient, since files come from everywhere: lines end in CRLF or in LF alone, a first line `From …` as mailboxes
//! have it is skipped, and the first line that is no header field ends the header section. Nothing is decoded and
//! nothing copied: signatures are over octets.

mod author;

/// Header fields of one message; more are refused. Mail in the field has less than 200.
pub const FIELDS: usize = 2_000;

/// Octets of the header section; more are refused.
pub const HEADER_OCTETS: usize = 1 << 20;

/// A message, borrowed from its octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    fields: Vec<Field<'a>>,
    body: &'a [u8],
}

/// One header field with its continuation lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    name: &'a str,
    raw: &'a [u8],
    colon: usize,
}

/// Why octets are not taken as a message. The message's fault; a retry does not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// More than [`FIELDS`].
    #[error("the message has more than {FIELDS} header fields")]
    Fields,
    /// More than [`HEADER_OCTETS`].
    #[error("the header of the message is longer than {HEADER_OCTETS} octets")]
    Header,
    /// Not one header field.
    #[error("this is no message: it does not begin with a header field")]
    NoField,
}

impl MessageError {
    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Fields | Self::Header => "no mail in the field is like this; take another message",
            Self::NoField => {
                "give the whole message with its header, as `show source` or `save as` of a mail program does"
            }
        }
    }
}

impl<'a> Message<'a> {
    /// Splits octets into header fields and body.
    ///
    /// # Errors
    /// There is no header field, or the header is beyond the limits.
    pub fn parse(octets: &'a [u8]) -> Result<Self, MessageError> {
        let mut fields: Vec<Field<'a>> = Vec::new();
        // Where the open field begins, with its colon and name.
        let mut open: Option<(usize, Field<'a>)> = None;
        let mut at = 0;
        let mut body = octets.get(octets.len()..).unwrap_or_default();
        while let Some(rest) = octets.get(at..).filter(|rest| !rest.is_empty()) {
            let (line, length) = first_line(rest);
            let continues = matches!(line.first(), Some(b' ' | b'\t')) && open.is_some();
            if continues {
                // Still the same field.
            } else if let Some(field) = Field::begin(line) {
                if fields.len() + usize::from(open.is_some()) >= FIELDS {
                    return Err(MessageError::Fields);
                }
                close(octets, &mut fields, open.replace((at, field)), at);
            } else if at > 0 || !line.starts_with(b"From ") {
                // The blank line is of neither; any other is the first of the body.
                body = if line.is_empty() { rest.get(length..).unwrap_or_default() } else { rest };
                break;
            }
            at += length;
            if at > HEADER_OCTETS {
                return Err(MessageError::Header);
            }
        }
        close(octets, &mut fields, open, at);
        if fields.is_empty() { Err(MessageError::NoField) } else { Ok(Self { fields, body }) }
    }

    /// The header fields from the top; at least one.
    pub fn fields(&self) -> &[Field<'a>] {
        &self.fields
    }

    /// The fields of this name, in any case, from the top.
    pub fn fields_named<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Field<'a>> {
        self.fields.iter().filter(move |field| field.is(name))
    }

    /// What follows the blank line, with the line ends as they are.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }
}

impl<'a> Field<'a> {
    /// The name: printable ASCII without blanks, case kept.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Whether this is the name, in any case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// All octets but the last line's end; line ends inside as they are, each before a blank or a tab.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// What follows the colon, folding and blanks included.
    pub fn value(&self) -> &'a [u8] {
        self.raw.get(self.colon + 1..).unwrap_or_default()
    }

    /// What stands before the value in [`Field::raw`], the colon included.
    pub fn prefix(&self) -> &'a [u8] {
        self.raw.get(..=self.colon).unwrap_or_default()
    }

    /// The field that begins with this line: a name, blanks that older standards allowed, a colon.
    fn begin(line: &'a [u8]) -> Option<Self> {
        let colon = line.iter().position(|&octet| octet == b':')?;
        let name = line.get(..colon)?.trim_ascii_end();
        let printable = !name.is_empty() && name.iter().all(|octet| matches!(octet, 33..=126));
        let name = std::str::from_utf8(name).ok().filter(|_| printable)?;
        Some(Self { name, raw: line, colon })
    }
}

/// Lines without their ends: CRLF or LF. What follows the last end is a line only if it is not empty.
pub(crate) fn lines(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (line, length) = first_line(rest);
        rest = rest.get(length..).unwrap_or_default();
        Some(line)
    })
}

/// The first line without its end, and its length with it.
fn first_line(octets: &[u8]) -> (&[u8], usize) {
    match octets.iter().position(|&octet| octet == b'\n') {
        None => (octets, octets.len()),
        Some(end) => {
            let line = octets.get(..end).unwrap_or_default();
            (line.strip_suffix(b"\r").unwrap_or(line), end + 1)
        }
    }
}

fn close<'a>(octets: &'a [u8], fields: &mut Vec<Field<'a>>, open: Option<(usize, Field<'a>)>, end: usize) {
    let Some((start, field)) = open else { return };
    let raw = octets.get(start..end).unwrap_or_default();
    let raw = raw.strip_suffix(b"\n").map_or(raw, |line| line.strip_suffix(b"\r").unwrap_or(line));
    fields.push(Field { raw, ..field });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names<'a>(message: &Message<'a>) -> Vec<&'a str> {
        message.fields().iter().map(Field::name).collect()
    }

    #[test]
    fn fields_folded_and_not_and_the_body() {
        for end in ["\n", "\r\n"] {
            let text = "From a@b Sat Nov 21\nFrom: a\nSubject :\n\tx\n  y \nx-odd=1:\n\nbody: 1\n\n".replace('\n', end);
            let message = Message::parse(text.as_bytes()).unwrap();
            assert_eq!(names(&message), ["From", "Subject", "x-odd=1"]);
            let subject = message.fields_named("SUBJECT").next().unwrap();
            assert_eq!(subject.value(), format!("{end}\tx{end}  y ").as_bytes());
            assert_eq!(subject.raw(), [subject.prefix(), subject.value()].concat());
            assert_eq!(message.body(), format!("body: 1{end}{end}").as_bytes());
        }
    }

    #[test]
    fn where_the_header_ends_without_a_blank_line() {
        for (text, fields, body) in [
            ("A: 1", 1, ""),
            ("A: 1\r", 1, ""),
            ("A: 1\n", 1, ""),
            ("A: 1\n\n", 1, ""),
            ("A: 1\nno field\nB: 2\n", 1, "no field\nB: 2\n"),
            ("A: 1\n \n\t\nB: 2\n\nC: 3", 2, "C: 3"),
            ("A: 1\n: 2\n", 1, ": 2\n"),
            ("A: 1\nb c: 2\n", 1, "b c: 2\n"),
            ("A: 1\n\u{e4}: 2\n", 1, "\u{e4}: 2\n"),
        ] {
            let message = Message::parse(text.as_bytes()).unwrap();
            assert_eq!((message.fields().len(), message.body()), (fields, body.as_bytes()), "{text:?}");
        }
        for text in ["", "\n", " A: 1\n", "\nA: 1", "From \n", "no field"] {
            assert_eq!(Message::parse(text.as_bytes()), Err(MessageError::NoField), "{text:?}");
        }
    }

    #[test]
    fn limits() {
        let many = |count: usize| "A: 1\n".repeat(count) + "\nA: 1\n";
        assert_eq!(Message::parse(many(FIELDS).as_bytes()).unwrap().fields().len(), FIELDS);
        assert_eq!(Message::parse(many(FIELDS + 1).as_bytes()), Err(MessageError::Fields));
        let long = format!("A: {}\n b\n", "x".repeat(HEADER_OCTETS));
        assert_eq!(Message::parse(long.as_bytes()), Err(MessageError::Header));
        let long_body = format!("A: 1\n\n{}\n", "x".repeat(HEADER_OCTETS));
        assert!(Message::parse(long_body.as_bytes()).is_ok());
    }

    proptest! {
        #[test]
        fn any_octets_are_taken_apart_without_a_loss(octets in prop::collection::vec(prop::sample::select(
            b"aB:\r\n \t\0\x80=;.".as_slice()), 0..80,
        )) {
            if let Ok(message) = Message::parse(&octets) {
                let count: usize = message.fields().iter().map(|field| field.raw().len()).sum::<usize>() + message.body().len();
                prop_assert!(count <= octets.len());
                prop_assert!(octets.ends_with(message.body()));
                for field in message.fields() {
                    prop_assert_eq!(field.raw(), [field.prefix(), field.value()].concat());
                    for line in lines(field.raw()).skip(1) {
                        prop_assert!(line.starts_with(b" ") || line.starts_with(b"\t"));
                    }
                }
            }
        }
    }
}
