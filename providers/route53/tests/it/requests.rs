//! How many requests a plan and a stage cost, exactly.

use mailzone_conformance::parse_seed;
use mailzone_emulated::Backdoor;
use mailzone_provider::{Batch, Outcome, Provider};
use mailzone_record::RecordType;

use super::{change, labels, name, outcomes, stage, start};

const SETS: &str = "ListResourceRecordSets";
const PROTECTIONS: &str = "ListResourceRecordSetProtections";
const WRITE: &str = "ChangeResourceRecordSets";

#[tokio::test]
async fn a_plan_reads_the_pages_and_the_protections() {
    let (emulator, provider, zone) = start().await;
    provider.zones().await.unwrap();
    provider.snapshot(&zone).await.unwrap();
    assert_eq!(labels(&emulator), ["ListHostedZones", SETS, PROTECTIONS]);

    // Eleven sets with those of the zone itself.
    emulator.with(|service| service.page = Some(4));
    emulator.clear_log();
    provider.snapshot(&zone).await.unwrap();
    assert_eq!(labels(&emulator), [SETS, SETS, SETS, PROTECTIONS]);
}

#[tokio::test]
async fn zones_are_listed_to_the_last_page() {
    let (emulator, provider, _) = start().await;
    emulator.with(|service| {
        for i in 0..6 {
            service.add_zone(&name(&format!("z{i}.example")));
        }
        service.page = Some(3);
    });
    assert_eq!(provider.zones().await.unwrap().len(), 7);
    assert_eq!(labels(&emulator), ["ListHostedZones"; 3]);
}

#[tokio::test]
async fn protections_are_asked_until_the_first_refusal_of_the_run() {
    for older in [true, false] {
        let (emulator, provider, zone) = start().await;
        emulator.with(|service| match older {
            true => service.has_protections = false,
            false => drop(service.denied.insert(PROTECTIONS)),
        });
        provider.snapshot(&zone).await.unwrap();
        provider.snapshot(&zone).await.unwrap();
        assert_eq!(labels(&emulator), [SETS, PROTECTIONS, SETS]);
    }
}

#[tokio::test]
async fn a_stage_is_one_write_one_reading_and_the_polls() {
    let (emulator, provider, zone) = start().await;
    emulator.with(|service| service.pending = 2);
    let snapshot = provider.snapshot(&zone).await.unwrap();
    emulator.clear_log();
    assert_eq!(outcomes(&provider, &zone, &stage(&snapshot)).await, [Outcome::Applied; 5]);
    assert_eq!(labels(&emulator), [WRITE, SETS, "GetChange", "GetChange", "GetChange"]);

    // A service that is in sync at once is not asked.
    emulator.with(|service| service.pending = 0);
    let snapshot = provider.snapshot(&zone).await.unwrap();
    emulator.clear_log();
    let batch = Batch { changes: vec![change(&snapshot, "_dmarc.example.com", "TXT", &[])] };
    assert_eq!(outcomes(&provider, &zone, &batch).await, [Outcome::Applied]);
    assert_eq!(labels(&emulator), [WRITE, SETS]);
}

#[tokio::test]
async fn nothing_to_do_costs_nothing() {
    let (emulator, provider, zone) = start().await;
    let snapshot = provider.snapshot(&zone).await.unwrap();
    emulator.clear_log();
    assert_eq!(outcomes(&provider, &zone, &Batch { changes: Vec::new() }).await, []);
    let same = change(&snapshot, "example.com", "MX", &["10 mail.example.com.", "20 backup.mail.example.net."]);
    assert_eq!(outcomes(&provider, &zone, &Batch { changes: vec![same] }).await, [Outcome::Already]);
    assert_eq!(labels(&emulator), Vec::<String>::new());
}

#[tokio::test]
async fn a_prior_request_is_waited_for() {
    let (emulator, provider, zone) = start().await;
    let snapshot = provider.snapshot(&zone).await.unwrap();
    emulator.with(|service| service.prior_not_complete = 2);
    emulator.clear_log();
    assert_eq!(outcomes(&provider, &zone, &stage(&snapshot)).await, [Outcome::Applied; 5]);
    assert_eq!(labels(&emulator), [WRITE, WRITE, WRITE, SETS, "GetChange", "GetChange"]);
}

#[tokio::test]
async fn a_batch_beyond_the_limits_is_looked_at_and_split() {
    let (emulator, provider, zone) = start().await;
    let old: String = (0..700).map(|i| format!("n{i} 60 A 192.0.2.1\n")).collect();
    let origin = name("example.com");
    emulator.with(|service| service.seed(&origin, &parse_seed(&origin, &old)));
    let snapshot = provider.snapshot(&zone).await.unwrap();
    emulator.clear_log();
    let changes: Vec<_> =
        (0..700).map(|i| change(&snapshot, &format!("n{i}.example.com"), "A", &["192.0.2.2"])).collect();
    assert_eq!(outcomes(&provider, &zone, &Batch { changes: changes.clone() }).await, [Outcome::Applied; 700]);
    let pages = [SETS; 3];
    let expected = [&pages[..], &[WRITE, WRITE], &pages[..], &["GetChange"; 4]].concat();
    assert_eq!(labels(&emulator), expected);

    // One set that is not as planned stops all of them.
    let snapshot = provider.snapshot(&zone).await.unwrap();
    let changes: Vec<_> =
        (0..700).map(|i| change(&snapshot, &format!("n{i}.example.com"), "A", &["192.0.2.3"])).collect();
    let theirs = parse_seed(&origin, "n699 60 A 192.0.2.99").remove(0);
    emulator.with(|service| service.edit(&zone, &theirs.key(), Some(&theirs)));
    emulator.clear_log();
    let outcomes = outcomes(&provider, &zone, &Batch { changes }).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Skipped).count(), 699);
    assert_eq!(outcomes.last(), Some(&Outcome::Stale));
    assert_eq!(labels(&emulator), pages);
    assert_eq!(
        provider.snapshot(&zone).await.unwrap().get(&theirs.name, RecordType::A).unwrap().values,
        theirs
            .values
            .iter()
            .map(|value| {
                let spelling = Some("192.0.2.99".into());
                mailzone_record::Value {
                    rdata: value.rdata.clone(),
                    origin: Some(Box::new(mailzone_record::Origin { handle: None, spelling })),
                }
            })
            .collect::<Vec<_>>()
    );
}
