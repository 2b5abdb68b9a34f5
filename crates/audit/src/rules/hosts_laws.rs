//! What holds for every audit of hosts: any records and any answers of servers end in findings, and a zone of any size
//! in a bounded number of questions.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use mailzone_mailauth::lookup::{Answer, Lookup};
use mailzone_mailauth::mta_sts::Policy;
use mailzone_record::{Caa, Mx, Name, Rdata, RecordType, Srv, Tlsa, Ttl, Txt};
use proptest::prelude::*;

use super::hosts::address;
use super::testing::{certificate, secure, session};
use crate::{
    Certificate, Facts, PolicyAnswer, Scope, Security, SmtpSession, Subject, Validation, audit, checklist, scores,
};

/// DNS questions that one audit may ask, however large the zone is.
const QUESTIONS: usize = 1000;
/// Connections and other look-ups.
const CONNECTIONS: usize = 100;

/// Answers every question with as many records as asked for, each with names of their own.
struct Flood {
    each: u16,
    seed: u8,
    asked: RefCell<BTreeSet<(Name, RecordType)>>,
}

impl Flood {
    fn new(each: u16, seed: u8) -> Self {
        Self { each, seed, asked: RefCell::default() }
    }
}

impl Lookup for Flood {
    fn lookup(&self, name: &Name, rtype: RecordType) -> Answer {
        self.asked.borrow_mut().insert((name.clone(), rtype));
        let host = |n: u16| Name::parse(&format!("h{n}.x{}.test", self.seed)).unwrap_or_else(|_| name.clone());
        let fill = self.seed;
        // Each name has addresses of its own.
        let mark = name.as_wire().iter().fold(0_u8, |mark, octet| mark.wrapping_mul(31).wrapping_add(*octet));
        let values = (0..self.each).filter_map(|n| {
            let low = n.to_be_bytes();
            Some(match rtype {
                RecordType::A => Rdata::A(Ipv4Addr::new(11 + fill % 2, mark, low[0], low[1])),
                RecordType::AAAA => Rdata::Aaaa(Ipv6Addr::new(0x2001, mark.into(), 0, 0, 0, 0, 0, n)),
                RecordType::MX => Rdata::Mx(Mx { preference: n, exchange: host(n) }),
                RecordType::PTR => Rdata::Ptr(host(n)),
                RecordType::NS => Rdata::Ns(host(n)),
                RecordType::SRV => Rdata::Srv(Srv { priority: n, weight: 0, port: n, target: host(n) }),
                RecordType::TLSA => Rdata::Tlsa(Tlsa {
                    usage: fill % 5,
                    selector: low[1] % 3,
                    matching: fill % 4,
                    data: vec![fill; 32],
                }),
                RecordType::CAA => Rdata::Caa(Caa { flags: fill, tag: "issue".into(), value: vec![fill; 3].into() }),
                RecordType::TXT => {
                    Rdata::Txt(Txt::from_text(if fill.is_multiple_of(2) { "v=STSv1; id=1" } else { "v=spf1 mx -all" }))
                }
                _ => return None,
            })
        });
        Answer::records(values, Ttl::ZERO)
    }
}

fn domain() -> Name {
    Name::parse("example.test").unwrap()
}

#[test]
fn a_flood_of_records_ends() {
    for seed in [0, 3] {
        let subject = Subject::new(domain(), Scope::ALL);
        let flood = Flood::new(150, seed);
        let audit = audit(&subject, &Facts::default(), &flood);
        let (questions, connections) = (flood.asked.borrow().len(), audit.wishes().len());
        assert!(questions <= QUESTIONS && connections <= CONNECTIONS, "{questions} {connections}");
    }
}

#[test]
fn a_silent_dns_is_asked_little() {
    struct Silent;
    impl Lookup for Silent {
        fn lookup(&self, _: &Name, _: RecordType) -> Answer {
            Answer::Unknown
        }
    }
    let audit = audit(&Subject::new(domain(), Scope::ALL), &Facts::default(), &Silent);
    assert!(audit.wishes().len() <= 200, "{}", audit.wishes().len());
    assert!(audit.measures.is_empty(), "{:?}", audit.measures);
    let scores = scores(&audit);
    assert_eq!((scores.confidentiality, scores.phishing, scores.integrity), (None, None, None));
}

fn any_session() -> impl Strategy<Value = SmtpSession> {
    let text = || prop::option::of("\\PC{0,12}");
    (
        ("\\PC{0,20}", any::<bool>()),
        (text(), text(), text()),
        (prop::collection::vec("[*.a-z]{0,12}", 0..3), any::<i64>()),
        0usize..3,
    )
        .prop_map(|((banner, starttls), (tls_error, tls_version, untrusted), (names, not_after), chain)| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let one = Certificate { is_authority: starttls, not_after, ..certificate(&names, 0) };
            SmtpSession { banner, starttls, tls_error, tls_version, untrusted, chain: vec![one; chain], ..session("x") }
        })
}

proptest! {
    #[test]
    fn any_answers_of_servers_are_judged_alike_each_time(
        seed in any::<u8>(), each in 0u16..4, said in any_session(), now in any::<i32>(), status in any::<u16>(),
        body in "(version: STSv1\n)?(mode: (enforce|testing|none)\n)?(mx: [*.a-z0-9]{0,12}\n){0,3}(max_age: [0-9]{1,8}\n)?\\PC{0,5}",
        end in prop::option::of(any::<i32>()), security in 0usize..4,
    ) {
        let mut facts = Facts { now: now.into(), ..Facts::default() };
        let security = [Security::Secure, Security::Insecure, Security::Bogus, Security::Indeterminate][security];
        let validation = Validation { security, signatures_end: end.map(Into::into), ..secure() };
        facts.validation.insert(domain(), Ok(validation));
        let chain = said.chain.clone();
        let policy = PolicyAnswer { status, content_type: None, body: body.clone().into_bytes(), chain, untrusted: None };
        facts.policies.insert(domain(), Ok(policy));
        let dns = Flood::new(each, seed);
        for n in 0..each {
            let host = Name::parse(&format!("h{n}.x{seed}.test")).unwrap();
            let Answer::Records(addresses, _) = dns.lookup(&host, RecordType::A) else { continue };
            for address in addresses.iter().filter_map(address) {
                facts.smtp.insert((host.clone(), address), Ok(said.clone()));
            }
        }
        let mut subject = Subject::new(domain(), Scope::ALL);
        subject.policy = Policy::parse(&body).ok();
        let (first, second) = (audit(&subject, &facts, &dns), audit(&subject, &facts, &dns));
        prop_assert_eq!(&first.findings, &second.findings);
        prop_assert_eq!(&first.measures, &second.measures);
        prop_assert!(first.measures.values().all(|seen| seen.share <= 100 && !seen.why.is_empty()));
        prop_assert_eq!(scores(&first), scores(&second));
        prop_assert_eq!(checklist(&first, &subject), checklist(&second, &subject));
    }
}
