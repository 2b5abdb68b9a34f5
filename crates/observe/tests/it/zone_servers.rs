//! Who answers for a domain, and how.

use std::collections::BTreeMap;

use mailzone_audit::{Failure, ServerState, Wish, ZoneServers};
use mailzone_observe::{Dns, Observer, SAMPLES, Settings, Sources, network};
use mailzone_probe::Ask;
use mailzone_record::RecordType;
use mailzone_server::Switches;
use mailzone_wire::{Message, Rcode, WireError};
use mailzone_wire::{decode_request, encode_response};
use tokio::net::UdpSocket;

use crate::support::{Authority, NOW, Script, at, free_port, later, name, record, served, zone};

async fn look<A: Ask>(ask: A, sources: Sources, domain: &str) -> Result<ZoneServers, Failure> {
    let settings = Settings::new(NOW, name("check.test"), Authority::new().trust());
    let observer = Observer::new(Dns::new(ask, sources), settings);
    let mut known = observer.known();
    observer.fulfil([Wish::Servers(name(domain))], &mut known, later()).await;
    known.facts.servers.remove(&name(domain)).unwrap()
}

#[tokio::test]
async fn servers_that_are_given() {
    let good = served(vec![zone("example.com", &[])]).await;
    let lame = served(vec![]).await;
    lame.handle().set_switches(Switches { refused: true, ..Switches::default() });
    // One that answers over UDP alone.
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let udp = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        loop {
            let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
            let request = decode_request(&buffer[..length]).unwrap();
            let answers = match request.rtype {
                RecordType::SOA => vec![record("example.com", 1, RecordType::SOA, "a. b. 8 1 1 1 1")],
                _ => vec![record("example.com", 1, RecordType::NS, "ns.other.")],
            };
            let message = Message { authoritative: true, answers, ..Message::default() };
            socket.send_to(&encode_response(&request, &message, 512).unwrap(), peer).await.unwrap();
        }
    });
    let nobody = format!("127.0.0.1:{}", free_port().await).parse().unwrap();
    let all = vec![good.local_addr(), lame.local_addr(), udp, nobody];
    let sources = Sources { zones: BTreeMap::from([(name("example.com"), all)]), ..Sources::default() };
    let found = look(network(), sources, "example.com").await.unwrap();
    assert_eq!((found.zone, found.parent_ns, found.ds), (Some(name("example.com")), None, None));
    assert_eq!(found.own_ns, [name("ns.example.com"), name("ns.other")]);
    assert_eq!(found.problems, ["The zone's servers have different NS records."]);
    let told: Vec<_> = found.servers.iter().map(|s| (&s.state, s.tcp, s.serial, s.median_us.is_some())).collect();
    assert_eq!(told[0], (&ServerState::Authoritative, Some(true), Some(7), true));
    assert_eq!(told[1], (&ServerState::Lame("REFUSED".into()), None, None, false));
    assert_eq!(told[2], (&ServerState::Authoritative, Some(false), Some(8), true));
    assert!(matches!(told[3], (ServerState::Unreachable(_), None, None, false)));
    let soas = good.handle().log().iter().filter(|e| matches!(e.question, Some((_, RecordType::SOA)))).count();
    assert_eq!(soas, SAMPLES + 1);
}

/// Roots at 192.0.2.1; `z.test` has two servers in the parent's eyes, both at this machine, where nothing listens.
#[tokio::test]
async fn servers_from_the_roots() {
    let port = free_port().await;
    let script = Script::new(move |server, query| {
        let ns = |host: &str| record("z.test", 60, RecordType::NS, &format!("{host}."));
        let authority = |answers| Message { answers, authoritative: true, ..Message::default() };
        if server == at(1) {
            if query.rtype == RecordType::DS {
                return Ok(authority(vec![record("z.test", 60, RecordType::DS, "1 13 2 00")]));
            }
            let glue = vec![record("ns1.z.test", 60, RecordType::A, "127.0.0.1")];
            let authority = vec![ns("ns1.z.test"), ns("ns2.z.test")];
            return Ok(Message { authority, additional: glue, ..Message::default() });
        }
        Ok(match query.rtype {
            RecordType::NS if query.name == name("z.test") => authority(vec![ns("ns1.z.test")]),
            RecordType::SOA if query.name == name("z.test") => {
                authority(vec![record("z.test", 60, RecordType::SOA, "a. b. 9 1 1 1 1")])
            }
            RecordType::A if query.name == name("ns1.z.test") => {
                authority(vec![record("ns1.z.test", 60, RecordType::A, "127.0.0.1")])
            }
            _ => Message {
                rcode: Rcode::NoError,
                authoritative: true,
                authority: vec![record("z.test", 60, RecordType::SOA, "a. b. 9 1 1 1 1")],
                ..Message::default()
            },
        })
    });
    let sources = Sources { roots: vec![at(1)], port, ..Sources::default() };
    // A name in the zone leads to the zone.
    for domain in ["z.test", "mail.z.test"] {
        let found = look(script.clone(), sources.clone(), domain).await.unwrap();
        assert_eq!((found.zone, found.ds), (Some(name("z.test")), Some(true)));
        assert_eq!(found.parent_ns, Some(vec![name("ns1.z.test"), name("ns2.z.test")]));
        assert_eq!(
            found.problems,
            [
                "The parent gives no address (glue) for ns2.z.test.",
                "The NS records of parent and zone differ; only the parent has ns2.z.test."
            ]
        );
        let server = &found.servers[0];
        assert_eq!((found.servers.len(), &server.name, server.serial), (1, &name("ns1.z.test"), Some(9)));
        assert_eq!((server.tcp, server.median_us), (Some(false), Some(10_000)));
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_to_begin_with() {
    let silent = Script::new(|_, _| Err(WireError::Timeout));
    assert!(look(silent.clone(), Sources::default(), "a.test").await.unwrap_err().here);
    let roots = Sources { roots: vec![at(1)], ..Sources::default() };
    assert!(!look(silent, roots.clone(), "a.test").await.unwrap_err().here);
    let away = Script::new(|_, _| Err(WireError::NoRoute));
    assert!(look(away, roots, "a.test").await.unwrap_err().here);
}
