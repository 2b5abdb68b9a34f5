//! `apply`: order, waits, holds, guards, and what happens when two run at once.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::harness::{DnsServer, Project, SERVED, servers_on_one_port, zone_text};
use crate::settle::{apply, guards, outcomes, plan, zone_bytes};

const KEY: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const OTHER_KEY: &str = "v=DKIM1; k=ed25519; p=O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=";

/// A policy that tightens once SPF is visible, which is not there yet.
const TIGHTENING: &str =
    "spf = \"v=spf1 -all\"\ndmarc = { policy = \"quarantine\", rua = [\"mailto:d@example.test\"] }\n";
const OPEN_POLICY: &str = "_dmarc TXT \"v=DMARC1; p=none; rua=mailto:d@example.test\"";

fn site(domain: &str, records: &[&str]) -> Project {
    Project::new(
        &format!("[domains.\"example.test\"]\n{domain}"),
        &[("example.test", zone_text("example.test", records))],
    )
}

/// Zone files that nothing serves; `example.test` is asked for at `server`.
fn asking(server: &str, timeout: &str, domain: &str) -> String {
    format!(
        "[providers.files]\ntype = \"zonefile\"\ndirectory = \"zones\"\n[latency]\nsamples = 1\n\
         [propagation]\ntimeout = \"{timeout}\"\n\
         [domains.\"example.test\"]\nprovider = \"files\"\nnameservers = [\"{server}\"]\n{domain}"
    )
}

/// The text of the zone's DMARC record in the file.
fn policy(project: &Project) -> String {
    let text = project.read("zones/example.test.zone");
    text.lines().find(|line| line.contains("v=DMARC1")).unwrap().to_owned()
}

#[test]
fn what_is_never_served_never_lets_the_policy_tighten() {
    let project = site("", &[OPEN_POLICY]);
    project.write("served/example.test.zone", project.read("zones/example.test.zone"));
    let serving = project.serve("served");
    let server = serving.address.to_string();
    project.write("mailzone.toml", asking(&server, "300ms", TIGHTENING));

    let first = apply(&project, 3, &[]);
    assert_eq!(outcomes(&first), ["example.test. TXT: applied", "_dmarc.example.test. TXT: held"]);
    assert_eq!(policy(&project), OPEN_POLICY);
    assert!(project.read("zones/example.test.zone").contains("v=spf1 -all"));
    for _ in 0..2 {
        // Now SPF is no change any more: what the policy relies on is asked for all the same.
        let later = apply(&project, 3, &[]);
        assert_eq!(outcomes(&later), ["_dmarc.example.test. TXT: held"]);
        assert_eq!(policy(&project), OPEN_POLICY);
    }
    assert_eq!(later_needs(&project), ["example.test. TXT"]);
    let shown = project.run_to(3, ["apply", "--yes"]);
    assert!(shown.stdout.contains("held"), "{}", shown.stdout);

    // At last the copy follows.
    project.write("mailzone.toml", asking(&server, "60s", TIGHTENING));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let text = project.read("zones/example.test.zone");
                project.write("served/new", &text);
                fs::rename(project.path("served/new"), project.path("served/example.test.zone")).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let last = project.run(["apply", "--yes", "--format", "json"]);
        done.store(true, Ordering::Relaxed);
        let last = last.expect_code(0).json();
        assert_eq!(outcomes(&last), ["_dmarc.example.test. TXT: applied"]);
        assert_eq!(last["verification"]["domains"][0]["verdict"], "verified");
    });
    assert!(policy(&project).contains("p=quarantine"));
    project.run_to(0, ["plan", "--detailed-exitcode"]);
}

#[test]
fn a_cname_and_what_replaces_it_are_held_together() {
    let cname = "_dmarc CNAME _dmarc.hoster.example.";
    let server = DnsServer::start(&[("example.test", zone_text("example.test", &[cname]))]);
    let project = site("", &[cname]);
    project.write("mailzone.toml", asking(&server.address().to_string(), "100ms", TIGHTENING));
    let held = apply(&project, 3, &["--allow", "GUARD-CNAME"]);
    assert_eq!(
        outcomes(&held),
        ["example.test. TXT: applied", "_dmarc.example.test. CNAME: held", "_dmarc.example.test. TXT: held"]
    );
    assert!(project.read("zones/example.test.zone").contains(cname));
}

