//! One RRset: what is live and what the claims want, joined so that nothing foreign can be lost.

use std::borrow::Cow;
use std::cmp::Ordering;

use mailzone_mailauth::Equality;
use mailzone_provider::{RRsetChange, TtlRange};
use mailzone_record::{Name, RRset, Rdata, RecordType, Ttl, Value};

use crate::Claim;

/// The desired state of one RRset. The only way to make one is [`Merged::new`], which carries every
/// live value that no claim owns into it; a change is made from a `Merged` alone.
#[derive(Debug)]
pub struct Merged<'a> {
    rtype: RecordType,
    live: Option<&'a RRset>,
    after: Option<Cow<'a, RRset>>,
    changed: bool,
    kept: Vec<&'a Value>,
    parts: Vec<Part<'a>>,
    rounded_ttl: Option<(Ttl, Ttl)>,
}

/// One claim's share of an RRset.
#[derive(Debug)]
pub struct Part<'a> {
    /// The claim.
    pub claim: &'a Claim,
    /// Its values before, sorted.
    pub before: Vec<&'a Rdata>,
    /// The values wanted, completed from the live ones where the claim leaves parts open.
    pub want: Cow<'a, [Rdata]>,
    /// How alike they are.
    pub equality: Equality,
}

/// How values are taken over and what the provider stores.
#[derive(Debug, Clone, Copy)]
pub struct MergeOptions {
    /// Write wanted values also over equal and equivalent ones.
    pub normalize: bool,
    /// The TTLs that the provider stores.
    pub ttl_range: TtlRange,
    /// The TTL of a new RRset when none is asked for.
    pub default_ttl: Option<Ttl>,
}

/// The TTL of a new RRset where neither configuration nor zone give one, in seconds.
const FALLBACK_TTL: Option<Ttl> = Ttl::from_secs(3600);

impl<'a> Merged<'a> {
    /// Joins the live set and the claims on it. All claims are on `name` and `rtype`.
    pub fn new(
        name: &Name,
        rtype: RecordType,
        live: Option<&'a RRset>,
        claims: &[&'a Claim],
        options: MergeOptions,
    ) -> Self {
        let live_values: &[Value] = live.map_or(&[], |set| &set.values);
        let parts: Vec<Part<'a>> = claims
            .iter()
            .map(|&claim| {
                let mut before: Vec<&Rdata> = live_values.iter().map(|v| &v.rdata).filter(|r| claim.owns(r)).collect();
                // A service may list them in another order each time; what is said of them stays the same.
                before.sort_by(|a, b| in_order(a, b));
                let equality = claim.compare(&before);
                let want = claim.want_beside(&before);
                Part { claim, before, want, equality }
            })
            .collect();
        let mut kept: Vec<&Value> =
            live_values.iter().filter(|value| !claims.iter().any(|claim| claim.owns(&value.rdata))).collect();
        kept.sort_by(|a, b| in_order(&a.rdata, &b.rdata));

        let keeps = keeps_live(&parts, live_values, options);
        let asked = if kept.is_empty() { claims.iter().find_map(|claim| claim.ttl) } else { None };
        let stored = asked.and_then(|ttl| options.ttl_range.nearest(ttl));
        if let Some(live) = live
            && keeps.iter().all(|keeps| *keeps)
            && (stored.is_none() || stored == live.ttl)
        {
            let rounded_ttl = asked.zip(stored).filter(|(asked, stored)| asked != stored);
            let after = Some(Cow::Borrowed(live));
            return Self { rtype, live: Some(live), after, changed: false, kept, parts, rounded_ttl };
        }
        let mut values: Vec<Value> = Vec::with_capacity(live_values.len() + 1);
        for value in live_values {
            // Foreign values have no owner; where slots share a set, each of them has a say.
            let mut owners = parts.iter().zip(&keeps).filter(|(part, _)| part.claim.owns(&value.rdata));
            let stays = owners.all(|(part, keeps)| *keeps || part.want.contains(&value.rdata));
            if stays {
                values.push(value.clone());
            }
        }
        for (part, _) in parts.iter().zip(&keeps).filter(|(_, keeps)| !**keeps) {
            for wanted in part.want.iter() {
                if !values.iter().any(|value| value.rdata == *wanted) {
                    values.push(Value::from(wanted.clone()));
                }
            }
        }

        let ttl = match live {
            Some(live) => stored.or(live.ttl),
            None if options.ttl_range.per_rrset => stored.or(options.default_ttl).or(FALLBACK_TTL),
            None => None,
        };
        let after = (!values.is_empty()).then(|| RRset::new(name.clone(), rtype, ttl, values));
        let changed = match (live, &after) {
            (None, None) => false,
            (Some(live), Some(after)) => !live.same_records(after),
            _ => true,
        };
        let after = after.map(Cow::Owned);
        let rounded_ttl = asked.zip(stored).filter(|(asked, stored)| asked != stored && after.is_some());
        Self { rtype, live, after, changed, kept, parts, rounded_ttl }
    }

    /// The change that leads to the desired state; `None` when there is nothing to do.
    pub fn change(&self) -> Option<RRsetChange> {
        let after = || self.after.as_deref().cloned();
        if self.changed { RRsetChange::new(self.live.cloned(), after()) } else { None }
    }

    /// Whether there is something to do.
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// The type of the set.
    pub fn rtype(&self) -> RecordType {
        self.rtype
    }

    /// The set as it is.
    pub fn live(&self) -> Option<&'a RRset> {
        self.live
    }

    /// The set as it shall be, foreign values included.
    pub fn after(&self) -> Option<&RRset> {
        self.after.as_deref()
    }

    /// The values that no claim owns, in both; sorted.
    pub fn kept(&self) -> &[&'a Value] {
        &self.kept
    }

    /// Each claim's share.
    pub fn parts(&self) -> &[Part<'a>] {
        &self.parts
    }

    /// The TTL asked for and the nearest that the provider stores, where they differ.
    pub fn rounded_ttl(&self) -> Option<(Ttl, Ttl)> {
        self.rounded_ttl
    }
}

/// An order of values that does not depend on the one received, the case of names included.
pub(crate) fn in_order(a: &Rdata, b: &Rdata) -> Ordering {
    a.cmp(b).then_with(|| a.to_string().cmp(&b.to_string()))
}

/// Whether each part's live values stay as they are. Where slots share values, one that writes such a value makes
/// the others write it too: beside the live spelling it would be a second record.
fn keeps_live(parts: &[Part<'_>], live: &[Value], options: MergeOptions) -> Vec<bool> {
    let mut keeps: Vec<bool> = parts.iter().map(|part| part.keeps_live(options)).collect();
    let is_live = |wanted: &Rdata| live.iter().any(|value| value.rdata == *wanted);
    loop {
        let drawn_in = (0..parts.len()).find(|&at| {
            let mut written =
                parts.iter().zip(&keeps).filter(|(_, keeps)| !**keeps).flat_map(|(part, _)| part.want.iter());
            keeps[at] && written.any(|wanted| !is_live(wanted) && parts[at].claim.owns(wanted))
        });
        match drawn_in {
            Some(at) => keeps[at] = false,
            None => return keeps,
        }
    }
}

impl Part<'_> {
    /// Whether the live values already mean what is wanted.
    fn keeps_live(&self, options: MergeOptions) -> bool {
        self.equality == Equality::Identical || (!options.normalize && self.equality != Equality::Different)
    }
}
