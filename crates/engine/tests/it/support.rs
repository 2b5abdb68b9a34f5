//! A world on this machine: zones at a provider in memory, and a name server that serves what the provider holds.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mailzone_conformance::memory::{Call, MemoryProvider};
use mailzone_conformance::parse_seed;
use mailzone_engine::apply::{AppliedZone, ApplyContext, apply};
use mailzone_engine::compile::{Compiled, CompiledDomain, PlacedClaim};
use mailzone_engine::journal::Entry;
use mailzone_engine::plan::{PlanOptions, PlanRun, plan};
use mailzone_engine::verify::{Verifier, Wait};
use mailzone_engine::{Cancel, Events, Providers, StateDir};
use mailzone_mailauth::KindId;
use mailzone_plan::{Allow, Claim, Document, DomainFacts, MailUse, Own, Slot};
use mailzone_provider::{
    Access, Batch, Capabilities, ExpectedSideEffect, Provider, ProviderError, ProviderErrorKind, ProviderId,
    RRsetChange, Receipt, SideEffect, Snapshot, Zone, ZoneId,
};
use mailzone_record::{Name, RRset, RRsetKey, Rdata, RecordType, Ttl, parse_rdata_text};
use mailzone_server::{Handle, Server, Switches};

/// A provider whose zones a name server serves as they are after each write.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) memory: MemoryProvider,
    zones: Mutex<Vec<Zone>>,
    handle: Handle,
    quirks: Mutex<Quirks>,
}

/// What the service does beside what it is asked for.
#[derive(Debug, Default)]
pub(crate) struct Quirks {
    /// What it is expected to do by itself.
    pub(crate) expected: Vec<ExpectedSideEffect>,
    /// Only when this name is written.
    pub(crate) trigger: Option<Name>,
    /// What it does by itself at the next write.
    pub(crate) effects: Vec<SideEffect>,
    /// Zones that it gives by identifier alone: the list is refused.
    pub(crate) unlisted: bool,
    /// The identifiers that were asked for.
    pub(crate) by_id: Vec<String>,
    pub(crate) closed: usize,
}

#[async_trait]
impl Provider for Served {
    fn id(&self) -> &ProviderId {
        self.memory.id()
    }

    fn capabilities(&self) -> &Capabilities {
        self.memory.capabilities()
    }

    async fn zones(&self) -> Result<Vec<Zone>, ProviderError> {
        let zones = self.memory.zones().await?;
        if self.quirks(|quirks| quirks.unlisted) {
            let kind = ProviderErrorKind::Permission("the token may not list zones".into());
            return Err(ProviderError::new("listing zones", kind, "let the token list zones"));
        }
        Ok(zones)
    }

    async fn zone_by_id(&self, id: &ZoneId, _: Option<&Name>) -> Result<Zone, ProviderError> {
        self.quirks(|quirks| quirks.by_id.push(id.to_string()));
        let held = self.zones.lock().unwrap().iter().find(|zone| zone.id == *id).cloned();
        held.ok_or_else(|| {
            let kind = ProviderErrorKind::NoZone(format!("there is no zone {id}"));
            ProviderError::new("looking for a zone", kind, "check zone_id")
        })
    }

    fn side_effects(&self, _: &Snapshot, changes: &[RRsetChange]) -> Vec<ExpectedSideEffect> {
        assert!(!changes.is_empty());
        self.quirks(|quirks| {
            let triggers = |name: &Name| changes.iter().any(|change| change.name() == name);
            if quirks.trigger.as_ref().is_none_or(triggers) { quirks.expected.clone() } else { Vec::new() }
        })
    }

    async fn snapshot(&self, zone: &Zone) -> Result<Snapshot, ProviderError> {
        self.memory.snapshot(zone).await
    }

    async fn apply(&self, zone: &Zone, batch: &Batch) -> Result<Receipt, ProviderError> {
        let mut receipt = self.memory.apply(zone, batch).await;
        let effects = self.quirks(|quirks| std::mem::take(&mut quirks.effects));
        for effect in &effects {
            let set = effect.before.as_ref().or(effect.after.as_ref()).unwrap();
            self.memory.edit(&zone.name, &set.key(), effect.after.clone());
        }
        if let Ok(receipt) = &mut receipt {
            receipt.side_effects = effects;
        }
        self.publish(&zone.name);
        receipt
    }

    async fn close(&self) {
        self.quirks(|quirks| quirks.closed += 1);
    }
}

impl Served {
    fn new(provider: &str, handle: Handle) -> Self {
        let memory = MemoryProvider::new(provider);
        Self { memory, zones: Mutex::default(), handle, quirks: Mutex::default() }
    }

