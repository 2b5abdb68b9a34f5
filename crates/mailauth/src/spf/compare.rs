//! When two records are alike (rule book 2.4), and what a record authorises.

use std::collections::{BTreeSet, HashSet};

use mailzone_record::Name;

use super::domain::DomainSpec;
use super::network::{Coverage, Network};
use super::record::{DualCidr, Mechanism, Modifier, Qualifier, Record, TermKind};
use crate::kind::Equality;

/// A record at an owner name, with all that no receiver can tell apart written one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meaning {
    /// In order, those after `all` too.
    directives: Vec<(Qualifier, Mechanism)>,
    redirect: Option<DomainSpec>,
    exp: Option<DomainSpec>,
    /// Receivers ignore them, those of RFC 6652 excepted.
    others: BTreeSet<Modifier>,
}

/// What happens to a client that no mechanism matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// `all`, or neutral where there is none (RFC 7208 section 4.7).
    Result(Qualifier),
    Redirect(DomainSpec),
}

/// Neighbouring directives with one qualifier: their order has no effect on the result.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    qualifier: Qualifier,
    networks: Coverage,
    others: BTreeSet<Mechanism>,
}

impl Record {
    /// How alike two records at `owner` are: `Same` (E1), `Equivalent` (E2) or `Different`.
    pub fn equality(&self, other: &Self, owner: &Name) -> Equality {
        let (a, b) = (Meaning::of(self, owner), Meaning::of(other, owner));
        if a == b {
            Equality::Same
        } else if a.end() == b.end() && a.exp == b.exp && a.others == b.others && a.runs() == b.runs() {
            Equality::Equivalent
        } else {
            Equality::Different
        }
    }
}

impl Meaning {
    pub(super) fn of(record: &Record, owner: &Name) -> Self {
        // A wildcard has no own name: the name asked for is another one each time.
        let own = (!owner.is_wildcard()).then(|| owner.to_lowercase().to_text_without_dot());
        let directives = record.terms.iter().filter_map(|term| match &term.kind {
            TermKind::Directive(qualifier, mechanism) => Some((*qualifier, without_own(mechanism, own.as_deref()))),
            TermKind::Modifier(_) => None,
        });
        let exp = record.modifiers().find_map(|modifier| match modifier {
            Modifier::Exp(target) => Some(target.clone()),
            _ => None,
        });
        Self {
            directives: directives.collect(),
            redirect: record.redirect().cloned(),
            exp,
            others: record.modifiers().filter(|m| matches!(m, Modifier::Unknown(..))).cloned().collect(),
        }
    }

    /// The directives in order, as many as the record has.
    pub(super) fn directives(&self) -> &[(Qualifier, Mechanism)] {
        &self.directives
    }

    /// The directives that have an effect: before `all`, each mechanism once.
    pub(super) fn effective(&self) -> Vec<(Qualifier, &Mechanism)> {
        let mut seen = HashSet::new();
        let reached = self.directives.iter().take_while(|(_, mechanism)| *mechanism != Mechanism::All);
        reached.filter(|(_, mechanism)| seen.insert(mechanism)).map(|(qualifier, m)| (*qualifier, m)).collect()
    }

    pub(super) fn end(&self) -> End {
        match (&self.redirect, self.directives.iter().find(|(_, mechanism)| *mechanism == Mechanism::All)) {
            (_, Some((qualifier, _))) => End::Result(*qualifier),
            (Some(target), None) => End::Redirect(target.clone()),
            (None, None) => End::Result(Qualifier::Neutral),
        }
    }

    /// The addresses that `ip4` and `ip6` let pass: those that an earlier one refuses are left out.
    pub(super) fn passes(&self) -> Coverage {
        let mut pass = Coverage::default();
        let mut other = Coverage::default();
        for run in self.runs() {
            if run.qualifier == Qualifier::Pass {
                pass = pass.union(run.networks.minus(&other));
            } else {
                other = other.union(run.networks.minus(&pass));
            }
        }
        pass
    }

    /// Whether a client that passed by `mechanism` (no network) surely passes here.
    pub(super) fn grants(&self, mechanism: &Mechanism) -> bool {
        let by_redirect = |domain| self.end() == End::Redirect(domain);
        let granted =
            |(qualifier, own): &(Qualifier, &Mechanism)| *qualifier == Qualifier::Pass && covers(own, mechanism);
        self.effective().iter().any(granted)
            || matches!(mechanism, Mechanism::Include(domain) if by_redirect(domain.clone()))
    }

    fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<(Qualifier, Vec<&Network>, BTreeSet<Mechanism>)> = Vec::new();
        for (qualifier, mechanism) in self.effective() {
            if runs.last().is_none_or(|(last, ..)| *last != qualifier) {
                runs.push((qualifier, Vec::new(), BTreeSet::new()));
            }
            if let Some((_, networks, others)) = runs.last_mut() {
                match mechanism {
                    Mechanism::Ip(network) => networks.push(network),
                    other => {
                        others.insert(other.clone());
                    }
                }
            }
        }
        runs.into_iter()
            .map(|(qualifier, networks, others)| Run { qualifier, networks: Coverage::of(networks), others })
            .collect()
    }
}

/// What `before` let pass and `after` does not: terms, in order.
pub(super) fn lost(before: &[Meaning], after: &Meaning) -> Vec<String> {
    if after.end() == End::Result(Qualifier::Pass) {
        return Vec::new();
    }
    let had = before.iter().fold(Coverage::default(), |sum, meaning| sum.union(meaning.passes()));
    let still = after.passes();
    let gone = had.minus(&still);
    let mut lost = Vec::new();
    for meaning in before {
        for (_, mechanism) in meaning.effective().into_iter().filter(|(q, _)| *q == Qualifier::Pass) {
            match mechanism {
                Mechanism::Ip(network) if !gone.intersects(network) => {}
                Mechanism::Ip(network) if still.intersects(network) => lost.push(format!("a part of {mechanism}")),
                Mechanism::Ip(_) => lost.push(mechanism.to_string()),
                other if after.grants(other) => {}
                other => lost.push(other.to_string()),
            }
        }
        if let End::Redirect(target) = meaning.end()
            && !after.grants(&Mechanism::Include(target.clone()))
        {
            lost.push(format!("redirect={target}"));
        }
    }
    let mut seen = HashSet::new();
    lost.retain(|term| seen.insert(term.clone()));
    lost
}

/// Whether `wide` matches every client that `narrow` matches, as far as the two terms tell.
pub(super) fn covers(wide: &Mechanism, narrow: &Mechanism) -> bool {
    let wider = |a: &DualCidr, b: &DualCidr| a.v4 <= b.v4 && a.v6 <= b.v6;
    match (wide, narrow) {
        (Mechanism::A(a, x), Mechanism::A(b, y)) | (Mechanism::Mx(a, x), Mechanism::Mx(b, y)) => a == b && wider(x, y),
        (Mechanism::Ip(a), Mechanism::Ip(b)) => a.contains(b),
        (a, b) => a == b,
    }
}

