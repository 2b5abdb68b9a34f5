//! Servers for the tests, and an observer that looks at them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailzone_audit::Wish;
use mailzone_observe::{Dns, Known, Observer, Settings, Sources, Trust, network};
use mailzone_probe::{Ask, Polite, Wire};
use mailzone_record::{Name, RRset, Rdata, RecordType, Soa, Ttl, parse_rdata_text};
use mailzone_server::{Server, Zone};
use mailzone_wire::{Exchange, Message, Query, Rcode, Record, Transport, WireError};
use rcgen::{BasicConstraints, CertificateParams, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// 2026-01-01.
pub(crate) const NOW: i64 = 1_767_225_600;

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub(crate) fn at(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 53))
}

/// Far enough that only a hang gets there.
pub(crate) fn later() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

type Answer = dyn Fn(SocketAddr, &Query) -> Result<Message, WireError> + Send + Sync;

/// Answers by a closure, each after 10 ms; a time-out takes 2 s. For the paused clock.
#[derive(Clone)]
pub(crate) struct Script {
    answer: Arc<Answer>,
    log: Arc<Mutex<Vec<(SocketAddr, Query)>>>,
}

impl Script {
    pub(crate) fn new(
        answer: impl Fn(SocketAddr, &Query) -> Result<Message, WireError> + Send + Sync + 'static,
    ) -> Self {
        Self { answer: Arc::new(answer), log: Arc::default() }
    }

    /// The last octets of the addresses that were asked since this was called last.
    pub(crate) fn asked(&self) -> Vec<u8> {
        let last = |server: SocketAddr| match server {
            SocketAddr::V4(v4) => v4.ip().octets()[3],
            SocketAddr::V6(_) => 0,
        };
        self.log.lock().unwrap().drain(..).map(|(server, _)| last(server)).collect()
    }
}

impl Ask for Script {
    async fn ask(&self, server: SocketAddr, query: Query) -> Result<Exchange, WireError> {
        let answer = (self.answer)(server, &query);
        self.log.lock().unwrap().push((server, query));
        let took = if answer == Err(WireError::Timeout) { 2000 } else { 10 };
        tokio::time::sleep(Duration::from_millis(took)).await;
        let message = answer?;
        let rtt = Duration::from_millis(took);
        Ok(Exchange { message, transport: Transport::Udp, rtt, truncated_over_udp: false, attempts: 1 })
    }
}

pub(crate) fn record(owner: &str, ttl: u32, rtype: RecordType, data: &str) -> Record {
    Record { name: name(owner), ttl: Ttl::from_wire(ttl), rdata: parse_rdata_text(rtype, data, None).unwrap() }
}

/// A resolver's answer.
pub(crate) fn resolved(answers: Vec<Record>) -> Message {
    Message { answers, recursion_available: true, ..Message::default() }
}

/// A resolver's denial in the name of a zone, to be kept for 40 s.
pub(crate) fn denied(zone: &str, rcode: Rcode) -> Message {
    let soa =
        Soa { mname: name("ns.test"), rname: name("h.test"), serial: 7, refresh: 1, retry: 1, expire: 1, minimum: 40 };
    let authority = vec![Record { name: name(zone), ttl: Ttl::from_wire(900), rdata: Rdata::Soa(Box::new(soa)) }];
    Message { rcode, authority, recursion_available: true, ..Message::default() }
}

/// A zone of these records, `(owner, type, data)`, with an SOA of serial 7 and an NS.
pub(crate) fn zone(apex: &str, records: &[(&str, RecordType, &str)]) -> Zone {
    let soa = format!("ns.{apex}. h.{apex}. 7 3600 600 86400 40");
    let ns = format!("ns.{apex}.");
    let own = [(apex, RecordType::SOA, soa.as_str()), (apex, RecordType::NS, ns.as_str())];
    let sets = own.iter().chain(records).map(|(owner, rtype, data)| {
        let value = parse_rdata_text(*rtype, data, None).unwrap();
        RRset::new(name(owner), *rtype, Ttl::from_secs(300), vec![value.into()])
    });
    Zone::new(name(apex), sets.collect(), Ttl::from_secs(300).unwrap()).unwrap()
}

pub(crate) async fn served(zones: Vec<Zone>) -> Server {
    Server::start("127.0.0.1:0".parse().unwrap(), zones).await.unwrap()
}

/// A port at which nothing listens.
pub(crate) async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// An authority that signs what it is told to.
pub(crate) struct Authority {
    der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("Test Authority")
    }

    pub(crate) fn named(organization: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::OrganizationName, organization);
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { der, issuer: Issuer::new(params, key) }
    }

    /// Trust in this authority alone.
    pub(crate) fn trust(&self) -> Trust {
        Trust::only([self.der.clone()]).unwrap()
    }

    /// A server with a certificate for `host`, good until the end of `until`.
    pub(crate) fn server(&self, host: &str, until: i32) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 12, 31);
        let key = KeyPair::generate().unwrap();
        let own = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Arc::new(config.with_no_client_auth().with_single_cert(vec![own], key).unwrap())
    }
}

/// A peer that gives each connection to `talk`; its port.
pub(crate) async fn peer<F>(talk: impl Fn(TcpStream) -> F + Send + 'static) -> u16
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(talk(stream));
        }
    });
    port
}

/// A world: `example.com` with its name server, and an observer that trusts the authority.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) observer: Observer<Polite<Wire>>,
}

impl World {
    pub(crate) async fn new(records: &[(&str, RecordType, &str)], trust: Trust, port: u16) -> Self {
        let server = served(vec![zone("example.com", records)]).await;
        let zones = BTreeMap::from([(name("example.com"), vec![server.local_addr()])]);
        let dns = Dns::new(network(), Sources { zones, ..Sources::default() });
        let mut settings = Settings::new(NOW, name("check.example.net"), trust);
        settings.smtp_port = port;
        settings.https_port = port;
        Self { server, observer: Observer::new(dns, settings) }
    }

    /// What is known when the wish is fulfilled.
    pub(crate) async fn look(&self, wish: Wish) -> Known {
        let mut known = self.observer.known();
        self.observer.fulfil([wish], &mut known, later() + Duration::from_secs(3600)).await;
        known
    }
}
