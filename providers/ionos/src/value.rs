//! One record's data between the DNS and the fields `content` and `prio` or `priority` of both APIs.

use mailzone_record::{Name, Opaque, Rdata, RecordType, parse_rdata_text};

use crate::text;

/// How a zone's records spell what both APIs leave open; found in the records that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Dialect {
    /// Texts stand in quotes although they would not need them.
    pub(crate) quoted: bool,
    /// SRV has all four fields in `content`; by default the priority stands beside it and nowhere else.
    pub(crate) joined_srv: bool,
}

impl Dialect {
    /// Whether an SRV record's `content` has all four fields.
    pub(crate) fn is_joined_srv(content: &str) -> bool {
        content.split_ascii_whitespace().count() == 4
    }
}

/// The type of this mnemonic. IONOS Cloud's ALIAS is no DNS type: it takes the number that name servers
/// commonly use for it. `None` for what is not known at all.
pub(crate) fn rtype(mnemonic: &str) -> Option<RecordType> {
    match mnemonic {
        "ALIAS" => Some(ALIAS),
        other => other.parse().ok(),
    }
}

/// ALIAS as name servers number it, in the range for private use (RFC 6895 section 3.1).
pub(crate) const ALIAS: RecordType = RecordType(65401);

/// What stands for a type whose mnemonic is not known: the last number, which RFC 6895 section 3.1 reserves.
pub(crate) const UNKNOWN: RecordType = RecordType(65535);

/// Reads a record's data. What does not fit its type is kept as text.
pub(crate) fn decode(rtype: RecordType, content: &str, priority: Option<u32>) -> Rdata {
    let fields = content.split_ascii_whitespace().count();
    let beside = match rtype {
        RecordType::TXT => return Rdata::Txt(text::read(content)),
        RecordType::MX => fields == 1,
        RecordType::SRV => fields == 3,
        RecordType::URI => !content.trim_start().starts_with("\\#") && !begins_with_two_numbers(content),
        _ => false,
    };
    let text = if beside { format!("{} {content}", priority.unwrap_or(0)) } else { content.to_owned() };
    parse_rdata_text(rtype, &text, None).unwrap_or_else(|_| Rdata::Opaque(Opaque::Text { rtype, text: text.into() }))
}

/// The `content` and the priority that are sent for a value.
pub(crate) fn encode(rdata: &Rdata, dialect: Dialect) -> (String, u32) {
    match rdata {
        Rdata::Txt(txt) => (text::write(txt, dialect.quoted), 0),
        Rdata::Ns(name) | Rdata::Cname(name) | Rdata::Ptr(name) => (host(name), 0),
        Rdata::Mx(mx) => (host(&mx.exchange), mx.preference.into()),
        Rdata::Srv(srv) => {
            let rest = format!("{} {} {}", srv.weight, srv.port, host(&srv.target));
            let content = if dialect.joined_srv { format!("{} {rest}", srv.priority) } else { rest };
            (content, srv.priority.into())
        }
        other => {
            let text = other.to_string();
            if other.rtype() == RecordType::URI
                && let Some((priority, rest)) = text.split_once(' ')
                && let Ok(priority) = priority.parse()
            {
                return (rest.to_owned(), priority);
            }
            (text, 0)
        }
    }
}

/// A host as both services write it.
fn host(name: &Name) -> String {
    name.to_text_without_dot()
}

fn begins_with_two_numbers(content: &str) -> bool {
    let mut fields = content.split_ascii_whitespace();
    let number = |field: Option<&str>| field.is_some_and(|field| field.bytes().all(|b| b.is_ascii_digit()));
    number(fields.next()) && number(fields.next())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn priority_beside_and_inside() {
        let show = |rtype: RecordType, content: &str, priority| decode(rtype, content, priority).to_string();
        assert_eq!(show(RecordType::MX, "mx00.ionos.de", Some(10)), "10 mx00.ionos.de.");
        assert_eq!(show(RecordType::MX, ".", None), "0 .");
        assert_eq!(show(RecordType::MX, "10 mx00.ionos.de.", None), "10 mx00.ionos.de.");
        assert_eq!(show(RecordType::SRV, "1 993 m.example", Some(5)), "5 1 993 m.example.");
        assert_eq!(show(RecordType::SRV, "5 1 993 m.example", Some(7)), "5 1 993 m.example.");
        assert_eq!(show(RecordType::URI, r#"1 "https://x/""#, Some(5)), r#"5 1 "https://x/""#);
        assert_eq!(show(RecordType::URI, r#"5 1 "https://x/""#, None), r#"5 1 "https://x/""#);
        assert_eq!(show(RecordType::AAAA, "2001:8d8:100f:f000:0:0:0:2aa", None), "2001:8d8:100f:f000::2aa");
        assert_eq!(show(RecordType::A, "broken", None), "broken");
    }

    #[test]
    fn what_is_sent() {
        let sent = |rtype: RecordType, text: &str, joined_srv| {
            encode(&parse_rdata_text(rtype, text, None).unwrap(), Dialect { quoted: false, joined_srv })
        };
        assert_eq!(sent(RecordType::SRV, "5 1 993 m.example.", false), ("1 993 m.example".into(), 5));
        assert_eq!(sent(RecordType::SRV, "5 1 993 m.example.", true), ("5 1 993 m.example".into(), 5));
        assert_eq!(sent(RecordType::MX, "0 .", false), (".".into(), 0));
        assert_eq!(sent(RecordType::URI, r#"5 1 "https://x/""#, false), (r#"1 "https://x/""#.into(), 5));
        assert_eq!(sent(RecordType::CAA, r#"0 issue "x""#, false), (r#"0 issue "x""#.into(), 0));
        assert_eq!(sent(RecordType::TLSA, "3 1 1 00ff", false), ("3 1 1 00ff".into(), 0));
    }

    proptest! {
        #[test]
        fn any_content_is_read(rtype in any::<u16>(), content in "\\PC*", priority in any::<Option<u32>>()) {
            let rdata = decode(RecordType(rtype), &content, priority);
            prop_assert_eq!(rdata.rtype(), RecordType(rtype));
            for rtype in [RecordType::MX, RecordType::SRV, RecordType::URI, RecordType::A] {
                prop_assert_eq!(decode(rtype, &content, priority).rtype(), rtype);
            }
        }

        #[test]
        fn what_is_sent_is_read(priority in any::<u16>(), weight in any::<u16>(), port in any::<u16>(), joined_srv in any::<bool>()) {
            for (rtype, text) in [
                (RecordType::MX, format!("{priority} m.example.")),
                (RecordType::SRV, format!("{priority} {weight} {port} m.example.")),
                (RecordType::URI, format!("{priority} {weight} \"https://m.example/\"")),
            ] {
                let rdata = parse_rdata_text(rtype, &text, None).unwrap();
                let (content, sent) = encode(&rdata, Dialect { quoted: false, joined_srv });
                prop_assert_eq!(decode(rtype, &content, Some(sent)), rdata);
            }
        }
    }
}
