//! Running one target over many inputs, and telling what came of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::{Mutator, Target};

/// What a run is to do.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How many inputs are made of the seeds. The seeds themselves come first and are not counted.
    pub inputs: u64,
    /// The seed of the numbers that inputs are made with.
    pub seed: u64,
    /// No input is longer, in octets.
    pub longest: usize,
    /// An input that takes longer, three times in a row, is a failure.
    pub slow: Duration,
    /// An input that has not ended by then ends the process, after `hung` was called with it.
    pub hung: Option<(Duration, Hung)>,
}

/// What is told of an input that does not end.
pub type Hung = fn(&Target, &[u8]);

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// The inputs read, seeds included.
    pub inputs: u64,
    /// How long all of it took.
    pub took: Duration,
    /// The input that took longest.
    pub slowest: Slowest,
    /// The first input that failed, if any did. The run ended with it.
    pub failure: Option<Failure>,
}

/// The input that took longest.
#[derive(Debug, Default)]
pub struct Slowest {
    /// How long: the least of four measurements.
    pub took: Duration,
    /// The octets.
    pub input: Vec<u8>,
}

/// An input that failed.
#[derive(Debug)]
pub struct Failure {
    /// What happened: a panic's message, or how long it took.
    pub what: String,
    /// The octets.
    pub input: Vec<u8>,
}

/// Runs the target over its seeds and the inputs made of them, until one fails.
///
/// # Errors
/// The seeds cannot be read.
pub fn run(target: &'static Target, options: &Options) -> std::io::Result<Report> {
    let seeds = target.seeds()?;
    let watch = options.hung.map(|(limit, tell)| Watch::start(target, limit, tell, seeds.clone(), *options));
    let mutator = Mutator::new(target, seeds.clone(), options.seed, options.longest);
    let begun = Instant::now();
    let mut report = Report { inputs: 0, took: Duration::ZERO, slowest: Slowest::default(), failure: None };
    let given = seeds.len() as u64;
    for number in 0..given + options.inputs {
        let input = input(&seeds, &mutator, number);
        if let Some(watch) = &watch {
            watch.number.store(number, Ordering::Relaxed);
        }
        let what = one(target, &input, options.slow, &mut report.slowest);
        report.inputs += 1;
        if let Some(what) = what {
            report.failure = Some(Failure { what, input });
            break;
        }
    }
    report.took = begun.elapsed();
    Ok(report)
}

fn input(seeds: &[Vec<u8>], mutator: &Mutator, number: u64) -> Vec<u8> {
    let seed = usize::try_from(number).ok().and_then(|number| seeds.get(number));
    seed.cloned().unwrap_or_else(|| mutator.input(number - seeds.len() as u64))
}

/// What failed.
fn one(target: &Target, input: &[u8], slow: Duration, slowest: &mut Slowest) -> Option<String> {
    let mut took = match timed(target, input) {
        Ok(took) => took,
        Err(message) => return Some(message),
    };
    if took <= slowest.took {
        return None;
    }
    // The machine may have been busy with something else.
    for _ in 0..3 {
        took = timed_alone(target, input).ok()?.min(took);
    }
    if took > slowest.took {
        *slowest = Slowest { took, input: input.to_vec() };
    }
    (took > slow).then(|| format!("took {} ms", took.as_millis()))
}

fn timed(target: &Target, input: &[u8]) -> Result<Duration, String> {
    let begun = Instant::now();
    let run = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    run.map(|()| begun.elapsed()).map_err(told)
}

/// The system counts in ticks of some milliseconds: what takes less than a few of them is measured by the clock.
const TICKS: Duration = Duration::from_millis(20);

/// As [`timed`], without the time in which other programs had the processor, where the system tells it.
fn timed_alone(target: &Target, input: &[u8]) -> Result<Duration, String> {
    let before = on_processor();
    let took = timed(target, input)?;
    if took < TICKS {
        return Ok(took);
    }
    Ok(before.and_then(|before| on_processor()?.checked_sub(before)).map_or(took, |alone| alone.min(took)))
}

/// For how long this thread has had a processor (Linux).
fn on_processor() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

fn told(panic: Box<dyn std::any::Any + Send>) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("without a message"))
}

/// A thread that ends the process when one input does not end.
struct Watch {
    number: Arc<AtomicU64>,
    over: Arc<(Mutex<bool>, Condvar)>,
}

impl Watch {
    fn start(target: &'static Target, limit: Duration, tell: Hung, seeds: Vec<Vec<u8>>, options: Options) -> Self {
        let watch = Self { number: Arc::default(), over: Arc::default() };
        let (number, over) = (watch.number.clone(), watch.over.clone());
        std::thread::spawn(move || {
            let mut before = u64::MAX;
            let (lock, told) = &*over;
            let mut done = lock.lock().unwrap_or_else(PoisonError::into_inner);
            while !*done {
                done = told.wait_timeout(done, limit).unwrap_or_else(PoisonError::into_inner).0;
                let now = number.load(Ordering::Relaxed);
                if !*done && now == before {
                    let mutator = Mutator::new(target, seeds.clone(), options.seed, options.longest);
                    tell(target, &input(&seeds, &mutator, now));
                    std::process::exit(1);
                }
                before = now;
            }
        });
        watch
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let (lock, told) = &*self.over;
        *lock.lock().unwrap_or_else(PoisonError::into_inner) = true;
        told.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options { inputs: 100, seed: 1, longest: 64, slow: Duration::from_secs(60), hung: None }
    }

    #[test]
    fn a_panic_is_a_failure_with_its_input() {
        let target = Target { name: "x", about: "", run: |input| assert!(input.len() < 3, "too long"), words: &[] };
        let mut slowest = Slowest::default();
        assert_eq!(one(&target, b"ab", options().slow, &mut slowest), None);
        assert_eq!(one(&target, b"abc", options().slow, &mut slowest), Some("panicked: too long".to_owned()));
    }

    #[test]
    fn what_takes_long_is_a_failure() {
        let sleep: fn(&[u8]) = |_| std::thread::sleep(Duration::from_millis(2));
        let target = Target { name: "x", about: "", run: sleep, words: &[] };
        let what = one(&target, b"a", Duration::from_millis(1), &mut Slowest::default());
        assert!(what.is_some_and(|what| what.starts_with("took ")));
    }

    #[test]
    fn a_run_counts_seeds_and_inputs() {
        let target = crate::target("ttl").unwrap();
        let report = run(target, &options()).unwrap();
        assert_eq!(report.inputs, 100 + target.seeds().unwrap().len() as u64);
        assert!(report.failure.is_none());
    }
}
