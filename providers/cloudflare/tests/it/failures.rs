//! One clear message and a remedy for each failure, and no secret in any.

use mailzone_emulated::cloudflare::{KEY, TOKEN};
use mailzone_emulated::{Emulator, Fault, Request, Response, Service};
use mailzone_provider::{Batch, Provider, ProviderError, ProviderId, Retry};
use mailzone_provider_cloudflare::{CloudflareProvider, Credentials};
use mailzone_record::{Name, RRset};
use serde_json::{Value, json};

use super::{change, provider, quick, scene, token};

fn shown(error: &ProviderError) -> String {
    let text = format!("[{}] {error} | {}", error.kind.as_str(), error.remedy);
    assert!(!text.contains(TOKEN) && !text.contains(KEY.1) && !text.contains("marked"), "{text}");
    text
}

async fn with(emulator: &Emulator<mailzone_emulated::cloudflare::Cloudflare>, credentials: Credentials) -> String {
    let provider = CloudflareProvider::new(ProviderId::new("cf"), credentials, quick(&emulator.url())).unwrap();
    match provider.zones().await {
        Ok(zones) => format!("{} zones", zones.len()),
        Err(error) => shown(&error),
    }
}

#[tokio::test]
async fn credentials() {
    let (emulator, ..) = scene("").await;
    let key = |email: &str, key: &str| Credentials::Key { email: email.into(), key: key.into() };
    let create = "create an API token with Zone → Zone → Read and Zone → DNS → Edit for the zones (My Profile → API \
                  Tokens), and name it as api_token";
    let said = |text: &str| {
        format!("[credentials] listing the zones: Cloudflare does not accept the credentials: {text} | {create}")
    };
    assert_eq!(with(&emulator, token(TOKEN)).await, "1 zones");
    assert_eq!(with(&emulator, key(KEY.0, KEY.1)).await, "1 zones");
    let unknown = with(&emulator, token("marked-unknown-token-0123456789abcdefghi")).await;
    assert_eq!(unknown, said("9109 Invalid access token, status 403"));
    let malformed = with(&emulator, token("short")).await;
    let text = "6003 Invalid request headers (6111 Invalid format for Authorization header), status 400";
    assert_eq!(malformed, said(text));
    let unknown = with(&emulator, key(KEY.0, "marked-wrong-key")).await;
    assert_eq!(unknown, said("9103 Unknown X-Auth-Key or X-Auth-Email, status 403"));
    assert!(key("a", "b").is_global_key() && !token("x").is_global_key());
}

