//! Writing: one UPDATE for a batch, with what the plan saw as prerequisites.

use mailzone_provider::{Batch, Freshness, Outcome, ProviderError, RRsetChange, Receipt, Snapshot};
use mailzone_record::zonefile::FALLBACK_TTL;
use mailzone_record::{Name, RRset, RRsetKey, Rdata, RecordType};
use mailzone_wire::{Prerequisite, Record, Update, UpdateError, UpdateOperation, update};

use crate::Rfc2136Provider;

/// How often a batch is sent: the second time after a lost answer, or without what is already there.
const SENDS: usize = 3;

/// Where the server answers what the plan saw and compares with something else.
const OTHER_SPELLING: &str = "plan again; if that does not help, the server compares with another spelling than it \
     answers: PowerDNS does where its database holds `\\;` for `;`, until the record is written there anew";

impl Rfc2136Provider {
    /// Sends the batch, reads the zone back, and says what became of each change.
    pub(crate) async fn write(&self, zone: &Name, batch: &Batch) -> Result<Receipt, ProviderError> {
        let changes = &batch.changes;
        // A prerequisite compares data and no TTL: where only that changes the zone is read before.
        let read_first = changes.iter().any(only_ttl);
        let mut freshness = match read_first {
            true => batch.compare(&self.live(zone, batch).await?),
            false => vec![Freshness::AsPlanned; changes.len()],
        };
        // Whether an update was sent whose answer was lost: what is there by now may be ours.
        let mut lost = None;
        for _ in 0..SENDS {
            if freshness.contains(&Freshness::Stale) {
                return Ok(stopped(&freshness, lost.is_some()));
            }
            let pending: Vec<_> = pending(changes, &freshness).collect();
            if pending.is_empty() {
                let done = if lost.is_some() { Outcome::Applied } else { Outcome::Already };
                return Ok(Receipt::new(changes.iter().map(|_| (done, None))));
            }
            let message = message(zone, &pending);
            let sent = update(self.server, zone, &message, self.key.as_ref(), self.limits.message_timeout);
            match sent.await {
                Ok(()) => return Ok(self.read_back(zone, batch, &freshness).await),
                Err(UpdateError::Prerequisite(failure)) => {
                    tracing::debug!(%zone, %failure, "the zone is not as planned");
                }
                Err(error @ UpdateError::Unknown(_)) => {
                    tracing::warn!(%zone, %error, "reading back");
                    lost = Some(error);
                }
                Err(error) => return Err(self.update_error(zone, error).await),
            }
            freshness = match (self.live(zone, batch).await, &lost) {
                (Ok(live), _) => batch.compare(&live),
                (Err(error), None) => return Err(error),
                (Err(_), Some(lost)) => return Err(self.update_error(zone, lost.clone()).await),
            };
        }
        match lost {
            Some(lost) => Err(self.update_error(zone, lost).await),
            // The zone is as planned whenever we look, and is not when the server does.
            None => {
                let failure = mailzone_wire::PrerequisiteFailure::NxRrset;
                let error = self.update_error(zone, UpdateError::Prerequisite(failure)).await;
                Err(ProviderError { remedy: OTHER_SPELLING.into(), ..error })
            }
        }
    }

    /// What the zone holds, at the least of the batch's sets.
    async fn live(&self, zone: &Name, batch: &Batch) -> Result<Snapshot, ProviderError> {
        let key = |change: &RRsetChange| RRsetKey { name: change.name().clone(), rtype: change.rtype() };
        let keys: Vec<RRsetKey> = batch.changes.iter().map(key).collect();
        Ok(self.look(zone, &keys).await?.snapshot)
    }

    /// The results of an update that the server has confirmed.
    async fn read_back(&self, zone: &Name, batch: &Batch, before: &[Freshness]) -> Receipt {
        match self.live(zone, batch).await {
            Ok(live) => Receipt::confirmed(batch, before, &live),
            Err(error) => Receipt::not_read_back(before, &error),
        }
    }
}

/// Whether the data stays and the TTL changes.
fn only_ttl(change: &RRsetChange) -> bool {
    matches!((change.before(), change.after()), (Some(before), Some(after)) if before.same_data(after))
}

fn pending<'a>(changes: &'a [RRsetChange], freshness: &'a [Freshness]) -> impl Iterator<Item = &'a RRsetChange> {
    changes.iter().zip(freshness).filter(|(_, f)| **f == Freshness::AsPlanned).map(|(change, _)| change)
}

/// The results where a set is not as planned.
fn stopped(freshness: &[Freshness], lost: bool) -> Receipt {
    Receipt::new(freshness.iter().map(|freshness| match freshness {
        Freshness::Stale => (Outcome::Stale, None),
        Freshness::Already if lost => (Outcome::Applied, Some("the answer was lost; it is written".into())),
        Freshness::AsPlanned if lost => (Outcome::Unknown, Some("the answer was lost; it is not written".into())),
        _ => (Outcome::Skipped, None),
    }))
}

