//! Which files of a directory are zones, and what stands against reading or writing them.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mailzone_provider::{ProviderError, ProviderErrorKind, Zone, ZoneId};
use mailzone_record::Name;

use crate::failure::{io_error, reading};

const ENDING: &str = ".zone";

/// A regular file, or a link, whose name says that it is a zone.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The name in the directory; the zone's identifier.
    pub(crate) file_name: String,
    /// The origin, in lower case.
    pub(crate) origin: Name,
    /// The file that is meant, behind links; or what is wrong with the link.
    pub(crate) real: Result<PathBuf, Obstacle>,
    /// Another file of the listing that this one cannot be told from.
    clash: Option<Obstacle>,
}

/// Why a zone's file is not written, or not even read, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Obstacle {
    pub(crate) reason: String,
    pub(crate) remedy: String,
}

impl Obstacle {
    pub(crate) fn new(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { reason: reason.into(), remedy: remedy.into() }
    }

    /// As the error of an operation that needs what the obstacle forbids.
    pub(crate) fn into_error(self, operation: String) -> ProviderError {
        ProviderError::new(operation, ProviderErrorKind::Refused(self.reason), self.remedy)
    }
}

/// All zones of `directory`, by file name. Names are read, links followed, nothing is opened: a FIFO in
/// the directory holds nobody up.
pub(crate) fn survey(directory: &Path) -> Result<Vec<Entry>, ProviderError> {
    entries(directory, list(directory)?)
}

/// `entry` as [`survey`] shows it, at the cost of a listing: of the other files only those are looked at
/// that could be the same zone or the same file.
pub(crate) fn survey_one(directory: &Path, entry: Entry) -> Result<Entry, ProviderError> {
    // Written in plain letters, a name can be another's origin only with the same letters.
    let plain = |name: &str| name.is_ascii() && !name.contains('\\');
    let stem = |name: &str| name.to_ascii_lowercase().trim_end_matches(ENDING).trim_end_matches('.').to_owned();
    let (own, own_plain) = (stem(&entry.file_name), plain(&entry.file_name));
    let target = entry.real.as_ref().ok().and_then(|real| real.file_name());
    let mut listed = list(directory)?;
    listed.retain(|(name, kind)| {
        let same = |name| !own_plain || !plain(name) || stem(name) == own;
        kind.is_symlink() || Some(&**name) == target || name.to_str().is_some_and(same)
    });
    let found = entries(directory, listed)?.into_iter().find(|found| found.file_name == entry.file_name);
    Ok(found.unwrap_or(entry))
}

fn entries(directory: &Path, listed: Vec<(OsString, fs::FileType)>) -> Result<Vec<Entry>, ProviderError> {
    let mut home = None;
    let mut entries = Vec::with_capacity(listed.len());
    for (name, kind) in listed {
        let Some((file_name, origin)) = name.to_str().and_then(|name| Some((name, origin_of(name)?))) else {
            continue;
        };
        let file = directory.join(file_name);
        let real = if kind.is_symlink() {
            // Resolved once, and only where there is a link.
            let home = home.get_or_insert_with(|| directory.canonicalize());
            match follow(&file, home.as_deref()) {
                Ok(Some(real)) => Ok(real),
                Ok(None) => continue,
                Err(obstacle) => Err(obstacle),
            }
        } else if kind.is_file() {
            Ok(file)
        } else {
            tracing::warn!(file = %file.display(), "not a regular file, so not a zone");
            continue;
        };
        entries.push(Entry { file_name: file_name.to_owned(), origin, real, clash: None });
    }
    entries.sort_by(|a, b| a.file_name.cmp(&b.file_name));
    if let Some(Ok(home)) = home {
        share(&mut entries, directory, &home);
    }
    twins(&mut entries);
    Ok(entries)
}

