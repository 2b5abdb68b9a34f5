//! From settings to a plan of every zone.

use std::cell::OnceCell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use mailzone_mailauth::{Equality, Finding, KindId, Severity};
use mailzone_plan::document::{ErrorDoc, ZoneDoc};
use mailzone_plan::{
    Allow, Claim, Counts, Document, DomainFacts, Target, ZoneError, ZoneErrorKind, ZoneInput, ZonePlan, config_digest,
    formerly_managed, plan_zone, resolve_needs,
};
use mailzone_provider::{Provider, ProviderId, Snapshot, View, Zone, ZoneId};
use mailzone_record::{Name, RRsetKey, Rdata};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::compile::{Compiled, PlacedClaim};
use crate::event::{Event, Events};
use crate::look::{Look, look};
use crate::pointer;
use crate::records::Records;
use crate::rollback::UndoneZone;
use crate::saved::{Standing, standings};
use crate::zones::{Asked, Providers, ZoneTable, provider_error};

/// What to plan and how.
#[derive(Debug, Default)]
pub struct PlanOptions {
    /// Only these configured domains; empty for all.
    pub domains: Vec<Name>,
    /// Further guards that may pass (`--allow`).
    pub allow: Vec<Allow>,
    /// Rewrite equal and equivalent values too.
    pub normalize: bool,
    /// A saved plan that the zones are compared with.
    pub saved: Option<Arc<Document>>,
    /// What the domains are judged by beside the plan; `None`: they are not.
    pub look: Option<Look>,
}

/// The plan of a run.
#[derive(Debug)]
pub struct PlanRun {
    /// The zones that were found, planned or failed; sorted by name and provider.
    pub zones: Vec<PlannedZone>,
    /// Domains without a zone, as they stand in the document.
    pub homeless: Vec<ZoneDoc>,
    /// Findings of no zone.
    pub findings: Vec<Finding>,
    /// Whether equal and equivalent values are rewritten too.
    pub normalize: bool,
}

/// One zone with what is configured in it.
#[derive(Debug)]
pub struct PlannedZone {
    /// The provider's name in the configuration.
    pub provider_name: String,
    /// The provider.
    pub provider: Arc<dyn Provider>,
    /// The plan.
    pub plan: ZonePlan,
    /// What the configuration asks for in the zone ([`config_digest`]). The claims themselves are not kept.
    pub config_digest: String,
    /// The configured domains whose zone it is, sorted.
    pub domains: Vec<Name>,
    /// How the zone stands to each change of a saved plan, by the change's id.
    pub saved: BTreeMap<String, Standing>,
    /// What the zone held, where a saved plan may leave out the changes whose side effects stop it.
    pub(crate) held: Option<Snapshot>,
    /// The claims that the plan has no target of: of what was refused, or of domains that were not selected.
    pub(crate) unplanned: Vec<Claim>,
    /// What it holds and will hold, until it was judged.
    pub(crate) records: Option<Records>,
}

/// A zone with what belongs into it, before it was read.
pub(crate) struct Task {
    pub(crate) provider_name: String,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) zone: Zone,
    pub(crate) claims: Vec<Claim>,
    pub(crate) domains: Vec<Name>,
    pub(crate) facts: Vec<DomainFacts>,
    /// Only looked at.
    pub(crate) checks: Vec<Claim>,
    /// What an earlier configuration managed here.
    pub(crate) formerly: Vec<Claim>,
    /// What is taken back, where the claims are those of a rollback.
    pub(crate) undone: Option<UndoneZone>,
}

/// How zones are read and planned.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) allow: Vec<Allow>,
    pub(crate) normalize: bool,
    pub(crate) only: Option<BTreeSet<Name>>,
    pub(crate) saved: Option<Arc<Document>>,
    /// Whether what the zones hold is kept for [`crate::look`].
    pub(crate) keep: bool,
}

/// What a provider is expected to do by itself.
pub(crate) const GUARD_SIDE: &str = "GUARD-SIDE";

