//! What an audit looks at besides zones: mail servers and policy hosts with an authority of their own, name servers
//! below a root, and a resolver that says what it is told about DNSSEC. All on loopback.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use mailzone_record::{Name, RecordType, Ttl, parse_rdata_text};
use mailzone_wire::{Message, Rcode, Record, decode_request, encode_response};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData as _};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sha2::{Digest as _, Sha256};

use crate::harness::{DnsServer, Project, servers_on_one_port};

/// A peer that says nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// An authority that signs what it is told to.
pub(crate) struct Authority {
    pem: String,
    /// Its SubjectPublicKeyInfo (DER).
    pub(crate) public_key: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

/// A server's certificate with its key.
#[derive(Clone)]
pub(crate) struct Identity {
    /// What is spoken with it.
    pub(crate) config: Arc<ServerConfig>,
    /// Its SubjectPublicKeyInfo (DER).
    pub(crate) public_key: Vec<u8>,
}

impl Authority {
    pub(crate) fn new(organization: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::OrganizationName, organization);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let text = data_encoding::BASE64.encode(certificate.der());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
        Self { pem, public_key: key.subject_public_key_info(), issuer: Issuer::new(params, key) }
    }

    /// Its certificate, for `ca_file`.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A server with a certificate for `hosts`, good until the end of the year.
    pub(crate) fn identity(&self, hosts: &[&str], until: i32) -> Identity {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 12, 31);
        let key = KeyPair::generate().unwrap();
        let own = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = builder.with_no_client_auth().with_single_cert(vec![own.der().clone()], private).unwrap();
        Identity { config: Arc::new(config), public_key: key.subject_public_key_info() }
    }
}

/// How a mail server behaves.
#[derive(Clone)]
pub(crate) struct Mailer {
    /// The greeting, with its code.
    pub(crate) greeting: String,
    /// Whether STARTTLS is offered, and what for.
    pub(crate) tls: Option<Identity>,
    /// What follows `220` to STARTTLS instead of a handshake.
    pub(crate) garbage: bool,
}

impl Mailer {
    /// A proper one.
    pub(crate) fn good(host: &str, tls: Identity) -> Self {
        Self { greeting: format!("220 {host} ESMTP"), tls: Some(tls), garbage: false }
    }

    /// One without STARTTLS.
    pub(crate) fn plain(host: &str) -> Self {
        Self { greeting: format!("220 {host} ESMTP"), tls: None, garbage: false }
    }

    fn talk(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("{}\r\n", self.greeting).as_bytes())?;
        // By single octets: what comes after a command belongs to TLS.
        while let Some(line) = line(&mut stream)? {
            match (line.to_ascii_uppercase(), &self.tls) {
                (line, _) if line.starts_with("EHLO") => {
                    let offer = if self.tls.is_some() || self.garbage { "250-STARTTLS\r\n" } else { "" };
                    stream.write_all(format!("250-host\r\n{offer}250 SIZE 1000\r\n").as_bytes())?;
                }
                (line, _) if line.starts_with("STARTTLS") && self.garbage => {
                    stream.write_all(b"220 go\r\n")?;
                    let _ = stream.read(&mut [0; 64])?;
                    return stream.write_all(b"this is no handshake\r\n");
                }
                (line, Some(tls)) if line.starts_with("STARTTLS") => {
                    stream.write_all(b"220 go\r\n")?;
                    let connection = ServerConnection::new(Arc::clone(&tls.config)).map_err(std::io::Error::other)?;
                    let mut secure = StreamOwned::new(connection, stream);
                    while self::line(&mut secure)?.is_some() {
                        secure.write_all(b"221 bye\r\n")?;
                    }
                    return Ok(());
                }
                (line, _) if line.starts_with("QUIT") => return stream.write_all(b"221 bye\r\n"),
                _ => stream.write_all(b"502 what?\r\n")?,
            }
        }
        Ok(())
    }
}

fn line(from: &mut impl Read) -> std::io::Result<Option<String>> {
    let mut text = Vec::new();
    let mut octet = [0];
    while from.read(&mut octet)? == 1 {
        match octet[0] {
            b'\n' => return Ok(Some(String::from_utf8_lossy(&text).trim_end().to_owned())),
            other => text.push(other),
        }
    }
    Ok(None)
}

