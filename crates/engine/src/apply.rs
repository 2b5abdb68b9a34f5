//! Carries out a plan: every zone by itself, stage by stage (`design.md` section 9).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mailzone_mailauth::Finding;
use mailzone_plan::{Need, PlannedChange, Target};
use mailzone_probe::Before;
use mailzone_provider::{Batch, ChangeResult, Outcome, ProviderId, Receipt, SideEffect};
use mailzone_record::{Name, RRsetKey};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use crate::board::{Board, Written};
use crate::cancel::Cancel;
use crate::event::{Event, Events};
use crate::exit::Code;
use crate::journal::{Entry, Intent, OutcomeEntry};
use crate::plan::PlannedZone;
use crate::state::{StateDir, StateError};
use crate::verify::{Assigned, Live, Question, Verdict, Verifier, Wait, Whom, ZoneVerification};

/// What a run of `apply` needs besides the plan.
#[derive(Debug, Clone)]
pub struct ApplyContext {
    /// Journal and locks.
    pub state: StateDir,
    /// The DNS.
    pub verifier: Verifier,
    /// What to wait for after the last write.
    pub wait: Wait,
    /// How long each wait may take; `None` for the provider's own time.
    pub deadline: Option<Duration>,
    /// The servers to ask, by zone; a zone without an entry is looked up by its delegation.
    pub servers: HashMap<Name, Vec<SocketAddr>>,
    /// Zones whose parent need not name these servers yet (`delegated = false`).
    pub not_delegated: BTreeSet<Name>,
    /// The run's identifier in the journal.
    pub run: String,
    /// The time of day, RFC 3339.
    pub now: fn() -> String,
    /// Where progress goes.
    pub events: Events,
    /// Stops the run.
    pub cancel: Cancel,
}

/// What became of one change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the words of design.md section 8")]
pub enum ChangeOutcome {
    Applied,
    Already,
    Held,
    Failed,
    Unknown,
    Skipped,
}

/// What became of one zone.
#[derive(Debug)]
pub struct AppliedZone {
    /// The plan that was carried out.
    pub zone: PlannedZone,
    /// One for each change, with a sentence where there is something to say.
    pub outcomes: Vec<(ChangeOutcome, Option<String>)>,
    /// The zone's exit codes.
    pub codes: Vec<Code>,
    /// Why it was stopped, if it was.
    pub problem: Option<String>,
    /// What was seen afterwards.
    pub verification: Option<ZoneVerification>,
    /// What the provider did to foreign records by itself; each is an error of the zone.
    pub side_effects: Vec<SideEffect>,
}

/// Why a zone is not written although its plan has changes. Decided before anything is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The exit code that it makes.
    pub code: Code,
    /// The sentence.
    pub message: String,
}

/// What stops a planned zone by itself: its error, or its guards.
pub fn stop_of(zone: &PlannedZone) -> Option<Stop> {
    if let Some(error) = &zone.plan.error {
        return Some(Stop { code: Code::Error, message: error.message.clone() });
    }
    let codes: BTreeSet<&str> = zone.plan.guards().map(|finding| finding.code.as_str()).collect();
    (!codes.is_empty()).then(|| Stop {
        code: Code::Check,
        message: format!("stopped by {}", codes.into_iter().collect::<Vec<_>>().join(", ")),
    })
}

