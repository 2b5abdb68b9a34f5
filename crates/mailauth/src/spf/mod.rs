//! SPF records (RFC 7208): the TXT values at a domain that receivers select.

mod change;
mod compare;
#[cfg(test)]
mod conformance;
mod cost;
mod domain;
mod error;
mod evaluate;
mod evaluation;
mod expand;
mod hint;
mod lint;
mod network;
mod parse;
mod record;
mod request;
mod select;

use std::borrow::Cow;

use mailzone_record::{Name, Rdata, RecordType};

pub use cost::{COUNTED_TERMS, Cost, CostRecord, CostTarget, Found, TermCost, cost};
pub use domain::DomainSpec;
pub use error::{SpfError, SpfErrorKind};
pub use evaluate::{Evaluator, check};
pub use evaluation::{Evaluation, Problem, ProblemKind, SpfResult, Step, StepOutcome, Trace, Visit};
pub use network::Network;
pub use parse::{is_candidate, is_near_miss};
pub use record::{DualCidr, Mechanism, Modifier, Qualifier, Record, Term, TermKind};
pub use request::{EXPLANATION_LIMIT, Limits, Request};
pub use select::{RecordCache, Selected};

use crate::finding::Finding;
use crate::kind::{Difference, Equality, Kind, KindId, LiveSlot, Recognition};
use compare::Meaning;

/// The kind `spf`.
#[derive(Debug, Clone, Copy)]
pub struct Spf;

impl Kind for Spf {
    fn id(&self) -> KindId {
        KindId::Spf
    }

    fn recognise(&self, rdata: &Rdata) -> Recognition {
        match rdata.as_txt() {
            Some(txt) if is_candidate(&txt.joined()) => Recognition::Candidate,
            Some(txt) if is_near_miss(&txt.joined()) => Recognition::NearMiss,
            _ => Recognition::Foreign,
        }
    }

    fn equal(&self, owner: &Name, a: &[&Rdata], b: &[&Rdata]) -> Equality {
        equal(owner, a, b)
    }

    fn difference(&self, owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Difference {
        change::difference(owner, before, after)
    }

    fn describe(&self, rdata: &Rdata) -> String {
        match rdata {
            Rdata::Txt(txt) => describe(&txt.joined()),
            Rdata::Cname(target) => format!("alias of {target}"),
            other => other.to_string(),
        }
    }

    fn guards(&self, owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Vec<Finding> {
        change::guards(owner, before, after)
    }

    fn lint(&self, owner: &Name, values: &[&Rdata]) -> Vec<Finding> {
        lint::lint(owner, values)
    }

    /// Names with an underscore label, such as `_spf.example.com`, hold parts of other records: no
    /// mail comes from them.
    fn slot_at(&self, owner: &Name, rtype: RecordType, values: &[&Rdata]) -> Option<LiveSlot> {
        let candidate = values.iter().any(|value| self.recognise(value) == Recognition::Candidate);
        let host = !owner.labels().any(|label| label.starts_with(b"_"));
        (rtype == RecordType::TXT && candidate && host).then(|| LiveSlot { domain: owner.clone(), key: None })
    }
}

/// What SPF finds in a set of values: the candidates, each value once.
#[derive(Debug)]
struct Side {
    /// With the errors of those that have any: then the terms that could be read.
    records: Vec<(Record, Vec<SpfError>)>,
    /// The joined texts of `records`.
    texts: Vec<String>,
    /// The target of a CNAME among the values.
    alias: Option<String>,
}

/// What receivers make of it.
enum State<'a> {
    Absent,
    Good(&'a Record),
    /// They answer permerror, as far as the values alone tell.
    Broken,
    /// Somebody else's record.
    Alias,
}

impl Side {
    fn of(values: &[&Rdata]) -> Self {
        let mut side = Self { records: Vec::new(), texts: Vec::new(), alias: None };
        for value in distinct(values) {
            match value {
                Rdata::Txt(txt) if is_candidate(&txt.joined()) => {
                    side.records.push(parse::read(&txt.joined()));
                    side.texts.push(String::from_utf8_lossy(&txt.joined()).into_owned());
                }
                Rdata::Cname(target) => side.alias = Some(target.to_lowercase().to_string()),
                _ => {}
            }
        }
        side
    }

    fn state(&self) -> State<'_> {
        match self.records.as_slice() {
            _ if self.alias.is_some() => State::Alias,
            [] => State::Absent,
            [(record, errors)] if errors.is_empty() && record.own_lookups() <= 10 => State::Good(record),
            _ => State::Broken,
        }
    }

    fn meanings(&self, owner: &Name) -> Vec<Meaning> {
        self.records.iter().map(|(record, _)| Meaning::of(record, owner)).collect()
    }
}

/// Two sets of values at `owner`. Several records are never alike to one: receivers answer permerror.
fn equal(owner: &Name, a: &[&Rdata], b: &[&Rdata]) -> Equality {
    let (a, b) = (distinct(a), distinct(b));
    let spelt = |x: &Rdata, y: &Rdata| match (x, y) {
        (Rdata::Cname(x), Rdata::Cname(y)) => x.eq_case(y),
        _ => x == y,
    };
    if a.len() != b.len() {
        return Equality::Different;
    }
    if a.iter().all(|x| b.iter().any(|y| spelt(x, y))) {
        return Equality::Identical;
    }
    if let ([Rdata::Txt(x)], [Rdata::Txt(y)]) = (a.as_slice(), b.as_slice())
        && x.joined() != y.joined()
    {
        return match (Record::parse(x.joined()), Record::parse(y.joined())) {
            (Ok(x), Ok(y)) => x.equality(&y, owner),
            _ => Equality::Different,
        };
    }
    let (mut a, mut b): (Vec<_>, Vec<_>) = (a.into_iter().map(octets).collect(), b.into_iter().map(octets).collect());
    a.sort_unstable();
    b.sort_unstable();
    if a == b { Equality::Same } else { Equality::Different }
}

/// The values without repetitions, which DNS suppresses.
fn distinct<'a>(values: &[&'a Rdata]) -> Vec<&'a Rdata> {
    let mut distinct: Vec<&Rdata> = Vec::with_capacity(values.len());
    for &value in values {
        if !distinct.contains(&value) {
            distinct.push(value);
        }
    }
    distinct
}

