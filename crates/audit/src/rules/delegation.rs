//! Delegation and name servers: rule book 23 (first step) and 22.

use std::collections::BTreeSet;
use std::net::IpAddr;

use mailzone_mailauth::Severity;
use mailzone_record::Name;

use super::hosts::network;
use crate::{Inquiry, Measure, NameServer, ServerState, ZoneServers};

/// The fastest server's median over which look-ups are slow, in microseconds.
const SLOW: u64 = 100_000;
/// How far serials that are times may be apart, in seconds.
const SKEW: u32 = 300;

pub(super) fn check(inquiry: &mut Inquiry<'_>) {
    if !inquiry.subject().scope.servers {
        return;
    }
    inquiry.topic("the name servers");
    let domain = inquiry.domain();
    match inquiry.servers(domain) {
        Some(Ok(servers)) => judge(inquiry, servers),
        Some(Err(failure)) => {
            inquiry.note(domain.to_text_without_dot(), format!("name servers: not known: {}", failure.message));
        }
        None => {}
    }
}

fn judge(inquiry: &mut Inquiry<'_>, zone: &ZoneServers) {
    let name = zone.zone.as_ref().unwrap_or_else(|| inquiry.domain()).to_text_without_dot();
    let mut faults = 0_usize;
    for server in &zone.servers {
        note(inquiry, server);
        if let Some((severity, message)) = fault(server) {
            faults += 1;
            inquiry.find_as("PROP-01", severity, name.as_str(), message);
        }
        if server.tcp == Some(false) && server.state == ServerState::Authoritative {
            inquiry.find("PROP-05", name.as_str(), format!("{} does not answer over TCP", shown(server)));
        }
    }
    let mut healthy = true;
    if let Some(message) = sets(zone) {
        healthy = false;
        inquiry.find("PROP-02", name.as_str(), message);
    }
    serials(inquiry, &name, zone);
    if let Some(message) = alone(zone) {
        healthy = false;
        inquiry.find("PROP-04", name.as_str(), message);
    }
    for problem in &zone.problems {
        healthy = false;
        inquiry.find("DELEG-02", name.as_str(), problem.as_str());
    }
    latency(inquiry, &name, zone);
    let asked = zone.servers.iter().filter(|server| server.state != ServerState::NoRoute).count();
    if let Some(share) = ((asked - faults.min(asked)) * 100).checked_div(asked) {
        let share = u8::try_from(share).unwrap_or(0);
        let why = format!("{} of {asked} servers answer", asked - faults.min(asked));
        match healthy {
            true => inquiry.measure(Measure::Delegation, share, why),
            false => inquiry.measure(Measure::Delegation, share / 2, format!("{why}, and the delegation has a fault")),
        }
    }
}

/// PROP-01. That a server is not reached may be a matter of the network in between.
fn fault(server: &NameServer) -> Option<(Severity, String)> {
    match &server.state {
        ServerState::Lame(code) => {
            Some((Severity::Error, format!("{} does not answer for the zone ({code})", shown(server))))
        }
        ServerState::Unreachable(why) => Some((Severity::Warning, format!("{} does not answer: {why}", shown(server)))),
        ServerState::Authoritative | ServerState::NoRoute => None,
    }
}

/// PROP-02.
fn sets(zone: &ZoneServers) -> Option<String> {
    let parent: BTreeSet<&Name> = zone.parent_ns.as_ref()?.iter().collect();
    let own: BTreeSet<&Name> = zone.own_ns.iter().collect();
    if parent == own || own.is_empty() || parent.is_empty() {
        return None;
    }
    let list = |names: Vec<&&Name>| match names.as_slice() {
        [] => "none".to_owned(),
        _ => names.iter().map(|name| name.to_text_without_dot()).collect::<Vec<_>>().join(", "),
    };
    let (above, below) = (list(parent.difference(&own).collect()), list(own.difference(&parent).collect()));
    Some(format!("named by the parent alone: {above}; by the zone alone: {below}"))
}

/// PROP-03. Serials say how far apart servers are only where they are times.
fn serials(inquiry: &mut Inquiry<'_>, name: &str, zone: &ZoneServers) {
    let mut serials: Vec<u32> = zone.servers.iter().filter_map(|server| server.serial).collect();
    serials.sort_unstable();
    serials.dedup();
    let [first, .., last] = serials.as_slice() else { return };
    // Dates such as 2026112201 are later than any clock.
    let times = *first > 1_000_000_000 && i64::from(*last) <= inquiry.now() + 86_400;
    let apart = times && last - first > SKEW;
    let severity = if apart { Severity::Warning } else { Severity::Info };
    let listed: Vec<String> = serials.iter().map(ToString::to_string).collect();
    inquiry.find_as("PROP-03", severity, name, format!("serials {} at this moment", listed.join(", ")));
}

/// PROP-04.
fn alone(zone: &ZoneServers) -> Option<String> {
    let names: BTreeSet<&Name> = zone.servers.iter().map(|server| &server.name).collect();
    let networks = |v4: bool| {
        let own = zone.servers.iter().map(|server| server.address).filter(|address| IpAddr::is_ipv4(address) == v4);
        own.map(network).collect::<BTreeSet<_>>().len()
    };
    match names.len() {
        0 => None,
        1 => Some("only one name server".to_owned()),
        _ if networks(true) <= 1 && networks(false) <= 1 => Some("all name servers are in one network".to_owned()),
        _ => None,
    }
}

