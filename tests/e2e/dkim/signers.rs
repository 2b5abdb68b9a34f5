//! What others sign, make and say, and what the program makes of it: OpenDKIM, dkimpy, amavisd, rspamd.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{SMALL, tool};
use crate::daemons::tools;
use crate::harness::{DnsServer, Output, Project, zone_text};

/// A message of `example.test`, as it stands on the wire.
const MAIL: &str = "From: Anna <a@example.test>\r\nTo: b@example.org\r\nSubject: two  words\tand\r\n more\r\n\
                    Date: Sat, 21 Nov 2026 21:00:00 +0000\r\nMessage-ID: <1@example.test>\r\n\r\n\
                    hello \t world \r\n\r\n  indented\r\n\r\n";

/// A name server of `example.test` with a policy that leaves no doubt, and this line for the key.
fn publishing(key: &str) -> DnsServer {
    DnsServer::start(&[("example.test", zone_text("example.test", &policies(key)))])
}

fn policies(key: &str) -> [&str; 3] {
    ["@ TXT \"v=spf1 ip4:192.0.2.25 -all\"", "_dmarc TXT \"v=DMARC1; p=reject\"", key]
}

/// A key of opendkim-genkey; what it printed for the zone.
fn genkey(project: &Project, program: &Path, args: &[&str]) -> String {
    let selector = args[args.iter().position(|arg| *arg == "-s").unwrap() + 1];
    let (done, said) = tool(project, program, args, "");
    assert!(done, "{said}");
    project.read(&format!("{selector}.txt"))
}

/// Standard output of `dkim import`, as a configuration beside that of the zone files.
fn imported(project: &Project, args: &[&str]) -> Output {
    let output = project.run_to(0, ["dkim", "import"].into_iter().chain(args.iter().copied()));
    let configuration = format!("{}\n{}", crate::harness::SERVED, output.stdout);
    project.write("mailzone.toml", configuration);
    project.write("zones/.keep", "");
    output
}

/// The configuration wants what the zone has, and would make it where it is missing.
#[track_caller]
fn wants_the_same(project: &Project, published: &str) {
    let counts = |records: &[&str]| {
        project.write("zones/example.test.zone", zone_text("example.test", records));
        let summary = project.run_to(0, ["plan", "--format", "json"]).json()["summary"].clone();
        (summary["create"].as_u64().unwrap(), summary["update"].as_u64().unwrap(), summary["unchanged"].as_u64())
    };
    assert_eq!(counts(&[]), (1, 0, Some(0)), "{published}");
    assert_eq!(counts(&[published]), (0, 0, Some(1)), "{published}");
}

#[test]
fn imported_keys_of_opendkim_are_the_records_that_it_made() {
    let Some([program]) = tools(["opendkim-genkey"]) else { return };
    for options in [
        &["-b", "2048"][..],
        &["-b", "1024"],
        &["-b", "4096", "-h", "sha256"],
        &["-b", "1024", "-h", "sha1:sha256"],
        &["-b", "1024", "-n", "a note = two words"],
        &["-b", "1024", "-t"],
        &["-b", "1024", "-S", "-r"],
        &["-b", "1024", "-a"],
        &["-b", "2048", "-a", "-S", "-t", "-r", "-h", "sha256", "-n", "all"],
    ] {
        let project = Project::empty();
        let args = [options, &["-d", "example.test", "-s", "s1.mail"]].concat();
        let printed = genkey(&project, &program, &args);
        imported(&project, &["s1.mail.txt"]);
        wants_the_same(&project, &printed);
        // Written by us it is the key of their private one.
        project.write("zones/example.test.zone", zone_text("example.test", &[]));
        project.run_to(0, ["apply", "--yes", "--allow", "DKIM-03"]);
        let args = ["dkim", "test", "example.test", "-s", "s1.mail", "--private-key", "s1.mail.private"];
        let output = project.run_to(0, args);
        assert!(output.stdout.contains("safe to sign now: yes"), "{options:?}: {}", output.stdout);
    }
}

#[test]
fn imported_keys_of_rspamd_are_the_records_that_it_made() {
    let Some([program]) = tools(["rspamadm"]) else { return };
    for options in [&["-b", "2048"][..], &["-t", "ed25519"]] {
        let project = Project::empty();
        let args = [&["dkim_keygen", "-d", "example.test", "-s", "s1", "-k", "s1.key"], options].concat();
        let (done, printed) = tool(&project, &program, &args, "");
        assert!(done, "{printed}");
        project.write("s1.txt", &printed);
        imported(&project, &["s1.txt", "--domain", "example.test"]);
        wants_the_same(&project, &printed);
        let args = ["dkim", "test", "example.test", "-s", "s1", "--private-key", "s1.key"];
        assert!(project.run_to(0, args).stdout.contains("safe to sign now: yes"), "{options:?}");
    }
}

