//! The hosts that mail goes to and comes from, as several areas look at them. A hostile zone may have any number of
//! them: only the first few are looked at.

use std::net::IpAddr;

use mailzone_mailauth::MailUse;
use mailzone_mailauth::dmarc::{Organizational, Reader, organizational_domain};
use mailzone_mailauth::lookup::{Answer, Answers};
use mailzone_record::{Name, Rdata, RecordType};

use crate::{Failure, Inquiry, SmtpSession};

/// The mail exchangers that are looked at.
pub(super) const EXCHANGERS: usize = 20;
/// The addresses of one host that are looked at.
pub(super) const ADDRESSES: usize = 8;
/// The connections to mail servers.
const SESSIONS: usize = 24;
/// The sending addresses that are looked at.
const SENDERS: usize = SESSIONS;

/// What a mail server said, or why nothing.
pub(super) type Said<'a> = &'a Result<SmtpSession, Failure>;

/// A host that mail to the domain goes to.
#[derive(Debug)]
pub(super) struct Exchanger {
    pub(super) preference: u16,
    pub(super) host: Name,
    pub(super) addresses: Addresses,
    /// Whether no MX names it: the domain itself, which may be a web server.
    pub(super) implicit: bool,
}

/// A host's addresses.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    pub(super) list: Vec<IpAddr>,
    /// Whether both families answered: else there may be more.
    pub(super) complete: bool,
    /// Whether the name does not exist.
    pub(super) gone: bool,
}

/// An address that mail of the domain comes from.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) name: Option<Name>,
    pub(super) address: IpAddr,
    pub(super) helo: Option<Name>,
    /// Whether it is said to send, or is at least the domain's own; else it is somebody's mail exchanger.
    pub(super) sure: bool,
    /// Whether its reverse names are judged.
    pub(super) reverse: bool,
}

/// The mail exchangers by preference, each host once; the domain itself where an implicit MX leads there. None for a
/// null MX or a name that does not exist. `None`: not known.
pub(super) fn exchangers(inquiry: &mut Inquiry<'_>) -> Option<Vec<Exchanger>> {
    let domain = inquiry.domain();
    let values = match inquiry.dns(domain, RecordType::MX)? {
        Answer::Records(values, _) => values,
        Answer::NoData => {
            let addresses = addresses(inquiry, domain);
            if addresses.list.is_empty() {
                return addresses.complete.then(Vec::new);
            }
            return Some(vec![Exchanger { preference: 0, host: domain.clone(), addresses, implicit: true }]);
        }
        Answer::NxDomain => return Some(Vec::new()),
        Answer::TempError | Answer::Unknown => return None,
    };
    let named = values.iter().filter_map(|value| match value {
        Rdata::Mx(mx) if is_host(&mx.exchange) => Some((mx.preference, mx.exchange.to_lowercase())),
        _ => None,
    });
    let mut named: Vec<(u16, Name)> = named.collect();
    named.sort();
    let mut seen = std::collections::BTreeSet::new();
    named.retain(|(_, host)| seen.insert(host.clone()));
    let list = named.into_iter().take(EXCHANGERS).map(|(preference, host)| {
        let addresses = addresses(inquiry, &host);
        Exchanger { preference, host, addresses, implicit: false }
    });
    Some(list.collect())
}

/// The addresses at the end of the name's aliases, IPv4 first.
pub(super) fn addresses(inquiry: &mut Inquiry<'_>, host: &Name) -> Addresses {
    let answers = [RecordType::A, RecordType::AAAA].map(|rtype| inquiry.dns(host, rtype));
    let mut found = Addresses { complete: true, ..Addresses::default() };
    for answer in &answers {
        match answer {
            Some(Answer::Records(values, _)) => {
                found.list.extend(values.iter().filter_map(address).take(ADDRESSES));
            }
            Some(Answer::NxDomain) => found.gone = true,
            Some(Answer::NoData) => {}
            None | Some(Answer::TempError | Answer::Unknown) => found.complete = false,
        }
    }
    found
}

/// The addresses that send: those of the configured hosts; where there are none, those of the mail exchangers. None for
/// a domain that does not send. `None`: not known.
pub(super) fn senders(inquiry: &mut Inquiry<'_>) -> Option<Vec<Sender>> {
    let subject = inquiry.subject();
    if matches!(subject.mail, Some(MailUse::None | MailUse::Receive)) {
        return Some(Vec::new());
    }
    let mut list = Vec::new();
    for host in &subject.hosts {
        let own = match (&host.name, host.addresses.is_empty()) {
            (Some(name), true) => addresses(inquiry, name).list,
            _ => host.addresses.clone(),
        };
        let sender = |address| Sender {
            name: host.name.clone(),
            address,
            helo: host.helo.clone(),
            sure: true,
            reverse: host.reverse,
        };
        list.extend(own.into_iter().map(sender));
    }
    if subject.hosts.is_empty() {
        for Exchanger { host, addresses, .. } in exchangers(inquiry)?.into_iter().filter(|one| !one.implicit) {
            let sure = organization(&host) == organization(inquiry.domain());
            for address in addresses.list {
                if list.len() >= SENDERS {
                    break;
                }
                let session = if inquiry.subject().scope.smtp { inquiry.smtp(&host, address) } else { None };
                let helo = session.and_then(|session| session.as_ref().ok()).and_then(greeting_name);
                list.push(Sender { name: Some(host.clone()), address, helo, sure, reverse: true });
            }
        }
    }
    list.truncate(SENDERS);
    Some(list)
}

