//! Zones into the tables of domains and hosts, with comments on everything that is left foreign.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use mailzone_mailauth::client_settings;
use mailzone_mailauth::{Finding, KINDS, KindId, Recognition, Severity, kind};
use mailzone_provider::{Access, Capabilities, Snapshot, Zone};
use mailzone_record::{Name, RRset, RRsetKey, Rdata, RecordType, Tlsa};

use super::forms;
use super::senders;
use super::toml::{comment, key, layout, string};
use super::trial::{Live, Unfit, plans_to_nothing};

/// One zone that was read.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) zone: Zone,
    pub(super) snapshot: Snapshot,
    pub(super) capabilities: Capabilities,
    /// Whether the name alone does not say which zone it is.
    pub(super) needs_id: bool,
}

/// What is imported, and as what.
#[derive(Debug)]
pub(super) struct Import<'a> {
    /// The provider's name in the configuration.
    pub(super) provider: &'a str,
    /// The zones.
    pub(super) zones: &'a [Found],
    /// Every zone of the provider: what one of them holds is not taken from another.
    pub(super) all: &'a BTreeSet<Name>,
    /// Only what is at or below one of these; empty for all.
    pub(super) within: &'a [Name],
}

/// A domain's table.
#[derive(Debug, Default)]
struct Table {
    /// `zone_id`, where it is needed.
    zone_id: Option<String>,
    /// Keys by kind and part, as they are written.
    keys: BTreeMap<(KindId, Option<String>), String>,
    /// Whether it is the one of a zone.
    is_apex: bool,
    /// Remarks.
    notes: BTreeSet<String>,
    /// RRsets that stay foreign.
    foreign: Vec<String>,
}

/// A host's table.
#[derive(Debug, Default)]
struct Host {
    ipv4: Vec<String>,
    ipv6: Vec<String>,
    tlsa: Option<String>,
    /// Where no domain's table is above it.
    provider: Option<String>,
}

