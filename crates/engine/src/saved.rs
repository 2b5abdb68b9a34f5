//! Applying a saved plan: the plan of today, narrowed to what was reviewed.

use std::collections::{BTreeMap, HashMap, HashSet};

use mailzone_plan::document::{ChangeDoc, ErrorDoc, SetDoc, ZoneDoc};
use mailzone_plan::{Document, PlannedChange, SavedDifference, ZonePlan, compare_saved, stops};
use mailzone_provider::{RRsetChange, Snapshot, Zone};
use mailzone_record::{Name, RRsetKey};

use crate::apply::Stop;
use crate::exit::Code;
use crate::plan::{GUARD_SIDE, PlanRun, PlannedZone};

/// A zone whose saved plan no longer fits.
#[derive(Debug, Clone)]
pub struct StaleZone {
    /// The zone.
    pub zone: String,
    /// What stands between the saved plan and today.
    pub differences: Vec<SavedDifference>,
}

/// How a zone stands to a change of a saved plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The RRset is as the plan leads to.
    Done,
    /// The RRset is as the plan started from.
    AsPlanned,
    /// The RRset is something else.
    Other,
}

/// How a zone stands to each change that the saved plan has for it, by the change's id.
pub(crate) fn standings(
    saved: &Document,
    provider: &str,
    zone: &Zone,
    snapshot: &Snapshot,
) -> BTreeMap<String, Standing> {
    let label = Some(zone.name.to_lowercase().to_text_without_dot());
    let ours = |doc: &&ZoneDoc| {
        doc.zone == label && doc.zone_id.as_deref() == Some(zone.id.as_str()) && doc.provider == provider
    };
    let changes = saved.zones.iter().filter(ours).flat_map(|doc| &doc.changes);
    changes
        .map(|change| {
            let found = Name::parse(&change.name).ok().zip(change.rtype.parse().ok());
            let live = found.and_then(|(name, rtype)| snapshot.get(&name, rtype)).map(SetDoc::new);
            let standing = if live == change.after {
                Standing::Done
            } else if live == change.before {
                Standing::AsPlanned
            } else {
                Standing::Other
            };
            (change.id.clone(), standing)
        })
        .collect()
}

/// Leaves only what `saved` holds in the run: its zones, and in them its changes. Stops zones in which an
/// RRset to be changed, or what the configuration asks for, is another than when the plan was saved. Zones
/// that failed or were stopped when the plan was saved stay as they are today.
pub fn narrow(run: &mut PlanRun, saved: &Document) -> (HashMap<usize, Stop>, Vec<StaleZone>) {
    let in_saved: HashMap<ZoneKey, &ZoneDoc> = saved.zones.iter().map(|doc| (key_of_doc(doc), doc)).collect();
    run.zones.retain(|zone| in_saved.contains_key(&key_of(zone)));
    let saved_domains: HashSet<&String> = saved.zones.iter().flat_map(|doc| &doc.domains).collect();
    run.homeless.retain(|doc| doc.domains.iter().any(|domain| saved_domains.contains(domain)));
    let known: HashSet<ZoneKey> = run.zones.iter().map(key_of).collect();
    let homeless: HashSet<String> = run.homeless.iter().flat_map(|doc| doc.domains.iter().cloned()).collect();
    let is_gone = |doc: &&ZoneDoc| {
        let lost = doc.domains.iter().any(|domain| homeless.contains(domain));
        !doc.changes.is_empty() && !known.contains(&key_of_doc(doc)) && !lost
    };
    run.homeless.extend(saved.zones.iter().filter(is_gone).map(no_longer_asked));

    let mut stopped = HashMap::new();
    let mut stale = Vec::new();
    let mut dropped: HashSet<RRsetKey> = HashSet::new();
    for (at, zone) in run.zones.iter_mut().enumerate() {
        let Some(planned) = in_saved.get(&key_of(zone)) else { continue };
        let today = zone.document();
        if today.error.is_some() {
            continue;
        }
        let mut differences = compare_saved(planned, &today);
        differences.extend(gone_elsewhere(planned, &today, &zone.saved));
        if differences.iter().all(|difference| matches!(difference, SavedDifference::NotInPlan { .. })) {
            differences = leave_out(&mut zone.plan, differences, &mut dropped);
            retain_side_effects(zone);
        }
        if differences.is_empty() {
            continue;
        }
        let message =
            "the plan is stale: the zone or the configuration changed since it was made; nothing was written".into();
        stopped.insert(at, Stop { code: Code::Stale, message });
        stale.push(StaleZone { zone: today.label().to_owned(), differences });
    }
    // What this run does not write is relied on as it is.
    for change in run.zones.iter_mut().flat_map(|zone| &mut zone.plan.changes) {
        for need in change.needs.iter_mut().filter(|need| dropped.contains(&need.target.key)) {
            need.pending = false;
        }
    }
    (stopped, stale)
}

