//! IONOS Cloud DNS: what is asked, what is sent, what stays, what failed.

use std::fmt::Write as _;
use std::sync::Arc;

use mailzone_conformance::{assert_passed, run};
use mailzone_emulated::{Backdoor, EmulatedHarness};
use mailzone_provider::{Access, Outcome, Provider, ProviderErrorKind};
use mailzone_record::RecordType;

use crate::bench::{Cloud, Desired, changes, cloud, cloud_with_token, key, name, set, want};

pub(crate) const ZONE: &str = r#"
@ 3600 A 192.0.2.1
@ 3600 MX 10 mail.example.com.
@ 3600 MX 20 backup.example.net.
@ 3600 TXT "v=spf1 a -all"
@ 3600 TXT "google-site-verification=abc;def"
_dmarc 3600 CNAME dmarc.example.net.
autoconfig 3600 CNAME old.example.net.
old._domainkey 3600 TXT "v=DKIM1; p=" "MIIB\"x\\y"
mail 3600 A 192.0.2.25
mail 3600 A 192.0.2.26
www 600 A 192.0.2.80
"#;

/// A stage of a real plan: a CNAME replaced, a value changed in place, sets deleted and created.
pub(crate) fn stage() -> Desired {
    vec![
        want("@", "TXT", 3600, &[r#""google-site-verification=abc;def""#, r#""v=spf1 mx -all""#]),
        want("_dmarc", "CNAME", 0, &[]),
        want("_dmarc", "TXT", 3600, &[r#""v=DMARC1; p=none""#]),
        want("autoconfig", "CNAME", 0, &[]),
        want("mail", "A", 3600, &["192.0.2.25"]),
        want("_25._tcp.mail", "TLSA", 3600, &["3 1 1 00ff", "3 1 1 ffee"]),
    ]
}

#[tokio::test]
async fn conformance() {
    for (polls, quotes) in [(0, false), (2, true)] {
        let bench = cloud().await;
        bench.emulator.with(|service| {
            service.polls = polls;
            service.quotes = quotes;
        });
        let provider: Arc<dyn Provider> = bench.provider.clone();
        assert_passed(&run(&EmulatedHarness::new(bench.emulator.clone(), provider)).await);
    }
}

#[tokio::test]
async fn zones_of_both_lists() {
    let bench = cloud().await;
    let zone = bench.seed(ZONE);
    let zones = bench.provider.zones().await.unwrap();
    assert_eq!((zones.len(), zones[0].nameservers.len()), (1, 4));
    bench.emulator.with(|service| service.make_secondary(&zone));
    let zones = bench.provider.zones().await.unwrap();
    assert!(matches!(&zones[0].access, Access::ReadOnly { reason, .. } if &**reason == "a secondary zone"));
    assert_eq!(bench.labels(), ["GET /zones", "GET /secondaryzones"].repeat(2));
    let snapshot = bench.provider.snapshot(&zones[0]).await.unwrap();
    assert!(snapshot.get(&name("mail.example.com"), RecordType::A).is_some(), "read where it is");
}

/// Exactly: a plan is the pages; a stage the pages, one request for each value, the pages, and questions until it is
/// done.
#[tokio::test]
async fn requests_are_counted() {
    let bench = cloud().await;
    bench.emulator.with(|service| service.polls = 3);
    let zone = bench.seed(ZONE);
    let planned = bench.plan(&zone, &stage()).await;
    let get = "GET /records";
    assert_eq!(bench.labels(), [get]);
    bench.emulator.clear_log();
    bench.apply(&zone, &planned).await.unwrap();
    let (post, put, delete) =
        ("POST /zones/{id}/records", "PUT /zones/{id}/records/{id}", "DELETE /zones/{id}/records/{id}");
    // `_dmarc` at once, then what comes, then what goes; then the read-back and three looks until it is done.
    assert_eq!(bench.labels(), [get, delete, post, put, post, post, delete, delete, get, get, get, get]);
    bench.emulator.clear_log();
    bench.apply(&zone, &planned).await.unwrap();
    assert_eq!(bench.labels(), [get], "nothing to do is a look");

    // An empty zone that was listed is there; of another one the service is asked.
    let zone = bench.seed("");
    bench.emulator.clear_log();
    bench.provider.snapshot(&zone).await.unwrap();
    bench.provider.zones().await.unwrap();
    bench.provider.snapshot(&zone).await.unwrap();
    assert_eq!(bench.labels(), [get, "GET /zones/{id}", "GET /zones", "GET /secondaryzones", get]);

    let mut records = String::from(ZONE);
    for i in 0..1200 {
        let _ = writeln!(records, "host{i} 3600 A 192.0.2.1");
    }
    let zone = bench.seed(&records);
    bench.emulator.clear_log();
    let snapshot = bench.provider.snapshot(&zone).await.unwrap();
    assert_eq!((bench.labels(), snapshot.rrsets().len()), (vec![get.to_owned(); 2], 1200 + 9));
}

/// Ids, spellings and disabled records of what is not ours stay; a changed value keeps its id.
#[tokio::test]
async fn what_is_not_ours_stays_as_it_is() {
    let bench = cloud().await;
    let zone = bench.seed(ZONE);
    bench.emulator.with(|service| {
        service.add_disabled(&zone, &set("@", "TXT", 900, &[r#""v=spf1 +all""#]));
        service.add_disabled(&zone, &set("off", "A", 900, &["192.0.2.99"]));
    });
    let before = bench.stored(&zone);
    let snapshot = bench.provider.snapshot(&zone).await.unwrap();
    assert!(snapshot.get(&name("off.example.com"), RecordType::A).is_none(), "not served, not there");
    assert_eq!(snapshot.get(&zone.name, RecordType::TXT).unwrap().values.len(), 2);
    bench.bring_about(&zone, &stage()).await;
    let after = bench.stored(&zone);
    let touched = stage();
    for (key, texts) in &before {
        if !touched.iter().any(|(touched, _)| touched == key) {
            assert_eq!(after.get(key), Some(texts));
        }
    }
    let id = |text: &String| text.split(' ').next().unwrap().to_owned();
    let ids =
        |view: &std::collections::BTreeMap<_, Vec<String>>| view[&key("@", "TXT")].iter().map(id).collect::<Vec<_>>();
    assert_eq!(ids(&before), ids(&after));
    assert!(after[&key("@", "TXT")].iter().any(|text| text.ends_with("v=spf1 +all None disabled")));
    // Nothing enables what is disabled, even if just that is wanted: the service says that it is there.
    let planned = bench.plan(&zone, &vec![want("off", "A", 3600, &["192.0.2.99"])]).await;
    let error = bench.apply(&zone, &planned).await.unwrap_err();
    assert!(matches!(error.kind, ProviderErrorKind::Conflict(_)) && error.remedy.contains("disabled"), "{error:?}");
}

/// A TTL is one request for each value that stays.
#[tokio::test]
async fn ttls_are_changed_in_place() {
    let bench = cloud().await;
    let zone = bench.seed(ZONE);
    bench.emulator.clear_log();
    let mx = ["10 mail.example.com.", "20 backup.example.net."];
    bench.bring_about(&zone, &vec![want("@", "MX", 900, &mx)]).await;
    let put = "PUT /zones/{id}/records/{id}";
    assert_eq!(bench.labels(), ["GET /records", "GET /records", put, put, "GET /records"]);
}

#[tokio::test]
async fn what_the_service_gives_up_is_told_and_tried_again() {
    for polls in [0, 3] {
        let bench = cloud().await;
        bench.emulator.with(|service| {
            service.polls = polls;
            service.fail = 1;
        });
        let zone = bench.seed(ZONE);
        let desired = vec![want("_smtp._tls", "TXT", 3600, &[r#""v=TLSRPTv1; rua=mailto:t@example.com""#])];
        let planned = bench.plan(&zone, &desired).await;
        match bench.apply(&zone, &planned).await {
            Ok(receipt) => {
                assert_eq!((polls, receipt.results[0].outcome), (0, Outcome::Failed));
                assert!(receipt.results[0].note.as_ref().unwrap().contains("FAILED"));
            }
            Err(error) => assert!(polls > 0 && error.to_string().contains("reported FAILED"), "{error}"),
        }
        bench.emulator.clear_log();
        bench.bring_about(&zone, &desired).await;
        assert!(bench.labels().contains(&"PUT /zones/{id}/records/{id}".to_owned()), "in its own place");
        assert!(bench.plan(&zone, &desired).await.is_empty());
    }
}

/// Nothing more is sent after an error, and each change is told as it is.
#[tokio::test]
async fn a_part_is_told_exactly() {
    let bench = cloud().await;
    let zone = bench.seed(ZONE);
    let desired = vec![
        want("a", "A", 3600, &["192.0.2.2"]),
        want("_25._tcp.mail", "TLSA", 3600, &["3 1 1 00ff", "3 1 1 ffee"]),
        want("b", "A", 3600, &["192.0.2.3"]),
        want("autoconfig", "CNAME", 0, &[]),
    ];
    let planned = bench.plan(&zone, &desired).await;
    bench.emulator.clear_log();
    bench.emulator.fault_at(3, mailzone_emulated::Fault::ErrorBefore);
    let receipt = bench.apply(&zone, &planned).await.unwrap();
    let outcomes: Vec<_> = receipt.results.iter().map(|result| result.outcome).collect();
    assert_eq!(outcomes, [Outcome::Applied, Outcome::Failed, Outcome::Skipped, Outcome::Skipped]);
    let note = receipt.results[1].note.as_ref().unwrap();
    assert!(note.ends_with("a part is written, the set now holds 3 1 1 00ff"), "{note}");
    assert_eq!(bench.emulator.log().iter().filter(|logged| logged.write).count(), 3);
}

/// The CNAME goes first, then the TXT comes; where that is refused, the CNAME is back.
#[tokio::test]
async fn a_cname_is_replaced_or_put_back() {
    let bench = cloud().await;
    let zone = bench.seed(ZONE);
    let desired = vec![want("_dmarc", "CNAME", 0, &[]), want("_dmarc", "TXT", 3600, &[r#""v=DMARC1; p=none""#])];
    let planned = bench.plan(&zone, &desired).await;
    bench.emulator.with(|service| service.refuse_creates = 1);
    let error = bench.apply(&zone, &planned).await.unwrap_err();
    assert!(matches!(error.kind, ProviderErrorKind::Refused(_)), "{error}");
    let cname = |bench: &Cloud| bench.stored(&zone).contains_key(&key("_dmarc", "CNAME"));
    assert!(cname(&bench), "as it was");

    bench.emulator.with(|service| service.refuse_creates = 2);
    let receipt = bench.apply(&zone, &planned).await.unwrap();
    let outcomes: Vec<_> = receipt.results.iter().map(|result| result.outcome).collect();
    assert_eq!(outcomes, [Outcome::Applied, Outcome::Failed]);
    let note = receipt.results[1].note.as_ref().unwrap();
    let call = r#"/records {"properties":{"name":"_dmarc","type":"CNAME","content":"dmarc.example.net","ttl":3600,"enabled":true}} restores it"#;
    assert!(note.contains("was deleted to make room and is not back: POST http") && note.contains(call), "{note}");
    assert!(!cname(&bench));
    bench.bring_about(&zone, &desired).await;
}

#[tokio::test]
async fn somebody_elses_edit_is_noticed() {
    let bench = cloud().await;
    let zone = bench.seed(ZONE);
    let planned = bench.plan(&zone, &stage()).await;
    let theirs = set("mail", "A", 3600, &["192.0.2.77"]);
    bench.emulator.with(|service| service.edit(&zone, &theirs.key(), Some(&theirs)));
    bench.emulator.clear_log();
    let receipt = bench.apply(&zone, &planned).await.unwrap();
    let stale = receipt.results.iter().filter(|result| result.outcome == Outcome::Stale).count();
    assert_eq!((stale, bench.labels().len()), (1, 1));
}

#[tokio::test]
async fn what_cannot_be_written_is_refused() {
    let bench = cloud().await;
    let zone = bench.seed(ZONE);
    let snapshot = bench.provider.snapshot(&zone).await.unwrap();
    let refused = |desired| bench.provider.refuse(&changes(&snapshot, &vec![desired]).remove(0)).len();
    assert_eq!(refused(want("25", "PTR", 3600, &["mail.example.com."])), 1);
    assert_eq!(refused(want("@", "NS", 3600, &["ns1.example.net."])), 1);
    assert_eq!(refused(want("x", "NAPTR", 3600, &[r#"1 1 "u" "x" "y" ."#])), 1);
    assert_eq!(refused(want("_25._tcp", "TLSA", 3600, &["3 1 1 00"])), 0);
}

#[tokio::test]
async fn failures_say_what_to_do() {
    let bench = cloud().await;
    let zone = bench.seed(ZONE);
    let wrong = cloud_with_token(&bench.emulator.url(), "wrong-token").zones().await.unwrap_err();
    assert!(matches!(&wrong.kind, ProviderErrorKind::Credentials(text) if text.contains("paas-auth-1")), "{wrong}");
    assert!(wrong.remedy.contains("token manager") && !format!("{wrong:?}").contains("wrong-token"));
    bench.emulator.with(|service| service.refuse_all = Some(403));
    let forbidden = bench.provider.snapshot(&zone).await.unwrap_err();
    assert!(matches!(forbidden.kind, ProviderErrorKind::Permission(_)) && forbidden.remedy.contains("privilege"));
    bench.emulator.with(|service| service.refuse_all = None);
    let planned = bench.plan(&zone, &vec![want("low", "A", 30, &["192.0.2.1"])]).await;
    let refused = bench.apply(&zone, &planned).await.unwrap_err();
    assert!(matches!(&refused.kind, ProviderErrorKind::Refused(text) if text.contains("property ttl")), "{refused}");
    assert_eq!(refused.operation, "creating low A in example.com at IONOS Cloud");
}
