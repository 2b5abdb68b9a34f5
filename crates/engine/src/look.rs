//! What a plan rests on outside its zones, looked up before it is shown (`design.md` section 4). Gives findings,
//! never changes: a plan is the same without it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use mailzone_audit::{Area, Audit, Open, Subject, Wish, audit, changes, keys_of_all, published_keys, unchecked};
use mailzone_mailauth::lookup::{Answer, Answers, Lookup};
use mailzone_mailauth::{Effect, Finding, KindId, Severity};
use mailzone_observe::Observer;
use mailzone_plan::{Allow, ZonePlan, allow_line, stops};
use mailzone_record::{Name, RRsetKey, RecordType};
use tokio::time::Instant;

use crate::plan::{PlanRun, PlannedZone};
use crate::records::{Records, View};

/// How long looking may take altogether.
pub const LIMIT: Duration = Duration::from_secs(5);

/// Rounds of asking: an answer can open a further question (an alias, an include) so many times.
const ROUNDS: usize = 24;

/// What is looked up with, and for whom.
#[derive(Debug)]
pub struct Look {
    /// Who asks; `None`: nobody, only what the zones themselves say is judged.
    pub observer: Option<Observer>,
    /// Why what is open was not looked up: "--no-look was given".
    pub why: String,
    /// What to do about it.
    pub remedy: String,
    /// The domains to judge.
    pub subjects: Vec<Judged>,
    /// Seconds since 1970.
    pub now: i64,
    /// RRsets that were written earlier: when, and the values that were left there, sorted
    /// ([`crate::journal::written`]).
    pub written: BTreeMap<RRsetKey, (i64, Vec<String>)>,
}

/// Rules about a change that a guard of the planner tells already, where it stands at the same name.
const GUARDED: [(&str, &str); 4] = [
    ("DKIM-10", "GUARD-DKIM-REPLACED"),
    ("DKIM-11", "GUARD-DKIM-REMOVED"),
    ("DANE-07", "GUARD-TLSA"),
    ("MX-10", "GUARD-STS"),
];

/// A configured domain as the rules see it.
#[derive(Debug)]
pub struct Judged {
    /// What is judged.
    pub subject: Subject,
    /// The kinds that its configuration names: of others only what the plan changes is told.
    pub kinds: BTreeSet<KindId>,
    /// Severities that its configuration sets; `None` leaves a finding out.
    pub severities: BTreeMap<String, Option<Severity>>,
}

/// The zones of a run over what was looked up; the deepest zone that holds a name decides.
struct World<'a> {
    zones: HashMap<&'a Name, View<'a>>,
    base: &'a Answers,
}

impl<'a> World<'a> {
    fn before(run: &'a PlanRun, base: &'a Answers) -> Self {
        Self::of(run, base, |zone, records| View::before(&zone.plan.zone.name, records))
    }

    fn after(run: &'a PlanRun, base: &'a Answers) -> Self {
        Self::of(run, base, |zone, records| View::after(&zone.plan.zone.name, records, &zone.plan.changes))
    }

    fn of(run: &'a PlanRun, base: &'a Answers, view: fn(&'a PlannedZone, &'a Records) -> View<'a>) -> Self {
        let mut zones: HashMap<&Name, View<'a>> = HashMap::new();
        let mut twice: HashSet<&Name> = HashSet::new();
        for zone in &run.zones {
            let Some(records) = &zone.records else { continue };
            if zones.insert(&zone.plan.zone.name, view(zone, records)).is_some() {
                twice.insert(&zone.plan.zone.name);
            }
        }
        // Held by two providers: which of them is served only the DNS knows.
        zones.retain(|name, _| !twice.contains(name));
        Self { zones, base }
    }
}

impl World<'_> {
    /// What was looked up. That nobody answered decides nothing: it stays open, and is told.
    fn outside(&self, name: &Name, rtype: RecordType) -> Answer {
        match self.base.lookup(name, rtype) {
            Answer::TempError => Answer::Unknown,
            known => known,
        }
    }
}

