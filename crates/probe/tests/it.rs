//! The probe against real servers on loopback: a root, a TLD, and the servers of zones, each with
//! its own 127.0.0.x address and all at one port, as on the Internet.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with its first surprise")]

use std::collections::HashSet;
use std::future::pending;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;
use std::time::Duration;

use mailzone_probe::latency::{self, Network, Plan, Reply, Statistic, Verdict, judge, measure, measure_resolvers};
use mailzone_probe::{
    Before, Delegation, Delegations, Ended, Expected, Health, Match, Outcome, Patience, Polite, Problem, State, Target,
    WalkError, Wire, check_once, check_resolvers, compare, given_servers, wait_until_visible,
};
use mailzone_record::{Name, RRset, Rdata, RecordType, Ttl, parse_rdata_text};
use mailzone_server::{Loss, Server, Switches, Zone};
use mailzone_wire::{Message, Query, Rcode, Record, Transport, decode_request, encode_response};

/// Long enough for a busy machine; nothing waits for it in vain.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a server's silence costs.
const LOST: Duration = Duration::from_millis(200);

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn names(text: &str) -> Vec<Name> {
    text.split_whitespace().map(name).collect()
}

/// A zone of lines `owner type data` with a SOA of its own; `@` is the apex.
fn zone(apex: &str, lines: &str) -> Zone {
    let origin = name(apex);
    let lines = format!("@ SOA ns m 1 2 3 4 60\n{lines}");
    let rrsets = lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| {
        let [owner, rtype, data] = line.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
        let rtype: RecordType = rtype.parse().unwrap();
        let rdata = parse_rdata_text(rtype, data, Some(&origin)).unwrap();
        let owner = Name::parse_in(owner, Some(&origin)).unwrap();
        RRset::new(owner, rtype, Ttl::from_secs(300), vec![rdata.into()])
    });
    Zone::new(name(apex), rrsets.collect(), Ttl::ZERO).unwrap()
}

fn host(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}

/// Servers at these last octets of 127.0.0.x, all at one port.
struct Net {
    port: u16,
    servers: Vec<(u8, Server)>,
}

impl Net {
    async fn start(zones: &[(u8, &[Zone])]) -> Self {
        'port: loop {
            let mut port = 0;
            let mut servers = Vec::new();
            for (last, zones) in zones {
                let Ok(server) = Server::start(SocketAddr::new(host(*last), port), zones.to_vec()).await else {
                    // Somebody has that port at another address: try one more.
                    continue 'port;
                };
                port = server.local_addr().port();
                servers.push((*last, server));
            }
            return Self { port, servers };
        }
    }

    fn at(&self, last: u8) -> SocketAddr {
        SocketAddr::new(host(last), self.port)
    }

    fn server(&self, last: u8) -> &Server {
        &self.servers.iter().find(|(at, _)| *at == last).unwrap().1
    }

    fn switch(&self, last: u8, switches: Switches) {
        self.server(last).handle().set_switches(switches);
    }

    fn asked(&self, last: u8) -> usize {
        self.server(last).handle().log().len()
    }

    fn delegations(&self) -> Delegations<Polite<Wire>> {
        Delegations::new(wire(PATIENCE), vec![self.at(1)], self.port)
    }

    async fn find(&self, zone: &str) -> Delegation {
        self.delegations().find(&name(zone)).await.unwrap()
    }

    fn addresses(&self, delegation: &Delegation) -> String {
        let list = delegation.servers.iter().map(|server| {
            let ips: Vec<_> = server.addresses.iter().map(|address| address.ip().to_string()).collect();
            format!("{}={}", server.name.as_ref().unwrap(), ips.join("+"))
        });
        list.collect::<Vec<_>>().join(" ")
    }
}

fn wire(timeout: Duration) -> Polite<Wire> {
    Polite::new(Wire { timeout }, 4, 64)
}

