//! How a zone is planned: merge, exclude, explain, survey.

use crate::cut::Cuts;
use crate::merge::{MergeOptions, in_order};
use crate::unmanaged::{may_be_slot, removal_line, slots_of};
use crate::{
    Action, Allow, Apex, Claim, Counts, DomainFacts, Guarded, Merged, PlannedChange, Slot, Target, Unmanaged,
    ZoneError, ZoneErrorKind, ZoneInput, ZonePlan, guard,
};
use mailzone_mailauth::{Class, Detail, Difference, Effect, Equality, Finding, KindId, Severity, kind};
use mailzone_provider::{RRsetChange, Refusal, TtlRange, reverse};
use mailzone_record::{Name, RRset, RRsetKey, Rdata, RecordType, Ttl, Value};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Plans one zone. Changes are in stage 1 and without needs until [`crate::resolve_needs`].
pub fn plan_zone(input: &ZoneInput<'_>) -> ZonePlan {
    let mut planner = Planner::new(input);
    planner.merge_all();
    planner.survey();
    planner.finish()
}

struct Planner<'a> {
    input: &'a ZoneInput<'a>,
    options: MergeOptions,
    apex: &'a Name,
    facts: HashMap<&'a Name, &'a DomainFacts>,
    mentioned: HashSet<&'a Slot>,
    formerly: HashSet<&'a Slot>,
    changes: Vec<PlannedChange>,
    findings: Vec<Noted>,
    refusals: Vec<Refusal>,
    unmanaged: Vec<Unmanaged>,
    targets: Vec<Target>,
    left_out: Vec<RRsetKey>,
    claimed: HashSet<RRsetKey>,
    counts: Counts,
}

/// A finding with what it concerns.
struct Noted {
    owner: Name,
    /// The configured domain, where it is of one.
    domain: Option<Name>,
    finding: Finding,
}

/// All claims at one owner name, merged type by type.
struct AtName<'a> {
    owner: &'a Name,
    merged: Vec<(RecordType, Merged<'a>)>,
    own_name: bool,
}

impl<'a> Planner<'a> {
    fn new(input: &'a ZoneInput<'a>) -> Self {
        Self {
            input,
            options: MergeOptions {
                normalize: input.normalize,
                ttl_range: ttl_range(input),
                default_ttl: input.snapshot.default_ttl(),
            },
            apex: &input.zone.name,
            facts: input.domains.iter().map(|facts| (&facts.domain, facts)).collect(),
            mentioned: input.domains.iter().flat_map(|facts| &facts.mentioned).collect(),
            formerly: input.domains.iter().flat_map(|facts| &facts.formerly).collect(),
            changes: Vec::new(),
            findings: Vec::new(),
            refusals: Vec::new(),
            unmanaged: Vec::new(),
            targets: Vec::new(),
            left_out: Vec::new(),
            claimed: HashSet::new(),
            counts: Counts::default(),
        }
    }

    fn merge_all(&mut self) {
        if self.input.claims.is_empty() {
            return;
        }
        let cuts = Cuts::new(self.apex, self.input.snapshot, self.input.claims);
        let mut claims: Vec<&'a Claim> = self.input.claims.iter().collect();
        claims.sort_by(|a, b| (&a.owner, a.rtype, &a.slot).cmp(&(&b.owner, b.rtype, &b.slot)));
        // A chunk is never empty.
        for at_name in claims.chunk_by(|a, b| a.owner == b.owner) {
            self.plan_name(&at_name[0].owner, at_name, &cuts);
        }
    }

