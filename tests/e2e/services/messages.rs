//! One clear message with its remedy for each way in which a service cannot be used; other zones are planned.

use std::fmt::Write as _;
use std::net::TcpListener;

use mailzone_emulated::cloudflare::{Cloudflare, Plan, TOKEN};
use mailzone_emulated::ionos_hosting::IonosHosting;
use mailzone_emulated::netcup_ccp::NetcupCcp;
use mailzone_emulated::netcup_clouddns::{Forms, NetcupCloudDns};
use mailzone_emulated::route53::{Route53, Standing};
use mailzone_emulated::{Backdoor, Request, Response, Service};
use mailzone_record::{Name, RRset};

use super::makers::start;
use crate::harness::{Project, zone_text};

/// Plans `example.test` at the service and `other.test` in a zone file: the first fails, the second is planned.
/// Gives the kind, the message and the remedy, with the service's address taken out.
fn failure(table: &str) -> String {
    let project = Project::new(
        &format!(
            "[providers.service]\n{table}\n[domains.\"other.test\"]\nspf = \"v=spf1 -all\"\n\
             [domains.\"example.test\"]\nprovider = \"service\"\nspf = \"v=spf1 -all\"\n"
        ),
        &[("other.test", zone_text("other.test", &[]))],
    );
    project.write("token.secret", TOKEN);
    project.write("wrong.secret", "wrong-wrong-wrong-wrong-wrong-wrong-wrong-wrong-wr");
    project.write("ionos.secret", IonosHosting::KEY);
    project.write("ccp.secret", NetcupCcp::KEY);
    project.write("password.secret", NetcupCcp::PASSWORD);
    project.write("rest.secret", NetcupCloudDns::KEY);
    let document = project.run_to(1, ["plan", "--format", "json"]).json();
    let zones = document["zones"].as_array().unwrap();
    let other = zones.iter().find(|zone| zone["zone"] == "other.test").unwrap();
    assert_eq!(other["changes"].as_array().unwrap().len(), 1, "{document:#}");
    let failed = zones.iter().find(|zone| zone["domains"][0] == "example.test").unwrap();
    let text = |key: &str| failed["error"][key].as_str().unwrap_or_else(|| panic!("{document:#}")).to_owned();
    assert!(!text("remedy").is_empty());
    // People see the same.
    let shown = project.run_to(1, ["plan"]);
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(squeezed(&shown.stdout).contains(&squeezed(&text("message"))), "{}", shown.stdout);
    let mut lines = String::new();
    for (key, value) in [("kind", text("kind")), ("message", text("message")), ("remedy", text("remedy"))] {
        writeln!(lines, "{key}: {}", crate::harness::redacted(&value, project.root())).unwrap();
    }
    lines
}

fn seeded<S: Backdoor>(mut service: S) -> S {
    service.seed(&Name::parse("example.test").unwrap(), &[]);
    service
}

fn cloudflare_table(url: &str) -> String {
    format!("type = \"cloudflare\"\nendpoint = \"{url}/client/v4\"\napi_token = {{ file = \"token.secret\" }}\n")
}

fn route53_table(url: &str) -> String {
    format!(
        "type = \"route53\"\nendpoint = \"{url}\"\naccess_key_id = {{ file = \"token.secret\" }}\n\
         secret_access_key = {{ file = \"wrong.secret\" }}\n"
    )
}

fn ccp_table(url: &str, key: &str) -> String {
    format!(
        "type = \"netcup\"\nendpoint = \"{url}{}\"\ncustomer_number = 12345\napi_key = {{ file = \"{key}\" }}\n\
         api_password = {{ file = \"password.secret\" }}\n",
        NetcupCcp::PATH
    )
}

fn rest_table(url: &str, key: &str) -> String {
    format!("type = \"netcup\"\nrest_endpoint = \"{url}/v1\"\nrest_api_key = {{ file = \"{key}\" }}\n")
}

fn ionos_table(url: &str, key: &str) -> String {
    format!("type = \"ionos\"\nendpoint = \"{url}/dns\"\napi_key = {{ file = \"{key}\" }}\n")
}

#[test]
fn wrong_credentials() {
    let service = start(seeded(Cloudflare::new()));
    service.with(|service| service.tokens.clear());
    insta::assert_snapshot!("cloudflare", failure(&cloudflare_table(&service.url())));

    let service = start(seeded(Route53::default()));
    service.with(|service| service.access_key = Some(("AKIAOTHER".into(), None)));
    insta::assert_snapshot!("route53", failure(&route53_table(&service.url())));

    let service = start(seeded(NetcupCcp::new()));
    insta::assert_snapshot!("netcup_ccp", failure(&ccp_table(&service.url(), "wrong.secret")));
    // The key of one interface given to the other.
    insta::assert_snapshot!("netcup_rest_key_for_ccp", failure(&ccp_table(&service.url(), "rest.secret")));

    let service = start(seeded(NetcupCloudDns::new(Forms::default())));
    insta::assert_snapshot!("netcup_clouddns", failure(&rest_table(&service.url(), "wrong.secret")));

    let service = start(seeded(IonosHosting::new()));
    insta::assert_snapshot!("ionos_without_a_dot", failure(&ionos_table(&service.url(), "wrong.secret")));
    service.with(|service| service.refuse_all = Some(401));
    insta::assert_snapshot!("ionos", failure(&ionos_table(&service.url(), "ionos.secret")));
}

