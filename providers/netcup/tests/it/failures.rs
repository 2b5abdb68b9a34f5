//! One clear message for each thing that can be wrong, with its remedy.

use mailzone_emulated::Response;
use mailzone_provider::{Outcome, Provider, ProviderError, ProviderErrorKind};
use mailzone_record::Name;

use super::*;

fn told(error: &ProviderError, kind: &str, parts: &[&str]) {
    let text = format!("{error}; {}", error.remedy);
    assert_eq!(error.kind.as_str(), kind, "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    for secret in [NetcupCcp::KEY, NetcupCcp::PASSWORD, NetcupCloudDns::KEY, NetcupScp::REFRESH_TOKEN] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn a_wrong_login_is_said_once() {
    let (emulator, zone) = ccp_emulator().await;
    let wrong = |change: fn(&mut CcpSettings)| {
        let mut settings = Settings { ccp: ccp(&emulator), ..settings(names(&[ZONE, "other.example."])) };
        change(settings.ccp.as_mut().unwrap());
        provider(settings)
    };
    let password = wrong(|ccp| ccp.api_password = "wrong".into());
    let error = password.zones().await.unwrap_err();
    told(&error, "credentials", &["refuses the login", "(4002)", "api_password", "Master Data"]);
    assert_eq!(labels(&emulator), ["login"]);
    told(&password.snapshot(&zone).await.unwrap_err(), "credentials", &[]);

    let customer = wrong(|ccp| ccp.customer_number = "No. 12345".into());
    told(&customer.zones().await.unwrap_err(), "credentials", &["customer_number is the number alone"]);
    let rest = wrong(|ccp| ccp.api_key = NetcupCloudDns::KEY.into());
    told(&rest.zones().await.unwrap_err(), "credentials", &["64 characters", "rest_api_key", "Legacy API Keys"]);
}

#[tokio::test]
async fn a_wrong_rest_key_is_said_once() {
    let (emulator, _) = clouddns_emulator(Forms::default()).await;
    for (key, parts) in [
        ("wrong", ["(authenticationError)", "API Keys (not Legacy API Keys)"]),
        (NetcupCcp::KEY, ["50 characters", "customer_number"]),
    ] {
        emulator.clear_log();
        let mut settings = Settings { clouddns: clouddns(&emulator), ..settings(names(&[ZONE, "other.example."])) };
        settings.clouddns.as_mut().unwrap().api_key = key.into();
        let error = provider(settings).zones().await.unwrap_err();
        told(&error, "credentials", &parts);
        assert_eq!(labels(&emulator), ["GET /domain"]);
    }
}

#[tokio::test]
async fn a_zone_on_the_other_back_end_says_which_key_to_add() {
    let (emulator, zone) = ccp_emulator().await;
    let on_ccp = ccp_provider(&emulator, &[ZONE, "new.example."]);
    let zones = on_ccp.zones().await.unwrap();
    assert_eq!(zones.len(), 2);
    assert_eq!(zones[0], zone);
    let error = on_ccp.snapshot(&zones[1]).await.unwrap_err();
    told(&error, "no_zone", &["new.example", "CloudDNS", "add rest_api_key"]);
    let error = on_ccp.apply(&zones[1], &Batch { changes: Vec::new() }).await.unwrap_err();
    told(&error, "no_zone", &["add rest_api_key"]);
    assert!(on_ccp.snapshot(&zone).await.is_ok());

    for status in [200, 404] {
        let (emulator, _) = clouddns_emulator(Forms::default()).await;
        emulator.with(|service| {
            service.unknown_status = status;
            service.add_elsewhere(&name("old.example."));
        });
        let on_clouddns = clouddns_provider(&emulator, &[ZONE, "old.example.", "unknown.example."]);
        let zones = on_clouddns.zones().await.unwrap();
        let lost = |text: &str| zones.iter().find(|zone| zone.name == name(text)).unwrap();
        let error = on_clouddns.snapshot(lost("old.example.")).await.unwrap_err();
        told(&error, "no_zone", &["older back end", "add customer_number, api_key and api_password"]);
        let error = on_clouddns.snapshot(lost("unknown.example.")).await.unwrap_err();
        told(&error, "no_zone", &["CloudDNS holds no zone", "or check the domain"]);
    }
}

#[tokio::test]
async fn after_the_lock_out_nothing_is_asked() {
    let (emulator, zone) = ccp_emulator().await;
    let provider = ccp_provider(&emulator, &[ZONE, "a.example.", "b.example.", "c.example.", "d.example."]);
    let batch = stage(&provider, &zone).await;
    emulator.with(|service| service.lock_after = 2);
    emulator.clear_log();
    let zones = provider.zones().await.unwrap();
    // Two errors, and the answer that says it.
    assert_eq!(labels(&emulator).len(), 3, "{:?}", labels(&emulator));
    // What was asked for before is told as it is.
    let lost = zones.iter().find(|zone| zone.name == name("a.example.")).unwrap();
    told(&provider.snapshot(lost).await.unwrap_err(), "no_zone", &["add rest_api_key"]);
    let lost = zones.iter().find(|zone| zone.name == name("d.example.")).unwrap();
    told(&provider.snapshot(lost).await.unwrap_err(), "throttled", &["locked", "Too many error messages", "(4013)"]);
    told(&provider.snapshot(&zone).await.unwrap_err(), "throttled", &["asks nothing more in this run"]);
    told(&provider.apply(&zone, &batch).await.unwrap_err(), "throttled", &["wait"]);
    provider.close().await;
    assert_eq!(labels(&emulator).len(), 3);
}

#[tokio::test]
async fn a_lock_out_in_the_middle_of_an_apply() {
    let (emulator, zone) = ccp_emulator().await;
    let provider = ccp_provider(&emulator, &[ZONE]);
    let batch = stage(&provider, &zone).await;
    let before = emulator.with(|service| service.stored(&zone));
    emulator.with(|service| {
        service.lock_after = 1;
        service.atomic = true;
        service.refuse_next = true;
    });
    emulator.clear_log();
    // The write is refused, which locks the account: what became of it cannot be read.
    let error = provider.apply(&zone, &batch).await.unwrap_err();
    assert_eq!(labels(&emulator), ["infoDnsRecords", "updateDnsRecords", "infoDnsRecords"]);
    assert_eq!(error.retry, mailzone_provider::Retry::Unknown);
    assert_eq!(emulator.with(|service| service.stored(&zone)), before);
    emulator.clear_log();
    told(&provider.apply(&zone, &batch).await.unwrap_err(), "throttled", &["locked"]);
    assert_eq!(labels(&emulator), Vec::<String>::new());
}

#[tokio::test]
async fn texts_in_german_change_nothing() {
    let (emulator, zone) = ccp_emulator().await;
    emulator.with(|service| service.german = true);
    let provider = ccp_provider(&emulator, &[ZONE]);
    let batch = stage(&provider, &zone).await;
    let receipt = provider.apply(&zone, &batch).await.unwrap();
    assert!(receipt.results.iter().all(|result| result.outcome == Outcome::Applied), "{receipt:?}");
}

#[tokio::test]
async fn too_many_requests_are_an_error_only_if_it_lasts() {
    let (emulator, zone) = ccp_emulator().await;
    let provider = ccp_provider(&emulator, &[ZONE]);
    let batch = stage(&provider, &zone).await;
    emulator.limit(0.0, 2);
    let error = provider.apply(&zone, &batch).await.map(|receipt| format!("{receipt:?}"));
    // The reading and the write pass; the reading back does not.
    assert!(error.unwrap().contains("could not be read back"));
    told(&provider.snapshot(&zone).await.unwrap_err(), "throttled", &["180 requests"]);
}

#[tokio::test]
async fn what_the_service_would_refuse_is_refused_in_the_plan() {
    let (ccp_service, ccp_zone) = ccp_emulator().await;
    let on_ccp = ccp_provider(&ccp_service, &[ZONE]);
    let (service, zone) = clouddns_emulator(Forms { quoted: true, ..Forms::default() }).await;
    let on_clouddns = clouddns_provider(&service, &[ZONE]);
    on_clouddns.zones().await.unwrap();
    for (owner, rtype, value, on_both) in [
        ("x", "TXT", r#""say \"hi\"""#, false),
        ("x", "CAA", r#"0 issue "ca.example; accounturi=https://ca.example/1""#, false),
        ("x", "MX", "0 .", false),
        ("x", "HINFO", r#""PC" "Linux""#, true),
        ("9", "PTR", "mail.example.com.", true),
    ] {
        let planned = change(&on_ccp, &ccp_zone, owner, rtype, &[value]).await;
        assert_eq!(on_ccp.refuse(&planned).len(), 1, "{rtype} {value}");
        let planned = change(&on_clouddns, &zone, owner, rtype, &[value]).await;
        assert_eq!(on_clouddns.refuse(&planned).len(), usize::from(on_both), "{rtype} {value}");
    }
    // A foreign value that could not be written stays where it is.
    let batch = stage(&on_ccp, &ccp_zone).await;
    assert!(batch.changes.iter().all(|change| on_ccp.refuse(change).is_empty()));
    let ns = change(&on_clouddns, &zone, "@", "NS", &["ns.example.net."]).await;
    assert!(on_clouddns.refuse(&ns)[0].message.contains("immutable"));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_kept_and_left_alone() {
    let (emulator, zone) = ccp_emulator().await;
    emulator.with(|service| service.add_raw(&zone, "weird", "CAA", "0", "not a caa"));
    let provider = ccp_provider(&emulator, &[ZONE]);
    let gone = change(&provider, &zone, "weird", "CAA", &[]).await;
    assert!(provider.refuse(&gone)[0].message.contains("cannot be read as CAA"));
}

/// Answers everything with one body.
struct Always(Response);

impl Service for Always {
    fn answer(&mut self, _: &mailzone_emulated::Request) -> Response {
        self.0.clone()
    }

    fn label(&self, request: &mailzone_emulated::Request) -> String {
        request.path.clone()
    }

    fn writes(&self, _: &mailzone_emulated::Request) -> bool {
        false
    }

    fn throttled(&self) -> Response {
        self.0.clone()
    }

    fn served(&self) -> Vec<(Name, Vec<RRset>)> {
        Vec::new()
    }
}

#[tokio::test]
async fn answers_that_make_no_sense_are_errors() {
    let bodies = ["", "{", "[]", "null", "{\"statuscode\":2000}", "{\"success\":true,\"result\":7}", "<html>"];
    for body in bodies {
        let emulator = Emulator::start(Always(Response::text(200, "application/json", body))).await;
        let mut settings = settings(names(&[ZONE]));
        settings.clouddns = Some(CloudDnsSettings {
            api_key: NetcupCloudDns::KEY.into(),
            endpoint: base(&emulator, "/v1"),
            budget: Arc::new(Budget::unlimited()),
        });
        settings.ccp = Some(CcpSettings {
            customer_number: "1".into(),
            api_key: NetcupCcp::KEY.into(),
            api_password: NetcupCcp::PASSWORD.into(),
            endpoint: base(&emulator, NetcupCcp::PATH),
            budget: Arc::new(Budget::unlimited()),
        });
        let error = provider(settings).zones().await.unwrap_err();
        let kind = matches!(
            error.kind,
            ProviderErrorKind::Protocol(_) | ProviderErrorKind::Unreachable(_) | ProviderErrorKind::Refused(_)
        );
        assert!(kind, "{body}: {error:?}");
    }
}

#[tokio::test]
async fn a_service_that_is_down() {
    let mut settings = settings(names(&[ZONE]));
    settings.ccp = Some(CcpSettings {
        customer_number: "1".into(),
        api_key: NetcupCcp::KEY.into(),
        api_password: NetcupCcp::PASSWORD.into(),
        // Nobody listens on the discard port of loopback.
        endpoint: Base::parse("http://127.0.0.1:9/endpoint.php?JSON").unwrap(),
        budget: Arc::new(Budget::unlimited()),
    });
    told(&provider(settings).zones().await.unwrap_err(), "unreachable", &["refuses the connection"]);
}
