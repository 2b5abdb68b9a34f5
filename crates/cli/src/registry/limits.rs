//! How fast and how long a provider is asked, for `providers`.

use std::collections::BTreeMap;
use std::time::Duration;

use mailzone_config::{Limits, ProviderSettings};
use mailzone_provider_cloudflare as cloudflare;
use mailzone_provider_ionos::{IonosCloudProvider, IonosProvider};
use mailzone_provider_netcup as netcup;

use super::budgets::Rate;
use super::credentials::origins;
use super::services::TIMEOUT;

/// What limits the asking.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pace {
    /// Requests a second by API; none where nobody counts.
    pub(crate) requests_per_second: BTreeMap<&'static str, f64>,
    /// Of one request; `None` where there are none.
    pub(crate) timeout: Option<Duration>,
}

/// The limits that are in force.
pub(crate) fn pace(settings: &ProviderSettings) -> Pace {
    let of = |apis: &[(&'static str, (f64, u32))], limits: &Limits| Pace {
        requests_per_second: apis
            .iter()
            .map(|(api, own)| (*api, Rate::new(*own, limits.requests_per_second).per_second))
            .collect(),
        timeout: Some(limits.timeout.unwrap_or(TIMEOUT)),
    };
    match settings {
        ProviderSettings::Rfc2136(server) => {
            Pace { requests_per_second: BTreeMap::new(), timeout: Some(server.timeout.unwrap_or(TIMEOUT)) }
        }
        #[cfg(feature = "route53")]
        ProviderSettings::Route53(table) => {
            let own = (mailzone_provider_route53::REQUESTS_PER_SECOND, mailzone_provider_route53::BURST);
            of(&[("Route 53", own)], &table.limits)
        }
        ProviderSettings::Cloudflare(table) => {
            of(&[("Cloudflare", (cloudflare::REQUESTS_PER_SECOND, cloudflare::BURST))], &table.limits)
        }
        ProviderSettings::Netcup(table) => {
            let origins = origins(settings);
            let in_use = |key: &str| origins.iter().any(|origin| origin.key == key && origin.from.is_some());
            let apis = [
                ("api_password", ("CCP", netcup::CCP_LIMIT)),
                ("rest_api_key", ("CloudDNS", netcup::REST_LIMIT)),
                ("scp_refresh_token", ("SCP", netcup::SCP_LIMIT)),
            ];
            let used: Vec<_> = apis.into_iter().filter(|(key, _)| in_use(key)).map(|(_, api)| api).collect();
            of(&used, &table.limits)
        }
        ProviderSettings::Ionos(table) => {
            of(&[("IONOS", (IonosProvider::REQUESTS_PER_SECOND, IonosProvider::BURST))], &table.limits)
        }
        ProviderSettings::IonosCloud(table) => {
            let own = (IonosCloudProvider::REQUESTS_PER_SECOND, IonosCloudProvider::BURST);
            of(&[("IONOS Cloud", own)], &table.limits)
        }
        _ => Pace { requests_per_second: BTreeMap::new(), timeout: None },
    }
}
