use mailzone_record::{Name, Rdata, RecordType};
use mailzone_wire::{
    EncodeError, Message, Record, Request, RequestEdns, RequestError, TransferLimits, TsigAlgorithm, TsigKey,
    decode_request, decode_response, encode_response, open_answers, read_transfer,
};
use secrecy::SecretString;

use super::fixed;

pub(super) const WORDS: &[&str] = &[
    "\u{7}example\u{3}com\0",
    "\0\u{1}\0\u{1}",
    "\0\u{6}\0\u{1}",
    "\0\u{10}\0\u{1}",
    "\0\0\u{29}\u{4}\u{d0}\0\0\0\0\0\0",
    "\0\u{2}",
    "\0\u{fa}\0\u{ff}",
    "\u{6}v=spf1",
    "\0\u{4}",
];

pub(super) fn response(input: &[u8]) {
    let Ok(message) = decode_response(input) else { return };
    assert_eq!(message.size, input.len());
    let request = Request {
        id: 1,
        recursion_desired: false,
        checking_disabled: false,
        name: fixed("example.com"),
        rtype: RecordType::TXT,
        class: 1,
        // Without it there is no room for an extended response code.
        edns: message.edns.then_some(RequestEdns { version: 0, udp_payload: 1232, dnssec_ok: false }),
    };
    written(&request, &message);
}

pub(super) fn request(input: &[u8]) {
    match decode_request(input) {
        Ok(request) => written(&request, &Message::default()),
        Err(RequestError::Rejected { reply, .. }) => {
            assert_eq!(reply.get(..2), input.get(..2), "the id");
            assert!(decode_request(&reply).is_err(), "the reply to a broken request is none");
        }
        Err(_) => {}
    }
}

/// What is sent is received.
fn written(request: &Request, message: &Message) {
    let bytes = match encode_response(request, message, 65_535) {
        Ok(bytes) => bytes,
        // Compressed in another way it may be longer.
        Err(EncodeError::TooLong) => return,
        Err(error) => panic!("{error}"),
    };
    let again = decode_response(&bytes).unwrap_or_else(|error| panic!("{error} in what was written"));
    assert_eq!(again.rcode, message.rcode);
    // Data that is none of its type is kept as it came, pointers included; in another message they lead elsewhere.
    let as_it_came = |record: &Record| matches!(record.rdata, Rdata::Opaque(_)) && record.rtype().mnemonic().is_some();
    if message.answers.iter().chain(&message.authority).chain(&message.additional).any(as_it_came) {
        return;
    }
    let sections = |message: &Message| [message.answers.clone(), message.authority.clone(), message.additional.clone()];
    for (a, b) in sections(&again).into_iter().zip(sections(message)) {
        assert_eq!(a, b);
    }
}

/// Messages, each after its length in two octets, as over TCP. The last one may be cut.
fn frames(mut input: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some((&length, rest)) = input.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(length)).min(rest.len());
        let (message, rest) = rest.split_at(length);
        frames.push(message);
        input = rest;
    }
    frames
}

pub(super) fn transfer(input: &[u8]) {
    let zone = fixed("example.com");
    let limits = TransferLimits { records: 1000, octets: 40_000, ..TransferLimits::default() };
    let Ok(records) = read_transfer(frames(input), &zone, &limits) else { return };
    assert!(records.len() < 1000);
    let is_soa = |record: &Record| record.rtype() == RecordType::SOA;
    assert!(records.first().is_some_and(|first| is_soa(first) && first.name == zone));
    assert_eq!(records.iter().filter(|record| is_soa(record)).count(), 1);
    assert!(records.iter().all(|record| record.name.is_at_or_below(&zone)));
}

/// When the seeds were signed.
const NOW: u64 = 1_790_000_000;

/// The request that the seeds answer: SOA of example.com, with the id 0x1234.
const REQUEST: &[u8] = b"\x12\x34\0\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x06\0\x01";

pub(super) fn signed(input: &[u8]) {
    let name = Name::parse("key.example").ok();
    let secret = SecretString::from("c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0");
    let key = name.and_then(|name| TsigKey::new(name, TsigAlgorithm::HmacSha256, &secret).ok());
    let Some(key) = key else { panic!("the key is none") };
    let frames = frames(input);
    if let Ok(opened) = open_answers(&key, REQUEST.to_vec(), frames.iter().copied(), NOW) {
        assert_eq!(opened.len(), frames.len());
        for message in &opened {
            let _ = decode_response(message);
        }
        // Nobody but the holder of the key can make one: the first is that of a seed, whatever the id in its header.
        if let Some(first) = opened.first() {
            assert_eq!(first.get(2..), SIGNED.get(2..), "a forged answer was taken");
        }
    }
}

/// The answer in the seeds, without its signature.
const SIGNED: &[u8] = b"\x12\x34\x84\0\0\x01\0\x01\0\0\0\0\x07example\x03com\0\0\x06\0\x01\
    \xc0\x0c\0\x06\0\x01\0\0\x0e\x10\0\x1c\x01a\xc0\x0c\x01b\xc0\x0c\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05";
