//! Verification without cryptography: questions, limits, hostile messages.

use mailzone_mailauth::dkim::{
    DkimResult, KEY_RECORDS, Primitives, PublicKey, Reason, SIGNATURES, Verified, key_names, signatures, verify,
};
use mailzone_mailauth::lookup::{Answer, Answers, Question};
use mailzone_mailauth::message::{FIELDS, HEADER_OCTETS, Message};
use mailzone_record::{Rdata, RecordType, Ttl, Txt};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::suite::name;

/// Every signature holds, or none.
struct All(bool);

impl Primitives for All {
    fn verifies(&self, _key: &PublicKey, _data: &[u8], _signature: &[u8]) -> bool {
        self.0
    }
}

const KEY: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
/// An RSA key of 512 bits.
const SMALL: &str = "v=DKIM1; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALviBE3GFa5uAKXfL/vlQq1R+08RRvnXstfObkYsy3CdYUM+Bgny/sazREc6pQuBLLmYNx5Z9yiJH4F8XOm0kKMCAwEAAQ==";

fn field(selector: &str, body: &[u8]) -> String {
    let hash = data_encoding::BASE64.encode(&Sha256::digest(body));
    format!("DKIM-Signature: v=1; a=ed25519-sha256; d=example.com; s={selector}; h=from; bh={hash};\r\n b=AAAA\r\n")
}

fn txt(texts: &[&str]) -> Answer {
    Answer::records(texts.iter().map(|text| Rdata::Txt(Txt::from_text(text))), Ttl::ZERO)
}

fn found(text: &str, answers: &Answers, holds: bool) -> Vec<Verified> {
    verify(&Message::parse(text.as_bytes()).unwrap(), answers, 0, &All(holds)).unwrap()
}

/// With this answer for every key.
fn with(answer: Answer, text: &str, holds: bool) -> Verified {
    found(text, &Answers::otherwise(answer), holds).swap_remove(0)
}

fn message() -> String {
    field("s1", b"x\r\n") + "From: a\r\n\r\nx\r\n"
}

#[test]
fn questions_are_asked_at_once_and_through_aliases() {
    let text = field("s1", b"x\r\n") + &field("s2", b"x\r\n") + &field("S1", b"x\r\n") + "From: a\r\n\r\nx\r\n";
    let message = Message::parse(text.as_bytes()).unwrap();
    let question = |owner: &str| Question { name: name(owner), rtype: RecordType::TXT };
    let mut answers = Answers::default();
    let open = |answers: &Answers| verify(&message, answers, 0, &All(true)).map_err(|pending| pending.questions);
    let both = ["s1._domainkey.example.com", "s2._domainkey.example.com"];
    assert_eq!(open(&answers), Err(both.map(question).to_vec()));
    assert_eq!(key_names(&message), both.map(name));
    answers.insert(name(both[0]), RecordType::TXT, txt(&[KEY]));
    let alias = Answer::records([Rdata::Cname(name("key.example.net"))], Ttl::ZERO);
    answers.insert(name(both[1]), RecordType::TXT, alias);
    assert_eq!(open(&answers), Err(vec![question("key.example.net")]));
    answers.insert(name("key.example.net"), RecordType::TXT, txt(&[KEY]));
    assert!(open(&answers).unwrap().iter().all(|one| one.result() == DkimResult::Pass));
}

#[test]
fn answers_without_a_key() {
    let text = message();
    for (answer, expected) in [
        (Answer::NoData, DkimResult::PermError),
        (Answer::NxDomain, DkimResult::PermError),
        (Answer::TempError, DkimResult::TempError),
        (txt(&["v=spf1 -all"]), DkimResult::PermError),
        (txt(&["v=DKIM1; p="]), DkimResult::PermError),
        (txt(&[SMALL]), DkimResult::PermError),
        (txt(&[SMALL, KEY]), DkimResult::Pass),
    ] {
        assert_eq!(with(answer.clone(), &text, true).result(), expected, "{answer:?}");
    }
    assert_eq!(
        with(txt(&[SMALL]), &text.replace("ed25519-", "rsa-"), true).reason,
        Some(Reason::KeySize { bits: 512 })
    );
    assert_eq!(with(txt(&[SMALL, KEY]), &text, false).reason, Some(Reason::Signature));
    let many: Vec<&str> = std::iter::repeat_n(SMALL, KEY_RECORDS).chain([KEY]).collect();
    assert_ne!(with(txt(&many), &text, true).result(), DkimResult::Pass);
    assert_eq!(DkimResult::of_message(&found("From: a\r\n\r\n", &Answers::default(), true)), DkimResult::None);
}

