//! What `lint` found.

use std::collections::HashMap;

use mailzone_mailauth::{Finding, Severity};

use super::{TextOptions, count, plan, remark, some_of};
use crate::group::MANY;
use crate::style::{Label, Line, Page};
use crate::view::{LintDomain, LintReport};

/// Findings by domain, worst first, and the sums. Many domains with the same findings are shown once.
pub fn lint(report: &LintReport, options: &TextOptions) -> String {
    let mut page = Page::new(options.width, options.color);
    let with: Vec<(&LintDomain, Vec<&Finding>)> = report
        .domains
        .iter()
        .map(|domain| (domain, shown(&domain.findings, options)))
        .filter(|(_, findings)| !findings.is_empty())
        .collect();
    let mut alike: HashMap<Vec<String>, Vec<&str>> = HashMap::new();
    for (domain, findings) in &with {
        alike.entry(codes(findings)).or_default().push(&domain.domain);
    }
    for (domain, findings) in &with {
        let together = alike.get(&codes(findings)).filter(|names| names.len() >= MANY && !options.full);
        let own = vec![domain.domain.as_str()];
        let names = together.unwrap_or(&own);
        // Of those together, the first stands for all.
        if names.first() == own.first() {
            page.gap();
            show(&mut page, names, findings, options);
        }
    }
    let general = shown(&report.findings, options);
    if !general.is_empty() {
        page.gap();
        page.line(&Line::new(0).put(Label::Heading, "Of no domain:"));
        plan::few(&mut page, &general, options, |page, finding| remark::finding(page, finding, 2, &str::to_owned));
    }
    page.gap();
    page.line(&sums(report));
    page.finish()
}

fn show(page: &mut Page, names: &[&str], findings: &[&Finding], options: &TextOptions) {
    let line = Line::new(0);
    page.line(&match names {
        [name] => line.put(Label::Heading, "Domain ").put(Label::Heading, name),
        _ => line
            .put(Label::Heading, count(names.len(), "domain"))
            .plain(format!(" alike: {}", some_of(names, 3)))
            .put(Label::Muted, " (--full: each)"),
    });
    plan::few(page, findings, options, |page, finding| remark::finding(page, finding, 2, &str::to_owned));
}

fn shown<'a>(findings: &'a [Finding], options: &TextOptions) -> Vec<&'a Finding> {
    let mut findings: Vec<&Finding> =
        findings.iter().filter(|finding| options.verbose || finding.severity != Severity::Info).collect();
    findings.sort_by_key(|finding| finding.severity);
    findings
}

fn codes(findings: &[&Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("{} {:?}", finding.code, finding.severity)).collect()
}

fn sums(report: &LintReport) -> Line {
    let all = || report.domains.iter().flat_map(|domain| &domain.findings).chain(&report.findings);
    let of = |severity| all().filter(|finding| finding.severity == severity).count();
    Line::new(0).put(Label::Heading, "Lint:").plain(format!(
        " {}: {}, {}, {}.",
        count(report.domains.len(), "domain"),
        count(of(Severity::Error), "error"),
        count(of(Severity::Warning), "warning"),
        count(of(Severity::Info), "note"),
    ))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::testing::{info, warning};

    #[test]
    fn findings_by_domain() {
        let error = Finding::new(
            "SPF-02",
            Severity::Error,
            "example.com.",
            "two SPF records",
            "keep one",
            "RFC 7208 section 4.5",
        );
        let mut domains = vec![LintDomain {
            domain: "example.com".into(),
            scores: None,
            findings: vec![warning("DMARC-09", "_dmarc.example.com.", "`rua` is missing", "add rua"), error],
        }];
        for at in 0..5 {
            let name = format!("z{at}.example");
            let findings =
                vec![warning("CAA-01", &name, "no CAA", "add caa"), info("UNCHECKED", &name, "not looked up")];
            domains.push(LintDomain { domain: name, scores: None, findings });
        }
        let report = LintReport { domains, findings: vec![warning("CONF-01", "", "a group is empty", "")] };
        assert_snapshot!(lint(&report, &TextOptions::default()), @r#"
        Domain example.com
          error SPF-02 at example.com.: two SPF records (RFC 7208 section 4.5)
              help: keep one
          warning DMARC-09 at _dmarc.example.com.: `rua` is missing (RFC 9989 section 4.7)
              help: add rua

        5 domains alike: z0.example, z1.example, z2.example and 2 more (--full: each)
          warning CAA-01 at z0.example: no CAA (RFC 9989 section 4.7)
              help: add caa

        Of no domain:
          warning CONF-01: a group is empty (RFC 9989 section 4.7)

        Lint: 6 domains: 1 error, 7 warnings, 5 notes.
        "#);
        assert_snapshot!(lint(&LintReport::default(), &TextOptions::default()), @"Lint: 0 domains: 0 errors, 0 warnings, 0 notes.");
    }
}
