//! The organizational domain: by the tree walk of RFC 9989 section 4.10, or by the public suffix list as RFC 7489
//! section 3.2 has it.

use std::borrow::Cow;
use std::fmt;

use mailzone_record::{Name, Rdata, RecordType};
use psl::{List, Psl as _};

use super::record::{Field, Policy, Psd, Record};
use crate::lookup::{Answer, Lookup, Pending, Question, resolve};
use crate::txt;

/// The most names that one tree walk looks at (RFC 9989 section 4.10).
pub const WALK: usize = 8;

/// The generation of a receiver. Both are in use, and read the same records differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reader {
    /// Walks the tree; knows `np`, `psd` and `t`; ignores `pct`.
    Rfc9989,
    /// Asks at the author domain and at the organizational domain of the public suffix list; knows `pct`; ignores `np`,
    /// `psd` and `t`. The list is as old as the release of the crate that carries it.
    Rfc7489,
}

/// A domain at which a record was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// The domain, without `_dmarc`.
    pub domain: Name,
    /// What is there.
    pub found: Found,
}

/// What a receiver finds at `_dmarc` below a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// No TXT record that starts with `v=DMARC1`, or no such name.
    Absent,
    /// One. It may be faulty: see [`Record::reading`].
    Record(Box<Record>),
    /// So many: all are discarded.
    Several(usize),
    /// No answer from the DNS.
    TempError,
}

/// What is known of the organizational domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Organizational {
    /// This is it.
    Domain(Name),
    /// The DNS gave no answer for the record of this domain, which may decide. Trying again may help.
    TempError(Name),
}

/// The organizational domain of `name`: at or above it.
///
/// With the public suffix list nothing is asked; a public suffix is its own organizational domain.
///
/// # Errors
/// Questions are open: all those of the walk at once.
pub fn organizational_domain(lookup: &dyn Lookup, name: &Name, reader: Reader) -> Result<Organizational, Pending> {
    let mut open = Vec::new();
    let found = organizational(lookup, name, reader, &mut open);
    Pending::of(open).map_or(Ok(found), Err)
}

/// As [`organizational_domain`]; where `open` grows, the result has no meaning.
pub(super) fn organizational(
    lookup: &dyn Lookup,
    name: &Name,
    reader: Reader,
    open: &mut Vec<Question>,
) -> Organizational {
    match reader {
        Reader::Rfc7489 => Organizational::Domain(by_suffix_list(name)),
        Reader::Rfc9989 => by_walk(name, &walk(lookup, name, open)),
    }
}

/// Looks at the names of the walk until a record says `psd=y` or `psd=n`. Open questions are passed over.
pub(super) fn walk(lookup: &dyn Lookup, start: &Name, open: &mut Vec<Question>) -> Vec<Visit> {
    let mut visits = Vec::with_capacity(WALK);
    for domain in walk_names(start) {
        let Some(found) = find(lookup, &domain, open) else { continue };
        let last = matches!(psd(&found), Psd::Yes | Psd::No);
        visits.push(Visit { domain, found });
        if last {
            break;
        }
    }
    visits
}

/// Chooses among the names of a walk from `start` (RFC 9989 section 4.10.2).
pub(super) fn by_walk(start: &Name, visits: &[Visit]) -> Organizational {
    if let Some(failed) = visits.iter().find(|visit| visit.found == Found::TempError) {
        return Organizational::TempError(failed.domain.clone());
    }
    let mut chosen = start;
    for visit in visits {
        match (&visit.found, psd(&visit.found)) {
            (Found::Record(_), Psd::Yes) if visit.domain != *start => {
                return Organizational::Domain(one_label_below(&visit.domain, start));
            }
            (Found::Record(_), _) => chosen = &visit.domain,
            _ => {}
        }
    }
    Organizational::Domain(chosen.clone())
}

/// The public suffix and one label; a name that has no more than the suffix, itself.
pub(super) fn by_suffix_list(name: &Name) -> Name {
    let folded = name.to_lowercase();
    let labels: Vec<&[u8]> = folded.labels().collect();
    // The length counts the dots between the labels.
    let suffix = List.find(labels.iter().rev().copied()).len;
    let mut length = 0;
    let mut count = 0;
    for label in labels.iter().rev() {
        length += label.len() + usize::from(count > 0);
        if length > suffix {
            break;
        }
        count += 1;
    }
    shortened(name, count + 1)
}

/// What is at `_dmarc` below `domain`; `None` if nobody answered yet. A name that would be too long holds nothing.
pub(super) fn find(lookup: &dyn Lookup, domain: &Name, open: &mut Vec<Question>) -> Option<Found> {
    let Ok(owner) = domain.prepend("_dmarc") else { return Some(Found::Absent) };
    match resolve(lookup, &owner, RecordType::TXT) {
        Ok(Answer::Records(values, _)) => Some(among(&values)),
        Ok(Answer::NoData | Answer::NxDomain) => Some(Found::Absent),
        Ok(_) => Some(Found::TempError),
        Err(question) => {
            open.push(question);
            None
        }
    }
}

