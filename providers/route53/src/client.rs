//! The SDK's client, made on first use, behind the account's budget and our own repetition of requests.

use std::error::Error;

use aws_config::default_provider::region::DefaultRegionChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::sts::AssumeRoleProvider;
use aws_sdk_route53::Client;
use aws_sdk_route53::config::http::HttpResponse;
use aws_sdk_route53::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_route53::config::retry::RetryConfig;
use aws_sdk_route53::config::timeout::TimeoutConfig;
use aws_sdk_route53::config::{
    BehaviorVersion, ConfigBag, Credentials, Intercept, Region, RuntimeComponents, StalledStreamProtectionConfig,
};
use aws_sdk_route53::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;
use mailzone_http::{Backoff, MAX_ANSWER};
use secrecy::ExposeSecret;
use tokio::sync::{OnceCell, Semaphore};

use crate::failure::{Class, Failure};
use crate::{AccessKeys, Settings};

/// Where requests are signed for when nobody says; Route 53 is one service for the whole world.
const REGION: &str = "us-east-1";

/// The service as the provider calls it.
#[derive(Debug)]
pub(crate) struct Service {
    settings: Settings,
    client: OnceCell<Client>,
    gate: Semaphore,
}

/// What a request does, and so after which failures it may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Repeated after anything that may pass.
    Read,
    /// Repeated only when it was certainly not carried out.
    Write,
}

impl Service {
    pub(crate) fn new(settings: Settings) -> Self {
        let gate = Semaphore::new(settings.concurrency.max(1));
        Self { settings, client: OnceCell::new(), gate }
    }

    pub(crate) fn backoff(&self) -> &Backoff {
        &self.settings.backoff
    }

    /// Sends a request within the budget, and again where that is safe.
    pub(crate) async fn call<T, E, F, R>(&self, effect: Effect, request: F) -> Result<T, Failure>
    where
        F: Fn(Client) -> R + Send + Sync,
        R: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
        E: ProvideErrorMetadata + Error + Send + 'static,
        T: Send,
    {
        let request = &request;
        self.repeat(effect, || async move {
            let client = self.client().await.clone();
            request(client).await.map_err(Failure::from_sdk)
        })
        .await
    }

    /// As [`Service::call`] for a request whose answer is not the SDK's to read.
    pub(crate) async fn repeat<T, F, R>(&self, effect: Effect, request: F) -> Result<T, Failure>
    where
        F: Fn() -> R + Send + Sync,
        R: Future<Output = Result<T, Failure>> + Send,
        T: Send,
    {
        let backoff = self.settings.backoff;
        let mut attempt = 1;
        loop {
            let result = {
                self.settings.budget.take().await;
                // The semaphore is never closed.
                let _permit = self.gate.acquire().await;
                request().await
            };
            let mut failure = match result {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            failure.message = self.redact(&failure.message);
            let again = match effect {
                Effect::Read => failure.is_transient(),
                Effect::Write => failure.is_refusal_for_now(),
            };
            if !again || attempt >= backoff.attempts {
                return Err(failure);
            }
            let wait = backoff.delay(attempt);
            tracing::debug!(attempt, ?wait, class = ?failure.class, "repeating a request");
            if failure.class == Class::Throttled {
                self.settings.budget.pause(wait);
            }
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    pub(crate) async fn client(&self) -> &Client {
        self.client.get_or_init(|| connect(&self.settings)).await
    }

    /// The text without the secrets that the settings name, whoever repeated them.
    fn redact(&self, text: &str) -> String {
        let keys = self.settings.credentials.iter();
        let secrets = keys.flat_map(|keys| [Some(&keys.secret_access_key), keys.session_token.as_ref()]);
        secrets
            .flatten()
            .map(ExposeSecret::expose_secret)
            .filter(|secret| !secret.is_empty())
            .fold(text.to_owned(), |text, secret| text.replace(secret, "[secret]"))
    }
}

/// A client from the settings. Contacts nobody yet, unless a role's session has to be opened.
async fn connect(settings: &Settings) -> Client {
    let config = aws_sdk_route53::Config::builder().behavior_version(version());
    let explicit = settings.credentials.as_ref().map(credentials);
    let mut config = match (explicit, &settings.role_arn) {
        // What is written in the table is all that counts: no file and no variable of the machine is read.
        (Some(keys), None) => config.credentials_provider(keys).region(region(settings)),
        (explicit, role) => {
            let shared = shared(settings, explicit).await;
            let mut config = aws_sdk_route53::config::Builder::from(&shared);
            if let Some(role) = role {
                let session = AssumeRoleProvider::builder(role.as_str()).session_name("mailzone").configure(&shared);
                config = config.credentials_provider(session.build().await);
            }
            config
        }
    };
    if let Some(endpoint) = &settings.endpoint {
        config = config.endpoint_url(endpoint.as_str());
    }
    let limits =
        TimeoutConfig::builder().connect_timeout(settings.timeout).operation_attempt_timeout(settings.timeout).build();
    let config = config
        .retry_config(RetryConfig::disabled())
        .timeout_config(limits)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .interceptor(Bounded);
    Client::from_conf(config.build())
}

/// Reads no more of an answer than [`MAX_ANSWER`]; the rest is an error of the body.
#[derive(Debug)]
struct Bounded;

impl Intercept for Bounded {
    fn name(&self) -> &'static str {
        "mailzone's limit of an answer"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().body_mut();
        *body = SdkBody::from_body_1_x(Limited::new(std::mem::replace(body, SdkBody::taken()), MAX_ANSWER));
        Ok(())
    }
}

/// AWS's default chain: environment, profiles, web identity, container, instance.
async fn shared(settings: &Settings, explicit: Option<Credentials>) -> aws_config::SdkConfig {
    let mut loader = aws_config::defaults(version());
    loader = match &settings.region {
        Some(name) => loader.region(Region::new(name.clone())),
        None => {
            let mut chain = DefaultRegionChain::builder();
            if let Some(profile) = &settings.profile {
                chain = chain.profile_name(profile);
            }
            loader.region(RegionProviderChain::first_try(chain.build()).or_else(Region::from_static(REGION)))
        }
    };
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(keys) = explicit {
        loader = loader.credentials_provider(keys);
    }
    loader.load().await
}

fn version() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

fn region(settings: &Settings) -> Region {
    settings.region.clone().map_or(Region::from_static(REGION), Region::new)
}

fn credentials(keys: &AccessKeys) -> Credentials {
    let token = keys.session_token.as_ref().map(|token| token.expose_secret().to_owned());
    let secret = keys.secret_access_key.expose_secret();
    Credentials::new(keys.access_key_id.as_str(), secret, token, None, "configuration")
}
