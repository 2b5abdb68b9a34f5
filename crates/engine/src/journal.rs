//! The journal: what a run meant to write before each request, and what became of it.
//!
//! One JSON object a line. An `intent` is on the disk before the request goes out; the `outcome` with
//! the same `id` follows. An intent without an outcome is a run that was cut off: the zone itself tells
//! what happened, and the next `apply` starts from there. No entry holds a secret.

use std::collections::{BTreeMap, HashMap};

use mailzone_plan::document::{ChangeDoc, SetDoc, SideEffectDoc};
use mailzone_plan::{Claim, Own, PlannedChange, Target};
use mailzone_provider::{Outcome, ProviderId, Receipt, Zone};
use mailzone_record::{Name, RRsetKey, RecordType};
use serde::{Deserialize, Serialize};

/// The journal's format.
pub const JOURNAL_VERSION: u32 = 1;

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Entry {
    /// About to write.
    Intent(Intent),
    /// Written, refused, or not known.
    Outcome(OutcomeEntry),
}

/// What is about to be written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Intent {
    pub version: u32,
    /// The run, shared by all its entries; `rollback` names it.
    pub run: String,
    /// The run, the provider, the zone and a number in it.
    pub id: String,
    /// RFC 3339.
    pub at: String,
    pub provider: String,
    pub zone: String,
    pub zone_id: String,
    pub changes: Vec<JournalChange>,
}

/// One RRset of an intent: values in presentation format, the foreign ones apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct JournalChange {
    pub name: String,
    #[serde(rename = "type")]
    pub rtype: String,
    pub slots: Vec<String>,
    pub before: Option<SetDoc>,
    pub after: Option<SetDoc>,
    /// The foreign values, in both.
    pub kept: Vec<String>,
    /// Whose the other values are, for `rollback`; empty in entries of earlier versions, and of a foreign CNAME that
    /// was replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<JournalClaim>,
}

/// One claim on an RRset of an intent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of a claim")]
pub struct JournalClaim {
    pub domain: String,
    pub slot: String,
    pub own: JournalOwn,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_name: bool,
    /// Owner name and type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relies_on: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub relies_always: bool,
}

/// Which values of an RRset a claim owned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JournalOwn {
    /// All.
    RRset,
    /// Those that a receiver would select.
    Candidates,
    /// CAA records with one of these property tags.
    Tags(Vec<String>),
    /// Those that the claim lists.
    Values,
}

/// What became of an intent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct OutcomeEntry {
    pub version: u32,
    pub run: String,
    pub id: String,
    pub at: String,
    /// One for each change of the intent, in its order.
    pub outcomes: Vec<String>,
    /// What the provider said when it failed as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What the provider did to foreign records by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub side_effects: Vec<SideEffectDoc>,
}

/// One run, as `mailzone history` lists it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Run {
    pub id: String,
    pub at: String,
    pub zones: Vec<String>,
    /// Changes that the run meant to write.
    pub changes: usize,
    /// Those of them that the provider confirmed.
    pub applied: usize,
    /// Whether every intent has an outcome: `false` for a run that was cut off.
    pub complete: bool,
}

impl Intent {
    /// The intent to write these changes.
    pub fn new(
        run: &str,
        number: usize,
        at: String,
        provider: &ProviderId,
        zone: &Zone,
        changes: &[&PlannedChange],
        targets: &[Target],
    ) -> Self {
        let targets: HashMap<&RRsetKey, &Target> = targets.iter().map(|target| (&target.key, target)).collect();
        let changes = changes
            .iter()
            .map(|planned| {
                let doc = ChangeDoc::new(planned);
                let claims = targets.get(&planned.key()).into_iter().flat_map(|target| &target.claims);
                JournalChange {
                    name: doc.name,
                    rtype: doc.rtype,
                    slots: doc.slots,
                    before: doc.before,
                    after: doc.after,
                    kept: doc.kept,
                    claims: claims.map(JournalClaim::new).collect(),
                }
            })
            .collect();
        Self {
            version: JOURNAL_VERSION,
            run: run.to_owned(),
            id: format!("{run}/{provider}/{}/{number}", zone.id),
            at,
            provider: provider.to_string(),
            zone: zone.name.to_lowercase().to_text_without_dot(),
            zone_id: zone.id.to_string(),
            changes,
        }
    }
}

