//! Zones as they are found: each goes through plan, apply, plan, and no foreign octet changes.

use std::path::Path;

use crate::harness::{Project, SERVED, zone_text};
use crate::settle::{apply, guards, plan, settle, unchanged, zone_bytes};

/// An RSA key of 1024 bits, made for these tests.
const KEY: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDOnA6hpZR0J5mqXLZGwMV9VreUuoLzpgOROioMKzyoPptQrmPjvA1fFE1FURlevavmlOoCtV++ct5d14B/JtmfkZoDaR/cTNHqvrvsPThZwPyvBwB1Br1WLdDWVSMb6HieJWv1BKUuxsYlTUvMlU2sulucH/F6XBO7AQiW/1Ku4wIDAQAB";

/// What the fixtures trip.
const ALLOW: &[&str] = &["--allow", "GUARD-SPF-NET", "--allow", "GUARD-DKIM-REPLACED"];

/// `example.test` with these keys and records.
fn site(domain: &str, records: &[&str]) -> Project {
    Project::new(
        &format!("[domains.\"example.test\"]\n{domain}"),
        &[("example.test", zone_text("example.test", records))],
    )
}

/// The same with octets that need not be text.
fn site_of_bytes(domain: &str, zone: &[u8]) -> Project {
    let project = site(domain, &[]);
    project.write("zones/example.test.zone", zone);
    project
}

#[track_caller]
fn settled(domain: &str, records: &[&str]) -> String {
    settle(&site(domain, records), "example.test", &[])
}

/// The zone's name by the rule of the record crate's tests: the first `$ORIGIN` that is not the root.
fn origin_of(text: &str) -> String {
    let origin = text.lines().filter_map(|line| line.strip_prefix("$ORIGIN ")).find(|origin| origin.trim() != ".");
    origin.unwrap_or("example.com.").trim().trim_end_matches('.').to_owned()
}

#[test]
fn every_fixture() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/zones");
    let mut seen = 0;
    for entry in std::fs::read_dir(fixtures).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "zone") {
            continue;
        }
        println!("{}", path.display());
        let mut text = std::fs::read_to_string(&path).unwrap();
        let origin = origin_of(&text);
        if !text.contains("SOA") {
            text = format!("@ 3600 SOA ns1 hostmaster 1 7200 3600 1209600 300\n@ 3600 NS ns1\n{text}");
        }
        // A CNAME at the apex, as some services allow: nothing is written there, and no server answers for it.
        let alias = text.contains("IN CNAME cnametest1");
        let at_apex = "spf = \"v=spf1 -all\"\ncaa = { issue = [\"ca.example.net\"] }\n";
        let config = format!(
            "[domains.\"{origin}\"]\n{}dmarc = {{ policy = \"none\" }}\ntls_rpt = {{ rua = [\"mailto:t@{origin}\"] }}\n\
             dkim.m1 = {{ txt = \"v=DKIM1; p={KEY}\" }}\n",
            if alias { "" } else { at_apex },
        );
        let project = Project::new(&config, &[(&origin, text.clone())]);
        if text.contains("RRSIG\t") {
            let refused = project.run_to(1, ["apply", "--yes", "--format", "json"]).json();
            assert_eq!(refused["zones"][0]["error"]["kind"], "refused", "{refused:#}");
            assert_eq!(project.read(&format!("zones/{origin}.zone")), text);
            // Unsigned, it is a zone with records of every type.
            let unsigned: Vec<&str> = text.lines().filter(|line| !line.contains("RRSIG\t")).collect();
            text = unsigned.join("\n") + "\n";
            project.write(&format!("zones/{origin}.zone"), &text);
        }
        let wait = if alias { "none" } else { "authoritative" };
        let changed = settle(&project, &origin, &[ALLOW, &["--wait", wait]].concat());
        let after = project.read(&format!("zones/{origin}.zone"));
        assert!(changed.lines().filter(|line| line.starts_with('-')).count() <= 2, "{changed}");
        assert!(after.contains("v=TLSRPTv1"));
        unchanged(&project, &origin);
        seen += 1;
    }
    assert!(seen >= 10);
}

