//! One record: what is taken, how it is listed, and the states it goes through.

use std::collections::BTreeMap;

use mailzone_record::{Name, RRset, RRsetKey, Rdata, RecordType, Soa, Ttl, Txt, parse_rdata_text};
use serde_json::{Value as Json, json};

/// How far the service is with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Provisioning,
    Available,
    Destroying,
    Failed,
    Gone,
}

/// A record as it is kept.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) state: State,
    /// How many listings show the state that it has.
    left: u32,
    /// What comes then.
    next: State,
    pub(super) name: String,
    pub(super) owner: Name,
    pub(super) kind: String,
    pub(super) rdata: Rdata,
    /// As it is listed.
    pub(super) content: String,
    pub(super) priority: Option<u16>,
    ttl: u32,
    pub(super) enabled: bool,
}

/// A record as it was sent, checked.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    name: String,
    pub(super) owner: Name,
    pub(super) kind: String,
    pub(super) rdata: Rdata,
    content: String,
    priority: Option<u16>,
    ttl: u32,
    pub(super) enabled: bool,
}

/// The types that can be written.
const TYPES: &[&str] = &[
    "A",
    "AAAA",
    "CNAME",
    "MX",
    "NS",
    "SRV",
    "TXT",
    "CAA",
    "SSHFP",
    "TLSA",
    "SMIMEA",
    "DS",
    "HTTPS",
    "SVCB",
    "OPENPGPKEY",
    "CERT",
    "URI",
    "RP",
    "LOC",
];

impl State {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Available => "AVAILABLE",
            Self::Destroying | Self::Gone => "DESTROYING",
            Self::Failed => "FAILED",
        }
    }
}

impl Draft {
    /// Reads a record for `zone`; an error names the field that is wrong.
    pub(super) fn read(body: &Json, zone: &Name) -> Result<Self, &'static str> {
        let text = |field: &'static str| body.get(field).and_then(Json::as_str).ok_or(field);
        let name = text("name")?;
        let kind = text("type").ok().filter(|kind| TYPES.contains(kind)).ok_or("type")?;
        let rtype: RecordType = kind.parse().map_err(|_| "type")?;
        let owner = owner(name, zone).ok_or("name")?;
        let content = text("content")?;
        let priority = match (body.get("priority"), has_priority(rtype)) {
            (None | Some(Json::Null), true) => return Err("priority"),
            (None | Some(Json::Null), false) => None,
            (Some(priority), _) => {
                Some(priority.as_u64().and_then(|priority| u16::try_from(priority).ok()).ok_or("priority")?)
            }
        };
        let rdata = data(rtype, content, priority).ok_or("content")?;
        let ttl = match body.get("ttl") {
            None => 3600,
            Some(ttl) => ttl.as_u64().and_then(|ttl| u32::try_from(ttl).ok()).ok_or("ttl")?,
        };
        if !(60..=604_800).contains(&ttl) {
            return Err("ttl");
        }
        let enabled = body.get("enabled").and_then(Json::as_bool).unwrap_or(true);
        let priority = priority.filter(|_| has_priority(rtype));
        let (name, kind, content) = (name.to_owned(), kind.to_owned(), content.to_owned());
        Ok(Self { name, owner, kind, rdata, content, priority, ttl, enabled })
    }
}

impl Record {
    pub(super) fn accepted(id: String, draft: Draft, polls: u32, failed: bool, quotes: bool) -> Self {
        let Draft { name, owner, kind, rdata, content, priority, ttl, enabled } = draft;
        let content = match &rdata {
            Rdata::Txt(txt) if quotes => txt.to_string(),
            _ => content,
        };
        let next = if failed { State::Failed } else { State::Available };
        let state = if polls == 0 { next } else { State::Provisioning };
        Self { id, state, left: polls, next, name, owner, kind, rdata, content, priority, ttl, enabled }
    }

    /// A record that was always there.
    pub(super) fn seeded(id: String, name: String, owner: Name, rdata: Rdata, ttl: u32, quotes: bool) -> Self {
        let (content, priority) = listed(&rdata, quotes);
        let kind = rdata.rtype().to_string();
        let (state, next) = (State::Available, State::Available);
        Self { id, state, left: 0, next, name, owner, kind, rdata, content, priority, ttl, enabled: true }
    }

    pub(super) fn destroy(&mut self, polls: u32) {
        self.state = if polls == 0 { State::Gone } else { State::Destroying };
        (self.left, self.next) = (polls, State::Gone);
    }

