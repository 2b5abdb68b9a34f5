//! The little that is read from answers beside the SDK: error bodies in forms that it does not know, and the one
//! call that it does not have. No general reader: elements are found by name, attributes are skipped.

/// The texts of all elements `name`, in order, with their entities resolved; elements within them are left out.
pub(crate) fn texts(body: &str, name: &str) -> Vec<String> {
    elements(body, name).into_iter().filter(|inner| !inner.contains('<')).map(unescape).collect()
}

/// What stands between the tags of each element `name`, in order. Elements of one name do not nest in what is read.
pub(crate) fn elements<'a>(body: &'a str, name: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    let close = format!("</{name}>");
    let mut rest = body;
    while let Some(inner) = after_start(rest, name) {
        let Some((inner, after)) = inner.split_once(close.as_str()) else { break };
        found.push(inner);
        rest = after;
    }
    found
}

/// The name of the outermost element; `None` where the body is no XML.
pub(crate) fn root(body: &str) -> Option<&str> {
    let mut rest = body.trim_start_matches('\u{feff}').trim_start();
    while let Some(after) = rest.strip_prefix("<?") {
        rest = after.split_once("?>")?.1.trim_start();
    }
    let start = rest.strip_prefix('<')?;
    let end = start.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(start.len());
    start.get(..end).filter(|name| !name.is_empty())
}

/// What follows the next start tag of `name`.
fn after_start<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = body;
    loop {
        let after = rest.split_once('<')?.1;
        if let Some(tag) = after.strip_prefix(name).filter(|tag| tag.starts_with(['>', ' ', '\t', '\r', '\n'])) {
            return tag.split_once('>').map(|(_, inner)| inner);
        }
        rest = after;
    }
}

fn unescape(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        result.push_str(before);
        match after.split_once(';').and_then(|(entity, after)| Some((character(entity)?, after))) {
            Some((character, after)) => {
                result.push(character);
                rest = after;
            }
            None => {
                result.push('&');
                rest = after;
            }
        }
    }
    result.push_str(rest);
    result
}

fn character(entity: &str) -> Option<char> {
    match entity {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = entity.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_error_forms_are_read() {
        let wrapped = "<?xml version=\"1.0\"?>\n<ErrorResponse xmlns=\"x\"><Error><Code>InvalidChangeBatch</Code>\
                       <Message>[Duplicate Resource Record: '&quot;a&amp;b&#x3b;&quot;']</Message></Error></ErrorResponse>";
        assert_eq!(root(wrapped), Some("ErrorResponse"));
        assert_eq!(texts(wrapped, "Code"), ["InvalidChangeBatch"]);
        assert_eq!(texts(wrapped, "Message"), ["[Duplicate Resource Record: '\"a&b;\"']"]);
        let bare = "<InvalidChangeBatch><Messages><Message>one</Message><Message a=\"b\">two &unknown;</Message></Messages>\
                    </InvalidChangeBatch>";
        assert_eq!(root(bare), Some("InvalidChangeBatch"));
        assert_eq!(texts(bare, "Message"), ["one", "two &unknown;"]);
        assert_eq!(texts(bare, "Messages"), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn never_panics(body in any::<String>(), xml in "[<>/?&;#xA-C a\"]{0,60}") {
            for body in [body, xml] {
                let _ = (root(&body), texts(&body, "A"), elements(&body, "B"));
            }
        }
    }
}
