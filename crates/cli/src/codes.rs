//! The codes that an allow entry can name.

use mailzone_plan::Allow;

use crate::ui::Ui;

/// Every code of a guard or a lint. A test holds it against the sources.
const CODES: &[&str] = &[
    "CAA-01",
    "CAA-02",
    "CAA-06",
    "DANE-02",
    "DANE-04",
    "DANE-09",
    "DELEG-01",
    "DKIM-01",
    "DKIM-02",
    "DKIM-03",
    "DKIM-04",
    "DKIM-05",
    "DKIM-07",
    "DKIM-08",
    "DKIM-09",
    "DKIM-13",
    "DKIM-14",
    "DKIM-17",
    "DKIM-19",
    "DKIM-20",
    "DKIM-21",
    "DMARC-01",
    "DMARC-02",
    "DMARC-03",
    "DMARC-04",
    "DMARC-05",
    "DMARC-06",
    "DMARC-08",
    "DMARC-10",
    "DMARC-12",
    "DMARC-13",
    "DMARC-14",
    "DMARC-16",
    "DMARC-17",
    "DMARC-20",
    "DMARC-22",
    "GUARD-CNAME",
    "GUARD-DKIM-REMOVED",
    "GUARD-DKIM-REPLACED",
    "GUARD-DMARC-BLIND",
    "GUARD-DMARC-DOWN",
    "GUARD-DMARC-JUMP",
    "GUARD-HOST",
    "GUARD-MX",
    "GUARD-NEAR",
    "GUARD-NS",
    "GUARD-ROLLBACK",
    "GUARD-SIDE",
    "GUARD-SPF",
    "GUARD-SPF-NET",
    "GUARD-STS",
    "GUARD-TLSA",
    "HOSTS-01",
    "MX-03",
    "MX-04",
    "PROFILE-01",
    "PTR-01",
    "PTR-02",
    "PTR-03",
    "PTR-05",
    "PTR-06",
    "SPF-01",
    "SPF-02",
    "SPF-03",
    "SPF-04",
    "SPF-07",
    "SPF-08",
    "SPF-09",
    "SPF-10",
    "SPF-12",
    "SPF-13",
    "SPF-16",
    "SPF-17",
    "SPF-18",
    "SPF-19",
    "SPF-20",
    "SPF-21",
    "SPF-26",
    "SPF-27",
    "STS-01",
    "STS-06",
    "STS-07",
    "TLSRPT-01",
    "TLSRPT-02",
];

/// Warns of entries that can let nothing pass: nobody has such a code.
pub(crate) fn warn_of_unknown<'a>(allow: impl IntoIterator<Item = &'a Allow>, ui: &Ui) {
    for allow in allow {
        let code = allow.code.to_ascii_uppercase();
        if CODES.contains(&code.as_str()) {
            continue;
        }
        let of =
            allow.domain.as_ref().map(|domain| format!(" of {}", domain.to_text_without_dot())).unwrap_or_default();
        let nearest = CODES.iter().map(|known| (distance(&code, known), known)).min();
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
                codes_in(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for word in text.split('"') {
                let Some((family, rest)) = word.rsplit_once('-') else { continue };
                let upper = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
                let number = rest.len() == 2 && rest.bytes().all(|b| b.is_ascii_digit()) && family.len() > 1;
                if upper(family) && (number || (word.starts_with("GUARD-") && upper(rest))) {
                    found.insert(word.to_owned());
                }
            }
        }
    }

    #[test]
    fn every_code_of_the_sources_is_known() {
        let mut found = BTreeSet::new();
        for name in ["mailauth", "plan", "engine"] {
            codes_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src"), &mut found);
        }
        assert!(found.contains("GUARD-MX") && found.contains("SPF-03"), "{found:?}");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), CODES);
    }

    #[test]
    fn distances() {
        assert_eq!((distance("GUARD-MX", "GUARD-MX"), distance("GUARD-XM", "GUARD-MX")), (0, 2));
        assert_eq!((distance("", "SPF-03"), distance("SPF03", "SPF-03"), distance("SPF-033", "SPF-03")), (6, 1, 1));
    }
}
