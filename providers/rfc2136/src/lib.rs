//! RFC 2136 servers as a provider: AXFR and UPDATE with TSIG.
