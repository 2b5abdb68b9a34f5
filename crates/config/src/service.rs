//! The settings of providers that are services with an HTTP API.

use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::secret::SecretRef;
use crate::source::{Located, Place};

/// What every such service takes besides its credentials; `None` for its own values.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// Of all requests with the same credentials; above zero.
    pub requests_per_second: Option<f64>,
    /// How much is asked or written at a time; at least 1.
    pub max_concurrency: Option<usize>,
    /// Of one request.
    pub timeout: Option<Duration>,
}

/// Something that the table names, or else the environment by a customary variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given<T> {
    /// By the table.
    Named(Located<T>),
    /// The key is left out: the first of these variables that is set. Only where the endpoint is the service's own
    /// or loopback.
    Customary(Customary),
}

/// What stands for a key that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Customary {
    /// The key.
    pub key: &'static str,
    /// Environment variables, the first wins. One that is empty counts as not set.
    pub variables: &'static [&'static str],
}

/// Where a secret is.
pub type Credential = Given<SecretRef>;

/// `type = "route53"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Route53 {
    /// A profile of the AWS configuration files.
    pub profile: Option<String>,
    /// Which signs requests.
    pub region: Option<String>,
    /// A role to take on.
    pub role_arn: Option<String>,
    /// An access key of its own; `None` for the AWS default chain. Always there with an endpoint that is neither AWS's
    /// nor loopback.
    pub access_key: Option<AccessKey>,
    /// The API's base.
    pub endpoint: Option<Located<Endpoint>>,
    /// The usual limits.
    pub limits: Limits,
}

/// An access key of AWS, by reference.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the keys of the file")]
pub struct AccessKey {
    pub access_key_id: Located<SecretRef>,
    pub secret_access_key: Located<SecretRef>,
    pub session_token: Option<Located<SecretRef>>,
}

/// `type = "cloudflare"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Cloudflare {
    /// How requests are authorised.
    pub credentials: CloudflareCredentials,
    /// The API's base.
    pub endpoint: Option<Located<Endpoint>>,
    /// The usual limits.
    pub limits: Limits,
}

/// How requests to Cloudflare are authorised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloudflareCredentials {
    /// By a token that the table names.
    Token(Located<SecretRef>),
    /// By the global key and the account's address.
    Key {
        /// The global key.
        api_key: Credential,
        /// The account's address.
        email: Given<String>,
    },
    /// The table names neither: a token of the environment, else key and address of the environment.
    Customary {
        /// A token.
        token: Customary,
        /// The global key.
        api_key: Customary,
        /// The account's address.
        email: Customary,
    },
}

/// `type = "netcup"`: up to three APIs. One whose credentials are nowhere is not used.
#[derive(Debug, Clone, PartialEq)]
pub struct Netcup {
    /// Of the CCP API.
    pub customer_number: Given<String>,
    /// Of the CCP API.
    pub api_key: Credential,
    /// Of the CCP API.
    pub api_password: Credential,
    /// The CCP API, whole.
    pub endpoint: Option<Located<Endpoint>>,
    /// Of the CloudDNS API.
    pub rest_api_key: Credential,
    /// The CloudDNS API's base.
    pub rest_endpoint: Option<Located<Endpoint>>,
    /// Of the server control panel.
    pub scp_refresh_token: Credential,
    /// The server control panel's base.
    pub scp_endpoint: Option<Located<Endpoint>>,
    /// The usual limits.
    pub limits: Limits,
}

/// `type = "ionos"`: the hosting DNS API.
#[derive(Debug, Clone, PartialEq)]
pub struct Ionos {
    /// `PREFIX.SECRET`.
    pub api_key: Credential,
    /// The API's base.
    pub endpoint: Option<Located<Endpoint>>,
    /// The usual limits.
    pub limits: Limits,
}

/// `type = "ionos-cloud"`.
#[derive(Debug, Clone, PartialEq)]
pub struct IonosCloud {
    /// A bearer token.
    pub token: Credential,
    /// The API's base.
    pub endpoint: Option<Located<Endpoint>>,
    /// The usual limits.
    pub limits: Limits,
}

impl<T> Given<T> {
    /// Where the table names it.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Named(named) => Some(&named.place),
            Self::Customary(_) => None,
        }
    }

    /// The key that is left out and what stands for it.
    pub fn customary(&self) -> Option<Customary> {
        match self {
            Self::Named(_) => None,
            Self::Customary(customary) => Some(*customary),
        }
    }
}