impl Import<'_> {
    /// The tables of domains and hosts, in the order of their names.
    pub(super) fn tables(&self) -> String {
        let mut tables: BTreeMap<Name, Table> = BTreeMap::new();
        let mut hosts: BTreeMap<Name, Host> = BTreeMap::new();
        for found in self.zones {
            self.zone(found, &mut tables, &mut hosts);
        }
        let mut text = String::new();
        for (domain, table) in &tables {
            self.write_table(domain, table, &mut text);
        }
        for (name, mut host) in hosts {
            if !tables.keys().any(|domain| name.is_at_or_below(domain)) {
                host.provider = Some(self.provider.to_owned());
            }
            write_host(&name, &host, &mut text);
        }
        text
    }

    fn zone(&self, found: &Found, tables_of: &mut BTreeMap<Name, Table>, hosts: &mut BTreeMap<Name, Host>) {
        let apex = found.zone.name.to_lowercase();
        let root = self.within.iter().find(|name| name.is_at_or_below(&apex)).unwrap_or(&apex).to_lowercase();
        // What is described, and how many values of the set are not.
        let mut taken: BTreeMap<RRsetKey, usize> = BTreeMap::new();
        let mut tlsa: BTreeMap<Name, BTreeMap<u16, Vec<&Tlsa>>> = BTreeMap::new();
        let table = tables_of.entry(root.clone()).or_default();
        table.is_apex = true;
        if found.needs_id {
            table.zone_id = Some(found.zone.id.to_string());
        }
        if let Access::ReadOnly { reason, remedy } = &found.zone.access {
            table.notes.insert(format!("the zone can only be read: {reason}; {remedy}"));
        }
        let mut ours: Vec<&RRset> =
            found.snapshot.rrsets().iter().filter(|set| self.is_ours(&apex, &set.name)).collect();
        // Several sets of one key (weighted, by region) are one thing to nobody.
        let mut seen: BTreeMap<RRsetKey, usize> = BTreeMap::new();
        for set in &ours {
            *seen.entry(set.key()).or_default() += 1;
        }
        ours.retain(|set| !is_of_the_service(set, &apex));
        for set in &ours {
            let values: Vec<&Rdata> = set.values.iter().map(|value| &value.rdata).collect();
            if set.protection.is_some() || seen.get(&set.key()).is_some_and(|count| *count > 1) {
                continue;
            }
            if let Some((host, port)) = tlsa_at(set) {
                let records = values.iter().filter_map(|value| as_tlsa(value)).collect();
                tlsa.entry(host).or_default().insert(port, records);
                continue;
            }
            if let Some(near) = near_miss(set, &values) {
                let domain = self.domain_for(&set.name, &root);
                tables_of.entry(domain).or_default().notes.insert(near);
            }
            for kind in KINDS {
                let Some(slot) = kind.slot_at(&set.name, set.rtype, &values) else { continue };
                let domain = slot.domain.to_lowercase();
                if !self.may_be_a_table(&domain) {
                    continue;
                }
                let table = tables_of.entry(domain.clone()).or_default();
                let path = path_beside(kind.id(), set, found);
                if kind.id() == KindId::ClientSettings && set.rtype == RecordType::TXT {
                    // Its server's record says it too.
                    continue;
                }
                let with_path = path.and_then(|path| forms::with_path(slot.key.as_deref()?, &values, &path));
                let forms = forms::of_slot(kind.id(), slot.key.as_deref(), set.rtype, &values);
                let forms = with_path.iter().cloned().chain(forms);
                let live = Live { zone: &found.zone, snapshot: &found.snapshot, capabilities: &found.capabilities };
                let mut unfit = Unfit::Other;
                let held = forms.into_iter().find_map(|form| {
                    let tables = format!("[domains.{}]\nprovider = \"p\"\n{form}\n", name_key(&domain));
                    match plans_to_nothing(&tables, live) {
                        Ok(findings) => Some((findings, form)),
                        Err(error) => {
                            unfit = error;
                            None
                        }
                    }
                });
                match held {
                    Some((findings, form)) => {
                        table.notes.extend(findings.iter().filter_map(note));
                        if kind.id() == KindId::MtaSts && set.rtype == RecordType::TXT {
                            table.notes.insert(policy_note(&domain, &values));
                        }
                        taken.insert(set.key(), forms::left_over(kind.id(), &form, &values));
                        if with_path.as_ref() == Some(&form) {
                            taken.insert(RRsetKey { name: set.name.clone(), rtype: RecordType::TXT }, 0);
                        }
                        let part = match kind.id() {
                            // Several sets are one service.
                            KindId::ClientSettings => form.split(" = ").next().map(str::to_owned),
                            _ => slot.key,
                        };
                        table.keys.insert((kind.id(), part), form);
                    }
                    None => {
                        let what = unheld(set, kind.id(), &unfit);
                        table.notes.insert(what);
                        table.notes.extend(kind.lint(&set.name, &values).iter().filter_map(note));
                    }
                }
            }
        }
        for (domain, table) in tables_of.iter_mut().filter(|(domain, _)| is_domain(domain)) {
            let head = format!("[domains.{}]\nprovider = \"p\"\n", name_key(domain));
            let live = Live { zone: &found.zone, snapshot: &found.snapshot, capabilities: &found.capabilities };
            let described = senders::recognise(domain, &head, &mut table.keys, live);
            taken.extend(described.into_iter().map(|key| (key, 0)));
        }
        for (name, ports) in tlsa {
            for (port, records) in &ports {
                let one = BTreeMap::from([(*port, records.clone())]);
                let tables = format!("[hosts.{}]\nprovider = \"p\"\n{}\n", name_key(&name), forms::tlsa(&one));
                let live = Live { zone: &found.zone, snapshot: &found.snapshot, capabilities: &found.capabilities };
                let Some(set) = ours.iter().find(|set| tlsa_at(set) == Some((name.clone(), *port))) else { continue };
                match plans_to_nothing(&tables, live) {
                    Ok(_) => drop(taken.insert(set.key(), 0)),
                    Err(unfit) => {
                        let domain = self.domain_for(&name, &root);
                        let domain = if tables_of.contains_key(&domain) { domain } else { root.clone() };
                        tables_of.entry(domain).or_default().notes.insert(unheld(set, KindId::Tlsa, &unfit));
                    }
                }
            }
            let held: BTreeMap<u16, Vec<&Tlsa>> = ports
                .into_iter()
                .filter(|(port, _)| {
                    let owner = name.prepend(&format!("_{port}._tcp"));
                    owner.is_ok_and(|name| taken.contains_key(&RRsetKey { name, rtype: RecordType::TLSA }))
                })
                .collect();
            if !held.is_empty() {
                hosts.entry(name.to_lowercase()).or_default().tlsa = Some(forms::tlsa(&held));
            }
        }
        self.hosts(found, &ours, hosts);
        for set in ours {
            let beside = taken.get(&set.key()).copied();
            if beside == Some(0) {
                continue;
            }
            let domain = self.domain_for(&set.name, &root);
            let domain = if tables_of.contains_key(&domain) { domain } else { root.clone() };
            tables_of.entry(domain).or_default().foreign.push(foreign(set, beside));
        }
    }

    /// The hosts that receive the zone's mail, and those with TLSA, with the addresses that the zone has.
    fn hosts(&self, found: &Found, ours: &[&RRset], hosts: &mut BTreeMap<Name, Host>) {
        let exchanges = ours.iter().filter(|set| set.rtype == RecordType::MX && set.protection.is_none());
        let exchanges = exchanges.flat_map(|set| &set.values).filter_map(|value| match &value.rdata {
            Rdata::Mx(mx) => Some(mx.exchange.to_lowercase()),
            _ => None,
        });
        let names: BTreeSet<Name> = exchanges.chain(hosts.keys().cloned()).collect();
        for name in names {
            if !self.is_ours(&found.zone.name.to_lowercase(), &name) {
                continue;
            }
            let addresses = |rtype| {
                let set = found.snapshot.get(&name, rtype).filter(|set| set.protection.is_none());
                set.map(|set| set.values.iter().map(|value| value.rdata.to_string()).collect::<BTreeSet<_>>())
            };
            let (ipv4, ipv6) = (addresses(RecordType::A), addresses(RecordType::AAAA));
            if ipv4.is_none() && ipv6.is_none() {
                continue;
            }
            let mut host = Host::default();
            host.ipv4.extend(ipv4.into_iter().flatten());
            host.ipv6.extend(ipv6.into_iter().flatten());
            let tables = format!("[hosts.{}]\nprovider = \"p\"\n{}", name_key(&name), address_keys(&host));
            let live = Live { zone: &found.zone, snapshot: &found.snapshot, capabilities: &found.capabilities };
            if plans_to_nothing(&tables, live).is_ok() {
                let known = hosts.entry(name).or_default();
                known.ipv4 = host.ipv4;
                known.ipv6 = host.ipv6;
            }
        }
    }

    /// Whether the zone with this apex, and no longer one of the provider, holds `owner`, and it is asked for.
    fn is_ours(&self, apex: &Name, owner: &Name) -> bool {
        let mut at = Some(owner.to_lowercase());
        let holder = std::iter::from_fn(|| {
            let name = at.take()?;
            at = name.parent();
            Some(name)
        })
        .find(|name| name == apex || self.all.contains(name));
        let wanted = self.within.is_empty() || self.within.iter().any(|name| owner.is_at_or_below(name));
        holder.as_ref() == Some(apex) && wanted
    }

    /// Whether a domain of this name belongs to a zone that is imported.
    fn may_be_a_table(&self, domain: &Name) -> bool {
        self.zones.iter().any(|found| domain.is_at_or_below(&found.zone.name))
            && (self.within.is_empty() || self.within.iter().any(|name| domain.is_at_or_below(name)))
    }

    /// The table that a remark on `owner` goes to.
    fn domain_for(&self, owner: &Name, root: &Name) -> Name {
        let mut at = owner.to_lowercase();
        while at.labels().next().is_some_and(|label| label.starts_with(b"_")) {
            match at.parent() {
                Some(parent) => at = parent,
                None => break,
            }
        }
        if self.may_be_a_table(&at) && at.is_at_or_below(root) { at } else { root.clone() }
    }

    fn write_table(&self, domain: &Name, table: &Table, text: &mut String) {
        if table.keys.is_empty() && !table.is_apex && table.notes.is_empty() && table.foreign.is_empty() {
            return;
        }
        // Writing to a String cannot fail.
        text.push('\n');
        if table.keys.is_empty() && !table.is_apex {
            let _ = writeln!(text, "{}", comment(&domain.to_text_without_dot()));
        } else if is_domain(domain) {
            let _ = writeln!(text, "[domains.{}]\nprovider = {}", name_key(domain), string(self.provider));
            if let Some(id) = &table.zone_id {
                let _ = writeln!(text, "zone_id = {}", string(id));
            }
            if let Some(word) = mail_use(table) {
                let _ = writeln!(text, "mail = \"{word}\"");
            }
            for line in table.keys.values() {
                let _ = writeln!(text, "{line}");
            }
        } else {
            let _ = writeln!(text, "{}", comment(&format!("{domain}: not a name that a domain can have here")));
        }
        for note in &table.notes {
            let _ = writeln!(text, "{}", comment(note));
        }
        write_foreign(&table.foreign, text);
    }
}

