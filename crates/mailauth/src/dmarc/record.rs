//! The DMARC record: tags, reading, printing (RFC 9989 section 4.7; RFC 7489 section 6.3 for old tags).

use std::collections::BTreeSet;
use std::fmt;

use mailzone_record::Name;

use super::problem::{NotDmarc, Problem, ProblemKind};
use crate::report_uri::ReportUri;
use crate::tag_list::{self, Tag, TagList};
use crate::txt;

/// A DMARC record by its tags. Build one from its fields and print it, or read one with
/// [`Record::parse`]; the order of tags and white space are not kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// `p`: the policy for the domain.
    pub p: Field<Policy>,
    /// `sp`: the policy for existing sub-domains; default `p`.
    pub sp: Field<Policy>,
    /// `np`: the policy for names that do not exist; default `sp`.
    pub np: Field<Policy>,
    /// `adkim`: alignment of the DKIM domain; default relaxed.
    pub adkim: Field<Alignment>,
    /// `aspf`: alignment of the SPF domain; default relaxed.
    pub aspf: Field<Alignment>,
    /// `t`: test mode, the policy is applied one step weaker; default no.
    pub t: Field<bool>,
    /// `psd`: whether the domain is a public suffix; default unknown.
    pub psd: Field<Psd>,
    /// `fo`: when failure reports are wanted; default `0`.
    pub fo: Field<BTreeSet<FailureOption>>,
    /// `rua`: where aggregate reports go. Invalid addresses are kept and do not count.
    pub rua: Vec<ReportUri>,
    /// `ruf`: where failure reports go.
    pub ruf: Vec<ReportUri>,
    /// `pct` of RFC 7489, 0 to 100; default 100. Removed in RFC 9989.
    pub pct: Field<u8>,
    /// `rf` of RFC 7489, as written; default `afrf`. Removed in RFC 9989.
    pub rf: Option<String>,
    /// `ri` of RFC 7489, as written; default `86400`. Removed in RFC 9989.
    pub ri: Option<String>,
    /// Tags that no standard knows, with their values, in their order.
    pub unknown: Vec<(String, String)>,
    /// Tags that stand more than once: the record is void (RFC 6376 section 3.2). The first counts above.
    pub repeated: Vec<String>,
}

/// A tag's value, and whether it is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Field<T> {
    /// Not in the record: the default holds.
    #[default]
    Absent,
    /// There and valid.
    Given(T),
    /// There with a value that no receiver takes, kept as written.
    Invalid(String),
}

/// What a receiver is asked to do with mail that fails, from weak to strong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Policy {
    /// Nothing.
    None,
    /// Treat it as suspicious.
    Quarantine,
    /// Refuse it.
    Reject,
}

/// How alike the author domain and an authenticated domain have to be, from weak to strong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Alignment {
    /// The same organizational domain.
    Relaxed,
    /// The same name.
    Strict,
}

/// Whether a domain is a public suffix (RFC 9989 section 4.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Psd {
    /// `y`: it is.
    Yes,
    /// `n`: it is not, and it is an organizational domain.
    No,
    /// `u`: the tree walk decides.
    Unknown,
}

/// When a failure report is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureOption {
    /// `0`: nothing aligned passed.
    All,
    /// `1`: something other than an aligned pass came out.
    Any,
    /// `d`: a DKIM signature failed.
    Dkim,
    /// `s`: SPF failed.
    Spf,
}

/// What a receiver after RFC 9989 makes of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// The record is in force as it stands.
    Valid,
    /// A policy tag is missing or invalid, but there is a valid `rua`: as `p=none` (section 4.7).
    Monitoring(Fault),
    /// As if there were no record.
    NoDmarc(Fault),
}

/// Why a record is not in force as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `p` is missing.
    MissingPolicy,
    /// This tag's value is no policy.
    InvalidPolicy(&'static str),
    /// This tag stands more than once.
    Repeated(String),
}

impl Record {
    /// A record that asks for `policy` and nothing else.
    pub fn new(policy: Policy) -> Self {
        Self { p: Field::Given(policy), ..Self::default() }
    }

    /// Reads the joined text of a TXT record.
    ///
    /// # Errors
    /// The text is not what a receiver selects as a DMARC record: its first tag is not `v=DMARC1`.
    pub fn parse(text: &str) -> Result<Self, NotDmarc> {
        Self::parse_with_problems(text).map(|(record, _)| record)
    }