/// What finds a zone: provider, name, the provider's identifier.
type ZoneKey = (String, Name, String);

/// Plans every zone that the selected domains touch. Reads the providers, writes nothing. A zone that
/// fails is planned as failed and stops no other.
///
/// Takes the configuration, so that no claim is held twice once it is in its zone.
pub async fn plan(mut compiled: Compiled, providers: &Providers, options: &PlanOptions, events: &Events) -> PlanRun {
    let selected =
        |domain: Option<&Name>| options.domains.is_empty() || domain.is_some_and(|d| options.domains.contains(d));
    let claims: Vec<&PlacedClaim> = compiled.claims.iter().filter(|placed| selected(placed.domain.as_ref())).collect();
    let anywhere = claims.iter().any(|placed| placed.provider.is_none());
    let names: BTreeSet<&String> = if anywhere {
        providers.keys().collect()
    } else {
        let of_domains = compiled.domains.iter().filter(|d| selected(Some(&d.facts.domain))).map(|d| &d.provider);
        let formerly = compiled.formerly.iter().filter_map(|placed| placed.provider.as_ref());
        claims.iter().filter_map(|placed| placed.provider.as_ref()).chain(of_domains).chain(formerly).collect()
    };
    events.send(Event::ListingZones { providers: names.len() });
    let table = ZoneTable::ask(providers, to_ask(&compiled, &selected, names, anywhere)).await;

    let mut homeless = Vec::new();
    let mut tasks = place(&compiled, &claims, &selected, &table, providers, &mut homeless);
    let mut findings = findings(&compiled, options);
    findings.extend(place_checks(&compiled, &selected, &table, &mut tasks));
    let mut claims = std::mem::take(&mut compiled.claims);
    claims.sort_by_key(|placed| !selected(placed.domain.as_ref()));
    let unplaced = move_claims(claims, &table, &mut tasks);
    drop((compiled.domains, compiled.checks, table));
    let tasks: Vec<Task> = tasks.into_values().collect();
    let reading = Reading {
        allow: compiled.allow.iter().chain(&options.allow).cloned().collect(),
        normalize: options.normalize,
        only: (!options.domains.is_empty()).then(|| options.domains.iter().cloned().collect()),
        saved: options.saved.clone(),
        keep: options.look.is_some(),
    };
    let reading = Arc::new(reading);
    let mut zones = read_and_plan(tasks, Arc::clone(&reading), events).await;
    let unplanned: Vec<Claim> = zones.iter_mut().flat_map(|zone| std::mem::take(&mut zone.unplanned)).collect();
    let zones = in_order(zones, &|| {
        let targets = Target::of_claims(unplaced.iter().chain(&unplanned));
        targets.into_iter().map(|target| (target.key.clone(), target)).collect()
    });
    let mut run = PlanRun { zones, homeless, findings, normalize: options.normalize };
    if let Some(what) = &options.look {
        events.send(Event::Looking);
        look(&mut run, what, &reading.allow).await;
    }
    run
}

/// Sorts the zones, and gives every change its needs and its stage over all of them. `elsewhere` makes the targets of
/// the configuration, for what no zone of the run has one of.
pub(crate) fn in_order(
    mut zones: Vec<PlannedZone>,
    elsewhere: &dyn Fn() -> HashMap<RRsetKey, Target>,
) -> Vec<PlannedZone> {
    zones.sort_by(|a, b| {
        (&a.plan.zone.name, &a.provider_name, &a.plan.zone.id).cmp(&(
            &b.plan.zone.name,
            &b.provider_name,
            &b.plan.zone.id,
        ))
    });
    let mut plans: Vec<ZonePlan> = Vec::with_capacity(zones.len());
    let mut rest = Vec::with_capacity(zones.len());
    for zone in zones {
        let PlannedZone { provider_name, provider, plan, config_digest, domains, saved, held, records, .. } = zone;
        plans.push(plan);
        rest.push((provider_name, provider, config_digest, domains, saved, held, records));
    }
    // Most runs claim all that they rely on, and never ask.
    let targets = OnceCell::new();
    resolve_needs(&mut plans, &|key| targets.get_or_init(elsewhere).get(key).cloned());
    plans
        .into_iter()
        .zip(rest)
        .map(|(plan, (provider_name, provider, config_digest, domains, saved, held, records))| PlannedZone {
            provider_name,
            provider,
            plan,
            config_digest,
            domains,
            saved,
            held,
            unplanned: Vec::new(),
            records,
        })
        .collect()
}