/// The file of a zone that was listed earlier, or is named by its identifier. Other files are not looked at.
pub(crate) fn find(directory: &Path, zone: &Zone) -> Result<Entry, ProviderError> {
    let operation = || format!("looking for {} in {}", zone.name.to_text_without_dot(), directory.display());
    let missing = || {
        let message = format!("no zone file {}", zone.id);
        let remedy = format!("a zone is a regular file named {}{ENDING}", zone.name.to_text_without_dot());
        ProviderError::new(operation(), ProviderErrorKind::NoZone(message), remedy)
    };
    let file_name = zone.id.as_str();
    // The identifier may come from a configuration: it must not lead elsewhere.
    let plain = Path::new(file_name).file_name().is_some_and(|last| last == file_name);
    let origin = origin_of(file_name).filter(|origin| plain && *origin == zone.name).ok_or_else(missing)?;
    let file = directory.join(file_name);
    let metadata = match fs::symlink_metadata(&file) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            list(directory)?;
            return Err(missing());
        }
        Err(error) => return Err(io_error(operation(), error)),
    };
    let real = if metadata.is_symlink() {
        match follow(&file, directory.canonicalize().as_deref()) {
            Ok(Some(real)) => Ok(real),
            Ok(None) => return Err(not_regular(&file)),
            Err(obstacle) => Err(obstacle),
        }
    } else if metadata.is_file() {
        Ok(file)
    } else {
        return Err(not_regular(&file));
    };
    Ok(Entry { file_name: file_name.to_owned(), origin, real, clash: None })
}

/// What stands against writing the file behind a listed `entry`, from its surroundings alone.
pub(crate) fn obstacle(directory: &Path, entry: &Entry) -> Option<Obstacle> {
    let real = match &entry.real {
        Ok(real) => real,
        Err(obstacle) => return Some(obstacle.clone()),
    };
    let file = directory.join(&entry.file_name);
    let other = (*real != file).then_some(real);
    entry.clash.clone().or_else(|| linked(real)).or_else(|| journal(&file)).or_else(|| journal(other?))
}

/// The zone's identifier.
pub(crate) fn id(entry: &Entry) -> ZoneId {
    ZoneId::new(entry.file_name.as_str())
}

/// The origin that a file name gives: `ORIGIN.zone` in any case, not hidden, A-labels or IDN.
fn origin_of(file_name: &str) -> Option<Name> {
    if file_name.starts_with('.') {
        return None;
    }
    let split = file_name.len().checked_sub(ENDING.len())?;
    let (origin, ending) = file_name.split_at_checked(split)?;
    if !ending.eq_ignore_ascii_case(ENDING) {
        return None;
    }
    match Name::parse_idn(origin) {
        Ok(name) if !name.is_root() => Some(name.to_lowercase()),
        _ => {
            tracing::warn!(file = file_name, "the file name is no domain name, so not a zone");
            None
        }
    }
}

fn list(directory: &Path) -> Result<Vec<(OsString, fs::FileType)>, ProviderError> {
    let operation = || format!("listing {}", directory.display());
    let wrong = |message: &str, remedy: &str| {
        ProviderError::new(operation(), ProviderErrorKind::Configuration(message.into()), remedy)
    };
    let remedy = "name an existing directory of ORIGIN.zone files as the provider's `directory`";
    match fs::metadata(directory) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(wrong("this is a file, not a directory", remedy)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(wrong("no such directory", remedy)),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(wrong("a part of the path is a file, not a directory", remedy));
        }
        Err(error) => return Err(io_error(operation(), error)),
    }
    let entries = fs::read_dir(directory).map_err(|error| io_error(operation(), error))?;
    let mut listed = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| io_error(operation(), error))?;
        match entry.file_type() {
            Ok(kind) => listed.push((entry.file_name(), kind)),
            // Gone since the listing began.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io_error(operation(), error)),
        }
    }
    Ok(listed)
}

/// The regular file that a link leads to, `None` if it leads to something else.
fn follow(link: &Path, home: Result<&Path, &io::Error>) -> Result<Option<PathBuf>, Obstacle> {
    let real = link.canonicalize().map_err(|error| {
        let leads = fs::read_link(link).map(|target| format!(" to {}", target.display())).unwrap_or_default();
        let what = if error.kind() == io::ErrorKind::NotFound {
            format!("a dangling symbolic link{leads}")
        } else {
            format!("a symbolic link{leads} that cannot be followed: {error}")
        };
        Obstacle::new(what, "make the link lead to a zone file in the same directory, or remove it")
    })?;
    if !home.is_ok_and(|home| real.starts_with(home)) {
        return Err(Obstacle::new(
            format!("a symbolic link out of the directory, to {}", real.display()),
            "put the file itself into the directory, or name the directory that it is in",
        ));
    }
    Ok(real.is_file().then_some(real))
}

