//! Audits over the network: they end, and within their budget.

use std::time::Duration;

use mailzone_audit::{Scope, Subject, Wish};
use mailzone_mailauth::lookup::{Answer, Answers, Question};
use mailzone_observe::{Budget, Dns, Observer, QUESTIONS, Settings, Sources, audit};
use mailzone_record::{Name, Rdata, RecordType, Ttl, Txt};
use mailzone_wire::WireError;
use tokio::time::Instant;

use crate::support::{Authority, NOW, Script, World, at, free_port, later, name, record, resolved};

fn subject(scope: Scope) -> Subject {
    Subject::new(name("example.com"), scope)
}

fn observer(script: &Script) -> Observer<Script> {
    let dns = Dns::new(script.clone(), Sources { resolvers: vec![at(1)], ..Sources::default() });
    Observer::new(dns, Settings::new(NOW, name("check.test"), Authority::new().trust()))
}

#[tokio::test]
async fn an_audit_asks_until_nothing_is_open() {
    let records = [
        ("example.com", RecordType::TXT, "\"v=spf1 mx -all\""),
        ("example.com", RecordType::MX, "10 mx.example.com."),
        ("mx.example.com", RecordType::A, "127.0.0.1"),
        ("_dmarc.example.com", RecordType::TXT, "\"v=DMARC1; p=reject\""),
        ("_mta-sts.example.com", RecordType::TXT, "\"v=STSv1; id=1\""),
        ("mta-sts.example.com", RecordType::A, "127.0.0.1"),
    ];
    let world = World::new(&records, Authority::new().trust(), free_port().await).await;
    let before = world.server.handle().log().len();
    let observed = audit(&world.observer, &subject(Scope::DNS), None, Budget::until(later())).await;
    assert!(!observed.cut && observed.known.facts.now == NOW);
    // Names outside of the zone cannot be asked for, and stay open.
    for wish in observed.audit.wishes() {
        assert!(
            matches!(wish, Wish::Dns(Question { name: outside, .. }) if !outside.is_at_or_below(&name("example.com")))
        );
    }
    assert!(observed.known.answers.len() > 3);
    let asked = world.server.handle().log().len() - before;
    assert!(asked > 0 && asked <= observed.asked.0);
    // A second one is answered from what is kept.
    let again = audit(&world.observer, &subject(Scope::DNS), None, Budget::until(later())).await;
    assert_eq!((again.audit.findings, again.asked), (observed.audit.findings, observed.asked));
    assert_eq!(world.server.handle().log().len() - before, asked);
}

#[tokio::test(start_paused = true)]
async fn an_overlay_goes_before_the_network() {
    let script =
        Script::new(|_, query| Ok(resolved(vec![record(&query.name.to_string(), 60, RecordType::TXT, "live")])));
    let observer = observer(&script);
    let mut planned = Answers::default();
    let spf = Answer::records([Rdata::Txt(Txt::from_text("v=spf1 -all"))], Ttl::MAX);
    planned.insert(name("example.com"), RecordType::TXT, spf);
    let observed = audit(&observer, &subject(Scope::DNS), Some(&planned), Budget::until(later())).await;
    let is_planned = |owner: &Name, rtype| *owner == name("example.com") && rtype == RecordType::TXT;
    assert!(!observed.known.answers.is_empty());
    assert!(observed.known.answers.iter().all(|(owner, rtype, _)| !is_planned(owner, rtype)));
}

