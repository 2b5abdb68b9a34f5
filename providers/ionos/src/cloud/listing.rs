//! A zone as IONOS Cloud lists it: one object for each value, with a state.

use std::collections::BTreeMap;

use mailzone_provider::{Snapshot, Zone};
use mailzone_record::{Name, Opaque, Origin, Protection, RRset, RRsetKey, Rdata, RecordType, Ttl, Value};
use serde::{Deserialize, Serialize};

use crate::text;
use crate::value::{self, Dialect};

/// The TTL that the API gives to a record without one.
pub(crate) const DEFAULT_TTL: Ttl = match Ttl::from_secs(3600) {
    Some(ttl) => ttl,
    None => Ttl::ZERO,
};

/// One page of any list.
#[derive(Debug, Deserialize)]
pub(crate) struct Page<T> {
    #[serde(default = "Vec::new")]
    pub(crate) items: Vec<T>,
    /// The number of items that the service was ready to give.
    pub(crate) limit: Option<usize>,
}

/// A zone of the list, primary or secondary.
#[derive(Debug, Deserialize)]
pub(crate) struct ZoneEntry {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) metadata: Metadata,
    pub(crate) properties: ZoneProperties,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ZoneProperties {
    pub(crate) zone_name: String,
}

/// What the service says about an object.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Metadata {
    #[serde(default)]
    pub(crate) state: State,
    pub(crate) fqdn: Option<String>,
    #[serde(default)]
    pub(crate) nameservers: Vec<String>,
}

/// How far a write is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum State {
    Provisioning,
    Available,
    Destroying,
    Failed,
    /// None given, or a later version's.
    #[default]
    #[serde(other)]
    Other,
}

/// A record as it is received.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) metadata: Metadata,
    pub(crate) properties: Properties,
}

/// A record's own fields, as they are received and sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Properties {
    /// Relative to the zone; empty for the apex.
    #[serde(default)]
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) content: String,
    #[serde(default = "default_ttl")]
    pub(crate) ttl: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) priority: Option<u32>,
    #[serde(default = "enabled")]
    pub(crate) enabled: bool,
}

/// A record with what it means.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) id: String,
    pub(crate) state: State,
    pub(crate) key: RRsetKey,
    pub(crate) rdata: Rdata,
    pub(crate) properties: Properties,
}

/// Everything that a zone holds at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    pub(crate) records: Vec<Held>,
}

impl Listing {
    /// Reads the records of a zone. An error is a lower-case fragment.
    pub(crate) fn read(records: Vec<Record>, zone: &Zone) -> Result<Self, String> {
        let records: Result<Vec<_>, String> = records.into_iter().map(|record| Held::new(record, &zone.name)).collect();
        let records = records?;
        for held in records.iter().filter(|held| held.state == State::Failed) {
            tracing::warn!(zone = %zone.name, record = %held.key, "IONOS Cloud reports FAILED for a record; it does not count");
        }
        Ok(Self { records })
    }

    /// What is served or will be.
    pub(crate) fn snapshot(&self, zone: &Zone) -> Snapshot {
        let mut sets: BTreeMap<RRsetKey, RRset> = BTreeMap::new();
        for held in self.records.iter().filter(|held| held.counts()) {
            let ttl = Some(Ttl::from_wire(held.properties.ttl));
            let set = sets.entry(held.key.clone()).or_insert_with(|| {
                let mut set = RRset::new(held.key.name.clone(), held.key.rtype, ttl, Vec::new());
                set.protection = protection(&held.key, &zone.name);
                set
            });
            // The TTLs of a set's records may differ; caches take the lowest (RFC 2181 section 5.2).
            set.ttl = set.ttl.min(ttl);
            set.values.push(held.value());
        }
        // The apex's name servers are the zone's and no records of their own.
        let apex = RRsetKey { name: zone.name.clone(), rtype: RecordType::NS };
        if !zone.nameservers.is_empty() && !sets.contains_key(&apex) {
            let values = zone.nameservers.iter().map(|name| Rdata::Ns(name.clone()).into()).collect();
            let mut set = RRset::new(apex.name.clone(), apex.rtype, None, values);
            set.protection = protection(&apex, &zone.name);
            sets.insert(apex, set);
        }
        Snapshot::new(sets.into_values().collect(), Some(DEFAULT_TTL))
    }

    /// The records of one name and type that count.
    pub(crate) fn of<'a, 'k>(&'a self, key: &'k RRsetKey) -> impl Iterator<Item = &'a Held> + use<'a, 'k> {
        self.records.iter().filter(move |held| held.key == *key && held.counts())
    }

    /// How the zone spells what the API leaves open: texts in quotes where it has some, and only such, that would
    /// not need them; SRV with all four fields where it has one.
    pub(crate) fn dialect(&self) -> Dialect {
        let of = |rtype: RecordType| self.records.iter().filter(move |held| held.key.rtype == rtype);
        let plain = of(RecordType::TXT)
            .filter(|held| held.rdata.as_txt().is_some_and(|txt| !text::is_quoted(&text::write(txt, false))));
        let mut plain = plain.peekable();
        Dialect {
            quoted: plain.peek().is_some() && plain.all(|held| text::is_quoted(&held.properties.content)),
            joined_srv: of(RecordType::SRV).any(|held| Dialect::is_joined_srv(&held.properties.content)),
        }
    }
}

