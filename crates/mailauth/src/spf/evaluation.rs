//! What an evaluation comes to: result, costs, problem, and the path that the client took.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use mailzone_record::{Name, RecordType};
use serde::Serialize;

use super::error::SpfError;
use super::record::{Qualifier, Record, Term};
use super::select::Selected;

/// The results of RFC 7208 section 2.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SpfResult {
    /// No domain to check, or it has no record.
    None,
    /// The domain says nothing of the client.
    Neutral,
    /// The client may send for the domain.
    Pass,
    /// It may not.
    Fail,
    /// It probably may not.
    SoftFail,
    /// The DNS failed; a later try may have another result.
    TempError,
    /// The domain's records cannot be read as the standard demands.
    PermError,
}

/// The end of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// What a receiver writes down.
    pub result: SpfResult,
    /// The domain that was checked: that of the envelope sender, or the HELO name. As given, in A-labels,
    /// whatever characters it has.
    pub domain: String,
    /// The domain's own words on a `fail` (`exp=`): printable ASCII and blanks, at most
    /// [`EXPLANATION_LIMIT`](super::EXPLANATION_LIMIT) octets. Words of a stranger: quote them as such.
    pub explanation: Option<String>,
    /// The terms that queried the DNS, at most eleven (RFC 7208 section 4.6.4).
    pub lookups: usize,
    /// The terms for which the DNS had nothing.
    pub void_lookups: usize,
    /// Why there is no result, for `none`, `temperror` and `permerror`: then always there.
    pub problem: Option<Problem>,
    /// The path.
    pub trace: Trace,
}

/// Why an evaluation ended without a result. Its texts are a stranger's; all but printable ASCII in them is escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct Problem {
    /// The domain in whose record the problem is, or whose record it is.
    pub domain: String,
    /// The term, where it is one: its text, and its octets in the joined text of that domain's record.
    pub term: Option<(String, Range<usize>)>,
    /// What it is.
    pub kind: ProblemKind,
}

/// The kinds of problems.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProblemKind {
    /// No domain: a literal, one label, an empty label or one over 63 octets (RFC 7208 section 4.3). `none`.
    #[error("not a domain name")]
    MalformedDomain,
    /// The domain does not exist. `none`.
    #[error("the domain does not exist")]
    NoDomain,
    /// No record at the domain. `none`.
    #[error("no SPF record")]
    NoRecord,
    /// No answer from the DNS. `temperror`.
    #[error("no answer from the DNS for {0} {1}")]
    Dns(Name, RecordType),
    /// More than one record (section 4.5). `permerror`, as all that follow.
    #[error("{0} SPF records at one name")]
    Several(usize),
    /// A syntax error: the record's first (section 4.6).
    #[error("{0}")]
    Syntax(SpfError),
    /// More terms that query the DNS than the limit, which is 10 (section 4.6.4).
    #[error("more than {0} terms that query the DNS")]
    Lookups(usize),
    /// More terms for which the DNS has nothing than the limit, which is 2 (section 4.6.4).
    #[error("more than {0} void look-ups")]
    VoidLookups(usize),
    /// More MX records for one `mx` than the limit, which is 10 (section 4.6.4).
    #[error("more than {0} mail exchangers in one `mx`")]
    Exchangers(usize),
    /// The target of an `include` or `redirect` has no record (sections 5.2, 6.1).
    #[error("`{0}` has no SPF record")]
    Target(String),
    /// An `include` or `redirect` back to a record that is being evaluated.
    #[error("the record of `{0}` leads back to itself")]
    Loop(String),
}

/// Which records were read, and which of their terms the client was held against.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    /// In the order in which they were read; the first is the domain's own.
    pub records: Vec<Visit>,
    /// In the order in which they began: the terms of an included record follow the `include`.
    pub steps: Vec<Step>,
}

/// A name whose record was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// The name.
    pub domain: Name,
    /// The `include` or `redirect` in [`Trace::steps`] that led here.
    pub via: Option<usize>,
    /// What was found; `None` where the DNS had no TXT record or no answer.
    pub selected: Option<Arc<Selected>>,
    /// What its evaluation came to; `None` where a problem ended it.
    pub result: Option<SpfResult>,
}

/// A term that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Whose term, in [`Trace::records`].
    pub record: usize,
    /// Which, in [`Record::terms`].
    pub term: usize,
    /// The name that it asked for, macros filled in.
    pub target: Option<Name>,
    /// How it ended.
    pub outcome: StepOutcome,
}

/// How a term ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepOutcome {
    /// It matched: its qualifier is the record's result.
    Match,
    /// It did not.
    NoMatch,
    /// A `redirect`: the other record's result is this one's.
    Followed,
    /// The evaluation ended here with a problem.
    Problem,
}

