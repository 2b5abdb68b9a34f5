//! Amazon Route 53 as a provider.
