//! Our server beside BIND, and before the eyes of dig, kdig and drill; signatures beside those of OpenDKIM and dkimpy.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with its first surprise")]

mod dkim;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mailzone_interop::{Named, Seen, Tool, ZoneText, name, tool};
use mailzone_record::{Name, RecordType};
use mailzone_server::Server;
use mailzone_wire::{Query, TcpChannel, Transport, UdpChannel, exchange};

const PATIENCE: Duration = Duration::from_secs(20);

const PARENT: ZoneText = ZoneText {
    apex: "example.",
    lines: r#"
        example. 3600 SOA ns.example. hostmaster.example. 2024010101 7200 900 1209600 300
        example. 3600 NS ns.example.
        example. 3600 NS ns.elsewhere.
        example. 3600 MX 10 mx.example.
        example. 3600 MX 20 backup.elsewhere.
        example. 600 TXT "v=spf1 mx ip4:192.0.2.0/24 -all"
        example. 600 TXT "quote \" backslash \\ semicolon ; \195\188" "second"
        example. 600 CAA 0 issue "ca.example; validationmethods=dns-01"
        ns.example. 3600 A 192.0.2.1
        ns.example. 3600 AAAA 2001:db8::1
        mx.example. 300 A 192.0.2.2
        _25._tcp.mx.example. 300 TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
        _dmarc.example. 600 TXT "v=DMARC1; p=none"
        s1._domainkey.example. 600 CNAME s1.keys.example.
        s1.keys.example. 600 TXT "v=DKIM1; p=" "MIIB"
        _imaps._tcp.example. 600 SRV 0 1 993 mx.example.
        www.example. 120 CNAME web.example.
        web.example. 120 A 192.0.2.3
        web.example. 120 A 192.0.2.4
        gone.example. 120 CNAME nothing.example.
        out.example. 120 CNAME www.elsewhere.
        into.example. 120 CNAME host.child.example.
        far.example. 120 CNAME x.cut.example.
        *.wild.example. 60 TXT "wild"
        *.wild.example. 60 MX 5 mx.example.
        host.wild.example. 60 A 192.0.2.5
        below.host.wild.example. 60 A 192.0.2.6
        *.alias.example. 60 CNAME web.example.
        sub.*.star.example. 60 A 192.0.2.7
        a.b.c.deep.example. 60 A 192.0.2.8
        cut.example. 900 NS ns.cut.example.
        cut.example. 900 NS ns.elsewhere.
        cut.example. 900 DS 12345 8 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
        ns.cut.example. 900 A 192.0.2.9
        child.example. 900 NS ns.example.
        moved.example. 240 DNAME web.example.
        here.example. 240 DNAME keys.example.
        odd.example. 60 TYPE65280 \# 4 c0000102
        odd.example. 60 TYPE65281 \# 0
        naptr.example. 60 NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:x@example.!" .
        spot\.ted.example. 60 A 192.0.2.10
    "#,
};

const CHILD: ZoneText = ZoneText {
    apex: "child.example.",
    lines: r#"
        child.example. 60 SOA ns.example. hostmaster.example. 1 7200 900 1209600 3600
        child.example. 900 NS ns.example.
        host.child.example. 900 A 192.0.2.20
    "#,
};

/// Names that are nowhere in the zones, and some that only exist because others are below them.
const OTHERS: &[&str] = &[
    "nothing.example.",
    "a.nothing.example.",
    "_tcp.example.",
    "_domainkey.example.",
    "deep.example.",
    "b.c.deep.example.",
    "x.c.deep.example.",
    "wild.example.",
    "x.wild.example.",
    "y.x.wild.example.",
    "x.host.wild.example.",
    "x.alias.example.",
    "star.example.",
    "x.star.example.",
    "sub.x.star.example.",
    "x.cut.example.",
    "y.x.cut.example.",
    "x.moved.example.",
    "s1.here.example.",
    "x.child.example.",
    "EXAMPLE.",
    "MX.Example.",
    "elsewhere.",
    "sample.",
];

const TYPES: &[RecordType] = &[
    RecordType::A,
    RecordType::AAAA,
    RecordType::NS,
    RecordType::SOA,
    RecordType::CNAME,
    RecordType::MX,
    RecordType::TXT,
    RecordType::SRV,
    RecordType::CAA,
    RecordType::TLSA,
    RecordType::DS,
    RecordType::DNAME,
    RecordType::NAPTR,
    RecordType(65280),
    RecordType(65281),
    RecordType(65282),
    RecordType::ANY,
];

