//! The server on loopback, asked by our own client.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with its first surprise")]

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use mailzone_record::{Name, Opaque, RRset, Rdata, RecordType, Ttl, parse_rdata_text};
use mailzone_server::{Handle, Loss, Outcome, Server, Switches, Zone, ZoneError};
use mailzone_wire::{Exchange, Message, Query, Rcode, TcpChannel, Transport, UdpChannel, WireError, exchange};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Long enough for a busy machine; nothing waits for it in vain.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a test waits for an answer that cannot come.
const LOST: Duration = Duration::from_millis(50);

const ZONE: &str = "
    example. 300 SOA ns.example. mail.example. 7 3600 900 604800 60
    example. 300 NS ns.example.
    example. 300 MX 10 mx.example.
    example. 300 TXT \"v=spf1 -all\" \"second string\"
    ns.example. 300 A 192.0.2.1
    deep.empty.example. 300 A 192.0.2.2
    alias.example. 300 CNAME www.example.
    www.example. 60 A 192.0.2.3
    dangling.example. 300 CNAME nowhere.example.
    out.example. 300 CNAME www.elsewhere.
    loop.example. 300 CNAME pool.example.
    pool.example. 300 CNAME loop.example.
    far.example. 300 CNAME mail.sub.example.
    *.wild.example. 300 TXT wild
    *.wild.example. 300 MX 5 mx.example.
    host.wild.example. 300 A 192.0.2.4
    sub.example. 300 NS ns.sub.example.
    sub.example. 300 NS ns.elsewhere.
    sub.example. 300 DS 1 8 2 00ff
    ns.sub.example. 300 A 192.0.2.5
    hidden.sub.example. 300 TXT glue-only
    old.example. 300 DNAME new.example.
    x.new.example. 300 TXT moved
    odd.example. 300 TYPE65280 \\# 3 c00001
";

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn rrsets(lines: &str) -> Vec<RRset> {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let [owner, ttl, rtype, data] = line.splitn(4, ' ').collect::<Vec<_>>().try_into().unwrap();
            let rtype: RecordType = rtype.parse().unwrap();
            let rdata = parse_rdata_text(rtype, data, None).unwrap();
            RRset::new(name(owner), rtype, Some(Ttl::parse(ttl).unwrap()), vec![rdata.into()])
        })
        .collect()
}

fn zone(apex: &str, lines: &str) -> Zone {
    Zone::new(name(apex), rrsets(lines), Ttl::parse("1h").unwrap()).unwrap()
}

fn small(apex: &str, text: &str) -> Zone {
    zone(apex, &format!("{apex} 300 SOA ns.{apex} m.{apex} 1 2 3 4 600\n{apex} 300 TXT {text}"))
}

async fn start(zones: Vec<Zone>) -> Server {
    Server::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), zones).await.unwrap()
}

async fn ask(server: &Server, owner: &str, rtype: RecordType) -> Message {
    exchange(server.local_addr(), &Query::authoritative(name(owner), rtype), PATIENCE).await.unwrap().message
}

/// A message for people: flags and records.
fn show(message: &Message) -> String {
    let flag = |set, text| if set { text } else { "" };
    let mut text =
        format!("{}{}{}\n", message.rcode, flag(message.authoritative, " aa"), flag(message.truncated, " tc"));
    for (title, records) in [("an", &message.answers), ("ns", &message.authority), ("ar", &message.additional)] {
        for r in records {
            text += &format!("{title} {} {} {} {}\n", r.name, r.ttl, r.rtype(), r.rdata);
        }
    }
    text
}

