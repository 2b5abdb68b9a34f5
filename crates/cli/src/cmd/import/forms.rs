//! A live RRset as a key of the configuration: the forms that may say it, the most readable first.
//!
//! None of them is believed: each is tried ([`super::trial`]) before it is written.

use std::collections::{BTreeMap, BTreeSet};

use mailzone_mailauth::{KindId, Recognition, bimi, dkim, dmarc, kind, tls_rpt};
use mailzone_record::{Caa, Mx, Name, Rdata, RecordType, Srv, Tlsa};

use super::toml::{key, layout, list, string};

/// Lines of a domain's table that may say what these values of a slot are.
pub(super) fn of_slot(kind: KindId, part: Option<&str>, rtype: RecordType, values: &[&Rdata]) -> Vec<String> {
    if let (RecordType::CNAME, [Rdata::Cname(target)]) = (rtype, values) {
        let name = match (kind, part) {
            (KindId::ClientSettings, Some(host)) => return client_host(host, target),
            (KindId::Dkim | KindId::Bimi, Some(selector)) => format!("{kind}.{}", key(selector)),
            _ => kind.as_str().to_owned(),
        };
        return vec![format!("{name} = {{ cname = {} }}", string(&target.to_string()))];
    }
    let text = || candidate(kind, values);
    match kind {
        KindId::Mx => vec![mx(values)],
        KindId::Spf => text().map(|text| spf(&text)).unwrap_or_default(),
        KindId::Dkim => match (part, values) {
            (Some(selector), [value]) => joined(value).map(|text| dkim_key(selector, &text)).unwrap_or_default(),
            _ => Vec::new(),
        },
        KindId::Dmarc => text().map(|text| dmarc_forms(&text)).unwrap_or_default(),
        KindId::TlsRpt => text().map(|text| tls_rpt_forms(&text)).unwrap_or_default(),
        // What the policy says is no matter of the DNS.
        KindId::MtaSts => text().map(|_| vec!["mta_sts = \"unmanaged\"".to_owned()]).unwrap_or_default(),
        KindId::ReportAuthorisation if part == Some("*") => vec!["report_authorisation = \"wildcard\"".to_owned()],
        KindId::Bimi => match (part, text()) {
            (Some(selector), Some(text)) => bimi_forms(selector, &text),
            _ => Vec::new(),
        },
        KindId::ClientSettings => part.map(|service| client_settings(service, rtype, values)).unwrap_or_default(),
        KindId::Caa => caa(values),
        _ => Vec::new(),
    }
}

/// The key `tlsa` of a host with these values by port.
pub(super) fn tlsa(ports: &BTreeMap<u16, Vec<&Tlsa>>) -> String {
    let record = |port: u16, tlsa: &Tlsa| {
        let data: String = tlsa.data.iter().map(|octet| format!("{octet:02x}")).collect();
        format!(
            "{{ port = {port}, usage = {}, selector = {}, matching = {}, data = \"{data}\" }}",
            tlsa.usage, tlsa.selector, tlsa.matching
        )
    };
    let records: Vec<String> =
        ports.iter().flat_map(|(port, list)| list.iter().map(|tlsa| record(*port, tlsa))).collect();
    format!("tlsa = {}", layout(&records))
}

/// The one value that a receiver would select, as text.
pub(super) fn candidate(id: KindId, values: &[&Rdata]) -> Option<String> {
    let kind = kind(id)?;
    let mut candidates = values.iter().filter(|value| kind.recognise(value) == Recognition::Candidate);
    match (candidates.next(), candidates.next()) {
        (Some(value), None) => joined(value),
        _ => None,
    }
}

/// How many of the values a line of [`of_slot`] says nothing of.
pub(super) fn left_over(id: KindId, line: &str, values: &[&Rdata]) -> usize {
    let ours = |value: &&&Rdata| match (id, **value) {
        (KindId::Caa, Rdata::Caa(caa)) => {
            let tag = format!("{} = [", caa.tag.to_ascii_lowercase());
            line.contains(&format!("{{ {tag}")) || line.contains(&format!(", {tag}"))
        }
        (KindId::Mx | KindId::Dkim | KindId::ClientSettings, _) | (_, Rdata::Cname(_)) => true,
        _ => kind(id).is_some_and(|kind| kind.recognise(value) == Recognition::Candidate),
    };
    values.len() - values.iter().filter(ours).count()
}

fn joined(value: &Rdata) -> Option<String> {
    String::from_utf8(value.as_txt()?.joined().into_owned()).ok()
}

fn mx(values: &[&Rdata]) -> String {
    let mut hosts: Vec<&Mx> = values.iter().filter_map(|value| as_mx(value)).collect();
    if let [Mx { exchange, .. }] = hosts.as_slice()
        && exchange.is_root()
    {
        return "mx = \"null\"".to_owned();
    }
    hosts.sort_by(|a, b| (a.preference, &a.exchange).cmp(&(b.preference, &b.exchange)));
    let host = |mx: &&Mx| format!("{{ preference = {}, host = {} }}", mx.preference, name(&mx.exchange));
    format!("mx = {}", layout(&hosts.iter().map(host).collect::<Vec<_>>()))
}

