//! Reverse records: the PTR of single addresses of the contract.

use std::collections::HashSet;
use std::net::IpAddr;

use async_trait::async_trait;
use mailzone_http::Call;
use mailzone_provider::ProviderError;
use mailzone_provider::reverse::{Pointer, ReverseDns};
use mailzone_record::Name;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::IonosCloudProvider;
use super::api::Subject;
use super::listing::{Metadata, State};

/// One reverse record.
#[derive(Debug, Deserialize)]
pub(crate) struct ReverseRecord {
    pub(crate) id: String,
    #[serde(default)]
    metadata: Metadata,
    properties: Properties,
}

#[derive(Debug, Serialize, Deserialize)]
struct Properties {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    ip: String,
}

/// For addresses that are already known to be the contract's, so that listing them needs no request each.
pub(super) struct Known;

#[async_trait]
impl ReverseDns for IonosCloudProvider {
    async fn pointer(&self, address: IpAddr) -> Result<Pointer, ProviderError> {
        Ok(match self.reverse_record(address).await? {
            None => Pointer::Absent,
            Some(record) => match Name::parse(&record.properties.name) {
                Ok(name) => Pointer::Name(name),
                Err(error) => {
                    let text = format!("the reverse record {} points to no domain name: {error}", record.id);
                    let kind = mailzone_provider::ProviderErrorKind::Protocol(text);
                    let operation = format!("reading the PTR of {address} at IONOS Cloud");
                    return Err(ProviderError::new(operation, kind, "correct it in the IONOS cloud panel"));
                }
            },
        })
    }

    async fn point(&self, address: IpAddr, name: Option<&Name>) -> Result<(), ProviderError> {
        let operation = format!("writing the PTR of {address} at IONOS Cloud");
        let record = self.reverse_record(address).await?;
        let path = |id: &str| format!("/reverserecords/{}", Call::segment(id));
        let call = match (name, record) {
            (None, None) => return Ok(()),
            (None, Some(record)) => Call::delete(path(&record.id)),
            (Some(name), None) => {
                let properties =
                    Properties { name: name.to_text_without_dot(), description: None, ip: address.to_string() };
                Call::post("/reverserecords").json(&json!({ "properties": properties }))
            }
            (Some(name), Some(record)) => {
                let properties = Properties { name: name.to_text_without_dot(), ..record.properties };
                Call::put(path(&record.id)).json(&json!({ "properties": properties }))
            }
        };
        self.api.write(call, &operation, Subject::Reverse).await
    }
}

impl IonosCloudProvider {
    /// The candidates that have a reverse record, from the list of all.
    pub(super) async fn recorded_candidates(&self) -> Result<Vec<IpAddr>, ProviderError> {
        if self.candidates.is_empty() {
            return Ok(Vec::new());
        }
        let records = self.api.reverse_records().await?;
        let recorded: HashSet<IpAddr> = records.iter().filter_map(|record| record.properties.ip.parse().ok()).collect();
        Ok(self.candidates.iter().copied().filter(|address| recorded.contains(address)).collect())
    }

    async fn reverse_record(&self, address: IpAddr) -> Result<Option<ReverseRecord>, ProviderError> {
        let records = self.api.reverse(&address.to_string()).await?;
        Ok(records
            .into_iter()
            .find(|record| record.metadata.state != State::Destroying && record.properties.ip.parse() == Ok(address)))
    }
}

#[async_trait]
impl ReverseDns for Known {
    async fn pointer(&self, _: IpAddr) -> Result<Pointer, ProviderError> {
        Ok(Pointer::Absent)
    }

    async fn point(&self, _: IpAddr, _: Option<&Name>) -> Result<(), ProviderError> {
        Ok(())
    }
}
