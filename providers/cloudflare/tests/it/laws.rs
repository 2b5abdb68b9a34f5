//! The laws: nothing foreign is lost, whatever the zone and the changes.

use std::sync::Arc;

use async_trait::async_trait;
use mailzone_conformance::laws::Law;
use mailzone_conformance::{Harness, Stored};
use mailzone_emulated::cloudflare::{Cloudflare, Record};
use mailzone_emulated::{EmulatedHarness, Emulator};
use mailzone_provider::{Provider, Zone};
use mailzone_record::{Name, RRset, RRsetKey};

/// Zones whose records have comments and tags, some of them proxied; with values that are there twice, in another
/// spelling or with another TTL.
struct Decorated {
    inner: EmulatedHarness<Cloudflare>,
    emulator: Arc<Emulator<Cloudflare>>,
}

#[async_trait]
impl Harness for Decorated {
    fn provider(&self) -> Arc<dyn Provider> {
        self.inner.provider()
    }

    async fn seed(&self, origin: &Name, text: &str) -> Zone {
        let zone = self.inner.seed(origin, text).await;
        self.emulator.with(|service| {
            let Some(held) = service.zone(zone.id.as_str()) else { return };
            let mut twice = Vec::new();
            for (at, record) in held.records.iter_mut().enumerate() {
                record.comment = (at % 2 == 0).then(|| format!("comment {at}"));
                record.tags = if at % 3 == 0 { vec![format!("tag:{at}")] } else { Vec::new() };
                record.proxied = at % 4 == 0 && record.ttl == 1 && matches!(&*record.rtype, "A" | "AAAA" | "CNAME");
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '=' | '-' | ':' | '.');
                let text = record.content.trim_matches('"').to_owned();
                if record.rtype == "TXT" && at % 2 == 0 && !text.is_empty() && text.chars().all(plain) {
                    let content = if record.content == text { format!("\"{text}\"") } else { text };
                    twice.push(Record { id: format!("{at:032x}"), content, ..record.clone() });
                }
            }
            for (at, record) in held.records.iter().enumerate() {
                if at % 5 == 0 && record.ttl != 86_400 && record.rtype != "CNAME" && !record.proxied {
                    twice.push(Record { id: format!("{:032x}", at + 1_000), ttl: 86_400, ..record.clone() });
                }
            }
            held.records.extend(twice);
        });
        zone
    }

    async fn edit(&self, zone: &Zone, key: &RRsetKey, after: Option<&RRset>) {
        self.inner.edit(zone, key, after).await;
    }

    async fn stored(&self, zone: &Zone) -> Vec<Stored> {
        self.inner.stored(zone).await
    }
}

async fn hold(service: Cloudflare) {
    let emulator = Arc::new(Emulator::start(service).await);
    let provider = Arc::new(super::provider(&emulator));
    let decorated = Decorated { inner: EmulatedHarness::new(Arc::clone(&emulator), provider), emulator };
    for harness in [&decorated.inner as &dyn Harness, &decorated] {
        let tally = Law::new(harness, 12).hold().await;
        assert!(tally.written as u64 > tally.rounds && tally.stale > 0 && tally.undone > 0, "{tally:?}");
    }
}

#[tokio::test]
async fn the_laws_hold() {
    hold(Cloudflare::new()).await;
}

#[tokio::test]
async fn the_laws_hold_among_old_records() {
    let mut service = Cloudflare::new();
    service.seed_unquoted = true;
    service.seed_automatic = false;
    service.page_limits = (1, 7);
    hold(service).await;
}
