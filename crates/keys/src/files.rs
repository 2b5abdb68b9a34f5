//! Where keys are kept.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;
use secrecy::zeroize::Zeroizing;

use crate::KeyPair;

/// No key file is larger; the limit of `key_material` for pasted text.
const LIMIT: u64 = 64 << 10;

/// The two files of a key pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The private key.
    pub private: PathBuf,
    /// The public key, which may be read by anybody and belongs beside the configuration.
    pub public: PathBuf,
}

/// What was read of a file.
pub struct KeyFile {
    /// Its octets, zeroed when this is dropped.
    pub octets: Zeroizing<Vec<u8>>,
    /// Who else can read or change it.
    pub exposure: Option<Exposure>,
}

impl std::fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyFile").field("exposure", &self.exposure).finish_non_exhaustive()
    }
}

/// Who, besides its owner, can read or change a file. A group that may only read is as signers want it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exposure {
    /// Its mode lets everybody read.
    #[error("everybody on this machine can read it (mode {0:04o}); OpenDKIM refuses such a file")]
    Readable(u32),
    /// Its mode lets others write.
    #[error("others can change it (mode {0:04o})")]
    Writable(u32),
}

/// Why a file was not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It is there already: a key is never overwritten.
    #[error("{0} is there already, and a key is never overwritten")]
    Exists(PathBuf),
    /// It could not be written. Retry after mending what the source says.
    #[error(transparent)]
    Write(#[from] mailzone_durable::Error),
    /// It could not be read.
    #[error("{path} cannot be read: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A directory, a device, a socket.
    #[error("{path} is {what}", path = path.display())]
    NoFile {
        /// What was named.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Larger than any key.
    #[error("{0} has more than 64 KiB: no key has")]
    TooLarge(PathBuf),
}

impl Files {
    /// The files for `out`: a directory takes `NAME.key` and `NAME.pub`, any other path is the private key's, and the
    /// public key's is the same with the ending `.pub`. A path that ends with a separator is a directory.
    pub fn at(out: &Path, name: &str) -> Self {
        let ends_open = out.as_os_str().to_string_lossy().ends_with(std::path::is_separator);
        if ends_open || out.is_dir() {
            return Self { private: out.join(format!("{name}.key")), public: out.join(format!("{name}.pub")) };
        }
        let mut public = out.with_extension("pub");
        if public == out {
            public = out.with_extension("pub.pem");
        }
        Self { private: out.to_owned(), public }
    }

    /// Writes both, the private key for the user alone (mode 0600). What is there already stays as it is.
    ///
    /// # Errors
    /// One is there already, or cannot be written. Where the second fails, the first stays.
    pub fn save(&self, pair: &KeyPair) -> Result<(), FileError> {
        if let Some(taken) = [&self.private, &self.public].into_iter().find(|path| path.symlink_metadata().is_ok()) {
            return Err(FileError::Exists(taken.clone()));
        }
        create(&self.private, pair.private_pem().expose_secret().as_bytes(), true)?;
        create(&self.public, pair.public_pem().as_bytes(), false)
    }
}

fn create(path: &Path, contents: &[u8], private: bool) -> Result<(), FileError> {
    mailzone_durable::create(path, contents, private).map_err(|error| match error.kind() {
        // Somebody made it since it was looked for.
        io::ErrorKind::AlreadyExists => FileError::Exists(path.to_owned()),
        _ => FileError::Write(error),
    })
}

/// Reads a file that may hold a private key.
///
/// # Errors
/// It is no regular file, too large for a key, or the system refuses.
pub fn read_file(path: &Path) -> Result<KeyFile, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    // Before it is opened: opening a pipe would wait for somebody who writes to it.
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        let what = if metadata.is_dir() { "a directory: name a file in it" } else { "no regular file" };
        return Err(FileError::NoFile { path: path.to_owned(), what });
    }
    if metadata.len() > LIMIT {
        return Err(FileError::TooLarge(path.to_owned()));
    }
    // Room for all of it at once: a buffer that grows would leave copies behind.
    let mut octets = Zeroizing::new(Vec::with_capacity(LIMIT as usize + 1));
    fs::File::open(path).and_then(|file| file.take(LIMIT + 1).read_to_end(&mut octets)).map_err(failed)?;
    if octets.len() as u64 > LIMIT {
        return Err(FileError::TooLarge(path.to_owned()));
    }
    Ok(KeyFile { octets, exposure: exposure(&metadata) })
}

