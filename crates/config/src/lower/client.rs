//! BIMI, and how mail programs find their servers.

use std::collections::BTreeMap;

use mailzone_mailauth::bimi;
use mailzone_mailauth::client_settings::{not_offered, service_of};
use mailzone_record::Srv;

use super::Lowering;
use super::domain::word;
use super::services::read_all;
use crate::diagnostic::Diagnostic;
use crate::domain::{ClientSetting, Slot, TextOrCname, WebHost};
use crate::merge::{Item, Leaf, Merged};
use crate::raw::Node;
use crate::source::Located;
use crate::texts;

impl Lowering<'_, '_> {
    pub(super) fn bimi(&mut self, table: Option<&Merged<'_>>) -> BTreeMap<String, Located<Slot<TextOrCname>>> {
        let mut records = BTreeMap::new();
        for (selector, leaf) in table.iter().flat_map(|table| table.leaves()) {
            let slot = match leaf.node.text() {
                Some(text) => Some(word(text).unwrap_or_else(|| Slot::Want(TextOrCname::Text(text.to_owned())))),
                None => self.bimi_record(&leaf.node).map(Slot::Want),
            };
            if let Some(slot) = slot {
                records.insert(selector.to_owned(), leaf.with(slot));
            }
        }
        records
    }

    fn bimi_record(&mut self, node: &Node<'_>) -> Option<TextOrCname> {
        node.table()?;
        let text = |key| node.get(key).and_then(|value| value.text()).unwrap_or_default();
        if let Some(cname) = node.get("cname") {
            if let Some((key, _, other)) = node.entries().find(|(key, _, _)| *key != "cname") {
                let diagnostic = Diagnostic::error(format!("`cname` and `{key}` exclude each other")).at(cname.place());
                let diagnostic = diagnostic.related(other.place(), "the other");
                self.report.add(diagnostic.help("a name with a CNAME has no record of its own: keep one of them"));
                return None;
            }
            return Some(TextOrCname::Cname(texts::name(cname.text()?).ok()?));
        }
        let Some(logo) = node.get("logo") else {
            let diagnostic = Diagnostic::error("a BIMI record without `logo`").at(node.place());
            self.report.add(diagnostic.help("name the URL of the SVG; logo = \"\" says that the domain declines"));
            return None;
        };
        if let Some(evidence) = node.get("evidence").filter(|evidence| evidence.text() != Some(""))
            && logo.text() == Some("")
        {
            let diagnostic = Diagnostic::error("`evidence` without a logo").at(evidence.place());
            self.report.add(diagnostic.related(logo.place(), "the logo").help("name the logo, or remove `evidence`"));
            return None;
        }
        let local_parts = node.get("local_parts");
        let local_parts = local_parts.iter().flat_map(Node::items).filter_map(|item| Some(item.text()?.to_owned()));
        let record = bimi::Record {
            preference: bimi::Preference::from_word(text("preference")).unwrap_or_default(),
            local_parts: local_parts.collect(),
            ..bimi::Record::new(logo.text()?, text("evidence"))
        };
        Some(TextOrCname::Text(record.to_string()))
    }

    pub(super) fn client_settings(
        &mut self,
        item: Option<&Item<'_>>,
    ) -> BTreeMap<String, Located<Slot<ClientSetting>>> {
        let mut settings = BTreeMap::new();
        let table = match item {
            None => return settings,
            Some(Item::Leaf(leaf)) => {
                let slot = leaf.node.text().and_then(word);
                let of_all =
                    |slot: Slot<ClientSetting>| texts::client_keys().map(move |key| (key.to_owned(), slot.clone()));
                settings.extend(slot.into_iter().flat_map(of_all).map(|(key, slot)| (key, leaf.with(slot))));
                return settings;
            }
            Some(Item::Table(table)) => table,
        };
        for (key, item) in &table.items {
            let setting = match item {
                Item::Leaf(leaf) => of_leaf(key, leaf).map(|slot| leaf.with(slot)),
                Item::Table(table) => self.client_table(key, table).map(|setting| table.with(Slot::Want(setting))),
            };
            if let Some(setting) = setting {
                settings.insert(key.as_ref().to_owned(), setting);
            }
        }
        settings
    }

