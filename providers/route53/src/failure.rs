//! What the SDK's errors and the service's answers mean to a user.

use std::error::Error;

use aws_sdk_route53::config::http::HttpResponse;
use aws_sdk_route53::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_route53::primitives::{DateTime, DateTimeFormat};
use mailzone_provider::{ProviderError, ProviderErrorKind, Retry};

use crate::xml;

/// The most characters of an answer that a message repeats.
const EXCERPT: usize = 300;
/// The difference of two clocks in seconds from which on signatures are refused.
const SKEW: i64 = 240;

/// What the SDK says in a paragraph.
const NO_CREDENTIALS: &str = "AWS's default chain found no credentials: none in the environment, the profile, a web identity \
                              token, the container or the instance";

/// Why a request came to nothing.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) class: Class,
    /// A lower-case fragment, or what the service said.
    pub(crate) message: String,
}

/// The classes of failure that lead to different ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The credentials chain gave nothing: nothing was sent.
    NoCredentials,
    /// The service does not take the credentials.
    BadCredentials,
    /// This machine's clock is wrong.
    Clock,
    /// An IAM policy does not allow the action.
    Denied,
    /// No such hosted zone or change.
    NotFound,
    /// `InvalidChangeBatch`: a set is not as the batch says, or a value is refused.
    Batch,
    /// Refused whatever one does.
    Refused,
    /// Too many requests: not carried out.
    Throttled,
    /// The zone's last batch is not done yet: not carried out.
    Prior,
    /// The service failed; it may have been carried out.
    Server,
    /// No answer; it may have been carried out.
    Lost,
    /// The connection is not secure: nothing was sent.
    Tls,
    /// An answer that makes no sense.
    Protocol,
    /// As [`Class::Protocol`], with a status of success: it may have been carried out.
    Garbled,
}

