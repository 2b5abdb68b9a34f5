//! Takes a run of `apply` back (`design.md` section 9): the owned values from before, planned against the zone of today.
//!
//! The journal becomes claims: what the run's claims owned in `before` is wanted again, and everything that they do
//! not own stays as it is today. So the way from here is that of every plan, with its guards, order and proof.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use mailzone_mailauth::{Effect, Equality, Finding, KINDS, KindId, Severity};
use mailzone_plan::document::{ErrorDoc, SetDoc, SideEffectDoc, ZoneDoc};
use mailzone_plan::{Action, Allow, Claim, Guarded, Own, Slot, ZonePlan};
use mailzone_provider::{Snapshot, ZoneId};
use mailzone_record::{Name, RRsetKey, Rdata, RecordType, Ttl, parse_rdata_text};

use crate::compile::Compiled;
use crate::event::{Event, Events};
use crate::journal::{Entry, Intent, JournalChange, JournalClaim, JournalOwn, OutcomeEntry, outcome_text};
use crate::plan::{PlanRun, Reading, Task, in_order, read_and_plan};
use crate::zones::{Asked, Providers, ZoneTable};

/// A run that is to be taken back.
#[derive(Debug)]
pub struct Undo {
    /// The run, as `history` names it.
    pub run: String,
    /// When it began, RFC 3339.
    pub at: String,
    zones: Vec<UndoZone>,
}

/// Why no run can be taken back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UndoError {
    /// The journal has no run that changed anything.
    #[error("the journal holds no run that changed anything")]
    Nothing,
    /// No such run.
    #[error("the journal holds no run {0}")]
    Unknown(String),
    /// The run changed nothing, as far as is known.
    #[error("nothing of the run {0} is known to have been applied")]
    Unapplied(String),
}

/// One zone that the run wrote.
#[derive(Debug)]
struct UndoZone {
    provider: String,
    zone: String,
    zone_id: ZoneId,
    /// The first `before` and the last `after` of each set, by owner name and type.
    changes: BTreeMap<(String, String), JournalChange>,
    side_effects: Vec<SideEffectDoc>,
    /// Sets of which nobody knows whether they were written.
    unknown: Vec<String>,
}

/// What is taken back in one zone, for whoever plans it.
#[derive(Debug, Default)]
pub(crate) struct UndoneZone {
    run: String,
    /// What the run left, in the order of the claims.
    left: Vec<Left>,
    unknown: Vec<String>,
}

/// What the run left of one claim's values.
#[derive(Debug)]
struct Left {
    values: Vec<Rdata>,
    /// Whether it is a foreign set, which the provider changed by itself.
    foreign: bool,
}

/// The run with this identifier, or the latest that changed anything. Only what is known to have been applied is
/// taken back.
pub fn undo(entries: &[Entry], run: Option<&str>) -> Result<Undo, UndoError> {
    let outcomes: HashMap<&str, &OutcomeEntry> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Outcome(outcome) => Some((outcome.id.as_str(), outcome)),
            Entry::Intent(_) => None,
        })
        .collect();
    let intents = || {
        entries.iter().filter_map(|entry| match entry {
            Entry::Intent(intent) => Some(intent),
            Entry::Outcome(_) => None,
        })
    };
    let changed = |intent: &&Intent| {
        outcomes.get(intent.id.as_str()).is_some_and(|outcome| {
            outcome.outcomes.iter().any(|word| word == APPLIED) || !outcome.side_effects.is_empty()
        })
    };
    let run = match run {
        Some(run) if intents().any(|intent| intent.run == run) => run,
        Some(run) => return Err(UndoError::Unknown(run.to_owned())),
        None => intents().rfind(changed).map(|intent| intent.run.as_str()).ok_or(UndoError::Nothing)?,
    };
    let of_run: Vec<&Intent> = intents().filter(|intent| intent.run == run).collect();
    if !of_run.iter().any(changed) {
        return Err(UndoError::Unapplied(run.to_owned()));
    }
    let mut zones: BTreeMap<(&str, &str), UndoZone> = BTreeMap::new();
    for intent in &of_run {
        let zone = zones.entry((&intent.provider, &intent.zone_id)).or_insert_with(|| UndoZone {
            provider: intent.provider.clone(),
            zone: intent.zone.clone(),
            zone_id: ZoneId::new(intent.zone_id.as_str()),
            changes: BTreeMap::new(),
            side_effects: Vec::new(),
            unknown: Vec::new(),
        });
        zone.add(intent, outcomes.get(intent.id.as_str()).copied());
    }
    let at = of_run.first().map(|intent| intent.at.clone()).unwrap_or_default();
    Ok(Undo { run: run.to_owned(), at, zones: zones.into_values().collect() })
}