#[test]
fn a_policy_waits_for_every_selector_that_is_not_revoked() {
    let keys = format!("dkim.s1 = {{ txt = \"{KEY}\" }}\ndkim.old = {{ revoked = true }}\n");
    let records = ["@ TXT \"v=spf1 -all\"", OPEN_POLICY];
    let server = DnsServer::start(&[("example.test", zone_text("example.test", &records))]);
    let project = site("", &records);
    let config = asking(&server.address().to_string(), "100ms", &format!("{TIGHTENING}{keys}"));
    project.write("mailzone.toml", config);
    let held = apply(&project, 3, &[]);
    assert!(outcomes(&held).contains(&"_dmarc.example.test. TXT: held".to_owned()), "{held:#}");
    assert_eq!(later_needs(&project), ["example.test. TXT", "s1._domainkey.example.test. TXT"]);
    // All but the key itself is served: not enough. The revoked one is not waited for.
    let key = format!("s1._domainkey TXT \"{KEY}\"");
    let served = [records.as_slice(), &["old._domainkey TXT \"v=DKIM1; p=\""]].concat();
    server.replace("example.test", &zone_text("example.test", &served));
    assert_eq!(outcomes(&apply(&project, 3, &[])), ["_dmarc.example.test. TXT: held"]);
    let served = [records.as_slice(), &[&key]].concat();
    server.replace("example.test", &zone_text("example.test", &served));
    let sent = apply(&project, 3, &[]);
    assert_eq!(outcomes(&sent), ["_dmarc.example.test. TXT: applied"]);
}

/// What the first change of the plan relies on.
fn later_needs(project: &Project) -> Vec<String> {
    let planned = plan(project, &[]);
    let needs = planned["zones"][0]["changes"][0]["needs"].as_array().unwrap().clone();
    needs.iter().map(|need| need.as_str().unwrap().to_owned()).collect()
}

#[test]
fn wait_none_holds_what_would_need_a_wait() {
    let server = DnsServer::start(&[("example.test", zone_text("example.test", &[OPEN_POLICY]))]);
    let project = site("", &[OPEN_POLICY, "_smtp._tls TXT \"v=TLSRPTv1; rua=mailto:a@example.test\""]);
    let domain = format!("{TIGHTENING}tls_rpt = {{ rua = [\"mailto:b@example.test\"] }}\n");
    project.write("mailzone.toml", asking(&server.address().to_string(), "60s", &domain));
    let held = apply(&project, 3, &["--wait", "none"]);
    assert_eq!(
        outcomes(&held),
        ["example.test. TXT: applied", "_smtp._tls.example.test. TXT: applied", "_dmarc.example.test. TXT: held"]
    );
    assert_eq!(policy(&project), OPEN_POLICY);
    assert!(held["verification"].is_null());
    // What is visible already needs no wait.
    server.replace("example.test", &project.read("zones/example.test.zone"));
    let sent = apply(&project, 0, &["--wait", "none"]);
    assert_eq!(outcomes(&sent), ["_dmarc.example.test. TXT: applied"]);
}

#[test]
fn what_is_visible_already_goes_out_with_the_rest() {
    let spf = "@ TXT \"v=spf1 -all\"";
    let project = site(&format!("{TIGHTENING}tls_rpt = {{ rua = [\"mailto:t@example.test\"] }}"), &[OPEN_POLICY, spf]);
    let planned = plan(&project, &[]);
    let changes = planned["zones"][0]["changes"].as_array().unwrap();
    assert!(changes.iter().all(|change| change["stage"] == 1), "{changes:#?}");
    apply(&project, 0, &[]);
    let writes = project.read(".mailzone/journal.jsonl").lines().count();
    assert_eq!(writes, 2, "one intent and one outcome");
}

/// A root, `test.` and two providers' servers; the parent names the old provider's, or the new one's.
struct Moving {
    project: Project,
    _servers: Vec<DnsServer>,
}

