//! What validating resolvers and others make of a name.

use std::collections::BTreeMap;

use mailzone_audit::{Failure, Security, Validation, Wish};
use mailzone_observe::{Dns, Observer, Settings, Sources};
use mailzone_record::RecordType;
use mailzone_wire::{Message, Query, Rcode, WireError};

use crate::support::{Authority, NOW, Script, at, denied, later, name, record, resolved};

async fn look(resolvers: usize, answer: fn(&Query) -> Result<Message, WireError>) -> Result<Validation, Failure> {
    let script = Script::new(move |_, query| answer(query));
    let zones = BTreeMap::from([(name("given.test"), vec![at(9)])]);
    let resolvers = (0..resolvers).map(|n| at(n as u8)).collect();
    let dns = Dns::new(script, Sources { resolvers, zones, ..Sources::default() });
    let observer = Observer::new(dns, Settings::new(NOW, name("check.test"), Authority::new().trust()));
    let mut known = observer.known();
    let wished = [Wish::Validation(name("mail.z.test")), Wish::Validation(name("x.given.test"))];
    observer.fulfil(wished, &mut known, later()).await;
    let given = known.facts.validation.remove(&name("x.given.test")).unwrap();
    assert!(given.unwrap_err().here);
    known.facts.validation.remove(&name("mail.z.test")).unwrap()
}

/// A signed zone, as it looks from a resolver that says `authenticated`.
fn signed(query: &Query, authenticated: bool) -> Result<Message, WireError> {
    assert!(query.dnssec_ok && query.recursion_desired);
    let mut message = match query.rtype {
        RecordType::DS => resolved(vec![
            record("z.test", 60, RecordType::DS, "1234 13 2 00"),
            record("other.test", 60, RecordType::DS, "1 1 1 00"),
        ]),
        RecordType::DNSKEY => resolved(vec![record("z.test", 60, RecordType::DNSKEY, "257 3 13 AAAA")]),
        _ => {
            let mut message = denied("z.test", Rcode::NoError);
            for end in ["20260301000000", "20260201000000"] {
                let text = format!("SOA 13 2 3600 {end} 20250101000000 1 z.test. AAAA");
                message.authority.push(record("z.test", 60, RecordType::RRSIG, &text));
            }
            message
        }
    };
    message.authenticated = authenticated;
    Ok(message)
}

#[tokio::test(start_paused = true)]
async fn secure_or_nobody_said_so() {
    let found = look(1, |query| signed(query, true)).await.unwrap();
    assert_eq!(found.security, Security::Secure);
    assert_eq!((found.ds.len(), found.ds[0].key_tag, found.ds[0].algorithm, found.ds[0].digest_type), (1, 1234, 13, 2));
    // The sum of the octets 01 01, 03 0d, 00 00 00.
    assert_eq!(found.keys, [(0x0101 + 0x030d, 13)]);
    // 2026-02-01.
    assert_eq!(found.signatures_end, Some(1_769_904_000));
    let unsaid = look(1, |query| signed(query, false)).await.unwrap();
    assert_eq!(unsaid.security, Security::Indeterminate);
}

#[tokio::test(start_paused = true)]
async fn unsigned() {
    let found = look(2, |_| Ok(denied("z.test", Rcode::NxDomain))).await.unwrap();
    let expected = Validation { security: Security::Insecure, ds: vec![], keys: vec![], signatures_end: None };
    assert_eq!(found, expected);
}

#[tokio::test(start_paused = true)]
async fn bogus_is_what_only_validation_refuses() {
    let found = look(1, |query| match query.checking_disabled {
        true => signed(query, false),
        false => Ok(Message { rcode: Rcode::ServFail, ..Message::default() }),
    });
    let found = found.await.unwrap();
    assert_eq!((found.security, found.ds.len()), (Security::Bogus, 1));
    let broken = look(2, |_| Ok(Message { rcode: Rcode::ServFail, ..Message::default() })).await;
    assert!(!broken.unwrap_err().here);
}

#[tokio::test(start_paused = true)]
async fn nobody_to_ask() {
    assert!(look(0, |_| panic!("nobody is there")).await.unwrap_err().here);
    assert!(look(2, |_| Err(WireError::Timeout)).await.unwrap_err().here);
}
