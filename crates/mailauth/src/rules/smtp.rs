//! Mail servers at port 25.

use super::{DecidedBy, Rule};
use crate::finding::Severity;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "SMTP-01",
        severity: Severity::Error,
        title: "a mail exchanger that cannot be reached",
        explanation: "It does not listen, refuses, or does not greet: mail waits at its senders, and comes back after some days.",
        remedy: "see whether the server runs and port 25 is open",
        reference: "RFC 5321 section 3.1",
        decided_by: DecidedBy::Connection,
    },
    Rule {
        code: "SMTP-02",
        severity: Severity::Warning,
        title: "no STARTTLS",
        explanation: "Mail to the server travels unprotected, and senders that demand TLS do not deliver.",
        remedy: "switch TLS on in the mail server",
        reference: "RFC 3207 section 2",
        decided_by: DecidedBy::Connection,
    },
    Rule {
        code: "SMTP-03",
        severity: Severity::Warning,
        title: "the certificate is not valid for the host",
        explanation: "Most senders deliver all the same, and cannot tell the server from an attacker. Those that demand a valid one do not deliver.",
        remedy: "install a certificate of a public authority for the MX name",
        reference: "RFC 7817 section 3",
        decided_by: DecidedBy::Connection,
    },
    Rule {
        code: "SMTP-04",
        severity: Severity::Info,
        title: "the greeting does not name the host",
        explanation: "Receivers and public checkers compare the name in the greeting with the host and its reverse name.",
        remedy: "let the server greet with its own full name",
        reference: "RFC 5321 section 4.2",
        decided_by: DecidedBy::Connection,
    },
    Rule {
        code: "SMTP-05",
        severity: Severity::Warning,
        title: "an outdated TLS version",
        explanation: "TLS before 1.2 is broken and switched off at many senders.",
        remedy: "allow TLS 1.2 and 1.3",
        reference: "RFC 8996 section 2",
        decided_by: DecidedBy::Connection,
    },
    Rule {
        code: "SMTP-06",
        severity: Severity::Error,
        title: "STARTTLS is offered and fails",
        explanation: "Many senders do not try again without TLS: the mail waits.",
        remedy: "see the server's log for the handshake, usually a missing certificate or no common cipher",
        reference: "RFC 3207 section 4.1",
        decided_by: DecidedBy::Connection,
    },
];
