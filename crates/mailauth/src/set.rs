//! What the kinds share that own a whole RRset: comparison and difference of sets of values.

use std::collections::BTreeMap;

use mailzone_record::Rdata;

use crate::kind::{Class, Detail, Difference, Equality};

/// Two sets, each value once.
#[derive(Debug)]
pub(crate) struct Sets<'a> {
    /// Only before.
    pub(crate) gone: Vec<&'a Rdata>,
    /// Only after.
    pub(crate) come: Vec<&'a Rdata>,
    /// How many are in both.
    pub(crate) kept: usize,
}

impl<'a> Sets<'a> {
    /// Values with the same `key` are the same.
    pub(crate) fn of<K: Ord>(before: &[&'a Rdata], after: &[&'a Rdata], key: impl Fn(&Rdata) -> K) -> Self {
        let keyed = |values: &[&'a Rdata]| values.iter().map(|v| (key(v), *v)).collect::<BTreeMap<K, &'a Rdata>>();
        let (old, new) = (keyed(before), keyed(after));
        let only = |a: &BTreeMap<K, &'a Rdata>, b: &BTreeMap<K, &'a Rdata>| {
            a.iter().filter(|(key, _)| !b.contains_key(key)).map(|(_, value)| *value).collect::<Vec<_>>()
        };
        let (gone, come) = (only(&old, &new), only(&new, &old));
        Self { kept: old.len() - gone.len(), gone, come }
    }

    /// Whether both sets hold the same.
    pub(crate) fn is_same(&self) -> bool {
        self.gone.is_empty() && self.come.is_empty()
    }

    /// What comes widens and is neutral; what goes takes away; the last going breaks.
    pub(crate) fn class(&self) -> Class {
        match (self.gone.is_empty(), self.come.is_empty()) {
            (true, _) => Class::Neutral,
            (false, true) if self.kept == 0 => Class::Breaks,
            (false, true) => Class::Tightens,
            (false, false) => Class::Mixed,
        }
    }

    /// The values that go, then those that come; one against one is a change.
    pub(crate) fn details(&self, term: impl Fn(&Rdata) -> String, text: impl Fn(&Rdata) -> String) -> Vec<Detail> {
        if let ([a], [b]) = (self.gone.as_slice(), self.come.as_slice())
            && term(a) == term(b)
        {
            return vec![Detail::changed(term(a), text(a), text(b))];
        }
        let gone = self.gone.iter().map(|value| Detail::removed(term(value), text(value)));
        gone.chain(self.come.iter().map(|value| Detail::added(term(value), text(value)))).collect()
    }
}

/// `Identical` where both hold the same octets, `Same` where the keys agree.
pub(crate) fn equal<K: Ord>(a: &[&Rdata], b: &[&Rdata], key: impl Fn(&Rdata) -> K) -> Equality {
    if Sets::of(a, b, spelt).is_same() {
        Equality::Identical
    } else if Sets::of(a, b, key).is_same() {
        Equality::Same
    } else {
        Equality::Different
    }
}

/// The difference where `equality` leaves none to show: nothing at all, or another spelling.
pub(crate) fn unchanged(equality: Equality) -> Option<Difference> {
    match equality {
        Equality::Identical => Some(Difference::NONE),
        Equality::Same => Some(Difference { class: Class::Cosmetic, details: Vec::new() }),
        Equality::Equivalent | Equality::Different => None,
    }
}

/// The exact data: type and presentation format, which keeps case and character-string borders.
pub(crate) fn spelt(rdata: &Rdata) -> (u16, String) {
    (rdata.rtype().0, rdata.to_string())
}

/// What no receiver can tell apart: names without case, TXT joined; else the exact data.
pub(crate) fn folded(rdata: &Rdata) -> (u16, Vec<u8>) {
    let octets = match rdata {
        Rdata::Txt(txt) => txt.joined().into_owned(),
        Rdata::Caa(_) | Rdata::Opaque(_) => rdata.to_string().into_bytes(),
        // All other types print names, numbers and hexadecimal digits.
        other => other.to_string().to_ascii_lowercase().into_bytes(),
    };
    (rdata.rtype().0, octets)
}

#[cfg(test)]
pub(crate) mod tests {
    use mailzone_record::{Name, Txt};

    use super::*;
    use crate::kind::Kind;

    pub(crate) fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    pub(crate) fn refs(values: &[Rdata]) -> Vec<&Rdata> {
        values.iter().collect()
    }

    /// The laws that hold for every kind, on three sets.
    pub(crate) fn laws(kind: &dyn Kind, owner: &Name, [a, b, c]: [&[Rdata]; 3]) {
        let [a, b, c] = [a, b, c].map(refs);
        let equal = |x: &[&Rdata], y: &[&Rdata]| kind.equal(owner, x, y);
        assert_eq!(equal(&a, &a), Equality::Identical);
        assert_eq!(equal(&a, &b), equal(&b, &a));
        assert!(equal(&a, &c) <= equal(&a, &b).max(equal(&b, &c)), "{a:?} {b:?} {c:?}");
        assert_eq!(kind.difference(owner, &a, &a), Difference::NONE);
        assert_eq!(kind.guards(owner, &a, &a), Vec::new());
        let difference = kind.difference(owner, &a, &b);
        assert_eq!(difference.details.is_empty(), equal(&a, &b) <= Equality::Same, "{a:?} {b:?}");
        let mut turned = a.clone();
        turned.reverse();
        turned.extend(a.first());
        assert_eq!(equal(&a, &turned), Equality::Identical);
        let _ = (kind.lint(owner, &a), a.iter().map(|v| (kind.describe(v), kind.recognise(v))).collect::<Vec<_>>());
    }

    #[test]
    fn foldings() {
        let (a, b) = (Rdata::Ns(name("A.example")), Rdata::Ns(name("a.example")));
        assert_eq!(equal(&[&a], &[&b], folded), Equality::Same);
        let (a, b) = (Rdata::Txt(Txt::from_text("Ab")), Rdata::Txt(Txt::from_text("ab")));
        assert_eq!(equal(&[&a], &[&b], folded), Equality::Different);
        assert_eq!(Sets::of(&[&a, &a], &[&a], folded).kept, 1);
    }
}
