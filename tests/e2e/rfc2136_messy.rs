//! Primary servers with messy zones that take signed updates: BIND, Knot and PowerDNS; with a transfer, and without.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mailzone_record::{Name, Rdata, RecordType, Ttl, Txt};
use mailzone_wire::{Query, Record, TransferLimits, TsigAlgorithm, TsigKey, Update, UpdateOperation, transfer, update};
use secrecy::SecretString;
use serde_json::Value;
use tempfile::TempDir;

use crate::daemons::{ask, tools};
use crate::harness::{Project, zone_text};
use crate::rfc2136::free_port;
use crate::services::messy::messes;
use crate::settle::outcomes;

/// mailzone's key, which may write and, where the test says so, transfer.
const SECRET: &str = "bWFpbHpvbmUncyBrZXkgb2YgdGhlc2UgdGVzdHMsIG9jdGV0cw==";
/// The key of the tests, which may do both.
const WATCHER_SECRET: &str = "dGhlIGtleSBvZiB3aG9ldmVyIGxvb2tzIGFuZCBlZGl0cyAuLg==";

const TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bind,
    Knot,
    PowerDns,
}

/// A server on loopback with zones; it is killed when this is dropped.
struct Primary {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
}

impl Primary {
    /// Starts it and waits until it has the zones; `None` without its programs. `transfer`: mailzone may read whole zones.
    fn start(kind: Kind, zones: &[(String, String)], transfer: bool) -> Option<Self> {
        let programs: Vec<PathBuf> = match kind {
            Kind::Bind => tools(["named"])?.into(),
            Kind::Knot => tools(["knotd"])?.into(),
            Kind::PowerDns => tools(["pdns_server", "pdnsutil", "sqlite3"])?.into(),
        };
        let mut last_words = String::new();
        // Somebody may take the port between our look and its start.
        for _ in 0..5 {
            let directory = tempfile::tempdir().unwrap();
            let (at, address) = (directory.path(), SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())));
            for (zone, text) in zones {
                fs::write(at.join(format!("{zone}.zone")), text).unwrap();
            }
            let arguments = match kind {
                Kind::Bind => bind(at, address, zones, transfer),
                Kind::Knot => knot(at, address, zones, transfer),
                Kind::PowerDns => power_dns(at, address, zones, transfer, &programs)?,
            };
            let log = fs::File::create(at.join("log")).unwrap();
            let child = Command::new(&programs[0])
                .args(arguments)
                .current_dir(at)
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn()
                .unwrap();
            let mut primary = Self { child, address, directory };
            let begun = Instant::now();
            while primary.child.try_wait().unwrap().is_none() {
                if zones.iter().all(|(zone, _)| primary.has(zone)) {
                    return Some(primary);
                }
                last_words = fs::read_to_string(primary.directory.path().join("log")).unwrap_or_default();
                assert!(begun.elapsed() < Duration::from_secs(60), "{kind:?} is not ready; it said:\n{last_words}");
                std::thread::sleep(Duration::from_millis(20));
            }
            last_words = fs::read_to_string(primary.directory.path().join("log")).unwrap_or_default();
        }
        panic!("{kind:?} does not start; it said:\n{last_words}");
    }

    fn has(&self, zone: &str) -> bool {
        let query = Query::authoritative(name(zone), RecordType::SOA);
        ask(self.address, &query).is_some_and(|answer| answer.authoritative && !answer.answers.is_empty())
    }

    /// A project with these domains, whose zones are here.
    fn project(&self, domains: &str) -> Project {
        let (project, address) = (Project::empty(), self.address);
        project.write("tsig.key", SECRET);
        let config = format!(
            "[providers.ns]\ntype = \"rfc2136\"\nserver = \"{address}\"\n\
             tsig = {{ name = \"mailzone.\", algorithm = \"hmac-sha256\", secret = {{ file = \"tsig.key\" }} }}\n\
             [dns]\ntimeout = \"10s\"\n[latency]\nsamples = 1\nbudget = \"10s\"\n\
             [defaults]\nprovider = \"ns\"\nnameservers = [\"{address}\"]\n{domains}"
        );
        project.write("mailzone.toml", config);
        project
    }

    /// All that a zone holds: `OWNER TYPE TTL DATA`, sorted, in lower case but for data, without the SOA.
    fn holds(&self, zone: &str) -> BTreeSet<String> {
        let key = watcher();
        let records = block_on(transfer(self.address, &name(zone), Some(&key), &TransferLimits::default())).unwrap();
        let line = |record: &Record| {
            let owner = record.name.to_lowercase();
            format!("{owner} {} {} {}", record.rtype(), record.ttl.as_secs(), record.rdata)
        };
        records.iter().filter(|record| record.rtype() != RecordType::SOA).map(line).collect()
    }

    /// What somebody else adds.
    fn add_text(&self, zone: &str, owner: &str, text: &str) {
        let rdata = Rdata::Txt(Txt::from_text(text));
        let record = Record { name: name(owner), ttl: Ttl::from_secs(3600).unwrap(), rdata };
        let message = Update { prerequisites: Vec::new(), operations: vec![UpdateOperation::Add(record)] };
        block_on(update(self.address, &name(zone), &message, Some(&watcher()), TIMEOUT)).unwrap();
    }
}

