use std::sync::Arc;

use mailzone_conformance::{Outcome, StepReport, assert_passed, run};
use mailzone_emulated::netcup_ccp::NetcupCcp;
use mailzone_emulated::netcup_clouddns::{Apex, Forms, NetcupCloudDns, Owners};
use mailzone_emulated::{EmulatedHarness, Emulator};

use super::{ccp_provider, clouddns_provider};

const ZONES: [&str; 2] = ["conformance.example.", "empty.example."];

fn skipped(reports: &[StepReport]) -> Vec<&'static str> {
    reports.iter().filter(|report| matches!(report.outcome, Outcome::Skipped(_))).map(|report| report.step).collect()
}

#[tokio::test]
async fn the_ccp_api_passes() {
    let mut service = NetcupCcp::new();
    // The suite asks for what is not there, and empties zones, more often than anybody should.
    service.lock_after = u32::MAX;
    let emulator = Arc::new(Emulator::start(service).await);
    let provider = Arc::new(ccp_provider(&emulator, &ZONES));
    let reports = run(&EmulatedHarness::new(emulator, provider)).await;
    assert_passed(&reports);
    // No TTL, no escapes, no borders, no null MX.
    assert_eq!(skipped(&reports), ["change_the_ttl_only", "long_txt", "odd_bytes", "an_empty_zone"]);
}

async fn clouddns(forms: Forms) -> Vec<StepReport> {
    let mut service = NetcupCloudDns::new(forms);
    service.page = 40;
    let emulator = Arc::new(Emulator::start(service).await);
    let provider = Arc::new(clouddns_provider(&emulator, &ZONES));
    let reports = run(&EmulatedHarness::new(emulator, provider)).await;
    assert_passed(&reports);
    reports
}

#[tokio::test]
async fn clouddns_with_bare_texts_passes() {
    let reports = clouddns(Forms::default()).await;
    assert_eq!(skipped(&reports), ["long_txt", "odd_bytes"]);
}

#[tokio::test]
async fn clouddns_with_quoted_texts_and_full_names_passes() {
    let forms = Forms { apex: Apex::Full, owners: Owners::Full, quoted: true, dots: false };
    assert_eq!(skipped(&clouddns(forms).await), [""; 0]);
}

#[tokio::test]
async fn clouddns_with_absolute_names_passes() {
    let forms = Forms { apex: Apex::FullWithDot, owners: Owners::FullWithDot, quoted: false, dots: true };
    clouddns(forms).await;
}

#[tokio::test]
async fn clouddns_with_an_apex_without_a_name_passes() {
    let forms = Forms { apex: Apex::Empty, owners: Owners::Relative, quoted: false, dots: false };
    clouddns(forms).await;
}
