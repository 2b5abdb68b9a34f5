//! Whether the desired state is visible everywhere.

mod hosts;

use std::collections::BTreeMap;

use super::table::{Align, Table};
use super::{TextOptions, count, plan, remark, some_of};
use crate::group::MANY;
use crate::style::{Label, Line, Page};
use crate::view::{State, Verdict, Verification, VerifiedDomain};

/// A sentence a domain, and what each server and resolver answered where that is not plain.
pub fn verify(verification: &Verification, options: &TextOptions) -> String {
    let mut page = Page::new(options.width, options.color);
    let domains = &verification.domains;
    let plain = |domain: &VerifiedDomain| domain.verdict == Verdict::Verified && domain.findings.is_empty();
    let fold = !options.full && domains.iter().filter(|domain| plain(domain)).count() >= MANY;
    for domain in domains.iter().filter(|domain| !(fold && plain(domain))) {
        page.gap();
        show_domain(&mut page, domain, options);
    }
    if fold {
        let names: Vec<&str> = domains.iter().filter(|d| plain(d)).map(|d| d.domain.as_str()).collect();
        page.gap();
        let line = Line::new(0).put(Label::Good, format!("Verified: {}", count(names.len(), "domain")));
        page.line(&line.plain(format!(" visible at every server asked: {}", some_of(&names, 3))));
    }
    if domains.is_empty() {
        page.line(&Line::new(0).plain("Verified: nothing, for there was nothing to ask for."));
    }
    hosts::show(&mut page, &verification.hosts, options);
    page.finish()
}

fn show_domain(page: &mut Page, domain: &VerifiedDomain, options: &TextOptions) {
    let (label, word) = match domain.verdict {
        Verdict::Verified => (Label::Good, "Verified"),
        Verdict::NotLive => (Label::Error, "Not live"),
        Verdict::Incomplete => (Label::Warning, "Incomplete"),
        Verdict::Unchecked => (Label::Warning, "Unchecked"),
    };
    let rows = rows(domain);
    let line = Line::new(0).put(label, word).plain(": ").put(Label::Heading, &domain.domain);
    page.line(&line.plain(sentence(domain, rows.len())));
    if !rows.is_empty() {
        let unasked: Vec<String> = unasked(domain).collect();
        if !unasked.is_empty() {
            page.line(&Line::new(2).put(Label::Warning, "not asked for: ").plain(some_of(&unasked, 3)));
        }
    }
    if let Some(reason) = &domain.reason {
        page.line(&Line::new(2).put(Label::Muted, "because: ").plain(options.redact.text(reason)));
    }
    if !rows.is_empty() {
        let mut table = Table::new(&[("server", Align::Left), ("address", Align::Left), ("state", Align::Left)]);
        for (&(server, address), row) in &rows {
            let state = row.words(domain.records.len());
            let address = options.redact.address(address).into_owned();
            table.row(row.label(), row.mark(), vec![server.to_owned(), address, state]);
        }
        table.show(page);
    }
    resolvers(page, domain, options);
    let findings: Vec<_> = domain.findings.iter().collect();
    plan::few(page, &findings, options, |page, finding| remark::finding(page, finding, 2, &str::to_owned));
}

fn sentence(domain: &VerifiedDomain, servers: usize) -> String {
    let records = count(domain.records.len(), "RRset");
    let addresses = match servers {
        1 => "1 server address".to_owned(),
        _ => format!("{servers} server addresses"),
    };
    match domain.verdict {
        Verdict::Verified => format!(", {records} as wanted at {addresses}"),
        Verdict::NotLive => ": the world is not told to ask these servers".to_owned(),
        Verdict::Incomplete => format!(", {records} asked for at {addresses}, not all as wanted"),
        Verdict::Unchecked if servers == 0 => ": no server was asked".to_owned(),
        Verdict::Unchecked => match domain.records.len() - unasked(domain).count() {
            asked if asked < domain.records.len() => format!(", {asked} of {records} asked for at {addresses}"),
            _ => ": no server could be reached from here".to_owned(),
        },
    }
}

/// RRsets that no server was asked for.
fn unasked(domain: &VerifiedDomain) -> impl Iterator<Item = String> + '_ {
    let unasked = domain.records.iter().filter(|record| record.servers.is_empty());
    unasked.map(|record| format!("{} {}", record.name, record.rtype))
}

