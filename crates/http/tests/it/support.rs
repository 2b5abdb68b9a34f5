use std::cell::RefCell;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use mailzone_http::{Backoff, Base, Budget, Client, Settings};
use mailzone_provider::{ProviderError, Retry};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a server does with one request.
#[derive(Clone)]
pub(crate) enum Act {
    /// Sends these octets and keeps the connection.
    Send(Vec<u8>),
    /// Sends these octets and closes the connection; without any it is a lost answer.
    Close(Vec<u8>),
    /// Never answers.
    Silence,
}

/// A server that answers the n-th request with the n-th act, and the last act for all that follow.
pub(crate) struct Server {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let acts: Arc<Vec<Act>> = Arc::new(acts.into_iter().collect());
        let serving = tokio::spawn({
            let requests = Arc::clone(&requests);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&acts), Arc::clone(&requests)));
                }
            }
        });
        Self { url, requests, serving }
    }

    /// Head and body of each request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// How many requests came in.
    pub(crate) fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(settings(&self.url)).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Settings without limits, with attempts that follow each other quickly.
pub(crate) fn settings(url: &str) -> Settings {
    subscribe();
    Settings {
        service: "Test",
        base: Base::parse(url).unwrap(),
        timeout: Duration::from_secs(20),
        budget: Arc::new(Budget::unlimited()),
        concurrency: 8,
        secrets: vec![SecretString::from("s3cr/t value")],
        backoff: Backoff {
            first: Duration::from_millis(1),
            max: Duration::from_millis(2),
            attempts: 3,
            jitter: false,
            ..Backoff::default()
        },
    }
}

/// An answer with these header lines (each ended by `\r\n`).
pub(crate) fn answer_with(status: u16, headers: &str, body: &str) -> Act {
    Act::Send(format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes())
}

pub(crate) fn answer(status: u16, body: &str) -> Act {
    answer_with(status, "content-type: application/json\r\n", body)
}

/// Whether a retry helps, the error and its remedy, with the server's port left out.
pub(crate) fn shown(error: &ProviderError, server: &str) -> String {
    let retry = match error.retry {
        Retry::Never => "never",
        Retry::Later => "later",
        Retry::Unknown => "unknown",
    };
    let text = format!("{} [{retry}] {error}\n-> {}", error.kind.as_str(), error.remedy);
    text.replace(server.trim_start_matches("http://"), "SERVER")
}

/// Everything that this thread traces from its begin on, at TRACE, for the program's own targets.
pub(crate) struct Captured;

thread_local! {
    static CAPTURED: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

impl Captured {
    pub(crate) fn start() -> Self {
        CAPTURED.set(Some(Vec::new()));
        Self
    }

    pub(crate) fn text(&self) -> String {
        CAPTURED.with_borrow(|octets| String::from_utf8(octets.clone().unwrap()).unwrap())
    }
}

/// One subscriber for all, there before anything is traced: a line's first passage decides for the process
/// whether anybody wants it.
fn subscribe() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter("mailzone_http=trace,mailzone_provider=trace")
            .with_ansi(false)
            .with_writer(|| Writer)
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

struct Writer;

impl std::io::Write for Writer {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        CAPTURED.with_borrow_mut(|captured| captured.as_mut().map(|captured| captured.extend_from_slice(octets)));
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn serve(mut stream: TcpStream, acts: Arc<Vec<Act>>, requests: Arc<Mutex<Vec<String>>>) {
    while let Some(request) = read(&mut stream).await {
        let act = {
            let mut requests = requests.lock().unwrap();
            requests.push(request);
            acts.get(requests.len() - 1).or_else(|| acts.last()).cloned().unwrap()
        };
        match act {
            Act::Send(octets) => drop(stream.write_all(&octets).await),
            Act::Close(octets) => {
                let _ = stream.write_all(&octets).await;
                return;
            }
            Act::Silence => std::future::pending().await,
        }
    }
}

/// Head and body of the next request; none at the connection's end.
async fn read(stream: &mut TcpStream) -> Option<String> {
    let mut text = String::new();
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text);
            }
        }
        let mut octets = [0; 4096];
        let count = stream.read(&mut octets).await.ok().filter(|count| *count > 0)?;
        text.push_str(std::str::from_utf8(&octets[..count]).unwrap());
    }
}
