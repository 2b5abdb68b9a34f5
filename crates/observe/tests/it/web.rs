//! Policies and documents, from servers well-behaved and hostile.

use std::sync::Arc;
use std::time::Duration;

use mailzone_audit::{Document, Failure, PolicyAnswer, Wish};
use mailzone_observe::{MAX_DOCUMENT, MAX_POLICY, Trust};
use mailzone_record::RecordType;
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::support::{Authority, World, free_port, name, peer};

const HOST: &str = "mta-sts.example.com";

/// A web server that gives each request to `answer`; what was asked for comes out of the channel.
async fn server<F>(
    config: Arc<ServerConfig>,
    answer: impl Fn(TlsStream<TcpStream>) -> F + Send + Sync + Clone + 'static,
) -> (u16, mpsc::UnboundedReceiver<String>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (asked, requests) = mpsc::unbounded_channel();
    let port = peer(move |stream| {
        let (acceptor, answer, asked) = (TlsAcceptor::from(Arc::clone(&config)), answer.clone(), asked.clone());
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(octet) => request.push(octet),
                    Err(_) => return,
                }
            }
            asked.send(String::from_utf8(request).unwrap()).unwrap();
            answer(stream).await;
        }
    });
    (port.await, requests)
}

async fn policy_at(trust: Trust, port: u16, records: &[(&str, RecordType, &str)]) -> Result<PolicyAnswer, Failure> {
    let world = World::new(records, trust, port).await;
    world.look(Wish::Policy(name("example.com"))).await.facts.policies.remove(&name("example.com")).unwrap()
}

/// The policy of a server that answers with `bytes`, and then with `more` for as long as they are taken.
async fn policy(bytes: impl Into<Vec<u8>>, more: &'static [u8]) -> Result<PolicyAnswer, Failure> {
    let authority = Authority::new();
    let bytes: Arc<[u8]> = bytes.into().into();
    let (port, _requests) = server(authority.server(HOST, 2040), move |mut stream| {
        let bytes = Arc::clone(&bytes);
        async move {
            let _ = stream.write_all(&bytes).await;
            while !more.is_empty() && stream.write_all(more).await.is_ok() {}
            let _ = stream.shutdown().await;
        }
    })
    .await;
    policy_at(authority.trust(), port, &[(HOST, RecordType::A, "127.0.0.1")]).await
}

#[tokio::test]
async fn a_policy_is_fetched_by_our_own_dns() {
    let authority = Authority::new();
    let (port, mut requests) = server(authority.server(HOST, 2040), |mut stream| async move {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; charset=utf-8\r\nContent-Length: 14\r\n\r\n";
        stream.write_all(format!("{head}version: STSv1").as_bytes()).await.unwrap();
    })
    .await;
    // The policy host is an alias, whose first address is of nobody's.
    let records = [
        (HOST, RecordType::CNAME, "host.example.com."),
        ("host.example.com", RecordType::A, "127.0.0.1"),
        ("host.example.com", RecordType::AAAA, "::1"),
    ];
    let answer = policy_at(authority.trust(), port, &records).await.unwrap();
    assert_eq!((answer.status, answer.content_type.as_deref(), answer.untrusted), (200, Some("text/plain"), None));
    assert_eq!((answer.body.as_slice(), answer.chain[0].names[0].as_str()), (&b"version: STSv1"[..], HOST));
    let request = requests.recv().await.unwrap();
    assert!(request.starts_with("GET /.well-known/mta-sts.txt HTTP/1.1\r\n"), "{request}");
    assert!(request.to_ascii_lowercase().contains(&format!("host: {HOST}:{port}\r\n")), "{request}");
}

#[tokio::test]
async fn redirects_are_not_followed_and_errors_are_told() {
    let moved = policy("HTTP/1.1 301 Moved\r\nLocation: https://elsewhere.example/\r\nContent-Length: 0\r\n\r\n", b"");
    assert_eq!(moved.await.unwrap().status, 301);
    let missing = policy("HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", b"").await.unwrap();
    assert_eq!((missing.status, missing.content_type, missing.body.as_slice()), (404, None, &b"no"[..]));
}

#[tokio::test]
async fn answers_have_limits() {
    let whole = |length: usize| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n");
        [head.into_bytes(), vec![b'x'; length]].concat()
    };
    assert_eq!(policy(whole(MAX_POLICY), b"").await.unwrap().body.len(), MAX_POLICY);
    for (bytes, more, why) in [
        (whole(MAX_POLICY + 1), &b""[..], "longer than 65536 octets"),
        (
            b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
            b"endless and so on, without a word that would say where it is to stop at last; ",
            "longer than 65536 octets",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
            b"40\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n",
            "longer than 65536 octets",
        ),
        (b"HTTP/1.1 200 OK\r\n".to_vec(), b"x: y\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nx: ".to_vec(), b"yyyyyyyyy", "no HTTP"),
        (b"220 mx.example.com ESMTP\r\n".to_vec(), b"", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\ncut".to_vec(), b"", "no HTTP"),
        (Vec::new(), b"", "no HTTP"),
    ] {
        let failure = policy(bytes, more).await.unwrap_err();
        assert!(failure.message.contains(why) && !failure.here, "{failure:?}");
    }
}