/// 1 is the root; 2 serves `test.`, 3 `net.` and the provider's own zone, 4 and 5 are the
/// provider's servers ns1 and ns2 (4 has another zone below `example.test.` too).
async fn internet() -> Net {
    let example = "
        @ NS ns1.dns.net.
        @ NS ns2.dns.net.
        @ TXT \"v=spf1 -all\"
        alias CNAME www
        away CNAME www.elsewhere.
        _dmarc TXT \"v=DMARC1; p=none\"
        *.wild TXT any";
    let provider = "
        @ NS ns1
        ns1 A 127.0.0.4
        ns2 A 127.0.0.5";
    let inner = "
        @ NS ns
        ns A 127.0.0.4";
    let moved = "
        @ NS ns1.dns.net.
        @ NS ns3.dns.net.";
    let glued = "
        @ NS ns.glued.test.
        ns A 127.0.0.4
        ns A 127.0.0.5";
    let both = zone("example.test", example);
    let root = "
        test. NS a.nic.test.
        a.nic.test. A 127.0.0.2
        net. NS a.nic.net.
        a.nic.net. A 127.0.0.3";
    let test = "
        example NS ns1.dns.net.
        example NS ns2.dns.net.
        example DS 1 8 2 00ff
        moved NS ns1.dns.net.
        moved NS ns2.dns.net.
        lame NS ns1.dns.net.
        glued NS ns.glued.test.
        ns.glued A 127.0.0.4
        unglued NS ns.unglued.test.
        loop NS ns.pool.test.
        pool NS ns.loop.test.
        nowhere NS ns9.dns.net.
        nowhere NS alias.dns.net.
        hosted NS ns.hosted
        ns.hosted A 127.0.0.2
        empty.below TXT x";
    let hosted = "
        @ NS ns
        away CNAME www.elsewhere.
        ns A 127.0.0.2";
    let provider_at_3 = format!("{provider}\nalias CNAME ns1");
    Net::start(&[
        (1, &[zone(".", root)]),
        (2, &[zone("test", test), zone("hosted.test", hosted)]),
        (3, &[zone("net", "dns NS ns1.dns\nns1.dns A 127.0.0.3"), zone("dns.net", &provider_at_3)]),
        (4, &[both.clone(), zone("inner.example.test", inner), zone("moved.test", moved), zone("glued.test", glued)]),
        (5, &[both, zone("moved.test", moved), zone("glued.test", glued)]),
    ])
    .await
}

#[tokio::test]
async fn walks_to_a_zone_whose_servers_have_no_glue() {
    let net = internet().await;
    let found = net.find("example.test").await;
    assert_eq!(found.parent, Some(name("test")));
    assert_eq!(found.parent_ns, names("ns1.dns.net ns2.dns.net"));
    assert_eq!(found.child_ns, found.parent_ns);
    assert_eq!(net.addresses(&found), "ns1.dns.net.=127.0.0.4 ns2.dns.net.=127.0.0.5");
    assert!(found.standings.iter().all(|s| matches!(s.health, Health::Authoritative(_))));
    assert_eq!((found.ds, found.problems.as_slice()), (Some(true), [].as_slice()));
    assert!(found.is_delegated() && found.down().is_empty());
    assert_eq!(compare(&found.parent_ns, &names("NS2.dns.net ns1.dns.net")), Match::Same);
}

#[tokio::test]
async fn remembers_the_way_and_never_the_zone_itself() {
    let net = internet().await;
    let delegations = net.delegations();
    // In a task of its own, as the engine runs zones.
    let task = tokio::spawn({
        let delegations = delegations.clone();
        async move { delegations.find(&name("example.test")).await }
    });
    let first = task.await.unwrap().unwrap();
    let (root, tld, provider) = (net.asked(1), net.asked(2), net.asked(3));
    let again = delegations.find(&name("example.test")).await.unwrap();
    assert_eq!((net.asked(1), net.asked(3)), (root, provider));
    // The NS and the DS RRset.
    assert_eq!(net.asked(2), tld + 2);
    assert_eq!(Delegation { queries: first.queries, ..again }, first);
    // A name below leads through the zone, and still the parent is asked for the zone's own sake.
    delegations.find(&name("_dmarc.example.test")).await.unwrap();
    let third = delegations.find(&name("example.test")).await.unwrap();
    assert_eq!(Delegation { queries: first.queries, ..third }, first);
}

#[tokio::test]
async fn sets_differ_and_lame_servers() {
    let net = internet().await;
    let moved = net.find("moved.test").await;
    let differ = Problem::SetsDiffer { only_parent: names("ns2.dns.net"), only_child: names("ns3.dns.net") };
    assert_eq!((moved.problems, moved.ds), (vec![differ], Some(false)));
    let lame = net.find("lame.test").await;
    assert!(matches!(lame.standings[0].health, Health::Lame(_)));
    assert_eq!(lame.down(), HashSet::from([net.at(4)]));
    net.switch(5, Switches { refused: true, ..Switches::default() });
    let refused = net.find("example.test").await;
    assert_eq!(refused.down(), HashSet::from([net.at(5)]));
}

