//! Checked TOML into [`Settings`].
//!
//! What `check` has already refused is passed over in silence here: every function reads what it can.

mod client;
mod dkim;
mod domain;
mod mail;
mod providers;
mod senders;
mod services;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mailzone_record::Name;

use crate::diagnostic::Diagnostic;
use crate::domain::Domain;
use crate::mail_texts::quoted_key;
use crate::merge::{Layer, Merged, merge};
use crate::raw::{Node, Report};
use crate::settings::{EffectiveKey, Host, Settings};
use crate::source::{Place, SourceFile};
use crate::suggest::nearest;
use crate::texts;

/// Reads a file that the configuration names; an error is a lower-case fragment.
pub(crate) type Read<'r> = dyn FnMut(&Path) -> Result<Arc<SourceFile>, String> + 'r;

/// Everything that the files define, before domains are put together.
pub(crate) struct Lowering<'a, 'r> {
    pub(super) report: &'r mut Report,
    read: &'r mut Read<'r>,
    texts: HashMap<PathBuf, Result<Arc<SourceFile>, String>>,
    profiles: BTreeMap<&'a str, Layer<'a>>,
    groups: BTreeMap<&'a str, Layer<'a>>,
    defaults: Option<Layer<'a>>,
    provider_names: Vec<String>,
    pub(super) hosts: BTreeMap<Name, Host>,
}

/// Where a domain is named.
struct Member<'a> {
    /// In its own table, else in a group.
    place: Place,
    own: Option<Layer<'a>>,
    group: Option<(&'a str, Place)>,
}

type Shared<'a> = (Merged<'a>, Arc<[EffectiveKey]>);

/// Puts the parsed files together; `roots` are their root tables, the built-in profiles last.
pub(crate) fn lower<'a>(roots: &[Node<'a>], read: &mut Read<'_>, report: &mut Report) -> Settings {
    let mut settings = Settings {
        files: Vec::new(),
        state_base: PathBuf::new(),
        providers: BTreeMap::new(),
        dns: services::dns(one(roots, "dns", report).as_ref()),
        propagation: services::propagation(one(roots, "propagation", report).as_ref()),
        latency: services::latency(one(roots, "latency", report).as_ref()),
        hosts: BTreeMap::new(),
        senders: BTreeMap::new(),
        look: services::look(one(roots, "look", report).as_ref()),
        domains: BTreeMap::new(),
        warnings: Vec::new(),
    };
    for (name, (_, node)) in entries(roots, "providers", report) {
        if let Some(provider) = providers::provider(&node, report) {
            settings.providers.insert(name.to_owned(), provider);
        }
    }
    for (name, (_, node)) in entries(roots, "sender", report) {
        if let Some(sender) = services::sender(&node, report) {
            settings.senders.insert(name.to_owned(), sender);
        }
    }
    let layers = |section: &str, is_profile, report: &mut Report| -> BTreeMap<&'a str, Layer<'a>> {
        let layer = |(name, (_, node)): (&'a str, (Place, Node<'a>))| {
            let via = format!("{section}.{}", quoted_key(name)).into();
            (name, Layer { node, via, is_profile, restricted: false })
        };
        entries(roots, section, report).into_iter().map(layer).collect()
    };
    let defaults = one(roots, "defaults", report);
    let mut lowering = Lowering {
        profiles: layers("profiles", true, report),
        groups: layers("groups", false, report),
        defaults: defaults.map(|node| Layer { node, via: "defaults".into(), is_profile: false, restricted: false }),
        // A provider that could not be read is no reason to call its name unknown.
        provider_names: entries(roots, "providers", report).into_keys().map(str::to_owned).collect(),
        hosts: BTreeMap::new(),
        texts: HashMap::new(),
        report,
        // The reborrow shortens the reader's lifetime to that of this function.
        read: &mut |path| read(path),
    };
    let mut hosts: BTreeMap<Name, (Place, Node<'a>)> = BTreeMap::new();
    for (key, place, node) in all_entries(roots, "hosts") {
        let Ok(name) = texts::host_name(key) else { continue };
        if let Some((first, _)) = hosts.get(&name) {
            twice(&format!("the host {}", name.to_text_without_dot()), place, first.clone(), lowering.report);
        } else {
            hosts.insert(name, (place, node));
        }
    }
    for (name, (place, node)) in hosts {
        let host = lowering.host(name.clone(), place, &node);
        lowering.hosts.insert(name, host);
    }
    services::one_ptr_each(&lowering.hosts, lowering.report);
    let authorities = one(roots, "look", lowering.report).and_then(|look| look.get("ca_file"));
    settings.look.authorities = authorities.and_then(|node| {
        let file = lowering.file("ca_file", &node)?;
        Some(services::located(&node, file.text().to_owned()))
    });
    let members = lowering.members(roots);
    settings.domains = lowering.domains(&members);
    settings.hosts = std::mem::take(&mut lowering.hosts);
    lowering.host_providers(&mut settings);
    settings
}