fn without_own(mechanism: &Mechanism, own: Option<&str>) -> Mechanism {
    let elsewhere = |domain: &Option<DomainSpec>| domain.clone().filter(|domain| Some(domain.as_str()) != own);
    match mechanism {
        Mechanism::A(domain, cidr) => Mechanism::A(elsewhere(domain), *cidr),
        Mechanism::Mx(domain, cidr) => Mechanism::Mx(elsewhere(domain), *cidr),
        Mechanism::Ptr(domain) => Mechanism::Ptr(elsewhere(domain)),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spf::parse::tests::record;
    use proptest::prelude::*;

    fn equality(a: &str, b: &str) -> Equality {
        let owner = Name::parse("Example.com").unwrap();
        let (a, b) = (Record::parse(a).unwrap(), Record::parse(b).unwrap());
        let found = a.equality(&b, &owner);
        assert_eq!(b.equality(&a, &owner), found);
        found
    }

    #[test]
    fn same_for_every_receiver() {
        for (a, b) in [
            ("v=spf1 a mx ~all", "V=SPF1  +A:example.COM.  MX:EXAMPLE.com ~ALL "),
            ("v=spf1 ip4:192.0.2.9/24 -all", "v=spf1 ip4:192.0.2.0/24 -all"),
            ("v=spf1 ip4:192.0.2.9/32 a/32//128 -all", "v=spf1 ip4:192.0.2.9 a -all"),
            ("v=spf1 ip6:2001:DB8:0::1 -all", "v=spf1 ip6:2001:db8::1/128 -all"),
            ("v=spf1 redirect=a.b mx exp=c.d", "v=spf1 exp=C.D mx redirect=A.B."),
            ("v=spf1 mx -all redirect=a.b", "v=spf1 mx -all"),
            ("v=spf1 x=1 y=2 -all", "v=spf1 Y=2 -all X=1"),
        ] {
            assert_eq!(equality(a, b), Equality::Same, "{a} | {b}");
        }
    }

    #[test]
    fn same_effect_today() {
        for (a, b) in [
            ("v=spf1 a mx include:a.b -all", "v=spf1 include:a.b mx a -all"),
            ("v=spf1 ip4:192.0.2.0/25 ip4:192.0.2.128/25 ~all", "v=spf1 ip4:192.0.2.0/24 ~all"),
            ("v=spf1 mx -all a include:x.y", "v=spf1 mx -all"),
            ("v=spf1 mx mx ip4:192.0.2.1 ip4:192.0.2.0/24 -all", "v=spf1 mx ip4:192.0.2.0/24 -all"),
        ] {
            assert_eq!(equality(a, b), Equality::Equivalent, "{a} | {b}");
        }
    }

    #[test]
    fn differences() {
        for (a, b) in [
            ("v=spf1 mx ~all", "v=spf1 mx -all"),
            ("v=spf1 mx", "v=spf1 mx ?all"),
            ("v=spf1 include:a.b", "v=spf1 redirect=a.b"),
            ("v=spf1 -ip4:192.0.2.1 include:a.b -all", "v=spf1 include:a.b -ip4:192.0.2.1 -all"),
            ("v=spf1 exists:%{i}.a.b -all", "v=spf1 exists:%{I}.a.b -all"),
            ("v=spf1 exp=a.b -all", "v=spf1 -all"),
            ("v=spf1 a/24 -all", "v=spf1 a -all"),
            ("v=spf1 a:x.example.com -all", "v=spf1 a -all"),
        ] {
            let expected = if a == "v=spf1 mx" { Equality::Equivalent } else { Equality::Different };
            assert_eq!(equality(a, b), expected, "{a} | {b}");
        }
        let wildcard = Name::parse("*.example.com").unwrap();
        let (a, b) = (Record::parse("v=spf1 a").unwrap(), Record::parse("v=spf1 a:*.example.com").unwrap());
        assert_eq!(a.equality(&b, &wildcard), Equality::Different);
    }

    proptest! {
        #[test]
        fn equality_is_an_equivalence(a in record(), b in record(), c in record()) {
            let owner = Name::parse("example.com").unwrap();
            let [a, b, c] = [a, b, c].map(|text| Record::parse(text).unwrap());
            prop_assert_eq!(a.equality(&a, &owner), Equality::Same);
            prop_assert_eq!(a.equality(&b, &owner), b.equality(&a, &owner));
            prop_assert!(a.equality(&c, &owner) <= a.equality(&b, &owner).max(b.equality(&c, &owner)));
        }

        #[test]
        fn print_variations_are_the_same(text in record(), blanks in 1usize..4, shout in any::<bool>()) {
            let owner = Name::parse("example.com").unwrap();
            let read = Record::parse(&text).unwrap();
            let varied: String = text.split(' ').enumerate().map(|(i, term)| {
                // Macros keep their case: it has a meaning. So do the values of unknown modifiers.
                let free = shout && !term.contains('%') && !term.contains('=') || i == 0;
                let plus = if i > 0 && !term.contains('=') && term.starts_with(char::is_alphabetic) { "+" } else { "" };
                let term = if free { term.to_ascii_uppercase() } else { term.to_owned() };
                if i == 0 { term } else { format!("{}{plus}{term}", " ".repeat(blanks)) }
            }).collect();
            let varied = Record::parse(varied + "  ").unwrap();
            prop_assert_eq!(read.equality(&varied, &owner), Equality::Same);
            prop_assert_eq!(varied.to_string(), read.to_string());
        }

        #[test]
        fn order_within_a_qualifier_is_free(text in record(), seed in any::<prop::sample::Index>()) {
            let owner = Name::parse("example.com").unwrap();
            let read = Record::parse(&text).unwrap();
            let mut turned = read.clone();
            if turned.terms.len() > 1 {
                let at = seed.index(turned.terms.len() - 1);
                let movable = |term: &crate::spf::Term| match &term.kind {
                    TermKind::Directive(_, Mechanism::All) => None,
                    TermKind::Directive(qualifier, _) => Some(*qualifier),
                    TermKind::Modifier(_) => None,
                };
                if movable(&turned.terms[at]).is_some() && movable(&turned.terms[at]) == movable(&turned.terms[at + 1]) {
                    turned.terms.swap(at, at + 1);
                }
            }
            prop_assert!(read.equality(&turned, &owner) <= Equality::Equivalent);
        }
    }
}