/// Marks two files for one zone: a name server reads one of them, and nobody knows which.
fn twins(entries: &mut [Entry]) {
    let mut first = HashMap::with_capacity(entries.len());
    for i in 0..entries.len() {
        if let Some(earlier) = first.insert(entries[i].origin.clone(), i) {
            let (a, b) = (&entries[earlier].file_name, &entries[i].file_name);
            let zone = entries[i].origin.to_text_without_dot();
            let clash = Obstacle::new(format!("two files are the zone {zone}: {a} and {b}"), "keep one of them");
            entries[earlier].clash = Some(clash.clone());
            entries[i].clash = Some(clash);
        }
    }
}

/// Marks one file for two zones, which takes a link: a change of one would be a change of the other. `home`
/// is the directory without links.
fn share(entries: &mut [Entry], directory: &Path, home: &Path) {
    let mut first = HashMap::with_capacity(entries.len());
    for i in 0..entries.len() {
        let Ok(real) = &entries[i].real else { continue };
        // What is no link has the directory's path as it was given.
        let own = *real == directory.join(&entries[i].file_name);
        let real = if own { home.join(&entries[i].file_name) } else { real.clone() };
        if let Some(earlier) = first.insert(real, i) {
            let (a, b) = (&entries[earlier].file_name, &entries[i].file_name);
            let clash = Obstacle::new(format!("{a} and {b} are the same file"), "give each zone a file of its own");
            entries[earlier].clash = Some(clash.clone());
            entries[i].clash = Some(clash);
        }
    }
}

#[cfg(unix)]
fn linked(real: &Path) -> Option<Obstacle> {
    use std::os::unix::fs::MetadataExt;

    let count = fs::metadata(real).as_ref().map_or(1, fs::Metadata::nlink);
    (count > 1).then(|| {
        Obstacle::new(
            format!("{count} hard links lead to the file, and replacing it would part them"),
            "make it a file of its own: copy it and move the copy over it",
        )
    })
}

#[cfg(not(unix))]
fn linked(_: &Path) -> Option<Obstacle> {
    None
}

/// BIND's journal beside a file means that the server itself writes it.
fn journal(file: &Path) -> Option<Obstacle> {
    let mut behind = file.as_os_str().to_owned();
    behind.push(".jnl");
    let journals = [PathBuf::from(behind), file.with_extension("jnl")];
    let found = journals.into_iter().find(|journal| fs::symlink_metadata(journal).is_ok())?;
    Some(Obstacle::new(
        format!("a name server updates this zone itself: there is a journal, {}", found.display()),
        "use the rfc2136 provider; or run `rndc freeze`, remove the journal if it is still there, and `rndc thaw` after",
    ))
}

fn not_regular(file: &Path) -> ProviderError {
    let kind = ProviderErrorKind::Configuration("not a regular file".into());
    ProviderError::new(reading(file), kind, "a zone is a regular file named ORIGIN.zone")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        let origin = |file: &str| origin_of(file).map(|name| name.to_string());
        assert_eq!(origin("example.com.zone").unwrap(), "example.com.");
        assert_eq!(origin("Example.COM.Zone").unwrap(), "example.com.");
        assert_eq!(origin("com.zone").unwrap(), "com.");
        assert_eq!(origin("b\u{fc}cher.example.zone").unwrap(), "xn--bcher-kva.example.");
        assert_eq!(origin("xn--bcher-kva.example.zone").unwrap(), "xn--bcher-kva.example.");
        assert_eq!(origin("0\\04725.2.0.192.in-addr.arpa.zone").unwrap(), "0/25.2.0.192.in-addr.arpa.");
        for none in [".zone", "..zone", ".example.com.zone", "example.com", "a..b.zone", "zone", "x.zone.jnl", "\u{fc}"]
        {
            assert_eq!(origin(none), None, "{none}");
        }
    }
}
