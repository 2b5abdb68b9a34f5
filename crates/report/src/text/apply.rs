//! What `apply` did.

use mailzone_plan::document::ChangeDoc;

use super::{TextOptions, change, count, latency, plan, remark, verify};
use crate::group::{Block, What, group};
use crate::style::{Label, Line, Page};
use crate::view::ApplyView;

/// Each change with its outcome, the journal, and the proof.
pub fn apply(view: &ApplyView<'_>, options: &TextOptions) -> String {
    let mut page = Page::new(options.width, options.color);
    // Errors have been shown with the plan.
    let pick = |what: &What<'_>| matches!(what, What::Change(_) | What::SideEffect(_));
    for block in &group(view.document, !options.full, pick).blocks {
        page.gap();
        page.line(&plan::header(block, options));
        for entry in &block.entries {
            match entry.what {
                What::Change(change) => show_change(&mut page, block, change, options),
                What::SideEffect(effect) => {
                    remark::side_effect(&mut page, effect, &|text: &str| block.show(text).into_owned());
                }
                What::Error(_) | What::Finding(_) | What::Allowed(_) | What::Unmanaged(_) => {}
            }
        }
    }
    page.gap();
    page.line(&sums(view));
    let failed = view.document.zones.iter().filter(|zone| zone.error.is_some()).count();
    if failed > 0 {
        let words = format!("{} not applied: see the plan above", count(failed, "zone"));
        page.line(&Line::new(0).put(Label::Error, words));
    }
    let effects: usize = view.document.zones.iter().map(|zone| zone.side_effects.len()).sum();
    if effects > 0 {
        let words = format!("{} changed by the provider itself: see above", count(effects, "foreign RRset"));
        page.line(&Line::new(0).put(Label::Error, words));
    }
    if let Some(journal) = &view.journal {
        page.line(&Line::new(0).put(Label::Muted, "Journal: ").plain(options.redact.identifier(journal)));
    }
    if let Some(verification) = &view.verification {
        page.gap();
        page.append(&verify(verification, options));
    }
    if let Some(why) = view.unverified {
        page.line(&Line::new(0).put(Label::Warning, "not verified: ").plain(why));
    }
    if let Some(report) = &view.latency {
        page.gap();
        page.append(&latency(report, options));
    }
    let held = outcomes(view).filter(|outcome| *outcome == "held").count();
    if held > 0 {
        page.gap();
        let it = if held == 1 { "it" } else { "them" };
        let again = match &view.rolled_back {
            Some(run) => format!("rollback {run}"),
            None => "apply".to_owned(),
        };
        let words =
            format!("{} held: nothing of {it} was sent. To go on once the servers answer: mailzone {again}", are(held));
        page.line(&Line::new(0).put(Label::Warning, words));
    }
    page.finish()
}

fn show_change(page: &mut Page, block: &Block<'_>, change: &ChangeDoc, options: &TextOptions) {
    let (label, word) = outcome(change.outcome.as_deref());
    let (color, sign) = change::sign(change);
    let line = Line::new(2).put(label, format!("{word:<8}")).put(color, sign).plain(" ");
    page.line(&line.plain(block.show(&change.name)).plain(" ").plain(&change.rtype));
    if let Some(note) = &change.note {
        // Of what was done a note says what is to be known about it; of what was not, why.
        let word = if change.outcome.as_deref() == Some("applied") {
            (Label::Warning, "warning: ")
        } else {
            (Label::Muted, "because: ")
        };
        page.line(&Line::new(12).put(word.0, word.1).plain(options.redact.text(&block.show(note))));
    }
}

/// The words of `design.md` section 8; anything else is `unknown`.
fn outcome(outcome: Option<&str>) -> (Label, &'static str) {
    match outcome {
        Some("applied") => (Label::Good, "applied"),
        Some("already") => (Label::Good, "already"),
        Some("held") => (Label::Warning, "held"),
        Some("failed") => (Label::Error, "failed"),
        Some("skipped") => (Label::Muted, "skipped"),
        None => (Label::Muted, "not sent"),
        Some(_) => (Label::Error, "unknown"),
    }
}

fn outcomes<'a>(view: &'a ApplyView<'_>) -> impl Iterator<Item = &'static str> + 'a {
    let changes = view.document.zones.iter().flat_map(|zone| &zone.changes);
    changes.map(|change| outcome(change.outcome.as_deref()).1)
}

fn sums(view: &ApplyView<'_>) -> Line {
    let words = ["applied", "already", "held", "failed", "unknown", "skipped", "not sent"];
    let parts: Vec<String> = words
        .iter()
        .map(|word| (word, outcomes(view).filter(|outcome| outcome == word).count()))
        .filter(|(word, count)| **word == "applied" || *count > 0)
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    Line::new(0).put(Label::Heading, "Apply:").plain(format!(" {}.", parts.join(", ")))
}

