//! Block lists (RFC 5782), asked for the sending addresses and the domain.
//!
//! That a list knows nothing of an address is believed only where it lists its own test entry and does not list
//! 127.0.0.1: a list that refuses this resolver, or is closed, often answers as if everybody were clean, or listed.

use std::net::{IpAddr, Ipv4Addr};

use mailzone_mailauth::lookup::Answer;
use mailzone_mailauth::ptr::reverse_name;
use mailzone_mailauth::{Finding, MailUse, Severity};
use mailzone_record::{Name, Rdata, RecordType};

use super::hosts::{is_public, senders};
use crate::Inquiry;

/// Sending addresses that are asked for.
const ADDRESSES: usize = 8;

/// A list.
struct BlockList {
    name: &'static str,
    zone: &'static str,
    /// Where one asks for removal.
    page: &'static str,
    /// Whether it has IPv6 addresses.
    ipv6: bool,
    /// What a listing means for the mail.
    severity: Severity,
    /// The answers that are documented; another one means "listed" too.
    codes: &'static [(Ipv4Addr, &'static str)],
}

const SPAMHAUS: &str = "https://check.spamhaus.org/";

/// Lists of addresses that are in use, as of November 2026. SORBS was closed in 2024.
const LISTS: &[BlockList] = &[
    BlockList {
        name: "Spamhaus ZEN",
        zone: "zen.spamhaus.org",
        page: SPAMHAUS,
        ipv6: true,
        severity: Severity::Error,
        codes: &[
            (code(0, 2), "SBL: a source of spam"),
            (code(0, 3), "CSS: sends like a spammer"),
            (code(0, 4), "XBL: an infected or open machine"),
            (code(0, 5), "XBL: an infected or open machine"),
            (code(0, 6), "XBL: an infected or open machine"),
            (code(0, 7), "XBL: an infected or open machine"),
            (code(0, 9), "DROP: a network of criminals"),
            (code(0, 10), "PBL: an access line that is not to send mail, says its provider"),
            (code(0, 11), "PBL: an access line that is not to send mail"),
            (code(0, 30), "BCL: controls a botnet"),
        ],
    },
    BlockList {
        name: "SpamCop",
        zone: "bl.spamcop.net",
        page: "https://www.spamcop.net/bl.shtml",
        ipv6: false,
        severity: Severity::Error,
        codes: &[(code(0, 2), "reported by recipients within the last day")],
    },
    BlockList {
        name: "Barracuda",
        zone: "b.barracudacentral.org",
        page: "https://www.barracudacentral.org/rbl/removal-request",
        ipv6: false,
        severity: Severity::Error,
        codes: &[(code(0, 2), "a poor reputation")],
    },
    BlockList {
        name: "PSBL",
        zone: "psbl.surriel.com",
        page: "https://psbl.org/remove",
        ipv6: false,
        severity: Severity::Warning,
        codes: &[(code(0, 2), "sent to a spam trap")],
    },
    BlockList {
        name: "UCEPROTECT level 1",
        zone: "dnsbl-1.uceprotect.net",
        page: "https://www.uceprotect.net/en/rblcheck.php",
        ipv6: false,
        severity: Severity::Warning,
        codes: &[(code(0, 2), "sent to a spam trap within the last week")],
    },
    BlockList {
        name: "Mailspike",
        zone: "bl.mailspike.net",
        page: "https://mailspike.org/",
        ipv6: false,
        severity: Severity::Warning,
        codes: &[
            (code(0, 2), "part of a wave of spam"),
            (code(0, 10), "the worst possible reputation"),
            (code(0, 11), "a very bad reputation"),
            (code(0, 12), "a bad reputation"),
        ],
    },
];

/// The list of domains.
const DOMAINS: BlockList = BlockList {
    name: "Spamhaus DBL",
    zone: "dbl.spamhaus.org",
    page: SPAMHAUS,
    ipv6: false,
    severity: Severity::Error,
    codes: &[
        (code(1, 2), "a domain of spammers or without reputation"),
        (code(1, 4), "phishing"),
        (code(1, 5), "malware"),
        (code(1, 6), "controls a botnet"),
        (code(1, 102), "a genuine domain, abused for spam"),
        (code(1, 103), "a genuine redirector, abused"),
        (code(1, 104), "a genuine domain, abused for phishing"),
        (code(1, 105), "a genuine domain, abused for malware"),
        (code(1, 106), "a genuine domain, abused to control a botnet"),
    ],
};

