//! Each guard: what trips it, what does not, and what lets it pass.

use mailzone_mailauth::KindId;
use mailzone_mailauth::mta_sts::{Mode, MxPattern, Policy};
use mailzone_plan::{Allow, Claim, MailUse};
use mailzone_record::RecordType;

use crate::support::{Case, KEY, OTHER_KEY, alias, dkim, dmarc, host, mx, name, records, spf, told};

const TLSA: &str = "_25._tcp.mail 300 TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000000";

fn tlsa(want: &[&str]) -> Claim {
    let claim = records("_25._tcp.mail", RecordType::TLSA, want);
    Claim { slot: mailzone_plan::Slot::keyed(name("mail.example.com"), KindId::Tlsa, "_25._tcp"), ..claim }
}

#[test]
fn each_trips_when_it_is_caused() {
    let ones = "11".repeat(32);
    for (live, claims, code) in [
        ("@ 300 MX 10 mail.example.com.", vec![mx(&[])], "GUARD-MX"),
        ("@ 300 MX 10 mail.example.com.", vec![mx(&["0 ."])], "GUARD-MX"),
        ("@ 300 TXT \"v=spf1 mx -all\"", vec![spf("")], "GUARD-SPF"),
        ("@ 300 TXT \"v=spf1 mx include:a.example -all\"", vec![spf("v=spf1 mx -all")], "GUARD-SPF-NET"),
        ("_dmarc 300 TXT \"v=DMARC1; p=quarantine\"", vec![dmarc("v=DMARC1; p=none")], "GUARD-DMARC-DOWN"),
        ("_dmarc 300 TXT \"v=DMARC1; p=none\"", vec![dmarc("v=DMARC1; p=reject")], "GUARD-DMARC-JUMP"),
        ("", vec![dmarc("v=DMARC1; p=reject")], "GUARD-DMARC-JUMP"),
        (
            "_dmarc 300 TXT \"v=DMARC1; p=none; rua=mailto:a@example.com\"",
            vec![dmarc("v=DMARC1; p=none")],
            "GUARD-DMARC-BLIND",
        ),
        (&format!("s1._domainkey 300 TXT \"{KEY}\""), vec![dkim("s1", OTHER_KEY)], "GUARD-DKIM-REPLACED"),
        (&format!("s1._domainkey 300 TXT \"{KEY}\""), vec![dkim("s1", "")], "GUARD-DKIM-REMOVED"),
        (TLSA, vec![tlsa(&[&format!("3 1 1 {ones}")])], "GUARD-TLSA"),
        ("mail 300 A 192.0.2.1", vec![host("mail", RecordType::A, &["192.0.2.2"])], "GUARD-HOST"),
        ("_dmarc 300 CNAME x.example.", vec![dmarc("v=DMARC1; p=none")], "GUARD-CNAME"),
        ("_dmarc 300 CNAME x.example.", vec![dmarc(""), alias(KindId::Dmarc, "_dmarc", "y.example")], "GUARD-CNAME"),
        ("@ 300 NS ns1.example.", vec![records("@", RecordType::NS, &["ns2.example."])], "GUARD-NS"),
        ("@ 300 TXT \" v=spf1 mx -all\"", vec![spf("v=spf1 mx -all")], "GUARD-NEAR"),
    ] {
        let case = Case::new(live).claims(claims);
        assert_eq!(case.guards(), [code], "{case:?}");
        let plan = case.plan();
        let guard = plan.guards().next().unwrap();
        let line = guard.remedy.rsplit_once(": ").unwrap().1;
        let (flag, argument) = line.split_once(' ').unwrap();
        assert_eq!(flag, "--allow");
        // The line that the message ends with lets it pass, and moves the finding to what is allowed.
        let allowed = case.clone().allow(argument).plan();
        assert_eq!(allowed.guards().count(), 0, "{line}");
        assert_eq!(allowed.allowed.iter().map(|f| f.code.as_str()).collect::<Vec<_>>(), [code]);
        assert_eq!(allowed.changes.len(), plan.changes.len());
        // What is done is not caused again.
        assert_eq!(case.applied().guards(), [""; 0], "{case:?}");
    }
}

