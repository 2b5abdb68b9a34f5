use mailzone_http::{Call, Client};
use secrecy::SecretString;

use crate::support::{Act, Captured, Server, answer, answer_with, settings};

/// Marked: none of these may be seen anywhere.
const SECRETS: [&str; 4] = ["marked/conf ig", "marked-header", "marked\"token", "marked-session"];

/// Whatever form a secret has, this is left of it.
const MARK: &str = "marked";

#[tokio::test]
async fn no_secret_is_in_a_log_or_an_error() {
    let captured = Captured::start();
    let mut said = String::new();
    let echo = "{\"a\":\"marked/conf ig\",\"b\":\"marked%2Fconf%20ig\",\"c\":\"marked%2fconf+ig\",\
                \"d\":\"marked\\\\\\/conf ig\",\"e\":\"marked-header\",\"f\":\"marked\\\"token\",\"g\":\"marked-session\"}";
    let echo = echo.replace("\\\\\\/", "\\/");
    let page = format!("<html>{echo}");
    let acts = [
        answer(400, &echo),
        answer(401, &echo),
        answer(200, &echo),
        answer_with(200, "content-type: text/html\r\n", &page),
        answer(429, &echo),
        answer(500, &echo),
        answer_with(302, "location: https://marked-header.example/marked-session\r\n", &echo),
        Act::Close(Vec::new()),
        Act::Close(
            b"HTTP/1.1 200 X\r\nmarked-header: marked-session\r\ncontent-length: 99\r\n\r\nmarked-session".to_vec(),
        ),
        Act::Close(b"marked-session marked-header\r\n\r\n".to_vec()),
    ];
    let mut count = 0;
    for act in acts {
        let server = Server::start([act]).await;
        let mut settings = settings(&server.url);
        settings.secrets = vec![SecretString::from(SECRETS[0])];
        said += &format!("{settings:?}\n");
        let client = Client::new(settings).unwrap();
        client.hide(&SecretString::from(SECRETS[3]));
        let call = |call: Call| {
            call.secret_header("x-key", &SecretString::from(SECRETS[1]))
                .bearer(&SecretString::from(SECRETS[2]))
                .query("session", SECRETS[3])
                .doing(format!("asking with {}", SECRETS[0]))
        };
        let path = format!("/{}", Call::segment(SECRETS[0]));
        for call in [call(Call::get(&path)), call(Call::post(&path).json(&SECRETS))] {
            said += &format!("{client:?}\n");
            match client.send(call).await {
                Ok(reply) => {
                    said += &format!("{reply:?} {}\n", reply.excerpt());
                    let error = reply.json::<Vec<u8>>().unwrap_err();
                    said += &format!("{error} {error:?} {}\n", error.remedy);
                    let refused = mailzone_provider::ProviderErrorKind::Refused;
                    said += &format!("{:?}\n", reply.failure(refused, &reply.text(), ""));
                }
                Err(error) => said += &format!("{error} {error:?} {}\n", error.remedy),
            }
            count += 1;
        }
        assert!(server.requests().iter().all(|request| request.matches(MARK).count() >= 4), "the secrets were sent");
    }
    assert_eq!(count, 20);
    let log = captured.text();
    assert!(log.matches("status=400").count() == 2 && log.contains("attempt=3"), "{log}");
    for text in [&said, &log] {
        assert!(text.contains("[redacted]"), "{text}");
        let shown = text.lines().find(|line| line.contains(MARK));
        assert_eq!(shown, None);
    }
    assert_eq!(Client::new(settings("https://api.example")).unwrap().redact("x s3cr/t value y"), "x [redacted] y");
}

#[tokio::test]
async fn a_log_line_tells_the_request_and_no_more() {
    let captured = Captured::start();
    let server = Server::start([answer(404, "the body")]).await;
    let call = Call::post("/zones/1").query("q", "the-query").header("x-h", "the-header").json(&"the-request");
    server.client().send(call.doing("creating a record")).await.unwrap();
    let log = captured.text();
    assert_eq!(log.lines().count(), 1, "{log}");
    for part in ["DEBUG mailzone_http", "Test", "POST", "/zones/1", "404", "attempt=1", "creating a record"] {
        assert!(log.contains(part), "{part}: {log}");
    }
    for part in ["the-query", "the-header", "the-request", "the body"] {
        assert!(!log.contains(part), "{part}: {log}");
    }
}

/// A terminal must not act on what a service sends.
#[tokio::test]
async fn nothing_from_the_network_is_shown_as_it_is() {
    let captured = Captured::start();
    let server = Server::start([answer(500, "a\u{1b}[2J\r\n\u{202e}b"), answer(400, "c\u{9b}d")]).await;
    let reply = server.client().send(Call::get("/x")).await.unwrap();
    let error = reply.failure(mailzone_provider::ProviderErrorKind::Refused, &reply.text(), "");
    for text in [captured.text(), error.to_string(), reply.excerpt()] {
        assert!(!text.trim_end().contains(['\u{1b}', '\r', '\u{202e}', '\u{9b}']), "{text:?}");
    }
    assert!(captured.text().contains("a\\u{1b}[2J\\u{d}\\u{a}\\u{202e}b"));
}
