//! Tag lists: `tag=value` pairs with `;` between them (RFC 6376 section 3.2), as DKIM, DMARC, MTA-STS
//! and TLS-RPT use them.
//!
//! Reading never fails: order, unknown tags and odd spacing are kept, and what the grammar forbids is a
//! [`Problem`] with its place. Each kind decides what a problem means to it, since RFC 6376 voids a list
//! for what RFC 9989 only ignores.

use std::fmt;
use std::ops::Range;

/// A tag list as it stands in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagList<'a> {
    /// The pairs in the order of the text. Parts without `=` are not among them.
    pub tags: Vec<Tag<'a>>,
    /// What the grammar forbids, in the order of the text.
    pub problems: Vec<Problem>,
}

/// One pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag<'a> {
    /// The name without the white space around it, case kept: names are case-sensitive.
    pub name: &'a str,
    /// The value without the white space around it.
    pub value: &'a str,
    /// Octets of the text from the name to the end of the value.
    pub span: Range<usize>,
    /// Octets of the text that are the value.
    pub value_span: Range<usize>,
}

/// Something that the grammar forbids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, in octets of the text.
    pub span: Range<usize>,
    /// What.
    pub kind: ProblemKind,
}

/// What a tag list's grammar forbids.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProblemKind {
    /// Nothing between two semicolons. Readers in the field skip it.
    EmptyPart,
    /// A part without `=`.
    NoEquals(String),
    /// A tag name that is not a letter followed by letters, digits and underscores.
    BadName(String),
    /// A tag for the second time: the list is invalid.
    Repeated(String),
    /// A control or non-ASCII character in a value (RFC 8616 allows UTF-8 only where a tag says so).
    BadCharacter(char),
}

impl<'a> TagList<'a> {
    /// Reads `text`.
    pub fn parse(text: &'a str) -> Self {
        let mut list = Self { tags: Vec::new(), problems: Vec::new() };
        let mut start = 0;
        for part in text.split(';') {
            let end = start + part.len();
            list.part(text, start..end, end == text.len());
            start = end + 1;
        }
        list
    }

    /// The first tag of this name (case-sensitive).
    pub fn get(&self, name: &str) -> Option<&Tag<'a>> {
        self.tags.iter().find(|tag| tag.name == name)
    }

    /// The names that stand more than once, each once.
    pub fn repeated(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = Vec::new();
        for (i, tag) in self.tags.iter().enumerate() {
            if self.tags[..i].iter().any(|earlier| earlier.name == tag.name) && !names.contains(&tag.name) {
                names.push(tag.name);
            }
        }
        names
    }

    /// Whether the first tag is `v` with exactly this value: how a receiver selects a record.
    pub fn has_version(&self, version: &str) -> bool {
        self.tags.first().is_some_and(|tag| tag.name == "v" && tag.value == version && !self.starts_badly(tag))
    }

    fn starts_badly(&self, first: &Tag<'_>) -> bool {
        self.problems.iter().any(|problem| problem.span.end < first.span.start)
    }

    fn part(&mut self, text: &'a str, range: Range<usize>, last: bool) {
        let span = trim(text, range);
        let part = &text[span.clone()];
        if part.is_empty() {
            if !last || span.start == 0 {
                self.problem(span, ProblemKind::EmptyPart);
            }
            return;
        }
        let Some(equals) = part.find('=') else {
            return self.problem(span, ProblemKind::NoEquals(part.to_owned()));
        };
        let name_span = trim(text, span.start..span.start + equals);
        let value_span = trim(text, span.start + equals + 1..span.end);
        let (name, value) = (&text[name_span.clone()], &text[value_span.clone()]);
        if !is_tag_name(name) {
            self.problem(name_span, ProblemKind::BadName(name.to_owned()));
        } else if self.get(name).is_some() {
            self.problem(span.clone(), ProblemKind::Repeated(name.to_owned()));
        }
        if let Some((at, c)) = value.char_indices().find(|&(_, c)| !is_white(c) && !matches!(c, '!'..='~')) {
            let at = value_span.start + at;
            self.problem(at..at + c.len_utf8(), ProblemKind::BadCharacter(c));
        }
        self.tags.push(Tag { name, value, span: span.start..value_span.end.max(span.start), value_span });
    }

    fn problem(&mut self, span: Range<usize>, kind: ProblemKind) {
        self.problems.push(Problem { span, kind });
    }
}

impl fmt::Display for TagList<'_> {
    /// The tags in their order, in one spelling: `a=b; c=d`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, tag) in self.tags.iter().enumerate() {
            let before = if i > 0 { "; " } else { "" };
            write!(f, "{before}{}={}", tag.name, tag.value)?;
        }
        Ok(())
    }
}