/// The zone at the new provider, with these records at its servers already.
fn moving(parent_names: &str, extra: &str, served: &[&str]) -> Moving {
    let apex = |records: &[&str]| {
        let text = zone_text("example.test", records);
        text.replace("@ NS ns1\nns1 A 127.0.0.1\n", "@ NS ns.new.test.\n")
    };
    let root = zone_text("", &["test. NS a.nic.test.", "a.nic.test. A 127.0.0.2"]);
    let delegation = format!("example NS {parent_names}");
    let test = zone_text("test", &[&delegation, "ns.old A 127.0.0.3", "ns.new A 127.0.0.4"]);
    let old = apex(&["@ TXT \"v=spf1 ~all\""]).replace("ns.new.test.", "ns.old.test.");
    let servers = servers_on_one_port(&[
        &[(".", root)],
        &[("test", test)],
        &[("example.test", old)],
        &[("example.test", apex(served))],
    ]);
    let port = servers[0].address().port();
    let project = Project::empty();
    project.write("zones/example.test.zone", apex(&["@ TXT \"v=spf1 ~all\""]));
    let config = format!(
        "[providers.files]\ntype = \"zonefile\"\ndirectory = \"zones\"\n[latency]\nsamples = 1\n\
         [dns]\nroots = [\"127.0.0.1:{port}\"]\nport = {port}\nresolvers = [\"127.0.0.4:{port}\"]\n[propagation]\ntimeout = \"300ms\"\n\
         [domains.\"example.test\"]\nprovider = \"files\"\nspf = \"v=spf1 -all\"\n{extra}"
    );
    project.write("mailzone.toml", config);
    Moving { project, _servers: servers }
}

#[test]
fn a_delegation_that_points_elsewhere_is_not_live() {
    let served = ["@ TXT \"v=spf1 -all\""];
    let moved = moving("ns.old.test.", "", &served);
    let applied = apply(&moved.project, 3, &[]);
    assert_eq!(outcomes(&applied), ["example.test. TXT: applied"]);
    let domain = &applied["verification"]["domains"][0];
    assert_eq!(domain["verdict"], "not_live", "{domain:#}");
    // `verify` asks no provider: it sees what the world sees, the old servers with the old value.
    let verified = moved.project.run_to(3, ["verify", "--format", "json"]).json();
    assert_eq!(verified["domains"][0]["verdict"], "incomplete", "{verified:#}");
    let said = moving("ns.old.test.", "", &served).project.run_to(3, ["apply", "--yes"]).stdout;
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("served by ns.new.test, but the parent names ns.old.test"), "{said}");
}

#[test]
fn a_move_in_progress_may_be_not_live() {
    let served = ["@ TXT \"v=spf1 -all\""];
    let moved = moving("ns.old.test.", "delegated = false\n", &served);
    let applied = apply(&moved.project, 0, &[]);
    assert_eq!(applied["verification"]["domains"][0]["verdict"], "not_live");
    let there = moving("ns.new.test.", "", &served);
    let applied = apply(&there.project, 0, &[]);
    assert_eq!(applied["verification"]["domains"][0]["verdict"], "verified", "{applied:#}");
}

/// Reports of `example.test` go to `reports.example`; both are configured here.
fn reported(reports: &str) -> Project {
    let domains = format!(
        "[domains.\"reports.example\"]\nreport_authorisation = \"each\"\n{reports}\
         [domains.\"example.test\"]\ndmarc = {{ policy = \"quarantine\", rua = [\"mailto:d@reports.example\"] }}\n"
    );
    let policy = "_dmarc TXT \"v=DMARC1; p=none; rua=mailto:d@reports.example\"";
    Project::new(
        &domains,
        &[
            ("example.test", zone_text("example.test", &[policy])),
            ("reports.example", zone_text("reports.example", &["@ MX 10 mail"])),
        ],
    )
}

#[test]
fn a_consent_in_another_zone_goes_out_before_the_policy() {
    let consent = "example.test._report._dmarc.reports.example. TXT";
    let project = reported("");
    assert_eq!(later_needs(&project), [consent]);
    assert_eq!(plan(&project, &[])["zones"][0]["changes"][0]["stage"], 2);
    apply(&project, 0, &[]);
    let journal = project.read(".mailzone/journal.jsonl");
    let intents: Vec<Value> = journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |text: &str| intents.iter().position(|entry| entry.to_string().contains(text)).unwrap();
    assert!(of("_report._dmarc") < of("p=quarantine"), "{journal}");
    project.run_to(0, ["plan", "--detailed-exitcode"]);
}