/// LATENCY-01.
fn latency(inquiry: &mut Inquiry<'_>, name: &str, zone: &ZoneServers) {
    if let Some(fastest) = zone.servers.iter().filter_map(|server| server.median_us).min()
        && fastest > SLOW
    {
        let message = format!("the fastest server takes {} ms", fastest / 1000);
        inquiry.find("LATENCY-01", name, message);
    }
}

fn note(inquiry: &mut Inquiry<'_>, server: &NameServer) {
    let state = match &server.state {
        ServerState::Authoritative => match server.median_us {
            Some(median) => format!("{}.{} ms", median / 1000, median % 1000 / 100),
            None => "answers".to_owned(),
        },
        ServerState::Lame(code) => format!("does not answer for the zone ({code})"),
        ServerState::Unreachable(why) => format!("does not answer: {why}"),
        ServerState::NoRoute => "not asked: no route from here".to_owned(),
    };
    inquiry.note(server.name.to_text_without_dot(), format!("{} {state}", server.address));
}

fn shown(server: &NameServer) -> String {
    format!("{} ({})", server.name.to_text_without_dot(), server.address)
}

#[cfg(test)]
mod tests {
    use mailzone_mailauth::Severity;
    use mailzone_record::Name;

    use crate::rules::testing::World;
    use crate::{Failure, Measure, NameServer, ServerState, ZoneServers};

    const CODES: [&str; 7] = ["PROP-01", "PROP-02", "PROP-03", "PROP-04", "PROP-05", "DELEG-02", "LATENCY-01"];

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn server(host: &str, address: &str) -> NameServer {
        NameServer {
            name: name(host),
            address: address.parse().unwrap(),
            state: ServerState::Authoritative,
            tcp: Some(true),
            serial: Some(7),
            median_us: Some(20_000),
        }
    }

    fn good() -> ZoneServers {
        let ns = vec![name("ns1.example.test"), name("ns2.example.test")];
        ZoneServers {
            zone: Some(name("example.test")),
            parent_ns: Some(ns.clone()),
            own_ns: ns,
            servers: vec![server("ns1.example.test", "192.0.2.53"), server("ns2.example.test", "198.51.100.53")],
            ..ZoneServers::default()
        }
    }

    fn world(change: impl Fn(&mut ZoneServers)) -> World {
        let mut servers = good();
        change(&mut servers);
        let mut world = World::new("");
        world.subject.scope.servers = true;
        world.facts.servers.insert(world.subject.domain.clone(), Ok(servers));
        world
    }

    #[test]
    fn a_good_delegation() {
        let world = world(|_| {});
        for code in CODES {
            world.lacks(code);
        }
        assert_eq!(world.audit().measures.get(&Measure::Delegation).unwrap().share, 100);
    }

    #[test]
    fn servers_that_do_not_answer() {
        let lame = world(|zone| zone.servers[0].state = ServerState::Lame("REFUSED".to_owned()));
        assert_eq!(lame.finds("PROP-01").only().severity, Severity::Error);
        assert_eq!(lame.audit().measures.get(&Measure::Delegation).unwrap().share, 50);
        let dead = world(|zone| zone.servers[0].state = ServerState::Unreachable("no answer".to_owned()));
        assert_eq!(dead.finds("PROP-01").only().severity, Severity::Warning);
        world(|zone| zone.servers[0].state = ServerState::NoRoute).lacks("PROP-01");
        world(|zone| zone.servers[1].tcp = Some(false)).finds("PROP-05").only();
        world(|zone| zone.servers[1].tcp = None).lacks("PROP-05");
    }

    #[test]
    fn sets_and_serials() {
        let other = world(|zone| zone.own_ns = vec![name("ns1.example.test"), name("ns3.example.test")]);
        let message = other.finds("PROP-02").only().message.clone();
        assert_eq!(message, "named by the parent alone: ns2.example.test; by the zone alone: ns3.example.test");
        world(|zone| zone.parent_ns = None).lacks("PROP-02");
        assert_eq!(world(|zone| zone.servers[0].serial = Some(8)).finds("PROP-03").only().severity, Severity::Info);
        let times = world(|zone| {
            zone.servers[0].serial = Some(1_799_990_000);
            zone.servers[1].serial = Some(1_799_999_000);
        });
        assert_eq!(times.finds("PROP-03").only().severity, Severity::Warning);
    }

    #[test]
    fn what_fails_together() {
        world(|zone| zone.servers.truncate(1)).finds("PROP-04").only();
        world(|zone| zone.servers[1].address = "192.0.2.54".parse().unwrap()).finds("PROP-04").only();
        let problem = world(|zone| zone.problems.push("ns1.example.test has no glue".to_owned()));
        problem.finds("DELEG-02").only();
        assert_eq!(problem.audit().measures.get(&Measure::Delegation).unwrap().share, 50);
    }

    #[test]
    fn slow_servers() {
        world(|zone| zone.servers.iter_mut().for_each(|s| s.median_us = Some(150_000))).finds("LATENCY-01").only();
        world(|zone| zone.servers[0].median_us = Some(150_000)).lacks("LATENCY-01");
    }

    #[test]
    fn not_known_is_no_fault() {
        let mut world = world(|_| {});
        let failure = Failure { message: "the time was over".to_owned(), here: true };
        world.facts.servers.insert(world.subject.domain.clone(), Err(failure));
        for code in CODES {
            world.lacks(code);
        }
        assert!(!world.audit().measures.contains_key(&Measure::Delegation));
    }
}
