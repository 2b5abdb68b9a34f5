//! Every request of an apply meets every fault: nothing foreign is lost, nothing doubled, the receipt is honest, and a
//! second apply reaches what was wanted.

use std::collections::BTreeSet;
use std::time::Duration;

use mailzone_emulated::Fault;
use mailzone_provider::{Freshness, Outcome, Provider, ProviderError, RRsetChange, Receipt, Retry, Snapshot, Zone};
use mailzone_record::RRsetKey;

use crate::bench::{Hosting, hosting, key, set};
use crate::hosting::{ZONE, stage};

/// The requests of [`stage`]: re-read, DELETE, PATCH, DELETE, read-back.
const REQUESTS: usize = 5;

#[tokio::test]
async fn at_every_request() {
    for fault in Fault::all(Duration::from_millis(5)) {
        for at in 0..REQUESTS {
            one(&[(at, fault)], |_| ()).await;
        }
    }
}

/// The look after the fault fails as well, or the one after that.
#[tokio::test]
async fn twice() {
    for first in [Fault::ErrorBefore, Fault::ErrorAfter, Fault::Lost] {
        for at in 1..4 {
            for then in 1..3 {
                // Longer than a read is repeated.
                let looks: Vec<_> = (at + then..at + then + 3).map(|at| (at, Fault::ErrorBefore)).collect();
                one(&[vec![(at, first)], looks].concat(), |_| ()).await;
            }
        }
    }
}

/// The PATCH is refused, and what puts the CNAME back meets a fault.
#[tokio::test]
async fn while_putting_back() {
    for fault in Fault::all(Duration::from_millis(5)) {
        for at in 3..6 {
            one(&[(at, fault)], |bench| bench.emulator.with(|service| service.refuse_creates = 1)).await;
        }
    }
}

/// A PATCH that is refused half-way.
#[tokio::test]
async fn a_patch_that_is_not_all_or_nothing() {
    let set_up = |bench: &Hosting| {
        bench.emulator.with(|service| {
            service.atomic_patch = false;
            service.refuse_creates = 1;
        });
    };
    one(&[], set_up).await;
    for at in 0..REQUESTS {
        one(&[(at, Fault::Lost)], set_up).await;
    }
}

async fn one(faults: &[(usize, Fault)], set_up: impl Fn(&Hosting)) {
    let bench = hosting().await;
    let zone = bench.seed(ZONE);
    bench.emulator.with(|service| {
        service.add_disabled(&zone, &set("@", "TXT", 900, &[r#""v=spf1 a -all""#]));
        service.add_disabled(&zone, &set("autoconfig", "CNAME", 900, &["older.example.net."]));
    });
    let before = bench.stored(&zone);
    let changes = bench.plan(&zone, &stage()).await;
    assert_eq!(changes.len(), 5);
    set_up(&bench);
    for (at, fault) in faults {
        bench.emulator.fault_at(*at, *fault);
    }
    let result = bench.apply(&zone, &changes).await;
    let story = format!("{faults:?}: {result:?}\n{:#?}", bench.labels());
    bench.emulator.clear_faults();
    bench.emulator.with(|service| {
        service.refuse_creates = 0;
        service.atomic_patch = true;
    });

    nothing_foreign_is_lost(&bench, &zone, &before, &changes, &story);
    let live = bench.provider.snapshot(&zone).await.unwrap();
    honest(&result, &changes, &live, &story);

    let again = bench.plan(&zone, &stage()).await;
    let second = bench.apply(&zone, &again).await.unwrap_or_else(|error| panic!("{story}: then {error}"));
    assert!(second.results.iter().all(|result| result.outcome == Outcome::Applied), "{story}: then {second:?}");
    assert!(bench.plan(&zone, &stage()).await.is_empty(), "{story}");
    nothing_foreign_is_lost(&bench, &zone, &before, &changes, &story);
}

fn nothing_foreign_is_lost(
    bench: &Hosting,
    zone: &Zone,
    before: &std::collections::BTreeMap<RRsetKey, Vec<String>>,
    changes: &[RRsetChange],
    story: &str,
) {
    let now = bench.stored(zone);
    for (set, texts) in &now {
        let distinct: BTreeSet<_> = texts.iter().collect();
        assert_eq!(distinct.len(), texts.len(), "doubled: {set}: {story}");
    }
    for (set, texts) in before {
        let touched = changes.iter().any(|change| *change.name() == set.name && change.rtype() == set.rtype);
        match touched {
            false => assert_eq!(Some(texts), now.get(set), "{set}: {story}"),
            true => {
                let disabled = texts.iter().filter(|text| text.ends_with("disabled"));
                for text in disabled {
                    assert!(now.get(set).is_some_and(|now| now.contains(text)), "{set} {text}: {story}");
                }
            }
        }
    }
    let token = r#""google-site-verification=abc;def" None"#.to_owned();
    assert!(now[&key("@", "TXT")].contains(&token), "{story}");
    let dmarc = now.keys().filter(|set| set.name == key("_dmarc", "TXT").name).count();
    assert!(dmarc <= 1, "{story}");
}

/// What the receipt says is so.
pub(crate) fn honest(result: &Result<Receipt, ProviderError>, changes: &[RRsetChange], live: &Snapshot, story: &str) {
    let receipt = match result {
        Ok(receipt) => receipt,
        // An error that is not "unknown" says that nothing is written.
        Err(error) => {
            let as_before =
                |change: &RRsetChange| change.compare(live.get(change.name(), change.rtype())) == Freshness::AsPlanned;
            assert!(error.retry == Retry::Unknown || changes.iter().all(as_before), "{story}");
            return;
        }
    };
    assert_eq!(receipt.results.len(), changes.len());
    for (change, result) in changes.iter().zip(&receipt.results) {
        let is = change.compare(live.get(change.name(), change.rtype()));
        let fits = match result.outcome {
            Outcome::Applied | Outcome::Already => is == Freshness::Already,
            Outcome::Failed | Outcome::Skipped => is != Freshness::Already && result.note.is_some(),
            Outcome::Unknown => result.note.is_some(),
            Outcome::Stale => false,
        };
        assert!(fits, "{} {} is {is:?}: {story}", change.name(), change.rtype());
    }
}
