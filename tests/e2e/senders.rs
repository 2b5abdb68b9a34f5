//! Logos, client settings and sending services: from a configuration to a zone and back, and `mailzone senders`.

use serde_json::Value;

use crate::harness::{Project, zone_text};

const KEY: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

/// A domain that has all of it.
fn domain() -> String {
    format!(
        "[domains.\"example.test\"]\n\
         mx = [{{ preference = 10, host = \"mail.example.test\" }}]\n\
         spf = [\"mx\", \"-all\"]\n\
         dmarc = {{ policy = \"none\" }}\n\
         [domains.\"example.test\".bimi]\n\
         default = {{ logo = \"https://example.test/logo.svg\", evidence = \"https://example.test/vmc.pem\" }}\n\
         news = {{ cname = \"default._bimi.example.net.\" }}\n\
         [domains.\"example.test\".client_settings]\n\
         imaps = \"mail.example.test:993\"\n\
         imap = \"none\"\n\
         submissions = [\"mail.example.test\", {{ host = \"mail2.example.test\", priority = 10 }}]\n\
         caldavs = {{ host = \"dav.example.test\", path = \"/dav/\" }}\n\
         autoconfig = \"mail.example.test\"\n\
         autodiscover = {{ ipv4 = [\"192.0.2.80\"], srv = \"mail.example.test:443\" }}\n\
         [domains.\"example.test\".senders]\n\
         sendgrid = {{ domain_id = \"em1234\", user = \"u1234567\", wl = \"wl042\" }}\n\
         amazon-ses = {{ tokens = [\"t1\", \"t2\", \"t3\"], mail_from = \"bounce\", region = \"eu-central-1\" }}\n\
         google-workspace = {{ key = \"{KEY}\" }}\n\
         brevo = {{ code = \"0123456789\" }}\n"
    )
}

fn project(domain: &str, records: &[&str]) -> Project {
    Project::new(domain, &[("example.test", zone_text("example.test", records))])
}

fn plan(project: &Project) -> Value {
    project.run_to(0, ["plan", "--format", "json"]).json()
}

/// The changes as `action slots name type values`.
fn changes(plan: &Value) -> Vec<String> {
    let change = |change: &Value| {
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        let slots: Vec<String> = change["slots"].as_array().unwrap().iter().map(word).collect();
        let values = change["after"]["values"].as_array().cloned().unwrap_or_default();
        let values: Vec<String> = values.iter().map(word).collect();
        let (action, name, rtype) = (word(&change["action"]), word(&change["name"]), word(&change["type"]));
        format!("{action} {} {name} {rtype} {}", slots.join(","), values.join(" | "))
    };
    let zones = plan["zones"].as_array().unwrap();
    zones.iter().flat_map(|zone| zone["changes"].as_array().unwrap()).map(change).collect()
}

