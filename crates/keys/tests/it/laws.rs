//! What changes on the way and may, and what may not.

use mailzone_keys::verify_message;
use mailzone_mailauth::dkim::Canonicalisation::{self, Relaxed, Simple};
use mailzone_mailauth::dkim::{DkimResult, Reason, Verified};
use mailzone_mailauth::message::Message;
use proptest::prelude::*;

use crate::signer::{Signer, Tags};

const NOW: u64 = 1_700_000_000;

fn verify(signer: &Signer, octets: &[u8]) -> Vec<Verified> {
    verify_message(&Message::parse(octets).unwrap(), signer.world(), NOW).unwrap()
}

fn first(signer: &Signer, octets: &[u8]) -> Verified {
    verify(signer, octets).swap_remove(0)
}

fn how() -> impl Strategy<Value = Canonicalisation> {
    prop::sample::select(vec![Simple, Relaxed])
}

fn signer() -> impl Strategy<Value = &'static Signer> {
    (0..2usize).prop_map(|i| &Signer::both()[i])
}

/// Words, blanks, folding.
const VALUE: &str = "[a-zA-Z0-9<>@.,;=:\u{e4}]{1,8}(\r\n [a-z]{1,5}|[ \t]{1,2}[a-z;]{1,5}){0,3}[ ]?";

prop_compose! {
    /// A message with fields that are signed and one that is not.
    fn message()(
        from in VALUE, subjects in prop::collection::vec(VALUE, 0..3), other in VALUE,
        body in prop::collection::vec("[a-zA-Z .\t\u{e4}-]{0,12}\r\n", 0..6), last in "[a-z ]{0,4}",
    ) -> String {
        let subjects: String = subjects.iter().map(|subject| format!("Subject:{subject}\r\n")).collect();
        format!("From: {from}\r\n{subjects}X-Other: {other}\r\n\r\n{}{last}", body.concat())
    }
}

proptest! {
    #[test]
    fn what_is_signed_passes(
        message in message(), signer in signer(), header in how(), body in how(),
        fields in prop::sample::select(vec!["from", "From : subject", "subject:from:x-none:from:subject:subject", "dkim-signature:from"]),
    ) {
        let tags = Tags { header, body, fields, ..Tags::new(Simple) };
        let signed = signer.sign(message.as_bytes(), tags);
        let found = first(signer, &signed);
        prop_assert_eq!(&found.reason, &None);
        prop_assert_eq!(found.coverage.unwrap().unsigned(), 0);
        // Files that lost their CRs, and fields that were added on top.
        let unix: Vec<u8> = String::from_utf8(signed.clone()).unwrap().replace("\r\n", "\n").into_bytes();
        prop_assert_eq!(first(signer, &unix).result(), DkimResult::Pass);
        let relayed = [b"Received: from a\r\n by b\r\nX-Other: 1\r\n", signed.as_slice()].concat();
        prop_assert_eq!(first(signer, &relayed).result(), DkimResult::Pass);
    }

    #[test]
    fn blank_lines_at_the_end_do_not_count(
        message in message(), signer in signer(), how in how(), added in 0..4usize,
    ) {
        let signed = signer.sign(message.as_bytes(), Tags::new(how));
        let ended = if signed.ends_with(b"\r\n") { &b""[..] } else { b"\r\n" };
        let longer = [signed.as_slice(), ended, "\r\n".repeat(added).as_bytes()].concat();
        prop_assert_eq!(first(signer, &longer).result(), DkimResult::Pass);
        let mut shorter = signed.as_slice();
        while let Some(less) = shorter.strip_suffix(b"\r\n\r\n") {
            shorter = &signed[..less.len() + 2];
            if less.ends_with(b"\r\n") || Message::parse(shorter).unwrap().body().is_empty() {
                break;
            }
            prop_assert_eq!(first(signer, shorter).result(), DkimResult::Pass);
        }
    }

    /// Relaxed: folding instead of a blank, other blanks, another case of names; simple does not bear it.
    #[test]
    fn white_space_under_relaxed(message in message(), signer in signer(), fold in prop::sample::select(vec![" \t", "\r\n\t", "\r\n  "])) {
        let change = |signed: &[u8]| {
            let text = String::from_utf8(signed.to_vec()).unwrap();
            let (header, body) = text.split_once("\r\n\r\n").unwrap();
            let header = header.replace("\r\n ", "\r\n\t\t").replace(' ', fold).replace("From:", "fROM \t:");
            let body = body.replace(' ', "\t ").replace("\r\n", " \r\n");
            format!("{header}\r\n\r\n{body}").into_bytes()
        };
        let relaxed = signer.sign(message.as_bytes(), Tags::new(Relaxed));
        prop_assert_eq!(first(signer, &change(&relaxed)).reason, None);
        let simple = signer.sign(message.as_bytes(), Tags::new(Simple));
        prop_assert_ne!(first(signer, &change(&simple)).result(), DkimResult::Pass);
    }

    /// Under simple no octet of what is signed can change.
    #[test]
    fn any_other_octet_under_simple(message in message(), signer in signer(), place in any::<prop::sample::Index>(), by in 1..=255u8) {
        let tags = Tags { fields: "from:from:subject:subject:subject:x-other", ..Tags::new(Simple) };
        let message = format!("{}\r\n.\r\n", message.trim_end_matches("\r\n"));
        let mut changed = signer.sign(message.as_bytes(), tags);
        let text = String::from_utf8_lossy(&changed).into_owned();
        // The last line's end is not signed, nor is the value of `b`, whose last bits mean nothing, with the blanks and the
        // line end after it.
        let b = text.find("\tb=").unwrap() + 3..text.find("\r\nFrom").unwrap() + 2;
        let place = place.index(changed.len() - 2 - b.len());
        let place = if place < b.start { place } else { place + b.len() };
        changed[place] ^= by;
        let Ok(message) = Message::parse(&changed) else { return Ok(()) };
        // Of another selector or domain the key is not known: nobody asked yet.
        if let Ok(found) = verify_message(&message, signer.world(), NOW) {
            prop_assert!(found.iter().all(|one| one.result() != DkimResult::Pass), "{place}: {text:?}");
        }
    }
}

