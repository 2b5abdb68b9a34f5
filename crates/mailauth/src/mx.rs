//! Mail exchangers (RFC 5321 section 5.1) and the null MX (RFC 7505).

use std::collections::{BTreeMap, BTreeSet};

use mailzone_record::{Name, Rdata, RecordType};

use crate::finding::{Finding, Severity};
use crate::kind::{Class, Detail, Difference, Equality, Kind, KindId, LiveSlot, Recognition};
use crate::set::{self, Sets};

/// The kind `mx`: the whole RRset.
///
/// Classes: hosts that come are neutral, hosts that go tighten (senders lose a way), both is mixed,
/// the last going, or giving way to a null MX, breaks. A null MX where none was, or one that goes, is
/// neutral: whether the domain takes mail is not known here. Preferences alone are neutral.
#[derive(Debug, Clone, Copy)]
pub struct MailExchangers;

/// Whether these values say that the domain takes no mail: one MX, whose exchange is the root (RFC 7505
/// section 3).
pub fn is_null_mx(values: &[&Rdata]) -> bool {
    let mut any = false;
    values.iter().all(|value| {
        any = true;
        is_null(value)
    }) && any
}

impl Kind for MailExchangers {
    fn id(&self) -> KindId {
        KindId::Mx
    }

    fn recognise(&self, rdata: &Rdata) -> Recognition {
        if matches!(rdata, Rdata::Mx(_)) { Recognition::Candidate } else { Recognition::Foreign }
    }

    fn equal(&self, _owner: &Name, a: &[&Rdata], b: &[&Rdata]) -> Equality {
        match set::equal(a, b, set::folded) {
            // Only the order of preferences has an effect, not their size (RFC 5321 section 5.1).
            Equality::Different if ranked(a).is_some_and(|ranks| Some(ranks) == ranked(b)) => Equality::Equivalent,
            equality => equality,
        }
    }

    fn difference(&self, owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Difference {
        let equality = self.equal(owner, before, after);
        if let Some(none) = set::unchanged(equality) {
            return none;
        }
        let class = match equality {
            Equality::Equivalent => Class::Cosmetic,
            _ => class_of(before, after),
        };
        Difference { class, details: details(before, after) }
    }

    fn describe(&self, rdata: &Rdata) -> String {
        match rdata {
            Rdata::Mx(_) if is_null(rdata) => "takes no mail (null MX)".to_owned(),
            Rdata::Mx(mx) => format!("{} with preference {}", mx.exchange.to_text_without_dot(), mx.preference),
            other => other.to_string(),
        }
    }

    fn lint(&self, owner: &Name, values: &[&Rdata]) -> Vec<Finding> {
        let subject = owner.to_lowercase().to_string();
        let mut found = Vec::new();
        let error = |code, message: String, remedy, reference| {
            Finding::new(code, Severity::Error, subject.as_str(), message, remedy, reference)
        };
        let exchanges: BTreeSet<&Name> = values.iter().filter_map(|value| exchange(value)).collect();
        for name in &exchanges {
            let text = name.to_text_without_dot();
            if is_address(name) {
                let message = format!("the mail exchanger {text} is an address, not a host name");
                found.push(error("MX-03", message, "name a host that has this address", "RFC 5321 section 5.1"));
            } else if name.labels().any(|label| label.contains(&b'_')) {
                let message = format!("the mail exchanger {text} is no host name: it has an underscore");
                found.push(error("MX-03", message, "rename the host", "RFC 1123 section 2.1"));
            }
        }
        if exchanges.len() > 1 && exchanges.contains(&Name::root()) {
            let message = "a null MX beside other mail exchangers".to_owned();
            found.push(error("MX-04", message, "keep one or the other", "RFC 7505 section 3"));
        }
        found
    }

    fn slot_at(&self, owner: &Name, rtype: RecordType, values: &[&Rdata]) -> Option<LiveSlot> {
        (rtype == RecordType::MX && !values.is_empty()).then(|| LiveSlot { domain: owner.clone(), key: None })
    }
}

fn exchange<'a>(rdata: &&'a Rdata) -> Option<&'a Name> {
    match rdata {
        Rdata::Mx(mx) => Some(&mx.exchange),
        _ => None,
    }
}

fn is_null(rdata: &Rdata) -> bool {
    exchange(&rdata).is_some_and(Name::is_root)
}

/// A name whose text is an address, such as `192.0.2.1.`
fn is_address(name: &Name) -> bool {
    name.to_text_without_dot().parse::<std::net::IpAddr>().is_ok()
}

/// The exchanges by falling preference; `None` if there is other data.
fn ranked(values: &[&Rdata]) -> Option<Vec<BTreeSet<Name>>> {
    let mut ranks: BTreeMap<u16, BTreeSet<Name>> = BTreeMap::new();
    for value in values {
        let Rdata::Mx(mx) = value else { return None };
        ranks.entry(mx.preference).or_default().insert(mx.exchange.clone());
    }
    Some(ranks.into_values().collect())
}

