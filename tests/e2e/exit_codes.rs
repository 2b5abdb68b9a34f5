//! Every exit code of the program (`design.md` section 7), and which of several wins.

use std::fs::{self, File};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use mailzone_server::Switches;
use serde_json::{Value, json};

use crate::harness::{DnsServer, Output, Project, Running, servers_on_one_port, zone_text};

/// A domain whose SPF value is not in its zone yet.
const WANTS_SPF: &str = "spf = \"v=spf1 ip4:203.0.113.7 -all\"\n";

fn domain(name: &str, keys: &str) -> String {
    format!("[domains.\"{name}\"]\n{keys}\n")
}

fn zone(name: &str, records: &[&str]) -> (String, String) {
    (name.to_owned(), zone_text(name, records))
}

/// A project of several domains and zones.
fn project(domains: &[String], zones: &[(String, String)]) -> Project {
    let zones: Vec<(&str, String)> = zones.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    Project::new(&domains.concat(), &zones)
}

/// `exit` of a JSON document, which has to say the code that the program ended with.
#[track_caller]
fn exit(output: &Output) -> Value {
    let exit = output.json()["exit"].clone();
    assert_eq!(exit["code"], output.code, "{exit}");
    exit
}

/// The one zone entry of a document in which the domain is.
#[track_caller]
fn zone_of<'a>(document: &'a Value, domain: &str) -> &'a Value {
    let is_in = |zone: &&Value| zone["domains"].as_array().unwrap().iter().any(|entry| entry == domain);
    let mut zones = document["zones"].as_array().unwrap().iter().filter(is_in);
    let zone = zones.next().unwrap_or_else(|| panic!("{domain} is in no zone entry"));
    assert_eq!(zones.next(), None, "{domain} is in several zone entries");
    zone
}

