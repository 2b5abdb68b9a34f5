//! Private keys as signers keep them, and which public key belongs to each.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use mailzone_mailauth::dkim::{DerError, KeyError, PublicKey};

use crate::pem;

/// What is known of a private key after it was read. It holds no private octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateKey {
    /// The public key that belongs to it.
    pub public: PublicKey,
    /// How it was written.
    pub form: Form,
    /// Whether its numbers were found to belong together. Not tried for RSA keys under 2048 bits, which the crypto
    /// library does not take, nor over 8192.
    pub proven: bool,
}

/// How a private key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `BEGIN PRIVATE KEY`, or its DER.
    Pkcs8,
    /// `BEGIN RSA PRIVATE KEY`, or its DER.
    Pkcs1,
    /// Base64 of the 32 octets of an Ed25519 seed, or of these and the 32 of the public key: rspamd's form.
    Seed,
}

/// Why octets are no private key that signs. Each is the fault of the file; a retry does not help. No error holds
/// any octet of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrivateKeyError {
    /// Nothing there.
    #[error("the file is empty")]
    Empty,
    /// A public key, a record, a certificate, or something else.
    #[error("this is no private key")]
    NotPrivate,
    /// It has a passphrase.
    #[error("the private key is encrypted with a passphrase")]
    Encrypted,
    /// The end is missing.
    #[error("the private key is cut off")]
    CutOff,
    /// Neither RSA nor Ed25519.
    #[error("the private key is of another algorithm than RSA and Ed25519")]
    Algorithm,
    /// The structure is damaged.
    #[error("the private key is damaged")]
    Damaged,
    /// The numbers do not belong together.
    #[error("the private key does not work: its parts do not belong together")]
    Inconsistent,
}

impl PrivateKeyError {
    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Empty | Self::CutOff | Self::Damaged | Self::Inconsistent => {
                "copy the file again from the signer, or make a new key: mailzone dkim generate"
            }
            Self::NotPrivate => {
                "name the file that the signer reads: PEM with the line `BEGIN PRIVATE KEY` or `BEGIN RSA PRIVATE KEY`"
            }
            Self::Encrypted => {
                "signers cannot read it either; `openssl pkey -in FILE -out NEW` writes it without a passphrase"
            }
            Self::Algorithm => "DKIM knows RSA and Ed25519: make a new key with mailzone dkim generate",
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pkcs8 => "PKCS#8",
            Self::Pkcs1 => "PKCS#1",
            Self::Seed => "bare Ed25519 seed",
        })
    }
}

use PrivateKeyError as E;

/// Whether octets are, or were meant as, a private key in PEM: whole or not, of any algorithm.
pub fn looks_private(octets: &[u8]) -> bool {
    const WORDS: &[u8] = b"PRIVATE KEY";
    octets.windows(WORDS.len()).any(|part| part == WORDS)
}

/// Reads a private key: PKCS#8 or PKCS#1, PEM or DER, or rspamd's base64 of an Ed25519 key.
///
/// # Errors
/// There is no private key in it that signs for DKIM.
pub fn read_private(octets: &[u8]) -> Result<PrivateKey, PrivateKeyError> {
    if octets.iter().all(u8::is_ascii_whitespace) {
        return Err(E::Empty);
    }
    let Ok(text) = std::str::from_utf8(octets) else { return of_der(octets) };
    let blocks = pem::blocks(text);
    let Some(block) = blocks.iter().find(|block| block.label.ends_with("PRIVATE KEY")) else {
        return if blocks.is_empty() { bare(text) } else { Err(E::NotPrivate) };
    };
    match block.label {
        "PRIVATE KEY" | "RSA PRIVATE KEY" if block.body.contains("Proc-Type:") => Err(E::Encrypted),
        "PRIVATE KEY" | "RSA PRIVATE KEY" if !block.whole => Err(E::CutOff),
        "PRIVATE KEY" | "RSA PRIVATE KEY" => of_der(&pem::decode(block.body).ok_or(E::Damaged)?),
        "ENCRYPTED PRIVATE KEY" => Err(E::Encrypted),
        _ => Err(E::Algorithm),
    }
}

