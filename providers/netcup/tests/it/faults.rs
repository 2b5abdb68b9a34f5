//! Every request of an `apply` fails once in every way. Whatever happens, nothing foreign is lost, nothing is doubled, the
//! receipt says what is so, and a second `apply` reaches the desired state.

use std::collections::BTreeMap;

use mailzone_emulated::Fault;
use mailzone_emulated::netcup_clouddns::{Apex, Owners};
use mailzone_provider::{Outcome, ProviderError, Receipt, Retry};
use mailzone_record::{RRsetKey, Rdata};

use super::*;

const SLOW: Duration = Duration::from_millis(20);

type Sets = BTreeMap<RRsetKey, Vec<Rdata>>;

/// What the name servers answer.
fn served<S: Service>(emulator: &Emulator<S>) -> Sets {
    let zones = emulator.with(|service| service.served());
    let sets = zones.into_iter().flat_map(|(_, sets)| sets).filter(|set| set.rtype != mailzone_record::RecordType::SOA);
    sets.map(|set| {
        let mut values: Vec<Rdata> = set.values.iter().map(|value| value.rdata.clone()).collect();
        values.sort();
        (set.key(), values)
    })
    .collect()
}

fn values(set: Option<&RRset>) -> Option<Vec<Rdata>> {
    let mut values: Vec<Rdata> = set?.values.iter().map(|value| value.rdata.clone()).collect();
    values.sort();
    Some(values)
}

/// Holds what is said against what is so.
fn check(what: &str, batch: &Batch, result: Result<Receipt, ProviderError>, before: &Sets, now: &Sets) {
    let touched: Vec<RRsetKey> =
        batch.changes.iter().map(|c| RRsetKey { name: c.name().clone(), rtype: c.rtype() }).collect();
    let foreign = |sets: &Sets| -> Sets {
        let kept = sets.iter().filter(|(key, _)| !touched.contains(key));
        kept.map(|(key, values)| (key.clone(), values.clone())).collect()
    };
    assert_eq!(foreign(before), foreign(now), "{what}: other sets changed");
    let outcomes: Vec<Outcome> = match &result {
        Ok(receipt) => receipt.results.iter().map(|result| result.outcome).collect(),
        Err(error) if error.retry == Retry::Unknown => vec![Outcome::Unknown; batch.changes.len()],
        Err(_) => vec![Outcome::Failed; batch.changes.len()],
    };
    assert_eq!(outcomes.len(), batch.changes.len(), "{what}");
    for ((change, key), outcome) in batch.changes.iter().zip(&touched).zip(outcomes) {
        let live = now.get(key).cloned();
        let (old, new) = (values(change.before()), values(change.after()));
        let honest = match outcome {
            Outcome::Applied | Outcome::Already => live == new,
            Outcome::Failed | Outcome::Stale | Outcome::Skipped => live == old,
            Outcome::Unknown => live == new || live == old,
        };
        assert!(honest, "{what}: {outcome:?} of {key}, which is {live:?} ({result:?})");
    }
}

/// The number of requests of an undisturbed `apply`, the login included.
async fn every_fault_at_every_request<S: Backdoor>(
    requests: usize,
    service: S,
    of: impl Fn(&Emulator<S>) -> NetcupProvider,
) {
    let emulator = Emulator::start(service).await;
    let provider = of(&emulator);
    let mut surprises = 0;
    for at in 0..requests {
        for fault in Fault::all(SLOW) {
            let what = format!("{fault:?} at request {at}");
            let zone = seed(&emulator, ZONE, RECORDS);
            let batch = stage(&provider, &zone).await;
            provider.close().await;
            let before = served(&emulator);
            emulator.clear_log();
            emulator.fault_at(at, fault);
            let result = provider.apply(&zone, &batch).await;
            assert!(emulator.log().len() > at, "{what}: there are not so many requests");
            let all = result.as_ref().is_ok_and(|r| r.results.iter().all(|r| r.outcome == Outcome::Applied));
            surprises += usize::from(!all);
            check(&what, &batch, result, &before, &served(&emulator));
            emulator.clear_faults();

            let again = provider.apply(&zone, &batch).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            let done = |outcome| matches!(outcome, Outcome::Applied | Outcome::Already);
            assert!(again.results.iter().all(|result| done(result.outcome)), "{what}: {again:?}");
            let now = served(&emulator);
            for change in &batch.changes {
                let key = RRsetKey { name: change.name().clone(), rtype: change.rtype() };
                assert_eq!(now.get(&key).cloned(), values(change.after()), "{what}");
            }
        }
    }
    // Reads are repeated; what a write may leave behind is settled by reading back.
    assert!(surprises < requests * 8 / 2, "{surprises}");
}

