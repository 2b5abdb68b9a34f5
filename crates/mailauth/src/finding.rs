//! What a lint, a guard or a check found.

use serde::{Deserialize, Serialize};

/// One result of a rule (`design.md` section 8).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// The rule's identifier: `SPF-02`, `GUARD-MX`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// Whether the planned change causes it, cures it, or leaves it.
    pub effect: Effect,
    /// The owner name, slot or host that it is about.
    pub subject: String,
    /// What is wrong, one sentence.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
    /// The standard's section, such as `RFC 7208 section 4.5`.
    pub reference: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Mail is lost, refused or forged.
    Error,
    /// It works today and may not tomorrow.
    Warning,
    /// Worth knowing.
    Info,
}

/// What the planned change has to do with a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// True only after the change.
    Caused,
    /// True only before the change.
    Cured,
    /// True with and without it.
    Present,
}

impl Finding {
    /// A finding with effect `present`.
    pub fn new(
        code: &str,
        severity: Severity,
        subject: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
        reference: impl Into<String>,
    ) -> Self {
        Self {
            code: code.to_owned(),
            severity,
            effect: Effect::Present,
            subject: subject.into(),
            message: message.into(),
            remedy: remedy.into(),
            reference: reference.into(),
        }
    }

    /// A guard: an error that a change causes. The planner sets the remedy to the line that allows it.
    pub fn guard(
        code: &str,
        subject: impl Into<String>,
        message: impl Into<String>,
        reference: impl Into<String>,
    ) -> Self {
        Self { effect: Effect::Caused, ..Self::new(code, Severity::Error, subject, message, "", reference) }
    }
}
