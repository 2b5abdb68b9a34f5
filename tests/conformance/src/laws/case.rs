//! A random zone and a random batch, as text that can become a test.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use mailzone_provider::TtlRange;
use mailzone_record::{Name, RRset, RRsetKey, Rdata, Ttl, Value, parse_rdata_text};

use super::data;
use super::dice::Dice;

/// One set as it shall be: `OWNER TTL TYPE` and its values, none to have no set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) owner: String,
    pub(super) ttl: Option<u32>,
    pub(super) rtype: String,
    pub(super) values: Vec<String>,
}

/// What one round is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Case {
    /// `OWNER TTL TYPE DATA`.
    pub(super) zone: Vec<String>,
    /// What is asked for, in the order of the batch.
    pub(super) batch: Vec<Wish>,
    /// What somebody else makes of a set of the batch: the batch is stale.
    pub(super) stranger: Option<Wish>,
    /// What somebody else makes of another set while the batch is under way: nothing is stale.
    pub(super) beside: Option<Wish>,
}

/// What a service holds and takes of what is made up here.
pub(super) struct Limits<'a> {
    pub(super) origin: Name,
    pub(super) ttl: TtlRange,
    pub(super) held: &'a (dyn Fn(&RRset) -> bool + Send + Sync),
    pub(super) sent: &'a (dyn Fn(&RRset) -> bool + Send + Sync),
}

/// Types that stand at most names, by how often they do.
const COMMON: &[&str] = &["TXT", "TXT", "TXT", "TXT", "A", "A", "AAAA", "MX", "MX", "CAA", "TLSA", "PTR"];
/// Types that mailzone does not write by itself.
const FOREIGN: &[&str] = &["SSHFP", "HINFO", "NAPTR", "HTTPS", "TYPE65280"];

/// The zone while it is made: sets by key.
type Model = BTreeMap<RRsetKey, Wish>;

impl Limits<'_> {
    fn key(&self, owner: &str, rtype: &str) -> Option<RRsetKey> {
        Some(RRsetKey { name: Name::parse_in(owner, Some(&self.origin)).ok()?, rtype: rtype.parse().ok()? })
    }

    fn ttl(&self, dice: &mut Dice) -> Option<u32> {
        let ttl = Ttl::from_secs(*dice.pick(&[60, 300, 300, 3600, 3600, 86_400, 7_200, 86_399]).unwrap_or(&3600))?;
        self.ttl.nearest(ttl).map(Ttl::as_secs)
    }

    /// Up to `count` different values that the service has room for.
    fn values(&self, dice: &mut Dice, owner: &str, rtype: &str, count: usize, sent: bool) -> Vec<String> {
        let mut values = Vec::new();
        for _ in 0..count * 2 {
            let text = data::data(dice, rtype);
            if values.len() < count && self.fits(owner, rtype, &text, sent) && !knows(&values, rtype, &text) {
                values.push(text);
            }
        }
        values
    }

    fn fits(&self, owner: &str, rtype: &str, text: &str, sent: bool) -> bool {
        let Some(key) = self.key(owner, rtype) else { return false };
        let Some(rdata) = rdata(rtype, text) else { return false };
        let set = RRset::new(key.name, key.rtype, Ttl::from_secs(3600), vec![Value::from(rdata)]);
        (if sent { self.sent } else { self.held })(&set)
    }
}

fn rdata(rtype: &str, text: &str) -> Option<Rdata> {
    parse_rdata_text(rtype.parse().ok()?, text, None).ok()
}

fn knows(values: &[String], rtype: &str, text: &str) -> bool {
    let wanted = rdata(rtype, text);
    values.iter().any(|known| rdata(rtype, known) == wanted)
}

impl Case {
    /// The case of these numbers.
    pub(super) fn random(dice: &mut Dice, limits: &Limits<'_>) -> Self {
        let zone = random_zone(dice, limits);
        let mut case = Self { zone: lines(&zone, dice), ..Self::default() };
        let mut after = zone.clone();
        let mut taken = BTreeSet::new();
        for _ in 0..dice.between(1, 7) {
            case.batch.extend(wishes(dice, limits, &zone, &mut after, &mut taken));
        }
        if dice.once_in(3) {
            case.stranger = stranger(dice, limits, &zone, &case.batch);
        }
        if dice.once_in(3) {
            case.beside = beside(dice, limits, &after, &taken);
        }
        case
    }

