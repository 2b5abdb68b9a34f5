//! `mailzone plan`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use mailzone_audit::Scope;
use mailzone_config::{Settings, Source};
use mailzone_engine::compile::{Compiled, compile, judged};
use mailzone_engine::journal::written;
use mailzone_engine::look::Look;
use mailzone_engine::plan::{PlanOptions, plan};
use mailzone_engine::{Code, Event, Events};
use mailzone_plan::document::{Exit, ExitZone, ZoneDoc};
use mailzone_plan::{Allow, Document};
use mailzone_record::Name;
use mailzone_report::markdown;
use mailzone_report::text::TextOptions;

use crate::args::{Format, Global, PlanArgs, Planning};
use crate::codes;
use crate::context;
use crate::observe;
use crate::registry;
use crate::ui::Ui;

use super::shared::{on_interrupt, only, text_options, with_providers};

/// Shows the difference; writes nothing but the file of `--out`.
pub(super) fn run(global: &Global, args: &PlanArgs, ui: &Ui) -> Result<Code, Code> {
    only(global, &[Format::Text, Format::Json, Format::Markdown], ui)?;
    let mut settings = context::load(global, ui)?;
    let domains =
        context::selected(&settings, &args.domains, ui).map_err(|zones| not_planned(zones, global.format, ui))?;
    let mut compiled = context::compiled(&settings);
    if let Some(base) = &args.base {
        compiled.compare_with_base(&base_of(base, global, ui).map_err(|_| {
            let message = format!("not planned: the earlier configuration {base} cannot be read");
            not_planned(context::not_looked_at(&settings, &domains, &message, ""), global.format, ui)
        })?);
    }
    let providers = registry::providers(&settings);
    let options = options(&args.planning, global, &settings, domains, ui)?;
    settings.forget_records();
    codes::warn_of_unknown(compiled.allow.iter().chain(&options.allow), ui);
    let events = events(ui);
    let runtime = context::runtime(ui)?;
    let run = runtime.block_on(async {
        with_providers(&providers, &on_interrupt(), plan(compiled, &providers, &options, &events)).await
    });
    // What an interrupted run began, a command that gives a secret, is not waited for.
    runtime.shutdown_background();
    let run = run.map_err(|_| {
        let zones = context::not_looked_at(&settings, &options.domains, INTERRUPTED, "");
        interrupted(zones, global.format, ui)
    })?;
    let mut document = run.into_document(env!("CARGO_PKG_VERSION"), context::now());
    let differences = document.zones.iter().any(|zone| !zone.changes.is_empty());
    document.exit = exit(&document, |zone| {
        if zone.error.is_some() {
            Code::Error
        } else if args.detailed_exitcode && !zone.changes.is_empty() {
            Code::Differences
        } else {
            Code::Done
        }
    });
    let saved = args.out.as_ref().map_or(Ok(()), |path| save(path, &document, ui));
    if let Err(code) = saved {
        document.exit.code = code.number();
    }
    show(&document, global.format, &text_options(args.planning.full, ui), ui);
    saved?;
    if let Some(path) = args.out.as_ref().filter(|_| differences && global.format == Format::Text) {
        let config = global.config.iter().map(|path| format!("--config {} ", word(&path.display().to_string())));
        let allow = args.planning.allow.iter().map(|allow| format!(" --allow {}", word(allow)));
        let (config, allow): (String, String) = (config.collect(), allow.collect());
        ui.say(&format!(
            "saved; apply exactly this with: mailzone apply {config}{}{allow}",
            word(&plan_argument(path))
        ));
    }
    Ok(code_of(&document))
}

/// What an interrupted run says of zones that it did not come to.
pub(super) const INTERRUPTED: &str = "interrupted before it was looked at";

/// The document of a run that ended before anything was planned, where a document is wanted. The text is told.
pub(super) fn not_planned(zones: Vec<ZoneDoc>, format: Format, ui: &Ui) -> Code {
    ended(zones, Code::Error, format, ui)
}

/// The last word of a run that was interrupted before it wrote anything.
pub(super) fn interrupted(zones: Vec<ZoneDoc>, format: Format, ui: &Ui) -> Code {
    ui.say("interrupted: nothing was written");
    ended(zones, Code::Interrupted, format, ui)
}

fn ended(zones: Vec<ZoneDoc>, code: Code, format: Format, ui: &Ui) -> Code {
    if format == Format::Json {
        let mut document = Document::new(env!("CARGO_PKG_VERSION"), context::now(), zones, Vec::new(), &[]);
        document.exit = exit(&document, |_| code);
        // Of a configuration without domains there is no zone to say it.
        document.exit.code = code.number();
        show(&document, format, &TextOptions::default(), ui);
    }
    code
}

/// Prints a plan.
pub(super) fn show(document: &Document, format: Format, options: &TextOptions, ui: &Ui) {
    let text = match format {
        Format::Text => mailzone_report::text::plan(document, options),
        Format::Json => mailzone_report::json::to_string(document).unwrap_or_default(),
        // The formats that a plan does not have were refused.
        Format::Markdown | Format::Csv => markdown::plan(document, markdown::COMMENT_LIMIT),
    };
    ui.data(&text);
}

/// What the engine is asked for.
pub(super) fn options(
    planning: &Planning,
    global: &Global,
    settings: &Settings,
    domains: Vec<Name>,
    ui: &Ui,
) -> Result<PlanOptions, Code> {
    Ok(PlanOptions {
        allow: planning.allow.iter().map(|text| Allow::from_argument(text)).collect(),
        normalize: planning.normalize,
        saved: None,
        look: Some(look(planning, global, settings, &domains, ui)?),
        domains,
    })
}