impl Drop for Primary {
    fn drop(&mut self) {
        // It has ended already, or ends now: either is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn watcher() -> TsigKey {
    TsigKey::new(name("watcher."), TsigAlgorithm::HmacSha256, &SecretString::from(WATCHER_SECRET)).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn bind(directory: &Path, address: SocketAddr, zones: &[(String, String)], transfer: bool) -> Vec<String> {
    let mut text = format!(
        "key mailzone {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n\
         key watcher {{ algorithm hmac-sha256; secret \"{WATCHER_SECRET}\"; }};\n\
         options {{ directory \"{}\"; listen-on port {} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
         recursion no; dnssec-validation no; notify no; pid-file none; lock-file none; session-keyfile none;\n\
         empty-zones-enable no; allow-transfer {{ none; }}; }};\ncontrols {{ }};\n",
        directory.display(),
        address.port(),
    );
    let may = if transfer { "key mailzone; key watcher;" } else { "key watcher;" };
    for (zone, _) in zones {
        text += &format!(
            "zone \"{zone}\" {{ type primary; file \"{zone}.zone\"; allow-transfer {{ {may} }};\n\
             allow-update {{ key mailzone; key watcher; }}; check-names ignore; check-integrity no; }};\n"
        );
    }
    fs::write(directory.join("named.conf"), text).unwrap();
    ["-g", "-n", "1", "-c", "named.conf"].map(String::from).to_vec()
}

fn knot(directory: &Path, address: SocketAddr, zones: &[(String, String)], transfer: bool) -> Vec<String> {
    let (here, port) = (directory.display(), address.port());
    let may = if transfer { "[mailzone, watcher]" } else { "[watcher]" };
    let mut text = format!(
        "server:\n  rundir: \"{here}\"\n  listen: 127.0.0.1@{port}\n  udp-workers: 1\n  tcp-workers: 2\n  \
         background-workers: 1\nlog:\n  - target: stderr\n    any: info\nkey:\n  - id: mailzone\n    \
         algorithm: hmac-sha256\n    secret: {SECRET}\n  - id: watcher\n    algorithm: hmac-sha256\n    \
         secret: {WATCHER_SECRET}\nacl:\n  - id: read\n    key: {may}\n    action: transfer\n  - id: write\n    \
         key: [mailzone, watcher]\n    action: update\ndatabase:\n  storage: \"{here}\"\ntemplate:\n  \
         - id: default\n    storage: \"{here}\"\n    zonefile-sync: -1\n    acl: [read, write]\nzone:\n"
    );
    for (zone, _) in zones {
        text += &format!("  - domain: {zone}\n    file: \"{zone}.zone\"\n");
    }
    fs::write(directory.join("knot.conf"), text).unwrap();
    ["-c", "knot.conf"].map(String::from).to_vec()
}

