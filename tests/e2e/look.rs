//! What `plan` and `apply` look up outside of their zones: what the change causes, cures and leaves, and what could not
//! be found out.

use std::net::UdpSocket;
use std::sync::PoisonError;

use serde_json::Value;

use crate::check_peers::{Authority, Mailer, Pages, World, WorldZone, closed_port, mail_servers, policy, web_server};
use crate::harness::{Output, Project, SERVED, zone_text};

/// `example.test`, served by the program itself, in a world that has more than that.
struct Stage {
    world: World,
    project: Project,
}

impl Stage {
    fn new(outside: &[WorldZone], config: &str, records: &[&str]) -> Self {
        Self::with_peers(outside, config, records, &Authority::new("Test Authority"), closed_port(), closed_port())
    }

    fn with_peers(
        outside: &[WorldZone],
        config: &str,
        records: &[&str],
        authority: &Authority,
        smtp: u16,
        https: u16,
    ) -> Self {
        let world = World::new(outside);
        let project = Project::empty();
        project.write("ca.pem", authority.pem());
        let look = format!("[look]\nsmtp_port = {smtp}\nhttps_port = {https}\nca_file = \"ca.pem\"\n");
        project.write("mailzone.toml", format!("{SERVED}\n{}\n{look}\n{config}", world.config()));
        project.write("zones/example.test.zone", zone_text("example.test", records));
        Self { world, project }
    }

    fn looking(&self, args: &[&str]) -> Output {
        self.project.finish(&mut self.project.looking(args))
    }

    fn plan(&self) -> Value {
        self.looking(&["plan", "--format", "json"]).expect_code(0).json()
    }
}

/// The findings of the one zone with this code: severity, effect, message.
fn of(document: &Value, code: &str) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = document["zones"][0]["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["code"] == code)
        .map(|finding| (text(&finding["severity"]), text(&finding["effect"]), text(&finding["message"])))
        .collect()
}

fn effects(document: &Value, code: &str) -> Vec<String> {
    of(document, code).into_iter().map(|(severity, effect, _)| format!("{severity} {effect}")).collect()
}

/// A provider whose records cost five and six look-ups, with what they include.
fn provider() -> WorldZone {
    let five =
        "five TXT \"v=spf1 a:h.provider.test a:h.provider.test a:h.provider.test include:deep.provider.test -all\"";
    let six =
        "six TXT \"v=spf1 a:h.provider.test a:h.provider.test a:h.provider.test include:five.provider.test -all\"";
    WorldZone::new("provider.test", &[five, six, "deep TXT \"v=spf1 a:h.provider.test -all\"", "h A 198.51.100.1"])
}

const FIVE: &str = "@ TXT \"v=spf1 include:five.provider.test -all\"";
const BOTH: &str = "@ TXT \"v=spf1 include:five.provider.test include:six.provider.test -all\"";

fn wants(record: &str) -> String {
    let value = record.split_once("TXT ").unwrap().1;
    format!("[domains.\"example.test\"]\nspf = {value}\n")
}

#[test]
fn too_many_look_ups_through_includes_stop_the_zone() {
    let stage = Stage::new(&[provider()], &wants(BOTH), &[FIVE]);
    assert_eq!(effects(&stage.plan(), "SPF-03"), ["error caused"]);
    let before = stage.project.read("zones/example.test.zone");
    let out = stage.looking(&["apply", "--yes"]).expect_code(4);
    assert!(out.stdout.contains("SPF-03") && out.stdout.contains("--allow SPF-03"), "{}", out.stdout);
    assert_eq!(stage.project.read("zones/example.test.zone"), before);
    let out = stage.looking(&["apply", "--yes", "--allow", "SPF-03", "--format", "json"]);
    assert!(
        stage.project.read("zones/example.test.zone").contains("six.provider.test"),
        "{}{}",
        out.stdout,
        out.stderr
    );
    // It is there now, and stops nothing more.
    assert_eq!(effects(&stage.plan(), "SPF-03"), ["error present"]);
}

