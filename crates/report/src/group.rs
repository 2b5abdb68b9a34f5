//! What is the same in many zones, put together: entries of a plan in blocks of zones.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use mailzone_mailauth::{Effect, Finding, Severity};
use mailzone_plan::document::{ChangeDoc, ErrorDoc, SetDoc, SideEffectDoc, UnmanagedDoc, ZoneDoc};
use mailzone_plan::{Document, stops};

use crate::escape;

/// What occurs in so many zones is shown once.
pub(crate) const MANY: usize = 4;

/// A zone, or a domain in a zone of many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unit<'a> {
    pub(crate) zone: &'a ZoneDoc,
    /// Its name.
    pub(crate) label: &'a str,
}

/// Something that a plan says of a zone.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What<'a> {
    Error(&'a ErrorDoc),
    Change(&'a ChangeDoc),
    Finding(&'a Finding),
    Allowed(&'a Finding),
    Unmanaged(&'a UnmanagedDoc),
    /// Of `apply`.
    SideEffect(&'a SideEffectDoc),
}

/// Something that a plan says of a block's zones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) what: What<'a>,
    /// Whether it stands for others of its kind that differ from it in more than the zone's name.
    pub(crate) example: bool,
}

/// Zones or domains of which the same is to be said.
#[derive(Debug)]
pub(crate) struct Block<'a> {
    /// At least one. The entries are those of the first.
    pub(crate) units: Vec<Unit<'a>>,
    /// In the order of [`rank`].
    pub(crate) entries: Vec<Entry<'a>>,
    /// Whether the same words hold for all, names included: one failure of their provider.
    verbatim: bool,
}

/// A plan in blocks.
#[derive(Debug)]
pub(crate) struct Grouped<'a> {
    /// Many zones first.
    pub(crate) blocks: Vec<Block<'a>>,
    /// Zones of which nothing is to be said.
    pub(crate) quiet: Vec<&'a ZoneDoc>,
}

/// Puts what `pick` chooses into blocks; `together` is whether zones may share one. In a zone of many
/// domains, domains may.
pub(crate) fn group<'a>(document: &'a Document, together: bool, pick: impl Fn(&What<'_>) -> bool) -> Grouped<'a> {
    // The zones themselves come first, in their order; domains after them.
    let mut units: Vec<Unit<'a>> = document.zones.iter().map(|zone| Unit { zone, label: zone.label() }).collect();
    let mut entries: Vec<Placed<'a>> = Vec::new();
    let mut quiet = Vec::new();
    for (at, zone) in document.zones.iter().enumerate() {
        let domains = if together { Domains::of(zone, &mut units) } else { Domains::default() };
        let before = entries.len();
        let picked = everything(zone).filter(|what| pick(what));
        entries.extend(picked.map(|what| Placed { zone: at, unit: domains.unit(&what).unwrap_or(at), what }));
        if entries.len() == before {
            quiet.push(zone);
        }
    }
    let together = together && units.len() >= MANY;
    let (failures, entries) = failures(document, entries);
    let mut blocks: BTreeMap<Vec<usize>, Vec<Entry<'a>>> = BTreeMap::new();
    for (units, entry) in shared(&units, entries, together) {
        blocks.entry(units).or_default().push(entry);
    }
    let mut blocks: Vec<Block<'a>> = blocks
        .into_iter()
        .map(|(places, mut entries)| {
            entries.sort_by_key(|entry| rank(&entry.what));
            Block { units: chosen(&units, &places), entries, verbatim: false }
        })
        .collect();
    blocks.extend(failures.into_iter().map(|(places, what)| Block {
        units: chosen(&units, &places),
        entries: vec![Entry { what, example: false }],
        verbatim: true,
    }));
    // Many before one, changes before mere remarks, more before fewer; single zones stay in their order.
    blocks.sort_by_key(|block| {
        let first = block.entries.first().map_or(0, |entry| rank(&entry.what).0);
        match block.is_many() {
            true => (0, !block.has_changes(), usize::MAX - block.units.len(), first),
            false => (1, false, 0, 0),
        }
    });
    Grouped { blocks, quiet }
}

/// An entry of a zone and the unit it may share a block as.
#[derive(Debug, Clone, Copy)]
struct Placed<'a> {
    zone: usize,
    unit: usize,
    what: What<'a>,
}

fn chosen<'a>(units: &[Unit<'a>], places: &[usize]) -> Vec<Unit<'a>> {
    places.iter().filter_map(|&at| units.get(at).copied()).collect()
}

