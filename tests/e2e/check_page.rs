//! The pages of `check` and `simulate`: the table of scores, made from the code, and every command that they show.
//!
//! `UPDATE_CHECK=1 cargo test -p mailzone --test e2e check_page` writes the table anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use mailzone_audit::{Measure, ScoreArea, WEIGHTS};
use mailzone_observe::{Budget, CONNECTIONS, MAX_DOCUMENT, MAX_POLICY, MAX_SERVERS, PER_MAIL_SERVER, QUESTIONS};

use crate::check_peers::{Authority, World, WorldZone, closed_port, project};

const BEGIN: &str = "<!-- The table up to \"end\" is made from the code: UPDATE_CHECK=1 cargo test -p mailzone --test e2e \
                     check_page writes it anew. -->\n";
const END: &str = "<!-- end -->\n";

fn page(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(page(name)).unwrap()
}

fn table() -> String {
    let mut table = "\n| area | measure | points | which |\n|---|---|---|---|\n".to_owned();
    for weight in WEIGHTS {
        let area = match weight.area {
            ScoreArea::Confidentiality => "confidentiality",
            ScoreArea::Phishing => "phishing and identity theft",
            ScoreArea::Integrity => "integrity",
        };
        let measure = match weight.measure {
            Measure::StartTls => "STARTTLS",
            Measure::Certificate => "certificate",
            Measure::TlsVersion => "TLS version",
            Measure::MtaSts => "MTA-STS",
            Measure::Dane => "DANE",
            Measure::TlsRpt => "TLS-RPT",
            Measure::Spf => "SPF",
            Measure::Dkim => "DKIM",
            Measure::Dmarc => "DMARC",
            Measure::Dnssec => "DNSSEC",
            Measure::Caa => "CAA",
            Measure::Delegation => "name servers",
            other => panic!("{other:?} has no name on the page"),
        };
        writeln!(table, "| {area} | {measure} | {} | {} |", weight.points, weight.explanation).unwrap();
    }
    table + "\n"
}

#[test]
fn the_table_of_scores_is_current() {
    let text = read("check.md");
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let current = format!("{before}{BEGIN}{}{END}{after}", table());
    if std::env::var_os("UPDATE_CHECK").is_some() {
        std::fs::write(page("check.md"), &current).unwrap();
    }
    assert!(read("check.md") == current, "docs/check.md is out of date: UPDATE_CHECK=1 writes its table anew");
}

#[test]
fn the_limits_are_those_of_the_code() {
    let text = read("check.md").replace('\n', " ");
    for limit in [
        format!("at most {QUESTIONS} DNS questions"),
        format!("{} other looks", Budget::LOOKS),
        format!("{MAX_SERVERS} name servers"),
        format!("{CONNECTIONS} connections at a time, {PER_MAIL_SERVER} to one mail server"),
        format!("up to {} KiB", MAX_POLICY >> 10),
        format!("up to {} MiB", MAX_DOCUMENT >> 20),
    ] {
        assert!(text.contains(&limit), "{limit}");
    }
}

/// The commands in blocks of shell lines.
fn commands(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            line if inside => found.push(line),
            _ => {}
        }
    }
    found
}

#[test]
fn every_command_that_is_shown_works() {
    let records = ["@ MX 0 .", "@ TXT \"v=spf1 ip4:192.0.2.7 -all\"", "_dmarc TXT \"v=DMARC1; p=reject\""];
    let mut zones =
        ["example.com", "example.net", "parked.example", "shop.example"].map(|o| WorldZone::new(o, &records));
    // One has an error.
    zones[1].records.push("@ TXT \"v=spf1 -all\"".to_owned());
    let world = World::new(&zones);
    let list = "[sender.office]\naddresses = [\"192.0.2.7\"]\nfrom = \"example.com\"\n";
    let project = project(&world, &Authority::new("Test"), closed_port(), closed_port(), list);
    project.write("senders.toml", list.replace("office", "shop"));
    project.write("domains.txt", "example.com\nexample.net # another\n");
    let message = std::fs::read("../../tests/fixtures/dkim/messages/dkimpy-rfc6376.signed.msg").unwrap();
    project.write("message.eml", message);
    let program = Path::new(env!("CARGO_BIN_EXE_mailzone")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut seen = 0;
    for name in ["check.md", "simulate.md"] {
        for line in commands(&read(name)) {
            let mut shell = project.shell(line);
            let out = project.finish(shell.env("PATH", &path));
            // 4: something was found, or the mail fails; a pipe has the code of its last part.
            assert!(
                matches!(out.code, 0 | 4) && !out.stderr.contains("error:"),
                "{line}: {}\n{}",
                out.code,
                out.stderr
            );
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen}");
}
