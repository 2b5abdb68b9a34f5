//! What is the same in many zones, put together: entries of a plan in blocks of zones.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use mailzone_mailauth::{Effect, Finding, Severity};
use mailzone_plan::Document;
use mailzone_plan::document::{ChangeDoc, ErrorDoc, SetDoc, UnmanagedDoc, ZoneDoc};

use crate::escape;

/// What occurs in so many zones is shown once.
pub(crate) const MANY: usize = 4;

/// What stands for the zone's name in a block of many zones.
pub(crate) const ZONE: &str = "{zone}";

/// Something that a plan says of a zone.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What<'a> {
    Error(&'a ErrorDoc),
    Change(&'a ChangeDoc),
    Finding(&'a Finding),
    Allowed(&'a Finding),
    Unmanaged(&'a UnmanagedDoc),
}

/// Something that a plan says of a block's zones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) what: What<'a>,
    /// Whether it stands for others of its kind that differ from it in more than the zone's name.
    pub(crate) example: bool,
}

/// Zones of which the same is to be said.
#[derive(Debug)]
pub(crate) struct Block<'a> {
    /// At least one. The entries are those of the first.
    pub(crate) zones: Vec<&'a ZoneDoc>,
    /// In the order of [`rank`].
    pub(crate) entries: Vec<Entry<'a>>,
}

/// A plan in blocks.
#[derive(Debug)]
pub(crate) struct Grouped<'a> {
    /// Many zones first.
    pub(crate) blocks: Vec<Block<'a>>,
    /// Zones of which nothing is to be said.
    pub(crate) quiet: Vec<&'a ZoneDoc>,
}

/// Puts what `pick` chooses into blocks; `together` is whether zones may share one.
pub(crate) fn group<'a>(document: &'a Document, together: bool, pick: impl Fn(&What<'_>) -> bool) -> Grouped<'a> {
    let mut entries: Vec<(usize, What<'a>)> = Vec::new();
    let mut quiet = Vec::new();
    for (at, zone) in document.zones.iter().enumerate() {
        let before = entries.len();
        entries.extend(everything(zone).filter(|what| pick(what)).map(|what| (at, what)));
        if entries.len() == before {
            quiet.push(zone);
        }
    }
    let mut blocks: BTreeMap<(bool, Vec<usize>), Vec<Entry<'a>>> = BTreeMap::new();
    let together = together && document.zones.len() >= MANY;
    for (zones, entry) in shared(document, entries, together) {
        blocks.entry((zones.len() < MANY, zones)).or_default().push(entry);
    }
    let mut blocks: Vec<Block<'a>> = blocks
        .into_iter()
        .map(|((_, zones), mut entries)| {
            entries.sort_by_key(|entry| rank(&entry.what));
            Block { zones: zones.iter().filter_map(|&at| document.zones.get(at)).collect(), entries }
        })
        .collect();
    // Blocks with changes before mere remarks, more zones before fewer; single zones stay in their order.
    blocks.sort_by_key(|block| {
        let many = block.is_many();
        let first = block.entries.first().map_or(0, |entry| rank(&entry.what).0);
        (
            !many,
            many && !block.has_changes(),
            if many { usize::MAX - block.zones.len() } else { 0 },
            first * u8::from(many),
        )
    });
    Grouped { blocks, quiet }
}

fn everything(zone: &ZoneDoc) -> impl Iterator<Item = What<'_>> {
    let error = zone.error.iter().map(What::Error);
    let changes = zone.changes.iter().map(What::Change);
    let findings = zone.findings.iter().map(What::Finding);
    let allowed = zone.allowed.iter().map(What::Allowed);
    error.chain(changes).chain(findings).chain(allowed).chain(zone.unmanaged.iter().map(What::Unmanaged))
}

/// Entries with their zones: those that are the same in many zones but for the zone's name once, and
/// remarks that are alike in many zones as one example.
fn shared<'a>(document: &'a Document, entries: Vec<(usize, What<'a>)>, together: bool) -> Vec<(Vec<usize>, Entry<'a>)> {
    if !together {
        return entries.into_iter().map(|(at, what)| (vec![at], Entry { what, example: false })).collect();
    }
    let label = |at: usize| document.zones.get(at).map_or("", ZoneDoc::label);
    let (mut out, rest) = collect(entries, false, |at, what| Some(key(what, label(at))));
    let (examples, rest) = collect(rest, true, |_, what| kin(what));
    out.extend(examples);
    out.extend(rest.into_iter().map(|(at, what)| (vec![at], Entry { what, example: false })));
    out
}

type Shared<'a> = Vec<(Vec<usize>, Entry<'a>)>;

fn collect<'a>(
    entries: Vec<(usize, What<'a>)>,
    example: bool,
    key: impl Fn(usize, &What<'a>) -> Option<String>,
) -> (Shared<'a>, Vec<(usize, What<'a>)>) {
    let keys: Vec<Option<String>> = entries.iter().map(|(at, what)| key(*at, what)).collect();
    let mut zones: HashMap<&str, Vec<usize>> = HashMap::new();
    for (key, (at, _)) in keys.iter().zip(&entries) {
        if let Some(key) = key {
            let zones = zones.entry(key).or_default();
            if zones.last() != Some(at) {
                zones.push(*at);
            }
        }
    }
    let mut done: HashSet<&str> = HashSet::new();
    let (mut out, mut rest) = (Vec::new(), Vec::new());
    for (key, (at, what)) in keys.iter().zip(&entries) {
        match key.as_deref().and_then(|key| Some((key, zones.get(key)?))).filter(|(_, zones)| zones.len() >= MANY) {
            Some((key, zones)) if done.insert(key) => out.push((zones.clone(), Entry { what: *what, example })),
            Some(_) => {}
            None => rest.push((*at, *what)),
        }
    }
    (out, rest)
}

/// All that is to be said of an entry, the zone's name left open. Foreign values do not count: they stay.
fn key(what: &What<'_>, zone: &str) -> String {
    let mut key = String::new();
    let mut add = |text: &str| {
        key.push_str(&generalise(&escape::line(text), zone, "\u{1}"));
        key.push('\u{2}');
    };
    match what {
        What::Error(error) => ["error", &error.kind, &error.message, &error.remedy].into_iter().for_each(add),
        What::Change(change) => {
            let ChangeDoc { action, name, rtype, slots, needs, class, details, outcome, note, .. } = change;
            [action, name, rtype, class].into_iter().for_each(|text| add(text));
            add(&change.stage.to_string());
            add(outcome.as_deref().unwrap_or_default());
            add(note.as_deref().unwrap_or_default());
            slots.iter().for_each(|text| add(text));
            add("needs");
            needs.iter().for_each(|text| add(text));
            for detail in details {
                add(&detail.term);
                add(&format!("{:?}", detail.before.as_deref().map(|text| generalise(text, zone, "\u{1}"))));
                add(&format!("{:?}", detail.after.as_deref().map(|text| generalise(text, zone, "\u{1}"))));
            }
            add(&change.kept.len().to_string());
            for set in [&change.before, &change.after] {
                add(&format!("{:?}", set.as_ref().map(|set| set.ttl)));
                own_values(set.as_ref(), change).for_each(&mut add);
            }
        }
        What::Finding(finding) => add_finding(&mut add, "finding", finding),
        What::Allowed(finding) => add_finding(&mut add, "allowed", finding),
        What::Unmanaged(slot) => {
            ["unmanaged", &slot.name, &slot.rtype, &slot.slot, &slot.removal].into_iter().for_each(&mut add);
            add(if slot.formerly { "formerly" } else { "" });
        }
    }
    key
}

fn add_finding(add: &mut impl FnMut(&str), kind: &str, finding: &Finding) {
    let Finding { code, severity, effect, subject, message, remedy, reference } = finding;
    [kind, code, subject, message, remedy, reference].into_iter().for_each(&mut *add);
    add(&format!("{severity:?} {effect:?}"));
}

/// What makes remarks alike enough to show one for all. Changes never are.
fn kin(what: &What<'_>) -> Option<String> {
    match what {
        What::Change(_) => None,
        What::Error(error) => Some(format!("error {}", error.kind)),
        What::Finding(f) => Some(format!("finding {} {:?} {:?}", f.code, f.severity, f.effect)),
        What::Allowed(f) => Some(format!("allowed {}", f.code)),
        What::Unmanaged(slot) => Some(format!("unmanaged {}", slot_kind(&slot.slot))),
    }
}

/// Whether two remarks are alike enough that many of them in one zone are shown by a few.
pub(crate) fn is_kin(a: &What<'_>, b: &What<'_>) -> bool {
    kin(a).is_some_and(|a| kin(b) == Some(a))
}

/// `dkim` of `dkim.s2026`.
pub(crate) fn slot_kind(slot: &str) -> &str {
    slot.split('.').next().unwrap_or(slot)
}

/// A set's values without the foreign ones.
pub(crate) fn own_values<'a>(set: Option<&'a SetDoc>, change: &'a ChangeDoc) -> impl Iterator<Item = &'a str> {
    let values = set.map_or(&[][..], |set| &set.values);
    values.iter().filter(|value| change.kept.binary_search(value).is_err()).map(String::as_str)
}

/// The order within a block.
pub(crate) fn rank(what: &What<'_>) -> (u8, u32) {
    match what {
        What::Error(_) => (0, 0),
        What::Change(change) if is_ttl_only(change) => (2, 0),
        What::Change(change) => (1, change.stage * 2 + u32::from(!change.needs.is_empty())),
        What::Finding(finding) if stops(finding) => (3, 0),
        What::Finding(finding) => match (finding.effect, finding.severity) {
            (Effect::Cured, _) => (6, 0),
            (_, Severity::Error) => (4, 0),
            (_, Severity::Warning) => (5, 0),
            (_, Severity::Info) => (7, 0),
        },
        What::Allowed(_) => (8, 0),
        What::Unmanaged(_) => (9, 0),
    }
}

/// Whether nothing but the TTL changes.
pub(crate) fn is_ttl_only(change: &ChangeDoc) -> bool {
    !change.details.is_empty() && change.details.iter().all(|detail| detail.term == "ttl")
}

/// Whether a finding is a guard that stops its zone (`design.md` section 5).
pub(crate) fn stops(finding: &Finding) -> bool {
    finding.effect == Effect::Caused
        && finding.severity == Severity::Error
        && (finding.code.starts_with("GUARD-") || finding.code == "SPF-03")
}

impl Block<'_> {
    pub(crate) fn is_many(&self) -> bool {
        self.zones.len() >= MANY
    }

    pub(crate) fn has_changes(&self) -> bool {
        self.changes().next().is_some()
    }

    pub(crate) fn changes(&self) -> impl Iterator<Item = &ChangeDoc> {
        self.entries.iter().filter_map(|entry| if let What::Change(change) = entry.what { Some(change) } else { None })
    }

    /// A text of the first zone as it is shown for all.
    pub(crate) fn show<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.zones.first() {
            Some(zone) if self.is_many() => generalise(text, zone.label(), ZONE),
            _ => Cow::Borrowed(text),
        }
    }
}

