use std::time::Duration;

use mailzone_http::{Call, Client};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

use crate::support::{Act, Captured, Server, answer, answer_with, settings, shown};

/// A port that is taken, and on which nobody listens yet.
fn closed_port() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    (socket, url)
}

#[tokio::test]
async fn a_refused_connection() {
    let (_socket, url) = closed_port();
    let client = Client::new(settings(&url)).unwrap();
    let read = client.send(Call::get("/x").doing("reading")).await.unwrap_err();
    insta::assert_snapshot!(shown(&read, &url), @r#"
    unreachable [later] reading: SERVER refuses the connection, 3 times
    -> check the endpoint and the network, and try again later
    "#);
    // Nothing was sent: nothing is to be read back.
    let write = client.send(Call::post("/x").doing("writing")).await.unwrap_err();
    insta::assert_snapshot!(shown(&write, &url), @r#"
    unreachable [later] writing: SERVER refuses the connection, 3 times
    -> check the endpoint and the network, and try again later
    "#);
    assert!(std::error::Error::source(&write).is_some_and(|cause| cause.to_string().contains("refused")));
}

/// The service comes back between two attempts.
#[tokio::test]
async fn a_write_is_repeated_when_there_was_no_connection() {
    let captured = Captured::start();
    let (socket, url) = closed_port();
    let mut patient = settings(&url);
    patient.backoff.attempts = u32::MAX;
    let client = Client::new(patient).unwrap();
    let call = tokio::spawn(async move { client.send(Call::post("/x")).await });
    while !captured.text().contains("attempt=2") {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (mut stream, _) = socket.listen(8).unwrap().accept().await.unwrap();
    stream.write_all(b"HTTP/1.1 204 X\r\n\r\n").await.unwrap();
    assert_eq!(call.await.unwrap().unwrap().status, 204);
}

#[tokio::test]
async fn no_answer_in_time() {
    let server = Server::start([Act::Silence]).await;
    let mut hasty = settings(&server.url);
    hasty.timeout = Duration::from_millis(500);
    let client = Client::new(hasty).unwrap();
    let read = client.send(Call::get("/x").doing("reading")).await.unwrap_err();
    insta::assert_snapshot!(shown(&read, &server.url), @r#"
    unreachable [later] reading: Test did not answer within 500 ms, 3 times
    -> try again later
    "#);
    assert_eq!(server.count(), 3);
    let write = client.send(Call::post("/x").doing("writing")).await.unwrap_err();
    insta::assert_snapshot!(shown(&write, &server.url), @r#"
    unreachable [unknown] writing: Test did not answer within 500 ms
    -> it may have been carried out all the same: look with plan, then try again
    "#);
    assert_eq!(server.count(), 4);
}

#[tokio::test]
async fn answers_that_break_off() {
    let mut shown_all = Vec::new();
    for act in [
        Act::Close(Vec::new()),
        Act::Close(b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n{\"a\"".to_vec()),
        Act::Close(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_vec()),
        Act::Close(b"HTTP/1.1 200 X\r\ncontent-encoding: gzip\r\ncontent-length: 9\r\n\r\nnot gzip!".to_vec()),
        Act::Close(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
    ] {
        let server = Server::start([act]).await;
        let error = server.client().send(Call::get("/x").doing("reading")).await.unwrap_err();
        shown_all.push(shown(&error, &server.url));
    }
    insta::assert_snapshot!(shown_all.join("\n"), @r#"
    unreachable [later] reading: the connection to SERVER ended without an answer, 3 times
    -> try again later
    unreachable [later] reading: the connection to SERVER ended in the middle of an answer, 3 times
    -> try again later
    unreachable [later] reading: the answer of Test is damaged, 3 times
    -> try again later
    unreachable [later] reading: the answer of Test is damaged, 3 times
    -> try again later
    unreachable [later] reading: the connection to SERVER ended without an answer, 3 times
    -> try again later
    "#);
}

/// The target may hold what was sent: its host is enough.
#[tokio::test]
async fn redirects_are_not_followed() {
    let target = Server::start([answer(200, "{}")]).await;
    let elsewhere = format!("location: {}/stolen?token=t\r\n", target.url);
    let mut shown_all = Vec::new();
    for (status, headers) in [
        (301, "location: https://user:pw@evil.example/?q=secret\r\n"),
        (302, "location: /login?next=secret\r\n"),
        (307, elsewhere.as_str()),
        (308, ""),
        (304, ""),
    ] {
        let server = Server::start([answer_with(status, headers, "")]).await;
        let error = server.client().send(Call::get("/x").doing("reading")).await.unwrap_err();
        shown_all.push(shown(&error, &server.url).replace(&target.url, "http://TARGET"));
        assert_eq!(server.count(), 1);
    }
    assert_eq!(target.count(), 0);
    insta::assert_snapshot!(shown_all.join("\n"), @r#"
    protocol [never] reading: Test redirects to https://evil.example (status 301); redirects are not followed
    -> set the endpoint to the API's own address
    protocol [never] reading: Test redirects to another address on 127.0.0.1 (status 302); redirects are not followed
    -> set the endpoint to the API's own address
    protocol [never] reading: Test redirects to http://127.0.0.1 (status 307); redirects are not followed
    -> set the endpoint to the API's own address
    protocol [never] reading: Test redirects without saying where to (status 308); redirects are not followed
    -> set the endpoint to the API's own address
    protocol [never] reading: Test redirects without saying where to (status 304); redirects are not followed
    -> set the endpoint to the API's own address
    "#);

    let server = Server::start([answer_with(303, "location: /done\r\n", "")]).await;
    let error = server.client().send(Call::post("/x")).await.unwrap_err();
    assert_eq!(error.retry, mailzone_provider::Retry::Unknown);
}
