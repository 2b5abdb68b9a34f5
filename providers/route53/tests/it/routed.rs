//! Sets that are more than a name and a type: shown, and never touched. Zones that are more than one of a name.

use std::time::Duration;

use mailzone_emulated::Backdoor;
use mailzone_emulated::route53::{RecordSet, Routing};
use mailzone_provider::{Access, Batch, Outcome, Provider, ProviderErrorKind, RRsetChange, ZoneId};
use mailzone_record::{RRset, RRsetKey, RecordType, Ttl};

use super::{change, name, outcomes, stage, start};

fn set(owner: &str, values: &[&str], routing: Routing) -> RecordSet {
    let alias = matches!(routing, Routing::Alias { .. });
    RecordSet {
        name: name(owner),
        rtype: RecordType::A,
        ttl: (!alias).then_some(60),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
        routing: Some(routing),
    }
}

fn routed() -> Vec<RecordSet> {
    let id = |text: &str| text.to_owned();
    let v4 = ["192.0.2.1"];
    vec![
        set("alias.example.com", &[], Routing::Alias { target: id("dualstack.lb.example.net.") }),
        set("w.example.com", &v4, Routing::Weighted { identifier: id("blue"), weight: 10 }),
        set("w.example.com", &["192.0.2.2"], Routing::Weighted { identifier: id("green"), weight: 0 }),
        set("l.example.com", &v4, Routing::Latency { identifier: id("l"), region: id("eu-central-1") }),
        set("f.example.com", &v4, Routing::Failover { identifier: id("f"), role: id("PRIMARY") }),
        set("g.example.com", &v4, Routing::Geo { identifier: id("g"), country: id("DE") }),
        set("p.example.com", &v4, Routing::GeoProximity { identifier: id("p"), region: id("eu-central-1") }),
        set("c.example.com", &v4, Routing::Cidr { identifier: id("c"), collection: id("coll"), location: id("x") }),
        set("m.example.com", &v4, Routing::Multivalue { identifier: id("m"), health_check: id("hc-1") }),
        set("h.example.com", &v4, Routing::HealthCheck { id: id("hc-2") }),
        set("t.example.com", &v4, Routing::TrafficPolicy { instance: id("tpi-1") }),
    ]
}

#[tokio::test]
async fn all_are_shown_with_what_they_are_and_survive_an_apply() {
    let (emulator, provider, zone) = start().await;
    emulator.with(|service| {
        service.page = Some(1);
        service.zone(&zone.id).unwrap().sets.extend(routed());
    });
    let snapshot = provider.snapshot(&zone).await.unwrap();
    let shown: Vec<String> = snapshot
        .rrsets()
        .iter()
        .filter(|set| set.rtype == RecordType::A && set.protection.is_some())
        .map(|set| format!("{} {:?} {}", set.name, set.values, set.protection.as_ref().unwrap().reason))
        .collect();
    assert_eq!(
        shown,
        [
            "alias.example.com. [alias of dualstack.lb.example.net. (zone Z2FDTNDATAQYW2)] alias of dualstack.lb.example.net.",
            "c.example.com. [192.0.2.1] IP-based (CIDR), set identifier c",
            "f.example.com. [192.0.2.1] failover (PRIMARY), set identifier f",
            "g.example.com. [192.0.2.1] geolocation, set identifier g",
            "h.example.com. [192.0.2.1] health check hc-2",
            "l.example.com. [192.0.2.1] latency (eu-central-1), set identifier l",
            "m.example.com. [192.0.2.1] multivalue answer, set identifier m",
            "p.example.com. [192.0.2.1] geoproximity, set identifier p",
            "t.example.com. [192.0.2.1] traffic policy instance tpi-1",
            "w.example.com. [192.0.2.1] weighted (10), set identifier blue",
            "w.example.com. [192.0.2.2] weighted (0), set identifier green",
        ]
    );
    let before = emulator.with(|service| service.stored(&zone));
    assert_eq!(outcomes(&provider, &zone, &stage(&snapshot)).await, [Outcome::Applied; 5]);
    let after = emulator.with(|service| service.stored(&zone));
    let only_a = |stored: Vec<mailzone_conformance::Stored>| -> Vec<_> {
        stored.into_iter().filter(|stored| stored.rtype == RecordType::A).collect()
    };
    assert_eq!(only_a(before), only_a(after));
}

#[tokio::test]
async fn they_are_refused_naming_them_and_nothing_is_sent() {
    let (emulator, provider, zone) = start().await;
    emulator.with(|service| {
        let zone = service.zone(&zone.id).unwrap();
        zone.sets.extend(routed());
        let key = RRsetKey { name: name("mail.example.com"), rtype: RecordType::A };
        let other = RRsetKey { name: name("*.example.com"), rtype: RecordType::TXT };
        zone.protections.extend([(other, String::new()), (key, "keep \"this\" & that".into())]);
        // Each of them on a page of its own.
        service.page = Some(1);
    });
    let snapshot = provider.snapshot(&zone).await.unwrap();
    for (owner, rtype, reason) in [
        ("w.example.com", "A", "weighted (10), set identifier blue"),
        ("*.example.com", "TXT", "is protected: protected in the zone"),
        ("mail.example.com", "A", "protected in the zone: keep \"this\" & that"),
        ("example.com", "NS", "Route 53 makes SOA and NS of a zone with it and keeps them"),
        ("example.com", "SOA", "Route 53 makes SOA and NS of a zone with it and keeps them"),
    ] {
        let deletion = change(&snapshot, owner, rtype, &[]);
        let refusals = provider.refuse(&deletion);
        assert!(refusals.iter().any(|refusal| refusal.message.contains(reason)), "{owner}: {refusals:?}");
        emulator.clear_log();
        let error = provider.apply(&zone, &Batch { changes: vec![deletion] }).await.unwrap_err();
        assert!(matches!(error.kind, ProviderErrorKind::Refused(_)), "{error}");
        assert!(emulator.log().is_empty());
    }
}

