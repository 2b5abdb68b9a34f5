//! The journal's entries.

use super::table::{Align, Table};
use super::{TextOptions, some_of};
use crate::style::{Label, Line, Page};
use crate::view::History;

/// One line an entry, newest first.
pub fn history(history: &History, options: &TextOptions) -> String {
    let mut page = Page::new(options.width, options.color);
    if history.entries.is_empty() {
        page.line(&Line::new(0).plain("Nothing was applied yet."));
        return page.finish();
    }
    let mut table = Table::new(&[
        ("id", Align::Left),
        ("started", Align::Left),
        ("sent", Align::Right),
        ("applied", Align::Right),
        ("zones", Align::Left),
    ]);
    for entry in &history.entries {
        let zones = some_of(&entry.zones, if options.full { entry.zones.len() } else { 3 });
        let cells = vec![
            options.redact.identifier(&entry.id).into_owned(),
            options.redact.time(&entry.started).into_owned(),
            entry.changes.to_string(),
            entry.applied.to_string(),
            if entry.finished { zones } else { format!("{zones} (did not come to its end)") },
        ];
        let (label, mark) = match (entry.finished, entry.changes - entry.applied.min(entry.changes)) {
            (true, 0) => (Label::Good, "+"),
            (true, _) => (Label::Error, "-"),
            (false, _) => (Label::Warning, "~"),
        };
        table.row(label, mark, cells);
    }
    table.show(&mut page);
    page.finish()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::view::HistoryEntry;

    #[test]
    fn entries() {
        let entry = |id: &str, zones: usize, failed, finished| HistoryEntry {
            id: id.into(),
            started: "2026-01-02T03:04:05Z".into(),
            zones: (0..zones).map(|at| format!("z{at}.example")).collect(),
            changes: 12_u64 + failed,
            applied: 12,
            finished,
        };
        let entries = vec![entry("20260102-2", 9, 0, true), entry("20260102-1", 1, 2, true), entry("1", 1, 0, false)];
        assert_snapshot!(history(&History { entries }, &TextOptions::default()), @r#"
          id          started               sent  applied  zones
        + 20260102-2  2026-01-02T03:04:05Z    12       12  z0.example, z1.example, z2.example and 6 more
        - 20260102-1  2026-01-02T03:04:05Z    14       12  z0.example
        ~ 1           2026-01-02T03:04:05Z    12       12  z0.example (did not come to its end)
        "#);
        assert_snapshot!(history(&History::default(), &TextOptions::default()), @"Nothing was applied yet.");
    }
}