    /// `claims` are all at `owner`, sorted by type and slot.
    fn plan_name(&mut self, owner: &'a Name, claims: &[&'a Claim], cuts: &Cuts<'a>) {
        if let Some(refusal) = claims.iter().find_map(|claim| cuts.refuse(owner, claim.rtype)) {
            self.refusals.push(refusal);
            return;
        }
        let mut at_name = AtName { owner, merged: Vec::with_capacity(claims.len()), own_name: false };
        for claims in claims.chunk_by(|a, b| a.rtype == b.rtype) {
            let rtype = claims[0].rtype;
            if let Some(refusal) = disputed(owner, rtype, claims) {
                self.refusals.push(refusal);
                continue;
            }
            at_name.own_name |= claims.iter().any(|claim| claim.own_name);
            let live = self.input.snapshot.get(owner, rtype);
            let merged = Merged::new(owner, rtype, live, claims, self.options);
            self.claimed.insert(RRsetKey { name: owner.clone(), rtype });
            at_name.merged.push((rtype, merged));
        }
        let replaced_cname = match self.exclusive(&at_name) {
            Ok(replaced) => replaced,
            Err(refusal) => {
                self.refusals.push(refusal);
                return;
            }
        };
        let mut planned: Vec<PlannedChange> = Vec::new();
        for (_, merged) in &at_name.merged {
            if self.leaves_out(owner, merged) {
                continue;
            }
            self.targets.push(Target {
                key: RRsetKey { name: owner.clone(), rtype: merged.rtype() },
                claims: merged.parts().iter().map(|part| part.claim.clone()).collect(),
                kept: merged.kept().iter().map(|value| value.rdata.clone()).collect(),
            });
            planned.extend(self.planned_change(merged));
            self.explain(owner, merged);
            let kept: Vec<&Rdata> = merged.kept().iter().map(|value| &value.rdata).collect();
            let unmanaged = self.unmanaged_slots(owner, merged.rtype(), &kept);
            self.unmanaged.extend(unmanaged);
        }
        if let Some(cname) = replaced_cname.filter(|_| !planned.is_empty()) {
            planned.extend(self.replace_cname(cname, &at_name));
        }
        // A CNAME and anything else exclude each other (RFC 1034 section 3.6.2): deletion first.
        let has_cname = planned.iter().any(|p| p.change.rtype() == RecordType::CNAME);
        planned.sort_by_key(|p| (p.action != Action::Delete, p.change.rtype()));
        if has_cname && planned.len() > 1 {
            let last = planned.len() - 1;
            for change in &mut planned[..last] {
                change.with_next = true;
            }
        }
        self.changes.append(&mut planned);
    }

    /// Checks that no CNAME ends up beside other types. Gives the foreign CNAME that has to go.
    fn exclusive(&self, at_name: &AtName<'a>) -> Result<Option<&'a RRset>, Refusal> {
        let owner = at_name.owner;
        let claimed = |rtype| at_name.merged.iter().find(|(t, _)| *t == rtype).map(|(_, merged)| merged);
        let wants_cname = claimed(RecordType::CNAME).is_some_and(|merged| merged.after().is_some());
        let wants_other = at_name.merged.iter().find(|(t, m)| *t != RecordType::CNAME && m.after().is_some());
        if wants_cname {
            if owner == self.apex {
                return Err(Refusal {
                    message: format!("{owner} is the apex: a CNAME cannot stand there (RFC 1034 section 3.6.2)"),
                    remedy: "use an address record, or the provider's alias".into(),
                });
            }
            let beside = self.input.snapshot.at(owner).iter().find(|set| {
                set.rtype != RecordType::CNAME
                    && !set.rtype.is_dnssec()
                    && claimed(set.rtype).is_none_or(|merged| merged.after().is_some())
            });
            let beside = beside.map(|set| set.rtype).or_else(|| wants_other.map(|(rtype, _)| *rtype));
            if let Some(rtype) = beside {
                return Err(Refusal {
                    message: format!(
                        "a CNAME is wanted at {owner}, and {rtype} records that mailzone does not own stand there"
                    ),
                    remedy: "remove those records, or do not use a CNAME here".into(),
                });
            }
            return Ok(None);
        }
        if wants_other.is_none() || claimed(RecordType::CNAME).is_some() {
            return Ok(None);
        }
        match self.input.snapshot.get(owner, RecordType::CNAME) {
            None => Ok(None),
            Some(cname) if at_name.own_name => Ok(Some(cname)),
            // What is answered there are addresses.
            Some(_) if owner == self.apex && self.input.capabilities.apex_cname => Ok(None),
            Some(cname) => Err(Refusal {
                message: format!("{owner} is a CNAME ({}): no other record can stand there", first_value(cname)),
                remedy: "remove the CNAME, or move the records to the name it points to".into(),
            }),
        }
    }

    fn replace_cname(&mut self, cname: &'a RRset, at_name: &AtName<'a>) -> Option<PlannedChange> {
        let change = RRsetChange::new(Some(cname.clone()), None)?;
        self.check(&change);
        self.claimed.insert(cname.key());
        let slots: BTreeSet<Slot> =
            at_name.merged.iter().flat_map(|(_, m)| m.parts()).map(|part| part.claim.slot.clone()).collect();
        let target = first_value(cname);
        let finding = Finding::guard(
            "GUARD-CNAME",
            cname.name.to_string(),
            format!("the CNAME to {target} goes: records of our own take its place"),
            "RFC 1034 section 3.6.2",
        );
        let claim = at_name.merged.iter().flat_map(|(_, merged)| merged.parts()).map(|part| part.claim).next();
        self.note(&cname.name, claim, finding);
        Some(PlannedChange {
            change,
            action: Action::Delete,
            slots: slots.into_iter().collect(),
            kept: Vec::new(),
            class: Class::Unknown,
            details: vec![Detail::removed("cname", target)],
            reason: "the name is needed for our own records".into(),
            needs: Vec::new(),
            stage: 1,
            relies_on: Vec::new(),
            with_next: true,
        })
    }

    /// Whether only profiles want this set and the provider cannot hold it. What stands in the way of it
    /// (a protected set) is a refusal all the same.
    fn leaves_out(&mut self, owner: &Name, merged: &Merged<'a>) -> bool {
        let Some(change) = merged.change() else { return false };
        let protected = change.before().is_some_and(|set| set.protection.is_some());
        let optional = merged.parts().iter().all(|part| part.claim.from_profile);
        if protected || !optional || self.refusals_of(&change).is_empty() {
            return false;
        }
        let rtype = merged.rtype();
        let finding = Finding::new(
            "PROFILE-01",
            Severity::Warning,
            owner.to_string(),
            format!("the profile wants {rtype} records at {owner}, which this provider cannot store: left out"),
            "take the key out of the profile, or ask for it in the domain to make it an error",
            "docs/configuration.md",
        );
        self.note(owner, merged.parts().first().map(|part| part.claim), finding);
        self.counts.unchanged += u64::from(merged.live().is_some());
        self.left_out.push(RRsetKey { name: owner.clone(), rtype });
        true
    }

    fn planned_change(&mut self, merged: &Merged<'a>) -> Option<PlannedChange> {
        let Some(change) = merged.change() else {
            self.counts.unchanged += u64::from(merged.after().is_some());
            return None;
        };
        self.check(&change);
        let action = match (change.before(), change.after()) {
            (None, _) => Action::Create,
            (_, None) => Action::Delete,
            _ => Action::Update,
        };
        let mut class: Option<Class> = None;
        let mut details = Vec::new();
        let mut relies_on = Vec::new();
        for part in merged.parts() {
            let want: Vec<&Rdata> = part.want.iter().collect();
            let different = part.equality == Equality::Different;
            let difference = match kind(part.claim.slot.kind) {
                Some(kind) if different => kind.difference(&part.claim.owner, &part.before, &want),
                Some(_) if self.input.normalize && part.equality != Equality::Identical => {
                    Difference { class: Class::Cosmetic, details: vec![spelling_detail(&part.before, &want)] }
                }
                _ => Difference::NONE,
            };
            if different {
                class = Some(class.map_or(difference.class, |c| c.and(difference.class)));
                if part.claim.relies_always || takes_away(part.claim.slot.kind, &want, difference.class) {
                    relies_on.extend(part.claim.relies_on.iter().cloned());
                }
            } else if difference.class == Class::Cosmetic {
                class = Some(class.map_or(Class::Cosmetic, |c| c.and(Class::Cosmetic)));
            }
            details.extend(difference.details);
        }
        if let (Some(before), Some(after)) = (change.before(), change.after())
            && before.ttl != after.ttl
        {
            let text = |ttl: Option<Ttl>| ttl.map_or_else(|| "automatic".to_owned(), |ttl| ttl.to_string());
            details.push(Detail::changed("ttl", text(before.ttl), text(after.ttl)));
        }
        relies_on.sort();
        relies_on.dedup();
        let slots: BTreeSet<Slot> = merged.parts().iter().map(|part| part.claim.slot.clone()).collect();
        Some(PlannedChange {
            action,
            slots: slots.into_iter().collect(),
            kept: merged.kept().iter().map(|value| value.rdata.clone()).collect(),
            class: class.unwrap_or(Class::Neutral),
            reason: reason(action, merged, &details),
            details,
            needs: Vec::new(),
            stage: 1,
            relies_on,
            with_next: false,
            change,
        })
    }

    /// Guards, lints, near misses and remarks on one merged set.
    fn explain(&mut self, owner: &Name, merged: &Merged<'_>) {
        let changed = merged.is_changed();
        for part in merged.parts() {
            let Some(kind) = kind(part.claim.slot.kind) else { continue };
            let facts = self.facts.get(&part.claim.domain).copied();
            let mut found: Vec<Finding> = Vec::new();
            let want: Vec<&Rdata> = part.want.iter().collect();
            if part.equality == Equality::Different && changed {
                found.extend(kind.guards(owner, &part.before, &want));
                found.extend(guard::of_part(part, merged, facts));
                found.retain(|finding| guard::concerns(finding, facts));
            }
            let changes = part.equality == Equality::Different;
            let (before, after) = if kind.id() == KindId::Spf {
                // Sizes, and texts that were meant to be SPF, are a matter of the whole set.
                (values_of(merged.live()), values_of(merged.after()))
            } else {
                (part.before.clone(), want.clone())
            };
            let lints = kind.lint(owner, &before);
            // Without a difference all of them are `present`, as they come.
            found.extend(if changes { with_effect(lints, kind.lint(owner, &after)) } else { lints });
            if !found.iter().any(|finding| finding.code == "GUARD-NEAR") {
                found.extend(guard::near_miss_note(part, merged));
            }
            if part.equality == Equality::Equivalent && !self.input.normalize {
                found.push(Finding::new(
                    "EQUIVALENT",
                    Severity::Info,
                    owner.to_string(),
                    format!("the live {} value has the same effect by another way, and stays", part.claim.slot),
                    "--normalize rewrites it",
                    "docs/safety.md",
                ));
            }
            for finding in found {
                self.note(owner, Some(part.claim), finding);
            }
        }
        if let Some((asked, stored)) = merged.rounded_ttl() {
            let finding = Finding::new(
                "TTL-NEAREST",
                Severity::Info,
                owner.to_string(),
                format!("the provider stores a TTL of {stored} s where {asked} s is asked for"),
                "ask for a TTL that the provider stores",
                "docs/safety.md",
            );
            self.note(owner, merged.parts().first().map(|part| part.claim), finding);
        }
    }

    fn note(&mut self, owner: &Name, claim: Option<&Claim>, finding: Finding) {
        let domain = match claim {
            Some(claim) => Some(claim.domain.clone()),
            None => self.nearest(owner).cloned(),
        };
        self.findings.push(Noted { owner: owner.clone(), domain, finding });
    }

    /// The nearest configured domain at or above a name.
    fn nearest(&self, name: &Name) -> Option<&'a Name> {
        let mut at = Some(name.clone());
        while let Some(candidate) = at {
            if let Some((domain, _)) = self.facts.get_key_value(&candidate) {
                return Some(domain);
            }
            at = candidate.parent();
        }
        None
    }

    /// Whether a domain was selected; what is of no configured domain goes with any.
    fn is_selected(&self, domain: Option<&Name>) -> bool {
        let Some(only) = self.input.only else { return true };
        domain.is_none_or(|domain| only.contains(domain) || !self.facts.contains_key(domain))
    }

    /// Leaves only what the selected domains ask for. All claims were planned, so that nothing of another
    /// domain is taken for foreign or for unmanaged.
    fn select(&mut self) {
        if self.input.only.is_none() {
            return;
        }
        let mut changes = std::mem::take(&mut self.changes);
        let asked =
            |change: &PlannedChange| change.slots.iter().any(|slot| self.is_selected(self.nearest(&slot.domain)));
        let keep: Vec<bool> = changes.iter().map(asked).collect();
        let mut at = 0;
        changes.retain(|_| {
            at += 1;
            keep[at - 1]
        });
        let mut findings = std::mem::take(&mut self.findings);
        findings.retain(|noted| self.is_selected(noted.domain.as_ref()));
        let mut unmanaged = std::mem::take(&mut self.unmanaged);
        unmanaged.retain(|entry| self.is_selected(self.nearest(&entry.slot.domain)));
        let mut targets = std::mem::take(&mut self.targets);
        targets.retain(|target| target.claims.iter().any(|claim| self.is_selected(Some(&claim.domain))));
        let changed: HashSet<RRsetKey> = changes.iter().map(PlannedChange::key).collect();
        let settled = |target: &&Target| {
            !changed.contains(&target.key) && self.input.snapshot.get(&target.key.name, target.key.rtype).is_some()
        };
        self.counts.unchanged = targets.iter().filter(settled).count() as u64;
        self.counts.unmanaged = unmanaged.len() as u64;
        (self.changes, self.findings, self.unmanaged, self.targets) = (changes, findings, unmanaged, targets);
    }

    /// What the provider is expected to do to foreign sets by itself when these changes are written.
    fn side_effects(&mut self) {
        let Some(provider) = self.input.provider.filter(|_| !self.changes.is_empty()) else { return };
        let changes: Vec<RRsetChange> = self.changes.iter().map(|planned| planned.change.clone()).collect();
        for expected in provider.side_effects(self.input.snapshot, &changes) {
            let finding = guard::side_effect(provider.id(), &expected);
            self.note(&expected.key.name, None, finding);
        }
    }

    /// Collects what the provider refuses.
    fn check(&mut self, change: &RRsetChange) {
        let refusals = self.refusals_of(change);
        self.refusals.extend(join(refusals));
    }

    fn refusals_of(&self, change: &RRsetChange) -> Vec<Refusal> {
        match self.input.provider {
            Some(provider) => provider.refuse(change),
            None => self.input.capabilities.refuse(change),
        }
    }

    /// Counts every live set, and finds the slots that nobody manages.
    fn survey(&mut self) {
        let mut values: Vec<&Rdata> = Vec::new();
        for set in self.input.snapshot.rrsets() {
            if !self.claimed.is_empty() && self.claimed.contains(&set.key()) {
                continue;
            }
            let unmanaged = if may_be_slot(set.rtype) {
                values.clear();
                values.extend(set.values.iter().map(|value| &value.rdata));
                self.unmanaged_slots(&set.name, set.rtype, &values)
            } else {
                Vec::new()
            };
            if unmanaged.is_empty() {
                self.counts.foreign += 1;
            } else {
                self.counts.unmanaged += 1;
                self.unmanaged.extend(unmanaged);
            }
        }
        self.unmanaged.sort();
        self.unmanaged.dedup();
    }

    /// The slots among these values that the configuration does not mention.
    fn unmanaged_slots(&self, name: &Name, rtype: RecordType, values: &[&Rdata]) -> Vec<Unmanaged> {
        if values.is_empty() || !may_be_slot(rtype) {
            return Vec::new();
        }
        let mut slots = slots_of(name, rtype, values);
        slots.retain(|slot| !self.mentioned.contains(slot));
        let configured = self.facts.keys().copied().filter(|domain| name.is_at_or_below(domain));
        let nearest = configured.max_by_key(|domain| domain.label_count()).unwrap_or(self.apex);
        let entry = |slot: Slot| {
            let key = RRsetKey { name: name.clone(), rtype };
            Unmanaged {
                removal: removal_line(&slot, &key, nearest),
                formerly: self.formerly.contains(&slot),
                key,
                slot,
            }
        };
        slots.into_iter().map(entry).collect()
    }

    fn finish(mut self) -> ZonePlan {
        let zone = self.input.zone;
        for (owner, finding) in guard::of_zone(&self.changes, zone) {
            self.note(&owner, None, finding);
        }
        self.select();
        self.side_effects();
        for Guarded { key, domain, finding } in self.input.guards {
            if self.changes.iter().any(|change| change.key() == *key) {
                let (owner, domain, finding) = (key.name.clone(), domain.clone(), finding.clone());
                self.findings.push(Noted { owner, domain, finding });
            }
        }
        for change in &self.changes {
            match change.action {
                Action::Create => self.counts.create += 1,
                Action::Update => self.counts.update += 1,
                Action::Delete => self.counts.delete += 1,
            }
        }
        if let mailzone_provider::Access::ReadOnly { reason, remedy } = &zone.access
            && !self.changes.is_empty()
        {
            let message = format!("the zone cannot be written: {reason}");
            self.refusals.push(Refusal { message, remedy: remedy.to_string() });
        }
        let mut findings = Vec::new();
        let mut allowed = Vec::new();
        for Noted { owner, domain, mut finding } in self.findings {
            let covers = |allow: &Allow| allow.covers(&finding, &owner, domain.as_ref(), &zone.name);
            if self.input.allow.iter().any(covers) {
                allowed.push(finding);
                continue;
            }
            if guard::stops(&finding) {
                finding.remedy = guard::allow_line(&finding, &owner);
            }
            findings.push(finding);
        }
        findings.sort();
        findings.dedup();
        allowed.sort();
        allowed.dedup();
        let error = join(self.refusals).map(|refusal| ZoneError {
            kind: ZoneErrorKind::Refused,
            message: refusal.message,
            remedy: refusal.remedy,
        });
        // The plans of all zones are kept until the last is made; what grew one by one has room for twice as much.
        for change in &mut self.changes {
            change.slots.shrink_to_fit();
            change.details.shrink_to_fit();
            change.relies_on.shrink_to_fit();
        }
        self.changes.shrink_to_fit();
        self.targets.shrink_to_fit();
        findings.shrink_to_fit();
        ZonePlan {
            zone: zone.clone(),
            changes: self.changes,
            findings,
            allowed,
            unmanaged: self.unmanaged,
            error,
            targets: self.targets,
            left_out: self.left_out,
            counts: self.counts,
            apex: Apex::of(self.input.snapshot, &zone.name),
        }
    }
}

