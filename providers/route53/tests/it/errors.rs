//! One clear message for each failure, with what to do about it.

use std::fmt::Write as _;
use std::time::Duration;

use mailzone_emulated::route53::{Route53, Standing};
use mailzone_emulated::{Emulator, Fault};
use mailzone_provider::{Provider, ProviderError, ProviderId, ZoneId};
use mailzone_provider_route53::Route53Provider;

use super::{SECRET, TOKEN, account, settings, stage, start};

fn told(error: &ProviderError) -> (&'static str, String) {
    let mut text = String::new();
    write!(text, "{error}; {}", error.remedy).unwrap();
    assert!(!text.contains(SECRET) && !text.contains(TOKEN), "{text}");
    assert!(!error.remedy.is_empty(), "{text}");
    (error.kind.as_str(), text)
}

#[tokio::test]
async fn credentials_that_are_not_taken() {
    for (standing, kind, words) in [
        (Standing::SignatureDoesNotMatch, "credentials", ["SignatureDoesNotMatch", "check access key, secret"]),
        (Standing::SignatureExpired, "credentials", ["Signature expired", "clock (NTP)"]),
        (Standing::ExpiredToken, "credentials", ["ExpiredToken", "session token"]),
    ] {
        let (emulator, provider, _) = start().await;
        emulator.with(|service| service.standing = standing);
        let (told_kind, text) = told(&provider.zones().await.unwrap_err());
        assert_eq!(told_kind, kind);
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        assert_eq!(emulator.log().len(), 1, "a refusal is not repeated");
    }
    let emulator = Emulator::start(Route53::with_key("AKIAOTHER", None)).await;
    let (kind, text) = told(&super::provider(&emulator.url()).zones().await.unwrap_err());
    assert_eq!(kind, "credentials");
    assert!(text.contains("InvalidClientTokenId"), "{text}");
}

#[tokio::test]
async fn permissions_name_the_action() {
    let (emulator, provider, zone) = start().await;
    let batch = stage(&provider.snapshot(&zone).await.unwrap());
    emulator.with(|service| {
        service.denied =
            ["ListHostedZones", "ListResourceRecordSets", "ChangeResourceRecordSets", "GetHostedZone"].into();
    });
    let listing = told(&provider.zones().await.unwrap_err());
    let reading = told(&provider.snapshot(&zone).await.unwrap_err());
    let finding = told(&provider.zone_by_id(&zone.id, None).await.unwrap_err());
    let writing = told(&provider.apply(&zone, &batch).await.unwrap_err());
    for ((kind, text), action) in [
        (listing, "allow route53:ListHostedZones in the identity's IAM policy, or name each domain's zone_id"),
        (reading, "allow route53:ListResourceRecordSets in"),
        (finding, "allow route53:GetHostedZone in"),
        (writing, "allow route53:ChangeResourceRecordSets in"),
    ] {
        assert_eq!(kind, "permission");
        assert!(text.contains(action) && text.contains("arn:aws:iam::123456789012:user/mailzone"), "{text}");
    }
    // Asking for the change's status is not needed for the write.
    emulator.with(|service| service.denied = ["GetChange"].into());
    let receipt = provider.apply(&zone, &batch).await.unwrap();
    provider.settle(&zone, &receipt).await.unwrap();
}

#[tokio::test]
async fn zones_that_are_not_there() {
    let (_emulator, provider, mut zone) = start().await;
    zone.id = ZoneId::new("Z0NOTTHERE");
    for error in [
        provider.snapshot(&zone).await.map(drop).unwrap_err(),
        provider.zone_by_id(&zone.id, None).await.map(drop).unwrap_err(),
    ] {
        let (kind, text) = told(&error);
        assert_eq!(kind, "no_zone");
        assert!(text.contains("No hosted zone found with ID: Z0NOTTHERE; check zone_id"), "{text}");
    }
}

#[tokio::test]
async fn a_service_that_is_down_throttles_or_talks_nonsense() {
    for (fault, kind, words) in [
        (Fault::ErrorBefore, "unreachable", "HTTP 503"),
        (Fault::Refused, "unreachable", "try again"),
        (Fault::Throttled, "throttled", "Throttling: Rate exceeded; try again later, or lower requests_per_second"),
        (Fault::Html, "protocol", "an HTML page instead of Route 53's XML"),
    ] {
        let (emulator, provider, _) = start().await;
        for at in 0..3 {
            emulator.fault_at(at, fault);
        }
        let (told_kind, text) = told(&provider.zones().await.unwrap_err());
        assert_eq!((told_kind, text.contains(words)), (kind, true), "{text}");
        // Once more works, since nothing is remembered.
        emulator.clear_faults();
        assert_eq!(provider.zones().await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn nobody_listens_or_no_tls() {
    let (service, _) = account();
    let emulator = Emulator::start(service).await;
    let secure = emulator.url().replace("http://", "https://");
    let (kind, text) = told(&super::provider(&secure).zones().await.unwrap_err());
    assert_eq!(kind, "unreachable");
    assert!(text.contains("see that the endpoint speaks TLS"), "{text}");

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (kind, text) = told(&super::provider(&closed).zones().await.unwrap_err());
    assert_eq!(kind, "unreachable");
    assert!(text.contains("refused"), "{text}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 16_384];
        let _ = stream.read(&mut request).await.unwrap();
        let answer = "HTTP/1.1 307 Temporary Redirect\r\nlocation: https://example.net/\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    let (kind, text) = told(&super::provider(&url).zones().await.unwrap_err());
    server.await.unwrap();
    assert_eq!(kind, "protocol");
    assert!(text.contains("the endpoint redirects (HTTP 307); redirects are not followed"), "{text}");
}

/// Answers everything with an endless listing.
struct Flood;

impl mailzone_emulated::Service for Flood {
    fn answer(&mut self, _: &mailzone_emulated::Request) -> mailzone_emulated::Response {
        mailzone_emulated::Response::text(200, "text/xml", vec![b' '; mailzone_http::MAX_ANSWER + 1])
    }

    fn label(&self, _: &mailzone_emulated::Request) -> String {
        "any".into()
    }

    fn writes(&self, _: &mailzone_emulated::Request) -> bool {
        false
    }

    fn throttled(&self) -> mailzone_emulated::Response {
        mailzone_emulated::Response::empty(400)
    }

    fn served(&self) -> Vec<(mailzone_record::Name, Vec<mailzone_record::RRset>)> {
        Vec::new()
    }
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_read() {
    let emulator = Emulator::start(Flood).await;
    let (kind, text) = told(&super::provider(&emulator.url()).zones().await.unwrap_err());
    assert_eq!(kind, "protocol");
    assert!(text.contains("an answer of more than 64 MiB"), "{text}");
    assert_eq!(emulator.log().len(), 1);
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let mut settings = settings("http://127.0.0.1:1");
    settings.timeout = Duration::from_secs(1);
    let shown = format!("{settings:?}");
    let provider = Route53Provider::new(ProviderId::new("aws"), settings);
    for text in [shown, format!("{provider:?}")] {
        assert!(!text.contains(SECRET) && !text.contains(TOKEN), "{text}");
    }
}
