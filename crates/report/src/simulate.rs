//! Would this mail pass? As text and as JSON.

use serde::Serialize;

use crate::style::{Label, Line, Page};
use crate::text::TextOptions;

/// What `simulate` found out.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SimulateReport {
    /// One message against the live records; `None` where only senders were simulated.
    pub live: Option<Outcome>,
    /// The same against the records as the configuration wants them; `None` without a configuration.
    pub planned: Option<Outcome>,
    /// Known senders, each address by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub senders: Vec<SimulatedSender>,
}

/// One address of a known sender.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields are those of the configuration, and of design.md section 8")]
pub struct SimulatedSender {
    pub sender: String,
    pub address: String,
    /// The domain in `From`.
    pub from: String,
    pub required: bool,
    pub live: Outcome,
    pub planned: Option<Outcome>,
}

/// What becomes of a message.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields are those of design.md section 8")]
pub struct Outcome {
    pub spf: SpfOutcome,
    pub dkim: Vec<DkimOutcome>,
    pub dmarc: DmarcOutcome,
    /// As receivers of the earlier standard evaluate it.
    pub dmarc_rfc7489: DmarcOutcome,
}

/// SPF of the envelope sender.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields are those of design.md section 8")]
pub struct SpfOutcome {
    pub result: String,
    /// The domain that was checked.
    pub domain: String,
    pub explanation: Option<String>,
    pub lookups: usize,
    pub void_lookups: usize,
    pub problem: Option<String>,
    /// The records that were read and the terms that were tried.
    pub trace: Vec<String>,
}

/// One signature.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields are those of design.md section 8")]
pub struct DkimOutcome {
    pub domain: Option<String>,
    pub selector: Option<String>,
    pub result: String,
    pub reason: String,
}

/// DMARC.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields are those of design.md section 8")]
pub struct DmarcOutcome {
    pub result: String,
    pub policy: Option<String>,
    pub disposition: String,
    pub spf_aligned: bool,
    pub dkim_aligned: bool,
    /// How the record was found, and what was held against it.
    pub trace: Vec<String>,
}

/// Live and planned side by side; the traces with `verbose`.
pub fn text(report: &SimulateReport, options: &TextOptions) -> String {
    let mut page = Page::new(options.width, options.color);
    if let Some(live) = &report.live {
        show(&mut page, "Live", live, options, 0);
    }
    if let Some(planned) = &report.planned {
        page.gap();
        show(&mut page, "As the configuration wants it", planned, options, 0);
    }
    for sender in &report.senders {
        page.gap();
        let need = if sender.required { "required" } else { "not required" };
        let line = Line::new(0).put(Label::Heading, "Sender ").put(Label::Heading, &sender.sender);
        page.line(&line.plain(format!(" from {} as {} ({need})", sender.address, sender.from)));
        show(&mut page, "Live", &sender.live, options, 2);
        if let Some(planned) = &sender.planned {
            show(&mut page, "As the configuration wants it", planned, options, 2);
        }
    }
    page.finish()
}

fn show(page: &mut Page, heading: &str, outcome: &Outcome, options: &TextOptions, indent: usize) {
    page.line(&Line::new(indent).put(Label::Heading, heading));
    let indent = indent + 2;
    let spf = &outcome.spf;
    let counts = format!(" ({} of 10 look-ups, {} void)", spf.lookups, spf.void_lookups);
    let line = Line::new(indent).plain("SPF    ").put(label(&spf.result), &spf.result);
    page.line(&line.plain(" for ").plain(&spf.domain).put(Label::Muted, counts));
    for (what, text) in [("problem: ", &spf.problem), ("the domain says: ", &spf.explanation)] {
        if let Some(text) = text {
            page.line(&Line::new(indent + 7).put(Label::Muted, what).plain(text));
        }
    }
    trace(page, &spf.trace, options, indent);
    if outcome.dkim.is_empty() {
        page.line(&Line::new(indent).plain("DKIM   ").put(Label::Muted, "none (no signature)"));
    }
    for signature in &outcome.dkim {
        let line = Line::new(indent).plain("DKIM   ").put(label(&signature.result), &signature.result);
        let unknown = || "an unreadable signature".to_owned();
        let domain = signature.domain.clone().unwrap_or_else(unknown);
        let selector = signature.selector.as_deref().map(|selector| format!(", selector {selector}"));
        let line = line.plain(" for ").plain(domain).plain(selector.unwrap_or_default());
        page.line(&line.put(Label::Muted, reason(&signature.reason)));
    }
    dmarc(page, "DMARC  ", &outcome.dmarc, options, indent);
    let (new, old) = (&outcome.dmarc, &outcome.dmarc_rfc7489);
    if (&new.result, &new.disposition) != (&old.result, &old.disposition) {
        dmarc(page, "DMARC by the earlier standard (RFC 7489)  ", old, options, indent);
    }
}

