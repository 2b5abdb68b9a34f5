//! The provider against the emulated service, and against what the real one answered.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with its first surprise")]

mod conformance;
mod failures;
mod faults;
mod laws;
mod messy;
mod replay;
mod requests;
mod untouched;
mod zones;

use std::sync::Arc;
use std::time::Duration;

use mailzone_conformance::parse_seed;
use mailzone_emulated::cloudflare::{Cloudflare, TOKEN};
use mailzone_emulated::{Backdoor, Emulator, Service};
use mailzone_http::{Backoff, Base, Budget, Settings};
use mailzone_provider::{Batch, Outcome, Provider, ProviderId, RRsetChange, Receipt, Zone};
use mailzone_provider_cloudflare::{CloudflareProvider, Credentials, settings};
use mailzone_record::{Name, RRset, RRsetKey, Rdata, Ttl, Txt, Value, parse_rdata_text};

const ORIGIN: &str = "example.org.";

fn name(text: &str) -> Name {
    Name::parse_in(text, Some(&Name::parse(ORIGIN).unwrap())).unwrap()
}

fn key(owner: &str, rtype: &str) -> RRsetKey {
    RRsetKey { name: name(owner), rtype: rtype.parse().unwrap() }
}

/// A text without quotes is one whole TXT value.
fn value(rtype: &str, text: &str) -> Value {
    if rtype == "TXT" && !text.starts_with('"') {
        return Rdata::Txt(Txt::from_text(text)).into();
    }
    parse_rdata_text(rtype.parse().unwrap(), text, None).unwrap().into()
}

/// Short waits, no limit.
fn quick(url: &str) -> Settings {
    let budget = Arc::new(Budget::unlimited());
    let (first, max, patience) = (Duration::from_millis(1), Duration::from_millis(2), Duration::from_secs(1));
    Settings {
        backoff: Backoff { first, max, attempts: 3, jitter: false, patience },
        ..settings(Base::parse(&format!("{url}/client/v4")).unwrap(), budget)
    }
}

fn token(secret: &str) -> Credentials {
    Credentials::Token(secret.into())
}

fn provider<S: Service>(emulator: &Emulator<S>) -> CloudflareProvider {
    CloudflareProvider::new(ProviderId::new("cf"), token(TOKEN), quick(&emulator.url())).unwrap()
}

/// A service with one zone, and a provider that has listed it.
async fn scene(records: &str) -> (Emulator<Cloudflare>, CloudflareProvider, Zone) {
    let mut service = Cloudflare::new();
    service.retry_after = 0;
    service.seed(&name("@"), &parse_seed(&name("@"), records));
    let emulator = Emulator::start(service).await;
    let provider = provider(&emulator);
    let zone = provider.zones().await.unwrap().remove(0);
    emulator.clear_log();
    (emulator, provider, zone)
}

/// The change from what is there to `values`; values that are there keep their origin.
async fn change(
    provider: &dyn Provider,
    zone: &Zone,
    owner: &str,
    rtype: &str,
    ttl: Option<u32>,
    values: &[&str],
) -> RRsetChange {
    let snapshot = provider.snapshot(zone).await.unwrap();
    let RRsetKey { name, rtype: number } = key(owner, rtype);
    let before = snapshot.get(&name, number).cloned();
    let ttl = ttl.and_then(Ttl::from_secs).or_else(|| match &before {
        Some(set) => set.ttl,
        None => snapshot.default_ttl(),
    });
    let values = values.iter().map(|text| {
        let wanted = value(rtype, text);
        let known = before.iter().flat_map(|set| &set.values).find(|known| known.rdata == wanted.rdata);
        known.cloned().unwrap_or(wanted)
    });
    let after = Some(RRset::new(name, number, ttl, values.collect())).filter(|set| !set.values.is_empty());
    RRsetChange::new(before, after).unwrap()
}

async fn apply(provider: &dyn Provider, zone: &Zone, changes: &[RRsetChange]) -> Receipt {
    provider.apply(zone, &Batch { changes: changes.to_vec() }).await.unwrap()
}

fn outcomes(receipt: &Receipt) -> Vec<Outcome> {
    receipt.results.iter().map(|result| result.outcome).collect()
}

fn labels<S: Service>(emulator: &Emulator<S>) -> Vec<String> {
    let log = emulator.log();
    emulator.clear_log();
    log.into_iter().map(|logged| logged.label).collect()
}
