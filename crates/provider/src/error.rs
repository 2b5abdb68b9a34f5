use std::fmt;

/// What went wrong at a provider, whose fault it is, and whether another try can help.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {kind}")]
pub struct ProviderError {
    /// What was tried: `reading zones/example.com.zone`.
    pub operation: String,
    /// What went wrong.
    pub kind: ProviderErrorKind,
    /// Whether another try can help.
    pub retry: Retry,
    /// What the user can do about it; empty if there is nothing to say.
    pub remedy: String,
    /// The cause.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The kinds of failure. The JSON `error.kind` of a zone is [`ProviderErrorKind::as_str`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProviderErrorKind {
    /// The configuration of the provider cannot work (a directory that is a file).
    Configuration(String),
    /// Missing or wrong credentials.
    Credentials(String),
    /// The credentials do not allow it.
    Permission(String),
    /// No such zone.
    NoZone(String),
    /// The service or the provider refuses this request whatever one does.
    Refused(String),
    /// Too many requests.
    Throttled(String),
    /// No answer.
    Unreachable(String),
    /// An answer that makes no sense, or a zone file that does not parse.
    Protocol(String),
    /// Another run holds the lock, or somebody else changed the zone meanwhile.
    Conflict(String),
}

/// Whether another try can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same request fails again.
    Never,
    /// The same request may work later.
    Later,
    /// A write may or may not have happened: read back first.
    Unknown,
}

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants say it")]
pub enum Blame {
    User,
    Service,
    Network,
    Concurrency,
}

impl ProviderError {
    /// An error that a retry does not mend.
    pub fn new(operation: impl Into<String>, kind: ProviderErrorKind, remedy: impl Into<String>) -> Self {
        Self { operation: operation.into(), kind, retry: Retry::Never, remedy: remedy.into(), source: None }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self.kind {
            ProviderErrorKind::Configuration(_)
            | ProviderErrorKind::Credentials(_)
            | ProviderErrorKind::Permission(_)
            | ProviderErrorKind::NoZone(_) => Blame::User,
            ProviderErrorKind::Refused(_) | ProviderErrorKind::Protocol(_) => Blame::Service,
            ProviderErrorKind::Throttled(_) | ProviderErrorKind::Unreachable(_) => Blame::Network,
            ProviderErrorKind::Conflict(_) => Blame::Concurrency,
        }
    }
}

impl ProviderErrorKind {
    /// The word of `design.md` section 8.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Configuration(_) => "configuration",
            Self::Credentials(_) => "credentials",
            Self::Permission(_) => "permission",
            Self::NoZone(_) => "no_zone",
            Self::Refused(_) | Self::Conflict(_) => "refused",
            Self::Throttled(_) => "throttled",
            Self::Unreachable(_) => "unreachable",
            Self::Protocol(_) => "protocol",
        }
    }
}

impl fmt::Display for ProviderErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(text)
            | Self::Credentials(text)
            | Self::Permission(text)
            | Self::NoZone(text)
            | Self::Refused(text)
            | Self::Throttled(text)
            | Self::Unreachable(text)
            | Self::Protocol(text)
            | Self::Conflict(text) => f.write_str(text),
        }
    }
}
