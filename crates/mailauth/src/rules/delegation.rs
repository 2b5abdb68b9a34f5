//! Delegation, name servers, their latency (rule book 22 and 23).

use super::{DecidedBy, Rule};
use crate::finding::Severity;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "PROP-01",
        severity: Severity::Error,
        title: "a name server that does not answer for the zone",
        explanation: "A part of the look-ups fails or waits: mail is deferred, and changes are seen by some and not by others.",
        remedy: "repair the server, or take it out of the delegation",
        reference: "RFC 1912 section 2.8",
        decided_by: DecidedBy::Connection,
    },
    Rule {
        code: "PROP-02",
        severity: Severity::Error,
        title: "parent and zone name different servers",
        explanation: "Which servers are asked depends on what a resolver saw first.",
        remedy: "make the NS records at the registrar and in the zone the same",
        reference: "RFC 1034 section 4.2.2",
        decided_by: DecidedBy::Connection,
    },
    Rule {
        code: "PROP-03",
        severity: Severity::Warning,
        title: "name servers with different serials",
        explanation: "While it lasts, a change is seen by some and not by others. Some services number each server by itself.",
        remedy: "see whether zone transfers work",
        reference: "RFC 1034 section 4.3.5",
        decided_by: DecidedBy::Connection,
    },
    Rule {
        code: "PROP-04",
        severity: Severity::Warning,
        title: "name servers that fail together",
        explanation: "With one server, or all in one network, one fault takes the domain off the Internet, and its mail with it.",
        remedy: "use two servers or more in different networks",
        reference: "RFC 2182 section 3.1",
        decided_by: DecidedBy::Connection,
    },
    Rule {
        code: "PROP-05",
        severity: Severity::Warning,
        title: "a name server without TCP",
        explanation: "Answers over some 1200 octets, long DKIM keys among them, need TCP.",
        remedy: "let TCP to port 53 through",
        reference: "RFC 7766 section 5",
        decided_by: DecidedBy::Connection,
    },
    Rule {
        code: "DELEG-01",
        severity: Severity::Warning,
        title: "the delegation does not lead to the provider",
        explanation: "What is written there is served by nobody, or by a part of the servers.",
        remedy: "make the delegation at the registrar the same as the provider's list",
        reference: "RFC 1034 section 4.2.2",
        decided_by: DecidedBy::Connection,
    },
    Rule {
        code: "DELEG-02",
        severity: Severity::Warning,
        title: "a fault of the delegation",
        explanation: "Resolvers find the servers late, by detours, or not at all.",
        remedy: "correct the delegation at the registrar",
        reference: "RFC 1912 section 2.8",
        decided_by: DecidedBy::Connection,
    },
    Rule {
        code: "LATENCY-01",
        severity: Severity::Warning,
        title: "slow name servers",
        explanation: "SPF and DKIM ask one thing after another within a time limit of the receiver. When each answer is slow, the result is a temporary error.",
        remedy: "use a provider with servers near the receivers",
        reference: "RFC 7208 section 4.6.4",
        decided_by: DecidedBy::Connection,
    },
];
