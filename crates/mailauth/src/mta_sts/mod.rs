//! MTA-STS: the record that announces a policy (RFC 8461 section 3.1), and the policy file.

mod policy;

use std::fmt;
use std::ops::Range;

use mailzone_record::{Name, Rdata, RecordType};

pub use self::policy::{MAX_AGE, Mode, MxPattern, MxPatternError, Policy, PolicyError, auto_id, lint_policy};
use crate::finding::{Finding, Severity};
use crate::kind::{Class, Detail, Difference, Equality, Kind, KindId, LiveSlot, Recognition};
use crate::tag_list::{self, TagList};
use crate::txt;

/// The record at `_mta-sts` below a domain. A CNAME there is a candidate too: a sender follows it.
#[derive(Debug)]
pub struct MtaSts;

/// An MTA-STS record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The policy's identifier: 1 to 32 letters and digits. Another one makes senders fetch the policy.
    pub id: String,
    /// Extension fields with their values, in their order.
    pub extensions: Vec<(String, String)>,
}

/// Why a text is no MTA-STS record, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct RecordError {
    /// Where, in octets of the text.
    pub span: Range<usize>,
    /// What.
    pub kind: RecordErrorKind,
}

/// Why a text is no MTA-STS record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordErrorKind {
    /// The first field is not `v=STSv1`.
    #[error("it must begin with `v=STSv1;`, exactly so")]
    Version,
    /// No `id`.
    #[error("`id` is missing")]
    NoId,
    /// An `id` of another length or with other characters.
    #[error("`id={0}`: an id is 1 to 32 letters and digits")]
    Id(String),
    /// A field twice, or a part that is no pair.
    #[error("{0}")]
    Syntax(tag_list::ProblemKind),
}

impl Record {
    /// A record with this identifier; `None` unless it is 1 to 32 ASCII letters and digits.
    pub fn new(id: &str) -> Option<Self> {
        let good = (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
        good.then(|| Self { id: id.to_owned(), extensions: Vec::new() })
    }

    /// Reads the joined text of a TXT record.
    ///
    /// # Errors
    /// Senders ignore it.
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        let fail = |span: Range<usize>, kind| Err(RecordError { span, kind });
        let list = TagList::parse(text);
        if !list.has_version("STSv1") {
            return fail(0..text.len(), RecordErrorKind::Version);
        }
        if let Some(problem) = list.problems.iter().find(|problem| problem.is_fatal()) {
            return fail(problem.span.clone(), RecordErrorKind::Syntax(problem.kind.clone()));
        }
        let Some(tag) = list.get("id") else { return fail(0..text.len(), RecordErrorKind::NoId) };
        let Some(mut record) = Self::new(tag.value) else {
            return fail(tag.value_span.clone(), RecordErrorKind::Id(tag.value.to_owned()));
        };
        let extensions = list.tags.iter().filter(|tag| !matches!(tag.name, "v" | "id"));
        record.extensions = extensions.map(|tag| (tag.name.to_owned(), tag.value.to_owned())).collect();
        Ok(record)
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v=STSv1; id={}", self.id)?;
        self.extensions.iter().try_for_each(|(tag, value)| write!(f, "; {tag}={value}"))
    }
}

impl Kind for MtaSts {
    fn id(&self) -> KindId {
        KindId::MtaSts
    }

    fn recognise(&self, rdata: &Rdata) -> Recognition {
        txt::recognise(rdata, "STSv1")
    }

    fn equal(&self, _owner: &Name, a: &[&Rdata], b: &[&Rdata]) -> Equality {
        txt::equal_sets(a, b, |a, b| match (Record::parse(a), Record::parse(b)) {
            (Ok(a), Ok(b)) if a.id == b.id => Equality::Same,
            _ => Equality::Different,
        })
    }

