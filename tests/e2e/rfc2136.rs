//! The program with a name server that takes signed updates: BIND.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mailzone_record::{Name, RecordType};
use mailzone_wire::{Message, Query, exchange};
use serde_json::Value;

use crate::harness::{Output, Project, zone_text};
use crate::settle::{apply, outcomes, plan};

/// The key of mailzone at BIND, in base64; of 32 octets. It is looked for wherever the program writes.
const SECRET: &str = "aHVudGVyMi1odW50ZXIyLWh1bnRlcjItaHVudGVyMi0=";
/// The same, decoded.
const SECRET_OCTETS: &str = "hunter2-hunter2-hunter2-hunter2-";
/// The key with which somebody else edits.
const OTHERS_SECRET: &str = "c29tZWJvZHkgZWxzZSBlZGl0cyB0aGlzIHpvbmUhISE=";
/// A key that BIND does not have.
const WRONG_SECRET: &str = "d3JvbmcyLXdyb25nMi13cm9uZzItd3JvbmcyLXdyb24=";

/// What is wanted: SPF, and a policy that relies on it.
const WANTED: &str = "[domains.\"example.test\"]
spf = \"v=spf1 ip4:203.0.113.7 -all\"
dmarc = { policy = \"quarantine\", rua = [\"mailto:d@example.test\"] }
";

/// BIND with the zones of a project's directory `bind`, which a key may transfer and update.
struct Bind {
    child: Child,
    address: SocketAddr,
    nsupdate: PathBuf,
}

impl Bind {
    /// `None`, after a line on standard error, where BIND is not installed; with `MAILZONE_REQUIRE_TOOLS=1` the
    /// test ends.
    fn start(project: &Project, zones: &[(&str, String)]) -> Option<Self> {
        let (named, nsupdate) = (tool("named")?, tool("nsupdate")?);
        for (zone, text) in zones {
            project.write(&format!("bind/{zone}.zone"), text);
        }
        // Somebody may take the port between our look and BIND's start.
        for _ in 0..5 {
            let port = free_port();
            let config = configuration(&project.path("bind"), port, zones);
            project.write("bind/named.conf", config);
            let log = std::fs::File::create(project.path("bind/log")).unwrap();
            let child = Command::new(&named)
                .args(["-g", "-n", "1", "-c", "named.conf"])
                .current_dir(project.path("bind"))
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn()
                .unwrap();
            let mut bind =
                Self { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), nsupdate: nsupdate.clone() };
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(60) && bind.child.try_wait().unwrap().is_none() {
                if zones.iter().all(|(zone, _)| !bind.ask(zone, RecordType::SOA).is_empty()) {
                    return Some(bind);
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        panic!("BIND does not answer; it said:\n{}", project.read("bind/log"));
    }

    /// The record data that it answers with, sorted.
    fn ask(&self, name: &str, rtype: RecordType) -> BTreeSet<String> {
        let query = Query::authoritative(Name::parse(name).unwrap(), rtype);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(exchange(self.address, &query, Duration::from_secs(10)));
        let message: Option<Message> = answer.ok().map(|exchange| exchange.message);
        let answers = message.filter(|message| message.authoritative).map(|message| message.answers);
        answers.into_iter().flatten().map(|record| record.rdata.to_string()).collect()
    }

    /// What somebody else does to a zone: lines of `nsupdate`.
    fn edit(&self, zone: &str, lines: &str) {
        let mut nsupdate = Command::new(&self.nsupdate)
            .args(["-y", &format!("hmac-sha512:somebody:{OTHERS_SECRET}")])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let (ip, port) = (self.address.ip(), self.address.port());
        write!(nsupdate.stdin.take().unwrap(), "server {ip} {port}\nzone {zone}\n{lines}\nsend\n").unwrap();
        assert!(nsupdate.wait().unwrap().success(), "{lines}");
    }
}

impl Drop for Bind {
    fn drop(&mut self) {
        // It has ended already, or ends now: either is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(directory: &Path, port: u16, zones: &[(&str, String)]) -> String {
    let mut text = format!(
        "key mailzone {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n\
         key somebody {{ algorithm hmac-sha512; secret \"{OTHERS_SECRET}\"; }};\n\
         options {{ directory \"{}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
         recursion no; dnssec-validation no; notify no; pid-file none; lock-file none; session-keyfile none;\n\
         empty-zones-enable no; allow-transfer {{ none; }}; }};\ncontrols {{ }};\n",
        directory.display(),
    );
    for (zone, _) in zones {
        text += &format!(
            "zone \"{zone}\" {{ type primary; file \"{zone}.zone\"; allow-transfer {{ key mailzone; }};\n\
             update-policy {{ grant mailzone zonesub TXT MX CAA TLSA CNAME; grant somebody zonesub ANY; }}; }};\n",
        );
    }
    text
}

#[expect(clippy::print_stderr, reason = "who reads the test's output is to know what was not tested")]
fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories =
        std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from));
    let found = directories.find_map(|directory| Some(directory.join(name)).filter(|path| path.is_file()));
    if found.is_none() {
        assert!(std::env::var_os("MAILZONE_REQUIRE_TOOLS").is_none_or(|value| value != "1"), "no {name}");
        eprintln!("skipped: no {name}");
    }
    found
}