/// The TTLs that can be asked for: a service that sets the PTR of single addresses knows none.
fn ttl_range(input: &ZoneInput<'_>) -> TtlRange {
    let own = input.capabilities.ttl;
    if reverse::address_of(input.zone).is_some() { TtlRange { per_rrset: false, ..own } } else { own }
}

/// Whether a change tightens or takes away, so that it waits for what its claim relies on. DMARC waits also when
/// it is loosened in another tag at once: no guard covers the step above `none`. A DKIM key that is tightened
/// still verifies, so no other selector has to be there first.
fn takes_away(kind: KindId, want: &[&Rdata], class: Class) -> bool {
    let tightens = match kind {
        KindId::Dkim => false,
        KindId::Dmarc => matches!(class, Class::Tightens | Class::Mixed),
        _ => class == Class::Tightens,
    };
    want.is_empty() || tightens || class == Class::Breaks
}

/// Two slots that want different things of the same values.
fn disputed(owner: &Name, rtype: RecordType, claims: &[&Claim]) -> Option<Refusal> {
    for (i, a) in claims.iter().enumerate() {
        for b in &claims[i + 1..] {
            let overlap = a.want.iter().any(|value| b.owns(value) && !b.want.contains(value))
                || b.want.iter().any(|value| a.owns(value) && !a.want.contains(value));
            let ttls = a.ttl.is_some() && b.ttl.is_some() && a.ttl != b.ttl;
            if overlap {
                return Some(Refusal {
                    message: format!("{} and {} want different {rtype} records at {owner}", a.slot, b.slot),
                    remedy: "keep one of the two in the configuration".into(),
                });
            }
            if ttls {
                return Some(Refusal {
                    message: format!(
                        "{} and {} want different TTLs of {rtype} at {owner}: an RRset has one",
                        a.slot, b.slot
                    ),
                    remedy: "give both the same TTL, or only one of them".into(),
                });
            }
        }
    }
    None
}

