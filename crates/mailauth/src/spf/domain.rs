use std::fmt;

use mailzone_record::Name;

use super::error::{SpfError, SpfErrorKind};
use super::expand::name_of;

/// A `<domain-spec>` (RFC 7208 section 7.1): a domain name that may contain macros, checked, kept as
/// text. Literal parts are in lower case and a final dot is dropped; macros keep their case, which has
/// a meaning (section 7.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainSpec {
    text: Box<str>,
    /// The name where there is no macro. It follows from the text, so that comparing it too changes nothing.
    name: Option<Name>,
}

/// A part of a macro-string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Literal(&'a str),
    /// With its `%`, and braces where it has them.
    Macro(&'a str),
}

/// What a macro stands for (RFC 7208 section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Macro<'a> {
    /// `%%`, `%_`, `%-`.
    Text(&'a str),
    /// `%{…}`: the letter as written, the number of labels to keep, whether their order is turned round, and the
    /// characters to split at (the dot where there is none).
    Expand { letter: u8, labels: Option<usize>, reverse: bool, delimiters: &'a str },
}

impl DomainSpec {
    /// Reads a domain-spec, such as `_spf.example.com` or `%{i}._spf.%{d}`.
    pub fn parse(text: &str) -> Result<Self, SpfError> {
        Self::read(text, 0)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name that it stands for, the same in every message; `None` if there are macros, or it is no name (a label of
    /// more than 63 octets is).
    pub fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// Whether the name depends on the mail that is checked.
    pub fn has_macros(&self) -> bool {
        self.text.contains('%')
    }

    /// Whether the macro `%{p}` occurs (discouraged, RFC 7208 section 7.2).
    pub fn has_p_macro(&self) -> bool {
        has_p(&self.text)
    }

    /// A text that was checked.
    fn of(text: Box<str>) -> Self {
        let name = if text.contains('%') { None } else { name_of(&text) };
        Self { text, name }
    }

    /// Reads `text`, which stands at octet `at` of the whole.
    pub(super) fn read(text: &str, at: usize) -> Result<Self, SpfError> {
        let bad = |from: usize, length: usize, message: String, remedy: String| {
            SpfError::new(at + from..at + from + length, SpfErrorKind::BadDomain, message, remedy)
        };
        let from = text.bytes().position(|octet| !octet.is_ascii_graphic());
        if let Some((from, c)) = from.and_then(|from| Some((from, text.get(from..)?.chars().next()?))) {
            let remedy = match Name::parse_idn(text) {
                Ok(name) => format!("write it as `{}`", name.to_text_without_dot()),
                Err(_) => "use letters, digits, hyphens, underscores and dots".to_owned(),
            };
            let message = format!("`{}` in a domain", c.escape_debug());
            return Err(SpfError::new(
                at + from..at + from + c.len_utf8(),
                SpfErrorKind::BadCharacter,
                message,
                remedy,
            ));
        }
        if !text.contains('%')
            && let Some((_, top)) = text.strip_suffix('.').unwrap_or(text).rsplit_once('.')
            && is_top_label(top)
        {
            // As `normal` does, in one go: most names have no macros.
            return Ok(Self::of(text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase().into()));
        }
        let pieces = pieces(text, at, false)?;
        let Some(Piece::Literal(tail)) = pieces.last() else {
            return if pieces.is_empty() {
                Err(bad(0, 0, "a domain is missing".to_owned(), "name one, such as `mail.example.com`".to_owned()))
            } else {
                Ok(Self::of(normal(&pieces)))
            };
        };
        let tail_at = text.len() - tail.len();
        let name = tail.strip_suffix('.').unwrap_or(tail);
        let Some(dot) = name.rfind('.') else {
            return Err(bad(
                tail_at,
                tail.len(),
                format!("`{text}` is not a domain: there is no dot before its last label"),
                "write the whole name, such as `mail.example.com`".to_owned(),
            ));
        };
        let top = &name[dot + 1..];
        if is_top_label(top) {
            return Ok(Self::of(normal(&pieces)));
        }
        let remedy = if let Ok(address) = text.parse::<std::net::IpAddr>() {
            format!("for an address write `{}`", super::record::Term::address(address))
        } else if top.is_empty() {
            "write one dot between labels".to_owned()
        } else {
            "the last label has letters, digits and hyphens, and is not a number".to_owned()
        };
        let message = format!("`{text}` is not a domain: `{top}` cannot be its last label");
        Err(bad(tail_at + dot + 1, top.len(), message, remedy))
    }
}

impl fmt::Display for DomainSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether `%{p}` occurs in a macro-string.
pub(super) fn has_p(text: &str) -> bool {
    text.contains("%{p") || text.contains("%{P")
}

/// Cuts a macro-string (RFC 7208 section 7.1), which stands at octet `at` of the whole and holds only
/// printable ASCII. The letters `c`, `r`, `t` are legal in explanations alone.
pub(super) fn pieces(text: &str, at: usize, explanation: bool) -> Result<Vec<Piece<'_>>, SpfError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(percent) = rest.find('%') {
        let from = text.len() - rest.len() + percent;
        if percent > 0 {
            pieces.push(Piece::Literal(&rest[..percent]));
        }
        let macro_text = &rest[percent..];
        let (length, _) = macro_at(macro_text, explanation).map_err(|(length, message)| {
            let remedy = "macros are `%{d}` with one of the letters s l o d i p v h, and `%%`, `%_`, `%-`";
            SpfError::new(at + from..at + from + length, SpfErrorKind::BadMacro, message, remedy)
        })?;
        pieces.push(Piece::Macro(&macro_text[..length]));
        rest = &macro_text[length..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest));
    }
    Ok(pieces)
}

