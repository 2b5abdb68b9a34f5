//! The DNS as the configuration wants it, over the DNS as it is: for what needs no provider.

use std::collections::HashMap;

use mailzone_mailauth::lookup::{Answer, Lookup};
use mailzone_plan::{Claim, Own};
use mailzone_record::{Name, Rdata, RecordType, Ttl};

use crate::compile::Compiled;

/// Claims over another source. Values that no claim owns are those of the source; where the source does not know
/// them, `alone` decides whether the claims' own values are all there is.
#[derive(Debug)]
pub struct Desired<'a, B> {
    names: HashMap<&'a Name, Vec<&'a Claim>>,
    base: B,
    alone: bool,
}

/// The TTL of what is wanted without one.
const TTL: Ttl = Ttl::from_wire(3600);

impl<'a, B: Lookup> Desired<'a, B> {
    /// What `compiled` wants, over `base`.
    pub fn over(compiled: &'a Compiled, base: B) -> Self {
        let mut names: HashMap<&Name, Vec<&Claim>> = HashMap::new();
        for placed in &compiled.claims {
            names.entry(&placed.claim.owner).or_default().push(&placed.claim);
        }
        Self { names, base, alone: false }
    }

    /// What `compiled` wants, and nothing else is known: at a name that it claims nothing else is thought to be.
    pub fn alone(compiled: &'a Compiled, base: B) -> Self {
        Self { alone: true, ..Self::over(compiled, base) }
    }

    /// What a wildcard that is wanted gives for a name that does not exist (RFC 4592 section 3.3).
    fn below_wildcard(&self, name: &Name, rtype: RecordType) -> Answer {
        let mut above = name.parent();
        while let Some(encloser) = above {
            match encloser.prepend("*").ok().filter(|wildcard| self.names.contains_key(wildcard)) {
                Some(wildcard) => return self.lookup(&wildcard, rtype),
                // It exists, or is to exist: wildcards further up do not reach below it.
                None if self.names.contains_key(&encloser) => break,
                None if matches!(self.base.lookup(&encloser, rtype), Answer::Records(..) | Answer::NoData) => break,
                None => above = encloser.parent(),
            }
        }
        Answer::NxDomain
    }