#[tokio::test]
async fn answers_as_an_authoritative_server() {
    use RecordType as T;
    let server = start(vec![zone("example.", ZONE)]).await;
    let soa = "ns example. 60 SOA ns.example. mail.example. 7 3600 900 604800 60\n";
    let nodata = format!("NOERROR aa\n{soa}");
    let nxdomain = format!("NXDOMAIN aa\n{soa}");
    let referral = "NOERROR\nns sub.example. 300 NS ns.sub.example.\nns sub.example. 300 NS ns.elsewhere.\n\
                    ar ns.sub.example. 300 A 192.0.2.5\n";
    let table: &[(&str, T, &str)] = &[
        ("example.", T::MX, "NOERROR aa\nan example. 300 MX 10 mx.example.\n"),
        ("EXAMPLE.", T::TXT, "NOERROR aa\nan EXAMPLE. 300 TXT \"v=spf1 -all\" \"second string\"\n"),
        ("example.", T::AAAA, &nodata),
        ("nowhere.example.", T::A, &nxdomain),
        ("empty.example.", T::A, &nodata),
        ("a.ns.example.", T::A, &nxdomain),
        (
            "alias.example.",
            T::A,
            "NOERROR aa\nan alias.example. 300 CNAME www.example.\nan www.example. 60 A 192.0.2.3\n",
        ),
        ("alias.example.", T::CNAME, "NOERROR aa\nan alias.example. 300 CNAME www.example.\n"),
        ("alias.example.", T::MX, &format!("NOERROR aa\nan alias.example. 300 CNAME www.example.\n{soa}")),
        ("dangling.example.", T::A, &format!("NXDOMAIN aa\nan dangling.example. 300 CNAME nowhere.example.\n{soa}")),
        ("out.example.", T::A, "NOERROR aa\nan out.example. 300 CNAME www.elsewhere.\n"),
        (
            "loop.example.",
            T::A,
            "NOERROR aa\nan loop.example. 300 CNAME pool.example.\nan pool.example. 300 CNAME loop.example.\n",
        ),
        (
            "far.example.",
            T::A,
            &referral.replacen("NOERROR\n", "NOERROR aa\nan far.example. 300 CNAME mail.sub.example.\n", 1),
        ),
        ("a.b.wild.example.", T::TXT, "NOERROR aa\nan a.b.wild.example. 300 TXT \"wild\"\n"),
        ("a.wild.example.", T::A, &nodata),
        ("wild.example.", T::TXT, &nodata),
        ("*.wild.example.", T::TXT, "NOERROR aa\nan *.wild.example. 300 TXT \"wild\"\n"),
        ("host.wild.example.", T::TXT, &nodata),
        ("a.host.wild.example.", T::TXT, &nxdomain),
        ("sub.example.", T::A, referral),
        ("sub.example.", T::NS, referral),
        ("hidden.sub.example.", T::TXT, referral),
        ("a.b.sub.example.", T::ANY, referral),
        ("sub.example.", T::DS, "NOERROR aa\nan sub.example. 300 DS 1 8 2 00ff\n"),
        ("below.sub.example.", T::DS, referral),
        ("old.example.", T::A, &nodata),
        (
            "x.old.example.",
            T::TXT,
            "NOERROR aa\nan old.example. 300 DNAME new.example.\n\
                                    an x.old.example. 300 CNAME x.new.example.\nan x.new.example. 300 TXT \"moved\"\n",
        ),
        ("odd.example.", T(65280), "NOERROR aa\nan odd.example. 300 TYPE65280 \\# 3 c00001\n"),
        ("www.example.", T::ANY, "NOERROR aa\nan www.example. 60 A 192.0.2.3\n"),
        ("other.", T::A, "REFUSED\n"),
        ("example.", T::AXFR, "REFUSED\n"),
        ("example.", T::TSIG, "FORMERR\n"),
        ("example.", T(254), "NOTIMP\n"),
    ];
    for (owner, rtype, expected) in table {
        let message = ask(&server, owner, *rtype).await;
        assert_eq!(show(&message), reshow(expected), "{owner} {rtype}");
    }
    server.stop().await;
}

