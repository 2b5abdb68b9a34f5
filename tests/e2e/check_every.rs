//! Zones in which every finding is provoked, served to the program; `check_every/README.md` says how they are written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use mailzone_mailauth::rules::{self, DecidedBy};
use mailzone_server::Switches;
use serde_json::Value;

use crate::check_peers::{
    Authority, Mailer, Pages, RSA_2048, Security, World, WorldZone, mail_servers, policy, project, sha256, web_server,
};
use crate::harness::Project;

/// How the audit of each folder is run.
const RUNS: [(&str, &[&str]); 4] = [
    ("dns", &["--no-smtp"]),
    ("parked", &["--parked", "--no-smtp", "--no-blocklists"]),
    ("bulk", &["--bulk", "--selector", "s1", "--no-smtp", "--no-blocklists"]),
    ("connected", &["--no-blocklists"]),
];

/// Codes that nothing here provokes: the test that shows them, and why it is not this one.
const ELSEWHERE: &[(&str, &str)] = &[
    // The client agrees on TLS 1.2 at least: with an older server the handshake fails, which is SMTP-06.
    ("SMTP-05", "crates/audit/src/rules/smtp.rs"),
    // A table of all guards, each let pass by an allow entry.
    ("GUARD-MX", "tests/e2e/apply.rs"),
    ("GUARD-SPF", "tests/e2e/apply.rs"),
    ("GUARD-DMARC-DOWN", "tests/e2e/apply.rs"),
    ("GUARD-DMARC-JUMP", "tests/e2e/apply.rs"),
    ("GUARD-DMARC-BLIND", "tests/e2e/apply.rs"),
    ("GUARD-DKIM-REPLACED", "tests/e2e/apply.rs"),
    ("GUARD-TLSA", "tests/e2e/apply.rs"),
    ("GUARD-STS", "tests/e2e/apply.rs"),
    ("GUARD-HOST", "tests/e2e/apply.rs"),
    ("GUARD-CNAME", "tests/e2e/apply.rs"),
    ("GUARD-NS", "tests/e2e/apply.rs"),
    ("GUARD-NEAR", "tests/e2e/apply.rs"),
    ("ALLOW-EXPIRED", "tests/e2e/apply.rs"),
    // Services with habits of their own.
    ("GUARD-SIDE", "tests/e2e/services/back_ends.rs"),
    ("PARTIAL", "tests/e2e/rfc2136_messy.rs"),
    ("PROFILE-01", "crates/plan/tests/it/refusals.rs"),
    ("TTL-NEAREST", "crates/plan/tests/it/ttl.rs"),
    // Going back.
    ("GUARD-ROLLBACK", "tests/e2e/rollback.rs"),
    ("ROLLBACK-FOREIGN", "crates/engine/tests/it/rollback.rs"),
    ("ROLLBACK-UNKNOWN", "crates/engine/tests/it/rollback.rs"),
    // A policy that is served and one that is configured, an old journal.
    ("STS-05", "tests/e2e/look.rs"),
    ("DKIM-12", "tests/e2e/look.rs"),
    ("DKIM-18", "tests/e2e/look.rs"),
];

/// A zone of a file, and what an audit of it has to show.
struct Section {
    zone: WorldZone,
    absent: bool,
    codes: Vec<String>,
    policy: String,
}

/// The zones of the files in a folder.
fn sections(folder: &str, more: &BTreeMap<&str, String>) -> Vec<Section> {
    let path = Path::new("../../tests/e2e/check_every").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut sections: Vec<Section> = Vec::new();
    for file in files {
        let mut text = std::fs::read_to_string(&file).unwrap();
        for (name, value) in more {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(head) = line.strip_prefix("=== ") {
                let mut words = head.split(' ').map(str::to_owned);
                let origin = words.next().unwrap();
                let absent = origin.starts_with('!');
                let zone = WorldZone::new(origin.trim_start_matches('!'), &[]);
                sections.push(Section { zone, absent, codes: words.collect(), policy: String::new() });
                continue;
            }
            let section = sections.last_mut().unwrap();
            match line.split_once(' ').unwrap() {
                ("^", line) => section.zone.delegation.push(line.to_owned()),
                (">", line) => writeln!(section.policy, "{line}").unwrap(),
                ("@", rest) if rest.starts_with("NS ") => section.zone.own_ns.push(line.to_owned()),
                _ => section.zone.records.push(line.to_owned()),
            }
        }
    }
    sections
}