/// Before and after compared: what stays is present, what comes is caused, what goes is cured.
fn with_effect(before: Vec<Finding>, after: Vec<Finding>) -> Vec<Finding> {
    let same = |a: &Finding, b: &Finding| a.code == b.code && a.subject == b.subject && a.message == b.message;
    let cured: Vec<Finding> = before
        .iter()
        .filter(|old| !after.iter().any(|new| new.code == old.code && new.subject == old.subject))
        .map(|old| Finding { effect: Effect::Cured, ..old.clone() })
        .collect();
    let kept = after.into_iter().map(|new| {
        let effect = if before.iter().any(|old| same(old, &new)) { Effect::Present } else { Effect::Caused };
        Finding { effect, ..new }
    });
    kept.chain(cured).collect()
}

/// The values in an order of their own: a service may list them in another each time.
fn values_of(set: Option<&RRset>) -> Vec<&Rdata> {
    let mut values: Vec<&Rdata> = set.into_iter().flat_map(|set| &set.values).map(|value| &value.rdata).collect();
    values.sort_by(|a, b| in_order(a, b));
    values
}

fn first_value(set: &RRset) -> String {
    set.values.first().map(|value: &Value| value.rdata.to_string()).unwrap_or_default()
}

fn spelling_detail(before: &[&Rdata], after: &[&Rdata]) -> Detail {
    let text = |values: &[&Rdata]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Detail::changed("spelling", text(before), text(after))
}

fn reason(action: Action, merged: &Merged<'_>, details: &[Detail]) -> String {
    let slots: BTreeSet<String> = merged.parts().iter().map(|part| part.claim.slot.to_string()).collect();
    let slots = slots.into_iter().collect::<Vec<_>>().join(", ");
    match action {
        Action::Create => format!("{slots}: not there yet"),
        Action::Delete => format!("{slots}: shall be absent"),
        Action::Update if details.iter().all(|detail| detail.term == "ttl") => format!("{slots}: another TTL"),
        Action::Update => format!("{slots}: differs from the configuration"),
    }
}

fn join(refusals: Vec<Refusal>) -> Option<Refusal> {
    let mut refusals = refusals.into_iter();
    let mut first = refusals.next()?;
    for refusal in refusals {
        if !first.message.contains(&refusal.message) {
            first.message = format!("{}; {}", first.message, refusal.message);
        }
        if !first.remedy.contains(&refusal.remedy) {
            first.remedy = format!("{}; {}", first.remedy, refusal.remedy);
        }
    }
    Some(first)
}