/// What each of the providers `names` is asked for. Where every domain names its zone by identifier, no list is
/// needed, unless something (`anywhere`) belongs into whichever zone there is.
fn to_ask(
    compiled: &Compiled,
    selected: &dyn Fn(Option<&Name>) -> bool,
    names: BTreeSet<&String>,
    anywhere: bool,
) -> BTreeMap<String, Asked> {
    let mut asked: BTreeMap<String, Asked> =
        names.into_iter().map(|name| (name.clone(), Asked { listing: anywhere, ids: BTreeMap::new() })).collect();
    let mut named: BTreeSet<&str> = BTreeSet::new();
    // Domains that were not selected count too: theirs may be in a zone that is read.
    let of_domains = compiled
        .domains
        .iter()
        .map(|d| (&d.provider, d.zone.as_ref(), d.zone_id.as_ref(), selected(Some(&d.facts.domain))));
    let now = compiled.claims.iter().map(|placed| (placed, selected(placed.domain.as_ref())));
    let of_claims = now.chain(compiled.formerly.iter().map(|placed| (placed, true))).filter_map(|(placed, wanted)| {
        Some((placed.provider.as_ref()?, placed.zone.as_ref(), placed.zone_id.as_ref(), wanted))
    });
    for (provider, zone, zone_id, wanted) in of_domains.chain(of_claims) {
        let Some(entry) = asked.get_mut(provider) else { continue };
        named.insert(provider);
        match zone_id {
            None => entry.listing = true,
            Some(id) if wanted => {
                let name = entry.ids.entry(ZoneId::new(id.as_str())).or_default();
                *name = name.take().or_else(|| zone.cloned());
            }
            Some(_) => {}
        }
    }
    for (name, entry) in &mut asked {
        entry.listing |= !named.contains(name.as_str());
    }
    asked
}

impl PlanRun {
    /// The plan as a document (`design.md` section 8), its exit code still 0.
    pub fn document(&self, tool_version: &str, created: String) -> Document {
        self.document_with(&self.zones, tool_version, created)
    }

    /// [`PlanRun::document`] of a run whose zones were taken out of it, to be applied.
    pub fn document_with<'a>(
        &self,
        zones: impl IntoIterator<Item = &'a PlannedZone>,
        tool_version: &str,
        created: String,
    ) -> Document {
        let (mut docs, counts): (Vec<ZoneDoc>, Vec<Counts>) =
            zones.into_iter().map(|zone| (zone.document(), zone.plan.counts)).unzip();
        docs.extend(self.homeless.iter().cloned());
        let document = Document::new(tool_version, created, docs, self.findings.clone(), &counts);
        Document { normalize: self.normalize, ..document }
    }
}

impl PlanRun {
    /// [`PlanRun::document`], letting go of each zone as it is told: for a run that ends with it.
    pub fn into_document(self, tool_version: &str, created: String) -> Document {
        let counts: Vec<Counts> = self.zones.iter().map(|zone| zone.plan.counts).collect();
        let mut docs: Vec<ZoneDoc> = Vec::with_capacity(self.zones.len() + self.homeless.len());
        for zone in self.zones {
            docs.push(zone.document());
        }
        docs.extend(self.homeless);
        let document = Document::new(tool_version, created, docs, self.findings, &counts);
        Document { normalize: self.normalize, ..document }
    }
}

