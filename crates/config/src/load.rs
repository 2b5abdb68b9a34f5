//! Files into [`Settings`]: the only I/O of this crate.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use crate::check;
use crate::diagnostic::{Diagnostic, Severity};
use crate::keys::ROOT;
use crate::lower::{self, repeated_in};
use crate::raw::{Node, Report};
use crate::settings::Settings;
use crate::source::SourceFile;

/// Where a part of the configuration comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file, or a directory: its `*.toml` in byte order, without dot files, not recursive.
    Path(PathBuf),
    /// `-`: the text of standard input. Paths in it are relative to the working directory.
    Stdin(String),
    /// A text that was read elsewhere, such as an earlier revision of a file.
    Text {
        /// What messages call it.
        path: PathBuf,
        /// What paths in it are relative to.
        directory: PathBuf,
        /// The text.
        text: String,
    },
}

/// The largest file that is read, in octets.
pub const MAX_FILE_SIZE: u64 = 64 << 20;

const BUILTIN: &str = include_str!("builtin.toml");

/// Reads and checks a configuration; all sources together are one.
///
/// # Errors
/// Every mistake found, in the order of the files. The configuration's author is to blame, or the file
/// system; warnings may be among them.
pub fn load(sources: &[Source]) -> Result<Settings, Vec<Diagnostic>> {
    let mut report = Vec::new();
    let mut files = Vec::new();
    let mut state_base = None;
    for source in sources {
        let base = match source {
            Source::Stdin(text) => {
                files.push(SourceFile::in_directory("<standard input>", "", text.as_str()));
                PathBuf::new()
            }
            Source::Text { path, directory, text } => {
                files.push(SourceFile::in_directory(path, directory, text.as_str()));
                directory.clone()
            }
            Source::Path(path) if path.is_dir() => {
                match directory(path) {
                    Ok(paths) => paths.iter().for_each(|path| keep(read(path, Kind::Regular), &mut files, &mut report)),
                    Err(message) => report.push(Diagnostic::error(message)),
                }
                path.clone()
            }
            Source::Path(path) => {
                keep(read(path, Kind::Any), &mut files, &mut report);
                path.parent().map(Path::to_path_buf).unwrap_or_default()
            }
        };
        if state_base.is_none() {
            state_base = Some(if base.as_os_str().is_empty() { PathBuf::from(".") } else { base });
        }
    }
    if !report.is_empty() {
        return Err(report);
    }
    let state_base = state_base.unwrap_or_else(|| PathBuf::from("."));
    parse(&files, state_base, &mut |path| read(path, Kind::Regular))
}

