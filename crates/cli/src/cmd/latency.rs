//! `mailzone latency`, and the measurement after an apply.

use std::net::SocketAddr;
use std::time::Duration;

use mailzone_config::{OnExceed, Settings, Statistic as Configured};
use mailzone_engine::Code;
use mailzone_plan::document::{Exit, ExitZone};
use mailzone_probe::latency::{Network, Plan, Series, Statistic, judge, measure, measure_resolvers};
use mailzone_probe::{Endpoint, Server};
use mailzone_record::Name;
use mailzone_report::view;
use tokio::task::JoinSet;

use crate::args::{Format, Global, LatencyArgs};
use crate::context;
use crate::embedded;
use crate::registry;
use crate::ui::Ui;
use crate::views::{self, Measured};

use super::shared::{envelope, only, text_options};

/// How much to measure, and against what.
#[derive(Debug, Clone)]
pub(super) struct Measurement {
    plan: Plan,
    budget: Duration,
    statistic: Statistic,
    statistic_name: &'static str,
}

/// Measures the servers of each domain, and the resolvers.
pub(super) fn run(global: &Global, args: &LatencyArgs, ui: &Ui) -> Result<Code, Code> {
    only(global, &[Format::Text, Format::Json], ui)?;
    let mut domains = Vec::with_capacity(args.domains.len());
    for text in &args.domains {
        domains.push(Name::parse_idn(text).map_err(|error| {
            ui.error(&format!("{text} is no domain name: {error}"), None);
            Code::Error
        })?);
    }
    let settings = context::load_if_any(global, ui)?;
    context::runtime(ui)?.block_on(async {
        let mut addresses = std::collections::HashMap::new();
        let measurement = Measurement::new(settings.as_ref(), args.samples);
        // The embedded server lives as long as the measurement.
        let mut _embedded = embedded::Embedded::default();
        if let Some(settings) = &settings {
            let mut providers = registry::providers(settings);
            _embedded = embedded::start(settings, &mut providers, ui).await.map_err(|message| {
                ui.error(&message, Some("stop what answers there, or serve at port 0"));
                if global.format == Format::Json {
                    let unasked = |domain: &Name| view_of(vec![views::label(domain)], vec![], vec![], &measurement);
                    show(&domains.iter().map(unasked).collect::<Vec<_>>(), false, global.format, ui);
                }
                Code::Error
            })?;
            addresses = context::servers_by_domain(settings, &args.servers.nameserver, &_embedded.addresses);
        }
        let verifier = context::verifier(settings.as_ref(), Some(&args.servers));
        let mut reports = Vec::new();
        for domain in &domains {
            let given = if args.servers.nameserver.is_empty() {
                addresses.get(domain).cloned().unwrap_or_default()
            } else {
                args.servers.nameserver.clone()
            };
            ui.progress(&format!("measuring the name servers of {domain}"));
            let whom = verifier.whom(domain, &given, &[]).await;
            if whom.endpoints.is_empty() {
                let why = match &whom.live {
                    mailzone_engine::verify::Live::Yes => format!("no name server of {domain} was found"),
                    mailzone_engine::verify::Live::No(why) | mailzone_engine::verify::Live::Unknown(why) => why.clone(),
                };
                ui.error(&why, Some("name servers with --nameserver, or check the delegation"));
            }
            let resolvers: &[SocketAddr] = if whom.ask_resolvers { verifier.resolvers() } else { &[] };
            let servers = servers(&whom.endpoints);
            reports.push(report(vec![views::label(domain)], &whom.zone, &servers, resolvers, &measurement).await);
        }
        ui.finish_progress();
        let fail = settings.as_ref().is_some_and(|settings| settings.latency.on_exceed == OnExceed::Fail);
        Ok(show(&reports, fail, global.format, ui))
    })
}

