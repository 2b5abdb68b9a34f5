//! An audit under way: rules ask it for facts, and give it findings.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use mailzone_mailauth::lookup::{Answer, Lookup, Pending, Question, resolve};
use mailzone_mailauth::{Finding, Severity, rules};
use mailzone_record::{Name, Rdata, RecordType};

use crate::facts::{Document, Failure, PolicyAnswer, SmtpSession, Validation, ZoneServers};
use crate::report::{Area, Audit, Measured, Note, Open};
use crate::{Facts, Measure, Subject};

/// Something that a rule needs and that is not known yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wish {
    /// A DNS answer.
    Dns(Question),
    /// The MTA-STS policy that is served for a domain.
    Policy(Name),
    /// What a host says at port 25 of an address.
    Smtp(Name, IpAddr),
    /// Who answers for a domain.
    Servers(Name),
    /// How a name stands to DNSSEC.
    Validation(Name),
    /// What is behind an `https` URL.
    Document(String),
}

/// What the rules of one audit see and say.
pub struct Inquiry<'a> {
    subject: &'a Subject,
    facts: &'a Facts,
    dns: &'a dyn Lookup,
    area: Area,
    findings: Vec<(Area, Finding)>,
    notes: Vec<Note>,
    open: BTreeMap<(Area, String), BTreeSet<Wish>>,
    measures: BTreeMap<Measure, Measured>,
    topic: String,
}

impl<'a> Inquiry<'a> {
    pub(crate) fn new(subject: &'a Subject, facts: &'a Facts, dns: &'a dyn Lookup) -> Self {
        Self {
            subject,
            facts,
            dns,
            area: Area::Mx,
            findings: Vec::new(),
            notes: Vec::new(),
            open: BTreeMap::new(),
            measures: BTreeMap::new(),
            topic: String::new(),
        }
    }

    pub(crate) fn enter(&mut self, area: Area) {
        self.area = area;
        self.topic = String::new();
    }