/// The records among these values. Values of the same octets are one, since a DNS set has each once.
fn among(values: &[Rdata]) -> Found {
    let mut seen: Vec<&Rdata> = Vec::new();
    let mut found = None;
    for value in values {
        let Some(record) = txt::text(value).and_then(|text| Record::parse(&text).ok()) else { continue };
        if !seen.contains(&value) {
            seen.push(value);
            found = Some(record);
        }
    }
    match found {
        Some(record) if seen.len() == 1 => Found::Record(Box::new(record)),
        Some(_) => Found::Several(seen.len()),
        None => Found::Absent,
    }
}

/// `psd` of a record; a record with a tag twice is void, and so is what it says here.
pub(super) fn psd(found: &Found) -> Psd {
    match found {
        Found::Record(record) if record.repeated.is_empty() => record.psd.given().copied().unwrap_or(Psd::Unknown),
        _ => Psd::Unknown,
    }
}

/// The start, then its ancestors of at most seven labels down to one.
fn walk_names(start: &Name) -> Vec<Name> {
    let labels = start.label_count();
    let mut names = if labels == 0 { Vec::new() } else { vec![start.clone()] };
    names.extend((1..labels.min(WALK)).rev().map(|count| shortened(start, count)));
    names
}

/// The name that is `domain` and one label of `below`, which is below it.
fn one_label_below(domain: &Name, below: &Name) -> Name {
    shortened(below, domain.label_count() + 1)
}

/// The right-most labels of a name; the name itself if it has no more.
fn shortened(name: &Name, count: usize) -> Name {
    let mut at = name.clone();
    for _ in count..name.label_count() {
        at = at.parent().unwrap_or_else(Name::root);
    }
    at
}

impl Reader {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Rfc9989, Self::Rfc7489];

    /// The record without the tags that this generation does not know. A faulty tag that it does not know does no harm.
    pub(super) fn view(self, record: &Record) -> Record {
        let mut view = record.clone();
        match self {
            Self::Rfc9989 => view.pct = Field::Absent,
            Self::Rfc7489 => (view.np, view.psd, view.t) = (Field::Absent, Field::Absent, Field::Absent),
        }
        view
    }
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rfc9989 => "RFC 9989",
            Self::Rfc7489 => "RFC 7489",
        })
    }
}

impl Organizational {
    /// The domain, if it is known.
    pub const fn domain(&self) -> Option<&Name> {
        match self {
            Self::Domain(domain) => Some(domain),
            Self::TempError(_) => None,
        }
    }
}

impl fmt::Display for Found {
    /// The record as it was read, or the words for what else there is. One line of printable ASCII.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("no DMARC record"),
            Self::Record(record) => f.write_str(&plain(&record.to_string())),
            Self::Several(count) => write!(f, "{count} DMARC records, all discarded"),
            Self::TempError => f.write_str("no answer from the DNS"),
        }
    }
}

/// One step down the ladder: what is done in test mode, and with mail that is not in the sample of `pct`.
pub(super) const fn weaker(policy: Policy) -> Policy {
    match policy {
        Policy::Reject => Policy::Quarantine,
        Policy::Quarantine | Policy::None => Policy::None,
    }
}

/// A stranger's text with everything but printable ASCII escaped.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
        return text.into();
    }
    let escaped = |c: char| if matches!(c, ' '..='~') { c.to_string() } else { c.escape_default().to_string() };
    text.chars().map(escaped).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::txt::tests::name;

    #[test]
    fn names_of_a_walk() {
        let names = |start: &str| walk_names(&name(start)).iter().map(Name::to_text_without_dot).collect::<Vec<_>>();
        assert_eq!(names("."), Vec::<String>::new());
        assert_eq!(names("com"), ["com"]);
        assert_eq!(names("mail.example.com"), ["mail.example.com", "example.com", "com"]);
        // Eight labels: the seven right-most are next. More: those between are left out.
        let eight = names("a.b.c.d.e.f.example.com");
        assert_eq!((eight.len(), eight[1].as_str()), (8, "b.c.d.e.f.example.com"));
        let twelve = names("a.b.c.d.e.f.g.h.i.j.example.com");
        assert_eq!((twelve.len(), twelve[1].as_str(), twelve[7].as_str()), (8, "f.g.h.i.j.example.com", "com"));
    }

    #[test]
    fn the_public_suffix_list() {
        for (start, expected) in [
            ("a.mail.example.com", "example.com"),
            ("EXAMPLE.Com", "EXAMPLE.Com"),
            ("com", "com"),
            ("a.example.co.uk", "example.co.uk"),
            ("co.uk", "co.uk"),
            // A wildcard rule and its exception.
            ("a.b.c.ck", "b.c.ck"),
            ("c.ck", "c.ck"),
            ("a.www.ck", "www.ck"),
            // The list's private part counts, as it does at receivers.
            ("a.b.github.io", "b.github.io"),
            // A suffix in A-labels.
            ("a.b.xn--55qx5d.cn", "b.xn--55qx5d.cn"),
            // No rule: the last label is the suffix.
            ("a.b.no-such-suffix", "b.no-such-suffix"),
            // A dot inside a label is no border.
            ("a.b\\.com", "a.b\\.com"),
            (".", "."),
        ] {
            let found = by_suffix_list(&name(start));
            assert!(found.eq_case(&name(expected)), "{start}: {found}");
        }
    }
}