/// Codes by domain in a document.
fn found(document: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let domains = document["domains"].as_array().unwrap().iter();
    let codes = |domain: &Value| {
        let findings = domain["findings"].as_array().unwrap().iter();
        findings.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
    };
    domains.map(|domain| (domain["domain"].as_str().unwrap().to_owned(), codes(domain))).collect()
}

/// Audits every zone of a folder: what is found, and what was to be found and is not.
fn audit(folder: &str, options: &[&str]) -> (BTreeSet<String>, Vec<String>) {
    let authority = Authority::new("Let's Encrypt (no, a test)");
    let hosts: Vec<String> = ["good.connected.test", "unsigned.dane.test", "issuer.dane.test", "caa.connected.test"]
        .iter()
        .map(|domain| format!("mx.{domain}"))
        .collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let good = authority.identity(&hosts, 2040);
    let digest = sha256(&authority.public_key);
    let (first, second) = RSA_2048.split_at(200);
    let rsa = format!("{first}\" \"{second}");
    let sections = sections(folder, &[("RSA", rsa), ("AUTHORITY", digest)].into());

    let smtp = mail_servers(&[
        ("127.0.0.11", Mailer::good("mx.good.connected.test", good.clone())),
        ("127.0.0.12", Mailer::plain("mx.plain.connected.test")),
        ("127.0.0.13", Mailer::good("another.test", authority.identity(&["another.test"], 2040))),
        ("127.0.0.14", Mailer { tls: None, garbage: true, ..Mailer::good("mx.garbage.connected.test", good) }),
    ]);
    let mut pages: Pages = BTreeMap::new();
    let mut named = vec!["logo.test".to_owned(), "mta-sts.missing.sts.test".to_owned()];
    for section in sections.iter().filter(|section| !section.policy.is_empty()) {
        named.push(format!("mta-sts.{}", section.zone.origin));
        pages.extend([policy(&section.zone.origin, &section.policy)]);
    }
    let page = |path: &str, media: &str, body: &str| {
        (("logo.test".to_owned(), path.to_owned()), (media.to_owned(), body.to_owned()))
    };
    pages.extend([
        page("/good.svg", "image/svg+xml", "<svg version=\"1.2\" baseProfile=\"tiny-ps\"/>"),
        // The word "DigiCert" stands for a certificate.
        page(
            "/mark.pem",
            "text/plain",
            "-----BEGIN CERTIFICATE-----\nMAAAAERpZ2lDZXJ0\nAAAA\n-----END CERTIFICATE-----\n",
        ),
    ]);
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    let https = web_server(authority.identity(&named, 2040), pages);

    let there = sections.iter().filter(|section| !section.absent);
    let zones: Vec<WorldZone> = there.map(|section| section.zone.clone()).collect();
    let dnssec = [("bogus.servers.test", Security::Bogus), ("ended.servers.test", Security::Ended)];
    let world = World::with_dnssec(&zones, &dnssec);
    world.servers[4].switch(Switches { drop_tcp: true, ..Switches::default() });
    world.servers[5].switch(Switches { delay: Duration::from_millis(150), ..Switches::default() });
    let project = project(&world, &authority, smtp, https, "");
    let domains =
        sections.iter().filter(|section| !section.codes.is_empty()).map(|section| section.zone.origin.as_str());
    let args = ["check", "--format", "json"].into_iter().chain(options.iter().copied()).chain(domains);
    let found = found(&project.run_to(4, args).json());
    let mut missing = Vec::new();
    for section in sections.iter().filter(|section| !section.codes.is_empty()) {
        let seen = &found[&section.zone.origin];
        for code in section.codes.iter().filter(|code| !seen.contains(*code)) {
            missing.push(format!("{}: {code} is not among {seen:?}", section.zone.origin));
        }
    }
    (found.into_values().flatten().collect(), missing)
}

