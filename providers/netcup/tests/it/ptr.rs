use std::net::IpAddr;

use mailzone_emulated::Fault;
use mailzone_provider::{Outcome, Provider, RRsetChange, Receipt};
use mailzone_record::{Rdata, RecordType};

use super::*;

const V4: &str = "198.51.100.25";
const V6: &str = "2001:db8:1:2::25";
const FOREIGN: &str = "203.0.113.9";

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

async fn start() -> Emulator<NetcupScp> {
    let emulator = Emulator::start(NetcupScp::new()).await;
    emulator.with(|service| {
        service.add_server(&[address("198.51.100.1")]);
        service.add_server(&[address(V4), address("2001:db8:1:2::1")]);
        service.set_ptr(address(V4), Some("v1.megasrv.example"));
    });
    emulator
}

fn on_scp(emulator: &Emulator<NetcupScp>, addresses: &[&str]) -> NetcupProvider {
    let addresses = addresses.iter().map(|text| address(text)).collect();
    provider(Settings { scp: scp(emulator), addresses, ..settings(Vec::new()) })
}

async fn ptr(provider: &NetcupProvider, zone: &Zone, host: Option<&str>) -> Batch {
    let before = provider.snapshot(zone).await.unwrap().get(&zone.name, RecordType::PTR).cloned();
    let value = |host| RRset::new(zone.name.clone(), RecordType::PTR, None, vec![Rdata::Ptr(name(host)).into()]);
    Batch { changes: vec![RRsetChange::new(before, host.map(value)).unwrap()] }
}

fn outcome(receipt: &Receipt) -> Outcome {
    receipt.results[0].outcome
}

#[tokio::test]
async fn addresses_of_the_accounts_servers_are_zones() {
    let emulator = start().await;
    let provider = on_scp(&emulator, &[V4, V6, FOREIGN]);
    let zones = provider.zones().await.unwrap();
    let shown: Vec<_> = zones.iter().map(|zone| zone.name.to_string()).collect();
    let v6 = "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.";
    assert_eq!(shown, ["25.100.51.198.in-addr.arpa.", v6]);
    // One look at each; the servers once, for the two that have no name.
    let servers = ["GET /servers", "GET /servers", "GET /servers/{id}/interfaces", "GET /servers/{id}/interfaces"];
    let expected = [&["token", "GET /rdns/{ip}", "GET /rdns/{ip}"], &servers[..], &["GET /rdns/{ip}"]].concat();
    assert_eq!(labels(&emulator), expected);
    assert_eq!(emulator.log()[2].path, format!("{}/rdns/ipv6/{V6}", NetcupScp::PATH));
}

#[tokio::test]
async fn a_ptr_is_set_replaced_and_deleted() {
    let emulator = start().await;
    let provider = on_scp(&emulator, &[V4, V6]);
    for zone in provider.zones().await.unwrap() {
        for host in [Some("mail.example.com."), Some("mx.example.com."), None] {
            let batch = ptr(&provider, &zone, host).await;
            assert!(provider.refuse(&batch.changes[0]).is_empty());
            emulator.clear_log();
            assert_eq!(outcome(&provider.apply(&zone, &batch).await.unwrap()), Outcome::Applied);
            let write = if host.is_some() { "POST /rdns" } else { "DELETE /rdns/{ip}" };
            assert_eq!(labels(&emulator), ["GET /rdns/{ip}", write, "GET /rdns/{ip}"]);
            let live = provider.snapshot(&zone).await.unwrap();
            let live = live.get(&zone.name, RecordType::PTR).map(|set| set.values[0].rdata.to_string());
            assert_eq!(live.as_deref(), host);
            assert_eq!(outcome(&provider.apply(&zone, &batch).await.unwrap()), Outcome::Already);
        }
    }
}

