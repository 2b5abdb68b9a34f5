//! Changes of mail exchangers, their TLSA records and the MTA-STS policy.
//!
//! What a server shows and what policy is served is not looked at here: where that is known, the audits of both sides
//! say so (DANE-03, STS-03), and the plan that it is its doing.

use std::collections::BTreeSet;

use mailzone_mailauth::mta_sts::{Mode, MtaSts, Record, auto_id};
use mailzone_mailauth::{MailUse, Severity};
use mailzone_record::{Name, Rdata, RecordType};

use super::change::Change;
use super::common::{has_candidate, text};
use super::hosts::{EXCHANGERS, is_host};

/// MX-10.
pub(super) fn mx(change: &mut Change<'_>) {
    let domain = &change.subject.domain;
    let Some((before, after)) = change.both(domain, RecordType::MX) else { return };
    let (before, after) = (hosts(&before), hosts(&after));
    let new: Vec<&Name> = after.difference(&before).take(EXCHANGERS).collect();
    if before.is_empty() || new.is_empty() {
        return;
    }
    let enforced = change.subject.policy.as_ref().filter(|policy| policy.mode == Mode::Enforce);
    if let Some(policy) = enforced
        && id(change, false).is_some()
    {
        for host in new.iter().filter(|host| !policy.covers(host)) {
            let message = format!("the enforced MTA-STS policy does not name {}", host.to_text_without_dot());
            change.find("MX-10", domain, message);
        }
    }
    let had = before.iter().take(EXCHANGERS).any(|host| has_tlsa(change, host, false) == Some(true));
    if !had {
        return;
    }
    for host in new {
        if has_tlsa(change, host, true) == Some(false) {
            let message =
                format!("{} has no TLSA records, and a mail exchanger before had some", host.to_text_without_dot());
            change.find("MX-10", domain, message);
        }
    }
}

/// DANE-07, for every mail exchanger of both sides and every host of the domain.
pub(super) fn tlsa(change: &mut Change<'_>) {
    let subject = change.subject;
    let both = change.both(&subject.domain, RecordType::MX);
    let mut names =
        both.map(|(before, after)| hosts(&before).into_iter().chain(hosts(&after)).collect()).unwrap_or_default();
    let names: &mut BTreeSet<Name> = &mut names;
    names.extend(subject.hosts.iter().filter_map(|host| host.name.clone()));
    for owner in names.iter().take(2 * EXCHANGERS).filter_map(|host| host.prepend("_25._tcp").ok()) {
        let Some((before, after)) = change.both(&owner, RecordType::TLSA) else { continue };
        if before.is_empty() || after.is_empty() || before.iter().any(|value| after.contains(value)) {
            continue;
        }
        let message = "no record stays: until the server shows another certificate, senders that do DANE defer mail";
        change.find("DANE-07", &owner, message);
    }
}

/// STS-05, as far as ids that are made from policies tell.
pub(super) fn policy(change: &mut Change<'_>) {
    let Some(policy) = change.subject.policy.as_ref().filter(|_| change.subject.mail.is_none_or(MailUse::receives))
    else {
        return;
    };
    let Ok(owner) = change.subject.domain.prepend("_mta-sts") else { return };
    let (before, after) = (id(change, false), id(change, true));
    let (Some(before), Some(after)) = (before, after) else { return };
    let made = auto_id(policy);
    if before == after && after != made && is_made(&after) {
        let message = format!("the id `{after}` is that of another policy than the configured one, and stays");
        change.find("STS-05", &owner, message);
    } else if before != after && before == made {
        let message = format!("the id changes from `{before}` to `{after}`, and the policy does not");
        change.find_as("STS-05", Severity::Warning, &owner, message);
    }
}

fn hosts(values: &[Rdata]) -> BTreeSet<Name> {
    let hosts = values.iter().filter_map(|value| match value {
        Rdata::Mx(mx) if is_host(&mx.exchange) => Some(mx.exchange.to_lowercase()),
        _ => None,
    });
    hosts.collect()
}

/// `None`: not known.
fn has_tlsa(change: &Change<'_>, host: &Name, after: bool) -> Option<bool> {
    let owner = host.prepend("_25._tcp").ok()?;
    let values = Change::records(change.side(after), &owner, RecordType::TLSA)?;
    Some(values.iter().any(|value| matches!(value, Rdata::Tlsa(_))))
}

