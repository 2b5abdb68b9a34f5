//! `plan --out` and `apply PLAN.json`: a plan file is never trusted and can only narrow.

use mailzone_plan::Document;

use crate::harness::{Output, Project, SERVED, zone_text};
use crate::settle::{apply, outcomes, zone_bytes};

const WANTED: &str = "[domains.\"example.test\"]\nspf = \"v=spf1 -all\"\ntls_rpt = { rua = [\"mailto:t@example.test\"] }\n\
                      [domains.\"other.test\"]\nspf = \"v=spf1 -all\"\n";

/// Two domains in zones of their own, and the plan of both in `plan.json`.
fn planned() -> Project {
    let records = ["@ TXT \"a token\"", "@ TXT \"v=spf1 ~all\"", "www A 192.0.2.80"];
    let project = Project::new(
        WANTED,
        &[("example.test", zone_text("example.test", &records)), ("other.test", zone_text("other.test", &[]))],
    );
    project.run_to(0, ["plan", "--out", "plan.json"]);
    project
}

fn zones(project: &Project) -> [Vec<u8>; 2] {
    [zone_bytes(project, "example.test"), zone_bytes(project, "other.test")]
}

/// Writes a plan file with a digest that fits, as somebody who knows how could.
fn forge(project: &Project, change: impl FnOnce(&mut Document)) {
    let mut document: Document = serde_json::from_str(&project.read("plan.json")).unwrap();
    change(&mut document);
    project.write("plan.json", document.to_sealed_json().unwrap());
}

#[track_caller]
fn stale(project: &Project) -> Output {
    let before = zone_bytes(project, "example.test");
    let output = project.run_to(5, ["apply", "--yes", "plan.json"]);
    assert!(before == zone_bytes(project, "example.test"), "a stale plan was written");
    output
}

#[test]
fn a_saved_plan_applies_once() {
    let project = planned();
    let first = apply(&project, 0, &["plan.json"]);
    let expected = ["example.test. TXT: applied", "_smtp._tls.example.test. TXT: applied", "other.test. TXT: applied"];
    assert_eq!(outcomes(&first), expected);
    project.run_to(0, ["plan", "--detailed-exitcode"]);
    let (written, journal) = (zones(&project), project.read(".mailzone/journal.jsonl"));
    let second = apply(&project, 0, &["./plan.json"]);
    assert!(outcomes(&second).iter().all(|line| line.ends_with(": already")), "{second:#}");
    assert_eq!((written, journal), (zones(&project), project.read(".mailzone/journal.jsonl")));
}

#[test]
fn what_is_done_already_is_not_done_again() {
    let project = planned();
    // Somebody has put one of the two there, as planned.
    project.replace("zones/example.test.zone", "\"v=spf1 ~all\"", "\"v=spf1 -all\"");
    apply(&project, 0, &["plan.json"]);
    project.run_to(0, ["plan", "--detailed-exitcode"]);
}

#[test]
fn a_changed_set_is_not_written() {
    for (from, to) in [
        ("@ TXT \"a token\"\n", "@ TXT \"a token\"\n@ TXT \"another token\"\n"),
        ("@ TXT \"a token\"\n", ""),
        ("v=spf1 ~all", "v=spf1 ip4:192.0.2.1 ~all"),
        ("@ TXT", "@ 60 TXT"),
    ] {
        let project = planned();
        project.replace("zones/example.test.zone", from, to);
        let output = stale(&project);
        for shown in ["planned from: ", "now: ", "wanted: ", "v=spf1 ~all", "v=spf1 -all"] {
            assert!(output.stderr.contains(shown), "{shown}: {}", output.stderr);
        }
        // The other zone is as it was planned, and goes on.
        assert!(project.read("zones/other.test.zone").contains("v=spf1 -all"));
    }
}

