//! What replacing SPF values means, in SPF's own terms.

use std::collections::{HashMap, HashSet};

use mailzone_record::{Name, Rdata};

use super::compare::{End, Meaning, covers, lost};
use super::record::{Mechanism, Modifier, Qualifier, Record, TermKind};
use super::{Side, State, lint};
use crate::finding::{Effect, Finding};
use crate::kind::{Class, Detail, Difference, Equality};

/// Beyond so many terms the order is not compared pair by pair.
const MOST_ORDERED: usize = 256;

/// The difference. Rules of the class, beside those for terms:
/// - created: as a step from `none` to what its end says, so `~all` and `-all` tighten;
/// - deleted: breaks, or loosens where it authorised nobody;
/// - to a record that receivers answer with `permerror`: breaks;
/// - from such a record to a good one: loosens, or mixed where a term goes.
pub(super) fn difference(owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Difference {
    match super::equal(owner, before, after) {
        Equality::Identical => return Difference::NONE,
        Equality::Same => return Difference { class: Class::Cosmetic, details: Vec::new() },
        Equality::Equivalent | Equality::Different => {}
    }
    let (old, new) = (Side::of(before), Side::of(after));
    let class = match (old.state(), new.state()) {
        (State::Alias, _) | (_, State::Alias) => Class::Unknown,
        (State::Absent, State::Absent) | (State::Broken, State::Broken) => Class::Neutral,
        (_, State::Broken) => Class::Breaks,
        (State::Absent, State::Good(record)) => match Meaning::of(record, owner).end() {
            End::Result(Qualifier::Fail | Qualifier::SoftFail) => Class::Tightens,
            End::Result(Qualifier::Neutral) => Class::Neutral,
            End::Result(Qualifier::Pass) => Class::Loosens,
            End::Redirect(_) => Class::Unknown,
        },
        (State::Good(record), State::Absent) if authorises(&Meaning::of(record, owner)) => Class::Breaks,
        (_, State::Absent) => Class::Loosens,
        (State::Broken, State::Good(record)) => {
            if lost(&old.meanings(owner), &Meaning::of(record, owner)).is_empty() {
                Class::Loosens
            } else {
                Class::Mixed
            }
        }
        (State::Good(a), State::Good(b)) if a.equality(b, owner) <= Equality::Equivalent => Class::Cosmetic,
        (State::Good(a), State::Good(b)) => class_of(&Meaning::of(a, owner), &Meaning::of(b, owner)),
    };
    Difference { class, details: details(owner, &old, &new) }
}

/// `GUARD-SPF`, `GUARD-SPF-NET` and `SPF-03` (`design.md` section 5).
pub(super) fn guards(owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Vec<Finding> {
    let (old, new) = (Side::of(before), Side::of(after));
    let subject = owner.to_lowercase().to_string();
    let mut found = Vec::new();
    let had = !old.records.is_empty();
    match new.state() {
        State::Alias => return found,
        State::Absent if had => {
            let terms = lost(&old.meanings(owner), &Meaning::of(&Record::default(), owner));
            let what = if terms.is_empty() { String::new() } else { format!("; it authorised {}", terms.join(", ")) };
            let message = format!("the SPF record goes{what}");
            found.push(Finding::guard("GUARD-SPF", subject, message, "RFC 7208 section 4.5"));
            return found;
        }
        State::Absent => return found,
        State::Broken if new.records.len() > 1 || new.records.iter().any(|(_, errors)| !errors.is_empty()) => {
            if matches!(old.state(), State::Good(_)) {
                let message = "the SPF record becomes invalid: receivers answer permerror";
                found.push(Finding::guard("GUARD-SPF", subject.clone(), message, "RFC 7208 section 4.6"));
            }
        }
        State::Broken | State::Good(_) => {}
    }
    let Some((record, _)) = new.records.first() else { return found };
    if had {
        let terms = lost(&old.meanings(owner), &Meaning::of(record, owner));
        if !terms.is_empty() {
            let message = format!("SPF no longer authorises {}", terms.join(", "));
            found.push(Finding::guard("GUARD-SPF-NET", subject.clone(), message, "RFC 7208 section 5"));
        }
    }
    if record.own_lookups() > 10 && !old.records.iter().any(|(record, _)| record.own_lookups() > 10) {
        found.push(Finding { effect: Effect::Caused, ..lint::over_limit(&subject) });
    }
    found
}

fn authorises(meaning: &Meaning) -> bool {
    meaning.effective().iter().any(|(qualifier, _)| *qualifier == Qualifier::Pass)
        || matches!(meaning.end(), End::Result(Qualifier::Pass) | End::Redirect(_))
}

/// Of two records that receivers accept.
fn class_of(before: &Meaning, after: &Meaning) -> Class {
    let (old, new) = (before.effective(), after.effective());
    let (old_end, new_end) = (before.end(), after.end());
    let mut pull = Pull::default();
    // Networks that pass are compared as addresses: a wider one keeps a narrower one.
    let (had, has) = (before.passes(), after.passes());
    pull.loosens |= !has.minus(&had).is_empty() && old_end != End::Result(Qualifier::Pass);
    pull.tightens |= !had.minus(&has).is_empty() && new_end != End::Result(Qualifier::Pass);
    let pass_network = |q: Qualifier, m: &Mechanism| q == Qualifier::Pass && matches!(m, Mechanism::Ip(_));
    let qualifier_in_old: HashMap<&Mechanism, Qualifier> = old.iter().map(|(q, m)| (*m, *q)).collect();
    let qualifier_in_new: HashMap<&Mechanism, Qualifier> = new.iter().map(|(q, m)| (*m, *q)).collect();
    for (at, &(qualifier, mechanism)) in new.iter().enumerate() {
        match qualifier_in_old.get(mechanism) {
            Some(old) => pull.step(*old, qualifier),
            None if pass_network(qualifier, mechanism) || covered(&old, qualifier, mechanism) => {}
            None => others(&new, at, &new_end).for_each(|other| pull.step(other, qualifier)),
        }
    }
    for (at, &(qualifier, mechanism)) in old.iter().enumerate() {
        let kept = qualifier_in_new.contains_key(mechanism);
        if !kept && !pass_network(qualifier, mechanism) && !covered(&new, qualifier, mechanism) {
            others(&old, at, &old_end).for_each(|other| pull.step(qualifier, other));
        }
    }
    let mut class = pull.class();
    match (&old_end, &new_end) {
        (a, b) if a == b => {}
        (End::Result(a), End::Result(b)) => {
            pull.step(*a, *b);
            class = pull.class();
        }
        _ => class = Class::Unknown,
    }
    if class == Class::Neutral { reordered(&old, &new) } else { class }
}

/// Which way the results of clients move.
#[derive(Default)]
struct Pull {
    tightens: bool,
    loosens: bool,
}

impl Pull {
    fn step(&mut self, from: Qualifier, to: Qualifier) {
        self.tightens |= to > from;
        self.loosens |= to < from;
    }

    fn class(&self) -> Class {
        match (self.tightens, self.loosens) {
            (true, true) => Class::Mixed,
            (true, false) => Class::Tightens,
            (false, true) => Class::Loosens,
            (false, false) => Class::Neutral,
        }
    }
}

/// The results that the clients of the term at `at` get when it is not there: those of later terms.
fn others(terms: &[(Qualifier, &Mechanism)], at: usize, end: &End) -> impl Iterator<Item = Qualifier> {
    let mut seen = [false; 4];
    for (qualifier, _) in terms.iter().skip(at + 1) {
        seen[*qualifier as usize] = true;
    }
    match end {
        End::Result(qualifier) => seen[*qualifier as usize] = true,
        End::Redirect(_) => seen[Qualifier::Pass as usize] = true,
    }
    seen[Qualifier::Fail as usize] |= matches!(end, End::Redirect(_));
    let all = [Qualifier::Pass, Qualifier::Neutral, Qualifier::SoftFail, Qualifier::Fail];
    all.into_iter().filter(move |qualifier| seen[*qualifier as usize])
}

fn covered(terms: &[(Qualifier, &Mechanism)], qualifier: Qualifier, mechanism: &Mechanism) -> bool {
    terms.iter().any(|(other, wide)| *other == qualifier && covers(wide, mechanism))
}

/// The same terms in another order: what a client that matches two of them gets.
fn reordered(old: &[(Qualifier, &Mechanism)], new: &[(Qualifier, &Mechanism)]) -> Class {
    if new.len() > MOST_ORDERED {
        return Class::Mixed;
    }
    let place: HashMap<&Mechanism, usize> = old.iter().enumerate().map(|(at, (_, m))| (*m, at)).collect();
    let mut pull = Pull::default();
    for (at, &(first, a)) in new.iter().enumerate() {
        for &(second, b) in &new[at + 1..] {
            if let (Some(a), Some(b)) = (place.get(a), place.get(b))
                && a > b
            {
                pull.step(second, first);
            }
        }
    }
    pull.class()
}

fn details(owner: &Name, old: &Side, new: &Side) -> Vec<Detail> {
    let mut details = Vec::new();
    match (&old.alias, &new.alias) {
        (Some(a), Some(b)) if a == b => {}
        (Some(a), Some(b)) => details.push(Detail::changed("cname", a, b)),
        (Some(a), None) => details.push(Detail::removed("cname", a)),
        (None, Some(b)) => details.push(Detail::added("cname", b)),
        (None, None) => {}
    }
    let broken = |side: &Side| side.records.iter().any(|(_, errors)| !errors.is_empty());
    if broken(old) || broken(new) {
        // Terms of a record with errors would show half of it.
        let gone: Vec<&String> = old.texts.iter().filter(|text| !new.texts.contains(text)).collect();
        let come: Vec<&String> = new.texts.iter().filter(|text| !old.texts.contains(text)).collect();
        if let ([a], [b]) = (gone.as_slice(), come.as_slice()) {
            details.push(Detail::changed("record", *a, *b));
        } else {
            details.extend(gone.into_iter().map(|text| Detail::removed("record", text)));
            details.extend(come.into_iter().map(|text| Detail::added("record", text)));
        }
        return details;
    }
    if old.records.len() != new.records.len() && old.records.len().max(new.records.len()) > 1 {
        details.push(Detail::changed("records", old.records.len().to_string(), new.records.len().to_string()));
    }
    let (a, b) = (terms(owner, old), terms(owner, new));
    let count = details.len();
    let (in_old, in_new): (HashMap<_, _>, HashMap<_, _>) = (a.iter().cloned().collect(), b.iter().cloned().collect());
    for (key, text) in &a {
        match in_new.get(key) {
            None => details.push(Detail::removed(key.name(), text)),
            Some(other) if other != text => details.push(Detail::changed(key.name(), text, other)),
            Some(_) => {}
        }
    }
    details
        .extend(b.iter().filter(|(key, _)| !in_old.contains_key(key)).map(|(k, text)| Detail::added(k.name(), text)));
    if details.len() == count && old.texts.len() == 1 && new.texts.len() == 1 {
        let [before, after] = [old, new].map(|side| side.records.first().map(|(record, _)| record.to_string()));
        if let (Some(before), Some(after)) = (before, after)
            && before != after
        {
            details.push(Detail::changed("order", before, after));
        }
    }
    details
}

/// What makes a term the same term, whatever its qualifier or value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Mechanism(Mechanism),
    Modifier(String),
}

impl Key {
    fn name(&self) -> &str {
        match self {
            Self::Mechanism(mechanism) => mechanism.name(),
            Self::Modifier(name) => name,
        }
    }
}

/// The terms of a side's records, each key once, with their text.
fn terms(owner: &Name, side: &Side) -> Vec<(Key, String)> {
    let mut terms: Vec<(Key, String)> = Vec::new();
    let mut seen = HashSet::new();
    for (record, _) in &side.records {
        let own = Meaning::of(record, owner);
        let mut mechanisms = own.directives().iter();
        for term in &record.terms {
            let key = match &term.kind {
                TermKind::Directive(..) => {
                    let Some((_, mechanism)) = mechanisms.next() else { continue };
                    Key::Mechanism(mechanism.clone())
                }
                TermKind::Modifier(Modifier::Redirect(_)) if record.redirect().is_none() => continue,
                TermKind::Modifier(modifier) => Key::Modifier(modifier.name().to_owned()),
            };
            if seen.insert(key.clone()) {
                terms.push((key, term.to_string()));
            }
        }
    }
    terms
}

#[cfg(test)]
mod tests {
    use mailzone_record::Txt;
    use proptest::prelude::*;

    use super::*;
    use crate::spf::parse::tests::record;

    fn owner() -> Name {
        Name::parse("example.com").unwrap()
    }

    fn txt(text: &str) -> Rdata {
        Rdata::Txt(Txt::from_text(text))
    }

    fn with<T>(before: &[&str], after: &[&str], f: impl Fn(&[&Rdata], &[&Rdata]) -> T) -> T {
        let (a, b): (Vec<_>, Vec<_>) =
            (before.iter().map(|t| txt(t)).collect(), after.iter().map(|t| txt(t)).collect());
        f(&a.iter().collect::<Vec<_>>(), &b.iter().collect::<Vec<_>>())
    }

    fn class(before: &str, after: &str) -> Class {
        with(&[before], &[after], |a, b| difference(&owner(), a, b).class)
    }

    fn guarded(before: &[&str], after: &[&str]) -> String {
        let found = with(before, after, |a, b| guards(&owner(), a, b));
        found.iter().map(|f| format!("{} {}\n", f.code, f.message)).collect()
    }

    fn shown(before: &[&str], after: &[&str]) -> String {
        let found = with(before, after, |a, b| difference(&owner(), a, b));
        let line = |d: &Detail| {
            let side = |s: &Option<String>| s.clone().unwrap_or_else(|| "(none)".to_owned());
            format!("{}: {} -> {}\n", d.term, side(&d.before), side(&d.after))
        };
        format!("{:?}\n{}", found.class, found.details.iter().map(line).collect::<String>())
    }

    #[test]
    fn classes() {
        for (before, after, expected) in [
            ("v=spf1 mx ~all", "v=spf1 mx -all", Class::Tightens),
            ("v=spf1 mx -all", "v=spf1 mx ~all", Class::Loosens),
            ("v=spf1 mx", "v=spf1 mx ~all", Class::Tightens),
            ("v=spf1 mx ~all", "v=spf1 mx include:a.b ~all", Class::Loosens),
            ("v=spf1 mx include:a.b ~all", "v=spf1 mx ~all", Class::Tightens),
            ("v=spf1 mx include:a.b ~all", "v=spf1 mx include:c.d ~all", Class::Mixed),
            ("v=spf1 ip4:192.0.2.0/25 -all", "v=spf1 ip4:192.0.2.0/24 -all", Class::Loosens),
            ("v=spf1 ip4:192.0.2.0/24 -all", "v=spf1 ip4:192.0.2.0/25 -all", Class::Tightens),
            ("v=spf1 a -all", "v=spf1 a/24 -all", Class::Loosens),
            ("v=spf1 mx -all", "v=spf1 -ip4:192.0.2.1 mx -all", Class::Tightens),
            ("v=spf1 include:a.b -all", "v=spf1 ~include:a.b -all", Class::Tightens),
            ("v=spf1 -ip4:192.0.2.1 mx -all", "v=spf1 mx -ip4:192.0.2.1 -all", Class::Loosens),
            ("v=spf1 mx -ip4:192.0.2.1 -all", "v=spf1 -ip4:192.0.2.1 mx -all", Class::Tightens),
            ("v=spf1 include:a.b", "v=spf1 redirect=a.b", Class::Unknown),
            ("v=spf1 mx -all", "v=spf1 mx -all exp=a.b", Class::Neutral),
            ("v=spf1 mx a -all", "v=spf1 a mx -all", Class::Cosmetic),
            ("v=spf1 mx -all", "v=spf1 mx foo -all", Class::Breaks),
            ("v=spf1 mx foo -all", "v=spf1 mx -all", Class::Loosens),
            ("v=spf1 mx ip4: include:a.b -all", "v=spf1 mx -all", Class::Mixed),
            (
                "v=spf1 a a:b.c mx -all",
                "v=spf1 a a:a.a a:b.c a:c.c a:d.d a:e.e a:f.f a:g.g a:h.h a:i.i a:j.j mx -all",
                Class::Breaks,
            ),
            ("v=spf1 mx -all", "v=spf1  +MX -ALL", Class::Cosmetic),
            ("v=spf1 mx -all", "v=spf1 mx -all", Class::Neutral),
        ] {
            assert_eq!(class(before, after), expected, "{before} -> {after}");
        }
        let ends = |before: &[&str], after: &[&str]| with(before, after, |a, b| difference(&owner(), a, b).class);
        assert_eq!(ends(&[], &["v=spf1 mx -all"]), Class::Tightens);
        assert_eq!(ends(&[], &["v=spf1 mx"]), Class::Neutral);
        assert_eq!(ends(&["v=spf1 mx -all"], &[]), Class::Breaks);
        assert_eq!(ends(&["v=spf1 -all"], &[]), Class::Loosens);
        assert_eq!(ends(&["v=spf1 mx -all", "v=spf1 a -all"], &["v=spf1 a mx -all"]), Class::Loosens);
    }

    #[test]
    fn details_are_terms() {
        insta::assert_snapshot!(shown(&["v=spf1 mx ip4:192.0.2.1 ~all"], &["v=spf1 mx include:_spf.example.net -all"]), @"
        Mixed
        ip4: ip4:192.0.2.1 -> (none)
        all: ~all -> -all
        include: (none) -> include:_spf.example.net
        ");
        insta::assert_snapshot!(shown(&["v=spf1 mx -all", "v=spf1 a ~all"], &["v=spf1 mx -all"]), @"
        Mixed
        records: 2 -> 1
        a: a -> (none)
        ");
        insta::assert_snapshot!(shown(&["v=spf1 mx a -all"], &["v=spf1 a mx -all"]), @"
        Cosmetic
        order: v=spf1 mx a -all -> v=spf1 a mx -all
        ");
        insta::assert_snapshot!(shown(&["v=spf1 mx foo -all"], &["v=spf1 mx -all"]), @"
        Loosens
        record: v=spf1 mx foo -all -> v=spf1 mx -all
        ");
        insta::assert_snapshot!(shown(&[], &["v=spf1 mx redirect=a.b"]), @"
        Unknown
        mx: (none) -> mx
        redirect: (none) -> redirect=a.b
        ");
    }

    #[test]
    fn guards_name_what_is_lost() {
        let before = "v=spf1 a mx ip4:192.0.2.0/24 ip4:198.51.100.7 include:a.b ?include:c.d -all";
        insta::assert_snapshot!(guarded(&[before], &[]), @"GUARD-SPF the SPF record goes; it authorised a, mx, ip4:192.0.2.0/24, ip4:198.51.100.7, include:a.b");
        insta::assert_snapshot!(guarded(&[before], &["v=spf1 a:EXAMPLE.com mx/24 ip4:192.0.2.0/25 -include:a.b -all"]), @"GUARD-SPF-NET SPF no longer authorises a part of ip4:192.0.2.0/24, ip4:198.51.100.7, include:a.b");
        insta::assert_snapshot!(guarded(&[before], &["v=spf1 foo"]), @"
        GUARD-SPF the SPF record becomes invalid: receivers answer permerror
        GUARD-SPF-NET SPF no longer authorises a, mx, ip4:192.0.2.0/24, ip4:198.51.100.7, include:a.b
        ");
        insta::assert_snapshot!(guarded(&["v=spf1 ip4:192.0.2.1 -all", "v=spf1 redirect=e.f"], &["v=spf1 mx -all"]), @"GUARD-SPF-NET SPF no longer authorises ip4:192.0.2.1, redirect=e.f");
        for (before, after) in [
            ("v=spf1 ip4:192.0.2.7 -all", "v=spf1 ip4:192.0.2.0/24 -all"),
            ("v=spf1 ip4:192.0.2.0/24 -all", "v=spf1 ip4:192.0.2.128/25 ip4:192.0.2.0/25 -all"),
            ("v=spf1 mx -all include:a.b", "v=spf1 mx -all"),
            ("v=spf1 ~include:a.b mx -all", "v=spf1 mx -all"),
            ("v=spf1 mx redirect=a.b", "v=spf1 mx include:a.b -all"),
            ("v=spf1 include:a.b", "v=spf1 redirect=a.b"),
            ("v=spf1 mx foo", "v=spf1 mx bar"),
            ("v=spf1 +all", "v=spf1 mx -all"),
        ] {
            assert_eq!(guarded(&[before], &[after]), "", "{before} -> {after}");
        }
        let eleven: String = (0..11).map(|n| format!(" include:s{n}.example")).collect();
        let (more, most) = (format!("v=spf1{eleven} -all"), format!("v=spf1 a{eleven} -all"));
        assert_eq!(
            guarded(&["v=spf1 -all"], &[&more]),
            "SPF-03 more than 10 terms query the DNS: receivers answer permerror\n"
        );
        assert_eq!(guarded(&[&more], &[&most]), "");
    }

    proptest! {
        #[test]
        fn nothing_changes_nothing(text in record(), other in record()) {
            with(&[&text], &[&text], |a, b| {
                assert_eq!(difference(&owner(), a, b), Difference::NONE);
                assert_eq!(guards(&owner(), a, b), Vec::new());
            });
            let found = with(&[&text], &[&other], |a, b| difference(&owner(), a, b));
            let alike = Record::parse(&text).unwrap().equality(&Record::parse(&other).unwrap(), &owner());
            prop_assert_eq!(found.details.is_empty(), alike <= Equality::Same);
        }

        #[test]
        fn adding_a_sender_is_never_guarded(text in record()) {
            let more = text.replacen("v=spf1", "v=spf1 ip4:192.0.2.1", 1);
            prop_assert_eq!(guarded(&[&text], &[&more]), "");
        }
    }
}
