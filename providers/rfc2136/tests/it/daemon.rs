//! Name servers, each started for one test with zones and a key.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mailzone_record::RecordType;
use mailzone_wire::{Query, exchange};
use tempfile::TempDir;

use super::{KEY, SECRET, name};

/// How long a daemon may take until it answers.
const START: Duration = Duration::from_secs(30);

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bind,
    Knot,
    PowerDns,
}

/// The zones that each daemon serves: name, and whether the key may transfer and update it.
pub(crate) const ZONES: [(&str, bool, bool); 5] = [
    ("conformance.example.", true, true),
    ("empty.example.", true, true),
    ("large.example.", true, true),
    ("no-transfer.example.", false, true),
    ("no-update.example.", true, false),
];

/// Records of `large.example.` beside SOA and NS.
pub(crate) const LARGE: usize = 5000;

/// A server on loopback; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
    programs: Vec<PathBuf>,
}

/// Where the program is; `None` after a line on standard error, or a failure with
/// `MAILZONE_REQUIRE_TOOLS=1`.
pub(crate) fn tool(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file());
    if found.is_none() {
        assert!(std::env::var_os("MAILZONE_REQUIRE_TOOLS").is_none_or(|value| value != "1"), "no {program}");
        eprintln!("skipped: no {program}");
    }
    found
}

impl Daemon {
    /// Starts it and waits until it answers for each zone; `None` without its programs.
    pub(crate) async fn start(kind: Kind) -> Option<Self> {
        let programs: &[&str] = match kind {
            Kind::Bind => &["named"],
            Kind::Knot => &["knotd"],
            Kind::PowerDns => &["pdns_server", "pdnsutil", "sqlite3"],
        };
        let programs = programs.iter().map(|program| tool(program)).collect::<Option<Vec<_>>>()?;
        let mut last_words = String::new();
        // Somebody may take the port between our look and its start.
        for _ in 0..5 {
            let directory = tempfile::tempdir().unwrap();
            let address = free_address();
            for (zone, ..) in ZONES {
                fs::write(directory.path().join(format!("{zone}zone")), zone_file(zone)).unwrap();
            }
            let mut command = match kind {
                Kind::Bind => bind(directory.path(), address),
                Kind::Knot => knot(directory.path(), address),
                Kind::PowerDns => power_dns(directory.path(), address, &programs)?,
            }
            .into_command(&programs[0]);
            let log = fs::File::create(directory.path().join("log")).unwrap();
            let child = command
                .current_dir(directory.path())
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn()
                .unwrap();
            let mut daemon = Self { child, address, directory, programs: programs.clone() };
            if daemon.answers().await {
                return Some(daemon);
            }
            last_words = daemon.log();
        }
        panic!("{kind:?} does not answer; it said:\n{last_words}");
    }

    /// Where it answers.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Runs PowerDNS's tool on its database.
    pub(crate) fn pdnsutil(&self, arguments: &[&str]) {
        let config = format!("--config-dir={}", self.directory.path().display());
        run(Command::new(&self.programs[1]).arg(config).args(arguments).stdin(Stdio::null()));
    }

