//! `mailzone lint`.

use std::collections::{BTreeMap, BTreeSet};

use mailzone_audit::{Facts, Scope, audit, keys_of_all, published_keys};
use mailzone_config::{Domain, MailUse, Settings};
use mailzone_engine::Code;
use mailzone_engine::compile::{Compiled, judged};
use mailzone_engine::desired::Desired;
use mailzone_engine::look::Judged;
use mailzone_mailauth::lookup::Answers;
use mailzone_mailauth::rules::{self, DecidedBy, Rule};
use mailzone_mailauth::{Finding, Severity, kind};
use mailzone_plan::Allow;
use mailzone_plan::document::{Exit, ExitZone};
use mailzone_record::{Name, Rdata};
use mailzone_report::{escape, view};

use crate::args::{Format, Global, LintArgs};
use crate::codes;
use crate::context;
use crate::ui::Ui;
use crate::views;

use super::shared::{envelope, only, text_options};

/// Configuration and records only, offline.
pub(super) fn run(global: &Global, args: &LintArgs, ui: &Ui) -> Result<Code, Code> {
    only(global, &[Format::Text, Format::Json], ui)?;
    if let Some(rule) = args.explain.as_deref().and_then(|code| rules::rule(&code.to_ascii_uppercase())) {
        ui.data(&rule_text(rule));
        return Ok(Code::Done);
    }
    let settings = context::load(global, ui)?;
    if let Some(domain) = &args.explain {
        return explain(&settings, domain, ui);
    }
    let compiled = context::compiled(&settings);
    codes::warn_of_unknown(&compiled.allow, ui);
    let report = lint(&settings, &compiled);
    let failing = |findings: &[Finding]| findings.iter().any(|finding| finding.severity == Severity::Error);
    let mut zones: Vec<ExitZone> = Vec::new();
    for domain in report.domains.iter().filter(|domain| failing(&domain.findings)) {
        zones.push(ExitZone { zone: domain.domain.clone(), code: Code::Check.number() });
    }
    let code = if zones.is_empty() && !failing(&report.findings) { Code::Done } else { Code::Check };
    match global.format {
        Format::Json => ui.data(&envelope(report, Exit { code: code.number(), zones })),
        _ => ui.data(&mailzone_report::text::lint(&report, &text_options(false, ui))),
    };
    Ok(code)
}

/// What the wanted values say of themselves, waived ones left out.
fn lint(settings: &Settings, compiled: &Compiled) -> view::LintReport {
    let mut by_domain: BTreeMap<Name, Vec<Finding>> =
        settings.domains.keys().map(|domain| (domain.clone(), Vec::new())).collect();
    for placed in &compiled.claims {
        let claim = &placed.claim;
        let Some(kind) = kind(claim.slot.kind).filter(|_| !claim.want.is_empty()) else { continue };
        let values: Vec<&Rdata> = claim.want.iter().collect();
        let found = kind
            .lint(&claim.owner, &values)
            .into_iter()
            .filter(|finding| !waived(&compiled.allow, finding, &claim.owner, &claim.domain));
        by_domain.entry(claim.domain.clone()).or_default().extend(found);
    }
    for domain in settings.domains.values() {
        let found = audited(settings, compiled, domain);
        let list = by_domain.entry(domain.name.clone()).or_default();
        let said: BTreeSet<(String, String)> = list.iter().map(key).collect();
        let owner = |finding: &Finding| Name::parse(&finding.subject).unwrap_or_else(|_| domain.name.clone());
        list.extend(
            found
                .into_iter()
                .filter(|finding| !said.contains(&key(finding)))
                .filter(|finding| !waived(&compiled.allow, finding, &owner(finding), &domain.name)),
        );
    }
    for finding in keys(settings, compiled) {
        let Ok(owner) = Name::parse(&finding.subject) else { continue };
        let Some(domain) = settings.domain_above(&owner).map(|domain| domain.name.clone()) else { continue };
        if !waived(&compiled.allow, &finding, &owner, &domain) {
            by_domain.entry(domain).or_default().push(finding);
        }
    }
    for (domain, finding) in &compiled.remarks {
        let owner = Name::parse(&finding.subject).unwrap_or_else(|_| domain.clone());
        if !waived(&compiled.allow, finding, &owner, domain) {
            by_domain.entry(domain.clone()).or_default().push(finding.clone());
        }
    }
    for (allow, until) in &compiled.expired {
        let Some(domain) = &allow.domain else { continue };
        by_domain.entry(domain.clone()).or_default().push(Finding::new(
            "ALLOW-EXPIRED",
            Severity::Warning,
            domain.to_string(),
            format!("the allow entry for {} ran out on {until}", allow.code),
            "remove it, or give it a new date",
            "docs/configuration.md",
        ));
    }
    let domains = by_domain
        .into_iter()
        .map(|(domain, mut findings)| {
            if let Some(configured) = settings.domain_above(&domain) {
                let judged = judged(settings, configured, Scope::DNS);
                findings = findings.into_iter().filter_map(|finding| judged.weigh(finding)).collect();
            }
            findings.sort();
            findings.dedup();
            view::LintDomain { domain: views::label(&domain), scores: None, findings }
        })
        .collect();
    view::LintReport { domains, findings: Vec::new() }
}

