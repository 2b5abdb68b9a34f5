//! At the most verbose level nothing that is secret is written, by us or by the SDK.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};

use mailzone_emulated::Fault;
use mailzone_provider::Provider;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::{SECRET, TOKEN, stage, start};

/// Writes down every event and span of every level.
#[derive(Clone, Default)]
struct Everything(Arc<Mutex<Vec<(String, String)>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Everything {
    fn note(&self, metadata: &Metadata<'_>, record: impl FnOnce(&mut Line)) {
        let mut line = Line(String::new());
        record(&mut line);
        self.0.lock().unwrap().push((metadata.target().to_owned(), line.0));
    }
}

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.note(span.metadata(), |line| span.record(line));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut line = Line(String::new());
        values.record(&mut line);
        self.0.lock().unwrap().push(("span".into(), line.0));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.note(event.metadata(), |line| event.record(line));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

async fn run() {
    let (emulator, provider, zone) = start().await;
    provider.zones().await.unwrap();
    let batch = stage(&provider.snapshot(&zone).await.unwrap());
    emulator.fault_at(0, Fault::Lost);
    let receipt = provider.apply(&zone, &batch).await.unwrap();
    provider.settle(&zone, &receipt).await.unwrap();
    emulator.with(|service| service.denied = ["ListHostedZones"].into());
    provider.zones().await.unwrap_err();
}

#[tokio::test]
async fn no_log_line_has_one() {
    let everything = Everything::default();
    let guard = tracing::subscriber::set_default(everything.clone());
    // A place that writes decides once whether anybody listens, perhaps in another test's thread where nobody does.
    // After one run all places are known, and are asked anew from here.
    run().await;
    tracing::callsite::rebuild_interest_cache();
    run().await;
    drop(guard);
    let lines = everything.0.lock().unwrap().clone();
    for target in ["mailzone", "aws_"] {
        assert!(lines.iter().any(|(known, _)| known.starts_with(target)), "nothing was written by {target}");
    }
    let leaks: Vec<_> = lines.iter().filter(|(_, line)| line.contains(SECRET) || line.contains(TOKEN)).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