impl Lookup for World<'_> {
    fn lookup(&self, name: &Name, rtype: RecordType) -> Answer {
        let mut at = Some(name.clone());
        while let Some(apex) = at {
            if let Some(zone) = self.zones.get(&apex) {
                return match zone.lookup(name, rtype) {
                    Answer::Unknown => self.outside(name, rtype),
                    known => known,
                };
            }
            at = apex.parent();
        }
        self.outside(name, rtype)
    }
}

/// Judges the domains of a run as they are and as they will be, looks up what that takes, and adds what is found to
/// the plans of their zones. Ends after [`LIMIT`]; what is not known then is said to be unchecked.
pub async fn look(run: &mut PlanRun, look: &Look, allow: &[Allow]) {
    let zone_of: HashMap<Name, usize> = run
        .zones
        .iter()
        .enumerate()
        .filter(|(_, zone)| zone.plan.error.is_none())
        .flat_map(|(at, zone)| zone.domains.iter().map(move |domain| (domain.clone(), at)))
        .collect();
    let judged: Vec<(&Judged, usize)> =
        look.subjects.iter().filter_map(|judged| Some((judged, *zone_of.get(&judged.subject.domain)?))).collect();
    let (audits, keys) = audits(run, look, &judged).await;
    // What the planner itself found has its severity from the domain that it is nearest to.
    let by_name: HashMap<&Name, &Judged> = look.subjects.iter().map(|j| (&j.subject.domain, j)).collect();
    let weighed = |finding: Finding| match nearest(&finding.subject, &by_name) {
        Some(judged) => judged.weigh(finding),
        None => Some(finding),
    };
    let lists = run.zones.iter_mut().map(|zone| &mut zone.plan.findings).chain([&mut run.findings]);
    lists.for_each(|list| *list = std::mem::take(list).into_iter().filter_map(weighed).collect());
    let general: HashSet<(String, String)> = run.findings.iter().map(key).collect();
    for ((judged, at), (before, after, changed)) in judged.into_iter().zip(audits) {
        let Some(zone) = run.zones.get_mut(at) else { continue };
        let domain = &judged.subject.domain;
        let of_keys = keys.iter().filter(|(of, _)| of == domain).map(|(_, finding)| finding.clone());
        let changed = changed.into_iter().chain(of_keys).collect();
        let found = effects(judged, before, after, changed, look);
        let new = found.into_iter().filter(|finding| !general.contains(&key(finding)));
        tell(&mut zone.plan, judged, new, allow);
    }
    for zone in &mut run.zones {
        zone.records = None;
        zone.plan.findings.sort();
        zone.plan.findings.dedup();
        zone.plan.allowed.sort();
        zone.plan.allowed.dedup();
    }
    // What the configuration alone shows is said once: by the zone, which knows more of it.
    let of_zones = run.zones.iter().flat_map(|zone| zone.plan.findings.iter().chain(&zone.plan.allowed));
    let said: HashSet<(String, String)> = of_zones.map(key).collect();
    run.findings.retain(|finding| finding.code == "UNCHECKED" || !said.contains(&key(finding)));
}

/// Before the plan, after it, and what the step from one to the other does.
type Audits = (Audit, Audit, Vec<Finding>);

/// What each domain comes to, and what the keys of all show that the plan brings, with their domains.
async fn audits(run: &PlanRun, look: &Look, judged: &[(&Judged, usize)]) -> (Vec<Audits>, Vec<(Name, Finding)>) {
    let deadline = Instant::now() + LIMIT;
    let mut known = look.observer.as_ref().map(Observer::known).unwrap_or_default();
    known.facts.now = look.now;
    let mut asked: BTreeSet<Wish> = BTreeSet::new();
    let mut done: Vec<Option<Audits>> = judged.iter().map(|_| None).collect();
    let mut open: Vec<usize> = (0..judged.len()).collect();
    let subjects = with_ages(run, look, judged);
    for round in 0..=ROUNDS {
        let mut wishes: BTreeSet<Wish> = BTreeSet::new();
        {
            let before = World::before(run, &known.answers);
            let after = World::after(run, &known.answers);
            for &at in &open {
                let subject = subjects[at].as_ref();
                let audits = (
                    needed(audit(subject, &known.facts, &before), &mut wishes),
                    needed(audit(subject, &known.facts, &after), &mut wishes),
                    changes(&before, &after, subject),
                );
                done[at] = Some(audits);
            }
        }
        let Some(observer) = look.observer.as_ref().filter(|_| round < ROUNDS) else { break };
        wishes.retain(|wish| asked.insert(wish.clone()));
        if wishes.is_empty() || Instant::now() >= deadline {
            break;
        }
        observer.fulfil(wishes, &mut known, deadline).await;
        open.retain(|&at| {
            done[at].as_ref().is_some_and(|(before, after, _)| !before.open.is_empty() || !after.open.is_empty())
        });
    }
    let keys = keys(run, judged, &known.answers);
    // Each was judged in the first round.
    (done.into_iter().flatten().collect(), keys)
}