#[test]
fn what_is_cured_and_what_stays() {
    let stage = Stage::new(&[provider()], &wants(FIVE), &[BOTH]);
    assert_eq!(effects(&stage.plan(), "SPF-03"), ["error cured"]);
    let more = BOTH.replace(" -all", " ip4:198.51.100.7 -all");
    let stage = Stage::new(&[provider()], &wants(&more), &[BOTH]);
    assert_eq!(effects(&stage.plan(), "SPF-03"), ["error present"]);
    // What was bad before and stays, stops nothing.
    let out = stage.looking(&["apply", "--yes", "--format", "json"]);
    assert!(out.code != 4, "{}", out.stdout);
    assert!(stage.project.read("zones/example.test.zone").contains("198.51.100.7"));
}

#[test]
fn changes_do_not_depend_on_looking() {
    let stage = Stage::new(&[provider()], &wants(BOTH), &[FIVE, "_dmarc TXT \"v=DMARC1; p=none\""]);
    let looked = stage.plan();
    let blind = stage.looking(&["plan", "--no-look", "--format", "json"]).expect_code(0).json();
    for field in ["changes", "config_digest", "fingerprint", "unmanaged", "error"] {
        assert_eq!(looked["zones"][0][field], blind["zones"][0][field], "{field}");
    }
    assert!(of(&looked, "UNCHECKED").is_empty(), "{looked:#}");
    let unchecked = of(&blind, "UNCHECKED");
    assert!(unchecked.iter().all(|(severity, _, text)| severity == "info" && text.contains("--no-look was given")));
    assert!(unchecked.iter().any(|(_, _, text)| text.contains("look-ups SPF costs")), "{unchecked:#?}");
    // Without looking nobody is asked.
    let asked = || stage.world.asked.lock().unwrap_or_else(PoisonError::into_inner).len();
    let before = asked();
    stage.looking(&["plan", "--no-look"]);
    assert_eq!(asked(), before);
}

#[test]
fn a_resolver_that_says_nothing_leaves_things_unchecked() {
    let stage = Stage::new(&[], &wants(BOTH), &[FIVE]);
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let named = stage.world.resolver.to_string();
    stage.project.replace("mailzone.toml", &named, &address.to_string());
    let document = stage.plan();
    assert!(of(&document, "SPF-03").is_empty() && of(&document, "SPF-06").is_empty(), "{document:#}");
    let unchecked = of(&document, "UNCHECKED");
    assert!(unchecked.iter().any(|(_, _, text)| text.contains("look-ups SPF costs")), "{document:#}");
    assert_eq!(document["zones"][0]["changes"].as_array().unwrap().len(), 1);
}

const POLICY: &str = "version: STSv1\nmode: enforce\nmx: mx.example.test\nmax_age: 604800\n";

#[test]
fn a_served_policy_that_is_not_the_configured_one() {
    let config = "[domains.\"example.test\"]\nmx = [{ preference = 10, host = \"mx.example.test\" }]\n\
                  mta_sts = { mode = \"enforce\", mx = [\"mx.example.test\"], max_age = \"1w\", id = \"1\" }\n";
    let records = ["@ MX 10 mx", "mx A 127.0.0.11", "mta-sts A 127.0.0.1", "_mta-sts TXT \"v=STSv1; id=1\""];
    let plan = |served: &str| {
        let authority = Authority::new("Test Authority");
        let pages: Pages = [policy("example.test", served)].into();
        let https = web_server(authority.identity(&["mta-sts.example.test"], 2040), pages);
        // What is served is looked for where everybody looks.
        let outside = [WorldZone::new("example.test", &records)];
        Stage::with_peers(&outside, config, &records, &authority, closed_port(), https).plan()
    };
    assert!(of(&plan(POLICY), "STS-05").is_empty());
    let other = plan(&POLICY.replace("enforce", "testing"));
    assert_eq!(effects(&other, "STS-05"), ["warning present"], "{other:#}");
    let other = plan(&POLICY.replace("mx.example", "old.example"));
    assert_eq!(effects(&other, "STS-03"), ["error present"], "{other:#}");
}