#[cfg(unix)]
fn exposure(metadata: &fs::Metadata) -> Option<Exposure> {
    use std::os::unix::fs::PermissionsExt;

    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o022 != 0 {
        Some(Exposure::Writable(mode))
    } else if mode & 0o004 != 0 {
        Some(Exposure::Readable(mode))
    } else {
        None
    }
}

/// Other systems have no mode to look at.
#[cfg(not(unix))]
fn exposure(_: &fs::Metadata) -> Option<Exposure> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::{NewKey, read_private};

    #[test]
    fn where_keys_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let inside = Files::at(dir.path(), "example.com.s1");
        assert_eq!(inside.private, dir.path().join("example.com.s1.key"));
        assert_eq!(inside.public, dir.path().join("example.com.s1.pub"));
        assert_eq!(Files::at(Path::new("new/"), "s1").private, Path::new("new/s1.key"));
        for (out, public) in [("a/s1.private", "a/s1.pub"), ("s1", "s1.pub"), ("s1.pub", "s1.pub.pem")] {
            let files = Files::at(Path::new(out), "x");
            assert_eq!((files.private, files.public), (PathBuf::from(out), PathBuf::from(public)));
        }
    }

    #[test]
    fn saved_for_the_user_alone_and_never_over_anything() {
        let dir = tempfile::tempdir().unwrap();
        let pair = KeyPair::generate(NewKey::Ed25519).unwrap();
        let files = Files::at(dir.path(), "s1");
        files.save(&pair).unwrap();
        assert_eq!(fs::metadata(&files.private).unwrap().permissions().mode() & 0o7777, 0o600);
        let read = read_file(&files.private).unwrap();
        assert_eq!(read.exposure, None);
        assert!(read_private(&read.octets).unwrap().public.is_same_key(pair.public()));
        for left in [&files.private, &files.public] {
            let text = fs::read(left).unwrap();
            assert!(matches!(files.save(&pair), Err(FileError::Exists(_))));
            assert_eq!(fs::read(left).unwrap(), text);
        }
        fs::remove_file(&files.private).unwrap();
        assert!(matches!(files.save(&pair), Err(FileError::Exists(path)) if path == files.public));
        assert!(!files.private.exists(), "nothing is written where one of the two is there");
        let missing = Files::at(&dir.path().join("missing/s1.key"), "");
        assert!(missing.save(&pair).unwrap_err().to_string().contains("missing/s1.key"));
    }

    #[test]
    fn who_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s1.key");
        fs::write(&path, "x").unwrap();
        for (mode, exposure) in [
            (0o600, None),
            (0o640, None),
            (0o644, Some(Exposure::Readable(0o644))),
            (0o660, Some(Exposure::Writable(0o660))),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read_file(&path).unwrap().exposure, exposure);
        }
    }

    #[test]
    fn what_is_no_key_file() {
        let dir = tempfile::tempdir().unwrap();
        let told = |name: &str| {
            let error = read_file(&dir.path().join(name)).err().unwrap().to_string();
            error.replace(&*dir.path().to_string_lossy(), "DIR")
        };
        fs::write(dir.path().join("large"), vec![b'A'; 70_000]).unwrap();
        insta::assert_snapshot!([told(""), told("missing"), told("large"), told("large/x")].join("\n"), @"
        DIR/ is a directory: name a file in it
        DIR/missing cannot be read: No such file or directory (os error 2)
        DIR/large has more than 64 KiB: no key has
        DIR/large/x cannot be read: Not a directory (os error 20)
        ");
        assert!(read_file(Path::new("/dev/null")).is_err());
    }
}
