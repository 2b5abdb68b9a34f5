//! Providers.

use std::path::Path;

use super::services::{duration, located};
use crate::diagnostic::Diagnostic;
use crate::endpoint::Endpoint;
use crate::raw::{Node, Report};
use crate::secret::{self, SecretRef};
use crate::service::{
    AccessKey, Cloudflare, CloudflareCredentials, Credential, Customary, Given, Ionos, IonosCloud, Limits, Netcup,
    Route53,
};
use crate::settings::{ProviderSettings, Rfc2136, Tsig, TsigAlgorithm, Zonefile};
use crate::source::Located;
use crate::texts;

pub(super) fn provider(node: &Node<'_>, report: &mut Report) -> Option<Located<ProviderSettings>> {
    let settings = match node.get("type")?.text()? {
        "zonefile" => ProviderSettings::Zonefile(zonefile(node)?),
        "rfc2136" => ProviderSettings::Rfc2136(rfc2136(node)?),
        "route53" => ProviderSettings::Route53(Box::new(route53(node, report))),
        "cloudflare" => ProviderSettings::Cloudflare(cloudflare(node, report)),
        "netcup" => ProviderSettings::Netcup(Box::new(netcup(node, report))),
        "ionos" => ProviderSettings::Ionos(ionos(node, report)),
        "ionos-cloud" => ProviderSettings::IonosCloud(ionos_cloud(node, report)),
        _ => return None,
    };
    Some(located(node, settings))
}

fn zonefile(node: &Node<'_>) -> Option<Zonefile> {
    let directory = node.file.directory.join(Path::new(node.get("directory")?.text()?));
    let serve = node.get("serve").and_then(|serve| Some(located(&serve, texts::listen(serve.text()?).ok()?)));
    let reload = node.get("reload").map(|reload| {
        let words = reload.items().filter_map(|word| Some(word.text()?.to_owned())).collect();
        located(&reload, words)
    });
    Some(Zonefile { directory, serve, reload })
}

fn rfc2136(node: &Node<'_>) -> Option<Rfc2136> {
    let server = texts::server(node.get("server")?.text()?, 53).ok()?;
    let tsig = match node.get("tsig") {
        Some(table) => Some(tsig(&table)?),
        None => None,
    };
    let Limits { max_concurrency, timeout, .. } = limits(node);
    Some(Rfc2136 { server, tsig, max_concurrency, timeout })
}

fn tsig(node: &Node<'_>) -> Option<Tsig> {
    Some(Tsig {
        name: texts::name(node.get("name")?.text()?).ok()?,
        algorithm: match node.get("algorithm").and_then(|word| word.text()) {
            Some("hmac-sha384") => TsigAlgorithm::HmacSha384,
            Some("hmac-sha512") => TsigAlgorithm::HmacSha512,
            _ => TsigAlgorithm::HmacSha256,
        },
        secret: secret(node, "secret")?,
    })
}

fn route53(node: &Node<'_>, report: &mut Report) -> Route53 {
    const KEYS: &[&str] = &["access_key_id", "secret_access_key"];
    // Every partition has its own (AWS General Reference, Route 53 endpoints).
    const OWN: &[&str] = &[
        "https://route53.amazonaws.com:443",
        "https://route53-fips.amazonaws.com:443",
        "https://route53.global.api.aws:443",
        "https://route53.amazonaws.com.cn:443",
        "https://route53.amazonaws.eu:443",
        "https://route53.us-gov.amazonaws.com:443",
    ];
    let endpoint = own_or_named(node, "endpoint", OWN, KEYS, "the AWS default chain serves", report);
    let [id, secret_key, session] =
        ["access_key_id", "secret_access_key", "session_token"].map(|key| secret(node, key));
    let access_key = match (id, secret_key) {
        (Some(access_key_id), Some(secret_access_key)) => {
            Some(AccessKey { access_key_id, secret_access_key, session_token: session })
        }
        _ => {
            let missing = KEYS.iter().find(|key| node.get(key).is_none());
            let named = ["access_key_id", "secret_access_key", "session_token"].iter().find_map(|key| node.get(key));
            if let (Some(missing), Some(named)) = (missing, named) {
                let diagnostic = Diagnostic::error(format!("an access key without `{missing}`")).at(named.place());
                report.add(diagnostic.hide_line().help("name both parts, or neither for the AWS default chain"));
            }
            None
        }
    };
    if let (Some(profile), true) = (node.get("profile"), access_key.is_some()) {
        let diagnostic = Diagnostic::error("a profile and an access key: two ways to sign").at(profile.place());
        report.add(diagnostic.help("remove one of them"));
    }
    Route53 {
        profile: text(node, "profile"),
        region: text(node, "region"),
        role_arn: text(node, "role_arn"),
        access_key,
        endpoint,
        limits: limits(node),
    }
}

