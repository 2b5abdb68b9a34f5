//! Answers: whom they come from, how long they are kept, how often they are asked for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use mailzone_mailauth::lookup::{Answer, Answers, Lookup, Pending, Question, resolve};
use mailzone_mailauth::spf::{self, SpfResult};
use mailzone_observe::{Dns, Sources, drive, network};
use mailzone_record::{Rdata, RecordType, Ttl, Txt};
use mailzone_server::Switches;
use mailzone_wire::{Message, Rcode, WireError};
use tokio::time::{Instant, advance, sleep};

use crate::support::{Script, at, denied, later, name, record, resolved, served, zone};

fn question(owner: &str, rtype: RecordType) -> Question {
    Question { name: name(owner), rtype }
}

fn text(text: &str) -> Answer {
    Answer::records([Rdata::Txt(Txt::from_text(text))], Ttl::from_secs(300).unwrap())
}

fn resolvers(script: &Script, all: Vec<SocketAddr>) -> Dns<Script> {
    Dns::new(script.clone(), Sources { resolvers: all, ..Sources::default() })
}

#[tokio::test(start_paused = true)]
async fn ttls_are_honoured_and_questions_asked_once() {
    let script = Script::new(|_, query| {
        Ok(match query.name.to_string().as_str() {
            "a.test." => resolved(vec![record("a.test", 300, RecordType::TXT, "x")]),
            "now.test." => resolved(vec![record("now.test", 0, RecordType::TXT, "x")]),
            "fails.test." => Message { rcode: Rcode::ServFail, ..Message::default() },
            _ => denied("test", Rcode::NxDomain),
        })
    });
    let dns = resolvers(&script, vec![at(1)]);
    for (owner, seconds) in [("a.test", 300), ("none.test", 40), ("fails.test", 5), ("now.test", 0)] {
        let question = question(owner, RecordType::TXT);
        let all = (0..50).map(|_| {
            let (dns, question) = (dns.clone(), question.clone());
            tokio::spawn(async move { dns.ask(&question).await })
        });
        let mut answers = Vec::new();
        for one in all.collect::<Vec<_>>() {
            answers.push(one.await.unwrap());
        }
        answers.dedup();
        assert_eq!((answers.len(), script.asked().len()), (1, 1), "{owner}");
        if seconds > 0 {
            advance(Duration::from_secs(seconds) - Duration::from_millis(100)).await;
            dns.ask(&question).await;
            assert_eq!(script.asked().len(), 0, "{owner}");
        }
        advance(Duration::from_millis(200)).await;
        assert_eq!(dns.ask(&question).await, answers[0]);
        assert_eq!(script.asked().len(), 1, "{owner}");
    }
    assert_eq!(dns.sent(), 8);
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_does_not_keep_others_from_the_answer() {
    let script = Script::new(|_, _| Ok(resolved(vec![record("a.test", 300, RecordType::TXT, "x")])));
    let dns = resolvers(&script, vec![at(1)]);
    let question = question("a.test", RecordType::TXT);
    let ask = || {
        let (dns, question) = (dns.clone(), question.clone());
        tokio::spawn(async move { dns.ask(&question).await })
    };
    let (first, second) = (ask(), ask());
    sleep(Duration::from_millis(5)).await;
    first.abort();
    assert_eq!(second.await.unwrap(), text("x"));
}

#[tokio::test(start_paused = true)]
async fn the_next_resolver_where_one_fails() {
    let script = Script::new(|server, query| match server.ip().to_string().as_str() {
        "192.0.2.1" => Err(WireError::Timeout),
        "192.0.2.2" => Ok(Message { rcode: Rcode::Refused, ..Message::default() }),
        "192.0.2.3" => {
            // Refers instead of resolving.
            Ok(Message { authority: vec![record("test", 1, RecordType::NS, "ns.test.")], ..Message::default() })
        }
        "192.0.2.8" => Err(WireError::Refused),
        "192.0.2.9" => Err(WireError::NoRoute),
        _ => Ok(resolved(vec![record(&query.name.to_string(), 300, RecordType::TXT, "x")])),
    });
    let dns = resolvers(&script, (1..=4).map(at).collect());
    assert_eq!(dns.ask(&question("a.test", RecordType::TXT)).await, text("x"));
    assert_eq!(script.asked(), [1, 2, 3, 4]);
    // The one that answered is asked first from now on.
    assert_eq!(dns.ask(&question("b.test", RecordType::TXT)).await, text("x"));
    assert_eq!(script.asked(), [4]);
    for (all, expected) in [
        (vec![at(1), at(2), at(3)], Answer::TempError),
        (vec![at(9), at(8)], Answer::Unknown),
        (vec![], Answer::Unknown),
    ] {
        assert_eq!(resolvers(&script, all).ask(&question("c.test", RecordType::TXT)).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_chain_comes_whole_with_one_question() {
    let script = Script::new(|_, _| {
        Ok(resolved(vec![
            record("a.test", 60, RecordType::CNAME, "b.other."),
            record("b.other", 300, RecordType::TXT, "x"),
            record("victim.test", 300, RecordType::TXT, "forged"),
        ]))
    });
    let dns = resolvers(&script, vec![at(1)]);
    assert_eq!(dns.resolve(&name("a.test"), RecordType::TXT).await, text("x"));
    let alias = Answer::records([Rdata::Cname(name("b.other"))], Ttl::from_secs(60).unwrap());
    assert_eq!(dns.ask(&question("a.test", RecordType::TXT)).await, alias);
    assert_eq!(script.asked(), [1]);
    // What nobody asked for was not taken in.
    dns.ask(&question("victim.test", RecordType::TXT)).await;
    assert_eq!(script.asked(), [1]);
}

#[tokio::test(start_paused = true)]
async fn from_the_roots_without_resolvers() {
    let script = Script::new(|server, query| {
        let refer = |zone: &str, host: &str, ip: &str| Message {
            authority: vec![record(zone, 1, RecordType::NS, &format!("{host}."))],
            additional: vec![record(host, 1, RecordType::A, ip)],
            ..Message::default()
        };
        let authority = |answers| Message { answers, authoritative: true, ..Message::default() };
        assert!(!query.recursion_desired);
        Ok(match server.ip().to_string().as_str() {
            "192.0.2.1" if query.name.is_at_or_below(&name("other")) => refer("other", "ns.other", "192.0.2.3"),
            "192.0.2.1" => refer("test", "ns.test", "192.0.2.2"),
            "192.0.2.2" if query.rtype == RecordType::DS => {
                authority(vec![record("d.test", 5, RecordType::DS, "1 13 2 00")])
            }
            "192.0.2.2" if query.name.is_at_or_below(&name("d.test")) => refer("d.test", "ns.d.test", "192.0.2.4"),
            "192.0.2.2" => authority(vec![
                record("a.test", 60, RecordType::CNAME, "b.other."),
                // Not theirs to say.
                record("b.other", 300, RecordType::TXT, "forged"),
            ]),
            _ => authority(vec![record("b.other", 300, RecordType::TXT, "x")]),
        })
    });
    let dns = Dns::new(script.clone(), Sources { roots: vec![at(1)], port: 53, ..Sources::default() });
    assert_eq!(dns.resolve(&name("a.test"), RecordType::TXT).await, text("x"));
    // Of each TLD first the SOA, from the root on.
    assert_eq!(script.asked(), [1, 2, 2, 1, 3, 3]);
    let Answer::Records(values, _) = dns.ask(&question("d.test", RecordType::DS)).await else { panic!() };
    assert_eq!(values.len(), 1);
    assert_eq!(script.asked(), [2]);
    // Many at a time share the way.
    let dns = Dns::new(script.clone(), Sources { roots: vec![at(1)], port: 53, ..Sources::default() });
    let mut all = tokio::task::JoinSet::new();
    for n in 0..50 {
        let dns = dns.clone();
        all.spawn(async move { dns.ask(&question(&format!("n{n}.d.test"), RecordType::TXT)).await });
    }
    all.join_all().await;
    let mut asked = script.asked();
    asked.sort_unstable();
    assert_eq!((&asked[..4], asked.len()), (&[1, 2, 2, 4][..], 54));
}

#[tokio::test]
async fn spf_over_the_network() {
    let server = served(vec![zone(
        "example.com",
        &[
            ("example.com", RecordType::TXT, "\"v=spf1 include:a.example.com mx -all\""),
            ("a.example.com", RecordType::CNAME, "b.example.com."),
            ("b.example.com", RecordType::TXT, "\"v=spf1 ip4:192.0.2.1 ?all\""),
            ("example.com", RecordType::MX, "10 mx.example.com."),
            ("mx.example.com", RecordType::A, "192.0.2.2"),
        ],
    )])
    .await;
    server.handle().set_switches(Switches { delay: Duration::from_millis(5), ..Switches::default() });
    let dns = || Dns::new(network(), Sources { resolvers: vec![server.local_addr()], ..Sources::default() });
    let check = async |dns: Dns, ip: &str| {
        let (ip, helo) = (ip.parse().unwrap(), "mx.example.com");
        let request = spf::Request { ip, helo, mail_from: "a@example.com", receiver: "", time: 0 };
        let driven = drive(&dns, |answers| spf::check(&request, answers), 400, later()).await;
        driven.result.unwrap().result
    };
    let shared = dns();
    for (ip, expected) in
        [("192.0.2.1", SpfResult::Pass), ("192.0.2.2", SpfResult::Pass), ("192.0.2.3", SpfResult::Fail)]
    {
        assert_eq!(check(shared.clone(), ip).await, expected, "{ip}");
    }
    // Each record once, the alias with its target.
    assert_eq!(shared.sent(), 4);
    server.handle().set_switches(Switches { servfail: true, ..Switches::default() });
    assert_eq!(check(dns(), "192.0.2.1").await, SpfResult::TempError);
}

#[tokio::test]
async fn zones_whose_servers_are_given() {
    let long = format!("\"{}\"", ["x".repeat(255).as_str(); 200].join("\" \""));
    let server = served(vec![zone(
        "example.com",
        &[
            ("example.com", RecordType::TXT, "here"),
            ("long.example.com", RecordType::TXT, &long),
            ("alias.example.com", RecordType::CNAME, "host.elsewhere."),
            ("sub.example.com", RecordType::NS, "ns.elsewhere."),
        ],
    )])
    .await;
    let elsewhere = served(vec![
        zone("elsewhere", &[("host.elsewhere", RecordType::TXT, "there")]),
        zone("sub.example.com", &[("sub.example.com", RecordType::TXT, "below")]),
        zone("com", &[("example.com", RecordType::DS, "1 13 2 00")]),
    ])
    .await;
    let zones = BTreeMap::from([(name("example.com"), vec![server.local_addr()])]);
    // It does not recurse, but has the answers.
    let resolvers = vec![elsewhere.local_addr()];
    let dns = Dns::new(network(), Sources { resolvers, zones, ..Sources::default() });
    for (owner, expected) in [
        ("example.com", text("here")),
        ("alias.example.com", text("there")),
        ("sub.example.com", text("below")),
        ("none.example.com", Answer::NxDomain),
        ("ns.elsewhere", Answer::NxDomain),
    ] {
        assert_eq!(dns.resolve(&name(owner), RecordType::TXT).await, expected, "{owner}");
    }
    assert_eq!(dns.ask(&question("example.com", RecordType::MX)).await, Answer::NoData);
    let Answer::Records(values, _) = dns.ask(&question("long.example.com", RecordType::TXT)).await else { panic!() };
    assert_eq!(values[0].as_txt().unwrap().joined().len(), 51_000);
    // The DS is the parent's.
    assert!(matches!(dns.ask(&question("example.com", RecordType::DS)).await, Answer::Records(..)));
    server.handle().set_switches(Switches { servfail: true, ..Switches::default() });
    assert_eq!(dns.ask(&question("example.com", RecordType::CAA)).await, Answer::TempError);
    server.handle().set_switches(Switches { truncate_udp: true, ..Switches::default() });
    assert_eq!(dns.ask(&question("mx.example.com", RecordType::A)).await, Answer::NxDomain);
}

/// Follows `n0.test`, `n1.test` and so on, each telling of the next.
fn endless(answers: &Answers) -> Result<(usize, Answer), Pending> {
    for n in 0.. {
        let at = name(&format!("n{n}.test"));
        match answers.lookup(&at, RecordType::TXT) {
            Answer::Records(..) => {}
            Answer::Unknown => return Err(Pending { questions: vec![question(&at.to_string(), RecordType::TXT)] }),
            other => return Ok((n, other)),
        }
    }
    unreachable!()
}

#[tokio::test(start_paused = true)]
async fn an_evaluation_ends_with_its_questions_or_its_time() {
    let script = Script::new(|_, query| Ok(resolved(vec![record(&query.name.to_string(), 300, RecordType::TXT, "x")])));
    let driven = drive(&resolvers(&script, vec![at(1)]), endless, 30, later()).await;
    assert_eq!(driven.result, Ok((30, Answer::TempError)));
    assert_eq!((driven.questions, script.asked().len(), driven.open.len()), (30, 30, 1));

    // 10 ms a question.
    let began = Instant::now();
    let deadline = began + Duration::from_millis(95);
    let driven = drive(&resolvers(&script, vec![at(1)]), endless, 30, deadline).await;
    assert_eq!(driven.result, Ok((9, Answer::TempError)));
    assert!(began.elapsed() <= Duration::from_millis(100) && driven.questions == 10);
    let silent = Script::new(|_, _| Err(WireError::Timeout));
    let driven = drive(&resolvers(&silent, vec![at(1)]), endless, 30, Instant::now() + Duration::from_secs(1)).await;
    assert_eq!(driven.result, Ok((0, Answer::TempError)));
    // Nobody to ask: it is asked once.
    let driven = drive(&resolvers(&silent, vec![]), endless, 30, later()).await;
    assert_eq!((driven.result, driven.questions), (Ok((0, Answer::TempError)), 1));
}

#[tokio::test(start_paused = true)]
async fn an_evaluation_asks_all_at_a_time() {
    let script = Script::new(|_, query| Ok(resolved(vec![record(&query.name.to_string(), 300, RecordType::TXT, "x")])));
    let dns = resolvers(&script, vec![at(1)]);
    let wide = |answers: &Answers| {
        let open = (0..20).filter_map(|n| resolve(answers, &name(&format!("n{n}.test")), RecordType::TXT).err());
        let questions: Vec<Question> = open.collect();
        if questions.is_empty() { Ok(()) } else { Err(Pending { questions }) }
    };
    let began = Instant::now();
    let driven = drive(&dns, wide, 400, later()).await;
    assert_eq!((driven.result, driven.answers.len(), driven.open), (Ok(()), 20, vec![]));
    assert!(began.elapsed() < Duration::from_millis(20));
}
