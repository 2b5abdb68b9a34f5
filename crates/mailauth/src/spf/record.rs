use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::ops::Range;

use super::domain::DomainSpec;
use super::error::SpfError;
use super::network::Network;
use super::parse;

/// An SPF record (RFC 7208 section 4.5): its terms in order.
///
/// Printed as the canonical text: one blank between terms, names and literal domain parts in lower
/// case, no `+`, no prefix length that says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Record {
    /// Mechanisms and modifiers as they stand.
    pub terms: Vec<Term>,
}

/// One term, and where it stood. Comparison ignores the place.
#[derive(Debug, Clone)]
pub struct Term {
    /// What it says.
    pub kind: TermKind,
    /// The octets of the joined text that it was read from; `0..0` where it was not read.
    pub span: Range<usize>,
}

/// A directive or a modifier (RFC 7208 section 4.6.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TermKind {
    /// A mechanism with its qualifier.
    Directive(Qualifier, Mechanism),
    /// `name=value`.
    Modifier(Modifier),
}

/// What a match of a mechanism means (RFC 7208 section 4.6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Qualifier {
    /// `+`, the default.
    Pass,
    /// `?`
    Neutral,
    /// `~`
    SoftFail,
    /// `-`
    Fail,
}

/// What a client is matched against (RFC 7208 section 5).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mechanism {
    /// Everybody.
    All,
    /// Whoever passes the record of another name.
    Include(DomainSpec),
    /// The addresses of a name (the record's own when none is given), widened to a prefix.
    A(Option<DomainSpec>, DualCidr),
    /// The addresses of a name's mail exchangers.
    Mx(Option<DomainSpec>, DualCidr),
    /// Deprecated: the client's reverse name (section 5.5).
    Ptr(Option<DomainSpec>),
    /// `ip4` or `ip6`, by the network's family.
    Ip(Network),
    /// Whether a name has any IPv4 address.
    Exists(DomainSpec),
}

/// The prefix lengths of `a` and `mx`: 32 and 128 where none is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DualCidr {
    /// IPv4: 0 to 32.
    pub v4: u8,
    /// IPv6: 0 to 128.
    pub v6: u8,
}

/// A modifier (RFC 7208 section 6).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Modifier {
    /// The record of another name decides; ignored where `all` stands.
    Redirect(DomainSpec),
    /// Where the explanation of a `fail` is.
    Exp(DomainSpec),
    /// Any other: syntax-checked and ignored by receivers. The name is in lower case.
    Unknown(Box<str>, Box<str>),
}

impl Record {
    /// Reads the joined text of a record. On failure: every syntax error, in order; a receiver would
    /// answer `permerror` (RFC 7208 section 4.6).
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, Vec<SpfError>> {
        let (record, errors) = parse::read(text.as_ref());
        if errors.is_empty() { Ok(record) } else { Err(errors) }
    }

    /// A record of these terms. Nothing is checked: at most one `redirect` and one `exp` are legal.
    pub fn new(terms: impl IntoIterator<Item = Term>) -> Self {
        Self { terms: terms.into_iter().collect() }
    }

    /// Reads a list of terms, without `v=spf1`. On failure: every error with the index of its term;
    /// spans are within that term.
    pub fn from_terms(terms: &[impl AsRef<str>]) -> Result<Self, Vec<(usize, SpfError)>> {
        parse::read_list(terms)
    }

    /// The directives that a receiver can reach: up to and with the first `all`.
    pub fn directives(&self) -> impl Iterator<Item = (Qualifier, &Mechanism)> {
        let mut reached_all = false;
        self.terms
            .iter()
            .filter_map(|term| match &term.kind {
                TermKind::Directive(qualifier, mechanism) => Some((*qualifier, mechanism)),
                TermKind::Modifier(_) => None,
            })
            .take_while(move |(_, mechanism)| {
                let go_on = !reached_all;
                reached_all = **mechanism == Mechanism::All;
                go_on
            })
    }

    /// The qualifier of the first `all`.
    pub fn all(&self) -> Option<Qualifier> {
        self.directives().find(|(_, mechanism)| **mechanism == Mechanism::All).map(|(qualifier, _)| qualifier)
    }

    /// The target of `redirect` where it counts, that is, where there is no `all` (section 6.1).
    pub fn redirect(&self) -> Option<&DomainSpec> {
        if self.all().is_some() {
            return None;
        }
        self.modifiers().find_map(|modifier| match modifier {
            Modifier::Redirect(target) => Some(target),
            _ => None,
        })
    }

    /// All modifiers, in order.
    pub fn modifiers(&self) -> impl Iterator<Item = &Modifier> {
        self.terms.iter().filter_map(|term| match &term.kind {
            TermKind::Modifier(modifier) => Some(modifier),
            TermKind::Directive(..) => None,
        })
    }

    /// The look-ups that a client which matches nothing costs by this record alone: the terms that
    /// query the DNS. Those of included records come on top (RFC 7208 section 4.6.4).
    pub fn own_lookups(&self) -> usize {
        let mechanisms = self.directives().filter(|(_, mechanism)| mechanism.queries()).count();
        mechanisms + usize::from(self.redirect().is_some())
    }
}

