//! DANE for the mail hosts (rule book 8).

use mailzone_mailauth::lookup::Answer;
use mailzone_mailauth::tlsa::TlsAssociations;
use mailzone_mailauth::{Kind, Severity};
use mailzone_record::{Name, Rdata, RecordType, Tlsa, Ttl};
use sha2::{Digest, Sha256, Sha512};

use super::hosts::{Exchanger, covers, exchangers, percent, sessions};
use crate::{Certificate, Inquiry, Measure, Security, SmtpSession};

/// Seconds.
const LONG: u32 = 3600;

/// What is known of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No records.
    Without,
    /// Records that senders do not use, or that match nothing.
    Bad,
    /// Records that validate and match.
    Good,
    /// Records; whether they validate and match is not known.
    Open,
}

pub(super) fn check(inquiry: &mut Inquiry<'_>) {
    inquiry.topic("the TLSA records of the mail hosts");
    let Some(exchangers) = exchangers(inquiry) else { return };
    let mut states = Vec::new();
    for one in &exchangers {
        states.push(host(inquiry, one));
    }
    uneven(inquiry, &exchangers, &states);
    measure(inquiry, &states);
}

/// `None`: whether there are records is not known.
fn host(inquiry: &mut Inquiry<'_>, one: &Exchanger) -> Option<State> {
    let owner = one.host.prepend("_25._tcp").ok()?;
    inquiry.topic("the TLSA records of the mail hosts");
    let (values, ttl) = match inquiry.dns(&owner, RecordType::TLSA)? {
        Answer::Records(values, ttl) => (values, ttl),
        Answer::NoData | Answer::NxDomain => return Some(State::Without),
        Answer::TempError => {
            inquiry
                .note(owner.to_text_without_dot(), "no answer from the DNS for TLSA: senders that do DANE defer mail");
            return None;
        }
        Answer::Unknown => return None,
    };
    let values: Vec<&Rdata> = values.iter().filter(|value| matches!(value, Rdata::Tlsa(_))).collect();
    if values.is_empty() {
        return Some(State::Without);
    }
    for finding in TlsAssociations.lint(&owner, &values) {
        inquiry.add(finding);
    }
    for value in &values {
        inquiry.note(owner.to_text_without_dot(), TlsAssociations.describe(value));
    }
    time_to_live(inquiry, &owner, ttl);
    let usable: Vec<&Tlsa> = values.iter().filter_map(|value| usable(value)).collect();
    let (secure, matches) = (validates(inquiry, &owner), shown(inquiry, &owner, one, &usable));
    Some(match (secure, matches) {
        _ if usable.is_empty() => State::Bad,
        (Some(false), _) | (_, Some(false)) => State::Bad,
        (Some(true), Some(true)) => State::Good,
        _ => State::Open,
    })
}

/// A record that mail servers use (RFC 7672 section 3.1).
fn usable<'a>(value: &&'a Rdata) -> Option<&'a Tlsa> {
    match value {
        Rdata::Tlsa(tlsa) if matches!(tlsa.usage, 2 | 3) && tlsa.selector <= 1 && tlsa.matching <= 2 => Some(tlsa),
        _ => None,
    }
}

/// DANE-06. What a resolver answers may be the rest of a longer one, never more.
fn time_to_live(inquiry: &mut Inquiry<'_>, owner: &Name, ttl: Ttl) {
    if ttl.as_secs() > LONG {
        let message = format!("a time to live of {} seconds", ttl.as_secs());
        inquiry.find("DANE-06", owner.to_text_without_dot(), message);
    }
}

/// DANE-01.
fn validates(inquiry: &mut Inquiry<'_>, owner: &Name) -> Option<bool> {
    if !inquiry.subject().scope.servers {
        return None;
    }
    inquiry.topic("whether the TLSA records validate");
    let security = inquiry.validation(owner)?.as_ref().ok()?.security;
    let name = owner.to_text_without_dot();
    match security {
        Security::Secure => Some(true),
        Security::Insecure => {
            inquiry.find_as("DANE-01", Severity::Warning, name, "the zone is not signed: senders ignore the records");
            Some(false)
        }
        Security::Bogus => {
            inquiry.find("DANE-01", name, "the records do not validate: senders that do DANE defer mail");
            Some(false)
        }
        Security::Indeterminate => None,
    }
}

