//! The recorded conversations: every answer, and the recorded zone of 142 records through an apply.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use mailzone_emulated::{Emulator, Request, Response, Service};
use mailzone_provider::{Access, Provider, Zone, ZoneId};
use mailzone_record::{Name, RRset, RecordType};
use serde_json::Value;

use crate::bench::{hosting, hosting_with_key, key, name, want};

const ALL: &str = "when_calling_list_records_with_no_arguments_should_list_all.json";

/// Answers each request with the first unused interaction of the same method and path.
struct Replay {
    interactions: Vec<Value>,
}

impl Service for Replay {
    fn answer(&mut self, request: &Request) -> Response {
        assert!(request.header("x-api-key").is_some(), "without a key");
        let fits = |interaction: &Value| {
            let uri = interaction["request"]["uri"].as_str().unwrap_or_default();
            let path = uri.trim_start_matches("https://api.hosting.ionos.com").split('?').next();
            interaction["request"]["method"] == *request.method && path == Some(request.path.as_str())
        };
        match self.interactions.iter().position(fits) {
            Some(at) => {
                let response = self.interactions.remove(at)["response"].take();
                let status = response["status"]["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap();
                Response::text(status, "application/json", response["body"]["string"].as_str().unwrap_or_default())
            }
            None => Response::text(404, "application/json", "[]"),
        }
    }

    fn label(&self, request: &Request) -> String {
        request.path.clone()
    }

    fn writes(&self, _: &Request) -> bool {
        false
    }

    fn throttled(&self) -> Response {
        Response::empty(429)
    }

    fn served(&self) -> Vec<(Name, Vec<RRset>)> {
        Vec::new()
    }
}

fn cassettes() -> Vec<(String, Vec<Value>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/recorded/ionos");
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let cassette: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            let interactions = cassette["interactions"].as_array().unwrap().clone();
            files.push((path.file_name().unwrap().to_string_lossy().into_owned(), interactions));
        }
    }
    files
}

fn recorded_zone() -> Value {
    let cassettes: BTreeMap<_, _> = cassettes().into_iter().collect();
    let answers = cassettes[ALL].iter().map(|interaction| interaction["response"]["body"]["string"].as_str().unwrap());
    let answers = answers.map(|text| serde_json::from_str::<Value>(text).unwrap());
    answers.into_iter().find(|answer| answer.get("records").is_some()).unwrap()
}

/// Every file answers the listing of the zones; every zone in it is read, value by value.
#[tokio::test]
async fn every_conversation_is_understood() {
    let mut zones_read = 0;
    for (file, interactions) in cassettes() {
        let count =
            |text: &str| interactions.iter().filter(|i| i["request"]["uri"].as_str().unwrap().contains(text)).count();
        let reads = interactions
            .iter()
            .filter(|i| {
                i["request"]["method"] == "GET" && !i["request"]["uri"].as_str().unwrap().ends_with("/v1/zones")
            })
            .count();
        assert!(count("/v1/zones") > 0, "{file}");
        let expected: Vec<Value> = interactions
            .iter()
            .filter_map(|i| serde_json::from_str::<Value>(i["response"]["body"]["string"].as_str()?).ok())
            .filter(|answer| answer.get("records").is_some())
            .collect();
        let emulator = Emulator::start(Replay { interactions }).await;
        let provider = hosting_with_key(&format!("{}/dns", emulator.url()), "REDACTED.REDACTED");
        let zones = provider.zones().await.unwrap();
        assert_eq!((zones.len(), zones[0].name.to_string()), (1, "example.com.".to_owned()), "{file}");
        assert_eq!(zones[0].access, Access::ReadWrite);
        assert_eq!(reads, expected.len(), "{file}");
        for answer in expected {
            let snapshot = provider.snapshot(&zones[0]).await.unwrap();
            let values: usize = snapshot.rrsets().iter().map(|set| set.values.len()).sum();
            assert_eq!(values, answer["records"].as_array().unwrap().len(), "{file}");
            zones_read += 1;
        }
    }
    assert!(zones_read > 5, "{zones_read}");
}