impl<'a> Lowering<'a, '_> {
    /// Every domain that is named, each once.
    fn members(&mut self, roots: &[Node<'a>]) -> BTreeMap<Name, Member<'a>> {
        let mut members: BTreeMap<Name, Member<'a>> = BTreeMap::new();
        for (key, place, node) in all_entries(roots, "domains") {
            let Ok(name) = texts::name(key) else { continue };
            if let Some(first) = members.get(&name) {
                twice(&format!("the domain {}", name.to_text_without_dot()), place, first.place.clone(), self.report);
                continue;
            }
            let via = format!("domains.{}", quoted_key(key)).into();
            let own = Some(Layer { node, via, is_profile: false, restricted: false });
            members.insert(name, Member { place, own, group: None });
        }
        let mut grouped: Vec<(&'a str, Name, Place)> = Vec::new();
        for (group, layer) in &self.groups {
            for node in layer.node.get("domains").iter().flat_map(Node::items) {
                let Some(Ok(name)) = node.text().map(texts::name) else { continue };
                grouped.push((group, name, node.place()));
            }
        }
        let files: Vec<_> =
            self.groups.iter().filter_map(|(group, layer)| Some((*group, layer.node.get("domains_file")?))).collect();
        for (group, node) in files {
            if let Some(file) = self.file("domains_file", &node) {
                domain_list(&file, self.report, |name, place| grouped.push((group, name, place)));
            }
        }
        for (group, name, place) in grouped {
            let member =
                members.entry(name.clone()).or_insert_with(|| Member { place: place.clone(), own: None, group: None });
            if let Some((_, first)) = &member.group {
                twice(&format!("the domain {}", name.to_text_without_dot()), place, first.clone(), self.report);
            } else {
                member.group = Some((group, place));
            }
        }
        members
    }

    fn domains(&mut self, members: &BTreeMap<Name, Member<'a>>) -> BTreeMap<Name, Domain> {
        // The domains of a group that say nothing themselves share one set of keys.
        let mut shared: HashMap<(&str, bool), Shared<'a>> = HashMap::new();
        let mut domains = BTreeMap::new();
        for (name, member) in members {
            let below = name.parent().is_some_and(|parent| crate::domain::nearest(members, &parent).is_some());
            let group = member.group.as_ref().and_then(|(group, _)| Some((*group, self.groups.get(group)?.clone())));
            let restricted = below && !self.inherits(member.own.as_ref(), group.as_ref().map(|(_, layer)| layer));
            let domain = match (&member.own, &group) {
                (None, Some((group_name, layer))) => {
                    if !shared.contains_key(&(*group_name, restricted)) {
                        let merged = self.merged(None, Some(layer), restricted, &member.place);
                        let effective = merged.effective();
                        shared.insert((group_name, restricted), (merged, effective));
                    }
                    let Some((merged, effective)) = shared.get(&(*group_name, restricted)) else { continue };
                    self.domain(name, &member.place, merged, Arc::clone(effective))
                }
                (own, group) => {
                    let merged =
                        self.merged(own.as_ref(), group.as_ref().map(|(_, layer)| layer), restricted, &member.place);
                    let effective = merged.effective();
                    self.domain(name, &member.place, &merged, effective)
                }
            };
            if let Some(domain) = domain {
                domains.insert(name.clone(), domain);
            }
        }
        domains
    }

    /// Whether the nearest layer that says so says that all keys are inherited.
    fn inherits(&self, own: Option<&Layer<'a>>, group: Option<&Layer<'a>>) -> bool {
        let layers = [own, group, self.defaults.as_ref()];
        layers.into_iter().flatten().find_map(|layer| layer.node.get("inherit")?.bool()).unwrap_or(false)
    }

    fn merged(
        &mut self,
        own: Option<&Layer<'a>>,
        group: Option<&Layer<'a>>,
        restricted: bool,
        place: &Place,
    ) -> Merged<'a> {
        let shared = |layer: &Layer<'a>| Layer { restricted, ..layer.clone() };
        let defaults = self.defaults.as_ref().map(shared);
        let group = group.map(shared);
        let naming = [own, group.as_ref(), defaults.as_ref()];
        let named =
            naming.into_iter().flatten().filter(|layer| !layer.restricted).find_map(|layer| layer.node.get("profiles"));
        let mut profiles = Vec::new();
        for node in named.iter().flat_map(Node::items) {
            let Some(name) = node.text() else { continue };
            match self.profiles.get(name) {
                Some(layer) => profiles.push(layer.clone()),
                None => unknown("profile", name, node.place(), self.profiles.keys().copied(), self.report),
            }
        }
        let layers: Vec<&Layer<'a>> = defaults.iter().chain(&profiles).chain(&group).chain(own).collect();
        merge(&layers, place.clone())
    }

    /// A file that the value of `key` names; each is read once.
    pub(super) fn file(&mut self, key: &str, node: &Node<'_>) -> Option<Arc<SourceFile>> {
        let path = node.text().filter(|text| !text.is_empty())?;
        let path = node.file.directory.join(path);
        let read = &mut self.read;
        match self.texts.entry(path).or_insert_with_key(|path| read(path)) {
            Ok(file) => Some(Arc::clone(file)),
            Err(error) => {
                let error = error.clone();
                self.report.add(Diagnostic::error(format!("`{key}`: {error}")).at(node.place()));
                None
            }
        }
    }
}

/// Errors in the lists of every layer of a file, whether a domain uses it or not.
pub(crate) fn repeated_in(root: &Node<'_>, report: &mut Report) {
    if let Some(defaults) = root.get("defaults") {
        domain::repeated_entries(&defaults, report);
    }
    for section in ["profiles", "groups", "domains"] {
        for (_, _, layer) in root.get(section).iter().flat_map(|node| node.entries().collect::<Vec<_>>()) {
            domain::repeated_entries(&layer, report);
        }
    }
}

/// The names of a `domains_file`: one a line, `#` begins a comment.
fn domain_list(file: &Arc<SourceFile>, report: &mut Report, mut add: impl FnMut(Name, Place)) {
    let mut start = 0;
    for line in file.text().split_inclusive('\n') {
        let written = line.split('#').next().unwrap_or(line);
        let text = written.trim();
        if !text.is_empty() {
            let at = start + written.len() - written.trim_start().len();
            let place = file.place(at..at + text.len());
            match texts::name(text) {
                Ok(name) => add(name, place),
                Err(fault) => report.add(Diagnostic::error(fault.message).at(place)),
            }
        }
        start += line.len();
    }
}

/// A section that may stand once in all files.
fn one<'a>(roots: &[Node<'a>], section: &str, report: &mut Report) -> Option<Node<'a>> {
    let mut first: Option<Node<'a>> = None;
    for node in roots.iter().filter_map(|root| root.get(section)) {
        match &first {
            Some(first) => twice(&format!("the table `{section}`"), node.place(), first.place(), report),
            None => first = Some(node),
        }
    }
    first
}