/// The outcomes of the changes of a domain's zone in an apply document.
fn outcomes(document: &Value, domain: &str) -> Vec<String> {
    zone_of(document, domain)["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["outcome"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn zero_for_differences_that_are_shown_for_what_is_done_and_for_nothing_to_do() {
    let project = Project::simple();
    project.run_to(0, ["plan"]);
    project.run_to(0, ["apply", "--yes"]);
    project.run_to(0, ["apply", "--yes"]);
    project.run_to(0, ["plan", "--detailed-exitcode"]);
    project.run_to(0, ["verify"]);
    project.run_to(0, ["--help"]);
    project.run_to(0, ["--version"]);
    assert_eq!(exit(&project.run(["plan", "--format", "json"])), json!({"code": 0, "zones": []}));
}

#[test]
fn one_for_a_wrong_command_line() {
    let project = Project::simple();
    let wrong: &[&[&str]] = &[
        &[],
        &["plam"],
        &["plan", "--no-such-flag"],
        &["plan", "--format", "yaml"],
        &["latency"],
        &["latency", "example.test", "--samples", "0"],
        &["apply", "--yes", "--wait", "forever"],
        &["plan", "other.test"],
        &["apply", "plan.json", "example.test"],
        &["apply", "no-such-plan.json"],
        &["plan", "--format", "markdown", "-q", "-v"],
        &["apply", "--yes", "--format", "markdown"],
        &["serve", "--listen", "192.0.2.1:53", "--directory", "zones"],
    ];
    for args in wrong {
        let output = project.run(*args);
        assert_eq!(output.code, 1, "{args:?}: {}", output.stderr);
        assert_eq!(output.stdout, "", "{args:?}");
        assert_ne!(output.stderr, "", "{args:?}");
    }
    assert!(!project.exists(".mailzone"));
}

#[test]
fn one_for_a_configuration_that_is_missing_or_wrong() {
    let project = Project::empty();
    for command in ["plan", "apply", "verify", "lint", "providers", "history", "serve"] {
        let output = project.run_to(1, [command, "--format", "json"]);
        assert_eq!(output.stdout, "", "{command}");
    }
    project.write("mailzone.toml", "[domains.\"example.test\"]\nspf = 7\n");
    let output = project.run_to(1, ["plan", "--format", "json"]);
    assert_eq!(output.stdout, "");
}

#[test]
fn one_for_a_zone_that_nobody_holds_while_others_go_on() {
    let project =
        project(&[domain("example.test", WANTS_SPF), domain("nowhere.test", WANTS_SPF)], &[zone("example.test", &[])]);
    let plan = project.run_to(1, ["plan", "--format", "json"]);
    assert_eq!(exit(&plan), json!({"code": 1, "zones": [{"zone": "nowhere.test", "code": 1}]}));
    let plan = plan.json();
    let found = zone_of(&plan, "example.test");
    assert_eq!((&found["zone"], &found["error"]), (&json!("example.test"), &Value::Null));
    let missing = zone_of(&plan, "nowhere.test");
    assert_eq!((&missing["zone"], &missing["error"]["kind"]), (&Value::Null, &json!("no_zone")));
    let apply = project.run_to(1, ["apply", "--yes", "--format", "json"]);
    assert_eq!(exit(&apply), json!({"code": 1, "zones": [{"zone": "nowhere.test", "code": 1}]}));
    assert_eq!(outcomes(&apply.json(), "example.test"), ["applied"]);
    assert!(project.read("zones/example.test.zone").contains("v=spf1"));
}

#[test]
fn one_for_a_refused_zone_of_which_nothing_is_applied_while_others_go_on() {
    let refused = zone("refused.test", &["host CNAME elsewhere.example.net."]);
    let before = refused.1.clone();
    let project = project(
        &[
            domain("example.test", WANTS_SPF),
            domain("refused.test", WANTS_SPF),
            domain("host.refused.test", WANTS_SPF) + "provider = \"files\"\n",
        ],
        &[zone("example.test", &[]), refused],
    );
    let plan = project.run_to(1, ["plan", "--format", "json"]);
    assert_eq!(exit(&plan), json!({"code": 1, "zones": [{"zone": "refused.test", "code": 1}]}));
    assert_eq!(zone_of(&plan.json(), "refused.test")["error"]["kind"], "refused");
    let apply = project.run_to(1, ["apply", "--yes", "--format", "json"]);
    assert_eq!(outcomes(&apply.json(), "example.test"), ["applied"]);
    assert!(outcomes(&apply.json(), "refused.test").iter().all(|outcome| outcome == "skipped"));
    assert_eq!(project.read("zones/refused.test.zone"), before);
    // Nothing overrides a refusal.
    project.run_to(1, ["apply", "--yes", "--allow", "GUARD-CNAME", "refused.test", "host.refused.test"]);
    assert_eq!(project.read("zones/refused.test.zone"), before);
}

#[test]
fn one_for_a_broken_zone_file_while_others_go_on() {
    let project = project(
        &[domain("example.test", WANTS_SPF), domain("broken.test", WANTS_SPF)],
        &[zone("example.test", &[]), zone("broken.test", &["www A 192.0.2.256"])],
    );
    let plan = project.run_to(1, ["plan", "--format", "json"]);
    assert_eq!(exit(&plan), json!({"code": 1, "zones": [{"zone": "broken.test", "code": 1}]}));
    let apply = project.run_to(1, ["apply", "--yes", "--format", "json"]);
    assert_eq!(outcomes(&apply.json(), "example.test"), ["applied"]);
    assert_eq!(exit(&apply), json!({"code": 1, "zones": [{"zone": "broken.test", "code": 1}]}));
}

#[test]
fn one_without_a_terminal_and_without_yes() {
    let project = Project::simple();
    let before = project.read("zones/example.test.zone");
    let output = project.run_to(1, ["apply"]);
    assert!(output.stderr.contains("--yes"), "{}", output.stderr);
    let json = project.run_to(1, ["apply", "--format", "json"]);
    assert_eq!(exit(&json), json!({"code": 1, "zones": [{"zone": "example.test", "code": 1}]}));
    assert_eq!(outcomes(&json.json(), "example.test"), ["skipped"]);
    let output = project.run_with_input(["apply"], b"yes\n").expect_code(1);
    assert!(output.stderr.contains("--yes"), "{}", output.stderr);
    assert_eq!(project.read("zones/example.test.zone"), before);
    assert!(!project.exists(".mailzone"));
}

/// Runs `apply` on a pseudo-terminal and answers the question when it is asked.
#[cfg(target_os = "linux")]
fn answered(project: &Project, answer: &str, meanwhile: impl FnOnce()) -> Output {
    let program = env!("CARGO_BIN_EXE_mailzone");
    let mut command = Command::new("script");
    command
        .args(["--quiet", "--return", "--flush", "--echo", "never", "--command"])
        .arg(format!("'{program}' --color never apply"))
        .arg("/dev/null")
        .current_dir(project.root())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", project.root())
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped());
    let mut running = project.start_command(&mut command);
    running.stdout.wait_for_question("[yes/no]");
    meanwhile();
    // A line end after Ctrl-C would be an answer that may come first.
    let end = if answer == "\u{3}" { "" } else { "\n" };
    running.input().write_all(format!("{answer}{end}").as_bytes()).unwrap();
    running.finish()
}