/// One update for the changes: first all that goes, then all that comes, so that a CNAME and others
/// change places.
fn message(zone: &Name, changes: &[&RRsetChange]) -> Update {
    let mut prerequisites = Vec::with_capacity(changes.len());
    let (mut first, mut removed, mut added) = (Vec::new(), Vec::new(), Vec::new());
    for change in changes {
        let (name, rtype) = (change.name(), change.rtype());
        prerequisites.push(match change.before() {
            Some(before) => Prerequisite::RrsetIs { name: name.clone(), rtype, values: distinct(before) },
            None => Prerequisite::RrsetAbsent { name: name.clone(), rtype },
        });
        // A server ignores the deletion of a zone's last NS record (RFC 2136 section 3.4.2.4): the new ones first.
        let apex_ns = name == zone && rtype == RecordType::NS;
        let (adds, removes) = difference(change, apex_ns);
        let all_go = change.before().is_some_and(|before| distinct(before).len() == removes.len());
        if all_go && !apex_ns {
            // The prerequisite says what the set holds.
            removed.push(UpdateOperation::DeleteRrset { name: name.clone(), rtype });
        } else {
            let delete = |rdata| UpdateOperation::DeleteValue { name: name.clone(), rdata };
            for rdata in removes {
                // PowerDNS compares as text, and its transfers give names the case of others before them.
                removed.extend(lower_case(&rdata).map(delete));
                removed.push(delete(rdata));
            }
        }
        if apex_ns { &mut first } else { &mut added }.extend(adds.into_iter().map(UpdateOperation::Add));
    }
    first.append(&mut removed);
    first.append(&mut added);
    Update { prerequisites, operations: first }
}

/// What comes and what goes. With another TTL all values go and come again; a server then cannot
/// keep the old TTL for some. `overlap`: all come, and only those go that do not stay.
fn difference(change: &RRsetChange, overlap: bool) -> (Vec<Record>, Vec<Rdata>) {
    let (before, after) = (change.before(), change.after());
    let values = |set: Option<&RRset>| set.map(distinct).unwrap_or_default();
    let (old, new) = (values(before), values(after));
    let ttl_before = before.and_then(|set| set.ttl);
    let ttl = after.and_then(|set| set.ttl).or(ttl_before).unwrap_or(FALLBACK_TTL);
    let retime = ttl_before.is_some_and(|before| before != ttl);

    let goes = |value: &&Rdata| (retime && !overlap) || !new.contains(value);
    let removes: Vec<_> = old.iter().filter(goes).cloned().collect();
    let mut adds = Vec::new();
    for value in &new {
        // What stays is sent as the server spelt it.
        let known = old.iter().find(|known| *known == value);
        if known.is_none() || retime {
            adds.push(Record { name: change.name().clone(), ttl, rdata: known.unwrap_or(value).clone() });
        }
    }
    (adds, removes)
}

/// The value with its name in lower case; `None` if it has none, or is so already.
fn lower_case(rdata: &Rdata) -> Option<Rdata> {
    let mut lower = rdata.clone();
    let name = match &mut lower {
        Rdata::Ns(name) | Rdata::Cname(name) | Rdata::Ptr(name) => name,
        Rdata::Mx(mx) => &mut mx.exchange,
        Rdata::Srv(srv) => &mut srv.target,
        _ => return None,
    };
    let changed = name.to_lowercase();
    if changed.eq_case(name) {
        return None;
    }
    *name = changed;
    Some(lower)
}

fn distinct(set: &RRset) -> Vec<Rdata> {
    let mut values: Vec<Rdata> = Vec::with_capacity(set.values.len());
    for value in &set.values {
        if !values.contains(&value.rdata) {
            values.push(value.rdata.clone());
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use mailzone_record::{Ttl, parse_rdata_text};

    use super::*;

    fn set(rtype: &str, ttl: u32, values: &[&str]) -> Option<RRset> {
        let rtype = rtype.parse().unwrap();
        let values: Vec<_> = values.iter().map(|v| parse_rdata_text(rtype, v, None).unwrap().into()).collect();
        let name = Name::parse("example").unwrap();
        (!values.is_empty()).then(|| RRset::new(name, rtype, Ttl::from_secs(ttl), values))
    }

    fn operations(changes: &[RRsetChange]) -> Vec<String> {
        let zone = Name::parse("example").unwrap();
        let update = message(&zone, &changes.iter().collect::<Vec<_>>());
        let text = |operation: &UpdateOperation| match operation {
            UpdateOperation::Add(record) => format!("+ {} {} {}", record.ttl.as_secs(), record.rtype(), record.rdata),
            UpdateOperation::DeleteValue { rdata, .. } => format!("- {} {rdata}", rdata.rtype()),
            UpdateOperation::DeleteRrset { rtype, .. } => format!("- {rtype}"),
            other => format!("{other:?}"),
        };
        update.operations.iter().map(text).collect()
    }

    #[test]
    fn only_what_differs_is_sent() {
        let mx = ["10 a.example.", "20 B.example."];
        let change = RRsetChange::new(set("MX", 60, &mx), set("MX", 60, &["10 c.example.", "20 b.example."])).unwrap();
        assert_eq!(operations(&[change]), ["- MX 10 a.example.", "+ 60 MX 10 c.example."]);
        let less = RRsetChange::new(set("MX", 60, &mx), set("MX", 60, &["10 a.example."])).unwrap();
        assert_eq!(operations(&[less]), ["- MX 20 b.example.", "- MX 20 B.example."]);
        let retimed = RRsetChange::new(set("MX", 60, &mx), set("MX", 90, &["20 b.example."])).unwrap();
        assert_eq!(operations(&[retimed]), ["- MX", "+ 90 MX 20 B.example."]);
    }

    #[test]
    fn deletions_go_first_and_apex_name_servers_last() {
        let new = RRsetChange::new(None, set("TXT", 60, &["x"])).unwrap();
        let old = RRsetChange::new(set("CNAME", 60, &["a."]), None).unwrap();
        let ns = RRsetChange::new(set("NS", 60, &["a."]), set("NS", 60, &["b."])).unwrap();
        assert_eq!(operations(&[new, old, ns]), ["+ 60 NS b.", "- CNAME", "- NS a.", "+ 60 TXT \"x\""]);
    }
}
