//! From a DNS message to what it says, name by name.

use mailzone_mailauth::lookup::{ALIASES, Answer, Question};
use mailzone_record::{Name, Rdata, RecordType, Ttl};
use mailzone_wire::{Message, Rcode, Record};

/// One answer out of a message, and how long it may be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) question: Question,
    pub(crate) answer: Answer,
    pub(crate) ttl: Ttl,
}

/// What `message` says to `question`: the first reading is the answer to it, the following ones are those at the
/// ends of its aliases. None if it says nothing: a failure, a referral, records of other names alone.
///
/// The server is believed for names at or below `zone` (the root for a resolver). Records that the chain of
/// aliases does not lead to are passed over, and so are repetitions. Records of an answer are sorted.
pub(crate) fn read(question: &Question, message: &Message, zone: &Name) -> Vec<Reading> {
    let mut readings: Vec<Reading> = Vec::new();
    if message.truncated || !matches!(message.rcode, Rcode::NoError | Rcode::NxDomain) {
        return readings;
    }
    let rtype = question.rtype;
    let mut at = question.name.clone();
    while readings.len() <= ALIASES && at.is_at_or_below(zone) {
        let here = Question { name: at.clone(), rtype };
        if readings.iter().any(|reading| reading.question == here) {
            // A loop. Who follows it sees it as well.
            break;
        }
        if let Some((values, ttl)) = values(message, &at, rtype) {
            readings.push(Reading { question: here, answer: Answer::records(values, ttl), ttl });
            break;
        }
        let alias = if rtype == RecordType::CNAME { None } else { values_of_alias(message, &at) };
        match alias {
            Some((target, ttl)) => {
                let answer = Answer::records([Rdata::Cname(target.clone())], ttl);
                readings.push(Reading { question: here, answer, ttl });
                at = target;
            }
            None => {
                let denial = denial(message, &at);
                // An alias at whose target the server is no authority ends without a word about it.
                if readings.is_empty() && !is_referral(message) || denial.is_some() {
                    let exists = message.rcode == Rcode::NoError || message.answers.iter().any(|r| r.name == at);
                    let answer = if exists { Answer::NoData } else { Answer::NxDomain };
                    readings.push(Reading { question: here, answer, ttl: denial.unwrap_or(Ttl::ZERO) });
                }
                break;
            }
        }
    }
    readings
}

/// Whether the message sends us to other servers instead of answering.
pub(crate) fn is_referral(message: &Message) -> bool {
    let has = |rtype| message.authority.iter().any(|record| record.rtype() == rtype);
    !message.authoritative
        && message.rcode == Rcode::NoError
        && message.answers.is_empty()
        && has(RecordType::NS)
        && !has(RecordType::SOA)
}

fn values(message: &Message, name: &Name, rtype: RecordType) -> Option<(Vec<Rdata>, Ttl)> {
    let records: Vec<&Record> = message.answers_of(name, rtype).collect();
    let ttl = records.iter().map(|record| record.ttl).min()?;
    let mut values: Vec<Rdata> = records.into_iter().map(|record| record.rdata.clone()).collect();
    values.sort();
    values.dedup();
    Some((values, ttl))
}

/// The alias of a name; of several, which there must not be (RFC 2181 section 10.1), always the same.
fn values_of_alias(message: &Message, name: &Name) -> Option<(Name, Ttl)> {
    let (values, ttl) = values(message, name, RecordType::CNAME)?;
    match values.into_iter().next() {
        Some(Rdata::Cname(target)) => Some((target, ttl)),
        _ => None,
    }
}

