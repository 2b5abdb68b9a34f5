//! Reverse records: a PTR is planned and applied like any record.

use std::net::IpAddr;

use mailzone_emulated::ionos_cloud::IonosCloud;
use mailzone_provider::{Batch, Outcome, Provider, ProviderErrorKind, RRsetChange, Zone};
use mailzone_record::{Name, RRset, Rdata, RecordType};

use crate::bench::{Bench, Cloud, cloud, cloud_with_token, name};

fn reverse_name(address: IpAddr) -> Name {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            name(&format!("{d}.{c}.{b}.{a}.in-addr.arpa"))
        }
        IpAddr::V6(_) => name("1.ip6.arpa"),
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

async fn bench() -> Cloud {
    let Bench { emulator, .. } = cloud().await;
    let held = [address("192.0.2.25"), address("2001:db8::25")];
    emulator.with(|service| service.addresses = held.to_vec());
    let listed = vec![held[0], held[1], address("192.0.2.99")];
    let provider =
        cloud_with_token(&emulator.url(), IonosCloud::TOKEN).with_addresses(listed, Vec::new(), reverse_name);
    Bench { emulator, provider: std::sync::Arc::new(provider) }
}

async fn change(bench: &Cloud, zone: &Zone, target: Option<&str>) -> RRsetChange {
    let before = bench.provider.snapshot(zone).await.unwrap().get(&zone.name, RecordType::PTR).cloned();
    let value = |target| vec![Rdata::Ptr(name(target)).into()];
    let after = target.map(|target| RRset::new(zone.name.clone(), RecordType::PTR, None, value(target)));
    RRsetChange::new(before, after).unwrap()
}

async fn zone_of(bench: &Cloud, address: &str) -> Zone {
    let zones = bench.provider.zones().await.unwrap();
    zones.into_iter().find(|zone| zone.name == reverse_name(address.parse().unwrap())).unwrap()
}

#[tokio::test]
async fn a_pointer_comes_changes_and_goes() {
    let bench = bench().await;
    for ip in ["192.0.2.25", "2001:db8::25"] {
        let zone = zone_of(&bench, ip).await;
        for target in [Some("mail.example.com"), Some("mx.example.com"), None] {
            let change = change(&bench, &zone, target).await;
            assert!(bench.provider.refuse(&change).is_empty());
            let batch = Batch { changes: vec![change] };
            for expected in [Outcome::Applied, Outcome::Already] {
                let receipt = bench.provider.apply(&zone, &batch).await.unwrap();
                assert_eq!(receipt.results[0].outcome, expected);
            }
            let pointers = bench.emulator.with(|service| service.pointers());
            let expected: Vec<_> = target.map(|target| (address(ip), target.to_owned())).into_iter().collect();
            assert_eq!(pointers, expected);
        }
    }
}

/// An address that nobody assigned to this provider is its own only if it has a record there.
#[tokio::test]
async fn candidates_need_a_record() {
    let Bench { emulator, .. } = bench().await;
    let candidates = vec![address("192.0.2.25"), address("192.0.2.99")];
    emulator.with(|service| service.point(candidates[0], "old.example.com", ""));
    let provider = cloud_with_token(&emulator.url(), IonosCloud::TOKEN);
    let provider = provider.with_addresses(Vec::new(), candidates.clone(), reverse_name);
    let zones = provider.zones().await.unwrap();
    assert_eq!(zones.iter().map(|zone| zone.name.clone()).collect::<Vec<_>>(), [reverse_name(candidates[0])]);
    let labels: Vec<_> = emulator.log().into_iter().map(|logged| logged.label).collect();
    assert_eq!(labels, ["GET /zones", "GET /secondaryzones", "GET /reverserecords"]);
}

#[tokio::test]
async fn a_description_stays() {
    let bench = bench().await;
    let ip = address("192.0.2.25");
    bench.emulator.with(|service| service.point(ip, "old.example.com", "the first mail host"));
    let zone = zone_of(&bench, "192.0.2.25").await;
    let change = change(&bench, &zone, Some("mail.example.com")).await;
    bench.emulator.clear_log();
    bench.provider.apply(&zone, &Batch { changes: vec![change] }).await.unwrap();
    let (get, put) = ("GET /reverserecords", "PUT /reverserecords/{id}");
    assert_eq!(bench.labels(), [get, get, put, get]);
    assert_eq!(
        bench.emulator.with(|service| service.description(ip).map(str::to_owned)).unwrap(),
        "the first mail host"
    );
}

#[tokio::test]
async fn an_address_of_somebody_else_is_refused_by_the_service() {
    let bench = bench().await;
    let zone = zone_of(&bench, "192.0.2.99").await;
    let change = change(&bench, &zone, Some("mail.example.com")).await;
    let error = bench.provider.apply(&zone, &Batch { changes: vec![change] }).await.unwrap_err();
    assert!(matches!(error.kind, ProviderErrorKind::Refused(_)), "{error}");
    assert!(error.remedy.contains("reserved by the same contract"));
}
