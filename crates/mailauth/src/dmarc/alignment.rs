//! Identifier alignment (RFC 9989 section 4.10.2, RFC 7489 section 3.1).

use mailzone_record::Name;

use super::organizational::{Organizational, Reader, organizational};
use super::record::Alignment;
use crate::lookup::{Lookup, Pending, Question};

/// Whether an authenticated domain stands for the author domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aligned {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// The DNS gave no answer for the DMARC record of this domain, which may decide. Trying again may help.
    TempError(Name),
}

/// Whether `authenticated` (the domain that passed SPF, or `d=` of a signature that passed) is aligned with the author
/// domain: the same name, or in relaxed mode the same organizational domain.
///
/// Asks nothing that cannot change the answer: nothing in strict mode or for equal names, and nothing about a domain
/// that is not at or below the author's organizational domain.
///
/// # Errors
/// Questions are open, at most sixteen, each with its aliases.
pub fn aligned(
    lookup: &dyn Lookup,
    author: &Name,
    authenticated: &Name,
    mode: Alignment,
    reader: Reader,
) -> Result<Aligned, Pending> {
    let mut open = Vec::new();
    let found = align(lookup, author, authenticated, mode, reader, None, &mut open);
    Pending::of(open).map_or(Ok(found), Err)
}

/// As [`aligned`], where the author's organizational domain may be known already. Where `open` grows, the result has
/// no meaning.
pub(super) fn align(
    lookup: &dyn Lookup,
    author: &Name,
    authenticated: &Name,
    mode: Alignment,
    reader: Reader,
    known: Option<&Organizational>,
    open: &mut Vec<Question>,
) -> Aligned {
    if author == authenticated {
        return Aligned::Yes;
    }
    // An organizational domain has at least one label, and is common to both.
    if mode == Alignment::Strict || common_labels(author, authenticated) == 0 {
        return Aligned::No;
    }
    let before = open.len();
    let own = known.cloned().unwrap_or_else(|| organizational(lookup, author, reader, open));
    if open.len() > before {
        // Likely needed too: ask for it in the same round.
        if common_labels(author, authenticated) > 1 {
            organizational(lookup, authenticated, reader, open);
        }
        return Aligned::No;
    }
    let own = match own {
        Organizational::Domain(domain) => domain,
        Organizational::TempError(at) => return Aligned::TempError(at),
    };
    if !authenticated.is_at_or_below(&own) {
        return Aligned::No;
    }
    match organizational(lookup, authenticated, reader, open) {
        Organizational::Domain(other) if other == own => Aligned::Yes,
        Organizational::Domain(_) => Aligned::No,
        Organizational::TempError(at) => Aligned::TempError(at),
    }
}

/// How many labels two names share, from the right.
pub(super) fn common_labels(a: &Name, b: &Name) -> usize {
    let (a, b): (Vec<_>, Vec<_>) = (a.labels().collect(), b.labels().collect());
    a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x.eq_ignore_ascii_case(y)).count()
}
