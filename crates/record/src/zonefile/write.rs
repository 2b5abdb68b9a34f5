use std::fmt::Write;

use super::{FALLBACK_TTL, relative};
use crate::{Name, RRset, RecordType, Ttl};

/// A new zone file: `$ORIGIN`, `$TTL`, then one record a line in columns; the SOA record first, the name
/// servers of the zone next, the rest sorted. Owners are relative, names in data absolute. A set without
/// a TTL takes the default (without one [`FALLBACK_TTL`]).
pub fn write(origin: &Name, default_ttl: Option<Ttl>, rrsets: &[RRset]) -> String {
    let default_ttl = default_ttl.unwrap_or(FALLBACK_TTL);
    let mut sets: Vec<&RRset> = rrsets.iter().collect();
    sets.sort_by(|a, b| {
        let rank = |set: &RRset| match set.rtype {
            RecordType::SOA => 0,
            RecordType::NS if set.name == *origin => 1,
            _ => 2,
        };
        rank(a).cmp(&rank(b)).then_with(|| a.name.cmp(&b.name)).then_with(|| a.rtype.cmp(&b.rtype))
    });
    let owners: Vec<String> = sets.iter().map(|set| relative(&set.name, origin)).collect();
    // One long name must not push all others off the screen.
    let owner_width = owners.iter().map(String::len).filter(|&n| n <= 40).max().unwrap_or(0);
    let ttl = |set: &RRset| set.ttl.filter(|ttl| *ttl != default_ttl).map(|ttl| ttl.to_string());
    let ttl_width = sets.iter().filter_map(|set| ttl(set)).map(|ttl| ttl.len() + 1).max().unwrap_or(0);
    let type_width = sets.iter().map(|set| set.rtype.to_string().len()).max().unwrap_or(0);
    let mut text = format!("$ORIGIN {origin}\n$TTL {default_ttl}\n");
    for (set, owner) in sets.iter().zip(&owners) {
        let ttl = ttl(set).unwrap_or_default();
        for value in &set.values {
            // Writing to a `String` does not fail.
            let _ = writeln!(text, "{owner:owner_width$} {ttl:ttl_width$}IN {:type_width$} {}", set.rtype, value.rdata);
        }
    }
    text
}
