//! An emulated service behind the built program, whichever service it is.

use std::sync::{Arc, OnceLock};

use mailzone_conformance::{Stored, parse_seed};
use mailzone_emulated::{Backdoor, Emulator, Fault, Logged};
use mailzone_provider::Zone;
use mailzone_record::{Name, RRset, RRsetKey, RecordType};
use tokio::runtime::Runtime;

use crate::harness::{DnsServer, Output, Project};

/// One emulated service with the configuration that reaches it.
pub(crate) trait Stage: Send + Sync {
    /// The service's name, as `type` has it.
    fn name(&self) -> &'static str;
    /// `[providers.service]` with endpoint and credentials.
    fn toml(&self) -> String;
    /// The credentials, each in a file that `toml` names. They must be in nothing that the program writes.
    fn secrets(&self) -> Vec<(&'static str, String)>;
    /// What its name servers answer: a line for each value, without identifiers and SOA, sorted.
    fn served(&self) -> Vec<String>;
    fn seed(&self, origin: &Name, sets: &[RRset]) -> Zone;
    fn edit(&self, zone: &Zone, key: &RRsetKey, after: Option<&RRset>);
    fn stored(&self, zone: &Zone) -> Vec<Stored>;
    fn log(&self) -> Vec<Logged>;
    fn clear_log(&self);
    fn fault_at(&self, n: usize, fault: Fault);
    fn never_serve(&self, yes: bool);
    fn publish(&self, dns: &DnsServer);
}

/// A [`Stage`] of any emulator.
pub(crate) struct Emulated<S> {
    pub(crate) name: &'static str,
    pub(crate) emulator: Arc<Emulator<S>>,
    pub(crate) toml: String,
    pub(crate) secrets: Vec<(&'static str, String)>,
}

impl<S: Backdoor> Stage for Emulated<S> {
    fn name(&self) -> &'static str {
        self.name
    }
    fn toml(&self) -> String {
        self.toml.clone()
    }
    fn secrets(&self) -> Vec<(&'static str, String)> {
        self.secrets.clone()
    }
    fn served(&self) -> Vec<String> {
        let zones = self.emulator.with(|service| service.served());
        let sets = zones.into_iter().flat_map(|(_, sets)| sets).filter(|set| set.rtype != RecordType::SOA);
        let mut lines: Vec<String> = sets
            .flat_map(|set| {
                let key = set.key();
                set.values.into_iter().map(move |value| format!("{key} {}", value.rdata)).collect::<Vec<_>>()
            })
            .collect();
        lines.sort();
        lines
    }
    fn seed(&self, origin: &Name, sets: &[RRset]) -> Zone {
        self.emulator.with(|service| service.seed(origin, sets))
    }
    fn edit(&self, zone: &Zone, key: &RRsetKey, after: Option<&RRset>) {
        self.emulator.with(|service| service.edit(zone, key, after));
    }
    fn stored(&self, zone: &Zone) -> Vec<Stored> {
        self.emulator.with(|service| service.stored(zone))
    }
    fn log(&self) -> Vec<Logged> {
        self.emulator.log()
    }
    fn clear_log(&self) {
        self.emulator.clear_log();
    }
    fn fault_at(&self, n: usize, fault: Fault) {
        self.emulator.fault_at(n, fault);
    }
    fn never_serve(&self, yes: bool) {
        self.emulator.never_serve(yes);
    }
    fn publish(&self, dns: &DnsServer) {
        self.emulator.publish(dns.handle());
    }
}

/// The runtime of all emulators of this process.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap())
}

/// A project whose one zone is at an emulated service, with a name server that serves what the service holds.
pub(crate) struct Site {
    pub(crate) project: Project,
    pub(crate) stage: Box<dyn Stage>,
    pub(crate) zone: Zone,
    pub(crate) dns: DnsServer,
}

impl Site {
    /// The zone `origin` with SOA, NS and these records (`OWNER TTL TYPE DATA`), and a configuration of one domain.
    pub(crate) fn new(stage: Box<dyn Stage>, origin: &str, domain: &str, records: &[&str]) -> Self {
        let apex = Name::parse(origin).unwrap();
        let mut text = format!(
            "@ 3600 SOA ns1.{apex} hostmaster.{apex} 17 7200 3600 1209600 300\n@ 3600 NS ns1.{apex}\nns1 3600 A 127.0.0.1\n\
             how 3600 TXT \"some services show by a text how they spell texts\"\n"
        );
        for record in records {
            text += record;
            text += "\n";
        }
        let dns = DnsServer::start(&[]);
        let zone = stage.seed(&apex, &parse_seed(&apex, &text));
        stage.publish(&dns);
        let project = Project::empty();
        for (file, secret) in stage.secrets() {
            project.write(file, secret);
        }
        project.write(
            "mailzone.toml",
            format!(
                "{}\n[propagation]\ntimeout = \"2s\"\n[latency]\nsamples = 1\n[defaults]\nprovider = \"service\"\n\
                 nameservers = [\"{}\"]\n[domains.\"{origin}\"]\n{domain}",
                stage.toml(),
                dns.address()
            ),
        );
        stage.clear_log();
        Self { project, stage, zone, dns }
    }

    /// Runs the program and wants this exit code.
    pub(crate) fn run(&self, code: i32, args: &[&str]) -> Output {
        let output = self.project.run(args);
        let name = self.stage.name();
        assert_eq!(output.code, code, "{name} {args:?}\nstdout:\n{}\nstderr:\n{}", output.stdout, output.stderr);
        output
    }

    /// What the service stores, sorted, as lines.
    pub(crate) fn stored(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            self.stage.stored(&self.zone).iter().map(|s| format!("{} {} {}", s.name, s.rtype, s.text)).collect();
        lines.sort();
        lines
    }
}
