//! Transaction signatures (RFC 8945). The digests are the library's; what is digested is put
//! together here, because a response is verified over the octets that came.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use hickory_proto::rr::rdata::tsig::TsigAlgorithm as Digest;
use mailzone_record::{Name, RecordType};
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use crate::names::{Malformed, Reader};
use crate::{Rcode, Rejection};

/// A key that a server and its clients share (RFC 8945).
#[derive(Clone)]
pub struct TsigKey {
    name: Name,
    algorithm: TsigAlgorithm,
    secret: Arc<SecretSlice<u8>>,
}

/// How messages are digested (RFC 8945 section 6). MD5 and SHA-1 are not offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the RFC's names")]
pub enum TsigAlgorithm {
    HmacSha256,
    HmacSha384,
    HmacSha512,
}

/// Why there is no key. The secret is never part of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TsigKeyError {
    /// The secret is not base64 (RFC 4648 section 4).
    #[error("the TSIG secret is not base64")]
    NotBase64,
    /// The secret is empty.
    #[error("the TSIG secret is empty")]
    Empty,
    /// The algorithm has another name or is not supported.
    #[error("unknown TSIG algorithm: hmac-sha256, hmac-sha384 and hmac-sha512 are supported")]
    UnknownAlgorithm,
}

/// Seconds by which the clocks may differ; what RFC 8945 section 10 recommends.
const FUDGE: u16 = 300;

/// How many messages of a transfer may be unsigned in a row (RFC 8945 section 5.3.1).
const UNSIGNED_IN_A_ROW: usize = 99;

const TSIG: RecordType = RecordType(250);
const ANY: u16 = 255;

impl TsigKey {
    /// A key. `secret` is base64, as `tsig-keygen` prints it; white space around it is ignored.
    pub fn new(name: Name, algorithm: TsigAlgorithm, secret: &SecretString) -> Result<Self, TsigKeyError> {
        let octets = data_encoding::BASE64.decode(secret.expose_secret().trim().as_bytes());
        let octets = octets.map_err(|_| TsigKeyError::NotBase64)?;
        if octets.is_empty() {
            return Err(TsigKeyError::Empty);
        }
        Ok(Self { name, algorithm, secret: Arc::new(SecretSlice::from(octets)) })
    }

    /// The key's name, which both sides have to write alike.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// How it digests.
    pub fn algorithm(&self) -> TsigAlgorithm {
        self.algorithm
    }

    fn mac(&self, data: &[u8]) -> Vec<u8> {
        // Each algorithm that can be chosen is supported by the library.
        self.algorithm.digest().mac_data(self.secret.expose_secret(), data).unwrap_or_default()
    }

    /// Compares in constant time. A truncated MAC is not accepted.
    fn verify(&self, data: &[u8], mac: &[u8]) -> bool {
        self.algorithm.digest().verify_mac(self.secret.expose_secret(), data, mac).is_ok()
    }
}

impl fmt::Debug for TsigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TsigKey").field("name", &self.name).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl TsigAlgorithm {
    /// The name in messages and configurations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha384 => "hmac-sha384",
            Self::HmacSha512 => "hmac-sha512",
        }
    }

    fn digest(self) -> Digest {
        match self {
            Self::HmacSha256 => Digest::HmacSha256,
            Self::HmacSha384 => Digest::HmacSha384,
            Self::HmacSha512 => Digest::HmacSha512,
        }
    }

    /// The name as octets of a message: one label and the root.
    fn wire(self) -> Vec<u8> {
        let text = self.as_str();
        // The names have 11 octets.
        let mut wire = vec![text.len() as u8];
        wire.extend_from_slice(text.as_bytes());
        wire.push(0);
        wire
    }
}

impl FromStr for TsigAlgorithm {
    type Err = TsigKeyError;

    /// Reads the name in any case, with or without the closing dot.
    fn from_str(text: &str) -> Result<Self, TsigKeyError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let all = [Self::HmacSha256, Self::HmacSha384, Self::HmacSha512];
        all.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(text)).ok_or(TsigKeyError::UnknownAlgorithm)
    }
}

