//! What a run tells while it goes on; the cli turns it into progress.

use std::sync::Arc;
use std::time::Duration;

use mailzone_record::Name;

/// Something that happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// Providers are asked for their zones.
    ListingZones {
        /// How many providers.
        providers: usize,
    },
    /// A zone was read and planned.
    ZonePlanned {
        /// The zone.
        zone: Name,
        /// How many there are altogether.
        total: usize,
    },
    /// What the plan rests on outside the zones is looked up.
    Looking,
    /// Changes go out.
    Writing {
        /// The zone.
        zone: Name,
        /// How many.
        changes: usize,
    },
    /// Servers are asked until they give what was written.
    Waiting {
        /// The zone.
        zone: Name,
        /// Pairs of server and RRset that are still waited for.
        pending: usize,
        /// Time since the wait began.
        elapsed: Duration,
    },
    /// Changes are not sent because what they rely on is not visible.
    Held {
        /// The zone.
        zone: Name,
        /// How many.
        changes: usize,
    },
}

/// Where events go. Cheap to clone.
#[derive(Clone)]
pub struct Events {
    sink: Arc<dyn Fn(Event) + Send + Sync>,
}

impl Events {
    /// Sends events to `sink`, which must not block.
    pub fn new(sink: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self { sink: Arc::new(sink) }
    }

    /// Drops all events.
    pub fn none() -> Self {
        Self::new(|_| {})
    }

    pub(crate) fn send(&self, event: Event) {
        (self.sink)(event);
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}
