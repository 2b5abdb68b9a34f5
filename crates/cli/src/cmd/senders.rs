//! `mailzone senders`: the services that the program knows, and what each asks for.

use std::fmt::Write as _;

use mailzone_config::SourceFile;
use mailzone_config::senders::{Parameter, ParameterKind, Preset, presets};
use mailzone_engine::Code;
use mailzone_plan::document::Exit;
use mailzone_record::Rdata;
use serde::Serialize;

use crate::args::{Format, Global, SendersArgs};
use crate::ui::Ui;

use super::shared::{envelope, only};

/// The domain in samples.
const DOMAIN: &str = "example.com";

/// One preset.
#[derive(Debug, Serialize)]
struct PresetView {
    name: &'static str,
    title: &'static str,
    as_of: &'static str,
    confidence: &'static str,
    source: &'static str,
    note: &'static str,
    parameters: Vec<ParameterView>,
    /// Whether it takes a domain's mail with `mx = true`.
    mx: bool,
    /// Terms for the SPF record of the domain, with the sample's values.
    spf: Vec<String>,
    /// What the sample asks for.
    records: Vec<RecordView>,
    /// The sample.
    toml: String,
}

#[derive(Debug, Serialize)]
struct ParameterView {
    name: &'static str,
    required: bool,
    needed_for: Option<&'static str>,
    default: Option<&'static str>,
    /// The values that it may have; null for any.
    choices: Option<&'static [String]>,
    example: &'static [String],
    doc: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct RecordView {
    name: String,
    r#type: String,
    value: String,
    /// The optional key that asks for it; null for what the sample alone asks for.
    with: Option<String>,
}

#[derive(Debug, Serialize)]
struct SendersView {
    presets: Vec<PresetView>,
}

/// Lists the presets, or shows one.
pub(super) fn run(global: &Global, args: &SendersArgs, ui: &Ui) -> Result<Code, Code> {
    only(global, &[Format::Text, Format::Json], ui)?;
    let chosen: Vec<&'static Preset> = match &args.name {
        None => presets().values().collect(),
        Some(name) => match presets().get(&name.to_lowercase()) {
            Some(preset) => vec![preset],
            None => {
                let known = presets().keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                let remedy = format!("there are {known}; any other service: the keys spf, dkim, records");
                ui.error(&format!("no sender preset is called {name}"), Some(&remedy));
                return Err(Code::Error);
            }
        },
    };
    let views: Vec<PresetView> = chosen.iter().map(|preset| view(preset)).collect();
    let text = match (global.format, views.as_slice()) {
        (Format::Json, _) => {
            let exit = Exit { code: Code::Done.number(), zones: Vec::new() };
            envelope(SendersView { presets: views }, exit)
        }
        (_, [view]) if args.name.is_some() => one(view),
        _ => all(&views),
    };
    ui.data(&text);
    Ok(Code::Done)
}

fn view(preset: &'static Preset) -> PresetView {
    let required: Vec<String> = preset.parameters.iter().filter(|p| p.required).map(Parameter::sample).collect();
    let plain = asked_for(preset, &required).unwrap_or_default();
    let mut records: Vec<RecordView> = plain.records.clone();
    let mut spf = plain.spf;
    let mx = (!preset.mx.is_empty()).then_some("mx");
    let optional = preset.parameters.iter().filter(|p| !p.required && p.needed_for.is_none());
    for key in optional.map(|p| p.name.as_str()).chain(mx) {
        let parameter = preset.parameter(key);
        if parameter.is_some_and(|parameter| parameter.kind == ParameterKind::Key) {
            records.extend(key_records(preset, key));
            continue;
        }
        let mut keys = required.clone();
        keys.push(parameter.map_or_else(|| format!("{key} = true"), Parameter::sample));
        keys.extend(preset.parameters.iter().filter(|p| p.needed_for.as_deref() == Some(key)).map(Parameter::sample));
        let more = asked_for(preset, &keys).unwrap_or_default();
        spf.extend(more.spf.into_iter().filter(|term| !spf.contains(term)).collect::<Vec<_>>());
        let new = more.records.into_iter().filter(|record| !plain.records.contains(record));
        records.extend(new.map(|record| RecordView { with: Some(key.to_owned()), ..record }));
    }
    PresetView {
        name: &preset.name,
        title: &preset.title,
        as_of: &preset.as_of,
        confidence: &preset.confidence,
        source: match preset.confidence.as_str() {
            "confirmed" => "the service's own pages, or several public sources",
            _ => "one public source",
        },
        note: &preset.note,
        parameters: preset.parameters.iter().map(parameter_view).collect(),
        mx: mx.is_some(),
        spf,
        records,
        toml: format!("[domains.\"{DOMAIN}\".senders]\n{}\n", preset.sample()),
    }
}

