//! Records that the user lists, of any type: compared, never interpreted.

use mailzone_record::{Name, Rdata};

use crate::kind::{Class, Difference, Equality, Kind, KindId, Recognition};
use crate::set::{self, Sets};

/// The kind `records`. Data is compared exactly; names without case, and TXT with its strings joined.
#[derive(Debug, Clone, Copy)]
pub struct Records;

impl Kind for Records {
    fn id(&self) -> KindId {
        KindId::Records
    }

    fn recognise(&self, _rdata: &Rdata) -> Recognition {
        Recognition::Candidate
    }

    fn equal(&self, _owner: &Name, a: &[&Rdata], b: &[&Rdata]) -> Equality {
        set::equal(a, b, set::folded)
    }

    /// What the data does is not known: the class of a change is `unknown`.
    fn difference(&self, owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Difference {
        if let Some(none) = set::unchanged(self.equal(owner, before, after)) {
            return none;
        }
        let details = Sets::of(before, after, set::folded).details(|value| value.rtype().to_string(), Rdata::to_string);
        Difference { class: Class::Unknown, details }
    }

    fn describe(&self, rdata: &Rdata) -> String {
        rdata.to_string()
    }
}

#[cfg(test)]
mod tests {
    use mailzone_record::{Opaque, RecordType, Txt};
    use proptest::prelude::*;

    use super::*;
    use crate::kind::Detail;
    use crate::set::tests::{laws, name, refs};

    fn txt(strings: &[&str]) -> Rdata {
        Rdata::Txt(Txt::from_strings(strings.iter().map(|s| s.as_bytes().into()).collect()).unwrap())
    }

    #[test]
    fn compares_data() {
        let owner = name("example.com");
        let equal = |a: Rdata, b: Rdata| Records.equal(&owner, &[&a], &[&b]);
        assert_eq!(equal(txt(&["ab", "c"]), txt(&["ab", "c"])), Equality::Identical);
        assert_eq!(equal(txt(&["ab", "c"]), txt(&["abc"])), Equality::Same);
        assert_eq!(equal(txt(&["abC"]), txt(&["abc"])), Equality::Different);
        assert_eq!(equal(Rdata::Cname(name("A.b")), Rdata::Cname(name("a.b"))), Equality::Same);
        assert_eq!(equal(Rdata::Cname(name("a.b")), Rdata::Ns(name("a.b"))), Equality::Different);
        let (old, new) = ([txt(&["a"]), txt(&["b"])], [txt(&["b"]), txt(&["c"])]);
        let difference = Records.difference(&owner, &refs(&old), &refs(&new));
        assert_eq!(difference.class, Class::Unknown);
        assert_eq!(difference.details, [Detail::changed("TXT", "\"a\"", "\"c\"")]);
    }

    proptest! {
        #[test]
        fn holds_the_laws(sets in prop::array::uniform3(prop::collection::vec((0usize..5, any::<[u8; 2]>()), 0..3))) {
            let sets = sets.map(|set| {
                let values = set.into_iter().map(|(at, data)| match at {
                    0 => Rdata::Cname(name("a.b")),
                    1 => Rdata::Ns(name("A.b")),
                    2 => Rdata::Txt(Txt::from_text(data)),
                    3 => Rdata::Txt(Txt::from_strings(data.iter().map(|&b| Box::from([b])).collect()).unwrap()),
                    _ => Rdata::Opaque(Opaque::Wire { rtype: RecordType::LOC, data: data.into() }),
                });
                values.collect::<Vec<_>>()
            });
            laws(&Records, &name("example.com"), [&sets[0], &sets[1], &sets[2]]);
        }
    }
}