    fn difference(&self, owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Difference {
        match self.equal(owner, before, after) {
            Equality::Identical => return Difference::NONE,
            Equality::Same => return Difference { class: Class::Cosmetic, details: Vec::new() },
            Equality::Equivalent | Equality::Different => {}
        }
        let read = |text: &str| Record::parse(text).ok();
        let (old, new) = (txt::only(before, read), txt::only(after, read));
        let details = match (&old, &new) {
            (Some(a), Some(b)) => vec![Detail::changed("id", a.id.clone(), b.id.clone())],
            (Some(a), None) if after.is_empty() => vec![Detail::removed("id", a.id.clone())],
            (None, Some(b)) if before.is_empty() => vec![Detail::added("id", b.id.clone())],
            _ => txt::whole_values(before, after, "record"),
        };
        let class = match (old, new) {
            _ if txt::cname(before).or_else(|| txt::cname(after)).is_some() => Class::Unknown,
            // Senders that have no policy yet find none; what the policy says is not known here.
            (Some(_), None) => Class::Loosens,
            _ => Class::Neutral,
        };
        Difference { class, details }
    }

    fn describe(&self, rdata: &Rdata) -> String {
        match (rdata, txt::text(rdata)) {
            (Rdata::Cname(target), _) => format!("CNAME to {target}"),
            (_, Some(text)) => match Record::parse(&text) {
                Ok(record) => format!("MTA-STS policy {}", record.id),
                Err(error) => format!("no MTA-STS: {error}"),
            },
            (_, None) => "no MTA-STS record".to_owned(),
        }
    }

    fn lint(&self, owner: &Name, values: &[&Rdata]) -> Vec<Finding> {
        let (subject, reference) = (txt::subject(owner), "RFC 8461 section 3.1");
        let mut found = Vec::new();
        let mut add = |message: String, remedy: &str| {
            found.push(Finding::new("STS-01", Severity::Error, subject.clone(), message, remedy, reference));
        };
        let mut records = 0;
        for rdata in txt::distinct(values) {
            let Some(text) = txt::text(rdata) else { continue };
            match self.recognise(rdata) {
                Recognition::Foreign => continue,
                Recognition::Candidate => records += 1,
                Recognition::NearMiss => {}
            }
            if let Err(error) = Record::parse(&text) {
                add(error.to_string(), "write `v=STSv1; id=…`");
            }
        }
        if records > 1 {
            add(format!("{records} MTA-STS records at one name: senders use none of them"), "keep one");
        }
        found
    }

    fn slot_at(&self, owner: &Name, rtype: RecordType, values: &[&Rdata]) -> Option<LiveSlot> {
        txt::slot(txt::below(owner, &["_mta-sts"]), rtype, values, |rdata| self.recognise(rdata))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::txt::tests::{name, rdata};

    pub(super) const VECTORS: &str = include_str!("../../../../tests/fixtures/mta-sts/vectors.json");

    fn owner() -> Name {
        name("_mta-sts.example.com")
    }

    #[test]
    fn readings_of_others_records() {
        let all: Value = serde_json::from_str(VECTORS).unwrap();
        for vector in all["mta_sts_record"].as_array().unwrap() {
            let text = vector["record"].as_str().unwrap();
            match Record::parse(text) {
                Ok(record) => assert_eq!(record.id, vector["id"], "{text}"),
                Err(error) => {
                    let fits = match vector["error"].as_str().unwrap() {
                        "id has a character outside A-Z a-z 0-9" | "id longer than 32" => {
                            matches!(error.kind, RecordErrorKind::Id(_))
                        }
                        "id missing" => error.kind == RecordErrorKind::NoId,
                        _ => error.kind == RecordErrorKind::Version,
                    };
                    assert!(fits, "{text}: {error}");
                }
            }
        }
    }

    #[test]
    fn equality_is_the_id() {
        let equal = |a: &str, b: &str| MtaSts.equal(&owner(), &[&rdata(a)], &[&rdata(b)]);
        assert_eq!(equal("v=STSv1; id=1", "v = STSv1;id=1;x=y;"), Equality::Same);
        assert_eq!(equal("v=STSv1; id=a", "v=STSv1; id=A"), Equality::Different);
        assert_eq!(equal("v=STSv1; id=1", "v=stsv1; id=1"), Equality::Different);
    }

    #[test]
    fn changes_lints_and_slots() {
        let (a, b) = (rdata("v=STSv1; id=1"), rdata("v=STSv1; id=2"));
        let difference = |before: &[&Rdata], after: &[&Rdata]| MtaSts.difference(&owner(), before, after);
        assert_eq!(difference(&[&a], &[&b]).details, [Detail::changed("id", "1", "2")]);
        assert_eq!(
            difference(&[], &[&a]),
            Difference { class: Class::Neutral, details: vec![Detail::added("id", "1")] }
        );
        assert_eq!(difference(&[&a], &[]).class, Class::Loosens);
        assert_eq!(difference(&[&a, &b], &[&a]).details, [Detail::removed("record", "v=STSv1; id=2")]);
        assert_eq!(difference(&[&a], &[&Rdata::Cname(name("x.example"))]).class, Class::Unknown);
        let codes = |texts: &[&str]| -> Vec<String> {
            let values: Vec<_> = texts.iter().map(|text| rdata(text)).collect();
            MtaSts.lint(&owner(), &values.iter().collect::<Vec<_>>()).into_iter().map(|f| f.code).collect()
        };
        assert_eq!(codes(&["v=STSv1; id=1", "other"]), [""; 0]);
        assert_eq!(codes(&["v=STSv1; id=1-2"]), ["STS-01"]);
        assert_eq!(codes(&["V=STSv1; id=1"]), ["STS-01"]);
        assert_eq!(codes(&["v=STSv1; id=1", "v=STSv1; id=2"]), ["STS-01"]);
        let slot = MtaSts.slot_at(&owner(), RecordType::TXT, &[&a]).unwrap();
        assert_eq!(slot, LiveSlot { domain: name("example.com"), key: None });
        assert_eq!(MtaSts.describe(&a), "MTA-STS policy 1");
    }

    #[test]
    fn messages() {
        let shown = ["id=1; v=STSv1", "v=STSv1", "v=STSv1; id=a-b", "v=STSv1; id=1; id=2", "v=STSv1; junk"]
            .map(|text| Record::parse(text).unwrap_err().to_string());
        insta::assert_snapshot!(shown.join("\n"), @"
        it must begin with `v=STSv1;`, exactly so
        `id` is missing
        `id=a-b`: an id is 1 to 32 letters and digits
        tag `id` stands more than once
        `junk` has no `=`
        ");
    }

    proptest! {
        #[test]
        fn printing_and_reading_are_inverse(
            id in "[A-Za-z0-9]{1,32}",
            extensions in prop::collection::btree_map("x[a-z]{0,2}", "[a-z0-9]{0,4}", 0..2),
        ) {
            let record = Record { extensions: extensions.into_iter().collect(), ..Record::new(&id).unwrap() };
            prop_assert_eq!(Record::parse(&record.to_string()).unwrap(), record);
        }

        #[test]
        fn any_octets_are_read(octets in prop::collection::vec(any::<u8>(), 0..60)) {
            let value = Rdata::Txt(mailzone_record::Txt::from_text([b"v=STSv1; id=".to_vec(), octets].concat()));
            MtaSts.describe(&value);
            MtaSts.lint(&owner(), &[&value]);
            MtaSts.difference(&owner(), &[], &[&value]);
            prop_assert!(MtaSts.equal(&owner(), &[&value], &[&value]) == Equality::Identical);
        }
    }
}
