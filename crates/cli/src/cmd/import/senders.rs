//! Sending services, recognised by the CNAMEs at their selectors: nobody else's point there.
//!
//! As with every key nothing is believed: what is found is tried together with all else that the domain's table says.

use std::collections::{BTreeMap, BTreeSet};

use mailzone_config::SourceFile;
use mailzone_config::senders::{ParameterKind, Preset, Values, expand, presets};
use mailzone_mailauth::KindId;
use mailzone_mailauth::dkim::selector_of;
use mailzone_record::{Name, RRset, RRsetKey, Rdata, RecordType};

use super::toml::{list, string};
use super::trial::{Live, PROVIDER, plans_to_nothing};

/// The keys of a domain's table by kind and part, as they are written.
pub(super) type Keys = BTreeMap<(KindId, Option<String>), String>;

/// Replaces keys that are what a service asks for by that service. Gives the RRsets that its key describes.
/// `head` is the table's header, with the provider `p`.
pub(super) fn recognise(domain: &Name, head: &str, keys: &mut Keys, live: Live<'_>) -> Vec<RRsetKey> {
    let mut described = Vec::new();
    if !keys.keys().any(|(kind, _)| *kind == KindId::Dkim) {
        return described;
    }
    for preset in presets().values() {
        for values in solutions(preset, domain, live) {
            let sender = format!("senders.{} = {}", preset.name, table(preset, &values));
            let Some(records) = records_of(head, &sender, &preset.name) else { continue };
            let left: Keys = keys
                .iter()
                .filter(|((kind, part), _)| !is_described(*kind, part.as_deref(), domain, &records, &values))
                .map(|(key, line)| (key.clone(), line.clone()))
                .collect();
            let lines: Vec<&str> = left.values().map(String::as_str).chain([sender.as_str()]).collect();
            if plans_to_nothing(&format!("{head}{}\n", lines.join("\n")), live).is_ok() {
                *keys = left;
                keys.insert((KindId::Sender, Some(preset.name.clone())), sender);
                described.extend(records);
                break;
            }
        }
    }
    described
}

/// What the live records say that the parameters are: with the domain's MX if that is the service's, then without.
fn solutions(preset: &Preset, domain: &Name, live: Live<'_>) -> Vec<Values> {
    let mut values = Values::new();
    for key in &preset.dkim {
        if key.cname.is_empty() {
            return Vec::new();
        }
        match &key.each {
            Some(each) => {
                let Some(found) = items(&key.selector, &key.cname, each, domain, live) else { return Vec::new() };
                values.insert(each.clone(), found);
            }
            None => {
                let owner = expand(&key.selector, domain, &values);
                let owner = owner.and_then(|selector| domain.prepend(&format!("{selector}._domainkey")).ok());
                let Some(target) = owner.and_then(|owner| target_at(&owner, live)) else { return Vec::new() };
                if !key.cname.iter().any(|pattern| matches(pattern, &target, domain, &mut values)) {
                    return Vec::new();
                }
            }
        }
    }
    for record in &preset.records {
        let parameter = record.name.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
        if let (Some(parameter), Some(value)) = (parameter, expand(&record.value, domain, &values))
            && record.rtype == "CNAME"
            && !values.contains_key(parameter)
        {
            let mut labels = labels_to(&value, domain, live);
            if let (Some(label), None) = (labels.pop(), labels.pop()) {
                values.insert(parameter.to_owned(), vec![label]);
            }
        }
    }
    let counted = |name: &str, kind: &ParameterKind| match kind {
        ParameterKind::Labels(count) => values.get(name).is_some_and(|list| list.len() == *count),
        _ => values.contains_key(name),
    };
    if !preset.parameters.iter().filter(|p| p.required).all(|p| counted(&p.name, &p.kind)) {
        return Vec::new();
    }
    let mut solutions = Vec::new();
    let mut with_mx = values.clone();
    if takes_mail(preset, domain, live, &mut with_mx) {
        with_mx.insert("mx".to_owned(), vec!["true".to_owned()]);
        solutions.push(with_mx);
    }
    solutions.push(values);
    solutions
}

/// The selectors of a key of which there are several, if they are all that is live.
fn items(selector: &str, cname: &[String], each: &str, domain: &Name, live: Live<'_>) -> Option<Vec<String>> {
    let mut found = BTreeSet::new();
    for set in live.snapshot.rrsets().iter().filter(|set| set.rtype == RecordType::CNAME) {
        let Some((label, _)) = selector_of(&set.name).filter(|(_, of)| of == domain) else { continue };
        let target = target_at(&set.name, live)?;
        let mut values = Values::from([(each.to_owned(), vec![label.clone()])]);
        if expand(selector, domain, &values).as_deref() == Some(&label)
            && cname.iter().any(|pattern| matches(pattern, &target, domain, &mut values))
        {
            found.insert(label);
        }
    }
    Some(found.into_iter().collect())
}

/// Whether the domain's MX are the service's.
fn takes_mail(preset: &Preset, domain: &Name, live: Live<'_>, values: &mut Values) -> bool {
    let Some(set) = live.snapshot.get(domain, RecordType::MX) else { return false };
    let exchanges = set.values.iter().filter_map(|value| match &value.rdata {
        Rdata::Mx(mx) => Some((mx.preference, text(&mx.exchange))),
        _ => None,
    });
    let exchanges: Vec<(u16, String)> = exchanges.collect();
    !preset.mx.is_empty()
        && exchanges.len() == preset.mx.len()
        && preset.mx.iter().all(|(preference, host)| {
            exchanges.iter().any(|(known, text)| known == preference && matches(host, text, domain, values))
        })
}

