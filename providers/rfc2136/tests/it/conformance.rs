use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use mailzone_conformance::{Harness, Outcome, Stored, assert_passed, run};
use mailzone_provider::{Provider, Zone};
use mailzone_provider_rfc2136::Rfc2136Provider;
use mailzone_record::{Name, RRset, RRsetKey, RecordType};

use super::daemon::{Daemon, Kind, tool};
use super::{KEY, SECRET, provider, zone};

/// A daemon, with BIND's tools as the back door.
pub(crate) struct Served {
    kind: Kind,
    daemon: Daemon,
    provider: Arc<Rfc2136Provider>,
    dig: PathBuf,
    nsupdate: PathBuf,
}

impl Served {
    pub(crate) async fn start(kind: Kind) -> Option<Self> {
        let (dig, nsupdate) = (tool("dig")?, tool("nsupdate")?);
        let daemon = Daemon::start(kind).await?;
        // Names within the zones, the way a configuration has them.
        let provider =
            Arc::new(provider(daemon.address(), &["conformance.example.", "sub.empty.example.", "elsewhere."]));
        Some(Self { kind, daemon, provider, dig, nsupdate })
    }

    /// `[owner, ttl, type, data]` of each record.
    fn records(&self, zone: &Name) -> Vec<[String; 4]> {
        let (port, key) = (self.daemon.address().port().to_string(), format!("hmac-sha256:{KEY}:{SECRET}"));
        let mut command = Command::new(&self.dig);
        command.args([
            "@127.0.0.1",
            "-p",
            &port,
            "-y",
            &key,
            &zone.to_string(),
            "AXFR",
            "+noall",
            "+answer",
            "+onesoa",
        ]);
        let output = command.env("HOME", "/nonexistent").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with(';') && !line.is_empty());
        let record = |line: &str| {
            let mut rest = line;
            let mut word = || {
                let (word, tail) = rest.split_once([' ', '\t']).unwrap();
                rest = tail.trim_start();
                word.to_owned()
            };
            let [owner, ttl, _, rtype] = [word(), word(), word(), word()];
            [owner, ttl, rtype, rest.to_owned()]
        };
        let records: Vec<_> = lines.map(record).collect();
        assert!(!records.is_empty(), "dig got no transfer: {text}");
        records
    }

    fn update(&self, zone: &Name, commands: &[String]) {
        for commands in commands.chunks(200) {
            let mut script =
                format!("server 127.0.0.1 {}\ncheck-names no\nzone {zone}\n", self.daemon.address().port());
            for command in commands {
                writeln!(script, "update {command}").unwrap();
            }
            script += "send\n";
            let key = format!("hmac-sha256:{KEY}:{SECRET}");
            let mut command = Command::new(&self.nsupdate);
            command.args(["-v", "-y", &key]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "nsupdate: {said}\n{script}\n{}", self.daemon.log());
        }
    }
}

#[async_trait]
impl Harness for Served {
    fn provider(&self) -> Arc<dyn Provider> {
        self.provider.clone()
    }

    /// SOA and name servers are always those of the file that the daemon has loaded.
    async fn seed(&self, origin: &Name, text: &str) -> Zone {
        // PowerDNS stores types that it does not know, and takes no update of them.
        let by_tool = |rtype: &str| self.kind == Kind::PowerDns && rtype.starts_with("TYPE");
        let apex = origin.to_string();
        let relative = |owner: &Name| match owner.without_suffix(origin) {
            Some(labels) if !labels.is_root() => labels.to_text_without_dot(),
            _ => "@".to_owned(),
        };
        let mut commands = Vec::new();
        for [owner, _, rtype, _] in self.records(origin) {
            let command = format!("delete {owner} {rtype}");
            if by_tool(&rtype) {
                self.daemon.pdnsutil(&["delete-rrset", &apex, &relative(&Name::parse(&owner).unwrap()), &rtype]);
            } else if (owner != apex || !["SOA", "NS"].contains(&&*rtype)) && !commands.contains(&command) {
                commands.push(command);
            }
        }
        self.update(origin, &commands);
        let mut commands = Vec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let [owner, ttl, rtype, data] = line.trim_start().splitn(4, ' ').collect::<Vec<_>>().try_into().unwrap();
            let owner = Name::parse_in(owner, Some(origin)).unwrap();
            if by_tool(rtype) {
                self.daemon.pdnsutil(&["add-record", &apex, &relative(&owner), rtype, ttl, data]);
            } else if !(owner == *origin && ["SOA", "NS"].contains(&rtype)) {
                commands.push(format!("add {owner} {ttl} {rtype} {data}"));
            }
        }
        self.update(origin, &commands);
        zone(&origin.to_string())
    }

    async fn edit(&self, zone: &Zone, key: &RRsetKey, after: Option<&RRset>) {
        let mut commands = vec![format!("delete {} {}", key.name, key.rtype)];
        if let Some(set) = after {
            let ttl = set.ttl.map_or(3600, mailzone_record::Ttl::as_secs);
            let add = |value: &mailzone_record::Value| format!("add {} {ttl} {} {}", set.name, set.rtype, value.rdata);
            commands.extend(set.values.iter().map(add));
        }
        self.update(&zone.name, &commands);
    }

    fn keeps_order(&self) -> bool {
        self.kind != Kind::PowerDns
    }

    async fn stored(&self, zone: &Zone) -> Vec<Stored> {
        if self.kind == Kind::PowerDns {
            // Its transfers give names the case of others before them.
            let text = self.daemon.database(&zone.name.to_text_without_dot());
            let record = |line: &str| {
                let [owner, rtype, text] = line.splitn(3, '\t').collect::<Vec<_>>().try_into().unwrap();
                Stored { name: Name::parse(owner).unwrap(), rtype: rtype.parse().unwrap(), text: text.to_owned() }
            };
            return text.lines().map(record).collect();
        }
        let record = |[owner, _, rtype, text]: [String; 4]| {
            let rtype: RecordType = rtype.parse().unwrap();
            Stored { name: Name::parse(&owner).unwrap(), rtype, text }
        };
        self.records(&zone.name).into_iter().map(record).collect()
    }
}

async fn every_step_passes(kind: Kind) {
    let Some(served) = Served::start(kind).await else { return };
    let reports = run(&served).await;
    assert_passed(&reports);
    assert!(reports.iter().all(|report| report.outcome == Outcome::Passed), "{reports:#?}");
}

#[tokio::test]
async fn every_step_passes_with_bind() {
    every_step_passes(Kind::Bind).await;
}

#[tokio::test]
async fn every_step_passes_with_knot() {
    every_step_passes(Kind::Knot).await;
}

#[tokio::test]
async fn every_step_passes_with_power_dns() {
    every_step_passes(Kind::PowerDns).await;
}
