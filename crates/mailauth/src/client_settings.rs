//! How mail programs find their servers: SRV (RFC 2782, 6186, 8314, 6764), autoconfig, autodiscover.

use std::collections::{BTreeMap, BTreeSet};

use mailzone_record::{Name, Rdata, RecordType, Srv};

use crate::finding::{Finding, Severity};
use crate::kind::{Class, Difference, Equality, Kind, KindId, LiveSlot, Recognition};
use crate::set::{self, Sets};
use crate::txt;

/// The kind `client_settings`: whole RRsets, SRV of the [`SERVICES`] and what stands at the [`HOSTS`].
///
/// Classes: servers that come are neutral, servers that go tighten, both is mixed, the last going, or giving way to
/// "not offered", breaks. Priorities and weights alone are neutral.
#[derive(Debug, Clone, Copy)]
pub struct ClientSettings;

/// A service that mail programs look for by SRV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// Its key in the configuration.
    pub key: &'static str,
    /// Its labels before the domain.
    pub prefix: &'static str,
    /// The port where none is given.
    pub port: u16,
    /// The service that is the same in clear text, or with TLS only if both sides ask for it, and needs this one
    /// beside it.
    pub covers: Option<&'static str>,
    /// Whether it is about mail, so that a program that uses it has to send too.
    pub is_mail: bool,
}

/// The services, in the order in which a person reads them.
pub static SERVICES: &[Service] = &[
    service("imaps", "_imaps._tcp", 993, Some("imap"), true),
    service("imap", "_imap._tcp", 143, None, true),
    service("pop3s", "_pop3s._tcp", 995, Some("pop3"), true),
    service("pop3", "_pop3._tcp", 110, None, true),
    service("submissions", "_submissions._tcp", 465, None, true),
    service("submission", "_submission._tcp", 587, None, true),
    service("autodiscover", "_autodiscover._tcp", 443, None, false),
    service("caldavs", "_caldavs._tcp", 443, None, false),
    service("carddavs", "_carddavs._tcp", 443, None, false),
];

/// Names below a domain that mail programs ask over HTTP.
pub static HOSTS: &[&str] = &["autoconfig", "autodiscover"];

const fn service(
    key: &'static str,
    prefix: &'static str,
    port: u16,
    covers: Option<&'static str>,
    is_mail: bool,
) -> Service {
    Service { key, prefix, port, covers, is_mail }
}

/// The service of this key.
pub fn service_of(key: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.key == key)
}

/// The record that says that a service is not offered (RFC 2782, target `.`).
pub fn not_offered() -> Srv {
    Srv { priority: 0, weight: 0, port: 0, target: Name::root() }
}

/// What is wrong between the services of a domain, as the configuration has them by key.
pub fn between(domain: &Name, services: &BTreeMap<&str, Vec<Srv>>) -> Vec<Finding> {
    let offered = |key: &str| services.get(key).is_some_and(|list| list.iter().any(|srv| !srv.target.is_root()));
    let subject = txt::subject(domain);
    let mut found = Vec::new();
    let mut warn = |code, message: String, remedy: String, reference| {
        found.push(Finding::new(code, Severity::Warning, subject.as_str(), message, remedy, reference));
    };
    for Service { key, covers, .. } in SERVICES {
        if let Some(plain) = covers.filter(|plain| offered(plain) && !offered(key)) {
            let message = format!("`{plain}` is offered without `{key}`: programs may send passwords in clear text");
            warn("SRV-03", message, format!("name `client_settings.{key}`"), "RFC 8314 section 4.1");
        }
    }
    if SERVICES.iter().any(|service| service.is_mail && offered(service.key)) && !offered("submissions") {
        let message = "no `submissions` (port 465): programs find no way to send with TLS from the start".to_owned();
        warn("SRV-04", message, "name `client_settings.submissions`".to_owned(), "RFC 8314 section 5.1");
    }
    found
}

impl Kind for ClientSettings {
    fn id(&self) -> KindId {
        KindId::ClientSettings
    }

    fn recognise(&self, _rdata: &Rdata) -> Recognition {
        Recognition::Candidate
    }