/// What the domains are judged by, and who looks up what that takes.
fn look(planning: &Planning, global: &Global, settings: &Settings, domains: &[Name], ui: &Ui) -> Result<Look, Code> {
    let scope = Scope { web: true, smtp: true, ..Scope::DNS };
    let chosen = settings.domains.values().filter(|domain| domains.is_empty() || domains.contains(&domain.name));
    let observer = if planning.no_look { None } else { observe::of_plan(settings, domains, ui)? };
    let (why, remedy) = match (planning.no_look, &observer) {
        (true, _) => ("--no-look was given", "leave --no-look out"),
        (false, None) => ("no resolver is named", "name one in `dns.resolvers`"),
        (false, Some(_)) => ("no answer in time", "run it again; `dns.resolvers` names whom to ask"),
    };
    Ok(Look {
        observer,
        why: why.to_owned(),
        remedy: remedy.to_owned(),
        subjects: chosen.map(|domain| judged(settings, domain, scope)).collect(),
        now: context::now_seconds(),
        // Without the journal nothing is said of ages.
        written: match planning.no_look {
            true => BTreeMap::new(),
            false => context::state_dir(global, settings).entries().map(|(all, _)| written(&all)).unwrap_or_default(),
        },
    })
}

/// The exit entry of a document: the code of each zone, and the first of them in order.
pub(super) fn exit(document: &Document, code: impl Fn(&ZoneDoc) -> Code) -> Exit {
    let mut codes = Vec::new();
    let mut zones = Vec::new();
    for zone in &document.zones {
        let code = code(zone);
        if code != Code::Done {
            zones.push(ExitZone { zone: zone.label().to_owned(), code: code.number() });
        }
        codes.push(code);
    }
    Exit { code: Code::worst(codes).number(), zones }
}

/// The exit code that a document says.
pub(super) fn code_of(document: &Document) -> Code {
    [Code::Error, Code::Differences, Code::NotVisible, Code::Check, Code::Stale, Code::Interrupted]
        .into_iter()
        .find(|code| code.number() == document.exit.code)
        .unwrap_or(Code::Done)
}

/// Progress while zones are read, and while they are written and watched.
pub(super) fn events(ui: &Ui) -> Events {
    let line = ui.progress_line();
    let read = AtomicUsize::new(0);
    Events::new(move |event| match event {
        Event::ZonePlanned { zone, total } => {
            let done = read.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::info!("read {zone}");
            line.show(&format!("zones read: {done} of {total}"));
        }
        Event::Writing { zone, changes } => {
            tracing::info!("{zone}: writing, changes: {changes}");
            line.show(&format!("{zone}: writing"));
        }
        Event::Waiting { zone, pending, elapsed } => {
            let seconds = elapsed.as_secs_f64();
            tracing::info!("{zone}: answers still to come after {seconds:.1} s: {pending}");
            line.show(&format!("{zone}: answers still to come: {pending}, after {seconds:.0} s"));
        }
        Event::Looking => line.show("looking up what the plan rests on"),
        Event::Held { zone, changes } => tracing::info!("{zone}: held, changes: {changes}"),
        _ => {}
    })
}

/// An earlier run's plan as it is given again on the command line: with a separator, so that it is a file.
fn plan_argument(path: &Path) -> String {
    let text = path.display().to_string();
    if text.contains(std::path::MAIN_SEPARATOR) || text.ends_with(".json") { text } else { format!("./{text}") }
}

/// A word of a command line as a POSIX shell takes it.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn save(path: &Path, document: &Document, ui: &Ui) -> Result<(), Code> {
    let failed = |what: String| {
        ui.error(
            &format!("the plan cannot be saved to {}: {what}", path.display()),
            Some("choose another file with --out"),
        );
        Code::Error
    };
    let text = document.to_sealed_json().map_err(|error| failed(error.to_string()))?;
    std::fs::write(path, text).map_err(|error| failed(error.to_string()))
}

/// The claims of an earlier configuration: a file or directory, else a git revision of the files in use.
fn base_of(base: &str, global: &Global, ui: &Ui) -> Result<Compiled, Code> {
    let path = PathBuf::from(base);
    let sources = if path.exists() { vec![Source::Path(path)] } else { from_git(base, global, ui)? };
    let settings: Settings = mailzone_config::load(&sources).map_err(|diagnostics| {
        context::say_all(&diagnostics, ui);
        ui.error(&format!("the earlier configuration {base} cannot be read"), None);
        Code::Error
    })?;
    Ok(compile(&settings, context::today()))
}

fn from_git(revision: &str, global: &Global, ui: &Ui) -> Result<Vec<Source>, Code> {
    let failed = |message: String| {
        let help = "name a git revision in which the configuration is, or an earlier file";
        ui.error(&message, Some(help));
        Code::Error
    };
    if revision.starts_with('-') {
        return Err(failed(format!("{revision} is neither a file nor a git revision")));
    }
    let paths = if global.config.is_empty() { vec![PathBuf::from("mailzone.toml")] } else { global.config.clone() };
    let mut sources = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" || path.is_dir() {
            return Err(failed(format!("--base {revision} needs configuration files, not {}", path.display())));
        }
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .map_or_else(|| PathBuf::from("."), Path::to_path_buf);
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let output = Command::new("git")
            .args(["show", &format!("{revision}:./{name}")])
            .current_dir(&directory)
            .output()
            .map_err(|error| failed(format!("git cannot be run: {error}")))?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            return Err(failed(format!("{revision} is neither a file nor a git revision with {name}: {}", why.trim())));
        }
        let text =
            String::from_utf8(output.stdout).map_err(|_| failed(format!("{name} in {revision} is not UTF-8")))?;
        sources.push(Source::Text { path: directory.join(format!("{name}@{revision}")), directory, text });
    }
    Ok(sources)
}
