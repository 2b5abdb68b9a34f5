//! `mailzone apply`.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mailzone_config::Settings;
use mailzone_engine::apply::{AppliedZone, ApplyContext, ChangeOutcome, Stop, apply, stop_of};
use mailzone_engine::plan::{PlanRun, PlannedZone, plan};
use mailzone_engine::saved::{StaleZone, done_already, narrow};
use mailzone_engine::verify::Wait;
use mailzone_engine::{Cancel, Code, Providers};
use mailzone_plan::document::{ChangeDoc, ExitZone, SideEffectDoc};
use mailzone_plan::{Document, SavedDifference, read_saved};
use mailzone_record::Name;
use mailzone_report::text::TextOptions;
use mailzone_report::view;

use crate::args::{ApplyArgs, Format, Global, WaitFor};
use crate::codes;
use crate::context;
use crate::embedded::{self, Embedded};
use crate::registry;
use crate::ui::Ui;
use crate::views;

use super::confirm::confirm;
use super::shared::{on_interrupt, only, text_options, with_providers};

use super::latency::{self, Measurement};
use super::plan as planning;

/// Measuring the servers after an apply sends nothing after this time: with the last answers ten seconds.
const LATENCY_LIMIT: Duration = Duration::from_secs(6);

/// Shows the plan, asks, applies, verifies.
pub(super) fn run(global: &Global, args: &ApplyArgs, ui: &Ui) -> Result<Code, Code> {
    carry_out(global, args, true, ui)
}

/// The same, where the plan has just been shown.
pub(super) fn run_without_plan(global: &Global, args: &ApplyArgs, ui: &Ui) -> Result<Code, Code> {
    carry_out(global, args, false, ui)
}

fn carry_out(global: &Global, args: &ApplyArgs, show_plan: bool, ui: &Ui) -> Result<Code, Code> {
    only(global, &[Format::Text, Format::Json], ui)?;
    // Before the configuration: from there on there is always a document.
    let (saved, names) = split_targets(&args.targets, ui)?;
    let mut settings = context::load(global, ui)?;
    let domains = match &saved {
        Some(saved) => saved_domains(saved, &settings),
        None => {
            context::selected(&settings, &names, ui).map_err(|zones| planning::not_planned(zones, global.format, ui))?
        }
    };
    let compiled = context::compiled(&settings);
    let mut options = planning::options(&args.planning, global, &settings, domains.clone(), ui)?;
    settings.forget_records();
    let cx = Run {
        settings: &settings,
        global,
        ui,
        yes: args.yes,
        wait: args.wait,
        full: args.planning.full,
        show_plan,
        domains: Some(domains.clone()),
        rolled_back: None,
    };
    let runtime = context::runtime(ui)?;
    let code = runtime.block_on(async {
        let mut providers = registry::providers(&settings);
        let embedded = embedded::start(&settings, &mut providers, ui).await.map_err(|message| {
            let remedy = "stop what answers there, or serve at port 0";
            ui.error(&message, Some(remedy));
            let zones = context::not_looked_at(&settings, &domains, &message, remedy);
            planning::not_planned(zones, global.format, ui)
        })?;
        codes::warn_of_unknown(compiled.allow.iter().chain(&options.allow), ui);
        options.normalize |= saved.as_ref().is_some_and(|saved| saved.normalize);
        options.saved.clone_from(&saved);
        let events = planning::events(ui);
        let planned = async {
            let mut run = plan(compiled, &providers, &options, &events).await;
            let (stops, stale) = match &saved {
                Some(saved) => narrow(&mut run, saved),
                None => (HashMap::new(), Vec::new()),
            };
            Planned { run, stops, stale, saved }
        };
        cx.carry_out(&providers, &embedded, planned).await
    });
    // What an interrupted run began, a command that gives a secret, is not waited for.
    runtime.shutdown_background();
    code
}

/// A plan that is to be applied.
pub(super) struct Planned {
    pub(super) run: PlanRun,
    /// Zones that are not written for another reason than their plan, by their place.
    pub(super) stops: HashMap<usize, Stop>,
    pub(super) stale: Vec<StaleZone>,
    pub(super) saved: Option<Arc<Document>>,
}

/// How a plan is applied, whatever it was made from.
pub(super) struct Run<'a> {
    pub(super) settings: &'a Settings,
    pub(super) global: &'a Global,
    pub(super) ui: &'a Ui,
    pub(super) yes: bool,
    pub(super) wait: WaitFor,
    pub(super) full: bool,
    pub(super) show_plan: bool,
    /// The domains that the plan is for, all if empty; `None` if it is for none in particular.
    pub(super) domains: Option<Vec<Name>>,
    /// The run that is taken back.
    pub(super) rolled_back: Option<String>,
}

