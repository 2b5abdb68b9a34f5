//! Which zones there are, and what may be done with them.

use mailzone_emulated::Emulator;
use mailzone_emulated::cloudflare::{Cloudflare, Plan, Token};
use mailzone_provider::{Access, Provider, ProviderErrorKind, ZoneId};

use super::{labels, name, provider, quick, scene, token};

fn reason(access: &Access) -> &str {
    match access {
        Access::ReadWrite => "",
        Access::ReadOnly { reason, .. } => reason,
    }
}

#[tokio::test]
async fn every_page_and_every_state() {
    let mut service = Cloudflare::new();
    service.page_limits = (2, 100);
    let mut ids = Vec::new();
    for (owner, status, kind) in [
        ("a", "active", "full"),
        ("b", "pending", "full"),
        ("c", "active", "secondary"),
        ("d", "active", "partial"),
        ("e", "moved", "full"),
        ("a", "moved", "full"),
        ("a", "pending", "full"),
    ] {
        let id = service.add_zone(&name(owner), Plan::Free);
        let zone = service.zone(&id).unwrap();
        (zone.status, zone.kind) = (status, kind);
        ids.push(id);
    }
    service.zone(&ids[1]).unwrap().vanity_name_servers = vec!["ns1.example.org".into()];
    let emulator = Emulator::start(service).await;
    let zones = provider(&emulator).zones().await.unwrap();
    assert_eq!(labels(&emulator), ["GET /zones"; 4]);

    let seen: Vec<_> = zones.iter().map(|zone| (zone.name.to_string(), reason(&zone.access))).collect();
    let expected = [
        ("a.example.org.", ""),
        ("b.example.org.", ""),
        ("c.example.org.", "a secondary zone: Cloudflare transfers its records from another server"),
        ("d.example.org.", "a partial (CNAME) setup: Cloudflare serves proxied names alone, other servers the domain"),
        ("e.example.org.", "the domain has moved away from Cloudflare (status moved): the zone is not served"),
        // The one that moved is left out; the pending one stays, so that both can be told apart by `zone_id`.
        ("a.example.org.", ""),
    ];
    assert_eq!(seen, expected.map(|(name, reason)| (name.to_owned(), reason)));
    assert_eq!(zones[5].id.as_str(), ids[6]);
    let servers = |at: usize| zones[at].nameservers.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(servers(0), ["ada.ns.cloudflare.example.", "bob.ns.cloudflare.example."]);
    assert_eq!(servers(1), ["ns1.example.org."]);
}

#[tokio::test]
async fn a_token_that_only_reads() {
    let (emulator, _, zone) = scene("@ 300 TXT \"a\"").await;
    let reader = "reader-token-0123456789-0123456789-01234";
    let rights = vec!["#dns_records:read", "#zone:read"];
    emulator.with(|service| service.tokens.push(Token { secret: reader.into(), zones: None, rights }));
    let provider = mailzone_provider_cloudflare::CloudflareProvider::new(
        mailzone_provider::ProviderId::new("cf"),
        token(reader),
        quick(&emulator.url()),
    )
    .unwrap();
    let zones = provider.zones().await.unwrap();
    assert_eq!(
        reason(&zones[0].access),
        "the token may read its records and not write them (#dns_records:edit is missing)"
    );
    assert!(provider.snapshot(&zone).await.is_ok());
    let change = super::change(&provider, &zone, "_dmarc", "TXT", None, &["x"]).await;
    let error = provider.apply(&zone, &mailzone_provider::Batch { changes: vec![change] }).await.unwrap_err();
    assert!(matches!(&error.kind, ProviderErrorKind::Permission(_)), "{error}");
    assert_eq!(error.remedy, "give the token Zone → DNS → Edit for this zone");
}

#[tokio::test]
async fn a_zone_by_its_identifier() {
    let (emulator, provider, zone) = scene("@ 300 TXT \"a\"").await;
    assert_eq!(provider.zone_by_id(&zone.id, None).await.unwrap(), zone);
    assert_eq!(labels(&emulator), ["GET /zones/{id}"]);

    // Without Zone Read the configured name is believed; without one there is nothing to believe.
    emulator.with(|service| service.tokens[0].rights = vec!["#dns_records:read", "#dns_records:edit"]);
    let found = provider.zone_by_id(&zone.id, Some(&name("@"))).await.unwrap();
    assert_eq!((&found.id, &found.name, &found.access), (&zone.id, &zone.name, &Access::ReadWrite));
    assert!(found.nameservers.is_empty());
    assert!(provider.snapshot(&found).await.is_ok());
    let error = provider.zone_by_id(&zone.id, None).await.unwrap_err();
    assert!(matches!(error.kind, ProviderErrorKind::Permission(_)), "{error}");

    for id in ["no-identifier", "0123456789abcdef0123456789abcdef"] {
        let error = provider.zone_by_id(&ZoneId::new(id), Some(&name("@"))).await.unwrap_err();
        assert!(matches!(error.kind, ProviderErrorKind::NoZone(_)), "{error}");
        assert!(error.remedy.contains("zone_id"));
    }
}