/// Plans to put back what the run changed, in the zones of today. Reads the providers, writes nothing. `compiled` is
/// today's configuration: what it says of domains, and what may pass; what it wants does not matter here.
pub async fn plan(undo: Undo, compiled: &Compiled, providers: &Providers, allow: &[Allow], events: &Events) -> PlanRun {
    let mut asked: BTreeMap<String, Asked> = BTreeMap::new();
    for zone in &undo.zones {
        let by_id = compiled.domains.iter().filter(|domain| domain.provider == zone.provider);
        let mut by_id = by_id.map(|domain| domain.zone_id.is_some()).peekable();
        let listing = by_id.peek().is_none() || !by_id.all(|by_id| by_id);
        let entry = asked.entry(zone.provider.clone()).or_insert_with(|| Asked { listing, ids: BTreeMap::new() });
        entry.ids.insert(zone.zone_id.clone(), Name::parse(&zone.zone).ok());
    }
    events.send(Event::ListingZones { providers: asked.len() });
    let table = ZoneTable::ask(providers, asked).await;
    let mut homeless = Vec::new();
    let mut tasks: Vec<Task> = Vec::new();
    for zone in undo.zones {
        match task(&zone, &undo.run, compiled, providers, &table) {
            Ok(task) => tasks.push(task),
            Err(error) => {
                let domain: Vec<Name> = Name::parse(&zone.zone).into_iter().collect();
                homeless.push(ZoneDoc::without_zone(&domain, &zone.provider, &[], error));
            }
        }
    }
    in_reverse(&mut tasks);
    let allow = compiled.allow.iter().chain(allow).cloned().collect();
    let reading = Reading { allow, ..Reading::default() };
    let zones = read_and_plan(tasks, Arc::new(reading), events).await;
    PlanRun { zones: in_order(zones, &|| compiled.targets()), homeless, findings: Vec::new(), normalize: false }
}

const APPLIED: &str = "applied";

impl UndoZone {
    fn add(&mut self, intent: &Intent, outcome: Option<&OutcomeEntry>) {
        for (at, change) in intent.changes.iter().enumerate() {
            let unknown = outcome_text(mailzone_provider::Outcome::Unknown);
            let word = outcome.map_or(unknown, |outcome| outcome.outcomes.get(at).map_or(unknown, String::as_str));
            if word == unknown {
                self.unknown.push(format!("{} {}", change.name, change.rtype));
            }
            if word != APPLIED {
                continue;
            }
            let key = (change.name.clone(), change.rtype.clone());
            let known = self.changes.entry(key).or_insert_with(|| change.clone());
            known.after.clone_from(&change.after);
            known.kept.retain(|value| change.kept.contains(value));
        }
        self.side_effects.extend(outcome.into_iter().flat_map(|outcome| &outcome.side_effects).cloned());
    }
}

/// One zone as it is to be planned.
fn task(
    undone: &UndoZone,
    run: &str,
    compiled: &Compiled,
    providers: &Providers,
    table: &ZoneTable,
) -> Result<Task, ErrorDoc> {
    let Some(provider) = providers.get(&undone.provider) else {
        return Err(error(
            "configuration",
            format!("the run wrote {} at {}, which is no longer configured", undone.zone, undone.provider),
            "put the provider back into the configuration",
        ));
    };
    let name = Name::parse(&undone.zone).map_err(|_| unreadable(run, &undone.zone))?;
    let zone = table.find(&undone.provider, &name, Some(&name), Some(undone.zone_id.as_str()))?.clone();
    let (mut claims, mut left) = (Vec::new(), Vec::new());
    for change in undone.changes.values() {
        let id = || format!("{} {}", change.name, change.rtype);
        let change = Change::read(change).ok_or_else(|| unreadable(run, &id()))?;
        for (claim, after) in change.claims(compiled, &name).ok_or_else(|| unreadable(run, &id()))? {
            left.push(Left { values: after, foreign: false });
            claims.push(claim);
        }
    }
    for effect in &undone.side_effects {
        let id = || format!("{} {}", effect.name, effect.rtype);
        if let Some((claim, after)) = restoration(effect, &name).ok_or_else(|| unreadable(run, &id()))?
            && !claims.iter().any(|known| known.key() == claim.key())
        {
            left.push(Left { values: after, foreign: true });
            claims.push(claim);
        }
    }
    let here = |domain: &Name| domain.is_at_or_below(&name);
    let facts: Vec<_> = compiled
        .domains
        .iter()
        .filter(|domain| domain.provider == undone.provider && here(&domain.facts.domain))
        .map(|domain| domain.facts.clone())
        .collect();
    let concerned: BTreeSet<&Name> = claims.iter().map(|claim| &claim.domain).collect();
    let domains = facts.iter().map(|facts| &facts.domain).filter(|domain| concerned.contains(domain));
    Ok(Task {
        provider_name: undone.provider.clone(),
        provider: Arc::clone(provider),
        domains: domains.cloned().collect(),
        zone,
        claims,
        facts,
        checks: Vec::new(),
        formerly: Vec::new(),
        undone: Some(UndoneZone { run: run.to_owned(), left, unknown: undone.unknown.clone() }),
    })
}

