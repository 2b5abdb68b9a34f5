//! A server that answers by a script, for tests on the paused clock.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailzone_record::{Name, Rdata, RecordType, Soa, Ttl, Txt};
use mailzone_wire::{Exchange, Message, Query, Rcode, Record, Transport, WireError};
use tokio::time::Instant;

use crate::{Ask, Before, Endpoint, Expected, Target};

type Answer = dyn Fn(SocketAddr, &Query, Duration) -> Result<Exchange, WireError> + Send + Sync;

/// Answers by a closure of (server, question, time since the script began); a time-out takes 2 s.
#[derive(Clone)]
pub(crate) struct Script {
    answer: Arc<Answer>,
    began: Instant,
    log: Arc<Mutex<Vec<(SocketAddr, Query, Duration)>>>,
}

impl Script {
    pub(crate) fn new(
        answer: impl Fn(SocketAddr, &Query, Duration) -> Result<Exchange, WireError> + Send + Sync + 'static,
    ) -> Self {
        Self { answer: Arc::new(answer), began: Instant::now(), log: Arc::default() }
    }

    /// How many questions went to servers at this port.
    pub(crate) fn asked(&self, port: u16) -> usize {
        self.log.lock().unwrap().iter().filter(|(server, ..)| server.port() == port).count()
    }

    /// When the questions came.
    pub(crate) fn times(&self) -> Vec<Duration> {
        self.log.lock().unwrap().iter().map(|(_, _, at)| *at).collect()
    }
}

impl Ask for Script {
    async fn ask(&self, server: SocketAddr, query: Query) -> Result<Exchange, WireError> {
        let at = self.began.elapsed();
        let answer = (self.answer)(server, &query, at);
        self.log.lock().unwrap().push((server, query, at));
        if answer == Err(WireError::Timeout) {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        answer
    }
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub(crate) fn txt(text: &str) -> Rdata {
    Rdata::Txt(Txt::from_text(text))
}

/// An address that its port tells from others.
pub(crate) fn endpoint(port: u16) -> Endpoint {
    Endpoint { server: None, address: SocketAddr::from(([192, 0, 2, 1], port)) }
}

/// A TXT RRset of one value in `example.`, or none.
pub(crate) fn target(owner: &str, text: Option<&str>) -> Target {
    Target {
        zone: name("example"),
        name: name(owner),
        rtype: RecordType::TXT,
        expected: text.map_or(Expected::Absent, |text| Expected::exactly(vec![txt(text)])),
        before: Before::Unknown,
    }
}

/// An authoritative answer of TXT records with TTL 300.
pub(crate) fn answer(owner: &str, texts: &[&str]) -> Exchange {
    let ttl = Ttl::from_secs(300).unwrap();
    let answers = texts.iter().map(|text| Record { name: name(owner), ttl, rdata: txt(text) }).collect();
    exchange(Message { authoritative: true, answers, ..Message::default() })
}

/// NXDOMAIN in the name of a zone, SOA TTL 900, minimum 60.
pub(crate) fn denial(zone: &str) -> Exchange {
    let soa = Soa {
        mname: name("ns.example"),
        rname: name("hostmaster.example"),
        serial: 1,
        refresh: 1,
        retry: 1,
        expire: 1,
        minimum: 60,
    };
    let ttl = Ttl::from_secs(900).unwrap();
    let authority = vec![Record { name: name(zone), ttl, rdata: Rdata::Soa(Box::new(soa)) }];
    exchange(Message { rcode: Rcode::NxDomain, authoritative: true, authority, ..Message::default() })
}

pub(crate) fn exchange(message: Message) -> Exchange {
    let rtt = Duration::from_millis(1);
    Exchange { message, transport: Transport::Udp, rtt, truncated_over_udp: false, attempts: 1 }
}