impl Problem {
    /// Whether a reader that keeps to RFC 6376 gives the list up. An empty part is skipped by readers in
    /// the field, and a character in a value is for the tag to judge.
    pub(crate) fn is_fatal(&self) -> bool {
        matches!(self.kind, ProblemKind::NoEquals(_) | ProblemKind::BadName(_) | ProblemKind::Repeated(_))
    }
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyPart => f.write_str("nothing between two semicolons"),
            Self::NoEquals(part) => write!(f, "`{part}` has no `=`"),
            Self::BadName(name) => write!(f, "`{name}` is no tag name"),
            Self::Repeated(name) => write!(f, "tag `{name}` stands more than once"),
            Self::BadCharacter(c) => write!(f, "character {c:?} in a value"),
        }
    }
}

/// White space as tag lists know it.
pub(crate) fn is_white(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// The trimmed, non-empty items of a list such as `s=email : tlsrpt`, each with its place in the text
/// that `tag` comes from.
pub(crate) fn items<'a>(tag: &Tag<'a>, separator: char) -> Vec<(&'a str, Range<usize>)> {
    let mut at = tag.value_span.start;
    let mut out = Vec::new();
    for item in tag.value.split(separator) {
        let trimmed = item.trim_matches(is_white);
        let start = at + (item.len() - item.trim_start_matches(is_white).len());
        if !trimmed.is_empty() {
            out.push((trimmed, start..start + trimmed.len()));
        }
        at += item.len() + separator.len_utf8();
    }
    out
}

fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start_matches(is_white).len());
    start..start + part.trim_matches(is_white).len()
}

fn is_tag_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spacing_order_and_unknown_tags_are_kept() {
        let text = " v = DMARC1 ;\tp=none;x_1=a=b ; rua=";
        let list = TagList::parse(text);
        let pairs: Vec<_> = list.tags.iter().map(|tag| (tag.name, tag.value)).collect();
        assert_eq!(pairs, [("v", "DMARC1"), ("p", "none"), ("x_1", "a=b"), ("rua", "")]);
        assert_eq!(list.problems, []);
        assert!(list.has_version("DMARC1"));
        assert_eq!(&text[list.tags[0].span.clone()], "v = DMARC1");
        assert_eq!(&text[list.tags[2].value_span.clone()], "a=b");
        assert_eq!(list.to_string(), "v=DMARC1; p=none; x_1=a=b; rua=");
    }

    #[test]
    fn problems_have_places() {
        let text = "v=1; p=a;; junk; 9x=1; p=b; q=\u{e4};";
        let list = TagList::parse(text);
        let shown: Vec<_> =
            list.problems.iter().map(|p| format!("{} at {:?}", p.kind, &text[p.span.clone()])).collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        nothing between two semicolons at ""
        `junk` has no `=` at "junk"
        `9x` is no tag name at "9x"
        tag `p` stands more than once at "p=b"
        character 'ä' in a value at "ä"
        "#);
        assert_eq!(list.repeated(), ["p"]);
    }

    #[test]
    fn a_version_must_come_first() {
        for text in ["p=none; v=DMARC1", "; v=DMARC1", "junk; v=DMARC1", "V=DMARC1", "v=dmarc1", "v=DMARC1 p=none", ""]
        {
            assert!(!TagList::parse(text).has_version("DMARC1"), "{text}");
        }
        assert!(TagList::parse("v=DMARC1").has_version("DMARC1"));
    }

    #[test]
    fn items_have_places() {
        let text = "s= a : b::c ";
        let list = TagList::parse(text);
        let found: Vec<_> = items(&list.tags[0], ':').into_iter().map(|(item, span)| (item, &text[span])).collect();
        assert_eq!(found, [("a", "a"), ("b", "b"), ("c", "c")]);
    }

    proptest! {
        #[test]
        fn any_text_reads(text in any::<String>()) {
            let list = TagList::parse(&text);
            for tag in &list.tags {
                prop_assert_eq!(&text[tag.value_span.clone()], tag.value);
                prop_assert!(text[tag.span.clone()].starts_with(tag.name));
                items(tag, ',');
            }
            for problem in &list.problems {
                prop_assert!(text.get(problem.span.clone()).is_some());
            }
        }

        #[test]
        fn printing_and_reading_are_inverse(
            pairs in prop::collection::vec(("[a-z][a-z0-9_]{0,5}", "([!-:<-~]([!-:<-~ ]{0,6}[!-:<-~])?)?"), 0..6)
        ) {
            let text = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
            let list = TagList::parse(&text);
            let read: Vec<_> = list.tags.iter().map(|tag| (tag.name.to_owned(), tag.value.to_owned())).collect();
            prop_assert_eq!(read, pairs);
            prop_assert_eq!(list.to_string(), text);
        }
    }
}
