//! The structural check: every key known, every value of the right type and readable on its own.

use crate::diagnostic::Diagnostic;
use crate::keys::{PROVIDER_TYPES, SECRET, Shape, TableSpec};
use crate::raw::{Node, Report};
use crate::source::Place;
use crate::suggest::nearest;
use crate::texts;

/// Checks `node`, the value of `key`, against `shape`.
pub(crate) fn shape(key: &str, node: &Node<'_>, shape: &Shape, report: &mut Report) {
    match shape {
        Shape::OneOf(alternatives) => match alternatives.iter().find(|alternative| has_type(node, alternative)) {
            Some(alternative) => self::shape(key, node, alternative, report),
            None => wrong_type(key, node, shape, report),
        },
        Shape::Table(spec) if std::ptr::eq(*spec, &SECRET) => secret(key, node, report),
        _ if !has_type(node, shape) => wrong_type(key, node, shape, report),
        Shape::Bool => {}
        Shape::True => {
            if node.bool() == Some(false) {
                let diagnostic = Diagnostic::error(format!("`{key} = false` says nothing"));
                report.add(diagnostic.at(node.place()).help("remove the key"));
            }
        }
        Shape::Integer { min, max } => {
            if !node.integer().is_some_and(|number| (*min..=*max).contains(&number)) {
                report.add(Diagnostic::error(format!("`{key}` is not from {min} to {max}")).at(node.place()));
            }
        }
        Shape::Number { min, max } => {
            if !node.number().is_some_and(|number| (*min..=*max).contains(&number)) {
                report.add(Diagnostic::error(format!("`{key}` is not from {min} to {max}")).at(node.place()));
            }
        }
        Shape::Date => {
            if node.date().is_none() {
                let diagnostic = Diagnostic::error(format!("`{key}` is not a day alone"));
                report.add(
                    diagnostic.at(node.place()).help("write a date such as 2026-12-01, unquoted and without a time"),
                );
            }
        }
        Shape::Text(kind) => {
            let Some(text) = node.text() else { return };
            if let Err(fault) = (kind.check)(text) {
                node.faults(key, fault, report);
            }
        }
        Shape::Choice(words) => choice(key, node, words, report),
        Shape::List { of, min } => {
            let mut count = 0;
            for item in node.items() {
                count += 1;
                self::shape(key, &item, of, report);
            }
            if count < *min {
                let help = if key == "mx" {
                    "write \"absent\" for no MX record, \"null\" for a domain that takes no mail"
                } else {
                    "remove the key, or name something"
                };
                report.add(Diagnostic::error(format!("`{key}` is an empty list")).at(node.place()).help(help));
            }
        }
        Shape::Table(spec) => table(node, spec, report),
        Shape::Provider => provider(node, report),
        Shape::Senders => crate::check_senders::senders(node, report),
        Shape::Map { key: kind, value } => {
            for (name, place, item) in node.entries() {
                if let Err(fault) = (kind.check)(name) {
                    let mut diagnostic = Diagnostic::error(format!("`{name}`: {}", fault.message)).at(place);
                    if let Some(help) = fault.help {
                        diagnostic = diagnostic.help(help);
                    }
                    report.add(diagnostic);
                }
                self::shape(name, &item, value, report);
            }
        }
    }
}

/// Checks the keys of a table.
pub(crate) fn table(node: &Node<'_>, spec: &TableSpec, report: &mut Report) {
    for (name, place, item) in node.entries() {
        if let Some(key) = spec.find(name) {
            shape(name, &item, &key.shape, report);
        } else if spec.later.contains(&name) {
            let diagnostic = Diagnostic::error(format!("`{name}` is not in this version of mailzone"));
            report.add(diagnostic.at(place).help("remove it, or keep it for the version that has it"));
        } else if let Some((_, reason)) = spec.never.iter().find(|(never, _)| *never == name) {
            let diagnostic = Diagnostic::error(format!("`{name}` has no place in {}", spec.name)).at(place);
            report.add(diagnostic.label(reason).help("remove it"));
        } else if spec.keys.iter().any(|key| key.name == name) {
            report.add(Diagnostic::error(format!("`{name}` has no place in {}", spec.name)).at(place));
        } else {
            let diagnostic = Diagnostic::error(format!("unknown key `{name}` in {}", spec.name)).at(place);
            report.add(match nearest(name, spec.allowed().map(|key| key.name)) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => {
                    let known: Vec<_> = spec.allowed().map(|key| key.name).collect();
                    diagnostic.help(format!("known keys: {}", known.join(", ")))
                }
            });
        }
    }
    if spec.later.iter().any(|later| node.get(later).is_some()) {
        // What a later version has in its place may be what is missing.
        return;
    }
    for key in spec.allowed().filter(|key| key.required) {
        if node.get(key.name).is_none() {
            report.add(Diagnostic::error(format!("`{}` is missing in {}", key.name, spec.name)).at(node.place()));
        }
    }
}

