//! Owner names of key records: `SELECTOR._domainkey.DOMAIN` (RFC 6376 section 3.6.2.1).

use mailzone_record::{Name, NameError};

/// Why a text is no selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectorError {
    /// `s1._domainkey` or a whole owner name.
    #[error("`{0}` is more than a selector: write only the part before `._domainkey`")]
    WholeName(String),
    /// `s1.domainkey`: the underscore is missing.
    #[error("`{0}` is no selector: the underscore of `_domainkey` is missing, and only the part before it is wanted")]
    MissingUnderscore(String),
    /// A label that is not made of letters, digits and inner hyphens (RFC 6376 section 3.1).
    #[error("`{0}` is no selector: each of its labels is letters, digits and hyphens inside")]
    Label(String),
    /// The name would be too long.
    #[error("selector and domain together: {0}")]
    Name(#[from] NameError),
}

/// The owner name of a selector's key record.
///
/// # Errors
/// `selector` is no selector, or the name would be too long.
pub fn selector_name(selector: &str, domain: &Name) -> Result<Name, SelectorError> {
    let labels: Vec<&str> = selector.split('.').collect();
    let is = |label: &&str, text: &str| label.eq_ignore_ascii_case(text);
    if labels.iter().any(|label| is(label, "_domainkey")) {
        return Err(SelectorError::WholeName(selector.to_owned()));
    }
    if labels.len() > 1 && labels.iter().any(|label| is(label, "domainkey")) {
        return Err(SelectorError::MissingUnderscore(selector.to_owned()));
    }
    let good = |label: &&str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !labels.iter().all(good) {
        return Err(SelectorError::Label(selector.to_owned()));
    }
    Ok(domain.prepend(&format!("{selector}._domainkey"))?)
}

/// Selector and domain of an owner name; `None` if it is not `SELECTOR._domainkey.DOMAIN`.
pub fn selector_of(owner: &Name) -> Option<(String, Name)> {
    let place = owner.labels().position(|label| label.eq_ignore_ascii_case(b"_domainkey"))?;
    let (domain, selector) = split(owner, place)?;
    Some((selector, domain))
}

/// `s1.domainkey.example.com`, where the underscore was forgotten: the owner name that was meant.
pub fn missing_underscore(owner: &Name) -> Option<Name> {
    let place = owner.labels().position(|label| label.eq_ignore_ascii_case(b"domainkey"))?;
    let (domain, selector) = split(owner, place)?;
    selector_name(&selector, &domain).ok()
}

/// What is below the label at `place`, and the text of the labels before it; neither is empty.
fn split(owner: &Name, place: usize) -> Option<(Name, String)> {
    let mut domain = owner.clone();
    for _ in 0..=place {
        domain = domain.parent()?;
    }
    if place == 0 || domain.is_root() {
        return None;
    }
    let mut wire = Vec::new();
    for label in owner.labels().take(place) {
        wire.push(u8::try_from(label.len()).ok()?);
        wire.extend_from_slice(label);
    }
    wire.push(0);
    let selector = Name::from_wire(&wire).ok()?;
    Some((domain, selector.to_lowercase().to_text_without_dot()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::txt::tests::name;

    #[test]
    fn names_and_back() {
        let domain = name("example.com");
        for selector in ["s1", "2026q4.mail", "a-b"] {
            let owner = selector_name(selector, &domain).unwrap();
            assert_eq!(owner, name(&format!("{selector}._domainkey.example.com")));
            assert_eq!(selector_of(&owner), Some((selector.to_owned(), domain.clone())));
        }
        for other in ["_domainkey.example.com", "s1.domainkey.example.com", "s1._domainkey", "example.com", "."] {
            assert_eq!(selector_of(&name(other)), None, "{other}");
        }
        assert_eq!(selector_of(&name("S1._DomainKey.example.com")).unwrap().0, "s1");
    }

    #[test]
    fn what_is_no_selector() {
        let domain = name("example.com");
        let long = format!("{}.{}.{}.{}", "a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(63));
        let shown = ["dkim.domainkey", "s1._domainkey", "s1._domainkey.example.com", "a_b", "a..b", "", "-a", &long]
            .map(|selector| selector_name(selector, &domain).unwrap_err().to_string());
        insta::assert_snapshot!(shown.join("\n"), @"
        `dkim.domainkey` is no selector: the underscore of `_domainkey` is missing, and only the part before it is wanted
        `s1._domainkey` is more than a selector: write only the part before `._domainkey`
        `s1._domainkey.example.com` is more than a selector: write only the part before `._domainkey`
        `a_b` is no selector: each of its labels is letters, digits and hyphens inside
        `a..b` is no selector: each of its labels is letters, digits and hyphens inside
        `` is no selector: each of its labels is letters, digits and hyphens inside
        `-a` is no selector: each of its labels is letters, digits and hyphens inside
        selector and domain together: name of more than 255 octets
        ");
        assert_eq!(missing_underscore(&name("s1.domainkey.example.com")), Some(name("s1._domainkey.example.com")));
        assert_eq!(missing_underscore(&name("s1._domainkey.example.com")), None);
    }
}
