use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use mailzone_record::{Name, Rdata, RecordType, Ttl, parse_rdata_text};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Answer, Lookup};

/// Answers in memory: what a driver got so far, a recording, or a whole world for a test.
///
/// In JSON: a list of `{name, type, ttl, values}` or `{name, type, answer}` with `nodata`, `nxdomain` or
/// `temperror`, ordered by name; values in presentation format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// A name has few types; by type.
    names: HashMap<Name, Vec<(RecordType, Answer)>>,
    otherwise: Answer,
}

/// Remembers every answer that is given, for a later replay. [`Answer::Unknown`] is no answer.
#[derive(Debug)]
pub struct Recorder<L> {
    inner: L,
    answers: RefCell<Answers>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    r#type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    values: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Absent>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Absent {
    NoData,
    NxDomain,
    TempError,
}

impl Default for Answers {
    /// None yet: everything is [`Answer::Unknown`].
    fn default() -> Self {
        Self::otherwise(Answer::Unknown)
    }
}

impl Answers {
    /// None yet, and this for every question that has none: [`Answer::NxDomain`] for a world that is complete.
    pub fn otherwise(answer: Answer) -> Self {
        Self { names: HashMap::new(), otherwise: answer }
    }

    /// Keeps an answer in place of an earlier one; [`Answer::Unknown`] takes it out.
    pub fn insert(&mut self, name: Name, rtype: RecordType, answer: Answer) {
        let types = self.names.entry(name).or_default();
        types.retain(|(known, _)| *known != rtype);
        if answer != Answer::Unknown {
            types.push((rtype, answer));
            types.sort_unstable_by_key(|(rtype, _)| *rtype);
        }
    }

    /// How many answers are kept.
    pub fn len(&self) -> usize {
        self.names.values().map(Vec::len).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every answer, by name and type.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, RecordType, &Answer)> {
        let mut names: Vec<_> = self.names.iter().collect();
        names.sort_by_key(|(name, _)| *name);
        names.into_iter().flat_map(|(name, types)| types.iter().map(move |(rtype, answer)| (name, *rtype, answer)))
    }
}

impl Lookup for Answers {
    fn lookup(&self, name: &Name, rtype: RecordType) -> Answer {
        let types = self.names.get(name).map(Vec::as_slice).unwrap_or_default();
        let found = types.iter().find(|(known, _)| *known == rtype).map(|(_, answer)| answer);
        found.unwrap_or(&self.otherwise).clone()
    }
}

impl<L: Lookup> Recorder<L> {
    /// Records what `inner` answers.
    pub fn new(inner: L) -> Self {
        Self { inner, answers: RefCell::default() }
    }

    /// What was answered. A replay answers [`Answer::Unknown`] to everything else.
    pub fn into_answers(self) -> Answers {
        self.answers.into_inner()
    }
}

impl<L: Lookup> Lookup for Recorder<L> {
    fn lookup(&self, name: &Name, rtype: RecordType) -> Answer {
        let answer = self.inner.lookup(name, rtype);
        // `inner` cannot get here while the borrow lasts: it has returned.
        self.answers.borrow_mut().insert(name.clone(), rtype, answer.clone());
        answer
    }
}

impl Serialize for Answers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(|(name, rtype, answer)| {
            let mut entry = Entry {
                name: name.to_string(),
                r#type: rtype.to_string(),
                ttl: None,
                values: Vec::new(),
                answer: Some(Absent::NoData),
            };
            match answer {
                Answer::Records(values, ttl) => {
                    entry.ttl = Some(ttl.as_secs());
                    // The type says what a value is, so an alias is told by its own.
                    entry.values = values
                        .iter()
                        .map(|value| match value {
                            Rdata::Cname(target) if rtype != RecordType::CNAME => format!("CNAME {target}"),
                            value => value.to_string(),
                        })
                        .collect();
                    entry.answer = None;
                }
                Answer::NoData | Answer::Unknown => {}
                Answer::NxDomain => entry.answer = Some(Absent::NxDomain),
                Answer::TempError => entry.answer = Some(Absent::TempError),
            }
            entry
        }))
    }
}