/// Makes the database with the schema of the package; `None` without it.
#[expect(clippy::print_stderr, reason = "a skipped test should say so")]
fn power_dns(
    directory: &Path,
    address: SocketAddr,
    zones: &[(String, String)],
    transfer: bool,
    programs: &[PathBuf],
) -> Option<Vec<String>> {
    let places = [
        "/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql",
        "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql",
    ];
    let Some(schema) = places.into_iter().find(|place| Path::new(place).is_file()) else {
        assert!(std::env::var_os("MAILZONE_REQUIRE_TOOLS").is_none_or(|value| value != "1"), "no schema of PowerDNS");
        eprintln!("skipped: no schema of PowerDNS");
        return None;
    };
    let (here, port) = (directory.display(), address.port());
    let settings = format!(
        "launch=gsqlite3\ngsqlite3-database={here}/db\ngsqlite3-pragma-synchronous=0\nlocal-address=127.0.0.1\n\
         local-port={port}\nsocket-dir={here}\ndnsupdate=yes\nallow-dnsupdate-from=\nallow-axfr-ips=\ndaemon=no\n\
         guardian=no\ncache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\nzone-cache-refresh-interval=0\n\
         security-poll-suffix=\n"
    );
    fs::write(directory.join("pdns.conf"), settings).unwrap();
    let database = directory.join("db");
    run(Command::new(&programs[2]).arg(&database).stdin(fs::File::open(schema).unwrap()));
    let config = format!("--config-dir={here}");
    let pdnsutil =
        |arguments: &[&str]| run(Command::new(&programs[1]).arg(&config).args(arguments).stdin(Stdio::null()));
    pdnsutil(&["import-tsig-key", "mailzone", "hmac-sha256", SECRET]);
    pdnsutil(&["import-tsig-key", "watcher", "hmac-sha256", WATCHER_SECRET]);
    let may: &[&str] = if transfer { &["mailzone", "watcher"] } else { &["watcher"] };
    for (zone, _) in zones {
        pdnsutil(&["load-zone", zone, directory.join(format!("{zone}.zone")).to_str().unwrap()]);
        pdnsutil(&[&["set-meta", zone, "TSIG-ALLOW-AXFR"], may].concat());
        pdnsutil(&["set-meta", zone, "ALLOW-DNSUPDATE-FROM", "127.0.0.0/8"]);
        pdnsutil(&["set-meta", zone, "TSIG-ALLOW-DNSUPDATE", "mailzone", "watcher"]);
    }
    Some(vec![config])
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The lines of sets that a plan's zone does not change, and those of the sets that it does.
fn split(lines: BTreeSet<String>, zone: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let written = |change: &Value| {
        let (name, rtype) = (change["name"].as_str().unwrap(), change["type"].as_str().unwrap());
        format!("{} {rtype} ", name.to_lowercase())
    };
    let written: Vec<String> = zone["changes"].as_array().unwrap().iter().map(written).collect();
    lines.into_iter().partition(|line| !written.iter().any(|start| line.starts_with(start)))
}

fn every_mess(kind: Kind) {
    // Each mess in a zone of its own.
    let (mut zones, mut domains, mut allow): (Vec<(String, String)>, String, Vec<String>) = Default::default();
    for (at, mess) in messes().into_iter().enumerate() {
        let origin = format!("m{at}-{}", mess.origin);
        let here = |text: &str| {
            let text = text.replace(mess.origin, &origin);
            // PowerDNS keeps the spelling of a zone file and compares by it: see below.
            if kind == Kind::PowerDns { text.replace(" \\; ", " ; ") } else { text }
        };
        let records: Vec<String> = mess.records.iter().map(|record| here(record)).collect();
        zones.push((origin.clone(), zone_text(&origin, &records.iter().map(String::as_str).collect::<Vec<_>>())));
        domains += &format!("[domains.\"{origin}\"]\n{}", here(mess.domain));
        allow.extend(mess.allow.iter().map(|&word| word.to_owned()));
    }
    let Some(primary) = Primary::start(kind, &zones, true) else { return };
    let project = primary.project(&domains);
    let allow: Vec<&str> = allow.iter().map(String::as_str).collect();
    let before: Vec<_> = zones.iter().map(|(zone, _)| primary.holds(zone)).collect();
    let plan = project.run_to(0, [&["plan", "--format", "json"], allow.as_slice()].concat()).json();
    project.run_to(0, [&["apply", "--yes"], allow.as_slice()].concat());
    project.run_to(0, ["plan", "--detailed-exitcode"]);
    let planned = plan["zones"].as_array().unwrap();
    assert_eq!(planned.len(), zones.len());
    for ((origin, _), before) in zones.iter().zip(before) {
        let zone = planned.iter().find(|zone| zone["zone"] == origin.as_str()).unwrap();
        assert!(!zone["changes"].as_array().unwrap().is_empty(), "{kind:?} {zone:#}");
        let (before, after) = (split(before, zone), split(primary.holds(origin), zone));
        assert_eq!(before.0, after.0, "{kind:?}: foreign RRsets of {origin}");
        let changes = zone["changes"].as_array().unwrap();
        let kept: usize = changes.iter().map(|change| change["kept"].as_array().unwrap().len()).sum();
        let same = before.1.intersection(&after.1).count();
        assert!(same >= kept, "{kind:?} {origin}: {:#?} became {:#?}", before.1, after.1);
    }
}

/// PowerDNS finds no text equal that its database spells in another way than itself. Nothing is written then.
#[test]
fn a_text_that_power_dns_does_not_compare() {
    let zones =
        [("example.test".to_owned(), zone_text("example.test", &["@ TXT \"one\\; two\"", "@ TXT \"v=spf1 ~all\""]))];
    let Some(primary) = Primary::start(Kind::PowerDns, &zones, true) else { return };
    let project = primary.project("[domains.\"example.test\"]\nspf = \"v=spf1 -all\"\n");
    let before = primary.holds("example.test");
    let stopped = project.run_to(5, ["apply", "--yes"]);
    assert!(stopped.stderr.contains("PowerDNS does where its database holds `\\;` for `;`"), "{}", stopped.stderr);
    assert_eq!(primary.holds("example.test"), before);
}

/// A shared TXT set, an alias, names in others' hands, and more than the configuration is about.
fn refused_zone() -> (String, String) {
    let records = [
        "@ TXT \"a token\"",
        "@ 300 TXT \"v=spf1 ip4:203.0.113.7 ~all\"",
        "@ 300 TXT \"caf\\195\\169; \\\"quoted\\\"\"",
        "www A 192.0.2.80",
        "s1._domainkey CNAME s1.dkim.hoster.test.",
        "_dmarc.old TXT \"v=DMARC1; p=none\"",
        "sub NS ns.hoster.test.",
        "child NS ns1.child",
        "ns1.child A 127.0.0.1",
        "moved DNAME hoster.test.",
        "*.wild TXT \"v=spf1 ?all\"",
    ];
    ("example.test".to_owned(), zone_text("example.test", &records))
}

const WANTED: &str = "[domains.\"example.test\"]
spf = \"v=spf1 ip4:203.0.113.7 -all\"
dmarc = { policy = \"quarantine\", rua = [\"mailto:d@example.test\"] }
dkim.s1 = { cname = \"s1.dkim.hoster.test.\" }
";

fn without_a_transfer(kind: Kind) {
    let wildcards = [
        // Of another type than what is wanted: what stands at the name cannot matter.
        ("addresses.test", "* A 192.0.2.1", "dmarc = { policy = \"none\" }\n"),
        ("texts.test", "* TXT \"v=spf1 ?all\"", "dmarc = { policy = \"none\" }\n"),
        ("aliases.test", "* CNAME www.hoster.test.", "dmarc = { policy = \"none\" }\n"),
    ];
    let mut zones = vec![refused_zone(), ("child.example.test".to_owned(), zone_text("child.example.test", &[]))];
    zones.extend(wildcards.map(|(zone, record, _)| (zone.to_owned(), zone_text(zone, &[record]))));
    let Some(primary) = Primary::start(kind, &zones, false) else { return };

    let project = primary.project(WANTED);
    let before = primary.holds("example.test");
    let planned = project.run_to(0, ["plan", "--format", "json"]);
    assert_eq!(planned.stderr.matches("refuses to transfer the zone").count(), 1, "{}", planned.stderr);
    let plan = planned.json();
    let zone = &plan["zones"][0];
    let codes: Vec<&Value> = zone["findings"].as_array().unwrap().iter().map(|finding| &finding["code"]).collect();
    assert_eq!(codes.iter().filter(|code| **code == "PARTIAL").count(), 1, "{zone:#}");
    let names: Vec<&Value> = zone["changes"].as_array().unwrap().iter().map(|change| &change["name"]).collect();
    assert_eq!(names, ["example.test.", "_dmarc.example.test."], "{kind:?}: {zone:#}");

    // Somebody else is faster.
    project.run_to(0, ["plan", "--out", "plan.json"]);
    primary.add_text("example.test", "example.test", "another token");
    let edited = primary.holds("example.test");
    project.run_to(5, ["apply", "--yes", "plan.json"]);
    assert_eq!(primary.holds("example.test"), edited);

    let done = project.run_to(0, ["apply", "--yes", "--format", "json"]).json();
    assert_eq!(outcomes(&done), ["example.test. TXT: applied", "_dmarc.example.test. TXT: applied"]);
    project.run_to(0, ["plan", "--detailed-exitcode"]);
    let (before, after) = (split(before, zone), split(primary.holds("example.test"), zone));
    assert_eq!(before.0, after.0, "{kind:?}");
    let texts =
        ["\"v=spf1 ip4:203.0.113.7 -all\"", "\"a token\"", "\"another token\"", "\"caf\\195\\169; \\\"quoted\\\"\""];
    for text in texts {
        let there = after.1.iter().filter(|line| line.starts_with("example.test. TXT ") && line.ends_with(text));
        assert_eq!(there.count(), 1, "{kind:?}: {text} is not in {:#?}", after.1);
    }

    for (zone, _, domain) in wildcards {
        let project = primary.project(&format!("[domains.\"{zone}\"]\n{domain}"));
        let before = primary.holds(zone);
        if zone == "addresses.test" {
            project.run_to(0, ["apply", "--yes"]);
            project.run_to(0, ["plan", "--detailed-exitcode"]);
            let after = primary.holds(zone);
            assert_eq!(after.difference(&before).count(), 1, "{kind:?}: {after:?}");
            assert!(before.is_subset(&after));
            continue;
        }
        let refused = project.run_to(1, ["apply", "--yes", "--format", "json"]).json();
        let error = &refused["zones"][0]["error"];
        assert_eq!(error["kind"], "refused", "{kind:?} {refused:#}");
        let message = error["message"].as_str().unwrap().replace(&primary.address.to_string(), "[ADDR]");
        let said = format!(
            "_dmarc.{zone}. is answered like *.{zone}.: whether the zone holds records at _dmarc.{zone}. cannot be told"
        );
        assert_eq!(message, format!("asking [ADDR] about {zone}., which it refuses to transfer: {said}"));
        assert_eq!(primary.holds(zone), before);
    }

    // What is in other hands is found by questions too.
    let elsewhere = [
        ("x.sub", "sub.example.test. is delegated to other name servers"),
        ("x.child", "child.example.test. is delegated to other name servers"),
        ("x.moved", "a DNAME at moved.example.test. sends every name below it elsewhere"),
    ];
    for (owner, said) in elsewhere {
        let domain = format!("[domains.\"{owner}.example.test\"]\nzone = \"example.test\"\nspf = \"v=spf1 -all\"\n");
        let refused = primary.project(&domain).run_to(1, ["plan", "--format", "json"]).json();
        let message = refused["zones"][0]["error"]["message"].as_str().unwrap();
        assert!(message.contains(said), "{kind:?}: {message}");
    }
}

macro_rules! with_each_server {
    ($($test:ident: $bind:ident, $knot:ident, $power_dns:ident;)*) => { $(
        #[test]
        fn $bind() {
            $test(Kind::Bind);
        }

        #[test]
        fn $knot() {
            $test(Kind::Knot);
        }

        #[test]
        fn $power_dns() {
            $test(Kind::PowerDns);
        }
    )* };
}

with_each_server! {
    every_mess: every_mess_with_bind, every_mess_with_knot, every_mess_with_power_dns;
    without_a_transfer: without_a_transfer_with_bind, without_a_transfer_with_knot, without_a_transfer_with_power_dns;
}
