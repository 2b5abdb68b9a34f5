//! The records of IONOS' own mail service, and what IONOS is expected to do with them.

use mailzone_provider::{ExpectedSideEffect, RRsetChange, Snapshot};
use mailzone_record::{Name, RRset, Rdata, RecordType};

/// What IONOS is expected to change by itself when `changes` are written: where a domain uses IONOS mail, a write to
/// its MX, SPF, autodiscover or DMARC record can switch off the service's other records.
pub(crate) fn expected(snapshot: &Snapshot, changes: &[RRsetChange]) -> Vec<ExpectedSideEffect> {
    let mut effects: Vec<ExpectedSideEffect> = Vec::new();
    for change in changes {
        let Some((domain, what)) = touches_mail(change) else { continue };
        let records: Vec<_> = service_records(snapshot, &domain);
        if !records.iter().any(|(_, role)| role.shows_mail) {
            continue;
        }
        for (set, role) in records {
            let key = set.key();
            let is_planned = changes.iter().any(|change| *change.name() == key.name && change.rtype() == key.rtype);
            if is_planned || effects.iter().any(|effect| effect.key == key) {
                continue;
            }
            let message = format!(
                "IONOS is expected to deactivate {key} ({}) of its own mail service, which {} uses, when {what} is \
                 written",
                role.what,
                domain.to_text_without_dot()
            );
            effects.push(ExpectedSideEffect { key, message });
        }
    }
    effects
}

/// What a record is to IONOS mail.
struct Role {
    what: &'static str,
    /// Whether it shows that mail of the domain is at IONOS.
    shows_mail: bool,
}

/// The mail domain that a change concerns, and by what.
fn touches_mail(change: &RRsetChange) -> Option<(Name, &'static str)> {
    if matches!((change.before(), change.after()), (Some(before), Some(after)) if before.same_records(after)) {
        return None;
    }
    let name = change.name();
    match change.rtype() {
        RecordType::MX => return Some((name.clone(), "MX")),
        RecordType::TXT if spf(change.before()) != spf(change.after()) => return Some((name.clone(), "SPF")),
        _ => {}
    }
    let first = name.labels().next()?;
    let what = match first {
        label if label.eq_ignore_ascii_case(b"autodiscover") => "autodiscover",
        label if label.eq_ignore_ascii_case(b"_dmarc") => "_dmarc",
        _ => return None,
    };
    Some((name.parent()?, what))
}

/// The records of IONOS mail that serve `domain`.
fn service_records<'a>(snapshot: &'a Snapshot, domain: &Name) -> Vec<(&'a RRset, Role)> {
    let sets = snapshot.rrsets().iter().filter(|set| set.name.is_at_or_below(domain));
    sets.filter_map(|set| role(set, domain).map(|role| (set, role))).collect()
}

fn role(set: &RRset, domain: &Name) -> Option<Role> {
    let own = set.name.without_suffix(domain)?;
    let own = own.to_text_without_dot().to_ascii_lowercase();
    let target = || {
        set.values.iter().find_map(|value| match &value.rdata {
            Rdata::Cname(name) => Some(host(name)),
            _ => None,
        })
    };
    let (what, shows_mail) = match (own.as_str(), set.rtype) {
        (".", RecordType::MX) if set.values.iter().any(|value| is_mx(&value.rdata)) => ("MX", true),
        (".", RecordType::TXT) if spf(Some(set)).iter().any(|text| is_spf(text)) => ("SPF", false),
        ("autodiscover", RecordType::CNAME) if target()?.starts_with("adsredir.") => ("autodiscover", true),
        ("_dmarc", RecordType::CNAME) if is_ionos(&target()?) => ("DMARC", false),
        (own, RecordType::CNAME)
            if is_selector(own) && target().is_some_and(|target| target.contains(".dkim.") && is_ionos(&target)) =>
        {
            ("DKIM", own.contains("-ionos."))
        }
        _ => return None,
    };
    Some(Role { what, shows_mail })
}

/// `s1-ionos._domainkey`, `s12345678._domainkey`.
fn is_selector(own: &str) -> bool {
    let Some(selector) = own.strip_suffix("._domainkey").and_then(|selector| selector.strip_prefix('s')) else {
        return false;
    };
    let number = selector.strip_suffix("-ionos").unwrap_or(selector);
    !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
}

/// `mx00.ionos.de`, `mx01.ionos.co.uk`, `mx00.kundenserver.de`.
fn is_mx(rdata: &Rdata) -> bool {
    let Rdata::Mx(mx) = rdata else { return false };
    let host = host(&mx.exchange);
    host.starts_with("mx0") && is_ionos(&host)
}

/// Whether an SPF record includes that of IONOS: `_spf-eu.ionos.com`, `_spf.perfora.net`.
fn is_spf(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let mut terms = text.split_ascii_whitespace();
    terms.any(|term| term.split_once("include:").is_some_and(|(_, host)| host.starts_with("_spf") && is_ionos(host)))
}

/// Whether a host, in lower case, is one of IONOS or of the names that it had.
fn is_ionos(host: &str) -> bool {
    host.split('.').any(|label| matches!(label, "ionos" | "1and1" | "1und1" | "kundenserver" | "perfora"))
}

fn host(name: &Name) -> String {
    name.to_text_without_dot().to_ascii_lowercase()
}

/// The SPF records among the values, in order of their text.
fn spf(set: Option<&RRset>) -> Vec<String> {
    let texts = set.into_iter().flat_map(|set| &set.values).filter_map(|value| value.rdata.as_txt());
    let mut texts: Vec<String> = texts
        .map(|txt| String::from_utf8_lossy(&txt.joined()).into_owned())
        .filter(|text| text.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("v=spf1")))
        .collect();
    texts.sort();
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_ionos() {
        let mx = |text| is_mx(&mailzone_record::parse_rdata_text(RecordType::MX, text, None).unwrap());
        assert!(mx("10 mx00.ionos.de.") && mx("10 MX01.ionos.co.uk.") && mx("10 mx01.kundenserver.de."));
        assert!(!mx("10 mail.ionos.de.") && !mx("10 mx00.ionos-like.example.") && !mx("0 ."));
        assert!(is_spf("v=spf1 include:_spf-eu.ionos.com ~all") && is_spf("v=spf1 ?include:_spf.perfora.net -all"));
        assert!(!is_spf("v=spf1 include:_spf.example.com -all") && !is_spf("v=spf1 a:mx00.ionos.de -all"));
        assert!(is_selector("s1-ionos._domainkey") && is_selector("s00000000._domainkey"));
        assert!(!is_selector("s._domainkey") && !is_selector("selector1._domainkey") && !is_selector("s1"));
    }
}
