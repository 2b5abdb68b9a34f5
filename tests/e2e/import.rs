//! `mailzone import`: what it prints plans to nothing.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use mailzone_conformance::parse_seed;
use mailzone_emulated::cloudflare::{self, Cloudflare};
use mailzone_emulated::ionos_cloud::IonosCloud;
use mailzone_emulated::ionos_hosting::IonosHosting;
use mailzone_emulated::netcup_ccp::NetcupCcp;
use mailzone_emulated::netcup_clouddns::{Forms, NetcupCloudDns};
use mailzone_emulated::{Backdoor, Emulator, Service};
use mailzone_record::{Name, RRset};
use tokio::runtime::Runtime;

use crate::harness::{Project, zone_text};

const PROVIDER: &str = "[providers.files]\ntype = \"zonefile\"\ndirectory = \"zones\"\n";

/// An RSA key of 1024 bits, made for these tests.
const KEY: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDOnA6hpZR0J5mqXLZGwMV9VreUuoLzpgOROioMKzyoPptQrmPjvA1fFE1FURlevavmlOoCtV++ct5d14B/JtmfkZoDaR/cTNHqvrvsPThZwPyvBwB1Br1WLdDWVSMb6HieJWv1BKUuxsYlTUvMlU2sulucH/F6XBO7AQiW/1Ku4wIDAQAB";

/// Zone files and a configuration that has the provider alone.
fn project(zones: &[(&str, &str)]) -> Project {
    let project = Project::empty();
    project.write("mailzone.toml", PROVIDER);
    project.write("zones/.keep", "");
    for (origin, text) in zones {
        project.write(&format!("zones/{origin}.zone"), text);
    }
    project
}

fn zone(origin: &str, records: &[&str]) -> String {
    zone_text(origin, records)
}

/// Imports with these arguments, and wants the result to plan to nothing with and without `--from`'s own provider.
#[track_caller]
fn imported(project: &Project, args: &[&str]) -> String {
    let text = project.run_to(0, [&["import"], args].concat()).stdout;
    assert_eq!(project.run_to(0, [&["import"], args].concat()).stdout, text, "not the same twice");
    project.write("imported.toml", &text);
    let own = args.contains(&"--from") && !args.contains(&"--provider");
    let config: &[&str] =
        if own { &["--config", "imported.toml"] } else { &["--config", "mailzone.toml", "--config", "imported.toml"] };
    let plan = project.run_to(0, [&["plan", "--detailed-exitcode", "--format", "json"], config].concat()).json();
    for key in ["create", "update", "delete"] {
        assert_eq!(plan["summary"][key], 0, "{text}\n{plan:#}");
    }
    for zone in plan["zones"].as_array().unwrap() {
        assert!(zone["error"].is_null(), "{text}\n{zone:#}");
    }
    text
}

/// The zone's name: the first `$ORIGIN` that is not the root.
fn origin_of(text: &str) -> String {
    let origin = text.lines().filter_map(|line| line.strip_prefix("$ORIGIN ")).find(|origin| origin.trim() != ".");
    origin.unwrap_or("example.com.").trim().trim_end_matches('.').to_owned()
}

#[test]
fn every_fixture_plans_to_nothing() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/zones");
    let project = project(&[]);
    let mut seen = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(fixtures).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "zone") {
            continue;
        }
        println!("{}", path.display());
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        let origin = origin_of(&text);
        let text = if text.contains("SOA") {
            text
        } else {
            format!("@ 3600 SOA ns1 hostmaster 1 7200 3600 1209600 300\n@ 3600 NS ns1\n{text}")
        };
        let file = format!("zones/{origin}.zone");
        project.write(&file, &text);
        imported(&project, &["--from", &file]);
        imported(&project, &[&origin, "--from", &file, "--provider", "files"]);
        imported(&project, &[&origin]);
        seen.insert(origin);
    }
    assert!(seen.len() >= 5, "{seen:?}");
    let text = imported(&project, &["--all", "--provider", "files"]);
    for origin in seen {
        let tables = [format!("[domains.\"{origin}\"]\n"), format!("[domains.{origin}]\n")];
        assert!(tables.iter().any(|table| text.contains(table)), "{origin}: {text}");
    }
}

