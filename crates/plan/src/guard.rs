//! Guards that look at more than one value: what the kinds cannot decide alone.

use mailzone_mailauth::{Effect, Finding, KindId, Recognition, Severity, kind, mta_sts};
use mailzone_provider::{ExpectedSideEffect, ProviderId, Zone};
use mailzone_record::{Name, Rdata, RecordType};

use crate::merge::Part;
use crate::{DomainFacts, MailUse, Merged, PlannedChange};

/// Codes that stop a zone when a plan causes them (`design.md` section 5).
const STOPPING: &[&str] = &["SPF-03"];

/// Guards of one claim's share of a set.
pub(crate) fn of_part(part: &Part<'_>, merged: &Merged<'_>, facts: Option<&DomainFacts>) -> Vec<Finding> {
    let claim = part.claim;
    let mut found = Vec::new();
    found.extend(cname(part));
    match claim.slot.kind {
        KindId::Mx => {
            found.extend(mx(part, facts));
            found.extend(sts(part, facts));
        }
        _ => {
            if let Some(finding) = near_miss(part, merged) {
                found.push(finding);
            }
        }
    }
    found
}

/// Guards of a whole zone's changes, with the owner name that each concerns.
pub(crate) fn of_zone(changes: &[PlannedChange], zone: &Zone) -> Vec<(Name, Finding)> {
    changes
        .iter()
        .filter(|change| change.change.rtype() == RecordType::NS && *change.change.name() == zone.name)
        .map(|change| {
            let finding = Finding::guard(
                "GUARD-NS",
                zone.name.to_string(),
                "the zone's own NS records change: servers that are no longer named stop answering for it",
                "RFC 1034 section 4.2.1",
            );
            (change.change.name().clone(), finding)
        })
        .collect()
}

/// A foreign set that the service is expected to change by itself.
pub(crate) fn side_effect(provider: &ProviderId, expected: &ExpectedSideEffect) -> Finding {
    let ExpectedSideEffect { key, message } = expected;
    let message = format!("{provider} is expected to change {key}, which is foreign, by itself: {message}");
    Finding::guard("GUARD-SIDE", key.to_string(), message, "docs/guards.md")
}

/// The remedy of a finding that stops its zone, with the line that lets it pass.
pub fn allow_line(finding: &Finding, owner: &Name) -> String {
    let line = format!("--allow {}:{}", finding.code, owner.to_text_without_dot());
    if finding.remedy.is_empty() {
        format!("if this is meant: {line}")
    } else {
        format!("{}; if this is meant: {line}", finding.remedy)
    }
}

/// Whether a finding stops its zone: an error about damage that this plan causes (`design.md` section 5).
pub fn stops(finding: &Finding) -> bool {
    finding.effect == Effect::Caused
        && finding.severity == Severity::Error
        && (finding.code.starts_with("GUARD-") || STOPPING.contains(&finding.code.as_str()))
}

/// `GUARD-DMARC-JUMP` does not concern a domain that sends no mail: nothing can be lost.
pub(crate) fn concerns(finding: &Finding, facts: Option<&DomainFacts>) -> bool {
    finding.code != "GUARD-DMARC-JUMP" || facts.is_none_or(|facts| facts.mail.sends())
}

fn mx(part: &Part<'_>, facts: Option<&DomainFacts>) -> Option<Finding> {
    let owner = part.claim.owner.to_string();
    let before: Vec<Rdata> = part.before.iter().map(|&rdata| rdata.clone()).collect();
    let had = !before.is_empty() && !is_null(&before);
    let null_after = is_null(&part.want);
    if had && part.want.is_empty() {
        let message = "the last MX goes: mail would be sent to the address of the name itself, or nowhere";
        return Some(Finding::guard("GUARD-MX", owner, message, "RFC 5321 section 5.1"));
    }
    let mail = facts.map_or(MailUse::Both, |facts| facts.mail);
    if had && null_after && mail.receives() {
        let message =
            "the MX becomes null: the domain would refuse all mail, and the configuration says that it receives";
        return Some(Finding::guard("GUARD-MX", owner, message, "RFC 7505 section 3"));
    }
    None
}

/// A live CNAME at a slot's own name goes or points elsewhere: what stood behind it is somebody else's. DKIM has
/// guards of its own for it.
fn cname(part: &Part<'_>) -> Option<Finding> {
    let claim = part.claim;
    let guarded = claim.own_name && claim.rtype == RecordType::CNAME && claim.slot.kind != KindId::Dkim;
    let target = part.before.first().filter(|_| guarded)?;
    let after = match part.want.first() {
        Some(wanted) => format!("{wanted} takes its place"),
        None => "nothing takes its place".to_owned(),
    };
    let message = format!("the CNAME to {target} goes: {after}");
    Some(Finding::guard("GUARD-CNAME", claim.owner.to_string(), message, "RFC 1034 section 3.6.2"))
}

fn is_null(values: &[Rdata]) -> bool {
    matches!(values, [Rdata::Mx(mx)] if mx.exchange.is_root())
}

/// MX hosts that come and that an enforced MTA-STS policy does not name: senders would refuse to deliver to them.
fn sts(part: &Part<'_>, facts: Option<&DomainFacts>) -> Option<Finding> {
    let policy = facts?.sts_policy.as_ref().filter(|policy| policy.mode == mta_sts::Mode::Enforce)?;
    let had = |name: &Name| part.before.iter().any(|value| matches!(value, Rdata::Mx(mx) if mx.exchange == *name));
    let missing: Vec<String> = part
        .want
        .iter()
        .filter_map(|value| match value {
            Rdata::Mx(mx) if !mx.exchange.is_root() && !had(&mx.exchange) && !policy.covers(&mx.exchange) => {
                Some(mx.exchange.to_text_without_dot())
            }
            _ => None,
        })
        .collect();
    (!missing.is_empty()).then(|| {
        Finding::guard(
            "GUARD-STS",
            part.claim.owner.to_string(),
            format!(
                "the enforced MTA-STS policy does not name {}: senders would not deliver there",
                missing.join(", ")
            ),
            "RFC 8461 section 4.1",
        )
    })
}

/// Ours would come to stand beside a value that somebody meant to be it.
fn near_miss(part: &Part<'_>, merged: &Merged<'_>) -> Option<Finding> {
    if !part.before.is_empty() || part.want.is_empty() {
        return None;
    }
    let near = near_value(part, merged)?;
    Some(Finding::guard(
        "GUARD-NEAR",
        part.claim.owner.to_string(),
        format!("{near} looks like {} and is not read as one: it would stay beside ours", part.claim.slot),
        "docs/guards.md",
    ))
}

/// A value that looks like ours and is not read as one stays: foreign, but worth knowing. Of SPF the lint
/// SPF-26 says so.
pub(crate) fn near_miss_note(part: &Part<'_>, merged: &Merged<'_>) -> Option<Finding> {
    if part.claim.slot.kind == KindId::Spf {
        return None;
    }
    let near = near_value(part, merged)?;
    Some(Finding::new(
        "NEAR-MISS",
        Severity::Warning,
        part.claim.owner.to_string(),
        format!("{near} looks like {} and is not read as one: receivers ignore it", part.claim.slot),
        "remove it at the provider, or correct it",
        "docs/safety.md",
    ))
}

fn near_value<'a>(part: &Part<'_>, merged: &Merged<'a>) -> Option<&'a Rdata> {
    let kind = kind(part.claim.slot.kind)?;
    merged.kept().iter().map(|value| &value.rdata).find(|rdata| kind.recognise(rdata) == Recognition::NearMiss)
}
