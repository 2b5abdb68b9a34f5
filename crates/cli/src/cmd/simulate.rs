//! `mailzone simulate`.

use std::io::Read as _;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use mailzone_audit::{Sample, SignatureOutcome, Simulation, simulate, simulate_sender};
use mailzone_config::{Settings, Source};
use mailzone_engine::Code;
use mailzone_engine::compile::Compiled;
use mailzone_engine::desired::Desired;
use mailzone_keys::verify_message;
use mailzone_mailauth::dmarc::{self, DmarcResult};
use mailzone_mailauth::lookup::{Answers, Lookup, Pending};
use mailzone_mailauth::message::Message;
use mailzone_mailauth::spf::SpfResult;
use mailzone_observe::{Dns, QUESTIONS, drive};
use mailzone_plan::document::Exit;
use mailzone_record::Name;
use mailzone_report::simulate::{
    self as view, DkimOutcome, DmarcOutcome, Outcome, SimulateReport, SimulatedSender, SpfOutcome,
};
use tokio::time::Instant;

use crate::args::{Format, Global, SimulateArgs};
use crate::context;
use crate::embedded::{self, Embedded};
use crate::observe;
use crate::registry;
use crate::ui::Ui;
use crate::views;

use super::shared::{envelope, only, text_options};

/// The time that one evaluation may take: what RFC 7208 section 4.6.4 gives a receiver at least.
const LIMIT: Duration = Duration::from_secs(20);

/// The largest message that is read.
const MAX_MESSAGE: u64 = 64 << 20;

/// One message, owned.
struct Mail {
    ip: IpAddr,
    helo: String,
    mail_from: String,
    author_domain: Name,
    text: Option<Vec<u8>>,
    now: u64,
}

/// Would this mail pass, now and as the configuration wants it? Reads no secret and contacts no provider.
pub(super) fn run(global: &Global, args: &SimulateArgs, ui: &Ui) -> Result<Code, Code> {
    only(global, &[Format::Text, Format::Json], ui)?;
    let settings = settings(global, args, ui)?;
    let mail = args.ip.map(|ip| mail(ip, args, ui)).transpose()?;
    let senders = settings.as_ref().map(|settings| settings.senders.clone()).unwrap_or_default();
    if mail.is_none() && senders.is_empty() {
        ui.error(
            "nothing to simulate",
            Some("name a message with --ip, --helo and --mail-from, or senders in [sender.NAME]"),
        );
        return Err(Code::Error);
    }
    let compiled = settings.as_ref().map(context::compiled).filter(|compiled| !compiled.claims.is_empty());
    let report = context::runtime(ui)?.block_on(async {
        let (_embedded, dns) = dns(settings.as_ref(), args, ui).await?;
        let mut report = SimulateReport::default();
        if let Some(mail) = &mail {
            let (live, planned) = both(&dns, compiled.as_ref(), |lookup| one(mail, lookup)).await;
            (report.live, report.planned) = (Some(live), planned);
        } else if let Some(settings) = &settings {
            report.senders = known(settings, &dns, compiled.as_ref()).await;
        }
        Ok(report)
    })?;
    let code = code(&report);
    match global.format {
        Format::Json => ui.data(&envelope(report, Exit { code: code.number(), zones: Vec::new() })),
        _ => ui.data(&view::text(&report, &text_options(false, ui))),
    };
    Ok(code)
}

/// The configuration, with the list of senders if one is named; either may be missing.
fn settings(global: &Global, args: &SimulateArgs, ui: &Ui) -> Result<Option<Settings>, Code> {
    let Some(list) = &args.senders else { return context::load_if_any(global, ui) };
    let named = !global.config.is_empty() || Path::new("mailzone.toml").exists();
    let mut sources = if named {
        context::sources(&global.config).map_err(|message| {
            ui.error(&message, None);
            Code::Error
        })?
    } else {
        Vec::new()
    };
    sources.push(Source::Path(list.clone()));
    mailzone_config::load(&sources).map(Some).map_err(|diagnostics| {
        context::say_all(&diagnostics, ui);
        Code::Error
    })
}