impl SpfResult {
    /// The result's name, as in `Received-SPF`.
    pub const fn as_word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

impl From<Qualifier> for SpfResult {
    fn from(qualifier: Qualifier) -> Self {
        match qualifier {
            Qualifier::Pass => Self::Pass,
            Qualifier::Neutral => Self::Neutral,
            Qualifier::SoftFail => Self::SoftFail,
            Qualifier::Fail => Self::Fail,
        }
    }
}

impl fmt::Display for SpfResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_word())
    }
}

impl ProblemKind {
    /// The result that it makes.
    pub const fn result(&self) -> SpfResult {
        match self {
            Self::MalformedDomain | Self::NoDomain | Self::NoRecord => SpfResult::None,
            Self::Dns(..) => SpfResult::TempError,
            _ => SpfResult::PermError,
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &str {
        match self {
            Self::MalformedDomain => "send with a full domain name in the envelope or in EHLO",
            Self::NoDomain => "check the spelling of the domain, and that it is registered and delegated",
            Self::NoRecord => "publish a TXT record that starts with `v=spf1`",
            Self::Dns(..) => "try again; if it stays, look at that name's servers",
            Self::Several(_) => "keep one record and merge the terms into it",
            Self::Syntax(error) => &error.remedy,
            Self::Lookups(_) => "drop includes that are not needed, or write addresses as `ip4` and `ip6`",
            Self::VoidLookups(_) => "drop the terms whose names have no records",
            Self::Exchangers(_) => "name the sending hosts by their addresses instead of `mx`",
            Self::Target(_) => "publish a record there, or take the term out",
            Self::Loop(_) => "take out the term that leads back",
        }
    }
}

impl Visit {
    /// The record, if one was found that reads.
    pub fn record(&self) -> Option<&Record> {
        match self.selected.as_deref() {
            Some(Selected::Record { record, .. }) => Some(record),
            _ => None,
        }
    }
}

impl Trace {
    /// The term of a step.
    pub fn term(&self, step: &Step) -> Option<&Term> {
        self.records.get(step.record)?.record()?.terms.get(step.term)
    }

    /// The term that decided, with the domain whose record it is in: inside an `include`, that of the include.
    pub fn decided(&self) -> Option<(&Name, &Term)> {
        let own = |step: &&Step| {
            let mut at = step.record;
            // Up along the redirects to the first record: what an include decides stays inside it.
            while let Some(via) = self.records.get(at).and_then(|visit| self.steps.get(visit.via?)) {
                if via.outcome != StepOutcome::Followed {
                    return false;
                }
                at = via.record;
            }
            step.outcome == StepOutcome::Match
        };
        let step = self.steps.iter().find(own)?;
        Some((&self.records.get(step.record)?.domain, self.term(step)?))
    }

    /// How many includes and redirects lead to a record.
    pub fn depth(&self, record: usize) -> usize {
        let mut depth = 0;
        let mut at = record;
        while let Some(via) = self.records.get(at).and_then(|visit| self.steps.get(visit.via?)) {
            at = via.record;
            depth += 1;
        }
        depth
    }
}

impl fmt::Display for Trace {
    /// A line for each record and each term, those of included records indented below the term.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = 0;
        let show_record = |f: &mut fmt::Formatter<'_>, index: usize| match self.records.get(index) {
            Some(visit) => {
                let found = match visit.selected.as_deref() {
                    None | Some(Selected::Absent) => "no SPF record".to_owned(),
                    Some(Selected::Several(count)) => format!("{count} SPF records"),
                    Some(Selected::Invalid { .. }) => "an SPF record with errors".to_owned(),
                    Some(Selected::Record { record, .. }) => record.to_string(),
                };
                let name = visit.domain.to_text_without_dot();
                let result = visit.result.map_or(String::new(), |result| format!(" -> {result}"));
                writeln!(f, "{:1$}{name}: {found}{result}", "", 4 * self.depth(index))
            }
            None => Ok(()),
        };
        for (index, step) in self.steps.iter().enumerate() {
            while shown <= step.record {
                show_record(f, shown)?;
                shown += 1;
            }
            let indent = 4 * self.depth(step.record) + 2;
            let term = self.term(step).map(ToString::to_string).unwrap_or_default();
            let outcome = match step.outcome {
                StepOutcome::Match => "match",
                StepOutcome::NoMatch => "no match",
                StepOutcome::Followed => "followed",
                StepOutcome::Problem => "problem",
            };
            let target = step.target.as_ref().map(Name::to_text_without_dot);
            let target = target.filter(|target| !term.contains(target)).map_or(String::new(), |t| format!(" ({t})"));
            writeln!(f, "{:indent$}{term}{target}: {outcome}", "")?;
            // A record without terms of its own to show stands directly below what led to it.
            while self.records.get(shown).is_some_and(|visit| visit.via == Some(index)) {
                show_record(f, shown)?;
                shown += 1;
            }
        }
        (shown..self.records.len()).try_for_each(|index| show_record(f, index))
    }
}
