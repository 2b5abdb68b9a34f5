//! Labels and their colours, and the one writer of text for a terminal.

use anstyle::{AnsiColor, Color, Style};

use crate::escape;

/// What a piece of text is. Its colour is decided in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants say it")]
pub enum Label {
    Plain,
    Heading,
    Create,
    Update,
    Delete,
    Added,
    Removed,
    Error,
    Warning,
    Info,
    Good,
    Muted,
}

impl Label {
    /// How it looks where there is colour.
    pub const fn style(self) -> Style {
        const fn color(color: AnsiColor) -> Style {
            Style::new().fg_color(Some(Color::Ansi(color)))
        }
        match self {
            Self::Plain => Style::new(),
            Self::Heading => Style::new().bold(),
            Self::Create | Self::Added | Self::Good => color(AnsiColor::Green),
            Self::Update | Self::Warning => color(AnsiColor::Yellow),
            Self::Delete | Self::Removed => color(AnsiColor::Red),
            Self::Error => color(AnsiColor::Red).bold(),
            Self::Info => color(AnsiColor::Cyan),
            Self::Muted => Style::new().dimmed(),
        }
    }
}

/// One line in pieces. Every piece is escaped when it is put in, so a line is one line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    indent: usize,
    pieces: Vec<(Label, String)>,
}

impl Line {
    /// A line that begins after so many blanks. Its first piece must be the program's own words.
    pub(crate) fn new(indent: usize) -> Self {
        Self { indent, pieces: Vec::new() }
    }

    /// With a further piece.
    #[must_use]
    pub(crate) fn put(mut self, label: Label, text: impl AsRef<str>) -> Self {
        self.add(label, text);
        self
    }

    /// With a further piece without colour.
    #[must_use]
    pub(crate) fn plain(self, text: impl AsRef<str>) -> Self {
        self.put(Label::Plain, text)
    }

    /// Adds a further piece.
    pub(crate) fn add(&mut self, label: Label, text: impl AsRef<str>) {
        let text = escape::line(text.as_ref());
        if !text.is_empty() {
            self.pieces.push((label, text.into_owned()));
        }
    }
}

/// Text in the making.
#[derive(Debug)]
pub(crate) struct Page {
    text: String,
    width: usize,
    color: bool,
}

/// A stretch of one line without a blank in it, and the blanks before it.
struct Word<'a> {
    blanks: usize,
    parts: Vec<(Label, &'a str)>,
}

impl Page {
    /// `width` in columns; 0 never breaks a line.
    pub(crate) fn new(width: usize, color: bool) -> Self {
        Self { text: String::new(), width, color }
    }

    /// A line, broken at blanks where it is too long. The rest hangs four columns deeper.
    pub(crate) fn line(&mut self, line: &Line) {
        self.broken(line, self.width);
    }

    /// A line that is never broken, such as a table's.
    pub(crate) fn whole(&mut self, line: &Line) {
        self.broken(line, 0);
    }

    fn broken(&mut self, line: &Line, width: usize) {
        let mut column = line.indent;
        self.blanks(line.indent);
        for (at, word) in words(&line.pieces).into_iter().enumerate() {
            let length: usize = word.parts.iter().map(|(_, part)| part.chars().count()).sum();
            let too_long = width > 0 && column + word.blanks + length > width;
            if at > 0 && too_long && may_begin_a_line(&word) {
                self.text.push('\n');
                column = line.indent + 4;
                self.blanks(column);
            } else {
                self.blanks(word.blanks);
                column += word.blanks;
            }
            for (label, part) in word.parts {
                self.piece(label, part);
            }
            column += length;
        }
        self.text.push('\n');
    }

    /// An empty line, unless the text begins here or there is one already.
    pub(crate) fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// Text that a page of the same kind made.
    pub(crate) fn append(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }

    fn piece(&mut self, label: Label, text: &str) {
        let style = label.style();
        if self.color && style != Style::new() {
            self.text.push_str(&format!("{style}{text}{style:#}"));
        } else {
            self.text.push_str(text);
        }
    }

    fn blanks(&mut self, count: usize) {
        self.text.extend(std::iter::repeat_n(' ', count));
    }
}

fn words(pieces: &[(Label, String)]) -> Vec<Word<'_>> {
    let mut words: Vec<Word<'_>> = Vec::new();
    let mut blanks = 0;
    let mut open = false;
    for (label, text) in pieces {
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let trimmed = rest.trim_start_matches(' ');
            if trimmed.len() < rest.len() {
                blanks += rest.len() - trimmed.len();
                open = false;
                rest = trimmed;
                continue;
            }
            let (part, after) = rest.split_at(rest.find(' ').unwrap_or(rest.len()));
            match words.last_mut().filter(|_| open) {
                Some(word) => word.parts.push((*label, part)),
                None => words.push(Word { blanks: std::mem::take(&mut blanks), parts: vec![(*label, part)] }),
            }
            open = true;
            rest = after;
        }
    }
    words
}

/// A runner of GitHub Actions takes `::` after blanks for a command, and a person takes a sign for a change.
fn may_begin_a_line(word: &Word<'_>) -> bool {
    let first = word.parts.first().and_then(|(_, part)| part.chars().next());
    first.is_some_and(|c| c.is_alphanumeric() || matches!(c, '"' | '(' | '[' | '_' | '{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(width: usize, color: bool, line: &Line) -> String {
        let mut page = Page::new(width, color);
        page.line(line);
        page.finish()
    }

    #[test]
    fn lines_break_at_blanks() {
        let line = Line::new(2).put(Label::Error, "error").plain(": one two ").plain("three::four ::five six");
        assert_eq!(page(0, false, &line), "  error: one two three::four ::five six\n");
        assert_eq!(page(20, false, &line), "  error: one two\n      three::four ::five\n      six\n");
    }

    #[test]
    fn colour_is_the_callers_choice() {
        let line = Line::new(0).put(Label::Create, "+ ").plain("a\x1bb");
        assert_eq!(page(80, false, &line), "+ a\\u{1b}b\n");
        assert_eq!(page(80, true, &line), "\x1b[32m+\x1b[0m a\\u{1b}b\n");
    }
}
