//! Mail exchangers (rule book 9).

use std::collections::BTreeSet;
use std::net::IpAddr;

use mailzone_mailauth::lookup::Answer;
use mailzone_mailauth::{Kind, MailUse, Severity, mx};
use mailzone_record::{Name, RRsetKey, Rdata, RecordType, Ttl};

use super::hosts::{EXCHANGERS, Exchanger, addresses, exchangers, is_public, list, network, organization};
use crate::{Inquiry, Measure};

/// Seconds that a domain's MX has to be the same before it counts as settled.
const SETTLED: i64 = 7 * 86_400;

/// Mailbox providers by the ends of their hosts' names. Filters in front of mailboxes are not among them: those are
/// mixed with others on purpose.
const PROVIDERS: &[(&str, &str)] = &[
    ("google.com", "Google"),
    ("googlemail.com", "Google"),
    ("mail.protection.outlook.com", "Microsoft"),
    ("mx.microsoft", "Microsoft"),
    ("olc.protection.outlook.com", "Microsoft"),
    ("yahoodns.net", "Yahoo"),
    ("mail.icloud.com", "Apple"),
    ("zoho.com", "Zoho"),
    ("zoho.eu", "Zoho"),
    ("zoho.in", "Zoho"),
    ("messagingengine.com", "Fastmail"),
    ("protonmail.ch", "Proton"),
    ("mailbox.org", "mailbox.org"),
    ("posteo.de", "Posteo"),
    ("kundenserver.de", "IONOS"),
    ("ionos.com", "IONOS"),
    ("ionos.de", "IONOS"),
    ("rzone.de", "STRATO"),
    ("emig.gmx.net", "GMX"),
    ("netcup.net", "netcup"),
    ("your-server.de", "Hetzner"),
    ("ovh.net", "OVHcloud"),
    ("mail.gandi.net", "Gandi"),
    ("infomaniak.ch", "Infomaniak"),
    ("secureserver.net", "GoDaddy"),
    ("hostinger.com", "Hostinger"),
    ("migadu.com", "Migadu"),
    ("tutanota.de", "Tuta"),
    ("yandex.net", "Yandex"),
    ("mxhichina.com", "Alibaba"),
    ("qq.com", "Tencent"),
    ("awsapps.com", "Amazon WorkMail"),
];

pub(super) fn check(inquiry: &mut Inquiry<'_>) {
    let domain = inquiry.domain();
    let name = domain.to_text_without_dot();
    inquiry.topic(format!("where mail to {name} goes"));
    match inquiry.dns(domain, RecordType::MX) {
        Some(Answer::Records(values, ttl)) => present(inquiry, &values, ttl),
        Some(Answer::NoData) => absent(inquiry),
        Some(Answer::NxDomain) if inquiry.subject().scope.completeness => {
            inquiry.find("MX-14", name, "the domain does not exist");
        }
        Some(Answer::TempError) => inquiry.note(name, "no answer from the DNS for MX"),
        None | Some(Answer::NxDomain | Answer::Unknown) => {}
    }
    wildcard(inquiry);
}

fn present(inquiry: &mut Inquiry<'_>, values: &[Rdata], ttl: Ttl) {
    let domain = inquiry.domain();
    let name = domain.to_text_without_dot();
    let values: Vec<&Rdata> = values.iter().filter(|value| matches!(value, Rdata::Mx(_))).collect();
    for finding in mx::MailExchangers.lint(domain, &values) {
        inquiry.add(finding);
    }
    time_to_live(inquiry, ttl);
    if mx::is_null_mx(&values) {
        inquiry.note(name.as_str(), "takes no mail (null MX)");
        inquiry.measure(Measure::TakesMail, 0, "a null MX");
        return;
    }
    inquiry.topic("the addresses of the mail exchangers");
    let Some(hosts) = exchangers(inquiry) else { return };
    for one in &hosts {
        let text = format!("{} {} {}", one.preference, one.host.to_text_without_dot(), list(&one.addresses.list));
        inquiry.note(name.as_str(), text.trim_end());
    }
    if values.len() > EXCHANGERS {
        inquiry.note(name.as_str(), format!("{} records, of which {EXCHANGERS} were looked at", values.len()));
    }
    for one in &hosts {
        target(inquiry, one);
    }
    redundancy(inquiry, &hosts);
    providers(inquiry, &hosts);
    if hosts.iter().any(|one| one.addresses.list.iter().any(|address| is_public(*address))) {
        inquiry.measure(Measure::TakesMail, 100, "a mail exchanger with an address");
    } else if hosts.iter().all(|one| one.addresses.complete) {
        inquiry.measure(Measure::TakesMail, 0, "no mail exchanger with an address");
    }
}

