//! What a zone says of itself at its apex.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mailzone_provider::Snapshot;
use mailzone_record::{Name, Rdata, RecordType, Ttl};

/// The name servers that a zone names, and how long its denials may be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Apex {
    /// The NS RRset, sorted.
    pub name_servers: Vec<Name>,
    /// The addresses that the zone itself has for those of them that are in it.
    pub addresses: BTreeMap<Name, Vec<IpAddr>>,
    /// How long a denial from this zone may be kept (RFC 2308 section 5): the SOA's TTL and last field.
    pub negative: Option<(Ttl, u32)>,
}

impl Apex {
    /// Reads it from what the zone holds.
    pub fn of(snapshot: &Snapshot, apex: &Name) -> Self {
        let name_servers = name_servers(snapshot, apex);
        let addresses = name_servers
            .iter()
            .map(|name| (name.clone(), addresses(snapshot, name)))
            .filter(|(_, found)| !found.is_empty())
            .collect();
        Self { name_servers, addresses, negative: negative(snapshot, apex) }
    }
}

fn name_servers(snapshot: &Snapshot, apex: &Name) -> Vec<Name> {
    let values = snapshot.get(apex, RecordType::NS).into_iter().flat_map(|set| &set.values);
    let mut names: Vec<Name> = values
        .filter_map(|value| match &value.rdata {
            Rdata::Ns(name) => Some(name.clone()),
            _ => None,
        })
        .collect();
    names.sort();
    names
}

fn addresses(snapshot: &Snapshot, name: &Name) -> Vec<IpAddr> {
    let sets = [RecordType::A, RecordType::AAAA].into_iter().filter_map(|rtype| snapshot.get(name, rtype));
    sets.flat_map(|set| &set.values)
        .filter_map(|value| match value.rdata {
            Rdata::A(address) => Some(IpAddr::V4(address)),
            Rdata::Aaaa(address) => Some(IpAddr::V6(address)),
            _ => None,
        })
        .collect()
}

fn negative(snapshot: &Snapshot, apex: &Name) -> Option<(Ttl, u32)> {
    let set = snapshot.get(apex, RecordType::SOA)?;
    match &set.values.first()?.rdata {
        Rdata::Soa(soa) => Some((set.ttl.or_else(|| snapshot.default_ttl())?, soa.minimum)),
        _ => None,
    }
}
