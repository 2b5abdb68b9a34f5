//! Secrets by reference (`design.md` section 6): the configuration says where a secret is, never what it is.
//!
//! A key that takes a secret has the shape `Shape::Table(&SECRET)` in the key tables and is read with
//! [`reference`] into the settings of its provider. Whoever is about to ask the provider gets the secret from the
//! run's [`Secrets`]; a [`SecretError`] is an error of credentials.

mod command;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use crate::escape;
use crate::raw::Node;
use crate::service::{Credential, Customary, Given};

/// The octets that a secret may have, its line end included.
pub const MAX_SECRET_SIZE: usize = 64 << 10;

/// How long a command that prints a secret may take.
pub const SECRET_COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// Looks up an environment variable; only the program itself reads its environment.
pub type Environment<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretRef {
    /// `{ env = "NAME" }`: an environment variable.
    Env(String),
    /// `{ file = "PATH" }`: a regular file, or a link to one; completed with the directory of the file that
    /// names it.
    File(PathBuf),
    /// `{ command = ["PROGRAM", "ARGUMENT"] }`: what a program prints. It is started without a shell and
    /// without input in the working directory, may take [`SECRET_COMMAND_LIMIT`], and has to end with 0.
    Command {
        /// A path, or a name that is looked up in `PATH`.
        program: String,
        /// Its arguments, as they are.
        arguments: Vec<String>,
    },
}

/// A secret: text that is not empty. It is wiped from memory with its last copy, and shown by nothing.
#[derive(Debug, Clone)]
pub struct Secret(Arc<SecretString>);

/// The secrets of one run: each reference is resolved once, also one that failed.
#[derive(Debug, Default)]
pub struct Secrets {
    known: Mutex<BTreeMap<SecretRef, Result<Secret, SecretError>>>,
}

/// A secret that cannot be had.
///
/// It is for the user to mend; a retry helps at most after [`SecretFault::Status`] and
/// [`SecretFault::TimedOut`]. The text names the variable, the file or the program. It shows neither
/// arguments nor output of a command, nor anything that was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reference} {}", self.what())]
pub struct SecretError {
    /// The reference.
    pub reference: SecretRef,
    /// What is wrong with what it names.
    pub fault: SecretFault,
}

/// Why a secret cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretFault {
    /// There is no such variable.
    Unset,
    /// There is no such file or program.
    NotFound,
    /// The file may not be read, or the program not be executed.
    Denied,
    /// The file is a directory, a pipe or a device.
    NotRegular,
    /// Another answer of the system.
    System(io::ErrorKind),
    /// The program did not end with 0.
    Status(ExitStatus),
    /// The program, or what it started with the same output, did not end within the time given here. It was
    /// killed.
    TimedOut(Duration),
    /// There is nothing but perhaps a line end.
    Empty,
    /// It is over [`MAX_SECRET_SIZE`].
    TooLong,
    /// It is no text.
    NotUtf8,
}

impl SecretRef {
    /// Gets the secret; of its line ends the last one is removed. Blocks until a command has ended.
    /// [`Secrets::get`] does it once.
    pub fn resolve(&self, env: &Environment<'_>) -> Result<Secret, SecretError> {
        self.resolve_within(SECRET_COMMAND_LIMIT, env)
    }

    fn resolve_within(&self, limit: Duration, env: &Environment<'_>) -> Result<Secret, SecretError> {
        let octets = match self {
            Self::Env(name) => match env(name) {
                Some(value) => Ok(Zeroizing::new(value.into_encoded_bytes())),
                None => Err(SecretFault::Unset),
            },
            Self::File(path) => read_file(path),
            Self::Command { program, arguments } => command::run(program, arguments, limit),
        };
        octets.and_then(|octets| secret(&octets)).map_err(|fault| SecretError { reference: self.clone(), fault })
    }
}

impl Secret {
    /// The secret itself, for the request that needs it and nothing else.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The secret, still wrapped, for whoever keeps it.
    pub fn wrapped(&self) -> &SecretString {
        &self.0
    }
}

impl Secrets {
    /// The secret, resolved if nobody asked for it before. Whoever asks meanwhile waits, so that no two
    /// commands ask for a passphrase at once.
    pub fn get(&self, reference: &SecretRef, env: &Environment<'_>) -> Result<Secret, SecretError> {
        // What is in the map is whole, whoever panicked.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(reference) {
            return found.clone();
        }
        let found = reference.resolve(env);
        known.insert(reference.clone(), found.clone());
        found
    }
}

impl Secrets {
    /// The secret and where it was; `None` where the table names none and no customary variable is set.
    pub fn find(
        &self,
        credential: &Credential,
        env: &Environment<'_>,
    ) -> Result<Option<(Secret, SecretRef)>, SecretError> {
        let reference = match credential {
            Given::Named(named) => named.value.clone(),
            Given::Customary(customary) => match customary.variable(env) {
                Some(variable) => SecretRef::Env(variable.to_owned()),
                None => return Ok(None),
            },
        };
        Ok(Some((self.get(&reference, env)?, reference)))
    }
}