    pub(crate) fn quirks<T>(&self, change: impl FnOnce(&mut Quirks) -> T) -> T {
        change(&mut self.quirks.lock().unwrap())
    }

    pub(crate) fn publish(&self, zone: &Name) {
        let sets = self.memory.peek(zone).unwrap().rrsets().to_vec();
        self.handle.replace_zone(mailzone_server::Zone::new(zone.clone(), sets, Ttl::ZERO).unwrap());
    }
}

pub(crate) struct World {
    server: Server,
    pub(crate) providers: HashMap<String, Arc<Served>>,
    directory: tempfile::TempDir,
    /// How the journal calls the next run.
    pub(crate) run_id: String,
    pub(crate) wait: Wait,
    pub(crate) deadline: Duration,
    pub(crate) events: Events,
    pub(crate) cancel: Cancel,
}

impl World {
    pub(crate) async fn new() -> Self {
        let server = Server::start("127.0.0.1:0".parse().unwrap(), Vec::new()).await.unwrap();
        Self {
            server,
            providers: HashMap::new(),
            directory: tempfile::tempdir().unwrap(),
            run_id: "run".into(),
            wait: Wait::Authoritative,
            deadline: Duration::from_secs(30),
            events: Events::none(),
            cancel: Cancel::never(),
        }
    }

    /// A zone with its SOA and these records.
    pub(crate) fn zone(mut self, provider: &str, zone: &str, lines: &str) -> Self {
        let handle = self.server.handle();
        let served =
            self.providers.entry(provider.to_owned()).or_insert_with(|| Arc::new(Served::new(provider, handle)));
        let apex = name(zone);
        let text = format!("@ 300 SOA ns.example. h.example. 1 2 3 4 60\n@ 300 NS ns.example.\n{lines}");
        let zone =
            Zone { id: ZoneId::new(zone), name: apex.clone(), access: Access::ReadWrite, nameservers: Vec::new() };
        served.zones.lock().unwrap().push(zone.clone());
        served.memory.insert_zone(zone, Snapshot::new(parse_seed(&apex, &text), None));
        served.publish(&apex);
        self
    }

    pub(crate) fn switch(&self, switches: Switches) {
        self.server.handle().set_switches(switches);
    }

    /// Somebody else sets one RRset.
    pub(crate) fn edit(&self, provider: &str, zone: &str, line: &str) {
        let set: RRset = parse_seed(&name(zone), line).remove(0);
        self.providers[provider].memory.edit(&name(zone), &set.key(), Some(set.clone()));
    }

    pub(crate) async fn plan(&self, claims: &[PlacedClaim]) -> PlanRun {
        self.plan_beside(claims, None).await
    }

    /// The plan, the zones compared with a saved one.
    pub(crate) async fn plan_beside(&self, claims: &[PlacedClaim], saved: Option<&Document>) -> PlanRun {
        let options = PlanOptions { saved: saved.cloned().map(Arc::new), ..PlanOptions::default() };
        plan(compiled(claims), &self.all(), &options, &self.events).await
    }

    /// The plan with these guards let pass.
    pub(crate) async fn plan_allowing(&self, claims: &[PlacedClaim], allow: &[&str]) -> PlanRun {
        let allow = allow.iter().map(|text| Allow::from_argument(text)).collect();
        let options = PlanOptions { allow, ..PlanOptions::default() };
        plan(compiled(claims), &self.all(), &options, &self.events).await
    }

    pub(crate) fn all(&self) -> Providers {
        self.providers.iter().map(|(name, p)| (name.clone(), Arc::clone(p) as Arc<dyn Provider>)).collect()
    }

    pub(crate) fn context(&self) -> ApplyContext {
        let zones = self.providers.values().flat_map(|provider| provider.memory.calls());
        let zones: BTreeSet<Name> = zones
            .filter_map(|call| match call {
                Call::Snapshot(zone) => Some(zone),
                _ => None,
            })
            .collect();
        ApplyContext {
            state: self.state(),
            verifier: Verifier::new(Duration::from_millis(500), &[], 53, Vec::new(), false),
            wait: self.wait,
            deadline: Some(self.deadline),
            servers: zones.into_iter().map(|zone| (zone, vec![self.server.local_addr()])).collect(),
            not_delegated: BTreeSet::new(),
            run: self.run_id.clone(),
            now: || "2026-01-02T03:04:05Z".into(),
            events: self.events.clone(),
            cancel: self.cancel.clone(),
        }
    }

    /// Plans and applies.
    pub(crate) async fn run(&self, claims: &[PlacedClaim]) -> Vec<AppliedZone> {
        let run = self.plan(claims).await;
        apply(run.zones, &HashMap::new(), &self.context()).await
    }