/// Applies the zones concurrently. `stops` holds zones that are not to be written, by their place.
pub async fn apply(zones: Vec<PlannedZone>, stops: &HashMap<usize, Stop>, context: &ApplyContext) -> Vec<AppliedZone> {
    let board = Arc::new(Board::default());
    let mut gates: HashMap<String, Arc<Semaphore>> = HashMap::new();
    let in_flight = Arc::new(Semaphore::new(ZONES_IN_FLIGHT));
    let mut running = JoinSet::new();
    let order = needed_first(&zones);
    let mut zones: Vec<Option<PlannedZone>> = zones.into_iter().map(Some).collect();
    let mut applied: Vec<(usize, AppliedZone)> = Vec::with_capacity(zones.len());
    for at in order {
        let Some(zone) = zones[at].take() else { continue };
        let permits = zone.provider.capabilities().concurrency.clamp(1, Semaphore::MAX_PERMITS);
        let gate = gates.entry(zone.provider_name.clone()).or_insert_with(|| Arc::new(Semaphore::new(permits)));
        let stop = stops.get(&at).cloned().or_else(|| stop_of(&zone));
        let task = ZoneTask {
            outcomes: vec![(ChangeOutcome::Skipped, None); zone.plan.changes.len()],
            zone,
            context: context.clone(),
            board: Arc::clone(&board),
            gate: Arc::clone(gate),
            codes: Vec::new(),
            problem: None,
            whom: None,
            others: HashMap::new(),
            batches: 0,
            side_effects: Vec::new(),
        };
        // Taken in this order and before the task begins, so that no zone holds a place that one it waits
        // for would need. The semaphore is never closed, so this always yields a permit.
        let place = Arc::clone(&in_flight).acquire_owned().await;
        running.spawn(async move {
            let applied = task.run(stop).await;
            drop(place);
            (at, applied)
        });
        // A task that has ended keeps its memory, some kilobytes, until it is asked how.
        while let Some(joined) = running.try_join_next() {
            applied.extend(finished(joined));
        }
    }
    while let Some(joined) = running.join_next().await {
        applied.extend(finished(joined));
    }
    applied.sort_by_key(|(at, _)| *at);
    applied.into_iter().map(|(_, zone)| zone).collect()
}

/// What a task gave; one that was cancelled gives nothing, a panic goes on.
fn finished<T>(joined: Result<T, JoinError>) -> Option<T> {
    match joined {
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        joined => joined.ok(),
    }
}

/// The places of the zones, those that others need changes of before these others.
fn needed_first(zones: &[PlannedZone]) -> Vec<usize> {
    let places: HashMap<&Name, usize> = zones.iter().enumerate().map(|(at, zone)| (&zone.plan.zone.name, at)).collect();
    let needed = |at: usize| {
        let needs = zones[at].plan.changes.iter().flat_map(|change| &change.needs).filter(|need| need.pending);
        needs.filter_map(|need| places.get(need.zone.as_ref()?).copied())
    };
    let mut order = Vec::with_capacity(zones.len());
    let mut seen = vec![false; zones.len()];
    for start in 0..zones.len() {
        // Depth first without recursion: a chain of needs may be as long as the list of zones.
        let mut open = vec![(start, false)];
        while let Some((at, left)) = open.pop() {
            if left {
                order.push(at);
            } else if !seen[at] {
                seen[at] = true;
                open.push((at, true));
                open.extend(needed(at).filter(|&next| !seen[next]).map(|next| (next, false)));
            }
        }
    }
    order
}

/// Zones that are written at a time: each holds a lock file open.
const ZONES_IN_FLIGHT: usize = 128;

struct ZoneTask {
    zone: PlannedZone,
    outcomes: Vec<(ChangeOutcome, Option<String>)>,
    context: ApplyContext,
    board: Arc<Board>,
    gate: Arc<Semaphore>,
    codes: Vec<Code>,
    problem: Option<String>,
    whom: Option<Whom>,
    /// Servers of other zones that needs are in.
    others: HashMap<Name, Whom>,
    /// Batches so far.
    batches: usize,
    side_effects: Vec<SideEffect>,
}

/// Changes that go out together or not at all: a CNAME and what replaces it, else one alone.
type Unit = Vec<usize>;

impl ZoneTask {
    async fn run(mut self, stop: Option<Stop>) -> AppliedZone {
        if let Some(stop) = stop {
            // A stopped zone without changes has nothing to be stopped from, but an error stays one.
            if stop.code == Code::Error || !self.zone.plan.changes.is_empty() {
                self.codes.push(stop.code);
                self.problem = Some(stop.message);
            }
            return self.end(None);
        }
        if self.zone.plan.changes.is_empty() {
            return self.end(None);
        }
        let lock = match self.context.state.lock(&self.provider_id(), &self.zone.plan.zone) {
            Ok(Some(lock)) => lock,
            Ok(None) => {
                self.codes.push(Code::Stale);
                self.problem =
                    Some("another run holds this zone's lock; wait for it, or look for a run that hangs".into());
                return self.end(None);
            }
            Err(error) => {
                self.fail(&error);
                return self.end(None);
            }
        };
        if self.context.wait != Wait::None {
            // Before the first write, to know who was lame already. Without a wait only needs ask, where there are any.
            self.whom_of_this_zone().await;
        }
        let went_on = self.stages().await;
        let verification = if went_on { self.verify().await } else { None };
        drop(lock);
        self.end(verification)
    }