#[tokio::test]
async fn missing_rights_are_named() {
    let (emulator, provider, zone) = scene("@ 300 TXT \"a\"").await;
    let change = change(&provider, &zone, "_dmarc", "TXT", None, &["x"]).await;
    let rights = |rights: &[&'static str]| emulator.with(|service| service.tokens[0].rights = rights.to_vec());
    rights(&[]);
    assert_eq!(
        shown(&provider.zones().await.unwrap_err()),
        "[permission] listing the zones: the token may not list zones: 10000 Authentication error, status 403 | give the \
         token Zone → Zone → Read, or name each zone with `zone` and `zone_id`"
    );
    assert_eq!(
        shown(&provider.snapshot(&zone).await.unwrap_err()),
        "[permission] reading the records of example.org: the token may not read the records of this zone: 10000 \
         Authentication error, status 403 | give the token Zone → DNS → Read (for apply: Edit) for this zone"
    );
    rights(&["#dns_records:read"]);
    let error = provider.apply(&zone, &Batch { changes: vec![change] }).await.unwrap_err();
    assert_eq!(
        shown(&error),
        "[permission] writing the records of example.org: the token may not write the records of this zone: 10000 \
         Authentication error, status 403 | give the token Zone → DNS → Edit for this zone"
    );
    assert_eq!(error.retry, Retry::Never);
}

#[tokio::test]
async fn what_the_service_does_not_take() {
    let (emulator, provider, zone) = scene("@ 300 TXT \"a\"").await;
    // The CNAME came after the plan, or the plan knows no better.
    let beside = change(&provider, &zone, "alias", "TXT", None, &["x"]).await;
    let other = change(&provider, &zone, "alias", "CNAME", None, &["b.example."]).await;
    let error = provider.apply(&zone, &Batch { changes: vec![other, beside] }).await.unwrap();
    let note = error.results[0].note.clone().unwrap();
    let expected = "Cloudflare's records are not as they were read: 81054 A CNAME record with that host already exists., \
                    status 400; it is not written";
    assert_eq!(note, expected);

    emulator.with(|service| service.zones[0].quota = 1);
    let change = change(&provider, &zone, "_dmarc", "TXT", None, &["x"]).await;
    let error = provider.apply(&zone, &Batch { changes: vec![change] }).await.unwrap_err();
    assert_eq!(
        shown(&error),
        "[refused] writing the records of example.org: the zone holds as many records as its plan allows: 81045 Record \
         quota exceeded., status 400 | delete records that nobody needs any more, or take a plan with more of them"
    );
}

#[tokio::test]
async fn validation_shows_its_chain() {
    let (_emulator, provider, zone) = scene("").await;
    // A TTL outside of the plan's, as a rollback from an Enterprise zone could ask for.
    let change = change(&provider, &zone, "_dmarc", "TXT", Some(30), &["x"]).await;
    let error = provider.apply(&zone, &Batch { changes: vec![change] }).await.unwrap_err();
    assert_eq!(
        shown(&error),
        "[refused] writing the records of example.org: Cloudflare does not take the change: 1004 DNS Validation Error \
         (9021 Invalid TTL. Must be between 60 and 86,400 seconds, or 1 for Automatic.), status 400 | correct the value \
         that the message names; nothing of this request was written"
    );
}

#[tokio::test]
async fn throttled_and_out_of_order() {
    let (emulator, provider, _) = scene("").await;
    // Once is not seen.
    emulator.fault_at(0, Fault::Throttled);
    emulator.with(|service| service.out_of_order(1, 522));
    assert_eq!(provider.zones().await.unwrap().len(), 1);

    for at in 0..3 {
        emulator.fault_at(at, Fault::Throttled);
    }
    let error = provider.zones().await.unwrap_err();
    assert!(
        shown(&error).starts_with("[throttled] listing the zones: Cloudflare says that there are too many requests")
    );
    assert_eq!(error.retry, Retry::Later);

    emulator.with(|service| service.out_of_order(3, 520));
    let error = provider.zones().await.unwrap_err();
    let text = shown(&error);
    assert!(text.starts_with("[unreachable] listing the zones: Cloudflare answered with status 520"), "{text}");
    assert!(text.contains("HTML"), "{text}");

    emulator.with(|service| service.out_of_order(3, 200));
    let text = shown(&provider.zones().await.unwrap_err());
    assert!(text.contains("HTML"), "{text}");
    emulator.with(|service| service.out_of_order(1, 403));
    let text = shown(&provider.zones().await.unwrap_err());
    assert!(text.starts_with("[permission] listing the zones: the token may not list zones: status 403"), "{text}");
}

/// Answers everything with one body.
struct Fixed(Value);

impl Service for Fixed {
    fn answer(&mut self, _: &Request) -> Response {
        Response::json(200, self.0.clone())
    }

    fn label(&self, request: &Request) -> String {
        request.path.clone()
    }

    fn writes(&self, _: &Request) -> bool {
        false
    }

    fn throttled(&self) -> Response {
        Response::empty(429)
    }

    fn served(&self) -> Vec<(Name, Vec<RRset>)> {
        Vec::new()
    }
}

#[tokio::test]
async fn answers_that_make_no_sense() {
    let zone = json!({"id": "1", "name": "example.org"});
    let endless = json!({"result": [zone], "success": true, "result_info": {"total_pages": 100_000}});
    let cases = [
        (endless, "[protocol] listing the zones: page 2 of the list holds nothing but what the pages before held"),
        (
            json!({"result": [{"id": "1", "name": "a..b"}], "success": true}),
            "[protocol] listing the zones: Cloudflare lists a zone or name server `a..b`, which is no name",
        ),
        (
            json!({"result": null, "success": true}),
            "[protocol] listing the zones: Cloudflare refuses the request: status 200, no reason given",
        ),
        (
            json!({"result": [], "success": false, "errors": [{"code": 1, "message": "no"}]}),
            "[protocol] listing the zones: Cloudflare refuses the request: 1 no, status 200",
        ),
        (json!({"result": 5}), "[protocol] listing the zones: Cloudflare answered what its API does not say"),
    ];
    for (body, expected) in cases {
        let emulator = Emulator::start(Fixed(body)).await;
        let text = shown(&provider(&emulator).zones().await.unwrap_err());
        assert!(text.starts_with(expected), "{text}");
    }
}

#[tokio::test]
async fn nobody_there() {
    let emulator = Emulator::start(Fixed(json!({}))).await;
    let provider = provider(&emulator);
    drop(emulator);
    let text = shown(&provider.zones().await.unwrap_err());
    assert!(text.starts_with("[unreachable] listing the zones: "), "{text}");
}