/// A journaled change, its texts read.
struct Change<'a> {
    journaled: &'a JournalChange,
    key: RRsetKey,
    before: Vec<Rdata>,
    after: Vec<Rdata>,
}

impl<'a> Change<'a> {
    /// `None` if a text of it cannot be read.
    fn read(journaled: &'a JournalChange) -> Option<Self> {
        let key = key_of(&journaled.name, &journaled.rtype)?;
        let owned = |set: &Option<SetDoc>| values(set.as_ref(), key.rtype, &journaled.kept);
        Some(Self { before: owned(&journaled.before)?, after: owned(&journaled.after)?, key, journaled })
    }

    /// The claims that want `before` again, each with what the run left of its values.
    fn claims(&self, compiled: &Compiled, zone: &Name) -> Option<Vec<(Claim, Vec<Rdata>)>> {
        let derived;
        let journaled = if self.journaled.claims.is_empty() {
            derived = self.derived(compiled, zone);
            &derived
        } else {
            &self.journaled.claims
        };
        let mut claims = Vec::with_capacity(journaled.len());
        for entry in journaled {
            let mut claim = self.claim(entry)?;
            // What several slots listed together is of each of them.
            let of_claim = |values: &[Rdata]| values.iter().filter(|value| claim.owns(value)).cloned().collect();
            let (want, after): (Vec<Rdata>, Vec<Rdata>) = (of_claim(&self.before), of_claim(&self.after));
            claim.want = want;
            claims.push((claim, after));
        }
        Some(claims)
    }

    fn claim(&self, entry: &JournalClaim) -> Option<Claim> {
        let domain = Name::parse(&entry.domain).ok()?;
        let (kind, key) = match entry.slot.split_once('.') {
            Some((kind, key)) => (kind, Some(key.to_owned())),
            None => (entry.slot.as_str(), None),
        };
        let kind = KINDS.iter().map(|known| known.id()).find(|id| id.as_str() == kind)?;
        let own = match &entry.own {
            JournalOwn::RRset => Own::RRset,
            JournalOwn::Candidates => Own::Candidates,
            JournalOwn::Tags(tags) => Own::CaaTags(tags.clone()),
            JournalOwn::Values => Own::Values(self.before.iter().chain(&self.after).cloned().collect()),
        };
        let ttl_of = |set: &Option<SetDoc>| set.as_ref().and_then(|set| set.ttl);
        let (before, after) = (ttl_of(&self.journaled.before), ttl_of(&self.journaled.after));
        Some(Claim {
            slot: Slot { domain: domain.clone(), kind, key },
            domain,
            owner: self.key.name.clone(),
            rtype: self.key.rtype,
            own,
            want: Vec::new(),
            // One that the run left as it was is nobody's to put back.
            ttl: before.filter(|_| before != after).and_then(Ttl::from_secs),
            own_name: entry.own_name,
            from_profile: false,
            adopt: false,
            relies_on: entry
                .relies_on
                .iter()
                .filter_map(|id| id.split_once(' '))
                .filter_map(|(name, rtype)| key_of(name, rtype))
                .collect(),
            relies_always: entry.relies_always,
        })
    }

