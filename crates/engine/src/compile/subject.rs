//! A configured domain as the rules of an audit see it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use mailzone_audit::{Scope, Selector, SelectorSource, Sender, SendingHost, Subject};
use mailzone_config::{
    Care, DkimSetting, Domain, Host, MailUse as Use, MxSetting, Sender as Configured, Settings, SpfSetting,
};
use mailzone_mailauth::dkim::selector_of;
use mailzone_mailauth::{KindId, MailUse};
use mailzone_record::Name;

use super::domain::{is_revoked, policy_of};
use crate::look::Judged;

/// A configured domain, judged within `scope`.
pub fn judged(settings: &Settings, domain: &Domain, scope: Scope) -> Judged {
    let subject = Subject {
        mail: Some(match domain.mail {
            Use::Both => MailUse::Both,
            Use::Send => MailUse::Send,
            Use::Receive => MailUse::Receive,
            Use::None => MailUse::None,
        }),
        selectors: selectors(domain),
        hosts: hosts(settings, domain).map(sending_host).collect(),
        bimi_selectors: domain.bimi.keys().cloned().collect(),
        senders: senders(settings, domain),
        bulk: domain.bulk,
        policy: policy_of(domain).map(|(_, policy)| policy),
        ..Subject::new(domain.name.clone(), scope)
    };
    Judged { subject, kinds: kinds(settings, domain), severities: domain.severity.clone() }
}

/// The selectors that are wanted, revoked ones left out.
fn selectors(domain: &Domain) -> Vec<Selector> {
    let is_wanted = |setting: &DkimSetting| match setting {
        DkimSetting::Key(key) => !is_revoked(&key.text),
        DkimSetting::Cname(_) => true,
    };
    // A key under a wildcard answers at every selector, and is at none.
    let own = domain.dkim.iter().filter(|(name, _)| !name.starts_with('*'));
    let mut sources: BTreeMap<String, SelectorSource> = own
        .map(|(name, setting)| match setting.value.wanted().is_some_and(is_wanted) {
            true => (name.clone(), SelectorSource::Named),
            false => (name.clone(), SelectorSource::Guessed),
        })
        .collect();
    let of_senders = super::senders::keys(domain).filter_map(|key| Some(selector_of(&key.name)?.0));
    sources.extend(of_senders.map(|name| (name, SelectorSource::Named)));
    sources.into_iter().map(|(name, source)| Selector { name, source }).collect()
}

/// The configured hosts that send or receive its mail: those that its MX or SPF names, and those below it.
fn hosts<'a>(settings: &'a Settings, domain: &'a Domain) -> impl Iterator<Item = &'a Host> {
    let mx = domain.mx.as_ref().and_then(|mx| mx.value.wanted());
    let exchangers: Vec<_> = match mx {
        Some(MxSetting::Hosts(hosts)) => hosts.iter().map(|mx| &mx.exchange).collect(),
        _ => Vec::new(),
    };
    let spf = domain.spf.as_ref().and_then(|spf| spf.value.wanted());
    let in_spf: &[_] = spf.map_or(&[], |SpfSetting { hosts, .. }| hosts.as_slice());
    settings.hosts.values().filter(move |host| {
        let own = settings.domain_above(&host.name).is_some_and(|above| above.name == domain.name);
        own || exchangers.contains(&&host.name) || in_spf.contains(&host.name)
    })
}

fn sending_host(host: &Host) -> SendingHost {
    let ipv4 = host.ipv4.iter().flat_map(|list| list.value.iter().copied().map(IpAddr::V4));
    let ipv6 = host.ipv6.iter().flat_map(|list| list.value.iter().copied().map(IpAddr::V6));
    SendingHost {
        name: Some(host.name.clone()),
        addresses: ipv4.chain(ipv6).collect(),
        helo: Some(host.helo.clone()),
        reverse: host.ptr != Care::Off,
    }
}

/// The senders of its mail: those that have it in `From`, and those that have a name below it and no nearer domain.
fn senders(settings: &Settings, domain: &Domain) -> Vec<Sender> {
    let nearest = |from: &Name| settings.domain_above(from).is_some_and(|above| above.name == domain.name);
    let ours = settings.senders.iter().filter(|(_, sender)| nearest(&sender.value.from));
    ours.map(|(name, configured)| sender(name, &configured.value)).collect()
}

/// A configured sender, to simulate.
pub fn sender(name: &str, configured: &Configured) -> Sender {
    let Configured { addresses, envelope_domain, dkim, from, helo, required } = configured.clone();
    Sender { name: name.to_owned(), addresses, helo, envelope_domain, dkim, author_domain: from, required }
}

/// The kinds that the configuration of a domain names.
fn kinds(settings: &Settings, domain: &Domain) -> BTreeSet<KindId> {
    let own_host = |host: &Host| settings.domain_above(&host.name).is_some_and(|above| above.name == domain.name);
    let hosts = || settings.hosts.values().filter(|host| own_host(host));
    let named = [
        (KindId::Mx, domain.mx.is_some()),
        (KindId::Spf, domain.spf.is_some()),
        (KindId::Dkim, !domain.dkim.is_empty() || super::senders::keys(domain).next().is_some()),
        (KindId::Dmarc, domain.dmarc.is_some()),
        (KindId::ReportAuthorisation, domain.report_authorisation.is_some()),
        (KindId::MtaSts, domain.mta_sts.is_some()),
        (KindId::TlsRpt, domain.tls_rpt.is_some()),
        (KindId::Bimi, !domain.bimi.is_empty()),
        (KindId::Caa, domain.caa.is_some()),
        (KindId::ClientSettings, !domain.client_settings.is_empty()),
        (KindId::Sender, !domain.senders.is_empty()),
        (KindId::Hosts, hosts().next().is_some()),
        (KindId::Ptr, hosts().next().is_some()),
        (KindId::Tlsa, hosts().any(|host| host.tlsa.is_some())),
    ];
    named.into_iter().filter(|(_, is)| *is).map(|(kind, _)| kind).collect()
}
