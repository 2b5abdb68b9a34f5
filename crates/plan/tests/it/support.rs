//! Zones from lines of text, claims in few words, and a model of a service.

use mailzone_mailauth::{Finding, KindId};
use mailzone_plan::{Allow, Claim, DomainFacts, MailUse, Own, PlannedChange, Slot, ZoneInput, ZonePlan, plan_zone};
use mailzone_provider::{Access, Capabilities, Snapshot, TtlRange, TypeSet, Zone, ZoneId};
use mailzone_record::{Name, RRset, RRsetKey, Rdata, RecordType, Ttl, Txt, parse_rdata_text};

/// A public key (RFC 8463 appendix A.2), and another one.
pub(crate) const KEY: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
pub(crate) const OTHER_KEY: &str = "v=DKIM1; k=ed25519; p=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// One zone with everything that its plan is made of.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) zone: Zone,
    pub(crate) capabilities: Capabilities,
    pub(crate) snapshot: Snapshot,
    pub(crate) claims: Vec<Claim>,
    pub(crate) facts: DomainFacts,
    pub(crate) allow: Vec<Allow>,
    pub(crate) normalize: bool,
}

impl Case {
    /// The zone `example.com` with these lines of `OWNER TTL TYPE DATA`.
    pub(crate) fn new(lines: &str) -> Self {
        Self {
            zone: zone("example.com"),
            capabilities: capabilities(),
            snapshot: snapshot(lines),
            claims: Vec::new(),
            facts: facts("example.com"),
            allow: Vec::new(),
            normalize: false,
        }
    }

    pub(crate) fn claims(mut self, claims: impl IntoIterator<Item = Claim>) -> Self {
        self.claims.extend(claims);
        self
    }

    pub(crate) fn mail(mut self, mail: MailUse) -> Self {
        self.facts.mail = mail;
        self
    }

    pub(crate) fn allow(mut self, argument: &str) -> Self {
        self.allow.push(Allow::from_argument(argument));
        self
    }

    pub(crate) fn plan(&self) -> ZonePlan {
        plan_zone(&ZoneInput {
            zone: &self.zone,
            capabilities: &self.capabilities,
            provider: None,
            snapshot: &self.snapshot,
            claims: &self.claims,
            domains: std::slice::from_ref(&self.facts),
            allow: &self.allow,
            normalize: self.normalize,
            guards: &[],
            only: None,
        })
    }

    /// The same case after its plan was applied.
    pub(crate) fn applied(&self) -> Self {
        Self { snapshot: apply(&self.snapshot, &self.plan().changes), ..self.clone() }
    }

    /// The codes of the guards that stop the zone.
    pub(crate) fn guards(&self) -> Vec<String> {
        self.plan().guards().map(|finding| finding.code.clone()).collect()
    }

    /// The refusal.
    pub(crate) fn refusal(&self) -> String {
        let error = self.plan().error.unwrap();
        assert_eq!(error.kind.as_str(), "refused");
        assert!(!error.remedy.is_empty());
        error.message
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for set in self.snapshot.rrsets() {
            writeln!(f, "live {} {:?} {} {:?}", set.name, set.ttl, set.rtype, set.values)?;
        }
        for claim in &self.claims {
            writeln!(f, "want {} {} {} {:?} {:?}", claim.slot, claim.owner, claim.rtype, claim.own, claim.want)?;
            writeln!(f, "     ttl {:?} adopt {} relies on {:?}", claim.ttl, claim.adopt, claim.relies_on)?;
        }
        write!(f, "normalize {}", self.normalize)
    }
}

/// Each change on a line.
pub(crate) fn shown(plan: &ZonePlan) -> String {
    let lines = plan.changes.iter().map(|planned| {
        let values = |set: Option<&RRset>| {
            set.map_or_else(
                || "nothing".to_owned(),
                |set| {
                    let values: Vec<String> = set.values.iter().map(|value| value.rdata.to_string()).collect();
                    format!("{} {}", set.ttl.map_or_else(|| "-".into(), |ttl| ttl.to_string()), values.join(" | "))
                },
            )
        };
        let change = &planned.change;
        format!(
            "{} {} {} {}: {} -> {}\n",
            planned.stage,
            planned.action.as_str(),
            change.name(),
            change.rtype(),
            values(change.before()),
            values(change.after())
        )
    });
    lines.collect()
}

/// Code, effect and message of findings.
pub(crate) fn told(findings: &[Finding]) -> String {
    findings.iter().map(|f| format!("{} {:?} {:?}: {}\n", f.code, f.severity, f.effect, f.message)).collect()
}