impl Run<'_> {
    /// Waits for the plan, shows it, asks, applies, verifies, and ends what the providers hold open.
    pub(super) async fn carry_out(
        &self,
        providers: &Providers,
        embedded: &Embedded,
        planned: impl Future<Output = Planned>,
    ) -> Result<Code, Code> {
        let cancel = on_interrupt();
        let work = async {
            // Until something may be written an interruption ends the run at once.
            let planned = tokio::select! {
                biased;
                planned = planned => planned,
                () = cancel.cancelled() => {
                    let domains = self.domains.as_ref();
                    let zones = domains.map(|domains| {
                        context::not_looked_at(self.settings, domains, planning::INTERRUPTED, "")
                    });
                    return planning::interrupted(zones.unwrap_or_default(), self.global.format, self.ui);
                }
            };
            self.apply(planned, embedded, cancel.clone()).await
        };
        with_providers(providers, &Cancel::never(), work).await
    }

    async fn apply(&self, planned: Planned, embedded: &Embedded, cancel: Cancel) -> Code {
        let Planned { mut run, stops, stale, saved } = planned;
        let (ui, global, settings) = (self.ui, self.global, self.settings);
        let created = context::now();
        let document = run.document(env!("CARGO_PKG_VERSION"), created.clone());
        if global.format == Format::Text {
            if self.show_plan {
                let options = TextOptions { hints: false, ..text_options(self.full, ui) };
                planning::show(&document, Format::Text, &options, ui);
            }
            say_stale(&stale, ui);
        }
        let context = ApplyContext {
            state: context::state_dir(global, settings),
            verifier: context::verifier(Some(settings), None),
            wait: wait_of(self.wait),
            deadline: settings.propagation.timeout,
            servers: zone_servers(&run, settings, embedded),
            not_delegated: not_delegated(&run, &context::not_delegated(settings)),
            run: run_id(),
            now: context::now,
            events: planning::events(ui),
            cancel,
        };
        let done = saved.as_ref().map(|saved| done_already(saved, &run, &document)).unwrap_or_default();
        let writable = writable(&run, &stops);
        if writable > 0 && !self.yes {
            if global.format == Format::Json {
                // The document follows when all is done; what is asked about is shown all the same.
                let options = TextOptions { color: false, hints: false, ..text_options(self.full, ui) };
                ui.talk(&mailzone_report::text::plan(&document, &options));
            }
            if let Err(code) = confirm(writable, &context.cancel, ui).await {
                if global.format == Format::Json {
                    let unsent = unsent(run.zones, &stops, code);
                    self.show(document, done, &unsent, &context, None);
                }
                return code;
            }
        }
        // Made anew from what was applied: both at once are the most memory of a run.
        drop(document);
        let applied = apply(std::mem::take(&mut run.zones), &stops, &context).await;
        ui.finish_progress();
        let measured = match context.wait {
            Wait::None => None,
            _ => measure(&applied, &context, settings, ui).await,
        };
        let zones = applied.iter().map(|applied| &applied.zone);
        let document = run.document_with(zones, env!("CARGO_PKG_VERSION"), created);
        self.show(document, done, &applied, &context, measured)
    }

    /// The last word of a run.
    fn show(
        &self,
        mut document: Document,
        done: Vec<(usize, ChangeDoc)>,
        applied: &[AppliedZone],
        context: &ApplyContext,
        latency: Option<view::LatencyReport>,
    ) -> Code {
        let mut codes = Vec::new();
        let mut exits = Vec::new();
        for doc in &mut document.zones {
            let zone = applied.iter().find(|zone| {
                doc.zone.as_deref() == Some(views::label(&zone.zone.plan.zone.name).as_str())
                    && doc.zone_id.as_deref() == Some(zone.zone.plan.zone.id.as_str())
                    && doc.provider == zone.zone.provider_name
            });
            let code = match zone {
                Some(zone) => {
                    for (change, (outcome, note)) in doc.changes.iter_mut().zip(&zone.outcomes) {
                        change.outcome = Some(outcome.as_str().into());
                        change.note.clone_from(note);
                    }
                    doc.side_effects = zone.side_effects.iter().filter_map(SideEffectDoc::new).collect();
                    Code::worst(zone.codes.iter().copied())
                }
                None => Code::Error,
            };
            if code != Code::Done {
                exits.push(ExitZone { zone: doc.label().to_owned(), code: code.number() });
            }
            codes.push(code);
        }
        for (at, change) in done {
            let note = Some("done before: the zone is as the plan leads to".into());
            if let Some(zone) = document.zones.get_mut(at) {
                zone.changes.push(ChangeDoc { outcome: Some("already".into()), note, ..change });
            }
        }
        if context.cancel.is_cancelled() {
            codes.push(Code::Interrupted);
        }
        let code = Code::worst(codes);
        document.exit.code = code.number();
        document.exit.zones = exits;
        let wrote = applied.iter().any(|zone| {
            use ChangeOutcome::{Applied, Failed, Unknown};
            zone.outcomes.iter().any(|(outcome, _)| matches!(outcome, Applied | Failed | Unknown))
        });
        let verified: Vec<_> = applied.iter().filter_map(|zone| zone.verification.as_ref()).collect();
        let verification = (!verified.is_empty()).then(|| views::verification(verified));
        let journal = wrote.then(|| context.run.clone());
        let unverified = (wrote && context.wait == Wait::None).then_some("--wait none");
        let rolled_back = self.rolled_back.clone();
        let view = view::ApplyView { document: &document, rolled_back, journal, verification, latency, unverified };
        let ui = self.ui;
        if self.global.format == Format::Json {
            ui.data(&mailzone_report::json::to_string(&view).unwrap_or_default());
            return code;
        }
        ui.data(&mailzone_report::text::apply(&view, &text_options(self.full, ui)));
        for zone in applied {
            if let Some(problem) = zone.problem.as_ref().filter(|_| zone.zone.plan.error.is_none()) {
                ui.error(&format!("{}: {problem}", zone.zone.plan.zone.name), None);
            }
        }
        let configured = document.zones.iter().any(|zone| !zone.domains.is_empty());
        if self.rolled_back.is_some() && wrote && configured {
            ui.say(
                "the configuration still asks for what it asked before: change it, or the next apply writes it again",
            );
        }
        if context.cancel.is_cancelled() {
            let again = if self.rolled_back.is_some() { "rollback" } else { "apply" };
            ui.say(&format!(
                "interrupted: the request in flight was finished and the journal written; run {again} again to go on"
            ));
        }
        code
    }
}