#[test]
fn a_zone_waits_for_the_zone_it_needs_and_no_longer() {
    // The other zone is stopped by its guard, so the consent is not sent and the policy held.
    let project = reported("mx = \"absent\"\n");
    let stopped = apply(&project, 4, &[]);
    assert_eq!(
        outcomes(&stopped),
        [
            "_dmarc.example.test. TXT: held",
            "reports.example. MX: skipped",
            "example.test._report._dmarc.reports.example. TXT: skipped"
        ]
    );
    assert_eq!(stopped["exit"]["zones"][0]["code"], 3);
    assert_eq!(stopped["exit"]["zones"][1]["code"], 4);
    // The policy's domain alone: the consent is looked for in the DNS and not there.
    let project = reported("");
    let server = DnsServer::start(&[("reports.example", zone_text("reports.example", &[]))]);
    let at = format!("[domains.\"reports.example\"]\nnameservers = [\"{}\"]", server.address());
    project.replace("mailzone.toml", "[domains.\"reports.example\"]", &at);
    project.replace("mailzone.toml", "[defaults]", "[propagation]\ntimeout = \"300ms\"\n[defaults]");
    assert_eq!(outcomes(&apply(&project, 3, &["example.test"])), ["_dmarc.example.test. TXT: held"]);
    let consent = "example.test._report._dmarc TXT \"v=DMARC1\"";
    server.replace("reports.example", &zone_text("reports.example", &[consent]));
    assert_eq!(outcomes(&apply(&project, 0, &["example.test"])), ["_dmarc.example.test. TXT: applied"]);
}

#[test]
fn a_key_that_is_taken_out_stops_managing() {
    let dkim = format!("dkim.s1 = {{ txt = \"{KEY}\" }}\n");
    let project = site(&format!("spf = \"v=spf1 -all\"\ndmarc = {{ policy = \"none\" }}\n{dkim}"), &["@ MX 10 mail"]);
    apply(&project, 0, &[]);
    let written = zone_bytes(&project, "example.test");
    project.write("mailzone.toml", format!("{SERVED}[domains.\"example.test\"]\nspf = \"v=spf1 -all\"\n"));
    project.run_to(0, ["plan", "--detailed-exitcode"]);
    project.run_to(0, ["apply", "--yes"]);
    assert_eq!(written, zone_bytes(&project, "example.test"));
    let planned = plan(&project, &[]);
    assert_eq!(planned["summary"]["unmanaged"], 3);
    let text = project.run_to(0, ["plan"]).stdout;
    // The lines that it shows remove what they are shown for, and nothing else.
    for (slot, guard, gone) in [
        ("dkim.s1", "GUARD-DKIM-REMOVED", "v=DKIM1"),
        ("dmarc", "GUARD-DMARC-DOWN", "v=DMARC1"),
        ("mx", "GUARD-MX", "MX 10"),
    ] {
        let line = format!("{slot} = \"absent\"");
        assert!(text.contains(&format!("[domains.\"example.test\"] {line}")), "{text}");
        project.write("mailzone.toml", format!("{SERVED}[domains.\"example.test\"]\n{line}\n"));
        let before = project.read("zones/example.test.zone");
        assert_eq!(guards(&apply(&project, 4, &[])["zones"][0]), [guard]);
        assert_eq!(before, project.read("zones/example.test.zone"));
        apply(&project, 0, &["--allow", guard]);
        let after = project.read("zones/example.test.zone");
        assert!(!after.contains(gone) && after.lines().count() + 1 == before.lines().count(), "{after}");
        project.run_to(0, ["plan", "--detailed-exitcode"]);
    }
}

/// A guard, the owner name that it concerns, and what trips it.
struct Trip {
    code: &'static str,
    at: &'static str,
    domain: String,
    records: Vec<String>,
}

fn trip(code: &'static str, at: &'static str, domain: impl Into<String>, records: &[&str]) -> Trip {
    let records = records.iter().map(|&record| record.to_owned()).collect();
    Trip { code, at, domain: domain.into(), records }
}

