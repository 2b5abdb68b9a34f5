//! Which of a zone's revisions is the one in force.

use std::cmp::Ordering;

use serde::Deserialize;

/// One state of a zone.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Revision {
    pub(super) identifier: String,
    #[serde(default, rename = "createdAt")]
    pub(super) created_at: String,
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) serial: Option<u64>,
}

/// Parts of state names that say that a revision is not, or never was, in force. The names are not documented.
const NOT_IN_FORCE: [&str; 10] =
    ["draft", "uncommitted", "open", "edit", "staged", "staging", "discard", "abort", "fail", "reject"];

/// The newest revision that is no draft; `None` if there is none.
pub(super) fn current(revisions: &[Revision]) -> Option<&Revision> {
    revisions.iter().filter(|revision| is_in_force(&revision.state)).max_by(|a, b| newer(a, b))
}

fn is_in_force(state: &str) -> bool {
    let state = state.to_lowercase();
    !NOT_IN_FORCE.iter().any(|word| state.contains(word))
}

/// By creation, then by serial. One without a readable time is older than all others.
fn newer(a: &Revision, b: &Revision) -> Ordering {
    instant(&a.created_at).cmp(&instant(&b.created_at)).then(a.serial.cmp(&b.serial))
}

/// Seconds of UTC (from an arbitrary day on) and the fraction's digits, of RFC 3339 text.
fn instant(text: &str) -> Option<(i64, [u8; 9])> {
    let (date, time) = text.split_at_checked(10)?;
    let mut date = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let clock = time.get(1..9)?;
    let mut clock = clock.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let rest = time.get(9..)?;
    let digits = rest.strip_prefix('.').map_or("", |rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default()
    });
    let mut fraction = [0; 9];
    for (to, digit) in fraction.iter_mut().zip(digits.bytes()) {
        *to = digit;
    }
    let zone = rest.trim_start_matches('.').trim_start_matches(|c: char| c.is_ascii_digit());
    let offset = match zone {
        "" | "Z" | "z" => 0,
        _ => {
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            let hours = zone.get(1..3)?.parse::<i64>().ok()?;
            let minutes = zone.get(zone.len().checked_sub(2)?..)?.parse::<i64>().ok()?;
            sign * (hours * 60 + minutes)
        }
    };
    // Days of the civil calendar, the year beginning in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    if !(0..=9999).contains(&year) || !(0..12).contains(&month) {
        return None;
    }
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day;
    Some((((days * 24 + hour) * 60 + minute - offset) * 60 + second, fraction))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn revision(identifier: &str, created_at: &str, state: &str, serial: u64) -> Revision {
        Revision {
            identifier: identifier.into(),
            created_at: created_at.into(),
            state: state.into(),
            serial: Some(serial),
        }
    }

    #[test]
    fn a_draft_is_not_the_zone() {
        let revisions = [
            revision("old", "2026-09-01T10:00:00Z", "committed", 1),
            revision("live", "2026-09-01T12:30:00+02:00", "committed", 2),
            revision("other", "2026-09-01T11:00:00+02:00", "committed", 3),
            revision("draft", "2026-09-03T10:00:00Z", "DRAFT", 0),
            revision("open", "2026-09-04T10:00:00Z", "uncommitted", 0),
        ];
        assert_eq!(current(&revisions).unwrap().identifier, "live");
        assert!(current(&revisions[3..]).is_none());
        assert!(current(&[]).is_none());
    }

    #[test]
    fn states_that_nobody_has_listed_count_as_committed() {
        let revisions =
            [revision("a", "2026-09-01T10:00:00Z", "active", 1), revision("b", "2026-09-01T10:00:00Z", "", 2)];
        assert_eq!(current(&revisions).unwrap().identifier, "b");
    }

    #[test]
    fn instants_are_ordered() {
        let texts = [
            "2025-12-31T23:59:59Z",
            "2026-01-01T00:00:00Z",
            "2026-02-28T23:59:59.5Z",
            "2026-02-28T23:59:59.75Z",
            "2026-03-01T00:00:00Z",
            "2026-03-01T01:30:00+01:00",
            "2026-03-01T01:00:00Z",
        ];
        let instants: Vec<_> = texts.iter().map(|text| instant(text).unwrap()).collect();
        assert!(instants.is_sorted(), "{instants:?}");
        assert_eq!(instant("2026-03-01T01:00:00+01:00"), instant("2026-03-01T00:00:00Z"));
        assert_eq!(instant("yesterday"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in ".{0,40}", tail in "[0-9:.TZ+-]{0,20}") {
            let _ = instant(&text);
            let _ = instant(&format!("2026-01-01{tail}"));
        }
    }
}
