//! The suite of all providers.

use std::sync::Arc;

use mailzone_conformance::{Outcome, assert_passed, run};
use mailzone_emulated::route53::Route53;
use mailzone_emulated::{EmulatedHarness, Emulator};

use super::{KEY, TOKEN, provider};

#[tokio::test]
async fn the_suite_passes() {
    for (page, bare_errors) in [(None, false), (Some(20), true)] {
        let mut service = Route53::with_key(KEY, Some(TOKEN));
        (service.page, service.bare_errors) = (page, bare_errors);
        let emulator = Arc::new(Emulator::start(service).await);
        let provider = Arc::new(provider(&emulator.url()));
        let reports = run(&EmulatedHarness::new(emulator, provider)).await;
        assert_passed(&reports);
        let skipped: Vec<_> = reports.iter().filter(|report| matches!(report.outcome, Outcome::Skipped(_))).collect();
        assert!(skipped.is_empty(), "{skipped:?}");
    }
}
