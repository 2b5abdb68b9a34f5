//! IONOS' own mail service: what is expected of it, what is found, and its default `_dmarc` CNAME.

use mailzone_provider::{Outcome, Provider};
use mailzone_record::RecordType;

use crate::bench::{Desired, changes, hosting, key, set, want};
use crate::hosting::ZONE;

fn dmarc() -> Desired {
    vec![want("_dmarc", "CNAME", 0, &[]), want("_dmarc", "TXT", 3600, &[r#""v=DMARC1; p=none""#])]
}

#[tokio::test]
async fn what_ionos_is_expected_to_deactivate() {
    let bench = hosting().await;
    let zone = bench.seed(ZONE);
    let snapshot = bench.provider.snapshot(&zone).await.unwrap();
    let expected = |desired: Desired| {
        let effects = bench.provider.side_effects(&snapshot, &changes(&snapshot, &desired));
        effects.into_iter().map(|effect| effect.key.to_string()).collect::<Vec<_>>()
    };
    let all = [
        "example.com. MX",
        "example.com. TXT",
        "_dmarc.example.com. CNAME",
        "s1-ionos._domainkey.example.com. CNAME",
        "s2-ionos._domainkey.example.com. CNAME",
        "autodiscover.example.com. CNAME",
    ];
    let without =
        |gone: &[&str]| all.iter().filter(|key| !gone.contains(key)).map(|key| (*key).to_owned()).collect::<Vec<_>>();
    let mx = want("@", "MX", 3600, &["10 mail.example.com."]);
    assert_eq!(expected(vec![mx.clone()]), without(&["example.com. MX"]));
    assert_eq!(expected(dmarc()), without(&["_dmarc.example.com. CNAME"]));
    let autodiscover = want("autodiscover", "CNAME", 3600, &["mail.example.com."]);
    assert_eq!(expected(vec![autodiscover, mx]), without(&["example.com. MX", "autodiscover.example.com. CNAME"]));
    let spf = want("@", "TXT", 3600, &[r#""v=spf1 mx -all""#, r#""google-site-verification=abc;def""#]);
    assert_eq!(expected(vec![spf]), without(&["example.com. TXT"]));
    let token = [r#""v=spf1 include:_spf-eu.ionos.com ~all""#, r#""google-site-verification=abc;def""#, r#""x""#];
    assert!(expected(vec![want("@", "TXT", 3600, &token)]).is_empty(), "SPF stays");
    assert!(expected(vec![want("new._domainkey", "TXT", 3600, &[r#""v=DKIM1; p=""#])]).is_empty());

    // With mail elsewhere nothing is expected.
    let zone = bench.seed("@ 3600 MX 10 mail.example.com.\n_dmarc 3600 CNAME dmarc.ionos.com.\n");
    let snapshot = bench.provider.snapshot(&zone).await.unwrap();
    assert!(bench.provider.side_effects(&snapshot, &changes(&snapshot, &dmarc())).is_empty());
}

/// Everything that IONOS switched off is told, with calls that switch it on again: the tests carry them out.
#[tokio::test]
async fn what_ionos_deactivates_is_told_with_the_call_that_restores_it() {
    let bench = hosting().await;
    let zone = bench.seed(ZONE);
    let before = bench.stored(&zone);
    bench.emulator.with(|service| service.deactivates = true);
    let receipt = bench.bring_about(&zone, &vec![want("@", "MX", 3600, &["10 mail.example.com."])]).await;
    let told: Vec<_> =
        receipt.side_effects.iter().map(|effect| effect.before.as_ref().unwrap().key().to_string()).collect();
    let dkim = ["s1-ionos._domainkey.example.com. CNAME", "s2-ionos._domainkey.example.com. CNAME"];
    let expected =
        ["example.com. TXT", "_dmarc.example.com. CNAME", dkim[0], dkim[1], "autodiscover.example.com. CNAME"];
    assert_eq!(told, expected);
    let spf = &receipt.side_effects[0];
    assert_eq!(spf.before.as_ref().unwrap().values.len(), 2);
    assert_eq!(spf.after.as_ref().unwrap().values.len(), 1, "the token is still served");
    assert!(receipt.side_effects[1].after.is_none());
    assert_eq!(
        receipt.side_effects[2].message,
        "s1-ionos._domainkey.example.com. CNAME was not part of the write and changed with it: s1.dkim.ionos.com. is deactivated"
    );

    bench.emulator.with(|service| service.deactivates = false);
    let client = Raw::new(&bench.emulator.url());
    for call in receipt.side_effects.iter().flat_map(|effect| effect.remedy.split("; then ")) {
        assert!(!call.contains("emulated-secret"));
        client.send(call).await;
    }
    let mut after = bench.stored(&zone);
    after.insert(key("@", "MX"), before[&key("@", "MX")].clone());
    assert_eq!(after, before);
}

/// Somebody deletes a record, changes a TTL and adds one while we write: what is gone or other is told, what is new is
/// nobody's loss.
#[tokio::test]
async fn other_losses_are_told_too() {
    let bench = hosting().await;
    let zone = bench.seed(ZONE);
    bench.emulator.with(|service| {
        let lower = set("autodiscover", "CNAME", 60, &["adsredir.ionos.info."]);
        let new = set("new", "A", 60, &["192.0.2.99"]);
        service.edit_after_patch(key("www", "A"), None);
        service.edit_after_patch(lower.key(), Some(lower));
        service.edit_after_patch(new.key(), Some(new));
    });
    let receipt = bench.bring_about(&zone, &dmarc()).await;
    let told: Vec<_> = receipt.side_effects.iter().map(|effect| effect.message.clone()).collect();
    let other = "was not part of the write and changed with it:";
    assert_eq!(
        told,
        [
            format!("autodiscover.example.com. CNAME {other} adsredir.ionos.info. has the TTL 60 s"),
            format!("www.example.com. A {other} 192.0.2.80 is gone"),
        ]
    );
}

/// The default CNAME goes first, then the TXT comes; where that is refused, the CNAME is back.
#[tokio::test]
async fn the_default_dmarc_cname_is_replaced_or_put_back() {
    let bench = hosting().await;
    let zone = bench.seed(ZONE);
    let before = bench.stored(&zone);
    let planned = bench.plan(&zone, &dmarc()).await;

    bench.emulator.with(|service| service.refuse_creates = 1);
    bench.emulator.clear_log();
    let error = bench.apply(&zone, &planned).await.unwrap_err();
    assert!(error.to_string().contains("INVALID_RECORD"), "{error}");
    assert_eq!(bench.stored(&zone), before, "as it was");
    let (get, post) = ("GET /v1/zones/{id}", "POST /v1/zones/{id}/records");
    let (delete, patch) = ("DELETE /v1/zones/{id}/records/{id}", "PATCH /v1/zones/{id}");
    assert_eq!(bench.labels(), [get, delete, patch, get, post, get]);

    bench.emulator.with(|service| service.refuse_creates = 2);
    let receipt = bench.apply(&zone, &planned).await.unwrap();
    let outcomes: Vec<_> = receipt.results.iter().map(|result| result.outcome).collect();
    assert_eq!(outcomes, [Outcome::Applied, Outcome::Failed]);
    let note = receipt.results[1].note.clone().unwrap();
    assert!(
        note.contains("_dmarc.example.com. CNAME dmarc.ionos.com. was deleted to make room and is not back"),
        "{note}"
    );
    let call = format!("POST {}", note.split("POST ").nth(1).unwrap().strip_suffix(" restores it").unwrap());
    Raw::new(&bench.emulator.url()).send(&call).await;
    assert_eq!(bench.stored(&zone), before, "the call of the message restores it");

    let receipt = bench.apply(&zone, &planned).await.unwrap();
    assert!(receipt.results.iter().all(|result| result.outcome == Outcome::Applied));
    let snapshot = bench.provider.snapshot(&zone).await.unwrap();
    assert!(snapshot.get(&key("_dmarc", "TXT").name, RecordType::CNAME).is_none());
}

/// A set that shall go and that IONOS deactivates first has another id by then: it counts as gone.
#[tokio::test]
async fn what_ionos_deactivates_before_it_is_deleted_is_gone() {
    let bench = hosting().await;
    let zone = bench.seed(ZONE);
    bench.emulator.with(|service| service.deactivates = true);
    let desired = vec![want("@", "MX", 3600, &["10 mail.example.com."]), want("autodiscover", "CNAME", 0, &[])];
    let receipt = bench.bring_about(&zone, &desired).await;
    let autodiscover = key("autodiscover", "CNAME");
    assert_eq!(bench.stored(&zone)[&autodiscover], ["adsredir.ionos.info None disabled"]);
    let told =
        |effect: &mailzone_provider::SideEffect| effect.before.as_ref().is_some_and(|set| set.key() == autodiscover);
    assert!(!receipt.side_effects.iter().any(told));
    assert_eq!(receipt.side_effects.len(), 4);
}

/// Carries out the calls of messages.
struct Raw {
    client: mailzone_http::Client,
    origin: String,
}

impl Raw {
    fn new(origin: &str) -> Self {
        let client = mailzone_http::Client::new(crate::bench::settings("IONOS", origin)).unwrap();
        Self { client, origin: origin.to_owned() }
    }

    async fn send(&self, call: &str) {
        let mut parts = call.splitn(3, ' ');
        let (method, url, body) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let path = url.strip_prefix(&self.origin).unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let call = match method {
            "PUT" => mailzone_http::Call::put(path),
            "POST" => mailzone_http::Call::post(path),
            other => panic!("{other}"),
        };
        let key = secrecy::SecretString::from(mailzone_emulated::ionos_hosting::IonosHosting::KEY);
        let reply = self.client.send(call.secret_header("X-API-Key", &key).json(&body)).await.unwrap();
        assert!(reply.is_success(), "{} {}", reply.status, reply.text());
    }
}