/// An audit without what a plan does not tell, its wishes moved to those of all: all domains' audits are held at once.
fn needed(mut audit: Audit, wishes: &mut BTreeSet<Wish>) -> Audit {
    wishes.extend(audit.open.iter_mut().flat_map(|open| std::mem::take(&mut open.wishes)));
    Audit { notes: Vec::new(), measures: BTreeMap::new(), ..audit }
}

/// The subjects, with the ages of what stands since an earlier run as that run left it.
fn with_ages<'a>(run: &PlanRun, look: &Look, judged: &[(&'a Judged, usize)]) -> Vec<Cow<'a, Subject>> {
    let nothing = Answers::default();
    let live = World::before(run, &nothing);
    let mut ages: HashMap<&Name, BTreeMap<RRsetKey, i64>> = HashMap::new();
    let by_name: HashMap<&Name, &Judged> = judged.iter().map(|(judged, _)| (&judged.subject.domain, *judged)).collect();
    for (key, (at, values)) in &look.written {
        let Answer::Records(found, _) = live.lookup(&key.name, key.rtype) else { continue };
        let mut found: Vec<String> = found.iter().map(ToString::to_string).collect();
        found.sort();
        if found == *values
            && let Some(judged) = nearest(&key.name.to_string(), &by_name)
        {
            ages.entry(&judged.subject.domain).or_default().insert(key.clone(), *at);
        }
    }
    let mut subject = |(judged, _): &(&'a Judged, usize)| match ages.remove(&judged.subject.domain) {
        Some(since) => Cow::Owned(Subject { since, ..judged.subject.clone() }),
        None => Cow::Borrowed(&judged.subject),
    };
    judged.iter().map(&mut subject).collect()
}

/// What the DKIM keys of all domains together show once the plan is carried out, and do not before.
fn keys(run: &PlanRun, judged: &[(&Judged, usize)], answers: &Answers) -> Vec<(Name, Finding)> {
    let subjects = || judged.iter().map(|(judged, _)| &judged.subject);
    let before = keys_of_all(&published_keys(subjects(), &World::before(run, answers)));
    let after = keys_of_all(&published_keys(subjects(), &World::after(run, answers)));
    let old: HashSet<(String, String)> = before.iter().map(key).collect();
    let by_name: HashMap<&Name, &Judged> = judged.iter().map(|(judged, _)| (&judged.subject.domain, *judged)).collect();
    let new = after.into_iter().filter(|finding| !old.contains(&key(finding)));
    new.filter_map(|finding| Some((nearest(&finding.subject, &by_name)?.subject.domain.clone(), finding))).collect()
}

/// What two audits found, with its effect: what the plan brings and takes, what stays in the areas that the
/// configuration names, and what was not looked up there.
fn effects(judged: &Judged, before: Audit, after: Audit, changed: Vec<Finding>, look: &Look) -> Vec<Finding> {
    let named: Vec<Open> = after.open.iter().filter(|open| judged.names(open.area)).cloned().collect();
    let unknown: Vec<Finding> = unchecked(&judged.subject.domain, &named, &look.why, &look.remedy).collect();
    let old: HashSet<(String, String)> = before.findings.iter().map(|(_, finding)| key(finding)).collect();
    let new: HashSet<(String, String)> = after.findings.iter().map(|(_, finding)| key(finding)).collect();
    // While something of the area is open before, what is found after may have been there all along; and the other way round.
    let open = |audit: &Audit| audit.open.iter().map(|open| open.area).collect::<BTreeSet<Area>>();
    let (open_before, open_after) = (open(&before), open(&after));
    let cured = before
        .findings
        .into_iter()
        .filter(|(area, finding)| !open_after.contains(area) && !new.contains(&key(finding)))
        .map(|(area, finding)| (area, Finding { effect: Effect::Cured, ..finding }));
    let rest = after.findings.into_iter().map(|(area, finding)| {
        let present = old.contains(&key(&finding)) || open_before.contains(&area);
        (area, Finding { effect: if present { Effect::Present } else { Effect::Caused }, ..finding })
    });
    let told = rest.chain(cured).filter(|(area, finding)| finding.effect != Effect::Present || judged.names(*area));
    let changed = changed.into_iter().map(|finding| Finding { effect: Effect::Caused, ..finding });
    told.map(|(_, finding)| finding).chain(changed).chain(unknown).collect()
}

