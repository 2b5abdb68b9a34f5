//! `mailzone verify`.

mod hosts;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mailzone_engine::compile::Compiled;
use mailzone_engine::verify::{Live, Question, Verdict, Verifier, Wait, ZoneVerification};
use mailzone_engine::{Cancel, Code, Events};
use mailzone_plan::Target;
use mailzone_plan::document::{Exit, ExitZone, ZoneDoc};
use mailzone_probe::Before;
use mailzone_record::Name;
use mailzone_report::view;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::args::{AskArgs, Format, Global, WaitFor};
use crate::context;
use crate::embedded::{self, Embedded};
use crate::observe;
use crate::registry;
use crate::ui::Ui;
use crate::views;

use super::plan::events;
use super::shared::{envelope, on_interrupt, only, text_options};

/// Zones that are asked about at a time.
const ZONES_AT_A_TIME: usize = 64;

/// How long `--wait` waits where the configuration does not say.
const DEFAULT_WAIT: Duration = Duration::from_secs(120);

/// Is the desired state visible everywhere? Reads no secret and contacts no provider.
pub(super) fn run(global: &Global, args: &AskArgs, ui: &Ui) -> Result<Code, Code> {
    only(global, &[Format::Text, Format::Json], ui)?;
    let settings = context::load(global, ui)?;
    let domains = context::selected(&settings, &args.domains, ui).map_err(|zones| unasked(&zones, global, ui))?;
    let compiled = context::compiled(&settings);
    context::runtime(ui)?.block_on(async {
        let mut providers = registry::providers(&settings);
        let embedded = embedded::start(&settings, &mut providers, ui).await.map_err(|message| {
            ui.error(&message, Some("stop what answers there, or serve at port 0"));
            unasked(&context::not_looked_at(&settings, &domains, &message, ""), global, ui)
        })?;
        let servers = context::servers_by_domain(&settings, &args.servers.nameserver, &embedded.addresses);
        let verifier = context::verifier(Some(&settings), Some(&args.servers));
        let longest = settings.propagation.timeout.unwrap_or(DEFAULT_WAIT);
        let (wait, deadline) = match args.wait {
            // Everybody once, the resolvers too.
            WaitFor::None => (Wait::Authoritative, Duration::ZERO),
            WaitFor::Authoritative => (Wait::Authoritative, longest),
            WaitFor::Resolvers => (Wait::Resolvers, longest),
        };
        let not_delegated = context::not_delegated(&settings);
        let mut questions = questions(&compiled, &domains);
        for question in &mut questions {
            question.given = given(question, &servers, &args.servers.nameserver, &embedded);
        }
        ui.progress("asking the name servers");
        let cancel = on_interrupt();
        let zones = ask(questions, &verifier, (wait, deadline), &events(ui), &cancel).await;
        let mut exits: BTreeMap<String, Code> = BTreeMap::new();
        for zone in &zones {
            for (domain, verdict) in zone.domains() {
                let moving = matches!(zone.live, Live::No(_)) && not_delegated.contains(&domain);
                let excused = moving && zone.is_served(Some(&domain));
                if verdict != Verdict::Verified && !excused {
                    exits.insert(views::label(&domain), Code::NotVisible);
                }
            }
        }
        let interrupted = cancel.is_cancelled().then_some(Code::Interrupted);
        let code = Code::worst(exits.values().copied().chain(interrupted));
        let mut body = views::verification(&zones);
        if !cancel.is_cancelled() {
            let observer = observe::of_servers(&settings, &domains, &args.servers, servers, &embedded, ui)?;
            body.hosts = hosts::look(&settings, &domains, observer.as_ref()).await;
        }
        match global.format {
            Format::Json => {
                let zones = exits.into_iter().map(|(zone, code)| ExitZone { zone, code: code.number() }).collect();
                let exit = Exit { code: code.number(), zones };
                ui.data(&envelope(body, exit));
            }
            _ => {
                let options = text_options(false, ui);
                ui.data(&mailzone_report::text::verify(&body, &options));
            }
        }
        Ok(code)
    })
}

