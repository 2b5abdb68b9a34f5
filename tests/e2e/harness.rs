//! Projects in temporary directories, the program run in them, and servers that it asks.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mailzone_record::zonefile::ZoneFile;
use mailzone_record::{Name, Ttl};
use mailzone_server::{Handle, Server, Switches, Zone};
use serde_json::Value;
use tempfile::TempDir;

/// The built program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_mailzone");

/// A configuration of one zone-file provider that serves its directory while a command runs.
pub(crate) const SERVED: &str = "[providers.files]
type = \"zonefile\"
directory = \"zones\"
serve = \"127.0.0.1:0\"

[latency]
samples = 1

[defaults]
provider = \"files\"
";

/// A directory of its own with configuration and zone files, and a clean environment to run in.
#[derive(Debug)]
pub(crate) struct Project {
    dir: TempDir,
}

impl Project {
    /// An empty one.
    pub(crate) fn empty() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// One with `mailzone.toml` of [`SERVED`] and `domains`, and zone files by origin.
    pub(crate) fn new(domains: &str, zones: &[(&str, String)]) -> Self {
        let project = Self::empty();
        project.write("mailzone.toml", format!("{SERVED}\n{domains}"));
        project.write("zones/.keep", "");
        for (origin, text) in zones {
            project.write(&format!("zones/{origin}.zone"), text);
        }
        project
    }

    /// One domain, `example.test`, that wants an SPF value which its zone does not have: one change, no guard.
    pub(crate) fn simple() -> Self {
        Self::new(
            "[domains.\"example.test\"]\nspf = \"v=spf1 ip4:203.0.113.7 -all\"\n",
            &[("example.test", zone_text("example.test", &["@ TXT \"a token\"", "www A 192.0.2.80"]))],
        )
    }

    /// Where it is.
    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Writes a file; directories are made.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A file's text.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Replaces a text that has to be in the file.
    pub(crate) fn replace(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} has no {from:?}");
        self.write(name, text.replace(from, to));
    }

    /// Whether the path is there.
    pub(crate) fn exists(&self, name: &str) -> bool {
        self.path(name).symlink_metadata().is_ok()
    }

    /// The program with these arguments, ready to run here: no environment but `PATH`, `HOME` and `COLUMNS`,
    /// no input. A plan looks up nothing outside its zones: the public DNS is no part of a test.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let args: Vec<OsString> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let plans = args.iter().any(|arg| arg == "plan" || arg == "apply") && !args.iter().any(|arg| arg == "--help");
        self.looking(args.into_iter().chain(plans.then(|| "--no-look".into())))
    }

    /// Likewise, and a plan looks up what its configuration lets it.
    pub(crate) fn looking<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(args)
            .current_dir(self.root())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root())
            .env("COLUMNS", "100")
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        self.finish(&mut self.command(args))
    }

    /// Runs the program and wants this exit code.
    pub(crate) fn run_to<A: AsRef<OsStr>>(&self, code: i32, args: impl IntoIterator<Item = A>) -> Output {
        self.run(args).expect_code(code)
    }

    /// Runs a prepared command to its end.
    pub(crate) fn finish(&self, command: &mut Command) -> Output {
        let output = command.output().unwrap();
        Output {
            code: code_of(output.status),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            root: self.root().to_owned(),
        }
    }

    /// Runs the program with `input` on its standard input.
    pub(crate) fn run_with_input<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>, input: &[u8]) -> Output {
        let mut command = self.command(args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A program that ends without reading its input closes the pipe: that is for the test to judge.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        Output {
            code: code_of(output.status),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            root: self.root().to_owned(),
        }
    }

    /// Starts the program and lets it run.
    pub(crate) fn start<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Running {
        self.start_command(&mut self.command(args))
    }

    /// Starts a prepared command and lets it run.
    pub(crate) fn start_command(&self, command: &mut Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = Lines::follow(child.stdout.take().unwrap());
        let stderr = Lines::follow(child.stderr.take().unwrap());
        Running { child, stdout, stderr, root: self.root().to_owned() }
    }

    /// `mailzone serve` for a directory of this project, on a free port of loopback.
    pub(crate) fn serve(&self, directory: &str) -> Serving {
        let running = self.start(["serve", "--directory", directory, "--listen", "127.0.0.1:0"]);
        let line = running.stdout.wait_for("listening ");
        let address = line.trim().strip_prefix("listening ").unwrap().parse().unwrap();
        Serving { address, running }
    }
}

