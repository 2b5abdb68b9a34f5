//! TLS-RPT records: where reports about failed TLS go (RFC 8460 section 3).

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use mailzone_record::{Name, Rdata, RecordType};

use crate::finding::{Finding, Severity};
use crate::kind::{Class, Detail, Difference, Equality, Kind, KindId, LiveSlot, Recognition};
use crate::report_uri::{ReportUri, UriProblem};
use crate::tag_list::{self, TagList};
use crate::txt;

/// The record at `_smtp._tls` below a domain. A CNAME there is a candidate too: a sender follows it.
#[derive(Debug)]
pub struct TlsRpt;

/// A TLS-RPT record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where reports go, in order; never empty in a record that was read.
    pub rua: Vec<ReportUri>,
    /// Extension tags with their values, in their order.
    pub extensions: Vec<(String, String)>,
}

/// Why a text is no TLS-RPT record, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct RecordError {
    /// Where, in octets of the text.
    pub span: Range<usize>,
    /// What.
    pub kind: RecordErrorKind,
}

/// Why a text is no TLS-RPT record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordErrorKind {
    /// The first tag is not `v=TLSRPTv1`.
    #[error("it must begin with `v=TLSRPTv1;`, exactly so")]
    Version,
    /// No `rua`, or an empty one.
    #[error("`rua` is missing: there is nowhere to send reports to")]
    NoAddress,
    /// A scheme other than `mailto` and `https`.
    #[error("`{0}`: the scheme must be `mailto` or `https`")]
    Scheme(String),
    /// An address that is no URI.
    #[error(transparent)]
    Uri(UriProblem),
    /// A tag twice, or a part that is no pair.
    #[error("{0}")]
    Syntax(tag_list::ProblemKind),
}

impl Record {
    /// A record with these addresses.
    pub fn new(rua: Vec<ReportUri>) -> Self {
        Self { rua, extensions: Vec::new() }
    }

    /// Reads the joined text of a TXT record.
    ///
    /// # Errors
    /// Senders of reports ignore it.
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        let fail = |span: Range<usize>, kind| Err(RecordError { span, kind });
        let list = TagList::parse(text);
        if !list.has_version("TLSRPTv1") {
            return fail(0..text.len(), RecordErrorKind::Version);
        }
        if let Some(problem) = list.problems.iter().find(|problem| problem.is_fatal()) {
            return fail(problem.span.clone(), RecordErrorKind::Syntax(problem.kind.clone()));
        }
        let items = list.get("rua").map(|tag| tag_list::items(tag, ',')).unwrap_or_default();
        if items.is_empty() {
            return fail(0..text.len(), RecordErrorKind::NoAddress);
        }
        let mut rua = Vec::with_capacity(items.len());
        for (item, span) in items {
            // TLS-RPT has no size limits: `!` belongs to the URI.
            let uri = ReportUri::new(item);
            match uri.problem() {
                Some(UriProblem::OtherScheme(_, scheme)) if scheme == "https" && uri.host().is_some() => {}
                Some(UriProblem::OtherScheme(uri, _)) => return fail(span, RecordErrorKind::Scheme(uri)),
                Some(problem) => return fail(span, RecordErrorKind::Uri(problem)),
                None => {}
            }
            rua.push(uri);
        }
        let extensions = list.tags.iter().filter(|tag| !matches!(tag.name, "v" | "rua"));
        let extensions = extensions.map(|tag| (tag.name.to_owned(), tag.value.to_owned())).collect();
        Ok(Self { rua, extensions })
    }

    fn addresses(&self) -> BTreeSet<String> {
        self.rua.iter().map(ReportUri::comparable).collect()
    }

    fn rua_text(&self) -> String {
        self.rua.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v=TLSRPTv1; rua={}", self.rua_text())?;
        self.extensions.iter().try_for_each(|(tag, value)| write!(f, "; {tag}={value}"))
    }
}

impl Kind for TlsRpt {
    fn id(&self) -> KindId {
        KindId::TlsRpt
    }

    fn recognise(&self, rdata: &Rdata) -> Recognition {
        txt::recognise(rdata, "TLSRPTv1")
    }

    fn equal(&self, _owner: &Name, a: &[&Rdata], b: &[&Rdata]) -> Equality {
        txt::equal_sets(a, b, |a, b| match (Record::parse(a), Record::parse(b)) {
            (Ok(a), Ok(b)) if a.addresses() == b.addresses() => Equality::Same,
            _ => Equality::Different,
        })
    }