/// A port of loopback that nobody has, for UDP and TCP.
pub(crate) fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address.port();
        }
    }
}

/// `example.test` with what others wrote into it.
fn zone() -> String {
    zone_text(
        "example.test",
        &[
            "@ TXT \"a token\"",
            "@ 300 TXT \"v=spf1 ip4:203.0.113.7 ~all\"",
            "www A 192.0.2.80",
            "sub NS ns.hoster.test.",
        ],
    )
}

/// A project whose zones are at BIND. The secret is in the file `tsig.key`.
fn project(zones: &[(&str, String)], domains: &str) -> Option<(Project, Bind)> {
    let project = Project::empty();
    let bind = Bind::start(&project, zones)?;
    project.write("tsig.key", format!("{SECRET}\n"));
    let address = bind.address;
    let config = format!(
        "[providers.ns]\ntype = \"rfc2136\"\nserver = \"{address}\"\n\
         tsig = {{ name = \"mailzone.\", algorithm = \"hmac-sha256\", secret = {{ file = \"tsig.key\" }} }}\n\
         [dns]\ntimeout = \"10s\"\n[latency]\nsamples = 1\nbudget = \"10s\"\n\
         [defaults]\nprovider = \"ns\"\nnameservers = [\"{address}\"]\n{domains}"
    );
    project.write("mailzone.toml", config);
    Some((project, bind))
}

fn set<const N: usize>(values: [&str; N]) -> BTreeSet<String> {
    values.map(str::to_owned).into()
}

#[test]
fn what_was_planned_is_written_in_two_stages_and_nothing_is_left() {
    let Some((project, bind)) = project(&[("example.test", zone())], WANTED) else { return };
    let planned = plan(&project, &[]);
    let zone = &planned["zones"][0];
    assert_eq!(
        (&zone["zone"], &zone["provider"], &zone["source"]),
        (&"example.test".into(), &"ns".into(), &"provider".into())
    );
    let done = apply(&project, 0, &[]);
    assert_eq!(outcomes(&done), ["example.test. TXT: applied", "_dmarc.example.test. TXT: applied"]);
    let stages: Vec<&Value> =
        done["zones"][0]["changes"].as_array().unwrap().iter().map(|change| &change["stage"]).collect();
    assert_eq!(stages, [1, 2]);
    assert_eq!(done["verification"]["domains"][0]["verdict"], "verified", "{done:#}");
    // BIND itself: ours is new, the others' is as it was.
    assert_eq!(bind.ask("example.test", RecordType::TXT), set(["\"a token\"", "\"v=spf1 ip4:203.0.113.7 -all\""]));
    assert_eq!(
        bind.ask("_dmarc.example.test", RecordType::TXT),
        set(["\"v=DMARC1; p=quarantine; rua=mailto:d@example.test\""])
    );
    assert_eq!(bind.ask("www.example.test", RecordType::A), set(["192.0.2.80"]));
    project.run_to(0, ["plan", "--detailed-exitcode"]);
    project.run_to(0, ["verify"]);
    project.run_to(0, ["apply", "--yes"]);
}

#[test]
fn the_provider_is_shown_with_its_zones() {
    let Some((project, _bind)) = project(&[("example.test", zone())], WANTED) else { return };
    let shown = project.run_to(0, ["providers"]).stdout;
    assert!(shown.starts_with("ns  rfc2136\n") && shown.contains("zones        1: example.test\n"), "{shown}");
    let provider = &project.run_to(0, ["providers", "--format", "json"]).json()["providers"][0];
    assert_eq!((&provider["type"], &provider["compare_and_swap"]), (&"rfc2136".into(), &true.into()));
    assert_eq!(
        (&provider["zones"][0]["zone"], &provider["zones"][0]["read_only"]),
        (&"example.test".into(), &Value::Null)
    );
}