fn mail(ip: IpAddr, args: &SimulateArgs, ui: &Ui) -> Result<Mail, Code> {
    let failed = |message: String| {
        ui.error(&message, None);
        Code::Error
    };
    let text = args.eml.as_deref().map(read).transpose().map_err(&failed)?;
    let parsed = text.as_deref().map(Message::parse).transpose().map_err(|error| failed(format!("--eml: {error}")))?;
    let mail_from = args.mail_from.clone().unwrap_or_default();
    let of_message = || parsed.as_ref().and_then(Message::author_domain);
    let of_envelope = || mail_from.rsplit_once('@').map(|(_, domain)| domain.to_owned());
    let author = match &args.header_from {
        Some(given) => given.rsplit_once('@').map_or(given.as_str(), |(_, domain)| domain).to_owned(),
        None => match of_message() {
            Some(domain) => domain.to_text_without_dot(),
            None => of_envelope().ok_or_else(|| failed("the domain in From is not known: use --header-from".into()))?,
        },
    };
    let author_domain =
        Name::parse_idn(&author).map_err(|error| failed(format!("{author} is no domain name: {error}")))?;
    let helo = args.helo.clone().unwrap_or_else(|| "unknown".into());
    Ok(Mail {
        ip,
        helo,
        mail_from,
        author_domain,
        text,
        now: u64::try_from(context::now_seconds()).unwrap_or_default(),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().take(MAX_MESSAGE).read_to_end(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX_MESSAGE).read_to_end(&mut text))
    };
    read.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    Ok(text)
}

/// The DNS to ask, and the embedded servers as long as they are needed.
async fn dns(settings: Option<&Settings>, args: &SimulateArgs, ui: &Ui) -> Result<(Embedded, Dns), Code> {
    let mut running = Embedded::default();
    let mut zones = std::collections::HashMap::new();
    if let Some(settings) = settings {
        let mut providers = registry::providers(settings);
        running = embedded::start(settings, &mut providers, ui).await.map_err(|message| {
            ui.error(&message, Some("stop what answers there, or serve at port 0"));
            Code::Error
        })?;
        zones = context::servers_by_domain(settings, &args.servers.nameserver, &running.addresses);
    }
    if !args.servers.nameserver.is_empty() && zones.is_empty() {
        zones.insert(Name::root(), args.servers.nameserver.clone());
    }
    let observer = observe::observer(settings, &args.servers, zones, ui)?;
    Ok((running, observer.dns().clone()))
}

/// Evaluates against the live records, and against those that the configuration wants over them.
async fn both(
    dns: &Dns,
    compiled: Option<&Compiled>,
    evaluate: impl Fn(&dyn Lookup) -> Result<Simulation, Pending>,
) -> (Outcome, Option<Outcome>) {
    let deadline = || Instant::now() + LIMIT;
    let live = drive(dns, |answers: &Answers| evaluate(answers), QUESTIONS, deadline()).await;
    let planned = match compiled {
        Some(compiled) => {
            let wanted = |answers: &Answers| evaluate(&Desired::over(compiled, answers));
            Some(drive(dns, wanted, QUESTIONS, deadline()).await.result)
        }
        None => None,
    };
    (shown(live.result), planned.map(shown))
}

/// One message, its signatures verified.
fn one(mail: &Mail, lookup: &dyn Lookup) -> Result<Simulation, Pending> {
    let message = mail.text.as_deref().and_then(|text| Message::parse(text).ok());
    let verified = message.map(|message| verify_message(&message, lookup, mail.now)).transpose();
    let sample = Sample {
        ip: mail.ip,
        helo: &mail.helo,
        mail_from: &mail.mail_from,
        author_domain: &mail.author_domain,
        now: mail.now,
    };
    match verified {
        Err(mut pending) => {
            // What else will be asked is asked at the same time.
            pending.questions.extend(simulate(lookup, &sample, Vec::new()).err().into_iter().flat_map(|p| p.questions));
            Err(pending)
        }
        Ok(verified) => {
            let signatures = verified.into_iter().flatten().map(|one| SignatureOutcome {
                domain: one.domain().cloned(),
                selector: one.selector().map(str::to_owned),
                result: one.result(),
                reason: one.reason.as_ref().map(ToString::to_string).unwrap_or_default(),
            });
            simulate(lookup, &sample, signatures.collect())
        }
    }
}

