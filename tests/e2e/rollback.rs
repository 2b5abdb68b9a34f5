//! `rollback`: what a run changed is as before, everything else is as it is today.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::harness::{Project, zone_text};
use crate::settle::{apply, guards, outcomes, zone_bytes};

const ALLOW: [&str; 6] = ["--allow", "GUARD-SPF", "--allow", "GUARD-DMARC-DOWN", "--allow", "GUARD-SPF-NET"];

fn project(domain: &str, records: &[&str]) -> Project {
    let domains = format!("[domains.\"example.test\"]\n{domain}");
    Project::new(&domains, &[("example.test", zone_text("example.test", records))])
}

fn rollback(project: &Project, code: i32, args: &[&str]) -> Value {
    project.run_to(code, [&["rollback", "--yes", "--format", "json"], args].concat()).json()
}

/// The lines of the zone file, without the SOA's.
fn lines(project: &Project) -> Vec<String> {
    let text = project.read("zones/example.test.zone");
    text.lines().filter(|line| !line.contains("SOA")).map(str::to_owned).collect()
}

fn runs(project: &Project) -> Vec<Value> {
    project.run_to(0, ["history", "--format", "json"]).json()["entries"].as_array().unwrap().clone()
}

#[test]
fn an_update_is_taken_back_line_by_line() {
    let project =
        project("spf = \"v=spf1 mx -all\"\n", &["@ TXT \"a token\"", "@ TXT \"v=spf1 mx ~all\"", "www A 192.0.2.80"]);
    let before = lines(&project);
    apply(&project, 0, &[]);
    assert_ne!(lines(&project), before);
    let output = project.run_to(0, ["rollback", "--yes"]);
    let shown = output.shown();
    assert_snapshot!(shown.split("\nVerified").next().unwrap(), @"
    Zone example.test (files): 1 to update
      ~ example.test. TXT  spf, loosens
          ~ all: -all -> ~all
          keeps 1 foreign value

    Plan: 0 to create, 1 to update, 0 to delete. 0 unchanged, 4 foreign, 0 unmanaged.
    Zone example.test (files)
      applied ~ example.test. TXT

    Apply: 1 applied.
    Journal: [RUN]
    ");
    assert_snapshot!(output.said(), @"
    taking back [RUN] of [TIME]
    the configuration still asks for what it asked before: change it, or the next apply writes it again
    ");
    assert_eq!(lines(&project), before);
    // The configuration did not change: it asks for the same again, and the rollback can be taken back.
    project.run_to(2, ["plan", "--detailed-exitcode"]);
    let back = rollback(&project, 0, &[]);
    assert_eq!(back["rolled_back"], runs(&project)[1]["id"]);
    project.run_to(0, ["plan", "--detailed-exitcode"]);
}

#[test]
fn what_was_created_goes_the_policy_first_and_what_came_since_stays() {
    let project = project(
        "spf = \"v=spf1 -all\"\ndmarc = { policy = \"quarantine\", rua = [\"mailto:d@example.test\"] }\n",
        &["_dmarc TXT \"v=DMARC1; p=none; rua=mailto:d@example.test\""],
    );
    let created = apply(&project, 0, &[]);
    assert_eq!(outcomes(&created), ["example.test. TXT: applied", "_dmarc.example.test. TXT: applied"]);
    project.replace("zones/example.test.zone", "\"v=spf1 -all\"", "\"v=spf1 -all\"\n@ TXT \"a later token\"");
    let written = zone_bytes(&project, "example.test");
    let stopped = rollback(&project, 4, &[]);
    let mut codes = guards(&stopped["zones"][0]);
    codes.sort_unstable();
    assert_eq!(codes, ["GUARD-DMARC-DOWN", "GUARD-SPF"]);
    assert!(written == zone_bytes(&project, "example.test"));
    let run = runs(&project)[0]["id"].as_str().unwrap().to_owned();
    let back = rollback(&project, 0, &[&[run.as_str()], &ALLOW[..]].concat());
    assert_eq!(outcomes(&back), ["_dmarc.example.test. TXT: applied", "example.test. TXT: applied"]);
    assert_eq!(back["zones"][0]["changes"][1]["needs"], json!(["_dmarc.example.test. TXT"]));
    let text = project.read("zones/example.test.zone");
    assert!(text.contains("p=none") && text.contains("a later token") && !text.contains("v=spf1"), "{text}");
}

#[test]
fn what_changed_again_stops_until_it_is_allowed() {
    let project = project("spf = \"v=spf1 mx -all\"\n", &["@ TXT \"v=spf1 mx ~all\""]);
    apply(&project, 0, &[]);
    project.replace("zones/example.test.zone", "v=spf1 mx -all", "v=spf1 mx ?all");
    let output = project.run_to(4, ["rollback", "--yes"]);
    assert_snapshot!(output.shown(), @r#"
    Zone example.test (files): 1 to update
      ~ example.test. TXT  spf, tightens
          ~ all: ?all -> ~all
      stopped by GUARD-ROLLBACK at example.test.: example.test. TXT is another one since
          [RUN]: it left "v=spf1 mx -all", today it is "v=spf1 mx ?all", and that would
          be lost (docs/safety.md)
          help: if this is meant: --allow GUARD-ROLLBACK:example.test
      cures SPF-10 at example.test.: `?all` is neutral, no fail: unknown senders are treated as if there
          were no SPF (RFC 7208 section 2.6.2)

    Plan: 0 to create, 1 to update, 0 to delete. 0 unchanged, 3 foreign, 0 unmanaged.
    Zone example.test (files)
      skipped ~ example.test. TXT

    Apply: 0 applied, 1 skipped.
    "#);
    assert!(project.read("zones/example.test.zone").contains("v=spf1 mx ?all"));
    rollback(&project, 0, &["--allow", "GUARD-ROLLBACK:example.test"]);
    assert!(project.read("zones/example.test.zone").contains("v=spf1 mx ~all"));
}

#[test]
fn a_domain_that_is_configured_no_longer_is_taken_back() {
    let project = project("spf = \"v=spf1 mx -all\"\n", &["@ TXT \"v=spf1 mx ~all\""]);
    apply(&project, 0, &[]);
    project.replace("mailzone.toml", "[domains.\"example.test\"]\nspf", "[domains.\"other.test\"]\nspf");
    let back = rollback(&project, 0, &[]);
    assert_eq!((&back["zones"][0]["zone"], &back["zones"][0]["domains"]), (&json!("example.test"), &json!([])));
    assert!(project.read("zones/example.test.zone").contains("v=spf1 mx ~all"));
    // Nothing asks for it any more.
    assert!(!project.run_to(0, ["rollback", "--yes"]).stderr.contains("configuration"));
}

#[test]
fn a_zone_that_is_gone_is_an_error() {
    let project = project("spf = \"v=spf1 mx -all\"\n", &["@ TXT \"v=spf1 mx ~all\""]);
    apply(&project, 0, &[]);
    std::fs::remove_file(project.path("zones/example.test.zone")).unwrap();
    let back = rollback(&project, 1, &[]);
    assert_eq!(back["zones"][0]["error"]["kind"], "no_zone");
    assert_eq!(back["exit"], json!({"code": 1, "zones": [{"zone": "example.test", "code": 1}]}));
}

#[test]
fn without_a_run_there_is_nothing_to_take_back() {
    let project = Project::simple();
    let output = project.run_to(1, ["rollback"]);
    assert_snapshot!(output.said(), @"
    error: the journal holds no run that changed anything
      help: `mailzone history` shows what was applied; --state-dir names another journal
    ");
    apply(&project, 0, &[]);
    let output = project.run_to(1, ["rollback", "20200101T000000Z-1"]);
    assert_snapshot!(output.said(), @"
    error: the journal holds no run [RUN]
      help: `mailzone history` lists the runs
    ");
    // Nobody said yes.
    let before = zone_bytes(&project, "example.test");
    let output = project.run_to(1, ["rollback", "--allow", "GUARD-SPF"]);
    assert!(output.stderr.contains("--yes"), "{}", output.stderr);
    assert!(before == zone_bytes(&project, "example.test"));
}
