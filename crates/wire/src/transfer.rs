//! Zone transfer (AXFR, RFC 5936).

use std::net::SocketAddr;
use std::time::Duration;

use mailzone_record::{Name, RecordType};

use crate::response::{decode, encode_query, random_id};
use crate::signed::{Conversation, SignedError, connect};
use crate::{Query, Rcode, Record, Rejection, TsigKey, WireError};

/// What a transfer may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferLimits {
    /// Records, the two SOA records included.
    pub records: usize,
    /// Octets of all messages together.
    pub octets: usize,
    /// The time for the connection, and for each message.
    pub message_timeout: Duration,
}

impl Default for TransferLimits {
    /// A million records, 64 MiB, 30 s for each message.
    fn default() -> Self {
        Self { records: 1_000_000, octets: 64 << 20, message_timeout: Duration::from_secs(30) }
    }
}

/// Why there is no zone. There is never a part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// Nothing came, or nothing that can be read. Once more may help where
    /// [`WireError::is_transient`] says so.
    #[error(transparent)]
    Wire(WireError),
    /// The server does not give the zone, or the signature is not right.
    #[error(transparent)]
    Rejected(Rejection),
    /// The transfer broke off before the second SOA record. Once more may help.
    #[error("the transfer broke off after {records} records: {cause}")]
    Incomplete {
        /// How many had come.
        records: usize,
        /// How it broke off.
        cause: WireError,
    },
    /// More than the limits allow.
    #[error("the zone is larger than the limit of {0}")]
    TooLarge(&'static str),
    /// What came is no transfer of the zone asked for.
    #[error("malformed transfer: {0}")]
    Malformed(&'static str),
}

/// Fetches the whole zone: the SOA record first and once, all others in the order received.
///
/// The transfer ends at the second SOA record and nowhere else. With a key the first and the last
/// message have to be signed and those between belong to the digest of the next signed one
/// (RFC 8945 section 5.3.1); nothing is returned before the last one is verified.
pub async fn transfer(
    server: SocketAddr,
    zone: &Name,
    key: Option<&TsigKey>,
    limits: &TransferLimits,
) -> Result<Vec<Record>, TransferError> {
    let stream = connect(server, limits.message_timeout).await.map_err(TransferError::Wire)?;
    let query = Query { edns: false, ..Query::authoritative(zone.clone(), RecordType(252)) };
    let id = random_id();
    let started = Conversation::start(stream, id, encode_query(&query, id), key, limits.message_timeout).await;
    let mut conversation = started.map_err(TransferError::Wire)?;
    let mut collected = Collector::new(zone, *limits);
    loop {
        let opened = match conversation.next(limits.message_timeout).await {
            Ok(opened) => opened,
            Err(SignedError::Wire(cause)) if collected.records.is_empty() => return Err(TransferError::Wire(cause)),
            Err(SignedError::Wire(cause)) => {
                return Err(TransferError::Incomplete { records: collected.records.len(), cause });
            }
            Err(SignedError::Rejected(rejection)) => return Err(TransferError::Rejected(rejection)),
        };
        if collected.message(&opened.message)? {
            if !opened.signed {
                return Err(TransferError::Rejected(Rejection::Unsigned));
            }
            tracing::debug!(%server, %zone, records = collected.records.len(), octets = collected.octets, "transferred");
            return Ok(collected.records);
        }
    }
}

/// Reads the messages of a transfer that were received in some other way, without their lengths and signatures: as
/// [`transfer`], and [`TransferError::Incomplete`] where the second SOA record is not among them.
///
/// # Errors
/// There is no zone in them. Whether another transfer helps says the error.
pub fn read_transfer<'m>(
    messages: impl IntoIterator<Item = &'m [u8]>,
    zone: &Name,
    limits: &TransferLimits,
) -> Result<Vec<Record>, TransferError> {
    let mut collected = Collector::new(zone, *limits);
    for message in messages {
        if collected.message(message)? {
            return Ok(collected.records);
        }
    }
    Err(TransferError::Incomplete { records: collected.records.len(), cause: WireError::Closed })
}

struct Collector<'a> {
    zone: &'a Name,
    limits: TransferLimits,
    records: Vec<Record>,
    octets: usize,
}

impl<'a> Collector<'a> {
    fn new(zone: &'a Name, limits: TransferLimits) -> Self {
        Self { zone, limits, records: Vec::new(), octets: 0 }
    }

