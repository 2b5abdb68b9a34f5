use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::Duration;

use mailzone_provider::{Batch, Outcome, Provider, ProviderError, ProviderErrorKind, ProviderId, Retry};
use mailzone_provider_rfc2136::Rfc2136Provider;
use mailzone_record::{RRsetKey, RecordType};
use tokio::net::TcpListener;

use super::daemon::{Daemon, Kind, LARGE};
use super::proxy::{Fault, start};
use super::{SECRET, creation, key, name, outcomes, provider, zone};

const OPEN: &str = "conformance.example.";

/// `kind: text (remedy)`.
fn told(error: &ProviderError) -> String {
    format!("{}: {} ({})", error.kind.as_str(), error.kind, error.remedy)
}

async fn keys_and_rights(kind: Kind) {
    let Some(daemon) = Daemon::start(kind).await else { return };
    let with = |key| Rfc2136Provider::new(ProviderId::new("ns"), daemon.address(), key, vec![name(OPEN)]);
    let other_secret = "b3RoZXIgc2VjcmV0IG9mIHRoZSBzYW1lIGxlbmd0aCBhcw==";
    let wrong = [
        ("unknown key", Some(key("unknown.", SECRET))),
        ("wrong secret", Some(key("mailzone.", other_secret))),
        ("no key", None),
    ];
    for (what, key) in wrong {
        let provider = with(key);
        let read = provider.snapshot(&zone(OPEN)).await.unwrap_err();
        let batch = Batch { changes: vec![creation("a.conformance.example.", "x")] };
        let write = provider.apply(&zone(OPEN), &batch).await.unwrap_err();
        for error in [&read, &write] {
            let expected = match (kind, what) {
                // No word about the key, and unsigned.
                (Kind::PowerDns, _) | (_, "no key") => "permission",
                _ => "credentials",
            };
            assert_eq!(error.kind.as_str(), expected, "{kind:?} {what}: {}", told(error));
            assert_eq!(error.retry, Retry::Never);
            let said = format!("{error:?} {}", told(error));
            assert!(!said.contains(SECRET) && !said.contains(other_secret), "{said}");
        }
        if kind != Kind::PowerDns && what != "no key" {
            let error = provider.zones().await.unwrap_err();
            assert_eq!(error.kind.as_str(), "credentials", "{what}: {}", told(&error));
        }
    }

    let provider = provider(daemon.address(), &[OPEN, "no-update.example.", "not-there.example."]);
    let zones: Vec<_> = provider.zones().await.unwrap().into_iter().map(|zone| zone.name.to_string()).collect();
    assert_eq!(zones, [OPEN, "no-update.example."]);
    let error = provider.snapshot(&zone("no-transfer.example.")).await.unwrap_err();
    assert!(matches!(error.kind, ProviderErrorKind::Permission(_)), "{}", told(&error));
    assert!(error.remedy.starts_with("allow zone transfers (AXFR) of the zone for this key"), "{}", told(&error));
    let batch = Batch { changes: vec![creation("a.no-update.example.", "x")] };
    let error = provider.apply(&zone("no-update.example."), &batch).await.unwrap_err();
    assert!(matches!(error.kind, ProviderErrorKind::Permission(_)), "{}", told(&error));
    assert!(error.remedy.starts_with("allow dynamic updates of the zone for this key"), "{}", told(&error));
}

/// What a plan about two names sees where the transfer is refused, and that this is asked for once.
async fn refused_transfer(kind: Kind) {
    let Some(daemon) = Daemon::start(kind).await else { return };
    let closed = zone("no-transfer.example.");
    let (address, counters) = start(daemon.address(), Fault::None).await;
    let provider = provider(address, &["no-transfer.example."]);
    let change = creation("a.no-transfer.example.", "x");
    let key = |owner: &str, rtype| RRsetKey { name: name(owner), rtype };
    let keys = [key("a.no-transfer.example.", RecordType::TXT), key("b.c.no-transfer.example.", RecordType::MX)];
    let mut counts = Vec::new();
    let mut asked = 0;
    for _ in 0..3 {
        let view = provider.snapshot_for(&closed, &keys).await.unwrap();
        let types: Vec<_> = view.snapshot.rrsets().iter().map(|set| (set.rtype, set.values.len())).collect();
        assert_eq!((view.partial, &types[..]), (true, &[(RecordType::NS, 2), (RecordType::SOA, 1)][..]));
        let now = counters.questions.load(Ordering::SeqCst);
        counts.push(now - asked);
        asked = now;
    }
    // The transfer, and whether the zone is there at all.
    assert_eq!((counts[0] - counts[1], counts[1]), (2, counts[2]), "{kind:?}: {counts:?}");

    assert_eq!(outcomes(&provider, &closed, std::slice::from_ref(&change)).await, [Outcome::Applied]);
    let view = provider.snapshot_for(&closed, &keys).await.unwrap();
    assert_eq!(view.snapshot.get(change.name(), change.rtype()), change.after());
    assert_eq!(outcomes(&provider, &closed, std::slice::from_ref(&change)).await, [Outcome::Already]);
    let other = creation("a.no-transfer.example.", "y");
    assert_eq!(outcomes(&provider, &closed, &[other]).await, [Outcome::Stale]);

    // A zone that is transferred is read whole, and a key that is refused altogether reads nothing.
    let view = provider.snapshot_for(&zone(OPEN), &keys).await.unwrap();
    assert!(!view.partial);
    let stranger = Rfc2136Provider::new(ProviderId::new("ns"), address, Some(super::key("unknown.", SECRET)), vec![]);
    let error = stranger.snapshot_for(&closed, &keys).await.unwrap_err();
    assert!(["credentials", "permission"].contains(&error.kind.as_str()), "{kind:?}: {}", told(&error));
}