/// A plan, and the codes that it has to show.
struct Planned {
    what: &'static str,
    config: &'static str,
    zones: &'static [(&'static str, &'static [&'static str])],
    codes: &'static [&'static str],
}

const PLANS: &[Planned] = &[
    Planned {
        what: "the record that an include names goes, the HELO name has no SPF",
        config: "[hosts.\"mx.example.test\"]\nipv4 = [\"192.0.2.26\"]\n[domains.\"example.test\"]\n\
                 spf = \"v=spf1 include:_spf.example.test -all\"\nmx = [{ preference = 10, host = \"mx.example.test\" }]\n\
                 [[domains.\"example.test\".records]]\nname = \"_spf\"\ntype = \"TXT\"\nabsent = true\n",
        zones: &[(
            "example.test",
            &[
                "@ TXT \"v=spf1 include:_spf.example.test -all\"",
                "_spf TXT \"v=spf1 mx -all\"",
                "@ MX 20 mx",
                "mx A 192.0.2.25",
            ],
        )],
        codes: &["SPF-22", "SPF-24", "HOSTS-01", "EQUIVALENT"],
    },
    Planned {
        what: "an alias that comes to lead to another key, and one that comes to lead to none",
        config: "[domains.\"example.test\"]\ndkim = { s1 = { cname = \"a.example.test.\" } }\n\
                 [[domains.\"example.test\".records]]\nname = \"a\"\ntype = \"TXT\"\n\
                 values = ['\"v=DKIM1; k=ed25519; p=21qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"']\n\
                 [domains.\"other.test\"]\ndkim = { s1 = { cname = \"a.other.test.\" } }\n\
                 [[domains.\"other.test\".records]]\nname = \"a\"\ntype = \"TXT\"\nabsent = true\n",
        zones: &[
            (
                "example.test",
                &[
                    "s1._domainkey CNAME a",
                    "a TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"",
                ],
            ),
            (
                "other.test",
                &[
                    "s1._domainkey CNAME a",
                    "a TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"",
                ],
            ),
        ],
        codes: &["DKIM-10", "DKIM-11"],
    },
    Planned {
        what: "one key at two domains",
        config: "[domains.\"example.test\"]\ndkim.s1.txt = \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n\
                 [domains.\"other.test\"]\ndkim.s1.txt = \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n",
        zones: &[("example.test", &[]), ("other.test", &[])],
        codes: &["DKIM-15"],
    },
    Planned {
        what: "senders that strict alignment and a narrow record fail",
        config: "[domains.\"example.test\"]\ndmarc = \"v=DMARC1; p=reject; aspf=s; adkim=s; rua=mailto:a@example.test\"\n\
                 spf = \"v=spf1 -all\"\n\
                 [sender.news]\naddresses = [\"192.0.2.7\"]\nfrom = \"example.test\"\nenvelope_domain = \"news.example.test\"\n",
        zones: &[(
            "example.test",
            &[
                "_dmarc TXT \"v=DMARC1; p=reject; rua=mailto:a@example.test\"",
                "@ TXT \"v=spf1 ip4:192.0.2.7 -all\"",
                "news TXT \"v=spf1 ip4:192.0.2.7 -all\"",
            ],
        )],
        codes: &["DMARC-15", "DMARC-18"],
    },
    Planned {
        what: "mail exchangers without TLSA after those with, and another TLSA at once",
        config: "[domains.\"example.test\"]\nmx = [{ preference = 10, host = \"new.example.test\" }]\n\
                 [[domains.\"example.test\".records]]\nname = \"_25._tcp.other\"\ntype = \"TLSA\"\n\
                 values = [\"3 1 1 bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"]\n",
        zones: &[(
            "example.test",
            &[
                "@ MX 10 old",
                "@ MX 20 other",
                "old A 192.0.2.25",
                "other A 192.0.2.26",
                "new A 192.0.2.27",
                "_25._tcp.old TLSA 3 1 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                "_25._tcp.other TLSA 3 1 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            ],
        )],
        codes: &["MX-10"],
    },
    Planned {
        what: "another TLSA record at once",
        config: "[domains.\"example.test\"]\nmx = [{ preference = 10, host = \"mx.example.test\" }]\n\
                 [[domains.\"example.test\".records]]\nname = \"_25._tcp.mx\"\ntype = \"TLSA\"\n\
                 values = [\"3 1 1 bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"]\n",
        zones: &[(
            "example.test",
            &[
                "@ MX 10 mx",
                "mx A 192.0.2.25",
                "_25._tcp.mx TLSA 3 1 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            ],
        )],
        codes: &["DANE-07"],
    },
    Planned {
        what: "a value beside ours that looks like it, and a key that goes",
        config: "[domains.\"example.test\"]\ndmarc = \"v=DMARC1; p=none; rua=mailto:a@example.test\"\ndkim = { s1 = \"absent\" }\n",
        zones: &[(
            "example.test",
            &[
                "_dmarc TXT \"v=DMARC1; p=none; rua=mailto:a@example.test\"",
                "_dmarc TXT \"\\\"v=DMARC1; p=none\\\"\"",
                "s1._domainkey TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"",
            ],
        )],
        codes: &["NEAR-MISS", "GUARD-DKIM-REMOVED"],
    },
];

