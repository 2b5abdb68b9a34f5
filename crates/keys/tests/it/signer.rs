//! A signer as small as one can be, for tests alone.

use std::fmt;
use std::sync::OnceLock;

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use data_encoding::BASE64;
use mailzone_keys::{KeyPair, NewKey};
use mailzone_mailauth::dkim::{Algorithm, Canonicalisation, signatures};
use mailzone_mailauth::lookup::Answers;
use mailzone_mailauth::message::Message;
use secrecy::ExposeSecret;

/// A private key with its record, at `s1._domainkey.example.com`.
pub(crate) struct Signer {
    pub(crate) algorithm: Algorithm,
    pub(crate) pair: KeyPair,
    key: Secret,
    world: Answers,
}

enum Secret {
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// What a signature says besides what it must.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tags<'a> {
    pub(crate) header: Canonicalisation,
    pub(crate) body: Canonicalisation,
    pub(crate) fields: &'a str,
    pub(crate) length: Option<u64>,
    /// Tags and their values, each with a semicolon behind it.
    pub(crate) more: &'a str,
}

/// The name of the key record.
pub(crate) const KEY_NAME: &str = "s1._domainkey.example.com.";

impl Signer {
    /// One key of each algorithm, made once.
    pub(crate) fn both() -> &'static [Self; 2] {
        static SIGNERS: OnceLock<[Signer; 2]> = OnceLock::new();
        SIGNERS.get_or_init(|| [Self::new(NewKey::Rsa2048), Self::new(NewKey::Ed25519)])
    }

    fn new(new: NewKey) -> Self {
        let pair = KeyPair::generate(new).unwrap();
        let pem = pair.private_pem();
        let base64: String = pem.expose_secret().lines().filter(|line| !line.starts_with('-')).collect();
        let der = BASE64.decode(base64.as_bytes()).unwrap();
        let (algorithm, key) = match new {
            NewKey::Ed25519 => {
                let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).unwrap();
                (Algorithm::Ed25519Sha256, Secret::Ed25519(key))
            }
            _ => (Algorithm::RsaSha256, Secret::Rsa(RsaKeyPair::from_pkcs8(&der).unwrap())),
        };
        let world = world(&[(KEY_NAME, pair.record().to_string())]);
        Self { algorithm, pair, key, world }
    }

    /// The message with a signature on top.
    pub(crate) fn sign(&self, message: &[u8], tags: Tags<'_>) -> Vec<u8> {
        let body = Message::parse(message).unwrap().body();
        let hash = BASE64.encode(&tags.body.body_hash(body, tags.length).hash);
        let length = tags.length.map(|length| format!(" l={length};")).unwrap_or_default();
        let begin = format!(
            "DKIM-Signature: v=1; a={}; c={}/{}; d=example.com;\r\n\ts=s1;{length} {} h={};\r\n bh={hash};\r\n\tb=",
            self.algorithm, tags.header, tags.body, tags.more, tags.fields,
        );
        let with = |b: &str| [begin.as_bytes(), b.as_bytes(), b"\r\n", message].concat();
        let draft = with("AAAA");
        let draft = Message::parse(&draft).unwrap();
        let data = signatures(&draft).next().unwrap().unwrap().signed_data(&draft);
        with(&BASE64.encode(&self.octets(&data)))
    }

    /// The record in a world where nothing else is.
    pub(crate) fn world(&self) -> &Answers {
        &self.world
    }

    fn octets(&self, data: &[u8]) -> Vec<u8> {
        match &self.key {
            Secret::Rsa(pair) => {
                let mut octets = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), data, &mut octets).unwrap();
                octets
            }
            Secret::Ed25519(pair) => pair.sign(digest::digest(&digest::SHA256, data).as_ref()).as_ref().to_vec(),
        }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.algorithm.fmt(f)
    }
}

impl Tags<'_> {
    /// `From` and `Subject`, with this canonicalisation for both parts.
    pub(crate) fn new(how: Canonicalisation) -> Self {
        Self { header: how, body: how, fields: "from:subject", length: None, more: "" }
    }
}

/// TXT records, one at each name.
pub(crate) fn world(records: &[(&str, String)]) -> Answers {
    let entries = records.iter().map(|(name, text)| {
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        let strings: Vec<String> =
            text.as_bytes().chunks(200).map(|part| format!("\"{}\"", String::from_utf8_lossy(part))).collect();
        serde_json::json!({ "name": name, "type": "TXT", "ttl": 60, "values": [strings.join(" ")] })
    });
    serde_json::from_value(entries.collect()).unwrap()
}