#[tokio::test]
async fn nothing_is_said_to_a_server_that_is_not_to_be_trusted() {
    let authority = Authority::new();
    for (host, until, trust, why) in [
        ("www.example.com", 2040, authority.trust(), "not for mta-sts.example.com"),
        (HOST, 2025, authority.trust(), "has expired"),
        (HOST, 2040, Authority::named("Another").trust(), "unknown authority"),
    ] {
        let (port, mut requests) = server(authority.server(host, until), |_| async {}).await;
        let answer = policy_at(trust, port, &[(HOST, RecordType::A, "127.0.0.1")]).await.unwrap();
        assert!(answer.untrusted.as_ref().is_some_and(|said| said.contains(why)), "{:?}", answer.untrusted);
        assert_eq!((answer.status, answer.body.len(), answer.chain[0].names[0].as_str()), (0, 0, host));
        assert!(requests.try_recv().is_err());
    }
}

#[tokio::test]
async fn no_host_no_server_and_no_tls() {
    let trust = || Authority::new().trust();
    let failure = policy_at(trust(), 1, &[]).await.unwrap_err();
    assert_eq!((failure.message.as_str(), failure.here), ("mta-sts.example.com has no address", false));
    let here = [(HOST, RecordType::A, "127.0.0.1")];
    let failure = policy_at(trust(), free_port().await, &here).await.unwrap_err();
    assert!(failure.message.contains("nothing listens") && !failure.here, "{failure:?}");
    let port = peer(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 This is no TLS\r\n\r\n").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let failure = policy_at(trust(), port.await, &here).await.unwrap_err();
    assert!(!failure.message.is_empty() && !failure.here, "{failure:?}");
}

#[tokio::test]
async fn a_slow_server_is_given_up() {
    let authority = Authority::new();
    let (port, mut requests) = server(authority.server(HOST, 2040), |mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").await.unwrap();
        while stream.write_all(b"x").await.is_ok() && stream.flush().await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
    let trust = authority.trust();
    let look = tokio::spawn(async move { policy_at(trust, port, &[(HOST, RecordType::A, "127.0.0.1")]).await });
    requests.recv().await.unwrap();
    tokio::time::pause();
    let failure = look.await.unwrap().unwrap_err();
    assert_eq!((failure.message.as_str(), failure.here), ("no answer in time", false));
}

async fn document(url: &str, trusted: bool, length: usize) -> Result<Document, Failure> {
    let authority = Authority::new();
    let (port, _requests) = server(authority.server("logo.example.com", 2040), move |mut stream| async move {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: image/svg+xml\r\nContent-Length: {length}\r\n\r\n");
        let _ = stream.write_all(&[head.into_bytes(), vec![b'x'; length]].concat()).await;
    })
    .await;
    let trust = if trusted { authority.trust() } else { Authority::named("Another").trust() };
    let world = World::new(&[("logo.example.com", RecordType::A, "127.0.0.1")], trust, port).await;
    world.look(Wish::Document(url.to_owned())).await.facts.documents.remove(url).unwrap()
}

#[tokio::test]
async fn documents() {
    let got = document("https://logo.example.com/a.svg?b", true, MAX_DOCUMENT).await.unwrap();
    assert_eq!((got.status, got.content_type.as_deref(), got.body.len()), (200, Some("image/svg+xml"), MAX_DOCUMENT));
    for (url, why) in [
        ("http://logo.example.com/", "not an https URL"),
        ("https://logo.example.com:8443/", "has to name a host and nothing more"),
        ("https://user@logo.example.com/", "has to name a host and nothing more"),
        ("https://127.0.0.1/", "has to name a host and nothing more"),
        ("https://[::1]/", "has to name a host and nothing more"),
        ("/relative", "not an https URL"),
        ("https://a b/", "not a URL"),
        ("https://none.example.com/", "has no address"),
    ] {
        let failure = document(url, true, 1).await.unwrap_err();
        assert!(failure.message.contains(why), "{url}: {failure:?}");
    }
    let longer = document("https://logo.example.com/", true, MAX_DOCUMENT + 1).await.unwrap_err();
    assert!(longer.message.contains("longer than 1048576 octets"));
    let untrusted = document("https://logo.example.com/", false, 1).await.unwrap_err();
    assert!(untrusted.message.contains("unknown authority") && !untrusted.here);
}
