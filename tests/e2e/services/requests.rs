//! How many requests each service gets, exactly.
//!
//! An apply is a plan and, for its one stage: a re-read (not at Route 53, whose write compares whole sets; CloudDNS
//! compares only what it deletes), one write, and a read-back.

use std::collections::BTreeMap;

use super::makers;
use super::stage::{Site, Stage};

/// One domain with a value beside a foreign one, a new set and one that goes.
const DOMAIN: &str = "spf = \"v=spf1 mx -all\"\ndmarc = { policy = \"none\" }\nmta_sts = \"absent\"\n";

const RECORDS: &[&str] =
    &["@ 3600 TXT \"a token\"", "@ 3600 TXT \"v=spf1 mx ~all\"", "_mta-sts 3600 TXT \"v=STSv1; id=1\""];

/// The requests since the log was cleared, by what they are.
fn counted(stage: &dyn Stage) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for request in stage.log() {
        *counted.entry(request.label).or_default() += 1;
    }
    counted
}

#[track_caller]
fn check(stage: Box<dyn Stage>, plan: &[(&str, usize)], apply: &[(&str, usize)]) {
    let name = stage.name();
    let site = Site::new(stage, "example.test", DOMAIN, RECORDS);
    let table = |rows: &[(&str, usize)]| -> BTreeMap<String, usize> {
        rows.iter().map(|(label, count)| ((*label).to_owned(), *count)).collect()
    };
    site.run(0, &["plan"]);
    assert_eq!(counted(&*site.stage), table(plan), "{name}: plan");
    site.stage.clear_log();
    site.run(0, &["apply", "--yes", "--wait", "none"]);
    assert_eq!(counted(&*site.stage), table(apply), "{name}: apply");
    // Nothing to do: no more than a plan.
    site.stage.clear_log();
    site.run(0, &["apply", "--yes"]);
    assert_eq!(counted(&*site.stage), table(plan), "{name}: apply with nothing to do");
}

#[test]
fn route53() {
    check(
        makers::route53(),
        &[("ListHostedZones", 1), ("ListResourceRecordSetProtections", 1), ("ListResourceRecordSets", 1)],
        &[
            ("ListHostedZones", 1),
            ("ListResourceRecordSetProtections", 1),
            ("ListResourceRecordSets", 2),
            ("ChangeResourceRecordSets", 1),
        ],
    );
}

#[test]
fn cloudflare() {
    check(
        makers::cloudflare(),
        &[("GET /zones", 1), ("GET /zones/{id}/dns_records", 1)],
        &[("GET /zones", 1), ("GET /zones/{id}/dns_records", 3), ("POST /zones/{id}/dns_records/batch", 1)],
    );
}

#[test]
fn netcup_ccp() {
    check(
        makers::netcup_ccp(),
        &[("login", 1), ("infoDnsZone", 1), ("infoDnsRecords", 1), ("logout", 1)],
        &[("login", 1), ("infoDnsZone", 1), ("infoDnsRecords", 3), ("updateDnsRecords", 1), ("logout", 1)],
    );
}

#[test]
fn netcup_clouddns() {
    check(
        makers::netcup_clouddns(),
        &[("GET /domain", 1), ("GET /domain/{id}/dns/revision", 1), ("GET /domain/{id}/dns/revision/{id}/record", 1)],
        &[
            ("GET /domain", 1),
            ("GET /domain/{id}/dns/revision", 3),
            ("GET /domain/{id}/dns/revision/{id}/record", 3),
            ("POST /domain/{id}/changeset", 1),
        ],
    );
}

#[test]
fn ionos() {
    check(
        makers::ionos(),
        &[("GET /v1/zones", 1), ("GET /v1/zones/{id}", 1)],
        &[
            ("GET /v1/zones", 1),
            ("GET /v1/zones/{id}", 3),
            ("PATCH /v1/zones/{id}", 1),
            ("DELETE /v1/zones/{id}/records/{id}", 1),
        ],
    );
}

#[test]
fn ionos_cloud() {
    check(
        makers::ionos_cloud(),
        &[("GET /zones", 1), ("GET /secondaryzones", 1), ("GET /records", 1)],
        &[
            ("GET /zones", 1),
            ("GET /secondaryzones", 1),
            ("GET /records", 3),
            ("PUT /zones/{id}/records/{id}", 1),
            ("POST /zones/{id}/records", 1),
            ("DELETE /zones/{id}/records/{id}", 1),
        ],
    );
}
