//! Reading and writing, with blocking calls.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use mailzone_durable::Lock;
use mailzone_provider::{
    Access, Batch, ChangeResult, Freshness, Outcome, ProviderError, ProviderErrorKind, RRsetChange, Receipt, Retry,
    Snapshot, Zone,
};
use mailzone_record::zonefile::{EditError, SetChange, ZoneFile};
use mailzone_record::{Name, RRset, RRsetKey, RecordType, Value};

use crate::Today;
use crate::directory::{Entry, Obstacle, find, id, obstacle, survey, survey_one};
use crate::failure::{durable_error, io_error, not_parsed, reading, writing};
use crate::permission::forbidden;

/// The directory.
pub(crate) struct Store {
    pub(crate) directory: PathBuf,
    pub(crate) today: Today,
}

impl Store {
    /// All zones, by file name.
    pub(crate) fn zones(&self) -> Result<Vec<Zone>, ProviderError> {
        let all = survey(&self.directory)?;
        let access = |entry: &Entry| match self.obstacle(entry) {
            Some(obstacle) => Access::ReadOnly { reason: obstacle.reason.into(), remedy: obstacle.remedy.into() },
            None => Access::ReadWrite,
        };
        let zone = |entry: &Entry| Zone {
            id: id(entry),
            name: entry.origin.clone(),
            access: access(entry),
            nameservers: Vec::new(),
        };
        Ok(all.iter().map(zone).collect())
    }

    pub(crate) fn snapshot(&self, zone: &Zone) -> Result<Snapshot, ProviderError> {
        let entry = find(&self.directory, zone)?;
        let file = self.directory.join(&entry.file_name);
        let real = entry.real.map_err(|obstacle| obstacle.into_error(reading(&file)))?;
        let file = parse(&file, &real, &entry.origin)?;
        Ok(Snapshot::new(file.rrsets(), file.default_ttl()))
    }

    pub(crate) fn apply(&self, zone: &Zone, batch: &Batch) -> Result<Receipt, ProviderError> {
        let entry = survey_one(&self.directory, find(&self.directory, zone)?)?;
        let path = self.directory.join(&entry.file_name);
        if let Some(obstacle) = obstacle(&self.directory, &entry) {
            return Err(obstacle.into_error(writing(&path)));
        }
        let real = entry.real.map_err(|obstacle| obstacle.into_error(writing(&path)))?;
        let _lock = lock(&path, &real)?;
        let file = parse(&path, &real, &entry.origin)?;
        if let Some(obstacle) = signed(&file) {
            return Err(obstacle.into_error(writing(&path)));
        }

        let live = live_sets(&file, batch);
        let freshness: Vec<Freshness> =
            batch.changes.iter().zip(&live).map(|(change, live)| change.compare(live.set())).collect();
        let stale = freshness.contains(&Freshness::Stale);
        let outcomes = freshness.iter().map(|freshness| match freshness {
            Freshness::Stale => Outcome::Stale,
            _ if stale => Outcome::Skipped,
            Freshness::Already => Outcome::Already,
            Freshness::AsPlanned => Outcome::Applied,
        });
        let results = outcomes.map(|outcome| ChangeResult { outcome, note: None }).collect();
        let mut receipt = Receipt { results, ..Receipt::default() };
        if stale || !freshness.contains(&Freshness::AsPlanned) {
            return Ok(receipt);
        }

        let changes: Vec<SetChange> = (batch.changes.iter().zip(&live).zip(&freshness))
            .filter(|(_, freshness)| **freshness == Freshness::AsPlanned)
            .filter_map(|((change, live), _)| live.change_to(change.after()))
            .collect();
        let text = file.edit(&changes, (self.today)()).map_err(|error| not_edited(&path, error))?;
        let note = replace(&path, &real, file.text(), &text)?;
        if let Some(first) = receipt.results.iter_mut().find(|result| result.outcome == Outcome::Applied) {
            first.note = note;
        }
        Ok(receipt)
    }

    /// What stands against writing, the file's content and the user's rights included.
    fn obstacle(&self, entry: &Entry) -> Option<Obstacle> {
        let surroundings = obstacle(&self.directory, entry);
        surroundings.or_else(|| forbidden(entry.real.as_ref().ok()?)).or_else(|| {
            let text = fs::read(entry.real.as_ref().ok()?).ok()?;
            // Most files are neither signed nor without a `$TTL`: only those that may be are parsed.
            let has_ttl = begins_with_ttl(&text);
            if has_ttl && !mentions_rrsig(&text) {
                return None;
            }
            let file = ZoneFile::parse(&text, &entry.origin).ok()?;
            signed(&file).or_else(|| Some(ambiguous(&file.ambiguous_ttl()?.owner)))
        })
    }
}

/// Reads the file once; the text is in the result alone.
fn parse(path: &Path, real: &Path, origin: &Name) -> Result<ZoneFile, ProviderError> {
    let text = fs::read(real).map_err(|error| io_error(reading(path), error))?;
    ZoneFile::parse(&text, origin).map_err(|errors| not_parsed(path, &errors))
}

fn lock(path: &Path, real: &Path) -> Result<Lock, ProviderError> {
    let name = real.file_name().unwrap_or_default().to_string_lossy();
    // Hidden, so that nobody takes it for a zone, and beside the file that is replaced, so that all
    // who come to it by whatever link meet.
    let lock = real.with_file_name(format!(".{name}.lock"));
    match Lock::try_acquire(&lock) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => {
            let kind = ProviderErrorKind::Conflict(format!("another run holds {}", lock.display()));
            let error = ProviderError::new(writing(path), kind, "wait until it has ended, then try again");
            Err(ProviderError { retry: Retry::Later, ..error })
        }
        Err(error) => Err(durable_error(writing(path), error)),
    }
}

