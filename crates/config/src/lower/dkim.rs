//! DKIM keys: where they come from, and the record made of them.

use std::collections::BTreeMap;

use mailzone_mailauth::dkim::key_material::{self, KeyMaterialError};
use mailzone_mailauth::dkim::{Key, KeyRecord};

use super::Lowering;
use super::domain::word;
use crate::diagnostic::Diagnostic;
use crate::domain::{DkimKey, DkimSetting, Slot};
use crate::merge::Merged;
use crate::raw::Node;
use crate::source::Located;
use crate::texts;

/// The keys that say what a selector holds; one of them stands.
const FORMS: &[&str] = &["public_key_file", "record_file", "private_key_file", "txt", "cname", "revoked"];

impl Lowering<'_, '_> {
    pub(super) fn dkim(&mut self, table: Option<&Merged<'_>>) -> BTreeMap<String, Located<Slot<DkimSetting>>> {
        let mut keys = BTreeMap::new();
        for (selector, leaf) in table.iter().flat_map(|table| table.leaves()) {
            let slot = match leaf.node.text() {
                Some(text) => word(text),
                None => self.dkim_key(&leaf.node).map(Slot::Want),
            };
            if let Some(slot) = slot {
                keys.insert(selector.to_owned(), leaf.with(slot));
            }
        }
        keys
    }

    fn dkim_key(&mut self, node: &Node<'_>) -> Option<DkimSetting> {
        node.table()?;
        let mut forms = FORMS.iter().filter_map(|form| Some((*form, node.get(form)?)));
        let Some((form, value)) = forms.next() else {
            let diagnostic = Diagnostic::error("a DKIM key without a key").at(node.place());
            self.report.add(diagnostic.help(format!("name one of {}", FORMS.join(", "))));
            return None;
        };
        if let Some((other, second)) = forms.next() {
            let diagnostic = Diagnostic::error(format!("`{form}` and `{other}` exclude each other")).at(second.place());
            self.report.add(diagnostic.related(value.place(), "the other"));
            return None;
        }
        let tags = ["flags", "services", "hashes", "note"].iter().find_map(|tag| Some((*tag, node.get(tag)?)));
        if let (Some((tag, place)), "cname" | "revoked") = (&tags, form) {
            let message = format!("`{tag}` says nothing beside `{form}`");
            self.report.add(Diagnostic::error(message).at(place.place()).related(value.place(), "here"));
            return None;
        }
        match form {
            "cname" => texts::name(value.text()?).ok().map(DkimSetting::Cname),
            "revoked" => Some(DkimSetting::Key(DkimKey {
                text: KeyRecord::new(Key::Revoked).to_string(),
                keep_live_tags: false,
                flags: None,
                services: None,
                hashes: None,
                note: None,
            })),
            "txt" => self.key(form, &value, value.text()?, node).map(DkimSetting::Key),
            _ => {
                let file = self.file(form, &value)?;
                self.key(form, &value, file.text(), node).map(DkimSetting::Key)
            }
        }
    }

    /// The record of a key that was read from `text`, with the tags that `node` gives.
    fn key(&mut self, form: &str, value: &Node<'_>, text: &str, node: &Node<'_>) -> Option<DkimKey> {
        let read =
            if form == "private_key_file" { key_material::parse_private(text) } else { key_material::parse(text) };
        let material = match read {
            Ok(material) => material,
            Err(error) => {
                let diagnostic = Diagnostic::error(format!("`{form}`: {error}"));
                // The line that holds a private key is not shown to anybody.
                self.report.add(if form == "txt" && error == KeyMaterialError::Private {
                    Diagnostic::error(format!("{}: `txt`: {error}", value.place()))
                } else {
                    diagnostic.at(value.place())
                });
                return None;
            }
        };
        if form == "public_key_file" && material.has_tags {
            let diagnostic = Diagnostic::error("`public_key_file`: the file holds a whole record").at(value.place());
            self.report.add(diagnostic.help("name it as `record_file`, which takes the record's tags too"));
            return None;
        }
        let words = |tag| {
            node.get(tag).map(|list| list.items().filter_map(|item| Some(item.text()?.to_owned())).collect::<Vec<_>>())
        };
        let given = DkimKey {
            text: String::new(),
            keep_live_tags: !material.has_tags,
            flags: words("flags"),
            services: words("services"),
            hashes: words("hashes"),
            note: node.get("note").and_then(|note| Some(note.text()?.to_owned())),
        };
        let mut record = material.record;
        if let Some(flags) = &given.flags {
            record.flags = flags.clone();
        }
        record.services = given.services.clone().or(record.services);
        record.hashes = given.hashes.clone().or(record.hashes);
        record.note = given.note.clone().or(record.note);
        Some(DkimKey { text: record.to_string(), ..given })
    }
}
