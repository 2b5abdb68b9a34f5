//! Report authorisations: the consent of a report receiver to reports about another domain (RFC 9990;
//! RFC 7489 section 7.1).
//!
//! The record is `v=DMARC1` at `POLICY-DOMAIN._report._dmarc.REPORT-HOST`; `*` instead of the policy
//! domain consents for all. It may carry a `rua` that replaces the address, within the same host.

use std::collections::BTreeSet;

use mailzone_record::{Name, NameError, Rdata, RecordType};

use crate::finding::{Finding, Severity};
use crate::kind::{Class, Detail, Difference, Equality, Kind, KindId, LiveSlot, Recognition};
use crate::report_uri::ReportUri;
use crate::tag_list::{self, TagList};
use crate::txt;

/// The report authorisation at one name. A CNAME there is a candidate too: a receiver follows it.
#[derive(Debug)]
pub struct ReportAuthorisation;

/// An authorisation record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Where reports go instead of the address that the policy record names; mostly empty.
    pub rua: Vec<ReportUri>,
}

/// The name that is asked before reports about `policy_domain` are sent to `report_host`.
///
/// # Errors
/// The name would be longer than 255 octets.
pub fn authorisation_name(policy_domain: &Name, report_host: &Name) -> Result<Name, NameError> {
    let host = report_host.prepend("_report._dmarc")?;
    let labels = policy_domain.as_wire().strip_suffix(&[0]).unwrap_or_default();
    let wire = [labels, host.as_wire()].concat();
    Name::from_wire(&wire)
}

/// The name of the authorisation for all domains: `*._report._dmarc` below `report_host`.
///
/// # Errors
/// The name would be longer than 255 octets.
pub fn wildcard_name(report_host: &Name) -> Result<Name, NameError> {
    report_host.prepend("*._report._dmarc")
}

/// Policy domain (or `*`) and report host of an authorisation's owner name.
pub fn parts_of(owner: &Name) -> Option<(Name, Name)> {
    let labels: Vec<&[u8]> = owner.labels().collect();
    let is = |label: &[u8], text: &str| label.eq_ignore_ascii_case(text.as_bytes());
    let place = labels.windows(2).position(|pair| is(pair[0], "_report") && is(pair[1], "_dmarc"))?;
    let mut suffix = owner.clone();
    for _ in 0..place {
        suffix = suffix.parent()?;
    }
    let host = txt::below(&suffix, &["_report", "_dmarc"])?;
    let policy_domain = owner.without_suffix(&suffix)?;
    (place > 0).then_some((policy_domain, host))
}

impl Record {
    /// Reads the joined text of a TXT record; `None` if it is no `v=DMARC1` record.
    pub fn parse(text: &str) -> Option<Self> {
        let list = TagList::parse(text);
        if !list.has_version("DMARC1") {
            return None;
        }
        let items = list.get("rua").map(|tag| tag_list::items(tag, ',')).unwrap_or_default();
        Some(Self { rua: items.into_iter().map(|(item, _)| ReportUri::parse(item)).collect() })
    }
}

impl std::fmt::Display for Record {
    /// `v=DMARC1`, and `rua` where there is one.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("v=DMARC1")?;
        for (i, uri) in self.rua.iter().enumerate() {
            write!(f, "{}{uri}", if i == 0 { "; rua=" } else { "," })?;
        }
        Ok(())
    }
}

impl Kind for ReportAuthorisation {
    fn id(&self) -> KindId {
        KindId::ReportAuthorisation
    }

    fn recognise(&self, rdata: &Rdata) -> Recognition {
        txt::recognise(rdata, "DMARC1")
    }

    fn equal(&self, _owner: &Name, a: &[&Rdata], b: &[&Rdata]) -> Equality {
        txt::equal_sets(a, b, |a, b| match (Record::parse(a), Record::parse(b)) {
            (Some(a), Some(b)) if addresses(&a) == addresses(&b) => Equality::Same,
            _ => Equality::Different,
        })
    }

