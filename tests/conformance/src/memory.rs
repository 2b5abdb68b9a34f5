//! A provider that holds its zones in memory and can be told to fail.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mailzone_provider::{
    Batch, Capabilities, Freshness, Outcome, Provider, ProviderError, ProviderErrorKind, ProviderId, Receipt, Retry,
    Snapshot, TtlRange, TypeSet, Zone,
};
use mailzone_record::{Name, Origin, RRset, RRsetKey, Ttl, Value};

/// A provider without a service behind it. Everything it does is what [`Provider`] demands and no more,
/// until [`MemoryProvider::switches`] says otherwise.
#[derive(Debug)]
pub struct MemoryProvider {
    id: ProviderId,
    capabilities: Capabilities,
    state: Mutex<State>,
}

/// How the provider misbehaves; by default it does not.
#[derive(Debug, Clone, Default)]
pub struct Switches {
    /// What the next calls of `apply` do; each takes one, from the front.
    pub applies: Vec<Fault>,
    /// Listing the zones fails with this.
    pub zones: Option<ProviderErrorKind>,
    /// A snapshot of any zone fails with this.
    pub snapshot: Option<ProviderErrorKind>,
    /// Every call takes this long, by tokio's clock.
    pub delay: Duration,
}

/// What goes wrong in one call of `apply`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It fails with this before anything is written.
    BeforeWrite(ProviderErrorKind),
    /// Everything is written, then the answer is lost ([`Retry::Unknown`]).
    AfterWrite(ProviderErrorKind),
    /// Says that everything is applied, and writes nothing.
    NeverApplied,
    /// This many changes are written, the next one fails, the others are skipped.
    Partial(usize),
}

/// One call of the provider, as it came in.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the variants are the trait's methods")]
pub enum Call {
    Zones,
    Snapshot(Name),
    Apply(Name, Batch),
}

#[derive(Debug, Default)]
struct State {
    zones: BTreeMap<Name, Held>,
    switches: Switches,
    calls: Vec<Call>,
    /// For the handles of values.
    records: u64,
}

#[derive(Debug)]
struct Held {
    zone: Zone,
    sets: BTreeMap<RRsetKey, RRset>,
    default_ttl: Option<Ttl>,
}

impl MemoryProvider {
    /// A provider without zones that can store everything, atomically.
    pub fn new(id: &str) -> Self {
        let capabilities = Capabilities {
            writable: TypeSet::All,
            ttl: TtlRange::ANY,
            atomic: true,
            compare_and_swap: true,
            concurrency: 8,
            expected_visible: 0,
            apex_cname: false,
        };
        Self { id: ProviderId::new(id), capabilities, state: Mutex::default() }
    }

    /// The same provider with other capabilities.
    #[must_use]
    pub fn with_capabilities(self, capabilities: Capabilities) -> Self {
        Self { capabilities, ..self }
    }

    /// Holds this zone from now on, in place of one of the same name.
    pub fn insert_zone(&self, zone: Zone, snapshot: Snapshot) {
        let mut state = self.state();
        let default_ttl = snapshot.default_ttl();
        let mut sets = BTreeMap::new();
        for set in snapshot.rrsets() {
            sets.insert(set.key(), state.received(set.clone(), default_ttl));
        }
        state.zones.insert(zone.name.clone(), Held { zone, sets, default_ttl });
    }

    /// Somebody else sets (or with `None` deletes) one RRset; nothing happens without the zone.
    pub fn edit(&self, zone: &Name, key: &RRsetKey, after: Option<RRset>) {
        let mut state = self.state();
        let default_ttl = state.zones.get(zone).and_then(|held| held.default_ttl);
        let after = after.map(|set| state.received(set, default_ttl));
        if let Some(held) = state.zones.get_mut(zone) {
            held.put(key, after);
        }
    }

    /// What the zone holds, without a call; `None` without the zone.
    pub fn peek(&self, zone: &Name) -> Option<Snapshot> {
        self.state().zones.get(zone).map(Held::snapshot)
    }