/// Domains below, beside and without a zone; a name that is a zone of its own.
#[test]
fn zones_are_found_by_the_configured_names() {
    let zones = [("example.test", zone()), ("org.test", zone_text("org.test", &[]))];
    let spf = "spf = \"v=spf1 -all\"\n";
    let domains = format!(
        "[domains.\"example.test\"]\n{spf}[domains.\"a.b.org.test\"]\n{spf}\
         [domains.\"named.org.test\"]\nzone = \"org.test\"\n{spf}[domains.\"nowhere.example\"]\n{spf}"
    );
    let Some((project, _bind)) = project(&zones, &domains) else { return };
    let planned = project.run_to(1, ["plan", "--format", "json"]).json();
    let zones: Vec<String> = planned["zones"]
        .as_array()
        .unwrap()
        .iter()
        .map(|zone| format!("{} {} {}", zone["zone"], zone["domains"], zone["error"]["kind"]))
        .collect();
    insta::assert_snapshot!(zones.join("\n"), @r#"
    null ["nowhere.example"] "no_zone"
    "example.test" ["example.test"] null
    "org.test" ["a.b.org.test","named.org.test"] null
    "#);
}

#[test]
fn an_edit_of_the_same_set_makes_a_saved_plan_stale() {
    let Some((project, bind)) = project(&[("example.test", zone())], WANTED) else { return };
    project.run_to(0, ["plan", "--out", "plan.json"]);
    bind.edit("example.test", "update add example.test 3600 TXT \"another token\"");
    let before = bind.ask("example.test", RecordType::TXT);
    let stale = project.run_to(5, ["apply", "--yes", "plan.json"]);
    assert!(stale.stderr.contains("is no longer what the plan was made from"), "{}", stale.stderr);
    assert_eq!(bind.ask("example.test", RecordType::TXT), before);
    assert_eq!(bind.ask("_dmarc.example.test", RecordType::TXT), set([]));
    // A new plan keeps what came.
    apply(&project, 0, &[]);
    let expected = set(["\"a token\"", "\"another token\"", "\"v=spf1 ip4:203.0.113.7 -all\""]);
    assert_eq!(bind.ask("example.test", RecordType::TXT), expected);
}

#[test]
fn an_edit_elsewhere_stays_and_disturbs_no_saved_plan() {
    let Some((project, bind)) = project(&[("example.test", zone())], WANTED) else { return };
    project.run_to(0, ["plan", "--out", "plan.json"]);
    bind.edit("example.test", "update add new.example.test 60 A 192.0.2.81\nupdate delete www.example.test A");
    project.run_to(0, ["apply", "--yes", "plan.json"]);
    assert_eq!(bind.ask("new.example.test", RecordType::A), set(["192.0.2.81"]));
    assert_eq!(bind.ask("www.example.test", RecordType::A), set([]));
    project.run_to(0, ["plan", "--detailed-exitcode"]);
}

/// A zone at BIND and one in a file.
fn with_a_file(tsig: &str) -> Option<(Project, Bind)> {
    let (project, bind) = project(&[("example.test", zone())], WANTED)?;
    project.replace("mailzone.toml", "secret = { file = \"tsig.key\" }", &format!("secret = {tsig}"));
    let more = "[providers.files]\ntype = \"zonefile\"\ndirectory = \"zones\"\n\
                [domains.\"other.test\"]\nprovider = \"files\"\nspf = \"v=spf1 -all\"\n";
    project.write("mailzone.toml", project.read("mailzone.toml") + more);
    project.write("zones/other.test.zone", zone_text("other.test", &[]));
    Some((project, bind))
}

/// The error of the one zone; the other one is planned.
#[track_caller]
fn refused(project: &Project) -> (String, Output) {
    let planned = project.run_to(1, ["plan", "--format", "json"]).json();
    let zones = planned["zones"].as_array().unwrap();
    let other = zones.iter().find(|zone| zone["zone"] == "other.test").unwrap();
    assert_eq!((&other["error"], other["changes"].as_array().unwrap().len()), (&Value::Null, 1));
    let errors: Vec<&Value> = zones.iter().map(|zone| &zone["error"]).filter(|error| !error.is_null()).collect();
    assert_eq!(errors.len(), 1, "{planned:#}");
    assert_eq!(errors[0]["kind"], "credentials", "{planned:#}");
    let (message, remedy) = (errors[0]["message"].as_str().unwrap(), errors[0]["remedy"].as_str().unwrap());
    let text = format!("{message}\n{remedy}");
    let shown = project.run_to(1, ["plan"]);
    // Lines are broken on the screen.
    let words = shown.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words.matches(message).count(), 1, "{}", shown.stdout);
    (text, shown)
}