#[test]
fn imported_keys_of_amavisd_are_the_records_that_it_shows() {
    let Some([amavisd, program]) = tools(["amavisd", "opendkim-genkey"]) else { return };
    let project = Project::empty();
    genkey(&project, &program, &["-b", "2048", "-d", "example.test", "-s", "s1"]);
    project.write("amavisd.conf", amavisd_configuration(&project, "s1.private", None));
    let (done, shown) = tool(&project, &amavisd, &["-c", "amavisd.conf", "showkeys"], "");
    assert!(done, "{shown}");
    project.write("shown.txt", &shown);
    imported(&project, &["shown.txt"]);
    wants_the_same(&project, &shown);
}

/// amavisd's configuration is Perl: its library is told whom to ask, which it has no setting for.
fn amavisd_configuration(project: &Project, key: &str, server: Option<&DnsServer>) -> String {
    let resolver = server.map(|server| {
        format!(
            "use Mail::DKIM::DNS;\n$Mail::DKIM::DNS::RESOLVER = Net::DNS::Resolver->new(\
             nameservers => ['127.0.0.1'], port => {}, recurse => 0);\n",
            server.address().port()
        )
    });
    format!(
        "use strict;\n$myhostname = 'mail.example.test';\n$mydomain = 'example.test';\n$enable_dkim_signing = 1;\n\
         {}dkim_key('example.test', 's1', '{}');\n1;\n",
        resolver.unwrap_or_default(),
        project.path(key).display()
    )
}

/// What `dkim test` says: exit code and `answer`.
fn tested(project: &Project, key: &str, server: &DnsServer) -> (i32, String) {
    let address = server.address().to_string();
    let args = ["dkim", "test", "example.test", "-s", "s1", "--private-key", key, "--nameserver", &address];
    let output = project.run(args.into_iter().chain(["--format", "json"]));
    (output.code, output.json()["keys"][0]["answer"].as_str().unwrap().to_owned())
}

/// What is published, and what `dkim test` has to say of it: everything but the first is not to sign with.
fn publications(printed: &str) -> Vec<(&'static str, String, (i32, &'static str))> {
    let key: String = printed.split('"').filter(|part| !part.contains(['\n', '\t'])).collect();
    let p = key.split_once("p=").unwrap().1;
    let one = |record: &str| {
        let strings: Vec<String> =
            record.as_bytes().chunks(255).map(|part| format!("\"{}\"", String::from_utf8_lossy(part))).collect();
        format!("s1._domainkey TXT {}", strings.join(" "))
    };
    let short = &p[..p.len() - 40];
    vec![
        ("as it was printed", printed.to_owned(), (0, "yes")),
        ("in pieces of 255", one(&key), (0, "yes")),
        ("without optional tags", one(&format!("p={p}")), (0, "yes")),
        (
            "behind an alias",
            format!("s1._domainkey CNAME s1.keys\n{}", one(&key).replace("_domainkey", "keys")),
            (0, "yes"),
        ),
        ("another key", one(&format!("v=DKIM1; k=rsa; p={SMALL}")), (1, "no")),
        ("revoked", one("v=DKIM1; k=rsa; p="), (1, "no")),
        ("cut off", one(&format!("v=DKIM1; k=rsa; p={short}")), (1, "no")),
        ("of another version", one(&format!("v=DKIM2; k=rsa; p={p}")), (1, "no")),
        ("of another type", one(&format!("v=DKIM1; k=dsa; p={p}")), (1, "no")),
        // What the tool makes of a note with a semicolon.
        ("with a broken note", one(&format!("v=DKIM1; n=one; two; k=rsa; p={p}")), (1, "no")),
        ("missing", String::new(), (3, "not_visible")),
    ]
}

#[test]
fn dkim_test_agrees_with_opendkim_testkey() {
    let Some([testkey, program]) = tools(["opendkim-testkey", "opendkim-genkey"]) else { return };
    let project = Project::empty();
    let printed = genkey(&project, &program, &["-b", "2048", "-d", "example.test", "-s", "s1"]);
    for (what, line, expected) in publications(&printed) {
        let server = publishing(&line);
        // libunbound answers for `test` itself, and asks nobody on loopback, unless it is told otherwise.
        let stub = format!(
            "server:\n  do-not-query-localhost: no\n  local-zone: \"test.\" nodefault\n\
             stub-zone:\n  name: \"example.test\"\n  stub-addr: 127.0.0.1@{}\n",
            server.address().port(),
        );
        project.write("unbound.conf", stub);
        project.write("opendkim.conf", format!("ResolverConfiguration {}\n", project.path("unbound.conf").display()));
        let args = ["-x", "opendkim.conf", "-d", "example.test", "-s", "s1", "-k", "s1.private", "-vv"];
        let (theirs, said) = tool(&project, &testkey, &args, "");
        assert_eq!((theirs, expected), (expected.0 == 0, expected), "{what}: {said}");
        let (code, answer) = tested(&project, "s1.private", &server);
        assert_eq!((code, answer.as_str()), expected, "{what}");
    }
}

