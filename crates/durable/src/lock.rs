use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use crate::Error;

/// An exclusive lock on a file of its own, held until it is dropped or the process ends, however it
/// ends. The file stays: removing it would let two processes hold locks on two files of one name.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock, or gives `None` at once if somebody else holds it. The file is made if it is
    /// missing; another user's file is enough, since nothing is ever written to it.
    pub fn try_acquire(path: &Path) -> Result<Option<Self>, Error> {
        Self::acquire(path, &to_be_made())
    }

    /// Likewise; a file that is made is for its owner alone (mode 0600 on Unix).
    pub fn try_acquire_private(path: &Path) -> Result<Option<Self>, Error> {
        let mut options = to_be_made();
        make_private(&mut options);
        Self::acquire(path, &options)
    }

    fn acquire(path: &Path, options: &OpenOptions) -> Result<Option<Self>, Error> {
        let doing = "locking";
        let file = open(path, options).map_err(Error::at(doing, path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(Error::at(doing, path)(source)),
        }
    }
}

impl Drop for Lock {
    /// Closing alone would not do: a child that another thread is just starting has the file open too,
    /// until it executes its program.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

fn to_be_made() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    options
}

#[cfg(unix)]
fn make_private(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;

    options.mode(0o600);
}

#[cfg(not(unix))]
fn make_private(_: &mut OpenOptions) {}

fn open(path: &Path, options: &OpenOptions) -> io::Result<File> {
    // A FIFO would block the opening, a link could lead anywhere.
    if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => File::open(path).map_err(|_| error),
        opened => opened,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::try_acquire(&path).unwrap();
        assert!(held.is_some());
        assert!(Lock::try_acquire(&path).unwrap().is_none());
        drop(held);
        assert!(Lock::try_acquire(&path).unwrap().is_some());
        assert!(path.exists());
    }

    /// A copy of the handle, as a child has one between fork and exec, does not keep the lock.
    #[test]
    fn dropping_unlocks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::try_acquire(&path).unwrap().unwrap();
        let copy = held.file.try_clone().unwrap();
        drop(held);
        assert!(Lock::try_acquire(&path).unwrap().is_some());
        drop(copy);
    }

    #[test]
    fn private_and_other_locks_exclude_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::try_acquire_private(&path).unwrap();
        assert!(held.is_some());
        assert!(Lock::try_acquire(&path).unwrap().is_none());
    }

    #[cfg(unix)]
    #[test]
    fn private_is_for_the_owner_alone() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        Lock::try_acquire_private(&path).unwrap().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    }

    #[test]
    fn not_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        let error = Lock::try_acquire(dir.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