#[test]
fn a_missing_secret_is_an_error_of_its_provider_alone() {
    let Some((project, _bind)) = with_a_file("{ env = \"TSIG_SECRET\" }") else { return };
    insta::assert_snapshot!(refused(&project).0, @r"
    reading the TSIG key of ns (mailzone.toml:4:66): the environment variable TSIG_SECRET is not set
    set it to the secret where mailzone is started
    ");
    let shown = project.run_to(1, ["providers"]).stdout;
    assert!(shown.contains("TSIG_SECRET is not set") && shown.contains("files  zonefile"), "{shown}");
    let given = project.finish(project.command(["plan"]).env("TSIG_SECRET", SECRET)).expect_code(0);
    assert!(!given.stdout.contains("TSIG_SECRET"));
}

#[test]
fn a_wrong_secret_is_one_clear_message() {
    let Some((project, bind)) = with_a_file("{ file = \"tsig.key\" }") else { return };
    project.write("tsig.key", WRONG_SECRET);
    let (text, shown) = refused(&project);
    assert!(!text.contains(WRONG_SECRET) && !shown.stderr.contains(WRONG_SECRET));
    insta::assert_snapshot!(text.replace(&bind.address.to_string(), "[ADDR]"), @r"
    asking [ADDR] for its zones: the server finds the TSIG signature wrong (BADSIG)
    compare the key's secret (`tsig.secret`) with the server's configuration
    ");
    project.run_to(1, ["apply", "--yes"]);
    assert_eq!(bind.ask("_dmarc.example.test", RecordType::TXT), set([]));
    // The other zone was written.
    assert!(project.read("zones/other.test.zone").contains("v=spf1"));
}

#[test]
fn a_secret_that_is_no_key_is_not_repeated() {
    let Some((project, _bind)) = with_a_file("{ file = \"tsig.key\" }") else { return };
    project.write("tsig.key", SECRET_OCTETS);
    let (text, shown) = refused(&project);
    assert!(!shown.stdout.contains("hunter2") && !shown.stderr.contains("hunter2"));
    insta::assert_snapshot!(text, @r"
    reading the TSIG key of ns (mailzone.toml:4:66): what the file tsig.key holds cannot be used: the TSIG secret is not base64
    give the secret alone, in base64, as the server's configuration has it
    ");
}

/// Whatever the program prints, and whatever it leaves on the disk.
#[test]
fn the_secret_is_nowhere() {
    let Some((project, bind)) = project(&[("example.test", zone())], WANTED) else { return };
    let mut seen = Vec::new();
    let mut run = |args: &[&str]| {
        for format in ["text", "json"] {
            let output = project.run([&["-vvv", "--format", format], args].concat());
            assert!(!output.stdout.is_empty(), "{args:?}: {}", output.stderr);
            seen.push((args.join(" "), output.stdout + &output.stderr));
        }
    };
    run(&["plan", "--out", "plan.json"]);
    run(&["providers"]);
    run(&["apply", "--yes", "plan.json"]);
    bind.edit("example.test", "update delete _dmarc.example.test TXT");
    run(&["apply", "--yes"]);
    run(&["history"]);
    run(&["verify"]);
    run(&["lint"]);
    project.write("tsig.key", format!("{SECRET}{SECRET}"));
    run(&["plan"]);
    let mut open = vec![project.root().to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let relative = path.strip_prefix(project.root()).unwrap().display().to_string();
            if path.is_dir() && relative != "bind" {
                open.push(path);
            } else if path.is_file() && relative != "tsig.key" {
                let octets = std::fs::read(&path).unwrap();
                seen.push((relative, String::from_utf8_lossy(&octets).into_owned()));
            }
        }
    }
    assert!(seen.iter().any(|(what, _)| what == "plan.json") && seen.iter().any(|(what, _)| what.contains("journal")));
    for (what, text) in &seen {
        assert!(!text.contains(&SECRET[..16]) && !text.contains("hunter2"), "{what}:\n{text}");
    }
}

#[test]
fn who_asks_no_provider_reads_no_secret() {
    let Some((project, _bind)) = project(&[("example.test", zone())], WANTED) else { return };
    let command = format!("secret = {{ command = [\"sh\", \"-c\", \"echo x >> asked; echo {SECRET}\"] }}");
    project.replace("mailzone.toml", "secret = { file = \"tsig.key\" }", &command);
    // A second provider with the same secret.
    let text = project.read("mailzone.toml");
    let second = text.split("[dns]").next().unwrap().replace("[providers.ns]", "[providers.second]");
    project.write(
        "mailzone.toml",
        format!("{text}{second}[domains.\"a.example.test\"]\nprovider = \"second\"\nspf = \"v=spf1 -all\"\n"),
    );
    for args in [&["lint"][..], &["schema"], &["latency", "example.test"], &["verify"], &["history"]] {
        project.run(args);
        assert!(!project.exists("asked"), "{args:?}");
    }
    project.run_to(0, ["plan"]);
    assert_eq!(project.read("asked"), "x\n");
}