#[test]
fn dkim_test_agrees_with_amavisd_testkeys() {
    let Some([amavisd, program]) = tools(["amavisd", "opendkim-genkey"]) else { return };
    let project = Project::empty();
    let printed = genkey(&project, &program, &["-b", "2048", "-d", "example.test", "-s", "s1"]);
    for (what, line, expected) in publications(&printed) {
        let server = publishing(&line);
        project.write("amavisd.conf", amavisd_configuration(&project, "s1.private", Some(&server)));
        let (_, said) = tool(&project, &amavisd, &["-c", "amavisd.conf", "testkeys"], "");
        assert!(said.contains("s1._domainkey.example.test => "), "{what}: {said}");
        assert_eq!((said.contains("=> pass"), expected), (expected.0 == 0, expected), "{what}: {said}");
        let (code, answer) = tested(&project, "s1.private", &server);
        assert_eq!((code, answer.as_str()), expected, "{what}");
    }
}

/// Somebody who signs [`MAIL`] with the key in `s1.private`.
#[derive(Debug, Clone, Copy)]
enum By {
    OpenDkim,
    Dkimpy,
}

/// The message signed, header and body canonicalised so; `None` without the program.
fn signed(project: &Project, by: By, header: &str, body: &str) -> Option<String> {
    match by {
        By::OpenDkim => {
            let [program] = tools(["opendkim"])?;
            let configuration = format!(
                "Mode s\nDomain example.test\nSelector s1\nKeyFile s1.private\nSignatureAlgorithm rsa-sha256\n\
                 Canonicalization {header}/{body}\nOversignHeaders From\nInternalHosts 0.0.0.0/0,::/0\n\
                 RequireSafeKeys no\nSyslog no\n"
            );
            project.write("sign.conf", configuration);
            // In its test mode it is a mail filter without a mail server, and says which field it would add.
            let (done, said) = tool(project, &program, &["-x", "sign.conf", "-t", "input", "-vvv"], MAIL);
            let field = said.split_once("hname='DKIM-Signature' hvalue='").and_then(|(_, rest)| rest.split_once('\''));
            assert!(done && field.is_some(), "{said}");
            Some(format!("DKIM-Signature: {}\r\n{MAIL}", field?.0.replace('\n', "\r\n")))
        }
        By::Dkimpy => {
            let [program] = tools(["dkimsign"])?;
            let args = ["--hcanon", header, "--bcanon", body, "s1", "example.test", "s1.private"];
            let (done, said) = tool(project, &program, &args, MAIL);
            assert!(done && said.starts_with("DKIM-Signature: "), "{said}");
            Some(said)
        }
    }
}

/// What `simulate` says of a message that DKIM alone can save: the exit code, and the outcome.
fn simulated(project: &Project, message: &str, more: &[&str]) -> (i32, Value) {
    project.write("message.eml", message);
    let args = ["simulate", "--eml", "message.eml", "--ip", "192.0.2.26", "--helo", "mail.example.test"];
    let args = [&args[..], &["--mail-from", "a@example.test", "--format", "json"], more].concat();
    let output = project.run(args);
    (output.code, output.json())
}

/// `[DKIM result, reason, DMARC result, aligned by DKIM]`.
fn told(outcome: &Value) -> (&str, &str, &str, bool) {
    let signatures = outcome["dkim"].as_array().unwrap();
    assert_eq!((signatures.len(), &outcome["spf"]["result"]), (1, &Value::from("fail")), "{outcome}");
    let text = |value: &'_ Value| -> String { value.as_str().unwrap().to_owned() };
    let dmarc = &outcome["dmarc"];
    assert_eq!(text(&dmarc["result"]), text(&outcome["dmarc_rfc7489"]["result"]));
    (
        signatures[0]["result"].as_str().unwrap(),
        signatures[0]["reason"].as_str().unwrap(),
        dmarc["result"].as_str().unwrap(),
        dmarc["dkim_aligned"].as_bool().unwrap(),
    )
}

