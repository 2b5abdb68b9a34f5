//! The laws: nothing foreign is lost, whatever the zone and the changes.

use std::sync::Arc;

use async_trait::async_trait;
use mailzone_conformance::laws::{Law, holds};
use mailzone_conformance::{Harness, Stored, parse_seed};
use mailzone_emulated::ionos_cloud::IonosCloud;
use mailzone_emulated::ionos_hosting::IonosHosting;
use mailzone_emulated::{Backdoor, EmulatedHarness, Emulator};
use mailzone_provider::{Provider, Zone};
use mailzone_record::{Name, RRset, RRsetKey, RecordType};

use crate::bench::{cloud, hosting, set};

/// Zones in which every third set has a value that is switched off.
struct Disabled<S> {
    inner: EmulatedHarness<S>,
    emulator: Arc<Emulator<S>>,
    add: fn(&mut S, &Zone, &RRset),
}

#[async_trait]
impl<S: Backdoor> Harness for Disabled<S> {
    fn provider(&self) -> Arc<dyn Provider> {
        self.inner.provider()
    }

    async fn seed(&self, origin: &Name, text: &str) -> Zone {
        let zone = self.inner.seed(origin, text).await;
        for (at, live) in parse_seed(origin, text).iter().enumerate() {
            let off = match live.rtype.mnemonic() {
                Some("A") => "198.51.100.99",
                Some("MX") => "99 off.example.net.",
                Some("TXT") => "\"switched off\"",
                _ => continue,
            };
            if at % 3 == 0 {
                let off = set("@", &live.rtype.to_string(), 900, &[off]);
                self.emulator.with(|service| (self.add)(service, &zone, &RRset { name: live.name.clone(), ..off }));
            }
        }
        zone
    }

    async fn edit(&self, zone: &Zone, key: &RRsetKey, after: Option<&RRset>) {
        self.inner.edit(zone, key, after).await;
    }

    /// What is switched off belongs to no set that anybody changes.
    async fn stored(&self, zone: &Zone) -> Vec<Stored> {
        let mut stored = self.inner.stored(zone).await;
        for stored in stored.iter_mut().filter(|stored| stored.text.ends_with(" disabled")) {
            stored.text = format!("{} {}", stored.rtype, stored.text);
            stored.rtype = RecordType(65_399);
        }
        stored
    }
}

async fn hold(harness: &dyn Harness) {
    let tally = Law::new(harness, 12).hold().await;
    assert!(tally.written as u64 > tally.rounds && tally.stale > 0 && tally.undone > 0, "{tally:?}");
}

#[tokio::test]
async fn the_laws_hold_at_hosting() {
    let bench = hosting().await;
    let provider: Arc<dyn Provider> = bench.provider.clone();
    let inner = EmulatedHarness::new(bench.emulator.clone(), provider);
    hold(&inner).await;
    hold(&Disabled { inner, emulator: bench.emulator, add: IonosHosting::add_disabled }).await;
}

#[tokio::test]
async fn the_laws_hold_at_cloud() {
    for quotes in [false, true] {
        let bench = cloud().await;
        bench.emulator.with(|service| service.quotes = quotes);
        let provider: Arc<dyn Provider> = bench.provider.clone();
        let inner = EmulatedHarness::new(bench.emulator.clone(), provider);
        hold(&inner).await;
        hold(&Disabled { inner, emulator: bench.emulator, add: IonosCloud::add_disabled }).await;
    }
}

/// Beside our value somebody adds one of the same text with other borders: it makes the change stale, and is not lost.
#[tokio::test]
async fn a_value_of_the_same_text_is_not_overlooked() {
    let case = r#"
        = s1._domainkey 300 TXT "v" "=DKIM1; p=MIIB"
        ! s1._domainkey - TXT "v" "=DKIM1; p=MIIB"
        ! s1._domainkey - TXT "ours"
        ? s1._domainkey 300 TXT "v" "=DKIM1; p=MIIB"
        ? s1._domainkey 300 TXT "v=DK" "IM1; p=MIIB"
    "#;
    assert_stale(case).await;
}

/// Somebody gives a foreign value other borders: they are theirs to choose, and not put back.
#[tokio::test]
async fn a_value_with_new_borders_is_another_one() {
    let case = r#"
        = s1._domainkey 300 TXT "v" "=DKIM1; p=MIIB"
        ! s1._domainkey - TXT "v" "=DKIM1; p=MIIB"
        ! s1._domainkey - TXT "ours"
        ? s1._domainkey 300 TXT "v=DK" "IM1; p=MIIB"
    "#;
    assert_stale(case).await;
}

async fn assert_stale(case: &str) {
    let (hosting, cloud) = (hosting().await, cloud().await);
    let provider: Arc<dyn Provider> = hosting.provider.clone();
    assert_eq!(holds(&EmulatedHarness::new(hosting.emulator.clone(), provider), case).await.stale, 1);
    let provider: Arc<dyn Provider> = cloud.provider.clone();
    assert_eq!(holds(&EmulatedHarness::new(cloud.emulator.clone(), provider), case).await.stale, 1);
}
