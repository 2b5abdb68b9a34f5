use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use mailzone_provider::{ProviderError, ProviderErrorKind};

use crate::Reply;
use crate::redact::escape;

/// How many pages of one listing are read.
const MAX_PAGES: usize = 10_000;

/// Watches over a listing in pages, so that it ends: at most 10,000 pages, and none twice.
#[derive(Debug)]
pub struct Pages {
    operation: String,
    cursors: HashSet<String>,
    hasher: RandomState,
    bodies: HashSet<u64>,
}

impl Pages {
    /// For one listing; `operation` as in [`Call::doing`](crate::Call::doing).
    pub fn new(operation: impl Into<String>) -> Self {
        Self {
            operation: operation.into(),
            cursors: HashSet::new(),
            hasher: RandomState::new(),
            bodies: HashSet::new(),
        }
    }

    /// To be called before each page is asked for, with what tells it from the others (its number, the
    /// continuation token; for the first page "" will do).
    pub fn next(&mut self, cursor: &str) -> Result<(), ProviderError> {
        if self.cursors.len() >= MAX_PAGES {
            return Err(self.error(format!("the listing has more than {MAX_PAGES} pages")));
        }
        if !self.cursors.insert(cursor.to_owned()) {
            let shown: String = escape(cursor).chars().take(60).collect();
            return Err(self.error(format!("the listing leads back to page \"{shown}\", which was read before")));
        }
        Ok(())
    }

    /// To be called with each page: one that is octet for octet an earlier one is an error. Only for services
    /// whose pages cannot be equal, empty ones included.
    pub fn seen(&mut self, reply: &Reply) -> Result<(), ProviderError> {
        if self.bodies.insert(self.hasher.hash_one(reply.body())) {
            return Ok(());
        }
        Err(self.error("the service sends the same page again and again".to_owned()))
    }

    fn error(&self, what: String) -> ProviderError {
        let remedy =
            "nothing is done with a part of the list; try again later, and report it to the service if it stays";
        ProviderError::new(self.operation.clone(), ProviderErrorKind::Protocol(what), remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_may_not_repeat() {
        let mut pages = Pages::new("listing the zones");
        for cursor in ["", "2", "3"] {
            pages.next(cursor).unwrap();
        }
        assert_eq!(
            pages.next("2").unwrap_err().to_string(),
            "listing the zones: the listing leads back to page \"2\", which was read before"
        );
        assert!(pages.next("\u{1b}[2J").is_ok());
        assert!(pages.next("\u{1b}[2J").unwrap_err().to_string().contains("\"\\u{1b}[2J\""));
    }

    #[test]
    fn a_listing_ends() {
        let mut pages = Pages::new("listing the zones");
        assert!((0..MAX_PAGES).all(|page| pages.next(&page.to_string()).is_ok()));
        assert_eq!(
            pages.next("x").unwrap_err().to_string(),
            "listing the zones: the listing has more than 10000 pages"
        );
    }
}
