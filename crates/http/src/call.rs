use std::fmt;

use mailzone_provider::ProviderErrorKind;
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::Reply;
use crate::redact::percent_encode;

/// One request, to be sent by [`Client::send`](crate::Client::send).
///
/// Nothing here fails: what cannot be sent (a credential with a line end, a path that leads out of the base) is an
/// error of `send`.
#[derive(Clone)]
pub struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    /// Hidden in whatever is said about this call, besides the client's own.
    pub(crate) secrets: Vec<SecretString>,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) operation: String,
    pub(crate) effect: Effect,
    pub(crate) throttled_if: Option<fn(&Reply) -> bool>,
    pub(crate) transient_if: Option<fn(&Reply) -> bool>,
    /// Why it cannot be sent.
    pub(crate) broken: Option<ProviderErrorKind>,
}

/// What a request does at the service: decides when it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing, or a repetition does no harm (a login): repeated after any transient failure.
    Read,
    /// Repeated only when it was certainly not carried out: no connection, or throttled.
    Write,
}

impl Call {
    /// A `GET`, which is a read. `path` is appended to the base's path; "" is the base as it is. Parts that are
    /// data must have gone through [`Call::segment`].
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, Effect::Read)
    }

    /// A `POST`, which is a write unless [`Call::effect`] says otherwise. `path` as in [`Call::get`].
    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path, Effect::Write)
    }

    /// A `PUT`, which is a write. `path` as in [`Call::get`].
    pub fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path, Effect::Write)
    }

    /// A `PATCH`, which is a write. `path` as in [`Call::get`].
    pub fn patch(path: impl Into<String>) -> Self {
        Self::new(Method::PATCH, path, Effect::Write)
    }

    /// A `DELETE`, which is a write. `path` as in [`Call::get`].
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path, Effect::Write)
    }

    /// Data as one segment of a path, percent-encoded. (`.` and `..` have no such form; a call with one is not sent.)
    pub fn segment(text: &str) -> String {
        percent_encode(text)
    }

    /// Appends a parameter to the query.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.query.push((name.to_owned(), value.to_string()));
        self
    }

    /// Sets a header. Without one of that name `Accept: application/json` is sent.
    #[must_use]
    pub fn header(self, name: &'static str, value: &str) -> Self {
        let header = HeaderValue::from_str(value);
        let kind = || ProviderErrorKind::Configuration(format!("the header {name} cannot hold that value"));
        self.put_header(name, header.map_err(|_| kind()))
    }

    /// Sets a header to a secret, which is hidden in whatever is said about the call.
    #[must_use]
    pub fn secret_header(self, name: &'static str, value: &SecretString) -> Self {
        self.secret_header_with(name, "", value)
    }

    /// Sets `Authorization: Bearer TOKEN`.
    #[must_use]
    pub fn bearer(self, token: &SecretString) -> Self {
        self.secret_header_with(AUTHORIZATION.as_str(), "Bearer ", token)
    }

    /// Sends this as JSON.
    #[must_use]
    pub fn json(mut self, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => self.body = Some(body),
            // The error could quote a secret of the body.
            Err(_) => self.broken = Some(ProviderErrorKind::Protocol("the request has no form in JSON".to_owned())),
        }
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self
    }

    /// Sends this as the fields of a form (`application/x-www-form-urlencoded`).
    #[must_use]
    pub fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let field = |(name, value): &(&str, &str)| format!("{}={}", percent_encode(name), percent_encode(value));
        self.body = Some(fields.iter().map(field).collect::<Vec<_>>().join("&").into_bytes());
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        self
    }

    /// What is being done, for [`ProviderError::operation`](mailzone_provider::ProviderError): `listing the zones`.
    /// Otherwise the method and the path.
    #[must_use]
    pub fn doing(self, operation: impl Into<String>) -> Self {
        Self { operation: operation.into(), ..self }
    }

    /// Sets what the request does; `GET` is a read by default, everything else a write.
    #[must_use]
    pub fn effect(self, effect: Effect) -> Self {
        Self { effect, ..self }
    }

    /// Which answers besides status 429 mean "too many requests, nothing was done". Of any status, 2xx included.
    #[must_use]
    pub fn throttled_if(self, throttled: fn(&Reply) -> bool) -> Self {
        Self { throttled_if: Some(throttled), ..self }
    }

    /// Which answers besides those with a status of 500 or more mean that another try may help. Of any status.
    #[must_use]
    pub fn transient_if(self, transient: fn(&Reply) -> bool) -> Self {
        Self { transient_if: Some(transient), ..self }
    }

    fn new(method: Method, path: impl Into<String>, effect: Effect) -> Self {
        let path = path.into();
        Self {
            operation: format!("{method} /{}", path.trim_start_matches('/')),
            method,
            path,
            query: Vec::new(),
            headers: HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]),
            secrets: Vec::new(),
            body: None,
            effect,
            throttled_if: None,
            transient_if: None,
            broken: None,
        }
    }

    fn secret_header_with(mut self, name: &'static str, prefix: &str, value: &SecretString) -> Self {
        self.secrets.push(value.clone());
        let header = HeaderValue::from_str(&format!("{prefix}{}", value.expose_secret())).map(|mut header| {
            header.set_sensitive(true);
            header
        });
        let kind = || {
            let text = "the credential holds a line end or another character that cannot be sent in a header";
            ProviderErrorKind::Credentials(text.to_owned())
        };
        self.put_header(name, header.map_err(|_| kind()))
    }

    fn put_header(mut self, name: &'static str, value: Result<HeaderValue, ProviderErrorKind>) -> Self {
        match (HeaderName::from_bytes(name.as_bytes()), value) {
            (Ok(name), Ok(value)) => drop(self.headers.insert(name, value)),
            (_, Err(kind)) => self.broken = Some(kind),
            (Err(_), _) => {
                self.broken = Some(ProviderErrorKind::Configuration(format!("{name:?} is not the name of a header")));
            }
        }
        self
    }
}

/// Without query, headers and body: they may hold secrets.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("operation", &self.operation)
            .field("effect", &self.effect)
            .finish_non_exhaustive()
    }
}