#[test]
fn spf_beside_tokens() {
    let records = [
        "@ TXT \"google-site-verification=Zq3-x\"",
        "  TXT \"v=spf1 mx  ~all\"",
        "\tIN 300 TXT \"MS=ms41077281\"",
        "www A 192.0.2.80",
    ];
    insta::assert_snapshot!(settled("spf = \"v=spf1 mx -all\"", &records), @r#"
    -   TXT "v=spf1 mx  ~all"
    +   TXT "v=spf1 mx -all"
    "#);
}

#[test]
fn two_spf_records_become_one() {
    let records = ["@ TXT \"v=spf1 mx -all\"", "@ TXT \"a token\"", "@ TXT \"V=SPF1 a ~all\""];
    insta::assert_snapshot!(settled("spf = \"v=spf1 mx a -all\"", &records), @r#"
    - @ TXT "v=spf1 mx -all"
    - @ TXT "V=SPF1 a ~all"
    + @ TXT "v=spf1 mx a -all"
    "#);
}

#[test]
fn the_first_line_that_goes_leaves_its_owner_to_the_next() {
    let records = ["@ TXT \"v=spf1 ~all\"", "  TXT \"a token\"", "  A 192.0.2.1"];
    insta::assert_snapshot!(settled("spf = \"absent\"\nallow = [{ code = \"GUARD-SPF\" }]", &records), @r#"
    - @ TXT "v=spf1 ~all"
    -   TXT "a token"
    + @ TXT "a token"
    "#);
}

/// The forms of one key; each is the same as the configuration's.
fn key_forms() -> Vec<String> {
    let (head, tail) = KEY.split_at(100);
    vec![
        format!("s1._domainkey TXT \"v=DKIM1; k=rsa; p={KEY}\""),
        format!("s1._domainkey TXT \"v=DKIM1; k=rsa; p={head}\" \"{tail}\""),
        format!("s1._domainkey TXT ( \"v=DKIM1; k=rsa; \" ; a comment\n   \"p={head}\"\n   \"{tail}\" )"),
        format!("s1._domainkey TXT v=DKIM1\\;k=rsa\\;p={KEY}"),
        format!("s1._domainkey TXT \"v=DKIM1; k=rsa; p={head}\t{tail}\""),
        format!("s1._domainkey TXT \"k=rsa;\\009p={head}\\009\\010 {tail} ;\""),
        format!("s1._domainkey TXT \"p={KEY}\""),
    ]
}

#[test]
fn a_dkim_key_in_every_form_is_the_same_key() {
    for form in key_forms() {
        let config = format!("dkim.s1 = {{ txt = \"v=DKIM1; k=rsa; p={KEY}\" }}\n");
        let project = site(&config, &[&form]);
        unchanged(&project, "example.test");
        // Another slot is written, and the key's lines stay.
        project.replace("mailzone.toml", "dkim.s1", "dmarc = { policy = \"none\" }\ndkim.s1");
        let changed = settle(&project, "example.test", &[]);
        assert_eq!(changed, "+ _dmarc TXT \"v=DMARC1; p=none\"\n", "{form}");
    }
}

#[test]
fn another_key_replaces_every_form() {
    for form in key_forms() {
        let config = "dkim.s1 = { txt = \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\" }\n";
        let project = site(config, &[&form, "after A 192.0.2.9"]);
        assert_eq!(guards(&plan(&project, &[])["zones"][0]), ["GUARD-DKIM-REPLACED"], "{form}");
        settle(&project, "example.test", &["--allow", "GUARD-DKIM-REPLACED:s1._domainkey.example.test"]);
        assert!(!project.read("zones/example.test.zone").contains(&KEY[..50]));
    }
}

#[test]
fn dmarc_with_odd_spacing_order_and_case() {
    let config = "spf = \"unmanaged\"\ndmarc = { policy = \"quarantine\", rua = [\"mailto:d@example.test\"] }";
    for form in [
        "_dmarc TXT \"v=DMARC1 ; p=none;rua=mailto:d@example.test\"",
        "_dmarc TXT \"v = DMARC1; p = None ; rua = mailto:d@example.test\"",
        "_DMARC TXT \"v=DMARC1;;  rua=mailto:d@example.test ; p=NONE\"",
        "_dmarc TXT \"v=DMARC1; p=no\" \"ne; rua=mailto:d@example.test\"",
        "_dmarc TXT v=DMARC1\\;p=none\\;rua=mailto:d@example.test",
        "_dmarc TXT \"v=DMARC1\\; p=none\\;\\032rua=mailto:d@example.test\"",
    ] {
        let project = site(&config.replace("quarantine", "none"), &[form, "www A 192.0.2.1"]);
        unchanged(&project, "example.test");
        project.replace("mailzone.toml", "none", "quarantine");
        let changed = settle(&project, "example.test", &[]);
        assert_eq!(changed.lines().count(), 2, "{changed}");
        assert!(changed.starts_with(&format!("- {form}\n")) && changed.contains("p=quarantine"), "{changed}");
    }
}

#[test]
fn two_dmarc_records_become_one() {
    let records =
        ["_dmarc TXT \"v=DMARC1; p=none\"", "_dmarc TXT \"v=DMARC1; p=reject\"", "_dmarc TXT \"some other token\""];
    insta::assert_snapshot!(settled("dmarc = { policy = \"none\" }", &records), @r#"- _dmarc TXT "v=DMARC1; p=reject""#);
}

#[test]
fn the_hosters_cname_at_dmarc_needs_allow() {
    let project = site("dmarc = { policy = \"none\" }", &["_dmarc CNAME _dmarc.hoster.example.", "www A 192.0.2.1"]);
    let before = zone_bytes(&project, "example.test");
    let stopped = apply(&project, 4, &[]);
    assert_eq!(guards(&stopped["zones"][0]), ["GUARD-CNAME"]);
    assert_eq!(before, zone_bytes(&project, "example.test"));
    insta::assert_snapshot!(settle(&project, "example.test", &["--allow", "GUARD-CNAME:_dmarc"]), @r#"
    - _dmarc CNAME _dmarc.hoster.example.
    + _dmarc TXT "v=DMARC1; p=none"
    "#);
}

#[test]
fn tokens_of_any_octets_stay() {
    let mut zone = zone_text("example.test", &[]).into_bytes();
    zone.extend_from_slice(b"@ TXT \"say \\\"hi\\\"; a \\\\ and \\; too\" ; a comment with \xff\xfe and caf\xc3\xa9\n");
    zone.extend_from_slice(b"@ TXT caf\\195\\169 \"caf\xc3\xa9\" \"\xff\xfe\"\n");
    zone.extend_from_slice(b"@\tTXT\t\"v=spf1 ?all\"\t; ours \xe2\x82\xac\n");
    zone.extend_from_slice(b"  TXT ( \"two;\" ; \"not a string\"\n\t\"lines\" )\n; only a comment \x07\xf0\n\n");
    let project = site_of_bytes("spf = \"v=spf1 ~all\"", &zone);
    insta::assert_snapshot!(settle(&project, "example.test", &[]), @r#"
    - @\tTXT\t"v=spf1 ?all"\t; ours \xe2\x82\xac
    + @\tTXT\t"v=spf1 ~all"\t; ours \xe2\x82\xac
    "#);
}

#[test]
fn a_cname_at_a_shared_name_is_refused() {
    let domains = "[domains.\"example.test\"]\ndmarc = { policy = \"none\" }\n[domains.\"news.example.test\"]\nspf = \"v=spf1 -all\"\n";
    let project = Project::new(domains, &[("example.test", zone_text("example.test", &["news CNAME x.example.net."]))]);
    let before = zone_bytes(&project, "example.test");
    let refused = apply(&project, 1, &["--allow", "GUARD-CNAME"]);
    assert_eq!(refused["zones"][0]["error"]["kind"], "refused");
    insta::assert_snapshot!(refused["zones"][0]["error"]["message"].as_str().unwrap(), @"news.example.test. is a CNAME (x.example.net.): no other record can stand there");
    assert_eq!(before, zone_bytes(&project, "example.test"));
    assert!(!project.exists(".mailzone/journal.jsonl"));
}

#[test]
fn wildcards_are_foreign() {
    let records = ["* TXT \"v=spf1 ?all\"", "*._domainkey TXT \"v=DKIM1; p=\"", "* MX 10 mail", "*.x A 192.0.2.1"];
    let config =
        format!("spf = \"v=spf1 mx -all\"\ndkim.s1 = {{ txt = \"v=DKIM1; p={KEY}\" }}\nmx = \"null\"\nmail = \"none\"");
    let changed = settled(&config, &records);
    assert!(changed.lines().all(|line| line.starts_with('+')), "{changed}");
}

#[test]
fn below_a_delegation_is_refused() {
    let records = ["lab NS ns.lab", "ns.lab A 192.0.2.53", "lab TXT \"v=spf1 ~all\""];
    let domains = "[domains.\"example.test\"]\nspf = \"v=spf1 -all\"\n[domains.\"x.lab.example.test\"]\ndmarc = { policy = \"none\" }\n";
    let project = Project::new(domains, &[("example.test", zone_text("example.test", &records))]);
    let before = zone_bytes(&project, "example.test");
    let refused = project.run_to(1, ["apply", "--yes", "--format", "json"]).json();
    insta::assert_snapshot!(refused["zones"][0]["error"]["message"].as_str().unwrap(), @"_dmarc.x.lab.example.test. is not in this zone's hands: lab.example.test. is delegated to other name servers");
    assert_eq!(before, zone_bytes(&project, "example.test"));
    // Without that domain the delegation is in nobody's way.
    project.write("mailzone.toml", format!("{SERVED}[domains.\"example.test\"]\nspf = \"v=spf1 -all\"\n"));
    insta::assert_snapshot!(settle(&project, "example.test", &[]), @r#"+ @ TXT "v=spf1 -all""#);
}

#[test]
fn unknown_types_stay() {
    let records = [
        "@ TYPE65534 \\# 4 0a0b0c0d",
        "@ CLASS1 TYPE731 \\# 6 abcd (\n ef 01 23 45 )",
        "x TYPE65280 \\# 0",
        "svc HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.1",
        "loc LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m",
    ];
    insta::assert_snapshot!(settled("spf = \"v=spf1 -all\"", &records), @r#"+ @ CLASS1 TXT "v=spf1 -all""#);
}

#[test]
fn an_international_domain() {
    let zone = zone_text("xn--bcher-kva.example", &["@ TXT \"v=spf1 ?all\"", "www CNAME @"]);
    let project =
        Project::new("[domains.\"Bücher.example\"]\nspf = \"v=spf1 -all\"\n", &[("xn--bcher-kva.example", zone)]);
    let planned = plan(&project, &[]);
    assert_eq!(planned["zones"][0]["zone"], "xn--bcher-kva.example");
    assert_eq!(planned["zones"][0]["domains"][0], "xn--bcher-kva.example");
    insta::assert_snapshot!(settle(&project, "xn--bcher-kva.example", &[]), @r#"
    - @ TXT "v=spf1 ?all"
    + @ TXT "v=spf1 -all"
    "#);
}

#[test]
fn an_empty_zone() {
    insta::assert_snapshot!(settled("spf = \"v=spf1 -all\"\nmx = [{ preference = 10, host = \"mail.example.test\" }]", &[]), @r#"
    + @ MX 10 mail.example.test.
    + @ TXT "v=spf1 -all"
    "#);
}

#[test]
fn line_ends_of_windows() {
    let zone = zone_text("example.test", &["@ TXT \"v=spf1 ?all\"", "www A 192.0.2.1"]).replace('\n', "\r\n");
    let project = site_of_bytes("spf = \"v=spf1 -all\"\ndmarc = { policy = \"none\" }", zone.as_bytes());
    insta::assert_snapshot!(settle(&project, "example.test", &[]), @r#"
    - @ TXT "v=spf1 ?all"\r
    + @ TXT "v=spf1 -all"\r
    + _dmarc TXT "v=DMARC1; p=none"\r
    "#);
}

#[test]
fn no_newline_at_the_end() {
    let zone = zone_text("example.test", &["www A 192.0.2.1"]);
    let project = site_of_bytes("dmarc = { policy = \"none\" }", zone.trim_end().as_bytes());
    insta::assert_snapshot!(settle(&project, "example.test", &[]), @r#"
    + _dmarc TXT "v=DMARC1; p=none"
    +
    "#);
}

#[test]
fn no_ttl_directive() {
    let zone = "@ 7200 IN SOA ns1 hostmaster 1 2 3 4 5\n@ IN NS ns1\nns1 IN A 127.0.0.1\n@ 60 TXT \"v=spf1 ?all\"\nwww A 192.0.2.1\n";
    let project = site_of_bytes("spf = \"v=spf1 -all\"\ndmarc = { policy = \"none\" }", zone.as_bytes());
    insta::assert_snapshot!(settle(&project, "example.test", &[]), @r#"
    - @ 60 TXT "v=spf1 ?all"
    + @ 60 TXT "v=spf1 -all"
    + _dmarc 3600 TXT "v=DMARC1; p=none"
    "#);
}

/// What is equal is never rewritten, and with `--normalize` once.
#[track_caller]
fn equal(domain: &str, records: &[&str]) {
    let project = site(domain, records);
    unchanged(&project, "example.test");
    let changed = settle(&project, "example.test", &["--normalize"]);
    assert!(!changed.is_empty());
    project.run_to(0, ["plan", "--detailed-exitcode"]);
    let foreign = "@ TXT \"a token\"";
    assert!(!records.contains(&foreign) || project.read("zones/example.test.zone").contains(foreign));
}

#[test]
fn equal_spf() {
    let token = "@ TXT \"a token\"";
    for live in [
        "@ TXT \"v=spf1  mx   ip4:192.0.2.0/24 -all\"",
        "@ TXT \"v=spf1 mx ip4:192.0.2.0/24 -all \"",
        "@ TXT \"V=SPF1 MX IP4:192.0.2.0/24 -ALL\"",
        "@ TXT \"v=spf1 +mx +ip4:192.0.2.0/24 -all\"",
        "@ TXT \"v=spf1 mx ip4:192.0\" \".2.0/24 -all\"",
        "@ TXT \"v=spf1 mx ip4:192.0.2.9/24 -all\"",
    ] {
        equal("spf = \"v=spf1 mx ip4:192.0.2.0/24 -all\"", &[token, live]);
    }
}

#[test]
fn equal_dmarc() {
    for live in [
        "_dmarc TXT \"v=DMARC1; rua=mailto:d@example.test; p=none\"",
        "_dmarc TXT \"v=DMARC1;p=none;rua=mailto:d@example.test;\"",
        "_dmarc TXT \"v=DMARC1; p=NONE; rua=mailto:d@example.test; adkim=r; pct=100\"",
    ] {
        equal("dmarc = { policy = \"none\", rua = [\"mailto:d@example.test\"] }", &[live]);
    }
}

#[test]
fn equal_dkim() {
    let (head, tail) = KEY.split_at(64);
    for live in [
        format!("s1._domainkey TXT \"v=DKIM1;p={KEY}\""),
        format!("s1._domainkey TXT \"v=DKIM1; p={KEY}; k=rsa\""),
        format!("s1._domainkey TXT \"v=DKIM1; k=rsa; p={head}\" \"{tail}\""),
        format!("s1._domainkey TXT \"v=DKIM1; k=rsa; p={head} {tail};\""),
    ] {
        equal(&format!("dkim.s1 = {{ txt = \"v=DKIM1; k=rsa; p={KEY}\" }}"), &[&live]);
    }
}

#[test]
fn equal_mx_and_caa() {
    // Case of names and relative or absolute is spelling of the file alone: there is nothing to normalize.
    for live in ["@ MX 10 MAIL.Example.Test.", "@ MX 10 mail", "@ IN MX 010 mail.example.test."] {
        let project = site("mx = [{ preference = 10, host = \"mail.example.test.\" }]", &[live]);
        unchanged(&project, "example.test");
        project.run_to(0, ["plan", "--detailed-exitcode", "--normalize"]);
    }
    equal(
        "caa = { issue = [\"ca.example.net\"] }",
        &["@ CAA 0 ISSUE \"ca.example.net\"", "@ CAA 0 iodef \"mailto:x@y\""],
    );
    equal("caa = { issue = [\"ca.example.net\"] }", &["@ CAA 0 issue \" CA.example.net \""]);
}

#[test]
fn ttls() {
    let mx = "mx = [{ preference = 10, host = \"mail.example.test\" }]";
    // Not asked for: it stays, whatever it is. Asked for: the same time in any spelling.
    unchanged(&site(mx, &["@ 77 MX 10 mail"]), "example.test");
    unchanged(&site(&format!("{mx}\nttl = \"1h\""), &["@ 1h MX 10 mail"]), "example.test");
    unchanged(&site(&format!("{mx}\nttl = 3600"), &["@ MX 10 mail"]), "example.test");
    // A set with foreign values keeps its own.
    unchanged(
        &site("spf = \"v=spf1 -all\"\nttl = 60", &["@ TXT \"v=spf1 -all\"", "@ TXT \"a token\""]),
        "example.test",
    );
    insta::assert_snapshot!(settled(&format!("{mx}\nttls.mx = \"5m\""), &["@ MX 10 mail ; our host", "@ A 192.0.2.1"]), @"
    - @ MX 10 mail ; our host
    + @ 300 MX 10 mail ; our host
    ");
}
