use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A text that was read: a configuration file, a file it names, or standard input.
#[derive(PartialEq, Eq)]
pub struct SourceFile {
    /// As the user would name it; `<standard input>` and `<built-in profiles>` are no files.
    pub path: PathBuf,
    /// What relative paths in it are relative to.
    pub directory: PathBuf,
    text: String,
    /// Where each line starts.
    lines: Vec<u32>,
}

/// A stretch of a [`SourceFile`].
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub source: Arc<SourceFile>,
    /// First byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where: of a merged table, the place of the layer that had the last word.
    pub place: Place,
    /// Whether profiles alone ask for it: what a provider cannot hold is then a warning and left out,
    /// not a refusal (`design.md` section 6).
    pub from_profile: bool,
}

impl SourceFile {
    /// A text of at most 4 GiB; what is longer cannot be pointed at and is cut.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Arc<Self> {
        let path = path.into();
        let directory = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Self::in_directory(path, directory, text)
    }

    /// A text whose relative paths are relative to `directory`.
    pub fn in_directory(path: impl Into<PathBuf>, directory: impl Into<PathBuf>, text: impl Into<String>) -> Arc<Self> {
        let text = text.into();
        let starts = text
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'\n')
            .filter_map(|(at, _)| u32::try_from(at + 1).ok());
        let lines = std::iter::once(0).chain(starts).collect();
        Arc::new(Self { path: path.into(), directory: directory.into(), text, lines })
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    pub fn position(&self, offset: u32) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or(0) as usize;
        let before = self.text.get(start..offset as usize).unwrap_or("");
        (line, before.chars().count() + 1)
    }

    /// A line (from 1) without its end; empty past the last.
    pub fn line(&self, number: usize) -> &str {
        let Some(start) = number.checked_sub(1).and_then(|index| self.lines.get(index)) else { return "" };
        let end = self.lines.get(number).map_or(self.text.len(), |next| *next as usize);
        self.text.get(*start as usize..end).unwrap_or("").trim_end_matches(['\n', '\r'])
    }

    /// The place of the bytes `span`.
    pub fn place(self: &Arc<Self>, span: std::ops::Range<usize>) -> Place {
        let clamp = |at: usize| u32::try_from(at.min(self.text.len())).unwrap_or(u32::MAX);
        Place { source: Arc::clone(self), start: clamp(span.start), end: clamp(span.end.max(span.start)) }
    }
}

impl Place {
    /// The file's path.
    pub fn file(&self) -> &Path {
        &self.source.path
    }

    /// The line of the first byte, from 1.
    pub fn line(&self) -> usize {
        self.source.position(self.start).0
    }

    /// The column of the first byte, from 1, in characters.
    pub fn column(&self) -> usize {
        self.source.position(self.start).1
    }

    /// The text itself, quotes included.
    pub fn text(&self) -> &str {
        self.source.text().get(self.start as usize..self.end as usize).unwrap_or("")
    }
}

impl<T> Located<T> {
    /// Another value at the same place.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Located<U> {
        Located { value: f(self.value), place: self.place, from_profile: self.from_profile }
    }
}

impl fmt::Debug for SourceFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceFile({}, {} bytes)", self.path.display(), self.text.len())
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Place {
    /// `FILE:LINE:COLUMN`, escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file().to_string_lossy();
        write!(f, "{}:{}:{}", crate::escape::line(&file), self.line(), self.column())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns() {
        let source = SourceFile::new("a.toml", "é = 1\r\nb = 2");
        let place = source.place(8..9);
        assert_eq!((place.line(), place.column(), place.text()), (2, 1, "b"));
        assert_eq!(source.position(2), (1, 2));
        assert_eq!((source.line(1), source.line(2), source.line(3), source.line(0)), ("é = 1", "b = 2", "", ""));
        assert_eq!(SourceFile::new("e", "").position(0), (1, 1));
    }
}
