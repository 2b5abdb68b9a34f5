//! A plan as a mail operator reads it.

use mailzone_mailauth::{Finding, Severity};
use mailzone_plan::document::{ChangeDoc, ZoneDoc};
use mailzone_plan::{Document, stops};

use super::{TextOptions, change, count, remark, some_of};
use crate::group::{Block, Entry, Grouped, What, group, is_kin, is_ttl_only};
use crate::style::{Label, Line, Page};

/// So many remarks of one sort are shown of one zone.
const FEW: usize = 3;
/// With more zones than this, remarks beside the changes are folded.
const FEW_ZONES: usize = 20;
/// So many blocks of mere remarks are shown then, of many zones and of single ones each.
const MINOR_BLOCKS: usize = 3;

/// The plan: what changes in which order, what is wrong with it, the sums, and what to do next.
pub fn plan(document: &Document, options: &TextOptions) -> String {
    let mut page = Page::new(options.width, options.color);
    let show_info = options.verbose;
    let pick = |what: &What<'_>| show_info || !is_note(what);
    let Grouped { blocks, quiet } = group(document, !options.full, pick);
    let few = document.zones.len() <= FEW_ZONES || options.full;
    let (mut shown, mut folded) = ([0; 2], 0);
    for block in &blocks {
        if block.is_minor() && !few {
            let shown = &mut shown[usize::from(block.is_many())];
            *shown += 1;
            if *shown > MINOR_BLOCKS {
                folded += block.entries.len();
                continue;
            }
        }
        page.gap();
        show_block(&mut page, block, options);
    }
    if folded > 0 {
        page.gap();
        page.line(&Line::new(0).put(Label::Muted, format!("and {} (--full)", count(folded, "further remark"))));
    }
    show_quiet(&mut page, &quiet, options);
    show_findings(&mut page, document, options);
    page.gap();
    page.line(&summary(document));
    if !show_info {
        notes(&mut page, document);
    }
    if options.hints {
        hints(&mut page, document);
    }
    page.finish()
}

/// `Plan: 2 to create, …`, as Terraform has it.
pub(crate) fn summary(document: &Document) -> Line {
    let s = &document.summary;
    Line::new(0)
        .put(Label::Heading, "Plan:")
        .plain(format!(" {} to create, {} to update, {} to delete. ", s.create, s.update, s.delete))
        .plain(format!("{} unchanged, {} foreign, {} unmanaged.", s.unchanged, s.foreign, s.unmanaged))
}

/// `Zone example.com (files)`, or the zones that a block is about.
pub(super) fn header(block: &Block<'_>, options: &TextOptions) -> Line {
    let Some(first) = block.units.first() else { return Line::new(0) };
    let mut providers: Vec<&str> = block.units.iter().map(|unit| unit.zone.provider.as_str()).collect();
    providers.sort_unstable();
    providers.dedup();
    let providers = match some_of(&providers, 3) {
        // What belongs into whichever zone there is has no provider while there is none.
        none if none.is_empty() => none,
        some => format!(" ({some})"),
    };
    let line = Line::new(0);
    let line = if block.is_many() {
        let most = if options.full { usize::MAX } else { 3 };
        let labels: Vec<&str> = block.units.iter().take(most).map(|unit| unit.label).collect();
        let more = if labels.len() < block.units.len() { ", \u{2026}" } else { "" };
        line.put(Label::Heading, count(block.units.len(), block.noun()))
            .plain(format!("{providers}: {}{more}", labels.join(", ")))
    } else if first.zone.zone.is_none() && first.zone.domains.is_empty() {
        line.put(Label::Heading, "Without a zone").plain(providers)
    } else if first.zone.zone.is_none() {
        line.put(Label::Heading, format!("Domain {}", some_of(&first.zone.domains, 3))).plain(providers)
    } else {
        line.put(Label::Heading, format!("Zone {}", first.label)).plain(providers)
    };
    if first.zone.source == "dns" { line.plain(" as the DNS answers") } else { line }
}

fn show_block(page: &mut Page, block: &Block<'_>, options: &TextOptions) {
    let mut head = header(block, options);
    let counts = counts(block);
    if !counts.is_empty() {
        head.add(Label::Plain, format!(": {counts}"));
    } else if !block.is_many() && block.units.iter().all(|u| u.zone.changes.is_empty() && u.zone.error.is_none()) {
        head.add(Label::Plain, ": no changes");
    }
    if block.is_many() && (!block.is_verbatim() || (!options.full && block.units.len() > 3)) {
        head.add(Label::Muted, if counts.is_empty() { " (--full)" } else { " in each (--full)" });
    }
    page.line(&head);
    let mut waits: Option<&ChangeDoc> = None;
    let mut ttl_heading = false;
    let mut at = 0;
    while let Some(entry) = block.entries.get(at) {
        if let What::Change(c) = entry.what {
            if is_ttl_only(c) {
                if !ttl_heading {
                    page.line(&Line::new(2).put(Label::Muted, "TTL only:"));
                }
                ttl_heading = true;
            } else if !c.needs.is_empty() && waits.is_none_or(|w| (w.stage, &w.needs) != (c.stage, &c.needs)) {
                page.line(&Line::new(2).put(Label::Info, change::wait_words(block, c)));
                waits = Some(c);
            }
        }
        show_entry(page, block, entry, options);
        let alike = block.entries.iter().skip(at).take_while(|other| is_kin(&other.what, &entry.what)).count();
        let before = block.entries.iter().take(at).rev().take_while(|other| is_kin(&other.what, &entry.what)).count();
        let must_show = matches!(entry.what, What::Finding(finding) if stops(finding));
        if !options.full && !must_show && before + 1 == FEW && alike > 2 {
            let more = format!("and {} more of these (--full)", alike - 1);
            page.line(&Line::new(2).put(Label::Muted, more));
            at += alike;
        } else {
            at += 1;
        }
    }
}