#[cfg(target_os = "linux")]
#[test]
fn the_answer_decides() {
    let project = Project::simple();
    let before = project.read("zones/example.test.zone");
    for answer in ["no", "y\nno", "y\ny", ""] {
        let output = answered(&project, answer, || ()).expect_code(1);
        assert!(output.stdout.contains("nothing was written"), "{}", output.stdout);
        assert_eq!(project.read("zones/example.test.zone"), before);
    }
    assert!(!project.exists(".mailzone"));
    let output = answered(&project, "y\nyes", || ()).expect_code(0);
    assert!(output.stdout.contains("Only the word yes applies"), "{}", output.stdout);
    assert_ne!(project.read("zones/example.test.zone"), before);
}

#[test]
fn two_for_differences_when_asked() {
    let project = Project::simple();
    let plan = project.run_to(2, ["plan", "--detailed-exitcode", "--format", "json"]);
    assert_eq!(exit(&plan), json!({"code": 2, "zones": [{"zone": "example.test", "code": 2}]}));
    project.run_to(2, ["plan", "--detailed-exitcode"]);
    project.run_to(2, ["plan", "--detailed-exitcode", "--format", "markdown"]);
    project.run_to(0, ["plan"]);
    project.run_to(0, ["apply", "--yes"]);
    project.run_to(0, ["plan", "--detailed-exitcode"]);
}

#[test]
fn findings_do_not_change_the_code_of_plan() {
    let project = guarded();
    let plan = project.run_to(0, ["plan", "--format", "json"]);
    let findings = zone_of(&plan.json(), "guarded.test")["findings"].clone();
    assert!(
        findings.as_array().unwrap().iter().any(|finding| finding["severity"] == "error"),
        "no error finding to be ignored: {findings}"
    );
    project.run_to(2, ["plan", "--detailed-exitcode"]);
}

/// A project whose only zone is served elsewhere, by a server that never sees a change.
fn never_served(keys: &str) -> (Project, DnsServer) {
    let records = ["_dmarc TXT \"v=DMARC1; p=none; rua=mailto:d@example.test\""];
    let server = DnsServer::start(&[("example.test", zone_text("example.test", &records))]);
    let project = project(
        &[
            "[propagation]\ntimeout = \"1s\"\n".to_owned(),
            domain("example.test", &format!("{keys}nameservers = [\"{}\"]\n", server.address())),
        ],
        &[zone("example.test", &records)],
    );
    (project, server)
}

