//! The fields of `data`, by which the API knows the types that are more than one value.

use mailzone_record::{Name, Opaque, Rdata, RecordType, parse_rdata_text};
use serde_json::{Map, Value};

use crate::wire::number;

/// One field of `data`, in the order of the presentation format.
#[derive(Clone, Copy)]
enum Field {
    Number(&'static str),
    /// A domain name, without its closing dot; the root is `.`.
    Host(&'static str),
    /// Stands in quotes in a zone file, and without them and their escapes here.
    Quoted(&'static str),
    /// Everything left, as it is.
    Rest(&'static str),
}

/// The number that `URI` has beside `data` and not in it.
const TOP_LEVEL_PRIORITY: &str = "priority";

/// Whether records of this type, which is none of [`Rdata`]'s own variants, can be written.
pub(crate) fn is_known(rtype: RecordType) -> bool {
    fields_of(rtype).is_some()
}

/// The data that `data` and the priority beside it say; `None` if a field is missing or makes no sense.
pub(crate) fn read(rtype: RecordType, data: &Map<String, Value>, priority: &Value) -> Option<Rdata> {
    let mut text = String::new();
    for field in fields_of(rtype)? {
        if !text.is_empty() {
            text.push(' ');
        }
        match field {
            Field::Number(name) => {
                let value = data.get(*name).or_else(|| (*name == TOP_LEVEL_PRIORITY).then_some(priority))?;
                text.push_str(&number(value)?.to_string());
            }
            Field::Host(name) => text.push_str(&host(data.get(*name)?)?.to_string()),
            Field::Quoted(name) => push_quoted(&mut text, data.get(*name)?.as_str()?),
            Field::Rest(name) => text.push_str(data.get(*name)?.as_str()?),
        }
    }
    parse_rdata_text(rtype, &text, None).ok().filter(|rdata| matches!(rdata, Rdata::Opaque(Opaque::Wire { .. })))
}

/// `data`, and the priority beside it where the type has one there; `None` if the data has no text of its
/// type, or one that is no Unicode.
pub(crate) fn write(rdata: &Rdata) -> Option<(Map<String, Value>, Option<u64>)> {
    let rtype = rdata.rtype();
    let fields = fields_of(rtype)?;
    let text = rdata.to_string();
    if !matches!(rdata, Rdata::Opaque(Opaque::Wire { .. })) || text.starts_with("\\#") {
        return None;
    }
    let mut rest = text.as_str();
    let (mut data, mut priority) = (Map::new(), None);
    for field in fields {
        match field {
            Field::Number(name) => {
                let value: u64 = word(&mut rest).parse().ok()?;
                match rtype == RecordType::URI && *name == TOP_LEVEL_PRIORITY {
                    true => priority = Some(value),
                    false => drop(data.insert((*name).into(), value.into())),
                }
            }
            Field::Host(name) => {
                let host = Name::parse(word(&mut rest)).ok()?;
                data.insert((*name).into(), host.to_text_without_dot().into());
            }
            Field::Quoted(name) => drop(data.insert((*name).into(), quoted(&mut rest)?.into())),
            Field::Rest(name) => drop(data.insert((*name).into(), std::mem::take(&mut rest).trim().into())),
        }
    }
    // What is not told apart on the way back would come back as something else.
    let again = read(rtype, &data, &priority.map_or(Value::Null, Value::from));
    (rest.trim().is_empty() && again.as_ref() == Some(rdata)).then_some((data, priority))
}

/// A target. The root has been seen as `.`, empty, and `false`.
pub(crate) fn host(value: &Value) -> Option<Name> {
    match value {
        Value::Bool(false) => Some(Name::root()),
        Value::String(text) if text.is_empty() => Some(Name::root()),
        Value::String(text) => Name::parse(text).ok(),
        _ => None,
    }
}

fn fields_of(rtype: RecordType) -> Option<&'static [Field]> {
    use Field::{Host, Number, Quoted, Rest};
    Some(match rtype {
        RecordType::DS => &[Number("key_tag"), Number("algorithm"), Number("digest_type"), Rest("digest")],
        RecordType::SSHFP => &[Number("algorithm"), Number("type"), Rest("fingerprint")],
        RecordType::SMIMEA => &[Number("usage"), Number("selector"), Number("matching_type"), Rest("certificate")],
        RecordType::CERT => &[Number("type"), Number("key_tag"), Number("algorithm"), Rest("certificate")],
        RecordType::DNSKEY => &[Number("flags"), Number("protocol"), Number("algorithm"), Rest("public_key")],
        RecordType::NAPTR => &[
            Number("order"),
            Number("preference"),
            Quoted("flags"),
            Quoted("service"),
            Quoted("regex"),
            Host("replacement"),
        ],
        RecordType::HTTPS | RecordType::SVCB => &[Number("priority"), Host("target"), Rest("value")],
        RecordType::URI => &[Number(TOP_LEVEL_PRIORITY), Number("weight"), Quoted("target")],
        _ => return None,
    })
}

fn push_quoted(text: &mut String, raw: &str) {
    text.push('"');
    for character in raw.chars() {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
}

/// Takes the text up to the next blank.
fn word<'a>(rest: &mut &'a str) -> &'a str {
    let (word, tail) = rest.split_once(' ').unwrap_or((rest, ""));
    *rest = tail;
    word
}

/// Takes a character-string in quotes, and takes back its escapes.
fn quoted(rest: &mut &str) -> Option<String> {
    let mut octets = Vec::new();
    let mut bytes = rest.strip_prefix('"')?.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => {
                // The quote that opened the string is not counted in `at`.
                *rest = rest.get(at + 2..)?.trim_start();
                return String::from_utf8(octets).ok();
            }
            b'\\' => match bytes.next()?.1 {
                first @ b'0'..=b'9' => {
                    let digits = [first, bytes.next()?.1, bytes.next()?.1];
                    octets.push(std::str::from_utf8(&digits).ok()?.parse().ok()?);
                }
                other => octets.push(other),
            },
            other => octets.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn there_and_back() {
        for (rtype, text) in [
            ("DS", "2371 13 2 1f987cc6583e92df0890718c42"),
            ("SSHFP", "2 1 123456789abcdef67890123456789abcdef67890"),
            ("SMIMEA", "3 1 1 00ff"),
            ("CERT", "1 0 8 AQID"),
            ("DNSKEY", "257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0d"),
            ("NAPTR", r#"100 10 "u" "sip+E2U" "!^.*\\.$!sip:\"info@example.com!" ."#),
            ("HTTPS", r#"1 . alpn="h3,h2" ipv4hint=192.0.2.1"#),
            ("SVCB", "0 svc.example.net."),
            ("URI", r#"10 1 "https://example.com/a b""#),
        ] {
            let rdata = parse_rdata_text(rtype.parse().unwrap(), text, None).unwrap();
            let (data, priority) = write(&rdata).unwrap_or_else(|| panic!("{rtype} {rdata} is not written"));
            let again = read(rdata.rtype(), &data, &priority.map_or(Value::Null, Value::from));
            assert_eq!(again, Some(rdata), "{data:?}");
        }
    }

    #[test]
    fn what_is_not_whole_is_not_read() {
        let ds = RecordType::DS;
        let whole = json!({"key_tag": 1.0, "algorithm": "8", "digest_type": 2, "digest": "AABB"});
        assert!(read(ds, whole.as_object().unwrap(), &Value::Null).is_some());
        for missing in ["key_tag", "algorithm", "digest_type", "digest"] {
            let mut part = whole.as_object().unwrap().clone();
            part.remove(missing);
            assert_eq!(read(ds, &part, &Value::Null), None, "{missing}");
        }
        let odd = json!({"key_tag": 1, "algorithm": 8, "digest_type": 2, "digest": "no hex"});
        assert_eq!(read(ds, odd.as_object().unwrap(), &Value::Null), None);
    }

    #[test]
    fn roots() {
        for root in [json!("."), json!(""), json!(false)] {
            assert_eq!(host(&root), Some(Name::root()));
        }
        assert_eq!(host(&json!(true)), None);
        assert_eq!(host(&json!("a..b")), None);
    }
}