/// Answers that are no listing, whatever the list: the first are Spamhaus's, and others took them over.
const REFUSALS: &[(Ipv4Addr, &str)] = &[
    (Ipv4Addr::new(127, 255, 255, 252), "the list's name is misspelt"),
    (Ipv4Addr::new(127, 255, 255, 254), "it refuses open and public resolvers"),
    (Ipv4Addr::new(127, 255, 255, 255), "this resolver has asked too much"),
    (code(1, 255), "it does not list addresses"),
    (code(0, 1), "it does not answer this resolver"),
];

/// Receivers with lists that nobody can ask.
const INTERNAL: &str = "Microsoft, Google, Yahoo, Apple, GMX and WEB.DE, and T-Online keep lists of their own: only their answers to mail \
     show what is on them";

/// What a list says.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Listed(String),
    Clean,
    /// And why.
    Unknown(String),
}

pub(super) fn check(inquiry: &mut Inquiry<'_>) {
    if !inquiry.subject().scope.blocklists {
        return;
    }
    let domain = inquiry.domain();
    let name = domain.to_text_without_dot();
    inquiry.topic("the block lists");
    if let Ok(question) = Name::parse(&format!("{name}.{}", DOMAINS.zone))
        && let Some(verdict) = verdict(inquiry, &DOMAINS, &question)
    {
        say(inquiry, &DOMAINS, &name, &verdict);
        if verdict == Verdict::Clean {
            inquiry.note(name.as_str(), format!("not on {}", DOMAINS.name));
        }
    }
    if matches!(inquiry.subject().mail, Some(MailUse::None | MailUse::Receive)) {
        return;
    }
    inquiry.note(name, INTERNAL);
    let Some(senders) = senders(inquiry) else { return };
    let mut all: Vec<IpAddr> = senders.iter().map(|sender| sender.address).filter(|a| is_public(*a)).collect();
    all.sort_unstable();
    all.dedup();
    for address in all.into_iter().take(ADDRESSES) {
        addresses(inquiry, address);
    }
}

fn addresses(inquiry: &mut Inquiry<'_>, address: IpAddr) {
    let text = address.to_string();
    let mut clean = Vec::new();
    for list in LISTS.iter().filter(|list| address.is_ipv4() || list.ipv6) {
        let Some(question) = reversed(address, list.zone) else { continue };
        match verdict(inquiry, list, &question) {
            Some(Verdict::Clean) => clean.push(list.name),
            Some(verdict) => say(inquiry, list, &text, &verdict),
            None => {}
        }
    }
    if !clean.is_empty() {
        inquiry.note(text, format!("not on {}", clean.join(", ")));
    }
}

/// RBL-01, RBL-02.
fn say(inquiry: &mut Inquiry<'_>, list: &BlockList, subject: &str, verdict: &Verdict) {
    match verdict {
        Verdict::Clean => {}
        Verdict::Listed(what) => {
            let message = format!("on {} ({what})", list.name);
            let remedy = format!("find out what was sent and stop it, then ask for removal at {}", list.page);
            let finding = Finding::new("RBL-01", list.severity, subject, message, remedy, "RFC 5782 section 2.1");
            inquiry.add(finding);
        }
        Verdict::Unknown(why) => {
            // Once for a list, however many addresses were asked for.
            let message = format!("{} gave no verdict: {why}; see {}", list.name, list.page);
            inquiry.find("RBL-02", inquiry.domain().to_text_without_dot(), message);
        }
    }
}

