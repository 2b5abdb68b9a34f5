//! `mailzone history`.

use mailzone_engine::{Code, journal};
use mailzone_plan::document::Exit;
use mailzone_report::view;

use crate::args::{Format, Global};
use crate::context;
use crate::ui::Ui;

use super::shared::{envelope, only, text_options};

/// Lists what was applied, newest first.
pub(super) fn run(global: &Global, ui: &Ui) -> Result<Code, Code> {
    only(global, &[Format::Text, Format::Json], ui)?;
    let state = match &global.state_dir {
        Some(path) => mailzone_engine::StateDir::new(path),
        None => context::state_dir(global, &context::load(global, ui)?),
    };
    let (entries, unread) = state.entries().map_err(|error| {
        ui.error(&format!("the journal cannot be read: {error}"), None);
        Code::Error
    })?;
    if unread > 0 {
        ui.warn(&format!("{unread} lines of {} are no entries of this version", state.journal_path().display()));
    }
    let entries = journal::runs(&entries)
        .into_iter()
        .map(|run| view::HistoryEntry {
            id: run.id,
            started: run.at,
            zones: run.zones,
            changes: run.changes as u64,
            applied: run.applied as u64,
            finished: run.complete,
        })
        .collect();
    let history = view::History { entries };
    match global.format {
        Format::Json => ui.data(&envelope(history, Exit::default())),
        _ => ui.data(&mailzone_report::text::history(&history, &text_options(false, ui))),
    };
    Ok(Code::Done)
}
