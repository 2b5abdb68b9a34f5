use mailzone_provider::{Outcome, Provider, ProviderErrorKind, Retry};

use super::*;

#[tokio::test]
async fn a_session_may_end_before_any_request() {
    // One that ends after n calls ends before each of them in turn.
    for calls in 1..8 {
        let (emulator, zone) = ccp_emulator().await;
        emulator.with(|service| service.session_calls = Some(calls));
        let provider = ccp_provider(&emulator, &[ZONE]);
        assert_eq!(provider.zones().await.unwrap(), std::slice::from_ref(&zone));
        let batch = stage(&provider, &zone).await;
        let receipt = provider.apply(&zone, &batch).await.unwrap();
        assert!(receipt.results.iter().all(|result| result.outcome == Outcome::Applied), "{calls}: {receipt:?}");
        let writes = emulator.log().iter().filter(|logged| logged.write).count();
        assert!((1..=2).contains(&writes), "{calls}: {:?}", labels(&emulator));
        let again = provider.apply(&zone, &batch).await.unwrap();
        assert!(again.results.iter().all(|result| result.outcome == Outcome::Already), "{calls}: {again:?}");
    }
}

#[tokio::test]
async fn a_session_that_ends_at_once_twice_is_an_error() {
    let (emulator, zone) = ccp_emulator().await;
    emulator.with(|service| service.session_calls = Some(0));
    let provider = ccp_provider(&emulator, &[ZONE]);
    let error = provider.snapshot(&zone).await.unwrap_err();
    assert!(matches!(error.kind, ProviderErrorKind::Unreachable(_)), "{error}");
    assert_eq!(error.retry, Retry::Later);
    assert!(error.remedy.contains("another program"), "{}", error.remedy);
    assert_eq!(labels(&emulator), ["login", "infoDnsRecords", "login", "infoDnsRecords"]);
}

#[tokio::test]
async fn a_write_without_a_session_was_not_carried_out() {
    let (emulator, zone) = ccp_emulator().await;
    let provider = ccp_provider(&emulator, &[ZONE]);
    let batch = stage(&provider, &zone).await;
    emulator.with(|service| service.session_calls = Some(0));
    let error = provider.apply(&zone, &batch).await.unwrap_err();
    assert_eq!(error.retry, Retry::Later);
    emulator.with(|service| service.session_calls = None);
    let receipt = provider.apply(&zone, &batch).await.unwrap();
    assert!(receipt.results.iter().all(|result| result.outcome == Outcome::Applied), "{receipt:?}");
}

#[tokio::test]
async fn parallel_calls_go_one_after_the_other_in_one_session() {
    let (emulator, _) = ccp_emulator().await;
    let zones: Vec<Zone> = (0..8).map(|n| seed(&emulator, &format!("zone{n}.example."), RECORDS)).collect();
    let provider = Arc::new(ccp_provider(&emulator, &[]));
    let tasks: Vec<_> = zones
        .into_iter()
        .map(|zone| {
            let provider = Arc::clone(&provider);
            tokio::spawn(async move { provider.snapshot(&zone).await.map(drop) })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(emulator.with(|service| service.logins()), 1);
}