/// `text` with `by` wherever the zone's name stands by itself or as the end of a longer name.
fn generalise<'t>(text: &'t str, zone: &str, by: &str) -> Cow<'t, str> {
    let in_name = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let (bytes, wanted) = (text.as_bytes(), zone.as_bytes());
    if wanted.is_empty() || bytes.len() < wanted.len() {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let (mut from, mut at) = (0, 0);
    while let Some(window) = bytes.get(at..at + wanted.len()) {
        let alone = || !in_name(at.checked_sub(1).and_then(|b| bytes.get(b))) && !in_name(bytes.get(at + wanted.len()));
        if window.eq_ignore_ascii_case(wanted)
            && alone()
            && let Some(before) = text.get(from..at)
        {
            out.push_str(before);
            out.push_str(by);
            at += wanted.len();
            from = at;
        } else {
            at += 1;
        }
    }
    match text.get(from..) {
        Some(rest) if from > 0 => Cow::Owned(out + rest),
        _ => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, document, zone};

    #[test]
    fn a_zones_name_is_found_where_it_stands_alone() {
        let show = |text| generalise(text, "a.de", "Z").into_owned();
        assert_eq!(show("a.de"), "Z");
        assert_eq!(show("_dmarc.A.de. and data.de, a.de-x, b@a.de!"), "_dmarc.Z. and data.de, a.de-x, b@Z!");
        assert_eq!(show("\u{fc}a.de"), "\u{fc}Z");
        assert_eq!(generalise("x", "", "Z"), "x");
    }

    #[test]
    fn the_same_in_many_zones_is_one_block() {
        let zones: Vec<ZoneDoc> = (0..9)
            .map(|at| {
                let name = format!("z{at}.example");
                let mut changes = vec![change("+", &format!("{name}. MX"), &[])];
                if at == 5 {
                    changes.push(change("+", &format!("www.{name}. A"), &[]));
                }
                zone(&name, changes)
            })
            .collect();
        let document = document(zones);
        let shape = |together| {
            let grouped = group(&document, together, |_| true);
            grouped.blocks.iter().map(|b| (b.zones.len(), b.entries.len())).collect::<Vec<_>>()
        };
        assert_eq!(shape(true), [(9, 1), (1, 1)]);
        assert_eq!(shape(false).len(), 9);
    }
}
