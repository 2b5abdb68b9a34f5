use std::sync::Arc;
use std::time::{Duration, Instant};

use mailzone_http::{Backoff, Budget, Call, Client};
use mailzone_provider::Retry;

use crate::support::{Server, answer, answer_with, settings, shown};

#[tokio::test]
async fn a_throttle_pauses_everybody_of_the_account() {
    let server = Server::start([answer_with(429, "retry-after: 1\r\n", ""), answer(200, "{}")]).await;
    let mut first = settings(&server.url);
    first.backoff = Backoff { attempts: 1, ..first.backoff };
    let second = settings(&server.url);
    let third = settings(&server.url);
    let second = Client::new(mailzone_http::Settings { budget: Arc::clone(&first.budget), ..second }).unwrap();

    let error = Client::new(first).unwrap().send(Call::get("/a")).await.unwrap_err();
    let start = Instant::now();
    assert_eq!((error.kind.as_str(), error.retry), ("throttled", Retry::Later));
    // Another account goes on.
    Client::new(third).unwrap().send(Call::get("/b")).await.unwrap();
    second.send(Call::get("/c")).await.unwrap();
    assert!(start.elapsed() > Duration::from_millis(900));
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let dates = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:49:38 GMT\r\n";
    for first in [answer_with(429, dates, ""), answer_with(503, "retry-after: 1\r\n", "")] {
        let server = Server::start([first, answer(200, "{}")]).await;
        let start = Instant::now();
        server.client().send(Call::get("/a")).await.unwrap();
        assert!(start.elapsed() > Duration::from_millis(900));
    }
}

#[tokio::test]
async fn nobody_waits_longer_than_patience_lasts() {
    let server = Server::start([answer_with(429, "retry-after: 3600\r\n", ""), answer(200, "{}")]).await;
    let client = server.client();
    let error = client.send(Call::post("/a").doing("writing a record")).await.unwrap_err();
    insta::assert_snapshot!(shown(&error, &server.url), @r#"
    throttled [later] writing a record: Test says that there are too many requests (status 429), and asks to wait 3600 s
    -> try again later, and look for other programs that use the account
    "#);
    let error = client.send(Call::get("/b").doing("listing the zones")).await.unwrap_err();
    insta::assert_snapshot!(shown(&error, &server.url), @r#"
    throttled [later] listing the zones: Test asked for a pause that goes on for 3600 s; nothing was sent
    -> try again later, and look for other programs that use the account
    "#);
    assert_eq!(server.count(), 1);

    // A service that is down for an hour, but did not ask to be left alone.
    let server = Server::start([answer_with(503, "retry-after: 3600\r\n", ""), answer(200, "{}")]).await;
    let error = server.client().send(Call::get("/a").doing("listing the zones")).await.unwrap_err();
    insta::assert_snapshot!(shown(&error, &server.url), @r#"
    unreachable [later] listing the zones: Test answered with status 503, and asks to wait 3600 s
    -> try again later
    "#);
}

#[tokio::test]
async fn each_request_takes_a_token() {
    let server = Server::start([answer(500, ""), answer(500, ""), answer(200, "{}")]).await;
    let mut slow = settings(&server.url);
    slow.budget = Arc::new(Budget::new(20.0, 1));
    let start = Instant::now();
    Client::new(slow).unwrap().send(Call::get("/a")).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn no_more_requests_at_once_than_allowed() {
    let server = Server::start([crate::support::Act::Silence]).await;
    let mut two = settings(&server.url);
    two.concurrency = 2;
    let client = Client::new(two).unwrap();
    let calls: Vec<_> = (0..5)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.send(Call::get("/a")).await })
        })
        .collect();
    while server.count() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.count(), 2);
    calls.iter().for_each(tokio::task::JoinHandle::abort);
}
