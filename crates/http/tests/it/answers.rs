use mailzone_http::{Call, MAX_ANSWER, Pages};
use mailzone_provider::{ProviderErrorKind, Retry};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::support::{Act, Server, answer, answer_with, shown};

#[tokio::test]
async fn what_is_sent() {
    let server = Server::start([answer(200, "{}")]).await;
    let url = format!("{}/v4?JSON", server.url);
    let client = mailzone_http::Client::new(crate::support::settings(&url)).unwrap();
    client.send(Call::get("").query("a", 1)).await.unwrap();
    client
        .send(
            Call::post(format!("/zones/{}", Call::segment("a/b é")))
                .query("name", "x&y")
                .bearer(&SecretString::from("token"))
                .header("x-plain", "p")
                .secret_header("x-key", &SecretString::from("key"))
                .json(&json!({"a": 1})),
        )
        .await
        .unwrap();
    client.send(Call::put("f").form(&[("user name", "ä&=")]).header("accept", "text/plain")).await.unwrap();
    let requests = server.requests().join("\n----\n").replace("\r\n", "\n");
    insta::assert_snapshot!(requests.replace(server.url.trim_start_matches("http://"), "SERVER"), @r#"
    GET /v4?JSON&a=1 HTTP/1.1
    accept: application/json
    user-agent: mailzone/0.1.0
    accept-encoding: gzip
    host: SERVER


    ----
    POST /v4/zones/a%2Fb%20%C3%A9?JSON&name=x%26y HTTP/1.1
    accept: application/json
    authorization: Bearer token
    x-plain: p
    x-key: key
    content-type: application/json
    user-agent: mailzone/0.1.0
    accept-encoding: gzip
    host: SERVER
    content-length: 7

    {"a":1}
    ----
    PUT /v4/f?JSON HTTP/1.1
    accept: text/plain
    content-type: application/x-www-form-urlencoded
    user-agent: mailzone/0.1.0
    accept-encoding: gzip
    host: SERVER
    content-length: 24

    user%20name=%C3%A4%26%3D
    "#);
}

#[tokio::test]
async fn what_cannot_be_sent() {
    let server = Server::start([answer(200, "{}")]).await;
    let mut shown_all = Vec::new();
    for call in [
        Call::get("/x").bearer(&SecretString::from("to\nken")),
        Call::get("/x").header("bad name", "x"),
        Call::get("/x").header("x", "a\r\nb: c"),
        Call::get(format!("/zones/{}", Call::segment(".."))),
        Call::post("/x").json(&std::collections::HashMap::from([((1, 2), 3)])),
    ] {
        shown_all.push(shown(&server.client().send(call).await.unwrap_err(), &server.url));
    }
    assert_eq!(server.count(), 0);
    insta::assert_snapshot!(shown_all.join("\n"), @r#"
    credentials [never] GET /x: the credential holds a line end or another character that cannot be sent in a header
    -> check the credentials and the provider's table in the configuration
    configuration [never] GET /x: "bad name" is not the name of a header
    -> check the credentials and the provider's table in the configuration
    configuration [never] GET /x: the header x cannot hold that value
    -> check the credentials and the provider's table in the configuration
    configuration [never] GET /zones/..: an identifier is "." or ".."
    -> check zone_id
    protocol [never] POST /x: the request has no form in JSON
    -> report this
    "#);
}

#[tokio::test]
async fn a_reply() {
    let headers = "content-type: application/json\r\nx-pages: 7\r\n";
    let server = Server::start([answer_with(200, headers, "{\"a\": [1]}")]).await;
    let reply = server.client().send(Call::get("/x")).await.unwrap();
    assert!(reply.is_success());
    assert_eq!((reply.header("X-Pages"), reply.header("y")), (Some("7"), None));
    assert_eq!(reply.json::<Value>().unwrap(), json!({"a": [1]}));
    assert_eq!((reply.text().as_ref(), reply.excerpt().as_str()), ("{\"a\": [1]}", "{\"a\": [1]}"));
    insta::assert_debug_snapshot!(reply, @r#"
    Reply {
        status: 200,
        octets: 10,
        operation: "GET /x",
        ..
    }
    "#);
}

#[tokio::test]
async fn answers_that_are_no_json() {
    let mut shown_all = Vec::new();
    for (headers, body) in [
        ("content-type: text/html\r\n", "<!doctype html><p>s3cr/t value"),
        ("", "  <html>"),
        ("", ""),
        ("", "{\"a\": 1, \"b"),
        ("", "{\"a\": \"s3cr/t value\", \"b\u{1b}[31m\": \u{202e}1}"),
        ("", "{\"a\": \"s3cr/t value\"}"),
    ] {
        let server = Server::start([answer_with(200, headers, body)]).await;
        for call in [Call::get("/x").doing("reading"), Call::post("/x").doing("writing")] {
            let reply = server.client().send(call).await.unwrap();
            let error = reply.json::<std::collections::BTreeMap<String, u8>>().unwrap_err();
            shown_all.push(shown(&error, &server.url));
        }
    }
    insta::assert_snapshot!(shown_all.join("\n"), @r#"
    protocol [later] reading: Test answered with an HTML page instead of JSON (status 200)
    -> check the endpoint and that no proxy is in between, and try again later
    protocol [unknown] writing: Test answered with an HTML page instead of JSON (status 200)
    -> check the endpoint and that no proxy is in between, and try again later
    protocol [later] reading: Test answered with an HTML page instead of JSON (status 200)
    -> check the endpoint and that no proxy is in between, and try again later
    protocol [unknown] writing: Test answered with an HTML page instead of JSON (status 200)
    -> check the endpoint and that no proxy is in between, and try again later
    protocol [later] reading: Test answered with nothing instead of JSON (status 200)
    -> check the endpoint and that no proxy is in between, and try again later
    protocol [unknown] writing: Test answered with nothing instead of JSON (status 200)
    -> check the endpoint and that no proxy is in between, and try again later
    protocol [later] reading: the answer of Test is cut off (status 200): {"a": 1, "b
    -> check the endpoint and that no proxy is in between, and try again later
    protocol [unknown] writing: the answer of Test is cut off (status 200): {"a": 1, "b
    -> check the endpoint and that no proxy is in between, and try again later
    protocol [never] reading: Test answered what its API does not say (status 200): invalid type: string "[redacted]", expected u8 at line 1 column 20: {"a": "[redacted]", "b\u{1b}[31m": \u{202e}1}
    -> check the endpoint; if it is the service's own, its API has changed: report it
    protocol [unknown] writing: Test answered what its API does not say (status 200): invalid type: string "[redacted]", expected u8 at line 1 column 20: {"a": "[redacted]", "b\u{1b}[31m": \u{202e}1}
    -> check the endpoint; if it is the service's own, its API has changed: report it
    protocol [never] reading: Test answered what its API does not say (status 200): invalid type: string "[redacted]", expected u8 at line 1 column 20: {"a": "[redacted]"}
    -> check the endpoint; if it is the service's own, its API has changed: report it
    protocol [unknown] writing: Test answered what its API does not say (status 200): invalid type: string "[redacted]", expected u8 at line 1 column 20: {"a": "[redacted]"}
    -> check the endpoint; if it is the service's own, its API has changed: report it
    "#);

    // What was refused was not carried out, in whatever words.
    let server = Server::start([answer(400, "no")]).await;
    let reply = server.client().send(Call::post("/x")).await.unwrap();
    assert_eq!(reply.json::<Value>().unwrap_err().retry, Retry::Never);
}

#[tokio::test]
async fn an_excerpt_is_short_and_harmless() {
    let body = format!("a\u{1b}]0;x\u{7}\u{200b}{}s3cr/t value", "é".repeat(276));
    let server = Server::start([answer(400, &body)]).await;
    let reply = server.client().send(Call::get("/x")).await.unwrap();
    let excerpt = reply.excerpt();
    assert_eq!(excerpt.chars().count(), 300);
    assert!(excerpt.starts_with("a\\u{1b}]0;x\\u{7}\\u{200b}é") && excerpt.ends_with('…'), "{excerpt}");
    // Cut within the place of the secret, none of it is left.
    assert!(!excerpt.contains("s3"), "{excerpt}");

    let error = reply.failure(ProviderErrorKind::Refused, "Test refuses: s3cr/t value\r\n", "do something");
    insta::assert_snapshot!(shown(&error, &server.url), @r#"
    refused [never] GET /x: Test refuses: [redacted]\u{d}\u{a}
    -> do something
    "#);
}

#[tokio::test]
async fn no_more_than_the_limit_is_read() {
    let mut endless = b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let chunk = vec![b' '; 1 << 20];
    for _ in 0..=MAX_ANSWER >> 20 {
        endless.extend_from_slice(b"100000\r\n");
        endless.extend_from_slice(&chunk);
        endless.extend_from_slice(b"\r\n");
    }
    let server = Server::start([Act::Close(endless)]).await;
    let error = server.client().send(Call::get("/x").doing("reading")).await.unwrap_err();
    assert_eq!(server.count(), 1);
    insta::assert_snapshot!(shown(&error, &server.url), @r#"
    protocol [never] reading: the answer of Test is longer than 64 MiB
    -> check the endpoint; nothing is done with a part of an answer
    "#);
}

/// Half a mebioctet on the wire.
#[tokio::test]
async fn the_limit_counts_what_is_decompressed() {
    let bomb = gzip_of_zeros(MAX_ANSWER + 1);
    assert!(bomb.len() < 1 << 20);
    let head = format!("HTTP/1.1 200 X\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", bomb.len());
    let server = Server::start([Act::Send([head.into_bytes(), bomb].concat())]).await;
    let error = server.client().send(Call::post("/x").doing("writing")).await.unwrap_err();
    insta::assert_snapshot!(shown(&error, &server.url), @r#"
    protocol [unknown] writing: the answer of Test is longer than 64 MiB
    -> it may have been carried out all the same: look with plan, then try again
    "#);
}

#[tokio::test]
async fn a_page_that_is_an_earlier_one() {
    let server = Server::start([answer(200, "[1]"), answer(200, "[2]"), answer(200, "[1]")]).await;
    let client = server.client();
    let mut pages = Pages::new("listing the zones");
    let mut seen = Vec::new();
    for page in 1..=3 {
        pages.next(&page.to_string()).unwrap();
        seen.push(pages.seen(&client.send(Call::get("/x").query("page", page)).await.unwrap()));
    }
    assert!(seen[0].is_ok() && seen[1].is_ok());
    insta::assert_snapshot!(shown(seen[2].as_ref().unwrap_err(), &server.url), @r#"
    protocol [never] listing the zones: the service sends the same page again and again
    -> nothing is done with a part of the list; try again later, and report it to the service if it stays
    "#);
}

/// At least `length` zeros: one, and then "the last octet 258 times more" over and over (RFC 1951 section 3.2.6).
fn gzip_of_zeros(length: usize) -> Vec<u8> {
    let mut octets = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let (mut pending, mut used) = (0u32, 0);
    let mut push = |code: &str| {
        for bit in code.bytes() {
            pending |= u32::from(bit - b'0') << used;
            used += 1;
            if used == 8 {
                octets.push(u8::try_from(pending).unwrap());
                (pending, used) = (0, 0);
            }
        }
    };
    // Last block with fixed codes; the literal 0.
    push("110");
    push("00110000");
    for _ in 0..length / 258 + 1 {
        // Length 258, distance 1.
        push("1100010100000");
    }
    // End of block, and zeros up to a whole octet.
    push("00000000000000");
    octets
}
