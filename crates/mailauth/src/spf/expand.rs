//! Macro expansion (RFC 7208 section 7) and the names that come out of it.

use std::borrow::Cow;
use std::fmt::Write;
use std::net::IpAddr;

use mailzone_record::Name;

use super::domain::{Macro, macro_at};

/// No expansion is longer, in octets: a record may hold thousands of macros, and a sender be as long as it likes.
const LIMIT: usize = 65_535;

/// What the letters stand for, `p` apart.
#[derive(Debug, Clone)]
pub(super) struct Values<'a> {
    /// `%{i}`, `%{c}`, `%{v}`: never an IPv4-mapped address.
    pub(super) ip: IpAddr,
    /// `%{l}`
    pub(super) local: &'a str,
    /// `%{o}`
    pub(super) sender_domain: Cow<'a, str>,
    /// `%{h}`
    pub(super) helo: &'a str,
    /// `%{r}`
    pub(super) receiver: &'a str,
    /// `%{t}`
    pub(super) time: u64,
}

impl Values<'_> {
    /// The text with its macros filled in; `domain` is `%{d}`, `validated` is `%{p}`. `None` if the text is no
    /// macro-string or the expansion is too long.
    pub(super) fn expand(&self, text: &str, explanation: bool, domain: &str, validated: &str) -> Option<String> {
        let mut out = String::with_capacity(text.len() + 64);
        let mut rest = text;
        while let Some((literal, _)) = rest.split_once('%') {
            out.push_str(literal);
            rest = rest.get(literal.len()..)?;
            let (length, found) = macro_at(rest, explanation).ok()?;
            rest = rest.get(length..)?;
            match found {
                Macro::Text(text) => out.push_str(text),
                Macro::Expand { letter, labels, reverse, delimiters } => {
                    let value = self.value(letter.to_ascii_lowercase(), domain, validated);
                    if letter.is_ascii_uppercase() {
                        escape(&mut out, &transform(&value, labels, reverse, delimiters));
                    } else {
                        out.push_str(&transform(&value, labels, reverse, delimiters));
                    }
                }
            }
            if out.len() > LIMIT {
                return None;
            }
        }
        out.push_str(rest);
        Some(out)
    }

    fn value<'a>(&'a self, letter: u8, domain: &'a str, validated: &'a str) -> Cow<'a, str> {
        match letter {
            b's' => format!("{}@{}", self.local, self.sender_domain).into(),
            b'l' => self.local.into(),
            b'o' => Cow::Borrowed(&self.sender_domain),
            b'd' => domain.into(),
            b'i' => dotted(self.ip).into(),
            b'p' => validated.into(),
            b'v' => (if self.ip.is_ipv4() { "in-addr" } else { "ip6" }).into(),
            b'h' => self.helo.into(),
            b'c' => self.ip.to_string().into(),
            b'r' => (if self.receiver.is_empty() { "unknown" } else { self.receiver }).into(),
            _ => self.time.to_string().into(),
        }
    }
}

/// The name that a domain text stands for, octets as they are: no escapes. One closing dot is dropped. A text that is too
/// long loses labels on the left (RFC 7208 section 7.3). `None` for what is no name: an empty label, one over 63 octets,
/// non-ASCII characters (RFC 8616 section 4).
pub(super) fn name_of(text: &str) -> Option<Name> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if !text.is_ascii() {
        return None;
    }
    let text = match text.len().checked_sub(253) {
        None | Some(0) => text,
        // The dot may stand directly before what is short enough.
        Some(over) => text.get(over - 1..)?.split_once('.')?.1,
    };
    let mut wire = [0u8; 255];
    let mut at = 0usize;
    for label in text.split('.') {
        if !(1..=63).contains(&label.len()) {
            return None;
        }
        // At most 253 characters make 255 octets with the first length and the root.
        *wire.get_mut(at)? = label.len() as u8;
        wire.get_mut(at + 1..at + 1 + label.len())?.copy_from_slice(label.as_bytes());
        at += 1 + label.len();
    }
    Name::from_wire(wire.get(..=at)?).ok()
}

