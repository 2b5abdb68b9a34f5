//! `mailzone providers`: credentials, rights, zones and limits of every service, and one message for each failure.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use mailzone_conformance::parse_seed;
use mailzone_emulated::cloudflare::{self, Cloudflare};
use mailzone_emulated::ionos_cloud::IonosCloud;
use mailzone_emulated::ionos_hosting::IonosHosting;
use mailzone_emulated::netcup_ccp::NetcupCcp;
use mailzone_emulated::netcup_clouddns::{Forms, NetcupCloudDns};
use mailzone_emulated::netcup_scp::NetcupScp;
use mailzone_emulated::{Backdoor, Emulator, Service};
use mailzone_record::Name;
use tokio::runtime::Runtime;

use crate::harness::{Project, zone_text};

fn start<S: Service>(service: S) -> Arc<Emulator<S>> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| Runtime::new().unwrap());
    Arc::new(runtime.block_on(Emulator::start(service)))
}

fn seed<S: Backdoor>(emulator: &Emulator<S>, origin: &str, records: &str) {
    let origin = Name::parse(origin).unwrap();
    emulator.with(|service| service.seed(&origin, &parse_seed(&origin, records)));
}

/// A project whose configuration is this text.
fn project(config: &str) -> Project {
    let project = Project::empty();
    project.write("mailzone.toml", config);
    project.write("zones/example.org.zone", zone_text("example.org", &[]));
    project
}

#[test]
fn every_service_with_its_rights_zones_and_limits() {
    let cf = start(Cloudflare::new());
    for zone in ["a.test", "b.test", "c.test", "d.test", "e.test", "f.test"] {
        seed(&cf, zone, "www 300 A 192.0.2.1\n");
    }
    let io = start(IonosHosting::new());
    seed(&io, "io.test", "www 300 A 192.0.2.1\n");
    let secondary = Name::parse("second.test").unwrap();
    io.with(|service| {
        let zone = service.seed(&secondary, &[]);
        service.make_secondary(&zone);
    });
    let ic = start(IonosCloud::new());
    seed(&ic, "ic.test", "www 300 A 192.0.2.1\n");
    let ccp = start(NetcupCcp::new());
    seed(&ccp, "nc.test", "www 300 A 192.0.2.1\n");
    let scp = start(NetcupScp::new());
    let address: IpAddr = "192.0.2.25".parse().unwrap();
    scp.with(|service| service.add_server(&[address]));
    let project = project(&format!(
        "[providers.cf]\ntype = \"cloudflare\"\nendpoint = \"{cf}/client/v4\"\napi_token = {{ env = \"CF\" }}\n\
         requests_per_second = 100\nmax_concurrency = 3\ntimeout = \"5s\"\n\
         [providers.files]\ntype = \"zonefile\"\ndirectory = \"zones\"\n\
         [providers.ic]\ntype = \"ionos-cloud\"\nendpoint = \"{ic}\"\ntoken = {{ file = \"token\" }}\n\
         [providers.io]\ntype = \"ionos\"\nendpoint = \"{io}/dns\"\n\
         [providers.nc]\ntype = \"netcup\"\ncustomer_number = {number}\nendpoint = \"{ccp}{path}\"\n\
         scp_endpoint = \"{scp}{scp_path}\"\nscp_refresh_token = {{ env = \"SCP\" }}\n\
         [domains.\"nc.test\"]\nprovider = \"nc\"\n[domains.\"gone.test\"]\nprovider = \"nc\"\n\
         [hosts.\"mail.nc.test\"]\nipv4 = [\"{address}\"]\nptr = \"manage\"\nptr_provider = \"nc\"\n",
        cf = cf.url(),
        ic = ic.url(),
        io = io.url(),
        ccp = ccp.url(),
        path = NetcupCcp::PATH,
        number = NetcupCcp::CUSTOMER,
        scp = scp.url(),
        scp_path = NetcupScp::PATH,
    ));
    project.write("token", format!("{}\n", IonosCloud::TOKEN));
    let run = |args: &[&str]| {
        project.finish(
            project
                .command(args)
                .env("CF", cloudflare::TOKEN)
                .env("IONOS_API_KEY", IonosHosting::KEY)
                .env("NETCUP_API_KEY", NetcupCcp::KEY)
                .env("NETCUP_API_PASSWORD", NetcupCcp::PASSWORD)
                .env("SCP", NetcupScp::REFRESH_TOKEN),
        )
    };
    // A configured name that the account does not hold is an error of this provider.
    let shown = run(&["providers", "-vvv"]).expect_code(1);
    for secret in [
        cloudflare::TOKEN,
        IonosCloud::TOKEN,
        IonosHosting::KEY,
        NetcupCcp::KEY,
        NetcupCcp::PASSWORD,
        NetcupScp::REFRESH_TOKEN,
    ] {
        assert!(!shown.stdout.contains(secret) && !shown.stderr.contains(secret), "{secret}");
    }
    insta::assert_snapshot!(shown.shown());
    run(&["providers", "cf", "files", "ic", "io"]).expect_code(0);
    let full = run(&["providers", "cf", "--full"]).expect_code(0).stdout;
    assert!(full.contains("    f.test (") && !full.contains("--full"), "{full}");
    assert!(!ccp.with(|service| service.has_session()), "a session is left open");

    let document = run(&["providers", "--format", "json"]).expect_code(1).json();
    let cloudflare = &document["providers"][0];
    assert_eq!(cloudflare["requests_per_second"]["Cloudflare"], 100.0);
    assert_eq!((&cloudflare["concurrency"], &cloudflare["timeout"]), (&3.into(), &5.0.into()));
    assert_eq!(cloudflare["credentials"][0]["from"], "the environment variable CF");
    assert_eq!(document["exit"]["zones"][0]["zone"], "nc");
}

