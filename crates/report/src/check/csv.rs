use super::CheckReport;

/// One row for each finding, one without a code for a domain that has none; RFC 4180, with a heading, every cell
/// quoted. A cell that a spreadsheet would take for a formula begins with an apostrophe.
pub fn csv(report: &CheckReport) -> String {
    let mut out = String::new();
    let heading = [
        "domain",
        "confidentiality",
        "phishing",
        "integrity",
        "area",
        "code",
        "severity",
        "subject",
        "message",
        "remedy",
        "reference",
    ];
    row(&mut out, &heading.map(str::to_owned));
    for domain in &report.domains {
        let score = |score: Option<u8>| score.map(|score| score.to_string()).unwrap_or_default();
        let scores = domain.scores;
        let begin =
            [domain.domain.clone(), score(scores.confidentiality), score(scores.phishing), score(scores.integrity)];
        if domain.findings.is_empty() {
            row(&mut out, &[begin.as_slice(), &vec![String::new(); heading.len() - begin.len()]].concat());
        }
        for found in &domain.findings {
            let finding = &found.finding;
            let severity = format!("{:?}", finding.severity).to_lowercase();
            let rest = [
                found.area.to_owned(),
                finding.code.clone(),
                severity,
                finding.subject.clone(),
                finding.message.clone(),
                finding.remedy.clone(),
                finding.reference.clone(),
            ];
            row(&mut out, &[begin.as_slice(), &rest].concat());
        }
    }
    out
}

fn row(out: &mut String, cells: &[String]) {
    let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
    out.push_str(&cells.join(","));
    out.push_str("\r\n");
}

fn quoted(cell: &str) -> String {
    let text = crate::escape::line(cell);
    let formula = text.starts_with(['=', '+', '-', '@']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;
    use crate::check::testing::report;

    #[test]
    fn a_row_for_each_finding() {
        assert_snapshot!(csv(&report()), @r#"
    "domain","confidentiality","phishing","integrity","area","code","severity","subject","message","remedy","reference"
    "example.com","60","95","","spf","SPF-01","error","example.com","two SPF records, ""=cmd""","mend it","RFC 7208 section 4.5"
    "example.com","60","95","","spf","SPF-27","info","example.com","exists with a macro","mend it","RFC 7208 section 4.5"
    "example.com","60","95","","mx","MX-05","warning","example.com","one host | one address","mend it","RFC 7208 section 4.5"
    "quiet.example","","","","","","","","","",""
    "#);
        assert_eq!(quoted("=1+1\u{202e}\"x\""), "\"'=1+1\\u{202e}\"\"x\"\"\"");
    }

    proptest! {
        #[test]
        fn a_cell_stays_a_cell(text in any::<String>()) {
            let cell = quoted(&text);
            let inner = cell.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap();
            prop_assert!(!inner.replace("\"\"", "").contains('"'));
            prop_assert!(!inner.contains(['\r', '\n']) && !inner.starts_with(['=', '+', '-', '@']));
        }
    }
}