/// What the rules say of the records that the configuration wants, nothing else being known.
fn audited(settings: &Settings, compiled: &Compiled, domain: &Domain) -> Vec<Finding> {
    let judged = judged(settings, domain, Scope::DNS);
    let nothing = Answers::default();
    let wanted = Desired::alone(compiled, &nothing);
    let facts = Facts { now: context::now_seconds(), ..Facts::default() };
    let audit = audit(&judged.subject, &facts, &wanted);
    audit.findings.into_iter().filter(|(area, _)| judged.names(*area)).map(|(_, finding)| finding).collect()
}

/// What the DKIM keys of all domains together show.
fn keys(settings: &Settings, compiled: &Compiled) -> Vec<Finding> {
    let judged: Vec<Judged> = settings.domains.values().map(|domain| judged(settings, domain, Scope::DNS)).collect();
    let nothing = Answers::default();
    let wanted = Desired::alone(compiled, &nothing);
    keys_of_all(&published_keys(judged.iter().map(|judged| &judged.subject), &wanted))
}

/// What makes two findings the same one.
fn key(finding: &Finding) -> (String, String) {
    (finding.code.clone(), finding.subject.trim_end_matches('.').to_ascii_lowercase())
}

/// What a finding code means.
fn rule_text(rule: &Rule) -> String {
    let severity = match rule.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    let decided = match rule.decided_by {
        DecidedBy::Values => "the record's own values".to_owned(),
        DecidedBy::Configuration => "the configuration".to_owned(),
        DecidedBy::Plan => "the difference that a plan makes".to_owned(),
        DecidedBy::Dns => "other DNS answers".to_owned(),
        DecidedBy::Connection => "a connection to a server".to_owned(),
        DecidedBy::Nothing(needs) => format!("nothing here: it takes {needs}"),
    };
    let Rule { code, title, explanation, remedy, reference, .. } = rule;
    format!(
        "{code}  {severity}: {title}\n\n  {explanation}\n\n  to do: {remedy}\n  decided by: {decided}\n  reference: {reference}\n"
    )
}

fn waived(allow: &[Allow], finding: &Finding, owner: &Name, domain: &Name) -> bool {
    allow.iter().any(|allow| allow.covers(finding, owner, Some(domain), domain))
}

/// Every effective key of a domain with file and line.
fn explain(settings: &Settings, domain: &str, ui: &Ui) -> Result<Code, Code> {
    let names = context::selected(settings, &[domain.to_owned()], ui).map_err(|_| Code::Error)?;
    for domain in names.iter().filter_map(|name| settings.domains.get(name)) {
        let mail = match domain.mail {
            MailUse::Both => "both",
            MailUse::Send => "send",
            MailUse::Receive => "receive",
            MailUse::None => "none",
        };
        let provider = escape::line(&domain.provider.value);
        let mut text = format!("{}  provider {provider}, mail {mail}\n", views::label(&domain.name));
        let rows: Vec<(String, String, String)> = domain
            .effective
            .iter()
            .map(|key| {
                let value = key.value().split_whitespace().collect::<Vec<_>>().join(" ");
                (
                    key.key.to_string(),
                    value,
                    format!("{}:{} ({})", key.place.file().display(), key.place.line(), key.via),
                )
            })
            .collect();
        let width = |column: fn(&(String, String, String)) -> &String, most: usize| {
            rows.iter().map(|row| column(row).chars().count()).max().unwrap_or(0).min(most)
        };
        let (keys, values) = (width(|row| &row.0, 40), width(|row| &row.1, 60));
        for (key, value, place) in &rows {
            let value = shortened(value, 60);
            text.push_str(&format!(
                "  {:keys$}  {:values$}  {}\n",
                escape::line(key),
                escape::line(&value),
                escape::line(place)
            ));
        }
        ui.data(&text);
    }
    Ok(Code::Done)
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most - 1).collect();
    short.push('…');
    short
}
