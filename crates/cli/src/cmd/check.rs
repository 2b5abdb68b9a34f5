//! `mailzone check`.

use std::collections::{BTreeSet, HashMap};
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use mailzone_audit::{CheckState, Scope, Selector, SelectorSource, Subject, checklist, scores, unchecked};
use mailzone_config::Settings;
use mailzone_engine::Code;
use mailzone_engine::compile::judged;
use mailzone_engine::look::Judged;
use mailzone_mailauth::{MailUse, Severity, dkim, message};
use mailzone_observe::{Budget, Observed, Observer};
use mailzone_plan::document::{Exit, ExitZone};
use mailzone_record::Name;
use mailzone_report::check::{self, CheckReport, CheckedDomain, CheckedFinding, CheckedNote, Demand, DemandState};
use mailzone_report::markdown::COMMENT_LIMIT;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::args::{CheckArgs, Format, Global};
use crate::context;
use crate::embedded::{self, Embedded};
use crate::observe;
use crate::registry;
use crate::ui::Ui;
use crate::views;

use super::shared::{envelope, text_options};

/// Domains that are audited at a time.
const AT_A_TIME: usize = 64;

/// The longest that the audit of one domain may take.
const LIMIT: Duration = Duration::from_secs(45);

/// The largest list of domains and the largest message that is read.
const MAX_INPUT: u64 = 16 << 20;

/// Selectors that many domains use; that there is no key at them says nothing.
const USUAL_SELECTORS: [&str; 28] = [
    "default",
    "dkim",
    "mail",
    "email",
    "smtp",
    "mx",
    "key1",
    "key2",
    "s1",
    "s2",
    "k1",
    "k2",
    "k3",
    "selector1",
    "selector2",
    "google",
    "zmail",
    "fm1",
    "fm2",
    "fm3",
    "protonmail",
    "protonmail2",
    "mbo0001",
    "s1-ionos",
    "s2-ionos",
    "brevo1",
    "brevo2",
    "resend",
];

/// Audits domains as a receiver sees them. Reads no secret and contacts no provider.
pub(super) fn run(global: &Global, args: &CheckArgs, ui: &Ui) -> Result<Code, Code> {
    let domains = domains(args, ui)?;
    let signed = args.eml.as_deref().map(|path| signers(path, ui)).transpose()?.unwrap_or_default();
    let settings = context::load_if_any(global, ui)?;
    let subjects: Vec<Judged> =
        domains.iter().map(|domain| subject(domain, args, settings.as_ref(), &signed)).collect();
    let report = context::runtime(ui)?.block_on(async {
        let (_embedded, observer) = observer(settings.as_ref(), args, &domains, ui).await?;
        Ok(audits(subjects, &observer, ui).await)
    })?;
    let failing = |domain: &CheckedDomain| domain.findings.iter().any(|f| f.finding.severity == Severity::Error);
    let zones: Vec<ExitZone> = report
        .domains
        .iter()
        .filter(|domain| failing(domain))
        .map(|domain| ExitZone { zone: domain.domain.clone(), code: Code::Check.number() })
        .collect();
    let code = if zones.is_empty() { Code::Done } else { Code::Check };
    match global.format {
        Format::Text => ui.data(&check::text(&report, &text_options(args.full, ui))),
        Format::Markdown => ui.data(&check::markdown(&report, COMMENT_LIMIT)),
        Format::Csv => ui.data(&check::csv(&report)),
        Format::Json => ui.data(&envelope(report, Exit { code: code.number(), zones })),
    };
    Ok(code)
}

/// The domains of the command line and of the list, each once, in their order.
fn domains(args: &CheckArgs, ui: &Ui) -> Result<Vec<Name>, Code> {
    let mut texts = args.domains.clone();
    if let Some(path) = &args.domains_file {
        let text = read(path, ui)?;
        let text = String::from_utf8_lossy(&text);
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        texts.extend(lines.filter(|line| !line.is_empty()).map(str::to_owned));
    }
    let mut seen = BTreeSet::new();
    let mut domains = Vec::with_capacity(texts.len());
    let mut wrong = false;
    for text in &texts {
        match Name::parse_idn(text).map(|name| name.to_lowercase()) {
            Ok(name) if name.is_root() => wrong = said(&format!("{text} is no domain name"), ui),
            Ok(name) => {
                if seen.insert(name.clone()) {
                    domains.push(name);
                }
            }
            Err(error) => wrong = said(&format!("{text} is no domain name: {error}"), ui),
        }
    }
    if domains.is_empty() && !wrong {
        wrong = said("no domain to check", ui);
    }
    if wrong { Err(Code::Error) } else { Ok(domains) }
}

fn said(text: &str, ui: &Ui) -> bool {
    ui.error(text, None);
    true
}

fn read(path: &Path, ui: &Ui) -> Result<Vec<u8>, Code> {
    let mut text = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().take(MAX_INPUT).read_to_end(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX_INPUT).read_to_end(&mut text))
    };
    read.map_err(|error| {
        ui.error(&format!("{} cannot be read: {error}", path.display()), None);
        Code::Error
    })?;
    Ok(text)
}

/// Who signed a message: domain and selector of each signature.
fn signers(path: &Path, ui: &Ui) -> Result<Vec<(Name, String)>, Code> {
    let text = read(path, ui)?;
    let message = message::Message::parse(&text).map_err(|error| {
        ui.error(&format!("{} is no message: {error}", path.display()), None);
        Code::Error
    })?;
    let found: Vec<(Name, String)> =
        dkim::signatures(&message).filter_map(Result::ok).map(|one| (one.domain, one.selector)).collect();
    if found.is_empty() {
        ui.warn(&format!("{} has no DKIM signature that can be read", path.display()));
    }
    Ok(found)
}