/// What a service holds after these changes.
pub(crate) fn apply(snapshot: &Snapshot, changes: &[PlannedChange]) -> Snapshot {
    let mut sets: Vec<RRset> = snapshot.rrsets().to_vec();
    for planned in changes {
        let (name, rtype) = (planned.change.name(), planned.change.rtype());
        let at = sets.iter().position(|set| set.name == *name && set.rtype == rtype);
        assert_eq!(at.map(|at| &sets[at]), planned.change.before(), "a change starts from what is there");
        if let Some(at) = at {
            sets.remove(at);
        }
        sets.extend(planned.change.after().cloned());
    }
    for set in &sets {
        let cname_beside =
            set.rtype == RecordType::CNAME && sets.iter().filter(|other| other.name == set.name).count() > 1;
        let was_so = snapshot.at(&set.name).len() > 1 && snapshot.get(&set.name, RecordType::CNAME).is_some();
        assert!(!cname_beside || was_so, "a CNAME beside other records at {}", set.name);
    }
    Snapshot::new(sets, snapshot.default_ttl())
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub(crate) fn key(text: &str, rtype: RecordType) -> RRsetKey {
    RRsetKey { name: name(text), rtype }
}

pub(crate) fn zone(text: &str) -> Zone {
    Zone { id: ZoneId::new(text), name: name(text), access: Access::ReadWrite, nameservers: Vec::new() }
}

pub(crate) fn capabilities() -> Capabilities {
    Capabilities {
        writable: TypeSet::All,
        ttl: TtlRange::ANY,
        atomic: true,
        compare_and_swap: true,
        concurrency: 8,
        expected_visible: 0,
        apex_cname: false,
    }
}

pub(crate) fn facts(domain: &str) -> DomainFacts {
    DomainFacts {
        domain: name(domain),
        mail: MailUse::Both,
        sts_policy: None,
        mentioned: Vec::new(),
        formerly: Vec::new(),
    }
}

/// Owners are relative to `example.com` or absolute; the TTL `-` is none.
pub(crate) fn snapshot(lines: &str) -> Snapshot {
    let mut sets: Vec<RRset> = Vec::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut fields = line.splitn(4, ' ');
        let owner = Name::parse_in(fields.next().unwrap(), Some(&name("example.com"))).unwrap();
        let ttl = Some(fields.next().unwrap()).filter(|ttl| *ttl != "-").map(|ttl| Ttl::parse(ttl).unwrap());
        let rtype: RecordType = fields.next().unwrap().parse().unwrap();
        let rdata = parse_rdata_text(rtype, fields.next().unwrap(), None).unwrap();
        match sets.iter_mut().find(|set| set.name == owner && set.rtype == rtype) {
            Some(set) => set.values.push(rdata.into()),
            None => sets.push(RRset::new(owner, rtype, ttl, vec![rdata.into()])),
        }
    }
    Snapshot::new(sets, None)
}

pub(crate) fn text(value: &str) -> Rdata {
    Rdata::Txt(Txt::from_text(value))
}

pub(crate) fn data(rtype: RecordType, value: &str) -> Rdata {
    parse_rdata_text(rtype, value, None).unwrap()
}

/// A claim of `example.com` on `owner` (relative, `@` for the domain).
pub(crate) fn claim(
    kind: KindId,
    slot_key: Option<&str>,
    owner: &str,
    rtype: RecordType,
    own: Own,
    want: Vec<Rdata>,
) -> Claim {
    let domain = name("example.com");
    Claim {
        slot: Slot { domain: domain.clone(), kind, key: slot_key.map(str::to_owned) },
        owner: Name::parse_in(owner, Some(&domain)).unwrap(),
        domain,
        rtype,
        own,
        want,
        ttl: None,
        own_name: false,
        from_profile: false,
        adopt: false,
        relies_on: Vec::new(),
        relies_always: false,
    }
}

pub(crate) fn mx(hosts: &[&str]) -> Claim {
    let want = hosts.iter().map(|host| data(RecordType::MX, host)).collect();
    claim(KindId::Mx, None, "@", RecordType::MX, Own::RRset, want)
}

pub(crate) fn spf(want: &str) -> Claim {
    claim(KindId::Spf, None, "@", RecordType::TXT, Own::Candidates, texts(want))
}

pub(crate) fn dmarc(want: &str) -> Claim {
    let claim = claim(KindId::Dmarc, None, "_dmarc", RecordType::TXT, Own::Candidates, texts(want));
    Claim { own_name: true, ..claim }
}

pub(crate) fn dkim(selector: &str, want: &str) -> Claim {
    let owner = format!("{selector}._domainkey");
    let claim = claim(KindId::Dkim, Some(selector), &owner, RecordType::TXT, Own::RRset, texts(want));
    Claim { own_name: true, ..claim }
}

/// The CNAME of a slot whose name is its own; an empty target for none.
pub(crate) fn alias(kind: KindId, owner: &str, target: &str) -> Claim {
    let want = if target.is_empty() { Vec::new() } else { vec![Rdata::Cname(name(target))] };
    let slot_key = owner.strip_suffix("._domainkey");
    Claim { own_name: true, ..claim(kind, slot_key, owner, RecordType::CNAME, Own::RRset, want) }
}

pub(crate) fn records(owner: &str, rtype: RecordType, want: &[&str]) -> Claim {
    let values = want.iter().map(|value| data(rtype, value)).collect();
    claim(KindId::Records, Some(&format!("{owner}.{rtype}")), owner, rtype, Own::RRset, values)
}

pub(crate) fn host(owner: &str, rtype: RecordType, want: &[&str]) -> Claim {
    Claim { slot: Slot::keyed(name("example.com"), KindId::Hosts, owner), ..records(owner, rtype, want) }
}

fn texts(want: &str) -> Vec<Rdata> {
    if want.is_empty() { Vec::new() } else { vec![text(want)] }
}