    /// Smaller cases, the much smaller ones first.
    pub(super) fn smaller(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for cases in [8, 3, 1] {
            let size = self.zone.len().div_ceil(cases).max(1);
            for start in (0..self.zone.len()).step_by(size) {
                let kept = self.zone.iter().enumerate().filter(|(at, _)| !(start..start + size).contains(at));
                all.push(Self { zone: kept.map(|(_, line)| line.clone()).collect(), ..self.clone() });
            }
        }
        for at in 0..self.zone.len() {
            let kept = self.zone.iter().enumerate().filter(|(other, _)| *other != at);
            all.push(Self { zone: kept.map(|(_, line)| line.clone()).collect(), ..self.clone() });
        }
        let owners: BTreeSet<String> = self.batch.iter().map(|wish| wish.owner.to_ascii_lowercase()).collect();
        for owner in owners {
            let kept = self.batch.iter().filter(|wish| wish.owner.to_ascii_lowercase() != owner);
            all.push(Self { batch: kept.cloned().collect(), ..self.clone() });
        }
        for (at, wish) in self.batch.iter().enumerate() {
            let alone =
                !self.batch.iter().any(|other| other.rtype == "CNAME" && other.owner.eq_ignore_ascii_case(&wish.owner));
            if alone {
                let kept = self.batch.iter().enumerate().filter(|(other, _)| *other != at);
                all.push(Self { batch: kept.map(|(_, wish)| wish.clone()).collect(), ..self.clone() });
            }
            for value in 0..wish.values.len() {
                if wish.values.len() > 1 {
                    let mut case = self.clone();
                    case.batch.iter_mut().skip(at).take(1).for_each(|wish| drop(wish.values.remove(value)));
                    all.push(case);
                }
            }
        }
        if self.stranger.is_some() {
            all.push(Self { stranger: None, ..self.clone() });
        }
        if self.beside.is_some() {
            all.push(Self { beside: None, ..self.clone() });
        }
        all.retain(|case| case != self);
        all
    }

    /// A case from its text, which is what [`fmt::Display`] prints.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut case = Self::default();
        for line in text.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
            match line.split_once(' ')? {
                ("=", record) => case.zone.push(record.to_owned()),
                (sign, record) => {
                    let mut fields = record.splitn(4, ' ');
                    let (owner, ttl, rtype) = (fields.next()?, fields.next()?, fields.next()?);
                    let values: Vec<String> = fields.next().map(str::to_owned).into_iter().collect();
                    let wish = Wish { owner: owner.into(), ttl: ttl.parse().ok(), rtype: rtype.into(), values };
                    let list = match sign {
                        "!" => &mut case.batch,
                        "?" | "&" => {
                            let other = if sign == "?" { &mut case.stranger } else { &mut case.beside };
                            match other {
                                Some(known) => known.values.extend(wish.values),
                                None => *other = Some(wish),
                            }
                            continue;
                        }
                        _ => return None,
                    };
                    match list.iter_mut().find(|known| known.owner == wish.owner && known.rtype == wish.rtype) {
                        Some(known) => known.values.extend(wish.values),
                        None => list.push(wish),
                    }
                }
            }
        }
        Some(case)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.zone {
            writeln!(f, "= {line}")?;
        }
        let wishes = self.batch.iter().map(|wish| ('!', wish));
        let others = [('?', &self.stranger), ('&', &self.beside)];
        let others = others.into_iter().filter_map(|(sign, wish)| Some((sign, wish.as_ref()?)));
        for (sign, Wish { owner, ttl, rtype, values }) in wishes.chain(others) {
            let ttl = ttl.map_or_else(|| "-".to_owned(), |ttl| ttl.to_string());
            for value in values {
                writeln!(f, "{sign} {owner} {ttl} {rtype} {value}")?;
            }
            if values.is_empty() {
                writeln!(f, "{sign} {owner} {ttl} {rtype}")?;
            }
        }
        Ok(())
    }
}

fn random_zone(dice: &mut Dice, limits: &Limits<'_>) -> Model {
    let mut zone = Model::new();
    for _ in 0..dice.between(0, 14) {
        match dice.below(10) {
            0 => {
                let owner = data::cut(dice);
                let types: &[&str] = if dice.once_in(2) { &["NS", "DS"] } else { &["NS"] };
                types.iter().for_each(|rtype| add(dice, limits, &mut zone, owner, rtype));
            }
            1 => {
                let owner = data::service(dice);
                let rtype = if dice.once_in(2) { "SRV" } else { "TLSA" };
                add(dice, limits, &mut zone, owner, rtype);
            }
            2 => {
                let owner = data::owner(dice);
                add(dice, limits, &mut zone, owner, "CNAME");
            }
            n => {
                let owner = data::owner(dice);
                for _ in 0..dice.between(1, 3) {
                    let types = if n == 3 { FOREIGN } else { COMMON };
                    let rtype = dice.pick(types).copied().unwrap_or("TXT");
                    add(dice, limits, &mut zone, owner, rtype);
                }
            }
        }
    }
    zone
}

