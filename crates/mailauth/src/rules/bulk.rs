//! Demands of large receivers on bulk senders (rule book 16).

use super::{DecidedBy, Rule};
use crate::finding::Severity;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "BULK-01",
        severity: Severity::Error,
        title: "a bulk sender without SPF, DKIM or DMARC",
        explanation: "Google, Yahoo and Microsoft refuse bulk mail without all three.",
        remedy: "publish the record that is missing",
        reference: "https://support.google.com/mail/answer/81126",
        decided_by: DecidedBy::Dns,
    },
    Rule {
        code: "BULK-02",
        severity: Severity::Error,
        title: "no aligned way to pass DMARC",
        explanation: "Neither SPF nor DKIM can pass for the domain in From, so bulk mail is refused.",
        remedy: "sign with a key of the domain, or authorise the sending hosts in its SPF record",
        reference: "RFC 9989 section 4.4",
        decided_by: DecidedBy::Dns,
    },
    Rule {
        code: "BULK-03",
        severity: Severity::Error,
        title: "a bulk sender's address without a confirmed reverse name",
        explanation: "Google and Yahoo refuse bulk mail from it.",
        remedy: "set the PTR to a name that has this address",
        reference: "https://support.google.com/mail/answer/81126",
        decided_by: DecidedBy::Dns,
    },
    Rule {
        code: "BULK-04",
        severity: Severity::Warning,
        title: "a DKIM key of 1024 bits",
        explanation: "Accepted, and no longer advised: it is within reach of large attackers.",
        remedy: "make a key of 2048 bits under a new selector",
        reference: "RFC 8301 section 3.2",
        decided_by: DecidedBy::Dns,
    },
    Rule {
        code: "BULK-05",
        severity: Severity::Warning,
        title: "only one of SPF and DKIM aligned",
        explanation: "The one that is left breaks: SPF when mail is forwarded, DKIM when it is changed on the way.",
        remedy: "align the other one too",
        reference: "RFC 9989 section 4.4",
        decided_by: DecidedBy::Dns,
    },
    Rule {
        code: "BULK-06",
        severity: Severity::Error,
        title: "a bulk sender's domain that cannot take replies",
        explanation: "Microsoft wants a From domain that takes mail, and many receivers refuse a domain without MX and address.",
        remedy: "publish an MX",
        reference: "RFC 5321 section 5.1",
        decided_by: DecidedBy::Dns,
    },
];
