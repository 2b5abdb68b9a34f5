//! Every request of an apply meets every fault: nothing foreign is lost, nothing doubled, the receipt is honest, and a
//! second apply reaches what was wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mailzone_emulated::Fault;
use mailzone_provider::{Outcome, Provider};
use mailzone_record::{RRsetKey, RecordType};

use crate::bench::{Cloud, cloud, key, set};
use crate::cloud::{ZONE, stage};
use crate::hosting_faults::honest;

/// The requests of [`stage`]: re-read, 7 values, read-back, a look that everything is done.
const REQUESTS: usize = 10;

#[tokio::test]
async fn at_every_request() {
    for fault in Fault::all(Duration::from_millis(5)) {
        for at in 0..REQUESTS {
            for polls in [0, 2] {
                one(&[(at, fault)], |bench| bench.emulator.with(|service| service.polls = polls)).await;
            }
        }
    }
}

/// The looks after the fault fail as well.
#[tokio::test]
async fn in_the_dark() {
    for first in [Fault::ErrorBefore, Fault::ErrorAfter, Fault::Lost] {
        for at in 1..8 {
            let looks: Vec<_> = (at + 1..at + 4).map(|at| (at, Fault::ErrorBefore)).collect();
            one(&[vec![(at, first)], looks].concat(), |_| ()).await;
        }
    }
}

/// The TXT is refused, and what puts the CNAME back meets a fault.
#[tokio::test]
async fn while_putting_back() {
    for fault in Fault::all(Duration::from_millis(5)) {
        for at in 3..6 {
            one(&[(at, fault)], |bench| bench.emulator.with(|service| service.refuse_creates = 1)).await;
        }
    }
}

async fn one(faults: &[(usize, Fault)], set_up: impl Fn(&Cloud)) {
    let bench = cloud().await;
    let zone = bench.seed(ZONE);
    bench.emulator.with(|service| {
        service.add_disabled(&zone, &set("@", "TXT", 900, &[r#""v=spf1 +all""#]));
        service.add_disabled(&zone, &set("autoconfig", "CNAME", 900, &["older.example.net."]));
    });
    let before = bench.stored(&zone);
    let planned = bench.plan(&zone, &stage()).await;
    assert_eq!(planned.len(), 6);
    set_up(&bench);
    for (at, fault) in faults {
        bench.emulator.fault_at(*at, *fault);
    }
    let batch = mailzone_provider::Batch { changes: planned.clone() };
    let result = bench.provider.apply(&zone, &batch).await;
    let settled = match &result {
        Ok(receipt) => bench.provider.settle(&zone, receipt).await,
        Err(_) => Ok(()),
    };
    let story = format!("{faults:?}: {result:?} {settled:?}\n{:#?}", bench.labels());
    bench.emulator.clear_faults();
    bench.emulator.with(|service| {
        service.refuse_creates = 0;
        service.polls = 0;
    });

    nothing_foreign_is_lost(&before, &bench.stored(&zone), &story);
    honest(&result, &planned, &bench.provider.snapshot(&zone).await.unwrap(), &story);
    let again = bench.plan(&zone, &stage()).await;
    let second = bench.apply(&zone, &again).await.unwrap_or_else(|error| panic!("{story}: then {error}"));
    assert!(second.results.iter().all(|result| result.outcome == Outcome::Applied), "{story}: then {second:?}");
    assert!(bench.plan(&zone, &stage()).await.is_empty(), "{story}");
    nothing_foreign_is_lost(&before, &bench.stored(&zone), &story);
}

fn nothing_foreign_is_lost(
    before: &BTreeMap<RRsetKey, Vec<String>>,
    now: &BTreeMap<RRsetKey, Vec<String>>,
    story: &str,
) {
    let data = |text: &String| text.split_once(' ').map(|(_, data)| data.to_owned()).unwrap_or_default();
    for (set, texts) in now {
        let distinct: BTreeSet<_> = texts.iter().map(data).collect();
        assert_eq!(distinct.len(), texts.len(), "doubled: {set}: {story}");
    }
    let touched = stage();
    for (set, texts) in before {
        let is_touched = touched.iter().any(|(touched, _)| touched == set);
        for text in texts {
            let stays = !is_touched || text.ends_with("disabled") || text.contains("google-site-verification");
            assert!(!stays || now.get(set).is_some_and(|now| now.contains(text)), "{set} {text}: {story}");
        }
    }
    let at_dmarc =
        now.keys().filter(|set| set.name == key("_dmarc", "TXT").name && set.rtype != RecordType::NS).count();
    assert!(at_dmarc <= 1, "{story}");
}
