use std::fmt;
use std::net::SocketAddr;

use mailzone_record::Name;

/// A name server with all its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The name in the NS RRset; `None` for a server that was given by its address.
    pub name: Option<Name>,
    /// Its addresses of both families, each with the port to ask at, sorted.
    pub addresses: Vec<SocketAddr>,
}

/// One address of a name server: what can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// The server's name; `None` if it was given by its address.
    pub server: Option<Name>,
    /// Where it is asked.
    pub address: SocketAddr,
}

impl Server {
    /// A server that is known by its address alone.
    pub fn at(address: SocketAddr) -> Self {
        Self { name: None, addresses: vec![address] }
    }

    /// The server's addresses, one by one.
    pub fn endpoints(&self) -> impl Iterator<Item = Endpoint> {
        self.addresses.iter().map(|&address| Endpoint { server: self.name.clone(), address })
    }
}

/// Every address of every server, each once, in the order of the servers.
pub fn endpoints(servers: &[Server]) -> Vec<Endpoint> {
    let mut all: Vec<Endpoint> = Vec::new();
    for endpoint in servers.iter().flat_map(Server::endpoints) {
        if all.iter().all(|known| known.address != endpoint.address) {
            all.push(endpoint);
        }
    }
    all
}

impl fmt::Display for Endpoint {
    /// The name and the address, or the address and port alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.server {
            Some(name) => write!(f, "{name} ({})", self.address.ip()),
            None => self.address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_once() {
        let address = |last| SocketAddr::from(([192, 0, 2, last], 53));
        let name = Name::parse("ns1.example").unwrap();
        let servers = [Server { name: Some(name), addresses: vec![address(1), address(2)] }, Server::at(address(2))];
        let all = endpoints(&servers);
        assert_eq!(all.iter().map(|e| e.address).collect::<Vec<_>>(), [address(1), address(2)]);
        assert_eq!(all[0].to_string(), "ns1.example. (192.0.2.1)");
        assert_eq!(Server::at(address(2)).endpoints().next().unwrap().to_string(), "192.0.2.2:53");
    }
}