#[test]
fn tlsa_records_against_the_certificate_that_is_shown() {
    let authority = Authority::new("Test Authority");
    let identity = authority.identity(&["mx.example.test"], 2040);
    let digest = crate::check_peers::sha256(&identity.public_key);
    let smtp = mail_servers(&[("127.0.0.11", Mailer::good("mx.example.test", identity))]);
    let plan = |wanted: &str| {
        let config = format!(
            "[hosts.\"mx.example.test\"]\nprovider = \"files\"\n\
             tlsa = [{{ port = 25, usage = 3, selector = 1, matching = 1, data = \"{wanted}\" }}]\n\
             [domains.\"example.test\"]\nmx = [{{ preference = 10, host = \"mx.example.test\" }}]\n"
        );
        let records = ["@ MX 10 mx", "mx A 127.0.0.11"];
        Stage::with_peers(&[], &config, &records, &authority, smtp, closed_port()).plan()
    };
    let good = plan(&digest);
    assert!(of(&good, "DANE-03").is_empty() && good["summary"]["create"] == 1, "{good:#}");
    assert_eq!(effects(&plan(&"ab".repeat(32)), "DANE-03"), ["error caused"]);
}

#[test]
fn severities_and_entries_that_waive() {
    let record = "@ TXT \"v=spf1 ptr include:five.provider.test -all\"";
    let plan = |more: &str| {
        let stage = Stage::new(&[provider()], &format!("{}{more}", wants(record)), &[]);
        stage.plan()
    };
    assert_eq!(effects(&plan(""), "SPF-12"), ["warning caused"]);
    assert_eq!(effects(&plan("severity = { \"SPF-12\" = \"error\" }\n"), "SPF-12"), ["error caused"]);
    assert!(of(&plan("severity = { \"SPF-12\" = \"off\" }\n"), "SPF-12").is_empty());
    let allow = |until: &str| {
        format!(
            "[[domains.\"example.test\".allow]]\ncode = \"SPF-12\"\nreason = \"an old appliance\"\nuntil = {until}\n"
        )
    };
    let waived = plan(&allow("2099-01-01"));
    assert!(of(&waived, "SPF-12").is_empty(), "{waived:#}");
    assert_eq!(waived["zones"][0]["allowed"][0]["code"], "SPF-12");
    let over = plan(&allow("2020-01-01"));
    assert_eq!(effects(&over, "SPF-12"), ["warning caused"]);
    assert_eq!(over["findings"][0]["code"], "ALLOW-EXPIRED", "{over:#}");
}

#[test]
fn the_journal_tells_how_old_a_key_is() {
    let key = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let config = format!("[domains.\"example.test\"]\ndkim.s1.txt = \"{key}\"\ndkim.s0 = {{ revoked = true }}\n");
    let stage = Stage::new(&[], &config, &[]);
    stage.looking(&["apply", "--yes", "--wait", "none"]).expect_code(0);
    let young = stage.plan();
    assert!(of(&young, "DKIM-18").is_empty() && of(&young, "DKIM-12").is_empty(), "{young:#}");
    let journal = stage.project.read(".mailzone/journal.jsonl");
    let old: String = journal
        .lines()
        .map(|line| {
            let mut entry: Value = serde_json::from_str(line).unwrap();
            entry["at"] = "2020-01-01T00:00:00Z".into();
            format!("{entry}\n")
        })
        .collect();
    stage.project.write(".mailzone/journal.jsonl", old);
    let aged = stage.plan();
    assert_eq!(effects(&aged, "DKIM-18"), ["warning present"], "{aged:#}");
    assert_eq!(effects(&aged, "DKIM-12"), ["info present"]);
}
