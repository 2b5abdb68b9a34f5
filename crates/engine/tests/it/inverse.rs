//! Every small zone and configuration: a run and its rollback together change nothing but what came in between.

use std::sync::Arc;

use mailzone_conformance::memory::MemoryProvider;
use mailzone_conformance::parse_seed;
use mailzone_engine::compile::PlacedClaim;
use mailzone_engine::journal::{Entry, Intent, OutcomeEntry};
use mailzone_engine::plan::{PlanOptions, PlanRun, plan};
use mailzone_engine::rollback::{self, undo};
use mailzone_engine::{Events, Providers};
use mailzone_mailauth::KindId;
use mailzone_plan::Own;
use mailzone_provider::{Access, Batch, Outcome, Provider as _, Receipt, Snapshot, Zone, ZoneId};
use mailzone_record::{RRsetKey, RecordType};

use crate::support::{claim, compiled, name};

const ZONE: &str = "example.com";
const APEX: &str = "@ 300 SOA ns.example. h.example. 1 2 3 4 60\n@ 300 NS ns.example.\n";

/// The zone's sets as text, in an order of its own.
fn shown(provider: &MemoryProvider) -> Vec<String> {
    let snapshot = provider.peek(&name(ZONE)).unwrap();
    let mut lines: Vec<String> = snapshot
        .rrsets()
        .iter()
        .flat_map(|set| set.values.iter().map(move |value| format!("{} {:?} {}", set.key(), set.ttl, value.rdata)))
        .collect();
    lines.sort();
    lines
}

/// Writes all changes in their order, and gives what the journal would hold.
async fn carry_out(run: &PlanRun, id: &str, provider: &MemoryProvider) -> Vec<Entry> {
    assert!(run.homeless.is_empty());
    let planned = &run.zones[0];
    assert!(planned.plan.error.is_none(), "{:?}", planned.plan.error);
    let mut entries = Vec::new();
    let changes: Vec<_> = planned.plan.changes.iter().collect();
    let intent = Intent::new(id, 1, String::new(), provider.id(), &planned.plan.zone, &changes, &planned.plan.targets);
    let batch = Batch { changes: changes.iter().map(|change| change.change.clone()).collect() };
    let receipt: Receipt = provider.apply(&planned.plan.zone, &batch).await.unwrap();
    assert!(receipt.results.iter().all(|result| result.outcome == Outcome::Applied), "{receipt:?}");
    entries.push(Entry::Intent(intent.clone()));
    entries.push(Entry::Outcome(OutcomeEntry::new(&intent, String::new(), &receipt, None)));
    entries
}

fn wanted(kind: KindId, owner: &str, own: Own, rtype: RecordType, values: &[&str]) -> PlacedClaim {
    let want: Vec<(RecordType, &str)> = values.iter().map(|value| (rtype, *value)).collect();
    let mut placed = claim("p", ZONE, kind, owner, own, &want);
    placed.claim.rtype = rtype;
    placed
}

