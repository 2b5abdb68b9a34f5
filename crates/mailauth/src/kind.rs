//! What the planner and the reports need to know of a record kind.

use std::fmt;

use mailzone_record::{Name, Rdata, RecordType};
use serde::Serialize;

use crate::finding::Finding;

/// One kind of record that mailzone understands. A new kind is one module with an implementation of
/// this trait and one line in [`crate::KINDS`].
///
/// All methods are pure. They must not panic on any data: values come from live zones.
pub trait Kind: fmt::Debug + Sync {
    /// Which kind this is.
    fn id(&self) -> KindId;

    /// Whether a receiver that looks for this kind would select `rdata`. For kinds that own whole
    /// RRsets every value of the right type is a candidate.
    fn recognise(&self, rdata: &Rdata) -> Recognition;

    /// How alike two sets of owned values at `owner` are (`design.md` section 5, rule book 1.5).
    /// Several candidates where a receiver allows one are never alike to one.
    fn equal(&self, owner: &Name, a: &[&Rdata], b: &[&Rdata]) -> Equality;

    /// The difference in the record's own terms. Either side may be empty (created, deleted) and may
    /// hold a CNAME instead of TXT.
    fn difference(&self, owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Difference;

    /// What a value means, in a few words for a person ("RSA 2048 bits, SHA256:ab12…", "p=reject").
    fn describe(&self, rdata: &Rdata) -> String;

    /// Guards that replacing `before` by `after` trips (`design.md` section 5), decided from the
    /// values alone. Guards that look at several records live in the planner.
    fn guards(&self, owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Vec<Finding> {
        let _ = (owner, before, after);
        Vec::new()
    }

    /// What is wrong with these values at `owner` by the rule book, decided from them alone.
    fn lint(&self, owner: &Name, values: &[&Rdata]) -> Vec<Finding> {
        let _ = (owner, values);
        Vec::new()
    }

    /// `want` completed from a live value, where the configuration leaves parts of a record open (the tags
    /// of a DKIM record whose key is the same). `None`: `live` has nothing to give.
    fn adopt(&self, live: &Rdata, want: &Rdata) -> Option<Rdata> {
        let _ = (live, want);
        None
    }

    /// The slot that a live RRset would be, given as its domain and key, or `None` if the RRset is not
    /// of this kind. Used to list what is live and not managed.
    fn slot_at(&self, owner: &Name, rtype: RecordType, values: &[&Rdata]) -> Option<LiveSlot> {
        let _ = (owner, rtype, values);
        None
    }
}

/// A kind's name: printed as its key in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the variants are the kinds of the configuration")]
pub enum KindId {
    Mx,
    Spf,
    Dkim,
    Dmarc,
    ReportAuthorisation,
    MtaSts,
    TlsRpt,
    Bimi,
    Tlsa,
    Caa,
    ClientSettings,
    Sender,
    Hosts,
    Ptr,
    Records,
}

/// What a value is to a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recognition {
    /// A conforming receiver selects it: ours.
    Candidate,
    /// Starts like ours after dropping quotes, blanks and case, yet is not selected: foreign, shown.
    NearMiss,
    /// Somebody else's.
    Foreign,
}

/// How alike two values are: E0, E1 and E2 of the rule book, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Equality {
    /// E0: the same octets.
    Identical,
    /// E1: no conforming receiver can tell them apart.
    Same,
    /// E2: the same effect today by another way.
    Equivalent,
    /// A change.
    Different,
}

/// What a change does to the mail that it concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the variants are the words of design.md section 8")]
pub enum Class {
    Tightens,
    Loosens,
    Mixed,
    Breaks,
    Cosmetic,
    Neutral,
    Unknown,
}

/// A difference in a record's own terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it does.
    pub class: Class,
    /// Term by term, in the order a person reads them.
    pub details: Vec<Detail>,
}

/// One term that comes, goes or changes. At least one side is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// The tag, mechanism or field: `p`, `include`, `key`, `exchange`.
    pub term: String,
    /// Its text before.
    pub before: Option<String>,
    /// Its text after.
    pub after: Option<String>,
}

/// A live RRset read as a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSlot {
    /// The domain that the slot belongs to (`example.com.` for `_dmarc.example.com.`).
    pub domain: Name,
    /// The part of the slot's name after the kind, such as a DKIM selector.
    pub key: Option<String>,
}

impl KindId {
    /// The key in the configuration and in slot names.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mx => "mx",
            Self::Spf => "spf",
            Self::Dkim => "dkim",
            Self::Dmarc => "dmarc",
            Self::ReportAuthorisation => "report_authorisation",
            Self::MtaSts => "mta_sts",
            Self::TlsRpt => "tls_rpt",
            Self::Bimi => "bimi",
            Self::Tlsa => "tlsa",
            Self::Caa => "caa",
            Self::ClientSettings => "client_settings",
            Self::Sender => "sender",
            Self::Hosts => "hosts",
            Self::Ptr => "ptr",
            Self::Records => "records",
        }
    }
}

impl fmt::Display for KindId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Difference {
    /// No difference.
    pub const NONE: Self = Self { class: Class::Neutral, details: Vec::new() };
}

impl Class {
    /// Two halves of one change together: `mixed` when they pull in opposite directions.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        use Class::{Breaks, Cosmetic, Loosens, Mixed, Neutral, Tightens, Unknown};
        match (self, other) {
            (a, b) if a == b => a,
            (Breaks, _) | (_, Breaks) => Breaks,
            (Unknown, _) | (_, Unknown) => Unknown,
            (Mixed, _) | (_, Mixed) | (Tightens, Loosens) | (Loosens, Tightens) => Mixed,
            (Neutral | Cosmetic, b @ (Tightens | Loosens)) => b,
            (a @ (Tightens | Loosens), Neutral | Cosmetic) => a,
            (Neutral | Cosmetic, Neutral | Cosmetic) => Neutral,
            (a, _) => a,
        }
    }
}

impl Detail {
    /// A term that comes.
    pub fn added(term: impl Into<String>, after: impl Into<String>) -> Self {
        Self { term: term.into(), before: None, after: Some(after.into()) }
    }

    /// A term that goes.
    pub fn removed(term: impl Into<String>, before: impl Into<String>) -> Self {
        Self { term: term.into(), before: Some(before.into()), after: None }
    }

    /// A term whose value changes.
    pub fn changed(term: impl Into<String>, before: impl Into<String>, after: impl Into<String>) -> Self {
        Self { term: term.into(), before: Some(before.into()), after: Some(after.into()) }
    }
}
