//! Records as the API lists them, as data.

use mailzone_record::{
    Caa, Mx, Name, Opaque, Origin, Protection, RRset, RRsetKey, Rdata, RecordType, Srv, Tlsa, Ttl, Txt, Value as Held,
    parse_rdata_text,
};
use serde_json::Value;

use crate::fields;
use crate::wire::{RecordObject, is_set, number};

/// The TTL in the API that stands for "automatic".
pub(crate) const AUTOMATIC: u32 = 1;

/// What "automatic" is served with: 300 s.
pub(crate) const AUTOMATIC_SECONDS: u32 = 300;

/// The TTL of the name servers that Cloudflare gives a zone, which are not among its records.
const NAME_SERVER_TTL: u32 = 86_400;

/// One record of the service.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) id: Box<str>,
    pub(crate) key: RRsetKey,
    /// As in the API, [`AUTOMATIC`] included.
    pub(crate) ttl: u32,
    pub(crate) rdata: Rdata,
    /// `content` as received.
    pub(crate) spelling: Box<str>,
    /// Why it must not be written, if so.
    pub(crate) protection: Option<Box<str>>,
}

impl Record {
    /// Reads a listed record. An error names what cannot be represented at all: an owner name or type that is none.
    pub(crate) fn read(object: RecordObject, apex: &Name) -> Result<Self, String> {
        let no = |what: &str| {
            format!("the record {} has the {what} `{}`", object.id.escape_debug(), {
                let text = if what == "type" { &object.rtype } else { &object.name };
                text.escape_debug()
            })
        };
        let name = Name::parse_idn(&object.name).map_err(|_| no("owner name"))?;
        let rtype: RecordType = object.rtype.parse().map_err(|_| no("type"))?;
        let ttl = number(&object.ttl).and_then(|ttl| u32::try_from(ttl).ok()).unwrap_or(AUTOMATIC);
        let (rdata, protection) = (rdata(rtype, &object), protection(rtype, &name, apex, &object));
        let (id, spelling) = (object.id.into(), object.content.into());
        Ok(Self { id, key: RRsetKey { name, rtype }, ttl, rdata, spelling, protection: protection.map(Into::into) })
    }

    /// The TTL that it is served with.
    pub(crate) fn served_ttl(&self) -> Ttl {
        let seconds = if self.ttl == AUTOMATIC { AUTOMATIC_SECONDS } else { self.ttl };
        Ttl::from_secs(seconds).unwrap_or(Ttl::MAX)
    }
}

/// The records as RRsets in the order in which their first record stands. Where the TTLs within one differ the lowest
/// is the set's, as it is for resolvers. A set is protected when one of its records is.
///
/// `assigned` are the zone's own name servers, which the API does not list among the records.
pub(crate) fn rrsets(records: &[Record], apex: &Name, assigned: &[Name]) -> Vec<RRset> {
    let mut sets: Vec<RRset> = Vec::with_capacity(records.len());
    let mut index: std::collections::HashMap<&RRsetKey, usize> = std::collections::HashMap::new();
    for record in records {
        let at = *index.entry(&record.key).or_insert_with(|| {
            let RRsetKey { name, rtype } = record.key.clone();
            sets.push(RRset::new(name, rtype, Some(record.served_ttl()), Vec::with_capacity(1)));
            sets.len() - 1
        });
        let Some(set) = sets.get_mut(at) else { continue };
        let ttl = record.served_ttl();
        if set.ttl.is_some_and(|lowest| ttl != lowest) {
            tracing::info!(set = %record.key, "its records have different TTLs");
            set.ttl = set.ttl.min(Some(ttl));
        }
        let origin = Origin { handle: Some(record.id.clone()), spelling: Some(record.spelling.clone()) };
        set.values.push(Held { rdata: record.rdata.clone(), origin: Some(Box::new(origin)) });
        if let (None, Some(reason)) = (&set.protection, &record.protection) {
            set.protection = Some(Protection { reason: reason.clone() });
        }
    }
    add_name_servers(&mut sets, apex, assigned);
    sets
}

fn add_name_servers(sets: &mut Vec<RRset>, apex: &Name, assigned: &[Name]) {
    let own = || Protection { reason: "the zone's own name servers are Cloudflare's to change".into() };
    if let Some(set) = sets.iter_mut().find(|set| set.rtype == RecordType::NS && set.name == *apex) {
        set.protection.get_or_insert_with(own);
    } else if !assigned.is_empty() {
        let values = assigned.iter().map(|server| Rdata::Ns(server.clone()).into()).collect();
        let mut set = RRset::new(apex.clone(), RecordType::NS, Ttl::from_secs(NAME_SERVER_TTL), values);
        set.protection = Some(own());
        sets.push(set);
    }
}

