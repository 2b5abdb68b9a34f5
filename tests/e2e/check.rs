//! `mailzone check`: what it shows, when it fails, what its options do, and what it makes of silence.

use std::net::TcpListener;
use std::sync::PoisonError;

use insta::assert_snapshot;
use mailzone_record::{Name, RecordType};
use mailzone_server::Switches;
use serde_json::Value;

use crate::check_peers::{
    Authority, Mailer, RSA_2048, World, WorldZone, closed_port, mail_servers, policy, project, web_server,
};
use crate::harness::{Output, Project};

/// `healthy.test`: two mail servers with certificates, a served policy, keys, reverse names. The rest of the world: two
/// lists, one of which refuses.
struct Healthy {
    world: World,
    project: Project,
}

impl Healthy {
    fn new() -> Self {
        let authority = Authority::new("Test Authority");
        let mailer = |host| Mailer::good(host, authority.identity(&[host], 2040));
        let smtp =
            mail_servers(&[("127.0.0.11", mailer("mx1.healthy.test")), ("127.0.1.12", mailer("mx2.healthy.test"))]);
        let text = "version: STSv1\nmode: enforce\nmx: mx1.healthy.test\nmx: mx2.healthy.test\nmax_age: 604800\n";
        let hosts = authority.identity(&["mta-sts.healthy.test"], 2040);
        let https = web_server(hosts, [policy("healthy.test", text)].into());
        let (first, second) = RSA_2048.split_at(200);
        let world = World::new(&[
            WorldZone::new(
                "healthy.test",
                &[
                    "@ MX 10 mx1",
                    "@ MX 20 mx2",
                    "mx1 A 127.0.0.11",
                    "mx2 A 127.0.1.12",
                    "@ TXT \"v=spf1 mx ~all\"",
                    &format!("s1._domainkey TXT \"v=DKIM1; k=rsa; p={first}\" \"{second}\""),
                    "_dmarc TXT \"v=DMARC1; p=reject; np=reject; rua=mailto:d@healthy.test\"",
                    "_mta-sts TXT \"v=STSv1; id=1\"",
                    "mta-sts A 127.0.0.1",
                    "_smtp._tls TXT \"v=TLSRPTv1; rua=mailto:t@healthy.test\"",
                    "@ CAA 0 issue \"letsencrypt.org; accounturi=https://ca.test/acct/1\"",
                    "@ CAA 0 issuemail \";\"",
                ],
            ),
            WorldZone::new("0.0.127.in-addr.arpa", &["11 PTR mx1.healthy.test."]),
            WorldZone::new("1.0.127.in-addr.arpa", &["12 PTR mx2.healthy.test."]),
            WorldZone::new("dbl.spamhaus.org", &["dbltest.com A 127.0.1.2"]),
        ]);
        let project = project(&world, &authority, smtp, https, "");
        Self { world, project }
    }

    fn check(&self, code: i32, more: &[&str]) -> Output {
        self.project.run_to(code, ["check", "healthy.test"].iter().chain(more))
    }
}

/// The entry of a domain in a document.
fn entry<'a>(document: &'a Value, domain: &str) -> &'a Value {
    let domains = document["domains"].as_array().unwrap();
    domains.iter().find(|one| one["domain"] == domain).unwrap_or_else(|| panic!("no {domain}"))
}

/// The findings of a domain: severity and code.
fn codes(document: &Value, domain: &str) -> Vec<String> {
    let findings = entry(document, domain)["findings"].as_array().unwrap().iter();
    findings.map(|f| format!("{} {}", f["severity"].as_str().unwrap(), f["code"].as_str().unwrap())).collect()
}

/// The messages of a code at a domain.
fn messages(document: &Value, domain: &str, code: &str) -> Vec<String> {
    let findings = entry(document, domain)["findings"].as_array().unwrap().iter();
    findings.filter(|f| f["code"] == code).map(|f| f["message"].as_str().unwrap().to_owned()).collect()
}

