//! A saved plan narrows the run of today.

use mailzone_engine::Code;
use mailzone_engine::plan::PlanRun;
use mailzone_engine::saved::narrow;
use mailzone_plan::Document;
use mailzone_provider::ExpectedSideEffect;
use mailzone_record::{RRsetKey, RecordType};

use crate::support::{World, name, spf_and_dmarc};

const ZONE: &str = "example.com";

fn document(run: &PlanRun) -> Document {
    run.document("0.0.0", "2026-01-02T03:04:05Z".into())
}

#[tokio::test]
async fn the_same_goes_on_and_another_does_not() {
    let world = World::new().await.zone("p", ZONE, "@ 300 TXT \"token\"");
    let claims = spf_and_dmarc("p", ZONE);
    let saved = document(&world.plan(&claims).await);
    let mut today = world.plan(&claims).await;
    let (stops, stale) = narrow(&mut today, &saved);
    assert!(stops.is_empty() && stale.is_empty() && today.zones.len() == 1);
    // Elsewhere in the zone.
    world.edit("p", ZONE, "www 300 A 192.0.2.1");
    let (stops, _) = narrow(&mut world.plan(&claims).await, &saved);
    assert!(stops.is_empty());
    // In the set itself, foreign as the value is.
    world.edit("p", ZONE, "@ 300 TXT \"other token\"");
    let (stops, stale) = narrow(&mut world.plan(&claims).await, &saved);
    assert_eq!((stops[&0].code, stale.len()), (Code::Stale, 1));
}

#[tokio::test]
async fn a_zone_that_the_plan_does_not_hold_is_left_alone() {
    let world = World::new().await.zone("p", ZONE, "").zone("p", "example.org", "");
    let saved = document(&world.plan(&spf_and_dmarc("p", ZONE)).await);
    let claims = [spf_and_dmarc("p", ZONE), spf_and_dmarc("p", "example.org")].concat();
    let mut today = world.plan(&claims).await;
    assert_eq!(today.zones.len(), 2);
    narrow(&mut today, &saved);
    assert_eq!(today.zones.len(), 1);
}

#[tokio::test]
async fn a_zone_of_the_plan_that_nothing_asks_for_any_more_is_an_error() {
    let world = World::new().await.zone("p", ZONE, "").zone("p", "example.org", "");
    let claims = [spf_and_dmarc("p", ZONE), spf_and_dmarc("p", "example.org")].concat();
    let saved = document(&world.plan(&claims).await);
    let mut today = world.plan(&spf_and_dmarc("p", ZONE)).await;
    narrow(&mut today, &saved);
    let gone: Vec<_> = today.homeless.iter().map(|doc| (doc.label(), doc.error.is_some(), doc.changes.len())).collect();
    assert_eq!(gone, [("example.org", true, 0)]);
}

#[tokio::test]
async fn what_is_done_already_is_not_stale() {
    let world = World::new().await.zone("p", ZONE, "");
    let claims = spf_and_dmarc("p", ZONE);
    let saved = document(&world.plan(&claims).await);
    world.edit("p", ZONE, "@ 3600 TXT \"v=spf1 mx -all\"");
    let mut today = world.plan_beside(&claims, Some(&saved)).await;
    let (stops, _) = narrow(&mut today, &saved);
    assert!(stops.is_empty());
    assert_eq!(today.zones[0].plan.changes.len(), 1);
    assert_eq!(world.held("p", ZONE, ZONE, RecordType::TXT), ["\"v=spf1 mx -all\""]);
}

#[tokio::test]
async fn what_is_neither_done_nor_to_be_done_is_stale() {
    let world = World::new().await.zone("p", ZONE, "");
    let claims = spf_and_dmarc("p", ZONE);
    let saved = document(&world.plan(&claims).await);
    // Means the same as what is wanted, so there is nothing to do; and it is not what the plan leads to.
    world.edit("p", ZONE, "@ 3600 TXT \"V=spf1  MX -all\"");
    let mut today = world.plan_beside(&claims, Some(&saved)).await;
    let (stops, stale) = narrow(&mut today, &saved);
    assert_eq!((stops[&0].code, stale.len()), (Code::Stale, 1));
}

#[tokio::test]
async fn side_effects_of_what_is_left_out_stop_nothing() {
    let world = World::new().await.zone("p", ZONE, "_dmarc 300 TXT \"v=DMARC1; p=quarantine\"");
    let claims = spf_and_dmarc("p", ZONE);
    let saved = document(&world.plan(&claims).await);
    assert_eq!(saved.zones[0].changes.len(), 1);
    // Somebody takes the policy away: today's plan would write it, and the service would do more than that.
    let policy = RRsetKey { name: name("_dmarc.example.com"), rtype: RecordType::TXT };
    world.providers["p"].memory.edit(&name(ZONE), &policy, None);
    let key = RRsetKey { name: name(ZONE), rtype: RecordType::MX };
    world.providers["p"].quirks(|quirks| {
        quirks.expected.push(ExpectedSideEffect { key, message: "it goes".into() });
        quirks.trigger = Some(policy.name.clone());
    });
    let guards = |run: &PlanRun| run.zones[0].plan.guards().filter(|finding| finding.code == "GUARD-SIDE").count();
    let mut today = world.plan_beside(&claims, Some(&saved)).await;
    assert_eq!((guards(&today), today.zones[0].plan.changes.len()), (1, 2));
    narrow(&mut today, &saved);
    assert_eq!((guards(&today), today.zones[0].plan.changes.len()), (0, 1));
    // Those of what stays do.
    world.providers["p"].quirks(|quirks| quirks.trigger = Some(name(ZONE)));
    let mut today = world.plan_beside(&claims, Some(&saved)).await;
    narrow(&mut today, &saved);
    assert_eq!((guards(&today), today.zones[0].plan.changes.len()), (1, 1));
}
