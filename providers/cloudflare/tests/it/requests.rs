//! How many requests it takes, exactly.

use mailzone_emulated::cloudflare::Plan;
use mailzone_provider::{Outcome, Provider, RRsetChange};
use mailzone_record::{RRset, Ttl};

use super::{apply, change, labels, name, outcomes, scene, value};

const LIST: &str = "GET /zones/{id}/dns_records";
const BATCH: &str = "POST /zones/{id}/dns_records/batch";

#[tokio::test]
async fn a_plan_takes_the_pages() {
    let (emulator, provider, zone) = scene(&many(0..7)).await;
    let snapshot = provider.snapshot(&zone).await.unwrap();
    assert_eq!((labels(&emulator), snapshot.rrsets().len()), (vec![LIST.to_owned()], 8));

    emulator.with(|service| service.page_limits = (50, 3));
    let again = provider.snapshot(&zone).await.unwrap();
    assert_eq!(labels(&emulator), [LIST; 3]);
    assert_eq!(snapshot.rrsets(), again.rrsets());
}

#[tokio::test]
async fn a_stage_takes_a_reading_a_batch_and_a_reading() {
    let (emulator, provider, zone) = scene("@ 300 TXT \"foreign\"\n@ 300 MX 10 mail.example.org.").await;
    let one = change(&provider, &zone, "@", "TXT", None, &["foreign", "v=spf1 -all"]).await;
    let two = change(&provider, &zone, "_dmarc", "TXT", None, &["v=DMARC1; p=none"]).await;
    labels(&emulator);
    assert_eq!(outcomes(&apply(&provider, &zone, &[one, two.clone()]).await), [Outcome::Applied; 2]);
    assert_eq!(labels(&emulator), [LIST, BATCH, LIST]);

    // Nothing is left to do, or somebody else was there: one reading.
    assert_eq!(outcomes(&apply(&provider, &zone, std::slice::from_ref(&two)).await), [Outcome::Already]);
    assert_eq!(labels(&emulator), [LIST]);
    let stale = RRsetChange::new(None, change(&provider, &zone, "@", "MX", None, &["0 ."]).await.after().cloned());
    labels(&emulator);
    assert_eq!(outcomes(&apply(&provider, &zone, &[stale.unwrap()]).await), [Outcome::Stale]);
    assert_eq!(labels(&emulator), [LIST]);
    assert_eq!(outcomes(&apply(&provider, &zone, &[]).await), []);
    assert_eq!(labels(&emulator), [""; 0]);
}

/// One name is read by a filter: not the zone's other pages.
#[tokio::test]
async fn one_name_is_one_page() {
    let (emulator, provider, zone) = scene(&many(0..20)).await;
    let one = change(&provider, &zone, "name3", "TXT", None, &["new"]).await;
    let two = change(&provider, &zone, "name4", "TXT", None, &["new"]).await;
    emulator.with(|service| service.page_limits = (50, 5));
    labels(&emulator);
    assert_eq!(outcomes(&apply(&provider, &zone, std::slice::from_ref(&one)).await), [Outcome::Applied]);
    assert_eq!(labels(&emulator), [LIST, BATCH, LIST]);
    assert_eq!(outcomes(&apply(&provider, &zone, &[two]).await), [Outcome::Applied]);
    assert_eq!(labels(&emulator), [LIST, BATCH, LIST]);
    let more = change(&provider, &zone, "name5", "TXT", None, &["new"]).await;
    labels(&emulator);
    assert_eq!(outcomes(&apply(&provider, &zone, &[one, more]).await), [Outcome::Already, Outcome::Applied]);
    assert_eq!(labels(&emulator), [LIST, LIST, LIST, LIST, BATCH, LIST, LIST, LIST, LIST]);
}

/// 200 operations a batch on the Free plan, 3,500 on others; a name is never parted.
#[tokio::test]
async fn one_write_for_each_batch_limit() {
    for (plan, batches) in [(Plan::Free, 3), (Plan::Pro, 1)] {
        let (emulator, _, _) = scene("").await;
        emulator.with(|service| (service.zones[0].plan, service.zones[0].quota) = (plan, 1_000));
        let provider = super::provider(&emulator);
        let zone = provider.zones().await.unwrap().remove(0);
        labels(&emulator);
        let changes: Vec<RRsetChange> = (0..450)
            .map(|i| {
                let set = RRset::new(
                    name(&format!("n{i}")),
                    "TXT".parse().unwrap(),
                    Ttl::from_secs(300),
                    vec![value("TXT", "x")],
                );
                RRsetChange::new(None, Some(set)).unwrap()
            })
            .collect();
        assert_eq!(outcomes(&apply(&provider, &zone, &changes).await), [Outcome::Applied; 450]);
        let log = labels(&emulator);
        assert_eq!(log.iter().filter(|label| *label == BATCH).count(), batches);
        assert_eq!(log.len(), batches + 2);
        assert_eq!((&*log[0], &*log[log.len() - 1]), (LIST, LIST));
    }
}

fn many(range: std::ops::Range<u32>) -> String {
    range.map(|i| format!("name{i} 3600 TXT \"old\"\n")).collect()
}
