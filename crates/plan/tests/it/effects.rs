//! What a plan says beside its changes: findings, unmanaged slots, counts.

use mailzone_mailauth::{Effect, KindId};
use mailzone_plan::{Claim, Counts, Own, Slot};
use mailzone_record::RecordType;

use crate::support::{Case, KEY, dkim, dmarc, mx, name, records, spf, told};

#[test]
fn findings_are_caused_cured_or_present() {
    let effects = |live: &str, want: &str| {
        let plan = Case::new(live).claims([spf(want)]).plan();
        let found = plan.findings.into_iter().filter(|f| f.code.starts_with("SPF-"));
        found.map(|f| (f.code, f.effect)).collect::<Vec<_>>()
    };
    let (all, two) = ("@ 300 TXT \"v=spf1 +all\"", "@ 300 TXT \"v=spf1 mx -all\"\n@ 300 TXT \"v=spf1 a -all\"");
    let only = |found: Vec<(String, Effect)>| {
        assert!(!found.is_empty());
        let first = found[0].1;
        assert!(found.iter().all(|(_, effect)| *effect == first), "{found:?}");
        first
    };
    assert_eq!(only(effects(all, "v=spf1 mx -all")), Effect::Cured);
    assert_eq!(only(effects(two, "v=spf1 mx -all")), Effect::Cured);
    assert_eq!(only(effects(all, "v=spf1 +all")), Effect::Present);
    assert_eq!(only(effects("", "v=spf1 +all")), Effect::Caused);
    assert!(effects("@ 300 TXT \"v=spf1 mx -all\"", "v=spf1 mx -all").is_empty());
}

#[test]
fn equivalent_values_stay_and_are_named() {
    let case =
        Case::new("@ 300 MX 10 a.example.\n@ 300 MX 20 b.example.").claims([mx(&["1 a.example.", "2 b.example."])]);
    let plan = case.plan();
    assert!(plan.changes.is_empty());
    insta::assert_snapshot!(told(&plan.findings), @"EQUIVALENT Info Present: the live mx value has the same effect by another way, and stays");
    let normalized = Case { normalize: true, ..case };
    let plan = normalized.plan();
    assert_eq!(plan.changes.len(), 1);
    assert_eq!(plan.changes[0].class, mailzone_mailauth::Class::Cosmetic);
    assert!(!plan.changes[0].details.is_empty());
    assert_eq!(told(&plan.findings), "");
    assert_eq!(told(&normalized.applied().plan().findings), "");
}

#[test]
fn every_live_slot_that_the_file_does_not_mention_is_listed() {
    let live = format!(
        "@ 300 TXT \"v=spf1 mx -all\"\n@ 300 TXT \"token\"\n@ 300 MX 10 a.example.\n_dmarc 300 CNAME x.example.\n\
         s1._domainkey 300 TXT \"{KEY}\"\n_mta-sts 300 TXT \"v=STSv1; id=1\"\n_smtp._tls.sub 300 TXT \"v=TLSRPTv1; rua=mailto:a@b.c\"\n\
         _25._tcp.mail 300 TLSA 3 1 1 00\n@ 300 CAA 0 issue \"x\"\nwww 300 A 192.0.2.1\nwww 300 TXT \"x\""
    );
    let mut case = Case::new(&live);
    case.facts.mentioned = vec![Slot::new(name("example.com"), KindId::Caa)];
    case.facts.formerly = vec![Slot::keyed(name("example.com"), KindId::Dkim, "s1")];
    let plan = case.plan();
    let lines: Vec<String> = plan
        .unmanaged
        .iter()
        .map(|u| format!("{} {} {}{}", u.key, u.slot, u.removal, if u.formerly { " (formerly)" } else { "" }))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    example.com. MX mx [domains."example.com"] mx = "absent"
    example.com. TXT spf [domains."example.com"] spf = "absent"
    _dmarc.example.com. CNAME dmarc [domains."example.com"] dmarc = "absent"
    s1._domainkey.example.com. TXT dkim.s1 [domains."example.com"] dkim.s1 = "absent" (formerly)
    _mta-sts.example.com. TXT mta_sts [domains."example.com"] mta_sts = "absent"
    _25._tcp.mail.example.com. TLSA tlsa._25._tcp [hosts."mail.example.com"] tlsa = "absent"
    _smtp._tls.sub.example.com. TXT tls_rpt [domains."sub.example.com"] tls_rpt = "absent"
    "#);
    assert_eq!(plan.counts, Counts { foreign: 3, unmanaged: 7, ..Counts::default() });
}

#[test]
fn what_no_key_names_is_removed_as_a_record() {
    let live = "* 300 MX 10 a.example.\n_443._tcp.mail 300 TLSA 3 1 1 00\n_25._tcp.* 300 TLSA 3 1 1 00\n\
        other.example._report._dmarc 300 TXT \"v=DMARC1\"\na\\.b 300 MX 10 a.example.\n\
        *._domainkey 300 TXT \"v=DKIM1; p=\"\n_x.sub 300 MX 10 a.example.";
    let lines = Case::new(live).plan().unmanaged.into_iter().map(|u| u.removal).collect::<Vec<_>>();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    [[domains."example.com".records]] name = "*.example.com.", type = "MX", absent = true
    [[domains."example.com".records]] name = "_25._tcp.*.example.com.", type = "TLSA", absent = true
    [[domains."example.com".records]] name = "other.example._report._dmarc.example.com.", type = "TXT", absent = true
    [domains."example.com"] dkim."*" = "absent"
    [[domains."example.com".records]] name = "a\\.b.example.com.", type = "MX", absent = true
    [[domains."example.com".records]] name = "_443._tcp.mail.example.com.", type = "TLSA", absent = true
    [domains."_x.sub.example.com"] mx = "absent"
    "#);
}

#[test]
fn a_shared_set_still_tells_what_else_is_in_it() {
    let listed = records("@", RecordType::TXT, &["\"token\""]);
    let listed = Claim { own: Own::Values(listed.want.clone()), ..listed };
    let plan = Case::new("@ 300 TXT \"v=spf1 mx -all\"\n@ 300 TXT \"token\"").claims([listed]).plan();
    assert_eq!(plan.unmanaged.iter().map(|u| u.slot.to_string()).collect::<Vec<_>>(), ["spf"]);
    assert_eq!(plan.counts, Counts { unchanged: 1, ..Counts::default() });
}

#[test]
fn counts_are_of_rrsets() {
    let live = "@ 300 TXT \"v=spf1 mx -all\"\n@ 300 MX 10 a.example.\n_dmarc 300 TXT \"v=DMARC1; p=none\"\nwww 300 A 192.0.2.1\n\
                www 300 A 192.0.2.2\n_mta-sts 300 TXT \"v=STSv1; id=1\"";
    let plan = Case::new(live)
        .claims([spf("v=spf1 mx -all"), mx(&[]), dmarc("v=DMARC1; p=none; adkim=s"), dkim("s1", KEY), dkim("s2", "")])
        .plan();
    assert_eq!(plan.counts, Counts { create: 1, update: 1, delete: 1, unchanged: 1, foreign: 1, unmanaged: 1 });
}

#[test]
fn a_near_miss_is_said_once() {
    let live = "@ 300 TXT \"v=spf1 a -all\"\n@ 300 TXT \" v=spf1 mx -all\"";
    let plan = Case::new(live).claims([spf("v=spf1 a -all")]).plan();
    let codes: Vec<&str> = plan.findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["SPF-26"]);
}
