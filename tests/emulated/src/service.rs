use mailzone_conformance::Stored;
use mailzone_provider::Zone;
use mailzone_record::{Name, RRset, RRsetKey};

use crate::{Request, Response};

/// A service's API and its state. Strict: it refuses what the real service refuses, with its codes and bodies.
pub trait Service: Send + 'static {
    /// Carries the request out.
    fn answer(&mut self, request: &Request) -> Response;

    /// Which call it is, identifiers left out: `GET /zones`, `POST /zones/{id}/dns_records/batch`, `infoDnsZone`.
    fn label(&self, request: &Request) -> String;

    /// Whether it changes records.
    fn writes(&self, request: &Request) -> bool;

    /// How the real service says that there are too many requests.
    fn throttled(&self) -> Response;

    /// Its zones as its name servers answer, SOA and NS included.
    fn served(&self) -> Vec<(Name, Vec<RRset>)>;
}

/// A way into the state that is not the API.
pub trait Backdoor: Service {
    /// Makes the zone hold exactly these sets, whatever it held before; SOA and NS of `sets` are put into the
    /// service's own form.
    fn seed(&mut self, origin: &Name, sets: &[RRset]) -> Zone;

    /// Somebody else sets (or with `None` deletes) one RRset.
    fn edit(&mut self, zone: &Zone, key: &RRsetKey, after: Option<&RRset>);

    /// Every record as it is stored, exactly; with identifier, comment and tags where they have to survive.
    fn stored(&self, zone: &Zone) -> Vec<Stored>;
}
