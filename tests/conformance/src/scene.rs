use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mailzone_provider::{Batch, Outcome, Provider, RRsetChange, Receipt, Snapshot, Zone};
use mailzone_record::{Name, RRset, RRsetKey, RecordType, Ttl, Value, parse_rdata_text};

use crate::{Harness, Stored};

/// What a step ends with, unless it passes.
pub(crate) enum Stop {
    /// The provider did something else than it must.
    Failed(String),
    /// The provider says that it cannot store what the step is about.
    Skipped(String),
}

pub(crate) type Check<T = ()> = Result<T, Stop>;

/// One zone in front of the provider under test.
pub(crate) struct Scene<'a> {
    harness: &'a dyn Harness,
    provider: Arc<dyn Provider>,
    zone: Zone,
}

/// Everything that can be seen of a zone.
pub(crate) struct View {
    pub(crate) snapshot: Snapshot,
    stored: BTreeMap<RRsetKey, Vec<String>>,
}

/// Fails the step with `message` unless `condition` holds.
pub(crate) fn ensure(condition: bool, message: impl FnOnce() -> String) -> Check {
    if condition { Ok(()) } else { Err(Stop::Failed(message())) }
}

impl<'a> Scene<'a> {
    /// The zone `origin` with SOA, NS and the records of `text`.
    pub(crate) async fn set(harness: &'a dyn Harness, origin: &str, text: &str) -> Check<Self> {
        let origin = name(origin, None)?;
        let base = format!(
            "@ 3600 SOA ns1.{origin} hostmaster.{origin} 2024010100 7200 3600 1209600 300\n\
             @ 3600 NS ns1.{origin}\n@ 3600 NS ns2.{origin}\n"
        );
        let zone = harness.seed(&origin, &(base + text)).await;
        ensure(zone.name == origin, || format!("the harness seeded {} instead of {origin}", zone.name))?;
        Ok(Self { harness, provider: harness.provider(), zone })
    }

    pub(crate) fn provider(&self) -> &dyn Provider {
        &*self.provider
    }

    pub(crate) fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The zone through the provider and through the back door.
    pub(crate) async fn view(&self) -> Check<View> {
        let mut snapshot = self.snapshot().await?;
        if !self.harness.keeps_order() {
            let mut sets = snapshot.rrsets().to_vec();
            sets.iter_mut().for_each(|set| set.values.sort_by(|a, b| a.rdata.cmp(&b.rdata)));
            snapshot = Snapshot::new(sets, snapshot.default_ttl());
        }
        let mut stored: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for Stored { name, rtype, text } in self.harness.stored(&self.zone).await {
            stored.entry(RRsetKey { name, rtype }).or_default().push(text);
        }
        stored.values_mut().for_each(|texts| texts.sort());
        Ok(View { snapshot, stored })
    }

    pub(crate) async fn snapshot(&self) -> Check<Snapshot> {
        let snapshot = self.provider.snapshot(&self.zone).await;
        snapshot.map_err(|error| Stop::Failed(format!("no snapshot: {error}")))
    }

