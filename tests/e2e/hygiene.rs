//! What reaches standard output, standard error and the disk, and what must not.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::Value;

use crate::harness::{Project, Running, SERVED, zone_text};

/// Octets that move the cursor, ring, colour, turn text around or hide it, as a zone file's character-string.
const HOSTILE: &str = r"\027[31mred\027[0m\007\008\013\010::set-output name=x::y\194\155\226\128\174txet\226\128\139";

/// The same as text, for files.
const HOSTILE_TEXT: &str = "\u{1b}[31mred\u{7}\u{8}\u{9b}2J\u{202e}txet\u{2066}\u{200b}";

/// Whether a terminal would do anything else than show the character.
fn is_harmful(character: char) -> bool {
    let hidden =
        matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    hidden || (character.is_control() && character != '\n')
}

/// Nothing harmful, and no line that a runner would take for a command.
#[track_caller]
fn clean(what: &str, text: &str) {
    if let Some(found) = text.chars().find(|character| is_harmful(*character)) {
        panic!("{what}: {} in\n{}", found.escape_unicode(), text.escape_debug());
    }
    let command = |line: &str| {
        let line = line.trim_start();
        line.starts_with("::") || line.starts_with("##[") || line.starts_with("##vso[")
    };
    if let Some(line) = text.lines().find(|line| command(line)) {
        panic!("{what}: a runner takes this line for a command: {line}");
    }
}

/// Runs a command and wants both its outputs clean and the exit code.
#[track_caller]
fn run_clean(project: &Project, code: i32, args: &[&str]) -> (String, String) {
    let output = project.run_to(code, args);
    let what = args.join(" ");
    clean(&what, &output.stdout);
    clean(&what, &output.stderr);
    (output.stdout, output.stderr)
}

#[test]
fn data_goes_to_standard_output_and_talk_to_standard_error() {
    let project = Project::simple();
    for args in [
        &["plan", "--format", "json"][..],
        &["-v", "plan", "--format", "json"],
        &["-vv", "verify", "--format", "json"],
        &["latency", "example.test", "--format", "json"],
        &["lint", "--format", "json"],
        &["providers", "--format", "json"],
        &["version", "--format", "json"],
        &["schema"],
        &["-vv", "apply", "--yes", "--format", "json"],
        &["history", "--format", "json"],
    ] {
        let output = project.run(args);
        assert!(output.json().is_object(), "{args:?}");
        assert!(output.stdout.ends_with("}\n") && output.stdout.starts_with('{'), "{args:?}: {}", output.stdout);
    }
}

#[test]
fn quiet_is_quiet() {
    let project = Project::simple();
    for args in [&["-q", "plan"][..], &["-q", "apply", "--yes"], &["-q", "verify"], &["-q", "plan", "--out", "p.json"]]
    {
        assert_eq!(project.run_to(0, args).stderr, "", "{args:?}");
    }
}

#[test]
fn the_log_is_text_or_json_on_standard_error() {
    let project = Project::simple();
    let output = project.run_to(0, ["-v", "--log-format", "json", "plan", "--format", "json"]);
    output.json();
    assert_ne!(output.stderr, "");
    for line in output.stderr.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object()), "{line}");
    }
}

