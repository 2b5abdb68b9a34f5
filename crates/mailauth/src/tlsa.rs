//! DANE for mail servers (RFC 6698, RFC 7671, RFC 7672).

use std::collections::BTreeSet;

use mailzone_record::{Name, Rdata, RecordType, Tlsa};

use crate::finding::{Finding, Severity};
use crate::kind::{Class, Difference, Equality, Kind, KindId, LiveSlot, Recognition};
use crate::set::{self, Sets};

/// The kind `tlsa`: the whole RRset at `_port._proto.host`.
///
/// Classes: the first records tighten (TLS becomes mandatory), the last going loosens; where none stays
/// of those that were there it breaks; records that come are neutral, those that go tighten.
#[derive(Debug, Clone, Copy)]
pub struct TlsAssociations;

impl Kind for TlsAssociations {
    fn id(&self) -> KindId {
        KindId::Tlsa
    }

    fn recognise(&self, rdata: &Rdata) -> Recognition {
        if matches!(rdata, Rdata::Tlsa(_)) { Recognition::Candidate } else { Recognition::Foreign }
    }

    fn equal(&self, _owner: &Name, a: &[&Rdata], b: &[&Rdata]) -> Equality {
        set::equal(a, b, set::folded)
    }

    fn difference(&self, owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Difference {
        if let Some(none) = set::unchanged(self.equal(owner, before, after)) {
            return none;
        }
        let sets = Sets::of(before, after, set::folded);
        let class = match (before.is_empty(), after.is_empty()) {
            (true, _) => Class::Tightens,
            (_, true) => Class::Loosens,
            _ if sets.kept == 0 => Class::Breaks,
            _ => sets.class(),
        };
        let term = |value: &Rdata| value.rtype().to_string().to_ascii_lowercase();
        Difference { class, details: sets.details(term, Rdata::to_string) }
    }

    fn describe(&self, rdata: &Rdata) -> String {
        let Rdata::Tlsa(tlsa) = rdata else { return rdata.to_string() };
        let usage = match tlsa.usage {
            0 => "PKIX-TA".to_owned(),
            1 => "PKIX-EE".to_owned(),
            2 => "DANE-TA (issuer)".to_owned(),
            3 => "DANE-EE (server)".to_owned(),
            other => format!("usage {other}"),
        };
        let selector = match tlsa.selector {
            0 => "whole certificate".to_owned(),
            1 => "public key".to_owned(),
            other => format!("selector {other}"),
        };
        let data = data_encoding::HEXLOWER.encode(tlsa.data.get(..4).unwrap_or(&tlsa.data));
        let matching = match tlsa.matching {
            0 => format!("{} octets", tlsa.data.len()),
            1 => format!("SHA-256 {data}…"),
            2 => format!("SHA-512 {data}…"),
            other => format!("matching {other}"),
        };
        format!("{usage}, {selector}, {matching}")
    }

    /// `GUARD-TLSA`: none of the records that were there stays, so a server whose certificate has not
    /// changed yet matches nothing, and senders that do DANE defer its mail. What the server shows is
    /// not known here.
    fn guards(&self, owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Vec<Finding> {
        let had: Vec<&Rdata> = before.iter().copied().filter(|value| matches!(value, Rdata::Tlsa(_))).collect();
        let sets = Sets::of(&had, after, set::folded);
        if had.is_empty() || sets.kept > 0 {
            return Vec::new();
        }
        let message = if after.is_empty() {
            "the last TLSA record goes: senders no longer demand a genuine certificate"
        } else {
            "no TLSA record that was there stays: publish the next one beside it before the certificate changes"
        };
        vec![Finding::guard("GUARD-TLSA", owner.to_lowercase().to_string(), message, "RFC 7671 section 8.1")]
    }

    fn lint(&self, owner: &Name, values: &[&Rdata]) -> Vec<Finding> {
        let subject = owner.to_lowercase().to_string();
        let smtp = owner.labels().next() == Some(b"_25");
        let all: BTreeSet<&Tlsa> = values
            .iter()
            .filter_map(|value| match value {
                Rdata::Tlsa(tlsa) => Some(tlsa),
                _ => None,
            })
            .collect();
        let mut found = Vec::new();
        for tlsa in &all {
            let numbers = format!("{} {} {}", tlsa.usage, tlsa.selector, tlsa.matching);
            for (problem, remedy) in problems(tlsa, smtp) {
                let message = format!("`{numbers}`: {problem}");
                let reference = "RFC 7672 section 3.1";
                found.push(Finding::new("DANE-02", Severity::Error, subject.as_str(), message, remedy, reference));
            }
            if tlsa.usage == 3 && tlsa.selector == 0 {
                let message = format!("`{numbers}` names the whole certificate: it changes with each renewal");
                let (remedy, reference) = ("write `3 1 1` and keep the key", "RFC 7671 section 5.1");
                found.push(Finding::new("DANE-09", Severity::Info, subject.as_str(), message, remedy, reference));
            }
        }
        if all.len() == 1 {
            let message = "only one TLSA record: no room to change the key";
            let remedy = "publish the next key beside it, or the issuer's as `2 1 1`";
            let reference = "RFC 7671 section 8.1";
            found.push(Finding::new("DANE-04", Severity::Warning, subject.as_str(), message, remedy, reference));
        }
        found
    }

    /// The key is the port's labels, such as `_25._tcp`; the domain is the host.
    fn slot_at(&self, owner: &Name, rtype: RecordType, values: &[&Rdata]) -> Option<LiveSlot> {
        if rtype != RecordType::TLSA || values.is_empty() {
            return None;
        }
        let mut labels = owner.labels().map(|label| String::from_utf8_lossy(label).to_ascii_lowercase());
        let port = labels.next().filter(|l| l.strip_prefix('_').is_some_and(|port| port.parse::<u16>().is_ok()))?;
        let protocol = labels.next().filter(|l| matches!(l.as_str(), "_tcp" | "_udp" | "_sctp"))?;
        let domain = owner.parent()?.parent().filter(|host| !host.is_root())?;
        Some(LiveSlot { domain, key: Some(format!("{port}.{protocol}")) })
    }
}

/// Why a record is unusable, and what helps.
fn problems(tlsa: &Tlsa, smtp: bool) -> Vec<(String, &'static str)> {
    let mut problems = Vec::new();
    match tlsa.usage {
        0 | 1 if smtp => problems.push(("mail servers ignore usage 0 and 1".to_owned(), "write usage 3 or 2")),
        0..=3 => {}
        _ => problems.push(("unknown usage".to_owned(), "write usage 3 or 2")),
    }
    if tlsa.selector > 1 {
        problems.push(("unknown selector".to_owned(), "write 1 for the public key"));
    }
    let (wanted, remedy) = match tlsa.matching {
        0 if tlsa.data.is_empty() => (Some(1), "write the certificate or key in hexadecimal digits"),
        0 => (None, ""),
        1 => (Some(32), "write the SHA-256 digest in 64 hexadecimal digits"),
        2 => (Some(64), "write the SHA-512 digest in 128 hexadecimal digits"),
        _ => {
            problems.push(("unknown matching type".to_owned(), "write 1 for SHA-256"));
            (None, "")
        }
    };
    if let Some(wanted) = wanted.filter(|wanted| *wanted != tlsa.data.len()) {
        problems.push((format!("{} octets of data instead of {wanted}", tlsa.data.len()), remedy));
    }
    problems
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kind::Detail;
    use crate::set::tests::{laws, name, refs};

    fn tlsa(usage: u8, selector: u8, matching: u8, fill: u8, length: usize) -> Rdata {
        Rdata::Tlsa(Tlsa { usage, selector, matching, data: vec![fill; length] })
    }

    fn set_of(fills: &[u8]) -> Vec<Rdata> {
        fills.iter().map(|&fill| tlsa(3, 1, 1, fill, 32)).collect()
    }

    fn owner() -> Name {
        name("_25._tcp.Mail.example.com")
    }

    #[test]
    fn classes_and_guard() {
        for (a, b, class, guarded) in [
            (&[1][..], &[1][..], Class::Neutral, false),
            (&[1, 2], &[2, 1], Class::Neutral, false),
            (&[], &[1], Class::Tightens, false),
            (&[1], &[1, 2], Class::Neutral, false),
            (&[1, 2], &[2], Class::Tightens, false),
            (&[1, 2], &[2, 3], Class::Mixed, false),
            (&[1], &[2], Class::Breaks, true),
            (&[1], &[], Class::Loosens, true),
        ] {
            let (a, b) = (set_of(a), set_of(b));
            assert_eq!(TlsAssociations.difference(&owner(), &refs(&a), &refs(&b)).class, class, "{a:?} {b:?}");
            assert_eq!(!TlsAssociations.guards(&owner(), &refs(&a), &refs(&b)).is_empty(), guarded, "{a:?} {b:?}");
        }
        let (a, b) = ([tlsa(3, 1, 1, 1, 2)], [tlsa(3, 1, 1, 2, 2)]);
        let expected = [Detail::changed("tlsa", "3 1 1 0101", "3 1 1 0202")];
        assert_eq!(TlsAssociations.difference(&owner(), &refs(&a), &refs(&b)).details, expected);
    }

    #[test]
    fn lints() {
        let codes = |owner: &Name, values: &[Rdata]| -> String {
            let found = TlsAssociations.lint(owner, &refs(values));
            found.iter().map(|finding| finding.code.trim_start_matches("DANE-")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(codes(&owner(), &set_of(&[1, 2])), "");
        assert_eq!(codes(&owner(), &set_of(&[1])), "04");
        assert_eq!(codes(&owner(), &[tlsa(1, 1, 1, 1, 32), tlsa(2, 1, 2, 1, 64)]), "02");
        assert_eq!(codes(&name("_443._tcp.a.b"), &[tlsa(1, 1, 1, 1, 32), tlsa(2, 1, 2, 1, 64)]), "");
        assert_eq!(codes(&owner(), &[tlsa(3, 1, 1, 1, 31), tlsa(4, 2, 3, 1, 0)]), "02 02 02 02");
        assert_eq!(codes(&owner(), &[tlsa(3, 0, 0, 1, 900), tlsa(3, 1, 0, 1, 0)]), "09 02");
    }

    #[test]
    fn slots_and_words() {
        let values = set_of(&[0xab]);
        let at = |name: &Name| TlsAssociations.slot_at(name, RecordType::TLSA, &refs(&values));
        let slot = at(&owner()).unwrap();
        assert_eq!((slot.domain, slot.key.as_deref()), (name("mail.example.com"), Some("_25._tcp")));
        assert_eq!(at(&name("mail.example.com")), None);
        assert_eq!(at(&name("_25._tcp")), None);
        assert_eq!(TlsAssociations.describe(&values[0]), "DANE-EE (server), public key, SHA-256 abababab…");
    }

    proptest! {
        #[test]
        fn holds_the_laws(sets in prop::array::uniform3(prop::collection::vec(
            (0u8..5, 0u8..3, 0u8..4, prop::collection::vec(0u8..2, 0..3)), 0..3,
        ))) {
            let sets = sets.map(|set| {
                let values = set.into_iter().map(|(usage, selector, matching, data)| Tlsa { usage, selector, matching, data });
                values.map(Rdata::Tlsa).collect::<Vec<_>>()
            });
            laws(&TlsAssociations, &owner(), [&sets[0], &sets[1], &sets[2]]);
        }
    }
}
