//! Single points of the evaluation that the suite leaves open, and what a person reads.

use std::net::IpAddr;

use mailzone_mailauth::lookup::{Answer, Answers, Overlay, ZoneData};
use mailzone_mailauth::spf::{Evaluation, Evaluator, Limits, ProblemKind, Request, SpfResult, check};
use mailzone_record::{RRset, Rdata, RecordType, Ttl, Txt, parse_rdata_text};

use crate::suite::name;

/// All that there is: owner, type, values with ` & ` between them.
fn world(records: &[(&str, &str, &str)]) -> Answers {
    let mut answers = Answers::otherwise(Answer::NxDomain);
    put(&mut answers, records);
    answers
}

fn put(answers: &mut Answers, records: &[(&str, &str, &str)]) {
    for (owner, rtype, data) in records {
        let rtype: RecordType = rtype.parse().unwrap();
        let values = data.split(" & ").map(|data| parse_rdata_text(rtype, data, None).unwrap());
        answers.insert(name(owner), rtype, Answer::records(values, Ttl::ZERO));
    }
}

fn evaluate(ip: &str, mail_from: &str, records: &[(&str, &str, &str)]) -> Evaluation {
    let ip: IpAddr = ip.parse().unwrap();
    check(&Request::new(ip, "mail.example.com", mail_from), &world(records)).unwrap()
}

