//! A plan as Markdown for a pull request or a job summary.
//!
//! Data is in code spans and diff blocks that it cannot close ([`crate::escape`]); every line begins with a
//! sign or a word of the program's own.

use std::fmt::Write as _;

use mailzone_mailauth::{Effect, Finding, Severity};
use mailzone_plan::document::{ChangeDoc, DetailDoc, SetDoc, SideEffectDoc, UnmanagedDoc};
use mailzone_plan::{Document, stops};

use crate::escape::{code_span, line, prose};
use crate::group::{Block, Entry, Grouped, What, group, is_kin, own_values};
use crate::text::{change, count, cut, remark};

/// What GitHub takes as a comment.
pub const COMMENT_LIMIT: usize = 65_536;
/// What GitHub takes as a job's summary.
pub const SUMMARY_LIMIT: usize = 1 << 20;

/// Where a detail is cut.
const LONG_DETAIL: usize = 160;
/// Where record data is cut.
const LONG_VALUE: usize = 2_000;
/// Where a sentence is cut.
const LONG_SENTENCE: usize = 800;
/// So many remarks of one sort are shown of one zone once names are folded.
const FEW: usize = 3;

/// What is folded, the least important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fold {
    Nothing,
    RecordData,
    Notes,
    /// The names of zones that are alike, and remarks that are alike.
    Names,
    Details,
}

/// The plan, in at most `limit` octets of UTF-8 (so in at most as many characters). What does not fit is
/// folded, the least important first: record data, notes, names of zones that are alike, details; then
/// the end is left out. The page says so.
pub fn plan(document: &Document, limit: usize) -> String {
    let folds = [Fold::Nothing, Fold::RecordData, Fold::Notes, Fold::Names, Fold::Details];
    let mut page = String::new();
    for fold in folds {
        page = render(document, fold);
        if page.len() <= limit {
            return page;
        }
    }
    shorten(&page, limit)
}

fn shorten(page: &str, limit: usize) -> String {
    shorten_for(page, limit, "mailzone plan")
}

/// As many whole lines as fit, and a word on the rest, which `command` shows.
pub(crate) fn shorten_for(page: &str, limit: usize, command: &str) -> String {
    let note = format!("\n**The rest does not fit here.** `{command}` shows it.\n");
    let mut out = String::new();
    for text in page.split_inclusive('\n') {
        if out.len() + text.len() + note.len() > limit {
            break;
        }
        out.push_str(text);
    }
    if note.len() <= limit {
        out.push_str(&note);
    }
    out
}

fn render(document: &Document, fold: Fold) -> String {
    let pick = |what: &What<'_>| {
        fold < Fold::Notes || !matches!(what, What::Finding(finding) if finding.severity == Severity::Info)
    };
    let Grouped { blocks, quiet } = group(document, true, pick);
    let mut page = String::from("## mailzone plan\n\n");
    push(&mut page, &summary(document));
    standing(&mut page, document);
    if fold > Fold::Nothing {
        push(&mut page, &format!("\n*Left out to fit: {}.*", left_out(fold)));
    }
    for block in &blocks {
        show_block(&mut page, block, fold);
    }
    if !quiet.is_empty() {
        let labels: Vec<&str> = quiet.iter().map(|zone| zone.label()).collect();
        let names = names(&labels, fold);
        push(&mut page, &format!("\n### No changes in {}\n\nNothing to do: {names}", count(quiet.len(), "zone")));
    }
    let findings: Vec<&Finding> =
        document.findings.iter().filter(|f| fold < Fold::Notes || f.severity != Severity::Info).collect();
    if !findings.is_empty() {
        page.push_str("\n### Of no zone\n\n");
        findings.iter().for_each(|finding| push(&mut page, &finding_item(finding, &str::to_owned, fold)));
    }
    page
}

fn push(page: &mut String, text: &str) {
    page.push_str(text);
    page.push('\n');
}

fn left_out(fold: Fold) -> &'static str {
    match fold {
        Fold::Nothing => "nothing",
        Fold::RecordData => "record data",
        Fold::Notes => "record data, notes",
        Fold::Names => "record data, notes, the names of zones that are alike",
        Fold::Details => "record data, notes, the names of zones that are alike, the details of changes",
    }
}

fn summary(document: &Document) -> String {
    let s = &document.summary;
    format!(
        "**Plan: {} to create, {} to update, {} to delete.** {} unchanged, {} foreign, {} unmanaged.",
        s.create, s.update, s.delete, s.unchanged, s.foreign, s.unmanaged
    )
}

