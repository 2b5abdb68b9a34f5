//! `mailzone check` of a zone that is made to hang it, to make it ask without end, or to get at the reader's terminal.

use std::fmt::Write as _;

use mailzone_observe::{Budget, QUESTIONS};

use crate::check_peers::{Authority, Mailer, World, WorldZone, closed_port, mail_servers, policy, project, web_server};

/// What a terminal, a page of Markdown or a spreadsheet may not come to see as it is: as zone-file text, and in bytes.
const ESCAPES: &str = "\\027[2J\\027]0;owned\\007\\226\\128\\174\\226\\128\\139\\010# owned\\010<script>alert(1)</script>`|**owned**\\r\\n=cmd";

/// The hostile zone, without its server's own records.
fn records() -> Vec<String> {
    let mut records = vec![
        // Aliases without an end, of one, of two, and a long chain.
        "_dmarc CNAME loop1".to_owned(),
        "loop1 CNAME loop2".to_owned(),
        "loop2 CNAME loop1".to_owned(),
        "_mta-sts CNAME _mta-sts".to_owned(),
        "default._domainkey CNAME chain0".to_owned(),
        "mta-sts A 127.0.0.1".to_owned(),
        format!("s1._domainkey TXT \"v=DKIM1; k={ESCAPES}; p=AAAA\""),
        format!("_smtp._tls TXT \"v=TLSRPTv1; rua=mailto:{ESCAPES}@x.test\""),
        format!("default._bimi TXT \"v=BIMI1; l=https://{ESCAPES}/\""),
        format!("@ CAA 0 issue \"{ESCAPES}\""),
        format!("@ CAA 0 iodef \"{ESCAPES}\""),
        format!("@ TXT \"v=spf1 include:i0.hostile.test include:long.hostile.test mx ~all\""),
        format!("@ TXT \"v=spf 1 {ESCAPES}\""),
        format!("@ TXT \"v=spf2.0/pra {ESCAPES}\""),
        "@ MX 5 \\027[2J\\010<script>.hostile.test.".to_owned(),
        "_imaps._tcp SRV 0 1 993 \\027[31m\\226\\128\\174.hostile.test.".to_owned(),
        "_25._tcp.m0 TLSA 3 1 1 00".to_owned(),
    ];
    for n in 0..60 {
        records.push(format!("chain{n} CNAME chain{}", n + 1));
    }
    // Each includes ten others; what it comes to in all is beyond counting.
    for n in 0..120 {
        let includes: String =
            (1..=10).map(|k| format!(" \" include:i{}.hostile.test\"", (n * 7 + k * 13) % 120)).collect();
        records.push(format!("i{n} TXT \"v=spf1\"{includes} \" -all\""));
    }
    for n in 0..100 {
        records.push(format!("@ MX {n} m{n}"));
        for k in 0..8 {
            records.push(format!("m{n} A 127.0.{n}.{}", k + 20));
        }
    }
    // 63 KiB of text at one name.
    let mut long = "long TXT".to_owned();
    for _ in 0..246 {
        write!(long, " \"{}\"", "x".repeat(255)).unwrap();
    }
    records.push(long);
    records
}

fn zones() -> Vec<WorldZone> {
    let records = records();
    let lines: Vec<&str> = records.iter().map(String::as_str).collect();
    let mut zone = WorldZone::new("hostile.test", &lines);
    // Forty name servers, which are one.
    zone.own_ns = (0..40).map(|n| format!("@ NS ns{n}\nns{n} A 127.0.0.2")).collect();
    zone.own_ns.push("ns1 A 127.0.0.2".to_owned());
    zone.delegation =
        (0..40).map(|n| format!("hostile.test. NS ns{n}.hostile.test.\nns{n}.hostile.test. A 127.0.0.2")).collect();
    let names: Vec<String> = (0..30).map(|n| format!("*.0 PTR p{n}.\\027[2J.hostile.test.")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    vec![zone, WorldZone::new("0.127.in-addr.arpa", &names)]
}

/// Nothing of the zone that a terminal or a renderer would act on.
fn assert_harmless(text: &str, what: &str) {
    let text = text.replace("\r\n", "\n");
    let evil =
        |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}');
    if let Some(at) = text.find(evil) {
        panic!(
            "{what}: {:?}",
            text.get(at.saturating_sub(40)..).unwrap_or(&text[at..]).chars().take(80).collect::<String>()
        );
    }
    for line in text.lines() {
        assert!(
            !line.starts_with("# owned") && !line.starts_with("<script") && !line.starts_with("=cmd"),
            "{what}: {line}"
        );
    }
}

