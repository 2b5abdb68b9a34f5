//! Data in the form that the API takes, and what it does not take.

use std::collections::BTreeSet;

use mailzone_provider::{RRsetChange, Refusal};
use mailzone_record::{Name, RRset, Rdata, RecordType, Value as Held};
use serde_json::{Map, Value, json};

use crate::fields;

/// The length of one TXT record's content in characters, quotes included (documented).
const TXT_LIMIT: usize = 2_048;

/// The length of the contents of all TXT records at one name (documented).
const TXT_NAME_LIMIT: usize = 8_192;

/// The types that are written.
pub(crate) fn writable() -> BTreeSet<RecordType> {
    use RecordType as T;
    BTreeSet::from([
        T::A,
        T::AAAA,
        T::CAA,
        T::CERT,
        T::CNAME,
        T::DNSKEY,
        T::DS,
        T::HTTPS,
        T::MX,
        T::NAPTR,
        T::NS,
        T::OPENPGPKEY,
        T::PTR,
        T::SMIMEA,
        T::SRV,
        T::SSHFP,
        T::SVCB,
        T::TLSA,
        T::TXT,
        T::URI,
    ])
}

/// An owner name: whole, in lower case, without the closing dot.
pub(crate) fn owner(name: &Name) -> String {
    name.to_lowercase().to_text_without_dot()
}

