//! Rules over all domains of a project at once.

use std::collections::BTreeMap;

use mailzone_mailauth::dkim::{self, KeyRecord, PublicKey};
use mailzone_mailauth::lookup::{Answer, Lookup};
use mailzone_mailauth::{Finding, Severity, rules};
use mailzone_record::{Name, RecordType};

use crate::Subject;
use crate::common_factor::common_factors;
use crate::rules::text;

/// A key of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedKey {
    /// The domain that it signs for.
    pub domain: Name,
    /// Where it is published.
    pub owner: Name,
    /// The key; a revoked record has none.
    pub key: PublicKey,
}

/// The keys at the selectors of these domains, as far as they are known. Behind an alias is the service's record: it may
/// share its keys as it likes.
pub fn published_keys<'a>(subjects: impl IntoIterator<Item = &'a Subject>, dns: &dyn Lookup) -> Vec<PublishedKey> {
    let mut keys = Vec::new();
    for subject in subjects {
        for selector in &subject.selectors {
            let Ok(owner) = dkim::selector_name(&selector.name, &subject.domain) else { continue };
            let Answer::Records(values, _) = dns.lookup(&owner, RecordType::TXT) else { continue };
            let records = values.iter().filter_map(|value| KeyRecord::parse(&text(value)).ok());
            keys.extend(records.filter_map(|record| {
                let key = record.public_key()?.clone();
                Some(PublishedKey { domain: subject.domain.clone(), owner: owner.clone(), key })
            }));
        }
    }
    keys
}

/// DKIM-15 and DKIM-20 over the keys of a project. The same input gives the same result.
///
/// The same key at several selectors of one domain is worth a warning too: none of them can be rotated alone. Aliases
/// to a service's record are not meant to be given here: see [`published_keys`].
pub fn keys_of_all(keys: &[PublishedKey]) -> Vec<Finding> {
    let mut places: BTreeMap<Vec<u8>, Vec<&PublishedKey>> = BTreeMap::new();
    for key in keys {
        let at = places.entry(key.key.to_octets()).or_default();
        if !at.iter().any(|other| other.owner == key.owner) {
            at.push(key);
        }
    }
    let mut found = Vec::new();
    for same in places.values().filter(|same| same.len() > 1) {
        for one in same {
            let others = owners(same.iter().filter(|other| other.owner != one.owner));
            let whose = if same.iter().all(|other| other.domain == one.domain) { "" } else { " of another domain" };
            found.push(finding("DKIM-15", &one.owner, format!("the same key as at {others}{whose}")));
        }
    }
    // Each key once: what is at several places was told above. The same modulus with another exponent is another key.
    let mut rsa: Vec<&Vec<&PublishedKey>> = Vec::new();
    let mut moduli: Vec<&[u8]> = Vec::new();
    for same in places.values() {
        if let Some(PublicKey::Rsa(key)) = same.first().map(|one| &one.key) {
            rsa.push(same);
            moduli.push(key.modulus());
        }
    }
    for (a, b) in common_factors(&moduli) {
        let (Some(one), Some(other)) = (rsa.get(a), rsa.get(b)) else { continue };
        for (these, those) in [(one, other), (other, one)] {
            let Some(key) = those.first().map(|that| &that.key) else { continue };
            let at = owners(those.iter());
            for this in these.iter() {
                let message =
                    format!("the modulus shares a factor with {key} at {at}: both private keys can be computed");
                found.push(Finding { severity: Severity::Error, ..finding("DKIM-20", &this.owner, message) });
            }
        }
    }
    found.sort();
    found
}

/// The owner names with commas.
fn owners<'a>(keys: impl Iterator<Item = &'a &'a PublishedKey>) -> String {
    keys.map(|key| key.owner.to_text_without_dot()).collect::<Vec<_>>().join(", ")
}