#[test]
fn three_for_what_is_held_in_this_run_and_in_later_ones() {
    let quarantine = "dmarc = \"v=DMARC1; p=quarantine; rua=mailto:d@example.test\"\n";
    let (project, server) = never_served(&format!("{WANTS_SPF}{quarantine}"));
    let apply = project.run_to(3, ["apply", "--yes", "--format", "json"]);
    assert_eq!(exit(&apply), json!({"code": 3, "zones": [{"zone": "example.test", "code": 3}]}));
    assert_eq!(outcomes(&apply.json(), "example.test"), ["applied", "held"]);
    for _ in 0..2 {
        let again = project.run_to(3, ["apply", "--yes", "--format", "json"]);
        assert_eq!(outcomes(&again.json(), "example.test"), ["held"]);
        assert!(!project.read("zones/example.test.zone").contains("quarantine"));
    }
    server.replace("example.test", &project.read("zones/example.test.zone"));
    // The tightening step goes out now; what it wrote is not served either.
    let last = project.run_to(3, ["apply", "--yes", "--format", "json"]);
    assert_eq!(outcomes(&last.json(), "example.test"), ["applied"]);
    assert!(project.read("zones/example.test.zone").contains("quarantine"));
    server.replace("example.test", &project.read("zones/example.test.zone"));
    project.run_to(0, ["apply", "--yes"]);
    project.run_to(0, ["verify"]);
}

#[test]
fn three_for_what_is_not_visible_in_time() {
    let (project, server) = never_served(WANTS_SPF);
    project.run_to(3, ["verify"]);
    let apply = project.run_to(3, ["apply", "--yes", "--format", "json"]);
    assert_eq!(exit(&apply), json!({"code": 3, "zones": [{"zone": "example.test", "code": 3}]}));
    assert_eq!(outcomes(&apply.json(), "example.test"), ["applied"]);
    assert_eq!(apply.json()["verification"]["domains"][0]["verdict"], "incomplete");
    let verify = project.run_to(3, ["verify", "--format", "json"]);
    assert_eq!(exit(&verify), json!({"code": 3, "zones": [{"zone": "example.test", "code": 3}]}));
    server.replace("example.test", &project.read("zones/example.test.zone"));
    let verify = project.run_to(0, ["verify", "--format", "json"]);
    assert_eq!(verify.json()["domains"][0]["verdict"], "verified");
    assert_eq!(exit(&verify), json!({"code": 0, "zones": []}));
}

#[test]
fn three_for_a_wait_that_was_refused_beforehand() {
    let quarantine = "dmarc = \"v=DMARC1; p=quarantine; rua=mailto:d@example.test\"\n";
    let (project, _server) = never_served(&format!("{WANTS_SPF}{quarantine}"));
    let apply = project.run_to(3, ["apply", "--yes", "--wait", "none", "--format", "json"]);
    assert_eq!(outcomes(&apply.json(), "example.test"), ["applied", "held"]);
}

/// The zone at its new name server.
fn moved_zone(record: &str) -> String {
    format!(
        "$ORIGIN example.test.\n$TTL 3600\n@ SOA ns.new.test. h 17 7200 3600 1209600 300\n@ NS ns.new.test.\n{record}\n"
    )
}

/// A root server that delegates `example.test` to the old name server, and the servers themselves.
fn moved() -> (Project, Vec<DnsServer>) {
    let root = "$TTL 3600\n. SOA a.root. host.root. 1 7200 3600 1209600 300\n. NS a.root.\na.root. A 127.0.0.1\n\
                example.test. NS ns.old.test.\nns.old.test. A 127.0.0.2\nns.new.test. A 127.0.0.3\n";
    let old = "$ORIGIN example.test.\n$TTL 3600\n@ SOA ns.old.test. h 9 7200 3600 1209600 300\n@ NS ns.old.test.\n";
    let new = moved_zone("");
    let servers = servers_on_one_port(&[
        &[(".", root.to_owned())],
        &[("example.test", old.to_owned())],
        &[("example.test", new.clone())],
    ]);
    let project = Project::empty();
    let (root, port) = (servers[0].address(), servers[0].address().port());
    project.write(
        "mailzone.toml",
        format!(
            "[providers.files]\ntype = \"zonefile\"\ndirectory = \"zones\"\n[latency]\nsamples = 1\n[dns]\nroots = \
             [\"{root}\"]\nport = {port}\nresolvers = [\"{root}\"]\ntimeout = \"1s\"\n[propagation]\ntimeout = \
             \"1s\"\n[domains.\"example.test\"]\nprovider = \"files\"\n{WANTS_SPF}"
        ),
    );
    project.write("zones/example.test.zone", new);
    (project, servers)
}