    /// `name type content` of each record in PowerDNS's database, between tabs.
    pub(crate) fn database(&self, zone: &str) -> String {
        let query = format!(
            "select r.name || char(9) || r.type || char(9) || r.content from records r join domains d \
             on r.domain_id = d.id where r.type is not null and d.name = '{zone}'"
        );
        // The daemon may be writing at the moment.
        let mut command = Command::new(&self.programs[2]);
        command.args(["-cmd", ".timeout 20000"]).arg(self.directory.path().join("db")).arg(query);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    async fn answers(&mut self) -> bool {
        let deadline = Instant::now() + START;
        for (zone, ..) in ZONES {
            let query = Query::authoritative(name(zone), RecordType::SOA);
            loop {
                let answer = exchange(self.address, &query, Duration::from_secs(1)).await;
                if answer.is_ok_and(|answer| answer.message.authoritative && !answer.message.answers.is_empty()) {
                    break;
                }
                if Instant::now() > deadline || self.child.try_wait().unwrap().is_some() {
                    return false;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        true
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The arguments of a daemon.
struct Arguments(Vec<String>);

impl Arguments {
    fn into_command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.args(self.0);
        command
    }
}

/// A loopback address whose port nobody has, for UDP and TCP.
fn free_address() -> SocketAddr {
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

fn zone_file(zone: &str) -> String {
    // BIND takes no name server within the zone without an address.
    let mut text = format!(
        "{zone} 3600 IN SOA ns1.elsewhere. hostmaster.{zone} 2024010100 7200 3600 1209600 300\n\
         {zone} 3600 IN NS ns1.elsewhere.\n{zone} 3600 IN NS ns2.elsewhere.\n"
    );
    if zone == "large.example." {
        for i in 0..LARGE {
            text += &format!("host{i}.{zone} 3600 IN TXT \"record {i}\"\n");
        }
    }
    text
}

fn bind(directory: &Path, address: SocketAddr) -> Arguments {
    let mut text = format!(
        "key \"{KEY}\" {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n\
         options {{ directory \"{}\"; listen-on port {} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
         recursion no; dnssec-validation no; notify no; pid-file none; lock-file none;\n\
         session-keyfile none; empty-zones-enable no; allow-transfer {{ none; }}; }};\ncontrols {{ }};\n",
        directory.display(),
        address.port(),
    );
    for (zone, transfer, update) in ZONES {
        let who = |allowed| if allowed { format!("key \"{KEY}\"") } else { "none".into() };
        text += &format!(
            "zone \"{zone}\" {{ type primary; file \"{zone}zone\"; check-names ignore; check-integrity no;\n\
             allow-transfer {{ {}; }}; allow-update {{ {}; }}; }};\n",
            who(transfer),
            who(update),
        );
    }
    fs::write(directory.join("named.conf"), text).unwrap();
    Arguments(["-g", "-4", "-n", "1", "-c", "named.conf"].map(String::from).to_vec())
}

fn knot(directory: &Path, address: SocketAddr) -> Arguments {
    let directory_text = directory.display();
    let mut text = format!(
        "server:\n    rundir: \"{directory_text}\"\n    listen: 127.0.0.1@{}\n    udp-workers: 1\n    tcp-workers: 2\n\
         \u{20}   background-workers: 1\n\
         log:\n  - target: stderr\n    any: info\n\
         key:\n  - id: {KEY}\n    algorithm: hmac-sha256\n    secret: {SECRET}\n\
         acl:\n  - id: transfer\n    key: {KEY}\n    action: transfer\n  - id: update\n    key: {KEY}\n    action: update\n\
         database:\n    storage: \"{directory_text}\"\n\
         template:\n  - id: default\n    storage: \"{directory_text}\"\n    zonefile-sync: -1\n\
         zone:\n",
        address.port(),
    );
    for (zone, transfer, update) in ZONES {
        let allowed: Vec<_> =
            [("transfer", transfer), ("update", update)].into_iter().filter(|(_, yes)| *yes).collect();
        let acl = allowed.iter().map(|(id, _)| *id).collect::<Vec<_>>().join(", ");
        text += &format!("  - domain: {zone}\n    file: \"{zone}zone\"\n    acl: [{acl}]\n");
    }
    fs::write(directory.join("knot.conf"), text).unwrap();
    Arguments(["-c", "knot.conf"].map(String::from).to_vec())
}

/// Makes the database with the schema of the package.
fn power_dns(directory: &Path, address: SocketAddr, programs: &[PathBuf]) -> Option<Arguments> {
    let schema = [
        "/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql",
        "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql",
    ]
    .into_iter()
    .find(|path| Path::new(path).is_file());
    let Some(schema) = schema else {
        assert!(std::env::var_os("MAILZONE_REQUIRE_TOOLS").is_none_or(|value| value != "1"), "no schema of PowerDNS");
        eprintln!("skipped: no schema of PowerDNS");
        return None;
    };
    let settings = format!(
        "launch=gsqlite3\ngsqlite3-database={directory}/db\ngsqlite3-pragma-synchronous=0\n\
         local-address=127.0.0.1\nlocal-port={port}\nsocket-dir={directory}\n\
         dnsupdate=yes\nallow-dnsupdate-from=\nallow-axfr-ips=\ndaemon=no\nguardian=no\n\
         cache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\nzone-cache-refresh-interval=0\n",
        directory = directory.display(),
        port = address.port(),
    );
    fs::write(directory.join("pdns.conf"), settings).unwrap();
    run(Command::new(&programs[2]).arg(directory.join("db")).stdin(fs::File::open(schema).unwrap()));
    let config = format!("--config-dir={}", directory.display());
    let pdnsutil =
        |arguments: &[&str]| run(Command::new(&programs[1]).arg(&config).args(arguments).stdin(Stdio::null()));
    let key = KEY.trim_end_matches('.');
    pdnsutil(&["import-tsig-key", key, "hmac-sha256", SECRET]);
    for (zone, transfer, update) in ZONES {
        let file = directory.join(format!("{zone}zone"));
        pdnsutil(&["load-zone", zone, file.to_str().unwrap()]);
        if transfer {
            pdnsutil(&["set-meta", zone, "TSIG-ALLOW-AXFR", key]);
        }
        if update {
            pdnsutil(&["set-meta", zone, "ALLOW-DNSUPDATE-FROM", "127.0.0.0/8"]);
            pdnsutil(&["set-meta", zone, "TSIG-ALLOW-DNSUPDATE", key]);
        }
    }
    Some(Arguments(vec![config]))
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