/// What stops the plan or a part of it.
fn standing(page: &mut String, document: &Document) {
    let failed = document.zones.iter().filter(|zone| zone.error.is_some()).count();
    let stopped = document.zones.iter().filter(|zone| zone.error.is_none() && zone.findings.iter().any(stops)).count();
    if failed > 0 {
        push(page, &format!("\n**{} cannot be applied.**", count(failed, "zone")));
    }
    if stopped > 0 {
        push(page, &format!("\n**Stopped by guards: {}.**", count(stopped, "zone")));
    }
}

fn names(labels: &[&str], fold: Fold) -> String {
    let most = if fold >= Fold::Names { 3 } else { usize::MAX };
    let shown: Vec<String> = labels.iter().take(most).map(|label| code_span(label)).collect();
    let more = labels.len() - shown.len();
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

fn show_block(page: &mut String, block: &Block<'_>, fold: Fold) {
    let Some(first) = block.units.first() else { return };
    let provider = match first.zone.provider.as_str() {
        "" => String::new(),
        name => format!(" ({})", code_span(name)),
    };
    let answers = if first.zone.source == "dns" { " as the DNS answers" } else { "" };
    if block.is_many() {
        let labels: Vec<&str> = block.units.iter().map(|unit| unit.label).collect();
        let units = count(block.units.len(), block.noun());
        push(page, &format!("\n### {units} alike{provider}{answers}\n\nNames: {}", names(&labels, fold)));
    } else {
        let what = match (&first.zone.zone, first.zone.domains.is_empty()) {
            (Some(_), _) => format!("Zone {}", code_span(first.label)),
            (None, false) => format!("Domain {}", code_span(first.label)),
            (None, true) => "Without a zone".to_owned(),
        };
        push(page, &format!("\n### {what}{provider}{answers}"));
    }
    changes(page, block, fold);
    remarks(page, block, fold);
    if fold == Fold::Nothing {
        record_data(page, block);
    }
}

/// Tables of changes; a new one wherever there is something to wait for.
fn changes(page: &mut String, block: &Block<'_>, fold: Fold) {
    let mut before: Option<&ChangeDoc> = None;
    for change in block.changes() {
        let same = before.is_some_and(|b| (b.stage, &b.needs) == (change.stage, &change.needs));
        if !same {
            page.push('\n');
            if !change.needs.is_empty() {
                push(page, &format!("{}\n", wait(block, change)));
            }
            page.push_str("| | name | type | what changes | effect |\n|---|---|---|---|---|\n");
        }
        push(page, &row(block, change, fold));
        before = Some(change);
    }
}

fn wait(block: &Block<'_>, change: &ChangeDoc) -> String {
    let shown: Vec<String> = change.needs.iter().take(3).map(|need| code_span(&block.show(need))).collect();
    let more = change.needs.len() - shown.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let begin = if change.stage > 1 { "Then, once" } else { "Once" };
    let verb = if change.needs.len() == 1 { "is" } else { "are" };
    format!("{begin} {}{more} {verb} visible at every authoritative server:", shown.join(", "))
}

fn row(block: &Block<'_>, change: &ChangeDoc, fold: Fold) -> String {
    let (_, sign) = change::sign(change);
    let mut what: Vec<String> = Vec::new();
    if fold >= Fold::Details {
        what.extend(change.slots.iter().take(3).map(|slot| code_span(&cut(slot, LONG_DETAIL))));
    } else {
        what.extend(change.details.iter().map(|detail| detail_cell(block, detail)));
        if what.is_empty() && change.action != "update" {
            let set = change.after.as_ref().or(change.before.as_ref());
            what.extend(own_values(set, change).take(4).map(|value| code_span(&cut(&block.show(value), LONG_DETAIL))));
        }
        if !change.kept.is_empty() {
            what.push(format!("keeps {}", count(change.kept.len(), "foreign value")));
        }
    }
    let name = code_span(&block.show(&change.name));
    let rtype = code_span(&change.rtype);
    let class = change::class_words(&change.class);
    format!("| {sign} | {name} | {rtype} | {} | {class} |", what.join("<br>"))
}

fn detail_cell(block: &Block<'_>, detail: &DetailDoc) -> String {
    let span = |text: &str| code_span(&cut(&block.show(text), LONG_DETAIL));
    let term = &detail.term;
    match (detail.before.as_deref(), detail.after.as_deref()) {
        (None, None) => format!("~ {}", span(term)),
        (None, Some(after)) => format!("+ {}", span(&change::term_words(term, after))),
        (Some(before), None) => format!("- {}", span(&change::term_words(term, before))),
        (Some(before), Some(after)) => format!("~ {}: {} -> {}", span(term), span(before), span(after)),
    }
}

fn remarks(page: &mut String, block: &Block<'_>, fold: Fold) {
    let entries: Vec<&Entry<'_>> = block.entries.iter().filter(|e| !matches!(e.what, What::Change(_))).collect();
    if !entries.is_empty() {
        page.push('\n');
    }
    let mut at = 0;
    while let Some(entry) = entries.get(at) {
        let alike = entries.iter().skip(at).take_while(|other| is_kin(&other.what, &entry.what)).count().max(1);
        let must_show = matches!(entry.what, What::Finding(finding) if stops(finding));
        let most = if fold >= Fold::Names && alike > FEW + 1 && !must_show { FEW } else { alike };
        for entry in entries.iter().skip(at).take(most) {
            push(page, &remark_item(block, entry, fold));
        }
        if alike > most {
            push(page, &format!("- and {} more of these", alike - most));
        }
        at += alike;
    }
}

fn remark_item(block: &Block<'_>, entry: &Entry<'_>, fold: Fold) -> String {
    let shown = |text: &str| block.show(text).into_owned();
    let mut item = match entry.what {
        What::Error(error) => {
            let lines = error.message.split('\n').map(|line| prose(&cut(&shown(line), LONG_SENTENCE)));
            let message = lines.collect::<Vec<_>>().join("<br>");
            let remedy = help(&shown(&error.remedy));
            format!("- **{}**: {message}{remedy}", remark::error_word(&error.kind))
        }
        What::Finding(finding) => finding_item(finding, &shown, fold),
        What::Allowed(finding) => format!(
            "- allowed {}{}: {}",
            code_span(&finding.code),
            at(&shown(&finding.subject)),
            prose(&cut(&shown(&finding.message), LONG_SENTENCE))
        ),
        What::Unmanaged(slot) => unmanaged_item(slot, &shown),
        What::SideEffect(effect) => side_effect_item(effect, &shown),
        What::Change(_) => String::new(),
    };
    if entry.example {
        item.push_str(" (so in the first; in the others alike)");
    }
    item
}

fn finding_item(finding: &Finding, shown: &impl Fn(&str) -> String, fold: Fold) -> String {
    let (_, word) = remark::word(finding);
    let mut item = format!(
        "- **{word}** {}{}: {}",
        code_span(&finding.code),
        at(&shown(&finding.subject)),
        prose(&cut(&shown(&finding.message), LONG_SENTENCE))
    );
    let wanted = stops(finding) || fold < Fold::Details;
    if finding.effect != Effect::Cured && wanted {
        item.push_str(&help(&shown(&finding.remedy)));
    }
    item
}

fn unmanaged_item(slot: &UnmanagedDoc, shown: &impl Fn(&str) -> String) -> String {
    let word = if slot.formerly { "no longer managed" } else { "unmanaged" };
    let (name, rtype) = (code_span(&shown(&slot.name)), code_span(&slot.rtype));
    format!("- {word}: {name} {rtype}; to remove it: {}", code_span(&shown(&slot.removal)))
}

/// What the provider did to a foreign set by itself.
fn side_effect_item(effect: &SideEffectDoc, shown: &impl Fn(&str) -> String) -> String {
    let set = |set: &Option<SetDoc>| match set {
        None => "nothing".to_owned(),
        Some(set) => {
            let ttl = set.ttl.map(|ttl| format!("{ttl} ")).unwrap_or_default();
            let values = set.values.iter().map(|value| code_span(&cut(&format!("{ttl}{}", shown(value)), LONG_VALUE)));
            values.collect::<Vec<_>>().join(", ")
        }
    };
    let (name, rtype) = (code_span(&shown(&effect.name)), code_span(&effect.rtype));
    let message = prose(&cut(&shown(&effect.message), LONG_SENTENCE));
    let (before, now) = (set(&effect.before), set(&effect.after));
    let help = help(&shown(&effect.remedy));
    format!("- **side effect**: {name} {rtype}: {message}<br>before: {before}<br>now: {now}{help}")
}

fn at(subject: &str) -> String {
    if subject.is_empty() { String::new() } else { format!(" at {}", code_span(subject)) }
}

fn help(remedy: &str) -> String {
    if remedy.is_empty() {
        return String::new();
    }
    let lines = remedy.split('\n').map(|line| prose(&cut(line, LONG_SENTENCE)));
    format!("<br>help: {}", lines.collect::<Vec<_>>().join("<br>"))
}

/// Record data before and after. A line of a diff block begins with its sign, so no data can end the block.
fn record_data(page: &mut String, block: &Block<'_>) {
    if !block.has_changes() {
        return;
    }
    page.push_str("\n<details><summary>Record data</summary>\n\n```diff\n");
    for change in block.changes() {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "@@ {} {} @@", line(&block.show(&change.name)), line(&change.rtype));
        for (_, sign, ttl, value) in change::raw_lines(change) {
            let sign = if sign == '=' { ' ' } else { sign };
            let _ = writeln!(page, "{sign} {ttl} {}", line(&cut(&block.show(value), LONG_VALUE)));
        }
    }
    page.push_str("```\n\n</details>\n");
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use mailzone_plan::document::ZoneDoc;
    use proptest::prelude::*;
    use proptest::test_runner::TestCaseError;

    use super::*;
    use crate::escape::is_harmless;
    use crate::testing::*;

    #[test]
    fn a_messy_zone() {
        assert_snapshot!(plan(&document(vec![messy()]), COMMENT_LIMIT), @r#"
        ## mailzone plan

        **Plan: 1 to create, 1 to update, 0 to delete.** 0 unchanged, 0 foreign, 1 unmanaged.

        ### Zone `example.com` (`files`)

        | | name | type | what changes | effect |
        |---|---|---|---|---|
        | ~ | `example.com.` | `TXT` | - `include:_spf.old.example`<br>~ `all`: `~all` -> `-all`<br>+ `ip4:192.0.2.0/24`<br>keeps 2 foreign values | tightens and loosens |
        | + | `s2026._domainkey.example.com.` | `TXT` | + `key: RSA 2048 bits, SHA256:ab12cd34ef56` |  |

        - **warning** `DMARC-09` at `_dmarc.example.com.`: `rua` is missing: nobody reports<br>help: add rua to dmarc
        - **cures** `SPF-07` at `example.com.`: the record ends in softfail
        - **note** `UNCHECKED` at `_spf.old.example.`: the include was not looked up
        - unmanaged: `default._domainkey.example.com.` `TXT`; to remove it: `[domains."example.com".dkim] default = "absent"`

        <details><summary>Record data</summary>

        ```diff
        @@ example.com. TXT @@
        - 3600 "v=spf1 include:_spf.old.example ~all"
          3600 "google-site-verification=abc"
          3600 "ms=123"
        + 3600 "v=spf1 ip4:192.0.2.0/24 -all"
        @@ s2026._domainkey.example.com. TXT @@
        + 3600 "new"
        ```

        </details>
        "#);
    }

    #[test]
    fn two_stages_and_a_guard() {
        let dmarc = of("dmarc", "tightens", change("~", "_dmarc.example.com. TXT", &[("p", "none", "reject")]));
        let mut zone =
            zone("example.com", vec![ChangeDoc { stage: 2, needs: vec!["example.com. TXT".into()], ..dmarc }]);
        zone.findings =
            vec![guard("GUARD-DMARC-JUMP", "_dmarc.example.com.", "`p` goes from none to reject in one step")];
        assert_snapshot!(render(&document(vec![zone]), Fold::RecordData), @r#"
        ## mailzone plan

        **Plan: 0 to create, 1 to update, 0 to delete.** 0 unchanged, 0 foreign, 0 unmanaged.

        **Stopped by guards: 1 zone.**

        *Left out to fit: record data.*

        ### Zone `example.com` (`files`)

        Then, once `example.com. TXT` is visible at every authoritative server:

        | | name | type | what changes | effect |
        |---|---|---|---|---|
        | ~ | `_dmarc.example.com.` | `TXT` | ~ `p`: `none` -> `reject` | tightens |

        - **stopped by** `GUARD-DMARC-JUMP` at `_dmarc.example.com.`: `p` goes from none to reject in one step<br>help: if this is meant: `--allow` `GUARD-DMARC-JUMP:_dmarc.example.com`
        "#);
    }

    #[test]
    fn parked_domains_fit() {
        let page = plan(&parked(5000), COMMENT_LIMIT);
        assert_snapshot!(page, @r#"
        ## mailzone plan

        **Plan: 15000 to create, 0 to update, 0 to delete.** 0 unchanged, 0 foreign, 5000 unmanaged.

        *Left out to fit: record data, notes, the names of zones that are alike.*

        ### 5000 zones alike (`files`)

        Names: `parked0.example`, `parked1.example`, `parked2.example` and 4997 more

        | | name | type | what changes | effect |
        |---|---|---|---|---|
        | + | `{zone}.` | `MX` | + `exchange: null MX` | tightens |
        | + | `{zone}.` | `TXT` | + `-all` | tightens |

        Then, once `{zone}. TXT` is visible at every authoritative server:

        | | name | type | what changes | effect |
        |---|---|---|---|---|
        | + | `_dmarc.{zone}.` | `TXT` | + `p: reject` | tightens |

        - **warning** `CAA-01` at `{zone}.`: nothing is said of `{zone}`<br>help: add caa
        - **warning** `PTR-04` at `{zone}.`: its name is `h0.isp.example`<br>help: ask (so in the first; in the others alike)
        - unmanaged: `k0._domainkey.{zone}.` `TXT`; to remove it: `remove it` (so in the first; in the others alike)
        "#);
    }

    #[test]
    fn one_failing_provider_is_said_once() {
        let failed = |at: usize| {
            let error = refusal("listing the zones: no answer", "look whether the service is up\nor wait");
            ZoneDoc { zone: None, error: Some(error), ..zone(&format!("d{at}.example"), Vec::new()) }
        };
        assert_snapshot!(plan(&document((0..3).map(failed).collect()), usize::MAX), @"
        ## mailzone plan

        **Plan: 0 to create, 0 to update, 0 to delete.** 0 unchanged, 0 foreign, 0 unmanaged.

        **3 zones cannot be applied.**

        ### 3 domains alike (`files`)

        Names: `d0.example`, `d1.example`, `d2.example`

        - **refused**: listing the zones: no answer<br>help: look whether the service is up<br>or wait
        ");
    }

    #[test]
    fn the_least_important_is_folded_first() {
        let zones = (0..60).map(|at| ZoneDoc { zone: Some(format!("z{at}.example")), ..messy() }).collect();
        let document = document(zones);
        let whole = plan(&document, usize::MAX);
        assert!(whole.contains("```diff") && whole.contains("UNCHECKED") && !whole.contains("*Left out"));
        let without_data = plan(&document, whole.len() - 1);
        assert!(!without_data.contains("```diff") && without_data.contains("UNCHECKED"));
        let without_notes = plan(&document, without_data.len() - 1);
        assert!(!without_notes.contains("UNCHECKED") && without_notes.contains("ip4:192.0.2.0/24"));
        let without_details = plan(&document, render(&document, Fold::Details).len());
        assert!(!without_details.contains("ip4:192.0.2.0/24") && without_details.contains("*Left out"));
        let limit = without_details.len() - 1;
        let cut = plan(&document, limit);
        assert!(cut.len() <= limit && cut.contains("**The rest does not fit here.**"));
        assert_eq!(plan(&document, 10), "");
    }

    /// A line outside of a diff block: no markup but ours.
    fn check_line(line: &str) -> Result<(), TestCaseError> {
        prop_assert_eq!(line.matches('`').count() % 2, 0, "{}", line);
        let outside: String = line.split('`').step_by(2).collect();
        let mut outside = outside.replace("<br>", "");
        for own in ["<details>", "<summary>", "</summary>", "</details>"] {
            outside = outside.replace(own, "");
        }
        prop_assert!(!outside.contains(['<', '[', ']', '@', '_', '\\', '&']), "{}", line);
        if line.starts_with('|') {
            prop_assert_eq!(line.matches('|').count(), 6, "{}", line);
        } else {
            let begin = ["#", "- ", "*", "Names: ", "Nothing to do: ", "Then, once ", "Once ", "<"];
            prop_assert!(line.is_empty() || begin.iter().any(|begin| line.starts_with(begin)), "{}", line);
        }
        Ok(())
    }

    fn check(page: &str) -> Result<(), TestCaseError> {
        prop_assert!(page.chars().all(|c| c == '\n' || is_harmless(c)));
        prop_assert!(!page.contains("##["));
        let mut in_block = false;
        for line in page.lines() {
            if line.starts_with("```") {
                prop_assert_eq!(line, if in_block { "```" } else { "```diff" });
                in_block = !in_block;
            } else if in_block {
                prop_assert!(["+ ", "- ", "  ", "@@ "].iter().any(|begin| line.starts_with(begin)), "{}", line);
                prop_assert!(!line.trim_start().starts_with("::"), "{}", line);
            } else {
                check_line(line)?;
            }
        }
        prop_assert!(!in_block);
        Ok(())
    }

    proptest! {
        #[test]
        fn data_stays_data(document in hostile_document(), limit in 0..20_000usize) {
            for fold in [Fold::Nothing, Fold::RecordData, Fold::Notes, Fold::Names, Fold::Details] {
                check(&render(&document, fold))?;
            }
            let page = plan(&document, limit);
            prop_assert!(page.len() <= limit);
            check(&page)?;
        }
    }
}
