//! Reverse records: the PTR of single addresses of the contract.

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

/// Addresses that the configuration gives to this provider count as held: the API tells only those that have a record.
pub(super) struct Assumed;

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
    async fn reverse_record(&self, address: IpAddr) -> Result<Option<ReverseRecord>, ProviderError> {
        let records = self.api.reverse(&address.to_string()).await?;
        Ok(records
            .into_iter()
            .find(|record| record.metadata.state != State::Destroying && record.properties.ip.parse() == Ok(address)))
    }
}

#[async_trait]
impl ReverseDns for Assumed {
    async fn pointer(&self, _: IpAddr) -> Result<Pointer, ProviderError> {
        Ok(Pointer::Absent)
    }

    async fn point(&self, _: IpAddr, _: Option<&Name>) -> Result<(), ProviderError> {
        Ok(())
    }
}