/// What the file holds where a change is to be made.
#[derive(Clone, Default)]
struct Live {
    set: Option<RRset>,
    /// Whether its records have different TTLs; the set's is the first one's.
    mixed: bool,
}

impl Live {
    fn set(&self) -> Option<&RRset> {
        self.set.as_ref()
    }

    fn change_to(&self, after: Option<&RRset>) -> Option<SetChange> {
        let mut change = SetChange::between(self.set(), after)?;
        // The set would take the TTL of its second record, which nobody asked for.
        let first = self.set().and_then(|set| set.values.first());
        let first_goes = change.add.is_empty() && first.is_some_and(|first| change.remove.contains(&first.rdata));
        change.retime |= self.mixed && first_goes && change.ttl.is_some();
        Some(change)
    }
}

/// The live set of each change, in the order of the batch. Only these are built, not the whole zone.
fn live_sets(file: &ZoneFile, batch: &Batch) -> Vec<Live> {
    let key = |name: &Name, rtype| RRsetKey { name: name.clone(), rtype };
    let changes = batch.changes.iter().map(|change| (key(change.name(), change.rtype()), Live::default()));
    let mut found: HashMap<RRsetKey, Live> = changes.collect();
    for record in file.records() {
        let rtype = record.rdata.rtype();
        if let Some(live) = found.get_mut(&key(&record.owner, rtype)) {
            let new = || RRset::new(record.owner.clone(), rtype, Some(record.ttl), Vec::new());
            let set = live.set.get_or_insert_with(new);
            set.values.push(Value::from(record.rdata.clone()));
            live.mixed |= set.ttl != Some(record.ttl);
        }
    }
    let live = |change: &RRsetChange| found.get(&key(change.name(), change.rtype())).cloned().unwrap_or_default();
    batch.changes.iter().map(live).collect()
}

/// Puts `new` where `old` is, reads it back, and gives a note where something could not be kept.
fn replace(path: &Path, real: &Path, old: &[u8], new: &[u8]) -> Result<Option<String>, ProviderError> {
    let read = || fs::read(real).map_err(|error| io_error(reading(path), error));
    let conflict = |message: &str, retry| {
        let kind = ProviderErrorKind::Conflict(message.into());
        let error = ProviderError::new(writing(path), kind, "plan again from the file as it is now");
        Err(ProviderError { retry, ..error })
    };
    mailzone_durable::sweep(real).map_err(|error| durable_error(writing(path), error))?;
    // An editor knows nothing of our lock.
    if read()? != old {
        return conflict("somebody else changed the file meanwhile; nothing was written", Retry::Later);
    }
    let replaced = mailzone_durable::replace(real, new).map_err(|error| durable_error(writing(path), error))?;
    if read()? != new {
        return conflict("somebody else changed the file right after it was written", Retry::Unknown);
    }
    let note = "the file could not keep its owner and group: see that the name server can read it";
    Ok((!replaced.ownership_kept).then(|| note.into()))
}

fn signed(file: &ZoneFile) -> Option<Obstacle> {
    file.records().iter().any(|record| record.rdata.rtype() == RecordType::RRSIG).then(|| {
        Obstacle::new(
            "the file is signed: it has RRSIG records, which a change would break",
            "let the name server sign (inline signing) and keep the unsigned file here, or use the rfc2136 provider",
        )
    })
}

/// What [`EditError::AmbiguousTtl`] means for the user.
fn ambiguous(name: &Name) -> Obstacle {
    Obstacle::new(
        format!("{name} has no TTL of its own, and name servers read the lines above it differently"),
        "put a `$TTL` line at the top of the file, with the TTL meant for records that give none",
    )
}

/// Whether a `$TTL` stands above the first record.
fn begins_with_ttl(text: &[u8]) -> bool {
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let directive = |line: &[u8], word: &[u8]| line.get(..word.len()).is_some_and(|w| w.eq_ignore_ascii_case(word));
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(b";") && !directive(line, b"$ORIGIN"));
    first.is_some_and(|line| directive(line, b"$TTL"))
}

fn mentions_rrsig(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| byte.eq_ignore_ascii_case(&b'R')) {
        rest = &rest[at..];
        if rest.get(..5).is_some_and(|word| word.eq_ignore_ascii_case(b"RRSIG")) {
            return true;
        }
        rest = &rest[1..];
    }
    // `TYPE46` is the same in the form for unknown types.
    text.windows(6).any(|word| word.eq_ignore_ascii_case(b"TYPE46"))
}

fn not_edited(path: &Path, error: EditError) -> ProviderError {
    let (kind, remedy) = match &error {
        EditError::AmbiguousTtl { name } => return ambiguous(name).into_error(writing(path)).with_source(error),
        EditError::NotFound { .. } => (ProviderErrorKind::Conflict(error.to_string()), "plan again"),
        EditError::Mismatch { .. } => {
            (ProviderErrorKind::Refused(error.to_string()), "nothing was written; please report the file and the plan")
        }
        _ => (ProviderErrorKind::Refused(error.to_string()), "nothing was written; take the change out of the plan"),
    };
    ProviderError::new(writing(path), kind, remedy).with_source(error)
}
