//! All cases of the RFC 7208 test suite, explanations included.

use mailzone_mailauth::lookup::{Answers, Lookup, Recorder};
use mailzone_mailauth::spf::{Evaluation, Evaluator, RecordCache, Request, SpfResult, check};

use crate::suite::{self, Case};

fn request(case: &Case) -> Request<'_> {
    Request::new(case.host, &case.helo, &case.mailfrom)
}

/// What is wrong with an evaluation, if anything is.
fn judge(case: &Case, found: &Evaluation) -> Option<String> {
    let result = found.result.as_word();
    if !case.result.iter().any(|allowed| allowed == result) {
        return Some(format!("{result} instead of {:?}: {:?}\n{}", case.result, found.problem, found.trace));
    }
    let wanted = case.explanation.as_deref().filter(|text| *text != "DEFAULT");
    let is_wrong = case.explanation.is_some() && found.explanation.as_deref() != wanted;
    is_wrong.then(|| format!("explanation {:?} instead of {wanted:?}", found.explanation))
}

#[test]
fn the_suite_of_the_standard() {
    let (mut cases, mut explanations, mut preferred, mut wrong) = (0, 0, 0, Vec::new());
    for scenario in suite::load() {
        let cache = RecordCache::default();
        for (name, case) in &scenario.cases {
            let found = check(&request(case), &scenario.world).unwrap();
            cases += 1;
            explanations += usize::from(case.explanation.is_some());
            preferred += usize::from(case.result.first().is_some_and(|first| first == found.result.as_word()));
            if let Some(why) = judge(case, &found) {
                wrong.push(format!("{} / {name}: {why}", scenario.description));
            }
            let is_result = !matches!(found.result, SpfResult::None | SpfResult::TempError | SpfResult::PermError);
            assert_eq!(found.problem.is_none(), is_result, "{name}");
            // The cache changes nothing.
            let cached = Evaluator::new(&scenario.world).with_cache(&cache).check(&request(case)).unwrap();
            assert_eq!(cached, found, "{name}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!((cases, explanations), (203, 22));
    assert_eq!(preferred, 203, "of several results the suite prefers the first");
}

/// A driver that starts with no answer and asks what is open gets to the same end, trace included.
#[test]
fn asking_bit_by_bit_gives_the_same() {
    let mut most = 0;
    for scenario in suite::load() {
        for (name, case) in &scenario.cases {
            let whole = check(&request(case), &scenario.world).unwrap();
            let mut answers = Answers::default();
            let mut rounds = 0;
            let found = loop {
                match check(&request(case), &answers) {
                    Ok(found) => break found,
                    Err(pending) => {
                        rounds += 1;
                        assert!(rounds < 40, "{name} goes on and on");
                        for question in pending.questions {
                            let answer = scenario.world.lookup(&question.name, question.rtype);
                            answers.insert(question.name, question.rtype, answer);
                        }
                    }
                }
            };
            most = most.max(answers.len());
            assert_eq!(found, whole, "{name}");
            // What was recorded, through JSON, gives the same again.
            let recorder = Recorder::new(&scenario.world);
            assert_eq!(check(&request(case), &recorder).unwrap(), whole);
            let json = serde_json::to_string(&recorder.into_answers()).unwrap();
            let replay: Answers = serde_json::from_str(&json).unwrap();
            assert_eq!(check(&request(case), &replay).unwrap(), whole, "{name}: {json}");
        }
    }
    assert!(most <= 40, "{most} questions for one evaluation");
}
