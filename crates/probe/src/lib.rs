//! Measures the DNS: delegation, propagation, latency.
