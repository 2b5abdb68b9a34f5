//! What the commands other than `plan` have to show: plain data with the JSON fields of `design.md` section 8.

use mailzone_mailauth::Finding;
use mailzone_plan::Document;
use mailzone_plan::document::Exit;
use serde::Serialize;

/// The fields that every command's document begins with, around its own ones.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields are those of design.md section 8")]
pub struct Envelope<T> {
    pub format_version: u32,
    pub tool_version: String,
    /// RFC 3339.
    pub created: String,
    #[serde(flatten)]
    pub body: T,
    pub exit: Exit,
}

/// What `apply` did: the plan with each change's outcome, and the proof.
#[derive(Debug, Clone, Serialize)]
pub struct ApplyView<'a> {
    /// The plan; its changes carry `outcome` and `note`.
    #[serde(flatten)]
    pub document: &'a Document,
    /// The run that was taken back, where it was a rollback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rolled_back: Option<String>,
    /// The journal entry's identifier; `None` if nothing was written.
    pub journal: Option<String>,
    /// `None` if nothing was asked.
    pub verification: Option<Verification>,
    /// The servers measured on the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencyReport>,
    /// Why nothing was verified although something was written, for the text.
    #[serde(skip)]
    pub unverified: Option<&'static str>,
}

/// Is the desired state visible everywhere?
#[derive(Debug, Clone, Default, Serialize)]
pub struct Verification {
    /// Sorted by name.
    pub domains: Vec<VerifiedDomain>,
    /// Sorted by name and address.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<VerifiedHost>,
}

/// One address of a configured host as the DNS shows it. No verdict depends on it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct VerifiedHost {
    /// Without the closing dot, as all names here.
    pub host: String,
    /// Configured or found; `None`: neither.
    pub address: Option<String>,
    /// Whether the host's name has the address; `None`: not known.
    pub resolves: Option<bool>,
    /// The reverse names, sorted. None are known if `confirmed` is not known either.
    pub ptr: Vec<String>,
    /// Whether a reverse name has the address: forward confirmation; `None`: not known.
    pub confirmed: Option<bool>,
    /// What the host says in HELO.
    pub helo: String,
    /// The addresses of that name, sorted; `None`: not known.
    pub helo_resolves: Option<Vec<String>>,
    /// What the rules of PTR say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// One domain as its servers and the resolvers show it.
#[derive(Debug, Clone, Serialize)]
pub struct VerifiedDomain {
    /// Without the closing dot.
    pub domain: String,
    /// What it comes to.
    pub verdict: Verdict,
    /// Why, where there is something to say: "served by ns-1.example., but the parent names ns1.old.example."
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Per RRset.
    pub records: Vec<VerifiedRecord>,
    /// On the delegation and the servers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// What a verification comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every reachable authoritative server gives the desired state.
    Verified,
    /// The world is told to ask other servers, or none.
    NotLive,
    /// Some server does not give it yet.
    Incomplete,
    /// Nobody was asked.
    Unchecked,
}

/// One RRset.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields are those of design.md section 8")]
pub struct VerifiedRecord {
    pub name: String,
    #[serde(rename = "type")]
    pub rtype: String,
    pub servers: Vec<ServerState>,
    pub resolvers: Vec<ResolverState>,
}

/// What an authoritative server says.
#[derive(Debug, Clone, Serialize)]
pub struct ServerState {
    /// Its name, or its address where it has none.
    pub server: String,
    /// `192.0.2.1:53`, `[2001:db8::1]:53`.
    pub address: String,
    /// What the answer is.
    pub state: State,
    /// Presentation format, sorted.
    pub answer: Vec<String>,
    /// Why, where there is something to say: "no route to this address family from here".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a resolver says.
#[derive(Debug, Clone, Serialize)]
pub struct ResolverState {
    /// As configured.
    pub resolver: String,
    /// What the answer is.
    pub state: State,
    /// RFC 3339: until then an old answer is expected.
    pub expected_by: Option<String>,
}

/// What an answer is, compared with the desired state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The desired state.
    Current,
    /// Something else.
    Stale,
    /// Nothing, and there should be something.
    Missing,
    /// No authoritative answer.
    Lame,
    /// No answer.
    Unreachable,
}

