//! The two canonicalisations (RFC 6376 section 3.4): the octets that are hashed in place of those that arrived.
//!
//! Lines that end in LF alone count as lines: what a mail program saves has often lost its CRs. A CR anywhere else is
//! an octet like others.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::message::{Field, Message, lines};

/// How much may change on the way without breaking a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Canonicalisation {
    /// Nothing but blank lines at the end of the body.
    Simple,
    /// White space, folding, and the case of field names.
    Relaxed,
}

/// What [`Canonicalisation::body_hash`] gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyHash {
    /// SHA-256 of the canonical body, or of its beginning.
    pub hash: [u8; 32],
    /// What was hashed.
    pub coverage: Coverage,
}

/// How much of a canonical body a signature is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coverage {
    /// Octets that are signed: all, or as many as `l=` says, if there are so many.
    pub signed: u64,
    /// Octets there are.
    pub body: u64,
}

impl Coverage {
    /// Octets at the end that anybody may have added.
    pub const fn unsigned(self) -> u64 {
        self.body.saturating_sub(self.signed)
    }
}

impl Canonicalisation {
    /// The keyword.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Relaxed => "relaxed",
        }
    }

    /// Reads the keyword.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Simple, Self::Relaxed].into_iter().find(|found| found.as_str() == text)
    }

    /// Appends a header field without the CRLF at its end.
    pub fn field(self, field: &Field<'_>, out: &mut Vec<u8>) {
        self.field_of(field, field.value(), out);
    }

    /// As [`Canonicalisation::field`], with another value in place of the field's own.
    pub(super) fn field_of(self, field: &Field<'_>, value: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Simple => {
                out.extend_from_slice(field.prefix());
                for (i, line) in lines(value).enumerate() {
                    out.extend_from_slice(if i > 0 { b"\r\n" } else { b"" });
                    out.extend_from_slice(line);
                }
            }
            Self::Relaxed => {
                out.extend(field.name().bytes().map(|octet| octet.to_ascii_lowercase()));
                out.push(b':');
                squeeze(lines(value).flatten(), false, out);
            }
        }
    }

    /// Gives the body piece by piece.
    pub fn body(self, body: &[u8], mut take: impl FnMut(&[u8])) {
        // Blank lines count only once another line follows.
        let mut blank = 0usize;
        let mut any = false;
        let mut canonical = Vec::new();
        for line in lines(body) {
            let line = match self {
                Self::Simple => line,
                Self::Relaxed => {
                    canonical.clear();
                    squeeze(line, true, &mut canonical);
                    &canonical
                }
            };
            if line.is_empty() {
                blank += 1;
                continue;
            }
            for _ in 0..std::mem::take(&mut blank) {
                take(b"\r\n");
            }
            take(line);
            take(b"\r\n");
            any = true;
        }
        if !any && self == Self::Simple {
            take(b"\r\n");
        }
    }

    /// The hash of a body's first `limit` octets (`l=`), or of all.
    pub fn body_hash(self, body: &[u8], limit: Option<u64>) -> BodyHash {
        let mut hasher = Sha256::new();
        let mut coverage = Coverage { signed: 0, body: 0 };
        let limit = limit.unwrap_or(u64::MAX);
        self.body(body, |piece| {
            let room = usize::try_from(limit - coverage.signed).unwrap_or(usize::MAX);
            let piece_signed = piece.get(..room).unwrap_or(piece);
            hasher.update(piece_signed);
            coverage.signed += piece_signed.len() as u64;
            coverage.body += piece.len() as u64;
        });
        BodyHash { hash: hasher.finalize().into(), coverage }
    }
}

impl fmt::Display for Canonicalisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The fields that the names in `h=` stand for, by their place: for each name the lowest that was not taken yet, and
/// nothing where none is left (RFC 6376 section 5.4.2). `without` is the signature's own field.
pub(super) fn select(message: &Message<'_>, names: &[String], without: usize) -> Vec<usize> {
    let mut left: std::collections::HashMap<String, Vec<usize>> = std::collections::HashMap::new();
    for (place, field) in message.fields().iter().enumerate() {
        if place != without {
            left.entry(field.name().to_ascii_lowercase()).or_default().push(place);
        }
    }
    names.iter().filter_map(|name| left.get_mut(&name.to_ascii_lowercase())?.pop()).collect()
}

/// One blank for each run of blanks and tabs, none at the end; one at the beginning only in a body's line.
fn squeeze<'a>(octets: impl IntoIterator<Item = &'a u8>, in_body: bool, out: &mut Vec<u8>) {
    let begin = out.len();
    let mut gap = false;
    for &octet in octets {
        if matches!(octet, b' ' | b'\t') {
            gap = true;
            continue;
        }
        if std::mem::take(&mut gap) && (in_body || out.len() > begin) {
            out.push(b' ');
        }
        out.push(octet);
    }
}

