//! Names and values in Route 53's spelling: presentation format with escapes of three **octal** digits.
//!
//! The presentation format elsewhere has decimal ones (RFC 1035 section 5.1), so escapes are translated on the way and
//! everything else is left to [`mailzone_record`]. A text that cannot be read is kept as it is.

use mailzone_record::{Name, Opaque, Rdata, RecordType, Value, parse_rdata_text};

/// The name that `text` spells; `None` if it spells none.
pub(crate) fn read_name(text: &str) -> Option<Name> {
    Name::parse(&with_decimal_escapes(text)?).ok()
}

/// The data that `text` spells, or the text itself where it spells none of the type.
pub(crate) fn read_rdata(rtype: RecordType, text: &str) -> Rdata {
    let parsed = with_decimal_escapes(text).and_then(|text| parse_rdata_text(rtype, &text, None).ok());
    match parsed {
        Some(rdata) if !matches!(rdata, Rdata::Opaque(Opaque::Text { .. })) => rdata,
        _ => Rdata::Opaque(Opaque::Text { rtype, text: text.into() }),
    }
}

/// The name in lower case with a closing dot. A `*` goes out as it is; it comes back as `\052`.
pub(crate) fn name_text(name: &Name) -> String {
    let mut text = String::new();
    for label in name.labels() {
        for &octet in label {
            match octet.to_ascii_lowercase() {
                plain @ (b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'*') => text.push(char::from(plain)),
                other => push_octal(&mut text, other),
            }
        }
        text.push('.');
    }
    if text.is_empty() { ".".into() } else { text }
}

/// The text of a value to send: the one received where it still says the same. `None` where the service has no
/// text for the data.
pub(crate) fn value_text(rtype: RecordType, value: &Value) -> Option<String> {
    let spelling = value.origin.as_ref().and_then(|origin| origin.spelling.as_deref());
    match spelling {
        Some(spelling) if read_rdata(rtype, spelling) == value.rdata => Some(spelling.to_owned()),
        _ => rdata_text(&value.rdata),
    }
}

fn rdata_text(rdata: &Rdata) -> Option<String> {
    match rdata {
        Rdata::Ns(name) | Rdata::Cname(name) | Rdata::Ptr(name) => Some(name_text(name)),
        Rdata::Mx(mx) => Some(format!("{} {}", mx.preference, name_text(&mx.exchange))),
        Rdata::Srv(srv) => Some(format!("{} {} {} {}", srv.priority, srv.weight, srv.port, name_text(&srv.target))),
        Rdata::Opaque(Opaque::Text { text, .. }) => Some(text.to_string()),
        other => with_octal_escapes(&other.to_string()),
    }
}

/// `None` where a backslash is followed by a digit and not by an octal number up to 377.
fn with_decimal_escapes(text: &str) -> Option<String> {
    translate(text, |digits| {
        let number = u16::from_str_radix(digits, 8).ok().filter(|number| *number <= 255)?;
        Some(format!("\\{number:03}"))
    })
}

/// `None` for the form of RFC 3597 (`\#`), which Route 53 does not take.
fn with_octal_escapes(text: &str) -> Option<String> {
    if text.starts_with("\\#") {
        return None;
    }
    translate(text, |digits| {
        let mut octal = String::with_capacity(4);
        push_octal(&mut octal, digits.parse().ok()?);
        Some(octal)
    })
}

/// The text with each escape of three digits replaced; other escapes stay.
fn translate(text: &str, escape: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        result.push_str(before);
        let next = after.chars().next()?;
        if next.is_ascii_digit() {
            let digits = after.get(..3).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
            result.push_str(&escape(digits)?);
            rest = after.get(3..)?;
        } else {
            result.push('\\');
            result.push(next);
            rest = after.get(next.len_utf8()..)?;
        }
    }
    result.push_str(rest);
    Some(result)
}

fn push_octal(text: &mut String, octet: u8) {
    use std::fmt::Write as _;
    // Writing to a string does not fail.
    let _ = write!(text, "\\{octet:03o}");
}

#[cfg(test)]
mod tests {
    use mailzone_record::{Caa, Mx, Origin, Txt};
    use proptest::prelude::*;

    use super::*;