#[test]
fn every_kind_is_a_key() {
    let key = format!("s1._domainkey TXT ( \"v=DKIM1; k=rsa; \" \"p={}\" \"{}\" )", &KEY[..100], &KEY[100..]);
    let records = [
        "@ MX 20 mx2.example.net.",
        "@ MX 10 mail",
        "@ TXT \"v=spf1 mx  include:_spf.example.net ~all\"",
        "@ TXT \"google-site-verification=Zq3-x\"",
        "@ A 192.0.2.80",
        "@ CAA 0 issue \"letsencrypt.org\"",
        "@ CAA 0 iodef \"mailto:ca@example.com\"",
        "@ CAA 128 tbs \"unknown\"",
        &key,
        "s2._domainkey CNAME s2.dkim.example.net.",
        "2024.old._domainkey TXT \"v=DKIM1; p=\"",
        "_dmarc TXT \"v=DMARC1;p=quarantine; rua=mailto:d@example.com\"",
        "_mta-sts TXT \"v=STSv1; id=20240101\"",
        "mta-sts CNAME sts.example.net.",
        "_smtp._tls TXT \"v=TLSRPTv1; rua=mailto:t@example.com,https://r.example.com/t\"",
        "*._report._dmarc TXT \"v=DMARC1\"",
        "mail A 192.0.2.25",
        "mail AAAA 2001:db8::25",
        "_25._tcp.mail TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "www CNAME example.com.",
        "news MX 10 mail",
        "news TXT \"v=spf1 mx -all\"",
        "_dmarc.news CNAME _dmarc.example.net.",
        "nomail MX 0 .",
        "nomail TXT \"v=spf1 -all\"",
    ];
    let project = project(&[("example.com", &zone("example.com", &records))]);
    insta::assert_snapshot!(imported(&project, &["--all"]));
}

