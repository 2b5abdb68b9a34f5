//! Policy discovery: which record applies to an author domain, and what it asks for (RFC 9989 section 4.10.1, RFC 7489
//! section 6.6.3).
//!
//! Readings where the standards leave room:
//!
//! - A record whose tag stands twice is void, but it is there: it ends the search, and nobody else's record applies.
//! - An author domain exists if the DNS knows its name, be it by an alias whose target is gone (RFC 8020).
//! - Whether it exists is asked only where `np` and `sp` differ.

use std::fmt;

use mailzone_record::{Name, RecordType};

use super::organizational::{
    Found, Organizational, Reader, Visit, by_suffix_list, by_walk, find, plain, psd, walk, weaker,
};
use super::record::{Alignment, Fault, Field, Policy, Psd, Reading, Record};
use crate::lookup::{Answer, Lookup, Pending, Question};

/// What a receiver learns about an author domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// The domain of the `From` field.
    pub author_domain: Name,
    /// Who reads.
    pub reader: Reader,
    /// Where records were looked for, in order: the author domain first.
    pub visits: Vec<Visit>,
    /// The author's organizational domain.
    pub organizational: Organizational,
    /// The record that applies, in force or not.
    pub applied: Option<Applied>,
    /// Whether the author domain exists, where that decides between `sp` and `np`.
    pub exists: Option<bool>,
    /// How domains are aligned; `None` where no record is in force.
    pub modes: Option<Modes>,
    /// What is asked for; `None` where no record is in force, or where the DNS failed: see [`Discovery::problems`].
    pub effective: Option<Effective>,
    /// What stood in the way, in the order in which it was met.
    pub problems: Vec<DiscoveryProblem>,
}

/// The record that applies to an author domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The domain that has it, without `_dmarc`.
    pub domain: Name,
    /// What that domain is to the author domain.
    pub place: Place,
    /// The record with all its tags.
    pub record: Record,
}

/// Whose record applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// The author domain's own.
    AuthorDomain,
    /// That of its organizational domain.
    OrganizationalDomain,
    /// That of the public suffix above it (`psd=y`).
    PublicSuffixDomain,
}

/// What the record asks for, for this author domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effective {
    /// The policy.
    pub policy: Policy,
    /// The tag that it comes from: `p`, `sp` or `np`.
    pub tag: &'static str,
    /// What is done with mail that fails: the policy, or less by `t` or `pct`.
    pub disposition: Disposition,
}

/// How authenticated domains are aligned with the author domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Modes {
    /// Those of DKIM.
    pub adkim: Alignment,
    /// That of SPF.
    pub aspf: Alignment,
}

/// What is done with mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disposition {
    /// What is done with `percent` of it.
    pub policy: Policy,
    /// 1 to 100; less than 100 only for RFC 7489 readers of `pct`.
    pub percent: u8,
    /// What is done with the rest; the same as `policy` where there is none.
    pub rest: Policy,
}

/// Something that stands in the way of a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoveryProblem {
    /// Several records: as if there were none. The domain's owner is to blame.
    #[error("`{}` has {count} DMARC records: receivers discard all of them", domain.to_text_without_dot())]
    #[expect(missing_docs, reason = "the fields are the words of the message")]
    Several { domain: Name, count: usize },
    /// The record is read as `p=none`, since it has an address for reports.
    #[error("the record of `{}` counts as `p=none`: {fault}", domain.to_text_without_dot())]
    #[expect(missing_docs, reason = "the fields are the words of the message")]
    Monitoring { domain: Name, fault: Fault },
    /// The record is void, and DMARC does not apply.
    #[error("the record of `{}` is void: {fault}", domain.to_text_without_dot())]
    #[expect(missing_docs, reason = "the fields are the words of the message")]
    Void { domain: Name, fault: Fault },
    /// The DNS failed. Trying again may help.
    #[error("no answer from the DNS for {} {_1}", _0.to_text_without_dot())]
    Dns(Name, RecordType),
}

