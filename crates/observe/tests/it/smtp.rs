//! Mail servers, well-behaved and hostile.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailzone_audit::{Failure, SmtpSession, Wish};
use mailzone_observe::{PER_MAIL_SERVER, Trust};
use rustls::ServerConfig;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use crate::support::{Authority, World, free_port, later, name, peer};

async fn look(trust: Trust, port: u16) -> Result<SmtpSession, Failure> {
    let world = World::new(&[], trust, port).await;
    let (host, address) = (name("mx.example.com"), "127.0.0.1".parse().unwrap());
    let mut known = world.look(Wish::Smtp(host.clone(), address)).await;
    known.facts.smtp.remove(&(host, address)).unwrap()
}

type Heard = Arc<Mutex<Vec<String>>>;

/// Reads commands and answers each as `answer` says, until it is told to stop with an empty answer.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    heard: &Heard,
    answer: impl Fn(&str) -> &'static str,
) -> String {
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return String::new();
        }
        let line = line.trim_end().to_owned();
        heard.lock().unwrap().push(line.clone());
        let answer = answer(&line);
        if answer.is_empty() {
            return line;
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

const HELLO: &str =
    "250-mx.example.com at your service\r\n250-size 1000\r\n250-StartTLS\r\n250-\r\n250 AUTH PLAIN Login\r\n";

/// A server with STARTTLS; what it heard.
async fn server(config: Arc<ServerConfig>) -> (u16, Heard) {
    let heard = Heard::default();
    let log = Arc::clone(&heard);
    let port = peer(move |stream| {
        let (acceptor, heard) = (TlsAcceptor::from(Arc::clone(&config)), Arc::clone(&log));
        async move {
            let mut stream = BufReader::new(stream);
            stream.write_all(b"220-mx.example.com ESMTP\r\n220 of the test\r\n").await.unwrap();
            let answers = |line: &str| if line.starts_with("EHLO") { HELLO } else { "" };
            converse(&mut stream, &heard, answers).await;
            stream.write_all(b"220 go ahead\r\n").await.unwrap();
            let Ok(stream) = acceptor.accept(stream.into_inner()).await else { return };
            converse(&mut BufReader::new(stream), &heard, |_| "221 bye\r\n").await;
        }
    });
    (port.await, heard)
}

#[tokio::test]
async fn a_session_up_to_the_certificate() {
    let authority = Authority::new();
    let (port, heard) = server(authority.server("mx.example.com", 2040)).await;
    let session = look(authority.trust(), port).await.unwrap();
    assert_eq!(session.banner, "mx.example.com ESMTP of the test");
    assert_eq!(session.extensions, ["SIZE 1000", "STARTTLS", "AUTH PLAIN Login"]);
    assert!(session.starttls);
    assert_eq!((session.tls_error, session.untrusted), (None, None));
    assert_eq!(session.tls_version.as_deref(), Some("TLSv1.3"));
    assert_eq!((session.chain.len(), session.chain[0].names.clone()), (1, vec!["mx.example.com".to_owned()]));
    assert_eq!(session.chain[0].issuer, "Test Authority");
    assert_eq!(*heard.lock().unwrap(), ["EHLO check.example.net", "STARTTLS", "QUIT"]);
}

#[tokio::test]
async fn certificates_that_are_not_to_be_trusted_are_shown_all_the_same() {
    let authority = Authority::new();
    for (host, until, trust, why) in [
        ("other.example.com", 2040, authority.trust(), "the certificate is not for mx.example.com"),
        ("mx.example.com", 2025, authority.trust(), "the certificate has expired"),
        ("mx.example.com", 2040, Authority::named("Another").trust(), "self-signed or from an unknown authority"),
        ("mx.example.com", 2040, Trust::usual().unwrap(), "self-signed or from an unknown authority"),
    ] {
        let (port, _) = server(authority.server(host, until)).await;
        let session = look(trust, port).await.unwrap();
        assert!(session.untrusted.as_ref().is_some_and(|said| said.contains(why)), "{:?}", session.untrusted);
        assert_eq!((session.chain[0].names.clone(), session.tls_error), (vec![host.to_owned()], None));
    }
}

/// What comes of a server that greets, answers EHLO with `hello` and STARTTLS with `starttls`.
async fn without_tls(hello: &'static str, starttls: &'static str) -> (SmtpSession, Vec<String>) {
    let heard = Heard::default();
    let log = Arc::clone(&heard);
    let port = peer(move |stream| {
        let heard = Arc::clone(&log);
        async move {
            let mut stream = BufReader::new(stream);
            stream.write_all(b"220 mx\r\n").await.unwrap();
            converse(&mut stream, &heard, |line| match line.get(..4) {
                Some("EHLO") => hello,
                Some("STAR") => starttls,
                _ => "221 bye\r\n",
            })
            .await;
        }
    });
    let session = look(Authority::new().trust(), port.await).await.unwrap();
    let heard = heard.lock().unwrap().clone();
    (session, heard)
}

#[tokio::test]
async fn starttls_stripped_refused_and_forged() {
    for hello in ["250-mx\r\n250-XXXXXXXX\r\n250 SIZE\r\n", "250 mx\r\n", "502 what?\r\n"] {
        let (session, heard) = without_tls(hello, "").await;
        assert!(!session.starttls && session.chain.is_empty() && session.tls_error.is_none());
        assert_eq!(heard, ["EHLO check.example.net", "QUIT"]);
    }
    for (starttls, why) in [
        ("454 not now\r\n", "the server answers `454 not now` to STARTTLS"),
        ("220 go\r\n250 injected\r\n", "goes on in clear text"),
        ("???\r\n", "after STARTTLS the server does not speak SMTP"),
        ("", "after STARTTLS the server closed the connection"),
        // Garbage in place of a handshake. The server waits for our first octets and answers those of no line.
        ("220 go\r\n", "message"),
    ] {
        let (session, _) = match why {
            "message" => (garbage().await, vec![]),
            _ => without_tls(HELLO, starttls).await,
        };
        assert!(session.starttls && session.chain.is_empty());
        let error = session.tls_error.unwrap();
        assert!(error.contains(why), "{error}");
    }
}

async fn garbage() -> SmtpSession {
    let port = peer(|stream| async move {
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 mx\r\n").await.unwrap();
        let heard = Heard::default();
        converse(&mut stream, &heard, |line| if line.starts_with("EHLO") { HELLO } else { "" }).await;
        stream.write_all(b"220 go\r\n").await.unwrap();
        // Not before the handshake has begun.
        stream.fill_buf().await.unwrap();
        let _ = stream.write_all(&[b'x'; 4096]).await;
        tokio::time::sleep(Duration::from_secs(3600)).await;
    });
    look(Authority::new().trust(), port.await).await.unwrap()
}

/// Sends the same for as long as it is taken.
async fn flood(what: &'static [u8]) -> u16 {
    peer(move |mut stream| async move { while stream.write_all(what).await.is_ok() {} }).await
}

#[tokio::test]
async fn servers_that_do_not_come_to_the_point() {
    let authority = Authority::new();
    for (what, why) in [
        (&b"220-welcome\r\n"[..], "more than 100 lines"),
        (b"220 no end", "more than 2048 octets"),
        (b"\0\r\n", "does not speak SMTP"),
    ] {
        let failure = look(authority.trust(), flood(what).await).await.unwrap_err();
        assert!(failure.message.contains(why) && !failure.here, "{failure:?}");
    }
}

#[tokio::test]
async fn greetings_that_refuse() {
    for (greeting, here) in [
        ("554 5.7.1 blocked\r\n", true),
        ("521 no mail here\r\n", false),
        ("421 busy\r\n", false),
        ("250 what?\r\n", false),
    ] {
        let port = peer(move |mut stream: TcpStream| async move {
            stream.write_all(greeting.as_bytes()).await.unwrap();
            let quit = BufReader::new(stream).lines().next_line().await;
            assert_eq!(quit.unwrap().as_deref(), Some("QUIT"));
        });
        let failure = look(Authority::new().trust(), port.await).await.unwrap_err();
        assert!(failure.message.contains(greeting.trim_end()), "{failure:?}");
        assert_eq!(failure.here, here, "{failure:?}");
    }
}

#[tokio::test]
async fn few_sessions_with_one_address_at_a_time() {
    let now_and_most = Arc::new(Mutex::new((0usize, 0usize)));
    let counts = Arc::clone(&now_and_most);
    let port = peer(move |mut stream| {
        let counts = Arc::clone(&counts);
        async move {
            {
                let mut counts = counts.lock().unwrap();
                counts.0 += 1;
                counts.1 = counts.1.max(counts.0);
            }
            // Let others come, if they do.
            tokio::time::sleep(Duration::from_millis(20)).await;
            counts.lock().unwrap().0 -= 1;
            stream.write_all(b"421 busy\r\n").await.unwrap();
        }
    });
    let world = World::new(&[], Authority::new().trust(), port.await).await;
    let wishes = (0..12).map(|n| Wish::Smtp(name(&format!("mx{n}.example.com")), "127.0.0.1".parse().unwrap()));
    let mut known = world.observer.known();
    world.observer.fulfil(wishes, &mut known, later()).await;
    let most = now_and_most.lock().unwrap().1;
    assert!(known.facts.smtp.len() == 12 && most <= PER_MAIL_SERVER, "{most}");
}

#[tokio::test]
async fn nobody_there_or_gone_at_once() {
    let failure = look(Authority::new().trust(), free_port().await).await.unwrap_err();
    assert!(failure.message.contains("nothing listens") && !failure.here, "{failure:?}");
    let port = peer(|stream| async move { drop(stream) }).await;
    let failure = look(Authority::new().trust(), port).await.unwrap_err();
    assert!(!failure.here, "{failure:?}");
}

/// Runs the look on the paused clock from the moment that the peer has begun to be slow.
async fn slow<F>(talk: impl Fn(TcpStream, mpsc::Sender<()>) -> F + Send + 'static) -> Result<SmtpSession, Failure>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (begun, mut has_begun) = mpsc::channel(1);
    let port = peer(move |stream| talk(stream, begun.clone())).await;
    let look = tokio::spawn(look(Authority::new().trust(), port));
    has_begun.recv().await.unwrap();
    tokio::time::pause();
    look.await.unwrap()
}

#[tokio::test]
async fn slow_servers_are_given_up() {
    let dripped = slow(|mut stream, begun| async move {
        stream.write_all(b"220-").await.unwrap();
        begun.send(()).await.unwrap();
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let failure = dripped.await.unwrap_err();
    assert_eq!((failure.message.as_str(), failure.here), ("the server did not finish its reply in time", false));
}

#[tokio::test]
async fn a_handshake_without_an_end_is_given_up() {
    let stuck = slow(|stream, begun| async move {
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 mx\r\n").await.unwrap();
        let heard = Heard::default();
        converse(&mut stream, &heard, |line| if line.starts_with("EHLO") { HELLO } else { "" }).await;
        stream.write_all(b"220 go\r\n").await.unwrap();
        stream.fill_buf().await.unwrap();
        begun.send(()).await.unwrap();
        std::future::pending::<()>().await;
    });
    assert_eq!(stuck.await.unwrap().tls_error.as_deref(), Some("no end of the TLS handshake in time"));
}
