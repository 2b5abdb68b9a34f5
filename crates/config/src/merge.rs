//! Layers of keys into one: `defaults`, profiles from left to right, the group, the domain
//! (`design.md` section 6).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::keys::{DOMAIN_KEYS, Join};
use crate::mail_texts::selector;
use crate::raw::Node;
use crate::settings::EffectiveKey;
use crate::source::Place;
use crate::texts::{owner, record_type};

/// One table that brings keys.
#[derive(Clone)]
pub(crate) struct Layer<'a> {
    pub(crate) node: Node<'a>,
    /// For people: `profiles.standard`.
    pub(crate) via: Arc<str>,
    pub(crate) is_profile: bool,
    /// Whether it gives only what every domain of a zone shares.
    pub(crate) restricted: bool,
}

/// What a domain below another configured domain takes from defaults and groups.
const SHARED: &[&str] = &["provider", "zone", "ttl"];

/// Keys that say which keys apply; they are no keys of the domain.
const ABOUT_LAYERS: &[&str] = &["domains", "domains_file", "profiles", "inherit"];

/// One effective value.
pub(crate) enum Item<'a> {
    Leaf(Leaf<'a>),
    Table(Merged<'a>),
}

/// A value that one layer brings.
pub(crate) struct Leaf<'a> {
    pub(crate) node: Node<'a>,
    pub(crate) via: Arc<str>,
    pub(crate) is_profile: bool,
}

/// Tables of several layers in one.
pub(crate) struct Merged<'a> {
    pub(crate) items: BTreeMap<Cow<'a, str>, Item<'a>>,
    /// Where the last layer that has it has it.
    pub(crate) place: Place,
    /// Whether no other layer than profiles has a part in it.
    pub(crate) is_profile: bool,
}

/// The keys of all layers, the last winning.
pub(crate) fn merge<'a>(layers: &[&Layer<'a>], place: Place) -> Merged<'a> {
    let mut merged = Merged { items: BTreeMap::new(), place, is_profile: false };
    for layer in layers {
        for (name, _, value) in layer.node.entries() {
            if ABOUT_LAYERS.contains(&name) || (layer.restricted && !SHARED.contains(&name)) {
                continue;
            }
            let Some(key) = DOMAIN_KEYS.iter().find(|key| key.name == name) else { continue };
            merged.put(Cow::Borrowed(name), value, layer, key.join);
        }
    }
    merged
}

impl<'a> Merged<'a> {
    fn put(&mut self, name: Cow<'a, str>, value: Node<'a>, layer: &Layer<'a>, join: Join) {
        let place = value.place();
        let entries: Vec<(Cow<'a, str>, Node<'a>, bool)> = match join {
            Join::Merge if value.table().is_some() => {
                value.entries().map(|(key, _, item)| (Cow::Borrowed(key), item, true)).collect()
            }
            Join::Merge => {
                self.items.insert(name, Item::Leaf(layer.leaf(value)));
                return;
            }
            Join::Entries => value
                .entries()
                .map(|(key, _, item)| (selector(key).map_or(Cow::Borrowed(key), Cow::Owned), item, false))
                .collect(),
            Join::Records => value.items().filter_map(|item| Some((record_key(&item)?.into(), item, false))).collect(),
            Join::Allow => value.items().filter_map(|item| Some((allow_key(&item)?.into(), item, false))).collect(),
        };
        if !matches!(self.items.get(&name), Some(Item::Table(_))) {
            let table = Self { items: BTreeMap::new(), place: place.clone(), is_profile: true };
            self.items.insert(name.clone(), Item::Table(table));
        }
        let Some(Item::Table(table)) = self.items.get_mut(&name) else { return };
        table.place = place;
        table.is_profile &= layer.is_profile;
        for (key, item, deep) in entries {
            if deep {
                table.put(key, item, layer, Join::Merge);
            } else {
                table.items.insert(key, Item::Leaf(layer.leaf(item)));
            }
        }
    }

    pub(crate) fn leaf(&self, key: &str) -> Option<&Leaf<'a>> {
        match self.items.get(key)? {
            Item::Leaf(leaf) => Some(leaf),
            Item::Table(_) => None,
        }
    }

    pub(crate) fn table(&self, key: &str) -> Option<&Merged<'a>> {
        match self.items.get(key)? {
            Item::Table(table) => Some(table),
            Item::Leaf(_) => None,
        }
    }

    /// The entries that are single values.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = (&str, &Leaf<'a>)> {
        self.items.iter().filter_map(|(key, item)| match item {
            Item::Leaf(leaf) => Some((key.as_ref(), leaf)),
            Item::Table(_) => None,
        })
    }

    /// Every effective key with its place, sorted by key.
    pub(crate) fn effective(&self) -> Arc<[EffectiveKey]> {
        let mut keys = Vec::new();
        self.collect("", &mut keys);
        keys.sort_by(|a: &EffectiveKey, b| a.key.cmp(&b.key));
        keys.into()
    }

    fn collect(&self, prefix: &str, keys: &mut Vec<EffectiveKey>) {
        for (name, item) in &self.items {
            let path = format!("{prefix}{}", name.replace(' ', "."));
            match item {
                Item::Table(table) => table.collect(&format!("{path}."), keys),
                Item::Leaf(leaf) => collect_leaf(&path, &leaf.node, &leaf.via, keys),
            }
        }
    }
}

fn collect_leaf(path: &str, node: &Node<'_>, via: &Arc<str>, keys: &mut Vec<EffectiveKey>) {
    if node.table().is_none() {
        keys.push(EffectiveKey { key: path.into(), place: node.place(), via: Arc::clone(via) });
    }
    for (name, _, value) in node.entries() {
        collect_leaf(&format!("{path}.{name}"), &value, via, keys);
    }
}

impl<'a> Layer<'a> {
    fn leaf(&self, node: Node<'a>) -> Leaf<'a> {
        Leaf { node, via: Arc::clone(&self.via), is_profile: self.is_profile }
    }
}

/// `www CNAME`: what records are joined by. Owner names are relative in all layers alike.
pub(crate) fn record_key(item: &Node<'_>) -> Option<String> {
    let name = item.get("name")?.text()?;
    let rtype = record_type(item.get("type")?.text()?).ok()?;
    Some(format!("{} {rtype}", owner_key(name)?))
}

/// `GUARD-MX www`: what permissions are joined by.
pub(crate) fn allow_key(item: &Node<'_>) -> Option<String> {
    let code = item.get("code")?.text()?;
    match item.get("name") {
        None => Some(code.to_owned()),
        Some(name) => Some(format!("{code} {}", owner_key(name.text()?)?)),
    }
}

fn owner_key(name: &str) -> Option<String> {
    let root = owner(name, None).ok()?;
    if root.is_root() {
        return Some("@".to_owned());
    }
    let absolute = name.ends_with('.') && !name.ends_with("\\.");
    Some(if absolute { root.to_string() } else { root.to_text_without_dot() })
}
