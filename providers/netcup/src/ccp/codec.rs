//! Records of the CCP API: hostnames relative to the zone, one value each, no TTL, no quotes.

use mailzone_provider::{ProviderError, ProviderErrorKind, RRsetChange, Refusal};
use mailzone_record::{Mx, Name, Opaque, Rdata, RecordType, parse_rdata_text};
use serde::{Deserialize, Deserializer, Serialize};

use crate::delta::{Listed, Raw, delta};
use crate::text::{bare_txt, read_target, read_txt};

/// One entry of `dnsrecords`, as it is received and sent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Record {
    #[serde(default, deserialize_with = "text", skip_serializing_if = "String::is_empty")]
    pub(crate) id: String,
    pub(crate) hostname: String,
    #[serde(rename = "type")]
    pub(crate) rtype: String,
    #[serde(default, deserialize_with = "text")]
    pub(crate) priority: String,
    pub(crate) destination: String,
    #[serde(default)]
    pub(crate) deleterecord: bool,
    /// `unknown` or `yes`; ignored when sent.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "String::is_empty")]
    pub(crate) state: String,
}

impl Raw for Record {
    fn handle(&self) -> &str {
        &self.id
    }

    fn spelling(&self) -> &str {
        &self.destination
    }
}

/// What a record received means. Data that cannot be read is kept as text and protected; without an owner or a type
/// there is no record, and the zone cannot be shown.
pub(crate) fn decode(zone: &Name, raw: Record) -> Result<Listed<Record>, ProviderError> {
    let broken = |what: &str, text: &str| {
        let kind = ProviderErrorKind::Protocol(format!("record {}: {what} {text:?} cannot be read", raw.id));
        let remedy = "look at the record in netcup's customer control panel; the zone is only handled as a whole";
        ProviderError::new(format!("reading the zone {}", zone.to_text_without_dot()), kind, remedy)
    };
    let name = match raw.hostname.as_str() {
        "" => Ok(zone.clone()),
        hostname => Name::parse_in(hostname, Some(zone)),
    };
    let name = name.map_err(|_| broken("the host", &raw.hostname))?;
    let rtype: RecordType = raw.rtype.parse().map_err(|_| broken("the type", &raw.rtype))?;
    let (rdata, protection) = match read_rdata(zone, rtype, &raw) {
        Some(rdata) => (rdata, None),
        None => {
            let reason = format!("its value {:?} cannot be read as {rtype}", raw.destination);
            (Rdata::Opaque(Opaque::Text { rtype, text: raw.destination.as_str().into() }), Some(reason.into()))
        }
    };
    Ok(Listed { name, rdata, ttl: None, protection, raw })
}

/// The entries of one `updateDnsRecords` that carry out `changes` on `live`: deletions first, then changed
/// records, then new ones. A value that takes the place of another of its set keeps the record's id.
pub(crate) fn entries<'a>(
    zone: &Name,
    changes: impl Iterator<Item = &'a RRsetChange>,
    live: &[Listed<Record>],
) -> Result<Vec<Record>, String> {
    let (mut deleted, mut changed, mut created) = (Vec::new(), Vec::new(), Vec::new());
    for change in changes {
        let delta = delta(change, live);
        let mut remove = delta.remove.into_iter();
        for added in delta.add {
            let (priority, destination) = write_rdata(added.rdata)?;
            let hostname = match added.sibling {
                Some(sibling) => sibling.raw.hostname.clone(),
                None => hostname(zone, added.name)?,
            };
            let replaced = remove.next();
            let record = Record {
                id: replaced.map(|old| old.raw.id.clone()).unwrap_or_default(),
                hostname,
                rtype: added.rdata.rtype().to_string(),
                priority,
                destination,
                deleterecord: false,
                state: String::new(),
            };
            if replaced.is_some() { &mut changed } else { &mut created }.push(record);
        }
        deleted.extend(remove.map(|old| Record { deleterecord: true, ..old.raw.clone() }));
    }
    Ok([deleted, changed, created].concat())
}

/// Why the new values of a change cannot be stored.
pub(crate) fn refuse(change: &RRsetChange) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut push = |what: String, remedy: &str| {
        let message = format!("{} {}: netcup's CCP API cannot store {what}", change.name(), change.rtype());
        refusals.push(Refusal { message, remedy: remedy.into() });
    };
    let Some(after) = change.after() else { return refusals };
    if change.name().to_string().contains('\\') {
        push("an owner name that needs escapes".into(), "choose another name");
    }
    let old = change.before().map_or(&[][..], |set| &set.values);
    for value in after.values.iter().filter(|value| !old.iter().any(|old| old.rdata == value.rdata)) {
        if let Err(what) = write_rdata(&value.rdata) {
            push(what, "write the value without it, or take the slot out of the configuration");
        }
    }
    refusals
}