#[tokio::test]
async fn ccp() {
    every_fault_at_every_request(4, NetcupCcp::new(), |emulator| ccp_provider(emulator, &[ZONE])).await;
}

#[tokio::test]
async fn clouddns_bare() {
    let service = NetcupCloudDns::new(Forms::default());
    every_fault_at_every_request(5, service, |emulator| clouddns_provider(emulator, &[ZONE])).await;
}

#[tokio::test]
async fn clouddns_quoted() {
    let forms = Forms { apex: Apex::Full, owners: Owners::Full, quoted: true, dots: false };
    let service = NetcupCloudDns::new(forms);
    every_fault_at_every_request(5, service, |emulator| clouddns_provider(emulator, &[ZONE])).await;
}

#[tokio::test]
async fn a_ccp_call_that_is_half_done_is_told_as_it_is() {
    for atomic in [true, false] {
        let (emulator, zone) = ccp_emulator().await;
        emulator.with(|service| service.atomic = atomic);
        let provider = ccp_provider(&emulator, &[ZONE]);
        let batch = stage(&provider, &zone).await;
        let before = served(&emulator);
        emulator.with(|service| service.refuse_next = true);
        let receipt = provider.apply(&zone, &batch).await.unwrap();
        let outcomes: Vec<_> = receipt.results.iter().map(|result| result.outcome).collect();
        // The deletion stands first in the call.
        let gone = if atomic { Outcome::Failed } else { Outcome::Applied };
        assert_eq!(outcomes, [Outcome::Failed, Outcome::Failed, gone, Outcome::Failed]);
        let note = receipt.results[0].note.clone().unwrap();
        assert!(note.contains("Validation Error") && note.ends_with("it is not written"), "{note}");
        check("refused", &batch, Ok(receipt), &before, &served(&emulator));
        let again = provider.apply(&zone, &batch).await.unwrap();
        let done = |outcome| matches!(outcome, Outcome::Applied | Outcome::Already);
        assert!(again.results.iter().all(|result| done(result.outcome)), "{again:?}");
    }
}

#[tokio::test]
async fn who_is_overtaken_between_reading_and_writing_writes_nothing() {
    let (emulator, zone) = clouddns_emulator(Forms::default()).await;
    let provider = clouddns_provider(&emulator, &[ZONE]);
    let batch = stage(&provider, &zone).await;
    let before = served(&emulator);
    emulator.with(|service| service.conflicts = 1);
    let receipt = provider.apply(&zone, &batch).await.unwrap();
    assert!(receipt.results.iter().all(|result| result.outcome == Outcome::Failed), "{receipt:?}");
    assert_eq!(before, served(&emulator));
    let again = provider.apply(&zone, &batch).await.unwrap();
    assert!(again.results.iter().all(|result| result.outcome == Outcome::Applied), "{again:?}");
}

#[tokio::test]
async fn a_draft_of_somebody_else_is_not_the_zone() {
    let (emulator, zone) = clouddns_emulator(Forms::default()).await;
    emulator.with(|service| service.draft(&zone, "draft"));
    let provider = clouddns_provider(&emulator, &[ZONE]);
    assert_eq!(provider.snapshot(&zone).await.unwrap().rrsets().len(), 11);
    let batch = stage(&provider, &zone).await;
    let receipt = provider.apply(&zone, &batch).await.unwrap();
    assert!(receipt.results.iter().all(|result| result.outcome == Outcome::Applied), "{receipt:?}");
}