/// Gives each connection to `talk`, in a thread of its own, until the test's process ends.
fn serve(listener: TcpListener, talk: impl Fn(TcpStream) -> std::io::Result<()> + Send + Sync + 'static) {
    let talk = Arc::new(talk);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let talk = Arc::clone(&talk);
            // A client that hangs up in between is the program's business.
            thread::spawn(move || drop(talk(stream)));
        }
    });
}

/// Mail servers at addresses of loopback, all at one port, which is given back.
pub(crate) fn mail_servers(servers: &[(&str, Mailer)]) -> u16 {
    'port: loop {
        let mut port = 0;
        let mut bound = Vec::new();
        for (address, mailer) in servers {
            let address: Ipv4Addr = address.parse().unwrap();
            let Ok(listener) = TcpListener::bind((address, port)) else { continue 'port };
            port = listener.local_addr().unwrap().port();
            bound.push((listener, mailer.clone()));
        }
        for (listener, mailer) in bound {
            serve(listener, move |stream| mailer.talk(stream));
        }
        return port;
    }
}

/// What a web server has, by host and path: media type and body.
pub(crate) type Pages = BTreeMap<(String, String), (String, String)>;

/// A web server of all those hosts at 127.0.0.1; its port.
pub(crate) fn web_server(common: Identity, pages: Pages) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    serve(listener, move |stream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        let connection = ServerConnection::new(Arc::clone(&common.config)).map_err(std::io::Error::other)?;
        let mut secure = BufReader::new(StreamOwned::new(connection, stream));
        let (mut path, mut host) = (String::new(), String::new());
        loop {
            let mut text = String::new();
            secure.read_line(&mut text)?;
            let text = text.trim_end();
            if let Some(rest) = text.strip_prefix("GET ") {
                path = rest.split(' ').next().unwrap_or_default().to_owned();
            } else if let Some((name, value)) = text.split_once(':')
                && name.eq_ignore_ascii_case("host")
            {
                host = value.trim().split(':').next().unwrap_or_default().to_owned();
            } else if text.is_empty() {
                break;
            }
        }
        let reply = match pages.get(&(host, path)) {
            Some((media, body)) => format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            ),
            None => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
        };
        let secure = secure.get_mut();
        secure.write_all(reply.as_bytes())?;
        secure.conn.send_close_notify();
        secure.flush()
    });
    port
}

/// The page of an MTA-STS policy.
pub(crate) fn policy(domain: &str, text: &str) -> ((String, String), (String, String)) {
    let at = (format!("mta-sts.{domain}"), "/.well-known/mta-sts.txt".to_owned());
    (at, ("text/plain".to_owned(), text.replace('\n', "\r\n")))
}

/// What a validating resolver says of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    /// AD is set, and a signature of the SOA has ended.
    Ended,
    /// SERVFAIL unless CD is set.
    Bogus,
}

/// One zone of a world.
#[derive(Debug, Clone)]
pub(crate) struct WorldZone {
    /// Its name.
    pub(crate) origin: String,
    /// Its records, one a line, without SOA and NS.
    pub(crate) records: Vec<String>,
    /// What its parent says; empty: that `ns1` at 127.0.0.2 serves it.
    pub(crate) delegation: Vec<String>,
    /// Instead of `ns1` alone.
    pub(crate) own_ns: Vec<String>,
}

impl WorldZone {
    pub(crate) fn new(origin: &str, records: &[&str]) -> Self {
        Self {
            origin: origin.to_owned(),
            records: records.iter().map(|line| (*line).to_owned()).collect(),
            delegation: Vec::new(),
            own_ns: Vec::new(),
        }
    }

    fn text(&self, serial: u32) -> String {
        let mut text =
            format!("$ORIGIN {}.\n$TTL 3600\n@ SOA ns1 hostmaster {serial} 7200 3600 1209600 300\n", self.origin);
        if self.own_ns.is_empty() {
            text.push_str("@ NS ns1\nns1 A 127.0.0.2\n");
        }
        for line in self.own_ns.iter().chain(&self.records) {
            writeln!(text, "{line}").unwrap();
        }
        text
    }
}

