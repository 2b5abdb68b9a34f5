use std::io;

/// Why an exchange gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Nothing came in time: the packet or its answer was lost, or the server is down or slow.
    /// Asking again may help.
    #[error("no answer in time")]
    Timeout,
    /// The host is there, and nothing listens at the port.
    #[error("nothing listens at that address and port")]
    Refused,
    /// This machine has no route to the address, or no address of its family: no statement about
    /// the server.
    #[error("no route to the address from here")]
    NoRoute,
    /// The server closed the TCP connection without an answer. Once more on a new one may help.
    #[error("the server closed the connection without an answer")]
    Closed,
    /// Another failure of the socket.
    #[error("socket: {0}")]
    Io(io::ErrorKind),
    /// The server's answer is no DNS message.
    #[error("malformed answer: {0}")]
    Malformed(&'static str),
    /// Messages came, and none answers our question (other id or other question).
    #[error("the answer is to another question")]
    Mismatch,
}

impl WireError {
    /// Whether the cause is this machine's network and not the server: such an address is
    /// reported as unreachable from here and is no failure (design.md section 10).
    pub fn is_unreachable_from_here(&self) -> bool {
        matches!(self, Self::NoRoute)
    }

    /// Whether asking the same again can help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Timeout | Self::Closed | Self::Mismatch | Self::Io(_))
    }
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable | io::ErrorKind::AddrNotAvailable => {
                Self::NoRoute
            }
            io::ErrorKind::TimedOut => Self::Timeout,
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Self::Closed,
            // "Address family not supported" has no kind: Linux, macOS and the BSDs, Windows.
            _ if matches!(error.raw_os_error(), Some(97 | 47 | 10047)) => Self::NoRoute,
            kind => Self::Io(kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_failure() {
        assert!(WireError::from(io::Error::from(io::ErrorKind::NetworkUnreachable)).is_unreachable_from_here());
        assert_eq!(WireError::from(io::Error::from(io::ErrorKind::ConnectionRefused)), WireError::Refused);
        assert_eq!(WireError::from(io::Error::from(io::ErrorKind::UnexpectedEof)), WireError::Closed);
        assert!(WireError::Timeout.is_transient());
        assert!(!WireError::Malformed("x").is_transient());
    }
}
