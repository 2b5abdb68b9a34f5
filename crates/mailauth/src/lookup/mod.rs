//! Where an evaluation gets its DNS answers from: one small trait, without I/O and without a clock.
//!
//! An evaluation is a pure function of its request and a [`Lookup`]. Where an answer is not there yet
//! ([`Answer::Unknown`]) it goes on as far as it can, and ends with the questions that are open
//! ([`Pending`]). Who has the network asks them, all at a time, adds what came to an [`Answers`] and runs the
//! evaluation again, until nothing is open. So time limits, retries and caches are the driver's, and every
//! evaluation can be recorded and repeated.

mod answers;
mod zone;

use std::sync::Arc;

use mailzone_record::{Name, Rdata, RecordType, Ttl};

pub use answers::{Answers, Recorder};
pub use zone::{Overlay, ZoneData};

/// CNAMEs that are followed for one question; a longer chain is a temporary error, as at resolvers.
pub const ALIASES: usize = 16;

/// Answers to DNS questions.
pub trait Lookup {
    /// The answer for this name and type.
    ///
    /// Must not follow aliases: where the name has a CNAME and another type is asked for, the answer is that
    /// CNAME. [`resolve`] follows, so that each step of a chain can come from another source. Must answer the
    /// same question alike during one evaluation.
    fn lookup(&self, name: &Name, rtype: RecordType) -> Answer;
}

/// What is known for a name and type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The records, or the name's CNAME, with the time that they may be kept. An empty list is read as [`Self::NoData`].
    Records(Arc<[Rdata]>, Ttl),
    /// The name exists, without records of this type.
    NoData,
    /// The name does not exist.
    NxDomain,
    /// No answer could be had: time-out, SERVFAIL, a bogus signature. Asking again may help.
    TempError,
    /// Nobody asked yet.
    Unknown,
}

/// A name and a type.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Question {
    pub name: Name,
    pub rtype: RecordType,
}

/// An evaluation that cannot end before these questions are answered. Nobody's fault: answer and run again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} DNS questions are open", questions.len())]
pub struct Pending {
    /// Each once. The first is needed for certain; the others are if nothing before them decides.
    pub questions: Vec<Question>,
}

/// The answer at the end of the name's aliases: never a CNAME (unless asked for), never empty records. The TTL is
/// the least on the way. `Err` is the question that is open.
pub fn resolve<L: Lookup + ?Sized>(lookup: &L, name: &Name, rtype: RecordType) -> Result<Answer, Question> {
    let mut target: Option<Name> = None;
    let mut least = Ttl::MAX;
    for _ in 0..=ALIASES {
        let at = target.as_ref().unwrap_or(name);
        match lookup.lookup(at, rtype) {
            Answer::Unknown => return Err(Question { name: at.clone(), rtype }),
            Answer::Records(values, ttl) => {
                least = least.min(ttl);
                match values.first() {
                    None => return Ok(Answer::NoData),
                    Some(Rdata::Cname(next)) if rtype != RecordType::CNAME => target = Some(next.clone()),
                    Some(_) => return Ok(Answer::Records(values, least)),
                }
            }
            other => return Ok(other),
        }
    }
    Ok(Answer::TempError)
}

impl<L: Lookup + ?Sized> Lookup for &L {
    fn lookup(&self, name: &Name, rtype: RecordType) -> Answer {
        (**self).lookup(name, rtype)
    }
}

impl Answer {
    /// An answer of these records.
    pub fn records(values: impl IntoIterator<Item = Rdata>, ttl: Ttl) -> Self {
        Self::Records(values.into_iter().collect(), ttl)
    }

    /// Whether the DNS said that there is nothing: a void look-up (RFC 7208 section 4.6.4).
    pub const fn is_void(&self) -> bool {
        matches!(self, Self::NoData | Self::NxDomain)
    }
}

impl Pending {
    /// `None` if nothing is open. Repetitions are dropped, the order is kept.
    pub(crate) fn of(questions: Vec<Question>) -> Option<Self> {
        if questions.is_empty() {
            return None;
        }
        let mut seen = std::collections::HashSet::with_capacity(questions.len());
        let questions = questions.into_iter().filter(|question| seen.insert(question.clone())).collect();
        Some(Self { questions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn follows_aliases_across_sources_and_ends() {
        let ttl = |seconds| Ttl::from_secs(seconds).unwrap();
        let mut answers = Answers::default();
        answers.insert(name("a.example"), RecordType::A, Answer::records([Rdata::Cname(name("b.example"))], ttl(60)));
        assert_eq!(
            resolve(&answers, &name("a.example"), RecordType::A),
            Err(Question { name: name("b.example"), rtype: RecordType::A })
        );
        let address = Rdata::A([192, 0, 2, 1].into());
        answers.insert(name("b.example"), RecordType::A, Answer::records([address.clone()], ttl(300)));
        let found = resolve(&answers, &name("a.example"), RecordType::A);
        assert_eq!(found, Ok(Answer::records([address], ttl(60))));
        answers.insert(name("l.example"), RecordType::A, Answer::records([Rdata::Cname(name("L.example"))], ttl(1)));
        assert_eq!(resolve(&answers, &name("l.example"), RecordType::A), Ok(Answer::TempError));
        answers.insert(name("e.example"), RecordType::A, Answer::records([], ttl(1)));
        assert_eq!(resolve(&answers, &name("e.example"), RecordType::A), Ok(Answer::NoData));
    }
}
