//! `mailzone dkim import`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use mailzone_engine::Code;
use mailzone_mailauth::dkim::paste::{self, Content};
use mailzone_mailauth::dkim::{Key, KeyRecord, key_material, selector_of};
use mailzone_plan::document::Exit;
use mailzone_record::Name;
use serde::Serialize;
use serde_json::Value;

use crate::args::{Format, Global};
use crate::cmd::import::toml;
use crate::cmd::shared::{envelope, only};
use crate::ui::Ui;

use super::key_view::{self, KeyView};
use super::show::{SEED, SEED_REMEDY, may_be_seed};
use super::{ImportArgs, fail, generate, input};

/// A key that was found, with its place in the configuration.
#[derive(Debug, Serialize)]
struct Imported {
    domain: String,
    selector: String,
    /// The line of the text at which it begins; null in JSON.
    line: Option<usize>,
    #[serde(flatten)]
    key: Option<KeyView>,
    /// The target of a CNAME.
    cname: Option<String>,
    toml: String,
}

/// Something that was meant as a key and is none.
#[derive(Debug, Serialize)]
struct Problem {
    line: Option<usize>,
    message: String,
    remedy: String,
}

#[derive(Debug, Serialize)]
struct View {
    keys: Vec<Imported>,
    problems: Vec<Problem>,
}

/// What the text says of one key.
struct Found {
    line: Option<usize>,
    owner: Option<String>,
    domain: Option<String>,
    selector: Option<String>,
    want: Want,
}

enum Want {
    /// The record, and whether it is a bare key, whose tags the live record keeps.
    Key(KeyRecord, bool),
    Alias(String),
}

/// Prints the configuration for the keys in a pasted text.
pub(super) fn run(global: &Global, args: &ImportArgs, ui: &Ui) -> Result<Code, Code> {
    only(global, &[Format::Text, Format::Json], ui)?;
    let domain = args.domain.as_deref().map(|domain| generate::parse_domain(domain, ui)).transpose()?;
    let file = args.file.clone().unwrap_or_else(|| PathBuf::from("-"));
    let text = input::read_text(&file, ui)?;
    let mut problems = Vec::new();
    let found = if text.trim_start().starts_with(['{', '[']) {
        of_json(&text, &mut problems, ui)?
    } else {
        of_text(&text, &mut problems, ui)
    };
    if found.is_empty() && problems.is_empty() {
        let remedy = "paste what opendkim-genkey, `amavisd showkeys`, rspamd or mailcow's API printed, or PEM";
        return Err(fail(ui, &format!("{}: no DKIM key in it", shown(&file)), remedy));
    }
    let mut keys: BTreeMap<(Name, String), (Found, Imported)> = BTreeMap::new();
    for found in found {
        match placed(&found, domain.as_ref(), args.selector.as_deref()) {
            Ok((domain, selector, imported)) => match keys.get(&(domain.clone(), selector.clone())) {
                Some((_, other)) if other.toml == imported.toml => {}
                Some(_) => problems.push(Problem {
                    line: found.line,
                    message: format!("another key for {selector}._domainkey.{domain}"),
                    remedy: "keep the one that the signer uses".into(),
                }),
                None => {
                    keys.insert((domain, selector), (found, imported));
                }
            },
            Err(problem) => problems.push(problem),
        }
    }
    for problem in &problems {
        let place = problem.line.map(|line| format!(", line {line}")).unwrap_or_default();
        ui.error(&format!("{}{place}: {}", shown(&file), problem.message), Some(&problem.remedy));
    }
    let code = if problems.is_empty() { Code::Done } else { Code::Error };
    let keys: Vec<Imported> = keys.into_values().map(|(_, imported)| imported).collect();
    match global.format {
        Format::Json => {
            let exit = Exit { code: code.number(), zones: Vec::new() };
            ui.data(&envelope(View { keys, problems }, exit));
        }
        _ => {
            let tables: Vec<String> = keys.iter().map(table).collect();
            ui.data(&tables.join("\n"));
        }
    }
    Ok(code)
}