    fn difference(&self, owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Difference {
        match self.equal(owner, before, after) {
            Equality::Identical => return Difference::NONE,
            Equality::Same => return Difference { class: Class::Cosmetic, details: Vec::new() },
            Equality::Equivalent | Equality::Different => {}
        }
        let (old, new) =
            (txt::only(before, |text| Record::parse(text).ok()), txt::only(after, |text| Record::parse(text).ok()));
        let details = match (&old, &new) {
            (Some(a), Some(b)) => vec![Detail::changed("rua", a.rua_text(), b.rua_text())],
            (Some(a), None) if after.is_empty() => vec![Detail::removed("rua", a.rua_text())],
            (None, Some(b)) if before.is_empty() => vec![Detail::added("rua", b.rua_text())],
            _ => txt::whole_values(before, after, "record"),
        };
        let class = match (old, new) {
            _ if txt::cname(before).or_else(|| txt::cname(after)).is_some() => Class::Unknown,
            // Reports stop.
            (Some(_), None) => Class::Breaks,
            _ => Class::Neutral,
        };
        Difference { class, details }
    }

    fn describe(&self, rdata: &Rdata) -> String {
        match (rdata, txt::text(rdata)) {
            (Rdata::Cname(target), _) => format!("CNAME to {target}"),
            (_, Some(text)) => match Record::parse(&text) {
                Ok(record) => format!("TLS reports to {}", record.rua_text()),
                Err(error) => format!("no TLS-RPT: {error}"),
            },
            (_, None) => "no TLS-RPT record".to_owned(),
        }
    }

    fn lint(&self, owner: &Name, values: &[&Rdata]) -> Vec<Finding> {
        let (subject, reference) = (txt::subject(owner), "RFC 8460 section 3");
        let remedy = "write `v=TLSRPTv1; rua=mailto:…`";
        let mut found = Vec::new();
        let mut records = 0;
        for rdata in txt::distinct(values) {
            let Some(text) = txt::text(rdata) else { continue };
            match self.recognise(rdata) {
                Recognition::Foreign => continue,
                Recognition::Candidate => records += 1,
                Recognition::NearMiss => {}
            }
            let Err(error) = Record::parse(&text) else { continue };
            let code = if matches!(error.kind, RecordErrorKind::Scheme(_)) { "TLSRPT-02" } else { "TLSRPT-01" };
            found.push(Finding::new(code, Severity::Error, subject.clone(), error.to_string(), remedy, reference));
        }
        if records > 1 {
            let message = format!("{records} TLS-RPT records at one name: senders use none of them");
            found.push(Finding::new("TLSRPT-01", Severity::Error, subject, message, "keep one", reference));
        }
        found
    }

    fn slot_at(&self, owner: &Name, rtype: RecordType, values: &[&Rdata]) -> Option<LiveSlot> {
        txt::slot(txt::below(owner, &["_smtp", "_tls"]), rtype, values, |rdata| self.recognise(rdata))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::txt::tests::{name, rdata};

    const VECTORS: &str = include_str!("../../../tests/fixtures/mta-sts/vectors.json");

    fn owner() -> Name {
        name("_smtp._tls.example.com")
    }

    #[test]
    fn readings_of_others_records() {
        let all: Value = serde_json::from_str(VECTORS).unwrap();
        for vector in all["tlsrpt_record"].as_array().unwrap() {
            let text = vector["record"].as_str().unwrap();
            match Record::parse(text) {
                Ok(record) => {
                    let rua: Value = record.rua.iter().map(ToString::to_string).collect();
                    assert_eq!(rua, vector["rua"], "{text}");
                }
                Err(error) => {
                    let expected = match vector["error"].as_str().unwrap() {
                        "rua missing" => "`rua` is missing",
                        "scheme must be mailto or https" => "the scheme must be `mailto` or `https`",
                        other => panic!("{text}: {other}"),
                    };
                    assert!(error.to_string().contains(expected), "{text}: {error}");
                }
            }
        }
    }

    #[test]
    fn equality_is_the_set_of_addresses() {
        let equal = |a: &str, b: &str| TlsRpt.equal(&owner(), &[&rdata(a)], &[&rdata(b)]);
        let a = "v=TLSRPTv1;rua=mailto:a@X.example,https://Y.example/r";
        assert_eq!(equal(a, "v = TLSRPTv1 ; rua = https://y.example/r , mailto:a@x.example; x=y"), Equality::Same);
        assert_eq!(equal(a, "v=TLSRPTv1; rua=mailto:A@x.example,https://y.example/r"), Equality::Different);
        assert_eq!(equal(a, "v=TLSRPTv1; rua=mailto:a@x.example,https://y.example/R"), Equality::Different);
    }

    #[test]
    fn changes_and_lints() {
        let (a, b) = (rdata("v=TLSRPTv1; rua=mailto:a@x.example"), rdata("v=TLSRPTv1; rua=mailto:b@x.example"));
        let difference = |before: &[&Rdata], after: &[&Rdata]| TlsRpt.difference(&owner(), before, after);
        let details = difference(&[&a], &[&b]).details;
        assert_eq!(details, [Detail::changed("rua", "mailto:a@x.example", "mailto:b@x.example")]);
        assert_eq!(
            difference(&[], &[&a]),
            Difference { class: Class::Neutral, details: vec![Detail::added("rua", "mailto:a@x.example")] }
        );
        assert_eq!(difference(&[&a], &[]).class, Class::Breaks);
        assert_eq!(difference(&[&a, &b], &[&a]).class, Class::Neutral);
        assert_eq!(difference(&[&Rdata::Cname(name("x.example"))], &[&a]).class, Class::Unknown);
        let codes = |texts: &[&str]| -> Vec<String> {
            let values: Vec<_> = texts.iter().map(|text| rdata(text)).collect();
            TlsRpt.lint(&owner(), &values.iter().collect::<Vec<_>>()).into_iter().map(|f| f.code).collect()
        };
        assert_eq!(codes(&["v=TLSRPTv1; rua=mailto:a@x.example", "other"]), [""; 0]);
        assert_eq!(codes(&["v=TLSRPTv1; rua=http://x.example/"]), ["TLSRPT-02"]);
        assert_eq!(codes(&["v=TLSRPTv1; rua=a@x.example"]), ["TLSRPT-01"]);
        assert_eq!(codes(&["v=tlsrptv1; rua=mailto:a@x.example"]), ["TLSRPT-01"]);
        assert_eq!(codes(&["v=TLSRPTv1; rua=mailto:a@x.example", "v=TLSRPTv1; rua=mailto:b@x.example"]), ["TLSRPT-01"]);
        let slot = TlsRpt.slot_at(&owner(), RecordType::TXT, &[&a]).unwrap();
        assert_eq!(slot, LiveSlot { domain: name("example.com"), key: None });
        assert_eq!(TlsRpt.describe(&a), "TLS reports to mailto:a@x.example");
    }

    #[test]
    fn messages() {
        let shown = [
            "v=TLSRPTv1",
            "rua=mailto:a@x.example",
            "v=TLSRPTv1; rua=ftp://x.example/",
            "v=TLSRPTv1; rua=mailto:a@x.example mailto:b@x.example",
            "v=TLSRPTv1; rua=mailto:a@x.example; rua=mailto:b@x.example",
            "v=TLSRPTv1; rua=mailto:a@x.example; junk",
        ]
        .map(|text| Record::parse(text).unwrap_err().to_string());
        insta::assert_snapshot!(shown.join("\n"), @"
        `rua` is missing: there is nowhere to send reports to
        it must begin with `v=TLSRPTv1;`, exactly so
        `ftp://x.example/`: the scheme must be `mailto` or `https`
        `mailto:a@x.example mailto:b@x.example` has a blank inside: addresses are separated by commas
        tag `rua` stands more than once
        `junk` has no `=`
        ");
    }

    proptest! {
        #[test]
        fn printing_and_reading_are_inverse(
            uris in prop::collection::vec("(mailto:[a-z]{1,3}@[a-z]{1,3}\\.example|https://[a-z]{1,3}\\.example/[a-z]{0,3})", 1..4),
            extensions in prop::collection::btree_map("x[a-z]{0,2}", "[a-z0-9]{0,4}", 0..2),
        ) {
            let rua = uris.iter().map(ReportUri::new).collect();
            let record = Record { rua, extensions: extensions.into_iter().collect() };
            prop_assert_eq!(Record::parse(&record.to_string()).unwrap(), record);
        }

        #[test]
        fn any_octets_are_read(octets in prop::collection::vec(any::<u8>(), 0..60)) {
            let value = Rdata::Txt(mailzone_record::Txt::from_text([b"v=TLSRPTv1; rua=".to_vec(), octets].concat()));
            TlsRpt.describe(&value);
            TlsRpt.lint(&owner(), &[&value]);
            TlsRpt.difference(&owner(), &[], &[&value]);
            prop_assert!(TlsRpt.equal(&owner(), &[&value], &[&value]) == Equality::Identical);
        }
    }
}
