//! Writing: a re-read of what is touched, batches, a read-back.

use std::collections::HashMap;

use mailzone_http::Call;
use mailzone_provider::{
    Batch, Freshness, ProviderError, ProviderErrorKind, RRsetChange, Receipt, Retry, Snapshot, Zone,
};
use mailzone_record::{Name, RRsetKey};
use serde::de::IgnoredAny;

use crate::CloudflareProvider;
use crate::decode::Record;
use crate::failure::{Action, explain, is_conflict};
use crate::operations::{Operation, body, operations, pack};
use crate::read::snapshot;
use crate::wire::Envelope;

/// How often a write is sent whose answer was lost, and which reading back has not found.
const SENDS: usize = 2;

/// Why the batches were not all confirmed.
struct Stop {
    error: ProviderError,
    verdict: Verdict,
    /// Whether a batch before it was confirmed.
    wrote: bool,
}

#[derive(PartialEq)]
enum Verdict {
    /// Certainly not carried out.
    Refused,
    /// Certainly not carried out, because the zone is not as it was read.
    Conflict,
    /// Perhaps carried out.
    Lost,
}

/// What the service holds of the names that a batch is about.
struct Live {
    records: Vec<Record>,
    snapshot: Snapshot,
}

impl CloudflareProvider {
    pub(crate) async fn write(&self, zone: &Zone, batch: &Batch) -> Result<Receipt, ProviderError> {
        if batch.changes.is_empty() {
            return Ok(Receipt::default());
        }
        let mut live = self.live(zone, batch).await?;
        let first = batch.compare(&live.snapshot);
        if let Some(stale) = Receipt::stale(&first) {
            return Ok(stale);
        }
        let (mut now, mut sent, mut wrote) = (first.clone(), 0, false);
        loop {
            let batches = self.batches(zone, batch, &now, &live.records)?;
            if batches.is_empty() {
                return Ok(Receipt::confirmed(batch, &first, &live.snapshot));
            }
            sent += 1;
            let Err(stop) = self.send(zone, &batches).await else {
                return Ok(match self.live(zone, batch).await {
                    Ok(live) => Receipt::confirmed(batch, &first, &live.snapshot),
                    Err(error) => Receipt::not_read_back(&first, &error),
                });
            };
            wrote |= stop.wrote;
            if stop.verdict == Verdict::Refused && !wrote {
                return Err(stop.error);
            }
            tracing::warn!(zone = %zone.name, error = %stop.error, "reading back");
            live = match self.live(zone, batch).await {
                Ok(live) => live,
                Err(_) => return Err(ProviderError { retry: Retry::Unknown, ..stop.error }),
            };
            now = batch.compare(&live.snapshot);
            match stop.verdict {
                Verdict::Lost if sent < SENDS && !now.contains(&Freshness::Stale) => wrote = true,
                Verdict::Conflict if !wrote && now.contains(&Freshness::Stale) => {
                    return Ok(Receipt::stale(&now).unwrap_or_default());
                }
                _ => return Ok(Receipt::found(batch, &first, &live.snapshot, &stop.error.kind.to_string())),
            }
        }
    }

    /// The records now: of the one name that is touched, else of the zone.
    async fn live(&self, zone: &Zone, batch: &Batch) -> Result<Live, ProviderError> {
        let mut names = batch.changes.iter().map(RRsetChange::name);
        let first = names.next();
        let only = first.filter(|first| names.all(|name| name == *first));
        let records = self.records(zone, only).await?;
        let snapshot = snapshot(&records, zone);
        Ok(Live { records, snapshot })
    }

    /// What is to be sent for the changes that are not yet as wanted.
    fn batches(
        &self,
        zone: &Zone,
        batch: &Batch,
        now: &[Freshness],
        records: &[Record],
    ) -> Result<Vec<Vec<Operation>>, ProviderError> {
        let mut held: HashMap<&RRsetKey, Vec<&Record>> = HashMap::new();
        for record in records {
            held.entry(&record.key).or_default().push(record);
        }
        let refused =
            |text: String, remedy: &str| ProviderError::new(operation(zone), ProviderErrorKind::Refused(text), remedy);
        let mut all = Vec::new();
        for (change, freshness) in batch.changes.iter().zip(now) {
            if *freshness != Freshness::AsPlanned {
                continue;
            }
            let key = RRsetKey { name: change.name().clone(), rtype: change.rtype() };
            let held = held.get(&key).map_or(&[] as &[&Record], Vec::as_slice);
            all.extend(operations(change, held).map_err(|none| {
                let text = format!("{key}: the value `{}` has no form in Cloudflare's API", none.0);
                refused(text, "write the value in the presentation format of its type, in printable characters")
            })?);
        }
        let limit = self.plan(&zone.id).batch_limit();
        pack(all, limit).map_err(|name| {
            let text = format!("{name} needs more than the {limit} operations that a request may have in this plan");
            refused(text, "change fewer records of this name at a time")
        })
    }

    async fn send(&self, zone: &Zone, batches: &[Vec<Operation>]) -> Result<(), Stop> {
        for (at, operations) in batches.iter().enumerate() {
            self.send_one(zone, operations).await.map_err(|(error, verdict)| Stop { error, verdict, wrote: at > 0 })?;
        }
        Ok(())
    }

    async fn send_one(&self, zone: &Zone, operations: &[Operation]) -> Result<(), (ProviderError, Verdict)> {
        let path = format!("/zones/{}/dns_records/batch", Call::segment(zone.id.as_str()));
        let call = self.authorized(Call::post(path).doing(operation(zone)).json(&body(operations)));
        let judged = |error: ProviderError| {
            let verdict = if error.retry == Retry::Unknown { Verdict::Lost } else { Verdict::Refused };
            (error, verdict)
        };
        let reply = self.client.send(call).await.map_err(judged)?;
        let envelope: Result<Envelope<IgnoredAny>, _> = reply.json();
        match envelope {
            Ok(envelope) if reply.is_success() && envelope.success => Ok(()),
            Ok(envelope) => {
                let error = explain(&reply, &envelope.errors, Action::Write);
                let conflict = is_conflict(&envelope.errors);
                Err((error, if conflict { Verdict::Conflict } else { Verdict::Refused }))
            }
            Err(_) if matches!(reply.status, 401 | 403) => Err((explain(&reply, &[], Action::Write), Verdict::Refused)),
            Err(error) => Err(judged(error)),
        }
    }
}

fn operation(zone: &Zone) -> String {
    format!("writing the records of {}", Name::to_text_without_dot(&zone.name))
}
