//! Names inside a zone that are not in its hands: delegated, or aliased as a whole.

use std::collections::BTreeMap;

use mailzone_provider::{Refusal, Snapshot};
use mailzone_record::{Name, RecordType};

use crate::Claim;

/// Delegations (RFC 1034 section 4.2.1) and DNAMEs (RFC 6672): those that are live, and the delegations that
/// the claims want, so that a plan does not write what the next one would refuse.
pub(crate) struct Cuts<'a> {
    apex: &'a Name,
    by_name: BTreeMap<&'a Name, RecordType>,
}

impl<'a> Cuts<'a> {
    pub(crate) fn new(apex: &'a Name, snapshot: &'a Snapshot, claims: &'a [Claim]) -> Self {
        let live = snapshot.rrsets().iter().map(|set| (&set.name, set.rtype));
        let wanted = claims.iter().filter(|claim| !claim.want.is_empty()).map(|claim| (&claim.owner, claim.rtype));
        let by_name = live
            .chain(wanted)
            .filter(|(name, rtype)| match *rtype {
                // The zone's own NS are no cut; a DNAME at the apex takes all names below away.
                RecordType::NS => *name != apex,
                RecordType::DNAME => true,
                _ => false,
            })
            .collect();
        Self { apex, by_name }
    }

    /// Why an RRset of this zone cannot be at `owner`, if so.
    pub(crate) fn refuse(&self, owner: &Name, rtype: RecordType) -> Option<Refusal> {
        if !owner.is_at_or_below(self.apex) {
            return Some(Refusal {
                message: format!("{owner} is not in the zone {}", self.apex),
                remedy: "name the zone that holds it, or leave `zone` out".into(),
            });
        }
        if self.by_name.is_empty() {
            return None;
        }
        let mut name = owner.clone();
        loop {
            match self.by_name.get(&name) {
                // At the cut stand the delegation itself and its DS; the rest is the child's (RFC 2181 section 6.1).
                Some(&RecordType::NS) if name != *owner || !matches!(rtype, RecordType::NS | RecordType::DS) => {
                    return Some(Refusal {
                        message: format!(
                            "{owner} is not in this zone's hands: {name} is delegated to other name servers"
                        ),
                        remedy: format!(
                            "give the domain a provider that holds the zone {}",
                            name.to_text_without_dot()
                        ),
                    });
                }
                // A DNAME takes what is below it, not what stands beside it (RFC 6672 section 2.3).
                Some(&RecordType::DNAME) if name != *owner => {
                    return Some(Refusal {
                        message: format!("{owner} cannot be: a DNAME at {name} sends every name below it elsewhere"),
                        remedy: format!("remove the DNAME at {}, or write to its target", name.to_text_without_dot()),
                    });
                }
                _ => {}
            }
            if name == *self.apex {
                return None;
            }
            name = name.parent()?;
        }
    }
}