impl Held {
    fn new(record: Record, zone: &Name) -> Result<Self, String> {
        let Record { id, metadata, properties } = record;
        let parsed = match &metadata.fqdn {
            Some(fqdn) => Name::parse(fqdn),
            None if properties.name.is_empty() => Ok(zone.clone()),
            None => Name::parse_in(&properties.name, Some(zone)),
        };
        let name = parsed.map_err(|error| format!("the record {id} has no domain name: {error}"))?;
        let (rtype, rdata) = match value::rtype(&properties.kind) {
            Some(rtype) => (rtype, value::decode(rtype, &properties.content, properties.priority)),
            None => {
                let text = format!("{} {}", properties.kind, properties.content).into();
                (value::UNKNOWN, Rdata::Opaque(Opaque::Text { rtype: value::UNKNOWN, text }))
            }
        };
        Ok(Self { id, state: metadata.state, key: RRsetKey { name, rtype }, rdata, properties })
    }

    /// Whether it is served, or will be. A disabled record is not; nor is one that goes, nor one that failed.
    pub(crate) fn counts(&self) -> bool {
        self.properties.enabled && !matches!(self.state, State::Destroying | State::Failed)
    }

    /// Whether the service has not finished with it.
    pub(crate) fn is_under_way(&self) -> bool {
        matches!(self.state, State::Provisioning | State::Destroying)
    }

    fn value(&self) -> Value {
        let origin =
            Origin { handle: Some(self.id.as_str().into()), spelling: Some(self.properties.content.as_str().into()) };
        Value { rdata: self.rdata.clone(), origin: Some(Box::new(origin)) }
    }
}

fn protection(key: &RRsetKey, apex: &Name) -> Option<Protection> {
    let reason = match key.rtype {
        RecordType::SOA => "IONOS Cloud keeps the SOA record",
        RecordType::NS if key.name == *apex => "IONOS Cloud assigns the name servers of its zones",
        value::ALIAS => "an ALIAS record",
        value::UNKNOWN => "a record of a type that mailzone does not know",
        _ => return None,
    };
    Some(Protection { reason: reason.into() })
}

fn default_ttl() -> u32 {
    DEFAULT_TTL.as_secs()
}

fn enabled() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use mailzone_provider::{Access, ZoneId};
    use serde_json::json;

    use super::*;

    fn zone() -> Zone {
        let nameservers = vec![Name::parse("ns-ic.ui-dns.com").unwrap()];
        let name = Name::parse("example.com").unwrap();
        Zone { id: ZoneId::new("z"), name, access: Access::ReadWrite, nameservers }
    }

    fn listing(records: serde_json::Value) -> Listing {
        Listing::read(serde_json::from_value(records).unwrap(), &zone()).unwrap()
    }

    fn record(id: &str, state: &str, name: &str, kind: &str, content: &str) -> serde_json::Value {
        json!({"id": id, "metadata": {"state": state}, "properties": {"name": name, "type": kind, "content": content}})
    }

    #[test]
    fn states_and_names() {
        let mut disabled = record("4", "AVAILABLE", "off", "TXT", "x");
        disabled["properties"]["enabled"] = false.into();
        let mut elsewhere = record("5", "LATER", "ignored", "TXT", "y");
        elsewhere["metadata"]["fqdn"] = "there.example.com".into();
        let snapshot = listing(json!([
            record("1", "AVAILABLE", "", "A", "192.0.2.1"),
            record("2", "PROVISIONING", "@", "A", "192.0.2.2"),
            record("3", "DESTROYING", "", "A", "192.0.2.3"),
            record("6", "FAILED", "bad", "A", "192.0.2.4"),
            record("7", "AVAILABLE", "", "ALIAS", "www.example.com"),
            disabled,
            elsewhere,
        ]))
        .snapshot(&zone());
        let shown: Vec<_> = snapshot.rrsets().iter().map(|set| format!("{} {:?}", set.key(), set.values)).collect();
        assert_eq!(
            shown,
            [
                "example.com. A [192.0.2.1, 192.0.2.2]",
                "example.com. NS [ns-ic.ui-dns.com.]",
                "example.com. TYPE65401 [www.example.com]",
                "there.example.com. TXT [\"y\"]",
            ]
        );
        assert_eq!(snapshot.rrsets().iter().filter(|set| set.protection.is_some()).count(), 2);
    }

    #[test]
    fn the_dialect_is_read_from_what_is_there() {
        let txt = |content: &str| record("1", "AVAILABLE", "", "TXT", content);
        assert!(!listing(json!([])).dialect().quoted);
        assert!(!listing(json!([txt("v=spf1 -all")])).dialect().quoted);
        assert!(listing(json!([txt("\"v=spf1 -all\"")])).dialect().quoted);
        assert!(!listing(json!([txt("\"v=spf1 -all\""), txt("bare")])).dialect().quoted);
        assert!(!listing(json!([txt("\"two\" \"strings\"")])).dialect().quoted, "they need quotes");
        let srv = |content: &str| listing(json!([record("1", "AVAILABLE", "", "SRV", content)])).dialect().joined_srv;
        assert!(srv("0 1 993 m.example") && !srv("1 993 m.example"));
    }
}
