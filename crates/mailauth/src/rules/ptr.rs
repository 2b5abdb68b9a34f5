//! Reverse names of sending addresses (rule book 12).

use super::{DecidedBy, Rule};
use crate::finding::Severity;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "PTR-01",
        severity: Severity::Error,
        title: "a sending address without a reverse name",
        explanation: "Most receivers refuse or defer mail from it.",
        remedy: "set the PTR at who assigns the address, usually the hosting company",
        reference: "RFC 1912 section 2.1",
        decided_by: DecidedBy::Dns,
    },
    Rule {
        code: "PTR-02",
        severity: Severity::Error,
        title: "a reverse name that does not lead back",
        explanation: "The name that the PTR gives has other addresses, so it proves nothing: receivers treat the address as one without a name.",
        remedy: "publish the address under that name first, then set the PTR",
        reference: "RFC 8601 section 3",
        decided_by: DecidedBy::Dns,
    },
    Rule {
        code: "PTR-03",
        severity: Severity::Warning,
        title: "several reverse names for one address",
        explanation: "Receivers may look at any of them, and at another one each time.",
        remedy: "keep the name with which the host greets",
        reference: "RFC 1912 section 2.1",
        decided_by: DecidedBy::Values,
    },
    Rule {
        code: "PTR-04",
        severity: Severity::Warning,
        title: "a generic reverse name",
        explanation: "Names made of the address, or with words such as `dyn` or `pool`, look like an access line; receivers score or refuse them.",
        remedy: "set the PTR to the name of the mail host",
        reference: "RFC 1912 section 2.1",
        decided_by: DecidedBy::Dns,
    },
    Rule {
        code: "PTR-05",
        severity: Severity::Warning,
        title: "the host greets with another name than its reverse name",
        explanation: "Receivers compare the two; a difference costs trust.",
        remedy: "let the server say the name of its PTR in HELO",
        reference: "RFC 5321 section 4.1.4",
        decided_by: DecidedBy::Dns,
    },
    Rule {
        code: "PTR-06",
        severity: Severity::Error,
        title: "a reverse name that is no proper host name",
        explanation: "A PTR names a host: no alias, no underscore. Some receivers do not follow further.",
        remedy: "name the host itself",
        reference: "RFC 1123 section 2.1",
        decided_by: DecidedBy::Dns,
    },
    Rule {
        code: "PTR-07",
        severity: Severity::Warning,
        title: "a sending IPv6 address without a reverse name",
        explanation: "Google and others refuse mail over IPv6 from such an address.",
        remedy: "set the PTR, or send over IPv4",
        reference: "RFC 1912 section 2.1",
        decided_by: DecidedBy::Dns,
    },
];