/// What the mail servers said, host by host, in the order of preference. Empty where nobody may connect.
pub(super) fn sessions<'a>(
    inquiry: &mut Inquiry<'a>,
    exchangers: &[Exchanger],
) -> Vec<(Name, IpAddr, Option<Said<'a>>)> {
    if !inquiry.subject().scope.smtp {
        return Vec::new();
    }
    let all = exchangers.iter().flat_map(|one| one.addresses.list.iter().map(|address| (one.host.clone(), *address)));
    let all: Vec<(Name, IpAddr)> = all.take(SESSIONS).collect();
    all.into_iter()
        .map(|(host, address)| {
            let session = inquiry.smtp(&host, address);
            (host, address, session)
        })
        .collect()
}

/// The host name that a greeting begins with (RFC 5321 section 4.2).
pub(super) fn greeting_name(session: &SmtpSession) -> Option<Name> {
    let word = session.banner.split_whitespace().next()?;
    let plain = word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    let name = Name::parse(word).ok().filter(|_| plain)?;
    (name.label_count() > 1 && is_host(&name)).then_some(name)
}

/// Whether a certificate for these names is for the host: `*` stands for one label (RFC 6125 section 6.4.3).
pub(super) fn covers(names: &[String], host: &Name) -> bool {
    let text = host.to_lowercase().to_text_without_dot();
    names.iter().any(|name| {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        name == text
            || name.strip_prefix("*.").is_some_and(|rest| text.split_once('.').is_some_and(|(_, up)| up == rest))
    })
}

/// The registered domain that a name is in, by the public suffix list.
pub(super) fn organization(name: &Name) -> Option<Name> {
    match organizational_domain(&Answers::default(), name, Reader::Rfc7489) {
        Ok(Organizational::Domain(domain)) => Some(domain),
        _ => None,
    }
}

/// Whether a name may be a host's: not the root, no address in letters.
pub(super) fn is_host(name: &Name) -> bool {
    !name.is_root() && name.to_text_without_dot().parse::<IpAddr>().is_err()
}

/// Whether an address is routed on the Internet. Addresses for documentation count as such.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let shared = a == 100 && b & 0xc0 == 64;
            !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || a == 0 || a >= 224 || shared)
        }
        IpAddr::V6(v6) => {
            let [first, ..] = v6.segments();
            let mapped = v6.to_ipv4_mapped().is_some();
            let local = first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80;
            !(v6.is_loopback() || v6.is_unspecified() || v6.is_multicast() || local || mapped)
        }
    }
}

/// The address of an A or AAAA.
pub(super) fn address(value: &Rdata) -> Option<IpAddr> {
    match value {
        Rdata::A(v4) => Some(IpAddr::V4(*v4)),
        Rdata::Aaaa(v6) => Some(IpAddr::V6(*v6)),
        _ => None,
    }
}

/// The /24 or /48 that an address is in.
pub(super) fn network(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().into_iter().take(3).collect(),
        IpAddr::V6(v6) => v6.octets().into_iter().take(6).collect(),
    }
}

/// `192.0.2.25 2001:db8::25`
pub(super) fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// `part` of `all` in percent.
pub(super) fn percent(part: usize, all: usize) -> u8 {
    part.checked_mul(100).and_then(|part| part.checked_div(all)).and_then(|share| u8::try_from(share).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn names_of_certificates() {
        let is = |names: &[&str], host| covers(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>(), &name(host));
        assert!(is(&["x.test", "Mail.Example.TEST"], "mail.example.test"));
        assert!(is(&["*.example.test"], "mail.example.test"));
        assert!(!is(&["*.example.test"], "a.mail.example.test") && !is(&["*.example.test"], "example.test"));
        assert!(!is(&[], "example.test"));
    }

    #[test]
    fn addresses_on_the_internet() {
        for (address, public) in [
            ("192.0.2.1", true),
            ("10.1.2.3", false),
            ("127.0.0.1", false),
            ("169.254.1.1", false),
            ("100.64.0.1", false),
            ("100.128.0.1", true),
            ("255.255.255.255", false),
            ("2001:db8::1", true),
            ("fe80::1", false),
            ("fd00::1", false),
            ("::1", false),
            ("::ffff:192.0.2.1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }

    #[test]
    fn names_in_greetings() {
        let named = |banner: &str| greeting_name(&SmtpSession { banner: banner.to_owned(), ..SmtpSession::default() });
        assert_eq!(named("mail.example.test ESMTP Postfix"), Some(name("mail.example.test")));
        assert_eq!(named("localhost ESMTP"), None);
        assert_eq!(named("[192.0.2.1] ready"), None);
        assert_eq!(named("192.0.2.1 ready"), None);
        assert_eq!(named(""), None);
    }
}
