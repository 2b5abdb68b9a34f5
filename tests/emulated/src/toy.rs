//! A service of three calls, on which the emulator is tried.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mailzone_conformance::memory::MemoryProvider;
use mailzone_conformance::{Harness, Stored, parse_seed};
use mailzone_http::{Backoff, Base, Budget, Call, Client, Settings};
use mailzone_provider::{Access, Retry, Zone, ZoneId};
use mailzone_record::{Name, RRset, RRsetKey, RecordType};
use mailzone_server::Server;
use mailzone_wire::{Query, exchange};
use serde_json::json;

use crate::{Backdoor, EmulatedHarness, Emulator, Fault, Logged, Request, Response, Service};

/// Zones of one TXT record set at the apex; `POST /zones/NAME` adds its body to it.
#[derive(Default)]
struct Toy {
    zones: BTreeMap<String, Vec<String>>,
}

impl Service for Toy {
    fn answer(&mut self, request: &Request) -> Response {
        let segments = request.segments();
        let [_, zone] = segments.as_slice() else { return Response::empty(404) };
        match request.method.as_str() {
            "GET" => Response::json(200, json!(self.zones.get(zone))),
            "POST" => {
                let texts = self.zones.entry(zone.clone()).or_default();
                texts.push(String::from_utf8_lossy(&request.body).into_owned());
                Response::json(201, json!({"texts": texts.len()})).with_header("x-toy", "yes")
            }
            "DELETE" => {
                self.zones.remove(zone);
                Response::empty(204)
            }
            _ => Response::empty(405),
        }
    }

    fn label(&self, request: &Request) -> String {
        format!("{} /zones/{{name}}", request.method)
    }

    fn writes(&self, request: &Request) -> bool {
        request.method != "GET"
    }

    fn throttled(&self) -> Response {
        Response::text(429, "text/plain", "slow down")
    }

    fn served(&self) -> Vec<(Name, Vec<RRset>)> {
        let zone = |(name, texts): (&String, &Vec<String>)| {
            let origin = Name::parse(name).unwrap();
            let mut seed = "@ 60 SOA ns.example. admin.example. 1 2 3 4 5\n@ 60 NS ns.example.\n".to_owned();
            for text in texts {
                seed += &format!("@ 60 TXT \"{text}\"\n");
            }
            let sets = parse_seed(&origin, &seed);
            (origin, sets)
        };
        self.zones.iter().map(zone).collect()
    }
}

impl Backdoor for Toy {
    fn seed(&mut self, origin: &Name, sets: &[RRset]) -> Zone {
        self.zones.insert(origin.to_text_without_dot(), sets.iter().map(|set| set.rtype.to_string()).collect());
        Zone { name: origin.clone(), id: ZoneId::new("1"), access: Access::ReadWrite, nameservers: Vec::new() }
    }

    fn edit(&mut self, zone: &Zone, key: &RRsetKey, after: Option<&RRset>) {
        let text = format!("{} {}", key.rtype, after.is_some());
        self.zones.entry(zone.name.to_text_without_dot()).or_default().push(text);
    }

    fn stored(&self, zone: &Zone) -> Vec<Stored> {
        let texts = self.zones.get(&zone.name.to_text_without_dot()).cloned().unwrap_or_default();
        let stored = |text| Stored { name: zone.name.clone(), rtype: RecordType::TXT, text };
        texts.into_iter().map(stored).collect()
    }
}

/// A client that tries once.
fn client(emulator: &Emulator<Toy>, timeout: Duration) -> Client {
    Client::new(Settings {
        service: "Toy",
        base: Base::parse(&emulator.url()).unwrap(),
        timeout,
        budget: Arc::new(Budget::unlimited()),
        concurrency: 16,
        secrets: Vec::new(),
        backoff: Backoff { attempts: 1, ..Backoff::default() },
    })
    .unwrap()
}

const PATIENT: Duration = Duration::from_secs(20);

fn post(text: &str) -> Call {
    Call::post("/zones/a.example").json(&text)
}

fn texts(emulator: &Emulator<Toy>) -> usize {
    emulator.with(|toy| toy.zones.get("a.example").map_or(0, Vec::len))
}

#[tokio::test]
async fn requests_are_answered_and_logged() {
    let emulator = Emulator::start(Toy::default()).await;
    let client = client(&emulator, PATIENT);
    let reply = client.send(post("one")).await.unwrap();
    assert_eq!((reply.status, reply.header("x-toy")), (201, Some("yes")));
    assert_eq!(client.send(Call::get("/zones/a.example")).await.unwrap().text(), "[\"\\\"one\\\"\"]");
    assert_eq!(client.send(Call::delete("/zones/a.example")).await.unwrap().status, 204);
    assert_eq!(client.send(Call::get("/nothing")).await.unwrap().status, 404);
    let line = |entry: &Logged| format!("{} {} {} {}", entry.label, entry.path, entry.status, entry.write);
    let log: Vec<String> = emulator.log().iter().map(line).collect();
    assert_eq!(
        log,
        [
            "POST /zones/{name} /zones/a.example 201 true",
            "GET /zones/{name} /zones/a.example 200 false",
            "DELETE /zones/{name} /zones/a.example 204 true",
            "GET /zones/{name} /nothing 404 false",
        ]
    );
    emulator.clear_log();
    assert!(emulator.log().is_empty());
}

