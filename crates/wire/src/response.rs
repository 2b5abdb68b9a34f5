//! The client's side of the codec: a question out, a response in.

use hickory_proto::op;
use mailzone_record::{Name, Rdata, RecordType, Ttl};

use crate::names::{Malformed, Reader};
use crate::{Message, Query, Rcode, Record};

/// Class IN.
pub(crate) const IN: u16 = 1;

pub(crate) const QR: u16 = 0x8000;
pub(crate) const AA: u16 = 0x0400;
pub(crate) const TC: u16 = 0x0200;
pub(crate) const RD: u16 = 0x0100;
pub(crate) const RA: u16 = 0x0080;
pub(crate) const AD: u16 = 0x0020;
pub(crate) const CD: u16 = 0x0010;

/// Whether a message received answers a question.
#[derive(Debug)]
pub(crate) enum Received {
    /// Yes.
    Answer(Message),
    /// It has another id, or is no response: left over from an earlier question, or forged.
    Stray,
    /// It has our id and somebody else's question.
    OtherQuestion,
    /// It has our id and is broken.
    Malformed(Malformed),
}

/// A message id that nobody can guess: the library draws it from a CSPRNG.
pub(crate) fn random_id() -> u16 {
    op::Message::query().metadata.id
}

/// The question as a message.
pub(crate) fn encode_query(query: &Query, id: u16) -> Vec<u8> {
    let mut flags = 0;
    if query.recursion_desired {
        flags |= RD;
    }
    if query.checking_disabled {
        flags |= CD;
    }
    let mut message = Vec::with_capacity(12 + 255 + 4 + 11);
    for word in [id, flags, 1, 0, 0, u16::from(query.edns)] {
        message.extend_from_slice(&word.to_be_bytes());
    }
    message.extend_from_slice(query.name.as_wire());
    message.extend_from_slice(&query.rtype.0.to_be_bytes());
    message.extend_from_slice(&IN.to_be_bytes());
    if query.edns {
        let ttl = if query.dnssec_ok { 0x8000 } else { 0 };
        message.extend_from_slice(&opt_record(ttl));
    }
    message
}

/// An OPT record without options (RFC 6891 section 6.1.2); `ttl` is rcode, version and flags.
pub(crate) fn opt_record(ttl: u32) -> [u8; 11] {
    let mut record = [0; 11];
    record[1..3].copy_from_slice(&RecordType::OPT.0.to_be_bytes());
    record[3..5].copy_from_slice(&Query::UDP_PAYLOAD.to_be_bytes());
    record[5..9].copy_from_slice(&ttl.to_be_bytes());
    record
}

/// What `bytes` is to the question `query`, sent with `id`.
pub(crate) fn receive(bytes: &[u8], query: &Query, id: u16) -> Received {
    let mut reader = Reader::new(bytes);
    let (Ok(received), Ok(flags)) = (reader.u16(), reader.u16()) else { return Received::Stray };
    if received != id || flags & QR == 0 {
        return Received::Stray;
    }
    match body(&mut reader, flags) {
        Err(reason) => Received::Malformed(reason),
        Ok((question, mut message)) => {
            message.size = bytes.len();
            let ours = match question {
                Some((name, rtype, class)) => name == query.name && rtype == query.rtype && class == IN,
                // Servers that did not understand the question do not repeat it.
                None => !matches!(message.rcode, Rcode::NoError | Rcode::NxDomain),
            };
            if ours { Received::Answer(message) } else { Received::OtherQuestion }
        }
    }
}

/// Reads a response without looking whom it answers.
///
/// # Errors
/// What is wrong with the octets, as a fragment. Nothing to repeat: they are all there is.
pub fn decode_response(bytes: &[u8]) -> Result<Message, &'static str> {
    let (_, mut message) = decode(bytes)?;
    message.size = bytes.len();
    Ok(message)
}

/// A response without looking whom it answers, and its question.
pub(crate) fn decode(bytes: &[u8]) -> Result<(Question, Message), Malformed> {
    let mut reader = Reader::new(bytes);
    reader.u16()?;
    let flags = reader.u16()?;
    body(&mut reader, flags)
}

pub(crate) type Question = Option<(Name, RecordType, u16)>;

