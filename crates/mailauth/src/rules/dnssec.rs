//! DNSSEC (rule book 14).

use super::{DecidedBy, Rule};
use crate::finding::Severity;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "DNSSEC-01",
        severity: Severity::Error,
        title: "DNSSEC does not validate",
        explanation: "At validating resolvers the domain does not exist: mail is deferred, and SPF, DKIM and DMARC end in temporary errors.",
        remedy: "let the provider sign again, or remove the DS at the registrar",
        reference: "RFC 4035 section 5",
        decided_by: DecidedBy::Connection,
    },
    Rule {
        code: "DNSSEC-02",
        severity: Severity::Error,
        title: "a DS without its key",
        explanation: "The parent vouches for a key that the zone does not have, so no signature can be valid.",
        remedy: "publish the DS of a key in use at the registrar",
        reference: "RFC 4035 section 2.4",
        decided_by: DecidedBy::Connection,
    },
    Rule {
        code: "DNSSEC-03",
        severity: Severity::Warning,
        title: "signatures that end within three days",
        explanation: "If nobody signs again in time the zone fails to validate.",
        remedy: "see why the signer does not renew them",
        reference: "RFC 6781 section 4.4.2",
        decided_by: DecidedBy::Connection,
    },
    Rule {
        code: "DNSSEC-04",
        severity: Severity::Info,
        title: "the zone is not signed",
        explanation: "Answers can be forged on the way, and DANE is not possible.",
        remedy: "sign the zone and publish the DS",
        reference: "RFC 4033 section 2",
        decided_by: DecidedBy::Connection,
    },
    Rule {
        code: "DNSSEC-05",
        severity: Severity::Warning,
        title: "TLSA records, but the way to them is not signed",
        explanation: "Senders use TLSA records only if the MX and the addresses of its hosts are secure too.",
        remedy: "sign the domain and the zone of its mail hosts",
        reference: "RFC 7672 section 2.2.1",
        decided_by: DecidedBy::Connection,
    },
    Rule {
        code: "DNSSEC-06",
        severity: Severity::Warning,
        title: "an outdated algorithm",
        explanation: "Validators begin to treat SHA-1 signatures and digests as if the zone were unsigned.",
        remedy: "move to algorithm 13 or 8 and to a DS with SHA-256",
        reference: "RFC 8624 section 3.1",
        decided_by: DecidedBy::Connection,
    },
];