impl PlannedZone {
    /// The zone's part of the document.
    pub fn document(&self) -> ZoneDoc {
        let id = ProviderId::new(self.provider_name.as_str());
        let visible = self.provider.capabilities_of(&self.plan.zone).expected_visible;
        ZoneDoc::new(&self.plan, &id, &self.config_digest, &self.domains, visible)
    }
}

/// The zone of a claim, and its provider.
fn zone_of<'a>(placed: &'a PlacedClaim, table: &'a ZoneTable) -> Result<(&'a str, &'a Zone), ErrorDoc> {
    let owner = &placed.claim.owner;
    match &placed.provider {
        Some(provider) => table
            .find(provider, owner, placed.zone.as_ref(), placed.zone_id.as_deref())
            .map(|zone| (provider.as_str(), zone)),
        None => table.find_anywhere(owner),
    }
}

fn key_of((provider, zone): (&str, &Zone)) -> ZoneKey {
    (provider.to_owned(), zone.name.clone(), zone.id.to_string())
}

/// Puts every domain into its zone, and says which have none. Gives the zones that the claims belong into too.
fn place(
    compiled: &Compiled,
    claims: &[&PlacedClaim],
    selected: &dyn Fn(Option<&Name>) -> bool,
    table: &ZoneTable,
    providers: &Providers,
    homeless: &mut Vec<ZoneDoc>,
) -> BTreeMap<ZoneKey, Task> {
    let mut tasks: BTreeMap<ZoneKey, Task> = BTreeMap::new();
    let mut lost: BTreeMap<Name, (String, ErrorDoc)> = BTreeMap::new();
    for domain in compiled.domains.iter().filter(|domain| selected(Some(&domain.facts.domain))) {
        let name = &domain.facts.domain;
        match table.find(&domain.provider, name, domain.zone.as_ref(), domain.zone_id.as_deref()) {
            Ok(zone) => {
                if let Some(task) = task_of((&domain.provider, zone), providers, &mut tasks) {
                    task.domains.push(name.clone());
                    task.facts.push(domain.facts.clone());
                }
            }
            Err(error) => {
                lost.insert(name.clone(), (domain.provider.clone(), error));
            }
        }
    }
    let mut pointers: BTreeMap<Name, Vec<&Claim>> = BTreeMap::new();
    for placed in claims {
        match zone_of(placed, table) {
            Ok(at) => drop(task_of(at, providers, &mut tasks)),
            Err(error) => {
                let domain = placed.domain.clone().unwrap_or_else(|| placed.claim.slot.domain.clone());
                let provider = placed.provider.clone().unwrap_or_default();
                if placed.claim.slot.kind == KindId::Ptr && error.kind == "no_zone" {
                    pointers.entry(domain).or_default().push(&placed.claim);
                    continue;
                }
                lost.entry(domain).or_insert((provider, error));
            }
        }
    }
    for (domain, claims) in pointers {
        let error = pointer::no_zone(&claims, &table.unasked());
        lost.entry(domain).or_insert((String::new(), error));
    }
    // A zone of which nothing is configured any more is read too: it is what `--base` asks about.
    let configured: BTreeSet<&Name> = compiled.domains.iter().map(|domain| &domain.facts.domain).collect();
    for placed in &compiled.formerly {
        let gone = placed.domain.as_ref().is_some_and(|name| !configured.contains(name));
        if !gone && !selected(placed.domain.as_ref()) {
            continue;
        }
        let provider = placed.provider.as_deref().unwrap_or_default();
        if let Ok(zone) = table.find(provider, &placed.claim.owner, placed.zone.as_ref(), placed.zone_id.as_deref())
            && let Some(task) = task_of((provider, zone), providers, &mut tasks)
        {
            task.formerly.push(placed.claim.clone());
        }
    }
    place_neighbours(compiled, selected, table, &mut tasks);
    let mut of_lost: BTreeMap<&Name, Vec<Claim>> = lost.keys().map(|domain| (domain, Vec::new())).collect();
    for placed in claims {
        if let Some(list) = placed.domain.as_ref().and_then(|domain| of_lost.get_mut(domain)) {
            list.push(placed.claim.clone());
        }
    }
    let housed: BTreeSet<&Name> = tasks.values().flat_map(|task| &task.domains).collect();
    for (domain, (provider, error)) in &lost {
        // A domain that has a zone and lost one claim elsewhere (a PTR) stays in its zone's entry.
        let domains = if housed.contains(domain) { Vec::new() } else { vec![domain.clone()] };
        let claims = of_lost.remove(domain).unwrap_or_default();
        homeless.push(ZoneDoc::without_zone(&domains, provider, &claims, error.clone()));
    }
    tasks
}