fn parameter_view(parameter: &'static Parameter) -> ParameterView {
    ParameterView {
        name: &parameter.name,
        required: parameter.required,
        needed_for: parameter.needed_for.as_deref(),
        default: parameter.default.as_deref(),
        choices: match &parameter.kind {
            ParameterKind::Choice(words) => Some(words),
            _ => None,
        },
        example: &parameter.example,
        doc: &parameter.doc,
    }
}

/// What a sample comes to.
#[derive(Debug, Default)]
struct Asked {
    records: Vec<RecordView>,
    spf: Vec<String>,
}

/// Reads a sample as any configuration is read; `None` if that fails, which a test forbids.
fn asked_for(preset: &Preset, keys: &[String]) -> Option<Asked> {
    let text = format!(
        "[providers.p]\ntype = \"zonefile\"\ndirectory = \".\"\n[domains.\"{DOMAIN}\"]\nprovider = \"p\"\nspf = [\"-all\"]\n\
         [domains.\"{DOMAIN}\".senders]\n{} = {{ {} }}\n",
        preset.name,
        keys.join(", ")
    );
    let file = SourceFile::new("sample", text);
    let settings = mailzone_config::parse(&[file], ".".into(), &mut |_| Err(String::new())).ok()?;
    let domain = settings.domains.into_values().next()?;
    let mut asked = Asked::default();
    let record = |name: String, rtype: String, value: String| RecordView { name, r#type: rtype, value, with: None };
    if let Some(spf) = domain.spf.as_ref().and_then(|spf| spf.value.wanted()) {
        let terms = spf.text.split(' ').filter(|term| !matches!(*term, "v=spf1" | "-all"));
        asked.spf.extend(terms.map(str::to_owned));
    }
    let setting = domain.senders.get(&preset.name).and_then(|setting| setting.value.wanted())?;
    for ((owner, rtype), wanted) in &setting.records {
        let values = wanted.values.iter().map(ToString::to_string);
        asked.records.extend(values.map(|value| record(owner.to_string(), rtype.to_string(), value)));
    }
    if let Some(mailzone_config::MxSetting::Hosts(hosts)) = domain.mx.as_ref().and_then(|mx| mx.value.wanted()) {
        let values = hosts.iter().map(|mx| Rdata::Mx(mx.clone()).to_string());
        asked.records.extend(values.map(|value| record(domain.name.to_string(), "MX".to_owned(), value)));
    }
    Some(asked)
}

/// The selectors whose key the domain publishes.
fn key_records(preset: &Preset, key: &str) -> Vec<RecordView> {
    let keys = preset.dkim.iter().filter(|template| template.key.as_deref() == Some(key));
    let record = |selector: &str| {
        let mut selector = selector.to_owned();
        for parameter in &preset.parameters {
            selector = selector.replace(&format!("{{{}}}", parameter.name), &parameter.example.concat());
        }
        RecordView {
            name: format!("{selector}._domainkey.{DOMAIN}."),
            r#type: "TXT".to_owned(),
            value: "(the key)".to_owned(),
            with: Some(key.to_owned()),
        }
    };
    keys.map(|template| record(&template.selector)).collect()
}

fn all(views: &[PresetView]) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for view in views {
        let _ = writeln!(text, "{}: {}, as of {}, {}", view.name, view.title, view.as_of, view.confidence);
        let _ = writeln!(text, "  asks for    {}", needs(view));
        if !view.parameters.is_empty() || view.mx {
            let _ = writeln!(text, "  parameters  {}", parameters(view));
        }
    }
    let _ = writeln!(text, "\nconfirmed: on the service's own pages, or in several public sources");
    let _ = writeln!(text, "`mailzone senders NAME` shows the lines to paste and the records that come of them");
    text
}