impl Failure {
    pub(crate) fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }

    pub(crate) fn from_sdk<E>(error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        // An answer that broke off is none; one that was read and not understood is a service error.
        let broke_off = matches!(&error, SdkError::ResponseError(_));
        if let Some(raw) = error.raw_response().filter(|_| !broke_off) {
            let body = String::from_utf8_lossy(raw.body().bytes().unwrap_or_default());
            let meta = error.as_service_error().map(ProvideErrorMetadata::meta);
            let answer = Answer {
                status: raw.status().as_u16(),
                code: meta.and_then(|meta| meta.code()).map(str::to_owned).or_else(|| code(&body)),
                date: raw.headers().get("date"),
                body: &body,
            };
            return answer.failure(meta.and_then(|meta| meta.message()));
        }
        let message = innermost(&error);
        let class = match &error {
            SdkError::TimeoutError(_) => {
                return Self::new(Class::Lost, "no answer within the time limit (`timeout`)");
            }
            error if chain(error).iter().any(|cause| is_about_credentials(&cause.to_string())) => Class::NoCredentials,
            error if chain(error).iter().any(|cause| is_about_tls(&cause.to_string())) => Class::Tls,
            SdkError::ResponseError(_) if message.contains("length limit exceeded") => {
                return Self::new(Class::Garbled, "an answer of more than 64 MiB, which was not read");
            }
            SdkError::ConstructionFailure(_) => Class::Refused,
            SdkError::DispatchFailure(failure) if failure.is_user() => Class::Refused,
            _ => Class::Lost,
        };
        Self::new(class, message)
    }

    /// Whether a request that changes nothing may work when it is repeated.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.class, Class::Server | Class::Lost) || self.is_refusal_for_now()
    }

    /// Whether it was certainly not carried out, and may be later.
    pub(crate) fn is_refusal_for_now(&self) -> bool {
        matches!(self.class, Class::Throttled | Class::Prior)
    }

    /// Whether a write that ended so may have been carried out.
    pub(crate) fn may_be_done(&self) -> bool {
        matches!(self.class, Class::Server | Class::Lost | Class::Garbled)
    }

    /// What a user is told. `action` is the IAM action, `instead` another way without it.
    pub(crate) fn into_error(self, operation: impl Into<String>, action: &str, instead: &str) -> ProviderError {
        use ProviderErrorKind as Kind;
        let Self { class, message } = self;
        let (kind, retry, remedy) = match class {
            Class::NoCredentials => (
                Kind::Credentials(message),
                Retry::Never,
                "give credentials in one of AWS's ways (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or `profile`) and, where \
                 `role_arn` names a role, let them take it on (sts:AssumeRole)"
                    .into(),
            ),
            Class::BadCredentials => (
                Kind::Credentials(message),
                Retry::Never,
                "check access key, secret and session token; `aws sts get-caller-identity` shows whose they are".into(),
            ),
            Class::Clock => (
                Kind::Credentials(message),
                Retry::Never,
                "set this machine's clock (NTP): signed requests are valid for a few minutes".into(),
            ),
            Class::Denied => (
                Kind::Permission(message),
                Retry::Never,
                format!("allow {action} in the identity's IAM policy{instead}; docs/providers/route53.md shows one"),
            ),
            Class::NotFound => (
                Kind::NoZone(message),
                Retry::Never,
                "check zone_id and the account that the credentials belong to".into(),
            ),
            Class::Batch | Class::Refused => {
                (Kind::Refused(message), Retry::Never, "change what the service's message names".into())
            }
            Class::Prior => (
                Kind::Throttled(message),
                Retry::Later,
                "try again later: somebody else writes to the zone all the time".into(),
            ),
            Class::Throttled => (
                Kind::Throttled(message),
                Retry::Later,
                "try again later, or lower requests_per_second: the limit is the account's, other tools use it too"
                    .into(),
            ),
            Class::Server | Class::Lost => (
                Kind::Unreachable(message),
                Retry::Later,
                "try again; see that the network lets HTTPS to the endpoint through".into(),
            ),
            Class::Tls => (
                Kind::Unreachable(message),
                Retry::Never,
                "see that the endpoint speaks TLS, its certificate is valid for its name, and nothing on the way \
                 replaces it"
                    .into(),
            ),
            Class::Protocol | Class::Garbled => (
                Kind::Protocol(message),
                Retry::Never,
                "see that the endpoint is Route 53's, and that no proxy answers in its place".into(),
            ),
        };
        ProviderError { retry, ..ProviderError::new(operation, kind, remedy) }
    }
}

/// What is known of an answer that is no success.
struct Answer<'a> {
    status: u16,
    code: Option<String>,
    date: Option<&'a str>,
    body: &'a str,
}