/// Adds findings to a plan: without what is said there already, what is waived apart.
fn tell(plan: &mut ZonePlan, judged: &Judged, found: impl Iterator<Item = Finding>, allow: &[Allow]) {
    let domain = &judged.subject.domain;
    let said: HashSet<(String, String)> = plan.findings.iter().chain(&plan.allowed).map(key).collect();
    let guarded = |finding: &Finding| {
        let guard = GUARDED.iter().find(|(code, _)| *code == finding.code).map(|(_, guard)| (*guard).to_owned());
        guard.is_some_and(|guard| said.contains(&(guard, key(finding).1)))
    };
    for finding in found.filter_map(|finding| judged.weigh(finding)) {
        if (said.contains(&key(&finding)) && finding.code != "UNCHECKED") || guarded(&finding) {
            continue;
        }
        let owner = Name::parse(&finding.subject).unwrap_or_else(|_| domain.clone());
        let finding = match stops(&finding) {
            true => Finding { remedy: allow_line(&finding, &owner), ..finding },
            false => finding,
        };
        if allow.iter().any(|allow| allow.covers(&finding, &owner, Some(domain), &plan.zone.name)) {
            plan.allowed.push(finding);
        } else {
            plan.findings.push(finding);
        }
    }
}

/// The judged domain at or above the name that a finding is about.
fn nearest<'a>(subject: &str, domains: &HashMap<&Name, &'a Judged>) -> Option<&'a Judged> {
    let mut at = Name::parse(subject).ok();
    while let Some(name) = at {
        if let Some(judged) = domains.get(&name) {
            return Some(judged);
        }
        at = name.parent();
    }
    None
}

/// What makes two findings the same one: the message may tell another figure.
fn key(finding: &Finding) -> (String, String) {
    (finding.code.clone(), finding.subject.trim_end_matches('.').to_ascii_lowercase())
}

impl Judged {
    /// A domain that no configuration names.
    pub fn of(subject: Subject) -> Self {
        Self { subject, kinds: BTreeSet::new(), severities: BTreeMap::new() }
    }

    /// Whether the configuration says something of this area.
    pub fn names(&self, area: Area) -> bool {
        let kinds: &[KindId] = match area {
            Area::Mx | Area::Smtp => &[KindId::Mx],
            Area::Ptr => &[KindId::Ptr, KindId::Hosts],
            Area::Spf => &[KindId::Spf],
            Area::Dkim => &[KindId::Dkim],
            Area::Dmarc => &[KindId::Dmarc, KindId::ReportAuthorisation],
            Area::MtaSts => &[KindId::MtaSts],
            Area::TlsRpt => &[KindId::TlsRpt],
            Area::Dane => &[KindId::Tlsa],
            Area::Bimi => &[KindId::Bimi],
            Area::Caa => &[KindId::Caa],
            Area::ClientSettings => &[KindId::ClientSettings],
            Area::Parked | Area::Bulk => return true,
            Area::Delegation | Area::Dnssec | Area::Blocklists => return false,
        };
        kinds.iter().any(|kind| self.kinds.contains(kind))
    }

    /// The finding with the severity that the configuration gives it; `None` where it is switched off. Guards and
    /// what was not looked up stay.
    pub fn weigh(&self, mut finding: Finding) -> Option<Finding> {
        match self.severities.get(&finding.code) {
            Some(None) => return None,
            Some(Some(severity)) => finding.severity = *severity,
            None => {}
        }
        Some(finding)
    }
}