/// MX-08.
fn absent(inquiry: &mut Inquiry<'_>) {
    let (domain, subject) = (inquiry.domain(), inquiry.subject());
    let found = addresses(inquiry, domain);
    if found.list.is_empty() {
        if found.complete {
            inquiry.note(domain.to_text_without_dot(), "no MX and no address: takes no mail");
            inquiry.measure(Measure::TakesMail, 0, "neither MX nor address");
        }
        return;
    }
    let name = domain.to_text_without_dot();
    inquiry.note(name.as_str(), format!("no MX: mail goes to {}", list(&found.list)));
    inquiry.measure(Measure::TakesMail, 100, "no MX, but an address");
    if subject.scope.completeness {
        let receives = subject.mail.is_none_or(MailUse::receives);
        let advice = if receives { "an MX names the host" } else { "a null MX says that it takes none" };
        inquiry.find("MX-08", name, format!("senders take the address for the mail exchanger; {advice}"));
    }
}

/// MX-01, MX-02, MX-11.
fn target(inquiry: &mut Inquiry<'_>, one: &Exchanger) {
    let (name, host) = (inquiry.domain().to_text_without_dot(), one.host.to_text_without_dot());
    if let Some(Answer::Records(values, _)) = inquiry.dns_at(&one.host, RecordType::A)
        && let Some(Rdata::Cname(to)) = values.first()
    {
        inquiry.find("MX-01", name.as_str(), format!("{host} is an alias of {}", to.to_text_without_dot()));
    }
    if one.addresses.gone
        && one.addresses.list.is_empty()
        && let Some(free) = unregistered(inquiry, &one.host)
    {
        let message = format!("{host}: the domain {} does not exist", free.to_text_without_dot());
        inquiry.find("MX-11", name, message);
        return;
    }
    if one.addresses.list.is_empty() {
        if one.addresses.complete {
            inquiry.find("MX-02", name, format!("{host} has no address"));
        }
    } else if !one.addresses.list.iter().any(|address| is_public(*address)) {
        let message = format!("{host} has only addresses that are not routed: {}", list(&one.addresses.list));
        inquiry.find("MX-02", name, message);
    }
}

/// The registered name above a host, where the DNS knows nothing of it. Private suffixes (`github.io`) count as well:
/// there too anybody may take the name.
fn unregistered(inquiry: &mut Inquiry<'_>, host: &Name) -> Option<Name> {
    let registered = organization(host).filter(|name| name.label_count() > 1)?;
    match inquiry.dns(&registered, RecordType::NS)? {
        Answer::NxDomain => Some(registered),
        _ => None,
    }
}

/// MX-05, MX-06, MX-07.
fn redundancy(inquiry: &mut Inquiry<'_>, hosts: &[Exchanger]) {
    let known = hosts.iter().all(|one| one.addresses.complete && !one.addresses.list.is_empty());
    if !inquiry.subject().scope.completeness || hosts.is_empty() || !known {
        return;
    }
    let name = inquiry.domain().to_text_without_dot();
    let all: BTreeSet<IpAddr> = hosts.iter().flat_map(|one| one.addresses.list.iter().copied()).collect();
    let of = |v4: bool| all.iter().filter(|address| address.is_ipv4() == v4).collect::<Vec<_>>();
    if let [one] = hosts
        && of(true).len() <= 1
        && of(false).len() <= 1
    {
        // A provider moves the address when the machine fails.
        let severity = if provider(&one.host).is_some() { Severity::Info } else { Severity::Warning };
        let message = format!("{} is the only mail exchanger, with one address", one.host.to_text_without_dot());
        inquiry.find_as("MX-05", severity, name.as_str(), message);
    } else {
        let networks = |v4| of(v4).iter().map(|address| network(**address)).collect::<BTreeSet<_>>().len();
        if networks(true) <= 1 && networks(false) <= 1 && hosts.iter().all(|one| provider(&one.host).is_none()) {
            let all: Vec<IpAddr> = all.iter().copied().collect();
            inquiry.find("MX-06", name.as_str(), format!("one network holds all of {}", list(&all)));
        }
    }
    if of(false).is_empty() {
        inquiry.find("MX-07", name, "no mail exchanger has an AAAA record");
    }
}

