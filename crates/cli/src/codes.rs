//! The codes that an allow entry can name.

use mailzone_mailauth::rules;
use mailzone_plan::Allow;

use crate::ui::Ui;

/// Warns of entries that can let nothing pass: nobody has such a code.
pub(crate) fn warn_of_unknown<'a>(allow: impl IntoIterator<Item = &'a Allow>, ui: &Ui) {
    for allow in allow {
        let code = allow.code.to_ascii_uppercase();
        if rules::rule(&code).is_some() {
            continue;
        }
        let of =
            allow.domain.as_ref().map(|domain| format!(" of {}", domain.to_text_without_dot())).unwrap_or_default();
        let nearest = rules::all().map(|rule| (distance(&code, rule.code), rule.code)).min();
        let hint = nearest.filter(|(distance, _)| *distance <= 3).map(|(_, known)| format!("; nearest: {known}"));
        ui.warn(&format!("allow{of}: nothing has the code {}{}", allow.code, hint.unwrap_or_default()));
    }
}

/// How many octets have to be put in, taken out or replaced.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, x) in a.bytes().enumerate() {
        let mut before = at;
        let mut left = at + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let best = (before + usize::from(x != y)).min(left + 1).min(*cell + 1);
            before = std::mem::replace(cell, best);
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// `SPF-03`, `GUARD-MX`: what stands as a whole string in a source.
    fn codes_in(directory: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // The tables themselves.
                if !path.ends_with("mailauth/src/rules") {
                    codes_in(&path, found);
                }
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for word in text.split('"') {
                if rules::rule(word).is_some() {
                    found.insert(word.to_owned());
                    continue;
                }
                let Some((family, rest)) = word.rsplit_once('-') else { continue };
                let upper = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
                let number = rest.len() == 2 && rest.bytes().all(|b| b.is_ascii_digit()) && family.len() > 1;
                if upper(family) && (number || (word.starts_with("GUARD-") && upper(rest))) {
                    found.insert(word.to_owned());
                }
            }
        }
    }

    /// No finding without an entry in the tables, and no entry that nothing finds.
    #[test]
    fn the_tables_and_the_sources_agree() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut found = BTreeSet::new();
        for name in ["mailauth", "audit", "plan", "engine"] {
            codes_in(&crates.join(name).join("src"), &mut found);
        }
        let known: BTreeSet<String> = rules::all().map(|rule| rule.code.to_owned()).collect();
        let unknown: Vec<&String> = found.difference(&known).collect();
        assert!(unknown.is_empty(), "no entry for {unknown:?}");
        let decided: BTreeSet<String> = rules::all()
            .filter(|rule| !matches!(rule.decided_by, rules::DecidedBy::Nothing(_)))
            .map(|rule| rule.code.to_owned())
            .collect();
        let unused: Vec<&String> = decided.iter().filter(|code| !found.contains(*code)).collect();
        assert!(unused.is_empty(), "nothing finds {unused:?}");
    }

    #[test]
    fn distances() {
        assert_eq!((distance("GUARD-MX", "GUARD-MX"), distance("GUARD-XM", "GUARD-MX")), (0, 2));
        assert_eq!((distance("", "SPF-03"), distance("SPF03", "SPF-03"), distance("SPF-033", "SPF-03")), (6, 1, 1));
    }
}
