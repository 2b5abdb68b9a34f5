use std::sync::Arc;

use async_trait::async_trait;
use mailzone_conformance::{Harness, Outcome, Stored, assert_passed, run};
use mailzone_provider::{Provider, Zone};
use mailzone_record::zonefile::{SetChange, ZoneFile};
use mailzone_record::{Name, RRset, RRsetKey};

use super::{Files, zone};

#[async_trait]
impl Harness for Files {
    fn provider(&self) -> Arc<dyn Provider> {
        self.provider.clone()
    }

    async fn seed(&self, origin: &Name, text: &str) -> Zone {
        let file = format!("{}.zone", origin.to_text_without_dot());
        self.write(&file, text.trim_start());
        zone(&file)
    }

    async fn edit(&self, zone: &Zone, key: &RRsetKey, after: Option<&RRset>) {
        let file = self.parse(zone);
        let live = file.rrsets().into_iter().find(|set| set.key() == *key);
        if let Some(change) = SetChange::between(live.as_ref(), after) {
            self.write(zone.id.as_str(), file.edit(&[change], (2026, 3, 3)).unwrap());
        }
    }

    async fn stored(&self, zone: &Zone) -> Vec<Stored> {
        let mut stored = Vec::new();
        for set in self.parse(zone).rrsets() {
            for value in set.values {
                let spelling = value.origin.and_then(|origin| origin.spelling);
                let text = spelling.map_or_else(|| value.rdata.to_string(), String::from);
                stored.push(Stored { name: set.name.clone(), rtype: set.rtype, text });
            }
        }
        stored
    }
}

impl Files {
    fn parse(&self, zone: &Zone) -> ZoneFile {
        ZoneFile::parse(self.read(zone.id.as_str()).as_bytes(), &zone.name).unwrap()
    }
}

#[tokio::test]
async fn every_step_passes() {
    let reports = run(&Files::new()).await;
    assert_passed(&reports);
    assert!(reports.iter().all(|report| report.outcome == Outcome::Passed), "{reports:#?}");
}