impl Customary {
    /// The first variable that is set, and not to nothing: workflows set what they do not have to an empty text.
    pub fn variable(&self, env: &Environment<'_>) -> Option<&'static str> {
        self.variables.iter().copied().find(|name| env(name).is_some_and(|value| !value.is_empty()))
    }
}

impl SecretError {
    /// What the user can do about it.
    pub fn remedy(&self) -> &'static str {
        let by_hand = "run it by hand: mailzone gives it no input and does not show what it prints";
        match (self.fault, &self.reference) {
            (SecretFault::Status(_) | SecretFault::TimedOut(_), _) => by_hand,
            (SecretFault::Empty | SecretFault::TooLong | SecretFault::NotUtf8, SecretRef::Command { .. }) => by_hand,
            (SecretFault::NotFound, SecretRef::Command { .. }) => "install it, or correct the name of the program",
            (SecretFault::Denied, SecretRef::Command { .. }) => "let the user that runs mailzone execute it",
            (_, SecretRef::Env(_)) => "set it to the secret where mailzone is started",
            (SecretFault::Denied, _) => "let the user that runs mailzone read it",
            _ => "name a file that holds the secret and nothing else",
        }
    }

    fn what(&self) -> String {
        let is_command = matches!(self.reference, SecretRef::Command { .. });
        let text = match (self.fault, is_command) {
            (SecretFault::Unset, _) => "is not set",
            (SecretFault::NotFound, false) => "does not exist",
            (SecretFault::NotFound, true) => "was not found",
            (SecretFault::Denied, false) => "cannot be read: permission denied",
            (SecretFault::Denied, true) => "cannot be started: permission denied",
            (SecretFault::NotRegular, _) => "is no regular file",
            (SecretFault::System(kind), false) => return format!("cannot be read: {kind}"),
            (SecretFault::System(kind), true) => return format!("cannot be run: {kind}"),
            (SecretFault::Status(status), _) => return format!("failed ({status})"),
            (SecretFault::TimedOut(limit), _) => {
                return format!("did not end within {} s and was killed", limit.as_secs());
            }
            (SecretFault::Empty, false) => "is empty",
            (SecretFault::Empty, true) => "printed nothing",
            (SecretFault::TooLong, false) => "is over 64 KiB",
            (SecretFault::TooLong, true) => "printed more than 64 KiB and was killed",
            (SecretFault::NotUtf8, false) => "is not UTF-8",
            (SecretFault::NotUtf8, true) => "printed what is not UTF-8",
        };
        text.to_owned()
    }
}

impl fmt::Display for SecretRef {
    /// `the environment variable NAME`, `the file PATH`, `the command PROGRAM`, escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable {}", escape::line(name)),
            Self::File(path) => write!(f, "the file {}", escape::line(&path.to_string_lossy())),
            Self::Command { program, .. } => write!(f, "the command {}", escape::line(program)),
        }
    }
}

/// The reference in a table that was checked; `None` for what the check has refused.
pub(crate) fn reference(node: &Node<'_>) -> Option<SecretRef> {
    if let Some(name) = node.get("env") {
        return Some(SecretRef::Env(name.text()?.to_owned()));
    }
    if let Some(path) = node.get("file") {
        return Some(SecretRef::File(node.file.directory.join(path.text()?)));
    }
    let command = node.get("command")?;
    let mut words = command.items().filter_map(|word| Some(word.text()?.to_owned()));
    Some(SecretRef::Command { program: words.next()?, arguments: words.collect() })
}

fn secret(octets: &[u8]) -> Result<Secret, SecretFault> {
    if octets.len() > MAX_SECRET_SIZE {
        return Err(SecretFault::TooLong);
    }
    let text = std::str::from_utf8(octets).map_err(|_| SecretFault::NotUtf8)?;
    let text = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    if text.is_empty() { Err(SecretFault::Empty) } else { Ok(Secret(Arc::new(text.into()))) }
}

fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFault> {
    // Opening a FIFO would block.
    if !fs::metadata(path)?.is_file() {
        return Err(SecretFault::NotRegular);
    }
    limited(File::open(path)?)
}

/// All that there is, up to one octet more than a secret may have.
fn limited(from: impl Read) -> Result<Zeroizing<Vec<u8>>, SecretFault> {
    // As long as it may become, so that growing leaves no copies behind.
    let mut octets = Zeroizing::new(Vec::with_capacity(MAX_SECRET_SIZE + 1));
    from.take(MAX_SECRET_SIZE as u64 + 1).read_to_end(&mut octets)?;
    if octets.len() > MAX_SECRET_SIZE { Err(SecretFault::TooLong) } else { Ok(octets) }
}

impl From<io::Error> for SecretFault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::PermissionDenied => Self::Denied,
            kind => Self::System(kind),
        }
    }
}

#[cfg(test)]
mod tests;