/// The task of a zone; `None` for a provider that is not there.
fn task_of<'a>(
    (provider, zone): (&str, &Zone),
    providers: &Providers,
    tasks: &'a mut BTreeMap<ZoneKey, Task>,
) -> Option<&'a mut Task> {
    match tasks.entry(key_of((provider, zone))) {
        Entry::Occupied(entry) => Some(entry.into_mut()),
        Entry::Vacant(entry) => Some(entry.insert(Task {
            provider_name: provider.to_owned(),
            provider: Arc::clone(providers.get(provider)?),
            zone: zone.clone(),
            claims: Vec::new(),
            domains: Vec::new(),
            facts: Vec::new(),
            checks: Vec::new(),
            formerly: Vec::new(),
            undone: None,
        })),
    }
}

/// Moves every claim into its zone, those of domains that were not selected too, where the zone is read: theirs is
/// neither foreign nor unmanaged, and what two domains want differently is refused whoever was selected. Gives those
/// that are in no zone of the run.
fn move_claims(claims: Vec<PlacedClaim>, table: &ZoneTable, tasks: &mut BTreeMap<ZoneKey, Task>) -> Vec<Claim> {
    let mut unplaced = Vec::new();
    for placed in claims {
        match zone_of(&placed, table).ok().and_then(|at| tasks.get_mut(&key_of(at))) {
            Some(task) => task.claims.push(placed.claim),
            None => unplaced.push(placed.claim),
        }
    }
    unplaced
}

/// Adds what is known of domains that were not selected to the zones that are read.
fn place_neighbours(
    compiled: &Compiled,
    selected: &dyn Fn(Option<&Name>) -> bool,
    table: &ZoneTable,
    tasks: &mut BTreeMap<ZoneKey, Task>,
) {
    for domain in compiled.domains.iter().filter(|domain| !selected(Some(&domain.facts.domain))) {
        let found = table.find(&domain.provider, &domain.facts.domain, domain.zone.as_ref(), domain.zone_id.as_deref());
        if let Some(task) = found.ok().and_then(|zone| tasks.get_mut(&key_of((&domain.provider, zone)))) {
            task.facts.push(domain.facts.clone());
        }
    }
}

/// Puts what is only looked at into the zones that are read anyway; no zone is read for it alone. What is
/// in none of them is said to be unchecked.
fn place_checks(
    compiled: &Compiled,
    selected: &dyn Fn(Option<&Name>) -> bool,
    table: &ZoneTable,
    tasks: &mut BTreeMap<ZoneKey, Task>,
) -> Vec<Finding> {
    let mut unchecked: BTreeMap<Name, Vec<String>> = BTreeMap::new();
    for placed in compiled.checks.iter().filter(|placed| selected(placed.domain.as_ref())) {
        match zone_of(placed, table).ok().and_then(|at| tasks.get_mut(&key_of(at))) {
            Some(task) => task.checks.push(placed.claim.clone()),
            None => {
                let what = format!("{} {}", placed.claim.owner.to_text_without_dot(), placed.claim.rtype);
                unchecked.entry(placed.claim.domain.clone()).or_default().push(what);
            }
        }
    }
    let finding = |(domain, what): (Name, Vec<String>)| {
        Finding::new(
            "UNCHECKED",
            Severity::Info,
            domain.to_string(),
            format!("unchecked: {}; no zone of this run holds them", what.join(", ")),
            "look them up, or let mailzone manage them",
            "docs/kinds/hosts.md",
        )
    };
    unchecked.into_iter().map(finding).collect()
}

