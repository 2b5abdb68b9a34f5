//! What is particular to one service.

use std::sync::Arc;

use mailzone_conformance::parse_seed;
use mailzone_emulated::Backdoor as _;
use mailzone_emulated::ionos_hosting::IonosHosting;
use mailzone_emulated::netcup_ccp::NetcupCcp;
use mailzone_emulated::netcup_clouddns::{Forms, NetcupCloudDns};
use mailzone_record::{Name, RRset};

use super::makers::{self, start};
use super::stage::Site;
use crate::harness::Project;
use crate::settle::guards;

fn sets(origin: &Name) -> Vec<RRset> {
    parse_seed(origin, "@ 3600 TXT \"a token\"\n@ 3600 TXT \"v=spf1 mx ~all\"\nwww 3600 A 192.0.2.1\n")
}

#[test]
fn netcup_keeps_ttls_in_one_back_end_only() {
    let (ccp, clouddns) = (start(NetcupCcp::new()), start(NetcupCloudDns::new(Forms::default())));
    let [old, new] = ["old.test", "new.test"].map(|name| Name::parse(name).unwrap());
    ccp.with(|service| service.seed(&old, &sets(&old)));
    let zone = clouddns.with(|service| service.seed(&new, &sets(&new)));
    let project = Project::empty();
    project.write("rest.secret", NetcupCloudDns::KEY);
    project.write("key.secret", NetcupCcp::KEY);
    project.write("password.secret", NetcupCcp::PASSWORD);
    project.write(
        "mailzone.toml",
        format!(
            "[providers.nc]\ntype = \"netcup\"\nendpoint = \"{}{}\"\ncustomer_number = 12345\n\
             api_key = {{ file = \"key.secret\" }}\napi_password = {{ file = \"password.secret\" }}\n\
             rest_endpoint = \"{}/v1\"\nrest_api_key = {{ file = \"rest.secret\" }}\nrequests_per_second = 10000\n\
             [defaults]\nprovider = \"nc\"\nttl = \"10m\"\ndmarc = {{ policy = \"none\" }}\nspf = \"v=spf1 mx -all\"\n\
             [domains.\"old.test\"]\n[domains.\"new.test\"]\n",
            ccp.url(),
            NetcupCcp::PATH,
            clouddns.url()
        ),
    );
    project.run_to(0, ["apply", "--yes", "--wait", "none"]);
    project.run_to(0, ["plan", "--detailed-exitcode"]);
    let stored = clouddns.with(|service| mailzone_emulated::Service::served(service));
    let ttl = |rtype: &str, owner: &str| {
        let mut sets = stored.iter().flat_map(|(_, sets)| sets);
        let set = sets.find(|set| set.rtype.to_string() == rtype && set.name.to_string() == owner);
        set.unwrap().ttl.unwrap().as_secs()
    };
    // A new set takes what is asked for; one with foreign values keeps its own.
    assert_eq!((ttl("TXT", "_dmarc.new.test."), ttl("TXT", "new.test.")), (600, 3600));
    let old_texts = ccp.with(|service| mailzone_emulated::Service::served(service));
    assert!(format!("{old_texts:?}").contains("v=DMARC1; p=none"));
    let texts: Vec<String> = clouddns.with(|service| service.stored(&zone)).into_iter().map(|s| s.text).collect();
    assert!(texts.iter().any(|text| text.contains("a token")), "{texts:#?}");
}

#[test]
fn cloudflare_holds_a_cname_at_the_apex_beside_others() {
    let records = ["@ 3600 CNAME site.hoster.example.", "@ 3600 TXT \"a token\""];
    let domain = "spf = \"v=spf1 -all\"\nmx = \"null\"\nmail = \"none\"\n";
    let site = Site::new(makers::cloudflare(), "example.test", domain, &records);
    site.run(0, &["apply", "--yes", "--wait", "none"]);
    let stored = site.stored();
    for part in ["site.hoster.example", "a token", "v=spf1 -all"] {
        assert!(stored.iter().any(|line| line.contains(part)), "{part}: {stored:#?}");
    }
    site.run(0, &["plan", "--detailed-exitcode"]);
}

/// Writing SPF at a zone with active IONOS mail: told before, compared after, and taken back.
#[test]
fn ionos_deactivates_its_mail_and_rollback_restores_it() {
    let service = start(IonosHosting::new());
    let stage = makers::ionos_of(Arc::clone(&service));
    service.with(|service| service.deactivates = true);
    let records = [
        "@ 3600 MX 10 mx00.ionos.de.",
        "@ 3600 MX 10 mx01.ionos.de.",
        "@ 3600 TXT \"v=spf1 include:_spf-eu.ionos.com ~all\"",
        "@ 3600 TXT \"a token\"",
        "autodiscover 3600 CNAME adsredir.ionos.info.",
        "s1-ionos._domainkey 3600 CNAME s1.dkim.ionos.com.",
    ];
    let site = Site::new(stage, "example.test", "spf = \"v=spf1 ip4:203.0.113.7 -all\"\n", &records);
    let before = site.stage.served();
    let allow = ["--allow", "GUARD-SPF-NET"];
    let stopped = site.run(4, &[&["apply", "--yes", "--format", "json"], allow.as_slice()].concat()).json();
    let guards = guards(&stopped["zones"][0]);
    assert!(!guards.is_empty() && guards.iter().all(|code| *code == "GUARD-SIDE"), "{guards:?}");
    assert_eq!(before, site.stage.served());

    let all = [&["apply", "--yes", "--format", "json", "--allow", "GUARD-SIDE"], allow.as_slice()].concat();
    let document = site.run(1, &all).json();
    let effects = document["zones"][0]["side_effects"].as_array().unwrap();
    assert!(!effects.is_empty(), "{document:#}");
    assert!(format!("{effects:?}").contains("mx00.ionos.de"), "{effects:#?}");
    let after = site.stage.served();
    assert!(after.iter().all(|line| !line.contains("mx00.ionos.de")), "{after:#?}");

    // IONOS would do the same again; this time it does not.
    service.with(|service| service.deactivates = false);
    let back = ["rollback", "--yes", "--wait", "none", "--allow", "GUARD-SIDE", "--allow", "GUARD-SPF-NET"];
    site.run(0, &back);
    assert_eq!(before, site.stage.served());
}
