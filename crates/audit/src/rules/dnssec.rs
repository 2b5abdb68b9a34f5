//! DNSSEC of the domain and of the way to its mail hosts (rule book 14).

use mailzone_mailauth::Severity;
use mailzone_mailauth::lookup::Answer;
use mailzone_record::{Name, RecordType};

use super::hosts::exchangers;
use crate::{Inquiry, Measure, Security, Validation};

/// Signatures that end sooner are told, in seconds.
const SOON: i64 = 3 * 86_400;

pub(super) fn check(inquiry: &mut Inquiry<'_>) {
    if !inquiry.subject().scope.servers {
        return;
    }
    let domain = inquiry.domain();
    inquiry.topic("whether DNSSEC validates");
    match inquiry.validation(domain) {
        Some(Ok(validation)) => {
            own(inquiry, domain, validation);
            way_to_tlsa(inquiry, domain, validation);
        }
        Some(Err(failure)) => {
            inquiry.note(domain.to_text_without_dot(), format!("DNSSEC: not known: {}", failure.message));
        }
        None => {}
    }
}

/// DNSSEC-01 to DNSSEC-04, DNSSEC-06.
fn own(inquiry: &mut Inquiry<'_>, domain: &Name, validation: &Validation) {
    let name = domain.to_text_without_dot();
    let (note, share) = match validation.security {
        Security::Secure => ("DNSSEC validates", Some(100)),
        Security::Insecure => ("not signed", Some(0)),
        Security::Bogus => ("DNSSEC does not validate", Some(0)),
        Security::Indeterminate => ("DNSSEC: not known", None),
    };
    inquiry.note(name.as_str(), note);
    if let Some(share) = share {
        inquiry.measure(Measure::Dnssec, share, note);
    }
    if validation.security == Security::Bogus {
        inquiry.find("DNSSEC-01", name.as_str(), "validating resolvers refuse the answers of this domain");
    }
    let has_key = |tag, algorithm| validation.keys.contains(&(tag, algorithm));
    if !validation.ds.is_empty() && !validation.ds.iter().any(|ds| has_key(ds.key_tag, ds.algorithm)) {
        let tags: Vec<String> = validation.ds.iter().map(|ds| ds.key_tag.to_string()).collect();
        let message = format!("the DS at the parent is of key {}, and the zone has no such key", tags.join(", "));
        inquiry.find("DNSSEC-02", name.as_str(), message);
    }
    if validation.security == Security::Insecure && validation.ds.is_empty() {
        let message = match validation.keys.is_empty() {
            true => "the zone is not signed",
            false => "the zone has keys, but no DS at its parent: nobody validates it",
        };
        inquiry.find("DNSSEC-04", name.as_str(), message);
    }
    let left = validation.signatures_end.map(|end| end - inquiry.now());
    if let Some(left) = left.filter(|left| *left < SOON && validation.security != Security::Insecure) {
        let message = match left {
            ..0 => "signatures have ended".to_owned(),
            _ => format!("signatures end in {} hours", left / 3600),
        };
        inquiry.find("DNSSEC-03", name.as_str(), message);
    }
    for old in outdated(validation) {
        inquiry.find("DNSSEC-06", name.as_str(), old);
    }
}

/// DNSSEC-06.
fn outdated(validation: &Validation) -> Vec<String> {
    let mut found = Vec::new();
    let mut algorithms: Vec<u8> = validation.ds.iter().map(|ds| ds.algorithm).collect();
    algorithms.sort_unstable();
    algorithms.dedup();
    for algorithm in algorithms.into_iter().filter(|algorithm| matches!(algorithm, 1 | 3 | 5 | 6 | 7 | 12)) {
        found.push(format!("algorithm {algorithm} is no longer to be used"));
    }
    if !validation.ds.is_empty() && validation.ds.iter().all(|ds| ds.digest_type == 1) {
        found.push("every DS is a SHA-1 digest".to_owned());
    }
    found
}

