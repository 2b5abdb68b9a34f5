use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use mailzone_provider::{ProviderError, ProviderErrorKind, Retry};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde::de::DeserializeOwned;

use crate::Effect;
use crate::redact::Redactor;

/// How many characters of an answer a message quotes.
const EXCERPT: usize = 300;

/// A whole answer of the service.
#[derive(Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    context: Arc<Context>,
}

/// What messages about one call need.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) service: &'static str,
    pub(crate) operation: String,
    pub(crate) effect: Effect,
    pub(crate) redactor: Arc<Redactor>,
}

impl Reply {
    pub(crate) fn new(status: u16, headers: HeaderMap, body: Vec<u8>, context: Arc<Context>) -> Self {
        Self { status, headers, body, context }
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header's first value, if it is ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body, decompressed.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as a value. Anything else is an error of kind `Protocol` with an excerpt of the body; after a
    /// write that the service answered with success it is [`Retry::Unknown`].
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ProviderError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let (service, status) = (self.context.service, self.status);
            let (text, retry) = if self.is_html() {
                (format!("{service} answered with an HTML page instead of JSON (status {status})"), Retry::Later)
            } else if self.body.is_empty() {
                (format!("{service} answered with nothing instead of JSON (status {status})"), Retry::Later)
            } else if error.is_eof() {
                let text = format!("the answer of {service} is cut off (status {status}): {}", self.excerpt());
                (text, Retry::Later)
            } else {
                let why = self.context.redactor.line(&error.to_string());
                let excerpt = self.excerpt();
                (
                    format!("{service} answered what its API does not say (status {status}): {why}: {excerpt}"),
                    Retry::Never,
                )
            };
            let remedy = match retry {
                Retry::Never => "check the endpoint; if it is the service's own, its API has changed: report it",
                _ => "check the endpoint and that no proxy is in between, and try again later",
            };
            let error = self.failure(ProviderErrorKind::Protocol, &text, remedy);
            let unknown = self.is_success() && self.context.effect == Effect::Write;
            ProviderError { retry: if unknown { Retry::Unknown } else { retry }, ..error }
        })
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body as part of a message: without secrets, escaped, at most 300 characters.
    pub fn excerpt(&self) -> String {
        let text = self.context.redactor.redact(&self.text());
        let mut shown = crate::redact::escape(&text.chars().take(EXCERPT + 1).collect::<String>());
        if let Some((end, _)) = shown.char_indices().nth(EXCERPT) {
            let cut = shown.char_indices().nth(EXCERPT - 1).map_or(end, |(at, _)| at);
            shown.truncate(cut);
            shown.push('…');
        }
        shown
    }

    /// An error about this answer, which a repetition does not mend. The message may quote the answer: secrets
    /// are removed and the rest is escaped.
    pub fn failure(
        &self,
        kind: impl FnOnce(String) -> ProviderErrorKind,
        message: &str,
        remedy: impl Into<String>,
    ) -> ProviderError {
        let kind = kind(self.context.redactor.line(message));
        ProviderError::new(self.context.operation.clone(), kind, remedy)
    }

    /// `status 503: upstream is down`.
    pub(crate) fn shown(&self) -> String {
        let status = self.status;
        if self.is_html() {
            format!("status {status} (an HTML page)")
        } else if self.body.iter().all(u8::is_ascii_whitespace) {
            format!("status {status}")
        } else {
            format!("status {status}: {}", self.excerpt())
        }
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    fn is_html(&self) -> bool {
        let declared = self.headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
        declared || self.body.trim_ascii_start().starts_with(b"<")
    }
}

/// Without headers and body: they may hold secrets.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("octets", &self.body.len())
            .field("operation", &self.context.operation)
            .finish_non_exhaustive()
    }
}
