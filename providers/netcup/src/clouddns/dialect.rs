//! How a zone of CloudDNS spells names and data, told from the records that it holds.
//!
//! The API's documentation was not at hand: whether TXT data is quoted, what the apex is called and whether targets
//! end in a dot is read from the zone and imitated. What the zone does not show, other zones of the account may have shown in
//! this run; else the first form of each enum is taken.

use mailzone_provider::{ProviderError, ProviderErrorKind, RRsetChange, Refusal};
use mailzone_record::{Mx, Name, Opaque, Rdata, RecordType, Ttl, parse_rdata_text};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::delta::{Listed, Raw};
use crate::text::{bare_txt, read_target, read_txt};

/// A record as the API sends it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Record {
    #[serde(default)]
    identifier: String,
    name: String,
    #[serde(rename = "type")]
    rtype: String,
    rdata: String,
    ttl: u32,
    #[serde(default)]
    immutable: Option<bool>,
}

/// The forms that a zone uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dialect {
    zone: Name,
    apex: Apex,
    owners: Owners,
    texts: Texts,
    /// Whether names in data end in a dot. Without evidence they do: one too many is refused, one too few could be
    /// taken for a relative name.
    dots: bool,
    /// Whether the values of CAA records are quoted; they are, without evidence.
    caa_quotes: bool,
}

/// What the records of a zone, or of several of an account, show of the forms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Evidence {
    apex: Option<Apex>,
    owners: Option<Owners>,
    texts: Option<Texts>,
    dots: Option<bool>,
    caa_quotes: Option<bool>,
}

/// What the apex is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Apex {
    At,
    Empty,
    Full,
    FullWithDot,
}

/// What the names below the apex look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owners {
    Relative,
    Full,
    FullWithDot,
}

/// What TXT data looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Texts {
    /// As clients have been seen to send it.
    Bare,
    Quoted,
}

impl Raw for Record {
    fn handle(&self) -> &str {
        &self.identifier
    }

    fn spelling(&self) -> &str {
        &self.rdata
    }
}

impl Record {
    /// The entry of a changeset that stands for exactly this record.
    pub(super) fn entry(&self) -> Value {
        json!({ "name": self.name, "type": self.rtype, "rdata": self.rdata, "ttl": self.ttl })
    }

    /// The same record with another TTL.
    pub(super) fn retimed(&self, ttl: Ttl) -> Value {
        json!({ "name": self.name, "type": self.rtype, "rdata": self.rdata, "ttl": ttl.as_secs() })
    }

    /// The owner, as it is spelled here.
    pub(super) fn owner(&self) -> &str {
        &self.name
    }
}

