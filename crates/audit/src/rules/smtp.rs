//! Mail servers at port 25.

use std::net::IpAddr;

use mailzone_mailauth::Severity;
use mailzone_record::{Name, Rdata, RecordType};

use super::hosts::{Exchanger, covers, exchangers, greeting_name, percent, sessions};
use crate::{Failure, Inquiry, Measure, SmtpSession};

/// A certificate that ends sooner is told, in seconds.
pub(super) const SOON: i64 = 14 * 86_400;

/// What is known of a server's TLS; `None`: not known.
#[derive(Debug, Clone, Copy, Default)]
struct Tls {
    works: Option<bool>,
    certificate: Option<bool>,
    version: Option<bool>,
}

pub(super) fn check(inquiry: &mut Inquiry<'_>) {
    if !inquiry.subject().scope.smtp {
        return;
    }
    inquiry.topic("what the mail servers say at port 25");
    let Some(exchangers) = exchangers(inquiry) else { return };
    let mut seen: Vec<(Name, Tls)> = Vec::new();
    for (host, address, session) in sessions(inquiry, &exchangers) {
        let tls = match session {
            Some(Ok(session)) => greeted(inquiry, &host, address, session),
            Some(Err(failure)) => {
                failed(inquiry, &host, address, failure, exchangers.iter().any(|one| one.implicit));
                Tls::default()
            }
            None => Tls::default(),
        };
        seen.push((host, tls));
    }
    measure(inquiry, &exchangers, &seen);
}

/// SMTP-01. A host that no MX names need not take mail.
fn failed(inquiry: &mut Inquiry<'_>, host: &Name, address: IpAddr, failure: &Failure, implicit: bool) {
    let (host, message) = (host.to_text_without_dot(), &failure.message);
    if failure.here {
        inquiry.note(host, format!("{address}: not known from here: {message}"));
    } else {
        inquiry.note(host.as_str(), format!("{address}: {message}"));
        let severity = if implicit { Severity::Info } else { Severity::Error };
        inquiry.find_as("SMTP-01", severity, host, format!("{address}: {message}"));
    }
}

fn greeted(inquiry: &mut Inquiry<'_>, host: &Name, address: IpAddr, session: &SmtpSession) -> Tls {
    let name = host.to_text_without_dot();
    let said = match (&session.tls_version, session.starttls) {
        (Some(version), _) => format!("STARTTLS, {version}"),
        (None, true) => "STARTTLS".to_owned(),
        (None, false) => "no STARTTLS".to_owned(),
    };
    inquiry.note(name.as_str(), format!("{address}: {}, {said}", session.banner));
    greeting(inquiry, host, address, session);
    if !session.starttls {
        inquiry.find("SMTP-02", name, format!("{address} offers no STARTTLS"));
        return Tls { works: Some(false), certificate: Some(false), version: Some(false) };
    }
    if let Some(error) = &session.tls_error {
        inquiry.find("SMTP-06", name, format!("{address} offers STARTTLS, and it fails: {error}"));
        return Tls { works: Some(false), certificate: Some(false), version: Some(false) };
    }
    let version = session.tls_version.as_deref().and_then(is_current);
    if version == Some(false) {
        let old = session.tls_version.as_deref().unwrap_or_default();
        inquiry.find("SMTP-05", name, format!("{address} agrees on {old} at most"));
    }
    let works = session.tls_version.is_some() || !session.chain.is_empty();
    Tls { works: works.then_some(true), certificate: certificate(inquiry, host, address, session), version }
}

/// SMTP-04.
fn greeting(inquiry: &mut Inquiry<'_>, host: &Name, address: IpAddr, session: &SmtpSession) {
    let said = greeting_name(session);
    if said.as_ref() == Some(host) {
        return;
    }
    let owner = mailzone_mailauth::ptr::reverse_name(address);
    let Some(values) = inquiry.records(&owner, RecordType::PTR) else { return };
    if said.is_some() && values.iter().any(|value| matches!(value, Rdata::Ptr(name) if Some(name) == said.as_ref())) {
        return;
    }
    let message = match said {
        Some(said) => format!("{address} greets as {}", said.to_text_without_dot()),
        None => format!("{address} greets without a full host name"),
    };
    inquiry.find("SMTP-04", host.to_text_without_dot(), message);
}

