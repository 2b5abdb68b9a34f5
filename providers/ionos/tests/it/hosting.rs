//! The hosting DNS API: what is asked, what is sent, what stays.

use std::sync::Arc;

use mailzone_conformance::{assert_passed, run};
use mailzone_emulated::ionos_hosting::SrvForm;
use mailzone_emulated::{Backdoor, EmulatedHarness};
use mailzone_provider::{Access, Outcome, Provider, ProviderErrorKind};
use mailzone_record::RecordType;

use crate::bench::{Desired, hosting, hosting_with_key, key, name, set, want};

/// A zone as IONOS makes it, with a set that is shared and one that is switched off.
pub(crate) const ZONE: &str = r#"
@ 3600 A 217.160.0.11
@ 3600 AAAA 2001:8d8:100f:f000::2aa
@ 3600 MX 10 mx00.ionos.de.
@ 3600 MX 10 mx01.ionos.de.
@ 3600 TXT "v=spf1 include:_spf-eu.ionos.com ~all"
@ 3600 TXT "google-site-verification=abc;def"
_dmarc 3600 CNAME dmarc.ionos.com.
autodiscover 3600 CNAME adsredir.ionos.info.
autoconfig 3600 CNAME old.example.net.
s1-ionos._domainkey 3600 CNAME s1.dkim.ionos.com.
s2-ionos._domainkey 3600 CNAME s2.dkim.ionos.com.
_domainconnect 3600 CNAME _domainconnect.1and1.com.
old._domainkey 3600 TXT "v=DKIM1; p=" "MIIB\"x\\y"
www 600 A 192.0.2.80
"#;

