use mailzone_keys::{looks_private, read_private};
use mailzone_mailauth::dkim::paste::{self, Content};
use mailzone_mailauth::dkim::{KeyRecord, PublicKey, key_material};

use super::text;

pub(super) const WORDS: &[&str] = &[
    "-----BEGIN PUBLIC KEY-----\n",
    "-----END PUBLIC KEY-----\n",
    "-----BEGIN PRIVATE KEY-----\n",
    "-----END PRIVATE KEY-----\n",
    "-----BEGIN RSA PRIVATE KEY-----\n",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
    "-----BEGIN CERTIFICATE-----\n",
    "-----BEGIN ",
    "-----",
    "Proc-Type: 4,ENCRYPTED\n",
    "s._domainkey\tIN\tTXT\t( ",
    "\"v=DKIM1; k=rsa; \"",
    "\n\t\"p=",
    "\" )",
    " ; ----- DKIM key s for example.com",
    "$ORIGIN example.com.\n",
    "$TTL 1h\n",
    "CNAME s.example.net.",
    "IN",
    "TXT",
    "(",
    ")",
    "; key#1\n",
    "v=DKIM1; k=ed25519; p=",
    "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A",
    "\r\n",
    "\\;",
    "\\\"",
    "+",
    " ",
    "0\u{82}\u{1}\"",
    "*\u{86}H\u{86}\u{f7}\r\u{1}\u{1}\u{1}",
    "0\u{81}",
    "\u{2}\u{1}\0",
];

pub(super) fn paste(input: &[u8]) {
    let text = text(input);
    let lines = text.lines().count().max(1);
    let mut before = 1;
    for piece in paste::read(&text) {
        assert!((before..=lines).contains(&piece.line), "line {} of {lines}", piece.line);
        before = piece.line;
        if let Ok(Content::Key(material)) = &piece.content {
            printed(&material.record);
        }
    }
}

pub(super) fn key_material(input: &[u8]) {
    let text = text(input);
    if let Ok(material) = key_material::parse(&text) {
        printed(&material.record);
    }
    if let Ok(material) = key_material::parse_private(&text) {
        printed(&material.record);
    }
}

/// A key that was read comes out of the record that is made of it.
fn printed(record: &KeyRecord) {
    let text = record.to_string();
    let again = KeyRecord::parse(&text);
    let same = |a: Option<&PublicKey>, b: Option<&PublicKey>| match (a, b) {
        (Some(a), Some(b)) => a.is_same_key(b),
        (a, b) => a.is_none() && b.is_none(),
    };
    assert!(again.is_ok_and(|again| same(again.public_key(), record.public_key())), "{text}");
}

pub(super) fn private(input: &[u8]) {
    match read_private(input) {
        Ok(key) => {
            assert!(key.public.bits() > 0);
            let octets = key.public.to_octets();
            let again = PublicKey::from_octets(key.public.key_type(), &octets);
            assert!(again.is_ok_and(|again| again.is_same_key(&key.public)));
        }
        Err(error) => assert!(!error.to_string().is_empty() && !error.remedy().is_empty()),
    }
    looks_private(input);
}