/// What two values are compared by when no more is known of them.
fn octets(rdata: &Rdata) -> (RecordType, Vec<u8>) {
    let octets = match rdata {
        Rdata::Txt(txt) => txt.joined().into_owned(),
        Rdata::Cname(target) => target.to_lowercase().as_wire().to_vec(),
        other => other.to_string().into_bytes(),
    };
    (rdata.rtype(), octets)
}

fn describe(joined: &[u8]) -> String {
    let record = match Record::parse(joined) {
        Ok(record) => record,
        Err(errors) => {
            let first = errors.first().map(ToString::to_string).unwrap_or_default();
            return format!("invalid: {first}");
        }
    };
    let mut senders: Vec<Cow<'_, str>> = Vec::new();
    for (qualifier, mechanism) in record.directives().filter(|(_, mechanism)| **mechanism != Mechanism::All) {
        senders.push(match (qualifier, mechanism) {
            (Qualifier::Pass, Mechanism::Ip(network)) => network.to_string().into(),
            (_, mechanism) => format!("{}{mechanism}", qualifier.as_prefix()).into(),
        });
    }
    let senders = if senders.is_empty() { "nobody".to_owned() } else { senders.join(", ") };
    let rest = match (record.redirect(), record.all()) {
        (Some(target), _) => format!("the rest as {target}"),
        (None, all) => format!("the rest {}", all.unwrap_or(Qualifier::Neutral).as_word()),
    };
    format!("{senders}; {rest}")
}

#[cfg(test)]
mod tests {
    use mailzone_record::Txt;

    use super::*;

    fn txt(strings: &[&str]) -> Rdata {
        Rdata::Txt(Txt::from_strings(strings.iter().map(|s| s.as_bytes().into()).collect()).unwrap())
    }

    fn owner() -> Name {
        Name::parse("example.com").unwrap()
    }

    #[test]
    fn sets() {
        let (a, split) = (txt(&["v=spf1 mx -all"]), txt(&["v=spf1 ", "mx -all"]));
        let (loud, other) = (txt(&["V=SPF1 MX  -all"]), txt(&["v=spf1 a -all"]));
        let (broken, shout) = (txt(&["v=spf1 foo"]), txt(&["v=spf1 FOO"]));
        for (x, y, expected) in [
            (vec![], vec![], Equality::Identical),
            (vec![&a], vec![&a, &a], Equality::Identical),
            (vec![&a, &other], vec![&other, &a], Equality::Identical),
            (vec![&a], vec![&split], Equality::Same),
            (vec![&a], vec![&loud], Equality::Same),
            (vec![&a, &other], vec![&other, &split], Equality::Same),
            (vec![&a], vec![&a, &split], Equality::Different),
            (vec![&a], vec![], Equality::Different),
            (vec![&broken], vec![&broken], Equality::Identical),
            (vec![&broken], vec![&shout], Equality::Different),
        ] {
            assert_eq!(Spf.equal(&owner(), &x, &y), expected, "{x:?} {y:?}");
            assert_eq!(Spf.equal(&owner(), &y, &x), expected, "{x:?} {y:?}");
        }
        let cname = |target: &str| Rdata::Cname(Name::parse(target).unwrap());
        assert_eq!(Spf.equal(&owner(), &[&cname("X.example")], &[&cname("x.example")]), Equality::Same);
    }

    #[test]
    fn says_what_it_means() {
        insta::assert_snapshot!(Spf.describe(&txt(&["v=spf1 mx ip4:192.0.2.0/24 ?include:a.b ~all"])), @"mx, 192.0.2.0/24, ?include:a.b; the rest softfail");
        insta::assert_snapshot!(Spf.describe(&txt(&["v=spf1 -all"])), @"nobody; the rest fail");
        insta::assert_snapshot!(Spf.describe(&txt(&["v=spf1 a redirect=_spf.example.net"])), @"a; the rest as _spf.example.net");
        insta::assert_snapshot!(Spf.describe(&txt(&["v=spf1 mx redirect:_spf.example.net"])), @"invalid: `redirect` is a modifier: it takes `=`, not `:`");
    }

    #[test]
    fn slots() {
        let value = txt(&["v=spf1 -all"]);
        let at = |name: &str| Spf.slot_at(&Name::parse(name).unwrap(), RecordType::TXT, &[&value]).map(|s| s.domain);
        assert_eq!(at("example.com"), Some(owner()));
        assert_eq!(at("_spf.example.com"), None);
        assert_eq!(Spf.slot_at(&owner(), RecordType::TXT, &[&txt(&["hello"])]), None);
    }
}
