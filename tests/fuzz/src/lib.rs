//! Every parser as a plain function over octets, with the laws that hold for whatever it is given.
//!
//! Three things call them: `cargo test` (the corpus, and inputs made of it with a fixed seed), this crate's program (as
//! many inputs as one likes), and `fuzz/`, outside the workspace, under cargo-fuzz. `CONTRIBUTING.md` says how.

#![allow(clippy::panic, reason = "a law that does not hold ends in a panic, which is what a fuzzer sees")]

mod mutate;
mod prng;
mod run;
mod targets;

use std::path::{Path, PathBuf};

pub use mutate::{MAX_LENGTH, Mutator};
pub use prng::Prng;
pub use run::{Failure, Hung, Options, Report, Slowest, run};
pub use targets::TARGETS;

/// One parser, or what belongs together.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// What it is called on the command line, in `fuzz/`, and as a folder of the corpus.
    pub name: &'static str,
    /// What it reads, in a few words.
    pub about: &'static str,
    /// Reads the octets. A panic is a finding: the parser's own, or that of a law that did not hold.
    pub run: fn(&[u8]),
    /// Words that its inputs are made of. A mutation puts them in.
    pub words: &'static [&'static str],
}

impl Target {
    /// The folder of its seeds.
    pub fn corpus(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(self.name)
    }

    /// Its seeds, in the order of their file names.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn seeds(&self) -> std::io::Result<Vec<Vec<u8>>> {
        let entries = std::fs::read_dir(self.corpus())?.collect::<Result<Vec<_>, _>>()?;
        let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        paths.sort();
        paths.iter().map(std::fs::read).collect()
    }
}

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Reads the octets with the target of this name, for cargo-fuzz.
///
/// # Panics
/// There is no such target, or its parser or one of its laws failed.
pub fn read(name: &str, input: &[u8]) {
    match target(name) {
        Some(target) => (target.run)(input),
        None => panic!("no target `{name}`"),
    }
}