fn read_rdata(zone: &Name, rtype: RecordType, raw: &Record) -> Option<Rdata> {
    let text = raw.destination.as_str();
    let target = |text: &str| read_target(text, zone).ok();
    Some(match rtype {
        RecordType::TXT => Rdata::Txt(read_txt(text)),
        RecordType::CNAME => Rdata::Cname(target(text)?),
        RecordType::NS => Rdata::Ns(target(text)?),
        RecordType::PTR => Rdata::Ptr(target(text)?),
        RecordType::MX => Rdata::Mx(Mx { preference: raw.priority.trim().parse().ok()?, exchange: target(text)? }),
        _ => parse_rdata_text(rtype, text, None).ok()?,
    })
}

/// Priority and destination, or what netcup does not take.
fn write_rdata(rdata: &Rdata) -> Result<(String, String), String> {
    let plain = |text: String| Ok(("0".to_owned(), text));
    match rdata {
        Rdata::A(address) => plain(address.to_string()),
        Rdata::Aaaa(address) => plain(address.to_string()),
        Rdata::Txt(txt) => plain(bare_txt(txt)?),
        Rdata::Cname(name) | Rdata::Ns(name) => plain(target(name)?),
        Rdata::Mx(mx) if mx.exchange.is_root() => Err("a null MX (RFC 7505)".into()),
        Rdata::Mx(mx) => Ok((mx.preference.to_string(), target(&mx.exchange)?)),
        Rdata::Srv(srv) => plain(format!("{} {} {} {}", srv.priority, srv.weight, srv.port, target(&srv.target)?)),
        Rdata::Caa(caa) => {
            let value = std::str::from_utf8(&caa.value).unwrap_or("\"");
            if value.contains(';') {
                return Err("a CAA value with a semicolon: no parameters, and no empty issuer \";\"".into());
            }
            if value.is_empty() || value.bytes().any(|b| !(0x20..0x7f).contains(&b) || matches!(b, b'"' | b'\\')) {
                return Err("a CAA value that is empty, or needs escapes".into());
            }
            plain(format!("{} {} \"{value}\"", caa.flags, caa.tag))
        }
        Rdata::Tlsa(_) => plain(rdata.to_string()),
        other => Err(format!("records of type {}", other.rtype())),
    }
}

fn target(name: &Name) -> Result<String, String> {
    match name.to_text_without_dot() {
        _ if name.is_root() => Err("the target \".\"".into()),
        // Without its dot it would be read as a name of the zone.
        _ if name.label_count() == 1 => Err("a target of one label".into()),
        text if text.contains('\\') => Err("a target whose name needs escapes".into()),
        text => Ok(text),
    }
}

fn hostname(zone: &Name, name: &Name) -> Result<String, String> {
    let Some(relative) = name.without_suffix(zone) else {
        return Err(format!("{name}, which is not in the zone {zone}"));
    };
    Ok(if relative.is_root() { "@".into() } else { relative.to_text_without_dot() })
}