    /// Sends stage after stage. Gives `false` after an error: nothing is written once one is known.
    async fn stages(&mut self) -> bool {
        let mut stages: Vec<u32> = self.zone.plan.changes.iter().map(|change| change.stage).collect();
        stages.dedup();
        for stage in stages {
            let mut ready: Vec<Unit> = Vec::new();
            let mut waiting: Vec<(Unit, String)> = Vec::new();
            for unit in self.units(stage) {
                // What relies on nothing goes at once; what relies on something only when it is seen.
                match self.all_visible(&unit, Duration::ZERO).await {
                    Ok(()) => ready.push(unit),
                    Err(why) => waiting.push((unit, why)),
                }
            }
            if !self.send(ready).await {
                return false;
            }
            let mut seen: Vec<Unit> = Vec::new();
            let since = Instant::now();
            let patience = if self.context.wait == Wait::None { Duration::ZERO } else { self.deadline() };
            for (unit, why) in waiting {
                let deadline = patience.saturating_sub(since.elapsed());
                let looked = match self.context.cancel.is_cancelled() {
                    true => Err(why),
                    false => self.all_visible(&unit, deadline).await,
                };
                match looked {
                    Ok(()) => seen.push(unit),
                    Err(why) => self.hold(&unit, &why),
                }
            }
            if !self.send(seen).await {
                return false;
            }
        }
        true
    }

    fn units(&self, stage: u32) -> Vec<Unit> {
        let mut units: Vec<Unit> = Vec::new();
        let mut open = false;
        for (at, change) in self.zone.plan.changes.iter().enumerate().filter(|(_, change)| change.stage == stage) {
            match units.last_mut() {
                Some(unit) if open => unit.push(at),
                _ => units.push(vec![at]),
            }
            open = change.with_next;
        }
        units
    }

    fn needs(&self, unit: &Unit) -> Vec<Need> {
        unit.iter().flat_map(|&at| self.zone.plan.changes[at].needs.iter().cloned()).collect()
    }

    /// Whether everything that the unit relies on is visible at every reachable server of its zone; if not, what
    /// of it is not and why.
    async fn all_visible(&mut self, unit: &Unit, deadline: Duration) -> Result<(), String> {
        let mut by_zone: BTreeMap<Option<Name>, Vec<Target>> = BTreeMap::new();
        for need in self.needs(unit) {
            let own = need.zone.as_ref() == Some(&self.zone.plan.zone.name);
            if need.pending && !self.written_by_now(&need, own, deadline).await {
                return Err(format!("{} is not written", need.target.key));
            }
            by_zone.entry(need.zone.clone()).or_default().push(need.target);
        }
        for (zone, targets) in by_zone {
            let whom = match (zone, targets.first()) {
                (Some(zone), _) if zone == self.zone.plan.zone.name => self.whom_of_this_zone().await,
                (Some(zone), _) => self.whom_of(&zone).await,
                (None, Some(target)) => self.whom_of(&target.key.name.clone()).await,
                (None, None) => continue,
            };
            let context = &self.context;
            let seen = context.verifier.visible(&whom, &targets, deadline, &context.events, &context.cancel).await;
            let Some(seen) = seen else {
                let why = match whom.live {
                    Live::No(why) | Live::Unknown(why) => why,
                    Live::Yes => format!("no name server of {} is known", whom.zone),
                };
                return Err(why);
            };
            if let Some((at, target)) = targets.iter().enumerate().find(|(at, _)| !seen.is_visible(*at)) {
                return Err(self.not_served(&target.key, &seen.laggards(at)));
            }
        }
        Ok(())
    }