/// `SPF include:mailgun.org, 2 DKIM keys, MX`
fn needs(view: &PresetView) -> String {
    let is_key = |record: &&RecordView| record.name.contains("._domainkey.");
    let mut keys: Vec<&str> = view.records.iter().filter(is_key).map(|record| record.name.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    let count = keys.len();
    let mut parts: Vec<String> = Vec::new();
    if !view.spf.is_empty() {
        parts.push(format!("SPF {}", view.spf.join(" ")));
    }
    parts.push(if count == 1 { "1 DKIM key".to_owned() } else { format!("{count} DKIM keys") });
    let others = view.records.iter().filter(|record| !is_key(record));
    let short = format!(".{DOMAIN}.");
    for record in others {
        let name = record.name.strip_suffix(&short).unwrap_or("the domain");
        let part = match (record.r#type.as_str(), name) {
            ("MX", "the domain") => "MX".to_owned(),
            (rtype, name) => format!("{rtype} at {name}"),
        };
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts.join(", ")
}

/// Those that must be given, then the others in brackets.
fn parameters(view: &PresetView) -> String {
    let name = |p: &ParameterView| if p.required { p.name.to_owned() } else { format!("[{}]", p.name) };
    let mx = view.mx.then(|| "[mx]".to_owned());
    view.parameters.iter().map(name).chain(mx).collect::<Vec<_>>().join(", ")
}

fn one(view: &PresetView) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "# {}, as of {}, {}: {}", view.title, view.as_of, view.confidence, view.source);
    if !view.note.is_empty() {
        let _ = writeln!(text, "# {}", view.note);
    }
    text.push_str(&view.toml);
    for parameter in &view.parameters {
        let example = match parameter.example {
            [one] => format!("\"{one}\""),
            several => format!("{several:?}"),
        };
        let mut said = vec![parameter.doc.to_owned()];
        said.extend(parameter.choices.map(|words| words.join(", ")));
        said.extend(parameter.default.map(|default| format!("{default} by default")));
        said.extend(parameter.needed_for.map(|other| format!("with {other}")));
        let optional = if parameter.required || parameter.needed_for.is_some() { "" } else { "optional: " };
        let _ = writeln!(text, "# {} = {example}: {optional}{}", parameter.name, said.join("; "));
    }
    if view.mx {
        let _ = writeln!(text, "# mx = true: optional: {} takes the domain's mail", view.title);
    }
    let _ = writeln!(text, "\n# what comes of it");
    if !view.spf.is_empty() {
        let _ = writeln!(text, "# in the SPF record of the domain: {}", view.spf.join(" "));
    }
    for record in &view.records {
        let with = record.with.as_ref().map(|with| format!("  (with {with})")).unwrap_or_default();
        let _ = writeln!(text, "# {} {} {}{with}", record.name, record.r#type, record.value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_a_configuration() {
        for preset in presets().values() {
            let view = view(preset);
            assert!(!view.records.is_empty(), "{}", view.name);
            assert_eq!(view.spf.len(), preset.spf.len(), "{}", view.name);
            let mx = view.records.iter().filter(|record| record.with.as_deref() == Some("mx")).count();
            assert!(mx >= preset.mx.len(), "{}", view.name);
            let keys = view.records.iter().filter(|record| record.name.contains("._domainkey.")).count();
            assert!(keys >= preset.dkim.len(), "{}", view.name);
        }
    }
}