    /// What is judged.
    pub fn subject(&self) -> &'a Subject {
        self.subject
    }

    /// The domain that is judged.
    pub fn domain(&self) -> &'a Name {
        &self.subject.domain
    }

    /// Seconds since 1970.
    pub fn now(&self) -> i64 {
        self.facts.now
    }

    /// What the following questions are for: "whether the MX hosts have addresses". Said to the user where they
    /// stay open. Give no topic (an empty one) where an open question is nothing to speak of.
    pub fn topic(&mut self, topic: impl Into<String>) {
        self.topic = topic.into();
    }

    /// The answer at the end of the name's aliases. `None`: not known yet, the rule cannot go on.
    pub fn dns(&mut self, name: &Name, rtype: RecordType) -> Option<Answer> {
        match resolve(self.dns, name, rtype) {
            Ok(answer) => Some(answer),
            Err(question) => self.wish(Wish::Dns(question)),
        }
    }

    /// The answer at the name itself, an alias being an answer.
    pub fn dns_at(&mut self, name: &Name, rtype: RecordType) -> Option<Answer> {
        match self.dns.lookup(name, rtype) {
            Answer::Unknown => self.wish(Wish::Dns(Question { name: name.clone(), rtype })),
            answer => Some(answer),
        }
    }

    /// The records at the end of the name's aliases; none if there are none or the DNS failed.
    pub fn records(&mut self, name: &Name, rtype: RecordType) -> Option<Vec<Rdata>> {
        Some(values(&self.dns(name, rtype)?))
    }

    /// The result of an evaluation over [`Inquiry::lookup`], or its open questions noted.
    pub fn take<T>(&mut self, result: Result<T, Pending>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(pending) => {
                for question in pending.questions {
                    self.wish::<()>(Wish::Dns(question));
                }
                None
            }
        }
    }

    /// What DNS evaluations look up in.
    pub fn lookup(&self) -> &'a dyn Lookup {
        self.dns
    }

    /// The MTA-STS policy served for a domain.
    pub fn policy(&mut self, domain: &Name) -> Option<&'a Result<PolicyAnswer, Failure>> {
        let known = self.facts.policies.get(domain);
        known.or_else(|| self.wish(Wish::Policy(domain.clone())))
    }

    /// What a host says at port 25 of an address.
    pub fn smtp(&mut self, host: &Name, address: IpAddr) -> Option<&'a Result<SmtpSession, Failure>> {
        let known = self.facts.smtp.get(&(host.clone(), address));
        known.or_else(|| self.wish(Wish::Smtp(host.clone(), address)))
    }

    /// Who answers for a domain.
    pub fn servers(&mut self, domain: &Name) -> Option<&'a Result<ZoneServers, Failure>> {
        let known = self.facts.servers.get(domain);
        known.or_else(|| self.wish(Wish::Servers(domain.clone())))
    }

    /// How a name stands to DNSSEC.
    pub fn validation(&mut self, name: &Name) -> Option<&'a Result<Validation, Failure>> {
        let known = self.facts.validation.get(name);
        known.or_else(|| self.wish(Wish::Validation(name.clone())))
    }

    /// What is behind a URL.
    pub fn document(&mut self, url: &str) -> Option<&'a Result<Document, Failure>> {
        let known = self.facts.documents.get(url);
        known.or_else(|| self.wish(Wish::Document(url.to_owned())))
    }

    /// A finding by its rule's code, with the rule's severity.
    pub fn find(&mut self, code: &str, subject: impl Into<String>, message: impl Into<String>) {
        let severity = rules::rule(code).map_or(Severity::Warning, |rule| rule.severity);
        self.find_as(code, severity, subject, message);
    }

    /// A finding with another severity than its rule's.
    pub fn find_as(&mut self, code: &str, severity: Severity, subject: impl Into<String>, message: impl Into<String>) {
        let (remedy, reference) = rules::rule(code).map_or(("", ""), |rule| (rule.remedy, rule.reference));
        self.add(Finding::new(code, severity, subject, message, remedy, reference));
    }

    /// A finding with a remedy that fits better than its rule's, where there is one.
    pub fn find_with(
        &mut self,
        code: &str,
        subject: impl Into<String>,
        message: impl Into<String>,
        remedy: Option<String>,
    ) {
        let rule = rules::rule(code);
        let severity = rule.map_or(Severity::Warning, |rule| rule.severity);
        let remedy = remedy.unwrap_or_else(|| rule.map_or(String::new(), |rule| rule.remedy.to_owned()));
        let reference = rule.map_or("", |rule| rule.reference);
        self.add(Finding::new(code, severity, subject, message, remedy, reference));
    }

    /// A finding as it is, such as one that a record kind made.
    pub fn add(&mut self, mut finding: Finding) {
        // Kinds name their owner with the final dot.
        if let Some(name) = finding.subject.strip_suffix('.').filter(|name| !name.is_empty()) {
            finding.subject = name.to_owned();
        }
        self.findings.push((self.area, finding));
    }

    /// Something seen that is worth telling: a record, a measurement.
    pub fn note(&mut self, subject: impl Into<String>, text: impl Into<String>) {
        self.notes.push(Note { area: self.area, subject: subject.into(), text: text.into() });
    }

    /// How much of something good was seen, in percent, and what that was. Not to be called where that is not known.
    pub fn measure(&mut self, measure: Measure, share: u8, why: impl Into<String>) {
        self.measures.insert(measure, Measured { share: share.min(100), why: why.into() });
    }

    /// What an earlier rule measured.
    pub fn measured(&self, measure: Measure) -> Option<&Measured> {
        self.measures.get(&measure)
    }

    pub(crate) fn finish(self) -> Audit {
        let mut findings = self.findings;
        findings.sort();
        findings.dedup();
        let open = self.open.into_iter().map(|((area, topic), wishes)| Open { area, topic, wishes });
        Audit { findings, notes: self.notes, open: open.collect(), measures: self.measures }
    }

    fn wish<T>(&mut self, wish: Wish) -> Option<T> {
        self.open.entry((self.area, self.topic.clone())).or_default().insert(wish);
        None
    }
}

/// The records of an answer.
fn values(answer: &Answer) -> Vec<Rdata> {
    match answer {
        Answer::Records(values, _) => values.to_vec(),
        _ => Vec::new(),
    }
}

impl std::fmt::Debug for Inquiry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inquiry").field("subject", &self.subject.domain).finish_non_exhaustive()
    }
}
