use mailzone_provider::{Batch, Freshness, Outcome, ProviderError, ProviderErrorKind, Receipt, Retry, Snapshot};
use mailzone_record::Name;
use serde_json::json;

use super::codec::{Record, decode, entries};
use super::session::{Action, Ccp, domain, is_no_records};
use crate::delta::{Listed, rrsets};

impl Ccp {
    /// Everything of the zone, without TTLs: the zone has one for all.
    pub(crate) async fn snapshot(&self, zone: &Name) -> Result<Snapshot, ProviderError> {
        let records = self.records(zone, "reading").await?;
        // Asked only where the zone was not looked for in this run.
        let ttl = self.find(zone).await?.flatten();
        Ok(Snapshot::new(rrsets(&records), ttl))
    }

    /// Reads, compares, sends everything in one call, reads back. The call is not known to be atomic, so what became
    /// of it is always told from what the zone holds.
    pub(crate) async fn apply(&self, zone: &Name, batch: &Batch) -> Result<Receipt, ProviderError> {
        let live = self.records(zone, "reading again").await?;
        let freshness = batch.compare(&Snapshot::new(rrsets(&live), None));
        if let Some(receipt) = Receipt::stale(&freshness) {
            return Ok(receipt);
        }
        let changes = batch.changes.iter().zip(&freshness);
        let open = changes.filter(|(_, freshness)| **freshness == Freshness::AsPlanned).map(|(change, _)| change);
        let doing = format!("changing the zone {}", zone.to_text_without_dot());
        let entries = entries(zone, open, &live).map_err(|what| {
            let kind = ProviderErrorKind::Refused(format!("netcup's CCP API cannot store {what}"));
            ProviderError::new(doing.as_str(), kind, "take the slot out of the configuration")
        })?;
        if entries.is_empty() {
            return Ok(Receipt::new(freshness.iter().map(|_| (Outcome::Already, None))));
        }
        let mut param = domain(zone);
        param["dnsrecordset"] = json!({ "dnsrecords": entries });
        let Err(error) = self.call(Action::UpdateDnsRecords, &doing, param).await else {
            return Ok(match self.records(zone, "reading back").await {
                Ok(live) => Receipt::confirmed(batch, &freshness, &Snapshot::new(rrsets(&live), None)),
                Err(error) => Receipt::not_read_back(&freshness, &error),
            });
        };
        if self.is_locked() || is_not_sent(&error) {
            return Err(error);
        }
        match self.records(zone, "reading back").await {
            Ok(live) => {
                let live = Snapshot::new(rrsets(&live), None);
                Ok(Receipt::found(batch, &freshness, &live, &error.kind.to_string()))
            }
            Err(_) => Err(ProviderError { retry: Retry::Unknown, ..error }),
        }
    }

    /// Every record of the zone.
    async fn records(&self, zone: &Name, verb: &str) -> Result<Vec<Listed<Record>>, ProviderError> {
        let doing = format!("{verb} the zone {}", zone.to_text_without_dot());
        let data = match self.call(Action::InfoDnsRecords, &doing, domain(zone)).await {
            Ok(data) => data,
            // No records, or no such domain.
            Err(error) if is_no_records(&error) => {
                return match self.find(zone).await? {
                    Some(_) => Ok(Vec::new()),
                    None => Err(error),
                };
            }
            Err(error) => return Err(error),
        };
        let records = data.get("dnsrecords").cloned().unwrap_or_default();
        let records: Vec<Record> = serde_json::from_value(records).map_err(|error| {
            let kind = ProviderErrorKind::Protocol(format!("netcup's list of records cannot be read: {error}"));
            ProviderError::new(doing.as_str(), kind, "the API has changed: report it")
        })?;
        records.into_iter().map(|record| decode(zone, record)).collect()
    }
}

/// Whether the error says that nothing was carried out: no connection, no login, throttled.
fn is_not_sent(error: &ProviderError) -> bool {
    error.retry == Retry::Later || matches!(error.kind, ProviderErrorKind::Credentials(_))
}