impl Answer<'_> {
    fn failure(&self, message: Option<&str>) -> Failure {
        let code = self.code.as_deref().unwrap_or_default();
        let mut message = message.map(str::to_owned).unwrap_or_default();
        if message.is_empty() || code == "InvalidChangeBatch" {
            let texts = xml::texts(self.body, "Message").join("; ");
            if !texts.is_empty() {
                message = texts;
            }
        }
        let class = match code {
            "Throttling" | "ThrottlingException" | "TooManyRequestsException" => Class::Throttled,
            "PriorRequestNotComplete" => Class::Prior,
            "InvalidChangeBatch" => Class::Batch,
            "NoSuchHostedZone" | "NoSuchChange" | "HostedZoneNotFound" => Class::NotFound,
            "RequestTimeTooSkewed" | "RequestExpired" => Class::Clock,
            "SignatureDoesNotMatch" | "InvalidSignatureException" if self.is_skewed(&message) => Class::Clock,
            "SignatureDoesNotMatch"
            | "InvalidSignatureException"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId"
            | "UnrecognizedClientException"
            | "MissingAuthenticationToken"
            | "IncompleteSignature"
            | "ExpiredToken"
            | "ExpiredTokenException" => Class::BadCredentials,
            "AccessDenied" | "AccessDeniedException" | "NotAuthorizedException" => Class::Denied,
            "ServiceUnavailable" | "InternalFailure" | "InternalError" => Class::Server,
            _ => match self.status {
                500.. => Class::Server,
                429 => Class::Throttled,
                200..=299 => Class::Garbled,
                300..=399 => {
                    return Failure::new(
                        Class::Protocol,
                        format!("the endpoint redirects (HTTP {}); redirects are not followed", self.status),
                    );
                }
                401 | 403 if code.is_empty() => Class::Denied,
                _ if code.is_empty() => Class::Protocol,
                _ => Class::Refused,
            },
        };
        if class == Class::Clock
            && let Some(difference) = self.skew().filter(|skew| skew.abs() >= SKEW)
        {
            let which = if difference > 0 { "behind" } else { "ahead of" };
            message = format!("{message} (this machine's clock is {} s {which} the service's)", difference.abs());
        }
        let message = match (code, message.as_str()) {
            ("", _) => format!("HTTP {} with {}", self.status, describe(self.body)),
            (code, "") => code.to_owned(),
            (code, message) => format!("{code}: {}", excerpt(message)),
        };
        Failure::new(class, message)
    }

    fn is_skewed(&self, message: &str) -> bool {
        message.contains("Signature expired")
            || message.contains("not yet current")
            || self.skew().is_some_and(|skew| skew.abs() >= SKEW)
    }

    /// How many seconds the service's clock is ahead of this machine's.
    fn skew(&self) -> Option<i64> {
        let theirs = DateTime::from_str(self.date?, DateTimeFormat::HttpDate).ok()?;
        let ours = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(theirs.secs().saturating_sub(i64::try_from(ours.as_secs()).ok()?))
    }
}

/// The error code of a body that the SDK could not read: in its element, or as the name of the root.
fn code(body: &str) -> Option<String> {
    let root = xml::root(body)?;
    let found = xml::texts(body, "Code").into_iter().next();
    found.or_else(|| (root == "InvalidChangeBatch" || root.ends_with("Exception")).then(|| root.to_owned()))
}

/// A body in a few words.
fn describe(body: &str) -> String {
    let start = body.trim_start().to_ascii_lowercase();
    if start.is_empty() {
        return "an empty body".into();
    }
    if start.starts_with("<!doctype html") || start.starts_with("<html") {
        return format!("an HTML page instead of Route 53's XML: {}", excerpt(body));
    }
    format!("a body that is no answer of Route 53: {}", excerpt(body))
}

/// The first characters on one line, without control characters.
fn excerpt(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let clean = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    match clean.char_indices().nth(EXCERPT) {
        Some((at, _)) => format!("{}…", clean.get(..at).unwrap_or_default()),
        None => clean,
    }
}

/// The error and its causes.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut causes = vec![error];
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause);
        next = cause.source();
    }
    causes
}

/// The cause that no other one explains.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let text = chain(error).last().map(ToString::to_string).unwrap_or_default();
    if text.starts_with("no credentials found in chain") {
        return NO_CREDENTIALS.into();
    }
    excerpt(&text)
}

/// The SDK's own words; their types are in a crate that it does not give on.
fn is_about_credentials(text: &str) -> bool {
    ["credential", "no auth scheme", "auth scheme matched"].iter().any(|word| text.contains(word))
}

