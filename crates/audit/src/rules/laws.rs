//! What holds for every audit.

use mailzone_mailauth::Severity;
use mailzone_mailauth::lookup::{Answer, Answers};
use mailzone_record::{Name, Rdata, RecordType, Ttl, Txt};
use proptest::prelude::*;

use crate::{Facts, Scope, Selector, SelectorSource, Subject, audit, changes};

const OWNERS: [&str; 8] = [
    "example.test",
    "_dmarc.example.test",
    "s1._domainkey.example.test",
    "s2._domainkey.example.test",
    "*._domainkey.example.test",
    "default._bimi.example.test",
    "*.example.test",
    "_dmarc.test",
];

fn subject() -> Subject {
    let mut subject = Subject::new(Name::parse("example.test").unwrap(), Scope::ALL);
    for (name, source) in [("s1", SelectorSource::Named), ("s2", SelectorSource::Guessed)] {
        subject.selectors.push(Selector { name: name.to_owned(), source });
    }
    subject
}

/// Texts that look like records, and others.
fn value() -> impl Strategy<Value = String> {
    let start =
        prop::sample::select(&["", "v=spf1 ", "v=DMARC1; ", "v=DKIM1; p=", "v=BIMI1; l=", "\u{201c}v=spf1 "][..]);
    let terms = prop::sample::select(
        &[
            "include:example.test ",
            "redirect=x.test",
            "mx ",
            "a:%{i}.test ",
            "-all",
            "p=reject; ",
            "t=y; ",
            "psd=y; ",
            "rua=mailto:a@b.test,https://c.test; ",
            "MIIB",
            "https://example.test/l.svg; ",
            "a=https://x.test; ",
        ][..],
    );
    (start, prop::collection::vec(prop_oneof![4 => terms.prop_map(str::to_owned), 1 => any::<String>()], 0..5))
        .prop_map(|(start, terms)| format!("{start}{}", terms.concat()))
}

fn world() -> impl Strategy<Value = Answers> {
    prop::collection::vec((prop::sample::select(&OWNERS[..]), prop::collection::vec(value(), 1..3)), 0..6).prop_map(
        |sets| {
            let mut answers = Answers::otherwise(Answer::NxDomain);
            for (owner, texts) in sets {
                let values = texts.into_iter().map(|text| Rdata::Txt(Txt::from_text(text)));
                answers.insert(Name::parse(owner).unwrap(), RecordType::TXT, Answer::records(values, Ttl::ZERO));
            }
            answers
        },
    )
}

proptest! {
    #[test]
    fn any_records_are_judged_alike_each_time(before in world(), after in world()) {
        let facts = Facts::default();
        let first = audit(&subject(), &facts, &before);
        let second = audit(&subject(), &facts, &before);
        prop_assert_eq!(first.findings, second.findings);
        prop_assert_eq!(changes(&before, &before, &subject()), []);
        let _ = changes(&before, &after, &subject());
    }
}

#[test]
fn a_dns_that_fails_or_is_silent_accuses_nobody() {
    for answer in [Answer::TempError, Answer::Unknown] {
        let audit = audit(&subject(), &Facts::default(), &Answers::otherwise(answer));
        let accusing = audit.into_findings().filter(|finding| finding.severity != Severity::Info);
        let codes: Vec<String> = accusing.map(|finding| finding.code).collect();
        assert_eq!(codes, [""; 0]);
    }
}
