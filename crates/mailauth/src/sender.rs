//! The records that a sending service asks for: keys, MX and SPF of a name for bounces, and others.

use mailzone_record::{Name, Rdata};

use crate::dkim::{Dkim, selector_of};
use crate::finding::Finding;
use crate::kind::{Difference, Equality, Kind, KindId, Recognition};
use crate::mx::MailExchangers;
use crate::records::Records;
use crate::spf::Spf;

/// The kind `sender`: whole RRsets at the names that a service asks for.
///
/// What such a record means is told by another kind: DKIM below `_domainkey`, MX, SPF where there is nothing else;
/// else the data is only compared. No live record is a slot: that a name was asked for says the configuration alone.
#[derive(Debug, Clone, Copy)]
pub struct Sender;

impl Kind for Sender {
    fn id(&self) -> KindId {
        KindId::Sender
    }

    fn recognise(&self, _rdata: &Rdata) -> Recognition {
        Recognition::Candidate
    }

    fn equal(&self, owner: &Name, a: &[&Rdata], b: &[&Rdata]) -> Equality {
        kind_of(owner, a, b).equal(owner, a, b)
    }

    fn difference(&self, owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Difference {
        kind_of(owner, before, after).difference(owner, before, after)
    }

    fn describe(&self, rdata: &Rdata) -> String {
        match rdata {
            Rdata::Cname(target) => format!("CNAME to {target}"),
            Rdata::Mx(_) => MailExchangers.describe(rdata),
            Rdata::Txt(_) if Spf.recognise(rdata) == Recognition::Candidate => Spf.describe(rdata),
            other => other.to_string(),
        }
    }

    fn guards(&self, owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Vec<Finding> {
        kind_of(owner, before, after).guards(owner, before, after)
    }

    fn lint(&self, owner: &Name, values: &[&Rdata]) -> Vec<Finding> {
        kind_of(owner, values, &[]).lint(owner, values)
    }

    fn adopt(&self, live: &Rdata, want: &Rdata) -> Option<Rdata> {
        Dkim.adopt(live, want)
    }
}

/// The kind that knows what all of these values mean.
fn kind_of(owner: &Name, a: &[&Rdata], b: &[&Rdata]) -> &'static dyn Kind {
    let all = |kind: &dyn Kind| {
        let ours = |value: &&Rdata| kind.recognise(value) == Recognition::Candidate;
        !(a.is_empty() && b.is_empty()) && a.iter().chain(b).all(ours)
    };
    if selector_of(owner).is_some() && all(&Dkim) {
        &Dkim
    } else if all(&MailExchangers) {
        &MailExchangers
    } else if all(&Spf) {
        &Spf
    } else {
        &Records
    }
}

#[cfg(test)]
mod tests {
    use mailzone_record::{Mx, Txt};
    use proptest::prelude::*;

    use super::*;
    use crate::kind::Class;
    use crate::set::tests::{laws, name};

    const KEY: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    fn txt(text: &str) -> Rdata {
        Rdata::Txt(Txt::from_text(text))
    }

    #[test]
    fn keys_are_compared_as_keys() {
        let owner = name("s1._domainkey.example.com");
        let (key, spelt) = (txt(KEY), txt(&KEY.replace("; ", ";")));
        assert_eq!(Sender.equal(&owner, &[&key], &[&spelt]), Equality::Same);
        assert_eq!(Sender.equal(&name("x.example.com"), &[&key], &[&spelt]), Equality::Different);
        let (a, b) = (Rdata::Cname(name("s1.a.example")), Rdata::Cname(name("s1.b.example")));
        let codes: Vec<String> = Sender.guards(&owner, &[&a], &[&b]).into_iter().map(|f| f.code).collect();
        assert_eq!(codes, ["GUARD-DKIM-REPLACED"]);
        assert_eq!(Sender.guards(&name("x.example.com"), &[&a], &[&b]), []);
    }

    #[test]
    fn other_records_are_what_they_are() {
        let owner = name("bounce.example.com");
        let mx = |preference, host: &str| Rdata::Mx(Mx { preference, exchange: name(host) });
        let (a, b) = (mx(10, "a.example"), mx(20, "a.example"));
        assert_eq!(Sender.equal(&owner, &[&a], &[&b]), Equality::Equivalent);
        let (a, b) = (txt("v=spf1 include:a.example -all"), txt("V=SPF1 include:a.example  -all"));
        assert_eq!(Sender.equal(&owner, &[&a], &[&b]), Equality::Same);
        assert_eq!(Sender.equal(&owner, &[&a, &txt("x")], &[&b]), Equality::Different);
        assert_eq!(Sender.difference(&owner, &[&txt("x")], &[&txt("y")]).class, Class::Unknown);
    }

    proptest! {
        #[test]
        fn holds_the_laws(
            owner in prop_oneof![Just("s1._domainkey.example.com"), Just("bounce.example.com")],
            sets in prop::array::uniform3(prop::collection::vec(0usize..8, 0..3)),
        ) {
            let values = [
                txt(KEY),
                txt(&KEY.replace("; ", ";")),
                txt("v=spf1 include:a.example -all"),
                txt("v=spf1  include:A.example -all"),
                txt("other"),
                Rdata::Cname(name("a.b")),
                Rdata::Mx(Mx { preference: 10, exchange: name("a.b") }),
                Rdata::Mx(Mx { preference: 20, exchange: name("a.b") }),
            ];
            let sets = sets.map(|set| set.into_iter().map(|at| values[at].clone()).collect::<Vec<_>>());
            laws(&Sender, &name(owner), [&sets[0], &sets[1], &sets[2]]);
        }
    }
}
