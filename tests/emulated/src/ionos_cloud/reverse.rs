//! Reverse records: one name for each address of the contract.

use std::net::IpAddr;

use serde_json::{Value as Json, json};

use super::{Answer, IonosCloud, error, no_object, page};
use crate::{Request, Response};

#[derive(Debug)]
pub(super) struct Reverse {
    pub(super) id: String,
    pub(super) name: String,
    description: String,
    pub(super) ip: IpAddr,
}

impl IonosCloud {
    pub(super) fn route_reverse(&mut self, request: &Request, id: Option<&str>) -> Answer {
        match (request.method.as_str(), id) {
            ("GET", None) => {
                let wanted: Vec<&str> = request
                    .query
                    .iter()
                    .filter(|(name, _)| name == "filter.recordIp")
                    .map(|(_, ip)| ip.as_str())
                    .collect();
                let fits = |held: &&Reverse| wanted.is_empty() || wanted.iter().any(|ip| ip.parse() == Ok(held.ip));
                page(request, self.reverse.iter().filter(fits).map(Reverse::json).collect())
            }
            ("POST", None) => {
                let (name, description, ip) = self.read(request)?;
                if self.reverse.iter().any(|held| held.ip == ip) {
                    return Err(error(409, "paas-conflict-1", "A reverse record exists for the address"));
                }
                let held = Reverse { id: self.next_id(), name, description, ip };
                let answer = held.json();
                self.reverse.push(held);
                Ok(Response::json(201, answer))
            }
            ("PUT", Some(id)) => {
                let (name, description, ip) = self.read(request)?;
                let held = self.reverse.iter_mut().find(|held| held.id == id).ok_or_else(no_object)?;
                if held.ip != ip {
                    return Err(error(422, "paas-validation-1", "property ip is not valid"));
                }
                (held.name, held.description) = (name, description);
                Ok(Response::json(200, held.json()))
            }
            ("DELETE", Some(id)) => {
                let at = self.reverse.iter().position(|held| held.id == id).ok_or_else(no_object)?;
                self.reverse.remove(at);
                Ok(Response::empty(202))
            }
            _ => Err(error(404, "paas-generic-404", "The requested path does not exist")),
        }
    }

    /// Gives an address of the contract a name, with a description that has to survive.
    pub fn point(&mut self, ip: IpAddr, name: &str, description: &str) {
        let id = self.next_id();
        self.reverse.retain(|held| held.ip != ip);
        self.reverse.push(Reverse { id, name: name.to_owned(), description: description.to_owned(), ip });
    }

    /// The description of an address' reverse record.
    pub fn description(&self, ip: IpAddr) -> Option<&str> {
        self.reverse.iter().find(|held| held.ip == ip).map(|held| held.description.as_str())
    }

    fn read(&self, request: &Request) -> Result<(String, String, IpAddr), Response> {
        let body = request.json().and_then(|mut body| body.get_mut("properties").map(Json::take));
        let body = body.ok_or_else(|| error(400, "paas-generic-1", "The request has no properties"))?;
        let text = |field: &str| body.get(field).and_then(Json::as_str);
        let bad = |field: &str| error(422, "paas-validation-1", &format!("property {field} is not valid"));
        let name = text("name").filter(|name| name.contains('.') && !name.ends_with('.')).ok_or_else(|| bad("name"))?;
        let ip: IpAddr = text("ip").and_then(|ip| ip.parse().ok()).ok_or_else(|| bad("ip"))?;
        if !self.addresses.contains(&ip) {
            return Err(bad("ip"));
        }
        Ok((name.to_owned(), text("description").unwrap_or_default().to_owned(), ip))
    }
}

impl Reverse {
    fn json(&self) -> Json {
        json!({
            "id": self.id, "type": "reverserecord", "href": format!("/reverserecords/{}", self.id),
            "metadata": { "createdDate": "2024-11-28T13:46:06Z" },
            "properties": { "name": self.name, "description": self.description, "ip": self.ip.to_string() },
        })
    }
}
