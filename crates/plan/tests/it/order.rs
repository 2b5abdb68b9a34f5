//! Reliance: what waits for what (`design.md` section 9).

use mailzone_mailauth::{Class, KindId};
use mailzone_plan::{Claim, Target, ZonePlan, resolve_needs};
use mailzone_record::{RRsetKey, RecordType};

use crate::support::{Case, KEY, OTHER_KEY, alias, dkim, dmarc, facts, host, key, mx, name, records, spf, zone};

fn on(claim: Claim, relies_on: &[(&str, RecordType)]) -> Claim {
    Claim { relies_on: relies_on.iter().map(|(owner, rtype)| key(owner, *rtype)).collect(), ..claim }
}

fn resolved(cases: &[Case]) -> Vec<ZonePlan> {
    let mut plans: Vec<ZonePlan> = cases.iter().map(Case::plan).collect();
    resolve_needs(&mut plans, &|_| None);
    plans
}

/// `1 create _dmarc.example.com. TXT after example.com. TXT`.
fn shown(plans: &[ZonePlan]) -> String {
    let lines = plans.iter().flat_map(|plan| &plan.changes).map(|planned| {
        let needs: Vec<String> = planned.needs.iter().map(|need| need.target.key.to_string()).collect();
        let after = if needs.is_empty() { String::new() } else { format!(" after {}", needs.join(", ")) };
        let change = &planned.change;
        format!("{} {} {} {}{after}\n", planned.stage, planned.action.as_str(), change.name(), change.rtype())
    });
    lines.collect()
}

fn policy(text: &str) -> Claim {
    on(dmarc(text), &[("example.com", RecordType::TXT), ("s1._domainkey.example.com", RecordType::TXT)])
}

