//! The providers of services with an HTTP API.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mailzone_config::{
    Cloudflare, CloudflareCredentials, Customary, Endpoint, Given, Ionos, IonosCloud, Limits, Located, Netcup,
};
use mailzone_http::{Backoff, Base, Settings};
use mailzone_mailauth::ptr::reverse_name;
use mailzone_provider::{Provider, ProviderError, ProviderErrorKind, ProviderId};
use mailzone_provider_cloudflare::{self as cloudflare_api, CloudflareProvider, Credentials};
use mailzone_provider_ionos::{IonosCloudProvider, IonosProvider};
use mailzone_provider_netcup::{self as netcup_api, CcpSettings, CloudDnsSettings, NetcupProvider, ScpSettings};
use mailzone_record::Name;
use secrecy::ExposeSecret as _;

use super::budgets::{Budgets, Rate};
use super::credentials::Wallet;
use crate::lazy::Lazy;

/// The time for one request where nothing is configured.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);

/// What every service is made with.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) id: ProviderId,
    pub(super) wallet: Wallet,
    pub(super) budgets: Arc<Budgets>,
}

pub(super) fn cloudflare(context: Context, table: &Cloudflare) -> Arc<dyn Provider> {
    let table = table.clone();
    let concurrency = table.limits.max_concurrency.unwrap_or(cloudflare_api::CONCURRENCY);
    Arc::new(Lazy::new(context.id.clone(), concurrency, move || {
        let credentials = cloudflare_credentials(&context.wallet, &table.credentials)?;
        let secret = match &credentials {
            Credentials::Token(secret) | Credentials::Key { key: secret, .. } => secret,
        };
        let rate =
            Rate::new((cloudflare_api::REQUESTS_PER_SECOND, cloudflare_api::BURST), table.limits.requests_per_second);
        let budget = context.budgets.of("cloudflare", secret.expose_secret(), rate);
        let base = base(&context.id, table.endpoint.as_ref(), cloudflare_api::ENDPOINT)?;
        let settings = limited(cloudflare_api::settings(base, budget), &table.limits);
        Ok(Arc::new(CloudflareProvider::new(context.id.clone(), credentials, settings)?))
    }))
}

fn cloudflare_credentials(wallet: &Wallet, table: &CloudflareCredentials) -> Result<Credentials, ProviderError> {
    let by_key = |api_key, email: &Given<String>| {
        let Some(email) = wallet.text(email) else {
            return Err(
                wallet.missing(&email.customary().into_iter().collect::<Vec<_>>(), Some("which goes with the API key"))
            );
        };
        Ok(Credentials::Key { email, key: api_key })
    };
    match table {
        CloudflareCredentials::Token(token) => wallet.named(token).map(Credentials::Token),
        CloudflareCredentials::Key { api_key, email } => by_key(wallet.get(api_key)?, email),
        CloudflareCredentials::Customary { token, api_key, email } => {
            if let Some(token) = wallet.find(&Given::Customary(*token))? {
                return Ok(Credentials::Token(token));
            }
            match wallet.find(&Given::Customary(*api_key))? {
                Some(key) => {
                    tracing::warn!(
                        "{}: CLOUDFLARE_API_KEY may do everything in the account; an API token with Zone:Read and DNS:Edit \
                         for these zones is enough",
                        wallet.provider
                    );
                    by_key(key, &Given::Customary(*email))
                }
                None => Err(wallet.missing(&[*token], None)),
            }
        }
    }
}

pub(super) fn netcup(context: Context, table: &Netcup, names: Vec<Name>, addresses: Vec<IpAddr>) -> Arc<dyn Provider> {
    let table = table.clone();
    let mut settings = netcup_api::Settings::new(names);
    settings.addresses = addresses;
    settings.concurrency = table.limits.max_concurrency.unwrap_or(settings.concurrency);
    settings.timeout = table.limits.timeout.unwrap_or(settings.timeout);
    Arc::new(Lazy::new(context.id.clone(), settings.concurrency, move || {
        let mut settings = settings.clone();
        settings.ccp = ccp(&context, &table)?;
        settings.clouddns = clouddns(&context, &table)?;
        settings.scp = scp(&context, &table)?;
        if settings.ccp.is_none() && settings.clouddns.is_none() && settings.scp.is_none() {
            let keys: Vec<Customary> =
                [table.customer_number.customary(), table.api_key.customary(), table.api_password.customary()]
                    .into_iter()
                    .flatten()
                    .collect();
            let or = "nor NETCUPV1_API_KEY (CloudDNS), nor NETCUP_SCP_REFRESH_TOKEN (PTR)";
            return Err(context.wallet.missing(&keys, Some(or)));
        }
        Ok(Arc::new(NetcupProvider::new(context.id.clone(), settings)?))
    }))
}