fn subject(domain: &Name, args: &CheckArgs, settings: Option<&Settings>, signed: &[(Name, String)]) -> Judged {
    let scope =
        Scope { web: true, smtp: !args.no_smtp, blocklists: !args.no_blocklists, servers: true, completeness: true };
    let configured = settings.and_then(|settings| Some((settings, settings.domains.get(domain)?)));
    let mut judged = match configured {
        Some((settings, configured)) => judged(settings, configured, scope),
        None => Judged::of(Subject::new(domain.clone(), scope)),
    };
    let subject = &mut judged.subject;
    // An audit judges what receivers see, not what was meant.
    subject.policy = None;
    if args.parked {
        subject.mail = Some(MailUse::None);
    }
    subject.bulk |= args.bulk;
    let mut known: BTreeSet<String> = subject.selectors.iter().map(|selector| selector.name.clone()).collect();
    let of_message = signed.iter().filter(|(by, _)| by == domain).map(|(_, selector)| selector);
    let named = args.selector.iter().chain(of_message).map(|name| (name.to_ascii_lowercase(), SelectorSource::Named));
    let guessed = USUAL_SELECTORS.iter().map(|name| ((*name).to_owned(), SelectorSource::Guessed));
    for (name, source) in named.chain(guessed) {
        if known.insert(name.clone()) {
            subject.selectors.push(Selector { name, source });
        }
    }
    judged
}

async fn observer(
    settings: Option<&Settings>,
    args: &CheckArgs,
    domains: &[Name],
    ui: &Ui,
) -> Result<(Embedded, Observer), Code> {
    let mut given: HashMap<Name, Vec<SocketAddr>> = HashMap::new();
    let mut running = Embedded::default();
    if let Some(settings) = settings {
        let mut providers = registry::providers(settings);
        running = embedded::start(settings, &mut providers, ui).await.map_err(|message| {
            ui.error(&message, Some("stop what answers there, or serve at port 0"));
            Code::Error
        })?;
        given = context::servers_by_domain(settings, &args.servers.nameserver, &running.addresses);
    }
    if !args.servers.nameserver.is_empty() {
        given.extend(domains.iter().map(|domain| (domain.clone(), args.servers.nameserver.clone())));
    }
    let observer = observe::observer(settings, &args.servers, given, ui)?;
    Ok((running, observer))
}

async fn audits(subjects: Vec<Judged>, observer: &Observer, ui: &Ui) -> CheckReport {
    let total = subjects.len();
    let gate = std::sync::Arc::new(Semaphore::new(AT_A_TIME));
    let mut running = JoinSet::new();
    for (at, judged) in subjects.into_iter().enumerate() {
        let (gate, observer) = (std::sync::Arc::clone(&gate), observer.clone());
        running.spawn(async move {
            // Never closed: there is always a permit.
            let _turn = gate.acquire().await;
            let observed =
                mailzone_observe::audit(&observer, &judged.subject, None, Budget::until(Instant::now() + LIMIT));
            (at, checked(&judged, observed.await))
        });
    }
    let mut done: Vec<(usize, CheckedDomain)> = Vec::with_capacity(total);
    while let Some(joined) = running.join_next().await {
        match joined {
            Ok(domain) => done.push(domain),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
        ui.progress(&format!("domains checked: {} of {total}", done.len()));
    }
    done.sort_by_key(|(at, _)| *at);
    CheckReport { domains: done.into_iter().map(|(_, domain)| domain).collect() }
}

fn checked(judged: &Judged, observed: Observed) -> CheckedDomain {
    let Observed { audit, asked, cut, .. } = observed;
    let subject = &judged.subject;
    let why = if cut { "the time or the number of questions was over" } else { "nobody there to ask" };
    let open: Vec<CheckedFinding> = audit
        .open
        .iter()
        .flat_map(|open| {
            unchecked(&subject.domain, std::slice::from_ref(open), why, "run it again, with another --resolver")
                .map(|finding| CheckedFinding { area: open.area.as_str(), finding })
        })
        .collect();
    let (scores, demands) = (scores(&audit), checklist(&audit, subject));
    let found = audit
        .findings
        .into_iter()
        .filter_map(|(area, finding)| Some(CheckedFinding { area: area.as_str(), finding: judged.weigh(finding)? }));
    let mut findings: Vec<CheckedFinding> = found.chain(open).collect();
    findings.sort_by(|a, b| (a.finding.severity, &a.finding).cmp(&(b.finding.severity, &b.finding)));
    let demands = demands.into_iter().map(|item| Demand {
        receiver: item.receiver.to_owned(),
        demand: item.demand.to_owned(),
        state: match item.state {
            CheckState::Met => DemandState::Met,
            CheckState::NotMet => DemandState::NotMet,
            CheckState::Unknown => DemandState::Unknown,
        },
        why: item.why,
    });
    CheckedDomain {
        domain: views::label(&subject.domain),
        scores: check::Scores {
            confidentiality: scores.confidentiality,
            phishing: scores.phishing,
            integrity: scores.integrity,
        },
        findings,
        notes: audit
            .notes
            .into_iter()
            .map(|note| CheckedNote { area: note.area.as_str(), subject: note.subject, text: note.text })
            .collect(),
        checklist: demands.collect(),
        questions: asked.0 as u64,
    }
}
