//! Whether a part of a configuration plans to nothing: it is loaded, compiled and planned like any other.

use std::collections::BTreeSet;

use mailzone_config::SourceFile;
use mailzone_engine::compile::compile;
use mailzone_mailauth::Finding;
use mailzone_plan::{Claim, DomainFacts, ZoneInput, plan_zone};
use mailzone_provider::{Capabilities, Snapshot, Zone};
use mailzone_record::{Name, Rdata};

/// The provider that trials name.
pub(super) const PROVIDER: &str = "[providers.p]\ntype = \"zonefile\"\ndirectory = \".\"\n";

/// A zone as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Live<'a> {
    pub(super) zone: &'a Zone,
    pub(super) snapshot: &'a Snapshot,
    pub(super) capabilities: &'a Capabilities,
}

/// Why a part of a configuration is not what is live.
#[derive(Debug)]
pub(super) enum Unfit {
    /// It does not load, or something would change.
    Other,
    /// The zone cannot hold it.
    Refused(String),
}

/// What is found while planning, if `tables` load and there is nothing to change.
///
/// The tables name the provider `p`.
pub(super) fn plans_to_nothing(tables: &str, live: Live<'_>) -> Result<Vec<Finding>, Unfit> {
    let file = SourceFile::new("import", format!("{PROVIDER}{tables}"));
    let settings = mailzone_config::parse(&[file], ".".into(), &mut |_| Err("no files here".to_owned()))
        .map_err(|_| Unfit::Other)?;
    // No allow entry is written, so no day matters.
    let compiled = compile(&settings, (2026, 1, 1));
    let claims: Vec<Claim> = compiled.claims.iter().map(|placed| placed.claim.clone()).collect();
    let domains: Vec<DomainFacts> = compiled.domains.iter().map(|domain| domain.facts.clone()).collect();
    let near = near(&claims, live);
    let plan = plan_zone(&ZoneInput {
        zone: live.zone,
        capabilities: live.capabilities,
        provider: None,
        snapshot: &near,
        claims: &claims,
        domains: &domains,
        allow: &[],
        normalize: false,
        guards: &[],
        only: None,
    });
    if let Some(error) = plan.error {
        return Err(Unfit::Refused(error.message));
    }
    if plan.changes.is_empty() && plan.left_out.is_empty() { Ok(plan.findings) } else { Err(Unfit::Other) }
}

/// What can matter to these claims: the sets at their names, above them (delegations), and at the names that they point
/// to. A zone of thousands of names is not gone through once for each.
fn near(claims: &[Claim], live: Live<'_>) -> Snapshot {
    let mut names: BTreeSet<Name> = BTreeSet::new();
    for claim in claims {
        let live_values = live.snapshot.at(&claim.owner).iter().flat_map(|set| &set.values).map(|value| &value.rdata);
        let targets = claim.want.iter().chain(live_values).filter_map(|value| match value {
            Rdata::Mx(mx) => Some(&mx.exchange),
            Rdata::Cname(target) => Some(target),
            _ => None,
        });
        for name in [&claim.owner, &claim.domain].into_iter().chain(targets) {
            let mut at = Some(name.to_lowercase());
            while let Some(name) = at.filter(|name| name.is_at_or_below(&live.zone.name)) {
                at = name.parent();
                names.insert(name);
            }
        }
    }
    let sets = names.iter().flat_map(|name| live.snapshot.at(name)).cloned().collect();
    Snapshot::new(sets, live.snapshot.default_ttl())
}
