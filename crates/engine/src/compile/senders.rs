//! Logos, settings of mail programs, and what sending services ask for.

use mailzone_config::{ClientSetting, Domain, SenderSetting, Settings, Slot as Wanted};
use mailzone_mailauth::KindId;
use mailzone_mailauth::client_settings::{HOSTS, service_of};
use mailzone_plan::Own;
use mailzone_record::{RRsetKey, Rdata, RecordType};

use super::domain::{Builder, live_selectors, text, text_or_cname, web_host};

/// The RRsets with the keys of the services that send for a domain.
pub(super) fn keys(domain: &Domain) -> impl Iterator<Item = RRsetKey> {
    let settings = domain.senders.values().filter_map(|setting| setting.value.wanted());
    let keys = settings.filter(|setting| !setting.absent).flat_map(|setting| &setting.records);
    keys.filter(|(_, record)| record.is_key).map(|((name, rtype), _)| RRsetKey { name: name.clone(), rtype: *rtype })
}

impl Builder<'_> {
    pub(super) fn bimi(&mut self) {
        let domain = self.domain;
        for (selector, setting) in &domain.bimi {
            let slot = self.mention(KindId::Bimi, Some(selector));
            let Ok(owner) = domain.name.prepend(&format!("{selector}._bimi")) else { continue };
            let Some((txt, cname)) = text_or_cname(&setting.value) else { continue };
            self.text_or_cname(slot, &owner, Own::Candidates, txt, cname, setting.from_profile, |_| {});
        }
    }

    pub(super) fn client_settings(&mut self, settings: &Settings) {
        let domain = self.domain;
        for (key, setting) in &domain.client_settings {
            let slot = self.mention(KindId::ClientSettings, Some(key));
            let mut sets: Vec<(&str, RecordType, Vec<Rdata>)> = Vec::new();
            let service = service_of(key);
            let is_dav = matches!(key.as_str(), "caldavs" | "carddavs");
            match &setting.value {
                Wanted::Unmanaged => continue,
                Wanted::Absent => {
                    sets.extend(service.map(|service| (service.prefix, RecordType::SRV, Vec::new())));
                    sets.extend(service.filter(|_| is_dav).map(|s| (s.prefix, RecordType::TXT, Vec::new())));
                    if HOSTS.contains(&key.as_str()) {
                        let types = [RecordType::CNAME, RecordType::A, RecordType::AAAA];
                        sets.extend(types.map(|rtype| (key.as_str(), rtype, Vec::new())));
                    }
                }
                Wanted::Want(ClientSetting { servers, path, host }) => {
                    if let Some(service) = service.filter(|_| !servers.is_empty()) {
                        let servers = servers.iter().cloned().map(Rdata::Srv).collect();
                        sets.push((service.prefix, RecordType::SRV, servers));
                    }
                    if let (Some(service), Some(path)) = (service, path) {
                        sets.push((service.prefix, RecordType::TXT, vec![text(&format!("path={path}"))]));
                    }
                    let host = host.iter().flat_map(web_host);
                    sets.extend(host.map(|(rtype, want)| (key.as_str(), rtype, want)));
                }
            }
            for (prefix, rtype, want) in sets {
                let Ok(owner) = domain.name.prepend(prefix) else { continue };
                let targets = want.iter().filter_map(|value| match value {
                    Rdata::Srv(srv) => Some(&srv.target),
                    _ => None,
                });
                let relies_on = targets.flat_map(|target| super::host::address_keys(settings, target)).collect();
                let claim = self.push(slot.clone(), owner, rtype, Own::RRset, want, setting.from_profile);
                claim.relies_on = relies_on;
            }
        }
    }

    pub(super) fn senders(&mut self) {
        let domain = self.domain;
        for (name, setting) in &domain.senders {
            let slot = self.mention(KindId::Sender, Some(name));
            let Wanted::Want(SenderSetting { records, absent }) = &setting.value else { continue };
            for ((owner, rtype), record) in records {
                let want = if *absent { Vec::new() } else { record.values.clone() };
                if !record.is_key {
                    let own = if record.shared { Own::Values(record.values.clone()) } else { Own::RRset };
                    self.push(slot.clone(), owner.clone(), *rtype, own, want, setting.from_profile);
                    continue;
                }
                // What replaces keys that go has to be visible first. Keys that stay rely on nothing: two senders that
                // relied on each other could not be taken back in any order.
                let others: Vec<RRsetKey> = if *absent { live_selectors(domain).collect() } else { Vec::new() };
                let (cname, txt) = want.into_iter().partition(|value| matches!(value, Rdata::Cname(_)));
                self.text_or_cname(slot.clone(), owner, Own::RRset, txt, cname, setting.from_profile, |claim| {
                    // A CNAME that is ours may change as any key does: the guards of DKIM say what that means.
                    claim.own_name = claim.rtype == RecordType::TXT && !claim.want.is_empty();
                    claim.adopt = record.keep_live_tags;
                    claim.relies_on.clone_from(&others);
                });
            }
        }
    }
}
