//! DMARC over worlds in memory: discovery, alignment, results, consent to reports.

use mailzone_mailauth::dmarc::{
    Aligned, Alignment, Authentication, Consent, DmarcResult, Evaluation, Organizational, Outcome, Place, Policy,
    Reader, Request, WALK, aligned, discover, evaluate, organizational_domain, report_authorisation,
};
use mailzone_mailauth::lookup::{Answer, Answers, Lookup, Recorder};
use mailzone_mailauth::report_uri::ReportUri;
use mailzone_record::{Name, Rdata, RecordType, Ttl, Txt};
use proptest::prelude::*;
use serde_json::Value;

use crate::suite::name;

use Reader::{Rfc7489, Rfc9989};

/// All that there is. An owner that begins with `_` has TXT values, with ` & ` between them, an alias (`CNAME x`), or
/// no answer (`TEMPERROR`); another one has an address with `A`.
fn world(records: &[(&str, &str)]) -> Answers {
    let mut answers = Answers::otherwise(Answer::NxDomain);
    for (owner, data) in records {
        let owner = name(owner);
        let rtype = if owner.labels().any(|label| label.starts_with(b"_")) { RecordType::TXT } else { RecordType::A };
        let answer = match *data {
            "TEMPERROR" => Answer::TempError,
            "NODATA" => Answer::NoData,
            "A" => Answer::records([Rdata::A([192, 0, 2, 1].into())], Ttl::ZERO),
            data => match data.strip_prefix("CNAME ") {
                Some(target) => Answer::records([Rdata::Cname(name(target))], Ttl::ZERO),
                None => Answer::records(data.split(" & ").map(|text| Rdata::Txt(Txt::from_text(text))), Ttl::ZERO),
            },
        };
        answers.insert(owner, rtype, answer);
    }
    answers
}

/// A message that passes SPF for one domain and DKIM for some.
fn message(world: &dyn Lookup, author: &str, spf: Option<&str>, dkim: &[&str], reader: Reader) -> Evaluation {
    let (author, spf) = (name(author), spf.map(name));
    let dkim: Vec<Name> = dkim.iter().map(|domain| name(domain)).collect();
    let dkim: Vec<_> = dkim.iter().map(|domain| Authentication::new(domain, Outcome::Pass)).collect();
    let spf = spf.as_ref().map(|domain| Authentication::new(domain, Outcome::Pass));
    evaluate(world, &Request { author_domain: &author, spf, dkim: &dkim }, reader).unwrap()
}

fn organizational(records: &[(&str, &str)], start: &str, reader: Reader) -> String {
    match organizational_domain(&world(records), &name(start), reader).unwrap() {
        Organizational::Domain(domain) => domain.to_text_without_dot(),
        Organizational::TempError(at) => format!("temperror at {}", at.to_text_without_dot()),
    }
}

/// Result, tag and disposition of a message that fails.
fn forged(world: &dyn Lookup, author: &str, reader: Reader) -> String {
    let found = message(world, author, None, &[], reader);
    let tag = found.discovery.effective.map_or("-", |effective| effective.tag);
    format!("{} {tag} {}", found.result, found.disposition)
}