/// `None`: not asked yet.
fn verdict(inquiry: &mut Inquiry<'_>, list: &BlockList, question: &Name) -> Option<Verdict> {
    let own = inquiry.dns(question, RecordType::A)?;
    let listed = match read(list, &own) {
        Verdict::Unknown(why) => return Some(Verdict::Unknown(why)),
        other => other,
    };
    let test = match list.zone == DOMAINS.zone {
        true => Name::parse("dbltest.com.dbl.spamhaus.org").ok()?,
        false => reversed(IpAddr::from([127, 0, 0, 2]), list.zone)?,
    };
    match (&listed, read(list, &inquiry.dns(&test, RecordType::A)?)) {
        (_, Verdict::Unknown(why)) => Some(Verdict::Unknown(why)),
        (Verdict::Clean, Verdict::Clean) => Some(Verdict::Unknown(
            "it does not even list its test entry, so it does not answer this resolver".to_owned(),
        )),
        (Verdict::Clean, _) => Some(Verdict::Clean),
        _ if list.zone == DOMAINS.zone => Some(listed),
        _ => {
            let never = reversed(IpAddr::from([127, 0, 0, 1]), list.zone)?;
            match read(list, &inquiry.dns(&never, RecordType::A)?) {
                Verdict::Clean => Some(listed),
                _ => Some(Verdict::Unknown(
                    "it lists everybody: it is closed, or does not answer this resolver".to_owned(),
                )),
            }
        }
    }
}

/// What one answer says.
fn read(list: &BlockList, answer: &Answer) -> Verdict {
    let values = match answer {
        Answer::Records(values, _) => values,
        Answer::NoData | Answer::NxDomain => return Verdict::Clean,
        Answer::TempError | Answer::Unknown => return Verdict::Unknown("no answer from the DNS".to_owned()),
    };
    let codes: Vec<Ipv4Addr> = values
        .iter()
        .filter_map(|value| match value {
            Rdata::A(code) => Some(*code),
            _ => None,
        })
        .collect();
    if let Some((_, why)) = REFUSALS.iter().find(|(refusal, _)| codes.contains(refusal)) {
        return Verdict::Unknown((*why).to_owned());
    }
    if let Some(foreign) = codes.iter().find(|code| !code.is_loopback()) {
        return Verdict::Unknown(format!("it answers {foreign}, which is no code of a list"));
    }
    let mut words: Vec<String> = Vec::new();
    for code in codes {
        let known = list.codes.iter().find(|(known, _)| *known == code);
        let word = known.map_or_else(|| format!("code {code}"), |(_, word)| (*word).to_owned());
        if !words.contains(&word) {
            words.push(word);
        }
    }
    if words.is_empty() { Verdict::Clean } else { Verdict::Listed(words.join("; ")) }
}

/// The name that a list is asked for an address by (RFC 5782 sections 2.1 and 2.4).
fn reversed(address: IpAddr, zone: &str) -> Option<Name> {
    let reverse = reverse_name(address);
    let labels = if address.is_ipv4() { 4 } else { 32 };
    let labels: Vec<String> =
        reverse.labels().take(labels).map(|label| String::from_utf8_lossy(label).into_owned()).collect();
    Name::parse(&format!("{}.{zone}", labels.join("."))).ok()
}

const fn code(third: u8, last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, third, last)
}

#[cfg(test)]
mod tests {
    use mailzone_mailauth::Severity;
    use mailzone_record::RecordType;

    use super::*;
    use crate::rules::testing::World;

    /// A world where ZEN answers so for 192.0.2.25, and is in order.
    fn zen(answers: &str) -> World {
        answering("2.0.0.127 A 127.0.0.2", answers)
    }

    fn answering(test: &str, answers: &str) -> World {
        let lines: String = answers.split_whitespace().map(|code| format!("\n25.2.0.192 A {code}")).collect();
        let mut world = World::zones(&[
            ("example.test", "@ MX 10 mail\nmail A 192.0.2.25"),
            ("zen.spamhaus.org", &format!("{test}{lines}")),
        ]);
        world.subject.scope.blocklists = true;
        world
    }

    fn of_zen(world: &World, code: &str) -> Vec<Finding> {
        let findings = world.audit().into_findings();
        findings.filter(|finding| finding.code == code && finding.message.contains("ZEN")).collect()
    }

    fn domain(answers: &str) -> World {
        let zone = format!("dbltest.com A 127.0.1.2\n{answers}");
        let mut world = World::zones(&[("example.test", "@ MX 0 ."), ("dbl.spamhaus.org", &zone)]);
        world.subject.scope.blocklists = true;
        world
    }

