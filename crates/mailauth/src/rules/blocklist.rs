//! Block lists.

use super::{DecidedBy, Rule};
use crate::finding::Severity;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "RBL-01",
        severity: Severity::Error,
        title: "on a block list",
        explanation: "Receivers that use the list refuse the mail or score it as spam.",
        remedy: "find out what was sent, stop it, then ask for removal at the page of the list",
        reference: "RFC 5782 section 2.1",
        decided_by: DecidedBy::Dns,
    },
    Rule {
        code: "RBL-02",
        severity: Severity::Info,
        title: "a block list that gave no verdict",
        explanation: "The list refuses this resolver, or did not answer: whether the address is on it is not known.",
        remedy: "ask with a resolver of your own, or look at the page of the list",
        reference: "RFC 5782 section 5",
        decided_by: DecidedBy::Dns,
    },
];
