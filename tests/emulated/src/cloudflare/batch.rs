//! `POST /zones/{id}/dns_records/batch`: deletions, patches, puts, posts, in one transaction.

use serde_json::{Map, Value, json};

use super::record::{Mistake, Record};
use super::{Cloudflare, HeldZone, mistaken, success};
use crate::{Request, Response};

/// The lists of a batch in the order in which they are carried out.
const STEPS: [&str; 4] = ["deletes", "patches", "puts", "posts"];

/// The characters of all TXT contents at one name.
const TXT_NAME_LIMIT: usize = 8_192;

impl Cloudflare {
    pub(super) fn batch(&mut self, at: usize, request: &Request) -> Response {
        let Some(before) = self.zones.get(at).cloned() else {
            return mistaken(&Mistake::new(404, 1001, "Invalid zone identifier"));
        };
        let mut zone = before;
        match self.carry_out(&mut zone, request) {
            Ok(results) => {
                if let Some(held) = self.zones.get_mut(at) {
                    *held = zone;
                }
                success(results, None)
            }
            Err(mistake) => mistaken(&mistake),
        }
    }

    fn carry_out(&mut self, zone: &mut HeldZone, request: &Request) -> Result<Value, Mistake> {
        let malformed = |what: &str| Mistake::new(400, 9999, what);
        let body = request.json();
        let body = body.as_ref().and_then(Value::as_object).ok_or_else(|| malformed("the body is no object"))?;
        if body.keys().any(|key| !STEPS.contains(&key.as_str())) {
            return Err(malformed("a batch has deletes, patches, puts and posts"));
        }
        let mut operations: Vec<(&str, &Map<String, Value>)> = Vec::new();
        for step in STEPS {
            let Some(list) = body.get(step) else { continue };
            for operation in list.as_array().ok_or_else(|| malformed("a list is none"))? {
                operations.push((step, operation.as_object().ok_or_else(|| malformed("an operation is none"))?));
            }
        }
        if operations.is_empty() {
            return Err(Mistake::new(400, 9998, "the batch is empty"));
        }
        if operations.len() > zone.plan.batch_limit() {
            let message = format!("{} operations; the plan allows {}", operations.len(), zone.plan.batch_limit());
            return Err(Mistake::new(400, 9998, message));
        }
        let mut results = json!({});
        for (step, fields) in operations {
            let result = self.step(zone, step, fields)?;
            if let Some(results) = results.as_object_mut() {
                let list = results.entry(step).or_insert_with(|| json!([]));
                list.as_array_mut().into_iter().for_each(|list| list.push(result.clone()));
            }
        }
        if zone.records.len() > zone.quota {
            return Err(Mistake::new(400, 81045, "Record quota exceeded."));
        }
        Ok(results)
    }

    fn step(&mut self, zone: &mut HeldZone, step: &str, fields: &Map<String, Value>) -> Result<Value, Mistake> {
        let id = fields.get("id").and_then(Value::as_str);
        if step == "posts" {
            if id.is_some() {
                return Err(Mistake::new(400, 9999, "a post has no id"));
            }
            let (id, now) = (self.next_id(), self.now());
            let mut record = Record::blank(id, now);
            record.set(fields, &zone.name, zone.plan.lowest_ttl())?;
            fits(zone, &record)?;
            zone.records.push(record.clone());
            return Ok(record.json());
        }
        let at = zone.records.iter().position(|record| Some(record.id.as_str()) == id);
        let gone = || Mistake::new(404, 81044, "Record does not exist.");
        let at = at.ok_or_else(gone)?;
        let mut record = zone.records.get(at).cloned().ok_or_else(gone)?;
        if let Some(reason) = record.locked() {
            return Err(Mistake::new(400, 1043, reason));
        }
        if step == "deletes" {
            if fields.len() != 1 {
                return Err(Mistake::new(400, 9999, "a deletion has an id and nothing else"));
            }
            zone.records.remove(at);
            return Ok(record.json());
        }
        if step == "puts" {
            // What is not named returns to its default.
            let fresh = Record::blank(record.id.clone(), record.created_on.clone());
            record = Record { meta: record.meta, ..fresh };
        }
        record.modified_on = self.now();
        record.set(fields, &zone.name, zone.plan.lowest_ttl())?;
        fits(zone, &record)?;
        if let Some(held) = zone.records.get_mut(at) {
            *held = record.clone();
        }
        Ok(record.json())
    }
}

/// Whether the record can stand among the others.
fn fits(zone: &HeldZone, new: &Record) -> Result<(), Mistake> {
    let apex = zone.name.to_text_without_dot();
    let beside = || zone.records.iter().filter(|record| record.name == new.name && record.id != new.id);
    let is_address = |rtype: &str| matches!(rtype, "A" | "AAAA");
    for record in beside() {
        // Identical is what is so octet for octet, TTL included.
        let same = record.rtype == new.rtype
            && record.content == new.content
            && record.priority == new.priority
            && record.data == new.data
            && record.ttl == new.ttl;
        if same {
            return Err(Mistake::new(400, 81058, "An identical record already exists."));
        }
        let cname = (record.rtype == "CNAME", new.rtype == "CNAME");
        // At the apex a CNAME is flattened, and may stand beside anything but addresses.
        let excludes = new.name != apex || is_address(&record.rtype) || is_address(&new.rtype);
        match cname {
            (true, true) => return Err(Mistake::new(400, 81053, "A CNAME record with that host already exists.")),
            (true, false) if excludes => {
                return Err(Mistake::new(400, 81054, "A CNAME record with that host already exists."));
            }
            (false, true) if excludes => {
                let message = "An A, AAAA, or CNAME record with that host already exists.";
                return Err(Mistake::new(400, 81053, message));
            }
            _ => {}
        }
    }
    if new.rtype == "DS" && !beside().any(|record| record.rtype == "NS") {
        return Err(Mistake::new(400, 1004, "DS needs an NS record at the same name."));
    }
    let texts = beside().filter(|record| record.rtype == "TXT").map(|record| record.content.len()).sum::<usize>();
    if new.rtype == "TXT" && texts + new.content.len() > TXT_NAME_LIMIT {
        let message = "Combined content length of records with this name and type exceeds 8192 characters.";
        return Err(Mistake::new(400, 83011, message));
    }
    Ok(())
}
