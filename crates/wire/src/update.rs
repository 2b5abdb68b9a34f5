//! Dynamic update (RFC 2136).

use std::net::SocketAddr;
use std::time::Duration;

use mailzone_record::{Name, Rdata, RecordType};

use crate::response::{IN, decode, random_id};
use crate::signed::{Conversation, SignedError, connect};
use crate::tsig::overhead;
use crate::{Rcode, Record, Rejection, TsigKey, WireError};

/// One update: all of it is done, if all prerequisites hold, or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Update {
    /// What has to hold before (RFC 2136 section 2.4).
    pub prerequisites: Vec<Prerequisite>,
    /// What is done, in this order (RFC 2136 section 2.5).
    pub operations: Vec<UpdateOperation>,
}

/// What has to hold (RFC 2136 section 2.4). TTLs are not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of a record")]
pub enum Prerequisite {
    /// The RRset holds exactly these values, which are at least one and of its type.
    RrsetIs { name: Name, rtype: RecordType, values: Vec<Rdata> },
    /// There is such an RRset.
    RrsetExists { name: Name, rtype: RecordType },
    /// There is no such RRset.
    RrsetAbsent { name: Name, rtype: RecordType },
    /// There is a record at the name.
    NameInUse(Name),
    /// There is no record at the name.
    NameNotInUse(Name),
}

/// What is done (RFC 2136 section 2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of a record")]
pub enum UpdateOperation {
    /// Adds a record. At a name with a CNAME another type is ignored by the server, and the other way round.
    Add(Record),
    /// Deletes one value.
    DeleteValue { name: Name, rdata: Rdata },
    /// Deletes an RRset.
    DeleteRrset { name: Name, rtype: RecordType },
    /// Deletes all RRsets of the name.
    DeleteName(Name),
}

/// Which prerequisite did not hold, as the server says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PrerequisiteFailure {
    /// A name is not in use that has to be (NXDOMAIN).
    #[error("a name is not in use that should be (NXDOMAIN)")]
    NxDomain,
    /// A name is in use that must not be (YXDOMAIN).
    #[error("a name is in use that should not be (YXDOMAIN)")]
    YxDomain,
    /// An RRset exists that must not (YXRRSET).
    #[error("an RRset exists that should not (YXRRSET)")]
    YxRrset,
    /// An RRset does not exist, or holds other values (NXRRSET).
    #[error("an RRset is missing or holds other values (NXRRSET)")]
    NxRrset,
}

/// Why an update was not done, or may not have been done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// There was no connection: nothing was sent.
    #[error("{0}")]
    NotSent(WireError),
    /// The update was sent, and no answer came that can be trusted: it may have been done.
    #[error("the answer was lost: {0}")]
    Unknown(SignedError),
    /// The server did not do it.
    #[error(transparent)]
    Rejected(Rejection),
    /// A prerequisite did not hold; nothing was changed.
    #[error(transparent)]
    Prerequisite(PrerequisiteFailure),
    /// It does not fit into one message; nothing was sent.
    #[error("the update has {octets} octets, and one message holds {}", MAX - 2)]
    TooLong {
        /// What it has, without the signature.
        octets: usize,
    },
    /// A value has no wire form; nothing was sent.
    #[error("record data without a wire form")]
    NoWireForm,
}

const MAX: usize = u16::MAX as usize;

const OPCODE_UPDATE: u16 = 5 << 11;
const NONE: u16 = 254;
const ANY: u16 = 255;