/// The fields that hold the data: `content`, and `priority` beside it, or `data`. `None` if the API has no form for it.
///
/// TXT is always in quotes, in its own character-strings: text without quotes is completed by the service in ways
/// that have changed over the years.
pub(crate) fn fields(rdata: &Rdata) -> Option<Map<String, Value>> {
    let object = match rdata {
        Rdata::A(address) => json!({"content": address.to_string()}),
        Rdata::Aaaa(address) => json!({"content": address.to_string()}),
        Rdata::Cname(name) | Rdata::Ns(name) | Rdata::Ptr(name) => json!({"content": name.to_text_without_dot()}),
        Rdata::Mx(mx) => json!({"content": mx.exchange.to_text_without_dot(), "priority": mx.preference}),
        Rdata::Txt(txt) => json!({"content": txt.to_string()}),
        Rdata::Srv(srv) => json!({"data": {
            "priority": srv.priority, "weight": srv.weight, "port": srv.port,
            "target": srv.target.to_text_without_dot(),
        }}),
        Rdata::Caa(caa) => {
            let value = std::str::from_utf8(&caa.value).ok()?;
            json!({"data": {"flags": caa.flags, "tag": caa.tag, "value": value}})
        }
        Rdata::Tlsa(tlsa) => {
            // The fourth field of the text is the certificate in hexadecimal.
            let text = rdata.to_string();
            let certificate = text.rsplit(' ').next().unwrap_or_default();
            json!({"data": {
                "usage": tlsa.usage, "selector": tlsa.selector, "matching_type": tlsa.matching,
                "certificate": certificate,
            }})
        }
        Rdata::Opaque(_) if rdata.rtype() == RecordType::OPENPGPKEY => json!({"content": rdata.to_string()}),
        rdata => {
            let (data, priority) = fields::write(rdata)?;
            match priority {
                Some(priority) => json!({"data": data, "priority": priority}),
                None => json!({"data": data}),
            }
        }
    };
    match object {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}

/// What the service does not store, beside types and protected sets. Values that are there and stay are not judged:
/// they are not sent.
pub(crate) fn refuse(change: &RRsetChange) -> Vec<Refusal> {
    let Some(after) = change.after() else { return Vec::new() };
    let before = change.before().map_or(&[] as &[Held], |set| &set.values);
    let new = after.values.iter().filter(|value| !before.iter().any(|old| old.rdata == value.rdata));
    let mut refusals: Vec<Refusal> = new.filter_map(|value| refuse_value(after, &value.rdata)).collect();
    if after.rtype == RecordType::TXT {
        let (old, new) = (text_length(before), text_length(&after.values));
        if new > TXT_NAME_LIMIT && new > old {
            refusals.push(Refusal {
                message: format!(
                    "the TXT records at {} have {new} characters together; Cloudflare stores {TXT_NAME_LIMIT} at a name",
                    after.name
                ),
                remedy: "remove values that nobody needs any more, or move some to another name".into(),
            });
        }
    }
    refusals
}

fn refuse_value(set: &RRset, rdata: &Rdata) -> Option<Refusal> {
    let refusal = |message: String, remedy: &str| Some(Refusal { message, remedy: remedy.into() });
    if let Rdata::Txt(txt) = rdata {
        let length = txt.to_string().chars().count();
        if txt.joined().is_empty() {
            let message = format!("{}: Cloudflare stores no empty TXT record", set.name);
            return refusal(message, "write a text, or take the value out of the configuration");
        }
        if length > TXT_LIMIT {
            let message =
                format!("{}: a TXT record of {length} characters in quotes; Cloudflare stores {TXT_LIMIT}", set.name);
            return refusal(message, "make the text shorter, such as a key of 2048 bits in place of a longer one");
        }
    }
    if fields(rdata).is_none() {
        let message = format!("{} {}: the value `{rdata}` has no form in Cloudflare's API", set.name, set.rtype);
        return refusal(message, "write the value in the presentation format of its type, in printable characters");
    }
    None
}

/// The characters of the contents, as the service has them.
fn text_length(values: &[Held]) -> usize {
    let length = |value: &Held| match value.origin.as_ref().and_then(|origin| origin.spelling.as_ref()) {
        Some(spelling) => spelling.chars().count(),
        None => value.rdata.to_string().chars().count(),
    };
    values.iter().map(length).sum()
}

#[cfg(test)]
mod tests {
    use mailzone_record::{Ttl, parse_rdata_text};

    use super::*;

    fn rdata(rtype: &str, text: &str) -> Rdata {
        parse_rdata_text(rtype.parse().unwrap(), text, None).unwrap()
    }

    fn creation(rtype: &str, values: &[&str]) -> RRsetChange {
        let values = values.iter().map(|text| rdata(rtype, text).into()).collect();
        let name = Name::parse("example.org").unwrap();
        let set = RRset::new(name, rtype.parse().unwrap(), Ttl::from_secs(300), values);
        RRsetChange::new(None, Some(set)).unwrap()
    }

    #[test]
    fn forms() {
        let lines: Vec<String> = [
            ("A", "192.0.2.1"),
            ("MX", "0 ."),
            ("TXT", r#""a\"b;" "c\\" "\195\188""#),
            ("SRV", "0 1 993 imap.example.org."),
            ("CAA", r#"0 issue "ca.example; policy=\"x\"""#),
            ("TLSA", "3 1 1 ABCD"),
            ("URI", r#"10 1 "https://example.com/""#),
            ("OPENPGPKEY", "AQID"),
            ("SSHFP", "4 2 0011"),
        ]
        .map(|(rtype, text)| Value::Object(fields(&rdata(rtype, text)).unwrap()).to_string())
        .into();
        let expected = [
            r#"{"content":"192.0.2.1"}"#,
            r#"{"content":".","priority":0}"#,
            r#"{"content":"\"a\\\"b;\" \"c\\\\\" \"\\195\\188\""}"#,
            r#"{"data":{"port":993,"priority":0,"target":"imap.example.org","weight":1}}"#,
            r#"{"data":{"flags":0,"tag":"issue","value":"ca.example; policy=\"x\""}}"#,
            r#"{"data":{"certificate":"abcd","matching_type":1,"selector":1,"usage":3}}"#,
            r#"{"data":{"target":"https://example.com/","weight":1},"priority":10}"#,
            r#"{"content":"AQID"}"#,
            r#"{"data":{"algorithm":4,"fingerprint":"0011","type":2}}"#,
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn every_writable_type_has_a_form() {
        let samples = [
            ("A", "192.0.2.1"),
            ("AAAA", "2001:db8::1"),
            ("CAA", "0 issue \";\""),
            ("CERT", "1 0 8 AQID"),
            ("CNAME", "a.example."),
            ("DNSKEY", "257 3 13 AQID"),
            ("DS", "1 8 2 aabb"),
            ("HTTPS", "1 . alpn=h2"),
            ("MX", "1 a.example."),
            ("NAPTR", r#"1 1 "u" "x" "!a!b!" ."#),
            ("NS", "a.example."),
            ("OPENPGPKEY", "AQID"),
            ("PTR", "a.example."),
            ("SMIMEA", "3 1 1 aa"),
            ("SRV", "0 0 0 ."),
            ("SSHFP", "1 1 aa"),
            ("SVCB", "0 a.example."),
            ("TLSA", "3 1 1 aa"),
            ("TXT", "a"),
            ("URI", "1 1 \"a:b\""),
        ];
        let types: BTreeSet<RecordType> = samples.iter().map(|(rtype, _)| rtype.parse().unwrap()).collect();
        assert_eq!(types, writable());
        for (rtype, text) in samples {
            assert!(fields(&rdata(rtype, text)).is_some(), "{rtype}");
        }
    }

    #[test]
    fn refusals() {
        let long = format!("\"{}\"", "x".repeat(200));
        let (longest, many) = ([&*long; 11].join(" "), format!("{} \"{{}}\"", [&*long; 9].join(" ")));
        let many: Vec<String> = (0..5).map(|i| many.replace("{}", &i.to_string())).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let said = |change: RRsetChange| refuse(&change).into_iter().map(|r| r.message).collect::<Vec<_>>().join("|");
        let seen = [
            said(creation("TXT", &["\"\""])),
            said(creation("TXT", &[&longest])),
            said(creation("TXT", &many)),
            said(creation("TLSA", &["3 1 1 nothex"])),
            said(creation("CAA", &[r#"0 issue "\255""#])),
        ];
        let expected = [
            "example.org.: Cloudflare stores no empty TXT record",
            "example.org.: a TXT record of 2232 characters in quotes; Cloudflare stores 2048",
            "the TXT records at example.org. have 9150 characters together; Cloudflare stores 8192 at a name",
            "example.org. TLSA: the value `3 1 1 nothex` has no form in Cloudflare's API",
            r#"example.org. CAA: the value `0 issue "\255"` has no form in Cloudflare's API"#,
        ];
        assert_eq!(seen, expected);
        // What is there already, and too long, does not hinder what is beside it.
        let live = creation("TXT", &[&longest]).after().cloned().unwrap();
        let mut after = live.clone();
        after.values.push(rdata("TXT", "more").into());
        assert_eq!(refuse(&RRsetChange::new(Some(live), Some(after)).unwrap()), []);
    }
}
