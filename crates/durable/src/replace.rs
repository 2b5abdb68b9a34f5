use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

use crate::Error;
use crate::step::step;

/// What could not be kept when a file was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    /// Whether the new file has the owner and group of the old one. Only root can give files away;
    /// a reader such as a name server may then be unable to read the file.
    pub ownership_kept: bool,
}

/// Replaces the file at `path` by one that holds `contents`, in one step for every reader: after a
/// crash at any point the file is the old or the new one.
///
/// Mode, and where permitted owner and group, stay as they were; a file that did not exist gets the
/// process's default mode. Access control lists and hard links do not survive, and a symbolic link
/// at `path` is itself replaced: resolve it first. Two calls for one path at a time are safe, the last wins.
pub fn replace(path: &Path, contents: &[u8]) -> Result<Replaced, Error> {
    let old = match fs::symlink_metadata(path) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::at("looking at", path)(error)),
    };
    write(path, contents, Mode::of(old.as_ref()))
}

/// As [`replace`], but only the user can read the file (mode 0600), whatever was there.
pub fn write_private(path: &Path, contents: &[u8]) -> Result<(), Error> {
    write(path, contents, Mode::Private).map(|_| ())
}

/// Writes a file that was not there before, with the process's default mode, or for the user alone (mode 0600).
/// What stands at `path`, a broken link too, stays as it is: an error of the kind `AlreadyExists`.
pub fn create(path: &Path, contents: &[u8], private: bool) -> Result<(), Error> {
    let mode = if private { Mode::Private } else { Mode::Default };
    let mut file = step("making a temporary file beside", path, || temporary(path, &mode))?;
    step("writing", path, || file.write_all(contents))?;
    step("syncing", path, || file.as_file().sync_all())?;
    step("making", path, || file.persist_noclobber(path).map(|_| ()).map_err(|error| error.error))?;
    sync_parent(path).map_err(|error| Error { replaced: true, ..error })
}

/// Makes a directory, and those above it that are missing, for the user alone (mode 0700). One that
/// exists stays as it is.
pub fn create_private_dir(path: &Path) -> Result<(), Error> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    step("making the directory", path, || builder.create(path))?;
    sync_parent(path)
}