impl Evidence {
    /// The forms that most of the records have.
    pub(super) fn of(zone: &Name, records: &[Record]) -> Self {
        let suffix = zone.to_lowercase().to_text_without_dot();
        let is_full = |name: &str| {
            let name = name.to_ascii_lowercase();
            name.strip_suffix(&suffix).is_some_and(|rest| rest.ends_with('.'))
        };
        let (apex, below): (Vec<&str>, Vec<&str>) =
            records.iter().map(|record| record.name.as_str()).partition(|name| is_apex(name, &suffix));
        let owners = if below.is_empty() {
            None
        } else if below.iter().any(|name| name.ends_with('.')) {
            Some(Owners::FullWithDot)
        } else if below.iter().all(|name| is_full(name)) {
            Some(Owners::Full)
        } else {
            Some(Owners::Relative)
        };
        let apex = apex.first().map(|name| match *name {
            "@" => Apex::At,
            "" => Apex::Empty,
            name if name.ends_with('.') => Apex::FullWithDot,
            _ => Apex::Full,
        });
        let of_types = |types: &'static [&str]| {
            records.iter().filter(|r| types.iter().any(|t| r.rtype.eq_ignore_ascii_case(t))).map(|r| r.rdata.trim())
        };
        // Most of them; when in doubt what the first argument is.
        let most = |doubt: bool, texts: Vec<&str>, has: fn(&str) -> bool| {
            let (with, all) = (texts.iter().filter(|text| has(text)).count(), texts.len());
            (all > 0).then_some(if doubt { with * 2 >= all } else { with * 2 > all })
        };
        // What only quotes can say has them in any dialect. Taken for the rule they would be sent where the service
        // may store them as part of the text, which then looks the same when it is read back.
        let tells = |text: &&str| !is_quoted(text) || bare_txt(&read_txt(text)).is_ok();
        let quoted = most(false, of_types(&["TXT"]).filter(tells).collect(), is_quoted);
        let targets = of_types(&["CNAME", "MX", "NS", "SRV", "PTR"]).filter(|text| text.contains('.'));
        Self {
            apex,
            owners,
            texts: quoted.map(|quoted| if quoted { Texts::Quoted } else { Texts::Bare }),
            dots: most(true, targets.collect(), |text| text.ends_with('.')),
            caa_quotes: most(true, of_types(&["CAA"]).collect(), |text| text.ends_with('"')),
        }
    }

    /// This, and what it does not show from `other`.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            apex: self.apex.or(other.apex),
            owners: self.owners.or(other.owners),
            texts: self.texts.or(other.texts),
            dots: self.dots.or(other.dots),
            caa_quotes: self.caa_quotes.or(other.caa_quotes),
        }
    }
}

impl Dialect {
    /// The forms of a zone with this evidence.
    pub(super) fn new(zone: &Name, evidence: Evidence) -> Self {
        let owners = evidence.owners.unwrap_or(match evidence.apex {
            Some(Apex::FullWithDot) => Owners::FullWithDot,
            _ => Owners::Relative,
        });
        let apex = evidence.apex.unwrap_or(match owners {
            Owners::Relative => Apex::At,
            Owners::Full => Apex::Full,
            Owners::FullWithDot => Apex::FullWithDot,
        });
        Self {
            zone: zone.clone(),
            apex,
            owners,
            texts: evidence.texts.unwrap_or(Texts::Bare),
            dots: evidence.dots.unwrap_or(true),
            caa_quotes: evidence.caa_quotes.unwrap_or(true),
        }
    }

    /// What a record received means. Data that cannot be read is kept as text and protected.
    pub(super) fn read(&self, raw: Record) -> Result<Listed<Record>, ProviderError> {
        let broken = |what: &str, text: &str| {
            let zone = self.zone.to_text_without_dot();
            let kind =
                ProviderErrorKind::Protocol(format!("record {}: {what} {text:?} cannot be read", raw.identifier));
            let remedy = "look at the record in netcup's customer control panel; the zone is only handled as a whole";
            ProviderError::new(format!("reading the zone {zone}"), kind, remedy)
        };
        let name = self.read_owner(&raw.name).ok_or_else(|| broken("the name", &raw.name))?;
        let rtype: RecordType = raw.rtype.parse().map_err(|_| broken("the type", &raw.rtype))?;
        let immutable = raw.immutable == Some(true);
        let (rdata, unread) = match self.read_rdata(rtype, &raw.rdata) {
            Some(rdata) => (rdata, None),
            None => {
                let reason = format!("its data {:?} cannot be read as {rtype}", raw.rdata);
                (Rdata::Opaque(Opaque::Text { rtype, text: raw.rdata.as_str().into() }), Some(reason.into()))
            }
        };
        let protection = if immutable { Some("netcup marks it as immutable".into()) } else { unread };
        let ttl = Ttl::from_secs(raw.ttl).ok_or_else(|| broken("the TTL", &raw.ttl.to_string()))?;
        Ok(Listed { name, rdata, ttl: Some(ttl), protection, raw })
    }

