//! What a run sends, in which order, and what it does when something goes wrong.

use std::sync::Mutex;
use std::time::Duration;

use mailzone_conformance::memory::Fault;
use mailzone_engine::apply::{ChangeOutcome, apply};
use mailzone_engine::journal::{Entry, runs};
use mailzone_engine::verify::{Verdict, Wait};
use mailzone_engine::{Cancel, Code, Event, Events};
use mailzone_mailauth::KindId;
use mailzone_plan::Own;
use mailzone_provider::{Provider as _, ProviderErrorKind};
use mailzone_record::{RRsetKey, RecordType};
use mailzone_server::Switches;

use crate::support::{World, claim, name, spf_and_dmarc, told};

const ZONE: &str = "example.com";
const SHORT: Duration = Duration::from_millis(50);
const STALE: Switches = Switches { stale: true, ..NO_SWITCHES };
const NO_SWITCHES: Switches = Switches {
    delay: Duration::ZERO,
    jitter: Duration::ZERO,
    loss: mailzone_server::Loss::None,
    stale: false,
    servfail: false,
    refused: false,
    truncate_udp: false,
    drop_udp: false,
    drop_tcp: false,
};

async fn world() -> World {
    World::new().await.zone("p", ZONE, "@ 300 TXT \"token\"")
}

fn fault(world: &World, provider: &str, fault: Fault) {
    world.providers[provider].memory.switches(|switches| switches.applies.push(fault));
}

fn lost() -> ProviderErrorKind {
    ProviderErrorKind::Unreachable("the answer was lost".into())
}

#[tokio::test]
async fn stages_go_out_one_after_the_other_and_the_journal_says_so() {
    let world = world().await;
    let applied = world.run(&spf_and_dmarc("p", ZONE)).await;
    expect(&applied[0], "example.com. TXT: applied\n_dmarc.example.com. TXT: applied\n");
    assert_eq!(world.writes("p"), ["example.com. TXT", "_dmarc.example.com. TXT"]);
    assert_eq!(applied[0].verification.as_ref().unwrap().verdict(), Verdict::Verified);
    assert_eq!(world.held("p", ZONE, ZONE, RecordType::TXT), ["\"token\"", "\"v=spf1 mx -all\""]);
    let journal = world.journal();
    let [Entry::Intent(first), Entry::Outcome(done), Entry::Intent(second), Entry::Outcome(_)] = journal.as_slice()
    else {
        unreachable!("{journal:?}")
    };
    assert_eq!((first.zone.as_str(), first.provider.as_str(), &first.id), (ZONE, "p", &done.id));
    assert_ne!(first.id, second.id);
    assert_eq!(done.outcomes, ["applied"]);
    let change = &first.changes[0];
    assert_eq!(change.before.as_ref().unwrap().values, ["\"token\""]);
    assert_eq!(change.after.as_ref().unwrap().values, ["\"token\"", "\"v=spf1 mx -all\""]);
    assert_eq!(change.kept, ["\"token\""]);
    assert!(runs(&journal)[0].complete);
    // And nothing is left to do.
    assert!(world.plan(&spf_and_dmarc("p", ZONE)).await.zones[0].plan.changes.is_empty());
}

fn expect(zone: &mailzone_engine::apply::AppliedZone, expected: &str) {
    assert_eq!(told(zone), expected);
}

