//! Name servers and resolvers of others on loopback, as processes that end with the test.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mailzone_record::{Name, RecordType};
use mailzone_wire::{Message, Query, exchange};
use tempfile::TempDir;

/// How long a daemon may take until it answers.
const START: Duration = Duration::from_secs(60);

/// 127.0.0.1 and a free port.
const LOOPBACK: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// The address that resolvers ask from, so that logs of name servers tell them from the program.
pub(crate) const RESOLVERS_ADDRESS: &str = "127.0.0.2";

/// Where the programs are. Without one of them the test is to pass: `None` after a line on standard error; with
/// `MAILZONE_REQUIRE_TOOLS=1` it fails instead.
pub(crate) fn tools<const N: usize>(programs: [&str; N]) -> Option<[PathBuf; N]> {
    let mut found = Vec::new();
    for program in programs {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut directories =
            std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from));
        let Some(place) = directories.find(|directory| directory.join(program).is_file()) else {
            return without(program);
        };
        found.push(place.join(program));
    }
    found.try_into().ok()
}

/// Nothing, said on standard error, or a failure.
#[expect(clippy::print_stderr, reason = "a skipped test should say so")]
fn without<T>(what: &str) -> Option<T> {
    assert!(std::env::var_os("MAILZONE_REQUIRE_TOOLS").is_none_or(|value| value != "1"), "no {what}");
    eprintln!("skipped: no {what}");
    None
}

/// A process in a directory of its own; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    directory: TempDir,
    /// Where it answers.
    pub(crate) address: SocketAddr,
    /// The command, without a shell, that makes it load `{zone}` again; empty for a resolver.
    pub(crate) reload: Vec<String>,
}

/// What a server is to load: the zone's name and the file.
pub(crate) type ZoneFiles = [(String, PathBuf)];

/// All zone files of a directory.
pub(crate) fn zone_files(directory: &Path) -> Vec<(String, PathBuf)> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut zones: Vec<_> = paths
        .filter_map(|path| Some((path.file_name()?.to_str()?.strip_suffix(".zone")?.to_owned(), path.clone())))
        .collect();
    zones.sort();
    zones
}