    /// The claims of an entry that does not tell them: what the kinds own, and of listed records what was not foreign.
    fn derived(&self, compiled: &Compiled, zone: &Name) -> Vec<JournalClaim> {
        let text = self.key.rtype == RecordType::TXT;
        let domain_of = |slot: &str| {
            let known = compiled.claims.iter().map(|placed| &placed.claim);
            let known = known.filter(|claim| claim.owner == self.key.name && claim.slot.to_string() == slot);
            known.map(|claim| claim.domain.clone()).next().unwrap_or_else(|| zone.clone())
        };
        let claim = |slot: &String| {
            let kind = slot.split('.').next().unwrap_or(slot);
            let own = match kind {
                "spf" | "dmarc" | "report_authorisation" | "mta_sts" | "tls_rpt" if text => JournalOwn::Candidates,
                "caa" | "records" if !self.journaled.kept.is_empty() => JournalOwn::Values,
                _ => JournalOwn::RRset,
            };
            JournalClaim {
                domain: domain_of(slot).to_lowercase().to_text_without_dot(),
                slot: slot.clone(),
                own,
                own_name: matches!(kind, "dkim" | "dmarc" | "report_authorisation" | "mta_sts" | "tls_rpt"),
                relies_on: Vec::new(),
                relies_always: false,
            }
        };
        let mut claims: Vec<JournalClaim> = self.journaled.slots.iter().map(claim).collect();
        // A set that was replaced as a whole has one claim, whoever asked for it.
        if claims.len() > 1 && claims.iter().all(|claim| claim.own == JournalOwn::RRset) {
            claims.truncate(1);
        }
        claims
    }
}

/// The claim that puts a foreign set back that the provider changed by itself, with what it made of it. The inner
/// `None`: there was nothing before.
#[expect(clippy::option_option, reason = "unreadable, and nothing to put back")]
fn restoration(effect: &SideEffectDoc, zone: &Name) -> Option<Option<(Claim, Vec<Rdata>)>> {
    let Some(before) = &effect.before else { return Some(None) };
    let key = key_of(&effect.name, &effect.rtype)?;
    let want = values(Some(before), key.rtype, &[])?;
    let after = values(effect.after.as_ref(), key.rtype, &[])?;
    let claim = Claim {
        slot: Slot::keyed(zone.clone(), KindId::Records, format!("{}.{}", effect.name, effect.rtype)),
        domain: zone.clone(),
        owner: key.name,
        rtype: key.rtype,
        own: Own::Values(want.iter().chain(&after).cloned().collect()),
        want,
        ttl: before.ttl.and_then(Ttl::from_secs),
        own_name: false,
        from_profile: false,
        adopt: false,
        relies_on: Vec::new(),
        relies_always: false,
    };
    Some(Some((claim, after)))
}

/// Turns the reliance round where both sides are taken back: what the run wrote first and now goes, goes last. Sets
/// that stand in for each other (addresses, keys) and go together need no order.
fn in_reverse(tasks: &mut [Task]) {
    let all = || tasks.iter().flat_map(|task| &task.claims);
    let stands_in = |kind: KindId| matches!(kind, KindId::Dkim | KindId::Sender | KindId::Hosts);
    let alike = |a: KindId, b: KindId| (a == KindId::Hosts) == (b == KindId::Hosts);
    let mut goes: BTreeMap<RRsetKey, (KindId, bool)> = BTreeMap::new();
    for claim in all() {
        goes.entry(claim.key()).or_insert((claim.slot.kind, true)).1 &= claim.want.is_empty();
    }
    goes.retain(|_, (_, goes)| *goes);
    let mut after: BTreeMap<RRsetKey, Vec<RRsetKey>> = BTreeMap::new();
    for claim in all() {
        for needed in &claim.relies_on {
            let Some((kind, _)) = goes.get(needed) else { continue };
            if !(stands_in(*kind) && stands_in(claim.slot.kind) && alike(*kind, claim.slot.kind)) {
                after.entry(needed.clone()).or_default().push(claim.key());
            }
        }
    }
    for claim in tasks.iter_mut().flat_map(|task| &mut task.claims) {
        // What stands in has to be there before one goes; nothing else is needed for going.
        if claim.want.is_empty() && !stands_in(claim.slot.kind) {
            claim.relies_on.clear();
        }
        claim.relies_on.retain(|needed| !goes.contains_key(needed));
        claim.relies_on.extend(after.get(&claim.key()).into_iter().flatten().cloned());
    }
}

