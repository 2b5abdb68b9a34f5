//! `mailzone providers`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use mailzone_config::Settings;
use mailzone_engine::{Code, Providers, provider_error};
use mailzone_plan::document::{ErrorDoc, Exit, ExitZone};
use mailzone_provider::{Access, Capabilities, Provider, TypeSet, Zone};
use mailzone_report::escape;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::args::{Format, Global, ProvidersArgs};
use crate::context;
use crate::registry::{self, Origin};
use crate::ui::Ui;
use crate::views;

use super::shared::{envelope, on_interrupt, only, with_providers};

/// One provider.
#[derive(Debug, Serialize)]
struct ProviderView {
    name: String,
    r#type: &'static str,
    /// Null when everything that was asked was answered.
    error: Option<ErrorDoc>,
    /// Where each credential is; never what it is.
    credentials: Vec<Origin>,
    /// Whether it lists its zones.
    lists: bool,
    /// The zone that was read to see whether it may be; null if none was.
    reads: Option<String>,
    zones: Vec<ZoneView>,
    atomic: bool,
    compare_and_swap: bool,
    concurrency: usize,
    expected_visible: u32,
    /// By API; empty where nobody counts requests.
    requests_per_second: BTreeMap<&'static str, f64>,
    /// Seconds that one request may take; null where there are none.
    timeout: Option<f64>,
    /// The types that can be written; null for all.
    types: Option<Vec<String>>,
    /// The TTLs that can be stored, in seconds; null where RRsets have none of their own.
    ttl: Option<TtlView>,
}

/// A range of TTLs.
#[derive(Debug, Serialize)]
struct TtlView {
    min: u32,
    max: u32,
}

/// One zone.
#[derive(Debug, Serialize)]
struct ZoneView {
    zone: String,
    zone_id: String,
    /// Null when it can be written; else why not.
    read_only: Option<String>,
    /// Why it cannot be had, where that is known without asking for it.
    error: Option<ErrorDoc>,
}

/// The document.
#[derive(Debug, Serialize)]
struct ProvidersView {
    providers: Vec<ProviderView>,
}

/// What one provider answered.
#[derive(Debug, Default)]
struct Answer {
    zones: Vec<Zone>,
    lists: bool,
    reads: Option<String>,
    error: Option<ErrorDoc>,
    /// By identifier.
    lost: BTreeMap<String, ErrorDoc>,
}

/// Of each configured provider: credentials, rights, zones, limits.
pub(super) fn run(global: &Global, args: &ProvidersArgs, ui: &Ui) -> Result<Code, Code> {
    only(global, &[Format::Text, Format::Json], ui)?;
    let settings = context::load(global, ui)?;
    let mut providers = registry::providers(&settings);
    for name in &args.names {
        if !providers.contains_key(name) {
            let known = providers.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            ui.error(&format!("no provider is called {name}"), Some(&format!("configured: {known}")));
            return Err(Code::Error);
        }
    }
    providers.retain(|name, _| args.names.is_empty() || args.names.contains(name));
    let answers = context::runtime(ui)?
        .block_on(async { with_providers(&providers, &on_interrupt(), ask_all(&providers)).await })?;
    let views: Vec<ProviderView> = providers
        .iter()
        .zip(answers)
        .map(|((name, provider), answer)| view(&settings, name, provider.capabilities(), answer))
        .collect();
    let failed: Vec<String> = views.iter().filter(|view| view.has_failed()).map(|view| view.name.clone()).collect();
    let code = if failed.is_empty() { Code::Done } else { Code::Error };
    match global.format {
        Format::Json => {
            let zones = failed.into_iter().map(|zone| ExitZone { zone, code: Code::Error.number() });
            let exit = Exit { code: code.number(), zones: zones.collect() };
            ui.data(&envelope(ProvidersView { providers: views }, exit));
        }
        _ => {
            ui.data(&text(&views, args.full));
        }
    }
    Ok(code)
}