/// A root at 127.0.0.1, the servers of all zones at 127.0.0.2, 3 (with another serial), 5 and 6, and a resolver (4).
pub(crate) struct World {
    pub(crate) servers: Vec<DnsServer>,
    pub(crate) resolver: SocketAddr,
    /// Questions that the resolver was asked.
    pub(crate) asked: Arc<Mutex<Vec<(Name, RecordType)>>>,
}

impl World {
    pub(crate) fn new(zones: &[WorldZone]) -> Self {
        Self::with_dnssec(zones, &[])
    }

    pub(crate) fn with_dnssec(zones: &[WorldZone], dnssec: &[(&str, Security)]) -> Self {
        let mut root = "$ORIGIN .\n$TTL 3600\n. SOA a.root. h.root. 1 7200 3600 1209600 300\n. NS a.root.\n\
                        a.root. A 127.0.0.1\n"
            .to_owned();
        for zone in zones {
            if zone.delegation.is_empty() {
                let origin = &zone.origin;
                writeln!(root, "{origin}. NS ns1.{origin}.\nns1.{origin}. A 127.0.0.2").unwrap();
            }
            for line in &zone.delegation {
                writeln!(root, "{line}").unwrap();
            }
        }
        let of = |serial| zones.iter().map(move |zone| (zone.origin.as_str(), zone.text(serial))).collect::<Vec<_>>();
        let (first, second) = (of(17), of(18));
        // What a resolver comes to in the end.
        let resolver: Vec<(&str, String)> = first.iter().cloned().chain([(".", root.clone())]).collect();
        let root = [(".", root)];
        let servers = servers_on_one_port(&[&root, &first, &second, &resolver, &first, &first]);
        let dnssec: Vec<(Name, Security)> =
            dnssec.iter().map(|(name, security)| (Name::parse(name).unwrap(), *security)).collect();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let resolver = resolver_before(servers[3].address(), dnssec, Arc::clone(&asked));
        Self { servers, resolver, asked }
    }

    /// `[dns]` for this world.
    pub(crate) fn config(&self) -> String {
        let root = self.servers[0].address();
        format!("[dns]\nresolvers = [\"{}\"]\nroots = [\"{root}\"]\nport = {}\n", self.resolver, root.port())
    }
}

/// Answers what `server` answers, as a validating resolver would.
fn resolver_before(
    server: SocketAddr,
    dnssec: Vec<(Name, Security)>,
    asked: Arc<Mutex<Vec<(Name, RecordType)>>>,
) -> SocketAddr {
    let both = || {
        let udp = UdpSocket::bind("127.0.0.1:0").ok()?;
        // The port may be somebody else's over TCP.
        let tcp = TcpListener::bind(udp.local_addr().ok()?).ok()?;
        Some((udp, tcp))
    };
    let (udp, tcp) = std::iter::repeat_with(both).take(64).flatten().next().unwrap();
    let address = udp.local_addr().unwrap();
    let resolver = Arc::new(Resolver { server, dnssec, asked });
    let over_tcp = Arc::clone(&resolver);
    serve(tcp, move |mut stream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        loop {
            let question = framed(&mut stream)?;
            let mut server = TcpStream::connect(over_tcp.server)?;
            server.write_all(&with_length(&question))?;
            let answer = over_tcp.answer(&question, framed(&mut server)?);
            stream.write_all(&with_length(&answer))?;
        }
    });
    for _ in 0..4 {
        let (udp, resolver) = (udp.try_clone().unwrap(), Arc::clone(&resolver));
        thread::spawn(move || {
            let (mut question, mut answer) = ([0; 4096], [0; 65_535]);
            let behind = UdpSocket::bind("127.0.0.1:0").unwrap();
            behind.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            while let Ok((length, peer)) = udp.recv_from(&mut question) {
                behind.send_to(&question[..length], resolver.server).unwrap();
                // Answers that were given up are not those to the next question.
                while let Ok((got, _)) = behind.recv_from(&mut answer) {
                    if answer[..2] == question[..2] {
                        let answer = resolver.answer(&question[..length], answer[..got].to_vec());
                        let _ = udp.send_to(&answer, peer);
                        break;
                    }
                }
            }
        });
    }
    address
}

