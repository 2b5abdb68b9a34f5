//! `mailzone simulate`: one message and lists of senders, against the live records and those that are wanted.

use insta::assert_snapshot;
use serde_json::Value;

use crate::check_peers::{RSA_2048, World, WorldZone};
use crate::harness::{Output, Project, zone_text};

const LIVE: [&str; 2] =
    ["@ TXT \"v=spf1 ip4:192.0.2.7 -all\"", "_dmarc TXT \"v=DMARC1; p=reject; rua=mailto:d@example.test\""];

/// A project whose zone the program serves itself, in a world that has nothing else.
fn served(config: &str, records: &[&str]) -> (World, Project) {
    let world = World::new(&[]);
    let project =
        Project::new(&format!("{config}{}", world.config()), &[("example.test", zone_text("example.test", records))]);
    (world, project)
}

/// `example.test`, whose record names one address and shall name another.
const MOVING: &str = "[domains.\"example.test\"]\nspf = \"v=spf1 ip4:192.0.2.8 -all\"\n";

fn simulate(project: &Project, code: i32, more: &[&str]) -> Output {
    project.run_to(code, ["simulate"].iter().chain(more))
}

fn results(outcome: &Value) -> [&str; 4] {
    let text = |value: &'_ Value| -> &str {
        // The lifetime is the document's.
        match value.as_str() {
            Some("pass") => "pass",
            Some("fail") => "fail",
            Some("none") => "none",
            Some("reject") => "reject",
            Some("permerror") => "permerror",
            Some("temperror") => "temperror",
            _ => "other",
        }
    };
    [
        text(&outcome["spf"]["result"]),
        text(&outcome["dmarc"]["result"]),
        text(&outcome["dmarc"]["disposition"]),
        text(&outcome["dmarc_rfc7489"]["result"]),
    ]
}