#[test]
fn colour_is_asked_for() {
    let project = Project::simple();
    let coloured = |variables: &[(&str, &str)], args: &[&str]| {
        let output = project.finish(project.command(args).envs(variables.iter().copied())).expect_code(0);
        output.stdout.contains("\u{1b}[")
    };
    assert!(!coloured(&[], &["plan"]), "a pipe is no terminal");
    assert!(coloured(&[("CLICOLOR_FORCE", "1")], &["plan"]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "0")], &["plan"]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &["plan"]));
    assert!(coloured(&[("NO_COLOR", "1")], &["--color", "always", "plan"]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1")], &["--color", "never", "plan"]));
    // Only text is coloured.
    for format in ["json", "markdown"] {
        assert!(!coloured(&[], &["--color", "always", "plan", "--format", format]), "{format}");
    }
}

#[test]
fn colour_changes_no_other_byte() {
    let project = Project::simple();
    let plain = project.run_to(0, ["plan"]).stdout;
    let mut stripped = String::new();
    let coloured = project.run_to(0, ["--color", "always", "plan"]).stdout;
    let mut parts = coloured.split("\u{1b}[");
    stripped.push_str(parts.next().unwrap());
    for part in parts {
        stripped.push_str(part.split_once('m').unwrap().1);
    }
    assert_eq!(stripped, plain);
}

#[test]
fn a_closed_standard_output_ends_quietly() {
    // More than a pipe holds, so that the program is still writing when nobody reads any more.
    let records: Vec<String> = (0..3000).map(|at| format!("s{at}._domainkey TXT \"v=DKIM1; p=\"")).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let project = Project::new(
        "[domains.\"example.test\"]\nspf = \"v=spf1 -all\"\n",
        &[("example.test", zone_text("example.test", &records))],
    );
    for args in
        [&["plan", "--full"][..], &["plan", "--format", "json"], &["schema"], &["completions", "bash"], &["--help"]]
    {
        let mut child = project.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(said, "", "{args:?}");
        assert!(matches!(status.code(), Some(0)), "{args:?}: {status}");
    }
}

#[test]
fn what_a_zone_holds_is_escaped() {
    let records = [
        format!("@ TXT \"{HOSTILE}\""),
        format!("@ TXT \"v=spf1 include:{HOSTILE} ~all\""),
        format!("_dmarc TXT \"v=DMARC1; p=none; rua=mailto:{HOSTILE}@example.test\""),
        format!("old._domainkey TXT \"v=DKIM1; n={HOSTILE}; p=\""),
        r"we\027ird\010\.name._domainkey TXT \027".to_owned(),
        "mail A 192.0.2.25 ; \u{1b}[31m\u{7} a comment".to_owned(),
        format!("_smtp._tls TXT \"v=TLSRPTv1; rua=https://{HOSTILE}/\""),
        format!("@ CAA 0 issue \"{HOSTILE}\""),
    ];
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let project = Project::new(
        "[domains.\"example.test\"]\nspf = \"v=spf1 mx -all\"\ndmarc = \"v=DMARC1; p=none; \
         rua=mailto:d@example.test\"\ntls_rpt = { rua = [\"mailto:t@example.test\"] }\ncaa = { issue = \
         [\"ca.example.net\"] }\ndkim.old = \"absent\"\n",
        &[("example.test", zone_text("example.test", &records))],
    );
    let (plan, _) = run_clean(&project, 0, &["plan"]);
    assert!(plan.contains("\\u{1b}") || plan.contains("\\027"), "nothing of the zone is shown at all:\n{plan}");
    run_clean(&project, 0, &["-vv", "plan", "--full"]);
    run_clean(&project, 0, &["plan", "--format", "json"]);
    let (markdown, _) = run_clean(&project, 0, &["plan", "--format", "markdown"]);
    assert!(markdown.contains("spf"), "{markdown}");
    run_clean(&project, 3, &["-vv", "verify"]);
    run_clean(&project, 3, &["verify", "--format", "json"]);
    run_clean(&project, 0, &["-vv", "apply", "--yes", "--allow", "GUARD-SPF-NET", "--allow", "GUARD-DKIM-REMOVED"]);
    run_clean(&project, 0, &["plan", "--full"]);
}

#[test]
fn what_a_broken_zone_file_holds_is_escaped() {
    for line in [format!("www A {HOSTILE_TEXT}"), HOSTILE_TEXT.to_owned(), format!("::error::x A \"{HOSTILE_TEXT}")] {
        let project = Project::new(
            "[domains.\"example.test\"]\nmx = \"null\"\n",
            &[("example.test", zone_text("example.test", &[&line]))],
        );
        for format in ["text", "json", "markdown"] {
            let (plan, _) = run_clean(&project, 1, &["plan", "--format", format]);
            assert!(plan.contains("line 6"), "{format}: {plan}");
        }
        run_clean(&project, 1, &["apply", "--yes"]);
        let mut served = project.start(["serve", "--directory", "zones", "--listen", "127.0.0.1:0"]);
        ended(&mut served);
        clean("serve", &served.finish().stderr);
    }
}

/// Lets a server say all that it has to say, and ends it.
fn ended(served: &mut Running) {
    served.stderr.wait_for("serving");
    served.signal("INT");
}

#[test]
fn what_a_configuration_holds_is_escaped() {
    let project = Project::simple();
    for text in [
        format!("\"k{HOSTILE_TEXT}\" = 1\n"),
        format!("[domains.\"example.test\"]\nspf = \"v=spf1 {HOSTILE_TEXT} -all\"\n"),
        "[domains.\"ex\\u001bample.test\"]\nmx = \"null\"\n".to_owned(),
        "[domains.\"example.test\"]\nprovider = \"\\u001b[31m\\u202e\"\n".to_owned(),
        "[providers.\"\\u0007\"]\ntype = \"\\u001b]0;x\\u0007\"\n".to_owned(),
        format!("[domains.\"example.test\"] # {HOSTILE_TEXT}\nspf = 7 # {HOSTILE_TEXT}\n"),
        "::add-mask::x\n".to_owned(),
    ] {
        project.write("bad.toml", &text);
        let (stdout, stderr) = run_clean(&project, 1, &["plan", "--config", "bad.toml"]);
        assert_eq!(stdout, "", "{text:?}");
        assert!(stderr.contains("error"), "{text:?}: {stderr}");
    }
    let (_, stderr) = run_clean(&project, 1, &["plan", "ex\u{1b}[31mample.test\n::error::x"]);
    assert!(stderr.contains("error"), "{stderr}");
    run_clean(&project, 1, &["plan", "--config", "no\u{1b}[31m\n::error::such.toml"]);
    run_clean(&project, 1, &["apply", "./no\u{1b}[31m\n::error::such.json"]);
    run_clean(&project, 1, &["plan", "--base", "no\u{1b}[31m\n::error::such.toml"]);
    run_clean(&project, 1, &["serve", "--directory", "no\u{1b}[31m\n::error::such"]);
    run_clean(&project, 1, &["plan", "--no\u{1b}[31msuch"]);
    run_clean(&project, 1, &["plan", "--format", "\u{1b}[31m"]);
}

#[test]
fn what_a_configuration_explains_is_escaped() {
    let project = Project::new(
        "[domains.\"example.test\"]\nspf = \"v=spf1 -all\"\n[[domains.\"example.test\".allow]]\ncode = \
         \"GUARD-MX\"\nreason = \"\\u001b[31m\\u202e\\u0007\"\n[[domains.\"example.test\".records]]\nname = \
         \"txt\"\ntype = \"TXT\"\nvalues = ['\"a\\027[31m\\226\\128\\174b\"']\n",
        &[("example.test", zone_text("example.test", &[]))],
    );
    let (explained, _) = run_clean(&project, 0, &["lint", "--explain", "example.test"]);
    assert!(explained.contains("reason") || explained.contains("allow"), "{explained}");
    for format in ["text", "json", "markdown"] {
        let (plan, _) = run_clean(&project, 0, &["plan", "--full", "--format", format]);
        assert!(plan.contains("txt.example.test"), "{plan}");
    }
    run_clean(&project, 0, &["apply", "--yes"]);
}

#[test]
fn reading_makes_no_state_directory() {
    let project = Project::simple();
    project.run_to(0, ["plan"]);
    project.run_to(0, ["plan", "--out", "plan.json"]);
    project.run_to(3, ["verify"]);
    project.run_to(0, ["latency", "example.test"]);
    project.run_to(0, ["lint"]);
    project.run_to(0, ["providers"]);
    project.run_to(0, ["history"]);
    project.run_to(0, ["schema"]);
    project.run_to(1, ["apply"]);
    let entries: Vec<String> = fs::read_dir(project.root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert!(entries.is_empty(), "{entries:?}");
}

#[test]
fn the_state_directory_is_private() {
    let project = Project::simple();
    project.run_to(0, ["apply", "--yes"]);
    let mode = |name: &str| fs::metadata(project.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(".mailzone"), 0o700);
    assert_eq!(mode(".mailzone/locks"), 0o700);
    assert_eq!(project.read(".mailzone/.gitignore"), "*\n");
    assert_eq!(mode(".mailzone/.gitignore"), 0o600);
    assert_eq!(mode(".mailzone/journal.jsonl"), 0o600);
    assert_eq!(mode(".mailzone/locks/example.test@files+example.test.zone.lock"), 0o600);
}

#[test]
fn the_state_directory_is_where_it_is_said_to_be() {
    let beside = Project::empty();
    beside.write("conf/mailzone.toml", format!("{SERVED}\n[domains.\"example.test\"]\nspf = \"v=spf1 -all\"\n"));
    beside.write("conf/zones/example.test.zone", zone_text("example.test", &[]));
    beside.run_to(0, ["--config", "conf/mailzone.toml", "apply", "--yes"]);
    assert!(beside.exists("conf/.mailzone/journal.jsonl") && !beside.exists(".mailzone"));

    let flag = Project::simple();
    flag.run_to(0, ["apply", "--yes", "--state-dir", "state"]);
    assert!(flag.exists("state/journal.jsonl") && !flag.exists(".mailzone"));

    let variable = Project::simple();
    let mut command = variable.command(["apply", "--yes"]);
    variable.finish(command.env("MAILZONE_STATE_DIR", "elsewhere")).expect_code(0);
    assert!(variable.exists("elsewhere/journal.jsonl") && !variable.exists(".mailzone"));

    let both = Project::simple();
    let mut command = both.command(["apply", "--yes", "--state-dir", "state"]);
    both.finish(command.env("MAILZONE_STATE_DIR", "elsewhere")).expect_code(0);
    assert!(both.exists("state/journal.jsonl") && !both.exists("elsewhere"));
}

#[test]
fn configuration_from_standard_input_and_directories() {
    let project = Project::simple();
    let configuration = project.read("mailzone.toml");
    fs::remove_file(project.path("mailzone.toml")).unwrap();
    let output = project.run_with_input(["--config", "-", "apply", "--yes"], configuration.as_bytes()).expect_code(0);
    assert!(output.stdout.contains("1 applied"), "{}", output.stdout);
    assert!(project.exists(".mailzone/journal.jsonl"));

    let (head, tail) = configuration.split_once("[domains").unwrap();
    project.write("conf/10-providers.toml", head.replace("\"zones\"", "\"../zones\""));
    project.write("conf/20-domains.toml", format!("[domains{tail}"));
    project.write("conf/.hidden.toml", "this is no TOML");
    project.write("conf/notes.txt", "nor is this");
    project.write("conf/deeper/more.toml", "nor this");
    project.run_to(0, ["plan", "--config", "conf", "--detailed-exitcode"]);
    let both =
        ["plan", "--config", "conf/10-providers.toml", "--config", "conf/20-domains.toml", "--detailed-exitcode"];
    project.run_to(0, both);
}

#[test]
fn global_flags_may_stand_anywhere() {
    let project = Project::simple();
    project.write("other.toml", project.read("mailzone.toml"));
    fs::remove_file(project.path("mailzone.toml")).unwrap();
    let all = [
        ["--config", "other.toml", "--format", "json", "plan", "example.test"],
        ["plan", "--config", "other.toml", "--format", "json", "example.test"],
        ["--config", "other.toml", "plan", "example.test", "--format", "json"],
        ["plan", "example.test", "--format", "json", "--config", "other.toml"],
    ];
    let documents: Vec<Value> = all.iter().map(|args| without_time(project.run_to(0, args).json())).collect();
    assert!(documents.iter().all(|document| *document == documents[0]));
}

fn without_time(mut document: Value) -> Value {
    document.as_object_mut().unwrap().remove("created").unwrap();
    document
}

#[test]
fn the_same_input_makes_the_same_bytes() {
    let project = Project::empty();
    project.run_to(0, ["try", "project"]);
    let stripped = |text: String| -> String {
        text.lines().filter(|line| !line.trim_start().starts_with("\"created\"")).collect::<Vec<_>>().join("\n")
    };
    // The zones as they were before, so that there are changes.
    for (name, _) in [("example.test", ()), ("parked-one.test", ())] {
        project.write(&format!("project/zones/{name}.zone"), zone_text(name, &["@ TXT token", "@ MX 5 old"]));
    }
    let plan = |format: &str| {
        let args = ["--config", "project/mailzone.toml", "plan", "--format", format];
        stripped(project.run_to(0, args).stdout)
    };
    for format in ["json", "text", "markdown"] {
        let first = plan(format);
        assert!(first.len() > 500, "{first}");
        for _ in 0..3 {
            assert_eq!(plan(format), first);
        }
    }
}

#[test]
fn commands_that_need_no_credentials_run_in_an_empty_environment() {
    let project = Project::simple();
    for (code, args) in [
        (0, &["lint"][..]),
        (0, &["schema"]),
        (0, &["version"]),
        (3, &["verify"]),
        (0, &["latency", "example.test"]),
        (0, &["plan"]),
        (0, &["providers"]),
        (0, &["completions", "zsh"]),
    ] {
        let mut command = project.command(args);
        let output = project.finish(command.env_clear());
        assert_eq!(output.code, code, "{args:?}: {}", output.stderr);
    }
}

#[test]
fn a_read_only_command_writes_nothing_at_all() {
    let project = Project::simple();
    let listing = || {
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        for directory in ["", "zones"] {
            for entry in fs::read_dir(project.path(directory)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    files.push((path.display().to_string(), fs::read(&path).unwrap()));
                }
            }
        }
        files.sort();
        files
    };
    let before = listing();
    project.run_to(0, ["plan"]);
    project.run_to(3, ["verify"]);
    project.run_to(0, ["latency", "example.test"]);
    assert_eq!(listing(), before);
}