/// What one address answered about all of a domain's RRsets.
#[derive(Default)]
struct Row<'a> {
    /// RRsets that are not current.
    other: Vec<(State, String)>,
    reason: Option<&'a str>,
}

fn rows(domain: &VerifiedDomain) -> BTreeMap<(&str, &str), Row<'_>> {
    let mut rows: BTreeMap<(&str, &str), Row<'_>> = BTreeMap::new();
    for record in &domain.records {
        for server in &record.servers {
            let row = rows.entry((&server.server, &server.address)).or_default();
            if server.state != State::Current {
                row.other.push((server.state, format!("{} {}", record.name, record.rtype)));
            }
            row.reason = row.reason.or(server.reason.as_deref());
        }
    }
    rows
}

impl Row<'_> {
    /// `current`, `stale: example.com. TXT`, `unreachable (no route from here)`.
    fn words(&self, records: usize) -> String {
        let mut by_state: BTreeMap<State, Vec<&str>> = BTreeMap::new();
        for (state, record) in &self.other {
            by_state.entry(*state).or_default().push(record);
        }
        let mut words: Vec<String> = by_state
            .iter()
            .map(|(state, names)| match names.len() == records && records > 1 {
                true => state.as_str().to_owned(),
                false => format!("{}: {}", state.as_str(), some_of(names, 3)),
            })
            .collect();
        if words.is_empty() {
            words.push(State::Current.as_str().to_owned());
        }
        let reason = self.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        format!("{}{reason}", words.join("; "))
    }

    fn label(&self) -> Label {
        match self.other.iter().map(|(state, _)| *state).max() {
            None | Some(State::Current) => Label::Good,
            Some(State::Stale | State::Missing) => Label::Warning,
            Some(State::Lame | State::Unreachable) => Label::Error,
        }
    }

    fn mark(&self) -> &'static str {
        match self.label() {
            Label::Good => "+",
            Label::Warning => "~",
            _ => "-",
        }
    }
}

