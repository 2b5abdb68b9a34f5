//! The hosts of `mailzone verify`: whether their names, addresses and reverse names lead to one another. Told and
//! judged by the rules of PTR; the verdicts are of what is managed, and do not depend on it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use mailzone_audit::{Area, Facts, Scope, SendingHost, Subject, audit};
use mailzone_config::{Care, Host, Settings};
use mailzone_engine::compile::judged;
use mailzone_engine::look::{Judged, LIMIT};
use mailzone_mailauth::lookup::{Answer, Answers, Lookup, Pending, Question, resolve};
use mailzone_mailauth::ptr::reverse_name;
use mailzone_mailauth::{Finding, MailUse};
use mailzone_observe::{Observer, QUESTIONS, drive};
use mailzone_record::{Name, Rdata, RecordType};
use mailzone_report::view::VerifiedHost;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::views;

/// Reverse names of one address that are followed, as many as the rules follow.
const NAMES: usize = 5;

/// Looks up the hosts of the selected domains whose PTR is not `off`: all without a selection. Ends after [`LIMIT`];
/// without an observer nothing is known.
pub(super) async fn look(settings: &Settings, domains: &[Name], observer: Option<&Observer>) -> Vec<VerifiedHost> {
    let deadline = Instant::now() + LIMIT;
    let mut running = JoinSet::new();
    for (host, judged) in hosts(settings, domains) {
        let dns = observer.map(|observer| observer.dns().clone());
        let host = host.clone();
        running.spawn(async move {
            let (seen, answers) = match dns {
                Some(dns) => {
                    let driven = drive(&dns, |answers: &Answers| see(&host, answers), QUESTIONS, deadline).await;
                    (driven.result.unwrap_or_default(), driven.answers)
                }
                None => (Seen::default(), Answers::otherwise(Answer::TempError)),
            };
            views(&host, &judged, seen, &answers)
        });
    }
    let mut all = Vec::new();
    while let Some(joined) = running.join_next().await {
        match joined {
            Ok(of_host) => all.extend(of_host),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all.into_iter().map(|(_, view)| view).collect()
}

/// The hosts to look at, each with the domain to judge it for: the first of its domains that sends mail, else the
/// first; itself where no domain has it.
fn hosts<'a>(settings: &'a Settings, domains: &[Name]) -> Vec<(&'a Host, Judged)> {
    let chosen = || settings.hosts.values().filter(|host| host.ptr != Care::Off);
    if chosen().next().is_none() {
        return Vec::new();
    }
    let mut of_host: BTreeMap<Name, (bool, Judged)> = BTreeMap::new();
    for domain in settings.domains.values() {
        let judged = judged(settings, domain, Scope::DNS);
        let selected = domains.is_empty() || domains.contains(&domain.name);
        for name in judged.subject.hosts.iter().filter_map(|host| host.name.clone()) {
            let plain = || Judged {
                subject: Subject { mail: judged.subject.mail, ..Subject::new(domain.name.clone(), Scope::DNS) },
                kinds: judged.kinds.clone(),
                severities: judged.severities.clone(),
            };
            let (known, first) = of_host.entry(name).or_insert_with(|| (false, plain()));
            *known |= selected;
            if !sends(&first.subject) && sends(&judged.subject) {
                *first = plain();
            }
        }
    }
    let with_domain = |host: &'a Host| match of_host.remove(&host.name) {
        Some((selected, judged)) => selected.then_some((host, judged)),
        None => domains.is_empty().then(|| (host, Judged::of(Subject::new(host.name.clone(), Scope::DNS)))),
    };
    chosen().filter_map(with_domain).collect()
}

fn sends(subject: &Subject) -> bool {
    !matches!(subject.mail, Some(MailUse::None | MailUse::Receive))
}

/// What the DNS says of a host; `None` is not known.
#[derive(Debug, Default)]
struct Seen {
    addresses: Known,
    helo: Known,
    /// The reverse names of each address, lower case.
    pointers: BTreeMap<IpAddr, BTreeSet<Name>>,
    /// Whether they lead back.
    confirmed: BTreeMap<IpAddr, Option<bool>>,
}

/// The addresses of a name.
#[derive(Debug, Default)]
struct Known {
    ipv4: Option<BTreeSet<IpAddr>>,
    ipv6: Option<BTreeSet<IpAddr>>,
}

impl Known {
    fn of(&self, address: IpAddr) -> Option<bool> {
        let family = if address.is_ipv4() { &self.ipv4 } else { &self.ipv6 };
        family.as_ref().map(|known| known.contains(&address))
    }

    fn all(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.ipv4.iter().chain(&self.ipv6).flatten().copied()
    }

    fn is_whole(&self) -> bool {
        self.ipv4.is_some() && self.ipv6.is_some()
    }
}