#[test]
fn a_policy_waits_for_spf_and_keys() {
    let case = Case::new("_dmarc 300 TXT \"v=DMARC1; p=none\"").claims([
        spf("v=spf1 mx -all"),
        dkim("s1", KEY),
        policy("v=DMARC1; p=quarantine"),
    ]);
    insta::assert_snapshot!(shown(&resolved(std::slice::from_ref(&case))), @"
    1 create example.com. TXT
    1 create s1._domainkey.example.com. TXT
    2 update _dmarc.example.com. TXT after example.com. TXT, s1._domainkey.example.com. TXT
    ");
    // What is there already is asked for too, for nobody knows whether it is served; it costs no stage.
    let live =
        format!("@ 300 TXT \"v=spf1 mx -all\"\ns1._domainkey 300 TXT \"{KEY}\"\n_dmarc 300 TXT \"v=DMARC1; p=none\"");
    let plans = resolved(&[Case { snapshot: crate::support::snapshot(&live), ..case }]);
    insta::assert_snapshot!(shown(&plans), @"1 update _dmarc.example.com. TXT after example.com. TXT, s1._domainkey.example.com. TXT");
    assert!(plans[0].changes[0].needs.iter().all(|need| !need.pending));
}

#[test]
fn a_policy_that_is_loosened_in_another_tag_waits_all_the_same() {
    let case = Case::new("_dmarc 300 TXT \"v=DMARC1; p=none; aspf=s\"")
        .claims([spf("v=spf1 mx -all"), policy("v=DMARC1; p=quarantine")]);
    insta::assert_snapshot!(shown(&resolved(&[case])), @"
    1 create example.com. TXT
    2 update _dmarc.example.com. TXT after example.com. TXT
    ");
}

#[test]
fn widening_and_mixed_changes_go_first() {
    let on_hosts = |claim| on(claim, &[("example.com", RecordType::MX)]);
    let case = |live: &str, want: &str| {
        let live = format!("@ 300 MX 10 a.example.\n@ 300 TXT \"{live}\"");
        Case::new(&live).claims([mx(&["10 a.example.", "20 b.example."]), on_hosts(spf(want))])
    };
    let stage = |case: Case| {
        let plans = resolved(&[case]);
        plans[0].changes.iter().find(|c| c.change.rtype() == RecordType::TXT).map(|c| c.stage)
    };
    assert_eq!(stage(case("v=spf1 mx -all", "v=spf1 mx include:x.example -all")), Some(1), "widens");
    assert_eq!(stage(case("v=spf1 a mx -all", "v=spf1 mx include:x.example -all")), Some(1), "both");
    assert_eq!(stage(case("v=spf1 a mx -all", "v=spf1 mx -all")), Some(2), "narrows");
    assert_eq!(stage(case("v=spf1 mx ~all", "v=spf1 mx -all")), Some(2), "stricter");
    assert_eq!(stage(case("other", "v=spf1 mx ~all")), Some(2), "new");
}

#[test]
fn a_key_goes_when_its_successor_is_seen() {
    let live = format!("s1._domainkey 300 TXT \"{KEY}\"");
    let case = Case::new(&live)
        .claims([on(dkim("s1", ""), &[("s2._domainkey.example.com", RecordType::TXT)]), dkim("s2", OTHER_KEY)]);
    insta::assert_snapshot!(shown(&resolved(&[case])), @"
    1 create s2._domainkey.example.com. TXT
    2 delete s1._domainkey.example.com. TXT after s2._domainkey.example.com. TXT
    ");
}

#[test]
fn a_pointer_waits_for_its_address_in_another_zone() {
    let address = host("mail", RecordType::A, &["192.0.2.25"]);
    let forward = Case::new("").claims([address]);
    let pointer = Claim {
        slot: mailzone_plan::Slot::keyed(name("mail.example.com"), KindId::Ptr, "192.0.2.25"),
        owner: name("25.2.0.192.in-addr.arpa"),
        relies_always: true,
        ..records("@", RecordType::PTR, &["mail.example.com."])
    };
    let pointer = on(pointer, &[("mail.example.com", RecordType::A)]);
    let mut reverse = Case::new("").claims([pointer]);
    reverse.zone = zone("2.0.192.in-addr.arpa");
    reverse.facts = facts("2.0.192.in-addr.arpa");
    let plans = resolved(&[forward, reverse.clone()]);
    insta::assert_snapshot!(shown(&plans), @"
    1 create mail.example.com. A
    2 create 25.2.0.192.in-addr.arpa. PTR after mail.example.com. A
    ");
    assert_eq!(plans[1].changes[0].needs[0].zone, Some(name("example.com")));
    // Alone, it still asks for the address, of which the configuration knows.
    let mut alone = [reverse.plan()];
    let target = |key: &RRsetKey| Some(Target { key: key.clone(), claims: Vec::new(), kept: Vec::new() });
    resolve_needs(&mut alone, &target);
    let need = &alone[0].changes[0].needs[0];
    assert!(alone[0].changes[0].stage == 1 && !need.pending && need.zone.is_none());
}

#[test]
fn circles_are_broken_and_one_still_waits_for_the_other() {
    let (a, aaaa) = (("mail.example.com", RecordType::A), ("mail.example.com", RecordType::AAAA));
    let live = "mail 300 A 192.0.2.1\nmail 300 A 192.0.2.2\nmail 300 AAAA 2001:db8::1\nmail 300 AAAA 2001:db8::2";
    let case = Case::new(live).claims([
        on(host("mail", RecordType::A, &["192.0.2.1"]), &[aaaa]),
        on(host("mail", RecordType::AAAA, &["2001:db8::1"]), &[a]),
    ]);
    insta::assert_snapshot!(shown(&resolved(&[case])), @"
    1 update mail.example.com. A
    2 update mail.example.com. AAAA after mail.example.com. A
    ");
    let live =
        format!("s1._domainkey 300 TXT \"{KEY}\"\ns2._domainkey 300 TXT \"{KEY}\"\ns3._domainkey 300 TXT \"{KEY}\"");
    let selector = |n: u8| format!("s{n}._domainkey.example.com");
    let case = Case::new(&live).claims([1, 2, 3].map(|n| {
        let others: Vec<String> = [1, 2, 3].into_iter().filter(|m| *m != n).map(selector).collect();
        let others: Vec<(&str, RecordType)> = others.iter().map(|other| (other.as_str(), RecordType::TXT)).collect();
        on(dkim(&format!("s{n}"), OTHER_KEY), &others)
    }));
    insta::assert_snapshot!(shown(&resolved(&[case])), @"
    1 update s1._domainkey.example.com. TXT
    2 update s2._domainkey.example.com. TXT after s1._domainkey.example.com. TXT
    3 update s3._domainkey.example.com. TXT after s1._domainkey.example.com. TXT, s2._domainkey.example.com. TXT
    ");
}

#[test]
fn a_unit_waits_as_a_whole() {
    let live = format!("s1._domainkey 300 CNAME keys.example.\ns2._domainkey 300 TXT \"{KEY}\"");
    let s1 = [("s1._domainkey.example.com", RecordType::TXT)];
    let case = Case::new(&live).claims([
        dkim("s1", OTHER_KEY),
        on(dkim("s2", ""), &s1),
        on(alias(KindId::Dkim, "s2._domainkey", "keys.example"), &s1),
    ]);
    insta::assert_snapshot!(shown(&resolved(&[case])), @"
    1 delete s1._domainkey.example.com. CNAME
    1 create s1._domainkey.example.com. TXT
    2 delete s2._domainkey.example.com. TXT after s1._domainkey.example.com. TXT
    2 create s2._domainkey.example.com. CNAME after s1._domainkey.example.com. TXT
    ");
}

#[test]
fn what_was_left_out_is_waited_for_by_nobody() {
    let mut case = Case::new("_dmarc 300 TXT \"v=DMARC1; p=none\"").claims([
        Claim { from_profile: true, ..mx(&["0 ."]) },
        on(dmarc("v=DMARC1; p=quarantine"), &[("example.com", RecordType::MX)]),
    ]);
    case.capabilities.writable = mailzone_provider::TypeSet::Only([RecordType::TXT].into());
    let mut plans = [case.plan()];
    let target = |key: &RRsetKey| Some(Target { key: key.clone(), claims: Vec::new(), kept: Vec::new() });
    resolve_needs(&mut plans, &target);
    insta::assert_snapshot!(shown(&plans), @"1 update _dmarc.example.com. TXT");
}

#[test]
fn a_key_that_is_only_tightened_waits_for_no_other() {
    let selector = ("s2._domainkey.example.com", RecordType::TXT);
    let live = format!("s1._domainkey 300 TXT \"{KEY}\"");
    let waits = |text: &str| {
        let case = Case::new(&live).claims([on(dkim("s1", text), &[selector]), dkim("s2", OTHER_KEY)]);
        let plans = resolved(&[case]);
        let change = plans[0].changes.iter().find(|p| *p.change.name() == name("s1._domainkey.example.com")).unwrap();
        (change.class, !change.needs.is_empty())
    };
    assert_eq!(waits(&KEY.replace("k=", "t=s; k=")), (Class::Tightens, false));
    assert_eq!(waits(OTHER_KEY), (Class::Breaks, true));
    assert!(waits("").1);
}