/// What the records say that the domain is for; nothing where that is the default.
fn mail_use(table: &Table) -> Option<&'static str> {
    let is = |kind, line: &str| table.keys.get(&(kind, None)).is_some_and(|key| key == line);
    match (is(KindId::Mx, "mx = \"null\""), is(KindId::Spf, "spf = [\"-all\"]")) {
        (true, true) => Some("none"),
        (true, false) => Some("send"),
        (false, true) => Some("receive"),
        (false, false) => None,
    }
}

fn write_host(name: &Name, host: &Host, text: &mut String) {
    let _ = writeln!(text, "\n[hosts.{}]", name_key(name));
    if let Some(provider) = &host.provider {
        let _ = writeln!(text, "provider = {}", string(provider));
    }
    text.push_str(&address_keys(host));
    if let Some(tlsa) = &host.tlsa {
        let _ = writeln!(text, "{tlsa}");
    }
}

fn address_keys(host: &Host) -> String {
    let mut text = String::new();
    for (key, list) in [("ipv4", &host.ipv4), ("ipv6", &host.ipv6)] {
        if !list.is_empty() {
            let quoted: Vec<String> = list.iter().map(|address| string(address)).collect();
            let _ = writeln!(text, "{key} = {}", layout(&quoted));
        }
    }
    text
}