#[test]
fn logos_and_client_settings_are_keys() {
    let records = [
        "default._bimi TXT \"v=BIMI1;l=https://example.com/l.svg; a=https://example.com/v.pem; avp=personal\"",
        "declined._bimi TXT \"v=BIMI1; l=; a=;\"",
        "odd._bimi TXT \"v=BIMI1; l=https://example.com/l.svg; x=y\"",
        "there._bimi CNAME default._bimi.example.net.",
        "bad._bimi TXT \"v=BIMI1; l=http://example.com/l.svg\"",
        "_imaps._tcp SRV 0 1 993 mail",
        "_pop3s._tcp SRV 5 7 1995 mail",
        "_imap._tcp SRV 0 0 0 .",
        "_submissions._tcp SRV 0 1 465 mail",
        "_submissions._tcp SRV 10 1 465 mail2",
        "_autodiscover._tcp SRV 0 5 443 mail",
        "autodiscover A 192.0.2.80",
        "autodiscover AAAA 2001:db8::80",
        "autoconfig CNAME mail",
        "_caldavs._tcp SRV 0 1 443 dav",
        "_caldavs._tcp TXT \"path=/dav/\"",
        "_pop3._tcp SRV 0 1 110 192.0.2.1",
        "mail A 192.0.2.25",
    ];
    let project = project(&[("example.com", &zone("example.com", &records))]);
    insta::assert_snapshot!(imported(&project, &["--all"]), @r#"
    # What mailzone understands of the zones of files. It describes what is there: `mailzone plan` changes nothing.
    # Everything that is not named here stays foreign: it is shown and never touched.

    [domains."example.com"]
    provider = "files"
    bimi.declined = { logo = "" }
    bimi.default = { logo = "https://example.com/l.svg", evidence = "https://example.com/v.pem", preference = "personal" }
    bimi.odd = "v=BIMI1; l=https://example.com/l.svg; x=y"
    bimi.there = { cname = "default._bimi.example.net." }
    client_settings.autoconfig = "mail.example.com"
    client_settings.autodiscover.ipv4 = ["192.0.2.80"]
    client_settings.autodiscover.ipv6 = ["2001:db8::80"]
    client_settings.autodiscover.srv = "mail.example.com:443"
    client_settings.caldavs = { host = "dav.example.com", port = 443, path = "/dav/" }
    client_settings.imap = "none"
    client_settings.imaps = "mail.example.com:993"
    client_settings.pop3 = "192.0.2.1.example.com:110"
    client_settings.pop3s = { host = "mail.example.com", port = 1995, priority = 5, weight = 7 }
    client_settings.submissions = [
      { host = "mail.example.com", port = 465, priority = 0, weight = 1 },
      { host = "mail2.example.com", port = 465, priority = 10, weight = 1 },
    ]
    # bad._bimi.example.com. TXT: no key `bimi` says what is there; it stays foreign
    # error BIMI-03: bad._bimi.example.com.: `http://example.com/l.svg`: it must be an https URL; serve the file over https and name that URL
    # warning BIMI-04: odd._bimi.example.com.: no mark certificate: Gmail and Apple show the logo only with one; name the certificate (VMC or CMC) in `a`
    # left foreign: 3 RRsets
    #   bad._bimi.example.com. TXT
    #   mail.example.com. A
    #   ns1.example.com. A
    "#);
}

#[test]
fn services_are_recognised_by_all_of_their_records() {
    let service = |records: &[&str]| {
        let project = project(&[("example.com", &zone("example.com", records))]);
        let text = imported(&project, &["example.com"]);
        let lines = text.lines().skip_while(|line| !line.starts_with("[domains")).skip(2);
        lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(service(&[
        "s1._domainkey CNAME s1.domainkey.u12.wl3.sendgrid.net.",
        "s2._domainkey CNAME S2.domainkey.u12.wl3.sendgrid.net.",
        "em99 CNAME u12.wl3.sendgrid.net.",
        "em98 CNAME u12.wl4.sendgrid.net.",
        "t1._domainkey CNAME t1.dkim.amazonses.com.",
        "t2._domainkey CNAME t2.dkim.amazonses.com.",
        "t3._domainkey CNAME t3.dkim.amazonses.com.",
        "own._domainkey CNAME own.example.net.",
    ]), @r#"
    dkim.own = { cname = "own.example.net." }
    senders.amazon-ses = { tokens = ["t1", "t2", "t3"] }
    senders.sendgrid = { domain_id = "em99", user = "u12", wl = "wl3" }
    # left foreign: 2 RRsets
    #   em98.example.com. CNAME
    #   ns1.example.com. A
    "#);
    // One record is missing, or is another's: the keys are listed as they are.
    insta::assert_snapshot!(service(&[
        "s1._domainkey CNAME s1.domainkey.u12.wl3.sendgrid.net.",
        "s2._domainkey CNAME s2.domainkey.u12.wl4.sendgrid.net.",
        "em99 CNAME u12.wl3.sendgrid.net.",
        "t1._domainkey CNAME t1.dkim.amazonses.com.",
        "t2._domainkey CNAME t2.dkim.amazonses.com.",
        "k2._domainkey CNAME dkim2.mcsv.net.",
    ]), @r#"
    dkim.k2 = { cname = "dkim2.mcsv.net." }
    dkim.s1 = { cname = "s1.domainkey.u12.wl3.sendgrid.net." }
    dkim.s2 = { cname = "s2.domainkey.u12.wl4.sendgrid.net." }
    dkim.t1 = { cname = "t1.dkim.amazonses.com." }
    dkim.t2 = { cname = "t2.dkim.amazonses.com." }
    # left foreign: 2 RRsets
    #   em99.example.com. CNAME
    #   ns1.example.com. A
    "#);
    // With and without the mail of the domain; and where the SPF record does not have the term.
    let microsoft = [
        "selector1._domainkey CNAME selector1-example-com._domainkey.contoso.n-v1.dkim.mail.microsoft.",
        "selector2._domainkey CNAME selector2-example-com._domainkey.contoso.n-v1.dkim.mail.microsoft.",
        "@ MX 0 example-com.mail.protection.outlook.com.",
    ];
    let with = |more: &[&'static str]| service(&[&microsoft[..], more].concat());
    insta::assert_snapshot!(with(&["@ TXT \"v=spf1 include:spf.protection.outlook.com -all\"", "autodiscover CNAME autodiscover.outlook.com."]), @r#"
    spf = ["include:spf.protection.outlook.com", "-all"]
    senders.microsoft-365 = { tenant = "contoso", partition = "n", mx = true }
    # left foreign: 1 RRset
    #   ns1.example.com. A
    "#);
    insta::assert_snapshot!(with(&["@ TXT \"v=spf1 include:spf.protection.outlook.com -all\""]), @r#"
    mx = [{ preference = 0, host = "example-com.mail.protection.outlook.com" }]
    spf = ["include:spf.protection.outlook.com", "-all"]
    senders.microsoft-365 = { tenant = "contoso", partition = "n" }
    # left foreign: 1 RRset
    #   ns1.example.com. A
    "#);
    insta::assert_snapshot!(with(&["@ TXT \"v=spf1 mx -all\""]), @r#"
    mx = [{ preference = 0, host = "example-com.mail.protection.outlook.com" }]
    spf = ["mx", "-all"]
    dkim.selector1 = { cname = "selector1-example-com._domainkey.contoso.n-v1.dkim.mail.microsoft." }
    dkim.selector2 = { cname = "selector2-example-com._domainkey.contoso.n-v1.dkim.mail.microsoft." }
    # left foreign: 1 RRset
    #   ns1.example.com. A
    "#);
    insta::assert_snapshot!(service(&[
        "s1-ionos._domainkey CNAME s1.dkim.ionos.com.",
        "s2-ionos._domainkey CNAME s2.dkim.ionos.com.",
        "s42582890._domainkey CNAME s42582890.dkim.ionos.com.",
        "@ MX 10 mx00.ionos.co.uk.",
        "@ MX 10 mx01.ionos.co.uk.",
        "@ TXT \"v=spf1 include:_spf-eu.ionos.com ~all\"",
        "autodiscover CNAME adsredir.ionos.info.",
        "_dmarc CNAME dmarc.ionos.co.uk.",
    ]), @r#"
    spf = ["include:_spf-eu.ionos.com", "~all"]
    dmarc = { cname = "dmarc.ionos.co.uk." }
    senders.ionos = { region = "co.uk", mx = true }
    # warning DMARC-24: _dmarc.example.com.: an alias of dmarc.ionos.co.uk., the hosting service's default record: its policy is in force; replace the CNAME by a TXT record of your own
    # left foreign: 1 RRset
    #   ns1.example.com. A
    "#);
}

#[test]
fn what_no_key_can_say_stays_foreign_with_the_reason() {
    let records = [
        "@ TXT \"v=spf1 mx -all\"",
        "@ TXT \"v=spf1 a ~all\"",
        "_dmarc TXT \"\\\"v=DMARC1; p=none\\\"\"",
        "bad._domainkey TXT \"v=DKIM1; k=rsa; p=%%%\"",
        "two._domainkey TXT \"v=DKIM1; p=\"",
        "two._domainkey TXT \"v=DKIM1; p= \"",
        "caa CAA 128 issue \"ca.example.net\"",
        "*.wild MX 10 mail.example.net.",
        "sub NS ns.example.net.",
        "_dmarc.sub TXT \"v=DMARC1; p=none\"",
        "_25._tcp.host TLSA 0 0 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "odd TXT \"v=spf1 \\226\\128\\174 mx -all\"",
    ];
    let project = project(&[("example.com", &zone("example.com", &records))]);
    insta::assert_snapshot!(imported(&project, &["example.com"]));
}

#[test]
fn a_part_of_a_zone_and_zones_below() {
    let parent = zone(
        "example.com",
        &[
            "@ TXT \"v=spf1 -all\"",
            "a TXT \"v=spf1 mx -all\"",
            "_dmarc.a TXT \"v=DMARC1; p=none\"",
            "x.b MX 0 .",
            "s1._domainkey CNAME hidden.example.net.",
        ],
    );
    let child = zone("b.example.com", &["x MX 10 x"]);
    let keys = zone("_domainkey.example.com", &["s1 CNAME s1.example.net."]);
    let project = project(&[("example.com", &parent), ("b.example.com", &child), ("_domainkey.example.com", &keys)]);
    let part = imported(&project, &["a.example.com"]);
    assert!(part.contains("[domains.\"a.example.com\"]") && !part.contains("[domains.\"example.com\"]"), "{part}");
    let all = imported(&project, &["example.com"]);
    assert!(all.contains("dkim.s1 = { cname = \"s1.example.net.\" }"), "{all}");
    assert!(all.contains("[domains.\"x.b.example.com\"]") && !all.contains("mx = \"null\""), "{all}");
}

#[test]
fn what_cannot_be_imported_is_said() {
    let project = project(&[("example.com", &zone("example.com", &[]))]);
    let two = format!("{PROVIDER}[providers.more]\ntype = \"zonefile\"\ndirectory = \"zones\"\n");
    project.write("two.toml", two);
    project.write("broken.zone", "@ SOA\n");
    let said = |args: &[&str]| project.run_to(1, [&["import"], args].concat()).said();
    insta::assert_snapshot!(said(&[]), @r#"
    error: nothing to import
      help: name domains, --all zones of a provider, or a zone file with --from
    "#);
    insta::assert_snapshot!(said(&["example.org"]), @r#"
    error: example.org: the provider holds no zone for it
      help: `mailzone providers --full` lists the zones
    nothing was imported
    "#);
    insta::assert_snapshot!(said(&["example.com", "--provider", "cf"]), @r#"
    error: no provider is called cf
      help: configured: files
    "#);
    insta::assert_snapshot!(said(&["example.com", "--config", "two.toml"]), @r#"
    error: several providers are configured
      help: choose one with --provider: files, more
    "#);
    insta::assert_snapshot!(said(&["example.com", "--zone-id", "42"]), @r#"
    error: looking for the zone 42: files holds no zone with the identifier 42
      help: check zone_id
    "#);
    insta::assert_snapshot!(said(&["--from", "none.zone"]), @r#"
    error: none.zone cannot be read: No such file or directory (os error 2)
      help: name a zone file
    "#);
    insta::assert_snapshot!(said(&["--from", "broken.zone"]), @r#"
    error: broken.zone does not parse
    line 1, column 6: SOA data: the primary server is missing
    "#);
    insta::assert_snapshot!(said(&["--from", "mailzone.toml"]), @r#"
    error: mailzone.toml does not say which zone it is
      help: name the zone: mailzone import ZONE --from FILE
    "#);
    insta::assert_snapshot!(said(&["--format", "json", "--all"]), @r#"
    error: import prints TOML and nothing else
      help: leave --format out
    "#);
}

/// Zones as they are found, at every service: what is imported of them plans to nothing there too.
#[test]
fn every_service() {
    let (head, tail) = KEY.split_at(100);
    let messy = format!(
        "@ 3600 TXT \"google-site-verification=Zq3-x\"\n@ 3600 TXT \"v=spf1 mx  ~all\"\n@ 3600 MX 10 mail.example.test.\n\
         mail 300 A 192.0.2.25\n_dmarc 3600 TXT \"v = DMARC1; p = None ; rua = mailto:d@example.test\"\n\
         s1._domainkey 3600 TXT \"v=DKIM1; k=rsa; p={KEY}\"\ns2._domainkey 3600 TXT \"v=DKIM1; k=rsa; p={head}\" \"{tail}\"\n\
         s3._domainkey 3600 CNAME s3.example.net.\n_mta-sts 3600 TXT \"v=STSv1; id=1\"\n\
         _smtp._tls 3600 TXT \"v=TLSRPTv1; rua=mailto:t@example.test\"\n@ 3600 CAA 0 issue \"ca.example.net\"\n\
         news 3600 MX 10 mail.example.test.\nnews 3600 TXT \"v=spf1 mx -all\"\nwww 3600 CNAME example.test.\n"
    );
    let doubled = "@ 3600 TXT \"v=spf1 mx -all\"\n@ 3600 TXT \"a token\"\n@ 3600 TXT \"V=SPF1 a ~all\"\n\
                   _dmarc 3600 TXT \"v=DMARC1; p=none\"\n_dmarc 3600 TXT \"v=DMARC1; p=reject\"\n";
    let zones = [("example.test", messy.as_str()), ("doubled.test", doubled), ("empty.test", "")];
    let service = |name: &str, table: String, keys: &[(&str, &str)]| {
        let project = Project::empty();
        // Services that list no zones are asked for those that are configured.
        let domains = if name.starts_with("netcup") {
            zones.map(|(zone, _)| format!("[domains.\"{zone}\"]\nprovider = \"service\"\n")).concat()
        } else {
            String::new()
        };
        project.write("mailzone.toml", format!("[providers.service]\nrequests_per_second = 10000\n{table}"));
        project.write("import.toml", format!("[providers.service]\nrequests_per_second = 10000\n{table}\n{domains}"));
        for (file, key) in keys {
            project.write(file, key);
        }
        println!("{name}");
        let text = project.run_to(0, ["import", "--all", "--config", "import.toml"]).stdout;
        project.write("imported.toml", &text);
        let config = ["--config", "mailzone.toml", "--config", "imported.toml"];
        let plan = [&["plan", "--detailed-exitcode", "--format", "json"], &config[..]].concat();
        let plan = project.run_to(0, plan).json();
        assert_eq!(plan["zones"].as_array().unwrap().len(), 3, "{plan:#}");
        assert!(plan["zones"].as_array().unwrap().iter().all(|zone| zone["error"].is_null()), "{plan:#}");
        for part in [
            "spf = [\"mx\", \"~all\"]",
            "dkim.s1 = ",
            "dkim.s2 = ",
            "dkim.s3 = { cname = ",
            "policy = \"none\"",
            "[domains.\"news.example.test\"]",
            "2 SPF records",
            "caa = ",
        ] {
            assert!(text.contains(part), "{name}: {part}\n{text}");
        }
        for (_, key) in keys {
            assert!(!text.contains(key));
        }
    };
    let seeded = |seed: &dyn Fn(&Name, &[RRset])| {
        for (zone, records) in zones {
            let origin = Name::parse(zone).unwrap();
            seed(&origin, &parse_seed(&origin, records));
        }
    };

    let emulator = start(Cloudflare::new());
    seeded(&|origin, sets| drop(emulator.with(|service| service.seed(origin, sets))));
    let table =
        format!("type = \"cloudflare\"\nendpoint = \"{}/client/v4\"\napi_token = {{ file = \"a\" }}", emulator.url());
    service("cloudflare", table, &[("a", cloudflare::TOKEN)]);

    let emulator = start(IonosHosting::new());
    seeded(&|origin, sets| drop(emulator.with(|service| service.seed(origin, sets))));
    let table = format!("type = \"ionos\"\nendpoint = \"{}/dns\"\napi_key = {{ file = \"a\" }}", emulator.url());
    service("ionos", table, &[("a", IonosHosting::KEY)]);

    let emulator = start(IonosCloud::new());
    seeded(&|origin, sets| drop(emulator.with(|service| service.seed(origin, sets))));
    let table = format!("type = \"ionos-cloud\"\nendpoint = \"{}\"\ntoken = {{ file = \"a\" }}", emulator.url());
    service("ionos-cloud", table, &[("a", IonosCloud::TOKEN)]);

    let emulator = start(NetcupCcp::new());
    seeded(&|origin, sets| drop(emulator.with(|service| service.seed(origin, sets))));
    let table = format!(
        "type = \"netcup\"\nendpoint = \"{}{}\"\ncustomer_number = \"{}\"\napi_key = {{ file = \"a\" }}\napi_password = {{ file = \"b\" }}",
        emulator.url(),
        NetcupCcp::PATH,
        NetcupCcp::CUSTOMER
    );
    service("netcup CCP", table, &[("a", NetcupCcp::KEY), ("b", NetcupCcp::PASSWORD)]);

    let emulator = start(NetcupCloudDns::new(Forms::default()));
    seeded(&|origin, sets| drop(emulator.with(|service| service.seed(origin, sets))));
    let table =
        format!("type = \"netcup\"\nrest_endpoint = \"{}/v1\"\nrest_api_key = {{ file = \"a\" }}", emulator.url());
    service("netcup CloudDNS", table, &[("a", NetcupCloudDns::KEY)]);

    #[cfg(feature = "route53")]
    {
        let emulator = start(mailzone_emulated::route53::Route53::default());
        seeded(&|origin, sets| drop(emulator.with(|service| service.seed(origin, sets))));
        let table = format!(
            "type = \"route53\"\nendpoint = \"{}\"\naccess_key_id = {{ file = \"a\" }}\nsecret_access_key = {{ file = \"b\" }}",
            emulator.url()
        );
        service("route53", table, &[("a", "AKIAMARKED"), ("b", "marked/secret")]);
    }
}

fn start<S: Service>(service: S) -> Arc<Emulator<S>> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    Arc::new(RUNTIME.get_or_init(|| Runtime::new().unwrap()).block_on(Emulator::start(service)))
}