/// Finds the record that applies to `author_domain`, its organizational domain, and what is asked for.
///
/// # Errors
/// Questions are open: first those of the walk, all at once; then, where it matters, whether the author domain exists.
pub fn discover(lookup: &dyn Lookup, author_domain: &Name, reader: Reader) -> Result<Discovery, Pending> {
    let mut open = Vec::new();
    let found = discovery(lookup, author_domain, reader, &mut open);
    Pending::of(open).map_or(Ok(found), Err)
}

/// As [`discover`]; where `open` grows, the result has no meaning.
pub(super) fn discovery(lookup: &dyn Lookup, author: &Name, reader: Reader, open: &mut Vec<Question>) -> Discovery {
    let before = open.len();
    let (visits, organizational) = match reader {
        Reader::Rfc9989 => {
            let visits = walk(lookup, author, open);
            let organizational = by_walk(author, &visits);
            (visits, organizational)
        }
        Reader::Rfc7489 => {
            let domain = by_suffix_list(author);
            (ask_both(lookup, author, &domain, open), Organizational::Domain(domain))
        }
    };
    let mut found = Discovery {
        author_domain: author.clone(),
        reader,
        visits,
        organizational,
        applied: None,
        exists: None,
        modes: None,
        effective: None,
        problems: Vec::new(),
    };
    if open.len() == before {
        found.choose();
        found.read(lookup, open);
    }
    found
}

/// At the author domain, and at the organizational domain if there is nothing.
fn ask_both(lookup: &dyn Lookup, author: &Name, organizational: &Name, open: &mut Vec<Question>) -> Vec<Visit> {
    let mut visits = Vec::with_capacity(2);
    for domain in [author, organizational] {
        if visits.iter().any(|visit: &Visit| visit.domain == *domain || visit.found != Found::Absent) {
            break;
        }
        if let Some(found) = find(lookup, domain, open) {
            visits.push(Visit { domain: domain.clone(), found });
        }
    }
    visits
}

impl Discovery {
    /// Whether the DNS failed for something that decides which policy applies.
    pub fn is_temp_error(&self) -> bool {
        self.problems.iter().any(|problem| matches!(problem, DiscoveryProblem::Dns(..)))
    }

    /// The record at the author domain, else at the organizational domain, else at the public suffix.
    fn choose(&mut self) {
        self.problems.extend(self.visits.iter().filter_map(|visit| match visit.found {
            Found::Several(count) => Some(DiscoveryProblem::Several { domain: visit.domain.clone(), count }),
            _ => None,
        }));
        let organizational = self.organizational.domain();
        let places = self.visits.iter().filter_map(|visit| {
            let Found::Record(record) = &visit.found else { return None };
            let place = if visit.domain == self.author_domain {
                Place::AuthorDomain
            } else if Some(&visit.domain) == organizational {
                Place::OrganizationalDomain
            } else if psd(&visit.found) == Psd::Yes {
                Place::PublicSuffixDomain
            } else {
                return None;
            };
            Some(Applied { domain: visit.domain.clone(), place, record: (**record).clone() })
        });
        // Visits go upwards, and so does preference.
        let applied = places.min_by_key(|applied| applied.place as u8);
        let own = applied.as_ref().is_some_and(|applied| applied.place == Place::AuthorDomain);
        if !own && let Some(failed) = self.visits.iter().find(|visit| visit.found == Found::TempError) {
            let owner = failed.domain.prepend("_dmarc").unwrap_or_else(|_| failed.domain.clone());
            self.problems.push(DiscoveryProblem::Dns(owner, RecordType::TXT));
        } else {
            self.applied = applied;
        }
    }