fn class_of(before: &[&Rdata], after: &[&Rdata]) -> Class {
    if is_null_mx(before) || before.is_empty() {
        return Class::Neutral;
    }
    if is_null_mx(after) {
        return Class::Breaks;
    }
    Sets::of(before, after, |value| exchange(&value).cloned()).class()
}

fn details(before: &[&Rdata], after: &[&Rdata]) -> Vec<Detail> {
    let Sets { gone, come, .. } = Sets::of(before, after, set::folded);
    let same_host = |a: &Rdata, b: &Rdata| exchange(&a).is_some() && exchange(&a) == exchange(&b);
    let mut details = Vec::new();
    for old in &gone {
        match come.iter().find(|new| same_host(old, new)) {
            Some(new) => details.push(Detail::changed("preference", old.to_string(), new.to_string())),
            None => details.push(Detail::removed("exchange", old.to_string())),
        }
    }
    let new_hosts = come.iter().filter(|new| !gone.iter().any(|old| same_host(old, new)));
    details.extend(new_hosts.map(|new| Detail::added("exchange", new.to_string())));
    details
}

#[cfg(test)]
mod tests {
    use mailzone_record::Mx;
    use proptest::prelude::*;

    use super::*;
    use crate::set::tests::{laws, name, refs};

    fn set_of(text: &str) -> Vec<Rdata> {
        let values = text.split(", ").filter(|v| !v.is_empty()).map(|value| {
            let (preference, exchange) = value.split_once(' ').unwrap();
            Rdata::Mx(Mx { preference: preference.parse().unwrap(), exchange: name(exchange) })
        });
        values.collect()
    }

    #[test]
    fn equality_and_class() {
        let owner = name("example.com");
        for (a, b, equality, class) in [
            ("10 a.b", "10 a.b", Equality::Identical, Class::Neutral),
            ("10 a.b, 20 c.d", "20 c.d, 10 a.b", Equality::Identical, Class::Neutral),
            ("10 A.b", "10 a.B", Equality::Same, Class::Cosmetic),
            ("10 a.b, 20 c.d", "1 a.b, 2 c.d", Equality::Equivalent, Class::Cosmetic),
            ("10 a.b, 20 c.d", "20 a.b, 10 c.d", Equality::Different, Class::Neutral),
            ("10 a.b, 10 c.d", "10 a.b, 20 c.d", Equality::Different, Class::Neutral),
            ("10 a.b", "10 a.b, 20 c.d", Equality::Different, Class::Neutral),
            ("10 a.b, 20 c.d", "10 a.b", Equality::Different, Class::Tightens),
            ("10 a.b", "10 c.d", Equality::Different, Class::Mixed),
            ("10 a.b", "", Equality::Different, Class::Breaks),
            ("10 a.b", "0 .", Equality::Different, Class::Breaks),
            ("0 .", "10 a.b", Equality::Different, Class::Neutral),
            ("", "0 .", Equality::Different, Class::Neutral),
            ("0 .", "", Equality::Different, Class::Neutral),
        ] {
            let (a, b) = (set_of(a), set_of(b));
            assert_eq!(MailExchangers.equal(&owner, &refs(&a), &refs(&b)), equality, "{a:?} {b:?}");
            assert_eq!(MailExchangers.difference(&owner, &refs(&a), &refs(&b)).class, class, "{a:?} {b:?}");
        }
    }

    #[test]
    fn details_and_null() {
        let (a, b) = (set_of("10 a.b, 20 c.d"), set_of("30 a.b, 20 e.f"));
        let details = MailExchangers.difference(&name("x"), &refs(&a), &refs(&b)).details;
        let expected = [
            Detail::changed("preference", "10 a.b.", "30 a.b."),
            Detail::removed("exchange", "20 c.d."),
            Detail::added("exchange", "20 e.f."),
        ];
        assert_eq!(details, expected);
        assert!(is_null_mx(&refs(&set_of("0 ."))) && !is_null_mx(&[]));
        assert!(!is_null_mx(&refs(&set_of("0 ., 10 a.b"))));
    }

    #[test]
    fn lints() {
        let codes = |text: &str| -> Vec<String> {
            MailExchangers.lint(&name("x"), &refs(&set_of(text))).into_iter().map(|f| f.code).collect()
        };
        assert!(codes("10 a.b, 20 c.d").is_empty() && codes("0 .").is_empty());
        assert_eq!(codes("10 192.0.2.1"), ["MX-03"]);
        assert_eq!(codes("10 _mail.example"), ["MX-03"]);
        assert_eq!(codes("0 ., 10 a.b"), ["MX-04"]);
    }

    proptest! {
        #[test]
        fn holds_the_laws(sets in prop::array::uniform3(prop::collection::vec((0u16..4, 0usize..5), 0..4))) {
            let hosts = [".", "a.b", "A.b", "c.d", "e.f"];
            let sets = sets.map(|set| {
                let values = set.into_iter().map(|(preference, host)| Mx { preference, exchange: name(hosts[host]) });
                values.map(Rdata::Mx).collect::<Vec<_>>()
            });
            laws(&MailExchangers, &name("example.com"), [&sets[0], &sets[1], &sets[2]]);
        }
    }
}
