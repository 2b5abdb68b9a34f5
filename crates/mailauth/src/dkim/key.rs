//! Public keys as DKIM publishes them (RFC 6376 section 3.6.1, RFC 8463 section 4).

use std::fmt;

use data_encoding::{BASE64, BASE64_NOPAD};
use sha2::{Digest, Sha256};

use super::der::{self, DerError, Reader};

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// `k=rsa`.
    Rsa(RsaKey),
    /// `k=ed25519`: the raw 32 octets.
    Ed25519([u8; 32]),
}

/// An RSA public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RsaKey {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    /// How it was written where it was read. mailzone writes [`Encoding::Spki`].
    pub encoding: Encoding,
}

/// How an RSA key is written in `p`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// SubjectPublicKeyInfo: what all verifiers read.
    Spki,
    /// The bare RSAPublicKey of PKCS#1, as the example of RFC 6376 had it: not read by all.
    Pkcs1,
}

/// The type of a key: the tag `k`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// `rsa`, the default.
    Rsa,
    /// `ed25519`.
    Ed25519,
}

/// Why octets are no usable public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The structure is damaged.
    #[error("{0}")]
    Der(#[from] DerError),
    /// A structure for another algorithm than RSA or Ed25519.
    #[error("a key of another algorithm than RSA and Ed25519")]
    Algorithm,
    /// The key of the one type where the other is expected.
    #[error("the key is of type {0}, which is not what `k` says")]
    OtherType(KeyType),
    /// Ed25519 with another length.
    #[error("an Ed25519 key has 32 octets, this has {0}")]
    Ed25519Length(usize),
    /// An RSA exponent that is even or 1, or a modulus of 0.
    #[error("an RSA key that cannot work (its exponent is even or 1, or its modulus 0)")]
    Unusable,
    /// The octets are a private key.
    #[error("a private key")]
    Private,
}

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

impl PublicKey {
    /// Reads the octets of `p` for a key of this type.
    ///
    /// # Errors
    /// The octets are no such key. A retry does not help.
    pub fn from_octets(key_type: KeyType, octets: &[u8]) -> Result<Self, KeyError> {
        match key_type {
            KeyType::Ed25519 => match <[u8; 32]>::try_from(octets) {
                Ok(raw) => Ok(Self::Ed25519(raw)),
                Err(_) => Err(private_or(octets, KeyError::Ed25519Length(octets.len()))),
            },
            KeyType::Rsa => match Self::from_der(octets)? {
                key @ Self::Rsa(_) => Ok(key),
                Self::Ed25519(_) => Err(KeyError::OtherType(KeyType::Ed25519)),
            },
        }
    }

    /// Reads SubjectPublicKeyInfo of either type, or PKCS#1.
    ///
    /// # Errors
    /// As [`PublicKey::from_octets`].
    pub fn from_der(octets: &[u8]) -> Result<Self, KeyError> {
        let mut outer = Reader::new(octets);
        let mut body = outer.inside(der::SEQUENCE).map_err(|e| private_or(octets, e.into()))?;
        outer.end().map_err(|e| private_or(octets, e.into()))?;
        if body.next_is(der::INTEGER) {
            return match rsa_numbers(body, Encoding::Pkcs1) {
                Err(error) => Err(private_or(octets, error)),
                good => good,
            };
        }
        let (algorithm, mut parameters) = algorithm(&mut body)?;
        let bits = body.element(der::BIT_STRING)?;
        body.end()?;
        let Some((0, key)) = bits.split_first() else { return Err(DerError::Unexpected.into()) };
        match algorithm {
            RSA => {
                if parameters.next_is(der::NULL) {
                    parameters.element(der::NULL)?;
                }
                parameters.end()?;
                let mut outer = Reader::new(key);
                let numbers = outer.inside(der::SEQUENCE)?;
                outer.end()?;
                rsa_numbers(numbers, Encoding::Spki)
            }
            ED25519 => key.try_into().map(Self::Ed25519).map_err(|_| KeyError::Ed25519Length(key.len())),
            _ => Err(KeyError::Algorithm),
        }
    }

