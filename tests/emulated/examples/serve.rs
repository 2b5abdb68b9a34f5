//! The emulated services, to try the program on by hand: `cargo run -p mailzone-emulated --example serve`.
//!
//! Each holds a zone of its own. Prints the configuration that reaches them, and a line for each request.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "it talks, and stops when it cannot go on")]

use std::time::Duration;

use mailzone_conformance::parse_seed;
use mailzone_emulated::cloudflare::{self, Cloudflare};
use mailzone_emulated::ionos_cloud::IonosCloud;
use mailzone_emulated::ionos_hosting::IonosHosting;
use mailzone_emulated::netcup_ccp::NetcupCcp;
use mailzone_emulated::netcup_clouddns::{Forms, NetcupCloudDns};
use mailzone_emulated::route53::Route53;
use mailzone_emulated::{Backdoor, Emulator};
use mailzone_record::Name;

const RECORDS: &str = "@ 3600 MX 10 mail.elsewhere.test.
@ 3600 TXT \"google-site-verification=Zq3-x\"
@ 3600 TXT \"v=spf1 mx ~all\"
@ 3600 TXT \"MS=ms41077281\"
s2019._domainkey 3600 CNAME s2019.sender.test.
www 300 A 192.0.2.80
";

#[tokio::main]
async fn main() {
    let mut ionos = IonosHosting::new();
    ionos.deactivates = true;
    tokio::join!(
        run("route53", Route53::default(), |url| format!(
            "type = \"route53\"\nendpoint = \"{url}\"\naccess_key_id = {{ env = \"TRIAL\" }}\nsecret_access_key = {{ env = \"TRIAL\" }}"
        )),
        run("cloudflare", Cloudflare::new(), |url| format!(
            "type = \"cloudflare\"\nendpoint = \"{url}/client/v4\"\napi_token = {{ command = [\"echo\", \"{}\"] }}",
            cloudflare::TOKEN
        )),
        run("netcup-ccp", NetcupCcp::new(), |url| format!(
            "type = \"netcup\"\nendpoint = \"{url}{}\"\ncustomer_number = {}\napi_key = {{ command = [\"echo\", \"{}\"] }}\n\
             api_password = {{ command = [\"echo\", \"{}\"] }}",
            NetcupCcp::PATH,
            NetcupCcp::CUSTOMER,
            NetcupCcp::KEY,
            NetcupCcp::PASSWORD
        )),
        run("netcup-clouddns", NetcupCloudDns::new(Forms::default()), |url| format!(
            "type = \"netcup\"\nrest_endpoint = \"{url}/v1\"\nrest_api_key = {{ command = [\"echo\", \"{}\"] }}",
            NetcupCloudDns::KEY
        )),
        run("ionos", ionos, |url| format!(
            "type = \"ionos\"\nendpoint = \"{url}/dns\"\napi_key = {{ command = [\"echo\", \"{}\"] }}",
            IonosHosting::KEY
        )),
        run("ionos-cloud", IonosCloud::new(), |url| format!(
            "type = \"ionos-cloud\"\nendpoint = \"{url}\"\ntoken = {{ command = [\"echo\", \"{}\"] }}",
            IonosCloud::TOKEN
        )),
    );
}

/// Serves one service until the process ends.
async fn run<S: Backdoor>(name: &str, service: S, table: impl Fn(String) -> String) {
    let emulator = Emulator::start(service).await;
    let origin = Name::parse(&format!("{name}.test")).unwrap();
    emulator.with(|service| service.seed(&origin, &parse_seed(&origin, RECORDS)));
    println!("[providers.{name}]\n{}\n\n[domains.\"{name}.test\"]\nprovider = \"{name}\"\n", table(emulator.url()));
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        for request in emulator.log() {
            println!("# {name}: {} {} {}", request.label, request.path, request.status);
        }
        emulator.clear_log();
    }
}
