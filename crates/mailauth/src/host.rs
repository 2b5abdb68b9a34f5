//! Addresses of mail hosts (A and AAAA).

use mailzone_record::{Name, Rdata};

use crate::finding::Finding;
use crate::kind::{Difference, Equality, Kind, KindId, Recognition};
use crate::set::{self, Sets};

/// The kind `hosts`: one family's whole RRset.
///
/// Classes: addresses that come are neutral, those that go tighten, both is mixed, the last going
/// breaks. A live address record alone does not make a mail host, so nothing is listed as a slot.
#[derive(Debug, Clone, Copy)]
pub struct Hosts;

impl Kind for Hosts {
    fn id(&self) -> KindId {
        KindId::Hosts
    }

    fn recognise(&self, rdata: &Rdata) -> Recognition {
        if matches!(rdata, Rdata::A(_) | Rdata::Aaaa(_)) { Recognition::Candidate } else { Recognition::Foreign }
    }

    fn equal(&self, _owner: &Name, a: &[&Rdata], b: &[&Rdata]) -> Equality {
        set::equal(a, b, set::folded)
    }

    fn difference(&self, owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Difference {
        if let Some(none) = set::unchanged(self.equal(owner, before, after)) {
            return none;
        }
        let sets = Sets::of(before, after, set::folded);
        let term = |value: &Rdata| match value {
            Rdata::A(_) => "ipv4".to_owned(),
            Rdata::Aaaa(_) => "ipv6".to_owned(),
            other => other.rtype().to_string().to_ascii_lowercase(),
        };
        Difference { class: sets.class(), details: sets.details(term, Rdata::to_string) }
    }

    fn describe(&self, rdata: &Rdata) -> String {
        rdata.to_string()
    }

    /// `GUARD-HOST`: mail to or from an address that goes is lost or refused.
    fn guards(&self, owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Vec<Finding> {
        let gone = Sets::of(before, after, set::folded).gone;
        let addresses: Vec<String> =
            gone.iter().filter(|v| self.recognise(v) == Recognition::Candidate).map(ToString::to_string).collect();
        if addresses.is_empty() {
            return Vec::new();
        }
        let message = format!("the mail host loses {}", addresses.join(", "));
        vec![Finding::guard("GUARD-HOST", owner.to_lowercase().to_string(), message, "RFC 5321 section 5.1")]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kind::{Class, Detail};
    use crate::set::tests::{laws, name, refs};

    fn set_of(text: &str) -> Vec<Rdata> {
        let address = |a: &str| match a.parse().unwrap() {
            std::net::IpAddr::V4(v4) => Rdata::A(v4),
            std::net::IpAddr::V6(v6) => Rdata::Aaaa(v6),
        };
        text.split_whitespace().map(address).collect()
    }

    #[test]
    fn classes_and_guard() {
        let owner = name("mail.example.com");
        for (a, b, class, guard) in [
            ("192.0.2.1 192.0.2.2", "192.0.2.2 192.0.2.1", Class::Neutral, None),
            ("192.0.2.1", "192.0.2.1 192.0.2.2", Class::Neutral, None),
            ("192.0.2.1 192.0.2.2", "192.0.2.2", Class::Tightens, Some("the mail host loses 192.0.2.1")),
            ("2001:db8::1", "2001:db8::2", Class::Mixed, Some("the mail host loses 2001:db8::1")),
            ("192.0.2.1", "", Class::Breaks, Some("the mail host loses 192.0.2.1")),
            ("", "192.0.2.1", Class::Neutral, None),
        ] {
            let (a, b) = (set_of(a), set_of(b));
            assert_eq!(Hosts.difference(&owner, &refs(&a), &refs(&b)).class, class, "{a:?} {b:?}");
            let guards = Hosts.guards(&owner, &refs(&a), &refs(&b));
            assert_eq!(guards.first().map(|finding| finding.message.as_str()), guard, "{a:?} {b:?}");
        }
        let (a, b) = (set_of("2001:db8::1"), set_of("2001:DB8:0::2"));
        let expected = [Detail::changed("ipv6", "2001:db8::1", "2001:db8::2")];
        assert_eq!(Hosts.difference(&owner, &refs(&a), &refs(&b)).details, expected);
    }

    proptest! {
        #[test]
        fn holds_the_laws(sets in prop::array::uniform3(prop::collection::vec(0u32..4, 0..4))) {
            let sets = sets.map(|set| set.into_iter().map(|n| Rdata::A(n.into())).collect::<Vec<_>>());
            laws(&Hosts, &name("mail.example.com"), [&sets[0], &sets[1], &sets[2]]);
        }
    }
}