/// Markdown without its code spans.
fn outside_of_code(markdown: &str) -> String {
    markdown.lines().map(|line| line.split('`').step_by(2).collect::<String>() + "\n").collect()
}

#[test]
fn a_hostile_zone_ends_in_findings() {
    let authority = Authority::new("Test Authority");
    let greeting = "220 \u{1b}[2J\u{202e}<script>alert(1)</script>`|";
    let mailer = Mailer { greeting: greeting.to_owned(), ..Mailer::plain("") };
    let smtp = mail_servers(&[("127.0.0.20", mailer.clone()), ("127.0.1.20", mailer)]);
    let page = "version: STSv1\nmode: \u{1b}[2J<script>\nmx: \u{202e}`|\n# owned\n";
    let hosts = authority.identity(&["mta-sts.hostile.test"], 2040);
    let https = web_server(hosts, [policy("hostile.test", page)].into());
    let world = World::new(&zones());
    let project = project(&world, &authority, smtp, https, "");
    let check = |format: &str| project.run_to(4, ["check", "hostile.test", "--format", format, "-v", "--full"]);

    let out = check("json");
    let document = out.json();
    assert!(out.stdout.chars().all(|c| c == '\n' || !c.is_control()), "JSON has control characters");
    let own = &document["domains"][0];
    let found: Vec<&str> =
        own["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect();
    for code in ["SPF-03", "SPF-06", "MX-02", "SMTP-01", "TLSRPT-01", "CAA-01"] {
        assert!(found.contains(&code), "{code}: {found:?}");
    }
    let questions = usize::try_from(own["questions"].as_u64().unwrap()).unwrap();
    assert!(questions <= QUESTIONS, "{questions}");
    // What the resolver saw of it: the questions, and those about DNSSEC, some for each look.
    let asked = world.asked.lock().unwrap().len();
    assert!(asked <= QUESTIONS + 6 * Budget::LOOKS, "{asked}");
    // The servers themselves: the way there, then each server's state, samples and TCP.
    for server in &world.servers[..2] {
        let log = server.handle().log().len();
        assert!(log < 1500, "{log}");
    }
    for format in ["text", "markdown", "csv"] {
        let out = check(format);
        assert_harmless(&out.stdout, format);
        assert_harmless(&out.stderr, format);
        if format == "markdown" {
            let plain = outside_of_code(&out.stdout);
            assert!(!plain.contains("<script") && !plain.contains("**owned"), "{plain}");
            assert!(out.stdout.len() <= 65_536);
        }
    }
}

#[test]
fn many_hostile_domains_do_not_hold_up_a_good_one() {
    let mut zones = zones();
    zones
        .push(WorldZone::new("good.test", &["@ MX 0 .", "@ TXT \"v=spf1 -all\"", "_dmarc TXT \"v=DMARC1; p=reject\""]));
    let world = World::new(&zones);
    let project = project(&world, &Authority::new("Test"), closed_port(), closed_port(), "");
    let domains: Vec<String> = (0..10).map(|n| format!("m{n}.hostile.test")).collect();
    let args = ["check", "hostile.test", "good.test", "--format", "json"];
    let document = project.run_to(4, args.iter().copied().chain(domains.iter().map(String::as_str))).json();
    let all = document["domains"].as_array().unwrap();
    assert_eq!(all.len(), 12);
    let good = all.iter().find(|one| one["domain"] == "good.test").unwrap();
    assert_eq!(good["scores"]["phishing"], 100, "{good:#}");
}
