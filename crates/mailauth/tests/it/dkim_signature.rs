//! Signature fields: what is read, and what is refused before any key is asked for.

use mailzone_mailauth::dkim::Canonicalisation::{Relaxed, Simple};
use mailzone_mailauth::dkim::{Algorithm, SIGNATURE_OCTETS, Signature, SignatureError, signatures};
use mailzone_mailauth::message::Message;
use proptest::prelude::*;

use crate::suite::name;

const GOOD: &str =
    "v=1; a=rsa-sha256; d=example.com; s=s1; h=From:To; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; b=AAAA";

fn read(value: &str) -> Result<Signature, SignatureError> {
    let text = format!("DKIM-Signature: {value}\r\nFrom: a\r\n\r\n");
    signatures(&Message::parse(text.as_bytes()).unwrap()).next().unwrap()
}

#[test]
fn the_least_and_its_defaults() {
    let signature = read(GOOD).unwrap();
    assert_eq!((signature.algorithm, signature.header, signature.body), (Algorithm::RsaSha256, Simple, Simple));
    assert_eq!((&signature.domain, &signature.identity_domain), (&name("example.com"), &name("example.com")));
    assert_eq!((signature.selector.as_str(), &signature.key_name), ("s1", &name("s1._domainkey.example.com")));
    assert_eq!((&signature.identity, signature.body_length), (&None, None));
    assert_eq!((signature.signed_at, signature.expires_at), (None, None));
    assert_eq!(
        (signature.fields.as_slice(), signature.value.as_slice()),
        (&["From".into(), "To".into()][..], &[0; 3][..])
    );
}

#[test]
fn every_tag_folded() {
    let signature = read(
        " v = 1;a=\r\n\ted25519-sha256 ; c=relaxed/simple;\r\n d=b\u{fc}cher.example; s=a_1.mail; q=x/y:dns/txt;\r\n \
         i= a=3Bb \r\n @Sub.xn--bcher-kva.example; h= from\r\n : Subject : from ::; l=0; t=1; x=2; z=From:a|To:b; y=;\r\n \
         bh=frcCV1k9oG9oKj3dpUqdJg1\r\n PxRT2RSN/XKdLCPjaYaY =; b= A\r\n\tAA A ;;",
    )
    .unwrap();
    assert_eq!((signature.algorithm, signature.header, signature.body), (Algorithm::Ed25519Sha256, Relaxed, Simple));
    assert_eq!(signature.key_name, name("a_1.mail._domainkey.xn--bcher-kva.example"));
    assert_eq!(signature.identity.as_deref(), Some("a=3Bb@Sub.xn--bcher-kva.example"));
    assert_eq!(signature.identity_domain, name("sub.xn--bcher-kva.example"));
    assert_eq!(signature.fields, ["from", "Subject", "from"]);
    assert_eq!((signature.body_length, signature.signed_at, signature.expires_at), (Some(0), Some(1), Some(2)));
    assert_eq!(read(&GOOD.replace("v=1", "c=relaxed; v=1")).unwrap().body, Simple);
}