/// SMTP-03. Under DANE with usage 3 nobody looks at names and dates (RFC 7672 section 3.1.1).
fn certificate(inquiry: &mut Inquiry<'_>, host: &Name, address: IpAddr, session: &SmtpSession) -> Option<bool> {
    let leaf = session.chain.first()?;
    let days = (leaf.not_after - inquiry.now()).div_euclid(86_400);
    let problem = match &session.untrusted {
        Some(reason) => Some(reason.clone()),
        None if leaf.not_after < inquiry.now() => Some("it has run out".to_owned()),
        None if !covers(&leaf.names, host) => Some(format!("it is for {}", leaf.names.join(", "))),
        None => None,
    };
    let message = match &problem {
        Some(problem) => format!("the certificate of {address} is not valid for the host: {problem}"),
        None if leaf.not_after - inquiry.now() < SOON => format!("the certificate of {address} ends in {days} days"),
        None => return Some(true),
    };
    let pinned = host.prepend("_25._tcp").ok().and_then(|owner| inquiry.records(&owner, RecordType::TLSA));
    let pinned = pinned.is_some_and(|v| v.iter().any(|value| matches!(value, Rdata::Tlsa(tlsa) if tlsa.usage == 3)));
    let severity = if pinned { Severity::Info } else { Severity::Warning };
    inquiry.find_as("SMTP-03", severity, host.to_text_without_dot(), message);
    Some(problem.is_none() || pinned)
}

/// Whether a version is still in use; `None` for a word that is none.
fn is_current(version: &str) -> Option<bool> {
    match version {
        "TLSv1.2" | "TLSv1.3" => Some(true),
        "SSLv2" | "SSLv3" | "TLSv1" | "TLSv1.0" | "TLSv1.1" => Some(false),
        _ => None,
    }
}

fn measure(inquiry: &mut Inquiry<'_>, exchangers: &[Exchanger], seen: &[(Name, Tls)]) {
    let hosts: Vec<&Name> = exchangers.iter().map(|one| &one.host).collect();
    let of = |get: fn(&Tls) -> Option<bool>| share(&hosts, seen, get);
    let parts = [
        (Measure::StartTls, of(|tls| tls.works), "STARTTLS"),
        (Measure::Certificate, of(|tls| tls.certificate), "a valid certificate"),
        (Measure::TlsVersion, of(|tls| tls.version), "TLS 1.2 or later"),
    ];
    for (measure, share, what) in parts {
        if let Some((good, all)) = share {
            inquiry.measure(measure, percent(good, all), format!("{good} of {all} mail hosts with {what}"));
        }
    }
}

/// The hosts where every address that was reached is good, of all. `None` where one is not known and none is bad.
fn share(hosts: &[&Name], seen: &[(Name, Tls)], get: fn(&Tls) -> Option<bool>) -> Option<(usize, usize)> {
    let state = |host: &&&Name| -> Option<bool> {
        let known: Vec<bool> = seen.iter().filter(|(name, _)| name == **host).filter_map(|(_, tls)| get(tls)).collect();
        (!known.is_empty()).then(|| known.iter().all(|good| *good))
    };
    let states: Vec<Option<bool>> = hosts.iter().map(|host| state(&host)).collect();
    let known = !states.is_empty() && (!states.contains(&None) || states.contains(&Some(false)));
    known.then(|| (states.iter().filter(|state| **state == Some(true)).count(), states.len()))
}

#[cfg(test)]
mod tests {
    use mailzone_mailauth::Severity;

    use crate::rules::testing::{World, certificate, session};
    use crate::{Failure, Measure, SmtpSession};

    const ZONE: &str = "@ MX 10 mail\nmail A 192.0.2.25";
    const CODES: [&str; 6] = ["SMTP-01", "SMTP-02", "SMTP-03", "SMTP-04", "SMTP-05", "SMTP-06"];

    fn world(zone: &str, session: Result<SmtpSession, Failure>) -> World {
        let mut world = World::new(zone);
        world.subject.scope.smtp = true;
        world.says("mail.example.test", "192.0.2.25", session);
        world
    }

    fn share(world: &World, measure: Measure) -> Option<u8> {
        world.audit().measures.get(&measure).map(|seen| seen.share)
    }

