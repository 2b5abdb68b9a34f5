//! What a run did to a zone file, line by line.

use std::collections::BTreeSet;

use mailzone_record::zonefile::{Record, ZoneFile};
use mailzone_record::{Name, RecordType};
use serde_json::Value;

use crate::harness::Project;

/// Plan, apply, and a plan that is empty. Each line that goes is one of a value that the plan takes away, or
/// one of the SOA. Gives the lines that go and come, without the serial's.
#[track_caller]
pub(crate) fn settle(project: &Project, zone: &str, args: &[&str]) -> String {
    let before = zone_bytes(project, zone);
    // `--wait` and its value come last, for `plan` has nothing to wait for.
    let planning = &args[..args.iter().position(|arg| *arg == "--wait").unwrap_or(args.len())];
    let plan = plan(project, planning);
    let changes = plan["zones"][0]["changes"].as_array().unwrap().clone();
    assert!(!changes.is_empty(), "nothing to do: {plan:#}");
    project.run_to(0, [&["apply", "--yes"], args].concat());
    let again: Vec<&str> = args.iter().copied().filter(|arg| *arg == "--normalize").collect();
    project.run_to(0, [&["plan", "--detailed-exitcode"], again.as_slice()].concat());
    difference(zone, &before, &zone_bytes(project, zone), &changes)
}

/// `plan` finds nothing to do, and `apply` leaves every octet as it is.
#[track_caller]
pub(crate) fn unchanged(project: &Project, zone: &str) {
    let before = zone_bytes(project, zone);
    project.run_to(0, ["plan", "--detailed-exitcode"]);
    project.run_to(0, ["apply", "--yes"]);
    assert!(before == zone_bytes(project, zone), "the file changed");
}

/// The plan as JSON, whatever its exit code.
#[track_caller]
pub(crate) fn plan(project: &Project, args: &[&str]) -> Value {
    project.run([&["plan", "--format", "json"], args].concat()).json()
}

/// What `apply` says as JSON; this exit code is wanted.
#[track_caller]
pub(crate) fn apply(project: &Project, code: i32, args: &[&str]) -> Value {
    project.run_to(code, [&["apply", "--yes", "--format", "json"], args].concat()).json()
}

pub(crate) fn zone_bytes(project: &Project, zone: &str) -> Vec<u8> {
    std::fs::read(project.path(&format!("zones/{zone}.zone"))).unwrap()
}

/// `name type: outcome` of each change of each zone.
pub(crate) fn outcomes(document: &Value) -> Vec<String> {
    let zones = document["zones"].as_array().unwrap();
    let changes = zones.iter().flat_map(|zone| zone["changes"].as_array().unwrap());
    let line = |change: &Value| {
        let text = |key: &str| change[key].as_str().unwrap_or("?").to_owned();
        format!("{} {}: {}", text("name"), text("type"), text("outcome"))
    };
    changes.map(line).collect()
}

/// The codes of the errors among a zone's findings that this plan causes.
pub(crate) fn guards(zone: &Value) -> Vec<&str> {
    let findings = zone["findings"].as_array().unwrap().iter();
    let guards = findings.filter(|finding| finding["severity"] == "error" && finding["effect"] == "caused");
    guards.filter_map(|finding| finding["code"].as_str()).collect()
}

#[track_caller]
fn difference(zone: &str, before: &[u8], after: &[u8], changes: &[Value]) -> String {
    let (gone, come) = differing_lines(before, after);
    let file = ZoneFile::parse(before, &Name::parse(zone).unwrap()).unwrap();
    let ours = lines_of(before, &file, |record| goes(record, changes));
    let soa = lines_of(before, &file, |record| record.rdata.rtype() == RecordType::SOA);
    let (before, after) = (lines(before), lines(after));
    let mut text = String::new();
    for at in gone {
        // A line that took its owner from one that goes has to name it now, and else stays as it is.
        let inherited = before[at].first().is_some_and(u8::is_ascii_whitespace);
        let rest = before[at].trim_ascii_start();
        let named = inherited && come.iter().any(|&new| after[new] != rest && after[new].ends_with(rest));
        let expected = ours.contains(&at) || soa.contains(&at) || named;
        assert!(expected, "line {} goes: {}", at + 1, shown(before[at]));
        if !soa.contains(&at) {
            text += &format!("- {}\n", shown(before[at]));
        }
    }
    // The one line that comes for the SOA is as the old one but for its digits.
    let of_soa = |at: usize| soa.iter().any(|&old| without_digits(before[old]) == without_digits(after[at]));
    let serial = come.iter().copied().find(|&at| of_soa(at));
    for at in come.into_iter().filter(|at| Some(*at) != serial) {
        text += &format!("+ {}\n", shown(after[at]));
    }
    text
}

/// Whether a change takes the record's value away, or gives its set another TTL.
fn goes(record: &Record, changes: &[Value]) -> bool {
    let value = record.rdata.to_string();
    changes.iter().any(|change| {
        let here = change["name"] == record.owner.to_string().to_lowercase()
            && change["type"] == record.rdata.rtype().to_string();
        let has = |side: &str| {
            change[side]["values"].as_array().is_some_and(|values| values.iter().any(|other| *other == value))
        };
        here && has("before") && (!has("after") || change["after"]["ttl"] != change["before"]["ttl"])
    })
}

fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split(|&byte| byte == b'\n').collect()
}

/// The lines of `a` that go and those of `b` that come, by a longest common subsequence.
fn differing_lines(a: &[u8], b: &[u8]) -> (Vec<usize>, Vec<usize>) {
    let (a, b) = (lines(a), lines(b));
    let mut longest = vec![vec![0_u32; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i][j] =
                if a[i] == b[j] { longest[i + 1][j + 1] + 1 } else { longest[i + 1][j].max(longest[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut gone, mut come) = (0, 0, Vec::new(), Vec::new());
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || (i < a.len() && longest[i + 1][j] >= longest[i][j + 1]) {
            gone.push(i);
            i += 1;
        } else {
            come.push(j);
            j += 1;
        }
    }
    (gone, come)
}

/// The lines, from 0, that the chosen records stand on.
fn lines_of(text: &[u8], file: &ZoneFile, chosen: impl Fn(&Record) -> bool) -> BTreeSet<usize> {
    let line_at = |at: usize| text[..at].iter().filter(|&&byte| byte == b'\n').count();
    let chosen = file.records().iter().filter(|record| chosen(record)).map(Record::span);
    chosen.flat_map(|span| line_at(span.start)..=line_at(span.end.saturating_sub(1).max(span.start))).collect()
}

fn without_digits(line: &[u8]) -> Vec<u8> {
    line.iter().copied().filter(|byte| !byte.is_ascii_digit()).collect()
}

/// A line for a snapshot: other octets than printable ASCII escaped.
fn shown(line: &[u8]) -> String {
    line.iter()
        .map(
            |&byte| {
                if (0x20..0x7f).contains(&byte) {
                    char::from(byte).to_string()
                } else {
                    byte.escape_ascii().to_string()
                }
            },
        )
        .collect()
}
