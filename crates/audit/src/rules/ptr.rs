//! Reverse names of the addresses that send (rule book 12).

use std::collections::BTreeSet;
use std::net::IpAddr;

use mailzone_mailauth::lookup::Answer;
use mailzone_mailauth::ptr::{Pointers, reverse_name};
use mailzone_mailauth::{Kind, Severity, rules};
use mailzone_record::{Name, Rdata, RecordType};

use super::hosts::{Sender, address, senders};
use crate::{Inquiry, Measure};

/// Names of one address that are followed.
const NAMES: usize = 5;

/// Parts of names that access lines have, and hosts that nobody has named.
const GENERIC: &[&str] = &[
    "adsl",
    "broadband",
    "cable",
    "client",
    "clients",
    "cust",
    "customer",
    "customers",
    "dhcp",
    "dial",
    "dialin",
    "dialup",
    "dip",
    "dsl",
    "dyn",
    "dynamic",
    "dynip",
    "pool",
    "pools",
    "ppp",
    "pppoe",
    "rev",
    "static",
    "vdsl",
];

pub(super) fn check(inquiry: &mut Inquiry<'_>) {
    inquiry.topic("the reverse names of the sending addresses");
    let Some(senders) = senders(inquiry) else { return };
    let mut states = Vec::new();
    let mut seen = BTreeSet::new();
    for sender in senders.into_iter().filter(|sender| sender.reverse) {
        if seen.insert(sender.address) {
            states.push((one(inquiry, &sender).filter(|_| sender.sure), sender.address));
        }
    }
    if let Some((_, address)) = states.iter().find(|(state, _)| *state == Some(false)) {
        inquiry.measure(Measure::Fcrdns, 0, format!("{address} has no confirmed reverse name"));
    } else if !states.is_empty() && states.iter().all(|(state, _)| *state == Some(true)) {
        inquiry.measure(Measure::Fcrdns, 100, "every sending address has a confirmed reverse name");
    }
}

/// Whether the address has a reverse name that leads back to it; `None`: not known.
fn one(inquiry: &mut Inquiry<'_>, sender: &Sender) -> Option<bool> {
    let (address, owner) = (sender.address, reverse_name(sender.address));
    let values = match inquiry.dns(&owner, RecordType::PTR)? {
        Answer::Records(values, _) => values,
        Answer::NoData | Answer::NxDomain => {
            let code = if address.is_ipv4() { "PTR-01" } else { "PTR-07" };
            find(inquiry, code, sender, format!("{} has no reverse name", shown(sender)));
            return Some(false);
        }
        Answer::TempError | Answer::Unknown => return None,
    };
    let values: Vec<&Rdata> = values.iter().filter(|value| matches!(value, Rdata::Ptr(_))).collect();
    if sender.sure {
        for finding in Pointers.lint(&owner, &values) {
            inquiry.add(finding);
        }
    }
    let names: BTreeSet<Name> = values.iter().filter_map(pointer).collect();
    let states: Vec<Option<bool>> = names.iter().take(NAMES).map(|name| leads_back(inquiry, sender, name)).collect();
    let texts: Vec<String> = names.iter().take(NAMES).map(Name::to_text_without_dot).collect();
    let confirmed = match states.contains(&Some(true)) {
        true => Some(true),
        false if states.contains(&None) => None,
        false => Some(false),
    };
    let state = match confirmed {
        Some(true) => ", confirmed",
        Some(false) => ", which does not lead back",
        None => "",
    };
    inquiry.note(address.to_string(), format!("{}{state}", texts.join(", ")));
    if confirmed == Some(false) {
        let message = format!("{} is {}, and that name does not lead back to it", shown(sender), texts.join(", "));
        find(inquiry, "PTR-02", sender, message);
    }
    if sender.sure {
        names_themselves(inquiry, sender, &names);
    }
    confirmed
}

/// Whether a name has the address; PTR-06 where it is an alias.
fn leads_back(inquiry: &mut Inquiry<'_>, sender: &Sender, name: &Name) -> Option<bool> {
    let rtype = if sender.address.is_ipv4() { RecordType::A } else { RecordType::AAAA };
    if let Answer::Records(values, _) = inquiry.dns_at(name, rtype)?
        && let Some(Rdata::Cname(to)) = values.first()
    {
        let (name, to) = (name.to_text_without_dot(), to.to_text_without_dot());
        find(inquiry, "PTR-06", sender, format!("{} is {name}, an alias of {to}", shown(sender)));
    }
    match inquiry.dns(name, rtype)? {
        Answer::Records(values, _) => Some(values.iter().filter_map(address).any(|found| found == sender.address)),
        Answer::NoData | Answer::NxDomain => Some(false),
        Answer::TempError | Answer::Unknown => None,
    }
}

