use std::fmt::Write as _;
use std::sync::{PoisonError, RwLock};

use secrecy::{ExposeSecret, SecretString};

/// What stands in the place of a secret.
const REDACTED: &str = "[redacted]";

/// The secrets that must not be shown, in every form in which they travel. Never printed itself.
#[derive(Default)]
pub(crate) struct Redactor {
    /// Longest first, so that a secret which is a part of another one leaves nothing of that.
    forms: RwLock<Vec<SecretString>>,
}

impl Redactor {
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        let redactor = Self::default();
        for secret in secrets {
            redactor.add(secret);
        }
        redactor
    }

    /// This one's secrets, and one more each.
    pub(crate) fn with(&self, secrets: &[SecretString]) -> Self {
        let forms = self.forms.read().unwrap_or_else(PoisonError::into_inner).clone();
        let more = Self { forms: RwLock::new(forms) };
        for secret in secrets {
            more.add(secret);
        }
        more
    }

    /// Hides this secret too from now on.
    pub(crate) fn add(&self, secret: &SecretString) {
        let mut forms = self.forms.write().unwrap_or_else(PoisonError::into_inner);
        for form in forms_of(secret.expose_secret()) {
            if !form.is_empty() && !forms.iter().any(|known| known.expose_secret() == form) {
                forms.push(SecretString::from(form));
            }
        }
        forms.sort_by_key(|form| std::cmp::Reverse(form.expose_secret().len()));
    }

    /// `text` without secrets.
    pub(crate) fn redact(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for form in self.forms.read().unwrap_or_else(PoisonError::into_inner).iter() {
            let form = form.expose_secret();
            if shown.contains(form) {
                shown = shown.replace(form, REDACTED);
            }
        }
        shown
    }

    /// Text from the network as a part of one line: without secrets, escaped.
    pub(crate) fn line(&self, text: &str) -> String {
        escape(&self.redact(text))
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

/// Control, bidirectional, zero-width and other invisible characters as `\u{..}` (`design.md` section 7).
pub(crate) fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Percent-encoding of everything but the unreserved characters of RFC 3986.
pub(crate) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// The secret itself, and as a URL, a form and a JSON text have it.
fn forms_of(secret: &str) -> Vec<String> {
    let encoded = percent_encode(secret);
    let json = serde_json::to_string(secret).unwrap_or_default();
    let json = json.trim_start_matches('"').strip_suffix('"').unwrap_or_default().to_owned();
    let slashes = json.replace('/', "\\/");
    let lower = lower_escapes(&encoded);
    let form = encoded.replace("%20", "+");
    let form_lower = lower_escapes(&form);
    let form_star = form.replace("%2A", "*").replace('~', "%7E");
    let trimmed = secret.trim().to_owned();
    vec![secret.to_owned(), trimmed, json, slashes, encoded, lower, form, form_lower, form_star]
}

/// `%2F` as `%2f`.
fn lower_escapes(encoded: &str) -> String {
    let mut parts = encoded.split('%');
    let mut lower = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (hex, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        lower.push('%');
        lower.push_str(&hex.to_ascii_lowercase());
        lower.push_str(rest);
    }
    lower
}

/// Whether a terminal would act on the character, or a person would not see it.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        let secrets: Vec<SecretString> = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
        Redactor::new(&secrets)
    }

    #[test]
    fn every_form_is_hidden() {
        let redactor = redactor(&["p/w \"é~*", "", "inner", "an inner one"]);
        for text in [
            "p/w \"é~*",
            "p/w \\\"é~*",
            "p\\/w \\\"é~*",
            "p%2Fw%20%22%C3%A9~%2A",
            "p%2fw%20%22%c3%a9~%2a",
            "p%2Fw+%22%C3%A9%7E*",
            "an inner one",
        ] {
            assert_eq!(redactor.redact(&format!("<{text}>")), "<[redacted]>", "{text}");
        }
        assert_eq!(redactor.redact("nothing to hide"), "nothing to hide");
        assert_eq!(format!("{redactor:?}"), "Redactor");
    }

    #[test]
    fn later_secrets() {
        let redactor = redactor(&["one"]);
        let more = redactor.with(&[SecretString::from("two")]);
        assert_eq!(
            (redactor.redact("one two"), more.redact("one two")),
            ("[redacted] two".into(), "[redacted] [redacted]".into())
        );
        redactor.add(&SecretString::from("three"));
        assert_eq!(redactor.line("three\u{202e}\r\n"), "[redacted]\\u{202e}\\u{d}\\u{a}");
    }

    proptest! {
        #[test]
        fn no_secret_is_left(secret in "[^\\[\\]a-z]{6,20}", before in "[a-z]*", after in "[a-z]*") {
            let redactor = redactor(&[&secret]);
            for form in [secret.clone(), percent_encode(&secret)] {
                let shown = redactor.line(&format!("{before}{form}{after}"));
                prop_assert!(!shown.contains(&form), "{}", shown);
            }
        }

        #[test]
        fn a_line_hides_nothing(text in any::<String>()) {
            prop_assert!(!escape(&text).chars().any(is_hidden));
        }

        #[test]
        fn never_panics(secret in any::<String>(), text in any::<String>()) {
            let _ = redactor(&[&secret]).line(&text);
        }
    }
}
