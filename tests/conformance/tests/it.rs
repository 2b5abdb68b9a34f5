//! The suite on the in-memory provider: that it passes, that it can fail, and the switches.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test throughout")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mailzone_conformance::laws::{Law, Tally, holds};
use mailzone_conformance::memory::{Call, Fault, MemoryProvider};
use mailzone_conformance::{Harness, Outcome as Step, Stored, assert_passed, parse_seed, run};
use mailzone_provider::{
    Access, Batch, Capabilities, Outcome, Provider, ProviderError, ProviderErrorKind, ProviderId, RRsetChange, Receipt,
    Retry, Snapshot, TypeSet, Zone, ZoneId,
};
use mailzone_record::{Name, RRset, RRsetKey, RecordType};

/// The provider itself, or one in front of it that damages something.
struct Memory {
    memory: Arc<MemoryProvider>,
    provider: Arc<dyn Provider>,
}

impl Memory {
    fn new(provider: MemoryProvider) -> Self {
        let memory = Arc::new(provider);
        Self { provider: memory.clone(), memory }
    }
}

#[async_trait]
impl Harness for Memory {
    fn provider(&self) -> Arc<dyn Provider> {
        self.provider.clone()
    }

    async fn seed(&self, origin: &Name, text: &str) -> Zone {
        let id = ZoneId::new(origin.to_text_without_dot());
        let zone = Zone { id, name: origin.clone(), access: Access::ReadWrite, nameservers: Vec::new() };
        self.memory.insert_zone(zone.clone(), Snapshot::new(parse_seed(origin, text), None));
        zone
    }

    async fn edit(&self, zone: &Zone, key: &RRsetKey, after: Option<&RRset>) {
        self.memory.edit(&zone.name, key, after.cloned());
    }

    async fn stored(&self, zone: &Zone) -> Vec<Stored> {
        let snapshot = self.memory.peek(&zone.name).expect("seeded");
        let mut stored = Vec::new();
        for set in snapshot.rrsets() {
            for value in &set.values {
                let origin = value.origin.as_ref().expect("the provider gives every value one");
                let text = format!("{:?} {:?}", origin.handle, origin.spelling);
                stored.push(Stored { name: set.name.clone(), rtype: set.rtype, text });
            }
        }
        stored
    }
}

#[tokio::test]
async fn the_memory_provider_passes() {
    let reports = run(&Memory::new(MemoryProvider::new("memory"))).await;
    assert_passed(&reports);
    assert!(reports.iter().all(|report| report.outcome == Step::Passed), "{reports:#?}");
}

#[tokio::test]
async fn the_laws_hold_in_memory() {
    let tally = Law::new(&Memory::new(MemoryProvider::new("memory")), 256).hold().await;
    assert!(tally.written as u64 > tally.rounds && tally.stale > 0 && tally.undone > 0, "{tally:?}");
}

#[tokio::test]
async fn what_a_provider_cannot_store_is_skipped() {
    let provider = MemoryProvider::new("memory");
    let only = TypeSet::Only([RecordType::TXT, RecordType::MX, RecordType::A].into());
    let capabilities = Capabilities { writable: only, ..provider.capabilities().clone() };
    let reports = run(&Memory::new(provider.with_capabilities(capabilities))).await;
    assert_passed(&reports);
    let skipped: Vec<_> = reports.iter().filter(|r| matches!(r.outcome, Step::Skipped(_))).map(|r| r.step).collect();
    assert!(skipped.contains(&"replace_a_cname_by_txt"), "{skipped:?}");
    assert!(!skipped.contains(&"every_type_we_manage"), "{skipped:?}");
}

/// A provider with one of the usual mistakes.
#[derive(Debug)]
struct Broken {
    memory: Arc<MemoryProvider>,
    mistake: Mistake,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mistake {
    WritesStale,
    RewritesForeignValues,
    LosesUnknownTypes,
    SaysAppliedAndDoesNot,
    WritesWhatIsAlready,
}

#[async_trait]
impl Provider for Broken {
    fn id(&self) -> &ProviderId {
        self.memory.id()
    }