/// Measures servers zone by zone, all at a time, as one report.
pub(super) async fn measure_zones(zones: Vec<(Name, Vec<Endpoint>)>, measurement: &Measurement) -> view::LatencyReport {
    let mut running = JoinSet::new();
    let mut names = Vec::with_capacity(zones.len());
    for (at, (zone, endpoints)) in zones.into_iter().enumerate() {
        names.push(views::label(&zone));
        let plan = measurement.plan;
        running.spawn(async move { (at, measure(&Network, &zone, &servers(&endpoints), &plan).await) });
    }
    let mut series: Vec<(usize, Vec<Series>)> = Vec::new();
    while let Some(joined) = running.join_next().await {
        match joined {
            Ok(measured) => series.push(measured),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }
    series.sort_by_key(|(at, _)| *at);
    let series = series.into_iter().flat_map(|(_, series)| series).collect();
    view_of(names, series, Vec::new(), measurement)
}

impl Measurement {
    /// As configured; `samples` wins.
    pub(super) fn new(settings: Option<&Settings>, samples: Option<u32>) -> Self {
        let latency = settings.map(|settings| settings.latency).unwrap_or_default();
        let timeout = settings.map_or_else(|| mailzone_config::Dns::default().timeout, |settings| settings.dns.timeout);
        let (statistic, statistic_name) = match latency.statistic {
            Configured::Median => (Statistic::Median, "median"),
            Configured::P95 => (Statistic::P95, "p95"),
            Configured::P99 => (Statistic::P99, "p99"),
        };
        let samples = samples.unwrap_or(latency.samples) as usize;
        let plan = Plan { samples, timeout, ..Plan::default() };
        Self { plan, budget: latency.budget, statistic, statistic_name }
    }

    /// The same, ended after this time.
    pub(super) fn within(mut self, limit: Duration) -> Self {
        self.plan.limit = Some(limit);
        self
    }
}

async fn report(
    domains: Vec<String>,
    zone: &Name,
    servers: &[Server],
    resolvers: &[SocketAddr],
    measurement: &Measurement,
) -> view::LatencyReport {
    let series = measure(&Network, zone, servers, &measurement.plan).await;
    let resolvers = measure_resolvers(&Network, zone, resolvers, &measurement.plan).await;
    view_of(domains, series, resolvers, measurement)
}

fn view_of(
    domains: Vec<String>,
    series: Vec<Series>,
    resolvers: Vec<mailzone_probe::latency::ResolverSeries>,
    measurement: &Measurement,
) -> view::LatencyReport {
    let judgement = judge(&series, measurement.statistic, measurement.budget);
    let measured = Measured {
        domains,
        series,
        judgement,
        resolvers,
        budget: measurement.budget,
        statistic: measurement.statistic_name,
    };
    views::latency(&measured, &vantage())
}

fn show(reports: &[view::LatencyReport], fail: bool, format: Format, ui: &Ui) -> Code {
    let mut exits: Vec<ExitZone> = Vec::new();
    let mut codes: Vec<Code> = Vec::new();
    for report in reports {
        let code = match report.verdict {
            None => Code::Error,
            Some(view::LatencyVerdict::OverBudget) if fail => Code::Check,
            Some(_) => continue,
        };
        codes.push(code);
        exits.extend(report.domains.iter().map(|zone| ExitZone { zone: zone.clone(), code: code.number() }));
    }
    let code = Code::worst(codes);
    match format {
        Format::Json => {
            let exit = Exit { code: code.number(), zones: exits };
            // One domain: its fields stand at the top, as documented; several: a list of them.
            let text = match reports {
                [one] => envelope(one, exit),
                many => envelope(Several { reports: many }, exit),
            };
            ui.data(&text);
        }
        _ => {
            let options = text_options(false, ui);
            for report in reports {
                ui.data(&mailzone_report::text::latency(report, &options));
            }
        }
    }
    code
}

/// What `latency` prints for more than one domain.
#[derive(serde::Serialize)]
struct Several<'a> {
    reports: &'a [view::LatencyReport],
}

fn servers(endpoints: &[Endpoint]) -> Vec<Server> {
    let mut servers: Vec<Server> = Vec::new();
    for endpoint in endpoints {
        match servers.iter_mut().find(|server| server.name.is_some() && server.name == endpoint.server) {
            Some(server) => server.addresses.push(endpoint.address),
            None => servers.push(Server { name: endpoint.server.clone(), addresses: vec![endpoint.address] }),
        }
    }
    servers
}

/// Where it is measured from: this machine's name.
fn vantage() -> String {
    let name = std::fs::read_to_string("/etc/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    let name = name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| "this machine".into())
}
