use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use mailzone_server::Handle;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::state::{Limit, Send, State};
use crate::{Fault, Request, Response, Service};

/// A service behind HTTP/1.1 on 127.0.0.1, until it is dropped.
pub struct Emulator<S> {
    state: Arc<Mutex<State<S>>>,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

/// One request that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// [`Service::label`].
    pub label: String,
    /// `GET`.
    pub method: String,
    /// As sent, without the query.
    pub path: String,
    /// Of the answer; 0 if there was none.
    pub status: u16,
    /// [`Service::writes`].
    pub write: bool,
}

impl<S: Service> Emulator<S> {
    /// Starts to answer, in the runtime that this is called in.
    ///
    /// # Panics
    /// If this machine has no port left.
    #[expect(clippy::expect_used, reason = "no test can go on without a port")]
    pub async fn start(service: S) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port on loopback");
        let address = listener.local_addr().expect("a port on loopback");
        let state = Arc::new(Mutex::new(State::new(service)));
        let serving = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { state, address, serving }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Looks at the service or changes it, between two requests.
    pub fn with<T>(&self, f: impl FnOnce(&mut S) -> T) -> T {
        let mut state = self.state();
        let result = f(&mut state.service);
        state.publish();
        result
    }

    /// The requests so far, in the order in which they were carried out.
    pub fn log(&self) -> Vec<Logged> {
        self.state().log.clone()
    }

    /// Forgets the log.
    pub fn clear_log(&self) {
        self.state().log.clear();
    }

    /// Lets the `n`-th request from now on fail, counted from 0; one fault a request.
    pub fn fault_at(&self, n: usize, fault: Fault) {
        let mut state = self.state();
        let at = state.count + n;
        state.faults.insert(at, fault);
    }

    /// Takes the faults back that did not happen yet.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// Lets every answer take this long.
    pub fn delay(&self, per_answer: Duration) {
        self.state().delay = per_answer;
    }

    /// Throttles from now on: this many requests a second, and `burst` (at least 1) at once after a quiet time.
    pub fn limit(&self, per_second: f64, burst: u32) {
        self.state().limit = Some(Limit::new(per_second, burst));
    }

    /// Puts the zones of [`Service::served`] into this embedded server, now and after every request.
    pub fn publish(&self, handle: Handle) {
        let mut state = self.state();
        state.published.serve_in(handle);
        state.publish();
    }

    /// Whether what is accepted and listed is never served: the embedded server keeps what it has.
    pub fn never_serve(&self, yes: bool) {
        let mut state = self.state();
        state.published.never = yes;
        state.publish();
    }

    fn state(&self) -> MutexGuard<'_, State<S>> {
        lock(&self.state)
    }
}

impl<S> Drop for Emulator<S> {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl<S> fmt::Debug for Emulator<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator").field("address", &self.address).finish_non_exhaustive()
    }
}

fn lock<S>(state: &Mutex<State<S>>) -> MutexGuard<'_, State<S>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Accepts connections; they end with this task.
async fn accept<S: Service>(listener: TcpListener, state: Arc<Mutex<State<S>>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve(stream, Arc::clone(&state)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve<S: Service>(stream: TcpStream, state: Arc<Mutex<State<S>>>) {
    // Without it an answer in two writes waits for the other side's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| answer(request, &state));
    // A connection that ends in an error is one that the client gave up, or a fault.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// An error closes the connection.
async fn answer<S: Service>(
    request: hyper::Request<Incoming>,
    state: &Mutex<State<S>>,
) -> io::Result<hyper::Response<Answer>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let verdict = lock(state).handle(&Request::received(&parts, &body));
    if !verdict.wait.is_zero() {
        tokio::time::sleep(verdict.wait).await;
    }
    match verdict.send {
        Send::Whole(response) => encode(response, |body| Answer::Whole(Full::new(body))),
        Send::Half(response) => encode(response, |body| {
            let length = body.len();
            Answer::Half { first: body.slice(..length / 2), length, step: 0 }
        }),
        Send::Nothing => Err(io::Error::other("the connection is closed on purpose")),
    }
}

fn encode(response: Response, body: impl FnOnce(Bytes) -> Answer) -> io::Result<hyper::Response<Answer>> {
    let mut builder = hyper::Response::builder().status(response.status);
    for (name, value) in response.headers {
        builder = builder.header(name, value);
    }
    builder.body(body(Bytes::from(response.body))).map_err(io::Error::other)
}

/// A body, or the first half of one.
enum Answer {
    Whole(Full<Bytes>),
    Half { first: Bytes, length: usize, step: u8 },
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(context).map_err(|error: Infallible| match error {}),
            Self::Half { first, step, .. } => {
                *step = step.saturating_add(1);
                match *step {
                    1 => Poll::Ready(Some(Ok(Frame::data(std::mem::take(first))))),
                    // Once idle, so that the first half is sent before the connection closes.
                    2 => {
                        context.waker().wake_by_ref();
                        Poll::Pending
                    }
                    _ => Poll::Ready(Some(Err(io::Error::other("the answer is cut off on purpose")))),
                }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Half { length, .. } => SizeHint::with_exact(u64::try_from(*length).unwrap_or(u64::MAX)),
        }
    }
}
