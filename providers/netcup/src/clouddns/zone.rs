use mailzone_provider::{
    Batch, Freshness, Outcome, ProviderError, ProviderErrorKind, RRsetChange, Receipt, Refusal, Retry, Snapshot,
};
use mailzone_record::{Name, Ttl};
use serde_json::Value;

use super::CloudDns;
use super::dialect::{Dialect, Evidence, Record};
use crate::delta::{Listed, delta, rrsets};

/// The TTL of a new record where neither the change nor its set has one, in seconds.
const TTL: Ttl = Ttl::from_wire(3600);

impl CloudDns {
    /// Everything of the zone in its revision in force.
    pub(crate) async fn snapshot(&self, id: &str, zone: &Name) -> Result<Snapshot, ProviderError> {
        let (_, records) = self.read_zone(id, zone, "reading").await?;
        Ok(Snapshot::new(rrsets(&records), None))
    }

    /// Reads, compares, sends one changeset, reads back. The changeset is refused as a whole when a record that it
    /// deletes is not there as it was read; a set that only grows is compared by the reading before alone.
    pub(crate) async fn apply(&self, id: &str, zone: &Name, batch: &Batch) -> Result<Receipt, ProviderError> {
        let (dialect, live) = self.read_zone(id, zone, "reading again").await?;
        let freshness = batch.compare(&Snapshot::new(rrsets(&live), None));
        if let Some(receipt) = Receipt::stale(&freshness) {
            return Ok(receipt);
        }
        let doing = format!("changing the zone {}", zone.to_text_without_dot());
        let (mut delete, mut create) = (Vec::new(), Vec::new());
        for (change, _) in batch.changes.iter().zip(&freshness).filter(|(_, f)| **f == Freshness::AsPlanned) {
            entries(&dialect, change, &live, &mut delete, &mut create).map_err(|what| {
                let kind = ProviderErrorKind::Refused(format!("mailzone cannot send {what} to CloudDNS"));
                ProviderError::new(doing.as_str(), kind, "take the slot out of the configuration")
            })?;
        }
        if delete.is_empty() && create.is_empty() {
            return Ok(Receipt::new(freshness.iter().map(|_| (Outcome::Already, None))));
        }
        let Err(error) = self.changeset(id, &delete, &create, &doing).await else {
            return Ok(match self.read_zone(id, zone, "reading back").await {
                Ok((_, live)) => Receipt::confirmed(batch, &freshness, &Snapshot::new(rrsets(&live), None)),
                Err(error) => Receipt::not_read_back(&freshness, &error),
            });
        };
        // Nothing was carried out: no connection, throttled, the key.
        let refused = matches!(error.kind, ProviderErrorKind::Credentials(_) | ProviderErrorKind::Permission(_));
        if error.retry == Retry::Later || refused {
            return Err(error);
        }
        match self.read_zone(id, zone, "reading back").await {
            Ok((_, live)) => {
                let live = Snapshot::new(rrsets(&live), None);
                // The service compared in the same step: what it found is judged as what the reading before finds.
                let overtaken = matches!(error.kind, ProviderErrorKind::Conflict(_));
                let stale = Receipt::stale(&batch.compare(&live)).filter(|_| overtaken);
                Ok(stale.unwrap_or_else(|| Receipt::found(batch, &freshness, &live, &error.kind.to_string())))
            }
            Err(_) => Err(ProviderError { retry: Retry::Unknown, ..error }),
        }
    }

    /// Why the new values of a change cannot be stored, as far as the zone's dialect is known.
    pub(crate) fn refuse(&self, id: &str, zone: &Name, change: &RRsetChange) -> Vec<Refusal> {
        self.dialect(id, zone).refuse(change)
    }

    async fn read_zone(
        &self,
        id: &str,
        zone: &Name,
        verb: &str,
    ) -> Result<(Dialect, Vec<Listed<Record>>), ProviderError> {
        let records = self.records(id, &format!("{verb} the zone {}", zone.to_text_without_dot())).await?;
        self.learn(id, Evidence::of(zone, &records));
        let dialect = self.dialect(id, zone);
        let listed = records.into_iter().map(|record| dialect.read(record)).collect::<Result<Vec<_>, _>>()?;
        Ok((dialect, listed))
    }
}

/// Adds what one change deletes and creates. A record whose TTL alone changes is created as it was spelled.
fn entries(
    dialect: &Dialect,
    change: &RRsetChange,
    live: &[Listed<Record>],
    delete: &mut Vec<Value>,
    create: &mut Vec<Value>,
) -> Result<(), String> {
    let delta = delta(change, live);
    delete.extend(delta.remove.iter().map(|record| record.raw.entry()));
    for added in delta.add {
        let ttl = added.ttl.unwrap_or(TTL);
        create.push(match added.same {
            Some(same) => same.raw.retimed(ttl),
            None => {
                let owner = added.sibling.map(|sibling| sibling.raw.owner());
                dialect.write(added.name, owner, added.rdata, ttl)?
            }
        });
    }
    Ok(())
}
