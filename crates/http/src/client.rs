use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mailzone_provider::{ProviderError, ProviderErrorKind};
use reqwest::{Request, redirect};
use secrecy::SecretString;
use tokio::sync::Semaphore;

use crate::failure::{self, Again, Attempt};
use crate::redact::Redactor;
use crate::reply::Context;
use crate::{Backoff, Base, Budget, Call, Reply};

/// How many octets of an answer are read, counted after decompression: 64 MiB.
pub const MAX_ANSWER: usize = 64 << 20;

/// How long a connection may take to come about, name resolution and TLS included.
const CONNECT: Duration = Duration::from_secs(10);

/// What a [`Client`] is made of.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The service's name in messages: `Cloudflare`.
    pub service: &'static str,
    /// Where the API is.
    pub base: Base,
    /// How long one request may take, to the answer's last octet.
    pub timeout: Duration,
    /// The account's budget: everything that uses the same account shares it.
    pub budget: Arc<Budget>,
    /// How many requests may be under way at once, at least 1.
    pub concurrency: usize,
    /// Removed wherever they appear.
    pub secrets: Vec<SecretString>,
    /// When and how often a request is repeated.
    pub backoff: Backoff,
}

/// The connection of one configured provider to its service. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    /// The host, as in messages.
    host: String,
    http: reqwest::Client,
    slots: Semaphore,
    redactor: Arc<Redactor>,
}

impl Client {
    /// A client; nothing is sent yet. An error (of kind `Configuration`) means that this machine's TLS cannot be set
    /// up.
    pub fn new(settings: Settings) -> Result<Self, ProviderError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("mailzone/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            .gzip(true)
            .timeout(settings.timeout)
            // Shorter than the whole, so that it can be told which of both was exceeded.
            .connect_timeout(CONNECT.min(settings.timeout / 2));
        if settings.base.is_loopback() {
            builder = builder.no_proxy();
        }
        let redactor = Arc::new(Redactor::new(&settings.secrets));
        let http = builder.build().map_err(|error| {
            let kind = ProviderErrorKind::Configuration("the connection cannot be set up".to_owned());
            let remedy = "check this machine's certificate store and its proxy settings";
            let operation = format!("preparing the connection to {}", settings.service);
            ProviderError::new(operation, kind, remedy).with_source(failure::cause(&error, &redactor))
        })?;
        let slots = Semaphore::new(settings.concurrency.clamp(1, Semaphore::MAX_PERMITS));
        let host = redactor.line(&settings.base.host());
        Ok(Self { shared: Arc::new(Shared { settings, host, http, slots, redactor }) })
    }

    /// Sends the call, again where that is safe and may help, and gives its final answer: of any status below 300
    /// or from 400 to 499, except 429.
    ///
    /// Errors: `Throttled` (status 429, [`Retry::Later`](mailzone_provider::Retry::Later)) after the last attempt,
    /// or at once if the service asks to wait longer than [`Backoff::patience`] (until that time is over nothing is
    /// sent with this budget, every call ends with this error); `Unreachable` for statuses from 500
    /// and for all that the network does; `Protocol` for a redirect and for an answer of more than [`MAX_ANSWER`]
    /// octets. Those of a write that may have been carried out are
    /// [`Retry::Unknown`](mailzone_provider::Retry::Unknown).
    pub async fn send(&self, call: Call) -> Result<Reply, ProviderError> {
        let shared = &*self.shared;
        let context = shared.context(&call);
        let request = shared.request(&call, &context)?;
        let backoff = &shared.settings.backoff;
        let mut attempt = 1;
        loop {
            let outcome = shared.attempt(&call, &request, &context, attempt).await;
            let (error, again) = match outcome {
                Attempt::Final(result) => return result,
                Attempt::Again(error, again) => (error, again),
            };
            let wait = again.wait().unwrap_or_else(|| backoff.delay(attempt));
            let patient = wait <= backoff.patience;
            let last = attempt >= backoff.attempts.max(1);
            if let Again::Throttled(_) = again {
                // Also after the last attempt: others use the account too.
                shared.settings.budget.pause(wait);
            }
            if !patient || last {
                return Err(failure::given_up(error, &again, patient, attempt));
            }
            tracing::info!(service = shared.settings.service, ms = wait.as_millis(), %error, "waiting to try again");
            if let Again::Transient(_) = again {
                tokio::time::sleep(wait).await;
            }
            attempt += 1;
        }
    }