    fn txt(strings: &[&[u8]]) -> Rdata {
        Rdata::Txt(Txt::from_strings(strings.iter().map(|s| Box::from(*s)).collect()).unwrap())
    }

    #[test]
    fn names_have_octal_escapes() {
        let wild = Name::parse("*.example.com").unwrap();
        assert_eq!(read_name("\\052.example.com."), Some(wild.clone()));
        assert_eq!(name_text(&wild), "*.example.com.");
        let odd = read_name("a\\100b\\056c.EXAMPLE.com").unwrap();
        assert_eq!(odd.labels().next().unwrap(), b"a@b.c");
        assert_eq!(name_text(&odd), "a\\100b\\056c.example.com.");
        assert_eq!(name_text(&Name::root()), ".");
        assert_eq!(read_name("a\\9.example."), None);
        assert_eq!(read_name("a\\400.example."), None);
    }

    #[test]
    fn texts_have_octal_escapes() {
        assert_eq!(read_rdata(RecordType::TXT, r#""a\303\274" "\"\\\;""#), txt(&["aü".as_bytes(), b"\"\\;"]));
        let sent = Value::from(txt(&["ü".as_bytes(), b"\"\\;"]));
        assert_eq!(value_text(RecordType::TXT, &sent).unwrap(), r#""\303\274" "\"\\;""#);
        let caa = Rdata::Caa(Caa { flags: 0, tag: "issue".into(), value: Box::from(&b"ca.example; x=\"y\""[..]) });
        let text = value_text(RecordType::CAA, &Value::from(caa.clone())).unwrap();
        assert_eq!(text, r#"0 issue "ca.example; x=\"y\"""#);
        assert_eq!(read_rdata(RecordType::CAA, &text), caa);
    }

    #[test]
    fn the_spelling_received_is_sent_while_it_says_the_same() {
        let spelled = |rdata, spelling: &str| Value {
            rdata,
            origin: Some(Box::new(Origin { handle: None, spelling: Some(spelling.into()) })),
        };
        let same = spelled(txt(&[b"a;b"]), r#""a\;b""#);
        assert_eq!(value_text(RecordType::TXT, &same).unwrap(), r#""a\;b""#);
        let other = spelled(txt(&[b"c"]), r#""a\;b""#);
        assert_eq!(value_text(RecordType::TXT, &other).unwrap(), r#""c""#);
        let mx = Rdata::Mx(Mx { preference: 10, exchange: Name::parse("Mail.example").unwrap() });
        assert_eq!(value_text(RecordType::MX, &spelled(mx, "10 Mail.example")).unwrap(), "10 Mail.example");
    }

    #[test]
    fn what_cannot_be_read_stays() {
        for text in [r#""decimal \195""#, "\"open", "", r"\", &format!("\"{}\"", "a".repeat(256))] {
            let kept = read_rdata(RecordType::TXT, text);
            assert_eq!(kept, Rdata::Opaque(Opaque::Text { rtype: RecordType::TXT, text: text.into() }));
            assert_eq!(value_text(RecordType::TXT, &Value::from(kept)).unwrap(), text);
        }
    }

    proptest! {
        #[test]
        fn texts_come_back(strings in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..=255), 1..4)) {
            let rdata = txt(&strings.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let text = value_text(RecordType::TXT, &Value::from(rdata.clone())).unwrap();
            prop_assert!(text.bytes().all(|b| (0x20..0x7f).contains(&b)));
            prop_assert_eq!(read_rdata(RecordType::TXT, &text), rdata);
        }

        #[test]
        fn names_come_back(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..=40), 0..5)) {
            let mut wire = Vec::new();
            for label in &labels {
                wire.push(u8::try_from(label.len()).unwrap());
                wire.extend(label);
            }
            wire.push(0);
            let name = Name::from_wire(&wire).unwrap();
            prop_assert_eq!(read_name(&name_text(&name)), Some(name));
        }

        #[test]
        fn any_text_is_read(text in any::<String>(), rtype in prop::sample::select(vec![1u16, 15, 16, 33, 52, 64, 257])) {
            let rdata = read_rdata(RecordType(rtype), &text);
            let spelled = Value { rdata, origin: Some(Box::new(Origin { handle: None, spelling: Some(text.clone().into()) })) };
            prop_assert_eq!(value_text(RecordType(rtype), &spelled), Some(text));
        }
    }
}
