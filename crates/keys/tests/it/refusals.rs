//! Signatures that hold, and are refused for their key.

use mailzone_keys::verify_message;
use mailzone_mailauth::dkim::Canonicalisation::Relaxed;
use mailzone_mailauth::dkim::DkimResult;
use mailzone_mailauth::message::Message;

use crate::signer::{KEY_NAME, Signer, Tags, world};

const NOW: u64 = 1_700_000_000;

/// Result and reason of a signature with these tags, with this record.
fn outcome(signer: &Signer, more: &str, record: &str) -> String {
    let signed = signer.sign(b"From: a\r\n\r\nbody\r\n", Tags { more, ..Tags::new(Relaxed) });
    let message = Message::parse(&signed).unwrap();
    let found = verify_message(&message, &world(&[(KEY_NAME, record.to_owned())]), NOW).unwrap().swap_remove(0);
    let testing = if found.is_testing() { " (testing)" } else { "" };
    match &found.reason {
        None => format!("{}{testing}", found.result()),
        Some(reason) => format!("{}{testing}: {reason}", found.result()),
    }
}

#[test]
fn by_the_key_record() {
    for signer in Signer::both() {
        let record = signer.pair.record().to_string();
        let with =
            |more: &str, tags: &str| outcome(signer, more, &record.replace("v=DKIM1;", &format!("v=DKIM1; {tags};")));
        assert_eq!(with("", "n=x"), "pass");
        assert_eq!(with("", "t=y"), "pass (testing)");
        assert_eq!(with("", "s=email; h=sha1:sha256; g=x"), "pass");
        assert_eq!(with("", "s=tlsrpt:*"), "pass");
        assert_eq!(with("i=a@sub.example.com;", ""), "pass");
        assert_eq!(with("i=a@EXAMPLE.com;", "t=s"), "pass");
        insta::allow_duplicates! {
            insta::assert_snapshot!([
                with("i=@sub.example.com;", "t=y:s"),
                with("", "h=sha1"),
                with("", "s=tlsrpt"),
                outcome(signer, "", "v=DKIM1; p="),
                outcome(signer, "", "v=spf1 -all"),
            ].join("\n"), @"
            permerror (testing): the key is for example.com. alone (`t=s`), and the signature speaks for sub.example.com.
            permerror: the key record does not allow SHA-256 (`h=`)
            permerror: the key is not for mail (`s=`)
            permerror: the key is revoked
            permerror: the key record cannot be used: the version must be exactly `DKIM1`
            ");
        }
    }
}

#[test]
fn by_time() {
    let signer = &Signer::both()[0];
    let record = signer.pair.record().to_string();
    let with = |more: &str| outcome(signer, more, &record);
    assert_eq!(with(&format!("t={}; x={NOW};", NOW - 5)), "pass");
    assert_eq!(with(&format!("t={};", NOW + 300)), "pass");
    insta::assert_snapshot!([
        with(&format!("x={};", NOW - 1)),
        with(&format!("t={};", NOW + 301)),
        with("t=99999999999999999999999;"),
    ].join("\n"), @"
    fail: the signature expired at 2023-11-14 22:13:19 UTC
    policy: the signature is from the future: 2023-11-14 22:18:21 UTC
    policy: the signature is from the future: second 18446744073709551615 since 1970
    ");
}

/// Several records at one name: the one whose key signed counts.
#[test]
fn by_one_of_several_records() {
    let [rsa, ed25519] = Signer::both();
    let values: Vec<String> = [ed25519, rsa].map(|signer| signer.pair.record().to_string()).to_vec();
    let quoted = |text: &String| {
        let parts: Vec<String> =
            text.as_bytes().chunks(200).map(|part| format!("\"{}\"", String::from_utf8_lossy(part))).collect();
        parts.join(" ")
    };
    let values: Vec<String> = values.iter().map(quoted).collect();
    let json = serde_json::json!([{ "name": KEY_NAME, "type": "TXT", "ttl": 60, "values": values }]);
    let answers: mailzone_mailauth::lookup::Answers = serde_json::from_value(json).unwrap();
    for signer in [rsa, ed25519] {
        let signed = signer.sign(b"From: a\r\n\r\nbody\r\n", Tags::new(Relaxed));
        let message = Message::parse(&signed).unwrap();
        let found = verify_message(&message, &answers, NOW).unwrap();
        assert_eq!(found[0].result(), DkimResult::Pass);
        assert_eq!(found[0].key.as_ref().unwrap().public_key(), Some(signer.pair.public()));
    }
}
