//! Zones made to hurt: every evaluation ends, within the limits, after a stated number of questions.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mailzone_mailauth::lookup::{ALIASES, Answer, Answers, Lookup};
use mailzone_mailauth::spf::{
    COUNTED_TERMS, EXPLANATION_LIMIT, Evaluation, ProblemKind, Record, Request, SpfResult, check, cost,
};
use mailzone_record::{Mx, Name, Rdata, RecordType, Ttl, Txt};
use proptest::prelude::*;

use crate::suite::name;

/// Counts what is asked.
struct Counting<L>(L, Cell<usize>);

impl<L: Lookup> Lookup for Counting<L> {
    fn lookup(&self, name: &Name, rtype: RecordType) -> Answer {
        self.1.set(self.1.get() + 1);
        self.0.lookup(name, rtype)
    }
}

/// Answers made on the spot.
struct Made<F>(F);

impl<F: Fn(&Name, RecordType) -> Answer> Lookup for Made<F> {
    fn lookup(&self, name: &Name, rtype: RecordType) -> Answer {
        (self.0)(name, rtype)
    }
}

fn txt(text: impl AsRef<[u8]>) -> Answer {
    Answer::records([Rdata::Txt(Txt::from_text(text))], Ttl::ZERO)
}

fn request() -> Request<'static> {
    Request::new(Ipv4Addr::new(192, 0, 2, 1).into(), "mail.example.com", "someone@example.com")
}

fn evaluate(made: impl Fn(&Name, RecordType) -> Answer) -> (Evaluation, usize) {
    let counting = Counting(Made(made), Cell::new(0));
    let found = check(&request(), &counting).unwrap();
    (found, counting.1.get())
}

/// A driver from no answer at all: the evaluation, and how many questions were asked.
fn drive(request: &Request<'_>, world: &dyn Lookup) -> (Evaluation, usize) {
    let mut answers = Answers::default();
    loop {
        match check(request, &answers) {
            Ok(found) => return (found, answers.len()),
            Err(pending) => {
                let before = answers.len();
                for question in pending.questions {
                    let answer = world.lookup(&question.name, question.rtype);
                    answers.insert(question.name, question.rtype, answer);
                }
                assert!(answers.len() > before, "asked again what was answered");
            }
        }
    }
}

#[test]
fn includes_without_end() {
    // Each name includes another one below itself.
    let made = |_: &Name, rtype| match rtype {
        RecordType::TXT => txt("v=spf1 include:a.%{d} -all"),
        _ => Answer::NxDomain,
    };
    let (found, asked) = evaluate(made);
    assert_eq!(found.problem.unwrap().kind, ProblemKind::Lookups(10));
    assert_eq!((found.result, found.lookups, asked), (SpfResult::PermError, 11, 11));
    assert_eq!(cost(&name("example.com"), &Made(made)).unwrap().lookups, COUNTED_TERMS);
    // Ten at each level.
    let wide = |_: &Name, rtype| match rtype {
        RecordType::TXT => {
            txt(format!("v=spf1{}", (0..10).map(|n| format!(" include:i{n}.%{{d}}")).collect::<String>()))
        }
        _ => Answer::NxDomain,
    };
    let (found, asked) = drive(&request(), &Made(wide));
    assert_eq!((found.result, asked), (SpfResult::PermError, 56));
    let tree = cost(&name("example.com"), &Made(wide)).unwrap();
    assert!(tree.truncated);
}

/// What a zone can make a driver ask that answers all open questions at a time: `docs/spf-evaluation.md` has these figures.
#[test]
fn the_most_questions() {
    let most = [(10, 0), (9, 1), (5, 5), (1, 9), (0, 10)].map(|(includes, exchangers)| {
        let made = move |owner: &Name, rtype| match rtype {
            RecordType::TXT => {
                let includes: String = (0..includes).map(|n| format!(" include:i{n}.%{{d}}")).collect();
                let exchangers: String = (0..exchangers).map(|n| format!(" mx:m{n}.%{{d}}")).collect();
                txt(format!("v=spf1{exchangers}{includes} mx -all"))
            }
            RecordType::MX => {
                let hosts = (0..10).map(|n| owner.prepend(&format!("x{n}")).unwrap());
                Answer::records(hosts.map(|exchange| Rdata::Mx(Mx { preference: 0, exchange })), Ttl::ZERO)
            }
            _ => Answer::records([Rdata::A([203, 0, 113, 9].into())], Ttl::ZERO),
        };
        let (found, asked) = drive(&request(), &Made(made));
        assert_eq!(found.problem.unwrap().kind, ProblemKind::Lookups(10));
        asked
    });
    assert_eq!(most, [56, 81, 105, 101, 111]);
}