/// The legacy API, if its three credentials are there. One or two of them are a mistake.
fn ccp(context: &Context, table: &Netcup) -> Result<Option<CcpSettings>, ProviderError> {
    let wallet = &context.wallet;
    let number = wallet.text(&table.customer_number);
    let (key, password) = (wallet.find(&table.api_key)?, wallet.find(&table.api_password)?);
    let missing: Vec<Customary> = [
        table.customer_number.customary().filter(|_| number.is_none()),
        table.api_key.customary().filter(|_| key.is_none()),
        table.api_password.customary().filter(|_| password.is_none()),
    ]
    .into_iter()
    .flatten()
    .collect();
    let (Some(customer_number), Some(api_key), Some(api_password)) = (number, key, password) else {
        if missing.len() == 3 {
            return Ok(None);
        }
        return Err(wallet.missing(&missing, Some("while the CCP API's other credentials are there")));
    };
    let rate = Rate::new(netcup_api::CCP_LIMIT, table.limits.requests_per_second);
    let budget = context.budgets.of("netcup CCP", &customer_number, rate);
    let endpoint = base(&context.id, table.endpoint.as_ref(), netcup_api::CCP_ENDPOINT)?;
    Ok(Some(CcpSettings { customer_number, api_key, api_password, endpoint, budget }))
}

fn clouddns(context: &Context, table: &Netcup) -> Result<Option<CloudDnsSettings>, ProviderError> {
    let Some(api_key) = context.wallet.find(&table.rest_api_key)? else { return Ok(None) };
    let rate = Rate::new(netcup_api::REST_LIMIT, table.limits.requests_per_second);
    let budget = context.budgets.of("netcup REST", api_key.expose_secret(), rate);
    let endpoint = base(&context.id, table.rest_endpoint.as_ref(), netcup_api::REST_ENDPOINT)?;
    Ok(Some(CloudDnsSettings { api_key, endpoint, budget }))
}

fn scp(context: &Context, table: &Netcup) -> Result<Option<ScpSettings>, ProviderError> {
    let Some(refresh_token) = context.wallet.find(&table.scp_refresh_token)? else { return Ok(None) };
    let rate = Rate::new(netcup_api::SCP_LIMIT, table.limits.requests_per_second);
    let budget = context.budgets.of("netcup SCP", refresh_token.expose_secret(), rate);
    let endpoint = base(&context.id, table.scp_endpoint.as_ref(), netcup_api::SCP_ENDPOINT)?;
    Ok(Some(ScpSettings { refresh_token, endpoint, budget }))
}

pub(super) fn ionos(context: Context, table: &Ionos) -> Arc<dyn Provider> {
    let table = table.clone();
    let concurrency = table.limits.max_concurrency.unwrap_or(IonosProvider::CONCURRENCY);
    Arc::new(Lazy::new(context.id.clone(), concurrency, move || {
        let key = context.wallet.get(&table.api_key)?;
        let rate =
            Rate::new((IonosProvider::REQUESTS_PER_SECOND, IonosProvider::BURST), table.limits.requests_per_second);
        let settings = Settings {
            service: "IONOS",
            base: base(&context.id, table.endpoint.as_ref(), IonosProvider::BASE)?,
            timeout: TIMEOUT,
            budget: context.budgets.of("ionos", key.expose_secret(), rate),
            concurrency,
            secrets: Vec::new(),
            backoff: Backoff::default(),
        };
        Ok(Arc::new(IonosProvider::new(context.id.clone(), key, limited(settings, &table.limits))?))
    }))
}

