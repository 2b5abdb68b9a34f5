use mailzone_record::Txt;
use proptest::prelude::*;
use serde_json::Value;

use super::key::tests::rsa_key;
use super::*;
use crate::kind::Class;
use crate::txt::tests::{name, rdata};

const VECTORS: &str = include_str!("../../../../tests/fixtures/dkim/key-records.json");

fn vectors(key: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(VECTORS).unwrap();
    all[key].as_array().unwrap().clone()
}

fn owner() -> Name {
    name("s1._domainkey.example.com")
}

fn change(before: &[&Rdata], after: &[&Rdata]) -> String {
    let difference = Dkim.difference(&owner(), before, after);
    let mut lines = vec![format!("{:?}", difference.class)];
    for detail in difference.details {
        let side = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        lines.push(format!("{}: {} -> {}", detail.term, side(detail.before), side(detail.after)));
    }
    for guard in Dkim.guards(&owner(), before, after) {
        lines.push(format!("{}: {}", guard.code, guard.message));
    }
    lines.join("\n")
}

fn codes(texts: &[&str]) -> Vec<String> {
    let values: Vec<_> = texts.iter().map(|text| rdata(text)).collect();
    Dkim.lint(&owner(), &values.iter().collect::<Vec<_>>()).into_iter().map(|finding| finding.code).collect()
}

#[test]
fn readings_of_others_records() {
    let strings = |value: &Value| -> Option<Vec<String>> { serde_json::from_value(value.clone()).ok() };
    let mut keys = Vec::new();
    for vector in vectors("parse") {
        let (text, expect) = (vector["record"].as_str().unwrap(), &vector["expect"]);
        let read = KeyRecord::parse(text);
        assert_eq!(Value::Bool(read.is_ok()), expect["ok"], "{text}: {read:?}");
        let Ok(record) = read else { continue };
        let revoked = expect["revoked"] == Value::Bool(true);
        assert_eq!(record.key == Key::Revoked, revoked, "{text}");
        if let Some(key) = record.public_key() {
            keys.push(key.clone());
            if let Some(k) = expect["k"].as_str() {
                assert_eq!(key.key_type().as_str(), k);
            }
            if let Some(bits) = expect["bits"].as_u64() {
                assert_eq!(key.bits() as u64, bits);
            }
            let encoding = match key {
                PublicKey::Rsa(RsaKey { encoding: Encoding::Spki, .. }) => "spki",
                PublicKey::Rsa(RsaKey { encoding: Encoding::Pkcs1, .. }) => "pkcs1",
                PublicKey::Ed25519(_) => "raw",
            };
            if let Some(expected) = expect["encoding"].as_str() {
                assert_eq!(encoding, expected, "{text}");
            }
            if expect.get("same_key_as").is_some() {
                let [.., before, this] = keys.as_slice() else { panic!("no key before") };
                assert!(before.is_same_key(this));
                assert_eq!(before.fingerprint(), this.fingerprint());
            }
        }
        if let Some(expected) = strings(&expect["unknown_tags"]) {
            assert_eq!(record.unknown.iter().map(|(tag, _)| tag.clone()).collect::<Vec<_>>(), expected);
        }
        if let Some(expected) = strings(&expect["s"]) {
            assert_eq!(record.services, Some(expected));
        }
        if let Some(expected) = strings(&expect["h"]) {
            assert_eq!(record.hashes, Some(expected));
        }
        if let Some(expected) = strings(&expect["t"]) {
            let known: Vec<_> =
                record.flags.iter().filter(|flag| ["y", "s"].contains(&flag.as_str())).cloned().collect();
            assert_eq!(known, expected);
        }
        assert_eq!(record.allows_usable_hash(), expect.get("lint").is_none() && !text.contains("sha 256"), "{text}");
    }
    assert!(keys.len() > 10);
}

