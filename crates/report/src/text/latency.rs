//! How fast the servers answer.

use super::table::{Align, Table};
use super::{TextOptions, some_of};
use crate::style::{Label, Line, Page};
use crate::view::{Figures, LatencyReport, LatencyServer, LatencyVerdict};

/// Each server and resolver with its figures, and a sentence that says what they come to and where
/// they were measured.
pub fn latency(report: &LatencyReport, options: &TextOptions) -> String {
    let mut page = Page::new(options.width, options.color);
    let title = if report.domains.is_empty() { String::new() } else { format!(" of {}", some_of(&report.domains, 3)) };
    page.line(&Line::new(0).put(Label::Heading, format!("Latency{title}")));
    if !report.servers.is_empty() {
        servers(&mut page, report, options);
    }
    if !report.resolvers.is_empty() {
        resolvers(&mut page, report, options);
    }
    verdict(&mut page, report, options);
    page.finish()
}

const FIGURES: [(&str, Align); 7] = [
    ("sent", Align::Right),
    ("loss", Align::Right),
    ("min", Align::Right),
    ("median", Align::Right),
    ("p95", Align::Right),
    ("p99", Align::Right),
    ("max", Align::Right),
];

fn servers(page: &mut Page, report: &LatencyReport, options: &TextOptions) {
    let mut head = vec![("server", Align::Left), ("address", Align::Left), ("via", Align::Left)];
    head.extend(FIGURES);
    let mut table = Table::new(&head);
    for server in &report.servers {
        let (label, mark) = match server {
            LatencyServer { figures: Figures { received: 0, .. }, .. } => (Label::Error, "-"),
            LatencyServer { over_budget: Some(true), .. } => (Label::Warning, "!"),
            _ => (Label::Good, "+"),
        };
        let address = options.redact.address(&server.address).into_owned();
        let mut cells = vec![server.server.clone(), address, server.transport.clone()];
        cells.extend(figures(&server.figures, options));
        table.row(label, mark, cells);
    }
    table.show(page);
}

fn resolvers(page: &mut Page, report: &LatencyReport, options: &TextOptions) {
    let mut head = vec![("resolver", Align::Left), ("cache", Align::Left)];
    head.extend(FIGURES);
    let mut table = Table::new(&head);
    for resolver in &report.resolvers {
        for (cache, row) in [("cold", &resolver.cold), ("warm", &resolver.warm)] {
            let mut cells = vec![options.redact.address(&resolver.resolver).into_owned(), cache.to_owned()];
            cells.extend(figures(row, options));
            let (label, mark) = if row.received == 0 { (Label::Error, "-") } else { (Label::Good, "+") };
            table.row(label, mark, cells);
        }
    }
    table.show(page);
}

fn figures(figures: &Figures, options: &TextOptions) -> Vec<String> {
    let none = || "\u{2013}".to_owned();
    let loss = figures.loss.map_or_else(none, |loss| format!("{:.0} %", loss * 100.0));
    let mut cells = vec![figures.sent.to_string(), loss];
    let Figures { min_ms, median_ms, p95_ms, p99_ms, max_ms, .. } = *figures;
    for value in [min_ms, median_ms, p95_ms, p99_ms, max_ms] {
        cells.push(value.map_or_else(none, |value| options.redact.millis(value)));
    }
    cells
}

fn verdict(page: &mut Page, report: &LatencyReport, options: &TextOptions) {
    // The budget is configured, not measured: it is not redacted.
    let budget = format!("{} ms", report.budget_ms);
    let statistic = &report.statistic;
    // As it is judged: over UDP; the longest time stands in for a quantile without enough answers.
    let over_udp = report.servers.iter().filter(|server| server.transport == "udp").map(|server| &server.figures);
    let fastest = over_udp.filter_map(|figures| figures.statistic(statistic).or(figures.max_ms)).reduce(f64::min);
    let fastest = fastest.map(|ms| options.redact.millis(ms));
    let (label, sentence) = match (report.verdict, fastest) {
        (None, _) => (Label::Error, "no server could be asked from here: nothing was measured".to_owned()),
        (Some(_), None) => (Label::Error, format!("no server answered over UDP: over the budget of {budget}")),
        (Some(LatencyVerdict::Ok), Some(ms)) => (
            Label::Good,
            format!("every server that could be asked is within the budget of {budget}; the fastest takes {ms}"),
        ),
        (Some(LatencyVerdict::Warning), Some(ms)) => {
            (Label::Warning, format!("{}; the fastest takes {ms}", too_slow(report, &budget)))
        }
        (Some(LatencyVerdict::OverBudget), Some(ms)) => {
            (Label::Error, format!("even the fastest takes {ms}: over the budget of {budget}"))
        }
    };
    let line = Line::new(0).put(label, "Latency: ").plain(sentence).plain(format!(" ({statistic}, measured from "));
    page.line(&line.plain(options.redact.text(&report.vantage)).plain(")."));
}

