//! What is judged, and what is known of it beforehand.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mailzone_mailauth::{MailUse, mta_sts};
use mailzone_record::{Name, RRsetKey};

/// A domain to judge.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The domain.
    pub domain: Name,
    /// What it is for; `None` where nobody said: then its MX tells whether it receives.
    pub mail: Option<MailUse>,
    /// The DKIM selectors to look at.
    pub selectors: Vec<Selector>,
    /// The hosts that send its mail, where known.
    pub hosts: Vec<SendingHost>,
    /// The senders of its mail that are known by name.
    pub senders: Vec<Sender>,
    /// BIMI selectors to look at; `default` is always looked at.
    pub bimi_selectors: Vec<String>,
    /// Whether it sends in bulk: what large receivers ask of such senders are errors then (rule book 16).
    pub bulk: bool,
    /// The MTA-STS policy that its configuration has.
    pub policy: Option<mta_sts::Policy>,
    /// Since when an RRset holds its present values, seconds since 1970, where that was noted.
    pub since: BTreeMap<RRsetKey, i64>,
    /// Which areas are looked at.
    pub scope: Scope,
}

/// A DKIM selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// Its labels, as in the configuration: `s2026`, `2026q4.mail`.
    pub name: String,
    /// Where it is from.
    pub source: SelectorSource,
}

/// Where a selector is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelectorSource {
    /// Configured or given: that it has no key is an error.
    Named,
    /// From a list of usual ones: that it has no key says nothing.
    Guessed,
}

/// A host that sends mail for the domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendingHost {
    /// Its name, if known.
    pub name: Option<Name>,
    /// Its addresses; none: those that the DNS gives for the name.
    pub addresses: Vec<IpAddr>,
    /// What it says in HELO, if known.
    pub helo: Option<Name>,
    /// Whether its reverse names are judged: not where the configuration leaves them alone.
    pub reverse: bool,
}

/// Somebody who sends mail with the domain in `From`: what a list of senders says (`docs/simulate.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// What the list calls it.
    pub name: String,
    /// The addresses that it sends from.
    pub addresses: Vec<IpAddr>,
    /// What it says in HELO.
    pub helo: Option<Name>,
    /// The domain of its envelope senders; `None`: the author domain.
    pub envelope_domain: Option<Name>,
    /// Whose key it signs with: domain and selector.
    pub dkim: Option<(Name, String)>,
    /// The domain in `From`.
    pub author_domain: Name,
    /// Whether its mail must pass.
    pub required: bool,
}

/// Which areas need more than the DNS of the domain, and are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// What is outside the DNS altogether: served policy, logo.
    pub web: bool,
    /// The mail servers at port 25.
    pub smtp: bool,
    /// Block lists.
    pub blocklists: bool,
    /// Delegation, name servers, DNSSEC.
    pub servers: bool,
    /// That things are missing which a domain ought to have: an audit says so, a plan of two slots does not.
    pub completeness: bool,
}

impl Subject {
    /// A domain of which nothing is known.
    pub fn new(domain: Name, scope: Scope) -> Self {
        Self {
            domain,
            mail: None,
            selectors: Vec::new(),
            hosts: Vec::new(),
            senders: Vec::new(),
            bimi_selectors: Vec::new(),
            bulk: false,
            policy: None,
            since: BTreeMap::new(),
            scope,
        }
    }
}

impl Scope {
    /// Everything: `check`.
    pub const ALL: Self = Self { web: true, smtp: true, blocklists: true, servers: true, completeness: true };
    /// DNS answers alone.
    pub const DNS: Self = Self { web: false, smtp: false, blocklists: false, servers: false, completeness: false };
}