/// Asks all of them at a time; in their order.
async fn ask_all(providers: &Providers) -> Vec<Answer> {
    let mut tasks = JoinSet::new();
    for (at, provider) in providers.values().enumerate() {
        let provider = Arc::clone(provider);
        tasks.spawn(async move { (at, ask(provider.as_ref()).await) });
    }
    let mut answers: BTreeMap<usize, Answer> = BTreeMap::new();
    while let Some(joined) = tasks.join_next().await {
        match joined {
            Ok((at, answer)) => drop(answers.insert(at, answer)),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }
    (0..providers.len()).map(|at| answers.remove(&at).unwrap_or_default()).collect()
}

/// Lists the zones, and reads one of them to see whether that is allowed. What may be written shows when it is.
async fn ask(provider: &dyn Provider) -> Answer {
    /// Zones that stand for the reason why there is none: reading them asks nobody.
    const LOST: &str = "unavailable:";

    let mut answer = Answer::default();
    match provider.zones().await {
        Ok(zones) => answer.zones = zones,
        Err(error) => {
            answer.error = Some(provider_error(&error));
            return answer;
        }
    }
    answer.lists = true;
    answer.zones.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    for zone in answer.zones.iter().filter(|zone| zone.id.as_str().starts_with(LOST)) {
        if let Err(error) = provider.snapshot(zone).await {
            answer.lost.insert(zone.id.to_string(), provider_error(&error));
        }
    }
    let mut candidates: Vec<&Zone> =
        answer.zones.iter().filter(|zone| !answer.lost.contains_key(zone.id.as_str())).collect();
    // A zone of names says more than the PTR of an address.
    let is_reverse = |zone: &Zone| zone.name.labels().last().is_some_and(|label| label.eq_ignore_ascii_case(b"arpa"));
    candidates.sort_by_key(|zone| (zone.access != Access::ReadWrite, is_reverse(zone)));
    if let Some(zone) = candidates.first() {
        match provider.snapshot(zone).await {
            Ok(_) => answer.reads = Some(views::label(&zone.name)),
            Err(error) => answer.error = Some(provider_error(&error)),
        }
    }
    answer
}

fn view(settings: &Settings, name: &str, capabilities: &Capabilities, mut answer: Answer) -> ProviderView {
    let table = settings.providers.get(name);
    let pace = table.map(|table| registry::pace(&table.value));
    let zone = |zone: Zone, lost: &mut BTreeMap<String, ErrorDoc>| ZoneView {
        zone: views::label(&zone.name),
        error: lost.remove(zone.id.as_str()),
        zone_id: zone.id.to_string(),
        read_only: match zone.access {
            Access::ReadWrite => None,
            Access::ReadOnly { reason, remedy } => Some(format!("{reason}; {remedy}")),
        },
    };
    ProviderView {
        name: name.to_owned(),
        r#type: table.map_or("unknown", |table| registry::type_of(&table.value)),
        credentials: table.map(|table| registry::origins(&table.value)).unwrap_or_default(),
        lists: answer.lists,
        reads: answer.reads,
        error: answer.error,
        zones: answer.zones.into_iter().map(|found| zone(found, &mut answer.lost)).collect(),
        atomic: capabilities.atomic,
        compare_and_swap: capabilities.compare_and_swap,
        concurrency: capabilities.concurrency,
        expected_visible: capabilities.expected_visible,
        timeout: pace.as_ref().and_then(|pace| Some(pace.timeout?.as_secs_f64())),
        requests_per_second: pace.map(|pace| pace.requests_per_second).unwrap_or_default(),
        types: match &capabilities.writable {
            TypeSet::All => None,
            TypeSet::Only(types) => {
                Some(types.iter().map(ToString::to_string).collect::<BTreeSet<_>>().into_iter().collect())
            }
        },
        ttl: capabilities
            .ttl
            .per_rrset
            .then(|| TtlView { min: capabilities.ttl.min.as_secs(), max: capabilities.ttl.max.as_secs() }),
    }
}

impl ProviderView {
    fn has_failed(&self) -> bool {
        self.error.is_some() || self.zones.iter().any(|zone| zone.error.is_some())
    }
}

fn text(views: &[ProviderView], full: bool) -> String {
    let mut text = String::new();
    for view in views {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}  {}", escape::line(&view.name), view.r#type);
        // What is not given is of interest where something is missing.
        let missing = view.error.as_ref().is_some_and(|error| error.kind == "credentials");
        for origin in view.credentials.iter().filter(|origin| missing || origin.from.is_some()) {
            let from = origin.from.as_deref().unwrap_or("not given, and no customary environment variable is set");
            let _ = writeln!(text, "  credentials  {}: {}", origin.key, escape::line(from));
        }
        if let Some(error) = &view.error {
            let _ = writeln!(text, "  error: {}", escape::line(&error.message));
            let _ = writeln!(text, "  help: {}", escape::line(&error.remedy));
        }
        if view.lists {
            rights(view, &mut text);
            zones(view, full, &mut text);
            limits(view, &mut text);
        }
    }
    if text.is_empty() {
        text.push_str("no provider is configured\n");
    }
    text
}