/// `1 of 4 is over the budget of 100 ms`, or that some do not answer.
fn too_slow(report: &LatencyReport, budget: &str) -> String {
    let over = report.servers.iter().filter(|server| server.over_budget == Some(true)).count();
    match over {
        0 => "not every server answers".to_owned(),
        1 => format!("1 of {} is over the budget of {budget}", report.servers.len()),
        _ => format!("{over} of {} are over the budget of {budget}", report.servers.len()),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::view::LatencyResolver;
    use crate::{Redactor, json};

    fn figures(median: f64) -> Figures {
        Figures {
            sent: 20,
            received: 19,
            loss: Some(0.05),
            min_ms: Some(median - 1.0),
            median_ms: Some(median),
            max_ms: Some(median * 2.0),
            ..Figures::default()
        }
    }

    fn report(verdict: LatencyVerdict, servers: &[(f64, bool)]) -> LatencyReport {
        let servers = servers.iter().enumerate().map(|(at, &(median, over_budget))| LatencyServer {
            server: format!("ns{at}.example."),
            address: format!("192.0.2.{at}:53"),
            transport: "udp".into(),
            figures: if median > 0.0 {
                figures(median)
            } else {
                Figures { sent: 20, loss: Some(1.0), ..Figures::default() }
            },
            over_budget: Some(over_budget),
        });
        LatencyReport {
            domains: vec!["example.com".into()],
            vantage: "build-7".into(),
            budget_ms: 100.0,
            statistic: "median".into(),
            verdict: Some(verdict),
            servers: servers.collect(),
            resolvers: Vec::new(),
        }
    }

    #[test]
    fn over_the_budget() {
        let report = report(LatencyVerdict::OverBudget, &[(151.26, true), (203.0, true), (0.0, true)]);
        assert_snapshot!(latency(&report, &TextOptions::default()), @r#"
        Latency of example.com
            server        address       via  sent   loss       min    median  p95  p99       max
          ! ns0.example.  192.0.2.0:53  udp    20    5 %  150.3 ms  151.3 ms    –    –  302.5 ms
          ! ns1.example.  192.0.2.1:53  udp    20    5 %  202.0 ms  203.0 ms    –    –  406.0 ms
          - ns2.example.  192.0.2.2:53  udp    20  100 %         –         –    –    –         –
        Latency: even the fastest takes 151.3 ms: over the budget of 100 ms (median, measured from build-7).
        "#);
    }

    #[test]
    fn within_the_budget() {
        let mut report = report(LatencyVerdict::Ok, &[(12.0, false)]);
        report.servers[0].address = "127.0.0.1:40123".into();
        let (cold, warm) = (figures(31.0), figures(4.0));
        report.resolvers = vec![LatencyResolver { resolver: "192.0.2.53:53".into(), cold, warm }];
        let options = TextOptions { redact: Redactor::new(), ..TextOptions::default() };
        assert_snapshot!(latency(&report, &options), @r#"
        Latency of example.com
            server        address           via  sent  loss      min   median  p95  p99      max
          + ns0.example.  127.0.0.1:<port>  udp    20   5 %  <ms> ms  <ms> ms    –    –  <ms> ms
            resolver       cache  sent  loss      min   median  p95  p99      max
          + 192.0.2.53:53  cold     20   5 %  <ms> ms  <ms> ms    –    –  <ms> ms
          + 192.0.2.53:53  warm     20   5 %  <ms> ms  <ms> ms    –    –  <ms> ms
        Latency: every server that could be asked is within the budget of 100 ms; the fastest takes <ms> ms
            (median, measured from build-7).
        "#);
    }

    #[test]
    fn some_over_and_none_answering() {
        let options = TextOptions { width: 0, ..TextOptions::default() };
        let some = report(LatencyVerdict::Warning, &[(12.0, false), (120.0, true)]);
        assert_snapshot!(latency(&some, &options).lines().last().unwrap(), @"Latency: 1 of 2 is over the budget of 100 ms; the fastest takes 12.0 ms (median, measured from build-7).");
        let none = report(LatencyVerdict::OverBudget, &[(0.0, true)]);
        assert_snapshot!(latency(&none, &options).lines().last().unwrap(), @"Latency: no server answered over UDP: over the budget of 100 ms (median, measured from build-7).");
        let nobody = LatencyReport {
            verdict: None,
            servers: vec![LatencyServer { figures: Figures::default(), over_budget: None, ..none.servers[0].clone() }],
            ..none
        };
        assert_snapshot!(latency(&nobody, &options), @"
        Latency of example.com
            server        address       via  sent  loss  min  median  p95  p99  max
          - ns0.example.  192.0.2.0:53  udp     0     –    –       –    –    –    –
        Latency: no server could be asked from here: nothing was measured (median, measured from build-7).
        ");
    }

    #[test]
    fn the_fields_of_the_document() {
        assert_snapshot!(json::to_string(&report(LatencyVerdict::OverBudget, &[(151.0, true)])).unwrap(), @r#"
        {
          "domains": [
            "example.com"
          ],
          "vantage": "build-7",
          "budget_ms": 100.0,
          "statistic": "median",
          "verdict": "over_budget",
          "servers": [
            {
              "server": "ns0.example.",
              "address": "192.0.2.0:53",
              "transport": "udp",
              "sent": 20,
              "received": 19,
              "loss": 0.05,
              "min_ms": 150.0,
              "median_ms": 151.0,
              "p95_ms": null,
              "p99_ms": null,
              "max_ms": 302.0,
              "over_budget": true
            }
          ],
          "resolvers": []
        }
        "#);
    }
}