    /// Takes one message without signature; true if it is the last one.
    fn message(&mut self, bytes: &[u8]) -> Result<bool, TransferError> {
        self.octets += bytes.len();
        if self.octets > self.limits.octets {
            return Err(TransferError::TooLarge("octets"));
        }
        let (question, message) = decode(bytes).map_err(TransferError::Malformed)?;
        if let Some(rejection) = Rejection::of(message.rcode, 0, 0, None) {
            return Err(TransferError::Rejected(rejection));
        }
        // Only the first message has to repeat the question (RFC 5936 section 2.2.1).
        if question.is_some_and(|(name, rtype, _)| name != *self.zone || rtype != RecordType(252)) {
            return Err(TransferError::Wire(WireError::Mismatch));
        }
        if message.truncated {
            return Err(TransferError::Malformed("a message that is cut"));
        }
        if message.ignored > 0 {
            return Err(TransferError::Malformed("a record of another class"));
        }
        if message.answers.is_empty() && self.records.is_empty() {
            return Err(TransferError::Rejected(Rejection::Rcode(Rcode::NoError)));
        }
        let mut answers = message.answers.into_iter();
        while let Some(record) = answers.next() {
            let Some(first) = self.records.first() else {
                if record.rtype() != RecordType::SOA || record.name != *self.zone {
                    return Err(TransferError::Malformed("it does not begin with the zone's SOA record"));
                }
                self.records.push(record);
                continue;
            };
            if record.rtype() == RecordType::SOA {
                if record.name != first.name || record.rdata != first.rdata {
                    return Err(TransferError::Malformed("the zone changed while it was sent"));
                }
                return match answers.next() {
                    None => Ok(true),
                    Some(_) => Err(TransferError::Malformed("records after the end")),
                };
            }
            if !record.name.is_at_or_below(self.zone) {
                return Err(TransferError::Malformed("a record of another zone"));
            }
            if self.records.len() + 2 > self.limits.records {
                return Err(TransferError::TooLarge("records"));
            }
            self.records.push(record);
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use mailzone_record::{Rdata, Soa, Ttl, Txt};

    use super::*;
    use crate::{decode_request, encode_response};

    fn zone() -> Name {
        Name::parse("example").unwrap()
    }

    fn soa(serial: u32) -> Record {
        let soa = Soa { mname: zone(), rname: zone(), serial, refresh: 1, retry: 1, expire: 1, minimum: 1 };
        Record { name: zone(), ttl: Ttl::MAX, rdata: Rdata::Soa(Box::new(soa)) }
    }

    fn txt(owner: &str) -> Record {
        Record { name: Name::parse(owner).unwrap(), ttl: Ttl::ZERO, rdata: Rdata::Txt(Txt::from_text("x")) }
    }

    fn message(answers: Vec<Record>, rcode: Rcode) -> Vec<u8> {
        let query = Query::authoritative(zone(), RecordType(252));
        let request = decode_request(&encode_query(&query, 1)).unwrap();
        encode_response(&request, &crate::Message { answers, rcode, ..Default::default() }, 65535).unwrap()
    }

    fn collect(messages: &[Vec<Record>]) -> Result<usize, TransferError> {
        let zone = zone();
        let limits = TransferLimits { records: 6, octets: 600, ..TransferLimits::default() };
        let mut collector = Collector::new(&zone, limits);
        let (last, before) = messages.split_last().unwrap();
        for answers in before {
            assert!(!collector.message(&message(answers.clone(), Rcode::NoError))?);
        }
        match collector.message(&message(last.clone(), Rcode::NoError))? {
            true => Ok(collector.records.len()),
            false => Err(TransferError::Malformed("goes on")),
        }
    }

    #[test]
    fn it_ends_at_the_second_soa() {
        assert_eq!(collect(&[vec![soa(1), txt("a.example")], vec![], vec![txt("example"), soa(1)]]), Ok(3));
        assert_eq!(collect(&[vec![soa(1)], vec![soa(1)]]), Ok(1));
        let malformed = |messages: &[Vec<Record>]| match collect(messages) {
            Err(TransferError::Malformed(reason)) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(malformed(&[vec![soa(1), txt("example")]]), "goes on");
        assert_eq!(malformed(&[vec![txt("example"), soa(1)]]), "it does not begin with the zone's SOA record");
        assert_eq!(malformed(&[vec![soa(1), soa(2)]]), "the zone changed while it was sent");
        assert_eq!(malformed(&[vec![soa(1), soa(1), txt("example")]]), "records after the end");
        assert_eq!(malformed(&[vec![soa(1), txt("elsewhere")]]), "a record of another zone");
    }

    #[test]
    fn messages_at_hand_are_read_alike() {
        let read = |messages: &[Vec<u8>]| {
            let messages = messages.iter().map(Vec::as_slice);
            read_transfer(messages, &zone(), &TransferLimits::default()).map(|records| records.len())
        };
        let (first, last) =
            (message(vec![soa(1)], Rcode::NoError), message(vec![txt("example"), soa(1)], Rcode::NoError));
        assert_eq!(read(&[first.clone(), last]), Ok(2));
        assert_eq!(read(&[first]), Err(TransferError::Incomplete { records: 1, cause: WireError::Closed }));
    }

    #[test]
    fn limits_hold() {
        let four = vec![soa(1), txt("a.example"), txt("b.example"), txt("c.example"), txt("d.example"), soa(1)];
        assert_eq!(collect(&[four]), Ok(5));
        let five: Vec<_> = [soa(1)].into_iter().chain(std::iter::repeat_n(txt("a.example"), 5)).collect();
        assert_eq!(collect(&[five]), Err(TransferError::TooLarge("records")));
        let empty = vec![vec![soa(1)]].into_iter().chain(std::iter::repeat_n(vec![], 40)).collect::<Vec<_>>();
        assert_eq!(collect(&empty), Err(TransferError::TooLarge("octets")));
    }

    #[test]
    fn an_error_in_the_middle_is_one() {
        let zone = zone();
        let mut collector = Collector::new(&zone, TransferLimits::default());
        assert_eq!(collector.message(&message(vec![soa(1)], Rcode::NoError)), Ok(false));
        let failed = collector.message(&message(vec![], Rcode::ServFail));
        assert_eq!(failed, Err(TransferError::Rejected(Rejection::Rcode(Rcode::ServFail))));
    }
}