/// How long a denial may be kept: the lesser of the SOA's TTL and its last field (RFC 2308 section 5). `None`
/// without the SOA of a zone that the name can be in.
fn denial(message: &Message, name: &Name) -> Option<Ttl> {
    message.authority.iter().find_map(|record| match &record.rdata {
        Rdata::Soa(soa) if name.is_at_or_below(&record.name) => Some(record.ttl.min(Ttl::from_wire(soa.minimum))),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use mailzone_record::{Soa, Txt};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn record(owner: &str, ttl: u32, rdata: Rdata) -> Record {
        Record { name: name(owner), ttl: Ttl::from_wire(ttl), rdata }
    }

    fn alias(owner: &str, target: &str) -> Record {
        record(owner, 60, Rdata::Cname(name(target)))
    }

    fn text(owner: &str, text: &str) -> Record {
        record(owner, 300, Rdata::Txt(Txt::from_text(text)))
    }

    fn soa(owner: &str) -> Record {
        let (mname, rname) = (name("ns.test"), name("h.test"));
        let soa = Soa { mname, rname, serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 40 };
        record(owner, 900, Rdata::Soa(Box::new(soa)))
    }

    fn asked(owner: &str) -> Question {
        Question { name: name(owner), rtype: RecordType::TXT }
    }

    fn said(message: &Message, zone: &str) -> Vec<String> {
        let readings = read(&asked("a.test"), message, &name(zone));
        let line = |r: &Reading| match &r.answer {
            Answer::Records(values, _) => format!("{} {values:?} {}", r.question.name, r.ttl),
            other => format!("{} {other:?} {}", r.question.name, r.ttl),
        };
        readings.iter().map(line).collect()
    }

    #[test]
    fn each_link_of_a_chain_is_an_answer_of_its_own() {
        let answers = vec![text("c.other", "x"), alias("a.test", "b.test"), alias("B.test", "c.other")];
        let mut message = Message { answers, ..Message::default() };
        let whole = [r"a.test. [Cname(b.test.)] 60", r"b.test. [Cname(c.other.)] 60", "c.other. [Txt(Txt(\"x\"))] 300"];
        assert_eq!(said(&message, "."), whole);
        assert_eq!(said(&message, "test"), whole[..2]);
        message.answers.push(text("unasked.test", "y"));
        message.answers.push(text("c.other", "x"));
        assert_eq!(said(&message, "."), whole);
        message.answers.retain(|record| record.name != name("c.other"));
        assert_eq!(said(&message, "."), whole[..2]);
        message.authority = vec![soa("other")];
        message.rcode = Rcode::NxDomain;
        assert_eq!(said(&message, "."), [whole[0], whole[1], "c.other. NxDomain 40"]);
        message.answers.push(alias("c.other", "a.test"));
        assert_eq!(said(&message, ".").len(), 3);
    }

    #[test]
    fn denials_referrals_and_failures() {
        let mut message = Message { authority: vec![soa("test")], ..Message::default() };
        assert_eq!(said(&message, "."), ["a.test. NoData 40"]);
        message.authority = vec![soa("elsewhere")];
        assert_eq!(said(&message, "."), ["a.test. NoData 0"]);
        message.authority = vec![record("test", 1, Rdata::Ns(name("ns.test")))];
        assert_eq!(said(&message, ".").len(), 0);
        message.rcode = Rcode::NxDomain;
        assert_eq!(said(&message, "."), ["a.test. NxDomain 0"]);
        message.answers = vec![text("b.test", "of another name")];
        assert_eq!(said(&message, "."), ["a.test. NxDomain 0"]);
        message.rcode = Rcode::ServFail;
        assert_eq!(said(&message, ".").len(), 0);
        assert_eq!(said(&Message { truncated: true, ..Message::default() }, ".").len(), 0);
    }

    #[test]
    fn a_chain_has_an_end() {
        let label = |n: usize| if n == 0 { "a.test".to_owned() } else { format!("n{n}.test") };
        let answers = (0..100).map(|n| alias(&label(n), &label(n + 1))).collect();
        assert_eq!(said(&Message { answers, ..Message::default() }, ".").len(), ALIASES + 1);
    }

    const NAMES: [&str; 6] = ["a.test", "b.test", "test", "c.other", "other", "."];

    fn any_record() -> impl Strategy<Value = Record> {
        (0..NAMES.len(), 0..NAMES.len(), 0..4, any::<u32>()).prop_map(|(owner, target, kind, ttl)| {
            let target = name(NAMES[target]);
            let data = match kind {
                0 => Rdata::Cname(target),
                1 => Rdata::Ns(target),
                2 => soa("test").rdata,
                _ => Rdata::Txt(Txt::from_text("t")),
            };
            record(NAMES[owner], ttl, data)
        })
    }

    proptest! {
        #[test]
        fn nothing_is_believed_that_was_not_asked_for(
            answers in vec(any_record(), 0..12), authority in vec(any_record(), 0..4), code in 0u16..6,
            flags in any::<[bool; 2]>(), zone in 0..NAMES.len(),
        ) {
            let [authoritative, truncated] = flags;
            let message =
                Message { answers, authority, rcode: code.into(), authoritative, truncated, ..Message::default() };
            let zone = name(NAMES[zone]);
            let readings = read(&asked("a.test"), &message, &zone);
            let mut next = name("a.test");
            for reading in &readings {
                prop_assert_eq!(&reading.question.name, &next);
                prop_assert!(reading.question.name.is_at_or_below(&zone));
                if let Answer::Records(values, _) = &reading.answer {
                    prop_assert!(!values.is_empty());
                    for value in values.iter() {
                        let there = message.answers.iter().any(|r| r.name == next && r.rdata == *value);
                        prop_assert!(there);
                    }
                    if let Rdata::Cname(target) = &values[0] {
                        next = target.clone();
                    }
                }
                prop_assert!(reading.answer != Answer::Unknown && reading.answer != Answer::TempError);
            }
            let mut each: Vec<_> = readings.iter().map(|r| r.question.name.clone()).collect();
            each.sort();
            each.dedup();
            prop_assert_eq!(each.len(), readings.len());
        }
    }
}
