//! BIMI records: the logo that a mail reader may show beside a message (Internet-Draft
//! draft-brand-indicators-for-message-identification).

use std::fmt;
use std::ops::Range;

use mailzone_record::{Name, Rdata, RecordType};

use crate::finding::{Finding, Severity};
use crate::kind::{Class, Detail, Difference, Equality, Kind, KindId, LiveSlot, Recognition};
use crate::tag_list::{self, TagList};
use crate::txt;

const REFERENCE: &str = "draft-brand-indicators-for-message-identification section 4.2";

/// The record at `SELECTOR._bimi` below a domain. A CNAME there is a candidate too: a receiver follows it.
#[derive(Debug)]
pub struct Bimi;

/// A BIMI assertion record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// `l`: where the logo is, an SVG file; empty for none.
    pub logo: String,
    /// `a`: where the mark certificate is; empty for none. Together with an empty `logo` the domain declines.
    pub evidence: String,
    /// `avp`: which picture is preferred.
    pub preference: Preference,
    /// `lps`: the local parts that have selectors of their own, in order.
    pub local_parts: Vec<String>,
    /// Other tags with their values, in their order.
    pub extensions: Vec<(String, String)>,
}

/// Which picture a reader is asked to prefer: tag `avp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preference {
    /// The domain's logo: the default.
    #[default]
    Brand,
    /// The picture of the person who writes.
    Personal,
}

/// Why a text is no BIMI record, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct RecordError {
    /// Where, in octets of the text.
    pub span: Range<usize>,
    /// What.
    pub kind: RecordErrorKind,
}

/// Why a text is no BIMI record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordErrorKind {
    /// The first tag is not `v=BIMI1`.
    #[error("it must begin with `v=BIMI1;`, exactly so")]
    Version,
    /// No `l`.
    #[error("`l` is missing: it says where the logo is, or is empty where the domain declines")]
    NoLogo,
    /// Evidence of a logo that is not there.
    #[error("`a` without a logo in `l`: there is nothing to give evidence of")]
    EvidenceAlone,
    /// `l` or `a` is no `https` URL with a host.
    #[error("`{0}`: it must be an https URL")]
    NotHttps(String),
    /// `avp` has another value.
    #[error("`avp={0}`: it is `brand` or `personal`")]
    Preference(String),
    /// A tag twice, or a part that is no pair.
    #[error("{0}")]
    Syntax(tag_list::ProblemKind),
}

impl Record {
    /// A record of a logo and its evidence; either may be empty.
    pub fn new(logo: impl Into<String>, evidence: impl Into<String>) -> Self {
        Self { logo: logo.into(), evidence: evidence.into(), ..Self::default() }
    }