/// Checks a reference to a secret. Somebody may have written the secret itself, so no line of it is shown.
fn secret(key: &str, node: &Node<'_>, report: &mut Report) {
    let mut found = Report::default();
    if node.table().is_none() {
        wrong_type(key, node, &Shape::Table(&SECRET), &mut found);
    } else {
        table(node, &SECRET, &mut found);
        let named = SECRET.keys.iter().filter(|key| node.get(key.name).is_some()).count();
        if named != 1 && !found.has_errors() {
            let says = if named == 0 { "does not say" } else { "says more than once" };
            found.add(Diagnostic::error(format!("`{key}` {says} where the secret is")).at(node.place()));
        }
    }
    let forms = "write { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"PROGRAM\", \"ARGUMENT\"] }";
    for mut diagnostic in found.finish(&[]) {
        diagnostic.help.get_or_insert_with(|| forms.to_owned());
        report.add(diagnostic.hide_line());
    }
}

/// Checks the table of a provider as its `type` demands.
fn provider(node: &Node<'_>, report: &mut Report) {
    let mut found = Report::default();
    let spec = provider_spec(node, &mut found);
    if let Some(spec) = spec {
        table(node, spec, &mut found);
    }
    let mut hidden = Vec::new();
    lines_with_secrets(node, spec, &mut hidden);
    for diagnostic in found.finish(&[]) {
        let line = diagnostic.place.as_ref().map_or(0, Place::line);
        let is_hidden = hidden.iter().any(|(first, last)| (*first..=*last).contains(&line));
        report.add(if is_hidden { diagnostic.hide_line() } else { diagnostic });
    }
}