#[tokio::test]
async fn each_fault_is_what_it_says() {
    for (fault, status, outcome) in [
        (Fault::ErrorBefore, 503, Err(Retry::Unknown)),
        (Fault::ErrorAfter, 503, Err(Retry::Unknown)),
        (Fault::Lost, 0, Err(Retry::Unknown)),
        (Fault::Refused, 0, Err(Retry::Unknown)),
        (Fault::Truncated, 201, Err(Retry::Unknown)),
        (Fault::Html, 200, Ok(200)),
        (Fault::Throttled, 429, Err(Retry::Later)),
        (Fault::Slow(Duration::from_millis(1)), 201, Ok(201)),
    ] {
        assert!(Fault::all(Duration::from_millis(1)).contains(&fault));
        let emulator = Emulator::start(Toy::default()).await;
        let client = client(&emulator, PATIENT);
        client.send(post("before")).await.unwrap();
        emulator.fault_at(1, fault);
        client.send(post("still well")).await.unwrap();
        let result = client.send(post("the one")).await.map(|reply| reply.status).map_err(|error| error.retry);
        assert_eq!((result, emulator.log()[2].status), (outcome, status), "{fault:?}");
        assert_eq!(texts(&emulator), 2 + usize::from(fault.carries_out()), "{fault:?}");
        // Once, and the next one is well.
        assert_eq!(client.send(post("after")).await.unwrap().status, 201, "{fault:?}");
    }
}

/// Without a body there is nothing to cut.
#[tokio::test]
async fn a_cut_answer_without_a_body_is_a_lost_one() {
    let emulator = Emulator::start(Toy::default()).await;
    emulator.fault_at(0, Fault::Truncated);
    let error = client(&emulator, PATIENT).send(Call::delete("/zones/a")).await.unwrap_err();
    assert_eq!((error.retry, emulator.log()[0].status), (Retry::Unknown, 0));
}

#[tokio::test]
async fn faults_can_be_taken_back() {
    let emulator = Emulator::start(Toy::default()).await;
    emulator.fault_at(0, Fault::Lost);
    emulator.clear_faults();
    assert_eq!(client(&emulator, PATIENT).send(post("x")).await.unwrap().status, 201);
}

#[tokio::test]
async fn a_slow_answer_comes_too_late() {
    let emulator = Emulator::start(Toy::default()).await;
    emulator.fault_at(0, Fault::Slow(Duration::from_secs(3600)));
    let error = client(&emulator, Duration::from_millis(500)).send(post("x")).await.unwrap_err();
    assert_eq!((error.retry, texts(&emulator)), (Retry::Unknown, 1));

    emulator.delay(Duration::from_millis(100));
    let start = Instant::now();
    client(&emulator, PATIENT).send(post("x")).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn its_own_throttle() {
    let emulator = Emulator::start(Toy::default()).await;
    let client = client(&emulator, PATIENT);
    // One more in a day.
    emulator.limit(1.0 / 86_400.0, 2);
    for _ in 0..2 {
        client.send(post("x")).await.unwrap();
    }
    let error = client.send(post("x")).await.unwrap_err();
    assert_eq!((error.kind.as_str(), texts(&emulator)), ("throttled", 2));
    assert!(error.to_string().contains("slow down"), "{error}");
}

#[tokio::test]
async fn many_at_once() {
    let emulator = Emulator::start(Toy::default()).await;
    let client = client(&emulator, PATIENT);
    let calls: Vec<_> = (0..100)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move { client.send(post(&n.to_string())).await.map(|reply| reply.status) })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), 201);
    }
    assert_eq!((texts(&emulator), emulator.log().len()), (100, 100));
}

#[tokio::test]
async fn zones_are_published_unless_they_are_never_served() {
    let emulator = Emulator::start(Toy::default()).await;
    let client = client(&emulator, PATIENT);
    let server = Server::start("127.0.0.1:0".parse().unwrap(), Vec::new()).await.unwrap();
    let served = || async {
        let query = Query::authoritative(Name::parse("a.example").unwrap(), RecordType::TXT);
        exchange(server.local_addr(), &query, Duration::from_secs(20)).await.unwrap().message.answers.len()
    };
    emulator.with(|toy| toy.zones.insert("a.example".to_owned(), vec!["one".to_owned()]));
    emulator.publish(server.handle());
    assert_eq!(served().await, 1);
    client.send(Call::post("/zones/a.example").form(&[("two", "")])).await.unwrap();
    assert_eq!(served().await, 2);
    emulator.never_serve(true);
    client.send(Call::post("/zones/a.example").form(&[("three", "")])).await.unwrap();
    assert_eq!((served().await, texts(&emulator)), (2, 3));
    emulator.never_serve(false);
    assert_eq!(served().await, 3);
    client.send(Call::delete("/zones/a.example")).await.unwrap();
    assert_eq!(served().await, 0);
}

#[tokio::test]
async fn the_harness_leads_to_the_service() {
    let emulator = Arc::new(Emulator::start(Toy::default()).await);
    let harness = EmulatedHarness::new(Arc::clone(&emulator), Arc::new(MemoryProvider::new("toy")));
    let origin = Name::parse("b.example").unwrap();
    let zone = harness.seed(&origin, "@ 60 TXT \"x\"\nwww 60 A 192.0.2.1\n").await;
    harness.edit(&zone, &RRsetKey { name: origin, rtype: RecordType::MX }, None).await;
    let stored: Vec<String> = harness.stored(&zone).await.into_iter().map(|stored| stored.text).collect();
    assert_eq!(stored, ["TXT", "A", "MX false"]);
    assert_eq!(harness.provider().id().to_string(), "toy");
    assert!(emulator.log().is_empty());
}