/// What a finished run left.
#[derive(Debug)]
pub(crate) struct Output {
    /// The exit code; 128 and the signal's number where a signal ended it.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
    root: PathBuf,
}

impl Output {
    /// This exit code, or the test ends with everything that was printed.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Standard output as the one JSON document that it has to be.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr))
    }

    /// Standard output without what differs from run to run.
    pub(crate) fn shown(&self) -> String {
        redacted(&self.stdout, &self.root)
    }

    /// Standard error without what differs from run to run.
    pub(crate) fn said(&self) -> String {
        redacted(&self.stderr, &self.root)
    }
}

/// A program that runs; it is ended when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    /// What it has written to standard output.
    pub(crate) stdout: Lines,
    /// What it has written to standard error.
    pub(crate) stderr: Lines,
    root: PathBuf,
}

impl Running {
    /// Sends it a signal: `INT`, `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Its standard input, where it was given one.
    pub(crate) fn input(&mut self) -> &mut ChildStdin {
        self.child.stdin.as_mut().unwrap()
    }

    /// Waits for its end, a minute at most.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Output {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "the program does not end");
            std::thread::sleep(Duration::from_millis(10));
        };
        Output { code: code_of(status), stdout: self.stdout.all(), stderr: self.stderr.all(), root: self.root.clone() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, or ends now: either is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `mailzone serve`, until dropped.
#[derive(Debug)]
pub(crate) struct Serving {
    /// Where it answers.
    pub(crate) address: SocketAddr,
    /// The program.
    pub(crate) running: Running,
}

/// What a program writes, as it comes.
#[derive(Debug)]
pub(crate) struct Lines {
    seen: Arc<(Mutex<(String, bool)>, std::sync::Condvar)>,
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    fn follow(from: impl std::io::Read + Send + 'static) -> Self {
        let seen = Arc::new((Mutex::new((String::new(), false)), std::sync::Condvar::new()));
        let shared = Arc::clone(&seen);
        let reader = std::thread::spawn(move || {
            let mut from = from;
            let mut bytes = [0; 4096];
            // By pieces, not by lines: a question has no line end.
            while let Ok(read @ 1..) = from.read(&mut bytes) {
                shared.0.lock().unwrap().0.push_str(&String::from_utf8_lossy(&bytes[..read]));
                shared.1.notify_all();
            }
            shared.0.lock().unwrap().1 = true;
            shared.1.notify_all();
        });
        Self { seen, reader: Some(reader) }
    }

    /// The first line that has `part` in it, as soon as it is there. The test ends if the program does first, or
    /// says nothing for a minute.
    #[track_caller]
    pub(crate) fn wait_for(&self, part: &str) -> String {
        self.wait(part, true)
    }

    /// The same for a question, which has no line end.
    #[track_caller]
    pub(crate) fn wait_for_question(&self, part: &str) -> String {
        self.wait(part, false)
    }

    #[track_caller]
    fn wait(&self, part: &str, whole: bool) -> String {
        let (lock, changed) = &*self.seen;
        let mut seen = lock.lock().unwrap();
        loop {
            let found = |line: &&str| line.contains(part) && (line.ends_with('\n') || !whole);
            if let Some(line) = seen.0.split_inclusive('\n').find(found) {
                return line.to_owned();
            }
            assert!(!seen.1, "it ended without {part:?}:\n{}", seen.0);
            let (next, waited) = changed.wait_timeout(seen, Duration::from_secs(60)).unwrap();
            assert!(!waited.timed_out(), "nothing came for a minute, {part:?} neither:\n{}", next.0);
            seen = next;
        }
    }

    fn all(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.seen.0.lock().unwrap().0.clone()
    }
}

/// A name server in this process, of which a test can change the zones and the manners.
pub(crate) struct DnsServer {
    runtime: tokio::runtime::Runtime,
    server: Option<Server>,
}

impl DnsServer {
    /// Serves zones by origin, as zone-file text, at `address`; port 0 takes a free one. `None` if it is taken.
    pub(crate) fn try_start(address: SocketAddr, zones: &[(&str, String)]) -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let zones = zones.iter().map(|(origin, text)| dns_zone(origin, text)).collect();
        let server = runtime.block_on(Server::start(address, zones)).ok()?;
        Some(Self { runtime, server: Some(server) })
    }

    /// The same on a free port of 127.0.0.1.
    pub(crate) fn start(zones: &[(&str, String)]) -> Self {
        Self::try_start(SocketAddr::from(([127, 0, 0, 1], 0)), zones).unwrap()
    }

    /// Where it answers.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.as_ref().unwrap().local_addr()
    }

    /// Zones, switches and the log.
    pub(crate) fn handle(&self) -> Handle {
        self.server.as_ref().unwrap().handle()
    }

    /// How it misbehaves from now on.
    pub(crate) fn switch(&self, switches: Switches) {
        self.handle().set_switches(switches);
    }

    /// Serves this text for the zone from now on.
    pub(crate) fn replace(&self, origin: &str, text: &str) {
        self.handle().replace_zone(dns_zone(origin, text));
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop());
        }
    }
}