/// The senders of the configuration, each address by itself.
async fn known(settings: &Settings, dns: &Dns, compiled: Option<&Compiled>) -> Vec<SimulatedSender> {
    let now = u64::try_from(context::now_seconds()).unwrap_or_default();
    let mut done = Vec::new();
    for (name, sender) in &settings.senders {
        let configured = &sender.value;
        let sender = mailzone_engine::compile::sender(name, configured);
        for ip in &configured.addresses {
            let (live, planned) = both(dns, compiled, |lookup| simulate_sender(lookup, &sender, *ip, now)).await;
            done.push(SimulatedSender {
                sender: name.clone(),
                address: ip.to_string(),
                from: views::label(&configured.from),
                required: configured.required,
                live,
                planned,
            });
        }
    }
    done
}

fn shown(result: Result<Simulation, Pending>) -> Outcome {
    match result {
        Ok(simulation) => outcome(&simulation),
        // An evaluation that stays open when everything is answered: an answer that keeps changing.
        Err(pending) => undecided(&pending),
    }
}

fn outcome(simulation: &Simulation) -> Outcome {
    let spf = &simulation.spf;
    let lines = |text: String| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let dmarc = |evaluation: &dmarc::Evaluation| DmarcOutcome {
        result: evaluation.result.to_string(),
        policy: evaluation.policy.map(|policy| policy.as_str().to_owned()),
        disposition: evaluation.disposition.to_string(),
        spf_aligned: evaluation.spf_aligned,
        dkim_aligned: evaluation.dkim_aligned,
        trace: lines(evaluation.to_string()),
    };
    Outcome {
        spf: SpfOutcome {
            result: spf.result.to_string(),
            domain: spf.domain.clone(),
            explanation: spf.explanation.clone(),
            lookups: spf.lookups,
            void_lookups: spf.void_lookups,
            problem: spf.problem.as_ref().map(|problem| format!("{}: {problem}", problem.domain)),
            trace: lines(spf.trace.to_string()),
        },
        dkim: simulation
            .dkim
            .iter()
            .map(|signature| DkimOutcome {
                domain: signature.domain.as_ref().map(views::label),
                selector: signature.selector.clone(),
                result: signature.result.to_string(),
                reason: signature.reason.clone(),
            })
            .collect(),
        dmarc: dmarc(&simulation.dmarc),
        dmarc_rfc7489: dmarc(&simulation.dmarc_rfc7489),
    }
}

fn undecided(pending: &Pending) -> Outcome {
    let temporary = SpfResult::TempError.to_string();
    let dmarc = DmarcOutcome {
        result: DmarcResult::TempError.to_string(),
        policy: None,
        disposition: "none".into(),
        spf_aligned: false,
        dkim_aligned: false,
        trace: Vec::new(),
    };
    Outcome {
        spf: SpfOutcome {
            result: temporary,
            domain: String::new(),
            explanation: None,
            lookups: 0,
            void_lookups: 0,
            problem: Some(pending.to_string()),
            trace: Vec::new(),
        },
        dkim: Vec::new(),
        dmarc_rfc7489: dmarc.clone(),
        dmarc,
    }
}

/// What counts is what will be: the planned records where there are any. A sender that is not required fails nothing.
fn code(report: &SimulateReport) -> Code {
    let last = |live: &Outcome, planned: &Option<Outcome>| verdict(planned.as_ref().unwrap_or(live));
    let of_message = report.live.iter().map(|live| last(live, &report.planned));
    let of_senders = report.senders.iter().filter(|sender| sender.required);
    Code::worst(of_message.chain(of_senders.map(|sender| last(&sender.live, &sender.planned))))
}

/// DMARC where the domain has it, else SPF. Undecided is an error: nobody can say.
fn verdict(outcome: &Outcome) -> Code {
    let results = [outcome.dmarc.result.as_str(), outcome.dmarc_rfc7489.result.as_str()];
    let spf = outcome.spf.result.as_str();
    if results.contains(&"fail") || results.contains(&"permerror") {
        Code::Check
    } else if results.contains(&"temperror") {
        Code::Error
    } else if results == ["none", "none"] && matches!(spf, "fail" | "permerror") {
        Code::Check
    } else {
        Code::Done
    }
}