/// The text of a name, octets as they are; `None` if a macro could not hold it: a dot within a label, non-ASCII octets.
pub(super) fn text_of(name: &Name) -> Option<String> {
    let mut text = String::with_capacity(name.as_wire().len());
    for label in name.labels() {
        if !text.is_empty() {
            text.push('.');
        }
        let label = std::str::from_utf8(label).ok().filter(|label| label.is_ascii() && !label.contains('.'))?;
        text.push_str(label);
    }
    Some(text)
}

/// `192.0.2.1`, or the 32 nibbles of an IPv6 address with dots between them.
fn dotted(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let mut text = String::with_capacity(64);
            for octet in v6.octets() {
                // Writing to a string does not fail.
                let _ = write!(text, "{:X}.{:X}.", octet >> 4, octet & 15);
            }
            text.pop();
            text
        }
    }
}

/// Splits, reverses, keeps the rightmost, and joins with dots.
fn transform<'a>(value: &'a str, labels: Option<usize>, reverse: bool, delimiters: &str) -> Cow<'a, str> {
    if labels.is_none() && !reverse && delimiters.is_empty() {
        return value.into();
    }
    let delimiters = if delimiters.is_empty() { "." } else { delimiters };
    let mut parts: Vec<&str> = value.split(|c| delimiters.contains(c)).collect();
    if reverse {
        parts.reverse();
    }
    let skip = parts.len().saturating_sub(labels.unwrap_or(parts.len()));
    parts.get(skip..).unwrap_or_default().join(".").into()
}

/// URL-escapes all but the unreserved characters (RFC 3986 section 2.3).
fn escape(out: &mut String, value: &str) {
    for octet in value.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            out.push(char::from(octet));
        } else {
            let _ = write!(out, "%{octet:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(ip: &str) -> Values<'static> {
        Values {
            ip: ip.parse().unwrap(),
            local: "strong-bad",
            sender_domain: "email.example.com".into(),
            helo: "h.example",
            receiver: "",
            time: 7,
        }
    }

    /// The examples of RFC 7208 section 7.4, and some more.
    #[test]
    fn expands_as_the_standard_says() {
        let expand = |ip: &str, text: &str| values(ip).expand(text, true, "email.example.com", "p.example").unwrap();
        for (text, expected) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d3}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr}", "strong-bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
            ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
            ("%{S}|%{h}|%{p}|%{c}|%{r}|%{t}", "strong-bad%40email.example.com|h.example|p.example|192.0.2.3|unknown|7"),
            ("a%%b%_c%-d", "a%b c%20d"),
        ] {
            assert_eq!(expand("192.0.2.3", text), expected, "{text}");
        }
        let six = "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com";
        assert_eq!(expand("2001:db8::cb01", "%{ir}.%{v}._spf.%{d2}"), six);
        assert_eq!(values("::1").expand("%{x}", true, "", ""), None);
        assert_eq!(values("::1").expand(&"%{s}".repeat(9000), true, "", ""), None);
    }

    #[test]
    fn names_are_octets_and_lose_labels_on_the_left() {
        let text = |text: &str| name_of(text).and_then(|name| text_of(&name));
        for same in ["a.b", "macro%percent  space.example", "foo:bar/baz.example", "a\\.b"] {
            assert_eq!(text(same).as_deref(), Some(same));
        }
        assert_eq!(text("a.b.").as_deref(), Some("a.b"));
        for none in ["", ".", "a..b", ".a", "a.b..", "b\u{fc}cher.example", &"a".repeat(64), &"a".repeat(300)] {
            assert_eq!(name_of(none), None, "{none}");
        }
        let long = format!("{}example.com", "abcde.".repeat(41));
        assert_eq!(long.len(), 257);
        assert_eq!(text(&long).as_deref(), Some(&long[6..]));
        let fits = format!("{}ab.example.com", "abc.".repeat(60));
        assert_eq!((fits.len(), text(&fits).map(|text| text.len())), (254, Some(250)));
    }
}