fn trips() -> Vec<Trip> {
    let live_key = format!("s1._domainkey TXT \"{KEY}\"");
    let includes: String = (0..11).map(|n| format!("include:i{n}.example.net ")).collect();
    let mx = "mx = [{ preference = 10, host = \"new.example.test\" }]\n";
    let sts = "mta_sts = { mode = \"enforce\", mx = [\"mail.example.test\"] }";
    let tlsa = |digit: &str| digit.repeat(64);
    let host = "[hosts.\"mail.example.test\"]\n";
    let ns = "[[domains.\"example.test\".records]]\nname = \"@\"\ntype = \"NS\"\nvalues = [\"ns9.example.net.\"]";
    vec![
        trip("GUARD-MX", "example.test", "mx = \"absent\"", &["@ MX 10 mail"]),
        trip("GUARD-MX", "example.test", "mx = \"null\"", &["@ MX 10 mail"]),
        trip("GUARD-SPF", "example.test", "spf = \"absent\"", &["@ TXT \"v=spf1 -all\""]),
        trip(
            "GUARD-SPF-NET",
            "example.test",
            "spf = \"v=spf1 ip4:192.0.2.0/25 -all\"",
            &["@ TXT \"v=spf1 ip4:192.0.2.0/24 -all\""],
        ),
        trip(
            "GUARD-SPF-NET",
            "example.test",
            "spf = \"v=spf1 -all\"",
            &["@ TXT \"v=spf1 include:_spf.example.net -all\""],
        ),
        trip("SPF-03", "example.test", format!("spf = \"v=spf1 {includes}-all\""), &["@ TXT \"v=spf1 -all\""]),
        trip(
            "GUARD-DMARC-DOWN",
            "_dmarc.example.test",
            "dmarc = \"v=DMARC1; p=none; rua=mailto:d@example.test\"",
            &["_dmarc TXT \"v=DMARC1; p=reject; rua=mailto:d@example.test\""],
        ),
        trip(
            "GUARD-DMARC-JUMP",
            "_dmarc.example.test",
            "dmarc = \"v=DMARC1; p=reject; rua=mailto:d@example.test\"",
            &[OPEN_POLICY],
        ),
        trip("GUARD-DMARC-BLIND", "_dmarc.example.test", "dmarc = \"v=DMARC1; p=none\"", &[OPEN_POLICY]),
        trip(
            "GUARD-DKIM-REPLACED",
            "s1._domainkey.example.test",
            format!("dkim.s1 = {{ txt = \"{OTHER_KEY}\" }}"),
            &[&live_key],
        ),
        trip("GUARD-DKIM-REMOVED", "s1._domainkey.example.test", "dkim.s1 = \"absent\"", &[&live_key]),
        trip("GUARD-DKIM-REMOVED", "s1._domainkey.example.test", "dkim.s1 = { revoked = true }", &[&live_key]),
        trip(
            "GUARD-TLSA",
            "_25._tcp.mail.example.test",
            format!("{host}tlsa = [{{ data = \"{}\" }}]", tlsa("a")),
            &[&format!("_25._tcp.mail TLSA 3 1 1 {}", tlsa("b"))],
        ),
        trip("GUARD-STS", "example.test", format!("{mx}{sts}"), &["@ MX 10 mail"]),
        trip(
            "GUARD-HOST",
            "mail.example.test",
            format!("{host}ipv4 = [\"192.0.2.1\"]\naddresses = \"manage\""),
            &["mail A 192.0.2.1", "mail A 192.0.2.2"],
        ),
        trip(
            "GUARD-CNAME",
            "_dmarc.example.test",
            "dmarc = { policy = \"none\" }",
            &["_dmarc CNAME _dmarc.hoster.example."],
        ),
        trip("GUARD-NS", "example.test", ns, &[]),
        trip("GUARD-NEAR", "example.test", "spf = \"v=spf1 -all\"", &["@ TXT \" v=spf1 ~all\""]),
    ]
}

