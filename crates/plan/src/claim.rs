use std::borrow::Cow;
use std::fmt;

use mailzone_mailauth::{Equality, KindId, MailUse, Recognition, kind, mta_sts};
use mailzone_record::{Name, RRsetKey, Rdata, RecordType, Ttl};

/// One thing that mailzone can own, such as "the SPF value at example.com".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// The domain (or mail host) that the slot belongs to.
    pub domain: Name,
    /// What kind of record it is.
    pub kind: KindId,
    /// The rest of its name: a DKIM selector, a port, the name of a listed record.
    pub key: Option<String>,
}

/// A slot with the values wanted in it.
#[derive(Debug, Clone)]
pub struct Claim {
    /// What is owned.
    pub slot: Slot,
    /// The configured domain that it is made for; the slot's own where it is for none (a mail host).
    pub domain: Name,
    /// Where.
    pub owner: Name,
    /// The type of the RRset.
    pub rtype: RecordType,
    /// Which values of that RRset are ours.
    pub own: Own,
    /// The values wanted; none means that there shall be none of ours.
    pub want: Vec<Rdata>,
    /// The TTL that the configuration asks for.
    pub ttl: Option<Ttl>,
    /// Whether the owner name belongs to this slot alone, so that a foreign CNAME there may be
    /// replaced (`design.md` section 5).
    pub own_name: bool,
    /// Whether a profile wants it: what the provider cannot hold is then left out with a warning.
    pub from_profile: bool,
    /// Whether what `want` leaves open is taken from the live value ([`mailzone_mailauth::Kind::adopt`]).
    pub adopt: bool,
    /// RRsets that must be visible before this claim may tighten or take away (`design.md` section 9).
    pub relies_on: Vec<RRsetKey>,
    /// Whether it relies on them whatever it changes: a PTR on its address, an MTA-STS id on the policy's host.
    pub relies_always: bool,
}

/// Which values of an RRset a claim owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Own {
    /// All of them.
    RRset,
    /// Those that a receiver would select for the slot's kind.
    Candidates,
    /// CAA records with one of these property tags (lower case).
    CaaTags(Vec<String>),
    /// Exactly these, however their character-strings are cut.
    Values(Vec<Rdata>),
}

/// What the planner knows of a configured domain beyond its claims.
#[derive(Debug, Clone)]
pub struct DomainFacts {
    /// The domain.
    pub domain: Name,
    /// What it is for.
    pub mail: MailUse,
    /// Its MTA-STS policy, where one is configured.
    pub sts_policy: Option<mta_sts::Policy>,
    /// Slots that the configuration names, the ones that it leaves unmanaged on purpose included: none
    /// of them is reported as unmanaged.
    pub mentioned: Vec<Slot>,
    /// Slots that an earlier configuration managed and this one no longer does (`--base`).
    pub formerly: Vec<Slot>,
}

/// What must be seen at a server for the claims on one RRset to be fulfilled.
#[derive(Debug, Clone)]
pub struct Target {
    /// Owner name and type.
    pub key: RRsetKey,
    /// The claims on the set.
    pub claims: Vec<Claim>,
    /// Foreign values that must be there too, where a provider was asked.
    pub kept: Vec<Rdata>,
}

impl Slot {
    /// A slot without a key.
    pub fn new(domain: Name, kind: KindId) -> Self {
        Self { domain, kind, key: None }
    }

    /// A slot with a key.
    pub fn keyed(domain: Name, kind: KindId, key: impl Into<String>) -> Self {
        Self { domain, kind, key: Some(key.into()) }
    }
}

impl fmt::Display for Slot {
    /// `spf`, `dkim.s2026`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{}.{key}", self.kind),
            None => self.kind.fmt(f),
        }
    }
}

impl Claim {
    /// The set's owner name and type.
    pub fn key(&self) -> RRsetKey {
        RRsetKey { name: self.owner.clone(), rtype: self.rtype }
    }

    /// Whether `value` is ours.
    pub fn owns(&self, value: &Rdata) -> bool {
        match &self.own {
            Own::RRset => true,
            Own::Candidates => kind(self.slot.kind).is_some_and(|kind| kind.recognise(value) == Recognition::Candidate),
            Own::CaaTags(tags) => match value {
                Rdata::Caa(caa) => tags.iter().any(|tag| tag.eq_ignore_ascii_case(&caa.tag)),
                _ => false,
            },
            Own::Values(values) => values.iter().any(|own| same_octets(own, value)),
        }
    }

    /// The wanted values, completed from the owned live ones where the claim leaves parts open.
    pub fn want_beside(&self, live: &[&Rdata]) -> Cow<'_, [Rdata]> {
        let Some(kind) = kind(self.slot.kind).filter(|_| self.adopt) else { return Cow::Borrowed(&self.want) };
        let adopt = |want: &Rdata| live.iter().find_map(|live| kind.adopt(live, want)).unwrap_or_else(|| want.clone());
        Cow::Owned(self.want.iter().map(adopt).collect())
    }

    /// How alike the owned live values are to the wanted ones.
    pub fn compare(&self, live: &[&Rdata]) -> Equality {
        match (live.is_empty(), self.want.is_empty()) {
            (true, true) => return Equality::Identical,
            (true, false) | (false, true) => return Equality::Different,
            (false, false) => {}
        }
        let want = self.want_beside(live);
        let want: Vec<&Rdata> = want.iter().collect();
        match kind(self.slot.kind) {
            Some(kind) => kind.equal(&self.owner, live, &want),
            None => Equality::Different,
        }
    }
}

impl Target {
    /// The targets of these claims, one for each RRset.
    pub fn of_claims<'a>(claims: impl IntoIterator<Item = &'a Claim>) -> Vec<Self> {
        let mut sorted: Vec<&Claim> = claims.into_iter().collect();
        sorted.sort_by(|a, b| (&a.owner, a.rtype, &a.slot).cmp(&(&b.owner, b.rtype, &b.slot)));
        let mut targets: Vec<Self> = Vec::new();
        for claim in sorted {
            match targets.last_mut() {
                Some(last) if last.key.name == claim.owner && last.key.rtype == claim.rtype => {
                    last.claims.push(claim.clone());
                }
                _ => targets.push(Self { key: claim.key(), claims: vec![claim.clone()], kept: Vec::new() }),
            }
        }
        targets
    }

    /// Whether an answer with these values fulfils every claim and still holds the foreign values.
    pub fn satisfied_by(&self, answer: &[Rdata]) -> bool {
        self.claims.iter().all(|claim| {
            let owned: Vec<&Rdata> = answer.iter().filter(|value| claim.owns(value)).collect();
            claim.compare(&owned) != Equality::Different
        }) && self.kept.iter().all(|kept| answer.iter().any(|value| same_octets(kept, value)))
    }
}

/// Equal data, the borders of character-strings left aside: a service may cut TXT anew.
fn same_octets(a: &Rdata, b: &Rdata) -> bool {
    match (a, b) {
        (Rdata::Txt(a), Rdata::Txt(b)) => a.joined() == b.joined(),
        _ => a == b,
    }
}
