//! When two DMARC records are alike, what a change does, and which guards it trips (rule book 4.5).

use std::collections::BTreeSet;

use mailzone_record::{Name, Rdata};

use super::problem::ProblemKind;
use super::record::{Alignment, Field, Policy, Psd, Reading, Record};
use crate::finding::Finding;
use crate::kind::{Class, Detail, Difference, Equality};
use crate::report_uri::ReportUri;
use crate::txt;

/// Compares two texts that are not the same octets.
pub(super) fn equal_texts(a: &str, b: &str) -> Equality {
    match (Meaning::of(a), Meaning::of(b)) {
        (Some(a), Some(b)) if a == b => Equality::Same,
        _ => Equality::Different,
    }
}

pub(super) fn equal(a: &[&Rdata], b: &[&Rdata]) -> Equality {
    txt::equal_sets(a, b, equal_texts)
}

pub(super) fn difference(before: &[&Rdata], after: &[&Rdata]) -> Difference {
    match equal(before, after) {
        Equality::Identical => return Difference::NONE,
        Equality::Same => return Difference { class: Class::Cosmetic, details: Vec::new() },
        Equality::Equivalent | Equality::Different => {}
    }
    let (old, new) = (Side::of(before), Side::of(after));
    let class = match (&old, &new) {
        (Side::Alias, _) | (_, Side::Alias) => Class::Unknown,
        _ => class(&old, &new),
    };
    let mut details = match (&old, &new) {
        (Side::One(a), Side::One(b)) => tag_details(Some(a), Some(b)),
        (Side::Absent, Side::One(b)) => tag_details(None, Some(b)),
        (Side::One(a), Side::Absent) => tag_details(Some(a), None),
        _ => Vec::new(),
    };
    if details.is_empty() {
        details = txt::whole_values(before, after, "record");
    }
    Difference { class, details }
}