    #[test]
    fn a_good_server() {
        let world = world(ZONE, Ok(session("mail.example.test")));
        for code in CODES {
            world.lacks(code);
        }
        for measure in [Measure::StartTls, Measure::Certificate, Measure::TlsVersion] {
            assert_eq!(share(&world, measure), Some(100), "{measure:?}");
        }
    }

    #[test]
    fn servers_that_are_not_reached() {
        let failure = |here| Err(Failure { message: "connection refused".to_owned(), here });
        let refused = world(ZONE, failure(false));
        refused.finds("SMTP-01").only();
        let blocked = world(ZONE, failure(true));
        for code in CODES {
            blocked.lacks(code);
        }
        for one in [refused, blocked] {
            assert_eq!(share(&one, Measure::StartTls), None);
        }
    }

    #[test]
    fn a_web_server_need_not_take_mail() {
        let mut web = World::new("@ A 192.0.2.80");
        web.subject.scope.smtp = true;
        web.says("example.test", "192.0.2.80", Err(Failure { message: "connection refused".to_owned(), here: false }));
        assert_eq!(web.finds("SMTP-01").only().severity, Severity::Info);
        web.lacks("PTR-01");
    }

    #[test]
    fn without_tls() {
        let plain = SmtpSession { starttls: false, ..session("mail.example.test") };
        let world = world(ZONE, Ok(plain));
        world.finds("SMTP-02").only();
        assert_eq!(share(&world, Measure::StartTls), Some(0));
        let broken = SmtpSession { tls_error: Some("no common cipher".to_owned()), ..session("mail.example.test") };
        self::world(ZONE, Ok(broken)).finds("SMTP-06").only();
        let old = SmtpSession { tls_version: Some("TLSv1.1".to_owned()), ..session("mail.example.test") };
        self::world(ZONE, Ok(old)).finds("SMTP-05").only();
    }

    #[test]
    fn certificates() {
        let with = |names: &[&str], not_after| {
            let chain = vec![certificate(names, not_after)];
            world(ZONE, Ok(SmtpSession { chain, ..session("mail.example.test") }))
        };
        with(&["other.test"], World::LATER).finds("SMTP-03").only();
        with(&["*.example.test"], World::LATER).lacks("SMTP-03");
        with(&["mail.example.test"], World::NOW + 86_400).finds("SMTP-03").only();
        with(&["mail.example.test"], World::NOW - 1).finds("SMTP-03").only();
        let own = SmtpSession { untrusted: Some("self-signed".to_owned()), ..session("mail.example.test") };
        let unknown = world(ZONE, Ok(own.clone()));
        assert_eq!(unknown.finds("SMTP-03").only().severity, Severity::Warning);
        assert_eq!(share(&unknown, Measure::Certificate), Some(0));
        let tlsa = format!("{ZONE}\n_25._tcp.mail TLSA 3 1 1 {}", "ab".repeat(32));
        assert_eq!(world(&tlsa, Ok(own)).finds("SMTP-03").only().severity, Severity::Info);
    }

    #[test]
    fn greetings() {
        let greets = |banner: &str| SmtpSession { banner: banner.to_owned(), ..session("mail.example.test") };
        world(ZONE, Ok(greets("mx1.example.test ESMTP"))).finds("SMTP-04").only();
        world(ZONE, Ok(greets("ESMTP ready"))).finds("SMTP-04").only();
        world(ZONE, Ok(greets("MAIL.example.test ESMTP"))).lacks("SMTP-04");
        // The name of its address will do too.
        let mut world = World::zones(&[("example.test", ZONE), ("2.0.192.in-addr.arpa", "25 PTR mx1.example.test.")]);
        world.subject.scope.smtp = true;
        world.says("mail.example.test", "192.0.2.25", Ok(greets("mx1.example.test ESMTP")));
        world.lacks("SMTP-04");
    }

    #[test]
    fn a_host_that_is_not_known_is_not_good() {
        let zone = format!("{ZONE}\n@ MX 20 backup\nbackup A 198.51.100.25");
        let mut world = world(&zone, Ok(session("mail.example.test")));
        assert_eq!(share(&world, Measure::StartTls), None);
        let plain = SmtpSession { starttls: false, ..session("backup.example.test") };
        world.says("backup.example.test", "198.51.100.25", Ok(plain));
        assert_eq!(share(&world, Measure::StartTls), Some(50));
    }
}