/// Base64 without the lines of PEM.
fn bare(text: &str) -> Result<PrivateKey, PrivateKeyError> {
    let octets = pem::decode(text.trim_start_matches('\u{feff}')).ok_or(E::NotPrivate)?;
    let pair = match octets.split_at_checked(32) {
        Some((seed, [])) => Ed25519KeyPair::from_seed_unchecked(seed),
        Some((seed, public)) if public.len() == 32 => Ed25519KeyPair::from_seed_and_public_key(seed, public),
        _ => return of_der(&octets),
    };
    ed25519(&pair.map_err(|_| E::Inconsistent)?, Form::Seed)
}

/// The DER of a private key.
pub(crate) fn of_der(octets: &[u8]) -> Result<PrivateKey, PrivateKeyError> {
    let public = match PublicKey::from_private_der(octets) {
        Ok(Some(public)) => public,
        Ok(None) => {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(octets).map_err(|_| E::Damaged)?;
            return ed25519(&pair, Form::Pkcs8);
        }
        Err(KeyError::Algorithm) => return Err(E::Algorithm),
        Err(KeyError::Unusable) => return Err(E::Inconsistent),
        Err(KeyError::Der(DerError::Truncated { .. })) if is_sequence(octets) => return Err(E::CutOff),
        // What is a public key, or no key at all, is no damaged private one.
        Err(_) if !begins_like_private(octets) => return Err(E::NotPrivate),
        Err(_) => return Err(E::Damaged),
    };
    let form = if is_pkcs1(octets) { Form::Pkcs1 } else { Form::Pkcs8 };
    let proven = (2048..=8192).contains(&public.bits());
    if proven {
        let tried = match form {
            Form::Pkcs1 => RsaKeyPair::from_der(octets),
            _ => RsaKeyPair::from_pkcs8(octets),
        };
        tried.map_err(|_| E::Inconsistent)?;
    }
    Ok(PrivateKey { public, form, proven })
}

