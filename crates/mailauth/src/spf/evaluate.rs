//! `check_host()` (RFC 7208 section 4) as a pure function of a request and of DNS answers.
//!
//! Readings of the standard where it leaves room, each the one that its test suite prefers:
//!
//! - A void look-up is counted by term, as section 4.6.4 says: a term counts once if all that it asked for gave nothing. An
//!   `mx` whose exchangers have one address among them does not count for a client of the other family's sake.
//! - A target that is no name once its macros are filled in does not exist: no match, and for `include` and `redirect` no
//!   record, hence `permerror`.
//! - A record that leads back to itself is `permerror` at once: it would run into the limit, since nothing in it can differ
//!   the second time.
//! - Of a client's reverse names only the first ten are looked at, in the order of the answer.
//! - Identical records count as several: whoever sees them twice in an answer cannot know better.

use std::net::IpAddr;
use std::sync::Arc;

use mailzone_record::{Name, Rdata, RecordType};

use super::domain::{DomainSpec, has_p};
use super::error::SpfError;
use super::evaluation::{Evaluation, Problem, ProblemKind, SpfResult, Step, StepOutcome, Trace, Visit};
use super::expand::{Values, name_of, text_of};
use super::network::Network;
use super::record::{DualCidr, Mechanism, Modifier, Record, Term, TermKind};
use super::request::{EXPLANATION_LIMIT, Limits, Request, ascii};
use super::select::{RecordCache, Selected};
use crate::lookup::{Answer, Lookup, Pending, Question, resolve};
use crate::ptr::reverse_name;

/// Evaluates requests over one source of DNS answers.
#[derive(Clone, Copy)]
pub struct Evaluator<'a> {
    lookup: &'a dyn Lookup,
    limits: Limits,
    cache: Option<&'a RecordCache>,
}

/// Evaluates one request with the standard's limits; see [`Evaluator`].
pub fn check(request: &Request<'_>, lookup: &dyn Lookup) -> Result<Evaluation, Pending> {
    Evaluator::new(lookup).check(request)
}

impl std::fmt::Debug for Evaluator<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Evaluator").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl<'a> Evaluator<'a> {
    /// With the standard's limits.
    pub fn new(lookup: &'a dyn Lookup) -> Self {
        Self { lookup, limits: Limits::default(), cache: None }
    }

    /// With other limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// With a memory of records that were read, for many requests over the same answers.
    #[must_use]
    pub const fn with_cache(mut self, cache: &'a RecordCache) -> Self {
        self.cache = Some(cache);
        self
    }

    /// The result, or the questions that are open. Ends for any answers whatever; see [`Limits`].
    ///
    /// Where an answer is open, the terms after it are looked at as if it did not match, so that what they need can be
    /// asked at the same time. With the standard's limits no run opens more than 123 questions: one for the domain, eleven for
    /// each of ten terms, eleven for the client's names, one for the explanation.
    pub fn check(&self, request: &Request<'_>) -> Result<Evaluation, Pending> {
        let (local, domain) = request.identity();
        let domain = ascii(domain);
        let values = Values {
            ip: request.ip.to_canonical(),
            local,
            sender_domain: domain.clone(),
            helo: request.helo,
            receiver: request.receiver,
            time: request.time,
        };
        let mut run = Run {
            with: *self,
            values,
            // Room for what most records need.
            trace: Trace { records: Vec::with_capacity(8), steps: Vec::with_capacity(96) },
            under_way: Vec::new(),
            lookups: 0,
            void_lookups: 0,
            open: Vec::new(),
            client: None,
        };
        let literal = domain.starts_with('[') || domain.len() > 254;
        let ended = match name_of(&domain).filter(|_| !literal) {
            Some(name) => run.check_host(name, None),
            None => Err(Problem::new(&plain(&domain), None, ProblemKind::MalformedDomain)),
        };
        let (result, problem, explanation) = match ended {
            Ok(Verdict { result: Some(result), record }) => {
                let explanation = (result == SpfResult::Fail).then(|| run.explanation(record)).flatten();
                (result, None, explanation)
            }
            // Then something is open.
            Ok(Verdict { result: None, .. }) => (SpfResult::TempError, None, None),
            Err(problem) => (problem.kind.result(), Some(*problem), None),
        };
        if let Some(pending) = Pending::of(run.open) {
            return Err(pending);
        }
        Ok(Evaluation {
            result,
            domain: domain.into_owned(),
            explanation,
            lookups: run.lookups,
            void_lookups: run.void_lookups,
            problem,
            trace: run.trace,
        })
    }
}