/// Removes what interrupted replacements of `path` left beside it, and says how many files. Only for a
/// caller that holds a lock which every other writer of `path` takes.
pub fn sweep(path: &Path) -> Result<usize, Error> {
    let (directory, prefix) = (parent(path), temporary_prefix(path));
    let listed = fs::read_dir(directory).map_err(Error::at("listing", directory))?;
    let mut removed = 0;
    for entry in listed {
        let entry = entry.map_err(Error::at("listing", directory))?;
        let (name, regular) = (entry.file_name(), entry.file_type().is_ok_and(|kind| kind.is_file()));
        let name = name.as_encoded_bytes();
        let random = name
            .strip_prefix(prefix.as_encoded_bytes())
            .and_then(|rest| rest.strip_suffix(TEMPORARY_SUFFIX.as_bytes()));
        if regular && random.is_some_and(|random| random.len() == RANDOM_LENGTH) {
            step("removing", &entry.path(), || fs::remove_file(entry.path()))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// The directory that `path` is in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes a new or renamed entry at `path` last.
pub(crate) fn sync_parent(path: &Path) -> Result<(), Error> {
    let directory = parent(path);
    step("syncing the directory", directory, || sync_directory(directory))
}

enum Mode<'a> {
    Keep(&'a Metadata),
    Default,
    Private,
}

impl<'a> Mode<'a> {
    fn of(old: Option<&'a Metadata>) -> Self {
        old.map_or(Self::Default, Self::Keep)
    }
}

fn write(path: &Path, contents: &[u8], mode: Mode<'_>) -> Result<Replaced, Error> {
    let mut file = step("making a temporary file beside", path, || temporary(path, &mode))?;
    // Two writes, so that a test can see a torn file.
    let (first, second) = contents.split_at(contents.len() / 2);
    step("writing", path, || file.write_all(first))?;
    step("writing", path, || file.write_all(second))?;
    let mut ownership_kept = true;
    if let Mode::Keep(old) = mode {
        ownership_kept = step("setting the owner of", path, || keep_owner(file.as_file(), old))?;
        // After the owner: a change of owner can clear bits of the mode.
        step("setting the mode of", path, || file.as_file().set_permissions(old.permissions()))?;
    }
    step("syncing", path, || file.as_file().sync_all())?;
    step("renaming over", path, || file.persist(path).map(|_| ()).map_err(|error| error.error))?;
    sync_parent(path).map_err(|error| Error { replaced: true, ..error })?;
    Ok(Replaced { ownership_kept })
}

const TEMPORARY_SUFFIX: &str = ".mailzone-tmp";
const RANDOM_LENGTH: usize = 8;

/// Starts with a dot, so that no reader of the directory takes it for a zone or configuration.
fn temporary_prefix(path: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or_else(|| OsStr::new("file")));
    prefix.push(".");
    prefix
}

fn temporary(path: &Path, mode: &Mode<'_>) -> io::Result<NamedTempFile> {
    let prefix = temporary_prefix(path);
    let mut builder = Builder::new();
    builder.prefix(&prefix).suffix(TEMPORARY_SUFFIX).rand_bytes(RANDOM_LENGTH);
    // The builder's own mode is 0600; the umask is taken off this one by the system.
    #[cfg(unix)]
    if matches!(mode, Mode::Default) {
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    }
    #[cfg(not(unix))]
    let _ = mode;
    builder.tempfile_in(parent(path))
}

/// Whether owner and group are those of the old file; another user's file may keep only its group.
#[cfg(unix)]
fn keep_owner(file: &File, old: &Metadata) -> io::Result<bool> {
    use std::os::unix::fs::{MetadataExt, fchown};

    let is_kept = |new: &Metadata| new.uid() == old.uid() && new.gid() == old.gid();
    if is_kept(&file.metadata()?) {
        return Ok(true);
    }
    // A refusal is no failure here: what counts is looked at below.
    if fchown(file, Some(old.uid()), Some(old.gid())).is_err() {
        let _ = fchown(file, None, Some(old.gid()));
    }
    Ok(is_kept(&file.metadata()?))
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &Metadata) -> io::Result<bool> {
    Ok(true)
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Other systems have no handle of a directory to sync.
#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_leaves_nothing_beside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.zone");
        assert_eq!(replace(&path, b"one").unwrap(), Replaced { ownership_kept: true });
        replace(&path, b"").unwrap();
        replace(&path, b"three").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn keeps_the_mode() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.zone");
        for mode in [0o640, 0o604, 0o755] {
            fs::write(&path, "old").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            replace(&path, b"new").unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
        }
        write_private(&path, b"secret").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        let private = dir.path().join("x/y");
        create_private_dir(&private).unwrap();
        create_private_dir(&private).unwrap();
        assert_eq!(fs::metadata(&private).unwrap().permissions().mode() & 0o7777, 0o700);
    }

    /// Only root can set up the case; others see the group alone, which needs a second group.
    #[cfg(unix)]
    #[test]
    fn keeps_owner_and_group_where_permitted() {
        use std::os::unix::fs::{MetadataExt, chown};

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.zone");
        fs::write(&path, "old").unwrap();
        if chown(&path, Some(12345), Some(12346)).is_err() {
            return;
        }
        assert_eq!(replace(&path, b"new").unwrap(), Replaced { ownership_kept: true });
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (12345, 12346));
    }

    #[cfg(unix)]
    #[test]
    fn creates_and_never_replaces() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.key");
        create(&path, b"secret", true).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        for taken in [&path, &link] {
            assert_eq!(create(taken, b"other", false).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        }
        assert_eq!(fs::read(&path).unwrap(), b"secret");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn errors_name_the_step_and_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let error = replace(&dir.path().join("missing/a.zone"), b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().starts_with("making a temporary file beside "), "{error}");
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(create_private_dir(&file).is_err());
    }

    #[test]
    fn sweeps_only_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.zone");
        let leftover = dir.path().join(".a.zone.AbCdEf12.mailzone-tmp");
        let others = [".a.zone.lock", ".b.a.zone.AbCdEf12.mailzone-tmp", ".a.zone.x.mailzone-tmp", "a.zone"];
        fs::write(&leftover, "torn").unwrap();
        for other in others {
            fs::write(dir.path().join(other), "").unwrap();
        }
        assert_eq!(sweep(&path).unwrap(), 1);
        assert!(!leftover.exists());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), others.len());
    }
}
