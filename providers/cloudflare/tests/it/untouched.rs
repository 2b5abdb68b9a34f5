//! What must survive, and what must not be touched.

use mailzone_provider::{Outcome, Provider};
use serde_json::json;

use super::{apply, change, name, outcomes, scene};

const ZONE: &str = r#"
@ 3600 MX 10 route1.mx.cloudflare.net.
@ 300 TXT "v=spf1 include:_spf.mx.cloudflare.net ~all"
@ 300 TXT "foreign"
www 300 A 192.0.2.1
www 300 A 192.0.2.2
tunnel 300 CNAME elsewhere.example.
flat 300 CNAME elsewhere.example.
_dmarc 3600 TXT "v=DMARC1; p=none"
"#;

#[tokio::test]
async fn untouchable_records_are_refused_by_name() {
    let (emulator, provider, zone) = scene(ZONE).await;
    emulator.with(|service| {
        for record in &mut service.zones[0].records {
            match (&*record.name, &*record.rtype, &*record.content) {
                (_, "MX", _) => record.meta = json!({"email_routing": true, "read_only": true}),
                (_, _, content) if content.contains("spf1") => record.meta = json!({"read_only": true}),
                (_, _, "192.0.2.1") => record.proxied = true,
                ("tunnel.example.org", ..) => record.meta = json!({"managed_by_argo_tunnel": true}),
                ("flat.example.org", ..) => record.settings = json!({"flatten_cname": true}),
                _ => {}
            }
        }
    });
    let before = emulator.with(|service| service.zones[0].records.clone());
    let mut said = Vec::new();
    let mut changes = Vec::new();
    for (owner, rtype, new) in [
        ("@", "MX", "10 mail.example.org."),
        ("@", "TXT", "new"),
        ("www", "A", "192.0.2.9"),
        ("tunnel", "CNAME", "other.example."),
        ("flat", "CNAME", "other.example."),
        ("@", "NS", "ns.example.net."),
    ] {
        let change = change(&provider, &zone, owner, rtype, None, &[new]).await;
        said.extend(provider.refuse(&change).into_iter().map(|refusal| refusal.message));
        changes.push(change);
    }
    let expected = [
        "example.org. MX is protected: Cloudflare Email Routing owns `route1.mx.cloudflare.net`",
        "example.org. TXT is protected: Cloudflare Email Routing owns `\"v=spf1 include:_spf.mx.cloudflare.net ~all\"`, \
         which is read-only",
        "www.example.org. A is protected: it is proxied: what is served are addresses of Cloudflare, not `192.0.2.1`",
        "tunnel.example.org. CNAME is protected: a Cloudflare tunnel manages it",
        "flat.example.org. CNAME is protected: it is a flattened CNAME: what is served are the addresses of \
         `elsewhere.example`",
        "example.org. NS is protected: the zone's own name servers are Cloudflare's to change",
    ];
    assert_eq!(said, expected);

    // Whoever writes all the same is stopped by the re-read.
    for change in changes {
        assert_eq!(outcomes(&apply(&provider, &zone, &[change]).await), [Outcome::Stale]);
    }
    assert_eq!(emulator.with(|service| service.zones[0].records.clone()), before);
}

/// A CNAME at the apex is legal here; it is flattened, and stays.
#[tokio::test]
async fn beside_an_apex_cname() {
    let (emulator, provider, zone) = scene("@ 300 CNAME web.example.net.").await;
    let before = emulator.with(|service| service.zones[0].records.clone());
    let spf = change(&provider, &zone, "@", "TXT", None, &["v=spf1 -all"]).await;
    assert_eq!(provider.refuse(&spf), []);
    assert_eq!(outcomes(&apply(&provider, &zone, &[spf]).await), [Outcome::Applied]);
    assert_eq!(emulator.with(|service| service.zones[0].records[0].clone()), before[0]);
    let cname = change(&provider, &zone, "@", "CNAME", None, &[]).await;
    assert_eq!(provider.refuse(&cname).len(), 1);
}