    /// After a listing.
    pub(super) fn advance(&mut self) {
        if self.left > 0 {
            self.left -= 1;
            if self.left == 0 {
                self.state = self.next;
            }
        }
    }

    pub(super) fn is_served(&self) -> bool {
        self.enabled && matches!(self.state, State::Available | State::Destroying)
    }

    pub(super) fn key(&self) -> RRsetKey {
        RRsetKey { name: self.owner.clone(), rtype: self.rdata.rtype() }
    }

    pub(super) fn json(&self, zone: &str) -> Json {
        let mut properties = json!({
            "name": self.name, "type": self.kind, "content": self.content, "ttl": self.ttl, "enabled": self.enabled,
        });
        if let Some(priority) = self.priority {
            properties["priority"] = priority.into();
        }
        json!({
            "id": self.id, "type": "record", "href": format!("/zones/{zone}/records/{}", self.id),
            "metadata": {
                "createdDate": "2024-11-28T13:46:06Z", "state": self.state.text(), "zoneId": zone,
                "fqdn": self.owner.to_text_without_dot(),
            },
            "properties": properties,
        })
    }
}

/// The name as the API has it: empty for the apex.
pub(super) fn relative(owner: &Name, zone: &Name) -> String {
    match owner.without_suffix(zone) {
        Some(own) if !own.is_root() => own.to_text_without_dot(),
        _ => String::new(),
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

/// SOA and NS of a zone.
pub(super) fn own_sets(zone: &Name, servers: &[Name], serial: u32) -> Vec<RRset> {
    let (mname, rname) = (servers.first().cloned().unwrap_or_else(Name::root), Name::root());
    let soa = Soa { mname, rname, serial, refresh: 28_800, retry: 7200, expire: 604_800, minimum: 600 };
    let ttl = Ttl::from_secs(86_400);
    let ns = servers.iter().map(|server| Rdata::Ns(server.clone()).into()).collect();
    vec![
        RRset::new(zone.clone(), RecordType::SOA, ttl, vec![Rdata::Soa(Box::new(soa)).into()]),
        RRset::new(zone.clone(), RecordType::NS, ttl, ns),
    ]
}

fn has_priority(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::MX | RecordType::SRV | RecordType::URI)
}

/// The absolute name; `None` for one that is absolute already.
fn owner(name: &str, zone: &Name) -> Option<Name> {
    if name.is_empty() || name == "@" {
        return Some(zone.clone());
    }
    let as_absolute = Name::parse(name).ok()?;
    if name.ends_with('.') || as_absolute.is_at_or_below(zone) {
        return None;
    }
    Name::parse_in(name, Some(zone)).ok()
}

/// What a record's fields mean; `None` if they are refused.
fn data(rtype: RecordType, content: &str, priority: Option<u16>) -> Option<Rdata> {
    if rtype == RecordType::TXT {
        return text(content);
    }
    let full = match priority.filter(|_| has_priority(rtype)) {
        Some(priority) => format!("{priority} {content}"),
        None => content.to_owned(),
    };
    // No type's data is taken as text that does not fit it.
    let rdata = parse_rdata_text(rtype, &full, None).ok()?;
    let is_text = matches!(rdata, Rdata::Opaque(mailzone_record::Opaque::Text { .. }));
    (!is_text).then_some(rdata)
}

/// A text: strings in quotes, or bare.
fn text(content: &str) -> Option<Rdata> {
    match content.starts_with('"') {
        true => parse_rdata_text(RecordType::TXT, content, None).ok(),
        false => (!content.is_empty()).then(|| Rdata::Txt(Txt::from_text(content))),
    }
}

/// `content` and `priority` as the service lists data.
fn listed(rdata: &Rdata, quotes: bool) -> (String, Option<u16>) {
    match rdata {
        Rdata::Ns(name) | Rdata::Cname(name) | Rdata::Ptr(name) => (name.to_text_without_dot(), None),
        Rdata::Mx(mx) => (mx.exchange.to_text_without_dot(), Some(mx.preference)),
        Rdata::Srv(s) => (format!("{} {} {}", s.weight, s.port, s.target.to_text_without_dot()), Some(s.priority)),
        Rdata::Txt(txt) => match txt.strings() {
            [one] if !quotes && is_plain(one) => (String::from_utf8_lossy(one).into_owned(), None),
            _ => (txt.to_string(), None),
        },
        other => (other.to_string(), None),
    }
}

fn is_plain(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|octet| (0x20..=0x7e).contains(octet) && !matches!(octet, b'"' | b'\\'))
}