/// One request and the answers to it.
#[derive(Debug)]
pub(crate) struct Signer {
    key: TsigKey,
    now: u64,
    /// The MAC of the last signed message, of the request at first.
    last: Vec<u8>,
    /// Whether a signed answer has come.
    answered: bool,
    /// Answers since the last signed one.
    unsigned: Vec<u8>,
    unsigned_count: usize,
}

impl Signer {
    /// Appends the signature to `message`, a whole request without one. `now` is in seconds since 1970.
    pub(crate) fn sign(key: TsigKey, message: &mut Vec<u8>, now: u64) -> Self {
        let id = message.first_chunk().copied().unwrap_or([0; 2]);
        let mut data = message.clone();
        data.extend_from_slice(&variables(&key, now, FUDGE, 0, &[]));
        let mac = key.mac(&data);
        append(message, &key, now, id, &mac, 0, &[]);
        Self { key, now, last: mac, answered: false, unsigned: Vec::new(), unsigned_count: 0 }
    }

    /// The octets that the TSIG record and the header's count of it are taken off from, after
    /// verification of whatever can be verified. Says what the server rejects before it looks at
    /// the signature: an error about the key cannot be signed with it.
    pub(crate) fn open(&mut self, message: &[u8], now: u64) -> Result<Opened, OpenError> {
        let rcode = rcode(message)?;
        let Some(found) = find(message)? else {
            if let Some(rejection) = Rejection::of(rcode, 0, self.now, None)
                && !signature_wanted(rcode)
            {
                return Err(rejection.into());
            }
            if !self.answered {
                return Err(Rejection::Unsigned.into());
            }
            self.unsigned_count += 1;
            if self.unsigned_count > UNSIGNED_IN_A_ROW {
                return Err(Rejection::Unsigned.into());
            }
            self.unsigned.extend_from_slice(message);
            return Ok(Opened { message: message.to_vec(), signed: false });
        };
        if found.error != 0 {
            let server = (found.error == 18).then(|| seconds(&found.other)).flatten();
            return Err(Rejection::of(rcode, found.error, self.now, server).unwrap_or(Rejection::Unverified).into());
        }
        if found.key != self.key.name || !found.algorithm.eq_ignore_ascii_case(&self.key.algorithm.wire()) {
            return Err(Rejection::Unverified.into());
        }
        let mut data = Vec::with_capacity(2 + self.last.len() + self.unsigned.len() + message.len() + 64);
        // A MAC has at most 64 octets.
        data.extend_from_slice(&(self.last.len() as u16).to_be_bytes());
        data.extend_from_slice(&self.last);
        data.extend_from_slice(&self.unsigned);
        data.extend_from_slice(&found.original_id);
        data.extend_from_slice(found.message.get(2..).unwrap_or_default());
        if self.answered {
            data.extend_from_slice(&timers(found.time, found.fudge));
        } else {
            data.extend_from_slice(&variables(&self.key, found.time, found.fudge, found.error, &found.other));
        }
        if !self.key.verify(&data, &found.mac) {
            return Err(Rejection::Unverified.into());
        }
        if found.time.abs_diff(now) > u64::from(found.fudge) {
            return Err(Rejection::AnswerTime { ours: now, server: found.time }.into());
        }
        self.answered = true;
        self.last = found.mac;
        self.unsigned.clear();
        self.unsigned_count = 0;
        Ok(Opened { message: found.message, signed: true })
    }
}

/// A message without its signature.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) message: Vec<u8>,
    /// Whether it was signed itself, or only belongs to a sequence whose end has to be.
    pub(crate) signed: bool,
}

/// Why a message is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OpenError {
    Malformed(Malformed),
    Rejected(Rejection),
}

impl From<Malformed> for OpenError {
    fn from(reason: Malformed) -> Self {
        Self::Malformed(reason)
    }
}