#[test]
fn missing_secrets() {
    let service = start(seeded(Cloudflare::new()));
    let table = cloudflare_table(&service.url()).replace("file = \"token.secret\"", "env = \"MAILZONE_TEST_UNSET\"");
    insta::assert_snapshot!("unset_variable", failure(&table));
    assert!(service.log().is_empty());
}

#[test]
fn missing_permission() {
    let service = start(seeded(Cloudflare::new()));
    service.with(|service| service.tokens[0].rights = vec!["#zone:read"]);
    insta::assert_snapshot!("cloudflare_records", failure(&cloudflare_table(&service.url())));

    let service = start(seeded(Route53::default()));
    service.with(|service| assert!(service.denied.insert("ListHostedZones")));
    insta::assert_snapshot!("route53_listing", failure(&route53_table(&service.url())));
    service.with(|service| {
        service.denied.clear();
        service.denied.insert("ListResourceRecordSets");
    });
    insta::assert_snapshot!("route53_records", failure(&route53_table(&service.url())));

    let service = start(seeded(IonosHosting::new()));
    service.with(|service| service.refuse_all = Some(403));
    insta::assert_snapshot!("ionos_forbidden", failure(&ionos_table(&service.url(), "ionos.secret")));
}

#[test]
fn unknown_zones() {
    insta::assert_snapshot!("cloudflare_no_zone", failure(&cloudflare_table(&start(Cloudflare::new()).url())));
    insta::assert_snapshot!("route53_no_zone", failure(&route53_table(&start(Route53::default()).url())));
    insta::assert_snapshot!("ionos_no_zone", failure(&ionos_table(&start(IonosHosting::new()).url(), "ionos.secret")));
    // A zone that netcup keeps on its other back end looks as if it were not there.
    insta::assert_snapshot!("netcup_ccp_no_zone", failure(&ccp_table(&start(NetcupCcp::new()).url(), "ccp.secret")));
    let clouddns = start(NetcupCloudDns::new(Forms::default()));
    insta::assert_snapshot!("netcup_clouddns_no_zone", failure(&rest_table(&clouddns.url(), "rest.secret")));
}

#[test]
fn two_zones_of_one_name() {
    let service = start(seeded(Route53::default()));
    service.with(|service| drop(service.add_zone(&Name::parse("example.test").unwrap()).id.clone()));
    insta::assert_snapshot!("route53_two_zones", failure(&route53_table(&service.url())));
    // The configuration can name one.
    let service = start(seeded(Cloudflare::new()));
    service.with(|service| drop(service.add_zone(&Name::parse("example.test").unwrap(), Plan::Pro)));
    insta::assert_snapshot!("cloudflare_two_zones", failure(&cloudflare_table(&service.url())));
}

#[test]
fn zones_that_cannot_be_written() {
    let service = start(seeded(Cloudflare::new()));
    service.with(|service| service.zones[0].kind = "secondary");
    insta::assert_snapshot!("cloudflare_secondary", failure(&cloudflare_table(&service.url())));

    let mut ionos = IonosHosting::new();
    let zone = ionos.seed(&Name::parse("example.test").unwrap(), &[]);
    ionos.make_secondary(&zone);
    insta::assert_snapshot!("ionos_secondary", failure(&ionos_table(&start(ionos).url(), "ionos.secret")));
}

#[test]
fn a_clock_that_is_wrong() {
    let service = start(seeded(Route53::default()));
    service.with(|service| service.standing = Standing::SignatureExpired);
    insta::assert_snapshot!("route53_clock", failure(&route53_table(&service.url())));
}

/// Sends everybody elsewhere.
#[derive(Debug)]
struct Elsewhere;

impl Service for Elsewhere {
    fn answer(&mut self, _: &Request) -> Response {
        Response::empty(302).with_header("location", "https://elsewhere.example/?token=stolen")
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

#[test]
fn redirects_are_not_followed() {
    let service = start(Elsewhere);
    insta::assert_snapshot!("cloudflare_redirect", failure(&cloudflare_table(&service.url())));
    insta::assert_snapshot!("route53_redirect", failure(&route53_table(&service.url())));
}

#[test]
fn no_tls() {
    // Something that speaks HTTP where HTTPS is wanted.
    let service = start(Elsewhere);
    let url = service.url().replace("http://", "https://");
    insta::assert_snapshot!("cloudflare_no_tls", failure(&cloudflare_table(&url)));
    insta::assert_snapshot!("route53_no_tls", failure(&route53_table(&url)));
}

#[test]
fn nobody_listens() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let table = format!("{}timeout = \"1s\"\n", cloudflare_table(&format!("http://{free}")));
    insta::assert_snapshot!("cloudflare_down", failure(&table));
}
