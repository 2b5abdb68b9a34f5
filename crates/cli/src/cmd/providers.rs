//! `mailzone providers`.

use std::fmt::Write as _;

use mailzone_engine::{Code, provider_error};
use mailzone_provider::Access;
use mailzone_report::escape;
use serde::Serialize;

use crate::args::{Format, Global, ProvidersArgs};
use crate::context;
use crate::registry;
use crate::ui::Ui;
use crate::views;

use super::shared::{envelope, only};

/// One provider.
#[derive(Debug, Serialize)]
struct ProviderView {
    name: String,
    r#type: &'static str,
    /// Null when the provider answered.
    error: Option<mailzone_plan::document::ErrorDoc>,
    zones: Vec<ZoneView>,
    atomic: bool,
    compare_and_swap: bool,
    concurrency: usize,
    expected_visible: u32,
}

/// One zone.
#[derive(Debug, Serialize)]
struct ZoneView {
    zone: String,
    zone_id: String,
    /// Null when it can be written; else why not.
    read_only: Option<String>,
}

/// The document.
#[derive(Debug, Serialize)]
struct ProvidersView {
    providers: Vec<ProviderView>,
}

/// Of each configured provider: rights, zones, limits.
pub(super) fn run(global: &Global, _args: &ProvidersArgs, ui: &Ui) -> Result<Code, Code> {
    only(global, &[Format::Text, Format::Json], ui)?;
    let settings = context::load(global, ui)?;
    let providers = registry::providers(&settings);
    let mut views = Vec::new();
    context::runtime(ui)?.block_on(async {
        for (name, provider) in &providers {
            let capabilities = provider.capabilities();
            let (error, mut zones) = match provider.zones().await {
                Ok(zones) => (None, zones),
                Err(error) => (Some(provider_error(&error)), Vec::new()),
            };
            zones.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
            views.push(ProviderView {
                name: name.clone(),
                r#type: settings.providers.get(name).map_or("unknown", |table| registry::type_of(&table.value)),
                error,
                zones: zones
                    .into_iter()
                    .map(|zone| ZoneView {
                        zone: views::label(&zone.name),
                        zone_id: zone.id.to_string(),
                        read_only: match zone.access {
                            Access::ReadWrite => None,
                            Access::ReadOnly { reason, remedy } => Some(format!("{reason}; {remedy}")),
                        },
                    })
                    .collect(),
                atomic: capabilities.atomic,
                compare_and_swap: capabilities.compare_and_swap,
                concurrency: capabilities.concurrency,
                expected_visible: capabilities.expected_visible,
            });
        }
    });
    let failed: Vec<_> = views.iter().filter(|view| view.error.is_some()).map(|view| view.name.clone()).collect();
    let code = if failed.is_empty() { Code::Done } else { Code::Error };
    match global.format {
        Format::Json => {
            let zones = failed
                .into_iter()
                .map(|zone| mailzone_plan::document::ExitZone { zone, code: Code::Error.number() })
                .collect();
            let exit = mailzone_plan::document::Exit { code: code.number(), zones };
            ui.data(&envelope(ProvidersView { providers: views }, exit));
        }
        _ => {
            ui.data(&text(&views));
        }
    }
    Ok(code)
}

fn text(views: &[ProviderView]) -> String {
    let mut text = String::new();
    for view in views {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}  {}", escape::line(&view.name), view.r#type);
        if let Some(error) = &view.error {
            let _ = writeln!(text, "  error: {}", escape::line(&error.message));
            let _ = writeln!(text, "  help: {}", escape::line(&error.remedy));
            continue;
        }
        let write = match (view.atomic, view.compare_and_swap) {
            (true, true) => "all changes of a zone in one write, none if somebody else changed them",
            (true, false) => "all changes of a zone in one write",
            (false, _) => "one write for each RRset",
        };
        let _ = writeln!(text, "  {write}; {} zones at a time; {} zones", view.concurrency, view.zones.len());
        for zone in &view.zones {
            match &zone.read_only {
                None => {
                    let _ = writeln!(text, "  {}", escape::line(&zone.zone));
                }
                Some(reason) => {
                    let _ = writeln!(text, "  {}  read only: {}", escape::line(&zone.zone), escape::line(reason));
                }
            }
        }
    }
    if text.is_empty() {
        text.push_str("no provider is configured\n");
    }
    text
}
