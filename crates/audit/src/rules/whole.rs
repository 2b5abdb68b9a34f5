//! A domain where everything is right: no area finds anything, and nothing costs points.

use mailzone_mailauth::MailUse;
use mailzone_record::Name;
use sha2::{Digest, Sha256};

use super::testing::{KEY, World, certificate, secure, session};
use crate::{
    CheckState, NameServer, PolicyAnswer, Scope, Scores, Selector, SelectorSource, ServerState, ZoneServers, checklist,
    scores,
};

const POLICY: &str = "version: STSv1\nmode: enforce\nmx: mail.example.test\nmx: backup.example.test\nmax_age: 604800\n";

/// Block lists that list nothing but their test entries.
const LISTS: [&str; 6] = [
    "zen.spamhaus.org",
    "bl.spamcop.net",
    "b.barracudacentral.org",
    "psbl.surriel.com",
    "dnsbl-1.uceprotect.net",
    "bl.mailspike.net",
];

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn tlsa(host: &str) -> String {
    let key = certificate(&[&format!("{host}.example.test")], World::LATER).public_key;
    let digest: String = Sha256::digest(key).iter().map(|octet| format!("{octet:02x}")).collect();
    format!("_25._tcp.{host} TLSA 3 1 1 {digest}\n_25._tcp.{host} TLSA 3 1 1 {}\n", "ab".repeat(32))
}

fn zone() -> String {
    let records = format!(
        "@ 3600 MX 10 mail\n@ 3600 MX 20 backup\n\
         mail A 192.0.2.25\nmail AAAA 2001:db8::25\nbackup A 198.51.100.25\n\
         @ TXT \"v=spf1 mx ~all\"\nmail TXT \"v=spf1 a -all\"\nbackup TXT \"v=spf1 a -all\"\n\
         s1._domainkey TXT \"v=DKIM1; k=rsa; p={KEY}\"\n\
         _dmarc TXT \"v=DMARC1; p=reject; rua=mailto:dmarc@example.test\"\n\
         _mta-sts TXT \"v=STSv1; id=1\"\nmta-sts A 192.0.2.80\n\
         _smtp._tls TXT \"v=TLSRPTv1; rua=mailto:tls@example.test\"\n\
         @ CAA 0 issue \"letsencrypt.org; accounturi=https://ca.test/1\"\n@ CAA 0 issuemail \";\"\n\
         _imaps._tcp SRV 0 1 993 mail\n_submissions._tcp SRV 0 1 465 mail\n"
    );
    format!("{records}{}{}", tlsa("mail"), tlsa("backup"))
}

fn world() -> World {
    let zone = zone();
    let mut zones = vec![
        ("example.test", zone.as_str()),
        ("2.0.192.in-addr.arpa", "25 PTR mail.example.test."),
        ("100.51.198.in-addr.arpa", "25 PTR backup.example.test."),
        ("8.b.d.0.1.0.0.2.ip6.arpa", "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 PTR mail.example.test."),
        ("dbl.spamhaus.org", "dbltest.com A 127.0.1.2"),
    ];
    zones.extend(LISTS.map(|list| (list, "2.0.0.127 A 127.0.0.2")));
    let mut world = World::zones(&zones);
    world.subject.scope = Scope::ALL;
    world.subject.mail = Some(MailUse::Both);
    world.subject.bulk = true;
    world.subject.selectors.push(Selector { name: "s1".to_owned(), source: SelectorSource::Named });
    for (host, address) in [("mail", "192.0.2.25"), ("mail", "2001:db8::25"), ("backup", "198.51.100.25")] {
        let host = format!("{host}.example.test");
        world.says(&host, address, Ok(session(&host)));
    }
    for of in ["@", "mail", "backup", "_25._tcp.mail", "_25._tcp.backup"] {
        let of = if of == "@" { name("example.test") } else { name("example.test").prepend(of).unwrap() };
        world.facts.validation.insert(of, Ok(secure()));
    }
    let policy = PolicyAnswer {
        status: 200,
        content_type: Some("text/plain".to_owned()),
        body: POLICY.as_bytes().to_vec(),
        chain: vec![certificate(&["mta-sts.example.test"], World::LATER)],
        untrusted: None,
    };
    world.facts.policies.insert(name("example.test"), Ok(policy));
    let server = |host: &str, address: &str| NameServer {
        name: name(host),
        address: address.parse().unwrap(),
        state: ServerState::Authoritative,
        tcp: Some(true),
        serial: Some(1),
        median_us: Some(9_000),
    };
    let ns = vec![name("ns1.example.test"), name("ns2.example.test")];
    let servers = ZoneServers {
        zone: Some(name("example.test")),
        parent_ns: Some(ns.clone()),
        own_ns: ns,
        servers: vec![server("ns1.example.test", "192.0.2.53"), server("ns2.example.test", "198.51.100.53")],
        problems: Vec::new(),
        ds: Some(true),
    };
    world.facts.servers.insert(name("example.test"), Ok(servers));
    world
}

