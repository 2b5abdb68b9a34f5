//! SPF evaluations a second on one core: over the RFC 7208 test suite, and over a realistic record with nine look-ups and
//! seventy networks, whose client is found in the last of them.
//!
//! `cargo bench -p mailzone-mailauth --bench spf`. Answers are in memory; what is read from them is read each time, but for
//! the lines "cached", which keep the records that were read. "parse" is the reading of the realistic records alone.

#![expect(clippy::unwrap_used, reason = "a bench stops when it cannot go on")]

use std::hint::black_box;
use std::net::IpAddr;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mailzone_mailauth::lookup::{Answer, Answers};
use mailzone_mailauth::spf::{Evaluator, Record, RecordCache, Request, SpfResult, check};
use mailzone_record::{Mx, Rdata, Ttl, Txt};

#[path = "../tests/it/suite.rs"]
mod suite;

/// A domain with a mail server of its own and three services: `a`, `mx`, and seven includes, two of them nested.
fn realistic() -> (Answers, Vec<String>) {
    let networks = |from: usize, count: usize| -> String {
        (from..from + count)
            .map(|n| match n % 5 {
                0 => format!(" ip6:2001:db8:{n:x}::/48"),
                _ => format!(" ip4:198.51.{n}.0/24"),
            })
            .collect()
    };
    let records = [
        ("example.com", " a mx include:_spf.one.example include:spf.two.example include:three.example ~all".to_owned()),
        ("_spf.one.example", " include:_nb1.one.example include:_nb2.one.example ~all".to_owned()),
        ("_nb1.one.example", format!("{} ~all", networks(1, 14))),
        ("_nb2.one.example", format!("{} ~all", networks(15, 14))),
        ("spf.two.example", format!("{} include:b.two.example -all", networks(29, 12))),
        ("b.two.example", format!("{} -all", networks(41, 15))),
        ("three.example", format!("{} include:last.three.example ~all", networks(56, 5))),
        ("last.three.example", format!("{} ip4:192.0.2.0/24 ~all", networks(61, 9))),
    ];
    let ttl = Ttl::from_secs(300).unwrap();
    let mut answers = Answers::otherwise(Answer::NxDomain);
    let mut put = |owner: &str, rdata: Rdata| {
        answers.insert(suite::name(owner), rdata.rtype(), Answer::records([rdata], ttl));
    };
    let texts: Vec<String> = records.iter().map(|(_, terms)| format!("v=spf1{terms}")).collect();
    for ((owner, _), text) in records.iter().zip(&texts) {
        put(owner, Rdata::Txt(Txt::from_text(text)));
    }
    put("example.com", Rdata::A([203, 0, 113, 1].into()));
    put("example.com", Rdata::Mx(Mx { preference: 10, exchange: suite::name("mx.example.com") }));
    put("mx.example.com", Rdata::A([203, 0, 113, 2].into()));
    (answers, texts)
}

fn over_the_suite(c: &mut Criterion) {
    let scenarios = suite::load();
    let cases: Vec<_> = scenarios
        .iter()
        .flat_map(|scenario| scenario.cases.iter().map(move |(_, case)| (&scenario.world, case)))
        .map(|(world, case)| (world, case, Request::new(case.host, &case.helo, &case.mailfrom)))
        .collect();
    for (world, case, request) in &cases {
        let found = check(request, *world).unwrap();
        assert!(case.result.iter().any(|result| result == found.result.as_word()));
        let wanted = case.explanation.as_deref().filter(|text| *text != "DEFAULT");
        assert!(case.explanation.is_none() || found.explanation.as_deref() == wanted);
    }
    let mut group = c.benchmark_group("suite");
    group.throughput(Throughput::Elements(cases.len() as u64));
    group.bench_function("parsing", |b| {
        b.iter(|| cases.iter().for_each(|(world, _, request)| drop(black_box(check(black_box(request), *world)))));
    });
    group.finish();
}

fn over_a_realistic_record(c: &mut Criterion) {
    let (answers, texts) = realistic();
    let client: IpAddr = [192, 0, 2, 9].into();
    let request = Request::new(client, "mail.example.com", "someone@example.com");
    let found = check(&request, &answers).unwrap();
    assert_eq!((found.result, found.lookups), (SpfResult::Pass, 9), "{}", found.trace);
    let networks = found.trace.steps.iter().filter_map(|step| found.trace.term(step));
    assert_eq!(networks.filter(|term| term.to_string().starts_with("ip")).count(), 70);
    let mut group = c.benchmark_group("realistic");
    group.throughput(Throughput::Elements(1));
    group.bench_function("parsing", |b| b.iter(|| check(black_box(&request), &answers)));
    let cache = RecordCache::default();
    let cached = Evaluator::new(&answers).with_cache(&cache);
    group.bench_function("cached", |b| b.iter(|| cached.check(black_box(&request))));
    group.bench_function("parse", |b| {
        b.iter(|| texts.iter().for_each(|text| drop(black_box(Record::parse(black_box(text))))));
    });
    group.finish();
}

criterion_group!(benches, over_the_suite, over_a_realistic_record);
criterion_main!(benches);
