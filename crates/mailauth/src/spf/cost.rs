//! What a record costs a client that matches nothing: the worst case, as a tree of who costs what.
//!
//! The limits of RFC 7208 section 4.6.4 are met by whoever comes last: a client that no term matches has all of them
//! evaluated. The tree counts each of them, beyond the limits too, so that it can be told how far over a record is.

use std::ops::Range;

use mailzone_record::{Name, Rdata, RecordType};

use super::domain::{DomainSpec, Macro, macro_at};
use super::expand::{Values, name_of, text_of};
use super::record::{Mechanism, Modifier, Term, TermKind};
use super::request::Limits;
use super::select::Selected;
use crate::lookup::{Answer, Lookup, Pending, Question, resolve};

/// Terms that query the DNS beyond which nothing is followed any more: a hostile record may have no end.
pub const COUNTED_TERMS: usize = 64;

/// The worst case of the record at a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// The name.
    pub domain: Name,
    /// What is there.
    pub record: CostRecord,
    /// Its terms that query the DNS, as far as a client can reach them.
    pub terms: Vec<TermCost>,
    /// Terms that query the DNS, here and below.
    pub lookups: usize,
    /// Terms for which the DNS has nothing in either address family, here and below.
    pub void_lookups: usize,
    /// Whether something below was left out: the counts are the least that it can be. After [`COUNTED_TERMS`] terms.
    pub truncated: bool,
}

/// What is at a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CostRecord {
    /// One record that reads.
    Good,
    /// None.
    Absent,
    /// The name does not exist.
    NoDomain,
    /// So many.
    Several(usize),
    /// One with so many errors.
    Invalid(usize),
    /// The DNS gave no answer.
    Failed,
}

/// What one term costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermCost {
    /// The term in its canonical text.
    pub text: String,
    /// Its octets in the joined text of its record.
    pub span: Range<usize>,
    /// The name that it asks for.
    pub target: CostTarget,
    /// Itself and what is below.
    pub lookups: usize,
    /// What the DNS has for it.
    pub found: Found,
}

/// The name that a term asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CostTarget {
    /// The same for every message of the domain.
    Name(Name),
    /// It depends on the message (macros other than `d` and `o`): it costs one, what it leads to cannot be told.
    Varies,
    /// No name: it never matches.
    Malformed,
}

/// What the DNS has for a term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Not asked: the target varies, is no name, or is left out.
    NotAsked,
    /// Addresses of either family; for `mx` the number of exchangers and those of them without any address.
    Hosts {
        /// MX records; 0 for `a` and `exists`.
        exchangers: usize,
        /// Exchangers that have no address.
        without_address: usize,
    },
    /// Nothing: a void look-up.
    Nothing,
    /// No answer.
    Failed,
    /// The record of an `include` or `redirect`.
    Record(Box<Cost>),
    /// That record is the one that we came from: without end.
    Loop,
}

/// The worst case of the record at `domain`, or the questions that are open. Asks for `domain`, and for each of at most
/// [`COUNTED_TERMS`] terms one record, two address sets, or one set of exchangers and two address sets for each of ten.
pub fn cost(domain: &Name, lookup: &dyn Lookup) -> Result<Cost, Pending> {
    let text = text_of(domain).unwrap_or_default();
    let mut count = Count { lookup, sender_domain: text.clone(), terms: 0, open: Vec::new(), under_way: Vec::new() };
    let (cost, _) = count.record(domain, &text);
    match Pending::of(count.open) {
        Some(pending) => Err(pending),
        None => Ok(cost),
    }
}

struct Count<'a> {
    lookup: &'a dyn Lookup,
    sender_domain: String,
    terms: usize,
    open: Vec<Question>,
    under_way: Vec<Name>,
}