#[test]
fn nothing_is_found_and_nothing_costs_points() {
    let world = world();
    let audit = world.audit();
    assert_eq!(audit.findings, [], "{:#?}", audit.findings);
    assert_eq!(audit.open, [], "{:#?}", audit.open);
    let Scores { confidentiality, phishing, integrity, parts } = scores(&audit);
    assert_eq!((confidentiality, phishing, integrity), (Some(100), Some(100), Some(100)), "{parts:#?}");
    let list = checklist(&audit, &world.subject);
    let open: Vec<_> = list.iter().filter(|item| item.state != CheckState::Met).map(|item| item.demand).collect();
    insta::assert_snapshot!(open.join("\n"), @"
    TLS for the transport
    spam complaints under 0.3 %
    unsubscribing by one click in marketing mail
    spam complaints under 0.3 %
    unsubscribing by one click
    unsubscribing by one click (advised)
    ");
}

#[test]
fn what_a_person_reads() {
    let others = ["spf", "dkim", "dmarc", "tls_rpt"];
    let notes = world().audit().notes.into_iter().filter(|note| !others.contains(&note.area.as_str()));
    let shown: Vec<String> =
        notes.map(|note| format!("{} {}: {}", note.area.as_str(), note.subject, note.text)).collect();
    insta::assert_snapshot!(shown.join("\n"), @"
    delegation ns1.example.test: 192.0.2.53 9.0 ms
    delegation ns2.example.test: 198.51.100.53 9.0 ms
    dnssec example.test: DNSSEC validates
    mx example.test: 10 mail.example.test 192.0.2.25 2001:db8::25
    mx example.test: 20 backup.example.test 198.51.100.25
    ptr 192.0.2.25: mail.example.test, confirmed
    ptr 2001:db8::25: mail.example.test, confirmed
    ptr 198.51.100.25: backup.example.test, confirmed
    smtp mail.example.test: 192.0.2.25: mail.example.test ESMTP, STARTTLS, TLSv1.3
    smtp mail.example.test: 2001:db8::25: mail.example.test ESMTP, STARTTLS, TLSv1.3
    smtp backup.example.test: 198.51.100.25: backup.example.test ESMTP, STARTTLS, TLSv1.3
    mta_sts _mta-sts.example.test: v=STSv1; id=1
    mta_sts mta-sts.example.test: enforce for mail.example.test, backup.example.test, 604800 s
    dane _25._tcp.mail.example.test: DANE-EE (server), public key, SHA-256 64d6f8c8…
    dane _25._tcp.mail.example.test: DANE-EE (server), public key, SHA-256 abababab…
    dane _25._tcp.backup.example.test: DANE-EE (server), public key, SHA-256 836d260b…
    dane _25._tcp.backup.example.test: DANE-EE (server), public key, SHA-256 abababab…
    caa example.test: letsencrypt.org may issue certificates, limited by accounturi
    caa example.test: nobody may issue S/MIME certificates
    client_settings _imaps._tcp.example.test: mail.example.test:993
    client_settings _submissions._tcp.example.test: mail.example.test:465
    blocklists example.test: not on Spamhaus DBL
    blocklists example.test: Microsoft, Google, Yahoo, Apple, GMX and WEB.DE, and T-Online keep lists of their own: only their answers to mail show what is on them
    blocklists 192.0.2.25: not on Spamhaus ZEN, SpamCop, Barracuda, PSBL, UCEPROTECT level 1, Mailspike
    blocklists 198.51.100.25: not on Spamhaus ZEN, SpamCop, Barracuda, PSBL, UCEPROTECT level 1, Mailspike
    blocklists 2001:db8::25: not on Spamhaus ZEN
    ");
}
