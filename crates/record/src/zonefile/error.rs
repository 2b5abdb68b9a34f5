use std::fmt;
use std::ops::Range;

/// All that is wrong with a zone file, in the order of its lines; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneFileErrors {
    errors: Vec<ZoneFileError>,
}

/// One thing that is wrong with a zone file. Reading it again does not help; the file has to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct ZoneFileError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The octets meant, from the start of the file.
    pub span: Range<usize>,
    /// The line's text; octets that are no UTF-8 replaced. It may hold control characters.
    pub text: Box<str>,
    /// A lower-case fragment.
    pub message: Box<str>,
    /// What to do about it.
    pub remedy: Box<str>,
}

impl ZoneFileErrors {
    /// The errors in the order of the file.
    pub fn as_slice(&self) -> &[ZoneFileError] {
        &self.errors
    }

    /// Finds lines and columns for (span, message, remedy); `None` if there are none.
    pub(crate) fn locate(text: &[u8], mut found: Vec<(Range<usize>, Box<str>, Box<str>)>) -> Option<Self> {
        found.sort_by_key(|(span, ..)| span.start);
        let mut errors = Vec::with_capacity(found.len());
        let (mut line, mut line_start, mut seen) = (1, 0, 0);
        for (span, message, remedy) in found {
            let start = span.start.min(text.len());
            for (i, &byte) in text.iter().enumerate().take(start).skip(seen) {
                if byte == b'\n' {
                    line += 1;
                    line_start = i + 1;
                }
            }
            seen = start;
            let end = super::lexer::line_end(text, start);
            let whole = String::from_utf8_lossy(&text[line_start..end]);
            let column = String::from_utf8_lossy(&text[line_start..start]).chars().count() + 1;
            errors.push(ZoneFileError {
                line,
                column,
                span,
                text: whole.trim_end_matches('\r').into(),
                message,
                remedy,
            });
        }
        (!errors.is_empty()).then_some(Self { errors })
    }
}

impl<'a> IntoIterator for &'a ZoneFileErrors {
    type Item = &'a ZoneFileError;
    type IntoIter = std::slice::Iter<'a, ZoneFileError>;

    fn into_iter(self) -> Self::IntoIter {
        self.errors.iter()
    }
}

impl fmt::Display for ZoneFileErrors {
    /// The first error, and how many more there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(first) = self.errors.first() {
            first.fmt(f)?;
        }
        match self.errors.len() {
            0 | 1 => Ok(()),
            many => write!(f, " (and {} more)", many - 1),
        }
    }
}

impl std::error::Error for ZoneFileErrors {}