#[test]
fn three_for_a_zone_that_is_not_live_and_zero_where_the_configuration_knows() {
    let served = moved_zone("@ TXT \"v=spf1 ip4:203.0.113.7 -all\"");
    let (project, servers) = moved();
    servers[2].replace("example.test", &served);
    let apply = project.run_to(3, ["apply", "--yes", "--format", "json"]);
    assert_eq!(exit(&apply), json!({"code": 3, "zones": [{"zone": "example.test", "code": 3}]}));
    assert_eq!(outcomes(&apply.json(), "example.test"), ["applied"]);
    let domain = &apply.json()["verification"]["domains"][0];
    assert_eq!(domain["verdict"], "not_live", "{domain}");

    let (project, servers) = moved();
    servers[2].replace("example.test", &served);
    project.write("mailzone.toml", project.read("mailzone.toml") + "delegated = false\n");
    let apply = project.run_to(0, ["apply", "--yes", "--format", "json"]);
    let domain = &apply.json()["verification"]["domains"][0];
    assert_eq!(domain["verdict"], "not_live", "{domain}");
}

#[test]
fn four_for_an_error_that_lint_finds() {
    let project = Project::new("[domains.\"example.test\"]\nspf = \"v=spf1 +all\"\n", &[]);
    let lint = project.run_to(4, ["lint", "--format", "json"]);
    assert_eq!(exit(&lint), json!({"code": 4, "zones": [{"zone": "example.test", "code": 4}]}));
    project.run_to(4, ["lint"]);
    project.replace("mailzone.toml", "+all", "-all");
    assert_eq!(exit(&project.run_to(0, ["lint", "--format", "json"])), json!({"code": 0, "zones": []}));
}

/// A zone whose last MX the configuration takes away.
fn guarded() -> Project {
    project(
        &[domain("guarded.test", "mx = \"absent\"\n"), domain("example.test", WANTS_SPF)],
        &[zone("guarded.test", &["@ MX 10 mail", "mail A 192.0.2.25"]), zone("example.test", &[])],
    )
}

#[test]
fn four_for_a_guard_that_stops_its_zone_and_no_other() {
    let project = guarded();
    let before = project.read("zones/guarded.test.zone");
    let apply = project.run_to(4, ["apply", "--yes", "--format", "json"]);
    assert_eq!(exit(&apply), json!({"code": 4, "zones": [{"zone": "guarded.test", "code": 4}]}));
    assert_eq!(outcomes(&apply.json(), "example.test"), ["applied"]);
    assert_eq!(outcomes(&apply.json(), "guarded.test"), ["skipped"]);
    assert_eq!(project.read("zones/guarded.test.zone"), before);
    // A name elsewhere or another code allows nothing.
    project.run_to(4, ["apply", "--yes", "--allow", "GUARD-SPF"]);
    project.run_to(4, ["apply", "--yes", "--allow", "GUARD-MX:example.test"]);
    assert_eq!(project.read("zones/guarded.test.zone"), before);
    project.run_to(0, ["apply", "--yes", "--allow", "GUARD-MX:guarded.test"]);
    assert_ne!(project.read("zones/guarded.test.zone"), before);
}

