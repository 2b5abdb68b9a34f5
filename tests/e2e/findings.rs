//! The page of finding codes, made from the tables of the rules.
//!
//! `UPDATE_FINDINGS=1 cargo test -p mailzone --test e2e findings` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use mailzone_mailauth::Severity;
use mailzone_mailauth::rules::{DecidedBy, Rule, TABLES};

const INTRODUCTION: &str = "# Finding codes

<!-- Made from the code: see CONTRIBUTING.md. -->

Each finding has a code, a severity, the name that it is about, what is wrong, what to do, and where a standard says so.
`mailzone lint --explain CODE` shows an entry of this page.

- **error**: mail is lost, refused or forged. **warning**: it works today and may not tomorrow. **info**: worth knowing.
- In a plan a finding is *caused* by the change, *cured* by it, or *present* with and without it. Only guards, and what
  [guards](guards.md) names beside them, stop a zone; findings do not change the exit code of `plan`.
- `severity = { \"SPF-12\" = \"error\" }` in a domain, a group, a profile or the defaults sets another severity; `\"off\"` leaves the
  finding out. An `allow` entry [waives](configuration.md) it for a name, with a reason and a date.

*Decided by* says what it takes: the record's own **values** (`lint`, `plan`, `check`), the **configuration** (`lint`,
`plan`), the difference that a **plan** makes, other **DNS** answers (`plan` unless `--no-look`, `check`), or a
**connection** to a server (likewise). What is decided by **nothing** here needs what mailzone does not have.
";

/// The heading of each table, in their order.
const HEADINGS: [&str; 20] = [
    "SPF",
    "DKIM",
    "DMARC",
    "BIMI",
    "TLS-RPT",
    "MX",
    "MTA-STS",
    "DANE",
    "Client settings",
    "CAA",
    "PTR",
    "DNSSEC",
    "Domains without mail",
    "Bulk mail",
    "Delegation and name servers",
    "Mail servers",
    "Block lists",
    "Missing records",
    "Guards",
    "Others",
];

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    assert_eq!(TABLES.len(), HEADINGS.len());
    for (table, heading) in TABLES.iter().zip(HEADINGS) {
        write!(page, "\n## {heading}\n").unwrap();
        for rule in *table {
            entry(&mut page, rule);
        }
    }
    page
}

fn entry(page: &mut String, rule: &Rule) {
    let severity = match rule.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    let decided = match rule.decided_by {
        DecidedBy::Values => "values".to_owned(),
        DecidedBy::Configuration => "configuration".to_owned(),
        DecidedBy::Plan => "plan".to_owned(),
        DecidedBy::Dns => "DNS".to_owned(),
        DecidedBy::Connection => "connection".to_owned(),
        DecidedBy::Nothing(needs) => format!("nothing: it takes {needs}"),
    };
    write!(page, "\n### {}\n\n**{severity}: {}.** ", rule.code, rule.title).unwrap();
    write!(page, "{} To do: {}.\n\n", rule.explanation, rule.remedy).unwrap();
    writeln!(page, "{} · decided by {decided}", rule.reference).unwrap();
}

#[test]
fn the_page_is_that_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/findings.md");
    let made = page();
    if std::env::var_os("UPDATE_FINDINGS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == made, "docs/findings.md is not what the tables say: UPDATE_FINDINGS=1 writes it anew");
}