/// One more set, if it may stand at its name.
fn add(dice: &mut Dice, limits: &Limits<'_>, zone: &mut Model, owner: &str, rtype: &str) {
    let Some(key) = limits.key(owner, rtype) else { return };
    if zone.contains_key(&key) || !may_stand(zone, &key, &limits.origin) {
        return;
    }
    let ttl = limits.ttl(dice);
    let count = count(dice, rtype);
    let values = limits.values(dice, owner, rtype, count, false);
    if !values.is_empty() {
        // The case of a name is that of its first set.
        let first = zone.iter().find(|(other, _)| other.name == key.name).map(|(_, wish)| wish.owner.clone());
        let owner = first.unwrap_or_else(|| owner.to_owned());
        zone.insert(key, Wish { owner, ttl, rtype: rtype.to_owned(), values });
    }
}

fn count(dice: &mut Dice, rtype: &str) -> usize {
    match rtype {
        "CNAME" => 1,
        "TXT" => dice.between(1, 5),
        _ => dice.between(1, 3),
    }
}

/// A CNAME stands alone, a delegation with DS, the apex has no CNAME.
fn may_stand(zone: &Model, key: &RRsetKey, origin: &Name) -> bool {
    let kind = |rtype: &str| match rtype {
        "CNAME" => 0,
        "NS" | "DS" => 1,
        _ => 2,
    };
    let own = kind(&key.rtype.to_string());
    let others = zone.keys().filter(|other| other.name == key.name && other.rtype != key.rtype);
    let fits = |other: &RRsetKey| own != 0 && kind(&other.rtype.to_string()) == own;
    (own == 2 || key.name != *origin) && others.into_iter().all(fits)
}

/// The records, in no order.
fn lines(zone: &Model, dice: &mut Dice) -> Vec<String> {
    let mut lines = Vec::new();
    for Wish { owner, ttl, rtype, values } in zone.values() {
        let ttl = ttl.unwrap_or(3600);
        lines.extend(values.iter().map(|value| format!("{owner} {ttl} {rtype} {value}")));
    }
    dice.shuffle(&mut lines);
    lines
}

/// What a planner might ask for at one name.
fn wishes(
    dice: &mut Dice,
    limits: &Limits<'_>,
    zone: &Model,
    after: &mut Model,
    taken: &mut BTreeSet<Name>,
) -> Vec<Wish> {
    // Services want an NS beside a DS; nobody plans either part.
    let signed = |key: &&RRsetKey| zone.keys().any(|other| other.name == key.name && other.rtype.to_string() == "DS");
    let keys: Vec<&RRsetKey> = zone.keys().filter(|key| !signed(key)).collect();
    let fresh = keys.is_empty() || dice.once_in(3);
    let mut wishes = Vec::new();
    if fresh {
        let owner = if dice.once_in(5) { data::service(dice) } else { data::owner(dice) };
        let rtype =
            dice.pick(&["TXT", "TXT", "CNAME", "MX", "TLSA", "A", "SRV", "CAA", "AAAA"]).copied().unwrap_or("TXT");
        let Some(key) = limits.key(owner, rtype) else { return wishes };
        let free = !after.contains_key(&key) && may_stand(after, &key, &limits.origin);
        let count = count(dice, rtype);
        let values = limits.values(dice, owner, rtype, count, true);
        if free && !values.is_empty() && taken.insert(key.name.clone()) {
            let ttl = limits.ttl(dice);
            wishes.push(Wish { owner: owner.into(), ttl, rtype: rtype.into(), values });
        }
    } else if let Some(key) = dice.pick(&keys) {
        let Some(live) = zone.get(*key).filter(|_| taken.insert(key.name.clone())) else { return wishes };
        let owner = if dice.once_in(4) { swap_case(&live.owner) } else { live.owner.clone() };
        let others: Vec<&Wish> =
            zone.iter().filter(|(other, _)| other.name == key.name).map(|(_, wish)| wish).collect();
        let all_at_once =
            live.rtype != "CNAME" && live.owner != "@" && live.rtype != "NS" && live.rtype != "DS" && dice.once_in(5);
        let gone =
            |wish: &Wish| Wish { owner: owner.clone(), ttl: None, rtype: wish.rtype.clone(), values: Vec::new() };
        if all_at_once {
            wishes.extend(others.iter().map(|wish| gone(wish)));
            let values = limits.values(dice, &owner, "CNAME", 1, true);
            if !values.is_empty() {
                wishes.push(Wish { owner: owner.clone(), ttl: limits.ttl(dice), rtype: "CNAME".into(), values });
            }
        } else if live.rtype == "CNAME" && dice.once_in(2) {
            wishes.push(gone(live));
            for rtype in ["TXT", "A"].iter().take(dice.between(1, 2)) {
                let count = count(dice, rtype);
                let values = limits.values(dice, &owner, rtype, count, true);
                if !values.is_empty() {
                    wishes.push(Wish { owner: owner.clone(), ttl: limits.ttl(dice), rtype: (*rtype).into(), values });
                }
            }
        } else {
            wishes.push(changed(dice, limits, live, &owner));
            for other in others.iter().filter(|other| other.rtype != live.rtype) {
                if dice.once_in(3) {
                    wishes.push(changed(dice, limits, other, &owner));
                }
            }
        }
    }
    for wish in &wishes {
        if let Some(key) = limits.key(&wish.owner, &wish.rtype) {
            after.remove(&key);
            if !wish.values.is_empty() {
                after.insert(key, wish.clone());
            }
        }
    }
    wishes
}

