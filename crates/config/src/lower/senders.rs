//! What sending services ask for, by preset: records of their own, and terms and hosts in the domain's.

use std::collections::BTreeMap;

use mailzone_mailauth::client_settings::{HOSTS, service_of};
use mailzone_mailauth::dkim::key_material;
use mailzone_mailauth::spf::{self, Modifier, Term, TermKind};
use mailzone_record::{Mx, Name, Rdata, RecordType, Txt, parse_rdata_text};

use super::Lowering;
use crate::diagnostic::Diagnostic;
use crate::domain::{Domain, MxSetting, SenderRecord, SenderSetting, Slot};
use crate::merge::{Item, Leaf, Merged};
use crate::raw::{Node, Report};
use crate::senders::{KeyTemplate, Preset, Values, expand, presets};
use crate::source::Place;
use crate::texts;

/// One service of a domain.
struct Service<'a, 'n> {
    preset: &'static Preset,
    leaf: &'a Leaf<'n>,
    values: Values,
}

/// A name that another key of the domain has records at; `None`: of every type.
struct Taken {
    name: Name,
    rtype: Option<RecordType>,
    by: String,
    place: Place,
}

impl Lowering<'_, '_> {
    /// Adds what the senders of a domain ask for, once everything else of it is known.
    pub(super) fn senders(&mut self, domain: &mut Domain, keys: &Merged<'_>) {
        let Some(table) = keys.table("senders") else { return };
        let mut taken = taken(domain);
        let mut sending = Vec::new();
        for (name, leaf) in table.leaves() {
            let Some(preset) = presets().get(name) else { continue };
            if leaf.node.text() == Some("unmanaged") {
                domain.senders.insert(name.to_owned(), leaf.with(Slot::Unmanaged));
                continue;
            }
            if leaf.node.table().is_none() {
                continue;
            }
            let service = Service { preset, leaf, values: values(preset, &leaf.node) };
            let setting = service.setting(&domain.name);
            for ((owner, rtype), record) in setting.records.iter().filter(|(_, record)| !record.shared) {
                if let Some(other) = taken.iter().find(|other| other.excludes(owner, *rtype)) {
                    self.collision(&service, owner, *rtype, other);
                }
                let place = leaf.node.place();
                let rtype = (!record.is_key).then_some(*rtype);
                taken.push(Taken { name: owner.clone(), rtype, by: format!("senders.{name}"), place });
            }
            if !setting.absent {
                service.unpublished(domain, &setting, self.report);
                self.sender_mx(domain, &service);
                sending.push(service);
            }
            let located = leaf.with(Slot::Want(setting));
            domain.senders.insert(name.to_owned(), located);
        }
        merge_spf(domain, keys, &sending, self.report);
    }

    fn collision(&mut self, service: &Service<'_, '_>, owner: &Name, rtype: RecordType, other: &Taken) {
        let name = &service.preset.name;
        let owner = owner.to_text_without_dot();
        let message = format!("the sender {name} wants {rtype} at {owner}, which `{}` has", other.by);
        let diagnostic = Diagnostic::error(message).at(service.leaf.node.place());
        let diagnostic = diagnostic.label(format!("from {}", service.leaf.via)).related(other.place.clone(), "here");
        self.report.add(diagnostic.help("keep one of the two"));
    }

    /// `mx = true`: the service takes the domain's mail.
    fn sender_mx(&mut self, domain: &mut Domain, service: &Service<'_, '_>) {
        let Some(wanted) = service.leaf.node.get("mx").filter(|wanted| wanted.bool() == Some(true)) else { return };
        let hosts = service.preset.mx.iter().filter_map(|(preference, host)| {
            let exchange = Name::parse(&expand(host, &domain.name, &service.values)?).ok()?.to_lowercase();
            Some(Mx { preference: *preference, exchange })
        });
        let hosts: Vec<Mx> = hosts.collect();
        if let Some(mx) = domain.mx.as_ref().filter(|mx| is_set(&mx.value)) {
            let message =
                format!("the sender {} is to take the domain's mail, which `mx` says too", service.preset.name);
            let diagnostic = Diagnostic::error(message).at(wanted.place()).label(format!("from {}", service.leaf.via));
            self.report.add(diagnostic.related(mx.place.clone(), "here").help("keep one of the two"));
        } else if hosts.len() == service.preset.mx.len() {
            let mx = service.leaf.with(Slot::Want(MxSetting::Hosts(hosts)));
            domain.mx = Some(crate::Located { place: wanted.place(), ..mx });
        }
    }
}

impl Service<'_, '_> {
    fn flag(&self, key: &str) -> bool {
        self.leaf.node.get(key).and_then(|value| value.bool()) == Some(true)
    }