#[test]
fn the_path_of_a_client() {
    let records = [
        (
            "example.com",
            "TXT",
            "\"v=spf1 mx include:_spf.one.example -exists:%{ir}.bl.example include:two.example -all\"",
        ),
        ("example.com", "MX", "10 mx.example.com."),
        ("mx.example.com", "A", "192.0.2.25"),
        ("_spf.one.example", "TXT", "\"v=spf1 ip4:198.51.100.0/24 ~all\""),
        ("two.example", "TXT", "\"v=spf1 redirect=%{d2}.three.example\""),
        ("two.example.three.example", "TXT", "\"v=spf1 ip4:203.0.113.0/24 ?all\""),
    ];
    let found = evaluate("203.0.113.7", "a@example.com", &records);
    assert_eq!((found.result, found.lookups, found.void_lookups), (SpfResult::Pass, 5, 1));
    insta::assert_snapshot!(found.trace, @"
    example.com: v=spf1 mx include:_spf.one.example -exists:%{ir}.bl.example include:two.example -all -> pass
      mx (example.com): no match
      include:_spf.one.example: no match
        _spf.one.example: v=spf1 ip4:198.51.100.0/24 ~all -> softfail
          ip4:198.51.100.0/24: no match
          ~all: match
      -exists:%{ir}.bl.example (7.113.0.203.bl.example): no match
      include:two.example: match
        two.example: v=spf1 redirect=%{d2}.three.example -> pass
          redirect=%{d2}.three.example (two.example.three.example): followed
            two.example.three.example: v=spf1 ip4:203.0.113.0/24 ?all -> pass
              ip4:203.0.113.0/24: match
    ");
    let (domain, term) = found.trace.decided().unwrap();
    assert_eq!(format!("{domain} {term}"), "example.com. include:two.example");
    let (domain, term) = evaluate("203.0.113.7", "a@two.example", &records)
        .trace
        .decided()
        .map(|(d, t)| (d.to_string(), t.to_string()))
        .unwrap();
    assert_eq!((domain.as_str(), term.as_str()), ("two.example.three.example.", "ip4:203.0.113.0/24"));
    assert_eq!(
        evaluate("192.0.2.1", "a@example.com", &[("example.com", "TXT", "\"v=spf1 mx\"")]).trace.decided(),
        None
    );
}

#[test]
fn problems_name_the_term() {
    let show = |records: &[(&str, &str, &str)]| {
        let found = evaluate("192.0.2.1", "a@example.com", records);
        let problem = found.problem.unwrap();
        let term = problem.term.as_ref().map(|(text, span)| format!(" `{text}` at {}", span.start)).unwrap_or_default();
        format!("{} in {}{term}: {problem} ({})", found.result, problem.domain, problem.kind.remedy())
    };
    let lines = [
        show(&[]),
        show(&[("example.com", "TXT", "\"hello\"")]),
        show(&[("example.com", "TXT", "\"v=spf1\" & \"v=spf1 -all\"")]),
        show(&[("example.com", "TXT", "\"v=spf1 mx ipv4:192.0.2.9 -all\"")]),
        show(&[("example.com", "TXT", "\"v=spf1 a include:Nothing.example -all\"")]),
        show(&[
            ("example.com", "TXT", "\"v=spf1 include:two.example\""),
            ("two.example", "TXT", "\"v=spf1 redirect=none.example\""),
        ]),
        show(&[("example.com", "TXT", "\"v=spf1 a:a.example a:b.example a:c.example\"")]),
        show(&[("example.com", "TXT", "\"v=spf1 include:example.com\"")]),
    ];
    insta::assert_snapshot!(lines.join("\n"), @"
    none in example.com: the domain does not exist (check the spelling of the domain, and that it is registered and delegated)
    none in example.com: no SPF record (publish a TXT record that starts with `v=spf1`)
    permerror in example.com: 2 SPF records at one name (keep one record and merge the terms into it)
    permerror in example.com `ipv4:192.0.2.9` at 10: no mechanism is called `ipv4` (write `ip4:192.0.2.9`)
    permerror in example.com `include:nothing.example` at 9: `nothing.example` has no SPF record (publish a record there, or take the term out)
    permerror in two.example `redirect=none.example` at 7: `none.example` has no SPF record (publish a record there, or take the term out)
    permerror in example.com `a:c.example` at 31: more than 2 void look-ups (drop the terms whose names have no records)
    permerror in example.com `include:example.com` at 7: the record of `example.com` leads back to itself (take out the term that leads back)
    ");
}

#[test]
fn domains_that_cannot_be_checked() {
    let records = [("xn--bcher-kva.example", "TXT", "\"v=spf1 exists:%{o}.%{d1r} -all\"")];
    for (mail_from, expected) in [
        ("a@b\u{fc}cher.example", SpfResult::Fail),
        ("a@xn--bcher-kva.example.", SpfResult::Fail),
        ("a@b\u{fc}cher..example", SpfResult::None),
        ("a@[192.0.2.1]", SpfResult::None),
        ("a@localhost", SpfResult::None),
        ("a@a\\.b", SpfResult::None),
        ("a@", SpfResult::None),
    ] {
        let found = evaluate("192.0.2.1", mail_from, &records);
        assert_eq!(found.result, expected, "{mail_from}");
    }
    let long = format!("a@{}example.com", "abcdef.".repeat(40));
    let found = evaluate("192.0.2.1", &long, &[]);
    assert_eq!(found.problem.unwrap().kind, ProblemKind::MalformedDomain);
}

#[test]
fn families() {
    let records = [
        ("example.com", "TXT", "\"v=spf1 mx -all\""),
        ("example.com", "MX", "10 four.example. & 20 both.example. & 30 gone.example."),
        ("four.example", "A", "192.0.2.1"),
        ("both.example", "A", "192.0.2.2"),
        ("both.example", "AAAA", "2001:db8::2"),
    ];
    for (ip, expected) in [
        ("192.0.2.2", SpfResult::Pass),
        ("::ffff:192.0.2.2", SpfResult::Pass),
        ("2001:db8::2", SpfResult::Pass),
        ("2001:db8::3", SpfResult::Fail),
    ] {
        let found = evaluate(ip, "a@example.com", &records);
        // Exchangers of one family only are no void look-ups of the term.
        assert_eq!((found.result, found.void_lookups), (expected, 0), "{ip}");
    }
    let null = [("example.com", "TXT", "\"v=spf1 mx -all\""), ("example.com", "MX", "0 .")];
    let found = evaluate("192.0.2.2", "a@example.com", &null);
    assert_eq!((found.result, found.void_lookups), (SpfResult::Fail, 0));
}

#[test]
fn limits_can_be_other() {
    let text = (0..11).map(|n| format!(" a:a{n}.example")).collect::<String>();
    let answers = world(&[("example.com", "TXT", &format!("\"v=spf1{text} ~all\""))]);
    let request = Request::new([192, 0, 2, 1].into(), "h.example", "a@example.com");
    let with = |limits| Evaluator::new(&answers).with_limits(limits).check(&request).unwrap();
    assert_eq!(with(Limits::default()).problem.unwrap().kind, ProblemKind::VoidLookups(2));
    let patient = Limits { void_lookups: 10, ..Limits::default() };
    assert_eq!(with(patient).problem.unwrap().kind, ProblemKind::Lookups(10));
    assert_eq!(with(Limits { lookups: 11, void_lookups: 11, ..patient }).result, SpfResult::SoftFail);
}

#[test]
fn what_is_open_is_asked_together_and_no_more() {
    let mut answers = Answers::default();
    let open = |answers: &Answers| {
        let request = Request::new([192, 0, 2, 1].into(), "h.example", "a@example.com");
        let questions = check(&request, answers).unwrap_err().questions;
        questions.iter().map(|q| format!("{} {}", q.name, q.rtype)).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(open(&answers), "example.com. TXT");
    let text =
        "\"v=spf1 a mx include:one.example exists:%{p}.example a ip4:192.0.2.1 a:late.example -all exp=x.example\"";
    put(&mut answers, &[("example.com", "TXT", text)]);
    // What stands behind the network that matches has no effect.
    assert_eq!(open(&answers), "example.com. A, example.com. MX, one.example. TXT, 1.2.0.192.in-addr.arpa. PTR");
    put(&mut answers, &[("example.com", "MX", "10 m1.example. & 20 m2.example."), ("example.com", "A", "192.0.2.9")]);
    put(&mut answers, &[("one.example", "TXT", "\"v=spf1 ?all\"")]);
    assert_eq!(open(&answers), "m1.example. A, m2.example. A, 1.2.0.192.in-addr.arpa. PTR");
    put(&mut answers, &[("m1.example", "A", "192.0.2.8"), ("m2.example", "A", "192.0.2.1")]);
    let request = Request::new([192, 0, 2, 1].into(), "h.example", "a@example.com");
    assert_eq!(check(&request, &answers).unwrap().result, SpfResult::Pass);
}

#[test]
fn planned_records_over_live_ones() {
    let live = world(&[
        ("example.com", "TXT", "\"v=spf1 include:_spf.example.net ~all\""),
        ("_spf.example.net", "TXT", "\"v=spf1 ip4:192.0.2.0/24 -all\""),
    ]);
    let text = parse_rdata_text(RecordType::TXT, "\"v=spf1 -all\"", None).unwrap();
    let planned = [RRset::new(name("example.com"), RecordType::TXT, None, vec![text.into()])];
    let overlay = Overlay { over: ZoneData::new(name("example.com"), &planned), base: &live };
    let request = Request::new([192, 0, 2, 1].into(), "h.example", "a@example.com");
    assert_eq!(check(&request, &live).unwrap().result, SpfResult::Pass);
    assert_eq!(check(&request, &overlay).unwrap().result, SpfResult::Fail);
}

#[test]
fn a_strangers_text_is_escaped_in_problems() {
    let mut answers = Answers::otherwise(Answer::NxDomain);
    let record = Rdata::Txt(Txt::from_text("v=spf1 a:\u{1b}[31m\u{202e}x.example -all"));
    answers.insert(name("example.com"), RecordType::TXT, Answer::records([record], Ttl::ZERO));
    let record = Rdata::Txt(Txt::from_text("v=spf1 include:%{h} -all"));
    answers.insert(name("two.example"), RecordType::TXT, Answer::records([record], Ttl::ZERO));
    for (mail_from, helo) in [
        ("a@example.com", "h.example"),
        ("a@two.example", "\u{1b}]0;x\u{7}.example"),
        ("a@two.example", "\u{e9}\r\n.example"),
        ("a@\r\nb..c", "h.example"),
    ] {
        let found = check(&Request::new([192, 0, 2, 1].into(), helo, mail_from), &answers).unwrap();
        let problem = found.problem.unwrap();
        let text = format!("{} {problem} {:?}{}", problem.domain, problem.term, found.trace);
        assert!(text.bytes().all(|octet| octet.is_ascii_graphic() || octet == b' ' || octet == b'\n'), "{text:?}");
        assert!(!problem.to_string().contains('\n') && !problem.domain.contains('\n'));
    }
}
