//! The laws: nothing foreign is lost, whatever the zone and the changes.

use std::sync::Arc;

use mailzone_conformance::laws::Law;
use mailzone_emulated::netcup_ccp::NetcupCcp;
use mailzone_emulated::netcup_clouddns::{Apex, Forms, NetcupCloudDns, Owners};
use mailzone_emulated::{EmulatedHarness, Emulator};

use mailzone_record::{Name, RRset, Rdata};

use super::{ccp_provider, clouddns_provider};

const ZONES: [&str; 1] = ["conformance.example."];

/// Targets of one label are not in such zones: without a dot they would be names of the zone.
fn targets_have_labels(set: &RRset) -> bool {
    let long = |name: &Name| name.label_count() != 1;
    set.values.iter().all(|value| match &value.rdata {
        Rdata::Mx(mx) => long(&mx.exchange),
        Rdata::Srv(srv) => long(&srv.target),
        Rdata::Cname(name) | Rdata::Ns(name) | Rdata::Ptr(name) => long(name),
        _ => true,
    })
}

/// Whether CCP would take the owner: what it lists and does not take, it does not delete either.
fn is_plain(owner: &Name) -> bool {
    !owner.to_text_without_dot().contains('\\')
}

#[tokio::test]
async fn the_laws_hold_with_ccp() {
    let mut service = NetcupCcp::new();
    service.lock_after = u32::MAX;
    let emulator = Arc::new(Emulator::start(service).await);
    let provider = Arc::new(ccp_provider(&emulator, &ZONES));
    let harness = EmulatedHarness::new(emulator, provider);
    let tally = Law::new(&harness, 32).held(|set| targets_have_labels(set) && is_plain(&set.name)).hold().await;
    assert!(tally.written as u64 > tally.rounds && tally.stale > 0 && tally.undone > 0, "{tally:?}");
}

async fn clouddns(forms: Forms) {
    let mut service = NetcupCloudDns::new(forms);
    service.page = 7;
    let emulator = Arc::new(Emulator::start(service).await);
    let provider = Arc::new(clouddns_provider(&emulator, &ZONES));
    let harness = EmulatedHarness::new(emulator, provider);
    let held = move |set: &RRset| forms.dots || targets_have_labels(set);
    let tally = Law::new(&harness, 12).held(held).hold().await;
    assert!(tally.written as u64 > tally.rounds && tally.stale > 0 && tally.undone > 0, "{tally:?}");
}

#[tokio::test]
async fn the_laws_hold_with_bare_texts() {
    clouddns(Forms::default()).await;
}

#[tokio::test]
async fn the_laws_hold_with_quoted_texts_and_full_names() {
    clouddns(Forms { apex: Apex::Full, owners: Owners::Full, quoted: true, dots: false }).await;
}

#[tokio::test]
async fn the_laws_hold_with_absolute_names() {
    clouddns(Forms { apex: Apex::FullWithDot, owners: Owners::FullWithDot, quoted: false, dots: true }).await;
}

#[tokio::test]
async fn the_laws_hold_with_an_apex_without_a_name() {
    clouddns(Forms { apex: Apex::Empty, owners: Owners::Relative, quoted: true, dots: true }).await;
}
