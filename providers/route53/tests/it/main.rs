//! The provider against the emulated service and against what the real one once answered.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with its first surprise")]

mod conformance;
mod errors;
mod faults;
mod laws;
mod recorded;
mod requests;
mod routed;
mod secrets;

use std::sync::Arc;
use std::time::Duration;

use mailzone_conformance::parse_seed;
use mailzone_emulated::route53::Route53;
use mailzone_emulated::{Backdoor, Emulator, Service};
use mailzone_http::{Backoff, Base, Budget};
use mailzone_provider::{Batch, Outcome, Provider, ProviderId, RRsetChange, Snapshot, Zone};
use mailzone_provider_route53::{AccessKeys, Polling, Route53Provider, Settings};
use mailzone_record::{Name, RRset, RecordType, Ttl, Value, parse_rdata_text};
use secrecy::SecretString;

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "marked-secret-access-key";
const TOKEN: &str = "marked-session-token";

/// A zone with foreign records beside ours.
const MESSY: &str = r#"
@ 3600 MX 10 mail.example.com.
@ 3600 MX 20 Backup.Mail.Example.NET.
@ 300 TXT "google-site-verification=abc;def"
@ 300 TXT "v=spf1 mx -all"
@ 300 TXT "MS=ms\"12\\34\" x"
mail 3600 A 192.0.2.25
s1._domainkey 3600 TXT "v=DKIM1; k=rsa; p=MIIB" "IjANBg"
s2._domainkey 3600 CNAME s2.dkim.example.net.
* 3600 TXT "wild \228"
sub 3600 NS ns.sub.example.com.
"#;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Settings that read nothing of this machine and hardly wait.
fn settings(url: &str) -> Settings {
    Settings {
        profile: None,
        region: None,
        role_arn: None,
        endpoint: Some(Base::parse(url).unwrap()),
        timeout: Duration::from_secs(30),
        budget: Arc::new(Budget::unlimited()),
        concurrency: 8,
        credentials: Some(AccessKeys {
            access_key_id: KEY.into(),
            secret_access_key: SecretString::from(SECRET),
            session_token: Some(SecretString::from(TOKEN)),
        }),
        backoff: Backoff {
            first: Duration::from_millis(1),
            max: Duration::from_millis(2),
            attempts: 3,
            jitter: false,
            patience: Duration::from_secs(1),
        },
        polling: Polling {
            first: Duration::from_millis(1),
            max: Duration::from_millis(2),
            patience: Duration::from_secs(60),
        },
    }
}

fn provider(url: &str) -> Route53Provider {
    Route53Provider::new(ProviderId::new("aws"), settings(url))
}

/// An account that knows the key, with the zone example.com.
fn account() -> (Route53, Zone) {
    let mut service = Route53::with_key(KEY, Some(TOKEN));
    let origin = name("example.com");
    let zone = service.seed(&origin, &parse_seed(&origin, MESSY));
    (service, zone)
}

async fn start() -> (Emulator<Route53>, Route53Provider, Zone) {
    let (service, zone) = account();
    let emulator = Emulator::start(service).await;
    let provider = provider(&emulator.url());
    (emulator, provider, zone)
}

/// The set at `owner` with these values; those that it has already stay as they were read. None of them deletes.
fn change(snapshot: &Snapshot, owner: &str, rtype: &str, values: &[&str]) -> RRsetChange {
    planned(snapshot, owner, rtype, values).unwrap()
}

/// As [`change`]; `None` if there is nothing before and after.
fn planned(snapshot: &Snapshot, owner: &str, rtype: &str, values: &[&str]) -> Option<RRsetChange> {
    let (owner, rtype): (Name, RecordType) = (name(owner), rtype.parse().unwrap());
    let before = snapshot.get(&owner, rtype).cloned();
    let value = |text: &&str| {
        let rdata = parse_rdata_text(rtype, text, None).unwrap();
        let known = before.iter().flat_map(|set| &set.values).find(|value| value.rdata == rdata);
        known.cloned().unwrap_or_else(|| Value::from(rdata))
    };
    let values: Vec<Value> = values.iter().map(value).collect();
    let ttl = before.as_ref().map_or(Ttl::from_secs(3600), |set| set.ttl);
    let after = (!values.is_empty()).then(|| RRset::new(owner, rtype, ttl, values));
    RRsetChange::new(before, after)
}

/// What a stage of a real plan does: SPF beside foreign values, a CNAME that becomes a key, one MX less, DMARC.
fn stage(snapshot: &Snapshot) -> Batch {
    let foreign = [r#""google-site-verification=abc;def""#, r#""MS=ms\"12\\34\" x""#];
    let changes = [
        planned(snapshot, "example.com", "TXT", &[foreign[0], r#""v=spf1 mx ~all""#, foreign[1]]),
        planned(snapshot, "example.com", "MX", &["10 mail.example.com."]),
        planned(snapshot, "_dmarc.example.com", "TXT", &[r#""v=DMARC1; p=none""#]),
        planned(snapshot, "s2._domainkey.example.com", "CNAME", &[]),
        planned(snapshot, "s2._domainkey.example.com", "TXT", &[r#""v=DKIM1; p=MIIB""#]),
    ];
    // What is as wanted is no change.
    let differs = |change: &RRsetChange| match (change.before(), change.after()) {
        (Some(before), Some(after)) => !before.same_records(after),
        _ => true,
    };
    Batch { changes: changes.into_iter().flatten().filter(differs).collect() }
}

fn labels<S: Service>(emulator: &Emulator<S>) -> Vec<String> {
    emulator.log().into_iter().map(|request| request.label).collect()
}

async fn outcomes(provider: &Route53Provider, zone: &Zone, batch: &Batch) -> Vec<Outcome> {
    let receipt = provider.apply(zone, batch).await.unwrap();
    provider.settle(zone, &receipt).await.unwrap();
    receipt.results.iter().map(|result| result.outcome).collect()
}