    /// A set that is there at its provider and that the servers do not give: who confirmed it and when.
    fn not_served(&self, key: &RRsetKey, servers: &str) -> String {
        match self.board.written(key) {
            Some(Written { provider, at: Some(at) }) => {
                format!("{provider} confirmed {key} at {at}, and since then {servers}")
            }
            Some(Written { provider, at: None }) => format!("{provider} holds {key} as wanted, and {servers}"),
            // What is in the zone as wanted needs no change; of another run's zones nothing is known.
            None if self.zone.plan.targets.iter().any(|target| target.key == *key) => {
                format!("{} holds {key} as wanted, and {servers}", self.zone.provider_name)
            }
            None => format!("of {key}, {servers}"),
        }
    }

    /// Whether a change that is needed has been written: here, or by the task of another zone, which is
    /// waited for if there is time.
    async fn written_by_now(&self, need: &Need, own: bool, deadline: Duration) -> bool {
        if own {
            return self.board.written(&need.target.key).is_some();
        }
        if deadline.is_zero() {
            return self.board.written(&need.target.key).is_some();
        }
        tokio::select! {
            written = self.board.wait_for(&need.target.key) => written,
            () = self.context.cancel.cancelled() => false,
        }
    }

    /// Sends changes in one batch: intent to the journal, the write, its outcome to the journal.
    async fn send(&mut self, units: Vec<Unit>) -> bool {
        let places: Vec<usize> = units.into_iter().flatten().collect();
        if places.is_empty() {
            return true;
        }
        if self.context.cancel.is_cancelled() {
            self.codes.push(Code::Interrupted);
            return false;
        }
        let provider = Arc::clone(&self.zone.provider);
        let zone = self.zone.plan.zone.clone();
        // The semaphore is never closed, so this always yields a permit.
        let gate = Arc::clone(&self.gate);
        let permit = gate.acquire().await;
        self.batches += 1;
        let changes: Vec<&PlannedChange> = places.iter().map(|&at| &self.zone.plan.changes[at]).collect();
        let intent = Intent::new(
            &self.context.run,
            self.batches,
            (self.context.now)(),
            &self.provider_id(),
            &zone,
            &changes,
            &self.zone.plan.targets,
        );
        if let Err(error) = self.context.state.append(&Entry::Intent(intent.clone())) {
            self.fail(&error);
            return false;
        }
        self.context.events.send(Event::Writing { zone: zone.name.clone(), changes: places.len() });
        let batch = Batch { changes: changes.iter().map(|planned| planned.change.clone()).collect() };
        let applied = provider.apply(&zone, &batch).await;
        // Waiting for what the service calls done takes a minute; others write meanwhile.
        drop(permit);
        let (mut receipt, error) = match applied {
            Ok(receipt) if self.context.wait == Wait::None => (receipt, None),
            Ok(receipt) => {
                let settled = provider.settle(&zone, &receipt).await;
                (receipt, settled.err())
            }
            Err(error) => (Receipt::default(), Some(error)),
        };
        let conflict =
            error.as_ref().is_some_and(|error| matches!(error.kind, mailzone_provider::ProviderErrorKind::Conflict(_)));
        let missing = match &error {
            Some(error) if error.retry == mailzone_provider::Retry::Unknown => Outcome::Unknown,
            Some(_) if conflict => Outcome::Skipped,
            _ => Outcome::Failed,
        };
        receipt.results.resize(places.len(), ChangeResult { outcome: missing, note: None });
        let text = error.as_ref().map(ToString::to_string);
        let now = (self.context.now)();
        let entry = OutcomeEntry::new(&intent, now.clone(), &receipt, text);
        let noted = self.context.state.append(&Entry::Outcome(entry));
        self.take_results(&places, receipt.results, &now);
        self.take_side_effects(receipt.side_effects);
        if let Some(error) = error {
            self.codes.push(if conflict { Code::Stale } else { Code::Error });
            let doc = crate::zones::provider_error(&error);
            self.problem =
                Some(if doc.remedy.is_empty() { doc.message } else { format!("{}; {}", doc.message, doc.remedy) });
            return false;
        }
        if let Err(error) = noted {
            self.fail(&error);
            return false;
        }
        !self.codes.iter().any(|code| matches!(code, Code::Error | Code::Stale))
    }

