//! Runs the targets over as many inputs as one likes.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use mailzone_fuzz::{MAX_LENGTH, Options, Report, TARGETS, Target, run, target};

/// Runs every parser over inputs made of the checked-in ones. Ends with 1 if one of them panics, breaks a law, or takes
/// too long; the input is then in a file.
#[derive(Debug, Parser)]
struct Args {
    /// Only this target; may be given more than once.
    #[arg(long, value_name = "NAME")]
    target: Vec<String>,
    /// How many inputs for each target.
    #[arg(long, default_value_t = 1_000_000)]
    inputs: u64,
    /// The seed; the same one gives the same inputs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// An input that takes longer is a failure, in milliseconds.
    #[arg(long, default_value_t = 1000, value_name = "MS")]
    slow: u64,
    /// The longest input, in octets.
    #[arg(long, default_value_t = MAX_LENGTH)]
    longest: usize,
    /// Where failing and slowest inputs are written.
    #[arg(long, default_value = "target/fuzz", value_name = "DIRECTORY")]
    out: PathBuf,
    /// Only reads this file with each target, such as an input that failed before.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
}

fn main() -> ExitCode {
    match fuzz(&Args::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn fuzz(args: &Args) -> io::Result<ExitCode> {
    let mut chosen: Vec<&'static Target> = Vec::new();
    for name in &args.target {
        let unknown = || io::Error::other(format!("no target `{name}`; there are: {}", names()));
        chosen.push(target(name).ok_or_else(unknown)?);
    }
    if chosen.is_empty() {
        chosen.extend(TARGETS);
    }
    if let Some(path) = &args.input {
        let input = std::fs::read(path)?;
        chosen.iter().for_each(|target| (target.run)(&input));
        return Ok(ExitCode::SUCCESS);
    }
    std::fs::create_dir_all(&args.out)?;
    // A panic is told once, at the end.
    std::panic::set_hook(Box::new(|_| {}));
    let options = Options {
        inputs: args.inputs,
        seed: args.seed,
        longest: args.longest,
        slow: Duration::from_millis(args.slow),
        hung: Some((Duration::from_secs(60), hung)),
    };
    println!("{:<22} {:>10} {:>9} {:>12}  result", "target", "inputs", "seconds", "slowest/ms");
    let mut failed = false;
    for target in chosen {
        let report = run(target, &options)?;
        failed |= report.failure.is_some();
        tell(target, &report, args)?;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn tell(target: &Target, report: &Report, args: &Args) -> io::Result<()> {
    let slowest = report.slowest.took.as_secs_f64() * 1000.0;
    print!("{:<22} {:>10} {:>9.1} {slowest:>12.3}  ", target.name, report.inputs, report.took.as_secs_f64());
    std::fs::write(args.out.join(format!("{}.slowest", target.name)), &report.slowest.input)?;
    let Some(failure) = &report.failure else {
        println!("ok, slowest has {} octets", report.slowest.input.len());
        return Ok(());
    };
    let path = args.out.join(format!("{}.failed", target.name));
    std::fs::write(&path, &failure.input)?;
    println!("FAILED");
    eprintln!("{}: {}\n    with the input in {}", target.name, failure.what, path.display());
    Ok(())
}

fn hung(target: &Target, input: &[u8]) {
    let path = std::env::temp_dir().join(format!("{}.hung", target.name));
    let written = std::fs::write(&path, input);
    eprintln!("{}: no end after a minute, with the input in {}: {written:?}", target.name, path.display());
}

fn names() -> String {
    TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ")
}