    /// `text` without the secrets, in whatever form they stand in it.
    pub fn redact(&self, text: &str) -> String {
        self.shared.redactor.redact(text)
    }

    /// Removes one more secret from everything from now on: one that the service gave (a session).
    pub fn hide(&self, secret: &SecretString) {
        self.shared.redactor.add(secret);
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.shared.settings;
        f.debug_struct("Client")
            .field("service", &settings.service)
            .field("base", &settings.base)
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn context(&self, call: &Call) -> Arc<Context> {
        let redactor = if call.secrets.is_empty() {
            Arc::clone(&self.redactor)
        } else {
            Arc::new(self.redactor.with(&call.secrets))
        };
        let operation = redactor.line(&call.operation);
        Arc::new(Context { service: self.settings.service, operation, effect: call.effect, redactor })
    }

    fn request(&self, call: &Call, context: &Context) -> Result<Request, ProviderError> {
        let broken = |kind, remedy| ProviderError::new(context.operation.clone(), kind, remedy);
        if let Some(kind) = &call.broken {
            let remedy = match kind {
                ProviderErrorKind::Protocol(_) => "report this",
                _ => "check the credentials and the provider's table in the configuration",
            };
            return Err(broken(kind.clone(), remedy));
        }
        let Some(url) = self.settings.base.join(&call.path, &call.query) else {
            let kind = ProviderErrorKind::Configuration("an identifier is \".\" or \"..\"".to_owned());
            return Err(broken(kind, "check zone_id"));
        };
        let mut request = Request::new(call.method.clone(), url);
        request.headers_mut().clone_from(&call.headers);
        *request.body_mut() = call.body.clone().map(Into::into);
        Ok(request)
    }

    /// One request: the answer, or why there is none and whether to try again.
    async fn attempt(&self, call: &Call, request: &Request, context: &Arc<Context>, attempt: u32) -> Attempt {
        // Bodies are octets in memory: they can be cloned.
        let Some(request) = request.try_clone() else {
            let kind = ProviderErrorKind::Protocol("the request cannot be repeated".to_owned());
            return Attempt::Final(Err(ProviderError::new(context.operation.clone(), kind, "report this")));
        };
        let path = context.redactor.line(request.url().path());
        // The semaphore is never closed.
        let _slot = self.slots.acquire().await;
        if let Err(pause) = self.settings.budget.take_within(self.settings.backoff.patience).await {
            return Attempt::Final(Err(failure::paused(pause, context)));
        }
        let started = Instant::now();
        let answer = self.exchange(request, context).await;
        let ms = started.elapsed().as_millis();
        let service = self.settings.service;
        let (method, operation) = (&call.method, &context.operation);
        match answer {
            Ok(reply) => {
                tracing::debug!(service, %method, path, status = reply.status, ms, attempt, operation, "request");
                failure::judge(call, reply, &self.settings.base)
            }
            Err(unanswered) => {
                tracing::debug!(service, %method, path, ms, attempt, operation, error = %unanswered, "request");
                unanswered.judge(call.effect, context)
            }
        }
    }

    /// Sends the request and reads the whole answer, no more than may be read.
    async fn exchange(&self, request: Request, context: &Arc<Context>) -> Result<Reply, failure::Unanswered> {
        let timeout = self.settings.timeout;
        let failed = |error| failure::Unanswered::transport(error, context, &self.host, timeout);
        let mut response = self.http.execute(request).await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len().saturating_add(chunk.len()) > MAX_ANSWER {
                return Err(failure::Unanswered::oversize(context));
            }
            body.extend_from_slice(&chunk);
        }
        let headers = std::mem::take(response.headers_mut());
        Ok(Reply::new(response.status().as_u16(), headers, body, Arc::clone(context)))
    }
}
