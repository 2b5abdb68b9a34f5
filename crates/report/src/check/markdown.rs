use mailzone_mailauth::Severity;

use super::{AREAS, CheckReport, CheckedDomain, DemandState};
use crate::escape::{code_span, prose};
use crate::markdown::shorten_for;
use crate::text::cut;

/// Where a sentence or record data is cut.
const LONG: usize = 800;

/// A table of all domains, then each with its findings, in at most `limit` octets. What does not fit is left out, the
/// least important first: what was seen, mere information, the end; the page says so.
pub fn markdown(report: &CheckReport, limit: usize) -> String {
    for (notes, information) in [(true, true), (false, true), (false, false)] {
        let page = render(report, notes, information);
        if page.len() <= limit {
            return page;
        }
    }
    shorten_for(&render(report, false, false), limit, "mailzone check")
}

fn render(report: &CheckReport, notes: bool, information: bool) -> String {
    let mut page = String::from("## mailzone check\n\n");
    if !(notes && information) {
        let what = if information { "what was seen" } else { "what was seen, notes" };
        page.push_str(&format!("*Left out to fit: {what}.*\n\n"));
    }
    page.push_str(
        "| domain | errors | warnings | confidentiality | phishing | integrity |\n|---|---|---|---|---|---|\n",
    );
    for domain in &report.domains {
        let of = |severity| domain.findings.iter().filter(|found| found.finding.severity == severity).count();
        let scores: Vec<String> = domain
            .scores
            .named()
            .iter()
            .map(|(_, score)| score.map_or_else(|| "unknown".to_owned(), |score| score.to_string()))
            .collect();
        let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
        let name = code_span(&domain.domain);
        page.push_str(&format!("| {name} | {errors} | {warnings} | {} |\n", scores.join(" | ")));
    }
    for domain in &report.domains {
        show(&mut page, domain, notes, information);
    }
    page
}

fn show(page: &mut String, domain: &CheckedDomain, notes: bool, information: bool) {
    page.push_str(&format!("\n### {}\n", code_span(&domain.domain)));
    for (area, heading) in AREAS {
        let seen: Vec<_> = domain.notes.iter().filter(|note| notes && note.area == area).collect();
        let found: Vec<_> = domain
            .findings
            .iter()
            .filter(|found| found.area == area && (information || found.finding.severity != Severity::Info))
            .collect();
        if seen.is_empty() && found.is_empty() {
            continue;
        }
        page.push_str(&format!("\n**{heading}**\n\n"));
        for note in seen {
            page.push_str(&format!("- {} {}\n", code_span(&note.subject), code_span(&cut(&note.text, LONG))));
        }
        for found in found {
            let finding = &found.finding;
            let word = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Info => "note",
            };
            page.push_str(&format!(
                "- **{word} {}** at {}: {} ({})\n",
                prose(&finding.code),
                code_span(&finding.subject),
                prose(&cut(&finding.message, LONG)),
                prose(&finding.reference)
            ));
            if !finding.remedy.is_empty() {
                page.push_str(&format!("  - help: {}\n", prose(&cut(&finding.remedy, LONG))));
            }
        }
    }
    if domain.checklist.is_empty() {
        return;
    }
    page.push_str("\n**What large receivers ask of senders**\n\n");
    for demand in &domain.checklist {
        let mark = match demand.state {
            DemandState::Met => "met",
            DemandState::NotMet => "**not met**",
            DemandState::Unknown => "unknown",
        };
        let why = if demand.why.is_empty() { String::new() } else { format!(" ({})", prose(&demand.why)) };
        page.push_str(&format!("- {mark}: {}, {}{why}\n", prose(&demand.receiver), prose(&demand.demand)));
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::check::testing::report;

    #[test]
    fn a_table_and_each_domain() {
        assert_snapshot!(markdown(&report(), 65_536), @r#"
    ## mailzone check

    | domain | errors | warnings | confidentiality | phishing | integrity |
    |---|---|---|---|---|---|
    | `example.com` | 1 | 1 | 60 | 95 | unknown |
    | `quiet.example` | 0 | 0 | unknown | unknown | unknown |

    ### `example.com`

    **Mail exchangers (MX)**

    - `example.com` `10 mail.example.com 192.0.2.25`
    - **warning MX-05** at `example.com`: one host `\u{7c}` one address (RFC 7208 section `4.5`)
      - help: mend it

    **SPF**

    - `example.com` `v=spf1 -all\u{1b}[2J`
    - **error SPF-01** at `example.com`: two SPF records, `"=cmd"` (RFC 7208 section `4.5`)
      - help: mend it
    - **note SPF-27** at `example.com`: exists with a macro (RFC 7208 section `4.5`)
      - help: mend it

    **What large receivers ask of senders**

    - met: Google, SPF and DKIM
    - **not met**: Yahoo, SPF and DKIM (no DKIM key is known)
    - unknown: Microsoft, SPF and DKIM (the DNS did not answer)

    ### `quiet.example`
    "#);
        for limit in [100, 500, 1_000, 1_200] {
            assert!(markdown(&report(), limit).len() <= limit);
        }
    }
}