#[test]
fn what_was_bad_before_stops_nothing() {
    let eleven: String = (0..11).map(|n| format!(" include:s{n}.example")).collect();
    for (live, claims) in [
        // Eleven look-ups before, eleven or fewer after.
        (format!("@ 300 TXT \"v=spf1{eleven} -all\""), spf(&format!("v=spf1 ip4:192.0.2.1{eleven} -all"))),
        (
            format!("@ 300 TXT \"v=spf1{eleven} ip4:192.0.2.1 -all\""),
            spf(&format!("v=spf1{eleven} ip4:192.0.2.0/24 -all")),
        ),
        // A null MX, or none, gives way to one.
        ("@ 300 MX 0 .".into(), mx(&["10 mail.example.com."])),
        ("@ 300 MX 0 .".into(), mx(&[])),
        (String::new(), mx(&["0 ."])),
        // No SPF, no DMARC, no key: nothing goes.
        (String::new(), spf("v=spf1 -all")),
        ("_dmarc 300 TXT \"v=DMARC1; p=quarantine\"".into(), dmarc("v=DMARC1; p=reject")),
        ("s1._domainkey 300 TXT \"v=DKIM1; p=\"".into(), dkim("s1", "")),
        // Ours was there beside the near miss.
        ("@ 300 TXT \"v=spf1 a -all\"\n@ 300 TXT \" v=spf1 mx -all\"".into(), spf("v=spf1 a mx -all")),
        // A reader took neither of two records.
        (
            "_dmarc 300 TXT \"v=DMARC1; p=reject\"\n_dmarc 300 TXT \"v=DMARC1; p=none\"".into(),
            dmarc("v=DMARC1; p=none"),
        ),
    ] {
        let case = Case::new(&live).claims([claims]);
        assert!(!case.plan().changes.is_empty());
        assert_eq!(case.guards(), [""; 0], "{case:?}");
    }
}

#[test]
fn spf_03_stops_like_a_guard_when_it_is_caused() {
    let eleven: String = (0..11).map(|n| format!(" include:s{n}.example")).collect();
    let case = Case::new("").claims([spf(&format!("v=spf1{eleven} -all"))]);
    assert_eq!(case.guards(), ["SPF-03"]);
    assert_eq!(case.clone().allow("spf-03").guards(), [""; 0]);
    let cured =
        Case::new(&format!("@ 300 TXT \"v=spf1{eleven} -all\"")).claims([spf("v=spf1 include:s0.example -all")]);
    assert!(cured.plan().findings.iter().any(|f| f.code == "SPF-03" && f.effect == mailzone_mailauth::Effect::Cured));
}

#[test]
fn an_allow_entry_is_for_its_code_and_its_name() {
    let case = || Case::new("_dmarc 300 TXT \"v=DMARC1; p=none\"").claims([dmarc("v=DMARC1; p=reject")]);
    for argument in [
        "GUARD-DMARC-JUMP",
        "guard-dmarc-jump",
        "GUARD-DMARC-JUMP:_dmarc.example.com",
        "GUARD-DMARC-JUMP:_dmarc.example.com.",
        "GUARD-DMARC-JUMP:_DMARC.Example.com",
        "GUARD-DMARC-JUMP:_dmarc",
    ] {
        assert_eq!(case().allow(argument).guards(), [""; 0], "{argument}");
    }
    for argument in [
        "GUARD-DMARC",
        "GUARD-DMARC-DOWN",
        "GUARD-DMARC-JUMP:",
        "GUARD-DMARC-JUMP:@",
        "GUARD-DMARC-JUMP:example.com",
        "GUARD-DMARC-JUMP:_dmarc.",
        "GUARD-DMARC-JUMP:_dmarc.example.org",
        "GUARD-DMARC-JUMP:_dmarc.example.com.example.com",
        "",
    ] {
        assert_eq!(case().allow(argument).guards(), ["GUARD-DMARC-JUMP"], "{argument}");
    }
    let of_domain = |domain: &str, name: Option<&str>| Allow {
        code: "GUARD-DMARC-JUMP".into(),
        name: name.map(str::to_owned),
        domain: Some(crate::support::name(domain)),
        reason: None,
    };
    for (allow, stops) in [
        (of_domain("example.com", None), false),
        (of_domain("example.com", Some("_dmarc")), false),
        (of_domain("example.com", Some("@")), true),
        (of_domain("other.example", None), true),
        (of_domain("sub.example.com", Some("_dmarc.example.com")), true),
    ] {
        let mut case = case();
        case.allow.push(allow.clone());
        assert_eq!(!case.guards().is_empty(), stops, "{allow:?}");
    }
    let at_apex = Case::new("@ 300 MX 10 a.example.").claims([mx(&[])]);
    assert_eq!(at_apex.clone().allow("GUARD-MX:@").guards(), [""; 0]);
    assert_eq!(at_apex.allow("GUARD-MX:example.com").guards(), [""; 0]);
}

