//! Who answers for a domain, and how.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mailzone_audit::{Failure, NameServer, ServerState, ZoneServers};
use mailzone_probe::{Ask, Delegation, Health, Problem, Standing, given_servers};
use mailzone_record::{Name, Rdata, RecordType};
use mailzone_wire::{Message, Query, TcpChannel};
use tokio::task::JoinSet;

use crate::Dns;

/// Answers whose median is told.
pub const SAMPLES: usize = 5;

/// Addresses that are looked at more closely; those beyond are listed with their state alone.
pub const MAX_SERVERS: usize = 32;

/// How long a connection over TCP, and then its answer, may take.
pub const TCP_TIME: Duration = Duration::from_secs(3);

/// The servers of the zone that `domain` is in: from the roots, or those that are given for it.
///
/// Each address that answers as an authority is asked for its SOA [`SAMPLES`] times over UDP, one after the other,
/// and once over TCP. `Failure::here` where neither servers nor roots are known.
pub(crate) async fn servers<A: Ask>(dns: &Dns<A>, domain: &Name) -> Result<ZoneServers, Failure> {
    let delegation = match (dns.given(domain), dns.delegations()) {
        (Some((zone, addresses)), _) => given_servers(dns.asker(), zone, addresses).await,
        (None, Some(delegations)) => {
            let failed = |error: mailzone_probe::WalkError| {
                let here = matches!(&error, mailzone_probe::WalkError::Unanswered { zone, asked: 0 } if zone.is_root());
                Failure { message: error.to_string(), here }
            };
            let found = delegations.find(domain).await.map_err(failed)?;
            match found.is_delegated() {
                true => found,
                false => delegations.find(&found.zone_cut).await.map_err(failed)?,
            }
        }
        (None, None) => {
            return Err(Failure { message: "no root server is known to begin at".to_owned(), here: true });
        }
    };
    Ok(look(dns, delegation).await)
}

async fn look<A: Ask>(dns: &Dns<A>, delegation: Delegation) -> ZoneServers {
    let zone = delegation.zone_cut.clone();
    let mut servers: Vec<NameServer> = delegation.standings.iter().map(|standing| server(standing, &zone)).collect();
    let mut running = JoinSet::new();
    for (at, standing) in delegation.standings.iter().enumerate().take(MAX_SERVERS) {
        if !matches!(standing.health, Health::Authoritative(_)) {
            continue;
        }
        let (ask, zone, address) = (dns.asker().clone(), zone.clone(), standing.endpoint.address);
        running.spawn(async move {
            let (samples, tcp) = tokio::join!(samples(&ask, &zone, address), over_tcp(&zone, address));
            (at, samples, tcp)
        });
    }
    while let Some(done) = running.join_next().await {
        let Ok((at, (serial, median_us), tcp)) = done else { continue };
        if let Some(server) = servers.get_mut(at) {
            (server.serial, server.median_us, server.tcp) = (serial, median_us, Some(tcp));
        }
    }
    ZoneServers {
        parent_ns: delegation.parent.as_ref().map(|_| delegation.parent_ns.clone()),
        own_ns: delegation.child_ns,
        servers,
        problems: delegation.problems.iter().map(sentence).collect(),
        ds: delegation.ds,
        zone: Some(zone),
    }
}

fn server(standing: &Standing, zone: &Name) -> NameServer {
    let state = match &standing.health {
        Health::Authoritative(_) => ServerState::Authoritative,
        Health::Lame(rcode) => ServerState::Lame(rcode.to_string()),
        Health::Unreachable(error) if error.is_unreachable_from_here() => ServerState::NoRoute,
        Health::Unreachable(error) => ServerState::Unreachable(error.to_string()),
    };
    let name = standing.endpoint.server.clone().unwrap_or_else(|| zone.clone());
    let address = standing.endpoint.address.ip();
    NameServer { name, address, state, tcp: None, serial: None, median_us: None }
}

/// The serial and the median time of the answers; what is lost is not counted.
async fn samples(ask: &impl Ask, zone: &Name, address: SocketAddr) -> (Option<u32>, Option<u64>) {
    let mut serial = None;
    let mut times: Vec<u64> = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let query = Query::authoritative(zone.clone(), RecordType::SOA);
        match ask.ask(address, query).await {
            Ok(exchange) => {
                serial = serial.or_else(|| serial_of(&exchange.message, zone));
                times.push(u64::try_from(exchange.rtt.as_micros()).unwrap_or(u64::MAX));
            }
            // One lost packet is an accident; a server that is silent now would cost its time-out each time.
            Err(_) if times.is_empty() => break,
            Err(_) => {}
        }
    }
    times.sort_unstable();
    (serial, times.get(times.len() / 2).copied())
}

async fn over_tcp(zone: &Name, address: SocketAddr) -> bool {
    let Ok(mut channel) = TcpChannel::connect(address, TCP_TIME).await else { return false };
    let answer = channel.ask(&Query::authoritative(zone.clone(), RecordType::SOA), TCP_TIME).await;
    answer.is_ok_and(|exchange| serial_of(&exchange.message, zone).is_some())
}

fn serial_of(message: &Message, zone: &Name) -> Option<u32> {
    message.answers_of(zone, RecordType::SOA).find_map(|record| match &record.rdata {
        Rdata::Soa(soa) => Some(soa.serial),
        _ => None,
    })
}

/// A problem as a sentence.
fn sentence(problem: &Problem) -> String {
    match problem {
        Problem::GlueMissing(host) => format!("The parent gives no address (glue) for {}.", show(host)),
        Problem::GlueDiffers { server, glue, own } => format!(
            "The parent gives {} as address of {}, the zone itself {}.",
            addresses(glue),
            show(server),
            addresses(own)
        ),
        Problem::NoAddress { server, reason } => format!("The name server {} has no address: {reason}.", show(server)),
        Problem::SetsDiffer { only_parent, only_child } => {
            let mut text = "The NS records of parent and zone differ".to_owned();
            for (who, names) in [("parent", only_parent), ("zone", only_child)] {
                if !names.is_empty() {
                    // Writing to a string cannot fail.
                    let _ = write!(text, "; only the {who} has {}", list(names.iter().map(show)));
                }
            }
            text + "."
        }
        Problem::ServersDisagree => "The zone's servers have different NS records.".to_owned(),
        Problem::ParentNotSeen => {
            "The parent's servers answer for the zone too, so what the parent itself holds is not seen.".to_owned()
        }
        other => format!("{other:?}."),
    }
}

fn show(name: &Name) -> String {
    name.to_text_without_dot()
}

fn addresses(ips: &[IpAddr]) -> String {
    if ips.is_empty() { "none".to_owned() } else { list(ips.iter().map(IpAddr::to_string)) }
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
