//! One record: what is taken, and how it is listed.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use mailzone_record::{Name, RRset, RRsetKey, Rdata, RecordType, Ttl, Txt, parse_rdata_text};
use serde_json::{Value as Json, json};

/// Where SRV has its four fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SrvForm {
    /// The priority in `prio`, the others in `content`.
    Beside,
    /// All four in `content`.
    Inside,
}

/// A record as it is kept.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) rdata: Rdata,
    /// As it is listed.
    pub(super) content: String,
    pub(super) prio: Option<u16>,
    pub(super) ttl: u32,
    pub(super) disabled: bool,
}

/// A record as it was sent, checked.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) rdata: Rdata,
    pub(super) ttl: u32,
    pub(super) disabled: bool,
}

/// The types that can be written.
const TYPES: &[&str] = &["A", "AAAA", "CNAME", "MX", "NS", "SRV", "TXT", "CAA"];

impl Draft {
    /// Reads a record for the zone `apex`; an error names the fields that are wrong.
    pub(super) fn read(entry: &Json, apex: &Name, srv: SrvForm) -> Result<Self, Vec<&'static str>> {
        let text = |field: &str| entry.get(field).and_then(Json::as_str);
        let name = text("name").ok_or_else(|| vec!["name"])?;
        let owner = Name::parse(name).map_err(|_| vec!["name"])?;
        if !owner.is_at_or_below(apex) || name.ends_with('.') {
            return Err(vec!["name"]);
        }
        let kind = text("type").filter(|kind| TYPES.contains(kind)).ok_or_else(|| vec!["type"])?;
        let rtype: RecordType = kind.parse().map_err(|_| vec!["type"])?;
        if rtype == RecordType::NS && owner == *apex {
            return Err(vec!["name"]);
        }
        let ttl = entry.get("ttl").and_then(Json::as_u64).filter(|ttl| (60..=604_800).contains(ttl));
        let ttl = ttl.and_then(|ttl| u32::try_from(ttl).ok()).ok_or_else(|| vec!["ttl"])?;
        let prio = match entry.get("prio") {
            None | Some(Json::Null) => None,
            Some(prio) => Some(prio.as_u64().and_then(|p| u16::try_from(p).ok()).ok_or_else(|| vec!["prio"])?),
        };
        let content = text("content").ok_or_else(|| vec!["content"])?;
        let rdata = data(rtype, content, prio, srv).ok_or_else(|| vec!["content"])?;
        let disabled = entry.get("disabled").and_then(Json::as_bool).unwrap_or(false);
        Ok(Self { name: name.to_owned(), kind: kind.to_owned(), rdata, ttl, disabled })
    }

    pub(super) fn key(&self) -> RRsetKey {
        key(&self.name, self.rdata.rtype())
    }
}

impl Record {
    pub(super) fn new(id: String, draft: Draft, srv: SrvForm, joins: bool) -> Self {
        let Draft { name, kind, rdata, ttl, disabled } = draft;
        let (content, prio) = listed(&rdata, srv, joins);
        Self { id, name, kind, rdata, content, prio, ttl, disabled }
    }

    /// A record of a recording, in its own spelling.
    pub(super) fn recorded(entry: &Json) -> Option<Self> {
        let text = |field: &str| entry.get(field).and_then(Json::as_str).map(str::to_owned);
        let (kind, content) = (text("type")?, text("content")?);
        let prio = entry.get("prio").and_then(Json::as_u64).and_then(|prio| u16::try_from(prio).ok());
        let full = prio.map_or_else(|| content.clone(), |prio| format!("{prio} {content}"));
        let rdata = parse_rdata_text(kind.parse().ok()?, &full, None).ok()?;
        let ttl = u32::try_from(entry.get("ttl")?.as_u64()?).ok()?;
        let disabled = entry.get("disabled")?.as_bool()?;
        Some(Self { id: text("id")?, name: text("name")?, kind, rdata, content, prio, ttl, disabled })
    }

    pub(super) fn key(&self) -> RRsetKey {
        key(&self.name, self.rdata.rtype())
    }

    pub(super) fn json(&self, zone: &Name) -> Json {
        let mut entry = json!({
            "name": self.name, "rootName": zone.to_text_without_dot(), "type": self.kind, "content": self.content,
            "changeDate": "2024-11-28T13:46:06.767Z", "ttl": self.ttl, "disabled": self.disabled, "id": self.id,
        });
        if let Some(prio) = self.prio {
            entry["prio"] = prio.into();
        }
        entry
    }

    /// Whether it is one of the records with which IONOS mail serves `domain`.
    pub(super) fn serves_mail_of(&self, domain: &Name) -> bool {
        let Ok(owner) = Name::parse(&self.name) else { return false };
        let Some(own) = owner.without_suffix(domain) else { return false };
        let own = own.to_text_without_dot().to_ascii_lowercase();
        let content = self.content.to_ascii_lowercase();
        match self.kind.as_str() {
            "MX" => own == "." && (content.contains(".ionos.") || content.ends_with("kundenserver.de")),
            "TXT" => own == "." && content.contains("include:_spf-eu.ionos.com"),
            "CNAME" => {
                (own == "autodiscover" && content.starts_with("adsredir."))
                    || (own.ends_with("._domainkey") && content.ends_with(".dkim.ionos.com"))
                    || (own == "_dmarc" && content.ends_with(".ionos.com"))
            }
            _ => false,
        }
    }
}