    /// The entry of a changeset for a new record, or what cannot be sent. `owner`: the set's own spelling, if it exists.
    pub(super) fn write(&self, name: &Name, owner: Option<&str>, rdata: &Rdata, ttl: Ttl) -> Result<Value, String> {
        let owner = match owner {
            Some(owner) => owner.to_owned(),
            None => self.write_owner(name)?,
        };
        let rtype = rdata.rtype().to_string();
        Ok(json!({ "name": owner, "type": rtype, "rdata": self.write_rdata(rdata)?, "ttl": ttl.as_secs() }))
    }

    /// Why the new values of a change cannot be stored.
    pub(super) fn refuse(&self, change: &RRsetChange) -> Vec<Refusal> {
        let Some(after) = change.after() else { return Vec::new() };
        let old = change.before().map_or(&[][..], |set| &set.values);
        let new = after.values.iter().filter(|value| !old.iter().any(|old| old.rdata == value.rdata));
        let mut reasons: Vec<String> = new.filter_map(|value| self.write_rdata(&value.rdata).err()).collect();
        if change.before().is_none() {
            reasons.extend(self.write_owner(change.name()).err());
        }
        let refusal = |what| Refusal {
            message: format!("{} {}: mailzone cannot send {what} to CloudDNS", change.name(), change.rtype()),
            remedy: "write the value without it, or take the slot out of the configuration".into(),
        };
        reasons.into_iter().map(refusal).collect()
    }

    fn read_owner(&self, text: &str) -> Option<Name> {
        let suffix = self.zone.to_lowercase().to_text_without_dot();
        if is_apex(text, &suffix) {
            return Some(self.zone.clone());
        }
        match self.owners {
            _ if text.ends_with('.') => Name::parse(text).ok(),
            Owners::Full => Name::parse(text).ok(),
            Owners::Relative | Owners::FullWithDot => Name::parse_in(text, Some(&self.zone)).ok(),
        }
    }

    fn write_owner(&self, name: &Name) -> Result<String, String> {
        let relative = name.without_suffix(&self.zone).ok_or_else(|| format!("{name}, which is not in the zone"))?;
        let text = match (relative.is_root(), self.apex, self.owners) {
            (true, Apex::At, _) => "@".into(),
            (true, Apex::Empty, _) => String::new(),
            (true, Apex::Full, _) | (false, _, Owners::Full) => name.to_text_without_dot(),
            (true, Apex::FullWithDot, _) | (false, _, Owners::FullWithDot) => name.to_string(),
            (false, _, Owners::Relative) => relative.to_text_without_dot(),
        };
        if text.contains('\\') { Err("an owner name that needs escapes".into()) } else { Ok(text) }
    }

    fn read_rdata(&self, rtype: RecordType, text: &str) -> Option<Rdata> {
        let target = |text: &str| read_target(text, &self.zone).ok();
        Some(match rtype {
            RecordType::TXT => Rdata::Txt(read_txt(text)),
            RecordType::CNAME => Rdata::Cname(target(text)?),
            RecordType::NS => Rdata::Ns(target(text)?),
            RecordType::PTR => Rdata::Ptr(target(text)?),
            RecordType::MX => {
                let (preference, exchange) = text.trim().split_once([' ', '\t'])?;
                Rdata::Mx(Mx { preference: preference.parse().ok()?, exchange: target(exchange)? })
            }
            _ => parse_rdata_text(rtype, text, None).ok()?,
        })
    }

