//! The structural check of `senders`: known presets, known parameters, values that can be read.

use mailzone_mailauth::dkim::key_material;

use crate::check::wrong_type;
use crate::diagnostic::Diagnostic;
use crate::keys::Shape;
use crate::raw::{Node, Report};
use crate::senders::{Parameter, ParameterKind, Preset, presets};
use crate::suggest::nearest;
use crate::texts::{self, Fault, host_name, selector};

/// Checks a table of presets.
pub(crate) fn senders(node: &Node<'_>, report: &mut Report) {
    for (name, place, item) in node.entries() {
        let Some(preset) = presets().get(&name.to_lowercase()) else {
            let diagnostic = Diagnostic::error(format!("no sender preset is called `{name}`")).at(place);
            let known = || presets().keys().map(String::as_str);
            let hint = nearest(name, known()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            let list = known().collect::<Vec<_>>().join(", ");
            report
                .add(diagnostic.help(format!("{hint}available: {list}; any other service: `spf`, `dkim`, `records`")));
            continue;
        };
        match item.text() {
            Some("unmanaged") => {}
            Some("absent") => {
                let diagnostic = Diagnostic::error(format!("`{name} = \"absent\"` does not say which records"));
                let help = format!("write the values and `absent = true`: {}", with_absent(preset));
                report.add(diagnostic.at(item.place()).help(help));
            }
            _ if item.table().is_some() => table(preset, &item, report),
            _ => {
                let diagnostic = Diagnostic::error(format!("`{name}` is neither a table nor \"unmanaged\""));
                report.add(diagnostic.at(item.place()).help(format!("write {}", preset.sample())));
            }
        }
    }
}

fn with_absent(preset: &Preset) -> String {
    let sample = preset.sample();
    match sample.strip_suffix(" }") {
        Some(keys) => format!("{keys}, absent = true }}"),
        None => format!("{} = {{ absent = true }}", preset.name),
    }
}

fn table(preset: &Preset, node: &Node<'_>, report: &mut Report) {
    for (key, place, value) in node.entries() {
        match (key, preset.parameter(key)) {
            (_, Some(parameter)) => self::value(parameter, &value, report),
            ("mx", None) if !preset.mx.is_empty() => flag("mx", &value, report),
            ("absent", None) => flag("absent", &value, report),
            (_, None) => {
                let diagnostic = Diagnostic::error(format!("unknown key `{key}` in the preset {}", preset.name));
                let known = preset.keys().collect::<Vec<_>>();
                let help = match (key, nearest(key, known.iter().copied())) {
                    ("mx", _) => format!("{} takes no mail for a domain", preset.title),
                    (_, Some(near)) => format!("did you mean `{near}`?"),
                    (_, None) => format!("known keys: {}", known.join(", ")),
                };
                report.add(diagnostic.at(place).help(help));
            }
        }
    }
    let given = |key: &str| node.get(key).is_some_and(|value| value.bool() != Some(false));
    for parameter in &preset.parameters {
        let name = &parameter.name;
        let is_given = node.get(name).is_some();
        let help = || format!("{}: {}", parameter.sample(), parameter.doc);
        match &parameter.needed_for {
            Some(other) if is_given && !given(other) => {
                let diagnostic = Diagnostic::error(format!("`{name}` says nothing without `{other}`"));
                let place = node.get(name).map_or_else(|| node.place(), |value| value.place());
                report.add(diagnostic.at(place).help(format!("remove it, or add `{other}`")));
            }
            Some(other) if !is_given && given(other) => {
                let diagnostic = Diagnostic::error(format!("`{name}` is missing: `{other}` needs it"));
                report.add(diagnostic.at(node.place()).help(help()));
            }
            None if parameter.required && !is_given => {
                let diagnostic = Diagnostic::error(format!("`{name}` is missing in the preset {}", preset.name));
                report.add(diagnostic.at(node.place()).help(help()));
            }
            _ => {}
        }
    }
}

/// `true`: leaving the key out says the contrary.
fn flag(key: &str, value: &Node<'_>, report: &mut Report) {
    crate::check::shape(key, value, &Shape::True, report);
}

fn value(parameter: &Parameter, node: &Node<'_>, report: &mut Report) {
    let name = &parameter.name;
    if let ParameterKind::Labels(count) = parameter.kind {
        let items: Vec<Node<'_>> = node.items().collect();
        if node.value.as_array().is_none() || items.len() != count {
            let diagnostic = Diagnostic::error(format!("`{name}` is not a list of {count}")).at(node.place());
            report.add(diagnostic.help(parameter.sample()));
        }
        for item in items {
            one(parameter, &item, report);
        }
    } else {
        one(parameter, node, report);
    }
}

fn one(parameter: &Parameter, node: &Node<'_>, report: &mut Report) {
    let Some(text) = node.text() else {
        return wrong_type(&parameter.name, node, &Shape::Text(&texts::NOT_EMPTY), report);
    };
    if let Err(fault) = read(parameter, text) {
        // The line that may hold a private key is not shown to anybody.
        if parameter.kind == ParameterKind::Key {
            let message = format!("{}: `{}`: {}", node.place(), parameter.name, fault.message);
            report.add(Diagnostic::error(message));
        } else {
            node.faults(&parameter.name, fault, report);
        }
    }
}

fn read(parameter: &Parameter, text: &str) -> Result<(), Fault> {
    match &parameter.kind {
        // As a selector: labels, with dots between them.
        ParameterKind::Label | ParameterKind::Labels(_) => match selector(text) {
            Ok(label) if !label.starts_with('*') => Ok(()),
            _ => {
                let example = parameter.example.first().map_or("", String::as_str);
                Err(Fault::new("no label of a name").help(format!("such as \"{example}\": {}", parameter.doc)))
            }
        },
        ParameterKind::Host => host_name(text).map(drop),
        ParameterKind::Choice(words) => {
            if words.iter().any(|word| word == text) {
                return Ok(());
            }
            Err(Fault::new(format!("`{text}` is none of them")).help(format!("one of {}", words.join(", "))))
        }
        ParameterKind::Key => key_material::parse(text).map(drop).map_err(|error| Fault::new(error.to_string())),
        ParameterKind::Text => {
            let good = (1..=200).contains(&text.len())
                && text.bytes().all(|b| (0x20..0x7f).contains(&b) && !matches!(b, b'"' | b'\\'));
            if good { Ok(()) } else { Err(Fault::new("not a text of printable ASCII without quotes")) }
        }
    }
}
