//! The provider against BIND, Knot and PowerDNS on loopback, and against the faults between.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with its first surprise")]
#![allow(clippy::print_stderr, reason = "a skipped test should say so")]

mod conformance;
mod daemon;
mod failures;
mod laws;
mod proxy;

use std::net::SocketAddr;

use mailzone_provider::{Access, Batch, Outcome, Provider, ProviderId, RRsetChange, Zone, ZoneId};
use mailzone_provider_rfc2136::Rfc2136Provider;
use mailzone_record::{Name, RRset, Ttl, parse_rdata_text};
use mailzone_wire::{TsigAlgorithm, TsigKey};
use secrecy::SecretString;

/// The key that the daemons know.
const KEY: &str = "mailzone.";
const SECRET: &str = "bWFya2VkLXNlY3JldC1vZi1hLXRlc3Qta2V5LTMyYml0cw==";

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn key(key_name: &str, secret: &str) -> TsigKey {
    TsigKey::new(name(key_name), TsigAlgorithm::HmacSha256, &SecretString::from(secret)).unwrap()
}

fn provider(server: SocketAddr, names: &[&str]) -> Rfc2136Provider {
    let names = names.iter().map(|text| name(text)).collect();
    Rfc2136Provider::new(ProviderId::new("ns"), server, Some(key(KEY, SECRET)), names)
}

fn zone(text: &str) -> Zone {
    let name = name(text);
    Zone { id: ZoneId::new(name.to_text_without_dot()), name, access: Access::ReadWrite, nameservers: Vec::new() }
}

/// One new TXT record.
fn creation(owner: &str, text: &str) -> RRsetChange {
    let rtype = "TXT".parse().unwrap();
    let value = parse_rdata_text(rtype, text, None).unwrap().into();
    let set = RRset::new(name(owner), rtype, Ttl::from_secs(300), vec![value]);
    RRsetChange::new(None, Some(set)).unwrap()
}

async fn outcomes(provider: &Rfc2136Provider, zone: &Zone, changes: &[RRsetChange]) -> Vec<Outcome> {
    let receipt = provider.apply(zone, &Batch { changes: changes.to_vec() }).await.unwrap();
    receipt.results.iter().map(|result| result.outcome).collect()
}