/// Errors that are one provider's and the same, word for word, in several zones or domains: one failure. The other
/// entries come back.
fn failures<'a>(document: &'a Document, entries: Vec<Placed<'a>>) -> (Vec<(Vec<usize>, What<'a>)>, Vec<Placed<'a>>) {
    type Failure<'a> = (&'a str, &'a str, &'a str, &'a str);
    let failure = |placed: &Placed<'a>| -> Option<Failure<'a>> {
        let What::Error(error) = placed.what else { return None };
        let provider = document.zones.get(placed.zone)?.provider.as_str();
        Some((provider, error.kind.as_str(), error.message.as_str(), error.remedy.as_str()))
    };
    let mut places: BTreeMap<Failure<'a>, Vec<usize>> = BTreeMap::new();
    for placed in &entries {
        if let Some(failure) = failure(placed) {
            places.entry(failure).or_default().push(placed.zone);
        }
    }
    places.retain(|_, zones| zones.len() > 1);
    let mut found: BTreeMap<Vec<usize>, What<'a>> = BTreeMap::new();
    let mut rest = Vec::with_capacity(entries.len());
    for placed in entries {
        match failure(&placed).and_then(|failure| places.get(&failure)) {
            Some(zones) => drop(found.entry(zones.clone()).or_insert(placed.what)),
            None => rest.push(placed),
        }
    }
    (found.into_iter().collect(), rest)
}

/// The units of a zone of many domains, by name.
#[derive(Default)]
struct Domains<'a>(HashMap<&'a str, usize>);

impl<'a> Domains<'a> {
    fn of(zone: &'a ZoneDoc, units: &mut Vec<Unit<'a>>) -> Self {
        let mut places = HashMap::new();
        if zone.zone.is_some() && zone.domains.len() >= MANY {
            for domain in &zone.domains {
                places.insert(domain.as_str(), units.len());
                units.push(Unit { zone, label: domain });
            }
        }
        Self(places)
    }

    /// The unit of the domain that an entry is about: the longest at or above its name.
    fn unit(&self, what: &What<'_>) -> Option<usize> {
        if self.0.is_empty() {
            return None;
        }
        let name = match what {
            What::Error(_) => return None,
            What::Change(change) => &change.name,
            What::Finding(finding) | What::Allowed(finding) => &finding.subject,
            What::Unmanaged(slot) => &slot.name,
            What::SideEffect(effect) => &effect.name,
        };
        let mut name = name.strip_suffix('.').unwrap_or(name);
        loop {
            match self.0.get(name) {
                Some(unit) => return Some(*unit),
                None => name = name.split_once('.')?.1,
            }
        }
    }
}

fn everything(zone: &ZoneDoc) -> impl Iterator<Item = What<'_>> {
    let error = zone.error.iter().map(What::Error);
    let changes = zone.changes.iter().map(What::Change);
    let findings = zone.findings.iter().map(What::Finding);
    let allowed = zone.allowed.iter().map(What::Allowed);
    let effects = zone.side_effects.iter().map(What::SideEffect);
    let unmanaged = zone.unmanaged.iter().map(What::Unmanaged);
    error.chain(changes).chain(findings).chain(allowed).chain(unmanaged).chain(effects)
}

type Shared<'a> = Vec<(Vec<usize>, Entry<'a>)>;

/// Entries with their units: those that are the same in many but for the name once, and remarks that
/// are alike in many as one example. The rest stays with its zone.
fn shared<'a>(units: &[Unit<'a>], entries: Vec<Placed<'a>>, together: bool) -> Shared<'a> {
    let (mut out, mut rest) = (Vec::new(), entries);
    if together {
        let label = |at: usize| units.get(at).map_or("", |unit| unit.label);
        for example in [false, true] {
            let key = |placed: &Placed<'a>| match example {
                false => Some(key(&placed.what, label(placed.unit))),
                true => kin(&placed.what),
            };
            let (found, left) = collect(rest, example, key);
            out.extend(found);
            rest = left;
        }
    }
    out.extend(rest.into_iter().map(|placed| (vec![placed.zone], Entry { what: placed.what, example: false })));
    out
}