#[tokio::test]
async fn glue() {
    let net = internet().await;
    let glued = net.find("glued.test").await;
    let differs =
        Problem::GlueDiffers { server: name("ns.glued.test"), glue: vec![host(4)], own: vec![host(4), host(5)] };
    assert_eq!(glued.problems, [differs]);
    assert_eq!(net.addresses(&glued), "ns.glued.test.=127.0.0.4+127.0.0.5");
    assert_eq!(glued.standings.len(), 2);
    let unglued = net.find("unglued.test").await;
    assert_eq!(unglued.problems, [Problem::GlueMissing(name("ns.unglued.test"))]);
    assert!(unglued.endpoints().is_empty() && unglued.is_delegated());
}

#[tokio::test]
async fn loops_dead_ends_and_aliases_end() {
    let net = internet().await;
    let looped = net.find("loop.test").await;
    assert!(matches!(&looped.problems[..], [Problem::NoAddress { reason: WalkError::NoAddress { .. }, .. }]));
    // The root, the zone, its DS, and each of the two name servers once.
    assert_eq!(looped.queries, 5);
    let nowhere = net.find("nowhere.test").await;
    let mut reasons: Vec<String> = nowhere.problems.iter().map(Problem::to_string).collect();
    reasons.sort();
    assert_eq!(
        reasons,
        [
            "alias.dns.net. cannot be asked: alias.dns.net. is an alias, which a name server's name must not be",
            "ns9.dns.net. cannot be asked: ns9.dns.net. has no address",
        ]
    );
}

#[tokio::test]
async fn names_that_are_no_zone() {
    let net = internet().await;
    for (asked, cut) in [
        ("_dmarc.example.test", "example.test"),
        ("nothing.at.all.example.test", "example.test"),
        ("alias.example.test", "example.test"),
        ("away.example.test", "example.test"),
        ("away.hosted.test", "hosted.test"),
        ("below.test", "test"),
        ("absent", "."),
    ] {
        let found = net.find(asked).await;
        assert_eq!(found.zone_cut, name(cut), "{asked}");
        assert!(!found.is_delegated() && found.servers.is_empty());
    }
}

#[tokio::test]
async fn a_parent_that_serves_the_zone_too() {
    let net = internet().await;
    let hosted = net.find("hosted.test").await;
    assert_eq!(hosted.problems, [Problem::ParentNotSeen]);
    assert_eq!((hosted.parent, hosted.parent_ns), (Some(name("test")), names("ns.hosted.test")));
    assert!(matches!(hosted.standings[0].health, Health::Authoritative(_)));
}

#[tokio::test]
async fn given_servers_and_unanswered_ways() {
    let net = internet().await;
    let ask = wire(LOST);
    let given = given_servers(&ask, &name("_dmarc.example.test"), &[net.at(4), net.at(2)]).await;
    assert_eq!((&given.zone_cut, net.asked(1)), (&name("example.test"), 0));
    assert_eq!(given.down(), HashSet::from([net.at(2)]));
    for alias in ["alias.example.test", "away.example.test"] {
        let alias = given_servers(&ask, &name(alias), &[net.at(4)]).await;
        assert_eq!((&alias.zone_cut, alias.down().len()), (&name("example.test"), 0));
    }
    // The other server has the zone above alone.
    let inner = given_servers(&ask, &name("inner.example.test"), &[net.at(5), net.at(4)]).await;
    assert_eq!((&inner.zone_cut, inner.down()), (&inner.zone, HashSet::from([net.at(5)])));
    net.switch(2, Switches { servfail: true, ..Switches::default() });
    let broken = net.delegations().find(&name("example.test")).await;
    assert_eq!(broken, Err(WalkError::Unanswered { zone: name("test"), asked: 1 }));
    let (servers, problems) = net.delegations().servers(&names("ns1.dns.net ns.example.test")).await;
    assert_eq!((servers[0].addresses.as_slice(), problems.len()), ([net.at(4)].as_slice(), 1));
}

#[tokio::test]
async fn a_server_from_before_edns() {
    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    let old = tokio::spawn(async move {
        let mut buffer = [0; 512];
        loop {
            let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
            let mut request = decode_request(&buffer[..length]).unwrap();
            let ns = Record { name: name("example"), ttl: Ttl::ZERO, rdata: Rdata::Ns(name("ns.example")) };
            let message = match request.edns.take() {
                Some(_) => Message { rcode: Rcode::FormErr, ..Message::default() },
                None => Message { authoritative: true, answers: vec![ns], ..Message::default() },
            };
            socket.send_to(&encode_response(&request, &message, 512).unwrap(), peer).await.unwrap();
        }
    });
    let given = given_servers(&wire(PATIENCE), &name("example"), &[address]).await;
    assert_eq!(given.standings[0].health, Health::Authoritative(names("ns.example")));
    old.abort();
}