#[test]
fn four_for_a_server_over_a_budget_that_shall_fail() {
    let server = DnsServer::start(&[("example.test", zone_text("example.test", &[]))]);
    server.switch(Switches { delay: Duration::from_millis(30), ..Switches::default() });
    let project = Project::simple();
    let nameservers = format!("nameservers = [\"{}\"]\n", server.address());
    project.write("mailzone.toml", project.read("mailzone.toml") + &nameservers);
    project.replace("mailzone.toml", "samples = 1", "samples = 3\nbudget = \"20ms\"\non_exceed = \"fail\"");
    let latency = project.run_to(4, ["latency", "example.test", "--format", "json"]);
    assert_eq!(latency.json()["verdict"], "over_budget");
    exit(&latency);
    project.run_to(4, ["latency", "example.test"]);
    project.replace("mailzone.toml", "\"fail\"", "\"warn\"");
    let latency = project.run_to(0, ["latency", "example.test", "--format", "json"]);
    assert_eq!(latency.json()["verdict"], "over_budget");
    exit(&latency);
    project.replace("mailzone.toml", "\"warn\"", "\"fail\"");
    project.replace("mailzone.toml", "\"20ms\"", "\"1m\"");
    let latency = project.run_to(0, ["latency", "example.test", "--format", "json"]);
    assert_eq!(latency.json()["verdict"], "ok");
    // Applying measures too, and never fails for it.
    project.replace("mailzone.toml", "\"1m\"", "\"20ms\"");
    server.replace(
        "example.test",
        &zone_text("example.test", &["@ TXT \"a token\" \n@ TXT \"v=spf1 ip4:203.0.113.7 -all\""]),
    );
    project.run_to(0, ["apply", "--yes"]);
}

#[test]
fn five_for_a_plan_that_is_stale() {
    let project = project(
        &[domain("example.test", WANTS_SPF), domain("other.test", WANTS_SPF)],
        &[zone("example.test", &["@ TXT token"]), zone("other.test", &[])],
    );
    project.run_to(0, ["plan", "--out", "plan.json"]);
    project.replace("zones/example.test.zone", "TXT token", "TXT changed");
    let before = project.read("zones/example.test.zone");
    let apply = project.run_to(5, ["apply", "plan.json", "--yes", "--format", "json"]);
    assert_eq!(exit(&apply), json!({"code": 5, "zones": [{"zone": "example.test", "code": 5}]}));
    assert_eq!(outcomes(&apply.json(), "example.test"), ["skipped"]);
    assert_eq!(outcomes(&apply.json(), "other.test"), ["applied"]);
    assert_eq!(project.read("zones/example.test.zone"), before);
    let text = project.run_to(5, ["apply", "plan.json", "--yes"]);
    for label in ["planned from", "now", "wanted"] {
        assert!(text.stderr.contains(label), "{label}: {}", text.stderr);
    }
}

#[test]
fn five_for_a_configuration_that_changed_since_the_plan() {
    let project = Project::simple();
    project.run_to(0, ["plan", "--out", "plan.json"]);
    let before = project.read("zones/example.test.zone");
    project.replace("mailzone.toml", "203.0.113.7", "203.0.113.8");
    let apply = project.run_to(5, ["apply", "plan.json", "--yes", "--format", "json"]);
    assert_eq!(exit(&apply), json!({"code": 5, "zones": [{"zone": "example.test", "code": 5}]}));
    assert_eq!(project.read("zones/example.test.zone"), before);
}

/// Holds a zone's lock as another run would.
fn hold_lock(project: &Project, zone: &str) -> File {
    fs::create_dir_all(project.path(".mailzone/locks")).unwrap();
    let lock = File::create(project.path(&format!(".mailzone/locks/{zone}@files+{zone}.zone.lock"))).unwrap();
    lock.lock().unwrap();
    lock
}

#[test]
fn five_for_a_lock_that_another_run_holds() {
    let project = Project::simple();
    let before = project.read("zones/example.test.zone");
    let lock = hold_lock(&project, "example.test");
    let apply = project.run_to(5, ["apply", "--yes", "--format", "json"]);
    assert_eq!(exit(&apply), json!({"code": 5, "zones": [{"zone": "example.test", "code": 5}]}));
    assert_eq!(outcomes(&apply.json(), "example.test"), ["skipped"]);
    assert_eq!(project.read("zones/example.test.zone"), before);
    let text = project.run_to(5, ["apply", "--yes"]);
    assert!(text.stderr.contains("lock"), "{}", text.stderr);
    // Reading needs no lock.
    project.run_to(0, ["plan"]);
    drop(lock);
    project.run_to(0, ["apply", "--yes"]);
}