    fn capabilities(&self) -> &Capabilities {
        self.memory.capabilities()
    }

    async fn zones(&self) -> Result<Vec<Zone>, ProviderError> {
        self.memory.zones().await
    }

    async fn snapshot(&self, zone: &Zone) -> Result<Snapshot, ProviderError> {
        let snapshot = self.memory.snapshot(zone).await?;
        if self.mistake != Mistake::LosesUnknownTypes {
            return Ok(snapshot);
        }
        let known = snapshot.rrsets().iter().filter(|set| set.rtype.mnemonic().is_some());
        Ok(Snapshot::new(known.cloned().collect(), None))
    }

    async fn apply(&self, zone: &Zone, batch: &Batch) -> Result<Receipt, ProviderError> {
        let mut batch = batch.clone();
        match self.mistake {
            Mistake::RewritesForeignValues => {
                let rewritten = batch.changes.iter().map(|c| RRsetChange::new(c.before().cloned(), rewritten(c)));
                batch.changes = rewritten.map(|change| change.expect("a change as before")).collect();
            }
            Mistake::SaysAppliedAndDoesNot => {
                self.memory.switches(|switches| switches.applies = vec![Fault::NeverApplied]);
            }
            _ => {}
        }
        let mut receipt = self.memory.apply(zone, &batch).await?;
        let writes = |outcome| match self.mistake {
            Mistake::WritesStale => matches!(outcome, Outcome::Stale | Outcome::Skipped),
            Mistake::WritesWhatIsAlready => outcome == Outcome::Already,
            _ => false,
        };
        for (change, result) in batch.changes.iter().zip(&mut receipt.results) {
            if writes(result.outcome) {
                let key = RRsetKey { name: change.name().clone(), rtype: change.rtype() };
                self.memory.edit(&zone.name, &key, rewritten(change));
            }
        }
        Ok(receipt)
    }
}

/// The set that a change asks for, with values that forgot where they came from.
fn rewritten(change: &RRsetChange) -> Option<RRset> {
    let mut after = change.after().cloned();
    after.iter_mut().flat_map(|set| &mut set.values).for_each(|value| value.origin = None);
    after
}

/// A suite that finds nothing is worth nothing.
#[tokio::test]
async fn the_suite_finds_mistakes() {
    for (mistake, step) in [
        (Mistake::WritesStale, "stale_writes_nothing"),
        (Mistake::RewritesForeignValues, "add_a_value_beside_foreign_ones"),
        (Mistake::LosesUnknownTypes, "types_we_do_not_know"),
        (Mistake::SaysAppliedAndDoesNot, "create_one_txt"),
        (Mistake::WritesWhatIsAlready, "somebody_else_was_faster"),
    ] {
        let memory = Arc::new(MemoryProvider::new("memory"));
        let harness = Memory { provider: Arc::new(Broken { memory: memory.clone(), mistake }), memory };
        let reports = run(&harness).await;
        let report = reports.iter().find(|report| report.step == step).unwrap();
        assert!(matches!(report.outcome, Step::Failed(_)), "{mistake:?}: {report:?}");
        assert!(reports.iter().any(|report| report.outcome == Step::Passed), "{mistake:?} fails everything");
    }
}

#[tokio::test]
async fn the_laws_find_mistakes() {
    for mistake in [
        Mistake::WritesStale,
        Mistake::RewritesForeignValues,
        Mistake::LosesUnknownTypes,
        Mistake::SaysAppliedAndDoesNot,
        Mistake::WritesWhatIsAlready,
    ] {
        let memory = Arc::new(MemoryProvider::new("memory"));
        let harness = Memory { provider: Arc::new(Broken { memory: memory.clone(), mistake }), memory };
        let found = tokio::spawn(async move { Law::new(&harness, 64).hold().await }).await;
        let message = found.unwrap_err().into_panic().downcast::<String>().unwrap();
        let records = message.lines().filter(|line| line.starts_with("= ")).count();
        let changes = message.lines().filter(|line| line.starts_with("! ")).count();
        assert!(records + changes <= 5, "{mistake:?} could be told in fewer words: {message}");
    }
}

#[tokio::test]
async fn a_printed_case_can_be_played() {
    let memory = Memory::new(MemoryProvider::new("memory"));
    let case = r#"
        = @ 300 TXT "v=spf1 mx -all"
        = @ 300 TXT "theirs"
        = www 3600 CNAME example.net.
        ! @ - TXT "v=spf1 mx ~all"
        ! @ - TXT "theirs"
        ! WWW - CNAME
        ! WWW 60 TXT "new"
        ? @ 300 TXT "theirs"
        & other 300 A 192.0.2.1
    "#;
    let tally = holds(&memory, case).await;
    assert_eq!(tally, Tally { rounds: 1, written: 3, refused: 0, stale: 1, undone: 1 });
}

fn example() -> (MemoryProvider, Zone, Batch) {
    let name = Name::parse("example.com").unwrap();
    let zone = Zone { id: ZoneId::new("1"), name: name.clone(), access: Access::ReadWrite, nameservers: Vec::new() };
    let provider = MemoryProvider::new("memory");
    provider.insert_zone(zone.clone(), Snapshot::new(parse_seed(&name, "www 60 A 192.0.2.1"), None));
    let after = parse_seed(&name, "a 60 A 192.0.2.2\nb 60 A 192.0.2.2\nc 60 A 192.0.2.2");
    let changes = after.into_iter().filter_map(|set| RRsetChange::new(None, Some(set))).collect();
    (provider, zone, Batch { changes })
}

fn held(provider: &MemoryProvider, zone: &Zone) -> usize {
    provider.peek(&zone.name).unwrap().rrsets().len()
}

#[tokio::test]
async fn faults() {
    let (provider, zone, batch) = example();
    let lost = ProviderErrorKind::Unreachable("no answer".into());
    provider.switches(|switches| {
        switches.applies = vec![Fault::BeforeWrite(lost.clone()), Fault::NeverApplied, Fault::Partial(1)];
    });
    let error = provider.apply(&zone, &batch).await.unwrap_err();
    assert_eq!((error.kind, error.retry, held(&provider, &zone)), (lost.clone(), Retry::Never, 1));

    let outcomes = |receipt: Receipt| receipt.results.iter().map(|result| result.outcome).collect::<Vec<_>>();
    let receipt = provider.apply(&zone, &batch).await.unwrap();
    assert_eq!((outcomes(receipt), held(&provider, &zone)), (vec![Outcome::Applied; 3], 1));

    let receipt = provider.apply(&zone, &batch).await.unwrap();
    assert_eq!(outcomes(receipt), [Outcome::Applied, Outcome::Failed, Outcome::Skipped]);
    assert_eq!(held(&provider, &zone), 2);

    provider.switches(|switches| switches.applies = vec![Fault::AfterWrite(lost.clone())]);
    let error = provider.apply(&zone, &batch).await.unwrap_err();
    assert_eq!((error.retry, held(&provider, &zone)), (Retry::Unknown, 4));
    let receipt = provider.apply(&zone, &batch).await.unwrap();
    assert_eq!(outcomes(receipt), [Outcome::Already; 3]);
    assert!(matches!(provider.calls().last(), Some(Call::Apply(name, _)) if *name == zone.name));
    assert_eq!(provider.calls().len(), 5);
}

#[tokio::test]
async fn failing_reads_and_delays() {
    let (provider, zone, _) = example();
    provider.switches(|switches| {
        switches.zones = Some(ProviderErrorKind::Throttled("slow down".into()));
        switches.snapshot = Some(ProviderErrorKind::Permission("no".into()));
    });
    assert_eq!(provider.zones().await.unwrap_err().kind.as_str(), "throttled");
    assert_eq!(provider.snapshot(&zone).await.unwrap_err().kind.as_str(), "permission");
    provider.switches(|switches| {
        *switches = mailzone_conformance::memory::Switches { delay: Duration::from_millis(20), ..Default::default() };
    });
    let begun = tokio::time::Instant::now();
    assert_eq!(provider.zones().await.unwrap().len(), 1);
    assert!(begun.elapsed() >= Duration::from_millis(20));
}
