//! What SPF, DKIM and DMARC of the domain come to, in short: for rules that look at all three.

use mailzone_mailauth::dkim::{self, KeyRecord, PublicKey};
use mailzone_mailauth::dmarc::{self, Applied, Discovery, DiscoveryProblem, Policy, Reader};
use mailzone_mailauth::lookup::Answer;
use mailzone_mailauth::spf::{self, CostRecord, Mechanism, Qualifier, Record, Selected};
use mailzone_record::{Name, Rdata, RecordType};

use super::common::text;
use crate::{Inquiry, SelectorSource};

/// Redirections that are followed.
const REDIRECTS: usize = 10;

/// What SPF says of who may send.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Spf {
    /// No record.
    Absent,
    /// One that receivers answer with permerror, and why.
    Broken(String),
    /// A record.
    Good {
        /// What it says of everybody else.
        rest: Qualifier,
        /// Whether it is exactly `v=spf1 -all`.
        nobody: bool,
        /// Whether somebody may send at all.
        somebody: bool,
    },
}

/// The keys at the domain's selectors.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Those that are not revoked, with their owner names.
    pub(super) live: Vec<(Name, PublicKey)>,
    /// Whether a selector was named.
    pub(super) named: bool,
    /// Whether something is not known.
    pub(super) open: bool,
}

/// What is asked for by DMARC.
#[derive(Debug)]
pub(super) struct Dmarc {
    /// The policy, test mode and percentage being taken into account.
    pub(super) policy: Policy,
    /// Whether a record is in force.
    pub(super) in_force: bool,
    /// The record that applies.
    pub(super) applied: Option<Applied>,
}

/// `None`: not known.
pub(super) fn spf(inquiry: &mut Inquiry<'_>, domain: &Name) -> Option<Spf> {
    let record = match selected(inquiry, domain)? {
        Selected::Absent => return Some(Spf::Absent),
        Selected::Several(count) => return Some(Spf::Broken(format!("{count} SPF records"))),
        Selected::Invalid { .. } => return Some(Spf::Broken("an SPF record that cannot be read".to_owned())),
        Selected::Record { record, .. } => record,
    };
    let cost = spf::cost(domain, inquiry.lookup());
    let cost = inquiry.take(cost)?;
    if cost.record == CostRecord::Failed {
        return None;
    }
    if cost.lookups > 10 {
        return Some(Spf::Broken(format!("{} look-ups for SPF, of which 10 are allowed", cost.lookups)));
    }
    let allows = |(qualifier, _): (Qualifier, &Mechanism)| qualifier == Qualifier::Pass;
    let mut somebody = record.directives().any(allows);
    let (nobody, mut record) = (record.to_string() == "v=spf1 -all", record);
    for _ in 0..REDIRECTS {
        let Some(target) = record.redirect().and_then(|target| target.name().cloned()) else { break };
        match selected(inquiry, &target)? {
            Selected::Record { record: next, .. } => record = next,
            _ => return Some(Spf::Broken(format!("a redirect to {} without record", target.to_text_without_dot()))),
        }
        somebody |= record.directives().any(allows);
    }
    Some(Spf::Good { rest: record.all().unwrap_or(Qualifier::Neutral), nobody, somebody })
}

pub(super) fn keys(inquiry: &mut Inquiry<'_>) -> Keys {
    let (domain, subject) = (inquiry.domain(), inquiry.subject());
    let mut keys = Keys::default();
    for selector in &subject.selectors {
        let Ok(owner) = dkim::selector_name(&selector.name, domain) else { continue };
        keys.named |= selector.source == SelectorSource::Named;
        match inquiry.dns(&owner, RecordType::TXT) {
            Some(Answer::Records(values, _)) => {
                let records = values.iter().filter_map(|value| KeyRecord::parse(&text(value)).ok());
                keys.live.extend(records.filter_map(|record| Some((owner.clone(), record.public_key()?.clone()))));
            }
            Some(Answer::NoData | Answer::NxDomain) => {}
            None | Some(Answer::TempError | Answer::Unknown) => keys.open = true,
        }
    }
    keys
}

/// `None`: not known.
pub(super) fn dmarc(inquiry: &mut Inquiry<'_>) -> Option<Dmarc> {
    let found = dmarc::discover(inquiry.lookup(), inquiry.domain(), Reader::Rfc9989);
    let Discovery { applied, effective, problems, .. } = inquiry.take(found)?;
    if problems.iter().any(|problem| matches!(problem, DiscoveryProblem::Dns(..))) {
        return None;
    }
    // Half a policy counts as the weaker half.
    let policy =
        effective.map_or(Policy::None, |effective| effective.disposition.policy.min(effective.disposition.rest));
    Some(Dmarc { policy, in_force: effective.is_some(), applied })
}

fn selected(inquiry: &mut Inquiry<'_>, name: &Name) -> Option<Selected> {
    match inquiry.dns(name, RecordType::TXT)? {
        Answer::Records(values, _) => Some(Selected::among(&values)),
        Answer::NoData | Answer::NxDomain => Some(Selected::Absent),
        Answer::TempError | Answer::Unknown => None,
    }
}

/// Whether the TXT values at a name, itself and no alias, hold this SPF record.
pub(super) fn is_record(values: &[Rdata], record: &str) -> bool {
    matches!(Selected::among(values), Selected::Record { record: found, .. } if is_same(&found, record))
}

fn is_same(found: &Record, text: &str) -> bool {
    found.to_string() == text
}
