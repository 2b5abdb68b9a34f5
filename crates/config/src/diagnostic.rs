use std::fmt;

use crate::escape;
use crate::source::Place;

/// Something about the configuration that a person has to know.
///
/// [`fmt::Display`] renders it as plain text without colour; everything from files is escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: a lower-case fragment, escaped.
    pub message: String,
    /// Where; `None` for what concerns a whole file or none.
    pub place: Option<Place>,
    /// Whether the lines at the places may be shown: not if a secret may stand in them.
    pub show_line: bool,
    /// What to write under the place; may be empty.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Other places that belong to it.
    pub related: Vec<Related>,
}

/// Another place and what it has to do with the diagnostic.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Related {
    pub place: Place,
    pub label: String,
}

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can, and should be looked at.
    Warning,
}

impl Diagnostic {
    /// An error; what stems from files in `message` is escaped here.
    pub fn error(message: impl AsRef<str>) -> Self {
        Self {
            severity: Severity::Error,
            message: escape::line(message.as_ref()).into_owned(),
            place: None,
            show_line: true,
            label: String::new(),
            help: None,
            related: Vec::new(),
        }
    }

    /// A warning, likewise.
    pub fn warning(message: impl AsRef<str>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    /// Where it is.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Where it is, without the line itself.
    #[must_use]
    pub(crate) fn hide_line(self) -> Self {
        Self { show_line: false, ..self }
    }

    /// What to write under the place.
    #[must_use]
    pub fn label(mut self, label: impl AsRef<str>) -> Self {
        self.label = escape::line(label.as_ref()).into_owned();
        self
    }

    /// What to do about it.
    #[must_use]
    pub fn help(mut self, help: impl AsRef<str>) -> Self {
        self.help = Some(escape::line(help.as_ref()).into_owned());
        self
    }

    /// Another place that belongs to it.
    #[must_use]
    pub fn related(mut self, place: Place, label: impl AsRef<str>) -> Self {
        self.related.push(Related { place, label: escape::line(label.as_ref()).into_owned() });
        self
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity, self.message)?;
        let places = self.place.iter().chain(self.related.iter().map(|related| &related.place));
        let gutter = places.map(|place| place.line().to_string().len()).max().unwrap_or(1);
        match &self.place {
            Some(place) if self.show_line => snippet(f, place, &self.label, '^', gutter)?,
            Some(place) => write!(f, "\n{:gutter$}--> {place}", "")?,
            None => {}
        }
        for related in &self.related {
            if self.show_line {
                snippet(f, &related.place, &related.label, '-', gutter)?;
            } else {
                write!(f, "\n{:gutter$}--> {} {}", "", related.place, related.label)?;
            }
        }
        if let Some(help) = &self.help {
            write!(f, "\n{:gutter$} = help: {help}", "")?;
        }
        Ok(())
    }
}

/// The characters of a snippet line; a longer line is cut around the place.
const SNIPPET_WIDTH: usize = 100;

/// `--> FILE:LINE:COLUMN`, the line, and marks below what is meant.
fn snippet(f: &mut fmt::Formatter<'_>, place: &Place, label: &str, mark: char, gutter: usize) -> fmt::Result {
    let (number, column) = place.source.position(place.start);
    let line = place.source.line(number);
    let (end_line, end_column) = place.source.position(place.end);
    let length = line.chars().count();
    let start = (column - 1).min(length);
    let end = if end_line == number { (end_column - 1).min(length) } else { length };
    // A long line is shown from shortly before the place.
    let from = if length > SNIPPET_WIDTH { start.saturating_sub(SNIPPET_WIDTH / 4) } else { 0 };
    let to = length.min(from + SNIPPET_WIDTH);
    let part = |a: usize, b: usize| -> String {
        let text: String = line.chars().skip(a).take(b.saturating_sub(a)).collect();
        escape::line(&text.replace('\t', " ")).into_owned()
    };
    let before = part(from, start);
    let marked = part(start, end.min(to));
    let after = part(end.min(to).max(start), to);
    let (cut_left, cut_right) = (if from > 0 { "…" } else { "" }, if to < length { "…" } else { "" });
    let pad = before.chars().count() + cut_left.chars().count();
    let marks: String = std::iter::repeat_n(mark, marked.chars().count().max(1)).collect();
    write!(f, "\n{:gutter$}--> {place}\n{:gutter$} |\n", "", "")?;
    write!(f, "{number:>gutter$} | {cut_left}{before}{marked}{after}{cut_right}\n{:gutter$} | {:pad$}{marks}", "", "")?;
    if label.is_empty() { Ok(()) } else { write!(f, " {label}") }
}
