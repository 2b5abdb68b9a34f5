//! Digests that tie a saved plan to the configuration and the zone that it was made from.

use data_encoding::HEXLOWER;
use mailzone_provider::{ProviderId, Zone};
use mailzone_record::RRset;
use sha2::{Digest, Sha256};

use crate::{Claim, Own, PlannedChange};

/// SHA-256 over a zone's claims, in hex. It changes when what is wanted changes, and with nothing else:
/// no text of the configuration, path or secret goes into it.
pub fn config_digest(claims: &[Claim]) -> String {
    let mut lines: Vec<String> = claims.iter().map(claim_line).collect();
    lines.sort();
    hash(lines.iter())
}

/// SHA-256 over provider, zone identifier and the RRsets that the changes touch, in hex.
pub fn fingerprint(provider: &ProviderId, zone: &Zone, changes: &[PlannedChange]) -> String {
    let mut lines = vec![format!("provider {provider}"), format!("zone {} {}", zone.name.to_lowercase(), zone.id)];
    let mut sets: Vec<String> = changes
        .iter()
        .map(|planned| {
            format!(
                "{} {} {}",
                planned.change.name().to_lowercase(),
                planned.change.rtype(),
                set_text(planned.change.before())
            )
        })
        .collect();
    sets.sort();
    lines.append(&mut sets);
    hash(lines.iter())
}

fn claim_line(claim: &Claim) -> String {
    let own = match &claim.own {
        Own::RRset => "rrset".to_owned(),
        Own::Candidates => "candidates".to_owned(),
        Own::CaaTags(tags) => format!("tags {}", tags.join(",")),
        Own::Values(values) => {
            let mut values: Vec<String> = values.iter().map(ToString::to_string).collect();
            values.sort();
            format!("values {}", values.join("|"))
        }
    };
    let mut want: Vec<String> = claim.want.iter().map(ToString::to_string).collect();
    want.sort();
    let ttl = claim.ttl.map_or_else(|| "-".to_owned(), |ttl| ttl.to_string());
    let (domain, owner) = (claim.slot.domain.to_lowercase(), claim.owner.to_lowercase());
    format!("{domain} {} {owner} {} {own} ttl {ttl} want {}", claim.slot, claim.rtype, want.join(" | "))
}

fn set_text(set: Option<&RRset>) -> String {
    let Some(set) = set else { return "-".to_owned() };
    let mut values: Vec<String> = set.values.iter().map(|value| value.rdata.to_string()).collect();
    values.sort();
    let ttl = set.ttl.map_or_else(|| "-".to_owned(), |ttl| ttl.to_string());
    format!("ttl {ttl} {}", values.join(" | "))
}

fn hash<'a>(lines: impl Iterator<Item = &'a String>) -> String {
    let mut digest = Sha256::new();
    for line in lines {
        digest.update(line.as_bytes());
        digest.update(b"\n");
    }
    HEXLOWER.encode(&digest.finalize())
}
