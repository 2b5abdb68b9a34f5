use std::net::{IpAddr, Ipv4Addr};

use mailzone_mailauth::lookup::{Answer, Answers, Lookup, Recorder};
use mailzone_mailauth::spf::{self, EXPLANATION_LIMIT, Request, Spf, SpfResult};
use mailzone_record::{Name, RecordType, Ttl, parse_rdata_text};

use super::{fixed, halves, text, txt_kind};

pub(super) const WORDS: &[&str] = &[
    "v=spf1 ",
    "v=spf1",
    " ",
    " -all",
    " ~all",
    " ?all",
    " +all",
    " a",
    " mx",
    " ptr",
    " a:example.com",
    " mx:example.com/24//64",
    " include:example.com",
    " include:",
    " exists:%{i}._spf.%{d}",
    " exists:",
    " redirect=example.com",
    " exp=e.example.com",
    " ip4:192.0.2.0/24",
    " ip4:",
    " ip6:2001:db8::/32",
    " ip6:::",
    "/0",
    "/32",
    "//128",
    "%{d}",
    "%{d2r}",
    "%{s}",
    "%{l-}",
    "%{ir}.%{v}",
    "%{p}",
    "%{h}",
    "%{C}",
    "%{r}%{t}",
    "%%",
    "%_",
    "%-",
    "%{",
    "}",
    "x-unknown=%{d}",
    "\n",
    "example.com TXT v=spf1 ",
    "a.example.com",
    "example.com A 192.0.2.1\n",
    "example.com MX 10 a.example.com\n",
    "example.com CNAME a.example.com\n",
    "NXDOMAIN",
    "TEMPERROR",
    "192.0.2.1 helo.example.com u@example.com\n",
    "2001:db8::1 x @\n",
    "1.2.0.192.in-addr.arpa PTR a.example.com\n",
];

pub(super) const RECORDING_WORDS: &[&str] = &[
    "[",
    "]",
    "{",
    "}",
    ",",
    "\"name\":",
    "\"type\":",
    "\"ttl\":",
    "\"values\":",
    "\"answer\":",
    "\"nodata\"",
    "\"nxdomain\"",
    "\"temperror\"",
    "\"example.com\"",
    "\"TXT\"",
    "\"A\"",
    "300",
    "[\"192.0.2.1\"]",
    "[\"\\\"v=spf1 -all\\\"\"]",
    "null",
    "\\u0000",
];

pub(super) fn record(input: &[u8]) {
    let (first, _) = halves(input);
    match spf::Record::parse(first) {
        Ok(record) => {
            let printed = record.to_string();
            assert_eq!(spf::Record::parse(&printed).as_ref(), Ok(&record), "{printed}");
            assert!(spf::is_candidate(first));
            record.own_lookups();
            record.all();
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in errors {
                assert!(error.span.start <= error.span.end && error.span.end <= first.len(), "{error:?}");
            }
        }
    }
    spf::is_near_miss(first);
    txt_kind(&Spf, "example.com", input);
}

/// Address, HELO name and sender in the first line; then, each in a line, a name, a type and a record's data, or
/// `NODATA`, `NXDOMAIN`, `TEMPERROR` or `UNKNOWN` instead of the data. Nothing else exists.
pub(super) fn evaluation(input: &[u8]) {
    let text = text(input);
    let mut lines = text.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let ip: IpAddr = words.next().and_then(|ip| ip.parse().ok()).unwrap_or(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
    let (helo, mail_from) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let request = Request { receiver: "mx.example.org", time: 1_790_000_000, ..Request::new(ip, helo, mail_from) };
    let mut world = Answers::otherwise(Answer::NxDomain);
    let mut some_known = Answers::default();
    for (number, line) in lines.enumerate() {
        if let Some((name, rtype, answer)) = entry(&world, line) {
            world.insert(name.clone(), rtype, answer.clone());
            if number % 2 == 0 {
                some_known.insert(name, rtype, answer);
            }
        }
    }
    let recorder = Recorder::new(&world);
    match spf::check(&request, &recorder) {
        Ok(evaluation) => {
            let unfinished = matches!(evaluation.result, SpfResult::None | SpfResult::TempError | SpfResult::PermError);
            assert_eq!(evaluation.problem.is_some(), unfinished, "{evaluation:?}");
            assert!(evaluation.lookups <= 11, "{} terms that query", evaluation.lookups);
            let explanation = evaluation.explanation.as_deref().unwrap_or_default();
            assert!(explanation.len() <= EXPLANATION_LIMIT);
            assert!(explanation.bytes().all(|octet| (b' '..=b'~').contains(&octet)), "{explanation:?}");
            if let Some(problem) = &evaluation.problem {
                let shown = format!("{problem} {}", problem.kind.remedy());
                assert!(!shown.chars().any(char::is_control), "{shown:?}");
            }
            let used = recorder.into_answers();
            assert!(used.len() <= 123 * 17, "{} questions", used.len());
            // The recording is enough to play it again.
            assert_eq!(spf::check(&request, &used), Ok(evaluation), "played again");
        }
        Err(pending) => assert!(!pending.questions.is_empty() && pending.questions.len() <= 123, "{pending:?}"),
    }
    if let Err(pending) = spf::check(&request, &some_known) {
        assert!(!pending.questions.is_empty() && pending.questions.len() <= 123, "{pending:?}");
    }
    let domain = fixed("example.com");
    let _ = spf::cost(&domain, &world);
    let _ = spf::cost(&domain, &some_known);
}

fn entry(world: &Answers, line: &str) -> Option<(Name, RecordType, Answer)> {
    let (name, rest) = line.split_once(' ')?;
    let (rtype, data) = rest.split_once(' ')?;
    let (name, rtype) = (Name::parse(name).ok()?, rtype.parse::<RecordType>().ok()?);
    let answer = match data {
        "NODATA" => Answer::NoData,
        "NXDOMAIN" => Answer::NxDomain,
        "TEMPERROR" => Answer::TempError,
        "UNKNOWN" => Answer::Unknown,
        _ => {
            // Text needs no quotes here.
            let quoted = format!("\"{}\"", data.replace('\\', "\\\\").replace('"', "\\\""));
            let data = if rtype == RecordType::TXT { &quoted } else { data };
            let value = parse_rdata_text(rtype, data, None)
                .or_else(|_| parse_rdata_text(RecordType::CNAME, data, None))
                .ok()?;
            let mut values = match world.lookup(&name, rtype) {
                Answer::Records(values, _) => values.to_vec(),
                _ => Vec::new(),
            };
            // More would measure this copying.
            if values.len() >= 200 {
                return None;
            }
            values.push(value);
            Answer::records(values, Ttl::from_secs(300)?)
        }
    };
    Some((name, rtype, answer))
}

pub(super) fn recording(input: &[u8]) {
    let Ok(answers) = serde_json::from_slice::<Answers>(input) else { return };
    let Ok(written) = serde_json::to_string(&answers) else { panic!("what was read cannot be written: {answers:?}") };
    let again = serde_json::from_str::<Answers>(&written);
    assert_eq!(again.as_ref().ok(), Some(&answers), "{written}: {again:?}");
}
