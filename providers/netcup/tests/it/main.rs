//! The provider against netcup's emulated services.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends with its first surprise")]

mod conformance;
mod counts;
mod failures;
mod faults;
mod laws;
mod ptr;
mod sessions;
mod two_back_ends;

use std::sync::Arc;
use std::time::Duration;

use mailzone_emulated::netcup_ccp::NetcupCcp;
use mailzone_emulated::netcup_clouddns::{Forms, NetcupCloudDns};
use mailzone_emulated::netcup_scp::NetcupScp;
use mailzone_emulated::{Backdoor, Emulator, Service};
use mailzone_http::{Backoff, Base, Budget};
use mailzone_provider::{Batch, Provider, ProviderId, RRsetChange, Zone};
use mailzone_provider_netcup::{CcpSettings, CloudDnsSettings, NetcupProvider, ScpSettings, Settings};
use mailzone_record::{Name, RRset, Ttl, Value, parse_rdata_text};

/// A zone with foreign records of many kinds.
const ZONE: &str = "example.com.";
const RECORDS: &str = r#"
@ 3600 A 192.0.2.80
@ 3600 MX 10 mail.example.com.
@ 300 TXT "google-site-verification=abc;def"
@ 300 TXT "v=spf1 mx -all"
@ 300 TXT "MS=ms\"12\\34\" x"
@ 3600 CAA 0 issue "ca.example"
mail 3600 A 192.0.2.25
s1._domainkey 3600 TXT "v=DKIM1; k=rsa; p=MIIB" "IjANBg"
s2._domainkey 3600 CNAME s2.dkim.example.net.
www 3600 CNAME example.com.
sub 3600 NS ns.sub.example.com.
"#;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn names(texts: &[&str]) -> Vec<Name> {
    texts.iter().map(|text| name(text)).collect()
}

fn settings(names: Vec<Name>) -> Settings {
    let wait = Duration::from_millis(1);
    let backoff = Backoff { first: wait, max: wait, attempts: 3, jitter: false, patience: Duration::from_millis(1) };
    Settings { backoff, ..Settings::new(names) }
}

fn base<S: Service>(emulator: &Emulator<S>, path: &str) -> Base {
    Base::parse(&format!("{}{path}", emulator.url())).unwrap()
}

fn ccp(emulator: &Emulator<NetcupCcp>) -> Option<CcpSettings> {
    Some(CcpSettings {
        customer_number: NetcupCcp::CUSTOMER.into(),
        api_key: NetcupCcp::KEY.into(),
        api_password: NetcupCcp::PASSWORD.into(),
        endpoint: base(emulator, NetcupCcp::PATH),
        budget: Arc::new(Budget::unlimited()),
    })
}

fn clouddns(emulator: &Emulator<NetcupCloudDns>) -> Option<CloudDnsSettings> {
    Some(CloudDnsSettings {
        api_key: NetcupCloudDns::KEY.into(),
        endpoint: base(emulator, NetcupCloudDns::PATH),
        budget: Arc::new(Budget::unlimited()),
    })
}

fn scp(emulator: &Emulator<NetcupScp>) -> Option<ScpSettings> {
    Some(ScpSettings {
        refresh_token: NetcupScp::REFRESH_TOKEN.into(),
        endpoint: base(emulator, NetcupScp::PATH),
        budget: Arc::new(Budget::unlimited()),
    })
}

fn provider(settings: Settings) -> NetcupProvider {
    NetcupProvider::new(ProviderId::new("nc"), settings).unwrap()
}

fn ccp_provider(emulator: &Emulator<NetcupCcp>, zones: &[&str]) -> NetcupProvider {
    provider(Settings { ccp: ccp(emulator), ..settings(names(zones)) })
}

fn clouddns_provider(emulator: &Emulator<NetcupCloudDns>, zones: &[&str]) -> NetcupProvider {
    provider(Settings { clouddns: clouddns(emulator), ..settings(names(zones)) })
}

async fn ccp_emulator() -> (Emulator<NetcupCcp>, Zone) {
    let emulator = Emulator::start(NetcupCcp::new()).await;
    let zone = seed(&emulator, ZONE, RECORDS);
    (emulator, zone)
}

async fn clouddns_emulator(forms: Forms) -> (Emulator<NetcupCloudDns>, Zone) {
    let emulator = Emulator::start(NetcupCloudDns::new(forms)).await;
    let zone = seed(&emulator, ZONE, RECORDS);
    (emulator, zone)
}

fn seed<S: Backdoor>(emulator: &Emulator<S>, zone: &str, records: &str) -> Zone {
    let zone = name(zone);
    let sets = mailzone_conformance::parse_seed(&zone, records);
    emulator.with(|service| service.seed(&zone, &sets))
}

/// The labels of the requests since the log was cleared.
fn labels<S: Service>(emulator: &Emulator<S>) -> Vec<String> {
    emulator.log().into_iter().map(|logged| logged.label).collect()
}

/// The change of a set to these values, from what the zone holds; none deletes.
async fn change(provider: &dyn Provider, zone: &Zone, owner: &str, rtype: &str, values: &[&str]) -> RRsetChange {
    let rtype = rtype.parse().unwrap();
    let owner = Name::parse_in(owner, Some(&zone.name)).unwrap();
    let before = provider.snapshot(zone).await.unwrap().get(&owner, rtype).cloned();
    let ttl = match &before {
        Some(set) => set.ttl,
        None => provider.capabilities().ttl.nearest(Ttl::from_secs(3600).unwrap()),
    };
    let value = |text: &&str| {
        let rdata = parse_rdata_text(rtype, text, None).unwrap();
        let known = before.iter().flat_map(|set| &set.values).find(|value| value.rdata == rdata);
        known.cloned().unwrap_or_else(|| Value::from(rdata))
    };
    let values: Vec<Value> = values.iter().map(value).collect();
    let after = (!values.is_empty()).then(|| RRset::new(owner, rtype, ttl, values));
    RRsetChange::new(before, after).unwrap()
}

/// One stage of a real plan: a new set, a value beside foreign ones, a set that goes.
async fn stage(provider: &dyn Provider, zone: &Zone) -> Batch {
    let texts = [r#""google-site-verification=abc;def""#, r#""v=spf1 mx a -all""#, r#""MS=ms\"12\\34\" x""#];
    Batch {
        changes: vec![
            change(provider, zone, "_dmarc", "TXT", &[r#""v=DMARC1; p=none""#]).await,
            change(provider, zone, "@", "TXT", &texts).await,
            change(provider, zone, "s2._domainkey", "CNAME", &[]).await,
            change(provider, zone, "mail", "A", &["192.0.2.25", "192.0.2.26"]).await,
        ],
    }
}