    fn take_results(&mut self, places: &[usize], results: Vec<ChangeResult>, now: &str) {
        let (provider, now): (Arc<str>, Arc<str>) = (self.zone.provider_name.as_str().into(), now.into());
        for (&at, result) in places.iter().zip(results) {
            let outcome = match result.outcome {
                Outcome::Applied => ChangeOutcome::Applied,
                Outcome::Already => ChangeOutcome::Already,
                Outcome::Failed => ChangeOutcome::Failed,
                Outcome::Unknown => ChangeOutcome::Unknown,
                Outcome::Stale | Outcome::Skipped => ChangeOutcome::Skipped,
            };
            let mut note = result.note;
            match result.outcome {
                Outcome::Stale => {
                    self.codes.push(Code::Stale);
                    note.get_or_insert_with(|| "somebody else changed this RRset since the plan was made".into());
                    self.problem.get_or_insert_with(|| {
                        "the zone changed since the plan was made; nothing was written, plan again".into()
                    });
                }
                Outcome::Failed | Outcome::Unknown => self.codes.push(Code::Error),
                Outcome::Applied | Outcome::Already | Outcome::Skipped => {}
            }
            let written = match outcome {
                ChangeOutcome::Applied => Some(Some(Arc::clone(&now))),
                ChangeOutcome::Already => Some(None),
                _ => None,
            };
            let written = written.map(|at| Written { provider: Arc::clone(&provider), at });
            self.board.publish(self.key(at), written);
            self.outcomes[at] = (outcome, note);
        }
    }

    /// What the provider did by itself is an error, and nothing more is written in the zone.
    fn take_side_effects(&mut self, effects: Vec<SideEffect>) {
        if effects.is_empty() {
            return;
        }
        self.codes.push(Code::Error);
        let sets = effects.iter().filter_map(|effect| effect.before.as_ref().or(effect.after.as_ref()));
        let keys: BTreeSet<String> = sets.map(|set| set.key().to_string()).collect();
        let keys = keys.into_iter().collect::<Vec<_>>().join(", ");
        let provider = &self.zone.provider_name;
        self.problem.get_or_insert_with(|| {
            format!("{provider} changed foreign records by itself: {keys}; no more was written")
        });
        self.side_effects.extend(effects);
    }

    fn hold(&mut self, unit: &Unit, why: &str) {
        let needs: BTreeSet<String> = self.needs(unit).iter().map(|need| need.target.key.to_string()).collect();
        let note = format!(
            "not sent: it relies on {}, which is not visible at every authoritative server: {why}; the next run goes on",
            needs.into_iter().collect::<Vec<_>>().join(", ")
        );
        for &at in unit {
            self.outcomes[at] = (ChangeOutcome::Held, Some(note.clone()));
            self.board.publish(self.key(at), None);
        }
        self.codes.push(if self.context.cancel.is_cancelled() { Code::Interrupted } else { Code::NotVisible });
        self.context.events.send(Event::Held { zone: self.zone.plan.zone.name.clone(), changes: unit.len() });
    }

    async fn verify(&mut self) -> Option<ZoneVerification> {
        if self.context.wait == Wait::None || self.context.cancel.is_cancelled() {
            return None;
        }
        let whom = self.whom_of_this_zone().await;
        let sent: Vec<usize> = (0..self.outcomes.len())
            .filter(|&at| matches!(self.outcomes[at].0, ChangeOutcome::Applied | ChangeOutcome::Already))
            .collect();
        let targets: Vec<(Target, Before)> = self
            .zone
            .plan
            .targets
            .iter()
            .filter_map(|target| {
                let of_change = |at: &usize| self.key(*at) == target.key;
                match sent.iter().copied().find(|at| of_change(at)) {
                    Some(at) => Some((target.clone(), self.before(at))),
                    // Held: it is not there yet, and nobody waits for it.
                    None if (0..self.outcomes.len()).any(|at| of_change(&at)) => None,
                    None => Some((target.clone(), Before::Unchanged)),
                }
            })
            .collect();
        let question = Question { targets, wait: self.context.wait, deadline: self.deadline() };
        let context = &self.context;
        let verification = context.verifier.verify(&whom, question, &context.events, &context.cancel).await;
        let moving =
            matches!(verification.live, Live::No(_)) && context.not_delegated.contains(&self.zone.plan.zone.name);
        let excused = moving && verification.is_served(None);
        if verification.verdict() != Verdict::Verified && !excused {
            self.codes.push(Code::NotVisible);
        }
        let sent: HashMap<RRsetKey, usize> = sent.into_iter().map(|at| (self.key(at), at)).collect();
        for (target, key) in verification.targets.iter().map(|target| &target.key).enumerate() {
            let Some(&at) = sent.get(key) else { continue };
            if verification.state_of(target) == Verdict::Incomplete {
                let why = self.not_served(key, &verification.laggards(target));
                let (_, note) = &mut self.outcomes[at];
                *note = Some(match note.take() {
                    Some(note) => format!("{note}; {why}"),
                    None => why,
                });
            }
        }
        Some(verification)
    }