pub(super) fn ionos_cloud(
    context: Context,
    table: &IonosCloud,
    (assigned, candidates): (Vec<IpAddr>, Vec<IpAddr>),
) -> Arc<dyn Provider> {
    let table = table.clone();
    let concurrency = table.limits.max_concurrency.unwrap_or(IonosCloudProvider::CONCURRENCY);
    Arc::new(Lazy::new(context.id.clone(), concurrency, move || {
        let token = context.wallet.get(&table.token)?;
        let own = (IonosCloudProvider::REQUESTS_PER_SECOND, IonosCloudProvider::BURST);
        let rate = Rate::new(own, table.limits.requests_per_second);
        let settings = Settings {
            service: "IONOS Cloud",
            base: base(&context.id, table.endpoint.as_ref(), IonosCloudProvider::BASE)?,
            timeout: TIMEOUT,
            budget: context.budgets.of("ionos-cloud", token.expose_secret(), rate),
            concurrency,
            secrets: Vec::new(),
            backoff: Backoff::default(),
        };
        let provider = IonosCloudProvider::new(context.id.clone(), token, limited(settings, &table.limits))?;
        Ok(Arc::new(provider.with_addresses(assigned.clone(), candidates.clone(), reverse_name)))
    }))
}

/// Route 53, behind a feature: the AWS libraries are the largest part of what is compiled.
#[cfg(feature = "route53")]
pub(super) fn route53(context: Context, table: &mailzone_config::Route53) -> Arc<dyn Provider> {
    use mailzone_provider_route53::{AccessKeys, BURST, Polling, REQUESTS_PER_SECOND, Route53Provider, Settings};

    /// What the account's limit fills at usual answer times.
    const CONCURRENCY: usize = 8;

    let table = table.clone();
    let concurrency = table.limits.max_concurrency.unwrap_or(CONCURRENCY);
    Arc::new(Lazy::new(context.id.clone(), concurrency, move || {
        let wallet = &context.wallet;
        let credentials = match &table.access_key {
            None => None,
            Some(keys) => Some(AccessKeys {
                access_key_id: wallet.named(&keys.access_key_id)?.expose_secret().to_owned(),
                secret_access_key: wallet.named(&keys.secret_access_key)?,
                session_token: keys.session_token.as_ref().map(|token| wallet.named(token)).transpose()?,
            }),
        };
        // What the chain will find is not known yet; entries that say the same find the same.
        let key = credentials.as_ref().map(|keys| keys.access_key_id.as_str());
        let who = format!("{key:?} {:?} {:?}", table.profile, table.role_arn);
        let rate = Rate::new((REQUESTS_PER_SECOND, BURST), table.limits.requests_per_second);
        let endpoint = match &table.endpoint {
            Some(endpoint) => Some(base(&context.id, Some(endpoint), "")?),
            None => None,
        };
        let settings = Settings {
            profile: table.profile.clone(),
            region: table.region.clone(),
            role_arn: table.role_arn.clone(),
            endpoint,
            timeout: table.limits.timeout.unwrap_or(TIMEOUT),
            budget: context.budgets.of("route53", &who, rate),
            concurrency,
            credentials,
            backoff: Backoff::default(),
            polling: Polling::default(),
        };
        Ok(Arc::new(Route53Provider::new(context.id.clone(), settings)))
    }))
}

fn limited(settings: Settings, limits: &Limits) -> Settings {
    Settings {
        timeout: limits.timeout.unwrap_or(settings.timeout),
        concurrency: limits.max_concurrency.unwrap_or(settings.concurrency),
        ..settings
    }
}

/// The configured base address, else the service's own.
fn base(id: &ProviderId, endpoint: Option<&Located<Endpoint>>, own: &str) -> Result<Base, ProviderError> {
    let text = endpoint.map_or(own, |endpoint| endpoint.value.as_str());
    Base::parse(text).map_err(|error| {
        let place = endpoint.map(|endpoint| format!(" ({})", endpoint.place)).unwrap_or_default();
        let kind = ProviderErrorKind::Configuration(error.to_string());
        ProviderError::new(format!("reading the endpoint of {id}{place}"), kind, "correct it, or leave it out")
    })
}