    /// As [`Record::parse`], with everything that a receiver would not read as its author meant.
    ///
    /// # Errors
    /// As [`Record::parse`].
    pub fn parse_with_problems(text: &str) -> Result<(Self, Vec<Problem>), NotDmarc> {
        let list = TagList::parse(text);
        if !list.has_version("DMARC1") {
            return Err(NotDmarc::of(text, &list));
        }
        let mut reader = Reader { record: Self::default(), problems: Vec::new() };
        reader.list(&list);
        Ok((reader.record, reader.problems))
    }

    /// What a receiver after RFC 9989 makes of it.
    pub fn reading(&self) -> Reading {
        if let Some(tag) = self.repeated.first() {
            return Reading::NoDmarc(Fault::Repeated(tag.clone()));
        }
        let invalid = [("p", &self.p), ("sp", &self.sp), ("np", &self.np)].into_iter().find(|(_, f)| f.is_invalid());
        let fault = match (invalid, &self.p) {
            (Some((tag, _)), _) => Fault::InvalidPolicy(tag),
            (None, Field::Absent) => Fault::MissingPolicy,
            (None, _) => return Reading::Valid,
        };
        if self.rua.iter().any(ReportUri::is_uri) { Reading::Monitoring(fault) } else { Reading::NoDmarc(fault) }
    }

    /// The policy for the domain that receivers act on; `none` where the record is not in force. Test
    /// mode is not taken into account, since RFC 7489 readers do not know it.
    pub fn effective_policy(&self) -> Policy {
        self.in_force(&self.p).unwrap_or(Policy::None)
    }

    /// The policy for existing sub-domains: `sp`, else `p`.
    pub fn effective_subdomain_policy(&self) -> Policy {
        self.in_force(&self.sp).unwrap_or_else(|| self.effective_policy())
    }

    /// The policy for names that do not exist: `np`, else `sp`, else `p`.
    pub fn effective_nonexistent_policy(&self) -> Policy {
        self.in_force(&self.np).unwrap_or_else(|| self.effective_subdomain_policy())
    }

    /// Whether the record asks for more than `none` for any name.
    pub fn is_above_none(&self) -> bool {
        let strongest = self.effective_policy().max(self.effective_subdomain_policy());
        strongest.max(self.effective_nonexistent_policy()) > Policy::None
    }

    /// Whether it is in test mode (`t=y`).
    pub fn is_testing(&self) -> bool {
        self.t == Field::Given(true)
    }

    /// The addresses that aggregate reports are sent to: valid ones of a record that is in force.
    pub fn report_addresses(&self) -> impl Iterator<Item = &ReportUri> {
        let live = !matches!(self.reading(), Reading::NoDmarc(_));
        self.rua.iter().filter(move |uri| live && uri.is_uri())
    }

    /// The hosts that receive reports (`rua` and `ruf`) other than the policy domain itself, each once.
    /// `owner` is the policy domain or `_dmarc` below it. Whether such a host is in the same
    /// organizational domain, and so needs no authorisation (RFC 9990), is for the caller to decide.
    pub fn external_hosts(&self, owner: &Name) -> Vec<Name> {
        let domain = txt::below(owner, &["_dmarc"]).unwrap_or_else(|| owner.clone());
        let mut hosts: Vec<Name> = Vec::new();
        for host in self.rua.iter().chain(&self.ruf).filter_map(ReportUri::host) {
            if host != domain && !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        hosts
    }

    /// What the tags ask for existing sub-domains, whether the record is in force or not.
    pub(super) fn asked_subdomain_policy(&self) -> Option<Policy> {
        self.sp.given().or_else(|| self.p.given()).copied()
    }

    /// The part of the mail, in percent, that RFC 7489 readers act on.
    pub(super) fn percentage(&self) -> u8 {
        match self.pct {
            Field::Given(percent) => percent,
            _ => 100,
        }
    }

    /// The tags that are there, as written apart from spacing and case of keywords, in the order in which
    /// they are printed.
    pub fn tags(&self) -> Vec<(String, String)> {
        let uris = |uris: &[ReportUri]| uris.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let fo = self.fo.text(|set| set.iter().map(|o| o.as_str()).collect::<Vec<_>>().join(":"));
        let named = [
            ("v", Some("DMARC1".to_owned())),
            ("p", self.p.text(|p| p.as_str().to_owned())),
            ("sp", self.sp.text(|p| p.as_str().to_owned())),
            ("np", self.np.text(|p| p.as_str().to_owned())),
            ("adkim", self.adkim.text(|a| a.as_str().to_owned())),
            ("aspf", self.aspf.text(|a| a.as_str().to_owned())),
            ("t", self.t.text(|&t| if t { "y" } else { "n" }.to_owned())),
            ("psd", self.psd.text(|p| p.as_str().to_owned())),
            ("pct", self.pct.text(ToString::to_string)),
            ("rua", (!self.rua.is_empty()).then(|| uris(&self.rua))),
            ("ruf", (!self.ruf.is_empty()).then(|| uris(&self.ruf))),
            ("fo", fo),
            ("rf", self.rf.clone()),
            ("ri", self.ri.clone()),
        ];
        let named = named.into_iter().filter_map(|(tag, value)| Some((tag.to_owned(), value?)));
        named.chain(self.unknown.iter().cloned()).collect()
    }

    fn in_force(&self, field: &Field<Policy>) -> Option<Policy> {
        match (self.reading(), field) {
            (Reading::Valid, Field::Given(policy)) => Some(*policy),
            (Reading::Valid, _) => None,
            _ => Some(Policy::None),
        }
    }
}

impl fmt::Display for Record {
    /// The record as text: `v=DMARC1; p=reject; …`, tags in the conventional order.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (tag, value)) in self.tags().into_iter().enumerate() {
            let before = if i > 0 { "; " } else { "" };
            write!(f, "{before}{tag}={value}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingPolicy => f.write_str("`p` is missing"),
            Self::InvalidPolicy(tag) => write!(f, "`{tag}` is not valid"),
            Self::Repeated(tag) => write!(f, "`{tag}` stands more than once"),
        }
    }
}