    /// The values wanted of `rtype` by claims that own all of them, or beside the foreign ones of the source.
    fn values(&self, name: &Name, claims: &[&Claim], rtype: RecordType) -> Option<Vec<Rdata>> {
        let ours: Vec<&&Claim> = claims.iter().filter(|claim| claim.rtype == rtype).collect();
        let mut values: Vec<Rdata> = Vec::new();
        if !ours.iter().any(|claim| claim.own == Own::RRset) {
            match self.base.lookup(name, rtype) {
                Answer::Records(live, _) => {
                    let foreign = live.iter().filter(|value| value.rtype() == rtype);
                    values.extend(foreign.filter(|value| !ours.iter().any(|claim| claim.owns(value))).cloned());
                }
                Answer::NoData | Answer::NxDomain => {}
                Answer::Unknown | Answer::TempError if self.alone && !ours.is_empty() => {}
                Answer::Unknown | Answer::TempError => return None,
            }
        }
        for value in ours.iter().flat_map(|claim| &claim.want) {
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
        Some(values)
    }
}

impl<B: Lookup> Lookup for Desired<'_, B> {
    fn lookup(&self, name: &Name, rtype: RecordType) -> Answer {
        let Some(claims) = self.names.get(name) else {
            return match self.base.lookup(name, rtype) {
                Answer::NxDomain => self.below_wildcard(name, rtype),
                live => live,
            };
        };
        let ttl = claims.iter().filter(|claim| claim.rtype == rtype).find_map(|claim| claim.ttl).unwrap_or(TTL);
        let alias = claims.iter().filter(|claim| claim.rtype == RecordType::CNAME).find_map(|claim| claim.want.first());
        if let Some(alias) = alias {
            return Answer::records([alias.clone()], ttl);
        }
        match self.values(name, claims, rtype) {
            Some(values) if !values.is_empty() => Answer::records(values, ttl),
            // Something else stands there, if only what is wanted.
            Some(_) if claims.iter().any(|claim| !claim.want.is_empty()) => Answer::NoData,
            _ => match self.base.lookup(name, rtype) {
                // What stood there is ours and goes.
                Answer::Records(live, _) if claims.iter().any(|claim| live.iter().any(|v| claim.owns(v))) => {
                    Answer::NoData
                }
                other => other,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use mailzone_config::{Source, load};
    use mailzone_mailauth::lookup::Answers;

    use super::*;
    use crate::compile::compile;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn texts(answer: &Answer) -> Vec<String> {
        match answer {
            Answer::Records(values, _) => values.iter().map(ToString::to_string).collect(),
            other => vec![format!("{other:?}")],
        }
    }

    fn txt(text: &str) -> Rdata {
        Rdata::Txt(mailzone_record::Txt::from_text(text))
    }

    #[test]
    fn wildcards_that_are_wanted_answer_for_names_that_do_not_exist() {
        let text = "providers.files = { type = \"zonefile\", directory = \"zones\" }\n\
                    [domains.\"example.com\"]\nprovider = \"files\"\ndkim.there.cname = \"k.example.net.\"\n\
                    [[domains.\"example.com\".records]]\nname = \"*\"\ntype = \"TXT\"\n\
                    values = ['\"v=spf1 -all\"']\n";
        let settings = load(&[Source::Stdin(text.into())]).unwrap();
        let compiled = compile(&settings, (2026, 1, 1));
        let mut live = Answers::otherwise(Answer::NxDomain);
        live.insert(name("www.example.com"), RecordType::TXT, Answer::NoData);
        let desired = Desired::over(&compiled, &live);
        let at = |text: &str| texts(&desired.lookup(&name(text), RecordType::TXT));
        assert_eq!(
            (at("news.example.com"), at("a.b.example.com")),
            (vec!["\"v=spf1 -all\"".into()], at("x.example.com"))
        );
        assert_eq!(at("www.example.com"), ["NoData"]);
        // Below names that exist or are to exist it does not reach, nor beyond its domain.
        for elsewhere in ["below.www.example.com", "x.there._domainkey.example.com", "news.example.net"] {
            assert_eq!(at(elsewhere), ["NxDomain"], "{elsewhere}");
        }
        assert_eq!(desired.lookup(&name("news.example.com"), RecordType::MX), Answer::NoData);
    }

    #[test]
    fn what_is_wanted_stands_beside_what_is_foreign() {
        let text = "providers.files = { type = \"zonefile\", directory = \"zones\" }\n\
                    [domains.\"example.com\"]\nprovider = \"files\"\nspf = \"v=spf1 -all\"\nmx = \"absent\"\n\
                    dkim = { new = { cname = \"k.example.net.\" }, old = \"absent\" }\n";
        let settings = load(&[Source::Stdin(text.into())]).unwrap();
        let compiled = compile(&settings, (2026, 1, 1));
        let mut live = Answers::default();
        let (ttl, at) = (Ttl::from_secs(60).unwrap(), name("example.com"));
        live.insert(at.clone(), RecordType::TXT, Answer::records([txt("token"), txt("v=spf1 mx ~all")], ttl));
        live.insert(name("old._domainkey.example.com"), RecordType::TXT, Answer::records([txt("v=DKIM1; p=")], ttl));
        let desired = Desired::over(&compiled, &live);
        assert_eq!(texts(&desired.lookup(&at, RecordType::TXT)), ["\"token\"", "\"v=spf1 -all\""]);
        assert_eq!(desired.lookup(&at, RecordType::MX), Answer::NoData);
        assert_eq!(desired.lookup(&at, RecordType::A), Answer::Unknown);
        assert_eq!(texts(&desired.lookup(&name("new._domainkey.example.com"), RecordType::TXT)), ["k.example.net."]);
        assert_eq!(desired.lookup(&name("old._domainkey.example.com"), RecordType::TXT), Answer::NoData);
        let nothing = Answers::default();
        assert_eq!(Desired::over(&compiled, &nothing).lookup(&at, RecordType::TXT), Answer::Unknown);
        let alone = Desired::alone(&compiled, &nothing);
        assert_eq!(texts(&alone.lookup(&at, RecordType::TXT)), ["\"v=spf1 -all\""]);
        assert_eq!(alone.lookup(&name("www.example.com"), RecordType::TXT), Answer::Unknown);
    }
}
