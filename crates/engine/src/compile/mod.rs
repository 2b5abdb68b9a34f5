//! Settings into claims: what each configured key wants, as values in RRsets. Pure.

mod domain;
mod host;
mod reports;
mod senders;
mod subject;

use std::collections::HashMap;

use mailzone_config::Settings;
use mailzone_mailauth::Finding;
use mailzone_plan::{Allow, Claim, DomainFacts, Slot, Target};
use mailzone_record::{Name, RRsetKey};

pub use subject::{judged, sender};

/// What a configuration asks for.
#[derive(Debug)]
pub struct Compiled {
    /// Every claim with where it belongs.
    pub claims: Vec<PlacedClaim>,
    /// What is only looked at: addresses and PTR of hosts with `"check"`.
    pub checks: Vec<PlacedClaim>,
    /// Claims that an earlier configuration made and this one does not.
    pub formerly: Vec<PlacedClaim>,
    /// What the configuration alone shows to be wrong between its parts, with the domain that it is of.
    pub remarks: Vec<(Name, Finding)>,
    /// The configured domains, sorted.
    pub domains: Vec<CompiledDomain>,
    /// Allow entries that have not run out.
    pub allow: Vec<Allow>,
    /// Allow entries that have: code and the last day.
    pub expired: Vec<(Allow, String)>,
}

/// A claim and the zone that it belongs to, as far as the configuration tells.
#[derive(Debug, Clone)]
pub struct PlacedClaim {
    /// The claim.
    pub claim: Claim,
    /// The provider; `None`: the first one that holds a zone of the owner name (PTR).
    pub provider: Option<String>,
    /// The zone, where it is given.
    pub zone: Option<Name>,
    /// The provider's identifier of the zone, where it is given.
    pub zone_id: Option<String>,
    /// The configured domain that the claim is made for; `None` for a mail host below none.
    pub domain: Option<Name>,
}

/// A configured domain.
#[derive(Debug, Clone)]
pub struct CompiledDomain {
    /// Its provider.
    pub provider: String,
    /// Its zone, where it is given.
    pub zone: Option<Name>,
    /// The provider's identifier of the zone, where it is given.
    pub zone_id: Option<String>,
    /// What the planner knows of it.
    pub facts: DomainFacts,
}

/// Makes the claims of a configuration. `today` (year, month, day) decides which allow entries hold.
pub fn compile(settings: &Settings, today: (i32, u8, u8)) -> Compiled {
    let mut compiled = Compiled {
        claims: Vec::new(),
        checks: Vec::new(),
        formerly: Vec::new(),
        remarks: Vec::new(),
        domains: Vec::new(),
        allow: Vec::new(),
        expired: Vec::new(),
    };
    let authorisations = reports::authorisations(settings);
    for domain in settings.domains.values() {
        let facts = domain::claims(settings, domain, &authorisations, &mut compiled.claims);
        domain::allows(domain, today, &mut compiled.allow, &mut compiled.expired);
        compiled.domains.push(CompiledDomain {
            provider: domain.provider.value.clone(),
            zone: domain.zone.as_ref().map(|zone| zone.value.clone()),
            zone_id: domain.zone_id.as_ref().map(|id| id.value.clone()),
            facts,
        });
    }
    for host in settings.hosts.values() {
        compiled.remarks.extend(host::remark(settings, host));
        if let Some((domain, slot)) = host::claims(settings, host, &mut compiled.claims, &mut compiled.checks)
            && let Some(known) = compiled.domains.iter_mut().find(|known| known.facts.domain == domain)
        {
            known.facts.mentioned.push(slot);
        }
    }
    compiled
}

impl Compiled {
    /// The target of every claimed RRset.
    pub fn targets(&self) -> HashMap<RRsetKey, Target> {
        let claims = self.claims.iter().map(|placed| &placed.claim);
        Target::of_claims(claims).into_iter().map(|target| (target.key.clone(), target)).collect()
    }

    /// Notes the slots that `base`, an earlier configuration, managed and this one does not.
    pub fn compare_with_base(&mut self, base: &Self) {
        let now: std::collections::HashSet<&Slot> = self.claims.iter().map(|placed| &placed.claim.slot).collect();
        let gone =
            base.claims.iter().filter(|placed| !now.contains(&placed.claim.slot) && !placed.claim.want.is_empty());
        self.formerly = gone.cloned().collect();
        for placed in &self.formerly {
            let (domain, slot) = (placed.claim.domain.clone(), placed.claim.slot.clone());
            let known = self.domains.iter_mut().find(|known| known.facts.domain == domain);
            if let Some(known) = known
                && !known.facts.formerly.contains(&slot)
            {
                known.facts.formerly.push(slot);
            }
        }
    }
}
