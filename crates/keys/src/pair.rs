//! New keys.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, RsaKeyPair};
use mailzone_mailauth::dkim::{Key, KeyRecord, PublicKey};
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use crate::pem;
use crate::private::{self, PrivateKeyError};

/// What key to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewKey {
    /// RSA with 2048 bits: what every receiver verifies (RFC 8301 section 3.2).
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
    /// RSA with 4096 bits, the most that receivers must take.
    Rsa4096,
    /// Ed25519 (RFC 8463), to be used beside an RSA key: not every receiver verifies it.
    Ed25519,
}

/// The library could not make a key: its source of randomness failed. A retry may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no key could be made: the system gave no randomness")]
pub struct GenerateError;

/// A private key with its public one.
pub struct KeyPair {
    public: PublicKey,
    pkcs8: SecretSlice<u8>,
}

impl KeyPair {
    /// Makes a new one. RSA takes up to some seconds.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn generate(key: NewKey) -> Result<Self, GenerateError> {
        let rsa = |size| RsaKeyPair::generate(size).and_then(|pair| pair.as_der());
        // Version 1 of PKCS#8: OpenSSL 1.1.1 and older read no other.
        let pkcs8: Pkcs8V1Der<'_> = match key {
            NewKey::Rsa2048 => rsa(KeySize::Rsa2048),
            NewKey::Rsa3072 => rsa(KeySize::Rsa3072),
            NewKey::Rsa4096 => rsa(KeySize::Rsa4096),
            NewKey::Ed25519 => Ed25519KeyPair::generate().and_then(|pair| pair.as_der()),
        }
        .map_err(|_| GenerateError)?;
        Self::from_pkcs8(pkcs8.as_ref()).map_err(|_| GenerateError)
    }

    fn from_pkcs8(octets: &[u8]) -> Result<Self, PrivateKeyError> {
        let public = private::of_der(octets)?.public;
        Ok(Self { public, pkcs8: SecretSlice::from(octets.to_vec()) })
    }

    /// The public key.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The record that publishes it, with no tags but `v`, `k` and `p`.
    pub fn record(&self) -> KeyRecord {
        KeyRecord::new(Key::Public(self.public.clone()))
    }

    /// The private key as PKCS#8 in PEM, unencrypted: what OpenDKIM and rspamd read, and amavisd where it is RSA.
    pub fn private_pem(&self) -> SecretString {
        SecretString::from(pem::encode("PRIVATE KEY", self.pkcs8.expose_secret()).as_str())
    }

    /// The public key as SubjectPublicKeyInfo in PEM.
    pub fn public_pem(&self) -> String {
        pem::encode("PUBLIC KEY", &spki(&self.public)).to_string()
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("public", &self.public).finish_non_exhaustive()
    }
}

fn spki(key: &PublicKey) -> Vec<u8> {
    // The DER before the raw octets of Ed25519 (RFC 8410 section 4).
    const ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    match key {
        PublicKey::Rsa(_) => key.to_octets(),
        PublicKey::Ed25519(raw) => [&ED25519[..], raw].concat(),
    }
}

#[cfg(test)]
mod tests {
    use mailzone_mailauth::dkim::key_material;

    use super::*;
    use crate::{Form, read_private};

    #[test]
    fn what_is_made_reads_back() {
        for (new, bits) in [(NewKey::Rsa2048, 2048), (NewKey::Rsa3072, 3072), (NewKey::Ed25519, 256)] {
            let pair = KeyPair::generate(new).unwrap();
            assert_eq!(pair.public().bits(), bits);
            let text = pair.private_pem();
            let read = read_private(text.expose_secret().as_bytes()).unwrap();
            assert_eq!((read.form, read.proven), (Form::Pkcs8, true));
            assert!(read.public.is_same_key(pair.public()));
            let public = key_material::parse(&pair.public_pem()).unwrap();
            assert!(public.record.public_key().unwrap().is_same_key(pair.public()));
            let record = KeyRecord::parse(&pair.record().to_string()).unwrap();
            assert!(record.public_key().unwrap().is_same_key(pair.public()));
            // A public key takes less room; nothing of the private one is shown.
            assert!(!format!("{pair:?} {read:?}").contains("PRIVATE") && !format!("{pair:?}").contains("pkcs8"));
        }
    }

    #[test]
    fn no_two_are_alike() {
        let [a, b] = [(); 2].map(|()| KeyPair::generate(NewKey::Ed25519).unwrap());
        assert!(!a.public().is_same_key(b.public()));
    }
}