/// The domain whose mail a write of this set concerns.
pub(super) fn mail_domain(key: &RRsetKey) -> Option<Name> {
    let first = key.name.labels().next().map(<[u8]>::to_ascii_lowercase).unwrap_or_default();
    match first.as_slice() {
        b"autodiscover" | b"_dmarc" => key.name.parent(),
        _ if matches!(key.rtype, RecordType::MX | RecordType::TXT) => Some(key.name.clone()),
        _ => None,
    }
}

/// The RRsets of records.
pub(super) fn sets<'a>(records: impl Iterator<Item = &'a Record>) -> Vec<RRset> {
    let mut sets: BTreeMap<RRsetKey, RRset> = BTreeMap::new();
    for record in records {
        let (key, ttl) = (record.key(), Ttl::from_secs(record.ttl));
        let set = sets.entry(key.clone()).or_insert_with(|| RRset::new(key.name, key.rtype, ttl, Vec::new()));
        set.values.push(record.rdata.clone().into());
    }
    sets.into_values().collect()
}

/// The SOA of a zone.
pub(super) fn soa(id: String, name: String, serial: u32) -> Record {
    let content = format!("ns1088.ui-dns.org hostmaster.1und1.com {serial} 28800 7200 604800 600");
    own(id, name, "SOA", content)
}

/// One of the name servers of a zone.
pub(super) fn ns(id: String, name: String, server: &str) -> Record {
    own(id, name, "NS", server.to_owned())
}

#[expect(clippy::expect_used, reason = "the service's own records are well-formed")]
fn own(id: String, name: String, kind: &str, content: String) -> Record {
    let rdata = parse_rdata_text(kind.parse().expect("a type"), &content, None).expect("data");
    Record { id, name, kind: kind.to_owned(), rdata, content, prio: None, ttl: 86_400, disabled: false }
}

fn key(name: &str, rtype: RecordType) -> RRsetKey {
    RRsetKey { name: Name::parse(name).unwrap_or_else(|_| Name::root()), rtype }
}

/// What a record's fields mean; `None` if they are refused.
fn data(rtype: RecordType, content: &str, prio: Option<u16>, srv: SrvForm) -> Option<Rdata> {
    let fields = content.split_ascii_whitespace().count();
    if rtype != RecordType::TXT
        && rtype != RecordType::CAA
        && content.ends_with('.')
        && !content.ends_with(" .")
        && content != "."
    {
        return None;
    }
    match (rtype, srv) {
        (RecordType::TXT, _) => text(content),
        (RecordType::MX, _) if fields == 1 => parse_rdata_text(rtype, &format!("{} {content}", prio?), None).ok(),
        (RecordType::SRV, SrvForm::Beside) if fields == 3 => {
            parse_rdata_text(rtype, &format!("{} {content}", prio?), None).ok()
        }
        (RecordType::SRV, SrvForm::Inside) if fields == 4 => parse_rdata_text(rtype, content, None).ok(),
        (RecordType::MX | RecordType::SRV, _) => None,
        _ => parse_rdata_text(rtype, content, None).ok(),
    }
}

/// A text: strings in quotes, or bare without quotes and backslashes.
fn text(content: &str) -> Option<Rdata> {
    if content.starts_with('"') {
        return parse_rdata_text(RecordType::TXT, content, None).ok();
    }
    let odd = content.is_empty() || content.trim() != content || content.contains(['"', '\\']) || !content.is_ascii();
    (!odd).then(|| Rdata::Txt(Txt::from_text(content)))
}

/// `content` and `prio` as the service lists data.
fn listed(rdata: &Rdata, srv: SrvForm, joins: bool) -> (String, Option<u16>) {
    match rdata {
        Rdata::Aaaa(address) => (uncompressed(address), None),
        Rdata::Ns(name) | Rdata::Cname(name) | Rdata::Ptr(name) => (name.to_text_without_dot(), None),
        Rdata::Mx(mx) => (mx.exchange.to_text_without_dot(), Some(mx.preference)),
        Rdata::Srv(s) => {
            let rest = format!("{} {} {}", s.weight, s.port, s.target.to_text_without_dot());
            match srv {
                SrvForm::Beside => (rest, Some(s.priority)),
                SrvForm::Inside => (format!("{} {rest}", s.priority), None),
            }
        }
        Rdata::Txt(txt) if joins => {
            let quoted = |string: &[u8]| Txt::from_strings(vec![string.into()]).map(|one| one.to_string());
            let strings: Vec<String> = txt.strings().iter().filter_map(|string| quoted(string)).collect();
            let inner: String = strings.iter().filter_map(|string| string.get(1..string.len() - 1)).collect();
            (format!("\"{inner}\""), None)
        }
        other => (other.to_string(), None),
    }
}

fn uncompressed(address: &Ipv6Addr) -> String {
    address.segments().map(|segment| format!("{segment:x}")).join(":")
}