/// MX-12.
fn providers(inquiry: &mut Inquiry<'_>, hosts: &[Exchanger]) {
    let found: BTreeSet<&str> = hosts.iter().filter_map(|one| provider(&one.host)).collect();
    if found.len() > 1 {
        let found: Vec<&str> = found.into_iter().collect();
        let message = format!("mail goes to {} at once", found.join(" and "));
        inquiry.find("MX-12", inquiry.domain().to_text_without_dot(), message);
    }
}

/// The mailbox provider that a host belongs to.
fn provider(host: &Name) -> Option<&'static str> {
    let text = host.to_lowercase().to_text_without_dot();
    let is = |suffix: &str| text.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    PROVIDERS.iter().find(|(suffix, _)| is(suffix)).map(|(_, name)| *name)
}

/// MX-13. A short one counts only where it is known that nothing is under way: what a resolver answers may be a rest.
fn time_to_live(inquiry: &mut Inquiry<'_>, ttl: Ttl) {
    let (domain, seconds) = (inquiry.domain(), ttl.as_secs());
    let key = RRsetKey { name: domain.clone(), rtype: RecordType::MX };
    let settled = inquiry.subject().since.get(&key).is_some_and(|since| inquiry.now() - since > SETTLED);
    if seconds > 86_400 || (seconds < 300 && settled) {
        inquiry.find("MX-13", domain.to_text_without_dot(), format!("a time to live of {seconds} seconds"));
    }
}