#[test]
fn a_zone_that_changed_elsewhere_is_written() {
    let project = planned();
    project.replace("zones/example.test.zone", "www A 192.0.2.80", "www A 192.0.2.81\n@ MX 10 mail\nnew TXT \"x\"");
    apply(&project, 0, &["plan.json"]);
    let text = project.read("zones/example.test.zone");
    for part in ["www A 192.0.2.81", "@ MX 10 mail", "new TXT \"x\"", "v=spf1 -all", "TLSRPTv1", "a token"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    project.run_to(0, ["plan", "--detailed-exitcode"]);
}

#[test]
fn another_configuration_is_stale() {
    for (from, to) in [
        ("v=spf1 -all", "v=spf1 ?all"),
        ("tls_rpt = ", "dmarc = { policy = \"none\" }\ntls_rpt = "),
        ("tls_rpt = { rua = [\"mailto:t@example.test\"] }", "ttl = 300"),
    ] {
        let project = planned();
        let config = project.read("mailzone.toml").replacen(from, to, 1);
        project.write("mailzone.toml", &config);
        let output = stale(&project);
        assert!(output.stderr.contains("configuration"), "{}", output.stderr);
        assert!(project.read("zones/other.test.zone").contains("v=spf1 -all"));
    }
    // Spelling is not what a configuration asks for.
    let project = planned();
    project.write(
        "mailzone.toml",
        format!(
            "# A comment\n{SERVED}\n{}",
            WANTED.replace("[domains.\"example.test\"]", "[domains.\"Example.TEST\"]")
        ),
    );
    apply(&project, 0, &["plan.json"]);
}

#[test]
fn only_the_zones_of_the_plan_are_written() {
    let project = planned();
    project.run_to(0, ["plan", "other.test", "--out", "plan.json"]);
    let before = zone_bytes(&project, "example.test");
    let applied = apply(&project, 0, &["plan.json"]);
    assert_eq!(outcomes(&applied), ["other.test. TXT: applied"]);
    assert!(before == zone_bytes(&project, "example.test"));
}

#[test]
fn a_plan_file_cannot_widen() {
    // More values than the configuration asks for, in one of its sets.
    let project = planned();
    forge(&project, |document| {
        document.zones[0].changes[0].after.as_mut().unwrap().values.push("\"not asked for\"".into());
    });
    stale(&project);
    // A foreign value left out.
    let project = planned();
    forge(&project, |document| {
        let change = &mut document.zones[0].changes[0];
        change.after.as_mut().unwrap().values.retain(|value| value.contains("spf1"));
        change.kept.clear();
    });
    stale(&project);
    assert!(project.read("zones/example.test.zone").contains("a token"));
    // A change that the configuration does not ask for at all.
    let project = planned();
    forge(&project, |document| {
        let mut change = document.zones[0].changes[0].clone();
        "www.example.test.".clone_into(&mut change.name);
        "www.example.test. A".clone_into(&mut change.id);
        "A".clone_into(&mut change.rtype);
        change.after = None;
        document.zones[0].changes.push(change);
    });
    project.run(["apply", "--yes", "plan.json"]);
    assert!(project.read("zones/example.test.zone").contains("www A 192.0.2.80"));
    // A guard that it says is allowed, in a plan that needs it.
    let project = planned();
    project.replace("mailzone.toml", "v=spf1 -all", "absent");
    project.run_to(0, ["plan", "--out", "plan.json", "--allow", "GUARD-SPF"]);
    let before = zone_bytes(&project, "example.test");
    apply(&project, 4, &["plan.json"]);
    assert!(before == zone_bytes(&project, "example.test"));
    apply(&project, 0, &["plan.json", "--allow", "GUARD-SPF"]);
}

#[test]
fn a_set_that_drifted_since_is_not_written_by_a_plan_without_it() {
    let project = planned();
    project.run_to(0, ["apply", "--yes"]);
    project.replace("zones/example.test.zone", "\"v=spf1 -all\"", "\"v=spf1 ~all\"");
    project.run_to(0, ["plan", "--out", "plan.json"]);
    project.replace("zones/example.test.zone", "rua=mailto:t@", "rua=mailto:drifted@");
    project.run_to(0, ["apply", "--yes", "plan.json"]);
    let zone = project.read("zones/example.test.zone");
    assert!(zone.contains("rua=mailto:drifted@") && zone.contains("v=spf1 -all"), "{zone}");
}

#[test]
fn a_file_that_is_no_intact_plan_is_refused() {
    let project = planned();
    let before = zones(&project);
    let text = project.read("plan.json");
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    value["zones"][0]["changes"][0]["reason"] = "edited".into();
    let edited = value.to_string();
    value["digest"] = serde_json::Value::Null;
    let without_digest = value.to_string();
    value["format_version"] = 2.into();
    let newer = value.to_string();
    for bad in [&text[..text.len() / 2], "", "{}", "[1, 2]", &edited, &without_digest, &newer, "\u{0}\u{1b}[31m"] {
        project.write("plan.json", bad);
        let output = project.run_to(1, ["apply", "--yes", "plan.json"]);
        assert!(output.stderr.contains("plan.json") && output.stderr.contains("plan --out"), "{}", output.stderr);
    }
    project.write("plan.json", &text);
    forge(&project, |document| "dns".clone_into(&mut document.zones[0].source));
    project.run_to(1, ["apply", "--yes", "plan.json"]);
    project.run_to(1, ["apply", "--yes", "missing.json"]);
    project.run_to(1, ["apply", "--yes", "zones/"]);
    project.write("plan.json", &text);
    project.run_to(1, ["apply", "--yes", "plan.json", "example.test"]);
    assert_eq!(before, zones(&project));
    assert!(!project.exists(".mailzone"));
}
