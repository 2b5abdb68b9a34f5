//! Where the credentials of a provider are, and how they are read: once, when it is about to be asked.

use std::ffi::OsString;
use std::sync::Arc;

use mailzone_config::secret::{SecretRef, Secrets};
use mailzone_config::{CloudflareCredentials, Credential, Customary, Given, Located, Place, ProviderSettings};
use mailzone_provider::{ProviderError, ProviderErrorKind, ProviderId};
use secrecy::SecretString;

/// A provider's way to its credentials.
#[derive(Debug, Clone)]
pub(super) struct Wallet {
    pub(super) provider: ProviderId,
    /// The provider's table.
    pub(super) place: Place,
    pub(super) secrets: Arc<Secrets>,
}

/// Where one credential comes from, never what it is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Origin {
    /// The key of the table that names it, or would.
    pub(crate) key: &'static str,
    /// `the environment variable NAME`; null if nothing names it and no customary variable is set.
    pub(crate) from: Option<String>,
}

impl Wallet {
    /// The secret that the table names.
    pub(super) fn named(&self, reference: &Located<SecretRef>) -> Result<SecretString, ProviderError> {
        let found = self.secrets.get(&reference.value, &environment);
        found
            .map(|secret| secret.wrapped().clone())
            .map_err(|error| self.error(&reference.place, error.to_string(), error.remedy()))
    }

    /// The secret that is named, or that of a customary variable; `None` if there is neither.
    pub(super) fn find(&self, credential: &Credential) -> Result<Option<SecretString>, ProviderError> {
        let place = credential.place().unwrap_or(&self.place);
        match self.secrets.find(credential, &environment) {
            Ok(found) => Ok(found.map(|(secret, _)| secret.wrapped().clone())),
            Err(error) => Err(self.error(place, error.to_string(), error.remedy())),
        }
    }

    /// The same; that there is none is an error.
    pub(super) fn get(&self, credential: &Credential) -> Result<SecretString, ProviderError> {
        let found = self.find(credential)?;
        found.ok_or_else(|| self.missing(&credential.customary().into_iter().collect::<Vec<_>>(), None))
    }

    /// A text that is no secret.
    pub(super) fn text(&self, given: &Given<String>) -> Option<String> {
        match given {
            Given::Named(text) => Some(text.value.clone()),
            Given::Customary(customary) => environment(customary.variable(&environment)?)?.into_string().ok(),
        }
    }

    /// The error of keys that are left out while nothing stands for them.
    pub(super) fn missing(&self, keys: &[Customary], or: Option<&str>) -> ProviderError {
        let variables: Vec<&str> = keys.iter().flat_map(|key| key.variables.iter().copied()).collect();
        let which = match variables.as_slice() {
            [one] => (*one).to_owned(),
            [one, other] => format!("neither {one} nor {other}"),
            _ => format!("none of {}", variables.join(", ")),
        };
        let not = if variables.len() == 1 { " not" } else { "" };
        let or = or.map(|or| format!(", {or}")).unwrap_or_default();
        let what = format!("no credentials: {which} is{not} set{or}");
        let named: Vec<String> = keys
            .iter()
            .map(|key| match key.key {
                "customer_number" | "email" => format!("{} = \"…\"", key.key),
                key => format!("{key} = {{ env = \"NAME\" }}"),
            })
            .collect();
        let remedy = format!(
            "set {} where mailzone is started, or name where it is in [providers.{}]: {}",
            if variables.len() == 1 { "it" } else { "what is missing" },
            self.provider,
            named.join(", ")
        );
        self.error(&self.place, what, &remedy)
    }

    fn error(&self, place: &Place, what: String, remedy: &str) -> ProviderError {
        let operation = format!("getting the credentials of {} ({place})", self.provider);
        ProviderError::new(operation, ProviderErrorKind::Credentials(what), remedy)
    }
}

/// Where a provider's credentials come from. Reads none of them.
pub(crate) fn origins(settings: &ProviderSettings) -> Vec<Origin> {
    let named =
        |key: &'static str, reference: &Located<SecretRef>| Origin { key, from: Some(reference.value.to_string()) };
    let from_environment = |customary: &Customary| Origin {
        key: customary.key,
        from: customary.variable(&environment).map(|name| SecretRef::Env(name.to_owned()).to_string()),
    };
    let credential = |key: &'static str, credential: &Credential| match credential {
        Given::Named(reference) => named(key, reference),
        Given::Customary(customary) => from_environment(customary),
    };
    let text = |key: &'static str, given: &Given<String>| match given {
        Given::Named(_) => Origin { key, from: Some("the configuration".to_owned()) },
        Given::Customary(customary) => from_environment(customary),
    };
    match settings {
        ProviderSettings::Rfc2136(server) => {
            server.tsig.iter().map(|tsig| named("tsig.secret", &tsig.secret)).collect()
        }
        ProviderSettings::Route53(aws) => match &aws.access_key {
            Some(keys) => {
                vec![named("access_key_id", &keys.access_key_id), named("secret_access_key", &keys.secret_access_key)]
                    .into_iter()
                    .chain(keys.session_token.iter().map(|token| named("session_token", token)))
                    .collect()
            }
            None => {
                let profile = aws.profile.as_ref().map(|profile| format!(", profile {profile}")).unwrap_or_default();
                vec![Origin { key: "profile", from: Some(format!("the AWS default chain{profile}")) }]
            }
        },
        ProviderSettings::Cloudflare(cloudflare) => match &cloudflare.credentials {
            CloudflareCredentials::Token(token) => vec![named("api_token", token)],
            CloudflareCredentials::Key { api_key, email } => vec![credential("api_key", api_key), text("email", email)],
            CloudflareCredentials::Customary { token, api_key, email } => {
                let (token, key) = (from_environment(token), from_environment(api_key));
                if token.from.is_none() && key.from.is_some() {
                    vec![key, from_environment(email)]
                } else {
                    vec![token]
                }
            }
        },
        ProviderSettings::Netcup(netcup) => [
            text("customer_number", &netcup.customer_number),
            credential("api_key", &netcup.api_key),
            credential("api_password", &netcup.api_password),
            credential("rest_api_key", &netcup.rest_api_key),
            credential("scp_refresh_token", &netcup.scp_refresh_token),
        ]
        .into(),
        ProviderSettings::Ionos(ionos) => vec![credential("api_key", &ionos.api_key)],
        ProviderSettings::IonosCloud(cloud) => vec![credential("token", &cloud.token)],
        _ => Vec::new(),
    }
}

fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
