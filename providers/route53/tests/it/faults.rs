//! Whatever fails at whichever request: nothing foreign is lost, nothing is doubled, the report is true, and the next
//! run reaches what was wanted.

use std::sync::Arc;
use std::time::Duration;

use mailzone_conformance::{Stored, parse_seed};
use mailzone_emulated::route53::Route53;
use mailzone_emulated::{Backdoor, Emulator, Fault, Request, Response, Service};
use mailzone_provider::{Batch, Outcome, Provider, Retry, Zone};
use mailzone_record::{Name, RRset, RecordType};

use super::{MESSY, account, name, provider, stage, start};

fn sorted<S: Backdoor>(emulator: &Emulator<S>, zone: &Zone) -> Vec<Stored> {
    let mut stored = emulator.with(|service| service.stored(zone));
    stored.sort();
    stored
}

#[tokio::test]
async fn every_fault_at_every_request() {
    let (reference, first, zone) = start().await;
    let wanted = {
        let batch = stage(&first.snapshot(&zone).await.unwrap());
        reference.clear_log();
        let receipt = first.apply(&zone, &batch).await.unwrap();
        first.settle(&zone, &receipt).await.unwrap();
        sorted(&reference, &zone)
    };
    let requests = reference.log().len();
    assert_eq!(requests, 4);

    let (emulator, _, zone) = start().await;
    let untouched = sorted(&emulator, &zone);
    let origin = name("example.com");
    for fault in Fault::all(Duration::from_millis(20)) {
        for at in 0..requests {
            let case = format!("{fault:?} at request {at}");
            emulator.with(|service| service.seed(&origin, &parse_seed(&origin, MESSY)));
            let provider = provider(&emulator.url());
            let batch = stage(&provider.snapshot(&zone).await.unwrap());
            emulator.fault_at(at, fault);
            let result = provider.apply(&zone, &batch).await;
            if let Ok(receipt) = &result {
                provider.settle(&zone, receipt).await.unwrap();
            }
            emulator.clear_faults();
            let now = sorted(&emulator, &zone);
            assert!(now == untouched || now == wanted, "{case}: half written: {now:?}");
            match &result {
                Ok(receipt) => {
                    let outcomes: Vec<_> = receipt.results.iter().map(|result| result.outcome).collect();
                    assert_eq!(outcomes, [Outcome::Applied; 5], "{case}: {:?}", receipt.results);
                    assert_eq!(now, wanted, "{case}");
                }
                Err(error) if error.retry != Retry::Unknown => assert_eq!(now, untouched, "{case}: {error}"),
                Err(_) => {}
            }
            // The first request is the write, whose lost answer is read back and repeated: all of them succeed.
            assert!(result.is_ok(), "{case}: {result:?}");
            again(&provider, &emulator, &zone, &wanted, &case).await;
        }
    }
}

/// The service stays away after the first request: what can be said is said, and the next run mends it.
#[tokio::test]
async fn a_service_that_stays_away() {
    let (emulator, _, zone) = start().await;
    let untouched = sorted(&emulator, &zone);
    let origin = name("example.com");
    for first in [Fault::ErrorBefore, Fault::ErrorAfter, Fault::Lost, Fault::Refused, Fault::Truncated, Fault::Html] {
        emulator.with(|service| service.seed(&origin, &parse_seed(&origin, MESSY)));
        let provider = provider(&emulator.url());
        let batch = stage(&provider.snapshot(&zone).await.unwrap());
        emulator.fault_at(0, first);
        for at in 1..10 {
            emulator.fault_at(at, Fault::ErrorBefore);
        }
        let error = provider.apply(&zone, &batch).await.unwrap_err();
        emulator.clear_faults();
        assert_eq!(error.retry, Retry::Unknown, "{first:?}: {error}");
        assert_eq!(error.remedy, "plan again, which shows what was written");
        assert_eq!(sorted(&emulator, &zone) != untouched, first.carries_out(), "{first:?}");

        let batch = stage(&provider.snapshot(&zone).await.unwrap());
        let left = if first.carries_out() { 0 } else { 5 };
        assert_eq!(batch.changes.len(), left, "{first:?}");
        let receipt = provider.apply(&zone, &batch).await.unwrap();
        assert!(receipt.results.iter().all(|result| result.outcome == Outcome::Applied), "{first:?}");
    }
    // It never takes the write and always reads: not written, and said so.
    emulator.with(|service| service.seed(&origin, &parse_seed(&origin, MESSY)));
    let provider = provider(&emulator.url());
    let batch = stage(&provider.snapshot(&zone).await.unwrap());
    for at in [0, 2, 4, 6] {
        emulator.fault_at(at, Fault::ErrorBefore);
    }
    let receipt = provider.apply(&zone, &batch).await.unwrap();
    for result in receipt.results {
        assert_eq!(result.outcome, Outcome::Failed);
        assert!(result.note.unwrap().ends_with("it is not written"));
    }
    assert_eq!(sorted(&emulator, &zone), untouched);
}