    fn difference(&self, owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Difference {
        match self.equal(owner, before, after) {
            Equality::Identical => return Difference::NONE,
            Equality::Same => return Difference { class: Class::Cosmetic, details: Vec::new() },
            Equality::Equivalent | Equality::Different => {}
        }
        let (old, new) = (txt::only(before, Record::parse), txt::only(after, Record::parse));
        let class = match (&old, &new) {
            _ if txt::cname(before).or_else(|| txt::cname(after)).is_some() => Class::Unknown,
            // Without the consent no reports come.
            (Some(_), None) => Class::Breaks,
            _ => Class::Neutral,
        };
        let details = match (&old, &new) {
            (Some(a), Some(b)) => {
                let text = |record: &Record| {
                    let uris: Vec<_> = record.rua.iter().map(ToString::to_string).collect();
                    (!uris.is_empty()).then(|| uris.join(","))
                };
                vec![Detail { term: "rua".to_owned(), before: text(a), after: text(b) }]
            }
            _ => txt::whole_values(before, after, "record"),
        };
        Difference { class, details }
    }

    fn describe(&self, rdata: &Rdata) -> String {
        match (rdata, txt::text(rdata).and_then(|text| Record::parse(&text))) {
            (Rdata::Cname(target), _) => format!("CNAME to {target}"),
            (_, Some(record)) if record.rua.is_empty() => "reports are accepted".to_owned(),
            (_, Some(record)) => {
                let uris: Vec<_> = record.rua.iter().map(ToString::to_string).collect();
                format!("reports are accepted at {}", uris.join(", "))
            }
            (_, None) => "no report authorisation".to_owned(),
        }
    }

    fn lint(&self, owner: &Name, values: &[&Rdata]) -> Vec<Finding> {
        let records = txt::distinct(values).into_iter().filter(|v| v.as_txt().is_some());
        let count = records.filter(|rdata| self.recognise(rdata) == Recognition::Candidate).count();
        if count < 2 {
            return Vec::new();
        }
        let message = format!("{count} DMARC records at one name: report senders discard all of them");
        vec![Finding::new("DMARC-01", Severity::Error, txt::subject(owner), message, "keep one", "RFC 9990")]
    }

    fn slot_at(&self, owner: &Name, rtype: RecordType, values: &[&Rdata]) -> Option<LiveSlot> {
        let (policy_domain, host) = parts_of(owner)?;
        let slot = txt::slot(Some(host), rtype, values, |rdata| self.recognise(rdata))?;
        Some(LiveSlot { key: Some(policy_domain.to_lowercase().to_text_without_dot()), ..slot })
    }
}

fn addresses(record: &Record) -> BTreeSet<String> {
    record.rua.iter().map(ReportUri::comparable).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::txt::tests::{name, rdata};

    #[test]
    fn names_and_back() {
        let owner = authorisation_name(&name("example.com"), &name("reports.example")).unwrap();
        assert_eq!(owner, name("example.com._report._dmarc.reports.example"));
        assert_eq!(parts_of(&owner), Some((name("example.com"), name("reports.example"))));
        let wildcard = wildcard_name(&name("reports.example")).unwrap();
        assert_eq!(parts_of(&wildcard), Some((name("*"), name("reports.example"))));
        for other in ["_report._dmarc.reports.example", "a._report._dmarc", "_dmarc.example.com", "example.com"] {
            assert_eq!(parts_of(&name(other)), None, "{other}");
        }
        let long = name(&vec!["a".repeat(60); 4].join("."));
        assert_eq!(authorisation_name(&long, &name("reports.example")), Err(NameError::TooLong));
    }

    #[test]
    fn consent_with_and_without_addresses() {
        let kind = ReportAuthorisation;
        let owner = name("a.example._report._dmarc.b.example");
        let (plain, spaced) = (rdata("v=DMARC1"), rdata("v = DMARC1; x=y;"));
        let to = rdata("v=DMARC1; rua=mailto:r@b.example");
        assert_eq!(kind.equal(&owner, &[&plain], &[&spaced]), Equality::Same);
        assert_eq!(kind.equal(&owner, &[&plain], &[&to]), Equality::Different);
        assert_eq!(kind.difference(&owner, &[&plain], &[&spaced]).details, []);
        let moved = kind.difference(&owner, &[&plain], &[&to]);
        assert_eq!(moved.details, [Detail::added("rua", "mailto:r@b.example")]);
        assert_eq!(kind.difference(&owner, &[&plain], &[]).class, Class::Breaks);
        assert_eq!(kind.difference(&owner, &[], &[&plain]).class, Class::Neutral);
        assert_eq!(kind.difference(&owner, &[], &[&Rdata::Cname(name("x.example"))]).class, Class::Unknown);
        assert_eq!(kind.describe(&plain), "reports are accepted");
        assert_eq!(kind.lint(&owner, &[&plain, &to])[0].code, "DMARC-01");
        assert_eq!(kind.lint(&owner, &[&plain]), []);
        let slot = kind.slot_at(&owner, RecordType::TXT, &[&plain]).unwrap();
        assert_eq!(slot, LiveSlot { domain: name("b.example"), key: Some("a.example".to_owned()) });
        assert_eq!(Record::default().to_string(), "v=DMARC1");
    }

    proptest! {
        #[test]
        fn any_octets_are_read(octets in prop::collection::vec(any::<u8>(), 0..60)) {
            let value = Rdata::Txt(mailzone_record::Txt::from_text([b"v=DMARC1;".to_vec(), octets].concat()));
            let owner = name("a.example._report._dmarc.b.example");
            ReportAuthorisation.describe(&value);
            ReportAuthorisation.difference(&owner, &[], &[&value]);
            prop_assert!(ReportAuthorisation.equal(&owner, &[&value], &[&value]) == Equality::Identical);
        }

        #[test]
        fn printing_and_reading_are_inverse(
            uris in prop::collection::vec("mailto:[a-z]{1,3}@[a-z]{1,3}\\.example(![1-9][km]?)?", 0..3)
        ) {
            let record = Record { rua: uris.iter().map(|uri| ReportUri::parse(uri)).collect() };
            prop_assert_eq!(Record::parse(&record.to_string()), Some(record));
        }
    }
}
