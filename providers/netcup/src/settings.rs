use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mailzone_http::{Backoff, Base, Budget};
use mailzone_record::Name;
use secrecy::SecretString;

/// Where the CCP API is.
pub const CCP_ENDPOINT: &str = "https://ccp.netcup.net/run/webservice/servers/endpoint.php?JSON";
/// Where the REST API is, whose DNS part is CloudDNS.
pub const REST_ENDPOINT: &str = "https://api.netcup.com/v1";
/// Where the API of the server control panel is.
pub const SCP_ENDPOINT: &str = "https://www.servercontrolpanel.de/scp-core/api/v1";

/// The requests a second of each API, and how many may come at once: netcup documents 180 a minute for CCP; for the
/// others nothing is known, so this is a guess on the careful side.
pub const CCP_LIMIT: (f64, u32) = (2.99, 1);
/// As [`CCP_LIMIT`], for the REST API.
pub const REST_LIMIT: (f64, u32) = (10.0, 10);
/// As [`CCP_LIMIT`], for the server control panel.
pub const SCP_LIMIT: (f64, u32) = (5.0, 5);

/// One netcup account: up to three APIs, each with credentials of its own.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The legacy DNS back end.
    pub ccp: Option<CcpSettings>,
    /// The newer DNS back end.
    pub clouddns: Option<CloudDnsSettings>,
    /// PTR of servers' addresses.
    pub scp: Option<ScpSettings>,
    /// The configured zones and domains of this provider, for neither back end lists its zones. Only this
    /// provider's: a name that netcup does not hold counts as an error there, and many errors lock the account. Names in
    /// `arpa` are left out.
    pub names: Vec<Name>,
    /// The addresses whose PTR is managed and may be at netcup.
    pub addresses: Vec<IpAddr>,
    /// How many zones are asked or written at a time; the CCP API takes one request at a time all the same.
    pub concurrency: usize,
    /// How long one request may take.
    pub timeout: Duration,
    /// When and how often a request is repeated.
    pub backoff: Backoff,
}

/// Credentials of the CCP API.
#[derive(Debug, Clone)]
pub struct CcpSettings {
    /// As the customer control panel shows it.
    pub customer_number: String,
    /// One of the "Legacy API Keys" (50 characters).
    pub api_key: SecretString,
    /// The API password, one for all keys.
    pub api_password: SecretString,
    /// [`CCP_ENDPOINT`], query included.
    pub endpoint: Base,
    /// Shared by everything that uses the account; [`CCP_LIMIT`].
    pub budget: Arc<Budget>,
}

/// Credentials of the REST API.
#[derive(Debug, Clone)]
pub struct CloudDnsSettings {
    /// One of the "API Keys" (64 characters).
    pub api_key: SecretString,
    /// [`REST_ENDPOINT`].
    pub endpoint: Base,
    /// Shared by everything that uses the account; [`REST_LIMIT`].
    pub budget: Arc<Budget>,
}

/// Credentials of the server control panel.
#[derive(Debug, Clone)]
pub struct ScpSettings {
    /// An offline token of the client `scp`.
    pub refresh_token: SecretString,
    /// [`SCP_ENDPOINT`]. Tokens are asked for at the same host.
    pub endpoint: Base,
    /// Shared by everything that uses the account; [`SCP_LIMIT`].
    pub budget: Arc<Budget>,
}

impl Settings {
    /// No API yet, four zones at a time, 30 s a request.
    pub fn new(names: Vec<Name>) -> Self {
        Self {
            ccp: None,
            clouddns: None,
            scp: None,
            names,
            addresses: Vec::new(),
            concurrency: 4,
            timeout: Duration::from_secs(30),
            backoff: Backoff::default(),
        }
    }
}
