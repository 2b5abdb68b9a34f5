//! The record among a name's TXT values (RFC 7208 section 4.5), and a memory of what was read.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use mailzone_record::Rdata;

use super::error::SpfError;
use super::parse::{is_candidate, read};
use super::record::Record;

/// What a receiver finds among the TXT values of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selected {
    /// No value is an SPF record.
    Absent,
    /// Exactly one is, and it reads.
    Record {
        /// Its terms; their spans are octets of `text`.
        record: Record,
        /// The joined text.
        text: Box<str>,
    },
    /// So many are: `permerror`.
    Several(usize),
    /// One is, with these errors (at least one), whose spans are octets of `text`: `permerror`.
    Invalid {
        /// In order.
        errors: Vec<SpfError>,
        /// The joined text.
        text: Box<[u8]>,
    },
}

/// Remembers the records that were read, for many evaluations over the same answers.
///
/// A set of values is known by its place in memory, which the cache keeps alive: a source that answers with the same
/// [`Answer::Records`](crate::lookup::Answer::Records) each time, as all in [`crate::lookup`] do, has each record read
/// once. Holds at most [`RecordCache::CAPACITY`] records; beyond that it starts anew.
#[derive(Debug, Default)]
pub struct RecordCache {
    known: Mutex<HashMap<usize, Known, BuildHasherDefault<Place>>>,
}

/// Hashes a place in memory. Nobody outside chooses it.
#[derive(Debug, Default)]
struct Place(u64);

/// The values, so that their place stays theirs, and what they hold.
type Known = (Arc<[Rdata]>, Arc<Selected>);

impl Selected {
    /// Looks through the values of one name. Repetitions count: whoever asks sees what the DNS answered.
    pub fn among(values: &[Rdata]) -> Self {
        let mut found: Option<Cow<'_, [u8]>> = None;
        let mut count = 0usize;
        for value in values {
            let Rdata::Txt(txt) = value else { continue };
            // Most values are not SPF: their strings are not joined to see that.
            let head = txt.strings().first().map(AsRef::as_ref).unwrap_or_default();
            if head.len() >= 7 && !is_candidate(head) {
                continue;
            }
            let joined = txt.joined();
            if is_candidate(&joined) {
                count += 1;
                found = Some(joined);
            }
        }
        match (count, found) {
            (1, Some(text)) => Self::read(&text),
            (0, _) | (_, None) => Self::Absent,
            (several, _) => Self::Several(several),
        }
    }

    fn read(text: &[u8]) -> Self {
        let (record, errors) = read(text);
        match std::str::from_utf8(text) {
            Ok(text) if errors.is_empty() => Self::Record { record, text: text.into() },
            _ => Self::Invalid { errors, text: text.into() },
        }
    }
}

impl Hasher for Place {
    fn write(&mut self, octets: &[u8]) {
        octets.iter().for_each(|octet| self.write_usize(usize::from(*octet)));
    }

    fn write_usize(&mut self, place: usize) {
        // The odd number nearest to 2^64 by the golden ratio spreads neighbours.
        self.0 = (self.0 ^ place as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 32;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl RecordCache {
    /// The most records that are kept.
    pub const CAPACITY: usize = 16_384;

    pub(super) fn select(&self, values: &Arc<[Rdata]>) -> Arc<Selected> {
        let place = values.as_ptr().addr();
        // What is in the map is whole, whoever panicked while holding it.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, selected)) = known.get(&place) {
            return Arc::clone(selected);
        }
        if known.len() >= Self::CAPACITY {
            known.clear();
        }
        let selected = Arc::new(Selected::among(values));
        known.insert(place, (Arc::clone(values), Arc::clone(&selected)));
        selected
    }
}

#[cfg(test)]
mod tests {
    use mailzone_record::Txt;

    use super::*;

    fn txt(strings: &[&str]) -> Rdata {
        Rdata::Txt(Txt::from_strings(strings.iter().map(|s| s.as_bytes().into()).collect()).unwrap())
    }

    #[test]
    fn selects() {
        let other = txt(&["google-site-verification=x"]);
        assert_eq!(Selected::among(&[]), Selected::Absent);
        assert_eq!(Selected::among(&[other.clone(), txt(&["v=spf10"])]), Selected::Absent);
        for one in [txt(&["v=spf1 -all"]), txt(&["v=sp", "f1 -all"]), txt(&["v=spf1", " -all"])] {
            let Selected::Record { text, .. } = Selected::among(&[other.clone(), one]) else { panic!() };
            assert_eq!(&*text, "v=spf1 -all");
        }
        assert_eq!(Selected::among(&[txt(&["v=spf1", "-all"])]), Selected::Absent);
        assert_eq!(Selected::among(&[txt(&["v=spf1 -all"]), txt(&["v=spf1 -all"])]), Selected::Several(2));
        assert!(matches!(Selected::among(&[txt(&["v=spf1 moo"])]), Selected::Invalid { .. }));
    }

    #[test]
    fn the_cache_knows_values_by_their_place() {
        let cache = RecordCache::default();
        let values: Arc<[Rdata]> = [txt(&["v=spf1 -all"])].into();
        let first = cache.select(&values);
        assert!(Arc::ptr_eq(&first, &cache.select(&values)));
        for n in 0..100 {
            // Dropped at once: were the cache not to keep them, the next one would take the same place.
            let values: Arc<[Rdata]> = [txt(&[&format!("v=spf1 ip4:192.0.2.{n} -all")])].into();
            let Selected::Record { text, .. } = &*cache.select(&values) else { panic!() };
            assert!(text.contains(&format!("192.0.2.{n} ")));
        }
    }
}