fn questions() -> Vec<(Name, RecordType)> {
    let owners = [PARENT.owners(), CHILD.owners(), OTHERS.iter().map(|text| name(text)).collect()].concat();
    owners.iter().flat_map(|owner| TYPES.iter().map(|&rtype| (owner.clone(), rtype))).collect()
}

async fn ours(zones: &[ZoneText]) -> Server {
    let zones = zones.iter().map(ZoneText::zone).collect();
    Server::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), zones).await.unwrap()
}

#[tokio::test]
async fn answers_are_those_of_bind() {
    let Some(program) = tool("named") else { return };
    let named = Named::start(&program, &[PARENT, CHILD]).await;
    let server = ours(&[PARENT, CHILD]).await;
    let mut differences = Vec::new();
    let mut ours = UdpChannel::connect(server.local_addr()).await.unwrap();
    let mut theirs = UdpChannel::connect(named.address()).await.unwrap();
    let questions = questions();
    for (owner, rtype) in &questions {
        let query = Query::authoritative(owner.clone(), *rtype);
        let ours = Seen::of(&ours.ask(&query, PATIENCE).await.unwrap().message);
        let mut theirs = Seen::of(&theirs.ask(&query, PATIENCE).await.unwrap().message);
        // BIND adds addresses to an answer with name servers. We add them to referrals alone.
        if *rtype == RecordType::NS && !theirs.answers.is_empty() && theirs.authority.is_empty() {
            theirs.additional.clear();
        }
        if ours != theirs {
            differences.push(format!("{owner} {rtype}\n  ours   {ours:?}\n  theirs {theirs:?}"));
        }
    }
    assert!(questions.len() > 800, "{}", questions.len());
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dig_kdig_and_drill_read_the_same() {
    let programs = ["dig", "kdig", "drill"];
    let tools: Vec<_> = programs.into_iter().filter_map(|name| Some(Tool { name, path: tool(name)? })).collect();
    let server = ours(&[PARENT, CHILD]).await;
    let address = server.local_addr();
    let mut udp = UdpChannel::connect(address).await.unwrap();
    let mut tcp = TcpChannel::connect(address, PATIENCE).await.unwrap();
    // Each tool is a process of its own for each question: a selection.
    let selection = questions().into_iter().enumerate().filter(|(i, _)| i % 23 == 0).map(|(_, question)| question);
    for (owner, rtype) in selection {
        let query = Query { edns: false, ..Query::authoritative(owner.clone(), rtype) };
        let over_udp = udp.ask(&query, PATIENCE).await.unwrap().message;
        let over_tcp = tcp.ask(&query, PATIENCE).await.unwrap().message;
        for (transport, message) in [(Transport::Udp, over_udp), (Transport::Tcp, over_tcp)] {
            for tool in &tools {
                let seen = tool.ask(address, &owner, rtype, transport);
                assert_eq!(seen, Seen::of(&message), "{} {owner} {rtype} {transport}", tool.name);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_answer_is_cut_over_udp_and_whole_over_tcp() {
    let lines: String = (0..40).map(|i| format!("long. 60 TXT {i}-{}\n", "x".repeat(60))).collect();
    let lines = format!("long. 60 SOA ns.long. m.long. 1 2 3 4 5\nlong. 60 NS ns.elsewhere.\n{lines}");
    let zone = ZoneText { apex: "long.", lines: lines.leak() };
    let server = ours(&[zone]).await;
    let address = server.local_addr();
    let query = Query::authoritative(name("long."), RecordType::TXT);
    let whole = exchange(address, &query, PATIENCE).await.unwrap();
    assert!(whole.truncated_over_udp);
    let cut = Seen { rcode: "NOERROR".into(), authoritative: true, truncated: true, ..Seen::default() };
    for name in ["dig", "kdig", "drill"] {
        let Some(path) = tool(name) else { continue };
        let tool = Tool { name, path };
        assert_eq!(tool.ask(address, &query.name, query.rtype, Transport::Udp), cut, "{name}");
        assert_eq!(tool.ask(address, &query.name, query.rtype, Transport::Tcp), Seen::of(&whole.message), "{name}");
    }
    let Some(program) = tool("named") else { return };
    let named = Named::start(&program, &[zone]).await;
    let theirs = exchange(named.address(), &query, PATIENCE).await.unwrap();
    assert!(theirs.truncated_over_udp);
    assert_eq!(Seen::of(&theirs.message), Seen::of(&whole.message));
}