    fn equal(&self, _owner: &Name, a: &[&Rdata], b: &[&Rdata]) -> Equality {
        match set::equal(a, b, set::folded) {
            Equality::Different if effect(a).is_some_and(|effect| Some(effect) == self::effect(b)) => {
                Equality::Equivalent
            }
            equality => equality,
        }
    }

    fn difference(&self, owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Difference {
        let equality = self.equal(owner, before, after);
        if let Some(none) = set::unchanged(equality) {
            return none;
        }
        let offers = |values: &[&Rdata]| !values.iter().all(|value| is_not_offered(value));
        let class = match equality {
            Equality::Equivalent => Class::Cosmetic,
            _ if !offers(before) => Class::Neutral,
            _ if !offers(after) => Class::Breaks,
            _ => Sets::of(before, after, place).class(),
        };
        Difference { class, details: Sets::of(before, after, set::folded).details(term, |value| self.describe(value)) }
    }

    fn describe(&self, rdata: &Rdata) -> String {
        match rdata {
            Rdata::Srv(srv) if srv.target.is_root() => "not offered".to_owned(),
            Rdata::Srv(Srv { priority, weight, port, target }) => {
                let rank = match (priority, weight) {
                    (0, 0 | 1) => String::new(),
                    _ => format!(" (priority {priority}, weight {weight})"),
                };
                format!("{}:{port}{rank}", target.to_text_without_dot())
            }
            Rdata::Cname(target) => target.to_text_without_dot(),
            other => other.to_string(),
        }
    }

    fn lint(&self, owner: &Name, values: &[&Rdata]) -> Vec<Finding> {
        let subject = txt::subject(owner);
        let servers: BTreeSet<&Name> = values.iter().filter_map(|value| target(value)).collect();
        let mut found = Vec::new();
        let mut add = |code, severity, message: String, remedy: &str, reference: &str| {
            found.push(Finding::new(code, severity, subject.as_str(), message, remedy, reference));
        };
        for server in &servers {
            let text = server.to_text_without_dot();
            let is_address = text.parse::<std::net::IpAddr>().is_ok();
            if is_address || server.labels().any(|label| label.contains(&b'_')) {
                let message = format!("the server {text} is no host name: it has no addresses");
                add("SRV-01", Severity::Error, message, "name a host with A or AAAA records", "RFC 2782");
            }
        }
        if servers.len() > 1 && servers.contains(&Name::root()) {
            let message = "\"not offered\" beside servers".to_owned();
            add("SRV-02", Severity::Warning, message, "keep one or the other", "RFC 2782");
        }
        found
    }

    fn slot_at(&self, owner: &Name, rtype: RecordType, values: &[&Rdata]) -> Option<LiveSlot> {
        let slot = |domain, key: &str| Some(LiveSlot { domain, key: Some(key.to_owned()) });
        match rtype {
            RecordType::SRV | RecordType::TXT => {
                let found = SERVICES.iter().find_map(|service| {
                    let (name, protocol) = service.prefix.split_once('.')?;
                    Some((service, txt::below(owner, &[name, protocol])?))
                });
                let (service, domain) = found?;
                let ours = rtype == RecordType::SRV || values.iter().any(|value| path(value).is_some());
                if ours { slot(domain, service.key) } else { None }
            }
            RecordType::CNAME | RecordType::A | RecordType::AAAA => {
                let (host, domain) = HOSTS.iter().find_map(|host| Some((*host, txt::below(owner, &[*host])?)))?;
                slot(domain, host)
            }
            _ => None,
        }
    }
}

/// The path of a calendar or address book server (RFC 6764 section 4).
pub fn path(rdata: &Rdata) -> Option<String> {
    Some(txt::text(rdata)?.strip_prefix("path=")?.to_owned())
}

fn target<'a>(rdata: &&'a Rdata) -> Option<&'a Name> {
    match rdata {
        Rdata::Srv(srv) => Some(&srv.target),
        _ => None,
    }
}

fn is_not_offered(rdata: &Rdata) -> bool {
    target(&rdata).is_some_and(Name::is_root)
}

/// Where programs go, whatever the order in which they try.
fn place(rdata: &Rdata) -> (u16, Vec<u8>) {
    match rdata {
        Rdata::Srv(srv) => (srv.port, srv.target.to_lowercase().to_string().into_bytes()),
        other => set::folded(other),
    }
}

