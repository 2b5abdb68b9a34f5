//! The structural check: every key known, every value of the right type and readable on its own.

use crate::diagnostic::Diagnostic;
use crate::keys::{LATER_PROVIDER_TYPES, PROVIDER, PROVIDER_TYPES, SECRET, Shape, TableSpec};
use crate::raw::{Node, Report};
use crate::suggest::nearest;

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
    if std::ptr::eq(spec, &PROVIDER) && !is_known_provider(node, report) {
        return;
    }
    for (name, place, item) in node.entries() {
        if let Some(key) = spec.find(name) {
            shape(name, &item, &key.shape, report);
        } else if spec.later.contains(&name) {
            let diagnostic = Diagnostic::error(format!("`{name}` is not in this version of mailzone"));
            report.add(diagnostic.at(place).help("remove it, or keep it for the version that has it"));
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

/// Checks a reference to a secret. Somebody may have written the secret itself, so no line is shown.
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

/// Whether the other keys of this provider can be judged.
fn is_known_provider(node: &Node<'_>, report: &mut Report) -> bool {
    let Some(kind) = node.get("type") else { return true };
    let Some(name) = kind.text() else { return true };
    if PROVIDER_TYPES.contains(&name) {
        return true;
    }
    let available = PROVIDER_TYPES.join(", ");
    let (message, help) = if LATER_PROVIDER_TYPES.contains(&name) {
        (format!("the provider `{name}` is not in this version of mailzone"), format!("available: {available}"))
    } else {
        let near = nearest(name, PROVIDER_TYPES.iter().chain(LATER_PROVIDER_TYPES).copied());
        let hint = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        (format!("no provider is called `{name}`"), format!("{hint}available: {available}"))
    };
    report.add(Diagnostic::error(message).at(kind.place()).help(help));
    false
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
        Shape::Date => value.is_datetime(),
        Shape::Text(_) | Shape::Choice(_) => value.is_str(),
        Shape::List { .. } => value.is_array(),
        Shape::Table(_) | Shape::Map { .. } => value.is_table(),
        Shape::OneOf(alternatives) => alternatives.iter().any(|alternative| has_type(node, alternative)),
    }
}

fn wrong_type(key: &str, node: &Node<'_>, shape: &Shape, report: &mut Report) {
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
        Shape::Date => "a date such as 2026-12-01".to_owned(),
        Shape::Text(kind) => kind.name.to_owned(),
        Shape::Choice(words) => quoted_words(words),
        Shape::List { of, .. } => format!("a list, each {}", expected(of)),
        Shape::Table(spec) => {
            let keys: Vec<_> = spec.allowed().take(4).map(|key| key.name).collect();
            let more = if spec.allowed().count() > 4 { ", …" } else { "" };
            format!("a table with {}{more}", keys.join(", "))
        }
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
