//! Live slots that nobody manages.

use mailzone_mailauth::{KINDS, KindId};
use mailzone_provider::Snapshot;
use mailzone_record::{Name, RRsetKey, Rdata, RecordType};

use crate::{Claim, Slot, Unmanaged};

/// Whether a set of this type can be a slot: most sets of a large zone are passed over by their type alone.
pub(crate) fn may_be_slot(rtype: RecordType) -> bool {
    matches!(
        rtype,
        RecordType::TXT
            | RecordType::MX
            | RecordType::CNAME
            | RecordType::TLSA
            | RecordType::CAA
            | RecordType::PTR
            | RecordType::SRV
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
    owned.then(|| Unmanaged {
        removal: removal_line(&claim.slot, &key, &claim.domain),
        slot: claim.slot.clone(),
        formerly: true,
        key,
    })
}

/// The line that, put into the configuration, removes the slot: its own key where there is one, else an entry
/// in the records of `nearest`, the configured domain that the name is in.
pub(crate) fn removal_line(slot: &Slot, key: &RRsetKey, nearest: &Name) -> String {
    let domain = slot.domain.to_text_without_dot();
    let kind = slot.kind;
    match (kind, slot.key.as_deref()) {
        (KindId::Tlsa, Some("_25._tcp")) if is_host(&slot.domain) => {
            format!("[hosts.\"{domain}\"] tlsa = \"absent\"")
        }
        (
            KindId::Tlsa | KindId::ReportAuthorisation | KindId::Records | KindId::Hosts | KindId::Ptr | KindId::Sender,
            _,
        ) => record_line(key, nearest),
        (_, _) if !is_domain(&slot.domain) => record_line(key, nearest),
        (_, Some(part)) if is_selector(part) => {
            format!("[domains.\"{domain}\"] {kind}.{} = \"absent\"", toml_key(part))
        }
        (_, Some(_)) => record_line(key, nearest),
        (_, None) => format!("[domains.\"{domain}\"] {kind} = \"absent\""),
    }
}

fn record_line(key: &RRsetKey, nearest: &Name) -> String {
    let (domain, name) = (nearest.to_text_without_dot(), toml_string(&key.name.to_string()));
    format!("[[domains.\"{domain}\".records]] name = {name}, type = \"{}\", absent = true", key.rtype)
}

/// Whether the configuration takes the name for a domain: no wildcard, nothing escaped.
fn is_domain(name: &Name) -> bool {
    !name.is_root() && name.labels().flatten().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'/'))
}

/// Whether it takes the name for a host (RFC 1123 section 2.1).
fn is_host(name: &Name) -> bool {
    let letters = |label: &[u8]| label.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-');
    let fits = |label: &[u8]| letters(label) && !label.starts_with(b"-") && !label.ends_with(b"-");
    !name.is_root() && name.labels().all(fits)
}

fn is_selector(text: &str) -> bool {
    text == "*" || text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn toml_key(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if bare { key.to_owned() } else { toml_string(key) }
}

fn toml_string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