    /// What was there before a change: how long resolvers may still give it.
    fn before(&self, at: usize) -> Before {
        let change = &self.zone.plan.changes[at].change;
        match (change.before(), self.zone.plan.apex.negative) {
            (Some(set), _) => set.ttl.map_or(Before::Unknown, Before::Present),
            (None, Some((soa_ttl, minimum))) => Before::Absent { soa_ttl, minimum },
            (None, None) => Before::Unknown,
        }
    }

    async fn whom_of_this_zone(&mut self) -> Whom {
        if let Some(whom) = &self.whom {
            return whom.clone();
        }
        let zone = &self.zone.plan.zone;
        let given = self.context.servers.get(&zone.name).cloned().unwrap_or_default();
        let apex = &self.zone.plan.apex;
        let names = if zone.nameservers.is_empty() { &apex.name_servers } else { &zone.nameservers };
        let assigned: Vec<Assigned> = names
            .iter()
            .map(|name| Assigned {
                name: name.clone(),
                addresses: apex.addresses.get(name).cloned().unwrap_or_default(),
            })
            .collect();
        let whom = self.context.verifier.whom(&zone.name, &given, &assigned).await;
        self.whom = Some(whom.clone());
        whom
    }

    async fn whom_of(&mut self, zone: &Name) -> Whom {
        if let Some(whom) = self.others.get(zone) {
            return whom.clone();
        }
        // The servers configured for the nearest zone above, for a name that is in no zone of this run.
        let mut at = Some(zone.clone());
        let mut given = Vec::new();
        while let Some(name) = at {
            if let Some(servers) = self.context.servers.get(&name) {
                given.clone_from(servers);
                break;
            }
            at = name.parent();
        }
        let whom = self.context.verifier.whom(zone, &given, &[]).await;
        self.others.insert(zone.clone(), whom.clone());
        whom
    }

    fn deadline(&self) -> Duration {
        let own =
            Duration::from_secs(u64::from(self.zone.provider.capabilities_of(&self.zone.plan.zone).expected_visible));
        self.context.deadline.unwrap_or(own)
    }

    fn key(&self, at: usize) -> RRsetKey {
        let change = &self.zone.plan.changes[at].change;
        RRsetKey { name: change.name().clone(), rtype: change.rtype() }
    }

    fn provider_id(&self) -> ProviderId {
        ProviderId::new(self.zone.provider_name.as_str())
    }

    fn fail(&mut self, error: &StateError) {
        self.codes.push(Code::Error);
        self.problem = Some(format!("the state directory cannot be written: {error}"));
    }

    fn end(self, verification: Option<ZoneVerification>) -> AppliedZone {
        // What was written is noted already.
        for at in 0..self.outcomes.len() {
            self.board.publish(self.key(at), None);
        }
        AppliedZone {
            zone: self.zone,
            outcomes: self.outcomes,
            codes: self.codes,
            problem: self.problem,
            verification,
            side_effects: self.side_effects,
        }
    }
}

impl ChangeOutcome {
    /// The word of `design.md` section 8.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Already => "already",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
        }
    }
}

impl AppliedZone {
    /// Findings of the verification.
    pub fn findings(&self) -> &[Finding] {
        self.verification.as_ref().map_or(&[], |verification| &verification.findings)
    }
}
