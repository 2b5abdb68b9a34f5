//! What the tests of both providers share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mailzone_conformance::parse_seed;
use mailzone_emulated::ionos_cloud::IonosCloud;
use mailzone_emulated::ionos_hosting::IonosHosting;
use mailzone_emulated::{Backdoor, Emulator};
use mailzone_http::{Backoff, Base, Budget, Settings};
use mailzone_provider::{Batch, Outcome, Provider, ProviderError, ProviderId, RRsetChange, Receipt, Snapshot, Zone};
use mailzone_provider_ionos::{IonosCloudProvider, IonosProvider, Polling};
use mailzone_record::{Name, RRset, RRsetKey, Ttl, parse_rdata_text};
use secrecy::SecretString;

/// A provider and its service.
pub(crate) struct Bench<S, P> {
    pub(crate) emulator: Arc<Emulator<S>>,
    pub(crate) provider: Arc<P>,
}

pub(crate) type Hosting = Bench<IonosHosting, IonosProvider>;

pub(crate) type Cloud = Bench<IonosCloud, IonosCloudProvider>;

/// What the zone shall hold: `None` for a set that shall go.
pub(crate) type Desired = Vec<(RRsetKey, Option<RRset>)>;

pub(crate) async fn hosting() -> Hosting {
    let emulator = Arc::new(Emulator::start(IonosHosting::new()).await);
    let provider = hosting_with_key(&format!("{}/dns", emulator.url()), IonosHosting::KEY);
    Bench { emulator, provider: Arc::new(provider) }
}

pub(crate) fn hosting_with_key(base: &str, key: &str) -> IonosProvider {
    IonosProvider::new(ProviderId::new("ionos"), SecretString::from(key), settings("IONOS", base)).unwrap()
}

pub(crate) async fn cloud() -> Cloud {
    let emulator = Arc::new(Emulator::start(IonosCloud::new()).await);
    let provider = Arc::new(cloud_with_token(&emulator.url(), IonosCloud::TOKEN));
    Bench { emulator, provider }
}

pub(crate) fn cloud_with_token(base: &str, token: &str) -> IonosCloudProvider {
    let id = ProviderId::new("cloud");
    let wait = Duration::from_millis(1);
    IonosCloudProvider::new(id, SecretString::from(token), settings("IONOS Cloud", base))
        .unwrap()
        .with_polling(Polling { first: wait, longest: wait * 4, deadline: Duration::from_secs(20) })
}

/// Without a limiter, and with waits that a test does not notice.
pub(crate) fn settings(service: &'static str, base: &str) -> Settings {
    let wait = Duration::from_millis(1);
    Settings {
        service,
        base: Base::parse(base).unwrap(),
        timeout: Duration::from_secs(20),
        budget: Arc::new(Budget::unlimited()),
        concurrency: 4,
        secrets: Vec::new(),
        backoff: Backoff { first: wait, max: wait, attempts: 3, jitter: false, patience: Duration::from_secs(1) },
    }
}

impl<S: Backdoor, P: Provider> Bench<S, P> {
    /// The zone `example.com` with these records beside SOA and NS.
    pub(crate) fn seed(&self, records: &str) -> Zone {
        let origin = name("example.com");
        self.emulator.with(|service| service.seed(&origin, &parse_seed(&origin, records)))
    }

    pub(crate) async fn plan(&self, zone: &Zone, desired: &Desired) -> Vec<RRsetChange> {
        changes(&self.provider.snapshot(zone).await.unwrap(), desired)
    }

    pub(crate) async fn apply(&self, zone: &Zone, changes: &[RRsetChange]) -> Result<Receipt, ProviderError> {
        let receipt = self.provider.apply(zone, &Batch { changes: changes.to_vec() }).await?;
        self.provider.settle(zone, &receipt).await?;
        Ok(receipt)
    }

    /// Plans and applies, and expects everything to be written.
    pub(crate) async fn bring_about(&self, zone: &Zone, desired: &Desired) -> Receipt {
        let changes = self.plan(zone, desired).await;
        let receipt = self.apply(zone, &changes).await.unwrap();
        for (change, result) in changes.iter().zip(&receipt.results) {
            assert_eq!(result.outcome, Outcome::Applied, "{} {}: {:?}", change.name(), change.rtype(), result.note);
        }
        receipt
    }

    /// What the service stores, by name and type, sorted.
    pub(crate) fn stored(&self, zone: &Zone) -> BTreeMap<RRsetKey, Vec<String>> {
        let mut sets: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for stored in self.emulator.with(|service| service.stored(zone)) {
            let key = RRsetKey { name: stored.name, rtype: stored.rtype };
            sets.entry(key).or_default().push(stored.text);
        }
        sets.values_mut().for_each(|texts| texts.sort());
        sets.retain(|key, _| key.rtype != mailzone_record::RecordType::SOA);
        sets
    }

    /// The labels of the requests since the log was cleared.
    pub(crate) fn labels(&self) -> Vec<String> {
        self.emulator.log().into_iter().map(|logged| logged.label).collect()
    }
}

/// The changes from `snapshot` to `desired`: nothing where it is so already. Values that stay keep their origin.
pub(crate) fn changes(snapshot: &Snapshot, desired: &Desired) -> Vec<RRsetChange> {
    let change = |(key, wanted): &(RRsetKey, Option<RRset>)| {
        let before = snapshot.get(&key.name, key.rtype).cloned();
        let mut after = wanted.clone();
        for value in after.iter_mut().flat_map(|after| &mut after.values) {
            let known = before.iter().flat_map(|before| &before.values).find(|known| known.rdata == value.rdata);
            *value = known.unwrap_or(value).clone();
        }
        let is_so = match (&before, &after) {
            (Some(before), Some(after)) => before.same_records(after),
            (None, None) => true,
            _ => false,
        };
        if is_so { None } else { RRsetChange::new(before, after) }
    };
    desired.iter().filter_map(change).collect()
}

/// One wanted set; without values it shall go.
pub(crate) fn want(owner: &str, rtype: &str, ttl: u32, values: &[&str]) -> (RRsetKey, Option<RRset>) {
    let key = key(owner, rtype);
    let values: Vec<_> = values.iter().map(|text| parse_rdata_text(key.rtype, text, None).unwrap().into()).collect();
    let set = (!values.is_empty()).then(|| RRset::new(key.name.clone(), key.rtype, Ttl::from_secs(ttl), values));
    (key, set)
}

pub(crate) fn key(owner: &str, rtype: &str) -> RRsetKey {
    let name = Name::parse_in(owner, Some(&name("example.com"))).unwrap();
    RRsetKey { name, rtype: rtype.parse().unwrap() }
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub(crate) fn set(owner: &str, rtype: &str, ttl: u32, values: &[&str]) -> RRset {
    want(owner, rtype, ttl, values).1.unwrap()
}