#[test]
fn each_guard_stops_its_zone_and_no_other_until_it_is_allowed() {
    for Trip { code, at, domain, records } in trips() {
        println!("{code}: {domain}");
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        let config =
            format!("{SERVED}[domains.\"other.test\"]\nspf = \"v=spf1 -all\"\n[domains.\"example.test\"]\n{domain}\n");
        let fresh = || {
            Project::new(
                "",
                &[("example.test", zone_text("example.test", &records)), ("other.test", zone_text("other.test", &[]))],
            )
        };
        let (zone, other) = ("zones/example.test.zone", "zones/other.test.zone");
        let project = fresh();
        project.write("mailzone.toml", &config);
        let before = project.read(zone);

        let stopped = apply(&project, 4, &["--wait", "none", "--allow", &format!("{code}:elsewhere.test")]);
        let guarded = &stopped["zones"][0];
        assert_eq!(guarded["zone"], "example.test");
        assert!(guards(guarded).contains(&code), "{code}: {guarded:#}");
        let line = format!("--allow {code}:{at}");
        let findings = guarded["findings"].as_array().unwrap();
        let remedy = |finding: &Value| finding["remedy"].as_str().unwrap_or_default().ends_with(&line);
        assert!(findings.iter().any(|finding| finding["code"] == code && remedy(finding)), "{findings:#?}");
        assert!(guarded["changes"].as_array().unwrap().iter().all(|change| change["outcome"] == "skipped"));
        assert_eq!(project.read(zone), before);
        assert!(project.read(other).contains("v=spf1 -all"), "the other zone goes on");
        // The plan says the same, and guards are no part of its exit code.
        let planned = project.run_to(0, ["plan"]).stdout;
        let planned: String = planned.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(planned.contains(&line), "{planned}");

        // An entry of the file that has run out allows nothing, and says so; the next one allows it.
        let entry = |until: &str| {
            let relative = at.strip_suffix("example.test").unwrap().trim_end_matches('.');
            let name = if relative.is_empty() { "@" } else { relative };
            format!(
                "{config}[[domains.\"example.test\".allow]]\ncode = \"{code}\"\nname = \"{name}\"\nreason = \"meant\"\nuntil = {until}\n"
            )
        };
        project.write("mailzone.toml", entry("2020-01-01"));
        let expired = apply(&project, 4, &["--wait", "none"]);
        assert!(expired.to_string().contains("ALLOW-EXPIRED"), "{expired:#}");
        assert_eq!(project.read(zone), before);
        project.write("mailzone.toml", entry("2999-12-31"));
        let allowed = apply(&project, 0, &["--wait", "none"]);
        assert!(allowed["zones"][0]["allowed"].to_string().contains(code), "{allowed:#}");
        assert_ne!(project.read(zone), before);
        project.run_to(0, ["plan", "--detailed-exitcode"]);

        for flag in [format!("{code}:{at}"), code.to_owned()] {
            let project = fresh();
            project.write("mailzone.toml", &config);
            apply(&project, 0, &["--wait", "none", "--allow", &flag]);
            assert_ne!(project.read(zone), before, "{flag}");
            project.run_to(0, ["plan", "--detailed-exitcode"]);
        }
    }
}

#[test]
fn what_was_bad_before_stops_nothing() {
    // Eleven lookups before and after; a jump at a domain that sends no mail.
    let includes: String = (0..11).map(|n| format!("include:i{n}.test ")).collect();
    let project = site(&format!("spf = \"v=spf1 {includes}-all\""), &[&format!("@ TXT \"v=spf1 {includes}~all\"")]);
    apply(&project, 0, &[]);
    let project = site("mail = \"none\"\ndmarc = \"v=DMARC1; p=reject; rua=mailto:d@example.test\"", &[OPEN_POLICY]);
    apply(&project, 0, &[]);
}

#[test]
fn several_at_once_lose_nothing() {
    let project =
        site("spf = \"v=spf1 -all\"\ntls_rpt = { rua = [\"mailto:t@example.test\"] }", &["@ TXT \"a token\""]);
    let runs: Vec<_> = (0..6).map(|_| project.start(["apply", "--yes", "--wait", "none"])).collect();
    let codes: Vec<i32> = runs.into_iter().map(|run| run.finish().code).collect();
    assert!(codes.iter().all(|code| [0, 5].contains(code)) && codes.contains(&0), "{codes:?}");
    project.run_to(0, ["plan", "--detailed-exitcode"]);
    let text = project.read("zones/example.test.zone");
    assert_eq!((text.matches("v=spf1").count(), text.matches("a token").count()), (1, 1), "{text}");
}
