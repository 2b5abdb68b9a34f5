//! Finding zones and reading them.

use std::collections::{BTreeMap, HashMap};
use std::sync::PoisonError;

use mailzone_provider::{Access, ProviderError, ProviderErrorKind, Snapshot, View, Zone, ZoneId};
use mailzone_record::{Name, RRset, RRsetKey, RecordType, Value};
use mailzone_wire::{Query, Rcode, Record, Rejection, SignedError, TsigKey, ask_signed, transfer};
use tokio::task::JoinSet;

use crate::Rfc2136Provider;
use crate::questions::Fault;

impl Rfc2136Provider {
    /// The zones that hold the names, each once, in canonical order.
    pub(crate) async fn find_zones(&self) -> Result<Vec<Zone>, ProviderError> {
        let mut zones = BTreeMap::new();
        for names in self.names.chunks(self.capabilities.concurrency) {
            let mut questions = JoinSet::new();
            for name in names {
                questions.spawn(find(Asking::new(self), name.clone()));
            }
            while let Some(answer) = questions.join_next().await {
                // A task that was cancelled or has panicked has no answer; neither happens.
                let Ok(answer) = answer else { continue };
                let found = answer
                    .map_err(|error| self.signed_error(format!("asking {} for its zones", self.server), error))?;
                if let Some(name) = found {
                    zones.entry(name.to_lowercase()).or_insert(name);
                }
            }
        }
        let zone = |(key, name): (Name, Name)| Zone {
            id: ZoneId::new(key.to_text_without_dot()),
            name,
            access: Access::ReadWrite,
            nameservers: Vec::new(),
        };
        Ok(zones.into_iter().map(zone).collect())
    }

    /// The zone of the server that holds `name`, if there is one.
    pub(crate) async fn find_zone(&self, name: &Name) -> Result<Option<Name>, SignedError> {
        find(Asking::new(self), name.clone()).await
    }

    /// The zone, or where the server refuses to transfer it what it answers of `keys`. That is found out once.
    pub(crate) async fn look(&self, zone: &Name, keys: &[RRsetKey]) -> Result<View, ProviderError> {
        let known = self.refused.lock().unwrap_or_else(PoisonError::into_inner).contains(zone);
        if known {
            let asked = self.ask_for(zone, keys).await;
            return asked.map(in_part).map_err(|fault| self.fault(zone, fault));
        }
        let refused = match self.read(zone).await {
            Ok(snapshot) => return Ok(View { snapshot, partial: false }),
            Err(error) if matches!(error.kind, ProviderErrorKind::Permission(_)) => error,
            Err(error) => return Err(error),
        };
        match self.ask_for(zone, keys).await {
            Ok(snapshot) => {
                tracing::warn!(%zone, "the server refuses to transfer the zone: only names of the configuration are read");
                self.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(zone.clone());
                Ok(in_part(snapshot))
            }
            // It refuses the key, not the transfer.
            Err(Fault::Asking(SignedError::Rejected(_))) => Err(refused),
            Err(fault) => Err(self.fault(zone, fault)),
        }
    }

    /// The whole zone, by one transfer.
    pub(crate) async fn read(&self, zone: &Name) -> Result<Snapshot, ProviderError> {
        match transfer(self.server, zone, self.key.as_ref(), &self.limits).await {
            Ok(records) => Ok(Snapshot::new(rrsets(records), None)),
            Err(error) => Err(self.transfer_error(zone, error).await),
        }
    }
}

fn in_part(snapshot: Snapshot) -> View {
    View { snapshot, partial: true }
}

/// Whether records of this type follow from the others of a signed zone.
pub(crate) fn derived(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::RRSIG | RecordType::NSEC | RecordType::NSEC3)
}

/// Whom to ask and how.
#[derive(Clone)]
pub(crate) struct Asking {
    pub(crate) server: std::net::SocketAddr,
    pub(crate) key: Option<TsigKey>,
    pub(crate) timeout: std::time::Duration,
}

impl Asking {
    pub(crate) fn new(provider: &Rfc2136Provider) -> Self {
        Self { server: provider.server, key: provider.key.clone(), timeout: provider.limits.message_timeout }
    }
}

/// Asks for the SOA of `name`, and of its parents as long as an alias is in the way.
async fn find(asking: Asking, name: Name) -> Result<Option<Name>, SignedError> {
    let mut candidate = Some(name);
    while let Some(name) = candidate {
        let query = Query::authoritative(name.clone(), RecordType::SOA);
        let mut answer = ask_signed(asking.server, &query, asking.key.as_ref(), asking.timeout).await;
        if asking.key.is_some() && matches!(answer, Err(SignedError::Rejected(Rejection::Refused | Rejection::NotAuth)))
        {
            // Knot refuses without a signature where it has no zone, PowerDNS where it does not
            // like the key. Only the zone's name is taken from what nobody has signed.
            answer = ask_signed(asking.server, &query, None, asking.timeout).await;
        }
        let answer = answer?;
        if !answer.authoritative || !matches!(answer.rcode, Rcode::NoError | Rcode::NxDomain) {
            tracing::debug!(server = %asking.server, %name, rcode = %answer.rcode, "no zone of this server");
            return Ok(None);
        }
        let holds = |record: &&Record| record.rtype() == RecordType::SOA && name.is_at_or_below(&record.name);
        if let Some(soa) = answer.answers.iter().chain(&answer.authority).find(holds) {
            return Ok(Some(soa.name.clone()));
        }
        candidate = name.parent();
    }
    Ok(None)
}

/// Records as RRsets, values in the order received. Where the TTLs within a set differ the first one is the set's.
pub(crate) fn rrsets(records: Vec<Record>) -> Vec<RRset> {
    let mut sets: Vec<RRset> = Vec::with_capacity(records.len());
    let mut index: HashMap<RRsetKey, usize> = HashMap::with_capacity(records.len());
    for Record { name, ttl, rdata } in records {
        let rtype = rdata.rtype();
        if derived(rtype) {
            continue;
        }
        // Records of a set mostly follow one another.
        let last = sets.len().checked_sub(1).filter(|&at| sets[at].rtype == rtype && sets[at].name == name);
        let at = last.unwrap_or_else(|| {
            *index.entry(RRsetKey { name: name.clone(), rtype }).or_insert_with(|| {
                sets.push(RRset::new(name, rtype, Some(ttl), Vec::with_capacity(1)));
                sets.len() - 1
            })
        });
        sets[at].values.push(Value::from(rdata));
    }
    sets
}

#[cfg(test)]
mod tests {
    use mailzone_record::{Ttl, parse_rdata_text};

    use super::*;

    #[test]
    fn records_become_sets() {
        let record = |owner: &str, ttl, rtype: &str, text: &str| Record {
            name: Name::parse(owner).unwrap(),
            ttl: Ttl::from_secs(ttl).unwrap(),
            rdata: parse_rdata_text(rtype.parse().unwrap(), text, None).unwrap(),
        };
        let sets = rrsets(vec![
            record("a", 1, "TXT", "x"),
            record("a", 1, "A", "192.0.2.1"),
            record("A", 2, "TXT", "y"),
            record("a", 1, "NSEC", "b. A TXT"),
        ]);
        let seen: Vec<_> = sets.iter().map(|s| (s.rtype, s.ttl.unwrap().as_secs(), s.values.len())).collect();
        assert_eq!(seen, [(RecordType::TXT, 1, 2), (RecordType::A, 1, 1)]);
    }
}