    fn write_rdata(&self, rdata: &Rdata) -> Result<String, String> {
        let text = match rdata {
            Rdata::Txt(txt) if self.texts == Texts::Bare => {
                bare_txt(txt).map_err(|what| format!("{what} without quotes"))?
            }
            Rdata::Caa(caa) if !self.caa_quotes => {
                let value = std::str::from_utf8(&caa.value).unwrap_or_default();
                if value.is_empty() || value.contains(|c: char| !c.is_ascii_graphic() || matches!(c, '"' | '\\' | ';'))
                {
                    return Err("this CAA value without quotes".into());
                }
                format!("{} {} {value}", caa.flags, caa.tag)
            }
            other => other.to_string(),
        };
        let names_a_target =
            matches!(rdata, Rdata::Cname(_) | Rdata::Ns(_) | Rdata::Ptr(_) | Rdata::Mx(_) | Rdata::Srv(_));
        match text.strip_suffix('.') {
            // The root keeps its dot.
            Some(short) if names_a_target && !self.dots && !short.is_empty() && !short.ends_with(' ') => {
                // Without its dot it would be read as a name of the zone.
                let one_label = !short.rsplit(' ').next().unwrap_or_default().contains('.');
                if one_label { Err("a target of one label".into()) } else { Ok(short.into()) }
            }
            _ => Ok(text),
        }
    }
}

fn is_apex(name: &str, suffix: &str) -> bool {
    name.is_empty() || name == "@" || name.trim_end_matches('.').eq_ignore_ascii_case(suffix)
}

