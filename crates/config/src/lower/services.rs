//! The tables about the DNS, and hosts.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mailzone_mailauth::tlsa_certificate::of_certificate;
use mailzone_record::{Name, Tlsa, Ttl};

use super::{Lowering, unknown};
use crate::diagnostic::Diagnostic;
use crate::domain::Slot;
use crate::raw::{Node, Report};
use crate::settings::{Care, Dns, Host, Latency, Look, OnExceed, Propagation, Sender, Settings, Statistic};
use crate::source::{Located, Place};
use crate::texts;

pub(super) fn located<T>(node: &Node<'_>, value: T) -> Located<T> {
    Located { value, place: node.place(), from_profile: false }
}

pub(super) fn dns(node: Option<&Node<'_>>) -> Dns {
    let mut dns = Dns::default();
    let Some(node) = node else { return dns };
    if let Some(list) = node.get("resolvers") {
        let resolvers = list.items().filter_map(|item| texts::resolver(item.text()?).ok()).collect();
        dns.resolvers = Some(located(&list, resolvers));
    }
    if let Some(timeout) = duration(node, "timeout") {
        dns.timeout = timeout;
    }
    if let Some(port) = node.get("port").and_then(|port| u16::try_from(port.integer()?).ok()) {
        dns.port = port;
    }
    let roots = node.get("roots");
    dns.roots = roots.iter().flat_map(Node::items).filter_map(|item| texts::server(item.text()?, 53).ok()).collect();
    dns
}

pub(super) fn propagation(node: Option<&Node<'_>>) -> Propagation {
    Propagation { timeout: node.and_then(|node| duration(node, "timeout")) }
}

pub(super) fn latency(node: Option<&Node<'_>>) -> Latency {
    let default = Latency::default();
    let Some(node) = node else { return default };
    let word = |key| node.get(key).and_then(|value| value.text());
    Latency {
        budget: duration(node, "budget").unwrap_or(default.budget),
        statistic: match word("statistic") {
            Some("p95") => Statistic::P95,
            Some("p99") => Statistic::P99,
            _ => Statistic::Median,
        },
        samples: node.get("samples").and_then(|n| u32::try_from(n.integer()?).ok()).unwrap_or(default.samples),
        on_exceed: if word("on_exceed") == Some("fail") { OnExceed::Fail } else { OnExceed::Warn },
    }
}

/// Ports and names; the authorities are in a file, which is read later.
pub(super) fn look(node: Option<&Node<'_>>) -> Look {
    let mut look = Look::default();
    let Some(node) = node else { return look };
    look.helo = node.get("helo").and_then(|helo| texts::host_name(helo.text()?).ok());
    for (key, port) in [("smtp_port", &mut look.smtp_port), ("https_port", &mut look.https_port)] {
        *port = node.get(key).and_then(|value| u16::try_from(value.integer()?).ok()).unwrap_or(*port);
    }
    look
}

pub(super) fn sender(node: &Node<'_>, report: &mut Report) -> Option<Located<Sender>> {
    let name = |node: &Node<'_>, key| texts::name(node.get(key)?.text()?).ok();
    let dkim = node
        .get("dkim")
        .and_then(|dkim| Some((name(&dkim, "domain")?, texts::selector(dkim.get("selector")?.text()?).ok()?)));
    let envelope_domain = name(node, "envelope_domain");
    let signing = node.get("dkim").and_then(|dkim| name(&dkim, "domain"));
    let from = name(node, "from").or(signing).or_else(|| envelope_domain.clone());
    let Some(from) = from else {
        let diagnostic = Diagnostic::error("a sender of which no domain is known").at(node.place());
        report.add(diagnostic.help("name the domain in `From`: from = \"example.com\""));
        return None;
    };
    let sender = Sender {
        addresses: read_all(&node.get("addresses")?, texts::address),
        envelope_domain,
        dkim,
        from,
        helo: node.get("helo").and_then(|helo| texts::host_name(helo.text()?).ok()),
        required: node.get("required").and_then(|value| value.bool()).unwrap_or(true),
    };
    Some(located(node, sender))
}