#[cfg(target_os = "linux")]
#[test]
fn five_for_a_zone_that_somebody_changes_meanwhile() {
    let project = Project::simple();
    let meanwhile = || project.replace("zones/example.test.zone", "\"a token\"", "\"another token\"");
    let output = answered(&project, "yes", meanwhile).expect_code(5);
    let after = project.read("zones/example.test.zone");
    assert!(after.contains("another token") && !after.contains("v=spf1"), "{after}\n{}", output.stdout);
    // What changed elsewhere in the zone is in nobody's way.
    let meanwhile = || project.replace("zones/example.test.zone", "192.0.2.80", "192.0.2.81");
    answered(&project, "yes", meanwhile).expect_code(0);
    let after = project.read("zones/example.test.zone");
    assert!(after.contains("another token") && after.contains("v=spf1") && after.contains("192.0.2.81"), "{after}");
}

/// An `apply` that waits for a server that will never have the change.
fn waiting(format: &str) -> (Project, DnsServer, Running) {
    let quarantine = "dmarc = \"v=DMARC1; p=quarantine; rua=mailto:d@example.test\"\n";
    let (project, server) = never_served(&format!("{WANTS_SPF}{quarantine}"));
    project.replace("mailzone.toml", "timeout = \"1s\"", "timeout = \"10m\"");
    let running = project.start(["-v", "apply", "--yes", "--format", format]);
    running.stderr.wait_for("answers still to come");
    (project, server, running)
}

#[test]
fn a_hundred_and_thirty_for_an_interruption() {
    let (project, _server, running) = waiting("text");
    running.signal("INT");
    let output = running.finish().expect_code(130);
    assert!(output.stderr.contains("interrupted"), "{}", output.stderr);
    assert!(output.stdout.contains("applied + example.test. TXT"), "{}", output.stdout);
    let zone = project.read("zones/example.test.zone");
    assert!(zone.contains("v=spf1") && !zone.contains("quarantine"), "{zone}");
    let journal = project.read(".mailzone/journal.jsonl");
    let events: Vec<Value> = journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 2, "{journal}");
    assert_eq!((&events[0]["event"], &events[1]["event"]), (&json!("intent"), &json!("outcome")));
    assert_eq!(events[1]["outcomes"], json!(["applied"]));
}

#[test]
fn a_hundred_and_thirty_for_a_request_to_end() {
    let (_project, _server, running) = waiting("text");
    running.signal("TERM");
    let output = running.finish().expect_code(130);
    assert!(output.stderr.contains("interrupted"), "{}", output.stderr);
    assert!(output.stdout.contains("applied + example.test. TXT"), "{}", output.stdout);
}

#[test]
fn a_hundred_and_thirty_while_verifying() {
    let (project, _server) = never_served(WANTS_SPF);
    project.replace("mailzone.toml", "timeout = \"1s\"", "timeout = \"10m\"");
    let running = project.start(["-v", "verify", "--wait", "authoritative"]);
    running.stderr.wait_for("answers still to come");
    running.signal("INT");
    let output = running.finish().expect_code(130);
    assert!(output.stdout.contains("Incomplete: example.test"), "{}", output.stdout);
}

#[cfg(target_os = "linux")]
#[test]
fn a_hundred_and_thirty_at_the_question() {
    let project = Project::simple();
    let before = project.read("zones/example.test.zone");
    // What a terminal sends for Ctrl-C.
    let output = answered(&project, "\u{3}", || ()).expect_code(130);
    assert!(output.stdout.contains("nothing was written"), "{}", output.stdout);
    assert_eq!(project.read("zones/example.test.zone"), before);
    assert!(!project.exists(".mailzone"));
}

