//! What holds for any zone and any claims.

use std::collections::HashSet;

use mailzone_mailauth::KindId;
use mailzone_plan::document::ZoneDoc;
use mailzone_plan::{Document, ZonePlan, config_digest, resolve_needs};
use mailzone_provider::{ProviderId, Snapshot};
use mailzone_record::{Name, RRset, RRsetKey, Rdata, RecordType, Value};
use proptest::prelude::*;

use crate::random::{case, cut};
use crate::support::Case;

fn document(plan: &ZonePlan, case: &Case) -> String {
    let zone = ZoneDoc::new(
        plan,
        &ProviderId::new("p"),
        &config_digest(&case.claims),
        std::slice::from_ref(&case.facts.domain),
        60,
    );
    let zones = vec![zone];
    Document::new("0.0.0", "2026-01-02T03:04:05Z".into(), zones, Vec::new(), &[plan.counts]).to_sealed_json().unwrap()
}

fn resolved(case: &Case) -> ZonePlan {
    let mut plans = [case.plan()];
    resolve_needs(&mut plans, &|_| None);
    let [plan] = plans;
    plan
}

fn foreign<'a>(case: &Case, set: &'a RRset) -> Vec<&'a Value> {
    let claims: Vec<_> = case.claims.iter().filter(|c| c.owner == set.name && c.rtype == set.rtype).collect();
    set.values.iter().filter(|value| !claims.iter().any(|claim| claim.owns(&value.rdata))).collect()
}

/// Other spellings of the owned values that no receiver can tell apart.
fn respelt(case: &Case, seed: u64, cuts: &[prop::sample::Index]) -> Snapshot {
    let mut sets = case.snapshot.rrsets().to_vec();
    for set in &mut sets {
        let claims: Vec<_> = case.claims.iter().filter(|c| c.owner == set.name && c.rtype == set.rtype).collect();
        for value in &mut set.values {
            if claims.iter().any(|claim| claim.owns(&value.rdata)) {
                // What the user listed is data: only the borders of its strings are nobody's.
                let listed = claims.iter().any(|claim| claim.slot.kind == KindId::Records);
                value.rdata = respell(&value.rdata, if listed { 0 } else { seed }, cuts);
            }
        }
        // Nobody promises an order either.
        if seed & 4 == 4 {
            set.values.reverse();
        }
    }
    Snapshot::new(sets, case.snapshot.default_ttl())
}