    #[test]
    fn not_listed() {
        let world = zen("");
        assert_eq!((of_zen(&world, "RBL-01"), of_zen(&world, "RBL-02")), (vec![], vec![]));
        let notes = world.audit().notes;
        assert!(notes.iter().any(|note| note.text == "not on Spamhaus ZEN"), "{notes:?}");
        assert!(notes.iter().any(|note| note.text.starts_with("Microsoft, Google")), "{notes:?}");
    }

    #[test]
    fn every_code() {
        for list in LISTS {
            for (code, meaning) in list.codes {
                let answer = Answer::records([Rdata::A(*code)], mailzone_record::Ttl::ZERO);
                assert_eq!(read(list, &answer), Verdict::Listed((*meaning).to_owned()), "{} {code}", list.name);
            }
        }
        for (code, meaning) in LISTS.iter().find(|list| list.name == "Spamhaus ZEN").unwrap().codes {
            let found = of_zen(&zen(&code.to_string()), "RBL-01");
            assert_eq!(found.len(), 1, "{code}");
            assert_eq!(found[0].message, format!("on Spamhaus ZEN ({meaning})"));
            assert_eq!((found[0].severity, found[0].subject.as_str()), (Severity::Error, "192.0.2.25"));
            assert!(found[0].remedy.ends_with("https://check.spamhaus.org/"), "{}", found[0].remedy);
        }
        assert_eq!(of_zen(&zen("127.0.0.77"), "RBL-01")[0].message, "on Spamhaus ZEN (code 127.0.0.77)");
        let two = of_zen(&zen("127.0.0.2 127.0.0.9"), "RBL-01");
        assert_eq!(two[0].message, "on Spamhaus ZEN (SBL: a source of spam; DROP: a network of criminals)");
    }

    #[test]
    fn refused_is_unknown_and_never_clean() {
        for (code, why) in [
            ("127.255.255.252", "misspelt"),
            ("127.255.255.254", "open and public"),
            ("127.255.255.255", "too much"),
            ("127.0.0.1", "does not answer"),
            ("203.0.113.7", "203.0.113.7"),
        ] {
            let world = zen(code);
            let found = of_zen(&world, "RBL-02");
            assert!(found.len() == 1 && found[0].message.contains(why), "{code}: {found:?}");
            assert_eq!(of_zen(&world, "RBL-01"), []);
            assert!(!world.audit().notes.iter().any(|note| note.text.contains("not on Spamhaus ZEN")), "{code}");
        }
    }

    #[test]
    fn lists_that_do_not_list_their_test_entry() {
        let silent = answering("other A 127.0.0.2", "");
        assert_eq!(of_zen(&silent, "RBL-02").len(), 1);
        // A closed list that answers everything, and a listing besides.
        let closed = answering("* A 127.0.0.2", "");
        assert_eq!((of_zen(&closed, "RBL-01").len(), of_zen(&closed, "RBL-02").len()), (0, 1));
        let mut failing = World::new("@ MX 10 mail\nmail A 192.0.2.25");
        failing.subject.scope.blocklists = true;
        failing.fails("25.2.0.192.zen.spamhaus.org", RecordType::A);
        assert_eq!(of_zen(&failing, "RBL-02").len(), 1);
    }

    #[test]
    fn domains() {
        for (code, meaning) in DOMAINS.codes {
            let found = domain(&format!("example.test A {code}")).finds("RBL-01").only().clone();
            assert_eq!(found.message, format!("on Spamhaus DBL ({meaning})"));
        }
        domain("").lacks("RBL-01");
        domain("").lacks("RBL-02");
        for code in ["127.0.1.255", "127.255.255.254"] {
            domain(&format!("example.test A {code}")).finds("RBL-02").only();
        }
    }

    #[test]
    fn questions() {
        let asked = |address: &str| reversed(address.parse().unwrap(), "list.test").unwrap().to_text_without_dot();
        assert_eq!(asked("192.0.2.25"), "25.2.0.192.list.test");
        assert!(
            asked("2001:db8::25").starts_with("5.2.0.0.0.0.0.0.")
                && asked("2001:db8::25").ends_with("1.0.0.2.list.test")
        );
        let mut off = zen("127.0.0.2");
        off.subject.scope.blocklists = false;
        off.lacks("RBL-01");
    }
}
