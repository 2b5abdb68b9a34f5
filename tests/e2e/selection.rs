//! Domains named on the command line, and what one domain says about another.

use serde_json::Value;

use crate::harness::{Project, zone_text};

const ZONE: &str = "example.test";

fn project(domains: &str, records: &[&str]) -> Project {
    Project::new(domains, &[(ZONE, zone_text(ZONE, records))])
}

fn names(list: &Value, key: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|entry| entry[key].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_selection_does_not_evade_a_refusal() {
    let project = project(
        "[domains.\"example.test\"]\n[[domains.\"example.test\".records]]\nname = \"foo\"\ntype = \"TXT\"\n\
         values = ['\"b\"']\nexclusive = false\n\
         [domains.\"foo.example.test\"]\n[[domains.\"foo.example.test\".records]]\nname = \"@\"\ntype = \"TXT\"\n\
         values = ['\"a\"']\n",
        &["foo TXT \"b\""],
    );
    let before = project.read("zones/example.test.zone");
    for args in [&["apply", "--yes"][..], &["apply", "--yes", "foo.example.test"]] {
        let output = project.run_to(1, args);
        assert!(output.stdout.contains("want different"), "{}", output.stdout);
    }
    assert_eq!(project.read("zones/example.test.zone"), before);
}

#[test]
fn an_allow_entry_is_of_one_domain() {
    let project = project(
        "[domains.\"example.test\"]\nmx = \"unmanaged\"\n[[domains.\"example.test\".allow]]\ncode = \"GUARD-MX\"\n\
         [domains.\"shop.example.test\"]\nmx = \"absent\"\n",
        &["@ MX 10 mail", "shop MX 10 mail", "mail A 192.0.2.25"],
    );
    project.run_to(4, ["apply", "--yes"]);
    assert!(project.read("zones/example.test.zone").contains("shop MX 10 mail"));
    project.replace("mailzone.toml", "mx = \"absent\"", "mx = \"absent\"\nallow = [{ code = \"GUARD-MX\" }]");
    project.run_to(0, ["apply", "--yes", "--wait", "none"]);
    assert!(!project.read("zones/example.test.zone").contains("shop MX 10 mail"));
}

#[test]
fn what_another_domain_claims_is_neither_shown_nor_unmanaged() {
    let project = project(
        "[domains.\"example.test\"]\nmx = \"null\"\nmail = \"none\"\n[domains.\"news.example.test\"]\nspf = \"v=spf1 -all\"\n",
        &["@ MX 0 .", "_dmarc TXT \"v=DMARC1; p=none\""],
    );
    let document = project.run_to(0, ["plan", "news.example.test", "--format", "json"]).json();
    let zone = &document["zones"][0];
    assert_eq!(names(&zone["changes"], "id"), ["news.example.test. TXT"]);
    assert_eq!(zone["unmanaged"], Value::Array(Vec::new()));
    assert_eq!(zone["domains"], serde_json::json!(["news.example.test"]));
    let document = project.run_to(0, ["plan", "example.test", "--format", "json"]).json();
    assert_eq!(names(&document["zones"][0]["unmanaged"], "slot"), ["dmarc"]);
    assert_eq!(document["summary"]["unchanged"], 1);
}

#[test]
fn a_plan_of_one_domain_is_applied_as_saved() {
    let project = project(
        "[domains.\"example.test\"]\nspf = \"v=spf1 -all\"\n[domains.\"news.example.test\"]\nspf = \"v=spf1 -all\"\n",
        &["www A 192.0.2.80"],
    );
    project.run_to(0, ["plan", "news.example.test", "--out", "plan.json"]);
    project.run_to(0, ["apply", "plan.json", "--yes", "--wait", "none"]);
    let zone = project.read("zones/example.test.zone");
    assert_eq!(zone.matches("v=spf1").count(), 1, "{zone}");
    let again = project.run_to(0, ["apply", "plan.json", "--yes", "--format", "json"]).json();
    assert_eq!(again["zones"][0]["changes"][0]["outcome"], "already");
}

#[test]
fn a_saved_plan_that_normalises_is_applied_so() {
    let project =
        project("[domains.\"example.test\"]\nspf = \"v=spf1 mx -all\"\n", &["@ TXT \"v=spf1  MX\" \" -all\""]);
    project.run_to(0, ["plan", "--normalize", "--out", "plan.json"]);
    let done = project.run_to(0, ["apply", "plan.json", "--yes", "--wait", "none", "--format", "json"]).json();
    assert_eq!(done["zones"][0]["changes"][0]["outcome"], "applied");
    assert!(project.read("zones/example.test.zone").contains("\"v=spf1 mx -all\""));
}
