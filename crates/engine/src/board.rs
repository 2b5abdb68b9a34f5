//! Which RRsets a run has written, where and when: how one zone's task waits for another's.

use std::collections::HashMap;
use std::sync::Arc;

use mailzone_record::RRsetKey;
use tokio::sync::watch;

/// Every change's end, once it is known.
#[derive(Debug)]
pub(crate) struct Board {
    ends: watch::Sender<HashMap<RRsetKey, Option<Written>>>,
}

/// A change that was written.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    /// The provider's name in the configuration.
    pub(crate) provider: Arc<str>,
    /// When it confirmed, RFC 3339; `None` if there was nothing to write.
    pub(crate) at: Option<Arc<str>>,
}

impl Default for Board {
    fn default() -> Self {
        Self { ends: watch::Sender::new(HashMap::new()) }
    }
}

impl Board {
    /// Notes the end of a change, `None` if it was not written. The first word counts.
    pub(crate) fn publish(&self, key: RRsetKey, written: Option<Written>) {
        self.ends.send_modify(|ends| {
            ends.entry(key).or_insert(written);
        });
    }

    /// How and when a change was written, if it was by now.
    pub(crate) fn written(&self, key: &RRsetKey) -> Option<Written> {
        self.ends.borrow().get(key).cloned().flatten()
    }

    /// Waits for the end of a change: whether it was written.
    pub(crate) async fn wait_for(&self, key: &RRsetKey) -> bool {
        let mut ends = self.ends.subscribe();
        match ends.wait_for(|ends| ends.contains_key(key)).await {
            Ok(ends) => ends.get(key).is_some_and(Option::is_some),
            Err(_) => false,
        }
    }
}
