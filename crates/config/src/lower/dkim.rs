//! DKIM keys: where they come from, and the record made of them.

use std::collections::BTreeMap;

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
                text: "v=DKIM1; p=".to_owned(),
                keep_live_tags: false,
                flags: None,
                services: None,
                hashes: None,
                note: None,
            })),
            _ => None,
        }
    }
}