    fn setting(&self, domain: &Name) -> SenderSetting {
        let mut setting = SenderSetting { records: BTreeMap::new(), absent: self.flag("absent") };
        for key in &self.preset.dkim {
            for (owner, values) in self.selectors(key, domain) {
                let targets = || key.cname.iter().find_map(|target| expand(target, domain, &values));
                let (value, keep_live_tags) = match &key.key {
                    None => match targets().and_then(|target| Name::parse(&target).ok()) {
                        Some(target) => (Rdata::Cname(target.to_lowercase()), false),
                        None => continue,
                    },
                    Some(parameter) => match values.get(parameter).and_then(|text| material(text.first()?)) {
                        Some(material) => (Rdata::Txt(Txt::from_text(material.record.to_string())), !material.has_tags),
                        None => continue,
                    },
                };
                let record = SenderRecord { is_key: true, keep_live_tags, ..SenderRecord::of(value) };
                setting.put(owner, record);
            }
        }
        for template in &self.preset.records {
            if template.with.as_ref().is_some_and(|with| !self.flag(with) && !self.values.contains_key(with)) {
                continue;
            }
            let expanded = |text: &str| expand(text, domain, &self.values);
            let read = || {
                let owner = texts::owner(&expanded(&template.name)?, Some(domain)).ok()?;
                let rtype: RecordType = template.rtype.parse().ok()?;
                Some((owner, parse_rdata_text(rtype, &expanded(&template.value)?, None).ok()?))
            };
            if let Some((owner, value)) = read() {
                setting.put(owner, SenderRecord { shared: template.shared, ..SenderRecord::of(value) });
            }
        }
        setting
    }

    /// The owner names of a key, each with the values that its target is made of.
    fn selectors(&self, key: &KeyTemplate, domain: &Name) -> Vec<(Name, Values)> {
        let each: Vec<Values> = match &key.each {
            None => vec![self.values.clone()],
            Some(each) => {
                let items = self.values.get(each).into_iter().flatten();
                let with = |item: &String| {
                    let mut values = self.values.clone();
                    values.insert(each.clone(), vec![item.clone()]);
                    values
                };
                items.map(with).collect()
            }
        };
        let owner = |values: Values| {
            let selector = expand(&key.selector, domain, &values)?.to_lowercase();
            Some((domain.prepend(&format!("{selector}._domainkey")).ok()?, values))
        };
        each.into_iter().filter_map(owner).collect()
    }

    /// Warns of a key that the service signs with and that neither its table nor `dkim` has.
    fn unpublished(&self, domain: &Domain, setting: &SenderSetting, report: &mut Report) {
        let given = |key: &KeyTemplate| key.key.as_ref().is_some_and(|key| self.values.contains_key(key));
        for key in self.preset.dkim.iter().filter(|key| key.key.is_some() && !given(key)) {
            for (owner, _) in self.selectors(key, &domain.name) {
                let selector = owner.without_suffix(&domain.name).map(|prefix| prefix.to_text_without_dot());
                let selector = selector.unwrap_or_default().replace("._domainkey", "");
                let known = setting.records.keys().any(|(name, _)| *name == owner);
                if known || domain.dkim.contains_key(&selector) {
                    continue;
                }
                let name = &self.preset.name;
                let message =
                    format!("{name} signs with the selector {selector}, whose key is not in the configuration");
                let help = format!(
                    "name it: `{}` in `senders.{name}`, or `dkim.{selector}`",
                    key.key.as_deref().unwrap_or("key")
                );
                report.add(Diagnostic::warning(message).at(self.leaf.node.place()).help(help));
            }
        }
    }
}

impl SenderRecord {
    fn of(value: Rdata) -> Self {
        Self { values: vec![value], is_key: false, keep_live_tags: false, shared: false }
    }
}

impl SenderSetting {
    fn put(&mut self, owner: Name, record: SenderRecord) {
        let Some(rtype) = record.values.first().map(Rdata::rtype) else { return };
        match self.records.entry((owner, rtype)) {
            std::collections::btree_map::Entry::Vacant(entry) => drop(entry.insert(record)),
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                let known = &mut entry.get_mut().values;
                known.extend(record.values.into_iter().filter(|value| !known.contains(value)).collect::<Vec<_>>());
            }
        }
    }
}

impl Taken {
    /// Whether a set of this type cannot stand beside it, or would be it.
    fn excludes(&self, owner: &Name, rtype: RecordType) -> bool {
        let both = [Some(rtype), self.rtype];
        self.name == *owner
            && (self.rtype.is_none_or(|taken| taken == rtype) || both.contains(&Some(RecordType::CNAME)))
    }
}

fn material(text: &str) -> Option<key_material::KeyMaterial> {
    key_material::parse(text).ok()
}

/// What the table gives, over the defaults.
fn values(preset: &Preset, node: &Node<'_>) -> Values {
    let mut values = Values::new();
    for parameter in &preset.parameters {
        let given = node.get(&parameter.name).map(|value| match value.text() {
            Some(text) => vec![text.to_owned()],
            None => value.items().filter_map(|item| Some(item.text()?.to_owned())).collect(),
        });
        if let Some(list) = given.or_else(|| Some(vec![parameter.default.clone()?])) {
            values.insert(parameter.name.clone(), list);
        }
    }
    values
}

