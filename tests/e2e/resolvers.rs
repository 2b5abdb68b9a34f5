//! What unbound remembers, and what the program says of it.

use serde_json::Value;

use mailzone_record::{Name, RecordType};
use mailzone_wire::{Message, Query, Rcode};

use crate::daemons::{Daemon, RESOLVERS_ADDRESS, ask, zone_files};
use crate::harness::{Project, zone_text};
use crate::settle::{apply, outcomes};

/// `example.test` at BIND, an SPF record in it whose TTL is given, and unbound, which asks BIND for it.
struct Setup {
    project: Project,
    bind: Daemon,
    unbound: Daemon,
}

impl Setup {
    fn new(ttl: u32) -> Option<Self> {
        let project = Project::empty();
        let spf = format!("@ {ttl} TXT \"v=spf1 ~all\"");
        let policy = "_dmarc TXT \"v=DMARC1; p=none; rua=mailto:d@example.test\"";
        project.write("zones/example.test.zone", zone_text("example.test", &[&spf, policy]));
        let bind = Daemon::bind(&zone_files(&project.path("zones")))?;
        let unbound = Daemon::unbound("example.test", bind.address)?;
        let config = format!(
            "[providers.files]\ntype = \"zonefile\"\ndirectory = \"zones\"\nreload = {:?}\n\
             [dns]\nresolvers = [\"{}\"]\ntimeout = \"10s\"\n[latency]\nsamples = 1\n\
             [domains.\"example.test\"]\nprovider = \"files\"\nnameservers = [\"{}\"]\nspf = \"v=spf1 -all\"\n\
             dmarc = {{ policy = \"quarantine\", rua = [\"mailto:d@example.test\"] }}\n\
             tls_rpt = {{ rua = [\"mailto:t@example.test\"] }}\n",
            bind.reload, unbound.address, bind.address
        );
        project.write("mailzone.toml", config);
        Some(Self { project, bind, unbound })
    }

    /// Asks unbound, which remembers the answer.
    fn ask(&self, name: &str) -> Message {
        ask(self.unbound.address, &Query::recursive(Name::parse(name).unwrap(), RecordType::TXT)).unwrap()
    }
}

/// What the resolver is said to give for the name.
fn at_resolver(document: &Value, name: &str) -> (String, bool) {
    let verification = document.get("verification").unwrap_or(document);
    let records = verification["domains"][0]["records"].as_array().unwrap();
    let record = records.iter().find(|record| record["name"] == name && record["type"] == "TXT").unwrap();
    let resolver = &record["resolvers"].as_array().unwrap()[0];
    (resolver["state"].as_str().unwrap().to_owned(), !resolver["expected_by"].is_null())
}

fn is(state: &str, expected: bool) -> (String, bool) {
    (state.to_owned(), expected)
}

#[test]
fn an_old_answer_is_expected_until_its_time_has_run_out() {
    let Some(setup) = Setup::new(3600) else { return };
    assert_eq!(setup.ask("example.test.").answers.len(), 1);
    let done = apply(&setup.project, 0, &[]);
    assert_eq!(outcomes(&done).len(), 3);
    assert_eq!(done["verification"]["domains"][0]["verdict"], "verified");
    // Remembered, and so old for an hour; what nobody had asked for is the new one.
    assert_eq!(at_resolver(&done, "example.test."), is("stale", true), "{done:#}");
    assert_eq!(at_resolver(&done, "_dmarc.example.test."), is("current", false));
    assert_eq!(at_resolver(&done, "_smtp._tls.example.test."), is("current", false));
    // A later run does not know when the change was; the resolver's own TTL says how long.
    let later = setup.project.run_to(0, ["verify", "--format", "json"]).json();
    assert_eq!(at_resolver(&later, "example.test."), is("stale", true), "{later:#}");
    // Another resolver that remembers nothing has it at once.
    let Some(fresh) = Daemon::unbound("example.test", setup.bind.address) else { return };
    let other =
        setup.project.run_to(0, ["verify", "--resolver", &fresh.address.to_string(), "--format", "json"]).json();
    assert_eq!(at_resolver(&other, "example.test."), is("current", false), "{other:#}");
}

#[test]
fn a_remembered_denial_is_expected_too() {
    let Some(setup) = Setup::new(3600) else { return };
    assert_eq!(setup.ask("_smtp._tls.example.test.").rcode, Rcode::NxDomain);
    let done = apply(&setup.project, 0, &[]);
    assert_eq!(at_resolver(&done, "_smtp._tls.example.test."), is("missing", true), "{done:#}");
}

#[test]
fn waiting_for_resolvers_ends_when_the_old_answer_is_gone() {
    let Some(setup) = Setup::new(2) else { return };
    assert_eq!(setup.ask("example.test.").answers.len(), 1);
    let done = apply(&setup.project, 0, &["--wait", "resolvers"]);
    for name in ["example.test.", "_dmarc.example.test.", "_smtp._tls.example.test."] {
        assert_eq!(at_resolver(&done, name), is("current", false), "{done:#}");
    }
}

/// BIND's log has one order: what it loaded and what it was asked. Unbound asks from an address of its own.
#[test]
fn a_resolver_is_asked_for_a_name_only_when_it_is_served() {
    let Some(setup) = Setup::new(3600) else { return };
    let loaded = |log: &str| {
        log.lines().filter(|line| line.contains("zone example.test/IN") && line.contains("loaded serial")).count()
    };
    assert_eq!(loaded(&setup.bind.log()), 1);
    apply(&setup.project, 0, &[]);
    let log = setup.bind.log();
    // The second stage is the policy; everything is in the third version of the zone.
    assert_eq!(loaded(&log), 3, "{log}");
    let lines: Vec<&str> = log.lines().collect();
    let last_load = lines.iter().rposition(|line| line.contains("loaded serial")).unwrap();
    let asks = |line: &&str, name: &str| {
        line.contains(&format!(" {RESOLVERS_ADDRESS}#")) && line.contains(&format!("query: {name} IN TXT"))
    };
    for name in ["example.test", "_dmarc.example.test", "_smtp._tls.example.test"] {
        let first = lines
            .iter()
            .position(|line| asks(line, name))
            .unwrap_or_else(|| panic!("unbound was not asked for {name}:\n{log}"));
        assert!(first > last_load, "{name}:\n{log}");
    }
}