/// The set with a value more, less, another, another TTL, or nothing of it.
fn changed(dice: &mut Dice, limits: &Limits<'_>, live: &Wish, owner: &str) -> Wish {
    let mut values = live.values.clone();
    let mut ttl = None;
    let new = |dice: &mut Dice| {
        let new = limits.values(dice, owner, &live.rtype, 1, true);
        new.into_iter().find(|new| !knows(&live.values, &live.rtype, new))
    };
    match dice.below(8) {
        0 => values.clear(),
        1 => ttl = limits.ttl(dice),
        2 | 3 if live.rtype != "CNAME" => values.extend(new(dice)),
        4 if values.len() > 1 => drop(values.remove(dice.below(live.values.len()))),
        n => {
            if let Some(new) = new(dice) {
                let at = dice.below(values.len());
                values.splice(at..=at, [new]);
            }
            if n == 5 {
                ttl = limits.ttl(dice);
            }
        }
    }
    if dice.once_in(3) {
        dice.shuffle(&mut values);
    }
    Wish { owner: owner.to_owned(), ttl, rtype: live.rtype.clone(), values }
}

fn swap_case(owner: &str) -> String {
    let swapped = |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
    owner.chars().map(swapped).collect()
}

/// Somebody else's edit of a set that the batch changes; of none that a CNAME excludes.
fn stranger(dice: &mut Dice, limits: &Limits<'_>, zone: &Model, batch: &[Wish]) -> Option<Wish> {
    let excluded = |wish: &Wish| batch.iter().any(|other| other.rtype == "CNAME" && other.owner == wish.owner);
    let open: Vec<&Wish> = batch.iter().filter(|wish| !excluded(wish)).collect();
    let wish = *dice.pick(&open)?;
    let key = limits.key(&wish.owner, &wish.rtype)?;
    edit(dice, limits, zone.get(&key), wish)
}

/// Somebody else's edit at a name that the batch does not touch.
fn beside(dice: &mut Dice, limits: &Limits<'_>, zone: &Model, taken: &BTreeSet<Name>) -> Option<Wish> {
    let open: Vec<&RRsetKey> = zone.keys().filter(|key| !taken.contains(&key.name)).collect();
    if let Some(key) = dice.pick(&open).filter(|_| !dice.once_in(4)) {
        let live = zone.get(*key)?;
        return edit(dice, limits, Some(live), live);
    }
    let values = limits.values(dice, "stranger", "TXT", 1, false);
    (!values.is_empty()).then(|| Wish { owner: "stranger".into(), ttl: Some(3600), rtype: "TXT".into(), values })
}

fn edit(dice: &mut Dice, limits: &Limits<'_>, live: Option<&Wish>, wish: &Wish) -> Option<Wish> {
    let mut values = live.map(|live| live.values.clone()).unwrap_or_default();
    let ttl = live.map_or(Some(3600), |live| live.ttl.or(Some(3600)));
    let new = limits.values(dice, &wish.owner, &wish.rtype, 1, false).pop();
    match (dice.below(4), new) {
        (0, _) if live.is_some() => values.clear(),
        (1, _) if values.len() > 1 => drop(values.pop()),
        (_, Some(new)) if !knows(&values, &wish.rtype, &new) => {
            if wish.rtype == "CNAME" {
                values.clear();
            }
            values.push(new);
        }
        _ => return None,
    }
    let owner = live.map_or(&wish.owner, |live| &live.owner).clone();
    Some(Wish { owner, ttl, rtype: wish.rtype.clone(), values })
}