/// What is left out is looked for under its customary names; a secret that is nowhere is said with what to do.
#[test]
fn customary_variables() {
    let cf = start(Cloudflare::new());
    seed(&cf, "a.test", "");
    let project = project(&format!(
        "[providers.cf]\ntype = \"cloudflare\"\nendpoint = \"{}/client/v4\"\n\
         [providers.files]\ntype = \"zonefile\"\ndirectory = \"zones\"\n",
        cf.url()
    ));
    let run = |variables: &[(&str, &str)]| {
        let mut command = project.command(["providers"]);
        project.finish(command.envs(variables.iter().copied()))
    };
    let none = run(&[]).expect_code(1);
    assert!(none.stdout.contains("\nfiles  zonefile\n"), "{}", none.stdout);
    let said = |output: &str| output.split("\nfiles").next().unwrap().to_owned();
    insta::assert_snapshot!(said(&none.shown()), @r#"
    cf  cloudflare
      credentials  api_token: not given, and no customary environment variable is set
      error: getting the credentials of cf (mailzone.toml:1:1): no credentials: neither CLOUDFLARE_API_TOKEN nor CF_DNS_API_TOKEN is set
      help: set what is missing where mailzone is started, or name where it is in [providers.cf]: api_token = { env = "NAME" }
    "#);
    assert_eq!(cf.log().len(), 0, "asked without credentials");
    for variables in [
        &[("CLOUDFLARE_API_TOKEN", cloudflare::TOKEN), ("CF_DNS_API_TOKEN", "other")][..],
        &[("CF_DNS_API_TOKEN", cloudflare::TOKEN)],
        &[("CLOUDFLARE_API_TOKEN", ""), ("CF_DNS_API_TOKEN", cloudflare::TOKEN)],
    ] {
        let name = variables.iter().find(|(_, value)| *value == cloudflare::TOKEN).unwrap().0;
        let shown = run(variables).expect_code(0).stdout;
        assert!(shown.contains(&format!("api_token: the environment variable {name}\n")), "{shown}");
    }
    let wrong = run(&[("CLOUDFLARE_API_TOKEN", "marked-and-wrong")]).expect_code(1);
    assert!(!format!("{}{}", wrong.stdout, wrong.stderr).contains("marked-and-wrong"));
    insta::assert_snapshot!(said(&wrong.shown()), @r#"
    cf  cloudflare
      credentials  api_token: the environment variable CLOUDFLARE_API_TOKEN
      error: listing the zones: Cloudflare does not accept the credentials: 6003 Invalid request headers (6111 Invalid format for Authorization header), status 400
      help: create an API token with Zone → Zone → Read and Zone → DNS → Edit for the zones (My Profile → API Tokens), and name it as api_token
    "#);
    let half = run(&[("CLOUDFLARE_API_KEY", "key")]).expect_code(1);
    insta::assert_snapshot!(said(&half.shown()), @r#"
    cf  cloudflare
      credentials  api_key: the environment variable CLOUDFLARE_API_KEY
      credentials  email: not given, and no customary environment variable is set
      error: getting the credentials of cf (mailzone.toml:1:1): no credentials: CLOUDFLARE_EMAIL is not set, which goes with the API key
      help: set it where mailzone is started, or name where it is in [providers.cf]: email = "…"
    "#);
    assert!(half.stderr.contains("CLOUDFLARE_API_KEY may do everything"), "{}", half.stderr);
}

#[test]
fn netcup_without_some_of_its_credentials() {
    let project = project("[providers.nc]\ntype = \"netcup\"\ncustomer_number = 12345\n");
    let run = |variables: &[(&str, &str)]| {
        let mut command = project.command(["providers"]);
        project.finish(command.envs(variables.iter().copied())).expect_code(1).shown()
    };
    insta::assert_snapshot!(run(&[("NETCUP_API_KEY", "key")]), @r#"
    nc  netcup
      credentials  customer_number: the configuration
      credentials  api_key: the environment variable NETCUP_API_KEY
      credentials  api_password: not given, and no customary environment variable is set
      credentials  rest_api_key: not given, and no customary environment variable is set
      credentials  scp_refresh_token: not given, and no customary environment variable is set
      error: getting the credentials of nc (mailzone.toml:1:1): no credentials: NETCUP_API_PASSWORD is not set, while the CCP API's other credentials are there
      help: set it where mailzone is started, or name where it is in [providers.nc]: api_password = { env = "NAME" }
    "#);
    project.write("mailzone.toml", "[providers.nc]\ntype = \"netcup\"\n");
    insta::assert_snapshot!(run(&[]), @r#"
    nc  netcup
      credentials  customer_number: not given, and no customary environment variable is set
      credentials  api_key: not given, and no customary environment variable is set
      credentials  api_password: not given, and no customary environment variable is set
      credentials  rest_api_key: not given, and no customary environment variable is set
      credentials  scp_refresh_token: not given, and no customary environment variable is set
      error: getting the credentials of nc (mailzone.toml:1:1): no credentials: none of NETCUP_CUSTOMER_NUMBER, NETCUP_API_KEY, NETCUP_API_PASSWORD is set, nor NETCUPV1_API_KEY (CloudDNS), nor NETCUP_SCP_REFRESH_TOKEN (PTR)
      help: set what is missing where mailzone is started, or name where it is in [providers.nc]: customer_number = "…", api_key = { env = "NAME" }, api_password = { env = "NAME" }
    "#);
}

#[test]
fn a_name_that_no_provider_has() {
    let project = project("[providers.files]\ntype = \"zonefile\"\ndirectory = \"zones\"\n");
    insta::assert_snapshot!(project.run_to(1, ["providers", "cf"]).said(), @r#"
    error: no provider is called cf
      help: configured: files
    "#);
}

/// What `plan` says of each domain, with the remedy.
fn said_of_zones(project: &Project) -> String {
    let plan = project.run_to(1, ["plan", "--format", "json"]).json();
    let zones = plan["zones"].as_array().unwrap().iter().filter(|zone| !zone["error"].is_null());
    let text = |zone: &serde_json::Value| {
        let (error, domains) = (&zone["error"], &zone["domains"]);
        let part = |key: &str| error[key].as_str().unwrap().to_owned();
        format!("{} {}: {}\n  {}\n", domains[0].as_str().unwrap(), part("kind"), part("message"), part("remedy"))
    };
    zones.map(text).collect()
}

#[test]
fn wrong_credentials_are_one_message_of_each_service() {
    let (cf, io, ic) = (start(Cloudflare::new()), start(IonosHosting::new()), start(IonosCloud::new()));
    let (ccp, rest) = (start(NetcupCcp::new()), start(NetcupCloudDns::new(Forms::default())));
    let mut tables = vec![
        (
            "cf",
            format!("type = \"cloudflare\"\nendpoint = \"{}/client/v4\"\napi_token = {{ file = \"wrong\" }}", cf.url()),
        ),
        ("ic", format!("type = \"ionos-cloud\"\nendpoint = \"{}\"\ntoken = {{ file = \"wrong\" }}", ic.url())),
        ("io", format!("type = \"ionos\"\nendpoint = \"{}/dns\"\napi_key = {{ file = \"wrong\" }}", io.url())),
        (
            "nc",
            format!(
                "type = \"netcup\"\nendpoint = \"{}{}\"\ncustomer_number = 1\napi_key = {{ file = \"wrong\" }}\n\
                 api_password = {{ file = \"wrong\" }}",
                ccp.url(),
                NetcupCcp::PATH
            ),
        ),
        (
            "rest",
            format!("type = \"netcup\"\nrest_endpoint = \"{}/v1\"\nrest_api_key = {{ file = \"wrong\" }}", rest.url()),
        ),
    ];
    #[cfg(feature = "route53")]
    let aws = start(mailzone_emulated::route53::Route53::with_key("AKIAKNOWN", None));
    #[cfg(feature = "route53")]
    {
        let keys = "access_key_id = { file = \"wrong\" }\nsecret_access_key = { file = \"wrong\" }";
        tables.push(("aws", format!("type = \"route53\"\nendpoint = \"{}\"\n{keys}", aws.url())));
    }
    let mut config = String::from(
        "[providers.files]\ntype = \"zonefile\"\ndirectory = \"zones\"\n[domains.\"example.org\"]\nprovider = \"files\"\nspf = \"v=spf1 -all\"\n",
    );
    for (name, table) in &tables {
        config += &format!(
            "[providers.{name}]\n{table}\n[domains.\"{name}.test\"]\nprovider = \"{name}\"\nspf = \"v=spf1 -all\"\n"
        );
    }
    let project = project(&config);
    project.write("wrong", "marked.and-wrong");
    insta::assert_snapshot!(said_of_zones(&project), @r#"
    aws.test credentials: listing the hosted zones: InvalidClientTokenId: The security token included in the request is invalid.
      check access key, secret and session token; `aws sts get-caller-identity` shows whose they are
    cf.test credentials: listing the zones: Cloudflare does not accept the credentials: 6003 Invalid request headers (6111 Invalid format for Authorization header), status 400
      create an API token with Zone → Zone → Read and Zone → DNS → Edit for the zones (My Profile → API Tokens), and name it as api_token
    ic.test credentials: listing the zones at IONOS Cloud: IONOS Cloud does not accept the token (paas-auth-1: Unauthorized, wrong or no api key provided to process this request)
      tokens expire: make a new one in the token manager of the cloud panel (DCD)
    io.test credentials: listing the zones at IONOS: IONOS does not accept the API key (UNAUTHORIZED: The customer is not authorized to do this operation)
      see at https://developer.hosting.ionos.com/keys that the key still exists; the key is the public prefix and the secret, joined by a dot: PREFIX.SECRET
    nc.test credentials: looking for the zone of nc.test: netcup refuses the login: "The login to the API failed. Please check the customer number, API key and API password." (4002)
      check customer_number, api_key and api_password: in the customer control panel under Master Data > API; the account's own password is none of them
    rest.test credentials: looking for the zone of rest.test: netcup does not accept the REST API key: The API key is not valid. (authenticationError)
      make a key in the customer control panel under Master Data > API > API Keys (not Legacy API Keys)
    "#);
    // The others go on.
    let plan = project.run_to(1, ["plan", "-vv"]);
    assert!(plan.stdout.contains("example.org") && plan.stdout.contains("v=spf1 -all"), "{}", plan.stdout);
    assert!(!format!("{}{}", plan.stdout, plan.stderr).contains("marked.and-wrong"));
}

#[test]
fn zones_that_cannot_be_had_or_written() {
    let cf = start(Cloudflare::new());
    let twice = Name::parse("twice.test").unwrap();
    cf.with(|service| {
        service.add_zone(&twice, cloudflare::Plan::Free);
        service.add_zone(&twice, cloudflare::Plan::Free);
    });
    let io = start(IonosHosting::new());
    let second = Name::parse("second.test").unwrap();
    io.with(|service| {
        let zone = service.seed(&second, &[]);
        service.make_secondary(&zone);
    });
    let rest = start(NetcupCloudDns::new(Forms::default()));
    let elsewhere = Name::parse("elsewhere.test").unwrap();
    rest.with(|service| service.add_elsewhere(&elsewhere));
    let domain = |name: &str, provider: &str| {
        format!("[domains.\"{name}\"]\nprovider = \"{provider}\"\nspf = \"v=spf1 -all\"\n")
    };
    let config = format!(
        "[providers.cf]\ntype = \"cloudflare\"\nendpoint = \"{}/client/v4\"\napi_token = {{ file = \"cf\" }}\n\
         [providers.io]\ntype = \"ionos\"\nendpoint = \"{}/dns\"\napi_key = {{ file = \"io\" }}\n\
         [providers.rest]\ntype = \"netcup\"\nrest_endpoint = \"{}/v1\"\nrest_api_key = {{ file = \"rest\" }}\n{}{}{}{}{}",
        cf.url(),
        io.url(),
        rest.url(),
        domain("twice.test", "cf"),
        domain("unknown.test", "cf"),
        domain("second.test", "io"),
        domain("elsewhere.test", "rest"),
        domain("nowhere.test", "rest"),
    );
    let project = project(&config);
    for (file, key) in [("cf", cloudflare::TOKEN), ("io", IonosHosting::KEY), ("rest", NetcupCloudDns::KEY)] {
        project.write(file, key);
    }
    insta::assert_snapshot!(said_of_zones(&project), @r#"
    twice.test ambiguous_zone: cf holds several zones twice.test: 9e3779b97f4a7c15f39cc0605cedc835, 3c6ef372fe94f82be73980c0b9db906a
      name the one that is meant with zone_id
    unknown.test no_zone: cf holds no zone for unknown.test
      create the zone, or name another provider; cf holds 2: twice.test, twice.test
    elsewhere.test no_zone: looking for the zone of elsewhere.test: the domain is this account's, and its zone is on netcup's older back end (CCP), if netcup serves it at all
      add customer_number, api_key and api_password (Master Data > API > Legacy API Keys)
    nowhere.test no_zone: looking for the zone of nowhere.test: netcup's CloudDNS holds no zone of this name; it may be on netcup's older back end (CCP)
      add customer_number, api_key and api_password (Master Data > API > Legacy API Keys), or check the domain
    second.test refused: the zone cannot be written: a secondary zone
      change the zone at its primary server
    "#);
}

/// `cargo test -p mailzone --no-default-features`: everything but Route 53, which is refused by name.
#[cfg(not(feature = "route53"))]
#[test]
fn a_build_without_route53() {
    let project = project("[providers.aws]\ntype = \"route53\"\nregion = \"eu-central-1\"\n");
    for command in ["plan", "lint", "providers"] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(project.run_to(1, [command]).said(), @r#"
    error: the provider aws: this binary was built without route53
     --> mailzone.toml:1:1
      |
    1 | [providers.aws]
      | ^^^^^^^^^^^^^^^
      = help: take one that `mailzone version` lists route53 for, or build it with --features route53
    "#);
        }
    }
    let version = project.run_to(0, ["version", "--format", "json"]).json();
    assert!(!version["providers"].as_array().unwrap().contains(&"route53".into()), "{version}");
}

#[cfg(feature = "route53")]
#[test]
fn version_lists_types_and_features() {
    let project = Project::empty();
    let version = project.run_to(0, ["version", "--format", "json"]).json();
    assert!(version["providers"].as_array().unwrap().contains(&"route53".into()), "{version}");
    assert!(version["features"].as_array().unwrap().contains(&"route53".into()), "{version}");
    let text = project.run_to(0, ["version"]).stdout;
    assert!(text.contains("providers: cloudflare, ionos, ionos-cloud, netcup, rfc2136, route53, zonefile\n"), "{text}");
}