    /// The set at `owner`, relative to the zone, as it is in `snapshot`.
    pub(crate) fn get<'s>(&self, snapshot: &'s Snapshot, owner: &str, rtype: &str) -> Check<Option<&'s RRset>> {
        let key = self.key(owner, rtype)?;
        Ok(snapshot.get(&key.name, key.rtype))
    }

    /// A change from what the zone holds now to `values`: none of them deletes. Values that are there
    /// stay as they were read. Without `ttl` the set keeps its own.
    pub(crate) async fn plan(&self, owner: &str, rtype: &str, ttl: Option<u32>, values: &[&str]) -> Check<RRsetChange> {
        self.plan_from(&self.snapshot().await?, owner, rtype, ttl, values)
    }

    /// The same from what was read before.
    pub(crate) fn plan_from(
        &self,
        snapshot: &Snapshot,
        owner: &str,
        rtype: &str,
        ttl: Option<u32>,
        values: &[&str],
    ) -> Check<RRsetChange> {
        let key = self.key(owner, rtype)?;
        let before = snapshot.get(&key.name, key.rtype).cloned();
        let ttl = match ttl.and_then(Ttl::from_secs) {
            Some(ttl) => self.provider.capabilities().ttl.nearest(ttl),
            None => before.as_ref().and_then(|set| set.ttl),
        };
        let after = self.rrset(&key, ttl, values)?.map(|mut set| {
            for value in &mut set.values {
                let known = before.iter().flat_map(|before| &before.values);
                if let Some(known) = known.into_iter().find(|known| known.rdata == value.rdata) {
                    *value = known.clone();
                }
            }
            set
        });
        RRsetChange::new(before, after).ok_or_else(|| Stop::Failed(format!("{key}: nothing before and after")))
    }

    /// Somebody else sets or (without values) deletes an RRset.
    pub(crate) async fn somebody_else(&self, owner: &str, rtype: &str, ttl: u32, values: &[&str]) -> Check {
        let key = self.key(owner, rtype)?;
        let after = self.rrset(&key, Ttl::from_secs(ttl), values)?;
        self.harness.edit(&self.zone, &key, after.as_ref()).await;
        Ok(())
    }

    /// Hands the batch over, unless the provider refuses one of the changes before.
    pub(crate) async fn apply(&self, changes: &[RRsetChange]) -> Check<Receipt> {
        for change in changes {
            if let Some(refusal) = self.provider.refuse(change).first() {
                return Err(Stop::Skipped(refusal.message.clone()));
            }
        }
        let receipt = self.provider.apply(&self.zone, &Batch { changes: changes.to_vec() }).await;
        let receipt = receipt.map_err(|error| Stop::Failed(format!("apply failed: {error} ({})", error.remedy)))?;
        ensure(receipt.results.len() == changes.len(), || {
            format!("{} results for {} changes", receipt.results.len(), changes.len())
        })?;
        let settled = self.provider.settle(&self.zone, &receipt).await;
        settled.map_err(|error| Stop::Failed(format!("settle failed: {error}")))?;
        Ok(receipt)
    }

    /// Hands the batch over and expects these outcomes.
    pub(crate) async fn apply_expecting(&self, changes: &[RRsetChange], expected: &[Outcome]) -> Check {
        let receipt = self.apply(changes).await?;
        let outcomes: Vec<_> = receipt.results.iter().map(|result| result.outcome).collect();
        ensure(outcomes == expected, || format!("outcomes {outcomes:?} ({:?}), expected {expected:?}", receipt.results))
    }

    /// The heart of the suite: applies, reads back, compares what was wanted and what was not to be
    /// touched, and applies again, which must write nothing.
    pub(crate) async fn change(&self, changes: &[RRsetChange]) -> Check<View> {
        let before = self.view().await?;
        self.apply_expecting(changes, &vec![Outcome::Applied; changes.len()]).await?;
        let after = self.view().await?;
        for change in changes {
            wanted(change, &before, &after)?;
        }
        let touched = |key: &RRsetKey| changes.iter().any(|c| *c.name() == key.name && c.rtype() == key.rtype);
        untouched(&before, &after, &touched)?;
        self.apply_expecting(changes, &vec![Outcome::Already; changes.len()]).await?;
        self.unchanged_since(&after).await?;
        Ok(after)
    }

    /// Nothing was written since, not even a serial number.
    pub(crate) async fn unchanged_since(&self, before: &View) -> Check {
        let now = self.view().await?;
        ensure(now.stored == before.stored, || format!("something was written: {}", differences(before, &now)))?;
        untouched(before, &now, &|_| false)
    }

    fn key(&self, owner: &str, rtype: &str) -> Check<RRsetKey> {
        let rtype = rtype.parse().map_err(|_| Stop::Failed(format!("no type: {rtype}")))?;
        Ok(RRsetKey { name: name(owner, Some(&self.zone.name))?, rtype })
    }

    fn rrset(&self, key: &RRsetKey, ttl: Option<Ttl>, values: &[&str]) -> Check<Option<RRset>> {
        let mut parsed = Vec::with_capacity(values.len());
        for text in values {
            let rdata = parse_rdata_text(key.rtype, text, None);
            parsed
                .push(Value::from(rdata.map_err(|error| Stop::Failed(format!("no {}: {text}: {error}", key.rtype)))?));
        }
        Ok((!parsed.is_empty()).then(|| RRset::new(key.name.clone(), key.rtype, ttl, parsed)))
    }
}