/// A host's record that is only looked at and is another than the configuration says.
fn check(claim: &Claim, snapshot: &Snapshot) -> Option<Finding> {
    let live: Vec<&Rdata> = snapshot
        .get(&claim.owner, claim.rtype)
        .map(|set| set.values.iter().map(|value| &value.rdata).collect())
        .unwrap_or_default();
    if claim.compare(&live) != Equality::Different {
        return None;
    }
    let text = |values: Vec<String>| if values.is_empty() { "nothing".to_owned() } else { values.join(", ") };
    let (is, wanted) = (
        text(live.iter().map(ToString::to_string).collect()),
        text(claim.want.iter().map(ToString::to_string).collect()),
    );
    let (code, reference) = match claim.slot.kind {
        KindId::Ptr if live.is_empty() => ("PTR-01", "RFC 1912 section 2.1"),
        KindId::Ptr => ("PTR-02", "RFC 8601 section 3"),
        _ => ("HOSTS-01", "docs/kinds/hosts.md"),
    };
    Some(Finding::new(
        code,
        Severity::Warning,
        claim.owner.to_string(),
        format!("{} is {is}, and the configuration says {wanted}", claim.rtype),
        "correct the one that is wrong, or let mailzone write it with \"manage\"",
        reference,
    ))
}

