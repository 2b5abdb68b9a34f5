//! Each command once as it is meant: what it prints, and that the documents have their fields.

use std::fs;
use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;
use serde_json::Value;

use crate::harness::{DnsServer, Project, zone_text};

/// The names of an object's fields; the JSON has these, and others may come.
#[track_caller]
fn has(object: &Value, fields: &[&str]) {
    let object = object.as_object().unwrap_or_else(|| panic!("no object: {object}"));
    for field in fields {
        assert!(object.contains_key(*field), "no {field} in {object:?}");
    }
}

/// The members of an array, of which there is at least one.
#[track_caller]
fn some(array: &Value) -> &[Value] {
    let array = array.as_array().unwrap_or_else(|| panic!("no array: {array}"));
    assert!(!array.is_empty(), "empty where something is expected");
    array
}

/// A project of a domain with old records, and one without a zone.
fn varied() -> Project {
    let records = [
        "@ TXT \"v=spf1 mx ~all\"",
        "@ TXT token",
        "@ MX 10 mail",
        "mail A 192.0.2.25",
        "_dmarc TXT \"v=DMARC1; p=none\"",
        "old._domainkey TXT \"v=DKIM1; p=\"",
    ];
    Project::new(
        "[domains.\"example.test\"]\nspf = \"v=spf1 mx ip4:203.0.113.7 ~all\"\nmx = \"absent\"\ndmarc = { policy = \
         \"quarantine\", rua = [\"mailto:d@example.test\"] }\n[[domains.\"example.test\".allow]]\ncode = \
         \"GUARD-MX\"\nreason = \"a test\"\n[domains.\"nowhere.test\"]\nmx = \"null\"\n",
        &[("example.test", zone_text("example.test", &records))],
    )
}