impl<'de> Deserialize<'de> for Answers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut answers = Self::default();
        for entry in Vec::<Entry>::deserialize(deserializer)? {
            let name = Name::parse(&entry.name).map_err(|e| D::Error::custom(format!("`{}`: {e}", entry.name)))?;
            let rtype: RecordType =
                entry.r#type.parse().map_err(|e| D::Error::custom(format!("`{}`: {e}", entry.r#type)))?;
            let answer = match entry.answer {
                Some(Absent::NoData) => Answer::NoData,
                Some(Absent::NxDomain) => Answer::NxDomain,
                Some(Absent::TempError) => Answer::TempError,
                None => {
                    let values: Result<Arc<[Rdata]>, D::Error> = entry
                        .values
                        .iter()
                        .map(|text| {
                            let (rtype, data) = match text.strip_prefix("CNAME ") {
                                Some(target) if rtype != RecordType::CNAME => (RecordType::CNAME, target),
                                _ => (rtype, text.as_str()),
                            };
                            parse_rdata_text(rtype, data, None).map_err(|e| D::Error::custom(format!("`{text}`: {e}")))
                        })
                        .collect();
                    let ttl =
                        Ttl::from_secs(entry.ttl.unwrap_or(0)).ok_or_else(|| D::Error::custom("ttl too large"))?;
                    Answer::Records(values?, ttl)
                }
            };
            answers.insert(name, rtype, answer);
        }
        Ok(answers)
    }
}

#[cfg(test)]
mod tests {
    use mailzone_record::{Mx, Txt};

    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn world() -> Answers {
        let ttl = Ttl::from_secs(300).unwrap();
        let mut world = Answers::otherwise(Answer::NxDomain);
        let text = Rdata::Txt(Txt::from_text("v=spf1 mx \"x\" -all"));
        world.insert(name("example.com"), RecordType::TXT, Answer::records([text], ttl));
        let mx = Rdata::Mx(Mx { preference: 10, exchange: name("mx.example.com") });
        world.insert(name("example.com"), RecordType::MX, Answer::records([mx], ttl));
        let alias = Rdata::Cname(name("host.example.net"));
        world.insert(name("mx.example.com"), RecordType::A, Answer::records([alias], ttl));
        world.insert(name("host.example.net"), RecordType::A, Answer::TempError);
        world.insert(name("host.example.net"), RecordType::AAAA, Answer::NoData);
        world
    }

    #[test]
    fn a_recording_holds_what_was_asked_and_survives_json() {
        let recorder = Recorder::new(world());
        for (owner, rtype) in [
            ("example.com", RecordType::TXT),
            ("EXAMPLE.com", RecordType::MX),
            ("mx.example.com", RecordType::A),
            ("host.example.net", RecordType::A),
            ("nowhere.example", RecordType::A),
        ] {
            recorder.lookup(&name(owner), rtype);
        }
        let recorded = recorder.into_answers();
        assert_eq!(recorded.len(), 5);
        assert_eq!(recorded.lookup(&name("host.example.net"), RecordType::AAAA), Answer::Unknown);
        let json = serde_json::to_string(&recorded).unwrap();
        insta::assert_snapshot!(json.replace("},", "},\n"), @r#"
        [{"name":"example.com.","type":"MX","ttl":300,"values":["10 mx.example.com."]},
        {"name":"example.com.","type":"TXT","ttl":300,"values":["\"v=spf1 mx \\\"x\\\" -all\""]},
        {"name":"mx.example.com.","type":"A","ttl":300,"values":["CNAME host.example.net."]},
        {"name":"nowhere.example.","type":"A","answer":"nxdomain"},
        {"name":"host.example.net.","type":"A","answer":"temperror"}]
        "#);
        assert_eq!(serde_json::from_str::<Answers>(&json).unwrap(), recorded);
    }

    #[test]
    fn refuses_what_is_no_recording() {
        for text in [
            r#"[{"name":"a..b","type":"A","answer":"nodata"}]"#,
            r#"[{"name":"a","type":"QQ","answer":"nodata"}]"#,
            r#"[{"name":"a","type":"A","ttl":1,"values":["x"]}]"#,
            r#"[{"name":"a","type":"A","answer":"perhaps"}]"#,
        ] {
            assert!(serde_json::from_str::<Answers>(text).is_err(), "{text}");
        }
    }
}