/// Reads and plans the zones, each provider's at most as many at a time as it bears.
pub(crate) async fn read_and_plan(tasks: Vec<Task>, reading: Arc<Reading>, events: &Events) -> Vec<PlannedZone> {
    let total = tasks.len();
    let mut gates: BTreeMap<String, Arc<Semaphore>> = BTreeMap::new();
    let mut running = JoinSet::new();
    for task in tasks {
        let gate = gates.entry(task.provider_name.clone()).or_insert_with(|| {
            Arc::new(Semaphore::new(task.provider.capabilities().concurrency.clamp(1, Semaphore::MAX_PERMITS)))
        });
        let (gate, reading, events) = (Arc::clone(gate), Arc::clone(&reading), events.clone());
        running.spawn(async move {
            // The semaphore is never closed, so this always yields a permit.
            let _permit = gate.acquire().await;
            let zone = one_zone(task, &reading).await;
            events.send(Event::ZonePlanned { zone: zone.plan.zone.name.clone(), total });
            zone
        });
    }
    let mut zones = Vec::with_capacity(total);
    while let Some(joined) = running.join_next().await {
        match joined {
            Ok(zone) => zones.push(zone),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }
    zones
}

async fn one_zone(task: Task, reading: &Reading) -> PlannedZone {
    let Task { provider_name, provider, zone, mut claims, domains, facts, checks, formerly, undone } = task;
    let mut saved = BTreeMap::new();
    let mut held = None;
    let mut records = None;
    let mut keys: Vec<RRsetKey> = [&claims, &checks, &formerly].into_iter().flatten().map(Claim::key).collect();
    keys.extend(reading.saved.iter().flat_map(|document| saved_keys(document, &zone)));
    keys.sort();
    keys.dedup();
    let plan = match provider.snapshot_for(&zone, &keys).await {
        Err(error) => ZonePlan::failed(zone, zone_error(&provider_error(&error))),
        Ok(View { snapshot, partial }) => {
            let guards = undone.as_ref().map(|undone| undone.guards(&claims, &snapshot)).unwrap_or_default();
            let mut plan = plan_zone(&ZoneInput {
                zone: &zone,
                capabilities: provider.capabilities_of(&zone),
                provider: Some(provider.as_ref()),
                snapshot: &snapshot,
                claims: &claims,
                domains: &facts,
                allow: &reading.allow,
                normalize: reading.normalize,
                guards: &guards,
                only: reading.only.as_ref(),
            });
            if let Some(document) = &reading.saved {
                saved = standings(document, &provider_name, &zone, &snapshot);
            }
            plan.findings.extend(checks.iter().filter_map(|claim| check(claim, &snapshot)));
            plan.findings.extend(partial.then(|| in_part(&zone)));
            plan.findings.sort();
            for entry in formerly.iter().filter_map(|claim| formerly_managed(claim, &snapshot)) {
                if !plan.unmanaged.iter().any(|known| known.key == entry.key && known.slot == entry.slot) {
                    plan.unmanaged.push(entry);
                }
            }
            plan.unmanaged.sort();
            if let Some(undone) = undone {
                undone.tell(&mut plan);
            }
            if reading.saved.is_some() && plan.guards().any(|finding| finding.code == GUARD_SIDE) {
                held = Some(snapshot.clone());
            }
            records = reading.keep.then_some(Records { snapshot, partial });
            plan
        }
    };
    let config_digest = config_digest(&claims);
    let planned: BTreeSet<&RRsetKey> = plan.targets.iter().map(|target| &target.key).collect();
    claims.retain(|claim| !planned.contains(&claim.key()));
    claims.shrink_to_fit();
    PlannedZone { provider_name, provider, plan, config_digest, domains, saved, held, unplanned: claims, records }
}

/// The sets that a saved plan changes in zones of this name.
fn saved_keys(document: &Document, zone: &Zone) -> Vec<RRsetKey> {
    let label = zone.name.to_lowercase().to_text_without_dot();
    let ours = document.zones.iter().filter(|doc| doc.zone.as_ref() == Some(&label));
    let key = |name: &str, rtype: &str| Some(RRsetKey { name: Name::parse(name).ok()?, rtype: rtype.parse().ok()? });
    ours.flat_map(|doc| &doc.changes).filter_map(|change| key(&change.name, &change.rtype)).collect()
}

/// What a plan cannot say of a zone of which only a part was read.
fn in_part(zone: &Zone) -> Finding {
    Finding::new(
        "PARTIAL",
        Severity::Info,
        zone.name.to_string(),
        "only the names of the configuration were read: what else the zone holds is neither counted nor shown",
        "let mailzone read the whole zone",
        "docs/safety.md",
    )
}

fn zone_error(error: &ErrorDoc) -> ZoneError {
    let kind = match error.kind.as_str() {
        "configuration" => ZoneErrorKind::Configuration,
        "credentials" => ZoneErrorKind::Credentials,
        "permission" => ZoneErrorKind::Permission,
        "no_zone" => ZoneErrorKind::NoZone,
        "ambiguous_zone" => ZoneErrorKind::AmbiguousZone,
        "unreachable" => ZoneErrorKind::Unreachable,
        "throttled" => ZoneErrorKind::Throttled,
        "protocol" => ZoneErrorKind::Protocol,
        _ => ZoneErrorKind::Refused,
    };
    ZoneError { kind, message: error.message.clone(), remedy: error.remedy.clone() }
}

/// What concerns no single zone: allow entries that have run out, and what the configuration alone shows.
fn findings(compiled: &Compiled, options: &PlanOptions) -> Vec<Finding> {
    let selected = |domain: &Name| options.domains.is_empty() || options.domains.contains(domain);
    let expired = compiled.expired.iter().filter(|(allow, _)| allow.domain.as_ref().is_none_or(&selected));
    let remarks = compiled.remarks.iter().filter(|(domain, _)| selected(domain)).map(|(_, finding)| finding.clone());
    expired
        .map(|(allow, until)| {
            let domain = allow.domain.as_ref().map(Name::to_text_without_dot).unwrap_or_default();
            Finding::new(
                "ALLOW-EXPIRED",
                Severity::Warning,
                domain,
                format!("the allow entry for {} ran out on {until}", allow.code),
                "remove it, or give it a new date",
                "docs/configuration.md",
            )
        })
        .chain(remarks)
        .collect()
}
