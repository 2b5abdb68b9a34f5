//! The embedded authoritative server.