fn is_about_tls(text: &str) -> bool {
    ["certificate", "corrupt message", "handshake", "InvalidContentType", "TLS", "tls"]
        .iter()
        .any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, body: &str) -> Failure {
        Answer { status, code: code(body), date: None, body }.failure(None)
    }

    fn wrapped(code: &str, message: &str) -> String {
        format!("<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>")
    }

    #[test]
    fn codes_have_classes() {
        let cases = [
            (400, wrapped("Throttling", "Rate exceeded"), Class::Throttled, "Throttling: Rate exceeded"),
            (400, wrapped("PriorRequestNotComplete", "x"), Class::Prior, "PriorRequestNotComplete: x"),
            (403, wrapped("AccessDenied", "User: x"), Class::Denied, "AccessDenied: User: x"),
            (403, wrapped("SignatureDoesNotMatch", "Signature expired: 1"), Class::Clock, "SignatureDoesNotMatch: Signature expired: 1"),
            (403, wrapped("SignatureDoesNotMatch", "y"), Class::BadCredentials, "SignatureDoesNotMatch: y"),
            (404, wrapped("NoSuchHostedZone", ""), Class::NotFound, "NoSuchHostedZone"),
            (400, wrapped("InvalidInput", "Invalid XML"), Class::Refused, "InvalidInput: Invalid XML"),
            (503, "<html><body>no</body></html>".into(), Class::Server, "HTTP 503 with an HTML page instead of Route 53's XML: <html><body>no</body></html>"),
            (200, "{}".into(), Class::Garbled, "HTTP 200 with a body that is no answer of Route 53: {}"),
            (302, String::new(), Class::Protocol, "the endpoint redirects (HTTP 302); redirects are not followed"),
            (
                400,
                "<InvalidChangeBatch><Messages><Message>a</Message><Message>b</Message></Messages></InvalidChangeBatch>".into(),
                Class::Batch,
                "InvalidChangeBatch: a; b",
            ),
        ];
        for (status, body, class, message) in cases {
            let failure = failure(status, &body);
            assert_eq!((failure.class, failure.message.as_str()), (class, message));
        }
    }

    #[test]
    fn a_wrong_clock_is_told_from_a_wrong_secret() {
        let body = wrapped("SignatureDoesNotMatch", "no");
        let answer = |date| Answer { status: 403, code: code(&body), date: Some(date), body: &body }.failure(None);
        assert_eq!(answer("not a date").class, Class::BadCredentials);
        let skewed = answer("Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(skewed.class, Class::Clock);
        assert!(skewed.message.ends_with("s ahead of the service's)"), "{}", skewed.message);
    }

    /// The SDK's words are no promise of its: a version that has others is seen here.
    #[tokio::test]
    #[expect(deprecated, reason = "the new name is in a crate that the SDK does not give on")]
    async fn missing_credentials_are_told_from_a_missing_service() {
        use aws_config::profile::ProfileFileCredentialsProvider;
        use aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};
        use aws_sdk_route53::config::{BehaviorVersion, Region};

        let config = || {
            aws_sdk_route53::Config::builder()
                .behavior_version(BehaviorVersion::v2026_01_12())
                .region(Region::from_static("us-east-1"))
                .retry_config(aws_sdk_route53::config::retry::RetryConfig::disabled())
                .endpoint_url("http://127.0.0.1:1")
        };
        let files = |text: &str| ProfileFiles::builder().with_contents(ProfileFileKind::Credentials, text).build();
        let profile = |text: &str| {
            ProfileFileCredentialsProvider::builder().profile_files(files(text)).profile_name("mail").build()
        };
        let cases = [
            (config(), Class::NoCredentials),
            (config().credentials_provider(profile("")), Class::NoCredentials),
            (config().credentials_provider(profile("[mail]\naws_access_key_id = x\n")), Class::NoCredentials),
            (
                config().credentials_provider(profile("[mail]\naws_access_key_id = x\naws_secret_access_key = y\n")),
                Class::Lost,
            ),
        ];
        for (config, class) in cases {
            let client = aws_sdk_route53::Client::from_conf(config.build());
            let failure = Failure::from_sdk(client.list_hosted_zones().send().await.unwrap_err());
            assert_eq!(failure.class, class, "{}", failure.message);
        }
    }

    #[test]
    fn long_bodies_are_cut_and_control_characters_go() {
        let text = failure(500, &format!("\u{1b}[31m{}", "x".repeat(5_000))).message;
        assert!(text.len() < 400 && !text.contains('\u{1b}'), "{text}");
    }
}
