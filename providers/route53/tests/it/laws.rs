//! The laws: nothing foreign is lost, whatever the zone and the changes.

use std::sync::Arc;

use mailzone_conformance::laws::Law;
use mailzone_emulated::route53::Route53;
use mailzone_emulated::{EmulatedHarness, Emulator};

use super::{KEY, TOKEN, provider};

#[tokio::test]
async fn the_laws_hold() {
    let mut service = Route53::with_key(KEY, Some(TOKEN));
    service.page = Some(7);
    let emulator = Arc::new(Emulator::start(service).await);
    let provider = Arc::new(provider(&emulator.url()));
    let harness = EmulatedHarness::new(emulator, provider);
    let tally = Law::new(&harness, 32).hold().await;
    assert!(tally.written as u64 > tally.rounds && tally.stale > 0 && tally.undone > 0, "{tally:?}");
}