/// The id of the one MTA-STS record.
fn id(change: &Change<'_>, after: bool) -> Option<String> {
    let owner = change.subject.domain.prepend("_mta-sts").ok()?;
    let values = Change::records(change.side(after), &owner, RecordType::TXT)?;
    let mut ours = values.iter().filter(|value| has_candidate(&MtaSts, value));
    match (ours.next(), ours.next()) {
        (Some(only), None) => Record::parse(&text(only)).ok().map(|record| record.id),
        _ => None,
    }
}

/// Whether an id looks like one of [`auto_id`].
fn is_made(id: &str) -> bool {
    id.len() == 20 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use mailzone_mailauth::mta_sts::{Policy, auto_id};
    use mailzone_mailauth::{Finding, Severity};
    use mailzone_record::RecordType;

    use crate::changes;
    use crate::rules::testing::World;

    fn policy(mode: &str) -> Policy {
        let text = format!("version: STSv1\nmode: {mode}\nmx: old.example.test\nmax_age: 604800\n");
        Policy::parse(&text).unwrap()
    }

    fn found(before: &str, after: &str, policy: Option<Policy>) -> Vec<Finding> {
        let (before, after) = (World::new(before), World::new(after));
        let mut subject = before.subject.clone();
        subject.policy = policy;
        changes(&before.lookup(), &after.lookup(), &subject)
    }

    fn codes(before: &str, after: &str, policy: Option<Policy>) -> Vec<String> {
        found(before, after, policy).into_iter().map(|finding| finding.code).collect()
    }

    fn tlsa(host: &str, fill: &str) -> String {
        format!("\n_25._tcp.{host} TLSA 3 1 1 {}", fill.repeat(32))
    }

    #[test]
    fn exchangers_that_the_policy_does_not_name() {
        let of = |host: &str| format!("@ MX 10 {host}\n_mta-sts TXT \"v=STSv1; id=1\"");
        let (old, new) = (of("old"), of("new"));
        assert_eq!(codes(&old, &new, Some(policy("enforce"))), ["MX-10"]);
        assert_eq!(codes(&old, &new, Some(policy("testing"))), [""; 0]);
        assert_eq!(codes(&old, &new, None), [""; 0]);
        assert_eq!(codes(&new, &old, Some(policy("enforce"))), [""; 0]);
        assert_eq!(codes("@ MX 10 old", "@ MX 10 new", Some(policy("enforce"))), [""; 0]);
    }

    #[test]
    fn exchangers_without_tlsa() {
        let before = format!("@ MX 10 old{}", tlsa("old", "ab"));
        let bare = format!("@ MX 10 new{}", tlsa("old", "ab"));
        assert_eq!(codes(&before, &bare, None), ["MX-10"]);
        assert_eq!(codes(&before, &format!("{bare}{}", tlsa("new", "cd")), None), [""; 0]);
        assert_eq!(codes("@ MX 10 old", "@ MX 10 new", None), [""; 0]);
        // Whether the new host has records is not known.
        let (before, mut after) = (World::new(&before), World::new("@ MX 10 mx.elsewhere.test."));
        after.fails("_25._tcp.mx.elsewhere.test", RecordType::TLSA);
        let found = changes(&before.lookup(), &after.lookup(), &before.subject);
        assert!(!found.iter().any(|finding| finding.code == "MX-10"), "{found:?}");
    }

    #[test]
    fn records_of_which_none_stays() {
        let with = |fills: &[&str]| {
            let records: String = fills.iter().map(|fill| tlsa("old", fill)).collect();
            format!("@ MX 10 old{records}")
        };
        assert_eq!(codes(&with(&["ab"]), &with(&["cd"]), None), ["DANE-07"]);
        assert_eq!(codes(&with(&["ab"]), &with(&["ab", "cd"]), None), [""; 0]);
        assert_eq!(codes(&with(&["ab", "cd"]), &with(&["cd"]), None), [""; 0]);
        assert_eq!(codes(&with(&["ab"]), &with(&[]), None), [""; 0]);
    }

    #[test]
    fn ids_and_policies() {
        let with = |id: &str| format!("@ MX 10 old\n_mta-sts TXT \"v=STSv1; id={id}\"");
        let (own, other) = (with(&auto_id(&policy("enforce"))), with(&auto_id(&policy("testing"))));
        let now = Some(policy("enforce"));
        let stays = found(&other, &other, now.clone());
        assert_eq!((stays[0].code.as_str(), stays[0].severity), ("STS-05", Severity::Error));
        let moves = found(&own, &other, now.clone());
        assert_eq!((moves[0].code.as_str(), moves[0].severity), ("STS-05", Severity::Warning));
        assert_eq!(codes(&other, &own, now.clone()), [""; 0]);
        assert_eq!(codes(&with("1"), &with("1"), now), [""; 0]);
    }
}