/// Resolvers in one line each, their old answers with the time until which they are expected.
fn resolvers(page: &mut Page, domain: &VerifiedDomain, options: &TextOptions) {
    let mut seen: BTreeMap<&str, (usize, Vec<String>)> = BTreeMap::new();
    for record in &domain.records {
        for answer in &record.resolvers {
            let (current, other) = seen.entry(&answer.resolver).or_default();
            if answer.state == State::Current {
                *current += 1;
                continue;
            }
            let until =
                answer.expected_by.as_deref().map(|time| format!(", expected until {}", options.redact.time(time)));
            let until = until.unwrap_or_default();
            other.push(format!("{} {} {}{until}", record.name, record.rtype, answer.state.as_str()));
        }
    }
    for (resolver, (current, other)) in seen {
        let label = if other.is_empty() { Label::Good } else { Label::Warning };
        let line = Line::new(2).put(label, "resolver ").plain(options.redact.address(resolver));
        let mut words = Vec::new();
        if current > 0 {
            words.push(format!("{current} current"));
        }
        if !other.is_empty() {
            words.push(some_of(&other, 3));
        }
        page.line(&line.plain(": ").plain(words.join("; ")));
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::json;
    use crate::view::{ResolverState, ServerState, VerifiedRecord};

    fn server(at: u8, state: State) -> ServerState {
        let address = format!("192.0.2.{at}:53");
        ServerState { server: format!("ns{at}.example."), address, state, answer: Vec::new(), reason: None }
    }

    fn record(name: &str, servers: Vec<ServerState>) -> VerifiedRecord {
        VerifiedRecord { name: name.into(), rtype: "TXT".into(), servers, resolvers: Vec::new() }
    }

    fn domain(name: &str, verdict: Verdict, records: Vec<VerifiedRecord>) -> VerifiedDomain {
        VerifiedDomain { domain: name.into(), verdict, reason: None, records, findings: Vec::new() }
    }

    fn show(domains: Vec<VerifiedDomain>) -> String {
        verify(&Verification { domains, hosts: Vec::new() }, &TextOptions::default())
    }

    #[test]
    fn not_live() {
        let servers = || vec![server(1, State::Current), server(2, State::Current)];
        let mut moved = domain("example.com", Verdict::NotLive, vec![record("example.com.", servers())]);
        moved.reason = Some("served by ns1.example., but the parent names ns1.old.example.".into());
        assert_snapshot!(show(vec![moved]), @r#"
        Not live: example.com: the world is not told to ask these servers
          because: served by ns1.example., but the parent names ns1.old.example.
            server        address       state
          + ns1.example.  192.0.2.1:53  current
          + ns2.example.  192.0.2.2:53  current
        "#);
    }

    #[test]
    fn incomplete() {
        let unreachable = |state| ServerState { reason: Some("no route to IPv6 from here".into()), ..server(3, state) };
        let first = vec![server(1, State::Current), server(2, State::Stale), unreachable(State::Unreachable)];
        let second = vec![server(1, State::Current), server(2, State::Current), unreachable(State::Unreachable)];
        let mut spf = record("example.com.", first);
        let resolver = |at: u8, state, expected_by: Option<&str>| ResolverState {
            resolver: format!("192.0.2.1{at}:53"),
            state,
            expected_by: expected_by.map(str::to_owned),
        };
        spf.resolvers =
            vec![resolver(1, State::Current, None), resolver(2, State::Stale, Some("2026-01-02T04:04:05Z"))];
        let dmarc = record("_dmarc.example.com.", second);
        let text = show(vec![domain("example.com", Verdict::Incomplete, vec![spf, dmarc])]);
        assert_snapshot!(text, @r#"
        Incomplete: example.com, 2 RRsets asked for at 3 server addresses, not all as wanted
            server        address       state
          + ns1.example.  192.0.2.1:53  current
          ~ ns2.example.  192.0.2.2:53  stale: example.com. TXT
          - ns3.example.  192.0.2.3:53  unreachable (no route to IPv6 from here)
          resolver 192.0.2.11:53: 1 current
          resolver 192.0.2.12:53: example.com. TXT stale, expected until 2026-01-02T04:04:05Z
        "#);
    }

    #[test]
    fn partly_asked() {
        let of_domain = record("example.com.", vec![server(1, State::Current)]);
        let of_address = VerifiedRecord { rtype: "PTR".into(), ..record("7.2.0.192.in-addr.arpa.", Vec::new()) };
        let mut half = domain("example.com", Verdict::Unchecked, vec![of_domain, of_address]);
        half.reason = Some("the servers of 7.2.0.192.in-addr.arpa. could not be found: no answer".into());
        assert_snapshot!(show(vec![half]), @"
        Unchecked: example.com, 1 of 2 RRsets asked for at 1 server address
          not asked for: 7.2.0.192.in-addr.arpa. PTR
          because: the servers of 7.2.0.192.in-addr.arpa. could not be found: no answer
            server        address       state
          + ns1.example.  192.0.2.1:53  current
        ");
        let nobody = domain("example.com", Verdict::Unchecked, vec![record("example.com.", Vec::new())]);
        assert_snapshot!(show(vec![nobody]), @"Unchecked: example.com: no server was asked");
    }

    #[test]
    fn many_verified_domains_are_one_line() {
        let all = (0..5).map(|at| {
            let name = format!("z{at}.example");
            domain(&name, Verdict::Verified, vec![record(&name, vec![server(1, State::Current)])])
        });
        assert_snapshot!(show(all.collect()), @"Verified: 5 domains visible at every server asked: z0.example, z1.example, z2.example and 2 more");
        assert_snapshot!(show(Vec::new()), @"Verified: nothing, for there was nothing to ask for.");
    }

    #[test]
    fn the_fields_of_the_document() {
        let verification = Verification {
            domains: vec![domain(
                "a.example",
                Verdict::NotLive,
                vec![record("a.example.", vec![server(1, State::Lame)])],
            )],
            hosts: Vec::new(),
        };
        assert_snapshot!(json::to_string(&verification).unwrap(), @r#"
        {
          "domains": [
            {
              "domain": "a.example",
              "verdict": "not_live",
              "records": [
                {
                  "name": "a.example.",
                  "type": "TXT",
                  "servers": [
                    {
                      "server": "ns1.example.",
                      "address": "192.0.2.1:53",
                      "state": "lame",
                      "answer": []
                    }
                  ],
                  "resolvers": []
                }
              ]
            }
          ]
        }
        "#);
    }
}
