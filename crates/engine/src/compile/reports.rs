//! Who may send DMARC reports where: the consent records between configured domains (RFC 7489 section 7.1).

use std::collections::BTreeMap;

use mailzone_config::{ReportAuthorisation, Settings, TextOrCname};
use mailzone_mailauth::{dmarc, report_authorisation};
use mailzone_record::{Name, RRsetKey, RecordType};

/// The consent records that configured domains hold, and the ones that each domain's policy needs.
#[derive(Debug, Default)]
pub(super) struct Authorisations {
    held: BTreeMap<Name, Vec<(String, Name)>>,
    needed: BTreeMap<Name, Vec<RRsetKey>>,
}

/// Looks through all configured policies once.
pub(super) fn authorisations(settings: &Settings) -> Authorisations {
    let mut found = Authorisations::default();
    for (name, domain) in &settings.domains {
        let mode = domain.report_authorisation.as_ref().and_then(|setting| setting.value.wanted());
        if mode == Some(&ReportAuthorisation::Wildcard)
            && let Ok(owner) = name.prepend("*._report._dmarc")
        {
            found.held.entry(name.clone()).or_default().push(("*".to_owned(), owner));
        }
    }
    for (policy_domain, domain) in &settings.domains {
        let Some(TextOrCname::Text(text)) = domain.dmarc.as_ref().and_then(|dmarc| dmarc.value.wanted()) else {
            continue;
        };
        let Ok(record) = dmarc::Record::parse(text) else { continue };
        let Ok(owner) = policy_domain.prepend("_dmarc") else { continue };
        for host in record.external_hosts(&owner) {
            let Some(receiver) = settings.domains.get(&host) else { continue };
            if related(settings, policy_domain, &host) {
                continue;
            }
            let mode = receiver.report_authorisation.as_ref().and_then(|setting| setting.value.wanted());
            let name = match mode {
                Some(ReportAuthorisation::Each) => report_authorisation::authorisation_name(policy_domain, &host).ok(),
                Some(ReportAuthorisation::Wildcard) => host.prepend("*._report._dmarc").ok(),
                Some(ReportAuthorisation::Check) | None => None,
            };
            let Some(name) = name else { continue };
            if mode == Some(&ReportAuthorisation::Each) {
                let held = found.held.entry(host.clone()).or_default();
                if !held.iter().any(|(_, owner)| *owner == name) {
                    held.push((policy_domain.to_text_without_dot(), name.clone()));
                }
            }
            let key = RRsetKey { name, rtype: RecordType::TXT };
            found.needed.entry(policy_domain.clone()).or_default().push(key);
        }
    }
    found
}

impl Authorisations {
    /// The consent records that `domain` holds: the policy's domain as text, and the owner name.
    pub(super) fn held_by(&self, domain: &Name) -> &[(String, Name)] {
        self.held.get(domain).map_or(&[], Vec::as_slice)
    }

    /// The consent records that the policy of `domain` relies on.
    pub(super) fn needed_by(&self, domain: &Name) -> impl Iterator<Item = RRsetKey> {
        self.needed.get(domain).into_iter().flatten().cloned()
    }
}

/// Whether both are below one configured domain: the same organizational domain needs no consent.
fn related(settings: &Settings, a: &Name, b: &Name) -> bool {
    if a.is_at_or_below(b) || b.is_at_or_below(a) {
        return true;
    }
    let mut parent = a.parent();
    while let Some(name) = parent {
        if settings.domains.contains_key(&name) && b.is_at_or_below(&name) {
            return true;
        }
        parent = name.parent();
    }
    false
}
