//! SPF, DMARC, MTA-STS and TLS-RPT.

use std::net::IpAddr;

use mailzone_mailauth::spf::{self, Qualifier, Term};
use mailzone_record::Name;

use super::domain::word;
use super::services::{read_all, ttl};
use super::{Lowering, unknown};
use crate::diagnostic::Diagnostic;
use crate::domain::{MtaSts, MtaStsMode, MtaStsSetting, Slot, SpfSetting, TextOrCname, WebHost};
use crate::merge::{Item, Leaf, Merged};
use crate::raw::Node;
use crate::source::Located;
use crate::{mail_texts, texts};

/// A week: what RFC 8461 section 3.2 advises at least.
const MAX_AGE: u32 = 604_800;
/// RFC 8461 section 3.2.
const MAX_AGE_LIMIT: u32 = 31_557_600;

impl Lowering<'_, '_> {
    pub(super) fn spf(&mut self, item: &Item<'_>) -> Option<Located<Slot<SpfSetting>>> {
        match item {
            Item::Table(table) => Some(table.with(Slot::Want(self.spf_table(table)?))),
            Item::Leaf(leaf) => {
                Some(
                    leaf.with(match leaf.node.text() {
                        Some(text) => word(text)
                            .unwrap_or_else(|| Slot::Want(SpfSetting { text: text.to_owned(), hosts: Vec::new() })),
                        None => Slot::Want(self.spf_list(&leaf.node)?),
                    }),
                )
            }
        }
    }

    /// Terms in the user's own order.
    fn spf_list(&mut self, node: &Node<'_>) -> Option<SpfSetting> {
        let items: Vec<Node<'_>> = node.items().collect();
        let terms: Vec<&str> = items.iter().map(Node::text).collect::<Option<_>>()?;
        match spf::Record::from_terms(&terms) {
            Ok(record) => Some(SpfSetting { text: record.to_string(), hosts: Vec::new() }),
            Err(errors) => {
                for (index, error) in errors {
                    // Errors within a term have been reported by the check; those between terms remain.
                    let Some(item) =
                        items.get(index).filter(|item| item.text().is_some_and(|text| Term::parse(text).is_ok()))
                    else {
                        continue;
                    };
                    let diagnostic = Diagnostic::error(format!("`spf`: {}", error.message)).at(item.place());
                    self.report.add(diagnostic.help(error.remedy));
                }
                None
            }
        }
    }

    /// The table form, in the order of the sample: names first, then networks, includes, the rest.
    fn spf_table(&mut self, table: &Merged<'_>) -> Option<SpfSetting> {
        let mut terms = Vec::new();
        let mut hosts = Vec::new();
        type Make = fn(Option<spf::DomainSpec>) -> Term;
        for (key, make) in [("mx", Term::mx as Make), ("a", Term::a as Make)] {
            let Some(leaf) = table.leaf(key) else { continue };
            if leaf.node.bool() == Some(true) {
                terms.push(make(None));
            }
            terms.extend(read_all(&leaf.node, mail_texts::domain_spec).into_iter().map(|name| make(Some(name))));
        }
        for item in table.leaf("hosts").iter().flat_map(|leaf| leaf.node.items()) {
            let Some(Ok(name)) = item.text().map(texts::host_name) else { continue };
            for address in self.addresses(&name, &item) {
                let term = Term::address(address);
                if !terms.contains(&term) {
                    terms.push(term);
                }
            }
            hosts.push(name);
        }
        for (key, v6) in [("ip4", false), ("ip6", true)] {
            let Some(leaf) = table.leaf(key) else { continue };
            terms.extend(read_all(&leaf.node, |text| mail_texts::network(text, v6)).into_iter().map(Term::ip));
        }
        type MakeNamed = fn(spf::DomainSpec) -> Term;
        for (key, make) in [("include", Term::include as MakeNamed), ("exists", Term::exists as MakeNamed)] {
            let Some(leaf) = table.leaf(key) else { continue };
            terms.extend(read_all(&leaf.node, mail_texts::domain_spec).into_iter().map(make));
        }
        match (table.leaf("redirect"), table.leaf("all")) {
            (Some(redirect), Some(all)) => {
                self.exclude(
                    ("redirect", redirect),
                    ("all", all),
                    "receivers ignore `redirect` beside `all`: keep one, or write `spf` as a list of terms",
                );
                return None;
            }
            (Some(redirect), None) => terms.push(Term::redirect(mail_texts::domain_spec(redirect.node.text()?).ok()?)),
            (None, Some(all)) => terms.push(Term::all(Qualifier::from_word(all.node.text()?)?)),
            (None, None) => {}
        }
        Some(SpfSetting { text: spf::Record::new(terms).to_string(), hosts })
    }

