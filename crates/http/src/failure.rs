//! What becomes of an attempt: final, or worth another one.

use std::fmt;
use std::time::Duration;

use mailzone_provider::{ProviderError, ProviderErrorKind, Retry};
use reqwest::Url;
use reqwest::header::LOCATION;

use crate::client::MAX_ANSWER;
use crate::redact::Redactor;
use crate::reply::Context;
use crate::retry_after::retry_after;
use crate::transport::{self, Trouble, chain, seconds};
use crate::{Base, Call, Effect, Reply};

/// The remedy where only time helps.
const LATER: &str = "try again later";

/// The remedy for too many requests.
const THROTTLED: &str = "try again later, and look for other programs that use the account";

/// The result of one attempt.
#[derive(Debug)]
pub(crate) enum Attempt {
    Final(Result<Reply, ProviderError>),
    /// Another one may help; the error is for when there is none.
    Again(ProviderError, Again),
}

/// Why another attempt may help, and how long the service asks to wait before it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Again {
    Throttled(Option<Duration>),
    Transient(Option<Duration>),
}

/// A request without a whole answer.
#[derive(Debug)]
pub(crate) struct Unanswered {
    trouble: Trouble,
    kind: fn(String) -> ProviderErrorKind,
    cause: Option<Cause>,
}

/// The transport's own words, made harmless.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Cause(String);

impl Again {
    pub(crate) fn wait(self) -> Option<Duration> {
        match self {
            Self::Throttled(wait) | Self::Transient(wait) => wait,
        }
    }
}

/// What the answer means for the call.
pub(crate) fn judge(call: &Call, reply: Reply, base: &Base) -> Attempt {
    let context = reply.context();
    let service = context.service;
    let wait = retry_after(reply.headers());
    if reply.status == 429 || call.throttled_if.is_some_and(|throttled| throttled(&reply)) {
        let text = format!("{service} says that there are too many requests ({})", reply.shown());
        let error = later(reply.failure(ProviderErrorKind::Throttled, &text, THROTTLED));
        return Attempt::Again(error, Again::Throttled(wait));
    }
    if reply.status >= 500 || call.transient_if.is_some_and(|transient| transient(&reply)) {
        let text = format!("{service} answered with {}", reply.shown());
        let error = reply.failure(ProviderErrorKind::Unreachable, &text, LATER);
        return if call.effect == Effect::Write {
            Attempt::Final(Err(unknown(error)))
        } else {
            Attempt::Again(later(error), Again::Transient(wait))
        };
    }
    if (300..400).contains(&reply.status) {
        let error = redirected(&reply, base);
        // 303 is how some say that a request was carried out.
        return Attempt::Final(Err(if call.effect == Effect::Write { unknown(error) } else { error }));
    }
    Attempt::Final(Ok(reply))
}

/// The error while the account is paused for longer than anybody waits.
pub(crate) fn paused(pause: Duration, context: &Context) -> ProviderError {
    let text = format!("{} asked for a pause that goes on for {}; nothing was sent", context.service, whole(pause));
    let kind = ProviderErrorKind::Throttled(text);
    later(ProviderError::new(context.operation.clone(), kind, THROTTLED))
}

/// The error after the last attempt.
pub(crate) fn given_up(error: ProviderError, again: &Again, patient: bool, attempts: u32) -> ProviderError {
    let add = |text: String| match again.wait() {
        Some(wait) if !patient => format!("{text}, and asks to wait {}", whole(wait)),
        _ if attempts > 1 => format!("{text}, {attempts} times"),
        _ => text,
    };
    let kind = match error.kind {
        ProviderErrorKind::Throttled(text) => ProviderErrorKind::Throttled(add(text)),
        ProviderErrorKind::Unreachable(text) => ProviderErrorKind::Unreachable(add(text)),
        kind => kind,
    };
    ProviderError { kind, ..error }
}

/// The error and its causes as text without secrets.
pub(crate) fn cause(error: &reqwest::Error, redactor: &Redactor) -> Cause {
    let mut texts: Vec<String> = Vec::new();
    for error in chain(error).into_iter().skip(1) {
        let text = error.to_string();
        // Wrappers often repeat what they wrap.
        if !texts.last().is_some_and(|last| last.contains(&text)) {
            texts.push(text);
        }
    }
    Cause(redactor.line(&texts.join(": ")))
}

impl Unanswered {
    pub(crate) fn transport(error: reqwest::Error, context: &Context, host: &str, timeout: Duration) -> Self {
        let error = error.without_url();
        let trouble = transport::trouble(&error, context.service, host, timeout);
        Self { trouble, kind: ProviderErrorKind::Unreachable, cause: Some(cause(&error, &context.redactor)) }
    }

    pub(crate) fn oversize(context: &Context) -> Self {
        let text = format!("the answer of {} is longer than {} MiB", context.service, MAX_ANSWER >> 20);
        let remedy = "check the endpoint; nothing is done with a part of an answer";
        let trouble = Trouble { text, remedy, sent: true, passes: false };
        Self { trouble, kind: ProviderErrorKind::Protocol, cause: None }
    }

    /// What it means for the call.
    pub(crate) fn judge(self, effect: Effect, context: &Context) -> Attempt {
        let Trouble { text, remedy, sent, passes } = self.trouble;
        let mut error = ProviderError::new(context.operation.clone(), (self.kind)(text), remedy);
        if let Some(cause) = self.cause {
            error = error.with_source(cause);
        }
        match (effect, sent, passes) {
            (Effect::Write, true, _) => Attempt::Final(Err(unknown(error))),
            (_, _, true) => Attempt::Again(later(error), Again::Transient(None)),
            (_, _, false) => Attempt::Final(Err(error)),
        }
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.trouble.text)
    }
}

/// Whole seconds, so that two looks at a clock say the same.
fn whole(duration: Duration) -> String {
    seconds(Duration::from_secs(duration.as_secs().saturating_add(u64::from(duration.subsec_millis() >= 500))))
}

fn later(error: ProviderError) -> ProviderError {
    ProviderError { retry: Retry::Later, ..error }
}

fn unknown(error: ProviderError) -> ProviderError {
    let remedy = "it may have been carried out all the same: look with plan, then try again".to_owned();
    ProviderError { retry: Retry::Unknown, remedy, ..error }
}

/// Says where to, but no more of it than the host: the rest may hold what was sent.
fn redirected(reply: &Reply, base: &Base) -> ProviderError {
    let context = reply.context();
    let location = reply.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let target = location.and_then(|location| Url::parse(base.as_str()).ok()?.join(location).ok());
    let to = match target.as_ref().and_then(|target| target.host_str().map(|host| (target, host))) {
        Some((target, host)) if base.origin() == target.origin().ascii_serialization() => {
            format!("to another address on {host}")
        }
        Some((target, host)) => format!("to {}://{host}", target.scheme()),
        None => "without saying where to".to_owned(),
    };
    let text = format!("{} redirects {to} (status {}); redirects are not followed", context.service, reply.status);
    reply.failure(ProviderErrorKind::Protocol, &text, "set the endpoint to the API's own address")
}
