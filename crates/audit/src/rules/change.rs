//! Rules about a change: what is there before and after of a plan.
//!
//! They say what a record kind cannot say of its own values, and what no guard stops.

use mailzone_mailauth::dkim::{self, KeyRecord, PublicKey};
use mailzone_mailauth::dmarc::{Policy, Reader, discover};
use mailzone_mailauth::lookup::{Answer, Lookup, resolve};
use mailzone_mailauth::spf::{Mechanism, Modifier, Record, Selected, TermKind};
use mailzone_mailauth::{Effect, Finding, Severity, rules};
use mailzone_record::{Name, Rdata, RecordType};

use super::change_hosts;
use crate::Subject;
use crate::rules::common::text;

/// One rule over a change.
type ChangeRule = fn(&mut Change<'_>);

/// Every rule over a change. A new one is a function and an entry here.
const CHANGES: &[ChangeRule] =
    &[spf_targets, dkim_keys, dmarc_alias, change_hosts::mx, change_hosts::tlsa, change_hosts::policy];

/// What the step from `before` to `after` does to `subject`, all with effect `caused`. A question that either side
/// leaves open decides nothing: it is nobody's fault.
pub fn changes(before: &dyn Lookup, after: &dyn Lookup, subject: &Subject) -> Vec<Finding> {
    let mut change = Change { before, after, subject, findings: Vec::new() };
    for rule in CHANGES {
        rule(&mut change);
    }
    change.findings.sort();
    change.findings.dedup();
    change.findings
}

/// What the rules see and say.
pub(super) struct Change<'a> {
    before: &'a dyn Lookup,
    after: &'a dyn Lookup,
    pub(super) subject: &'a Subject,
    findings: Vec<Finding>,
}

impl Change<'_> {
    /// The records at the end of the name's aliases on one side; `None` if that side does not know.
    pub(super) fn records(lookup: &dyn Lookup, name: &Name, rtype: RecordType) -> Option<Vec<Rdata>> {
        match resolve(lookup, name, rtype) {
            Ok(Answer::Records(values, _)) => Some(values.to_vec()),
            Ok(Answer::NoData | Answer::NxDomain) => Some(Vec::new()),
            Ok(Answer::TempError | Answer::Unknown) | Err(_) => None,
        }
    }

    /// The one side or the other.
    pub(super) fn side(&self, after: bool) -> &dyn Lookup {
        if after { self.after } else { self.before }
    }

    /// The records before and after, where both are known.
    pub(super) fn both(&self, name: &Name, rtype: RecordType) -> Option<(Vec<Rdata>, Vec<Rdata>)> {
        Some((Self::records(self.before, name, rtype)?, Self::records(self.after, name, rtype)?))
    }

    pub(super) fn find(&mut self, code: &str, owner: &Name, message: impl Into<String>) {
        let severity = rules::rule(code).map_or(Severity::Error, |rule| rule.severity);
        self.find_as(code, severity, owner, message);
    }

    pub(super) fn find_as(&mut self, code: &str, severity: Severity, owner: &Name, message: impl Into<String>) {
        let (remedy, reference) = rules::rule(code).map_or(("", ""), |rule| (rule.remedy, rule.reference));
        let finding = Finding::new(code, severity, owner.to_text_without_dot(), message, remedy, reference);
        self.findings.push(Finding { effect: Effect::Caused, ..finding });
    }
}

/// SPF-22: the target of an `include` or `redirect` had a record and has none any more.
fn spf_targets(change: &mut Change<'_>) {
    let domain = &change.subject.domain;
    let Some(values) = Change::records(change.after, domain, RecordType::TXT) else { return };
    let Selected::Record { record, .. } = Selected::among(&values) else { return };
    for (term, target) in targets(&record) {
        let Some((before, after)) = change.both(target, RecordType::TXT) else { continue };
        let is_spf = |values: &[Rdata]| Selected::among(values) != Selected::Absent;
        if is_spf(&before) && !is_spf(&after) {
            let message = format!("`{term}` stays, and the SPF record at {} goes", target.to_text_without_dot());
            change.find("SPF-22", domain, message);
        }
    }
}

/// The terms that lead to another record whose name is the same in every message.
fn targets(record: &Record) -> Vec<(String, &Name)> {
    let named = record.terms.iter().filter_map(|term| {
        let domain = match &term.kind {
            TermKind::Directive(_, Mechanism::Include(domain)) => domain,
            TermKind::Modifier(Modifier::Redirect(domain)) if record.all().is_none() => domain,
            _ => return None,
        };
        Some((term.to_string(), domain.name()?))
    });
    named.collect()
}

/// DKIM-10 and DKIM-11, behind aliases too.
fn dkim_keys(change: &mut Change<'_>) {
    let (mut gone, mut live) = (Vec::new(), false);
    for selector in &change.subject.selectors {
        let Ok(owner) = dkim::selector_name(&selector.name, &change.subject.domain) else { continue };
        let Some((before, after)) = change.both(&owner, RecordType::TXT) else {
            // It may have a key: then it is not the last one that goes.
            live = true;
            continue;
        };
        let (before, after) = (keys(&before), keys(&after));
        live |= !after.is_empty();
        if before.is_empty() || before.iter().any(|key| after.iter().any(|other| other.is_same_key(key))) {
            continue;
        }
        match after.first() {
            Some(key) => {
                let message = format!("another key under the same selector: now {key}");
                change.find("DKIM-10", &owner, message);
            }
            None => gone.push(owner),
        }
    }
    if live {
        return;
    }
    for owner in gone {
        change.find("DKIM-11", &owner, "the key goes, and no other known selector has one");
    }
}