/// PTR-04, PTR-05.
fn names_themselves(inquiry: &mut Inquiry<'_>, sender: &Sender, names: &BTreeSet<Name>) {
    if let Some(name) = names.iter().find(|name| is_generic(name, sender.address)) {
        let message = format!("{} is {}: it looks like an access line", shown(sender), name.to_text_without_dot());
        find(inquiry, "PTR-04", sender, message);
    }
    if let Some(helo) = sender.helo.as_ref().filter(|helo| !names.is_empty() && !names.contains(*helo)) {
        let names: Vec<String> = names.iter().take(NAMES).map(Name::to_text_without_dot).collect();
        let message = format!("{} says {} and is {}", shown(sender), helo.to_text_without_dot(), names.join(", "));
        find(inquiry, "PTR-05", sender, message);
    }
}

/// Whether a name is made of its address, or has a part of [`GENERIC`].
fn is_generic(name: &Name, address: IpAddr) -> bool {
    let text = name.to_lowercase().to_text_without_dot();
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let plain = |word: &&str| word.trim_matches(|c: char| c.is_ascii_digit()).to_owned();
    // The registered name may be anything.
    let own = words.len().saturating_sub(2);
    if words.iter().take(own).any(|word| GENERIC.contains(&plain(word).as_str())) {
        return true;
    }
    match address {
        IpAddr::V4(v4) => {
            let numbers: BTreeSet<u32> = words.iter().filter_map(|word| word.parse().ok()).collect();
            let octets: BTreeSet<u32> = v4.octets().into_iter().map(u32::from).collect();
            let [a, b, c, d] = v4.octets();
            let hexadecimal = format!("{a:02x}{b:02x}{c:02x}{d:02x}");
            let decimal = format!("{a:03}{b:03}{c:03}{d:03}");
            let many = octets.intersection(&numbers).count() >= octets.len().clamp(2, 3);
            many || text.contains(&hexadecimal) || text.contains(&decimal)
        }
        IpAddr::V6(v6) => {
            let groups: BTreeSet<String> =
                v6.segments().into_iter().filter(|g| *g > 0xff).map(|g| format!("{g:x}")).collect();
            let found = groups.iter().filter(|group| words.contains(&group.as_str())).count();
            let run: String = v6.octets().iter().map(|octet| format!("{octet:02x}")).collect();
            found >= 3 || text.replace(['-', '.'], "").contains(&run)
        }
    }
}

/// A finding; a warning at most where the address may never send.
fn find(inquiry: &mut Inquiry<'_>, code: &str, sender: &Sender, message: String) {
    let own = rules::rule(code).map_or(Severity::Warning, |rule| rule.severity);
    let subject = sender.name.as_ref().map_or_else(|| sender.address.to_string(), Name::to_text_without_dot);
    if sender.sure {
        inquiry.find_as(code, own, subject, message);
    } else {
        let message = format!("{message}; it matters if the host sends mail too");
        inquiry.find_as(code, own.max(Severity::Warning), subject, message);
    }
}

fn shown(sender: &Sender) -> String {
    match &sender.name {
        Some(name) => format!("{} ({})", sender.address, name.to_text_without_dot()),
        None => sender.address.to_string(),
    }
}

