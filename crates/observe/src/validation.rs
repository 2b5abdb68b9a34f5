//! How a name stands to DNSSEC: a validating resolver's verdict, and what the records say.

use std::net::SocketAddr;

use mailzone_audit::{DelegationSigner, Failure, Security, Validation};
use mailzone_probe::Ask;
use mailzone_record::{Name, Opaque, Rdata, RecordType};
use mailzone_wire::{Message, Query, Rcode, Record};

use crate::Dns;

/// Asks the resolvers about `name`, and about DS and DNSKEY of the zone that it is in.
///
/// Bogus is what a resolver fails to answer, twice, and answers when it is told not to validate (RFC 4035 section
/// 3.2.2). Without AD a zone that has a DS is [`Security::Indeterminate`]: it may be the resolver that does not
/// validate. `Failure::here` where no resolver is known, or the name is in a zone whose servers are given.
pub(crate) async fn validation<A: Ask>(dns: &Dns<A>, name: &Name, now: i64) -> Result<Validation, Failure> {
    let here = |message: &str| Failure { message: message.to_owned(), here: true };
    if dns.given(name).is_some() {
        return Err(here("the servers of the zone are given, and validation is a resolver's"));
    }
    let resolvers = dns.resolvers();
    if resolvers.is_empty() {
        return Err(here("no resolver is known that could validate"));
    }
    let mut reached = false;
    for resolver in resolvers.into_iter().take(crate::dns::MAX_TRIES) {
        let stub = Stub { dns, resolver };
        let Some(first) = stub.ask(name, RecordType::SOA, false).await else { continue };
        reached = true;
        let (message, bogus) = match first.rcode {
            Rcode::NoError | Rcode::NxDomain => (first, false),
            Rcode::ServFail => match stub.ask(name, RecordType::SOA, true).await {
                Some(unchecked) if answered(&unchecked) => {
                    // Once more: the first failure may have been the servers', and be over.
                    match stub.ask(name, RecordType::SOA, false).await {
                        Some(again) if answered(&again) => (again, false),
                        Some(again) if again.rcode == Rcode::ServFail => (unchecked, true),
                        _ => continue,
                    }
                }
                _ => continue,
            },
            _ => continue,
        };
        let zone = zone(name, &message);
        let (ds, keys) = tokio::join!(stub.ask(&zone, RecordType::DS, true), stub.ask(&zone, RecordType::DNSKEY, true));
        let ds: Vec<DelegationSigner> =
            ds.iter().flat_map(|m| m.answers_of(&zone, RecordType::DS)).filter_map(signer).collect();
        let mut keys: Vec<(u16, u8)> =
            keys.iter().flat_map(|m| m.answers_of(&zone, RecordType::DNSKEY)).filter_map(key).collect();
        keys.sort_unstable();
        keys.dedup();
        let security = match (bogus, message.authenticated, ds.is_empty()) {
            (true, ..) => Security::Bogus,
            (_, true, _) => Security::Secure,
            (_, _, true) => Security::Insecure,
            _ => Security::Indeterminate,
        };
        let signatures_end =
            message.answers.iter().chain(&message.authority).filter_map(|r| end_of_soa(r, &zone, now)).min();
        return Ok(Validation { security, ds, keys, signatures_end });
    }
    match reached {
        true => Err(Failure { message: "no resolver could find it out".to_owned(), here: false }),
        false => Err(here("no resolver answered")),
    }
}

struct Stub<'a, A> {
    dns: &'a Dns<A>,
    resolver: SocketAddr,
}

impl<A: Ask> Stub<'_, A> {
    async fn ask(&self, name: &Name, rtype: RecordType, checking_disabled: bool) -> Option<Message> {
        let query = Query { dnssec_ok: true, checking_disabled, ..Query::recursive(name.clone(), rtype) };
        self.dns.asker().ask(self.resolver, query).await.ok().map(|exchange| exchange.message)
    }
}

fn answered(message: &Message) -> bool {
    matches!(message.rcode, Rcode::NoError | Rcode::NxDomain)
}

/// The zone that the name is in: the owner of the SOA in an answer or denial.
fn zone(name: &Name, message: &Message) -> Name {
    let soa = message
        .answers
        .iter()
        .chain(&message.authority)
        .find(|record| record.rtype() == RecordType::SOA && name.is_at_or_below(&record.name));
    soa.map_or_else(|| name.clone(), |soa| soa.name.clone())
}

