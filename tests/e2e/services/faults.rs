//! Each request of an `apply` fails in every way: nothing foreign is lost, nothing is doubled, what is reported is
//! true, and a second `apply` reaches the desired state.

use std::sync::Mutex;
use std::time::Duration;

use mailzone_emulated::Fault;
use serde_json::Value;

use super::Make;
use super::each;
use super::stage::Site;

/// One value beside foreign ones changes, one set is new, one goes, a CNAME becomes TXT.
const DOMAIN: &str = "spf = \"v=spf1 mx -all\"\ndmarc = { policy = \"none\" }\nmta_sts = \"absent\"\n\
tls_rpt = { rua = [\"mailto:t@example.test\"] }\n";

const RECORDS: &[&str] = &[
    "@ 3600 TXT \"google-site-verification=Zq3-x\"",
    "@ 3600 TXT \"v=spf1 mx ~all\"",
    "@ 3600 TXT \"MS=ms41077281\"",
    "@ 3600 MX 10 mail.example.net.",
    "_smtp._tls 3600 CNAME tls.hoster.example.",
    "_mta-sts 3600 TXT \"v=STSv1; id=1\"",
    "www 300 A 192.0.2.80",
    "www 300 A 192.0.2.81",
    "www 300 AAAA 2001:db8::80",
];

const APPLY: &[&str] = &["apply", "--yes", "--format", "json", "--wait", "none", "--allow", "GUARD-CNAME"];

fn site(make: Make) -> Site {
    Site::new(make(), "example.test", DOMAIN, RECORDS)
}

#[test]
fn every_fault_at_every_request() {
    each(|make| {
        let whole = site(make);
        let before = whole.stage.served();
        whole.run(0, APPLY);
        let (wanted, requests) = (whole.stage.served(), whole.stage.log().len());
        let foreign: Vec<&String> = before.iter().filter(|line| wanted.contains(line)).collect();
        assert!(foreign.len() >= 6 && requests >= 3, "{foreign:#?} {requests}");
        let faults = Fault::all(Duration::from_millis(20));
        let cases: Vec<(usize, Fault)> = (0..requests).flat_map(|n| faults.map(|fault| (n, fault))).collect();
        let cases = Mutex::new(cases.into_iter());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    loop {
                        let Some((n, fault)) = cases.lock().unwrap().next() else { return };
                        one(&site(make), n, fault, &before, &wanted, &foreign);
                    }
                });
            }
        });
    });
}

fn one(site: &Site, n: usize, fault: Fault, before: &[String], wanted: &[String], foreign: &[&String]) {
    let case = format!("{} request {n} {fault:?}", site.stage.name());
    site.stage.fault_at(n, fault);
    let first = site.project.run(APPLY);
    assert!(matches!(first.code, 0 | 1 | 3 | 5), "{case}: {} {}", first.code, first.stderr);
    let now = site.stage.served();
    for line in foreign {
        assert!(now.contains(line), "{case}: {line} is lost:\n{now:#?}\n{}", first.stdout);
    }
    for line in &now {
        assert!(before.contains(line) || wanted.contains(line), "{case}: {line} is nobody's:\n{}", first.stdout);
        assert_eq!(now.iter().filter(|other| *other == line).count(), 1, "{case}: {line} is doubled");
    }
    honest(&case, &first.json(), &now, before, wanted);
    let second = site.project.run(APPLY);
    assert_eq!(second.code, 0, "{case}: the second apply\n{}\n{}", second.stdout, second.stderr);
    assert_eq!(site.stage.served(), wanted, "{case}: after the second apply");
    site.run(0, &["plan", "--detailed-exitcode", "--allow", "GUARD-CNAME"]);
}

/// What is said to be written is, and what is said not to be is not.
fn honest(case: &str, document: &Value, now: &[String], before: &[String], wanted: &[String]) {
    for zone in document["zones"].as_array().unwrap() {
        for change in zone["changes"].as_array().unwrap() {
            let set = format!("{} {} ", change["name"].as_str().unwrap(), change["type"].as_str().unwrap());
            let of = |lines: &[String]| -> Vec<String> {
                lines.iter().filter(|line| line.to_lowercase().starts_with(&set.to_lowercase())).cloned().collect()
            };
            match change["outcome"].as_str().unwrap() {
                "applied" | "already" => assert_eq!(of(now), of(wanted), "{case}: {change:#}"),
                "failed" | "skipped" | "held" => assert_eq!(of(now), of(before), "{case}: {change:#}"),
                "unknown" => {}
                other => panic!("{case}: {other}"),
            }
        }
    }
}