impl<T> Field<T> {
    /// The value, if it is there and valid.
    pub fn given(&self) -> Option<&T> {
        match self {
            Self::Given(value) => Some(value),
            _ => None,
        }
    }

    /// Whether the tag is there with a value that no receiver takes.
    pub fn is_invalid(&self) -> bool {
        matches!(self, Self::Invalid(_))
    }

    fn text(&self, print: impl Fn(&T) -> String) -> Option<String> {
        match self {
            Self::Absent => None,
            Self::Given(value) => Some(print(value)),
            Self::Invalid(text) => Some(text.clone()),
        }
    }
}

impl<T> From<Option<T>> for Field<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Given)
    }
}

impl Policy {
    /// Every policy, from weak to strong.
    pub const ALL: [Self; 3] = [Self::None, Self::Quarantine, Self::Reject];

    /// The keyword.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    /// Reads a keyword; case is free.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| text.eq_ignore_ascii_case(policy.as_str()))
    }

    /// The place on the ladder, `none` at 0.
    pub(super) const fn step(self) -> u8 {
        self as u8
    }
}

impl Alignment {
    /// The keyword.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Relaxed => "r",
            Self::Strict => "s",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Relaxed, Self::Strict].into_iter().find(|a| text.eq_ignore_ascii_case(a.as_str()))
    }
}

impl Psd {
    /// The keyword.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "y",
            Self::No => "n",
            Self::Unknown => "u",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Yes, Self::No, Self::Unknown].into_iter().find(|psd| text.eq_ignore_ascii_case(psd.as_str()))
    }
}

impl FailureOption {
    /// The keyword.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "0",
            Self::Any => "1",
            Self::Dkim => "d",
            Self::Spf => "s",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let all = [Self::All, Self::Any, Self::Dkim, Self::Spf];
        all.into_iter().find(|option| text.eq_ignore_ascii_case(option.as_str()))
    }
}

/// Fills a record from a tag list and notes what it trips over.
struct Reader {
    record: Record,
    problems: Vec<Problem>,
}

impl Reader {
    fn list(&mut self, list: &TagList<'_>) {
        for problem in &list.problems {
            // Repeated tags and bad names are met again below, and a bad character makes the value invalid.
            if matches!(problem.kind, tag_list::ProblemKind::NoEquals(_)) {
                self.problem(problem.span.clone(), ProblemKind::Syntax(problem.kind.clone()));
            }
        }
        self.record.repeated = list.repeated().into_iter().map(str::to_owned).collect();
        let mut seen: Vec<&str> = Vec::new();
        for (place, tag) in list.tags.iter().enumerate() {
            if seen.contains(&tag.name) {
                self.problem(tag.span.clone(), ProblemKind::Repeated(tag.name.to_owned()));
                continue;
            }
            seen.push(tag.name);
            if tag.name == "p" && place != 1 {
                self.problem(tag.span.clone(), ProblemKind::PolicyNotSecond);
            }
            self.tag(tag);
        }
        if self.record.p == Field::Absent {
            let end = list.tags.first().map_or(0, |tag| tag.span.end);
            self.problem(0..end, ProblemKind::MissingPolicy);
        }
        let options = self.record.fo.given();
        let both = options.is_some_and(|o| o.contains(&FailureOption::All) && o.contains(&FailureOption::Any));
        let unread = self.record.fo != Field::Absent && self.record.ruf.is_empty();
        if let Some(tag) = list.get("fo") {
            if both {
                self.problem(tag.span.clone(), ProblemKind::FailureOptionsExclude);
            }
            if unread {
                self.problem(tag.span.clone(), ProblemKind::FailureOptionsUnread);
            }
        }
    }

