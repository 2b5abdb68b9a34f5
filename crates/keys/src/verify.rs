//! Signatures of messages, verified with the crypto library.

use aws_lc_rs::digest;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{ED25519, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};
use mailzone_mailauth::dkim::{self, Primitives, PublicKey, Verified};
use mailzone_mailauth::lookup::{Lookup, Pending};
use mailzone_mailauth::message::Message;

/// The primitives of the crypto library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Crypto;

/// Verifies the DKIM signatures of a message, from the top; see [`dkim::verify`]. `now` is in seconds since 1970.
///
/// # Errors
/// Answers are missing in `lookup`: ask the questions, add the answers, call again.
pub fn verify_message(
    message: &Message<'_>,
    lookup: &(impl Lookup + ?Sized),
    now: u64,
) -> Result<Vec<Verified>, Pending> {
    dkim::verify(message, lookup, now, &Crypto)
}

impl Primitives for Crypto {
    fn verifies(&self, key: &PublicKey, data: &[u8], signature: &[u8]) -> bool {
        match key {
            // 1024 bits are what RFC 8301 section 3.2 still accepts, and much mail has.
            PublicKey::Rsa(key) => PublicKeyComponents { n: key.modulus(), e: key.exponent() }
                .verify(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, data, signature)
                .is_ok(),
            PublicKey::Ed25519(raw) => {
                let hash = digest::digest(&digest::SHA256, data);
                UnparsedPublicKey::new(&ED25519, raw).verify(hash.as_ref(), signature).is_ok()
            }
        }
    }
}
