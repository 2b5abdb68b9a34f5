//! The laws: nothing foreign is lost, whatever the zone and the changes.

use std::sync::Arc;

use mailzone_conformance::laws::Law;
use mailzone_emulated::cloudflare::Cloudflare;
use mailzone_emulated::{EmulatedHarness, Emulator};

async fn hold(service: Cloudflare) {
    let emulator = Arc::new(Emulator::start(service).await);
    let provider = Arc::new(super::provider(&emulator));
    let harness = EmulatedHarness::new(emulator, provider);
    let tally = Law::new(&harness, 32).hold().await;
    assert!(tally.written as u64 > tally.rounds && tally.stale > 0 && tally.undone > 0, "{tally:?}");
}

#[tokio::test]
async fn the_laws_hold() {
    hold(Cloudflare::new()).await;
}

#[tokio::test]
async fn the_laws_hold_among_old_records() {
    let mut service = Cloudflare::new();
    service.seed_unquoted = true;
    service.seed_automatic = false;
    service.page_limits = (1, 7);
    hold(service).await;
}
