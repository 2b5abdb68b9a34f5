//! Many domains and large zones.

use std::fmt::Write as _;
use std::fs;
use std::process::Stdio;

use crate::harness::{Project, zone_text};

const FILES: &str = "[providers.files]\ntype = \"zonefile\"\ndirectory = \"zones\"\n[defaults]\nprovider = \"files\"\n";

/// What the largest zone may cost, in KiB.
const MEMORY_LIMIT: u64 = 150 * 1024;

#[test]
fn five_thousand_parked_domains_are_shown_in_under_sixty_lines() {
    let project = Project::empty();
    project.write(
        "mailzone.toml",
        format!("{FILES}[groups.parked]\nprofiles = [\"parked\"]\ndomains_file = \"parked.txt\"\n"),
    );
    let mut names = String::new();
    for n in 0..5000 {
        // Three forms of zones; names of every length, so that nothing lines up by chance.
        let name = format!("{}{n}.example", "park".repeat(1 + n % 5));
        let extra: &[&str] = match n % 3 {
            0 => &[],
            1 => &["@ A 192.0.2.1", "www CNAME @"],
            _ => &["@ TXT \"a token\""],
        };
        project.write(&format!("zones/{name}.zone"), zone_text(&name, extra));
        writeln!(names, "{name}").unwrap();
    }
    project.write("parked.txt", names);
    let plan = project.run_to(2, ["plan", "--detailed-exitcode"]);
    assert!(plan.stdout.contains("5000"), "{}", plan.stdout);
    assert!(plan.stdout.lines().count() < 60, "{}", plan.stdout);
    assert!(!project.exists(".mailzone"));
}

/// Runs the program and gives the most memory that it had at a time, in KiB, as the system counts it.
fn peak(project: &Project, args: &[&str], code: i32) -> u64 {
    let mut child = project.command(args).stdout(Stdio::null()).spawn().unwrap();
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = fs::read_to_string(&status_file).unwrap_or_default();
        let high = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(high.unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            assert_eq!(status.code(), Some(code), "{args:?}");
            assert!(peak > 0);
            return peak;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// Plan, apply, and a plan that is empty, for a zone of so many records; all but ours stay.
fn large_zone(records: usize) {
    let mut zone = zone_text("example.test", &["@ TXT \"v=spf1 ~all\"", "_dmarc TXT \"v=DMARC1; p=none\""]);
    for n in 0..records / 4 {
        let _ = writeln!(zone, "host{n} IN A 192.0.2.{}", n % 250);
        let _ = writeln!(zone, "host{n} IN AAAA 2001:db8::{n:x}");
        let _ = writeln!(zone, "host{n} IN TXT \"owner of host {n}\" \"and a second string\" ; a comment");
        let _ = writeln!(zone, "alias{n} IN CNAME host{n}");
    }
    let project = Project::empty();
    let config = "[domains.\"example.test\"]\nspf = \"v=spf1 -all\"\ntls_rpt = { rua = [\"mailto:t@example.test\"] }\n";
    project.write("mailzone.toml", format!("{FILES}{config}"));
    project.write("zones/example.test.zone", &zone);
    for (args, code) in [
        (&["plan", "--detailed-exitcode"][..], 2),
        (&["apply", "--yes", "--wait", "none"], 0),
        (&["plan", "--detailed-exitcode"], 0),
    ] {
        let peak = peak(&project, args, code);
        assert!(peak < MEMORY_LIMIT, "{args:?} of {records} records needs {peak} KiB");
    }
    let after = project.read("zones/example.test.zone");
    let others = |text: &str| {
        let ours = |line: &&str| line.contains("v=spf1") || line.contains("TLSRPTv1") || line.contains("SOA");
        text.lines().filter(|line| !ours(line)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(others(&zone) == others(&after), "another line changed");
}

#[test]
fn a_zone_of_a_hundred_thousand_records() {
    large_zone(100_000);
}
