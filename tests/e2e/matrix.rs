//! The table of what each provider can do, made from the code, against the page that shows it.
//!
//! `UPDATE_MATRIX=1 cargo test -p mailzone --test e2e matrix` writes it anew.

#![cfg(feature = "route53")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mailzone_http::{Backoff, Base, Budget, Settings};
use mailzone_provider::{Capabilities, Provider, ProviderId, TypeSet};
use mailzone_provider_cloudflare::{self as cloudflare, CloudflareProvider, Credentials};
use mailzone_provider_ionos::{IonosCloudProvider, IonosProvider};
use mailzone_provider_netcup::{
    CCP_ENDPOINT, CCP_LIMIT, CcpSettings, CloudDnsSettings, NetcupProvider, REST_ENDPOINT, REST_LIMIT,
    Settings as NetcupSettings,
};
use mailzone_provider_rfc2136::Rfc2136Provider;
use mailzone_provider_route53::{self as route53, Polling, Route53Provider, Settings as Route53Settings};
use mailzone_provider_zonefile::ZoneFileProvider;
use mailzone_record::RecordType;

const BEGIN: &str = "<!-- The tables up to \"end\" are made from the code: see CONTRIBUTING.md. -->\n";
const END: &str = "<!-- end -->\n";

/// What a provider can do, with what its capabilities do not say.
struct Column {
    name: &'static str,
    page: &'static str,
    capabilities: Capabilities,
    requests_per_second: Option<f64>,
    ptr: &'static str,
}

fn settings(base: &str) -> Settings {
    Settings {
        service: "",
        base: Base::parse(base).unwrap(),
        timeout: Duration::from_secs(30),
        budget: Arc::new(Budget::unlimited()),
        concurrency: 4,
        secrets: Vec::new(),
        backoff: Backoff::default(),
    }
}

fn columns() -> Vec<Column> {
    let id = || ProviderId::new("x");
    let secret = || "x".to_owned().into();
    let budget = || Arc::new(Budget::unlimited());
    let column = |name, page, provider: &dyn Provider, requests_per_second, ptr| Column {
        name,
        page,
        capabilities: provider.capabilities().clone(),
        requests_per_second,
        ptr,
    };
    let files = ZoneFileProvider::new(id(), "zones".into(), Arc::new(|| (2026, 1, 1)));
    let server = Rfc2136Provider::new(id(), "127.0.0.1:53".parse().unwrap(), None, Vec::new());
    let aws = Route53Provider::new(
        id(),
        Route53Settings {
            profile: None,
            region: None,
            role_arn: None,
            endpoint: None,
            timeout: Duration::from_secs(30),
            budget: budget(),
            concurrency: 8,
            credentials: None,
            backoff: Backoff::default(),
            polling: Polling::default(),
        },
    );
    let base = Base::parse(cloudflare::ENDPOINT).unwrap();
    let cf = CloudflareProvider::new(id(), Credentials::Token(secret()), cloudflare::settings(base, budget())).unwrap();
    let mut ccp = NetcupSettings::new(Vec::new());
    ccp.ccp = Some(CcpSettings {
        customer_number: "1".into(),
        api_key: secret(),
        api_password: secret(),
        endpoint: Base::parse(CCP_ENDPOINT).unwrap(),
        budget: budget(),
    });
    let ccp = NetcupProvider::new(id(), ccp).unwrap();
    let mut rest = NetcupSettings::new(Vec::new());
    rest.clouddns = Some(CloudDnsSettings {
        api_key: secret(),
        endpoint: Base::parse(REST_ENDPOINT).unwrap(),
        budget: budget(),
    });
    let rest = NetcupProvider::new(id(), rest).unwrap();
    let io = IonosProvider::new(id(), secret(), settings(IonosProvider::BASE)).unwrap();
    let ic = IonosCloudProvider::new(id(), secret(), settings(IonosCloudProvider::BASE)).unwrap();
    let (zones, by_address) = ("in reverse zones", "of each address");
    vec![
        column("zonefile", "zonefile.md", &files, None, zones),
        column("rfc2136", "rfc2136.md", &server, None, zones),
        column("route53", "route53.md", &aws, Some(route53::REQUESTS_PER_SECOND), zones),
        column("cloudflare", "cloudflare.md", &cf, Some(cloudflare::REQUESTS_PER_SECOND), zones),
        column("netcup, CCP", "netcup.md", &ccp, Some(CCP_LIMIT.0), by_address),
        column("netcup, CloudDNS", "netcup.md", &rest, Some(REST_LIMIT.0), by_address),
        column("ionos", "ionos.md", &io, Some(IonosProvider::REQUESTS_PER_SECOND), "no"),
        column("ionos-cloud", "ionos-cloud.md", &ic, Some(IonosCloudProvider::REQUESTS_PER_SECOND), by_address),
    ]
}