#[test]
fn a_message_now_and_after_the_plan() {
    let (_world, project) = served(MOVING, &LIVE);
    let message = |ip| ["--ip", ip, "--helo", "mail.example.test", "--mail-from", "a@example.test"];
    assert_snapshot!(simulate(&project, 4, &message("192.0.2.7")).shown(), @r#"
    Live
      SPF    pass for example.test (0 of 10 look-ups, 0 void)
      DKIM   none (no signature)
      DMARC  pass, SPF aligned, policy reject

    As the configuration wants it
      SPF    fail for example.test (0 of 10 look-ups, 0 void)
      DKIM   none (no signature)
      DMARC  fail: reject, nothing aligned, policy reject
    "#);
    assert_snapshot!(simulate(&project, 0, &[&message("192.0.2.8")[..], &["-v"]].concat()).shown(), @r#"
    Live
      SPF    fail for example.test (0 of 10 look-ups, 0 void)
             | example.test: v=spf1 ip4:192.0.2.7 -all -> fail
             |   ip4:192.0.2.7: no match
             |   -all: match
      DKIM   none (no signature)
      DMARC  fail: reject, nothing aligned, policy reject
             | RFC 9989 reader, author domain example.test
             |   _dmarc.example.test: v=DMARC1; p=reject; rua=mailto:d@example.test
             |   _dmarc.test: no DMARC record
             |   organizational domain: example.test
             |   policy: reject (p of the author domain)
             |   SPF fail for example.test
             | fail, disposition reject

    As the configuration wants it
      SPF    pass for example.test (0 of 10 look-ups, 0 void)
             | example.test: v=spf1 ip4:192.0.2.8 -all -> pass
             |   ip4:192.0.2.8: match
      DKIM   none (no signature)
      DMARC  pass, SPF aligned, policy reject
             | RFC 9989 reader, author domain example.test
             |   _dmarc.example.test: v=DMARC1; p=reject; rua=mailto:d@example.test
             |   _dmarc.test: no DMARC record
             |   organizational domain: example.test
             |   policy: reject (p of the author domain)
             |   SPF pass for example.test, aligned (relaxed)
             | pass
    "#);
    let document = simulate(&project, 4, &[&message("192.0.2.7")[..], &["--format", "json"]].concat()).json();
    assert_eq!(results(&document["live"]), ["pass", "pass", "none", "pass"]);
    assert_eq!(results(&document["planned"]), ["fail", "fail", "reject", "fail"]);
    let live = &document["live"];
    assert_eq!((&live["spf"]["lookups"], &live["spf"]["problem"]), (&0.into(), &Value::Null));
    assert_eq!((&live["dmarc"]["policy"], &live["dmarc"]["spf_aligned"]), (&"reject".into(), &true.into()));
    assert_eq!(live["dkim"].as_array().unwrap().len(), 0);
    assert_eq!((&document["exit"]["code"], &document["format_version"]), (&4.into(), &1.into()));
    // The other way round it is mended, and what counts is what will be.
    let document = simulate(&project, 0, &[&message("192.0.2.8")[..], &["--format", "json"]].concat()).json();
    assert_eq!((results(&document["live"])[1], results(&document["planned"])[1]), ("fail", "pass"));
    // Somebody else's From.
    let other = [&message("192.0.2.8")[..], &["--header-from", "b@other.test", "--format", "json"]].concat();
    let document = project.run(["simulate"].iter().chain(&other)).json();
    assert_eq!(document["planned"]["dmarc"]["spf_aligned"], false, "{document:#}");
    // A bounce: the name in HELO speaks.
    let bounce = ["--ip", "192.0.2.8", "--helo", "example.test", "--header-from", "a@example.test", "--format", "json"];
    let document = simulate(&project, 0, &bounce).json();
    assert_eq!(document["planned"]["spf"]["domain"], "example.test");
}

#[test]
fn without_a_configuration() {
    let world = World::new(&[WorldZone::new("example.test", &LIVE)]);
    let project = Project::empty();
    let asks = ["--resolver", &world.resolver.to_string()].map(str::to_owned);
    let run = |code, ip: &str, more: &[&str]| {
        let args = ["--ip", ip, "--mail-from", "a@example.test", "--format", "json"];
        let args: Vec<&str> =
            args.into_iter().chain(asks.iter().map(String::as_str)).chain(more.iter().copied()).collect();
        simulate(&project, code, &args).json()
    };
    let document = run(0, "192.0.2.7", &[]);
    assert!(document["planned"].is_null(), "{document:#}");
    assert_eq!(results(&document["live"])[1], "pass");
    run(4, "192.0.2.9", &[]);
    // An authoritative server instead.
    let server = world.servers[1].address().to_string();
    let args = ["simulate", "--ip", "192.0.2.7", "--mail-from", "a@example.test", "--nameserver", &server];
    let out = project.run_to(0, args);
    assert!(out.stdout.contains("SPF    pass"), "{}", out.stdout);
}

#[test]
fn a_signed_message() {
    let text = std::fs::read("../../tests/fixtures/dkim/messages/dkimpy-rfc6376.signed.msg").unwrap();
    let key = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let world = World::new(&[WorldZone::new(
        "football.example.com",
        &[&format!("brisbane._domainkey TXT \"{key}\""), "_dmarc TXT \"v=DMARC1; p=reject\""],
    )]);
    let project = Project::empty();
    project.write("mail.eml", &text);
    let resolver = world.resolver.to_string();
    let args = ["simulate", "--ip", "192.0.2.7", "--eml", "mail.eml", "--resolver", &resolver, "--format", "json"];
    let run = |args: &[&str]| project.run(args).json()["live"].clone();
    let live = run(&args);
    let of = |live: &Value, selector: &str| {
        let all = live["dkim"].as_array().unwrap().clone();
        let one = all.into_iter().find(|one| one["selector"] == selector).unwrap();
        (one["domain"].as_str().unwrap().to_owned(), one["result"].as_str().unwrap().to_owned())
    };
    assert_eq!(of(&live, "brisbane"), ("football.example.com".to_owned(), "pass".to_owned()), "{live:#}");
    assert_eq!(of(&live, "test").1, "permerror");
    assert_eq!((&live["dmarc"]["result"], &live["dmarc"]["dkim_aligned"]), (&"pass".into(), &true.into()), "{live:#}");
    // One octet more in the body, and from standard input.
    let altered = [&text[..], b"x\r\n"].concat();
    let args = ["simulate", "--ip", "192.0.2.7", "--eml", "-", "--resolver", &resolver, "--format", "json"];
    let out = project.run_with_input(args, &altered).expect_code(4);
    let live = out.json()["live"].clone();
    assert_eq!(of(&live, "brisbane").1, "fail");
    assert_eq!((&live["dmarc"]["result"], &live["dmarc"]["disposition"]), (&"fail".into(), &"reject".into()));
}

/// Three senders: by address, by key, and one that does not matter.
const SENDERS: &str = "[sender.office]\naddresses = [\"192.0.2.7\", \"192.0.2.8\"]\nfrom = \"example.test\"\n\
                       [sender.shop]\naddresses = [\"198.51.100.9\"]\nfrom = \"example.test\"\nenvelope_domain = \"shop.test\"\n\
                       dkim = { domain = \"example.test\", selector = \"s1\" }\n\
                       [sender.old]\naddresses = [\"203.0.113.1\"]\nfrom = \"example.test\"\nrequired = false\n";

#[test]
fn lists_of_senders() {
    let (first, second) = RSA_2048.split_at(200);
    let key = format!("s1._domainkey TXT \"v=DKIM1; p={first}\" \"{second}\"");
    let records = [LIVE[0], LIVE[1], &key];
    let (_world, project) = served(&format!("{MOVING}{SENDERS}"), &records);
    let out = simulate(&project, 4, &["--format", "json"]).json();
    let senders: Vec<(String, &str, &str)> = out["senders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let name = format!("{} {}", one["sender"].as_str().unwrap(), one["address"].as_str().unwrap());
            (name, results(&one["live"])[1], results(&one["planned"])[1])
        })
        .collect();
    assert_eq!(
        senders,
        [
            ("office 192.0.2.7".to_owned(), "pass", "fail"),
            ("office 192.0.2.8".to_owned(), "fail", "pass"),
            ("old 203.0.113.1".to_owned(), "fail", "fail"),
            ("shop 198.51.100.9".to_owned(), "pass", "pass"),
        ]
    );
    // The same list from a file beside the configuration, and what is not required fails nothing.
    let (_world, project) = served(MOVING, &records);
    project.write("senders.toml", SENDERS);
    let from_file = simulate(&project, 4, &["--senders", "senders.toml", "--format", "json"]).json();
    assert_eq!(from_file["senders"], out["senders"]);
    project.replace("senders.toml", "\"192.0.2.7\", ", "");
    let text = simulate(&project, 0, &["--senders", "senders.toml"]).shown();
    assert!(text.contains("Sender old from 203.0.113.1 as example.test (not required)"), "{text}");
}

#[test]
fn a_required_sender_that_would_fail_is_an_error_of_the_plan() {
    // That the domain above has no policy only the DNS knows.
    let sender = "[sender.office]\naddresses = [\"192.0.2.7\"]\nfrom = \"example.test\"\n";
    let (_world, project) = served(&format!("{MOVING}{sender}"), &LIVE);
    let plan = |project: &Project| {
        let document = project.finish(&mut project.looking(["plan", "--format", "json"])).expect_code(0).json();
        let findings = document["zones"][0]["findings"].as_array().unwrap().clone();
        let found: Vec<String> = findings
            .iter()
            .filter(|finding| finding["code"] == "DMARC-18")
            .map(|f| format!("{} {}", f["severity"].as_str().unwrap(), f["effect"].as_str().unwrap()))
            .collect();
        found
    };
    assert_eq!(plan(&project), ["error caused"]);
    project.replace("mailzone.toml", "[\"192.0.2.7\"]", "[\"192.0.2.8\"]");
    assert_eq!(plan(&project), ["error cured"]);
    project.replace("mailzone.toml", "from = \"example.test\"", "from = \"example.test\"\nrequired = false");
    assert!(plan(&project).iter().all(|found| !found.starts_with("error")));
}

#[test]
fn usage() {
    let project = Project::empty();
    for (args, said) in [
        (&[][..], "nothing to simulate"),
        (&["--mail-from", "a@example.test"], "--ip"),
        (&["--ip", "192.0.2.300"], "invalid"),
        (&["--ip", "192.0.2.7", "--senders", "x.toml"], "cannot be used"),
        (&["--ip", "192.0.2.7", "--eml", "missing.eml"], "missing.eml"),
        (&["--ip", "192.0.2.7"], "--header-from"),
        (&["--ip", "192.0.2.7", "--mail-from", "a@b..c"], "no domain name"),
        (&["--senders", "missing.toml"], "missing.toml"),
        (&["--ip", "192.0.2.7", "--mail-from", "a@b.test", "--format", "csv"], "no output in that format"),
    ] {
        let out = simulate(&project, 1, args);
        assert!(out.stderr.contains(said) && out.stdout.is_empty(), "{args:?}: {}", out.stderr);
    }
}

#[test]
fn no_secret_is_read_and_no_provider_asked() {
    let world = World::new(&[WorldZone::new("example.test", &LIVE)]);
    let project = Project::empty();
    let config = format!(
        "{}[providers.cf]\ntype = \"cloudflare\"\nendpoint = \"http://127.0.0.1:1/client/v4\"\n\
         api_token = {{ command = [\"touch\", \"{}\"] }}\n\
         [domains.\"example.test\"]\nprovider = \"cf\"\nspf = \"v=spf1 ip4:192.0.2.8 -all\"\n{SENDERS}",
        world.config(),
        project.path("trace").display()
    );
    project.write("mailzone.toml", config);
    simulate(&project, 4, &["--ip", "192.0.2.7", "--mail-from", "a@example.test"]);
    simulate(&project, 4, &[]);
    project.run(["check", "example.test", "--no-smtp", "--no-blocklists"]);
    project.run(["lint"]);
    assert!(!project.exists("trace") && !project.exists(".mailzone"));
    // The command would have left its trace.
    project.run(["plan"]);
    assert!(project.exists("trace"));
}

#[test]
fn nobody_answers() {
    let project = Project::empty();
    let port = crate::check_peers::closed_port();
    project
        .write("mailzone.toml", format!("[dns]\nresolvers = [\"127.0.0.1:{port}\"]\nroots = [\"127.0.0.1:{port}\"]\n"));
    let args = ["--ip", "192.0.2.7", "--mail-from", "a@example.test", "--format", "json"];
    let document = simulate(&project, 1, &args).json();
    assert_eq!(results(&document["live"]), ["temperror", "temperror", "none", "temperror"]);
}
