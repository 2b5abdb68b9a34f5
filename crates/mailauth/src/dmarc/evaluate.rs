//! The DMARC result of one message (RFC 9989 section 5.3, RFC 7489 section 6.6.2).

use std::fmt;

use mailzone_record::Name;
use serde::Serialize;

use super::alignment::{Aligned, align};
use super::discovery::{Discovery, Disposition, discovery};
use super::organizational::Reader;
use super::record::{Alignment, Policy};
use crate::lookup::{Lookup, Pending};
use crate::spf::SpfResult;

/// What a message brings along.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The domain of the `From` field, in A-labels.
    pub author_domain: &'a Name,
    /// The domain that SPF checked, and what came out. `None` without such a domain.
    pub spf: Option<Authentication<'a>>,
    /// `d=` of each signature, and what came out. The caller limits their number.
    pub dkim: &'a [Authentication<'a>],
}

/// One authentication of a message.
#[derive(Debug, Clone, Copy)]
pub struct Authentication<'a> {
    /// The domain.
    pub domain: &'a Name,
    /// What came out.
    pub outcome: Outcome,
}

/// What an authentication came to, as far as DMARC cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It passed.
    Pass,
    /// It did not, for whatever reason: `softfail`, `neutral`, a policy and a permanent error too.
    Fail,
    /// The DNS failed; a later try may pass.
    TempError,
}

/// The results of RFC 7489 section 11.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DmarcResult {
    /// No record applies.
    None,
    /// A domain that passed SPF or DKIM is aligned.
    Pass,
    /// None is.
    Fail,
    /// The DNS failed where that decides.
    TempError,
    /// The record that applies is void.
    PermError,
}

/// The end of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// What a receiver writes down.
    pub result: DmarcResult,
    /// Whether SPF passed with an aligned domain.
    pub spf_aligned: bool,
    /// Whether DKIM did.
    pub dkim_aligned: bool,
    /// The policy that is published for the author domain; `None` where there is none, or where the DNS failed.
    pub policy: Option<Policy>,
    /// What the author domain's owner wants to be done with the message: nothing, unless the result is `fail`.
    pub disposition: Disposition,
    /// How the record was found.
    pub discovery: Discovery,
    /// What became of each authentication: SPF first, then the signatures in their order.
    pub checked: Vec<Checked>,
}

/// An authentication that was held against the author domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// SPF or DKIM.
    pub mechanism: Mechanism,
    /// The domain.
    pub domain: Name,
    /// What it came to.
    pub outcome: Outcome,
    /// Whether the domain is aligned, and by which mode; `None` where that has no effect: the authentication failed, or
    /// DMARC does not apply.
    pub alignment: Option<(Aligned, Alignment)>,
}

/// How a domain was authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Mechanism {
    Spf,
    Dkim,
}