fn octets(record: &Record) -> Option<&[u8]> {
    match &record.rdata {
        Rdata::Opaque(Opaque::Wire { data, .. }) => Some(data),
        _ => None,
    }
}

/// RFC 4034 section 5.1.
fn signer(record: &Record) -> Option<DelegationSigner> {
    let (&[a, b, algorithm, digest_type], _) = octets(record)?.split_first_chunk()?;
    Some(DelegationSigner { key_tag: u16::from_be_bytes([a, b]), algorithm, digest_type })
}

/// The tag and algorithm of a DNSKEY (RFC 4034 section 2.1 and appendix B).
fn key(record: &Record) -> Option<(u16, u8)> {
    let data = octets(record)?;
    let algorithm = *data.get(3)?;
    if algorithm == 1 {
        // RSA/MD5: the last octets but one of the modulus.
        let (_, &[a, b, _]) = data.split_last_chunk()?;
        return Some((u16::from_be_bytes([a, b]), algorithm));
    }
    let mut sum: u32 = 0;
    for pair in data.chunks(2) {
        let high = pair.first().copied().map_or(0, u32::from) << 8;
        sum = sum.wrapping_add(high + pair.get(1).copied().map_or(0, u32::from));
    }
    sum = sum.wrapping_add(sum >> 16 & 0xffff);
    Some((sum as u16, algorithm))
}

/// When a signature on the zone's SOA ends, if the record is one: in seconds since 1970, the one of the moments
/// that the 32 bits can mean which is nearest to `now` (RFC 4034 section 3.1.5).
fn end_of_soa(record: &Record, zone: &Name, now: i64) -> Option<i64> {
    if record.rtype() != RecordType::RRSIG || record.name != *zone {
        return None;
    }
    let (covered, rest) = octets(record)?.split_first_chunk::<2>()?;
    if u16::from_be_bytes(*covered) != RecordType::SOA.0 {
        return None;
    }
    // Algorithm, labels, original TTL.
    let (end, _) = rest.get(6..)?.split_first_chunk::<4>()?;
    let distance = u32::from_be_bytes(*end).wrapping_sub(now as u32) as i32;
    Some(now.saturating_add(i64::from(distance)))
}

#[cfg(test)]
mod tests {
    use mailzone_record::{Ttl, parse_rdata_text};

    use super::*;

    fn record(rtype: RecordType, text: &str) -> Record {
        let rdata = parse_rdata_text(rtype, text, None).unwrap();
        Record { name: Name::parse("example.com").unwrap(), ttl: Ttl::ZERO, rdata }
    }

    /// The example keys of RFC 4034 section 5.4 and of the root zone (2010 and 2017), whose tags are published.
    #[test]
    fn key_tags() {
        let example = "256 3 5 AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/2pHm822aJ5iI9BMzNXxeYCmZDRD99WYwYqUSdjMm\
                       mAphXdvxegXd/M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2wwjM9XzcnOf+EPbtG9DMBmADjFDc2w/rljwvFw==";
        assert_eq!(key(&record(RecordType::DNSKEY, example)), Some((60485, 5)));
        let ds = record(RecordType::DS, "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118");
        assert_eq!(signer(&ds), Some(DelegationSigner { key_tag: 60485, algorithm: 5, digest_type: 1 }));
    }

    #[test]
    fn the_end_of_a_signature() {
        let zone = Name::parse("example.com").unwrap();
        let at = |end: &str, now| {
            let text = format!("SOA 13 2 3600 {end} 20240101000000 1 example.com. AAAA");
            end_of_soa(&record(RecordType::RRSIG, &text), &zone, now)
        };
        // 2024-03-01, seen from shortly before and after.
        assert_eq!(at("20240301000000", 1_709_000_000), Some(1_709_251_200));
        assert_eq!(at("20240301000000", 1_710_000_000), Some(1_709_251_200));
        // Beyond 2106 the 32 bits have begun anew.
        assert_eq!(at("20240301000000", 1_709_000_000 + (1 << 32)), Some(1_709_251_200 + (1 << 32)));
        let other = record(RecordType::RRSIG, "MX 13 2 3600 20240301000000 20240101000000 1 example.com. AAAA");
        assert_eq!(end_of_soa(&other, &zone, 0), None);
    }
}