/// The macro that `text` starts with, and its length; or how much of it is wrong, and why.
pub(super) fn macro_at(text: &str, explanation: bool) -> Result<(usize, Macro<'_>), (usize, String)> {
    match text.as_bytes().get(1) {
        Some(b'%') => return Ok((2, Macro::Text("%"))),
        Some(b'_') => return Ok((2, Macro::Text(" "))),
        Some(b'-') => return Ok((2, Macro::Text("%20"))),
        Some(b'{') => {}
        _ => return Err((1, "a `%` that starts no macro".to_owned())),
    }
    let Some(end) = text.find('}') else {
        return Err((text.len(), "a macro without its closing brace".to_owned()));
    };
    let whole = end + 1;
    let body = text.get(2..end).unwrap_or_default();
    let Some(letter) = body.bytes().next() else { return Err((whole, "a macro without a letter".to_owned())) };
    match letter.to_ascii_lowercase() {
        b's' | b'l' | b'o' | b'd' | b'i' | b'p' | b'v' | b'h' => {}
        b'c' | b'r' | b't' if explanation => {}
        letter @ (b'c' | b'r' | b't') => {
            return Err((whole, format!("the macro letter `{}` is for explanations only", letter as char)));
        }
        letter => return Err((whole, format!("no macro has the letter `{}`", letter as char))),
    }
    let rest = body.get(1..).unwrap_or_default();
    let transformers = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = rest.get(..rest.len() - transformers.len()).unwrap_or_default();
    let labels = match digits.parse::<usize>() {
        _ if digits.is_empty() => None,
        Ok(labels) if (1..=128).contains(&labels) => Some(labels),
        _ => return Err((whole, "the number of labels in a macro is 1 to 128".to_owned())),
    };
    let delimiters = transformers.strip_prefix(['r', 'R']);
    let (reverse, delimiters) = (delimiters.is_some(), delimiters.unwrap_or(transformers));
    match delimiters.chars().find(|c| !".-+,/_=".contains(*c)) {
        Some(other) => Err((whole, format!("`{other}` has no place in a macro"))),
        None => Ok((whole, Macro::Expand { letter, labels, reverse, delimiters })),
    }
}

/// RFC 7208 section 7.1: letters and digits with at least one letter, or with a hyphen inside.
fn is_top_label(label: &str) -> bool {
    let inner = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let hyphen = label.contains('-');
    let letter = label.bytes().any(|b| b.is_ascii_alphabetic());
    inner && (letter || hyphen) && !label.starts_with('-') && !label.ends_with('-')
}

fn normal(pieces: &[Piece<'_>]) -> Box<str> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Literal(literal) => text.push_str(&literal.to_ascii_lowercase()),
            Piece::Macro(expand) => text.push_str(expand),
        }
    }
    if text.ends_with('.') && matches!(pieces.last(), Some(Piece::Literal(_))) {
        text.pop();
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains() {
        for (text, normal) in [
            ("Example.COM.", "example.com"),
            ("%{i}._spf.%{D2}", "%{i}._spf.%{D2}"),
            ("X.%{d}", "x.%{d}"),
            ("a.b-c", "a.b-c"),
            ("a.1-2", "a.1-2"),
            ("%{ir}.%{v}._spf.%{d2}", "%{ir}.%{v}._spf.%{d2}"),
            ("%{L1r+-}.A.example", "%{L1r+-}.a.example"),
            ("foo:bar/baz.example.com", "foo:bar/baz.example.com"),
            ("a.example.%%", "a.example.%%"),
        ] {
            assert_eq!(DomainSpec::parse(text).map(|d| d.as_str().to_owned()), Ok(normal.to_owned()), "{text}");
        }
        for text in ["", "museum", "museum.", "1.2.3.4", "a.b..", "a.-b", "a.b-", "foo-bar", "%{d}.", "%{d}com"] {
            assert_eq!(DomainSpec::parse(text).map_err(|e| e.kind), Err(SpfErrorKind::BadDomain), "{text}");
        }
        for text in ["%", "%{d", "%{x}", "%{}", "%{d0}", "%{d129}", "%{c}.a.b", "%{dx}", "a%b.c", "%{d2rr}"] {
            assert_eq!(DomainSpec::parse(text).map_err(|e| e.kind), Err(SpfErrorKind::BadMacro), "{text}");
        }
        let error = DomainSpec::parse("b\u{fc}cher.example").unwrap_err();
        assert_eq!(error.remedy, "write it as `xn--bcher-kva.example`");
    }
}
