//! `mailzone dkim show`.

use std::fmt::Write as _;
use std::path::Path;

use mailzone_engine::Code;
use mailzone_keys::{looks_private, read_private};
use mailzone_mailauth::dkim::key_material::KeyMaterial;
use mailzone_mailauth::dkim::paste::{self, Content};
use mailzone_mailauth::dkim::{Key, KeyRecord, PublicKey};
use mailzone_plan::document::Exit;
use mailzone_record::Name;
use mailzone_report::escape;
use serde::Serialize;

use crate::args::{Format, Global};
use crate::cmd::shared::{envelope, only};
use crate::ui::Ui;

use super::key_view::{self, KeyView};
use super::{ShowArgs, fail, input};

/// What is in a file.
#[derive(Debug, Serialize)]
struct FileView {
    file: String,
    keys: Vec<Shown>,
}

/// One key of a file.
#[derive(Debug, Serialize)]
struct Shown {
    /// `private key`, `public key` or `record`.
    what: &'static str,
    /// How a private key is written.
    form: Option<String>,
    /// The owner name before a record, as written.
    owner: Option<String>,
    #[serde(flatten)]
    key: KeyView,
}

#[derive(Debug, Serialize)]
struct View {
    files: Vec<FileView>,
}

/// Shows the public half of whatever is in the files.
pub(super) fn run(global: &Global, args: &ShowArgs, ui: &Ui) -> Result<Code, Code> {
    only(global, &[Format::Text, Format::Json], ui)?;
    let mut files = Vec::new();
    let mut code = Code::Done;
    for path in &args.files {
        match file(path, ui) {
            Ok((keys, whole)) => {
                if !whole {
                    code = Code::Error;
                }
                files.push(FileView { file: path.to_string_lossy().into_owned(), keys });
            }
            Err(failed) => code = failed,
        }
    }
    match global.format {
        Format::Json => {
            ui.data(&envelope(View { files }, Exit { code: code.number(), zones: Vec::new() }));
        }
        _ => {
            for file in &files {
                ui.data(&text(file));
            }
        }
    }
    Ok(code)
}

/// The keys of a file, and whether all that is in it was read.
fn file(path: &Path, ui: &Ui) -> Result<(Vec<Shown>, bool), Code> {
    let (octets, exposure) = input::read(path, ui)?;
    let name = path.display();
    let text = std::str::from_utf8(&octets);
    // A private key beside a record is rspamd's output: both are shown.
    let is_private = looks_private(&octets) || text.is_err();
    let mut keys = Vec::new();
    let mut whole = true;
    if is_private {
        let private = read_private(&octets).map_err(|error| fail(ui, &format!("{name}: {error}"), error.remedy()))?;
        if let Some(exposure) = exposure {
            ui.warn(&format!("{name}: {exposure}; `chmod 600 {name}` mends it"));
        }
        let record = KeyRecord::new(Key::Public(private.public));
        let form = Some(private.form.to_string());
        keys.push(Shown { what: "private key", form, owner: None, key: KeyView::new(&record, &key_view::nowhere()) });
    }
    for piece in text.map(paste::read).unwrap_or_default() {
        let place = format!("{name}, line {}", piece.line);
        match piece.content {
            Ok(Content::Key(material)) if may_be_seed(&material, text.unwrap_or_default()) => {
                return Err(fail(ui, &format!("{place}: {SEED}"), SEED_REMEDY));
            }
            Ok(Content::Key(material)) => {
                let owner = piece.owner.as_deref().and_then(|owner| Name::parse(owner).ok());
                let key = KeyView::new(&material.record, &owner.unwrap_or_else(key_view::nowhere));
                let what = if material.has_tags { "record" } else { "public key" };
                keys.push(Shown { what, form: None, owner: piece.owner, key });
            }
            Ok(Content::Private | Content::Foreign | Content::Alias(_)) => {}
            Err(error) => {
                ui.error(&format!("{place}: {error}"), None);
                whole = false;
            }
        }
    }
    if keys.is_empty() && whole {
        return Err(fail(ui, &format!("{name}: no key in it"), "name a key file, or a record as the signer prints it"));
    }
    Ok((keys, whole))
}

/// Why 32 octets alone are not taken for a public key.
pub(super) const SEED: &str = "32 octets alone: an Ed25519 public key, or a private one as rspamd writes it";

/// What to do then.
pub(super) const SEED_REMEDY: &str =
    "if it is public, write it as `k=ed25519; p=…`; a private key must never be published";

/// Whether this may be the seed of a private key, which looks like an Ed25519 public key.
pub(super) fn may_be_seed(material: &KeyMaterial, text: &str) -> bool {
    let ed25519 = matches!(material.record.public_key(), Some(PublicKey::Ed25519(_)));
    // SubjectPublicKeyInfo, in PEM or as it begins in base64, cannot be private.
    let is_public = text.contains("BEGIN PUBLIC KEY") || text.contains("MCowBQYDK2Vw");
    ed25519 && !material.has_tags && !is_public
}

fn text(file: &FileView) -> String {
    let mut text = format!("{}\n", escape::line(&file.file));
    for shown in &file.keys {
        let form = shown.form.as_ref().map(|form| format!(" ({form})")).unwrap_or_default();
        let owner = shown.owner.as_ref().map(|owner| format!(" of {owner}")).unwrap_or_default();
        let mut line = |line: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {}", escape::line(line));
        };
        line(&format!("{}{form}{owner}: {}", shown.what, shown.key.kind()));
        if let Some(fingerprint) = &shown.key.fingerprint {
            line(&format!("  fingerprint  {fingerprint}"));
        }
        line(&format!("  record       {}", shown.key.record));
        line(&format!("  zone file    TXT {}", shown.key.zone_file));
        text.push_str(&key_view::findings(&shown.key.findings, "    "));
    }
    text
}
