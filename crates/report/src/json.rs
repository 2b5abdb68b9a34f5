//! JSON documents: those of [`crate::view`] and the plan, one value a line, a line feed at the end.

use std::fmt::Write as _;

use serde::Serialize;

use crate::escape;

/// `value` as JSON text that ends with a line feed. Characters that a terminal or a runner's log would act on are
/// written as JSON escapes: the same document to every reader.
///
/// # Errors
/// A map key that is no string; no type of this workspace has one.
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<String> {
    let text = serde_json::to_string_pretty(value)?;
    let mut out = String::with_capacity(text.len() + 1);
    let mut before = ' ';
    for c in text.chars() {
        // Outside of strings JSON has none of these characters but the line feed.
        let harmless = c == '\n' || (escape::is_harmless(c) && !(c == '#' && before == '#'));
        if harmless {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
        before = c;
    }
    out.push('\n');
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn characters_that_act_are_escaped() {
        assert_eq!(
            to_string("##[x]\u{7f}\u{202e}\u{e0001}\n").unwrap(),
            "\"#\\u0023[x]\\u007f\\u202e\\udb40\\udc01\\n\"\n"
        );
    }

    proptest! {
        #[test]
        fn the_document_stays_the_same(values in any::<Vec<String>>()) {
            let text = to_string(&values).unwrap();
            prop_assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), values);
            prop_assert!(text.chars().all(|c| c == '\n' || escape::is_harmless(c)));
        }
    }
}