fn dmarc(page: &mut Page, heading: &str, dmarc: &DmarcOutcome, options: &TextOptions, indent: usize) {
    let aligned = match (dmarc.spf_aligned, dmarc.dkim_aligned) {
        (true, true) => ", SPF and DKIM aligned",
        (true, false) => ", SPF aligned",
        (false, true) => ", DKIM aligned",
        (false, false) => ", nothing aligned",
    };
    let line = Line::new(indent).plain(heading).put(label(&dmarc.result), &dmarc.result);
    let policy = dmarc.policy.as_ref().map(|policy| format!(", policy {policy}")).unwrap_or_default();
    let disposition = match dmarc.result.as_str() {
        "fail" => format!(": {}", dmarc.disposition),
        _ => String::new(),
    };
    page.line(&line.plain(disposition).put(Label::Muted, format!("{aligned}{policy}")));
    trace(page, &dmarc.trace, options, indent);
}

fn trace(page: &mut Page, lines: &[String], options: &TextOptions, indent: usize) {
    for line in lines.iter().filter(|_| options.verbose) {
        page.whole(&Line::new(indent + 7).put(Label::Muted, "| ").put(Label::Muted, line));
    }
}

fn reason(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}

fn label(result: &str) -> Label {
    match result {
        "pass" => Label::Good,
        "none" | "neutral" => Label::Muted,
        "softfail" | "temperror" | "policy" => Label::Warning,
        _ => Label::Error,
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn outcome(result: &str) -> Outcome {
        let dmarc = DmarcOutcome {
            result: result.into(),
            policy: Some("reject".into()),
            disposition: "reject".into(),
            spf_aligned: result == "pass",
            dkim_aligned: false,
            trace: vec!["_dmarc.example.com: v=DMARC1; p=reject".into()],
        };
        Outcome {
            spf: SpfOutcome {
                result: result.into(),
                domain: "example.com".into(),
                explanation: (result != "pass").then(|| "go away\u{1b}[1m".into()),
                lookups: 3,
                void_lookups: 0,
                problem: None,
                trace: vec!["example.com: v=spf1 mx -all".into()],
            },
            dkim: vec![DkimOutcome {
                domain: Some("example.com".into()),
                selector: Some("s1".into()),
                result: "permerror".into(),
                reason: "the key is revoked".into(),
            }],
            dmarc_rfc7489: DmarcOutcome { disposition: "quarantine".into(), ..dmarc.clone() },
            dmarc,
        }
    }

    #[test]
    fn live_and_planned() {
        let report = SimulateReport {
            live: Some(outcome("fail")),
            planned: Some(outcome("pass")),
            senders: vec![SimulatedSender {
                sender: "shop".into(),
                address: "192.0.2.1".into(),
                from: "example.com".into(),
                required: true,
                live: outcome("pass"),
                planned: None,
            }],
        };
        assert_snapshot!(text(&report, &TextOptions::default()), @r#"
    Live
      SPF    fail for example.com (3 of 10 look-ups, 0 void)
             the domain says: go away\u{1b}[1m
      DKIM   permerror for example.com, selector s1 (the key is revoked)
      DMARC  fail: reject, nothing aligned, policy reject
      DMARC by the earlier standard (RFC 7489)  fail: quarantine, nothing aligned, policy reject

    As the configuration wants it
      SPF    pass for example.com (3 of 10 look-ups, 0 void)
      DKIM   permerror for example.com, selector s1 (the key is revoked)
      DMARC  pass, SPF aligned, policy reject
      DMARC by the earlier standard (RFC 7489)  pass, SPF aligned, policy reject

    Sender shop from 192.0.2.1 as example.com (required)
      Live
        SPF    pass for example.com (3 of 10 look-ups, 0 void)
        DKIM   permerror for example.com, selector s1 (the key is revoked)
        DMARC  pass, SPF aligned, policy reject
        DMARC by the earlier standard (RFC 7489)  pass, SPF aligned, policy reject
    "#);
        assert!(
            text(&report, &TextOptions { verbose: true, ..TextOptions::default() }).contains("| example.com: v=spf1")
        );
    }
}