fn ed25519(pair: &Ed25519KeyPair, form: Form) -> Result<PrivateKey, PrivateKeyError> {
    let raw = <[u8; 32]>::try_from(pair.public_key().as_ref()).map_err(|_| E::Damaged)?;
    Ok(PrivateKey { public: PublicKey::Ed25519(raw), form, proven: true })
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

fn is_sequence(octets: &[u8]) -> bool {
    octets.first() == Some(&SEQUENCE) && begins_like_private(octets)
}

/// What follows the header of the outer sequence.
fn inside(octets: &[u8]) -> &[u8] {
    match octets {
        [SEQUENCE, 0x83, _, _, _, rest @ ..]
        | [SEQUENCE, 0x82, _, _, rest @ ..]
        | [SEQUENCE, 0x81, _, rest @ ..]
        | [SEQUENCE, 0..=0x7f, rest @ ..] => rest,
        _ => &[],
    }
}

/// Whether a small version number comes first, as in no public key.
fn begins_like_private(octets: &[u8]) -> bool {
    matches!(inside(octets), [INTEGER, 1, 0 | 1, ..])
}

/// Whether the modulus follows the version, and no algorithm.
fn is_pkcs1(octets: &[u8]) -> bool {
    matches!(inside(octets), [INTEGER, 1, _, INTEGER, ..])
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;
    use crate::{KeyPair, NewKey};

    /// The seed and public key of RFC 8032 section 7.1, test 1; RFC 8463 appendix A uses the same.
    const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    const PUBLIC: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    fn raw(text: &str) -> Vec<u8> {
        BASE64.decode(text.as_bytes()).unwrap()
    }

    #[test]
    fn ed25519_in_every_form() {
        let seed = raw(SEED);
        let pkcs8 = [&[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20][..], &seed].concat();
        let both = BASE64.encode(&[seed, raw(PUBLIC)].concat());
        let pem = pem::encode("PRIVATE KEY", &pkcs8);
        let public = PublicKey::Ed25519(raw(PUBLIC).try_into().unwrap());
        for (form, octets) in [
            (Form::Pkcs8, pem.as_bytes()),
            (Form::Pkcs8, &pkcs8),
            (Form::Seed, SEED.as_bytes()),
            (Form::Seed, both.as_bytes()),
        ] {
            assert_eq!(read_private(octets), Ok(PrivateKey { public: public.clone(), form, proven: true }));
        }
        let wrong = BASE64.encode(&[raw(SEED), raw(SEED)].concat());
        assert_eq!(read_private(wrong.as_bytes()), Err(E::Inconsistent));
    }

    #[test]
    fn rsa_in_every_form() {
        let pair = KeyPair::generate(NewKey::Rsa2048).unwrap();
        let text = pair.private_pem();
        let pem = pem::blocks(text.expose_secret());
        let pkcs8 = pem::decode(pem[0].body).unwrap();
        // Header, version and algorithm are 26 octets of PKCS#8 for RSA with 2048 bits.
        let pkcs1 = &pkcs8[26..];
        let with_certificate =
            format!("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n{}", text.expose_secret());
        for (form, octets) in [
            (Form::Pkcs8, text.expose_secret().as_bytes()),
            (Form::Pkcs8, with_certificate.as_bytes()),
            (Form::Pkcs8, pkcs8.as_slice()),
            (Form::Pkcs8, BASE64.encode(&pkcs8).as_bytes()),
            (Form::Pkcs1, pem::encode("RSA PRIVATE KEY", pkcs1).as_bytes()),
            (Form::Pkcs1, pkcs1),
        ] {
            let read = read_private(octets).unwrap();
            assert_eq!((read.form, read.proven), (form, true));
            assert!(read.public.is_same_key(pair.public()));
        }
        // One bit of a prime.
        let mut damaged = pkcs8.to_vec();
        let at = damaged.len() - 500;
        damaged[at] ^= 1;
        assert_eq!(read_private(&damaged), Err(E::Inconsistent));
        assert_eq!(read_private(&pkcs8[..700]), Err(E::CutOff));
        assert_eq!(read_private(pair.public_pem().as_bytes()), Err(E::NotPrivate));
        assert_eq!(read_private(&pair.public().to_octets()), Err(E::NotPrivate));
        assert_eq!(read_private(pair.record().to_string().as_bytes()), Err(E::NotPrivate));
    }

    #[test]
    fn messages() {
        let block = |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
        let shown = [
            String::new(),
            "hello".to_owned(),
            block("ENCRYPTED PRIVATE KEY", "AAAA"),
            block("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA"),
            block("EC PRIVATE KEY", "AAAA"),
            block("OPENSSH PRIVATE KEY", "AAAA"),
            block("CERTIFICATE", "AAAA"),
            block("PRIVATE KEY", "MAMC!"),
            block("PRIVATE KEY", "MAMCAQA="),
            "-----BEGIN PRIVATE KEY-----\nMIIE".to_owned(),
        ]
        .map(|text| {
            let error = read_private(text.as_bytes()).unwrap_err();
            assert!(!error.remedy().is_empty());
            error.to_string()
        });
        insta::assert_snapshot!(shown.join("\n"), @"
        the file is empty
        this is no private key
        the private key is encrypted with a passphrase
        the private key is encrypted with a passphrase
        the private key is of another algorithm than RSA and Ed25519
        the private key is of another algorithm than RSA and Ed25519
        this is no private key
        the private key is damaged
        the private key is cut off
        the private key is cut off
        ");
    }

    proptest! {
        #[test]
        fn any_octets_read(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (read_private(&octets), looks_private(&octets));
        }

        #[test]
        fn any_der_in_pem_reads(octets in prop::collection::vec(any::<u8>(), 0..200), pkcs1 in any::<bool>()) {
            let label = if pkcs1 { "RSA PRIVATE KEY" } else { "PRIVATE KEY" };
            let der = [&[0x30, 0x82, 0, octets.len() as u8, 2, 1, 0][..], &octets].concat();
            let _ = read_private(pem::encode(label, &der).as_bytes());
            let _ = read_private(&der);
        }

        #[test]
        fn a_seed_gives_its_public_key_in_every_form(seed in any::<[u8; 32]>()) {
            let bare = read_private(BASE64.encode(&seed).as_bytes()).unwrap();
            let pkcs8 = [&[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20][..], &seed].concat();
            let pem = read_private(pem::encode("PRIVATE KEY", &pkcs8).as_bytes()).unwrap();
            prop_assert_eq!(bare.public, pem.public);
        }
    }
}
