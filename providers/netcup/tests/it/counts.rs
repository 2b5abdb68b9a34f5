use mailzone_emulated::netcup_clouddns::Forms;
use mailzone_provider::{Outcome, Provider};

use super::*;

fn outcomes(receipt: &mailzone_provider::Receipt) -> Vec<Outcome> {
    receipt.results.iter().map(|result| result.outcome).collect()
}

#[tokio::test]
async fn ccp_needs_two_requests_for_a_zone_and_one_session_for_a_run() {
    let (emulator, _) = ccp_emulator().await;
    seed(&emulator, "other.example.", RECORDS);
    seed(&emulator, "empty.example.", "");
    let asked = ["mail.example.com.", ZONE, "other.example.", "EXAMPLE.com.", "empty.example.", "_dmarc.example.com."];
    let provider = ccp_provider(&emulator, &asked);
    let zones = provider.zones().await.unwrap();
    assert_eq!(zones.len(), 3);
    assert_eq!(labels(&emulator), ["login", "infoDnsZone", "infoDnsZone", "infoDnsZone"]);
    emulator.clear_log();
    for zone in &zones {
        let snapshot = provider.snapshot(zone).await.unwrap();
        assert_eq!(snapshot.default_ttl(), Ttl::from_secs(86_400));
        assert!(snapshot.rrsets().iter().all(|set| set.ttl.is_none()));
    }
    assert_eq!(labels(&emulator), ["infoDnsRecords"; 3]);
    // Nothing is looked for twice in a run.
    emulator.clear_log();
    provider.zones().await.unwrap();
    assert_eq!(labels(&emulator), Vec::<String>::new());

    let batch = stage(&provider, &zones[0]).await;
    assert_eq!(zones[0].name, name(ZONE));
    emulator.clear_log();
    let receipt = provider.apply(&zones[0], &batch).await.unwrap();
    assert_eq!(outcomes(&receipt), [Outcome::Applied; 4]);
    assert_eq!(labels(&emulator), ["infoDnsRecords", "updateDnsRecords", "infoDnsRecords"]);
    // What is done already costs one look.
    emulator.clear_log();
    let receipt = provider.apply(&zones[0], &batch).await.unwrap();
    assert_eq!(outcomes(&receipt), [Outcome::Already; 4]);
    assert_eq!(labels(&emulator), ["infoDnsRecords"]);

    emulator.clear_log();
    provider.close().await;
    provider.close().await;
    assert_eq!(labels(&emulator), ["logout"]);
    assert_eq!(emulator.with(|service| (service.logins(), service.has_session())), (1, false));
}

#[tokio::test]
async fn a_ccp_zone_keeps_its_ttl() {
    let (emulator, zone) = ccp_emulator().await;
    emulator.with(|service| service.set_ttl(&zone, 300));
    let provider = ccp_provider(&emulator, &[ZONE]);
    let batch = stage(&provider, &zone).await;
    provider.apply(&zone, &batch).await.unwrap();
    assert_eq!(emulator.with(|service| service.ttl(&zone)), 300);
    assert_eq!(provider.snapshot(&zone).await.unwrap().default_ttl(), Ttl::from_secs(300));
    assert!(!provider.capabilities().ttl.per_rrset);
}

#[tokio::test]
async fn names_are_walked_from_the_longest_and_asked_for_once() {
    let (emulator, _) = ccp_emulator().await;
    let provider = ccp_provider(&emulator, &["a.b.nowhere.example.", "c.b.nowhere.example."]);
    let zones = provider.zones().await.unwrap();
    // Both are listed, with the reason for whoever reads them.
    assert_eq!(zones.len(), 2);
    // The login, both names, b.nowhere.example once, nowhere.example once.
    assert_eq!(labels(&emulator).len(), 5);
    emulator.clear_log();
    provider.snapshot(&zones[0]).await.unwrap_err();
    assert_eq!(labels(&emulator), Vec::<String>::new());
}

#[tokio::test]
async fn clouddns_needs_two_requests_and_the_pages() {
    let (emulator, zone) = clouddns_emulator(Forms::default()).await;
    // 3 of the apex and 13 others in pages of 10.
    emulator.with(|service| service.page = 10);
    let provider = clouddns_provider(&emulator, &[ZONE, "mail.example.com."]);
    let zones = provider.zones().await.unwrap();
    assert_eq!(zones, std::slice::from_ref(&zone));
    provider.snapshot(&zone).await.unwrap();
    let records = "GET /domain/{id}/dns/revision/{id}/record";
    assert_eq!(labels(&emulator), ["GET /domain", "GET /domain/{id}/dns/revision", records, records]);

    let batch = stage(&provider, &zone).await;
    emulator.clear_log();
    let receipt = provider.apply(&zone, &batch).await.unwrap();
    assert_eq!(outcomes(&receipt), [Outcome::Applied; 4]);
    let read = ["GET /domain/{id}/dns/revision", records, records];
    assert_eq!(labels(&emulator), [&read[..], &["POST /domain/{id}/changeset"], &read[..]].concat());
    assert_eq!(emulator.with(|service| service.revisions(&zone)), 2);
    provider.close().await;
    assert_eq!(labels(&emulator).len(), 7);
}

#[tokio::test]
async fn clouddns_asks_for_many_zones_at_a_time() {
    let (emulator, _) = clouddns_emulator(Forms::default()).await;
    let zones: Vec<String> = (0..20).map(|number| format!("zone{number}.example.")).collect();
    for zone in &zones {
        seed(&emulator, zone, "@ 3600 A 192.0.2.1\n");
    }
    let asked: Vec<&str> = zones.iter().map(String::as_str).collect();
    let provider = clouddns_provider(&emulator, &asked);
    assert_eq!(provider.zones().await.unwrap().len(), 20);
    assert_eq!(labels(&emulator).len(), 20);
}
