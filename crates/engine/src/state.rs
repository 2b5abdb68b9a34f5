//! The state directory `.mailzone/`: the journal and the locks (`design.md` section 9).

use std::path::{Path, PathBuf};

use mailzone_durable::{Lock, append_synced, create_private_dir, read_lines, write_private};
use mailzone_provider::{ProviderId, Zone};

use crate::journal::Entry;

/// The directory that holds the journal and the locks. It is made when something is first written.
#[derive(Debug, Clone)]
pub struct StateDir {
    path: PathBuf,
}

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] mailzone_durable::Error),
    /// An entry does not become JSON.
    #[error("the journal entry cannot be written: {0}")]
    Entry(#[from] serde_json::Error),
}

impl StateDir {
    /// The directory at `path`; nothing is touched.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the journal is.
    pub fn journal_path(&self) -> PathBuf {
        self.path.join("journal.jsonl")
    }

    /// Takes a zone's lock; `None` if another run holds it. It is held until dropped, or the process ends.
    /// Zones of one name at one provider have a lock each.
    pub fn lock(&self, provider: &ProviderId, zone: &Zone) -> Result<Option<Lock>, StateError> {
        self.create()?;
        let locks = self.path.join("locks");
        create_private_dir(&locks)?;
        let label = zone.name.to_lowercase().to_text_without_dot();
        let name = format!(
            "{}@{}+{}.lock",
            file_name(&label, LONGEST_LABEL),
            file_name(provider.as_str(), LONGEST_ID),
            file_name(zone.id.as_str(), LONGEST_ID)
        );
        Ok(Lock::try_acquire_private(&locks.join(name))?)
    }

    /// Appends an entry to the journal and returns when it is on the disk.
    pub fn append(&self, entry: &Entry) -> Result<(), StateError> {
        self.create()?;
        Ok(append_synced(&self.journal_path(), &serde_json::to_string(entry)?)?)
    }

    /// The journal's entries, oldest first. Lines that are no entries (a newer version's, a torn one)
    /// are left out and counted.
    pub fn entries(&self) -> Result<(Vec<Entry>, usize), StateError> {
        let lines = read_lines(&self.journal_path())?;
        let total = lines.len();
        let entries: Vec<Entry> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let unread = total - entries.len();
        Ok((entries, unread))
    }

    fn create(&self) -> Result<(), StateError> {
        create_private_dir(&self.path)?;
        let ignore = self.path.join(".gitignore");
        if !ignore.exists() {
            write_private(&ignore, b"*\n")?;
        }
        Ok(())
    }
}

/// File systems take names of 255 octets; these leave room for the rest of a lock's name.
const LONGEST_LABEL: usize = 120;
const LONGEST_ID: usize = 60;

/// A name that is part of one path component on every system: other octets than letters, digits, `.`, `-` and `_`
/// as `%XX`, at most `longest` octets.
fn file_name(text: &str, longest: usize) -> String {
    use std::fmt::Write as _;

    let mut name = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (byte == b'.' && !name.is_empty()) {
            name.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(name, "%{byte:02x}");
        }
    }
    if name.len() > longest {
        // What is left out tells names apart by its hash.
        name.truncate(longest.saturating_sub(18));
        let _ = write!(name, "%%{:016x}", fnv(text.as_bytes()));
    }
    name
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use mailzone_provider::{Access, ZoneId};
    use mailzone_record::Name;

    use super::*;

    fn zone(name: &str, id: &str) -> Zone {
        let name = Name::parse(name).unwrap();
        Zone { id: ZoneId::new(id), name, access: Access::ReadWrite, nameservers: Vec::new() }
    }

    #[test]
    fn file_names_are_single_components() {
        assert_eq!(file_name("example.com", 60), "example.com");
        assert_eq!(file_name("../x/y", 60), "%2e.%2fx%2fy");
        assert_eq!(file_name(&"/".repeat(255), 60).len(), 60);
        assert_ne!(file_name(&"/".repeat(255), 60), file_name(&"/".repeat(254), 60));
    }

    #[test]
    fn one_lock_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path().join(".mailzone"));
        let zone = zone("example.com", "Z1");
        let provider = ProviderId::new("files");
        let first = state.lock(&provider, &zone).unwrap();
        assert!(first.is_some());
        assert!(state.lock(&provider, &zone).unwrap().is_none());
        assert!(state.lock(&provider, &self::zone("example.org", "Z1")).unwrap().is_some());
        let other = self::zone("example.com", "Z2");
        assert!(state.lock(&provider, &other).unwrap().is_some(), "another zone of the name");
        let long = self::zone(&vec!["a".repeat(60); 4].join("."), &"Z".repeat(300));
        assert!(state.lock(&ProviderId::new("p".repeat(300)), &long).unwrap().is_some());
        drop(first);
        assert!(state.lock(&provider, &zone).unwrap().is_some());
    }

    /// `design.md` section 9: the directories 0700, the files 0600.
    #[cfg(unix)]
    #[test]
    fn nothing_is_for_others() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path().join(".mailzone"));
        let zone = zone("example.com", "Z1");
        let _held = state.lock(&ProviderId::new("files"), &zone).unwrap().unwrap();
        let mode = |path: &str| std::fs::metadata(state.path().join(path)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("."), mode("locks")), (0o700, 0o700));
        assert_eq!((mode("locks/example.com@files+Z1.lock"), mode(".gitignore")), (0o600, 0o600));
    }
}