    fn client_table(&mut self, key: &str, table: &Merged<'_>) -> Option<ClientSetting> {
        if !matches!(key, "autoconfig" | "autodiscover") {
            let number = |key| table.leaf(key).and_then(|leaf| leaf.node.integer());
            let (host, _) = texts::client_server(table.text("host")?).ok()?;
            let server = server(key, host, number("port"), number("priority"), number("weight"))?;
            let path = table.text("path").map(str::to_owned);
            return Some(ClientSetting { servers: vec![server], path, host: None });
        }
        let srv = table.leaf("srv").map(|leaf| servers(key, &leaf.node)).unwrap_or_default();
        let host = match (table.leaf("cname"), table.leaf("ipv4"), table.leaf("ipv6")) {
            (Some(cname), None, None) => Some(WebHost::Cname(texts::name(cname.node.text()?).ok()?)),
            (Some(cname), Some(other), _) => {
                self.exclude(("cname", cname), ("ipv4", other), CNAME_HELP);
                return None;
            }
            (Some(cname), None, Some(other)) => {
                self.exclude(("cname", cname), ("ipv6", other), CNAME_HELP);
                return None;
            }
            (None, None, None) => None,
            (None, ipv4, ipv6) => Some(WebHost::Addresses {
                ipv4: ipv4.map(|leaf| read_all(&leaf.node, texts::ipv4)),
                ipv6: ipv6.map(|leaf| read_all(&leaf.node, texts::ipv6)),
            }),
        };
        if host.is_none() && table.leaf("srv").is_none() {
            let diagnostic = Diagnostic::error(format!("`client_settings.{key}` says nothing"));
            self.report.add(diagnostic.at(table.place.clone()).help("name `cname`, `ipv4` or `ipv6`"));
            return None;
        }
        Some(ClientSetting { servers: srv, path: None, host })
    }
}

const CNAME_HELP: &str = "a name with a CNAME has no addresses of its own: keep one of them";

/// A service in one word or as a list.
fn of_leaf(key: &str, leaf: &Leaf<'_>) -> Option<Slot<ClientSetting>> {
    let setting = match leaf.node.text() {
        Some("none") => ClientSetting { servers: vec![not_offered()], ..ClientSetting::default() },
        Some(text) => {
            if let Some(slot) = word(text) {
                return Some(slot);
            }
            match (key, texts::client_server(text).ok()?) {
                ("autoconfig", (host, _)) | ("autodiscover", (host, None)) => {
                    ClientSetting { host: Some(WebHost::Cname(host)), ..ClientSetting::default() }
                }
                _ => ClientSetting { servers: servers(key, &leaf.node), ..ClientSetting::default() },
            }
        }
        None => ClientSetting { servers: servers(key, &leaf.node), ..ClientSetting::default() },
    };
    Some(Slot::Want(setting))
}

/// `"HOST:PORT"`, or a list of such and of tables.
fn servers(key: &str, node: &Node<'_>) -> Vec<Srv> {
    let mut found: Vec<Srv> = Vec::new();
    let one = [node.clone()];
    let items: Vec<Node<'_>> = if node.text().is_some() { one.to_vec() } else { node.items().collect() };
    for item in items {
        let number = |key| item.get(key).and_then(|value| value.integer());
        let given = match item.text() {
            Some(text) => texts::client_server(text).ok().map(|(host, port)| (host, port.map(i64::from))),
            None => {
                item.get("host").and_then(|host| Some((texts::client_server(host.text()?).ok()?.0, number("port"))))
            }
        };
        let server = given.and_then(|(host, port)| server(key, host, port, number("priority"), number("weight")));
        found.extend(server.filter(|server| !found.contains(server)));
    }
    found
}

fn server(
    key: &str,
    target: mailzone_record::Name,
    port: Option<i64>,
    priority: Option<i64>,
    weight: Option<i64>,
) -> Option<Srv> {
    let number = |value: Option<i64>, default: u16| value.map_or(Some(default), |value| u16::try_from(value).ok());
    Some(Srv {
        priority: number(priority, 0)?,
        weight: number(weight, 1)?,
        port: number(port, service_of(key)?.port)?,
        target,
    })
}