impl OutcomeEntry {
    /// What became of `intent`.
    pub fn new(intent: &Intent, at: String, receipt: &Receipt, error: Option<String>) -> Self {
        Self {
            version: JOURNAL_VERSION,
            run: intent.run.clone(),
            id: intent.id.clone(),
            at,
            outcomes: receipt.results.iter().map(|result| outcome_text(result.outcome).to_owned()).collect(),
            error,
            side_effects: receipt.side_effects.iter().filter_map(SideEffectDoc::new).collect(),
        }
    }
}

impl JournalClaim {
    fn new(claim: &Claim) -> Self {
        Self {
            domain: claim.domain.to_lowercase().to_text_without_dot(),
            slot: claim.slot.to_string(),
            own: match &claim.own {
                Own::RRset => JournalOwn::RRset,
                Own::Candidates => JournalOwn::Candidates,
                Own::CaaTags(tags) => JournalOwn::Tags(tags.clone()),
                Own::Values(_) => JournalOwn::Values,
            },
            own_name: claim.own_name,
            relies_on: claim.relies_on.iter().map(ToString::to_string).collect(),
            relies_always: claim.relies_always,
        }
    }
}

/// The runs of a journal, newest first.
pub fn runs(entries: &[Entry]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut open: Vec<(String, String)> = Vec::new();
    for entry in entries {
        match entry {
            Entry::Intent(intent) => {
                open.push((intent.run.clone(), intent.id.clone()));
                let run = match runs.iter_mut().find(|run| run.id == intent.run) {
                    Some(run) => run,
                    None => {
                        runs.push(Run {
                            id: intent.run.clone(),
                            at: intent.at.clone(),
                            zones: Vec::new(),
                            changes: 0,
                            applied: 0,
                            complete: true,
                        });
                        let last = runs.len() - 1;
                        &mut runs[last]
                    }
                };
                if !run.zones.contains(&intent.zone) {
                    run.zones.push(intent.zone.clone());
                }
                run.changes += intent.changes.len();
            }
            Entry::Outcome(outcome) => {
                open.retain(|(_, id)| *id != outcome.id);
                if let Some(run) = runs.iter_mut().find(|run| run.id == outcome.run) {
                    let confirmed = |text: &&String| matches!(text.as_str(), "applied" | "already");
                    run.applied += outcome.outcomes.iter().filter(confirmed).count();
                }
            }
        }
    }
    for run in &mut runs {
        run.zones.sort();
        run.complete = !open.iter().any(|(id, _)| *id == run.id);
    }
    runs.reverse();
    runs
}

/// The RRsets that the journal knows as written, with the time of the latest write (seconds since 1970) and the values
/// it left, sorted.
pub fn written(entries: &[Entry]) -> BTreeMap<RRsetKey, (i64, Vec<String>)> {
    let mut intents: HashMap<&str, &Intent> = HashMap::new();
    let mut written = BTreeMap::new();
    for entry in entries {
        let outcome = match entry {
            Entry::Intent(intent) => {
                intents.insert(&intent.id, intent);
                continue;
            }
            Entry::Outcome(outcome) => outcome,
        };
        let (Some(intent), Ok(at)) = (intents.get(outcome.id.as_str()), outcome.at.parse::<jiff::Timestamp>()) else {
            continue;
        };
        for (change, word) in intent.changes.iter().zip(&outcome.outcomes) {
            let (Ok(name), Ok(rtype)) = (Name::parse(&change.name), change.rtype.parse::<RecordType>()) else {
                continue;
            };
            let mut values = change.after.as_ref().map(|set| set.values.clone()).unwrap_or_default();
            values.sort();
            if word == "applied" {
                written.insert(RRsetKey { name, rtype }, (at.as_second(), values));
            }
        }
    }
    written
}