/// MX-09.
fn wildcard(inquiry: &mut Inquiry<'_>) {
    let Ok(owner) = inquiry.domain().prepend("*") else { return };
    inquiry.topic("");
    if let Some(Answer::Records(values, _)) = inquiry.dns_at(&owner, RecordType::MX) {
        let values: Vec<&Rdata> = values.iter().filter(|value| matches!(value, Rdata::Mx(_))).collect();
        if !values.is_empty() && !mx::is_null_mx(&values) {
            let message = "every name below the domain takes mail, typing errors included";
            inquiry.find("MX-09", owner.to_text_without_dot(), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use mailzone_mailauth::Severity;
    use mailzone_record::{Name, RRsetKey, RecordType};

    use crate::rules::testing::World;

    const GOOD: &str = "@ 3600 MX 10 mail\n@ 3600 MX 20 backup\nmail A 192.0.2.25\nmail AAAA 2001:db8::25\n\
                        backup A 198.51.100.25";

    fn mixed(of: &str, second: &str) -> World {
        let at = "aspmx.l A 192.0.2.25\nmail A 192.0.2.26\n";
        World::zones(&[("example.test", of), ("google.com", at), ("example-com.mail.protection.outlook.com", second)])
    }

    #[test]
    fn nothing_to_say_of_good_ones() {
        let world = World::new(GOOD);
        for code in 1..=14 {
            world.lacks(&format!("MX-{code:02}"));
        }
        let notes: Vec<String> = world.audit().notes.into_iter().map(|note| note.text).collect();
        assert!(notes.contains(&"10 mail.example.test 192.0.2.25 2001:db8::25".to_owned()), "{notes:?}");
    }

    #[test]
    fn targets_without_use() {
        World::new("@ MX 10 mail\nmail CNAME host\nhost A 192.0.2.25").finds("MX-01").only();
        World::new("@ MX 10 mail\nother A 192.0.2.1").finds("MX-02").only();
        World::new("@ MX 10 mail\nmail A 10.0.0.25").finds("MX-02").only();
        World::new("@ MX 10 mail\nmail A 10.0.0.25\nmail A 192.0.2.25").lacks("MX-02");
        World::new("@ MX 10 192.0.2.25.").finds("MX-03").only();
        World::new("@ MX 10 192.0.2.25.").lacks("MX-02");
        World::new("@ MX 10 mail\n@ MX 0 .\nmail A 192.0.2.25").finds("MX-04").only();
    }

    #[test]
    fn a_failing_answer_claims_nothing() {
        let mut world = World::new("@ MX 10 mail.elsewhere.test.");
        world.fails("mail.elsewhere.test", RecordType::A);
        world.fails("mail.elsewhere.test", RecordType::AAAA);
        for code in ["MX-02", "MX-05", "MX-07", "MX-11"] {
            world.lacks(code);
        }
        let mut world = World::new("");
        world.subject.domain = Name::parse("elsewhere.test").unwrap();
        world.fails("elsewhere.test", RecordType::MX);
        for code in ["MX-08", "MX-14"] {
            world.lacks(code);
        }
    }

    #[test]
    fn redundancy() {
        World::new("@ MX 10 mail\nmail A 192.0.2.25").finds("MX-05").only();
        World::new("@ MX 10 mail\nmail A 192.0.2.25\nmail A 198.51.100.25").lacks("MX-05");
        World::new("@ MX 10 a\n@ MX 20 b\na A 192.0.2.25\nb A 192.0.2.26").finds("MX-06").only();
        World::new("@ MX 10 a\n@ MX 20 b\na A 192.0.2.25\nb A 192.0.2.26").finds("MX-07").only();
        let mut world = World::new("@ MX 10 mail\nmail A 192.0.2.25");
        world.subject.scope.completeness = false;
        world.lacks("MX-05");
    }

    #[test]
    fn a_providers_single_host_is_worth_knowing() {
        let world = mixed("@ MX 1 aspmx.l.google.com.", "");
        assert_eq!(world.finds("MX-05").only().severity, Severity::Info);
    }

    #[test]
    fn implicit_wildcard_and_missing() {
        World::new("@ A 192.0.2.80").finds("MX-08").only();
        World::new("@ MX 0 .\n@ A 192.0.2.80").lacks("MX-08");
        World::new("* MX 10 mail\nmail A 192.0.2.25").finds("MX-09").only();
        World::new("* MX 0 .").lacks("MX-09");
        let mut world = World::new("");
        world.subject.domain = Name::parse("missing.test").unwrap();
        world.finds("MX-14").only();
    }

    #[test]
    fn domains_that_anybody_can_register() {
        let world = |host: &str| World::new(&format!("@ MX 10 {host}"));
        world("mail.forgotten.test.").finds("MX-11").only();
        world("mail.forgotten.co.uk.").finds("MX-11").only();
        world("mail.example.test.").lacks("MX-11");
        world("mail.deep.example.test.").lacks("MX-11");
        let live = World::zones(&[("example.test", "@ MX 10 mail.abc.de."), ("abc.de", "www A 192.0.2.80")]);
        live.lacks("MX-11");
        live.finds("MX-02").only();
    }

    #[test]
    fn providers_mixed() {
        let outlook = "@ 300 A 192.0.2.27";
        let both = "@ MX 1 aspmx.l.google.com.\n@ MX 5 example-com.mail.protection.outlook.com.";
        mixed(both, outlook).finds("MX-12").only();
        mixed("@ MX 1 aspmx.l.google.com.\n@ MX 5 mail.google.com.", outlook).lacks("MX-12");
    }

    #[test]
    fn times_to_live() {
        World::new("@ 172800 MX 10 mail\nmail A 192.0.2.25").finds("MX-13").only();
        let mut world = World::new("@ 60 MX 10 mail\nmail A 192.0.2.25");
        world.lacks("MX-13");
        let key = RRsetKey { name: world.subject.domain.clone(), rtype: RecordType::MX };
        world.subject.since.insert(key.clone(), World::NOW - 86_400);
        world.lacks("MX-13");
        world.subject.since.insert(key, World::NOW - 30 * 86_400);
        world.finds("MX-13").only();
    }
}