fn is_quoted(text: &str) -> bool {
    text.len() > 1 && text.starts_with('"') && text.ends_with('"')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dialect_of(records: &[Record]) -> Dialect {
        Dialect::new(&zone(), Evidence::of(&zone(), records))
    }

    fn zone() -> Name {
        Name::parse("example.com").unwrap()
    }

    fn record(name: &str, rtype: &str, rdata: &str) -> Record {
        Record {
            identifier: "r".into(),
            name: name.into(),
            rtype: rtype.into(),
            rdata: rdata.into(),
            ttl: 3600,
            immutable: None,
        }
    }

    fn rdata(rtype: &str, text: &str) -> Rdata {
        parse_rdata_text(rtype.parse().unwrap(), text, None).unwrap()
    }

    /// Owner and data as they would be sent.
    fn sent(dialect: &Dialect, name: &str, rtype: &str, text: &str) -> (String, String) {
        let entry = dialect.write(&Name::parse(name).unwrap(), None, &rdata(rtype, text), Ttl::from_secs(60).unwrap());
        let entry = entry.unwrap();
        (entry["name"].as_str().unwrap().into(), entry["rdata"].as_str().unwrap().into())
    }

    #[test]
    fn a_zone_that_shows_nothing() {
        let dialect = dialect_of(&[]);
        assert_eq!(sent(&dialect, "example.com", "TXT", "\"v=spf1 -all\""), ("@".into(), "v=spf1 -all".into()));
        let mx = sent(&dialect, "a.example.com", "MX", "10 mail.example.net.");
        assert_eq!(mx, ("a".into(), "10 mail.example.net.".into()));
        assert_eq!(sent(&dialect, "example.com", "CAA", "0 issue \"ca.example\"").1, "0 issue \"ca.example\"");
        assert!(dialect.write(&zone(), None, &rdata("TXT", "\"a\\\"b\""), Ttl::ZERO).is_err());
    }

    #[test]
    fn quoted_full_names_without_dots() {
        let records = [
            record("example.com", "TXT", "\"v=spf1 -all\""),
            record("www.example.com", "CNAME", "host.example.net"),
            record("mail.example.com", "A", "192.0.2.1"),
            record("example.com", "CAA", "0 issue ca.example"),
        ];
        let dialect = dialect_of(&records);
        assert_eq!(sent(&dialect, "example.com", "TXT", r#""a\"b""#), ("example.com".into(), r#""a\"b""#.into()));
        let mx = sent(&dialect, "b.example.com", "MX", "10 mail.example.net.");
        assert_eq!(mx, ("b.example.com".into(), "10 mail.example.net".into()));
        assert_eq!(sent(&dialect, "example.com", "MX", "0 .").1, "0 .");
        assert_eq!(sent(&dialect, "example.com", "CAA", "0 issue \"ca.example\"").1, "0 issue ca.example");
        let listed = dialect.read(records[1].clone()).unwrap();
        assert_eq!(
            (listed.name.to_string(), listed.rdata.to_string()),
            ("www.example.com.".into(), "host.example.net.".into())
        );
    }

    #[test]
    fn texts_that_need_quotes_tell_nothing_of_others() {
        for odd in [r#""\195\188""#, r#""say \"hi\"""#, r#""v=DKIM1; " "p=MIIB""#, r#""""#] {
            let dialect = dialect_of(&[record("@", "TXT", odd)]);
            assert_eq!(sent(&dialect, "example.com", "TXT", "\"v=spf1 -all\"").1, "v=spf1 -all", "{odd}");
        }
        let records = [record("@", "TXT", r#""\195\188""#), record("a", "TXT", r#""v=spf1 -all""#)];
        assert_eq!(sent(&dialect_of(&records), "example.com", "TXT", "\"v=spf1 -all\"").1, "\"v=spf1 -all\"");
    }

    #[test]
    fn the_apex_has_four_names() {
        for (apex, below) in [
            ("@", "www"),
            ("", "www"),
            ("example.com", "www"),
            ("example.com", "www.example.com"),
            ("example.com.", "www.example.com."),
        ] {
            let records = [record(apex, "A", "192.0.2.1"), record(below, "A", "192.0.2.2")];
            let dialect = dialect_of(&records);
            let names: Vec<_> = records.iter().map(|r| dialect.read(r.clone()).unwrap().name.to_string()).collect();
            assert_eq!(names, ["example.com.", "www.example.com."]);
            assert_eq!(sent(&dialect, "example.com", "A", "192.0.2.1").0, apex);
            assert_eq!(sent(&dialect, "www.example.com", "A", "192.0.2.1").0, below);
        }
    }

    #[test]
    fn what_must_not_be_touched() {
        let dialect = dialect_of(&[]);
        let ns = Record { immutable: Some(true), ..record("@", "NS", "ns1.example.net.") };
        assert_eq!(dialect.read(ns).unwrap().protection.as_deref(), Some("netcup marks it as immutable"));
        // No preference: wherever it is, it is not here.
        let mx = dialect.read(record("@", "MX", "mail.example.com.")).unwrap();
        assert!(mx.protection.is_some() && mx.rdata.rtype() == RecordType::MX);
        assert!(dialect.read(record("@", "FORWARD", "x")).is_err());
    }

    fn texts() -> impl Strategy<Value = String> {
        prop_oneof!["[ -~]{0,40}", "\"[ -~]{0,20}\"", ".{0,20}", "[0-9]{1,3} [a-z]{1,5}(\\.[a-z]{1,4}){0,2}\\.?"]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            names in proptest::collection::vec("(@|[a-z]{1,4}|[a-z]{1,3}\\.example\\.com\\.?|example\\.com\\.?)", 0..6),
            rdatas in proptest::collection::vec(texts(), 6),
            types in proptest::collection::vec(prop_oneof!["TXT", "MX", "CNAME", "CAA", "SRV", "A", "TLSA"], 6),
        ) {
            let rows = names.iter().zip(&rdatas).zip(&types);
            let records: Vec<_> = rows.map(|((name, data), rtype)| record(name, rtype, data)).collect();
            let dialect = dialect_of(&records);
            for raw in &records {
                let listed = dialect.read(raw.clone()).unwrap();
                let Ok(entry) = dialect.write(&listed.name, None, &listed.rdata, Ttl::ZERO) else { continue };
                if listed.protection.is_some() || !listed.name.is_at_or_below(&zone()) {
                    continue;
                }
                let again = record(entry["name"].as_str().unwrap(), &raw.rtype, entry["rdata"].as_str().unwrap());
                let again = dialect.read(again).unwrap();
                prop_assert_eq!((again.name, again.rdata), (listed.name, listed.rdata));
            }
        }
    }
}
