//! Cloudflare, emulated.