    /// Reads the joined text of a TXT record.
    ///
    /// # Errors
    /// Receivers show no logo.
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        let fail = |span: Range<usize>, kind| Err(RecordError { span, kind });
        let list = TagList::parse(text);
        if !list.has_version("BIMI1") {
            return fail(0..text.len(), RecordErrorKind::Version);
        }
        if let Some(problem) = list.problems.iter().find(|problem| problem.is_fatal()) {
            return fail(problem.span.clone(), RecordErrorKind::Syntax(problem.kind.clone()));
        }
        let Some(logo) = list.get("l") else { return fail(0..text.len(), RecordErrorKind::NoLogo) };
        let evidence = list.get("a").filter(|tag| !tag.value.is_empty());
        for tag in [Some(logo), evidence].into_iter().flatten().filter(|tag| !tag.value.is_empty()) {
            if comparable(tag.value).is_none() {
                return fail(tag.value_span.clone(), RecordErrorKind::NotHttps(tag.value.to_owned()));
            }
        }
        if let Some(evidence) = evidence.filter(|_| logo.value.is_empty()) {
            return fail(evidence.span.clone(), RecordErrorKind::EvidenceAlone);
        }
        let preference = match list.get("avp") {
            None => Preference::Brand,
            Some(tag) => match Preference::from_word(tag.value) {
                Some(preference) => preference,
                None => return fail(tag.value_span.clone(), RecordErrorKind::Preference(tag.value.to_owned())),
            },
        };
        let local_parts = list.get("lps").map(|tag| tag_list::items(tag, ',')).unwrap_or_default();
        let known = |name: &str| matches!(name, "v" | "l" | "a" | "avp" | "lps");
        let others = list.tags.iter().filter(|tag| !known(tag.name));
        Ok(Self {
            logo: logo.value.to_owned(),
            evidence: evidence.map(|tag| tag.value.to_owned()).unwrap_or_default(),
            preference,
            local_parts: local_parts.into_iter().map(|(part, _)| part.to_owned()).collect(),
            extensions: others.map(|tag| (tag.name.to_owned(), tag.value.to_owned())).collect(),
        })
    }

    /// Whether the domain says that it takes no part: neither a logo nor evidence.
    pub fn is_declination(&self) -> bool {
        self.logo.is_empty() && self.evidence.is_empty()
    }

    /// What a receiver makes of it: defaults filled in, schemes and hosts without regard to case, unknown tags
    /// left out.
    fn meaning(&self) -> (String, String, Preference, Vec<String>) {
        let url = |text: &str| comparable(text).unwrap_or_else(|| text.to_owned());
        let mut local_parts = self.local_parts.clone();
        local_parts.sort();
        local_parts.dedup();
        (url(&self.logo), url(&self.evidence), self.preference, local_parts)
    }

    /// Tag by tag, those that say nothing left out.
    fn shown(&self) -> [(&'static str, String); 4] {
        let avp = if self.preference == Preference::Personal { "personal" } else { "" };
        let l = if self.is_declination() { "(none: the domain declines)" } else { self.logo.as_str() };
        [
            ("l", l.to_owned()),
            ("a", self.evidence.clone()),
            ("avp", avp.to_owned()),
            ("lps", self.local_parts.join(",")),
        ]
    }
}

impl Preference {
    /// The value of the tag `avp`; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "brand" => Some(Self::Brand),
            "personal" => Some(Self::Personal),
            _ => None,
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A declination is written with both tags, so that nobody takes it for an accident.
        write!(f, "v=BIMI1; l={}", self.logo)?;
        if !self.evidence.is_empty() || self.logo.is_empty() {
            write!(f, "; a={}", self.evidence)?;
        }
        if self.preference == Preference::Personal {
            f.write_str("; avp=personal")?;
        }
        if !self.local_parts.is_empty() {
            write!(f, "; lps={}", self.local_parts.join(","))?;
        }
        self.extensions.iter().try_for_each(|(tag, value)| write!(f, "; {tag}={value}"))
    }
}

/// Whether a receiver takes this for the place of a logo or a certificate: an `https` URL with a host.
pub fn is_url(url: &str) -> bool {
    comparable(url).is_some()
}