/// Whether a key wants something or nothing: what is unmanaged is in nobody's way.
fn is_set<T>(slot: &Slot<T>) -> bool {
    !matches!(slot, Slot::Unmanaged)
}

/// The names that other keys of the domain have records at.
fn taken(domain: &Domain) -> Vec<Taken> {
    let mut taken = Vec::new();
    for (selector, setting) in domain.dkim.iter().filter(|(_, setting)| is_set(&setting.value)) {
        if let Ok(name) = domain.name.prepend(&format!("{selector}._domainkey")) {
            taken.push(Taken { name, rtype: None, by: format!("dkim.{selector}"), place: setting.place.clone() });
        }
    }
    for ((name, rtype), setting) in domain.records.iter().filter(|(_, setting)| is_set(&setting.value)) {
        let (name, place) = (name.clone(), setting.place.clone());
        taken.push(Taken { name, rtype: Some(*rtype), by: "records".to_owned(), place });
    }
    for (key, setting) in domain.client_settings.iter().filter(|(_, setting)| is_set(&setting.value)) {
        let wanted = setting.value.wanted();
        let is_host = HOSTS.contains(&key.as_str()) && wanted.is_none_or(|wanted| wanted.host.is_some());
        let is_service = wanted.is_none_or(|wanted| !wanted.servers.is_empty());
        let host = is_host.then_some((key.as_str(), None));
        let service = service_of(key).filter(|_| is_service).map(|service| (service.prefix, Some(RecordType::SRV)));
        for (prefix, rtype) in host.into_iter().chain(service) {
            if let Ok(name) = domain.name.prepend(prefix) {
                let by = format!("client_settings.{key}");
                taken.push(Taken { name, rtype, by, place: setting.place.clone() });
            }
        }
    }
    taken
}

/// Puts the terms of all services into the domain's SPF record, before what decides on everybody else; says what is
/// missing where the record is not ours to compose.
fn merge_spf(domain: &mut Domain, keys: &Merged<'_>, services: &[Service<'_, '_>], report: &mut Report) {
    let literal = matches!(keys.items.get("spf"), Some(Item::Leaf(leaf)) if leaf.node.text().is_some());
    let record = match domain.spf.as_ref().map(|spf| &spf.value) {
        Some(Slot::Want(spf)) => spf::Record::parse(&spf.text).ok(),
        _ => None,
    };
    let state = match domain.spf.as_ref().map(|spf| &spf.value) {
        None => "is not configured",
        Some(Slot::Unmanaged) => "is unmanaged",
        Some(Slot::Absent) => "is to be absent",
        Some(Slot::Want(_)) => "is written out",
    };
    let mut terms: Vec<Term> = record.as_ref().map(|record| record.terms.clone()).unwrap_or_default();
    let mut added = false;
    for service in services {
        let expanded = |texts: &[String]| -> Vec<Term> {
            let texts = texts.iter().filter_map(|text| expand(text, &domain.name, &service.values));
            texts.filter_map(|text| Term::parse(&text).ok()).collect()
        };
        let stands = |terms: &[Term], term: &Term| terms.iter().any(|known| same_mechanism(known, term));
        if expanded(&service.preset.spf_alternatives).iter().any(|term| stands(&terms, term)) {
            continue;
        }
        for term in expanded(&service.preset.spf) {
            if stands(&terms, &term) {
                continue;
            }
            if literal || record.is_none() {
                let text = spf::Record::new([term]).to_string().replace("v=spf1 ", "");
                let message = format!("{} needs `{text}` in the SPF record, which {state}", service.preset.name);
                let mut diagnostic = Diagnostic::warning(message).at(service.leaf.node.place());
                if let Some(spf) = &domain.spf {
                    diagnostic = diagnostic.related(spf.place.clone(), "the record");
                }
                report.add(diagnostic.help("add it, or write `spf` as a table or a list: then it is added by itself"));
                continue;
            }
            let at = terms.iter().position(decides).unwrap_or(terms.len());
            terms.insert(at, term);
            added = true;
        }
    }
    if let (true, Some(Slot::Want(spf))) = (added, domain.spf.as_mut().map(|spf| &mut spf.value)) {
        spf.text = spf::Record::new(terms).to_string();
    }
}

fn same_mechanism(a: &Term, b: &Term) -> bool {
    match (&a.kind, &b.kind) {
        (TermKind::Directive(_, a), TermKind::Directive(_, b)) => a == b,
        _ => a == b,
    }
}

/// `all` or `redirect`.
fn decides(term: &Term) -> bool {
    match &term.kind {
        TermKind::Directive(_, mechanism) => mechanism.name() == "all",
        TermKind::Modifier(modifier) => matches!(modifier, Modifier::Redirect(_)),
    }
}
