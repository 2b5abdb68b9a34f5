//! One change: what it means, then what it is.

use mailzone_plan::document::{ChangeDoc, DetailDoc, SetDoc};
use similar::{ChangeTag, TextDiff};

use super::{TextOptions, count, cut, some_of};
use crate::group::{Block, is_ttl_only, own_values};
use crate::style::{Label, Line, Page};

/// Where a detail is cut.
const LONG_DETAIL: usize = 160;
/// Where record data is cut.
const LONG_VALUE: usize = 100;
/// So many words of what stays are shown around what changes.
const CONTEXT_WORDS: usize = 3;

/// The change and all below it.
pub(super) fn change(page: &mut Page, block: &Block<'_>, change: &ChangeDoc, options: &TextOptions) {
    let mut head = head(block, change, 2);
    if is_ttl_only(change) {
        for detail in &change.details {
            head.add(Label::Plain, format!("  {}", ttl_words(detail)));
        }
        page.line(&head);
    } else {
        page.line(&head.put(Label::Muted, meaning(change)));
        for detail in &change.details {
            page.line(&detail_line(block, detail, options));
        }
        if change.details.is_empty() && change.action != "update" {
            values(page, block, change);
        }
    }
    if !change.kept.is_empty() && !is_ttl_only(change) {
        let kept = format!("keeps {}", count(change.kept.len(), "foreign value"));
        page.line(&Line::new(6).put(Label::Muted, kept));
    }
    if options.full || options.verbose {
        raw(page, block, change, options);
    }
}

/// Sign, name and type.
pub(super) fn head(block: &Block<'_>, change: &ChangeDoc, indent: usize) -> Line {
    let (label, sign) = sign(change);
    Line::new(indent).put(label, sign).plain(" ").plain(block.show(&change.name)).plain(" ").plain(&change.rtype)
}

/// `+`, `~` or `-`.
pub(crate) fn sign(change: &ChangeDoc) -> (Label, &'static str) {
    match change.action.as_ref() {
        "create" => (Label::Create, "+"),
        "delete" => (Label::Delete, "-"),
        _ => (Label::Update, "~"),
    }
}

/// `  spf, tightens`.
fn meaning(change: &ChangeDoc) -> String {
    let slots = some_of(&change.slots, 3);
    let class = class_words(&change.class);
    match (slots.is_empty(), class.is_empty()) {
        (true, true) => String::new(),
        (false, true) => format!("  {slots}"),
        (true, false) => format!("  {class}"),
        (false, false) => format!("  {slots}, {class}"),
    }
}

/// The class as a person says it; nothing for one that says nothing.
pub(crate) fn class_words(class: &str) -> &'static str {
    match class {
        "tightens" => "tightens",
        "loosens" => "loosens",
        "mixed" => "tightens and loosens",
        "breaks" => "breaks",
        "cosmetic" => "spelling only",
        "unknown" => "effect unknown",
        _ => "",
    }
}

/// The change `then` has to wait for, in words.
pub(crate) fn wait_words(block: &Block<'_>, change: &ChangeDoc) -> String {
    let needs: Vec<String> = change.needs.iter().map(|need| block.show(need).into_owned()).collect();
    let begin = if change.stage > 1 { "then, once" } else { "once" };
    let verb = if needs.len() == 1 { "is" } else { "are" };
    let needs = match needs.as_slice() {
        [first, second] => format!("{first} and {second}"),
        needs => some_of(needs, 3),
    };
    format!("{begin} {needs} {verb} visible at every authoritative server:")
}

/// `ttl 3600 -> 300`.
pub(crate) fn ttl_words(detail: &DetailDoc) -> String {
    let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".into());
    format!("ttl {} -> {}", side(&detail.before), side(&detail.after))
}

/// A term's text as it is shown: with its name, unless it says that itself (`include:a.example`).
pub(crate) fn term_words(term: &str, text: &str) -> String {
    let bare = text.strip_prefix(['+', '-', '~', '?']).unwrap_or(text);
    let names_itself = bare
        .get(..term.len())
        .filter(|begin| begin.eq_ignore_ascii_case(term))
        .and_then(|_| bare.get(term.len()..))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/', '=']));
    if names_itself { text.to_owned() } else { format!("{term}: {text}") }
}

fn detail_line(block: &Block<'_>, detail: &DetailDoc, options: &TextOptions) -> Line {
    let shown =
        |text: &str| if options.full { block.show(text).into_owned() } else { cut(&block.show(text), LONG_DETAIL) };
    let term = &detail.term;
    let line = Line::new(6);
    match (detail.before.as_deref(), detail.after.as_deref()) {
        (None, None) => line.put(Label::Update, "~ ").plain(term),
        (None, Some(after)) => line.put(Label::Added, format!("+ {}", shown(&term_words(term, after)))),
        (Some(before), None) => line.put(Label::Removed, format!("- {}", shown(&term_words(term, before)))),
        (Some(_), Some(_)) if term == "ttl" => line.put(Label::Update, "~ ").plain(ttl_words(detail)),
        (Some(before), Some(after)) if before.contains(' ') && after.contains(' ') => {
            let line = line.put(Label::Update, "~ ").plain(term).plain(": ");
            word_difference(line, &block.show(before), &block.show(after))
        }
        (Some(before), Some(after)) => line
            .put(Label::Update, "~ ")
            .plain(term)
            .plain(": ")
            .put(Label::Removed, shown(before))
            .plain(" -> ")
            .put(Label::Added, shown(after)),
    }
}