#[test]
fn changes_are_told_apart() {
    for signer in Signer::both() {
        for how in [Simple, Relaxed] {
            let message = b"From: a@example.com\r\nSubject: one\r\nTo: b\r\n\r\nbody\r\n";
            let signed = String::from_utf8(signer.sign(message, Tags::new(how))).unwrap();
            let reason = |from: &str, to: &str| first(signer, signed.replace(from, to).as_bytes()).reason;
            assert_eq!(reason("To: b", "To: c"), None);
            assert_eq!(reason("body", "Body"), Some(Reason::BodyHash { header_intact: true }));
            assert_eq!(reason("one", "two"), Some(Reason::Signature));
            assert_eq!(reason("Subject: one\r\n", ""), Some(Reason::Signature));
            assert_eq!(reason("Subject: one\r\n", "Subject: one\r\nSubject: two\r\n"), Some(Reason::Signature));
            assert_eq!(reason("Subject: one\r\n", "Subject: two\r\nSubject: one\r\n"), None);
            assert_eq!(reason("From: a", "From: x\r\nFrom: a"), Some(Reason::UnsignedFrom { unsigned: 1 }));
            let both = signed.replace("one", "two").replace("body", "Body");
            let both = first(signer, both.as_bytes());
            assert_eq!(both.reason, Some(Reason::BodyHash { header_intact: false }));
            assert_eq!(both.result(), DkimResult::Fail);
        }
    }
}

/// `h=` names a field once more than there is: nobody can add one.
#[test]
fn fields_that_are_missing_stay_missing() {
    for signer in Signer::both() {
        let tags = Tags { fields: "from:from:subject:reply-to", ..Tags::new(Relaxed) };
        let signed = signer.sign(b"From: a\r\nSubject: b\r\n\r\nbody\r\n", tags);
        assert_eq!(first(signer, &signed).reason, None);
        for field in ["Reply-To: x\r\n", "From: x\r\n"] {
            let more = [field.as_bytes(), signed.as_slice()].concat();
            assert_eq!(first(signer, &more).reason, Some(Reason::Signature), "{field}");
        }
    }
}

#[test]
fn what_is_added_behind_l() {
    let [signer, _] = Signer::both();
    for how in [Simple, Relaxed] {
        let tags = Tags { length: Some(6), ..Tags::new(how) };
        let signed = signer.sign(b"From: a\r\n\r\nbody\r\n", tags);
        assert_eq!(first(signer, &signed).coverage.unwrap().unsigned(), 0);
        let longer = [signed.as_slice(), b"footer\r\n"].concat();
        let found = first(signer, &longer);
        assert_eq!((found.result(), found.coverage.unwrap().unsigned()), (DkimResult::Pass, 8));
        let shorter = first(signer, signed.strip_suffix(b"dy\r\n").unwrap());
        assert_eq!(shorter.reason, Some(Reason::BodyTooShort { signed: 6, body: 4 }));
        assert_eq!(shorter.result(), DkimResult::Fail);
    }
}

#[test]
fn several_signatures_stand_for_themselves() {
    let [rsa, ed25519] = Signer::both();
    let once = rsa.sign(b"From: a\r\n\r\nbody\r\n", Tags::new(Relaxed));
    let twice = ed25519.sign(&once, Tags { fields: "from:dkim-signature", ..Tags::new(Relaxed) });
    for (signer, expected) in [(rsa, [false, true]), (ed25519, [true, false])] {
        let found = verify(signer, &twice);
        assert_eq!(found.iter().map(|one| one.reason.is_none()).collect::<Vec<_>>(), expected);
        assert_eq!(DkimResult::of_message(&found), DkimResult::Pass);
    }
}
