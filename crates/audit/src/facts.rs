//! What was looked up besides DNS answers: plain data, made by who has the network.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mailzone_record::Name;

/// What is known. Something that is not in here was not looked up (yet).
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Seconds since 1970 at the time of the audit.
    pub now: i64,
    /// The answer to `https://mta-sts.DOMAIN/.well-known/mta-sts.txt`, by domain.
    pub policies: BTreeMap<Name, Result<PolicyAnswer, Failure>>,
    /// What a host said at port 25, by host and address.
    pub smtp: BTreeMap<(Name, IpAddr), Result<SmtpSession, Failure>>,
    /// Who answers for a domain, by domain.
    pub servers: BTreeMap<Name, Result<ZoneServers, Failure>>,
    /// How a name stands to DNSSEC, by name.
    pub validation: BTreeMap<Name, Result<Validation, Failure>>,
    /// What is behind an `https` URL, by URL.
    pub documents: BTreeMap<String, Result<Document, Failure>>,
}

/// Why something could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What happened, one lower-case fragment, with hostile characters still in it: escape before showing.
    pub message: String,
    /// Whether it lies on our side (no route, port 25 blocked here, time ran out): it says nothing about the
    /// domain and must not be held against it.
    pub here: bool,
}

/// An answer of an MTA-STS policy host (RFC 8461 section 3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyAnswer {
    /// The HTTP status; redirects are not followed.
    pub status: u16,
    /// The media type, without parameters, lower case.
    pub content_type: Option<String>,
    /// The body, at most 64 KiB.
    pub body: Vec<u8>,
    /// The server's certificates, its own first.
    pub chain: Vec<Certificate>,
    /// Why the certificate is not to be trusted for `mta-sts.DOMAIN`; then `status` is 0 and nothing was asked.
    pub untrusted: Option<String>,
}

/// What a mail server said at port 25, up to STARTTLS and its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SmtpSession {
    /// The greeting's text after the reply code.
    pub banner: String,
    /// The keywords of the answer to EHLO, upper case, with their parameters.
    pub extensions: Vec<String>,
    /// Whether STARTTLS was offered.
    pub starttls: bool,
    /// Why the TLS handshake failed, where it was tried.
    pub tls_error: Option<String>,
    /// The TLS version agreed on, such as `TLSv1.3`.
    pub tls_version: Option<String>,
    /// The certificates shown, the server's own first.
    pub chain: Vec<Certificate>,
    /// Why the chain is not trusted by the usual authorities for the host's name; `None`: it is, or no TLS.
    pub untrusted: Option<String>,
}

/// A certificate, as far as the rules need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The whole certificate (DER).
    pub der: Vec<u8>,
    /// Its SubjectPublicKeyInfo (DER).
    pub public_key: Vec<u8>,
    /// The DNS names that it is for, as they stand there; the common name if there are none.
    pub names: Vec<String>,
    /// The issuer's organization or common name.
    pub issuer: String,
    /// Whether it is an authority's (basic constraints).
    pub is_authority: bool,
    /// Seconds since 1970.
    pub not_before: i64,
    /// Seconds since 1970.
    pub not_after: i64,
}

/// Who answers for a zone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ZoneServers {
    /// The zone that the domain is in.
    pub zone: Option<Name>,
    /// The parent's NS set; `None`: not found out (the servers were given).
    pub parent_ns: Option<Vec<Name>>,
    /// The zone's own.
    pub own_ns: Vec<Name>,
    /// Each address of each server.
    pub servers: Vec<NameServer>,
    /// What is wrong with the delegation, a sentence each: missing glue, servers that disagree.
    pub problems: Vec<String>,
    /// Whether the parent has a DS.
    pub ds: Option<bool>,
}

/// One address of a name server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameServer {
    /// Its name.
    pub name: Name,
    /// The address.
    pub address: IpAddr,
    /// How it answered.
    pub state: ServerState,
    /// Whether it answers over TCP too; `None`: not tried.
    pub tcp: Option<bool>,
    /// The serial of its SOA.
    pub serial: Option<u32>,
    /// The median of its answers' times, in microseconds.
    pub median_us: Option<u64>,
}

/// How a server answered for the zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerState {
    /// With authority.
    Authoritative,
    /// Without; with the response code.
    Lame(String),
    /// Not at all.
    Unreachable(String),
    /// There is no way to it from here (no route for the address family).
    NoRoute,
}

/// How a name stands to DNSSEC, as a validating resolver sees it and as the records say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validation {
    /// The verdict.
    pub security: Security,
    /// The zone's DS records at its parent.
    pub ds: Vec<DelegationSigner>,
    /// The key tags of its DNSKEY records with their algorithms.
    pub keys: Vec<(u16, u8)>,
    /// When the first of the signatures on its SOA ends, seconds since 1970.
    pub signatures_end: Option<i64>,
}

/// What a DS record says (RFC 4034 section 5), without the digest itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the RFC's field names")]
pub struct DelegationSigner {
    pub key_tag: u16,
    pub algorithm: u8,
    pub digest_type: u8,
}

/// The verdict of a validating resolver (RFC 4035 section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of the standard")]
pub enum Security {
    Secure,
    Insecure,
    Bogus,
    Indeterminate,
}

/// What is behind a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The HTTP status.
    pub status: u16,
    /// The media type, without parameters, lower case.
    pub content_type: Option<String>,
    /// The body, at most 1 MiB.
    pub body: Vec<u8>,
}