#[tokio::test]
async fn a_run_and_its_rollback_leave_what_was_there() {
    let spf_live = ["", "@ 300 TXT \"v=spf1 mx ?all\"\n", "@ 300 TXT \"v=spf1 ~all\"\n@ 300 TXT \"V=SPF1 mx -all\"\n"];
    let dmarc_live =
        ["", "_dmarc 60 TXT \"v=DMARC1; p=none\"\n_dmarc 60 TXT \"other\"\n", "_dmarc 60 CNAME policy.example.\n"];
    let mx_live = ["", "@ 60 MX 10 a.example.\n@ 60 MX 20 b.example.\n"];
    let caa_live = ["", "@ 300 CAA 0 issue \"ca.example\"\n@ 300 CAA 0 iodef \"mailto:x@example.net\"\n"];
    let dmarc_name = format!("_dmarc.{ZONE}");
    let txt = |want: &[&str]| wanted(KindId::Spf, ZONE, Own::Candidates, RecordType::TXT, want);
    let policy = |want: &[&str]| wanted(KindId::Dmarc, &dmarc_name, Own::Candidates, RecordType::TXT, want);
    let no_alias = || {
        let mut claim = wanted(KindId::Dmarc, &dmarc_name, Own::RRset, RecordType::CNAME, &[]);
        claim.claim.own_name = true;
        claim
    };
    let listed = || {
        let mut claim = wanted(KindId::Records, ZONE, Own::RRset, RecordType::TXT, &["\"listed\""]);
        claim.claim.own = Own::Values(claim.claim.want.clone());
        claim
    };
    let spf_wanted = [vec![txt(&["\"v=spf1 -all\""])], vec![txt(&[]), listed()]];
    let dmarc_wanted = [vec![policy(&["\"v=DMARC1; p=reject\""])], vec![policy(&[]), no_alias()]];
    let mx_wanted = [vec![], vec![wanted(KindId::Mx, ZONE, Own::RRset, RecordType::MX, &["0 ."])]];
    let issue = Own::CaaTags(vec!["issue".into()]);
    let caa_wanted = [vec![], vec![wanted(KindId::Caa, ZONE, issue, RecordType::CAA, &["0 issue \"other.example\""])]];
    let token = RRsetKey { name: name(ZONE), rtype: RecordType::TXT };
    let mut changed = 0;
    for at in 0..3 * 3 * 2 * 2 * 16 {
        let mut rest = at;
        let mut pick = |count: usize| {
            let picked = rest % count;
            rest /= count;
            picked
        };
        let lines = [spf_live[pick(3)], dmarc_live[pick(3)], mx_live[pick(2)], caa_live[pick(2)]].concat();
        let claims =
            [spf_wanted[pick(2)].as_slice(), &dmarc_wanted[pick(2)], &mx_wanted[pick(2)], &caa_wanted[pick(2)]]
                .concat();
        let provider = Arc::new(MemoryProvider::new("p"));
        let id = ZoneId::new("Z1");
        let zone = Zone { id, name: name(ZONE), access: Access::ReadWrite, nameservers: Vec::new() };
        let sets = parse_seed(&name(ZONE), &format!("{APEX}{lines}@ 300 TXT \"token\"\n"));
        provider.insert_zone(zone, Snapshot::new(sets, None));
        let providers: Providers = [("p".to_owned(), Arc::clone(&provider) as _)].into();
        let before = shown(&provider);

        let run = plan(compiled(&claims), &providers, &PlanOptions::default(), &Events::none()).await;
        let count = run.zones[0].plan.changes.len();
        if count == 0 {
            continue;
        }
        changed += 1;
        let mut journal = carry_out(&run, "run", &provider).await;
        let written = shown(&provider);

        // Somebody adds a value of his own.
        let mut set = provider.peek(&name(ZONE)).unwrap().get(&token.name, token.rtype).unwrap().clone();
        set.values.extend(parse_seed(&name(ZONE), "@ 300 TXT \"new\"").remove(0).values);
        provider.edit(&name(ZONE), &token, Some(set));

        let back = undo(&journal, None).unwrap();
        let back = rollback::plan(back, &compiled(&[]), &providers, &[], &Events::none()).await;
        let again = back.zones[0].plan.guards().find(|finding| finding.code == "GUARD-ROLLBACK");
        assert!(again.is_none(), "{lines}{again:?}");
        journal.extend(carry_out(&back, "back", &provider).await);
        let mut expected = before.clone();
        expected.push(format!("{token} {:?} \"new\"", mailzone_record::Ttl::from_secs(300)));
        expected.sort();
        assert_eq!(shown(&provider), expected, "{lines}{claims:?}");

        // And the rollback is a run like any other.
        let forth = undo(&journal, Some("back")).unwrap();
        let forth = rollback::plan(forth, &compiled(&[]), &providers, &[], &Events::none()).await;
        carry_out(&forth, "forth", &provider).await;
        let mut expected = written;
        expected.push(format!("{token} {:?} \"new\"", mailzone_record::Ttl::from_secs(300)));
        expected.sort();
        assert_eq!(shown(&provider), expected, "{lines}{claims:?}");
    }
    assert!(changed > 500, "{changed}");
}
