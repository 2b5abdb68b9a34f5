use std::sync::Arc;

use async_trait::async_trait;
use mailzone_provider::{Provider, Zone};
use mailzone_record::{Name, RRset, RRsetKey, RecordType, Ttl, Value, parse_rdata_text};

/// A provider with a back door to what its service stores.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The provider under test, always the same.
    fn provider(&self) -> Arc<dyn Provider>;

    /// Makes the zone `origin` hold exactly the records of `text`, whatever it held before, without the
    /// provider. Each line is `OWNER TTL TYPE DATA`; owners are relative to the origin or absolute, the
    /// data is in presentation format with absolute names. [`parse_seed`] reads it; a zone file can take it as it is.
    async fn seed(&self, origin: &Name, text: &str) -> Zone;

    /// Somebody else sets (or with `None` deletes) one RRset, without the provider.
    async fn edit(&self, zone: &Zone, key: &RRsetKey, after: Option<&RRset>);

    /// Every record that the service holds, SOA included, without the provider.
    async fn stored(&self, zone: &Zone) -> Vec<Stored>;

    /// Whether the service lists the values of a set that nobody touches in the same order each time.
    fn keeps_order(&self) -> bool {
        true
    }
}

/// One record as a service stores it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stored {
    /// The owner name.
    pub name: Name,
    /// The type.
    pub rtype: RecordType,
    /// Data (and only if it has to survive the rewriting of its set: identifier, comment …) exactly as
    /// stored; not the TTL.
    pub text: String,
}

/// Reads the lines of [`Harness::seed`] into RRsets without origins.
///
/// # Panics
/// If a line is none.
#[expect(clippy::panic, reason = "the texts are the suite's own; a mistake in one must not pass")]
pub fn parse_seed(origin: &Name, text: &str) -> Vec<RRset> {
    let mut sets: Vec<RRset> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let Some((name, rtype, ttl, value)) = record(origin, line) else { panic!("no record: {line}") };
        match sets.iter_mut().find(|set| set.name == name && set.rtype == rtype) {
            Some(set) => set.values.push(value),
            None => sets.push(RRset::new(name, rtype, Some(ttl), vec![value])),
        }
    }
    sets
}

fn record(origin: &Name, line: &str) -> Option<(Name, RecordType, Ttl, Value)> {
    let mut fields = line.trim_start().splitn(4, ' ');
    let name = Name::parse_in(fields.next()?, Some(origin)).ok()?;
    let ttl = Ttl::parse(fields.next()?).ok()?;
    let rtype: RecordType = fields.next()?.parse().ok()?;
    let rdata = parse_rdata_text(rtype, fields.next()?.trim(), None).ok()?;
    Some((name, rtype, ttl, rdata.into()))
}
