//! The keys of one domain.

use std::collections::BTreeMap;
use std::sync::Arc;

use mailzone_mailauth::Severity;
use mailzone_record::{Caa, Mx, Name, Rdata, RecordType, Ttl, parse_rdata_text};

use super::services::{read_all, ttl};
use super::{Lowering, twice};
use crate::diagnostic::Diagnostic;
use crate::domain::{Allow, CaaSetting, Domain, MailUse, MxSetting, RecordSetting, ReportAuthorisation, Slot};
use crate::merge::{Item, Leaf, Merged, allow_key, record_key};
use crate::raw::{Node, Report};
use crate::settings::EffectiveKey;
use crate::source::{Located, Place};
use crate::suggest::nearest;
use crate::texts;

impl<'a> Leaf<'a> {
    pub(super) fn with<T>(&self, value: T) -> Located<T> {
        Located { value, place: self.node.place(), from_profile: self.is_profile }
    }
}

impl<'a> Merged<'a> {
    pub(super) fn with<T>(&self, value: T) -> Located<T> {
        Located { value, place: self.place.clone(), from_profile: self.is_profile }
    }

    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.leaf(key)?.node.text()
    }
}

/// `"absent"` and `"unmanaged"`.
pub(super) fn word<T>(text: &str) -> Option<Slot<T>> {
    match text {
        "absent" => Some(Slot::Absent),
        "unmanaged" => Some(Slot::Unmanaged),
        _ => None,
    }
}

impl Lowering<'_, '_> {
    pub(super) fn domain(
        &mut self,
        name: &Name,
        place: &Place,
        keys: &Merged<'_>,
        effective: Arc<[EffectiveKey]>,
    ) -> Option<Domain> {
        let text = |key| keys.leaf(key).and_then(|leaf| Some(leaf.with(leaf.node.text()?.to_owned())));
        let provider = text("provider");
        let known = provider.as_ref().is_some_and(|provider| self.known_provider(provider));
        if provider.is_none() && keys.leaf("provider").is_none() {
            let message = format!("the domain {} has no provider", name.to_text_without_dot());
            let diagnostic = Diagnostic::error(message).at(place.clone());
            self.report.add(diagnostic.help("set `provider` here, in its group or in [defaults]"));
        }
        let zone = keys.leaf("zone").and_then(|leaf| Some(leaf.with(texts::name(leaf.node.text()?).ok()?)));
        self.zone_above(name, zone.as_ref());
        let mut domain = Domain {
            name: name.clone(),
            place: place.clone(),
            zone,
            zone_id: text("zone_id"),
            mail: match keys.text("mail") {
                Some("send") => MailUse::Send,
                Some("receive") => MailUse::Receive,
                Some("none") => MailUse::None,
                _ => MailUse::Both,
            },
            bulk: keys.leaf("bulk").and_then(|leaf| leaf.node.bool()).unwrap_or(false),
            severity: self.severity(keys.table("severity")),
            ttl: keys.leaf("ttl").and_then(|leaf| Some(leaf.with(ttl(&leaf.node)?))),
            ttls: ttls(keys.table("ttls")),
            nameservers: keys
                .leaf("nameservers")
                .map_or_else(Vec::new, |leaf| read_all(&leaf.node, |text| texts::server(text, 53))),
            delegated: keys.leaf("delegated").and_then(|leaf| leaf.node.bool()).unwrap_or(true),
            mx: keys.leaf("mx").and_then(|leaf| Some(leaf.with(self.mx(name, &leaf.node)?))),
            spf: keys.items.get("spf").and_then(|item| self.spf(item)),
            dkim: self.dkim(keys.table("dkim")),
            dmarc: keys.items.get("dmarc").and_then(|item| self.dmarc(item)),
            report_authorisation: keys
                .leaf("report_authorisation")
                .and_then(|leaf| Some(leaf.with(report_authorisation(leaf.node.text()?)?))),
            mta_sts: keys.items.get("mta_sts").and_then(|item| self.mta_sts(item)),
            tls_rpt: keys.items.get("tls_rpt").and_then(|item| self.tls_rpt(item)),
            bimi: self.bimi(keys.table("bimi")),
            caa: keys.items.get("caa").and_then(caa),
            client_settings: self.client_settings(keys.items.get("client_settings")),
            senders: BTreeMap::new(),
            records: self.records(name, keys.table("records")),
            allow: allow(name, keys.table("allow")),
            effective,
            provider: provider?,
        };
        self.senders(&mut domain, keys);
        known.then_some(domain)
    }