#[tokio::test]
async fn a_throttle_that_does_not_end_writes_nothing() {
    let (emulator, provider, zone) = start().await;
    let untouched = sorted(&emulator, &zone);
    let batch = stage(&provider.snapshot(&zone).await.unwrap());
    for at in 0..3 {
        emulator.fault_at(at, Fault::Throttled);
    }
    let error = provider.apply(&zone, &batch).await.unwrap_err();
    assert_eq!((error.kind.as_str(), error.retry), ("throttled", Retry::Later));
    assert_eq!(sorted(&emulator, &zone), untouched);
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_a_lost_one() {
    let (emulator, _, zone) = start().await;
    let mut settings = super::settings(&emulator.url());
    settings.timeout = Duration::from_secs(2);
    let id = mailzone_provider::ProviderId::new("aws");
    let provider = mailzone_provider_route53::Route53Provider::new(id, settings);
    let batch = stage(&provider.snapshot(&zone).await.unwrap());
    emulator.fault_at(0, Fault::Slow(Duration::from_secs(3_600)));
    let receipt = provider.apply(&zone, &batch).await.unwrap();
    for result in receipt.results {
        assert_eq!(result.outcome, Outcome::Applied);
        assert_eq!(result.note.as_deref(), Some("the answer was lost; it is written"));
    }
}

/// Somebody else's edit of a set of ours at the moment before each request: it is there afterwards, whatever
/// else goes wrong.
#[tokio::test]
async fn an_edit_of_others_is_never_overwritten() {
    let origin = name("example.com");
    let theirs = parse_seed(&origin, "@ 300 TXT \"theirs\"").remove(0);
    for fault in [None, Some(Fault::ErrorBefore), Some(Fault::Lost), Some(Fault::ErrorAfter)] {
        for at in 0..4 {
            let (inner, zone) = account();
            let meddled = Meddled { inner, zone: zone.clone(), theirs: theirs.clone(), until: None };
            let emulator = Emulator::start(meddled).await;
            let provider = provider(&emulator.url());
            let batch = stage(&provider.snapshot(&zone).await.unwrap());
            emulator.with(|service| service.until = Some(at));
            if let Some(fault) = fault {
                emulator.fault_at(0, fault);
            }
            let result = provider.apply(&zone, &batch).await;
            emulator.clear_faults();
            let case = format!("{fault:?}, edited before request {at}: {result:?}");
            // A short apply may be over before the edit.
            let happened = emulator.with(|service| service.until.is_none());
            let live = provider.snapshot(&zone).await.unwrap();
            let txt = live.get(&origin, RecordType::TXT).unwrap();
            if happened {
                assert!(txt.same_data(&theirs), "{case}: {txt:?}");
            }
            for result in result.iter().flat_map(|receipt| &receipt.results) {
                let honest = match result.outcome {
                    Outcome::Applied | Outcome::Unknown => {
                        live.get(&name("_dmarc.example.com"), RecordType::TXT).is_some()
                    }
                    Outcome::Stale | Outcome::Skipped | Outcome::Failed => {
                        live.get(&name("_dmarc.example.com"), RecordType::TXT).is_none()
                    }
                    Outcome::Already => false,
                };
                assert!(honest, "{case}");
            }
        }
    }
}

/// Plans and applies once more.
async fn again(
    provider: &mailzone_provider_route53::Route53Provider,
    emulator: &Emulator<Route53>,
    zone: &Zone,
    wanted: &[Stored],
    case: &str,
) {
    let batch: Batch = stage(&provider.snapshot(zone).await.unwrap());
    let receipt = provider.apply(zone, &batch).await.unwrap();
    let done = |outcome| matches!(outcome, Outcome::Applied | Outcome::Already);
    assert!(receipt.results.iter().all(|result| done(result.outcome)), "{case}: {:?}", receipt.results);
    assert_eq!(sorted(emulator, zone), wanted, "{case}");
}

/// An account in which somebody edits a set before a request is answered.
struct Meddled {
    inner: Route53,
    zone: Zone,
    theirs: RRset,
    /// How many requests are answered before the edit.
    until: Option<usize>,
}

impl Service for Meddled {
    fn answer(&mut self, request: &Request) -> Response {
        self.until = match self.until {
            Some(0) => {
                self.inner.edit(&self.zone, &self.theirs.key(), Some(&self.theirs));
                None
            }
            until => until.map(|left| left - 1),
        };
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

/// Many zones at once through one provider: each gets its own change to wait for.
#[tokio::test]
async fn zones_do_not_disturb_each_other() {
    let (emulator, provider, _) = start().await;
    let provider = Arc::new(provider);
    let zones: Vec<Zone> = (0..20)
        .map(|i| {
            let origin = name(&format!("z{i}.example"));
            emulator.with(|service| service.seed(&origin, &[]))
        })
        .collect();
    let mut tasks = tokio::task::JoinSet::new();
    for zone in zones {
        let provider = Arc::clone(&provider);
        tasks.spawn(async move {
            let snapshot = provider.snapshot(&zone).await.unwrap();
            let change = super::change(&snapshot, &zone.name.to_string(), "TXT", &["\"v=spf1 -all\""]);
            super::outcomes(&provider, &zone, &Batch { changes: vec![change] }).await
        });
    }
    while let Some(outcomes) = tasks.join_next().await {
        assert_eq!(outcomes.unwrap(), [Outcome::Applied]);
    }
    let polls = emulator.log().iter().filter(|request| request.label == "GetChange").count();
    assert_eq!(polls, 40);
}
