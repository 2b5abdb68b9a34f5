//! Which RRsets a run has written: how one zone's task waits for another's.

use std::collections::HashMap;

use mailzone_record::RRsetKey;
use tokio::sync::watch;

/// Every change's end, once it is known: written or not.
#[derive(Debug)]
pub(crate) struct Board {
    ends: watch::Sender<HashMap<RRsetKey, bool>>,
}

impl Default for Board {
    fn default() -> Self {
        Self { ends: watch::Sender::new(HashMap::new()) }
    }
}

impl Board {
    /// Notes the end of a change. The first word counts.
    pub(crate) fn publish(&self, key: RRsetKey, written: bool) {
        self.ends.send_modify(|ends| {
            ends.entry(key).or_insert(written);
        });
    }

    /// The end of a change, if it is known.
    pub(crate) fn written(&self, key: &RRsetKey) -> Option<bool> {
        self.ends.borrow().get(key).copied()
    }

    /// Waits for the end of a change.
    pub(crate) async fn wait_for(&self, key: &RRsetKey) -> bool {
        let mut ends = self.ends.subscribe();
        match ends.wait_for(|ends| ends.contains_key(key)).await {
            Ok(ends) => ends.get(key).copied().unwrap_or(false),
            Err(_) => false,
        }
    }
}