impl Term {
    /// Reads one term.
    pub fn parse(text: &str) -> Result<Self, SpfError> {
        parse::read_term(text.as_bytes(), 0)
    }

    /// `all` with a qualifier.
    pub fn all(qualifier: Qualifier) -> Self {
        TermKind::Directive(qualifier, Mechanism::All).into()
    }

    /// `a`, of the record's own name or of another.
    pub fn a(domain: Option<DomainSpec>) -> Self {
        Mechanism::A(domain, DualCidr::NONE).into()
    }

    /// `mx`, of the record's own name or of another.
    pub fn mx(domain: Option<DomainSpec>) -> Self {
        Mechanism::Mx(domain, DualCidr::NONE).into()
    }

    /// `ip4:` or `ip6:` of a network.
    pub fn ip(network: Network) -> Self {
        Mechanism::Ip(network).into()
    }

    /// `ip4:` or `ip6:` of one address.
    pub fn address(address: IpAddr) -> Self {
        Self::ip(Network::host(address))
    }

    /// `include:`
    pub fn include(domain: DomainSpec) -> Self {
        Mechanism::Include(domain).into()
    }

    /// `exists:`
    pub fn exists(domain: DomainSpec) -> Self {
        Mechanism::Exists(domain).into()
    }

    /// `redirect=`
    pub fn redirect(domain: DomainSpec) -> Self {
        TermKind::Modifier(Modifier::Redirect(domain)).into()
    }
}

impl PartialEq for Term {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl Eq for Term {}

impl Hash for Term {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kind.hash(state);
    }
}

impl From<TermKind> for Term {
    fn from(kind: TermKind) -> Self {
        Self { kind, span: 0..0 }
    }
}

impl From<Mechanism> for Term {
    /// The mechanism with the default qualifier, pass.
    fn from(mechanism: Mechanism) -> Self {
        TermKind::Directive(Qualifier::Pass, mechanism).into()
    }
}

impl Qualifier {
    /// `-` or `fail`, `~` or `softfail`, `?` or `neutral`, `+` or `pass`; `None` for anything else.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "+" | "pass" => Some(Self::Pass),
            "?" | "neutral" => Some(Self::Neutral),
            "~" | "softfail" => Some(Self::SoftFail),
            "-" | "fail" => Some(Self::Fail),
            _ => None,
        }
    }

    /// The result's name (RFC 7208 section 2.6).
    pub const fn as_word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Neutral => "neutral",
            Self::SoftFail => "softfail",
            Self::Fail => "fail",
        }
    }

    /// The character before the mechanism; empty for pass.
    pub const fn as_prefix(self) -> &'static str {
        match self {
            Self::Pass => "",
            Self::Neutral => "?",
            Self::SoftFail => "~",
            Self::Fail => "-",
        }
    }
}

impl Mechanism {
    /// The mechanism's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Include(_) => "include",
            Self::A(..) => "a",
            Self::Mx(..) => "mx",
            Self::Ptr(_) => "ptr",
            Self::Ip(network) => network.mechanism(),
            Self::Exists(_) => "exists",
        }
    }

    /// Whether it counts against the limit of look-ups (RFC 7208 section 4.6.4).
    pub const fn queries(&self) -> bool {
        !matches!(self, Self::All | Self::Ip(_))
    }

    /// The domain that it names, if it does.
    pub fn domain(&self) -> Option<&DomainSpec> {
        match self {
            Self::Include(domain) | Self::Exists(domain) => Some(domain),
            Self::A(domain, _) | Self::Mx(domain, _) | Self::Ptr(domain) => domain.as_ref(),
            Self::All | Self::Ip(_) => None,
        }
    }
}

impl Modifier {
    /// The modifier's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Redirect(_) => "redirect",
            Self::Exp(_) => "exp",
            Self::Unknown(name, _) => name,
        }
    }
}

impl DualCidr {
    /// No prefix lengths written: single addresses.
    pub const NONE: Self = Self { v4: 32, v6: 128 };
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("v=spf1")?;
        self.terms.iter().try_for_each(|term| write!(f, " {term}"))
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl fmt::Display for TermKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directive(qualifier, mechanism) => write!(f, "{}{mechanism}", qualifier.as_prefix()),
            Self::Modifier(modifier) => modifier.fmt(f),
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::All => Ok(()),
            Self::Include(domain) | Self::Exists(domain) => write!(f, ":{domain}"),
            Self::A(domain, cidr) | Self::Mx(domain, cidr) => {
                domain.iter().try_for_each(|domain| write!(f, ":{domain}"))?;
                cidr.fmt(f)
            }
            Self::Ptr(domain) => domain.iter().try_for_each(|domain| write!(f, ":{domain}")),
            Self::Ip(network) => write!(f, ":{network}"),
        }
    }
}

impl fmt::Display for DualCidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.v4 < 32 {
            write!(f, "/{}", self.v4)?;
        }
        if self.v6 < 128 {
            write!(f, "//{}", self.v6)?;
        }
        Ok(())
    }
}

impl fmt::Display for Modifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redirect(domain) | Self::Exp(domain) => write!(f, "{}={domain}", self.name()),
            Self::Unknown(name, value) => write!(f, "{name}={value}"),
        }
    }
}