fn cloudflare(node: &Node<'_>, report: &mut Report) -> Cloudflare {
    const TOKEN: Customary = Customary { key: "api_token", variables: &["CLOUDFLARE_API_TOKEN", "CF_DNS_API_TOKEN"] };
    const KEY: Customary = Customary { key: "api_key", variables: &["CLOUDFLARE_API_KEY"] };
    const EMAIL: Customary = Customary { key: "email", variables: &["CLOUDFLARE_EMAIL"] };
    let by_key = ["api_key", "email"].into_iter().find_map(|key| Some((key, node.get(key)?)));
    let needed: &[&str] = if by_key.is_some() { &["api_key", "email"] } else { &["api_token"] };
    let own = &["https://api.cloudflare.com:443"];
    let endpoint = own_or_named(node, "endpoint", own, needed, "CLOUDFLARE_API_TOKEN is sent to", report);
    let credentials = match (secret(node, "api_token"), by_key) {
        (token, Some((key, by_key))) => {
            if token.is_some() {
                let diagnostic = Diagnostic::error(format!("`api_token` and `{key}`: two ways to authorise"));
                report.add(diagnostic.at(by_key.place()).hide_line().help("keep `api_token` alone"));
            } else {
                let diagnostic = Diagnostic::warning("the global API key may do everything in the account");
                let remedy =
                    "make an API token with Zone:Read and DNS:Edit for these zones, and name it as `api_token`";
                report.add(diagnostic.at(by_key.place()).hide_line().help(remedy));
            }
            CloudflareCredentials::Key { api_key: credential(node, KEY), email: given_text(node, EMAIL) }
        }
        (Some(token), None) => CloudflareCredentials::Token(token),
        (None, None) => CloudflareCredentials::Customary { token: TOKEN, api_key: KEY, email: EMAIL },
    };
    Cloudflare { credentials, endpoint, limits: limits(node) }
}

fn netcup(node: &Node<'_>, report: &mut Report) -> Netcup {
    const NUMBER: Customary = Customary { key: "customer_number", variables: &["NETCUP_CUSTOMER_NUMBER"] };
    const KEY: Customary = Customary { key: "api_key", variables: &["NETCUP_API_KEY"] };
    const PASSWORD: Customary = Customary { key: "api_password", variables: &["NETCUP_API_PASSWORD"] };
    const REST: Customary = Customary { key: "rest_api_key", variables: &["NETCUPV1_API_KEY"] };
    const SCP: Customary = Customary { key: "scp_refresh_token", variables: &["NETCUP_SCP_REFRESH_TOKEN"] };
    let mut endpoint = |key, own, needed, variable| own_or_named(node, key, &[own], needed, variable, report);
    Netcup {
        endpoint: endpoint(
            "endpoint",
            "https://ccp.netcup.net:443",
            &["customer_number", "api_key", "api_password"],
            "NETCUP_API_PASSWORD is sent to",
        ),
        rest_endpoint: endpoint(
            "rest_endpoint",
            "https://api.netcup.com:443",
            &["rest_api_key"],
            "NETCUPV1_API_KEY is sent to",
        ),
        scp_endpoint: endpoint(
            "scp_endpoint",
            "https://www.servercontrolpanel.de:443",
            &["scp_refresh_token"],
            "NETCUP_SCP_REFRESH_TOKEN is sent to",
        ),
        customer_number: match node.get("customer_number").and_then(|number| number.integer().map(|n| (number, n))) {
            Some((node, number)) => Given::Named(located(&node, number.to_string())),
            None => given_text(node, NUMBER),
        },
        api_key: credential(node, KEY),
        api_password: credential(node, PASSWORD),
        rest_api_key: credential(node, REST),
        scp_refresh_token: credential(node, SCP),
        limits: limits(node),
    }
}

