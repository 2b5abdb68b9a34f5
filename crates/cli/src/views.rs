//! What the engine and the probe found, as the report's views.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use mailzone_engine::verify::{Live, Verdict, ZoneVerification};
use mailzone_probe::latency::{Judgement, ResolverSeries, Series};
use mailzone_probe::{Observation, State};
use mailzone_record::Name;
use mailzone_report::view;
use mailzone_wire::Transport;

/// Verified zones as one view, domain by domain.
pub(crate) fn verification<'a>(zones: impl IntoIterator<Item = &'a ZoneVerification>) -> view::Verification {
    let mut domains: BTreeMap<String, view::VerifiedDomain> = BTreeMap::new();
    for zone in zones {
        for (name, verdict) in zone.domains() {
            let label = label(&name);
            let records = records(zone, &name);
            let domain = domains.entry(label.clone()).or_insert_with(|| view::VerifiedDomain {
                domain: label,
                verdict: verdict_view(verdict),
                reason: None,
                records: Vec::new(),
                findings: Vec::new(),
            });
            domain.verdict = worse(domain.verdict, verdict_view(verdict));
            domain.records.extend(records);
            if let Live::No(reason) | Live::Unknown(reason) = &zone.live {
                domain.reason.get_or_insert_with(|| reason.clone());
            }
            for finding in &zone.findings {
                if !domain.findings.contains(finding) {
                    domain.findings.push(finding.clone());
                }
            }
        }
    }
    let mut domains: Vec<view::VerifiedDomain> = domains.into_values().collect();
    for domain in &mut domains {
        domain.records.sort_by(|a, b| (&a.name, &a.rtype).cmp(&(&b.name, &b.rtype)));
        domain.findings.sort();
    }
    view::Verification { domains, hosts: Vec::new() }
}

/// What was measured, judged.
pub(crate) struct Measured {
    /// The domains.
    pub(crate) domains: Vec<String>,
    /// The servers' series.
    pub(crate) series: Vec<Series>,
    /// What they come to.
    pub(crate) judgement: Judgement,
    /// The resolvers' series.
    pub(crate) resolvers: Vec<ResolverSeries>,
    /// The budget.
    pub(crate) budget: Duration,
    /// Which figure is held against it.
    pub(crate) statistic: &'static str,
}

/// A measurement as the report's view.
pub(crate) fn latency(measured: &Measured, vantage: &str) -> view::LatencyReport {
    use mailzone_probe::latency::Verdict as Judged;

    let servers = measured
        .series
        .iter()
        .zip(&measured.judgement.over_budget)
        .map(|(series, over)| view::LatencyServer {
            server: server_name(series.endpoint.server.as_ref(), series.endpoint.address),
            address: series.endpoint.address.to_string(),
            transport: match series.transport {
                Transport::Udp => "udp".into(),
                Transport::Tcp => "tcp".into(),
            },
            figures: figures(series),
            over_budget: *over,
        })
        .collect();
    view::LatencyReport {
        domains: measured.domains.clone(),
        vantage: vantage.to_owned(),
        budget_ms: millis(measured.budget),
        statistic: measured.statistic.to_owned(),
        verdict: measured.judgement.verdict.map(|verdict| match verdict {
            Judged::Ok => view::LatencyVerdict::Ok,
            Judged::Warning => view::LatencyVerdict::Warning,
            Judged::OverBudget => view::LatencyVerdict::OverBudget,
        }),
        servers,
        resolvers: measured
            .resolvers
            .iter()
            .map(|resolver| view::LatencyResolver {
                resolver: resolver.cold.endpoint.address.to_string(),
                cold: figures(&resolver.cold),
                warm: figures(&resolver.warm),
            })
            .collect(),
    }
}

/// A name as domains are shown.
pub(crate) fn label(name: &Name) -> String {
    name.to_lowercase().to_text_without_dot()
}

fn records(zone: &ZoneVerification, domain: &Name) -> Vec<view::VerifiedRecord> {
    let mut records = Vec::new();
    for (at, target) in zone.targets.iter().enumerate() {
        if !target.claims.iter().any(|claim| claim.domain == *domain) {
            continue;
        }
        let servers =
            zone.servers.iter().filter(|seen| seen.target == at).map(|seen| server_state(zone, seen)).collect();
        let resolvers = zone
            .resolvers
            .iter()
            .filter(|resolver| resolver.seen.target == at)
            .map(|resolver| view::ResolverState {
                resolver: resolver.seen.endpoint.address.to_string(),
                state: state(resolver.seen.state),
                expected_by: resolver.gone_in.and_then(in_time),
            })
            .collect();
        records.push(view::VerifiedRecord {
            name: target.key.name.to_lowercase().to_string(),
            rtype: target.key.rtype.to_string(),
            servers,
            resolvers,
        });
    }
    records
}

fn server_state(zone: &ZoneVerification, seen: &Observation) -> view::ServerState {
    let reason = if seen.is_unreachable_from_here() {
        Some("no route to this address from here".to_owned())
    } else if zone.down.contains(&seen.address()) {
        Some("did not answer as an authority before anything was written".to_owned())
    } else {
        seen.error.as_ref().map(ToString::to_string)
    };
    let mut answer: Vec<String> = seen.answer.iter().map(ToString::to_string).collect();
    answer.sort();
    view::ServerState {
        server: server_name(seen.endpoint.server.as_ref(), seen.address()),
        address: seen.address().to_string(),
        state: state(seen.state),
        answer,
        reason,
    }
}

fn server_name(name: Option<&Name>, address: SocketAddr) -> String {
    name.map_or_else(|| address.ip().to_string(), |name| name.to_lowercase().to_string())
}

fn state(state: State) -> view::State {
    match state {
        State::Current => view::State::Current,
        State::Stale => view::State::Stale,
        State::Missing => view::State::Missing,
        State::Lame => view::State::Lame,
        State::Unreachable => view::State::Unreachable,
    }
}

fn verdict_view(verdict: Verdict) -> view::Verdict {
    match verdict {
        Verdict::Unchecked => view::Verdict::Unchecked,
        Verdict::Verified => view::Verdict::Verified,
        Verdict::Incomplete => view::Verdict::Incomplete,
        Verdict::NotLive => view::Verdict::NotLive,
    }
}

fn worse(a: view::Verdict, b: view::Verdict) -> view::Verdict {
    use view::Verdict::{Incomplete, NotLive, Unchecked, Verified};
    let rank = |verdict| match verdict {
        Verified => 0,
        Unchecked => 1,
        Incomplete => 2,
        NotLive => 3,
    };
    if rank(b) > rank(a) { b } else { a }
}

fn figures(series: &Series) -> view::Figures {
    let figures = series.figures();
    let lost = figures.sent.saturating_sub(figures.received);
    view::Figures {
        sent: figures.sent as u64,
        received: figures.received as u64,
        loss: (figures.sent > 0).then(|| lost as f64 / figures.sent as f64),
        min_ms: figures.min.map(millis),
        median_ms: figures.median.map(millis),
        p95_ms: figures.p95.map(millis),
        p99_ms: figures.p99.map(millis),
        max_ms: figures.max.map(millis),
    }
}

/// Milliseconds to the microsecond: what the clock gives and a person reads.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn in_time(duration: Duration) -> Option<String> {
    let now = jiff::Timestamp::now();
    let later = now.as_second().checked_add(i64::try_from(duration.as_secs()).ok()?)?;
    jiff::Timestamp::from_second(later).ok().map(|time| time.to_string())
}