#[test]
fn records_that_lead_back() {
    for text in ["v=spf1 include:example.com -all", "v=spf1 redirect=EXAMPLE.com", "v=spf1 include:%{d} ~all"] {
        let (found, asked) = evaluate(|_, _| txt(text));
        let problem = found.problem.unwrap();
        assert!(matches!(problem.kind, ProblemKind::Loop(_)), "{problem:?}");
        let (term, span) = problem.term.unwrap();
        assert_eq!(text[span].to_lowercase(), term);
        assert_eq!((found.result, asked), (SpfResult::PermError, 1));
    }
}

#[test]
fn aliases_without_end() {
    let made =
        |name: &Name, _| Answer::records([Rdata::Cname(name.prepend("a").unwrap_or_else(|_| name.clone()))], Ttl::ZERO);
    let (found, asked) = evaluate(made);
    assert_eq!((found.result, asked), (SpfResult::TempError, ALIASES + 1));
    assert!(matches!(found.problem.unwrap().kind, ProblemKind::Dns(..)));
}

#[test]
fn exchangers_and_reverse_names_by_the_hundred() {
    let made = |owner: &Name, rtype| match rtype {
        RecordType::TXT => txt("v=spf1 ptr mx -all"),
        RecordType::MX => {
            let hosts =
                (0..100).map(|n| Rdata::Mx(Mx { preference: n, exchange: owner.prepend(&format!("m{n}")).unwrap() }));
            Answer::records(hosts, Ttl::ZERO)
        }
        RecordType::PTR => Answer::records((0..100).map(|n| Rdata::Ptr(name(&format!("p{n}.example.net")))), Ttl::ZERO),
        _ => Answer::records([Rdata::A([203, 0, 113, 9].into())], Ttl::ZERO),
    };
    let (found, asked) = evaluate(made);
    assert_eq!(found.problem.unwrap().kind, ProblemKind::Exchangers(10));
    assert_eq!(asked, 1 + 11 + 1);
}

#[test]
fn sixty_four_kib_of_text() {
    let size = 65_535;
    let fill = |unit: &str| format!("v=spf1 {}", unit.repeat(size / unit.len()));
    for unit in
        ["ip4:203.0.113.7 ", "moo ", "a", "%{s}", "exp=a.b ", "x=%{s} ", "\"", "a:%{s1r.-+,/_=}.b ", "-", "ip4:"]
    {
        let (found, asked) = evaluate(|_, _| txt(fill(unit)));
        assert!(asked <= 12, "{unit}: {asked}");
        assert!(found.trace.steps.len() <= size);
    }
    // An explanation that grows under expansion, asked for with the longest sender that there is.
    let sender = format!("{}@example.com", "x".repeat(60_000));
    let world = Made(|owner: &Name, _| match owner.label_count() {
        2 => txt("v=spf1 exp=exp.example.com -all"),
        _ => txt("%{s}".repeat(16_000)),
    });
    let found = check(&Request { mail_from: &sender, ..request() }, &world).unwrap();
    assert_eq!((found.result, found.explanation), (SpfResult::Fail, None));
    let world = Made(|owner: &Name, _| match owner.label_count() {
        2 => txt("v=spf1 exp=exp.example.com -all"),
        _ => txt("%{s} ".repeat(1000)),
    });
    let found = check(&request(), &world).unwrap();
    assert_eq!(found.explanation.unwrap().len(), EXPLANATION_LIMIT);
}

#[test]
fn an_explanation_breaks_no_line() {
    let world = Made(|owner: &Name, _| match owner.label_count() {
        2 => txt("v=spf1 exp=exp.example.com -all"),
        _ => txt("%{l}: no"),
    });
    let found = check(&Request { mail_from: "a\r\n250 ok\u{85}\u{202e}b@example.com", ..request() }, &world).unwrap();
    assert_eq!(found.explanation.as_deref(), Some("a250 okb: no"));
}

/// Terms over few names, so that they lead to each other.
fn term() -> impl Strategy<Value = String> {
    let host = || {
        prop_oneof![
            Just("%{d}".to_owned()),
            Just("%{p}.example".to_owned()),
            "[a-d]\\.example",
            "%\\{[slodiphv][12]?r?\\}\\.a\\.example"
        ]
    };
    prop_oneof![
        4 => ("[-+~?]?", "include|exists|a|mx|ptr", host()).prop_map(|(q, name, host)| format!("{q}{name}:{host}")),
        2 => "[-~?]?(a|mx|ptr)(/24)?".prop_filter("no length for ptr", |text| !text.contains("ptr/")),
        1 => (1u8..5).prop_map(|n| format!("ip4:192.0.2.{n}")),
        1 => Just("?all".to_owned()),
        1 => (host()).prop_map(|host| format!("redirect={host}")),
        1 => (host()).prop_map(|host| format!("exp={host}")),
        1 => "[ -~]{0,12}",
    ]
}

fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let record =
        proptest::collection::vec(term(), 0..6).prop_map(|terms| format!("v=spf1 {}", terms.join(" ")).into_bytes());
    let any = proptest::collection::vec(any::<u8>(), 0..40);
    proptest::collection::vec(prop_oneof![6 => record, 1 => any, 1 => Just(b"%{s} from %{p}".to_vec())], 4)
}

proptest! {
    #[test]
    fn every_evaluation_ends_within_the_limits(
        texts in texts(),
        kinds in proptest::collection::vec(0u8..12, 64),
        ip in prop_oneof![(1u8..5).prop_map(|n| IpAddr::from([192, 0, 2, n])), any::<u128>().prop_map(|n| Ipv6Addr::from_bits(n).into())],
        sender in prop_oneof!["[a-e]{0,3}@[a-d]\\.example", "\\PC{0,20}", "[a-d]\\.example"],
        helo in prop_oneof!["[a-d]\\.example", "\\PC{0,20}"],
    ) {
        let hosts: Vec<Name> = ["a", "b", "c", "d"].iter().map(|host| name(&format!("{host}.example"))).collect();
        let world = Made(|owner: &Name, rtype: RecordType| {
            let sum = owner.as_wire().iter().fold(usize::from(rtype.0), |sum, octet| (sum * 31 + usize::from(octet.to_ascii_lowercase())) % 9973);
            let host = hosts[sum % 4].clone();
            let own = hosts.iter().position(|host| host == owner);
            let values = match (rtype, own) {
                (RecordType::TXT, Some(own)) => return txt(&texts[own]),
                (RecordType::TXT, None) => return txt(&texts[sum % 4]),
                (RecordType::MX, _) => (0..sum % 13).map(|n| Rdata::Mx(Mx { preference: 1, exchange: hosts[n % 4].clone() })).collect(),
                (RecordType::PTR, _) => hosts.iter().cycle().take(sum % 15).cloned().map(Rdata::Ptr).collect(),
                (RecordType::A, _) => vec![Rdata::A([192, 0, 2, (sum % 5) as u8].into())],
                _ => vec![Rdata::Aaaa(Ipv6Addr::LOCALHOST)],
            };
            match kinds[sum % 64] {
                0 | 1 => Answer::NoData,
                2 | 3 => Answer::NxDomain,
                4 => Answer::TempError,
                5 => Answer::records([Rdata::Cname(host)], Ttl::ZERO),
                _ => Answer::records(values, Ttl::ZERO),
            }
        });
        let request = Request { ip, helo: &helo, mail_from: &sender, receiver: "", time: 0 };
        let counting = Counting(&world, Cell::new(0));
        let found = check(&request, &counting).unwrap();
        prop_assert!(found.lookups <= 11 && found.void_lookups <= 4, "{:?}", found);
        prop_assert!(counting.1.get() <= 123 * (ALIASES + 1));
        if let Some(text) = &found.explanation {
            prop_assert!(text.len() <= EXPLANATION_LIMIT && text.bytes().all(|b| b.is_ascii_graphic() || b == b' '));
        }
        if let Some((term, span)) = found.problem.as_ref().and_then(|problem| problem.term.as_ref()) {
            prop_assert!(span.start <= span.end && !(term.is_empty() && span.is_empty()), "{:?}", found.problem);
        }
        prop_assert_eq!(found.result == SpfResult::Fail, found.trace.decided().is_some_and(|(_, term)| term.to_string().starts_with('-')));
        let _ = found.trace.to_string();
        let (driven, asked) = drive(&request, &world);
        prop_assert_eq!(&driven, &found);
        prop_assert!(asked <= 620, "{}", asked);
        let _ = cost(&hosts[0], &world).map(|cost| cost.lookups);
    }

    #[test]
    fn arbitrary_octets_are_evaluated(octets in proptest::collection::vec(any::<u8>(), 0..120)) {
        let text = [b"v=spf1 ".as_slice(), &octets].concat();
        let (found, _) = evaluate(|_, rtype| if rtype == RecordType::TXT { txt(&text) } else { Answer::NoData });
        prop_assert_eq!(matches!(found.problem.map(|problem| problem.kind), Some(ProblemKind::Syntax(_))), Record::parse(&text).is_err());
    }
}
