//! What is said of a zone beside its changes: errors, guards, findings, slots that nobody manages.

use mailzone_mailauth::{Effect, Finding, Severity};
use mailzone_plan::document::{ErrorDoc, SetDoc, SideEffectDoc, UnmanagedDoc};

use super::cut;
use crate::style::{Label, Line, Page};
use mailzone_plan::stops;

/// Where a sentence is cut that was not meant for a screen.
const LONG_SENTENCE: usize = 800;

/// A finding: what is wrong and where, then what to do.
pub(crate) fn finding(page: &mut Page, finding: &Finding, indent: usize, shown: &impl Fn(&str) -> String) {
    let (label, word) = word(finding);
    let line = Line::new(indent)
        .put(label, word)
        .plain(" ")
        .plain(&finding.code)
        .plain(at(&shown(&finding.subject)))
        .plain(": ")
        .plain(cut(&shown(&finding.message), LONG_SENTENCE));
    let reference = if finding.reference.is_empty() { String::new() } else { format!(" ({})", finding.reference) };
    page.line(&line.put(Label::Muted, reference));
    if finding.effect != Effect::Cured {
        remedy(page, &shown(&finding.remedy), indent);
    }
}

/// A finding that an allow entry let pass.
pub(super) fn allowed(page: &mut Page, finding: &Finding, shown: &impl Fn(&str) -> String) {
    let line = Line::new(2).put(Label::Warning, "allowed").plain(" ").plain(&finding.code);
    page.line(
        &line.plain(at(&shown(&finding.subject))).plain(": ").plain(cut(&shown(&finding.message), LONG_SENTENCE)),
    );
}

/// Why a zone has no plan.
pub(super) fn error(page: &mut Page, error: &ErrorDoc, shown: &impl Fn(&str) -> String) {
    // A file that does not parse is told line by line, each with the text it is about.
    let mut lines = error.message.split('\n');
    let first = Line::new(2).put(Label::Error, error_word(&error.kind)).plain(": ");
    page.line(&first.plain(cut(&shown(lines.next().unwrap_or_default()), LONG_SENTENCE)));
    for line in lines {
        page.whole(&Line::new(6).put(Label::Muted, "| ").plain(cut(&shown(line), LONG_SENTENCE)));
    }
    remedy(page, &shown(&error.remedy), 2);
}

/// A live slot that the configuration does not mention.
pub(super) fn unmanaged(page: &mut Page, slot: &UnmanagedDoc, shown: &impl Fn(&str) -> String) {
    let line = Line::new(2)
        .put(Label::Info, if slot.formerly { "no longer managed" } else { "unmanaged" })
        .plain(": ")
        .plain(shown(&slot.name))
        .plain(" ")
        .plain(&slot.rtype)
        .put(Label::Muted, format!("  {}", shown(&slot.slot)));
    page.line(&line);
    page.line(&Line::new(6).put(Label::Muted, "to remove it: ").plain(shown(&slot.removal)));
}

/// What the provider did to a foreign set by itself: as it was, as it is, and what puts it back.
pub(super) fn side_effect(page: &mut Page, effect: &SideEffectDoc, shown: &impl Fn(&str) -> String) {
    let line = Line::new(2).put(Label::Error, "side effect").plain(": ").plain(shown(&effect.name)).plain(" ");
    page.line(&line.plain(&effect.rtype).plain(": ").plain(cut(&shown(&effect.message), LONG_SENTENCE)));
    for (word, label, set) in [("before: ", Label::Removed, &effect.before), ("now: ", Label::Added, &effect.after)] {
        let lines: Vec<String> = set.as_ref().map_or_else(|| vec!["nothing".to_owned()], |set| values(set, shown));
        for text in lines {
            page.line(&Line::new(6).put(Label::Muted, word).put(label, text));
        }
    }
    remedy(page, &shown(&effect.remedy), 2);
}

/// TTL and value, each.
fn values(set: &SetDoc, shown: &impl Fn(&str) -> String) -> Vec<String> {
    let ttl = set.ttl.map(|ttl| format!("{ttl} ")).unwrap_or_default();
    set.values.iter().map(|value| format!("{ttl}{}", cut(&shown(value), LONG_SENTENCE))).collect()
}

/// What a finding is to the plan.
pub(crate) fn word(finding: &Finding) -> (Label, &'static str) {
    match (finding.effect, finding.severity) {
        _ if stops(finding) => (Label::Error, "stopped by"),
        (Effect::Cured, _) => (Label::Good, "cures"),
        (_, Severity::Error) => (Label::Error, "error"),
        (_, Severity::Warning) => (Label::Warning, "warning"),
        (_, Severity::Info) => (Label::Info, "note"),
    }
}

/// The kind of a zone's error in words.
pub(crate) fn error_word(kind: &str) -> &'static str {
    match kind {
        "configuration" => "error in the configuration",
        "credentials" => "error with the credentials",
        "permission" => "not permitted",
        "no_zone" => "no zone",
        "ambiguous_zone" => "more than one zone",
        "refused" => "refused",
        "unreachable" => "provider not reachable",
        "throttled" => "provider asks to wait",
        "protocol" => "not understood",
        _ => "error",
    }
}

fn at(subject: &str) -> String {
    if subject.is_empty() { String::new() } else { format!(" at {subject}") }
}

fn remedy(page: &mut Page, remedy: &str, indent: usize) {
    if remedy.is_empty() {
        return;
    }
    // One of several lines is a text to be taken over as it stands.
    let mut lines = remedy.split('\n');
    let first = cut(lines.next().unwrap_or_default(), LONG_SENTENCE);
    page.line(&Line::new(indent + 4).put(Label::Muted, "help: ").plain(first));
    for line in lines {
        page.whole(&Line::new(indent + 8).put(Label::Muted, "| ").plain(cut(line, LONG_SENTENCE)));
    }
}