#[test]
fn equality_of_pairs() {
    for vector in vectors("equality") {
        let (a, b) = (rdata(vector["a"].as_str().unwrap()), rdata(vector["b"].as_str().unwrap()));
        let expected = match &vector["equal"] {
            Value::Bool(true) => Equality::Same,
            Value::String(text) if text == "same-key-different-encoding" => Equality::Equivalent,
            other => {
                let class = Dkim.difference(&owner(), &[&a], &[&b]).class;
                assert_eq!(class == Class::Cosmetic, other == "note-only", "{}", vector["why"]);
                Equality::Different
            }
        };
        assert_eq!(Dkim.equal(&owner(), &[&a], &[&b]), expected, "{}", vector["why"]);
        assert_eq!(Dkim.equal(&owner(), &[&b], &[&a]), expected, "{}", vector["why"]);
    }
}

#[test]
fn sets_of_hashes_services_and_flags() {
    let p = "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let equality = |a: &str, b: &str| {
        let (a, b) = (rdata(&format!("k=ed25519;{a}{p}")), rdata(&format!("v=DKIM1;k=ed25519;{b}{p}")));
        Dkim.equal(&owner(), &[&a], &[&b])
    };
    for (a, b, expected) in [
        ("", "h=sha256;", Equality::Equivalent),
        ("h=sha1:sha256;", "h=sha256:sha1;", Equality::Same),
        ("h=sha1:sha256;", "h=sha256;", Equality::Equivalent),
        ("", "h=sha1;", Equality::Different),
        ("s=*:email;", "", Equality::Same),
        ("s=email;", "", Equality::Different),
        ("t=y:x;", "t=y;", Equality::Same),
        ("g=*;x=1;", "", Equality::Same),
        ("n=a;", "n=b;", Equality::Different),
    ] {
        assert_eq!(equality(a, b), expected, "{a} {b}");
    }
}