    /// How bad findings are, by code; `None` leaves them out.
    fn severity(&mut self, table: Option<&Merged<'_>>) -> BTreeMap<String, Option<Severity>> {
        let mut severities = BTreeMap::new();
        for (code, leaf) in table.iter().flat_map(|table| table.leaves()) {
            if code.starts_with("GUARD-") {
                let diagnostic = Diagnostic::error(format!("{code} is a guard: it has no other severity"));
                self.report.add(diagnostic.at(leaf.node.place()).help("an entry of `allow` lets it pass"));
            } else if mailzone_mailauth::rules::rule(code).is_none() {
                let known = mailzone_mailauth::rules::all().map(|rule| rule.code);
                let diagnostic = Diagnostic::error(format!("nothing has the code {code}")).at(leaf.node.place());
                self.report.add(match nearest(code, known) {
                    Some(near) => diagnostic.help(format!("did you mean {near}?")),
                    None => diagnostic.help("the codes are listed in docs/findings.md"),
                });
            }
            let severity = match leaf.node.text() {
                Some("error") => Some(Severity::Error),
                Some("warning") => Some(Severity::Warning),
                Some("info") => Some(Severity::Info),
                _ => None,
            };
            severities.insert(code.to_string(), severity);
        }
        severities
    }

    fn mx(&mut self, domain: &Name, node: &Node<'_>) -> Option<Slot<MxSetting>> {
        for host in node.items().filter_map(|item| item.get("host")) {
            let Some(Ok(name)) = host.text().map(texts::host_name) else { continue };
            if name.label_count() == 1 {
                let (label, domain) = (name.to_text_without_dot(), domain.to_text_without_dot());
                let diagnostic = Diagnostic::warning(format!("the MX host `{label}` is a top-level name"));
                self.report.add(diagnostic.at(host.place()).help(format!("did you mean \"{label}.{domain}\"?")));
            }
        }
        mx(node)
    }

    fn records(
        &mut self,
        domain: &Name,
        table: Option<&Merged<'_>>,
    ) -> BTreeMap<(Name, RecordType), Located<Slot<RecordSetting>>> {
        let mut records = BTreeMap::new();
        for (_, leaf) in table.iter().flat_map(|table| table.leaves()) {
            if let Some((key, slot)) = self.record(domain, &leaf.node) {
                records.insert(key, leaf.with(slot));
            }
        }
        records
    }

    fn record(&mut self, domain: &Name, node: &Node<'_>) -> Option<((Name, RecordType), Slot<RecordSetting>)> {
        let written = node.get("name")?;
        let name = texts::owner(written.text()?, Some(domain)).ok()?;
        let rtype = texts::record_type(node.get("type")?.text()?).ok()?;
        if !name.is_at_or_below(domain) {
            let message =
                format!("{} is not in the domain {}", name.to_text_without_dot(), domain.to_text_without_dot());
            self.report.add(Diagnostic::error(message).at(written.place()));
        }
        if rtype == RecordType::CNAME && name == *domain {
            let diagnostic = Diagnostic::error("a CNAME at the domain itself").at(written.place());
            self.report.add(diagnostic.help(
                "a name with a CNAME has nothing else, and the domain has its mail records (RFC 1034 section 3.6.2)",
            ));
        }
        if written.text().is_some_and(|text| text.split('.').any(|label| label == "domainkey")) {
            let diagnostic =
                Diagnostic::warning("DKIM keys are below `_domainkey`, with an underscore").at(written.place());
            self.report.add(diagnostic.help("use the key `dkim.SELECTOR`, or correct the name"));
        }
        let absent = node.get("absent").and_then(|value| value.bool()) == Some(true);
        let values = match (node.get("values"), absent) {
            (Some(values), true) => {
                self.report.add(
                    Diagnostic::error("a record with values that is to be absent")
                        .at(values.place())
                        .help("remove `values` or `absent`"),
                );
                return None;
            }
            (None, true) => return Some(((name, rtype), Slot::Absent)),
            (None, false) => {
                self.report.add(
                    Diagnostic::error("a record without values")
                        .at(node.place())
                        .help("name `values`, or write `absent = true`"),
                );
                return None;
            }
            (Some(values), false) => values,
        };
        let mut data = Vec::new();
        for item in values.items() {
            match parse_rdata_text(rtype, item.text()?, None) {
                Ok(value) => {
                    if value.to_wire().is_none() {
                        let message =
                            format!("this is not read as {rtype} data, so no DNS answer could be compared with it");
                        self.report.add(Diagnostic::error(message).at(item.place()).help(OCTETS_HELP));
                    }
                    if let Some(fault) = torn_text(item.text()?, &value) {
                        self.report.add(fault.at(item.place()));
                    }
                    if !data.contains(&value) {
                        data.push(value);
                    }
                }
                Err(error) => self.report.add(Diagnostic::error(format!("no {rtype} data: {error}")).at(item.place())),
            }
        }
        if rtype == RecordType::CNAME && data.len() > 1 {
            self.report.add(
                Diagnostic::error("several values of a CNAME")
                    .at(values.place())
                    .help("a name has one CNAME (RFC 2181 section 10.1)"),
            );
        }
        let exclusive = node.get("exclusive").and_then(|value| value.bool()).unwrap_or(true);
        Some(((name, rtype), Slot::Want(RecordSetting { values: data, exclusive })))
    }
}