/// All that follows id and flags.
fn body(reader: &mut Reader<'_>, flags: u16) -> Result<(Question, Message), Malformed> {
    let questions = reader.u16()?;
    let counts = [reader.u16()?, reader.u16()?, reader.u16()?];
    let question = match questions {
        0 => None,
        1 => Some((reader.name()?, RecordType(reader.u16()?), reader.u16()?)),
        _ => return Err("more than one question"),
    };
    let mut message = Message {
        authoritative: flags & AA != 0,
        truncated: flags & TC != 0,
        recursion_available: flags & RA != 0,
        authenticated: flags & AD != 0,
        ..Message::default()
    };
    let mut rcode = flags & 0xf;
    let mut records = Vec::new();
    for (section, count) in counts.into_iter().enumerate() {
        for _ in 0..count {
            match entry(reader) {
                Ok(Entry::Record(record)) => records.push(record),
                Ok(Entry::Opt { extended_rcode }) => {
                    message.edns = true;
                    rcode |= u16::from(extended_rcode) << 4;
                }
                Ok(Entry::OtherClass) => message.ignored += 1,
                // Where a server cut is its affair; the whole answer comes over TCP.
                Err(_) if message.truncated => break,
                Err(reason) => return Err(reason),
            }
        }
        let records = std::mem::take(&mut records);
        match section {
            0 => message.answers = records,
            1 => message.authority = records,
            _ => message.additional = records,
        }
    }
    message.rcode = Rcode::from(rcode);
    Ok((question, message))
}

enum Entry {
    Record(Record),
    Opt { extended_rcode: u8 },
    OtherClass,
}

fn entry(reader: &mut Reader<'_>) -> Result<Entry, Malformed> {
    let name = reader.name()?;
    let rtype = RecordType(reader.u16()?);
    let class = reader.u16()?;
    let ttl = reader.u32()?;
    let length = usize::from(reader.u16()?);
    if rtype == RecordType::OPT {
        reader.octets(length)?;
        return Ok(Entry::Opt { extended_rcode: (ttl >> 24) as u8 });
    }
    let data = reader.rdata(rtype, length)?;
    if class != IN {
        return Ok(Entry::OtherClass);
    }
    let rdata = Rdata::from_wire(rtype, &data);
    Ok(Entry::Record(Record { name, ttl: Ttl::from_wire(ttl), rdata }))
}

#[cfg(test)]
mod tests {
    use mailzone_record::{Caa, Mx, Opaque, Soa, Srv, Txt};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::{EncodeError, RequestError, decode_request, encode_response};

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    /// What a client makes of what a server makes of `message`.
    fn there_and_back(query: &Query, message: &Message) -> Message {
        let request = decode_request(&encode_query(query, 77)).unwrap();
        assert_eq!(
            (request.id, request.name.eq_case(&query.name), request.rtype, request.class),
            (77, true, query.rtype, IN)
        );
        assert_eq!(request.recursion_desired, query.recursion_desired);
        assert_eq!(request.edns.map(|e| e.dnssec_ok), query.edns.then_some(query.dnssec_ok));
        let bytes = encode_response(&request, message, 65535).unwrap();
        match receive(&bytes, query, 77) {
            Received::Answer(message) => {
                assert_eq!(message.size, bytes.len());
                Message { size: 0, ..message }
            }
            other => panic!("{other:?}"),
        }
    }

    fn any_name() -> impl Strategy<Value = Name> {
        let label = prop_oneof![vec(any::<u8>(), 1..20), Just(b"example".to_vec()), Just(b"MAIL".to_vec())];
        vec(label, 0..8).prop_map(|labels| {
            let mut wire = Vec::new();
            for label in labels {
                wire.push(label.len() as u8);
                wire.extend(label);
            }
            wire.push(0);
            Name::from_wire(&wire).unwrap()
        })
    }

    fn any_rdata() -> impl Strategy<Value = Rdata> {
        let opaque = |rtype: u16, data: Vec<u8>| Rdata::from_wire(RecordType(rtype), &data);
        prop_oneof![
            any::<[u8; 4]>().prop_map(|a| Rdata::A(a.into())),
            any::<[u8; 16]>().prop_map(|a| Rdata::Aaaa(a.into())),
            any_name().prop_map(Rdata::Ns),
            any_name().prop_map(Rdata::Cname),
            any_name().prop_map(Rdata::Ptr),
            (any::<u16>(), any_name()).prop_map(|(preference, exchange)| Rdata::Mx(Mx { preference, exchange })),
            (any::<[u16; 3]>(), any_name())
                .prop_map(|([priority, weight, port], target)| { Rdata::Srv(Srv { priority, weight, port, target }) }),
            vec(vec(any::<u8>(), 0..256).prop_map(Into::into), 1..4)
                .prop_map(|strings| Rdata::Txt(Txt::from_strings(strings).unwrap())),
            (any_name(), any_name(), any::<[u32; 5]>()).prop_map(
                |(mname, rname, [serial, refresh, retry, expire, minimum])| {
                    Rdata::Soa(Box::new(Soa { mname, rname, serial, refresh, retry, expire, minimum }))
                }
            ),
            (any::<u8>(), "[a-zA-Z0-9]{1,15}", vec(any::<u8>(), 0..300))
                .prop_map(|(flags, tag, value)| { Rdata::Caa(Caa { flags, tag: tag.into(), value: value.into() }) }),
            // No type whose data may hold a compressed name: random octets could look like one.
            (256u16..32768, vec(any::<u8>(), 0..300)).prop_map(move |(rtype, data)| opaque(rtype, data)),
        ]
    }