#[test]
fn what_is_refused() {
    let long_label = "a".repeat(64);
    let long = [&long_label[1..]; 4].join(".");
    let changes = [
        ("v=1; ", ""),
        ("v=1", "v=2"),
        ("a=rsa-sha256", "a=rsa-sha1"),
        ("a=rsa-sha256", "a=RSA-SHA256\u{1b}[31m"),
        ("a=rsa-sha256", "c=relaxed/strict; a=rsa-sha256"),
        ("a=rsa-sha256", "q=dns/rr; a=rsa-sha256"),
        ("a=rsa-sha256", "a=rsa-sha256; d=example.org"),
        ("a=rsa-sha256", "a=rsa-sha256; nonsense"),
        ("d=example.com", "d="),
        ("d=example.com", "d=exa mple.com"),
        ("d=example.com", "d=example.com."),
        ("d=example.com", "d=a\\046b.example"),
        ("d=example.com", &format!("d={long_label}.example")),
        ("d=example.com", &format!("d={}", &long[..250])),
        ("s=s1", "s=s1/"),
        ("s=s1", "s=s1; i=example.com"),
        ("s=s1", "s=s1; i=a@example.org"),
        ("s=s1", "s=s1; i=a@badexample.com"),
        ("From:To", "To:Subject"),
        ("From:To", " : "),
        ("From:To", "From:T o"),
        ("bh=frcC", "bh=fr!C"),
        ("bh=frcC", "bh="),
        ("b=AAAA", "b=A"),
        ("b=AAAA", "b="),
        ("b=AAAA", "b=AAAA; l=-1"),
        ("b=AAAA", "b=AAAA; t=soon"),
        ("b=AAAA", "b=AAAA; t=5; x=5"),
        ("b=AAAA", &format!("b=AAAA; z={}", "x".repeat(SIGNATURE_OCTETS))),
    ];
    let shown = changes.map(|(from, to)| read(&GOOD.replacen(from, to, 1)).unwrap_err().to_string());
    insta::assert_snapshot!(shown.join("\n"), @r"
    tag `v` is missing or empty
    version `2` of signatures is unknown, there is only `1`
    the algorithm rsa-sha1 is withdrawn: its signatures count as failed (RFC 8301)
    unknown algorithm `RSA-SHA256\u{1b}[31m`
    unknown canonicalisation `relaxed/strict`
    the key is said to be found by another method than `dns/txt`
    tag `d` stands more than once, which voids the signature
    a part of the signature field is no `tag=value` pair
    `d=` is no domain name
    `d=exa mple.com` is no domain name
    `d=example.com.` is no domain name
    `d=a\\046b.example` is no domain name
    `d=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` is no domain name
    selector and domain are too long for a name
    `s=s1/` is no selector
    `i=example.com` is no address
    the signature of example.com. speaks for example.org., which is not below it
    the signature of example.com. speaks for badexample.com., which is not below it
    the signature leaves `From` out: it says nothing of the author
    `h` is no list of header field names
    `h` is no list of header field names
    `bh` is damaged: the character '!' is not in the base64 alphabet
    `bh` has 29 octets, a SHA-256 hash has 32
    `b` is damaged: 1 characters are no whole base64: one is missing or too many
    tag `b` is missing or empty
    `l` is no number
    `t` is no number
    the signature expires before it was made
    the signature field is longer than 16384 octets
    ");
    let error = read(&GOOD.replace("rsa-sha256", "rsa-sha1")).unwrap_err();
    assert_eq!((error.domain, error.selector.as_deref()), (Some(name("example.com")), Some("s1")));
    let octets = b"DKIM-Signature: v=1; \xff\r\n\r\n";
    let error = signatures(&Message::parse(octets).unwrap()).next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the signature field is no text");
}

/// The value of `b` goes out, with the white space on both sides, and nothing else.
#[test]
fn the_value_of_b_is_not_signed() {
    for (b, c, expected) in [
        ("b=AA\r\n AA", "simple", "b="),
        ("b = AAAA ; y=b=c", "simple", "b =; y=b=c"),
        ("b=AAAA\t ;\r\n\ty= b", "relaxed", "b=; y= b"),
        ("y=b=1;\r\n b=AAAA", "relaxed", "y=b=1; b="),
    ] {
        let begin = GOOD.replace("b=AAAA", "").replace("h=From:To", &format!("h=from:to; c={c}"));
        let text = format!("DKIM-Signature: {begin}{b}\r\nFrom: a\r\n\r\n");
        let message = Message::parse(text.as_bytes()).unwrap();
        let data = signatures(&message).next().unwrap().unwrap().signed_data(&message);
        let (from, name) = if c == "simple" { ("From: a", "DKIM-Signature: ") } else { ("from:a", "dkim-signature:") };
        assert_eq!(String::from_utf8(data).unwrap(), format!("{from}\r\n{name}{begin}{expected}"));
    }
}

proptest! {
    #[test]
    fn any_value_reads(value in prop::collection::vec(prop_oneof![
        any::<char>().prop_map(String::from),
        prop::sample::select(GOOD.split_inclusive(';').chain(["l=1;", "i=@;", "=", ";", "b=", "\r\n "]).collect::<Vec<_>>()).prop_map(String::from),
    ], 0..12)) {
        let _ = read(&value.concat().replace('\n', "\n "));
    }
}
