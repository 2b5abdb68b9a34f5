//! A zone file as entries (logical lines) of tokens: RFC 1035 section 5.1, over octets.

use std::borrow::Cow;
use std::ops::Range;

/// One word, or one string in quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    /// Where it stands in the file, quotes included.
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) quoted: bool,
    /// No blank between it and the token before.
    pub(crate) glued: bool,
    /// How many parentheses are open.
    pub(crate) depth: u32,
}

impl Token {
    /// As it stands in the file.
    pub(crate) fn raw<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        text.get(self.start..self.end).unwrap_or_default()
    }

    /// Without its quotes; octets outside ASCII as `\DDD`, so that each stays what it is.
    pub(crate) fn text<'a>(&self, text: &'a [u8]) -> Cow<'a, str> {
        let raw = self.raw(text);
        let inner = if self.quoted { raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default() } else { raw };
        ascii(inner)
    }
}

/// `raw` with octets outside ASCII as `\DDD`.
pub(crate) fn ascii(raw: &[u8]) -> Cow<'_, str> {
    if raw.is_ascii()
        && let Ok(text) = std::str::from_utf8(raw)
    {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(raw.len() + 16);
    let mut bytes = raw.iter().peekable();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next_if(|next| next.is_ascii()) {
                Some(&next) => text.extend(['\\', char::from(next)]),
                // The backslash of `\é` adds nothing to the `\DDD` that follows.
                None if bytes.peek().is_some() => {}
                None => text.push('\\'),
            },
            0..=0x7f => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\{byte:03}")),
        }
    }
    Cow::Owned(text)
}

/// Where an entry stands: from the start of its line to behind its newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The line begins with a blank: the owner is the one before.
    pub(crate) leading_blank: bool,
}

/// A text that cannot be split into tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LexError {
    pub(crate) at: Range<usize>,
    pub(crate) message: &'static str,
    pub(crate) remedy: &'static str,
}

/// Reads entries one after the other.
#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        let bom = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        Self { text, at: bom }
    }

    /// Begins at `at`, which is the start of an entry.
    pub(crate) fn starting_at(text: &'a [u8], at: usize) -> Self {
        Self { text, at }
    }

    /// The next entry that has tokens, which are put into `tokens`. After an error the reading goes
    /// on with the next line.
    pub(crate) fn next_entry(&mut self, tokens: &mut Vec<Token>) -> Option<Result<Entry, LexError>> {
        tokens.clear();
        let text = self.text;
        let mut start = self.at;
        let mut at = self.at;
        let mut depth = 0u32;
        let mut opened = at;
        let mut glued = false;
        loop {
            let Some(&byte) = text.get(at) else {
                self.at = at;
                if depth > 0 {
                    return Some(Err(LexError {
                        at: opened..opened + 1,
                        message: "a parenthesis that is never closed",
                        remedy: "close it with `)` where the record ends",
                    }));
                }
                return (!tokens.is_empty()).then(|| Ok(self.entry(start, at)));
            };
            match byte {
                b'\n' if depth == 0 => {
                    at += 1;
                    if !tokens.is_empty() {
                        self.at = at;
                        return Some(Ok(self.entry(start, at)));
                    }
                    start = at;
                    glued = false;
                }
                b' ' | b'\t' | b'\r' | b'\n' => {
                    at += 1;
                    glued = false;
                }
                b';' => at = line_end(text, at),
                b'(' => {
                    if depth == 0 {
                        opened = at;
                    }
                    depth = depth.saturating_add(1);
                    at += 1;
                    glued = false;
                }
                b')' => {
                    if depth == 0 {
                        self.at = (line_end(text, at) + 1).min(text.len());
                        return Some(Err(LexError {
                            at: at..at + 1,
                            message: "a closing parenthesis without an opening one",
                            remedy: "remove it, or write `\\)` if it belongs to a name",
                        }));
                    }
                    depth -= 1;
                    at += 1;
                    glued = false;
                }
                b'"' => {
                    let from = at;
                    let Some(end) = string_end(text, at + 1) else {
                        let end = line_end(text, at);
                        self.at = (end + 1).min(text.len());
                        return Some(Err(LexError {
                            at: from..end,
                            message: "a quoted string that is not closed on its line",
                            remedy: "close it with `\"`; a long text goes into several strings in parentheses",
                        }));
                    };
                    at = end;
                    tokens.push(Token { start: from, end, quoted: true, glued, depth });
                    glued = true;
                }
                _ => {
                    let end = word_end(text, at);
                    tokens.push(Token { start: at, end, quoted: false, glued, depth });
                    at = end;
                    glued = true;
                }
            }
        }
    }

    fn entry(&self, start: usize, end: usize) -> Entry {
        Entry { start, end, leading_blank: matches!(self.text.get(start), Some(b' ' | b'\t')) }
    }
}

/// The place of the newline that ends the line of `at`, or the end of the text.
pub(crate) fn line_end(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    rest.iter().position(|&b| b == b'\n').map_or(text.len(), |n| at + n)
}

/// Behind the closing quote of the string that begins at `at`; `None` if its line ends first.
fn string_end(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *text.get(at)? {
            b'"' => return Some(at + 1),
            b'\n' => return None,
            b'\\' => at += escape_length(text, at),
            _ => at += 1,
        }
    }
}

fn word_end(text: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = text.get(at) {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')' | b'"' => break,
            b'\\' => at += escape_length(text, at),
            _ => at += 1,
        }
    }
    at
}

/// A backslash takes the next octet with it, but never the end of the line.
fn escape_length(text: &[u8], at: usize) -> usize {
    match text.get(at + 1) {
        None | Some(b'\n' | b'\r') => 1,
        Some(_) => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let bytes = text.as_bytes();
        let mut lexer = Lexer::new(bytes);
        let mut tokens = Vec::new();
        let mut out = Vec::new();
        while let Some(entry) = lexer.next_entry(&mut tokens) {
            match entry {
                Ok(entry) => {
                    let words: Vec<_> = tokens.iter().map(|t| String::from_utf8_lossy(t.raw(bytes))).collect();
                    let blank = if entry.leading_blank { "_ " } else { "" };
                    out.push(format!("{blank}{}", words.join(" | ")));
                }
                Err(error) => out.push(format!("error at {}: {}", error.at.start, error.message)),
            }
        }
        out
    }

    #[test]
    fn entries() {
        assert_eq!(words("a A 1 ; c\r\n\r\n  \n\tB \"x;(\\\"\"y\n"), ["a | A | 1", "_ B | \"x;(\\\"\" | y"]);
        assert_eq!(words("a ( b ; (\n c\n) d\ne\\;\\(f"), ["a | b | c | d", "e\\;\\(f"]);
        assert_eq!(
            words("a \"b\nc )\nd (\ne"),
            [
                "error at 2: a quoted string that is not closed on its line",
                "error at 7: a closing parenthesis without an opening one",
                "error at 11: a parenthesis that is never closed",
            ]
        );
        assert_eq!(words("a\\"), ["a\\"]);
        assert_eq!(words("\u{feff}a b"), ["a | b"]);
    }

    #[test]
    fn octets_outside_ascii() {
        assert_eq!(ascii(b"a\xffb\\\xc3\xa9\\\\\xff\\"), "a\\255b\\195\\169\\\\\\255\\");
        assert_eq!(ascii(b"plain"), "plain");
    }
}
