//! The laws: nothing foreign is lost, whatever the zone and the changes.

use std::sync::Arc;

use mailzone_conformance::Harness;
use mailzone_conformance::laws::Law;
use mailzone_emulated::EmulatedHarness;
use mailzone_provider::Provider;

use crate::bench::{cloud, hosting};

async fn hold(harness: &dyn Harness) {
    let tally = Law::new(harness, 24).hold().await;
    assert!(tally.written as u64 > tally.rounds && tally.stale > 0 && tally.undone > 0, "{tally:?}");
}

#[tokio::test]
async fn the_laws_hold_at_hosting() {
    let bench = hosting().await;
    let provider: Arc<dyn Provider> = bench.provider.clone();
    hold(&EmulatedHarness::new(bench.emulator.clone(), provider)).await;
}

#[tokio::test]
async fn the_laws_hold_at_cloud() {
    for quotes in [false, true] {
        let bench = cloud().await;
        bench.emulator.with(|service| service.quotes = quotes);
        let provider: Arc<dyn Provider> = bench.provider.clone();
        hold(&EmulatedHarness::new(bench.emulator.clone(), provider)).await;
    }
}
