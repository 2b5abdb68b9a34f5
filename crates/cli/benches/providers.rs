//! The built program against emulated services: `cargo bench -p mailzone --bench providers`.
//!
//! 1,000 zones of 13 records, each answer 30 ms late. First the program's own limits are off and the services do not
//! throttle; then both are as they really are, for fewer zones, and no request may be throttled after the first
//! second. Figures and what they mean: `docs/performance.md`.

#![expect(clippy::print_stdout, reason = "a table is what it is for")]

mod measure;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mailzone_conformance::parse_seed;
use mailzone_emulated::cloudflare::{self, Cloudflare};
use mailzone_emulated::ionos_hosting::IonosHosting;
use mailzone_emulated::route53::Route53;
use mailzone_emulated::{Backdoor, Emulator};
use mailzone_record::Name;
use measure::{DIFFERENCES, DONE, Outcome, bench, load, run};
use tokio::runtime::Runtime;

const PLAN: &[&str] = &["plan", "--no-look", "--detailed-exitcode"];
const APPLY: &[&str] = &["apply", "--no-look", "--yes", "--wait", "none"];

const DELAY: Duration = Duration::from_millis(30);

/// 13 records of a mail domain, none of which relies on another: one write for each zone.
const GROUP: &str =
    "mx = [{ preference = 10, host = \"mx1.elsewhere.test\" }, { preference = 20, host = \"mx2.elsewhere.test\" }]
dmarc = { policy = \"none\", rua = [\"mailto:dmarc@elsewhere.test\"] }
tls_rpt = { rua = [\"mailto:tls@elsewhere.test\"] }
[groups.all.dkim]
s1 = { cname = \"s1.elsewhere.test.\" }
s2 = { cname = \"s2.elsewhere.test.\" }
[[groups.all.records]]
name = \"www\"
type = \"A\"
values = [\"192.0.2.1\", \"192.0.2.2\"]
[[groups.all.records]]
name = \"www\"
type = \"AAAA\"
values = [\"2001:db8::1\"]
[[groups.all.records]]
name = \"@\"
type = \"TXT\"
values = [\"\\\"site-verification=0123456789abcdef\\\"\"]
[[groups.all.records]]
name = \"imap\"
type = \"CNAME\"
values = [\"mx1.elsewhere.test.\"]
[[groups.all.records]]
name = \"smtp\"
type = \"CNAME\"
values = [\"mx1.elsewhere.test.\"]
[[groups.all.records]]
name = \"autoconfig\"
type = \"CNAME\"
values = [\"autoconfig.elsewhere.test.\"]
";

fn main() -> Outcome<()> {
    // `cargo test --all-targets` runs this too, without the argument: nothing to do then.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    println!("load before: {}", load());
    println!("\n{:44}{:>10}{:>10}{:>10}{:>10}", "", "median", "min", "max", "peak");
    service(
        &runtime,
        "route53",
        Route53::default,
        &|url| {
            format!(
                "type = \"route53\"\nendpoint = \"{url}\"\naccess_key_id = {{ file = \"secret\" }}\n\
             secret_access_key = {{ file = \"secret\" }}\n"
            )
        },
        (10.0, 50),
        "bench",
    )?;
    service(
        &runtime,
        "cloudflare",
        Cloudflare::new,
        &|url| format!("type = \"cloudflare\"\nendpoint = \"{url}/client/v4\"\napi_token = {{ file = \"secret\" }}\n"),
        (4.0, 1_200),
        cloudflare::TOKEN,
    )?;
    service(
        &runtime,
        "ionos",
        IonosHosting::new,
        &|url| format!("type = \"ionos\"\nendpoint = \"{url}/dns\"\napi_key = {{ file = \"secret\" }}\n"),
        (2.0, 10),
        IonosHosting::KEY,
    )?;
    println!("\nload after: {}", load());
    Ok(())
}

/// One service: without limits 1,000 zones, with its own limits as many as take a minute or so.
fn service<S: Backdoor>(
    runtime: &Runtime,
    name: &str,
    make: fn() -> S,
    table: &dyn Fn(String) -> String,
    (per_second, burst): (f64, u32),
    secret: &str,
) -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path();
    let started = |zones: usize, unlimited: bool| -> Outcome<Arc<Emulator<S>>> {
        let emulator = Arc::new(runtime.block_on(Emulator::start(make())));
        let limits = if unlimited { "requests_per_second = 10000\nmax_concurrency = 32\n" } else { "" };
        project(path, &format!("{}{limits}", table(emulator.url())), zones, secret)?;
        seed(&emulator, zones);
        emulator.delay(DELAY);
        Ok(emulator)
    };

    let emulator = started(1_000, true)?;
    bench(&format!("{name}: plan, 1,000 empty zones"), 3, path, PLAN, DIFFERENCES, || Ok(()))?;
    let empty = || {
        seed(&emulator, 1_000);
        Ok(())
    };
    bench(&format!("{name}: create 13,000 records in them"), 3, path, APPLY, DONE, empty)?;
    emulator.clear_log();
    run(path, PLAN, DONE)?;
    let requests = emulator.log().len();
    bench(&format!("{name}: plan, they are there ({requests} requests)"), 3, path, PLAN, DONE, || Ok(()))?;

    let zones = 60;
    let emulator = started(zones, false)?;
    emulator.limit(per_second, burst);
    emulator.clear_log();
    let took = run(path, APPLY, DONE)?;
    let log = emulator.log();
    let throttled = log.iter().filter(|request| request.status == 429 || request.status == 503).count();
    let seconds = took.time.as_secs_f64();
    println!("{name}: {zones} zones within its limits: {seconds:.1} s, {} requests, {throttled} throttled", log.len());
    Ok(())
}

/// Zones with nothing but SOA and NS.
fn seed<S: Backdoor>(emulator: &Emulator<S>, zones: usize) {
    let text =
        "@ 3600 SOA ns.elsewhere.test. admin.elsewhere.test. 1 7200 3600 1209600 300\n@ 3600 NS ns.elsewhere.test.\n";
    for zone in 0..zones {
        if let Ok(origin) = Name::parse(&format!("z{zone:04}.test")) {
            emulator.with(|service| service.seed(&origin, &parse_seed(&origin, text)));
        }
    }
}

fn project(directory: &Path, table: &str, zones: usize, secret: &str) -> Outcome<()> {
    let names: String = (0..zones).map(|zone| format!("z{zone:04}.test\n")).collect();
    fs::write(directory.join("names.txt"), names)?;
    fs::write(directory.join("secret"), secret)?;
    let text = format!(
        "[providers.service]\n{table}\n[defaults]\nprovider = \"service\"\n[groups.all]\ndomains_file = \"names.txt\"\n{GROUP}"
    );
    Ok(fs::write(directory.join("mailzone.toml"), text)?)
}