/// Checks files that have been read. `read` reads the files that they name; its error is a lower-case
/// fragment that names the file. Does nothing else that can be observed.
///
/// # Errors
/// As [`load`].
pub fn parse(
    files: &[Arc<SourceFile>],
    state_base: PathBuf,
    read: &mut dyn FnMut(&Path) -> Result<Arc<SourceFile>, String>,
) -> Result<Settings, Vec<Diagnostic>> {
    let builtin = SourceFile::in_directory("<built-in profiles>", "", BUILTIN);
    let mut report = Report::default();
    let mut broken = false;
    let mut values: Vec<(Spanned<DeValue<'_>>, &Arc<SourceFile>)> = Vec::new();
    for file in files.iter().chain([&builtin]) {
        let (table, errors) = DeTable::parse_recoverable(file.text());
        // What stands after a syntax error may be misread, but a key defined twice disturbs nothing else.
        let readable = errors.iter().all(is_duplicate);
        broken |= !errors.is_empty();
        let mut told = false;
        for error in &errors {
            // What is only counted needs no search through the text: there may be very many.
            if report.is_full() {
                report.add(Diagnostic::error("no TOML").at(file.place(error.span().unwrap_or(0..0))));
                continue;
            }
            let mut diagnostic = syntax_error(error, file);
            if diagnostic.place.as_ref().is_some_and(in_provider) {
                diagnostic = diagnostic.hide_line();
            }
            // A table defined twice is read as one: what then stands twice in it is no news.
            if is_duplicate(error) && diagnostic.related.is_empty() && told {
                continue;
            }
            told |= is_duplicate(error);
            report.add(diagnostic);
        }
        if readable {
            let span = table.span();
            values.push((Spanned::new(span, DeValue::Table(table.into_inner())), file));
        }
    }
    let roots: Vec<Node<'_>> = values.iter().map(|(value, file)| Node::new(value, file)).collect();
    for root in &roots {
        check::table(root, &ROOT, &mut report);
        repeated_in(root, &mut report);
    }
    if broken {
        return Err(report.finish(files));
    }
    let mut settings = lower::lower(&roots, read, &mut report);
    if report.has_errors() {
        return Err(report.finish(files));
    }
    settings.warnings = report.finish(files);
    debug_assert!(settings.warnings.iter().all(|warning| warning.severity == Severity::Warning));
    settings.files =
        files.iter().map(|file| file.path.clone()).filter(|path| !path.starts_with("<standard input>")).collect();
    settings.state_base = state_base;
    Ok(settings)
}

fn is_duplicate(error: &Error) -> bool {
    error.message().starts_with("duplicate key")
}

/// A TOML error with its place; for a key that stands twice, the first one too.
fn syntax_error(error: &Error, file: &Arc<SourceFile>) -> Diagnostic {
    let span = error.span().unwrap_or(0..0);
    let place = file.place(span.clone());
    if !is_duplicate(error) {
        return Diagnostic::error(format!("no TOML: {}", error.message())).at(place);
    }
    let text = place.text().to_owned();
    let diagnostic = Diagnostic::error(format!("`{text}` is defined twice")).label("defined again here");
    match first_definition(file, span.start) {
        Some(first) => diagnostic.at(place).related(first, "first defined here"),
        None => diagnostic.at(place),
    }
}

/// Whether the line is one of a provider's keys: somebody may have written a secret in it.
fn in_provider(place: &crate::Place) -> bool {
    let (text, file) = (place.source.text(), &place.source);
    let line = file.line(file.position(place.start).0).trim_start();
    let header = |line: &&str| line.trim_start().starts_with('[');
    // The parser has not understood the text; a header is taken for what it looks like.
    let section = text.get(..place.start as usize).and_then(|before| before.lines().rev().find(header));
    let is_provider = |line: &str| line.trim_start_matches(['[', ' ', '\t', '"', '\'']).starts_with("providers");
    !line.starts_with('[') && (is_provider(line) || section.is_some_and(is_provider))
}

/// The earlier line that defines what the line at `offset` defines: the same header, or the same key
/// since the last header. The TOML parser does not tell.
fn first_definition(file: &Arc<SourceFile>, offset: usize) -> Option<crate::Place> {
    let before = file.text().get(..offset)?;
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = file.text().get(line_start..)?.lines().next()?;
    let defines = |line: &str| -> String {
        let line = line.trim_start();
        let end = if line.starts_with('[') { line.rfind(']').map(|at| at + 1) } else { line.find('=') };
        line.get(..end.unwrap_or(line.len())).unwrap_or(line).split_whitespace().collect()
    };
    let wanted = defines(line);
    let is_header = wanted.starts_with('[');
    let section = if is_header { 0 } else { before.get(..line_start)?.rfind("\n[").map_or(0, |at| at + 1) };
    let mut at = section;
    for candidate in file.text().get(section..line_start)?.split_inclusive('\n') {
        if defines(candidate) == wanted {
            let lead = candidate.len() - candidate.trim_start().len();
            return Some(file.place(at + lead..at + candidate.trim_end().len()));
        }
        at += candidate.len();
    }
    None
}

fn keep(read: Result<Arc<SourceFile>, String>, files: &mut Vec<Arc<SourceFile>>, report: &mut Vec<Diagnostic>) {
    match read {
        Ok(file) => files.push(file),
        Err(message) => report.push(Diagnostic::error(message)),
    }
}

/// What may be read: a pipe only where the user named it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Any,
    Regular,
}

/// The `*.toml` of a directory in byte order.
fn directory(path: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: io::Error| cannot_read(path, &error);
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let bytes = name.as_encoded_bytes();
        if bytes.ends_with(b".toml") && !bytes.starts_with(b".") {
            names.push(name);
        }
    }
    names.sort_by(|a, b| a.as_encoded_bytes().cmp(b.as_encoded_bytes()));
    Ok(names.iter().map(|name| path.join(name)).collect())
}

fn read(path: &Path, kind: Kind) -> Result<Arc<SourceFile>, String> {
    let failed = |error: io::Error| cannot_read(path, &error);
    let shown = path.display();
    let metadata = fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        return Err(format!("{shown} is a directory where a file belongs"));
    }
    if kind == Kind::Regular && !metadata.is_file() {
        return Err(format!("{shown} is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(MAX_FILE_SIZE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_SIZE {
        return Err(format!("{shown} is over {} MiB", MAX_FILE_SIZE >> 20));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes().iter().take(valid).filter(|byte| **byte == b'\n').count();
        format!("{shown} is not UTF-8 in line {line}")
    })?;
    Ok(SourceFile::new(path, text))
}

fn cannot_read(path: &Path, error: &io::Error) -> String {
    let shown = path.display();
    if error.kind() == io::ErrorKind::NotFound
        && let Ok(target) = fs::read_link(path)
    {
        return format!("{shown} is a link to {}, which does not exist", target.display());
    }
    match error.kind() {
        io::ErrorKind::NotFound => format!("{shown} does not exist"),
        io::ErrorKind::PermissionDenied => format!("{shown} cannot be read: permission denied"),
        io::ErrorKind::NotADirectory => {
            format!("{shown} cannot be read: a part of the path is a file, not a directory")
        }
        _ => format!("{shown} cannot be read: {error}"),
    }
}