fn shown(file: &Path) -> String {
    if file.as_os_str() == "-" { "standard input".to_owned() } else { file.display().to_string() }
}

fn of_text(text: &str, problems: &mut Vec<Problem>, ui: &Ui) -> Vec<Found> {
    let mut found = Vec::new();
    let pieces = paste::read(text);
    let several = pieces.len() > 1;
    for piece in pieces {
        let line = Some(piece.line);
        let want = match piece.content {
            // Before a record rspamd prints the private key.
            Ok(Content::Key(material)) if several && may_be_seed(&material, text) => {
                ui.warn(&format!("line {}: {SEED}, which is left out", piece.line));
                continue;
            }
            Ok(Content::Key(material)) if may_be_seed(&material, text) => {
                problems.push(Problem { line, message: SEED.into(), remedy: SEED_REMEDY.into() });
                continue;
            }
            Ok(Content::Key(material)) => Want::Key(material.record, !material.has_tags),
            Ok(Content::Alias(target)) => Want::Alias(target),
            Ok(Content::Private) => {
                ui.warn(&format!(
                    "line {}: a private key, which is left out: keep it with the signer alone",
                    piece.line
                ));
                continue;
            }
            Ok(Content::Foreign) => {
                ui.say(&format!("line {}: no DKIM record, left out", piece.line));
                continue;
            }
            Err(error) => {
                let owner = piece.owner.map(|owner| format!("{owner}: ")).unwrap_or_default();
                let remedy = "copy the whole record again from the signer";
                problems.push(Problem { line, message: format!("{owner}{error}"), remedy: remedy.into() });
                continue;
            }
        };
        found.push(Found { line, owner: piece.owner, domain: piece.domain, selector: None, want });
    }
    found
}