fn as_mx(value: &Rdata) -> Option<&Mx> {
    match value {
        Rdata::Mx(mx) => Some(mx),
        _ => None,
    }
}

fn name(name: &Name) -> String {
    string(&name.to_text_without_dot())
}

fn spf(text: &str) -> Vec<String> {
    let terms: Vec<String> = text.split(' ').skip(1).filter(|term| !term.is_empty()).map(str::to_owned).collect();
    let literal = format!("spf = {}", string(text));
    if terms.is_empty() { vec![literal] } else { vec![format!("spf = {}", list(&terms)), literal] }
}

fn dkim_key(selector: &str, text: &str) -> Vec<String> {
    let key = format!("dkim.{}", key(selector));
    let whole = format!("{key} = {{ txt = {} }}", string(text));
    match dkim::KeyRecord::parse(text) {
        Ok(record) if record.key == dkim::Key::Revoked => vec![format!("{key} = {{ revoked = true }}"), whole],
        _ => vec![whole],
    }
}

fn dmarc_forms(text: &str) -> Vec<String> {
    let literal = format!("dmarc = {}", string(text));
    let table = dmarc::Record::parse(text).ok().and_then(|record| dmarc_table(&record.tags()));
    table.into_iter().chain([literal]).collect()
}

/// The table, if it has a key for every tag.
fn dmarc_table(tags: &[(String, String)]) -> Option<String> {
    let mut keys = Vec::with_capacity(tags.len());
    for (tag, value) in tags {
        let alignment = |value: &str| if value == "s" { "\"strict\"" } else { "\"relaxed\"" };
        let uris = || list(&value.split(',').map(str::to_owned).collect::<Vec<_>>());
        keys.push(match tag.as_str() {
            "v" => continue,
            "p" => format!("policy = {}", string(value)),
            "sp" => format!("subdomain_policy = {}", string(value)),
            "np" => format!("nonexistent_policy = {}", string(value)),
            "adkim" => format!("dkim_alignment = {}", alignment(value)),
            "aspf" => format!("spf_alignment = {}", alignment(value)),
            "t" => format!("testing = {}", value == "y"),
            "rua" => format!("rua = {}", uris()),
            "ruf" => format!("ruf = {}", uris()),
            _ => return None,
        });
    }
    Some(format!("dmarc = {{ {} }}", keys.join(", ")))
}

fn tls_rpt_forms(text: &str) -> Vec<String> {
    let literal = format!("tls_rpt = {}", string(text));
    let table = tls_rpt::Record::parse(text).ok().filter(|record| record.extensions.is_empty()).map(|record| {
        let uris: Vec<String> = record.rua.iter().map(ToString::to_string).collect();
        format!("tls_rpt = {{ rua = {} }}", list(&uris))
    });
    table.into_iter().chain([literal]).collect()
}

fn bimi_forms(selector: &str, text: &str) -> Vec<String> {
    let selector = format!("bimi.{}", key(selector));
    let literal = format!("{selector} = {}", string(text));
    let record = bimi::Record::parse(text).ok().filter(|record| record.extensions.is_empty());
    let table = record.map(|record| {
        let mut keys = vec![format!("logo = {}", string(&record.logo))];
        if !record.evidence.is_empty() {
            keys.push(format!("evidence = {}", string(&record.evidence)));
        }
        if record.preference == bimi::Preference::Personal {
            keys.push("preference = \"personal\"".to_owned());
        }
        if !record.local_parts.is_empty() {
            keys.push(format!("local_parts = {}", list(&record.local_parts)));
        }
        format!("{selector} = {{ {} }}", keys.join(", "))
    });
    table.into_iter().chain([literal]).collect()
}

/// A CNAME at `autoconfig` or `autodiscover`; beside the latter there may be an SRV record.
fn client_host(host: &str, target: &Name) -> Vec<String> {
    let cname = format!("client_settings.{host}.cname = {}", name(target));
    if host == "autoconfig" { vec![format!("client_settings.{host} = {}", name(target)), cname] } else { vec![cname] }
}