fn name(text: &str, origin: Option<&Name>) -> Check<Name> {
    let origin = origin.cloned().unwrap_or_else(Name::root);
    Name::parse_in(text, Some(&origin)).map_err(|error| Stop::Failed(format!("no name: {text}: {error}")))
}

/// The set is as the change wants it, and the values that it keeps are in the spelling they had.
fn wanted(change: &RRsetChange, before: &View, after: &View) -> Check {
    let key = RRsetKey { name: change.name().clone(), rtype: change.rtype() };
    let live = after.snapshot.get(&key.name, key.rtype);
    let (Some(want), Some(live)) = (change.after(), live) else {
        ensure(change.after().is_none() && live.is_none(), || {
            format!("{key} is {live:?}, expected {:?}", change.after())
        })?;
        return ensure(!after.stored.contains_key(&key), || format!("{key} is gone but stored"));
    };
    ensure(want.same_data(live), || format!("{key} is {:?}, expected {:?}", live.values, want.values))?;
    ensure(want.ttl.is_none() || want.ttl == live.ttl, || {
        format!("{key} has TTL {:?}, expected {:?}", live.ttl, want.ttl)
    })?;

    // A record that is there twice is one value.
    let kept = change.before().map_or(0, |old| {
        let kept = old.values.iter().map(|value| &value.rdata);
        kept.filter(|old| want.values.iter().any(|new| new.rdata == **old)).collect::<BTreeSet<_>>().len()
    });
    let texts = |view: &View| view.stored.get(&key).cloned().unwrap_or_default();
    let (old, mut new) = (texts(before), texts(after));
    let same =
        old.iter().filter(|text| new.iter().position(|t| t == *text).map(|at| new.swap_remove(at)).is_some()).count();
    ensure(same >= kept, || format!("{key}: {kept} values were to be kept, {same} are: {}", differences(before, after)))
}

/// All other sets are what they were: data, order, TTL, case of the name, spelling. Only the SOA may have
/// another serial.
pub(crate) fn untouched(before: &View, after: &View, touched: &dyn Fn(&RRsetKey) -> bool) -> Check {
    let foreign = |view: &View| -> Vec<RRset> {
        let sets = view.snapshot.rrsets().iter();
        sets.filter(|set| set.rtype != RecordType::SOA && !touched(&set.key())).cloned().collect()
    };
    let (old, new) = (foreign(before), foreign(after));
    ensure(old.len() == new.len(), || {
        format!("{} other sets became {}: {}", old.len(), new.len(), differences(before, after))
    })?;
    for (old, new) in old.iter().zip(&new) {
        ensure(old == new && old.name.eq_case(&new.name), || format!("{} changed from {old:?} to {new:?}", old.key()))?;
    }
    let foreign = |view: &View| -> BTreeMap<RRsetKey, Vec<String>> {
        let mut stored = view.stored.clone();
        stored.retain(|key, _| key.rtype != RecordType::SOA && !touched(key));
        stored
    };
    ensure(foreign(before) == foreign(after), || format!("other records changed: {}", differences(before, after)))
}

fn differences(before: &View, after: &View) -> String {
    let mut lines = Vec::new();
    for (sign, from, to) in [("-", before, after), ("+", after, before)] {
        for (key, texts) in &from.stored {
            if to.stored.get(key) != Some(texts) {
                lines.push(format!("{sign} {key} {texts:?}"));
            }
        }
    }
    lines.join("\n    ")
}
