//! Certificate authorities (rule book 11).

use super::{DecidedBy, Rule};
use crate::finding::Severity;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "CAA-01",
        severity: Severity::Warning,
        title: "a CAA record that authorities cannot take as it is meant",
        explanation: "Flags other than 0 and 128 mean nothing; an unknown property that is critical, or a value that cannot be read, keeps every authority from issuing.",
        remedy: "correct the record",
        reference: "RFC 8659 section 4.1",
        decided_by: DecidedBy::Values,
    },
    Rule {
        code: "CAA-02",
        severity: Severity::Warning,
        title: "\"nobody\" beside an authority",
        explanation: "An authority that is named may issue, whatever the other record says.",
        remedy: "keep one or the other",
        reference: "RFC 8659 section 4.2",
        decided_by: DecidedBy::Values,
    },
    Rule {
        code: "CAA-03",
        severity: Severity::Error,
        title: "CAA forbids the authority in use",
        explanation: "The certificate that a mail host shows is of an authority that may not renew it.",
        remedy: "add the authority, or take a certificate of one that is allowed",
        reference: "RFC 8659 section 3",
        decided_by: DecidedBy::Connection,
    },
    Rule {
        code: "CAA-04",
        severity: Severity::Info,
        title: "no CAA",
        explanation: "Any public authority may issue certificates for the mail hosts.",
        remedy: "publish CAA records with the authorities in use",
        reference: "RFC 8659 section 4",
        decided_by: DecidedBy::Dns,
    },
    Rule {
        code: "CAA-05",
        severity: Severity::Info,
        title: "no `issuemail`",
        explanation: "Any authority may issue S/MIME certificates for addresses of the domain; `issue` does not cover them.",
        remedy: "publish `0 issuemail \";\"` where no S/MIME is used",
        reference: "RFC 9495 section 4",
        decided_by: DecidedBy::Dns,
    },
    Rule {
        code: "CAA-06",
        severity: Severity::Warning,
        title: "an `iodef` that nobody can report to",
        explanation: "Authorities report refused requests by mail or HTTP alone.",
        remedy: "write `mailto:` and an address",
        reference: "RFC 8659 section 4.4",
        decided_by: DecidedBy::Values,
    },
    Rule {
        code: "CAA-07",
        severity: Severity::Info,
        title: "an ACME authority without `accounturi`",
        explanation: "Whoever passes the authority's check, for instance by a moment of control over the web server, gets a certificate with an account of their own.",
        remedy: "add `accounturi` with the URL of your ACME account",
        reference: "RFC 8657 section 3",
        decided_by: DecidedBy::Dns,
    },
];