/// How fast servers and resolvers answer, from one place.
#[derive(Debug, Clone, Serialize)]
pub struct LatencyReport {
    /// The domains whose servers these are, without the closing dot.
    pub domains: Vec<String>,
    /// Where it was measured: a host name or a place.
    pub vantage: String,
    /// The most that a server may take.
    pub budget_ms: f64,
    /// Which figure is compared with the budget: `min`, `median`, `p95`, `p99`, `max`.
    pub statistic: String,
    /// What it comes to; `None` if no server could be asked.
    pub verdict: Option<LatencyVerdict>,
    /// Each address and transport.
    pub servers: Vec<LatencyServer>,
    /// Each resolver.
    pub resolvers: Vec<LatencyResolver>,
}

/// What a measurement comes to (`design.md` section 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LatencyVerdict {
    /// All within the budget.
    Ok,
    /// Some server is over the budget, the fastest is not.
    Warning,
    /// The fastest server is over the budget, or none answered.
    OverBudget,
}

/// One server's address over one transport.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields are those of design.md section 8")]
pub struct LatencyServer {
    pub server: String,
    pub address: String,
    /// `udp` or `tcp`.
    pub transport: String,
    #[serde(flatten)]
    pub figures: Figures,
    /// `None` if nothing was measured.
    pub over_budget: Option<bool>,
}

/// One resolver.
#[derive(Debug, Clone, Serialize)]
pub struct LatencyResolver {
    /// As configured.
    pub resolver: String,
    /// For names not asked before.
    pub cold: Figures,
    /// For a name just asked.
    pub warm: Figures,
}

/// Samples in figures. Quantiles are `None` when there are too few samples for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Queries sent.
    pub sent: u64,
    /// Answers received.
    pub received: u64,
    /// The share that was lost, 0 to 1; `None` if nothing was sent.
    pub loss: Option<f64>,
    /// Milliseconds.
    pub min_ms: Option<f64>,
    /// Milliseconds.
    pub median_ms: Option<f64>,
    /// Milliseconds.
    pub p95_ms: Option<f64>,
    /// Milliseconds.
    pub p99_ms: Option<f64>,
    /// Milliseconds.
    pub max_ms: Option<f64>,
}

/// What `lint` (and later `check`) found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LintReport {
    /// Sorted by name.
    pub domains: Vec<LintDomain>,
    /// Findings of no domain.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// One domain's findings.
#[derive(Debug, Clone, Serialize)]
pub struct LintDomain {
    /// Without the closing dot.
    pub domain: String,
    /// `None` where nothing was looked up to score.
    pub scores: Option<Scores>,
    /// Sorted.
    pub findings: Vec<Finding>,
}

/// How a domain fares, 0 to 100 each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of design.md section 8")]
pub struct Scores {
    pub confidentiality: u8,
    pub phishing: u8,
    pub integrity: u8,
}

/// The journal's entries, newest first.
#[derive(Debug, Clone, Default, Serialize)]
pub struct History {
    /// Newest first.
    pub entries: Vec<HistoryEntry>,
}

/// One run of `apply`.
#[derive(Debug, Clone, Serialize)]
pub struct HistoryEntry {
    /// What `rollback` takes.
    pub id: String,
    /// RFC 3339.
    pub started: String,
    /// Zones written to, without the closing dot; sorted.
    pub zones: Vec<String>,
    /// Changes that it sent.
    pub changes: u64,
    /// Those of them that the provider confirmed.
    pub applied: u64,
    /// Whether the run came to its end.
    pub finished: bool,
}

impl Verdict {
    /// The word of `design.md` section 8.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::NotLive => "not_live",
            Self::Incomplete => "incomplete",
            Self::Unchecked => "unchecked",
        }
    }
}

impl State {
    /// The word of `design.md` section 8.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Stale => "stale",
            Self::Missing => "missing",
            Self::Lame => "lame",
            Self::Unreachable => "unreachable",
        }
    }
}

impl Figures {
    /// The figure of this name: `min`, `median`, `p95`, `p99`, `max`.
    pub fn statistic(&self, name: &str) -> Option<f64> {
        match name {
            "min" => self.min_ms,
            "median" => self.median_ms,
            "p95" => self.p95_ms,
            "p99" => self.p99_ms,
            "max" => self.max_ms,
            _ => None,
        }
    }
}
