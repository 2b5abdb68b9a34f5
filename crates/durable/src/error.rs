use std::io;
use std::path::{Path, PathBuf};

/// A file operation that failed: what was being done, to which file, and the system's answer.
///
/// Whether a retry helps is in the source's kind: `PermissionDenied` and `NotFound` need the user,
/// `StorageFull` needs room, `Interrupted` does not get here.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {path}: {source}", path = path.display())]
pub struct Error {
    /// The step, as `syncing` or `renaming over`.
    pub doing: &'static str,
    /// The file or directory it was about.
    pub path: PathBuf,
    /// Whether a replacing file was in place already: readers see it, a power cut may still undo it.
    pub replaced: bool,
    /// The system's answer.
    #[source]
    pub source: io::Error,
}

impl Error {
    /// For `map_err`: the system's answer with what it was about.
    pub(crate) fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { doing, path, replaced: false, source }
    }

    /// The system's kind of the failure.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}
