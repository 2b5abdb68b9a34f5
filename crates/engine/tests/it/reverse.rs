//! PTR of single addresses: a service without a reverse zone, and addresses that nobody can set.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mailzone_conformance::memory::MemoryProvider;
use mailzone_conformance::parse_seed;
use mailzone_engine::apply::apply;
use mailzone_engine::compile::PlacedClaim;
use mailzone_engine::plan::{PlanOptions, PlanRun, plan};
use mailzone_engine::verify::{Verdict, Verifier};
use mailzone_engine::{Events, Providers};
use mailzone_mailauth::KindId;
use mailzone_plan::Own;
use mailzone_provider::reverse::{self, Pointer, ReverseDns};
use mailzone_provider::{Batch, Capabilities, Provider, ProviderError, ProviderId, Receipt, Snapshot, Zone};
use mailzone_record::{Name, RecordType, Ttl};
use mailzone_server::{Server, Zone as DnsZone};

use crate::support::{World, claim, compiled, name, told};

const ADDRESS: &str = "127.0.0.25";
const REVERSE: &str = "25.0.0.127.in-addr.arpa";

/// A service that sets the PTR of the addresses it rents out.
#[derive(Debug)]
struct Hoster {
    id: ProviderId,
    capabilities: Capabilities,
    pointers: Mutex<BTreeMap<IpAddr, Option<Name>>>,
    dns: Mutex<Option<mailzone_server::Handle>>,
}

impl Hoster {
    fn new() -> Self {
        let memory = MemoryProvider::new("h");
        Self {
            id: ProviderId::new("h"),
            capabilities: memory.capabilities().clone(),
            pointers: Mutex::new(BTreeMap::from([(ADDRESS.parse().unwrap(), None)])),
            dns: Mutex::default(),
        }
    }
}

#[async_trait]
impl ReverseDns for Hoster {
    async fn pointer(&self, address: IpAddr) -> Result<Pointer, ProviderError> {
        Ok(match self.pointers.lock().unwrap().get(&address) {
            None => Pointer::NotHeld,
            Some(None) => Pointer::Absent,
            Some(Some(name)) => Pointer::Name(name.clone()),
        })
    }

    async fn point(&self, address: IpAddr, name: Option<&Name>) -> Result<(), ProviderError> {
        self.pointers.lock().unwrap().insert(address, name.cloned());
        if let Some(dns) = &*self.dns.lock().unwrap() {
            dns.replace_zone(arpa(name));
        }
        Ok(())
    }
}

#[async_trait]
impl Provider for Hoster {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn zones(&self) -> Result<Vec<Zone>, ProviderError> {
        let addresses = [ADDRESS.parse().unwrap(), "127.0.0.26".parse().unwrap()];
        reverse::zones(self, &addresses, mailzone_mailauth::ptr::reverse_name).await
    }

    async fn snapshot(&self, zone: &Zone) -> Result<Snapshot, ProviderError> {
        reverse::snapshot(self, zone, reverse::address_of(zone).unwrap()).await
    }

    async fn apply(&self, zone: &Zone, batch: &Batch) -> Result<Receipt, ProviderError> {
        reverse::apply(self, zone, reverse::address_of(zone).unwrap(), batch).await
    }
}

/// The hoster's zone, in which the address is one name of many.
fn arpa(pointer: Option<&Name>) -> DnsZone {
    let apex = name("127.in-addr.arpa");
    let line = pointer.map(|name| format!("\n25.0.0 300 PTR {name}")).unwrap_or_default();
    let text = format!("@ 300 SOA ns.hoster.example. h.example. 1 2 3 4 60\n@ 300 NS ns.hoster.example.{line}");
    DnsZone::new(apex.clone(), parse_seed(&apex, &text), Ttl::ZERO).unwrap()
}

fn zone_at(apex: &str, lines: &str) -> DnsZone {
    let apex = Name::parse(apex).unwrap();
    let text = format!("@ 300 SOA ns.hoster.example. h.example. 1 2 3 4 60\n{lines}");
    DnsZone::new(apex.clone(), parse_seed(&apex, &text), Ttl::ZERO).unwrap()
}

