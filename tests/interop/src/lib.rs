//! Real name servers on loopback.