#[test]
fn all_of_it_is_applied_and_then_there_is_nothing_to_do() {
    let project = project(&domain(), &["@ TXT \"a token\"", "mail A 192.0.2.25", "mail2 A 192.0.2.26"]);
    insta::assert_snapshot!(changes(&plan(&project)).join("\n"), @r#"
    create mx example.test. MX 10 mail.example.test.
    create bimi.default default._bimi.example.test. TXT "v=BIMI1; l=https://example.test/logo.svg; a=https://example.test/vmc.pem"
    create bimi.news news._bimi.example.test. CNAME default._bimi.example.net.
    create dmarc _dmarc.example.test. TXT "v=DMARC1; p=none"
    create sender.brevo brevo1._domainkey.example.test. CNAME b1.example-test.dkim.brevo.com.
    create sender.brevo brevo2._domainkey.example.test. CNAME b2.example-test.dkim.brevo.com.
    create sender.google-workspace google._domainkey.example.test. TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    create sender.sendgrid s1._domainkey.example.test. CNAME s1.domainkey.u1234567.wl042.sendgrid.net.
    create sender.sendgrid s2._domainkey.example.test. CNAME s2.domainkey.u1234567.wl042.sendgrid.net.
    create sender.amazon-ses t1._domainkey.example.test. CNAME t1.dkim.amazonses.com.
    create sender.amazon-ses t2._domainkey.example.test. CNAME t2.dkim.amazonses.com.
    create sender.amazon-ses t3._domainkey.example.test. CNAME t3.dkim.amazonses.com.
    create client_settings.autodiscover _autodiscover._tcp.example.test. SRV 0 1 443 mail.example.test.
    create client_settings.caldavs _caldavs._tcp.example.test. TXT "path=/dav/"
    create client_settings.caldavs _caldavs._tcp.example.test. SRV 0 1 443 dav.example.test.
    create client_settings.imap _imap._tcp.example.test. SRV 0 0 0 .
    create client_settings.imaps _imaps._tcp.example.test. SRV 0 1 993 mail.example.test.
    create client_settings.submissions _submissions._tcp.example.test. SRV 0 1 465 mail.example.test. | 10 1 465 mail2.example.test.
    create client_settings.autoconfig autoconfig.example.test. CNAME mail.example.test.
    create client_settings.autodiscover autodiscover.example.test. A 192.0.2.80
    create sender.amazon-ses bounce.example.test. MX 10 feedback-smtp.eu-central-1.amazonses.com.
    create sender.amazon-ses bounce.example.test. TXT "v=spf1 include:amazonses.com ~all"
    create sender.sendgrid em1234.example.test. CNAME u1234567.wl042.sendgrid.net.
    update spf,sender.brevo example.test. TXT "a token" | "brevo-code:0123456789" | "v=spf1 mx include:_spf.google.com -all"
    "#);
    project.run_to(0, ["apply", "--yes"]);
    let after = plan(&project);
    assert_eq!(changes(&after), [""; 0]);
    assert_eq!(after["zones"][0]["unmanaged"], serde_json::json!([]));
    assert!(project.read("zones/example.test.zone").contains("a token"));
}

#[test]
fn spellings_are_no_change() {
    let records = [
        "@ TXT \"v=spf1 include:_spf.google.com mx -all\"",
        "default._bimi TXT \"v=BIMI1;l=HTTPS://EXAMPLE.test/l.svg;avp=brand; x=y;\"",
        "_imaps._tcp SRV 0 7 993 MAIL.example.test.",
        "S1._domainkey CNAME s1.domainkey.U1.wl1.sendgrid.net.",
        "s2._domainkey CNAME s2.domainkey.u1.wl1.sendgrid.net.",
        "em1 CNAME u1.wl1.sendgrid.net.",
        &format!("google._domainkey TXT \"{}\"", KEY.replace("; ", " ; ")),
    ];
    let domain = format!(
        "[domains.\"example.test\"]\nspf = [\"mx\", \"-all\"]\n\
         bimi.default = {{ logo = \"https://example.test/l.svg\" }}\nclient_settings.imaps = \"mail.example.test\"\n\
         senders.sendgrid = {{ domain_id = \"em1\", user = \"u1\", wl = \"wl1\" }}\n\
         senders.google-workspace = {{ key = \"{}\" }}\n",
        KEY.split("p=").nth(1).map(|data| format!("k=ed25519; p={data}")).unwrap()
    );
    assert_eq!(changes(&plan(&project(&domain, &records))), [""; 0]);
}

#[test]
fn dmarc_relies_on_the_keys_of_senders() {
    let domain = domain().replace("policy = \"none\"", "policy = \"quarantine\"");
    let project = project(&domain, &["_dmarc TXT \"v=DMARC1; p=none\"", "@ MX 10 mail", "@ TXT \"v=spf1 mx -all\""]);
    let plan = plan(&project);
    let changes = plan["zones"][0]["changes"].as_array().unwrap();
    let dmarc = changes.iter().find(|change| change["name"] == "_dmarc.example.test.").unwrap();
    let needs = dmarc["needs"].to_string();
    for name in ["s1._domainkey", "t3._domainkey", "google._domainkey", "brevo2._domainkey"] {
        assert!(needs.contains(name), "{name}: {needs}");
    }
    assert!(dmarc["stage"].as_u64().unwrap() > 1, "{dmarc:#}");
}

#[test]
fn a_service_that_is_left_goes_with_its_records() {
    let records = [
        "k2._domainkey CNAME dkim2.mcsv.net.",
        "k3._domainkey CNAME dkim3.mcsv.net.",
        "_imap._tcp SRV 0 1 143 mail.example.test.",
        "autodiscover CNAME mail.example.test.",
        "default._bimi TXT \"v=BIMI1; l=https://example.test/l.svg\"",
    ];
    let domain = "[domains.\"example.test\"]\nsenders.mailchimp = { absent = true }\n\
                  client_settings = { imap = \"absent\", autodiscover = \"absent\" }\nbimi.default = \"absent\"\n";
    let project = project(domain, &records);
    let before = plan(&project);
    insta::assert_snapshot!(changes(&before).join("\n"), @r#"
    delete bimi.default default._bimi.example.test. TXT 
    delete sender.mailchimp k2._domainkey.example.test. CNAME 
    delete sender.mailchimp k3._domainkey.example.test. CNAME 
    delete client_settings.imap _imap._tcp.example.test. SRV 
    delete client_settings.autodiscover autodiscover.example.test. CNAME
    "#);
    let findings = before["zones"][0]["findings"].as_array().unwrap();
    let caused = findings.iter().filter(|finding| finding["effect"] == "caused");
    let guards: Vec<&str> = caused.map(|finding| finding["code"].as_str().unwrap()).collect();
    assert_eq!(guards, ["GUARD-DKIM-REMOVED", "GUARD-DKIM-REMOVED"]);
    project.run_to(4, ["apply", "--yes"]);
    project.run_to(0, ["apply", "--yes", "--allow", "GUARD-DKIM-REMOVED"]);
    assert_eq!(changes(&plan(&project)), [""; 0]);
}

#[test]
fn client_settings_are_looked_at() {
    let domain = "[domains.\"example.test\"]\nclient_settings = { imap = \"mail.example.test\", pop3s = \"mail.example.test\" }\n";
    let project = project(
        domain,
        &["_imap._tcp SRV 0 1 143 mail", "_imap._tcp SRV 0 0 0 .", "_pop3s._tcp SRV 0 1 995 mail", "mail A 192.0.2.25"],
    );
    let plan = plan(&project);
    let found = [&plan["findings"], &plan["zones"][0]["findings"]];
    let found = found.into_iter().flat_map(|list| list.as_array().unwrap());
    let codes = found.map(|f| format!("{} {}", f["code"].as_str().unwrap(), f["effect"].as_str().unwrap()));
    let codes: Vec<String> = codes.filter(|code| code.starts_with("SRV-")).collect();
    assert_eq!(codes, ["SRV-02 cured", "SRV-03 present", "SRV-04 present"]);
}

#[test]
fn senders_are_listed_and_shown() {
    let project = Project::empty();
    let all = project.run_to(0, ["senders"]).stdout;
    assert!(all.lines().count() > 28 && all.contains("sendgrid: Twilio SendGrid, as of 2026, confirmed\n"), "{all}");
    insta::assert_snapshot!(all, @r#"
    amazon-ses: Amazon SES, as of 2026, confirmed
      asks for    3 DKIM keys, MX at bounce, TXT at bounce
      parameters  tokens, [mail_from], [region]
    brevo: Brevo, as of 2026-08, confirmed
      asks for    2 DKIM keys, TXT at the domain
      parameters  [code]
    fastmail: Fastmail, as of 2026, confirmed
      asks for    SPF include:spf.messagingengine.com, 3 DKIM keys, MX
      parameters  [mx]
    google-workspace: Google Workspace, as of 2025-11, confirmed
      asks for    SPF include:_spf.google.com, 1 DKIM key, MX
      parameters  [key], [selector], [mx]
    ionos: IONOS mail, as of 2026-08, confirmed
      asks for    SPF include:_spf-eu.ionos.com, 3 DKIM keys, CNAME at autodiscover, MX
      parameters  [region], [mx]
    mailbox-org: mailbox.org, as of 2024, confirmed
      asks for    SPF include:mailbox.org, 4 DKIM keys
    mailchimp: Mailchimp, as of 2026, confirmed
      asks for    2 DKIM keys
    mailcow: mailcow (your own server), as of 2026, confirmed
      asks for    SPF mx, 1 DKIM key, SRV at _autodiscover._tcp, CNAME at autoconfig, CNAME at autodiscover
      parameters  host, [key], [selector]
    mailgun: Mailgun, as of 2026, confirmed
      asks for    SPF include:mailgun.org, 2 DKIM keys, MX
      parameters  id, [mx]
    microsoft-365: Microsoft 365, as of 2026, confirmed
      asks for    SPF include:spf.protection.outlook.com, 2 DKIM keys, CNAME at autodiscover, MX
      parameters  tenant, [partition], [mx]
    netcup-webhosting: netcup web hosting, as of 2026-09, confirmed
      asks for    SPF mx a include:_spf.webhosting.systems, 2 DKIM keys, MX
      parameters  [id], [mx]
    postmark: Postmark, as of 2026, confirmed
      asks for    1 DKIM key, CNAME at pm-bounces
      parameters  selector, [key]
    sendgrid: Twilio SendGrid, as of 2026, confirmed
      asks for    2 DKIM keys, CNAME at em1234
      parameters  domain_id, user, wl
    zoho-mail: Zoho Mail, as of 2026, confirmed
      asks for    SPF include:zohomail.eu, 1 DKIM key, MX
      parameters  region, [key], [selector], [mx]

    confirmed: on the service's own pages, or in several public sources
    `mailzone senders NAME` shows the lines to paste and the records that come of them
    "#);
    insta::assert_snapshot!(project.run_to(0, ["senders", "microsoft-365"]).stdout, @r#"
    # Microsoft 365, as of 2026, confirmed: the service's own pages, or several public sources
    # with mx = true also the CNAME autodiscover; domains with inbound DANE have other MX hosts: name those in `mx`
    [domains."example.com".senders]
    microsoft-365 = { tenant = "contoso" }
    # tenant = "contoso": the first label of the tenant's onmicrosoft.com domain
    # partition = "n": optional: the letter before -v1.dkim.mail.microsoft in the targets shown; domains set up before May 2025 have none
    # mx = true: optional: Microsoft 365 takes the domain's mail

    # what comes of it
    # in the SPF record of the domain: include:spf.protection.outlook.com
    # selector1._domainkey.example.com. CNAME selector1-example-com._domainkey.contoso.onmicrosoft.com.
    # selector2._domainkey.example.com. CNAME selector2-example-com._domainkey.contoso.onmicrosoft.com.
    # selector1._domainkey.example.com. CNAME selector1-example-com._domainkey.contoso.n-v1.dkim.mail.microsoft.  (with partition)
    # selector2._domainkey.example.com. CNAME selector2-example-com._domainkey.contoso.n-v1.dkim.mail.microsoft.  (with partition)
    # autodiscover.example.com. CNAME autodiscover.outlook.com.  (with mx)
    # example.com. MX 0 example-com.mail.protection.outlook.com.  (with mx)
    "#);
    insta::assert_snapshot!(project.run_to(0, ["senders", "Amazon-SES"]).stdout, @r#"
    # Amazon SES, as of 2026, confirmed: the service's own pages, or several public sources
    # without mail_from the envelope domain is Amazon's, and SPF is not aligned
    [domains."example.com".senders]
    amazon-ses = { tokens = ["abc1", "abc2", "abc3"] }
    # tokens = ["abc1", "abc2", "abc3"]: the three tokens of Easy DKIM
    # mail_from = "bounce": optional: the sub-domain for bounces (custom MAIL FROM)
    # region = "eu-central-1": the region that the identity is in; with mail_from

    # what comes of it
    # abc1._domainkey.example.com. CNAME abc1.dkim.amazonses.com.
    # abc2._domainkey.example.com. CNAME abc2.dkim.amazonses.com.
    # abc3._domainkey.example.com. CNAME abc3.dkim.amazonses.com.
    # bounce.example.com. MX 10 feedback-smtp.eu-central-1.amazonses.com.  (with mail_from)
    # bounce.example.com. TXT "v=spf1 include:amazonses.com ~all"  (with mail_from)
    "#);
    let json = project.run_to(0, ["senders", "--format", "json"]).json();
    let presets = json["presets"].as_array().unwrap();
    let google = presets.iter().find(|preset| preset["name"] == "google-workspace").unwrap();
    assert_eq!(google["spf"], serde_json::json!(["include:_spf.google.com"]));
    assert_eq!((&google["mx"], &google["confidence"]), (&Value::Bool(true), &Value::from("confirmed")));
    let one = project.run_to(0, ["senders", "google-workspace", "--format", "json"]).json();
    assert_eq!(&one["presets"][0], google);
    insta::assert_snapshot!(project.run_to(1, ["senders", "sendgird"]).said(), @r#"
    error: no sender preset is called sendgird
      help: there are amazon-ses, brevo, fastmail, google-workspace, ionos, mailbox-org, mailchimp, mailcow, mailgun, microsoft-365, netcup-webhosting, postmark, sendgrid, zoho-mail; any other service: the keys spf, dkim, records
    "#);
}

/// What a preset is shown with is a configuration.
#[test]
fn what_is_shown_can_be_pasted() {
    let project = Project::empty();
    let json = project.run_to(0, ["senders", "--format", "json"]).json();
    for preset in json["presets"].as_array().unwrap() {
        let name = preset["name"].as_str().unwrap();
        let shown = project.run_to(0, ["senders", name]).stdout;
        project.write(
            "mailzone.toml",
            format!(
                "[providers.p]\ntype = \"zonefile\"\ndirectory = \".\"\n[domains.\"example.com\"]\nprovider = \"p\"\n\
                 spf = [\"-all\"]\n{shown}"
            ),
        );
        project.run_to(0, ["lint"]);
    }
}
