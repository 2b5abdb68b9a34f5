//! Applying a saved plan: the plan of today, narrowed to what was reviewed.

use std::collections::HashMap;

use mailzone_plan::document::{ErrorDoc, ZoneDoc};
use mailzone_plan::{Document, SavedDifference, compare_saved};

use crate::apply::Stop;
use crate::exit::Code;
use crate::plan::PlanRun;

/// A zone whose saved plan no longer fits.
#[derive(Debug, Clone)]
pub struct StaleZone {
    /// The zone.
    pub zone: String,
    /// What stands between the saved plan and today.
    pub differences: Vec<SavedDifference>,
}

/// Leaves only the zones of `saved` in the run, and stops those in which today's plan is another than the
/// saved one. Zones that failed or were stopped when the plan was saved stay as they are today.
pub fn narrow(run: &mut PlanRun, saved: &Document) -> (HashMap<usize, Stop>, Vec<StaleZone>) {
    let same_zone = |a: &ZoneDoc, b: &ZoneDoc| a.zone == b.zone && a.zone_id == b.zone_id && a.provider == b.provider;
    let in_saved = |today: &ZoneDoc| saved.zones.iter().find(|doc| same_zone(doc, today));
    run.zones.retain(|zone| in_saved(&zone.document()).is_some());
    run.homeless
        .retain(|doc| saved.zones.iter().any(|known| known.domains.iter().any(|domain| doc.domains.contains(domain))));
    let gone: Vec<ZoneDoc> =
        saved.zones.iter().filter(|doc| is_gone(doc, run, same_zone)).map(no_longer_asked).collect();
    run.homeless.extend(gone);
    let mut stops = HashMap::new();
    let mut stale = Vec::new();
    for (at, zone) in run.zones.iter().enumerate() {
        let today = zone.document();
        if today.error.is_some() {
            continue;
        }
        let Some(planned) = in_saved(&today) else { continue };
        let differences = compare_saved(planned, &today);
        if differences.is_empty() {
            continue;
        }
        let message =
            "the plan is stale: the zone or the configuration changed since it was made; nothing was written".into();
        stops.insert(at, Stop { code: Code::Stale, message });
        stale.push(StaleZone { zone: today.label().to_owned(), differences });
    }
    (stops, stale)
}

/// Whether nothing of the run stands for a zone that the saved plan changes.
fn is_gone(doc: &ZoneDoc, run: &PlanRun, same_zone: impl Fn(&ZoneDoc, &ZoneDoc) -> bool) -> bool {
    let known = run.zones.iter().any(|zone| same_zone(doc, &zone.document()));
    let homeless = run.homeless.iter().any(|lost| lost.domains.iter().any(|domain| doc.domains.contains(domain)));
    !doc.changes.is_empty() && !known && !homeless
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
