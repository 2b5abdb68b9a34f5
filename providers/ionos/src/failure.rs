//! What both APIs say when they do not answer as they should.

use mailzone_http::Reply;
use mailzone_provider::{ProviderError, ProviderErrorKind, Retry};

/// The length of a service's own words in a message.
const SHOWN: usize = 300;

/// A write that was confirmed with something that is no answer of the API: it may have been carried out.
pub(crate) fn no_answer(reply: &Reply, operation: &str, service: &str) -> ProviderError {
    let kind = ProviderErrorKind::Protocol(format!("{service} confirmed with {}", said_nothing(reply)));
    let remedy = "see that `endpoint` is the address of the API and that no proxy stands in between";
    ProviderError { retry: Retry::Unknown, ..ProviderError::new(operation, kind, remedy) }
}

/// A body that is none of the API's: `an HTML page`, or what it begins with.
pub(crate) fn said_nothing(reply: &Reply) -> String {
    let text = reply.text();
    let text = text.trim_start();
    let is_html = text.get(..14).is_some_and(|start| start.to_ascii_lowercase().starts_with("<!doctype html"))
        || text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("<html"));
    match (text.is_empty(), is_html) {
        (true, _) => format!("status {} without a message", reply.status),
        (_, true) => format!("status {}, an HTML page instead of an answer", reply.status),
        _ => format!("status {}, {}", reply.status, reply.excerpt()),
    }
}

/// The first characters of a message.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