#[tokio::test]
async fn a_server_that_never_serves_gets_no_tightening_in_any_run() {
    let mut world = world().await;
    world.switch(STALE);
    world.deadline = SHORT;
    let claims = spf_and_dmarc("p", ZONE);
    let applied = world.run(&claims).await;
    expect(&applied[0], "example.com. TXT: applied\n_dmarc.example.com. TXT: held\n3");
    // Who confirmed it and when, and who still says something else.
    let server = world.context().servers[&name(ZONE)][0];
    let late = format!(
        "p confirmed example.com. TXT at 2026-01-02T03:04:05Z, and since then {server} answers with the old data"
    );
    let [(_, applied_note), (_, held_note)] = applied[0].outcomes.as_slice() else { unreachable!() };
    assert_eq!(applied_note.as_ref(), Some(&late));
    assert_eq!(
        held_note.as_deref(),
        Some(
            format!(
                "not sent: it relies on example.com. TXT, which is not visible at every authoritative server: {late}; \
                 the next run goes on"
            )
            .as_str()
        )
    );
    for _ in 0..2 {
        // Of the change that a former run wrote, this one asks again.
        let applied = world.run(&claims).await;
        assert!(told(&applied[0]).starts_with("_dmarc.example.com. TXT: held\n3"));
        let note = applied[0].outcomes[0].1.as_ref().unwrap();
        assert!(
            note.contains(&format!("p holds example.com. TXT as wanted, and {server} answers with the old data")),
            "{note}"
        );
    }
    assert_eq!(world.writes("p"), ["example.com. TXT"]);
    world.switch(NO_SWITCHES);
    let applied = world.run(&claims).await;
    expect(&applied[0], "_dmarc.example.com. TXT: applied\n");
}

#[tokio::test]
async fn a_provider_that_says_ok_and_writes_nothing_gets_no_tightening_either() {
    let mut world = world().await;
    world.deadline = SHORT;
    fault(&world, "p", Fault::NeverApplied);
    let applied = world.run(&spf_and_dmarc("p", ZONE)).await;
    expect(&applied[0], "example.com. TXT: applied\n_dmarc.example.com. TXT: held\n3");
    assert_eq!(world.writes("p").len(), 1);
}

#[tokio::test]
async fn servers_that_are_all_down_prove_nothing() {
    let mut world = world().await;
    world.deadline = SHORT;
    world.switch(Switches { refused: true, ..NO_SWITCHES });
    let applied = world.run(&spf_and_dmarc("p", ZONE)).await;
    assert!(told(&applied[0]).starts_with("example.com. TXT: applied\n_dmarc.example.com. TXT: held\n3"));
    assert_eq!(world.writes("p").len(), 1);
}

#[tokio::test]
async fn without_waiting_what_needs_a_wait_is_held() {
    let mut world = world().await;
    world.wait = Wait::None;
    world.switch(STALE);
    let applied = world.run(&spf_and_dmarc("p", ZONE)).await;
    expect(&applied[0], "example.com. TXT: applied\n_dmarc.example.com. TXT: held\n3");
    assert!(applied[0].verification.is_none());
}

#[tokio::test]
async fn a_failed_write_stops_its_zone_and_no_other() {
    let world = world().await.zone("q", "example.org", "");
    fault(&world, "p", Fault::BeforeWrite(ProviderErrorKind::Refused("no".into())));
    let claims = [spf_and_dmarc("p", ZONE), spf_and_dmarc("q", "example.org")].concat();
    let applied = world.run(&claims).await;
    expect(&applied[0], "example.com. TXT: failed\n_dmarc.example.com. TXT: skipped\n1");
    assert!(applied[0].problem.as_ref().unwrap().contains("no") && applied[0].verification.is_none());
    expect(&applied[1], "example.org. TXT: applied\n_dmarc.example.org. TXT: applied\n");
    assert_eq!(world.writes("p").len(), 1);
    let run = &runs(&world.journal())[0];
    assert!(run.complete, "a failure is an outcome");
}

#[tokio::test]
async fn a_conflict_at_the_provider_is_nobody_s_failure() {
    let world = world().await;
    fault(&world, "p", Fault::BeforeWrite(ProviderErrorKind::Conflict("another run writes the zone".into())));
    let applied = world.run(&spf_and_dmarc("p", ZONE)).await;
    expect(&applied[0], "example.com. TXT: skipped\n_dmarc.example.com. TXT: skipped\n5");
}