/// Sends one update over TCP. `timeout` bounds the connection, and again the exchange.
///
/// Never sends twice. An update with prerequisites can be sent again after [`UpdateError::Unknown`]:
/// if the first one was done, a prerequisite fails.
pub async fn update(
    server: SocketAddr,
    zone: &Name,
    update: &Update,
    key: Option<&TsigKey>,
    timeout: Duration,
) -> Result<(), UpdateError> {
    let id = random_id();
    let message = encode(zone, update, id)?;
    if message.len() + key.map_or(0, overhead) > MAX {
        return Err(UpdateError::TooLong { octets: message.len() });
    }
    let stream = connect(server, timeout).await.map_err(UpdateError::NotSent)?;
    let unknown = |error: WireError| UpdateError::Unknown(error.into());
    let mut conversation = Conversation::start(stream, id, message, key, timeout).await.map_err(unknown)?;
    let answer = match conversation.next(timeout).await {
        Ok(answer) => answer.message,
        Err(SignedError::Rejected(
            rejection @ (Rejection::Unsigned | Rejection::Unverified | Rejection::AnswerTime { .. }),
        )) => return Err(UpdateError::Unknown(rejection.into())),
        Err(SignedError::Rejected(rejection)) => return Err(UpdateError::Rejected(rejection)),
        Err(error) => return Err(UpdateError::Unknown(error)),
    };
    let (_, message) = decode(&answer).map_err(|reason| unknown(WireError::Malformed(reason)))?;
    tracing::debug!(%server, %zone, rcode = %message.rcode, "updated");
    match (PrerequisiteFailure::of(message.rcode), Rejection::of(message.rcode, 0, 0, None)) {
        (Some(failure), _) => Err(UpdateError::Prerequisite(failure)),
        (None, Some(rejection)) => Err(UpdateError::Rejected(rejection)),
        (None, None) => Ok(()),
    }
}

impl Update {
    /// How many octets the message has without a signature, whether or not that is too many.
    /// `None` if a value has no wire form.
    pub fn size(&self, zone: &Name) -> Option<usize> {
        encode(zone, self, 0).ok().map(|message| message.len())
    }
}

impl PrerequisiteFailure {
    fn of(rcode: Rcode) -> Option<Self> {
        Some(match rcode {
            Rcode::NxDomain => Self::NxDomain,
            Rcode::Other(6) => Self::YxDomain,
            Rcode::Other(7) => Self::YxRrset,
            Rcode::Other(8) => Self::NxRrset,
            _ => return None,
        })
    }
}

fn encode(zone: &Name, update: &Update, id: u16) -> Result<Vec<u8>, UpdateError> {
    let mut writer = Writer { zone, bytes: Vec::with_capacity(512) };
    for word in [id, OPCODE_UPDATE, 1, 0, 0, 0] {
        writer.word(word);
    }
    writer.bytes.extend_from_slice(zone.as_wire());
    writer.word(RecordType::SOA.0);
    writer.word(IN);

    let mut prerequisites = 0usize;
    for prerequisite in &update.prerequisites {
        prerequisites += 1;
        match prerequisite {
            Prerequisite::RrsetIs { name, rtype, values } => {
                prerequisites += values.len().saturating_sub(1);
                for value in values {
                    writer.record(name, *rtype, IN, 0, Some(value))?;
                }
            }
            Prerequisite::RrsetExists { name, rtype } => writer.record(name, *rtype, ANY, 0, None)?,
            Prerequisite::RrsetAbsent { name, rtype } => writer.record(name, *rtype, NONE, 0, None)?,
            Prerequisite::NameInUse(name) => writer.record(name, RecordType::ANY, ANY, 0, None)?,
            Prerequisite::NameNotInUse(name) => writer.record(name, RecordType::ANY, NONE, 0, None)?,
        }
    }
    for operation in &update.operations {
        match operation {
            UpdateOperation::Add(Record { name, ttl, rdata }) => {
                writer.record(name, rdata.rtype(), IN, ttl.as_secs(), Some(rdata))?;
            }
            UpdateOperation::DeleteValue { name, rdata } => {
                writer.record(name, rdata.rtype(), NONE, 0, Some(rdata))?;
            }
            UpdateOperation::DeleteRrset { name, rtype } => writer.record(name, *rtype, ANY, 0, None)?,
            UpdateOperation::DeleteName(name) => writer.record(name, RecordType::ANY, ANY, 0, None)?,
        }
    }
    let mut bytes = writer.bytes;
    for (at, count) in [(6, prerequisites), (8, update.operations.len())] {
        // Each record has 11 octets at least: with more than 65,535 of them the message is too long anyway.
        let octets = bytes.len();
        let count = u16::try_from(count).map_err(|_| UpdateError::TooLong { octets })?;
        if let Some(field) = bytes.get_mut(at..at + 2) {
            field.copy_from_slice(&count.to_be_bytes());
        }
    }
    Ok(bytes)
}

struct Writer<'a> {
    zone: &'a Name,
    bytes: Vec<u8>,
}

