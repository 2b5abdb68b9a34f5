//! What nothing overrides.

use std::collections::BTreeSet;

use mailzone_mailauth::KindId;
use mailzone_plan::{Claim, Own};
use mailzone_provider::{Access, Snapshot, TypeSet};
use mailzone_record::{Protection, RecordType};

use crate::support::{Case, alias, claim, data, dmarc, key, mx, name, records, shown, spf, told};

#[test]
fn each_has_its_sentence() {
    let cases = [
        Case::new("www 300 CNAME x.example.").claims([records("www", RecordType::TXT, &["\"a\""])]),
        Case::new("sub 300 NS ns.sub.example.com.").claims([records("_dmarc.sub", RecordType::TXT, &["\"a\""])]),
        Case::new("sub 300 NS ns.sub.example.com.").claims([records("sub", RecordType::TXT, &["\"a\""])]),
        Case::new("sub 300 DNAME x.example.").claims([records("a.b.sub", RecordType::TXT, &["\"a\""])]),
        Case::new("@ 300 DNAME x.example.").claims([dmarc("v=DMARC1; p=none")]),
        Case::new("").claims([records("@", RecordType::CNAME, &["x.example."])]),
        Case::new("www 300 A 192.0.2.1").claims([records("www", RecordType::CNAME, &["x.example."])]),
        Case::new("_dmarc 300 TXT \"token\"").claims([dmarc(""), alias(KindId::Dmarc, "_dmarc", "x.example")]),
        Case::new("").claims([spf("v=spf1 -all"), records("@", RecordType::TXT, &["\"v=spf1 mx -all\""])]),
        Case::new("").claims([spf("v=spf1 -all"), records("@", RecordType::TXT, &["\"a\""])]),
        Case::new("").claims([Claim { owner: name("example.org"), ..spf("v=spf1 -all") }]),
        Case::new("").claims([
            records("sub", RecordType::NS, &["ns.example."]),
            records("a.sub", RecordType::A, &["192.0.2.1"]),
        ]),
    ];
    let told: Vec<String> = cases.iter().map(Case::refusal).collect();
    insta::assert_snapshot!(told.join("\n"), @"
        www.example.com. is a CNAME (x.example.): no other record can stand there
        _dmarc.sub.example.com. is not in this zone's hands: sub.example.com. is delegated to other name servers
        sub.example.com. is not in this zone's hands: sub.example.com. is delegated to other name servers
        a.b.sub.example.com. cannot be: a DNAME at sub.example.com. sends every name below it elsewhere
        _dmarc.example.com. cannot be: a DNAME at example.com. sends every name below it elsewhere
        example.com. is the apex: a CNAME cannot stand there (RFC 1034 section 3.6.2)
        a CNAME is wanted at www.example.com., and A records that mailzone does not own stand there
        a CNAME is wanted at _dmarc.example.com., and TXT records that mailzone does not own stand there
        spf and records.@.TXT want different TXT records at example.com.
        spf and records.@.TXT want different TXT records at example.com.
        example.org. is not in the zone example.com.
        a.sub.example.com. is not in this zone's hands: sub.example.com. is delegated to other name servers
        ");
}

#[test]
fn names_beside_a_cut_are_in_the_zone() {
    // The delegation itself and its DS; what stands at a DNAME.
    for (live, rtype, value) in [
        ("sub 300 NS ns.sub.example.com.", RecordType::NS, "ns2.example."),
        ("sub 300 NS ns.sub.example.com.", RecordType::DS, "1 13 2 00"),
        ("sub 300 DNAME x.example.", RecordType::TXT, "\"a\""),
        ("other 300 NS ns.sub.example.com.", RecordType::TXT, "\"a\""),
        ("xsub 300 NS ns.sub.example.com.", RecordType::TXT, "\"a\""),
        ("a.sub 300 NS ns.sub.example.com.", RecordType::TXT, "\"a\""),
    ] {
        let case = Case::new(live).claims([records("sub", rtype, &[value])]);
        assert_eq!(case.plan().error, None, "{case:?}");
        assert_eq!(case.plan().changes.len(), 1);
        assert_eq!(case.applied().plan().error, None, "{case:?}");
    }
}

#[test]
fn a_protected_set_is_in_the_way() {
    let mut case = Case::new("@ 300 MX 10 a.example.\nwww 300 A 192.0.2.1").claims([mx(&["10 b.example."])]);
    let mut sets = case.snapshot.rrsets().to_vec();
    for set in &mut sets {
        set.protection = Some(Protection { reason: "weighted record".into() });
    }
    case.snapshot = Snapshot::new(sets, None);
    insta::assert_snapshot!(case.refusal(), @"example.com. MX is protected: weighted record");
    // Nothing excuses it, a profile neither.
    case.claims[0].from_profile = true;
    assert!(case.plan().error.is_some());
    // As wanted already, it is in nobody's way.
    case.claims = vec![mx(&["10 a.example."])];
    assert_eq!(case.plan().error, None);
}

#[test]
fn a_zone_that_is_only_read_is_refused_when_something_would_change() {
    let mut case = Case::new("@ 300 MX 10 a.example.").claims([mx(&["10 a.example."])]);
    case.zone.access = Access::ReadOnly { reason: "a secondary zone".into(), remedy: "change the primary".into() };
    assert_eq!(case.plan().error, None);
    case.claims = vec![mx(&["10 b.example."])];
    insta::assert_snapshot!(case.refusal(), @"the zone cannot be written: a secondary zone");
    assert_eq!(case.plan().error.unwrap().remedy, "change the primary");
}

#[test]
fn what_a_profile_wants_and_the_provider_cannot_hold_is_left_out_whole() {
    let mut case = Case::new("_dmarc 300 CNAME x.example.\n@ 300 MX 10 a.example.")
        .claims([spf("v=spf1 -all"), Claim { from_profile: true, ..dmarc("v=DMARC1; p=reject") }]);
    let types = BTreeSet::from([RecordType::MX, RecordType::CNAME]);
    case.capabilities.writable = TypeSet::Only(types);
    insta::assert_snapshot!(case.refusal(), @"this provider cannot store records of type TXT");
    case.claims.remove(0);
    let plan = case.plan();
    assert_eq!(plan.error, None);
    // The CNAME stays, no guard is tripped, and nobody waits for what will not be.
    insta::assert_snapshot!(shown(&plan), @"");
    insta::assert_snapshot!(told(&plan.findings), @"PROFILE-01 Warning Present: the profile wants TXT records at _dmarc.example.com., which this provider cannot store: left out");
    assert!(plan.targets.is_empty());
    assert_eq!(plan.left_out, [key("_dmarc.example.com", RecordType::TXT)]);
    case.claims[0].from_profile = false;
    assert!(case.plan().error.is_some());
}

#[test]
fn slots_that_want_the_same_share_a_set() {
    let caa = |key: &str, tags: &[&str], want: &[&str]| {
        let own = Own::CaaTags(tags.iter().map(|&tag| tag.to_owned()).collect());
        let want = want.iter().map(|caa| data(RecordType::CAA, caa)).collect();
        claim(KindId::Caa, Some(key), "@", RecordType::CAA, own, want)
    };
    let listed = |values: &[&str]| {
        let claim = records("@", RecordType::TXT, values);
        Claim { own: Own::Values(claim.want.clone()), ..claim }
    };
    for claims in [
        vec![caa("a", &["issue"], &["0 issue \"x\""]), caa("b", &["iodef"], &["0 iodef \"mailto:a@b\""])],
        vec![spf("v=spf1 mx -all"), listed(&["\"token\""])],
        vec![spf("v=spf1 mx -all"), listed(&["\"v=spf1 mx -all\"", "\"token\""])],
        vec![spf("v=spf1 mx -all"), records("@", RecordType::TXT, &["\"v=spf1 mx -all\"", "\"token\""])],
    ] {
        let case = Case::new("@ 300 TXT \"v=spf1  +MX -all\"\n@ 300 TXT \"x\"\n@ 300 CAA 0 issue \"y\"").claims(claims);
        assert_eq!(case.plan().error, None, "{case:?}");
        assert!(case.applied().plan().changes.is_empty(), "{}", shown(&case.applied().plan()));
    }
}

#[test]
fn two_ttls_of_one_set_are_refused() {
    let ttl = |seconds| mailzone_record::Ttl::from_secs(seconds);
    let listed = records("@", RecordType::TXT, &["\"v=spf1 -all\""]);
    let case = Case::new("").claims([Claim { ttl: ttl(60), ..spf("v=spf1 -all") }, Claim { ttl: ttl(90), ..listed }]);
    insta::assert_snapshot!(case.refusal(), @"spf and records.@.TXT want different TTLs of TXT at example.com.: an RRset has one");
}
