//! What the real service answered, served again.

use mailzone_emulated::cloudflare::{Cloudflare, Plan, TOKEN};
use mailzone_emulated::{Backdoor, Emulator, Request, Response, Service};
use mailzone_provider::{Access, Provider};
use mailzone_record::{Name, RRset, RecordType};
use serde_json::Value;

use super::{name, provider};

/// The interactions of one file: each is used once, by method and path. Paging is left out of account.
struct Replay {
    left: Vec<(String, String, u16, String)>,
}

impl Replay {
    fn of(file: &str) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/recorded/cloudflare");
        let text = std::fs::read_to_string(format!("{folder}/{file}.json")).unwrap();
        let cassette: Value = serde_json::from_str(&text).unwrap();
        let interaction = |interaction: &Value| {
            let (request, response) = (&interaction["request"], &interaction["response"]);
            let uri = request["uri"].as_str().unwrap();
            let path = uri.trim_start_matches("https://api.cloudflare.com").split('?').next().unwrap();
            let status = u16::try_from(response["status"]["code"].as_u64().unwrap()).unwrap();
            let body = response["body"]["string"].as_str().unwrap().to_owned();
            (request["method"].as_str().unwrap().to_owned(), path.to_owned(), status, body)
        };
        Self { left: cassette["interactions"].as_array().unwrap().iter().map(interaction).collect() }
    }
}

impl Service for Replay {
    fn answer(&mut self, request: &Request) -> Response {
        let authorized = request.header("authorization") == Some(&format!("Bearer {TOKEN}"));
        let known =
            |(method, path, ..): &(String, String, u16, String)| *method == request.method && *path == request.path;
        match self.left.iter().position(known).filter(|_| authorized) {
            Some(at) => {
                let (.., status, body) = self.left.remove(at);
                Response::text(status, "application/json", body)
            }
            None => Response::text(418, "text/plain", "not recorded"),
        }
    }

    fn label(&self, request: &Request) -> String {
        request.path.clone()
    }

    fn writes(&self, request: &Request) -> bool {
        request.method != "GET"
    }

    fn throttled(&self) -> Response {
        Response::empty(429)
    }

    fn served(&self) -> Vec<(Name, Vec<RRset>)> {
        Vec::new()
    }
}

#[tokio::test]
async fn zones_found_and_not_found() {
    for file in ["authenticate", "authenticate_with_unmanaged_domain_should_fail"] {
        let emulator = Emulator::start(Replay::of(file)).await;
        let zones = provider(&emulator).zones().await.unwrap();
        let names: Vec<_> = zones.iter().map(|zone| zone.name.to_string()).collect();
        assert_eq!(names, ["example.org.", "example.com.", "example.net."]);
        assert!(zones.iter().all(|zone| zone.access == Access::ReadWrite && zone.nameservers.len() == 2));
    }
}

#[tokio::test]
async fn a_whole_zone() {
    let emulator = Emulator::start(Replay::of("when_calling_list_records_with_no_arguments_should_list_all")).await;
    let provider = provider(&emulator);
    let zone = provider.zones().await.unwrap().remove(0);
    let snapshot = provider.snapshot(&zone).await.unwrap();
    let handles: Vec<_> = snapshot
        .rrsets()
        .iter()
        .flat_map(|set| &set.values)
        .filter_map(|value| value.origin.as_ref()?.handle.clone())
        .collect();
    assert_eq!(handles.len(), 15);
    let localhost = snapshot.get(&name("localhost"), RecordType::A).unwrap();
    assert_eq!((localhost.ttl.unwrap().as_secs(), format!("{:?}", localhost.values)), (3600, "[127.0.0.1]".into()));
    let several = snapshot.get(&name("_acme-challenge.createrecordset"), RecordType::TXT).unwrap();
    assert_eq!(several.values.len(), 2);
    assert!(snapshot.rrsets().iter().filter(|set| set.rtype != RecordType::NS).all(|set| set.protection.is_none()));
    assert_eq!(snapshot.get(&zone.name, RecordType::NS).unwrap().values.len(), 2);
}

/// The emulated service speaks as the real one did: the same fields in its lists, of the same kinds.
#[tokio::test]
async fn the_emulated_service_has_the_recorded_fields() {
    fn kinds(value: &Value) -> Vec<(String, u8)> {
        let kind = |value: &Value| match value {
            Value::Null => 0,
            Value::Bool(_) => 1,
            Value::Number(_) => 2,
            Value::String(_) => 3,
            Value::Array(_) => 4,
            Value::Object(_) => 5,
        };
        value.as_object().unwrap().iter().map(|(field, value)| (field.clone(), kind(value))).collect()
    }
    let replay = Replay::of("when_calling_list_records_with_no_arguments_should_list_all");
    let mut service = Cloudflare::new();
    service.add_zone(&name("@"), Plan::Free);
    let seed = mailzone_conformance::parse_seed(&name("@"), "localhost 3600 A 127.0.0.1");
    let zone = service.seed(&name("@"), &seed);
    let headers = vec![("authorization".to_owned(), format!("Bearer {TOKEN}"))];
    let paths = ["/zones".to_owned(), format!("/zones/{}/dns_records", zone.id)];
    for ((.., status, recorded), path) in replay.left.iter().zip(paths) {
        let request = Request { method: "GET".into(), path, headers: headers.clone(), ..Request::default() };
        let answer = service.answer(&request);
        assert_eq!(answer.status, *status);
        let emulated: Value = serde_json::from_slice(&answer.body).unwrap();
        let recorded: Value = serde_json::from_str(recorded).unwrap();
        assert_eq!(kinds(&emulated), kinds(&recorded));
        assert_eq!(kinds(&emulated["result_info"]), kinds(&recorded["result_info"]));
        let (ours, theirs) = (kinds(&emulated["result"][0]), kinds(&recorded["result"][0]));
        // Of a zone only what is used is emulated; a record whole.
        let missing: Vec<_> = ours.iter().filter(|field| !theirs.contains(field)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        if theirs.iter().any(|(field, _)| field == "content") {
            assert_eq!(ours, theirs);
        }
    }
}
