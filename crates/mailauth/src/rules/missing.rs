//! Records that a domain with mail ought to have; codes of our own.

use super::{DecidedBy, Rule};
use crate::finding::Severity;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "MISSING-01",
        severity: Severity::Error,
        title: "no SPF record",
        explanation: "Receivers cannot tell who may send for the domain. Google and Yahoo want SPF or DKIM of everybody, and both of bulk senders.",
        remedy: "publish a TXT record such as `v=spf1 mx -all`, or `v=spf1 -all` if the domain sends no mail",
        reference: "RFC 7208 section 3",
        decided_by: DecidedBy::Dns,
    },
    Rule {
        code: "MISSING-02",
        severity: Severity::Error,
        title: "no DMARC record",
        explanation: "Anybody can write the domain into From, and large receivers refuse the mail of bulk senders without it.",
        remedy: "publish `v=DMARC1; p=none; rua=mailto:…` at `_dmarc`, and go on from there",
        reference: "RFC 9989 section 4.10",
        decided_by: DecidedBy::Dns,
    },
];
