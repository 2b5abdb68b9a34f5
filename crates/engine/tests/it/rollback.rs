//! Taking a run back: owned values from before, everything else as it is today.

use std::collections::HashMap;

use mailzone_conformance::memory::Fault;
use mailzone_engine::apply::{AppliedZone, apply};
use mailzone_engine::compile::PlacedClaim;
use mailzone_engine::journal::Entry;
use mailzone_engine::plan::PlanRun;
use mailzone_engine::rollback::{UndoError, plan, undo};
use mailzone_mailauth::KindId;
use mailzone_plan::{Allow, Own};
use mailzone_provider::ProviderErrorKind;
use mailzone_record::RecordType;

use crate::effects::{deactivated, mx};
use crate::support::{World, claim, compiled, name, spf_and_dmarc, told};

const ZONE: &str = "example.com";
const DMARC: &str = "_dmarc.example.com";
const ALL: &[&str] = &["GUARD-SPF", "GUARD-DMARC-DOWN", "GUARD-SPF-NET", "GUARD-MX", "GUARD-DMARC-JUMP"];

async fn planned(world: &World, run: Option<&str>, config: &[PlacedClaim], allow: &[&str]) -> PlanRun {
    let allow: Vec<Allow> = allow.iter().map(|text| Allow::from_argument(text)).collect();
    let undo = undo(&world.journal(), run).unwrap();
    plan(undo, &compiled(config), &world.all(), &allow, &world.events).await
}

async fn back(world: &mut World, run: Option<&str>, config: &[PlacedClaim], allow: &[&str]) -> Vec<AppliedZone> {
    let run = planned(world, run, config, allow).await;
    assert!(run.homeless.is_empty(), "{:?}", run.homeless);
    world.run_id = "back".into();
    apply(run.zones, &HashMap::new(), &world.context()).await
}

fn spf(text: &str) -> PlacedClaim {
    claim("p", ZONE, KindId::Spf, ZONE, Own::Candidates, &[(RecordType::TXT, &format!("\"{text}\""))])
}

async fn world(lines: &str) -> World {
    World::new().await.zone("p", ZONE, &format!("@ 300 TXT \"token\"\n{lines}"))
}

fn texts(world: &World, owner: &str) -> Vec<String> {
    let mut held = world.held("p", ZONE, owner, RecordType::TXT);
    held.sort();
    held
}

#[tokio::test]
async fn what_was_created_goes_in_reverse_order_and_foreign_values_stay() {
    let mut world = world("").await;
    let claims = spf_and_dmarc("p", ZONE);
    assert!(world.run(&claims).await[0].codes.is_empty());
    world.edit("p", ZONE, "@ 300 TXT \"token\"\n@ 300 TXT \"v=spf1 mx -all\"\n@ 300 TXT \"new token\"");
    world.providers["p"].publish(&name(ZONE));
    let stopped = planned(&world, None, &claims, &[]).await;
    let guards: Vec<&str> = stopped.zones[0].plan.guards().map(|finding| finding.code.as_str()).collect();
    assert!(guards.contains(&"GUARD-SPF") && guards.contains(&"GUARD-DMARC-DOWN"), "{guards:?}");
    let applied = back(&mut world, Some("run"), &claims, ALL).await;
    assert_eq!(told(&applied[0]), "_dmarc.example.com. TXT: applied\nexample.com. TXT: applied\n");
    // The policy was the last to come, so it is the first to go.
    assert_eq!(world.writes("p")[2..], ["_dmarc.example.com. TXT", "example.com. TXT"]);
    assert_eq!(texts(&world, ZONE), ["\"new token\"", "\"token\""]);
    assert!(texts(&world, DMARC).is_empty());
    assert_eq!(applied[0].zone.plan.changes[0].reason, "was not there before run");
}

#[tokio::test]
async fn what_was_changed_is_as_before_and_a_rollback_can_be_taken_back() {
    let mut world = world("@ 300 TXT \"v=spf1 mx ?all\"").await;
    let claims = [spf("v=spf1 mx -all")];
    world.run(&claims).await;
    // The configuration no longer knows the domain: the journal is enough.
    back(&mut world, None, &[], ALL).await;
    assert_eq!(texts(&world, ZONE), ["\"token\"", "\"v=spf1 mx ?all\""]);
    back(&mut world, None, &[], ALL).await;
    assert_eq!(texts(&world, ZONE), ["\"token\"", "\"v=spf1 mx -all\""]);
}

#[tokio::test]
async fn what_is_as_before_already_is_no_change() {
    let world = world("@ 300 TXT \"v=spf1 mx ?all\"").await;
    world.run(&[spf("v=spf1 mx -all")]).await;
    world.edit("p", ZONE, "@ 300 TXT \"v=spf1  mx  ?all\"\n@ 300 TXT \"token\"");
    assert!(planned(&world, None, &[], &[]).await.zones[0].plan.changes.is_empty());
}

