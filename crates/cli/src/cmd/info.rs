//! `schema`, `completions`, `man`, `version`: what the program says of itself.

use std::io;
use std::path::Path;

use mailzone_engine::Code;

use crate::args::{self, Format};
use crate::registry;
use crate::ui::Ui;

/// The JSON Schema of the configuration.
pub(super) fn schema(ui: &Ui) -> Result<Code, Code> {
    ui.data(&mailzone_report::json::to_string(&mailzone_config::schema()).unwrap_or_default());
    Ok(Code::Done)
}

/// Completions for a shell.
pub(super) fn completions(shell: clap_complete::Shell, ui: &Ui) -> Result<Code, Code> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "mailzone", &mut script);
    ui.data(&String::from_utf8_lossy(&script));
    Ok(Code::Done)
}

/// The manual pages: one for the program and one for each command.
pub(super) fn man(out: Option<&Path>, ui: &Ui) -> Result<Code, Code> {
    let failed = |error: io::Error| {
        ui.error(&format!("the manual pages cannot be written: {error}"), Some("name another directory with --out"));
        Code::Error
    };
    match out {
        Some(directory) => {
            std::fs::create_dir_all(directory).map_err(failed)?;
            clap_mangen::generate_to(args::command(), directory).map_err(failed)?;
            ui.say(&format!("wrote the manual pages to {}", directory.display()));
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(args::command()).render(&mut page).map_err(failed)?;
            ui.data(&String::from_utf8_lossy(&page));
        }
    }
    Ok(Code::Done)
}

/// Version and features.
pub(super) fn version(format: Format, ui: &Ui) -> Result<Code, Code> {
    let version = env!("CARGO_PKG_VERSION");
    let text = match format {
        Format::Json => {
            let document = serde_json::json!({
                "name": "mailzone",
                "version": version,
                "providers": registry::TYPES,
                "features": registry::FEATURES,
                "plan_format_version": mailzone_plan::document::FORMAT_VERSION,
                "journal_format_version": mailzone_engine::journal::JOURNAL_VERSION,
            });
            mailzone_report::json::to_string(&document).unwrap_or_default()
        }
        _ => {
            let features = if registry::FEATURES.is_empty() { "none".into() } else { registry::FEATURES.join(", ") };
            format!("mailzone {version}\nproviders: {}\nfeatures: {features}\n", registry::TYPES.join(", "))
        }
    };
    ui.data(&text);
    Ok(Code::Done)
}