/// A stage of a real plan: SPF beside a token, a CNAME replaced, a set deleted, one created.
pub(crate) fn stage() -> Desired {
    vec![
        want("_dmarc", "CNAME", 0, &[]),
        want("_dmarc", "TXT", 3600, &[r#""v=DMARC1; p=none""#]),
        want("@", "TXT", 3600, &[r#""google-site-verification=abc;def""#, r#""v=spf1 mx -all""#]),
        want("autoconfig", "CNAME", 0, &[]),
        want("_smtp._tls", "TXT", 3600, &[r#""v=TLSRPTv1; rua=mailto:t@example.com""#]),
    ]
}

#[tokio::test]
async fn conformance() {
    for srv in [SrvForm::Beside, SrvForm::Inside] {
        let bench = hosting().await;
        bench.emulator.with(|service| service.srv = srv);
        // Where all four fields stand in `content`, a record that is there shows it: without one the default is sent.
        if srv == SrvForm::Beside {
            let provider: Arc<dyn Provider> = bench.provider.clone();
            assert_passed(&run(&EmulatedHarness::new(bench.emulator.clone(), provider)).await);
            continue;
        }
        let zone = bench.seed("_imaps._tcp 3600 SRV 0 1 993 mail.example.com.");
        bench.bring_about(&zone, &vec![want("_submission._tcp", "SRV", 3600, &["5 1 587 mail.example.com."])]).await;
        bench
            .bring_about(
                &zone,
                &vec![want("_imaps._tcp", "SRV", 3600, &["0 1 993 m.example.com.", "1 2 993 n.example.com."])],
            )
            .await;
    }
}

#[tokio::test]
async fn long_texts_may_come_back_as_one() {
    let bench = hosting().await;
    bench.emulator.with(|service| service.joins_strings = true);
    let zone = bench.seed("");
    let parts = (format!("v=DKIM1; p={}", "A".repeat(200)), "b".repeat(200));
    let value = format!(r#""{}" "{}""#, parts.0, parts.1);
    let desired = vec![want("s1._domainkey", "TXT", 3600, &[&value])];
    let changes = bench.plan(&zone, &desired).await;
    for expected in [Outcome::Applied, Outcome::Already] {
        let receipt = bench.apply(&zone, &changes).await.unwrap();
        assert_eq!(receipt.results[0].outcome, expected, "{:?}", receipt.results[0].note);
    }
}

#[tokio::test]
async fn zones_are_listed_with_what_may_be_done() {
    let bench = hosting().await;
    let zone = bench.seed("");
    bench.emulator.with(|service| service.make_secondary(&zone));
    let zones = bench.provider.zones().await.unwrap();
    assert!(matches!(&zones[0].access, Access::ReadOnly { reason, .. } if &**reason == "a secondary zone"));
    assert_eq!(bench.labels(), ["GET /v1/zones"]);
}

/// Exactly: a plan is one request; a stage a re-read, a DELETE for each value that makes room or goes, one PATCH,
/// and a read-back.
#[tokio::test]
async fn requests_are_counted() {
    let bench = hosting().await;
    let zone = bench.seed(ZONE);
    let changes = bench.plan(&zone, &stage()).await;
    assert_eq!(bench.labels(), ["GET /v1/zones/{id}"]);

    bench.emulator.clear_log();
    bench.apply(&zone, &changes).await.unwrap();
    let delete = "DELETE /v1/zones/{id}/records/{id}";
    let (get, patch) = ("GET /v1/zones/{id}", "PATCH /v1/zones/{id}");
    assert_eq!(bench.labels(), [get, delete, patch, delete, get]);

    bench.emulator.clear_log();
    bench.apply(&zone, &changes).await.unwrap();
    assert_eq!(bench.labels(), [get], "nothing to do is a look");

    bench.emulator.clear_log();
    bench.bring_about(&zone, &vec![want("@", "MX", 0, &[])]).await;
    assert_eq!(bench.labels(), [get, get, delete, delete, get], "the plan's and one for each value");
}

#[tokio::test]
async fn what_is_not_ours_stays_as_it_is() {
    let bench = hosting().await;
    let zone = bench.seed(ZONE);
    let before = bench.stored(&zone);
    let receipt = bench.bring_about(&zone, &stage()).await;
    assert!(receipt.side_effects.is_empty(), "{:?}", receipt.side_effects);
    let mut after = bench.stored(&zone);
    assert_eq!(after.remove(&key("_dmarc", "TXT")).unwrap(), [r#""v=DMARC1; p=none" None"#]);
    after.remove(&key("_smtp._tls", "TXT")).unwrap();
    let shared = after.insert(key("@", "TXT"), before[&key("@", "TXT")].clone()).unwrap();
    assert_eq!(shared, [r#""google-site-verification=abc;def" None"#, r#""v=spf1 mx -all" None"#]);
    for gone in [key("_dmarc", "CNAME"), key("autoconfig", "CNAME")] {
        after.insert(gone.clone(), before[&gone].clone());
    }
    assert_eq!(after, before);
}

#[tokio::test]
async fn disabled_records_survive() {
    let bench = hosting().await;
    let zone = bench.seed(ZONE);
    bench.emulator.with(|service| {
        service.add_disabled(&zone, &set("@", "MX", 900, &["50 backup.example.net."]));
        service.add_disabled(&zone, &set("@", "TXT", 900, &[r#""v=spf1 a -all""#, r#""odd \"one\"""#]));
        service.add_disabled(&zone, &set("_dmarc", "TXT", 900, &[r#""v=DMARC1; p=reject""#]));
        service.disable(&zone, &key("www", "A"), true);
    });
    let disabled = |bench: &crate::bench::Hosting| -> Vec<_> {
        let stored = bench.stored(&zone).into_iter();
        stored
            .flat_map(|(key, texts)| texts.into_iter().map(move |text| (key.clone(), text)))
            .filter(|(_, text)| text.ends_with("disabled"))
            .collect()
    };
    let before = disabled(&bench);
    assert_eq!(before.len(), 5);
    let snapshot = bench.provider.snapshot(&zone).await.unwrap();
    assert!(snapshot.get(&name("www.example.com"), RecordType::A).is_none(), "not served, not there");

    let mut desired = stage();
    desired.push(want("@", "MX", 3600, &["10 mail.example.com."]));
    desired.push(want("www", "A", 3600, &["192.0.2.81"]));
    let receipt = bench.bring_about(&zone, &desired).await;
    assert!(receipt.side_effects.is_empty(), "{:?}", receipt.side_effects);
    assert_eq!(disabled(&bench), before);
    let gone: Desired = [("@", "MX"), ("@", "TXT"), ("_dmarc", "TXT"), ("www", "A")]
        .map(|(owner, rtype)| want(owner, rtype, 0, &[]))
        .into();
    bench.bring_about(&zone, &gone).await;
    assert_eq!(disabled(&bench), before);
}

/// A set keeps its TTL, a foreign value in it its own; a change of the TTL concerns all.
#[tokio::test]
async fn ttls_of_a_mixed_set() {
    let bench = hosting().await;
    let zone = bench.seed("@ 3600 TXT \"one\"\n@ 3600 TXT \"two\"\n");
    let low = set("@", "TXT", 300, &[r#""low""#]);
    let both = set("@", "TXT", 3600, &[r#""one""#, r#""two""#]);
    bench.emulator.with(|service| {
        service.load(&serde_json::json!({ "id": zone.id.as_str(), "name": "example.com", "records": [
            {"id": "1", "name": "example.com", "type": "TXT", "content": "\"one\"", "ttl": 3600, "disabled": false},
            {"id": "2", "name": "example.com", "type": "TXT", "content": "\"low\"", "ttl": 300, "disabled": false}]}))
    });
    let ttls = || {
        bench.emulator.with(|service| {
            use mailzone_emulated::{Request, Service};
            let headers =
                vec![("x-api-key".to_owned(), mailzone_emulated::ionos_hosting::IonosHosting::KEY.to_owned())];
            let path = format!("/dns/v1/zones/{}", zone.id);
            let answer = service.answer(&Request { method: "GET".into(), path, headers, ..Request::default() });
            let zone: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            let mut ttls: Vec<_> = zone["records"]
                .as_array()
                .unwrap()
                .iter()
                .map(|record| (record["content"].as_str().unwrap().to_owned(), record["ttl"].as_u64().unwrap()))
                .collect();
            ttls.sort();
            ttls
        })
    };
    let snapshot = bench.provider.snapshot(&zone).await.unwrap();
    assert_eq!(snapshot.get(&zone.name, RecordType::TXT).unwrap().ttl, low.ttl);
    bench.bring_about(&zone, &vec![want("@", "TXT", 300, &[r#""one""#, r#""low""#, r#""new""#])]).await;
    let pair = |text: &str, ttl: u64| (format!("\"{text}\""), ttl);
    assert_eq!(ttls(), [pair("low", 300), pair("new", 300), pair("one", 3600)]);
    bench.bring_about(&zone, &vec![(both.key(), Some(both))]).await;
    assert_eq!(ttls(), [pair("one", 3600), pair("two", 3600)]);
}

#[tokio::test]
async fn what_cannot_be_written_is_refused() {
    let bench = hosting().await;
    let zone = bench.seed("");
    let snapshot = bench.provider.snapshot(&zone).await.unwrap();
    let mut refused = Vec::new();
    for desired in [
        want("_25._tcp.mail", "TLSA", 3600, &["3 1 1 00"]),
        want("_acme-challenge", "TXT", 3600, &[r#""token""#]),
        want("@", "NS", 3600, &["ns1.example.net."]),
        want("@", "SOA", 3600, &["a. b. 1 2 3 4 5"]),
        want("@", "TXT", 3600, &[r#""v=spf1 -all""#]),
    ] {
        let change = crate::bench::changes(&snapshot, &vec![desired]).remove(0);
        refused.push((change.rtype().to_string(), bench.provider.refuse(&change).len()));
    }
    let refused: Vec<_> = refused.iter().map(|(rtype, count)| (rtype.as_str(), *count)).collect();
    assert_eq!(refused, [("TLSA", 1), ("TXT", 1), ("NS", 1), ("SOA", 2), ("TXT", 0)]);
}

#[tokio::test]
async fn somebody_elses_edit_is_noticed() {
    let bench = hosting().await;
    let zone = bench.seed(ZONE);
    let changes = bench.plan(&zone, &stage()).await;
    let theirs = set("@", "TXT", 3600, &[r#""theirs""#]);
    bench.emulator.with(|service| service.edit(&zone, &theirs.key(), Some(&theirs)));
    let before = bench.stored(&zone);
    bench.emulator.clear_log();
    let receipt = bench.apply(&zone, &changes).await.unwrap();
    let outcomes: Vec<_> = receipt.results.iter().map(|result| result.outcome).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Stale).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Skipped).count(), 4);
    assert_eq!((bench.stored(&zone), bench.labels().len()), (before, 1));
}

/// One clear message for each way in which it can fail, with what to do.
#[tokio::test]
async fn failures_say_what_to_do() {
    let bench = hosting().await;
    let zone = bench.seed(ZONE);
    let base = format!("{}/dns", bench.emulator.url());

    let wrong = hosting_with_key(&base, "wrong.secret").zones().await.unwrap_err();
    assert!(matches!(wrong.kind, ProviderErrorKind::Credentials(_)));
    assert!(wrong.remedy.contains("PREFIX.SECRET") && !format!("{wrong:?}").contains("wrong.secret"), "{wrong:?}");
    let halved = hosting_with_key(&base, "only-the-prefix").zones().await.unwrap_err();
    assert!(halved.remedy.contains("lacks a part"), "{}", halved.remedy);

    bench.emulator.with(|service| service.refuse_all = Some(403));
    let forbidden = bench.provider.snapshot(&zone).await.unwrap_err();
    assert!(matches!(&forbidden.kind, ProviderErrorKind::Permission(text) if text.contains("FORBIDDEN_REQUEST")));
    bench.emulator.with(|service| service.refuse_all = None);

    let changes = bench.plan(&zone, &vec![want("new", "TXT", 30, &[r#""x""#])]).await;
    let refused = bench.apply(&zone, &changes).await.unwrap_err();
    assert!(
        matches!(&refused.kind, ProviderErrorKind::Refused(text) if text.contains("INVALID_RECORD") && text.contains(r#"invalidFields ["ttl"]"#)),
        "{refused}"
    );

    let nowhere = hosting_with_key(&format!("{}/elsewhere", bench.emulator.url()), "emulated-prefix.emulated-secret");
    let protocol = nowhere.zones().await.unwrap_err();
    assert!(matches!(&protocol.kind, ProviderErrorKind::Protocol(text) if text.contains("405")), "{protocol}");
    assert!(protocol.remedy.contains("endpoint"));
}

/// A service that is down, a gateway's page, and throttling that does not end.
#[tokio::test]
async fn outages_are_told_apart() {
    use mailzone_emulated::Fault;
    use mailzone_provider::Retry;

    let bench = hosting().await;
    let zone = bench.seed(ZONE);
    for (fault, expected) in
        [(Fault::ErrorBefore, "unreachable"), (Fault::Html, "protocol"), (Fault::Throttled, "throttled")]
    {
        (0..3).for_each(|at| bench.emulator.fault_at(at, fault));
        let error = bench.provider.snapshot(&zone).await.unwrap_err();
        assert_eq!((error.kind.as_str(), error.retry), (expected, Retry::Later), "{error}");
        assert!(!error.remedy.is_empty());
        bench.emulator.clear_faults();
    }
}