/// DNSSEC-05: the answers that lead to TLSA records. The records themselves are DANE-01's.
fn way_to_tlsa(inquiry: &mut Inquiry<'_>, domain: &Name, validation: &Validation) {
    let Some(exchangers) = exchangers(inquiry) else { return };
    inquiry.topic("whether the way to the TLSA records is signed");
    for one in exchangers {
        let Ok(owner) = one.host.prepend("_25._tcp") else { continue };
        let Some(Answer::Records(..)) = inquiry.dns(&owner, RecordType::TLSA) else { continue };
        let host = one.host.to_text_without_dot();
        if validation.security == Security::Insecure {
            let message = format!("{host} has TLSA records, and the MX that names it is not signed");
            inquiry.find_as("DNSSEC-05", Severity::Warning, domain.to_text_without_dot(), message);
        } else if let Some(Ok(of_host)) = inquiry.validation(&one.host)
            && of_host.security == Security::Insecure
        {
            let message = "TLSA records, and the addresses of the host are not signed";
            inquiry.find_as("DNSSEC-05", Severity::Warning, host, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use mailzone_record::Name;

    use crate::rules::testing::{World, secure};
    use crate::{DelegationSigner, Failure, Measure, Security, Validation};

    const CODES: [&str; 6] = ["DNSSEC-01", "DNSSEC-02", "DNSSEC-03", "DNSSEC-04", "DNSSEC-05", "DNSSEC-06"];

    fn world(zone: &str, of: &[(&str, Validation)]) -> World {
        let mut world = World::new(zone);
        world.subject.scope.servers = true;
        for (name, validation) in of {
            world.facts.validation.insert(Name::parse(name).unwrap(), Ok(validation.clone()));
        }
        world
    }

    fn unsigned() -> Validation {
        Validation { security: Security::Insecure, ds: Vec::new(), keys: Vec::new(), signatures_end: None }
    }

    #[test]
    fn signed_and_unsigned() {
        let good = world("", &[("example.test", secure())]);
        for code in CODES {
            good.lacks(code);
        }
        assert_eq!(good.audit().measures.get(&Measure::Dnssec).unwrap().share, 100);
        world("", &[("example.test", unsigned())]).finds("DNSSEC-04").only();
        let island = Validation { keys: vec![(1, 13)], ..unsigned() };
        world("", &[("example.test", island)]).finds("DNSSEC-04").only();
    }

    #[test]
    fn what_is_broken() {
        let bogus = Validation { security: Security::Bogus, ..secure() };
        world("", &[("example.test", bogus)]).finds("DNSSEC-01").only();
        let keyless = Validation { keys: vec![(2, 13)], ..secure() };
        world("", &[("example.test", keyless)]).finds("DNSSEC-02").only();
        let spare = DelegationSigner { key_tag: 9, algorithm: 13, digest_type: 2 };
        let prepared = Validation { ds: [secure().ds, vec![spare]].concat(), ..secure() };
        world("", &[("example.test", prepared)]).lacks("DNSSEC-02");
        let ending = Validation { signatures_end: Some(World::NOW + 86_400), ..secure() };
        world("", &[("example.test", ending)]).finds("DNSSEC-03").only();
        let old = DelegationSigner { key_tag: 1, algorithm: 5, digest_type: 1 };
        let old = Validation { ds: vec![old], keys: vec![(1, 5)], ..secure() };
        assert_eq!(world("", &[("example.test", old)]).finds("DNSSEC-06").0.len(), 2);
    }

    #[test]
    fn not_known_is_not_unsigned() {
        let mut world = world("", &[]);
        let failure = Failure { message: "the time was over".to_owned(), here: true };
        world.facts.validation.insert(world.subject.domain.clone(), Err(failure));
        for code in CODES {
            world.lacks(code);
        }
        assert!(!world.audit().measures.contains_key(&Measure::Dnssec));
    }

    #[test]
    fn the_way_to_tlsa_records() {
        let zone = format!("@ MX 10 mail\nmail A 192.0.2.25\n_25._tcp.mail TLSA 3 1 1 {}", "ab".repeat(32));
        let both = |a: Validation, b: Validation| world(&zone, &[("example.test", a), ("mail.example.test", b)]);
        both(unsigned(), secure()).finds("DNSSEC-05").only();
        both(secure(), unsigned()).finds("DNSSEC-05").only();
        both(secure(), secure()).lacks("DNSSEC-05");
        let without = world("@ MX 10 mail\nmail A 192.0.2.25", &[("example.test", unsigned())]);
        without.lacks("DNSSEC-05");
    }
}
