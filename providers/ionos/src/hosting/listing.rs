//! A zone as the API lists it: one object for each value, disabled ones among them.

use std::collections::BTreeMap;

use mailzone_provider::Snapshot;
use mailzone_record::{Name, Opaque, Origin, Protection, RRset, RRsetKey, Rdata, RecordType, Ttl, Value};
use serde::{Deserialize, Serialize};

use crate::text;
use crate::value::{self, Dialect};

/// The TTL that a new set takes when none is asked for: what IONOS gives to all but NS and SOA.
pub(crate) const DEFAULT_TTL: Ttl = match Ttl::from_secs(3600) {
    Some(ttl) => ttl,
    None => Ttl::ZERO,
};

/// A zone of the list.
#[derive(Debug, Deserialize)]
pub(crate) struct ZoneEntry {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
}

/// The answer to `GET /v1/zones/{id}`.
#[derive(Debug, Deserialize)]
pub(crate) struct ZoneAnswer {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) records: Vec<Record>,
}

/// A record as it is received. Its id holds until the next write.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) content: String,
    pub(crate) ttl: Option<u32>,
    pub(crate) prio: Option<u32>,
    #[serde(default)]
    pub(crate) disabled: bool,
}

/// A record as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Sent {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) content: String,
    pub(crate) ttl: u32,
    pub(crate) prio: u32,
    pub(crate) disabled: bool,
}

/// A record with what it means.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) record: Record,
    pub(crate) key: RRsetKey,
    pub(crate) rdata: Rdata,
}

/// Everything that a zone holds at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    pub(crate) records: Vec<Held>,
    apex: Name,
}

impl Listing {
    /// Reads the answer for the zone `apex`. An error is a lower-case fragment.
    pub(crate) fn read(answer: ZoneAnswer, apex: &Name) -> Result<Self, String> {
        if Name::parse(&answer.name).ok().as_ref() != Some(apex) {
            return Err(format!("the answer is about the zone {:?}", answer.name));
        }
        let records: Result<_, String> = answer.records.into_iter().map(Held::new).collect();
        Ok(Self { records: records?, apex: apex.clone() })
    }

    /// What is served: the RRsets without the disabled records.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut sets: BTreeMap<RRsetKey, RRset> = BTreeMap::new();
        for held in self.records.iter().filter(|held| !held.record.disabled) {
            let ttl = held.record.ttl.map(Ttl::from_wire);
            let set = sets.entry(held.key.clone()).or_insert_with(|| {
                let mut set = RRset::new(held.key.name.clone(), held.key.rtype, ttl, Vec::new());
                set.protection = self.protection(held);
                set
            });
            // The TTLs of a set's records may differ; caches take the lowest (RFC 2181 section 5.2).
            set.ttl = set.ttl.min(ttl).or(set.ttl).or(ttl);
            set.values.push(held.value());
        }
        Snapshot::new(sets.into_values().collect(), Some(DEFAULT_TTL))
    }

    /// The disabled and the enabled records of one name and type.
    pub(crate) fn of<'a, 'k>(&'a self, key: &'k RRsetKey) -> impl Iterator<Item = &'a Held> + use<'a, 'k> {
        self.records.iter().filter(move |held| held.key == *key)
    }

    /// How the zone spells SRV. Texts that need no quotes are sent bare whatever the zone shows, since IONOS
    /// adds the quotes itself.
    pub(crate) fn dialect(&self) -> Dialect {
        let mut srv = self.records.iter().filter(|held| held.key.rtype == RecordType::SRV);
        Dialect { quoted: false, joined_srv: srv.any(|held| Dialect::is_joined_srv(&held.record.content)) }
    }

    fn protection(&self, held: &Held) -> Option<Protection> {
        let reason = match held.key.rtype {
            RecordType::SOA => "IONOS keeps the SOA record",
            RecordType::NS if held.key.name == self.apex => "IONOS assigns the name servers of its zones",
            value::UNKNOWN => "a record of a type that mailzone does not know",
            _ => return None,
        };
        Some(Protection { reason: reason.into() })
    }
}

impl Held {
    fn new(record: Record) -> Result<Self, String> {
        let name = Name::parse(&record.name)
            .map_err(|error| format!("the record {} has no domain name, but {:?}: {error}", record.id, record.name))?;
        let (rtype, rdata) = match value::rtype(&record.kind) {
            Some(rtype) => (rtype, value::decode(rtype, &record.content, record.prio)),
            None => {
                let text = format!("{} {}", record.kind, record.content).into();
                (value::UNKNOWN, Rdata::Opaque(Opaque::Text { rtype: value::UNKNOWN, text }))
            }
        };
        Ok(Self { record, key: RRsetKey { name, rtype }, rdata })
    }

    fn value(&self) -> Value {
        let origin = Origin {
            handle: Some(self.record.id.as_str().into()),
            spelling: Some(self.record.content.as_str().into()),
        };
        Value { rdata: self.rdata.clone(), origin: Some(Box::new(origin)) }
    }

    /// The record as it has to be sent so that the service stores it as it is.
    pub(crate) fn again(&self) -> Sent {
        let Record { name, kind, content, ttl, prio, disabled, .. } = &self.record;
        Sent {
            name: name.clone(),
            kind: kind.clone(),
            content: respelt(&self.rdata, content),
            ttl: ttl.unwrap_or(DEFAULT_TTL.as_secs()),
            prio: prio.unwrap_or(0),
            disabled: *disabled,
        }
    }

