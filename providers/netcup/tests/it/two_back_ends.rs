//! One account with zones on both back ends and addresses beside.

use mailzone_provider::{Outcome, Provider};

use super::*;

#[tokio::test]
async fn zones_of_both_in_one_run() {
    let (old, old_zone) = ccp_emulator().await;
    let new = Emulator::start(NetcupCloudDns::new(Forms { quoted: true, ..Forms::default() })).await;
    let new_zone = seed(&new, "new.example.", "@ 300 TXT \"v=spf1 mx -all\"\nmail 3600 A 192.0.2.25\n");
    new.with(|service| service.add_elsewhere(&name(ZONE)));
    let panel = Emulator::start(NetcupScp::new()).await;
    let address = "198.51.100.25".parse().unwrap();
    panel.with(|service| service.add_server(&[address]));
    let provider = provider(Settings {
        ccp: ccp(&old),
        clouddns: clouddns(&new),
        scp: scp(&panel),
        addresses: vec![address],
        ..settings(names(&[ZONE, "new.example.", "nowhere.example."]))
    });
    let zones = provider.zones().await.unwrap();
    let shown: Vec<_> = zones.iter().map(|zone| zone.name.to_string()).collect();
    assert_eq!(shown, ["example.com.", "new.example.", "25.100.51.198.in-addr.arpa.", "nowhere.example."]);
    assert!(zones.contains(&old_zone) && zones.contains(&new_zone));
    // CloudDNS is asked for all three; CCP for what it does not have.
    assert_eq!(labels(&new), ["GET /domain"; 3]);
    assert_eq!(labels(&old), ["login", "infoDnsZone", "infoDnsZone"]);

    for zone in [&old_zone, &new_zone] {
        let batch = Batch { changes: vec![change(&provider, zone, "_dmarc", "TXT", &[r#""v=DMARC1; p=none""#]).await] };
        assert!(provider.refuse(&batch.changes[0]).is_empty());
        let receipt = provider.apply(zone, &batch).await.unwrap();
        assert_eq!(receipt.results[0].outcome, Outcome::Applied, "{receipt:?}");
        let again = provider.apply(zone, &batch).await.unwrap();
        assert_eq!(again.results[0].outcome, Outcome::Already, "{again:?}");
    }
    // What one of them cannot store is refused there alone.
    for (zone, refused) in [(&old_zone, true), (&new_zone, false)] {
        let quotes = change(&provider, zone, "x", "TXT", &[r#""say \"hi\"""#]).await;
        assert_eq!(!provider.refuse(&quotes).is_empty(), refused, "{}", zone.name);
    }
    provider.close().await;
    assert!(!old.with(|service| service.has_session()));
}

#[tokio::test]
async fn a_wrong_rest_key_does_not_keep_the_zones_of_the_other_back_end() {
    let (old, old_zone) = ccp_emulator().await;
    let (new, _) = clouddns_emulator(Forms::default()).await;
    let mut settings =
        Settings { ccp: ccp(&old), clouddns: clouddns(&new), ..settings(names(&[ZONE, "new.example.", "c.example."])) };
    settings.clouddns.as_mut().unwrap().api_key = "wrong".into();
    let provider = provider(settings);
    let zones = provider.zones().await.unwrap();
    assert!(zones.contains(&old_zone));
    assert_eq!(labels(&new), ["GET /domain"]);
    assert!(provider.snapshot(&old_zone).await.is_ok());
    let lost = zones.iter().find(|zone| zone.name == name("new.example.")).unwrap();
    let error = provider.snapshot(lost).await.unwrap_err();
    assert_eq!(error.kind.as_str(), "credentials");
}

#[tokio::test]
async fn a_zone_is_found_by_its_identifier_without_another_request() {
    let (emulator, zone) = clouddns_emulator(Forms::default()).await;
    let provider = clouddns_provider(&emulator, &[ZONE, "nowhere.example."]);
    assert_eq!(provider.zone_by_id(&zone.id, Some(&zone.name)).await.unwrap(), zone);
    emulator.clear_log();
    assert_eq!(provider.zone_by_id(&zone.id, None).await.unwrap(), zone);
    let unknown = mailzone_provider::ZoneId::new("1");
    let error = provider.zone_by_id(&unknown, None).await.unwrap_err();
    assert!(error.remedy.contains("zone_id"), "{error}");
    let error = provider.zone_by_id(&unknown, Some(&name("nowhere.example."))).await.unwrap_err();
    assert!(error.remedy.contains("api_key"), "{error}");
    assert_eq!(labels(&emulator), Vec::<String>::new());
}