#[test]
fn changes() {
    let (a, b) = (rsa_key(2048, 3).to_octets(), rsa_key(1024, 5).to_octets());
    let (a, b) = (key::encode_base64(&a), key::encode_base64(&b));
    let text = |tags: &str, p: &str| rdata(&format!("v=DKIM1; {tags}p={p}"));
    let (a, b, revoked) = (text("", &a), text("", &b), (text("", ""), text("t=s; ", &a), text("h=sha1; n=x; ", &a)));
    let (revoked, strict, sha1) = revoked;
    let (broken, alias) = (rdata("v=DKIM1; p=AAAA"), Rdata::Cname(name("k.esp.example")));
    let other = Rdata::Cname(name("k2.esp.example"));
    let cases: [(&[&Rdata], &[&Rdata]); 15] = [
        (&[], &[&a]),
        (&[&a], &[&b]),
        (&[&a], &[]),
        (&[&a], &[&revoked]),
        (&[&revoked], &[&a]),
        (&[&revoked], &[]),
        (&[&a], &[&strict]),
        (&[&strict], &[&sha1]),
        (&[&broken], &[&a]),
        (&[&a], &[&broken]),
        (&[&a, &b], &[&a]),
        (&[&a], &[&alias]),
        (&[&alias], &[&a]),
        (&[&alias], &[&other]),
        (&[&alias], &[]),
    ];
    let shown = cases.map(|(before, after)| change(before, after));
    insta::assert_snapshot!(shown.join("\n\n"), @"
    Neutral
    key: - -> RSA 2048 bits, SHA256:Mtutg8Jj9T0e…

    Breaks
    key: RSA 2048 bits, SHA256:Mtutg8Jj9T0e… -> RSA 1024 bits, SHA256:f79sGTil4qrr…
    GUARD-DKIM-REPLACED: RSA 2048 bits, SHA256:Mtutg8Jj9T0e… becomes RSA 1024 bits, SHA256:f79sGTil4qrr… under the same selector: mail on its way fails

    Breaks
    key: RSA 2048 bits, SHA256:Mtutg8Jj9T0e… -> -
    GUARD-DKIM-REMOVED: the live key RSA 2048 bits, SHA256:Mtutg8Jj9T0e… goes: mail signed with it fails

    Breaks
    key: RSA 2048 bits, SHA256:Mtutg8Jj9T0e… -> revoked
    GUARD-DKIM-REMOVED: the live key RSA 2048 bits, SHA256:Mtutg8Jj9T0e… is revoked: mail signed with it fails

    Neutral
    key: revoked -> RSA 2048 bits, SHA256:Mtutg8Jj9T0e…

    Neutral
    key: revoked -> -

    Tightens
    t: - -> s

    Breaks
    h: - -> sha1
    n: - -> x
    t: s -> -

    Neutral
    key: no usable key: `p`: the octets have not the structure of a key (DER) -> RSA 2048 bits, SHA256:Mtutg8Jj9T0e…

    Breaks
    key: RSA 2048 bits, SHA256:Mtutg8Jj9T0e… -> no usable key: `p`: the octets have not the structure of a key (DER)
    GUARD-DKIM-REMOVED: the live key RSA 2048 bits, SHA256:Mtutg8Jj9T0e… goes: mail signed with it fails

    Unknown
    key: RSA 1024 bits, SHA256:f79sGTil4qrr… -> -
    GUARD-DKIM-REMOVED: the live key RSA 1024 bits, SHA256:f79sGTil4qrr… goes: mail signed with it fails

    Unknown
    key: RSA 2048 bits, SHA256:Mtutg8Jj9T0e… -> -
    cname: - -> k.esp.example.
    GUARD-DKIM-REPLACED: the key RSA 2048 bits, SHA256:Mtutg8Jj9T0e… gives way to a CNAME to k.esp.example., which may hold another

    Unknown
    cname: k.esp.example. -> -
    key: - -> RSA 2048 bits, SHA256:Mtutg8Jj9T0e…

    Unknown
    cname: k.esp.example. -> k2.esp.example.
    GUARD-DKIM-REPLACED: the selector points to k2.esp.example. instead of k.esp.example., which may hold another key

    Unknown
    cname: k.esp.example. -> -
    GUARD-DKIM-REMOVED: the CNAME to k.esp.example. goes, and the key behind it
    ");
    assert_eq!(change(&[&a], &[&a]), "Neutral");
}

#[test]
fn lints() {
    let p = |bits: usize| key::encode_base64(&rsa_key(bits, 0x11).to_octets());
    let ed = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    for (text, expected) in [
        (format!("v=DKIM1; k=rsa; p={}", p(2048)), &[][..]),
        (format!("v=DKIM1; k=ed25519; p={ed}"), &[]),
        ("v=DKIM1; p=".into(), &[]),
        ("v=DKIM1; p=AAA*".into(), &["DKIM-01"]),
        ("v=DKIM1; k=rsa".into(), &["DKIM-01"]),
        (format!("p={}", p(768)), &["DKIM-02"]),
        (format!("p={}", p(1024)), &["DKIM-03"]),
        (format!("p={}", p(5120)), &["DKIM-04"]),
        (format!("p={}", p(8192)), &["DKIM-04", "DKIM-04"]),
        (format!("k=dsa; p={ed}"), &["DKIM-05"]),
        ("k=ed25519; p=AAAA".into(), &["DKIM-05"]),
        (format!("p={ed}; v=DKIM1"), &["DKIM-07"]),
        ("p=; p=".into(), &["DKIM-07"]),
        (format!("k=ed25519; t=y; p={ed}"), &["DKIM-09"]),
        (format!("k=ed25519; h=sha1; p={ed}"), &["DKIM-13"]),
        (format!("k=ed25519; s=tlsrpt; p={ed}"), &["DKIM-14"]),
        (format!("k=ed25519; g=*; x=y; p={ed}"), &["DKIM-19", "DKIM-19"]),
    ] {
        assert_eq!(codes(&[&text]), expected, "{text}");
    }
    assert_eq!(codes(&["v=DKIM1; p=", "p=; n=2"]), ["DKIM-08"]);
    let key = rdata(&format!("k=ed25519; p={ed}"));
    let wild = Dkim.lint(&name("*._domainkey.example.com"), &[&key]);
    assert_eq!(wild[0].code, "DKIM-17");
    let pkcs1 = vectors("equality").into_iter().find(|v| v["equal"] == "same-key-different-encoding").unwrap();
    assert_eq!(codes(&[pkcs1["a"].as_str().unwrap()]), ["DKIM-21"]);
}

/// What people copy from tutorials: each is found, and called by its name.
#[test]
fn mistakes_of_tutorials() {
    let said = |text: &str| {
        let found = Dkim.lint(&owner(), &[&rdata(text)]);
        found.into_iter().map(|f| format!("{} {} [{}]\n", f.code, f.message, f.remedy)).collect::<String>()
    };
    let p = key::encode_base64(&rsa_key(1024, 0x11).to_octets());
    let plus = key::encode_base64(&rsa_key(1024, 0xfb).to_octets());
    assert!(p.len() == 216 && plus.contains('+'));
    insta::assert_snapshot!([
        said(&format!("v=DKIM1; k=rsa; p={}", &p[..215])),
        said(&format!("v=DKIM1; k=rsa; p={}", plus.replace('+', " "))),
        said(&format!("\u{201c}v=DKIM1; k=rsa; p={p}\u{201d}")),
        said("v=DKIM1"),
        said("k=rsa;"),
    ].concat(), @r#"
    DKIM-01 the key is cut off: 215 base64 characters are here, at least 1 more octets belong to it; copy all of it, every quoted part too [publish the key again from the signer's own output]
    DKIM-01 the key lost its `+`: 43 blanks stand in their place, as after a web form; copy it again from the source [publish the key again from the signer's own output]
    DKIM-01 the quotes of a word processor (`“`) are a part of the record [write the text without them; in a zone file put plain quotes (`"`) around it]
    DKIM-01 `p` is missing: a zone file takes what stands behind a `;` without quotes for a comment [put the whole text into plain quotes (`"`)]
    DKIM-01 `p` is missing: a zone file takes what stands behind a `;` without quotes for a comment [put the whole text into plain quotes (`"`)]
    "#);
}

#[test]
fn weak_exponent() {
    let numbers = [der::unsigned(&[0x91; 128]), der::unsigned(&[3])].concat();
    let text = format!("v=DKIM1; p={}", key::encode_base64(&der::element(der::SEQUENCE, &numbers)));
    assert_eq!(codes(&[&text]), ["DKIM-03", "DKIM-20", "DKIM-21"]);
}

#[test]
fn descriptions_and_slots() {
    let text = "v=DKIM1; k=ed25519; t=y; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    insta::assert_snapshot!(Dkim.describe(&rdata(text)), @"Ed25519, SHA256:If4x36FUomFi…, testing");
    assert_eq!(Dkim.describe(&rdata("v=DKIM1; p=")), "revoked");
    assert_eq!(Dkim.describe(&rdata("v=DKIM1")), "no usable key: `p` is missing: there is no key");
    let slot = Dkim.slot_at(&owner(), RecordType::TXT, &[&rdata(text)]).unwrap();
    assert_eq!((slot.domain, slot.key.as_deref()), (name("example.com"), Some("s1")));
    assert_eq!(Dkim.slot_at(&owner(), RecordType::TXT, &[&rdata("other")]), None);
    assert_eq!(Dkim.slot_at(&name("_domainkey.example.com"), RecordType::TXT, &[&rdata("o=~")]), None);
}

#[test]
fn tags_of_the_live_record_stay() {
    let ed = "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let live = rdata(&format!("v=DKIM1; k=ed25519; t=s; n=x; g=*; h=sha256; {ed}"));
    let adopt = |want: &str| Dkim.adopt(&live, &rdata(want)).and_then(|rdata| Some(txt::text(&rdata)?.into_owned()));
    let bare = format!("v=DKIM1; k=ed25519; {ed}");
    assert_eq!(adopt(&bare), Some(format!("v=DKIM1; h=sha256; k=ed25519; t=s; n=x; g=*; {ed}")));
    let given = format!("v=DKIM1; k=ed25519; t=y; s=email; {ed}");
    assert_eq!(adopt(&given), Some(format!("v=DKIM1; h=sha256; k=ed25519; s=email; t=y; n=x; g=*; {ed}")));
    assert_eq!(adopt("v=DKIM1; p="), None);
    assert_eq!(adopt(&format!("v=DKIM1; p={}", key::encode_base64(&rsa_key(1024, 7).to_octets()))), None);
}

fn records() -> impl Strategy<Value = KeyRecord> {
    let rsa = (64..300usize, any::<u8>()).prop_map(|(octets, filling)| Key::Public(rsa_key(octets * 8, filling)));
    let ed25519 = any::<[u8; 32]>().prop_map(|raw| Key::Public(PublicKey::Ed25519(raw)));
    let key = prop_oneof![rsa, ed25519, Just(Key::Revoked)];
    let list = |names: &'static [&'static str]| prop::sample::subsequence(names, 1..=names.len());
    let owned = |items: Vec<&str>| items.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let hashes = prop::option::of(list(&["sha1", "sha256"]).prop_map(owned));
    let services = prop::option::of(list(&["*", "email", "tlsrpt"]).prop_map(owned));
    let flags = prop::sample::subsequence(&["y", "s", "x"][..], 0..=3).prop_map(owned);
    let note = prop::option::of("[a-z]{1,5}");
    let unknown = prop::collection::btree_map("x[a-z]{0,2}", "[a-z0-9=]{0,4}", 0..2);
    (key, hashes, services, flags, note, unknown).prop_map(|(key, hashes, services, flags, note, unknown)| KeyRecord {
        key,
        hashes,
        services,
        flags,
        note,
        unknown: unknown.into_iter().collect(),
    })
}

proptest! {
    #[test]
    fn printing_and_reading_are_inverse(record in records()) {
        prop_assert_eq!(KeyRecord::parse(&record.to_string()).unwrap(), record);
    }

    #[test]
    fn spacing_order_and_chunks_do_not_matter(
        (record, order) in records().prop_flat_map(|r| { let tags = r.tags()[1..].to_vec(); (Just(r), Just(tags).prop_shuffle()) }),
        blanks in prop::collection::vec("[ \t]{0,2}", 3),
        cut in 1..200usize,
        blank in 0..80usize,
    ) {
        let [a, b, c] = [0, 1, 2].map(|i| blanks[i].as_str());
        let mut text = format!("v{a}={b}DKIM1{c};");
        for (tag, mut value) in order {
            if tag == "p" && blank < value.len() {
                value.insert_str(blank, " \t");
            }
            text.push_str(&format!("{c}{tag}{a}={b}{value}{c};"));
        }
        let strings = text.as_bytes().chunks(cut).map(Box::from).collect();
        let (printed, other) = (rdata(&record.to_string()), Rdata::Txt(Txt::from_strings(strings).unwrap()));
        prop_assert!(Dkim.equal(&owner(), &[&printed], &[&other]) <= Equality::Same, "{}", text);
        prop_assert_eq!(Dkim.difference(&owner(), &[&printed], &[&other]).details, vec![]);
        prop_assert_eq!(Dkim.guards(&owner(), &[&printed], &[&other]), vec![]);
    }

    #[test]
    fn differences_are_shown(a in records(), b in records()) {
        let (x, y) = (rdata(&a.to_string()), rdata(&b.to_string()));
        let equality = Dkim.equal(&owner(), &[&x], &[&y]);
        prop_assert_eq!(equality, Dkim.equal(&owner(), &[&y], &[&x]));
        let difference = Dkim.difference(&owner(), &[&x], &[&y]);
        prop_assert_eq!(difference.details.is_empty(), equality <= Equality::Same);
        let guards = Dkim.guards(&owner(), &[&x], &[&y]);
        prop_assert_eq!(guards.is_empty(), a.key == Key::Revoked || b.public_key() == a.public_key());
    }

    #[test]
    fn any_octets_are_read(octets in prop::collection::vec(any::<u8>(), 0..80), start in 0..4usize) {
        let mut data = [&b""[..], b"v=DKIM1; p=", b"k=ed25519; p=", b"p=MIIB"][start].to_vec();
        data.extend(octets);
        let value = Rdata::Txt(Txt::from_text(data));
        Dkim.describe(&value);
        Dkim.lint(&owner(), &[&value]);
        Dkim.guards(&owner(), &[&value], &[]);
        Dkim.difference(&owner(), &[], &[&value]);
        prop_assert_eq!(Dkim.equal(&owner(), &[&value], &[&value]), Equality::Identical);
    }
}