    /// The configured addresses of a host that SPF names.
    fn addresses(&mut self, name: &Name, node: &Node<'_>) -> Vec<IpAddr> {
        let Some(host) = self.hosts.get(name) else {
            let known: Vec<String> = self.hosts.keys().map(Name::to_text_without_dot).collect();
            let text = name.to_text_without_dot();
            unknown("host", &text, node.place(), known.iter().map(String::as_str), self.report);
            return Vec::new();
        };
        let v4 = host.ipv4.iter().flat_map(|list| &list.value).map(|address| IpAddr::V4(*address));
        let v6 = host.ipv6.iter().flat_map(|list| &list.value).map(|address| IpAddr::V6(*address));
        let addresses: Vec<IpAddr> = v4.chain(v6).collect();
        if addresses.is_empty() {
            let message = format!("the host {} has no addresses here", name.to_text_without_dot());
            let diagnostic = Diagnostic::error(message).at(node.place()).related(host.place.clone(), "the host");
            self.report.add(diagnostic.help("name its `ipv4` or `ipv6`, or use `a = [\"NAME\"]` in `spf`"));
        }
        addresses
    }

    /// Two keys that exclude each other; both may come from different layers.
    pub(super) fn exclude(&mut self, later: (&str, &Leaf<'_>), other: (&str, &Leaf<'_>), help: &str) {
        let diagnostic = Diagnostic::error(format!("`{}` and `{}` exclude each other", later.0, other.0));
        let diagnostic = diagnostic.at(later.1.node.place()).label(format!("from {}", later.1.via));
        self.report.add(diagnostic.related(other.1.node.place(), format!("from {}", other.1.via)).help(help));
    }

    /// The CNAME of a table, if it has one and nothing else.
    fn cname(&mut self, table: &Merged<'_>) -> Option<Option<Name>> {
        let Some(leaf) = table.leaf("cname") else { return Some(None) };
        if let Some((key, other)) = table.leaves().find(|(key, _)| *key != "cname") {
            self.exclude(
                ("cname", leaf),
                (key, other),
                "a name with a CNAME has no record of its own: keep one of them",
            );
            return None;
        }
        Some(Some(texts::name(leaf.node.text()?).ok()?))
    }

    pub(super) fn dmarc(&mut self, item: &Item<'_>) -> Option<Located<Slot<TextOrCname>>> {
        let table = match item {
            Item::Leaf(leaf) => return literal(leaf),
            Item::Table(table) => table,
        };
        if let Some(target) = self.cname(table)? {
            return Some(table.with(Slot::Want(TextOrCname::Cname(target))));
        }
        if table.leaf("policy").is_none() {
            let diagnostic = Diagnostic::error("`dmarc` without `policy`").at(table.place.clone());
            self.report.add(diagnostic.help("add policy = \"none\", \"quarantine\" or \"reject\""));
            return None;
        }
        let mut text = format!("v=DMARC1; p={}", table.text("policy")?);
        for (key, tag) in [("subdomain_policy", "sp"), ("nonexistent_policy", "np")] {
            if let Some(policy) = table.text(key) {
                text.push_str(&format!("; {tag}={policy}"));
            }
        }
        for (key, tag) in [("dkim_alignment", "adkim"), ("spf_alignment", "aspf")] {
            if table.text(key) == Some("strict") {
                text.push_str(&format!("; {tag}=s"));
            }
        }
        for key in ["rua", "ruf"] {
            text.push_str(&uris(table, key));
        }
        if table.leaf("testing").and_then(|leaf| leaf.node.bool()) == Some(true) {
            text.push_str("; t=y");
        }
        Some(table.with(Slot::Want(TextOrCname::Text(text))))
    }

    pub(super) fn tls_rpt(&mut self, item: &Item<'_>) -> Option<Located<Slot<TextOrCname>>> {
        let table = match item {
            Item::Leaf(leaf) => return literal(leaf),
            Item::Table(table) => table,
        };
        let value = match self.cname(table)? {
            Some(target) => TextOrCname::Cname(target),
            None if table.leaf("rua").is_some() => TextOrCname::Text(format!("v=TLSRPTv1{}", uris(table, "rua"))),
            None => {
                let diagnostic = Diagnostic::error("`tls_rpt` without `rua`").at(table.place.clone());
                self.report.add(diagnostic.help("name where reports go: rua = [\"mailto:…\"]"));
                return None;
            }
        };
        Some(table.with(Slot::Want(value)))
    }

