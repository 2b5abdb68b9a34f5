use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use mailzone_conformance::{Harness, Stored, parse_seed};
use mailzone_provider::{Provider, Zone};
use mailzone_record::{Name, RRset, RRsetKey};

use crate::{Backdoor, Emulator};

/// The conformance suite's way to a provider whose service is emulated.
pub struct EmulatedHarness<S> {
    emulator: Arc<Emulator<S>>,
    provider: Arc<dyn Provider>,
}

impl<S: Backdoor> EmulatedHarness<S> {
    /// For a provider that talks to this emulator.
    pub fn new(emulator: Arc<Emulator<S>>, provider: Arc<dyn Provider>) -> Self {
        Self { emulator, provider }
    }
}

#[async_trait]
impl<S: Backdoor> Harness for EmulatedHarness<S> {
    fn provider(&self) -> Arc<dyn Provider> {
        Arc::clone(&self.provider)
    }

    async fn seed(&self, origin: &Name, text: &str) -> Zone {
        let sets = parse_seed(origin, text);
        self.emulator.with(|service| service.seed(origin, &sets))
    }

    async fn edit(&self, zone: &Zone, key: &RRsetKey, after: Option<&RRset>) {
        self.emulator.with(|service| service.edit(zone, key, after));
    }

    async fn stored(&self, zone: &Zone) -> Vec<Stored> {
        self.emulator.with(|service| service.stored(zone))
    }
}

impl<S> fmt::Debug for EmulatedHarness<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmulatedHarness").field("provider", &self.provider).finish_non_exhaustive()
    }
}