/// The word of `design.md` section 8; a stale set was skipped.
pub fn outcome_text(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Applied => "applied",
        Outcome::Already => "already",
        Outcome::Failed => "failed",
        Outcome::Unknown => "unknown",
        Outcome::Stale | Outcome::Skipped => "skipped",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(run: &str, number: usize, zone: &str) -> Entry {
        let set = SetDoc { ttl: Some(300), values: vec!["\"v=spf1 -all\"".into()] };
        Entry::Intent(Intent {
            version: 1,
            run: run.into(),
            id: format!("{run}.{number}"),
            at: "2026-01-02T03:04:05Z".into(),
            provider: "files".into(),
            zone: zone.into(),
            zone_id: zone.into(),
            changes: vec![JournalChange {
                name: format!("{zone}."),
                rtype: "TXT".into(),
                slots: vec!["spf".into()],
                before: None,
                after: Some(set),
                kept: vec![],
                claims: vec![JournalClaim {
                    domain: zone.into(),
                    slot: "spf".into(),
                    own: JournalOwn::Tags(vec!["issue".into()]),
                    own_name: true,
                    relies_on: vec![format!("{zone}. MX")],
                    relies_always: true,
                }],
            }],
        })
    }

    fn outcome(run: &str, number: usize, text: &str) -> Entry {
        Entry::Outcome(OutcomeEntry {
            version: 1,
            run: run.into(),
            id: format!("{run}.{number}"),
            at: "2026-01-02T03:04:06Z".into(),
            outcomes: vec![text.into()],
            error: None,
            side_effects: vec![SideEffectDoc {
                name: "example.com.".into(),
                rtype: "MX".into(),
                before: None,
                after: None,
                message: "gone".into(),
                remedy: "put it back".into(),
            }],
        })
    }

    /// Lines as the first version wrote them.
    #[test]
    fn old_entries_read() {
        let intent = r#"{"event":"intent","version":1,"run":"r","id":"r/p/z/1","at":"t","provider":"p","zone":"z","zone_id":"z","changes":[{"name":"z.","type":"TXT","slots":["spf"],"before":null,"after":{"ttl":300,"values":["\"v=spf1 -all\""]},"kept":[]}]}"#;
        let outcome = r#"{"event":"outcome","version":1,"run":"r","id":"r/p/z/1","at":"t","outcomes":["applied"]}"#;
        let entries: Vec<Entry> = [intent, outcome].iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [Entry::Intent(intent), Entry::Outcome(outcome)] = entries.as_slice() else { unreachable!("{entries:?}") };
        assert!(intent.changes[0].claims.is_empty() && outcome.side_effects.is_empty());
        assert_eq!(runs(&entries)[0].applied, 1);
    }

    #[test]
    fn a_cut_off_run_is_not_complete() {
        let entries = [
            intent("a", 1, "example.com"),
            outcome("a", 1, "applied"),
            intent("b", 1, "example.com"),
            outcome("b", 1, "failed"),
            intent("b", 2, "example.org"),
        ];
        let runs = runs(&entries);
        assert_eq!(
            runs.iter().map(|r| (r.id.as_str(), r.changes, r.applied, r.complete)).collect::<Vec<_>>(),
            [("b", 2, 0, false), ("a", 1, 1, true)]
        );
        assert_eq!(runs[0].zones, ["example.com", "example.org"]);
    }

    #[test]
    fn an_entry_reads_back() {
        for entry in [intent("a", 1, "example.com"), outcome("a", 1, "unknown")] {
            let line = serde_json::to_string(&entry).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Entry>(&line).unwrap(), entry);
        }
    }
}
