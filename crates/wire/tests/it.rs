//! The client against peers that do what servers should not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with its first surprise")]

use std::net::SocketAddr;
use std::time::Duration;

use mailzone_record::{Name, RecordType};
use mailzone_wire::{Message, Query, Request, TcpChannel, UdpChannel, WireError};
use mailzone_wire::{decode_request, encode_response, exchange};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

const PATIENCE: Duration = Duration::from_secs(20);
const LOST: Duration = Duration::from_millis(50);

fn query() -> Query {
    Query::authoritative(Name::parse("example.com").unwrap(), RecordType::TXT)
}

fn reply(request: &Request) -> Vec<u8> {
    encode_response(request, &Message { authoritative: true, ..Message::default() }, 512).unwrap()
}

/// A UDP peer that answers the n-th question with the datagrams of `answers(n, request)`.
async fn udp_peer(answers: impl Fn(usize, Request) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        for n in 0.. {
            let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
            for answer in answers(n, decode_request(&buffer[..length]).unwrap()) {
                socket.send_to(&answer, peer).await.unwrap();
            }
        }
    });
    address
}

/// A TCP peer with one connection, which it gives to `talk`.
async fn tcp_peer<F>(talk: impl FnOnce(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        talk(stream).await;
    });
    address
}

async fn read_request(stream: &mut TcpStream) -> Request {
    let mut bytes = vec![0; usize::from(stream.read_u16().await.unwrap())];
    stream.read_exact(&mut bytes).await.unwrap();
    decode_request(&bytes).unwrap()
}

fn frame(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

#[tokio::test]
async fn strays_are_skipped() {
    let peer = udp_peer(|_, request| {
        let other_id = Request { id: !request.id, ..request.clone() };
        let other_name = Request { name: Name::parse("example.net").unwrap(), ..request.clone() };
        vec![vec![], vec![0xff; 3], reply(&other_id), reply(&other_name), reply(&request)]
    })
    .await;
    let mut channel = UdpChannel::connect(peer).await.unwrap();
    for _ in 0..3 {
        assert!(channel.ask(&query(), PATIENCE).await.unwrap().message.authoritative);
    }
}

#[tokio::test]
async fn another_case_is_the_same_question() {
    let peer =
        udp_peer(|_, request| vec![reply(&Request { name: Name::parse("EXAMPLE.com").unwrap(), ..request })]).await;
    assert!(exchange(peer, &query(), PATIENCE).await.is_ok());
}

#[tokio::test]
async fn failures_are_told_apart() {
    let ask = async |peer| exchange(peer, &query(), LOST).await.unwrap_err();
    assert_eq!(ask(udp_peer(|_, _| vec![]).await).await, WireError::Timeout);
    let other = |_, request| vec![reply(&Request { rtype: RecordType::MX, ..request })];
    assert_eq!(ask(udp_peer(other).await).await, WireError::Mismatch);
    let broken = |_, request: Request| {
        let mut bytes = reply(&request);
        // An answer that is not there.
        bytes[7] = 1;
        bytes.truncate(bytes.len() - 11);
        vec![bytes]
    };
    let peer = udp_peer(broken).await;
    assert!(matches!(exchange(peer, &query(), PATIENCE).await, Err(WireError::Malformed(_))));
    let closed = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(exchange(closed, &query(), PATIENCE).await.unwrap_err(), WireError::Refused);
}

#[tokio::test]
async fn an_answer_to_the_first_send_is_taken_after_the_second() {
    let held = std::sync::Mutex::new(None);
    let peer = udp_peer(move |n, request| {
        let first = held.lock().unwrap().replace(reply(&request));
        if n == 0 { vec![] } else { first.into_iter().collect() }
    })
    .await;
    let timeout = Duration::from_secs(2);
    let answer = exchange(peer, &query(), timeout).await.unwrap();
    assert_eq!(answer.attempts, 2);
    assert!(answer.rtt >= timeout / 2, "counted from the first send");
}

#[tokio::test]
async fn tcp_pieces_and_strays() {
    let peer = tcp_peer(async |mut stream| {
        let request = read_request(&mut stream).await;
        let stray = reply(&Request { id: !request.id, ..request.clone() });
        let bytes = [frame(&[]), frame(&stray), frame(&reply(&request))].concat();
        for piece in bytes.chunks(7) {
            stream.write_all(piece).await.unwrap();
            stream.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
        // Unanswered, then answered late together with the next one.
        let late = read_request(&mut stream).await;
        let (head, tail) = (frame(&reply(&late)), frame(&reply(&late)));
        stream.write_all(&head[..5]).await.unwrap();
        let next = read_request(&mut stream).await;
        stream.write_all(&tail[5..]).await.unwrap();
        stream.write_all(&frame(&reply(&next))).await.unwrap();
        let _ = read_request(&mut stream).await;
    })
    .await;
    let mut channel = TcpChannel::connect(peer, PATIENCE).await.unwrap();
    assert!(channel.connect_time() < PATIENCE);
    assert!(channel.ask(&query(), PATIENCE).await.is_ok());
    assert_eq!(channel.ask(&query(), LOST).await.unwrap_err(), WireError::Timeout);
    assert!(channel.ask(&query(), PATIENCE).await.is_ok());
    assert_eq!(channel.ask(&query(), PATIENCE).await.unwrap_err(), WireError::Closed);
    assert_eq!(channel.ask(&query(), PATIENCE).await.unwrap_err(), WireError::Closed);
}