struct Run<'a> {
    with: Evaluator<'a>,
    values: Values<'a>,
    trace: Trace,
    /// The records from the first to the present one, along includes and redirects.
    under_way: Vec<Name>,
    lookups: usize,
    void_lookups: usize,
    /// What nobody answered yet.
    open: Vec<Question>,
    /// Asked for once.
    client: Option<ClientNames>,
}

/// What one record comes to.
struct Verdict {
    /// `None` where it hangs on an open question.
    result: Option<SpfResult>,
    /// Which record decided: another one after a redirect.
    record: usize,
}

/// Whether a mechanism matches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Match {
    Yes,
    No,
    /// Hangs on an open question.
    Open,
}

/// A term at work.
#[derive(Clone, Copy)]
struct Here<'t> {
    name: &'t Name,
    term: &'t Term,
    step: usize,
}

/// The addresses of a name, held against the client's.
enum Addresses {
    Match,
    NoMatch,
    Void,
    Failed,
    Open,
}

/// The client's reverse names whose addresses lead back to it (RFC 7208 section 5.5).
struct ClientNames {
    /// `None` where a question is open.
    validated: Option<Vec<Name>>,
    void: bool,
}

/// A domain-spec with its macros filled in.
enum Target {
    Name(Name),
    Malformed(String),
    Open,
}

type Ended<T> = Result<T, Box<Problem>>;