/// The entries of a section of all files, in the order in which they are written.
fn all_entries<'a>(roots: &[Node<'a>], section: &str) -> Vec<(&'a str, Place, Node<'a>)> {
    let of_file = |node: Node<'a>| {
        let mut entries: Vec<_> = node.entries().collect();
        entries.sort_by_key(|(_, place, _)| place.start);
        entries
    };
    roots.iter().filter_map(|root| root.get(section)).flat_map(of_file).collect()
}

/// The entries of a section of all files, each name once.
fn entries<'a>(roots: &[Node<'a>], section: &str, report: &mut Report) -> BTreeMap<&'a str, (Place, Node<'a>)> {
    let mut found: BTreeMap<&'a str, (Place, Node<'a>)> = BTreeMap::new();
    // The built-in profiles come last, so that a file's second definition is the one complained of.
    for (name, place, node) in all_entries(roots, section) {
        let Some((first, _)) = found.get(name) else {
            found.insert(name, (place, node));
            continue;
        };
        if Arc::ptr_eq(&place.source, &roots.last().map_or_else(|| place.source.clone(), |root| Arc::clone(root.file)))
        {
            let diagnostic = Diagnostic::error(format!("`{name}` is the name of a built-in profile"));
            report.add(diagnostic.at(first.clone()).help("choose another name"));
        } else {
            twice(&format!("`{section}.{}`", quoted_key(name)), place, first.clone(), report);
        }
    }
    found
}

pub(super) fn twice(what: &str, second: Place, first: Place, report: &mut Report) {
    let diagnostic = Diagnostic::error(format!("{what} is defined twice")).at(second).label("defined again here");
    report.add(diagnostic.related(first, "first defined here"));
}

/// A reference to something that no file defines.
pub(super) fn unknown<'n>(
    what: &str,
    name: &str,
    place: Place,
    known: impl Iterator<Item = &'n str>,
    report: &mut Report,
) {
    let known: Vec<&str> = known.collect();
    let diagnostic = Diagnostic::error(format!("no {what} is called `{name}`")).at(place);
    report.add(match nearest(name, known.iter().copied()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None if known.is_empty() => diagnostic.help(format!("no {what} is configured")),
        None => diagnostic.help(format!("configured: {}", known.join(", "))),
    });
}
