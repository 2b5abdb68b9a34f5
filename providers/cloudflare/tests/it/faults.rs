//! Every fault at every request, and others who write at the same time.

use std::collections::BTreeSet;
use std::time::Duration;

use mailzone_emulated::cloudflare::{Cloudflare, Plan, Record};
use mailzone_emulated::{Backdoor, Emulator, Fault, Request, Response, Service};
use mailzone_provider::{Batch, Freshness, Outcome, Provider, ProviderId, RRsetChange, Retry, Zone};
use mailzone_provider_cloudflare::CloudflareProvider;
use mailzone_record::{Name, RRset, Ttl};

use super::{change, key, name, outcomes, quick, scene, token, value};

const ZONE: &str = r#"
@ 300 TXT "foreign"
@ 300 TXT "v=spf1 mx -all"
@ 3600 MX 10 mail.example.org.
www 300 A 192.0.2.1
old._domainkey 3600 TXT "v=DKIM1; p=AAAA"
"#;

/// What nobody may touch: all that the changes do not own.
fn foreign(records: &[Record]) -> Vec<Record> {
    let owned = |record: &&Record| {
        !(record.name.contains("www") || record.content.contains("foreign") || record.name.contains("filler"))
    };
    records.iter().filter(|record| !owned(record)).cloned().collect()
}

fn has_copies(records: &[Record]) -> bool {
    let unique: BTreeSet<_> =
        records.iter().map(|record| (&record.name, &record.rtype, record.content.trim_matches('"'))).collect();
    unique.len() != records.len()
}

async fn every_fault(extra: usize, plan: Plan) {
    for fault in Fault::all(Duration::from_secs(20)) {
        let mut at = 0;
        loop {
            let (emulator, _, _) = scene(ZONE).await;
            emulator.with(|service| (service.zones[0].plan, service.zones[0].quota) = (plan, 1_000));
            let mut settings = quick(&emulator.url());
            if matches!(fault, Fault::Slow(_)) {
                settings.timeout = Duration::from_millis(400);
            }
            let faulty =
                CloudflareProvider::new(ProviderId::new("cf"), token(mailzone_emulated::cloudflare::TOKEN), settings)
                    .unwrap();
            // On a busy machine even this may take longer than the short time limit.
            while faulty.zones().await.is_err() {}
            let provider = super::provider(&emulator);
            let zone = provider.zones().await.unwrap().remove(0);
            let mut changes = vec![
                change(&provider, &zone, "@", "TXT", None, &["foreign", "v=spf1 -all"]).await,
                change(&provider, &zone, "@", "MX", None, &["10 mail.example.org.", "20 b.example.org."]).await,
                change(&provider, &zone, "_dmarc", "TXT", None, &["v=DMARC1; p=none"]).await,
                change(&provider, &zone, "old._domainkey", "TXT", None, &[]).await,
            ];
            changes.extend((0..extra).map(|i| {
                let set = RRset::new(
                    name(&format!("n{i}")),
                    "A".parse().unwrap(),
                    Ttl::from_secs(300),
                    vec![value("A", "192.0.2.7")],
                );
                RRsetChange::new(None, Some(set)).unwrap()
            }));
            let batch = Batch { changes };
            let records = || emulator.with(|service| service.zones[0].records.clone());
            let before = records();

            emulator.clear_log();
            emulator.fault_at(at, fault);
            let result = faulty.apply(&zone, &batch).await;
            let reached = emulator.log().len() > at;
            emulator.clear_faults();
            let context = format!("{fault:?} at request {at}: {result:?}");
            assert_eq!(foreign(&records()), foreign(&before), "{context}");
            assert!(!has_copies(&records()), "{context}");
            honest(&provider, &zone, &batch, &result, &context).await;

            let again = provider.apply(&zone, &batch).await.unwrap();
            assert!(
                outcomes(&again).iter().all(|outcome| matches!(outcome, Outcome::Applied | Outcome::Already)),
                "{context}, then {again:?}"
            );
            assert_eq!(foreign(&records()), foreign(&before), "{context}");
            assert!(!has_copies(&records()), "{context}");
            if !reached {
                break;
            }
            at += 1;
        }
        assert!(at >= 3, "{at} requests");
    }
}

/// What is said of each change is what the zone holds.
async fn honest(
    provider: &CloudflareProvider,
    zone: &Zone,
    batch: &Batch,
    result: &Result<mailzone_provider::Receipt, mailzone_provider::ProviderError>,
    context: &str,
) {
    let live = batch.compare(&provider.snapshot(zone).await.unwrap());
    match result {
        Ok(receipt) => {
            for (result, live) in receipt.results.iter().zip(live) {
                match result.outcome {
                    Outcome::Applied | Outcome::Already => assert_eq!(live, Freshness::Already, "{context}"),
                    Outcome::Failed | Outcome::Skipped => assert_eq!(live, Freshness::AsPlanned, "{context}"),
                    Outcome::Unknown | Outcome::Stale => panic!("nobody else was there: {context}"),
                }
            }
        }
        Err(error) => {
            assert!(!error.remedy.is_empty(), "{context}");
            if error.retry != Retry::Unknown {
                assert!(live.iter().all(|live| *live == Freshness::AsPlanned), "{context}");
            }
        }
    }
}

#[tokio::test]
async fn every_fault_at_every_request() {
    every_fault(0, Plan::Pro).await;
}

#[tokio::test]
async fn every_fault_at_every_request_of_several_batches() {
    every_fault(200, Plan::Free).await;
}

