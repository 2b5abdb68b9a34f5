//! What an emulator knows besides its service: faults, throttle, log, and where the zones are published.

use std::collections::BTreeMap;
use std::time::Duration;

use mailzone_record::{Name, RRset, Ttl};
use mailzone_server::Handle;
use tokio::time::Instant;

use crate::{Fault, Logged, Request, Response, Service};

/// Everything behind the emulator's lock.
pub(crate) struct State<S> {
    pub(crate) service: S,
    pub(crate) log: Vec<Logged>,
    pub(crate) faults: BTreeMap<usize, Fault>,
    /// Requests so far.
    pub(crate) count: usize,
    pub(crate) delay: Duration,
    pub(crate) limit: Option<Limit>,
    pub(crate) published: Published,
}

/// A token bucket.
#[derive(Debug)]
pub(crate) struct Limit {
    per_second: f64,
    burst: f64,
    tokens: f64,
    at: Instant,
}

/// What the embedded server was given.
#[derive(Debug, Default)]
pub(crate) struct Published {
    pub(crate) handle: Option<Handle>,
    pub(crate) never: bool,
    zones: BTreeMap<Name, Vec<RRset>>,
}

/// What to do with the connection, after `wait`.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) wait: Duration,
    pub(crate) send: Send,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Send {
    Whole(Response),
    Half(Response),
    Nothing,
}

impl<S: Service> State<S> {
    pub(crate) fn new(service: S) -> Self {
        Self {
            service,
            log: Vec::new(),
            faults: BTreeMap::new(),
            count: 0,
            delay: Duration::ZERO,
            limit: None,
            published: Published::default(),
        }
    }

    /// Carries a request out, as far as the faults and the throttle let it.
    pub(crate) fn handle(&mut self, request: &Request) -> Verdict {
        let fault = self.faults.remove(&self.count);
        self.count += 1;
        let (label, write) = (self.service.label(request), self.service.writes(request));
        let over = self.limit.as_mut().is_some_and(|limit| !limit.take(Instant::now()));
        let mut wait = self.delay;
        let send = match fault {
            Some(Fault::Refused) => Send::Nothing,
            Some(Fault::ErrorBefore) => Send::Whole(unavailable()),
            Some(Fault::Throttled) => Send::Whole(self.service.throttled()),
            None if over => Send::Whole(self.service.throttled()),
            fault => {
                let response = self.service.answer(request);
                self.publish();
                match fault {
                    Some(Fault::ErrorAfter) => Send::Whole(unavailable()),
                    Some(Fault::Lost) => Send::Nothing,
                    Some(Fault::Truncated) if response.body.is_empty() => Send::Nothing,
                    Some(Fault::Truncated) => Send::Half(response),
                    Some(Fault::Html) => Send::Whole(page()),
                    Some(Fault::Slow(more)) => {
                        wait += more;
                        Send::Whole(response)
                    }
                    _ => Send::Whole(response),
                }
            }
        };
        let status = match &send {
            Send::Whole(response) | Send::Half(response) => response.status,
            Send::Nothing => 0,
        };
        let (method, path) = (request.method.clone(), request.path.clone());
        self.log.push(Logged { label, method, path, status, write });
        Verdict { wait, send }
    }

    /// Puts the zones that changed into the embedded server.
    pub(crate) fn publish(&mut self) {
        if let Some(handle) = self.published.handle.clone().filter(|_| !self.published.never) {
            self.published.update(&handle, self.service.served());
        }
    }
}

impl Limit {
    pub(crate) fn new(per_second: f64, burst: u32) -> Self {
        let burst = f64::from(burst.max(1));
        Self { per_second, burst, tokens: burst, at: Instant::now() }
    }

    fn take(&mut self, now: Instant) -> bool {
        let grown = now.saturating_duration_since(self.at).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + grown).min(self.burst);
        self.at = now;
        let free = self.tokens >= 1.0;
        if free {
            self.tokens -= 1.0;
        }
        free
    }
}

impl Published {
    /// Serves in `handle` from now on; what it was given before counts no more.
    pub(crate) fn serve_in(&mut self, handle: Handle) {
        self.handle = Some(handle);
        self.zones.clear();
    }

    #[expect(clippy::panic, reason = "a zone that no server can serve is a mistake of the emulated service")]
    fn update(&mut self, handle: &Handle, served: Vec<(Name, Vec<RRset>)>) {
        let served: BTreeMap<_, _> = served.into_iter().collect();
        for apex in self.zones.keys().filter(|apex| !served.contains_key(*apex)) {
            handle.remove_zone(apex);
        }
        for (apex, sets) in served.iter().filter(|(apex, sets)| self.zones.get(*apex) != Some(*sets)) {
            match mailzone_server::Zone::new(apex.clone(), sets.clone(), Ttl::from_secs(3600).unwrap_or(Ttl::ZERO)) {
                Ok(zone) => handle.replace_zone(zone),
                Err(error) => panic!("{apex}: {error}"),
            }
        }
        self.zones = served;
    }
}

fn unavailable() -> Response {
    Response::text(503, "text/plain", "upstream connect error or disconnect before headers")
}

fn page() -> Response {
    Response::text(200, "text/html; charset=utf-8", "<!doctype html>\n<title>Maintenance</title>\n<p>Back soon.\n")
}
