//! The finding codes: what each means, how bad it is, what to do, and where the standard says so.
//!
//! The codes are those of the project's rule book. `docs/findings.md` is made from these tables.

mod bimi;
mod blocklist;
mod bulk;
mod caa;
mod dane;
mod delegation;
mod dkim;
mod dmarc;
mod dnssec;
mod guards;
mod missing;
mod mta_sts;
mod mx;
mod own;
mod park;
mod ptr;
mod smtp;
mod spf;
mod srv;
mod tls_rpt;

use crate::finding::Severity;

/// One finding code.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The identifier: `SPF-02`.
    pub code: &'static str,
    /// How bad it is, unless a finding or the configuration says otherwise.
    pub severity: Severity,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// Why it matters: what a receiver does then.
    pub explanation: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
    /// The standard's section, such as `RFC 7208 section 4.5`.
    pub reference: &'static str,
    /// What it takes to decide it.
    pub decided_by: DecidedBy,
}

/// What it takes to decide a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecidedBy {
    /// The record's own values: `lint`, `plan` and `check`.
    Values,
    /// The configuration: `lint` and `plan`.
    Configuration,
    /// The difference that a plan makes: `plan` and `apply`.
    Plan,
    /// Other DNS answers: `plan` unless `--no-look`, and `check`.
    Dns,
    /// A connection to a server (HTTPS, SMTP): `plan` unless `--no-look`, and `check`.
    Connection,
    /// What mailzone does not have; the words say what it would take. No command decides it.
    Nothing(&'static str),
}

/// Every rule, by area. A new code is one entry in its area's table.
pub const TABLES: &[&[Rule]] = &[
    spf::RULES,
    dkim::RULES,
    dmarc::RULES,
    bimi::RULES,
    tls_rpt::RULES,
    mx::RULES,
    mta_sts::RULES,
    dane::RULES,
    srv::RULES,
    caa::RULES,
    ptr::RULES,
    dnssec::RULES,
    park::RULES,
    bulk::RULES,
    delegation::RULES,
    smtp::RULES,
    blocklist::RULES,
    missing::RULES,
    guards::RULES,
    own::RULES,
];

/// Every rule, in the order of the tables.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    TABLES.iter().copied().flatten()
}

/// The rule of this code.
pub fn rule(code: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.code == code)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_code_once_and_complete() {
        let mut seen = BTreeSet::new();
        for rule in all() {
            assert!(seen.insert(rule.code), "{} twice", rule.code);
            for text in [rule.title, rule.explanation, rule.remedy, rule.reference] {
                assert!(!text.is_empty(), "{} has an empty text", rule.code);
            }
            assert!(!rule.title.ends_with('.') && !rule.remedy.ends_with('.'), "{}: fragments have no stop", rule.code);
        }
        assert!(rule("SPF-00").is_none());
    }
}