    /// Changes the switches.
    pub fn switches(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut self.state().switches);
    }

    /// The calls so far, in their order.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// Notes a call and lets the time of one pass.
    async fn called(&self, call: Call) {
        let delay = {
            let mut state = self.state();
            state.calls.push(call);
            state.switches.delay
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Provider for MemoryProvider {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn zones(&self) -> Result<Vec<Zone>, ProviderError> {
        self.called(Call::Zones).await;
        let state = self.state();
        match &state.switches.zones {
            Some(kind) => Err(ProviderError::new("listing zones", kind.clone(), "")),
            None => Ok(state.zones.values().map(|held| held.zone.clone()).collect()),
        }
    }

    async fn snapshot(&self, zone: &Zone) -> Result<Snapshot, ProviderError> {
        self.called(Call::Snapshot(zone.name.clone())).await;
        let state = self.state();
        if let Some(kind) = &state.switches.snapshot {
            return Err(ProviderError::new(format!("reading {}", zone.name), kind.clone(), ""));
        }
        state.zones.get(&zone.name).map(Held::snapshot).ok_or_else(|| no_zone(zone))
    }

    async fn apply(&self, zone: &Zone, batch: &Batch) -> Result<Receipt, ProviderError> {
        self.called(Call::Apply(zone.name.clone(), batch.clone())).await;
        let mut state = self.state();
        let faults = &mut state.switches.applies;
        let fault = if faults.is_empty() { Fault::None } else { faults.remove(0) };
        if let Fault::BeforeWrite(kind) = fault {
            return Err(ProviderError::new(format!("writing {}", zone.name), kind, ""));
        }
        let held = state.zones.get(&zone.name).ok_or_else(|| no_zone(zone))?;
        let freshness: Vec<_> =
            batch.changes.iter().map(|change| change.compare(held.first(change.name(), change.rtype()))).collect();
        if freshness.contains(&Freshness::Stale) {
            let outcome = |f: &Freshness| if *f == Freshness::Stale { Outcome::Stale } else { Outcome::Skipped };
            return Ok(receipt(freshness.iter().map(outcome)));
        }

        let limit = match fault {
            Fault::NeverApplied => 0,
            Fault::Partial(count) => count,
            _ => usize::MAX,
        };
        let default_ttl = held.default_ttl;
        let (mut written, mut outcomes) = (0, Vec::with_capacity(batch.changes.len()));
        for (change, freshness) in batch.changes.iter().zip(&freshness) {
            if *freshness == Freshness::Already {
                outcomes.push(Outcome::Already);
                continue;
            }
            written += 1;
            if written > limit {
                outcomes.push(match fault {
                    Fault::NeverApplied => Outcome::Applied,
                    _ if written == limit + 1 => Outcome::Failed,
                    _ => Outcome::Skipped,
                });
                continue;
            }
            let after = change.after().map(|set| state.received(set.clone(), default_ttl));
            if let Some(held) = state.zones.get_mut(&zone.name) {
                held.put(&RRsetKey { name: change.name().clone(), rtype: change.rtype() }, after);
            }
            outcomes.push(Outcome::Applied);
        }
        if let Fault::AfterWrite(kind) = fault {
            let error = ProviderError::new(format!("writing {}", zone.name), kind, "");
            return Err(ProviderError { retry: Retry::Unknown, ..error });
        }
        Ok(receipt(outcomes))
    }
}

impl State {
    /// A set as the service holds it: with a TTL, and with a handle and a spelling for each value.
    fn received(&mut self, mut set: RRset, default_ttl: Option<Ttl>) -> RRset {
        set.ttl = set.ttl.or(default_ttl).or(Ttl::from_secs(3600));
        for Value { rdata, origin } in &mut set.values {
            if origin.is_none() {
                self.records += 1;
                let handle = format!("r{}", self.records);
                *origin =
                    Some(Box::new(Origin { handle: Some(handle.into()), spelling: Some(rdata.to_string().into()) }));
            }
        }
        set
    }
}

impl Held {
    fn first(&self, name: &Name, rtype: mailzone_record::RecordType) -> Option<&RRset> {
        self.sets.get(&RRsetKey { name: name.clone(), rtype })
    }

    /// A name that is there keeps its case.
    fn put(&mut self, key: &RRsetKey, after: Option<RRset>) {
        match after {
            None => drop(self.sets.remove(key)),
            Some(after) => match self.sets.get_mut(key) {
                Some(set) => *set = RRset { name: set.name.clone(), ..after },
                None => drop(self.sets.insert(key.clone(), after)),
            },
        }
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.sets.values().cloned().collect(), self.default_ttl)
    }
}

fn receipt(outcomes: impl IntoIterator<Item = Outcome>) -> Receipt {
    Receipt::new(outcomes.into_iter().map(|outcome| (outcome, None)))
}

fn no_zone(zone: &Zone) -> ProviderError {
    let kind = ProviderErrorKind::NoZone(format!("no zone {}", zone.name));
    ProviderError::new(format!("opening {}", zone.name), kind, "")
}