#[tokio::test]
async fn what_changed_again_is_guarded() {
    let mut world = world("@ 300 TXT \"v=spf1 mx ?all\"").await;
    world.run(&[spf("v=spf1 mx -all")]).await;
    world.edit("p", ZONE, "@ 300 TXT \"v=spf1 mx ~all\"\n@ 300 TXT \"token\"");
    world.providers["p"].publish(&name(ZONE));
    let run = planned(&world, None, &[], &[]).await;
    let guards: Vec<_> = run.zones[0].plan.guards().collect();
    let [guard] = guards.as_slice() else { unreachable!("{guards:?}") };
    assert_eq!((guard.code.as_str(), run.zones[0].plan.changes.len()), ("GUARD-ROLLBACK", 1));
    assert_eq!(
        guard.message,
        "example.com. TXT is another one since run: it left \"v=spf1 mx -all\", today it is \"v=spf1 mx ~all\", and \
         that would be lost"
    );
    assert_eq!(guard.remedy, "if this is meant: --allow GUARD-ROLLBACK:example.com");
    let applied = back(&mut world, None, &[], &["GUARD-ROLLBACK"]).await;
    assert!(applied[0].codes.is_empty(), "{:?}", applied[0].problem);
    assert_eq!(texts(&world, ZONE), ["\"token\"", "\"v=spf1 mx ?all\""]);
}

#[tokio::test]
async fn a_time_to_live_comes_back() {
    let mut world = world("@ 300 MX 10 a.example.").await;
    let mut wanted = claim("p", ZONE, KindId::Mx, ZONE, Own::RRset, &[(RecordType::MX, "10 a.example.")]);
    wanted.claim.ttl = mailzone_record::Ttl::from_secs(60);
    world.run(&[wanted]).await;
    let ttl = |world: &World| {
        let snapshot = world.providers["p"].memory.peek(&name(ZONE)).unwrap();
        snapshot.get(&name(ZONE), RecordType::MX).unwrap().ttl.unwrap().as_secs()
    };
    assert_eq!(ttl(&world), 60);
    back(&mut world, None, &[], &[]).await;
    assert_eq!(ttl(&world), 300);
}

#[tokio::test]
async fn a_cname_that_was_replaced_comes_back() {
    let mut world = world("_dmarc 300 CNAME policy.example.").await;
    let claims = spf_and_dmarc("p", ZONE);
    let run = world.plan_allowing(&claims, &["GUARD-CNAME", "GUARD-DMARC-JUMP"]).await;
    apply(run.zones, &HashMap::new(), &world.context()).await;
    assert_eq!(texts(&world, DMARC), ["\"v=DMARC1; p=quarantine\""]);
    let applied = back(&mut world, None, &[], ALL).await;
    assert!(applied[0].codes.is_empty(), "{} {:?}", told(&applied[0]), applied[0].problem);
    assert!(texts(&world, DMARC).is_empty());
    assert_eq!(world.held("p", ZONE, DMARC, RecordType::CNAME), ["policy.example."]);
}

#[tokio::test]
async fn what_is_not_known_to_be_applied_is_left_and_said() {
    let world = world("").await;
    let lost = ProviderErrorKind::Unreachable("the answer was lost".into());
    world.providers["p"].memory.switches(|switches| switches.applies = vec![Fault::None, Fault::AfterWrite(lost)]);
    let applied = world.run(&spf_and_dmarc("p", ZONE)).await;
    assert_eq!(told(&applied[0]), "example.com. TXT: applied\n_dmarc.example.com. TXT: unknown\n1");
    let run = planned(&world, None, &[], ALL).await;
    let changes: Vec<String> = run.zones[0].plan.changes.iter().map(|change| change.key().to_string()).collect();
    assert_eq!(changes, ["example.com. TXT"]);
    let said = run.zones[0].plan.findings.iter().find(|finding| finding.code == "ROLLBACK-UNKNOWN").unwrap();
    assert_eq!(said.subject, "_dmarc.example.com. TXT");
}

#[tokio::test]
async fn side_effects_are_put_back_and_said_to_be_foreign() {
    let mut world = world("@ 300 MX 10 mx00.service.example.").await;
    world.providers["p"].quirks(|quirks| quirks.effects.push(deactivated()));
    world.run(&[spf("v=spf1 mx -all")]).await;
    assert!(world.held("p", ZONE, ZONE, RecordType::MX).is_empty());
    let run = planned(&world, None, &[], ALL).await;
    let change = run.zones[0].plan.changes.iter().find(|change| change.key() == mx().key()).unwrap();
    assert!(change.slots.is_empty());
    assert_eq!(change.reason, "foreign: the provider changed it by itself in run");
    assert!(run.zones[0].plan.findings.iter().any(|finding| finding.code == "ROLLBACK-FOREIGN"));
    let applied = back(&mut world, None, &[], ALL).await;
    assert!(applied[0].codes.is_empty(), "{:?}", applied[0].problem);
    assert_eq!(world.held("p", ZONE, ZONE, RecordType::MX), ["10 mx00.service.example."]);
    assert_eq!(texts(&world, ZONE), ["\"token\""]);
}