fn ionos(node: &Node<'_>, report: &mut Report) -> Ionos {
    const KEY: Customary = Customary { key: "api_key", variables: &["IONOS_API_KEY"] };
    let own = &["https://api.hosting.ionos.com:443"];
    let endpoint = own_or_named(node, "endpoint", own, &["api_key"], "IONOS_API_KEY is sent to", report);
    Ionos { api_key: credential(node, KEY), endpoint, limits: limits(node) }
}

fn ionos_cloud(node: &Node<'_>, report: &mut Report) -> IonosCloud {
    const TOKEN: Customary = Customary { key: "token", variables: &["IONOS_TOKEN", "IONOSCLOUD_API_TOKEN"] };
    let own = &["https://dns.de-fra.ionos.com:443"];
    let endpoint = own_or_named(node, "endpoint", own, &["token"], "IONOS_TOKEN is sent to", report);
    IonosCloud { token: credential(node, TOKEN), endpoint, limits: limits(node) }
}

/// The endpoint under `key`. One that is neither among the service's `own` origins nor loopback gets only what the
/// same table names: whoever may write the file must not send a credential of the environment where he likes.
fn own_or_named(
    node: &Node<'_>,
    key: &str,
    own: &[&str],
    credentials: &[&str],
    otherwise: &str,
    report: &mut Report,
) -> Option<Located<Endpoint>> {
    let written = node.get(key)?;
    let endpoint = Endpoint::parse(written.text()?).ok()?;
    let trusted = endpoint.is_loopback() || own.contains(&endpoint.origin());
    let missing: Vec<&str> = credentials.iter().copied().filter(|name| node.get(name).is_none()).collect();
    if !trusted && !missing.is_empty() {
        let keys = missing.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let message = format!("`{key}` is not the service's own and needs its credentials beside it: {keys}");
        let own = own.first().map_or("", |own| own.trim_end_matches(":443"));
        let help = format!("name them in this table; {otherwise} {own} or a loopback address alone");
        report.add(Diagnostic::error(message).at(written.place()).help(help));
    }
    Some(located(&written, endpoint))
}

fn limits(node: &Node<'_>) -> Limits {
    Limits {
        requests_per_second: node.get("requests_per_second").and_then(|rate| rate.number()),
        max_concurrency: node.get("max_concurrency").and_then(|n| usize::try_from(n.integer()?).ok()),
        timeout: duration(node, "timeout"),
    }
}

fn text(node: &Node<'_>, key: &str) -> Option<String> {
    Some(node.get(key)?.text()?.to_owned())
}

fn secret(node: &Node<'_>, key: &str) -> Option<Located<SecretRef>> {
    let named = node.get(key)?;
    Some(located(&named, secret::reference(&named)?))
}

fn credential(node: &Node<'_>, customary: Customary) -> Credential {
    secret(node, customary.key).map_or(Given::Customary(customary), Given::Named)
}

fn given_text(node: &Node<'_>, customary: Customary) -> Given<String> {
    let named = node.get(customary.key).and_then(|named| Some(located(&named, named.text()?.to_owned())));
    named.map_or(Given::Customary(customary), Given::Named)
}
