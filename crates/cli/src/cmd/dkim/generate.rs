//! `mailzone dkim generate`.

use std::fmt::Write as _;
use std::path::Path;

use mailzone_engine::Code;
use mailzone_keys::{Files, KeyPair, NewKey};
use mailzone_mailauth::dkim::selector_name;
use mailzone_plan::document::Exit;
use mailzone_record::Name;
use mailzone_report::escape;
use serde::Serialize;

use crate::args::{Format, Global};
use crate::cmd::import::toml;
use crate::cmd::shared::{envelope, only};
use crate::ui::Ui;

use super::key_view::{self, KeyView};
use super::signers::Signers;
use super::{GenerateArgs, KeyKind, fail, input};

/// A key that was made. Nothing of the private key is in it.
#[derive(Debug, Serialize)]
struct Generated {
    domain: Option<String>,
    selector: String,
    /// Where the record goes: below the domain where there is one, else relative to it.
    owner: String,
    private_key_file: String,
    public_key_file: String,
    #[serde(flatten)]
    key: KeyView,
    /// The configuration to add.
    toml: Option<String>,
    signers: Option<Signers>,
}

/// Makes a key, writes its files, and prints everything that has to be set up for it.
pub(super) fn run(global: &Global, args: &GenerateArgs, ui: &Ui) -> Result<Code, Code> {
    only(global, &[Format::Text, Format::Json], ui)?;
    let new = new_key(args, ui)?;
    let domain = args.domain.as_deref().map(|domain| parse_domain(domain, ui)).transpose()?;
    let selector = args.selector.to_ascii_lowercase();
    let owner = owner(&selector, domain.as_ref(), ui)?;
    let domain = domain.map(|domain| domain.to_text_without_dot());
    let name = domain.as_ref().map_or_else(|| selector.clone(), |domain| format!("{domain}.{selector}"));
    let files = Files::at(&args.out, &name);
    ui.progress("making the key");
    let pair = KeyPair::generate(new).map_err(|error| fail(ui, &error.to_string(), "try again"))?;
    files.save(&pair).map_err(|error| input::file_error(&error, ui))?;
    let key = KeyView::new(&pair.record(), &owner);
    let absolute = std::path::absolute(&files.private).unwrap_or_else(|_| files.private.clone());
    let public_key_file = shown(&files.public);
    let generated = Generated {
        owner: match &domain {
            Some(_) => owner.to_text_without_dot(),
            None => format!("{selector}._domainkey"),
        },
        toml: domain.as_ref().map(|domain| {
            let table = format!("[domains.{}.dkim.{}]", toml::string(domain), toml::key(&selector));
            format!("{table}\npublic_key_file = {}", toml::string(&public_key_file))
        }),
        signers: domain
            .as_ref()
            .map(|domain| Signers::new(domain, &selector, &absolute, args.r#type == KeyKind::Ed25519)),
        private_key_file: shown(&files.private),
        public_key_file,
        selector,
        domain,
        key,
    };
    match global.format {
        Format::Json => ui.data(&envelope(generated, Exit { code: Code::Done.number(), zones: Vec::new() })),
        _ => ui.data(&text(&generated)),
    };
    Ok(Code::Done)
}

fn new_key(args: &GenerateArgs, ui: &Ui) -> Result<NewKey, Code> {
    match (args.r#type, args.bits) {
        (KeyKind::Ed25519, None) => Ok(NewKey::Ed25519),
        (KeyKind::Ed25519, Some(_)) => Err(fail(ui, "an Ed25519 key has one size", "leave --bits out")),
        (KeyKind::Rsa, None | Some(2048)) => Ok(NewKey::Rsa2048),
        (KeyKind::Rsa, Some(3072)) => Ok(NewKey::Rsa3072),
        (KeyKind::Rsa, Some(4096)) => Ok(NewKey::Rsa4096),
        (KeyKind::Rsa, Some(bits @ ..2048)) => {
            let message =
                format!("an RSA key of {bits} bits is too small: signers should use 2048 (RFC 8301 section 3.2)");
            Err(fail(ui, &message, "leave --bits out"))
        }
        (KeyKind::Rsa, Some(bits @ 4097..)) => {
            let message =
                format!("an RSA key of {bits} bits is too large: receivers need not verify it (RFC 8301 section 3.2)");
            Err(fail(ui, &message, "leave --bits out"))
        }
        (KeyKind::Rsa, Some(bits)) => {
            Err(fail(ui, &format!("no RSA keys of {bits} bits are made here"), "take 2048, 3072 or 4096"))
        }
    }
}

/// A domain of the command line.
pub(super) fn parse_domain(text: &str, ui: &Ui) -> Result<Name, Code> {
    match Name::parse_idn(text) {
        Ok(name) if !name.is_root() => Ok(name.to_lowercase()),
        Ok(_) => Err(fail(ui, "the root is no domain of yours", "name a domain")),
        Err(error) => Err(fail(ui, &format!("{text} is no domain name: {error}"), "")),
    }
}

/// The owner name of a selector's record; below a name that is nowhere without a domain.
pub(super) fn owner(selector: &str, domain: Option<&Name>, ui: &Ui) -> Result<Name, Code> {
    let nowhere = Name::parse("invalid").unwrap_or_else(|_| Name::root());
    selector_name(selector, domain.unwrap_or(&nowhere))
        .map_err(|error| fail(ui, &error.to_string(), "give the selector alone, such as s2026"))
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn text(made: &Generated) -> String {
    let mut text = String::new();
    let line = |text: &mut String, indent: &str, line: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{indent}{}", escape::line(line));
    };
    let fingerprint = made.key.fingerprint.as_deref().unwrap_or_default();
    line(&mut text, "", &format!("{}  {}, {fingerprint}", made.owner, made.key.kind()));
    line(&mut text, "  ", &format!("private key  {}  (only you can read it)", made.private_key_file));
    line(&mut text, "  ", &format!("public key   {}", made.public_key_file));
    text.push_str(&key_view::findings(&made.key.findings, "  "));
    text.push_str("\nThe record\n");
    let dot = if made.domain.is_some() { "." } else { "" };
    line(&mut text, "  ", &format!("{}{dot} TXT {}", made.owner, made.key.zone_file));
    if let Some(toml) = &made.toml {
        text.push_str("\nmailzone.toml; the path is relative to it\n");
        for part in toml.lines() {
            line(&mut text, "  ", part);
        }
    }
    if let Some(signers) = &made.signers {
        text.push_str(&signers.text());
    }
    text.push_str("\nFirst publish the record, and let the signer use the key only when this says that it is safe:\n");
    let domain = made.domain.as_deref().unwrap_or("DOMAIN");
    let command =
        format!("mailzone dkim test {domain} --selector {} --private-key {}", made.selector, made.private_key_file);
    line(&mut text, "  ", &command);
    text
}
