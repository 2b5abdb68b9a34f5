//! The laws: nothing foreign is lost, whatever the zone and the changes.

use mailzone_conformance::laws::Law;
use mailzone_record::{RRset, Rdata};

use super::conformance::Served;
use super::daemon::Kind;

/// PowerDNS takes texts that differ in case alone for one, and then finds no prerequisite of both fulfilled. It
/// transfers a CAA record without a value with one octet of it, and names in the case of others before them. Types that it
/// does not know it takes no update of.
fn power_dns_holds(set: &RRset) -> bool {
    let upper = |text: &str| text.bytes().any(|octet| octet.is_ascii_uppercase());
    let fits = |rdata: &Rdata| match rdata {
        Rdata::Caa(caa) => !caa.value.is_empty(),
        Rdata::Mx(_) | Rdata::Srv(_) | Rdata::Cname(_) | Rdata::Ns(_) | Rdata::Ptr(_) => !upper(&rdata.to_string()),
        _ => true,
    };
    let known = set.rtype.mnemonic().is_some();
    if !known || upper(&set.name.to_string()) || !set.values.iter().all(|value| fits(&value.rdata)) {
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
