//! What a service does to foreign records by itself: guarded before, told after.

use std::collections::HashMap;

use mailzone_conformance::parse_seed;
use mailzone_engine::apply::apply;
use mailzone_engine::journal::Entry;
use mailzone_engine::{Code, close};
use mailzone_provider::{ExpectedSideEffect, SideEffect};
use mailzone_record::{RRset, RecordType};

use crate::support::{World, name, spf_and_dmarc, told};

const ZONE: &str = "example.com";

pub(crate) fn mx() -> RRset {
    parse_seed(&name(ZONE), "@ 300 MX 10 mx00.service.example.").remove(0)
}

pub(crate) fn deactivated() -> SideEffect {
    SideEffect {
        before: Some(mx()),
        after: None,
        message: "the service deactivated the MX of its mail service".into(),
        remedy: "PUT /records/r1 {\"disabled\": false}".into(),
    }
}

async fn world() -> World {
    World::new().await.zone("p", ZONE, "@ 300 TXT \"token\"\n@ 300 MX 10 mx00.service.example.")
}

#[tokio::test]
async fn an_expected_side_effect_is_a_guard() {
    let world = world().await;
    let message = "the service deactivates the MX of its mail service".to_owned();
    let expected = ExpectedSideEffect { key: mx().key(), message };
    world.providers["p"].quirks(|quirks| quirks.expected.push(expected));
    let claims = spf_and_dmarc("p", ZONE);
    let run = world.plan(&claims).await;
    let guards: Vec<_> = run.zones[0].plan.guards().cloned().collect();
    let [guard] = guards.as_slice() else { unreachable!("{guards:?}") };
    assert_eq!((guard.code.as_str(), guard.subject.as_str()), ("GUARD-SIDE", "example.com. MX"));
    assert_eq!(
        guard.message,
        "p is expected to change example.com. MX, which is foreign, by itself: the service deactivates the MX of its \
         mail service"
    );
    assert_eq!(guard.remedy, "if this is meant: --allow GUARD-SIDE:example.com");
    let applied = apply(run.zones, &HashMap::new(), &world.context()).await;
    assert_eq!(told(&applied[0]), "example.com. TXT: skipped\n_dmarc.example.com. TXT: skipped\n4");
    assert!(world.writes("p").is_empty());

    let run = world.plan_allowing(&claims, &["GUARD-SIDE:example.com"]).await;
    assert_eq!((run.zones[0].plan.guards().count(), run.zones[0].plan.allowed.len()), (0, 1));
    let applied = apply(run.zones, &HashMap::new(), &world.context()).await;
    assert!(applied[0].codes.is_empty(), "{}", told(&applied[0]));
    // With nothing to write nothing is expected.
    assert!(world.plan(&claims).await.zones[0].plan.findings.iter().all(|finding| finding.code != "GUARD-SIDE"));
}

#[tokio::test]
async fn a_side_effect_is_an_error_after_which_no_more_is_written() {
    let world = world().await.zone("q", "example.org", "");
    world.providers["p"].quirks(|quirks| quirks.effects.push(deactivated()));
    let claims = [spf_and_dmarc("p", ZONE), spf_and_dmarc("q", "example.org")].concat();
    let applied = world.run(&claims).await;
    assert_eq!(told(&applied[0]), "example.com. TXT: applied\n_dmarc.example.com. TXT: skipped\n1");
    assert_eq!(applied[0].side_effects, [deactivated()]);
    assert_eq!(
        applied[0].problem.as_deref(),
        Some("p changed foreign records by itself: example.com. MX; no more was written")
    );
    assert_eq!(world.writes("p").len(), 1);
    assert!(applied[1].codes.is_empty() && applied[1].side_effects.is_empty());
    let outcomes: Vec<_> = world
        .journal()
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::Outcome(outcome) if !outcome.side_effects.is_empty() => Some(outcome),
            _ => None,
        })
        .collect();
    let [outcome] = outcomes.as_slice() else { unreachable!("{outcomes:?}") };
    let effect = &outcome.side_effects[0];
    assert_eq!((effect.name.as_str(), effect.rtype.as_str()), ("example.com.", "MX"));
    assert_eq!(effect.before.as_ref().unwrap().values, ["10 mx00.service.example."]);
    assert!(effect.after.is_none() && effect.remedy.contains("disabled"));
    assert!(world.held("p", ZONE, ZONE, RecordType::MX).is_empty());
    assert_eq!(Code::worst(applied[0].codes.iter().copied()), Code::Error);
}

#[tokio::test]
async fn what_is_open_is_closed_once() {
    let world = world().await.zone("q", "example.org", "");
    world.plan(&spf_and_dmarc("p", ZONE)).await;
    close(&world.all()).await;
    assert_eq!(world.providers.values().map(|provider| provider.quirks(|quirks| quirks.closed)).sum::<usize>(), 2);
}