/// The keys that go with this provider's `type`; what is wrong with the type is reported.
fn provider_spec(node: &Node<'_>, report: &mut Report) -> Option<&'static TableSpec> {
    let types = || PROVIDER_TYPES.iter().map(|(name, _)| *name);
    let available = format!("available: {}", types().collect::<Vec<_>>().join(", "));
    let Some(kind) = node.get("type") else {
        report.add(Diagnostic::error("`type` is missing in a provider").at(node.place()).help(available));
        return None;
    };
    let Some(name) = kind.text() else {
        wrong_type("type", &kind, &Shape::Text(&texts::NOT_EMPTY), report);
        return None;
    };
    if let Some((_, spec)) = PROVIDER_TYPES.iter().find(|(known, _)| *known == name) {
        return Some(spec);
    }
    let hint = nearest(name, types()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    let diagnostic = Diagnostic::error(format!("no provider is called `{name}`")).at(kind.place());
    report.add(diagnostic.help(format!("{hint}{available}")));
    None
}

/// The lines, first and last, on which somebody may have written a secret itself, in its place or under a name
/// that is none. No message repeats them. Without `spec` nobody knows what the keys mean.
fn lines_with_secrets(node: &Node<'_>, spec: Option<&TableSpec>, lines: &mut Vec<(usize, usize)>) {
    for (name, place, value) in node.entries() {
        let known = spec.and_then(|spec| spec.find(name));
        let shape = known.map(|key| &key.shape);
        match shape {
            _ if name == "type" => {}
            Some(Shape::Table(inner)) if !std::ptr::eq(*inner, &SECRET) && value.table().is_some() => {
                lines_with_secrets(&value, Some(inner), lines);
            }
            Some(Shape::Table(_)) => lines_of(&place, &value, lines),
            // A base address with a user's name and password in it.
            Some(Shape::Text(kind)) if std::ptr::eq(*kind, &texts::ENDPOINT) => {
                if value.text().is_none_or(|text| text.contains('@')) {
                    lines_of(&place, &value, lines);
                }
            }
            Some(_) => {}
            // A slip in the name of a key that takes no secret is shown.
            None if spec.is_some_and(|spec| spec.never.iter().any(|(never, _)| *never == name)) => {}
            None if spec.is_some_and(|spec| spec.later.contains(&name) || is_near_plain(name, spec)) => {}
            None => lines_of(&place, &value, lines),
        }
    }
}

fn is_near_plain(name: &str, spec: &TableSpec) -> bool {
    let near = nearest(name, spec.allowed().map(|key| key.name)).and_then(|near| spec.find(near));
    near.is_some_and(|key| !matches!(key.shape, Shape::Table(_)))
}

/// Every line of a key's value, also of tables with headers of their own.
fn lines_of(key: &Place, value: &Node<'_>, lines: &mut Vec<(usize, usize)>) {
    let place = value.place();
    lines.push((key.line(), key.line()));
    lines.push((place.line(), place.source.position(place.end).0));
    for (_, place, value) in value.entries() {
        lines_of(&place, &value, lines);
    }
}

fn choice(key: &str, node: &Node<'_>, words: &[&str], report: &mut Report) {
    let Some(text) = node.text() else { return };
    if words.contains(&text) {
        return;
    }
    let near =
        nearest(text, words.iter().copied()).map(|near| format!("did you mean \"{near}\"? ")).unwrap_or_default();
    let diagnostic = Diagnostic::error(format!("`{key}` cannot be \"{text}\"")).at(node.place());
    report.add(diagnostic.help(format!("{near}it is {}", quoted_words(words))));
}

fn has_type(node: &Node<'_>, shape: &Shape) -> bool {
    let value = node.value;
    match shape {
        Shape::Bool | Shape::True => value.is_bool(),
        Shape::Integer { .. } => value.is_integer(),
        Shape::Number { .. } => value.is_integer() || value.is_float(),
        Shape::Date => value.is_datetime(),
        Shape::Text(_) | Shape::Choice(_) => value.is_str(),
        Shape::List { .. } => value.is_array(),
        Shape::Table(_) | Shape::Provider | Shape::Senders | Shape::Map { .. } => value.is_table(),
        Shape::OneOf(alternatives) => alternatives.iter().any(|alternative| has_type(node, alternative)),
    }
}

pub(crate) fn wrong_type(key: &str, node: &Node<'_>, shape: &Shape, report: &mut Report) {
    let found = match node.value.type_str() {
        "array" => "a list",
        "integer" => "an integer",
        "table" => "a table",
        "string" => "a string",
        "float" => "a number with a fraction",
        "datetime" => "a date or time",
        _ => "true or false",
    };
    let diagnostic = Diagnostic::error(format!("`{key}` is {found}, expected {}", expected(shape))).at(node.place());
    report.add(diagnostic);
}

/// What a shape is, for a message.
pub(crate) fn expected(shape: &Shape) -> String {
    match shape {
        Shape::Bool => "true or false".to_owned(),
        Shape::True => "true".to_owned(),
        Shape::Integer { min, max } => format!("an integer from {min} to {max}"),
        Shape::Number { min, max } => format!("a number from {min} to {max}"),
        Shape::Date => "a date such as 2026-12-01".to_owned(),
        Shape::Text(kind) => kind.name.to_owned(),
        Shape::Choice(words) => quoted_words(words),
        Shape::List { of, .. } => format!("a list, each {}", expected(of)),
        Shape::Table(spec) => {
            let keys: Vec<_> = spec.allowed().take(4).map(|key| key.name).collect();
            let more = if spec.allowed().count() > 4 { ", …" } else { "" };
            format!("a table with {}{more}", keys.join(", "))
        }
        Shape::Provider => "a table with type, …".to_owned(),
        Shape::Senders => "a table from presets to their values".to_owned(),
        Shape::Map { key, value } => format!("a table from {} to {}", key.name, expected(value)),
        Shape::OneOf(alternatives) => alternatives.iter().map(expected).collect::<Vec<_>>().join("; or "),
    }
}

fn quoted_words(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
