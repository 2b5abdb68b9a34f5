//! BIMI (rule book 7).

use super::{DecidedBy, Rule};
use crate::finding::Severity;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "BIMI-01",
        severity: Severity::Error,
        title: "no usable BIMI record",
        explanation: "It does not parse, or several stand at one name: no logo is shown.",
        remedy: "write one record `v=BIMI1; l=https://…; a=https://…`",
        reference: "draft-brand-indicators-for-message-identification section 4.2",
        decided_by: DecidedBy::Values,
    },
    Rule {
        code: "BIMI-02",
        severity: Severity::Error,
        title: "DMARC does not enforce",
        explanation: "Logos are shown only for domains whose DMARC policy is `quarantine` or `reject` for all mail, sub-domains included, and not in test mode.",
        remedy: "bring DMARC to `quarantine` or `reject` first",
        reference: "draft-brand-indicators-for-message-identification section 3.1",
        decided_by: DecidedBy::Dns,
    },
    Rule {
        code: "BIMI-03",
        severity: Severity::Error,
        title: "not https",
        explanation: "Logo and certificate are fetched over https alone.",
        remedy: "serve the file over https and name that URL",
        reference: "draft-brand-indicators-for-message-identification section 4.2",
        decided_by: DecidedBy::Values,
    },
    Rule {
        code: "BIMI-04",
        severity: Severity::Warning,
        title: "no mark certificate",
        explanation: "Gmail and Apple show the logo only with one.",
        remedy: "name the certificate (VMC or CMC) in `a`",
        reference: "draft-brand-indicators-for-message-identification section 4.2",
        decided_by: DecidedBy::Values,
    },
    Rule {
        code: "BIMI-05",
        severity: Severity::Warning,
        title: "the logo cannot be used",
        explanation: "It is not reachable, over 32 KiB, or no SVG Tiny PS: receivers show none.",
        remedy: "serve an SVG Tiny PS file of at most 32 KiB at the URL",
        reference: "draft-brand-indicators-for-message-identification section 4.2",
        decided_by: DecidedBy::Connection,
    },
    Rule {
        code: "BIMI-06",
        severity: Severity::Warning,
        title: "CAA forbids the mark certificate's issuer",
        explanation: "`issuevmc` in the CAA set does not name the authority that issued the certificate: it cannot be renewed.",
        remedy: "add the authority to `issuevmc`",
        reference: "RFC 8659 section 4",
        decided_by: DecidedBy::Connection,
    },
];