/// SRV of a service, or addresses of a host.
fn client_settings(service: &str, rtype: RecordType, values: &[&Rdata]) -> Vec<String> {
    let line = |key: &str, value: String| vec![format!("client_settings.{key} = {value}")];
    let addresses =
        || list(&values.iter().map(ToString::to_string).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
    match rtype {
        RecordType::A => return line(&format!("{service}.ipv4"), addresses()),
        RecordType::AAAA => return line(&format!("{service}.ipv6"), addresses()),
        RecordType::SRV => {}
        _ => return Vec::new(),
    }
    let mut servers: Vec<&Srv> = values.iter().filter_map(|value| as_srv(value)).collect();
    servers.sort_by(|a, b| (a.priority, &a.target, a.port).cmp(&(b.priority, &b.target, b.port)));
    let plain = |srv: &Srv| string(&format!("{}:{}", srv.target.to_text_without_dot(), srv.port));
    let table = |srv: &&Srv| {
        let Srv { priority, weight, port, target } = srv;
        format!("{{ host = {}, port = {port}, priority = {priority}, weight = {weight} }}", name(target))
    };
    match (service, servers.as_slice()) {
        (_, [srv]) if srv.target.is_root() => line(service, "\"none\"".to_owned()),
        ("autodiscover", [srv]) => line("autodiscover.srv", plain(srv)),
        (_, [srv]) if (srv.priority, srv.weight) == (0, 1) => line(service, plain(srv)),
        (_, [srv]) => line(service, table(srv)),
        _ => line(service, layout(&servers.iter().map(table).collect::<Vec<_>>())),
    }
}

/// A calendar or address book server with the path that stands beside its record.
pub(super) fn with_path(service: &str, values: &[&Rdata], path: &str) -> Option<String> {
    let [Rdata::Srv(Srv { priority: 0, port, target, .. })] = values else { return None };
    Some(format!("client_settings.{service} = {{ host = {}, port = {port}, path = {} }}", name(target), string(path)))
}

fn as_srv<'a>(value: &&'a Rdata) -> Option<&'a Srv> {
    match value {
        Rdata::Srv(srv) => Some(srv),
        _ => None,
    }
}

/// The tags that a key stands for; a tag with a value that cannot be written stays foreign as a whole.
fn caa(values: &[&Rdata]) -> Vec<String> {
    const TAGS: [&str; 5] = ["issue", "issuewild", "issuemail", "issuevmc", "iodef"];
    let mut tags: BTreeMap<usize, Option<Vec<String>>> = BTreeMap::new();
    for value in values {
        let Rdata::Caa(Caa { flags, tag, value }) = value else { return Vec::new() };
        let Some(at) = TAGS.iter().position(|known| known.eq_ignore_ascii_case(tag)) else { continue };
        let text = String::from_utf8(value.to_vec()).ok().filter(|_| *flags == 0);
        let list = tags.entry(at).or_insert_with(|| Some(Vec::new()));
        match (text, list.as_mut()) {
            (Some(text), Some(list)) => list.push(text),
            _ => *list = None,
        }
    }
    let keys: Vec<String> = tags
        .into_iter()
        .filter_map(|(at, values)| {
            let mut values = values?;
            values.sort();
            values.dedup();
            Some(format!("{} = {}", TAGS.get(at)?, list(&values)))
        })
        .collect();
    if keys.is_empty() { Vec::new() } else { vec![format!("caa = {{ {} }}", keys.join(", "))] }
}

#[cfg(test)]
mod tests {
    use mailzone_record::Txt;

    use super::*;

    fn text(kind: KindId, part: Option<&str>, text: &str) -> String {
        of_slot(kind, part, RecordType::TXT, &[&Rdata::Txt(Txt::from_text(text))]).join("\n")
    }

    #[test]
    fn the_readable_form_comes_first() {
        insta::assert_snapshot!(text(KindId::Spf, None, "v=spf1  mx include:a.example -all"), @r#"
        spf = ["mx", "include:a.example", "-all"]
        spf = "v=spf1  mx include:a.example -all"
        "#);
        insta::assert_snapshot!(text(KindId::Dmarc, None, "v=DMARC1;p=none; rua=mailto:a@b.example,mailto:c@d.example; adkim=s"), @r#"
        dmarc = { policy = "none", dkim_alignment = "strict", rua = ["mailto:a@b.example", "mailto:c@d.example"] }
        dmarc = "v=DMARC1;p=none; rua=mailto:a@b.example,mailto:c@d.example; adkim=s"
        "#);
        insta::assert_snapshot!(text(KindId::Dmarc, None, "v=DMARC1; p=none; pct=50"), @r#"dmarc = "v=DMARC1; p=none; pct=50""#);
        insta::assert_snapshot!(text(KindId::Dkim, Some("a.b"), "v=DKIM1; p="), @r#"
        dkim."a.b" = { revoked = true }
        dkim."a.b" = { txt = "v=DKIM1; p=" }
        "#);
    }

    #[test]
    fn a_tag_is_written_whole_or_not_at_all() {
        let caa = |flags: u8, tag: &str, value: &str| {
            Rdata::Caa(Caa { flags, tag: tag.into(), value: value.as_bytes().into() })
        };
        let values =
            [caa(0, "issue", "b.example"), caa(0, "ISSUE", "a.example"), caa(128, "iodef", "mailto:x@y.example")];
        let refs: Vec<&Rdata> = values.iter().collect();
        insta::assert_snapshot!(of_slot(KindId::Caa, None, RecordType::CAA, &refs).concat(), @r#"caa = { issue = ["a.example", "b.example"] }"#);
        assert_eq!(of_slot(KindId::Caa, None, RecordType::CAA, &refs[2..]), Vec::<String>::new());
    }
}