#[tokio::test]
async fn a_batch_of_which_a_part_was_written() {
    let world = world().await;
    fault(&world, "p", Fault::Partial(1));
    let mut claims = spf_and_dmarc("p", ZONE);
    claims[1].claim.relies_on.clear();
    let applied = world.run(&claims).await;
    expect(&applied[0], "example.com. TXT: applied\n_dmarc.example.com. TXT: failed\n1");
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_the_next_run_goes_on() {
    let world = world().await;
    fault(&world, "p", Fault::AfterWrite(lost()));
    let claims = spf_and_dmarc("p", ZONE);
    let applied = world.run(&claims).await;
    expect(&applied[0], "example.com. TXT: unknown\n_dmarc.example.com. TXT: skipped\n1");
    let Some(Entry::Outcome(outcome)) = world.journal().into_iter().nth(1) else { unreachable!() };
    assert_eq!(outcome.outcomes, ["unknown"]);
    assert!(outcome.error.is_some());
    // It was written after all: the next run finds it there.
    let applied = world.run(&claims).await;
    expect(&applied[0], "_dmarc.example.com. TXT: applied\n");
}

#[tokio::test]
async fn what_somebody_else_wrote_meanwhile_is_already_there() {
    let world = world().await;
    let run = world.plan(&spf_and_dmarc("p", ZONE)).await;
    world.edit("p", ZONE, "@ 300 TXT \"token\"\n@ 300 TXT \"v=spf1 mx -all\"");
    world.providers["p"].publish(&name(ZONE));
    let applied = apply(run.zones, &Default::default(), &world.context()).await;
    expect(&applied[0], "example.com. TXT: already\n_dmarc.example.com. TXT: applied\n");
}

#[tokio::test]
async fn a_set_that_changed_since_the_plan_stops_the_zone() {
    let world = world().await;
    let mut claims = spf_and_dmarc("p", ZONE);
    claims[1].claim.relies_on.clear();
    let run = world.plan(&claims).await;
    world.edit("p", ZONE, "@ 300 TXT \"new token\"");
    let applied = apply(run.zones, &Default::default(), &world.context()).await;
    expect(&applied[0], "example.com. TXT: skipped\n_dmarc.example.com. TXT: skipped\n5");
    assert!(applied[0].problem.is_some());
    assert_eq!(world.held("p", ZONE, ZONE, RecordType::TXT), ["\"new token\""]);
    assert!(world.held("p", ZONE, "_dmarc.example.com", RecordType::TXT).is_empty());
}

#[tokio::test]
async fn an_interrupted_run_finishes_the_request_in_flight() {
    let mut world = world().await;
    let (canceller, cancel) = Cancel::new();
    world.cancel = cancel;
    let canceller = Mutex::new(canceller);
    world.events = Events::new(move |event| {
        if matches!(event, Event::Writing { .. }) {
            canceller.lock().unwrap().cancel();
        }
    });
    let applied = world.run(&spf_and_dmarc("p", ZONE)).await;
    expect(&applied[0], "example.com. TXT: applied\n_dmarc.example.com. TXT: held\n130");
    let journal = world.journal();
    assert!(matches!(journal.as_slice(), [Entry::Intent(_), Entry::Outcome(_)]), "{journal:?}");
    // The next run goes on.
    world.cancel = Cancel::never();
    world.events = Events::none();
    expect(&world.run(&spf_and_dmarc("p", ZONE)).await[0], "_dmarc.example.com. TXT: applied\n");
}

#[tokio::test]
async fn a_zone_whose_lock_is_held_is_not_written() {
    let world = world().await;
    let provider = mailzone_provider::ProviderId::new("p");
    let lock = world.state().lock(&provider, &world.providers["p"].memory.zones().await.unwrap()[0]).unwrap().unwrap();
    let applied = world.run(&spf_and_dmarc("p", ZONE)).await;
    expect(&applied[0], "example.com. TXT: skipped\n_dmarc.example.com. TXT: skipped\n5");
    assert!(world.writes("p").is_empty() && world.journal().is_empty());
    drop(lock);
    assert!(world.run(&spf_and_dmarc("p", ZONE)).await[0].codes.is_empty());
}

/// A mail host's address, and the PTR that relies on it, in another zone at another provider.
fn host_and_pointer() -> [mailzone_engine::compile::PlacedClaim; 2] {
    let host = claim("p", ZONE, KindId::Hosts, "mail.example.com", Own::RRset, &[(RecordType::A, "192.0.2.25")]);
    let mut pointer = claim(
        "q",
        "2.0.192.in-addr.arpa",
        KindId::Ptr,
        "25.2.0.192.in-addr.arpa",
        Own::RRset,
        &[(RecordType::PTR, "mail.example.com.")],
    );
    pointer.claim.relies_on = vec![RRsetKey { name: name("mail.example.com"), rtype: RecordType::A }];
    [host, pointer]
}

#[tokio::test]
async fn a_zone_waits_for_what_it_needs_in_another() {
    let world = world().await.zone("q", "2.0.192.in-addr.arpa", "");
    let applied = world.run(&host_and_pointer()).await;
    assert_eq!(
        applied.iter().map(told).collect::<Vec<_>>(),
        ["25.2.0.192.in-addr.arpa. PTR: applied\n", "mail.example.com. A: applied\n",]
    );
    let zones: Vec<String> = world
        .journal()
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::Intent(intent) => Some(intent.zone),
            Entry::Outcome(_) => None,
        })
        .collect();
    assert_eq!(zones, [ZONE, "2.0.192.in-addr.arpa"]);
}