/// The data. What makes no sense stays as the text that was received, and is never written.
fn rdata(rtype: RecordType, object: &RecordObject) -> Rdata {
    let from_content = || parse_rdata_text(rtype, &object.content, None).ok();
    let rdata = match rtype {
        RecordType::TXT => txt(&object.content).map(Rdata::Txt),
        RecordType::CNAME => Name::parse(&object.content).ok().map(Rdata::Cname),
        RecordType::NS => Name::parse(&object.content).ok().map(Rdata::Ns),
        RecordType::PTR => Name::parse(&object.content).ok().map(Rdata::Ptr),
        RecordType::MX => mx(object),
        RecordType::SRV => srv(object),
        RecordType::CAA => caa(object).or_else(from_content),
        RecordType::TLSA => tlsa(object).or_else(from_content),
        _ if fields::is_known(rtype) => fields::read(rtype, &object.data, &object.priority).or_else(from_content),
        _ => from_content(),
    };
    rdata.unwrap_or_else(|| Rdata::Opaque(Opaque::Text { rtype, text: object.content.as_str().into() }))
}

/// Text in quotes is one or more character-strings. Without them it was stored in older times, and is taken as it
/// is; `\;` stands for `;` there too, since tools have sent it so.
fn txt(content: &str) -> Option<Txt> {
    if !content.starts_with('"') {
        return Some(Txt::from_text(content.replace("\\;", ";")));
    }
    match parse_rdata_text(RecordType::TXT, content, None) {
        Ok(Rdata::Txt(txt)) => Some(txt),
        _ => None,
    }
}

fn mx(object: &RecordObject) -> Option<Rdata> {
    // The priority is announced to move into `data`.
    let priority = if object.priority.is_null() { object.data.get("priority")? } else { &object.priority };
    let preference = small(priority)?;
    let exchange = match (&*object.content, object.data.get("target")) {
        ("", Some(target)) => fields::host(target)?,
        (content, _) => fields::host(&Value::from(content))?,
    };
    Some(Rdata::Mx(Mx { preference, exchange }))
}

fn srv(object: &RecordObject) -> Option<Rdata> {
    let field = |name: &str| object.data.get(name);
    let from_data = || {
        Some(Srv {
            priority: small(field("priority").unwrap_or(&object.priority))?,
            weight: small(field("weight")?)?,
            port: small(field("port")?)?,
            target: fields::host(field("target")?)?,
        })
    };
    if let Some(srv) = from_data() {
        return Some(Rdata::Srv(srv));
    }
    // Older answers have the priority beside the content, newer ones in it.
    let words = object.content.split_ascii_whitespace().count();
    let text = match (words, number(&object.priority)) {
        (3, Some(priority)) => format!("{priority} {}", object.content),
        _ => object.content.clone(),
    };
    parse_rdata_text(RecordType::SRV, &text, None).ok()
}

fn caa(object: &RecordObject) -> Option<Rdata> {
    let flags = small(object.data.get("flags")?)?;
    let (tag, value) = (object.data.get("tag")?.as_str()?, object.data.get("value")?.as_str()?);
    // The parser knows what a tag is.
    parse_rdata_text(RecordType::CAA, &format!("{flags} {tag} \"\""), None).ok()?;
    Some(Rdata::Caa(Caa { flags: u8::try_from(flags).ok()?, tag: tag.into(), value: value.as_bytes().into() }))
}

fn tlsa(object: &RecordObject) -> Option<Rdata> {
    let octet = |name: &str| u8::try_from(number(object.data.get(name)?)?).ok();
    let (usage, selector, matching) = (octet("usage")?, octet("selector")?, octet("matching_type")?);
    let text = format!("{usage} {selector} {matching} {}", object.data.get("certificate")?.as_str()?);
    match parse_rdata_text(RecordType::TLSA, &text, None).ok()? {
        Rdata::Tlsa(Tlsa { data, .. }) => Some(Rdata::Tlsa(Tlsa { usage, selector, matching, data })),
        _ => None,
    }
}

fn small(value: &Value) -> Option<u16> {
    u16::try_from(number(value)?).ok()
}

