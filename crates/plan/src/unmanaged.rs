//! Live slots that nobody manages.

use mailzone_mailauth::{KINDS, KindId};
use mailzone_provider::Snapshot;
use mailzone_record::{Name, RRsetKey, Rdata, RecordType};

use crate::{Claim, Slot, Unmanaged};

/// Whether a set of this type can be a slot: most sets of a large zone are passed over by their type alone.
pub(crate) fn may_be_slot(rtype: RecordType) -> bool {
    matches!(
        rtype,
        RecordType::TXT | RecordType::MX | RecordType::CNAME | RecordType::TLSA | RecordType::CAA | RecordType::PTR
    )
}

/// The slots that a live set would be.
pub(crate) fn slots_of(name: &Name, rtype: RecordType, values: &[&Rdata]) -> Vec<Slot> {
    KINDS
        .iter()
        .filter_map(|kind| {
            let live = kind.slot_at(name, rtype, values)?;
            Some(Slot { domain: live.domain, kind: kind.id(), key: live.key })
        })
        .collect()
}

/// The entry for a slot that an earlier configuration managed and this one does not, if the zone still
/// holds what it owned (`--base`).
pub fn formerly_managed(claim: &Claim, snapshot: &Snapshot) -> Option<Unmanaged> {
    let key = claim.key();
    let live = snapshot.get(&key.name, key.rtype)?;
    let owned = live.values.iter().any(|value| claim.owns(&value.rdata));
    owned.then(|| Unmanaged { removal: removal_line(&claim.slot, &key), slot: claim.slot.clone(), formerly: true, key })
}

/// The line that, put into the configuration, removes the slot.
pub(crate) fn removal_line(slot: &Slot, key: &RRsetKey) -> String {
    let domain = slot.domain.to_text_without_dot();
    let kind = slot.kind;
    match (kind, &slot.key) {
        (KindId::Tlsa, _) => format!("[hosts.\"{domain}\"] tlsa = \"absent\""),
        (KindId::ReportAuthorisation | KindId::Records | KindId::Hosts | KindId::Ptr, _) => {
            let (name, rtype) = (key.name.to_text_without_dot(), key.rtype);
            format!("[[domains.\"{domain}\".records]] name = \"{name}.\", type = \"{rtype}\", absent = true")
        }
        (_, Some(part)) => format!("[domains.\"{domain}\"] {kind}.{} = \"absent\"", toml_key(part)),
        (_, None) => format!("[domains.\"{domain}\"] {kind} = \"absent\""),
    }
}

fn toml_key(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if bare { key.to_owned() } else { format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\"")) }
}
