//! What comes of an audit.

use std::collections::{BTreeMap, BTreeSet};

use mailzone_mailauth::{Finding, Severity};
use mailzone_record::Name;
use serde::Serialize;

use crate::{Measure, Wish};

/// The result of an audit. While wishes are open it is preliminary.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    /// By area, each once.
    pub findings: Vec<(Area, Finding)>,
    /// What was seen, in the order of the rules.
    pub notes: Vec<Note>,
    /// What is not known.
    pub open: Vec<Open>,
    /// How much of what is good practice was seen; what is not in here is not known.
    pub measures: BTreeMap<Measure, Measured>,
}

/// How much of a [`Measure`] was seen, and what that was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// Percent, at most 100.
    pub share: u8,
    /// What was seen, in a few words.
    pub why: String,
}

/// Something seen that is worth telling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The area.
    pub area: Area,
    /// The name or address that it is about.
    pub subject: String,
    /// What was seen, with hostile characters still in it: escape before showing.
    pub text: String,
}

/// What is not known, and what it was wanted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The area.
    pub area: Area,
    /// "whether the MX hosts have addresses"; empty: nothing to speak of.
    pub topic: String,
    /// Never empty.
    pub wishes: BTreeSet<Wish>,
}

/// What a rule is about, in the order of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the variants are the record kinds and what is beside them")]
pub enum Area {
    Delegation,
    Dnssec,
    Mx,
    Ptr,
    Smtp,
    Spf,
    Dkim,
    Dmarc,
    MtaSts,
    TlsRpt,
    Dane,
    Bimi,
    Caa,
    ClientSettings,
    Parked,
    Bulk,
    Blocklists,
}

impl Area {
    /// Its name in JSON: `spf`, `mta_sts`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delegation => "delegation",
            Self::Dnssec => "dnssec",
            Self::Mx => "mx",
            Self::Ptr => "ptr",
            Self::Smtp => "smtp",
            Self::Spf => "spf",
            Self::Dkim => "dkim",
            Self::Dmarc => "dmarc",
            Self::MtaSts => "mta_sts",
            Self::TlsRpt => "tls_rpt",
            Self::Dane => "dane",
            Self::Bimi => "bimi",
            Self::Caa => "caa",
            Self::ClientSettings => "client_settings",
            Self::Parked => "parked",
            Self::Bulk => "bulk",
            Self::Blocklists => "blocklists",
        }
    }
}

impl Audit {
    /// Every open wish, each once.
    pub fn wishes(&self) -> BTreeSet<&Wish> {
        self.open.iter().flat_map(|open| &open.wishes).collect()
    }

    /// The findings without their areas.
    pub fn into_findings(self) -> impl Iterator<Item = Finding> {
        self.findings.into_iter().map(|(_, finding)| finding)
    }
}

/// The findings that say what was not looked up (`design.md` section 4): one for each topic. `why` says why not,
/// "the time was over", and `remedy` what to do.
pub fn unchecked<'a>(domain: &Name, open: &'a [Open], why: &'a str, remedy: &'a str) -> impl Iterator<Item = Finding> {
    let subject = domain.to_text_without_dot();
    open.iter().filter(|open| !open.topic.is_empty()).map(move |open| {
        let message = format!("unchecked: {} ({why})", open.topic);
        Finding::new("UNCHECKED", Severity::Info, subject.clone(), message, remedy, "docs/safety.md")
    })
}
