//! What `check` found, as text, Markdown and CSV. Its JSON is [`CheckReport`] itself.

mod csv;
mod markdown;
mod text;

use mailzone_mailauth::Finding;
use serde::Serialize;

pub use csv::csv;
pub use markdown::markdown;
pub use text::text;

/// The audit of some domains.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CheckReport {
    /// In the order asked for.
    pub domains: Vec<CheckedDomain>,
}

/// One domain as a receiver sees it.
#[derive(Debug, Clone, Serialize)]
pub struct CheckedDomain {
    /// Without the closing dot.
    pub domain: String,
    /// How it fares.
    pub scores: Scores,
    /// Sorted: worst first within an area.
    pub findings: Vec<CheckedFinding>,
    /// What was seen, by area.
    pub notes: Vec<CheckedNote>,
    /// What large receivers ask of senders.
    pub checklist: Vec<Demand>,
    /// DNS questions that were sent for it.
    pub questions: u64,
}

/// How a domain fares, 0 to 100 each; `None`: not enough is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of design.md section 8")]
pub struct Scores {
    pub confidentiality: Option<u8>,
    pub phishing: Option<u8>,
    pub integrity: Option<u8>,
}

/// A finding and the area that it belongs to.
#[derive(Debug, Clone, Serialize)]
pub struct CheckedFinding {
    /// `spf`, `mx`, `delegation`.
    pub area: &'static str,
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
}

/// Something seen.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct CheckedNote {
    pub area: &'static str,
    pub subject: String,
    pub text: String,
}

/// What a large receiver asks of senders, and whether it is met.
#[derive(Debug, Clone, Serialize)]
pub struct Demand {
    /// `Google`.
    pub receiver: String,
    /// "SPF and DKIM".
    pub demand: String,
    /// Whether.
    pub state: DemandState,
    /// Why it is so.
    pub why: String,
}

/// Whether a demand is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the variants say it")]
pub enum DemandState {
    Met,
    NotMet,
    Unknown,
}

/// Areas in the order of a report, with their headings.
pub(crate) const AREAS: [(&str, &str); 17] = [
    ("delegation", "Delegation and name servers"),
    ("dnssec", "DNSSEC"),
    ("mx", "Mail exchangers (MX)"),
    ("ptr", "Addresses and their names (PTR)"),
    ("smtp", "Mail servers (SMTP)"),
    ("spf", "SPF"),
    ("dkim", "DKIM"),
    ("dmarc", "DMARC"),
    ("mta_sts", "MTA-STS"),
    ("tls_rpt", "TLS-RPT"),
    ("dane", "DANE (TLSA)"),
    ("bimi", "BIMI"),
    ("caa", "CAA"),
    ("client_settings", "Client settings (SRV)"),
    ("parked", "A domain without mail"),
    ("bulk", "Bulk mail"),
    ("blocklists", "Block lists"),
];

impl Scores {
    /// Each with its name, in the order of a report.
    pub(crate) fn named(&self) -> [(&'static str, Option<u8>); 3] {
        [
            ("confidentiality", self.confidentiality),
            ("phishing and identity theft", self.phishing),
            ("integrity", self.integrity),
        ]
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use mailzone_mailauth::Severity;

    use super::*;

    /// Two domains: one with a little of everything, one with nothing to say.
    pub(crate) fn report() -> CheckReport {
        let finding = |area, code: &str, severity, message: &str| CheckedFinding {
            area,
            finding: Finding::new(code, severity, "example.com", message, "mend it", "RFC 7208 section 4.5"),
        };
        let note = |area, subject: &str, text: &str| CheckedNote { area, subject: subject.into(), text: text.into() };
        let demand = |receiver: &str, state, why: &str| Demand {
            receiver: receiver.into(),
            demand: "SPF and DKIM".into(),
            state,
            why: why.into(),
        };
        CheckReport {
            domains: vec![
                CheckedDomain {
                    domain: "example.com".into(),
                    scores: Scores { confidentiality: Some(60), phishing: Some(95), integrity: None },
                    findings: vec![
                        finding("spf", "SPF-01", Severity::Error, "two SPF records, \"=cmd\""),
                        finding("spf", "SPF-27", Severity::Info, "exists with a macro"),
                        finding("mx", "MX-05", Severity::Warning, "one host | one address"),
                    ],
                    notes: vec![
                        note("mx", "example.com", "10 mail.example.com 192.0.2.25"),
                        note("spf", "example.com", "v=spf1 -all\u{1b}[2J"),
                    ],
                    checklist: vec![
                        demand("Google", DemandState::Met, ""),
                        demand("Yahoo", DemandState::NotMet, "no DKIM key is known"),
                        demand("Microsoft", DemandState::Unknown, "the DNS did not answer"),
                    ],
                    questions: 41,
                },
                CheckedDomain {
                    domain: "quiet.example".into(),
                    scores: Scores::default(),
                    findings: vec![],
                    notes: vec![],
                    checklist: vec![],
                    questions: 3,
                },
            ],
        }
    }
}