fn rights(view: &ProviderView, text: &mut String) {
    let mut rights = vec!["lists zones".to_owned()];
    rights.extend(view.reads.as_ref().map(|zone| format!("reads {}", escape::line(zone))));
    let read_only = view.zones.iter().filter(|zone| zone.read_only.is_some()).count();
    if read_only > 0 {
        rights.push(format!("{read_only} of {} can only be read", count(view.zones.len(), "zone")));
    }
    let _ = writeln!(text, "  rights       {}", rights.join(", "));
}

fn zones(view: &ProviderView, full: bool, text: &mut String) {
    /// More are for `--full`.
    const SHOWN: usize = 5;
    let names: Vec<_> = view.zones.iter().take(SHOWN).map(|zone| escape::line(&zone.zone)).collect();
    let list = match (full, view.zones.len()) {
        (_, 0) => "none".to_owned(),
        (true, number) => number.to_string(),
        (false, number) if number > SHOWN => format!("{number}: {}, … (--full shows all)", names.join(", ")),
        (false, number) => format!("{number}: {}", names.join(", ")),
    };
    let _ = writeln!(text, "  zones        {list}");
    for zone in &view.zones {
        let name = escape::line(&zone.zone);
        match (&zone.error, &zone.read_only) {
            (Some(error), _) => {
                let _ = writeln!(text, "    {name}: error: {}", escape::line(&error.message));
                let _ = writeln!(text, "    {name}: help: {}", escape::line(&error.remedy));
            }
            (None, Some(reason)) => drop(writeln!(text, "    {name}: read only: {}", escape::line(reason))),
            (None, None) if full => drop(writeln!(text, "    {name} ({})", escape::line(&zone.zone_id))),
            (None, None) => {}
        }
    }
}

fn limits(view: &ProviderView, text: &mut String) {
    let mut limits: Vec<String> = match view.requests_per_second.len() {
        0 => Vec::new(),
        1 => view.requests_per_second.values().map(|rate| format!("{rate} requests a second")).collect(),
        _ => {
            let rates = view.requests_per_second.iter().map(|(api, rate)| format!("{rate} ({api})"));
            vec![format!("{} requests a second", rates.collect::<Vec<_>>().join(", "))]
        }
    };
    limits.push(format!("{} at a time", count(view.concurrency, "zone")));
    limits.extend(view.timeout.map(|timeout| format!("{timeout} s a request")));
    limits.push(match view.expected_visible {
        0 => "visible at once".to_owned(),
        seconds if seconds % 60 == 0 => format!("visible after {} min as a rule", seconds / 60),
        seconds => format!("visible after {seconds} s as a rule"),
    });
    let _ = writeln!(text, "  limits       {}", limits.join(", "));
    let types = view.types.as_ref().map_or_else(|| "every type".to_owned(), |types| types.join(" "));
    let ttl = match &view.ttl {
        None => "one TTL for the whole zone".to_owned(),
        Some(ttl) if ttl.min == 0 => "any TTL".to_owned(),
        Some(ttl) => format!("TTL {} to {} s", ttl.min, ttl.max),
    };
    let _ = writeln!(text, "  stores       {types}; {ttl}");
    let write = match (view.atomic, view.compare_and_swap) {
        (true, true) => "all changes of a stage in one write, none if somebody else changed them",
        (true, false) => "all changes of a stage in one write",
        (false, _) => "a failure can leave a part of a stage written, which is said; read again before and after",
    };
    let _ = writeln!(text, "  writes       {write}");
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
