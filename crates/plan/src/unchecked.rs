//! What a plan rests on and did not look up: said, never guessed (`design.md` section 4).

use mailzone_mailauth::{Finding, KindId, Severity, dmarc, mta_sts, report_authorisation, spf};
use mailzone_record::{Name, Rdata};

use crate::{Claim, DomainFacts};

/// What the wanted values of a claim point to outside the zone, whose apex is `apex`.
pub(crate) fn of_claim(claim: &Claim, apex: &Name, facts: Option<&DomainFacts>) -> Option<Finding> {
    let message = match claim.slot.kind {
        KindId::Spf => spf_targets(claim)?,
        KindId::Mx => mx_hosts(claim)?,
        KindId::Dmarc => report_hosts(claim, apex)?,
        KindId::MtaSts => policy_file(claim, facts)?,
        KindId::Tlsa if !claim.want.is_empty() => {
            let host = claim.slot.domain.to_text_without_dot();
            format!("unchecked: whether the certificate of {host} matches its TLSA records")
        }
        _ => return None,
    };
    Some(Finding::new(
        "UNCHECKED",
        Severity::Info,
        claim.owner.to_string(),
        message,
        "look it up before you rely on it: this version plans without asking outside the zone",
        "docs/safety.md",
    ))
}

fn spf_targets(claim: &Claim) -> Option<String> {
    let text = claim.want.first()?.as_txt()?.joined();
    let record = spf::Record::parse(text).ok()?;
    let mut targets: Vec<String> = record
        .directives()
        .filter(|(_, mechanism)| matches!(mechanism.name(), "include" | "exists" | "ptr" | "a" | "mx"))
        .filter_map(|(_, mechanism)| Some(format!("{}:{}", mechanism.name(), mechanism.domain()?.as_str())))
        .collect();
    targets.extend(record.redirect().map(|target| format!("redirect={}", target.as_str())));
    if targets.is_empty() {
        return None;
    }
    Some(format!("unchecked: what {} holds, and how many look-ups it costs", targets.join(", ")))
}

fn mx_hosts(claim: &Claim) -> Option<String> {
    let hosts: Vec<String> = claim
        .want
        .iter()
        .filter_map(|value| match value {
            Rdata::Mx(mx) if !mx.exchange.is_root() => Some(mx.exchange.to_text_without_dot()),
            _ => None,
        })
        .collect();
    (!hosts.is_empty()).then(|| format!("unchecked: whether {} has addresses and is no alias", hosts.join(", ")))
}

/// Receivers of reports whose consent (RFC 7489 section 7.1) the configuration does not publish itself.
fn report_hosts(claim: &Claim, apex: &Name) -> Option<String> {
    let text = claim.want.first()?.as_txt()?.joined();
    let record = dmarc::Record::parse(std::str::from_utf8(&text).ok()?).ok()?;
    let domain = &claim.slot.domain;
    let configured = |host: &Name| {
        let names = [report_authorisation::authorisation_name(domain, host), report_authorisation::wildcard_name(host)];
        names.into_iter().flatten().any(|name| claim.relies_on.iter().any(|key| key.name == name))
    };
    // The same organizational domain needs no consent.
    let related = |host: &Name| host.is_at_or_below(apex) || domain.is_at_or_below(host);
    let hosts: Vec<String> = record
        .external_hosts(&claim.owner)
        .iter()
        .filter(|host| !related(host) && !configured(host))
        .map(Name::to_text_without_dot)
        .collect();
    let domain = domain.to_text_without_dot();
    (!hosts.is_empty()).then(|| format!("unchecked: whether {} takes reports about {domain}", hosts.join(", ")))
}

fn policy_file(claim: &Claim, facts: Option<&DomainFacts>) -> Option<String> {
    let policy = facts?.sts_policy.as_ref()?;
    let is_record = claim.want.iter().any(|value| value.as_txt().is_some());
    let mode = match policy.mode {
        mta_sts::Mode::None => return None,
        mta_sts::Mode::Testing => "testing",
        mta_sts::Mode::Enforce => "enforce",
    };
    let host = claim.slot.domain.to_text_without_dot();
    is_record.then(|| {
        format!("unchecked: whether https://mta-sts.{host}/.well-known/mta-sts.txt serves this policy in mode {mode}")
    })
}