impl Count<'_> {
    /// The cost of the record at `name`, and whether every client matches it: an include of such ends the including record.
    fn record(&mut self, name: &Name, text: &str) -> (Cost, bool) {
        let mut cost = Cost {
            domain: name.clone(),
            record: CostRecord::Failed,
            terms: Vec::new(),
            lookups: 0,
            void_lookups: 0,
            truncated: false,
        };
        let values = match self.ask(name, RecordType::TXT) {
            Answer::Records(values, _) => values,
            Answer::NoData => return (Cost { record: CostRecord::Absent, ..cost }, false),
            Answer::NxDomain => return (Cost { record: CostRecord::NoDomain, ..cost }, false),
            Answer::TempError | Answer::Unknown => return (cost, false),
        };
        let record = match Selected::among(&values) {
            Selected::Record { record, .. } => record,
            Selected::Absent => return (Cost { record: CostRecord::Absent, ..cost }, false),
            Selected::Several(count) => return (Cost { record: CostRecord::Several(count), ..cost }, false),
            Selected::Invalid { errors, .. } => {
                return (Cost { record: CostRecord::Invalid(errors.len()), ..cost }, false);
            }
        };
        cost.record = CostRecord::Good;
        self.under_way.push(name.clone());
        let mut everybody = false;
        for term in &record.terms {
            let TermKind::Directive(qualifier, mechanism) = &term.kind else { continue };
            if *mechanism == Mechanism::All {
                everybody = *qualifier == super::Qualifier::Pass;
                self.under_way.pop();
                return (cost, everybody);
            }
            if mechanism.queries() && self.term(&mut cost, term, name, text) {
                self.under_way.pop();
                return (cost, *qualifier == super::Qualifier::Pass);
            }
        }
        let redirect = record.terms.iter().find(|term| matches!(term.kind, TermKind::Modifier(Modifier::Redirect(_))));
        if let Some(term) = redirect {
            everybody = self.term(&mut cost, term, name, text);
        }
        self.under_way.pop();
        (cost, everybody)
    }

    /// Adds a term's cost; whether everybody passes what it leads to.
    fn term(&mut self, cost: &mut Cost, term: &Term, name: &Name, text: &str) -> bool {
        if self.terms >= COUNTED_TERMS {
            cost.truncated = true;
            return false;
        }
        self.terms += 1;
        let (spec, leads_on) = match &term.kind {
            TermKind::Directive(_, Mechanism::Ptr(_)) => (None, false),
            TermKind::Directive(_, mechanism) => (mechanism.domain(), matches!(mechanism, Mechanism::Include(_))),
            TermKind::Modifier(Modifier::Redirect(target)) => (Some(target), true),
            TermKind::Modifier(_) => (None, false),
        };
        let (target, target_text) = match (&term.kind, spec) {
            // The name that `ptr` asks for is the client's.
            (TermKind::Directive(_, Mechanism::Ptr(_)), _) => (CostTarget::Varies, String::new()),
            (_, None) => (CostTarget::Name(name.clone()), text.to_owned()),
            (_, Some(spec)) => self.target(spec, text),
        };
        let (mut lookups, mut everybody) = (1, false);
        let found = match (&target, &term.kind) {
            (CostTarget::Varies | CostTarget::Malformed, _) => Found::NotAsked,
            (CostTarget::Name(target), _) if leads_on && self.under_way.contains(target) => Found::Loop,
            (CostTarget::Name(target), _) if leads_on => {
                let (below, all) = self.record(target, &target_text);
                everybody = all;
                lookups += below.lookups;
                cost.void_lookups += below.void_lookups;
                cost.truncated |= below.truncated;
                if matches!(below.record, CostRecord::Absent | CostRecord::NoDomain) {
                    cost.void_lookups += usize::from(self.is_void(target));
                }
                Found::Record(Box::new(below))
            }
            (CostTarget::Name(target), TermKind::Directive(_, Mechanism::Mx(..))) => self.exchangers(target),
            (CostTarget::Name(target), TermKind::Directive(_, Mechanism::Exists(_))) => {
                match self.ask(target, RecordType::A) {
                    Answer::Records(..) => Found::Hosts { exchangers: 0, without_address: 0 },
                    answer if answer.is_void() => Found::Nothing,
                    _ => Found::Failed,
                }
            }
            (CostTarget::Name(target), _) => match self.has_address(target) {
                Some(true) => Found::Hosts { exchangers: 0, without_address: 0 },
                Some(false) => Found::Nothing,
                None => Found::Failed,
            },
        };
        cost.lookups += lookups;
        cost.void_lookups += usize::from(found == Found::Nothing);
        cost.terms.push(TermCost { text: term.to_string(), span: term.span.clone(), target, lookups, found });
        everybody
    }

    fn exchangers(&mut self, name: &Name) -> Found {
        let values = match self.ask(name, RecordType::MX) {
            Answer::Records(values, _) => values,
            answer if answer.is_void() => return Found::Nothing,
            _ => return Found::Failed,
        };
        let limit = Limits::default().exchangers;
        let mut without_address = 0;
        let mut hosts = 0;
        for value in values.iter().take(limit) {
            let Rdata::Mx(mx) = value else { continue };
            if mx.exchange.is_root() {
                continue;
            }
            hosts += 1;
            match self.has_address(&mx.exchange) {
                Some(true) => {}
                Some(false) => without_address += 1,
                None => return Found::Failed,
            }
        }
        if hosts > 0 && hosts == without_address && values.len() <= limit {
            return Found::Nothing;
        }
        Found::Hosts { exchangers: values.len(), without_address }
    }

    /// Whether the name has an address of either family; `None` if that cannot be told.
    fn has_address(&mut self, name: &Name) -> Option<bool> {
        // Both are asked at once: whichever is open is kept as a question.
        let answers = [self.ask(name, RecordType::A), self.ask(name, RecordType::AAAA)];
        if answers.iter().any(|answer| matches!(answer, Answer::Records(..))) {
            return Some(true);
        }
        answers.iter().all(Answer::is_void).then_some(false)
    }

    fn is_void(&mut self, name: &Name) -> bool {
        self.ask(name, RecordType::TXT).is_void()
    }

    fn target(&self, spec: &DomainSpec, domain: &str) -> (CostTarget, String) {
        if varies(spec.as_str()) {
            return (CostTarget::Varies, String::new());
        }
        let values = Values {
            ip: std::net::Ipv4Addr::UNSPECIFIED.into(),
            local: "",
            sender_domain: self.sender_domain.as_str().into(),
            helo: "",
            receiver: "",
            time: 0,
        };
        let text = values.expand(spec.as_str(), false, domain, "").unwrap_or_default();
        (name_of(&text).map_or(CostTarget::Malformed, CostTarget::Name), text)
    }

    fn ask(&mut self, name: &Name, rtype: RecordType) -> Answer {
        resolve(self.lookup, name, rtype).unwrap_or_else(|question| {
            self.open.push(question);
            Answer::Unknown
        })
    }
}

