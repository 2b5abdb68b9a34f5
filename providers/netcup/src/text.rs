//! What both DNS back ends of netcup have in common in their texts: TXT values, names, messages.

use std::fmt::Write as _;

use mailzone_record::{Name, NameError, Rdata, RecordType, Txt, parse_rdata_text};

/// The TXT data of a text that is either one or more quoted strings in presentation format, or the bare text.
pub(crate) fn read_txt(text: &str) -> Txt {
    let quoted = text.len() > 1 && text.starts_with('"') && text.ends_with('"');
    match parse_rdata_text(RecordType::TXT, text, None) {
        Ok(Rdata::Txt(txt)) if quoted => txt,
        _ => Txt::from_text(text),
    }
}

/// The bare text of TXT data, or why it cannot be sent without quotes: netcup strips, doubles or refuses what
/// would need an escape, and cuts long texts itself.
pub(crate) fn bare_txt(txt: &Txt) -> Result<String, String> {
    let joined = txt.joined();
    let text = std::str::from_utf8(&joined).ok().filter(|text| text.bytes().all(|b| (0x20..0x7f).contains(&b)));
    let Some(text) = text else { return Err("a TXT value with characters other than printable ASCII".into()) };
    if let Some(bad) = text.chars().find(|c| matches!(c, '"' | '\\' | '\'')) {
        return Err(format!("a TXT value with the character {bad}"));
    }
    if text.is_empty() {
        return Err("an empty TXT value".into());
    }
    if *txt != Txt::from_text(text) {
        return Err("a TXT value with its own borders of character-strings".into());
    }
    Ok(text.to_owned())
}

/// A name that a record of `zone` points to: `@` is the apex, one label alone is relative to the zone, the rest
/// is absolute with or without the closing dot.
pub(crate) fn read_target(text: &str, zone: &Name) -> Result<Name, NameError> {
    let text = text.trim();
    match text {
        "@" => Ok(zone.clone()),
        "." => Ok(Name::root()),
        _ if !text.contains('.') => Name::parse_in(text, Some(zone)),
        _ => Name::parse(text),
    }
}

/// What the service says, short and without characters that do something to a terminal.
pub(crate) fn said(text: &str) -> String {
    let mut out = String::new();
    for character in text.trim().chars().take(300) {
        if character.is_control() {
            let _ = write!(out, "{}", character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_are_stripped_where_they_surround() {
        for (text, strings) in [
            ("v=spf1 -all", vec!["v=spf1 -all"]),
            ("\"v=spf1 -all\"", vec!["v=spf1 -all"]),
            ("\"a\" \"b\"", vec!["a", "b"]),
            ("\"", vec!["\""]),
            ("say \"hi\"", vec!["say \"hi\""]),
            ("", vec![""]),
        ] {
            let expected = Txt::from_strings(strings.iter().map(|s| s.as_bytes().into()).collect()).unwrap();
            assert_eq!(read_txt(text), expected, "{text}");
        }
    }

    #[test]
    fn targets_without_a_closing_dot_are_absolute() {
        let zone = Name::parse("example.com").unwrap();
        let read = |text| read_target(text, &zone).unwrap().to_string();
        assert_eq!(read("@"), "example.com.");
        assert_eq!(read("mail"), "mail.example.com.");
        assert_eq!(read("mail.example.net"), "mail.example.net.");
        assert_eq!(read("mail.example.net."), "mail.example.net.");
        assert_eq!(read("."), ".");
    }

    proptest! {
        #[test]
        fn what_is_sent_bare_is_read_as_it_was(text in "[ -~]{0,600}") {
            let txt = Txt::from_text(&text);
            if let Ok(sent) = bare_txt(&txt) {
                prop_assert_eq!(read_txt(&sent), txt);
            }
        }

        #[test]
        fn any_text_is_read(text in ".{0,300}") {
            let _ = read_txt(&text);
            let _ = read_target(&text, &Name::root());
            let shown = said(&text);
            prop_assert!(!shown.chars().any(char::is_control));
        }
    }
}
