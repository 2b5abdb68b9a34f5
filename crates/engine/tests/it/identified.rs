//! Zones that the configuration names by identifier, for credentials that may not list zones.

use mailzone_conformance::memory::Call;
use mailzone_engine::compile::PlacedClaim;
use mailzone_engine::plan::PlanRun;
use mailzone_provider::ProviderErrorKind;

use crate::support::{World, spf_and_dmarc};

const ZONE: &str = "example.com";
const OTHER: &str = "example.org";

async fn world() -> World {
    World::new().await.zone("p", ZONE, "").zone("p", OTHER, "")
}

/// Claims of the domain, its zone named by an identifier; those of the test provider are names.
fn with_id(domain: &str, id: &str) -> Vec<PlacedClaim> {
    let mut claims = spf_and_dmarc("p", domain);
    claims.iter_mut().for_each(|placed| placed.zone_id = Some(id.into()));
    claims
}

fn listings(world: &World) -> usize {
    world.providers["p"].memory.calls().iter().filter(|call| matches!(call, Call::Zones)).count()
}

fn asked(world: &World) -> Vec<String> {
    let mut asked = world.providers["p"].quirks(|quirks| quirks.by_id.clone());
    asked.sort();
    asked
}

fn planned(run: &PlanRun) -> Vec<String> {
    run.zones.iter().map(|zone| zone.plan.zone.name.to_text_without_dot()).collect()
}

#[tokio::test]
async fn no_list_is_needed_where_every_zone_is_named() {
    let world = world().await;
    let run = world.plan(&[with_id(ZONE, ZONE), with_id(OTHER, OTHER)].concat()).await;
    assert_eq!((planned(&run), run.homeless.len()), (vec![ZONE.to_owned(), OTHER.to_owned()], 0));
    assert_eq!((listings(&world), asked(&world)), (0, vec![ZONE.to_owned(), OTHER.to_owned()]));
}

#[tokio::test]
async fn a_list_answers_for_those_in_it() {
    let world = world().await;
    let run = world.plan(&[with_id(ZONE, ZONE), spf_and_dmarc("p", OTHER)].concat()).await;
    assert_eq!((planned(&run).len(), listings(&world), asked(&world).len()), (2, 1, 0));
}

#[tokio::test]
async fn where_the_list_is_refused_named_zones_are_asked_for() {
    let world = world().await;
    world.providers["p"].quirks(|quirks| quirks.unlisted = true);
    let run = world.plan(&[with_id(ZONE, ZONE), spf_and_dmarc("p", OTHER)].concat()).await;
    assert_eq!((planned(&run), asked(&world)), (vec![ZONE.to_owned()], vec![ZONE.to_owned()]));
    let error = run.homeless[0].error.as_ref().unwrap();
    assert_eq!((run.homeless[0].domains.as_slice(), error.kind.as_str()), (&[OTHER.to_owned()][..], "permission"));
    assert_eq!(error.remedy, "let the token list zones; or name each zone with zone_id, which needs no list");
}

#[tokio::test]
async fn a_service_that_is_down_is_not_asked_for_each() {
    let world = world().await;
    let down = ProviderErrorKind::Unreachable("no answer".into());
    world.providers["p"].memory.switches(|switches| switches.zones = Some(down));
    let run = world.plan(&[with_id(ZONE, ZONE), spf_and_dmarc("p", OTHER)].concat()).await;
    assert_eq!((run.homeless.len(), asked(&world).len()), (2, 0));
    assert!(run.homeless.iter().all(|zone| zone.error.as_ref().unwrap().kind == "unreachable"));
}

#[tokio::test]
async fn a_wrong_identifier_is_an_error_of_its_domain() {
    let world = world().await;
    let run = world.plan(&[with_id(ZONE, "nobody's"), with_id(OTHER, ZONE)].concat()).await;
    let errors: Vec<_> = run.homeless.iter().map(|zone| zone.error.as_ref().unwrap().message.as_str()).collect();
    assert_eq!(
        errors,
        [
            "looking for a zone: there is no zone nobody's",
            "the zone example.com of p is example.com, which is not the zone of example.org"
        ]
    );
    assert_eq!(listings(&world), 0);
}