/// Whether a macro other than the domain's own occurs.
fn varies(mut text: &str) -> bool {
    while let Some((literal, _)) = text.split_once('%') {
        let rest = text.get(literal.len()..).unwrap_or_default();
        match macro_at(rest, false) {
            Ok((_, Macro::Expand { letter, .. })) if !b"dDoO".contains(&letter) => return true,
            Ok((length, _)) => text = rest.get(length..).unwrap_or_default(),
            Err(_) => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use mailzone_record::{Ttl, parse_rdata_text};

    use super::*;
    use crate::lookup::Answers;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn world(records: &[(&str, RecordType, &str)]) -> Answers {
        let mut answers = Answers::otherwise(Answer::NxDomain);
        for (owner, rtype, data) in records {
            let values = data.split(" & ").map(|data| parse_rdata_text(*rtype, data, None).unwrap());
            answers.insert(name(owner), *rtype, Answer::records(values, Ttl::ZERO));
        }
        answers
    }

    fn show(cost: &Cost, depth: usize, out: &mut String) {
        let indent = "  ".repeat(depth);
        let more = if cost.truncated { " and more" } else { "" };
        let _ = writeln!(
            out,
            "{indent}{} {:?}: {}{more}, {} void",
            cost.domain, cost.record, cost.lookups, cost.void_lookups
        );
        for term in &cost.terms {
            let _ = match &term.found {
                Found::Record(below) => {
                    let _ = writeln!(out, "{indent}- {}: {}", term.text, term.lookups);
                    show(below, depth + 1, out);
                    Ok(())
                }
                found => writeln!(out, "{indent}- {}: {} {found:?}", term.text, term.lookups),
            };
        }
    }

    fn tree(records: &[(&str, RecordType, &str)]) -> String {
        let mut out = String::new();
        show(&cost(&name("example.com"), &world(records)).unwrap(), 0, &mut out);
        out
    }

    #[test]
    fn who_costs_what() {
        use RecordType as T;
        insta::assert_snapshot!(tree(&[
            ("example.com", T::TXT, "\"v=spf1 a mx ip4:192.0.2.0/24 include:one.example exists:%{i}.%{d} ptr a:gone.example redirect=%{d}.two.example\""),
            ("example.com", T::MX, "10 mx.example.com. & 20 old.example.com."),
            ("example.com", T::AAAA, "2001:db8::1"),
            ("mx.example.com", T::A, "192.0.2.1"),
            ("one.example", T::TXT, "\"v=spf1 include:example.com include:nothing.example mx:bare.example a ~all a\""),
            ("bare.example", T::MX, "10 gone.example."),
            ("one.example", T::A, "192.0.2.3"),
            ("example.com.two.example", T::TXT, "\"v=spf1 moo\""),
        ]), @"
        example.com. Good: 11, 3 void
        - a: 1 Hosts { exchangers: 0, without_address: 0 }
        - mx: 1 Hosts { exchangers: 2, without_address: 1 }
        - include:one.example: 5
          one.example. Good: 4, 2 void
          - include:example.com: 1 Loop
          - include:nothing.example: 1
            nothing.example. NoDomain: 0, 0 void
          - mx:bare.example: 1 Nothing
          - a: 1 Hosts { exchangers: 0, without_address: 0 }
        - exists:%{i}.%{d}: 1 NotAsked
        - ptr: 1 NotAsked
        - a:gone.example: 1 Nothing
        - redirect=%{d}.two.example: 1
          example.com.two.example. Invalid(1): 0, 0 void
        ");
        insta::assert_snapshot!(tree(&[
            ("example.com", T::TXT, "\"v=spf1 include:all.example a:behind.example redirect=behind.example\""),
            ("all.example", T::TXT, "\"v=spf1 +all\""),
        ]), @"
        example.com. Good: 1, 0 void
        - include:all.example: 1
          all.example. Good: 0, 0 void
        ");
    }

    #[test]
    fn an_endless_tree_ends() {
        let mut answers = Answers::otherwise(Answer::NxDomain);
        for n in 0..1000 {
            let text = format!("\"v=spf1 include:i{}.example include:i{}.example -all\"", 2 * n + 1, 2 * n + 2);
            let rdata = parse_rdata_text(RecordType::TXT, &text, None).unwrap();
            answers.insert(name(&format!("i{n}.example")), RecordType::TXT, Answer::records([rdata], Ttl::ZERO));
        }
        let cost = cost(&name("i0.example"), &answers).unwrap();
        assert_eq!((cost.lookups, cost.truncated), (COUNTED_TERMS, true));
    }

    #[test]
    fn open_questions_are_asked_together() {
        let mut answers = Answers::default();
        let rdata = parse_rdata_text(RecordType::TXT, "\"v=spf1 a mx include:%{d1r}.example -all\"", None).unwrap();
        answers.insert(name("example.com"), RecordType::TXT, Answer::records([rdata], Ttl::ZERO));
        let questions = cost(&name("example.com"), &answers).unwrap_err().questions;
        let questions: Vec<_> = questions.iter().map(|q| format!("{} {}", q.name, q.rtype)).collect();
        assert_eq!(questions, ["example.com. A", "example.com. AAAA", "example.com. MX", "example.example. TXT"]);
    }
}