impl Writer<'_> {
    fn word(&mut self, word: u16) {
        self.bytes.extend_from_slice(&word.to_be_bytes());
    }

    fn record(
        &mut self,
        name: &Name,
        rtype: RecordType,
        class: u16,
        ttl: u32,
        rdata: Option<&Rdata>,
    ) -> Result<(), UpdateError> {
        self.owner(name);
        self.word(rtype.0);
        self.word(class);
        self.bytes.extend_from_slice(&ttl.to_be_bytes());
        let data = match rdata {
            Some(rdata) => rdata.to_wire().ok_or(UpdateError::NoWireForm)?,
            None => Vec::new(),
        };
        self.word(u16::try_from(data.len()).map_err(|_| UpdateError::NoWireForm)?);
        self.bytes.extend_from_slice(&data);
        Ok(())
    }

    /// The name, its end a pointer to the zone's name right after the header if that is spelled alike.
    fn owner(&mut self, name: &Name) {
        let (whole, zone) = (name.as_wire(), self.zone.as_wire());
        match whole.strip_suffix(zone).filter(|_| !self.zone.is_root() && name.is_at_or_below(self.zone)) {
            Some(labels) => {
                self.bytes.extend_from_slice(labels);
                self.word(0xc00c);
            }
            None => self.bytes.extend_from_slice(whole),
        }
    }
}

#[cfg(test)]
mod tests {
    use mailzone_record::{Ttl, Txt};

    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn txt(text: &str) -> Rdata {
        Rdata::Txt(Txt::from_text(text))
    }

    #[test]
    fn the_message_is_as_the_rfc_says() {
        let update = Update {
            prerequisites: vec![
                Prerequisite::RrsetIs { name: name("a.z"), rtype: RecordType::TXT, values: vec![txt("1"), txt("2")] },
                Prerequisite::RrsetAbsent { name: name("z"), rtype: RecordType::MX },
                Prerequisite::RrsetExists { name: name("z"), rtype: RecordType::NS },
                Prerequisite::NameInUse(name("z")),
                Prerequisite::NameNotInUse(name("b.Z")),
            ],
            operations: vec![
                UpdateOperation::DeleteValue { name: name("a.z"), rdata: txt("1") },
                UpdateOperation::DeleteRrset { name: name("z"), rtype: RecordType::MX },
                UpdateOperation::DeleteName(name("z")),
                UpdateOperation::Add(Record { name: name("a.z"), ttl: Ttl::from_secs(300).unwrap(), rdata: txt("3") }),
            ],
        };
        let expected: &[&[u8]] = &[
            b"\x12\x34\x28\0\0\x01\0\x06\0\x04\0\0\x01z\0\0\x06\0\x01",
            b"\x01a\xc0\x0c\0\x10\0\x01\0\0\0\0\0\x02\x011",
            b"\x01a\xc0\x0c\0\x10\0\x01\0\0\0\0\0\x02\x012",
            b"\xc0\x0c\0\x0f\0\xfe\0\0\0\0\0\0",
            b"\xc0\x0c\0\x02\0\xff\0\0\0\0\0\0",
            b"\xc0\x0c\0\xff\0\xff\0\0\0\0\0\0",
            b"\x01b\x01Z\0\0\xff\0\xfe\0\0\0\0\0\0",
            b"\x01a\xc0\x0c\0\x10\0\xfe\0\0\0\0\0\x02\x011",
            b"\xc0\x0c\0\x0f\0\xff\0\0\0\0\0\0",
            b"\xc0\x0c\0\xff\0\xff\0\0\0\0\0\0",
            b"\x01a\xc0\x0c\0\x10\0\x01\0\0\x01\x2c\0\x02\x013",
        ];
        assert_eq!(encode(&name("z"), &update, 0x1234), Ok(expected.concat()));
    }

    #[tokio::test]
    async fn what_does_not_fit_is_not_sent() {
        let value = |i: u32| UpdateOperation::DeleteValue { name: name("a.z"), rdata: txt(&format!("{i:0250}")) };
        let large = Update { prerequisites: vec![], operations: (0..300).map(value).collect() };
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let error = update(nowhere, &name("z"), &large, None, Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(error, UpdateError::TooLong { octets: large.size(&name("z")).unwrap() });
    }
}