fn finding(code: &str, owner: &Name, message: String) -> Finding {
    let (severity, remedy, reference) =
        rules::rule(code).map_or((Severity::Warning, "", ""), |rule| (rule.severity, rule.remedy, rule.reference));
    Finding::new(code, severity, owner.to_text_without_dot(), message, remedy, reference)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::{KEY, OTHER_KEY, World};
    use crate::{Selector, SelectorSource};

    fn at(owner: &str, domain: &str, record: &str) -> PublishedKey {
        let key = KeyRecord::parse(&record.replace("\" \"", "")).unwrap().public_key().unwrap().clone();
        let owner = Name::parse(&format!("{owner}.{domain}")).unwrap();
        PublishedKey { domain: Name::parse(domain).unwrap(), owner, key }
    }

    fn rsa(owner: &str, domain: &str, key: &str) -> PublishedKey {
        at(owner, domain, &format!("v=DKIM1; p={key}"))
    }

    fn said(keys: &[PublishedKey]) -> String {
        keys_of_all(keys).into_iter().map(|f| format!("{} {}: {}\n", f.code, f.subject, f.message)).collect()
    }

    #[test]
    fn the_same_key_in_several_places() {
        insta::assert_snapshot!(said(&[
            rsa("s1", "a.test", KEY), rsa("s2", "a.test", OTHER_KEY), rsa("s1", "b.test", KEY), rsa("s1", "a.test", KEY)
        ]), @"
        DKIM-15 s1.a.test: the same key as at s1.b.test of another domain
        DKIM-15 s1.b.test: the same key as at s1.a.test of another domain
        ");
        insta::assert_snapshot!(said(&[rsa("s1", "a.test", KEY), rsa("s2", "a.test", KEY)]), @"
        DKIM-15 s1.a.test: the same key as at s2.a.test
        DKIM-15 s2.a.test: the same key as at s1.a.test
        ");
        assert_eq!(said(&[rsa("s1", "a.test", KEY), rsa("s1", "b.test", OTHER_KEY), rsa("s1", "a.test", KEY)]), "");
    }

    #[test]
    fn keys_are_collected() {
        let mut world = World::new(&format!(
            "s1._domainkey TXT \"v=DKIM1; p={KEY}\"\ns2._domainkey CNAME s1._domainkey\ns3._domainkey TXT \"p=\""
        ));
        for name in ["s1", "s2", "s3", "s4", "_"] {
            world.subject.selectors.push(Selector { name: name.to_owned(), source: SelectorSource::Named });
        }
        assert_eq!(published_keys([&world.subject], &world.lookup()), [rsa("s1._domainkey", "example.test", KEY)]);
    }

    #[test]
    fn moduli_that_share_a_factor() {
        // Of 1024 bits each, with one prime in common.
        insta::assert_snapshot!(said(&[
            rsa("s1", "a.test", SHARED[0]), rsa("s1", "b.test", SHARED[1]), rsa("s1", "c.test", KEY)
        ]), @"
        DKIM-20 s1.a.test: the modulus shares a factor with RSA 1024 bits, SHA256:XsUucFcMNWjL… at s1.b.test: both private keys can be computed
        DKIM-20 s1.b.test: the modulus shares a factor with RSA 1024 bits, SHA256:sxUNSiaGh1o5… at s1.a.test: both private keys can be computed
        ");
        assert_eq!(said(&[rsa("s1", "a.test", SHARED[0]), rsa("s1", "c.test", KEY)]), "");
    }

    const SHARED: [&str; 2] = [
        "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDJxXmzDNVZgSglvIbvMp1gUIODAVM+xDAl2IBQlJcbfC5AdkmhYegE1VshYh2PKki81NVSGt1J/3Fzi5Xu0Aq4/1NTVpma8AFBohqVmJkj6DyQuKPkSOAGUBu9Zv7+Z2fKtlh4OSUJuaENw2GLVA0jJJpdINVoKQT9VJ3oh7kFEQIDAQAB",
        "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCw4+KbMcepEV9s/7/zfk5ISP7mxt2H8aLsbUBUpmioHK/4gIGl2LK6vomlOT4LC/0yBSjP4/CCHufeBSqVY1hVyBXxIoTjR0RFyiNz0+gmyqRfrXZdAzkUqJlkYca+np6vuAN9DWWaQQt8S6LOiuNMs8scWUH5eQ/SKZpkEMgIKwIDAQAB",
    ];
}
