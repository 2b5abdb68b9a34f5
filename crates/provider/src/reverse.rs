//! Services that set the PTR of single addresses, without a reverse zone.
//!
//! Each address that the service holds appears as a small zone of its own, named by the address's reverse name,
//! with at most one PTR RRset at its apex. So a PTR is planned, guarded, applied and verified like any record.

use std::net::IpAddr;

use async_trait::async_trait;
use mailzone_record::{Name, RRset, Rdata, RecordType, Value};

use crate::{
    Access, Batch, Freshness, Outcome, ProviderError, ProviderErrorKind, Receipt, Retry, Snapshot, Zone, ZoneId,
};

/// What a service can do with the PTR of one address.
#[async_trait]
pub trait ReverseDns: Send + Sync {
    /// What the service says of `address`.
    async fn pointer(&self, address: IpAddr) -> Result<Pointer, ProviderError>;

    /// Lets `address` point to `name`, or to nothing. Only called after [`ReverseDns::pointer`] gave what the plan saw.
    async fn point(&self, address: IpAddr, name: Option<&Name>) -> Result<(), ProviderError>;
}

/// What a service says of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pointer {
    /// The address is not the customer's.
    NotHeld,
    /// The customer's, without a name.
    Absent,
    /// The customer's, with this name.
    Name(Name),
}

/// The zones of those `addresses` that the service holds. `reverse_name` gives an address's name
/// (RFC 1035 section 3.5, RFC 3596 section 2.5).
pub async fn zones(
    service: &dyn ReverseDns,
    addresses: &[IpAddr],
    reverse_name: impl Fn(IpAddr) -> Name + Send,
) -> Result<Vec<Zone>, ProviderError> {
    let mut zones = Vec::new();
    for &address in addresses {
        if service.pointer(address).await? != Pointer::NotHeld {
            let id = ZoneId::new(format!("{PREFIX}{address}"));
            zones.push(Zone { id, name: reverse_name(address), access: Access::ReadWrite, nameservers: Vec::new() });
        }
    }
    Ok(zones)
}

/// The address that a zone of [`zones`] stands for; `None` for every other zone.
pub fn address_of(zone: &Zone) -> Option<IpAddr> {
    zone.id.as_str().strip_prefix(PREFIX)?.parse().ok()
}

/// The one set of such a zone.
pub async fn snapshot(service: &dyn ReverseDns, zone: &Zone, address: IpAddr) -> Result<Snapshot, ProviderError> {
    let set = match service.pointer(address).await? {
        Pointer::NotHeld => {
            let kind = ProviderErrorKind::NoZone(format!("{address} is no longer at this provider"));
            return Err(ProviderError::new(
                format!("reading the PTR of {address}"),
                kind,
                "check the host's addresses",
            ));
        }
        Pointer::Absent => None,
        Pointer::Name(name) => {
            let values = vec![Value { rdata: Rdata::Ptr(name), origin: None }];
            Some(RRset::new(zone.name.clone(), RecordType::PTR, None, values))
        }
    };
    Ok(Snapshot::new(set.into_iter().collect(), None))
}

/// Writes the PTR of such a zone: reads it, writes it, reads it back.
pub async fn apply(
    service: &dyn ReverseDns,
    zone: &Zone,
    address: IpAddr,
    batch: &Batch,
) -> Result<Receipt, ProviderError> {
    let mut freshness = batch.compare(&snapshot(service, zone, address).await?);
    if let Some(receipt) = Receipt::stale(&freshness) {
        return Ok(receipt);
    }
    for (change, freshness) in batch.changes.iter().zip(&mut freshness) {
        if *freshness == Freshness::Already {
            continue;
        }
        let target = match change.after().map(|set| set.values.as_slice()) {
            None => None,
            Some([Value { rdata: Rdata::Ptr(name), .. }]) => Some(name),
            Some(_) => {
                let kind = ProviderErrorKind::Refused("this service stores one PTR for each address".into());
                return Err(ProviderError::new(format!("writing the PTR of {address}"), kind, "name one host"));
            }
        };
        if let Err(error) = service.point(address, target).await {
            if error.retry != Retry::Unknown {
                return Err(error);
            }
            let live = snapshot(service, zone, address).await?;
            return Ok(Receipt::found(batch, &[*freshness], &live, "the answer was lost"));
        }
    }
    if freshness.iter().all(|freshness| *freshness == Freshness::Already) {
        return Ok(Receipt::new(freshness.iter().map(|_| (Outcome::Already, None))));
    }
    Ok(match snapshot(service, zone, address).await {
        Ok(live) => Receipt::confirmed(batch, &freshness, &live),
        Err(error) => Receipt::not_read_back(&freshness, &error),
    })
}

const PREFIX: &str = "address:";