fn collect<'a>(
    entries: Vec<Placed<'a>>,
    example: bool,
    key: impl Fn(&Placed<'a>) -> Option<String>,
) -> (Shared<'a>, Vec<Placed<'a>>) {
    // Keys by number: there are as many as there are entries, and most are alike.
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut number = |key: String| {
        let next = numbers.len();
        *numbers.entry(key).or_insert(next)
    };
    let keys: Vec<Option<usize>> = entries.iter().map(|placed| key(placed).map(&mut number)).collect();
    let mut units: HashMap<usize, Vec<usize>> = HashMap::new();
    for (key, placed) in keys.iter().zip(&entries) {
        if let Some(key) = key {
            units.entry(*key).or_default().push(placed.unit);
        }
    }
    for units in units.values_mut() {
        units.sort_unstable();
        units.dedup();
    }
    let mut done: HashSet<usize> = HashSet::new();
    let (mut out, mut rest) = (Vec::new(), Vec::new());
    for (key, placed) in keys.iter().zip(&entries) {
        match key.and_then(|key| Some((key, units.get(&key)?))).filter(|(_, units)| units.len() >= MANY) {
            Some((key, units)) if units.first() == Some(&placed.unit) && done.insert(key) => {
                out.push((units.clone(), Entry { what: placed.what, example }));
            }
            Some(_) => {}
            None => rest.push(*placed),
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
            [action, name.as_str(), rtype, class].into_iter().for_each(&mut add);
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
        What::SideEffect(effect) => {
            ["effect", &effect.name, &effect.rtype, &effect.message, &effect.remedy].into_iter().for_each(&mut add);
            add(&format!("{:?} {:?}", effect.before, effect.after));
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
        What::Change(_) | What::SideEffect(_) => None,
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
        What::SideEffect(_) => (10, 0),
    }
}

/// Whether nothing but the TTL changes.
pub(crate) fn is_ttl_only(change: &ChangeDoc) -> bool {
    !change.details.is_empty() && change.details.iter().all(|detail| detail.term == "ttl")
}

impl Block<'_> {
    /// Whether the same words hold for all of its zones.
    pub(crate) fn is_verbatim(&self) -> bool {
        self.verbatim
    }

    pub(crate) fn is_many(&self) -> bool {
        self.units.len() > 1
    }

    /// Whether these are domains in a zone of many, not zones.
    pub(crate) fn is_of_domains(&self) -> bool {
        self.units.iter().any(|unit| unit.zone.label() != unit.label)
    }

    /// `zone` or `domain`.
    pub(crate) fn noun(&self) -> &'static str {
        if self.is_of_domains() || self.units.iter().all(|unit| unit.zone.zone.is_none()) { "domain" } else { "zone" }
    }

    pub(crate) fn has_changes(&self) -> bool {
        self.changes().next().is_some()
    }

    /// Whether it holds neither a change nor anything that stops one.
    pub(crate) fn is_minor(&self) -> bool {
        self.entries.iter().all(|entry| match entry.what {
            What::Error(_) | What::Change(_) | What::SideEffect(_) => false,
            What::Finding(finding) => !stops(finding),
            What::Allowed(_) | What::Unmanaged(_) => true,
        })
    }

    pub(crate) fn changes(&self) -> impl Iterator<Item = &ChangeDoc> {
        self.entries.iter().filter_map(|entry| if let What::Change(change) = entry.what { Some(change) } else { None })
    }

    /// A text of the first unit as it is shown for all.
    pub(crate) fn show<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.units.first() {
            Some(unit) if self.is_many() && !self.verbatim => {
                generalise(text, unit.label, if self.is_of_domains() { "{domain}" } else { "{zone}" })
            }
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
            grouped.blocks.iter().map(|b| (b.units.len(), b.entries.len())).collect::<Vec<_>>()
        };
        assert_eq!(shape(true), [(9, 1), (1, 1)]);
        assert_eq!(shape(false).len(), 9);
    }

    #[test]
    fn domains_of_one_zone_are_put_together() {
        let names: Vec<String> = (0..9).map(|at| format!("p{at}.example.com")).collect();
        let changes = names.iter().map(|name| change("+", &format!("_dmarc.{name}. TXT"), &[]));
        let other = change("+", "example.com. MX", &[]);
        let document =
            document(vec![ZoneDoc { domains: names.clone(), ..zone("example.com", changes.chain([other]).collect()) }]);
        let grouped = group(&document, true, |_| true);
        let shape: Vec<_> = grouped.blocks.iter().map(|b| (b.noun(), b.units.len(), b.entries.len())).collect();
        assert_eq!(shape, [("domain", 9, 1), ("zone", 1, 1)]);
        assert_eq!(grouped.blocks[0].show("_dmarc.p0.example.com."), "_dmarc.{domain}.");
    }
}
