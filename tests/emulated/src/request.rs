use hyper::body::Bytes;
use hyper::http::request::Parts;
use serde_json::Value;

/// A request as a service sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// As sent, percent-encoded, without the query.
    pub path: String,
    /// Decoded, in their order. A part without `=` has an empty value.
    pub query: Vec<(String, String)>,
    /// Names in lower case, in their order; values that are not UTF-8 are left out.
    pub headers: Vec<(String, String)>,
    /// The octets.
    pub body: Vec<u8>,
}

/// An answer of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Without `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The octets.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of that name, in whatever case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The first parameter of that name in the query.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body, if it is JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body's fields, if it is a form.
    pub fn form(&self) -> Vec<(String, String)> {
        pairs(&String::from_utf8_lossy(&self.body))
    }

    /// The path's segments, decoded, without empty ones.
    pub fn segments(&self) -> Vec<String> {
        self.path.split('/').filter(|segment| !segment.is_empty()).map(|segment| decode(segment, false)).collect()
    }

    pub(crate) fn received(parts: &Parts, body: &Bytes) -> Self {
        let header = |(name, value): (&hyper::http::HeaderName, &hyper::http::HeaderValue)| {
            Some((name.as_str().to_owned(), std::str::from_utf8(value.as_bytes()).ok()?.to_owned()))
        };
        Self {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: pairs(parts.uri.query().unwrap_or_default()),
            headers: parts.headers.iter().filter_map(header).collect(),
            body: body.to_vec(),
        }
    }
}

impl Response {
    /// An answer in JSON.
    #[expect(clippy::needless_pass_by_value, reason = "callers write `json!` in place")]
    pub fn json(status: u16, value: Value) -> Self {
        Self::text(status, "application/json", value.to_string())
    }

    /// An answer in text.
    pub fn text(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status, headers, body: body.into() }
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// The fields of a form or a query.
fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decode(name, true), decode(value, true))
    };
    text.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

/// Takes back percent-encoding; what is none stays as it is.
fn decode(text: &str, plus_is_blank: bool) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (first, hex) {
            (b'%', Some(octet)) => {
                octets.push(octet);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) if plus_is_blank => {
                octets.push(b' ');
                rest = after;
            }
            _ => {
                octets.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_and_paths() {
        let request = Request {
            path: "/zones/a%2Fb+c//%C3%A9".to_owned(),
            query: pairs("JSON&name=a+b%26&x=%zz%4"),
            body: b"u=%20&p=%2B".to_vec(),
            ..Request::default()
        };
        assert_eq!(request.segments(), ["zones", "a/b+c", "é"]);
        assert_eq!(request.param("JSON"), Some(""));
        assert_eq!((request.param("name"), request.param("x")), (Some("a b&"), Some("%zz%4")));
        assert_eq!(request.form(), [("u".to_owned(), " ".to_owned()), ("p".to_owned(), "+".to_owned())]);
        assert_eq!(request.json(), None);
    }
}
