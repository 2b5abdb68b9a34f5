//! Reverse names of mail hosts' addresses (RFC 1035 section 3.5, RFC 3596 section 2.5).

use std::net::IpAddr;

use mailzone_record::{Name, Rdata};

use crate::finding::{Finding, Severity};
use crate::kind::{Difference, Equality, Kind, KindId, Recognition};
use crate::set::{self, Sets};

/// The kind `ptr`: the whole RRset at an address's reverse name.
///
/// Classes: a name that comes is neutral, one that goes tightens, both is mixed, the last going
/// breaks (receivers refuse addresses without a name). Live PTR records are not listed as slots: most
/// belong to hosts that have nothing to do with mail.
#[derive(Debug, Clone, Copy)]
pub struct Pointers;

/// The name at which an address has its PTR: `1.2.0.192.in-addr.arpa.`, or 32 nibbles under `ip6.arpa.`
pub fn reverse_name(address: IpAddr) -> Name {
    let mut wire = Vec::with_capacity(74);
    let mut label = |text: &str| {
        // Invariant: the labels below have 1 to 7 octets.
        wire.push(text.len() as u8);
        wire.extend_from_slice(text.as_bytes());
    };
    match address {
        IpAddr::V4(v4) => {
            v4.octets().iter().rev().for_each(|octet| label(&octet.to_string()));
            label("in-addr");
        }
        IpAddr::V6(v6) => {
            for octet in v6.octets().iter().rev() {
                label(&format!("{:x}", octet & 15));
                label(&format!("{:x}", octet >> 4));
            }
            label("ip6");
        }
    }
    label("arpa");
    wire.push(0);
    // The wire form above is well-formed and at most 74 octets long.
    Name::from_wire(&wire).unwrap_or_else(|_| Name::root())
}

impl Kind for Pointers {
    fn id(&self) -> KindId {
        KindId::Ptr
    }

    fn recognise(&self, rdata: &Rdata) -> Recognition {
        if matches!(rdata, Rdata::Ptr(_)) { Recognition::Candidate } else { Recognition::Foreign }
    }

    fn equal(&self, _owner: &Name, a: &[&Rdata], b: &[&Rdata]) -> Equality {
        set::equal(a, b, set::folded)
    }

    fn difference(&self, owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Difference {
        if let Some(none) = set::unchanged(self.equal(owner, before, after)) {
            return none;
        }
        let sets = Sets::of(before, after, set::folded);
        let term = |value: &Rdata| value.rtype().to_string().to_ascii_lowercase();
        Difference { class: sets.class(), details: sets.details(term, Rdata::to_string) }
    }

    fn describe(&self, rdata: &Rdata) -> String {
        match rdata {
            Rdata::Ptr(name) => format!("is {}", name.to_text_without_dot()),
            other => other.to_string(),
        }
    }

    fn lint(&self, owner: &Name, values: &[&Rdata]) -> Vec<Finding> {
        let subject = owner.to_lowercase().to_string();
        let targets: std::collections::BTreeSet<&Name> = values
            .iter()
            .filter_map(|value| match value {
                Rdata::Ptr(name) => Some(name),
                _ => None,
            })
            .collect();
        let mut found = Vec::new();
        if targets.len() > 1 {
            let message = format!("{} names for one address: receivers may look at any of them", targets.len());
            let remedy = "keep the name with which the host greets";
            found.push(Finding::new("PTR-03", Severity::Warning, &*subject, message, remedy, "RFC 1912 section 2.1"));
        }
        for target in targets.iter().filter(|name| name.labels().any(|label| label.contains(&b'_'))) {
            let message = format!("{} is no host name: it has an underscore", target.to_text_without_dot());
            let remedy = "rename the host";
            found.push(Finding::new("PTR-06", Severity::Error, &*subject, message, remedy, "RFC 1123 section 2.1"));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kind::Class;
    use crate::set::tests::{laws, name, refs};

    fn set_of(text: &str) -> Vec<Rdata> {
        text.split_whitespace().map(|target| Rdata::Ptr(name(target))).collect()
    }

    #[test]
    fn reverse_names() {
        assert_eq!(reverse_name("192.0.2.25".parse().unwrap()).to_string(), "25.2.0.192.in-addr.arpa.");
        assert_eq!(
            reverse_name("2001:db8::25".parse().unwrap()).to_string(),
            "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa."
        );
    }

    #[test]
    fn classes_and_lints() {
        let owner = name("25.2.0.192.in-addr.arpa");
        for (a, b, class) in [
            ("", "mail.example", Class::Neutral),
            ("Mail.example", "mail.EXAMPLE", Class::Cosmetic),
            ("a.example", "mail.example", Class::Mixed),
            ("a.example mail.example", "mail.example", Class::Tightens),
            ("a.example", "", Class::Breaks),
        ] {
            let (a, b) = (set_of(a), set_of(b));
            assert_eq!(Pointers.difference(&owner, &refs(&a), &refs(&b)).class, class, "{a:?} {b:?}");
        }
        let codes = |text: &str| -> Vec<String> {
            Pointers.lint(&owner, &refs(&set_of(text))).into_iter().map(|f| f.code).collect()
        };
        assert!(codes("mail.example MAIL.example").is_empty());
        assert_eq!(codes("a_b.example mail.example"), ["PTR-03", "PTR-06"]);
    }

    proptest! {
        #[test]
        fn reverse_names_are_whole(bits in any::<u128>(), v4 in any::<u32>()) {
            prop_assert_eq!(reverse_name(IpAddr::V6(bits.into())).label_count(), 34);
            prop_assert_eq!(reverse_name(IpAddr::V4(v4.into())).label_count(), 6);
        }

        #[test]
        fn holds_the_laws(sets in prop::array::uniform3(prop::collection::vec("[aA]\\.[bB]|c\\.d", 0..3))) {
            let sets = sets.map(|set| set_of(&set.join(" ")));
            laws(&Pointers, &name("25.2.0.192.in-addr.arpa"), [&sets[0], &sets[1], &sets[2]]);
        }
    }
}
