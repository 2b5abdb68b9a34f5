use std::sync::Arc;

use mailzone_conformance::{Outcome, assert_passed, run};
use mailzone_emulated::cloudflare::{Cloudflare, Plan};
use mailzone_emulated::{EmulatedHarness, Emulator};

async fn conforms(service: Cloudflare) {
    let emulator = Arc::new(Emulator::start(service).await);
    let provider = Arc::new(super::provider(&emulator));
    let reports = run(&EmulatedHarness::new(Arc::clone(&emulator), provider)).await;
    assert_passed(&reports);
    let skipped: Vec<_> = reports.iter().filter(|report| matches!(report.outcome, Outcome::Skipped(_))).collect();
    // An empty TXT is what the service does not take.
    let steps: Vec<_> = skipped.iter().map(|report| report.step).collect();
    assert_eq!(steps, ["odd_bytes"], "{skipped:?}");
}

#[tokio::test]
async fn conformance() {
    conforms(Cloudflare::new()).await;
}

/// As older tools have left zones: texts without quotes, 300 s in so many words; and in many pages.
#[tokio::test]
async fn conformance_of_old_records() {
    let mut service = Cloudflare::new();
    service.seed_unquoted = true;
    service.seed_automatic = false;
    service.page_limits = (1, 100);
    conforms(service).await;
}

/// Batches of 200 in a zone from before the quota of today.
#[tokio::test]
async fn conformance_on_the_free_plan() {
    let mut service = Cloudflare::new();
    service.plan = Plan::Free;
    for origin in ["conformance.example", "empty.example"] {
        let id = service.add_zone(&mailzone_record::Name::parse(origin).unwrap(), Plan::Free);
        service.zone(&id).unwrap().quota = 1_000;
    }
    conforms(service).await;
}
