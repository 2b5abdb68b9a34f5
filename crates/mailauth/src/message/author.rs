//! Who wrote a message: the domain of its `From` (RFC 5322 section 3.6.2).

use mailzone_record::Name;

use super::Message;

impl Message<'_> {
    /// The domain of the author: of the one mailbox in the one `From` field, in A-labels. `None` where there is no such
    /// field, more than one, several mailboxes of different domains, or none that can be read: receivers cannot apply
    /// DMARC to such a message (RFC 9989 section 4.4).
    pub fn author_domain(&self) -> Option<Name> {
        let mut fields = self.fields_named("From");
        let field = fields.next().filter(|_| fields.next().is_none())?;
        let text = String::from_utf8_lossy(field.value());
        let mut domains = mailboxes(&text).into_iter().map(|mailbox| domain(&mailbox));
        let first = domains.next()??;
        domains.all(|other| other.as_ref() == Some(&first)).then_some(first)
    }
}

/// The addresses of a list of mailboxes: what stands in angle brackets, else what is left of a part.
fn mailboxes(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut words = String::new();
    let mut angle: Option<String> = None;
    let mut inside = false;
    let mut comments = 0usize;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' if comments > 0 => drop(characters.next()),
            '(' => comments += 1,
            ')' if comments > 0 => comments -= 1,
            _ if comments > 0 => {}
            '"' => {
                let quoted = quoted_string(&mut characters);
                angle.as_mut().filter(|_| inside).unwrap_or(&mut words).push_str(&quoted);
            }
            '<' if angle.is_none() => (angle, inside) = (Some(String::new()), true),
            '>' if inside => inside = false,
            // A group's name stands before a colon, its end is a semicolon.
            ':' if !inside => words.clear(),
            ',' | ';' if !inside => found.extend(mailbox(&mut words, &mut angle)),
            c => angle.as_mut().filter(|_| inside).unwrap_or(&mut words).push(c),
        }
    }
    found.extend(mailbox(&mut words, &mut angle));
    found
}

fn mailbox(words: &mut String, angle: &mut Option<String>) -> Option<String> {
    let words = std::mem::take(words);
    let text = angle.take().unwrap_or(words);
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    (!text.is_empty()).then_some(text)
}

/// The rest of a quoted string, an `@` in it made harmless.
fn quoted_string(characters: &mut std::str::Chars<'_>) -> String {
    let mut text = String::new();
    while let Some(c) = characters.next() {
        match c {
            '"' => break,
            '\\' => text.extend(characters.next().filter(|c| *c != '@')),
            '@' => {}
            c => text.push(c),
        }
    }
    text.push('q');
    text
}

fn domain(mailbox: &str) -> Option<Name> {
    let (local, domain) = mailbox.rsplit_once('@')?;
    let name = Name::parse_idn(domain).ok()?;
    (!local.is_empty() && !name.is_root()).then(|| name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn author(from: &str) -> Option<String> {
        let message = format!("From: {from}\r\n\r\nbody\r\n");
        Message::parse(message.as_bytes()).unwrap().author_domain().map(|name| name.to_text_without_dot())
    }

    #[test]
    fn authors() {
        for (from, expected) in [
            ("a@example.com", Some("example.com")),
            ("A. Person <a@Example.COM>", Some("example.com")),
            ("\"x@evil.example\" <a@example.com>", Some("example.com")),
            ("\"a b\"@example.com", Some("example.com")),
            ("a@example.com (x@evil.example)", Some("example.com")),
            ("a@example.com, b@example.com", Some("example.com")),
            ("a@example.com, b@example.net", None),
            ("Team: a@example.com;", Some("example.com")),
            ("\r\n  A <a\r\n @example.com>", Some("example.com")),
            ("a@b\u{fc}cher.example", Some("xn--bcher-kva.example")),
            ("undisclosed", None),
            ("<>", None),
            ("<@example.com>", None),
            ("x@evil.example <a@example.com>", Some("example.com")),
        ] {
            assert_eq!(author(from).as_deref(), expected, "{from}");
        }
        let two = b"From: a@example.com\r\nFrom: b@example.com\r\n\r\n";
        assert_eq!(Message::parse(two).unwrap().author_domain(), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[^\r\n]{0,60}") {
            let _ = author(&text);
        }
    }
}
