//! Zones put into the service's own form, and what it stores.

use mailzone_conformance::Stored;
use mailzone_provider::{Access, Zone, ZoneId};
use mailzone_record::{Name, Opaque, RRset, RRsetKey, Rdata, RecordType};
use serde_json::json;

use super::{Cloudflare, Record};
use crate::Backdoor;

impl Backdoor for Cloudflare {
    fn seed(&mut self, origin: &Name, sets: &[RRset]) -> Zone {
        let known = self.zones.iter().find(|zone| zone.name == *origin).map(|zone| zone.id.clone());
        let id = known.unwrap_or_else(|| self.add_zone(origin, self.plan));
        let own = |set: &&RRset| set.name != *origin || !matches!(set.rtype, RecordType::SOA | RecordType::NS);
        let records: Vec<Record> = sets.iter().filter(own).flat_map(|set| self.records_of(set)).collect();
        let zone = self.zone(&id);
        let nameservers = zone.iter().flat_map(|zone| &zone.name_servers);
        let nameservers = nameservers.filter_map(|server| Name::parse(server).ok()).collect();
        if let Some(zone) = zone {
            zone.records = records;
        }
        Zone { id: ZoneId::new(id), name: origin.to_lowercase(), access: Access::ReadWrite, nameservers }
    }

    fn edit(&mut self, zone: &Zone, key: &RRsetKey, after: Option<&RRset>) {
        let records = after.map(|set| self.records_of(set)).unwrap_or_default();
        let (name, rtype) = (key.name.to_lowercase().to_text_without_dot(), key.rtype.to_string());
        if let Some(zone) = self.zone(zone.id.as_str()) {
            zone.records.retain(|record| record.name != name || record.rtype != rtype);
            zone.records.extend(records);
        }
    }

    /// With everything that has to survive, and without the times.
    fn stored(&self, zone: &Zone) -> Vec<Stored> {
        let zone = self.zones.iter().find(|held| held.id == zone.id.as_str());
        let records = zone.into_iter().flat_map(|zone| &zone.records);
        records
            .filter_map(|record| {
                let text = format!(
                    "{} {:?} {:?} {:?} {} {:?} {:?} {} {}",
                    record.id,
                    record.content,
                    record.priority,
                    record.data,
                    record.proxied,
                    record.comment,
                    record.tags,
                    record.settings,
                    record.meta
                );
                Some(Stored { name: Name::parse(&record.name).ok()?, rtype: record.rtype.parse().ok()?, text })
            })
            .collect()
    }
}

impl Cloudflare {
    fn records_of(&mut self, set: &RRset) -> Vec<Record> {
        let mut records = Vec::with_capacity(set.values.len());
        for value in &set.values {
            let (id, now) = (self.next_id(), self.now());
            let mut record = Record::blank(id, now);
            record.name = set.name.to_lowercase().to_text_without_dot();
            record.rtype = set.rtype.to_string();
            let seconds = set.ttl.map_or(1, mailzone_record::Ttl::as_secs);
            record.ttl = if seconds == 300 && self.seed_automatic { 1 } else { seconds };
            fill(&mut record, &value.rdata, self.seed_unquoted);
            records.push(record);
        }
        records
    }
}

fn fill(record: &mut Record, rdata: &Rdata, unquoted: bool) {
    record.content = rdata.to_string();
    match rdata {
        Rdata::Cname(name) | Rdata::Ns(name) | Rdata::Ptr(name) => record.content = name.to_text_without_dot(),
        Rdata::Mx(mx) => {
            record.content = mx.exchange.to_text_without_dot();
            record.priority = Some(mx.preference.into());
        }
        Rdata::Txt(txt) if unquoted && txt.strings().len() == 1 => {
            let text = String::from_utf8(txt.joined().into_owned()).unwrap_or_default();
            if !text.is_empty() && !text.starts_with('"') && !text.contains("\\;") {
                record.content = text;
            }
        }
        Rdata::Srv(srv) => {
            let target = srv.target.to_text_without_dot();
            record.content = format!("{} {} {target}", srv.weight, srv.port);
            record.priority = Some(srv.priority.into());
            record.data = Some(json!({
                "priority": srv.priority, "weight": srv.weight, "port": srv.port, "target": target,
            }));
        }
        Rdata::Caa(caa) => {
            let value = String::from_utf8_lossy(&caa.value);
            record.data = Some(json!({"flags": caa.flags, "tag": caa.tag, "value": value}));
        }
        Rdata::Tlsa(tlsa) => {
            let hex = record.content.rsplit(' ').next().unwrap_or_default().to_ascii_uppercase();
            record.data = Some(json!({
                "usage": f64::from(tlsa.usage), "selector": f64::from(tlsa.selector),
                "matching_type": f64::from(tlsa.matching), "certificate": hex,
            }));
        }
        Rdata::Opaque(Opaque::Text { text, .. }) => record.content = text.to_string(),
        _ => {}
    }
}