/// A text, also where the service sends a number.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => text,
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use mailzone_record::RRset;
    use proptest::prelude::*;

    use super::*;

    fn zone() -> Name {
        Name::parse("example.com").unwrap()
    }

    fn raw(hostname: &str, rtype: &str, priority: &str, destination: &str) -> Record {
        Record {
            id: "7".into(),
            hostname: hostname.into(),
            rtype: rtype.into(),
            priority: priority.into(),
            destination: destination.into(),
            deleterecord: false,
            state: "yes".into(),
        }
    }

    fn creation(rtype: &str, text: &str) -> RRsetChange {
        let rtype: RecordType = rtype.parse().unwrap();
        let value = parse_rdata_text(rtype, text, None).unwrap().into();
        RRsetChange::new(None, Some(RRset::new(zone(), rtype, None, vec![value]))).unwrap()
    }

    #[test]
    fn records_are_read() {
        let read = |hostname, rtype, priority, destination| {
            let listed = decode(&zone(), raw(hostname, rtype, priority, destination)).unwrap();
            format!("{} {} {}", listed.name, listed.rdata.rtype(), listed.rdata)
        };
        assert_eq!(read("@", "A", "0", "192.0.2.1"), "example.com. A 192.0.2.1");
        assert_eq!(read("", "MX", "10", "mail.example.com"), "example.com. MX 10 mail.example.com.");
        assert_eq!(read("www", "CNAME", "0", "@"), "www.example.com. CNAME example.com.");
        assert_eq!(read("*", "TXT", "0", "v=spf1 -all"), "*.example.com. TXT \"v=spf1 -all\"");
        assert_eq!(read("a.b", "SRV", "0", "0 1 993 m.example.net"), "a.b.example.com. SRV 0 1 993 m.example.net.");
        assert_eq!(
            read("@", "CAA", "0", "0 issue \"letsencrypt.org\""),
            "example.com. CAA 0 issue \"letsencrypt.org\""
        );
    }

    #[test]
    fn what_cannot_be_read_is_kept_and_protected() {
        let listed = decode(&zone(), raw("@", "MX", "", "mail")).unwrap();
        assert_eq!(listed.rdata.rtype(), RecordType::MX);
        assert!(listed.protection.is_some());
        assert!(decode(&zone(), raw("a..b", "A", "0", "192.0.2.1")).is_err());
        assert!(decode(&zone(), raw("a", "REDIRECT", "0", "http://example.com")).is_err());
    }

    #[test]
    fn what_netcup_does_not_store_is_refused() {
        for (rtype, text) in [
            ("TXT", r#""say \"hi\"""#),
            ("TXT", r#""back\\slash""#),
            ("TXT", r#""it's""#),
            ("TXT", r#""""#),
            ("TXT", r#""latin \228""#),
            ("TXT", r#""two" "strings""#),
            ("MX", "0 ."),
            ("SRV", "0 0 0 ."),
            ("CAA", r#"0 issue ";""#),
            ("CAA", r#"0 issue "ca.example; accounturi=https://ca.example/1""#),
        ] {
            assert_eq!(refuse(&creation(rtype, text)).len(), 1, "{rtype} {text}");
        }
        for (rtype, text) in [
            ("TXT", r#""v=DMARC1; p=none; rua=mailto:d@example.com""#),
            ("MX", "10 mail.example.com."),
            ("CAA", r#"0 issue "ca.example""#),
            ("TLSA", "3 1 1 00ff"),
        ] {
            assert_eq!(refuse(&creation(rtype, text)), [], "{rtype} {text}");
        }
    }

    #[test]
    fn a_value_that_replaces_another_keeps_its_id() {
        let live = [
            decode(&zone(), raw("@", "TXT", "0", "old")).unwrap(),
            decode(&zone(), Record { id: "8".into(), ..raw("@", "TXT", "0", "gone") }).unwrap(),
            decode(&zone(), Record { id: "9".into(), ..raw("@", "TXT", "0", "foreign") }).unwrap(),
        ];
        let before = crate::delta::rrsets(&live).remove(0);
        let mut after = before.clone();
        after.values.truncate(2);
        after.values[0] = parse_rdata_text(RecordType::TXT, "\"new\"", None).unwrap().into();
        after.values[1] = before.values[2].clone();
        let change = RRsetChange::new(Some(before), Some(after)).unwrap();
        let entries = entries(&zone(), std::iter::once(&change), &live).unwrap();
        let shown: Vec<_> = entries.iter().map(|e| (e.id.as_str(), e.deleterecord, e.destination.as_str())).collect();
        assert_eq!(shown, [("8", true, "gone"), ("7", false, "new")]);
    }

    proptest! {
        #[test]
        fn any_record_is_read_or_refused(hostname in ".{0,40}", rtype in "[A-Z0-9]{1,6}", rest in ".{0,60}") {
            let _ = decode(&zone(), raw(&hostname, &rtype, &rest, &rest));
            for rtype in ["A", "MX", "TXT", "CAA", "SRV", "TLSA", "CNAME", "LOC"] {
                let listed = decode(&zone(), raw("@", rtype, "10", &rest)).unwrap();
                // What is sent is read as what it was.
                if let Ok((priority, destination)) = write_rdata(&listed.rdata) {
                    let again = decode(&zone(), raw("@", rtype, &priority, &destination)).unwrap();
                    prop_assert_eq!(again.rdata, listed.rdata);
                }
            }
        }
    }
}
