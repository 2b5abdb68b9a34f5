//! Mail hosts: addresses, PTR, TLSA.

use std::net::IpAddr;

use mailzone_config::{Care, Host, Settings, Slot as Wanted};
use mailzone_mailauth::{Finding, KindId, Severity, ptr};
use mailzone_plan::{Claim, Own, Slot};
use mailzone_record::{Name, RRsetKey, Rdata, RecordType};

use super::PlacedClaim;

/// Adds the claims of one mail host, and what is only to be looked at. Gives the slots that it leaves unmanaged on purpose, with the
/// configured domain that the host is in.
pub(super) fn claims(
    settings: &Settings,
    host: &Host,
    out: &mut Vec<PlacedClaim>,
    checks: &mut Vec<PlacedClaim>,
) -> Option<(Name, Slot)> {
    let domain = settings.domain_above(&host.name).map(|domain| domain.name.clone());
    let slot_domain = domain.clone().unwrap_or_else(|| host.name.clone());
    let label = host.name.to_text_without_dot();
    let place = |claim: Claim, provider: Option<String>| PlacedClaim {
        claim,
        provider,
        zone: host.zone.as_ref().map(|zone| zone.value.clone()),
        zone_id: host.zone_id.as_ref().map(|id| id.value.clone()),
        domain: domain.clone(),
    };
    let provider = host.provider.as_ref().map(|provider| provider.value.clone());
    let claim = |kind: KindId, key: String, owner: Name, rtype: RecordType, want: Vec<Rdata>| Claim {
        slot: Slot::keyed(if kind == KindId::Tlsa { host.name.clone() } else { slot_domain.clone() }, kind, key),
        domain: slot_domain.clone(),
        owner,
        rtype,
        own: Own::RRset,
        want,
        ttl: settings.host_ttl(host, kind.as_str()),
        own_name: false,
        from_profile: false,
        adopt: false,
        relies_on: Vec::new(),
        relies_always: kind == KindId::Ptr,
    };

    let families = families(host);
    if host.addresses != Care::Off {
        for (rtype, want) in &families {
            let mut claim = claim(KindId::Hosts, label.clone(), host.name.clone(), *rtype, want.clone());
            let others = families.iter().filter(|(other, want)| other != rtype && !want.is_empty());
            claim.relies_on = others.map(|(rtype, _)| RRsetKey { name: host.name.clone(), rtype: *rtype }).collect();
            let out = if host.addresses == Care::Manage { &mut *out } else { &mut *checks };
            out.push(place(claim, provider.clone()));
        }
    }
    if host.ptr != Care::Off {
        let reverse_provider = host.ptr_provider.as_ref().map(|provider| provider.value.clone());
        for address in addresses(&families) {
            let want = vec![Rdata::Ptr(host.name.clone())];
            let mut claim = claim(KindId::Ptr, address.to_string(), ptr::reverse_name(address), RecordType::PTR, want);
            let rtype = if address.is_ipv4() { RecordType::A } else { RecordType::AAAA };
            if host.addresses == Care::Manage {
                claim.relies_on = vec![RRsetKey { name: host.name.clone(), rtype }];
            }
            let placed = place(claim, reverse_provider.clone());
            let out = if host.ptr == Care::Manage { &mut *out } else { &mut *checks };
            out.push(PlacedClaim { zone: None, zone_id: None, ..placed });
        }
    }
    if let Some(tlsa) = &host.tlsa {
        let wanted: Vec<(u16, Vec<Rdata>)> = match &tlsa.value {
            Wanted::Unmanaged => return Some((slot_domain, Slot::keyed(host.name.clone(), KindId::Tlsa, "_25._tcp"))),
            Wanted::Absent => vec![(25, Vec::new())],
            Wanted::Want(ports) => {
                ports.iter().map(|(port, list)| (*port, list.iter().cloned().map(Rdata::Tlsa).collect())).collect()
            }
        };
        for (port, want) in wanted {
            let key = format!("_{port}._tcp");
            let Ok(owner) = host.name.prepend(&key) else { continue };
            out.push(place(claim(KindId::Tlsa, key, owner, RecordType::TLSA, want), provider.clone()));
        }
    }
    None
}

/// A host that says another name than the one that its addresses lead to: receivers compare the two.
pub(super) fn remark(settings: &Settings, host: &Host) -> Option<(Name, Finding)> {
    if host.ptr == Care::Off || host.helo == host.name {
        return None;
    }
    let domain = settings.domain_above(&host.name).map_or(&host.name, |domain| &domain.name);
    let (name, helo) = (host.name.to_text_without_dot(), host.helo.to_text_without_dot());
    let finding = Finding::new(
        "PTR-05",
        Severity::Warning,
        host.name.to_string(),
        format!("the host says {helo} in HELO, and the PTR of its addresses is {name}"),
        "let the server say the host's name, or name the host after what it says",
        "RFC 5321 section 4.1.4",
    );
    Some((domain.clone(), finding))
}

/// The RRsets with the addresses of a host whose addresses are written.
pub(super) fn address_keys(settings: &Settings, name: &Name) -> Vec<RRsetKey> {
    let Some(host) = settings.hosts.get(name).filter(|host| host.addresses == Care::Manage) else { return Vec::new() };
    let wanted = families(host).into_iter().filter(|(_, want)| !want.is_empty());
    wanted.map(|(rtype, _)| RRsetKey { name: name.clone(), rtype }).collect()
}

/// The address families that the host names.
fn families(host: &Host) -> Vec<(RecordType, Vec<Rdata>)> {
    let mut families = Vec::with_capacity(2);
    if let Some(list) = &host.ipv4 {
        families.push((RecordType::A, list.value.iter().copied().map(Rdata::A).collect()));
    }
    if let Some(list) = &host.ipv6 {
        families.push((RecordType::AAAA, list.value.iter().copied().map(Rdata::Aaaa).collect()));
    }
    families
}

fn addresses(families: &[(RecordType, Vec<Rdata>)]) -> impl Iterator<Item = IpAddr> {
    families.iter().flat_map(|(_, values)| values).filter_map(|value| match value {
        Rdata::A(address) => Some(IpAddr::V4(*address)),
        Rdata::Aaaa(address) => Some(IpAddr::V6(*address)),
        _ => None,
    })
}