fn are(changes: usize) -> String {
    format!("{} {}", count(changes, "change"), if changes == 1 { "is" } else { "are" })
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use mailzone_plan::document::{ErrorDoc, SetDoc, SideEffectDoc};

    use super::*;
    use crate::Redactor;
    use crate::json;
    use crate::testing::*;

    fn with(outcome: &str, note: Option<&str>, change: ChangeDoc) -> ChangeDoc {
        ChangeDoc { outcome: Some(outcome.to_owned().into()), note: note.map(str::to_owned), ..change }
    }

    #[test]
    fn held() {
        let spf = with("applied", None, change("+", "example.com. TXT", &[]));
        let note = "example.com. TXT is not visible at ns1.example.com. (127.0.0.1:40123)";
        let dmarc = with("held", Some(note), change("~", "_dmarc.example.com. TXT", &[]));
        let document = document(vec![zone("example.com", vec![spf, dmarc])]);
        let view = ApplyView {
            document: &document,
            rolled_back: None,
            journal: Some("20260102T030405Z-1".into()),
            verification: None,
            latency: None,
            unverified: None,
        };
        let options = TextOptions { redact: Redactor::new(), ..TextOptions::default() };
        assert_snapshot!(apply(&view, &options), @r#"
        Zone example.com (files)
          applied + example.com. TXT
          held    ~ _dmarc.example.com. TXT
                    because: example.com. TXT is not visible at ns1.example.com. (127.0.0.1:<port>)

        Apply: 1 applied, 1 held.
        Journal: <id>

        1 change is held: nothing of it was sent. To go on once the servers answer: mailzone apply
        "#);
        let json = json::to_string(&view).unwrap();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["zones"][0]["changes"][1]["outcome"], "held");
        assert_eq!(value["journal"], "20260102T030405Z-1");
        assert!(value["verification"].is_null());
    }

    #[test]
    fn what_is_to_be_known_of_what_was_done() {
        let changes = vec![
            with("applied", Some("the reload failed"), change("+", "example.com. TXT", &[])),
            with("skipped", Some("it changed meanwhile"), change("+", "example.com. MX", &[])),
        ];
        let mut broken = zone("other.example", Vec::new());
        broken.error = Some(ErrorDoc { kind: "refused".into(), message: "a CNAME".into(), remedy: String::new() });
        let document = document(vec![zone("example.com", changes), broken]);
        let unverified = Some("--wait none");
        let view = ApplyView {
            document: &document,
            rolled_back: None,
            journal: None,
            verification: None,
            latency: None,
            unverified,
        };
        assert_snapshot!(apply(&view, &TextOptions::default()), @"
        Zone example.com (files)
          applied + example.com. TXT
                    warning: the reload failed
          skipped + example.com. MX
                    because: it changed meanwhile

        Apply: 1 applied, 1 skipped.
        1 zone not applied: see the plan above
        not verified: --wait none
        ");
    }

    #[test]
    fn what_the_provider_did_by_itself() {
        let spf = with("applied", None, change("+", "example.com. TXT", &[]));
        let mut zone = zone("example.com", vec![spf]);
        let mx = Some(SetDoc { ttl: Some(300), values: vec!["10 mx00.example.".into(), "20 mx01.example.".into()] });
        let effect = |before, after, remedy: &str| SideEffectDoc {
            name: "example.com.".into(),
            rtype: "MX".into(),
            before,
            after,
            message: "IONOS deactivated it".into(),
            remedy: remedy.into(),
        };
        let now = Some(SetDoc { ttl: None, values: vec!["0 .".into()] });
        zone.side_effects = vec![effect(mx.clone(), None, "PUT /v1/zones/z/records/r"), effect(mx, now, "")];
        let document = document(vec![zone]);
        let view = ApplyView {
            document: &document,
            rolled_back: None,
            journal: None,
            verification: None,
            latency: None,
            unverified: None,
        };
        assert_snapshot!(apply(&view, &TextOptions::default()), @"
        Zone example.com (files)
          applied + example.com. TXT
          side effect: example.com. MX: IONOS deactivated it
              before: 300 10 mx00.example.
              before: 300 20 mx01.example.
              now: nothing
              help: PUT /v1/zones/z/records/r
          side effect: example.com. MX: IONOS deactivated it
              before: 300 10 mx00.example.
              before: 300 20 mx01.example.
              now: 0 .

        Apply: 1 applied.
        2 foreign RRsets changed by the provider itself: see above
        ");
        assert_snapshot!(crate::markdown::plan(&document, usize::MAX), @r#"
        ## mailzone plan

        **Plan: 1 to create, 0 to update, 0 to delete.** 0 unchanged, 0 foreign, 0 unmanaged.

        ### Zone `example.com` (`files`)

        | | name | type | what changes | effect |
        |---|---|---|---|---|
        | + | `example.com.` | `TXT` | `"new"` |  |

        - **side effect**: `example.com.` `MX`: IONOS deactivated it<br>before: `300 10 mx00.example.`, `300 20 mx01.example.`<br>now: nothing<br>help: PUT `/v1/zones/z/records/r`
        - **side effect**: `example.com.` `MX`: IONOS deactivated it<br>before: `300 10 mx00.example.`, `300 20 mx01.example.`<br>now: `0 .`

        <details><summary>Record data</summary>

        ```diff
        @@ example.com. TXT @@
        + 3600 "new"
        ```

        </details>
        "#);
        let value: serde_json::Value = serde_json::from_str(&json::to_string(&view).unwrap()).unwrap();
        assert_eq!(value["zones"][0]["side_effects"][0]["before"]["ttl"], 300);
        assert!(value["zones"][0]["side_effects"][0]["after"].is_null());
    }

    #[test]
    fn many_zones() {
        let mut document = parked(9);
        for zone in &mut document.zones {
            zone.changes.iter_mut().for_each(|change| change.outcome = Some("applied".into()));
        }
        let view = ApplyView {
            document: &document,
            rolled_back: None,
            journal: None,
            verification: None,
            latency: None,
            unverified: None,
        };
        assert_snapshot!(apply(&view, &TextOptions::default()), @r#"
        9 zones (files): parked0.example, parked1.example, parked2.example, …
          applied + {zone}. MX
          applied + {zone}. TXT
          applied + _dmarc.{zone}. TXT

        Apply: 27 applied.
        "#);
    }
}