fn respell(rdata: &Rdata, seed: u64, cuts: &[prop::sample::Index]) -> Rdata {
    let upper =
        |name: &Name| if seed & 1 == 1 { Name::parse(&name.to_string().to_uppercase()).unwrap() } else { name.clone() };
    match rdata {
        Rdata::Cname(target) => Rdata::Cname(upper(target)),
        Rdata::Mx(mx) => Rdata::Mx(mailzone_record::Mx { exchange: upper(&mx.exchange), ..mx.clone() }),
        Rdata::Txt(txt) => {
            let mut text = txt.joined().into_owned();
            match (text.as_slice(), seed & 1 == 1) {
                (b"v=spf1 mx -all", true) => text = b"v=spf1  +MX -ALL ".to_vec(),
                (b"v=DMARC1; p=none", true) => text = b"v = DMARC1 ;p=none;".to_vec(),
                (b"v=DMARC1; p=reject; rua=mailto:d@example.com", true) => {
                    text = b"v=DMARC1;rua=mailto:d@example.com; p = reject".to_vec();
                }
                (b"v=STSv1; id=1", true) => text = b"v=STSv1;id=1;".to_vec(),
                (b"v=TLSRPTv1; rua=mailto:t@example.com", true) => {
                    text = b"v=TLSRPTv1;rua=mailto:t@example.com;".to_vec();
                }
                _ => {}
            }
            cut(&text, cuts)
        }
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn law_no_value_outside_a_claim_changes(case in case(), normalize in any::<bool>()) {
        let case = Case { normalize, ..case };
        let plan = case.plan();
        let claimed: HashSet<RRsetKey> = case.claims.iter().map(mailzone_plan::Claim::key).collect();
        for planned in &plan.changes {
            let change = &planned.change;
            let key = RRsetKey { name: change.name().clone(), rtype: change.rtype() };
            let Some(before) = change.before() else {
                prop_assert!(claimed.contains(&key));
                continue;
            };
            prop_assert_eq!(Some(before), case.snapshot.get(&key.name, key.rtype));
            if !claimed.contains(&key) {
                // The one foreign set that may go: a CNAME at a name of the slot's own, and never unseen.
                prop_assert_eq!(key.rtype, RecordType::CNAME);
                prop_assert!(case.claims.iter().any(|claim| claim.owner == key.name && claim.own_name));
                prop_assert!(plan.guards().any(|guard| guard.code == "GUARD-CNAME" && guard.subject == key.name.to_string()));
                continue;
            }
            let foreign = foreign(&case, before);
            if foreign.is_empty() {
                continue;
            }
            let after = change.after().unwrap();
            prop_assert_eq!(after.ttl, before.ttl, "foreign values keep their TTL");
            let still: Vec<&Value> = after.values.iter().filter(|value| foreign.contains(value)).collect();
            prop_assert_eq!(&still, &foreign, "every one of them, in its order and spelling");
            let mut kept: Vec<Rdata> = foreign.iter().map(|value| value.rdata.clone()).collect();
            kept.sort();
            prop_assert_eq!(&planned.kept, &kept);
        }
    }

    #[test]
    fn law_a_plan_leads_to_what_is_wanted_and_the_next_is_empty(case in case(), normalize in any::<bool>()) {
        let case = Case { normalize, ..case };
        let plan = case.plan();
        if plan.error.is_some() {
            return Ok(());
        }
        let after = case.applied();
        for target in &plan.targets {
            let live = after.snapshot.get(&target.key.name, target.key.rtype);
            let values: Vec<Rdata> = live.map(|set| set.values.iter().map(|v| v.rdata.clone()).collect()).unwrap_or_default();
            prop_assert!(target.satisfied_by(&values), "{:?} {:?}", target, values);
        }
        let again = after.plan();
        prop_assert!(again.changes.is_empty() && again.error.is_none(), "{:?} {:?}", again.changes, again.error);
        prop_assert_eq!(again.guards().count(), 0, "what is done is not caused again");
        if normalize {
            let plain = Case { normalize: false, ..after }.plan();
            prop_assert!(plain.changes.is_empty());
        }
        let touched: HashSet<RRsetKey> = plan.changes.iter().map(|p| RRsetKey { name: p.change.name().clone(), rtype: p.change.rtype() }).collect();
        for set in case.snapshot.rrsets().iter().filter(|set| !touched.contains(&set.key())) {
            prop_assert_eq!(after_get(&case, set), Some(set.clone()));
        }
    }

    #[test]
    fn law_equal_values_make_no_change(case in case(), seed in any::<u64>(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4)) {
        if case.plan().error.is_some() {
            return Ok(());
        }
        let after = case.applied();
        let other = Case { snapshot: respelt(&after, seed, &cuts), ..after };
        let plan = other.plan();
        prop_assert!(plan.changes.is_empty(), "{:?}", plan.changes);
        prop_assert_eq!(plan.counts.create + plan.counts.update + plan.counts.delete, 0);
    }

    #[test]
    fn law_the_same_input_in_any_order_gives_the_same_bytes(case in case(), order in any::<u64>()) {
        let mut other = case.clone();
        let shuffle = |i: usize| (i as u64 + 1).wrapping_mul(order | 1);
        let mut claims: Vec<_> = other.claims.drain(..).enumerate().collect();
        claims.sort_by_key(|(i, _)| shuffle(*i));
        other.claims = claims.into_iter().map(|(_, claim)| claim).collect();
        let mut sets: Vec<RRset> = other.snapshot.rrsets().to_vec();
        sets.reverse();
        for set in &mut sets {
            set.values.reverse();
        }
        other.snapshot = Snapshot::new(sets, case.snapshot.default_ttl());
        prop_assert_eq!(document(&resolved(&case), &case), document(&resolved(&other), &other));
        prop_assert_eq!(document(&resolved(&case), &case), document(&resolved(&case), &case));
    }

    #[test]
    fn law_what_is_needed_goes_first_and_units_stay_whole(case in case()) {
        let unordered = case.plan();
        let plan = resolved(&case);
        prop_assert_eq!(plan.changes.len(), unordered.changes.len());
        prop_assert!(plan.changes.is_sorted_by_key(|change| change.stage));
        for (at, planned) in plan.changes.iter().enumerate() {
            prop_assert!(planned.stage >= 1 && planned.stage as usize <= plan.changes.len());
            for need in planned.needs.iter().filter(|need| need.pending) {
                let other = plan.changes.iter().find(|c| c.change.name() == &need.target.key.name && c.change.rtype() == need.target.key.rtype);
                prop_assert!(other.unwrap().stage < planned.stage, "{:?}", plan.changes);
            }
            if planned.with_next {
                let next = &plan.changes[at + 1];
                prop_assert_eq!(next.change.name(), planned.change.name());
                prop_assert_eq!(next.stage, planned.stage);
            }
        }
        // Nothing but a stage above the first without a reason.
        let top = plan.changes.iter().map(|change| change.stage).max().unwrap_or(1);
        for stage in 2..=top {
            prop_assert!(plan.changes.iter().any(|c| c.stage == stage && c.needs.iter().any(|need| need.pending)));
        }
        // A CNAME and what excludes it: deletion first.
        for pair in plan.changes.windows(2).filter(|pair| pair[0].with_next) {
            prop_assert!(pair[0].action <= mailzone_plan::Action::Delete);
            prop_assert!(pair[0].change.after().is_none() || pair[1].change.after().is_some());
        }
    }

    #[test]
    fn law_counts_and_changes_agree(case in case()) {
        let plan = case.plan();
        let counts = plan.counts;
        prop_assert_eq!(counts.create + counts.update + counts.delete, plan.changes.len() as u64);
        if plan.error.is_none() {
            // Each live set is one of these, and only one.
            let live = counts.update + counts.delete + counts.unchanged + counts.foreign + counts.unmanaged;
            prop_assert_eq!(live, case.snapshot.rrsets().len() as u64);
        }
    }
}

fn after_get(case: &Case, set: &RRset) -> Option<RRset> {
    case.applied().snapshot.get(&set.name, set.rtype).cloned()
}
