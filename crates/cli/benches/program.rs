//! The built program on large inputs: `cargo bench -p mailzone --bench program`.
//!
//! Inputs are made in a temporary directory. Each command runs several times as a child; shown are the median, the
//! shortest and the longest time, and the largest peak memory. Figures and what they mean: `docs/performance.md`.

#![expect(clippy::print_stdout, reason = "a table is what it is for")]

mod measure;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use measure::{DIFFERENCES, DONE, Outcome, bench, load, run};

const PLAN: &[&str] = &["plan", "--no-look", "--detailed-exitcode"];
const APPLY: &[&str] = &["apply", "--no-look", "--yes", "--wait", "none"];

fn main() -> Outcome<()> {
    // `cargo test --all-targets` runs this too, without the argument: nothing to do then.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    println!("load before: {}", load());
    println!("\n{:44}{:>10}{:>10}{:>10}{:>10}", "", "median", "min", "max", "peak");

    bench("version", 41, directory.path(), &["version"], DONE, || Ok(()))?;

    let many = directory.path().join("many");
    many_zones(&many, 1_000, 50)?;
    bench("plan, 1,000 zones of 50 RRsets, all change", 7, &many, PLAN, DIFFERENCES, || Ok(()))?;
    run(&many, APPLY, DONE)?;
    bench("plan, the same after apply: no change", 7, &many, PLAN, DONE, || Ok(()))?;

    let large = directory.path().join("large");
    let zone = large_zone(&large, 100_000)?;
    let write = || Ok(fs::write(large.join("zones/large.test.zone"), &zone)?);
    bench("plan, a zone of 100,000 records", 7, &large, PLAN, DIFFERENCES, write)?;
    bench("apply, the same", 7, &large, APPLY, DONE, write)?;
    bench("plan, the same after apply: no change", 7, &large, PLAN, DONE, || Ok(()))?;

    let group = directory.path().join("group");
    domains_file(&group, 10_000)?;
    bench("lint, 10,000 domains in a file", 7, &group, &["lint"], DONE, || Ok(()))?;
    let tables = directory.path().join("tables");
    domain_tables(&tables, 10_000)?;
    bench("lint, 10,000 domains with tables", 7, &tables, &["lint"], DONE, || Ok(()))?;
    let one = &["lint", "--explain", "d00500.test"];
    bench("load alone, the same (lint --explain)", 7, &tables, one, DONE, || Ok(()))?;

    println!("\nload after: {}", load());
    Ok(())
}

const HEAD: &str =
    "[providers.files]\ntype = \"zonefile\"\ndirectory = \"zones\"\n\n[defaults]\nprovider = \"files\"\n";

const SOA: &str = "$TTL 3600\n@ IN SOA ns.elsewhere.test. admin.elsewhere.test. 1 7200 3600 1209600 300\n";

/// Zone files of `rrsets` RRsets each, with an SPF and a DMARC record that the configuration wants otherwise, and a
/// foreign token beside the SPF record.
fn many_zones(directory: &Path, zones: usize, rrsets: usize) -> Outcome<()> {
    fs::create_dir_all(directory.join("zones"))?;
    let mut names = String::new();
    for number in 0..zones {
        let name = format!("z{number:05}.test");
        let mut text = format!("$ORIGIN {name}.\n{SOA}");
        text.push_str("@ IN NS ns.elsewhere.test.\n@ IN MX 10 mail.elsewhere.test.\n");
        text.push_str("@ IN TXT \"v=spf1 mx ~all\"\n@ IN TXT \"site-verification=0123456789abcdef\"\n");
        text.push_str("_dmarc IN TXT \"v=DMARC1; p=none\"\n");
        for host in 5..rrsets {
            writeln!(text, "host{host} IN A 192.0.2.{}", host % 250)?;
        }
        fs::write(directory.join(format!("zones/{name}.zone")), text)?;
        writeln!(names, "{name}")?;
    }
    fs::write(directory.join("names.txt"), names)?;
    let group = "spf = { mx = true, ip4 = [\"192.0.2.0/24\"], all = \"~\" }\n\
         dmarc = { policy = \"none\", rua = [\"mailto:dmarc@z00000.test\"] }\n\
         [groups.all]\ndomains_file = \"names.txt\"\n";
    Ok(fs::write(directory.join("mailzone.toml"), format!("{HEAD}{group}"))?)
}

/// One zone with `records` records of addresses; its text, to be written anew before each apply.
fn large_zone(directory: &Path, records: usize) -> Outcome<String> {
    fs::create_dir_all(directory.join("zones"))?;
    let mut text = format!("$ORIGIN large.test.\n{SOA}@ IN NS ns.elsewhere.test.\n@ IN MX 10 mail.elsewhere.test.\n");
    text.push_str("@ IN TXT \"v=spf1 mx ~all\"\n@ IN TXT \"site-verification=0123456789abcdef\"\n");
    for host in 5..records {
        writeln!(text, "host{host} IN A 192.0.2.{}", host % 250)?;
    }
    let domain = "[domains.\"large.test\"]\n\
         spf = { mx = true, ip4 = [\"192.0.2.0/24\"], all = \"~\" }\n\
         dmarc = { policy = \"none\", rua = [\"mailto:dmarc@large.test\"] }\n";
    fs::write(directory.join("mailzone.toml"), format!("{HEAD}{domain}"))?;
    Ok(text)
}

/// A group of parked domains from a file.
fn domains_file(directory: &Path, domains: usize) -> Outcome<()> {
    fs::create_dir_all(directory.join("zones"))?;
    let names: String = (0..domains).map(|number| format!("d{number:05}.test\n")).collect();
    fs::write(directory.join("parked.txt"), names)?;
    let group = "[groups.parked]\nprofiles = [\"parked\"]\ndomains_file = \"parked.txt\"\n";
    Ok(fs::write(directory.join("mailzone.toml"), format!("{HEAD}{group}"))?)
}

/// A table of its own for each domain.
fn domain_tables(directory: &Path, domains: usize) -> Outcome<()> {
    fs::create_dir_all(directory.join("zones"))?;
    let mut text = HEAD.to_owned();
    for number in 0..domains {
        writeln!(text, "[domains.\"d{number:05}.test\"]")?;
        writeln!(text, "mx = [{{ preference = 10, host = \"mail.elsewhere.test\" }}]")?;
        writeln!(text, "spf = {{ mx = true, ip4 = [\"192.0.2.{}\"], all = \"~\" }}", number % 250)?;
        writeln!(text, "dmarc = {{ policy = \"none\", rua = [\"mailto:dmarc@d{number:05}.test\"] }}")?;
    }
    Ok(fs::write(directory.join("mailzone.toml"), text)?)
}