fn txt(text: &str) -> Rdata {
    parse_rdata_text(RecordType::TXT, &format!("\"{text}\""), None).unwrap()
}

fn target(owner: &str, text: &str) -> Target {
    Target {
        zone: name("example"),
        name: name(owner),
        rtype: RecordType::TXT,
        expected: Expected::exactly(vec![txt(text)]),
        before: Before::Unknown,
    }
}

/// Three servers of one zone, whose TXT is `old`, under the addresses 1, 2 and 3.
async fn three() -> (Net, Vec<mailzone_probe::Endpoint>) {
    let old = [version("old")];
    let net = Net::start(&[(1, &old), (2, &old), (3, &old)]).await;
    let given = given_servers(&wire(PATIENCE), &name("example"), &[net.at(1), net.at(2), net.at(3)]).await;
    assert!(given.down().is_empty());
    (net, given.endpoints())
}

fn version(text: &str) -> Zone {
    let long = "x".repeat(200);
    let big: String = (0..9).map(|i| format!("\nbig TXT \"{i}{long}\"")).collect();
    zone("example", &format!("@ NS ns\n@ TXT {text}\n*.wild TXT {text}{big}"))
}

async fn wait(net: &Net, endpoints: &[mailzone_probe::Endpoint], down: &[u8], deadline: Duration) -> Outcome {
    let down = down.iter().map(|&last| net.at(last)).collect();
    let patience = Patience { deadline, ..Patience::default() };
    let (ask, endpoints, targets) = (wire(LOST), endpoints.to_vec(), [target("example", "new")]);
    // In a task of its own, as the engine runs zones.
    let wait = async move { wait_until_visible(&ask, &endpoints, &targets, &down, patience, |_| {}, pending()).await };
    tokio::spawn(wait).await.unwrap()
}

#[tokio::test]
async fn what_each_server_has() {
    let (net, endpoints) = three().await;
    net.server(1).handle().replace_zone(version("new"));
    net.switch(3, Switches { refused: true, ..Switches::default() });
    let wild = target("*.wild.example", "new");
    let absent = Target { expected: Expected::Absent, ..target("none.example", "") };
    let gone = target("none.example", "new");
    let seen = check_once(&wire(PATIENCE), &endpoints, &[target("example", "new"), wild, absent, gone]).await;
    let states: Vec<State> = seen.iter().map(|o| o.state).collect();
    use State::{Current, Lame, Missing, Stale};
    assert_eq!(states, [Current, Stale, Lame, Current, Stale, Lame, Current, Current, Lame, Missing, Missing, Lame]);
    assert_eq!(seen[1].answer, [txt("old")]);
    assert_eq!(seen[1].ttl, Ttl::from_secs(300));
}

#[tokio::test]
async fn what_does_not_fit_comes_over_tcp() {
    let (_net, endpoints) = three().await;
    let long = "x".repeat(200);
    let values = (0..9).map(|i| txt(&format!("{i}{long}"))).collect();
    let big = Target { expected: Expected::exactly(values), ..target("big.example", "") };
    let seen = check_once(&wire(PATIENCE), &endpoints[..1], &[big]).await;
    assert_eq!(seen[0].state, State::Current);
    assert_eq!(seen[0].took.unwrap().1, Transport::Tcp);
}

#[tokio::test]
async fn waits_for_the_slowest_server() {
    let (net, endpoints) = three().await;
    net.server(1).handle().replace_zone(version("new"));
    net.server(2).handle().replace_zone(version("new"));
    net.switch(3, Switches { stale: true, ..Switches::default() });
    net.server(3).handle().replace_zone(version("new"));
    let down = HashSet::new();
    let patience = Patience { deadline: PATIENCE, ..Patience::default() };
    let served = net.server(3).handle();
    let mut rounds = 0;
    // It accepts the change and serves it only once it was seen not to.
    let progress = |progress: &mailzone_probe::Progress<'_>| {
        rounds = progress.round;
        if progress.round == 2 {
            assert_eq!(progress.pending, 1);
            served.set_switches(Switches::default());
        }
    };
    let targets = [target("example", "new")];
    let outcome = wait_until_visible(&wire(PATIENCE), &endpoints, &targets, &down, patience, progress, pending()).await;
    assert_eq!((outcome.ended, rounds), (Ended::Visible, 3));
    let resolvers = check_resolvers(&wire(PATIENCE), &[net.at(2)], &outcome.visible).await;
    assert_eq!(resolvers[0].seen.state, State::Current);
}

