//! TLS-RPT (rule book 6).

use super::{DecidedBy, Rule};
use crate::finding::Severity;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "TLSRPT-01",
        severity: Severity::Error,
        title: "no usable TLS-RPT record",
        explanation: "Senders read exactly one record with the version first and at least one address; anything else counts as none.",
        remedy: "publish one record such as `v=TLSRPTv1; rua=mailto:tls@example.com`",
        reference: "RFC 8460 section 3",
        decided_by: DecidedBy::Values,
    },
    Rule {
        code: "TLSRPT-02",
        severity: Severity::Error,
        title: "a report address of another scheme",
        explanation: "Only `mailto:` and `https:` addresses are used; no report goes to another one.",
        remedy: "write the address as `mailto:` or `https:`",
        reference: "RFC 8460 section 3",
        decided_by: DecidedBy::Values,
    },
    Rule {
        code: "TLSRPT-03",
        severity: Severity::Warning,
        title: "the mail domain of a report address takes no mail",
        explanation: "The domain of the address has neither MX nor addresses, so reports sent there come back.",
        remedy: "name an address whose domain receives mail",
        reference: "RFC 8460 section 3",
        decided_by: DecidedBy::Dns,
    },
    Rule {
        code: "TLSRPT-04",
        severity: Severity::Warning,
        title: "MTA-STS or DANE without TLS-RPT",
        explanation: "Senders that cannot deliver because of the policy have nowhere to say so, and the fault stays unseen.",
        remedy: "publish a TLS-RPT record",
        reference: "RFC 8460 section 1",
        decided_by: DecidedBy::Dns,
    },
    Rule {
        code: "TLSRPT-05",
        severity: Severity::Warning,
        title: "a TLS-RPT record under a wrong name",
        explanation: "Senders look at `_smtp._tls` alone; a record at `_smtp-tlsrpt` or `_tlsrpt` is never read.",
        remedy: "move the record to `_smtp._tls`",
        reference: "RFC 8460 section 3",
        decided_by: DecidedBy::Dns,
    },
];