#[test]
fn one_in_the_document_for_what_was_not_looked_at() {
    let project = Project::simple();
    for command in ["plan", "apply"] {
        let output = project.run_to(1, [command, "nope.test", "example.test", "--format", "json"]);
        assert_eq!(exit(&output)["code"], 1);
        let document = output.json();
        let zones = document["zones"].as_array().unwrap();
        assert_eq!(zones.len(), 2, "{document:#}");
        assert_eq!((&zones[0]["domains"], &zones[1]["domains"]), (&json!(["example.test"]), &json!(["nope.test"])));
        assert!(zones.iter().all(|zone| zone["error"]["kind"] == "configuration"), "{document:#}");
    }
    let output = project.run_to(1, ["verify", "nope.test", "--format", "json"]);
    assert_eq!(output.json()["domains"][0]["verdict"], "unchecked");
    assert_eq!(exit(&output)["code"], 1);
    let output = project.run_to(1, ["plan", "--base", "no-such-file", "--format", "json"]);
    assert_eq!(output.json()["zones"].as_array().unwrap().len(), 1);
    let output = project.run_to(1, ["plan", "--out", "no/such/directory/p.json", "--format", "json"]);
    assert_eq!(exit(&output)["code"], 1);
}

#[test]
fn a_hundred_and_thirty_in_the_document_too() {
    let (_project, _server, running) = waiting("json");
    running.signal("INT");
    let output = running.finish().expect_code(130);
    assert_eq!(exit(&output)["code"], 130);
    let outcomes = outcomes(&output.json(), "example.test");
    assert_eq!(outcomes[0], "applied");
    assert_ne!(outcomes[1], "applied");
}

/// Four zones that end with 1, 5, 4 and 3.
fn all_codes() -> (Project, DnsServer, File) {
    let server = DnsServer::start(&[("d3.test", zone_text("d3.test", &[]))]);
    let project = project(
        &[
            "[propagation]\ntimeout = \"1s\"\n".to_owned(),
            domain("a1.test", WANTS_SPF),
            domain("b5.test", WANTS_SPF),
            domain("c4.test", "mx = \"absent\"\n"),
            domain("d3.test", &format!("{WANTS_SPF}nameservers = [\"{}\"]\n", server.address())),
            domain("e0.test", WANTS_SPF),
        ],
        &[
            zone("a1.test", &["this is no record"]),
            zone("b5.test", &[]),
            zone("c4.test", &["@ MX 10 mail.example.net."]),
            zone("d3.test", &[]),
            zone("e0.test", &[]),
        ],
    );
    let lock = hold_lock(&project, "b5.test");
    (project, server, lock)
}

#[test]
fn the_first_of_one_five_four_three_and_zero_wins() {
    let selections: &[(&[&str], i32)] = &[
        (&["e0.test"], 0),
        (&["d3.test", "e0.test"], 3),
        (&["c4.test", "d3.test", "e0.test"], 4),
        (&["b5.test", "c4.test", "d3.test", "e0.test"], 5),
        (&[], 1),
    ];
    for (selection, code) in selections {
        let (project, _server, _lock) = all_codes();
        let args: Vec<&str> = ["apply", "--yes", "--format", "json"].iter().chain(*selection).copied().collect();
        let apply = project.run_to(*code, args);
        let zones = exit(&apply)["zones"].as_array().unwrap().clone();
        let said: Vec<String> = zones.iter().map(|entry| format!("{}={}", entry["zone"], entry["code"])).collect();
        let all = ["\"a1.test\"=1", "\"b5.test\"=5", "\"c4.test\"=4", "\"d3.test\"=3"];
        let wanted = match *code {
            0 => &all[4..],
            3 => &all[3..],
            4 => &all[2..],
            5 => &all[1..],
            _ => &all[..],
        };
        assert_eq!(said, wanted, "{selection:?}");
        assert!(project.read("zones/e0.test.zone").contains("v=spf1"), "{selection:?}");
    }
}

#[test]
fn an_error_goes_before_differences() {
    let (project, _server, _lock) = all_codes();
    let plan = project.run_to(1, ["plan", "--detailed-exitcode", "--format", "json"]);
    let zones = exit(&plan)["zones"].as_array().unwrap().clone();
    let codes: Vec<i64> = zones.iter().map(|entry| entry["code"].as_i64().unwrap()).collect();
    assert_eq!(codes, [1, 2, 2, 2, 2]);
}
