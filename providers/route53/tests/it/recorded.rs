//! What the real service once answered: every answer is read, and what is read is sent back as it was.

use std::path::Path;

use mailzone_emulated::{Emulator, Request, Response, Service};
use mailzone_provider::{Access, Batch, Outcome, Provider, RRsetChange, Zone, ZoneId};
use mailzone_record::{Name, RRset, RecordType, Ttl};

use super::{change, name, provider};

/// One recorded exchange.
#[derive(Debug, Clone)]
struct Recorded {
    file: String,
    method: String,
    path: String,
    status: u16,
    answer: String,
}

/// Answers each request with the first unused exchange of its method and path.
struct Replay {
    left: Vec<Recorded>,
    bodies: Vec<String>,
}

impl Service for Replay {
    fn answer(&mut self, request: &Request) -> Response {
        assert!(request.header("authorization").is_some_and(|value| value.starts_with("AWS4-HMAC-SHA256 ")));
        self.bodies.push(String::from_utf8(request.body.clone()).unwrap());
        // The recorded client ends the path of a write in a slash.
        let path = request.path.trim_end_matches('/');
        let fits = |known: &Recorded| known.method == request.method && known.path.trim_end_matches('/') == path;
        let at = self.left.iter().position(fits);
        match at.map(|at| self.left.remove(at)) {
            Some(recorded) => Response::text(recorded.status, "text/xml", recorded.answer),
            None => Response::text(404, "text/xml", "<UnknownOperationException/>"),
        }
    }

    fn label(&self, request: &Request) -> String {
        format!("{} {}", request.method, request.path)
    }

    fn writes(&self, request: &Request) -> bool {
        request.method == "POST"
    }

    fn throttled(&self) -> Response {
        Response::empty(400)
    }

    fn served(&self) -> Vec<(Name, Vec<RRset>)> {
        Vec::new()
    }
}

fn files() -> Vec<Vec<Recorded>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/recorded/route53");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    assert_eq!(paths.len(), 14);
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Vec<Recorded> {
    let request = Request { body: std::fs::read(path).unwrap(), ..Request::default() };
    let file = path.file_stem().unwrap().to_string_lossy().into_owned();
    let cassette = request.json().unwrap();
    let interactions = cassette["interactions"].as_array().unwrap();
    let recorded = interactions.iter().map(|interaction| {
        let uri = interaction["request"]["uri"].as_str().unwrap();
        let path = uri.strip_prefix("https://route53.amazonaws.com").unwrap();
        // Our client asks with another call for the zones; the elements of its answer are the same.
        let answer = interaction["response"]["body"]["string"].as_str().unwrap();
        Recorded {
            file: file.clone(),
            method: interaction["request"]["method"].as_str().unwrap().to_owned(),
            path: path.replace("hostedzonesbyname", "hostedzone"),
            status: u16::try_from(interaction["response"]["status"]["code"].as_u64().unwrap()).unwrap(),
            answer: answer.replace("ListHostedZonesByNameResponse", "ListHostedZonesResponse"),
        }
    });
    recorded.collect()
}

async fn replay(left: Vec<Recorded>) -> Emulator<Replay> {
    Emulator::start(Replay { left, bodies: Vec::new() }).await
}

fn recorded_zone() -> Zone {
    let id = ZoneId::new("Z040120927RX9CM38HPQQ");
    Zone { id, name: name("example.com"), access: Access::ReadWrite, nameservers: Vec::new() }
}

#[tokio::test]
async fn the_lookups_are_replayed() {
    for file in files() {
        let case = file[0].file.clone();
        let emulator = replay(file.clone()).await;
        let provider = provider(&emulator.url());
        let zones = provider.zones().await.unwrap();
        // In `authenticate_private_zone_only` it is the client that wanted a private zone.
        assert_eq!(zones, [recorded_zone()], "{case}");
        let listings = file.iter().filter(|recorded| recorded.path.ends_with("/rrset")).count();
        for _ in 0..listings {
            let snapshot = provider.snapshot(&recorded_zone()).await.unwrap();
            assert!(snapshot.rrsets().len() >= 3, "{case}");
        }
    }
}