#[cfg(test)]
mod tests {
    use Canonicalisation::{Relaxed, Simple};
    use proptest::prelude::*;

    use super::*;

    fn body(how: Canonicalisation, text: &[u8]) -> String {
        let mut out = Vec::new();
        how.body(text, |piece| out.extend_from_slice(piece));
        String::from_utf8(out).unwrap()
    }

    fn fields(how: Canonicalisation, text: &str) -> Vec<String> {
        let message = Message::parse(text.as_bytes()).unwrap();
        let one = |field| {
            let mut out = Vec::new();
            how.field(field, &mut out);
            String::from_utf8(out).unwrap()
        };
        message.fields().iter().map(one).collect()
    }

    /// The example of RFC 6376 section 3.4.5.
    #[test]
    fn example_of_the_standard() {
        let text = "A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n";
        assert_eq!(fields(Relaxed, text), ["a:X", "b:Y Z"]);
        assert_eq!(fields(Simple, text), ["A: X", "B : Y\t\r\n\tZ  "]);
        let end = Message::parse(text.as_bytes()).unwrap().body();
        assert_eq!(body(Relaxed, end), " C\r\nD E\r\n");
        assert_eq!(body(Simple, end), " C \r\nD \t E\r\n");
    }

    #[test]
    fn empty_bodies_and_missing_ends() {
        for (text, simple, relaxed) in [
            ("", "\r\n", ""),
            ("\n\r\n\n", "\r\n", ""),
            (" \t\n\n", " \t\r\n", ""),
            ("a", "a\r\n", "a\r\n"),
            ("a \n\nb\n\n", "a \r\n\r\nb\r\n", "a\r\n\r\nb\r\n"),
            ("a\rb\r\r\n", "a\rb\r\r\n", "a\rb\r\r\n"),
        ] {
            assert_eq!(body(Simple, text.as_bytes()), simple, "{text:?}");
            assert_eq!(body(Relaxed, text.as_bytes()), relaxed, "{text:?}");
        }
        assert_eq!(fields(Relaxed, "A:\n\t \n B:c\n\nx"), ["a:B:c"]);
        assert_eq!(fields(Relaxed, "A: \t\n\nx"), ["a:"]);
    }

    /// RFC 6376 sections 3.4.3 and 3.4.4 give these values for the empty body.
    #[test]
    fn hashes_of_the_empty_body() {
        let hash = |how: Canonicalisation| data_encoding::BASE64.encode(&how.body_hash(b"", None).hash);
        assert_eq!(hash(Simple), "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=");
        assert_eq!(hash(Relaxed), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[test]
    fn the_beginning_of_a_body() {
        let hash = |limit| Simple.body_hash(b"abc\r\ndef\r\n", limit);
        assert_eq!(hash(Some(4)).coverage, Coverage { signed: 4, body: 10 });
        assert_eq!(hash(Some(4)).hash, <[u8; 32]>::from(Sha256::digest(b"abc\r")));
        assert_eq!(hash(Some(0)).hash, <[u8; 32]>::from(Sha256::digest(b"")));
        assert_eq!(hash(Some(11)).coverage, Coverage { signed: 10, body: 10 });
        assert_eq!(hash(Some(10)), hash(None));
        assert_eq!(hash(Some(7)).coverage.unsigned(), 3);
    }

    #[test]
    fn names_select_from_the_bottom() {
        let message = Message::parse(b"A: 1\nB: 2\na: 3\nS: 4\nA: 5\n").unwrap();
        let places = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            select(&message, &names, 3)
        };
        assert_eq!(places(&["a", "A", "b"]), [4, 2, 1]);
        assert_eq!(places(&["b", "b", "a", "a", "a", "a", "x", "s"]), [1, 4, 2, 0]);
    }

    proptest! {
        #[test]
        fn relaxed_is_its_own_canonical_form(text in "[ab \t\r\n]{0,40}") {
            let once = body(Relaxed, text.as_bytes());
            prop_assert_eq!(body(Relaxed, once.as_bytes()), once.clone());
            let simple = body(Simple, once.as_bytes());
            prop_assert_eq!(simple, if once.is_empty() { "\r\n".to_owned() } else { once });
        }

        #[test]
        fn line_ends_do_not_matter(text in "[ab \t\n]{0,40}") {
            let wire = text.replace('\n', "\r\n");
            for how in [Simple, Relaxed] {
                prop_assert_eq!(body(how, text.as_bytes()), body(how, wire.as_bytes()));
            }
        }
    }
}
