//! Texts as TOML wants them.

use std::fmt::Write as _;

/// A basic string (TOML 1.0), whatever is in it.
pub(in crate::cmd) fn string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // What nobody sees is not written as it is: the file is for people.
            c if c.is_control() || mailzone_report::escape::line(c.encode_utf8(&mut [0; 4])).len() != c.len_utf8() => {
                // Writing to a String cannot fail.
                let _ = write!(quoted, "\\U{:08X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A key: bare where it can be.
pub(in crate::cmd) fn key(text: &str) -> String {
    let bare = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if bare { text.to_owned() } else { string(text) }
}

/// A list of strings: in one line, or one element a line where that is too long.
pub(super) fn list(items: &[String]) -> String {
    let quoted: Vec<String> = items.iter().map(|item| string(item)).collect();
    layout(&quoted)
}

/// A list of values.
pub(super) fn layout(items: &[String]) -> String {
    const WIDTH: usize = 100;
    let line = format!("[{}]", items.join(", "));
    if line.len() <= WIDTH {
        return line;
    }
    let mut text = String::from("[\n");
    for item in items {
        let _ = writeln!(text, "  {item},");
    }
    text.push(']');
    text
}

/// A comment, one line, whatever is in it.
pub(in crate::cmd) fn comment(text: &str) -> String {
    format!("# {}", mailzone_report::escape::line(text))
}

#[cfg(test)]
mod tests {
    use mailzone_config::SourceFile;

    use super::*;

    #[test]
    fn strings_are_read_back() {
        for text in ["plain", "a \"b\" \\ c", "tab\tline\nend\u{7f}\u{202e}\u{200b}é\u{1f600}", "'single'"] {
            let document = format!(
                "[providers.p]\ntype = \"zonefile\"\ndirectory = \"z\"\n[domains.\"example.com\"]\nprovider = \"p\"\n\
                 allow = [{{ code = \"GUARD-MX\", reason = {} }}]\n",
                string(text)
            );
            let file = SourceFile::new("mailzone.toml", document);
            let settings = mailzone_config::parse(&[file], ".".into(), &mut |_| Err(String::new())).unwrap();
            let domain = settings.domains.values().next().unwrap();
            assert_eq!(domain.allow[0].value.reason.as_deref(), Some(text));
        }
    }

    #[test]
    fn long_lists_are_broken() {
        assert_eq!(list(&["a".into(), "b".into()]), "[\"a\", \"b\"]");
        let long = "x".repeat(60);
        assert_eq!(list(&[long.clone(), long.clone()]), format!("[\n  \"{long}\",\n  \"{long}\",\n]"));
        assert_eq!(comment("a\nb").lines().count(), 1);
        assert_eq!((key("s2026"), key("a.b")), ("s2026".to_owned(), "\"a.b\"".to_owned()));
    }
}