#[test]
fn the_plan_has_the_fields_that_are_promised() {
    let project = varied();
    let plan = project.run_to(1, ["plan", "--format", "json"]).json();
    has(&plan, &["format_version", "tool_version", "created", "zones", "findings", "summary", "exit"]);
    assert_eq!(plan["format_version"], 1);
    has(&plan["summary"], &["create", "update", "delete", "unchanged", "foreign", "unmanaged"]);
    has(&plan["exit"], &["code", "zones"]);
    for zone in some(&plan["zones"]) {
        has(
            zone,
            &[
                "zone",
                "zone_id",
                "domains",
                "provider",
                "source",
                "config_digest",
                "fingerprint",
                "error",
                "changes",
                "findings",
                "unmanaged",
                "allowed",
                "expected_visible",
            ],
        );
    }
    let zones = plan["zones"].as_array().unwrap();
    let failed = zones.iter().find(|zone| zone["zone"].is_null()).unwrap();
    has(&failed["error"], &["kind", "message", "remedy"]);
    let zone = zones.iter().find(|zone| zone["zone"] == "example.test").unwrap();
    assert_eq!(zone["source"], "provider");
    let actions: Vec<&str> = some(&zone["changes"]).iter().map(|change| change["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["delete", "update", "update"]);
    for change in some(&zone["changes"]) {
        has(
            change,
            &[
                "id", "action", "name", "type", "slots", "stage", "needs", "before", "after", "kept", "class",
                "details", "reason",
            ],
        );
        for side in ["before", "after"].iter().map(|side| &change[side]).filter(|side| !side.is_null()) {
            has(side, &["ttl", "values"]);
        }
        assert!(change["name"].as_str().unwrap().ends_with('.'));
        some(&change["slots"]);
        some(&change["details"]);
    }
    for list in ["findings", "allowed"] {
        for finding in some(&zone[list]) {
            has(finding, &["code", "severity", "effect", "subject", "message", "remedy", "reference"]);
        }
    }
    has(&some(&zone["unmanaged"])[0], &["name", "type", "slot"]);
}

#[test]
fn apply_adds_outcomes_the_journal_and_the_verification() {
    let project = Project::simple();
    let apply = project.run_to(0, ["apply", "--yes", "--format", "json"]).json();
    has(&apply, &["format_version", "zones", "summary", "exit", "journal", "verification"]);
    assert_eq!(some(&some(&apply["zones"])[0]["changes"])[0]["outcome"], "applied");
    assert!(apply["journal"].is_string());
    verification(&apply["verification"]);
}

/// The fields of `verify`, and that each level has something in it.
#[track_caller]
fn verification(document: &Value) {
    for domain in some(&document["domains"]) {
        has(domain, &["domain", "verdict", "records"]);
        for record in some(&domain["records"]) {
            has(record, &["name", "type", "servers", "resolvers"]);
            for server in some(&record["servers"]) {
                has(server, &["server", "address", "state", "answer"]);
            }
        }
    }
}

#[test]
fn verify_asks_and_prints_what_it_was_told() {
    let project = Project::simple();
    verification(&project.run_to(3, ["verify", "--format", "json"]).json());
    assert_snapshot!(project.run_to(3, ["verify"]).shown(), @"
    Incomplete: example.test, 1 RRset asked for at 1 server address, not all as wanted
        server     address          state
      ~ 127.0.0.1  [ADDR]  stale: example.test. TXT
    ");
    project.run_to(0, ["apply", "--yes"]);
    assert_snapshot!(project.run_to(0, ["verify", "example.test"]).shown(), @"
    Verified: example.test, 1 RRset as wanted at 1 server address
        server     address          state
      + 127.0.0.1  [ADDR]  current
    ");
}

#[test]
fn verify_asks_resolvers_that_are_named() {
    let project = Project::simple();
    project.run_to(0, ["apply", "--yes"]);
    // An authoritative server that has the zone stands in for a resolver's cache.
    let resolver = DnsServer::start(&[("example.test", project.read("zones/example.test.zone"))]);
    let address = resolver.address().to_string();
    let verify = project.run_to(0, ["verify", "--resolver", &address, "--format", "json"]).json();
    let resolvers = some(&verify["domains"][0]["records"][0]["resolvers"]);
    has(&resolvers[0], &["resolver", "state", "expected_by"]);
    assert_eq!((&resolvers[0]["resolver"], &resolvers[0]["state"]), (&address.into(), &"current".into()));
}

#[test]
fn the_command_line_names_the_servers_to_ask() {
    let project = Project::simple();
    let elsewhere =
        DnsServer::start(&[("example.test", zone_text("example.test", &["@ TXT \"v=spf1 ip4:203.0.113.7 -all\""]))]);
    let address = elsewhere.address().to_string();
    project.run_to(3, ["verify"]);
    let verify = project.run_to(0, ["verify", "--nameserver", &address, "--format", "json"]).json();
    assert_eq!(verify["domains"][0]["records"][0]["servers"][0]["address"], address);
    let latency = project.run_to(0, ["latency", "example.test", "--nameserver", &address, "--format", "json"]).json();
    assert!(some(&latency["servers"]).iter().all(|server| server["address"] == address));
}

#[test]
fn latency_measures_over_udp_and_tcp() {
    let project = Project::simple();
    let latency = project.run_to(0, ["latency", "example.test", "--samples", "2", "--format", "json"]).json();
    has(&latency, &["vantage", "budget_ms", "statistic", "verdict", "servers", "resolvers", "exit"]);
    let servers = some(&latency["servers"]);
    let transports: Vec<&str> = servers.iter().map(|server| server["transport"].as_str().unwrap()).collect();
    assert_eq!(transports, ["udp", "tcp"]);
    for server in servers {
        has(
            server,
            &[
                "server",
                "address",
                "transport",
                "sent",
                "received",
                "loss",
                "min_ms",
                "median_ms",
                "p95_ms",
                "p99_ms",
                "max_ms",
                "over_budget",
            ],
        );
        assert_eq!((&server["sent"], &server["received"]), (&2.into(), &2.into()));
        assert!(server["median_ms"].as_f64().unwrap() > 0.0);
        assert!(server["p99_ms"].is_null(), "two samples have no such quantile: {server}");
    }
}

#[test]
fn latency_needs_no_configuration() {
    let server = DnsServer::start(&[("example.test", zone_text("example.test", &[]))]);
    let address = server.address().to_string();
    let project = Project::empty();
    let output = project.run_to(0, ["latency", "example.test", "--nameserver", &address, "--samples", "1"]);
    assert!(output.stdout.contains(&address), "{}", output.stdout);
}

#[test]
fn history_lists_what_was_applied() {
    let project = Project::simple();
    assert_snapshot!(project.run_to(0, ["history"]).shown(), @"Nothing was applied yet.");
    project.run_to(0, ["apply", "--yes"]);
    let history = project.run_to(0, ["history", "--format", "json"]).json();
    let entries = some(&history["entries"]);
    assert_eq!(entries.len(), 1);
    has(&entries[0], &["id", "started", "zones", "applied", "finished"]);
    assert_eq!((&entries[0]["applied"], &entries[0]["finished"]), (&1.into(), &true.into()));
    project.replace("mailzone.toml", "203.0.113.7", "203.0.113.8");
    project.run_to(0, ["apply", "--yes", "--allow", "GUARD-SPF-NET"]);
    let history = project.run_to(0, ["history", "--format", "json"]).json();
    assert_eq!(some(&history["entries"]).len(), 2);
    assert!(history["entries"][0]["started"].as_str() >= history["entries"][1]["started"].as_str(), "newest first");
}

#[test]
fn lint_tells_what_is_wrong_with_what_is_wanted() {
    let project = Project::new("[domains.\"example.test\"]\nspf = \"v=spf1 +all\"\n", &[]);
    assert_snapshot!(project.run_to(4, ["lint"]).shown(), @"
    Domain example.test
      error SPF-07 at example.test.: `all` lets everybody send (RFC 7208 section 5.1)
          help: end in `~all` or `-all`

    Lint: 1 domain: 1 error, 0 warnings, 0 notes.
    ");
    let lint = project.run_to(4, ["lint", "--format", "json"]).json();
    let domain = &some(&lint["domains"])[0];
    has(domain, &["domain", "scores", "findings"]);
    has(&some(&domain["findings"])[0], &["code", "severity", "effect", "subject", "message", "remedy", "reference"]);
}

#[test]
fn lint_explains_where_each_key_comes_from() {
    let project = Project::simple();
    project.replace(
        "mailzone.toml",
        "[domains.",
        "[groups.all]\ndomains = [\"example.test\"]\nttl = \"1h\"\n\n[domains.",
    );
    assert_snapshot!(project.run_to(0, ["lint", "--explain", "example.test"]).shown(), @r#"
    example.test  provider files, mail both
      provider  "files"                        mailzone.toml:10 (defaults)
      spf       "v=spf1 ip4:203.0.113.7 -all"  mailzone.toml:17 (domains."example.test")
      ttl       "1h"                           mailzone.toml:14 (groups.all)
    "#);
    project.run_to(1, ["lint", "--explain", "other.test"]);
}

#[test]
fn plan_in_markdown() {
    assert_snapshot!(Project::simple().run_to(0, ["plan", "--format", "markdown"]).shown(), @r#"
    ## mailzone plan

    **Plan: 0 to create, 1 to update, 0 to delete.** 0 unchanged, 4 foreign, 0 unmanaged.

    ### Zone `example.test` (`files`)

    | | name | type | what changes | effect |
    |---|---|---|---|---|
    | ~ | `example.test.` | `TXT` | + `ip4:203.0.113.7`<br>+ `-all`<br>keeps 1 foreign value | tightens |

    - **warning** `SPF-20` at `example.test.`: `ip4:203.0.113.7` is documentation: no client on the Internet has it<br>help: name the public address

    <details><summary>Record data</summary>

    ```diff
    @@ example.test. TXT @@
      3600 "a token"
    + 3600 "v=spf1 ip4:203.0.113.7 -all"
    ```

    </details>
    "#);
}

#[test]
fn providers_tells_rights_zones_and_limits() {
    let project = Project::simple();
    assert_snapshot!(project.run_to(0, ["providers"]).shown(), @r#"
    files  zonefile
      rights       lists zones, reads example.test
      zones        1: example.test
      limits       8 zones at a time, visible after 2 min as a rule
      stores       every type; any TTL
      writes       all changes of a stage in one write, none if somebody else changed them
    "#);
    let providers = project.run_to(0, ["providers", "--format", "json"]).json();
    assert_eq!(some(&providers["providers"])[0]["zones"][0]["zone"], "example.test");
    fs::remove_dir_all(project.path("zones")).unwrap();
    project.run_to(1, ["providers"]);
}

#[test]
fn version_in_text_and_json() {
    let project = Project::empty();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(project.run_to(0, ["version"]).stdout.lines().next(), Some(format!("mailzone {version}").as_str()));
    assert_eq!(project.run_to(0, ["--version"]).stdout, format!("mailzone {version}\n"));
    let document = project.run_to(0, ["version", "--format", "json"]).json();
    assert_eq!(document["version"], version);
    some(&document["providers"]);
}

#[test]
fn the_schema_is_the_one_that_is_checked_in() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/mailzone.schema.json");
    let checked_in: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(Project::empty().run_to(0, ["schema"]).json(), checked_in);
}

#[test]
fn completions_for_shells() {
    let project = Project::empty();
    for shell in ["bash", "zsh", "fish"] {
        let script = project.run_to(0, ["completions", shell]).stdout;
        assert!(script.contains("mailzone") && script.contains("detailed-exitcode"), "{shell}");
    }
    project.run_to(1, ["completions", "csh"]);
}

#[test]
fn manual_pages_for_every_command() {
    let project = Project::empty();
    project.run_to(0, ["man", "--out", "man"]);
    for page in ["mailzone", "mailzone-plan", "mailzone-apply", "mailzone-verify", "mailzone-latency", "mailzone-lint"]
    {
        let text = project.read(&format!("man/{page}.1"));
        assert!(text.contains(".TH "), "{page}: {text}");
    }
    assert!(project.run_to(0, ["man"]).stdout.contains(".TH mailzone"));
}

#[test]
fn serve_answers_and_serves_what_the_files_hold_later() {
    let project = Project::simple();
    let serving = project.serve("zones");
    let address = serving.address.to_string();
    project.run_to(3, ["verify", "--nameserver", &address]);
    project.run_to(0, ["apply", "--yes"]);
    // The files are looked at from time to time: wait as the program does.
    project.run_to(0, ["verify", "--nameserver", &address, "--wait", "authoritative"]);
    serving.running.signal("INT");
    assert_eq!(serving.running.finish().code, 0);
}

#[test]
fn try_works_twice_and_leaves_nothing_to_do() {
    let project = Project::empty();
    let first = project.run_to(0, ["try"]);
    assert!(first.stdout.contains("Verified: example.test"), "{}", first.stdout);
    project.run_to(0, ["try"]);
    let plan = ["--config", "mailzone-try/mailzone.toml", "plan", "--detailed-exitcode"];
    project.run_to(0, plan);
    // A directory of somebody else's is left alone.
    project.write("mine/file", "");
    project.run_to(1, ["try", "mine"]);
    assert!(!project.exists("mine/mailzone.toml"));
}

/// Runs git in a project, without anybody's configuration.
fn git(project: &Project, args: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=test", "-c", "user.email=test@example.test", "-c", "commit.gpgsign=false"])
        .args(args)
        .current_dir(project.root())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", project.root())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The slots that were managed before and are not any more.
fn formerly(project: &Project, base: &str) -> Vec<String> {
    let plan = project.run_to(0, ["plan", "--base", base, "--format", "json"]).json();
    let unmanaged = plan["zones"][0]["unmanaged"].as_array().unwrap();
    let formerly = unmanaged.iter().filter(|entry| entry["formerly"] == true);
    formerly.map(|entry| entry["slot"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn plan_shows_what_an_earlier_configuration_managed() {
    let project = Project::simple();
    project.write("mailzone.toml", project.read("mailzone.toml") + "tls_rpt = { rua = [\"mailto:t@example.test\"] }\n");
    project.run_to(0, ["apply", "--yes"]);
    git(&project, &["init", "-q"]);
    git(&project, &["add", "mailzone.toml"]);
    git(&project, &["commit", "-q", "-m", "first"]);
    project.write("old.toml", project.read("mailzone.toml"));
    project.replace("mailzone.toml", "tls_rpt", "# tls_rpt");
    assert_eq!(formerly(&project, "HEAD"), ["tls_rpt"]);
    assert_eq!(formerly(&project, "old.toml"), ["tls_rpt"]);
    assert_eq!(formerly(&project, "mailzone.toml"), [""; 0]);
    let text = project.run_to(0, ["plan", "--base", "HEAD"]).stdout;
    assert!(text.contains("tls_rpt = \"absent\""), "{text}");
    project.run_to(1, ["plan", "--base", "no-such-revision"]);
    project.run_to(1, ["plan", "--base=--output=x"]);
    assert!(!project.exists("x"));
}

#[test]
fn a_reverse_zone_is_asked_where_it_is_served() {
    let zones = [
        ("example.test", zone_text("example.test", &["mail A 192.0.2.25"])),
        ("2.0.192.in-addr.arpa", zone_text("2.0.192.in-addr.arpa", &["80 PTR www.example.test."])),
    ];
    let host = "[hosts.\"mail.example.test\"]\nipv4 = [\"192.0.2.25\"]\naddresses = \"manage\"\nptr = \"manage\"\n";
    let domains = format!("[domains.\"example.test\"]\nspf = \"v=spf1 mx -all\"\n\n{host}");
    let project = Project::new(&domains, &zones);
    // Nobody else is there to ask.
    project.replace(
        "mailzone.toml",
        "[defaults]",
        "[dns]\nroots = [\"127.0.0.1:9\"]\ntimeout = \"200ms\"\n\n[defaults]",
    );
    project.run_to(0, ["apply", "--yes"]);
    assert!(project.read("zones/2.0.192.in-addr.arpa.zone").contains("mail.example.test."));
    let verify = project.run_to(0, ["verify", "--format", "json"]).json();
    assert_eq!(verify["domains"][0]["verdict"], "verified");
    let mut below_no_domain = project.read("mailzone.toml").replace("addresses = \"manage\"", "addresses = \"check\"");
    below_no_domain = below_no_domain.replace("[domains.\"example.test\"]", "[domains.\"other.test\"]");
    project.write("zones/other.test.zone", zone_text("other.test", &[]));
    project.write("mailzone.toml", below_no_domain);
    project.run_to(0, ["apply", "--yes"]);
    project.run_to(0, ["verify"]);
}

#[test]
fn latency_of_a_domain_without_servers_is_a_document_too() {
    let project = Project::simple();
    project.write("mailzone.toml", "[dns]\nroots = [\"127.0.0.1:9\"]\ntimeout = \"200ms\"\n");
    let one = project.run_to(1, ["latency", "example.test", "--format", "json"]).json();
    has(&one, &["vantage", "budget_ms", "statistic", "resolvers"]);
    assert!(one["verdict"].is_null() && one["servers"].as_array().unwrap().is_empty(), "{one:#}");
    assert_eq!(one["exit"]["code"], 1);
    let two = project.run_to(1, ["latency", "example.test", "other.test", "--format", "json"]).json();
    assert_eq!(some(&two["reports"]).len(), 2);
    let text = project.run_to(1, ["latency", "example.test"]).stdout;
    assert!(text.contains("no server could be asked"), "{text}");
}

#[test]
fn an_allow_entry_of_an_unknown_code_is_said() {
    let project = Project::simple();
    let plan = project.run_to(0, ["plan", "--allow", "GUARD-XM", "--allow", "guard-spf:@", "--out", "my plan.json"]);
    assert!(
        plan.stderr.contains("warning: allow: nothing has the code GUARD-XM; nearest: GUARD-MX"),
        "{}",
        plan.stderr
    );
    assert_eq!(plan.stderr.matches("warning").count(), 1, "{}", plan.stderr);
    // They are needed again.
    let line = "mailzone apply 'my plan.json' --allow GUARD-XM --allow guard-spf:@";
    assert!(plan.stderr.contains(line), "{}", plan.stderr);
    let plan = project.run_to(0, ["plan", "--config", "mailzone.toml", "--out", "p.json"]);
    assert!(plan.stderr.contains("mailzone apply --config mailzone.toml p.json"), "{}", plan.stderr);
    let entry = "[[domains.\"example.test\".allow]]\ncode = \"SPF-303\"\nreason = \"a slip\"\n";
    project.write("mailzone.toml", project.read("mailzone.toml") + entry);
    for command in ["plan", "lint"] {
        let output = project.run_to(0, [command]);
        assert!(output.stderr.contains("allow of example.test: nothing has the code SPF-303"), "{}", output.stderr);
    }
}

#[test]
fn what_was_not_verified_is_said() {
    let project = Project::simple();
    let output = project.run_to(0, ["apply", "--yes", "--wait", "none"]);
    assert!(output.stdout.contains("not verified: --wait none"), "{}", output.stdout);
}