struct Resolver {
    server: SocketAddr,
    dnssec: Vec<(Name, Security)>,
    asked: Arc<Mutex<Vec<(Name, RecordType)>>>,
}

impl Resolver {
    fn answer(&self, question: &[u8], mut answer: Vec<u8>) -> Vec<u8> {
        let Ok(request) = decode_request(question) else { return answer };
        self.asked.lock().unwrap().push((request.name.clone(), request.rtype));
        // RA.
        answer[3] |= 0x80;
        let checking_disabled = question[3] & 0x10 != 0;
        let mut nearest: Vec<&(Name, Security)> =
            self.dnssec.iter().filter(|(zone, _)| request.name.is_at_or_below(zone)).collect();
        nearest.sort_by_key(|(zone, _)| std::cmp::Reverse(zone.label_count()));
        match nearest.first() {
            Some((_, Security::Bogus)) if !checking_disabled => {
                let failed = Message { rcode: Rcode::ServFail, recursion_available: true, ..Message::default() };
                return encode_response(&request, &failed, 4096).unwrap();
            }
            Some((zone, Security::Ended)) if request.rtype == RecordType::SOA && request.name == *zone => {
                let record = |rtype, text: &str| Record {
                    name: zone.clone(),
                    ttl: Ttl::from_wire(60),
                    rdata: parse_rdata_text(rtype, text, None).unwrap(),
                };
                let rrsig = format!("SOA 13 2 3600 20250101000000 20240101000000 1 {zone} AAAA");
                let soa = record(RecordType::SOA, "ns1.test. h.test. 17 7200 3600 1209600 300");
                let answers = vec![soa, record(RecordType::RRSIG, &rrsig)];
                let message = Message { answers, recursion_available: true, ..Message::default() };
                answer = encode_response(&request, &message, 4096).unwrap();
                answer[3] |= 0x20;
            }
            Some((_, Security::Ended)) => answer[3] |= 0x20,
            Some((_, Security::Bogus)) | None => {}
        }
        answer
    }
}

fn framed(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message)?;
    Ok(message)
}

fn with_length(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    [&length, message].concat()
}

/// A project that asks this world alone, trusts the authority, and connects to these ports.
pub(crate) fn project(world: &World, authority: &Authority, smtp: u16, https: u16, more: &str) -> Project {
    let project = Project::empty();
    project.write("ca.pem", authority.pem());
    let look = format!("[look]\nsmtp_port = {smtp}\nhttps_port = {https}\nca_file = \"ca.pem\"\n");
    project.write("mailzone.toml", format!("{}\n{look}\n{more}", world.config()));
    project
}

/// A port at which nothing listens.
pub(crate) fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// An RSA key of 2048 bits, as `p=` has it; nobody holds the other half.
pub(crate) const RSA_2048: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAyXet59tbGDfi+AoZ95l6kTvHagZKOvEvIbL3Kh5pgQejKYM9BMedj3CA\
    780NwNwsPjftjrZOIo6ktd7fLQimJH3xRg5Pn65oFFPYKdjtSp4e46r588IBGt/56zAPH9fSyKwmcNTkHOlip2xidPvHntnz8qEe\
    ljlpNKnKUVCp8nALs51ORk94QQJzC6P6wiVM/wn4jP9eLBiO90gPQ5/l3IXOvwsdR03PDRW7uXjX2MrU/owJPGHf2HlVHc+COD9D\
    nDVtRT7tA16wSj2JlMz1/JRkbR/8NRaYaJSbqNiLdXZ3rMbrkP4OV/wf1rQEtnsvzQ4IkuJ198WssNKG1yqcnwIDAQAB";

/// A SHA-256 digest in hexadecimal digits.
pub(crate) fn sha256(octets: &[u8]) -> String {
    Sha256::digest(octets).iter().map(|octet| format!("{octet:02x}")).collect()
}
