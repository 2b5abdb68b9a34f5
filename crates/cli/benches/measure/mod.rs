//! Runs of the built program: how long they take, and how much memory.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mailzone");

/// Exit codes (design.md section 7).
pub(crate) const DONE: i32 = 0;
pub(crate) const DIFFERENCES: i32 = 2;

/// What one run took.
pub(crate) struct Run {
    pub(crate) time: Duration,
    /// Peak resident memory in kB as last seen; `None` where the system does not tell it, or the run was too short.
    pub(crate) peak: Option<u64>,
}

/// Runs a command `times` times, `prepare` before each, and shows the figures. Each run has to end with the exit code
/// `code`: a row never shows the time of something else.
pub(crate) fn bench(
    name: &str,
    times: usize,
    directory: &Path,
    arguments: &[&str],
    code: i32,
    prepare: impl Fn() -> Outcome<()>,
) -> Outcome<()> {
    let mut runs = Vec::with_capacity(times);
    for _ in 0..times {
        prepare()?;
        runs.push(run(directory, arguments, code)?);
    }
    let peak = runs.iter().filter_map(|run| run.peak).max();
    let peak = peak.map_or_else(|| "-".into(), |kilobytes| format!("{} MB", kilobytes.div_ceil(1000)));
    runs.sort_by_key(|run| run.time);
    let [min, median, max] = [0, times / 2, times.saturating_sub(1)].map(|at| {
        let time = runs.get(at).map_or(0.0, |run| run.time.as_secs_f64() * 1e3);
        format!("{time:.1} ms")
    });
    println!("{name:44}{median:>10}{min:>10}{max:>10}{peak:>10}");
    Ok(())
}

/// One run to its end, which has to come with the exit code `code`; what it prints is thrown away.
pub(crate) fn run(directory: &Path, arguments: &[&str], code: i32) -> Outcome<Run> {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).current_dir(directory);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let child = command.spawn()?;
    let (status, time, peak) = watched(child, began)?;
    if status.code() != Some(code) {
        return Err(format!("mailzone {} in {}: {status}", arguments.join(" "), directory.display()).into());
    }
    Ok(Run { time, peak })
}

/// Waits for the child while a thread looks at its peak memory every millisecond. The peak never falls, so only what
/// is added in the last millisecond can be missed.
fn watched(mut child: Child, began: Instant) -> Outcome<(ExitStatus, Duration, Option<u64>)> {
    let status_file = format!("/proc/{}/status", child.id());
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut peak = None;
            while !ended.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(1));
                peak = peak.max(peak_of(&status_file));
            }
            peak
        });
        let status = child.wait();
        let time = began.elapsed();
        ended.store(true, Ordering::Relaxed);
        let peak = watch.join().map_err(|_| "the watching thread failed")?;
        Ok((status?, time, peak))
    })
}

/// The line `VmHWM` of Linux, in kB.
fn peak_of(status_file: &str) -> Option<u64> {
    let text = fs::read_to_string(status_file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The machine's load, where the system tells it.
pub(crate) fn load() -> String {
    let read = fs::read_to_string("/proc/loadavg");
    read.map_or_else(|_| "unknown".into(), |text| text.split(' ').take(3).collect::<Vec<_>>().join(" "))
}