#[tokio::test]
async fn what_somebody_else_has_set_meanwhile_stays() {
    let emulator = start().await;
    let provider = on_scp(&emulator, &[V4]);
    let zone = provider.zones().await.unwrap().remove(0);
    let batch = ptr(&provider, &zone, Some("mail.example.com.")).await;
    emulator.with(|service| service.set_ptr(address(V4), Some("theirs.example.net")));
    assert_eq!(outcome(&provider.apply(&zone, &batch).await.unwrap()), Outcome::Stale);
    assert_eq!(
        emulator.with(|service| service.ptr(address(V4)).map(str::to_owned)).as_deref(),
        Some("theirs.example.net")
    );
}

#[tokio::test]
async fn every_fault_at_every_request() {
    let emulator = start().await;
    let provider = on_scp(&emulator, &[V4]);
    let zone = provider.zones().await.unwrap().remove(0);
    let live = || emulator.with(|service| service.ptr(address(V4)).map(|text| format!("{text}.")));
    for host in [Some("mail.example.com."), None] {
        // The look without a valid token, the token, the look, the write, the look.
        for at in 0..5 {
            for fault in Fault::all(Duration::from_millis(20)) {
                let what = format!("{fault:?} at request {at} to {host:?}");
                emulator.with(|service| service.set_ptr(address(V4), Some("v1.megasrv.example")));
                let batch = ptr(&provider, &zone, host).await;
                emulator.with(NetcupScp::expire_token);
                emulator.clear_log();
                emulator.fault_at(at, fault);
                let said = provider.apply(&zone, &batch).await;
                assert!(emulator.log().len() > at, "{what}: there are not so many requests");
                let done = live().as_deref() == host;
                match said.as_ref().map(outcome) {
                    Ok(Outcome::Applied) => assert!(done, "{what}: {said:?}"),
                    Ok(Outcome::Unknown) => {}
                    Ok(_) => assert!(!done, "{what}: {said:?}"),
                    Err(error) if error.retry == mailzone_provider::Retry::Unknown => {}
                    Err(error) => assert!(!done, "{what}: {error}"),
                }
                emulator.clear_faults();
                let again = provider.apply(&zone, &batch).await.unwrap();
                assert!(matches!(outcome(&again), Outcome::Applied | Outcome::Already), "{what}: {again:?}");
                assert_eq!(live().as_deref(), host, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn access_tokens_are_renewed() {
    for calls in 1..5 {
        let emulator = start().await;
        emulator.with(|service| {
            service.token_calls = Some(calls);
            service.rotates = true;
        });
        let provider = on_scp(&emulator, &[V4, V6]);
        let zones = provider.zones().await.unwrap();
        for zone in &zones {
            let batch = ptr(&provider, zone, Some("mail.example.com.")).await;
            assert_eq!(outcome(&provider.apply(zone, &batch).await.unwrap()), Outcome::Applied, "{calls}");
        }
        assert!(emulator.with(|service| service.tokens()) > 1);
    }
}

#[tokio::test]
async fn a_revoked_refresh_token_says_how_to_make_another() {
    let emulator = start().await;
    emulator.with(NetcupScp::revoke);
    let error = on_scp(&emulator, &[V4, V6]).zones().await.unwrap_err();
    assert_eq!(error.kind.as_str(), "credentials");
    let text = format!("{error}; {}", error.remedy);
    assert!(text.contains("invalid_grant") && text.contains("30 days"), "{text}");
    assert!(!text.contains(NetcupScp::REFRESH_TOKEN));
    // Said once, not for each address.
    assert_eq!(labels(&emulator), ["token"]);
}

#[tokio::test]
async fn more_than_one_name_is_refused() {
    let emulator = start().await;
    let provider = on_scp(&emulator, &[V4]);
    let zone = provider.zones().await.unwrap().remove(0);
    let mut batch = ptr(&provider, &zone, Some("mail.example.com.")).await;
    let mut after = batch.changes[0].after().cloned().unwrap();
    after.values.push(Rdata::Ptr(name("www.example.com.")).into());
    let two = RRsetChange::new(batch.changes.remove(0).before().cloned(), Some(after)).unwrap();
    assert!(provider.refuse(&two)[0].message.contains("one PTR"));
}
