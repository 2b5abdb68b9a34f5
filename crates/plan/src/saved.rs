//! Saved plans. A plan file is never trusted: it can only narrow what the configuration asks for
//! (`design.md` section 8).

use crate::document::{Document, FORMAT_VERSION, SetDoc, ZoneDoc, digest_of};

/// Why a plan file cannot be used. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SavedPlanError {
    /// Not the JSON of a plan.
    #[error("not a plan file: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Written by a newer mailzone.
    #[error("plan file of format {found}; this mailzone reads up to {FORMAT_VERSION}")]
    Newer {
        /// Its format version.
        found: u32,
    },
    /// Its digest is missing or does not match: it was edited, or cut off.
    #[error("the plan file was changed after it was written: its digest does not match")]
    Edited,
    /// Made from the DNS and not from a provider.
    #[error("the plan was made from what the DNS answers, not from the provider")]
    FromDns,
}

/// The first thing that tells two plans of a zone apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The configuration asks for something else than when the plan was made.
    Configuration,
    /// An RRset is neither as planned from nor as planned to.
    RRset {
        /// Owner name and type.
        id: String,
        /// What the saved plan started from. In each of the three, the first value has the TTL before it
        /// (`ttl 300: `) if the TTLs are not all the same.
        planned_from: Vec<String>,
        /// What is there now.
        now: Vec<String>,
        /// What the saved plan leads to.
        wanted: Vec<String>,
    },
    /// A change of the saved plan that is not asked for any more, although its RRset is not as it leads to.
    Gone {
        /// Owner name and type.
        id: String,
    },
    /// A change that the saved plan does not hold.
    NotInPlan {
        /// Owner name and type.
        id: String,
    },
}

/// Reads a plan file.
pub fn read(text: &str) -> Result<Document, SavedPlanError> {
    #[derive(serde::Deserialize)]
    struct Version {
        format_version: u32,
    }
    let version: Version = serde_json::from_str(text)?;
    if version.format_version > FORMAT_VERSION {
        return Err(SavedPlanError::Newer { found: version.format_version });
    }
    let document: Document = serde_json::from_str(text)?;
    let digest = digest_of(serde_json::from_str(text)?)?;
    if document.digest != Some(digest) {
        return Err(SavedPlanError::Edited);
    }
    if document.zones.iter().any(|zone| zone.source != "provider") {
        return Err(SavedPlanError::FromDns);
    }
    Ok(document)
}

/// What stands between a saved plan of a zone and the plan made now. Empty: the changes of today that the
/// saved plan holds may be written; a saved change that today's plan no longer has is done already.
pub fn compare(saved: &ZoneDoc, today: &ZoneDoc) -> Vec<Difference> {
    if saved.config_digest != today.config_digest {
        return vec![Difference::Configuration];
    }
    let mut differences = Vec::new();
    for change in &today.changes {
        match saved.changes.iter().find(|planned| planned.id == change.id) {
            None => differences.push(Difference::NotInPlan { id: change.id.clone() }),
            Some(planned) if planned.before != change.before || planned.after != change.after => {
                let sets = [&planned.before, &planned.after, &change.before, &change.after];
                let mut ttls = sets.into_iter().flatten().map(|set| set.ttl);
                let first = ttls.next();
                let with_ttl = ttls.any(|ttl| Some(ttl) != first);
                let values = |set: &Option<SetDoc>| shown(set.as_ref(), with_ttl);
                differences.push(Difference::RRset {
                    id: change.id.clone(),
                    planned_from: values(&planned.before),
                    now: values(&change.before),
                    wanted: values(&planned.after),
                });
            }
            Some(_) => {}
        }
    }
    differences
}

/// The values, the TTL in front if that is part of what differs.
fn shown(set: Option<&SetDoc>, with_ttl: bool) -> Vec<String> {
    let Some(set) = set else { return Vec::new() };
    let mut values = set.values.clone();
    if let Some(first) = values.first_mut().filter(|_| with_ttl) {
        let ttl = set.ttl.map_or_else(|| "automatic".to_owned(), |ttl| ttl.to_string());
        first.insert_str(0, &format!("ttl {ttl}: "));
    }
    values
}