/// The changes of a saved plan that were carried out before: the RRset is as the plan leads to.
pub fn done_already(saved: &Document, run: &PlanRun, today: &Document) -> Vec<(usize, ChangeDoc)> {
    let by_key: HashMap<ZoneKey, &ZoneDoc> = saved.zones.iter().map(|doc| (key_of_doc(doc), doc)).collect();
    let standing: HashMap<ZoneKey, &BTreeMap<String, Standing>> =
        run.zones.iter().map(|zone| (key_of(zone), &zone.saved)).collect();
    let mut done = Vec::new();
    for (at, zone) in today.zones.iter().enumerate().filter(|(_, zone)| zone.error.is_none()) {
        let key = key_of_doc(zone);
        let (Some(planned), Some(standing)) = (by_key.get(&key), standing.get(&key)) else { continue };
        let finished = planned.changes.iter().filter(|change| standing.get(&change.id) == Some(&Standing::Done));
        let unlisted = finished.filter(|change| zone.changes.iter().all(|now| now.id != change.id));
        done.extend(unlisted.map(|change| (at, change.clone())));
    }
    done
}

/// Changes of the saved plan that today's plan does not have, although the RRset is not as the plan leads to.
fn gone_elsewhere(planned: &ZoneDoc, today: &ZoneDoc, standing: &BTreeMap<String, Standing>) -> Vec<SavedDifference> {
    let absent = planned.changes.iter().filter(|change| today.changes.iter().all(|now| now.id != change.id));
    let undone = absent.filter(|change| standing.get(&change.id) != Some(&Standing::Done));
    undone.map(|change| SavedDifference::Gone { id: change.id.clone() }).collect()
}

/// Zone, the provider's identifier, provider.
type ZoneKey = (Option<String>, Option<String>, String);

fn key_of(zone: &PlannedZone) -> ZoneKey {
    let name = zone.plan.zone.name.to_lowercase().to_text_without_dot();
    (Some(name), Some(zone.plan.zone.id.to_string()), zone.provider_name.clone())
}

fn key_of_doc(doc: &ZoneDoc) -> ZoneKey {
    (doc.zone.clone(), doc.zone_id.clone(), doc.provider.clone())
}

/// Takes changes that were not reviewed out of the plan. Gives those that cannot go alone, because a change
/// that was reviewed excludes them.
fn leave_out(
    plan: &mut ZonePlan,
    unknown: Vec<SavedDifference>,
    dropped: &mut HashSet<RRsetKey>,
) -> Vec<SavedDifference> {
    let names = |change: &PlannedChange| {
        unknown.iter().any(
            |difference| matches!(difference, SavedDifference::NotInPlan { id } if *id == ChangeDoc::new(change).id),
        )
    };
    let leaves: Vec<bool> = plan.changes.iter().map(names).collect();
    let torn = (1..leaves.len()).any(|at| plan.changes[at - 1].with_next && leaves[at - 1] != leaves[at]);
    if torn {
        return unknown;
    }
    let mut at = 0;
    plan.changes.retain(|change| {
        at += 1;
        if leaves[at - 1] {
            dropped.insert(RRsetKey { name: change.change.name().clone(), rtype: change.change.rtype() });
        }
        !leaves[at - 1]
    });
    // What is not written is not waited for, and guards about it stop nothing.
    plan.targets.retain(|target| !dropped.contains(&target.key));
    let still = |subject: &str| plan.changes.iter().any(|change| change.change.name().to_string() == subject);
    let gone = |subject: &str| dropped.iter().any(|key| key.name.to_string() == subject) && !still(subject);
    plan.findings.retain(|finding| !(stops(finding) && gone(&finding.subject)));
    Vec::new()
}

/// Of the side effects that stop the zone those that the changes left in the plan are expected to have.
fn retain_side_effects(zone: &mut PlannedZone) {
    let Some(held) = &zone.held else { return };
    let changes: Vec<RRsetChange> = zone.plan.changes.iter().map(|planned| planned.change.clone()).collect();
    let expected = if changes.is_empty() { Vec::new() } else { zone.provider.side_effects(held, &changes) };
    let expected: HashSet<String> = expected.into_iter().map(|effect| effect.key.to_string()).collect();
    zone.plan.findings.retain(|finding| finding.code != GUARD_SIDE || expected.contains(&finding.subject));
}

fn no_longer_asked(doc: &ZoneDoc) -> ZoneDoc {
    let error = ErrorDoc {
        kind: "configuration".into(),
        message: format!(
            "the saved plan changes {} at {}, and the configuration no longer asks for anything there",
            doc.label(),
            doc.provider
        ),
        remedy: "make a new plan".into(),
    };
    ZoneDoc { error: Some(error), changes: Vec::new(), ..doc.clone() }
}
