use std::time::Duration;

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Status 503; not carried out.
    ErrorBefore,
    /// Carried out, then status 503.
    ErrorAfter,
    /// Carried out, then the connection is closed without an answer.
    Lost,
    /// The connection is closed before it is carried out.
    Refused,
    /// Carried out; the connection is closed in the middle of the answer's body. As [`Fault::Lost`] if there is
    /// none.
    Truncated,
    /// Carried out, then status 200 with a page of HTML.
    Html,
    /// Throttled as the service does it; not carried out.
    Throttled,
    /// Carried out; the answer takes this long.
    Slow(Duration),
}

impl Fault {
    /// One of each kind, `slow` for the last.
    pub fn all(slow: Duration) -> [Self; 8] {
        [
            Self::ErrorBefore,
            Self::ErrorAfter,
            Self::Lost,
            Self::Refused,
            Self::Truncated,
            Self::Html,
            Self::Throttled,
            Self::Slow(slow),
        ]
    }

    /// Whether the request is carried out all the same.
    pub fn carries_out(self) -> bool {
        !matches!(self, Self::ErrorBefore | Self::Refused | Self::Throttled)
    }
}