#[test]
fn what_a_domain_is_for_decides() {
    let jump = || Case::new("").claims([dmarc("v=DMARC1; p=reject")]);
    let null = || Case::new("@ 300 MX 10 a.example.").claims([mx(&["0 ."])]);
    for (mail, jumps, loses) in [
        (MailUse::Both, true, true),
        (MailUse::Send, true, false),
        (MailUse::Receive, false, true),
        (MailUse::None, false, false),
    ] {
        assert_eq!(!jump().mail(mail).guards().is_empty(), jumps, "{mail:?}");
        assert_eq!(!null().mail(mail).guards().is_empty(), loses, "{mail:?}");
    }
    // That the last one goes is a matter of every domain: the name's own address would be tried.
    let gone = Case::new("@ 300 MX 10 a.example.").claims([mx(&[])]).mail(MailUse::None);
    assert_eq!(gone.guards(), ["GUARD-MX"]);
}

#[test]
fn hosts_that_an_enforced_policy_does_not_name() {
    let case = |mode, live: &str, want: &[&str]| {
        let mut case = Case::new(live).claims([mx(want)]);
        let mx = vec![MxPattern::parse("a.example.com").unwrap(), MxPattern::parse("*.example.net").unwrap()];
        case.facts.sts_policy = Some(Policy { mode, mx, max_age: 86_400 });
        case
    };
    let live = "@ 300 MX 10 a.example.com.";
    let new = case(Mode::Enforce, live, &["10 a.example.com.", "20 b.example.com."]);
    insta::assert_snapshot!(told(&new.plan().findings), @"GUARD-STS Error Caused: the enforced MTA-STS policy does not name b.example.com: senders would not deliver there");
    assert_eq!(case(Mode::Testing, live, &["10 b.example.com."]).guards(), [""; 0]);
    assert_eq!(case(Mode::Enforce, live, &["10 a.example.com.", "20 x.example.net."]).guards(), [""; 0]);
    assert_eq!(case(Mode::Enforce, live, &["0 ."]).mail(MailUse::Send).guards(), [""; 0]);
    // It was there already.
    let stays = case(Mode::Enforce, "@ 300 MX 10 b.example.com.", &["10 b.example.com.", "20 a.example.com."]);
    assert_eq!(stays.guards(), [""; 0]);
}

#[test]
fn a_near_miss_is_foreign_and_stays() {
    let case = Case::new("_dmarc 300 TXT \"v=dmarc1; p=none\"").claims([dmarc("v=DMARC1; p=none")]);
    insta::assert_snapshot!(told(&case.plan().findings), @r#"
    DMARC-06 Warning Caused: no `rua`: nobody reports what fails
    GUARD-NEAR Error Caused: "v=dmarc1; p=none" looks like dmarc and is not read as one: it would stay beside ours
    "#);
    insta::assert_snapshot!(crate::support::shown(&case.plan()), @r#"1 update _dmarc.example.com. TXT: 300 "v=dmarc1; p=none" -> 300 "v=dmarc1; p=none" | "v=DMARC1; p=none""#);
}

#[test]
fn a_foreign_cname_is_replaced_in_one_unit() {
    let plan = Case::new("_dmarc 300 CNAME x.example.").claims([dmarc("v=DMARC1; p=none")]).plan();
    insta::assert_snapshot!(crate::support::shown(&plan), @r#"
    1 delete _dmarc.example.com. CNAME: 300 x.example. -> nothing
    1 create _dmarc.example.com. TXT: nothing -> 3600 "v=DMARC1; p=none"
    "#);
    assert!(plan.changes[0].with_next && !plan.changes[1].with_next);
    // The set that goes is counted once.
    assert_eq!((plan.counts.delete, plan.counts.create, plan.counts.foreign, plan.counts.unmanaged), (1, 1, 0, 0));
}