impl UndoneZone {
    /// Guards about sets that are neither as the run left them nor as they were before it: somebody, or a later run,
    /// changed them again.
    pub(crate) fn guards(&self, claims: &[Claim], snapshot: &Snapshot) -> Vec<Guarded> {
        let mut guards: Vec<Guarded> = Vec::new();
        for (claim, left) in claims.iter().zip(&self.left) {
            let live = snapshot.get(&claim.owner, claim.rtype);
            let live = live.map_or(&[][..], |set| &set.values).iter().map(|value| &value.rdata);
            let today: Vec<&Rdata> = live.filter(|value| left.foreign || claim.owns(value)).collect();
            let as_left = Claim { want: left.values.clone(), ..claim.clone() };
            let known = [claim, &as_left].iter().any(|state| state.compare(&today) != Equality::Different);
            if known {
                continue;
            }
            let text = |values: Vec<String>| if values.is_empty() { "nothing".to_owned() } else { values.join(", ") };
            let today = text(today.iter().map(ToString::to_string).collect());
            let left = text(left.values.iter().map(ToString::to_string).collect());
            let message = format!(
                "{} is another one since {}: it left {left}, today it is {today}, and that would be lost",
                claim.key(),
                self.run
            );
            let finding = Finding::guard("GUARD-ROLLBACK", claim.owner.to_string(), message, "docs/safety.md");
            guards.push(Guarded { key: claim.key(), domain: Some(claim.domain.clone()), finding });
        }
        guards
    }

    /// Says of each change where it comes from, and leaves out what is of no concern here.
    pub(crate) fn tell(self, plan: &mut ZonePlan) {
        plan.counts.foreign += plan.counts.unmanaged;
        plan.counts.unmanaged = 0;
        plan.unmanaged.clear();
        plan.findings.retain(|finding| finding.effect != Effect::Present);
        let foreign: BTreeSet<RRsetKey> = plan
            .targets
            .iter()
            .filter(|target| target.claims.iter().all(|claim| self.is_foreign(claim)))
            .map(|target| target.key.clone())
            .collect();
        for change in &mut plan.changes {
            if !foreign.contains(&change.key()) {
                let what = if change.action == Action::Delete { "was not there" } else { "was so" };
                change.reason = format!("{what} before {}", self.run);
                continue;
            }
            change.slots.clear();
            change.reason = format!("foreign: the provider changed it by itself in {}", self.run);
            plan.findings.push(Finding::new(
                "ROLLBACK-FOREIGN",
                Severity::Warning,
                change.change.name().to_string(),
                format!(
                    "{} is foreign: the provider changed it by itself in {}; it is put back",
                    change.key(),
                    self.run
                ),
                "",
                "docs/safety.md",
            ));
        }
        for id in &self.unknown {
            plan.findings.push(Finding::new(
                "ROLLBACK-UNKNOWN",
                Severity::Warning,
                id.clone(),
                format!("whether {} wrote it is not known: it is left as it is", self.run),
                "look at it; the journal holds what it was before",
                "docs/safety.md",
            ));
        }
        plan.findings.sort();
    }

    fn is_foreign(&self, claim: &Claim) -> bool {
        let id = format!("{}.{}", claim.owner.to_lowercase(), claim.rtype);
        claim.slot.kind == KindId::Records
            && claim.slot.key.as_ref() == Some(&id)
            && self.left.iter().any(|left| left.foreign)
    }
}

fn key_of(name: &str, rtype: &str) -> Option<RRsetKey> {
    Some(RRsetKey { name: Name::parse(name).ok()?, rtype: rtype.parse().ok()? })
}

/// The values of a set without those of `kept`; `None` if one cannot be read.
fn values(set: Option<&SetDoc>, rtype: RecordType, kept: &[String]) -> Option<Vec<Rdata>> {
    let texts = set.map_or(&[][..], |set| &set.values).iter().filter(|value| !kept.contains(value));
    texts.map(|text| parse_rdata_text(rtype, text, None).ok()).collect()
}

fn unreadable(run: &str, what: &str) -> ErrorDoc {
    error(
        "configuration",
        format!("what the journal says of {what} in {run} cannot be read"),
        "put it back by hand; the journal holds what it was before",
    )
}

fn error(kind: &str, message: String, remedy: &str) -> ErrorDoc {
    ErrorDoc { kind: kind.into(), message, remedy: remedy.into() }
}