fn write_foreign(foreign: &[String], text: &mut String) {
    /// More than a person looks through.
    const SHOWN: usize = 20;
    let count = foreign.len();
    if count == 0 {
        return;
    }
    let what = if count == 1 { "RRset" } else { "RRsets" };
    let _ = writeln!(text, "{}", comment(&format!("left foreign: {count} {what}")));
    for line in foreign.iter().take(SHOWN) {
        let _ = writeln!(text, "{}", comment(&format!("  {line}")));
    }
    if count > SHOWN {
        let _ = writeln!(text, "{}", comment(&format!("  and {} more", count - SHOWN)));
    }
}

/// `beside`: how many of the values are beside one that is described.
fn foreign(set: &RRset, beside: Option<usize>) -> String {
    let values = match (beside, set.values.len()) {
        (Some(1), _) => " (1 value beside)".to_owned(),
        (Some(count), _) => format!(" ({count} values beside)"),
        (None, 1) => String::new(),
        (None, count) => format!(" ({count} values)"),
    };
    let why = set.protection.as_ref().map(|why| format!(": {}", why.reason)).unwrap_or_default();
    format!("{} {}{values}{why}", set.name, set.rtype)
}

/// Why a set is not described.
fn unheld(set: &RRset, kind: KindId, unfit: &Unfit) -> String {
    let (name, rtype) = (&set.name, set.rtype);
    match unfit {
        Unfit::Other => format!("{name} {rtype}: no key `{kind}` says what is there; it stays foreign"),
        Unfit::Refused(message) => format!("{name} {rtype} stays foreign: {message}"),
    }
}