/// A root that delegates 127.in-addr.arpa and hoster.example to a second server, on the same port.
async fn dns() -> (Server, Server) {
    for _ in 0..64 {
        let own = vec![arpa(None), zone_at("hoster.example", "@ 300 NS ns.hoster.example.\nns 300 A 127.0.0.2")];
        let second = Server::start("127.0.0.2:0".parse().unwrap(), own).await.unwrap();
        let root = zone_at(
            ".",
            "@ 300 NS root.example.\n127.in-addr.arpa 300 NS ns.hoster.example.\nhoster.example 300 NS ns.hoster.example.\n\
             ns.hoster.example 300 A 127.0.0.2",
        );
        let address = SocketAddr::from(([127, 0, 0, 1], second.local_addr().port()));
        if let Ok(first) = Server::start(address, vec![root]).await {
            return (first, second);
        }
    }
    unreachable!("no port is free on both addresses")
}

fn pointer(owner: &str, address: &str, ttl: Option<u32>) -> PlacedClaim {
    let want = [(RecordType::PTR, "mail.example.com.")];
    let mut placed = claim("h", "mail.example.com", KindId::Ptr, owner, Own::RRset, &want);
    placed.claim.slot.key = Some(address.into());
    placed.claim.ttl = ttl.and_then(Ttl::from_secs);
    PlacedClaim { provider: None, domain: None, ..placed }
}

async fn planned(providers: &Providers, claims: &[PlacedClaim]) -> PlanRun {
    plan(compiled(claims), providers, &PlanOptions::default(), &Events::none()).await
}

#[tokio::test]
async fn one_address_is_planned_written_and_verified_in_the_zone_around_it() {
    let world = World::new().await;
    let (root, second) = dns().await;
    let hoster = Arc::new(Hoster::new());
    *hoster.dns.lock().unwrap() = Some(second.handle());
    let providers: Providers = [("h".to_owned(), Arc::clone(&hoster) as Arc<dyn Provider>)].into();
    // A TTL that is asked for cannot be stored, and is no difference for ever.
    let claims = [pointer(REVERSE, ADDRESS, Some(60))];
    let run = planned(&providers, &claims).await;
    let change = &run.zones[0].plan.changes[0];
    assert_eq!((change.key().to_string(), change.change.after().unwrap().ttl), (format!("{REVERSE}. PTR"), None));
    let mut context = world.context();
    let port = root.local_addr().port();
    context.verifier = Verifier::new(Duration::from_millis(500), &[root.local_addr()], port, Vec::new(), false);
    let applied = apply(run.zones, &HashMap::new(), &context).await;
    assert_eq!(told(&applied[0]), format!("{REVERSE}. PTR: applied\n"), "{:?}", applied[0].outcomes);
    assert_eq!(applied[0].outcomes[0].1, None);
    let verification = applied[0].verification.as_ref().unwrap();
    assert_eq!((verification.verdict(), &verification.zone), (Verdict::Verified, &name("127.in-addr.arpa")));
    assert!(planned(&providers, &claims).await.zones[0].plan.changes.is_empty());
}

#[tokio::test]
async fn what_nobody_can_set_is_asked_of_the_hoster_in_full() {
    let world = World::new().await.zone("p", "example.com", "");
    let six = "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
    let claims = [pointer("25.2.0.192.in-addr.arpa", "192.0.2.25", None), pointer(six, "2001:db8::25", None)];
    let run = planned(&world.all(), &claims).await;
    let error = run.homeless[0].error.as_ref().unwrap();
    assert_eq!(error.kind, "no_zone");
    assert_eq!(error.message, "no configured provider can hold the PTR of 192.0.2.25 and of 2001:db8::25");
    let request: Vec<&str> = error.remedy.lines().skip(1).collect();
    assert_eq!(
        request,
        [
            "Please set the reverse DNS (PTR) as follows:",
            "192.0.2.25 -> mail.example.com",
            "2001:db8::25 -> mail.example.com",
            "As records of the reverse zone:",
            "25.2.0.192.in-addr.arpa. PTR mail.example.com.",
            &format!("{six}. PTR mail.example.com."),
            "The name resolves to these addresses. Please tell us when it is done.",
        ]
    );
    assert_eq!(run.homeless.len(), 1);
}
