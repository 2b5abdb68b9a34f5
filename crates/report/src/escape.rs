//! Data of others as text that does nothing: on a terminal, in a log, in Markdown.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` for a terminal or a log, on one line: control characters (C0, DEL, C1), line and paragraph
/// separators, bidirectional and invisible characters become `\u{..}`.
///
/// A `#` after a `#` is escaped too: `##[command]` is a command to a GitHub or Azure runner wherever
/// it stands in a line of a log. (`::command::` is one at the begin of a line alone, and no line
/// begins with such data.)
pub fn line(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'#') {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars() {
        if is_harmless(c) && !(c == '#' && before == '#') {
            escaped.push(c);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "\\u{{{:x}}}", u32::from(c));
        }
        before = c;
    }
    Cow::Owned(escaped)
}

/// Whether a character shows as itself and changes nothing around it.
pub(crate) fn is_harmless(c: char) -> bool {
    !(c.is_control() || is_directional(c) || is_invisible(c))
}

/// Characters that turn the direction of the text around them (UAX 9), and separators of lines.
fn is_directional(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Characters of no width that can hide in a name or a value.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// `text` as a Markdown code span, fit for a table cell too. What could close the span or the cell
/// (`` ` `` and `|`) becomes `\u{..}`. Nothing for no text, for there is no empty code span.
pub fn code_span(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    // Blanks alone would not be stripped and still not be seen.
    let mut span = String::with_capacity(text.len() + 2);
    span.push('`');
    for c in line(text).chars() {
        match c {
            '`' => span.push_str("\\u{60}"),
            '|' => span.push_str("\\u{7c}"),
            _ => span.push(c),
        }
    }
    span.push('`');
    span
}

/// A sentence that may quote data, as Markdown: plain words stay words, everything that could be
/// markup, a link or a mention is in code spans.
pub fn prose(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = token_end(rest);
        let (token, after) = rest.split_at(end);
        if !out.is_empty() {
            out.push(' ');
        }
        push_token(&mut out, token);
        rest = after.trim_start_matches(' ');
    }
    out
}

/// The end of the first word; a quoted or backticked stretch is one word.
fn token_end(text: &str) -> usize {
    let blank = |from: usize| text.get(from..).and_then(|t| t.find(' ')).map_or(text.len(), |at| from + at);
    let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '`')) else { return blank(0) };
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return blank(at);
        }
        escaped = c == '\\' && !escaped;
    }
    blank(0)
}

fn push_token(out: &mut String, token: &str) {
    let open = if token.starts_with('(') { 1 } else { 0 };
    let (before, rest) = token.split_at(open);
    // A closing parenthesis belongs to an opening one in the word.
    let inside = rest.contains('(');
    let body = rest.trim_end_matches(|c| matches!(c, ',' | ';' | ':' | '.') || (c == ')' && !inside));
    let after = rest.get(body.len()..).unwrap_or_default();
    let plain = body.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !body.starts_with('-')
        && !body.is_empty();
    out.push_str(before);
    if plain {
        out.push_str(body);
        out.push_str(after);
        return;
    }
    // A name's closing dot belongs to the name.
    let dot = usize::from(after.starts_with('.') && body.contains('.'));
    let (dot, after) = after.split_at(dot);
    let inner = body.strip_prefix('`').and_then(|body| body.strip_suffix('`')).filter(|body| !body.is_empty());
    out.push_str(&code_span(&format!("{}{dot}", inner.unwrap_or(body))));
    out.push_str(after);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_characters() {
        assert_eq!(line("a\x1b[31mb\r\nc\td"), "a\\u{1b}[31mb\\u{d}\\u{a}c\\u{9}d");
        assert_eq!(line("\u{7f}\u{85}\u{9b}"), "\\u{7f}\\u{85}\\u{9b}");
        assert_eq!(line("\u{202e}x\u{2066}\u{200b}\u{feff}\u{2028}"), "\\u{202e}x\\u{2066}\\u{200b}\\u{feff}\\u{2028}");
        assert_eq!(line("b\u{fc}cher \u{65e5}\u{672c} # one"), "b\u{fc}cher \u{65e5}\u{672c} # one");
        assert_eq!(line("##[error]x ###"), "#\\u{23}[error]x #\\u{23}\\u{23}");
    }

    #[test]
    fn code_spans() {
        assert_eq!(code_span("v=spf1 -all"), "`v=spf1 -all`");
        assert_eq!(code_span("a`b|c\n"), "`a\\u{60}b\\u{7c}c\\u{a}`");
        assert_eq!(code_span(""), "");
    }

    #[test]
    fn sentences() {
        assert_eq!(
            prose("SPF no longer authorises 192.0.2.0/24, include:_spf.example at example.com."),
            "SPF no longer authorises `192.0.2.0/24`, `include:_spf.example` at `example.com.`"
        );
        assert_eq!(prose("`p` goes from none to reject: mail is lost"), "`p` goes from none to reject: mail is lost");
        assert_eq!(prose("\"v=spf1 a\" looks like spf"), "`\"v=spf1 a\"` looks like spf");
        assert_eq!(prose("<img src=x> [a](b) **c** @me"), "`<img` `src=x>` `[a](b)` `**c**` `@me`");
        assert_eq!(
            prose("if this is meant: --allow GUARD-MX:a.example"),
            "if this is meant: `--allow` `GUARD-MX:a.example`"
        );
    }

    proptest! {
        #[test]
        fn a_line_is_one_line_of_harmless_characters(text in any::<String>()) {
            let shown = line(&text);
            prop_assert!(shown.chars().all(is_harmless));
            prop_assert!(!shown.contains("##"));
            let again = line(&shown).into_owned();
            prop_assert_eq!(again, shown.as_ref());
        }

        #[test]
        fn a_code_span_cannot_be_left(text in any::<String>()) {
            let span = code_span(&text);
            prop_assert!(!span.contains('|'));
            prop_assert_eq!(span.matches('`').count(), if text.is_empty() { 0 } else { 2 });
        }

        #[test]
        fn prose_has_no_markup_outside_of_code(text in any::<String>()) {
            let shown = prose(&text);
            prop_assert!(!shown.contains('|'));
            for (at, part) in shown.split('`').enumerate() {
                let plain = |c: char| c.is_ascii_alphanumeric() || " -(),;:.".contains(c);
                prop_assert!(at % 2 == 1 || part.chars().all(plain), "{shown}");
            }
            prop_assert_eq!(shown.matches('`').count() % 2, 0);
        }
    }
}
