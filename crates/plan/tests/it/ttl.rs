//! Whose TTL an RRset has.

use mailzone_plan::Claim;
use mailzone_provider::{Snapshot, TtlRange};
use mailzone_record::Ttl;

use crate::support::{Case, dmarc, mx, shown, spf, told};

fn with_ttl(claim: Claim, seconds: u32) -> Claim {
    Claim { ttl: Ttl::from_secs(seconds), ..claim }
}

fn after(case: &Case) -> Vec<Option<u32>> {
    let plan = case.plan();
    plan.changes.iter().map(|planned| planned.change.after().unwrap().ttl.map(Ttl::as_secs)).collect()
}

#[test]
fn it_is_compared_where_it_is_asked_for_and_the_whole_set_is_ours() {
    let live = "@ 300 MX 10 a.example.\n_dmarc 300 TXT \"v=DMARC1; p=none\"";
    let wanted = [mx(&["10 a.example."]), dmarc("v=DMARC1; p=none")];
    assert!(Case::new(live).claims(wanted.clone()).plan().changes.is_empty());
    let case = Case::new(live).claims(wanted.map(|claim| with_ttl(claim, 60)));
    assert_eq!(after(&case), [Some(60), Some(60)]);
    let plan = case.plan();
    assert!(plan.changes.iter().all(|c| c.details.len() == 1 && c.details[0].term == "ttl"));
    insta::assert_snapshot!(plan.changes[0].reason, @"mx: another TTL");
    assert!(case.applied().plan().changes.is_empty());
}

#[test]
fn foreign_values_keep_the_set_s() {
    let live = "@ 300 TXT \"token\"\n@ 300 TXT \"v=spf1 mx -all\"";
    assert!(Case::new(live).claims([with_ttl(spf("v=spf1 mx -all"), 60)]).plan().changes.is_empty());
    assert_eq!(after(&Case::new(live).claims([with_ttl(spf("v=spf1 a -all"), 60)])), [Some(300)]);
    let token = "@ 300 TXT \"token\"";
    assert_eq!(after(&Case::new(token).claims([with_ttl(spf("v=spf1 a -all"), 60)])), [Some(300)]);
}

#[test]
fn none_given_an_existing_set_keeps_its_own_and_a_new_one_takes_the_zone_s() {
    let live = "@ 300 MX 10 a.example.\n";
    assert_eq!(after(&Case::new(live).claims([mx(&["10 b.example."])])), [Some(300)]);
    assert_eq!(after(&Case::new("").claims([mx(&["10 b.example."])])), [Some(3600)]);
    let mut case = Case::new("").claims([mx(&["10 b.example."])]);
    case.snapshot = Snapshot::new(Vec::new(), Ttl::from_secs(77));
    assert_eq!(after(&case), [Some(77)]);
    case.claims[0].ttl = Ttl::from_secs(60);
    assert_eq!(after(&case), [Some(60)]);
    // One that a service keeps as "automatic" stays so.
    let automatic = Case::new("@ - MX 10 a.example.").claims([mx(&["10 a.example."])]);
    assert!(automatic.plan().changes.is_empty(), "{}", shown(&automatic.plan()));
    assert_eq!(after(&Case::new("@ - MX 10 a.example.").claims([mx(&["10 b.example."])])), [None]);
}

#[test]
fn one_that_the_provider_cannot_store_compares_as_the_nearest() {
    let range = TtlRange { min: Ttl::from_secs(120).unwrap(), max: Ttl::from_secs(7200).unwrap(), per_rrset: true };
    for (live, asked, stored) in [(120, 60, None), (300, 60, Some(120)), (300, 9000, Some(7200)), (300, 300, None)] {
        let mut case =
            Case::new(&format!("@ {live} MX 10 a.example.")).claims([with_ttl(mx(&["10 a.example."]), asked)]);
        case.capabilities.ttl = range;
        assert_eq!(after(&case), stored.map(Some).into_iter().collect::<Vec<_>>(), "{live} {asked}");
        let said = case.plan().findings.iter().any(|finding| finding.code == "TTL-NEAREST");
        assert_eq!(said, asked != 300);
    }
    let mut case = Case::new("@ 300 MX 10 a.example.").claims([with_ttl(mx(&[]), 60)]).allow("GUARD-MX");
    case.capabilities.ttl = range;
    assert_eq!(told(&case.plan().findings), "", "nothing is left that could have a TTL");
}

#[test]
fn where_the_service_has_none_it_is_null() {
    let mut case = Case::new("@ - MX 10 a.example.")
        .claims([with_ttl(mx(&["10 a.example."]), 60), with_ttl(spf("v=spf1 -all"), 60)]);
    case.capabilities.ttl.per_rrset = false;
    assert_eq!(after(&case), [None]);
    let json = serde_json::to_value(mailzone_plan::document::ChangeDoc::new(&case.plan().changes[0])).unwrap();
    assert!(json["after"]["ttl"].is_null());
    assert!(case.applied().plan().changes.is_empty());
}