/// Why the record is not ours to write.
fn protection(rtype: RecordType, name: &Name, apex: &Name, object: &RecordObject) -> Option<String> {
    let meta = |field: &str| is_set(&object.meta, field);
    let content = shortened(&object.content);
    if meta("email_routing") {
        return Some(format!("Cloudflare Email Routing owns `{content}`"));
    }
    if meta("read_only") || object.locked {
        let first = name.labels().next().unwrap_or_default();
        let routing = object.content.contains("mx.cloudflare.net") || first.starts_with(b"cf2024-");
        let owner = if routing { "Cloudflare Email Routing" } else { "a product of Cloudflare" };
        return Some(format!("{owner} owns `{content}`, which is read-only"));
    }
    if meta("managed_by_argo_tunnel") {
        return Some("a Cloudflare tunnel manages it".into());
    }
    if let Some((field, _)) = object.meta.iter().find(|(name, v)| name.starts_with("managed_by") && **v == true) {
        return Some(format!("a product of Cloudflare manages it ({field})"));
    }
    if object.proxied {
        return Some(format!("it is proxied: what is served are addresses of Cloudflare, not `{content}`"));
    }
    if rtype == RecordType::CNAME && name == apex {
        return Some(format!(
            "Cloudflare flattens a CNAME at the apex: what is served are the addresses of `{content}`"
        ));
    }
    if is_set(&object.settings, "flatten_cname") {
        return Some(format!("it is a flattened CNAME: what is served are the addresses of `{content}`"));
    }
    None
}

