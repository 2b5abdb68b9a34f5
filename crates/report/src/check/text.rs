use mailzone_mailauth::{Finding, Severity};

use super::{AREAS, CheckReport, CheckedDomain, DemandState};
use crate::style::{Label, Line, Page};
use crate::text::{TextOptions, count, cut, remark};

/// Where record data is cut, unless all is shown.
const LONG_NOTE: usize = 160;

/// Each domain with its scores, what was seen and found by area, and what large receivers ask for; then the sums.
/// Mere information is shown with `verbose`, whole record data with `full`; what is not known is always shown.
pub fn text(report: &CheckReport, options: &TextOptions) -> String {
    let mut page = Page::new(options.width, options.color);
    for domain in &report.domains {
        page.gap();
        show(&mut page, domain, options);
    }
    page.gap();
    page.line(&sums(report));
    page.finish()
}

fn show(page: &mut Page, domain: &CheckedDomain, options: &TextOptions) {
    page.line(&Line::new(0).put(Label::Heading, "Domain ").put(Label::Heading, &domain.domain));
    let mut line = Line::new(2);
    for (at, (name, score)) in domain.scores.named().into_iter().enumerate() {
        line.add(Label::Plain, if at == 0 { String::new() } else { ", ".to_owned() } + name + " ");
        match score {
            Some(score) => line.add(grade(score), format!("{score}")),
            None => line.add(Label::Muted, "unknown"),
        }
    }
    page.line(&line);
    for (area, heading) in AREAS {
        show_area(page, domain, area, heading, options);
    }
    show_demands(page, domain);
}

fn show_area(page: &mut Page, domain: &CheckedDomain, area: &str, heading: &str, options: &TextOptions) {
    let notes: Vec<_> = domain.notes.iter().filter(|note| note.area == area).collect();
    let findings: Vec<_> = domain
        .findings
        .iter()
        .filter(|found| found.area == area && (options.verbose || is_shown(&found.finding)))
        .collect();
    if notes.is_empty() && findings.is_empty() {
        return;
    }
    page.gap();
    page.line(&Line::new(2).put(Label::Heading, heading));
    for note in notes {
        let text = if options.full { note.text.clone() } else { cut(&note.text, LONG_NOTE) };
        page.line(&Line::new(4).put(Label::Muted, "· ").put(Label::Muted, &note.subject).plain("  ").plain(text));
    }
    for found in findings {
        remark::finding(page, &found.finding, 4, &str::to_owned);
    }
}

/// Silence would pass for a good result where nobody could tell.
fn is_shown(finding: &Finding) -> bool {
    finding.severity != Severity::Info || matches!(finding.code.as_str(), "UNCHECKED" | "RBL-02")
}

fn show_demands(page: &mut Page, domain: &CheckedDomain) {
    if domain.checklist.is_empty() {
        return;
    }
    page.gap();
    page.line(&Line::new(2).put(Label::Heading, "What large receivers ask of senders"));
    for demand in &domain.checklist {
        let (label, mark) = match demand.state {
            DemandState::Met => (Label::Good, "+ "),
            DemandState::NotMet => (Label::Error, "- "),
            DemandState::Unknown => (Label::Muted, "? "),
        };
        let line = Line::new(4).put(label, mark).plain(&demand.receiver).plain(": ").plain(&demand.demand);
        let why = if demand.why.is_empty() { String::new() } else { format!(" ({})", demand.why) };
        page.line(&line.put(Label::Muted, why));
    }
}

fn grade(score: u8) -> Label {
    match score {
        80.. => Label::Good,
        50..80 => Label::Warning,
        _ => Label::Error,
    }
}

fn sums(report: &CheckReport) -> Line {
    let all = || report.domains.iter().flat_map(|domain| &domain.findings);
    let of = |severity| all().filter(|found| found.finding.severity == severity).count();
    Line::new(0).put(Label::Heading, "Check:").plain(format!(
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
    use crate::check::testing::report;

    #[test]
    fn by_area() {
        assert_snapshot!(text(&report(), &TextOptions::default()), @r#"
    Domain example.com
      confidentiality 60, phishing and identity theft 95, integrity unknown

      Mail exchangers (MX)
        · example.com  10 mail.example.com 192.0.2.25
        warning MX-05 at example.com: one host | one address (RFC 7208 section 4.5)
            help: mend it

      SPF
        · example.com  v=spf1 -all\u{1b}[2J
        error SPF-01 at example.com: two SPF records, "=cmd" (RFC 7208 section 4.5)
            help: mend it

      What large receivers ask of senders
        + Google: SPF and DKIM
        - Yahoo: SPF and DKIM (no DKIM key is known)
        ? Microsoft: SPF and DKIM (the DNS did not answer)

    Domain quiet.example
      confidentiality unknown, phishing and identity theft unknown, integrity unknown

    Check: 2 domains: 1 error, 1 warning, 1 note.
    "#);
        let verbose = text(&report(), &TextOptions { verbose: true, ..TextOptions::default() });
        assert!(verbose.contains("note SPF-27"));
    }
}
