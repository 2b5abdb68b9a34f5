//! The order of changes: a relation between slots of the desired state (`design.md` section 9).

use std::collections::{HashMap, HashSet};

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
    let left_out: HashSet<&RRsetKey> = zones.iter().flat_map(|plan| &plan.left_out).collect();
    let mut needs: Vec<(usize, usize, Vec<Need>)> = Vec::new();
    for (z, plan) in zones.iter().enumerate() {
        for (c, change) in plan.changes.iter().enumerate() {
            let own = (change.change.name(), change.change.rtype());
            let found: Vec<Need> = change
                .relies_on
                .iter()
                .filter(|key| (&key.name, key.rtype) != own)
                .filter_map(|key| need(key, zones, &places, &left_out, elsewhere))
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
    break_circles(zones, &places);
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
    left_out: &HashSet<&RRsetKey>,
    elsewhere: &dyn Fn(&RRsetKey) -> Option<Target>,
) -> Option<Need> {
    match places.get(key) {
        Some(place) => {
            let plan = &zones[place.zone];
            let target = plan.targets[place.target].clone();
            Some(Need { zone: Some(plan.zone.name.clone()), target, pending: place.change.is_some() })
        }
        // What was left out is nowhere and never will be.
        None if left_out.contains(key) => None,
        None => elsewhere(key).map(|target| Need { zone: None, target, pending: false }),
    }
}

/// Drops the needs that close a circle: both addresses of a host change, or the keys of two selectors. Whichever
/// is dropped, one of them has to go first; the other still waits for it.
fn break_circles(zones: &mut [ZonePlan], places: &HashMap<RRsetKey, Place>) {
    let starts: Vec<usize> = zones
        .iter()
        .scan(0, |next, plan| {
            let start = *next;
            *next += plan.changes.len();
            Some(start)
        })
        .collect();
    // Changes of one unit (a CNAME and what replaces it) go out together: they are one node, the first of them.
    let mut node: Vec<usize> = Vec::new();
    for plan in zones.iter() {
        for (c, _) in plan.changes.iter().enumerate() {
            let joined = c > 0 && plan.changes[c - 1].with_next;
            node.push(if joined { node[node.len() - 1] } else { node.len() });
        }
    }
    let target = |need: &Need| {
        let place = need.pending.then(|| places.get(&need.target.key)).flatten()?;
        Some(node[starts[place.zone] + place.change?])
    };
    let mut edges: Vec<Vec<usize>> = vec![Vec::new(); node.len()];
    for (z, plan) in zones.iter().enumerate() {
        for (c, change) in plan.changes.iter().enumerate() {
            edges[node[starts[z] + c]].extend(change.needs.iter().filter_map(target));
        }
    }
    for z in 0..zones.len() {
        for c in 0..zones[z].changes.len() {
            let from = node[starts[z] + c];
            zones[z].changes[c].needs.retain(|need| {
                let Some(to) = target(need) else { return true };
                let closes = leads_to(to, from, &edges);
                if closes && let Some(at) = edges[from].iter().position(|&edge| edge == to) {
                    edges[from].swap_remove(at);
                }
                !closes
            });
        }
    }
}

fn leads_to(from: usize, to: usize, edges: &[Vec<usize>]) -> bool {
    let mut seen = HashSet::from([from]);
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        open.extend(edges[at].iter().filter(|&&next| seen.insert(next)));
    }
    false
}

/// Raises each change's stage above those of the changes that it needs.
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
