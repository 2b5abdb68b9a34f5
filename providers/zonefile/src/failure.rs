use std::io;
use std::path::Path;

use mailzone_provider::{ProviderError, ProviderErrorKind, Retry};
use mailzone_record::zonefile::ZoneFileErrors;

/// What the system's answer about a file or directory means for the user.
pub(crate) fn io_error(operation: String, error: io::Error) -> ProviderError {
    use io::ErrorKind as Io;

    let text = error.to_string();
    let (kind, retry, remedy) = match error.kind() {
        Io::NotFound => (ProviderErrorKind::NoZone(text), Retry::Never, "check the provider's directory"),
        Io::PermissionDenied => (
            ProviderErrorKind::Permission(text),
            Retry::Never,
            "let this user read and write the file and its directory, or run mailzone as the user that may",
        ),
        Io::ReadOnlyFilesystem => (ProviderErrorKind::Permission(text), Retry::Never, "make the file system writable"),
        Io::StorageFull | Io::QuotaExceeded => {
            (ProviderErrorKind::Refused(text), Retry::Later, "free some room; nothing was written")
        }
        _ => (ProviderErrorKind::Unreachable(text), Retry::Later, "look at the disk and the system's log"),
    };
    ProviderError { retry, ..ProviderError::new(operation, kind, remedy) }.with_source(error)
}

/// An error of the file-system seam. After the renaming the new file may or may not survive a power cut.
pub(crate) fn durable_error(operation: String, error: mailzone_durable::Error) -> ProviderError {
    let renamed = error.replaced;
    let text = error.to_string();
    let mapped = io_error(operation, error.source);
    let retry = if renamed { Retry::Unknown } else { mapped.retry };
    let kind = match mapped.kind {
        // Between reading and writing the directory went away: not the listing's answer.
        ProviderErrorKind::NoZone(_) => ProviderErrorKind::Unreachable(text),
        kind => kind,
    };
    ProviderError { kind, retry, ..mapped }
}

pub(crate) fn reading(path: &Path) -> String {
    format!("reading {}", path.display())
}

pub(crate) fn writing(path: &Path) -> String {
    format!("writing {}", path.display())
}

/// How many errors of a zone file are told one by one.
const TOLD: usize = 10;

/// A zone file that does not parse: each error with its place and the line's text.
pub(crate) fn not_parsed(path: &Path, errors: &ZoneFileErrors) -> ProviderError {
    let mut text = String::new();
    let mut remedies: Vec<&str> = Vec::new();
    for error in errors.as_slice().iter().take(TOLD) {
        let line = printable(&error.text);
        let separator = if text.is_empty() { "" } else { "\n" };
        let (number, column, message) = (error.line, error.column, &error.message);
        text += &format!("{separator}line {number}, column {column}: {message}\n  {number} | {line}");
        if !error.remedy.is_empty() && !remedies.contains(&&*error.remedy) {
            remedies.push(&error.remedy);
        }
    }
    if let more @ 1.. = errors.as_slice().len().saturating_sub(TOLD) {
        text += &format!("\nand {more} more");
    }
    ProviderError::new(reading(path), ProviderErrorKind::Protocol(text), remedies.join("; "))
        .with_source(errors.clone())
}

/// At most 120 characters of a line, control characters as `\u{..}`.
fn printable(line: &str) -> String {
    let mut text = String::new();
    for (count, character) in line.chars().enumerate() {
        if count == 120 {
            text.push('…');
            break;
        }
        if character.is_control() {
            text.extend(character.escape_unicode());
        } else {
            text.push(character);
        }
    }
    text
}
