//! DMARC policy records (RFC 9989; RFC 7489 for receivers of the earlier generation).
//!
//! A record is read as an RFC 9989 receiver reads it, and compared so that two records are alike only if
//! receivers of both generations cannot tell them apart. How a receiver of either generation finds the record
//! of an author domain and what it makes of a message is [`evaluate()`], over DNS answers.

mod alignment;
mod difference;
mod discovery;
mod evaluate;
mod external;
mod lint;
mod organizational;
mod problem;
mod record;
#[cfg(test)]
mod tests;

use mailzone_record::{Name, Rdata, RecordType};

pub use self::alignment::{Aligned, aligned};
pub use self::discovery::{Applied, Discovery, DiscoveryProblem, Disposition, Effective, Modes, Place, discover};
pub use self::evaluate::{Authentication, Checked, DmarcResult, Evaluation, Mechanism, Outcome, Request, evaluate};
pub use self::external::{Consent, report_authorisation};
pub use self::organizational::{Found, Organizational, Reader, Visit, WALK, organizational_domain};
pub use self::problem::{NotDmarc, Problem, ProblemKind};
pub use self::record::{Alignment, FailureOption, Fault, Field, Policy, Psd, Reading, Record};
use crate::finding::Finding;
use crate::kind::{Difference, Equality, Kind, KindId, LiveSlot, Recognition};
use crate::txt;

/// The DMARC policy record at `_dmarc` below a domain. A CNAME there is a candidate too: the slot's name
/// is its own, and a receiver follows it.
#[derive(Debug)]
pub struct Dmarc;

impl Kind for Dmarc {
    fn id(&self) -> KindId {
        KindId::Dmarc
    }

    fn recognise(&self, rdata: &Rdata) -> Recognition {
        txt::recognise(rdata, "DMARC1")
    }

    fn equal(&self, _owner: &Name, a: &[&Rdata], b: &[&Rdata]) -> Equality {
        difference::equal(a, b)
    }

    fn difference(&self, _owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Difference {
        difference::difference(before, after)
    }

    fn describe(&self, rdata: &Rdata) -> String {
        if let Rdata::Cname(target) = rdata {
            return format!("CNAME to {target}");
        }
        let Some(text) = txt::text(rdata) else { return "no DMARC record".to_owned() };
        match Record::parse(&text) {
            Ok(record) => describe(&record),
            Err(error) => error.to_string(),
        }
    }

    fn guards(&self, owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Vec<Finding> {
        difference::guards(owner, before, after)
    }

    fn lint(&self, owner: &Name, values: &[&Rdata]) -> Vec<Finding> {
        lint::lint(owner, values)
    }

    fn slot_at(&self, owner: &Name, rtype: RecordType, values: &[&Rdata]) -> Option<LiveSlot> {
        txt::slot(txt::below(owner, &["_dmarc"]), rtype, values, |rdata| self.recognise(rdata))
    }
}

fn describe(record: &Record) -> String {
    match record.reading() {
        Reading::NoDmarc(fault) => return format!("no DMARC: {fault}"),
        Reading::Monitoring(fault) => return format!("as p=none: {fault}"),
        Reading::Valid => {}
    }
    let policies = record.tags().into_iter().filter(|(tag, _)| matches!(tag.as_str(), "p" | "sp" | "np"));
    let mut text = policies.map(|(tag, value)| format!("{tag}={value}")).collect::<Vec<_>>().join(" ");
    if record.is_testing() {
        text.push_str(", test mode");
    }
    if record.report_addresses().next().is_none() {
        text.push_str(", no reports");
    }
    text
}