/// The beginning of a long text.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn apex() -> Name {
        Name::parse("example.org").unwrap()
    }

    fn record(mut object: Value) -> Record {
        for (field, value) in [("id", json!("1")), ("name", json!("example.org")), ("ttl", json!(1))] {
            object.as_object_mut().unwrap().entry(field).or_insert(value);
        }
        Record::read(serde_json::from_value(object).unwrap(), &apex()).unwrap()
    }

    fn text(object: Value) -> String {
        record(object).rdata.to_string()
    }

    #[test]
    fn every_form_of_txt() {
        for (content, expected) in [
            ("v=spf1 -all", r#""v=spf1 -all""#),
            (r#""v=spf1 -all""#, r#""v=spf1 -all""#),
            (r#""v=DKIM1; " "p=MIIB""#, r#""v=DKIM1; " "p=MIIB""#),
            (r"v=TLSRPTv1\; rua=x", r#""v=TLSRPTv1; rua=x""#),
            (r#""v=TLSRPTv1\; rua=x""#, r#""v=TLSRPTv1; rua=x""#),
            (r#"a "b" \c"#, r#""a \"b\" \\c""#),
            ("", r#""""#),
        ] {
            assert_eq!(text(json!({"type": "TXT", "content": content})), expected);
        }
        let unbalanced = record(json!({"type": "TXT", "content": "\"open"}));
        assert!(matches!(unbalanced.rdata, Rdata::Opaque(Opaque::Text { .. })));
    }

    #[test]
    fn data_first_then_content() {
        for (object, expected) in [
            (json!({"type": "MX", "content": "mail.example.org", "priority": 10.0}), "10 mail.example.org."),
            (json!({"type": "MX", "content": "mail.example.org", "data": {"priority": 10}}), "10 mail.example.org."),
            (json!({"type": "MX", "content": ".", "priority": 0}), "0 ."),
            (json!({"type": "MX", "content": "", "priority": 0}), "0 ."),
            (
                json!({"type": "SRV", "content": "5 5223 h.example", "priority": 10,
                       "data": {"priority": 10, "weight": 5, "port": 5223, "target": "h.example"}}),
                "10 5 5223 h.example.",
            ),
            (json!({"type": "SRV", "content": "5 5223 h.example", "priority": 10}), "10 5 5223 h.example."),
            (json!({"type": "SRV", "content": "10 5 5223 h.example"}), "10 5 5223 h.example."),
            (
                json!({"type": "SRV", "content": "0 0 0 .",
                       "data": {"priority": 0, "weight": 0, "port": 0, "target": false}}),
                "0 0 0 .",
            ),
            (
                json!({"type": "CAA", "data": {"flags": 0, "tag": "issue", "value": "ca.example; policy=\"x\""}}),
                r#"0 issue "ca.example; policy=\"x\"""#,
            ),
            (json!({"type": "CAA", "content": "0 issue \"ca.example\""}), r#"0 issue "ca.example""#),
            (
                json!({"type": "TLSA", "content": "?", "data":
                       {"usage": 3, "selector": 1, "matching_type": 1, "certificate": "ABCD"}}),
                "3 1 1 abcd",
            ),
            (json!({"type": "TLSA", "content": "3 1 1 ABCD"}), "3 1 1 abcd"),
            (json!({"type": "DS", "content": "1 8 2 AABB"}), "1 8 2 aabb"),
            (json!({"type": "A", "content": "not an address"}), "not an address"),
            (json!({"type": "OPENPGPKEY", "content": "AQID"}), "AQID"),
        ] {
            assert_eq!(text(object.clone()), expected, "{object}");
        }
    }

    #[test]
    fn untouchable_records() {
        let reason = |object| record(object).protection.map(String::from).unwrap_or_default();
        let seen = [
            json!({"type": "A", "content": "192.0.2.1", "proxied": true}),
            json!({"type": "MX", "priority": 5, "content": "route1.mx.cloudflare.net", "meta": {"read_only": true}}),
            json!({"type": "TXT", "content": "v=spf1", "meta": {"email_routing": true, "read_only": true}}),
            json!({"type": "TXT", "content": "x", "meta": {"read_only": true}}),
            json!({"type": "CNAME", "name": "t.example.org", "content": "u", "meta": {"managed_by_argo_tunnel": true}}),
            json!({"type": "CNAME", "name": "t.example.org", "content": "u", "meta": {"managed_by_apps": true}}),
            json!({"type": "CNAME", "content": "elsewhere.example"}),
            json!({"type": "CNAME", "name": "www.example.org", "content": "u", "settings": {"flatten_cname": true}}),
            json!({"type": "CNAME", "name": "www.example.org", "content": "u", "settings": {"flatten_cname": false}}),
        ]
        .map(reason);
        let expected = [
            "it is proxied: what is served are addresses of Cloudflare, not `192.0.2.1`",
            "Cloudflare Email Routing owns `route1.mx.cloudflare.net`, which is read-only",
            "Cloudflare Email Routing owns `v=spf1`",
            "a product of Cloudflare owns `x`, which is read-only",
            "a Cloudflare tunnel manages it",
            "a product of Cloudflare manages it (managed_by_apps)",
            "Cloudflare flattens a CNAME at the apex: what is served are the addresses of `elsewhere.example`",
            "it is a flattened CNAME: what is served are the addresses of `u`",
            "",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn sets() {
        let records = [
            record(json!({"id": "1", "type": "TXT", "content": "a", "ttl": 3600})),
            record(json!({"id": "2", "type": "A", "content": "192.0.2.1", "proxied": true})),
            record(json!({"id": "3", "type": "TXT", "content": "b"})),
            record(json!({"id": "4", "type": "A", "content": "192.0.2.2"})),
        ];
        let sets = rrsets(&records, &apex(), &[Name::parse("ns.cloudflare.com").unwrap()]);
        let seen: Vec<_> =
            sets.iter().map(|s| (s.rtype, s.ttl.unwrap().as_secs(), s.values.len(), s.protection.is_some())).collect();
        let expected =
            [(RecordType::TXT, 300, 2, false), (RecordType::A, 300, 2, true), (RecordType::NS, 86_400, 1, true)];
        assert_eq!(seen, expected);
        assert_eq!(sets[0].values[1].origin.as_ref().unwrap().handle.as_deref(), Some("3"));
    }

    #[test]
    fn names_and_types_that_are_none() {
        for (name, rtype) in [("a..b", "A"), ("example.org", "WORKER")] {
            let object = serde_json::from_value(json!({"id": "1", "name": name, "type": rtype, "ttl": 1})).unwrap();
            assert!(Record::read(object, &apex()).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_content_is_read(
            content in ".*",
            rtype in proptest::sample::select(vec!["TXT", "A", "MX", "SRV", "CAA", "TLSA", "DS", "HTTPS", "NAPTR", "LOC", "URI"]),
            field in ".*",
            value in prop_oneof![Just(json!(null)), Just(json!(false)), any::<f64>().prop_map(|f| json!(f)), ".*".prop_map(|s| json!(s))],
        ) {
            let priority = value.clone();
            let read = record(json!({"type": rtype, "content": content, "priority": priority,
                "data": {"target": value, "flags": value, "priority": value, "tag": field, "value": field}}));
            prop_assert_eq!(read.rdata.rtype(), rtype.parse().unwrap());
        }
    }
}