#[tokio::test]
async fn a_server_that_never_serves_it_is_not_proven() {
    let (net, endpoints) = three().await;
    net.switch(3, Switches { stale: true, ..Switches::default() });
    for last in [1, 2, 3] {
        net.server(last).handle().replace_zone(version("new"));
    }
    let outcome = wait(&net, &endpoints, &[], Duration::from_millis(300)).await;
    assert_eq!(outcome.ended, Ended::Deadline);
    assert_eq!(outcome.observations.iter().map(|o| o.state).collect::<Vec<_>>()[2], State::Stale);
    let asked = net.asked(1);
    assert!(check_resolvers(&wire(PATIENCE), &[net.at(1)], &outcome.visible).await.is_empty());
    assert_eq!(net.asked(1), asked);
}

#[tokio::test]
async fn a_server_that_was_down_before_is_not_waited_for() {
    let (net, endpoints) = three().await;
    net.switch(3, Switches { drop_udp: true, ..Switches::default() });
    for last in [1, 2] {
        net.server(last).handle().replace_zone(version("new"));
    }
    let outcome = wait(&net, &endpoints, &[3], PATIENCE).await;
    assert_eq!((outcome.ended, outcome.observations[2].state), (Ended::Visible, State::Unreachable));
    let outcome = wait(&net, &endpoints, &[], Duration::from_millis(100)).await;
    assert_eq!(outcome.ended, Ended::Deadline);
}

fn plan(samples: usize) -> Plan {
    Plan { samples, timeout: PATIENCE, ..Plan::default() }
}

#[tokio::test]
async fn measures_losses_delays_and_refusals() {
    let (net, _) = three().await;
    let delay = Duration::from_millis(150);
    net.switch(1, Switches { loss: Loss::EveryNth(NonZeroU64::new(4).unwrap()), ..Switches::default() });
    net.switch(2, Switches { delay, ..Switches::default() });
    net.switch(3, Switches { refused: true, ..Switches::default() });
    let servers: Vec<_> = (1..=3).map(|last| mailzone_probe::Server::at(net.at(last))).collect();
    let plan = Plan { tcp: false, timeout: Duration::from_secs(1), ..plan(5) };
    let series = measure(&Network, &name("example"), &servers, &plan).await;
    // The fourth question of six is lost, and is one of the five that count.
    assert_eq!((series[0].figures().sent, series[0].figures().received), (5, 4));
    assert!(series[1].figures().min.unwrap() >= delay);
    assert_eq!(series[2].figures().received, 0);
    assert!(matches!(series[2].first.as_ref().unwrap().reply, Reply::Useless(..)));
    let slow = judge(&series[1..], Statistic::Min, Duration::from_millis(100));
    assert_eq!((slow.verdict, slow.fastest), (Some(Verdict::OverBudget), Some(0)));
    let all = judge(&series, Statistic::Min, Duration::from_millis(100));
    assert_eq!(all.over_budget[1..], [Some(true), Some(true)]);
}

#[tokio::test]
async fn measures_over_both_transports_and_nobody() {
    let (net, _) = three().await;
    let nobody = SocketAddr::new(host(9), net.port);
    let servers = [mailzone_probe::Server::at(net.at(1)), mailzone_probe::Server::at(nobody)];
    let series = measure(&Network, &name("example"), &servers, &plan(2)).await;
    let received: Vec<_> = series.iter().map(|s| (s.transport, s.figures().received, s.connect.is_some())).collect();
    use Transport::{Tcp, Udp};
    assert_eq!(received, [(Udp, 2, false), (Tcp, 2, true), (Udp, 0, false), (Tcp, 0, false)]);
    assert!(!series[2].is_unreachable_from_here());
    assert_eq!(judge(&series[2..], Statistic::Median, PATIENCE).verdict, Some(Verdict::OverBudget));
}

#[tokio::test]
async fn measures_resolvers_and_bare_samples() {
    let (net, _) = three().await;
    let series = measure_resolvers(&Network, &name("example"), &[net.at(1)], &plan(2)).await;
    assert_eq!((series[0].cold.figures().received, series[0].warm.figures().received), (2, 2));
    let query = Query::authoritative(name("example"), RecordType::SOA);
    let samples = latency::sample_udp(net.at(1), &query, 20, Duration::ZERO, PATIENCE).await.unwrap();
    assert_eq!(samples.iter().filter(|sample| sample.reply.rtt().is_some()).count(), 20);
    assert!(samples.is_sorted_by_key(|sample| sample.sent_at));
}