impl Daemon {
    /// BIND with these zones at 127.0.0.1, and a log of the questions.
    pub(crate) fn bind(zones: &ZoneFiles) -> Option<Self> {
        let [named, rndc] = tools(["named", "rndc"])?;
        let key = "key control { algorithm hmac-sha256; secret \"bWFpbHpvbmUgdGVzdHMgb24gbG9vcGJhY2s=\"; };\n";
        let prepare = |directory: &Path, [port, control]: [u16; 2]| {
            let text = format!(
                "{key}options {{ directory \"{directory}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
                 recursion no; dnssec-validation no; notify no; pid-file none; lock-file none; session-keyfile none;\n\
                 empty-zones-enable no; querylog yes; max-zone-ttl unlimited;\n\
                 allow-transfer {{ 127.0.0.1; }}; check-names primary ignore; check-integrity no; }};\n\
                 controls {{ inet 127.0.0.1 port {control} allow {{ 127.0.0.1; }} keys {{ control; }}; }};\n{zones}",
                directory = directory.display(),
                zones = bind_zones(zones),
            );
            fs::write(directory.join("named.conf"), text).unwrap();
            let text =
                format!("{key}options {{ default-key control; default-server 127.0.0.1; default-port {control}; }};");
            fs::write(directory.join("rndc.conf"), text).unwrap();
            words(&["-g", "-n", "1", "-c", "named.conf"])
        };
        let control = |directory: &Path| vec![shown(&rndc), "-c".to_owned(), shown(&directory.join("rndc.conf"))];
        let mut bind = Self::start(&named, LOOPBACK, prepare, |daemon| {
            run(&[control(daemon.directory.path()), words(&["status"])].concat()) && daemon.has(zones)
        });
        bind.reload = [control(bind.directory.path()), words(&["reload", "{zone}"])].concat();
        Some(bind)
    }

    /// Knot DNS with these zones at 127.0.0.1.
    pub(crate) fn knot(zones: &ZoneFiles) -> Option<Self> {
        Self::knot_at(LOOPBACK, zones)
    }

    /// The same at another address of loopback; port 0 takes a free one.
    pub(crate) fn knot_at(at: SocketAddr, zones: &ZoneFiles) -> Option<Self> {
        let [knotd, knotc] = tools(["knotd", "knotc"])?;
        let prepare = |directory: &Path, [port, _]: [u16; 2]| {
            let mut text = format!(
                "server:\n  rundir: {directory}\n  listen: {ip}@{port}\n  udp-workers: 1\n  tcp-workers: 1\n  \
                 background-workers: 1\ncontrol:\n  listen: {directory}/control\ndatabase:\n  storage: {directory}\n\
                 log:\n  - target: stderr\n    any: info\nacl:\n  - id: local\n    address: 127.0.0.1\n    action: transfer\n\
                 template:\n  - id: default\n    zonefile-sync: -1\n    journal-content: none\n    acl: local\nzone:\n",
                directory = directory.display(),
                ip = at.ip(),
            );
            for (zone, file) in zones {
                text += &format!("  - domain: {}\n    file: {}\n", origin(zone), file.display());
            }
            fs::write(directory.join("knot.conf"), text).unwrap();
            words(&["-c", "knot.conf"])
        };
        let control = |directory: &Path| {
            let conf = shown(&directory.join("knot.conf"));
            [vec![shown(&knotc), "-c".to_owned(), conf], words(&["-b"])].concat()
        };
        let mut knot = Self::start(&knotd, at, prepare, |daemon| {
            run(&[control(daemon.directory.path()), words(&["status"])].concat()) && daemon.has(zones)
        });
        knot.reload = [control(knot.directory.path()), words(&["zone-reload", "{zone}"])].concat();
        Some(knot)
    }

    /// PowerDNS with its BIND back end and these zones.
    pub(crate) fn powerdns(zones: &ZoneFiles) -> Option<Self> {
        let [server, control] = tools(["pdns_server", "pdns_control"])?;
        // The back end is a package of its own.
        let modules = Command::new(&server).args(["--no-config", "--list-modules"]).output().unwrap();
        if ![modules.stdout, modules.stderr].concat().split(|&byte| byte == b'\n').any(|line| line == b"bind") {
            return without("PowerDNS's BIND back end");
        }
        let prepare = |directory: &Path, [port, _]: [u16; 2]| {
            fs::write(directory.join("named.conf"), bind_zones(zones)).unwrap();
            let text = format!(
                "launch=bind\nbind-config={directory}/named.conf\nsocket-dir={directory}\nlocal-address=127.0.0.1\n\
                 local-port={port}\nsecurity-poll-suffix=\nreceiver-threads=1\ndistributor-threads=1\n",
                directory = directory.display(),
            );
            fs::write(directory.join("pdns.conf"), text).unwrap();
            vec![format!("--config-dir={}", directory.display()), "--daemon=no".to_owned(), "--guardian=no".to_owned()]
        };
        let command = |directory: &Path| vec![shown(&control), format!("--config-dir={0}", directory.display())];
        let mut powerdns = Self::start(&server, LOOPBACK, prepare, |daemon| {
            run(&[command(daemon.directory.path()), words(&["rping"])].concat()) && daemon.has(zones)
        });
        powerdns.reload = [command(powerdns.directory.path()), words(&["bind-reload-now", "{zone}"])].concat();
        Some(powerdns)
    }

    /// Unbound, which has no zones, and asks `server` from [`RESOLVERS_ADDRESS`] for everything below `zone`.
    pub(crate) fn unbound(zone: &str, server: SocketAddr) -> Option<Self> {
        let [unbound] = tools(["unbound"])?;
        let prepare = |directory: &Path, [port, _]: [u16; 2]| {
            let text = format!(
                "server:\n  directory: \"{directory}\"\n  chroot: \"\"\n  username: \"\"\n  pidfile: \"\"\n  \
                 do-daemonize: no\n  use-syslog: no\n  logfile: \"\"\n  interface: 127.0.0.1@{port}\n  \
                 outgoing-interface: {RESOLVERS_ADDRESS}\n  do-ip6: no\n  do-not-query-localhost: no\n  \
                 module-config: \"iterator\"\n  local-zone: \"test.\" nodefault\n  num-threads: 1\n  \
                 so-reuseport: no\nremote-control:\n  control-enable: no\n\
                 stub-zone:\n  name: \"{zone}\"\n  stub-addr: {ip}@{server_port}\n  stub-prime: no\n",
                directory = directory.display(),
                ip = server.ip(),
                server_port = server.port(),
            );
            fs::write(directory.join("unbound.conf"), text).unwrap();
            words(&["-d", "-p", "-c", "unbound.conf"])
        };
        let origin = Name::parse(zone).unwrap();
        // The NS set: no test is about it, so its being remembered changes nothing.
        Some(Self::start(&unbound, LOOPBACK, prepare, |daemon| {
            ask(daemon.address, &Query::recursive(origin.clone(), RecordType::NS))
                .is_some_and(|message| !message.answers.is_empty())
        }))
    }

    /// Starts it at an address, with a free port if that is 0, and waits until it is ready. `prepare` writes what
    /// it reads and gives its arguments; it has that port and another one. Somebody may take a port between our
    /// look and its start, so there is more than one try.
    fn start(
        program: &Path,
        at: SocketAddr,
        prepare: impl Fn(&Path, [u16; 2]) -> Vec<String>,
        ready: impl Fn(&Self) -> bool,
    ) -> Self {
        let mut last_words = String::new();
        for _ in 0..5 {
            let directory = tempfile::tempdir().unwrap();
            let ports = [if at.port() == 0 { free_port() } else { at.port() }, free_port()];
            let arguments = prepare(directory.path(), ports);
            let log = fs::File::create(directory.path().join("log")).unwrap();
            let child = Command::new(program)
                .args(arguments)
                .current_dir(directory.path())
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn()
                .unwrap();
            let address = SocketAddr::from((at.ip(), ports[0]));
            let mut daemon = Self { child, directory, address, reload: Vec::new() };
            let begun = Instant::now();
            while daemon.child.try_wait().unwrap().is_none() {
                if ready(&daemon) {
                    return daemon;
                }
                assert!(begun.elapsed() < START, "{} is not ready; it said:\n{}", program.display(), daemon.log());
                std::thread::sleep(Duration::from_millis(20));
            }
            last_words = daemon.log();
        }
        panic!("{} does not start; it said:\n{last_words}", program.display());
    }

    /// What it has said.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.directory.path().join("log")).unwrap_or_default()).into_owned()
    }

    /// Whether it answers with authority for all of them.
    fn has(&self, zones: &ZoneFiles) -> bool {
        zones.iter().all(|(zone, _)| {
            let origin = Name::parse(origin(zone)).unwrap();
            ask(self.address, &Query::authoritative(origin, RecordType::SOA))
                .is_some_and(|message| message.authoritative && !message.answers.is_empty())
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It has ended already, or ends now: either is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One question, without waiting long for the answer.
pub(crate) fn ask(server: SocketAddr, query: &Query) -> Option<Message> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(exchange(server, query, Duration::from_secs(2)));
    answer.ok().map(|exchange| exchange.message)
}

/// The zone of a file; that of `root.zone` is the root.
fn origin(zone: &str) -> &str {
    if zone == "root" { "." } else { zone }
}

/// The zones as BIND's configuration has them.
fn bind_zones(zones: &ZoneFiles) -> String {
    let line = |(zone, file): &(String, PathBuf)| {
        format!("zone \"{}\" {{ type master; file \"{}\"; }};\n", origin(zone), file.display())
    };
    zones.iter().map(line).collect()
}

/// Whether the command succeeds.
fn run(command: &[String]) -> bool {
    let output = Command::new(&command[0]).args(&command[1..]).stdin(Stdio::null()).output().unwrap();
    output.status.success()
}

/// A port that nobody has at 127.0.0.1, 127.0.0.2 and 127.0.0.3, for UDP and TCP.
fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind(LOOPBACK).unwrap();
        let port = listener.local_addr().unwrap().port();
        let other = |at| TcpListener::bind((Ipv4Addr::new(127, 0, 0, at), port)).is_ok();
        let udp = |at| UdpSocket::bind((Ipv4Addr::new(127, 0, 0, at), port)).is_ok();
        if [2, 3].into_iter().all(other) && [1, 2, 3].into_iter().all(udp) {
            return port;
        }
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn shown(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