fn pointer(value: &&Rdata) -> Option<Name> {
    match value {
        Rdata::Ptr(name) => Some(name.to_lowercase()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use mailzone_mailauth::{MailUse, Severity};
    use mailzone_record::{Name, RecordType};

    use super::is_generic;
    use crate::rules::testing::World;
    use crate::{Measure, SendingHost};

    const ZONE: &str = "@ MX 10 mail\nmail A 192.0.2.25";
    const CODES: [&str; 7] = ["PTR-01", "PTR-02", "PTR-03", "PTR-04", "PTR-05", "PTR-06", "PTR-07"];

    fn world(zone: &str, reverse: &str) -> World {
        World::zones(&[("example.test", zone), ("2.0.192.in-addr.arpa", reverse)])
    }

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn a_confirmed_name() {
        let world = world(ZONE, "25 PTR mail.example.test.");
        for code in CODES {
            world.lacks(code);
        }
        let audit = world.audit();
        assert_eq!(audit.measures.get(&Measure::Fcrdns).unwrap().share, 100);
        assert!(audit.notes.iter().any(|note| note.text == "mail.example.test, confirmed"), "{:?}", audit.notes);
    }

    #[test]
    fn none_or_unconfirmed() {
        let none = world(ZONE, "");
        assert_eq!(none.finds("PTR-01").only().severity, Severity::Error);
        assert_eq!(none.audit().measures.get(&Measure::Fcrdns).unwrap().share, 0);
        world(ZONE, "25 PTR other.example.test.").finds("PTR-02").only();
        world(&format!("{ZONE}\nhost CNAME mail"), "25 PTR host.example.test.").finds("PTR-06").only();
        world(ZONE, "25 PTR a_b.example.test.").finds("PTR-06").only();
        world(ZONE, "25 PTR mail.example.test.\n25 PTR www.example.test.").finds("PTR-03").only();
        // By RFC 2317.
        world(ZONE, "25 CNAME 25.0/27\n25.0/27 PTR mail.example.test.").lacks("PTR-01");
    }

    #[test]
    fn failing_answers_claim_nothing() {
        let mut world = World::new(ZONE);
        world.fails("25.2.0.192.in-addr.arpa", RecordType::PTR);
        world.lacks("PTR-01");
        assert!(!world.audit().measures.contains_key(&Measure::Fcrdns));
        let mut world = self::world(ZONE, "25 PTR mail.elsewhere.test.");
        world.fails("mail.elsewhere.test", RecordType::A);
        world.lacks("PTR-02");
    }

    #[test]
    fn hosts_of_the_configuration() {
        let mut world = world("@ MX 10 mx.elsewhere.test.", "25 PTR mail.example.test.");
        let host = |helo: &str| SendingHost {
            name: Some(name("mail.example.test")),
            addresses: vec!["192.0.2.25".parse().unwrap()],
            helo: Some(name(helo)),
            reverse: true,
        };
        world.subject.hosts = vec![host("mail.example.test")];
        world.lacks("PTR-05");
        world.subject.hosts = vec![host("smtp.example.test")];
        world.finds("PTR-05").only();
        world.subject.hosts[0].reverse = false;
        world.lacks("PTR-05");
        assert!(!world.audit().measures.contains_key(&Measure::Fcrdns));
        world.subject.hosts[0].reverse = true;
        world.subject.mail = Some(MailUse::Receive);
        world.lacks("PTR-05");
        world.lacks("PTR-02");
    }

    #[test]
    fn over_ipv6() {
        let reverse = "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        let zone = "@ MX 10 mail\nmail AAAA 2001:db8::25";
        World::zones(&[("example.test", zone), (reverse, "")]).finds("PTR-07").only();
        let world = World::zones(&[("example.test", zone), (reverse, "5.2.0.0 PTR mail.example.test.")]);
        world.lacks("PTR-07");
        world.lacks("PTR-02");
    }

    #[test]
    fn a_host_that_may_never_send() {
        let zones = |reverse| {
            World::zones(&[
                ("example.test", "@ MX 10 mx.provider.test."),
                ("provider.test", "mx A 192.0.2.25"),
                ("2.0.192.in-addr.arpa", reverse),
            ])
        };
        assert_eq!(zones("").finds("PTR-01").only().severity, Severity::Warning);
        assert!(!zones("").audit().measures.contains_key(&Measure::Fcrdns));
        zones("25 PTR static-25.provider.test.").lacks("PTR-04");
    }

    #[test]
    fn generic_names() {
        world(ZONE, "25 PTR dsl-25.isp.test.").finds("PTR-04");
        for (text, generic) in [
            ("192-0-2-25.isp.test", true),
            ("25.2.0.192.dyn.isp.test", true),
            ("ipc0000219.isp.test", true),
            ("host192000002025.isp.test", true),
            ("static.isp.test", true),
            ("pool7.isp.test", true),
            ("mail.example.test", false),
            ("mail2.dynamic.test", false),
            ("mx-25.example.test", false),
            ("mail192.example.test", false),
        ] {
            assert_eq!(is_generic(&name(text), "192.0.2.25".parse().unwrap()), generic, "{text}");
        }
        let v6 = "2001:db8:1234:5678::25".parse().unwrap();
        assert!(is_generic(&name("2001-db8-1234-5678--25.isp.test"), v6));
        assert!(!is_generic(&name("mail.example.test"), v6));
    }
}