/// Evaluates a message as a receiver of this generation does.
///
/// # Errors
/// Questions are open. Two rounds, aliases not counted: the records and what is likely needed for alignment; then
/// whether the author domain exists, where that matters, and the rest for alignment.
pub fn evaluate(lookup: &dyn Lookup, request: &Request<'_>, reader: Reader) -> Result<Evaluation, Pending> {
    let mut open = Vec::new();
    let discovery = discovery(lookup, request.author_domain, reader, &mut open);
    let waiting = !open.is_empty();
    let spf = request.spf.iter().map(|authentication| (Mechanism::Spf, authentication));
    let mut checked = Vec::with_capacity(1 + request.dkim.len());
    for (mechanism, authentication) in spf.chain(request.dkim.iter().map(|a| (Mechanism::Dkim, a))) {
        let mode = match (discovery.modes, mechanism) {
            (Some(modes), Mechanism::Spf) => Some(modes.aspf),
            (Some(modes), Mechanism::Dkim) => Some(modes.adkim),
            // Which names relaxed alignment needs can be asked before the record is known.
            (None, _) => waiting.then_some(Alignment::Relaxed),
        };
        let mode = mode.filter(|_| authentication.outcome != Outcome::Fail);
        let alignment = mode.map(|mode| {
            let known = (!waiting).then_some(&discovery.organizational);
            let author = request.author_domain;
            (align(lookup, author, authentication.domain, mode, reader, known, &mut open), mode)
        });
        checked.push(Checked {
            mechanism,
            domain: authentication.domain.clone(),
            outcome: authentication.outcome,
            alignment,
        });
    }
    if let Some(pending) = Pending::of(open) {
        return Err(pending);
    }
    let passed = |mechanism| checked.iter().any(|c: &Checked| c.mechanism == mechanism && c.passes());
    let (spf_aligned, dkim_aligned) = (passed(Mechanism::Spf), passed(Mechanism::Dkim));
    let effective = discovery.effective;
    let result = match (&discovery.applied, discovery.modes) {
        (None, _) if discovery.is_temp_error() => DmarcResult::TempError,
        (None, _) => DmarcResult::None,
        (Some(_), None) => DmarcResult::PermError,
        _ if spf_aligned || dkim_aligned => DmarcResult::Pass,
        _ if checked.iter().any(Checked::may_pass) => DmarcResult::TempError,
        // It fails, and nobody knows what is to be done then.
        _ if effective.is_none() => DmarcResult::TempError,
        _ => DmarcResult::Fail,
    };
    let disposition = effective.filter(|_| result == DmarcResult::Fail).map_or(Disposition::NONE, |e| e.disposition);
    let policy = effective.map(|effective| effective.policy);
    Ok(Evaluation { result, spf_aligned, dkim_aligned, policy, disposition, discovery, checked })
}

impl<'a> Authentication<'a> {
    /// This domain with this outcome.
    pub const fn new(domain: &'a Name, outcome: Outcome) -> Self {
        Self { domain, outcome }
    }
}

impl Checked {
    /// Whether it makes DMARC pass.
    fn passes(&self) -> bool {
        self.outcome == Outcome::Pass && matches!(self.alignment, Some((Aligned::Yes, _)))
    }

    /// Whether it might have made it pass, had the DNS answered.
    fn may_pass(&self) -> bool {
        match (self.outcome, &self.alignment) {
            (Outcome::Pass, Some((aligned, _))) => matches!(aligned, Aligned::TempError(_)),
            (Outcome::TempError, Some((aligned, _))) => *aligned != Aligned::No,
            _ => false,
        }
    }
}

impl From<SpfResult> for Outcome {
    fn from(result: SpfResult) -> Self {
        match result {
            SpfResult::Pass => Self::Pass,
            SpfResult::TempError => Self::TempError,
            _ => Self::Fail,
        }
    }
}

impl Outcome {
    /// The outcome's name, as in `Authentication-Results`.
    pub const fn as_word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::TempError => "temperror",
        }
    }
}

impl DmarcResult {
    /// The result's name, as in `Authentication-Results`.
    pub const fn as_word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

impl fmt::Display for DmarcResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_word())
    }
}

impl fmt::Display for Evaluation {
    /// The trace: how the record was found, then each authentication, then the result. Printable ASCII.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.discovery.fmt(f)?;
        for checked in &self.checked {
            let mechanism = match checked.mechanism {
                Mechanism::Spf => "SPF",
                Mechanism::Dkim => "DKIM",
            };
            write!(f, "  {mechanism} {} for {}", checked.outcome.as_word(), checked.domain.to_text_without_dot())?;
            if let Some((aligned, mode)) = &checked.alignment {
                let mode = match mode {
                    Alignment::Relaxed => "relaxed",
                    Alignment::Strict => "strict",
                };
                match aligned {
                    Aligned::Yes => write!(f, ", aligned ({mode})")?,
                    Aligned::No => write!(f, ", not aligned ({mode})")?,
                    Aligned::TempError(at) => {
                        write!(f, ", no answer from the DNS for _dmarc.{}", at.to_text_without_dot())?;
                    }
                }
            }
            writeln!(f)?;
        }
        write!(f, "{}", self.result)?;
        if self.result == DmarcResult::Fail {
            write!(f, ", disposition {}", self.disposition)?;
        }
        writeln!(f)
    }
}
