//! Mail hosts: what plan and verify say of their names, addresses and reverse names.

use mailzone_server::Switches;
use serde_json::{Value, json};

use crate::harness::{DnsServer, Project, zone_text};

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
    let codes = ["HOSTS-01", "PTR-01", "PTR-02"];
    assert!(found.iter().all(|(code, _)| !codes.contains(&code.as_str())), "{found:?}");
    // Other areas have open questions, for nothing is looked up here; the comparison with the zones has none.
    assert!(!has(&found, "UNCHECKED", "example.test."), "{found:?}");
}

#[test]
fn what_no_zone_of_the_run_holds_is_unchecked() {
    let zones = [("example.test", zone_text("example.test", &["mail A 192.0.2.25"]))];
    let found = findings(&Project::new(HOST, &zones));
    assert!(has(&found, "UNCHECKED", "example.test."), "{found:?}");
}

#[test]
fn another_name_in_helo_is_a_warning_of_plan_and_lint() {
    let count = |project: &Project| findings(project).iter().filter(|(code, _)| code == "PTR-05").count();
    let project = project("mail A 192.0.2.25", &["25 PTR mail.example.test."]);
    assert_eq!(count(&project), 1);
    assert!(project.run_to(0, ["lint"]).stdout.contains("PTR-05"));
    let text = project.read("mailzone.toml");
    project.replace("mailzone.toml", "helo = \"smtp.example.test\"", "helo = \"mail.example.test\"");
    assert_eq!(count(&project), 0);
    // Only the configuration says so where no zone of the run has the PTR.
    project.write("mailzone.toml", text.replace("[domains.\"1.2.0.192.in-addr.arpa\"]\n", ""));
    assert_eq!(count(&project), 1);
    project.write("mailzone.toml", text.replace("helo =", "ptr = \"off\"\nhelo ="));
    assert_eq!(count(&project), 0);
}

/// Hosts in every state, their zones and reverse zones beside one another.
fn in_every_state() -> Project {
    let hosts = "[hosts.\"mail.example.test\"]\nipv4 = [\"192.0.2.25\"]\nhelo = \"smtp.example.test\"\n\
                 [hosts.\"out.example.test\"]\nipv4 = [\"192.0.2.26\"]\nipv6 = [\"2001:db8::26\"]\n\
                 [hosts.\"old.example.test\"]\nipv4 = [\"192.0.2.27\"]\n\
                 [hosts.\"found.example.test\"]\n\
                 [hosts.\"nowhere.example.test\"]\nhelo = \"nothing.example.test\"\n\
                 [hosts.\"alone.example.test\"]\nipv4 = [\"192.0.2.30\"]\nptr = \"off\"\n\
                 [domains.\"example.test\"]\nspf = \"v=spf1 -all\"\n";
    let forward = [
        "@ TXT \"v=spf1 -all\"",
        "mail A 192.0.2.25",
        "smtp A 192.0.2.25",
        "out A 192.0.2.26",
        "out AAAA 2001:db8::26",
        "old A 192.0.2.28",
        "found AAAA 2001:db8::29",
    ];
    let v4 = ["25 PTR mail.example.test.", "26 PTR out.example.test.", "27 PTR old.example.test.", "28 PTR a_b.test."];
    let v6 = ["9.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 PTR found.example.test."];
    let zones = [
        ("example.test", zone_text("example.test", &forward)),
        ("2.0.192.in-addr.arpa", zone_text("2.0.192.in-addr.arpa", &v4)),
        ("8.b.d.0.1.0.0.2.ip6.arpa", zone_text("8.b.d.0.1.0.0.2.ip6.arpa", &v6)),
    ];
    Project::new(hosts, &zones)
}

/// The rows of a host: address, resolves, reverse names, confirmed, codes of findings.
fn rows(document: &Value, host: &str) -> Vec<Value> {
    let all = document["hosts"].as_array().unwrap().iter().filter(|row| row["host"] == host);
    let codes = |row: &Value| -> Vec<Value> {
        row["findings"].as_array().into_iter().flatten().map(|finding| finding["code"].clone()).collect()
    };
    all.map(|row| json!([row["address"], row["resolves"], row["ptr"], row["confirmed"], codes(row)])).collect()
}

