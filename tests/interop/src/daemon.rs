use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mailzone_record::RecordType;
use mailzone_wire::{Query, exchange};
use tempfile::TempDir;

use crate::{ZoneText, name};

/// How long a daemon may take until it answers.
const START: Duration = Duration::from_secs(20);

/// Where the program is. Without it the test is to pass: `None` after a line on standard error;
/// with `MAILZONE_REQUIRE_TOOLS=1` it fails instead.
#[expect(clippy::print_stderr, reason = "a skipped test should say so")]
pub fn tool(program: &str) -> Option<PathBuf> {
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

/// BIND's `named` on loopback, serving zones; it is killed when this is dropped.
#[derive(Debug)]
pub struct Named {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Named {
    /// Starts it and waits until it answers for each zone.
    pub async fn start(program: &Path, zones: &[ZoneText]) -> Self {
        let mut last_words = String::new();
        // Somebody may take the port between our look and its start.
        for _ in 0..5 {
            let directory = tempfile::tempdir().unwrap();
            let address = free_address();
            fs::write(directory.path().join("named.conf"), configuration(directory.path(), address, zones)).unwrap();
            for (i, zone) in zones.iter().enumerate() {
                fs::write(directory.path().join(format!("{i}.zone")), zone.file()).unwrap();
            }
            let log = fs::File::create(directory.path().join("log")).unwrap();
            let child = Command::new(program)
                .args(["-g", "-4", "-n", "1", "-c", "named.conf"])
                .current_dir(directory.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .unwrap();
            let mut named = Self { child, address, _directory: directory };
            if named.answers(zones).await {
                return named;
            }
            last_words = fs::read_to_string(named._directory.path().join("log")).unwrap_or_default();
        }
        panic!("named does not answer; it said:\n{last_words}");
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it answers for all zones; false if it ended or took too long.
    async fn answers(&mut self, zones: &[ZoneText]) -> bool {
        let deadline = Instant::now() + START;
        for zone in zones {
            let query = Query::authoritative(name(zone.apex), RecordType::SOA);
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

impl Drop for Named {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
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

fn configuration(directory: &Path, address: SocketAddr, zones: &[ZoneText]) -> String {
    let directory = directory.display();
    let mut text = format!(
        "options {{\n  directory \"{directory}\";\n  listen-on port {port} {{ 127.0.0.1; }};\n  \
         listen-on-v6 {{ none; }};\n  recursion no;\n  minimal-responses yes;\n  dnssec-validation no;\n  \
         notify no;\n  zero-no-soa-ttl no;\n  pid-file none;\n  lock-file none;\n  session-keyfile none;\n  \
         empty-zones-enable no;\n  allow-transfer {{ none; }};\n}};\ncontrols {{ }};\n",
        port = address.port(),
    );
    for (i, zone) in zones.iter().enumerate() {
        text += &format!(
            "zone \"{}\" {{ type primary; file \"{i}.zone\"; check-names ignore; check-integrity no; }};\n",
            zone.apex
        );
    }
    text
}