/// A zone file whose own NS records are not those of the delegation.
fn delegated_elsewhere() -> BTreeSet<String> {
    let world = World::new(&[WorldZone::new("example.test", &["@ TXT \"v=spf1 -all\""])]);
    let project = project(&world, &Authority::new("Test"), 1, 1, "");
    let text = project.read("mailzone.toml");
    let provider = "[providers.files]\ntype = \"zonefile\"\ndirectory = \"zones\"\n\
                    [domains.\"example.test\"]\nprovider = \"files\"\nspf = \"v=spf1 -all\"\n";
    project.write("mailzone.toml", format!("{text}\n{provider}"));
    let zone = crate::harness::zone_text("example.test", &[]).replace("ns1", "ns9");
    project.write("zones/example.test.zone", zone);
    let document = project.run_to(3, ["apply", "--yes", "--format", "json"]).json();
    let text = document.to_string();
    assert!(text.contains("DELEG-01"), "{document:#}");
    ["DELEG-01".to_owned()].into()
}

fn plans() -> (BTreeSet<String>, Vec<String>) {
    let (mut all, mut missing) = (BTreeSet::new(), Vec::new());
    let world = World::new(&[]);
    for one in PLANS {
        let zones: Vec<(&str, String)> =
            one.zones.iter().map(|(origin, lines)| (*origin, crate::harness::zone_text(origin, lines))).collect();
        let project = Project::new(one.config, &zones);
        let text = project.read("mailzone.toml");
        project.write("mailzone.toml", format!("{}\n{text}", world.config()));
        let document = project.finish(&mut project.looking(["plan", "--format", "json"])).expect_code(0).json();
        let zones = document["zones"].as_array().unwrap().iter();
        let findings =
            zones.flat_map(|zone| zone["findings"].as_array().unwrap()).chain(document["findings"].as_array().unwrap());
        let seen: BTreeSet<String> = findings.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect();
        for code in one.codes.iter().filter(|code| !seen.contains(**code)) {
            missing.push(format!("{}: {code} is not among {seen:?}", one.what));
        }
        all.extend(seen);
    }
    (all, missing)
}

#[test]
fn every_finding_is_provoked() {
    let (mut all, mut missing) = plans();
    all.extend(delegated_elsewhere());
    for (folder, options) in RUNS {
        let (found, not_found) = audit(folder, options);
        all.extend(found);
        missing.extend(not_found);
    }
    for (code, file) in ELSEWHERE {
        if all.contains(*code) {
            missing.push(format!("{code} is provoked here: no need to look elsewhere"));
        }
        if !file.is_empty() {
            let text = std::fs::read_to_string(Path::new("../..").join(file)).unwrap();
            assert!(text.contains(code), "{file} does not show {code}");
        }
        all.insert((*code).to_owned());
    }
    let decided = rules::all().filter(|rule| !matches!(rule.decided_by, DecidedBy::Nothing(_)));
    missing.extend(decided.filter(|rule| !all.contains(rule.code)).map(|rule| format!("{} by nothing", rule.code)));
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    for code in &all {
        assert!(rules::rule(code).is_some(), "{code} is in no table");
    }
}
