use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use mailzone_record::Name;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

/// How much of a command's output is kept, in bytes of each stream.
const KEPT: usize = 2048;

/// A command that tells a name server that a zone file was replaced, such as `rndc reload {zone}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reload {
    program: String,
    arguments: Vec<String>,
    limit: Duration,
}

/// Why the command did not do its work. The zone file is replaced all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadFailure {
    message: String,
}

impl Reload {
    /// The command and its arguments; `{zone}` in an argument becomes the zone's name without the closing
    /// dot. No shell reads it. `None` if there is no program.
    pub fn new(command: Vec<String>) -> Option<Self> {
        let mut command = command.into_iter();
        let program = command.next().filter(|program| !program.is_empty())?;
        Some(Self { program, arguments: command.collect(), limit: Duration::from_secs(30) })
    }

    /// Runs the command without input; after 30 seconds it is killed. Two kilobytes of each output
    /// are kept for the failure's text.
    pub async fn run(&self, zone: &Name) -> Result<(), ReloadFailure> {
        let zone = zone.to_text_without_dot();
        let arguments = self.arguments.iter().map(|argument| argument.replace("{zone}", &zone));
        let spawned = Command::new(&self.program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child = spawned.map_err(|error| self.failed(format_args!("could not be started: {error}")))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let finished = async { tokio::join!(child.wait(), beginning(stdout), beginning(stderr)) };
        match tokio::time::timeout(self.limit, finished).await {
            Err(_) => Err(self.failed(format_args!("did not end within {} s and was killed", self.limit.as_secs()))),
            Ok((Err(error), ..)) => Err(self.failed(format_args!("could not be waited for: {error}"))),
            Ok((Ok(status), ..)) if status.success() => Ok(()),
            Ok((Ok(status), stdout, stderr)) => {
                let said = [stderr, stdout].into_iter().find(|text| !text.is_empty()).unwrap_or_default();
                let colon = if said.is_empty() { "" } else { ": " };
                Err(self.failed(format_args!("failed ({status}){colon}{said}")))
            }
        }
    }

    fn failed(&self, what: fmt::Arguments<'_>) -> ReloadFailure {
        ReloadFailure { message: format!("the reload command {} {what}", self.program) }
    }
}

impl fmt::Display for ReloadFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReloadFailure {}

/// The beginning of what a stream holds; the rest is read and dropped, so that the writer never waits.
async fn beginning(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let mut kept = Vec::new();
    let mut block = [0; 1024];
    while let Ok(count @ 1..) = stream.read(&mut block).await {
        let room = KEPT - kept.len();
        kept.extend_from_slice(&block[..count.min(room)]);
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn reload(command: &[&str]) -> Reload {
        Reload::new(command.iter().copied().map(str::to_owned).collect()).unwrap()
    }

    async fn run(command: &[&str]) -> Result<(), String> {
        let reload = reload(command);
        reload.run(&Name::parse("Example.com").unwrap()).await.map_err(|failure| failure.to_string())
    }

    #[tokio::test]
    async fn success_and_failures() {
        assert_eq!(Reload::new(vec![]), None);
        assert_eq!(Reload::new(vec![String::new()]), None);
        assert_eq!(run(&["test", "{zone}", "=", "Example.com"]).await, Ok(()));
        assert_eq!(
            run(&["sh", "-c", "echo no such zone: $0 >&2; exit 3", "{zone}"]).await.unwrap_err(),
            "the reload command sh failed (exit status: 3): no such zone: Example.com"
        );
        assert_eq!(run(&["false"]).await.unwrap_err(), "the reload command false failed (exit status: 1)");
        let missing = run(&["/not/there"]).await.unwrap_err();
        assert!(missing.starts_with("the reload command /not/there could not be started: "), "{missing}");
    }

    #[tokio::test]
    async fn output_is_limited_and_time_too() {
        let long = run(&["sh", "-c", "head -c 200000 /dev/zero | tr '\\0' x; exit 1"]).await.unwrap_err();
        assert!(long.len() < KEPT + 100, "{}", long.len());
        let slow = Reload { limit: Duration::from_millis(1), ..reload(&["sleep", "20"]) };
        let slow = slow.run(&Name::root()).await.unwrap_err();
        assert_eq!(slow.to_string(), "the reload command sleep did not end within 0 s and was killed");
    }
}
