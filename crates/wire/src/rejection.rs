use crate::Rcode;

/// Why a server did not do what a signed (or unsigned) request asked for, in its own words: the
/// response code and the error field of its TSIG record (RFC 8945 section 5.2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// REFUSED: the server's policy. PowerDNS answers so to a wrong key, too.
    #[error("the server refuses it (REFUSED)")]
    Refused,
    /// NOTAUTH without a TSIG error: the server does not serve the zone; Knot says it where its
    /// access list does not allow the request.
    #[error(
        "the server says that it is not authoritative for the zone, or that this client is not authorised (NOTAUTH)"
    )]
    NotAuth,
    /// The server does not know a key of that name and algorithm.
    #[error("the server does not know the TSIG key (BADKEY)")]
    BadKey,
    /// The server has another secret for that key.
    #[error("the server finds the TSIG signature wrong (BADSIG)")]
    BadSig,
    /// The clocks are too far apart.
    #[error("the server finds the time of the signature wrong (BADTIME){}", clocks(*.ours, *.server))]
    BadTime {
        /// The time that was signed, in seconds since 1970.
        ours: u64,
        /// The server's time, if it told it.
        server: Option<u64>,
    },
    /// The request was signed, and the answer is not: it could be anybody's.
    #[error("the answer to a signed request is not signed")]
    Unsigned,
    /// The answer's signature does not fit: it was changed on the way or is not the server's.
    #[error("the answer's TSIG signature is wrong")]
    Unverified,
    /// The answer was signed too long ago or too far in the future for our clock.
    #[error("the time of the answer's signature is wrong{}", clocks(*.ours, Some(*.server)))]
    AnswerTime {
        /// Our time, in seconds since 1970.
        ours: u64,
        /// The time that the answer was signed with.
        server: u64,
    },
    /// Another response code.
    #[error("the server answers {0}")]
    Rcode(Rcode),
}

impl Rejection {
    /// What response code and TSIG error say; `None` if there is neither.
    pub(crate) fn of(rcode: Rcode, tsig_error: u16, ours: u64, server: Option<u64>) -> Option<Self> {
        Some(match (tsig_error, rcode) {
            // BADTRUNC is a matter of the signature, too.
            (16 | 22, _) => Self::BadSig,
            (17, _) => Self::BadKey,
            (18, _) => Self::BadTime { ours, server },
            (_, Rcode::NoError) => return None,
            (_, Rcode::Refused) => Self::Refused,
            (_, Rcode::NOT_AUTH) => Self::NotAuth,
            (_, rcode) => Self::Rcode(rcode),
        })
    }
}

fn clocks(ours: u64, server: Option<u64>) -> String {
    match server {
        Some(server) if server >= ours => format!(": its clock is {} s ahead of ours", server - ours),
        Some(server) => format!(": its clock is {} s behind ours", ours - server),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tsig_error_says_more_than_the_response_code() {
        let of = |rcode, error| Rejection::of(rcode, error, 1000, Some(400));
        assert_eq!(of(Rcode::NOT_AUTH, 17), Some(Rejection::BadKey));
        assert_eq!(of(Rcode::NOT_AUTH, 16), Some(Rejection::BadSig));
        assert_eq!(of(Rcode::NOT_AUTH, 0), Some(Rejection::NotAuth));
        assert_eq!(of(Rcode::NoError, 0), None);
        let late = of(Rcode::NOT_AUTH, 18).unwrap().to_string();
        assert_eq!(late, "the server finds the time of the signature wrong (BADTIME): its clock is 600 s behind ours");
    }
}