impl Run<'_> {
    /// Evaluates the record of `name`, and of those that it redirects to.
    fn check_host(&mut self, mut name: Name, mut via: Option<usize>) -> Ended<Verdict> {
        let depth = self.under_way.len();
        let mut hangs = false;
        loop {
            let at = self.trace.records.len();
            let selected = self.select(&name, via)?;
            let Some(selected) = selected else {
                return Ok(Verdict { result: None, record: at });
            };
            let record = match &*selected {
                Selected::Record { record, .. } => record,
                Selected::Absent => return Err(self.missing(&name, via, ProblemKind::NoRecord)),
                Selected::Several(count) => {
                    return Err(Problem::new(&shown(&name), None, ProblemKind::Several(*count)));
                }
                Selected::Invalid { errors, text } => return Err(syntax(&name, errors.first(), text)),
            };
            self.under_way.push(name.clone());
            if let Some(result) = self.directives(record, &name, at, &mut hangs)? {
                return Ok(self.leave(depth, at, (!hangs).then_some(result)));
            }
            let redirect = record.terms.iter().enumerate().find_map(|(index, term)| match &term.kind {
                TermKind::Modifier(Modifier::Redirect(target)) => Some((index, term, target)),
                _ => None,
            });
            let Some((index, term, target)) = redirect else {
                return Ok(self.leave(depth, at, (!hangs).then_some(SpfResult::Neutral)));
            };
            let step = self.begin(at, index);
            let here = Here { name: &name, term, step };
            let Some(next) = self.follow(here, target)? else {
                return Ok(self.leave(depth, at, None));
            };
            self.end(step, StepOutcome::Followed);
            (name, via) = (next, Some(step));
        }
    }

    /// The record of `name`; `None` if nobody answered yet.
    fn select(&mut self, name: &Name, via: Option<usize>) -> Ended<Option<Arc<Selected>>> {
        self.trace.records.push(Visit { domain: name.clone(), via, selected: None, result: None });
        if name.label_count() < 2 {
            return Err(self.missing(name, via, ProblemKind::MalformedDomain));
        }
        let selected = match self.ask(name, RecordType::TXT) {
            None => return Ok(None),
            Some(Answer::Records(values, _)) => match self.with.cache {
                Some(cache) => cache.select(&values),
                None => Arc::new(Selected::among(&values)),
            },
            Some(void @ (Answer::NoData | Answer::NxDomain)) => {
                self.void_lookups += usize::from(via.is_some());
                let kind = if void == Answer::NxDomain { ProblemKind::NoDomain } else { ProblemKind::NoRecord };
                return Err(self.missing(name, via, kind));
            }
            Some(_) => return Err(Problem::new(&shown(name), None, ProblemKind::Dns(name.clone(), RecordType::TXT))),
        };
        if let Some(visit) = self.trace.records.last_mut() {
            visit.selected = Some(Arc::clone(&selected));
        }
        Ok(Some(selected))
    }

    /// Holds the client against the mechanisms in order. `hangs` becomes true where an open one was passed over.
    fn directives(&mut self, record: &Record, name: &Name, at: usize, hangs: &mut bool) -> Ended<Option<SpfResult>> {
        self.trace.steps.reserve(record.terms.len());
        for (index, term) in record.terms.iter().enumerate() {
            let TermKind::Directive(qualifier, mechanism) = &term.kind else { continue };
            let found = match mechanism {
                Mechanism::All => Match::Yes,
                Mechanism::Ip(network) if network.has(self.values.ip) => Match::Yes,
                Mechanism::Ip(_) => Match::No,
                querying => {
                    let step = self.begin(at, index);
                    let found = self.query(querying, Here { name, term, step })?;
                    match found {
                        Match::Yes => self.end(step, StepOutcome::Match),
                        Match::No => self.end(step, StepOutcome::NoMatch),
                        Match::Open => *hangs = true,
                    }
                    if found == Match::Yes {
                        return Ok(Some((*qualifier).into()));
                    }
                    continue;
                }
            };
            let outcome = if found == Match::Yes { StepOutcome::Match } else { StepOutcome::NoMatch };
            self.trace.steps.push(Step { record: at, term: index, target: None, outcome });
            if found == Match::Yes {
                return Ok(Some((*qualifier).into()));
            }
        }
        Ok(None)
    }

    /// A mechanism that queries the DNS.
    fn query(&mut self, mechanism: &Mechanism, here: Here<'_>) -> Ended<Match> {
        if let Mechanism::Include(target) = mechanism {
            return self.include(target, here);
        }
        self.count(here)?;
        let name = match self.target(mechanism.domain(), here) {
            Target::Name(name) => name,
            Target::Malformed(_) => return Ok(Match::No),
            Target::Open => return Ok(Match::Open),
        };
        if let Some(step) = self.trace.steps.get_mut(here.step) {
            step.target = Some(name.clone());
        }
        match mechanism {
            Mechanism::A(_, cidr) => match self.addresses(&name, *cidr) {
                Addresses::Match => Ok(Match::Yes),
                Addresses::NoMatch => Ok(Match::No),
                Addresses::Void => self.void(here),
                Addresses::Failed => Err(here.problem(ProblemKind::Dns(name, self.family()))),
                Addresses::Open => Ok(Match::Open),
            },
            Mechanism::Mx(_, cidr) => self.exchangers(&name, *cidr, here),
            Mechanism::Ptr(_) => {
                let client = self.client_names();
                match &client.validated {
                    None => Ok(Match::Open),
                    Some(_) if client.void => self.void(here),
                    Some(names) if names.iter().any(|validated| validated.is_at_or_below(&name)) => Ok(Match::Yes),
                    Some(_) => Ok(Match::No),
                }
            }
            // `exists`: an A query, whatever the client's family (section 5.7).
            _ => match self.ask(&name, RecordType::A) {
                None => Ok(Match::Open),
                Some(Answer::Records(..)) => Ok(Match::Yes),
                Some(answer) if answer.is_void() => self.void(here),
                Some(_) => Err(here.problem(ProblemKind::Dns(name, RecordType::A))),
            },
        }
    }

    fn include(&mut self, target: &DomainSpec, here: Here<'_>) -> Ended<Match> {
        let Some(name) = self.follow(here, target)? else { return Ok(Match::Open) };
        let verdict = self.check_host(name, Some(here.step))?;
        Ok(match verdict.result {
            None => Match::Open,
            Some(SpfResult::Pass) => Match::Yes,
            Some(_) => Match::No,
        })
    }

    /// The target of an `include` or a `redirect`, counted; `None` if it hangs on an open question.
    fn follow(&mut self, here: Here<'_>, target: &DomainSpec) -> Ended<Option<Name>> {
        self.count(here)?;
        let name = match self.target(Some(target), here) {
            Target::Name(name) => name,
            Target::Malformed(text) => return Err(here.problem(ProblemKind::Target(plain(&text)))),
            Target::Open => return Ok(None),
        };
        if let Some(step) = self.trace.steps.get_mut(here.step) {
            step.target = Some(name.clone());
        }
        if self.under_way.contains(&name) {
            return Err(here.problem(ProblemKind::Loop(shown(&name))));
        }
        Ok(Some(name))
    }

    fn exchangers(&mut self, name: &Name, cidr: DualCidr, here: Here<'_>) -> Ended<Match> {
        let values = match self.ask(name, RecordType::MX) {
            None => return Ok(Match::Open),
            Some(Answer::Records(values, _)) => values,
            Some(answer) if answer.is_void() => return self.void(here),
            Some(_) => return Err(here.problem(ProblemKind::Dns(name.clone(), RecordType::MX))),
        };
        if values.len() > self.with.limits.exchangers {
            return Err(here.problem(ProblemKind::Exchangers(self.with.limits.exchangers)));
        }
        let (mut open, mut asked, mut void) = (false, 0, 0);
        for value in values.iter() {
            // The root is no host: a null MX (RFC 7505).
            let Rdata::Mx(mx) = value else { continue };
            if mx.exchange.is_root() {
                continue;
            }
            asked += 1;
            match self.addresses(&mx.exchange, cidr) {
                // A match behind an open question: whether it counts is not known yet, as that one may fail.
                Addresses::Match if open => return Ok(Match::Open),
                Addresses::Match => return Ok(Match::Yes),
                Addresses::NoMatch => {}
                Addresses::Void => void += 1,
                Addresses::Failed if open => return Ok(Match::Open),
                Addresses::Failed => {
                    return Err(here.problem(ProblemKind::Dns(mx.exchange.clone(), self.family())));
                }
                Addresses::Open => open = true,
            }
        }
        match (open, asked) {
            (true, _) => Ok(Match::Open),
            (false, 1..) if void == asked => self.void(here),
            (false, _) => Ok(Match::No),
        }
    }

    /// The name that a term means: the record's own where it names none.
    fn target(&mut self, spec: Option<&DomainSpec>, here: Here<'_>) -> Target {
        let Some(spec) = spec else { return Target::Name(here.name.clone()) };
        if let Some(name) = spec.name() {
            return Target::Name(name.clone());
        }
        match self.expand(spec.as_str(), false, here.name) {
            Ok(Some(text)) => name_of(&text).map_or(Target::Malformed(text), Target::Name),
            Ok(None) => Target::Malformed(spec.as_str().to_owned()),
            Err(Open) => Target::Open,
        }
    }

    fn expand(&mut self, text: &str, explanation: bool, domain: &Name) -> Result<Option<String>, Open> {
        let validated = if has_p(text) { self.validated_name(domain).ok_or(Open)? } else { String::new() };
        let domain = text_of(domain).unwrap_or_default();
        Ok(self.values.expand(text, explanation, &domain, &validated))
    }

    /// `%{p}` (section 7.3): `domain` itself, else a name below it, else any; `None` while a question is open.
    fn validated_name(&mut self, domain: &Name) -> Option<String> {
        let names = self.client_names().validated.as_ref()?;
        let own = names.iter().find(|name| *name == domain);
        let below = || names.iter().find(|name| name.is_at_or_below(domain));
        let best = own.or_else(below).or_else(|| names.first());
        Some(best.and_then(text_of).unwrap_or_else(|| "unknown".to_owned()))
    }

    fn client_names(&mut self) -> &ClientNames {
        let client = match self.client.take() {
            Some(client) => client,
            None => self.ask_client_names(),
        };
        self.client.insert(client)
    }

    fn ask_client_names(&mut self) -> ClientNames {
        let none = |void| ClientNames { validated: Some(Vec::new()), void };
        let values = match self.ask(&reverse_name(self.values.ip), RecordType::PTR) {
            None => return ClientNames { validated: None, void: false },
            Some(Answer::Records(values, _)) => values,
            Some(answer) => return none(answer.is_void()),
        };
        let (mut validated, mut open) = (Vec::new(), false);
        let names = values.iter().filter_map(|value| match value {
            Rdata::Ptr(name) => Some(name),
            _ => None,
        });
        for name in names.take(self.with.limits.reverse_names) {
            match self.addresses(name, DualCidr::NONE) {
                Addresses::Match => validated.push(name.clone()),
                Addresses::Open => open = true,
                Addresses::NoMatch | Addresses::Void | Addresses::Failed => {}
            }
        }
        ClientNames { validated: (!open).then_some(validated), void: false }
    }

    fn addresses(&mut self, name: &Name, cidr: DualCidr) -> Addresses {
        let prefix = if self.values.ip.is_ipv4() { cidr.v4 } else { cidr.v6 };
        match self.ask(name, self.family()) {
            None => Addresses::Open,
            Some(Answer::Records(values, _)) => {
                let has = |address: IpAddr| Network::new(address, prefix).is_some_and(|n| n.has(self.values.ip));
                let hit = values.iter().any(|value| match value {
                    Rdata::A(address) => has((*address).into()),
                    Rdata::Aaaa(address) => has((*address).into()),
                    _ => false,
                });
                if hit { Addresses::Match } else { Addresses::NoMatch }
            }
            Some(answer) if answer.is_void() => Addresses::Void,
            Some(_) => Addresses::Failed,
        }
    }

    /// The type of the client's addresses.
    fn family(&self) -> RecordType {
        if self.values.ip.is_ipv4() { RecordType::A } else { RecordType::AAAA }
    }

    /// `None` if nobody answered yet; the question is kept then.
    fn ask(&mut self, name: &Name, rtype: RecordType) -> Option<Answer> {
        match resolve(self.with.lookup, name, rtype) {
            Ok(answer) => Some(answer),
            Err(question) => {
                self.open.push(question);
                None
            }
        }
    }

    fn count(&mut self, here: Here<'_>) -> Ended<()> {
        self.lookups += 1;
        let limit = self.with.limits.lookups;
        if self.lookups > limit { Err(here.problem(ProblemKind::Lookups(limit))) } else { Ok(()) }
    }

    fn void(&mut self, here: Here<'_>) -> Ended<Match> {
        self.void_lookups += 1;
        let limit = self.with.limits.void_lookups;
        if self.void_lookups > limit { Err(here.problem(ProblemKind::VoidLookups(limit))) } else { Ok(Match::No) }
    }

    /// No record at `text`: for a target that is an error of the term which names it.
    fn missing(&self, name: &Name, via: Option<usize>, kind: ProblemKind) -> Box<Problem> {
        let step = via.and_then(|via| self.trace.steps.get(via));
        let Some((step, term)) = step.and_then(|step| Some((step, self.trace.term(step)?))) else {
            return Problem::new(&shown(name), None, kind);
        };
        let domain = self.trace.records.get(step.record).map(|visit| shown(&visit.domain));
        let term = Some((term.to_string(), term.span.clone()));
        Problem::new(&domain.unwrap_or_default(), term, ProblemKind::Target(shown(name)))
    }

    fn begin(&mut self, record: usize, term: usize) -> usize {
        // Until it ends otherwise.
        self.trace.steps.push(Step { record, term, target: None, outcome: StepOutcome::Problem });
        self.trace.steps.len() - 1
    }

    fn end(&mut self, step: usize, outcome: StepOutcome) {
        if let Some(step) = self.trace.steps.get_mut(step) {
            step.outcome = outcome;
        }
    }

    /// Notes what the record, and those that led to it by redirects, came to.
    fn leave(&mut self, depth: usize, record: usize, result: Option<SpfResult>) -> Verdict {
        let mut at = Some(record);
        for _ in depth..self.under_way.len() {
            let Some(visit) = at.and_then(|at| self.trace.records.get_mut(at)) else { break };
            visit.result = result;
            at = visit.via.and_then(|step| self.trace.steps.get(step)).map(|step| step.record);
        }
        self.under_way.truncate(depth);
        Verdict { result, record }
    }

    /// The text behind `exp=` of the record that decided. Whatever goes wrong, there is none (section 6.2).
    fn explanation(&mut self, record: usize) -> Option<String> {
        let visit = self.trace.records.get(record)?;
        let (domain, selected) = (&visit.domain.clone(), visit.selected.clone()?);
        let Selected::Record { record, .. } = &*selected else { return None };
        let target = record.modifiers().find_map(|modifier| match modifier {
            Modifier::Exp(target) => Some(target),
            _ => None,
        })?;
        let name = self.expand(target.as_str(), false, domain).ok()??;
        let Answer::Records(values, _) = self.ask(&name_of(&name)?, RecordType::TXT)? else { return None };
        let mut texts = values.iter().filter_map(Rdata::as_txt);
        let (Some(text), None) = (texts.next(), texts.next()) else { return None };
        let text = text.joined();
        let printable = text.iter().all(|octet| octet.is_ascii_graphic() || *octet == b' ');
        let text = std::str::from_utf8(&text).ok().filter(|_| printable)?;
        let mut expanded = self.expand(text, true, domain).ok()??;
        // What the sender wrote may come out of the macros; it may break no line.
        expanded.retain(|c| c == ' ' || c.is_ascii_graphic());
        expanded.truncate(EXPLANATION_LIMIT);
        (!expanded.is_empty()).then_some(expanded)
    }
}