/// Priority, weight where it counts, port, target.
type Effective = (u16, Option<u16>, u16, Name);

/// What programs do with a set of SRV: a weight says nothing where only one record has the priority, and nothing at
/// all does where the service is not offered. `None` if there is other data, or none.
fn effect(values: &[&Rdata]) -> Option<BTreeSet<Effective>> {
    let mut ranks: BTreeMap<u16, BTreeSet<(u16, u16, Name)>> = BTreeMap::new();
    for value in values {
        let Rdata::Srv(Srv { priority, weight, port, target }) = value else { return None };
        ranks.entry(*priority).or_default().insert((*weight, *port, target.to_lowercase()));
    }
    if values.iter().all(|value| is_not_offered(value)) {
        return (!values.is_empty()).then(BTreeSet::new);
    }
    let effects = ranks.into_iter().flat_map(|(priority, servers)| {
        let alone = servers.len() == 1;
        servers.into_iter().map(move |(weight, port, target)| (priority, (!alone).then_some(weight), port, target))
    });
    Some(effects.collect())
}

fn term(rdata: &Rdata) -> String {
    match rdata {
        Rdata::Srv(_) => "server".to_owned(),
        Rdata::A(_) => "ipv4".to_owned(),
        Rdata::Aaaa(_) => "ipv6".to_owned(),
        Rdata::Txt(_) => "path".to_owned(),
        other => other.rtype().to_string().to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use mailzone_record::Txt;
    use proptest::prelude::*;

    use super::*;
    use crate::kind::Detail;
    use crate::set::tests::{laws, name, refs};

    fn srv(text: &str) -> Srv {
        let mut parts = text.split(' ');
        let mut number = || parts.next().unwrap().parse().unwrap();
        let (priority, weight, port) = (number(), number(), number());
        Srv { priority, weight, port, target: name(parts.next().unwrap()) }
    }

    fn set_of(text: &str) -> Vec<Rdata> {
        text.split(", ").filter(|v| !v.is_empty()).map(|text| Rdata::Srv(srv(text))).collect()
    }

    #[test]
    fn equality_and_class() {
        let owner = name("_imaps._tcp.example.com");
        for (a, b, equality, class) in [
            ("0 1 993 a.b", "0 1 993 a.b", Equality::Identical, Class::Neutral),
            ("0 1 993 A.b", "0 1 993 a.B", Equality::Same, Class::Cosmetic),
            ("0 1 993 a.b", "0 0 993 a.b", Equality::Equivalent, Class::Cosmetic),
            ("0 1 993 a.b, 5 1 993 c.d", "0 9 993 a.b, 5 0 993 c.d", Equality::Equivalent, Class::Cosmetic),
            ("0 0 0 .", "0 1 993 .", Equality::Equivalent, Class::Cosmetic),
            ("0 1 993 a.b, 0 1 993 c.d", "0 1 993 a.b, 0 2 993 c.d", Equality::Different, Class::Neutral),
            ("0 1 993 a.b", "1 1 993 a.b", Equality::Different, Class::Neutral),
            ("0 1 993 a.b", "0 1 994 a.b", Equality::Different, Class::Mixed),
            ("0 1 993 a.b", "0 1 993 a.b, 1 1 993 c.d", Equality::Different, Class::Neutral),
            ("0 1 993 a.b, 1 1 993 c.d", "0 1 993 a.b", Equality::Different, Class::Tightens),
            ("0 1 993 a.b", "0 0 0 .", Equality::Different, Class::Breaks),
            ("0 1 993 a.b", "", Equality::Different, Class::Breaks),
            ("0 0 0 .", "0 1 993 a.b", Equality::Different, Class::Neutral),
            ("", "0 0 0 .", Equality::Different, Class::Neutral),
        ] {
            let (a, b) = (set_of(a), set_of(b));
            assert_eq!(ClientSettings.equal(&owner, &refs(&a), &refs(&b)), equality, "{a:?} {b:?}");
            assert_eq!(ClientSettings.difference(&owner, &refs(&a), &refs(&b)).class, class, "{a:?} {b:?}");
        }
        let (a, b) = (set_of("0 1 993 a.b"), set_of("5 1 993 a.b"));
        let details = ClientSettings.difference(&owner, &refs(&a), &refs(&b)).details;
        assert_eq!(details, [Detail::changed("server", "a.b:993", "a.b:993 (priority 5, weight 1)")]);
    }

    #[test]
    fn lints_of_one_set() {
        let codes = |text: &str| -> Vec<String> {
            ClientSettings.lint(&name("x"), &refs(&set_of(text))).into_iter().map(|f| f.code).collect()
        };
        assert!(codes("0 1 993 a.b, 0 1 993 c.d").is_empty() && codes("0 0 0 .").is_empty());
        assert_eq!(codes("0 0 0 ., 0 1 993 a.b"), ["SRV-02"]);
        assert_eq!(codes("0 1 993 192.0.2.1"), ["SRV-01"]);
        assert_eq!(codes("0 1 993 _mail.example"), ["SRV-01"]);
    }

    #[test]
    fn lints_between_services() {
        let codes = |services: &[(&'static str, &str)]| -> Vec<String> {
            let services = services.iter().map(|(key, text)| (*key, vec![srv(text)])).collect();
            between(&name("example.com"), &services).into_iter().map(|f| f.code).collect()
        };
        assert_eq!(codes(&[("imaps", "0 1 993 a.b"), ("submissions", "0 1 465 a.b")]), [""; 0]);
        assert_eq!(codes(&[("imaps", "0 1 993 a.b")]), ["SRV-04"]);
        assert_eq!(codes(&[("imap", "0 1 143 a.b"), ("submissions", "0 1 465 a.b")]), ["SRV-03"]);
        assert_eq!(
            codes(&[("pop3", "0 1 110 a.b"), ("pop3s", "0 0 0 ."), ("submissions", "0 0 0 .")]),
            ["SRV-03", "SRV-04"]
        );
        assert_eq!(codes(&[("caldavs", "0 1 443 a.b"), ("imap", "0 0 0 .")]), [""; 0]);
    }

    #[test]
    fn slots() {
        let at = |owner: &str, rtype, value: Rdata| {
            ClientSettings
                .slot_at(&name(owner), rtype, &[&value])
                .map(|slot| (slot.domain.to_string(), slot.key.unwrap()))
        };
        let key = |key: &str| Some(("example.com.".to_owned(), key.to_owned()));
        let any = || Rdata::Srv(srv("0 1 993 a.b"));
        assert_eq!(at("_IMAPS._tcp.example.com", RecordType::SRV, any()), key("imaps"));
        assert_eq!(at("_autodiscover._tcp.example.com", RecordType::SRV, any()), key("autodiscover"));
        assert_eq!(at("autoconfig.example.com", RecordType::CNAME, Rdata::Cname(name("a.b"))), key("autoconfig"));
        let txt = |text: &str| Rdata::Txt(Txt::from_text(text));
        assert_eq!(at("_caldavs._tcp.example.com", RecordType::TXT, txt("path=/dav")), key("caldavs"));
        assert_eq!(at("_caldavs._tcp.example.com", RecordType::TXT, txt("other")), None);
        assert_eq!(at("_sip._tcp.example.com", RecordType::SRV, any()), None);
        assert_eq!(at("autoconfig", RecordType::CNAME, Rdata::Cname(name("a.b"))), None);
    }

    proptest! {
        #[test]
        fn holds_the_laws(sets in prop::array::uniform3(prop::collection::vec((0u16..3, 0u16..3, 0usize..6), 0..4))) {
            let hosts = [".", "a.b", "A.b", "c.d", "e.f"];
            let sets = sets.map(|set| {
                let value = |(priority, weight, host): (u16, u16, usize)| match hosts.get(host) {
                    Some(host) => Rdata::Srv(Srv { priority, weight, port: 993, target: name(host) }),
                    None => Rdata::Cname(name("a.b")),
                };
                set.into_iter().map(value).collect::<Vec<_>>()
            });
            laws(&ClientSettings, &name("_imaps._tcp.example.com"), [&sets[0], &sets[1], &sets[2]]);
        }
    }
}
