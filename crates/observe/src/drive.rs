use std::collections::BTreeSet;

use mailzone_mailauth::lookup::{Answer, Answers, Pending, Question};
use mailzone_probe::Ask;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::Dns;

/// Questions that one evaluation or one audit may ask, in the ordinary case far from reached.
pub const QUESTIONS: usize = 400;

/// How an evaluation ended.
#[derive(Debug, Clone)]
pub struct Driven<T> {
    /// Its result. `Err` only from an evaluation that stays pending when everything is answered.
    pub result: Result<T, Pending>,
    /// What it was based on.
    pub answers: Answers,
    /// How many questions were asked, those that the cache answered included.
    pub questions: usize,
    /// What was not answered: time or questions ran out, or there was nobody to ask. The evaluation was given
    /// [`Answer::TempError`] for it.
    pub open: Vec<Question>,
}

/// Runs `evaluate` until nothing is open: asks what it wants to know, all at a time, and runs it again.
///
/// Asks at most `questions` (see [`QUESTIONS`]), and until `deadline`; what is open then is a temporary error.
pub async fn drive<T, A: Ask>(
    dns: &Dns<A>,
    evaluate: impl Fn(&Answers) -> Result<T, Pending>,
    questions: usize,
    deadline: Instant,
) -> Driven<T> {
    let mut answers = Answers::default();
    let mut asked: BTreeSet<Question> = BTreeSet::new();
    loop {
        let result = evaluate(&answers);
        let Err(pending) = &result else {
            return Driven { result, answers, questions: asked.len(), open: Vec::new() };
        };
        let left = questions.saturating_sub(asked.len());
        let new: Vec<Question> =
            pending.questions.iter().filter(|question| !asked.contains(question)).take(left).cloned().collect();
        if new.is_empty() || Instant::now() >= deadline {
            let open = pending.questions.clone();
            // What was not answered, and all that is asked for its sake.
            let mut rest = Answers::otherwise(Answer::TempError);
            for (name, rtype, answer) in answers.iter() {
                rest.insert(name.clone(), rtype, answer.clone());
            }
            return Driven { result: evaluate(&rest), answers: rest, questions: asked.len(), open };
        }
        asked.extend(new.iter().cloned());
        let mut running = JoinSet::new();
        for question in new {
            let dns = dns.clone();
            running.spawn(async move {
                let answer = dns.ask(&question).await;
                (question, answer)
            });
        }
        // A task that panicked leaves its question open.
        while let Ok(Some(done)) = timeout_at(deadline, running.join_next()).await {
            if let Ok((question, answer)) = done {
                answers.insert(question.name, question.rtype, answer);
            }
        }
    }
}