/// An open question was met.
struct Open;

impl Here<'_> {
    fn problem(&self, kind: ProblemKind) -> Box<Problem> {
        Problem::new(&shown(self.name), Some((self.term.to_string(), self.term.span.clone())), kind)
    }
}

impl Problem {
    fn new(domain: &str, term: Option<(String, std::ops::Range<usize>)>, kind: ProblemKind) -> Box<Self> {
        Box::new(Self { domain: domain.to_owned(), term, kind })
    }
}

/// The first syntax error, with the whole term around it.
fn syntax(name: &Name, error: Option<&SpfError>, joined: &[u8]) -> Box<Problem> {
    let Some(error) = error else { return Problem::new(&shown(name), None, ProblemKind::NoRecord) };
    let at = error.span.start.min(joined.len());
    let (before, after) = joined.split_at(at);
    let start = before.iter().rposition(|octet| *octet == b' ').map_or(0, |blank| blank + 1);
    let end = at + after.iter().position(|octet| *octet == b' ').unwrap_or(after.len());
    let term = plain(&String::from_utf8_lossy(joined.get(start..end).unwrap_or_default()));
    Problem::new(&shown(name), Some((term, start..end)), ProblemKind::Syntax(error.clone()))
}

/// The name for a person: octets that are no printable ASCII are escaped.
fn shown(name: &Name) -> String {
    name.to_text_without_dot()
}

/// A stranger's text for a person: what is no printable ASCII is escaped.
fn plain(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if c.is_ascii_graphic() || c == ' ' {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
        out
    })
}
