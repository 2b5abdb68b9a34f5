//! What the kinds that live in TXT share: joined text, sets of one, CNAMEs in their place.

use std::borrow::Cow;

use mailzone_record::{Name, Rdata, RecordType, Txt};

use crate::kind::{Detail, Equality, LiveSlot, Recognition};
use crate::tag_list::TagList;

/// The strings of a TXT value joined (rule book 1.2), lossy where they are no UTF-8. `None` for other
/// types. Lossy text is for reading and showing; comparison goes through [`equal_sets`].
pub(crate) fn text(rdata: &Rdata) -> Option<Cow<'_, str>> {
    Some(match rdata.as_txt()?.joined() {
        Cow::Borrowed(octets) => String::from_utf8_lossy(octets),
        Cow::Owned(octets) => Cow::Owned(String::from_utf8_lossy(&octets).into_owned()),
    })
}

/// The target of the first CNAME among `values`.
pub(crate) fn cname<'a>(values: &[&'a Rdata]) -> Option<&'a Name> {
    values.iter().find_map(|rdata| match rdata {
        Rdata::Cname(target) => Some(target),
        _ => None,
    })
}

/// Compares two sets where a receiver takes exactly one TXT value or follows one CNAME. `one` compares
/// two texts that are not the same octets. Sets of several are alike only if they hold the same values.
pub(crate) fn equal_sets(a: &[&Rdata], b: &[&Rdata], one: impl Fn(&str, &str) -> Equality) -> Equality {
    let (a, b) = (distinct(a), distinct(b));
    if a.len() == b.len() && a.iter().all(|value| b.iter().any(|other| identical(value, other))) {
        return Equality::Identical;
    }
    match (a.as_slice(), b.as_slice()) {
        ([Rdata::Cname(x)], [Rdata::Cname(y)]) if x == y => Equality::Same,
        ([Rdata::Txt(x)], [Rdata::Txt(y)]) => {
            let (x, y) = (x.joined(), y.joined());
            if x == y {
                return Equality::Same;
            }
            match (std::str::from_utf8(&x), std::str::from_utf8(&y)) {
                (Ok(x), Ok(y)) => one(x, y),
                _ => Equality::Different,
            }
        }
        (x, y) if x.len() == y.len() && x.iter().all(|v| y.iter().any(|w| same_octets(v, w))) => Equality::Same,
        _ => Equality::Different,
    }
}

/// `values` without repetitions (DNS suppresses them, rule book 1.2).
pub(crate) fn distinct<'a>(values: &[&'a Rdata]) -> Vec<&'a Rdata> {
    let mut out: Vec<&Rdata> = Vec::with_capacity(values.len());
    for &value in values {
        if !out.iter().any(|seen| same_octets(seen, value)) {
            out.push(value);
        }
    }
    out
}

/// Whole values that go and come, for sets that have no tags to compare: a CNAME, or several records.
pub(crate) fn whole_values(before: &[&Rdata], after: &[&Rdata], term: &str) -> Vec<Detail> {
    let name = |rdata: &Rdata| if matches!(rdata, Rdata::Cname(_)) { "cname".to_owned() } else { term.to_owned() };
    let shown = |rdata: &Rdata| text(rdata).map_or_else(|| rdata.to_string(), Cow::into_owned);
    let only = |xs: &[&Rdata], ys: &[&Rdata]| -> Vec<(String, String)> {
        xs.iter().filter(|x| !ys.iter().any(|y| same_octets(x, y))).map(|x| (name(x), shown(x))).collect()
    };
    let (gone, come) = (only(before, after), only(after, before));
    if let ([(old, a)], [(new, b)]) = (gone.as_slice(), come.as_slice())
        && old == new
    {
        return vec![Detail::changed(old.clone(), a.clone(), b.clone())];
    }
    let gone = gone.into_iter().map(|(term, value)| Detail::removed(term, value));
    gone.chain(come.into_iter().map(|(term, value)| Detail::added(term, value))).collect()
}

/// Lower case without blanks, quotes of any kind and backslashes: how near misses are looked for.
fn folded(text: &str) -> String {
    let dropped = |c: char| {
        c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '\\' | '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}')
    };
    text.chars().filter(|&c| !dropped(c)).map(|c| c.to_ascii_lowercase()).collect()
}

/// What a value is to a receiver that selects records by their first tag: `v` with exactly this value. A
/// CNAME is a candidate: the name is the kind's own, and a receiver follows it.
pub(crate) fn recognise(rdata: &Rdata, version: &str) -> Recognition {
    if matches!(rdata, Rdata::Cname(_)) {
        return Recognition::Candidate;
    }
    match text(rdata) {
        Some(text) if TagList::parse(&text).has_version(version) => Recognition::Candidate,
        Some(text) if is_near(&text, version) => Recognition::NearMiss,
        _ => Recognition::Foreign,
    }
}