/// Asks everything that is to be shown; what is asked and not known yet is pending.
fn see(host: &Host, lookup: &dyn Lookup) -> Result<Seen, Pending> {
    let mut asking = Asking { lookup, open: Vec::new() };
    let addresses = asking.addresses(&host.name);
    let helo = asking.addresses(&host.helo);
    let mut seen = Seen { addresses, helo, ..Seen::default() };
    for address in shown(host, &seen.addresses) {
        let owner = reverse_name(address);
        let names = asking.values(&owner, RecordType::PTR, |value| match value {
            Rdata::Ptr(name) => Some(name.to_lowercase()),
            _ => None,
        });
        let confirmed = names.as_ref().and_then(|names| {
            let rtype = if address.is_ipv4() { RecordType::A } else { RecordType::AAAA };
            let back: Vec<Option<bool>> =
                names.iter().take(NAMES).map(|name| Some(asking.values(name, rtype, ip)?.contains(&address))).collect();
            match back.contains(&Some(true)) {
                true => Some(true),
                false if back.contains(&None) => None,
                false => Some(false),
            }
        });
        seen.pointers.insert(address, names.unwrap_or_default());
        seen.confirmed.insert(address, confirmed);
    }
    if asking.open.is_empty() { Ok(seen) } else { Err(Pending { questions: asking.open }) }
}

/// The configured addresses, and those that the name has.
fn shown(host: &Host, known: &Known) -> BTreeSet<IpAddr> {
    configured(host).chain(known.all()).collect()
}

fn configured(host: &Host) -> impl Iterator<Item = IpAddr> + '_ {
    let ipv4 = host.ipv4.iter().flat_map(|list| list.value.iter().copied().map(IpAddr::V4));
    ipv4.chain(host.ipv6.iter().flat_map(|list| list.value.iter().copied().map(IpAddr::V6)))
}

struct Asking<'a> {
    lookup: &'a dyn Lookup,
    open: Vec<Question>,
}

impl Asking<'_> {
    /// The values at the end of the name's aliases; `None` where that is open or nobody could say.
    fn values<T: Ord>(
        &mut self,
        name: &Name,
        rtype: RecordType,
        pick: impl Fn(&Rdata) -> Option<T>,
    ) -> Option<BTreeSet<T>> {
        match resolve(self.lookup, name, rtype) {
            Ok(Answer::Records(values, _)) => Some(values.iter().filter_map(pick).collect()),
            Ok(Answer::NoData | Answer::NxDomain) => Some(BTreeSet::new()),
            Ok(Answer::TempError | Answer::Unknown) => None,
            Err(question) => {
                if !self.open.contains(&question) {
                    self.open.push(question);
                }
                None
            }
        }
    }

    fn addresses(&mut self, name: &Name) -> Known {
        Known { ipv4: self.values(name, RecordType::A, ip), ipv6: self.values(name, RecordType::AAAA, ip) }
    }
}

fn ip(value: &Rdata) -> Option<IpAddr> {
    match value {
        Rdata::A(v4) => Some(IpAddr::V4(*v4)),
        Rdata::Aaaa(v6) => Some(IpAddr::V6(*v6)),
        _ => None,
    }
}

/// What a row is sorted by: the host as it is shown, and the address.
type Place = (String, Option<IpAddr>);

/// A row for each address; one without where the host has none that is known.
fn views(host: &Host, judged: &Judged, seen: Seen, answers: &Answers) -> Vec<(Place, VerifiedHost)> {
    let row = |address: Option<IpAddr>| VerifiedHost {
        host: views::label(&host.name),
        address: address.map(|address| address.to_string()),
        resolves: match address {
            Some(address) => seen.addresses.of(address),
            None => seen.addresses.is_whole().then_some(false),
        },
        ptr: address.and_then(|address| seen.pointers.get(&address)).into_iter().flatten().map(views::label).collect(),
        confirmed: address.and_then(|address| seen.confirmed.get(&address).copied().flatten()),
        helo: views::label(&host.helo),
        helo_resolves: seen.helo.is_whole().then(|| seen.helo.all().map(|address| address.to_string()).collect()),
        findings: address.map(|address| findings(host, address, judged, answers)).unwrap_or_default(),
    };
    let addresses = shown(host, &seen.addresses);
    let rows = addresses.into_iter().map(Some);
    let none = shown(host, &seen.addresses).is_empty().then_some(None);
    rows.chain(none).map(|address| ((views::label(&host.name), address), row(address))).collect()
}

/// What the rules of PTR say of the address.
fn findings(host: &Host, address: IpAddr, judged: &Judged, answers: &Answers) -> Vec<Finding> {
    let sending = SendingHost {
        name: Some(host.name.clone()),
        addresses: vec![address],
        helo: Some(host.helo.clone()),
        reverse: true,
    };
    let subject = Subject { hosts: vec![sending], ..judged.subject.clone() };
    let found = audit(&subject, &Facts::default(), answers).findings.into_iter();
    let of_ptr = found.filter(|(area, _)| *area == Area::Ptr);
    let mut findings: Vec<Finding> = of_ptr.filter_map(|(_, finding)| judged.weigh(finding)).collect();
    findings.sort();
    findings.dedup();
    findings
}