    /// Whether both are the same but for their id.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let (mine, theirs) = (&self.record, &other.record);
        self.is_alike(other)
            && (mine.ttl, mine.prio, mine.disabled) == (theirs.ttl, theirs.prio, theirs.disabled)
            && mine.content == theirs.content
    }

    /// Whether both are the same data, enabled or not, with whatever TTL.
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        self.key == other.key && self.rdata == other.rdata
    }
}

/// The text to send for `content`, which was received: IONOS puts quotes around what it is sent bare, so
/// the quotes come off where that gives the same text again.
fn respelt(rdata: &Rdata, content: &str) -> String {
    if let Rdata::Txt(txt) = rdata {
        let bare = text::write(txt, false);
        if format!("\"{bare}\"") == content {
            return bare;
        }
    }
    content.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(records: serde_json::Value) -> Listing {
        let answer = serde_json::json!({ "name": "example.com", "id": "1", "type": "NATIVE", "records": records });
        Listing::read(serde_json::from_value(answer).unwrap(), &Name::parse("example.com").unwrap()).unwrap()
    }

    /// Every record that IONOS ever listed in a recording: read, and written back as what IONOS would list again.
    #[test]
    fn recorded_records_survive_the_way_there_and_back() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/recorded/ionos");
        let mut count = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let cassette: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            for interaction in cassette["interactions"].as_array().unwrap() {
                let body = interaction["response"]["body"]["string"].as_str().unwrap();
                let records: Vec<Record> = match serde_json::from_str::<serde_json::Value>(body) {
                    Ok(mut zone) if zone.get("records").is_some() => {
                        serde_json::from_value(zone["records"].take()).unwrap()
                    }
                    Ok(list) if list[0].get("content").is_some() => serde_json::from_value(list).unwrap(),
                    Ok(zones) => {
                        assert!(serde_json::from_value::<Vec<ZoneEntry>>(zones).unwrap()[0].kind == "NATIVE");
                        continue;
                    }
                    Err(_) => {
                        assert_eq!(body, "", "the answer to a deletion");
                        continue;
                    }
                };
                for record in records {
                    let held = Held::new(record.clone()).unwrap();
                    assert!(!matches!(held.rdata, Rdata::Opaque(_)), "{record:?}");
                    let sent = held.again();
                    let listed = match sent.kind.as_str() {
                        "TXT" => format!("\"{}\"", sent.content),
                        _ => sent.content.clone(),
                    };
                    assert_eq!(
                        (sent.name, listed, Some(sent.ttl)),
                        (record.name.clone(), record.content.clone(), record.ttl)
                    );
                    assert_eq!(
                        (sent.kind, sent.prio, sent.disabled),
                        (record.kind.clone(), record.prio.unwrap_or(0), record.disabled)
                    );
                    let (content, prio) = value::encode(&held.rdata, Dialect::default());
                    assert_eq!(value::decode(held.key.rtype, &content, Some(prio)), held.rdata);
                    count += 1;
                }
            }
        }
        assert!(count > 150, "{count}");
    }

    #[test]
    fn disabled_records_are_no_part_of_a_set() {
        let listing = listing(serde_json::json!([
            {"id": "1", "name": "example.com", "type": "MX", "content": "mx00.ionos.de", "prio": 10, "ttl": 3600},
            {"id": "2", "name": "example.com", "type": "MX", "content": "mx01.ionos.de", "prio": 10, "ttl": 600, "disabled": false},
            {"id": "3", "name": "example.com", "type": "MX", "content": "old.example", "prio": 20, "ttl": 60, "disabled": true},
            {"id": "4", "name": "_dmarc.example.com", "type": "TXT", "content": "\"v=DMARC1\"", "ttl": 60, "disabled": true},
            {"id": "5", "name": "example.com", "type": "NEWTYPE", "content": "x y", "ttl": 60},
        ]));
        let snapshot = listing.snapshot();
        let apex = Name::parse("example.com").unwrap();
        let mx = snapshot.get(&apex, RecordType::MX).unwrap();
        assert_eq!(format!("{:?} {:?}", mx.ttl, mx.values), "Some(Ttl(600)) [10 mx00.ionos.de., 10 mx01.ionos.de.]");
        assert!(snapshot.at(&Name::parse("_dmarc.example.com").unwrap()).is_empty());
        let unknown = snapshot.get(&apex, value::UNKNOWN).unwrap();
        assert!(unknown.protection.is_some() && unknown.values[0].rdata.to_string() == "NEWTYPE x y");
        assert_eq!(listing.of(&mx.key()).count(), 3);
    }

    #[test]
    fn a_text_is_sent_as_it_was_before_ionos_quoted_it() {
        let sent = |content: &str| respelt(&Rdata::Txt(text::read(content)), content);
        assert_eq!(sent(r#""v=spf1 -all""#), "v=spf1 -all");
        for kept in [r#""a" "b""#, r#""a\"b""#, r#""""#, "bare", r#""\097""#] {
            assert_eq!(sent(kept), kept);
        }
    }

    #[test]
    fn what_cannot_be_understood_is_an_error() {
        let read = |name: &str, record: &str| {
            let answer = serde_json::json!({ "name": name, "records": [
                {"id": "1", "name": record, "type": "A", "content": "192.0.2.1", "ttl": 60}] });
            Listing::read(serde_json::from_value(answer).unwrap(), &Name::parse("example.com").unwrap()).map(drop)
        };
        assert!(read("other.example", "a.example.com").unwrap_err().contains("other.example"));
        assert!(read("example.com", "a..example.com").unwrap_err().contains("the record 1"));
        assert!(read("EXAMPLE.com", "a.example.com").is_ok());
    }
}