impl From<Rejection> for OpenError {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// Whether the response code states something about the zone, which only the server may state.
/// Other errors need no signature: whoever forges them can as well drop the answer.
fn signature_wanted(rcode: Rcode) -> bool {
    matches!(rcode, Rcode::NoError | Rcode::NxDomain | Rcode::Other(6..=8))
}

fn rcode(message: &[u8]) -> Result<Rcode, Malformed> {
    let flags = *message.get(3).ok_or("ends early")?;
    Ok(Rcode::from(u16::from(flags & 0xf)))
}

/// A TSIG record and the message before it.
struct Found {
    /// Without the record, and not counting it.
    message: Vec<u8>,
    key: Name,
    algorithm: Vec<u8>,
    time: u64,
    fudge: u16,
    mac: Vec<u8>,
    original_id: [u8; 2],
    error: u16,
    other: Vec<u8>,
}

/// Finds the TSIG record, which has to be the last one (RFC 8945 section 5.1).
fn find(message: &[u8]) -> Result<Option<Found>, Malformed> {
    let mut reader = Reader::new(message);
    reader.octets(4)?;
    let questions = reader.u16()?;
    let (answers, authority, additional) = (reader.u16()?, reader.u16()?, reader.u16()?);
    for _ in 0..questions {
        reader.name()?;
        reader.octets(4)?;
    }
    let records = u32::from(answers) + u32::from(authority) + u32::from(additional);
    for left in (0..records).rev() {
        let start = reader.position();
        let owner = reader.name()?;
        let rtype = RecordType(reader.u16()?);
        reader.octets(6)?;
        let length = usize::from(reader.u16()?);
        if rtype != TSIG {
            reader.octets(length)?;
            continue;
        }
        if left != 0 || additional == 0 {
            return Err("a TSIG record that is not the last one");
        }
        let end = reader.position() + length;
        let algorithm = reader.name()?.as_wire().to_vec();
        let time = u64::from(reader.u16()?) << 32 | u64::from(reader.u32()?);
        let fudge = reader.u16()?;
        let size = usize::from(reader.u16()?);
        let mac = reader.octets(size)?.to_vec();
        let original_id = reader.u16()?.to_be_bytes();
        let error = reader.u16()?;
        let size = usize::from(reader.u16()?);
        let other = reader.octets(size)?.to_vec();
        if reader.position() != end || end != message.len() {
            return Err("a TSIG record of another length");
        }
        let mut message = message.get(..start).unwrap_or_default().to_vec();
        if let Some(count) = message.get_mut(10..12) {
            count.copy_from_slice(&(additional - 1).to_be_bytes());
        }
        return Ok(Some(Found { message, key: owner, algorithm, time, fudge, mac, original_id, error, other }));
    }
    Ok(None)
}

/// Adds a TSIG record to `message` and counts it.
fn append(message: &mut Vec<u8>, key: &TsigKey, time: u64, id: [u8; 2], mac: &[u8], error: u16, other: &[u8]) {
    let mut data = key.algorithm.wire();
    data.extend_from_slice(&timers(time, FUDGE));
    // A MAC has at most 64 octets, the other data at most 6.
    data.extend_from_slice(&(mac.len() as u16).to_be_bytes());
    data.extend_from_slice(mac);
    data.extend_from_slice(&id);
    data.extend_from_slice(&error.to_be_bytes());
    data.extend_from_slice(&(other.len() as u16).to_be_bytes());
    data.extend_from_slice(other);

    message.extend_from_slice(key.name.as_wire());
    message.extend_from_slice(&TSIG.0.to_be_bytes());
    message.extend_from_slice(&ANY.to_be_bytes());
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(&(data.len() as u16).to_be_bytes());
    message.extend_from_slice(&data);
    if let Some(count) = message.get_mut(10..12)
        && let [a, b] = *count
    {
        count.copy_from_slice(&u16::from_be_bytes([a, b]).saturating_add(1).to_be_bytes());
    }
}

/// The octets that [`append`] adds, at most.
pub(crate) fn overhead(key: &TsigKey) -> usize {
    key.name.as_wire().len() + 10 + key.algorithm.wire().len() + 16 + 64
}

/// RFC 8945 section 4.3.3.
fn variables(key: &TsigKey, time: u64, fudge: u16, error: u16, other: &[u8]) -> Vec<u8> {
    let mut data = key.name.to_lowercase().as_wire().to_vec();
    data.extend_from_slice(&ANY.to_be_bytes());
    data.extend_from_slice(&[0; 4]);
    data.extend_from_slice(&key.algorithm.wire());
    data.extend_from_slice(&timers(time, fudge));
    data.extend_from_slice(&error.to_be_bytes());
    // Read from a field of 16 bits.
    data.extend_from_slice(&(other.len() as u16).to_be_bytes());
    data.extend_from_slice(other);
    data
}

/// RFC 8945 section 5.3.1.
fn timers(time: u64, fudge: u16) -> [u8; 8] {
    let [_, _, time @ ..] = time.to_be_bytes();
    let mut octets = [0; 8];
    octets[..6].copy_from_slice(&time);
    octets[6..].copy_from_slice(&fudge.to_be_bytes());
    octets
}

/// The server's time in the other data of BADTIME (RFC 8945 section 5.2.3).
fn seconds(other: &[u8]) -> Option<u64> {
    let octets: [u8; 6] = other.try_into().ok()?;
    Some(octets.iter().fold(0, |time, octet| time << 8 | u64::from(*octet)))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_700_000_000;
    const REQUEST: &[u8] = b"\x12\x34\0\0\0\x01\0\0\0\0\0\0\x01a\0\0\x06\0\x01";

    pub(super) fn key(secret: &str) -> TsigKey {
        let name = Name::parse("Key.example").unwrap();
        TsigKey::new(name, TsigAlgorithm::HmacSha256, &SecretString::from(secret)).unwrap()
    }

    fn answer(rcode: u8) -> Vec<u8> {
        let mut message = REQUEST.to_vec();
        message[2] = 0x84;
        message[3] = rcode;
        message
    }

    /// What a server does.
    fn signed(
        key: &TsigKey,
        prior: &[u8],
        before: &[u8],
        message: &[u8],
        first: bool,
        time: u64,
    ) -> (Vec<u8>, Vec<u8>) {
        let mut data = (prior.len() as u16).to_be_bytes().to_vec();
        data.extend_from_slice(prior);
        data.extend_from_slice(before);
        data.extend_from_slice(message);
        if first {
            data.extend_from_slice(&variables(key, time, FUDGE, 0, &[]));
        } else {
            data.extend_from_slice(&timers(time, FUDGE));
        }
        let mac = key.mac(&data);
        let mut message = message.to_vec();
        append(&mut message, key, time, [0x12, 0x34], &mac, 0, &[]);
        (message, mac)
    }

    fn request() -> Signer {
        Signer::sign(key("c2VjcmV0"), &mut REQUEST.to_vec(), NOW)
    }

    #[test]
    fn keys_and_algorithms() {
        let name = Name::parse("k").unwrap();
        let new = |secret: &str| TsigKey::new(name.clone(), TsigAlgorithm::HmacSha512, &SecretString::from(secret));
        assert_eq!(new("not base64!").unwrap_err(), TsigKeyError::NotBase64);
        assert_eq!(new(" \n").unwrap_err(), TsigKeyError::Empty);
        let debug = format!("{:?}", new("bWFya2VkLXNlY3JldA==\n").unwrap());
        assert!(!debug.contains("marked") && !debug.contains("bWFya") && !debug.contains("109"), "{debug}");
        assert_eq!("HMAC-SHA256.".parse(), Ok(TsigAlgorithm::HmacSha256));
        assert_eq!("hmac-md5".parse::<TsigAlgorithm>(), Err(TsigKeyError::UnknownAlgorithm));
    }

    #[test]
    fn a_signed_answer_is_taken_and_nothing_else() {
        let right = key("c2VjcmV0");
        let mut signer = request();
        let (good, _) = signed(&right, &signer.last.clone(), b"", &answer(0), true, NOW);
        let opened = signer.open(&good, NOW).unwrap();
        assert!(opened.signed && opened.message == answer(0));

        let rejected = |message: &[u8]| match request().open(message, NOW) {
            Err(OpenError::Rejected(rejection)) => rejection,
            other => panic!("{other:?}"),
        };
        let mut changed = good.clone();
        changed[13] ^= 0x20;
        assert_eq!(rejected(&changed), Rejection::Unverified);
        assert_eq!(rejected(&answer(0)), Rejection::Unsigned);
        // YXDOMAIN states something about the zone.
        assert_eq!(rejected(&answer(6)), Rejection::Unsigned);
        assert_eq!(rejected(&answer(5)), Rejection::Refused);
        let (other_secret, _) = signed(&key("b3RoZXI="), &request().last, b"", &answer(0), true, NOW);
        assert_eq!(rejected(&other_secret), Rejection::Unverified);
        let (old, _) = signed(&right, &request().last, b"", &answer(0), true, NOW - 301);
        assert_eq!(rejected(&old), Rejection::AnswerTime { ours: NOW, server: NOW - 301 });
        let mut bad_key = answer(9);
        append(&mut bad_key, &right, NOW, [0x12, 0x34], &[], 17, &[]);
        assert_eq!(rejected(&bad_key), Rejection::BadKey);
        let mut bad_time = answer(9);
        append(&mut bad_time, &right, NOW, [0x12, 0x34], &[], 18, &[0, 0, 0, 0, 1, 0]);
        assert_eq!(rejected(&bad_time), Rejection::BadTime { ours: NOW, server: Some(256) });
    }

    #[test]
    fn unsigned_messages_inside_a_transfer_are_digested() {
        let key = key("c2VjcmV0");
        let mut signer = request();
        let (first, mac) = signed(&key, &signer.last.clone(), b"", &answer(0), true, NOW);
        let (second, third) = (answer(0), answer(0));
        let between = [&second[..], &third[..]].concat();
        let (fourth, _) = signed(&key, &mac, &between, &answer(0), false, NOW + 1);
        assert!(signer.open(&first, NOW).unwrap().signed);
        assert!(!signer.open(&second, NOW).unwrap().signed);
        assert!(!signer.open(&third, NOW).unwrap().signed);
        assert!(signer.open(&fourth, NOW).unwrap().signed);

        let mut signer = request();
        signer.open(&first, NOW).unwrap();
        signer.open(&second, NOW).unwrap();
        // One message less than was digested.
        assert_eq!(signer.open(&fourth, NOW).unwrap_err(), OpenError::Rejected(Rejection::Unverified));

        let mut signer = request();
        signer.open(&first, NOW).unwrap();
        let results: Vec<_> = (0..100).map(|_| signer.open(&second, NOW)).collect();
        assert!(results[..99].iter().all(Result::is_ok) && results[99].is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_octets_do_no_harm(bytes in vec(any::<u8>(), 0..300)) {
            prop_assert!(request().open(&bytes, NOW).is_err());
        }

        #[test]
        fn no_change_of_an_octet_is_accepted(at in any::<prop::sample::Index>(), by in 1u8..) {
            let mut signer = request();
            let (mut message, _) = signed(&key("c2VjcmV0"), &signer.last.clone(), b"", &answer(0), true, NOW);
            let end = message.len();
            let at = at.index(end);
            message[at] ^= by;
            if let Ok(opened) = signer.open(&message, NOW) {
                // The message id is not covered, but the original id is; the names' case is not;
                // class and TTL of the record are constants.
                prop_assert_eq!(&opened.message[2..], &answer(0)[2..]);
            }
        }
    }
}