pub(super) fn duration(node: &Node<'_>, key: &str) -> Option<std::time::Duration> {
    texts::duration(node.get(key)?.text()?).ok()
}

/// A TTL, as text or as a number of seconds.
pub(super) fn ttl(node: &Node<'_>) -> Option<Ttl> {
    match node.text() {
        Some(text) => texts::ttl(text).ok(),
        None => Ttl::from_secs(u32::try_from(node.integer()?).ok()?),
    }
}

/// The elements of a list that `read` can read.
pub(super) fn read_all<T>(list: &Node<'_>, read: impl Fn(&str) -> Result<T, texts::Fault>) -> Vec<T> {
    list.items().filter_map(|item| read(item.text()?).ok()).collect()
}

/// Errors where two hosts want the PTR of one address: it has one (RFC 1912 section 2.1).
pub(super) fn one_ptr_each(hosts: &BTreeMap<Name, Host>, report: &mut Report) {
    let mut owners: BTreeMap<IpAddr, &Host> = BTreeMap::new();
    for host in hosts.values().filter(|host| host.ptr == Care::Manage) {
        let v4 = host.ipv4.iter().flat_map(|list| &list.value).map(|address| IpAddr::V4(*address));
        let v6 = host.ipv6.iter().flat_map(|list| &list.value).map(|address| IpAddr::V6(*address));
        for address in v4.chain(v6) {
            let Some(first) = owners.insert(address, host).filter(|first| first.name != host.name) else { continue };
            let names = [first, host].map(|host| host.name.to_text_without_dot()).join(" and ");
            let diagnostic = Diagnostic::error(format!("{names} both manage the PTR of {address}"));
            let diagnostic = diagnostic.at(host.place.clone()).related(first.place.clone(), "the other host");
            report.add(diagnostic.help("keep `ptr = \"manage\"` at the host that the address is to name"));
        }
    }
}

impl Lowering<'_, '_> {
    pub(super) fn host(&mut self, name: Name, place: Place, node: &Node<'_>) -> Host {
        let care = |key| match node.get(key).and_then(|value| value.text()) {
            Some("manage") => Care::Manage,
            Some("off") => Care::Off,
            _ => Care::Check,
        };
        let text = |key| node.get(key).and_then(|value| Some(located(&value, value.text()?.to_owned())));
        let host = Host {
            ipv4: node.get("ipv4").map(|list| located(&list, read_all(&list, texts::ipv4))),
            ipv6: node.get("ipv6").map(|list| located(&list, read_all(&list, texts::ipv6))),
            addresses: care("addresses"),
            ptr: care("ptr"),
            ptr_provider: text("ptr_provider"),
            provider: text("provider"),
            zone: node.get("zone").and_then(|zone| Some(located(&zone, texts::name(zone.text()?).ok()?))),
            zone_id: text("zone_id"),
            ttl: node.get("ttl").and_then(|value| Some(located(&value, ttl(&value)?))),
            helo: node.get("helo").and_then(|helo| texts::host_name(helo.text()?).ok()).unwrap_or_else(|| name.clone()),
            tlsa: node.get("tlsa").and_then(|value| Some(located(&value, self.tlsa(&value)?))),
            name,
            place,
        };
        for provider in [&host.provider, &host.ptr_provider].into_iter().flatten() {
            self.known_provider(provider);
        }
        if host.ipv4.is_none() && host.ipv6.is_none() {
            for (key, care) in [("addresses", host.addresses), ("ptr", host.ptr)] {
                if care == Care::Manage {
                    let place = node.get(key).map_or_else(|| node.place(), |value| value.place());
                    let diagnostic = Diagnostic::error(format!("`{key} = \"manage\"` without addresses")).at(place);
                    self.report
                        .add(diagnostic.help("name `ipv4`, `ipv6` or both: a family that is not named is foreign"));
                }
            }
        }
        self.zone_above(&host.name, host.zone.as_ref());
        host
    }