/// An `https` URL with its scheme and host in lower case; `None` for anything else.
fn comparable(url: &str) -> Option<String> {
    let rest = url
        .get("https://".len()..)
        .filter(|_| url.get(.."https://".len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at_checked(end)?;
    let bad = |c: char| !c.is_ascii_graphic() || matches!(c, ',' | ';' | '"' | '<' | '>');
    let has_host = host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    (has_host && !rest.contains(bad)).then(|| format!("https://{}{path}", host.to_ascii_lowercase()))
}

impl Kind for Bimi {
    fn id(&self) -> KindId {
        KindId::Bimi
    }

    fn recognise(&self, rdata: &Rdata) -> Recognition {
        txt::recognise(rdata, "BIMI1")
    }

    fn equal(&self, _owner: &Name, a: &[&Rdata], b: &[&Rdata]) -> Equality {
        txt::equal_sets(a, b, |a, b| match (Record::parse(a), Record::parse(b)) {
            (Ok(a), Ok(b)) if a.meaning() == b.meaning() => Equality::Same,
            _ => Equality::Different,
        })
    }

    /// A logo that is no longer shown breaks; all else is neutral.
    fn difference(&self, owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Difference {
        match self.equal(owner, before, after) {
            Equality::Identical => return Difference::NONE,
            Equality::Same => return Difference { class: Class::Cosmetic, details: Vec::new() },
            Equality::Equivalent | Equality::Different => {}
        }
        let read = |values: &[&Rdata]| txt::only(values, |text| Record::parse(text).ok());
        let (old, new) = (read(before), read(after));
        let details = match (&old, &new) {
            (Some(a), Some(b)) => tags(Some(a), Some(b)),
            (Some(a), None) if after.is_empty() => tags(Some(a), None),
            (None, Some(b)) if before.is_empty() => tags(None, Some(b)),
            _ => txt::whole_values(before, after, "record"),
        };
        let shows = |record: &Option<Record>| record.as_ref().is_some_and(|record| !record.logo.is_empty());
        let class = match (&old, &new) {
            _ if txt::cname(before).or_else(|| txt::cname(after)).is_some() => Class::Unknown,
            _ if shows(&old) && !shows(&new) => Class::Breaks,
            _ => Class::Neutral,
        };
        Difference { class, details }
    }

    fn describe(&self, rdata: &Rdata) -> String {
        match (rdata, txt::text(rdata)) {
            (Rdata::Cname(target), _) => format!("CNAME to {target}"),
            (_, Some(text)) => match Record::parse(&text) {
                Ok(record) if record.is_declination() => "no logo: the domain declines".to_owned(),
                Ok(record) if record.evidence.is_empty() => format!("logo {}, no certificate", record.logo),
                Ok(record) => format!("logo {}, certificate {}", record.logo, record.evidence),
                Err(error) => format!("no BIMI: {error}"),
            },
            (_, None) => "no BIMI record".to_owned(),
        }
    }

    fn lint(&self, owner: &Name, values: &[&Rdata]) -> Vec<Finding> {
        let subject = txt::subject(owner);
        let mut found = Vec::new();
        let mut add = |code, severity, message: String, remedy: &str| {
            found.push(Finding::new(code, severity, subject.as_str(), message, remedy, REFERENCE));
        };
        let mut records = 0;
        for rdata in txt::distinct(values) {
            let Some(text) = txt::text(rdata) else { continue };
            match self.recognise(rdata) {
                Recognition::Foreign => continue,
                Recognition::Candidate => records += 1,
                Recognition::NearMiss => {}
            }
            match Record::parse(&text) {
                Err(RecordError { kind: kind @ RecordErrorKind::NotHttps(_), .. }) => {
                    add("BIMI-03", Severity::Error, kind.to_string(), "serve the file over https and name that URL");
                }
                Err(error) => {
                    let remedy = "write `v=BIMI1; l=https://…; a=https://…`";
                    add("BIMI-01", Severity::Error, error.to_string(), remedy);
                }
                Ok(record) if !record.logo.is_empty() && record.evidence.is_empty() => {
                    let message = "no mark certificate: Gmail and Apple show the logo only with one".to_owned();
                    add("BIMI-04", Severity::Warning, message, "name the certificate (VMC or CMC) in `a`");
                }
                Ok(_) => {}
            }
        }
        if records > 1 {
            let message = format!("{records} BIMI records at one name: receivers use none of them");
            add("BIMI-01", Severity::Error, message, "keep one");
        }
        found
    }

    fn slot_at(&self, owner: &Name, rtype: RecordType, values: &[&Rdata]) -> Option<LiveSlot> {
        let (selector, domain) = selector_of(owner)?;
        let slot = txt::slot(Some(domain), rtype, values, |rdata| self.recognise(rdata))?;
        Some(LiveSlot { key: Some(selector), ..slot })
    }
}

/// The selector and the domain of a name such as `default._bimi.example.com`.
fn selector_of(owner: &Name) -> Option<(String, Name)> {
    let labels: Vec<String> = owner.labels().map(|label| String::from_utf8_lossy(label).to_ascii_lowercase()).collect();
    let at = labels.iter().position(|label| label == "_bimi").filter(|at| *at > 0)?;
    let mut domain = owner.clone();
    for _ in 0..=at {
        domain = domain.parent()?;
    }
    (!domain.is_root()).then(|| (labels.iter().take(at).map(String::as_str).collect::<Vec<_>>().join("."), domain))
}

/// The tags that differ. At least one does where the meanings do.
fn tags(old: Option<&Record>, new: Option<&Record>) -> Vec<Detail> {
    let texts = |record: Option<&Record>| record.map(Record::shown);
    let (old, new) = (texts(old), texts(new));
    let mut details = Vec::new();
    for at in 0..4 {
        let side = |tags: &Option<[(&'static str, String); 4]>| {
            tags.as_ref().and_then(|tags| tags.get(at)).filter(|(_, text)| !text.is_empty()).cloned()
        };
        details.extend(match (side(&old), side(&new)) {
            (Some((_, a)), Some((_, b))) if a == b => None,
            (Some((tag, a)), Some((_, b))) => Some(Detail::changed(tag, a, b)),
            (Some((tag, a)), None) => Some(Detail::removed(tag, a)),
            (None, Some((tag, b))) => Some(Detail::added(tag, b)),
            (None, None) => None,
        });
    }
    details
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::set::tests::laws;
    use crate::txt::tests::{name, rdata};

    const FULL: &str = "v=BIMI1; l=https://x.example/l.svg; a=https://x.example/v.pem";

    fn owner() -> Name {
        name("default._bimi.example.com")
    }

    fn codes(texts: &[&str]) -> Vec<String> {
        let values: Vec<_> = texts.iter().map(|text| rdata(text)).collect();
        Bimi.lint(&owner(), &values.iter().collect::<Vec<_>>()).into_iter().map(|f| f.code).collect()
    }

    #[test]
    fn records_are_read() {
        let record = Record::parse("v=BIMI1;l=https://x.example/l.svg ; a=; avp=personal; lps=a , b; x=y").unwrap();
        assert_eq!((record.logo.as_str(), record.evidence.as_str()), ("https://x.example/l.svg", ""));
        assert_eq!((record.preference, record.local_parts.len()), (Preference::Personal, 2));
        assert_eq!(record.to_string(), "v=BIMI1; l=https://x.example/l.svg; avp=personal; lps=a,b; x=y");
        let declined = Record::parse("v=BIMI1; l=; a=;").unwrap();
        assert!(declined.is_declination());
        assert_eq!(declined.to_string(), "v=BIMI1; l=; a=");
        assert_eq!(Record::new("", ""), declined);
    }

    #[test]
    fn messages() {
        let shown = [
            "v=bimi1; l=",
            "v=BIMI1; a=https://x.example/v.pem",
            "v=BIMI1; l=; a=https://x.example/v.pem",
            "v=BIMI1; l=http://x.example/l.svg",
            "v=BIMI1; l=https:///l.svg",
            "v=BIMI1; l=https://x.example/l.svg; avp=logo",
            "v=BIMI1; l=; l=",
            "v=BIMI1; l=; junk",
        ]
        .map(|text| Record::parse(text).unwrap_err().to_string());
        insta::assert_snapshot!(shown.join("\n"), @r"
        it must begin with `v=BIMI1;`, exactly so
        `l` is missing: it says where the logo is, or is empty where the domain declines
        `a` without a logo in `l`: there is nothing to give evidence of
        `http://x.example/l.svg`: it must be an https URL
        `https:///l.svg`: it must be an https URL
        `avp=logo`: it is `brand` or `personal`
        tag `l` stands more than once
        `junk` has no `=`
        ");
    }

    #[test]
    fn equality_is_the_meaning() {
        let equal = |a: &str, b: &str| Bimi.equal(&owner(), &[&rdata(a)], &[&rdata(b)]);
        let same = "v = BIMI1 ; a=HTTPS://X.example/v.pem; l=https://X.EXAMPLE/l.svg; avp=brand; lps=; new=tag;";
        assert_eq!(equal(FULL, same), Equality::Same);
        assert_eq!(equal(FULL, &FULL.replace("l.svg", "L.svg")), Equality::Different);
        assert_eq!(equal(FULL, &format!("{FULL}; avp=personal")), Equality::Different);
        assert_eq!(equal("v=BIMI1; l=", "v=BIMI1; l=; a=;"), Equality::Same);
        assert_eq!(equal(&format!("{FULL}; lps=a,b"), &format!("{FULL}; lps= b ,a, a")), Equality::Same);
    }

    #[test]
    fn changes_and_slots() {
        let (full, other) = (rdata(FULL), rdata(&FULL.replace("v.pem", "w.pem")));
        let declined = rdata("v=BIMI1; l=; a=;");
        let difference = |before: &[&Rdata], after: &[&Rdata]| Bimi.difference(&owner(), before, after);
        let changed = [Detail::changed("a", "https://x.example/v.pem", "https://x.example/w.pem")];
        assert_eq!(difference(&[&full], &[&other]).details, changed);
        assert_eq!(difference(&[&full], &[&other]).class, Class::Neutral);
        assert_eq!(difference(&[&full], &[&declined]).class, Class::Breaks);
        assert_eq!(difference(&[&full], &[]).class, Class::Breaks);
        assert_eq!(difference(&[&declined], &[]).class, Class::Neutral);
        assert_eq!(difference(&[], &[&full]).details.len(), 2);
        assert_eq!(difference(&[&Rdata::Cname(name("x.example"))], &[&full]).class, Class::Unknown);
        let slot = |owner: &str| Bimi.slot_at(&name(owner), RecordType::TXT, &[&full]);
        let key = |key: &str| Some(LiveSlot { domain: name("example.com"), key: Some(key.to_owned()) });
        assert_eq!(slot("Default._bimi.example.com"), key("default"));
        assert_eq!(slot("a.b._BIMI.example.com"), key("a.b"));
        assert!(slot("_bimi.example.com").is_none() && slot("default._bimi").is_none());
        assert!(Bimi.slot_at(&owner(), RecordType::TXT, &[&rdata("other")]).is_none());
        assert_eq!(Bimi.recognise(&rdata("v=bimi1; l=")), Recognition::NearMiss);
        assert_eq!(Bimi.describe(&declined), "no logo: the domain declines");
    }

    #[test]
    fn lints() {
        assert_eq!(codes(&[FULL, "other"]), [""; 0]);
        assert_eq!(codes(&["v=BIMI1; l=; a=;"]), [""; 0]);
        assert_eq!(codes(&["v=BIMI1; l=https://x.example/l.svg"]), ["BIMI-04"]);
        assert_eq!(codes(&["v=BIMI1; l=http://x.example/l.svg"]), ["BIMI-03"]);
        assert_eq!(codes(&["v=bimi1; l="]), ["BIMI-01"]);
        assert_eq!(codes(&[FULL, "v=BIMI1; l=; a="]), ["BIMI-01"]);
    }

    fn record() -> impl Strategy<Value = Record> {
        let url = "(https://[a-z]{1,3}\\.example/[a-zA-Z]{0,3})";
        let parts = prop::collection::vec("[a-z]{1,2}", 0..3);
        (url, prop::option::of(url), any::<bool>(), any::<bool>(), parts).prop_map(
            |(logo, evidence, shown, personal, local_parts)| Record {
                logo: if shown { logo } else { String::new() },
                evidence: evidence.filter(|_| shown).unwrap_or_default(),
                preference: if personal { Preference::Personal } else { Preference::Brand },
                local_parts,
                extensions: Vec::new(),
            },
        )
    }

    proptest! {
        #[test]
        fn printing_and_reading_are_inverse(record in record()) {
            prop_assert_eq!(Record::parse(&record.to_string()).unwrap(), record);
        }

        #[test]
        fn holds_the_laws(sets in prop::array::uniform3(prop::collection::vec((0usize..4, record()), 0..3))) {
            let sets = sets.map(|set| {
                let values = set.into_iter().map(|(at, record)| match at {
                    0 => rdata(&record.to_string().replace("https", "HTTPS").replace("; ", " ;")),
                    1 => Rdata::Cname(name("x.example")),
                    2 => rdata("v=BIMI1; l=junk"),
                    _ => rdata(&record.to_string()),
                });
                values.collect::<Vec<_>>()
            });
            laws(&Bimi, &owner(), [&sets[0], &sets[1], &sets[2]]);
        }

        #[test]
        fn any_octets_are_read(octets in prop::collection::vec(any::<u8>(), 0..60)) {
            let value = Rdata::Txt(mailzone_record::Txt::from_text([b"v=BIMI1; l=https://".to_vec(), octets].concat()));
            Bimi.describe(&value);
            Bimi.lint(&owner(), &[&value]);
            Bimi.difference(&owner(), &[], &[&value]);
            prop_assert!(Bimi.equal(&owner(), &[&value], &[&value]) == Equality::Identical);
        }
    }
}