    fn any_record() -> impl Strategy<Value = Record> {
        (any_name(), 0u32..=Ttl::MAX.as_secs(), any_rdata()).prop_map(|(name, ttl, rdata)| Record {
            name,
            ttl: Ttl::from_wire(ttl),
            rdata,
        })
    }

    prop_compose! {
        fn any_message()(
            rcode in 0u16..4096, flags in any::<[bool; 4]>(), answers in vec(any_record(), 0..6),
            authority in vec(any_record(), 0..3), additional in vec(any_record(), 0..3),
        ) -> Message {
            let [authoritative, truncated, recursion_available, authenticated] = flags;
            Message {
                rcode: Rcode::from(rcode), authoritative, truncated, recursion_available, authenticated,
                answers, authority, additional, edns: true, ignored: 0, size: 0,
            }
        }
    }

    prop_compose! {
        fn any_query()(name in any_name(), rtype in any::<u16>(), flags in any::<[bool; 3]>()) -> Query {
            let [recursion_desired, dnssec_ok, checking_disabled] = flags;
            let rtype = RecordType(rtype);
            Query { name, rtype, recursion_desired, dnssec_ok, checking_disabled, edns: true }
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_between_server_and_client(query in any_query(), message in any_message()) {
            let back = there_and_back(&query, &message);
            let both = |m: &Message| [m.answers.clone(), m.authority.clone(), m.additional.clone()].concat();
            for (sent, received) in both(&message).iter().zip(both(&back)) {
                prop_assert!(sent.name.eq_case(&received.name));
                prop_assert_eq!(sent.rdata.to_wire(), received.rdata.to_wire());
            }
            prop_assert_eq!(back, message);
        }

        #[test]
        fn arbitrary_octets_do_no_harm(bytes in vec(any::<u8>(), 0..600), query in any_query()) {
            let id = bytes.first_chunk().map_or(0, |id| u16::from_be_bytes(*id));
            receive(&bytes, &query, id);
            let _ = decode_request(&bytes);
            let mut response = bytes;
            if let Some(flags) = response.get_mut(2) {
                *flags |= 0x80;
            }
            receive(&response, &query, id);
        }

        #[test]
        fn damaged_messages_do_no_harm(
            query in any_query(), message in any_message(),
            damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut in any::<prop::sample::Index>(),
        ) {
            let request = decode_request(&encode_query(&query, 1)).unwrap();
            let mut bytes = encode_response(&request, &message, 65535).unwrap();
            for (at, octet) in damage {
                let at = at.index(bytes.len());
                bytes[at] = octet;
            }
            receive(&bytes, &query, 1);
            bytes.truncate(cut.index(bytes.len()));
            receive(&bytes, &query, 1);
            let _ = decode_request(&bytes);
        }

        #[test]
        fn a_response_keeps_its_limit(query in any_query(), message in any_message(), limit in 12usize..2000) {
            let request = decode_request(&encode_query(&query, 1)).unwrap();
            let whole = encode_response(&request, &message, 65535).unwrap();
            match encode_response(&request, &message, limit) {
                Ok(bytes) => prop_assert!(bytes.len() <= limit && bytes == whole),
                Err(error) => prop_assert!(error == EncodeError::TooLong && whole.len() > limit),
            }
        }
    }

    #[test]
    fn a_name_of_255_octets_and_case_survive() {
        let long = name(&"aB.".repeat(84)).prepend("x").unwrap();
        assert_eq!(long.as_wire().len(), 255);
        let query = Query::recursive(long.clone(), RecordType::PTR);
        let record = Record { name: long.clone(), ttl: Ttl::MAX, rdata: Rdata::Ptr(long) };
        let message = Message { answers: vec![record], edns: true, ..Message::default() };
        assert_eq!(there_and_back(&query, &message), message);
    }

    #[test]
    fn names_are_compressed() {
        let query = Query::authoritative(name("example.com"), RecordType::MX);
        let mx = |host: &str| Record {
            name: name("example.com"),
            ttl: Ttl::MAX,
            rdata: Rdata::Mx(Mx { preference: 10, exchange: name(host) }),
        };
        let message = Message { answers: vec![mx("a.example.com"), mx("b.example.com")], ..Message::default() };
        let request = decode_request(&encode_query(&query, 1)).unwrap();
        let bytes = encode_response(&request, &message, 512).unwrap();
        assert_eq!(bytes.len(), 12 + 17 + 2 * (2 + 10 + 2 + 4) + 11);
        // The limit counts what is sent, not the names before compression.
        let plain = decode_request(&encode_query(&Query { edns: false, ..query }, 1)).unwrap();
        let fits = bytes.len() - 11;
        assert_eq!(encode_response(&plain, &message, fits).unwrap().len(), fits);
        assert_eq!(encode_response(&plain, &message, fits - 1), Err(EncodeError::TooLong));
    }

    #[test]
    fn another_class_and_a_missing_question() {
        let query = Query::authoritative(name("a"), RecordType::TXT);
        // One TXT of class CH, then one of class IN.
        let mut bytes = b"\0\x01\x84\0\0\x01\0\x02\0\0\0\0\x01A\0\0\x10\0\x01".to_vec();
        bytes.extend_from_slice(b"\xc0\x0c\0\x10\0\x03\0\0\0\0\0\x02\x01x");
        bytes.extend_from_slice(b"\xc0\x0c\0\x10\0\x01\0\0\0\0\0\x02\x01y");
        let Received::Answer(message) = receive(&bytes, &query, 1) else { panic!() };
        assert_eq!((message.ignored, message.answers.len()), (1, 1));
        assert_eq!(message.answers[0].rdata, Rdata::Txt(Txt::from_text("y")));
        assert!(matches!(receive(&bytes, &query, 2), Received::Stray));
        let other = Query::authoritative(name("b"), RecordType::TXT);
        assert!(matches!(receive(&bytes, &other, 1), Received::OtherQuestion));
        assert!(matches!(receive(&bytes[..30], &query, 1), Received::Malformed(_)));
        bytes[2] |= 0x02;
        let Received::Answer(message) = receive(&bytes[..bytes.len() - 1], &query, 1) else { panic!() };
        assert!(message.truncated && message.answers.is_empty() && message.ignored == 1);
        let Received::Answer(message) = receive(b"\0\x01\x80\x01\0\0\0\0\0\0\0\0", &query, 1) else { panic!() };
        assert_eq!(message.rcode, Rcode::FormErr);
        assert!(matches!(receive(b"\0\x01\x80\0\0\0\0\0\0\0\0\0", &query, 1), Received::OtherQuestion));
    }

    #[test]
    fn a_record_that_is_odd_loses_no_other() {
        let query = Query::authoritative(name("a"), RecordType::ANY);
        let mut bytes = b"\0\x01\x84\0\0\x01\0\x03\0\0\0\0\x01a\0\0\xff\0\x01".to_vec();
        // An A of five octets, a CAA with an empty tag, an empty unknown one.
        bytes.extend_from_slice(b"\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x05\x01\x02\x03\x04\x05");
        bytes.extend_from_slice(b"\xc0\x0c\x01\x01\0\x01\0\0\0\x05\0\x02\0\0");
        bytes.extend_from_slice(b"\xc0\x0c\xff\0\0\x01\0\0\0\x05\0\0");
        let Received::Answer(message) = receive(&bytes, &query, 1) else { panic!() };
        let data: Vec<_> = message.answers.iter().map(|r| (r.rtype().0, r.rdata.to_wire().unwrap())).collect();
        assert_eq!(data, [(1, vec![1, 2, 3, 4, 5]), (257, vec![0, 0]), (65280, vec![])]);
    }

    #[test]
    fn what_is_no_request_gets_no_answer_or_a_header() {
        assert_eq!(decode_request(b"\0\x01\0"), Err(RequestError::NotARequest));
        assert_eq!(decode_request(&[0xff; 12]), Err(RequestError::NotARequest));
        let query = encode_query(&Query::recursive(name("a"), RecordType::A), 0x1234);
        let rejected = |bytes: &[u8]| match decode_request(bytes) {
            Err(RequestError::Rejected { rcode, reply, .. }) => (rcode, reply),
            other => panic!("{other:?}"),
        };
        let mut update = query.clone();
        update[2] |= 5 << 3;
        assert_eq!(rejected(&update), (Rcode::NotImp, *b"\x12\x34\xa9\x04\0\0\0\0\0\0\0\0"));
        assert_eq!(rejected(&query[..14]), (Rcode::FormErr, *b"\x12\x34\x81\x01\0\0\0\0\0\0\0\0"));
        let mut two_opts = [&query[..], &query[query.len() - 11..]].concat();
        two_opts[11] = 2;
        assert_eq!(rejected(&two_opts).0, Rcode::FormErr);
        let text = Opaque::Text { rtype: RecordType(65280), text: "?".into() };
        let record = Record { name: name("a"), ttl: Ttl::MAX, rdata: Rdata::Opaque(text) };
        let message = Message { answers: vec![record], ..Message::default() };
        assert_eq!(encode_response(&decode_request(&query).unwrap(), &message, 512), Err(EncodeError::NoWireForm));
    }
}
