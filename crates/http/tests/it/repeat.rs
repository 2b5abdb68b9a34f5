use mailzone_http::{Backoff, Call, Client, Effect};
use mailzone_provider::Retry;

use crate::support::{Act, Server, answer, answer_with, settings, shown};

/// Everything that may pass by itself, as the first answer.
fn passing() -> Vec<Act> {
    vec![
        answer(500, "{}"),
        answer(503, ""),
        answer_with(524, "content-type: text/html\r\n", "<html>"),
        Act::Close(Vec::new()),
        Act::Close(b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n{\"a\"".to_vec()),
        Act::Close(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n4\r\n{\"a\"\r\n".to_vec()),
        Act::Close(b"nonsense\r\n\r\n".to_vec()),
    ]
}

#[tokio::test]
async fn a_read_is_repeated() {
    for first in passing().into_iter().chain([answer(429, "")]) {
        let server = Server::start([first, answer(200, "{}")]).await;
        let reply = server.client().send(Call::get("/zones")).await.unwrap();
        assert_eq!((reply.status, server.count()), (200, 2));
    }
}

#[tokio::test]
async fn a_write_is_not_repeated_after_it_may_have_been_carried_out() {
    for first in passing() {
        for call in [Call::post("/x"), Call::put("/x"), Call::patch("/x"), Call::delete("/x")] {
            let server = Server::start([first.clone(), answer(200, "{}")]).await;
            let error = server.client().send(call).await.unwrap_err();
            assert_eq!(
                (error.retry, error.kind.as_str(), server.count()),
                (Retry::Unknown, "unreachable", 1),
                "{error}"
            );
        }
    }
}

#[tokio::test]
async fn a_write_is_repeated_after_a_throttle() {
    let server = Server::start([answer(429, ""), answer(429, "{}"), answer(201, "{}")]).await;
    let reply = server.client().send(Call::post("/zones").json(&[1, 2])).await.unwrap();
    assert_eq!((reply.status, server.count()), (201, 3));
    // The body is sent again, too.
    assert!(server.requests().iter().all(|request| request.ends_with("\r\n\r\n[1,2]")));
}

#[tokio::test]
async fn the_effect_can_be_told() {
    let server = Server::start([answer(502, ""), answer(200, "{}")]).await;
    server.client().send(Call::post("/login").effect(Effect::Read)).await.unwrap();
    assert_eq!(server.count(), 2);

    let server = Server::start([answer(502, ""), answer(200, "{}")]).await;
    let error = server.client().send(Call::get("/logout").effect(Effect::Write)).await.unwrap_err();
    assert_eq!((error.retry, server.count()), (Retry::Unknown, 1));
}

#[tokio::test]
async fn final_answers_are_final() {
    for status in [200, 201, 204, 400, 401, 403, 404, 408, 409, 412, 418, 422, 425] {
        let server = Server::start([answer(status, if status == 204 { "" } else { "{}" })]).await;
        for call in [Call::get("/x"), Call::post("/x")] {
            assert_eq!(server.client().send(call).await.unwrap().status, status);
        }
        assert_eq!(server.count(), 2, "{status}");
    }
}

#[tokio::test]
async fn attempts_have_an_end() {
    let server = Server::start([answer(503, "busy")]).await;
    let error = server.client().send(Call::get("/zones").doing("listing the zones")).await.unwrap_err();
    assert_eq!(server.count(), 3);
    insta::assert_snapshot!(shown(&error, &server.url), @r#"
    unreachable [later] listing the zones: Test answered with status 503: busy, 3 times
    -> try again later
    "#);

    let server = Server::start([answer(429, "{\"code\":971}")]).await;
    let error = server.client().send(Call::post("/zones").doing("creating a zone")).await.unwrap_err();
    assert_eq!(server.count(), 3);
    insta::assert_snapshot!(shown(&error, &server.url), @r#"
    throttled [later] creating a zone: Test says that there are too many requests (status 429: {"code":971}), 3 times
    -> try again later, and look for other programs that use the account
    "#);

    let mut once = settings(&server.url);
    once.backoff = Backoff { attempts: 0, ..once.backoff };
    let error = Client::new(once).unwrap().send(Call::get("/zones")).await.unwrap_err();
    assert_eq!(server.count(), 4);
    insta::assert_snapshot!(shown(&error, &server.url), @r#"
    throttled [later] GET /zones: Test says that there are too many requests (status 429: {"code":971})
    -> try again later, and look for other programs that use the account
    "#);
}

#[tokio::test]
async fn services_that_throttle_or_stumble_in_their_own_way() {
    let call = || {
        Call::post("/x")
            .throttled_if(|reply| reply.status == 400 && reply.text().contains("Throttling"))
            .transient_if(|reply| reply.text().contains("please retry"))
    };
    let server = Server::start([answer(400, "Throttling"), answer(400, "wrong")]).await;
    assert_eq!(server.client().send(call()).await.unwrap().status, 400);
    assert_eq!(server.count(), 2);

    let server = Server::start([answer(200, "please retry"), answer(200, "{}")]).await;
    let error = server.client().send(call()).await.unwrap_err();
    assert_eq!((error.retry, server.count()), (Retry::Unknown, 1));
    let server = Server::start([answer(200, "please retry"), answer(200, "{}")]).await;
    assert_eq!(server.client().send(call().effect(Effect::Read)).await.unwrap().text(), "{}");
}
