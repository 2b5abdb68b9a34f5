//! The RFC 7208 test suite as answers and requests. The bench reads it too.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mailzone_mailauth::lookup::{Answer, Answers, Lookup};
use mailzone_record::{Mx, Name, Rdata, RecordType, Ttl, Txt};
use serde::Deserialize;

const SUITE: &str = include_str!("../../../../tests/fixtures/spf/rfc7208-tests.json");

pub(crate) struct Scenario {
    #[allow(dead_code, reason = "the bench has no use for it")]
    pub(crate) description: String,
    pub(crate) cases: Vec<(String, Case)>,
    pub(crate) world: World,
}

#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) mailfrom: String,
    pub(crate) helo: String,
    pub(crate) host: IpAddr,
    pub(crate) result: Vec<String>,
    pub(crate) explanation: Option<String>,
}

/// All that there is; names that begin with `error.` time out.
pub(crate) struct World {
    answers: Answers,
}

#[derive(Deserialize)]
struct Raw {
    description: String,
    tests: BTreeMap<String, Case>,
    zone: BTreeMap<String, Owner>,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE", deny_unknown_fields)]
struct Owner {
    #[serde(default)]
    a: Vec<std::net::Ipv4Addr>,
    #[serde(default)]
    aaaa: Vec<std::net::Ipv6Addr>,
    #[serde(default)]
    cname: Vec<String>,
    #[serde(default)]
    ptr: Vec<String>,
    #[serde(default)]
    mx: Vec<(u16, String)>,
    #[serde(default)]
    txt: Vec<Vec<String>>,
    #[serde(default, rename = "timeout")]
    timeout: bool,
}

impl Lookup for World {
    fn lookup(&self, name: &Name, rtype: RecordType) -> Answer {
        if name.labels().next().is_some_and(|label| label.eq_ignore_ascii_case(b"error")) {
            return Answer::TempError;
        }
        self.answers.lookup(name, rtype)
    }
}

/// A name as the suite writes it: octets, no escapes.
pub(crate) fn name(text: &str) -> Name {
    let text = text.strip_suffix('.').unwrap_or(text);
    let mut wire = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        wire.push(label.len() as u8);
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    Name::from_wire(&wire).unwrap()
}

pub(crate) fn load() -> Vec<Scenario> {
    let raw: Vec<Raw> = serde_json::from_str(SUITE).unwrap();
    raw.into_iter()
        .map(|raw| {
            let mut answers = Answers::otherwise(Answer::NxDomain);
            for (owner, data) in raw.zone {
                put(&mut answers, &name(&owner), &data);
            }
            let world = World { answers };
            Scenario { description: raw.description, cases: raw.tests.into_iter().collect(), world }
        })
        .collect()
}

fn put(answers: &mut Answers, owner: &Name, data: &Owner) {
    let octets = |text: &String| text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect::<Box<[u8]>>();
    let txt = |strings: &Vec<String>| Rdata::Txt(Txt::from_strings(strings.iter().map(octets).collect()).unwrap());
    let mx = |(preference, host): &(u16, String)| Rdata::Mx(Mx { preference: *preference, exchange: name(host) });
    let sets: [(RecordType, Vec<Rdata>); 5] = [
        (RecordType::A, data.a.iter().copied().map(Rdata::A).collect()),
        (RecordType::AAAA, data.aaaa.iter().copied().map(Rdata::Aaaa).collect()),
        (RecordType::PTR, data.ptr.iter().map(|target| Rdata::Ptr(name(target))).collect()),
        (RecordType::MX, data.mx.iter().map(mx).collect()),
        (RecordType::TXT, data.txt.iter().map(txt).collect()),
    ];
    let alias: Vec<Rdata> = data.cname.iter().map(|target| Rdata::Cname(name(target))).collect();
    let ttl = Ttl::from_secs(300).unwrap();
    for (rtype, values) in sets {
        let answer = match (values.is_empty(), alias.is_empty(), data.timeout) {
            (false, ..) => Answer::records(values, ttl),
            (true, false, _) => Answer::records(alias.clone(), ttl),
            (true, true, true) => Answer::TempError,
            (true, true, false) => Answer::NoData,
        };
        answers.insert(owner.clone(), rtype, answer);
    }
}