/// Whether `text` starts like a record of this version after dropping quotes, blanks and case.
pub(crate) fn is_near(text: &str, version: &str) -> bool {
    folded(text).strip_prefix("v=").is_some_and(|rest| rest.starts_with(&version.to_ascii_lowercase()))
}

/// The first quote of a word processor in a text: it came with the text from a page, and no reader takes it off.
pub(crate) fn typographic_quote(text: &str) -> Option<char> {
    text.chars().find(|c| matches!(c, '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}'))
}

/// Whether the strings are what a zone file makes of a text with blanks and without quotes: one for each word.
pub(crate) fn is_split_at_blanks(txt: &Txt) -> bool {
    let strings = txt.strings();
    strings.len() > 1
        && strings.iter().all(|string| !string.is_empty() && string.len() < 255 && !string.contains(&b' '))
}

/// What `read` makes of the one TXT value of a set; `None` for no, several or other values.
pub(crate) fn only<T>(values: &[&Rdata], read: impl Fn(&str) -> Option<T>) -> Option<T> {
    match distinct(values).as_slice() {
        [rdata] => read(&text(rdata)?),
        _ => None,
    }
}

/// The slot of a kind without keys at `domain`: a CNAME, or TXT with a candidate.
pub(crate) fn slot(
    domain: Option<Name>,
    rtype: RecordType,
    values: &[&Rdata],
    recognise: impl Fn(&Rdata) -> Recognition,
) -> Option<LiveSlot> {
    // Most names are of no slot: their texts need no reading.
    let domain = domain?;
    let ours = match rtype {
        RecordType::CNAME => true,
        RecordType::TXT => values.iter().any(|rdata| recognise(rdata) == Recognition::Candidate),
        _ => false,
    };
    ours.then_some(LiveSlot { domain, key: None })
}

/// The owner as findings name it.
pub(crate) fn subject(owner: &Name) -> String {
    owner.to_lowercase().to_string()
}

/// `owner` without its first labels, if those are `prefix` (case-insensitive) and something is left.
pub(crate) fn below(owner: &Name, prefix: &[&str]) -> Option<Name> {
    let mut name = owner.clone();
    for label in prefix {
        if !name.labels().next()?.eq_ignore_ascii_case(label.as_bytes()) {
            return None;
        }
        name = name.parent()?;
    }
    (!name.is_root()).then_some(name)
}

fn identical(a: &Rdata, b: &Rdata) -> bool {
    match (a, b) {
        (Rdata::Cname(x), Rdata::Cname(y)) => x.eq_case(y),
        _ => a == b,
    }
}

fn same_octets(a: &Rdata, b: &Rdata) -> bool {
    match (a, b) {
        (Rdata::Txt(x), Rdata::Txt(y)) => x.joined() == y.joined(),
        _ => a == b,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn rdata(text: &str) -> Rdata {
        Rdata::Txt(Txt::from_text(text))
    }

    pub(crate) fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn sets_of_several_are_alike_only_to_themselves() {
        let (a, b, split) = (rdata("a"), rdata("bc"), Txt::from_strings(vec![b"b"[..].into(), b"c"[..].into()]));
        let split = Rdata::Txt(split.unwrap());
        let never = |_: &str, _: &str| Equality::Different;
        assert_eq!(equal_sets(&[&a, &b], &[&b, &a], never), Equality::Identical);
        assert_eq!(equal_sets(&[&a, &b], &[&split, &a], never), Equality::Same);
        assert_eq!(equal_sets(&[&a, &b], &[&a], |_, _| Equality::Same), Equality::Different);
        assert_eq!(equal_sets(&[&b, &split], &[&b], never), Equality::Identical);
        assert_eq!(equal_sets(&[], &[], never), Equality::Identical);
        assert_eq!(equal_sets(&[], &[&a], never), Equality::Different);
    }

    #[test]
    fn cname_targets_compare_folded() {
        let (a, b) = (Rdata::Cname(name("X.example")), Rdata::Cname(name("x.example")));
        let never = |_: &str, _: &str| Equality::Different;
        assert_eq!(equal_sets(&[&a], &[&b], never), Equality::Same);
        assert_eq!(equal_sets(&[&a], &[&a], never), Equality::Identical);
        assert_eq!(equal_sets(&[&a], &[&rdata("x.example.")], never), Equality::Different);
    }

    #[test]
    fn prefixes_are_cut() {
        assert_eq!(below(&name("_DMARC.example.com"), &["_dmarc"]), Some(name("example.com")));
        assert_eq!(below(&name("_dmarc"), &["_dmarc"]), None);
        assert_eq!(below(&name("example.com"), &["_dmarc"]), None);
    }
}