/// What mailcow's API answers to `get/dkim`: an object with `dkim_txt` and `dkim_selector`, also in lists, or by domain.
fn of_json(text: &str, problems: &mut Vec<Problem>, ui: &Ui) -> Result<Vec<Found>, Code> {
    let value: Value = serde_json::from_str(text).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        fail(ui, &format!("the text begins like JSON and is none: {place}"), "copy the whole answer of the API")
    })?;
    let mut found = Vec::new();
    let mut open: Vec<(Option<&str>, &Value)> = vec![(None, &value)];
    while let Some((name, value)) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items.iter().rev().map(|item| (name, item))),
            Value::Object(fields) => {
                let text = |name: &str| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
                let Some(record) = text("dkim_txt").or_else(|| text("pubkey")) else {
                    open.extend(fields.iter().rev().map(|(name, value)| (Some(name.as_str()), value)));
                    continue;
                };
                if text("privkey").is_some() {
                    ui.warn("the JSON holds a private key, which is left out: keep it with the signer alone");
                }
                let domain = text("domain").or(name).map(str::to_owned);
                let selector = text("dkim_selector").map(str::to_owned);
                match key_material::parse(record) {
                    Ok(read) => {
                        let want = Want::Key(read.record, !read.has_tags);
                        found.push(Found { line: None, owner: None, domain, selector, want });
                    }
                    Err(error) => {
                        let remedy = "ask the API again; the record is in `dkim_txt`".to_owned();
                        problems.push(Problem { line: None, message: error.to_string(), remedy });
                    }
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Where in the configuration a key belongs.
fn placed(found: &Found, domain: Option<&Name>, selector: Option<&str>) -> Result<(Name, String, Imported), Problem> {
    let problem = |message: String, remedy: &str| Problem { line: found.line, message, remedy: remedy.to_owned() };
    let (of_owner, below) = match &found.owner {
        Some(owner) => {
            let (selector, below) =
                cut(owner).map_err(|message| problem(message, "the owner is SELECTOR._domainkey.DOMAIN"))?;
            (Some(selector), below)
        }
        None => (None, None),
    };
    let said = below.or_else(|| found.domain.as_deref().and_then(|text| Name::parse_idn(text).ok()));
    let domain = match (said, domain) {
        (Some(said), Some(given)) if said != *given => {
            let message = format!("a key of {}, not of {}", said.to_text_without_dot(), given.to_text_without_dot());
            return Err(problem(message, "leave --domain out, or paste the keys of one domain"));
        }
        (Some(said), _) => said.to_lowercase(),
        (None, Some(given)) => given.clone(),
        (None, None) => {
            return Err(problem("the text does not say whose key it is".into(), "name it: --domain DOMAIN"));
        }
    };
    let selector = match (of_owner.or_else(|| found.selector.clone()), selector) {
        (Some(said), Some(given)) if !said.eq_ignore_ascii_case(given) => {
            return Err(problem(format!("a key of the selector {said}, not {given}"), "leave --selector out"));
        }
        (Some(said), _) => said.to_ascii_lowercase(),
        (None, Some(given)) => given.to_ascii_lowercase(),
        (None, None) => {
            return Err(problem("the text does not say which selector it is".into(), "name it: --selector NAME"));
        }
    };
    let owner = mailzone_mailauth::dkim::selector_name(&selector, &domain)
        .map_err(|error| problem(error.to_string(), "give the selector alone, such as s2026"))?;
    let text = domain.to_text_without_dot();
    let mut lines = format!("[domains.{}.dkim.{}]\n", toml::string(&text), toml::key(&selector));
    let (key, cname) = match &found.want {
        Want::Alias(target) => {
            let target = format!("{}.", target.trim_end_matches('.'));
            // Writing to a String cannot fail.
            let _ = writeln!(lines, "cname = {}", toml::string(&target));
            (None, Some(target))
        }
        Want::Key(record, _) if record.key == Key::Revoked => {
            lines.push_str("revoked = true\n");
            (Some(KeyView::new(record, &owner)), None)
        }
        Want::Key(record, bare) => {
            let view = KeyView::new(record, &owner);
            // A bare key leaves the tags of a live record with the same key as they are.
            let p = record.tags().into_iter().find(|(tag, _)| tag == "p").map(|(_, p)| p).unwrap_or_default();
            // With quotes in it (a note may have them) it would be read as zone-file strings: so it is written as such.
            let txt = match *bare {
                true => &p,
                false if view.record.contains('"') => &view.zone_file,
                false => &view.record,
            };
            let _ = writeln!(lines, "txt = {}", toml::string(txt));
            (Some(view), None)
        }
    };
    let imported = Imported { domain: text, selector: selector.clone(), line: found.line, key, cname, toml: lines };
    Ok((domain, selector, imported))
}

/// Selector and domain of an owner name as it is written; no domain where it ends with `_domainkey`.
fn cut(owner: &str) -> Result<(String, Option<Name>), String> {
    let name = Name::parse_idn(owner).map_err(|error| format!("{owner} is no name: {error}"))?;
    if let Some((selector, domain)) = selector_of(&name) {
        return Ok((selector, Some(domain)));
    }
    if let Some(meant) = mailzone_mailauth::dkim::missing_underscore(&name) {
        return Err(format!("{owner} lacks the underscore of `_domainkey`: {} is meant", meant.to_text_without_dot()));
    }
    let text = owner.trim_end_matches('.');
    match text.len().checked_sub("._domainkey".len()).and_then(|at| text.split_at_checked(at)) {
        Some((selector, end)) if !selector.is_empty() && end.eq_ignore_ascii_case("._domainkey") => {
            Ok((selector.to_owned(), None))
        }
        _ => Err(format!("{owner} is no name of a DKIM record")),
    }
}

/// A key as the configuration has it, with what is to know of it before.
fn table(key: &Imported) -> String {
    let mut text = String::new();
    if let Some(view) = &key.key {
        let fingerprint = view.fingerprint.as_ref().map(|print| format!(", {print}")).unwrap_or_default();
        text = format!("{}\n", toml::comment(&format!("{}{fingerprint}", view.kind())));
        for finding in &view.findings {
            let _ = writeln!(text, "{}", toml::comment(&key_view::sentence(finding)));
        }
    }
    text + &key.toml
}