    fn tag(&mut self, tag: &Tag<'_>) {
        match tag.name {
            "v" => {}
            "p" => self.record.p = self.policy("p", tag),
            "sp" => self.record.sp = self.policy("sp", tag),
            "np" => self.record.np = self.policy("np", tag),
            "adkim" => self.record.adkim = self.keyword(tag, Alignment::parse, "r"),
            "aspf" => self.record.aspf = self.keyword(tag, Alignment::parse, "r"),
            "t" => self.record.t = self.keyword(tag, yes_or_no, "n"),
            "psd" => self.record.psd = self.keyword(tag, Psd::parse, "u"),
            "fo" => self.record.fo = self.keyword(tag, failure_options, "0"),
            "rua" => self.record.rua = self.uris("rua", tag),
            "ruf" => self.record.ruf = self.uris("ruf", tag),
            "pct" => {
                self.historic(tag);
                self.record.pct =
                    percentage(tag.value).map_or_else(|| Field::Invalid(tag.value.to_owned()), Field::Given);
            }
            "rf" => {
                self.historic(tag);
                self.record.rf = Some(tag.value.to_owned());
            }
            "ri" => {
                self.historic(tag);
                self.record.ri = Some(tag.value.to_owned());
            }
            _ => {
                let known = is_known(&tag.name.to_ascii_lowercase());
                let name = tag.name.to_owned();
                let kind = if known { ProblemKind::UpperCaseTag(name) } else { ProblemKind::UnknownTag(name) };
                self.problem(tag.span.clone(), kind);
                self.record.unknown.push((tag.name.to_owned(), tag.value.to_owned()));
            }
        }
    }

    fn policy(&mut self, name: &'static str, tag: &Tag<'_>) -> Field<Policy> {
        match Policy::parse(tag.value) {
            Some(policy) => Field::Given(policy),
            None => {
                self.problem(tag.span.clone(), ProblemKind::InvalidPolicy(name, tag.value.to_owned()));
                Field::Invalid(tag.value.to_owned())
            }
        }
    }

    fn keyword<T>(&mut self, tag: &Tag<'_>, read: impl Fn(&str) -> Option<T>, default: &'static str) -> Field<T> {
        match read(tag.value) {
            Some(value) => Field::Given(value),
            None => {
                let (name, value) = (tag.name.to_owned(), tag.value.to_owned());
                self.problem(tag.span.clone(), ProblemKind::InvalidValue { tag: name, value, default });
                Field::Invalid(tag.value.to_owned())
            }
        }
    }

    fn uris(&mut self, name: &'static str, tag: &Tag<'_>) -> Vec<ReportUri> {
        let items = tag_list::items(tag, ',');
        if items.is_empty() {
            self.problem(tag.span.clone(), ProblemKind::NoAddress(name));
        }
        let mut uris = Vec::with_capacity(items.len());
        for (item, span) in items {
            let uri = ReportUri::parse(item);
            if let Some(problem) = uri.problem() {
                self.problem(span.clone(), ProblemKind::Address(name, problem));
            }
            if uri.size.is_some() {
                self.problem(span, ProblemKind::SizeLimit(name));
            }
            uris.push(uri);
        }
        uris
    }

    fn historic(&mut self, tag: &Tag<'_>) {
        self.problem(tag.span.clone(), ProblemKind::Historic(tag.name.to_owned()));
    }

    fn problem(&mut self, span: std::ops::Range<usize>, kind: ProblemKind) {
        self.problems.push(Problem { span, kind });
    }
}

fn is_known(name: &str) -> bool {
    const KNOWN: [&str; 14] =
        ["v", "p", "sp", "np", "adkim", "aspf", "t", "psd", "fo", "rua", "ruf", "pct", "rf", "ri"];
    KNOWN.contains(&name)
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" => Some(true),
        "n" | "N" => Some(false),
        _ => None,
    }
}

fn percentage(text: &str) -> Option<u8> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|&percent| digits && percent <= 100)
}

fn failure_options(text: &str) -> Option<BTreeSet<FailureOption>> {
    text.split(':').map(|item| FailureOption::parse(item.trim_matches(tag_list::is_white))).collect()
}
