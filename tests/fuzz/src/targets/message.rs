use mailzone_mailauth::dkim::{Primitives, PublicKey, SIGNATURES, key_names, signatures, verify};
use mailzone_mailauth::lookup::{Answer, Answers};
use mailzone_mailauth::message::{FIELDS, Message};
use mailzone_record::{Rdata, Ttl, Txt};

pub(super) const WORDS: &[&str] = &[
    "DKIM-Signature: v=1; a=ed25519-sha256; d=example.com; s=s; h=from; bh=; b=",
    "From: a@example.com\r\n",
    "From ",
    "Subject: x\r\n",
    "\r\n\r\n",
    "\r\n ",
    "\n\n",
    "\r\n.\r\n",
    "\r",
    "; ",
    "c=relaxed/relaxed; ",
    "c=simple/relaxed; ",
    "c=",
    "l=0; ",
    "l=18446744073709551616; ",
    "t=1790000000; ",
    "x=1790000001; ",
    "i=@sub.example.com; ",
    "q=dns/txt; ",
    "h=from:from:to; ",
    "z=From:a; ",
    "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; ",
    "a=rsa-sha256; ",
    "a=rsa-sha1; ",
    "b=",
    ":",
];

/// Every signature holds.
struct All;

impl Primitives for All {
    fn verifies(&self, _key: &PublicKey, _data: &[u8], _signature: &[u8]) -> bool {
        true
    }
}

const KEY: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

pub(super) fn message(input: &[u8]) {
    let Ok(message) = Message::parse(input) else { return };
    let fields = message.fields();
    assert!((1..=FIELDS).contains(&fields.len()));
    for field in fields {
        assert_eq!([field.prefix(), field.value()].concat(), field.raw());
        assert!(field.raw().starts_with(field.name().as_bytes()) && field.is(field.name()));
    }
    let length: usize = fields.iter().map(|field| field.raw().len()).sum::<usize>() + message.body().len();
    assert!(length <= input.len());
    assert!(input.ends_with(message.body()));
    let mut read = 0;
    for signature in signatures(&message) {
        match signature {
            Ok(signature) => {
                read += 1;
                signature.signed_data(&message);
                assert!(signature.fields.iter().any(|name| name.eq_ignore_ascii_case("from")));
                assert!(signature.identity_domain.is_at_or_below(&signature.domain));
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        if read > SIGNATURES {
            break;
        }
    }
    let names = key_names(&message);
    assert!(names.len() <= SIGNATURES);
    let key = Answer::records([Rdata::Txt(Txt::from_text(KEY))], Ttl::ZERO);
    let verified = verify(&message, &Answers::otherwise(key), 1_790_000_000, &All);
    assert!(verified.is_ok_and(|verified| verified.len() <= SIGNATURES + 1));
    let open = verify(&message, &Answers::default(), 1_790_000_000, &All);
    if let Err(pending) = open {
        assert!(pending.questions.iter().all(|question| names.contains(&question.name)));
    }
}