/// The document of a run that ended before anybody was asked, where a document is wanted. The text is told.
fn unasked(zones: &[ZoneDoc], global: &Global, ui: &Ui) -> Code {
    if global.format == Format::Json {
        let entry = |zone: &ZoneDoc| view::VerifiedDomain {
            domain: zone.label().to_owned(),
            verdict: view::Verdict::Unchecked,
            reason: zone.error.as_ref().map(|error| error.message.clone()),
            records: Vec::new(),
            findings: Vec::new(),
        };
        let code = Code::Error.number();
        let exits = zones.iter().map(|zone| ExitZone { zone: zone.label().to_owned(), code }).collect();
        let body = view::Verification { domains: zones.iter().map(entry).collect(), hosts: Vec::new() };
        ui.data(&envelope(body, Exit { code, zones: exits }));
    }
    Code::Error
}

/// What to look for in the zone of a name.
struct InZone {
    /// The zone where it is known, else the domain, else the owner name.
    zone: Name,
    /// Who holds it; `None` where that is found out (PTR).
    provider: Option<String>,
    targets: Vec<Target>,
    /// The servers to ask; empty: those of the delegation.
    given: Vec<SocketAddr>,
}

/// What to look for, by the domain whose zone it is expected in.
fn questions(compiled: &Compiled, domains: &[Name]) -> Vec<InZone> {
    let mut by_zone: BTreeMap<Name, (Option<String>, Vec<mailzone_plan::Claim>)> = BTreeMap::new();
    for placed in &compiled.claims {
        let selected = domains.is_empty() || placed.domain.as_ref().is_some_and(|domain| domains.contains(domain));
        if !selected {
            continue;
        }
        let within = placed.domain.as_ref().filter(|domain| placed.claim.owner.is_at_or_below(domain));
        let zone = placed.zone.as_ref().or(within).unwrap_or(&placed.claim.owner);
        let (_, claims) = by_zone.entry(zone.clone()).or_insert_with(|| (placed.provider.clone(), Vec::new()));
        claims.push(placed.claim.clone());
    }
    let in_zone = |(zone, (provider, claims)): (Name, (Option<String>, Vec<mailzone_plan::Claim>))| InZone {
        zone,
        provider,
        targets: Target::of_claims(&claims),
        given: Vec::new(),
    };
    by_zone.into_iter().map(in_zone).collect()
}

/// Whom to ask: the servers of the command line, else those of the nearest domain; below no configured domain
/// the embedded server that has the zone.
fn given(
    question: &InZone,
    servers: &HashMap<Name, Vec<SocketAddr>>,
    flags: &[SocketAddr],
    embedded: &Embedded,
) -> Vec<SocketAddr> {
    if !flags.is_empty() {
        return flags.to_vec();
    }
    match nearest(servers, &question.zone) {
        found if !found.is_empty() => found,
        _ => embedded.address_of(&question.zone, question.provider.as_deref()).into_iter().collect(),
    }
}

async fn ask(
    questions: Vec<InZone>,
    verifier: &Verifier,
    (wait, deadline): (Wait, Duration),
    events: &Events,
    cancel: &Cancel,
) -> Vec<ZoneVerification> {
    let gate = Arc::new(Semaphore::new(ZONES_AT_A_TIME));
    let mut running = JoinSet::new();
    for InZone { zone, targets, given, .. } in questions {
        let (verifier, gate, cancel): (Verifier, Arc<Semaphore>, Cancel) =
            (verifier.clone(), Arc::clone(&gate), cancel.clone());
        let events = events.clone();
        running.spawn(async move {
            // The semaphore is never closed, so this always yields a permit.
            let _permit = gate.acquire().await;
            let whom = verifier.whom(&zone, &given, &[]).await;
            let targets = targets.into_iter().map(|target| (target, Before::Unknown)).collect();
            verifier.verify(&whom, Question { targets, wait, deadline }, &events, &cancel).await
        });
    }
    let mut zones = Vec::new();
    while let Some(joined) = running.join_next().await {
        match joined {
            Ok(zone) => zones.push(zone),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }
    zones.sort_by(|a, b| a.zone.cmp(&b.zone));
    zones
}

/// The servers given for the zone or the nearest domain above it.
fn nearest(servers: &HashMap<Name, Vec<SocketAddr>>, zone: &Name) -> Vec<SocketAddr> {
    let mut at = Some(zone.clone());
    while let Some(name) = at {
        if let Some(found) = servers.get(&name) {
            return found.clone();
        }
        at = name.parent();
    }
    Vec::new()
}