pub(super) fn guards(owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Vec<Finding> {
    let (old, new) = (Side::of(before), Side::of(after));
    if matches!(old, Side::Alias) || matches!(new, Side::Alias) {
        // What the target of a CNAME says is not known here.
        return Vec::new();
    }
    let (a, b) = (Standing::of(&old), Standing::of(&new));
    let subject = txt::subject(owner);
    let mut found = Vec::new();
    let loosened = loosened(&a, &b);
    if !loosened.is_empty() || (matches!(old, Side::One(_)) && matches!(new, Side::Absent)) {
        let what = if matches!(new, Side::Absent) { "the DMARC record goes" } else { "DMARC is loosened" };
        let mut message = what.to_owned();
        if !loosened.is_empty() {
            message.push_str(&format!(": {}", loosened.join(", ")));
        }
        found.push(Finding::guard("GUARD-DMARC-DOWN", subject.clone(), message, "RFC 9989 section 4.7"));
    }
    // Names that do not exist send nothing, so `np` may go up in one step.
    let jumps: Vec<String> = [("p", a.p, b.p), ("sp", a.sp, b.sp)]
        .into_iter()
        .filter(|(_, old, new)| new.step() > old.step() + 1)
        .filter(|&(tag, old, new)| tag == "p" || (old, new) != (a.p, b.p))
        .map(|(tag, old, new)| format!("`{tag}` goes from {} to {}", old.as_str(), new.as_str()))
        .collect();
    if !jumps.is_empty() {
        let message = format!("{} in one step: mail that fails unseen is lost at once", jumps.join(", "));
        found.push(Finding::guard("GUARD-DMARC-JUMP", subject.clone(), message, "RFC 9989 section 5"));
    }
    if a.reported && !b.reported {
        let message = "the last `rua` goes: nobody reports any more what fails";
        found.push(Finding::guard("GUARD-DMARC-BLIND", subject, message, "RFC 9990"));
    }
    found
}

/// What stands at a name, as a receiver takes it.
pub(super) enum Side {
    Absent,
    One(Box<Record>),
    /// Several records: all are discarded (RFC 9989 section 4.10).
    Several,
    /// A CNAME to a record that is not known here.
    Alias,
}

impl Side {
    pub(super) fn of(values: &[&Rdata]) -> Self {
        if txt::cname(values).is_some() {
            return Self::Alias;
        }
        let values = txt::distinct(values);
        let mut records = values.iter().filter_map(|rdata| Record::parse(&txt::text(rdata)?).ok());
        match (records.next(), records.next()) {
            (None, _) => Self::Absent,
            (Some(record), None) => Self::One(Box::new(record)),
            (Some(_), Some(_)) => Self::Several,
        }
    }
}

/// What a side asks receivers to do, defaults filled in.
struct Standing {
    p: Policy,
    sp: Policy,
    np: Policy,
    adkim: Alignment,
    aspf: Alignment,
    testing: bool,
    percentage: u8,
    psd: Psd,
    reported: bool,
    broken: bool,
}

impl Standing {
    fn of(side: &Side) -> Self {
        let nothing = Record::new(Policy::None);
        let record = if let Side::One(record) = side { record } else { &nothing };
        Self {
            p: record.effective_policy(),
            sp: record.effective_subdomain_policy(),
            np: record.effective_nonexistent_policy(),
            adkim: given_or(&record.adkim, Alignment::Relaxed),
            aspf: given_or(&record.aspf, Alignment::Relaxed),
            testing: record.is_testing(),
            percentage: record.percentage(),
            psd: given_or(&record.psd, Psd::Unknown),
            reported: record.report_addresses().next().is_some(),
            broken: matches!(side, Side::Several) || record.reading() != Reading::Valid,
        }
    }

    fn enforces(&self) -> bool {
        self.p.max(self.sp).max(self.np) > Policy::None
    }
}

/// The meaning of a record: two with the same one are alike to receivers of both generations.
#[derive(PartialEq, Eq)]
struct Meaning {
    p: Field<Policy>,
    sp: Option<Policy>,
    np: Option<Policy>,
    alignment: (Alignment, Alignment),
    testing: bool,
    psd: Psd,
    rua: BTreeSet<String>,
    ruf: BTreeSet<String>,
    fo: Option<String>,
    old: (u8, Option<String>, Option<String>),
    /// Values, tags and parts that some readers stumble over and others ignore.
    odd: BTreeSet<String>,
}

impl Meaning {
    fn of(text: &str) -> Option<Self> {
        let (record, problems) = Record::parse_with_problems(text).ok()?;
        let uris = |uris: &[ReportUri]| uris.iter().map(ReportUri::comparable).collect();
        let other = |value: &Option<String>, default: &str| {
            value.as_ref().map(|v| v.to_ascii_lowercase()).filter(|v| v != default)
        };
        let fo = record.tags().into_iter().find(|(tag, _)| tag == "fo" && !record.ruf.is_empty());
        let odd = problems.iter().filter(|problem| {
            use ProblemKind as K;
            let about_fo = matches!(&problem.kind, K::InvalidValue { tag, .. } if tag == "fo");
            let odd = matches!(
                problem.kind,
                K::Syntax(_)
                    | K::Repeated(_)
                    | K::InvalidPolicy(..)
                    | K::InvalidValue { .. }
                    | K::NoAddress(_)
                    | K::UpperCaseTag(_)
            );
            let bad_percentage = matches!(&problem.kind, K::Historic(tag) if tag == "pct" && record.pct.is_invalid());
            (odd && !(about_fo && record.ruf.is_empty())) || bad_percentage
        });
        let sp = record.asked_subdomain_policy();
        Some(Self {
            sp,
            np: record.np.given().copied().or(sp),
            alignment: (given_or(&record.adkim, Alignment::Relaxed), given_or(&record.aspf, Alignment::Relaxed)),
            testing: record.is_testing(),
            psd: given_or(&record.psd, Psd::Unknown),
            rua: uris(&record.rua),
            ruf: uris(&record.ruf),
            fo: fo.map(|(_, value)| value).filter(|value| value != "0"),
            old: (record.percentage(), other(&record.rf, "afrf"), other(&record.ri, "86400")),
            odd: odd.map(|problem| text.get(problem.span.clone()).unwrap_or_default().to_owned()).collect(),
            p: record.p,
        })
    }
}

fn given_or<T: Copy>(field: &Field<T>, default: T) -> T {
    field.given().copied().unwrap_or(default)
}

/// What gets weaker, each in a few words.
fn loosened(a: &Standing, b: &Standing) -> Vec<String> {
    let mut out = Vec::new();
    for (tag, old, new) in [("p", a.p, b.p), ("sp", a.sp, b.sp), ("np", a.np, b.np)] {
        if new < old && (tag == "p" || (old, new) != (a.p, b.p)) {
            out.push(format!("`{tag}` {} -> {}", old.as_str(), new.as_str()));
        }
    }
    if !a.enforces() || !b.enforces() {
        // Alignment and test mode weaken nothing where nothing is asked for.
        return out;
    }
    for (tag, old, new) in [("adkim", a.adkim, b.adkim), ("aspf", a.aspf, b.aspf)] {
        if new < old {
            out.push(format!("`{tag}` {} -> {}", old.as_str(), new.as_str()));
        }
    }
    if b.testing && !a.testing {
        out.push("test mode (`t=y`)".to_owned());
    }
    if b.percentage < a.percentage {
        out.push(format!("`pct` {} -> {} for old receivers", a.percentage, b.percentage));
    }
    out
}

fn class(before: &Side, after: &Side) -> Class {
    let (a, b) = (Standing::of(before), Standing::of(after));
    let direction = |loosens: bool, tightens: bool| match (loosens, tightens) {
        (true, true) => Class::Mixed,
        (true, false) => Class::Loosens,
        (false, true) => Class::Tightens,
        (false, false) => Class::Neutral,
    };
    if matches!(after, Side::Absent) && a.enforces() {
        return Class::Loosens;
    }
    if (b.broken && !a.broken) || (a.reported && !b.reported) {
        return Class::Breaks;
    }
    let policies = [(a.p, b.p), (a.sp, b.sp), (a.np, b.np)];
    let alignments = [(a.adkim, b.adkim), (a.aspf, b.aspf)];
    let mut loosens = policies.iter().any(|(x, y)| y < x) || alignments.iter().any(|(x, y)| y < x);
    let mut tightens = policies.iter().any(|(x, y)| y > x) || alignments.iter().any(|(x, y)| y > x);
    if a.enforces() && b.enforces() {
        loosens |= (b.testing && !a.testing) || b.percentage < a.percentage;
        tightens |= (a.testing && !b.testing) || b.percentage > a.percentage;
    }
    // `psd` moves the organizational domain, and with it alignment in both directions.
    let psd = if a.psd == b.psd { Class::Neutral } else { Class::Unknown };
    direction(loosens, tightens).and(psd)
}

/// The tags that come, go or change in meaning. A missing record has no tags.
fn tag_details(before: Option<&Record>, after: Option<&Record>) -> Vec<Detail> {
    let tags = |record: Option<&Record>| record.map(Record::tags).unwrap_or_default();
    let (old, new) = (tags(before), tags(after));
    let find = |tags: &[(String, String)], name: &str| tags.iter().find(|(tag, _)| tag == name).map(|(_, v)| v.clone());
    let whole = before.is_none() || after.is_none();
    let same_policy = before.map(|r| &r.p) == after.map(|r| &r.p);
    let mut names: Vec<&String> = Vec::new();
    for (tag, _) in new.iter().chain(&old) {
        if tag != "v" && !names.contains(&tag) {
            names.push(tag);
        }
    }
    names.sort_by_key(|tag| ORDER.iter().position(|known| known == tag).unwrap_or(ORDER.len()));
    let mut details = Vec::new();
    for tag in names {
        let (a, b) = (find(&old, tag), find(&new, tag));
        if !whole && alike(tag, a.as_deref(), b.as_deref(), (before, after), same_policy) {
            continue;
        }
        details.push(Detail { term: tag.clone(), before: a, after: b });
    }
    details
}

/// The order of tags in a list of details: policies first.
const ORDER: [&str; 13] = ["p", "sp", "np", "adkim", "aspf", "t", "psd", "pct", "rua", "ruf", "fo", "rf", "ri"];

/// Whether a tag means the same on both sides, defaults filled in.
fn alike(
    tag: &str,
    a: Option<&str>,
    b: Option<&str>,
    (before, after): (Option<&Record>, Option<&Record>),
    same_policy: bool,
) -> bool {
    let default = match tag {
        "adkim" | "aspf" => "r",
        "t" => "n",
        "psd" => "u",
        "pct" => "100",
        "fo" => "0",
        "rf" => "afrf",
        "ri" => "86400",
        "sp" | "np" => {
            let effective = |record: Option<&Record>| {
                record.map(|r| match tag {
                    "sp" => r.asked_subdomain_policy(),
                    _ => r.np.given().copied().or_else(|| r.asked_subdomain_policy()),
                })
            };
            return a == b || (same_policy && effective(before) == effective(after));
        }
        "rua" | "ruf" => {
            let set = |text: Option<&str>| -> BTreeSet<String> {
                text.unwrap_or_default().split(',').map(|uri| ReportUri::parse(uri).comparable()).collect()
            };
            return set(a) == set(b);
        }
        _ => return a == b,
    };
    a.unwrap_or(default) == b.unwrap_or(default)
}