#[test]
fn verify_shows_how_names_and_addresses_lead_to_one_another() {
    let project = in_every_state();
    insta::assert_snapshot!(project.run_to(0, ["verify"]).shown(), @"
    Verified: example.test, 1 RRset as wanted at 1 server address
        server     address          state
      + 127.0.0.1  [ADDR]  current

    Host found.example.test
        address       of the host  reverse name        leads back
      + 2001:db8::29  yes          found.example.test  yes

    Host mail.example.test, in HELO smtp.example.test (192.0.2.25)
        address     of the host  reverse name       leads back
      ~ 192.0.2.25  yes          mail.example.test  yes
      warning PTR-05 at mail.example.test: 192.0.2.25 (mail.example.test) says smtp.example.test and is
          mail.example.test (RFC 5321 section 4.1.4)
          help: let the server say the name of its PTR in HELO

    Host nowhere.example.test, in HELO nothing.example.test, which has no address
        address  of the host  reverse name  leads back
      ~ none     no           -             -

    Host old.example.test
        address     of the host  reverse name      leads back
      - 192.0.2.27  no           old.example.test  no
      - 192.0.2.28  yes          a_b.test          not known
      error PTR-02 at old.example.test: 192.0.2.27 (old.example.test) is old.example.test, and that name
          does not lead back to it (RFC 8601 section 3)
          help: publish the address under that name first, then set the PTR
      warning PTR-05 at old.example.test: 192.0.2.28 (old.example.test) says old.example.test and is
          a_b.test (RFC 5321 section 4.1.4)
          help: let the server say the name of its PTR in HELO
      error PTR-06 at 28.2.0.192.in-addr.arpa: a_b.test is no host name: it has an underscore (RFC 1123
          section 2.1)
          help: rename the host

    Host out.example.test
        address       of the host  reverse name      leads back
      + 192.0.2.26    yes          out.example.test  yes
      ~ 2001:db8::26  yes          none              -
      warning PTR-07 at out.example.test: 2001:db8::26 (out.example.test) has no reverse name (RFC 1912
          section 2.1)
          help: set the PTR, or send over IPv4
    ");
    let document = project.run_to(0, ["verify", "--format", "json"]).json();
    let of = |host: &str| rows(&document, &format!("{host}.example.test"));
    assert_eq!(of("mail"), [json!(["192.0.2.25", true, ["mail.example.test"], true, ["PTR-05"]])]);
    assert_eq!(
        of("out"),
        [
            json!(["192.0.2.26", true, ["out.example.test"], true, []]),
            json!(["2001:db8::26", true, [], false, ["PTR-07"]])
        ]
    );
    // The configured address is not the host's, and the one that it has is not the configured one.
    assert_eq!(
        of("old"),
        [
            json!(["192.0.2.27", false, ["old.example.test"], false, ["PTR-02"]]),
            json!(["192.0.2.28", true, ["a_b.test"], null, ["PTR-05", "PTR-06"]])
        ]
    );
    assert_eq!(of("found"), [json!(["2001:db8::29", true, ["found.example.test"], true, []])]);
    assert_eq!(of("nowhere"), [json!([null, false, [], null, []])]);
    assert_eq!(of("alone"), [Value::Null; 0]);
    let helo = |host: &str| {
        let row = document["hosts"].as_array().unwrap().iter().find(|row| row["host"] == host).unwrap();
        json!([row["helo"], row["helo_resolves"]])
    };
    assert_eq!(helo("mail.example.test"), json!(["smtp.example.test", ["192.0.2.25"]]));
    assert_eq!(helo("out.example.test"), json!(["out.example.test", ["192.0.2.26", "2001:db8::26"]]));
    assert_eq!(helo("nowhere.example.test"), json!(["nothing.example.test", []]));
}

#[test]
fn a_managed_pointer_that_is_not_there_fails_verify_and_a_checked_one_does_not() {
    let zones = |reverse: &[&str]| {
        [
            ("example.test", zone_text("example.test", &["mail A 192.0.2.25"])),
            ("2.0.192.in-addr.arpa", zone_text("2.0.192.in-addr.arpa", reverse)),
        ]
    };
    let host = "[hosts.\"mail.example.test\"]\nipv4 = [\"192.0.2.25\"]\naddresses = \"manage\"\nptr = \"manage\"\n\
                [domains.\"example.test\"]\n";
    for (reverse, code, codes) in [
        (&["25 PTR mail.example.test."][..], 0, json!([])),
        (&["25 PTR www.example.test."], 3, json!(["PTR-02", "PTR-05"])),
        (&[], 3, json!(["PTR-01"])),
    ] {
        let project = Project::new(host, &zones(reverse));
        let document = project.run_to(code, ["verify", "--format", "json"]).json();
        assert_eq!(rows(&document, "mail.example.test")[0][4], codes);
        project.replace("mailzone.toml", "ptr = \"manage\"", "ptr = \"check\"");
        let document = project.run_to(0, ["verify", "--format", "json"]).json();
        assert_eq!(rows(&document, "mail.example.test")[0][4], codes);
        project.replace("mailzone.toml", "ptr = \"check\"", "ptr = \"off\"");
        assert!(project.run_to(0, ["verify", "--format", "json"]).json()["hosts"].is_null());
    }
}

#[test]
fn severities_of_the_domain_and_its_use_count_for_its_hosts() {
    let project = in_every_state();
    let codes =
        |project: &Project| rows(&project.run_to(0, ["verify", "--format", "json"]).json(), "mail.example.test");
    project.replace("mailzone.toml", "spf = ", "severity = { \"PTR-05\" = \"off\" }\nspf = ");
    assert_eq!(codes(&project)[0][4], json!([]));
    let project = in_every_state();
    project.replace("mailzone.toml", "spf = ", "mail = \"receive\"\nspf = ");
    assert_eq!(codes(&project)[0][4], json!([]));
}

#[test]
fn nobody_is_asked_for_what_the_given_servers_do_not_have() {
    let host = "[hosts.\"mail.example.test\"]\nipv4 = [\"192.0.2.25\"]\nhelo = \"mail.example.org\"\n\
                [domains.\"example.test\"]\nspf = \"v=spf1 -all\"\n";
    let forward = zone_text("example.test", &["@ TXT \"v=spf1 -all\"", "mail A 192.0.2.25"]);
    let project = Project::new(host, &[("example.test", forward.clone())]);
    let hosts = |args: &[&str]| {
        let args = ["verify", "--format", "json"].into_iter().chain(args.iter().copied());
        let document = project.run_to(0, args).json();
        json!([rows(&document, "mail.example.test"), document["hosts"][0]["helo_resolves"]])
    };
    assert_eq!(hosts(&[]), json!([[["192.0.2.25", true, [], null, []]], null]));
    let text = project.run_to(0, ["verify"]).stdout;
    assert!(text.contains("in HELO mail.example.org, whose addresses are not known"), "{text}");
    assert!(text.contains("192.0.2.25  yes          not known"), "{text}");
    // Another server has the rest.
    let reverse = zone_text("2.0.192.in-addr.arpa", &["25 PTR mail.example.test."]);
    let rest = [
        ("example.test", forward),
        ("2.0.192.in-addr.arpa", reverse),
        ("example.org", zone_text("example.org", &["mail AAAA 2001:db8::25"])),
    ];
    let server = DnsServer::start(&rest);
    let address = server.address().to_string();
    let known = json!([[["192.0.2.25", true, ["mail.example.test"], true, ["PTR-05"]]], ["2001:db8::25"]]);
    for flag in ["--resolver", "--nameserver"] {
        assert_eq!(hosts(&[flag, &address]), known, "{flag}");
    }
    project.write("mailzone.toml", project.read("mailzone.toml") + &format!("[dns]\nresolvers = [\"{address}\"]\n"));
    assert_eq!(hosts(&[]), known);
    // One that answers nothing leaves it open.
    server.switch(Switches { refused: true, ..Switches::default() });
    assert_eq!(hosts(&[]), json!([[["192.0.2.25", true, [], null, []]], null]));
}

#[test]
fn the_hosts_of_selected_domains_are_looked_at() {
    let host = "[hosts.\"mail.example.test\"]\nipv4 = [\"192.0.2.25\"]\n\
                [hosts.\"mx.example.org\"]\nipv4 = [\"192.0.2.26\"]\n\
                [hosts.\"relay.example.net\"]\nipv4 = [\"192.0.2.27\"]\n\
                [domains.\"example.test\"]\nmx = [{ preference = 10, host = \"mx.example.org\" }]\n\
                [domains.\"sub.example.test\"]\nspf = \"v=spf1 -all\"\n";
    let zones = [
        ("example.test", zone_text("example.test", &["@ MX 10 mx.example.org.", "mail A 192.0.2.25"])),
        ("sub.example.test", zone_text("sub.example.test", &["@ TXT \"v=spf1 -all\""])),
    ];
    let project = Project::new(host, &zones);
    let names = |args: &[&str]| -> Vec<String> {
        let args = ["verify", "--format", "json"].into_iter().chain(args.iter().copied());
        let document = project.run_to(0, args).json();
        let hosts = document["hosts"].as_array().into_iter().flatten();
        hosts.map(|row| row["host"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&[]), ["mail.example.test", "mx.example.org", "relay.example.net"]);
    assert_eq!(names(&["example.test"]), ["mail.example.test", "mx.example.org"]);
    assert_eq!(names(&["sub.example.test"]), [""; 0]);
}