/// What the service itself keeps in every zone.
fn is_of_the_service(set: &RRset, apex: &Name) -> bool {
    let derived = [RecordType::SOA, RecordType::RRSIG, RecordType::NSEC, RecordType::NSEC3, RecordType::NSEC3PARAM];
    derived.contains(&set.rtype) || (set.rtype == RecordType::NS && set.name == *apex)
}

/// The path beside the record of a calendar or address book server (RFC 6764 section 4).
fn path_beside(kind: KindId, set: &RRset, found: &Found) -> Option<String> {
    let is_server = kind == KindId::ClientSettings && set.rtype == RecordType::SRV;
    let beside = found.snapshot.get(&set.name, RecordType::TXT).filter(|_| is_server)?;
    match beside.values.as_slice() {
        [value] if beside.protection.is_none() => client_settings::path(&value.rdata),
        _ => None,
    }
}

/// The host and port of a set of TLSA records, if it is one over TCP.
fn tlsa_at(set: &RRset) -> Option<(Name, u16)> {
    let slot =
        kind(KindId::Tlsa)?.slot_at(&set.name, set.rtype, &set.values.iter().map(|v| &v.rdata).collect::<Vec<_>>())?;
    let port = slot.key?.strip_prefix('_')?.strip_suffix("._tcp")?.parse().ok()?;
    Some((slot.domain, port))
}

fn as_tlsa<'a>(value: &&'a Rdata) -> Option<&'a Tlsa> {
    match value {
        Rdata::Tlsa(tlsa) => Some(tlsa),
        _ => None,
    }
}

/// A value that starts like one of ours and that no receiver selects.
fn near_miss(set: &RRset, values: &[&Rdata]) -> Option<String> {
    let labels: Vec<String> =
        set.name.labels().take(2).map(|label| String::from_utf8_lossy(label).to_ascii_lowercase()).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let id = match labels.as_slice() {
        ["_dmarc", ..] => KindId::Dmarc,
        ["_mta-sts", ..] => KindId::MtaSts,
        ["_smtp", "_tls"] => KindId::TlsRpt,
        [_, "_bimi"] => KindId::Bimi,
        [first, ..] if !first.starts_with('_') => KindId::Spf,
        _ => return None,
    };
    let near =
        values.iter().find(|value| kind(id).is_some_and(|kind| kind.recognise(value) == Recognition::NearMiss))?;
    Some(format!("{} {}: looks like {id} and is read by nobody, it stays foreign: {near}", set.name, set.rtype))
}

/// What a person should look at; what could not be checked without asking around is left to `plan`.
fn note(finding: &Finding) -> Option<String> {
    let word = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => return None,
    };
    let remedy = if finding.remedy.is_empty() { String::new() } else { format!("; {}", finding.remedy) };
    Some(format!("{word} {}: {}: {}{remedy}", finding.code, finding.subject, finding.message))
}

/// What the record alone does not tell.
fn policy_note(domain: &Name, values: &[&Rdata]) -> String {
    let text = forms::candidate(KindId::MtaSts, values).unwrap_or_default();
    let id = text.split(';').find_map(|part| part.trim().strip_prefix("id=")).unwrap_or("…").trim().to_owned();
    let domain = domain.to_text_without_dot();
    format!(
        "to manage MTA-STS, take the policy from https://mta-sts.{domain}/.well-known/mta-sts.txt: \
         mta_sts = {{ mode = \"…\", mx = [\"…\"], max_age = …, id = \"{id}\" }}"
    )
}

/// Whether the configuration takes the name for a domain's.
fn is_domain(name: &Name) -> bool {
    !name.is_root() && name.labels().flatten().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'/'))
}

fn name_key(name: &Name) -> String {
    let text = name.to_lowercase().to_text_without_dot();
    if text.contains('.') { string(&text) } else { key(&text) }
}