#[test]
fn authors() {
    for (fields, expected) in [
        ("Subject: a\r\n", Some(Reason::NoFrom)),
        ("From: a\r\nFROM: b\r\n", Some(Reason::UnsignedFrom { unsigned: 1 })),
        ("From: a\r\n", None),
    ] {
        let text = field("s1", b"x\r\n") + fields + "\r\nx\r\n";
        // Nobody is asked for the key of what is refused anyway.
        let answers = if expected.is_some() { Answers::default() } else { Answers::otherwise(txt(&[KEY])) };
        assert_eq!(found(&text, &answers, true).swap_remove(0).reason, expected);
    }
}

#[test]
fn only_so_many_signatures() {
    let answers = Answers::otherwise(txt(&[KEY]));
    let text = field("s1", b"\r\n").repeat(SIGNATURES) + "From: a\r\n\r\n";
    assert_eq!(found(&text, &answers, true).len(), SIGNATURES);
    let text = "DKIM-Signature: \r\n".repeat(FIELDS - 1) + "From: a\r\n\r\n";
    let all = found(&text, &answers, true);
    assert_eq!(all.len(), SIGNATURES + 1);
    let last = all.last().unwrap();
    assert_eq!((last.result(), &last.reason), (DkimResult::Neutral, &Some(Reason::LeftOut(FIELDS - 1 - SIGNATURES))));
    assert_eq!(
        last.reason.as_ref().unwrap().to_string(),
        format!("the first {SIGNATURES} signatures are verified; {} more are not", FIELDS - 1 - SIGNATURES)
    );
}

/// Messages at the limits of what is read, all with ten signatures over everything: the work is a small
/// multiple of their size.
#[test]
fn large_and_strange_messages_end() {
    let answers = Answers::otherwise(txt(&[KEY]));
    let h = std::iter::repeat_n("a:", 8_000).collect::<String>() + "from";
    let wide = field("s1", b"").replace("h=from", &format!("c=relaxed/relaxed; h={h}")).repeat(SIGNATURES);
    let fields = "A: b\r\n c\r\n".repeat(FIELDS - SIGNATURES - 1);
    let body = " \t\r\n".repeat(200_000);
    let tags = format!("DKIM-Signature: {}\r\n", "a=;".repeat(5_000));
    for text in [
        format!("{wide}{fields}From: a\r\n\r\n{body}"),
        format!("{}From: {}\r\n\r\n", field("s1", b"\r\n").repeat(SIGNATURES), " \r\n".repeat(HEADER_OCTETS / 4)),
        format!("{}From: a\r\n\r\n{}", field("s1", b"").repeat(SIGNATURES), "\r".repeat(1_000_000)),
        format!("{}From: a\r\n\r\n", tags.repeat(SIGNATURES)),
    ] {
        let all = found(&text, &answers, true);
        assert_eq!(all.len(), SIGNATURES);
    }
}

proptest! {
    #[test]
    fn any_octets_are_verified(
        octets in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), cut in any::<bool>(), holds in any::<bool>(),
    ) {
        let mut text = message().into_bytes();
        let at = at.index(text.len());
        text.splice(at..if cut { text.len() } else { at }, octets);
        if let Ok(message) = Message::parse(&text) {
            let found = verify(&message, &Answers::otherwise(txt(&[KEY])), 0, &All(holds)).unwrap();
            prop_assert_eq!(found.len(), signatures(&message).count().min(SIGNATURES + 1));
            for one in found {
                prop_assert_eq!(one.reason.is_none(), one.result() == DkimResult::Pass);
                if let Some(reason) = one.reason {
                    let shown = reason.to_string();
                    prop_assert!(shown.len() < 800 && !shown.contains(char::is_control), "{shown}");
                    prop_assert!(!reason.remedy().is_empty());
                }
            }
        }
    }
}