/// Servers on 127.0.0.1, 127.0.0.2 and so on that share one port, the first with the first zones, and so on: a
/// root server and those below it.
pub(crate) fn servers_on_one_port(zones: &[&[(&str, String)]]) -> Vec<DnsServer> {
    for _ in 0..64 {
        let mut port = 0;
        let mut servers = Vec::new();
        for (at, zones) in (1u8..).zip(zones) {
            let Some(server) = DnsServer::try_start(SocketAddr::from(([127, 0, 0, at], port)), zones) else { break };
            port = server.address().port();
            servers.push(server);
        }
        if servers.len() == zones.len() {
            return servers;
        }
    }
    panic!("no port is free on {} loopback addresses", zones.len());
}

/// A zone file: TTL, SOA and NS, then one line for each record. Serial 17, one name server `ns1` at 127.0.0.1.
pub(crate) fn zone_text(origin: &str, records: &[&str]) -> String {
    let mut text = format!(
        "$ORIGIN {origin}.\n$TTL 3600\n@ SOA ns1 hostmaster 17 7200 3600 1209600 300\n@ NS ns1\nns1 A 127.0.0.1\n"
    );
    for record in records {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{record}");
    }
    text
}

/// A zone for the server from zone-file text.
pub(crate) fn dns_zone(origin: &str, text: &str) -> Zone {
    let name = Name::parse(if origin == "." { "." } else { origin }).unwrap();
    let file = ZoneFile::parse(text.as_bytes(), &name).unwrap();
    let ttl = file.default_ttl().unwrap_or(Ttl::from_wire(3600));
    Zone::new(name, file.rrsets(), ttl).unwrap()
}

/// Text in which the project's directory, ports, times and run identifiers are placeholders.
pub(crate) fn redacted(text: &str, root: &Path) -> String {
    let canonical = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let text = text.replace(&*canonical.to_string_lossy(), "[DIR]").replace(&*root.to_string_lossy(), "[DIR]");
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let fresh = !shown.ends_with(|before: char| before.is_ascii_alphanumeric());
        let found =
            if fresh { PATTERNS.iter().find_map(|(shape, name)| Some((matched(rest, shape)?, name))) } else { None };
        if let Some((length, name)) = found {
            shown.push_str(name);
            rest = &rest[length..];
        } else {
            shown.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    shown
}

/// What differs from run to run. In a shape `0` is one digit, `#` one digit or more, `@` a digit or a dot, one or
/// more; all else is itself.
const PATTERNS: &[(&str, &str)] =
    &[("127.0.0.#:#", "[ADDR]"), ("00000000T000000Z-#", "[RUN]"), ("0000-00-00T00:00:00Z", "[TIME]"), ("@ ms", "[MS]")];

/// How many octets of the start of `text` have the shape.
fn matched(text: &str, shape: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    for wanted in shape.bytes() {
        let run =
            |of: fn(&u8) -> bool| bytes.get(at..).map_or(0, |rest| rest.iter().take_while(|byte| of(byte)).count());
        let length = match wanted {
            b'0' => usize::from(bytes.get(at).is_some_and(u8::is_ascii_digit)),
            b'#' => run(u8::is_ascii_digit),
            b'@' => run(|byte| byte.is_ascii_digit() || *byte == b'.'),
            other => usize::from(bytes.get(at) == Some(&other)),
        };
        if length == 0 {
            return None;
        }
        at += length;
    }
    Some(at)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("the program prints UTF-8")
}

fn code_of(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

#[test]
fn what_differs_is_redacted() {
    let text = "at 127.0.0.1:34603 in 0.25 ms, run 20261121T183234Z-26625, 2026-11-21T18:32:34Z, /x/y/z 192.0.2.1:53\n";
    assert_eq!(redacted(text, Path::new("/x/y")), "at [ADDR] in [MS], run [RUN], [TIME], [DIR]/z 192.0.2.1:53\n");
}