/// Nothing of what is foreign in the recorded zone changes, in the service's own spelling; ids of records that are
/// not written stay.
#[tokio::test]
async fn the_recorded_zone_survives_an_apply() {
    let bench = hosting().await;
    let zone = bench.emulator.with(|service| service.load(&recorded_zone()));
    assert_eq!(zone.id, ZoneId::new("4c9feb47-2a4d-11ec-bda4-0a5864441f49"));
    let before = bench.stored(&zone);
    let desired = vec![
        want("@", "MX", 3600, &["10 mail.example.com."]),
        want("@", "TXT", 3600, &[r#""v=spf1 mx -all""#]),
        want("_dmarc", "TXT", 3600, &[r#""v=DMARC1; p=none""#]),
        want("nextcloud", "TXT", 3600, &[r#""v=spf1 a mx -all""#, r#""token""#]),
        want("roundcube", "AAAA", 3600, &["2001:db8::1", "2001:db8::2"]),
        want("_acme-challenge.full", "TXT", 0, &[]),
        want("docs", "CNAME", 0, &[]),
    ];
    let receipt = bench.bring_about(&zone, &desired).await;
    assert!(receipt.side_effects.is_empty(), "{:?}", receipt.side_effects);
    let (mut old, mut new) = (before, bench.stored(&zone));
    assert_eq!(new[&key("nextcloud", "TXT")], [r#""token" None"#, r#""v=spf1 a mx -all" None"#]);
    assert!(new[&key("roundcube", "AAAA")].contains(&"2001:db8:0:0:0:0:0:1 None".to_owned()));
    for (key, _) in &desired {
        old.remove(key);
        new.remove(key);
    }
    assert_eq!(old, new);
}

#[tokio::test]
async fn the_recorded_zone_says_it_uses_ionos_mail() {
    let bench = hosting().await;
    let zone = bench.emulator.with(|service| service.load(&recorded_zone()));
    let snapshot = bench.provider.snapshot(&zone).await.unwrap();
    let effects = |desired| {
        let changes = crate::bench::changes(&snapshot, &vec![desired]);
        let effects = bench.provider.side_effects(&snapshot, &changes);
        effects.iter().map(|effect| effect.key.to_string()).collect::<Vec<_>>()
    };
    let dkim = |domain: &str| ["s00000000", "s1-ionos", "s2-ionos"].map(|s| format!("{s}._domainkey.{domain}. CNAME"));
    let mut expected = vec!["example.com. TXT".to_owned(), "autodiscover.example.com. CNAME".to_owned()];
    expected.extend(dkim("example.com"));
    let mut found = effects(want("@", "MX", 3600, &["10 mail.example.com."]));
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let found = effects(want("bachlang", "TXT", 3600, &[r#""v=spf1 mx -all""#]));
    assert_eq!(found.len(), 5, "{found:?}");
    assert!(found.iter().all(|key| key.contains("bachlang.example.com.")), "{found:?}");
    // The older mail service is at its MX and its autodiscover.
    let found = effects(want("_dmarc.verben", "TXT", 3600, &[r#""v=DMARC1; p=none""#]));
    assert_eq!(found, ["verben.example.com. MX", "autodiscover.verben.example.com. CNAME"]);
    assert!(effects(want("_dmarc.nextcloud", "TXT", 3600, &[r#""v=DMARC1; p=reject""#])).is_empty());
    assert!(effects(want("www", "A", 3600, &["192.0.2.1"])).is_empty());
}

/// Apex name servers and SOA are seen and never touched.
#[tokio::test]
async fn what_ionos_keeps_is_protected() {
    let bench = hosting().await;
    let zone: Zone = bench.emulator.with(|service| service.load(&recorded_zone()));
    let snapshot = bench.provider.snapshot(&zone).await.unwrap();
    let protected: Vec<_> = snapshot
        .rrsets()
        .iter()
        .filter_map(|set| Some(format!("{}: {}", set.key(), set.protection.as_ref()?.reason)))
        .collect();
    assert_eq!(
        protected,
        [
            "example.com. NS: IONOS assigns the name servers of its zones",
            "example.com. SOA: IONOS keeps the SOA record"
        ]
    );
    let spelt =
        snapshot.get(&name("nextcloud.example.com"), RecordType::TXT).unwrap().values[0].origin.clone().unwrap();
    assert_eq!(spelt.spelling.as_deref(), Some(r#""v=spf1 a mx -all""#));
    assert!(spelt.handle.is_some());
}