    pub(super) fn known_provider(&mut self, provider: &Located<String>) -> bool {
        let known = self.provider_names.contains(&provider.value);
        if !known {
            let names = self.provider_names.iter().map(String::as_str);
            unknown("provider", &provider.value, provider.place.clone(), names, self.report);
        }
        known
    }

    pub(super) fn zone_above(&mut self, name: &Name, zone: Option<&Located<Name>>) {
        let Some(zone) = zone.filter(|zone| !name.is_at_or_below(&zone.value)) else { return };
        let (name, zone_name) = (name.to_text_without_dot(), zone.value.to_text_without_dot());
        self.report.add(Diagnostic::error(format!("{name} is not in the zone {zone_name}")).at(zone.place.clone()));
    }

    fn tlsa(&mut self, value: &Node<'_>) -> Option<Slot<BTreeMap<u16, Vec<Tlsa>>>> {
        match value.text() {
            Some("absent") => return Some(Slot::Absent),
            Some(_) => return Some(Slot::Unmanaged),
            None => {}
        }
        let mut ports: BTreeMap<u16, Vec<Tlsa>> = BTreeMap::new();
        for item in value.items() {
            let number = |key, default| item.get(key).and_then(|n| n.integer()).unwrap_or(default);
            let small = |key, default| u8::try_from(number(key, default)).ok();
            let (usage, selector, matching) = (small("usage", 3)?, small("selector", 1)?, small("matching", 1)?);
            let port = ports.entry(u16::try_from(number("port", 25)).ok()?).or_default();
            let data = match (item.get("data"), item.get("certificate_file")) {
                (Some(data), None) => data,
                (None, Some(file)) => {
                    let Some(pem) = self.file("certificate_file", &file) else { continue };
                    match of_certificate(pem.text(), usage, selector, matching) {
                        Ok(tlsa) if port.contains(&tlsa) => {}
                        Ok(tlsa) => port.push(tlsa),
                        Err(error) => self.report.add(Diagnostic::error(error.to_string()).at(file.place())),
                    }
                    continue;
                }
                (Some(_), Some(file)) => {
                    let diagnostic = Diagnostic::error("both `data` and `certificate_file`").at(file.place());
                    self.report.add(diagnostic.help("keep one of them"));
                    continue;
                }
                (None, None) => {
                    let diagnostic = Diagnostic::error("a TLSA record without data").at(item.place());
                    self.report.add(diagnostic.help("name `data` in hexadecimal, or `certificate_file`"));
                    continue;
                }
            };
            let tlsa = Tlsa { usage, selector, matching, data: texts::hex(data.text()?).ok()? };
            let length = match tlsa.matching {
                1 => Some(32),
                2 => Some(64),
                _ => None,
            };
            if length.is_some_and(|length| length != tlsa.data.len()) {
                let (found, wanted) = (tlsa.data.len(), length.unwrap_or_default());
                let message = format!("`data` has {found} octets, matching {} has {wanted}", tlsa.matching);
                self.report.add(Diagnostic::error(message).at(data.place()));
            }
            if !port.contains(&tlsa) {
                port.push(tlsa);
            }
        }
        Some(Slot::Want(ports))
    }

    /// What a host does not say itself it takes from the configured domain above it.
    pub(super) fn host_providers(&mut self, settings: &mut Settings) {
        let Settings { hosts, domains, .. } = settings;
        for host in hosts.values_mut() {
            if host.provider.is_none()
                && let Some(domain) = crate::domain::nearest(domains, &host.name)
            {
                host.provider = Some(domain.provider.clone());
                host.zone = host.zone.take().or_else(|| domain.zone.clone());
                host.zone_id = host.zone_id.take().or_else(|| domain.zone_id.clone());
            }
            let managed =
                host.addresses == Care::Manage || host.tlsa.as_ref().is_some_and(|tlsa| tlsa.value != Slot::Unmanaged);
            if managed && host.provider.is_none() {
                let message = format!("the host {} has no provider", host.name.to_text_without_dot());
                let diagnostic = Diagnostic::error(message).at(host.place.clone());
                self.report.add(diagnostic.help("set its `provider`, or configure the domain above it"));
            }
        }
    }
}