#[tokio::test]
async fn what_was_listed_is_sent_back_as_it_was() {
    let listings: Vec<Recorded> =
        files().into_iter().flatten().filter(|recorded| recorded.path.ends_with("/rrset")).collect();
    assert!(listings.len() > 25);
    for listing in listings {
        let path = listing.path.clone();
        let accepted = Recorded {
            file: String::new(),
            method: "POST".into(),
            path: format!("{path}/"),
            status: 200,
            answer: "<ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/C1</Id><Status>INSYNC</Status>\
                     <SubmittedAt>2022-04-19T20:56:34Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>"
                .into(),
        };
        let emulator = replay(vec![listing.clone(), accepted, listing.clone()]).await;
        let provider = provider(&emulator.url());
        let zone = recorded_zone();
        let snapshot = provider.snapshot(&zone).await.unwrap();
        let elements: Vec<&str> = listing.answer.split("<ResourceRecordSet>").skip(1).collect();
        assert_eq!(snapshot.rrsets().len(), elements.len(), "{}", listing.file);

        let plain = snapshot.rrsets().iter().filter(|set| set.protection.is_none());
        let changes: Vec<RRsetChange> = plain
            .map(|set| {
                let mut after = set.clone();
                after.ttl = Ttl::from_secs(77);
                RRsetChange::new(Some(set.clone()), Some(after)).unwrap()
            })
            .collect();
        assert_eq!(changes.len() + 2, elements.len());
        let receipt = provider.apply(&zone, &Batch { changes }).await.unwrap();
        assert!(receipt.results.iter().all(|result| result.outcome == Outcome::Failed), "the listing stayed as it was");

        let sent = emulator.with(|service| service.bodies[2].clone()).replace("&quot;", "\"");
        for element in elements.iter().skip(2) {
            let element = element.split_once("</ResourceRecordSet>").unwrap().0.replace("&quot;", "\"");
            assert!(sent.contains(&format!("<ResourceRecordSet>{element}</ResourceRecordSet>")), "{element}\n{sent}");
        }
    }
}

#[tokio::test]
async fn the_recorded_refusal_is_told() {
    let refusal = files().into_iter().flatten().find(|recorded| recorded.status == 400).unwrap();
    let listing = files().into_iter().flatten().find(|recorded| recorded.path.ends_with("/rrset")).unwrap();
    let emulator = replay(vec![listing.clone(), refusal, listing]).await;
    let provider = provider(&emulator.url());
    let snapshot = provider.snapshot(&recorded_zone()).await.unwrap();
    let batch = Batch { changes: vec![change(&snapshot, "new.example.com", "TXT", &["\"x\""])] };
    let error = provider.apply(&recorded_zone(), &batch).await.unwrap_err();
    assert_eq!(error.kind.as_str(), "refused");
    assert!(error.to_string().contains("[Duplicate Resource Record: '\"challengetoken\"']"), "{error}");
}

#[tokio::test]
async fn a_recorded_change_is_waited_for() {
    let file = files().into_iter().find(|file| file[0].file.contains("TXT_with_fqdn")).unwrap();
    let listing = file.iter().find(|recorded| recorded.path.ends_with("/rrset")).unwrap().clone();
    let accepted = file.iter().find(|recorded| recorded.method == "POST").unwrap();
    let id = accepted.answer.split("/change/").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let in_sync = Recorded {
        method: "GET".into(),
        path: format!("/2013-04-01/change/{id}"),
        status: 200,
        answer: accepted
            .answer
            .replace("ChangeResourceRecordSetsResponse", "GetChangeResponse")
            .replace("PENDING", "INSYNC"),
        ..listing.clone()
    };
    let mut left = file.clone();
    left.extend([listing, in_sync]);
    let emulator = replay(left).await;
    let provider = provider(&emulator.url());
    let zone = provider.zones().await.unwrap().remove(0);
    let snapshot = provider.snapshot(&zone).await.unwrap();
    assert!(snapshot.get(&name("example.com"), RecordType::NS).is_some());
    let batch = Batch { changes: vec![change(&snapshot, "new.example.com", "TXT", &["\"x\""])] };
    let receipt = provider.apply(&zone, &batch).await.unwrap();
    provider.settle(&zone, &receipt).await.unwrap();
    let last = emulator.log().pop().unwrap();
    assert_eq!((last.path, last.status), (format!("/2013-04-01/change/{id}"), 200));
}