fn simulate_agrees(by: By) {
    let Some([program]) = tools(["opendkim-genkey"]) else { return };
    let project = Project::empty();
    let printed = genkey(&project, &program, &["-b", "2048", "-d", "example.test", "-s", "s1"]);
    let server = publishing(&printed);
    let address = server.address().to_string();
    let at = ["--nameserver", address.as_str()];
    for (header, body) in [("simple", "simple"), ("simple", "relaxed"), ("relaxed", "simple"), ("relaxed", "relaxed")] {
        let Some(message) = signed(&project, by, header, body) else { return };
        let (code, document) = simulated(&project, &message, &at);
        assert_eq!((code, told(&document["live"])), (0, ("pass", "", "pass", true)), "{header}/{body}: {message}");
        assert!(document["planned"].is_null());
        // White space within a line is what relaxed lets pass.
        let (code, document) = simulated(&project, &message.replace("hello \t world", "hello world"), &at);
        let loose = if body == "relaxed" { (0, "pass") } else { (4, "fail") };
        assert_eq!((code, told(&document["live"]).0), loose, "{header}/{body}");
        let (code, document) = simulated(&project, &message.replace("Subject: two", "SUBJECT:  two"), &at);
        let loose = if header == "relaxed" { (0, "pass") } else { (4, "fail") };
        assert_eq!((code, told(&document["live"]).0), loose, "{header}/{body}");
    }
    let Some(message) = signed(&project, by, "relaxed", "relaxed") else { return };
    let fails = |message: &str, result: &str, reason: &str| {
        let (code, document) = simulated(&project, message, &at);
        let (found, why, dmarc, aligned) = told(&document["live"]);
        assert_eq!((code, found, dmarc, aligned), (4, result, "fail", false), "{reason}: {why}");
        assert!(why.contains(reason), "{reason}: {why}");
        assert_eq!(document["live"]["dmarc"]["disposition"], "reject");
    };
    fails(&format!("{message}more\r\n"), "fail", "the body was changed after signing, the signed header was not");
    fails(&message.replace("two  words", "one word"), "fail", "signature");
    fails(&message.replace("From: Anna", "From: x@example.test\r\nFrom: Anna"), "fail", "signature");
    for (line, result, reason) in [
        (format!("s1._domainkey TXT \"v=DKIM1; k=rsa; p={SMALL}\""), "fail", "signature"),
        ("s1._domainkey TXT \"v=DKIM1; k=rsa; p=\"".into(), "permerror", "revoked"),
        ("s1._domainkey TXT \"v=DKIM1; h=sha1; k=rsa; p=".to_owned() + SMALL + "\"", "permerror", "h="),
        (String::new(), "permerror", "no key record"),
    ] {
        server.replace("example.test", &zone_text("example.test", &policies(&line)));
        fails(&message, result, reason);
    }
    // What a configuration is about to do with the key shows beside what is.
    server.replace("example.test", &zone_text("example.test", &policies(&printed)));
    let configured = |key: &str| {
        project.write("mailzone.toml", format!("{}\n[domains.\"example.test\"]\n{key}\n", crate::harness::SERVED));
        project.write("zones/example.test.zone", zone_text("example.test", &policies(&printed)));
        simulated(&project, &message, &[])
    };
    let (code, document) = configured("dkim.s1 = { revoked = true }");
    assert_eq!((code, told(&document["live"]).0, told(&document["planned"]).0), (4, "pass", "permerror"));
    let (code, document) = configured("tls_rpt = \"unmanaged\"\ndkim.s2 = { revoked = true }");
    assert_eq!((code, told(&document["live"]).0, told(&document["planned"]).0), (0, "pass", "pass"));
}

#[test]
fn mail_signed_by_opendkim_passes_and_fails_where_it_should() {
    simulate_agrees(By::OpenDkim);
}

#[test]
fn mail_signed_by_dkimpy_passes_and_fails_where_it_should() {
    simulate_agrees(By::Dkimpy);
}

#[test]
fn the_text_of_a_signed_message() {
    let Some([program]) = tools(["opendkim-genkey"]) else { return };
    let project = Project::empty();
    let printed = genkey(&project, &program, &["-b", "2048", "-d", "example.test", "-s", "s1"]);
    let Some(message) = signed(&project, By::Dkimpy, "relaxed", "relaxed") else { return };
    fs::write(project.path("message.eml"), format!("{message}more\r\n")).unwrap();
    let server = publishing(&printed);
    let address = server.address().to_string();
    let args = ["simulate", "--eml", "message.eml", "--ip", "192.0.2.26", "--helo", "mail.example.test"];
    let output = project.run_to(4, args.into_iter().chain(["--nameserver", &address]));
    insta::assert_snapshot!(output.shown(), @"
    Live
      SPF    none for mail.example.test (0 of 10 look-ups, 0 void)
             problem: mail.example.test: the domain does not exist
      DKIM   fail for example.test, selector s1 (the body hash differs: the body was changed after
          signing, the signed header was not)
      DMARC  fail: reject, nothing aligned, policy reject
    ");
}
