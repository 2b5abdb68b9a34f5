//! What the exchange's errors mean to a user of the provider.

use mailzone_provider::{ProviderError, ProviderErrorKind, Retry};
use mailzone_record::Name;
use mailzone_wire::{Rejection, SignedError, TransferError, UpdateError, WireError};

use crate::Rfc2136Provider;

const PLAN_AGAIN: &str = "plan again";

impl Rfc2136Provider {
    pub(crate) fn signed_error(&self, operation: String, error: SignedError) -> ProviderError {
        match error {
            SignedError::Wire(cause) => self.wire_error(operation, cause),
            SignedError::Rejected(rejection) => self.rejected(operation, rejection, ""),
            other => protocol(operation, other.to_string()),
        }
    }

    pub(crate) async fn transfer_error(&self, zone: &Name, error: TransferError) -> ProviderError {
        let operation = format!("transferring {zone} from {}", self.server);
        match error {
            TransferError::Wire(cause) => self.wire_error(operation, cause),
            TransferError::Rejected(rejection) => {
                self.denied(zone, operation, rejection, "allow zone transfers (AXFR) of the zone for this key").await
            }
            TransferError::Incomplete { .. } => {
                let kind = ProviderErrorKind::Unreachable(error.to_string());
                later(ProviderError::new(operation, kind, "try again; the server's log says why it stopped"))
            }
            TransferError::TooLarge(_) => {
                let kind = ProviderErrorKind::Refused(error.to_string());
                ProviderError::new(operation, kind, "zones of this size cannot be managed")
            }
            error => protocol(operation, error.to_string()),
        }
    }

    /// Not for failed prerequisites and lost answers, which are no errors yet.
    pub(crate) async fn update_error(&self, zone: &Name, error: UpdateError) -> ProviderError {
        let operation = format!("updating {zone} at {}", self.server);
        match error {
            UpdateError::NotSent(cause) => self.wire_error(operation, cause),
            UpdateError::Rejected(rejection) => {
                self.denied(zone, operation, rejection, "allow dynamic updates of the zone for this key").await
            }
            UpdateError::TooLong { .. } => {
                let kind = ProviderErrorKind::Refused(error.to_string());
                ProviderError::new(operation, kind, "nothing was sent; apply the changes in parts")
            }
            UpdateError::NoWireForm => {
                let kind = ProviderErrorKind::Refused(error.to_string());
                ProviderError::new(operation, kind, "write the value in the form of RFC 3597: \\# LENGTH HEX")
            }
            UpdateError::Prerequisite(_) => {
                let kind = ProviderErrorKind::Conflict(error.to_string());
                later(ProviderError::new(operation, kind, PLAN_AGAIN))
            }
            error => {
                let kind = ProviderErrorKind::Unreachable(error.to_string());
                let error = ProviderError::new(operation, kind, "plan again, which shows whether it was written");
                ProviderError { retry: Retry::Unknown, ..error }
            }
        }
    }

    /// REFUSED and NOTAUTH mean a missing right at one server and a missing zone at another, and Knot
    /// says BADKEY to a key that it knows and that may not do this: asking for the zone tells.
    async fn denied(&self, zone: &Name, operation: String, rejection: Rejection, remedy: &str) -> ProviderError {
        if !matches!(rejection, Rejection::Refused | Rejection::NotAuth | Rejection::BadKey) {
            return self.rejected(operation, rejection, remedy);
        }
        match self.find_zone(zone).await {
            Ok(Some(found)) if found == *zone => self.rejected(operation, Rejection::Refused, remedy),
            Ok(_) => {
                let kind = ProviderErrorKind::NoZone(format!("the server has no zone {zone}"));
                ProviderError::new(operation, kind, "create the zone at the server, or correct the configuration")
            }
            // The question fails for the reason for which the request did.
            Err(_) => self.rejected(operation, rejection, remedy),
        }
    }

    fn rejected(&self, operation: String, rejection: Rejection, permission: &str) -> ProviderError {
        let text = rejection.to_string();
        let (kind, remedy) = match rejection {
            Rejection::Refused | Rejection::NotAuth => {
                let also = match &self.key {
                    Some(key) => {
                        format!("see that the server knows the key {} with this algorithm and secret", key.name())
                    }
                    None => "name a TSIG key (`tsig`) in the provider's table".into(),
                };
                let both = if permission.is_empty() { also } else { format!("{permission}, or {also}") };
                return ProviderError::new(operation, ProviderErrorKind::Permission(text), both);
            }
            Rejection::BadKey => (
                ProviderErrorKind::Credentials(text),
                "compare the key's name and algorithm (`tsig`) with the server's configuration",
            ),
            Rejection::BadSig => (
                ProviderErrorKind::Credentials(text),
                "compare the key's secret (`tsig.secret`) with the server's configuration",
            ),
            Rejection::BadTime { .. } | Rejection::AnswerTime { .. } => {
                (ProviderErrorKind::Credentials(text), "set both clocks (NTP)")
            }
            Rejection::Unsigned | Rejection::Unverified => {
                (ProviderErrorKind::Protocol(text), "see that the address is the server's and the key the right one")
            }
            Rejection::Rcode(mailzone_wire::Rcode::ServFail) => {
                let kind = ProviderErrorKind::Unreachable(text);
                return later(ProviderError::new(operation, kind, "the server's log says what failed"));
            }
            Rejection::Rcode(mailzone_wire::Rcode::NotImp) => (
                ProviderErrorKind::Refused(text),
                "use the zone's primary server, and one that supports AXFR and dynamic updates",
            ),
            Rejection::Rcode(mailzone_wire::Rcode::FormErr) => (
                ProviderErrorKind::Refused(text),
                "the server's log says more; PowerDNS answers so to record types that it does not know",
            ),
            _ => (ProviderErrorKind::Refused(text), "the server's log says more"),
        };
        ProviderError::new(operation, kind, remedy)
    }

    fn wire_error(&self, operation: String, error: WireError) -> ProviderError {
        match error {
            WireError::Malformed(_) | WireError::Mismatch => protocol(operation, error.to_string()),
            error => {
                let kind = ProviderErrorKind::Unreachable(error.to_string());
                let remedy = format!("see that a name server takes TCP connections at {}", self.server);
                later(ProviderError::new(operation, kind, remedy).with_source(error))
            }
        }
    }
}

fn protocol(operation: String, text: String) -> ProviderError {
    let remedy = "see that the address is that of a name server, and what its log says";
    ProviderError::new(operation, ProviderErrorKind::Protocol(text), remedy)
}

fn later(error: ProviderError) -> ProviderError {
    ProviderError { retry: Retry::Later, ..error }
}