#[tokio::test]
async fn a_foreign_set_that_somebody_set_since_is_guarded() {
    let world = world("@ 300 MX 10 mx00.service.example.").await;
    world.providers["p"].quirks(|quirks| quirks.effects.push(deactivated()));
    world.run(&[spf("v=spf1 mx -all")]).await;
    world.edit("p", ZONE, "@ 300 MX 10 elsewhere.example.");
    let run = planned(&world, None, &[], ALL).await;
    let guards: Vec<&str> = run.zones[0].plan.guards().map(|finding| finding.code.as_str()).collect();
    assert_eq!(guards, ["GUARD-ROLLBACK"]);
}

#[tokio::test]
async fn entries_of_the_first_version_are_taken_back_too() {
    let world = world("").await;
    world.run(&spf_and_dmarc("p", ZONE)).await;
    let mut entries = world.journal();
    for entry in &mut entries {
        if let Entry::Intent(intent) = entry {
            intent.changes.iter_mut().for_each(|change| {
                change.claims.clear();
                change.slots = vec![if change.name.starts_with('_') { "dmarc".into() } else { "spf".into() }];
            });
        }
    }
    world.edit("p", ZONE, "@ 300 TXT \"token\"\n@ 300 TXT \"v=spf1 mx -all\"\n@ 300 TXT \"other\"");
    let undo = undo(&entries, None).unwrap();
    let run = plan(undo, &compiled(&[]), &world.all(), &[], &world.events).await;
    let txt = run.zones[0].plan.changes.iter().find(|change| change.key().name == name(ZONE)).unwrap();
    assert_eq!(txt.kept.len(), 2);
    assert_eq!(run.zones[0].plan.changes.len(), 2);
}

#[tokio::test]
async fn a_zone_or_a_provider_that_is_gone_is_an_error_of_its_own() {
    let world = world("").await.zone("q", "example.org", "");
    world.run(&[spf_and_dmarc("p", ZONE), spf_and_dmarc("q", "example.org")].concat()).await;
    let mut providers = world.all();
    providers.remove("q");
    let undo = undo(&world.journal(), None).unwrap();
    let run = plan(undo, &compiled(&[]), &providers, &[], &world.events).await;
    assert_eq!((run.zones.len(), run.homeless.len()), (1, 1));
    let lost = &run.homeless[0];
    assert_eq!((lost.domains.as_slice(), lost.provider.as_str()), (&["example.org".to_owned()][..], "q"));
    assert!(lost.error.as_ref().unwrap().message.contains("no longer configured"));
}

#[tokio::test]
async fn there_has_to_be_something_to_take_back() {
    let world = world("").await;
    assert_eq!(undo(&world.journal(), None).unwrap_err(), UndoError::Nothing);
    assert_eq!(undo(&world.journal(), Some("x")).unwrap_err(), UndoError::Unknown("x".into()));
    let refused = Fault::BeforeWrite(ProviderErrorKind::Refused("no".into()));
    world.providers["p"].memory.switches(|switches| switches.applies.push(refused));
    world.run(&spf_and_dmarc("p", ZONE)).await;
    assert_eq!(undo(&world.journal(), Some("run")).unwrap_err(), UndoError::Unapplied("run".into()));
    assert_eq!(undo(&world.journal(), None).unwrap_err(), UndoError::Nothing);
}

#[tokio::test]
async fn addresses_that_go_together_do_not_wait_for_each_other() {
    let world = world("").await;
    let host = "mail.example.com";
    let key = |rtype| mailzone_record::RRsetKey { name: name(host), rtype };
    let mut four = claim("p", ZONE, KindId::Hosts, host, Own::RRset, &[(RecordType::A, "192.0.2.25")]);
    four.claim.relies_on = vec![key(RecordType::AAAA)];
    let mut six = claim("p", ZONE, KindId::Hosts, host, Own::RRset, &[(RecordType::AAAA, "2001:db8::25")]);
    six.claim.relies_on = vec![key(RecordType::A)];
    let mut spf = spf("v=spf1 a:mail.example.com -all");
    spf.claim.relies_on = vec![key(RecordType::A), key(RecordType::AAAA)];
    assert!(world.run(&[four, six, spf]).await[0].codes.is_empty());
    let run = planned(&world, None, &[], ALL).await;
    let shown: Vec<String> = run.zones[0].plan.changes.iter().map(|c| format!("{} {}", c.stage, c.key())).collect();
    // They go once nobody names them any more.
    assert_eq!(shown, ["1 example.com. TXT", "2 mail.example.com. A", "2 mail.example.com. AAAA"]);
}