fn table(rows: &[(String, Vec<String>)], columns: &[Column]) -> String {
    let mut text = String::from("| |");
    for column in columns {
        write!(text, " [{}]({}) |", column.name, column.page).unwrap();
    }
    text += "\n|---|";
    text += &"---|".repeat(columns.len());
    text.push('\n');
    for (row, cells) in rows {
        writeln!(text, "| {row} | {} |", cells.join(" | ")).unwrap();
    }
    text
}

fn matrix() -> String {
    let columns = columns();
    let row = |name: &str, cell: &dyn Fn(&Column) -> String| (name.to_owned(), columns.iter().map(cell).collect());
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let limits = [
        row("TTL of each RRset", &|column| yes(column.capabilities.ttl.per_rrset)),
        row("TTL, seconds", &|column| match column.capabilities.ttl {
            ttl if !ttl.per_rrset => "the zone's".to_owned(),
            ttl if ttl.min.as_secs() == 0 => "any".to_owned(),
            ttl => format!("{} to {}", ttl.min.as_secs(), ttl.max.as_secs()),
        }),
        row("a stage is written whole or not at all", &|column| yes(column.capabilities.atomic)),
        row("compared in the write itself", &|column| yes(column.capabilities.compare_and_swap)),
        row("zones at a time", &|column| column.capabilities.concurrency.to_string()),
        row("requests a second", &|column| {
            column.requests_per_second.map_or_else(|| "–".to_owned(), |rate| rate.to_string())
        }),
        row("visible as a rule after", &|column| match column.capabilities.expected_visible {
            seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
            seconds => format!("{seconds} s"),
        }),
        row("PTR", &|column| column.ptr.to_owned()),
    ];
    let mut types: BTreeSet<String> = BTreeSet::new();
    for column in &columns {
        if let TypeSet::Only(only) = &column.capabilities.writable {
            types.extend(only.iter().map(ToString::to_string));
        }
    }
    let mut writable: Vec<(String, Vec<String>)> = types
        .iter()
        .map(|text| {
            let rtype: RecordType = text.parse().unwrap();
            let cell = |column: &Column| {
                if column.capabilities.writable.contains(rtype) { "yes" } else { "" }.to_owned()
            };
            (text.clone(), columns.iter().map(cell).collect())
        })
        .collect();
    writable.push(row("any other", &|column| {
        if matches!(column.capabilities.writable, TypeSet::All) { "yes" } else { "" }.to_owned()
    }));
    format!("{}\nThe types that can be written:\n\n{}", table(&limits, &columns), table(&writable, &columns))
}

#[test]
fn the_table_of_capabilities_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/providers/README.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let current = format!("{before}{BEGIN}\n{}\n{END}{after}", matrix());
    if std::env::var_os("UPDATE_MATRIX").is_some() {
        std::fs::write(&path, &current).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == current,
        "docs/providers/README.md is out of date: UPDATE_MATRIX=1 cargo test -p mailzone --test e2e matrix"
    );
}