#[tokio::test]
async fn comments_tags_settings_and_identifiers_survive() {
    let (emulator, provider, zone) = scene(ZONE).await;
    emulator.with(|service| {
        for (i, record) in service.zones[0].records.iter_mut().enumerate() {
            record.comment = Some(format!("comment {i}"));
            record.tags = vec![format!("owner:{i}")];
            record.settings = json!({"ipv4_only": i % 2 == 0});
        }
    });
    let records = || emulator.with(|service| service.zones[0].records.clone());
    let before = records();
    let changes = [
        change(&provider, &zone, "_dmarc", "TXT", None, &["v=DMARC1; p=reject"]).await,
        change(&provider, &zone, "@", "TXT", None, &["foreign", "v=spf1 -all"]).await,
        change(&provider, &zone, "@", "MX", Some(600), &["10 route1.mx.cloudflare.net."]).await,
        change(&provider, &zone, "www", "A", None, &["192.0.2.2"]).await,
    ];
    assert_eq!(outcomes(&apply(&provider, &zone, &changes).await), [Outcome::Applied; 4]);
    let after = records();
    assert_eq!(after.len(), before.len() - 1);
    let mut contents = Vec::new();
    for record in &after {
        let old = before.iter().find(|old| old.id == record.id).unwrap();
        assert_eq!(
            (&old.name, &old.comment, &old.tags, &old.settings, old.proxied, &old.created_on),
            (&record.name, &record.comment, &record.tags, &record.settings, record.proxied, &record.created_on)
        );
        if old != record {
            contents.push((record.content.as_str(), record.ttl));
        }
    }
    // Automatic stays automatic, and what does not change is not even written.
    contents.sort_unstable();
    let expected = [("\"v=DMARC1; p=reject\"", 3600), ("\"v=spf1 -all\"", 1), ("route1.mx.cloudflare.net", 600)];
    assert_eq!(contents, expected);
}

/// A text without quotes stays without them while its neighbour changes; the second copy of a value goes with the first.
#[tokio::test]
async fn spellings_survive_and_copies_do_not() {
    let (emulator, provider, zone) = scene("@ 300 TXT \"a\"\n@ 300 TXT \"b\"\n@ 300 TXT \"c\"").await;
    emulator.with(|service| {
        let records = &mut service.zones[0].records;
        records[0].content = "v=TLSRPTv1\\; x".into();
        records[2].content = "b".into();
    });
    let change = change(&provider, &zone, "@", "TXT", None, &["v=TLSRPTv1; x", "new"]).await;
    assert_eq!(change.before().unwrap().values.len(), 3);
    assert_eq!(outcomes(&apply(&provider, &zone, &[change]).await), [Outcome::Applied]);
    let contents: Vec<_> =
        emulator.with(|service| service.zones[0].records.iter().map(|record| record.content.clone()).collect());
    assert_eq!(contents, ["v=TLSRPTv1\\; x", "\"new\""]);
}

/// The TTL that a new record takes when none is configured is the service's automatic one.
#[tokio::test]
async fn automatic_ttl() {
    let (emulator, provider, zone) = scene("old 3600 TXT \"a\"").await;
    let changes = [
        change(&provider, &zone, "new", "TXT", None, &["a"]).await,
        change(&provider, &zone, "set", "TXT", Some(900), &["a"]).await,
        change(&provider, &zone, "old", "TXT", Some(300), &["a"]).await,
    ];
    assert_eq!(outcomes(&apply(&provider, &zone, &changes).await), [Outcome::Applied; 3]);
    let ttl = |owner: &str| {
        let owner = name(owner).to_text_without_dot();
        emulator.with(|service| service.zones[0].records.iter().find(|r| r.name == owner).unwrap().ttl)
    };
    assert_eq!((ttl("new"), ttl("set"), ttl("old")), (1, 900, 300));
    let snapshot = provider.snapshot(&zone).await.unwrap();
    let ttl = |owner: &str| snapshot.get(&name(owner), "TXT".parse().unwrap()).unwrap().ttl.unwrap().as_secs();
    assert_eq!((ttl("new"), ttl("set"), ttl("old")), (300, 900, 300));
}
