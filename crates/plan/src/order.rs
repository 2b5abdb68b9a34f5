//! The order of changes: a relation between slots of the desired state (`design.md` section 9).

use std::collections::HashMap;

use mailzone_record::RRsetKey;

use crate::{Need, PlannedChange, Target, ZonePlan};

/// Gives every change its needs and its stage, over all zones of a run.
///
/// A change that tightens or takes away goes out after the changes that it relies on; what it relies on
/// and this plan does not change is a need all the same, for an earlier run may have written it and no
/// server serve it yet.
///
/// `elsewhere` gives the target of an RRset that none of `zones` claims, because its domain was not selected
/// or its zone not found.
pub fn resolve_needs(zones: &mut [ZonePlan], elsewhere: &dyn Fn(&RRsetKey) -> Option<Target>) {
    let places = places(zones);
    let mut needs: Vec<(usize, usize, Vec<Need>)> = Vec::new();
    for (z, plan) in zones.iter().enumerate() {
        for (c, change) in plan.changes.iter().enumerate() {
            let own = (change.change.name(), change.change.rtype());
            let found: Vec<Need> = change
                .relies_on
                .iter()
                .filter(|key| (&key.name, key.rtype) != own)
                .filter_map(|key| need(key, zones, &places, elsewhere))
                .collect();
            needs.push((z, c, found));
        }
    }
    for (z, c, found) in needs {
        zones[z].changes[c].needs = found;
    }
    for plan in zones.iter_mut() {
        share_needs(&mut plan.changes);
    }
    stages(zones, &places);
    for plan in zones {
        plan.changes.sort_by(|a, b| {
            (a.stage, a.change.name()).cmp(&(b.stage, b.change.name())).then_with(|| {
                // Within a name the deletion of a CNAME (or before one) was put first already.
                b.with_next.cmp(&a.with_next)
            })
        });
    }
}

/// Changes of one unit go out together, so each needs what the others need.
fn share_needs(changes: &mut [PlannedChange]) {
    let mut start = 0;
    while start < changes.len() {
        let length = changes[start..].iter().take_while(|change| change.with_next).count() + 1;
        let end = (start + length).min(changes.len());
        if end - start > 1 {
            let all: Vec<Need> = changes[start..end].iter().flat_map(|change| change.needs.iter().cloned()).collect();
            for change in &mut changes[start..end] {
                change.needs.clone_from(&all);
            }
        }
        start = end;
    }
}

/// Where an RRset is claimed: the zone, its target and its change.
struct Place {
    zone: usize,
    target: usize,
    change: Option<usize>,
}

fn places(zones: &[ZonePlan]) -> HashMap<RRsetKey, Place> {
    let mut places = HashMap::new();
    for (zone, plan) in zones.iter().enumerate() {
        for (target, t) in plan.targets.iter().enumerate() {
            places.insert(t.key.clone(), Place { zone, target, change: None });
        }
        for (c, change) in plan.changes.iter().enumerate() {
            let key = RRsetKey { name: change.change.name().clone(), rtype: change.change.rtype() };
            if let Some(place) = places.get_mut(&key) {
                place.change = Some(c);
            }
        }
    }
    places
}

fn need(
    key: &RRsetKey,
    zones: &[ZonePlan],
    places: &HashMap<RRsetKey, Place>,
    elsewhere: &dyn Fn(&RRsetKey) -> Option<Target>,
) -> Option<Need> {
    match places.get(key) {
        Some(place) => {
            let plan = &zones[place.zone];
            let target = plan.targets[place.target].clone();
            Some(Need { zone: Some(plan.zone.name.clone()), target, pending: place.change.is_some() })
        }
        None => elsewhere(key).map(|target| Need { zone: None, target, pending: false }),
    }
}

/// Raises each change's stage above those of the changes that it needs. A circle (which no configuration
/// can make, for reliance goes from policies to keys to addresses) would end at the number of changes.
fn stages(zones: &mut [ZonePlan], places: &HashMap<RRsetKey, Place>) {
    let changes: usize = zones.iter().map(|plan| plan.changes.len()).sum();
    for _ in 0..=changes {
        let mut raised = false;
        for z in 0..zones.len() {
            for c in 0..zones[z].changes.len() {
                let change = &zones[z].changes[c];
                let mut stage = change.stage;
                for need in change.needs.iter().filter(|need| need.pending) {
                    let Some(place) = places.get(&need.target.key) else { continue };
                    if let Some(needed) = place.change {
                        stage = stage.max(zones[place.zone].changes[needed].stage + 1);
                    }
                }
                if change.with_next
                    && let Some(next) = zones[z].changes.get(c + 1)
                {
                    stage = stage.max(next.stage);
                }
                if c > 0 && zones[z].changes[c - 1].with_next {
                    stage = stage.max(zones[z].changes[c - 1].stage);
                }
                if stage > zones[z].changes[c].stage {
                    zones[z].changes[c].stage = stage;
                    raised = true;
                }
            }
        }
        if !raised {
            break;
        }
    }
}
