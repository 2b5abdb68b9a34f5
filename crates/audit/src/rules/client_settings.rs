//! How mail programs find their servers (rule book 10).

use std::collections::BTreeMap;

use mailzone_mailauth::client_settings::{ClientSettings, SERVICES, between};
use mailzone_mailauth::lookup::Answer;
use mailzone_mailauth::{Kind, Severity};
use mailzone_record::{Name, Rdata, RecordType, Srv};

use super::hosts::{addresses, is_host};
use crate::Inquiry;

/// Servers of one service that are looked at.
const SERVERS: usize = 8;

pub(super) fn check(inquiry: &mut Inquiry<'_>) {
    let domain = inquiry.domain();
    let mut services: BTreeMap<&str, Vec<Srv>> = BTreeMap::new();
    for service in SERVICES {
        // Most domains have none: that is nothing to speak of.
        inquiry.topic("");
        let Ok(owner) = domain.prepend(service.prefix) else { continue };
        let Some(values) = inquiry.records(&owner, RecordType::SRV) else { continue };
        let values: Vec<&Rdata> = values.iter().filter(|value| matches!(value, Rdata::Srv(_))).collect();
        if values.is_empty() {
            continue;
        }
        for finding in ClientSettings.lint(&owner, &values) {
            inquiry.add(finding);
        }
        let list: Vec<Srv> = values.iter().filter_map(|value| srv(value)).take(SERVERS).cloned().collect();
        for value in values.iter().take(SERVERS) {
            inquiry.note(owner.to_text_without_dot(), ClientSettings.describe(value));
        }
        for server in list.iter().filter(|srv| is_host(&srv.target)) {
            target(inquiry, &owner, server);
            elsewhere(inquiry, &owner, server);
        }
        services.insert(service.key, list);
    }
    for finding in between(domain, &services) {
        // Its remedies are keys of a configuration; the table's are records.
        inquiry.find(&finding.code, domain.to_text_without_dot(), finding.message);
    }
    autodiscover(inquiry, services.get("autodiscover").map(Vec::as_slice).unwrap_or_default());
}

/// SRV-01.
fn target(inquiry: &mut Inquiry<'_>, owner: &Name, server: &Srv) {
    let (name, host) = (owner.to_text_without_dot(), server.target.to_text_without_dot());
    inquiry.topic("whether the servers for mail programs have addresses");
    if let Some(Answer::Records(values, _)) = inquiry.dns_at(&server.target, RecordType::A)
        && let Some(Rdata::Cname(to)) = values.first()
    {
        let message = format!("{host} is an alias of {}", to.to_text_without_dot());
        inquiry.find("SRV-01", name.as_str(), message);
    }
    let found = addresses(inquiry, &server.target);
    if found.list.is_empty() && found.complete {
        inquiry.find("SRV-01", name, format!("{host} has no address"));
    }
}

/// SRV-05, as far as names tell: a certificate for the mail domain would satisfy the client too.
fn elsewhere(inquiry: &mut Inquiry<'_>, owner: &Name, server: &Srv) {
    let mail = SERVICES.iter().filter(|service| service.is_mail);
    let is_mail = mail.into_iter().any(|service| inquiry.domain().prepend(service.prefix).ok().as_ref() == Some(owner));
    if is_mail && !server.target.is_at_or_below(inquiry.domain()) {
        let message = format!(
            "{} is in another domain: programs ask their users, unless its certificate names {}",
            server.target.to_text_without_dot(),
            inquiry.domain().to_text_without_dot()
        );
        inquiry.find_as("SRV-05", Severity::Info, owner.to_text_without_dot(), message);
    }
}

/// SRV-06.
fn autodiscover(inquiry: &mut Inquiry<'_>, services: &[Srv]) {
    let offered: Vec<&Srv> = services.iter().filter(|srv| !srv.target.is_root()).collect();
    let Ok(owner) = inquiry.domain().prepend("autodiscover") else { return };
    inquiry.topic("");
    let Some(Answer::Records(values, _)) = inquiry.dns_at(&owner, RecordType::A) else { return };
    let alias = values.iter().find_map(|value| match value {
        Rdata::Cname(to) => Some(to),
        _ => None,
    });
    match alias {
        Some(to) => inquiry.note(owner.to_text_without_dot(), to.to_text_without_dot()),
        None => inquiry.note(owner.to_text_without_dot(), "has addresses"),
    }
    let Some(first) = offered.first() else { return };
    let same = |srv: &&Srv| Some(&srv.target) == alias || srv.target == owner;
    let (severity, relation) = match offered.iter().all(same) {
        true => (Severity::Info, "the same"),
        false => (Severity::Warning, "another"),
    };
    let message = format!("by name, and by SRV with {relation} target ({})", first.target.to_text_without_dot());
    inquiry.find_as("SRV-06", severity, owner.to_text_without_dot(), message);
}

fn srv<'a>(value: &&'a Rdata) -> Option<&'a Srv> {
    match value {
        Rdata::Srv(srv) => Some(srv),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use mailzone_mailauth::Severity;
    use mailzone_record::RecordType;

    use crate::rules::testing::World;

    const GOOD: &str = "_imaps._tcp SRV 0 1 993 mail\n_submissions._tcp SRV 0 1 465 mail\nmail A 192.0.2.25";

    #[test]
    fn good_records() {
        for zone in [GOOD, ""] {
            for code in 1..=6 {
                World::new(zone).lacks(&format!("SRV-{code:02}"));
            }
        }
    }

    #[test]
    fn servers_without_addresses() {
        World::new(&GOOD.replace("mail A 192.0.2.25", "mail CNAME host\nhost A 192.0.2.25")).finds("SRV-01");
        World::new(&GOOD.replace("mail A", "other A")).finds("SRV-01");
        let mut open = World::new("_submissions._tcp SRV 0 1 465 mail.elsewhere.test.");
        open.fails("mail.elsewhere.test", RecordType::A);
        open.lacks("SRV-01");
    }

    #[test]
    fn services() {
        World::new(&format!("{GOOD}\n_imaps._tcp SRV 0 0 0 .")).finds("SRV-02").only();
        World::new(&GOOD.replace("_imaps._tcp SRV 0 1 993", "_imap._tcp SRV 0 1 143")).finds("SRV-03").only();
        World::new(&GOOD.replace("_submissions", "_submission")).finds("SRV-04").only();
        let zone = "_submissions._tcp SRV 0 1 465 mail.provider.test.";
        let world = World::zones(&[("example.test", zone), ("provider.test", "mail A 192.0.2.25")]);
        assert_eq!(world.finds("SRV-05").only().severity, Severity::Info);
    }

    #[test]
    fn autodiscover_twice() {
        let zone = |target: &str| format!("{GOOD}\n_autodiscover._tcp SRV 0 1 443 {target}\nautodiscover CNAME mail");
        assert_eq!(World::new(&zone("mail")).finds("SRV-06").only().severity, Severity::Info);
        let other = World::new(&format!("{}\nother A 192.0.2.26", zone("other")));
        assert_eq!(other.finds("SRV-06").only().severity, Severity::Warning);
        World::new(&format!("{GOOD}\nautodiscover CNAME mail")).lacks("SRV-06");
    }
}