    /// Derives the public key from the DER of a private one: PKCS#8 or PKCS#1 for RSA. `None` for
    /// Ed25519, whose derivation needs curve arithmetic.
    ///
    /// # Errors
    /// The octets are no RSA or Ed25519 private key. The error never holds any of them.
    pub fn from_private_der(octets: &[u8]) -> Result<Option<Self>, KeyError> {
        let mut outer = Reader::new(octets);
        let mut body = outer.inside(der::SEQUENCE)?;
        outer.end()?;
        body.unsigned()?;
        if body.next_is(der::INTEGER) {
            return rsa_private(body).map(Some);
        }
        let (algorithm, _) = algorithm(&mut body)?;
        let key = body.element(der::OCTET_STRING)?;
        match algorithm {
            RSA => {
                let mut inner = Reader::new(key).inside(der::SEQUENCE)?;
                inner.unsigned()?;
                rsa_private(inner).map(Some)
            }
            ED25519 => Ok(None),
            _ => Err(KeyError::Algorithm),
        }
    }

    /// The type.
    pub fn key_type(&self) -> KeyType {
        match self {
            Self::Rsa(_) => KeyType::Rsa,
            Self::Ed25519(_) => KeyType::Ed25519,
        }
    }

    /// The size in bits: of the modulus, or 256.
    pub fn bits(&self) -> usize {
        match self {
            Self::Rsa(key) => key.bits(),
            Self::Ed25519(_) => 256,
        }
    }

    /// Whether both are the same key, however written.
    pub fn is_same_key(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rsa(a), Self::Rsa(b)) => a.modulus == b.modulus && a.exponent == b.exponent,
            (a, b) => a == b,
        }
    }

    /// The octets that `p` holds when mailzone writes it: SubjectPublicKeyInfo for RSA, raw for Ed25519.
    pub fn to_octets(&self) -> Vec<u8> {
        match self {
            Self::Rsa(key) => key.to_spki(),
            Self::Ed25519(raw) => raw.to_vec(),
        }
    }

    /// `SHA256:` and the hash of [`PublicKey::to_octets`] in base64 without padding: the same for both
    /// encodings of an RSA key.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", BASE64_NOPAD.encode(&Sha256::digest(self.to_octets())))
    }
}

impl fmt::Display for PublicKey {
    /// For people: `RSA 2048 bits, SHA256:wmrTBbP1PkZ6…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fingerprint: String = self.fingerprint().chars().take("SHA256:".len() + 12).collect();
        match self {
            Self::Rsa(key) => write!(f, "RSA {} bits, {fingerprint}…", key.bits()),
            Self::Ed25519(_) => write!(f, "Ed25519, {fingerprint}…"),
        }
    }
}

impl RsaKey {
    /// The modulus, big-endian, without leading zeros.
    pub fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    /// The public exponent, big-endian, without leading zeros.
    pub fn exponent(&self) -> &[u8] {
        &self.exponent
    }

    /// The size of the modulus in bits.
    pub fn bits(&self) -> usize {
        self.modulus.first().map_or(0, |first| self.modulus.len() * 8 - first.leading_zeros() as usize)
    }

    fn to_spki(&self) -> Vec<u8> {
        let numbers = [der::unsigned(&self.modulus), der::unsigned(&self.exponent)].concat();
        let mut bits = vec![0];
        bits.extend(der::element(der::SEQUENCE, &numbers));
        let algorithm = [der::element(der::OBJECT_IDENTIFIER, RSA), der::element(der::NULL, &[])].concat();
        let algorithm = der::element(der::SEQUENCE, &algorithm);
        der::element(der::SEQUENCE, &[algorithm, der::element(der::BIT_STRING, &bits)].concat())
    }
}

impl KeyType {
    /// The keyword.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        }
    }

    /// Reads the keyword; case-sensitive (RFC 6376 section 3.2).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Rsa, Self::Ed25519].into_iter().find(|key_type| key_type.as_str() == text)
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is no base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Base64Error {
    /// A character outside the alphabet, or `=` before the end.
    #[error("the character {0:?} is not in the base64 alphabet")]
    Character(char),
    /// A number of characters that no octets encode to.
    #[error("{0} characters are no whole base64: one is missing or too many")]
    Length(usize),
}