/// A plan file, or domains.
fn split_targets(targets: &[String], ui: &Ui) -> Result<(Option<Arc<Document>>, Vec<String>), Code> {
    let is_file =
        |text: &String| text.contains(std::path::MAIN_SEPARATOR) || text.contains('/') || text.ends_with(".json");
    let (files, names): (Vec<&String>, Vec<&String>) = targets.iter().partition(|text| is_file(text));
    match (files.as_slice(), names.as_slice()) {
        ([], names) => Ok((None, names.iter().map(|name| (*name).clone()).collect())),
        ([file], []) => Ok((Some(Arc::new(read_plan(&PathBuf::from(file), ui)?)), Vec::new())),
        _ => {
            ui.error("a plan file stands alone: it names its zones itself", Some("give one plan file, or domains"));
            Err(Code::Error)
        }
    }
}

/// The domains of a saved plan that are still configured: what it was made for.
fn saved_domains(saved: &Document, settings: &Settings) -> Vec<Name> {
    let names = saved.zones.iter().flat_map(|zone| &zone.domains).filter_map(|domain| Name::parse(domain).ok());
    names.filter(|name| settings.domains.contains_key(name)).collect()
}

fn read_plan(path: &PathBuf, ui: &Ui) -> Result<Document, Code> {
    let failed = |message: String, remedy: &str| {
        ui.error(&format!("{}: {message}", path.display()), Some(remedy));
        Code::Error
    };
    let size = std::fs::metadata(path)
        .map_err(|error| failed(error.to_string(), "name a file that `mailzone plan --out` wrote"))?;
    if !size.is_file() || size.len() > mailzone_config::MAX_FILE_SIZE {
        return Err(failed("not a plan file".into(), "name a file that `mailzone plan --out` wrote"));
    }
    let text = std::fs::read_to_string(path)
        .map_err(|error| failed(error.to_string(), "name a file that `mailzone plan --out` wrote"))?;
    read_saved(&text).map_err(|error| failed(error.to_string(), "make a new plan with `mailzone plan --out`"))
}

/// How many changes would be written.
fn writable(run: &PlanRun, stops: &HashMap<usize, Stop>) -> usize {
    let zones = run.zones.iter().enumerate().filter(|(at, zone)| !stops.contains_key(at) && stop_of(zone).is_none());
    zones.map(|(_, zone)| zone.plan.changes.len()).sum()
}

