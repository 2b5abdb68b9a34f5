//! Client set-up: SRV, autodiscover, autoconfig (rule book 10).

use super::{DecidedBy, Rule};
use crate::finding::Severity;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "SRV-01",
        severity: Severity::Error,
        title: "the host of a client service is an alias or has no address",
        explanation: "Mail clients that set themselves up by SRV find no server.",
        remedy: "name a host with addresses of its own",
        reference: "RFC 2782",
        decided_by: DecidedBy::Dns,
    },
    Rule {
        code: "SRV-02",
        severity: Severity::Warning,
        title: "\"not offered\" beside a server",
        explanation: "The target `.` says that the service is not offered; beside other records clients may believe either.",
        remedy: "keep one or the other",
        reference: "RFC 2782",
        decided_by: DecidedBy::Dns,
    },
    Rule {
        code: "SRV-03",
        severity: Severity::Warning,
        title: "a service without TLS alone",
        explanation: "Clients are led to IMAP or POP3 where TLS is optional, and no record offers the one with TLS from the start.",
        remedy: "publish `_imaps._tcp` or `_pop3s._tcp`",
        reference: "RFC 8314 section 5.1",
        decided_by: DecidedBy::Dns,
    },
    Rule {
        code: "SRV-04",
        severity: Severity::Warning,
        title: "no `_submissions._tcp`",
        explanation: "Submission with TLS from the start (port 465) is preferred since 2018; clients that look for it alone find nothing.",
        remedy: "publish `_submissions._tcp` with port 465",
        reference: "RFC 8314 section 5.1",
        decided_by: DecidedBy::Dns,
    },
    Rule {
        code: "SRV-05",
        severity: Severity::Info,
        title: "the host of a client service is in another domain",
        explanation: "Without DNSSEC clients cannot know that the host is meant: they ask their users, unless the certificate names the mail domain.",
        remedy: "name a host in the mail domain, or sign the zone",
        reference: "RFC 6186 section 6",
        decided_by: DecidedBy::Dns,
    },
    Rule {
        code: "SRV-06",
        severity: Severity::Info,
        title: "autodiscover by name and by SRV",
        explanation: "Outlook asks for the name first; with different targets it depends on the client which one wins.",
        remedy: "keep one of the two",
        reference: "RFC 2782",
        decided_by: DecidedBy::Dns,
    },
];