fn notes(document: &Value, domain: &str, area: &str) -> Vec<String> {
    let notes = entry(document, domain)["notes"].as_array().unwrap().iter();
    notes.filter(|note| note["area"] == area).map(|note| note["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_healthy_domain() {
    let healthy = Healthy::new();
    assert_snapshot!(healthy.check(4, &[]).shown(), @r#"
    Domain healthy.test
      confidentiality 80, phishing and identity theft 100, integrity 27

      Delegation and name servers
        · ns1.healthy.test  127.0.0.2 [MS]
        warning PROP-04 at healthy.test: only one name server (RFC 2182 section 3.1)
            help: use two servers or more in different networks

      DNSSEC
        · healthy.test  not signed

      Mail exchangers (MX)
        · healthy.test  10 mx1.healthy.test 127.0.0.11
        · healthy.test  20 mx2.healthy.test 127.0.1.12
        error MX-02 at healthy.test: mx1.healthy.test has only addresses that are not routed: 127.0.0.11
            (RFC 5321 section 5.1)
            help: publish A and AAAA records for the host, or name another one
        error MX-02 at healthy.test: mx2.healthy.test has only addresses that are not routed: 127.0.1.12
            (RFC 5321 section 5.1)
            help: publish A and AAAA records for the host, or name another one

      Addresses and their names (PTR)
        · 127.0.0.11  mx1.healthy.test, confirmed
        · 127.0.1.12  mx2.healthy.test, confirmed

      Mail servers (SMTP)
        · mx1.healthy.test  127.0.0.11: mx1.healthy.test ESMTP, STARTTLS, TLSv1.3
        · mx2.healthy.test  127.0.1.12: mx2.healthy.test ESMTP, STARTTLS, TLSv1.3

      SPF
        · healthy.test  1 of 10 look-ups, 0 of 2 void
        · healthy.test  v=spf1 mx ~all

      DKIM
        · s1._domainkey.healthy.test  RSA 2048 bits, SHA256:imsEadAda/Go…

      DMARC
        · healthy.test  the policy is reject (`p` of _dmarc.healthy.test)
        · _dmarc.healthy.test  v=DMARC1; p=reject; np=reject; rua=mailto:d@healthy.test

      MTA-STS
        · _mta-sts.healthy.test  v=STSv1; id=1
        · mta-sts.healthy.test  enforce for mx1.healthy.test, mx2.healthy.test, 604800 s

      TLS-RPT
        · _smtp._tls.healthy.test  v=TLSRPTv1; rua=mailto:t@healthy.test

      CAA
        · healthy.test  letsencrypt.org may issue certificates, limited by accounturi
        · healthy.test  nobody may issue S/MIME certificates

      Block lists
        · healthy.test  not on Spamhaus DBL
        · healthy.test  Microsoft, Google, Yahoo, Apple, GMX and WEB.DE, and T-Online keep lists of
            their own: only their answers to mail show what is on them

      What large receivers ask of senders
        + Google: SPF or DKIM (SPF and DKIM can pass for the domain)
        + Google: confirmed reverse names of the sending addresses (every sending address has a
            confirmed reverse name)
        ? Google: TLS for the transport (whether the sending hosts use TLS is seen by receivers alone)
        ? Google: spam complaints under 0.3 % (the receiver alone knows how many recipients complain;
            Google shows it in Postmaster Tools)
        + Google of bulk senders: SPF and DKIM (SPF with ~all; DKIM with a key of 2048 bits)
        + Google of bulk senders: DMARC, at least p=none (DMARC reject)
        + Google of bulk senders: the domain in From aligned with SPF or DKIM (SPF and DKIM can pass for
            the domain)
        + Google of bulk senders: DKIM keys of 1024 bits at least (no DKIM key under 2048 bits)
        + Google of bulk senders: DKIM keys of 2048 bits (advised) (no DKIM key under 2048 bits)
        ? Google of bulk senders: unsubscribing by one click in marketing mail (a matter of the
            messages: `List-Unsubscribe` and `List-Unsubscribe-Post`, signed by DKIM)
        + Yahoo: SPF or DKIM (SPF and DKIM can pass for the domain)
        + Yahoo: confirmed reverse names of the sending addresses (every sending address has a confirmed
            reverse name)
        ? Yahoo: spam complaints under 0.3 % (the receiver alone knows how many recipients complain;
            Google shows it in Postmaster Tools)
        + Yahoo of bulk senders: SPF and DKIM (SPF with ~all; DKIM with a key of 2048 bits)
        + Yahoo of bulk senders: DMARC, at least p=none (DMARC reject)
        + Yahoo of bulk senders: the domain in From aligned with SPF or DKIM (SPF and DKIM can pass for
            the domain)
        + Yahoo of bulk senders: DKIM keys of 1024 bits at least (no DKIM key under 2048 bits)
        ? Yahoo of bulk senders: unsubscribing by one click (a matter of the messages: `List-Unsubscribe`
            and `List-Unsubscribe-Post`, signed by DKIM)
        + Microsoft of bulk senders: SPF and DKIM pass (SPF with ~all; DKIM with a key of 2048 bits)
        + Microsoft of bulk senders: DMARC, at least p=none (DMARC reject)
        + Microsoft of bulk senders: the domain in From aligned with SPF or DKIM (SPF and DKIM can pass
            for the domain)
        - Microsoft of bulk senders: a From domain that takes replies (no mail exchanger with an
            address)
        ? Microsoft of bulk senders: unsubscribing by one click (advised) (a matter of the messages: `List-Unsubscribe`
            and `List-Unsubscribe-Post`, signed by DKIM)

    Check: 1 domain: 2 errors, 1 warning, 2 notes.
    "#);
    let document = healthy.check(4, &["--format", "json"]).json();
    // Loopback is not routed, one server is not two, and nothing here is signed or has IPv6.
    assert_eq!(
        codes(&document, "healthy.test"),
        ["error MX-02", "error MX-02", "warning PROP-04", "info DNSSEC-04", "info MX-07"]
    );
    let own = entry(&document, "healthy.test");
    assert_eq!((&own["scores"]["confidentiality"], &own["scores"]["phishing"]), (&80.into(), &100.into()));
    assert!(own["scores"]["integrity"].is_u64() && own["questions"].as_u64().unwrap() > 20, "{own}");
    for field in ["code", "severity", "effect", "subject", "message", "remedy", "reference", "area"] {
        assert!(own["findings"][0][field].is_string(), "{field}");
    }
    assert_eq!((&document["format_version"], &document["exit"]["code"]), (&1.into(), &4.into()));
    assert_eq!(document["exit"]["zones"][0]["zone"], "healthy.test");
}

#[test]
fn severities_of_the_configuration_decide() {
    let healthy = Healthy::new();
    let config = "[providers.files]\ntype = \"zonefile\"\ndirectory = \"zones\"\n\
                  [domains.\"healthy.test\"]\nprovider = \"files\"\nseverity = { \"MX-02\" = \"off\", \"MX-07\" = \"error\" }\n";
    let text = healthy.project.read("mailzone.toml");
    healthy.project.write("mailzone.toml", format!("{text}\n{config}"));
    let document = healthy.check(4, &["--format", "json"]).json();
    assert_eq!(codes(&document, "healthy.test"), ["error MX-07", "warning PROP-04", "info DNSSEC-04"]);
    healthy.project.replace("mailzone.toml", ", \"MX-07\" = \"error\"", "");
    let document = healthy.check(0, &["--format", "json"]).json();
    assert_eq!(document["exit"]["zones"].as_array().unwrap().len(), 0);
}

/// Two small domains: one that two SPF records break, and one that sends and takes no mail.
fn two() -> (World, Project) {
    let dead = [
        "@ MX 0 .",
        "@ TXT \"v=spf1 -all\"",
        "*._domainkey TXT \"v=DKIM1; p=\"",
        "_dmarc TXT \"v=DMARC1; p=reject; sp=reject; np=reject; rua=mailto:d@quiet.test\"",
    ];
    let world = World::new(&[
        WorldZone::new("broken.test", &["@ TXT \"v=spf1 -all\"", "@ TXT \"v=spf1 mx ~all\"", "@ A 192.0.2.80"]),
        WorldZone::new("quiet.test", &dead),
    ]);
    let project = project(&world, &Authority::new("Test Authority"), closed_port(), closed_port(), "");
    (world, project)
}

const QUIETLY: [&str; 2] = ["--no-smtp", "--no-blocklists"];

#[test]
fn exit_codes() {
    let (_world, project) = two();
    let check = |code, domains: &[&str]| project.run_to(code, ["check"].iter().chain(domains).chain(&QUIETLY));
    check(4, &["broken.test"]);
    check(0, &["quiet.test"]);
    let both = check(4, &["quiet.test", "broken.test", "Quiet.Test."]);
    let sum = both.stdout.lines().last().unwrap();
    assert!(sum.starts_with("Check: 2 domains: "), "{sum}");
    for wrong in [&[][..], &["a..test"], &["."], &["--bulk", "--parked", "quiet.test"], &["--selector"]] {
        let out = check(1, wrong);
        assert!(out.stdout.is_empty() && !out.stderr.is_empty(), "{wrong:?}: {}", out.stdout);
    }
    check(1, &["quiet.test", "--format", "yaml"]);
    check(1, &["quiet.test", "--eml", "missing.eml"]);
    check(1, &["--domains-file", "missing.txt"]);
    // A name that does not exist is an error, and not that of the command line.
    let document = check(4, &["nobody.test", "--format", "json"]).json();
    assert!(codes(&document, "nobody.test").contains(&"error MX-14".to_owned()), "{document:#}");
}

#[test]
fn csv_and_markdown() {
    let (_world, project) = two();
    let check = |format| {
        let args = ["check", "quiet.test", "broken.test", "--format", format];
        project.run_to(4, args.iter().chain(&QUIETLY)).shown()
    };
    assert_snapshot!(check("csv"), @r#"
    "domain","confidentiality","phishing","integrity","area","code","severity","subject","message","remedy","reference"
    "quiet.test","","100","12","dmarc","DMARC-08","warning","_dmarc.quiet.test","`rua`: quiet.test takes no mail, reports to mailto:d@quiet.test come back","write `mailto:` addresses with a comma between them, of domains that receive mail","RFC 9989 section 4.7"
    "quiet.test","","100","12","delegation","PROP-04","warning","quiet.test","only one name server","use two servers or more in different networks","RFC 2182 section 3.1"
    "quiet.test","","100","12","caa","CAA-04","info","quiet.test","any authority may issue certificates","publish CAA records with the authorities in use","RFC 8659 section 4"
    "quiet.test","","100","12","dnssec","DNSSEC-04","info","quiet.test","the zone is not signed","sign the zone and publish the DS","RFC 4033 section 2"
    "broken.test","0","0","12","dmarc","MISSING-02","error","_dmarc.broken.test","no DMARC record: anybody can write the domain into From","publish `v=DMARC1; p=none; rua=mailto:…` at `_dmarc`, and go on from there","RFC 9989 section 4.10"
    "broken.test","0","0","12","spf","SPF-01","error","broken.test","2 SPF records at one name: receivers answer permerror","keep one and merge the terms into it","RFC 7208 section 4.5"
    "broken.test","0","0","12","mx","MX-08","warning","broken.test","senders take the address for the mail exchanger; an MX names the host","publish an MX, or the null MX `0 .`","RFC 5321 section 5.1"
    "broken.test","0","0","12","delegation","PROP-04","warning","broken.test","only one name server","use two servers or more in different networks","RFC 2182 section 3.1"
    "broken.test","0","0","12","caa","CAA-04","info","broken.test","any authority may issue certificates","publish CAA records with the authorities in use","RFC 8659 section 4"
    "broken.test","0","0","12","dnssec","DNSSEC-04","info","broken.test","the zone is not signed","sign the zone and publish the DS","RFC 4033 section 2"
    "#);
    let markdown = check("markdown");
    assert!(markdown.starts_with("## mailzone check\n\n| domain | errors |"), "{markdown}");
    assert!(markdown.contains("| `broken.test` | 2 | ") && markdown.contains("**error SPF-01** at `broken.test`"));
    assert!(markdown.contains("### `quiet.test`"));
}

#[test]
fn domains_from_a_file_and_from_standard_input() {
    let (_world, project) = two();
    project.write("list.txt", "# two\n\n  Quiet.test. # the first\nbroken.test\r\nquiet.test\n");
    let domains = |out: &Output| -> Vec<String> {
        let document = out.json();
        let domains = document["domains"].as_array().unwrap().iter();
        domains.map(|one| one["domain"].as_str().unwrap().to_owned()).collect()
    };
    let args = ["check", "--domains-file", "list.txt", "--format", "json", "--no-smtp", "--no-blocklists"];
    assert_eq!(domains(&project.run_to(4, args)), ["quiet.test", "broken.test"]);
    let before = ["check", "broken.test"].iter().chain(&args[1..]);
    assert_eq!(domains(&project.run_to(4, before)), ["broken.test", "quiet.test"]);
    let piped = ["check", "--domains-file", "-", "--format", "json", "--no-smtp", "--no-blocklists"];
    assert_eq!(domains(&project.run_with_input(piped, b"quiet.test\n")), ["quiet.test"]);
    let out = project.run_with_input(piped, b"# nothing\n");
    assert_eq!((out.code, out.said().as_str()), (1, "error: no domain to check\n"));
    project.write("list.txt", "quiet.test\n\x1b[2J.test\n");
    let out = project.run_to(1, args);
    assert!(!out.stderr.contains('\x1b') && out.stderr.contains("is no domain name"), "{}", out.stderr);
}

#[test]
fn selectors_named_and_found_in_a_message() {
    let text = std::fs::read("../../tests/fixtures/dkim/messages/dkimpy-rfc6376.signed.msg").unwrap();
    let world = World::new(&[WorldZone::new(
        "football.example.com",
        &["brisbane._domainkey TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\""],
    )]);
    let project = project(&world, &Authority::new("Test Authority"), closed_port(), closed_port(), "");
    project.write("mail.eml", &text);
    let keys = |code, more: &[&str]| {
        let args = ["check", "football.example.com", "--format", "json"];
        let document = project.run_to(code, args.iter().chain(more).chain(&QUIETLY)).json();
        let seen = notes(&document, "football.example.com", "dkim");
        (seen.iter().any(|text| text.starts_with("Ed25519")), messages(&document, "football.example.com", "DKIM-01"))
    };
    let (seen, missing) = keys(0, &[]);
    assert!(!seen && missing.is_empty(), "{missing:?}");
    let (seen, missing) = keys(0, &["--selector", "brisbane"]);
    assert!(seen && missing.is_empty(), "{missing:?}");
    // The message is signed with two keys, of which one is not there.
    let (seen, missing) = keys(4, &["--eml", "mail.eml"]);
    assert!(seen && missing.len() == 1, "{missing:?}");
    let (seen, missing) = keys(4, &["--selector", "Nobody"]);
    assert!(!seen && missing.len() == 1, "{missing:?}");
    project.write("mail.eml", "From: a@b.example\n\nno signature\n");
    let out = project.run(["check", "football.example.com", "--eml", "mail.eml", "--no-smtp", "--no-blocklists"]);
    assert!(out.stderr.contains("mail.eml has no DKIM signature"), "{}", out.stderr);
}

#[test]
fn parked_and_bulk() {
    let (_world, project) = two();
    let check = |code, more: &[&str]| {
        let args = ["check", "broken.test", "quiet.test", "--format", "json"];
        project.run_to(code, args.iter().chain(more).chain(&QUIETLY)).json()
    };
    let parked = check(4, &["--parked"]);
    assert!(codes(&parked, "broken.test").contains(&"error PARK-02".to_owned()), "{parked:#}");
    // Reports to a domain that takes no mail, and a single name server; nothing of a parked domain's rules.
    let quiet = codes(&parked, "quiet.test");
    let silent = ["warning DMARC-08", "warning PROP-04", "info CAA-04", "info DNSSEC-04", "info PARK-06"];
    assert_eq!(quiet, silent);
    let bulk = check(4, &["--bulk"]);
    let found = codes(&bulk, "broken.test");
    assert!(found.contains(&"error BULK-01".to_owned()), "{found:?}");
    let plain = codes(&check(4, &[]), "broken.test");
    assert!(!plain.iter().any(|code| code.contains("error BULK") || code.contains("PARK")), "{plain:?}");
    let states = |document: &Value, domain: &str| -> Vec<String> {
        let items = entry(document, domain)["checklist"].as_array().unwrap().iter();
        items.map(|item| item["state"].as_str().unwrap().to_owned()).collect()
    };
    assert!(states(&bulk, "broken.test").contains(&"not_met".to_owned()));
}

#[test]
fn nobody_is_connected_to_or_asked_against_the_will() {
    let world = World::new(&[WorldZone::new(
        "example.test",
        &["@ MX 10 mx", "mx A 127.0.0.1", "mx A 192.0.2.25", "@ TXT \"v=spf1 mx -all\""],
    )]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let project = project(&world, &Authority::new("Test Authority"), port, closed_port(), "");
    project.run(["check", "example.test", "--no-smtp", "--no-blocklists"]);
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    let to_lists = |world: &World| {
        let asked = world.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let list = Name::parse("spamhaus.org").unwrap();
        asked.iter().filter(|(name, _)| name.is_at_or_below(&list)).count()
    };
    assert_eq!(to_lists(&world), 0);
    project.run(["check", "example.test", "--no-smtp"]);
    assert!(to_lists(&world) > 0);
}

#[test]
fn block_lists_that_refuse_are_not_clean() {
    let world = World::new(&[
        WorldZone::new("example.test", &["@ MX 10 mx", "mx A 192.0.2.25"]),
        // It lists the address.
        WorldZone::new("bl.spamcop.net", &["2.0.0.127 A 127.0.0.2", "25.2.0.192 A 127.0.0.2"]),
        // It knows nothing of it.
        WorldZone::new("psbl.surriel.com", &["2.0.0.127 A 127.0.0.2"]),
        // It refuses; it lists everybody; it is somebody else's now; it says nothing at all.
        WorldZone::new("zen.spamhaus.org", &["* A 127.255.255.254"]),
        WorldZone::new("b.barracudacentral.org", &["* A 127.0.0.2"]),
        WorldZone::new("bl.mailspike.net", &["* A 203.0.113.9"]),
    ]);
    let project = project(&world, &Authority::new("Test Authority"), closed_port(), closed_port(), "");
    let args = ["check", "example.test", "--no-smtp", "--format", "json"];
    let document = project.run_to(4, args).json();
    let listed = messages(&document, "example.test", "RBL-01");
    assert_eq!(listed, ["on SpamCop (reported by recipients within the last day)"]);
    let unknown = messages(&document, "example.test", "RBL-02").join("\n");
    for list in ["Spamhaus ZEN", "Barracuda", "Mailspike", "UCEPROTECT level 1", "Spamhaus DBL"] {
        assert!(unknown.contains(&format!("{list} gave no verdict")), "{list}: {unknown}");
    }
    let seen = notes(&document, "example.test", "blocklists");
    assert!(seen.contains(&"not on PSBL".to_owned()), "{seen:?}");
    assert!(seen.iter().any(|text| text.contains("Microsoft")), "{seen:?}");
    // On the screen too, without being asked for.
    let text = project.run_to(4, ["check", "example.test", "--no-smtp"]).stdout;
    assert!(text.contains("Spamhaus ZEN gave no verdict: it refuses open and public resolvers"), "{text}");
}

#[test]
fn dead_servers_are_unknown_and_never_clean() {
    let healthy = Healthy::new();
    for server in &healthy.world.servers[1..] {
        server.switch(Switches { servfail: true, ..Switches::default() });
    }
    let out = healthy.project.run(["check", "healthy.test", "--format", "json"]);
    let document = out.json();
    let own = entry(&document, "healthy.test");
    assert_eq!((&own["scores"]["confidentiality"], &own["scores"]["phishing"]), (&Value::Null, &Value::Null));
    let found = codes(&document, "healthy.test");
    // Nothing is said of records that nobody saw.
    for area in ["SPF", "DKIM", "DMARC", "MX-", "STS", "TLSRPT", "CAA", "BULK", "PTR"] {
        assert!(!found.iter().any(|code| code.split(' ').nth(1).unwrap().starts_with(area)), "{area}: {found:?}");
    }
    assert!(messages(&document, "healthy.test", "RBL-02").len() == 1, "{found:?}");
    assert!(!notes(&document, "healthy.test", "blocklists").iter().any(|text| text.starts_with("not on")));
    let checklist = own["checklist"].as_array().unwrap();
    assert!(checklist.iter().all(|item| item["state"] == "unknown"), "{checklist:#?}");
}

#[test]
fn without_anybody_to_ask_everything_is_unchecked() {
    let project = Project::empty();
    let port = closed_port();
    project.write(
        "mailzone.toml",
        format!("[dns]\nresolvers = [\"127.0.0.1:{port}\"]\nroots = [\"127.0.0.1:{port}\"]\nport = {port}\n"),
    );
    let out = project.run_to(1, ["check", "example.test", "--format", "json"]);
    assert!(out.stderr.starts_with("error: example.test: nobody answered any question"), "{}", out.stderr);
    let document = out.json();
    assert_eq!(document["exit"], serde_json::json!({ "code": 1, "zones": [{ "zone": "example.test", "code": 1 }] }));
    let unchecked = messages(&document, "example.test", "UNCHECKED");
    assert!(unchecked.iter().any(|text| text.contains("where mail to example.test goes")), "{unchecked:#?}");
    let scores = &entry(&document, "example.test")["scores"];
    assert!(["confidentiality", "phishing", "integrity"].iter().all(|area| scores[*area].is_null()), "{scores}");
    let text = project.run_to(1, ["check", "example.test"]).stdout;
    assert!(text.contains("unchecked: where mail to example.test goes"), "{text}");
}

#[test]
fn a_server_of_ones_own_is_asked_instead() {
    let (world, project) = two();
    project.write("mailzone.toml", "");
    let server = world.servers[1].address().to_string();
    let args = ["check", "quiet.test", "--nameserver", &server, "--resolver", &server, "--format", "json"];
    let document = project.run_to(0, args.iter().chain(&QUIETLY)).json();
    assert!(notes(&document, "quiet.test", "mx").contains(&"takes no mail (null MX)".to_owned()), "{document:#}");
    let asked = world.servers[1].handle().log();
    assert!(asked.iter().any(|entry| matches!(&entry.question, Some((_, rtype)) if *rtype == RecordType::MX)));
}