#[test]
fn the_trace() {
    let world = world(&[
        ("_dmarc.example.com", "v=DMARC1; p=reject; sp=quarantine; np=reject; pct=25; adkim=s; x=\u{1b}[1m"),
        ("news.example.com", "A"),
    ]);
    let dkim = ["example.com", "esp.example"];
    insta::assert_snapshot!(message(&world, "news.example.com", Some("bounce.news.example.com"), &dkim, Rfc9989), @r#"
    RFC 9989 reader, author domain news.example.com
      _dmarc.news.example.com: no DMARC record
      _dmarc.example.com: v=DMARC1; p=reject; sp=quarantine; np=reject; adkim=s; pct=25; x=\u{1b}[1m
      _dmarc.com: no DMARC record
      organizational domain: example.com
      news.example.com exists
      policy: quarantine (sp of the organizational domain)
      SPF pass for bounce.news.example.com, aligned (relaxed)
      DKIM pass for example.com, not aligned (strict)
      DKIM pass for esp.example, not aligned (strict)
    pass
    "#);
    insta::assert_snapshot!(message(&world, "gone.example.com", None, &["example.com"], Rfc9989), @r#"
    RFC 9989 reader, author domain gone.example.com
      _dmarc.gone.example.com: no DMARC record
      _dmarc.example.com: v=DMARC1; p=reject; sp=quarantine; np=reject; adkim=s; pct=25; x=\u{1b}[1m
      _dmarc.com: no DMARC record
      organizational domain: example.com
      gone.example.com does not exist
      policy: reject (np of the organizational domain)
      DKIM pass for example.com, not aligned (strict)
    fail, disposition reject
    "#);
    insta::assert_snapshot!(message(&world, "gone.example.com", Some("esp.example"), &[], Rfc7489), @r#"
    RFC 7489 reader, author domain gone.example.com
      _dmarc.gone.example.com: no DMARC record
      _dmarc.example.com: v=DMARC1; p=reject; sp=quarantine; np=reject; adkim=s; pct=25; x=\u{1b}[1m
      organizational domain: example.com
      policy: quarantine (sp of the organizational domain), applied as quarantine for 25 %, none for the rest
      SPF pass for esp.example, not aligned (relaxed)
    fail, disposition quarantine for 25 %, none for the rest
    "#);
    let world = self::world(&[
        ("_dmarc.a.example.com", "v=DMARC1; p=none & v=DMARC1; p=reject"),
        ("_dmarc.example.com", "v=DMARC1; p=nine; rua=mailto:r@example.com"),
        ("_dmarc.com", "TEMPERROR"),
    ]);
    insta::assert_snapshot!(message(&world, "a.example.com", Some("example.com"), &[], Rfc9989), @"
    RFC 9989 reader, author domain a.example.com
      _dmarc.a.example.com: 2 DMARC records, all discarded
      _dmarc.example.com: v=DMARC1; p=nine; rua=mailto:r@example.com
      _dmarc.com: no answer from the DNS
      organizational domain: not known
      no policy
      `a.example.com` has 2 DMARC records: receivers discard all of them
      no answer from the DNS for _dmarc.com TXT
      SPF pass for example.com
    temperror
    ");
    insta::assert_snapshot!(message(&world, "a.example.com", Some("example.com"), &[], Rfc7489), @"
    RFC 7489 reader, author domain a.example.com
      _dmarc.a.example.com: 2 DMARC records, all discarded
      organizational domain: example.com
      no policy
      `a.example.com` has 2 DMARC records: receivers discard all of them
      SPF pass for example.com
    none
    ");
    insta::assert_snapshot!(message(&world, "example.com", None, &["a.example.com"], Rfc7489), @"
    RFC 7489 reader, author domain example.com
      _dmarc.example.com: v=DMARC1; p=nine; rua=mailto:r@example.com
      organizational domain: example.com
      policy: none (p of the author domain)
      the record of `example.com` counts as `p=none`: `p` is not valid
      DKIM pass for a.example.com, aligned (relaxed)
    pass
    ");
}

#[test]
fn a_long_author_domain_is_shortened() {
    let author = "a.b.c.d.e.f.g.h.example.com";
    let record = "v=DMARC1; p=reject";
    let asked = |records: &[(&str, &str)]| discover(&world(records), &name(author), Rfc9989).unwrap();
    let found = asked(&[("_dmarc.example.com", record)]);
    let visited: Vec<_> = found.visits.iter().map(|visit| visit.domain.label_count()).collect();
    assert_eq!(visited, [10, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(found.applied.unwrap().domain, name("example.com"));
    // In the middle nobody looks.
    let found = asked(&[("_dmarc.b.c.d.e.f.g.h.example.com", record), ("_dmarc.c.d.e.f.g.h.example.com", record)]);
    assert_eq!(found.applied, None);
    assert_eq!(found.organizational.domain(), Some(&name(author)));
    // One below a public suffix that the walk jumped to.
    let found = asked(&[("_dmarc.d.e.f.g.h.example.com", "v=DMARC1; p=none; psd=y")]);
    assert_eq!(found.organizational.domain(), Some(&name("c.d.e.f.g.h.example.com")));
    assert_eq!(found.applied.unwrap().place, Place::PublicSuffixDomain);
}

#[test]
fn public_suffixes_and_borders() {
    let (yes, no, plain) = ("v=DMARC1; p=reject; psd=y", "v=DMARC1; p=none; psd=n", "v=DMARC1; p=none");
    let bank = [("_dmarc.bank", yes)];
    assert_eq!(organizational(&bank, "a.b.my.bank", Rfc9989), "my.bank");
    assert_eq!(organizational(&bank, "my.bank", Rfc9989), "my.bank");
    assert_eq!(organizational(&bank, "bank", Rfc9989), "bank");
    // Who has no record of its own is under the suffix's; who has one is not.
    assert_eq!(forged(&world(&bank), "a.my.bank", Rfc9989), "fail p reject");
    assert_eq!(forged(&world(&[bank[0], ("_dmarc.my.bank", plain)]), "a.my.bank", Rfc9989), "fail p none");
    assert_eq!(forged(&world(&bank), "a.my.bank", Rfc7489), "none - none");
    let border = [("_dmarc.example.com", plain), ("_dmarc.dept.example.com", no)];
    assert_eq!(organizational(&border, "a.dept.example.com", Rfc9989), "dept.example.com");
    assert_eq!(organizational(&border, "a.dept.example.com", Rfc7489), "example.com");
    assert_eq!(organizational(&border, "other.example.com", Rfc9989), "example.com");
    // A record without `psd` in between is none.
    let between = [("_dmarc.example.com", plain), ("_dmarc.dept.example.com", plain)];
    assert_eq!(organizational(&between, "a.dept.example.com", Rfc9989), "example.com");
    // A tag twice: void, also for the walk. `psd` of no known value: `u`.
    let twice = [("_dmarc.example.com", plain), ("_dmarc.dept.example.com", "v=DMARC1; p=none; psd=n; psd=y")];
    assert_eq!(organizational(&twice, "a.dept.example.com", Rfc9989), "example.com");
    let odd = [("_dmarc.example.com", plain), ("_dmarc.dept.example.com", "v=DMARC1; p=none; psd=no")];
    assert_eq!(organizational(&odd, "a.dept.example.com", Rfc9989), "example.com");
    assert_eq!(organizational(&[], "a.dept.example.com", Rfc9989), "a.dept.example.com");
}

#[test]
fn several_records() {
    let records = [
        ("_dmarc.a.example.com", "v=DMARC1; p=reject & v=DMARC1; p=none"),
        ("_dmarc.example.com", "google-site-verification=x & v=DMARC1; p=quarantine & v=dmarc1; p=none"),
    ];
    let world = world(&records);
    // Discarded, the walk goes on; an RFC 7489 reader stops where it found any.
    assert_eq!(forged(&world, "a.example.com", Rfc9989), "fail p quarantine");
    assert_eq!(forged(&world, "a.example.com", Rfc7489), "none - none");
    for reader in Reader::ALL {
        assert_eq!(forged(&world, "example.com", reader), "fail p quarantine");
        let problems = discover(&world, &name("a.example.com"), reader).unwrap().problems;
        assert_eq!(problems[0].to_string(), "`a.example.com` has 2 DMARC records: receivers discard all of them");
    }
    // Their `psd` counts as little.
    let bordered = [records[1], ("_dmarc.a.example.com", "v=DMARC1; p=none; psd=n & v=DMARC1; p=none")];
    assert_eq!(organizational(&bordered, "x.a.example.com", Rfc9989), "example.com");
}

#[test]
fn subdomains_that_exist_and_that_do_not() {
    let with = |record: &str| {
        let world = world(&[
            ("_dmarc.example.com", record),
            ("there.example.com", "A"),
            ("empty.example.com", "NODATA"),
            ("alias.example.com", "CNAME gone.example.net"),
            ("_dmarc.own.example.com", "v=DMARC1; p=none; sp=reject; np=reject"),
        ]);
        let names = ["example.com", "there.example.com", "empty.example.com", "alias.example.com", "gone.example.com"];
        names.map(|author| forged(&world, author, Rfc9989)[5..].to_owned()).join(", ")
            + &format!(
                " | {} | {}",
                &forged(&world, "gone.example.com", Rfc7489)[5..],
                forged(&world, "own.example.com", Rfc9989)
            )
    };
    let own = "fail p none";
    let all = "p reject, p reject, p reject, p reject, p reject";
    assert_eq!(with("v=DMARC1; p=reject"), format!("{all} | p reject | {own}"));
    let sub = "sp none, sp none, sp none, sp none";
    assert_eq!(with("v=DMARC1; p=reject; sp=none"), format!("p reject, {sub} | sp none | {own}"));
    let sub = "sp none, sp none, sp none, np quarantine";
    assert_eq!(with("v=DMARC1; p=reject; sp=none; np=quarantine"), format!("p reject, {sub} | sp none | {own}"));
    let sub = "p none, p none, p none, np reject";
    assert_eq!(with("v=DMARC1; p=none; np=reject"), format!("p none, {sub} | p none | {own}"));
    // A faulty `np` makes the record void for those who know the tag.
    let text = with("v=DMARC1; p=reject; np=yes");
    assert!(text.starts_with("rror - none") && text.contains("| p reject |"), "{text}");
}

#[test]
fn test_mode_and_percentage() {
    for (record, new, old) in [
        ("p=reject; t=y", "quarantine", "reject"),
        ("p=quarantine; t=Y", "none", "quarantine"),
        ("p=none; t=y", "none", "none"),
        ("p=reject; pct=40", "reject", "reject for 40 %, quarantine for the rest"),
        ("p=quarantine; pct=1", "quarantine", "quarantine for 1 %, none for the rest"),
        ("p=reject; pct=0", "reject", "quarantine"),
        ("p=reject; pct=100", "reject", "reject"),
        ("p=reject; pct=101", "reject", "reject"),
        ("p=none; pct=50", "none", "none"),
        ("p=reject; t=y; pct=0", "quarantine", "quarantine"),
        ("p=reject; psd=x; t=x", "reject", "reject"),
    ] {
        let world = world(&[("_dmarc.example.com", &format!("v=DMARC1; {record}"))]);
        assert_eq!(forged(&world, "example.com", Rfc9989), format!("fail p {new}"), "{record}");
        assert_eq!(forged(&world, "example.com", Rfc7489), format!("fail p {old}"), "{record}");
    }
}

#[test]
fn alignment_by_both_modes() {
    let world = world(&[
        ("_dmarc.example.com", "v=DMARC1; p=reject"),
        ("_dmarc.dept.example.com", "v=DMARC1; p=reject; psd=n"),
        ("_dmarc.example.co.uk", "v=DMARC1; p=reject"),
    ]);
    let check = |author: &str, other: &str, mode, reader| {
        aligned(&world, &name(author), &name(other), mode, reader).unwrap() == Aligned::Yes
    };
    for (author, other, relaxed, by_list) in [
        ("example.com", "EXAMPLE.com", true, true),
        ("example.com", "mail.example.com", true, true),
        ("a.example.com", "b.c.example.com", true, true),
        ("example.com", "example.net", false, false),
        ("example.com", "badexample.com", false, false),
        ("example.com", "com", false, false),
        ("x.dept.example.com", "dept.example.com", true, true),
        // `psd=n` draws a border that the list does not know.
        ("x.dept.example.com", "example.com", false, true),
        ("example.com", "x.dept.example.com", false, true),
        ("a.example.co.uk", "example.co.uk", true, true),
        ("example.co.uk", "other.co.uk", false, false),
        // Nobody has a record: two names without one are two organizations to the walk.
        ("a.example.org", "b.example.org", false, true),
    ] {
        assert_eq!(check(author, other, Alignment::Relaxed, Rfc9989), relaxed, "{author} {other}");
        assert_eq!(check(author, other, Alignment::Relaxed, Rfc7489), by_list, "{author} {other}");
        let strict = author.eq_ignore_ascii_case(other);
        for reader in Reader::ALL {
            assert_eq!(check(author, other, Alignment::Strict, reader), strict, "{author} {other}");
        }
    }
    let found = message(&world, "example.com", Some("esp.example"), &["esp.example", "m.example.com"], Rfc9989);
    assert_eq!((found.result, found.spf_aligned, found.dkim_aligned), (DmarcResult::Pass, false, true));
    assert_eq!(found.disposition.policy, Policy::None);
}

#[test]
fn aliases() {
    let world = world(&[
        ("_dmarc.example.com", "CNAME example.com._dmarc.host.example"),
        ("example.com._dmarc.host.example", "v=DMARC1; p=quarantine; sp=none"),
        ("_dmarc.loop.example", "CNAME _dmarc.loop.example"),
        ("_dmarc.gone.example", "CNAME _dmarc.nowhere.example"),
    ]);
    assert_eq!(forged(&world, "example.com", Rfc9989), "fail p quarantine");
    assert_eq!(forged(&world, "a.example.com", Rfc7489), "fail sp none");
    assert_eq!(forged(&world, "loop.example", Rfc9989), "temperror - none");
    assert_eq!(forged(&world, "gone.example", Rfc9989), "none - none");
}

#[test]
fn temporary_errors() {
    let record = "v=DMARC1; p=reject";
    let failing = world(&[("_dmarc.a.example.com", "TEMPERROR"), ("_dmarc.example.com", record)]);
    for reader in Reader::ALL {
        assert_eq!(forged(&failing, "a.example.com", reader), "temperror - none");
    }
    // The author's own record is enough for the policy; relaxed alignment needs the whole walk.
    let above = world(&[("_dmarc.a.example.com", record), ("_dmarc.example.com", "TEMPERROR")]);
    assert_eq!(forged(&above, "a.example.com", Rfc9989), "fail p reject");
    let of = |spf: &str, reader| message(&above, "a.example.com", Some(spf), &[], reader).result;
    assert_eq!(of("a.example.com", Rfc9989), DmarcResult::Pass);
    assert_eq!(of("b.example.com", Rfc9989), DmarcResult::TempError);
    assert_eq!(of("b.example.com", Rfc7489), DmarcResult::Pass);
    assert_eq!(of("b.example.net", Rfc9989), DmarcResult::Fail);
    // Whether the name exists has no effect on a message that passes.
    let exists = world(&[("_dmarc.example.com", "v=DMARC1; p=none; np=reject"), ("a.example.com", "TEMPERROR")]);
    assert_eq!(forged(&exists, "a.example.com", Rfc9989), "temperror - none");
    assert_eq!(message(&exists, "a.example.com", Some("example.com"), &[], Rfc9989).result, DmarcResult::Pass);
    // An authentication that might have passed.
    let (author, other) = (name("example.com"), name("example.net"));
    let result = |domain, outcome| {
        let world = world(&[("_dmarc.example.com", record)]);
        let dkim = [Authentication::new(domain, outcome)];
        evaluate(&world, &Request { author_domain: &author, spf: None, dkim: &dkim }, Rfc9989).unwrap().result
    };
    assert_eq!(result(&author, Outcome::TempError), DmarcResult::TempError);
    assert_eq!(result(&other, Outcome::TempError), DmarcResult::Fail);
    assert_eq!(result(&author, Outcome::Fail), DmarcResult::Fail);
}

/// The open questions, round by round.
fn rounds(world: &dyn Lookup, run: impl Fn(&Answers) -> Result<(), mailzone_mailauth::lookup::Pending>) -> Vec<String> {
    let mut answers = Answers::default();
    let mut rounds = Vec::new();
    while let Err(pending) = run(&answers) {
        let shown = pending.questions.iter().map(|q| format!("{} {}", q.name.to_text_without_dot(), q.rtype));
        rounds.push(shown.collect::<Vec<_>>().join(", "));
        for question in pending.questions {
            assert_eq!(answers.lookup(&question.name, question.rtype), Answer::Unknown, "asked twice");
            let answer = world.lookup(&question.name, question.rtype);
            answers.insert(question.name, question.rtype, answer);
        }
    }
    rounds
}

#[test]
fn what_is_asked_in_each_round() {
    let world = world(&[("_dmarc.example.com", "v=DMARC1; p=none; sp=none; np=reject")]);
    let (author, spf, esp) = (name("a.example.com"), name("b.example.com"), name("esp.example"));
    let dkim = [Authentication::new(&esp, Outcome::Pass), Authentication::new(&spf, Outcome::Fail)];
    let request = Request { author_domain: &author, spf: Some(Authentication::new(&spf, Outcome::Pass)), dkim: &dkim };
    let asked = |reader| rounds(&world, |answers| evaluate(answers, &request, reader).map(|_| ())).join("\n");
    insta::assert_snapshot!(asked(Rfc9989), @"
    _dmarc.a.example.com TXT, _dmarc.example.com TXT, _dmarc.com TXT, _dmarc.b.example.com TXT
    a.example.com A
    ");
    insta::assert_snapshot!(asked(Rfc7489), @"_dmarc.a.example.com TXT, _dmarc.example.com TXT");
    let uri = ReportUri::new("mailto:r@reports.example");
    let consent = |answers: &Answers| report_authorisation(answers, &author, &uri, Rfc9989).map(|_| ());
    insta::assert_snapshot!(rounds(&world, consent).join("\n"), @"a.example.com._report._dmarc.reports.example TXT");
}

#[test]
fn consent_to_reports() {
    let world = world(&[
        ("_dmarc.example.com", "v=DMARC1; p=none"),
        ("example.com._report._dmarc.plain.example", "v=DMARC1"),
        ("example.com._report._dmarc.several.example", "v=DMARC1; & x & v=DMARC1; rua=mailto:b@several.example"),
        ("example.com._report._dmarc.moved.example", "v=DMARC1; rua=mailto:x@MOVED.example,mailto:y@far.example"),
        ("example.com._report._dmarc.wrong.example", "v=DMARC2 & DMARC1"),
        ("example.com._report._dmarc.failed.example", "TEMPERROR"),
    ]);
    let of = |uri: &str| report_authorisation(&world, &name("example.com"), &ReportUri::parse(uri), Rfc9989).unwrap();
    let given = |uri: &str| match of(uri) {
        Consent::Given { instead, ignored, .. } => format!("{instead:?} {ignored:?}").matches("mailto:").count(),
        other => panic!("{other:?}"),
    };
    assert_eq!(of("mailto:r@example.com"), Consent::NotNeeded);
    assert_eq!(of("mailto:r@mail.example.com"), Consent::NotNeeded);
    assert_eq!(given("mailto:r@plain.example"), 0);
    assert_eq!(given("mailto:r@several.example"), 1);
    match of("mailto:r@moved.example!10m") {
        Consent::Given { instead, ignored, owner } => {
            assert_eq!(instead, [ReportUri::new("mailto:x@MOVED.example")]);
            assert_eq!(ignored, [ReportUri::new("mailto:y@far.example")]);
            assert_eq!(owner, name("example.com._report._dmarc.moved.example"));
        }
        other => panic!("{other:?}"),
    }
    let missing = |host: &str| Consent::Missing { owner: name(&format!("example.com._report._dmarc.{host}")) };
    assert_eq!(of("mailto:r@wrong.example"), missing("wrong.example"));
    assert_eq!(of("https://none.example/x"), missing("none.example"));
    assert!(!of("https://none.example/x").is_enough() && of("mailto:r@plain.example").is_enough());
    assert_eq!(of("mailto:nobody"), Consent::NoHost);
    let owner = name("example.com._report._dmarc.failed.example");
    assert_eq!(of("mailto:r@failed.example"), Consent::TempError(owner, RecordType::TXT));
    let long = format!("mailto:r@{}.example", vec!["a".repeat(60); 4].join("."));
    assert_eq!(of(&long), Consent::Impossible);
}

fn vectors(key: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../../../../tests/fixtures/dmarc/records.json")).unwrap();
    all[key].as_array().unwrap().clone()
}

/// The domains that a record at `example.com` is held against: itself, a sub-domain that exists, one that does not.
const AUTHORS: [&str; 3] = ["example.com", "there.example.com", "gone.example.com"];

fn published(record: &str) -> Answers {
    let mut answers = world(&[("there.example.com", "A")]);
    let value = Rdata::Txt(Txt::from_text(record));
    answers.insert(name("_dmarc.example.com"), RecordType::TXT, Answer::records([value], Ttl::ZERO));
    answers
}

#[test]
fn strings_of_opendmarc() {
    let mut deviations = Vec::new();
    for vector in vectors("parse_opendmarc") {
        let text = vector["record"].as_str().unwrap();
        let world = published(text);
        let policy = text.split(';').find_map(|tag| tag.trim().strip_prefix("p=")).unwrap_or("");
        let expected = match vector["rfc9989_reading"].as_str().unwrap() {
            "not a DMARC record" => "none - none".to_owned(),
            reading if reading.contains("no DMARC processing") => "permerror - none".to_owned(),
            reading => {
                let falls_back = ["valid", "falls back to r", "ignored"].iter().any(|end| reading.ends_with(end));
                assert!(falls_back, "{reading}");
                format!("fail p {policy}")
            }
        };
        for author in AUTHORS {
            assert_eq!(forged(&world, author, Rfc9989), expected, "{text}");
        }
        if text.contains("=bob") && expected.starts_with("fail") {
            let modes = discover(&world, &name("example.com"), Rfc9989).unwrap().modes.unwrap();
            assert_eq!((modes.adkim, modes.aspf), (Alignment::Relaxed, Alignment::Relaxed));
        }
        let taken = forged(&world, "example.com", Rfc7489).starts_with("fail");
        if taken != (vector["opendmarc"] == "okay") {
            deviations.push(text.to_owned());
        }
    }
    // Each explained in the manual, "How DMARC is evaluated".
    insta::assert_snapshot!(deviations.join("\n"), @"
    v=DMARC1; p=n;
    v=DMARC1; p=none; adkim=bob;
    v=DMARC1; p=none; aspf=bob;
    v=DMARC1; p=none; rf=bob;
    v=DMARC1; p=none; ri=bob;
    v=DMARC1; p=none; pct=500;
    v=DMARC1; p=none; rf=000000000000000000000000000000000
    ");
}

#[test]
fn records_of_mail_auth() {
    for vector in vectors("parse_mail_auth") {
        let (text, expect) = (vector["record"].as_str().unwrap(), &vector["expect"]);
        let world = published(text);
        for (author, tag) in AUTHORS.into_iter().zip(["p", "sp", "np"]) {
            let found = discover(&world, &name(author), Rfc9989).unwrap();
            let (effective, modes) = (found.effective.unwrap(), found.modes.unwrap());
            assert_eq!(effective.policy.as_str(), expect[tag], "{text} {author}");
            assert_eq!(modes.adkim.as_str(), expect["adkim"]);
            assert_eq!(modes.aspf.as_str(), expect["aspf"]);
            assert_eq!(effective.is_weakened(), expect["t"] == "y", "{text}");
            let suffix = found.applied.unwrap().place == Place::PublicSuffixDomain;
            assert_eq!(suffix, expect["psd"] == "y" && author != "example.com");
        }
    }
}

#[test]
fn equal_records_give_equal_results() {
    for vector in vectors("equality") {
        let [a, b] = ["a", "b"].map(|side| published(vector[side].as_str().unwrap()));
        let results = |world: &Answers| {
            let all = AUTHORS.iter().flat_map(|author| Reader::ALL.map(|reader| (author, reader)));
            all.map(|(author, reader)| {
                let found = message(world, author, Some("mail.example.com"), &[], reader);
                (
                    found.result,
                    found.policy,
                    forged(world, author, reader)[4..].replace("sp ", "p ").replace("np ", "p "),
                )
            })
            .collect::<Vec<_>>()
        };
        if vector["equal"] == true {
            assert_eq!(results(&a), results(&b), "{}", vector["why"]);
        }
        // What is no record in one is none here, whatever the other is.
        for side in ["a", "b"] {
            let text = vector[side].as_str().unwrap();
            let none = results(&published(text)).iter().all(|(result, ..)| *result == DmarcResult::None);
            assert_eq!(none, !text.starts_with("v=DMARC1"), "{text}");
        }
    }
}

fn labels(most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec("[ab]", 1..=most).prop_map(|labels| labels.join("."))
}

fn tags() -> impl Strategy<Value = String> {
    let tag = prop::sample::select(vec![
        "p=none",
        "p=quarantine",
        "p=reject",
        "p=x",
        "sp=none",
        "sp=reject",
        "np=reject",
        "np=y",
        "psd=y",
        "psd=n",
        "psd=u",
        "t=y",
        "pct=0",
        "pct=50",
        "adkim=s",
        "aspf=s",
        "rua=mailto:r@b.a",
        "x",
    ]);
    prop::collection::vec(tag, 0..5).prop_map(|tags| format!("v=DMARC1; {}", tags.join("; ")))
}

fn values() -> impl Strategy<Value = Answer> {
    let octets = prop::collection::vec(any::<u8>(), 0..40);
    let text = prop_oneof![6 => tags().prop_map(String::into_bytes), 1 => octets.clone(), 1 => octets.prop_map(|mut octets| {
        octets.splice(..0, *b"v=DMARC1;");
        octets
    })];
    let texts = prop::collection::vec(text, 0..3)
        .prop_map(|texts| Answer::records(texts.into_iter().map(|text| Rdata::Txt(Txt::from_text(text))), Ttl::ZERO));
    prop_oneof![8 => texts, 1 => Just(Answer::NoData), 1 => Just(Answer::TempError)]
}

/// A world of few names, most of them with records.
fn worlds() -> impl Strategy<Value = Answers> {
    let policies = prop::collection::vec((labels(11), values()), 0..12);
    let hosts = prop::collection::vec((labels(3), prop::sample::select(vec![Answer::NoData, Answer::TempError])), 0..4);
    (policies, hosts).prop_map(|(policies, hosts)| {
        let mut answers = Answers::otherwise(Answer::NxDomain);
        for (domain, answer) in policies {
            answers.insert(name(&format!("_dmarc.{domain}")), RecordType::TXT, answer);
        }
        for (host, answer) in hosts {
            answers.insert(name(&host), RecordType::A, answer);
        }
        answers
    })
}

proptest! {
    #[test]
    fn a_walk_is_short_and_ends_at_or_above_its_start(world in worlds(), start in labels(14)) {
        let start = name(&start);
        for reader in Reader::ALL {
            let recorder = Recorder::new(&world);
            let found = organizational_domain(&recorder, &start, reader).unwrap();
            if let Organizational::Domain(domain) = &found {
                prop_assert!(start.is_at_or_below(domain) && !domain.is_root());
            }
            prop_assert!(recorder.into_answers().len() <= WALK);
            let recorder = Recorder::new(&world);
            let discovery = discover(&recorder, &start, reader).unwrap();
            let records = recorder.into_answers().iter().filter(|(_, rtype, _)| *rtype == RecordType::TXT).count();
            prop_assert!(records <= WALK && discovery.visits.len() <= WALK);
            prop_assert_eq!(&discovery.organizational, &found);
            prop_assert!(discovery.applied.is_none_or(|applied| start.is_at_or_below(&applied.domain)));
        }
    }

    #[test]
    fn every_world_comes_to_the_same_end_from_no_answer_at_all(
        world in worlds(),
        author in labels(6),
        spf in labels(6),
        dkim in labels(6),
        outcome in prop::sample::select(vec![Outcome::Pass, Outcome::Fail, Outcome::TempError]),
    ) {
        let (author, spf, dkim) = (name(&author), name(&spf), name(&dkim));
        let dkim = [Authentication::new(&dkim, outcome)];
        let spf = Some(Authentication::new(&spf, Outcome::Pass));
        let request = Request { author_domain: &author, spf, dkim: &dkim };
        for reader in Reader::ALL {
            let whole = evaluate(&world, &request, reader).unwrap();
            let rounds = rounds(&world, |answers| match evaluate(answers, &request, reader) {
                Ok(found) => { assert_eq!(found, whole); Ok(()) }
                Err(pending) => Err(pending),
            });
            prop_assert!(rounds.len() <= 2, "{rounds:?}");
            let text = whole.to_string();
            prop_assert!(text.bytes().all(|octet| octet.is_ascii_graphic() || octet == b' ' || octet == b'\n'));
            prop_assert!(whole.result == DmarcResult::Fail || whole.disposition.policy == Policy::None);
            prop_assert_eq!(whole.result == DmarcResult::Pass, whole.spf_aligned || whole.dkim_aligned);
        }
    }

    #[test]
    fn both_readers_agree_where_only_the_organization_has_a_record(
        suffix in prop::sample::select(vec!["com", "co.uk", "no-such-suffix"]),
        below in prop::collection::vec(prop::option::of(labels(4)), 3),
        spf in any::<bool>(),
        p in prop::sample::select(&Policy::ALL[..]),
        sp in prop::option::of(prop::sample::select(&Policy::ALL[..])),
        modes in prop::sample::select(vec!["", "; adkim=s", "; aspf=s", "; adkim=s; aspf=s"]),
    ) {
        let domain = |prefix: &Option<String>, org: &str| match prefix {
            Some(prefix) => format!("{prefix}.{org}.{suffix}"),
            None => format!("{org}.{suffix}"),
        };
        let sp = sp.map_or(String::new(), |sp| format!("; sp={}", sp.as_str()));
        let record = format!("v=DMARC1; p={}{sp}{modes}", p.as_str());
        let world = world(&[(&format!("_dmarc.{}", domain(&None, "example")), &record)]);
        let (author, own) = (domain(&below[0], "example"), domain(&below[1], "example"));
        let foreign = domain(&below[2], "other");
        let envelope = if spf { &own } else { &foreign };
        let [new, old] = Reader::ALL.map(|reader| message(&world, &author, Some(envelope), &[&foreign, &own], reader));
        prop_assert_eq!(&new.discovery.organizational, &old.discovery.organizational);
        prop_assert_eq!(new.checked, old.checked);
        prop_assert_eq!((new.result, new.policy, new.disposition), (old.result, old.policy, old.disposition));
        prop_assert_ne!(new.result, DmarcResult::None);
    }
}
