//! A command that prints a secret.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use secrecy::zeroize::Zeroizing;

use super::{SecretFault, limited};

/// Between two looks whether a command that has closed its output has ended.
const POLL: Duration = Duration::from_millis(5);

/// What the command prints on its standard output until everybody who holds it has closed it; its standard
/// error goes nowhere. A command that takes or prints too much is killed with its process group.
pub(super) fn run(program: &str, arguments: &[String], limit: Duration) -> Result<Zeroizing<Vec<u8>>, SecretFault> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let started = Instant::now();
    let mut child = command.spawn()?;
    let ended = printed(&mut child, limit).and_then(|octets| Ok((octets, status(&mut child, started, limit)?)));
    match ended {
        Ok((octets, status)) if status.success() => Ok(octets),
        Ok((_, status)) => Err(SecretFault::Status(status)),
        Err(fault) => {
            kill(&mut child);
            Err(fault)
        }
    }
}

fn printed(child: &mut Child, limit: Duration) -> Result<Zeroizing<Vec<u8>>, SecretFault> {
    let Some(stdout) = child.stdout.take() else { return Err(SecretFault::System(std::io::ErrorKind::BrokenPipe)) };
    let (sender, receiver) = mpsc::channel();
    // A thread of its own, since reading a pipe knows no time limit. Nobody waits for it: what the kill does
    // not reach may hold the pipe open for ever.
    thread::Builder::new().name("secret".to_owned()).spawn(move || sender.send(limited(stdout)))?;
    receiver.recv_timeout(limit).unwrap_or(Err(SecretFault::TimedOut(limit)))
}

fn status(child: &mut Child, started: Instant, limit: Duration) -> Result<ExitStatus, SecretFault> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if started.elapsed() >= limit {
            return Err(SecretFault::TimedOut(limit));
        }
        thread::sleep(POLL);
    }
}

/// Kills a child that nobody has waited for yet, so that its number is still its own.
fn kill(child: &mut Child) {
    // The standard library signals no groups. Without the utility the child alone is killed.
    #[cfg(unix)]
    let _ = Command::new("kill")
        .args(["-s", "KILL", "--", &format!("-{}", child.id())])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let _ = child.kill();
    let _ = child.wait();
}