/// An unquoted text with blanks: each word would be a string of its own, and readers join them without blanks.
fn torn_text(written: &str, value: &Rdata) -> Option<Diagnostic> {
    let strings = value.as_txt()?.strings().len();
    if strings < 2 || written.contains('"') || written.trim_start().starts_with("\\#") {
        return None;
    }
    let message = format!("an unquoted text with blanks: it would be {strings} strings, joined without a blank");
    let text = written.trim();
    let quoted = if text.contains('\'') { format!("\"\\\"{text}\\\"\"") } else { format!("'\"{text}\"'") };
    Some(Diagnostic::error(message).help(format!("quote it: {quoted}")))
}

const OCTETS_HELP: &str =
    "correct it, or write its octets as '\\# LENGTH HEXADECIMAL', in single quotes (RFC 3597 section 5)";

/// Errors in lists that are joined by key, found in each layer alone.
pub(super) fn repeated_entries(layer: &Node<'_>, report: &mut Report) {
    if let Some(list) = layer.get("records") {
        repeated(&list, record_key, "record", report);
    }
    if let Some(list) = layer.get("allow") {
        repeated(&list, allow_key, "permission", report);
    }
    for (table, what) in [("dkim", "selector"), ("bimi", "BIMI selector"), ("senders", "sender")] {
        let mut selectors: BTreeMap<String, Place> = BTreeMap::new();
        let mut keys: Vec<_> = layer.get(table).iter().flat_map(Node::entries).collect();
        keys.sort_by_key(|(_, place, _)| place.start);
        for (key, place, _) in keys {
            let Ok(selector) = texts::selector(key) else { continue };
            match selectors.get(&selector) {
                Some(first) => twice(&format!("the {what} {selector}"), place, first.clone(), report),
                None => {
                    selectors.insert(selector, place);
                }
            }
        }
    }
}

/// Several entries of one layer with one key: the file contradicts itself.
fn repeated(list: &Node<'_>, key: impl Fn(&Node<'_>) -> Option<String>, what: &str, report: &mut Report) {
    let mut seen: BTreeMap<String, Place> = BTreeMap::new();
    for item in list.items() {
        let Some(name) = key(&item) else { continue };
        match seen.get(&name) {
            Some(first) => twice(&format!("the {what} {name}"), item.place(), first.clone(), report),
            None => {
                seen.insert(name, item.place());
            }
        }
    }
}

fn ttls(table: Option<&Merged<'_>>) -> BTreeMap<String, Located<Ttl>> {
    let read = |(key, leaf): (&str, &Leaf<'_>)| Some((texts::slot(key).ok()?, leaf.with(ttl(&leaf.node)?)));
    table.iter().flat_map(|table| table.leaves()).filter_map(read).collect()
}

fn mx(node: &Node<'_>) -> Option<Slot<MxSetting>> {
    if let Some(text) = node.text() {
        return if text == "null" { Some(Slot::Want(MxSetting::Null)) } else { word(text) };
    }
    let mut hosts: Vec<Mx> = Vec::new();
    for item in node.items() {
        let preference = u16::try_from(item.get("preference")?.integer()?).ok()?;
        let mx = Mx { preference, exchange: texts::host_name(item.get("host")?.text()?).ok()? };
        if !hosts.contains(&mx) {
            hosts.push(mx);
        }
    }
    Some(Slot::Want(MxSetting::Hosts(hosts)))
}

fn report_authorisation(text: &str) -> Option<Slot<ReportAuthorisation>> {
    match text {
        "each" => Some(Slot::Want(ReportAuthorisation::Each)),
        "wildcard" => Some(Slot::Want(ReportAuthorisation::Wildcard)),
        "check" => Some(Slot::Want(ReportAuthorisation::Check)),
        _ => word(text),
    }
}

fn caa(item: &Item<'_>) -> Option<Located<Slot<CaaSetting>>> {
    let table = match item {
        Item::Leaf(leaf) => return Some(leaf.with(word(leaf.node.text()?)?)),
        Item::Table(table) => table,
    };
    let mut setting = CaaSetting { tags: BTreeMap::new(), exclusive: false };
    for (tag, leaf) in table.leaves() {
        if tag == "exclusive" {
            setting.exclusive = leaf.node.bool().unwrap_or(false);
            continue;
        }
        let value =
            |item: Node<'_>| Some(Caa { flags: 0, tag: tag.into(), value: item.text()?.trim().as_bytes().into() });
        setting.tags.insert(tag.to_owned(), leaf.node.items().filter_map(value).collect());
    }
    Some(table.with(Slot::Want(setting)))
}

fn allow(domain: &Name, table: Option<&Merged<'_>>) -> Vec<Located<Allow>> {
    let read = |(_, leaf): (&str, &Leaf<'_>)| {
        let node = &leaf.node;
        let text = |key| node.get(key).and_then(|value| Some(value.text()?.to_owned()));
        let name = text("name").and_then(|name| texts::owner(&name, Some(domain)).ok());
        let until = node.get("until").and_then(|value| value.date());
        Some(leaf.with(Allow { code: text("code")?, name, reason: text("reason"), until }))
    };
    table.iter().flat_map(|table| table.leaves()).filter_map(read).collect()
}