/// All of a large zone, through a connection that gives it in pieces; and nothing of one that breaks off.
async fn large_zone(kind: Kind) {
    let Some(daemon) = Daemon::start(kind).await else { return };
    let large = zone("large.example.");
    let (address, counters) = start(daemon.address(), Fault::None).await;
    let snapshot = provider(address, &["large.example."]).snapshot(&large).await.unwrap();
    // SOA and NS beside them.
    assert_eq!(snapshot.rrsets().len(), LARGE + 2);
    assert_eq!(counters.questions.load(Ordering::SeqCst), 1);
    for cut in [0, 1, 700, 40_000, 100_000] {
        let (address, _) = start(daemon.address(), Fault::CutAfter(cut)).await;
        let error = provider(address, &["large.example."]).snapshot(&large).await.unwrap_err();
        assert!(matches!(error.kind, ProviderErrorKind::Unreachable(_)), "{cut}: {}", told(&error));
        assert_eq!(error.retry, Retry::Later);
    }
}

async fn lost_answers(kind: Kind) {
    let Some(daemon) = Daemon::start(kind).await else { return };
    let open = zone(OPEN);
    let direct = provider(daemon.address(), &[OPEN]);
    let faults = [(Fault::FirstUpdateAnswer, "answer", 1), (Fault::FirstUpdate, "request", 2)];
    for (fault, label, updates) in faults {
        let (address, counters) = start(daemon.address(), fault).await;
        let provider = provider(address, &[OPEN]);
        let changes = [creation(&format!("{label}.{OPEN}"), "x"), creation(&format!("{label}2.{OPEN}"), "y")];
        assert_eq!(outcomes(&provider, &open, &changes).await, [Outcome::Applied; 2], "{fault:?}");
        assert_eq!(counters.updates.load(Ordering::SeqCst), updates);
        assert_eq!(outcomes(&direct, &open, &changes).await, [Outcome::Already; 2]);
    }
    let (address, _) = start(daemon.address(), Fault::EveryUpdate).await;
    let batch = Batch { changes: vec![creation(&format!("never.{OPEN}"), "x")] };
    let error = provider(address, &[OPEN]).apply(&open, &batch).await.unwrap_err();
    assert_eq!(error.retry, Retry::Unknown, "{}", told(&error));
    assert_eq!(outcomes(&direct, &open, &batch.changes).await, [Outcome::Applied]);

    // One update and one read-back where nothing goes wrong.
    let (address, counters) = start(daemon.address(), Fault::None).await;
    let change = [creation(&format!("counted.{OPEN}"), "x")];
    assert_eq!(outcomes(&provider(address, &[OPEN]), &open, &change).await, [Outcome::Applied]);
    let count = [&counters.questions, &counters.updates].map(|count| count.load(Ordering::SeqCst));
    assert_eq!(count, [1, 1]);

    let many: Vec<_> = (0..300).map(|i| creation(&format!("many{i}.{OPEN}"), &"x".repeat(250))).collect();
    let error = direct.apply(&open, &Batch { changes: many }).await.unwrap_err();
    assert!(
        matches!(&error.kind, ProviderErrorKind::Refused(text) if text.contains("one message")),
        "{}",
        told(&error)
    );
}

macro_rules! with_each_server {
    ($($test:ident: $bind:ident, $knot:ident, $power_dns:ident;)*) => { $(
        #[tokio::test]
        async fn $bind() {
            $test(Kind::Bind).await;
        }

        #[tokio::test]
        async fn $knot() {
            $test(Kind::Knot).await;
        }

        #[tokio::test]
        async fn $power_dns() {
            $test(Kind::PowerDns).await;
        }
    )* };
}

with_each_server! {
    keys_and_rights: keys_and_rights_with_bind, keys_and_rights_with_knot, keys_and_rights_with_power_dns;
    refused_transfer: refused_transfer_with_bind, refused_transfer_with_knot, refused_transfer_with_power_dns;
    large_zone: large_zone_with_bind, large_zone_with_knot, large_zone_with_power_dns;
    lost_answers: lost_answers_with_bind, lost_answers_with_knot, lost_answers_with_power_dns;
}

#[tokio::test]
async fn nobody_there_and_nobody_who_answers() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let silent = listener.local_addr().unwrap();
    let closed = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        listener.local_addr().unwrap()
    };
    let told = async |server: SocketAddr| {
        let provider = provider(server, &[OPEN]).with_timeout(Duration::from_millis(50));
        let error = provider.snapshot(&zone(OPEN)).await.unwrap_err();
        assert_eq!((error.kind.as_str(), error.retry), ("unreachable", Retry::Later));
        error.kind.to_string()
    };
    assert_eq!(told(closed).await, "nothing listens at that address and port");
    assert_eq!(told(silent).await, "no answer in time");
}