    /// What the record that applies asks for.
    fn read(&mut self, lookup: &dyn Lookup, open: &mut Vec<Question>) {
        let Some(Applied { domain, place, record }) = &self.applied else { return };
        let record = self.reader.view(record);
        let monitoring = match record.reading() {
            Reading::NoDmarc(fault) => {
                self.problems.push(DiscoveryProblem::Void { domain: domain.clone(), fault });
                return;
            }
            Reading::Monitoring(fault) => {
                self.problems.push(DiscoveryProblem::Monitoring { domain: domain.clone(), fault });
                true
            }
            Reading::Valid => false,
        };
        let mode = |field: &Field<Alignment>| field.given().copied().unwrap_or(Alignment::Relaxed);
        self.modes = Some(Modes { adkim: mode(&record.adkim), aspf: mode(&record.aspf) });
        let (own, sub) = (("p", record.effective_policy()), ("sp", record.effective_subdomain_policy()));
        let sub = if record.sp == Field::Absent { own } else { sub };
        let nonexistent = record.np.given().map_or(sub, |np| ("np", *np));
        let (tag, policy) = if monitoring || *place == Place::AuthorDomain {
            own
        } else if nonexistent.1 == sub.1 {
            sub
        } else {
            match lookup.lookup(&self.author_domain, RecordType::A) {
                Answer::NxDomain => {
                    self.exists = Some(false);
                    nonexistent
                }
                Answer::Records(..) | Answer::NoData => {
                    self.exists = Some(true);
                    sub
                }
                Answer::TempError => {
                    self.problems.push(DiscoveryProblem::Dns(self.author_domain.clone(), RecordType::A));
                    return;
                }
                Answer::Unknown => {
                    open.push(Question { name: self.author_domain.clone(), rtype: RecordType::A });
                    return;
                }
            }
        };
        self.effective = Some(Effective {
            policy,
            tag,
            disposition: Disposition::of(policy, record.is_testing(), record.percentage()),
        });
    }
}

impl Effective {
    /// Whether less is done with failing mail than the policy says (`t=y`, `pct` under 100).
    pub fn is_weakened(&self) -> bool {
        self.disposition != Disposition::all(self.policy)
    }
}

impl Disposition {
    /// Nothing.
    pub const NONE: Self = Self::all(Policy::None);

    /// This for all mail.
    pub const fn all(policy: Policy) -> Self {
        Self { policy, percent: 100, rest: policy }
    }

    fn of(policy: Policy, testing: bool, percent: u8) -> Self {
        match percent {
            _ if testing => Self::all(weaker(policy)),
            0 => Self::all(weaker(policy)),
            1..=99 if weaker(policy) != policy => Self { policy, percent, rest: weaker(policy) },
            _ => Self::all(policy),
        }
    }
}

impl fmt::Display for Disposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.policy.as_str())?;
        if self.rest == self.policy {
            return Ok(());
        }
        write!(f, " for {} %, {} for the rest", self.percent, self.rest.as_str())
    }
}

impl Place {
    /// What the domain is, in words.
    pub const fn as_words(self) -> &'static str {
        match self {
            Self::AuthorDomain => "author domain",
            Self::OrganizationalDomain => "organizational domain",
            Self::PublicSuffixDomain => "public suffix domain",
        }
    }
}

impl DiscoveryProblem {
    /// What to do about it.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Several { .. } => "keep one record and take the others out",
            Self::Monitoring { .. } | Self::Void { .. } => {
                "write `p`, and `sp` and `np` where they are there, as `none`, `quarantine` or `reject`, each tag once"
            }
            Self::Dns(..) => "try again; if it stays, look at that name's servers",
        }
    }
}

impl fmt::Display for Discovery {
    /// A line for each domain that was visited, then the organizational domain, the policy, the problems.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Name::to_text_without_dot;
        writeln!(f, "{} reader, author domain {}", self.reader, name(&self.author_domain))?;
        for visit in &self.visits {
            writeln!(f, "  _dmarc.{}: {}", name(&visit.domain), visit.found)?;
        }
        match &self.organizational {
            Organizational::Domain(domain) => writeln!(f, "  organizational domain: {}", name(domain))?,
            Organizational::TempError(_) => writeln!(f, "  organizational domain: not known")?,
        }
        if let Some(exists) = self.exists {
            writeln!(f, "  {} {}", name(&self.author_domain), if exists { "exists" } else { "does not exist" })?;
        }
        match (&self.applied, &self.effective) {
            (Some(applied), Some(effective)) => {
                let place = applied.place.as_words();
                write!(f, "  policy: {} ({} of the {place})", effective.policy.as_str(), effective.tag)?;
                if effective.is_weakened() {
                    write!(f, ", applied as {}", effective.disposition)?;
                }
                writeln!(f)?;
            }
            _ => writeln!(f, "  no policy")?,
        }
        self.problems.iter().try_for_each(|problem| writeln!(f, "  {}", plain(&problem.to_string())))
    }
}
