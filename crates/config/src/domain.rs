use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use mailzone_record::{Caa, Mx, Name, Rdata, RecordType, Srv, Ttl};

use crate::settings::EffectiveKey;
use crate::source::{Located, Place};

/// What is wanted of one domain, after merging.
#[derive(Debug, Clone)]
pub struct Domain {
    /// Its name, in lower case.
    pub name: Name,
    /// Where it is named: its table's key, or its place in a group or in a `domains_file`.
    pub place: Place,
    /// The name of its provider in [`crate::Settings::providers`].
    pub provider: Located<String>,
    /// The zone; `None` for the longest that the provider holds. At or above the domain.
    pub zone: Option<Located<Name>>,
    /// The provider's identifier of the zone.
    pub zone_id: Option<Located<String>>,
    /// What the domain is for.
    pub mail: MailUse,
    /// Whether it sends in bulk.
    pub bulk: bool,
    /// How bad findings are, by code; `None`: they are left out.
    pub severity: BTreeMap<String, Option<mailzone_mailauth::Severity>>,
    /// For every slot without one of its own in `ttls`.
    pub ttl: Option<Located<Ttl>>,
    /// By slot: `mx`, `dkim`, `dkim.s2026`, `records.www.CNAME`. See [`Domain::ttl_of`].
    pub ttls: BTreeMap<String, Located<Ttl>>,
    /// Servers to ask instead of the delegation.
    pub nameservers: Vec<SocketAddr>,
    /// `false` while the parent does not name the provider's servers yet.
    pub delegated: bool,
    /// MX at the domain.
    pub mx: Option<Located<Slot<MxSetting>>>,
    /// SPF at the domain.
    pub spf: Option<Located<Slot<SpfSetting>>>,
    /// By selector, in lower case: `s2026`, `2026q4.mail`, `*`.
    pub dkim: BTreeMap<String, Located<Slot<DkimSetting>>>,
    /// `_dmarc`.
    pub dmarc: Option<Located<Slot<TextOrCname>>>,
    /// `OTHER._report._dmarc`; never [`Slot::Absent`].
    pub report_authorisation: Option<Located<Slot<ReportAuthorisation>>>,
    /// `_mta-sts`, and `mta-sts` where its host is given.
    pub mta_sts: Option<Located<Slot<MtaStsSetting>>>,
    /// `_smtp._tls`.
    pub tls_rpt: Option<Located<Slot<TextOrCname>>>,
    /// `SELECTOR._bimi`, by selector, in lower case.
    pub bimi: BTreeMap<String, Located<Slot<TextOrCname>>>,
    /// CAA at the domain; absent means that there shall be none of any tag.
    pub caa: Option<Located<Slot<CaaSetting>>>,
    /// How mail programs find their servers, by service: `imaps`, `autoconfig`.
    pub client_settings: BTreeMap<String, Located<Slot<ClientSetting>>>,
    /// What the services ask for that send for this domain, by preset; never [`Slot::Absent`]. Their SPF terms are in
    /// `spf`, their MX in `mx` already.
    pub senders: BTreeMap<String, Located<Slot<SenderSetting>>>,
    /// Other records by owner name and type.
    pub records: BTreeMap<(Name, RecordType), Located<Slot<RecordSetting>>>,
    /// Guards and lints that are let pass.
    pub allow: Vec<Located<Allow>>,
    /// Every key that had an effect, sorted by key. Shared by the domains of a group.
    pub effective: Arc<[EffectiveKey]>,
}

/// A slot that the configuration names (`design.md` section 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot<T> {
    /// This is to be there.
    Want(T),
    /// `"absent"`: there shall be none.
    Absent,
    /// `"unmanaged"`: left alone on purpose.
    Unmanaged,
}

/// What a domain is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MailUse {
    /// It sends and receives.
    #[default]
    Both,
    /// It sends.
    Send,
    /// It receives.
    Receive,
    /// No mail at all.
    None,
}

/// The wanted MX RRset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MxSetting {
    /// `"null"`: the domain takes no mail (RFC 7505).
    Null,
    /// In the order of the file, at least one, none twice.
    Hosts(Vec<Mx>),
}

/// The wanted SPF record: a complete, valid text (RFC 7208 section 12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpfSetting {
    /// `v=spf1 …`, in the spelling to be published. Hosts have been replaced by their addresses.
    pub text: String,
    /// The hosts whose addresses the text holds because `spf.hosts` names them.
    pub hosts: Vec<Name>,
}

/// The wanted DKIM record of a selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DkimSetting {
    /// A key, revoked ones too.
    Key(DkimKey),
    /// A name that somebody else publishes the key at.
    Cname(Name),
}

/// A DKIM key record (RFC 6376 section 3.6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DkimKey {
    /// The whole record, for a selector that is new: `v=DKIM1; k=rsa; p=…`. It has the tags that
    /// the configuration gives, no others.
    pub text: String,
    /// Whether the tags not named in the configuration stay as they are in a live record with the same
    /// key. `false` where the configuration gives a whole record (`txt`, `record_file`, `revoked`).
    pub keep_live_tags: bool,
    /// `t`, such as `y` and `s`; `None` if not named.
    pub flags: Option<Vec<String>>,
    /// `s`, such as `email`.
    pub services: Option<Vec<String>>,
    /// `h`, such as `sha256`.
    pub hashes: Option<Vec<String>>,
    /// `n`.
    pub note: Option<String>,
}

/// A TXT record's text, or a CNAME in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextOrCname {
    /// The complete text, in the spelling to be published.
    Text(String),
    /// `{ cname = "target." }`.
    Cname(Name),
}