    pub(super) fn mta_sts(&mut self, item: &Item<'_>) -> Option<Located<Slot<MtaStsSetting>>> {
        let table = match item {
            Item::Leaf(leaf) => return Some(leaf.with(word(leaf.node.text()?)?)),
            Item::Table(table) => table,
        };
        // `host` beside `cname` would be an own policy host for somebody else's record.
        if let (Some(leaf), Some(host)) = (table.leaf("cname"), table.table("host")) {
            let diagnostic = Diagnostic::error("`cname` and `host` exclude each other").at(leaf.node.place());
            self.report.add(
                diagnostic.related(host.place.clone(), "the host").help("list `mta-sts` among `records` to keep both"),
            );
            return None;
        }
        if let Some(target) = self.cname(table)? {
            return Some(table.with(Slot::Want(MtaStsSetting::Cname(target))));
        }
        let mode = match table.text("mode") {
            Some("enforce") => MtaStsMode::Enforce,
            Some("testing") => MtaStsMode::Testing,
            Some("none") => MtaStsMode::None,
            _ if table.leaf("mode").is_some() => return None,
            _ => {
                let diagnostic = Diagnostic::error("`mta_sts` without `mode`").at(table.place.clone());
                self.report.add(diagnostic.help("add mode = \"testing\", \"enforce\" or \"none\""));
                return None;
            }
        };
        let mx = table.leaf("mx").map_or_else(Vec::new, |leaf| read_all(&leaf.node, mail_texts::mx_pattern));
        if mx.is_empty() && mode != MtaStsMode::None {
            let place = table.leaf("mx").map_or_else(|| table.place.clone(), |leaf| leaf.node.place());
            let diagnostic = Diagnostic::error("an MTA-STS policy without `mx`").at(place);
            self.report.add(diagnostic.help("name the hosts of the MX (RFC 8461 section 3.2)"));
        }
        let max_age = match table.leaf("max_age") {
            None => MAX_AGE,
            Some(leaf) => {
                let seconds = ttl(&leaf.node)?.as_secs();
                if seconds > MAX_AGE_LIMIT {
                    let message = format!("`max_age` is over {MAX_AGE_LIMIT} seconds, a year");
                    self.report.add(Diagnostic::error(message).at(leaf.node.place()));
                }
                seconds
            }
        };
        let id = table.text("id").filter(|id| *id != "auto").map(str::to_owned);
        let host = match table.table("host") {
            Some(host) => Some(host.with(self.mta_sts_host(host)?)),
            None => None,
        };
        Some(table.with(Slot::Want(MtaStsSetting::Policy(MtaSts { mode, mx, max_age, id, host }))))
    }

    fn mta_sts_host(&mut self, table: &Merged<'_>) -> Option<WebHost> {
        if let Some(target) = self.cname(table)? {
            return Some(WebHost::Cname(target));
        }
        let ipv4 = table.leaf("ipv4").map(|leaf| read_all(&leaf.node, texts::ipv4));
        let ipv6 = table.leaf("ipv6").map(|leaf| read_all(&leaf.node, texts::ipv6));
        if ipv4.is_none() && ipv6.is_none() {
            let diagnostic = Diagnostic::error("`mta_sts.host` says nothing").at(table.place.clone());
            self.report.add(diagnostic.help("name `cname`, `ipv4` or `ipv6`"));
            return None;
        }
        Some(WebHost::Addresses { ipv4, ipv6 })
    }
}

/// A record as the user wrote it, or one of the two words.
fn literal(leaf: &Leaf<'_>) -> Option<Located<Slot<TextOrCname>>> {
    let text = leaf.node.text()?;
    Some(leaf.with(word(text).unwrap_or_else(|| Slot::Want(TextOrCname::Text(text.to_owned())))))
}

/// `; rua=…`, or nothing for an empty list.
fn uris(table: &Merged<'_>, key: &str) -> String {
    let Some(leaf) = table.leaf(key) else { return String::new() };
    let uris: Vec<&str> = leaf.node.items().filter_map(|item| item.text()).collect();
    if uris.is_empty() { String::new() } else { format!("; {key}={}", uris.join(",")) }
}
