//! Cloudflare DNS as a provider.