/// Which domains may send their DMARC reports to this one (RFC 7489 section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportAuthorisation {
    /// One record for each domain configured here that sends its reports to this one.
    Each,
    /// One record for every domain.
    Wildcard,
    /// Looked at and reported, nothing is written.
    Check,
}

/// MTA-STS (RFC 8461).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MtaStsSetting {
    /// `_mta-sts` is a CNAME to somebody else's.
    Cname(Name),
    /// A policy of our own.
    Policy(MtaSts),
}

/// An MTA-STS policy and where it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MtaSts {
    /// The policy's mode.
    pub mode: MtaStsMode,
    /// Patterns of MX hosts: names, or `*.` and a name; lower case, without closing dot. Only
    /// [`MtaStsMode::None`] has none.
    pub mx: Vec<String>,
    /// Seconds, at most 31,557,600; a week by default.
    pub max_age: u32,
    /// The record's id; `None` for `auto`: made from the policy.
    pub id: Option<String>,
    /// What `mta-sts.DOMAIN` is to be; `None` leaves it alone.
    pub host: Option<Located<WebHost>>,
}

/// The mode of an MTA-STS policy (RFC 8461 section 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the RFC's words")]
pub enum MtaStsMode {
    Enforce,
    Testing,
    None,
}

/// The records of the host that serves an MTA-STS policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebHost {
    /// A CNAME.
    Cname(Name),
    /// Addresses; a family that is not named is foreign, an empty list says that there shall be none.
    Addresses {
        /// A.
        ipv4: Option<Vec<Ipv4Addr>>,
        /// AAAA.
        ipv6: Option<Vec<Ipv6Addr>>,
    },
}

/// Where a service for mail programs is. What is `None` or empty is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientSetting {
    /// SRV, none twice; a single one with target `.` says that the service is not offered.
    pub servers: Vec<Srv>,
    /// The path of a calendar or address book server (RFC 6764 section 4).
    pub path: Option<String>,
    /// The host of this name below the domain, for `autoconfig` and `autodiscover`.
    pub host: Option<WebHost>,
}

/// What a sending service asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SenderSetting {
    /// By owner name and type.
    pub records: BTreeMap<(Name, RecordType), SenderRecord>,
    /// Whether all of that shall go.
    pub absent: bool,
}

/// A record that a sending service asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderRecord {
    /// At least one.
    pub values: Vec<Rdata>,
    /// Whether it verifies signatures: a DKIM key, or the CNAME to one.
    pub is_key: bool,
    /// As in [`DkimKey`].
    pub keep_live_tags: bool,
    /// Whether only these values are owned, not the whole RRset.
    pub shared: bool,
}

/// CAA at the domain (RFC 8659).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaaSetting {
    /// By property tag, in lower case: the values wanted; empty for none of that tag.
    pub tags: BTreeMap<String, Vec<Caa>>,
    /// Whether the whole RRset is owned, not only the tags named.
    pub exclusive: bool,
}

/// Any record the user lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordSetting {
    /// At least one.
    pub values: Vec<Rdata>,
    /// Whether the whole RRset is owned, not only the values listed. `true` by default.
    pub exclusive: bool,
}

/// Lets a guard pass or waives a lint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// `GUARD-MX`, `SPF-03`.
    pub code: String,
    /// The owner name that it holds for; `None` for all of the domain.
    pub name: Option<Name>,
    /// Why, for people.
    pub reason: Option<String>,
    /// The last day (UTC) on which it holds.
    pub until: Option<Date>,
}

/// A calendar day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// 0 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

impl Domain {
    /// Lets go of the records that are wanted, once claims are made from them: of thousands of domains they are most
    /// of the memory. Where the domain is and who serves it stays.
    pub fn forget_records(&mut self) {
        self.ttls = BTreeMap::new();
        self.mx = None;
        self.spf = None;
        self.dkim = BTreeMap::new();
        self.dmarc = None;
        self.report_authorisation = None;
        self.mta_sts = None;
        self.tls_rpt = None;
        self.bimi = BTreeMap::new();
        self.caa = None;
        self.client_settings = BTreeMap::new();
        self.senders = BTreeMap::new();
        self.records = BTreeMap::new();
    }

    /// The TTL configured for a slot: its own, its kind's, the domain's. `slot` is written as in `ttls`:
    /// `mx`, `dkim.s2026`, `records.www.CNAME`.
    pub fn ttl_of(&self, slot: &str) -> Option<Ttl> {
        let kind = slot.split('.').next().unwrap_or(slot);
        self.ttls.get(slot).or_else(|| self.ttls.get(kind)).or(self.ttl.as_ref()).map(|ttl| ttl.value)
    }
}

impl MailUse {
    /// Whether mail with this domain is sent.
    pub const fn sends(self) -> bool {
        matches!(self, Self::Both | Self::Send)
    }

    /// Whether the domain takes mail.
    pub const fn receives(self) -> bool {
        matches!(self, Self::Both | Self::Receive)
    }
}

impl<T> Slot<T> {
    /// What is wanted, if anything.
    pub const fn wanted(&self) -> Option<&T> {
        match self {
            Self::Want(value) => Some(value),
            Self::Absent | Self::Unmanaged => None,
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The entry of the longest name that is `name` or above it.
pub(crate) fn nearest<'a, T>(domains: &'a BTreeMap<Name, T>, name: &Name) -> Option<&'a T> {
    let mut at = Some(name.clone());
    while let Some(candidate) = at {
        if let Some(found) = domains.get(&candidate) {
            return Some(found);
        }
        at = candidate.parent();
    }
    None
}