/// DANE-03 and DANE-08: whether the certificates that the server shows match.
fn shown(inquiry: &mut Inquiry<'_>, owner: &Name, one: &Exchanger, usable: &[&Tlsa]) -> Option<bool> {
    if usable.is_empty() {
        return None;
    }
    inquiry.topic("whether the certificates match the TLSA records");
    let mut all = None;
    for (_, address, session) in sessions(inquiry, std::slice::from_ref(one)) {
        let Some(Ok(session)) = session else { continue };
        let name = owner.to_text_without_dot();
        let problem = match fit(session, &one.host, usable) {
            Some(true) => None,
            Some(false) => Some("no record matches its certificate"),
            None if !session.starttls => Some("it offers no STARTTLS, and the records demand TLS"),
            None => continue,
        };
        all = Some(all.unwrap_or(true) && problem.is_none());
        if let Some(problem) = problem {
            inquiry.find("DANE-03", name.as_str(), format!("{address}: {problem}"));
        }
        let has_issuer = session.chain.iter().any(|certificate| certificate.is_authority);
        if usable.iter().any(|tlsa| tlsa.usage == 2) && !session.chain.is_empty() && !has_issuer {
            inquiry.find("DANE-08", name, format!("{address} sends its own certificate alone"));
        }
    }
    all
}

/// Whether any record matches what a server showed; `None` where it showed no certificate.
fn fit(session: &SmtpSession, host: &Name, usable: &[&Tlsa]) -> Option<bool> {
    let leaf = session.chain.first()?;
    let fits = |tlsa: &&&Tlsa| match tlsa.usage {
        3 => is_of(tlsa, leaf),
        // An issuer's record leaves the name to be checked (RFC 7672 section 3.1.2).
        _ => covers(&leaf.names, host) && session.chain.iter().any(|one| is_of(tlsa, one)),
    };
    Some(usable.iter().any(|tlsa| fits(&tlsa)))
}

/// Whether the data of a record is that of a certificate (RFC 6698 section 2.1).
fn is_of(tlsa: &Tlsa, certificate: &Certificate) -> bool {
    let whole = if tlsa.selector == 0 { &certificate.der } else { &certificate.public_key };
    match tlsa.matching {
        0 => tlsa.data == *whole,
        1 => tlsa.data == Sha256::digest(whole).as_slice(),
        2 => tlsa.data == Sha512::digest(whole).as_slice(),
        _ => false,
    }
}

/// DANE-05.
fn uneven(inquiry: &mut Inquiry<'_>, exchangers: &[Exchanger], states: &[Option<State>]) {
    let has = |state: &Option<State>| matches!(state, Some(State::Bad | State::Good | State::Open));
    if !states.iter().any(has) {
        return;
    }
    for (one, _) in exchangers.iter().zip(states).filter(|(_, state)| **state == Some(State::Without)) {
        let message = "no TLSA records, and other mail exchangers of the domain have some";
        inquiry.find("DANE-05", one.host.to_text_without_dot(), message);
    }
}