fn show_entry(page: &mut Page, block: &Block<'_>, entry: &Entry<'_>, options: &TextOptions) {
    let shown = |text: &str| block.show(text).into_owned();
    match entry.what {
        What::Change(c) => change::change(page, block, c, options),
        What::Error(error) => remark::error(page, error, &shown),
        What::Finding(finding) => remark::finding(page, finding, 2, &shown),
        What::Allowed(finding) => remark::allowed(page, finding, &shown),
        What::Unmanaged(slot) => remark::unmanaged(page, slot, &shown),
        What::SideEffect(effect) => remark::side_effect(page, effect, &shown),
    }
    if entry.example {
        page.line(&Line::new(6).put(Label::Muted, "so in the first; in the others alike (--full)"));
    }
}

/// `2 to create, 1 to update` of a block's changes.
fn counts(block: &Block<'_>) -> String {
    let of = |action: &str| block.changes().filter(|change| change.action == action).count();
    let parts = [("create", of("create")), ("update", of("update")), ("delete", of("delete"))];
    let parts = parts.iter().filter(|(_, count)| *count > 0).map(|(action, count)| format!("{count} to {action}"));
    parts.collect::<Vec<_>>().join(", ")
}

fn show_quiet(page: &mut Page, quiet: &[&ZoneDoc], options: &TextOptions) {
    let labels: Vec<&str> = quiet.iter().map(|zone| zone.label()).collect();
    if labels.is_empty() {
        return;
    }
    page.gap();
    let heading = if let [_] = labels.as_slice() { "Zone".to_owned() } else { count(labels.len(), "zone") };
    let colon = if labels.len() == 1 { " " } else { " without changes: " };
    let names = some_of(&labels, if options.full { labels.len() } else { 3 });
    let line = Line::new(0).put(Label::Heading, heading).plain(colon).plain(names);
    page.line(&if labels.len() == 1 { line.plain(": no changes") } else { line });
}

/// Findings of no zone.
fn show_findings(page: &mut Page, document: &Document, options: &TextOptions) {
    let findings: Vec<&Finding> =
        document.findings.iter().filter(|f| options.verbose || f.severity != Severity::Info).collect();
    if findings.is_empty() {
        return;
    }
    page.gap();
    page.line(&Line::new(0).put(Label::Heading, "Of no zone:"));
    few(page, &findings, options, |page, finding| remark::finding(page, finding, 2, &str::to_owned));
}

/// Shows findings; of many with the same code a few, unless all are asked for.
pub(super) fn few(page: &mut Page, findings: &[&Finding], options: &TextOptions, show: impl Fn(&mut Page, &Finding)) {
    let mut at = 0;
    while let Some(first) = findings.get(at) {
        let alike = findings.iter().skip(at).take_while(|f| f.code == first.code && f.effect == first.effect).count();
        let most = if options.full || alike <= FEW + 1 { alike } else { FEW };
        findings.iter().skip(at).take(most).for_each(|finding| show(page, finding));
        if alike > most {
            let more = format!("and {} more ", alike - most);
            page.line(
                &Line::new(2).put(Label::Muted, more).put(Label::Muted, &first.code).put(Label::Muted, " (--full)"),
            );
        }
        at += alike;
    }
}

fn is_note(what: &What<'_>) -> bool {
    matches!(what, What::Finding(finding) if finding.severity == Severity::Info)
}

fn notes(page: &mut Page, document: &Document) {
    let findings = document.zones.iter().flat_map(|zone| &zone.findings).chain(&document.findings);
    let notes = findings.filter(|finding| finding.severity == Severity::Info).count();
    if notes > 0 {
        page.line(&Line::new(0).put(Label::Muted, format!("{} not shown (-v).", count(notes, "note"))));
    }
}

/// What stands in the way, and what to do next.
fn hints(page: &mut Page, document: &Document) {
    let failed = document.zones.iter().filter(|zone| zone.error.is_some()).count();
    let is_stopped = |zone: &&ZoneDoc| zone.error.is_none() && zone.findings.iter().any(stops);
    let stopped = document.zones.iter().filter(is_stopped).count();
    let ready = document
        .zones
        .iter()
        .filter(|zone| !zone.changes.is_empty() && zone.error.is_none() && !is_stopped(zone) && zone.source != "dns");
    let ready = ready.count();
    if failed > 0 {
        let words = format!("{} cannot be applied; see the reason above.", count(failed, "zone"));
        page.line(&Line::new(0).put(Label::Error, words));
    }
    if stopped > 0 {
        let words =
            format!("{} stopped by a guard: allow it with the line given there, or change the plan.", are(stopped));
        page.line(&Line::new(0).put(Label::Error, words));
    }
    if ready > 0 {
        let which =
            if failed + stopped > 0 { format!(" in the other {}", count(ready, "zone")) } else { String::new() };
        page.line(&Line::new(0).plain(format!("To do this{which}: mailzone apply")));
    } else if failed + stopped == 0 && document.zones.iter().all(|zone| zone.changes.is_empty()) {
        page.line(&Line::new(0).put(Label::Good, "Nothing to do: all is as the configuration says."));
    }
}

fn are(zones: usize) -> String {
    format!("{} {}", count(zones, "zone"), if zones == 1 { "is" } else { "are" })
}

#[cfg(test)]
mod tests;