/// A write whose answer is lost is read back, and not sent again when it is there.
#[tokio::test]
async fn a_lost_answer_is_read_back_first() {
    let (emulator, provider, zone) = scene(ZONE).await;
    let change = change(&provider, &zone, "_dmarc", "TXT", None, &["v=DMARC1; p=none"]).await;
    for (fault, writes) in [(Fault::Lost, 1), (Fault::ErrorAfter, 1), (Fault::Html, 1), (Fault::ErrorBefore, 2)] {
        let (zone_id, key) = (zone.clone(), key("_dmarc", "TXT"));
        emulator.with(|service| service.edit(&zone_id, &key, None));
        emulator.clear_log();
        emulator.fault_at(1, fault);
        let receipt = provider.apply(&zone, &Batch { changes: vec![change.clone()] }).await.unwrap();
        assert_eq!(outcomes(&receipt), [Outcome::Applied], "{fault:?}");
        assert_eq!(emulator.log().iter().filter(|logged| logged.write).count(), writes, "{fault:?}");
    }
}

/// The service, and somebody who does something just before the next request of a kind arrives.
struct Meddled {
    inner: Cloudflare,
    meddler: Option<Meddler>,
}

/// When, and what.
type Meddler = (fn(&Request) -> bool, fn(&mut Cloudflare));

impl Service for Meddled {
    fn answer(&mut self, request: &Request) -> Response {
        if let Some((_, meddle)) = self.meddler.take_if(|(now, _)| now(request)) {
            meddle(&mut self.inner);
        }
        self.inner.answer(request)
    }

    fn label(&self, request: &Request) -> String {
        self.inner.label(request)
    }

    fn writes(&self, request: &Request) -> bool {
        self.inner.writes(request)
    }

    fn throttled(&self) -> Response {
        self.inner.throttled()
    }

    fn served(&self) -> Vec<(Name, Vec<RRset>)> {
        self.inner.served()
    }
}

async fn scene_with_others() -> (Emulator<Meddled>, CloudflareProvider, Zone) {
    let mut inner = Cloudflare::new();
    inner.seed(&name("@"), &mailzone_conformance::parse_seed(&name("@"), ZONE));
    let emulator = Emulator::start(Meddled { inner, meddler: None }).await;
    let provider = super::provider(&emulator);
    let zone = provider.zones().await.unwrap().remove(0);
    (emulator, provider, zone)
}

/// Applies the SPF record with the meddler; gives the outcome and the contents of the TXT records at the apex.
async fn meddled(meddler: fn(&mut Cloudflare)) -> (Outcome, Vec<String>) {
    let (emulator, provider, zone) = scene_with_others().await;
    let change = change(&provider, &zone, "@", "TXT", None, &["foreign", "v=spf1 -all"]).await;
    emulator.with(|service| service.meddler = Some((|request| request.method == "POST", meddler)));
    let receipt = provider.apply(&zone, &Batch { changes: vec![change] }).await.unwrap();
    let contents = emulator.with(|service| {
        let records = &service.inner.zones[0].records;
        let texts = records.iter().filter(|record| record.rtype == "TXT" && record.name == "example.org");
        let mut contents: Vec<_> = texts.map(|record| record.content.clone()).collect();
        contents.sort();
        contents
    });
    (outcomes(&receipt)[0], contents)
}

#[tokio::test]
async fn others_between_reading_and_writing() {
    // The record to be changed is gone: the service refuses the batch, and the reading back shows why.
    let gone = meddled(|service| service.zones[0].records.retain(|record| !record.content.contains("spf1"))).await;
    assert_eq!(gone, (Outcome::Stale, vec!["\"foreign\"".to_owned()]));

    // Another value appears: it stays, and the receipt says that the set is not what was wanted.
    let added = meddled(|service| {
        let mut record = service.zones[0].records[0].clone();
        (record.id, record.content) = ("f".repeat(32), "\"theirs\"".into());
        service.zones[0].records.push(record);
    })
    .await;
    let texts = ["\"foreign\"", "\"theirs\"", "\"v=spf1 -all\""].map(str::to_owned);
    assert_eq!(added, (Outcome::Unknown, texts.into()));

    // They add just what we want: the identical record is refused, and nothing is doubled.
    let same = meddled(|service| {
        let records = &mut service.zones[0].records;
        let mut record = records[1].clone();
        (record.id, record.content) = ("f".repeat(32), "\"v=spf1 -all\"".into());
        records.push(record);
    })
    .await;
    assert_eq!(same.0, Outcome::Stale);
    assert_eq!(same.1.iter().filter(|text| text.contains("spf1 -all")).count(), 1);

    // What cannot be noticed, and stands in the documentation: the value of the very record that is patched.
    let overwritten = meddled(|service| service.zones[0].records[1].content = "\"v=spf1 a -all\"".into()).await;
    assert_eq!(overwritten, (Outcome::Applied, vec!["\"foreign\"".to_owned(), "\"v=spf1 -all\"".to_owned()]));
}

/// Pages are counted by offset: a deletion between two of them shifts a record out of sight, and the count tells.
#[tokio::test]
async fn others_between_two_pages() {
    let (emulator, provider, zone) = scene_with_others().await;
    emulator.with(|service| {
        service.inner.page_limits = (50, 2);
        let is_second: fn(&Request) -> bool = |request| request.param("page") == Some("2");
        service.meddler = Some((is_second, |service| drop(service.zones[0].records.remove(0))));
    });
    emulator.clear_log();
    let snapshot = provider.snapshot(&zone).await.unwrap();
    let held = emulator.with(|service| service.inner.zones[0].records.len());
    let read = snapshot.rrsets().iter().flat_map(|set| &set.values).filter(|value| value.origin.is_some()).count();
    assert_eq!((held, read), (4, 4));
    assert_eq!(emulator.log().len(), 4);
}
