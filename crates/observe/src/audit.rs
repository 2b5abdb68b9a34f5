use std::collections::BTreeSet;

use mailzone_audit::{Audit, Subject, Wish, audit as judge};
use mailzone_mailauth::lookup::{Lookup, Overlay};
use mailzone_probe::Ask;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::{Known, Observer};

/// How much one audit may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// DNS questions, those that the cache answers included; [`crate::QUESTIONS`].
    pub questions: usize,
    /// Everything else: policies, mail servers, documents, delegations; [`Budget::LOOKS`].
    pub looks: usize,
    /// When it ends, whatever is open then.
    pub deadline: Instant,
}

/// An audit, and what it is based on.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The result; in [`Audit::open`] is what could not be found out.
    pub audit: Audit,
    /// What was found out, without the overlay.
    pub known: Known,
    /// How many DNS questions were asked, and how many other looks were taken.
    pub asked: (usize, usize),
    /// Whether the budget kept something from being asked, or the time ran out.
    pub cut: bool,
}

impl Budget {
    /// Looks that one audit may take, in the ordinary case far from reached.
    pub const LOOKS: usize = 120;

    /// The ordinary numbers, until `deadline`.
    pub fn until(deadline: Instant) -> Self {
        Self { questions: crate::QUESTIONS, looks: Self::LOOKS, deadline }
    }
}

/// Audits `subject`: judges by what is known, looks up what is wished for, and judges again, until nothing is open or
/// the budget is spent. `overlay` answers before the network does: the zone as a plan would leave it.
///
/// Slow looks do not hold up the questions: a new round begins whenever no DNS question is under way.
pub async fn audit<A: Ask>(
    observer: &Observer<A>,
    subject: &Subject,
    overlay: Option<&(dyn Lookup + Sync)>,
    budget: Budget,
) -> Observed {
    let mut known = observer.known();
    let mut tried: BTreeSet<Wish> = BTreeSet::new();
    let mut asked = (0, 0);
    let mut running = JoinSet::new();
    // DNS questions under way.
    let mut questions = 0;
    loop {
        let audit = now_known(subject, overlay, &known);
        let mut cut = false;
        let mut wishes: Vec<&Wish> = audit.wishes().into_iter().collect();
        // A domain can name hundreds of mail servers, which may not use up what there is for the rest.
        wishes.sort_by_key(|wish| matches!(wish, Wish::Smtp(..)));
        for wish in wishes {
            if tried.contains(wish) {
                continue;
            }
            let is_question = matches!(wish, Wish::Dns(_));
            let (spent, most) =
                if is_question { (&mut asked.0, budget.questions) } else { (&mut asked.1, budget.looks) };
            if *spent >= most {
                cut = true;
                continue;
            }
            *spent += 1;
            questions += usize::from(is_question);
            tried.insert(wish.clone());
            let one = observer.clone().fulfil_one(wish.clone());
            running.spawn(async move { (is_question, one.await) });
        }
        if running.is_empty() {
            return Observed { audit, known, asked, cut };
        }
        // At least one result, and all of the questions.
        let mut first = true;
        while first || questions > 0 {
            match timeout_at(budget.deadline, running.join_next()).await {
                Ok(Some(Ok((is_question, got)))) => {
                    known.take_in(got);
                    questions = questions.saturating_sub(usize::from(is_question));
                }
                Ok(None) => questions = 0,
                // A task that panicked leaves its wish open. Whether it was a question is not known; if not, the
                // round begins one answer early.
                Ok(Some(Err(_))) => questions = questions.saturating_sub(1),
                Err(_) => {
                    let audit = now_known(subject, overlay, &known);
                    return Observed { audit, known, asked, cut: true };
                }
            }
            first = false;
        }
    }
}

fn now_known(subject: &Subject, overlay: Option<&(dyn Lookup + Sync)>, known: &Known) -> Audit {
    match overlay {
        Some(over) => judge(subject, &known.facts, &Overlay { over, base: &known.answers }),
        None => judge(subject, &known.facts, &known.answers),
    }
}
