//! Text for a terminal or a log.
//!
//! Every line begins with blanks, a sign or a word of the program's own, never with data: nothing in a
//! zone can look like a line of a report or a command to a runner.

mod apply;
pub(crate) mod change;
mod history;
mod latency;
mod lint;
mod plan;
pub(crate) mod remark;
mod table;
mod verify;

pub use apply::apply;
pub use history::history;
pub use latency::latency;
pub use lint::lint;
pub use plan::plan;
pub use verify::verify;

use crate::Redactor;

/// How text is to look.
#[derive(Debug, Clone)]
pub struct TextOptions {
    /// Columns of a line; 0: lines are not broken.
    pub width: usize,
    /// Whether there is colour.
    pub color: bool,
    /// Whether each zone is shown by itself, with record data.
    pub full: bool,
    /// Whether record data and mere information are shown. With `full`, long record data is not cut.
    pub verbose: bool,
    /// Whether a plan ends with what to do next; not where the program asks itself.
    pub hints: bool,
    /// For texts that shall be the same from run to run.
    pub redact: Redactor,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self { width: 100, color: false, full: false, verbose: false, hints: true, redact: Redactor::default() }
    }
}

/// `a, b, c and 4 more`, or all of them where there are at most `most`.
pub(crate) fn some_of<T: AsRef<str>>(names: &[T], most: usize) -> String {
    let most = if names.len() <= most + 1 { names.len() } else { most };
    let shown: Vec<&str> = names.iter().take(most).map(AsRef::as_ref).collect();
    let more = names.len() - most;
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

/// `1 zone`, `2 zones`.
pub(crate) fn count(number: usize, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => match one.strip_suffix('y') {
            Some(stem) => format!("{number} {stem}ies"),
            None => format!("{number} {one}s"),
        },
    }
}

/// `text` with at most `most` characters, and how many there were if it is longer.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let characters = text.chars().count();
    if characters <= most {
        return text.to_owned();
    }
    let begin: String = text.chars().take(most).collect();
    format!("{}\u{2026} ({characters} characters)", begin.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_words() {
        assert_eq!(some_of(&["a", "b", "c", "d"], 3), "a, b, c, d");
        assert_eq!(some_of(&["a", "b", "c", "d", "e"], 3), "a, b, c and 2 more");
        assert_eq!(
            (count(1, "zone"), count(2, "zone"), count(0, "entry")),
            ("1 zone".into(), "2 zones".into(), "0 entries".into())
        );
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcdef\u{2026} (7 characters)");
    }
}
