//! The emulated services, each with the configuration that reaches it.

use std::sync::Arc;

use mailzone_emulated::cloudflare::{self, Cloudflare};
use mailzone_emulated::ionos_cloud::IonosCloud;
use mailzone_emulated::ionos_hosting::IonosHosting;
use mailzone_emulated::netcup_ccp::NetcupCcp;
use mailzone_emulated::netcup_clouddns::{Forms, NetcupCloudDns};
use mailzone_emulated::route53::Route53;
use mailzone_emulated::{Emulator, Service};

use super::Make;
use super::stage::{Emulated, Stage, runtime};

/// One for each service.
pub(crate) const MAKERS: &[Make] = &[route53, cloudflare, netcup_ccp, netcup_clouddns, ionos, ionos_cloud];

pub(crate) fn start<S: Service>(service: S) -> Arc<Emulator<S>> {
    Arc::new(runtime().block_on(Emulator::start(service)))
}

pub(crate) fn route53() -> Box<dyn Stage> {
    let mut service = Route53::default();
    // Each wait until INSYNC takes seconds: only the tests of the provider itself have one.
    service.pending = 0;
    let emulator = start(service);
    let toml = format!(
        "[providers.service]\ntype = \"route53\"\nendpoint = \"{}\"\nrequests_per_second = 10000\n\
         access_key_id = {{ file = \"id.secret\" }}\nsecret_access_key = {{ file = \"key.secret\" }}\n",
        emulator.url()
    );
    let secrets =
        vec![("id.secret", "AKIAMARKEDBYTHETESTS".into()), ("key.secret", "marked/by/the/tests+do/not/print".into())];
    Box::new(Emulated { name: "route53", emulator, toml, secrets })
}

pub(crate) fn cloudflare() -> Box<dyn Stage> {
    let emulator = start(Cloudflare::new());
    let toml = format!(
        "[providers.service]\ntype = \"cloudflare\"\nendpoint = \"{}/client/v4\"\nrequests_per_second = 10000\n\
         api_token = {{ file = \"token.secret\" }}\n",
        emulator.url()
    );
    Box::new(Emulated { name: "cloudflare", emulator, toml, secrets: vec![("token.secret", cloudflare::TOKEN.into())] })
}

pub(crate) fn netcup_ccp() -> Box<dyn Stage> {
    let emulator = start(NetcupCcp::new());
    let toml = format!(
        "[providers.service]\ntype = \"netcup\"\nendpoint = \"{}{}\"\nrequests_per_second = 10000\n\
         customer_number = \"{}\"\napi_key = {{ file = \"key.secret\" }}\napi_password = {{ file = \"password.secret\" }}\n",
        emulator.url(),
        NetcupCcp::PATH,
        NetcupCcp::CUSTOMER
    );
    let secrets = vec![("key.secret", NetcupCcp::KEY.into()), ("password.secret", NetcupCcp::PASSWORD.into())];
    Box::new(Emulated { name: "netcup CCP", emulator, toml, secrets })
}

pub(crate) fn netcup_clouddns() -> Box<dyn Stage> {
    // Quoted texts can hold every mess.
    let emulator = start(NetcupCloudDns::new(Forms { quoted: true, ..Forms::default() }));
    let toml = format!(
        "[providers.service]\ntype = \"netcup\"\nrest_endpoint = \"{}/v1\"\nrequests_per_second = 10000\n\
         rest_api_key = {{ file = \"key.secret\" }}\n",
        emulator.url()
    );
    let secrets = vec![("key.secret", NetcupCloudDns::KEY.into())];
    Box::new(Emulated { name: "netcup CloudDNS", emulator, toml, secrets })
}

pub(crate) fn ionos() -> Box<dyn Stage> {
    ionos_of(start(IonosHosting::new()))
}

pub(crate) fn ionos_of(emulator: Arc<Emulator<IonosHosting>>) -> Box<dyn Stage> {
    let toml = format!(
        "[providers.service]\ntype = \"ionos\"\nendpoint = \"{}/dns\"\nrequests_per_second = 10000\n\
         api_key = {{ file = \"key.secret\" }}\n",
        emulator.url()
    );
    Box::new(Emulated { name: "ionos", emulator, toml, secrets: vec![("key.secret", IonosHosting::KEY.into())] })
}

pub(crate) fn ionos_cloud() -> Box<dyn Stage> {
    let emulator = start(IonosCloud::new());
    let toml = format!(
        "[providers.service]\ntype = \"ionos-cloud\"\nendpoint = \"{}\"\nrequests_per_second = 10000\n\
         token = {{ file = \"token.secret\" }}\n",
        emulator.url()
    );
    Box::new(Emulated {
        name: "ionos-cloud",
        emulator,
        toml,
        secrets: vec![("token.secret", IonosCloud::TOKEN.into())],
    })
}