/// Two texts as one: `[-gone-]` and `{+come+}`, what stays between them cut to a few words.
fn word_difference(mut line: Line, before: &str, after: &str) -> Line {
    let difference = TextDiff::from_words(before, after);
    let mut runs: Vec<(ChangeTag, String)> = Vec::new();
    for change in difference.iter_all_changes() {
        match runs.last_mut() {
            Some((tag, text)) if *tag == change.tag() => text.push_str(change.value()),
            _ => runs.push((change.tag(), change.value().to_owned())),
        }
    }
    let last = runs.len().saturating_sub(1);
    for (at, (tag, text)) in runs.iter().enumerate() {
        match tag {
            ChangeTag::Equal => line.add(Label::Muted, context(text, at == 0, at == last)),
            ChangeTag::Delete => line.add(Label::Removed, format!("[-{}-]", cut(text, LONG_DETAIL))),
            ChangeTag::Insert => line.add(Label::Added, format!("{{+{}+}}", cut(text, LONG_DETAIL))),
        }
    }
    line
}

/// The words of `text` that are next to a change.
fn context(text: &str, first: bool, last: bool) -> String {
    let words: Vec<&str> = text.split_inclusive(' ').collect();
    let (head, tail) = (if first { 0 } else { CONTEXT_WORDS }, if last { 0 } else { CONTEXT_WORDS });
    let (head, tail) = if words.len() <= head + tail + 2 { (words.len(), 0) } else { (head, tail) };
    let begin: String = words.iter().take(head).copied().collect();
    let end: String = words.iter().skip(words.len() - tail).copied().collect();
    let gap = if head + tail < words.len() { "\u{2026} " } else { "" };
    cut(&format!("{begin}{gap}{end}"), 2 * LONG_DETAIL)
}

/// A created or deleted set without terms of its own.
fn values(page: &mut Page, block: &Block<'_>, change: &ChangeDoc) {
    let (set, label, sign) = match &change.after {
        Some(set) => (Some(set), Label::Added, "+ "),
        None => (change.before.as_ref(), Label::Removed, "- "),
    };
    let values: Vec<&str> = own_values(set, change).collect();
    let most = if values.len() <= 4 { 4 } else { 3 };
    for value in values.iter().take(most) {
        page.line(&Line::new(6).put(label, sign).put(label, cut(&block.show(value), LONG_VALUE)));
    }
    if values.len() > most {
        page.line(&Line::new(6).put(Label::Muted, format!("and {} more", values.len() - most)));
    }
}

/// Record data as it is and will be.
fn raw(page: &mut Page, block: &Block<'_>, change: &ChangeDoc, options: &TextOptions) {
    for (label, sign, ttl, value) in raw_lines(change) {
        let value = block.show(value);
        let value = if options.full && options.verbose { value.into_owned() } else { cut(&value, LONG_VALUE) };
        page.line(&Line::new(8).put(label, format!("{sign} {ttl} {value}")));
    }
}

/// Sign, TTL and value of each record before and after; those in both once, with `=`.
pub(crate) fn raw_lines(change: &ChangeDoc) -> Vec<(Label, char, String, &str)> {
    fn of(set: Option<&SetDoc>) -> (&[String], String) {
        set.map_or((&[], String::new()), |set| {
            (&set.values, set.ttl.map_or_else(|| "auto".to_owned(), |ttl| ttl.to_string()))
        })
    }
    let (before, old_ttl) = of(change.before.as_ref());
    let (after, new_ttl) = of(change.after.as_ref());
    let mut lines = Vec::new();
    for value in before.iter().filter(|value| !after.contains(value)) {
        lines.push((Label::Removed, '-', old_ttl.clone(), value.as_str()));
    }
    for value in after {
        let stays = before.contains(value);
        let (label, sign) = if stays { (Label::Muted, '=') } else { (Label::Added, '+') };
        lines.push((label, sign, new_ttl.clone(), value.as_str()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(before: &str, after: &str) -> String {
        let mut page = Page::new(0, false);
        page.line(&word_difference(Line::new(0), before, after));
        page.finish()
    }

    #[test]
    fn words_that_come_and_go() {
        assert_eq!(
            difference("v=spf1 a mx -all", "v=spf1 a ip4:192.0.2.1 -all"),
            "v=spf1 a [-mx-]{+ip4:192.0.2.1+} -all\n"
        );
        assert_eq!(
            difference("a b c d e f g h i j k l old m n", "a b c d e f g h i j k l new m n"),
            "\u{2026} j k l [-old-]{+new+} m n\n"
        );
    }

    #[test]
    fn terms_that_name_themselves() {
        assert_eq!(term_words("include", "?include:a.example"), "?include:a.example");
        assert_eq!(term_words("all", "~all"), "~all");
        assert_eq!(term_words("a", "all"), "a: all");
        assert_eq!(term_words("p", "none"), "p: none");
        assert_eq!(term_words("redirect", "redirect=a.example"), "redirect=a.example");
        assert_eq!(term_words("x\u{fc}", "\u{fc}"), "x\u{fc}: \u{fc}");
    }
}