#[tokio::test]
async fn what_needs_a_zone_that_failed_is_held() {
    let world = world().await.zone("q", "2.0.192.in-addr.arpa", "");
    fault(&world, "p", Fault::BeforeWrite(ProviderErrorKind::Throttled("later".into())));
    let applied = world.run(&host_and_pointer()).await;
    expect(&applied[0], "25.2.0.192.in-addr.arpa. PTR: held\n3");
    expect(&applied[1], "mail.example.com. A: failed\n1");
    assert!(world.writes("q").is_empty());
}

#[tokio::test]
async fn guards_and_refusals_stop_before_anything_is_sent() {
    let live = "@ 300 TXT \"v=spf1 mx include:a.example -all\"\nwww 300 CNAME x.example.";
    let world = World::new().await.zone("p", ZONE, live);
    let applied = world.run(&spf_and_dmarc("p", ZONE)).await;
    expect(&applied[0], "example.com. TXT: skipped\n_dmarc.example.com. TXT: skipped\n4");
    assert_eq!(applied[0].problem.as_deref(), Some("stopped by GUARD-SPF-NET"));
    let mut claims = spf_and_dmarc("p", ZONE);
    claims.push(claim("p", ZONE, KindId::Records, "www.example.com", Own::RRset, &[(RecordType::TXT, "\"a\"")]));
    let applied = world.run(&claims).await;
    assert_eq!(applied[0].codes, [Code::Error], "a refusal goes before a guard");
    assert!(applied[0].outcomes.iter().all(|(outcome, _)| *outcome == ChangeOutcome::Skipped));
    assert!(world.writes("p").is_empty() && world.journal().is_empty());
}

#[tokio::test]
async fn a_zone_that_cannot_be_read_stops_no_other() {
    let world = world().await.zone("q", "example.org", "");
    world.providers["p"].memory.switches(|switches| switches.snapshot = Some(lost()));
    let claims = [spf_and_dmarc("p", ZONE), spf_and_dmarc("q", "example.org")].concat();
    let applied = world.run(&claims).await;
    expect(&applied[0], "1");
    expect(&applied[1], "example.org. TXT: applied\n_dmarc.example.org. TXT: applied\n");
}