/// Reads base64 as RFC 6376 section 2.10 writes it: white space anywhere, padding optional.
pub(super) fn decode_base64(text: &str) -> Result<Vec<u8>, Base64Error> {
    let mut octets: Vec<u8> = Vec::with_capacity(text.len() * 3 / 4);
    let (mut pending, mut bits, mut count, mut padding) = (0u32, 0u32, 0usize, 0usize);
    for c in text.chars().filter(|&c| !crate::tag_list::is_white(c)) {
        let sextet = match c {
            'A'..='Z' => c as u32 - 'A' as u32,
            'a'..='z' => c as u32 - 'a' as u32 + 26,
            '0'..='9' => c as u32 - '0' as u32 + 52,
            '+' => 62,
            '/' => 63,
            '=' if padding < 2 => {
                padding += 1;
                continue;
            }
            _ => return Err(Base64Error::Character(c)),
        };
        if padding > 0 {
            return Err(Base64Error::Character('='));
        }
        count += 1;
        pending = (pending << 6 | sextet) & 0xfff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            octets.push((pending >> bits) as u8);
        }
    }
    if count % 4 == 1 { Err(Base64Error::Length(count)) } else { Ok(octets) }
}

pub(super) fn encode_base64(octets: &[u8]) -> String {
    BASE64.encode(octets)
}

fn algorithm<'a>(body: &mut Reader<'a>) -> Result<(&'a [u8], Reader<'a>), DerError> {
    let mut algorithm = body.inside(der::SEQUENCE)?;
    Ok((algorithm.element(der::OBJECT_IDENTIFIER)?, algorithm))
}

fn rsa_numbers(mut body: Reader<'_>, encoding: Encoding) -> Result<PublicKey, KeyError> {
    let (modulus, exponent) = (body.unsigned()?, body.unsigned()?);
    body.end()?;
    rsa(modulus, exponent, encoding)
}

/// Modulus and exponent of an RSAPrivateKey whose version was read.
fn rsa_private(mut body: Reader<'_>) -> Result<PublicKey, KeyError> {
    let (modulus, exponent) = (body.unsigned()?, body.unsigned()?);
    body.unsigned()?;
    rsa(modulus, exponent, Encoding::Spki)
}

fn rsa(modulus: &[u8], exponent: &[u8], encoding: Encoding) -> Result<PublicKey, KeyError> {
    let odd = exponent.last().is_some_and(|last| last & 1 == 1);
    if modulus.is_empty() || !odd || exponent == [1] {
        return Err(KeyError::Unusable);
    }
    Ok(PublicKey::Rsa(RsaKey { modulus: modulus.to_vec(), exponent: exponent.to_vec(), encoding }))
}