#[tokio::test]
async fn a_set_that_became_routed_or_protected_meanwhile_is_left_alone() {
    let (emulator, provider, zone) = start().await;
    let snapshot = provider.snapshot(&zone).await.unwrap();
    let batch = Batch { changes: vec![change(&snapshot, "mail.example.com", "A", &["192.0.2.26"])] };
    let key = RRsetKey { name: name("mail.example.com"), rtype: RecordType::A };
    emulator.with(|service| service.zone(&zone.id).unwrap().protections.push((key.clone(), String::new())));
    let error = provider.apply(&zone, &batch).await.unwrap_err();
    assert!(error.to_string().contains("is protected"), "{error}");

    emulator.with(|service| {
        let zone = service.zone(&zone.id).unwrap();
        zone.protections.clear();
        zone.sets.retain(|set| set.name != key.name);
        zone.sets.push(set(
            "mail.example.com",
            &["192.0.2.25"],
            Routing::Weighted { identifier: "x".into(), weight: 1 },
        ));
    });
    assert_eq!(outcomes(&provider, &zone, &batch).await, [Outcome::Stale]);
}

#[tokio::test]
async fn what_the_service_cannot_store_is_refused() {
    let (_emulator, provider, zone) = start().await;
    let snapshot = provider.snapshot(&zone).await.unwrap();
    let refused = |change: &RRsetChange| provider.refuse(change).into_iter().map(|r| r.message).collect::<Vec<_>>();
    let long = format!("\"{}\" ", "x".repeat(255)).repeat(16);
    let many: Vec<String> = (0..401).map(|i| format!("\"{i}\"")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (rtype, values, message) in [
        ("TXT", &[long.as_str()][..], "has 4127 characters"),
        ("TXT", &many[..], "has 401 values"),
        ("SPF", &["\"v=spf1 -all\""], "obsolete"),
        ("OPENPGPKEY", &["\\# 1 00"], "cannot store records of type OPENPGPKEY"),
        ("SSHFP", &["\\# 1 00"], "no text for a value"),
        ("SOA", &["a. b. 1 2 3 4 5"], "cannot store records of type SOA"),
    ] {
        let messages = refused(&change(&snapshot, "new.example.com", rtype, values));
        assert!(messages.iter().any(|text| text.contains(message)), "{rtype}: {messages:?}");
    }
    assert_eq!(
        refused(&change(&snapshot, "new.example.com", "SSHFP", &["2 1 123456789abcdef67890123456789abcdef67890"])),
        [""; 0]
    );
    let spf = RRset::new(
        name("old.example.com"),
        RecordType::SPF,
        Ttl::from_secs(60),
        change(&snapshot, "x", "SPF", &["\"x\""]).after().unwrap().values.clone(),
    );
    assert_eq!(refused(&RRsetChange::new(Some(spf), None).unwrap()), [""; 0]);
}

#[tokio::test]
async fn private_and_double_zones_are_told_apart() {
    let (emulator, provider, public) = start().await;
    emulator.with(|service| {
        service.add_zone(&name("example.com")).private = true;
        service.add_zone(&name("sub.example.com")).private = true;
        service.add_zone(&name("internal.test")).private = true;
        service.add_zone(&name("internal.test")).private = true;
        service.add_zone(&name("twice.example"));
        service.add_zone(&name("twice.example"));
        service.add_zone(&name("linked.example")).linked_service = Some("servicediscovery.amazonaws.com".into());
        service.add_zone(&name("locked.example")).recovery = Some("ENABLING_HOSTED_ZONE_LOCKED".into());
        service.add_zone(&name("recovering.example")).recovery = Some("ENABLED".into());
    });
    let zones = provider.zones().await.unwrap();
    let shown: Vec<String> = zones
        .iter()
        .map(|zone| match &zone.access {
            Access::ReadWrite => zone.name.to_string(),
            Access::ReadOnly { reason, .. } => format!("{} {reason}", zone.name),
        })
        .collect();
    assert_eq!(
        shown,
        [
            "example.com.",
            "twice.example.",
            "twice.example.",
            "linked.example. servicediscovery.amazonaws.com keeps this zone",
            "locked.example. locked while accelerated recovery is switched (ENABLING_HOSTED_ZONE_LOCKED)",
            "recovering.example.",
            "internal.test. a private zone, which is served inside VPCs alone",
        ]
    );
    for id in [public.id.as_str().to_owned(), format!("/hostedzone/{}", public.id)] {
        let found = provider.zone_by_id(&ZoneId::new(id), None).await.unwrap();
        assert_eq!((&found.id, &found.name, &found.access), (&public.id, &public.name, &Access::ReadWrite));
        assert_eq!(found.nameservers.len(), 4);
        assert_eq!(found.nameservers.first(), Some(&name("ns-2048.awsdns-64.com")));
    }
}

#[tokio::test]
async fn a_change_that_is_not_confirmed_in_time_stays_accepted() {
    let (emulator, _, zone) = start().await;
    emulator.with(|service| service.pending = u32::MAX);
    let mut settings = super::settings(&emulator.url());
    settings.polling.patience = Duration::from_millis(20);
    let provider = mailzone_provider_route53::Route53Provider::new(mailzone_provider::ProviderId::new("aws"), settings);
    let snapshot = provider.snapshot(&zone).await.unwrap();
    assert_eq!(outcomes(&provider, &zone, &stage(&snapshot)).await, [Outcome::Applied; 5]);
}