    pub(crate) fn state(&self) -> StateDir {
        StateDir::new(self.directory.path().join("state"))
    }

    /// The writes that a provider was asked for: the owner name and type of each change.
    pub(crate) fn writes(&self, provider: &str) -> Vec<String> {
        let batch = |call: Call| match call {
            Call::Apply(_, batch) => {
                let keys = batch.changes.iter().map(|change| format!("{} {}", change.name(), change.rtype()));
                Some(keys.collect::<Vec<_>>().join(" + "))
            }
            _ => None,
        };
        self.providers[provider].memory.calls().into_iter().filter_map(batch).collect()
    }

    /// The values of an RRset as the provider holds them.
    pub(crate) fn held(&self, provider: &str, zone: &str, owner: &str, rtype: RecordType) -> Vec<String> {
        let snapshot = self.providers[provider].memory.peek(&name(zone)).unwrap();
        let set = snapshot.get(&name(owner), rtype);
        set.map(|set| set.values.iter().map(|value| value.rdata.to_string()).collect()).unwrap_or_default()
    }

    pub(crate) fn journal(&self) -> Vec<Entry> {
        self.state().entries().unwrap().0
    }
}

/// `OWNER TYPE: outcome` for each change, and the codes.
pub(crate) fn told(zone: &AppliedZone) -> String {
    let changes = zone.zone.plan.changes.iter().zip(&zone.outcomes);
    let lines = changes.map(|(planned, (outcome, _))| {
        format!("{} {}: {}\n", planned.change.name(), planned.change.rtype(), outcome.as_str())
    });
    let codes: BTreeSet<u8> = zone.codes.iter().map(|code| code.number()).collect();
    let codes: Vec<String> = codes.into_iter().map(|code| code.to_string()).collect();
    format!("{}{}", lines.collect::<String>(), codes.join(" "))
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub(crate) fn compiled(claims: &[PlacedClaim]) -> Compiled {
    let domains: BTreeSet<(Name, String)> =
        claims.iter().filter_map(|placed| Some((placed.domain.clone()?, placed.provider.clone()?))).collect();
    let domains = domains.into_iter().map(|(domain, provider)| CompiledDomain {
        provider,
        zone: None,
        zone_id: claims.iter().find(|placed| placed.domain.as_ref() == Some(&domain)).and_then(|p| p.zone_id.clone()),
        facts: DomainFacts {
            domain,
            mail: MailUse::Both,
            sts_policy: None,
            mentioned: Vec::new(),
            formerly: Vec::new(),
        },
    });
    Compiled {
        remarks: Vec::new(),
        claims: claims.to_vec(),
        checks: Vec::new(),
        formerly: Vec::new(),
        domains: domains.collect(),
        allow: Vec::new(),
        expired: Vec::new(),
    }
}

/// A claim of `domain` at `provider`.
pub(crate) fn claim(
    provider: &str,
    domain: &str,
    kind: KindId,
    owner: &str,
    own: Own,
    want: &[(RecordType, &str)],
) -> PlacedClaim {
    let want_data: Vec<Rdata> =
        want.iter().map(|(rtype, value)| parse_rdata_text(*rtype, value, None).unwrap()).collect();
    let claim = Claim {
        slot: Slot::keyed(name(domain), kind, owner),
        domain: name(domain),
        owner: name(owner),
        rtype: want.first().map_or(RecordType::TXT, |(rtype, _)| *rtype),
        own,
        want: want_data,
        ttl: None,
        own_name: kind == KindId::Dmarc,
        from_profile: false,
        adopt: false,
        relies_on: Vec::new(),
        relies_always: kind == KindId::Ptr,
    };
    PlacedClaim { claim, provider: Some(provider.to_owned()), zone: None, zone_id: None, domain: Some(name(domain)) }
}

/// SPF and a DMARC policy that relies on it.
pub(crate) fn spf_and_dmarc(provider: &str, domain: &str) -> Vec<PlacedClaim> {
    let spf = claim(provider, domain, KindId::Spf, domain, Own::Candidates, &[(RecordType::TXT, "\"v=spf1 mx -all\"")]);
    let at = format!("_dmarc.{domain}");
    let policy = [(RecordType::TXT, "\"v=DMARC1; p=quarantine\"")];
    let mut dmarc = claim(provider, domain, KindId::Dmarc, &at, Own::Candidates, &policy);
    dmarc.claim.relies_on = vec![RRsetKey { name: name(domain), rtype: RecordType::TXT }];
    vec![spf, dmarc]
}