/// The same text with record data as `Rdata` prints it.
fn reshow(text: &str) -> String {
    let line = |line: &str| match line.splitn(5, ' ').collect::<Vec<_>>()[..] {
        [section, owner, ttl, rtype, data] => {
            let rdata = parse_rdata_text(rtype.parse().unwrap(), data, None).unwrap();
            format!("{section} {owner} {ttl} {rtype} {rdata}\n")
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[tokio::test]
async fn the_case_of_the_question_comes_back() {
    let server = start(vec![small("example.", "x")]).await;
    let message = ask(&server, "eXaMpLe.", RecordType::TXT).await;
    assert!(message.answers[0].name.eq_case(&name("eXaMpLe.")));
}

#[tokio::test]
async fn the_longest_zone_answers() {
    let parent = "example. 300 SOA ns.example. m.example. 1 2 3 4 600\ninto.example. 300 CNAME a.example.";
    let server = start(vec![zone("example.", parent), small("a.example.", "child")]).await;
    // A chain ends where the zone does: the other one is asked for itself.
    let chain = show(&ask(&server, "into.example.", RecordType::TXT).await);
    assert_eq!(chain, "NOERROR aa\nan into.example. 300 CNAME a.example.\n");
    assert_eq!(ask(&server, "a.example.", RecordType::TXT).await.answers[0].rdata.to_string(), "\"child\"");
    assert_eq!(ask(&server, "x.a.example.", RecordType::TXT).await.authority[0].name, name("a.example."));
    assert_eq!(ask(&server, "a.example.", RecordType::DS).await.authority[0].name, name("example."));
    assert_eq!(ask(&server, "example.", RecordType::DS).await.authority[0].name, name("example."));
    assert!(server.handle().remove_zone(&name("A.example.")));
    assert_eq!(ask(&server, "a.example.", RecordType::TXT).await.rcode, Rcode::NxDomain);
    assert!(!server.handle().remove_zone(&name("a.example.")));
}

#[tokio::test]
async fn what_does_not_fit_comes_over_tcp() {
    let long = "x".repeat(250);
    let lines: String = (0..6).map(|i| format!("example. 300 TXT {i}{long}\n")).collect();
    let soa = "example. 300 SOA ns.example. m.example. 1 2 3 4 5\n";
    let server = start(vec![zone("example.", &format!("{soa}{lines}"))]).await;
    let query = Query::authoritative(name("example."), RecordType::TXT);
    let whole = exchange(server.local_addr(), &query, PATIENCE).await.unwrap();
    assert_eq!((whole.transport, whole.truncated_over_udp, whole.attempts), (Transport::Tcp, true, 1));
    assert_eq!(whole.message.answers.len(), 6);
    let mut udp = UdpChannel::connect(server.local_addr()).await.unwrap();
    let cut = udp.ask(&query, PATIENCE).await.unwrap().message;
    assert_eq!(show(&cut), "NOERROR aa tc\n");
    assert!(cut.edns);

    // 1,232 octets with EDNS, 512 without.
    let server =
        start(vec![zone("example.", &format!("{soa}{}", lines.lines().take(3).collect::<Vec<_>>().join("\n")))]).await;
    assert_eq!(exchange(server.local_addr(), &query, PATIENCE).await.unwrap().transport, Transport::Udp);
    let plain = Query { edns: false, ..query };
    let over_tcp = exchange(server.local_addr(), &plain, PATIENCE).await.unwrap();
    assert_eq!((over_tcp.transport, over_tcp.message.edns), (Transport::Tcp, false));
}

#[tokio::test]
async fn text_without_a_wire_form_is_servfail_and_reported() {
    let rtype = RecordType(65281);
    let text = Rdata::Opaque(Opaque::Text { rtype, text: "what is this".into() });
    let mut sets = rrsets("example. 300 SOA ns.example. m.example. 1 2 3 4 5\nexample. 300 A 192.0.2.1");
    sets.push(RRset::new(name("example."), rtype, None, vec![text.into()]));
    let zone = Zone::new(name("example."), sets, Ttl::MAX).unwrap();
    assert_eq!(zone.unservable().iter().map(ToString::to_string).collect::<Vec<_>>(), ["example. TYPE65281"]);
    let server = start(vec![zone]).await;
    assert_eq!(ask(&server, "example.", rtype).await.rcode, Rcode::ServFail);
    assert_eq!(ask(&server, "example.", RecordType::A).await.rcode, Rcode::NoError);
    assert_eq!(ask(&server, "example.", RecordType::ANY).await.answers.len(), 2);
}

#[test]
fn what_is_no_zone() {
    let make = |lines: &str| Zone::new(name("example."), rrsets(lines), Ttl::MAX).unwrap_err().to_string();
    let soa = "example. 300 SOA ns.example. m.example. 1 2 3 4 5\n";
    assert_eq!(make("example. 300 A 192.0.2.1"), "example. has no SOA record");
    assert_eq!(make(&format!("{soa}{}", soa.replace('1', "2"))), "example. has more than one SOA record");
    assert_eq!(make(&format!("{soa}a.test. 1 A 192.0.2.1")), "a.test. is outside the zone example.");
    assert_eq!(
        make(&format!("{soa}a.example. 1 CNAME b.\na.example. 1 TXT x")),
        "a.example. has a CNAME record and other data"
    );
    let twice = format!("{soa}a.example. 1 CNAME b.\na.example. 1 CNAME c.");
    let error = Zone::new(name("example."), rrsets(&twice), Ttl::MAX).unwrap_err();
    assert_eq!(error, ZoneError::CnameAndOther { name: name("a.example.") });
}

/// Asks once over UDP without waiting long where no answer is expected.
async fn once(server: &Server, timeout: Duration) -> Result<Exchange, WireError> {
    let mut channel = UdpChannel::connect(server.local_addr()).await?;
    channel.ask(&Query::authoritative(name("example."), RecordType::TXT), timeout).await
}

async fn over_tcp(server: &Server, timeout: Duration) -> Result<Exchange, WireError> {
    let mut channel = TcpChannel::connect(server.local_addr(), PATIENCE).await?;
    channel.ask(&Query::authoritative(name("example."), RecordType::TXT), timeout).await
}

fn outcomes(handle: &Handle) -> Vec<Outcome> {
    handle.log().into_iter().map(|entry| entry.outcome).collect()
}

#[tokio::test]
async fn switches_and_the_log() {
    let server = start(vec![small("example.", "x")]).await;
    let handle = server.handle();
    let set = |switches| {
        handle.set_switches(switches);
        handle.clear_log();
    };

    set(Switches { servfail: true, ..Switches::default() });
    assert_eq!(once(&server, PATIENCE).await.unwrap().message.rcode, Rcode::ServFail);
    set(Switches { refused: true, ..Switches::default() });
    assert_eq!(over_tcp(&server, PATIENCE).await.unwrap().message.rcode, Rcode::Refused);
    assert_eq!(outcomes(&handle), [Outcome::Answered(Rcode::Refused)]);

    set(Switches { truncate_udp: true, ..Switches::default() });
    assert!(once(&server, PATIENCE).await.unwrap().truncated_over_udp);
    assert!(!over_tcp(&server, PATIENCE).await.unwrap().message.truncated);
    assert_eq!(outcomes(&handle), [Outcome::Truncated, Outcome::Answered(Rcode::NoError)]);
    assert_eq!(handle.log()[0].question, Some((name("example."), RecordType::TXT)));

    set(Switches { drop_udp: true, ..Switches::default() });
    assert_eq!(once(&server, LOST).await.unwrap_err(), WireError::Timeout);
    assert!(over_tcp(&server, PATIENCE).await.is_ok());
    set(Switches { drop_tcp: true, ..Switches::default() });
    assert_eq!(over_tcp(&server, LOST).await.unwrap_err(), WireError::Timeout);
    while outcomes(&handle).is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(outcomes(&handle), [Outcome::Dropped]);

    set(Switches { loss: Loss::EveryNth(NonZeroU64::new(2).unwrap()), ..Switches::default() });
    for expected in [true, false, true, false] {
        let timeout = if expected { PATIENCE } else { LOST };
        assert_eq!(once(&server, timeout).await.is_ok(), expected);
    }
    // `exchange` sends a second time, and says so.
    once(&server, PATIENCE).await.unwrap();
    let query = Query::authoritative(name("example."), RecordType::TXT);
    assert_eq!(exchange(server.local_addr(), &query, Duration::from_secs(2)).await.unwrap().attempts, 2);
}

#[tokio::test]
async fn a_stale_server_accepts_and_never_serves() {
    let server = start(vec![small("example.", "old")]).await;
    let handle = server.handle();
    let text = async || ask(&server, "example.", RecordType::TXT).await.answers[0].rdata.to_string();
    handle.set_switches(Switches { stale: true, ..Switches::default() });
    handle.replace_zone(small("example.", "new"));
    handle.replace_zone(small("further.", "new"));
    assert_eq!(text().await, "\"old\"");
    assert_eq!(ask(&server, "further.", RecordType::TXT).await.rcode, Rcode::Refused);
    // Other switches in between keep the version that was frozen.
    handle.set_switches(Switches { stale: true, delay: Duration::from_millis(1), ..Switches::default() });
    assert_eq!(text().await, "\"old\"");
    handle.set_switches(Switches::default());
    assert_eq!(text().await, "\"new\"");
    assert_eq!(ask(&server, "further.", RecordType::TXT).await.rcode, Rcode::NoError);
}

#[tokio::test]
async fn held_answers_do_not_wait_for_each_other() {
    let server = start(vec![small("example.", "x")]).await;
    let delay = Duration::from_millis(300);
    server.handle().set_switches(Switches { delay, ..Switches::default() });
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    let address = server.local_addr();
    for _ in 0..50 {
        tasks.spawn(async move {
            exchange(address, &Query::authoritative(name("example."), RecordType::TXT), PATIENCE).await.unwrap()
        });
    }
    while let Some(answer) = tasks.join_next().await {
        assert!(answer.unwrap().rtt >= delay);
    }
    // One after the other they would take fifteen seconds.
    assert!(started.elapsed() < delay * 25);
    let log = server.handle().log();
    assert_eq!(log.len(), 50);
    assert!(log.iter().all(|entry| entry.held().unwrap() >= delay));
}

#[tokio::test]
async fn questions_on_one_connection_are_pipelined() {
    let server = start(vec![small("example.", "x")]).await;
    server.handle().set_switches(Switches { delay: Duration::from_millis(200), ..Switches::default() });
    let mut stream = tokio::net::TcpStream::connect(server.local_addr()).await.unwrap();
    let started = Instant::now();
    for id in 0..40u8 {
        stream.write_all(&frame(&question(id, 0))).await.unwrap();
    }
    // The client is done with writing and still gets all answers.
    stream.shutdown().await.unwrap();
    let mut ids = Vec::new();
    while let Ok(length) = stream.read_u16().await {
        let mut bytes = vec![0; usize::from(length)];
        stream.read_exact(&mut bytes).await.unwrap();
        ids.push(bytes[1]);
    }
    ids.sort_unstable();
    assert_eq!(ids, (0..40).collect::<Vec<_>>());
    assert!(started.elapsed() < Duration::from_millis(200) * 20);
}

/// `example. TXT` without EDNS.
fn question(id: u8, flags: u8) -> Vec<u8> {
    [&[0, id, flags, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], b"\x07example\0\0\x10\0\x01"].concat()
}

fn frame(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

async fn raw(server: &Server, message: &[u8]) -> Vec<u8> {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(message, server.local_addr()).await.unwrap();
    let mut buffer = vec![0; 4096];
    let length = tokio::time::timeout(PATIENCE, socket.recv(&mut buffer)).await.unwrap().unwrap();
    buffer.truncate(length);
    buffer
}

#[tokio::test]
async fn odd_requests() {
    let server = start(vec![small("example.", "x")]).await;
    assert_eq!(raw(&server, &question(1, 0x28)).await, b"\x00\x01\xa8\x04\0\0\0\0\0\0\0\0");
    assert_eq!(raw(&server, &question(2, 0)[..20]).await, b"\x00\x02\x80\x01\0\0\0\0\0\0\0\0");
    // A response and a fragment of a header get no answer; the next question does.
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for bytes in [&question(3, 0x80)[..], b"\0\x04\0"] {
        socket.send_to(bytes, server.local_addr()).await.unwrap();
    }
    // Class CH.
    let mut chaos = question(5, 0);
    *chaos.last_mut().unwrap() = 3;
    assert_eq!(raw(&server, &chaos).await[3] & 0xf, 5);
    assert_eq!(outcomes(&server.handle()).iter().filter(|o| **o == Outcome::Ignored).count(), 2);
    // EDNS version 1: BADVERS is 16, so 0 in the header and 1 in the OPT record's TTL.
    let mut edns1 = question(6, 0);
    edns1[11] = 1;
    edns1.extend_from_slice(b"\0\0\x29\x04\xd0\0\x01\0\0\0\0");
    let answer = raw(&server, &edns1).await;
    assert_eq!((answer[3] & 0xf, &answer[answer.len() - 11..]), (0, &b"\0\0\x29\x04\xd0\x01\0\0\0\0\0"[..]));
}

#[tokio::test]
async fn the_port_is_free_after_stopping() {
    let server = start(vec![small("example.", "x")]).await;
    let address = server.local_addr();
    let error = Server::start(address, vec![]).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot listen on {address}: ")), "{error}");
    server.stop().await;
    let mut udp = UdpChannel::connect(address).await.unwrap();
    let query = Query::authoritative(name("example."), RecordType::TXT);
    assert_eq!(udp.ask(&query, PATIENCE).await.unwrap_err(), WireError::Refused);
    assert_eq!(TcpChannel::connect(address, PATIENCE).await.unwrap_err(), WireError::Refused);
    Server::start(address, vec![]).await.unwrap().stop().await;
}
