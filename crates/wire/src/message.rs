use std::fmt;
use std::time::Duration;

use mailzone_record::{Name, Rdata, RecordType, Ttl};

/// One question, class IN, and how to ask it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The name asked for, in the case in which it is sent.
    pub name: Name,
    /// The type asked for.
    pub rtype: RecordType,
    /// RD: ask for recursion.
    pub recursion_desired: bool,
    /// DO (RFC 3225): ask for DNSSEC records; sent only with `edns`.
    pub dnssec_ok: bool,
    /// CD (RFC 4035 section 3.2.2): a resolver is not to validate.
    pub checking_disabled: bool,
    /// Send an OPT record (RFC 6891) that advertises [`Query::UDP_PAYLOAD`] octets.
    pub edns: bool,
}

/// A resource record of class IN.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Record {
    /// The owner name.
    pub name: Name,
    /// The time to live.
    pub ttl: Ttl,
    /// The data, which says the type.
    pub rdata: Rdata,
}

/// A response code, the extended ones of EDNS included (RFC 1035 section 4.1.1, RFC 6891).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[expect(missing_docs, reason = "the RFC's names")]
pub enum Rcode {
    #[default]
    NoError,
    FormErr,
    ServFail,
    NxDomain,
    NotImp,
    Refused,
    Other(u16),
}

/// A response without its question and OPT record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// The response code.
    pub rcode: Rcode,
    /// AA: the server says that it is an authority for the name asked for.
    pub authoritative: bool,
    /// TC: not everything fitted.
    pub truncated: bool,
    /// RA: the server offers recursion.
    pub recursion_available: bool,
    /// AD: the resolver says that it has validated the answer.
    pub authenticated: bool,
    /// The answer section.
    pub answers: Vec<Record>,
    /// The authority section.
    pub authority: Vec<Record>,
    /// The additional section, without OPT.
    pub additional: Vec<Record>,
    /// Whether there was an OPT record: the server speaks EDNS.
    pub edns: bool,
    /// How many records were left out because their class is not IN.
    pub ignored: usize,
    /// The length of the message received, in octets; 0 in a message that was not received.
    pub size: usize,
}

/// What carried the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Transport {
    Udp,
    Tcp,
}

/// An answer and what it took to get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The answer.
    pub message: Message,
    /// What carried `message`.
    pub transport: Transport,
    /// From just before the send of the question to just after the receipt of `message`, on the
    /// monotonic clock. Over TCP without the connection's handshake.
    pub rtt: Duration,
    /// Whether there was an answer over UDP that was cut (TC).
    pub truncated_over_udp: bool,
    /// How often the question was sent over UDP: 2 means that the first one stayed unanswered for
    /// half of the time allowed. 0 where UDP was not used.
    pub attempts: u8,
}

impl Query {
    /// The UDP payload size advertised (DNS Flag Day 2020: no fragments on ordinary paths).
    pub const UDP_PAYLOAD: u16 = 1232;

    /// A question to an authoritative server: no recursion, EDNS.
    pub fn authoritative(name: Name, rtype: RecordType) -> Self {
        Self { name, rtype, recursion_desired: false, dnssec_ok: false, checking_disabled: false, edns: true }
    }

    /// A question to a resolver: recursion desired, EDNS.
    pub fn recursive(name: Name, rtype: RecordType) -> Self {
        Self { recursion_desired: true, ..Self::authoritative(name, rtype) }
    }
}

impl Record {
    /// The record's type.
    pub fn rtype(&self) -> RecordType {
        self.rdata.rtype()
    }
}

impl Message {
    /// The records of `rtype` at `name` in the answer section.
    pub fn answers_of<'a>(&'a self, name: &'a Name, rtype: RecordType) -> impl Iterator<Item = &'a Record> {
        self.answers.iter().filter(move |record| record.rtype() == rtype && record.name == *name)
    }
}

impl Rcode {
    /// NOTAUTH (RFC 2136, RFC 8945): not authoritative, or not authorised.
    pub const NOT_AUTH: Self = Self::Other(9);
}

impl From<u16> for Rcode {
    fn from(code: u16) -> Self {
        match code {
            0 => Self::NoError,
            1 => Self::FormErr,
            2 => Self::ServFail,
            3 => Self::NxDomain,
            4 => Self::NotImp,
            5 => Self::Refused,
            other => Self::Other(other),
        }
    }
}

impl From<Rcode> for u16 {
    fn from(rcode: Rcode) -> Self {
        match rcode {
            Rcode::NoError => 0,
            Rcode::FormErr => 1,
            Rcode::ServFail => 2,
            Rcode::NxDomain => 3,
            Rcode::NotImp => 4,
            Rcode::Refused => 5,
            Rcode::Other(code) => code,
        }
    }
}

impl fmt::Display for Rcode {
    /// The IANA mnemonic, else `RCODEnnn`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoError => f.pad("NOERROR"),
            Self::FormErr => f.pad("FORMERR"),
            Self::ServFail => f.pad("SERVFAIL"),
            Self::NxDomain => f.pad("NXDOMAIN"),
            Self::NotImp => f.pad("NOTIMP"),
            Self::Refused => f.pad("REFUSED"),
            Self::Other(6) => f.pad("YXDOMAIN"),
            Self::Other(7) => f.pad("YXRRSET"),
            Self::Other(8) => f.pad("NXRRSET"),
            Self::Other(9) => f.pad("NOTAUTH"),
            Self::Other(10) => f.pad("NOTZONE"),
            Self::Other(16) => f.pad("BADVERS"),
            Self::Other(code) => f.pad(&format!("RCODE{code}")),
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        })
    }
}