/// A weaker policy behind an alias, whose text the guards do not see. It stops nothing: the target's owner may change it
/// at any time.
fn dmarc_alias(change: &mut Change<'_>) {
    let domain = &change.subject.domain;
    let Ok(owner) = domain.prepend("_dmarc") else { return };
    let is_alias = |lookup: &dyn Lookup| match lookup.lookup(&owner, RecordType::TXT) {
        Answer::Records(values, _) => values.iter().any(|value| matches!(value, Rdata::Cname(_))),
        _ => false,
    };
    if !is_alias(change.before) && !is_alias(change.after) {
        return;
    }
    let policy = |lookup: &dyn Lookup| {
        let found = discover(lookup, domain, Reader::Rfc9989).ok()?;
        let known = !found.is_temp_error();
        known.then(|| found.effective.map_or(Policy::None, |effective| effective.disposition.policy))
    };
    if let (Some(before), Some(after)) = (policy(change.before), policy(change.after))
        && after < before
    {
        let message = format!("behind an alias, the policy goes from {} to {}", before.as_str(), after.as_str());
        change.find_as("GUARD-DMARC-DOWN", Severity::Warning, &owner, message);
    }
}

/// Every live key among the values of a selector.
fn keys(values: &[Rdata]) -> Vec<PublicKey> {
    let records = values.iter().filter_map(|value| KeyRecord::parse(&text(value)).ok());
    records.filter_map(|record| record.public_key().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::{KEY, OTHER_KEY, World};
    use crate::{Selector, SelectorSource};

    /// The codes of what the step between two zones `example.test` does.
    fn codes(before: &str, after: &str) -> Vec<String> {
        let (before, after) = (World::new(before), World::new(after));
        let mut subject = before.subject.clone();
        for name in ["s1", "s2"] {
            subject.selectors.push(Selector { name: name.to_owned(), source: SelectorSource::Named });
        }
        let found = changes(&before.lookup(), &after.lookup(), &subject);
        assert!(found.iter().all(|finding| finding.effect == Effect::Caused));
        found.into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn an_included_record_goes() {
        let record = "@ TXT \"v=spf1 include:_spf.example.test -all\"";
        let part = "\n_spf TXT \"v=spf1 ip4:8.8.8.8 -all\"";
        let both = format!("{record}{part}");
        assert_eq!(codes(&both, record), ["SPF-22"]);
        assert_eq!(codes(&both, &format!("@ TXT \"v=spf1 -all\"{part}")), [""; 0]);
        assert_eq!(codes(&both, "@ TXT \"v=spf1 -all\""), [""; 0]);
        assert_eq!(codes(record, record), [""; 0]);
    }

    #[test]
    fn keys_go_and_change() {
        let at = |selector: &str, key: &str| format!("{selector}._domainkey TXT \"v=DKIM1; p={key}\"");
        let (one, other) = (at("s1", KEY), at("s1", OTHER_KEY));
        assert_eq!(codes(&one, &other), ["DKIM-10"]);
        assert_eq!(codes(&one, &one.replace("v=DKIM1; ", "v=DKIM1; t=s; ")), [""; 0]);
        assert_eq!(codes(&one, ""), ["DKIM-11"]);
        assert_eq!(codes(&one, &at("s1", "")), ["DKIM-11"]);
        assert_eq!(codes(&one, &format!("{}\n{}", at("s1", ""), at("s2", OTHER_KEY))), [""; 0]);
        assert_eq!(codes(&at("s1", ""), ""), [""; 0]);
    }

    #[test]
    fn a_policy_behind_an_alias() {
        let alias = |target: &str, p: &str| format!("_dmarc CNAME {target}\n{target} TXT \"v=DMARC1; p={p}\"");
        let own = "_dmarc TXT \"v=DMARC1; p=reject\"";
        assert_eq!(codes(&alias("a", "reject"), &alias("b", "none")), ["GUARD-DMARC-DOWN"]);
        assert_eq!(codes(own, &alias("b", "quarantine")), ["GUARD-DMARC-DOWN"]);
        assert_eq!(codes(&alias("a", "none"), &alias("b", "reject")), [""; 0]);
        // Between records of its own it is the kind's guard.
        assert_eq!(codes(own, &own.replace("reject", "none")), [""; 0]);
    }

    #[test]
    fn keys_behind_an_alias_change_too() {
        let alias = |target: &str| {
            format!("s1._domainkey CNAME {target}\na TXT \"v=DKIM1; p={KEY}\"\nb TXT \"v=DKIM1; p={OTHER_KEY}\"")
        };
        assert_eq!(codes(&alias("a"), &alias("b")), ["DKIM-10"]);
        assert_eq!(codes(&alias("a"), &alias("A")), [""; 0]);
        // Where it leads is not known: nothing is said.
        let mut open = World::new("").subject;
        open.selectors.push(Selector { name: "s1".to_owned(), source: SelectorSource::Named });
        let unknown = mailzone_mailauth::lookup::Answers::default();
        assert_eq!(changes(&World::new(&alias("a")).lookup(), &unknown, &open), []);
    }
}