/// `error`, unless the octets are (the beginning of) a private key: a sequence that starts with a small
/// version number, which no public key does.
fn private_or(octets: &[u8], error: KeyError) -> KeyError {
    let ([der::SEQUENCE, 0x82, _, _, header @ ..]
    | [der::SEQUENCE, 0x81, _, header @ ..]
    | [der::SEQUENCE, _, header @ ..]) = octets
    else {
        return error;
    };
    if matches!(header, [der::INTEGER, 1, 0 | 1, ..]) { KeyError::Private } else { error }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An RSA key of this size whose numbers mean nothing.
    pub(in crate::dkim) fn rsa_key(bits: usize, filling: u8) -> PublicKey {
        let mut modulus = vec![filling | 1; bits / 8];
        modulus[0] = 0x80;
        rsa(&modulus, &[1, 0, 1], Encoding::Spki).unwrap()
    }

    /// The DER of a private key for a public one, the secret numbers all 7: (PKCS#1, PKCS#8).
    pub(in crate::dkim) fn private_der(key: &PublicKey) -> (Vec<u8>, Vec<u8>) {
        let version = der::unsigned(&[]);
        match key {
            PublicKey::Rsa(rsa) => {
                let mut numbers = [version.clone(), der::unsigned(&rsa.modulus), der::unsigned(&rsa.exponent)].concat();
                for _ in 0..6 {
                    numbers.extend(der::unsigned(&[7; 32]));
                }
                let pkcs1 = der::element(der::SEQUENCE, &numbers);
                let algorithm = [der::element(der::OBJECT_IDENTIFIER, RSA), der::element(der::NULL, &[])].concat();
                let parts = [version, der::element(der::SEQUENCE, &algorithm), der::element(der::OCTET_STRING, &pkcs1)]
                    .concat();
                (pkcs1, der::element(der::SEQUENCE, &parts))
            }
            PublicKey::Ed25519(_) => {
                let algorithm = der::element(der::SEQUENCE, &der::element(der::OBJECT_IDENTIFIER, ED25519));
                let secret = der::element(der::OCTET_STRING, &der::element(der::OCTET_STRING, &[7; 32]));
                let octets = der::element(der::SEQUENCE, &[version, algorithm, secret].concat());
                (octets.clone(), octets)
            }
        }
    }

    #[test]
    fn private_keys_give_their_public_key() {
        let key = rsa_key(2048, 0x55);
        let (pkcs1, pkcs8) = private_der(&key);
        for octets in [pkcs1, pkcs8] {
            assert_eq!(PublicKey::from_private_der(&octets), Ok(Some(key.clone())));
            assert_eq!(PublicKey::from_der(&octets), Err(KeyError::Private));
            assert_eq!(PublicKey::from_der(&octets[..octets.len() - 9]), Err(KeyError::Private));
            assert_eq!(PublicKey::from_octets(KeyType::Ed25519, &octets), Err(KeyError::Private));
        }
        let (_, ed25519) = private_der(&PublicKey::Ed25519([1; 32]));
        assert_eq!(PublicKey::from_private_der(&ed25519), Ok(None));
        assert_eq!(PublicKey::from_der(&ed25519), Err(KeyError::Private));
    }

    #[test]
    fn exponents_must_be_able_to_work() {
        for exponent in [&[][..], &[1], &[2]] {
            assert_eq!(rsa(&[0x81; 128], exponent, Encoding::Spki), Err(KeyError::Unusable));
        }
        assert!(rsa(&[0x81; 128], &[3], Encoding::Spki).is_ok());
    }

    #[test]
    fn base64_as_rfc_6376_writes_it() {
        for text in ["YWI=", "YWI", " Y W\tI\r\n= "] {
            assert_eq!(decode_base64(text).unwrap(), b"ab", "{text}");
        }
        assert_eq!(decode_base64("YWJjZ"), Err(Base64Error::Length(5)));
        assert_eq!(decode_base64("Y=WI"), Err(Base64Error::Character('=')));
        assert_eq!(decode_base64("YW-I"), Err(Base64Error::Character('-')));
        assert_eq!(decode_base64("YW==="), Err(Base64Error::Character('=')));
    }

    proptest! {
        #[test]
        fn base64_agrees_with_the_library(octets in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(decode_base64(&encode_base64(&octets)).unwrap(), octets);
        }

        #[test]
        fn any_octets_are_read(octets in prop::collection::vec(any::<u8>(), 0..100), cut in 0..294usize) {
            let _ = PublicKey::from_der(&octets);
            let _ = PublicKey::from_private_der(&octets);
            let mut damaged = rsa_key(2048, 3).to_octets();
            damaged.truncate(cut);
            let truncated = matches!(PublicKey::from_der(&damaged), Err(KeyError::Der(DerError::Truncated { .. })));
            prop_assert!(truncated);
            damaged.extend(octets);
            let _ = PublicKey::from_der(&damaged);
        }

        #[test]
        fn keys_print_and_read(bits in 64..600usize, filling in any::<u8>()) {
            let key = rsa_key(bits * 8, filling);
            prop_assert_eq!(key.bits(), bits * 8);
            prop_assert_eq!(PublicKey::from_der(&key.to_octets()).unwrap(), key);
        }
    }
}
