//! Mail hosts that are only looked at.

use serde_json::Value;

use crate::harness::{Project, zone_text};

const HOST: &str = "[hosts.\"mail.example.test\"]\nipv4 = [\"192.0.2.25\"]\nhelo = \"smtp.example.test\"\n\
                    [domains.\"example.test\"]\nmx = \"unmanaged\"\n";

fn project(mail: &str, reverse: &[&str]) -> Project {
    let zones = [
        ("example.test", zone_text("example.test", &[mail])),
        ("2.0.192.in-addr.arpa", zone_text("2.0.192.in-addr.arpa", reverse)),
    ];
    // The reverse zone is read because a name in it is managed.
    let domains = format!("{HOST}[domains.\"1.2.0.192.in-addr.arpa\"]\n");
    Project::new(&domains, &zones)
}

fn findings(project: &Project) -> Vec<(String, String)> {
    let document = project.run_to(0, ["plan", "--format", "json"]).json();
    let zones = document["zones"].as_array().unwrap().iter().map(|zone| &zone["findings"]);
    let all = zones.chain([&document["findings"]]).flat_map(|list| list.as_array().unwrap());
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    all.map(|finding| (text(finding, "code"), text(finding, "subject"))).collect()
}

fn has(found: &[(String, String)], code: &str, subject: &str) -> bool {
    found.iter().any(|(c, s)| c == code && s == subject)
}

#[test]
fn other_addresses_and_other_pointers_are_reported_and_left() {
    let project = project("mail A 192.0.2.26", &["25 PTR other.example.test."]);
    let found = findings(&project);
    assert!(has(&found, "HOSTS-01", "mail.example.test."), "{found:?}");
    assert!(has(&found, "PTR-02", "25.2.0.192.in-addr.arpa."), "{found:?}");
    let document = project.run_to(0, ["plan", "--format", "json"]).json();
    assert_eq!(document["summary"]["update"], 0);
}

#[test]
fn a_missing_pointer_is_reported_and_a_right_one_is_not() {
    let found = findings(&project("mail A 192.0.2.25", &[]));
    assert!(has(&found, "PTR-01", "25.2.0.192.in-addr.arpa."), "{found:?}");
    let found = findings(&project("mail A 192.0.2.25", &["25 PTR mail.example.test."]));
    let codes = ["HOSTS-01", "PTR-01", "PTR-02", "UNCHECKED"];
    assert!(found.iter().all(|(code, _)| !codes.contains(&code.as_str())), "{found:?}");
}

#[test]
fn what_no_zone_of_the_run_holds_is_unchecked() {
    let zones = [("example.test", zone_text("example.test", &["mail A 192.0.2.25"]))];
    let found = findings(&Project::new(HOST, &zones));
    assert!(has(&found, "UNCHECKED", "example.test."), "{found:?}");
}

#[test]
fn another_name_in_helo_is_a_warning_of_plan_and_lint() {
    let project = project("mail A 192.0.2.25", &["25 PTR mail.example.test."]);
    assert!(has(&findings(&project), "PTR-05", "mail.example.test."));
    assert!(project.run_to(0, ["lint"]).stdout.contains("PTR-05"));
    project.replace("mailzone.toml", "helo = \"smtp.example.test\"", "helo = \"mail.example.test\"");
    assert!(!has(&findings(&project), "PTR-05", "mail.example.test."));
}