/// What becomes of a plan that nobody said yes to: nothing is sent. `code` is for what would have been.
fn unsent(zones: Vec<PlannedZone>, stops: &HashMap<usize, Stop>, code: Code) -> Vec<AppliedZone> {
    let zones = zones.into_iter().enumerate().map(|(at, zone)| {
        let changes = zone.plan.changes.len();
        let stop = stops.get(&at).cloned().or_else(|| stop_of(&zone));
        let stop = stop.filter(|stop| stop.code == Code::Error || changes > 0);
        AppliedZone {
            outcomes: vec![(ChangeOutcome::Skipped, None); changes],
            codes: match &stop {
                Some(stop) => vec![stop.code],
                None if changes > 0 => vec![code],
                None => Vec::new(),
            },
            problem: stop.map(|stop| stop.message),
            verification: None,
            side_effects: Vec::new(),
            zone,
        }
    });
    zones.collect()
}

fn say_stale(stale: &[StaleZone], ui: &Ui) {
    for zone in stale {
        for difference in &zone.differences {
            match difference {
                SavedDifference::Configuration => {
                    ui.error(
                        &format!(
                            "{}: the configuration asks for something else than when the plan was made",
                            zone.zone
                        ),
                        None,
                    );
                }
                SavedDifference::Gone { id } => {
                    let why = "is neither as the plan started from nor as it leads to, and today nothing is to be done about it";
                    ui.error(&format!("{}: {id} {why}", zone.zone), None);
                }
                SavedDifference::NotInPlan { id } => {
                    ui.error(
                        &format!("{}: {id} has to change now, and the saved plan does not know it", zone.zone),
                        None,
                    );
                }
                SavedDifference::RRset { id, planned_from, now, wanted } => {
                    ui.error(&format!("{}: {id} is no longer what the plan was made from", zone.zone), None);
                    for (label, values) in [("planned from", planned_from), ("now", now), ("wanted", wanted)] {
                        ui.error_block(&format!("  {label}: {}", mailzone_report::escape::line(&values.join(", "))));
                    }
                }
            }
        }
    }
}

/// The servers to ask for each zone: those of the first of its domains that has any; for a zone without a
/// domain (of addresses, of a mail host) the embedded one of its provider.
fn zone_servers(run: &PlanRun, settings: &Settings, embedded: &Embedded) -> HashMap<Name, Vec<SocketAddr>> {
    let by_domain = context::servers_by_domain(settings, &[], &embedded.addresses);
    let mut servers = by_domain.clone();
    for zone in &run.zones {
        let found = match zone.domains.iter().find_map(|domain| by_domain.get(domain)) {
            Some(found) => found.clone(),
            None if zone.domains.is_empty() => {
                embedded.addresses.get(&zone.provider_name).copied().into_iter().collect()
            }
            None => continue,
        };
        if !found.is_empty() {
            servers.entry(zone.plan.zone.name.clone()).or_insert(found);
        }
    }
    servers
}

fn not_delegated(run: &PlanRun, domains: &BTreeSet<Name>) -> BTreeSet<Name> {
    let zones = run.zones.iter().filter(|zone| zone.domains.iter().any(|domain| domains.contains(domain)));
    zones.map(|zone| zone.plan.zone.name.clone()).collect()
}

/// Measures each distinct server of the zones that were written.
async fn measure(
    applied: &[AppliedZone],
    context: &ApplyContext,
    settings: &Settings,
    ui: &Ui,
) -> Option<view::LatencyReport> {
    let mut seen: BTreeSet<SocketAddr> = BTreeSet::new();
    let mut zones = Vec::new();
    for zone in applied {
        let Some(verification) = &zone.verification else { continue };
        let addresses = verification.servers.iter().map(|seen| &seen.endpoint);
        let fresh: Vec<_> = addresses.filter(|endpoint| seen.insert(endpoint.address)).cloned().collect();
        if !fresh.is_empty() {
            zones.push((verification.zone.clone(), fresh));
        }
    }
    if zones.is_empty() || context.cancel.is_cancelled() {
        return None;
    }
    ui.progress("measuring the name servers");
    let measurement = Measurement::new(Some(settings), None).within(LATENCY_LIMIT);
    Some(latency::measure_zones(zones, &measurement).await)
}

/// A run's identifier: the time in UTC and the process.
fn run_id() -> String {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    format!("{}-{:05}", now.strftime("%Y%m%dT%H%M%SZ"), std::process::id() % 100_000)
}

fn wait_of(wait: WaitFor) -> Wait {
    match wait {
        WaitFor::Authoritative => Wait::Authoritative,
        WaitFor::Resolvers => Wait::Resolvers,
        WaitFor::None => Wait::None,
    }
}
