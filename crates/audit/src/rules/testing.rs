//! A small world for the tests of rules: one zone, everything else does not exist.

use mailzone_mailauth::Finding;
use mailzone_mailauth::lookup::{Answer, Answers, Overlay, ZoneData};
use mailzone_record::Name;
use mailzone_record::zonefile::ZoneFile;

use crate::{Audit, Facts, Scope, Subject, audit};

/// The zone `example.test`, and what was looked up.
pub(crate) struct World {
    zones: Vec<ZoneData>,
    pub(crate) subject: Subject,
    pub(crate) facts: Facts,
}

impl World {
    /// Lines of a zone file: name, type, data. Names are relative to `example.test`.
    pub(crate) fn new(lines: &str) -> Self {
        Self::zones(&[("example.test", lines)])
    }

    /// Several zones.
    pub(crate) fn zones(zones: &[(&str, &str)]) -> Self {
        let zones = zones.iter().map(|(apex, lines)| {
            let apex = Name::parse(apex).unwrap();
            let text = format!("$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 300\n{lines}\n");
            let file = ZoneFile::parse(text.as_bytes(), &apex).unwrap();
            let sets = file.rrsets();
            ZoneData::new(apex, &sets)
        });
        let zones = zones.collect();
        let scope = Scope { completeness: true, ..Scope::DNS };
        Self { zones, subject: Subject::new(Name::parse("example.test").unwrap(), scope), facts: Facts::default() }
    }

    /// The audit of `example.test`.
    pub(crate) fn audit(&self) -> Audit {
        let nothing_else = Answers::otherwise(Answer::NxDomain);
        audit(&self.subject, &self.facts, &Overlay { over: self.zones.as_slice(), base: nothing_else })
    }

    /// The findings of this code; at least one.
    pub(crate) fn finds(&self, code: &str) -> Found {
        let all: Vec<Finding> = self.audit().into_findings().collect();
        let list: Vec<Finding> = all.iter().filter(|finding| finding.code == code).cloned().collect();
        assert!(!list.is_empty(), "no {code} in {all:#?}");
        Found(list)
    }

    /// Asserts that there is no finding of this code.
    pub(crate) fn lacks(&self, code: &str) {
        let found: Vec<Finding> = self.audit().into_findings().filter(|finding| finding.code == code).collect();
        assert!(found.is_empty(), "{found:#?}");
    }
}

/// Findings of one code.
#[derive(Debug)]
pub(crate) struct Found(pub(crate) Vec<Finding>);

impl Found {
    /// The one finding.
    pub(crate) fn only(&self) -> &Finding {
        assert_eq!(self.0.len(), 1, "{:#?}", self.0);
        &self.0[0]
    }
}