fn measure(inquiry: &mut Inquiry<'_>, states: &[Option<State>]) {
    let good = states.iter().filter(|state| **state == Some(State::Good)).count();
    let open = states.iter().any(|state| matches!(state, None | Some(State::Open)));
    if !states.is_empty() && !open {
        let why = format!("{good} of {} mail hosts with TLSA records that validate and match", states.len());
        inquiry.measure(Measure::Dane, percent(good, states.len()), why);
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use mailzone_mailauth::Severity;
    use mailzone_record::{Name, RecordType};
    use sha2::{Digest, Sha256, Sha512};

    use crate::rules::testing::{World, certificate, secure, session};
    use crate::{Certificate, Measure, Security, SmtpSession, Validation};

    const HOST: &str = "@ MX 10 mail\nmail A 192.0.2.25\n";

    fn digits(data: &[u8]) -> String {
        data.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    fn hex(data: &[u8]) -> String {
        digits(&Sha256::digest(data))
    }

    fn leaf() -> Certificate {
        certificate(&["mail.example.test"], World::LATER)
    }

    /// Two records, of which the first matches.
    fn good() -> String {
        let one = hex(&leaf().public_key);
        format!("{HOST}_25._tcp.mail TLSA 3 1 1 {one}\n_25._tcp.mail TLSA 3 1 1 {}", "ab".repeat(32))
    }

    fn world(zone: &str, said: SmtpSession) -> World {
        let mut world = World::new(zone);
        world.subject.scope.smtp = true;
        world.subject.scope.servers = true;
        world.facts.validation.insert(Name::parse("_25._tcp.mail.example.test").unwrap(), Ok(secure()));
        world.says("mail.example.test", "192.0.2.25", Ok(said));
        world
    }

    fn share(world: &World) -> Option<u8> {
        world.audit().measures.get(&Measure::Dane).map(|seen| seen.share)
    }

    #[test]
    fn good_records() {
        let world = world(&good(), session("mail.example.test"));
        for code in 1..=9 {
            world.lacks(&format!("DANE-{code:02}"));
        }
        assert_eq!(share(&world), Some(100));
        assert_eq!(share(&World::new(HOST)), Some(0));
        // Nobody connected: not known, so not good.
        assert_eq!(share(&World::new(&good())), None);
    }

    #[test]
    fn validation() {
        let with = |security| {
            let mut world = world(&good(), session("mail.example.test"));
            let owner = Name::parse("_25._tcp.mail.example.test").unwrap();
            world.facts.validation.insert(owner, Ok(Validation { security, ..secure() }));
            world
        };
        assert_eq!(with(Security::Insecure).finds("DANE-01").only().severity, Severity::Warning);
        assert_eq!(with(Security::Bogus).finds("DANE-01").only().severity, Severity::Error);
        with(Security::Indeterminate).lacks("DANE-01");
        assert_eq!(share(&with(Security::Insecure)), Some(0));
    }

    #[test]
    fn certificates_that_match() {
        let with = |tlsa: &str, chain: &[Certificate]| {
            let said = SmtpSession { chain: chain.to_vec(), ..session("mail.example.test") };
            world(&format!("{HOST}_25._tcp.mail TLSA {tlsa}"), said)
        };
        let (leaf, issuer) = (leaf(), Certificate { is_authority: true, ..certificate(&["Authority"], World::LATER) });
        let sha512 = digits(&Sha512::digest(&leaf.der));
        with(&format!("3 0 2 {sha512}"), from_ref(&leaf)).lacks("DANE-03");
        with(&format!("3 1 0 {}", digits(&leaf.public_key)), from_ref(&leaf)).lacks("DANE-03");
        let of_issuer = format!("2 1 1 {}", hex(&issuer.public_key));
        with(&of_issuer, &[leaf.clone(), issuer.clone()]).lacks("DANE-03");
        with(&of_issuer, &[leaf.clone(), issuer.clone()]).lacks("DANE-08");
        let alone = with(&of_issuer, from_ref(&leaf));
        alone.finds("DANE-08").only();
        alone.finds("DANE-03").only();
        let other = certificate(&["other.test"], World::LATER);
        with(&of_issuer, &[other.clone(), issuer]).finds("DANE-03").only();
        // Usage 3 looks at no name.
        with(&format!("3 1 1 {}", hex(&other.public_key)), from_ref(&other)).lacks("DANE-03");
        with(&format!("3 1 1 {}", hex(&leaf.public_key)), &[other]).finds("DANE-03").only();
        let mut plain = world(&good(), session("mail.example.test"));
        plain.says("mail.example.test", "192.0.2.25", Ok(SmtpSession::default()));
        plain.finds("DANE-03").only();
    }

    #[test]
    fn records_themselves() {
        World::new(&format!("{HOST}_25._tcp.mail TLSA 1 1 1 {}", "ab".repeat(32))).finds("DANE-02");
        World::new(&format!("{HOST}_25._tcp.mail TLSA 3 1 1 {}", "ab".repeat(32))).finds("DANE-04").only();
        World::new(&format!("{HOST}_25._tcp.mail TLSA 3 0 1 {}", "ab".repeat(32))).finds("DANE-09").only();
        World::new(&format!("{HOST}_25._tcp.mail 7200 TLSA 3 1 1 {}", "ab".repeat(32))).finds("DANE-06").only();
    }

    #[test]
    fn some_with_and_some_without() {
        let zone = format!("{}\n@ MX 20 backup\nbackup A 198.51.100.25", good());
        assert_eq!(World::new(&zone).finds("DANE-05").only().subject, "backup.example.test");
        let mut open = World::new(&format!("{}\n@ MX 20 mx.elsewhere.test.", good()));
        open.fails("_25._tcp.mx.elsewhere.test", RecordType::TLSA);
        open.lacks("DANE-05");
    }
}