/// The labels of the names right below `domain` whose CNAME is this.
fn labels_to(target: &str, domain: &Name, live: Live<'_>) -> Vec<String> {
    let target = target.trim_end_matches('.').to_ascii_lowercase();
    let points = |set: &&RRset| set.rtype == RecordType::CNAME && set.name.parent().as_ref() == Some(domain);
    let sets = live.snapshot.rrsets().iter().filter(points);
    let sets = sets.filter(|set| target_at(&set.name, live).as_deref() == Some(&target));
    sets.filter_map(|set| Some(set.name.without_suffix(domain)?.to_lowercase().to_text_without_dot())).collect()
}

fn target_at(owner: &Name, live: Live<'_>) -> Option<String> {
    let set = live.snapshot.get(owner, RecordType::CNAME).filter(|set| set.protection.is_none())?;
    match set.values.as_slice() {
        [value] => match &value.rdata {
            Rdata::Cname(target) => Some(text(target)),
            _ => None,
        },
        _ => None,
    }
}

/// A name as templates write it.
fn text(name: &Name) -> String {
    name.to_lowercase().to_text_without_dot()
}

/// Whether a template can be this text; what its placeholders then are is noted, if it can.
fn matches(template: &str, text: &str, domain: &Name, values: &mut Values) -> bool {
    let mut found = values.clone();
    let mut rest = text;
    let mut template = template.to_ascii_lowercase();
    // What is known is text like any other; one placeholder after the other becomes known.
    loop {
        let Some((before, after)) = template.split_once('{') else {
            let fits = template == rest;
            if fits {
                *values = found;
            }
            return fits;
        };
        let Some(tail) = rest.strip_prefix(before) else { return false };
        let Some((name, after)) = after.split_once('}') else { return false };
        let known = expand(&format!("{{{name}}}"), domain, &found);
        let value = known.unwrap_or_else(|| {
            let literal = after.split('{').next().unwrap_or_default();
            let end = if literal.is_empty() { Some(tail.len()) } else { tail.find(literal) };
            tail.get(..end.unwrap_or_default()).unwrap_or_default().to_owned()
        });
        let Some(next) = tail.strip_prefix(&value).filter(|_| !value.is_empty()) else { return false };
        if !matches!(name, "d" | "d-") {
            found.insert(name.to_owned(), vec![value]);
        }
        rest = next;
        template = after.to_owned();
    }
}

/// `{ domain_id = "em1234", user = "u1234567" }`
fn table(preset: &Preset, values: &Values) -> String {
    let key = |name: &str| match (values.get(name)?.as_slice(), preset.parameter(name).map(|p| &p.kind)) {
        (items, Some(ParameterKind::Labels(_))) => Some(format!("{name} = {}", list(items))),
        ([one], Some(_)) => Some(format!("{name} = {}", string(one))),
        (_, None) => Some(format!("{name} = true")),
        _ => None,
    };
    let keys: Vec<String> = preset.keys().filter_map(key).collect();
    if keys.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", keys.join(", ")) }
}

/// The RRsets that the key of a service describes, if it loads.
fn records_of(head: &str, sender: &str, name: &str) -> Option<Vec<RRsetKey>> {
    let file = SourceFile::new("import", format!("{PROVIDER}{head}{sender}\n"));
    let settings = mailzone_config::parse(&[file], ".".into(), &mut |_| Err(String::new())).ok()?;
    let domain = settings.domains.values().next()?;
    let setting = domain.senders.get(name)?.value.wanted()?;
    let own = setting.records.iter().filter(|(_, record)| !record.shared);
    Some(own.map(|((name, rtype), _)| RRsetKey { name: name.clone(), rtype: *rtype }).collect())
}

/// Whether a key says what the service's key says now.
fn is_described(kind: KindId, part: Option<&str>, domain: &Name, records: &[RRsetKey], values: &Values) -> bool {
    let at = |prefix: &str| domain.prepend(prefix).is_ok_and(|name| records.iter().any(|key| key.name == name));
    match (kind, part) {
        (KindId::Mx, _) => values.contains_key("mx"),
        (KindId::Dkim, Some(selector)) => at(&format!("{selector}._domainkey")),
        (KindId::ClientSettings, Some("client_settings.autodiscover.cname")) => at("autodiscover"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_read_backwards() {
        let domain = Name::parse("my.example").unwrap();
        let read = |template: &str, text: &str| {
            let mut values = Values::from([("known".into(), vec!["k".into()])]);
            matches(template, text, &domain, &mut values).then(|| {
                values.remove("known");
                values.into_iter().map(|(name, list)| format!("{name}={}", list.concat())).collect::<Vec<_>>().join(" ")
            })
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read("s1.{d-}.{a}.{b}.net", "s1.my-example.x.y.net"), some("a=x b=y"));
        assert_eq!(read("{a}-v1.{a}.net", "x-v1.x.net"), some("a=x"));
        assert_eq!(read("mx.{region}", "mx.co.uk"), some("region=co.uk"));
        assert_eq!(read("{known}.{d}", "k.my.example"), some(""));
        for (template, text) in [
            ("{a}-v1.{a}.net", "x-v1.y.net"),
            ("{known}.net", "x.net"),
            ("{a}.net", ".net"),
            ("{a}.net", "x.org"),
            ("s1.{d}", "s1.other.example"),
            ("{a", "a"),
        ] {
            assert_eq!(read(template, text), None, "{template} {text}");
        }
    }
}
