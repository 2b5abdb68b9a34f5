//! `apply` killed at every step that changes the disk, and two at once of which one holds.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use mailzone_record::Name;
use mailzone_record::zonefile::ZoneFile;

use crate::harness::{Project, zone_text};

/// Aborted, as the harness tells it: 128 and the signal.
const ABORTED: i32 = 134;

/// More steps than any run takes.
const MANY: usize = 500;

const FOREIGN: &[&str] = &["@ TXT \"a token\" ; with a comment", "www A 192.0.2.80", "\tA 192.0.2.81"];

/// Two stages: the policy waits for SPF.
fn site() -> Project {
    let records = [FOREIGN, &["@ TXT \"v=spf1 ~all\"", "_dmarc TXT \"v=DMARC1; p=none\""]].concat();
    Project::new(
        "[domains.\"example.test\"]\nspf = \"v=spf1 -all\"\ndmarc = { policy = \"quarantine\" }\n",
        &[("example.test", zone_text("example.test", &records))],
    )
}

/// The zone file is a zone and holds every foreign line.
fn assert_whole(project: &Project, at: usize) -> String {
    let text = project.read("zones/example.test.zone");
    let file = ZoneFile::parse(text.as_bytes(), &Name::parse("example.test").unwrap());
    let file = file.unwrap_or_else(|error| panic!("step {at}: {error}\n{text}"));
    assert_eq!(file.records().len(), 8, "step {at}: {text}");
    for line in FOREIGN {
        assert!(text.lines().any(|found| found == *line), "step {at}: {line} is gone:\n{text}");
    }
    text
}

#[test]
fn crash_at_every_step() {
    let mut states = Vec::new();
    for at in 1..MANY {
        let project = site();
        let mut command = project.command(["apply", "--yes"]);
        let output = project.finish(command.env("MAILZONE_CRASH_AT", at.to_string()));
        let text = assert_whole(&project, at);
        let state = (text.contains("v=spf1 -all"), text.contains("p=quarantine"));
        if !states.contains(&state) {
            states.push(state);
        }
        if output.code == 0 {
            // Never the policy before what it relies on.
            assert_eq!(states, [(false, false), (true, false), (true, true)]);
            assert!(at > 20, "only {at} steps");
            println!("{at} runs");
            return;
        }
        assert_eq!(output.code, ABORTED, "step {at}: {}{}", output.stdout, output.stderr);
        project.run_to(0, ["history"]);
        project.run_to(0, ["apply", "--yes"]);
        assert_whole(&project, at);
        project.run_to(0, ["plan", "--detailed-exitcode"]);
        let left: Vec<String> = fs::read_dir(project.path("zones"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.ends_with(".lock") && name != ".keep" && name != "example.test.zone")
            .collect();
        assert!(left.is_empty() || state == (true, true), "step {at}: {left:?}");
    }
    panic!("no run completed");
}

#[test]
fn crash_points_hold_one_of_two() {
    let mut refused = 0;
    for at in 1..MANY {
        let project = site();
        let held = project.path("held");
        let mut command = project.command(["apply", "--yes"]);
        command.env("MAILZONE_HOLD_AT", at.to_string()).env("MAILZONE_HOLD_FILE", &held);
        let mut first = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let ended = loop {
            if fs::read_to_string(&held).is_ok_and(|text| text == "held\n") {
                break None;
            }
            if let Some(status) = first.try_wait().unwrap() {
                break Some(status);
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        if let Some(status) = ended {
            // It never came to this step: all were seen.
            assert!(status.success());
            assert!(refused > 10, "the second was refused {refused} times only");
            return;
        }
        let second = project.run(["apply", "--yes"]);
        fs::remove_file(&held).unwrap();
        let first = first.wait().unwrap().code();
        // Before it has the lock the first may find that the second was faster.
        match second.code {
            5 => {
                refused += 1;
                assert_eq!(first, Some(0), "step {at}");
            }
            0 => assert!([Some(0), Some(5)].contains(&first), "step {at}: {first:?}"),
            code => panic!("step {at}: {code} {}", second.stderr),
        }
        assert_whole(&project, at);
        project.run_to(0, ["plan", "--detailed-exitcode"]);
    }
    panic!("no run completed");
}
