//! `mailzone rollback`.

use std::collections::HashMap;

use mailzone_engine::Code;
use mailzone_engine::rollback::{UndoError, plan, undo};
use mailzone_plan::Allow;

use crate::args::{Format, Global, RollbackArgs};
use crate::codes;
use crate::context;
use crate::embedded;
use crate::registry;
use crate::ui::Ui;

use super::apply::{Planned, Run};
use super::plan as planning;
use super::shared::only;

/// Plans to put back what a run of `apply` changed, and goes the way of `apply`.
pub(super) fn run(global: &Global, args: &RollbackArgs, ui: &Ui) -> Result<Code, Code> {
    only(global, &[Format::Text, Format::Json], ui)?;
    let settings = context::load(global, ui)?;
    let refused = |message: &str, remedy: &str| {
        ui.error(message, Some(remedy));
        planning::not_planned(Vec::new(), global.format, ui)
    };
    let state = context::state_dir(global, &settings);
    let (entries, unread) =
        state.entries().map_err(|error| refused(&format!("the journal cannot be read: {error}"), ""))?;
    if unread > 0 {
        ui.warn(&format!("{unread} lines of {} are no entries of this version", state.journal_path().display()));
    }
    let undo = undo(&entries, args.id.as_deref()).map_err(|error| {
        let remedy = match error {
            UndoError::Unknown(_) => "`mailzone history` lists the runs",
            _ => "`mailzone history` shows what was applied; --state-dir names another journal",
        };
        refused(&error.to_string(), remedy)
    })?;
    let (id, at) = (undo.run.clone(), undo.at.clone());
    ui.say(&format!("taking back {id} of {at}"));
    let compiled = context::compiled(&settings);
    let allow: Vec<Allow> = args.allow.iter().map(|text| Allow::from_argument(text)).collect();
    codes::warn_of_unknown(&allow, ui);
    let cx = Run {
        settings: &settings,
        global,
        ui,
        yes: args.yes,
        wait: args.wait,
        full: args.full,
        show_plan: true,
        domains: None,
        rolled_back: Some(id),
    };
    let runtime = context::runtime(ui)?;
    let code = runtime.block_on(async {
        let mut providers = registry::providers(&settings);
        let embedded = embedded::start(&settings, &mut providers, ui)
            .await
            .map_err(|message| refused(&message, "stop what answers there, or serve at port 0"))?;
        let events = planning::events(ui);
        let planned = async {
            let run = plan(undo, &compiled, &providers, &allow, &events).await;
            drop(compiled);
            Planned { run, stops: HashMap::new(), stale: Vec::new(), saved: None }
        };
        cx.carry_out(&providers, &embedded, planned).await
    });
    runtime.shutdown_background();
    code
}