#[tokio::test(start_paused = true)]
async fn an_audit_ends_with_its_time() {
    let script = Script::new(|_, _| Err(WireError::Timeout));
    let began = Instant::now();
    let budget = Budget::until(began + Duration::from_secs(1));
    let observed = audit(&observer(&script), &subject(Scope::ALL), None, budget).await;
    assert!(observed.cut && observed.known.answers.is_empty() && !observed.audit.wishes().is_empty());
    assert_eq!(began.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn an_audit_ends_with_its_questions() {
    // Whatever is asked for has records that lead to more.
    let script = Script::new(|_, query| {
        let deeper = query.name.prepend("x").map_or_else(|_| ".".to_owned(), |name| name.to_string());
        let owner = query.name.to_string();
        Ok(resolved(match query.rtype {
            RecordType::MX => (0..100).map(|n| record(&owner, 60, RecordType::MX, &format!("{n} {deeper}"))).collect(),
            RecordType::TXT => {
                let text = format!("\"v=spf1 include:{deeper} include:y.{deeper} mx exists:%{{i}}.{deeper} -all\"");
                vec![record(&owner, 60, RecordType::TXT, &text)]
            }
            RecordType::A | RecordType::AAAA => vec![record(&owner, 60, RecordType::CNAME, &deeper)],
            _ => vec![],
        }))
    });
    for (questions, looks) in [(7, 0), (40, 2)] {
        script.asked();
        let budget = Budget { questions, looks, deadline: later() };
        let observed = audit(&observer(&script), &subject(Scope::DNS), None, budget).await;
        assert!(observed.asked.0 <= questions && observed.asked.1 <= looks);
        assert!(script.asked().len() <= questions);
        assert!(observed.cut || observed.audit.wishes().is_empty());
    }
}

#[tokio::test]
async fn a_hostile_zone_ends_in_findings() {
    let long = "\\007".repeat(255);
    let long = format!("\"v=spf1 {}\" \"{}\"", "x".repeat(240), vec![long; 200].join("\" \""));
    let script = Script::new(move |_, query| {
        let owner = query.name.to_string();
        let loops = query.name.labels().next() == Some(b"loop");
        Ok(resolved(match query.rtype {
            _ if loops => vec![record(&owner, 60, RecordType::CNAME, &owner)],
            RecordType::MX => {
                let host = |n| if n % 2 == 0 { format!("{n} m{n}.{owner}") } else { format!("{n} loop.{owner}") };
                (0..100).map(|n| record(&owner, 60, RecordType::MX, &host(n))).collect()
            }
            RecordType::TXT => vec![
                record(&owner, 60, RecordType::TXT, &long),
                record(
                    &owner,
                    60,
                    RecordType::TXT,
                    &format!("\"v=spf1 include:a.{owner} include:loop.{owner} mx -all\""),
                ),
                record(&owner, 60, RecordType::TXT, "\"v=DMARC1; p=none; rua=mailto:a@b.other\""),
                record(&owner, 60, RecordType::TXT, "\"v=STSv1; id=1\""),
            ],
            RecordType::A => (1..=30).map(|n| record(&owner, 60, RecordType::A, &format!("127.0.0.{n}"))).collect(),
            RecordType::PTR => (0..30).map(|n| record(&owner, 60, RecordType::PTR, &format!("p{n}.{owner}"))).collect(),
            _ => vec![],
        }))
    });
    let dns = Dns::new(script.clone(), Sources { resolvers: vec![at(1)], ..Sources::default() });
    let mut settings = Settings::new(NOW, name("check.test"), Authority::new().trust());
    settings.smtp_port = free_port().await;
    settings.https_port = free_port().await;
    let observer = Observer::new(dns, settings);
    let observed = audit(&observer, &subject(Scope::ALL), None, Budget::until(later())).await;
    assert!(observed.asked.0 <= QUESTIONS && observed.asked.1 <= Budget::LOOKS, "{:?}", observed.asked);
    assert!(!observed.audit.findings.is_empty());
    // The many mail servers do not crowd out the rest.
    let facts = &observed.known.facts;
    assert_eq!(
        (facts.policies.len(), facts.servers.len(), facts.validation.contains_key(&name("example.com"))),
        (1, 1, true)
    );
    assert!((20..=Budget::LOOKS).contains(&facts.smtp.len()), "{}", facts.smtp.len());
}
